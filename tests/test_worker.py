"""Poll, digest and deliver together: real HTTP, real SQLite, real SMTP, and a clock that the test turns."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from monitor import config, press, worker
from monitor.digest.mail import SmtpSender
from monitor.errors import StoreError
from monitor.match.rules import Rules
from monitor.model import DigestPlan, Edition, Message, State
from monitor.settings import Settings
from monitor.store import Store
from tests.builders import TEMPLATES, config_text, delivered, feed_document
from tests.feedserver import FeedServer
from tests.mailserver import MailServer

START = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HALTED = "Microsoft halts a data centre that OpenAI wanted"
CLAUSE = "OpenAI and Microsoft cannot agree on AGI"


class Office:
    """One worker's world: a feed server, a database, settings and a clock."""

    def __init__(self, folder: Path, server: FeedServer) -> None:
        self.folder, self.server = folder, server
        self.now = START
        self.poisoned = False
        self.store = Store(folder / "data" / "monitor.db")
        self.desk = press.Desk(TEMPLATES, "Monitor <monitor@example.test>")
        self.settings: Settings
        self.configure(["one"])

    def configure(self, feeds: Sequence[str], to: Sequence[str] = ("alice@example.test",)) -> None:
        """Watch feeds of these names from now on."""
        path = self.folder / "feeds.yaml"
        path.write_text(config_text([self.server.url(f"/{name}.xml") for name in feeds], to), encoding="utf-8")
        self.settings = config.load(path)
        worker.meet_digests(self.settings, self.store, self.now)

    @property
    def plan(self) -> DigestPlan:
        """The first digest."""
        return self.settings.digests[0]

    def publish(self, name: str, titles: Sequence[str], newest: datetime | None = None) -> None:
        """Put a feed on the server; its newest item is ten minutes old unless told."""
        self.server.put(f"/{name}.xml", feed_document(titles, newest or self.now - HOUR / 6, name))

    def poll(self) -> list[tuple[str, int, int, int]]:
        """Poll everything; return result, new, changed and hits of each feed in the order of their addresses."""
        outcomes = worker.poll(self.settings, self.store, lambda: self.now, everything=True)
        return [
            (outcome.result, outcome.new, outcome.changed, outcome.hits)
            for outcome in sorted(outcomes, key=lambda o: o.feed.url)
        ]

    def digest(self, plan: DigestPlan | None = None) -> tuple[Edition, list[Message]]:
        """Freeze an edition now."""
        made = worker.digest(self.settings, plan or self.plan, self.store, self.desk, self.now)
        assert made is not None
        return made

    def told(self) -> list[str]:
        """Freeze an edition and deliver it; return the headlines of its new stories, sorted."""
        edition, _ = self.digest()
        delivered(self.store, self.now)
        return sorted(story.lead.item.title for story in edition.stories)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A worker's world with nothing published yet."""
    with FeedServer() as server:
        made = Office(tmp_path, server)
        yield made
        made.store.close()


# ---------------------------------------------------------------- poll


def test_a_second_poll_asks_with_validators_and_finds_nothing_new(office: Office) -> None:
    """ETag and Last-Modified go back to the server that sent them."""
    body = feed_document([HALTED], START - HOUR)
    office.server.put("/one.xml", body, headers={"ETag": '"v1"', "Last-Modified": "Tue, 24 Nov 2026 05:00:00 GMT"})
    assert office.poll() == [("ok", 1, 0, 1)]
    assert office.poll() == [("unchanged", 0, 0, 0)]
    asked = {name.lower(): value for name, value in office.server.requests[-1].headers.items()}
    assert asked["if-none-match"] == '"v1"'
    assert asked["if-modified-since"] == "Tue, 24 Nov 2026 05:00:00 GMT"


def test_the_same_body_without_validators_is_unchanged(office: Office) -> None:
    """A server that knows no ETag does not cost a second reading."""
    office.publish("one", [HALTED])
    assert office.poll() == [("ok", 1, 0, 1)]
    assert office.poll() == [("unchanged", 0, 0, 0)]


