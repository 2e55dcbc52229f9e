"""What makes an entry the one that it was, whatever its feed does to it: each item is news once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from monitor import worker
from tests.feedserver import FeedServer
from tests.test_worker import CLAUSE, DAY, HALTED, HOUR, START, Office


@dataclass(frozen=True)
class E:
    """An entry as its feed writes it; what is empty is left out."""

    title: str = HALTED
    id: str = ""
    link: str = ""
    date: datetime | str | None = None
    summary: str = ""

    def __str__(self) -> str:
        date = format_datetime(self.date) if isinstance(self.date, datetime) else self.date
        parts = {"title": self.title, "guid": self.id, "link": self.link, "pubDate": date, "description": self.summary}
        return f"<item>{''.join(f'<{tag}>{text}</{tag}>' for tag, text in parts.items() if text)}</item>"


class Desk(Office):
    """An office with one feed, whose entries are written out."""

    def show(self, *entries: E, hours: float = 1, delta: bool = True) -> tuple[int, int]:
        """Let some time pass, show these entries and poll; return how many were new, and how many changed."""
        self.now += timedelta(hours=hours)
        if not delta and (states := self.store.feed_states()):
            [state] = states.values()
            self.store.save_poll(replace(state, seen=None if state.seen is None else b""))
        self.server.put("/one.xml", document(entries))
        [(result, new, changed, _)] = self.poll()
        assert result in ("ok", "unchanged")
        return new, changed

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Ask the database."""
        with closing(sqlite3.connect(self.store.path)) as conn:
            return conn.execute(sql).fetchall()


def document(entries: Sequence[E], head: str = "<title>One</title>") -> bytes:
    """An RSS document of these entries."""
    items = "\n".join(map(str, entries))
    text = f"<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel>{head}{items}</channel></rss>"
    return text.encode()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A worker's world that has seen one old entry of its feed."""
    with FeedServer() as server:
        made = Desk(tmp_path, server)
        made.show(OLD)
        yield made
        made.store.close()


OLD = E("The weather in Ohio", "old", "https://example.com/old", START - DAY / 2)
NEWS = E(HALTED, "halted", "https://example.com/halted", START + HOUR)
MORE = E(CLAUSE, "clause", "https://example.com/clause", START + 2 * HOUR)


# ---------------------------------------------------------------- ids and links


def test_an_entry_whose_id_changes_but_not_its_address_is_told_once(desk: Desk) -> None:
    """A feed that moves to https writes all of its ids anew."""
    assert desk.show(NEWS, OLD) == (1, 0)
    assert desk.told() == [HALTED]
    desk.show(replace(NEWS, id="https://halted"), OLD)
    assert desk.told() == []


def test_an_archive_that_gets_new_ids_is_no_news(desk: Desk) -> None:
    """What was there at first sight and never told must not be told because of that."""
    archive = [E(f"OpenAI and Microsoft, day {n}", f"http://{n}", f"https://example.com/{n}") for n in range(30)]
    desk.configure(["two"])
    desk.server.put("/two.xml", document(archive))
    assert desk.poll()[0][:2] == ("ok", 30)
    desk.now += HOUR
    desk.server.put("/two.xml", document([replace(one, id=one.id.replace("http", "https")) for one in archive]))
    desk.poll()
    assert desk.told() == []


def test_new_ids_of_an_entry_not_yet_told_tell_it_once(desk: Desk) -> None:
    """It changes twice before the next edition."""
    for number in range(3):
        desk.show(replace(NEWS, id=f"halted {number}"), OLD)
    assert [len(story.reports) for story in desk.digest()[0].stories] == [1]
    assert desk.told() == []


def test_a_headline_with_another_id_and_another_text_is_told(desk: Desk) -> None:
    """A page that is written anew each day has one address."""
    desk.show(replace(NEWS, id="1", title="Monday: the weather"), OLD)
    desk.show(replace(NEWS, id="2"), OLD)
    assert desk.told() == [HALTED]


@pytest.mark.parametrize("id_", ["", "halted"])
def test_tracking_parameters_that_change_make_no_new_entry(desk: Desk, id_: str) -> None:
    """Some feeds count each of their readers."""
    for number, new in ((1, 1), (2, 0), (3, 0)):
        tracked = f"https://Example.com/halted?utm_source=rss{number}&amp;a=1#{number}"
        assert desk.show(replace(NEWS, id=id_, link=tracked), OLD) == (new, 0)
    assert desk.rows("SELECT link FROM items WHERE title LIKE 'Microsoft%'") == [("https://example.com/halted?a=1",)]
    assert desk.told() == [HALTED]


