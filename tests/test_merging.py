"""What did not arrive is told in the next mail: real database and editions, and a post office with faults on demand."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from monitor import archive, config, press, resources, worker
from monitor.digest.mail import GIVE_UP
from monitor.digest.merging import split
from monitor.errors import StoreError
from monitor.match.judge import judge, rules_key
from monitor.model import DigestPlan, Edition, FeedState, Item, Judged, Message, Owed, Receipt, State
from monitor.store import OWED_FOR, Store
from tests.builders import TEMPLATES, config_text

NOW = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALICE, BOB, CAROL = "alice@example.test", "bob@example.test", "carol@example.test"
DOWN = Receipt(State.PENDING, "mail.example.test:587: Connection refused")
NOBODY = Receipt(State.REFUSED, "RCPT: 550 no such user")
SPAM = Receipt(State.REFUSED, "the message: 554 looks like spam", content=True)
LOST = Receipt(State.UNKNOWN, "the connection was lost")
TAKEN = Receipt(State.SENT, "250 taken")
WORDS = (
    "amber", "basil", "cobalt", "dune", "ember", "fjord", "garnet", "hazel", "indigo", "jasper", "kelp", "lichen",
    "mango", "nickel", "onyx", "poppy", "quartz", "raven", "saffron", "topaz", "umber", "velvet", "willow", "zinc",
)  # fmt: skip


class World:
    """A digest, its database and its readers' mailboxes; `faults` say how the next attempts for a recipient end."""

    def __init__(self, folder: Path, to: Sequence[str] = (ALICE, BOB)) -> None:
        self.folder, self.now = folder, NOW
        path = folder / "feeds.yaml"
        path.write_text(config_text(["https://one.example.com/feed"], to), encoding="utf-8")
        self.settings = config.load(path)
        self.store = Store(folder / "monitor.db")
        self.faults: dict[str, Receipt] = {}
        self.arrives: Callable[[str], bool] = lambda _: False
        self.boxes: dict[str, list[Message]] = {}
        worker.meet_digests(self.settings, self.store, self.now)

    @property
    def plan(self) -> DigestPlan:
        """The digest."""
        return self.settings.digests[0]

    def to(self, *recipients: str, **changes: object) -> None:
        """Change the digest."""
        plan = replace(self.plan, to=recipients or self.plan.to, **changes)  # type: ignore[arg-type]
        self.settings = replace(self.settings, digests=(plan,))

    def news(self, number: int, title: str = "", outlet: str = "") -> str:
        """Let an item come in; return its address, which every mail that tells it holds."""
        word, other = WORDS[number % len(WORDS)], WORDS[(number * 7 + 5) % len(WORDS)]
        outlet = outlet or f"Outlet {number}"
        item = Item(
            "https://one.example.com/feed", f"{outlet} {number}", f"https://example.com/{outlet[-1]}{number}/",
            title or f"OpenAI and Microsoft: {word}{number} {other}{number} AGI", "", outlet, "en", self.now, self.now,
        )  # fmt: skip
        rules = self.settings.rules
        self.store.save_poll(FeedState(item.feed_url), [Judged(item, judge(item, rules))], (), rules_key(rules))
        return item.link

    def edition(self) -> tuple[Edition, list[Message]]:
        """Freeze an edition."""
        desk = press.Desk(TEMPLATES, "Monitor <monitor@example.test>")
        made = worker.digest(self.settings, self.plan, self.store, desk, self.now)
        assert made is not None
        return made

    def post(self) -> list[State]:
        """Deliver what is due; return how the attempts ended."""
        return [state for _, state, _ in worker.deliver(self.store, self, lambda: self.now)]

    def day(self, *numbers: int, **faults: Receipt) -> None:
        """Live through a day: news, an edition, and its mail, with `alice=`, `bob=` or `carol=` for faults."""
        for number in numbers:
            self.news(number)
        self.edition()
        self.faults = {f"{name}@example.test": fault for name, fault in faults.items()}
        self.post()
        self.now += DAY

    def open(self, recipient: str = "") -> None:
        """Nothing to open."""

    def __call__(self, message: Message) -> Receipt:
        """Put a message into its reader's mailbox, or not."""
        receipt = self.faults.get(message.recipient, TAKEN)
        if receipt is TAKEN or (receipt is LOST and self.arrives(message.recipient)):
            self.boxes.setdefault(message.recipient, []).append(message)
        return receipt

    def close(self) -> None:
        """Nothing to close."""

    def stop(self) -> None:
        """Nothing to stop."""

    def got(self, recipient: str) -> list[list[str]]:
        """Return the addresses in each mail that a reader got, in the order of the page."""
        return [links_of(message) for message in self.boxes.get(recipient, [])]

    def states(self, recipient: str) -> list[str]:
        """Return where each delivery to a reader stands, oldest first."""
        return [
            state
            for (state,) in self.ask(
                "SELECT state FROM deliveries JOIN messages ON messages.id = deliveries.message_id WHERE recipient = ?"
                " ORDER BY deliveries.id",
                recipient,
            )
        ]

    def ask(self, sql: str, *values: object) -> list[Any]:
        """Ask the database."""
        return self.store._conn.execute(sql, values).fetchall()


