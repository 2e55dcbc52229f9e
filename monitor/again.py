"""Judging stored items again: what an edit of feeds.yaml, or `monitor learn`, makes of what is not told yet.

    judge_again   before each edition and after each edit: what came in since the last edition, saved
    hits_now      the same for a preview, saved nowhere
    rematch       everything since a day, because somebody asked for it

Each verdict says by which rules it was made, so what is left to do is known after a kill. What a digest has settled
stays settled, whatever is made of it. No lock is held while items are judged, for with an embedding each takes a sixth
of a second: polls go on, and the store refuses a verdict on what they changed meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from monitor import worker
from monitor.errors import MonitorError
from monitor.match.blend import Second
from monitor.match.judge import judge, rules_key
from monitor.match.rules import Rules
from monitor.model import DigestPlan, Edition, Judged
from monitor.settings import Settings
from monitor.store import FIRST_EDITION, Store

BATCH = 200
PORTION = 2.0
"""So many items, or what was judged in so many seconds, are one transaction: a kill costs no more than these."""

log = structlog.get_logger()

Step = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Pace:
    """`enough` is asked before each item whether to end here, `tell` is told of each; `timer` counts seconds."""

    enough: Callable[[], bool] = lambda: False
    tell: Step = lambda: None
    timer: Callable[[], float] = time.monotonic


STEADY = Pace()


@dataclass(slots=True)
class Tally:
    """What judging again came to: (before, after) for each hit that was gained, lost, or has other themes now.

    `refused` were edited or judged by others meanwhile. `ended`: nothing was left undone for want of time.
    """

    rules: str
    judged: int = 0
    refused: int = 0
    ended: bool = True
    gained: list[tuple[Judged, Judged]] = field(default_factory=list)
    lost: list[tuple[Judged, Judged]] = field(default_factory=list)
    moved: list[tuple[Judged, Judged]] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether everything that could be judged has a verdict by these rules."""
        return self.ended and not self.refused

    def count(self, before: Sequence[Judged], after: Sequence[Judged], saved: set[int]) -> None:
        """Count in what was judged again, as far as it was saved."""
        old = {one.id: one for one in before}
        self.judged += len(saved)
        self.refused += len(after) - len(saved)
        for one in after:
            if one.id not in saved:
                continue
            pair = old[one.id], one
            was, now = pair[0].verdict, one.verdict
            if was.covered != now.covered:
                (self.gained if now.covered else self.lost).append(pair)
            elif now.covered and set(dict(was.themes)) != set(dict(now.themes)):
                self.moved.append(pair)


def judge_again(
    settings: Settings, store: Store, clock: worker.Clock, second: Second | None, pace: Pace = STEADY
) -> Tally:
    """Judge what is not told yet by the present rules where it was judged by others, and save that.

    Hits come first: where there is no time for all, an edition tells the fewest by rules of yesterday.
    """
    tally = Tally(rules_key(settings.rules, second))
    for covered in (True, False):
        for plan in settings.digests:
            for before in _batches(plan, store, tally.rules, covered=covered):
                for after in _portions(before, settings.rules, second, pace):
                    tally.count(before, after, store.save_verdicts(after, tally.rules, clock()))
                if pace.enough():
                    tally.ended = False
                    return tally
    return tally


def reach(store: Store, plan: DigestPlan, tally: Tally, last: int) -> int:
    """Return the number of the last item that an edition goes past; `last` was stored before judging began.

    What is newer may be saved by a poll that began before the edit, and what there was no time for was judged by older
    rules: both are judged before the next edition. Hits among them are told as they stand, the others are not lost.
    """
    return last if tally.complete else store.judged_up_to(plan.name, tally.rules, last)


def hits_now(
    settings: Settings, plan: DigestPlan, store: Store, now: datetime, second: Second | None, tell: Step = lambda: None
) -> list[Judged]:
    """Return what a digest would tell by the present rules; writes nothing."""
    unmet = now - FIRST_EDITION
    before = store.to_judge_again(plan.name, rules_key(settings.rules, second), unmet)
    portions = _portions(before, settings.rules, second, Pace(tell=tell))
    return _overlaid(store.untold_hits(plan.name, unmet), [one for portion in portions for one in portion])


def _batches(plan: DigestPlan, store: Store, rules: str, *, covered: bool) -> Iterator[list[Judged]]:
    """Read on by number, for what cannot be judged stays as it is."""
    after = 0
    while batch := store.to_judge_again(plan.name, rules, covered=covered, after=after, limit=BATCH):
        yield batch
        after = batch[-1].id


def _portions(items: Sequence[Judged], rules: Rules, second: Second | None, pace: Pace) -> Iterator[list[Judged]]:
    """Judge items; one that sets off a bug keeps its verdict, and holds up no edition."""
    portion: list[Judged] = []
    began = pace.timer()
    for one in items:
        if pace.enough():
            break
        try:
            portion.append(replace(one, verdict=judge(one.item, rules, second)))
        except Exception:
            log.exception("an item could not be judged again; this is a bug", item=one.id)
        pace.tell()
        if pace.timer() - began >= PORTION:
            yield portion
            portion, began = [], pace.timer()
    if portion:
        yield portion


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
    """What `rematch` did, or would do: `current` were judged by these rules already, `bare` have no text any more.

    Where it ended before all was judged, nothing is known of the next edition; `fault` says what ended it, if not
    the user.
    """

    tally: Tally
    current: int
    bare: int
    prospects: tuple[Prospect, ...] = ()
    fault: MonitorError | None = None


def rematch(
    settings: Settings,
    store: Store,
    clock: worker.Clock,
    second: Second | None,
    since: datetime,
    *,
    dry: bool = False,
    pace: Pace = STEADY,
) -> Rematch:
    """Judge everything first seen after `since` by the present rules; what becomes a hit is news unless it was told.

    `dry`: nothing is saved.
    """
    tally = Tally(rules_key(settings.rules, second))
    current, bare, hits = 0, store.count_since(since)[1], list[Judged]()
    try:
        for old, same in _kept(store, since, tally.rules):
            for new in _portions(old, settings.rules, second, pace):
                saved = {one.id for one in new} if dry else store.save_verdicts(new, tally.rules, clock(), reopen=True)
                tally.count(old, new, saved)
                hits += [one for one in new if one.id in saved and one.verdict.covered]
            if pace.enough():
                tally.ended = False
                return Rematch(tally, current, bare)
            if not dry:
                store.reopen([one.id for one in same])
            for _ in same:
                pace.tell()
            current += len(same)
            hits += [one for one in same if one.verdict.covered]
        prospects = [_prospect(settings, plan, store, clock(), hits, tally) for plan in settings.digests]
    except MonitorError as e:
        tally.ended = False
        return Rematch(tally, current, bare, fault=e)
    return Rematch(tally, current, bare, tuple(prospects))


def _kept(store: Store, since: datetime, rules: str) -> Iterator[tuple[list[Judged], list[Judged]]]:
    """Yield, batch by batch, what other rules judged and what these did."""
    after = 0
    while batch := store.kept_since(since, after=after, limit=BATCH):
        after = batch[-1].id
        yield [one for one in batch if one.stored_by != rules], [one for one in batch if one.stored_by == rules]


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
