"""One data folder with all around it: feeds, mailboxes, the clock, the file that people edit, and the worker."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Self

from tests.faults import ledger
from tests.faults.clock import START, Clock
from tests.faults.mailboxes import PASSWORD, Mailboxes, read
from tests.faults.moments import Moments
from tests.faults.newsroom import Item, Newsroom
from tests.faults.nursery import MARK, ROOT, Command, Nursery

SPEED = 60.0
"""A minute of the worker's passes in a second of ours."""
FIRST_LOOK = 4.0
"""Seconds that are waited at the end before time is made to pass faster."""
MOST_UNTOLD = 18
"""So many hits may be on their way to a reader at once: a mail shows forty stories at most."""
ALICE, BOB, CAROL, DAVE = (f"{name}@example.test" for name in ("alice", "bob", "carol", "dave"))
FEEDS = ("alpha", "beta", "gamma", "bare-delta")


@dataclass(frozen=True, slots=True)
class Digest:
    """One entry of `digests:`."""

    name: str
    to: tuple[str, ...]
    themes: tuple[str, ...] = ()
    cron: str = "* * * * *"
    language: str = "en"

    def yaml(self) -> str:
        """Return it as feeds.yaml has it."""
        themes = f"\n    themes: [{', '.join(self.themes)}]" if self.themes else ""
        return (
            f'  - name: {self.name}\n    to: [{", ".join(self.to)}]\n    cron: "{self.cron}"\n'
            f"    language: {self.language}{themes}\n"
        )


MORNING = Digest("morning", (ALICE, BOB))
COMPUTE = Digest("compute", (BOB, CAROL), ("compute",), "*/2 * * * *", "zh")


