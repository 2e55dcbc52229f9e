"""Health: one staged case for each thing that can be wrong, and the case where nothing is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.health import problems
from monitor.model import DigestPlan, FeedState, JobRun, State

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PLAN = DigestPlan("morning", ("reader@example.org",), "30 7 * * *", "Europe/Berlin")
"""07:30 in Berlin is 06:30 UTC in November."""


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


def told(**changes: object) -> list[str]:
    """Return the problems of a worker that is well but for these changes."""
    well: dict[str, object] = {
        "now": NOW,
        "running": True,
        "jobs": {name: a_run(name) for name in ("poll", "editions", "tidy")},
        "states": [a_state("one"), a_state("two")],
        "digests": [(PLAN, NOW - 5 * 60 * MINUTE)],
        "deliveries": [],
        "notes": {},
    }
    return problems(**(well | changes))  # type: ignore[arg-type]


def test_a_worker_that_works_has_no_problems() -> None:
    """Polled just now, feeds answer, the edition is out, nothing waits."""
    assert told() == []


# ------------------------------------------------------------------ polling


def test_a_worker_that_does_not_run_is_told() -> None:
    """Whatever it left behind looks well."""
    assert told(running=False) == ["worker: none is running on this data folder; start it with: monitor run"]


def test_a_worker_that_has_just_begun_is_well() -> None:
    """It has not polled yet."""
    assert told(jobs={}) == []
    assert told(jobs={"poll": JobRun("poll", None, None, None)}) == told(jobs={})


def test_a_poll_that_failed_is_told_with_its_reason() -> None:
    """Once."""
    jobs = {"poll": a_run("poll", error="StoreError: disk full")}
    assert told(jobs=jobs) == ["poll: the last run failed: StoreError: disk full"]


def test_a_poll_that_stopped_coming_is_told() -> None:
    """With the time when it last ended."""
    assert told(jobs={"poll": a_run("poll", 16)}) == ["poll: has not finished since 2026-11-23 11:44 UTC"]
    assert told(jobs={"poll": a_run("poll", 15)}) == []


def test_a_poll_that_hangs_is_told() -> None:
    """It began, and did not end: neither the first nor a later one."""
    long_ago = NOW - 40 * MINUTE
    first = JobRun("poll", long_ago, None, None)
    later = JobRun("poll", long_ago, long_ago - MINUTE, long_ago - MINUTE)
    assert told(jobs={"poll": first}) == ["poll: has not finished since 2026-11-23 11:20 UTC"]
    assert told(jobs={"poll": later}) == ["poll: has not finished since 2026-11-23 11:19 UTC"]


def test_a_first_poll_under_way_is_no_problem() -> None:
    """A container is asked from its first minute on."""
    assert told(jobs={"poll": JobRun("poll", NOW - MINUTE, None, None)}) == []


# ------------------------------------------------------------------ feeds


def test_all_feeds_failing_for_long_is_told() -> None:
    """Then it is this side that is cut off: one line, with the first feed's reason."""
    states = [a_state("one", timedelta(hours=1)), a_state("two", timedelta(minutes=16))]
    assert told(states=states) == ["feeds: all 2 failed the last time; https://one.example.com/rss: no route to host"]


@pytest.mark.parametrize(
    "states",
    [
        [a_state("one", timedelta(hours=1)), a_state("two")],
        [a_state("one", timedelta(hours=1)), a_state("two", timedelta(minutes=15))],
        [],
    ],
    ids=["one answers", "a network that comes up", "none"],
)
def test_some_feeds_failing_is_no_ill_health(states: list[FeedState]) -> None:
    """Feeds fail every day; the digest names them."""
    assert told(states=states) == []


# ------------------------------------------------------------------ jobs


@pytest.mark.parametrize("job", ["editions", "tidy"])
def test_a_job_that_failed_is_told_with_its_reason(job: str) -> None:
    """Any of them; APScheduler would swallow it."""
    jobs = {"poll": a_run("poll"), job: a_run(job, error="KeyError: 'x'")}
    assert told(jobs=jobs) == [f"{job}: the last run failed: KeyError: 'x'"]


# ------------------------------------------------------------------ editions


