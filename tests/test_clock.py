"""A clock that was set, a machine that slept, a database that is another one: what the worker does about it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from monitor import checkup
from monitor.clockwatch import ClockWatch, span
from monitor.errors import MonitorError, StoreError
from monitor.feeds.politeness import after_failure
from monitor.locks import hold
from monitor.model import Failure, Feed, FeedState, State
from monitor.schedule import IDLE, Runner
from monitor.store import Store
from tests.builders import feed_document
from tests.feedserver import FeedServer
from tests.test_schedule import NEWS, World

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


# ------------------------------------------------------------------ noticing


@pytest.mark.parametrize(
    ("clock", "timer", "said"),
    [
        (SECOND, 1.0, None),
        (SECOND + 119 * SECOND, 1.0, None),
        (SECOND - 119 * SECOND, 1.0, None),
        (60 * SECOND, 60.0, None),
        (SECOND - 26 * HOUR, 1.0, "was set back by 26 hours, from 2026-11-23 12:00 to 2026-11-22 10:00 UTC"),
        (SECOND + 365 * DAY, 1.0, "was set forward by 365 days, from 2026-11-23 12:00 to 2027-11-23 12:00 UTC"),
        (8 * HOUR, 8 * 3600.0, "the machine slept or the process was stopped for 8 hours"),
        (8 * HOUR, 1.0, "was set forward by 8 hours, from 2026-11-23 12:00 to 2026-11-23 20:00 UTC"),
    ],
)
def test_a_clock_that_was_set_is_told_from_a_machine_that_slept(
    clock: timedelta, timer: float, said: str | None
) -> None:
    """The timer goes on while it sleeps; small steps are how clocks are kept right. Once is enough."""
    watch = ClockWatch(NOW, 1000.0)
    found = watch.look(NOW + clock, 1000.0 + timer)
    assert (str(found) if found else None) == said
    assert watch.look(NOW + clock + SECOND, 1001.0 + timer) is None


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (2 * MINUTE, "2 minutes"),
        (119 * MINUTE, "119 minutes"),
        (2 * HOUR, "2 hours"),
        (DAY, "24 hours"),
        (9 * DAY, "9 days"),
    ],
)
def test_lengths_are_said_in_round_words(length: timedelta, said: str) -> None:
    """In the unit of which there are two at least."""
    assert span(length) == said


# ------------------------------------------------------------------ the worker


class Timed(World):
    """A worker's world with a timer that the test turns as well."""

    def __init__(self, folder: Path, server: FeedServer) -> None:
        self.seconds, self.document = 0.0, b""
        super().__init__(folder, server)
        self.begin()

    def begin(self) -> None:
        """Start the worker's life, without its scheduler's thread."""
        office = replace(self.runner.office, timer=lambda: self.seconds)
        self.runner = Runner(office, self.runner.settings)
        with self.store() as store:
            self.runner._welcome(store, self.now)

    def store(self) -> Store:
        """The database."""
        return Store(self.data / "monitor.db")

    def passes(self, clock: timedelta, timer: float | None = None) -> None:
        """Let the clock go on, and the timer as much or by so many seconds."""
        self.now += clock
        self.seconds += clock.total_seconds() if timer is None else timer

    def add(self, title: str) -> None:
        """Put one more entry on the server, ten minutes old; the others keep their dates."""
        fresh = feed_document([title], self.now - HOUR / 6)
        entry = fresh[fresh.index(b"<item>") : fresh.index(b"</channel>")]
        self.document = self.document.replace(b"<item>", entry + b"<item>", 1) if self.document else fresh
        self.server.put("/one.xml", self.document)

    def planned(self) -> dict[str, datetime]:
        """When each job is due."""
        return {job.id: job.next_run_time.astimezone(UTC) for job in self.runner._scheduler.get_jobs()}

    def health(self) -> list[str]:
        """The lines of `monitor health`; remarks begin with `note: `."""
        with hold(self.data, "worker"):
            found = checkup.examine(self.config, self.data, self.now)
        return [f"{'' if one.grave else 'note: '}{one.line}" for one in found]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Timed]:
    """A worker's world at eight in the evening; its scheduler stands still."""
    with FeedServer() as server:
        made = Timed(tmp_path, server)
        made.runner._scheduler.start(paused=True)
        yield made
        made.runner._scheduler.shutdown(wait=False)