def config_of(feeds: Sequence[str], digests: Sequence[Digest] = (MORNING, COMPUTE)) -> str:
    """Return a feeds.yaml for some addresses."""
    some = "".join(digest.yaml() for digest in digests)
    lines = "".join(f"  - {{url: {url}, every: 1m, timeout: 1s}}\n" for url in feeds)
    return (
        f"digests:\n{some}polling: {{allow: [127.0.0.0/8]}}\nsecond_opinion: off\nretention: 7d\nfeeds:\n{lines}"
        "coverage:\n  microsoft: {names: [Microsoft]}\n  openai: {names: [OpenAI]}\n"
        "themes:\n  compute: {title: {en: Computing}, keywords: [data centre]}\n"
        "  agi: {title: {en: When AGI is reached}, keywords: [AGI]}\n"
    )


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for; `size` is 1 in the short form and more in the full one."""

    seed: int = 1
    kills: int = 25
    size: int = 1
    patience: float = 60.0
    """Seconds that are waited at the end for what has not arrived."""
    keep: bool = False
    break_by: str = ""


@dataclass
class World:
    """Enter it to have everything made; `row` is what the scenario will be in the ledger."""

    name: str
    options: Options
    speed: float | None = SPEED
    """How fast the worker's clock runs; None for the real one, which cannot be set."""
    feeds: tuple[str, ...] = FEEDS
    digests: tuple[Digest, ...] = (MORNING, COMPUTE)
    extra: str = ""
    mount: Callable[[Path], Callable[[], None]] | None = None
    """Makes the file system of the data folder; returns what unmakes it."""
    unwritten: set[int] = field(default_factory=set)

    def __enter__(self) -> Self:
        self.rng = Random(f"{self.options.seed} {self.name}")
        self.row = ledger.Row(self.name)
        self._began = time.monotonic()
        self.folder = Path(tempfile.mkdtemp(prefix=f"faults-{re.sub('[^a-z]+', '-', self.name.lower())}-"))
        self.data, self.config = self.folder / "data", self.folder / "feeds.yaml"
        self.data.mkdir()
        self._unmount = self.mount(self.data) if self.mount else None
        begin = START if self.speed else datetime.now(UTC)
        self.clock = Clock.made(self.folder / "clock", self.speed or 1.0, begin)
        self.truth = Clock.made(self.folder / "truth", self.speed or 1.0, begin)
        self.moments = Moments()
        self.newsroom = Newsroom(self.feeds, self.truth, self.moments)
        self.mailboxes = Mailboxes(self.folder, self.moments)
        self.env = {
            "MONITOR_SMTP_HOST": "127.0.0.1",
            "MONITOR_SMTP_PORT": str(self.mailboxes.port),
            "MONITOR_SMTP_USER": "monitor@example.test",
            "MONITOR_SMTP_PASSWORD": PASSWORD,
            "MONITOR_SMTP_CA_FILE": str(self.mailboxes.ca_file),
            "MONITOR_SMTP_FROM": "monitor@example.test",
        }
        clock = self.clock.path if self.speed is not None else None
        self.nursery = Nursery(self.folder, self.env, clock, self.options.break_by)
        self.write_config()
        return self

    def __exit__(self, *_: object) -> None:
        self.newsroom.close()
        self.mailboxes.close()
        if left := self.nursery.close():
            self.row.wrong.append(f"processes were left behind: {left}")
        if self._unmount:
            if self.row.wrong:
                shutil.copytree(self.data, self.folder / "data.kept", dirs_exist_ok=True)
            self._unmount()
        self.row.seconds = time.monotonic() - self._began
        if self.row.wrong or self.options.keep:
            self.row.kept_in = str(self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    # ------------------------------------------------------------ the file that people edit

    def config_text(self, digests: Sequence[Digest] | None = None, feeds: Sequence[str] | None = None) -> str:
        """Return a feeds.yaml that watches everything there is, unless said."""
        names = self.feeds if feeds is None else feeds
        some = self.digests if digests is None else digests
        return config_of([self.newsroom.url(name) for name in names], some) + self.extra

    def write_config(self, text: str | None = None, *, in_place: bool = False) -> None:
        """Save feeds.yaml as editors do, by rename, or in place."""
        target = self.config if in_place else self.config.with_suffix(".new")
        target.write_text(self.config_text() if text is None else text, encoding="utf-8")
        target.replace(self.config)

    # ------------------------------------------------------------ what happens

    def start(self, *argv: str, name: str = "worker") -> Command:
        """Start a command on this folder: `run` unless said."""
        return self.nursery.start(
            "--config", str(self.config), "--data", str(self.data), *(argv or ("run",)), name=name
        )

    def start_plain(self) -> Command:
        """Start `monitor run` as it is, in the real time and with all its patience."""
        command = Command(self.folder / "worker.err")
        line = [sys.executable, "-m", "monitor", "--config", str(self.config), "--data", str(self.data), "run"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MONITOR_")}
        with command.log.open("ab") as err:
            process = subprocess.Popen(
                line, stderr=err, stdout=err, cwd=ROOT, env={**clean, **self.env, MARK: self.nursery.mark}
            )
        command.begun(process.pid)
        threading.Thread(target=lambda: command.ended(process.wait()), daemon=True).start()
        return command

    @property
    def readers(self) -> list[ledger.Reader]:
        """Who is to be told what."""
        return [
            ledger.Reader(digest.name, address, frozenset(digest.themes))
            for digest in self.digests
            for address in digest.to
        ]

    @property
    def items(self) -> list[Item]:
        """What was published so far."""
        return list(self.newsroom.published)

    def missing(self) -> list[tuple[ledger.Reader, Item]]:
        """What has not arrived yet."""
        return ledger.missing(self.items, self.readers, list(self.mailboxes.attempts))

    def publish(self, count: int = 1, theme: str | None = None, *, fresh: bool = True) -> None:
        """Let feeds publish some items, of that theme or most of them hits, unless too many are on their way already.

        The plan is the same for the same seed; which items are left out depends on how fast the worker is.
        """
        for _ in range(count):
            name = self.rng.choice(self.feeds)
            drawn = self.rng.choice(("compute", "compute", "other", "agi", ""))
            if len(self.untold()) < MOST_UNTOLD:
                self.newsroom.publish(name, drawn if theme is None else theme, fresh=fresh)

    def untold(self) -> set[str]:
        """Return the hits that nobody has got yet."""
        told = {token for attempt in self.mailboxes.mails for token in attempt.tokens}
        return {item.token for item in self.items if item.theme and item.token not in told}

    def pass_by(self, time_off: timedelta) -> None:
        """Let so much time pass at once; only while no worker runs: it was switched off for so long."""
        for clock in (self.clock, self.truth):
            clock.jump(time_off)

    def until(self, true: Callable[[], object], seconds: float) -> bool:
        """Wait until something is so; False when it never was."""
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                return False
            time.sleep(0.03)
        return True

    def wait_for_calm(self, seconds: float) -> bool:
        """Wait until everything has arrived that was published."""
        return self.until(lambda: not self.missing(), seconds)

    def end(self, worker: Command, seconds: float = 10.0) -> None:
        """End a worker as an operator does; it has ten seconds, and has begun."""
        self.until(lambda: worker.speaks, 15)
        began = time.monotonic()
        worker.send(signal.SIGTERM)
        code = worker.wait(seconds + 5)
        took = time.monotonic() - began
        if code is None:
            self.row.wrong.append(f"SIGTERM did not end the worker within {took:.0f} s")
            worker.kill()
            worker.wait(10)
        elif code != 0 or took > seconds:
            self.row.wrong.append(f"after SIGTERM the worker ended with {code} in {took:.1f} s")

    # ------------------------------------------------------------ the reckoning

    def settle(self, worker: Command | None = None, patience: float = 0.0, *, last_call: bool = True) -> None:
        """Mend everything, let time pass until all has arrived, end the worker and close the books."""
        patience = patience or self.options.patience
        self.newsroom.mend()
        self.mailboxes.mend()
        if worker is None or not worker.runs:
            worker = self.start() if self.speed else self.start_plain()
        # Undelivered mails may come with the next edition: let there be one, for every digest.
        for name in self.feeds if last_call else ():
            self.newsroom.publish(name, "compute")
            self.newsroom.publish(name, "agi")
        began = time.monotonic()
        longer = timedelta(hours=1)
        while not self.until(lambda: not self._on_its_way(), FIRST_LOOK if self.speed else patience):
            if time.monotonic() > began + patience:
                break
            if not worker.runs:
                self.row.wrong.append(f"the worker ended by itself, with {worker.code}")
                break
            # What is tried again after an hour or a day is not waited for: the machine is switched off for so long.
            self.end(worker)
            self.pass_by(longer)
            longer = min(longer * 4, timedelta(days=1))
            worker = self.start()
        self.end(worker)
        # It may have frozen an edition at the very moment: what is in the outbox then is sent by the next worker.
        for _ in range(5):
            if not self._on_its_way() or self.row.wrong or not self.speed:
                break
            worker = self.start()
            self.until(lambda: not self._on_its_way(), FIRST_LOOK)
            self.end(worker)
        self.close_books()

    def close_books(self) -> None:
        """Fill in the row."""
        self.row.faults += len(self.newsroom.injected) + len(self.mailboxes.injected)
        ledger.settle(
            self.row, self.items, self.readers, list(self.mailboxes.attempts), list(self.mailboxes.refusals),
            self.outbox(), unwritten=self.unwritten,
        )  # fmt: skip
        self.row.wrong += self.database_faults()
        self.row.wrong += self._tracebacks()

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Ask the database, from outside."""
        with closing(sqlite3.connect(f"file:{self.data / 'monitor.db'}?mode=ro", uri=True, timeout=5)) as conn:
            return conn.execute(sql).fetchall()

    def tries(self) -> bool:
        """Whether some mail will be tried again."""
        with suppress(sqlite3.Error):
            return bool(self.rows("SELECT 1 FROM deliveries WHERE next_try IS NOT NULL LIMIT 1"))
        return True

    def _on_its_way(self) -> bool:
        """Whether some mail will be tried again, or some news is in no mail yet; what was given up is neither."""
        with suppress(sqlite3.Error):
            if self.tries():
                return True
            absent = self.missing()
            sent = {(one.recipient, token) for one in (self.outbox() if absent else ()) for token in one.tokens}
            return any((reader.address, item.token) not in sent for reader, item in absent)
        return True

    def outbox(self) -> list[ledger.Outbox]:
        """Return every delivery, as it stands."""
        found = []
        for recipient, message_id, raw, state, tried in self.rows(
            "SELECT recipient, messages.message_id, raw, state, next_try IS NOT NULL FROM messages"
            " JOIN deliveries ON deliveries.message_id = messages.id ORDER BY messages.id"
        ):
            assert isinstance(raw, bytes)
            tokens = read(raw, str(recipient), 0, kept=False, answer="").tokens
            found.append(ledger.Outbox(str(recipient), str(message_id), raw, tokens, str(state), bool(tried)))
        return found

    def database_faults(self) -> list[str]:
        """Let SQLite itself look."""
        wrong = [f"integrity_check: {line}" for (line,) in self.rows("PRAGMA integrity_check") if line != "ok"]
        return wrong + [f"foreign_key_check: {row}" for row in self.rows("PRAGMA foreign_key_check")]

    def _tracebacks(self) -> list[str]:
        found = [
            f"{path.name}: {line[:600]}"
            for path in self.folder.glob("*.err")
            for line in path.read_text("utf-8", "replace").splitlines()
            if "Traceback" in line or "this is a bug" in line
        ]
        return found[:5]

    def said(self, name: str = "worker") -> str:
        """What a command has said on stderr so far."""
        path = self.folder / f"{name}.err"
        return path.read_text("utf-8", "replace") if path.exists() else ""
