"""When and where to ask a feed again. Pure: the old state, what came of the poll, and the time.

A feed with an `every` of its own is asked so often. For the others the interval follows the feed's own pace: it
shrinks while the feed brings news at each poll and grows while it brings none, between two bounds; what the server and
the document ask for (RFC 9111 freshness, RSS ttl, skipHours and skipDays, sy:updatePeriod) counts within the same
bounds. Failures double the wait.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from zlib import crc32

from monitor.model import Failure, Feed, FeedState, Fetched, Hints, Manners, Response, Trouble

LONGEST_WAIT = timedelta(hours=24)
FIRST_PACE = timedelta(minutes=30)
FASTER, SLOWER = 0.7, 1.15
"""How the pace changes after a poll with news, and after one without: it comes to rest where two polls in five bring
some."""
JITTER = 0.1
"""So far back-off strays either way, by the feed's address: feeds that failed together must not come back together."""
GONE_AGAIN = timedelta(days=7)
"""A feed that said 410 is asked again so seldom: servers err too."""
SETTLED_POLLS, SETTLED = 5, timedelta(days=1)
"""A permanent redirect is believed after so many polls in a row and so long."""
GAPS_KEPT = timedelta(days=7)
CLOCK_OFF = timedelta(hours=6)
"""A server whose clock is further off says nonsense of its entries' dates too."""
_USUAL = Manners()
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Look:
    """What one document showed: the part of it that the next polls need.

    `seen` are the hashes of its entries (None: they cannot be told apart by them), `new` counts what was never seen.
    `newest` and `newest_key` are the latest date and its entry; `gap`: entries were probably missed since the last
    document. `odd` says what is wrong with its dates: `future`, `unreadable` or `clock`. What is None is as before.
    """

    title: str = ""
    seen: bytes | None = b""
    entries: int = 0
    new: int = 0
    newest: datetime | None = None
    newest_key: str = ""
    gap: bool = False
    odd: str | None = ""
    hints: Hints | None = None


# ---------------------------------------------------------------- when and where


def is_due(
    state: FeedState | None,
    feed: Feed,
    now: datetime,
    manners: Manners = _USUAL,
    *,
    soon: bool = False,
) -> bool:
    """Tell whether a feed may be asked at `now`; one never asked is due at once.

    An interval that was made shorter counts at once, and a state from the future (a clock that was wrong) not at all.
    `soon`: an edition is about to be made, and should not miss what came since a quiet feed was last asked.
    """
    if state is None or state.due is None or state.last_polled is None or state.last_polled > now:
        return True
    if state.due <= now:
        return True
    if state.failures:
        return False
    if feed.every is not None:
        return state.last_polled + feed.every <= now
    if state.skip:
        return state.last_polled + manners.longest + LONGEST_WAIT <= now
    return state.last_polled + (FIRST_PACE if soon else max(manners.longest, manners.shortest)) <= now


def address(feed: Feed, state: FeedState) -> str:
    """Return where to ask: the feed's own address, or the one that it has led to for good."""
    return state.moved_to if is_settled(state) else feed.url


def is_settled(state: FeedState) -> bool:
    """Tell whether a permanent redirect has held long enough to be believed."""
    since, polled = state.moved_since, state.last_polled
    return bool(
        state.moved_to and since and polled and state.moved_polls >= SETTLED_POLLS and polled - since >= SETTLED
    )


def back_off(every: timedelta, failures: int, asked: timedelta | None = None, name: str = "") -> timedelta:
    """Return the wait after `failures` failures in a row: doubled each time, a day at most.

    What the server asked for (`Retry-After`) counts where it is longer, with the same bound. From the second failure on
    the wait strays a little, always the same way for the same `name` and number.
    """
    # Twelve doublings of one minute pass a day; the cap keeps the power small for a feed dead for years.
    wait = every * (1 << min(failures - 1, 12))
    if failures > 1 and name:
        share = crc32(f"{name} {failures}".encode()) / 0xFFFFFFFF
        wait *= 1 - JITTER + 2 * JITTER * share
    return min(max(wait, every, asked or timedelta()), max(LONGEST_WAIT, every))


