"""Health: one staged case for each thing that can be wrong, and the case where nothing is.

First what is judged, from views that are made up; then `monitor health` itself on data folders with real faults.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor import compiled, lastgood
from monitor.health import LINES, NAMES, Finding, Room, View, findings
from monitor.locks import hold
from monitor.model import DigestPlan, Edition, FeedState, JobRun, Message, Note, Receipt, State
from monitor.store import MIGRATIONS, Store
from tests.builders import ROOT, config_text

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
READERS = ("reader@example.org",)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PLAN = DigestPlan("morning", ("reader@example.org",), "30 7 * * *", "Europe/Berlin")
"""07:30 in Berlin is 06:30 UTC in November."""
ENOUGH = Room(free=2**40, database=2**20)


def a_run(name: str, minutes_ago: int = 1, error: str = "") -> JobRun:
    """Return a run that began and ended so many minutes ago."""
    then = NOW - minutes_ago * MINUTE
    return JobRun(name, then, then, None if error else then, error)


def a_state(name: str, failing_for: timedelta | None = None) -> FeedState:
    """Return a feed that answers, or has failed for so long."""
    url = f"https://{name}.example.com/rss"
    if failing_for is None:
        return FeedState(url, last_polled=NOW, last_ok=NOW)
    return FeedState(url, last_polled=NOW, failures=4, failing_since=NOW - failing_for, error="no route to host")


def found(**changes: object) -> list[Finding]:
    """Return what is found of a worker that is well but for these changes."""
    well: dict[str, object] = {
        "now": NOW,
        "room": ENOUGH,
        "jobs": {name: a_run(name) for name in ("poll", "editions", "tidy")},
        "states": [a_state("one"), a_state("two")],
        "digests": [(PLAN, NOW - 5 * HOUR)],
    }
    return findings(View(**(well | changes)))  # type: ignore[arg-type]


def told(**changes: object) -> list[str]:
    """Return the problems."""
    return [one.line for one in found(**changes) if one.grave]


def remarked(**changes: object) -> list[str]:
    """Return the remarks."""
    return [one.line for one in found(**changes) if not one.grave]


def test_a_worker_that_works_has_no_problems() -> None:
    """Polled just now, feeds answer, the edition is out, nothing waits."""
    assert found() == []


# ------------------------------------------------------------------ polling


def test_a_worker_that_does_not_run_is_told() -> None:
    """Whatever it left behind looks well; what follows from it is not told beside it."""
    line = "worker: none is running on this data folder: start it with monitor run"
    assert told(running=False) == [line]
    late = {
        "digests": [(PLAN, NOW - 3 * DAY)],
        "deliveries": [("reader@example.org", State.PENDING, "", NOW - DAY, True)],
        "jobs": {"poll": a_run("poll", 5000)},
    }
    assert told(running=False, **late) == [line]


def test_a_worker_that_has_just_begun_is_well() -> None:
    """It has not polled yet."""
    assert found(jobs={}) == []
    assert found(jobs={"poll": JobRun("poll", None, None, None)}) == []


def test_a_poll_that_failed_is_told_with_its_reason() -> None:
    """Once, on one line, and without what nobody else should read."""
    jobs = {"poll": a_run("poll", error="StoreError: no\nhttps://me:secret@example.com/?token=abcdef")}
    [line] = told(jobs=jobs)
    assert line.startswith("poll: the last run failed (StoreError: no https://example.com/?token=***): ")


def test_a_worker_that_begins_no_poll_is_told() -> None:
    """Its process is up, its scheduler is not; what follows from that is not told beside it."""
    [line] = told(jobs={"poll": a_run("poll", 16), "editions": a_run("editions", 60)}, digests=[(PLAN, NOW - DAY)])
    assert line.startswith("worker: it is up, and began no poll since 2026-11-23 11:44 UTC: ")
    assert found(jobs={"poll": a_run("poll", 15)}) == []


@pytest.mark.parametrize(("job", "minutes"), [("poll", 16), ("editions", 31)])
def test_a_job_that_hangs_is_told(job: str, minutes: int) -> None:
    """It began, and did not end: neither the first nor a later one."""
    began = NOW - minutes * MINUTE
    others = {"poll": a_run("poll"), "editions": a_run("editions")}
    for run in (JobRun(job, began, None, None), JobRun(job, began, began - MINUTE, began - MINUTE)):
        since = run.finished or began
        [line] = told(jobs=others | {job: run})
        assert line.startswith(f"{job}: it has not ended since {since:%Y-%m-%d %H:%M} UTC: ")
    young = JobRun(job, NOW - (minutes - 1) * MINUTE, None, None)
    assert found(jobs=others | {job: young}) == []


def test_a_first_poll_under_way_is_no_problem() -> None:
    """A container is asked from its first minute on."""
    assert found(jobs={"poll": JobRun("poll", NOW - MINUTE, None, None)}) == []


def test_a_worker_that_was_off_is_given_time() -> None:
    """What it left behind days ago is old; it makes up for the edition that it missed."""
    began = JobRun("worker", NOW - MINUTE, None, None)
    jobs = {"poll": a_run("poll", 5000), "editions": a_run("editions", 5000), "worker": began}
    assert told(jobs=jobs, digests=[(PLAN, NOW - 3 * DAY)]) == []
    [line] = remarked(jobs=jobs, digests=[(PLAN, NOW - 3 * DAY)])
    assert line.startswith("digest morning: the edition of 2026-11-21 06:30 UTC is overdue")


# ------------------------------------------------------------------ feeds


def test_all_feeds_failing_for_long_is_told() -> None:
    """Then it is this side that is cut off: one line, with the first feed's reason."""
    states = [a_state("one", HOUR), a_state("two", 16 * MINUTE)]
    [line] = told(states=states)
    assert line.startswith(
        "feeds: all 2 fail since 2026-11-23 11:44 UTC (no route to host, at https://one.example.com/rss): "
    )


