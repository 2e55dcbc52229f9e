"""When a feed is asked again: soon where all is well, ever more rarely where it is not, and at least daily."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.feeds.politeness import LONGEST_WAIT, Look, after_failure, after_success, back_off, is_due
from monitor.model import Failure, Feed, FeedState, Fetched, NotModified

STEADY = settings(derandomize=True, deadline=None)

NOW = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
URL = "https://example.com/feed.xml"
FEED = Feed(URL, every=30 * MINUTE)
SEEN = FeedState(
    URL,
    title="Example",
    etag='"1"',
    last_modified="Tue, 24 Nov 2026 05:00:00 GMT",
    body_hash="ab" * 32,
    due=NOW,
    last_polled=NOW - 30 * MINUTE,
    last_ok=NOW - 30 * MINUTE,
)

intervals = st.timedeltas(min_value=MINUTE, max_value=LONGEST_WAIT)
asked_waits = st.none() | st.timedeltas(min_value=timedelta(), max_value=timedelta(days=10_000))
failures = st.integers(min_value=1, max_value=10**9)


def document(etag: str = "", last_modified: str = "") -> Fetched:
    """A good answer with these validators."""
    headers = {"etag": etag, "last-modified": last_modified, "content-type": "text/xml"}
    return Fetched(URL, b"<rss/>", {name: value for name, value in headers.items() if value}, 0.1)


def look(title: str) -> Look:
    """What a document showed, by its title alone."""
    return Look(title, entries=1)


# ---------------------------------------------------------------- due


@pytest.mark.parametrize(
    ("state", "due"),
    [
        (None, True),
        (FeedState(URL), True),
        (FeedState(URL, due=NOW, last_polled=NOW - 30 * MINUTE), True),
        (FeedState(URL, due=NOW - MINUTE, last_polled=NOW - 31 * MINUTE), True),
        (FeedState(URL, due=NOW + timedelta(microseconds=1), last_polled=NOW - 29 * MINUTE), False),
        (FeedState(URL, due=NOW + 400 * MINUTE, last_polled=NOW - 30 * MINUTE), True),
        (FeedState(URL, due=NOW + 400 * MINUTE, last_polled=NOW - 30 * MINUTE, failures=3), False),
        (FeedState(URL, due=NOW + 400 * MINUTE, last_polled=NOW + MINUTE), True),
    ],
    ids=[
        "unknown",
        "never asked",
        "now",
        "overdue",
        "later",
        "shorter interval",
        "backing off",
        "clock was ahead",
    ],
)
def test_a_feed_is_due_when_its_time_has_come(state: FeedState | None, due: bool) -> None:
    """New feeds are due at once, the others from their moment on."""
    assert is_due(state, FEED, NOW) is due


# ---------------------------------------------------------------- back off


def test_the_first_failure_waits_no_longer_than_usual() -> None:
    """One bad answer is not yet trouble."""
    assert back_off(30 * MINUTE, 1) == 30 * MINUTE


def test_each_further_failure_doubles_the_wait_up_to_a_day() -> None:
    """A feed that stays away is asked less and less, but every day."""
    waits = [back_off(30 * MINUTE, n) / MINUTE for n in range(1, 9)]
    assert waits == [30, 60, 120, 240, 480, 960, 1440, 1440]


def test_a_feed_that_is_dead_for_years_is_still_asked_daily() -> None:
    """However many failures, a feed that comes back is noticed within a day."""
    assert back_off(MINUTE, 10**9) == timedelta(hours=24)


def test_a_longer_wait_that_the_server_asks_for_is_kept() -> None:
    """Retry-After counts where it is longer."""
    assert back_off(30 * MINUTE, 1, 120 * MINUTE) == 120 * MINUTE


def test_a_shorter_wait_that_the_server_offers_changes_nothing() -> None:
    """The interval is ours, and so is the patience."""
    assert back_off(30 * MINUTE, 3, MINUTE) == 120 * MINUTE


def test_a_server_cannot_send_us_away_for_good() -> None:
    """Retry-After of a year is a day."""
    assert back_off(30 * MINUTE, 1, timedelta(days=365)) == timedelta(hours=24)


def test_a_feed_that_is_asked_weekly_is_not_asked_more_often_when_it_fails() -> None:
    """Failing must not make a feed's turn come sooner than success would."""
    assert back_off(timedelta(days=7), 1) >= timedelta(days=7)


@STEADY
@given(intervals, failures, asked_waits)
def test_no_wait_is_over_a_day_or_under_the_interval(every: timedelta, n: int, asked: timedelta | None) -> None:
    """For every interval, history and wish of the server."""
    assert every <= back_off(every, n, asked) <= LONGEST_WAIT == timedelta(hours=24)


@STEADY
@given(intervals, failures, failures, asked_waits)
def test_more_failures_never_mean_a_shorter_wait(every: timedelta, n: int, m: int, asked: timedelta | None) -> None:
    """The wait grows with the failures, or stays."""
    assert back_off(every, min(n, m), asked) <= back_off(every, max(n, m), asked)


