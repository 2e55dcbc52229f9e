"""The worker that runs on: what its jobs do at a given time, and how the real process starts and ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor import advice, config, press, worker
from monitor.digest.mail import FileSender
from monitor.schedule import Office, Runner
from monitor.store import Store
from tests.builders import ROOT, TEMPLATES, config_text, feed_document
from tests.feedserver import FeedServer
from tests.test_opinion import weights

# 07:30 in UTC is the digest's time in tests.builders.
EVENING = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEWS = "Microsoft halts a data centre that OpenAI wanted"


class World:
    """A runner that is never started: the test calls its jobs and turns its clock."""

    def __init__(self, folder: Path, server: FeedServer) -> None:
        self.now = EVENING
        self.server = server
        self.config = folder / "feeds.yaml"
        self.config.write_text(config_text([server.url("/one.xml")]), encoding="utf-8")
        self.data = folder / "data"
        desk = press.Desk(TEMPLATES, "Monitor <monitor@example.test>")
        office = Office(self.config, self.data, desk, lambda: FileSender(self.data / "outbox"), lambda: self.now)
        self.runner = Runner(office, config.load(self.config))
        with Store(office.database) as store:
            worker.meet_digests(self.runner.settings, store, self.now)

    def publish(self, titles: Sequence[str]) -> None:
        """Put news on the server."""
        self.server.put("/one.xml", feed_document(titles, self.now - HOUR / 6))

    def mails(self) -> list[str]:
        """Names of the mails in the outbox."""
        return sorted(path.name for path in (self.data / "outbox").glob("*.eml"))

    def notes(self) -> dict[str, str]:
        """What the worker wants a person to know."""
        with Store(self.data / "monitor.db") as store:
            return store.notes()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A worker's world at eight in the evening."""
    with FeedServer() as server:
        yield World(tmp_path, server)


def test_an_edition_is_made_at_its_time_and_once(world: World) -> None:
    """Not before, and not again at the next tick."""
    world.publish([NEWS])
    world.runner.poll()
    world.runner.editions()
    assert world.mails() == []
    world.now = EVENING + 12 * HOUR
    world.runner.editions()
    world.runner.editions()
    assert len(world.mails()) == 1


def test_editions_missed_in_a_long_sleep_are_made_up_for_once(world: World) -> None:
    """Five mornings off make one mail, with everything in it."""
    world.publish([NEWS])
    world.runner.poll()
    world.now += timedelta(days=5)
    world.publish(["OpenAI and Microsoft cannot agree on AGI", NEWS])
    world.runner.poll()
    for _ in range(3):
        world.runner.editions()
    assert len(world.mails()) == 1
    with Store(world.data / "monitor.db") as store:
        assert store.counts()["editions"] == 1


def test_a_clock_set_back_makes_no_second_edition(world: World) -> None:
    """The database, not the clock, knows what was told."""
    world.publish([NEWS])
    world.runner.poll()
    world.now = EVENING + 12 * HOUR
    world.runner.editions()
    world.now -= 3 * HOUR
    world.runner.editions()
    world.now += 2 * HOUR
    world.runner.editions()
    assert len(world.mails()) == 1


def test_an_edit_is_taken_up_at_the_next_poll(world: World) -> None:
    """A feed added to the file is polled without a restart."""
    world.publish([NEWS])
    world.runner.poll()
    world.server.put("/two.xml", feed_document(["Microsoft and OpenAI on AGI"], world.now - HOUR, "two"))
    world.config.write_text(config_text([world.server.url(f"/{name}.xml") for name in ("one", "two")]))
    world.runner.poll()
    with Store(world.data / "monitor.db") as store:
        assert store.counts()["items"] == 2


def test_a_broken_edit_leaves_the_last_good_one_and_is_told(world: World) -> None:
    """The fault is noted with its line, reaches the digest, and goes away when it is mended."""
    world.publish([NEWS])
    good = world.config.read_text()
    world.config.write_text(good.replace("themes:", "themse:"))
    world.runner.poll()
    world.runner.poll()
    [note] = world.notes().values()
    assert "feeds.yaml:13:1: themse: unknown key; did you mean themes?" in note
    world.now = EVENING + 12 * HOUR
    world.runner.editions()
    [page] = (world.data / "outbox").glob("*.html")
    assert "did you mean themes?" in page.read_text(encoding="utf-8")
    world.config.write_text(good)
    world.runner.poll()
    assert world.notes() == {}


