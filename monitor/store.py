"""All SQL. One SQLite file in WAL mode; each job opens its own `Store`, for connections are bound to their thread.

Methods are named after their use and take and return model types. What belongs together is written in one
transaction: a feed's state with its items and verdicts; an edition with what it tells and its finished mails.
Times are text, `2026-11-24T05:10:00.000000Z`, always UTC and of one width, so that they sort.
"""

from __future__ import annotations

import glob
import json
import logging
import os
import re
import sqlite3
import time
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from monitor import __version__, copies, indexed
from monitor.errors import NewerDatabaseError, StoreError
from monitor.model import (
    Delivery,
    Edition,
    Evidence,
    FeedState,
    Figures,
    Frame,
    Item,
    JobRun,
    Judged,
    KeptEdition,
    KeptStory,
    Label,
    MailedEdition,
    Message,
    Note,
    Owed,
    PastEdition,
    Receipt,
    State,
    Story,
    ToldStory,
    Verdict,
)

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FILE_NAME = "monitor.db"
"""What the database is called in its data folder."""
BUSY_SECONDS = 30
FIRST_EDITION = timedelta(hours=24)
"""How far back the first edition of a digest reaches."""
CLOCK_SLACK = timedelta(hours=1)
"""What lies further ahead than this was written by a clock that was wrong."""
OWED_FOR = timedelta(days=8)
"""A mail that was given up is made good by the next one for so long: then a weekly digest has had its turn."""
LONGEST_WAIT = timedelta(hours=2)
"""No delivery is put off for longer: one that waits longer was put off by a clock that ran ahead."""
LOOK_SECONDS = 5
"""So long a look waits for whoever locks the database whole; one who only writes keeps nobody from reading."""
YOUNG = timedelta(days=7)
"""How long after it was first seen an item can still become news by an edit of its words."""

BEFORE = ".before-"
"""Ends the name of the copy of a database from before it was brought up to date; a migration's number follows."""

MIGRATIONS = (
    "m001_feeds_items_verdicts",
    "m002_digests_outbox",
    "m003_jobs_and_notes",
    "m004_second_opinion_labels",
    "m005_kept_editions",
    "m006_manners_and_conditions",
    "m007_edits",
    "m008_search",
    "m009_merged_deliveries",
    "m010_upgrades",
)
"""What `monitor.migrations` holds, in order: a database that has had all of them is opened without it."""

log = logging.getLogger(__name__)  # of the standard library: it takes no time to import, and is heard without set-up


