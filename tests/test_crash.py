"""Kill -9 between every two steps of poll and of digest: nothing is lost, nothing is told twice."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from monitor import config, press, worker
from monitor.digest.mail import SmtpSender
from monitor.store import Store
from tests.builders import TEMPLATES, config_text, feed_document
from tests.crash_harness import NOW
from tests.feedserver import FeedServer
from tests.mailserver import MailServer

FRESH = NOW - timedelta(hours=2)
RECIPIENTS = ("alice@example.test", "bob@example.test")


def rows(database: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask a database that nobody else has open."""
    with closing(sqlite3.connect(database)) as conn:
        return conn.execute(sql).fetchall()


def go_through(order: dict[str, Any], tmp_path: Path) -> list[Path]:
    """Kill the job at each of its steps; return the data folders, `<n>.killed` beside each `<n>`."""
    work = tmp_path / "work"
    work.mkdir()
    (tmp_path / "job.json").write_text(json.dumps({**order, "work": str(work)}))
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash_harness", str(tmp_path / "job.json")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert [step["killed"] for step in steps] == [True] * (len(steps) - 1) + [False]
    return [work / str(step["step"]) for step in steps]


def put_feeds(server: FeedServer, names: Sequence[str]) -> list[str]:
    """Publish a feed of three items under each name, all of them hits, with validators."""
    for name in names:
        titles = [f"Microsoft and OpenAI argue over {name} data centre number {n}" for n in range(3)]
        server.put(f"/{name}.xml", feed_document(titles, FRESH, name), headers={"ETag": f'"{name}"'})
    return [server.url(f"/{name}.xml") for name in names]


def test_a_poll_killed_at_any_step_loses_no_item_and_stores_none_twice(tmp_path: Path) -> None:
    """The ETag is never saved without the items; the next poll brings what is missing."""
    (tmp_path / "empty").mkdir()
    with FeedServer() as server:
        urls = put_feeds(server, ["power", "water"])
        (tmp_path / "feeds.yaml").write_text(config_text(urls), encoding="utf-8")
        order = {"job": "poll", "config": str(tmp_path / "feeds.yaml"), "origin": str(tmp_path / "empty")}
        folders = go_through(order, tmp_path)
    assert len(folders) > 50
    for data in folders:
        killed = data.with_name(f"{data.name}.killed") / "monitor.db"
        if killed.exists():
            assert rows(killed, "PRAGMA integrity_check") == [("ok",)]
            if rows(killed, "SELECT 1 FROM sqlite_master WHERE name = 'jobs'"):
                half = rows(
                    killed,
                    "SELECT url FROM feeds WHERE etag <> '' AND 3 <> (SELECT count(*) FROM items"
                    " JOIN verdicts ON item_id = items.id WHERE feed_url = url)",
                )
                assert half == [], f"step {data.name}: an ETag without its items"
                assert rows(killed, "SELECT * FROM items WHERE id NOT IN (SELECT item_id FROM verdicts)") == []
        counts = rows(
            data / "monitor.db", "SELECT feed_url, count(*), count(DISTINCT key) FROM items GROUP BY feed_url"
        )
        assert sorted(counts) == sorted((url, 3, 3) for url in urls), f"step {data.name}"
        assert rows(data / "monitor.db", "SELECT count(*) FROM verdicts WHERE covered") == [(6,)]


def test_a_digest_killed_at_any_step_is_told_once_to_each(tmp_path: Path) -> None:
    """Either nothing of the edition is there or all of it; a second copy only where the answer was never heard."""
    origin = tmp_path / "origin"
    with FeedServer() as feeds, MailServer(tmp_path) as server:
        (tmp_path / "feeds.yaml").write_text(config_text(put_feeds(feeds, ["power"]), to=RECIPIENTS), encoding="utf-8")
        settings = config.load(tmp_path / "feeds.yaml")
        with Store(origin / "monitor.db") as store:
            worker.meet_digests(settings, store, NOW - timedelta(hours=1))
            worker.poll(settings, store, lambda: NOW - timedelta(minutes=30))
        order = {
            "job": "digest",
            "config": str(tmp_path / "feeds.yaml"),
            "origin": str(origin),
            "templates": str(TEMPLATES),
            "port": server.port,
        }
        folders = go_through(order, tmp_path)
        copies = Counter((to, str(mail["Message-ID"])) for to, mail in server.received)
    assert len(folders) > 50
    for data in folders:
        killed, ended = data.with_name(f"{data.name}.killed") / "monitor.db", data / "monitor.db"
        assert rows(killed, "PRAGMA integrity_check") == [("ok",)]
        parts = rows(
            killed,
            "SELECT (SELECT count(*) FROM editions), (SELECT count(*) FROM told),"
            " (SELECT count(*) FROM messages), (SELECT count(*) FROM deliveries)",
        )
        assert parts[0] in [(0, 0, 0, 0), (1, 3, 2, 2)], f"step {data.name}: half an edition"
        in_doubt = {to for (to,) in rows(killed, _IN_STATE.format("sending"))}
        assert rows(ended, "SELECT count(*), count(DISTINCT item_id) FROM told") == [(3, 3)]
        assert rows(ended, "SELECT count(*) FROM editions") == [(1,)]
        assert {to for (to,) in rows(ended, _IN_STATE.format("sent"))} == set(RECIPIENTS)
        for to, message_id in rows(ended, "SELECT recipient, message_id FROM messages"):
            got = copies[to, message_id]
            assert got == 1 or (got == 2 and to in in_doubt), f"step {data.name}: {to} got {got} copies"
    assert sum(copies.values()) >= len(RECIPIENTS) * len(folders)
    assert any(count == 2 for count in copies.values()), "the window of doubt was never hit: the steps are too coarse"


