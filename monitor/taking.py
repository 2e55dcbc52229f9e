"""Taking in one document: parse → normalise → judge. Pure and picklable, so that other processes can do it.

What needs the database or the network stands in `polling`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from monitor.feeds.hints import read_hints
from monitor.feeds.normalise import capped, date_fault, normalise, told_apart
from monitor.feeds.parse import parse
from monitor.match.blend import Second
from monitor.match.judge import judge
from monitor.match.rules import Rules
from monitor.model import Failure, Feed, Hints, Item, Judged, Parsed


@dataclass(frozen=True, slots=True)
class Task:
    """A document to be taken in, as bytes, without the entries that were cut out. `url` is where it came from.

    `last_ok` is the feed's last good poll, None at first sight. With `undecided` nothing is judged yet.
    """

    feed: Feed
    body: bytes
    headers: Mapping[str, str]
    url: str
    now: datetime
    last_ok: datetime | None
    undecided: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of it.

    `shared`: entries share a key; not `sound`: the document is ill-formed. Then single ones must not be read without
    the others.
    `odd`: most of its dates cannot be, and how.
    """

    items: tuple[Item, ...] = ()
    judged: tuple[Judged, ...] = ()
    title: str = ""
    hints: Hints = field(default_factory=Hints)
    shared: bool = False
    sound: bool = True
    odd: str = ""
    failure: Failure | None = None


def take(task: Task, rules: Rules, second: Second | None = None) -> Taken:
    """Take in one document."""
    parsed = parse(task.body, task.headers)
    if isinstance(parsed, Failure):
        return Taken(failure=parsed)
    plain = items_of(parsed, task.feed, task.now, task.last_ok, task.url)
    items = told_apart(plain)
    faults = [
        date_fault(entry.published, entry.published_utc, task.feed.timezone, task.now) for entry in parsed.entries
    ]
    return Taken(
        tuple(items),
        () if task.undecided else tuple(judge_all(items, rules, second)),
        parsed.title,
        read_hints(task.body),
        shared=len({item.key for item in plain}) < len(plain),
        sound=parsed.sound,
        odd=_most_of(faults),
    )


def items_of(parsed: Parsed, feed: Feed, now: datetime, last_ok: datetime | None, base: str) -> list[Item]:
    """Make items of all entries of one document that came from `base`; their keys are those that the feed gives."""
    items = [normalise(entry, feed, parsed, now=now, last_ok=last_ok, base=base) for entry in parsed.entries]
    return capped(items) if last_ok is None else items


def judge_all(items: Iterable[Item], rules: Rules, second: Second | None = None) -> list[Judged]:
    """Judge items."""
    return [Judged(item, judge(item, rules, second)) for item in items]


def _most_of(faults: list[str]) -> str:
    """Return the fault that more than half of the entries have, if there is one."""
    return next((fault for fault in dict.fromkeys(faults) if fault and faults.count(fault) * 2 > len(faults)), "")