class Store:
    """The database of one data folder, for one thread."""

    def __init__(self, path: Path, *, look: bool = False, keep_before: bool = True) -> None:
        """Open the database, make it where it is missing, and bring its schema up to date.

        What it was before that is kept beside it, if `keep_before`. With `look` nothing is made, brought up to date or
        written: what is there is read as it is.

        Raises:
            StoreError: it cannot be opened or written.
            NewerDatabaseError: a later version wrote it; it is left as it is.
        """
        self.path, self._keeps_before = path, keep_before
        if look:
            self._look()
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._refuse_newer_log()
            self._make_private()
            self._conn = sqlite3.connect(path, timeout=BUSY_SECONDS)
        except (sqlite3.Error, OSError) as e:
            raise StoreError(f"{path}: cannot be used as the database: {e}") from e
        try:
            self._prepare()
        except sqlite3.Error as e:
            self.close()
            raise StoreError(f"{path}: cannot be used as the database: {e}") from e
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._conn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _prepare(self) -> None:
        """Set the connection up and bring the schema up to date.

        Again and again while the database is locked: SQLite's own time-out covers neither the change to WAL nor a read
        that turns into a write, as happens when several processes open a new database together.
        """
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                # Before anything is changed, and be it only how the file is kept.
                self._refuse_later()
                # FULL: what `sending` says must be on the disk before the first byte goes to a mail server.
                self._conn.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;")
                self._migrate()
                return
            except (sqlite3.OperationalError, StoreError) as e:
                if "locked" not in str(e) or time.monotonic() > deadline:
                    raise
                self._conn.rollback()
                time.sleep(0.02)

    def _look(self) -> None:
        """Open the database to read it."""
        if self._is_cut_short():
            raise StoreError(f"{self.path}: is damaged: a part of it is missing")
        try:
            self._conn = copies.reader(self.path, LOOK_SECONDS)
        except sqlite3.Error as e:
            raise StoreError(f"{self.path}: cannot be read: {e}") from e
        try:
            self._refuse_later()
        except BaseException as e:
            self.close()
            if isinstance(e, sqlite3.Error):
                raise StoreError(f"{self.path}: cannot be read: {e}") from e
            raise

    def _is_cut_short(self) -> bool:
        """Tell whether the file is shorter than it says of itself; SQLite notices when it comes to what is missing."""
        if copies.size(self.path.with_name(f"{self.path.name}-wal")):
            return False  # what is missing may be there
        try:
            with self.path.open("rb") as file:
                head = file.read(100)
        except OSError:
            return False  # opening it says why
        if len(head) < 100 or head[24:28] != head[92:96]:
            return False
        page = int.from_bytes(head[16:18])
        return copies.size(self.path) < (65536 if page == 1 else page) * int.from_bytes(head[28:32])

    def _make_private(self) -> None:
        """Make a new database its owner's alone, with what SQLite lays beside it: it holds addresses and mails."""
        if self.path != Path(":memory:"):
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

    def _refuse_newer_log(self) -> None:
        """Look first at a database beside which a killed process has left its log.

        To open it as ever would write the log into it, were it only to learn that a later version has written both.
        """
        if self.path.with_name(f"{self.path.name}-wal").exists() and self.path.exists():
            try:
                with copies.reading(self.path) as conn:
                    found = copies.applied(conn), copies.program(conn)
            except StoreError:
                return  # the database itself will say what is wrong
            self._refuse_newer(*found)

    def _refuse_later(self) -> None:
        self._refuse_newer(copies.applied(self._conn), copies.program(self._conn))

    def _refuse_newer(self, applied: Sequence[str], program: str) -> None:
        strange = [name for name in applied if name not in MIGRATIONS]
        if strange:
            by = f"rift-monitor {program}" if program not in ("", __version__) else "a later version of this program"
            raise NewerDatabaseError(
                f"{self.path}: was written by {by} ({strange[-1]}), and this is {__version__}; "
                "update the program, or use another data folder"
            )

    @property
    def outdated(self) -> bool:
        """True where the database was written by an earlier version, and not brought up to date yet."""
        return bool(set(MIGRATIONS) - set(copies.applied(self._conn)))

    def is_locked(self) -> bool:
        """Tell whether another process keeps everybody from writing, for as long as `LOOK_SECONDS` now."""
        try:
            with closing(
                sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=rw", uri=True, timeout=LOOK_SECONDS)
            ) as probe:
                probe.execute("BEGIN IMMEDIATE")
                probe.execute("ROLLBACK")
        except sqlite3.Error as e:
            return "locked" in str(e)
        return False

    def check(self) -> None:
        """Read the whole file, and find out whether it is sound; takes seconds for some hundred megabytes.

        Raises:
            StoreError: it is damaged.
        """
        [first, *_] = self._rows("PRAGMA quick_check(1)")[0].values()
        if first != "ok":
            raise StoreError(f"{self.path}: is damaged: {' '.join(str(first).split())}")

    def _migrate(self) -> None:
        if not set(MIGRATIONS) - set(copies.applied(self._conn)):
            return
        from monitor import migrations

        # One transaction for all, taken at once: two processes may open a new database together.
        with self._write():
            before = copies.applied(self._conn)
            self._refuse_newer(before, copies.program(self._conn))
            missing = [name for name in MIGRATIONS if name not in before]
            if not missing:
                return
            kept = self._keep_before(missing[0]) if before and self._keeps_before else ""
            migrations.apply(self._conn)
            self._run("INSERT INTO upgrades (version, migration) VALUES (?, ?)", (__version__, MIGRATIONS[-1]))
        if kept:
            log.warning("%s: brought up to date for rift-monitor %s; %s", self.path, __version__, kept)

    def _keep_before(self, migration: str) -> str:
        """Keep a copy of the database as it is before `migration`, and say so: only with it is there a way back.

        An upgrade is whole or not done at all, copy or none: where there is no room for one, it goes on without.
        """
        target = self.path.with_name(f"{self.path.name}{BEFORE}{migration[:4]}")
        try:
            copies.copy(self.path, target, over=True)
        except StoreError as e:
            return f"what was there before could not be kept ({e})"
        for other in self._copies_before() - {target}:
            with suppress(OSError):
                other.unlink()
        return f"as it was before: {target}"

    def _copies_before(self) -> set[Path]:
        return set(self.path.parent.glob(f"{glob.escape(self.path.name)}{BEFORE}m[0-9][0-9][0-9]"))

    def forget_copies(self, before: datetime) -> None:
        """Remove what was kept of the database at upgrades that were made before then."""
        for copy in self._copies_before():
            with suppress(OSError):
                if copy.stat().st_mtime < before.timestamp():
                    copy.unlink()

    @contextmanager
    def _write(self) -> Iterator[None]:
        """Do everything inside or nothing.

        IMMEDIATE: a transaction that reads first and writes later would fail at once with SQLITE_BUSY when another job
        wrote meanwhile, whatever the time-out.
        """
        try:
            self._conn.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._conn.execute("COMMIT")
            except BaseException:
                if self._conn.in_transaction:
                    self._conn.execute("ROLLBACK")
                raise
        except sqlite3.Error as e:
            raise StoreError(f"{self.path}: cannot be written: {e}") from e

    def _rows(self, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[dict[str, Any]]:
        try:
            cursor = self._conn.execute(sql, values)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]
        except sqlite3.Error as e:
            raise StoreError(f"{self.path}: cannot be read: {e}") from e

    def _rows_of(self, sql: str, values: Sequence[Any], *others: Any) -> Iterator[dict[str, Any]]:
        """Read for many values, some hundreds at a time, which stand for `{}`; `others` stand after them."""
        for at in range(0, len(values), 500):
            part = values[at : at + 500]
            yield from self._rows(sql.format(",".join("?" * len(part))), [*part, *others])

    def _run(self, sql: str, values: Sequence[Any] = ()) -> int:
        return self._conn.execute(sql, values).rowcount

    def _upsert(self, table: str, row: Mapping[str, Any]) -> None:
        """Write a row whole, in place of the one that has the same key: its first column."""
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        key, *others = row
        fresh = ", ".join(f"{name} = excluded.{name}" for name in others)
        self._run(
            f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT ({key}) DO UPDATE SET {fresh}",  # noqa: S608
            list(row.values()),
        )

    # ------------------------------------------------------------ polling

    def feed_states(self) -> dict[str, FeedState]:
        """Return the state of every feed ever polled, by address."""
        return {row["url"]: _feed_state(row) for row in self._rows("SELECT * FROM feeds")}

    def knows(self, feed_url: str) -> bool:
        """Tell whether the feed has ever shown an item."""
        return bool(self._rows("SELECT 1 FROM items WHERE feed_url = ? LIMIT 1", (feed_url,)))

    def known(self, feed_url: str, keys: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return fingerprint and address of those of a feed's items that were ever seen, by key.

        Items keep their identity for ever: what was seen once is never new again, even when its text is gone.
        """
        sql = "SELECT key, fingerprint, link FROM items WHERE key IN ({}) AND feed_url = ?"
        return {row["key"]: (row["fingerprint"], row["link"]) for row in self._rows_of(sql, keys, feed_url)}

    def known_by_link(self, feed_url: str, links: Sequence[str]) -> set[tuple[str, str]]:
        """Return address and fingerprint of those of a feed's items that were seen at these addresses.

        A site may have gone from http to https: the addresses are without their scheme.
        """
        sql = "SELECT link, fingerprint FROM items WHERE link IN ({}) AND feed_url = ?"
        both = [f"{scheme}://{without_scheme(link)}" for link in links for scheme in ("http", "https")]
        return {(without_scheme(row["link"]), row["fingerprint"]) for row in self._rows_of(sql, both, feed_url)}

    def texts(self, feed_url: str, keys: Sequence[str]) -> dict[str, str]:
        """Return the articles' texts of those of a feed's items that have one, by key."""
        sql = "SELECT key, text FROM items WHERE key IN ({}) AND feed_url = ? AND text <> ''"
        return {row["key"]: row["text"] for row in self._rows_of(sql, keys, feed_url)}

    def archived(self, feed_url: str, keys: Sequence[str]) -> set[str]:
        """Return those of a feed's items that were old when it first showed them, by key: they are never told."""
        sql = "SELECT key FROM items WHERE key IN ({}) AND feed_url = ? AND backlog"
        return {row["key"] for row in self._rows_of(sql, keys, feed_url)}

    @contextmanager
    def often(self) -> Iterator[None]:
        """Write many small transactions meanwhile, none of which waits for the disk.

        What the last of them wrote is lost when the power fails, and then their ETags are too: it is fetched again.
        """
        self._conn.execute("PRAGMA synchronous=NORMAL")
        try:
            yield
        finally:
            self._conn.execute("PRAGMA synchronous=FULL")

    def save_poll(
        self, state: FeedState, new: Iterable[Judged] = (), changed: Iterable[Judged] = (), rules: str = ""
    ) -> None:
        """Write what one poll of one feed brought: items, verdicts and the feed's state, in one transaction.

        `rules` stands for those that the verdicts were made by. The ETag stands or falls with the items: with one and
        not the other they would never be asked for again.
        """
        with self._write():
            self._insert_items(list(new), rules)
            for judged in changed:
                self._update_item(judged, rules)
            self._run(_SAVE_STATE, _state_row(state))

    def _insert_items(self, new: Sequence[Judged], rules: str) -> None:
        """Insert items with their verdicts; one that is there already stays as it is.

        Many rows a statement, with numbers of our own: nobody else writes within this transaction.
        """
        if not new:
            return
        first = self._conn.execute("SELECT coalesce(max(id), 0) + 1 FROM items").fetchone()[0]
        numbered = list(enumerate(new, first))
        self._conn.executemany(
            "INSERT OR IGNORE INTO items (id, feed_url, key, link, title, summary, outlet, language, published, dated,"
            " first_seen, backlog, fingerprint, text) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            [(number, *_item_row(judged.item)) for number, judged in numbered],
        )
        there = "SELECT id FROM items WHERE id >= ?"
        inserted = {row[0] for row in self._conn.execute(there, (first,))}
        self._insert_verdicts(
            [(number, judged.verdict, judged.item.first_seen) for number, judged in numbered if number in inserted],
            rules,
        )

    def _update_item(self, judged: Judged, rules: str) -> None:
        item = judged.item
        row = self._conn.execute(
            "SELECT items.id, first_seen, covered FROM items LEFT JOIN verdicts ON item_id = items.id"
            " WHERE feed_url = ? AND key = ?",
            (item.feed_url, item.key),
        ).fetchone()
        # The date it was first seen stays, and so does whether it was news then; what an edit makes a hit is news
        # only while it is young.
        late = not row[2] and row[1] < _iso(item.first_seen - YOUNG)
        self._run(
            "UPDATE items SET link = ?, title = ?, summary = ?, outlet = ?, language = ?, fingerprint = ?, text = ?,"
            " words = NULL, backlog = max(backlog, ?) WHERE id = ?",
            (
                item.link, item.title, item.summary, item.outlet, item.language, fingerprint(item), item.text,
                int(late), row[0],
            ),
        )  # fmt: skip
        self._replace_verdicts([(row[0], judged.verdict, item.first_seen)], rules)

    def _replace_verdicts(self, verdicts: Sequence[tuple[int, Verdict, datetime]], rules: str) -> None:
        numbers = [(number,) for number, _, _ in verdicts]
        self._conn.executemany("DELETE FROM item_themes WHERE item_id = ?", numbers)
        self._conn.executemany("DELETE FROM evidence WHERE item_id = ?", numbers)
        self._insert_verdicts(verdicts, rules)

    def _insert_verdicts(self, verdicts: Sequence[tuple[int, Verdict, datetime]], rules: str) -> None:
        self._conn.executemany(
            "INSERT OR REPLACE INTO verdicts"
            " (item_id, covered, score, reason, judged, likelihood, doubted, alone, reads_like, withdrawn, rules)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            [(number, *_verdict_row(verdict, judged), rules) for number, verdict, judged in verdicts],
        )
        # What fell short says why in `reason`, and can be judged again.
        hits = [(number, verdict) for number, verdict, _ in verdicts if verdict.covered]
        self._conn.executemany(
            "INSERT INTO item_themes (item_id, theme, score) VALUES (?,?,?)",
            [(number, theme, score) for number, verdict in hits for theme, score in verdict.themes],
        )
        self._conn.executemany(
            'INSERT INTO evidence (item_id, clause, keyword, field, start, "end") VALUES (?,?,?,?,?,?)',
            [(number, e.clause, e.keyword, e.field, e.start, e.end) for number, v in hits for e in v.evidence],
        )

    # ------------------------------------------------------------ judging again

    def to_judge_again(
        self,
        digest: str,
        rules: str,
        unmet: datetime | None = None,
        *,
        covered: bool | None = None,
        after: int = 0,
        limit: int = -1,
    ) -> list[Judged]:
        """Return what a digest has not settled, can still tell, and was not judged by these rules, by number.

        That is what came in since its last edition was made, and hits from before that it has not come to; only hits,
        or only others, if `covered` is given. Its baseline is `unmet` where it was never met. Texts that were
        forgotten cannot be judged.
        """
        rows = self._rows(
            "SELECT items.*, verdicts.* FROM items JOIN verdicts ON verdicts.item_id = items.id"
            " LEFT JOIN told ON told.digest = :d AND told.item_id = items.id"
            " WHERE items.id > :after AND verdicts.rules IS NOT :rules AND told.item_id IS NULL AND NOT items.backlog"
            " AND (items.title <> '' OR items.summary <> '') AND covered = coalesce(:covered, covered)"
            " AND items.first_seen > coalesce((SELECT baseline FROM digests WHERE name = :d), :unmet)"
            " AND items.id IN ("
            "  SELECT id FROM items WHERE id > (SELECT coalesce(max(last_item), 0) FROM editions WHERE digest = :d)"
            "  UNION ALL SELECT item_id FROM verdicts WHERE covered = 1 AND rules IS NOT :rules)"
            " ORDER BY items.id LIMIT :limit",
            {
                "d": digest, "rules": rules, "unmet": _plain(unmet), "covered": covered, "after": after, "limit": limit,
            },
        )  # fmt: skip
        return self._judged(rows)

    def judged_up_to(self, digest: str, rules: str, reach: int) -> int:
        """Return the number below the first item since its last edition that waits to be judged; at most `reach`."""
        [row] = self._rows("SELECT coalesce(max(last_item), 0) AS n FROM editions WHERE digest = ?", (digest,))
        waiting = self.to_judge_again(digest, rules, after=row["n"], limit=1)
        return min(reach, waiting[0].id - 1) if waiting else reach

    def kept_since(self, since: datetime, *, after: int = 0, limit: int = -1) -> list[Judged]:
        """Return items first seen after `since` whose text is kept, by number."""
        rows = self._rows(
            "SELECT items.*, verdicts.* FROM items JOIN verdicts ON verdicts.item_id = items.id"
            " WHERE items.id > :after AND first_seen > :since AND (title <> '' OR summary <> '')"
            " ORDER BY items.id LIMIT :limit",
            {"since": _iso(since), "after": after, "limit": limit},
        )
        return self._judged(rows)

    def count_since(self, since: datetime) -> tuple[int, int]:
        """Return how many items were first seen after `since`, and how many of those have no text any more."""
        [row] = self._rows(
            "SELECT count(*) AS n, coalesce(sum(title = '' AND summary = ''), 0) AS bare FROM items"
            " WHERE first_seen > ?",
            (_iso(since),),
        )
        return row["n"], row["bare"]

    def save_verdicts(self, judged: Sequence[Judged], rules: str, now: datetime, *, reopen: bool = False) -> set[int]:
        """Replace verdicts, in one transaction; return the numbers of the items that have theirs now.

        Nobody needs to be kept away while items are judged: one whose text is another by now, or that somebody else
        judged meanwhile, keeps what it has. What becomes a hit is no news for a digest whose edition went past it,
        unless `reopen`.
        """
        with self._write():
            before = {one.id: self._covered(one) for one in judged}
            same = [one for one in judged if before[one.id] is not None]
            self._replace_verdicts([(one.id, one.verdict, now) for one in same], rules)
            gained = [(one.id,) for one in same if one.verdict.covered and not before[one.id]]
            if reopen:
                self._conn.executemany(_REOPEN, [(one.id,) for one in same])
            else:
                self._conn.executemany(_GO_PAST, gained)
        return {one.id for one in same}

    def _covered(self, judged: Judged) -> bool | None:
        """Tell whether an item is a hit; None where it was edited or judged since it was read."""
        item = judged.item
        row = self._conn.execute(
            "SELECT covered FROM items JOIN verdicts ON item_id = items.id"
            " WHERE items.id = ? AND title = ? AND summary = ? AND coalesce(text, '') = ? AND coalesce(rules, '') = ?",
            (judged.id, item.title, item.summary, item.text, judged.stored_by),
        ).fetchone()
        return None if row is None else bool(row[0])

    def reopen(self, items: Sequence[int]) -> None:
        """Let digests tell items that they went past because they were no hits then."""
        with self._write():
            self._conn.executemany(_REOPEN, [(number,) for number in items])

    def standing(self, digest: str, items: Sequence[int], unmet: datetime) -> tuple[set[int], set[int]]:
        """Return those of `items` that a digest may still tell if they are hits, and those that it has settled.

        What it only went past counts among the first. Its baseline is `unmet` where it was never met.
        """
        sql = (
            "WITH some AS (SELECT id, first_seen, backlog FROM items WHERE id IN ({}))"
            " SELECT id, edition_id, NOT backlog"
            "  AND first_seen > coalesce((SELECT baseline FROM digests WHERE name = ?), ?) AS fresh"
            " FROM some LEFT JOIN told ON told.item_id = id AND told.digest = ?"
        )
        rows = list(self._rows_of(sql, items, digest, _iso(unmet), digest))
        settled = {row["id"] for row in rows if row["edition_id"] is not None}
        return {row["id"] for row in rows if row["fresh"]} - settled, settled

    # ------------------------------------------------------------ digests

    def meet_digests(self, names: Iterable[str], now: datetime, reach: timedelta) -> None:
        """Remember digests seen for the first time: each tells what came in since `reach` before that, never more.

        Those that were away for longer than that begin anew, and so do those met by a clock that ran ahead.
        """
        unmet = self.unmet_digests(names, now)
        if not unmet:
            return
        with self._write():
            for name in unmet:
                self._run(
                    "UPDATE digests SET gone_since = NULL WHERE name = ? AND gone_since > ?", (name, _iso(now - reach))
                )
                self._run(
                    "INSERT INTO digests (name, first_seen, baseline) VALUES (?,?,?) ON CONFLICT (name) DO UPDATE"
                    " SET first_seen = excluded.first_seen, baseline = excluded.baseline, gone_since = NULL"
                    " WHERE gone_since IS NOT NULL OR first_seen > ?",
                    (name, _iso(now), _iso(now - reach), _iso(now + CLOCK_SLACK)),
                )

    def leave_digests(self, names: Iterable[str], now: datetime) -> None:
        """Remember since when digests are no longer configured."""
        known = [(_iso(now), name) for name in names]
        if known:
            with self._write():
                self._conn.executemany("UPDATE digests SET gone_since = ? WHERE name = ? AND gone_since IS NULL", known)

    def unmet_digests(self, names: Iterable[str], now: datetime) -> set[str]:
        """Return those that were never met, or were away, or met by a clock that ran ahead: `meet_digests` is due."""
        known = {row["name"]: row for row in self._rows("SELECT name, first_seen, gone_since FROM digests")}
        ahead = _iso(now + CLOCK_SLACK)
        return {
            name
            for name in names
            if name not in known or known[name]["gone_since"] or known[name]["first_seen"] > ahead
        }

    def last_edition(self, digest: str, now: datetime) -> datetime | None:
        """Return until when the digest has told, or since when it is known; None before `meet_digests`.

        Editions from the future, made by a clock that ran ahead, are left out: the digest would wait for them.
        """
        return self._latest("first_seen", digest, now)

    def covered_since(self, digest: str, now: datetime) -> datetime | None:
        """Return where the window of the next edition begins: at the end of the last one, or at the baseline."""
        return self._latest("baseline", digest, now)

    def _latest(self, start: str, digest: str, now: datetime) -> datetime | None:
        row = self._rows(
            f"SELECT max(digests.{start}, coalesce(max(until), '')) AS at FROM digests"  # noqa: S608 (our own names)
            " LEFT JOIN editions ON editions.digest = digests.name AND until <= :sane"
            " WHERE digests.name = :d GROUP BY digests.name",
            {"d": digest, "sane": _iso(now + CLOCK_SLACK)},
        )
        return _time(row[0]["at"]) if row else None

    def mailed_since(self, digest: str, since: datetime) -> bool:
        """Tell whether the digest was mailed after `since`, or is not known for that long."""
        return bool(
            self._rows(
                "SELECT 1 FROM editions WHERE digest = :d AND messages > 0 AND until > :since UNION"
                " SELECT 1 FROM digests WHERE name = :d AND first_seen > :since LIMIT 1",
                {"d": digest, "since": _iso(since)},
            )
        )

    def untold_hits(self, digest: str, unmet: datetime | None = None) -> list[Judged]:
        """Return the hits that this digest has not settled yet, oldest first; `unmet` is its baseline before one is."""
        rows = self._rows(
            "SELECT items.*, verdicts.* FROM items"
            " JOIN verdicts ON verdicts.item_id = items.id AND verdicts.covered = 1"
            " LEFT JOIN told ON told.digest = :d AND told.item_id = items.id"
            " WHERE told.item_id IS NULL AND NOT items.backlog"
            " AND items.first_seen > coalesce((SELECT baseline FROM digests WHERE name = :d), :unmet)"
            " ORDER BY items.published, items.id",
            {"d": digest, "unmet": _plain(unmet)},
        )
        return self._judged(rows)

    def told_links(self, digest: str, links: Iterable[str], apart_from: Collection[int] = ()) -> set[str]:
        """Return those of `links` that this digest has shown already, however long ago; not in these editions."""
        shown = (
            "SELECT DISTINCT items.link FROM items JOIN told ON told.item_id = items.id"
            " WHERE items.link IN ({}) AND told.digest = ? AND told.story_id IS NOT NULL"
            " AND told.edition_id NOT IN (SELECT value FROM json_each(?))"
        )
        links = sorted(set(links) - {""})
        return {row["link"] for row in self._rows_of(shown, links, digest, _numbers(apart_from))}

    def recent_stories(self, digest: str, since: datetime, apart_from: Collection[int] = ()) -> list[ToldStory]:
        """Return the stories that this digest told or took up again after `since`, each with all its reports so far.

        As if it had never made the editions `apart_from`.
        """
        values = {"d": digest, "since": _iso(since), "apart": _numbers(apart_from)}
        stories = self._rows(f"{_STORIES} SELECT * FROM alive ORDER BY id", values)  # noqa: S608 (fixed text)
        reports: dict[int, list[dict[str, Any]]] = {row["id"]: [] for row in stories}
        for report in self._rows(
            f"{_STORIES} SELECT root AS story, items.* FROM some JOIN told ON told.story_id = some.id"  # noqa: S608
            " JOIN items ON items.id = told.item_id WHERE root IN (SELECT id FROM alive)"
            " ORDER BY items.published, items.id",
            values,
        ):
            reports[report["story"]].append(report)
        return [_told_story(row, reports[row["id"]]) for row in stories]

    def history(self, digest: str, since: datetime) -> list[PastEdition]:
        """Return the editions of this digest after `since`, with the number of new stories they had of each theme."""
        found = []
        for row in self._rows(
            "SELECT id, since, until, counts FROM editions WHERE digest = ? AND until > ? AND merged_into IS NULL"
            " ORDER BY until, id",
            (digest, _iso(since)),
        ):
            counts: dict[str, int] = json.loads(row["counts"] or "{}")
            if row["counts"] is None:  # frozen before counts were kept
                for told in self._rows(
                    "SELECT themes FROM stories WHERE edition_id = ? AND continues IS NULL", (row["id"],)
                ):
                    for theme in _words(told["themes"]):
                        counts[theme] = counts.get(theme, 0) + 1
            found.append(PastEdition(_must(row["since"]), _must(row["until"]), counts))
        return found

    def arrivals(self, feed_url: str, limit: int = 60) -> list[datetime]:
        """Return when the feed last brought items that were new, the latest first."""
        rows = self._rows(
            "SELECT DISTINCT first_seen FROM items WHERE feed_url = ? ORDER BY first_seen DESC LIMIT ?",
            (feed_url, limit),
        )
        return [_must(row["first_seen"]) for row in rows]

    def last_item(self) -> int:
        """Return the number of the item that was stored last."""
        number: int = self._rows("SELECT coalesce(max(id), 0) AS n FROM items")[0]["n"]
        return number

    def freeze(
        self,
        edition: Edition,
        messages: Sequence[Message],
        frame: Frame | None = None,
        reach: int | None = None,
        *,
        owed: Sequence[Owed] = (),
        own: Mapping[str, Edition] | None = None,
    ) -> bool:
        """Write an edition, what it told and its finished mails in one transaction.

        `reach` is the number of the last item when it was made, now unless said. With the `frame` it was rendered in,
        a mailed edition can be rendered again. What is `owed` to recipients is in these messages: their earlier ones
        are not sent any more. `own` are the editions of those that hold more than `edition`, by recipient. Return
        False, and write nothing, when this slot of the digest was frozen before; not counting what was frozen by a
        clock that ran ahead, as `last_edition` does not.
        """
        with self._write():
            self._run(
                "UPDATE editions SET slot = NULL WHERE digest = ? AND slot = ? AND until > ?",
                (edition.plan.name, _plain(edition.slot), _iso(edition.until + CLOCK_SLACK)),
            )
            edition_id = self._insert_edition(edition, messages, frame if messages else None)
            if edition_id is None:
                return False
            self._run(
                "UPDATE editions SET last_item = coalesce(?, (SELECT max(id) FROM items), 0) WHERE id = ?",
                (reach, edition_id),
            )
            self._stand_in(edition, edition_id)
            for position, story in enumerate(edition.stories + edition.updates):
                story_id = self._insert_story(edition, edition_id, position, story)
                self._settle_items(edition, edition_id, [r.id for r in story.reports], story_id)
            self._settle_items(edition, edition_id, edition.passed, None)
            numbers = {
                message.recipient: self._insert_message(
                    edition_id, message, edition.until, (own or {}).get(message.recipient)
                )
                for message in messages
            }
            for one in owed:
                self._merge(one, numbers[one.recipient], edition_id, edition.until)
        return True

    def _stand_in(self, edition: Edition, edition_id: int) -> None:
        """Put an edition in the place of those that it merges: nobody received them, so they have told nothing."""
        merged = _numbers(edition.merges)
        these = "IN (SELECT value FROM json_each(?))"
        told = [report.id for story in edition.stories + edition.updates for report in story.reports]
        self._conn.executemany(
            f"DELETE FROM told WHERE digest = ? AND item_id = ? AND edition_id {these}",  # noqa: S608 (fixed text)
            [(edition.plan.name, item_id, merged) for item_id in (*told, *edition.passed)],
        )
        # What they told and this one does not stays settled: its text is forgotten by now, or it is no hit any more.
        self._run(
            f"UPDATE told SET edition_id = ?, story_id = NULL WHERE edition_id {these}",  # noqa: S608
            (edition_id, merged),
        )
        self._run(
            f"UPDATE stories SET continues = NULL WHERE continues IN (SELECT id FROM stories WHERE edition_id {these})",  # noqa: S608
            (merged,),
        )
        self._run(f"DELETE FROM stories WHERE edition_id {these}", (merged,))  # noqa: S608
        self._run(
            f"UPDATE editions SET merged_into = ?, messages = 0 WHERE id {these} OR merged_into {these}",  # noqa: S608
            (edition_id, merged, merged),
        )

    def _merge(self, owed: Owed, message_id: int, edition_id: int, now: datetime) -> None:
        """Let deliveries end whose news another message holds.

        They are as `owed` found them, for its caller holds the delivery lock; if not, nothing of all this is written:
        what somebody may have received must not be told twice.
        """
        said = f"not sent any more: what it held is in edition {edition_id}"
        changed = self._run(
            "UPDATE deliveries SET state = ?, next_try = NULL, merged_into = ?, updated = ?,"  # noqa: S608 (fixed text)
            " detail = ? || CASE detail WHEN '' THEN '' ELSE '; the last answer: ' || detail END"
            f" WHERE id IN (SELECT value FROM json_each(?)) AND {_NOT_RECEIVED}",
            (State.MERGED, message_id, _iso(now), said, _numbers(owed.deliveries)),
        )
        if changed != len(owed.deliveries):
            raise StoreError(f"{self.path}: deliveries to {owed.recipient} changed while an edition was made")

    def _insert_edition(self, edition: Edition, messages: Sequence[Message], frame: Frame | None) -> int | None:
        cursor = self._conn.execute(
            "INSERT OR IGNORE INTO editions (digest, slot, since, until, subject, stories, reports, messages, counts,"
            " zone, frame, kept, templates) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                edition.plan.name, _plain(edition.slot), _iso(edition.since), _iso(edition.until),
                messages[0].subject if messages else "", len(edition.stories), edition.reports, len(messages),
                json.dumps({trend.theme.name: trend.count for trend in edition.trends}), edition.plan.timezone,
                json.dumps([frame.owner, frame.sender, frame.version]) if frame else None,
                _packed(_as_json(replace(edition, passed=()))) if frame else None,
                self._keep_templates(frame.templates) if frame else None,
            ),
        )  # fmt: skip
        return cursor.lastrowid if cursor.rowcount else None

    def save_templates(self, templates: Mapping[str, str]) -> None:
        """Remember templates that were found good."""
        with self._write():
            self._keep_templates(templates)

    def _keep_templates(self, templates: Mapping[str, str]) -> str:
        files = json.dumps(dict(sorted(templates.items())), ensure_ascii=False).encode("utf-8", "surrogatepass")
        name = sha256(files).hexdigest()
        self._run(
            "INSERT INTO template_sets (hash, files, turn)"
            " VALUES (?, ?, (SELECT coalesce(max(turn), 0) + 1 FROM template_sets))"
            " ON CONFLICT (hash) DO UPDATE SET turn = excluded.turn",
            (name, _packed(files)),
        )
        return name

    def last_templates(self) -> Mapping[str, str] | None:
        """Return the templates that were found good last, by a check or a mailed edition; None before there are any."""
        rows = self._rows("SELECT files FROM template_sets ORDER BY turn DESC LIMIT 1")
        return _templates(rows[0]["files"]) if rows else None

    def mailed_editions(self) -> list[MailedEdition]:
        """Return every edition that was mailed, the oldest first."""
        rows = self._rows(
            "SELECT id, digest, until, coalesce(zone, 'UTC') AS zone, subject, stories, messages AS mails FROM editions"
            " WHERE messages > 0 ORDER BY id"
        )
        return [MailedEdition(**{**row, "until": _must(row["until"])}) for row in rows]

    def kept_edition(self, number: int) -> KeptEdition | None:
        """Return a mailed edition as it was frozen; None where there is no such edition or nothing was mailed."""
        rows = self._rows(
            "SELECT editions.*, files FROM editions LEFT JOIN template_sets ON hash = templates"
            " WHERE id = ? AND messages > 0",
            (number,),
        )
        if not rows:
            return None
        [row] = rows
        messages = self._rows("SELECT * FROM messages WHERE edition_id = ? ORDER BY kept IS NOT NULL, id", (number,))
        known = row["kept"] is not None and row["files"] is not None
        return KeptEdition(
            number,
            row["digest"],
            _must(row["until"]),
            row["subject"],
            tuple(Message(m["message_id"], m["sender"], m["recipient"], m["subject"], m["raw"]) for m in messages),
            _from_json(zlib.decompress(row["kept"])) if known else None,
            Frame(_templates(row["files"]), *json.loads(row["frame"])) if known else None,
            {m["message_id"]: _from_json(zlib.decompress(m["kept"])) for m in messages if m["kept"] is not None},
        )

    def stood_in_for(self, number: int) -> int | None:
        """Return the edition that tells what another, which reached nobody, was to tell; None where there is none."""
        rows = self._rows("SELECT merged_into FROM editions WHERE id = ?", (number,))
        return rows[0]["merged_into"] if rows else None

    def kept_stories(self) -> list[KeptStory]:
        """Return every story that was mailed, the newest editions first, in the order of their pages."""
        rows = self._rows(
            "SELECT stories.*, editions.until, items.link, items.outlet, items.language AS tongue FROM stories"
            " JOIN editions ON editions.id = stories.edition_id JOIN items ON items.id = stories.lead_item_id"
            " WHERE editions.messages > 0 ORDER BY editions.until DESC, editions.id DESC, position"
        )
        return [
            KeptStory(
                row["edition_id"], row["digest"], _must(row["until"]), row["title"], row["link"], row["outlet"],
                row["tongue"], _words(row["themes"]), row["continues"] is not None,
            )
            for row in rows
        ]  # fmt: skip

    def _insert_story(self, edition: Edition, edition_id: int, position: int, story: Story) -> int | None:
        return self._conn.execute(
            "INSERT INTO stories (edition_id, digest, position, continues, lead_item_id, title, themes, told)"
            " VALUES (?,?,?,?,?,?,?,?)",
            (
                edition_id, edition.plan.name, position, story.continues.id if story.continues else None,
                story.lead.id, story.lead.item.title, json.dumps(story.themes), _iso(edition.until),
            ),
        ).lastrowid  # fmt: skip

    def _settle_items(self, edition: Edition, edition_id: int, items: Iterable[int], story_id: int | None) -> None:
        self._conn.executemany(
            "INSERT INTO told (digest, item_id, edition_id, story_id) VALUES (?,?,?,?)",
            [(edition.plan.name, item_id, edition_id, story_id) for item_id in items],
        )

    def _insert_message(self, edition_id: int, message: Message, now: datetime, own: Edition | None) -> int:
        cursor = self._conn.execute(
            "INSERT INTO messages (edition_id, message_id, sender, recipient, subject, raw, created, kept)"
            " VALUES (?,?,?,?,?,?,?,?)",
            (
                edition_id, message.message_id, message.sender, message.recipient, message.subject,
                message.raw, _iso(now), _packed(_as_json(replace(own, passed=()))) if own else None,
            ),
        )  # fmt: skip
        self._run(
            "INSERT INTO deliveries (message_id, state, attempts, doubts, next_try, detail, updated)"
            " VALUES (?,?,0,0,?,'',?)",
            (cursor.lastrowid, State.PENDING, _iso(now), _iso(now)),
        )
        return cursor.lastrowid or 0

    def _judged(self, rows: Sequence[Mapping[str, Any]]) -> list[Judged]:
        ids = [row["id"] for row in rows]
        themes: dict[int, list[tuple[str, float]]] = {}
        for row in self._rows_of("SELECT * FROM item_themes WHERE item_id IN ({}) ORDER BY score DESC, theme", ids):
            themes.setdefault(row["item_id"], []).append((row["theme"], row["score"]))
        evidence: dict[int, list[Evidence]] = {}
        for row in self._rows_of("SELECT * FROM evidence WHERE item_id IN ({}) ORDER BY rowid", ids):
            evidence.setdefault(row.pop("item_id"), []).append(Evidence(**row))
        return [
            Judged(
                _item(row),
                Verdict(
                    bool(row["covered"]),
                    tuple(themes.get(row["id"], ())),
                    row["score"] or 0.0,
                    tuple(evidence.get(row["id"], ())),
                    row["reason"] or "",
                    doubted=bool(row["doubted"]),
                    alone=_words(row["alone"]),
                    reads_like=_words(row["reads_like"]),
                    withdrawn=_words(row["withdrawn"]),
                ),
                row["id"],
                row["rules"] or "",
            )
            for row in rows
        ]

    def find_items(self, reference: str, limit: int = 20) -> list[Judged]:
        """Return the item of that number, address or key, else those whose title holds `reference`, newest first.

        `#123`, as a digest shows it, is a number and nothing else.
        """
        what = "SELECT items.*, verdicts.* FROM items LEFT JOIN verdicts ON item_id = items.id WHERE "
        if re.fullmatch(r"#[0-9]{1,18}", reference):
            return self._judged(self._rows(what + "items.id = ?", (int(reference[1:]),)))
        exact = self._rows(
            what + "items.id = ? OR link = ? OR key = ? LIMIT ?", (reference, reference, reference, limit)
        )
        words = reference.replace("!", "!!").replace("%", "!%").replace("_", "!_")
        return self._judged(
            exact or self._rows(what + "title LIKE ? ESCAPE '!' ORDER BY published DESC LIMIT ?", (f"%{words}%", limit))
        )

    def items_since(self, since: datetime) -> dict[int, Item]:
        """Return every item first seen after `since` whose text is still kept, by number, newest first."""
        rows = self._rows(
            "SELECT * FROM items WHERE first_seen > ? AND title <> '' ORDER BY first_seen DESC, id", (_iso(since),)
        )
        return {row["id"]: _item(row) for row in rows}

    def stored_items(self, since: datetime | None = None, size: int = 500) -> Iterator[list[tuple[int, Item]]]:
        """Yield the items first seen after `since` whose text is still kept, with their numbers, `size` at a time.

        Nothing is held between two portions, so that whoever writes meanwhile need not wait.
        """
        last = 0
        while rows := self._rows(
            "SELECT * FROM items WHERE id > ? AND first_seen > ? AND (title <> '' OR summary <> '')"
            " ORDER BY id LIMIT ?",
            (last, _iso(since) if since else "", size),
        ):
            last = rows[-1]["id"]
            yield [(row["id"], _item(row)) for row in rows]

    def count_stored(self, since: datetime | None = None) -> tuple[int, int]:
        """Return how many items were first seen after `since`: those whose text is kept, and those without."""
        [row] = self._rows(
            "SELECT count(*) AS every, coalesce(sum(title <> '' OR summary <> ''), 0) AS kept FROM items"
            " WHERE first_seen > ?",
            (_iso(since) if since else "",),
        )
        return row["kept"], row["every"] - row["kept"]

    # ------------------------------------------------------------ labels

    def save_label(self, label: Label) -> None:
        """Keep what a reader said of an item; it replaces what was said of the same item before."""
        row = {
            "key": label.key,
            **{name: _plain(getattr(label, name)) for name in Label.__dataclass_fields__},
            "relevant": int(label.relevant),
            "missed": int(label.missed),
            "themes": None if label.themes is None else json.dumps(label.themes),
        }
        with self._write():
            self._upsert("labels", row)

    def forget_label(self, key: str) -> bool:
        """Take back what was said of the item of that address or title; False where nothing was."""
        with self._write():
            return self._run("DELETE FROM labels WHERE key = ?", (key,)) > 0

    def labels(self) -> list[Label]:
        """Return all labels, the oldest first."""
        return [
            Label(
                row["link"], row["title"], row["summary"], row["language"], row["outlet"], bool(row["relevant"]),
                None if row["themes"] is None else _words(row["themes"]), bool(row["missed"]), _must(row["said"]),
            )
            for row in self._rows("SELECT * FROM labels ORDER BY said, key")
        ]  # fmt: skip

    # ------------------------------------------------------------ the outbox

    def reclaim_deliveries(self, now: datetime) -> int:
        """Mark as unknown what a killed process left in `sending`, due at once; return how many.

        Only to be called by the holder of the delivery lock: then nobody else can be sending.
        """
        with self._write():
            return self._run(
                "UPDATE deliveries SET state = ?, doubts = doubts + 1, next_try = ?, updated = ?, detail = ?"
                " WHERE state = ?",
                (State.UNKNOWN, _iso(now), _iso(now), "the program ended while it was sending", State.SENDING),
            )

    def due_deliveries(self, now: datetime) -> list[Delivery]:
        """Return the deliveries to try at `now`, those that have waited longest first.

        Those that wait for a time too far ahead are among them: a clock that was wrong put them off.
        """
        rows = self._rows(
            "SELECT deliveries.id AS delivery, state, attempts, doubts, messages.* FROM deliveries"
            " JOIN messages ON messages.id = deliveries.message_id"
            " WHERE state IN (?, ?) AND (next_try <= ? OR next_try > ?) ORDER BY next_try, deliveries.id",
            (State.PENDING, State.UNKNOWN, _iso(now), _iso(now + LONGEST_WAIT)),
        )
        return [
            Delivery(
                row["delivery"],
                Message(row["message_id"], row["sender"], row["recipient"], row["subject"], row["raw"]),
                State(row["state"]),
                row["attempts"],
                row["doubts"],
                _must(row["created"]),
            )
            for row in rows
        ]

    def begin_delivery(self, delivery: Delivery, now: datetime) -> None:
        """Write down that a message goes out, before its first byte does."""
        with self._write():
            self._run(
                "UPDATE deliveries SET state = ?, updated = ? WHERE id = ?", (State.SENDING, _iso(now), delivery.id)
            )

    def end_delivery(self, delivery: Delivery, receipt: Receipt, next_try: datetime | None, now: datetime) -> None:
        """Write down how an attempt ended."""
        with self._write():
            self._run(
                "UPDATE deliveries SET state = ?, detail = ?, next_try = ?, updated = ?, attempts = attempts + 1,"
                " doubts = doubts + ?, content = ? WHERE id = ?",
                (
                    receipt.state, receipt.detail, _plain(next_try), _iso(now),
                    int(receipt.state is State.UNKNOWN), int(receipt.content), delivery.id,
                ),
            )  # fmt: skip

    def owed(self, digest: str, recipients: Collection[str], now: datetime) -> list[Owed]:
        """Return what each of these recipients certainly did not get of earlier editions of a digest.

        That is what was made within `OWED_FOR`, and is still tried and never was in doubt, or was given up: in vain, or
        because the address was refused, which may be mended. What is older is left to its own attempts: news as old
        would not be told again, and by a clock that ran ahead everything is old. A message that was itself refused is
        not: with its words the next one would be, too. What a merged message told counts with the one that holds it
        now.
        """
        owed: dict[str, tuple[set[int], set[int]]] = {}
        for row in self._rows(
            "WITH RECURSIVE covers (delivery, recipient, message) AS ("  # noqa: S608 (fixed text)
            " SELECT deliveries.id, recipient, messages.id FROM deliveries"
            "  JOIN messages ON messages.id = deliveries.message_id JOIN editions ON editions.id = edition_id"
            f"  WHERE digest = :d AND {_NOT_RECEIVED} AND created > :since"
            " UNION SELECT delivery, recipient, merged.message_id FROM covers"
            "  JOIN deliveries AS merged ON merged.merged_into = covers.message)"
            " SELECT delivery, covers.recipient, coalesce(merged_into, editions.id) AS edition FROM covers"
            " JOIN messages ON messages.id = message JOIN editions ON editions.id = edition_id",
            {"d": digest, "since": _iso(now - OWED_FOR)},
        ):
            if row["recipient"] in recipients:
                deliveries, editions = owed.setdefault(row["recipient"], (set(), set()))
                deliveries.add(row["delivery"])
                editions.add(row["edition"])
        return [
            Owed(name, tuple(sorted(deliveries)), frozenset(editions)) for name, (deliveries, editions) in owed.items()
        ]

    def reached_nobody(self, editions: Iterable[int], owed: Iterable[Owed]) -> set[int]:
        """Return those of `editions` that nobody has, may have or will get, once what is `owed` is merged."""
        merging = _numbers(delivery for one in owed for delivery in one.deliveries)
        return {edition for edition in editions if not self._rows(_HELD, {"edition": edition, "merging": merging})}

    def told_by(self, editions: Collection[int], since: datetime) -> list[Judged]:
        """Return the hits, first seen after `since`, that these editions settled, shown or not, oldest first."""
        rows = self._rows(
            "SELECT items.*, verdicts.* FROM told JOIN items ON items.id = told.item_id"
            " JOIN verdicts ON verdicts.item_id = items.id AND covered"
            " WHERE edition_id IN (SELECT value FROM json_each(?)) AND first_seen > ?"
            " AND (title <> '' OR summary <> '') ORDER BY published, items.id",
            (_numbers(editions), _iso(since)),
        )
        return self._judged(rows)

    def window_of(self, editions: Collection[int]) -> tuple[datetime, datetime] | None:
        """Return where the window of the first of these editions begins and when it was made; None without any."""
        [row] = self._rows(
            "SELECT min(since) AS since, min(until) AS until FROM editions"
            " WHERE id IN (SELECT value FROM json_each(:e)) OR merged_into IN (SELECT value FROM json_each(:e))",
            {"e": _numbers(editions)},
        )
        return (_must(row["since"]), _must(row["until"])) if row["since"] else None

    def give_up_deliveries(self, now: datetime) -> tuple[str, ...]:
        """Give up every mail that is still to be sent, for it may have arrived already; return to whom they were.

        That is so after a restore: what waited in the backup was tried on in the database that it takes the place of.
        """
        waiting = "(next_try IS NOT NULL OR state = ?)"
        with self._write():
            rows = self._rows(
                f"SELECT recipient FROM deliveries JOIN messages ON messages.id = deliveries.message_id WHERE {waiting}"  # noqa: S608
                " ORDER BY deliveries.id",
                (State.SENDING,),
            )
            self._run(
                f"UPDATE deliveries SET state = ?, next_try = NULL, updated = ?, detail = ? WHERE {waiting}",  # noqa: S608
                (
                    State.UNKNOWN,
                    _iso(now),
                    "given up by a restore: it may have arrived meanwhile",
                    State.SENDING,
                ),
            )
        return tuple(row["recipient"] for row in rows)

    def troubled_deliveries(self) -> list[tuple[str, State, str, datetime, bool]]:
        """Return recipient, state, detail, time of making of what did not arrive, and whether it is tried on.

        That is each delivery still tried, and of the newest mail to each recipient of each digest also what was given
        up: a later mail that arrives settles the matter. The oldest come first.
        """
        rows = self._rows(
            "SELECT recipient, state, detail, messages.created, next_try FROM deliveries"
            " JOIN messages ON messages.id = deliveries.message_id"
            " JOIN editions ON editions.id = messages.edition_id"
            " WHERE state NOT IN (:sent, :merged) AND (next_try IS NOT NULL OR messages.id = ("
            "  SELECT max(m.id) FROM messages m JOIN editions e ON e.id = m.edition_id"
            "  WHERE m.recipient = messages.recipient AND e.digest = editions.digest))"
            " ORDER BY deliveries.id",
            {"sent": State.SENT, "merged": State.MERGED},
        )
        return [
            (
                row["recipient"], State(row["state"]), row["detail"], _must(row["created"]),
                row["next_try"] is not None or row["state"] == State.SENDING,
            )
            for row in rows
        ]  # fmt: skip

    def went_to_files(self, since: datetime) -> bool:
        """Tell whether the last mail was written to a file, and one after `since` went to a server."""
        rows = self._rows(
            "SELECT detail LIKE 'written to %' AS file FROM deliveries WHERE state = ? AND updated > ?"
            " ORDER BY updated DESC, id DESC",
            (State.SENT, _iso(since)),
        )
        return bool(rows) and bool(rows[0]["file"]) and not all(row["file"] for row in rows)

    def archive_seed(self, feeds: Iterable[str], before: datetime) -> int:
        """File what these feeds showed from before that time, without telling it; return how much that is."""
        with self._write():
            return sum(
                self._run(
                    "UPDATE items SET backlog = 1 WHERE feed_url = ? AND published <= ? AND NOT backlog",
                    (url, _iso(before)),
                )
                for url in feeds
            )

    # ------------------------------------------------------------ figures

    def figures(self) -> Figures:
        """Return what can be counted without reading everything."""

        def pairs(sql: str) -> dict[str, int]:
            return {row["name"]: row["n"] for row in self._rows(sql)}

        [last] = self._rows("SELECT max(updated) AS at FROM deliveries WHERE state = ?", (State.SENT,))
        [items] = self._rows("SELECT count(*) AS n FROM items")
        return Figures(
            items=items["n"],
            hits=pairs("SELECT theme AS name, count(*) AS n FROM item_themes GROUP BY theme"),
            stories=pairs("SELECT digest AS name, count(*) AS n FROM stories WHERE continues IS NULL GROUP BY digest"),
            updates=pairs(
                "SELECT digest AS name, count(*) AS n FROM stories WHERE continues IS NOT NULL GROUP BY digest"
            ),
            editions=pairs("SELECT digest AS name, count(*) AS n FROM editions GROUP BY digest"),
            mails=pairs("SELECT digest AS name, sum(messages) AS n FROM editions GROUP BY digest"),
            deliveries=pairs("SELECT state AS name, count(*) AS n FROM deliveries GROUP BY state"),
            last_delivery=_time(last["at"]),
        )

    # ------------------------------------------------------------ the worker's own record

    def begin_job(self, name: str, now: datetime) -> None:
        """Write down that a job started."""
        with self._write():
            self._run(
                "INSERT INTO jobs (name, started, error) VALUES (?,?,'')"
                " ON CONFLICT (name) DO UPDATE SET started = excluded.started",
                (name, _iso(now)),
            )

    def end_job(self, name: str, now: datetime, error: str = "") -> None:
        """Write down how a job ended."""
        with self._write():
            self._run(
                "UPDATE jobs SET finished = ?, error = ?, succeeded = CASE WHEN ? = '' THEN ? ELSE succeeded END"
                " WHERE name = ?",
                (_iso(now), error, error, _iso(now), name),
            )

    def jobs(self) -> dict[str, JobRun]:
        """Return the last run of each job, by name."""
        return {
            row["name"]: JobRun(
                row["name"], _time(row["started"]), _time(row["finished"]), _time(row["succeeded"]), row["error"] or ""
            )
            for row in self._rows("SELECT * FROM jobs")
        }

    def note(self, name: str, text: str, now: datetime) -> bool:
        """Keep a note under a name, or drop it when `text` is empty; return True when that changed anything."""
        text = text.encode("utf-8", "backslashreplace").decode()  # names of files may hold what is no text
        if self.notes().get(name, "") == text:
            return False
        with self._write():
            self._run("DELETE FROM notes WHERE name = ?", (name,))
            if text:
                self._run("INSERT INTO notes VALUES (?,?,?)", (name, text, _iso(now)))
        return True

    def notes(self) -> dict[str, str]:
        """Return the notes kept: what a person should know until it is mended."""
        return {name: note.text for name, note in self.noted().items()}

    def noted(self) -> dict[str, Note]:
        """Return the notes kept, each with the time from which on it reads so."""
        return {
            row["name"]: Note(row["text"], _must(row["since"]))
            for row in self._rows("SELECT * FROM notes ORDER BY name")
        }

    def counts(self) -> dict[str, int]:
        """Return how many items, hits, editions and messages there are."""
        return {
            name: self._rows(f"SELECT count(*) AS n FROM {what}")[0]["n"]  # noqa: S608 (fixed text)
            for name, what in {
                "items": "items",
                "hits": "verdicts WHERE covered",
                "editions": "editions",
                "messages": "messages",
            }.items()
        }

    def tidy(self, before: datetime) -> int:
        """Forget the texts of items first seen before `before`, and what was taken from them; return how many.

        Identity, address and what was told of them stay for ever, so that nothing comes back as new.
        """
        old = "SELECT id FROM items WHERE first_seen < ? AND (title <> '' OR summary <> '')"
        if not self._rows(f"{old} LIMIT 1", (_iso(before),)):
            return 0
        self._conn.execute("PRAGMA secure_delete = ON")  # not everywhere the default: freed space keeps what it held
        with self._write():
            self._run(f"DELETE FROM evidence WHERE item_id IN ({old})", (_iso(before),))  # noqa: S608 (fixed text)
            self._run(
                f"UPDATE verdicts SET reason = '', reads_like = '[]' WHERE item_id IN ({old})",  # noqa: S608
                (_iso(before),),
            )
            gone = self._run(
                "UPDATE items SET title = '', summary = '', text = '', words = ''"
                " WHERE first_seen < ? AND (title <> '' OR summary <> '')",
                (_iso(before),),
            )
            if self.searchable:  # the index only notes what is deleted, until its parts are merged
                self._run("INSERT INTO items_fts (items_fts) VALUES ('optimize')")
        self._write_log_back()
        return gone

    def _write_log_back(self) -> None:
        """Empty the log, which holds the pages of before; not while somebody reads without end, as Litestream does.

        All writers wait meanwhile, so that it must not take long: he who reads writes the log back himself.
        """
        self._conn.execute("PRAGMA busy_timeout = 1000")
        try:
            self._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self._conn.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")

    # ------------------------------------------------------------ the full-text index

    @property
    def searchable(self) -> bool:
        """True where there is a full-text index; False where SQLite was built without FTS5."""
        return bool(self._rows("SELECT 1 FROM sqlite_master WHERE name = 'items_fts'"))

    def index_words(self, limit: int = 1_000) -> int:
        """Fill the index with the words of at most so many items that are not in it yet; return how many."""
        rows = self._rows("SELECT id, title, summary, outlet FROM items WHERE words IS NULL LIMIT ?", (limit,))
        if not rows or not self._made_searchable():
            return 0
        # Not within the transaction: reading takes longer than writing. What was edited meanwhile has its turn again.
        read = [
            (indexed.words(row["title"], row["summary"], row["outlet"]), row["id"], row["title"], row["summary"])
            for row in rows
        ]
        with self._write():
            change = "UPDATE items SET words = ? WHERE id = ? AND title IS ? AND summary IS ?"
            return self._conn.executemany(change, read).rowcount

    def _made_searchable(self) -> bool:
        """Make the index of a database that an SQLite without FTS5 has made, if this one has it."""
        if self.searchable:
            return True
        from monitor import migrations

        with self._write():
            migrations.make_index(self._conn)
        return self.searchable