def test_a_document_that_broke_off_unseen_is_asked_for_whole(office: Office) -> None:
    """Without a length nobody notices, and its ETag is that of the whole: kept, it would hide the rest for ever."""
    body = feed_document([HALTED, CLAUSE], START - HOUR)
    head = b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nConnection: close\r\n\r\n'
    office.server.raw("/one.xml", head + body[: body.rindex(b"AGI")])  # within the second headline
    assert office.poll() == [("ok", 1, 0, 1)]
    assert office.poll() == [("unchanged", 0, 0, 0)]
    office.server.put("/one.xml", body, headers={"ETag": '"v1"'})
    assert office.poll() == [("ok", 1, 0, 1)]
    assert office.poll() == [("unchanged", 0, 0, 0)]
    assert office.told() == sorted([HALTED, CLAUSE])


def test_one_broken_feed_never_stops_the_others_and_keeps_what_it_had(office: Office) -> None:
    """A failure changes neither what was seen nor the validators."""
    office.configure(["one", "two"])
    office.server.put("/one.xml", feed_document([HALTED], START - HOUR, "one"), headers={"ETag": '"v1"'})
    office.publish("two", [CLAUSE])
    office.poll()
    office.server.put("/one.xml", b"<html>sorry</html>", status=503)
    office.publish("two", ["A rival of OpenAI courts Microsoft", CLAUSE])
    assert office.poll() == [("failed", 0, 0, 0), ("ok", 1, 0, 1)]
    state = office.store.feed_states()[office.server.url("/one.xml")]
    assert (state.etag, state.failures) == ('"v1"', 1)
    assert "503" in state.error
    office.server.put("/one.xml", feed_document([HALTED], START - HOUR, "one"))
    assert office.poll() == [("unchanged", 0, 0, 0), ("unchanged", 0, 0, 0)]


def test_a_web_page_in_place_of_a_feed_is_a_failure(office: Office) -> None:
    """HTTP 200 is not enough."""
    office.server.put("/one.xml", b"<!doctype html><title>Log in</title>", headers={"Content-Type": "text/html"})
    assert office.poll() == [("failed", 0, 0, 0)]
    assert "web page" in office.store.feed_states()[office.server.url("/one.xml")].error


def test_items_that_leave_a_feed_and_come_back_are_not_new(office: Office) -> None:
    """What was seen once is known for ever."""
    office.publish("one", [HALTED])
    office.poll()
    office.publish("one", [CLAUSE])
    office.poll()
    office.publish("one", [HALTED, CLAUSE])
    assert office.poll()[0][1] == 0


def test_an_edited_headline_is_judged_again_but_not_told_again(office: Office) -> None:
    """A retitled item that was told stays told; one that becomes a hit only now is told then."""
    before = b"<item><guid>a</guid><title>Microsoft halts work</title></item>"
    first = feed_document([HALTED], START - HOUR).replace(b"</channel>", before + b"</channel>")
    office.server.put("/one.xml", first)
    office.now = START
    assert office.poll() == [("ok", 2, 0, 1)]
    assert office.told() == [HALTED]
    after = first.replace(b"halts a data centre", b"stops a data centre").replace(
        b"halts work", b"and OpenAI halt work"
    )
    office.server.put("/one.xml", after)
    office.now += HOUR
    assert office.poll()[0][:3] == ("ok", 0, 2)
    # The second item is undated and was there at first sight, so it is backlog: known, never news.
    assert office.told() == []


def test_a_full_disk_or_read_only_database_is_an_error_not_a_loss(office: Office) -> None:
    """When an item cannot be written, its feed's ETag is not either: the next poll gets it."""
    office.server.put("/one.xml", feed_document([HALTED], START - HOUR), headers={"ETag": '"v1"'})
    office.store._conn.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="cannot be written"):
        office.poll()
    office.store._conn.execute("PRAGMA query_only = OFF")
    assert office.store.feed_states() == {}
    assert office.poll() == [("ok", 1, 0, 1)]


