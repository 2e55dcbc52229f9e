"""Judging stored items again: what an edit of feeds.yaml, or `monitor learn`, makes of what is not told yet.

    judge_again   before each edition and after each edit: what came in since the last edition, saved
    hits_now      the same for a preview, saved nowhere
    rematch       everything since a day, because somebody asked for it

Each verdict says by which rules it was made, so what is left to do is known after a kill. What a digest has settled
stays settled, whatever is made of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from monitor import worker
from monitor.match.blend import Second
from monitor.match.judge import judge, rules_key
from monitor.match.rules import Rules
from monitor.model import DigestPlan, Edition, Judged
from monitor.settings import Settings
from monitor.store import FIRST_EDITION, Store

BATCH = 200
"""So many items are one transaction: a kill, or SIGTERM, costs no more than these."""

log = structlog.get_logger()

Step = Callable[[], object]


@dataclass(slots=True)
class Tally:
    """What judging again came to: (before, after) for each hit that was gained, lost, or has other themes now."""

    judged: int = 0
    gained: list[tuple[Judged, Judged]] = field(default_factory=list)
    lost: list[tuple[Judged, Judged]] = field(default_factory=list)
    moved: list[tuple[Judged, Judged]] = field(default_factory=list)

    def count(self, before: Sequence[Judged], after: Sequence[Judged]) -> None:
        """Count in what was judged again."""
        self.judged += len(after)
        old = {one.id: one for one in before}
        for one in after:
            pair = old[one.id], one
            was, now = pair[0].verdict, one.verdict
            if was.covered != now.covered:
                (self.gained if now.covered else self.lost).append(pair)
            elif now.covered and set(dict(was.themes)) != set(dict(now.themes)):
                self.moved.append(pair)


def judge_again(
    settings: Settings,
    store: Store,
    clock: worker.Clock,
    second: Second | None,
    *,
    stop: threading.Event | None = None,
    tell: Step = lambda: None,
) -> Tally:
    """Judge what is not told yet by the present rules where it was judged by others, and save that."""
    tally, rules = Tally(), rules_key(settings.rules, second)
    for plan in settings.digests:
        for before in _batches(plan, store, rules):
            if stop and stop.is_set():
                return tally
            after = list(_judged(before, settings.rules, second, tell))
            store.save_verdicts(after, rules, clock())
            tally.count(before, after)
    return tally


def hits_now(
    settings: Settings, plan: DigestPlan, store: Store, now: datetime, second: Second | None, tell: Step = lambda: None
) -> list[Judged]:
    """Return what a digest would tell by the present rules; writes nothing."""
    unmet = now - FIRST_EDITION
    before = store.to_judge_again(plan.name, rules_key(settings.rules, second), unmet)
    return _overlaid(store.untold_hits(plan.name, unmet), list(_judged(before, settings.rules, second, tell)))


def _batches(plan: DigestPlan, store: Store, rules: str) -> Iterator[list[Judged]]:
    """Read on by number, for what cannot be judged stays as it is."""
    after = 0
    while batch := store.to_judge_again(plan.name, rules, after=after, limit=BATCH):
        yield batch
        after = batch[-1].id


def _judged(items: Iterable[Judged], rules: Rules, second: Second | None, tell: Step) -> Iterator[Judged]:
    """Judge items; one that sets off a bug keeps its verdict, and holds up no edition."""
    for one in items:
        try:
            yield replace(one, verdict=judge(one.item, rules, second))
        except Exception:
            log.exception("an item could not be judged again; this is a bug", item=one.id)
        tell()


def _overlaid(hits: Sequence[Judged], judged: Sequence[Judged]) -> list[Judged]:
    """Return the hits with what was judged anew among them in place of what was stored, oldest first."""
    both = {one.id: one for one in (*hits, *judged)}
    return sorted((one for one in both.values() if one.verdict.covered), key=lambda one: (one.item.published, one.id))


# ---------------------------------------------------------------- rematch


@dataclass(frozen=True, slots=True)
class Prospect:
    """How many of the hits that were gained the next edition of a digest shows; why others are not there."""

    digest: str
    news: int
    settled: int
    filed: int


@dataclass(frozen=True, slots=True)
class Rematch:
    """What `rematch` did, or would do: `current` were judged by these rules already, `bare` have no text any more."""

    tally: Tally
    current: int
    bare: int
    prospects: tuple[Prospect, ...]


def rematch(
    settings: Settings,
    store: Store,
    clock: worker.Clock,
    second: Second | None,
    since: datetime,
    *,
    turn: Callable[[], AbstractContextManager[object]],
    dry: bool = False,
    tell: Step = lambda: None,
) -> Rematch:
    """Judge everything first seen after `since` by the present rules; what becomes a hit is news unless it was told.

    `turn` is held while a batch is read, judged and saved. `dry`: nothing is saved.
    """
    tally, rules, current = Tally(), rules_key(settings.rules, second), 0
    hits: list[Judged] = []
    after = 0
    while True:
        with turn():
            rows = store.kept_since(since, after=after, limit=BATCH)
            if not rows:
                break
            after = rows[-1][0].id
            old = [one for one, by in rows if by != rules]
            same = [one for one, by in rows if by == rules]
            new = list(_judged(old, settings.rules, second, tell))
            if not dry:
                store.save_verdicts(new, rules, clock(), reopen=True)
                store.reopen([one.id for one in same])
        for _ in same:
            tell()
        current += len(same)
        tally.count(old, new)
        hits += [one for one in (*new, *same) if one.verdict.covered]
    return Rematch(
        tally,
        current,
        store.count_since(since)[1],
        tuple(_prospect(settings, plan, store, clock(), hits, tally) for plan in settings.digests),
    )


def _prospect(
    settings: Settings, plan: DigestPlan, store: Store, now: datetime, hits: Sequence[Judged], tally: Tally
) -> Prospect:
    unmet = now - FIRST_EDITION
    still_open, settled = store.standing(plan.name, [one.id for one in hits], unmet)
    fresh = [one for one in hits if one.id in still_open] + [after for _, after in tally.lost]
    untold = _overlaid(store.untold_hits(plan.name, unmet), fresh)
    shown = _shown(worker.make_edition(settings, plan, store, now, hits=untold))
    gained = {after.id for _, after in tally.gained}
    return Prospect(plan.name, len(gained & shown), len(gained & settled), len(gained - still_open - settled))


def _shown(edition: Edition) -> set[int]:
    return {report.id for story in edition.stories + edition.updates for report in story.reports}
