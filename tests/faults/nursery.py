"""Starts the program's commands as processes of their own, from the warm one, and ends them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
MARK = "RIFT_FAULTS"
"""In the environment of every process that the suite starts, and so of all that they start."""


@dataclass
class Command:
    """A command that runs, or ran: `code` is its exit status, negative for the signal that ended it."""

    log: Path
    pid: int = 0
    code: int | None = None
    _started: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)
    _handle: int = -1

    def __post_init__(self) -> None:
        self._said_before = self._size()

    @property
    def speaks(self) -> bool:
        """Whether it has said anything yet on stderr: a worker listens to signals by then."""
        return self._size() > self._said_before

    def _size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def begun(self, pid: int) -> None:
        """Take note of the process."""
        self.pid = pid
        with suppress(OSError, AttributeError):
            self._handle = os.pidfd_open(pid)  # names this process, and never another that has its number later
        self._started.set()

    def ended(self, code: int) -> None:
        """Take note of its end."""
        self.code = code
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        self._ended.set()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it, if it still runs."""
        self._started.wait(10)
        with suppress(OSError):
            if self._handle >= 0:
                signal.pidfd_send_signal(self._handle, number)
            elif not self._ended.is_set():
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill -9."""
        self.send(signal.SIGKILL)

    def wait(self, seconds: float) -> int | None:
        """Wait for the end; return the status, None while it runs."""
        self._ended.wait(seconds)
        return self.code

    @property
    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return not self._ended.is_set()


class Nursery:
    """The warm process and what it started."""

    def __init__(self, folder: Path, env: dict[str, str], clock: Path | None, break_by: str = "") -> None:
        self.folder, self.env, self.clock, self.break_by = folder, env, clock, break_by
        self.mark = uuid.uuid4().hex
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MONITOR_")}
        self._warm = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**clean, MARK: self.mark},
            start_new_session=True,
        )
        self._commands: list[Command] = []
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def start(self, *argv: str, name: str = "worker") -> Command:
        """Start `monitor argv`; what it says goes to `name.out` and `name.err`."""
        command = Command(self.folder / f"{name}.err")
        self._commands.append(command)
        order: dict[str, Any] = {
            "number": len(self._commands) - 1,
            "argv": argv,
            "folder": str(self.folder),
            "env": self.env,
            "clock": str(self.clock) if self.clock else "",
            "break": self.break_by,
            "out": str(self.folder / f"{name}.out"),
            "err": str(command.log),
        }
        assert self._warm.stdin is not None
        self._warm.stdin.write(json.dumps(order).encode() + b"\n")
        self._warm.stdin.flush()
        command._started.wait(30)
        return command

    def close(self) -> list[str]:
        """End the warm process; return what was left behind, by command line."""
        assert self._warm.stdin is not None
        self._warm.stdin.close()
        self._warm.wait(10)
        self._listening.join(10)
        assert self._warm.stdout is not None
        self._warm.stdout.close()
        left = left_over(self.mark)
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        return list(left.values())

    def _listen(self) -> None:
        assert self._warm.stdout is not None
        for line in self._warm.stdout:
            said: dict[str, int] = json.loads(line)
            command = self._commands[said["number"]]
            if "pid" in said:
                command.begun(said["pid"])
            else:
                command.ended(said["code"])


def left_over(mark: str) -> dict[int, str]:
    """Return number and command line of processes that bear a mark in their environment (where there is /proc)."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return found
