"""What is done to the worker. Each function is one scenario, plays in a `World` and ends with its reckoning."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Timer

from monitor import migrations
from monitor.store import MIGRATIONS
from tests.faults import mailboxes, newsroom
from tests.faults.ledger import Row
from tests.faults.moments import Moment
from tests.faults.nursery import Command
from tests.faults.world import COMPUTE, DAVE, MORNING, SPEED, Digest, Options, World

MINUTE = timedelta(minutes=1)
CLOCK_SPEED = 20.0
PLAN_ANEW = 40.0
"""Seconds of ours within which a worker whose clock was set must have polled."""
START_UP = 0.35
"""Seconds in which a warm worker has begun its first poll."""
TIDY = 5 * 60 / SPEED - 0.1
"""Seconds after the start at which it tidies."""
AT_REST = 3.0
"""Seconds after which a moment that did not come is given up: the worker is hit where it stands."""

# ---------------------------------------------------------------- kills and signals

_STEPS: tuple[tuple[int, str, int, float], ...] = (
    # how often, what is seen, the first of how many times, and seconds at most after it
    (3, "begin", 1, START_UP),
    (2, "edit", 1, 1.3),
    (1, "http asked", 4, 0.0),
    (1, "http half", 4, 0.0),
    (2, "http answered", 4, 0.03),
    (2, "http answered", 4, 0.3),  # freezing
    (1, "smtp connect", 2, 0.0),
    (1, "smtp EHLO", 2, 0.01),
    (1, "smtp AUTH", 1, 0.0),
    (2, "smtp MAIL", 3, 0.0),
    (1, "smtp RCPT", 3, 0.0),
    (1, "smtp DATA", 3, 0.0),
    (2, "smtp dot", 3, 0.0),
    (2, "smtp kept", 3, 0.0),
    (2, "smtp answered", 3, 0.004),
    (2, "smtp QUIT", 1, 0.02),
    (2, "smtp QUIT", 1, 0.15),  # the archive is written
    (1, "tidy", 1, 0.5),
)


def a_moment(rng: Random) -> Moment:
    """Choose when to strike."""
    _, kind, most, delay = rng.choices(_STEPS, [step[0] for step in _STEPS])[0]
    return Moment(kind, rng.randint(1, most), rng.uniform(0, delay))


def strike(world: World, moment: Moment, blow: Callable[[Command], object]) -> tuple[Command, str]:
    """Start a worker and strike it at that moment; return it, and where it was hit."""
    # What is tidied away is a week old. News on its way would be too old for a first sight then, and mails given up.
    long = moment.kind == "tidy" and not world.tries() and not world.untold()
    world.pass_by(timedelta(days=8) if long else MINUTE)
    world.publish(1, "compute")  # both digests have something to send
    world.publish(1)
    hit: list[str] = []
    worker = world.start()

    def act(kind: str) -> None:
        if not hit:
            hit.append(kind)
            blow(worker)

    if moment.kind in ("begin", "edit", "tidy"):
        if moment.kind == "edit":
            Timer(START_UP, lambda: _harmless_edit(world)).start()
        wait = moment.delay + {"edit": START_UP, "tidy": TIDY}.get(moment.kind, 0.0)
        Timer(wait, act, (moment.kind,)).start()
    else:
        world.moments.arm(moment, lambda: act(moment.kind.split()[0]))
    if not world.until(lambda: hit, AT_REST if moment.kind != "tidy" else TIDY + 1):
        world.moments.disarm()
        act("at rest")
    return worker, hit[0]


def _harmless_edit(world: World) -> None:
    world.extra = f"# edited {world.rng.randint(1, 10**6)}\n"
    world.write_config()


def kills(options: Options) -> Row:
    """Kill -9 at every kind of moment, the feeds publishing all the while."""
    with World("kills", options) as world:
        where = Counter[str]()
        for _ in range(options.kills):
            moment = a_moment(world.rng)
            loses = moment.kind == "smtp dot" and world.rng.random() < 0.3

            def blow(worker: Command, loses: bool = loses) -> None:
                world.mailboxes.lose = loses
                worker.kill()

            worker, place = strike(world, moment, blow)
            if worker.wait(10) != -signal.SIGKILL:
                world.row.wrong.append(f"killed at {moment}, the worker ended with {worker.code}")
            world.mailboxes.lose = False
            where[place] += 1
        world.row.kills = options.kills
        world.row.notes.append("hit at: " + ", ".join(f"{kind} {count}" for kind, count in sorted(where.items())))
        world.settle()
    return world.row


def first_starts(options: Options) -> Row:
    """Kill -9 while the database is made, or brought up to date from an earlier schema."""
    with World("first", options, feeds=("bare",)) as world:
        for number in range(max(5, options.kills // 8)):
            data = world.folder / f"data{number}"
            data.mkdir()
            if number % 2:
                _older_database(data / "monitor.db", world.rng.choice(MIGRATIONS[1:]))
            world.data = data
            worker = world.start()
            Timer(world.rng.uniform(0, 0.25), worker.kill).start()
            worker.wait(10)
            world.row.kills += 1
            code = world.start("poll", name="poll").wait(60)
            if code not in (0, 3):
                world.row.wrong.append(f"{data.name}: after the kill, a poll ended with {code}: {world.said('poll')}")
            world.row.wrong += world.database_faults()
        world.data = world.folder / "data"
        world.publish(3)
        world.settle()
    return world.row


def _older_database(path: Path, before: str) -> None:
    from sqlite_utils import Database

    with closing(sqlite3.connect(path)) as conn:
        migrations.migrations.apply(Database(conn), stop_before=before)
        conn.commit()


def signals(options: Options) -> Row:
    """SIGTERM at every kind of moment, also while servers hang: ten seconds, exit 0, nothing lost."""
    with World("signals", options) as world:
        for _ in range(8 + options.kills // 5):
            if world.rng.random() < 0.4:
                world.mailboxes.break_next(world.rng.choice(("slow", "hang-greet", "hang-rcpt", "hang-after-dot")))
            if world.rng.random() < 0.3:
                world.newsroom.break_next(world.rng.choice(world.feeds), world.rng.choice(("hang", "slow drip")))
            moment = a_moment(world.rng)
            began = time.monotonic()
            worker, place = strike(world, moment, lambda one: one.send(signal.SIGTERM))
            code = worker.wait(15)
            took = time.monotonic() - began
            # A process that has only just been made does not listen to signals yet.
            if code != 0 and not (place == "begin" and code == -signal.SIGTERM):
                world.row.wrong.append(f"SIGTERM at {moment}: ended with {code} after {took:.1f} s")
                worker.kill()
            world.row.kills += 1
            world.mailboxes.mend()
            world.newsroom.mend()
        world.settle()
    return world.row


# ---------------------------------------------------------------- servers out of order


def smtp_faults(options: Options) -> Row:
    """Every fault of a mail server, each for one session, with sound ones between; and nobody listening."""
    with World("smtp", options, speed=2.5 * SPEED) as world:
        worker = world.start()
        for _ in range(options.size):
            plan = [*mailboxes.FAULTS, "close"]
            world.rng.shuffle(plan)
            for fault in plan:
                world.publish(1, "compute")  # both digests have something to send
                world.publish(2)
                if fault == "close":
                    world.mailboxes.shut()
                    time.sleep(1.5)
                    world.mailboxes.open()
                    world.mailboxes.injected.append(fault)
                    continue
                if not met(world, fault):
                    world.row.wrong.append(f"{fault}: no session came for it")
                world.until(lambda: not world.missing(), 2.5)
        world.settle(worker)
    return world.row


def met(world: World, fault: str) -> bool:
    """Have the next mail session meet a fault, and wait for it."""
    count = len(world.mailboxes.injected)
    world.mailboxes.break_next(fault)
    return world.until(lambda: len(world.mailboxes.injected) > count, 15)


def http_faults(options: Options) -> Row:
    """Every fault of a feed, and every careless edit of its items."""
    with World("http", options, feeds=("alpha", "beta", "gamma", "delta", "epsilon", "bare-zeta")) as world:
        worker = world.start()
        plan = [*newsroom.FAULTS, *newsroom.EDITS, "emptied", "refused"] * options.size
        world.rng.shuffle(plan)
        for number, fault in enumerate(plan):
            name = world.feeds[number % len(world.feeds)]
            world.publish(1)
            if fault in newsroom.EDITS:
                world.newsroom.edit(name, fault)
            elif fault == "emptied":
                world.newsroom.empty(name)
                Timer(1.5, world.newsroom.empty, (name,), {"hidden": False}).start()
            elif fault == "refused":
                world.newsroom.shut()
                time.sleep(1.2)
                world.newsroom.open()
            else:
                world.newsroom.break_next(name, fault, world.rng.randint(1, 2))
                world.newsroom.break_next(name, "")
            if fault not in newsroom.FAULTS:
                world.newsroom.injected.append(fault)
            time.sleep(world.rng.uniform(0.2, 0.8))
        world.until(lambda: not any(feed.faults for feed in world.newsroom.feeds.values()), 5)
        # A feed that failed is asked again the later, the oftener it did.
        world.end(worker)
        world.pass_by(timedelta(hours=1))
        worker = world.start()
        world.until(lambda: not any(feed.faults for feed in world.newsroom.feeds.values()), 20)
        seen = set(world.newsroom.injected)
        if never := set(newsroom.FAULTS) - seen:
            world.row.wrong.append(f"never asked for: {sorted(never)}")
        world.settle(worker)
    return world.row


# ---------------------------------------------------------------- the disk


def disk_full(options: Options) -> Row:
    """The file system of the data folder full, for some seconds each time; also at a start and a kill."""
    if reason := _no_mounts():
        return Row("disk", skipped=reason)
    with World("disk", options, mount=_small_disk) as world:
        worker = world.start()
        ballast = world.data / "ballast"
        for _ in range(4 * options.size):
            world.publish(3)
            time.sleep(world.rng.uniform(0, 1.2))
            with _nothing_written(world):
                fill(ballast)
                world.row.faults += 1
                worker = _hit_meanwhile(world, worker, world.rng.uniform(0.5, 2.5))
                ballast.unlink()
            worker = _running(world, worker)
            time.sleep(world.rng.uniform(0.5, 1.5))
        world.settle(worker)
    return world.row


def read_only(options: Options) -> Row:
    """The data folder read-only for a while, as a file system is that the kernel has seen errors on."""
    if reason := _no_mounts():
        return Row("readonly", skipped=reason)
    with World("readonly", options, mount=_small_disk) as world:
        worker = world.start()
        for _ in range(4 * options.size):
            world.publish(3)
            time.sleep(world.rng.uniform(0, 1.2))
            with _nothing_written(world):
                _mount_read_only(world.data)
                world.row.faults += 1
                worker = _hit_meanwhile(world, worker, world.rng.uniform(0.5, 2.5))
                _unmount(world.data)
            worker = _running(world, worker)
            time.sleep(world.rng.uniform(0.5, 1.5))
        world.settle(worker)
    return world.row


def locked(options: Options) -> Row:
    """Another process holds the database's write lock; in the full form once longer than the worker waits for it."""
    with World("locked", options) as world:
        worker = world.start()
        lengths = [world.rng.uniform(0.5, 3.5) for _ in range(3 * options.size)] + [33.0] * (options.size > 1)
        for length in lengths:
            world.publish(3)
            time.sleep(world.rng.uniform(0, 1.0))
            world.until((world.data / "monitor.db").exists, 5)
            with _nothing_written(world), closing(sqlite3.connect(world.data / "monitor.db", timeout=10)) as conn:
                with suppress(sqlite3.OperationalError):
                    conn.execute("BEGIN IMMEDIATE")
                world.row.faults += 1
                time.sleep(length)
                conn.rollback()
            time.sleep(world.rng.uniform(0.5, 1.0))
        world.settle(worker)
    return world.row


