"""What `monitor backtest` prints: the comparison as text for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple

from rich.cells import cell_len

from monitor.backtest import NO_THEME, Change, Comparison, Place, Side, reasons
from monitor.errors import without_credentials
from monitor.explain import AROUND, Mark, marked, pieces_of
from monitor.match.judge import judge
from monitor.match.rules import Rules
from monitor.model import Evidence, Feed, Item, Verdict

DAYS = 14
"""So many days at most are shown one by one."""
LISTS = {
    "gained": "hits that the new file finds",
    "lost": "hits that it no longer finds",
    "moved": "hits that stand elsewhere",
    "with_feed": "hits whose feed is removed",
}
"""What the lists are called in JSON, and what they hold."""

Paint = Callable[[str, str], str]
"""Style (head, gained, lost, dim) and words → the words as they are shown."""


class Line(NamedTuple):
    """A line of text; where it is too long for a terminal, it goes on `hang` cells from the left."""

    text: str = ""
    hang: int = 0


class Look(NamedTuple):
    """How it is shown: colours or none, marks of matched words, and the width (None: a pipe, any)."""

    paint: Paint
    mark: Mark
    width: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One changed item: what stands in it by either file, why it changed, and a place that should be seen."""

    change: Change
    item: Item
    evidence: tuple[Evidence, ...]
    rules: Rules
    why: tuple[str, ...]
    excerpt: tuple[str, int, int] | None = None

    def pieces(self, field: str) -> list[tuple[str, int, int]]:
        """Return what stands in a field: kind, start, end."""
        return pieces_of(self.evidence, self.rules, field)


Samples = Mapping[str, Sequence[Sample]]
"""Name of a list → those of its items that are told in full, the newest first."""


def samples_of(found: Comparison, old: Side, new: Side, most: int, fetch: Callable[[int], Item]) -> Samples:
    """Return the newest items of each list; `fetch` gets one by its number."""
    chosen = {name: sorted(getattr(found, name), key=_age, reverse=True)[:most] for name in LISTS}
    return {
        name: [_sample(change, fetch(change.id), old, new, removed=name == "with_feed") for change in some]
        for name, some in chosen.items()
    }


def _age(change: Change) -> tuple[datetime, int]:
    return change.published, change.id


def _sample(change: Change, item: Item, old: Side, new: Side, *, removed: bool) -> Sample:
    """Judge an item thoroughly by both, so that it can be told why it changed."""
    was = judge(item, old.rules, old.second, thorough=True)
    now = judge(item, new.rules, new.second, thorough=True)
    evidence = tuple(dict.fromkeys(now.evidence + was.evidence))
    if removed:
        return Sample(change, item, evidence, new.rules, ("its feed is removed",))
    return Sample(change, item, evidence, new.rules, tuple(reasons(item, was, now, old, new)), _excerpt(was, now))


def _excerpt(was: Verdict, now: Verdict) -> tuple[str, int, int] | None:
    """Return the field and place of the first words that struck by one file alone, unless the title shows some.

    Words that strike for something else by both files are not passed over.
    """
    marks = [{(e.clause, e.field, e.start, e.end): e for e in verdict.evidence} for verdict in (now, was)]
    fresh = [e for one, other in (marks, marks[::-1]) for place, e in one.items() if place not in other]
    if not fresh or any(e.field == "title" for e in fresh):
        return None
    first = fresh[0]
    return first.field, max(0, first.start - AROUND), first.end + AROUND


# ---------------------------------------------------------------- text


def text(found: Comparison, old: Side, new: Side, samples: Samples, forgotten: int, look: Look) -> Iterator[Line]:
    """Yield the report, line by line."""
    yield from map(Line, _head(found, old, new, forgotten, look))
    if found.unchanged:
        yield Line()
        yield Line(f"nothing changes: {_nothing(found)}")
        yield from _idle(found, old, new)
        return
    yield Line()
    yield from map(Line, _table(found, look))
    yield from _notes(found)
    yield from _idle(found, old, new)
    yield Line()
    yield from map(Line, _by_day(found, look))
    for name, style in (("gained", "gained"), ("lost", "lost"), ("with_feed", "lost"), ("moved", "head")):
        yield from _list(name, style, getattr(found, name), samples.get(name, ()), look)


def _nothing(found: Comparison) -> str:
    if not found.hits.before:
        return "there is no hit under either file"
    if found.hits.before == 1:
        return "the one hit stands where it stood"
    return f"all {found.hits.before:,} hits stand where they stood"


