"""Whole copies of the database file: for backups, and of what was there before an upgrade or a restore.

A copy is taken in one step of SQLite's backup interface. In WAL mode that holds up nobody: a writer goes on beside it,
and the copy is as of the moment at which it began. (In several steps it begins anew whenever somebody writes, which
with a busy worker may never end; `VACUUM INTO` takes half as long again and saves nothing.) It is written beside its
place, looked through, brought to the disk, and only then given its name; so nothing of that name is ever half a copy.

Nothing here knows more of the schema than tables that it may count: an older database is copied as it is, and so is
one of a version to come.
"""

from __future__ import annotations

import glob
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from monitor.errors import StoreError

PATIENCE = 30.0
"""Seconds to wait for somebody who has the database for himself."""
ABANDONED = 3600.0
"""Seconds after which nobody works on a copy any more; to take one takes seconds."""
SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database, by the ends of their names."""
_MAGIC = b"SQLite format 3\x00"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database holds, and by which migrations it was made; `newest` is the end of the last edition."""

    migrations: tuple[str, ...]
    program: str
    items: int
    hits: int
    editions: int
    newest: datetime | None
    size: int


def is_database(path: Path) -> bool:
    """Tell whether a file begins as SQLite's do.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database to read it, and change nothing of it: neither what is in it nor how it is kept.

    What a killed process left in the log beside it is read too, and stays there: only a connection that may not write
    leaves it alone at its end. Where there is no log, such a one would leave an empty one behind.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        with closing(reader(path)) as conn:
            yield conn
    except sqlite3.Error as e:
        raise StoreError(f"{path}: cannot be read: {e}") from e


def reader(path: Path, patience: float = PATIENCE) -> sqlite3.Connection:
    """Open a database as `reading` does, and wait at most `patience` seconds for somebody who has it for himself.

    Where nothing can be written beside it and there is nothing in a log, the file is read alone, as it stands.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    log = path.with_name(f"{path.name}-wal")
    try:
        return _opened(path, "mode=ro" if log.exists() else "mode=rw", patience)
    except sqlite3.OperationalError as e:
        if "unable to open" not in str(e) or not path.exists() or size(log):
            raise
        return _opened(path, "mode=ro&immutable=1", patience)


def _opened(path: Path, how: str, patience: float) -> sqlite3.Connection:
    conn = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=patience)
    try:
        conn.execute("PRAGMA query_only = ON")
        conn.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except BaseException:
        conn.close()
        raise
    return conn


def size(path: Path) -> int:
    """Return the bytes of a file; 0 where there is none, or it cannot be looked at."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def applied(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return the names of the migrations that a database has had, as sqlite-utils keeps them."""
    if not _has(connection, "_sqlite_migrations"):
        return ()
    names = "SELECT name FROM _sqlite_migrations WHERE migration_set = 'monitor' ORDER BY rowid"
    return tuple(name for (name,) in connection.execute(names))


def program(connection: sqlite3.Connection) -> str:
    """Return the version of this program that brought the schema to where it is; empty where none was written down."""
    if not _has(connection, "upgrades"):
        return ""
    row = connection.execute("SELECT version FROM upgrades ORDER BY rowid DESC LIMIT 1").fetchone()
    return str(row[0]) if row else ""


def look_into(path: Path) -> Contents:
    """Return what a database holds.

    Raises:
        StoreError: it cannot be read, or is no database of this program.
    """
    with reading(path) as conn:
        migrations = applied(conn)
        if not migrations:
            raise StoreError(f"{path}: is no database of this program")
        editions, newest = 0, None
        if _has(conn, "editions"):
            editions, newest = conn.execute("SELECT count(*), max(until) FROM editions WHERE messages > 0").fetchone()
        return Contents(
            migrations,
            program(conn),
            _count(conn, "items"),
            _count(conn, "verdicts WHERE covered"),
            editions,
            datetime.fromisoformat(newest) if newest else None,
            path.stat().st_size,
        )


def examine(path: Path) -> None:
    """Look through every page of a database.

    Raises:
        StoreError: something in it is damaged.
    """
    with reading(path) as conn:
        said = [str(row[0]) for row in conn.execute("PRAGMA integrity_check(3)")]
        strays = conn.execute("PRAGMA foreign_key_check").fetchone()
    if said != ["ok"]:
        raise StoreError(f"{path}: is damaged: {'; '.join(' '.join(line.split()) for line in said)}")
    if strays:
        raise StoreError(f"{path}: is damaged: a row of {strays[0]} belongs to one of {strays[2]} that is not there")


