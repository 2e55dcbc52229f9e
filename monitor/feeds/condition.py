"""What is wrong with a feed, told apart, and when that is worth a word. Pure.

One blip is not a report: each trouble has a threshold (`health` in feeds.yaml).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from urllib.parse import urlsplit

from monitor.errors import without_credentials
from monitor.feeds import politeness
from monitor.model import BROKEN, Feed, FeedState, FeedTrouble, Thresholds, Trouble

HABIT = 10
"""From so few arrivals on no habit can be read."""
GAPS_WITHIN = timedelta(days=7)


STATES = ("ok", "new", "blip", "disabled", *(str(trouble) for trouble in Trouble))
"""All that `state_in_words` says."""


def called(feed: Feed, state: FeedState | None) -> str:
    """Return the name by which a reader knows a feed."""
    return feed.name or (state.title if state else "") or urlsplit(feed.url).hostname or feed.address


def trouble_of(
    feed: Feed, state: FeedState, arrivals: Sequence[datetime], thresholds: Thresholds, now: datetime
) -> list[FeedTrouble]:
    """Return what is wrong with one feed: that it is broken, or else all that keeps it from serving.

    `arrivals` are the times of its news, the newest first.
    """
    name = called(feed, state)
    if state.failures:
        kind = Trouble(state.trouble or Trouble.FAILING)
        # What was never heard from is told at once: its address was most likely mistyped.
        if kind is Trouble.GONE or state.last_ok is None or state.failures >= _most(kind, thresholds):
            return [FeedTrouble(name, state.error, state.failing_since, kind)]
        return []
    if state.empty_polls >= thresholds.empty:
        return [FeedTrouble(name, "", state.empty_since, Trouble.EMPTY)]
    found = []
    if state.newest and now - state.newest >= thresholds.stale:
        found.append(FeedTrouble(name, "", state.newest, Trouble.STALE))
    elif silence := _silence(state, arrivals, thresholds):
        found.append(FeedTrouble(name, "", arrivals[0], Trouble.SILENT, silence))
    recent = [at for at in state.gaps if now - GAPS_WITHIN <= at <= now]
    if len(recent) >= thresholds.gap:
        found.append(FeedTrouble(name, str(len(recent)), recent[0], Trouble.GAP))
    if state.odd_polls >= thresholds.dates:
        found.append(FeedTrouble(name, state.odd, None, Trouble.DATES))
    if politeness.is_settled(state) and state.moved_polls >= thresholds.moved:
        found.append(FeedTrouble(name, without_credentials(state.moved_to), state.moved_since, Trouble.MOVED))
    return found


def state_in_words(feed: Feed, state: FeedState | None, found: Sequence[FeedTrouble]) -> str:
    """Return the name of a feed's state: `disabled`, `new`, `ok`, that of its first trouble, or `blip`."""
    if not feed.enabled:
        return "disabled"
    if state is None or state.last_polled is None:
        return "new"
    if found:
        return str(found[0].kind)
    return "blip" if state.failures or state.empty_polls or state.odd_polls else "ok"


def _most(kind: Trouble, thresholds: Thresholds) -> int:
    assert kind in BROKEN, kind  # noqa: S101 (a failure of any other kind is a bug)
    return {
        Trouble.PAGE: thresholds.page,
        Trouble.NOTHING: thresholds.nothing,
        Trouble.PLACEHOLDER: thresholds.placeholder,
    }.get(kind, thresholds.failing)


def _silence(state: FeedState, arrivals: Sequence[datetime], thresholds: Thresholds) -> timedelta | None:
    """Return how often a feed is used to bring news, where it has fallen silent by its own habit.

    Silent is longer than `thresholds.silent` times the longest pause lately: nobody wants to hear that a weekly sleeps
    on Sunday. It counts until the feed last answered, so that a worker that was off takes no feed for silent.
    """
    if state.last_ok is None or len(arrivals) < HABIT:
        return None
    gaps = [later - earlier for later, earlier in pairwise(arrivals)]
    usual = timedelta(seconds=median(gap.total_seconds() for gap in gaps))
    longest = max(timedelta(days=1), usual * 10, max(gaps) * thresholds.silent)
    return usual if state.last_ok - arrivals[0] >= longest else None