def test_a_disk_that_is_full_for_several_feeds_at_once_is_one_error(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """The others' are not left for the garbage collector to complain of, with tracebacks."""
    office.configure([str(number) for number in range(12)])
    for number in range(12):
        office.publish(str(number), [HALTED])
    office.store._conn.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="cannot be written"):
        office.poll()
    gc.collect()
    assert caplog.text == ""


def test_a_document_that_sets_off_a_bug_fails_its_feed_and_no_other(office: Office) -> None:
    """Whatever one feed sends, the others are polled and it is backed off from."""
    office.configure(["one", "two"])
    office.publish("two", [CLAUSE])
    office.publish("one", [HALTED])

    class Broken(Rules):
        def __getattribute__(self, name: str) -> object:
            if name == "companies" and office.poisoned:
                office.poisoned = False
                raise ZeroDivisionError
            return super().__getattribute__(name)

    rules = office.settings.rules
    office.settings = replace(office.settings, rules=Broken(rules.companies, rules.excluded, rules.themes))
    office.poisoned = True
    results = office.poll()
    assert sorted(result for result, *_ in results) == ["failed", "ok"]
    [failed] = [state for state in office.store.feed_states().values() if state.failures]
    assert "fault of this program (ZeroDivisionError)" in failed.error
    assert failed.due is not None
    assert failed.due > office.now


def test_entries_that_share_one_guid_are_all_kept(office: Office) -> None:
    """Some feeds write the same guid into each entry."""
    titles = [f"Microsoft and OpenAI, part {n}" for n in range(5)]
    body = re.sub(rb"<guid isPermaLink='false'>[^<]*", b"<guid isPermaLink='false'>same", feed_document(titles, START))
    office.server.put("/one.xml", body)
    assert office.poll() == [("ok", 5, 0, 5)]
    office.server.put("/one.xml", body + b" ")
    assert office.poll() == [("ok", 0, 0, 0)]


def test_the_archive_of_a_feed_that_was_empty_at_first_is_no_news(office: Office) -> None:
    """First sight is when there is something to see."""
    office.publish("one", [])
    office.poll()
    office.now += HOUR
    undated = re.sub(rb"<pubDate>[^<]*</pubDate>", b"", feed_document([HALTED, CLAUSE], START))
    office.server.put("/one.xml", undated)
    assert office.poll() == [("ok", 2, 0, 2)]
    assert office.told() == []


def test_a_placeholder_in_place_of_news_is_a_failure(office: Office) -> None:
    """Google News refuses with HTTP 200 and one item."""
    office.publish("one", ["This feed is not available."])
    assert office.poll() == [("failed", 0, 0, 0)]
    assert office.store.counts()["items"] == 0


# ---------------------------------------------------------------- what is news


def test_an_old_item_that_an_edit_makes_a_hit_is_not_news(office: Office) -> None:
    """Half a year later, a changed headline or a widened keyword tells no old stories."""
    office.publish("one", ["Microsoft speaks"])
    office.poll()
    body = feed_document(["Microsoft speaks"], office.now - HOUR / 6, "one")
    office.now += 200 * DAY
    office.server.put("/one.xml", body.replace(b"<title>Microsoft speaks", b"<title>Microsoft speaks to OpenAI"))
    assert office.poll()[0][2] == 1
    assert office.told() == []


def test_what_a_filter_left_unshown_is_still_news_by_another_report(office: Office) -> None:
    """Only what was shown counts as told: the second report of the same address brings the theme."""
    compute = replace(office.plan, themes=("compute",))
    short = feed_document(["OpenAI and Microsoft in Ohio"], START - HOUR / 2, "one")
    office.configure(["one", "two"])
    office.server.put("/one.xml", short)
    office.publish("two", [])
    office.poll()
    assert office.digest(compute)[0].empty
    office.now += HOUR
    office.server.put("/two.xml", short.replace(b"Ohio<", b"Ohio data centre<").replace(b"one-", b"two-"))
    office.poll()
    assert len(office.digest(compute)[0].stories) == 1