def test_a_clock_set_back_by_a_day_stalls_nothing(world: Timed) -> None:
    """Jobs are planned anew at once, health tells it as a problem for an hour and as a remark for a day."""
    world.runner._plan()
    world.publish([NEWS])
    world.tick()
    world.runner.look_around()
    before = world.now
    with capture_logs() as logs:
        world.passes(-DAY, 1.0)
        assert world.health()[0].startswith("clock: was set back; what the worker wrote at")
        world.runner.look_around()
        world.passes(SECOND)
        world.runner.look_around()
    assert [one["event"] for one in logs] == ["the clock was set; planned anew"]
    assert world.planned()["poll"] == world.planned()["editions"] == world.now - SECOND
    world.publish(["OpenAI and Microsoft cannot agree on AGI", NEWS])
    world.tick()
    with world.store() as store:
        assert store.counts()["items"] == 2
        assert store.jobs()["poll"].finished is not None
    assert world.health()[0].startswith(f"clock: was set back by 24 hours, from {before:%Y-%m-%d %H:%M} to ")
    world.passes(2 * HOUR)
    world.tick()
    assert world.health()[0].startswith("note: clock: was set back by 24 hours")
    world.passes(DAY)
    world.tick()
    assert world.health() == []


def test_a_clock_set_forward_is_well_after_the_next_poll(world: Timed) -> None:
    """As a machine looks that was stopped as a whole; one that is known to have slept is not told at all."""
    world.publish([NEWS])
    world.tick()
    world.passes(8 * HOUR, 1.0)
    world.runner.look_around()
    world.runner.editions()
    assert any(line.startswith("clock: was set forward by 8 hours") for line in world.health())
    world.tick()
    assert [line.partition(" by ")[0] for line in world.health()] == ["note: clock: was set forward"]
    world.passes(25 * HOUR)
    with capture_logs() as logs:
        world.runner.look_around()
    assert [one["event"] for one in logs] == ["planned anew"]
    world.tick()
    assert world.health() == []


def test_readers_hear_nothing_of_the_clock(world: Timed) -> None:
    """A morning without news brings no mail because of it."""
    world.publish(["Nothing that anybody asked for"])
    world.tick()
    world.passes(-DAY, 1.0)
    world.runner.look_around()
    world.tick()
    assert world.notes()["clock"].startswith("was set back")
    world.passes(12 * HOUR + DAY)
    world.runner.poll()
    world.runner.editions()
    with world.store() as store:
        assert store.counts()["editions"] == 1
    assert world.mails() == []


def test_a_clock_that_was_set_back_while_no_worker_ran_is_noticed_at_its_start(world: Timed) -> None:
    """What the last one wrote lies ahead."""
    world.publish([NEWS])
    world.tick()
    world.now -= 3 * DAY
    world.runner._scheduler.shutdown(wait=False)
    world.begin()
    world.runner._scheduler.start(paused=True)
    assert world.notes()["clock"].startswith("was set back by 3 days")
    world.tick()
    assert world.health()[0].startswith("clock: was set back by 3 days")


def test_a_clock_that_cannot_be_noted_is_noted_later(world: Timed) -> None:
    """Somebody else may have the database just then."""
    world.tick()
    database = world.data / "monitor.db"
    database.rename(world.data / "away")
    database.mkdir()
    world.passes(-DAY, 1.0)
    world.runner.look_around()
    assert world.planned()["poll"] == world.now
    with pytest.raises(StoreError):
        world.runner.poll()
    database.rmdir()
    (world.data / "away").rename(database)
    world.tick()
    assert world.notes()["clock"].startswith("was set back by 24 hours")