def _head(found: Comparison, old: Side, new: Side, forgotten: int, look: Look) -> Iterator[str]:
    yield look.paint("head", f"{old.name} → {new.name}")
    days = ""
    if found.first and found.last:
        first, last = found.first.date(), found.last.date()
        days = f", first seen from {first} to {last} ({_count((last - first).days + 1, 'day')})"
    yield f"{_count(found.items, 'stored item')} of {_count(len(found.feeds), 'feed')}{days}, judged by both"
    if forgotten:
        yield f"{_count(forgotten, 'item')} left out: their texts were forgotten after the retention time"
    if found.added:
        one = len(found.added) == 1
        yield (
            f"{_count(len(found.added), 'feed')} {'is' if one else 'are'} new: "
            f"{'its' if one else 'their'} items are not in the past ({_names(found.added)})"
        )
    for was, now in found.renamed.items():
        yield f"the theme {was} is renamed {now}: its keywords are the same"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _names(feeds: Sequence[Feed], most: int = 4) -> str:
    names = [feed.name or feed.address for feed in feeds]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _table(found: Comparison, look: Look) -> Iterator[str]:
    rows = [*found.themes.items(), (NO_THEME, found.no_theme), ("doubted", found.doubted)]
    rows = [(name, row) for name, row in rows if name in found.themes or any(asdict(row).values())]
    rows.append(("hits", found.hits))
    wide = max(cell_len(name) for name, _ in rows) + 2
    columns = ["before", "after", "gained", "lost"] + ["with its feed"] * bool(found.with_feed)
    sizes = [max(8, len(name) + 2) for name in columns]
    heads = "".join(name.rjust(size) for name, size in zip(columns, sizes, strict=True))
    yield look.paint("dim", " " * wide + heads)
    for name, row in rows:
        cells = [(row.before, ""), (row.after, ""), (row.gained, "gained"), (row.lost, "lost"), (row.with_feed, "lost")]
        shown = [
            look.paint(style if number else "dim", (f"{number:,}" if number or not style else "·").rjust(size))
            for (number, style), size in zip(cells, sizes, strict=False)
        ]
        padded = name + " " * (wide - cell_len(name))
        yield (look.paint("head", padded) if name == "hits" else padded) + "".join(shown)


def _notes(found: Comparison) -> Iterator[Line]:
    if found.moved:
        yield Line()
        one = len(found.moved) == 1
        yield Line(f"{_count(len(found.moved), 'hit')} {'stands' if one else 'stand'} under other themes than before")
    if found.removed:
        lost = [(feed, found.lost_by_feed[feed.url]) for feed in found.removed]
        told = ", ".join(f"{feed.name or feed.address} {hits:,}" for feed, hits in lost if hits)
        yield Line()
        yield Line(
            f"{_count(len(found.removed), 'feed')} removed or disabled, and with "
            f"{'it' if len(found.removed) == 1 else 'them'} {_count(len(found.with_feed), 'hit')}"
            + (f": {told}" if told else "")
        )


def _idle(found: Comparison, old: Side, new: Side) -> Iterator[Line]:
    """Say of each new theme that takes nothing why that may be so."""
    known = {found.renamed.get(theme.name, theme.name) for theme in old.rules.themes}
    for name in (theme.name for theme in new.rules.themes if theme.name not in known):
        if new.wanted is not None and name not in new.wanted:
            yield Line()
            yield Line(f"{name} is new, and no digest asks for it: name it in the themes: of one")
        elif not found.themes[name].after:
            of = f" of the {found.hits.after:,}" if found.hits.after else " yet, as there are none"
            yield Line()
            yield Line(f"{name} is new, and takes none{of} hits; what a word would find: monitor search WORD")