def test_the_opposite_news_of_the_same_outlet_is_told(office: Office) -> None:
    """One other word can be the whole news."""
    office.publish("one", ["Judge approves Microsoft OpenAI restructuring plan"])
    office.poll()
    office.told()
    office.now += DAY
    office.publish("one", ["Judge rejects Microsoft OpenAI restructuring plan"])
    office.poll()
    assert office.told() == ["Judge rejects Microsoft OpenAI restructuring plan"]


def test_a_feed_seen_for_the_first_time_tells_one_day(office: Office) -> None:
    """An archive of years does not flood the first edition."""
    old = [f"Microsoft and OpenAI in year {2000 + n}" for n in range(20)]
    document = feed_document(old, START - 2 * DAY).replace(
        b"</channel>", feed_document([HALTED], START - HOUR).partition(b"</description>")[2]
    )
    office.server.put("/one.xml", document.replace(b"</channel></rss></channel></rss>", b"</channel></rss>"))
    assert office.poll()[0][:2] == ("ok", 21)
    assert office.told() == [HALTED]


def test_news_from_the_days_when_a_feed_was_down_is_told_afterwards(office: Office) -> None:
    """Three days of failure lose nothing that the feed still holds."""
    office.publish("one", [HALTED])
    office.poll()
    office.told()
    office.now += 3 * DAY
    office.publish("one", [CLAUSE, HALTED], newest=office.now - 2 * DAY)
    office.poll()
    assert office.told() == [CLAUSE]


def test_the_same_address_through_two_feeds_is_told_once_ever(office: Office) -> None:
    """The second feed may bring it a day later: it is not news any more."""
    office.configure(["one", "two"])
    office.publish("one", [HALTED])
    office.server.put("/two.xml", b"", status=503)
    office.poll()
    assert office.told() == [HALTED]
    office.now += DAY
    again = feed_document([HALTED], START - HOUR / 6, "one").replace(b"one-", b"another-id-")
    office.server.put("/two.xml", again.replace(b"</link><guid", b"?utm_source=two</link><guid"))
    assert ("ok", 1, 0, 1) in office.poll()
    edition, mails = office.digest()
    assert edition.empty
    assert mails == []


def test_another_outlet_the_next_day_is_an_update_not_news(office: Office) -> None:
    """One story across outlets; a third report of it later does not begin it anew."""
    office.configure(["one", "two", "three"])
    office.publish("one", [HALTED])
    office.publish("two", [f"{HALTED}!"], office.now - HOUR / 7)  # a little later: who is polled first is chance
    office.publish("three", [])
    office.poll()
    edition, _ = office.digest()
    assert [story.outlets for story in edition.stories] == [("one", "two")]
    delivered(office.store, office.now)
    office.now += DAY
    office.publish("three", [HALTED])
    office.poll()
    edition, mails = office.digest()
    assert edition.stories == ()
    assert [story.lead.item.outlet for story in edition.updates] == ["three"]
    assert len(mails) == 1
    assert office.digest()[0].empty


# ---------------------------------------------------------------- editions


def test_each_recipient_gets_an_own_mail_with_an_own_message_id(office: Office) -> None:
    """No reader sees another's address."""
    office.configure(["one"], to=["alice@example.test", "bob@example.test"])
    office.publish("one", [HALTED])
    office.poll()
    mails = [message_from_bytes(message.raw, policy=policy.default) for message in office.digest()[1]]
    assert [mail["To"] for mail in mails] == ["alice@example.test", "bob@example.test"]
    assert len({mail["Message-ID"] for mail in mails}) == 2
    assert all(mail["Message-ID"].endswith("@example.test>") for mail in mails)


def test_an_edition_covers_from_where_the_last_one_ended(office: Office) -> None:
    """No gap and no overlap, whatever the hour; an empty edition moves the window too."""
    ends = []
    for hours in (5, 30, 1):
        office.now += hours * HOUR
        edition, mails = office.digest()
        assert mails == []
        ends.append((edition.since, edition.until))
    assert ends[0][0] == START - DAY
    assert [since for since, _ in ends[1:]] == [until for _, until in ends[:-1]]


