"""Is it alive, and is it telling the truth: what is wrong with a worker, from what it wrote down. Pure.

What keeps polling or sending from working is a problem, and so is what a person must mend and has not for an hour.
What may mend itself, or was noticed just now, is a remark: it fails nothing, so that no container is started anew for a
slip of the pen in feeds.yaml. Each line is `what: what is wrong: what to do`; docs/operations.md explains all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from monitor import slots
from monitor.errors import clipped, without_secrets
from monitor.model import CHANNEL, DigestPlan, FeedState, JobRun, Note, State

POLL_STALLED = timedelta(minutes=15)
EDITIONS_STALLED = timedelta(minutes=30)
"""A mail server may take minutes for each answer."""
EDITION_LATE = timedelta(minutes=30)
DELIVERY_STUCK = timedelta(minutes=30)
"""Servers that put a mail off (greylisting) take it within minutes."""
DOUBTED = timedelta(days=1)
"""What may have arrived and is not tried again is a problem for so long; there is nothing to mend."""
ALL_SILENT = timedelta(minutes=15)
"""So long every feed must have failed; less is a network that is coming up."""
FOR_LONG = timedelta(hours=1)
"""What a person has to mend is a problem from then on, and what happened once is one until then."""
TOLD = timedelta(hours=24)
"""So long what happened once is told."""
LOCKED = timedelta(minutes=5)
"""When no poll has ended for so long, it is asked whether another process locks the database."""
AHEAD = timedelta(minutes=2)
"""What is dated further ahead was written before the clock was set back."""
LEAST_ROOM, GOOD_ROOM = 8 * 2**20, 128 * 2**20
"""Bytes: SQLite's log takes four megabytes before it is written back, and more while old texts are forgotten."""
LONGEST = 600
"""Characters of what others say that a line has room for."""
BACK, FORWARD = "was set back", "was set forward"
"""How the note on the clock begins."""

LINES: Mapping[str, str] = {
    "worker": "worker: none is running on this data folder: start it with monitor run",
    "idle": (
        "worker: it is up, and began no poll since {since} UTC: its scheduler is dead or blocked; start the worker anew"
    ),
    "hangs": "{job}: it has not ended since {since} UTC: the log says what it waits for; start the worker anew",
    "failed": (
        "{job}: the last run failed ({error}): mend what it says; it is tried again by itself, and the log says more"
    ),
    "feeds": (
        "feeds: all {count} fail since {since} UTC ({error}, at {feed}): see whether this machine has a network and a"
        " name server"
    ),
    "edition": (
        "digest {digest}: the edition of {slot} UTC is overdue: the log says what keeps it;"
        " monitor digest {digest} makes it now"
    ),
    "unknown": "digest {digest}: the worker does not know it yet: it should in a minute; else start the worker anew",
    "refused": (
        "delivery to {recipient}: {state} since {since} UTC ({answer}): mend the address or ask who runs the mail"
        " server; it is not tried again, and the next mail that arrives settles it"
    ),
    "waiting": (
        "delivery to {recipient}: {state} since {since} UTC ({answer}): it is tried again by itself;"
        " monitor send-test {address} shows what is answered now"
    ),
    "doubtful": (
        "delivery to {recipient}: {state} since {since} UTC ({answer}): it may have arrived, and is not tried again;"
        " the next mail that arrives settles it"
    ),
    "configuration": "configuration: {note}: mend it; monitor check lists every fault",
    "unread": "configuration: {fault}: mend it; the worker goes by the last good one, if there is one",
    "templates": "templates: {note}: mend them; mails are made with the last good ones",
    "second opinion": "second opinion: {note}: mend or remove what it names; items are judged by keywords alone",
    "last good": "last good copy: {note}: let the worker write it; one that starts anew would be without it",
    "mount": "mount: {note}: until then edits are not seen",
    "room": (
        "disk: {free} MB are free for {folder}, and {least} MB are needed: make room or enlarge the volume;"
        " a full one stops polling and sending"
    ),
    "full": "disk: nothing can be written to {folder} ({reason}): make room, for files (inodes) too",
    "folder": "data folder: {folder} cannot be written ({reason}): let the worker's user do it (asked as user {user})",
    "none": "database: there is none in {folder} yet: start the worker, and it makes one",
    "missing": (
        "database: {path} is gone under a running worker: it begins a new one within a minute; restore a backup if you"
        " have one"
    ),
    "newer": "database: {path} was written by {reason}: update the program",
    "older": "database: {path} was written by an earlier version: it is brought up to date when the worker starts anew",
    "damaged": "database: {path} is damaged ({reason}): stop the worker and restore a backup",
    "locked": "database: {path} is locked by another process: end what has it open beside the worker",
    "read-only": "database: {path} is read-only: let the worker's user write it (asked as user {user})",
    "unreadable": "database: {path} cannot be read ({reason}): see to what the reason says",
    "database": "database: {note}: restore a backup if you have one; what new feeds show from before is not told again",
    "future": (
        "clock: was set back; what the worker wrote at {written} UTC lies ahead of now ({now} UTC): see that the clock"
        " is right; a running worker goes on by itself within a minute"
    ),
    "clock": "clock: {note}: see that it is right (NTP); the worker has planned its jobs anew",
    "clocks": (
        "clock: {count} of {all} feeds come from servers whose clocks differ from this one by hours: see that it is"
        " right (NTP)"
    ),
    "files": (
        "mail: digests are written to files, and went to a mail server before: set MONITOR_SMTP_HOST for the worker,"
        " unless that is meant"
    ),
}
"""All that can be said. What stands in braces is filled in."""

