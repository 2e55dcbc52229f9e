"""When to ask a feed again. Pure: the old state, what came of the poll, and the time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from monitor.model import Failure, Feed, FeedState, Fetched, Parsed, Response

LONGEST_WAIT = timedelta(hours=24)


def is_due(state: FeedState | None, feed: Feed, now: datetime) -> bool:
    """Tell whether a feed may be asked at `now`; one never asked is due at once.

    An interval that was made shorter counts at once, and a state from the future (a clock that was wrong) not at all.
    """
    if state is None or state.due is None or state.last_polled is None or state.last_polled > now:
        return True
    return state.due <= now or (not state.failures and state.last_polled + feed.every <= now)


def back_off(every: timedelta, failures: int, asked: timedelta | None = None) -> timedelta:
    """Return the wait after `failures` failures in a row: doubled each time, a day at most.

    What the server asked for (`Retry-After`) counts where it is longer, with the same bound.
    """
    # Twelve doublings of one minute pass a day; the cap keeps the power small for a feed dead for years.
    wait = every * (1 << min(failures - 1, 12))
    return min(max(wait, asked or timedelta()), max(LONGEST_WAIT, every))


def after_failure(state: FeedState, feed: Feed, failure: Failure, now: datetime) -> FeedState:
    """Return the state after a failed poll: validators and what was seen stay as they were."""
    failures = state.failures + 1
    return replace(
        state,
        failures=failures,
        failing_since=state.failing_since or now,
        error=failure.reason,
        last_polled=now,
        due=now + back_off(feed.every, failures, failure.retry_after),
    )


def after_success(
    state: FeedState,
    feed: Feed,
    response: Response,
    now: datetime,
    *,
    body_hash: str = "",
    parsed: Parsed | None = None,
) -> FeedState:
    """Return the state after a good answer; a new document brings its own validators."""
    state = replace(state, failures=0, failing_since=None, error="", last_polled=now, last_ok=now, due=now + feed.every)
    if isinstance(response, Fetched):
        state = replace(
            state,
            etag=response.headers.get("etag", ""),
            last_modified=response.headers.get("last-modified", ""),
            body_hash=body_hash or state.body_hash,
        )
    if parsed is not None and parsed.title:
        state = replace(state, title=parsed.title)
    return state
