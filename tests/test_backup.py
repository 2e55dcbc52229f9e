"""Backups of a database that is written to, and restores: whole or not at all, and nothing told twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor import cli, copies, press, worker
from monitor.archive import update
from monitor.digest.mail import FileSender
from monitor.errors import BusyError, NewerDatabaseError, StoreError
from monitor.locks import hold
from monitor.resources import read_templates
from monitor.restore import restore
from monitor.store import MIGRATIONS, Store
from tests.builders import ROOT, TEMPLATES
from tests.feedserver import FeedServer
from tests.pages import blocks
from tests.schemas import live
from tests.schemas.make import unpack
from tests.test_upgrade import LATER, ask, is_sound, migrations_of, moved, rows, settings_in, small_disk

NOW = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of a monitor that has lived for four days."""
    (tmp_path / "data").mkdir()
    return unpack(f"m{len(MIGRATIONS):03d}", tmp_path / "data" / "monitor.db").parent


def monitor(data: Path, *words: str) -> Any:
    """Run a command on a data folder."""
    return CliRunner().invoke(cli.app, ["-d", str(data), *words])


def refused(done: Any) -> str:
    """Return the one line by which a command refuses."""
    assert done.exit_code == 1
    return str(done.exception)


def digest_of(path: Path) -> str:
    """Return the hash of a file."""
    return sha256(path.read_bytes()).hexdigest()


# ---------------------------------------------------------------- backup


def test_a_backup_is_one_file_that_holds_everything_and_says_so(data: Path, tmp_path: Path) -> None:
    """Its owner alone may read it; the database is as it was, and nothing lies beside either."""
    before = digest_of(data / "monitor.db")
    done = monitor(data, "backup", str(tmp_path / "copy.db"))
    assert done.exit_code == 0, done.output
    assert "33 items, 26 hits, 3 editions, the newest of 2026-11-22 05:30 UTC; 0.5 MB in " in done.stdout
    assert done.stdout.endswith(" s, and sound\n")
    assert rows(tmp_path / "copy.db") == rows(data / "monitor.db")
    assert is_sound(tmp_path / "copy.db")
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    assert digest_of(data / "monitor.db") == before
    assert sorted(path.name for path in data.iterdir()) == ["monitor.db"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "data"]


WRITER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from monitor.model import FeedState, Item, Judged, Verdict
from monitor.store import Store
NOW = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
with Store(Path(sys.argv[1])) as store:
    turn = 0
    while True:
        items = [Item("http://f", f"{turn} {n}", f"http://f/{turn}/{n}", "t" * 99, "s" * 999, "o", "en", NOW, NOW)
                 for n in range(10)]
        store.save_poll(FeedState("http://f", etag=str(turn)), [Judged(one, Verdict(True)) for one in items])
        turn += 1
        if turn == 20:
            print("busy", flush=True)
