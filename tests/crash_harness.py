"""Runs one job again and again, each time killed with SIGKILL one step later. Not a test: `test_crash.py` runs it.

A step is a call of a public function in the modules that order, store and send, and the moment before and after each
call there of what writes to the database, the disk or a socket; of an upgrade, which is one call, each statement that
writes. For each step a forked child starts from the same data folder, dies there, and a second child does the job again
to its end. What is left after the kill and at the end is for the caller to judge.

    python -m tests.crash_harness JOB.json    prints one JSON line a step: {"step", "killed"}
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import monitor.migrations  # noqa: F401 (once for all the children)
from monitor import config, press, worker
from monitor.digest.mail import SmtpSender
from monitor.locks import hold
from monitor.store import Store

WATCHED = {"monitor.worker", "monitor.polling", "monitor.store", "monitor.digest.mail", "monitor.digest.smtp"}
WRITERS = {"execute", "executemany", "send", "sendall", "write", "replace", "fsync"}
COPYING = {"backup", "link", "replace", "fsync", "unlink"}
NOW = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)


def job(order: dict[str, Any], data: Path) -> None:
    """Do the job that the order names, as the command line would."""
    if order["job"] == "upgrade":
        Store(data / "monitor.db").close()
        return
    settings = config.load(Path(order["config"]))
    with Store(data / "monitor.db") as store:
        if order["job"] == "poll":
            with hold(data, "poll"):
                worker.meet_digests(settings, store, NOW)
                worker.poll(settings, store, lambda: NOW, everything=True)
            return
        desk = press.Desk(Path(order["templates"]), "Monitor <monitor@example.test>")
        with hold(data, "deliver"):
            worker.digest(settings, settings.digests[0], store, desk, NOW, slot=NOW)
            sender = SmtpSender("127.0.0.1", order["port"], security="plain", timeout=5)
            worker.deliver(store, sender, lambda: NOW)


def kill_at(step: int) -> None:
    """Make this process die with SIGKILL at its n-th step."""
    left = step

    def watch(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal left
        if frame.f_globals.get("__name__") not in WATCHED:
            return
        public = event == "call" and not frame.f_code.co_name.startswith(("_", "<"))
        if public or (event.startswith("c_") and getattr(arg, "__name__", "") in WRITERS):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)


def kill_at_statement(step: int) -> None:
    """Make this process die at the n-th statement that may write, or the n-th step of naming a copy."""
    left = step

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def heard(sql: str) -> None:
        if not sql.lstrip().upper().startswith(("SELECT", "PRAGMA", "--")):
            count()

    class Traced(sqlite3.Connection):
        def __init__(self, *values: Any, **options: Any) -> None:
            super().__init__(*values, **options)
            self.set_trace_callback(heard)

    def watch(frame: FrameType, event: str, arg: Any) -> None:
        if event.startswith("c_") and getattr(arg, "__name__", "") in COPYING:
            count()

    setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Traced))  # noqa: B010 (its type has no such name)
    sys.setprofile(watch)


def in_child(order: dict[str, Any], data: Path, step: int = 0) -> int:
    """Do the job in a fork; return its exit status as `os.wait` has it."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    status = 1
    try:
        if step:
            (kill_at_statement if order["job"] == "upgrade" else kill_at)(step)
        job(order, data)
        status = 0
    finally:
        sys.setprofile(None)
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Go through all steps, until one is never reached."""
    order = json.loads(Path(sys.argv[1]).read_text())
    origin, work = Path(order["origin"]), Path(order["work"])
    step, killed = 0, True
    while killed:
        step += order.get("stride", 1)
        data = work / str(step)
        shutil.copytree(origin, data)
        status = in_child(order, data, step)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if not killed and status != 0:
            sys.exit(f"step {step}: the job failed by itself with status {status}")
        shutil.copytree(data, work / f"{step}.killed")
        if in_child(order, data) != 0:
            sys.exit(f"step {step}: the job could not be done again")
        print(json.dumps({"step": step, "killed": killed}), flush=True)


if __name__ == "__main__":
    main()