def _no_mounts() -> str:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "only root may mount a small file system"
    return ""


def _small_disk(folder: Path) -> Callable[[], None]:
    _mount("-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder))
    return lambda: _unmount_all(folder)


def _mount(*words: str) -> None:
    """Mount; two scenarios that do so at the same moment stand in each other's way."""
    for _ in range(20):
        done = subprocess.run(["mount", *words], check=False, capture_output=True, text=True)
        if not done.returncode:
            return
        time.sleep(0.1)
    raise OSError(f"mount {' '.join(words)}: {done.stderr}")


def _mount_read_only(folder: Path) -> None:
    """Lay the folder over itself, read-only; anew where somebody has opened a file for writing in between."""
    for _ in range(20):
        _mount("--bind", str(folder), str(folder))
        remount = ["mount", "-o", "remount,bind,ro", str(folder)]
        if not subprocess.run(remount, check=False, capture_output=True).returncode:
            return
        _unmount(folder)
        time.sleep(0.05)
    raise OSError(f"{folder}: is written to all the time, and cannot be made read-only")


def _unmount(folder: Path) -> None:
    if subprocess.run(["umount", str(folder)], check=False, capture_output=True).returncode:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


def _unmount_all(folder: Path) -> None:
    while os.path.ismount(folder):
        _unmount(folder)


def fill(ballast: Path) -> None:
    """Write until there is no room left, not for a byte."""
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))