def test_all_feeds_failing_for_a_while_is_a_remark() -> None:
    """A network that comes up."""
    states = [a_state("one", HOUR), a_state("two", 15 * MINUTE)]
    assert told(states=states) == []
    assert remarked(states=states)[0].startswith("feeds: all 2 fail since 2026-11-23 11:45 UTC")


@pytest.mark.parametrize("states", [[a_state("one", HOUR), a_state("two")], []], ids=["one answers", "none"])
def test_some_feeds_failing_is_no_ill_health(states: list[FeedState]) -> None:
    """Feeds fail every day; the digest names them."""
    assert found(states=states) == []


def test_feeds_that_fail_since_a_time_to_come_fail_for_long() -> None:
    """A clock that ran ahead noted it."""
    assert len(told(states=[a_state("one", -DAY), a_state("two", HOUR)])) == 1


# ------------------------------------------------------------------ jobs


@pytest.mark.parametrize("job", ["editions", "tidy"])
def test_a_job_that_failed_is_told_with_its_reason(job: str) -> None:
    """Any of them; APScheduler would swallow it."""
    [line] = told(jobs={"poll": a_run("poll"), job: a_run(job, error="KeyError: 'x'")})
    assert line.startswith(f"{job}: the last run failed (KeyError: 'x'): ")


def test_a_job_that_found_damage_names_the_database() -> None:
    """It is read through once a day, by the job that tidies."""
    error = "data/monitor.db: is damaged: *** in database main *** Page 3: btreeInitPage() returns error code 11"
    [one] = found(jobs={"poll": a_run("poll"), "tidy": a_run("tidy", error=error)})
    assert one.name == "database"
    assert "restore a backup" in one.line


# ------------------------------------------------------------------ editions


def test_an_edition_that_is_late_is_told() -> None:
    """With the time when it was due."""
    [line] = told(digests=[(PLAN, NOW - DAY)])
    assert line.startswith("digest morning: the edition of 2026-11-23 06:30 UTC is overdue: ")


@pytest.mark.parametrize(("minutes", "lines"), [(-1, 0), (0, 0), (30, 0), (31, 1)])
def test_an_edition_is_given_half_an_hour(minutes: int, lines: int) -> None:
    """It waits for the poll before it."""
    now = NOW.replace(hour=6, minute=30) + minutes * MINUTE
    jobs = {"poll": JobRun("poll", now, now, now)}
    assert len(told(now=now, jobs=jobs, digests=[(PLAN, NOW - DAY)])) == lines


