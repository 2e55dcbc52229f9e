"""Real feeds, where they are to be had: every entry that feedparser sees is stored, clean and dated.

The documents are other people's and not part of the repository. They are looked for in MONITOR_TEST_FEEDS, or in
`../shared/feeds/captured` beside the checkout; without them these tests are skipped.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import feedparser
import pytest

from monitor import config, worker
from monitor.model import Outcome
from monitor.settings import Settings
from monitor.store import Store
from tests.builders import ROOT, config_text
from tests.feedserver import FeedServer

FOLDER = Path(os.environ.get("MONITOR_TEST_FEEDS") or ROOT.parent / "shared" / "feeds" / "captured")
NOW = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no captured feeds in {FOLDER} (MONITOR_TEST_FEEDS)")


class Polled:
    """All feeds of the folder, served and polled twice."""

    def __init__(self, server: FeedServer, folder: Path) -> None:
        self.documents = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir())}
        self.server = server
        for name, body in self.documents.items():
            server.put(f"/{name}", body, headers={"ETag": f'"{name}"', "Content-Type": "text/xml"})
        (folder / "feeds.yaml").write_text(
            config_text([server.url(f"/{name}") for name in self.documents]), encoding="utf-8"
        )
        self.database = folder / "monitor.db"
        settings = config.load(folder / "feeds.yaml")
        with Store(self.database) as store:
            self.first, self.second = (self._poll(settings, store) for _ in range(2))

    @staticmethod
    def _poll(settings: Settings, store: Store) -> list[Outcome]:
        return worker.poll(settings, store, lambda: NOW, everything=True)

    def rows(self, sql: str, *values: str) -> list[tuple[str, ...]]:
        """Ask the database."""
        with closing(sqlite3.connect(self.database)) as conn:
            return conn.execute(sql, values).fetchall()


@pytest.fixture(scope="module")
def polled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Polled]:
    """One run for all tests."""
    with FeedServer() as server:
        yield Polled(server, tmp_path_factory.mktemp("captured"))


def test_all_feeds_answer_and_no_entry_is_lost(polled: Polled) -> None:
    """Compared by id with what feedparser itself yields."""
    assert {outcome.result for outcome in polled.first} == {"ok"}
    assert len(polled.first) == len(polled.documents)
    for name, body in polled.documents.items():
        entries = feedparser.parse(body).entries
        keys = {
            key for (key,) in polled.rows("SELECT key FROM items WHERE feed_url = ?", polled.server.url(f"/{name}"))
        }
        assert {entry.id for entry in entries if entry.get("id")} <= keys, name
        assert len(keys) == len(entries), name


def test_a_second_poll_asks_conditionally_and_finds_nothing_new(polled: Polled) -> None:
    """If-None-Match on each, 304 from each."""
    assert {(outcome.result, outcome.new) for outcome in polled.second} == {("unchanged", 0)}
    again = polled.server.requests[len(polled.documents) :]
    assert len(again) == len(polled.documents)
    assert all("if-none-match" in request.headers for request in again)


def test_texts_are_plain_and_dates_plausible(polled: Polled) -> None:
    """No markup, no entities, nothing from the future."""
    for title, summary, published in polled.rows("SELECT title, summary, published FROM items"):
        assert not re.search(r"</?(?:p|a|div|span|br|img|b|i)\b|&(?:amp|lt|gt|quot|nbsp|#\d+);", title + summary), title
        assert "1995" < published <= "2026-11-24T05:30:00.000000Z"
    [(undated, total)] = polled.rows("SELECT sum(NOT dated), count(*) FROM items")
    assert int(undated) <= int(total) / 50  # the pages of some blogs are dated `01 Jan 0001`


def test_chinese_is_readable_whatever_its_encoding(polled: Polled) -> None:
    """Most letters of the Chinese feeds' titles are Han, and none is a replacement character."""
    titles = "".join(title for (title,) in polled.rows("SELECT title FROM items WHERE feed_url LIKE '%/zh-%'"))
    assert "\ufffd" not in titles
    assert len(re.findall(r"[\u4e00-\u9fff]", titles)) > 0.4 * len(titles)