def text_of(message: Message) -> str:
    """The text part of a mail."""
    part = message_from_bytes(message.raw, policy=policy.default).get_body(("plain",))
    return str(part.get_content()) if part else ""


def links_of(message: Message) -> list[str]:
    """The addresses of reports in a mail, in the order of the page."""
    return re.findall(r"https://example\.com/\S+", text_of(message))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two readers."""
    made = World(tmp_path)
    yield made
    made.store.close()


# ---------------------------------------------------------------- nobody got it


def test_a_clock_that_runs_ahead_swallows_no_mail_that_waits(world: World) -> None:
    """By it all news is old, and a mail that took the old one over would not tell it."""
    world.day(1, alice=DOWN, bob=DOWN)
    world.now += 365 * DAY
    world.day(2, alice=DOWN, bob=DOWN)
    assert world.states(ALICE)[0] != State.MERGED
    world.now -= 366 * DAY
    world.day(3)
    assert sum(link == "https://example.com/11/" for mail in world.got(ALICE) for link in mail) == 1


def test_a_mail_that_reached_nobody_is_told_in_the_next_and_never_sent(world: World) -> None:
    """A mail server that was down on Monday does not bring two mails on Tuesday."""
    first, second = world.news(1), world.news(2)
    world.day(alice=DOWN, bob=DOWN)
    third = world.news(3)
    world.day()
    world.now += DAY
    world.post()
    for reader in (ALICE, BOB):
        [links] = world.got(reader)
        assert sorted(links) == sorted([first, second, third])
        assert world.states(reader) == ["merged", "sent"]
    assert world.store.troubled_deliveries() == []


def test_the_edition_stands_in_for_the_one_that_reached_nobody(world: World) -> None:
    """Window, list of editions, page and record are those of one edition; it is rendered again byte for byte."""
    world.day(1, 2, alice=DOWN, bob=DOWN)
    world.news(3)
    edition, messages = world.edition()
    assert (edition.since, edition.until) == (NOW - DAY, NOW + DAY)
    assert edition.total == 3
    [mailed] = world.store.mailed_editions()
    assert (mailed.id, mailed.stories, mailed.mails) == (2, 3, 2)
    assert [story.edition_id for story in world.store.kept_stories()] == [2, 2, 2]
    kept = world.store.kept_edition(2)
    assert kept is not None
    assert [again.raw for again in press.make_again(kept)] == [message.raw for message in messages]
    assert world.store.kept_edition(1) is None
    assert world.store.stood_in_for(1) == 2
    assert world.ask("SELECT DISTINCT edition_id FROM told") == [(2,)]
    assert [past.counts["agi"] for past in world.store.history("morning", NOW - DAY)] == [3]
    templates = resources.read_templates(TEMPLATES)
    assert archive.update(world.store, world.folder / "archive", templates, language="en", titles={}) == 1


@pytest.mark.parametrize(
    ("language", "notice"),
    [
        ("en", "This also holds what could not be delivered since 23 Nov 15:30."),
        ("zh", "本期另收录11月23日 15:30以来未能送达的内容。"),
    ],
)
def test_the_mail_says_so_in_the_readers_language_and_zone(world: World, language: str, notice: str) -> None:
    """A reader is told why the mail holds two days, and that none is missing."""
    world.to(language=language, timezone="Asia/Shanghai")
    world.day(1, alice=DOWN, bob=DOWN)
    world.day(2)
    for reader in (ALICE, BOB):
        assert f"! {notice}" in text_of(world.boxes[reader][0])
    world.day(3)
    assert notice not in text_of(world.boxes[ALICE][1])


def test_the_old_delivery_names_the_edition_that_holds_its_news(world: World) -> None:
    """Whoever looks into the database finds where it went, and what the server had said."""
    world.day(1, alice=DOWN, bob=DOWN)
    world.day(2)
    assert world.ask("SELECT DISTINCT detail, next_try FROM deliveries WHERE state = 'merged'") == [
        ("not sent any more: what it held is in edition 2; the last answer: " + DOWN.detail, None)
    ]


def test_without_news_the_old_mail_goes_on_being_tried(world: World) -> None:
    """A quiet day with `empty: skip` takes no mail back."""
    first = world.news(1)
    world.day(alice=DOWN, bob=DOWN)
    assert world.edition()[1] == []
    world.faults = {}
    assert world.post() == [State.SENT, State.SENT]
    assert world.got(ALICE) == [[first]]
    assert b"could not be delivered" not in world.boxes[ALICE][0].raw


def test_with_a_line_on_each_quiet_day_the_old_mail_is_in_it(world: World) -> None:
    """`empty: send` never brings yesterday's mail and today's side by side."""
    world.to(empty="send")
    first = world.news(1)
    world.day(alice=DOWN, bob=DOWN)
    world.day()
    assert world.got(ALICE) == [[first]]


def test_a_server_that_is_down_for_days_brings_one_mail(world: World) -> None:
    """Each edition takes over all before it."""
    for number in range(6):
        world.day(number, alice=DOWN, bob=DOWN)
    world.day(6)
    for reader in (ALICE, BOB):
        [links] = world.got(reader)
        assert len(set(links)) == 7
    assert len(world.store.mailed_editions()) == 1
    assert world.store.stood_in_for(1) == 7


def test_what_was_told_in_vain_and_is_reported_again_is_one_new_story(world: World) -> None:
    """For readers who have not seen Monday's, Tuesday's report is no update; for one who has, it is."""
    title = "Microsoft halts a data centre that OpenAI wanted"
    first = world.news(1, title, "Herald A")
    world.day(bob=DOWN)
    second = world.news(2, title, "Tribune B")
    world.day()
    assert world.got(ALICE) == [[first], [first, second]]  # an update: the story that it continues, and the new report
    assert "Updates to earlier stories" in text_of(world.boxes[ALICE][1])
    [mail] = world.boxes[BOB]
    assert sorted(links_of(mail)) == sorted([first, second])
    assert "Updates to earlier stories" not in text_of(mail)
    assert "1 new story from 2 reports" in text_of(mail)


def test_a_third_report_continues_the_merged_story(world: World) -> None:
    """The record of what was told is whole after a merge."""
    title = "Microsoft halts a data centre that OpenAI wanted"
    world.news(1, title, "Herald A")
    world.day(alice=DOWN, bob=DOWN)
    world.news(2, title, "Tribune B")
    world.day()
    world.news(3, title, "Courier C")
    edition, _ = world.edition()
    [update] = edition.updates
    assert update.continues is not None
    assert set(update.continues.outlets) == {"Herald A", "Tribune B"}
    assert edition.stories == ()


# ---------------------------------------------------------------- some got it


def test_who_missed_a_mail_gets_one_of_their_own_and_the_others_the_usual(world: World) -> None:
    """One mailbox that was full does not make everybody read Monday again."""
    first = world.news(1)
    world.day(bob=Receipt(State.PENDING, "RCPT: 452 mailbox full"))
    second = world.news(2)
    world.day()
    assert world.got(ALICE) == [[first], [second]]
    [links] = world.got(BOB)
    assert sorted(links) == sorted([first, second])
    assert "could not be delivered" not in text_of(world.boxes[ALICE][1])
    assert [edition.stories for edition in world.store.mailed_editions()] == [1, 1]
    kept = world.store.kept_edition(2)
    assert kept is not None
    assert [again.raw for again in press.make_again(kept)] == [message.raw for message in kept.messages]
    assert links_of(kept.messages[0]) == [second], "the archive shows what most readers got"


def test_each_gets_what_they_missed(world: World) -> None:
    """Three readers, three histories."""
    world.to(ALICE, BOB, CAROL)
    one, two, three = world.news(1), "", ""
    world.day(alice=DOWN)
    two = world.news(2)
    world.day(alice=DOWN, bob=DOWN)
    three = world.news(3)
    world.day()
    assert [sorted(links) for links in world.got(ALICE)] == [sorted([one, two, three])]
    assert [sorted(links) for links in world.got(BOB)] == [[one], sorted([two, three])]
    assert world.got(CAROL) == [[one], [two], [three]]


def test_an_edition_that_a_former_reader_has_stays_in_the_record(world: World) -> None:
    """It was told, though to nobody who is on the list now."""
    first = world.news(1)
    world.day(bob=DOWN)
    world.to(BOB)
    second = world.news(2)
    world.day()
    assert [sorted(links) for links in world.got(BOB)] == [sorted([first, second])]
    assert [edition.id for edition in world.store.mailed_editions()] == [1, 2]
    kept = world.store.kept_edition(2)
    assert kept is not None
    assert [again.raw for again in press.make_again(kept)] == [message.raw for message in kept.messages]
    templates = resources.read_templates(TEMPLATES)
    assert archive.update(world.store, world.folder / "archive", templates, language="en", titles={}) == 2


# ---------------------------------------------------------------- what is merged, and what is not


def test_what_may_have_arrived_keeps_its_own_attempts(world: World) -> None:
    """A connection lost after the message was handed over: the same mail again, and its news in no other."""
    first = world.news(1)
    world.day(alice=LOST, bob=LOST)
    second = world.news(2)
    world.day()
    assert world.got(ALICE) == [[first], [second]]
    assert world.states(ALICE) == ["sent", "sent"]


def test_what_was_once_in_doubt_is_never_merged(world: World) -> None:
    """A server that refuses the second attempt for now may have taken the first."""
    first = world.news(1)
    world.edition()
    world.faults = {ALICE: LOST, BOB: LOST}
    world.post()
    world.now += HOUR
    world.faults = {ALICE: DOWN, BOB: DOWN}
    assert world.post() == [State.PENDING, State.PENDING]
    world.now += DAY - HOUR
    second = world.news(2)
    world.day()
    assert world.got(ALICE) == [[first], [second]]


def test_a_message_that_was_refused_for_its_words_does_not_spoil_the_next(world: World) -> None:
    """What a spam filter refuses today it would refuse tomorrow."""
    world.day(1, alice=SPAM, bob=SPAM)
    second = world.news(2)
    world.day()
    assert world.got(ALICE) == [[second]]
    assert world.states(ALICE) == ["refused", "sent"]


def test_an_address_that_is_mended_gets_what_it_missed(world: World) -> None:
    """A typing error in a mail server's table, found on the third day."""
    links = [world.news(1)]
    world.day(bob=NOBODY)
    links.append(world.news(2))
    world.day(bob=NOBODY)
    links.append(world.news(3))
    world.day()
    assert [sorted(found) for found in world.got(BOB)] == [sorted(links)]
    assert world.states(BOB) == ["merged", "merged", "sent"]