NAMES = (
    "worker", "job", "feeds", "digest", "delivery", "configuration", "templates", "second opinion", "last good copy",
    "mount", "disk", "data folder", "database", "clock", "mail",
)  # fmt: skip
"""What a finding can be about."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: what it is about (one of NAMES), its line, and whether it is more than a remark."""

    name: str
    line: str
    grave: bool = True


@dataclass(frozen=True, slots=True)
class Room:
    """The data folder: bytes that are free, and that the database has.

    `refused` says in the system's words why nothing can be written there; `full`: for want of room.
    """

    free: int
    database: int
    refused: str = ""
    full: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What can be seen of a worker from outside.

    `running`: one holds the data folder; None where that cannot be asked. `fault` is why the database cannot be read,
    as a key of LINES with the `reason`. `states` are those of the enabled feeds that were polled; `digests` pair each
    plan with the end of its last edition. `unread` is what is wrong with feeds.yaml where no worker has said so.
    """

    now: datetime
    folder: str = ""
    path: str = ""
    user: str = ""
    running: bool | None = True
    room: Room | None = None
    fault: tuple[str, str] | None = None
    outdated: bool = False
    to_files: bool = False
    jobs: Mapping[str, JobRun] = field(default_factory=dict)
    states: Sequence[FeedState] = ()
    digests: Sequence[tuple[DigestPlan, datetime | None]] = ()
    deliveries: Sequence[tuple[str, State, str, datetime, bool]] = ()
    notes: Mapping[str, Note] = field(default_factory=dict)
    unread: str = ""


def findings(view: View) -> list[Finding]:
    """Return all that is wrong; nothing when polling and sending really work.

    What only follows from something else is left out.
    """
    found = [*_worker(view), *_room(view), *_database(view)]
    if view.fault is None:
        found += [*_clock(view), *_jobs(view), *_feeds(view), *_editions(view), *_deliveries(view), *_notes(view)]
    if view.unread:
        # A worker reads it within a minute, and stays with the last good one.
        found.append(_say("unread", grave=not view.running, fault=view.unread))
    return found


def stalled(jobs: Mapping[str, JobRun], now: datetime) -> bool:
    """Tell whether polls come so late that somebody may have locked the database."""
    ended = _ended(jobs.get("poll"))
    return ended is not None and now - max(ended, _began(jobs)) > LOCKED


def _say(key: str, *, grave: bool = True, **values: object) -> Finding:
    cleaned = {name: _plain(value) for name, value in values.items()}
    line = LINES[key].format(**cleaned)
    what = LINES[key].partition(":")[0].partition(" {")[0].removesuffix(" to")
    return Finding("job" if what.startswith("{job}") else what, line, grave)


def _plain(value: object) -> str:
    """Return a value as it stands in a line: times to the minute; what others say without secrets and line ends."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return clipped(" ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", without_secrets(str(value))).split()), LONGEST)


# ---------------------------------------------------------------- the machine


def _worker(view: View) -> Iterator[Finding]:
    if view.running is False and not (view.fault and view.fault[0] == "none"):
        yield _say("worker")


