"""The archive in Datasette: it finds the index by itself, shows what the metadata allows, and nothing else."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor import resources
from monitor.model import FeedState, Judged, Verdict
from monitor.store import FILE_NAME, Store
from tests.builders import ROOT
from tests.test_export import tell
from tests.test_search import NOW, STORED, an_item, stored

pytest.importorskip("datasette", reason="datasette is not installed")

PASSWORD = "pass-of-a-feed"
METADATA = json.loads(resources.datasette())
TABLES = METADATA["databases"]["monitor"]["tables"]
OPEN = {name for name, table in TABLES.items() if table.get("allow") is not False}


@contextmanager
def datasette(*words: str) -> Iterator[str]:
    """Serve; return the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "datasette", "serve", "--port", str(port), *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


def get(address: str, path: str, **query: str) -> tuple[int, str]:
    """Ask for a page; return status and text."""
    try:
        with urllib.request.urlopen(f"{address}{path}?{urllib.parse.urlencode(query)}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.read().decode()


def rows(address: str, path: str, **query: str) -> list[dict[str, Any]]:
    """Ask for rows."""
    status, text = get(address, f"{path}.json", _shape="array", **query)
    assert status == 200, text
    found: list[dict[str, Any]] = json.loads(text)
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an edition of two stories, and a feed whose address has a password."""
    folder = tmp_path_factory.mktemp("data")
    with Store(folder / FILE_NAME) as store:
        store.meet_digests(["morning"], NOW, timedelta(days=60))
        store.save_poll(FeedState(f"https://user:{PASSWORD}@feed.example.com/rss"), stored(*STORED))
        store.note("second opinion", f"note with {PASSWORD}", NOW)
        tell(store, store.untold_hits("morning"))
        store.index_words()
    return folder


@pytest.fixture(scope="module")
def served(data: Path) -> Iterator[str]:
    """The archive as docs/archive.md has it served, while a worker has the database open."""
    file = data / "datasette.json"
    file.write_text(resources.datasette(), "utf-8")
    with Store(data / FILE_NAME), datasette(str(data / FILE_NAME), "--metadata", str(file)) as address:
        yield address


@pytest.mark.parametrize(
    ("typed", "numbers"),
    [
        ("算力", [2]), ("数据中心", [2]), ("delaying companies", [1]), ('"data center"', [1]), ("技术 OpenAI", []),
        ("Wire", [4, 1]), ("GPT-4", []),
    ],
)  # fmt: skip
def test_the_box_of_the_archive_searches(served: str, typed: str, numbers: list[int]) -> None:
    """Chinese words, English inflections, phrases; the newest first."""
    assert [row["number"] for row in rows(served, "/monitor/archive", _search=typed)] == numbers


def test_the_hits_have_themes_to_choose_by(served: str) -> None:
    """Facets of themes, outlets, languages and days, as the metadata asks for them."""
    status, text = get(served, "/monitor/hits.json")
    facets = json.loads(text)["facet_results"]
    assert status == 200
    assert {one["value"] for one in facets["themes"]["results"]} == {"agi", "compute"}
    assert {"outlet", "language", "published"} <= set(facets)
    assert [row["number"] for row in rows(served, "/monitor/hits", themes__arraycontains="agi")] == [2]


@pytest.mark.parametrize(
    ("query", "parameters", "first"),
    [
        ("search", {"text": "通用人工智能"}, {"number": 2}),
        ("search", {"text": ' 数据中心停工  OpenAI "Wire'}, None),
        ("search", {"text": "微软与OpenAI争夺"}, {"number": 2}),
        ("search", {"text": ""}, None),
        ("search", {"text": "delaying   company"}, {"number": 1}),
        ("edition", {"edition": "1"}, {"place": 1, "title": STORED[0][0], "reports": 1}),
        ("theme_by_week", {"theme": "agi"}, {"theme": "agi", "hits": 1}),
        ("theme_by_week", {"theme": ""}, {"hits": 1}),
        ("outlets", {"days": "99999"}, {"hits": 1}),
        ("outlets", {"days": ""}, {}),
    ],
)
def test_the_queries_answer(served: str, query: str, parameters: dict[str, str], first: dict[str, Any] | None) -> None:
    """Whatever is typed into their forms."""
    found = rows(served, f"/monitor/{query}", **parameters)
    if first is None:
        assert found == []
    else:
        assert not first or {name: found[0][name] for name in first} == first


def test_no_table_lacks_a_decision_whether_it_may_be_seen(data: Path) -> None:
    """A table that a migration adds is named in the metadata, or this fails; open are the views alone."""
    with closing(sqlite3.connect(data / FILE_NAME)) as conn:
        made = dict(conn.execute("SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')").fetchall())
    made.pop("sqlite_sequence", None)
    assert set(made) == set(TABLES)
    assert {name for name, kind in made.items() if kind == "view"} == OPEN


def test_described_columns_exist(data: Path) -> None:
    """And what is sorted or counted by."""
    with Store(data / FILE_NAME) as store:
        for name in OPEN:
            cursor = store._conn.execute(f"SELECT * FROM {name}")
            columns = {column[0] for column in cursor.description}
            facets = {next(iter(f.values())) if isinstance(f, dict) else f for f in TABLES[name]["facets"]}
            named = {*TABLES[name]["columns"], *TABLES[name].get("sortable_columns", []), *facets}
            assert named <= columns, name


@pytest.mark.parametrize("table", sorted(set(TABLES) - OPEN))
def test_what_holds_addresses_and_mails_is_closed(served: str, table: str) -> None:
    """As a page, as rows, and by a row's number."""
    assert get(served, f"/monitor/{table}")[0] == 403
    assert get(served, f"/monitor/{table}.json")[0] == 403
    assert get(served, f"/monitor/{table}/1.json")[0] in (403, 404)


def test_nobody_can_ask_around_the_metadata(served: str) -> None:
    """Neither by SQL nor by a condition, nor is a secret on any page."""
    assert get(served, "/monitor.json", sql="select * from messages")[0] == 403
    assert get(served, "/monitor/archive.json", _where="1 in (select 1 from messages)")[0] in (400, 403)
    assert get(served, "/")[0] == 403
    pages = [get(served, path)[1] for path in ("/monitor", *(f"/monitor/{name}" for name in OPEN))]
    for page in pages:
        assert PASSWORD not in page
        assert "@example.test" not in page
    assert get(served, f"/{FILE_NAME}")[0] in (403, 404)


@pytest.fixture(scope="module")
def served_under_other_names(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A copy of another name beside a changeable `monitor`, and both open to joins, as nobody should serve them."""
    file = tmp_path_factory.mktemp("copy") / "past.db"
    metadata = file.with_name("datasette.json")
    metadata.write_text(resources.datasette(), "utf-8")
    with Store(data / FILE_NAME) as store:
        store._conn.execute("VACUUM INTO ?", (str(file),))
    with datasette("-i", str(file), str(data / FILE_NAME), "--crossdb", "--metadata", str(metadata)) as address:
        yield address


def test_a_copy_of_another_name_is_closed_whole(served_under_other_names: str) -> None:
    """Tables, views, rows, SQL and the file itself; `monitor` stays open beside it."""
    for path in ("/past", *(f"/past/{name}" for name in TABLES), "/past/messages/1", "/past/feeds/1"):
        assert get(served_under_other_names, path)[0] in (403, 404), path
        assert get(served_under_other_names, f"{path}.json")[0] in (403, 404), path
    assert get(served_under_other_names, "/past.db")[0] == 403
    assert get(served_under_other_names, "/past.json", sql="select * from messages")[0] == 403
    assert rows(served_under_other_names, "/monitor/archive", _search="算力")


@pytest.mark.parametrize("table", ["messages", "feeds"])
def test_databases_that_are_joined_give_nothing_away(served_under_other_names: str, table: str) -> None:
    """`--crossdb` has a database of its own, in which SQL reads all others."""
    for name in ("past", "monitor"):
        status, text = get(served_under_other_names, "/_memory.json", sql=f"select * from {name}.{table}")
        assert status == 403
        assert PASSWORD not in text


def test_without_metadata_datasette_finds_the_index_by_itself(data: Path, tmp_path: Path) -> None:
    """On a copy, too, that is opened as unchangeable."""
    with Store(data / FILE_NAME) as store:
        store._conn.execute("VACUUM INTO ?", (str(tmp_path / FILE_NAME),))
    with datasette("-i", str(tmp_path / FILE_NAME)) as address:
        assert [row["id"] for row in rows(address, "/monitor/items", _search="算力")] == [2]


def test_a_new_item_is_there_at_once(served: str, data: Path) -> None:
    """Datasette reads while the worker writes."""
    with Store(data / FILE_NAME) as store:
        store.save_poll(
            FeedState("https://two.example.com/"), [Judged(an_item(29, "Fresh 新鲜事"), Verdict(covered=False))]
        )
        store.index_words()
    assert [row["title"] for row in rows(served, "/monitor/archive", _search="新鲜事")] == ["Fresh 新鲜事"]


def test_the_commands_of_the_page_are_true() -> None:
    """docs/archive.md shows the two commands that are tested here."""
    page = (ROOT / "docs" / "archive.md").read_text("utf-8")
    assert "monitor export --datasette --out datasette.json" in page
    assert re.search(r"^datasette data/monitor.db --metadata datasette.json", page, re.M)