def test_a_slot_is_frozen_once(office: Office) -> None:
    """Two wake-ups for the same time make one edition."""
    office.publish("one", [HALTED])
    office.poll()
    for expected in (True, False):
        made = worker.digest(office.settings, office.plan, office.store, office.desk, office.now, slot=START)
        assert (made is not None) is expected
    assert office.store.counts()["messages"] == 1


def test_nothing_new_sends_nothing_or_one_line_as_configured(office: Office) -> None:
    """`empty: send` makes a mail that says so."""
    assert office.digest()[1] == []
    _, mails = office.digest(replace(office.plan, empty="send"))
    assert len(mails) == 1


def test_a_week_without_a_mail_brings_one_line_where_that_is_wanted(office: Office) -> None:
    """A heartbeat: on the seventh quiet morning, and again a week later."""
    weekly = replace(office.plan, empty="weekly")
    office.publish("one", [])
    mails = []
    for _ in range(16):
        office.poll()
        mails.append(len(office.digest(weekly)[1]))
        office.now += timedelta(days=1)
    assert [day for day, count in enumerate(mails) if count] == [7, 14]
    office.publish("one", [HALTED])
    office.poll()
    assert office.digest(weekly)[1] != []
    office.now += timedelta(days=1)
    assert office.digest(weekly)[1] == []


def test_silence_does_not_hide_that_no_feed_answers(office: Office) -> None:
    """A quiet morning must not look like a broken worker, even with `empty: skip`."""
    office.server.put("/one.xml", status=500)
    office.poll()
    edition, mails = office.digest()
    assert edition.empty
    assert len(mails) == 1
    assert b"HTTP 500" in mails[0].raw
    assert mails[0].subject.startswith("No feed answers")


def test_a_clock_that_ran_ahead_does_not_stop_the_digest(office: Office) -> None:
    """Editions and polls from the future are left out of account once the clock is right again."""
    office.now += 365 * DAY
    office.publish("one", [CLAUSE])
    office.poll()
    office.told()
    office.now -= 365 * DAY
    office.publish("one", [HALTED])
    assert len(worker.poll(office.settings, office.store, lambda: office.now)) == 1
    assert office.store.last_edition("morning", office.now) == START
    assert office.told() == [HALTED]
    assert office.store.last_edition("morning", office.now) == office.now


def test_a_digest_that_returns_after_months_begins_anew(office: Office) -> None:
    """What it missed while it was not configured is not news for it."""
    office.publish("one", [HALTED])
    office.poll()
    office.store.leave_digests(["morning"], office.now)
    office.now += 90 * DAY
    worker.meet_digests(office.settings, office.store, office.now)
    assert office.store.last_edition("morning", office.now) == office.now
    assert office.told() == []


def test_a_digest_that_was_away_for_an_hour_goes_on_where_it_was(office: Office) -> None:
    """A weekly one, commented out and brought back, keeps its six days of news."""
    office.publish("one", [HALTED])
    office.poll()
    office.now += 6 * DAY
    for _ in range(2):
        office.store.leave_digests(["morning"], office.now)
    office.now += HOUR
    worker.meet_digests(office.settings, office.store, office.now)
    assert office.store.last_edition("morning", office.now) == START
    assert office.told() == [HALTED]


def test_a_digest_added_later_reaches_back_one_day_only(office: Office) -> None:
    """Its first edition is not the archive."""
    office.publish("one", [HALTED])
    office.poll()
    office.now += 3 * DAY
    office.publish("one", [CLAUSE, HALTED])
    office.poll()
    evening = replace(office.plan, name="evening")
    made = worker.digest(
        replace(office.settings, digests=(office.plan, evening)), evening, office.store, office.desk, office.now
    )
    assert made is not None
    assert [story.lead.item.title for story in made[0].stories] == [CLAUSE]
    assert office.told() == sorted([CLAUSE, HALTED])