def test_what_was_given_up_is_told_in_the_next(world: World) -> None:
    """A weekly digest whose server was down for days: given up, and not lost."""
    first = world.news(1)
    world.day(alice=DOWN, bob=DOWN)
    world.now += GIVE_UP
    world.faults = {ALICE: DOWN, BOB: DOWN}
    assert world.post() == [State.REFUSED, State.REFUSED]
    second = world.news(2)
    world.day()
    assert [sorted(links) for links in world.got(ALICE)] == [sorted([first, second])]


def test_an_address_that_failed_long_ago_is_not_owed_old_news(world: World) -> None:
    """Who is put on the list again after a month begins with today."""
    world.day(1, bob=NOBODY)
    world.to(ALICE)
    world.now += OWED_FOR
    world.to(ALICE, BOB)
    second = world.news(2)
    world.day()
    assert world.got(BOB) == [[second]]


@pytest.mark.parametrize("others", [(), (ALICE,)])
def test_a_mail_to_a_dead_address_does_not_grow_for_ever(world: World, others: tuple[str, ...]) -> None:
    """After half a month the oldest is let go; its mail says since when it covers."""
    world.to(BOB, *others)
    sizes = []
    for number in range(24):
        world.news(number)
        edition, messages = world.edition()
        sizes.append(len(set(links_of(next(m for m in messages if m.recipient == BOB)))))
        assert edition.until - edition.since <= worker.MERGED
        world.faults = {BOB: NOBODY}
        world.post()
        world.now += DAY
    assert sizes[:3] == [1, 2, 3]
    assert max(sizes) == worker.MERGED.days
    assert world.ask("SELECT count(*) FROM told") == [(24,)], "what is let go is settled all the same"