@contextmanager
def copied(source: Path, target: Path) -> Iterator[Path]:
    """Copy the database `source`, and give it the name `target` after the block; what is yielded is its path till then.

    In the block the copy may be changed. It is for its owner's eyes alone: addresses in it may hold passwords.
    What goes wrong on the way, in the block too, leaves `target` as it was.

    Raises:
        StoreError: the source cannot be read or is damaged, or the target not be written.
    """
    with _unnamed(target) as fresh:
        _copy(source, fresh, target)
        try:
            examine(fresh)
        except StoreError as e:
            raise StoreError(str(e).replace(str(fresh), f"{source}: its copy", 1)) from e
        yield fresh


def copy(source: Path, target: Path, *, over: bool) -> None:
    """Copy the database `source` to `target`, whole or not at all; over a file that is there only if `over`.

    Raises:
        StoreError: it cannot be done; `target` is as it was.
    """
    with copied(source, target) as fresh:
        give_name(fresh, target, over=over)


def give_name(fresh: Path, target: Path, *, over: bool) -> None:
    """Bring a file to the disk and give it its name, in one moment.

    Raises:
        StoreError: something of this name is there, and `over` is not set; or it cannot be done.
    """
    try:
        _to_disk(fresh)
        if over:
            os.replace(fresh, target)
        else:
            _name_new(fresh, target)
        _to_disk(target.parent)
    except FileExistsError as e:
        raise StoreError(f"{target}: is there already") from e
    except OSError as e:
        raise StoreError(f"{target}: cannot be written: {e.strerror or e}") from e


def _name_new(fresh: Path, target: Path) -> None:
    try:
        os.link(fresh, target)  # unlike a renaming, this never takes the place of another file
    except FileExistsError:
        raise
    except OSError:  # a file system without such links
        if os.path.lexists(target):
            raise FileExistsError(target) from None
        os.replace(fresh, target)


@contextmanager
def _unnamed(target: Path) -> Iterator[Path]:
    """Yield a file of no size beside `target`, its owner's alone; whatever bears its name afterwards goes.

    So does what a process left that was killed here, once it is old enough to be nobody's work.
    """
    for part in target.parent.glob(f".{glob.escape(target.name)}.*.part*"):
        with suppress(OSError):
            if part.stat().st_mtime < time.time() - ABANDONED:
                part.unlink()
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as e:
        raise StoreError(f"{target}: cannot be written: {e.strerror or e}") from e
    os.close(handle)
    fresh = Path(name)
    try:
        yield fresh
    finally:
        for part in (fresh, *(fresh.with_name(f"{fresh.name}{end}") for end in SIDE_FILES)):
            with suppress(OSError):
                part.unlink(missing_ok=True)


def _copy(source: Path, fresh: Path, target: Path) -> None:
    deadline = time.monotonic() + PATIENCE

    def go_on(status: int, remaining: int, total: int) -> None:
        if remaining and time.monotonic() > deadline:
            raise StoreError(f"{source}: cannot be read: somebody has it locked")

    with reading(source) as conn, closing(sqlite3.connect(fresh, timeout=PATIENCE)) as copy:
        conn.execute("SELECT 1 FROM sqlite_master").fetchone()  # whatever is wrong now is the source's
        try:
            # No journal, no waiting for the disk: it is not a copy until it is whole.
            copy.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
            conn.backup(copy, pages=-1, progress=go_on)
            # One file that needs nothing beside it, wherever it is carried.
            copy.execute("PRAGMA journal_mode = DELETE").fetchone()
        except sqlite3.Error as e:
            damaged = e.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
            what = f"{source}: cannot be read" if damaged else f"{target}: cannot be written"
            raise StoreError(f"{what}: {e}") from e


def make_one_file(path: Path) -> None:
    """Let SQLite write the log beside a database back into it; what is too damaged for that stays as it is.

    Raises:
        StoreError: another program has it open.
    """
    try:
        with closing(sqlite3.connect(path, timeout=2)) as conn:
            conn.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.Error as e:
        if e.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreError(f"{path}: another program has it open, such as Datasette; end that first") from e


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _has(connection: sqlite3.Connection, table: str) -> bool:
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone())


def _count(connection: sqlite3.Connection, what: str) -> int:
    if not _has(connection, what.split()[0]):
        return 0
    count: int = connection.execute(f"SELECT count(*) FROM {what}").fetchone()[0]  # noqa: S608 (fixed text)
    return count
