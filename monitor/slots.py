"""When an edition is due: crontab lines in a time zone → instants. Pure.

APScheduler's cron trigger does the calendar, daylight saving included. It counts weekdays from Monday, crontab
from Sunday, so numbers are turned into names first.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CHANGE = timedelta(hours=3)
"""No zone's clocks are changed by more at once."""


def trigger(cron: str, zone: str = "UTC") -> CronTrigger:
    """Return the trigger of a five-field crontab line.

    Raises:
        ValueError: the line cannot be read.
    """
    fields = cron.split()
    if len(fields) != 5:
        raise ValueError(f"five fields are expected (minute hour day month weekday), {len(fields)} given")
    if fields[2] != "*" and fields[4] != "*":
        raise ValueError("give a day of the month or a weekday, not both")
    fields[4] = ",".join(_named_days(part) for part in fields[4].split(","))
    return CronTrigger.from_crontab(" ".join(fields), timezone=ZoneInfo(zone))


def check(cron: str) -> None:
    """Raise ValueError when a crontab line cannot be read or names no day that ever comes."""
    if next_slot(cron, "UTC", datetime(2024, 1, 1, tzinfo=UTC)) is None:
        raise ValueError("there is no such day")


def next_slot(cron: str, zone: str, after: datetime) -> datetime | None:
    """Return the first time strictly after `after`, in UTC; None when there is none.

    APScheduler loses its way on the days when clocks change, so it walks the calendar in UTC and the clock is
    read here: a time that comes twice counts when it first comes, one that is left out comes an hour later.
    """
    here, calendar = ZoneInfo(zone), trigger(cron)
    wall = after.astimezone(here).replace(tzinfo=UTC) - _CHANGE
    first: datetime | None = None
    found: list[datetime] = []
    while (wall := calendar.get_next_fire_time(wall, wall)) and (first is None or wall <= first + _CHANGE):
        instant = wall.replace(tzinfo=here).astimezone(UTC)
        if instant > after:
            first = first or wall
            found.append(instant)
    return min(found, default=None)


def missed_slot(cron: str, zone: str, last: datetime, now: datetime) -> datetime | None:
    """Return the first scheduled time in `last` < t ≤ `now`: the one to make up for, however many followed it."""
    found = next_slot(cron, zone, last)
    return found if found and found <= now else None


def _named_days(part: str) -> str:
    match = re.fullmatch(r"(\*|0?[0-7]|[a-z]{3})(?:-(0?[0-7]|[a-z]{3}))?(?:/(\d+))?", part.lower())
    if not match or (match[1] == "*" and match[2]):
        raise ValueError(f"weekday {part!r} cannot be read; write 0-7 (0 and 7 are Sunday) or sun, mon, …")
    first = 0 if match[1] == "*" else _day(match[1])
    last, step = _day(match[2]) if match[2] else first, int(match[3] or 1)
    if match[1] == "*" or (match[3] and not match[2]):
        last = 6
    if match[2] and last == 0 < first:
        last = 7
    if last < first or step < 1:
        raise ValueError(f"weekday {part!r} runs backwards")
    return ",".join(dict.fromkeys(_DAYS[day] for day in range(first, last + 1, step)))


def _day(word: str) -> int:
    if word.isdigit():
        return int(word)
    if word not in _DAYS:
        raise ValueError(f"{word!r} is no weekday; write sun, mon, tue, wed, thu, fri or sat")
    return _DAYS.index(word)