def test_a_preview_shows_what_the_mail_will_hold(world: World) -> None:
    """And merges nothing."""
    world.day(1, alice=DOWN, bob=DOWN)
    world.news(2)
    before = list(world.store._conn.iterdump())
    edition, _, _ = worker.next_edition(world.settings, world.plan, world.store, world.now)
    assert edition.total == 2
    assert list(world.store._conn.iterdump()) == before


def test_a_slot_that_was_frozen_takes_nothing_over(world: World) -> None:
    """Two wake-ups for one time: the second changes nothing."""
    world.day(1, alice=DOWN, bob=DOWN)
    desk = press.Desk(TEMPLATES, "Monitor <monitor@example.test>")
    for number, expected in ((2, True), (3, False)):
        world.news(number)
        made = worker.digest(world.settings, world.plan, world.store, desk, world.now, slot=NOW + DAY)
        assert (made is not None) is expected
    assert world.states(ALICE) == ["merged", "pending"]


def test_nothing_is_frozen_when_what_is_owed_was_sent_meanwhile(world: World) -> None:
    """Told twice would be worse than told a minute later."""
    world.day(1, alice=DOWN, bob=DOWN)
    world.news(2)
    edition, shares, owed = worker.next_edition(world.settings, world.plan, world.store, world.now)
    assert shares is not None
    [first, *_] = world.store.due_deliveries(world.now)
    world.store.begin_delivery(first, world.now)
    desk = press.Desk(TEMPLATES, "Monitor <monitor@example.test>")
    edition, rendered, frame = press.typeset(edition, desk)
    before = list(world.store._conn.iterdump())
    with pytest.raises(StoreError, match="changed while an edition was made"):
        world.store.freeze(edition, press.make_messages(edition, rendered, frame, "x"), frame, owed=owed)
    assert list(world.store._conn.iterdump()) == before