@contextmanager
def _nothing_written(world: World) -> Iterator[None]:
    """Mark the mail sessions meanwhile: an answer that was heard could not be written down."""
    first = world.mailboxes.sessions
    yield
    world.unwritten |= set(range(first, world.mailboxes.sessions + 1))


def _hit_meanwhile(world: World, worker: Command, seconds: float) -> Command:
    """Let the worker be, or kill it half-way and start another that meets the same."""
    if world.rng.random() < 0.5:
        time.sleep(seconds)
        return worker
    time.sleep(seconds / 2)
    worker.kill()
    worker.wait(10)
    world.row.kills += 1
    worker = world.start()
    time.sleep(seconds / 2)
    return worker


def _running(world: World, worker: Command) -> Command:
    """Return a worker that runs: one that could not begin has said why in a line, and is started again."""
    if worker.wait(0.2) is None:
        return worker
    if worker.code != 1:
        world.row.wrong.append(f"a worker that could not begin ended with {worker.code}")
    world.row.notes = [f"a start was refused: {world.said().splitlines()[-1].replace(str(world.folder), '…')}"]
    return world.start()


# ---------------------------------------------------------------- the clock


def clock(options: Options) -> Row:
    """The worker's clock jumps by hours, a day, a year, forward and back, and is put right again."""
    # Slower than the others: a scheduler counts the minutes of a year before it goes on, and that takes its time.
    rarer = (replace(MORNING, cron="*/10 * * * *"), replace(COMPUTE, cron="*/20 * * * *"))
    with World("clock", options, speed=CLOCK_SPEED, digests=rarer) as world:
        worker = world.start()
        lengths = [timedelta(hours=3), timedelta(days=1), timedelta(days=365)]
        jumps = [sign * length for length in lengths for sign in (1, -1)]
        if options.size == 1:
            jumps = [world.rng.choice((1, -1)) * length for length in lengths]
        world.rng.shuffle(jumps)
        for by in jumps:
            world.publish(2)
            world.wait_for_calm(5)
            if not set_clock(world, by):
                break
            # By a clock a year ahead what is published is a year old, and no news: no promise.
            world.publish(2, fresh=by < timedelta(days=7))
            time.sleep(3)
            set_clock(world, -by)
        world.settle(worker)
    return world.row


