"""Looks at a worker from outside, for `monitor health` and /healthz: gathers what `health.findings` judges.

It asks each minute and must be quick, change nothing, and say something true whatever state the database, the disk and
feeds.yaml are in.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from monitor import compiled, copies, health, lastgood, locks, slots
from monitor.errors import ConfigError, MonitorError, NewerDatabaseError, StoreError
from monitor.health import Finding, Room, View
from monitor.model import Figures, JobRun, Note, State
from monitor.settings import Settings, hash_of, read_bytes
from monitor.store import FILE_NAME, Store

SERVER_BEFORE = timedelta(days=7)
"""Mail that went to a server so lately was meant to go on doing so."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

Troubled = tuple[str, State, str, datetime, bool]
"""A delivery, as `Store.troubled_deliveries` returns it."""
Load = Callable[[Path, Path], Settings]
"""Reads feeds.yaml, as `compiled.load` does."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is true of a worker at one moment.

    `figures` is None where the database cannot be read. Sizes are bytes: of the database, of its log, and what is free.
    """

    findings: Sequence[Finding] = ()
    jobs: Mapping[str, JobRun] = field(default_factory=dict)
    figures: Figures | None = None
    last_editions: Mapping[str, datetime] = field(default_factory=dict)
    next_editions: Mapping[str, datetime] = field(default_factory=dict)
    database: int = 0
    log: int = 0
    free: int | None = None


def read(config: Path, data: Path, now: datetime, load: Load = compiled.load) -> Reading:
    """Return all that can be seen of the worker on a data folder."""
    view, database = look(config, data, now, load), data / FILE_NAME
    figures = None
    if view.fault is None:
        with suppress(MonitorError), Store(database, look=True) as store:
            figures = store.figures()
    nexts = {plan.name: slots.next_slot(plan.cron, plan.timezone, now) for plan, _ in view.digests}
    return Reading(
        health.findings(view),
        view.jobs,
        figures,
        {plan.name: last for plan, last in view.digests if last},
        {name: at for name, at in nexts.items() if at},
        copies.size(database),
        copies.size(database.with_name(f"{database.name}-wal")),
        view.room.free if view.room else None,
    )


def remembering() -> Load:
    """Return what reads feeds.yaml again only when it was edited: a worker is asked all the time."""
    known: list[Settings] = []

    def load(config: Path, data: Path) -> Settings:
        if not known or known[0].fingerprint != hash_of(read_bytes(config)):
            known[:] = [compiled.load(config, data)]
        return known[0]

    return load


def examine(config: Path, data: Path, now: datetime) -> list[Finding]:
    """Return what is wrong with the worker on a data folder."""
    return health.findings(look(config, data, now))


def look(config: Path, data: Path, now: datetime, load: Load = compiled.load) -> View:
    """Gather what there is to judge."""
    database = data / FILE_NAME
    running = _running(data)
    view = View(
        now,
        folder=str(data),
        path=str(database),
        user=str(os.geteuid()) if hasattr(os, "geteuid") else os.environ.get("USERNAME", "?"),
        running=running,
        room=_room(data, database),
    )
    if not database.exists():
        view = replace(view, fault=("missing" if running else "none", ""))
        return replace(view, unread=_settings(config, data, load, view.notes)[1])
    if running and not os.access(database, os.W_OK):
        view = replace(view, fault=("read-only", ""))
    try:
        with Store(database, look=True) as store:
            return _seen(view, store, config, data, load)
    except MonitorError as e:
        return replace(view, fault=_fault(e, view), unread=_settings(config, data, load, {})[1])


def _seen(view: View, store: Store, config: Path, data: Path, load: Load) -> View:
    """Add what stands in the database."""
    now, jobs, notes = view.now, store.jobs(), store.noted()
    if view.running and health.stalled(jobs, now) and store.is_locked():
        return replace(view, fault=("locked", ""))
    settings, unread = _settings(config, data, load, notes if view.running else {})
    states = store.feed_states()
    return replace(
        view,
        outdated=store.outdated,
        to_files=store.went_to_files(now - SERVER_BEFORE),
        jobs=jobs,
        states=[states[feed.url] for feed in (settings.enabled if settings else ()) if feed.url in states],
        digests=[(plan, store.last_edition(plan.name, now)) for plan in (settings.digests if settings else ())],
        deliveries=_of_readers(store.troubled_deliveries(), settings),
        notes=notes,
        unread=unread,
    )


def _of_readers(found: Sequence[Troubled], settings: Settings | None) -> list[Troubled]:
    """Leave out what was given up for somebody who gets no mail any more: none that arrives would ever settle it."""
    if settings is None:
        return list(found)
    readers = {recipient for plan in settings.digests for recipient in plan.recipients}
    return [one for one in found if one[0] in readers or one[-1]]


def _running(data: Path) -> bool | None:
    """Tell whether a worker holds the data folder; None where that cannot be asked."""
    if not (data / "worker.lock").exists():  # made by the first worker; a folder that is not there stays so
        return False
    try:
        return locks.is_held(data, "worker")
    except StoreError:
        return None


def _room(data: Path, database: Path) -> Room | None:
    """Measure the folder, and try whether it can be written; None where there is none."""
    if not data.is_dir():
        return None
    size = sum(copies.size(database.with_name(database.name + more)) for more in ("", "-wal"))
    refused, full = "", False
    try:
        with tempfile.TemporaryFile(prefix=".health.", dir=data) as probe:
            probe.write(bytes(4096))
            probe.flush()
    except OSError as e:
        refused, full = e.strerror or str(e), e.errno in _NO_ROOM
    return Room(_free(data), size, refused, full)


def _free(folder: Path) -> int:
    """Return the bytes that are free for this user."""
    if not hasattr(os, "statvfs"):
        import shutil

        return shutil.disk_usage(folder).free
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


def _fault(e: MonitorError, view: View) -> tuple[str, str]:
    """Name why the database cannot be read."""
    text = str(e).removeprefix(f"{view.path}: ")
    if isinstance(e, NewerDatabaseError):
        return "newer", text.removeprefix("was written by ").partition(";")[0]
    if view.fault:
        return view.fault
    for key, words in (
        ("locked", ("is locked",)),
        ("damaged", ("is damaged", "malformed", "not a database")),
    ):
        if any(word in text for word in words):
            return key, text.removeprefix("is damaged: ").removeprefix("cannot be read: ")
    return "unreadable", text.removeprefix("cannot be read: ")


def _settings(config: Path, data: Path, load: Load, notes: Mapping[str, Note]) -> tuple[Settings | None, str]:
    """Return the settings that the worker goes by, and what is wrong with feeds.yaml where it has not said so.

    A file that the worker has rejected is not read again: that takes a second, and each minute.
    """
    try:
        if "configuration" in notes and hash_of(read_bytes(config)) != _kept(data):
            return lastgood.load(config, data), ""
        return load(config, data), ""
    except ConfigError as e:
        return lastgood.load(config, data), "" if "configuration" in notes else str(e).splitlines()[0]


def _kept(data: Path) -> str:
    with suppress(OSError):
        return hash_of(lastgood.place(data).read_bytes())
    return ""