def test_a_database_of_before_knows_which_refusals_were_of_the_message(tmp_path: Path) -> None:
    """Only their words told then; the migration reads them."""
    with Store(tmp_path / "monitor.db") as store:
        for number in (1, 2):
            store._conn.execute(
                "INSERT INTO deliveries (id, state, detail, doubts) VALUES (?, 'refused', ?, 0)",
                (number, {1: "RCPT: 550 gone", 2: "the message: 554 spam"}[number]),
            )
        store._conn.commit()
    with closing(sqlite3.connect(tmp_path / "monitor.db")) as conn:
        conn.executescript(
            "DROP INDEX idx_deliveries_merged_into; DROP INDEX idx_deliveries_message_id;"
            "DROP INDEX idx_messages_edition_id;"
            "ALTER TABLE deliveries DROP COLUMN merged_into; ALTER TABLE deliveries DROP COLUMN content;"
            "ALTER TABLE messages DROP COLUMN kept; ALTER TABLE editions DROP COLUMN merged_into;"
            "DELETE FROM _sqlite_migrations WHERE name LIKE 'm009%'"
        )
    with Store(tmp_path / "monitor.db") as store:
        assert store._conn.execute("SELECT id, content FROM deliveries").fetchall() == [(1, 0), (2, 1)]