def test_an_old_edition_is_told_by_the_first_slot_it_missed() -> None:
    """A week of silence is one line a digest."""
    (line,) = told(digests=[(PLAN, NOW - 7 * DAY)])
    assert "2026-11-17 06:30 UTC is overdue" in line


def test_a_digest_that_was_never_due_is_no_problem() -> None:
    """It was added today, or is weekly."""
    weekly = DigestPlan("weekly", ("reader@example.org",), "0 8 * * 1")
    assert found(digests=[(weekly, NOW - 2 * HOUR)]) == []


def test_a_digest_that_the_worker_does_not_know_is_told() -> None:
    """It would never be made."""
    (line,) = told(digests=[(PLAN, None)])
    assert line.startswith("digest morning: the worker does not know it yet")


def test_each_digest_is_told_for_itself() -> None:
    """One being late says nothing of the other."""
    evening = DigestPlan("evening", ("reader@example.org",), "0 19 * * *")
    last = NOW - 10 * HOUR
    (line,) = told(digests=[(evening, last), (PLAN, last)])
    assert line.startswith("digest morning:")


# ------------------------------------------------------------------ deliveries


def test_a_refused_mail_is_told_at_once() -> None:
    """Nothing will be tried again, so there is nothing to wait for."""
    (line,) = told(deliveries=[("reader@example.org", State.REFUSED, "550 gone", NOW - MINUTE, False)])
    assert "(550 gone): mend the address" in line


@pytest.mark.parametrize(
    ("state", "detail", "line"),
    [
        (State.PENDING, "", "pending since 2026-11-23 09:59 UTC (no answer yet): "),
        (State.UNKNOWN, "connection lost", "unknown since 2026-11-23 09:59 UTC (connection lost): "),
        (State.REFUSED, "550 no such user", "refused since 2026-11-23 09:59 UTC (550 no such user): "),
        (State.SENDING, "", "sending since 2026-11-23 09:59 UTC (no answer yet): "),
    ],
)
def test_a_mail_that_does_not_leave_is_told(state: State, detail: str, line: str) -> None:
    """To whom, how it stands, since when, and what the server said."""
    [said] = told(deliveries=[("reader@example.org", state, detail, NOW - 121 * MINUTE, state is not State.REFUSED)])
    assert said.startswith(f"delivery to reader@example.org: {line}")


def test_a_mail_is_given_half_an_hour() -> None:
    """Servers ask to come back later."""
    assert found(deliveries=[("reader@example.org", State.PENDING, "451 later", NOW - 30 * MINUTE, True)]) == []


def test_a_mail_in_doubt_that_is_left_alone_is_not_said_to_be_tried_again() -> None:
    """After three doubts or a restore: a problem for a day, then a remark until the next mail arrives."""
    given_up = ("channel:team", State.UNKNOWN, "given up by a restore")
    [said] = told(deliveries=[(*given_up, NOW - HOUR, False)])
    assert said.startswith("delivery to channel:team: unknown since")
    assert "not tried again" in said
    assert remarked(deliveries=[(*given_up, NOW - 25 * HOUR, False)])
    [waiting] = told(deliveries=[("channel:team", State.PENDING, "500", NOW - HOUR, True)])
    assert "monitor send-test team shows" in waiting, "by the name that the command takes"


def test_a_finding_about_a_mail_is_counted_as_one() -> None:
    """The metrics go by the names in `NAMES`."""
    for state, tried_on in ((State.REFUSED, False), (State.PENDING, True), (State.UNKNOWN, False)):
        [finding] = found(deliveries=[("reader@example.org", state, "", NOW - HOUR, tried_on)])
        assert finding.name == "delivery"


def test_mail_that_goes_to_files_and_went_to_a_server_is_remarked() -> None:
    """A worker that lost its environment looks well otherwise."""
    assert remarked(to_files=True)[0].startswith("mail: digests are written to files, and went to a mail server before")


# ------------------------------------------------------------------ notes and the clock