def test_a_config_file_that_vanishes_does_not_stop_the_worker(world: World) -> None:
    """Editors that replace a file by rename leave a moment without one."""
    world.publish([NEWS])
    good = world.config.read_text()
    world.config.unlink()
    world.runner.poll()
    assert "not found" in world.notes()["configuration"]
    world.config.write_text(good)
    world.runner.poll()
    assert world.notes() == {}
    with Store(world.data / "monitor.db") as store:
        assert store.counts()["items"] == 1


def use_templates(world: World, folder: Path) -> Path:
    """Give the worker templates of its own and return their folder."""
    own = Path(shutil.copytree(TEMPLATES, folder / "templates"))
    world.runner.office = replace(world.runner.office, desk=replace(world.runner.office.desk, templates=own))
    return own


def test_a_broken_template_is_told_before_the_next_edition_and_holds_up_no_mail(world: World, tmp_path: Path) -> None:
    """Health knows at the next poll; the edition goes out with the last good ones and says so; mended, all is well."""
    own = use_templates(world, tmp_path)
    world.publish([NEWS])
    world.runner.poll()
    with Store(world.data / "monitor.db") as store:
        assert store.notes() == {}
        (own / "story.txt").write_text("{% if %}")
        world.runner.poll()
        assert f"{own / 'story.txt'}:1: Expected an expression" in store.notes()["templates"]
        world.now = EVENING + 12 * HOUR
        world.runner.editions()
        [mail] = world.mails()
        page = (world.data / "outbox" / mail).with_suffix(".html").read_text("utf-8")
        assert "story.txt:1: Expected an expression" in " ".join(page.split())
        assert store.jobs()["editions"].error == ""
        shutil.copy(TEMPLATES / "story.txt", own)
        world.runner.poll()
        assert store.notes() == {}


def test_templates_that_are_made_while_the_worker_runs_are_taken_up(world: World, tmp_path: Path) -> None:
    """No restart: a first file of one's own, and its fault."""
    own = tmp_path / "not there yet"
    world.runner.office = replace(world.runner.office, desk=replace(world.runner.office.desk, templates=own))
    world.publish([NEWS])
    world.runner.poll()
    own.mkdir()
    (own / "digest.subject.txt").write_text("{{ nonsense() }}")
    world.runner.poll()
    with Store(world.data / "monitor.db") as store:
        assert f"{own / 'digest.subject.txt'}:1: " in store.notes()["templates"]
        (own / "digest.subject.txt").write_text("Mine")
        world.runner.poll()
        assert store.notes() == {}
        assert (store.last_templates() or {})["digest.subject.txt"] == "Mine"


def test_every_mailed_edition_is_in_the_archive_and_a_full_disk_stops_no_mail(world: World, tmp_path: Path) -> None:
    """What could not be written comes with the next edition."""
    (world.data / "archive").write_text("in the way")
    world.publish([NEWS])
    world.runner.poll()
    world.now = EVENING + 12 * HOUR
    world.runner.editions()
    assert len(world.mails()) == 1
    (world.data / "archive").unlink()
    world.publish([NEWS, "OpenAI and Microsoft cannot agree on AGI"])
    world.now += 24 * HOUR
    world.runner.poll()
    world.runner.editions()
    assert len(list((world.data / "archive" / "morning").iterdir())) == 2
    assert "cannot agree on AGI" in (world.data / "archive" / "index.html").read_text("utf-8")


def test_a_database_deleted_under_a_running_worker_is_begun_anew(world: World) -> None:
    """Its digests are met again, so that the next morning has its mail."""
    for path in world.data.glob("monitor.db*"):
        path.unlink()
    world.publish([NEWS])
    world.runner.poll()
    world.runner.editions()
    world.now += 12 * HOUR
    world.runner.editions()
    assert len(world.mails()) == 1


def test_a_value_that_yaml_cannot_make_is_a_mistake_like_any_other(world: World) -> None:
    """An impossible date among the keywords stops nothing."""
    world.publish([NEWS])
    world.config.write_text(world.config.read_text().replace("[AGI]", "[AGI, 2026-02-30]"))
    world.runner.poll()
    assert "2026" in world.notes()["configuration"] or "day" in world.notes()["configuration"]
    with Store(world.data / "monitor.db") as store:
        assert store.counts()["items"] == 1
        assert store.jobs()["poll"].error == ""