# ---------------------------------------------------------------- whatever happens


EDITIONS = st.frozensets(st.integers(1, 5))


@given(owed=st.dictionaries(st.sampled_from("abcdef"), EDITIONS), lost=EDITIONS)
def test_everybody_is_in_one_share_with_just_what_they_missed(owed: dict[str, frozenset[int]], lost: set[int]) -> None:
    """And an edition stands in for others only where nobody has them."""
    made = split("abcdef", [Owed(name, (), editions) for name, editions in owed.items()], lost)
    shares = dict.fromkeys(made.plain, made.whole) | {name: e for e, names in made.others for name in names}
    assert shares == {name: owed.get(name, frozenset()) for name in "abcdef"}
    assert made.whole <= lost
    assert sum(len(names) for _, names in made.others) + len(made.plain) == 6


class AnyFaults(RuleBasedStateMachine):
    """News, editions and deliveries in any order, with any faults: everything reaches every reader in one mail."""

    @initialize()
    def begin(self) -> None:
        """Three readers, and nothing told."""
        self.folder = TemporaryDirectory()
        self.world = World(Path(self.folder.name), (ALICE, BOB, CAROL))
        self.links: list[str] = []

    @rule(more=st.integers(1, 3))
    def news(self, more: int) -> None:
        """Items come in, each with an event of its own."""
        self.links += [self.world.news(len(self.links)) for _ in range(more)]

    @rule()
    def edition(self) -> None:
        """An edition is made some hours later."""
        self.world.now += 5 * HOUR
        self.world.edition()

    @rule(
        faults=st.lists(st.sampled_from([DOWN, LOST, TAKEN, NOBODY, DOWN, LOST, None, SPAM]), min_size=3, max_size=3),
        arrives=st.booleans(),
    )
    def post(self, faults: list[Receipt | None], arrives: bool) -> None:
        """What is due is tried; None: the program is killed while it sends."""
        world = self.world
        world.arrives = lambda _: arrives
        world.faults = {}
        for name, fault in zip((ALICE, BOB, CAROL), faults, strict=True):
            if fault is not None:
                world.faults[name] = fault
                continue
            for delivery in world.store.due_deliveries(world.now):
                if delivery.message.recipient == name:
                    world.store.begin_delivery(delivery, world.now)
                    if arrives:
                        world.boxes.setdefault(name, []).append(delivery.message)
        world.post()
        world.now += HOUR

    def teardown(self) -> None:
        """At last all is well again, and there is one more edition."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.faults = {}
        self.news(1)
        self.edition()
        while world.post():
            world.now += HOUR
        for reader in (ALICE, BOB, CAROL):
            self._check(reader)
        world.store.close()
        self.folder.cleanup()

    def _check(self, reader: str) -> None:
        world = self.world
        copies = Counter(message.message_id for message in world.boxes.get(reader, []))
        told = {message.message_id: links_of(message) for message in world.boxes.get(reader, [])}
        times = Counter(link for links in told.values() for link in set(links))
        assert max(times.values()) == 1, "told in two mails"
        for state, message_id, doubts, raw in world.ask(
            "SELECT state, messages.message_id, doubts, raw FROM deliveries JOIN messages ON messages.id ="
            " deliveries.message_id WHERE recipient = ?",
            reader,
        ):
            assert state in {"sent", "merged", "unknown", "refused"}
            assert copies[message_id] <= 1 + doubts
            assert (copies[message_id] == 0) if state == "merged" else True
            if state in {"unknown", "refused"}:  # not told again: it may be there, or was refused for its words
                for link in links_of(Message("", "", "", "", raw)):
                    times.setdefault(link, 0)
        assert set(self.links) == set(times), "never told"


TestAnyFaults = AnyFaults.TestCase
TestAnyFaults.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