def test_a_scheduler_that_is_dead_ends_the_worker(world: Timed) -> None:
    """Whoever watches over it starts it anew; a poll that takes long, or a machine that slept, is no reason."""
    world.tick()
    world.passes(timedelta(seconds=60))
    world.runner.look_around()
    world.passes(8 * HOUR)
    world.runner.look_around()
    for _ in range(int(IDLE // 60)):
        world.passes(MINUTE)
        world.runner.look_around()
    world.passes(MINUTE)
    world.runner._polling = True
    world.runner.look_around()
    world.runner._polling = False
    world.passes(MINUTE)
    with pytest.raises(MonitorError, match="the scheduler is dead"):
        world.runner.look_around()


# ------------------------------------------------------------------ what a wrong clock leaves behind


def test_a_mail_that_was_put_off_by_a_clock_that_ran_ahead_is_tried(world: Timed) -> None:
    """It would wait for a month."""
    world.publish([NEWS])
    world.tick()
    right = world.now + 12 * HOUR
    world.now = right + 30 * DAY
    (world.data / "outbox").write_text("in the way")
    world.tick()
    with world.store() as store:
        assert [state for _, state, *_ in store.troubled_deliveries()] == [State.PENDING]
    (world.data / "outbox").unlink()
    world.now = right
    world.tick()
    assert len(world.mails()) == 1


def test_a_feed_that_was_put_off_by_a_clock_that_ran_ahead_is_asked(world: Timed) -> None:
    """And since when it fails is not a time to come."""
    world.server.put("/one.xml", status=500)
    right = world.now
    world.now += 30 * DAY
    world.runner.poll()
    world.now = right
    world.publish([NEWS])
    world.runner.poll()
    with world.store() as store:
        assert store.counts()["items"] == 1
    ahead = FeedState("u", failures=3, failing_since=NOW + DAY, last_polled=NOW)
    assert after_failure(ahead, Feed("u"), Failure("no"), NOW).failing_since == NOW


def test_texts_are_kept_until_the_clock_has_stood_for_a_day(world: Timed) -> None:
    """A clock a year ahead for an hour has nothing forgotten; a year that really passed has."""

    def kept() -> int:
        with world.store() as store:
            return store.count_stored()[0]

    world.publish([NEWS])
    world.tick()
    for _ in range(3):
        world.runner.tidy()
        world.passes(DAY)
    right = world.now
    world.now += 500 * DAY
    for minutes in (0, 10, 60):
        world.now += minutes * MINUTE
        world.runner.tidy()
        assert kept() == 1
    world.now = right
    for _ in range(2):
        world.runner.tidy()
        world.passes(DAY)
        assert kept() == 1
    world.now += 500 * DAY
    world.runner.tidy()
    assert kept() == 1
    world.passes(DAY)
    world.runner.tidy()
    assert kept() == 0


def test_it_is_tidied_once_a_day_however_often_a_worker_starts(world: Timed) -> None:
    """The database says when it was done."""
    world.tick()
    for _ in range(30):
        world.runner.tidy()
        world.passes(HOUR)
    with world.store() as store:
        run = store.jobs()["tidy"]
    assert run.started == world.now - 30 * HOUR + 23 * HOUR


def test_damage_is_found_within_a_day(world: Timed) -> None:
    """By the job that tidies; health names the database and not the job."""
    world.publish([NEWS])
    world.tick()
    database = world.data / "monitor.db"
    with closing(sqlite3.connect(database)) as conn:
        [page] = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = 'labels'").fetchone()
        [size] = conn.execute("PRAGMA page_size").fetchone()
    with database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    assert world.health() == []
    world.runner.tidy()
    [line] = world.health()
    assert line.startswith(f"database: {database} is damaged (")
    assert line.endswith("stop the worker and restore a backup")


# ------------------------------------------------------------------ another database


def test_a_database_deleted_under_the_worker_is_told_and_tells_no_old_news(world: Timed) -> None:
    """What feeds show from before is filed; what came since is news. Health tells it for a day, and no mail does."""
    old, between = "Microsoft and OpenAI share a chip", "OpenAI and Microsoft cannot agree on AGI"
    world.add(old)
    world.add(NEWS)
    world.tick()
    world.now += 12 * HOUR
    world.tick()
    assert len(world.mails()) == 1
    with capture_logs() as logs:
        for path in world.data.glob("monitor.db*"):
            path.unlink()
        assert world.health()[0].startswith("database: ")
        assert "is gone under a running worker" in world.health()[0]
        world.now += 30 * MINUTE
        world.add(between)
        world.tick()
    assert [one["event"] for one in logs if one["log_level"] == "error"] == ["the database is another one"]
    assert world.health()[0].startswith("database: was begun anew at 2026-11-24 08:32 UTC, for the one")
    with world.store() as store:
        assert {hit.item.title for hit in store.untold_hits("morning")} == {between}
        assert store.counts()["items"] == 3
    late = "A rival of OpenAI courts Microsoft"
    world.now += 2 * HOUR
    world.add(late)
    world.tick()
    assert world.health()[0].startswith("note: database: was begun anew")
    world.now += 22 * HOUR
    world.tick()
    assert len(world.mails()) == 2
    assert NEWS not in world.page()
    assert late in world.page()
    assert "begun anew" not in world.page()
    world.runner.tidy()
    world.now += 5 * HOUR
    world.runner.tidy()
    world.now += DAY
    world.tick()
    world.runner.tidy()
    assert world.health() == []


def test_no_edition_is_made_before_what_feeds_show_is_filed(world: Timed) -> None:
    """The job that finds the database gone may be the one that makes editions."""
    world.publish([NEWS])
    world.tick()
    for path in world.data.glob("monitor.db*"):
        path.unlink()
    world.now += 12 * HOUR
    world.runner.editions()
    with world.store() as store:
        assert store.counts()["editions"] == 0
    assert not world.runner._polled.is_set()
    world.runner.poll()
    assert world.runner._polled.is_set()


def test_a_backup_put_in_its_place_is_taken_up(world: Timed) -> None:
    """It is told too; what it knows stays known."""
    world.publish([NEWS])
    world.tick()
    database, backup = world.data / "monitor.db", world.data.parent / "backup.db"
    shutil.copy(database, backup)
    world.runner._scheduler.shutdown(wait=False)
    world.passes(HOUR)
    world.begin()
    world.runner._scheduler.start(paused=True)
    world.tick()
    shutil.copy(backup, database)
    world.tick()
    assert world.health()[0].startswith("database: was replaced by another one, which the worker took up at ")
    with world.store() as store:
        assert {hit.item.title for hit in store.untold_hits("morning")} == {NEWS}
