"""When a fault happens: at the n-th time that something was seen, or a while after it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """`kind` is what the servers say that they see: `http asked`, `smtp RCPT` …; `delay` is in seconds."""

    kind: str
    nth: int = 1
    delay: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind} #{self.nth}" + (f" + {self.delay * 1000:.0f} ms" if self.delay else "")


class Moments:
    """Tells the one who waits for a moment that it has come, in the thread of the server that saw it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: tuple[Moment, Callable[[], object]] | None = None
        self._left = 0
        self.counts: dict[str, int] = {}

    def arm(self, moment: Moment, act: Callable[[], object]) -> None:
        """Call `act` at that moment, counted from now; what was waited for before is forgotten."""
        with self._lock:
            self._waiting, self._left = (moment, act), moment.nth

    def disarm(self) -> None:
        """Wait for nothing."""
        with self._lock:
            self._waiting = None

    def saw(self, kind: str) -> None:
        """Say that something happened just now."""
        with self._lock:
            self.counts[kind] = self.counts.get(kind, 0) + 1
            if self._waiting is None or self._waiting[0].kind != kind:
                return
            self._left -= 1
            if self._left:
                return
            (moment, act), self._waiting = self._waiting, None
        if moment.delay:
            timer = threading.Timer(moment.delay, act)
            timer.daemon = True
            timer.start()
        else:
            act()
