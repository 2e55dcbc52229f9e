"""The commands that copy the database: backup, restore."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli_common import Paths, database, now, say
from monitor.errors import MonitorError

if TYPE_CHECKING:
    from monitor.copies import Contents

_OURS = re.compile(r"monitor-\d{4}-\d\d-\d\dT\d{6}Z\.db")
"""The names that backups are given in a folder."""


def backup(
    target: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where it goes; in a folder it is named after the time.")
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace a database of that name.")] = False,
    keep: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="FILE is a folder; of the backups in it keep the newest N.")
    ] = None,
) -> None:
    """Copy the database, also while the worker runs."""
    from monitor import copies

    source = database()
    if not source.is_file():
        raise MonitorError(f"{source}: no database yet; is --data right?")
    if keep:
        _make_folder(target)
    folder = target.is_dir()
    file = target / f"monitor-{now():%Y-%m-%dT%H%M%SZ}.db" if folder else target
    _check_place(file, source, force=force)
    began = time.monotonic()
    copies.copy(source, file, over=force)
    contents = copies.look_into(file)
    print(f"{file}: {_in_words(contents)}; {_size(contents.size)} in {time.monotonic() - began:.1f} s, and sound")
    if keep:
        _remove_older(file, keep)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as e:
        raise MonitorError(f"{folder}: with --keep it must be a folder, and cannot be made: {e.strerror or e}") from e


def _check_place(file: Path, source: Path, *, force: bool) -> None:
    """Refuse places where a backup would be none, or destroy something."""
    from monitor import copies

    try:
        if not file.parent.is_dir():
            raise MonitorError(f"{file.parent}: no such folder; make it first")
        beside = [source.with_name(f"{source.name}{end}") for end in copies.SIDE_FILES]
        if any(_same(file, one) for one in (source, *beside)):
            raise MonitorError(f"{file}: is the database itself; name another file, best on another disk")
        if not os.path.lexists(file):
            return
        if not file.is_file():
            raise MonitorError(f"{file}: is no file, and not replaced")
        if not force:
            raise MonitorError(f"{file}: is there already; name another file, or add --force to replace it")
        if file.stat().st_size and not copies.is_database(file):
            raise MonitorError(f"{file}: is no database, and not replaced even with --force")
    except OSError as e:
        raise MonitorError(f"{file}: cannot be looked at: {e.strerror or e}") from e


def _same(one: Path, other: Path) -> bool:
    """Tell whether two names are of one file, or would be."""
    if one.exists() and other.exists():
        return os.path.samefile(one, other)
    return one.resolve() == other.resolve()


def _remove_older(newest: Path, keep: int) -> None:
    """Remove what this command wrote into the folder earlier, by its names, and nothing else."""
    others = sorted((path for path in newest.parent.iterdir() if _OURS.fullmatch(path.name)), reverse=True)
    for path in [other for other in others if other != newest][keep - 1 :]:
        with suppress(OSError):
            path.unlink()
            print(f"{path}: removed")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup, or any whole copy of the database.")],
    resend: Annotated[
        bool, typer.Option("--resend", help="Send what waited in the backup, though it may have arrived since.")
    ] = False,
) -> None:
    """Put a backup in the place of the database; what was is kept.

    The worker must be stopped.
    """
    from monitor.restore import restore as put_back

    done = put_back(file, Paths.data, now(), resend=resend)
    print(f"{database()}: restored from {file}: {_in_words(done.contents)}")
    if done.aside:
        print(f"  what was there is kept: {done.aside}")
    if done.archive:
        print(f"  pages of the archive are made again with the next edition; those of before: {done.archive}")
    if done.given_up:
        mails = "1 mail that waited was given up, for it" if len(done.given_up) == 1 else (
            f"{len(done.given_up)} mails that waited were given up, for they"
        )  # fmt: skip
        print(f"  {mails} may have arrived since (--resend sends them): {', '.join(sorted(set(done.given_up)))}")
    since = f"{done.contents.newest:%Y-%m-%d %H:%M} UTC" if done.contents.newest else "it was made"
    say(f"what was told after {since} is not known to it, and will be told again; now start the worker: monitor run")


def _in_words(contents: Contents) -> str:
    newest = f", the newest of {contents.newest:%Y-%m-%d %H:%M} UTC" if contents.newest else ""
    counts = [
        f"{number:,} {one if number == 1 else many}"
        for number, one, many in (
            (contents.items, "item", "items"),
            (contents.hits, "hit", "hits"),
            (contents.editions, "edition", "editions"),
        )
    ]
    return ", ".join(counts) + newest


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} KB"
