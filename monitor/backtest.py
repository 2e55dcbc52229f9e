"""What an edit of feeds.yaml would have made of the stored items: each judged by the file in use and by the new one.

    compare     items → a Comparison: what was gained, lost and moved, by theme and by day. Pure.
    reasons     why one item changed, in words. Pure.

Both files judge afresh, so that what differs is the edit's doing and not that of an older program or older weights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from monitor.errors import clipped
from monitor.match.blend import Second
from monitor.match.opinion import COVERAGE
from monitor.match.rules import Rules
from monitor.match.twice import Twice
from monitor.match.words import Span
from monitor.model import DigestPlan, Feed, Item, Verdict
from monitor.settings import Settings


class Place(NamedTuple):
    """Where a digest shows a hit: under its themes (none: under no theme), or at the end, doubted."""

    themes: tuple[str, ...] = ()
    doubted: bool = False

    def __str__(self) -> str:
        return "doubted" if self.doubted else ", ".join(self.themes) or NO_THEME


NO_THEME = "no theme"


@dataclass(frozen=True, slots=True)
class Side:
    """One feeds.yaml, ready to judge. `name` is what it is called in the report."""

    name: str
    rules: Rules
    second: Second | None
    plans: tuple[DigestPlan, ...]
    feeds: tuple[Feed, ...]

    @classmethod
    def of(cls, settings: Settings, second: Second | None) -> Side:
        """Return what settings come to, with the second opinion that they ask for."""
        return cls(str(settings.path), settings.rules, second, settings.digests, settings.enabled)

    @property
    def wanted(self) -> frozenset[str] | None:
        """The themes that any digest tells of; None where one tells everything, or there is no digest at all."""
        if not all(plan.themes for plan in self.plans):
            return None
        return frozenset(theme for plan in self.plans for theme in plan.themes) if self.plans else None


def place_of(verdict: Verdict, wanted: frozenset[str] | None) -> Place | None:
    """Return where the digests show an item; None where none does. This is what counts as a hit."""
    if not verdict.covered:
        return None
    themes = tuple(sorted(name for name, _ in verdict.themes if wanted is None or name in wanted))
    if wanted is not None and not themes:
        return Place(doubted=True) if wanted & set(verdict.withdrawn) else None
    return Place(doubted=True) if verdict.doubted else Place(themes)


# ---------------------------------------------------------------- what changed


class Change(NamedTuple):
    """One item that is shown elsewhere, or no longer, or only now."""

    id: int
    published: datetime
    before: Place | None
    after: Place | None


@dataclass(slots=True)
class Row:
    """How many hits a theme has, or all; `with_feed` are lost because their feed was removed."""

    before: int = 0
    after: int = 0
    gained: int = 0
    lost: int = 0
    with_feed: int = 0

    def count(self, before: bool, after: bool, removed: bool) -> None:
        """Count one item."""
        self.before += before
        self.after += after
        self.gained += after and not before
        self.lost += before and not after and not removed
        self.with_feed += before and not after and removed


@dataclass(slots=True)
class Comparison:
    """What came of all items. Themes are called as the new file calls them; `renamed` says how they were called.

    `removed` and `added` are feeds; `lost_by_feed` counts the hits of those removed. `days` are those of publication
    (UTC), each with its hits before and after.
    """

    themes: dict[str, Row]
    no_theme: Row = field(default_factory=Row)
    doubted: Row = field(default_factory=Row)
    hits: Row = field(default_factory=Row)
    gained: list[Change] = field(default_factory=list)
    lost: list[Change] = field(default_factory=list)
    with_feed: list[Change] = field(default_factory=list)
    moved: list[Change] = field(default_factory=list)
    days: dict[date, list[int]] = field(default_factory=dict)
    items: int = 0
    feeds: set[str] = field(default_factory=set)
    first: datetime | None = None
    last: datetime | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    removed: tuple[Feed, ...] = ()
    added: tuple[Feed, ...] = ()
    lost_by_feed: Counter[str] = field(default_factory=Counter)

    @property
    def lost_in_all(self) -> int:
        """How many hits are hits no longer, for whatever reason."""
        return len(self.lost) + len(self.with_feed)

    @property
    def unchanged(self) -> bool:
        """True when every item is shown where it was."""
        return not (self.gained or self.lost or self.with_feed or self.moved)


def compare(
    old: Side, new: Side, portions: Iterable[Sequence[tuple[int, Item]]], step: Callable[[int], object]
) -> Comparison:
    """Judge stored items by both; `step` is told how many are done."""
    twice = Twice((old.rules, old.second), (new.rules, new.second))
    names = renamed(old.rules, new.rules)
    removed, added = feeds_changed(old.feeds, new.feeds)
    shown = [names.get(theme.name, theme.name) for theme in old.rules.themes]
    themes = dict.fromkeys([*(theme.name for theme in new.rules.themes), *shown])
    found = Comparison({name: Row() for name in themes}, renamed=names, removed=removed, added=added)
    gone = {feed.url for feed in removed}
    wanted = old.wanted, new.wanted
    for portion in portions:
        for number, item in portion:
            was, now = twice.judge(item)
            if was.covered or now.covered:
                before = place_of(was, wanted[0])
                after = None if item.feed_url in gone else place_of(now, wanted[1])
                _count(found, Change(number, item.published, _as_now(before, names), after), item.feed_url in gone)
                if item.feed_url in gone and before:
                    found.lost_by_feed[item.feed_url] += 1
        _note(found, [item for _, item in portion])
        step(len(portion))
    return found


def _as_now(place: Place | None, names: Mapping[str, str]) -> Place | None:
    if place is None or not names:
        return place
    return Place(tuple(sorted(names.get(name, name) for name in place.themes)), place.doubted)


def _note(found: Comparison, items: Sequence[Item]) -> None:
    found.items += len(items)
    found.feeds.update(item.feed_url for item in items)
    times = [item.first_seen for item in items]
    found.first = min([*times, found.first] if found.first else times)
    found.last = max([*times, found.last] if found.last else times)


def _count(found: Comparison, change: Change, removed: bool) -> None:
    before, after = change.before, change.after
    if not (before or after):
        return
    found.hits.count(before is not None, after is not None, removed)
    for name in {*(before.themes if before else ()), *(after.themes if after else ())}:
        found.themes[name].count(bool(before and name in before.themes), bool(after and name in after.themes), removed)
    found.doubted.count(bool(before and before.doubted), bool(after and after.doubted), removed)
    found.no_theme.count(before == Place(), after == Place(), removed)
    day = found.days.setdefault(change.published.date(), [0, 0])
    day[0] += before is not None
    day[1] += after is not None
    if before is None:
        found.gained.append(change)
    elif after is None:
        (found.with_feed if removed else found.lost).append(change)
    elif before != after:
        found.moved.append(change)


def renamed(before: Rules, after: Rules) -> dict[str, str]:
    """Return the new names of themes that are gone by theirs and there by another, with the same keywords."""
    kept = {theme.name for theme in before.themes} & {theme.name for theme in after.themes}
    fresh = {theme.keywords: theme.name for theme in reversed(after.themes) if theme.name not in kept}
    names: dict[str, str] = {}
    for theme in before.themes:
        if theme.name not in kept and (name := fresh.pop(theme.keywords, None)):
            names[theme.name] = name
    return names


def feeds_changed(before: Sequence[Feed], after: Sequence[Feed]) -> tuple[tuple[Feed, ...], tuple[Feed, ...]]:
    """Return the feeds that are polled no longer, and those that are new.

    One of the same name at another address is neither: what it told, it will tell from there.
    """
    urls = [{feed.url for feed in feeds} for feeds in (before, after)]
    removed = [feed for feed in before if feed.url not in urls[1]]
    added = [feed for feed in after if feed.url not in urls[0]]
    moved = {feed.name for feed in removed if feed.name} & {feed.name for feed in added}
    return (
        tuple(feed for feed in removed if feed.name not in moved),
        tuple(feed for feed in added if feed.name not in moved),
    )


# ---------------------------------------------------------------- why

MOST_KEYWORDS = 3
"""So many keywords that are new or gone are named of one place."""
LONGEST = 40
"""A longer keyword, a row of ORs mostly, is named by those of its words that stand in the item."""
LONGEST_REASON = 120


def reasons(item: Item, was: Verdict, now: Verdict, old: Side, new: Side) -> list[str]:
    """Return why an item is shown elsewhere now, the weightiest first: keywords new and gone, then what they lead to.

    Both verdicts are thorough ones.
    """
    names = renamed(old.rules, new.rules)
    before, after = _sources(old.rules, names), _sources(new.rules, {})
    struck, struck_before = _struck(now, {}), _struck(was, names)
    fresh = {place: words for place, words in struck.items() if place[1] not in before.get(place[0], ())}
    gone = {place: words for place, words in struck_before.items() if place[1] not in after.get(place[0], place)}
    # A row that only got longer strikes where it struck before.
    more, less = _elsewhere(fresh, struck_before), _elsewhere(gone, struck)
    if fresh and gone and not (more or less):
        told = list(_named(item, fresh, "changed in"))
    else:
        told = [*_named(item, more or fresh, "new in"), *_named(item, less or gone, "gone from")]
    short = [clipped(reason, LONGEST_REASON) for reason in _coverage_reasons(was, now, new, told=bool(told))]
    return told + short + list(_theme_reasons(was, now, old, new, names))


Struck = dict[tuple[str, str], list[Span]]
"""Place in feeds.yaml and keyword → where it stands in an item."""


def _struck(verdict: Verdict, names: Mapping[str, str]) -> Struck:
    found: Struck = {}
    for e in verdict.evidence:
        found.setdefault((where(e.clause, names), e.keyword), []).append((e.field, e.start, e.end))
    return found


def _elsewhere(some: Struck, others: Struck) -> Struck:
    """Return those that stand where no other keyword of the same place in feeds.yaml does."""
    taken = {(place, span) for (place, _), spans in others.items() for span in spans}
    return {key: spans for key, spans in some.items() if any((key[0], span) not in taken for span in spans)}


def _named(item: Item, some: Struck, how: str) -> Iterator[str]:
    by_place: dict[str, list[str]] = {}
    for (place, keyword), spans in some.items():
        by_place.setdefault(place, []).append(_shortly(item, keyword, spans))
    for place, keywords in by_place.items():
        more = [f"{len(keywords) - MOST_KEYWORDS} more"] if len(keywords) > MOST_KEYWORDS else []
        shown = keywords[:MOST_KEYWORDS] + more
        yield f"{' and '.join(shown)} {'is' if len(shown) == 1 else 'are'} {how} {place}"


def _shortly(item: Item, keyword: str, spans: Sequence[Span]) -> str:
    if len(keyword) <= LONGEST:
        return keyword
    words = [str(getattr(item, field))[start:end] for field, start, end in spans]
    return ", ".join(dict.fromkeys(words))


def where(clause: str, names: Mapping[str, str]) -> str:
    """Return the place in feeds.yaml of a clause of evidence."""
    kind, _, name = clause.partition(".")
    if kind == "coverage":
        return clause
    return f"themes.{names.get(name, name)}{'.not' if kind == 'unmade' else ''}"


def _sources(rules: Rules, names: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the keywords by their place in feeds.yaml."""
    places = {
        "coverage.not": rules.excluded,
        "coverage.relations": rules.relations,
        "coverage.against": rules.against,
        "coverage.others": rules.others,
    }
    for one in rules.companies:
        places[f"coverage.{one.name}"] = one.names + one.hints + one.products + one.faint
    for theme in rules.themes:
        place = f"themes.{names.get(theme.name, theme.name)}"
        places[place], places[f"{place}.not"] = theme.keywords, theme.excluded
    return {place: {query.source for query in queries} for place, queries in places.items()}