@cache
def _editions() -> TypeAdapter[Edition]:
    """Return what writes editions and reads them; made when it is needed, for that takes as long as a poll."""
    from pydantic import TypeAdapter

    return TypeAdapter(Edition)


def _as_json(edition: Edition) -> bytes:
    """Write an edition. The standard library's writer, for it carries what is no text (half an emoji) unharmed."""
    return json.dumps(_editions().dump_python(edition, mode="json")).encode()


def _from_json(data: bytes) -> Edition:
    tree = json.loads(data)
    if "silences" in tree:  # as editions were kept before feeds had other troubles
        tree["remarks"] = [{**one, "reason": "", "kind": "silent"} for one in tree.pop("silences")]
    return _editions().validate_python(tree)


def _packed(data: bytes) -> bytes:
    return zlib.compress(data, 9)


def _templates(packed: bytes) -> dict[str, str]:
    files: dict[str, str] = json.loads(zlib.decompress(packed).decode("utf-8", "surrogatepass"))
    return files


def _told_story(row: Mapping[str, Any], reports: Sequence[Mapping[str, Any]]) -> ToldStory:
    reports = sorted(reports, key=lambda report: report["id"] != row["lead_item_id"])
    lead = reports[0] if reports else {"link": "", "language": ""}
    return ToldStory(
        id=row["id"],
        title=row["title"],
        link=lead["link"],
        language=lead["language"],
        themes=_words(row["themes"]),
        outlets=tuple(dict.fromkeys(r["outlet"] for r in reports)),
        links=tuple(r["link"] for r in reports),
        titles=tuple(r["title"] for r in reports),
        told=_must(row["told"]),
        summaries=tuple(r["summary"] for r in reports),
        times=tuple(_must(r["published"]) for r in reports),
    )


