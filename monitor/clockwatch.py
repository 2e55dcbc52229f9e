"""Has the clock been set, or has everything stood still? Pure: told what the clock and a timer show, now and then.

The timer must go on while the machine sleeps (`CLOCK_BOOTTIME` on Linux); then sleep is told apart from a clock that
was set. Where a machine was stopped as a whole, a clock that is right again looks as if it had been set forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.health import BACK, FORWARD

JUMP = timedelta(minutes=2)
"""A clock that is off by less is brought right without harm, as NTP does it."""


@dataclass(frozen=True, slots=True)
class Break:
    """What happened between two looks: by how much the clock was set, and for how long nothing was done."""

    was: datetime
    now: datetime
    by: timedelta
    still: timedelta

    @property
    def is_set(self) -> bool:
        """True where the clock was set; else there was only a pause."""
        return abs(self.by) >= JUMP

    def __str__(self) -> str:
        if not self.is_set:
            return f"the machine slept or the process was stopped for {span(self.still)}"
        how = BACK if self.by < timedelta() else FORWARD
        return f"{how} by {span(abs(self.by))}, from {self.was:%Y-%m-%d %H:%M} to {self.now:%Y-%m-%d %H:%M} UTC"


class ClockWatch:
    """Compares the clock with a timer, in seconds, from one look to the next."""

    def __init__(self, now: datetime, timer: float) -> None:
        """Begin to watch."""
        self._now, self._timer = now, timer

    def look(self, now: datetime, timer: float) -> Break | None:
        """Return what happened since the last look; None where both went on as they should."""
        passed = timedelta(seconds=timer - self._timer)
        was, self._now, self._timer = self._now + passed, now, timer
        found = Break(was, now, now - was, passed)
        return found if found.is_set or passed >= JUMP else None


def span(length: timedelta) -> str:
    """Return a length of time in round words: `3 minutes`, `26 hours`, `365 days`."""
    minutes = round(length.total_seconds() / 60)
    for size, unit in ((1440, "days"), (60, "hours")):
        if minutes >= 2 * size:
            return f"{round(minutes / size)} {unit}"
    return f"{minutes} minutes"