def next_pace(pace: timedelta, news: bool, missed: bool, manners: Manners) -> timedelta:
    """Return the interval that suits a feed after one more poll; `missed`: entries came and went unseen."""
    wanted = manners.shortest if missed else pace * (FASTER if news else SLOWER)
    return _within(wanted, manners.shortest, manners.longest)


def interval(feed: Feed, state: FeedState, manners: Manners, asked: timedelta | None = None) -> timedelta:
    """Return how long to wait after a good poll: what the user says, else the feed's pace and what is asked for.

    `asked` is the server's wish; the document's is in `state.hint`.
    """
    if feed.every is not None:
        return feed.every
    wanted = max(state.pace or FIRST_PACE, state.hint or timedelta(), asked or timedelta())
    return _within(wanted, manners.shortest, manners.longest)


def out_of_skipped(due: datetime, skip: str) -> datetime:
    """Put a time off to the first hour that the document does not ask to be spared; a day at most.

    RSS 2.0 names hours in GMT (0 to 23, some write 24) and days in English.
    """
    hours = {int(word) % 24 for word in skip.split() if word.isdigit()}
    days = {word for word in skip.split() if not word.isdigit()}
    at = due
    for _ in range(25):
        utc = at.astimezone(UTC)
        if utc.hour not in hours and _DAYS[utc.weekday()] not in days:
            return at
        at = (utc + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
    return due + LONGEST_WAIT if len(hours) < 24 and len(days) < 7 else due


def _within(wanted: timedelta, shortest: timedelta, longest: timedelta) -> timedelta:
    return max(shortest, min(wanted, max(longest, shortest)))


# ---------------------------------------------------------------- after a poll


def after_failure(
    state: FeedState,
    feed: Feed,
    failure: Failure,
    now: datetime,
    manners: Manners = _USUAL,
) -> FeedState:
    """Return the state after a failed poll: validators and what was seen stay as they were.

    An address that was only believed to be the new one is forgotten: the feed's own is asked next.
    """
    failures = state.failures + 1
    base = _base(feed, state, manners)
    wait = back_off(base, failures, failure.retry_after, feed.url)
    # At an address that the feed only led to, it is that which is gone: the feed's own is asked next.
    gone = (state.gone or now) if failure.trouble is Trouble.GONE and not is_settled(state) else None
    return replace(
        state,
        failures=failures,
        failing_since=min(state.failing_since or now, now),  # a clock may have run ahead
        error=failure.reason,
        trouble=str(failure.trouble),
        last_polled=now,
        due=now + (max(GONE_AGAIN, base) if gone else wait),
        gone=gone,
        moved_to="",
        moved_polls=0,
        moved_since=None,
    )


def after_success(
    state: FeedState,
    feed: Feed,
    response: Response,
    now: datetime,
    *,
    body_hash: str = "",
    look: Look | None = None,
    manners: Manners = _USUAL,
) -> FeedState:
    """Return the state after a good answer; a new document brings its own validators.

    `look` is what a document showed that was read; None where it is the one known.
    """
    state = replace(
        state, failures=0, failing_since=None, error="", trouble="", gone=None, last_polled=now, last_ok=now
    )
    asked = None
    if not isinstance(response, Failure):
        state = _moved(state, response.moved, now)
        asked = freshness(response.headers, now)
    if isinstance(response, Fetched):
        state = replace(
            state,
            etag=response.headers.get("etag", ""),
            last_modified=response.headers.get("last-modified", ""),
            body_hash=body_hash or state.body_hash,
        )
    if look is not None:
        state = _looked(state, look, now)
    elif state.empty_polls:
        state = replace(state, empty_polls=state.empty_polls + 1)
    gap = look is not None and look.gap
    pace = next_pace(state.pace or FIRST_PACE, look is not None and look.new > 0, gap, manners)
    # The first document is all new: it says nothing of the pace.
    state = replace(state, pace=pace if state.pace else _within(FIRST_PACE, manners.shortest, manners.longest))
    due = now + interval(feed, state, manners, asked)
    return replace(state, due=due if feed.every is not None else out_of_skipped(due, state.skip))


def _in_a_row(state: FeedState, odd: str) -> int:
    if not odd:
        return 0
    return state.odd_polls + 1 if odd == state.odd else 1


def _base(feed: Feed, state: FeedState, manners: Manners) -> timedelta:
    """Return the wait after a first failure: a blip is tried again soon."""
    return feed.every or _within(min(state.pace or FIRST_PACE, FIRST_PACE), manners.shortest, manners.longest)


def _moved(state: FeedState, target: str, now: datetime) -> FeedState:
    if not target:
        return replace(state, moved_to="", moved_polls=0, moved_since=None)
    if target != state.moved_to:
        return replace(state, moved_to=target, moved_polls=1, moved_since=now)
    return replace(state, moved_polls=state.moved_polls + 1)


def _looked(state: FeedState, look: Look, now: datetime) -> FeedState:
    if look.hints is not None:
        hours, days = sorted(look.hints.skip_hours), sorted(look.hints.skip_days)
        skip = " ".join([*map(str, hours), *(_DAYS[day] for day in days)])
        state = replace(state, hint=look.hints.every, skip=skip)
    if look.newest and (state.newest is None or look.newest >= state.newest):
        state = replace(state, newest=look.newest, newest_key=look.newest_key)
    elif state.newest is None and look.newest_key:  # a feed without dates
        state = replace(state, newest_key=look.newest_key)
    if look.odd is not None:
        state = replace(state, odd=look.odd, odd_polls=_in_a_row(state, look.odd))
    if look.new and look.newest is None:  # what is not dated is as old as its first sight
        state = replace(state, newest=now, newest_key=look.newest_key)
    gaps = [at for at in state.gaps if now - GAPS_KEPT <= at <= now]
    return replace(
        state,
        title=look.title or state.title,
        seen=look.seen,
        empty_polls=0 if look.entries else state.empty_polls + 1,
        empty_since=None if look.entries else state.empty_since or now,
        gaps=(*gaps, now)[-20:] if look.gap else tuple(gaps),
    )


# ---------------------------------------------------------------- what the server asks for

_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)