def test_a_digest_that_takes_over_what_did_not_arrive_is_told_once_wherever_it_is_killed(
    tmp_path: Path,
) -> None:
    """The new mail with all of it and the end of the old one are one step: never both are sent, never neither."""
    origin, earlier = tmp_path / "origin", NOW - timedelta(hours=1)
    with FeedServer() as feeds, MailServer(tmp_path) as server:
        urls = put_feeds(feeds, ["power"])
        (tmp_path / "feeds.yaml").write_text(config_text(urls, to=RECIPIENTS[:1]), encoding="utf-8")
        settings = config.load(tmp_path / "feeds.yaml")
        with Store(origin / "monitor.db") as store:
            worker.meet_digests(settings, store, earlier)
            worker.poll(settings, store, lambda: earlier)
            desk = press.Desk(TEMPLATES, "Monitor <monitor@example.test>")
            worker.digest(settings, settings.digests[0], store, desk, earlier)
            nobody = SmtpSender("127.0.0.1", 1, security="plain", timeout=5)
            assert [state for _, state, _ in worker.deliver(store, nobody, lambda: earlier)] == ["pending"]
            late = "Nadella says what Altman thinks of an AGI clause between OpenAI and Microsoft"
            feeds.put("/power.xml", feed_document([late], NOW - timedelta(minutes=9), "power"))
            worker.poll(settings, store, lambda: NOW - timedelta(minutes=5), everything=True)
        order = {
            "job": "digest",
            "config": str(tmp_path / "feeds.yaml"),
            "origin": str(origin),
            "templates": str(TEMPLATES),
            "port": server.port,
        }
        folders = go_through(order, tmp_path)
        copies = Counter((to, str(mail["Message-ID"])) for to, mail in server.received)
        texts = {str(mail["Message-ID"]): str(mail.get_body(("plain",))) for _, mail in server.received}
    assert len(folders) > 50
    for data in folders:
        killed, ended = data.with_name(f"{data.name}.killed") / "monitor.db", data / "monitor.db"
        assert rows(killed, "PRAGMA integrity_check") == [("ok",)]
        parts = rows(
            killed,
            "SELECT (SELECT count(*) FROM editions), (SELECT count(*) FROM told), (SELECT count(*) FROM messages),"
            " (SELECT count(*) FROM deliveries WHERE state = 'merged'), (SELECT sum(messages) FROM editions)",
        )
        assert parts[0] in [(1, 3, 1, 0, 1), (2, 4, 2, 1, 1)], f"step {data.name}: half an edition"
        in_doubt = {to for (to,) in rows(killed, _IN_STATE.format("sending"))}
        assert rows(ended, "SELECT count(*), count(DISTINCT item_id), min(edition_id) FROM told") == [(4, 4, 2)]
        assert {to for (to,) in rows(ended, _IN_STATE.format("sent"))} == {RECIPIENTS[0]}
        for to, message_id, edition in rows(ended, "SELECT recipient, message_id, edition_id FROM messages"):
            got = copies[to, message_id]
            if edition == 1:
                assert got == 0, f"step {data.name}: {to} got what was merged"
                continue
            assert got == 1 or (got == 2 and to in in_doubt), f"step {data.name}: {to} got {got} copies"
            told = [f"number {n}" in texts[message_id] for n in range(3)] + ["AGI clause" in texts[message_id]]
            assert told == [True] * 4, f"step {data.name}: {to} was not told all"
    assert any(count == 2 for count in copies.values()), "the window of doubt was never hit: the steps are too coarse"


_IN_STATE = "SELECT recipient FROM messages JOIN deliveries ON deliveries.message_id = messages.id WHERE state = '{}'"


def test_nothing_of_the_harness_kills_by_chance(tmp_path: Path) -> None:
    """Without a kill the same job ends well: what the other tests see is the kill's doing."""
    with FeedServer() as server:
        (tmp_path / "feeds.yaml").write_text(config_text(put_feeds(server, ["power"])), encoding="utf-8")
        settings = config.load(tmp_path / "feeds.yaml")
        with Store(tmp_path / "data" / "monitor.db") as store:
            worker.meet_digests(settings, store, NOW)
            assert [o.new for o in worker.poll(settings, store, lambda: NOW)] == [3]
        shutil.rmtree(tmp_path / "data")