def test_an_entry_without_id_and_link_is_known_by_title_and_date(desk: Desk) -> None:
    """Its summary may change."""
    bare = E(HALTED, date=START, summary="Before.")
    assert desk.show(bare, OLD) == (1, 0)
    assert desk.show(replace(bare, summary="After."), OLD) == (0, 1)
    assert desk.show(replace(bare, date=START + HOUR), bare, OLD) == (1, 1)
    assert len(desk.rows("SELECT 1 FROM items")) == 3


# ---------------------------------------------------------------- one id for all


def same(*numbers: int) -> list[E]:
    """Entries that all have one guid."""
    return [
        E(f"Microsoft and OpenAI sign contract number {n}", "same", f"https://example.com/{n}", START + n * HOUR / 10)
        for n in numbers
    ]


@pytest.mark.parametrize("delta", [True, False])
@pytest.mark.parametrize(
    "windows",
    [
        ([1], [2, 1], [3, 2, 1], [4, 3, 2]),
        ([2, 1], [3, 2, 1], [4, 3, 2], [4]),
        ([2, 1], [3, 2], [3], [4, 3]),
        ([2, 1], [2], [3], [4], [3]),
        ([1], [3, 2], [1], [4, 1], [4, 3, 2, 1]),
    ],
)
def test_each_entry_of_a_feed_that_writes_one_guid_into_all_is_new_once(
    tmp_path: Path, windows: tuple[list[int], ...], *, delta: bool
) -> None:
    """However many of them it shows at a time, and also if it had only one at first."""
    with FeedServer() as server:
        desk = Desk(tmp_path, server)
        seen: set[int] = set()
        for window in windows:
            new, _ = desk.show(*same(*window), delta=delta)
            assert new == len(set(window) - seen), window
            seen |= set(window)
        titles = [title for (title,) in desk.rows("SELECT title FROM items ORDER BY title")]
        assert titles == sorted(one.title for one in same(*seen))
        edition, _ = desk.digest()
        told = [report.item.title for story in edition.stories for report in story.reports]
        assert sorted(told) == titles
        desk.store.close()


def test_two_versions_of_one_entry_in_one_document_are_one_item(desk: Desk) -> None:
    """The first counts, now and at the next poll."""
    newer = replace(NEWS, title=f"{HALTED}, again")
    assert desk.show(newer, NEWS, OLD) == (1, 0)
    assert desk.show(MORE, newer, NEWS, OLD) == (1, 0)
    assert desk.show(newer, NEWS, OLD) == (0, 0)
    assert desk.told() == sorted([newer.title, CLAUSE])


# ---------------------------------------------------------------- edits


def test_an_edited_title_updates_the_item_and_is_never_told_twice(desk: Desk) -> None:
    """It is judged again: what it was a hit by may be gone."""
    desk.show(NEWS, OLD)
    assert desk.told() == [HALTED]
    assert desk.show(replace(NEWS, title="Microsoft waits for OpenAI"), OLD) == (0, 1)
    assert desk.told() == []
    assert desk.show(replace(NEWS, title="It is over"), OLD) == (0, 1)
    assert desk.rows("SELECT title, covered FROM items JOIN verdicts ON item_id = id WHERE key = 'halted'") == [
        ("It is over", 0)
    ]


@pytest.mark.parametrize(("days", "told"), [(1, [HALTED]), (6, [HALTED]), (8, [])])
def test_an_edit_that_makes_a_hit_is_told_once_while_the_item_is_young(desk: Desk, days: int, told: list[str]) -> None:
    """For a week."""
    desk.show(replace(NEWS, title="Something happens"), OLD)
    assert desk.told() == []
    assert desk.show(NEWS, OLD, hours=24 * days) == (0, 1)
    assert desk.told() == told
    assert desk.show(replace(NEWS, summary="More."), OLD) == (0, 1)
    assert desk.told() == []


# ---------------------------------------------------------------- dates


