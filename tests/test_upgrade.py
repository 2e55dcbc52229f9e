"""Upgrades: a database of every version there was, opened by this one. `schemas/make.py` says how they were made."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database
from typer.testing import CliRunner

from monitor import cli, config, press, worker
from monitor.digest.mail import FileSender
from monitor.errors import NewerDatabaseError, StoreError
from monitor.migrations import migrations
from monitor.model import Manners
from monitor.store import MIGRATIONS, Store
from tests.builders import ROOT, TEMPLATES
from tests.feedserver import FeedServer
from tests.schemas import live
from tests.schemas.make import COMMITS, place, unpack

LATER = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('monitor', 'm999_x', '')"
NEWEST = MIGRATIONS[-1][:4]
SCHEMAS = sorted({*COMMITS, NEWEST})


@pytest.fixture(params=SCHEMAS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The data folder of some earlier version, or of this one."""
    (tmp_path / "data").mkdir()
    return unpack(request.param, tmp_path / "data" / "monitor.db").parent


def ask(database: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask a database, whatever version it is of."""
    with closing(sqlite3.connect(database)) as conn:
        return conn.execute(sql).fetchall()


def schema(database: Path) -> dict[str, str]:
    """Return what a database is made of."""
    made = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'items_fts_%'"
    return {name: " ".join(sql.split()) for name, sql in ask(database, made)}


def rows(database: Path, columns: dict[str, list[str]] | None = None) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table, of these columns; of migrations and of the index there are others after."""
    tables = columns or {
        table: [row[1] for row in ask(database, f"PRAGMA table_info({table})")]
        for (table,) in ask(database, "SELECT name FROM sqlite_master WHERE type = 'table'")
        if not table.startswith(("_", "sqlite", "items_fts", "upgrades"))
    }
    names = {table: ", ".join(f'"{name}"' for name in of_table) for table, of_table in tables.items()}
    return {table: ask(database, f"SELECT {of} FROM {table} ORDER BY rowid") for table, of in names.items()}


def columns_of(database: Path) -> dict[str, list[str]]:
    """Return the columns of each table that holds data."""
    return {table: [row[1] for row in ask(database, f"PRAGMA table_info({table})")] for table in rows(database)}


def is_sound(database: Path) -> bool:
    """Tell whether SQLite finds nothing wrong."""
    return ask(database, "PRAGMA integrity_check") == [("ok",)] and not ask(database, "PRAGMA foreign_key_check")


def migrations_of(database: Path) -> list[str]:
    """Return which migrations a database has had."""
    return [name for (name,) in ask(database, "SELECT name FROM _sqlite_migrations ORDER BY rowid")]


# ---------------------------------------------------------------- forwards


def test_every_version_is_brought_up_to_date_and_keeps_every_row(old: Path, tmp_path: Path) -> None:
    """What was there is there, value by value; the schema is that of a new database."""
    database = old / "monitor.db"
    before, columns = rows(database), columns_of(database)
    Store(database).close()
    assert rows(database, columns) == before
    assert is_sound(database)
    Store(tmp_path / "new.db").close()
    assert schema(database) == schema(tmp_path / "new.db")
    assert migrations_of(database) == list(MIGRATIONS)


def test_after_an_upgrade_nothing_is_told_twice_and_nothing_is_missed(old: Path) -> None:
    """What waited for its edition is told in the next, with the news of that day; mails go on where they were."""
    database = old / "monitor.db"
    now = live.BEGIN + 4 * live.DAY
    told = {title for (title,) in ask(database, "SELECT title FROM told JOIN items ON items.id = item_id")}
    newest_first = [title for titles in live.NEWS.values() for title in titles]
    assert {title for title in newest_first if title in told} == {t for ts in live.NEWS.values() for t in ts[:3]}
    with FeedServer() as server:
        moved(database, server.url(""))
        for path in live.NEWS:
            server.put(path, live.document(path, 5))
        settings = settings_in(old, [server.url(path) for path in live.NEWS])
        with Store(database) as store:
            outcomes = worker.poll(settings, store, lambda: now, everything=True)
            assert [outcome.new for outcome in outcomes] == [1, 1]
            desk = press.Desk(TEMPLATES, "Monitor <monitor@example.com>")
            made = worker.digest(settings, settings.digests[0], store, desk, now, slot=now)
            assert made is not None
            reports = [r.item.title for s in made[0].stories + made[0].updates for r in s.reports]
            # The third edition has reached nobody: its news stands in this one.
            assert sorted(reports) == sorted(title for titles in live.NEWS.values() for title in titles[2:])
            # Of the second mail one was in doubt and one was on its way at a kill: they are sent again. One was to be
            # tried again, and one was refused: what they told stands in the mail of today.
            sent = worker.deliver(store, FileSender(old / "outbox"), lambda: now)
    again = Counter(recipient.partition("@")[0] for recipient, _, _ in sent)
    assert again == {"reader": 1, "later": 1, "unknown": 2, "refused": 1, "killed": 2}
    states = Counter(state for (state,) in ask(database, "SELECT state FROM deliveries"))
    assert states == {"sent": 13, "merged": 7}


def test_what_was_mailed_and_stored_can_be_looked_at_after_an_upgrade(old: Path, tmp_path: Path) -> None:
    """Editions are listed and written again, items found in both languages; health answers."""
    database = old / "monitor.db"
    kept = "kept" in columns_of(database)["editions"]
    listed = monitor(old, "editions")
    assert listed.exit_code == 0
    assert [line.split("\t")[0] for line in listed.stdout.splitlines()] == ["edition", "1", "2", "3"]
    for number in ("1", "2", "3"):
        written = monitor(old, "digest", "--again", number, "--out", str(tmp_path / "again"))
        assert written.exit_code == 0, written.output
        assert ("too little of it was kept" in written.stdout) is not kept
        if kept:  # templates of then may name what an edition has no longer
            assert ("rendered again" in written.stdout) or ("cannot render it again" in written.stdout)
        [(raw,)] = ask(database, f"SELECT raw FROM messages WHERE edition_id = {number} ORDER BY id LIMIT 1")
        assert (tmp_path / "again" / f"morning-{number}.eml").read_bytes() == raw
    for words, days in (("data centre", (0, 2, 3)), ("算力", (0, 2, 3))):
        found = re.sub(r"[][]", "", monitor(old, "search", words).stdout)  # it marks what it found
        titles = live.NEWS["/en.xml" if words.isascii() else "/zh.xml"]
        assert [day for day in range(4) if titles[day] in found] == list(days)
    said = monitor(old, "health")
    assert said.exit_code == 1
    assert "worker: none is running" in said.output


def settings_in(folder: Path, feeds: Sequence[str]) -> Any:
    """Return the settings of that life, with other addresses."""
    path = folder / "feeds.yaml"
    lines = "\n".join(f"  - {feed}" for feed in feeds)
    path.write_text(live.CONFIG.format(to=", ".join(live.RECIPIENTS), feeds=lines), encoding="utf-8")
    return replace(config.load(path), manners=Manners(allow=("127.0.0.0/8",)))


def moved(database: Path, base: str) -> None:
    """Let the feeds have been where they are now: the ports of then are others."""
    with closing(sqlite3.connect(database)) as conn:
        [(was,)] = conn.execute("SELECT DISTINCT substr(url, 1, instr(substr(url, 9), '/') + 7) FROM feeds").fetchall()
        conn.execute("UPDATE feeds SET url = replace(url, ?, ?)", (was, base))
        conn.execute("UPDATE items SET feed_url = replace(feed_url, ?, ?)", (was, base))
        conn.commit()


def monitor(data: Path, *words: str) -> Any:
    """Run a command on a data folder."""
    settings_in(data.parent, ["https://example.com/en.xml"])
    return CliRunner().invoke(cli.app, ["-c", str(data.parent / "feeds.yaml"), "-d", str(data), *words])


# ---------------------------------------------------------------- the copy of before


def test_the_database_of_before_is_kept_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said where, only its owner may read it, and the next upgrade takes its place; a new one has none."""
    database = unpack("m005", tmp_path / "monitor.db")
    before = rows(database)
    (tmp_path / "monitor.db.before-m002").write_bytes(b"of an earlier upgrade")
    Store(database).close()
    Store(database).close()
    [kept] = tmp_path.glob("*.before-*")
    assert kept.name == "monitor.db.before-m006"
    assert rows(kept) == before
    assert is_sound(kept)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [str(kept) in line for line in caplog.messages] == [True]
    Store(tmp_path / "new.db").close()
    assert not list(tmp_path.glob("new.db.*"))


def test_an_upgrade_goes_on_where_there_is_no_room_for_a_copy(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is whole or not done at all without one, too; that there is no way back is said."""
    database = unpack("m005", tmp_path / "monitor.db")
    (tmp_path / "monitor.db.before-m006").mkdir()  # something has its name
    Store(database).close()
    assert migrations_of(database) == list(MIGRATIONS)
    assert "could not be kept" in caplog.text


def test_a_worker_removes_the_copy_after_a_month(tmp_path: Path) -> None:
    """Texts in it would outlive their retention time."""
    database = unpack("m005", tmp_path / "monitor.db")
    Store(database).close()
    [kept] = tmp_path.glob("*.before-*")
    made = live.BEGIN
    os.utime(kept, (made.timestamp(), made.timestamp()))
    settings = settings_in(tmp_path, ["https://example.com/en.xml"])
    with Store(database) as store:
        worker.tidy(settings, store, made + timedelta(days=29))
        assert kept.exists()
        worker.tidy(settings, store, made + timedelta(days=31))
    assert not kept.exists()
    assert database.exists()


# ---------------------------------------------------------------- killed, and out of room


def test_a_kill_amid_an_upgrade_leaves_the_old_schema_or_the_new(tmp_path: Path) -> None:
    """From the oldest schema on, wherever a statement writes; the next program to open it finishes the work."""
    origin, work = tmp_path / "origin", tmp_path / "work"
    origin.mkdir()
    work.mkdir()
    database = unpack("m003", origin / "monitor.db")
    before, columns, had = rows(database), columns_of(database), migrations_of(database)
    # Of some 750 statements, most of them SQLite's own within ours, each seventh.
    order = {"job": "upgrade", "origin": str(origin), "work": str(work), "stride": 7}
    (tmp_path / "job.json").write_text(json.dumps(order))
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash_harness", str(tmp_path / "job.json")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(steps) > 40
    assert [step["killed"] for step in steps] == [True] * (len(steps) - 1) + [False]
    states = Counter[int]()
    for step in steps:
        killed, finished = work / f"{step['step']}.killed", work / str(step["step"])
        assert migrations_of(killed / "monitor.db") in (had, list(MIGRATIONS))
        states[len(migrations_of(killed / "monitor.db"))] += 1
        for folder in (killed, finished):
            assert is_sound(folder / "monitor.db")
            assert rows(folder / "monitor.db", columns) == before
        assert migrations_of(finished / "monitor.db") == list(MIGRATIONS)
        for kept in killed.glob("monitor.db.before-*"):
            assert migrations_of(kept) == had, "a copy is whole from its first moment"
            assert rows(kept) == before
    assert set(states) == {len(had), len(MIGRATIONS)}, "some kills came before the end, some after it"


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A disk of so many bytes."""
    folder.mkdir()
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("needs the rights to mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the rights to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_amid_an_upgrade_leaves_the_old_schema(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One line says so; with room again, the same command does it."""
    with small_disk(tmp_path / "disk", 2 << 20) as disk:
        database = unpack("m003", disk / "monitor.db")
        before, columns, had = rows(database), columns_of(database), migrations_of(database)
        room = shutil.disk_usage(disk).free - (100 << 10)  # what is left is enough to begin, not to end
        (disk / "ballast").write_bytes(bytes(room))
        with pytest.raises(StoreError, match="disk is full"):
            Store(database)
        assert [path.name for path in disk.glob("*before*")] == []
        assert migrations_of(database) == had
        (disk / "ballast").unlink()
        assert is_sound(database)
        assert rows(database) == before
        Store(database).close()
        assert migrations_of(database) == list(MIGRATIONS)
        assert rows(database, columns) == before


# ---------------------------------------------------------------- backwards


def prints(folder: Path) -> dict[str, str]:
    """Return the hash of the database and of what lies beside it, but for the index of the log, which readers share."""
    files = [path for path in folder.glob("monitor.db*") if not path.name.endswith("-shm")]
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(params=["one file", "another journal", "with a log", "with a log and no index of it"])
def newer(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The data folder of a later version: closed well, kept otherwise, or killed before its log was written back."""
    data = tmp_path / "data"
    data.mkdir()
    unpack(NEWEST, data / "monitor.db")
    ending = "c.close()"
    if request.param.startswith("with a log"):
        ending = f"import os; os.kill(os.getpid(), {signal.SIGKILL})"
    program = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA wal_autocheckpoint = 0');"
        f"c.execute({LATER!r});"
        "c.execute(\"INSERT INTO upgrades VALUES ('9.5.1', 'm999_x')\"); c.commit();" + ending
    )
    subprocess.run([sys.executable, "-c", program, str(data / "monitor.db")], check=False)
    if request.param == "another journal":
        with closing(sqlite3.connect(data / "monitor.db")) as conn:
            conn.execute("PRAGMA journal_mode = DELETE")
    if request.param == "with a log and no index of it":
        (data / "monitor.db-shm").unlink()
    assert (data / "monitor.db-wal").exists() is request.param.startswith("with a log")
    return data


COMMANDS = [
    ["poll"], ["poll", "--all"], ["digest"], ["digest", "--preview"], ["digest", "--again", "1"],
    ["editions"], ["explain", "1"], ["rematch", "--since", "7d"], ["label", "1", "--relevant", "no"], ["suggest"],
    ["search", "OpenAI"], ["export"], ["feeds", "list"], ["health"], ["backtest", "feeds.yaml"],
]  # fmt: skip


def test_a_database_of_a_later_version_is_refused_and_left_byte_for_byte(
    newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By every command that opens it; the line says which version to get."""
    settings_in(newer.parent, ["https://example.com/en.xml"])
    monkeypatch.chdir(newer.parent)
    before = prints(newer)
    with pytest.raises(NewerDatabaseError):
        Store(newer / "monitor.db")
    assert prints(newer) == before
    for words in COMMANDS:
        done = CliRunner().invoke(cli.app, words)
        assert prints(newer) == before, words
        assert done.exit_code == 1, (words, done.output)
        said = f"{done.output} {done.exception}"
        assert "was written by rift-monitor 9.5.1 (m999_x), and this is" in said, words
        assert "update the program" in said, words
    worker = subprocess.run(
        [sys.executable, "-m", "monitor", "run"], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert prints(newer) == before
    assert worker.returncode == 1
    assert "was written by rift-monitor 9.5.1" in worker.stderr
    assert "Traceback" not in worker.stderr


def test_a_later_version_that_left_no_name_is_refused_too(tmp_path: Path) -> None:
    """Databases of before versions were written down."""
    database = unpack("m008", tmp_path / "monitor.db")
    with closing(sqlite3.connect(database)) as conn:
        conn.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('monitor', 'm999_x', '')"
        )
        conn.commit()
    before = prints(tmp_path)
    with pytest.raises(NewerDatabaseError, match="by a later version of this program"):
        Store(database)
    assert prints(tmp_path) == before
    assert migrations_of(database)[-1] == "m999_x"


# ---------------------------------------------------------------- of these tests themselves


def test_every_schema_has_a_database_made_by_its_program() -> None:
    """A new migration needs one, and the one before it a name for its program."""
    had = {f"m{number:03d}" for number in range(3, len(MIGRATIONS) + 1)}  # m001 and m002 came with m003
    nameless = sorted(had - {NEWEST} - set(COMMITS))
    assert not nameless, (
        f"{nameless} is no longer the newest: write the last commit that had it into COMMITS of tests/schemas/make.py, "
        "and make its database anew: python -m tests.schemas.make " + " ".join(nameless)
    )
    missing = [name for name in SCHEMAS if not place(name).exists()]
    assert not missing, f"no database of {missing}: run python -m tests.schemas.make, and commit what it made"
    assert all(place(name).stat().st_size < 100_000 for name in SCHEMAS)


@pytest.mark.parametrize("name", [name for name in SCHEMAS if name not in ("m008-words", "m009")])
def test_no_migration_was_edited(tmp_path: Path, name: str) -> None:
    """Each makes today what it made when people had it: `m008-words`, and m009 after it, are why this is asked."""
    made = unpack(name, tmp_path / "made.db")
    had = migrations_of(made)
    after = [other for other in MIGRATIONS if other not in had]
    with closing(sqlite3.connect(tmp_path / "today.db")) as conn:
        migrations.apply(Database(conn), stop_before=after[:1] or None)
        conn.commit()
    advice = (
        "a database that was not committed yet is made anew: python -m tests.schemas.make " + name
        if name == NEWEST
        else f"put {name} back as it was, and write a new migration: nobody's database goes through {name} again"
    )
    assert schema(tmp_path / "today.db") == schema(made), advice