def _by_day(found: Comparison, look: Look) -> Iterator[str]:
    """Yield a table of the last days, as many as there is room for, and the mean of those shown."""
    days = _last_days(found)
    size = max(4, *(len(str(number)) + 2 for day in days for number in found.days.get(day, (0, 0))))
    left, right = len("before") + 2, len("a day") + 3
    days = days[-max(1, ((look.width or 1000) - left - right) // size) :]
    span = f"{days[0]} to {days[-1]}" if len(days) > 1 else f"{days[0]}"
    yield look.paint("dim", f"hits by the day of publication (UTC), {span}")
    heads = "".join(f"{day.day:>{size}}" for day in days)
    yield look.paint("dim", " " * left + heads + "a day".rjust(right))
    for side, name in enumerate(("before", "after")):
        numbers = [found.days.get(day, (0, 0))[side] for day in days]
        cells = "".join(look.paint("" if number else "dim", f"{number or '·':>{size}}") for number in numbers)
        yield name.ljust(left) + cells + f"{sum(numbers) / len(numbers):>{right}.1f}"


def _last_days(found: Comparison) -> list[date]:
    last = max(found.days)
    start = max(min(found.days), last - timedelta(days=DAYS - 1))
    return [start + timedelta(days=number) for number in range((last - start).days + 1)]


def _list(name: str, style: str, changes: Sequence[Change], samples: Sequence[Sample], look: Look) -> Iterator[Line]:
    if not changes:
        return
    yield Line()
    yield Line(look.paint(style, f"{name.replace('_', ' ') if name != 'with_feed' else 'lost with their feeds'}:")
               + f" {len(changes):,}")  # fmt: skip
    for one in samples:
        yield from _told(one, look)
    if samples and len(changes) > len(samples):
        yield Line(f"  … and {len(changes) - len(samples):,} more")


def _told(one: Sample, look: Look) -> Iterator[Line]:
    title = one.item.title or one.item.summary
    field = "title" if one.item.title else "summary"
    pieces = one.pieces(field)
    outlet = f"{one.item.outlet}: " if one.item.outlet else ""
    dated = look.paint("dim", f"{one.item.published:%Y-%m-%d}")
    yield Line(f"  {dated}  {look.paint('dim', outlet)}{marked(title, pieces, look.mark)}", 14)
    if one.excerpt:
        name, first, last = one.excerpt
        whole = getattr(one.item, name)
        near = [(kind, start - first, end - first) for kind, start, end in one.pieces(name)
                if first <= start and end <= last]  # fmt: skip
        cut = f"{'…' * (first > 0)}{marked(whole[first:last], near, look.mark)}{'…' * (last < len(whole))}"
        yield Line(f"              in the {name}: {' '.join(cut.split())}", 14)
    number = look.paint("dim", f"#{one.change.id}".ljust(8))
    yield Line(f"      {number}{way(one.change)}{_why(one)}", 14)


def way(change: Change) -> str:
    """Return from where to where a hit goes, in words."""
    if change.before is None:
        return str(change.after)
    return f"{change.before} → {change.after or 'not a hit'}"


def _why(one: Sample) -> str:
    return f": {'; '.join(one.why)}" if one.why else ""


# ---------------------------------------------------------------- JSON


def as_json(
    found: Comparison, old: Side, new: Side, samples: Samples, forgotten: int,
    since: datetime | None, max_lost: int | None,
) -> dict[str, Any]:  # fmt: skip
    """Return everything, for a program; docs/backtest.md tells of each key."""
    return {
        "old": old.name,
        "new": new.name,
        "since": since.isoformat() if since else None,
        "items": found.items,
        "forgotten": forgotten,
        "feeds": len(found.feeds),
        "first_seen": [at.isoformat() if at else None for at in (found.first, found.last)],
        "hits": asdict(found.hits),
        "lost_in_all": found.lost_in_all,
        "max_lost": max_lost,
        "themes": {name: asdict(row) for name, row in found.themes.items()},
        "no_theme": asdict(found.no_theme),
        "doubted": asdict(found.doubted),
        "renamed": dict(found.renamed),
        "feeds_removed": [{**_feed(feed), "hits": found.lost_by_feed[feed.url]} for feed in found.removed],
        "feeds_added": [_feed(feed) for feed in found.added],
        "days": [
            {"day": day.isoformat(), "before": before, "after": after}
            for day, (before, after) in sorted(found.days.items())
        ],
        "changes": {name: [_change(change) for change in getattr(found, name)] for name in LISTS},
        "samples": [_sampled(one) for one in chain.from_iterable(samples.get(name, ()) for name in LISTS)],
    }


def _feed(feed: Feed) -> dict[str, Any]:
    return {"name": feed.name, "url": without_credentials(feed.url)}


def _change(change: Change) -> dict[str, Any]:
    return {
        "item": change.id,
        "published": change.published.isoformat(),
        "before": _place(change.before),
        "after": _place(change.after),
    }


def _place(place: Place | None) -> dict[str, Any] | None:
    return None if place is None else {"themes": list(place.themes), "doubted": place.doubted}


def _sampled(one: Sample) -> dict[str, Any]:
    return {
        "item": one.change.id,
        "title": one.item.title,
        "outlet": one.item.outlet,
        "link": one.item.link,
        "why": list(one.why),
        "words": [
            {"keyword": e.keyword, "clause": e.clause, "field": e.field, "start": e.start, "end": e.end}
            for e in one.evidence
        ],
    }
