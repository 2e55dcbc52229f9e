"""Real feeds over days and weeks: what is new, edited, back or missed, against a reckoning by feedparser alone.

The documents are other people's and not part of the repository. They are looked for in `series` beside the folder that
MONITOR_TEST_FEEDS names, or in `../shared/feeds/series` beside the checkout; without them these tests are skipped.
"""

from __future__ import annotations

import html
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest

from monitor import config, taking, worker
from monitor.feeds.normalise import clean_link
from monitor.model import FeedState, Item, Outcome, Verdict
from monitor.store import Store
from tests.builders import ROOT, config_text
from tests.feedserver import FeedServer

CAPTURED = Path(os.environ.get("MONITOR_TEST_FEEDS") or ROOT.parent / "shared" / "feeds" / "captured")
FOLDER = CAPTURED.parent / "series"
NAMES = sorted(path.name for path in FOLDER.iterdir()) if FOLDER.is_dir() else []
pytestmark = pytest.mark.skipif(not NAMES, reason=f"no series of feeds in {FOLDER} (beside MONITOR_TEST_FEEDS)")


@dataclass
class Step:
    """One document of a series: what feedparser sees in it, and what it should come to."""

    now: datetime
    body: bytes
    entries: dict[str, tuple[str, str]]
    new: set[str] = field(default_factory=set)
    edited: set[str] = field(default_factory=set)
    back: set[str] = field(default_factory=set)
    alone: bool = False
    """No entry of it was in the document before."""
    young: set[str] = field(default_factory=set)
    """Dated within the last day."""


def reckon(series: str) -> list[Step]:
    """Go through a series with feedparser and a dictionary of everything ever seen."""
    seen: dict[str, tuple[str, str]] = {}
    before: set[str] = set()
    steps = []
    for path in sorted((FOLDER / series).iterdir()):
        now = datetime.strptime(path.stem, "%Y-%m-%dT%H%M%SZ").replace(tzinfo=UTC)
        body = path.read_bytes()
        found = feedparser.parse(body).entries
        step = Step(now, body, {key_of(e): (words(e.get("title")), words(e.get("summary"))) for e in found})
        assert len(step.entries) == len(found)
        step.new = step.entries.keys() - seen.keys()
        step.edited = {key for key, said in step.entries.items() if seen.get(key, said) != said}
        step.back = (step.entries.keys() & seen.keys()) - before
        step.alone = bool(before) and bool(step.entries) and not before & step.entries.keys()
        day_ago = (now - timedelta(days=1)).timetuple()
        step.young = {key_of(e) for e in found if tuple(e["published_parsed"]) >= tuple(day_ago)}
        seen |= step.entries
        before = set(step.entries) or before
        steps.append(step)
    return steps


def key_of(entry: Any) -> str:
    """Name an entry: id, else link, else title and date."""
    return str(entry.get("id") or clean_link(entry.get("link", "")) or entry.get("title", "") + entry["published"])


def words(markup: str | None) -> str:
    """Take tags and entities out of a text in the simplest way."""
    return "".join(html.unescape(re.sub(r"<[^>]*>", "", markup or "")).split())


class Replay:
    """A series as the worker takes it in, step by step."""

    def __init__(self, folder: Path, server: FeedServer, steps: list[Step], *, delta: bool = True) -> None:
        self.steps, self.server, self.delta = steps, server, delta
        (folder / "feeds.yaml").write_text(config_text([server.url("/series")]), encoding="utf-8")
        self.settings = config.load(folder / "feeds.yaml")
        self.database = folder / "monitor.db"
        self.store = Store(self.database)

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    @property
    def state(self) -> FeedState:
        """What the last poll left."""
        return self.store.feed_states()[self.server.url("/series")]

    def poll(self, step: Step) -> Outcome:
        """Take in one document at its own time."""
        if not self.delta and self.store.feed_states():
            self.store.save_poll(replace(self.state, seen=None))
        self.server.put("/series", step.body)
        [outcome] = worker.poll(self.settings, self.store, lambda: step.now, everything=True, processes=1)
        return outcome

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with closing(sqlite3.connect(self.database)) as conn:
            return conn.execute(sql, values).fetchall()

    def everything(self) -> list[list[tuple[Any, ...]]]:
        """All that is kept of items and what was said of them."""
        return [
            self.rows(f"SELECT * FROM {table} ORDER BY 1, 2")
            for table in ("items", "verdicts", "item_themes", "evidence")
        ]