def test_a_second_wake_up_does_not_wait_behind_a_hanging_delivery(world: World) -> None:
    """The scheduler's threads stay free for polling."""
    with world.runner._one_delivery:
        world.runner._polled.set()
        world.runner.editions()
    with Store(world.data / "monitor.db") as store:
        assert "editions" not in store.jobs()


def test_each_digest_has_a_job_at_its_own_time(world: World) -> None:
    """Jobs follow the file, with its time zone, also after an edit."""
    world.runner.start()
    try:
        world.config.write_text(
            world.config.read_text().replace('at: "07:30"', 'cron: "15 6 * * 1-5"\n    timezone: Asia/Shanghai')
        )
        with Store(world.data / "monitor.db") as store:
            world.runner.reload(store)
        job = world.runner._scheduler.get_job("digest morning")
        fires = job.trigger.get_next_fire_time(None, datetime(2026, 11, 28, tzinfo=UTC))
        assert fires.astimezone(UTC) == datetime(2026, 11, 29, 22, 15, tzinfo=UTC)
    finally:
        world.runner.end()


# ---------------------------------------------------------------- the real process


class Process:
    """`monitor run` as a user starts it; its log is read line by line."""

    def __init__(self, config: Path, data: Path, **environ: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "monitor", "--config", str(config), "--data", str(data), "run"],
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "MONITOR_LOG": "json", **environ},
        )
        self.lines: list[str] = []

    def wait_for(self, text: str) -> str:
        """Read the log up to a line that holds `text`."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError(f"no {text!r} in:\n" + "".join(self.lines))

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; return the exit status and the seconds until the end."""
        began = time.monotonic()
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=20)
        self.lines.append(rest)
        return self.process.returncode, time.monotonic() - began


@contextmanager
def running(config: Path, data: Path, **environ: str) -> Iterator[Process]:
    """A worker process that is killed at the latest when the test ends."""
    started = Process(config, data, **environ)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
        started.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_polls_says_where_digests_go_and_ends_well(tmp_path: Path, number: signal.Signals) -> None:
    """From start to SIGTERM or Ctrl-C: exit 0 within ten seconds."""
    with FeedServer() as server:
        server.put("/one.xml", feed_document([NEWS], datetime.now(UTC) - HOUR))
        (tmp_path / "feeds.yaml").write_text(config_text([server.url("/one.xml"), "http://127.0.0.1:9/closed.xml"]))
        with running(tmp_path / "feeds.yaml", tmp_path / "data") as started:
            assert str(tmp_path / "data" / "outbox") in started.wait_for("no MONITOR_SMTP_HOST")
            assert "could not be reached" in json.loads(started.wait_for("feed failed"))["reason"]
            polled = json.loads(started.wait_for('"polled"'))
            assert (polled["feeds"], polled["failed"], polled["new"], polled["hits"]) == (2, 1, 1, 1)
            status, seconds = started.end(number)
    assert status == 0
    assert seconds < 10
    assert "Traceback" not in "".join(started.lines)
    with closing(sqlite3.connect(tmp_path / "data" / "monitor.db")) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_second_worker_on_the_same_data_says_so_and_ends(tmp_path: Path) -> None:
    """One worker a database; a kill -9 frees the place."""
    with FeedServer() as server:
        server.put("/one.xml", feed_document([NEWS], datetime.now(UTC) - HOUR))
        (tmp_path / "feeds.yaml").write_text(config_text([server.url("/one.xml")]))
        with running(tmp_path / "feeds.yaml", tmp_path / "data") as first:
            first.wait_for('"polled"')
            with running(tmp_path / "feeds.yaml", tmp_path / "data") as second:
                second.wait_for("one worker a data folder")
                assert second.process.wait(10) == 1
            first.end(signal.SIGKILL)
        with running(tmp_path / "feeds.yaml", tmp_path / "data") as third:
            third.wait_for("digests go to")
            server.put("/one.xml", feed_document([NEWS, "More of OpenAI"], datetime.now(UTC)))
            assert third.end()[0] == 0