def test_two_digests_tell_the_same_news_each_to_its_own_readers(office: Office) -> None:
    """What one has told is still news for the other."""
    evening = replace(office.plan, name="evening", themes=("agi",))
    office.settings = replace(office.settings, digests=(office.plan, evening))
    worker.meet_digests(office.settings, office.store, office.now)
    office.publish("one", [HALTED, CLAUSE])
    office.poll()
    assert office.told() == sorted([CLAUSE, HALTED])
    edition, _ = office.digest(evening)
    assert [story.lead.item.title for story in edition.stories] == [CLAUSE]
    assert office.digest(replace(evening, themes=()))[0].empty, "what a theme filter left out does not come later"


# ---------------------------------------------------------------- deliver


def deliver(office: Office, server: MailServer) -> list[State]:
    """Deliver what is due over a fresh connection."""
    sender = SmtpSender("127.0.0.1", server.port, security="plain", timeout=5)
    return [state for _, state, _ in worker.deliver(office.store, sender, lambda: office.now)]


def test_a_mail_put_off_is_tried_again_later_and_only_then(office: Office, tmp_path: Path) -> None:
    """4xx: not in the same minute, but soon, and the same mail."""
    office.publish("one", [HALTED])
    office.poll()
    frozen = office.digest()[1][0]
    with MailServer(tmp_path, faults={"RCPT": lambda _: "451 later"}) as server:
        assert deliver(office, server) == [State.PENDING]
        assert deliver(office, server) == []
        server.faults.clear()
        office.now += timedelta(minutes=1)
        assert deliver(office, server) == [State.SENT]
        office.now += DAY
        assert deliver(office, server) == []
    assert [mail["Message-ID"] for _, mail in server.received] == [frozen.message_id]


def test_a_refused_recipient_is_recorded_and_the_others_get_theirs(office: Office, tmp_path: Path) -> None:
    """A 550 for one address stops neither the others nor the next edition."""
    office.configure(["one"], to=["gone@example.test", "bob@example.test"])
    office.publish("one", [HALTED])
    office.poll()
    office.digest()
    with MailServer(tmp_path, faults={"RCPT": lambda to: "550 gone" if to.startswith("gone") else ""}) as server:
        assert deliver(office, server) == [State.REFUSED, State.SENT]
        office.now += DAY
        assert deliver(office, server) == []
    assert [to for to, _ in server.received] == ["bob@example.test"]


@pytest.mark.parametrize("delivered", [True, False])
def test_after_a_lost_answer_the_same_mail_goes_again(office: Office, tmp_path: Path, delivered: bool) -> None:
    """The reader has it at least once, and every copy bears the same Message-ID."""
    office.publish("one", [HALTED])
    office.poll()
    frozen = office.digest()[1][0]
    with MailServer(tmp_path, drop_after_dot=1, deliver_before_drop=delivered) as server:
        assert deliver(office, server) == [State.UNKNOWN]
        office.now += timedelta(minutes=1)
        assert deliver(office, server) == [State.SENT]
    assert len(server.received) == (2 if delivered else 1)
    assert {mail["Message-ID"] for _, mail in server.received} == {frozen.message_id}
    assert len(set(server.raw)) == 1


def test_what_a_killed_process_was_sending_is_unknown_and_goes_again(office: Office, tmp_path: Path) -> None:
    """`sending` without a sender means that nobody knows."""
    office.publish("one", [HALTED])
    office.poll()
    office.digest()
    office.store.begin_delivery(office.store.due_deliveries(office.now)[0], office.now)
    with MailServer(tmp_path) as server:
        assert deliver(office, server) == [State.SENT]
    assert len(server.received) == 1


# ---------------------------------------------------------------- tidy


def test_old_texts_are_forgotten_but_their_items_never_come_back(office: Office) -> None:
    """A purged item that a feed still shows is neither new nor told again."""
    office.publish("one", [HALTED])
    office.poll()
    assert office.told() == [HALTED]
    office.now += 400 * DAY
    assert worker.tidy(office.settings, office.store, office.now) == 1
    assert worker.tidy(office.settings, office.store, office.now) == 0
    office.publish("one", [HALTED, CLAUSE], newest=START - HOUR / 6)
    assert office.poll()[0][:2] == ("ok", 1)
    assert HALTED not in office.told()