@STEADY
@given(intervals, failures, asked_waits, asked_waits)
def test_asking_for_more_time_never_gives_less(
    every: timedelta, n: int, one: timedelta | None, other: timedelta | None
) -> None:
    """The wait grows with what the server asks for, or stays."""
    shorter, longer = sorted((one or timedelta(), other or timedelta()))
    assert back_off(every, n, shorter) <= back_off(every, n, longer)


# ---------------------------------------------------------------- after a failure


def test_a_failure_is_remembered_with_its_beginning() -> None:
    """The reader of a digest is told what is wrong, and since when."""
    state = after_failure(SEEN, FEED, Failure("HTTP 503 Service Unavailable"), NOW)
    assert (state.failures, state.failing_since, state.error) == (1, NOW, "HTTP 503 Service Unavailable")
    assert (state.last_polled, state.due) == (NOW, NOW + 30 * MINUTE)

    later = after_failure(state, FEED, Failure("HTTP 404 Not Found"), NOW + 30 * MINUTE)
    assert (later.failures, later.failing_since, later.error) == (2, NOW, "HTTP 404 Not Found")
    assert later.due is not None
    assert 84 * MINUTE <= later.due - NOW <= 96 * MINUTE


def test_a_failure_keeps_to_what_the_server_asked_for() -> None:
    """Retry-After of a refusal decides when the feed is due."""
    state = after_failure(SEEN, FEED, Failure("HTTP 429 Too Many Requests", timedelta(hours=5)), NOW)
    assert state.due == NOW + timedelta(hours=5)


@STEADY
@given(st.integers(min_value=1, max_value=40), asked_waits, intervals)
def test_what_was_seen_survives_any_number_of_failures(n: int, asked: timedelta | None, every: timedelta) -> None:
    """Validators, hash, title and last success stay, and the feed is due within a day."""
    state, now = SEEN, NOW
    for _ in range(n):
        state = after_failure(state, Feed(URL, every=every), Failure("no", asked), now)
        assert state.due is not None
        assert now + every <= state.due <= now + LONGEST_WAIT
        now = state.due
    assert (state.etag, state.last_modified, state.body_hash) == (SEEN.etag, SEEN.last_modified, SEEN.body_hash)
    assert (state.url, state.title, state.last_ok) == (SEEN.url, SEEN.title, SEEN.last_ok)
    assert (state.failures, state.failing_since) == (n, NOW)


# ---------------------------------------------------------------- after a success


@STEADY
@given(failures, st.booleans(), intervals)
def test_a_success_ends_all_trouble(n: int, changed: bool, every: timedelta) -> None:
    """After any number of failures one good answer, new or not, sets everything back."""
    failing = FeedState(URL, failures=n, failing_since=NOW - timedelta(days=3), error="HTTP 503", due=NOW)
    answer = document() if changed else NotModified(0.1)
    state = after_success(failing, Feed(URL, every=every), answer, NOW)
    assert (state.failures, state.failing_since, state.error) == (0, None, "")
    assert (state.last_polled, state.last_ok, state.due) == (NOW, NOW, NOW + every)


def test_a_failure_after_a_success_starts_from_the_beginning() -> None:
    """Old trouble does not make new trouble worse."""
    failing = FeedState(URL, failures=9, failing_since=NOW - timedelta(days=3), error="HTTP 503")
    state = after_failure(after_success(failing, FEED, document(), NOW), FEED, Failure("no"), NOW + MINUTE)
    assert (state.failures, state.failing_since, state.due) == (1, NOW + MINUTE, NOW + 31 * MINUTE)


def test_nothing_new_keeps_what_is_known() -> None:
    """A 304 brings no validators, and the old ones are still good."""
    state = after_success(SEEN, FEED, NotModified(0.1), NOW)
    assert (state.etag, state.last_modified) == (SEEN.etag, SEEN.last_modified)
    assert (state.body_hash, state.title) == (SEEN.body_hash, SEEN.title)


def test_a_new_document_brings_its_own_validators() -> None:
    """The next request carries what this answer gave."""
    state = after_success(SEEN, FEED, document('"2"', "today"), NOW, body_hash="cd" * 32, look=look("New name"))
    assert (state.etag, state.last_modified) == ('"2"', "today")
    assert (state.body_hash, state.title) == ("cd" * 32, "New name")


def test_a_document_without_validators_drops_the_old_ones() -> None:
    """Validators of an older document could hide a newer one."""
    state = after_success(SEEN, FEED, document(), NOW, body_hash="cd" * 32)
    assert (state.etag, state.last_modified) == ("", "")


def test_a_document_without_a_title_keeps_the_known_one() -> None:
    """A feed does not lose its name over one bad edition."""
    assert after_success(SEEN, FEED, document(), NOW, look=look("")).title == "Example"