def test_a_feed_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """SIGTERM in the middle of a poll: what was under way is dropped and stays due."""
    asked = threading.Event()

    def never_answer(listener: socket.socket, held: list[socket.socket]) -> None:
        held.append(listener.accept()[0])
        asked.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []
        threading.Thread(target=never_answer, args=(listener, held), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/slow.xml"
        (tmp_path / "feeds.yaml").write_text(config_text([url]))
        with running(tmp_path / "feeds.yaml", tmp_path / "data") as started:
            assert asked.wait(20)
            status, seconds = started.end()
        for connection in held:
            connection.close()
    assert status == 0
    assert seconds < 10
    with Store(tmp_path / "data" / "monitor.db") as store:
        assert store.feed_states() == {}


def test_a_mail_server_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """SIGTERM while the mail server says nothing: the mail stays in the outbox."""
    asked = threading.Event()
    held: list[socket.socket] = []

    def greet_and_hang(listener: socket.socket) -> None:
        connection = listener.accept()[0]
        held.append(connection)
        connection.sendall(b"220 ready\r\n")
        connection.recv(1000)
        asked.set()

    with FeedServer() as server, socket.create_server(("127.0.0.1", 0)) as listener:
        server.put("/one.xml", feed_document([NEWS], datetime.now(UTC) - HOUR))
        (tmp_path / "feeds.yaml").write_text(config_text([server.url("/one.xml")]))
        settings = config.load(tmp_path / "feeds.yaml")
        now = datetime.now(UTC)
        with Store(tmp_path / "data" / "monitor.db") as store:
            worker.meet_digests(settings, store, now)
            worker.poll(settings, store, lambda: now)
            worker.digest(settings, settings.digests[0], store, press.Desk(TEMPLATES, "m@example.test"), now)
        threading.Thread(target=greet_and_hang, args=(listener,), daemon=True).start()
        smtp = {
            "MONITOR_SMTP_HOST": "127.0.0.1",
            "MONITOR_SMTP_PORT": str(listener.getsockname()[1]),
            "MONITOR_SMTP_SECURITY": "plain",
            "MONITOR_SMTP_FROM": "m@example.test",
        }
        with running(tmp_path / "feeds.yaml", tmp_path / "data", **smtp) as started:
            assert asked.wait(20)
            status, seconds = started.end()
        for connection in held:
            connection.close()
    assert status == 0
    assert seconds < 10
    with Store(tmp_path / "data" / "monitor.db") as store:
        assert len(store.troubled_deliveries()) == 1


# ------------------------------------------------------------------ the second opinion


def test_weights_that_were_learnt_are_taken_up_at_the_next_poll(world: World) -> None:
    """Nobody restarts the worker after `monitor learn`; broken weights are told, and the keywords go on alone."""
    text = config_text([world.server.url("/one.xml")])
    world.config.write_text(text + "second_opinion: blend\n", encoding="utf-8")
    world.publish([NEWS])
    world.runner.poll()
    assert world.notes() == {}
    doubting = replace(weights(), base=(-50.0, 0.0, 0.0, 0.0))
    advice.write(world.data, doubting, None)
    world.now += HOUR
    world.publish(["Microsoft and OpenAI fall out over AGI", NEWS])
    world.runner.poll()
    (world.data / advice.PLAIN).write_text("{}")
    world.now += HOUR
    world.publish(["OpenAI calls Microsoft a rival", "Microsoft and OpenAI fall out over AGI", NEWS])
    world.runner.poll()
    [note] = world.notes().values()
    assert note.startswith(f"the second opinion is not heard: {world.data / advice.PLAIN}: not weights")
    with Store(world.data / "monitor.db") as store:
        said = {hit.item.title: hit.verdict.doubted for hit in store.untold_hits("morning")}
    assert said == {
        NEWS: False,
        "Microsoft and OpenAI fall out over AGI": True,
        "OpenAI calls Microsoft a rival": False,
    }
    (world.data / advice.PLAIN).unlink()
    world.now += HOUR
    world.runner.poll()
    assert world.notes() == {}


def test_quiet_feeds_are_asked_once_more_before_an_edition(world: World) -> None:
    """In its last ten minutes, and only once."""
    world.publish([NEWS])
    world.now = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
    world.runner.poll()
    asked = len(world.server.requests)
    world.now = datetime(2026, 11, 24, 6, 31, tzinfo=UTC)
    with Store(world.data / "monitor.db") as store:
        [state] = store.feed_states().values()
        store.save_poll(replace(state, due=world.now + timedelta(hours=2)))
    world.runner.poll()
    assert len(world.server.requests) == asked
    world.now = datetime(2026, 11, 24, 7, 21, tzinfo=UTC)
    world.runner.poll()
    world.runner.poll()
    assert len(world.server.requests) == asked + 1