@pytest.mark.parametrize("name", ["configuration", "templates", "second opinion", "last good", "mount"])
def test_what_a_person_must_mend_is_a_remark_for_an_hour(name: str) -> None:
    """No container is started anew for a slip of the pen; what stands for long fails."""
    text = "an edit was not taken up: feeds.yaml:3:1: tab"
    [remark] = remarked(notes={name: Note(text, NOW - HOUR)})
    [problem] = told(notes={name: Note(text, NOW - HOUR - MINUTE)})
    assert remark == problem
    assert f": {text}: " in problem
    assert told(notes={name: Note(text, NOW + DAY)}) == [problem]  # by a clock that ran ahead


@pytest.mark.parametrize(
    ("how", "age", "polled", "grades"),
    [
        ("was set back by 26 hours", 59 * MINUTE, True, [True]),
        ("was set back by 26 hours", 60 * MINUTE, True, [False]),
        ("was set back by 26 hours", 23 * HOUR, True, [False]),
        ("was set back by 26 hours", 25 * HOUR, True, []),
        ("was set forward by 8 hours", 2 * MINUTE, False, [True]),
        ("was set forward by 8 hours", 2 * MINUTE, True, [False]),
        ("was set forward by 8 hours", 25 * HOUR, True, []),
    ],
)
def test_a_clock_that_was_set_is_told_for_a_day(how: str, age: timedelta, polled: bool, grades: list[bool]) -> None:
    """Back it is a problem for an hour; forward until a poll went well, for a machine that slept looks so."""
    since = NOW - age
    poll = JobRun("poll", NOW, NOW, NOW if polled else since - MINUTE)
    some = found(jobs={"poll": poll}, notes={"clock": Note(how, since)})
    assert [one.grave for one in some] == grades
    assert all(one.line.startswith(f"clock: {how}: ") for one in some)


def test_what_was_written_in_time_to_come_is_told_and_nothing_is_computed_from_it() -> None:
    """No worker has noticed yet that the clock was set back."""
    jobs = {name: a_run(name, -1440) for name in ("poll", "editions")}
    [line] = told(jobs=jobs, digests=[(PLAN, NOW - 3 * DAY)])
    assert line.startswith(
        "clock: was set back; what the worker wrote at 2026-11-24 12:00 UTC lies ahead of now (2026-11-23 12:00 UTC): "
    )


def test_a_clock_that_most_servers_deny_is_remarked() -> None:
    """They say in their answers what time it is."""
    states = [FeedState(f"u{n}", last_polled=NOW, last_ok=NOW, odd="clock" if n < 3 else "") for n in range(6)]
    assert found(states=states) == []
    assert remarked(states=states[:5])[0].startswith("clock: 3 of 5 feeds come from servers whose clocks differ")


def test_a_database_that_was_begun_anew_is_told_for_a_day() -> None:
    """A problem for an hour: nothing is to be mended but by a backup."""
    note = Note("was begun anew at 2026-11-23 11:30 UTC", NOW - 30 * MINUTE)
    assert told(notes={"database": note})[0].startswith(f"database: {note.text}: restore a backup")
    assert remarked(notes={"database": Note(note.text, NOW - 2 * HOUR)}) != []
    assert found(notes={"database": Note(note.text, NOW - 25 * HOUR)}) == []


# ------------------------------------------------------------------ the disk


@pytest.mark.parametrize(
    ("room", "lines"),
    [
        (Room(7 * 2**20, 2**20), ["disk: 7 MB are free for data, and 8 MB are needed: "]),
        (Room(99 * 2**20, 400 * 2**20), ["disk: 99 MB are free for data, and 100 MB are needed: "]),
        (Room(0, 2**20, "No space left on device", full=True), ["disk: 0 MB are free for data, and 8 MB are needed: "]),
        (
            Room(2**40, 2**20, "No space left on device", full=True),
            ["disk: nothing can be written to data (No space left on device): "],
        ),
        (
            Room(2**40, 2**20, "Read-only file system"),
            ["data folder: data cannot be written (Read-only file system): "],
        ),
    ],
)
def test_a_disk_that_takes_nothing_more_is_told(room: Room, lines: list[str]) -> None:
    """Before it is full; what fails of it is not told beside it."""
    jobs = {"poll": a_run("poll", error="data/monitor.db: cannot be written: database or disk is full")}
    said = told(room=room, folder="data", jobs=jobs if "disk" in lines[0] else {"poll": a_run("poll")})
    assert [line[: len(start)] for line, start in zip(said, lines, strict=True)] == lines