"""


def test_a_backup_of_what_is_being_written_is_as_of_one_moment(data: Path, tmp_path: Path) -> None:
    """Another process writes without a pause: whole transactions are in it, and the writer goes on."""
    busy = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(data / "monitor.db")],
        stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        assert busy.stdout
        assert busy.stdout.readline() == b"busy\n"
        last = -1
        for number in range(5):
            copy = tmp_path / f"{number}.db"
            copies.copy(data / "monitor.db", copy, over=False)
            [(turn,)] = ask(copy, "SELECT etag FROM feeds WHERE url = 'http://f'")
            [(items, verdicts)] = ask(
                copy,
                "SELECT count(*), count(verdicts.item_id) FROM items LEFT JOIN verdicts ON item_id = id"
                " WHERE feed_url = 'http://f'",
            )
            assert items == verdicts == 10 * (int(turn) + 1)
            assert is_sound(copy)
            assert int(turn) > last, "the writer went on meanwhile"
            last = int(turn)
            seen = int(turn)
            while ask(data / "monitor.db", "SELECT etag FROM feeds WHERE url = 'http://f'") == [(str(seen),)]:
                assert busy.poll() is None
    finally:
        busy.kill()
        busy.wait()
        busy.stdout.close() if busy.stdout else None


def test_a_backup_takes_in_what_a_killed_worker_left_in_the_log(data: Path, tmp_path: Path) -> None:
    """And leaves the log to the next worker."""
    program = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA wal_autocheckpoint = 0');"
        "c.execute(\"INSERT INTO notes VALUES ('n', 'left in the log', '')\"); c.commit(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(data / "monitor.db")], check=False)
    before = {name: digest_of(data / name) for name in ("monitor.db", "monitor.db-wal")}
    copies.copy(data / "monitor.db", tmp_path / "copy.db", over=False)
    assert ("left in the log",) in ask(tmp_path / "copy.db", "SELECT text FROM notes")
    assert {name: digest_of(data / name) for name in before} == before


@pytest.mark.parametrize("name", ["m003", "m007"])
def test_an_older_database_is_copied_as_it_is(tmp_path: Path, name: str) -> None:
    """A copy brings nothing up to date."""
    unpack(name, tmp_path / "monitor.db")
    done = monitor(tmp_path, "backup", str(tmp_path / "copy.db"))
    assert "3 editions" in done.stdout
    assert rows(tmp_path / "copy.db") == rows(tmp_path / "monitor.db")
    assert migrations_of(tmp_path / "copy.db")[-1].startswith(name)


def test_a_database_of_a_later_version_is_copied_and_left_as_it_is(data: Path, tmp_path: Path) -> None:
    """With what its program left in the log."""
    program = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA wal_autocheckpoint = 0');"
        f"c.execute({LATER!r}); c.commit(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(data / "monitor.db")], check=False)
    before = {name: digest_of(data / name) for name in ("monitor.db", "monitor.db-wal")}
    assert monitor(data, "backup", str(tmp_path / "copy.db")).exit_code == 0
    assert migrations_of(tmp_path / "copy.db")[-1] == "m999_x"
    assert {name: digest_of(data / name) for name in before} == before


def test_a_backup_replaces_only_databases_and_only_when_told(data: Path, tmp_path: Path) -> None:
    """A slip costs nobody his feeds.yaml."""
    copy, other = tmp_path / "copy.db", tmp_path / "feeds.yaml"
    assert monitor(data, "backup", str(copy)).exit_code == 0
    before = digest_of(copy)
    assert "is there already; name another file, or add --force" in refused(monitor(data, "backup", str(copy)))
    assert digest_of(copy) == before
    with Store(data / "monitor.db") as store:
        store.note("more", "than before", NOW)
    assert monitor(data, "backup", str(copy), "--force").exit_code == 0
    assert rows(copy) == rows(data / "monitor.db")
    other.write_text("feeds: []\n")
    assert "is no database, and not replaced even with --force" in refused(
        monitor(data, "backup", str(other), "--force")
    )
    assert other.read_text() == "feeds: []\n"


def test_the_database_is_never_its_own_backup(data: Path, tmp_path: Path) -> None:
    """By no name, and not with --force."""
    before = digest_of(data / "monitor.db")
    (tmp_path / "link.db").symlink_to(data / "monitor.db")
    os.link(data / "monitor.db", tmp_path / "hard.db")
    for name in (data / "monitor.db", data / "monitor.db-wal", tmp_path / "link.db", tmp_path / "hard.db",
                 tmp_path / "data" / ".." / "data" / "monitor.db"):  # fmt: skip
        assert "is the database itself" in refused(monitor(data, "backup", str(name), "--force"))
    assert digest_of(data / "monitor.db") == before


def test_what_cannot_be_copied_is_said_in_a_line(data: Path, tmp_path: Path) -> None:
    """No database, no folder, something else of that name, what is no database."""
    assert "no database yet; is --data right?" in refused(monitor(tmp_path / "none", "backup", str(tmp_path / "x.db")))
    assert not (tmp_path / "none").exists()
    assert "no such folder; make it first" in refused(monitor(data, "backup", str(tmp_path / "none" / "x.db")))
    os.mkfifo(tmp_path / "pipe")
    assert "is no file, and not replaced" in refused(monitor(data, "backup", str(tmp_path / "pipe"), "--force"))
    (data / "monitor.db").write_bytes(b"no database at all, but long enough to be looked at" * 50)
    assert "cannot be read: file is not a database" in refused(monitor(data, "backup", str(tmp_path / "x.db")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "pipe"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(data: Path, tmp_path: Path) -> None:
    """As the system says it."""
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "Permission denied" in refused(monitor(data, "backup", str(tmp_path / "closed" / "x.db")))


def test_a_damaged_database_makes_no_backup(data: Path, tmp_path: Path) -> None:
    """A copy that nobody could use would take the place of one that can be used."""
    with (data / "monitor.db").open("r+b") as file:
        for page in range(20, 60):
            file.seek(page * 4096 + 8)
            file.write(os.urandom(64))
    line = refused(monitor(data, "backup", str(tmp_path / "x.db")))
    assert "is damaged" in line or "malformed" in line
    assert str(data / "monitor.db") in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_a_full_disk_leaves_nothing_behind(data: Path, tmp_path: Path) -> None:
    """Neither a part nor a name; the backup that was there stays."""
    with small_disk(tmp_path / "disk", 768 << 10) as disk:
        assert monitor(data, "backup", str(disk / "first.db")).exit_code == 0
        before = digest_of(disk / "first.db")
        assert "disk is full" in refused(monitor(data, "backup", str(disk / "second.db")))
        assert "disk is full" in refused(monitor(data, "backup", str(disk / "first.db"), "--force"))
        assert [path.name for path in disk.iterdir()] == ["first.db"]
        assert digest_of(disk / "first.db") == before


def test_in_a_folder_backups_bear_their_time_and_old_ones_go(data: Path, tmp_path: Path) -> None:
    """Only what this command has written there, by its names, is ever removed."""
    folder = tmp_path / "backups"
    folder.mkdir()
    for name in ("monitor-2020-01-01T000000Z.db", "monitor-2020-01-02T000000Z.db", "monitor-2020-01-02.db", "mine.db"):
        (folder / name).write_bytes(b"")
    (folder / "monitor-2099-01-01T000000Z.db").write_bytes(b"")  # by a clock that ran ahead
    done = monitor(data, "backup", str(folder), "--keep", "3")
    assert done.exit_code == 0, done.output
    names = {path.name for path in folder.iterdir()}
    [made] = [name for name in names if "T" in name and name[8:12] not in ("2020", "2099")]
    assert names == {
        made, "mine.db", "monitor-2020-01-02.db", "monitor-2020-01-02T000000Z.db", "monitor-2099-01-01T000000Z.db",
    }  # fmt: skip
    assert "monitor-2020-01-01T000000Z.db: removed" in done.stdout
    assert monitor(data, "backup", str(tmp_path / "new"), "--keep", "3").exit_code == 0
    assert len(list((tmp_path / "new").iterdir())) == 1
    (tmp_path / "x.db").write_bytes(b"")
    assert "with --keep it must be a folder" in refused(monitor(data, "backup", str(tmp_path / "x.db"), "--keep", "3"))


def test_a_backup_that_is_killed_leaves_no_file_of_its_name(data: Path, tmp_path: Path) -> None:
    """Killed at any time: what is there under the name is whole; what is left of it goes later."""
    out = tmp_path / "out"
    out.mkdir()
    program = (
        "import os, sys; from monitor import copies; from pathlib import Path; step = sys.argv[3]\n"
        "def die(*values, **options): os.kill(os.getpid(), 9)\n"
        "setattr(copies if step in dir(copies) else os, step, die)\n"
        "copies.copy(Path(sys.argv[1]), Path(sys.argv[2]), over=False)"
    )
    for step in ("_copy", "examine", "give_name", "_to_disk", "link"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(data / "monitor.db"), str(out / "copy.db"), step], check=False, cwd=ROOT
        )
        assert done.returncode == -signal.SIGKILL
        assert not (out / "copy.db").exists()
    parts = list(out.iterdir())
    assert len(parts) == 5
    for part in parts:
        os.utime(part, (0, 0))
    copies.copy(data / "monitor.db", out / "copy.db", over=False)
    assert [path.name for path in out.iterdir()] == ["copy.db"]


# ---------------------------------------------------------------- restore


def test_a_restored_monitor_goes_on_and_tells_nothing_twice(data: Path, tmp_path: Path) -> None:
    """What the backup knew of is told once; what waited in it is told in the next edition."""
    backup, now = tmp_path / "backup.db", live.BEGIN + 4 * live.DAY
    copies.copy(data / "monitor.db", backup, over=False)
    done = restore(backup, tmp_path / "new", now, resend=False)
    assert done.contents.items == 33
    assert done.aside is None
    with FeedServer() as server:
        moved(tmp_path / "new" / "monitor.db", server.url(""))
        for path in live.NEWS:
            server.put(path, live.document(path, 5))
        settings = settings_in(tmp_path, [server.url(path) for path in live.NEWS])
        with Store(tmp_path / "new" / "monitor.db") as store:
            assert [one.new for one in worker.poll(settings, store, lambda: now, everything=True)] == [1, 1]
            made = worker.digest(settings, settings.digests[0], store, press.Desk(TEMPLATES, "m@example.com"), now)
            assert made is not None
            sent = worker.deliver(store, FileSender(tmp_path / "outbox"), lambda: now)
    titles = [r.item.title for s in made[0].stories + made[0].updates for r in s.reports]
    assert sorted(titles) == sorted(title for titles in live.NEWS.values() for title in titles[3:])
    assert Counter(recipient for recipient, _, _ in sent) == Counter(live.RECIPIENTS), "nothing of before goes out"
    assert is_sound(tmp_path / "new" / "monitor.db")


def test_mails_that_waited_in_a_backup_are_given_up_and_shown(data: Path, tmp_path: Path) -> None:
    """They may have arrived since: what is known to be sent or merged stays so, all else is unknown from now on."""
    before = Counter(ask(data / "monitor.db", "SELECT state FROM deliveries"))
    assert before == {("sent",): 6, ("merged",): 2, ("pending",): 5, ("unknown",): 1, ("sending",): 1}
    backup = tmp_path / "backup.db"
    copies.copy(data / "monitor.db", backup, over=False)
    done = monitor(data, "restore", str(backup))
    assert done.exit_code == 0, done.output
    assert (
        "7 mails that waited were given up, for they may have arrived since (--resend sends them): killed@"
        in done.output
    )
    assert "what was told after 2026-11-22 05:30 UTC is not known to it, and will be told again" in done.output
    after = Counter(ask(data / "monitor.db", "SELECT state FROM deliveries"))
    assert after == {("sent",): 6, ("merged",): 2, ("unknown",): 7}
    with Store(data / "monitor.db") as store:
        assert store.reclaim_deliveries(NOW) == 0
        assert store.due_deliveries(NOW + timedelta(days=365)) == []
        details = {(recipient, detail) for recipient, _, detail, *_ in store.troubled_deliveries()}
        assert ("reader@example.com", "given up by a restore: it may have arrived meanwhile") in details


def test_who_knows_that_they_did_not_arrive_can_have_them_sent(data: Path, tmp_path: Path) -> None:
    """With the Message-IDs of then."""
    backup = tmp_path / "backup.db"
    copies.copy(data / "monitor.db", backup, over=False)
    waiting = ask(backup, "SELECT m.message_id FROM messages m JOIN deliveries d ON d.message_id = m.id"
                          " WHERE d.next_try IS NOT NULL")  # fmt: skip
    assert monitor(data, "restore", str(backup), "--resend").exit_code == 0
    with Store(data / "monitor.db") as store:
        store.reclaim_deliveries(NOW)
        assert {one.message.message_id for one in store.due_deliveries(NOW)} == {name for (name,) in waiting}


def test_what_was_there_is_kept_with_what_lay_in_its_log(data: Path, tmp_path: Path) -> None:
    """And the log is never taken for that of the restored database."""
    backup = tmp_path / "backup.db"
    copies.copy(data / "monitor.db", backup, over=False)
    program = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA wal_autocheckpoint = 0');"
        "c.execute(\"INSERT INTO notes VALUES ('n', 'since the backup', '')\"); c.commit(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(data / "monitor.db")], check=False)
    (data / "monitor.db").chmod(0o640)
    done = restore(backup, data, NOW, resend=True)
    assert done.aside == data / "monitor.db.before-restore-2026-11-24T053000Z"
    assert ("since the backup",) in ask(done.aside, "SELECT text FROM notes")
    assert ("since the backup",) not in ask(data / "monitor.db", "SELECT text FROM notes")
    assert not (data / "monitor.db-wal").exists()
    assert is_sound(done.aside)
    assert is_sound(data / "monitor.db")
    assert rows(data / "monitor.db") == rows(backup)
    assert stat.S_IMODE((data / "monitor.db").stat().st_mode) == 0o640, "who could read it still can"


def test_a_damaged_database_is_set_aside_as_it_is(data: Path, tmp_path: Path) -> None:
    """With its log: perhaps somebody can save more of it."""
    backup = tmp_path / "backup.db"
    copies.copy(data / "monitor.db", backup, over=False)
    (data / "monitor.db").write_bytes(b"torn" * 5000)
    (data / "monitor.db-wal").write_bytes(b"torn too" * 500)
    done = restore(backup, data, NOW, resend=False)
    assert done.aside
    assert done.aside.read_bytes() == b"torn" * 5000
    assert done.aside.with_name(f"{done.aside.name}-wal").read_bytes() == b"torn too" * 500
    assert not (data / "monitor.db-wal").exists()
    assert is_sound(data / "monitor.db")


def test_nothing_is_restored_while_anybody_works(data: Path, tmp_path: Path) -> None:
    """A worker, a poll, a delivery, and a program that has the database open."""
    backup = tmp_path / "backup.db"
    copies.copy(data / "monitor.db", backup, over=False)
    with Store(data / "monitor.db") as store:
        store.note("since", "the backup", NOW)
    before = rows(data / "monitor.db")
    for job, said in (("worker", "a worker is running; stop it first"), ("deliver", "another command is at work")):
        with hold(data, job), pytest.raises(BusyError, match=said):
            restore(backup, data, NOW, resend=False)
    with closing(sqlite3.connect(data / "monitor.db")) as other:
        other.execute("SELECT count(*) FROM items").fetchone()
        with pytest.raises(StoreError, match="another program has it open"):
            restore(backup, data, NOW, resend=False)
    assert rows(data / "monitor.db") == before
    assert not list(data.glob("*before-restore*"))
    assert not list(data.glob(".*part*"))


def test_what_is_no_backup_is_refused_before_anything_is_touched(data: Path, tmp_path: Path) -> None:
    """Somebody else's database, one of a later version, a damaged one, a folder, none, the database itself."""
    before, newer, damaged, other = (
        digest_of(data / "monitor.db"),
        tmp_path / "n.db",
        tmp_path / "d.db",
        tmp_path / "o.db",
    )
    copies.copy(data / "monitor.db", newer, over=False)
    with closing(sqlite3.connect(newer)) as conn:
        conn.execute(LATER)
        conn.execute("INSERT INTO upgrades VALUES ('9.5.1', 'm999_x')")
        conn.commit()
    with pytest.raises(NewerDatabaseError, match=r"rift-monitor 9\.5\.1 \(m999_x\); update the program, then restore"):
        restore(newer, data, NOW, resend=False)
    copies.copy(data / "monitor.db", damaged, over=False)
    with damaged.open("r+b") as file:
        file.truncate(damaged.stat().st_size // 2)
    with closing(sqlite3.connect(other)) as conn:
        conn.execute("CREATE TABLE mine (x)")
    (tmp_path / "text").write_text("feeds: []")
    for backup, said in (
        (damaged, "malformed|damaged"),
        (other, "is no database of this program"),
        (tmp_path / "text", "is no database"),
        (tmp_path, "is a folder"),
        (tmp_path / "none.db", "No such file"),
        (data / "monitor.db", "is the database itself"),
    ):
        with pytest.raises(StoreError, match=said):
            restore(backup, data, NOW, resend=False)
    assert digest_of(data / "monitor.db") == before
    assert not list(data.glob("*before-restore*"))
    assert not list(data.glob(".*part*"))


def test_a_backup_of_an_older_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """It is tried before it takes the place of anything."""
    backup = unpack("m004", tmp_path / "old.db")
    before = digest_of(backup)
    restore(backup, tmp_path / "data", NOW, resend=True)
    assert migrations_of(tmp_path / "data" / "monitor.db") == list(MIGRATIONS)
    assert digest_of(backup) == before
    assert not list((tmp_path / "data").glob("monitor.db?*"))


def test_the_archive_is_made_again_without_what_the_backup_does_not_know(data: Path, tmp_path: Path) -> None:
    """The number of an edition is another's afterwards; its page must not be that of the one before."""
    backup = tmp_path / "backup.db"
    copies.copy(data / "monitor.db", backup, over=False)
    templates = read_templates(TEMPLATES)
    with Store(data / "monitor.db") as store:
        update(store, data / "archive", templates, language="en", titles={})
    lost = data / "archive" / "morning" / "2026-11-23-4.html"
    lost.write_text("an edition that the backup does not know")
    done = restore(backup, data, NOW, resend=False)
    assert done.archive == data / "archive.before-restore-2026-11-24T053000Z"
    assert (done.archive / "morning" / lost.name).exists()
    with Store(data / "monitor.db") as store:
        assert update(store, data / "archive", templates, language="en", titles={}) == 3
    assert not lost.exists()


def test_a_restore_that_fails_leaves_all_where_it_was(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk says no at the last step."""
    backup = tmp_path / "backup.db"
    copies.copy(data / "monitor.db", backup, over=False)
    with Store(data / "monitor.db") as store:
        store.note("since", "the backup", NOW)
    before = rows(data / "monitor.db")

    def no(*_: object, **__: object) -> None:
        raise StoreError("no")

    monkeypatch.setattr(copies, "give_name", no)
    with pytest.raises(StoreError, match="no"):
        restore(backup, data, NOW, resend=False)
    assert rows(data / "monitor.db") == before
    assert not [path for path in data.iterdir() if path.suffix != ".lock" and path.name != "monitor.db"]


def test_a_new_database_is_its_owners_alone(tmp_path: Path) -> None:
    """It holds addresses and mails; so do the files that SQLite lays beside it."""
    old = os.umask(0o022)
    try:
        with Store(tmp_path / "data" / "monitor.db"):
            for path in (tmp_path / "data").iterdir():
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    finally:
        os.umask(old)


def test_the_way_back_that_the_page_shows_leads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/operations.md: the copy from before an upgrade is a backup like any other."""
    [command] = [block.text.strip() for block in blocks(ROOT / "docs" / "operations.md") if "before-m009" in block.text]
    (tmp_path / "data").mkdir()
    database = unpack("m008", tmp_path / "data" / "monitor.db")
    before = rows(database)
    columns = {table: ask(database, f"PRAGMA table_info({table})") for table in before}
    monkeypatch.chdir(tmp_path)
    with Store(database) as store:
        store.note("since", "the upgrade", NOW)
    done = CliRunner().invoke(cli.app, command.split()[1:])
    assert done.exit_code == 0, done.output
    after = rows(database, {table: [column[1] for column in found] for table, found in columns.items()})
    del before["deliveries"], after["deliveries"]  # those that waited are given up
    assert after == before
