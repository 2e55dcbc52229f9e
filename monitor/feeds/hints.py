"""When a document asks to be asked again: RSS ttl, skipHours and skipDays, and the syndication module. Pure.

Read from the bytes, for what stands before the entries is small and these elements have no other form: RSS 2.0
(https://www.rssboard.org/rss-specification) and RSS 1.0's syndication module
(https://web.resource.org/rss/1.0/modules/syndication/).
"""

from __future__ import annotations

import re
from datetime import timedelta

from monitor.model import Hints

_HEAD = 64 * 1024
_FIRST_ENTRY = re.compile(rb"<(?:item|entry)[\s>]")
_TTL = re.compile(rb"<ttl>\s*(\d{1,7})\s*</ttl>")
_PERIOD = re.compile(rb"<(?:\w+:)?updatePeriod>\s*(hourly|daily|weekly|monthly|yearly)\s*<", re.IGNORECASE)
_FREQUENCY = re.compile(rb"<(?:\w+:)?updateFrequency>\s*(\d{1,5})\s*<", re.IGNORECASE)
_SKIP_HOURS = re.compile(rb"<skipHours>(.{0,2000}?)</skipHours>", re.DOTALL | re.IGNORECASE)
_SKIP_DAYS = re.compile(rb"<skipDays>(.{0,1000}?)</skipDays>", re.DOTALL | re.IGNORECASE)
_HOUR = re.compile(rb"<hour>\s*(\d{1,2})\s*</hour>", re.IGNORECASE)
_DAY = re.compile(rb"<day>\s*([A-Za-z]{6,9})\s*</day>", re.IGNORECASE)
_PERIODS = {b"hourly": 1, b"daily": 24, b"weekly": 168, b"monthly": 720, b"yearly": 8760}
_DAYS = (b"monday", b"tuesday", b"wednesday", b"thursday", b"friday", b"saturday", b"sunday")


def read_hints(body: bytes) -> Hints:
    """Return what the head of a document asks for; nothing where it cannot be read."""
    head = body[:_HEAD]
    # RSS 1.0 and 2.0 put these before the entries; what stands in an entry speaks of something else.
    if found := _FIRST_ENTRY.search(head):
        head = head[: found.start()]
    minutes = _TTL.search(head)
    waits = [timedelta(minutes=int(minutes[1]))] if minutes else []
    if period := _PERIOD.search(head):
        often = _FREQUENCY.search(head)
        waits.append(timedelta(hours=_PERIODS[period[1].lower()]) / max(1, int(often[1]) if often else 1))
    hours, days = _SKIP_HOURS.search(head), _SKIP_DAYS.search(head)
    return Hints(
        every=max(waits, default=None) or None,
        skip_hours=frozenset(int(hour) % 24 for hour in _HOUR.findall(hours[1]) if int(hour) <= 24)
        if hours
        else frozenset(),
        skip_days=frozenset(_DAYS.index(day.lower()) for day in _DAY.findall(days[1]) if day.lower() in _DAYS)
        if days
        else frozenset(),
    )