@pytest.fixture
def server() -> Iterator[FeedServer]:
    """A server for the series."""
    with FeedServer() as running:
        yield running


@pytest.mark.parametrize("series", NAMES)
def test_each_document_of_a_series_brings_what_is_new_and_edited_and_nothing_else(
    tmp_path: Path, server: FeedServer, series: str
) -> None:
    """Nothing is lost, nothing comes twice, what was away and is back is no news."""
    steps = reckon(series)
    seen: set[str] = set()
    with Replay(tmp_path, server, steps) as replay:
        for step in steps:
            outcome = replay.poll(step)
            when = step.now.isoformat()
            if not step.entries:
                assert outcome.result == "failed", when
                continue
            assert outcome.result == "ok", when
            assert (outcome.entries, outcome.new, outcome.changed) == (
                len(step.entries),
                len(step.new),
                len(step.edited),
            ), when
            at = step.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            fresh = [key for (key,) in replay.rows("SELECT key FROM items WHERE first_seen = ?", at)]
            assert sorted(fresh) == sorted(step.new), when
            assert not step.back & set(fresh), when
            kept = {key: words(title) for key, title in replay.rows("SELECT key, title FROM items")}
            assert {key: kept[key] for key in step.entries} == {
                key: re.sub(r"\s", "", title) for key, (title, _) in step.entries.items()
            }, when
            seen |= step.new
        assert {key for (key,) in replay.rows("SELECT key FROM items")} == seen
        assert replay.store.counts()["items"] == len(seen)


@pytest.mark.parametrize("series", NAMES)
def test_delta_parsing_changes_nothing_in_what_is_kept(tmp_path: Path, server: FeedServer, series: str) -> None:
    """Whole documents parsed at each step leave the same items and verdicts."""
    steps = reckon(series)
    kept = []
    for delta in (True, False):
        (tmp_path / str(delta)).mkdir()
        with Replay(tmp_path / str(delta), server, steps, delta=delta) as replay:
            for step in steps:
                replay.poll(step)
            kept.append((replay.everything(), replay.state.gaps, replay.state.newest, replay.state.newest_key))
    assert kept[0] == kept[1]


@pytest.mark.parametrize("series", NAMES)
def test_what_editions_tell_of_a_series_is_each_item_once(
    tmp_path: Path, server: FeedServer, series: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were everything a hit: the first day at first sight, then all that is new, in the edition after it."""

    def hit(item: Item, *_: object) -> Verdict:
        return Verdict(True, (("agi", 1.0),), 1.0)

    monkeypatch.setattr(taking, "judge", hit)
    steps = reckon(series)
    told: Counter[int] = Counter()
    with Replay(tmp_path, server, steps) as replay:
        replay.store.meet_digests(["morning"], steps[0].now, timedelta(days=1))
        first = True
        for step in steps:
            replay.poll(step)
            due = {hit.id: hit.item.key for hit in replay.store.untold_hits("morning")}
            assert set(due.values()) == (step.new & step.young if first else step.new), step.now
            made = worker.make_edition(replay.settings, replay.settings.digests[0], replay.store, step.now)
            shown = [report.id for story in made.stories + made.updates for report in story.reports]
            told.update(shown)
            # What goes on with a story that this outlet told is settled unshown.
            assert sorted([*shown, *made.passed]) == sorted(due), step.now
            replay.store.freeze(made, [])
            assert replay.store.untold_hits("morning") == []
            first = first and not step.entries
    assert told
    assert set(told.values()) == {1}


@pytest.mark.parametrize("series", NAMES)
def test_a_window_gap_is_noted_where_no_entry_was_seen_before(tmp_path: Path, server: FeedServer, series: str) -> None:
    """A step that has nothing in common with the one before; an entry that is back hides it."""
    steps = reckon(series)
    with Replay(tmp_path, server, steps) as replay:
        gaps: list[datetime] = []
        for step in steps:
            replay.poll(step)
            gaps = [at for at in gaps if step.now - at <= timedelta(days=7)]
            if step.alone and not step.back:
                gaps.append(step.now)
            assert list(replay.state.gaps) == (gaps if step.entries else []), step.now