def test_a_disk_that_fills_up_is_remarked() -> None:
    """In time to do something."""
    [line] = remarked(room=Room(100 * 2**20, 2**20), folder="data")
    assert line.startswith("disk: 100 MB are free for data, and 128 MB are needed")


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """A line for each."""
    lines = told(
        jobs={"poll": a_run("poll", 1, "boom"), "tidy": a_run("tidy", error="bang")},
        states=[a_state("one", HOUR)],
        digests=[(PLAN, NOW - DAY)],
        deliveries=[("reader@example.org", State.UNKNOWN, "lost", NOW - 3 * HOUR, True)],
        notes={"configuration": Note("an edit was not taken up", NOW - DAY)},
    )
    assert [line.split(":")[0] for line in lines] == [
        "poll",
        "tidy",
        "feeds",
        "digest morning",
        "delivery to reader@example.org",
        "configuration",
    ]


def test_each_line_says_what_is_wrong_with_what_and_what_to_do() -> None:
    """Three parts, the first of them a name that the metrics know."""
    for key, line in LINES.items():
        what, _, rest = line.partition(": ")
        wrong, _, to_do = rest.partition(": ")
        assert what
        assert wrong
        assert to_do, key
        name = re.sub(r" (to )?\{.*\}$", "", what)
        assert ("job" if name == "{job}" else name) in NAMES


def test_the_guide_has_each_line() -> None:
    """docs/operations.md: each that can be said is in its table, and no other is."""
    guide = (ROOT / "docs" / "operations.md").read_text("utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|", guide.split("## What each line")[1].split("\n## ")[0], re.M)
    said = {re.sub(r"\{(\w+)\}", lambda name: name[1].upper(), _front(line)) for line in LINES.values()}
    assert set(rows) == said


def _front(line: str) -> str:
    """What a line says without its advice."""
    what, wrong, _ = line.split(": ", 2)
    return f"{what}: {wrong}"


# ------------------------------------------------------------------ staged failures, through the real command


@dataclass
class Stage:
    """A data folder in which a worker worked a minute ago, as `monitor health` finds it; what is staged is changed."""

    folder: Path
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    undo: ExitStack = field(default_factory=ExitStack)
    worker: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.config, self.data = self.folder / "feeds.yaml", self.folder / "data"
        self.data.mkdir()
        self.config.write_text(config_text(["https://one.example.com/rss", "https://two.example.com/rss"], READERS))
        self.database = self.data / "monitor.db"
        with self.store() as store:
            self.settings = compiled.load(self.config, self.data)
            store.meet_digests(["morning"], self.now, DAY)
            for feed in self.settings.enabled:
                store.save_poll(FeedState(feed.url, due=self.now + HOUR, last_polled=self.now, last_ok=self.now))
            store.begin_job("worker", self.now - 3 * DAY)
            for job in ("poll", "editions"):
                self.job(store, job)
        lastgood.keep(self.config.read_bytes(), self.data)
        self.undo.enter_context(self.worker)
        self.work()

    def work(self) -> None:
        """Hold the data folder, as a worker does."""
        self.worker.enter_context(hold(self.data, "worker"))

    def store(self) -> Store:
        """The database."""
        return Store(self.database)

    def job(self, store: Store, name: str, ago: timedelta = MINUTE, error: str = "") -> None:
        """Write down that a job ran."""
        store.begin_job(name, self.now - ago)
        store.end_job(name, self.now - ago, error)

    def sql(self, change: str, *values: object) -> None:
        """Change what stands in the database."""
        with closing(sqlite3.connect(self.database)) as conn, conn:
            assert conn.execute(change, values).rowcount

    def mail(
        self, ago: timedelta, receipt: Receipt, again: bool = False, recipient: str = "reader@example.org"
    ) -> None:
        """Have an edition in the outbox since then, and what came of sending it."""
        at = self.now - ago
        with self.store() as store:
            message = Message(f"<{at.timestamp()}@x>", "m@example.org", recipient, "s", b"raw")
            assert store.freeze(an_edition(self.settings.digests[0], at), [message])
            [*_, delivery] = store.due_deliveries(at)
            store.end_delivery(delivery, receipt, self.now + HOUR if again else None, at)

    def health(self) -> subprocess.CompletedProcess[str]:
        """Run the command."""
        command = [sys.executable, "-m", "monitor", "-c", "feeds.yaml", "-d", "data", "health"]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("MONITOR_")}
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )


def an_edition(plan: DigestPlan, at: datetime) -> Edition:
    """An edition with nothing in it."""
    return Edition(plan, since=at - DAY, until=at, sections=(), reports=0, feeds_total=2, troubles=())


def _nothing(stage: Stage) -> None:
    """All is well."""


def _no_worker(stage: Stage) -> None:
    stage.worker.close()


def _dead_scheduler(stage: Stage) -> None:
    stage.sql("UPDATE jobs SET started = ?1, finished = ?1, succeeded = ?1 WHERE name <> 'worker'", _ago(stage, HOUR))


def _hanging_poll(stage: Stage) -> None:
    stage.sql("UPDATE jobs SET finished = ?1, succeeded = ?1 WHERE name = 'poll'", _ago(stage, HOUR))


def _failed_job(stage: Stage) -> None:
    with stage.store() as store:
        stage.job(store, "tidy", HOUR, "KeyError: 'x'")


def _no_network(stage: Stage) -> None:
    stage.sql("UPDATE feeds SET failures = 5, failing_since = ?, error = 'host not found'", _ago(stage, HOUR))


def _late_edition(stage: Stage) -> None:
    stage.sql("UPDATE digests SET first_seen = ?", _ago(stage, 3 * DAY))


def _stuck_mail(stage: Stage) -> None:
    stage.mail(HOUR, Receipt(State.PENDING, "mx.example.org:25: Connection refused"), again=True)


def _mail_refused_by_nobody_now(stage: Stage) -> None:
    stage.mail(MINUTE, Receipt(State.REFUSED, "RCPT: 550 no such user"), recipient="typo@example.org")


def _refused_mail(stage: Stage) -> None:
    stage.mail(MINUTE, Receipt(State.REFUSED, "RCPT: 550 no such user"))


def _files_for_mail(stage: Stage) -> None:
    stage.mail(2 * DAY, Receipt(State.SENT, "250 queued"))
    stage.mail(DAY, Receipt(State.SENT, "written to data/outbox/x.eml (no mail server is set)"))


def _rejected_for_long(stage: Stage) -> None:
    _broken_configuration(stage)
    stage.sql("UPDATE notes SET since = ?", _ago(stage, 2 * HOUR))


def _rejected_just_now(stage: Stage) -> None:
    _broken_configuration(stage)


def _broken_configuration(stage: Stage) -> None:
    stage.config.write_text(stage.config.read_text().replace("themes:", "themse:"))
    with stage.store() as store:
        store.note("configuration", "an edit was not taken up: feeds.yaml:13:1: themse: unknown key", stage.now)


def _unread_configuration(stage: Stage) -> None:
    stage.config.write_text(stage.config.read_text().replace("themes:", "themse:"))


def _broken_templates(stage: Stage) -> None:
    with stage.store() as store:
        store.note("templates", "an edit was not taken up: story.html:3: unexpected '}'", stage.now - DAY)


def _copy_not_kept(stage: Stage) -> None:
    with stage.store() as store:
        store.note("last good", "data/feeds.last-good.yaml: cannot be written: Permission denied", stage.now - DAY)


def _clock_set_back(stage: Stage) -> None:
    with stage.store() as store:
        for job in ("poll", "editions"):
            stage.job(store, job, -DAY)


def _clock_noted(stage: Stage) -> None:
    with stage.store() as store:
        store.note("clock", "was set back by 26 hours, from A to B UTC", stage.now - 10 * MINUTE)


def _clock_set_forward(stage: Stage) -> None:
    with stage.store() as store:
        store.note("clock", "was set forward by 26 hours, from A to B UTC", stage.now - MINUTE / 2)


def _database_gone(stage: Stage) -> None:
    for path in stage.data.glob("monitor.db*"):
        path.unlink()


def _database_anew(stage: Stage) -> None:
    with stage.store() as store:
        store.note("database", "was begun anew at A UTC, for the one that the worker had is gone", stage.now - MINUTE)