def _room(view: View) -> Iterator[Finding]:
    room = view.room
    if room is None:
        return
    least, good = max(LEAST_ROOM, room.database // 4), max(GOOD_ROOM, 2 * room.database)
    if room.free < least or (room.free < good and not room.full):
        wanted = least if room.free < least else good
        yield _say(
            "room", grave=room.free < least, folder=view.folder, free=room.free // 2**20, least=-(-wanted // 2**20)
        )
    elif room.full:
        yield _say("full", folder=view.folder, reason=room.refused)
    if room.refused and not room.full:
        yield _say("folder", folder=view.folder, reason=room.refused, user=view.user)


def _is_full(view: View) -> bool:
    return any(finding.name == "disk" and finding.grave for finding in _room(view))


def _database(view: View) -> Iterator[Finding]:
    if view.fault:
        key, reason = view.fault
        cut_off = view.room is not None and view.room.refused and key in ("unreadable", "read-only")
        if not cut_off:  # the folder says it already
            yield _say(key, folder=view.folder, path=view.path, reason=reason, user=view.user)
    elif view.outdated:
        yield _say("older", grave=False, path=view.path)


# ---------------------------------------------------------------- the clock


def _clock(view: View) -> Iterator[Finding]:
    """Tell of a clock that was set.

    Set forward it does no harm once a poll went well: a machine that was asleep looks so. Set back it is a problem for
    an hour, for what was written before lies ahead.
    """
    if ahead := _ahead(view):
        yield _say("future", written=ahead, now=view.now)
    elif note := view.notes.get("clock"):
        age = view.now - note.since
        poll = view.jobs.get("poll")
        polled = bool(poll and not poll.error and poll.succeeded and poll.succeeded >= note.since)
        if age <= TOLD:
            yield _say("clock", grave=not polled or (note.text.startswith(BACK) and age < FOR_LONG), note=note.text)
    off = sum(state.odd == "clock" for state in view.states)
    if off >= 3 and off > len(view.states) / 2:
        yield _say("clocks", grave=False, count=off, all=len(view.states))


def _ahead(view: View) -> datetime | None:
    """Return the time of what was written last, where that is yet to come.

    By what runs each minute: what runs once a day is mended later, and nothing is computed from it.
    """
    runs = [view.jobs[name] for name in ("worker", "poll", "editions") if name in view.jobs]
    times = [at for run in runs for at in (run.started, run.finished) if at]
    latest = max(times, default=view.now)
    return latest if latest - view.now > AHEAD else None


# ---------------------------------------------------------------- polling


def _began(jobs: Mapping[str, JobRun]) -> datetime:
    """Return when the worker began: what it has not done since then is not late before that."""
    run = jobs.get("worker")
    return run.started if run and run.started else datetime.min.replace(tzinfo=UTC)


def _ended(run: JobRun | None) -> datetime | None:
    """Return when a job last ended; when it began where it never did."""
    return (run.finished or run.started) if run else None


def _jobs(view: View) -> Iterator[Finding]:
    if not _ahead(view):
        yield from _stalls(view)
    for name, run in view.jobs.items():
        if not run.error:
            continue
        if re.search(r"is damaged|malformed|not a database", run.error):
            yield _say("damaged", path=view.path, reason=run.error)
        elif not (_is_full(view) and re.search(r"disk is full|disk I/O|No space left", run.error)):
            yield _say("failed", job=name, error=run.error)


def _stalls(view: View) -> Iterator[Finding]:
    """Tell of jobs that do not come to an end, and of a worker that begins none."""
    if view.running is not True:
        return
    for name, patience in (("poll", POLL_STALLED), ("editions", EDITIONS_STALLED)):
        run = view.jobs.get(name)
        last = _ended(run)
        if run is None or run.started is None or last is None:
            continue
        since = max(last, _began(view.jobs))
        if view.now - since <= patience:
            continue
        if run.finished is None or run.started > run.finished:
            yield _say("hangs", job=name, since=since)
        elif name == "poll":
            yield _say("idle", since=since)
            return
        else:
            yield _say("hangs", job=name, since=since)


def _feeds(view: View) -> Iterator[Finding]:
    states = view.states
    if not states or not all(state.failing_since for state in states):
        return
    # What fails since a time to come was noted before the clock was set back.
    since = [state.failing_since for state in states if state.failing_since and state.failing_since <= view.now]
    latest = max(since) if len(since) == len(states) else None
    long = latest is None or view.now - latest > ALL_SILENT
    yield _say(
        "feeds",
        grave=long,
        count=len(states),
        since=latest or view.now,
        feed=states[0].url,
        error=states[0].error,
    )


# ---------------------------------------------------------------- editions and mail


def _editions(view: View) -> Iterator[Finding]:
    """Tell of editions that are late; a worker that has just begun makes up for what it missed."""
    if view.running is False or _ahead(view) or any(finding.name == "worker" for finding in _stalls(view)):
        return
    for plan, last in view.digests:
        if last is None:
            yield _say("unknown", digest=plan.name)
            continue
        missed = slots.missed_slot(plan.cron, plan.timezone, last, view.now)
        if missed and view.now - missed > EDITION_LATE:
            grave = view.now - _began(view.jobs) > EDITION_LATE
            yield _say("edition", grave=grave, digest=plan.name, slot=missed)


def _deliveries(view: View) -> Iterator[Finding]:
    for recipient, state, detail, created, tried_on in view.deliveries:
        late = view.running is not False and view.now - created > DELIVERY_STUCK
        over = state is State.UNKNOWN and not tried_on
        if state is State.REFUSED or over or late:
            yield _say(
                "doubtful" if over else "refused" if state is State.REFUSED else "waiting",
                grave=not over or view.now - created < DOUBTED,
                recipient=recipient,
                address=recipient.removeprefix(CHANNEL),
                state=state,
                since=created,
                answer=detail or "no answer yet",
            )
    if view.to_files:
        yield _say("files", grave=False)


# ---------------------------------------------------------------- notes of the worker


def _notes(view: View) -> Iterator[Finding]:
    """Tell what the worker noted.

    What is to be mended is a problem when it has stood for an hour, what happened once until then.
    """
    for name, note in view.notes.items():
        age = view.now - note.since
        if name == "clock" or (name == "last good" and _is_full(view)):
            continue
        if name == "database":
            if age <= TOLD:
                yield _say(name, grave=age < FOR_LONG, note=note.text)
        elif name in LINES:
            # A time to come was written by a clock that ran ahead: since when it reads so is not known.
            yield _say(name, grave=age > FOR_LONG or age < -AHEAD, note=note.text)