def set_clock(world: World, by: timedelta) -> bool:
    """Set the worker's clock; feeds must be asked again within some of its minutes. Return whether they were."""
    world.clock.jump(by)
    world.row.faults += 1
    asked = world.moments.counts.get("http asked", 0)
    went_on = world.until(lambda: world.moments.counts.get("http asked", 0) > asked, PLAN_ANEW)
    if not went_on:
        hours, minutes = by.total_seconds() / 3600, PLAN_ANEW * CLOCK_SPEED / 60
        world.row.wrong.append(f"no feed was asked for {minutes:.0f} minutes after the clock was set by {hours:+g} h")
    return went_on


# ---------------------------------------------------------------- people


def two_workers(options: Options) -> Row:
    """A second worker, and commands by hand beside the first."""
    with World("two", options) as world:
        worker = world.start()
        time.sleep(0.5)
        for _ in range(4 * options.size):
            world.publish(2)
            second = world.start(name="second")
            others = [
                (words, world.start(*words, name="by-hand"))
                for words in world.rng.sample(
                    [("poll",), ("poll", "--all"), ("digest", "morning"), ("digest", "compute"), ("health",)], 3
                )
            ]
            time.sleep(world.rng.uniform(0.2, 1.0))
            if second.wait(10) != 1 or "another process is doing this already" not in world.said("second"):
                world.row.wrong.append(f"a second worker ended with {second.code}: {world.said('second')[-300:]}")
                second.kill()
            for words, other in others:
                if other.wait(30) not in (0, 1, 3):
                    world.row.wrong.append(f"monitor {' '.join(words)} ended with {other.code}")
                    other.kill()
            world.row.faults += 1 + len(others)
        world.settle(worker)
    return world.row


