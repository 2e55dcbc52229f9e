"""`monitor restore`: a backup in the place of the database, which is set aside; all or nothing.

A backup knows nothing of what was sent after it was taken. Mails that waited then may have arrived since, so they are
given up and shown as `unknown`, unless whoever restores says that they may go out. What was told since is told again:
the backup does not know of it, and nobody else can say.

The pages of editions that the backup does not know are set aside too, for the numbers of editions begin anew after
those that it knows: the page of another would stand in the way.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from monitor import copies
from monitor.archive import FOLDER as ARCHIVE
from monitor.errors import BusyError, NewerDatabaseError, StoreError
from monitor.locks import hold
from monitor.store import FILE_NAME, MIGRATIONS, Store

JOBS = ("worker", "poll", "deliver", "labels")
"""Whoever writes to a data folder holds one of these locks."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: what the backup holds, where what was there is now, and which mails were given up."""

    contents: copies.Contents
    aside: Path | None
    archive: Path | None
    given_up: tuple[str, ...]


def restore(backup: Path, data: Path, now: datetime, *, resend: bool) -> Restored:
    """Put a copy of `backup` in the place of the database of `data`, which must be nobody's at that time.

    Raises:
        BusyError: a worker, or another command that writes, is at work.
        NewerDatabaseError: a later version wrote the backup.
        StoreError: the backup cannot be used, or the folder not be written; all is as it was.
    """
    database = data / FILE_NAME
    contents = _usable(backup, database)
    stamp = f"{now:%Y-%m-%dT%H%M%SZ}"
    with _alone(data), copies.copied(backup, database) as fresh:
        given_up = _made_ready(fresh, database, now, resend=resend)
        with _aside(database, database.with_name(f"{FILE_NAME}.before-restore-{stamp}")) as aside:
            copies.give_name(fresh, database, over=True)
        archive = _archive_aside(data / ARCHIVE, stamp)
    return Restored(contents, aside, archive, given_up)


def _usable(backup: Path, database: Path) -> copies.Contents:
    """Look at the backup before anything is touched."""
    try:
        if backup.is_dir():
            raise StoreError(f"{backup}: is a folder; name the file of a backup in it")
        if not copies.is_database(backup):
            raise StoreError(f"{backup}: is no database")
        if database.exists() and os.path.samefile(backup, database):
            raise StoreError(f"{backup}: is the database itself; name a backup of it")
    except OSError as e:
        raise StoreError(f"{backup}: cannot be read: {e.strerror or e}") from e
    contents = copies.look_into(backup)
    strange = [name for name in contents.migrations if name not in MIGRATIONS]
    if strange:
        by = f"rift-monitor {contents.program}" if contents.program else "a later version of this program"
        raise NewerDatabaseError(f"{backup}: was written by {by} ({strange[-1]}); update the program, then restore it")
    return contents


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Hold every lock of the data folder, so that nobody writes meanwhile, and nobody begins to."""
    with ExitStack() as locks:
        for job in JOBS:
            try:
                locks.enter_context(hold(data, job, wait=2))
            except BusyError as e:
                at_work = "a worker is running" if job == "worker" else f"another command is at work ({job})"
                raise BusyError(f"{data}: {at_work}; stop it first, then restore, then start it again") from e
        yield


def _made_ready(fresh: Path, database: Path, now: datetime, *, resend: bool) -> tuple[str, ...]:
    """Bring the copy up to date, and give up the mails that waited; return to whom they were."""
    with Store(fresh, keep_before=False) as store:
        given_up = () if resend else store.give_up_deliveries(now)
    copies.make_one_file(fresh)
    _given_to_owner(fresh, database if database.exists() else database.parent)
    return given_up


def _given_to_owner(fresh: Path, like: Path) -> None:
    """Let the owner of what is there own the copy: the worker could not write what root has put into its folder."""
    if os.name == "posix":
        owner = like.stat()
        if like.is_file():
            fresh.chmod(stat.S_IMODE(owner.st_mode))
        with suppress(PermissionError):
            os.chown(fresh, owner.st_uid, owner.st_gid)


@contextmanager
def _aside(database: Path, aside: Path) -> Iterator[Path | None]:
    """Give what is there a second name, so that its place is never empty; nothing is aside where nothing was there.

    When the block fails, all is where it was.
    """
    log = [end for end in copies.SIDE_FILES if database.with_name(f"{database.name}{end}").exists()]
    if log and database.exists() and copies.is_database(database):
        copies.make_one_file(database)
    # What is left then is that of a damaged database, or of none: SQLite would take it for that of the new one.
    moves = [(database.with_name(f"{database.name}{end}"), aside.with_name(f"{aside.name}{end}")) for end in log]
    there = database.exists()
    try:
        for was, becomes in moves:
            with suppress(FileNotFoundError):
                os.replace(was, becomes)
        if there:
            _second_name(database, aside)
        yield aside if there else None
    except BaseException as e:
        if there and not database.exists():
            os.replace(aside, database)
        for was, becomes in moves:
            with suppress(FileNotFoundError):
                os.replace(becomes, was)
        if there:
            aside.unlink(missing_ok=True)
        if isinstance(e, OSError):
            raise StoreError(f"{aside}: cannot be written: {e.strerror or e}") from e
        raise


def _second_name(database: Path, aside: Path) -> None:
    try:
        os.link(database, aside)
    except OSError:  # a file system without such links
        os.replace(database, aside)


def _archive_aside(archive: Path, stamp: str) -> Path | None:
    if not archive.is_dir():
        return None
    aside = archive.with_name(f"{archive.name}.before-restore-{stamp}")
    try:
        archive.rename(aside)
    except OSError:  # its pages are made again from the database: those that are there stay
        return None
    return aside
