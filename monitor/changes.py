"""What an edit of feeds.yaml changed, in fields for machines and a line for people. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from monitor.errors import clipped, without_credentials
from monitor.match.query import Query
from monitor.match.rules import Rules
from monitor.model import Feed
from monitor.settings import Settings

MOST = 3
"""So many names of one kind are said; the rest are counted."""
LONGEST = 60
"""Characters of a name that are said."""

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Change:
    """One kind of change (`feeds added`, `keywords of agi removed`) and the names of what it is about."""

    what: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = [clipped(name, LONGEST) for name in self.names[:MOST]]
        more = [f"and {len(self.names) - MOST} more"] if len(self.names) > MOST else []
        return f"{self.what}: {', '.join([*said, *more])}" if said else self.what


def changes(old: Settings, new: Settings) -> tuple[Change, ...]:
    """Return what differs; nothing for an edit of comments or layout. No name holds a password."""
    found = [
        *_feeds(old.feeds, new.feeds),
        *_parts("digests", {plan.name: plan for plan in old.digests}, {plan.name: plan for plan in new.digests}),
        *_rules(old.rules, new.rules),
        *_others(old, new),
    ]
    return tuple(replace(change, names=tuple(map(without_credentials, change.names))) for change in found)


def in_words(found: Sequence[Change]) -> str:
    """Return the line."""
    return "; ".join(map(str, found)) or "only comments or layout"


def counts(found: Sequence[Change]) -> dict[str, int]:
    """Return how many of each kind, by names that do not depend on the file: `feeds_added`, `keywords_removed`."""
    kinds: Counter[str] = Counter()
    for change in found:
        part, _, how = change.what.rpartition(" ")
        kinds[f"{part.partition(' of ')[0]}_{how}".replace(" ", "_")] += len(change.names)
    return dict(kinds)


def _feeds(old: Sequence[Feed], new: Sequence[Feed]) -> Iterator[Change]:
    both = {feed.url for feed in old} & {feed.url for feed in new}
    often = Counter(feed.name for feeds in (old, new) for feed in feeds if feed.url not in both)

    def key(feed: Feed) -> str:
        """A feed that only has another address keeps its name."""
        return feed.name if feed.name and feed.url not in both and often[feed.name] <= 2 else feed.url

    before, after = {key(feed): feed for feed in old}, {key(feed): feed for feed in new}
    yield from _parts("feeds", before, after, {k: feed.name or feed.url for k, feed in (before | after).items()})


def _parts(
    what: str, old: Mapping[str, Part], new: Mapping[str, Part], called: Mapping[str, str] | None = None
) -> Iterator[Change]:
    """Yield which parts were added, removed and changed, in the order of the file."""
    for how, keys in (
        ("added", [key for key in new if key not in old]),
        ("removed", [key for key in old if key not in new]),
        ("changed", [key for key in new if key in old and old[key] != new[key]]),
    ):
        if keys:
            yield Change(f"{what} {how}", tuple(called[key] if called else key for key in keys))


def _rules(old: Rules, new: Rules) -> Iterator[Change]:
    companies = {c.name: c for c in old.companies}, {c.name: c for c in new.companies}
    yield from _come_and_gone("companies", *companies)
    for name in _both(*companies):
        for role in ("names", "hints", "products", "faint"):
            yield from _words(f"{role} of {name}", *(getattr(some[name], role) for some in companies))
    for role in ("excluded", "relations", "against", "others", "masks"):
        clause = "coverage.not" if role == "excluded" else f"coverage.{role}"
        yield from _words(clause, getattr(old, role), getattr(new, role))
    if old.threshold != new.threshold:
        yield Change("coverage.threshold changed", (f"{old.threshold:g} → {new.threshold:g}",))
    themes = {t.name: t for t in old.themes}, {t.name: t for t in new.themes}
    yield from _come_and_gone("themes", *themes)
    for name in _both(*themes):
        was, now = (some[name] for some in themes)
        yield from _words(f"keywords of {name}", was.keywords, now.keywords)
        yield from _words(f"not of {name}", was.excluded, now.excluded)
        if was.threshold != now.threshold:
            yield Change(f"threshold of {name} changed", (f"{was.threshold:g} → {now.threshold:g}",))


def _come_and_gone(what: str, old: Mapping[str, Part], new: Mapping[str, Part]) -> Iterator[Change]:
    return (change for change in _parts(what, old, new) if not change.what.endswith("changed"))


def _both(old: Mapping[str, Part], new: Mapping[str, Part]) -> list[str]:
    return [name for name in new if name in old]


def _words(what: str, old: Iterable[Query], new: Iterable[Query]) -> Iterator[Change]:
    return _parts(what, {query.source: query.source for query in old}, {query.source: query.source for query in new})


def _others(old: Settings, new: Settings) -> Iterator[Change]:
    """Yield what else is otherwise, by the keys of the file."""
    # Themes that came or went took their titles and examples along: that is said already.
    themes = _both(old.titles, new.titles)
    pairs: dict[str, tuple[object, object]] = {
        "title": (_titles(old, themes), _titles(new, themes)),
        "examples": ([old.examples.get(name) for name in themes], [new.examples.get(name) for name in themes]),
        "second_opinion": (old.second_opinion, new.second_opinion),
        "polling": (old.manners, new.manners),
        "health": (old.thresholds, new.thresholds),
        "retention": (old.retention, new.retention),
    }
    names = tuple(key for key, (was, now) in pairs.items() if was != now)
    if names:
        yield Change("other settings changed", names)


def _titles(settings: Settings, themes: Iterable[str]) -> list[object]:
    return [(settings.titles[name], settings.shorts.get(name)) for name in themes]