EXTRA = Digest("extra", (DAVE,), ("agi",))


def edits(options: Options) -> Row:
    """feeds.yaml and templates broken and mended, digests and feeds taken out and brought back, kills between."""
    with World("edits", options, digests=(MORNING, COMPUTE, EXTRA)) as world:
        worker = world.start()
        (world.folder / "templates").mkdir()
        plan = list(_EDITS) * options.size
        world.rng.shuffle(plan)
        for name in plan:
            world.publish(2)
            _EDITS[name](world)
            world.row.faults += 1
            time.sleep(world.rng.uniform(0.4, 1.6))
            world.publish(1)
            if world.rng.random() < 0.3:
                worker.kill()
                worker.wait(10)
                world.row.kills += 1
                worker = world.start()
                time.sleep(world.rng.uniform(0.3, 1.0))
            _mend(world)
            time.sleep(world.rng.uniform(0.6, 1.2))
        world.settle(worker)
    return world.row


def _template(name: str, text: str) -> Callable[[World], object]:
    return lambda world: (world.folder / "templates" / name).write_text(text)


_EDITS: dict[str, Callable[[World], object]] = {
    "no YAML": lambda world: world.write_config("themes: [\n"),
    "empty": lambda world: world.write_config("", in_place=True),
    "half written": lambda world: world.write_config(world.config_text()[:300], in_place=True),
    "an unknown key": lambda world: world.write_config(world.config_text().replace("themes:\n", "themse:\n")),
    "gone": lambda world: world.config.unlink(),
    "no text": lambda world: world.config.write_bytes(b"\xff\xfe\x00digests"),
    "a digest less": lambda world: world.write_config(world.config_text(digests=(MORNING, COMPUTE))),
    "a feed less": lambda world: world.write_config(world.config_text(feeds=world.feeds[1:])),
    "a template with a fault": _template("digest.txt", "{% if %}"),
    "a template without a value": _template("story.html", "{{ nothing.at.all }}"),
    "a template that is no text": lambda world: (world.folder / "templates" / "digest.html").write_bytes(b"\xff\xfe"),
}


def _mend(world: World) -> None:
    world.write_config()
    for path in (world.folder / "templates").iterdir():
        path.unlink()


# ---------------------------------------------------------------- as it is


def plain(options: Options) -> Row:
    """`monitor run` as it is: the real clock, its own patience, a tick a minute; killed while it sends, and ended."""
    with World("plain", options, speed=None) as world:
        for number in range(1 + (options.size > 1)):
            world.newsroom.publish("alpha", "compute")
            world.publish(3)
            worker = world.start_plain()
            moment = Moment(world.rng.choice(("smtp MAIL", "smtp dot", "smtp kept")), world.rng.randint(1, 3))
            world.moments.arm(moment, worker.kill)
            if worker.wait(135) is None:
                world.row.wrong.append(f"no mail within two minutes ({moment})")
            worker.kill()
            worker.wait(10)
            world.row.kills += 1
            if number:
                worker = world.start_plain()
                time.sleep(3)
                world.end(worker)
        world.settle(patience=200, last_call=options.size > 1)
    return world.row


def calm(options: Options) -> Row:
    """Nothing is done to it: what the others see is their faults' doing."""
    with World("calm", options) as world:
        worker = world.start()
        for _ in range(4 * options.size):
            world.publish(2)
            time.sleep(0.3)
        world.until(lambda: world.mailboxes.mails, 20)  # so that there are two editions at least
        world.settle(worker)
    return world.row


SCENARIOS: dict[str, Callable[[Options], Row]] = {
    "plain": plain,
    "kills": kills,
    "smtp": smtp_faults,
    "http": http_faults,
    "signals": signals,
    "edits": edits,
    "clock": clock,
    "disk": disk_full,
    "readonly": read_only,
    "locked": locked,
    "two": two_workers,
    "first": first_starts,
    "calm": calm,
}
"""By the name for `--scenario`; those that take longest come first."""


def play_one(name: str, options: Options) -> Row:
    """Play one scenario."""
    logging.getLogger("mail").setLevel(logging.CRITICAL)  # the mail server's own troubles are the faults
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    try:
        return SCENARIOS[name](options)
    except Exception as e:
        logging.getLogger(__name__).exception("%s could not be played to its end", name)
        return Row(name, wrong=[f"could not be played to its end: {type(e).__name__}: {e}"])