def test_an_edition_that_is_late_is_told() -> None:
    """With the time when it was due."""
    yesterday = NOW - timedelta(days=1)
    assert told(digests=[(PLAN, yesterday)]) == ["digest morning: the edition of 2026-11-23 06:30 UTC is overdue"]


@pytest.mark.parametrize(("minutes", "lines"), [(-1, 0), (0, 0), (30, 0), (31, 1)])
def test_an_edition_is_given_half_an_hour(minutes: int, lines: int) -> None:
    """It waits for the poll before it."""
    now = NOW.replace(hour=6, minute=30) + minutes * MINUTE
    jobs = {"poll": JobRun("poll", now, now, now)}
    assert len(told(now=now, jobs=jobs, digests=[(PLAN, NOW - timedelta(days=1))])) == lines


def test_an_old_edition_is_told_by_the_first_slot_it_missed() -> None:
    """A week of silence is one line a digest."""
    (line,) = told(digests=[(PLAN, NOW - timedelta(days=7))])
    assert "2026-11-17 06:30 UTC is overdue" in line


def test_a_digest_that_was_never_due_is_no_problem() -> None:
    """It was added today, or is weekly."""
    weekly = DigestPlan("weekly", ("reader@example.org",), "0 8 * * 1")
    assert told(digests=[(weekly, NOW - timedelta(hours=2))]) == []


def test_a_digest_that_the_worker_does_not_know_is_told() -> None:
    """It would never be made."""
    (line,) = told(digests=[(PLAN, None)])
    assert line.startswith("digest morning: is not known to the worker yet")


def test_a_refused_mail_is_told_at_once() -> None:
    """Nothing will be tried again, so there is nothing to wait for."""
    (line,) = told(deliveries=[("reader@example.org", State.REFUSED, "550 gone", NOW - MINUTE)])
    assert line.endswith("550 gone")


def test_each_digest_is_told_for_itself() -> None:
    """One being late says nothing of the other."""
    evening = DigestPlan("evening", ("reader@example.org",), "0 19 * * *")
    last = NOW - timedelta(hours=10)
    (line,) = told(digests=[(evening, last), (PLAN, last)])
    assert line.startswith("digest morning:")


# ------------------------------------------------------------------ deliveries and notes


@pytest.mark.parametrize(
    ("state", "detail", "line"),
    [
        (State.PENDING, "", "pending since 2026-11-23 09:59 UTC: no answer yet"),
        (State.UNKNOWN, "connection lost", "unknown since 2026-11-23 09:59 UTC: connection lost"),
        (State.REFUSED, "550 no such user", "refused since 2026-11-23 09:59 UTC: 550 no such user"),
        (State.SENDING, "", "sending since 2026-11-23 09:59 UTC: no answer yet"),
    ],
)
def test_a_mail_that_does_not_leave_is_told(state: State, detail: str, line: str) -> None:
    """To whom, how it stands, since when, and what the server said."""
    stuck = ("reader@example.org", state, detail, NOW - 121 * MINUTE)
    assert told(deliveries=[stuck]) == [f"delivery to reader@example.org: {line}"]


def test_a_mail_is_given_half_an_hour() -> None:
    """Servers ask to come back later."""
    assert told(deliveries=[("reader@example.org", State.PENDING, "451 later", NOW - 30 * MINUTE)]) == []


def test_notes_are_told() -> None:
    """A broken feeds.yaml is one."""
    assert told(notes={"configuration": "an edit was not taken up: feeds.yaml:3:1: tab"}) == [
        "an edit was not taken up: feeds.yaml:3:1: tab"
    ]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """A line for each."""
    lines = told(
        jobs={"poll": a_run("poll", 60, "boom"), "tidy": a_run("tidy", error="bang")},
        states=[a_state("one", timedelta(hours=1))],
        digests=[(PLAN, NOW - timedelta(days=1))],
        deliveries=[("reader@example.org", State.UNKNOWN, "lost", NOW - timedelta(hours=3))],
        notes={"configuration": "an edit was not taken up"},
    )
    assert [line.split(":")[0] for line in lines] == [
        "poll",
        "poll",
        "feeds",
        "tidy",
        "digest morning",
        "delivery to reader@example.org",
        "an edit was not taken up",
    ]