def _coverage_reasons(was: Verdict, now: Verdict, new: Side, *, told: bool) -> Iterator[str]:
    if was.covered and not now.covered:
        yield f"now {now.reason}"
    elif now.covered and not was.covered:
        if COVERAGE in now.alone:
            yield f"only the second opinion says so{_reads_like(now)}"
        elif not told:
            yield f"before {was.reason}"
    elif not now.covered:
        yield now.reason
    elif place_of(now, new.wanted) is None:
        yield f"no digest tells of {', '.join(dict(now.themes)) or 'what has no theme'}"
    if now.doubted and not was.doubted:
        yield f"the second opinion doubts it{_likelihood(now)}"
    elif was.doubted and now.sure:
        yield "the second opinion doubts it no longer"


def _likelihood(verdict: Verdict) -> str:
    return f": {verdict.heard[0].likelihood:.0%}" if verdict.heard else ""


def _reads_like(verdict: Verdict) -> str:
    return f"; reads like {', '.join(verdict.reads_like)}" if verdict.reads_like else ""


def _theme_reasons(was: Verdict, now: Verdict, old: Side, new: Side, names: Mapping[str, str]) -> Iterator[str]:
    """Yield why themes are given or gone that no keyword new or gone explains."""
    if not (was.covered and now.covered):
        return
    had = {names.get(name, name): score for name, score in was.themes}
    before = {names.get(theme.name, theme.name): theme for theme in old.rules.themes}
    after = {theme.name: theme for theme in new.rules.themes}
    near, scores = dict(now.near), dict(now.themes)
    was_near = {names.get(name, name): score for name, score in was.near}
    for name in had:
        if name in scores:
            continue
        if name not in after:
            yield f"there is no theme {name} any more"
        elif name in now.withdrawn:
            yield f"the second opinion takes {name} away"
        elif name in [names.get(one, one) for one in was.alone]:
            yield f"only the second opinion had given {name}"
        elif near.get(name, 100.0) < after[name].threshold:
            yield f"{near[name]:g} points for {name}, {after[name].threshold:g} needed"
    for name in scores:
        if name in had:
            continue
        if name in now.alone:
            yield f"no keyword of {name}{_reads_like(now)}"
        elif name in [names.get(one, one) for one in was.withdrawn]:
            yield f"the second opinion had taken {name} away"
        elif name in before and was_near.get(name, 100.0) < before[name].threshold:
            yield f"{scores[name]:g} points for {name}, {after[name].threshold:g} needed now"