@pytest.mark.parametrize(
    "date",
    [START + 30 * DAY, "Thu, 01 Jan 1970 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "soon", None],
)
def test_a_date_that_cannot_be_falls_back_to_when_it_was_first_seen(desk: Desk, date: datetime | str | None) -> None:
    """And sorts by that among the others."""
    desk.show(MORE, replace(NEWS, date=date), OLD, hours=3)
    first_seen = desk.now
    desk.show(MORE, replace(NEWS, date=date, summary="Edited."), OLD)
    hits = desk.store.untold_hits("morning")
    assert [hit.item.key for hit in hits] == ["clause", "halted"]
    assert [hit.item.published for hit in hits] == [MORE.date, first_seen]
    assert desk.told() == sorted([HALTED, CLAUSE])


@pytest.mark.parametrize("date", [START + 60 * DAY, "Thu, 01 Jan 1970 00:00:00 GMT", START - 40 * DAY])
def test_an_entry_that_is_dated_anew_is_no_news(desk: Desk, date: datetime | str) -> None:
    """Neither new nor edited, and its place in time stays."""
    desk.show(NEWS, OLD)
    assert desk.told() == [HALTED]
    assert desk.show(replace(NEWS, date=date), OLD) == (0, 0)
    assert desk.told() == []
    assert desk.rows("SELECT published FROM items WHERE key = 'halted'") == [("2026-11-24T06:30:00.000000Z",)]


# ---------------------------------------------------------------- archives


@pytest.mark.parametrize(("dates", "news"), [("spread", 24), ("today", 50), ("none", 0)])
def test_an_archive_at_first_sight_floods_nobody(tmp_path: Path, dates: str, news: int) -> None:
    """Of 1,200 entries the last day at most, 50 of it at most; then the one that comes on top."""
    apart = {"spread": HOUR, "today": HOUR / 60, "none": None}[dates]

    def date(number: int) -> datetime | None:
        return START - number * apart if apart else None

    archive = [E(f"Microsoft and OpenAI {n}", f"a{n}", f"https://example.com/{n}", date(n)) for n in range(1200)]
    with FeedServer() as server:
        desk = Desk(tmp_path, server)
        assert desk.show(*archive, hours=0) == (1200, 0)
        hits = desk.store.untold_hits("morning")
        assert len(hits) in (news, news + 1)
        assert {hit.item.key for hit in hits} == {f"a{n}" for n in range(len(hits))}
        desk.digest()
        top = replace(NEWS, date=date(-1))
        assert desk.show(top, *archive) == (1, 0)
        assert [hit.item.key for hit in desk.store.untold_hits("morning")] == ["halted"]
        desk.store.close()


# ---------------------------------------------------------------- away and back


@pytest.mark.parametrize("without", [(OLD,), ()])
def test_an_entry_that_leaves_and_comes_back_is_no_news(desk: Desk, without: tuple[E, ...]) -> None:
    """Also where the feed was empty in between."""
    desk.show(NEWS, OLD)
    assert desk.told() == [HALTED]
    assert desk.show(*without) == (0, 0)
    assert desk.show(NEWS, OLD) == (0, 0)
    assert desk.show(MORE, NEWS, OLD) == (1, 0)
    assert desk.told() == [CLAUSE]
    assert desk.store.feed_states()[desk.server.url("/one.xml")].gaps == ()


@pytest.mark.parametrize("form", ["whitespace", "utf-16", "gb18030", "order", "CRLF", "head"])
def test_the_same_entries_written_otherwise_are_neither_new_nor_edited(desk: Desk, form: str) -> None:
    """Whitespace, encoding and order are no words."""
    zh = E("微软与 OpenAI 分手", "zh", "https://example.com/zh", START + HOUR, "算力 不够")
    desk.show(zh, NEWS, OLD)
    body = document([OLD, zh, NEWS] if form == "order" else [zh, NEWS, OLD])
    text = body.decode()
    again = {
        "whitespace": lambda: text.replace("<", "\n  <").replace("</", "  </").encode(),
        "utf-16": lambda: text.replace("utf-8", "utf-16").encode("utf-16"),
        "gb18030": lambda: text.replace("utf-8", "gb18030").encode("gb18030"),
        "order": lambda: body,
        "CRLF": lambda: text.replace("\n", "\r\n").encode(),
        "head": lambda: document([zh, NEWS, OLD], "<title>One</title><lastBuildDate>today</lastBuildDate>"),
    }[form]()
    desk.server.put("/one.xml", again)
    [(result, new, changed, _)] = desk.poll()
    assert result in ("ok", "unchanged")
    assert (new, changed) == (0, 0)
    assert len(desk.rows("SELECT 1 FROM items")) == 3


def test_what_was_forgotten_and_returns_is_no_news(desk: Desk) -> None:
    """Even with another headline, or another id."""
    desk.show(NEWS, OLD)
    assert desk.told() == [HALTED]
    desk.now += 400 * DAY
    assert worker.tidy(desk.settings, desk.store, desk.now) == 2
    assert desk.show(NEWS, OLD) == (0, 0)
    assert desk.show(replace(NEWS, title="OpenAI leaves Microsoft"), OLD) == (0, 1)
    desk.show(replace(NEWS, id="another"), OLD)
    assert desk.told() == []


def test_what_was_forgotten_is_neither_found_nor_told_however_it_comes_back(desk: Desk) -> None:
    """Under its id, under another one, at https instead of http; and the search has forgotten it, too."""
    plain = replace(NEWS, link=NEWS.link.replace("https://", "http://"))
    desk.show(plain, OLD)
    assert desk.told() == [HALTED]
    worker.index(desk.store)
    assert desk.rows("SELECT 1 FROM items_fts WHERE items_fts MATCH 'microsoft'")
    desk.now += 400 * DAY
    worker.tidy(desk.settings, desk.store, desk.now)
    for again in (plain, NEWS):
        assert desk.show(again, OLD) == (0, 0)
        worker.index(desk.store)
        assert desk.rows("SELECT 1 FROM items_fts WHERE items_fts MATCH 'microsoft'") == []
    assert set(desk.rows("SELECT title, summary, words FROM items")) == {("", "", "")}
    for again in (replace(plain, id="another"), replace(NEWS, id="a third")):
        desk.show(again, OLD)
        assert desk.told() == []


def test_a_feed_without_dates_that_moved_on_between_two_polls_has_a_gap(desk: Desk) -> None:
    """Nothing of the document before is left."""
    desk.configure(["two"])
    for day in "abc":
        desk.now += HOUR
        entries = [E(f"Title {day}{n}", f"{day}{n}", f"https://example.com/{day}{n}", None) for n in range(3)]
        desk.server.put("/two.xml", document(entries))
        desk.poll()
    assert desk.store.feed_states()[desk.server.url("/two.xml")].gaps == (desk.now - HOUR, desk.now)


def test_impossible_dates_stay_so_while_nothing_new_comes(desk: Desk) -> None:
    """An old entry that goes must not make a feed's dates sound."""
    strange = [E(f"Title {n}", f"{n}", f"https://example.com/{n}", START + (60 + n) * DAY) for n in range(4)]
    found = []
    for left in (4, 3, 2):
        desk.show(*strange[:left])
        state = desk.store.feed_states()[desk.server.url("/one.xml")]
        found.append((state.odd, state.odd_polls))
    assert [odd for odd, _ in found] == ["future"] * 3
    assert len({polls for _, polls in found}) == 1  # nothing new was said of its dates


# ---------------------------------------------------------------- what a review found


@pytest.mark.parametrize("delta", [True, False])
def test_a_site_that_goes_to_https_brings_nothing_new(desk: Desk, delta: bool) -> None:
    """Without ids the addresses are what entries are known by, and all of them change at once."""
    entries = [E(f"Title {n}", "", f"http://example.com/{n}", START - n * HOUR) for n in range(4)]
    desk.show(*entries)
    moved = [replace(entry, link=entry.link.replace("http:", "https:")) for entry in entries]
    desk.now += HOUR
    desk.server.put("/one.xml", document([E("Fresh", "", "https://example.com/new", desk.now), *moved]))
    desk.poll()
    told = [judged.item.title for judged in desk.store.untold_hits("morning") if judged.item.link.startswith("https")]
    news = {i.title for i in desk.store.items_since(START - 2 * DAY).values() if not i.backlog and i.link[4] == "s"} - {
        OLD.title
    }
    assert news == {"Fresh"}
    assert not set(told) - {"Fresh"}


def test_a_search_that_was_long_empty_tells_its_first_find(desk: Desk) -> None:
    """It was known to have nothing: what comes now is news, dated or not."""
    desk.configure(["two"])
    for number in range(5):
        desk.server.put("/two.xml", document([replace(NEWS, date=None)] if number == 4 else []))
        desk.poll()
        desk.now += DAY
    [backlog] = desk.rows("SELECT backlog FROM items WHERE feed_url LIKE '%two.xml'")
    assert backlog == (0,)


def test_one_odd_date_among_many_is_counted_once(desk: Desk) -> None:
    """Polls that bring nothing new say nothing of a feed's dates."""
    sound = [E(f"Title {n}", f"{n}", f"https://example.com/{n}", START - n * HOUR) for n in range(10)]
    desk.show(*sound)
    odd = E("Odd", "odd", "https://example.com/odd", START + 9 * DAY)
    for number in range(5):
        desk.now += HOUR
        desk.server.put("/one.xml", document([odd, *sound]).replace(b"</channel>", b"<!-- %d --></channel>" % number))
        desk.poll()
    state = desk.store.feed_states()[desk.server.url("/one.xml")]
    assert (state.odd, state.odd_polls) == ("future", 1)


def test_a_feed_that_stops_dating_its_entries_is_not_stale(desk: Desk) -> None:
    """What is not dated is as old as its first sight."""
    desk.show(OLD)
    desk.now += 70 * DAY
    desk.show(replace(MORE, date=None), OLD)
    state = desk.store.feed_states()[desk.server.url("/one.xml")]
    assert state.newest == desk.now