def without_scheme(link: str) -> str:
    """Return an address without `http://` or `https://`."""
    return link.partition("://")[2] or link


def fingerprint(item: Item) -> str:
    """Return the hash of what a reader sees of an item, to notice an edit."""
    return sha256(f"{item.title}\0{item.summary}".encode("utf-8", "replace")).hexdigest()[:16]


def _numbers(numbers: Iterable[int]) -> str:
    """Return numbers as one value, for `json_each`."""
    return json.dumps(list(numbers))


def _list(words: Sequence[str]) -> str:
    return json.dumps(words, ensure_ascii=False) if words else "[]"


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _must(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(json.loads(text)) if text else ()


def _plain(value: Any) -> Any:
    return _iso(value) if isinstance(value, datetime) else value


def _item_row(item: Item) -> tuple[Any, ...]:
    return (
        item.feed_url, item.key, item.link, item.title, item.summary, item.outlet, item.language,
        _iso(item.published), int(item.dated), _iso(item.first_seen), int(item.backlog), fingerprint(item), item.text,
    )  # fmt: skip


def _verdict_row(verdict: Verdict, judged: datetime) -> tuple[Any, ...]:
    return (
        int(verdict.covered), verdict.score, verdict.reason, _iso(judged),
        round(verdict.heard[0].likelihood, 4) if verdict.heard else None, int(verdict.doubted),
        _list(verdict.alone), _list(verdict.reads_like), _list(verdict.withdrawn),
    )  # fmt: skip


_GO_PAST = (
    "INSERT OR IGNORE INTO told (digest, item_id) SELECT name, ?1 FROM digests"
    " WHERE (SELECT coalesce(max(last_item), 0) FROM editions WHERE digest = name) >= ?1"
)
"""Settles what becomes a hit when an edition has gone past it; no edition is named, so that it can be opened again."""
_REOPEN = "DELETE FROM told WHERE item_id = ? AND edition_id IS NULL"

_NOT_RECEIVED = "doubts = 0 AND (state = 'pending' OR state = 'refused' AND NOT content)"
"""Of deliveries: certainly not received, and the same words may be by another mail."""
_HELD = (
    "WITH RECURSIVE holders (message) AS ("
    " SELECT messages.id FROM messages JOIN editions ON editions.id = edition_id"
    "  WHERE editions.id = :edition OR merged_into = :edition"
    " UNION SELECT merged_into FROM deliveries JOIN holders ON message_id = message WHERE merged_into IS NOT NULL)"
    " SELECT 1 FROM deliveries JOIN holders ON message_id = message"
    " WHERE merged_into IS NULL AND id NOT IN (SELECT value FROM json_each(:merging)) LIMIT 1"
)
"""Whether there is a delivery that was not merged of a message that holds what an edition told."""
_STORIES = (
    "WITH some AS (SELECT s.*, coalesce(o.id, s.id) AS root FROM stories s LEFT JOIN stories o ON o.id = s.continues"
    "  AND o.edition_id NOT IN (SELECT value FROM json_each(:apart))"
    "  WHERE s.digest = :d AND s.edition_id NOT IN (SELECT value FROM json_each(:apart))),"
    " alive AS (SELECT * FROM stories WHERE id IN (SELECT root FROM some WHERE told > :since))"
)
"""The stories of a digest without some editions, each with the one that it continues."""

_STATE = tuple(FeedState.__dataclass_fields__)
_SAVE_STATE = (
    f"INSERT INTO feeds ({', '.join(_STATE)}) VALUES ({', '.join('?' * len(_STATE))})"  # noqa: S608 (our own names)
    f" ON CONFLICT (url) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _STATE[1:])}"
)
_TIMES = ("due", "last_polled", "last_ok", "failing_since", "moved_since", "gone", "newest", "empty_since")
_UNTOLD = b"-"
"""Stands for entries that cannot be told apart: NULL is what a state of an earlier version has."""


def _state_row(state: FeedState) -> list[Any]:
    row = replace(state, seen=_UNTOLD) if state.seen is None else state
    return [_column(getattr(row, name)) for name in _STATE]


def _column(value: Any) -> Any:
    match value:
        case timedelta():
            return value.total_seconds()
        case tuple():
            return json.dumps([_iso(at) for at in value])
    return _plain(value)


def _feed_state(row: Mapping[str, Any]) -> FeedState:
    known: dict[str, Any] = {name: value for name, value in row.items() if name in _STATE and value is not None}
    known |= {name: _must(known[name]) for name in _TIMES if known.get(name)}
    known |= {name: timedelta(seconds=known[name]) for name in ("pace", "hint") if name in known}
    known["gaps"] = tuple(map(_must, json.loads(known.get("gaps") or "[]")))
    known["seen"] = None if known.get("seen") == _UNTOLD else known.get("seen", b"")
    return FeedState(**known)


def _item(row: Mapping[str, Any]) -> Item:
    return Item(
        feed_url=row["feed_url"],
        key=row["key"],
        link=row["link"],
        title=row["title"],
        summary=row["summary"],
        outlet=row["outlet"],
        language=row["language"],
        published=_must(row["published"]),
        first_seen=_must(row["first_seen"]),
        dated=bool(row["dated"]),
        backlog=bool(row["backlog"]),
        text=row["text"] or "",
    )