def _never_started(stage: Stage) -> None:
    _database_gone(stage)
    stage.worker.close()


def _database_newer(stage: Stage) -> None:
    stage.sql("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('monitor', 'm999_from_the_future')")


def _database_older(stage: Stage) -> None:
    stage.sql("DELETE FROM _sqlite_migrations WHERE name = ?", MIGRATIONS[-1])


def _database_locked(stage: Stage) -> None:
    stage.sql("UPDATE jobs SET started = ?1, finished = ?1 WHERE name = 'poll'", _ago(stage, 10 * MINUTE))
    conn = stage.undo.enter_context(closing(sqlite3.connect(stage.database)))
    conn.execute("BEGIN IMMEDIATE")


def _database_cut_short(stage: Stage) -> None:
    with stage.database.open("r+b") as file:
        file.truncate(stage.database.stat().st_size // 2)


def _database_overwritten(stage: Stage) -> None:
    for path in stage.data.glob("monitor.db-*"):
        path.unlink()
    stage.database.write_bytes(b"not a database, however long " * 1000)


def _database_damaged(stage: Stage) -> None:
    """The page of a table that health reads is not one any more."""
    with closing(sqlite3.connect(stage.database)) as conn:
        [page] = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = 'jobs'").fetchone()
        [size] = conn.execute("PRAGMA page_size").fetchone()
    with stage.database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def _read_only(stage: Stage, path: Path, mode: int) -> None:
    """Let nothing be written there: by rights, or by a mount where we are root and have all of them."""
    if os.geteuid() == 0:
        stage.undo.enter_context(mounted(path, "--bind", str(path)))
        subprocess.run(["mount", "-o", "remount,ro,bind", path], check=True)
    else:
        stage.undo.callback(path.chmod, path.stat().st_mode)
        path.chmod(mode)


def _database_read_only(stage: Stage) -> None:
    _read_only(stage, stage.database, 0o444)


def _folder_read_only(stage: Stage) -> None:
    _read_only(stage, stage.data, 0o555)


@contextmanager
def mounted(folder: Path, *how: str) -> Iterator[None]:
    """Mount something there."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small disk")
    if subprocess.run(["mount", *how, folder], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def _on_a_small_disk(stage: Stage, options: str) -> None:
    stage.worker.close()
    kept = shutil.copytree(stage.data, stage.folder / "kept")
    stage.undo.enter_context(mounted(stage.data, "-t", "tmpfs", "-o", options, "tmpfs"))
    shutil.copytree(kept, stage.data, dirs_exist_ok=True)
    stage.undo.enter_context(stage.worker)  # closed before the disk is taken away
    stage.work()


def _disk_full(stage: Stage) -> None:
    _on_a_small_disk(stage, "size=12m")
    with pytest.raises(OSError, match="No space"):
        (stage.data / "filler").write_bytes(bytes(12 * 2**20))
    with pytest.raises(sqlite3.OperationalError, match=r"full|disk I/O"):
        stage.sql("INSERT INTO notes VALUES ('x', hex(zeroblob(1000000)), '')")


def _disk_nearly_full(stage: Stage) -> None:
    _on_a_small_disk(stage, "size=40m")


def _no_inodes(stage: Stage) -> None:
    _on_a_small_disk(stage, "size=400m,nr_inodes=64")
    with suppress(OSError):
        for number in range(100):
            (stage.data / f"filler{number}").touch()


def _ago(stage: Stage, length: timedelta) -> str:
    """A time as the database has it."""
    return (stage.now - length).isoformat(timespec="microseconds").replace("+00:00", "Z")


STAGED: dict[Callable[[Stage], None], tuple[int, str]] = {
    _nothing: (0, r"healthy"),
    _no_worker: (1, r"worker: none is running on this data folder: .*"),
    _dead_scheduler: (1, r"worker: it is up, and began no poll since .*"),
    _hanging_poll: (1, r"poll: it has not ended since .*"),
    _failed_job: (1, r"tidy: the last run failed \(KeyError: 'x'\): .*"),
    _no_network: (1, r"feeds: all 2 fail since .* \(host not found, at https://one.example.com/rss\): .*"),
    _late_edition: (1, r"digest morning: the edition of .* is overdue: .*"),
    _stuck_mail: (1, r"delivery to reader@example.org: pending since .*Connection refused\): .*"),
    _refused_mail: (1, r"delivery to reader@example.org: refused since .*550 no such user\): .*"),
    _mail_refused_by_nobody_now: (0, r"healthy"),
    _files_for_mail: (0, r"healthy\nnote: mail: digests are written to files, .*"),
    _rejected_for_long: (1, r"configuration: an edit was not taken up: feeds.yaml:13:1: .*"),
    _rejected_just_now: (0, r"healthy\nnote: configuration: an edit was not taken up: feeds.yaml:13:1: .*"),
    _unread_configuration: (0, r"healthy\nnote: configuration: feeds.yaml:14:1: themse: unknown key.*"),
    _broken_templates: (1, r"templates: an edit was not taken up: story.html:3: .*"),
    _copy_not_kept: (1, r"last good copy: data/feeds.last-good.yaml: cannot be written: .*"),
    _clock_set_back: (1, r"clock: was set back; what the worker wrote at .*"),
    _clock_noted: (1, r"clock: was set back by 26 hours, .*"),
    _clock_set_forward: (1, r"clock: was set forward by 26 hours, .*"),
    _never_started: (1, r"database: there is none in data yet: .*"),
    _database_gone: (1, r"database: data/monitor.db is gone under a running worker: .*"),
    _database_anew: (1, r"database: was begun anew at A UTC, .*"),
    _database_newer: (1, r"database: data/monitor.db was written by .*\(m999_from_the_future\), and this is .*: .*"),
    _database_older: (0, r"healthy\nnote: database: data/monitor.db was written by an earlier version: .*"),
    _database_locked: (1, r"database: data/monitor.db is locked by another process: .*"),
    _database_cut_short: (1, r"database: data/monitor.db is damaged \(.*missing\): .*"),
    _database_overwritten: (1, r"database: data/monitor.db is damaged \(file is not a database\): .*"),
    _database_damaged: (1, r"database: data/monitor.db is damaged \(database disk image is malformed\): .*"),
    _database_read_only: (1, r"database: data/monitor.db is read-only: .*"),
    _folder_read_only: (1, r"data folder: data cannot be written \((?:Permission denied|Read-only file system)\): .*"),
    _disk_full: (1, r"disk: 0 MB are free for data, and 8 MB are needed: .*"),
    _disk_nearly_full: (0, r"healthy\nnote: disk: \d\d MB are free for data, and 128 MB are needed: .*"),
    _no_inodes: (1, r"disk: nothing can be written to data \(No space left on device\): .*"),
}
"""What is staged, and all that may be said of it."""


@pytest.mark.parametrize(
    ("stage_it", "status", "said"),
    [(s, *e) for s, e in STAGED.items()],
    ids=[stage_it.__name__.strip("_") for stage_it in STAGED],
)
def test_a_staged_failure_is_named_rightly_and_nothing_else_is(
    tmp_path: Path, stage_it: Callable[[Stage], None], status: int, said: str
) -> None:
    """By the real command on a real data folder; the database is left as it was."""
    stage = Stage(tmp_path)
    with stage.undo:
        stage_it(stage)
        before = stage.database.read_bytes() if stage.database.exists() else None
        done = stage.health()
        assert re.fullmatch(f"{said}\n", done.stdout), done.stdout + done.stderr
        assert (done.returncode, done.stderr) == (status, "")
        assert (stage.database.read_bytes() if stage.database.exists() else None) == before


def test_enough_failures_are_staged() -> None:
    """The count, for whoever runs the tests with -s."""
    faults = sum(status for status, _ in STAGED.values())
    print(f"{faults} staged failures and {len(STAGED) - faults - 1} remarks")
    assert faults >= 14


def test_health_answers_while_a_poll_writes(tmp_path: Path) -> None:
    """A writer in the middle of a transaction keeps nobody from looking."""
    stage = Stage(tmp_path)
    with closing(sqlite3.connect(stage.database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE feeds SET error = 'half written', failures = 9, failing_since = '2020-01-01T00:00:00Z'")
        assert stage.health().stdout == "healthy\n"
        writer.execute("ROLLBACK")
