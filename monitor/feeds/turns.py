"""Whose turn it is to be asked: so many at once, of one host fewer and spaced, and the slow ones beside. Pure.

Times are seconds of any clock that runs forward.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

AT_ONCE = 64
SLOW_AT_ONCE = 256
"""How many slow ones may go on beside. More would meet the limit of open files (1,024 in most shells)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How many of one host may be asked at once, and how many seconds lie between their starts."""

    at_once: int
    spacing: float


@dataclass(eq=False, slots=True)
class Turn(Generic[T]):
    """One asking that is under way."""

    what: T
    host: str
    began: float
    slow: bool = False
    over: bool = False


@dataclass(slots=True)
class _Line(Generic[T]):
    """What waits for one host."""

    rule: Rule
    waiting: deque[T] = field(default_factory=deque)
    running: int = 0
    queued: bool = False
    last: float = float("-inf")


class Turns(Generic[T]):
    """The order of asking; hosts take turns, and what waits for one host never keeps another waiting."""

    def __init__(self, whats: Iterable[T], host_of: Callable[[T], str], rule_of: Callable[[str], Rule]) -> None:
        self._lines: dict[str, _Line[T]] = {}
        for what in whats:
            host = host_of(what)
            if host not in self._lines:
                self._lines[host] = _Line(rule_of(host))
            self._lines[host].waiting.append(what)
        self._left = sum(len(line.waiting) for line in self._lines.values())
        self._number = 0
        self._ready: list[tuple[float, int, str]] = []
        for host, line in self._lines.items():
            self._queue(host, line, float("-inf"))
        self.busy = self.slow = 0
        self._refused: deque[Turn[T]] = deque()

    def next(self, now: float) -> Turn[T] | None:
        """Take the next one whose turn it is; None while all must wait."""
        if self.busy >= AT_ONCE or not self._ready or self._ready[0][0] > now:
            return None
        host = heapq.heappop(self._ready)[2]
        line = self._lines[host]
        line.queued = False
        self._left -= 1
        line.running += 1
        line.last = now
        self.busy += 1
        turn = Turn(line.waiting.popleft(), host, now)
        self._queue(host, line, now)
        return turn

    def wait(self, now: float) -> float | None:
        """Return in how many seconds somebody's turn comes by time alone; None when first another must end."""
        return max(0.0, self._ready[0][0] - now) if self._ready and self.busy < AT_ONCE else None

    def give_way(self, turn: Turn[T]) -> None:
        """Let a slow one go on beside the others, while there is room."""
        if turn.slow or turn.over:
            return
        if self.slow < SLOW_AT_ONCE:
            turn.slow = True
            self.busy -= 1
            self.slow += 1
        else:
            self._refused.append(turn)

    def end(self, turn: Turn[T], now: float) -> None:
        """Say that one is done with."""
        turn.over = True
        if turn.slow:
            self.slow -= 1
            while self._refused and self.slow < SLOW_AT_ONCE:
                self.give_way(self._refused.popleft())
        else:
            self.busy -= 1
        line = self._lines[turn.host]
        line.running -= 1
        self._queue(turn.host, line, now)

    @property
    def waiting(self) -> bool:
        """True while there is one that was not taken."""
        return self._left > 0

    def _queue(self, host: str, line: _Line[T], now: float) -> None:
        if line.waiting and not line.queued and line.running < line.rule.at_once:
            line.queued = True
            self._number += 1
            heapq.heappush(self._ready, (max(now, line.last + line.rule.spacing), self._number, host))