def freshness(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return how long an answer stays fresh: max-age less Age, else Expires against Date (RFC 9111, 4.2.1)."""
    control = headers.get("cache-control", "")
    if re.search(r"no-cache|no-store", control, re.IGNORECASE):
        return None
    if found := _MAX_AGE.search(control):
        age = headers.get("age", "").strip()
        fresh = int(found[1]) - (int(age) if age.isdecimal() and len(age) < 10 else 0)
        return timedelta(seconds=fresh) if fresh > 0 else None
    expires = _http_date(headers.get("expires", ""))
    if expires is None:
        return None
    fresh_for = expires - (_http_date(headers.get("date", "")) or now)
    return fresh_for if fresh_for > timedelta() else None


def clock_is_off(headers: Mapping[str, str], now: datetime) -> bool:
    """Tell whether the server's clock is far from ours; a copy from a cache bears its own age (RFC 9111, 5.1)."""
    date = _http_date(headers.get("date", ""))
    age = headers.get("age", "").strip()
    if date is None:
        return False
    return abs(now - date - timedelta(seconds=int(age) if age.isdecimal() and len(age) < 9 else 0)) > CLOCK_OFF


def _http_date(text: str) -> datetime | None:
    with suppress(ValueError, TypeError, OverflowError):
        at = parsedate_to_datetime(text)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return None
