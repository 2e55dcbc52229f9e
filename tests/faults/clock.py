"""A clock that several processes share: it runs so many times as fast as ours, and can be set like any other.

It lives in a small file that is replaced whole. `timer` is its steady twin (as `time.monotonic` is to `time.time`): of
the same speed, and never set.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
"""When every scenario begins, so that the same seed sees the same times of day."""


class Clock:
    """The clock in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def made(cls, path: Path, speed: float = 1.0, at: datetime = START) -> Clock:
        """Return a new one that shows `at`."""
        clock = cls(path)
        clock._write(at.timestamp(), time.monotonic(), speed, 0.0)
        return clock

    def now(self) -> datetime:
        """Return the time that it shows, in UTC."""
        shown, since, speed, _ = self._read()
        return datetime.fromtimestamp(shown + (time.monotonic() - since) * speed, UTC)

    def timer(self) -> float:
        """Return its steady seconds."""
        _, since, speed, steady = self._read()
        return steady + (time.monotonic() - since) * speed

    @property
    def speed(self) -> float:
        """How many of its seconds pass in one of ours."""
        return self._read()[2]

    def run(self, speed: float) -> None:
        """Go on from now at another speed."""
        self._write(self.now().timestamp(), time.monotonic(), speed, self.timer())

    def jump(self, by: timedelta) -> None:
        """Set it, as an operator or a time server does: the steady seconds know nothing of it."""
        self._write((self.now() + by).timestamp(), time.monotonic(), self.speed, self.timer())

    def _read(self) -> tuple[float, float, float, float]:
        shown, since, speed, steady = map(float, self.path.read_text().split())
        return shown, since, speed, steady

    def _write(self, shown: float, since: float, speed: float, steady: float) -> None:
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.write_text(f"{shown!r} {since!r} {speed!r} {steady!r}")
        os.replace(fresh, self.path)
