"""Workers that start in an instant: forks of one process that has imported everything and has no thread yet.

    python -m tests.faults.warm        orders on stdin, a line of JSON each; what became of them on stdout

Each fork is a process of its own that runs `monitor`'s own command line to its natural end, or is killed. Two things in
it are not as in the world, and nothing else: its clock (`live_by`; none is given for the real one), and how long it
waits for a mail server's answer (`be_impatient`). `break` names a fault of the program itself, for the proof that the
suite finds such (`broken.py`).
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import MISSING, fields
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from tests.faults.clock import Clock

WARM = (
    "apscheduler.executors.pool", "apscheduler.schedulers.background", "apscheduler.triggers.cron",
    "apscheduler.triggers.interval", "monitor.cli", "monitor.cli_common", "monitor.schedule", "monitor.worker",
    "monitor.polling", "monitor.hands", "monitor.taking", "monitor.feeds.fetch", "monitor.feeds.delta",
    "monitor.feeds.hints", "monitor.compiled", "monitor.environment", "monitor.metrics", "monitor.digest.mail",
    "monitor.digest.render", "monitor.archive", "monitor.migrations", "monitor.lastgood", "monitor.logs",
)  # fmt: skip
PATIENCE, LAST_ANSWER = 1.0, 1.5
"""Seconds to wait for a mail server, in place of 60 and 600."""


def main() -> None:
    """Import everything, then fork at each order; a fork comes back from `serve` with its order."""
    for name in WARM:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    if threading.active_count() > 1:
        sys.exit("something that was imported has begun a thread: forks would be without it")
    if order := serve():
        become(order)


def serve() -> dict[str, Any] | None:
    """Take orders until stdin ends; return an order in the fork that is to carry it out, else None."""
    hear, wake = os.pipe()
    os.set_blocking(hear, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    children: dict[int, int] = {}
    unread = b""
    while True:
        ready, _, _ = select.select([0, hear], [], [], 1.0)
        if hear in ready:
            with suppress(BlockingIOError):
                os.read(hear, 4096)
        while children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            _say(number=children.pop(pid), code=os.waitstatus_to_exitcode(status))
        if 0 not in ready:
            continue
        heard = os.read(0, 65536)
        if not heard:
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            return None
        *lines, unread = (unread + heard).split(b"\n")
        for line in lines:
            order: dict[str, Any] = json.loads(line)
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.close(hear)
                os.close(wake)
                return order
            children[pid] = order["number"]
            _say(number=order["number"], pid=pid)


def _say(**words: int) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def become(order: dict[str, Any]) -> None:
    """Be the command that the order names, to its end."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for target, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), target)
    os.chdir(order["folder"])
    os.environ.update(order["env"])
    sys.argv = ["monitor", *order["argv"]]
    from monitor import cli

    if order["clock"]:
        live_by(Clock(Path(order["clock"])))
    be_impatient()
    if order["break"]:
        from tests.faults import broken

        broken.BROKEN[order["break"]]()
    cli.main()


def live_by(clock: Clock) -> None:
    """Let the program and its scheduler read that clock and none other; a wait of theirs is as long as it says."""
    from apscheduler.executors import base as executors
    from apscheduler.schedulers import base as schedulers
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.triggers import interval

    from monitor import cli, cli_common, schedule

    class Shown(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return clock.now().astimezone(tz)

    wait = BackgroundScheduler._process_jobs

    def shorter(scheduler: Any) -> float | None:
        seconds = wait(scheduler)
        return None if seconds is None else seconds / clock.speed

    names = [field.name for field in fields(schedule.Office) if field.default is not MISSING]
    usual = schedule.Office.__init__.__defaults__ or ()
    timed = tuple(clock.timer if name == "timer" else one for name, one in zip(names, usual, strict=True))
    for owner, name, value in (
        (cli, "_now", clock.now),
        (cli_common, "now", clock.now),
        (schedulers, "datetime", Shown),
        (executors, "datetime", Shown),
        (interval, "datetime", Shown),
        (BackgroundScheduler, "_process_jobs", shorter),
        (schedule.Office.__init__, "__defaults__", timed),
    ):
        setattr(owner, name, value)


def be_impatient() -> None:
    """Wait a second for a mail server, not a minute."""
    from monitor.digest.mail import SmtpSender

    defaults = SmtpSender.__init__.__kwdefaults__ or {}
    defaults["timeout"], defaults["last_answer"] = PATIENCE, LAST_ANSWER


if __name__ == "__main__":
    main()
