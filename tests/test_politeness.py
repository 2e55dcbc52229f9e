"""When a feed is asked again: soon where all is well, ever more rarely where it is not, and at least daily."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.feeds.politeness import (
    GONE_AGAIN,
    LONGEST_WAIT,
    SETTLED_POLLS,
    Look,
    address,
    after_failure,
    after_success,
    back_off,
    clock_is_off,
    freshness,
    interval,
    is_due,
    is_settled,
    next_pace,
    out_of_skipped,
)
from monitor.model import Failure, Feed, FeedState, Fetched, Hints, Manners, NotModified, Trouble

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


# ---------------------------------------------------------------- how the wait strays


@STEADY
@given(intervals, st.integers(min_value=2, max_value=10**6), st.text(max_size=20))
def test_feeds_that_failed_together_do_not_come_back_together(every: timedelta, n: int, name: str) -> None:
    """The wait strays by a tenth at most, always the same way, and stays within its bounds."""
    plain, strayed = back_off(every, n), back_off(every, n, name=name)
    assert strayed == back_off(every, n, name=name)
    assert every <= strayed <= LONGEST_WAIT
    if plain < LONGEST_WAIT:
        assert abs(strayed - plain) <= plain * 0.1 + timedelta(microseconds=1)


def test_the_first_wait_does_not_stray_and_the_others_differ() -> None:
    """A blip is tried again when it would have been; later each feed has a time of its own."""
    names = [f"https://example.com/{n}" for n in range(50)]
    assert {back_off(30 * MINUTE, 1, name=name) for name in names} == {30 * MINUTE}
    assert len({back_off(30 * MINUTE, 2, name=name) for name in names}) > 40


# ---------------------------------------------------------------- what the server asks for

DATE = "Tue, 24 Nov 2026 05:30:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"cache-control": "max-age=3600"}, 3600),
        ({"cache-control": "public, MAX-AGE = 600"}, 600),
        ({"cache-control": 'max-age="600"'}, 600),
        ({"cache-control": "s-maxage=9, max-age=600"}, 600),
        ({"cache-control": "s-maxage=600"}, None),
        ({"cache-control": "max-age=0"}, None),
        ({"cache-control": "max-age=-1"}, None),
        ({"cache-control": "max-age=soon"}, None),
        ({"cache-control": "max-age=3600", "age": "600"}, 3000),
        ({"cache-control": "max-age=3600", "age": "3600"}, None),
        ({"cache-control": "max-age=3600", "age": "9999999999999"}, 3600),
        ({"cache-control": "max-age=3600", "age": "old"}, 3600),
        ({"cache-control": "max-age=3600", "expires": "Tue, 24 Nov 2026 05:30:01 GMT"}, 3600),
        ({"cache-control": "no-cache, max-age=3600"}, None),
        ({"cache-control": "max-age=3600, No-Store"}, None),
        ({"cache-control": "no-cache", "expires": "Tue, 24 Nov 2026 06:30:00 GMT"}, None),
        ({"expires": "Tue, 24 Nov 2026 06:30:00 GMT"}, 3600),
        ({"expires": "Tue, 24 Nov 2026 06:30:00 GMT", "date": "Tue, 24 Nov 2026 06:00:00 GMT"}, 1800),
        ({"expires": "Tue, 24 Nov 2026 06:30:00 GMT", "date": "today"}, 3600),
        ({"expires": "Tue, 24 Nov 2026 05:00:00 GMT"}, None),
        ({"expires": "Thu, 01 Jan 1970 00:00:00 GMT"}, None),
        ({"expires": "0"}, None),
        ({"expires": "-1"}, None),
        ({"expires": "never"}, None),
        ({"expires": ""}, None),
    ],
)
def test_an_answer_says_how_long_it_stays_fresh(headers: dict[str, str], seconds: int | None) -> None:
    """RFC 9111: max-age less the age, else Expires against the server's own clock; nonsense says nothing."""
    assert freshness(headers, NOW) == (None if seconds is None else timedelta(seconds=seconds))


header_words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.lists(
    st.sampled_from(
        ["max-age=", "9", "99999999999", DATE, "Tue,", "0", "-", "+9999", " ", ",", "24 Nov", "0000", "no-"]
    ),
    max_size=6,
).map("".join)


@STEADY
@given(st.dictionaries(st.sampled_from(["cache-control", "age", "expires", "date"]), header_words))
def test_no_header_stops_the_worker(headers: dict[str, str]) -> None:
    """Whatever stands there, there is a length of time or none."""
    fresh = freshness(headers, NOW)
    assert fresh is None or fresh > timedelta()
    assert clock_is_off(headers, NOW) in (True, False)


@pytest.mark.parametrize(
    ("headers", "off"),
    [
        ({}, False),
        ({"date": DATE}, False),
        ({"date": "Tue, 24 Nov 2026 11:30:00 GMT"}, False),
        ({"date": "Tue, 24 Nov 2026 11:30:01 GMT"}, True),
        ({"date": "Mon, 23 Nov 2026 23:30:00 GMT"}, False),
        ({"date": "Mon, 23 Nov 2026 23:29:59 GMT"}, True),
        ({"date": "Mon, 23 Nov 2026 05:30:00 GMT", "age": "86400"}, False),
        ({"date": DATE, "age": "86400"}, True),
        ({"date": DATE, "age": "much"}, False),
        ({"date": "Fri, 24 Nov 2006 05:30:00 GMT"}, True),
        ({"date": "tomorrow"}, False),
    ],
)
def test_a_clock_that_is_off_is_noticed(headers: dict[str, str], off: bool) -> None:
    """By more than six hours, but for the age of a copy."""
    assert clock_is_off(headers, NOW) is off


# ---------------------------------------------------------------- a feed's own pace

MANNERS = Manners()
BARE = Feed(URL)
waits = st.timedeltas(min_value=timedelta(), max_value=timedelta(days=400))


def polled(minutes: float, polls: int = 200) -> list[timedelta]:
    """Return the intervals at which a feed is asked that brings something new each so many minutes."""
    state, now, last, found = FeedState(URL), NOW, 0, []
    for _ in range(polls):
        count = int((now - NOW) / MINUTE // minutes)
        state = after_success(state, BARE, document(), now, look=Look(entries=9, new=int(count > last)))
        last = count
        assert state.due is not None
        found.append(state.due - now)
        now = state.due
    return found


@pytest.mark.parametrize("minutes", [1, 10, 30, 60, 180, 1440, 10**6])
def test_a_feed_is_asked_as_often_as_it_changes(minutes: int) -> None:
    """Never outside the bounds; a busy one each quarter of an hour, a quiet one each two hours."""
    found = polled(minutes)
    assert all(MANNERS.shortest <= wait <= MANNERS.longest for wait in found)
    late = sorted(found[100:])
    middle = late[len(late) // 2]
    if minutes <= 15:
        assert middle == MANNERS.shortest
    elif minutes >= 1440:
        assert middle == MANNERS.longest
    else:
        assert min(timedelta(minutes=minutes) / 4, MANNERS.longest / 2) <= middle <= timedelta(minutes=minutes)


def test_the_first_document_says_nothing_of_the_pace() -> None:
    """All of it is new."""
    state = after_success(FeedState(URL), BARE, document(), NOW, look=Look(entries=40, new=40))
    assert state.due == NOW + 30 * MINUTE


def test_after_a_gap_a_feed_is_asked_at_the_shortest() -> None:
    """Entries came and went unseen: at once, whatever the pace was."""
    state = FeedState(URL, pace=timedelta(hours=2), newest_key="x")
    state = after_success(state, BARE, document(), NOW, look=Look(entries=9, new=9, gap=True))
    assert (state.due, state.gaps) == (NOW + MANNERS.shortest, (NOW,))


def test_gaps_are_forgotten_after_a_week() -> None:
    """What is kept does not grow."""
    state = FeedState(URL, gaps=(NOW - timedelta(days=8), NOW - timedelta(days=6)))
    assert after_success(state, BARE, document(), NOW, look=Look(entries=1)).gaps == (NOW - timedelta(days=6),)


@STEADY
@given(intervals, st.none() | waits, st.none() | waits, st.none() | waits)
def test_what_the_user_says_wins_over_every_wish(
    every: timedelta, pace: timedelta | None, hint: timedelta | None, asked: timedelta | None
) -> None:
    """Neither pace, document nor server change an `every`."""
    state = FeedState(URL, pace=pace, hint=hint, skip="5 6 7 tuesday")
    assert interval(Feed(URL, every=every), state, MANNERS, asked) == every
    answer = Fetched(URL, b"", {"cache-control": "max-age=86400"}, 0.1)
    assert after_success(state, Feed(URL, every=every), answer, NOW).due == NOW + every


@STEADY
@given(st.none() | waits, st.none() | waits, st.none() | waits, intervals, intervals)
def test_wishes_count_within_the_bounds(
    pace: timedelta | None, hint: timedelta | None, asked: timedelta | None, one: timedelta, other: timedelta
) -> None:
    """A feed can ask to be spared, but not to be forgotten, nor to be asked without end."""
    manners = Manners(shortest=min(one, other), longest=max(one, other))
    state = FeedState(URL, pace=pace, hint=hint)
    wait = interval(BARE, state, manners, asked)
    assert manners.shortest <= wait <= manners.longest
    assert wait >= min(max(hint or timedelta(), asked or timedelta()), manners.longest)
    for news in (True, False):
        assert manners.shortest <= next_pace(pace or one, news, False, manners) <= manners.longest


def test_the_hints_of_a_document_are_kept() -> None:
    """Until another document brings its own; what was not read changes none."""
    hints = Hints(timedelta(minutes=100), frozenset({3, 4}), frozenset({6}))
    state = after_success(FeedState(URL), BARE, document(), NOW, look=Look(entries=1, hints=hints))
    assert (state.hint, state.skip, state.due) == (100 * MINUTE, "3 4 sunday", NOW + 100 * MINUTE)
    state = after_success(state, BARE, NotModified(0.1), NOW)
    assert (state.hint, state.due) == (100 * MINUTE, NOW + 100 * MINUTE)
    state = after_success(state, BARE, document(), NOW, look=Look(entries=1, hints=Hints()))
    assert (state.hint, state.skip) == (None, "")


# ---------------------------------------------------------------- hours and days to skip

SATURDAY = datetime(2026, 11, 28, 10, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("skip", "due", "put_off"),
    [
        ("", NOW, NOW),
        ("4 6", NOW, NOW),
        ("5", NOW, NOW.replace(hour=6, minute=0)),
        ("5 6 7", NOW, NOW.replace(hour=8, minute=0)),
        ("24", NOW.replace(hour=0), NOW.replace(hour=1, minute=0)),
        ("22 23 24 1", NOW.replace(hour=22), NOW.replace(day=25, hour=2, minute=0)),
        (" ".join(map(str, range(24))), NOW, NOW),
        ("saturday", SATURDAY, SATURDAY.replace(day=29, hour=0, minute=0)),
        ("sunday", SATURDAY, SATURDAY),
        ("saturday sunday", SATURDAY, SATURDAY.replace(day=29)),
        ("saturday sunday", SATURDAY.replace(day=29), SATURDAY.replace(day=30, hour=0, minute=0)),
        ("saturday 0 1", SATURDAY, SATURDAY.replace(day=29, hour=2, minute=0)),
        ("caturday 99", NOW, NOW),
    ],
)
def test_a_feed_is_spared_when_it_asks_for_it(skip: str, due: datetime, put_off: datetime) -> None:
    """Put off to the first hour that is not skipped, a day at most; who skips all is not believed."""
    assert out_of_skipped(due, skip) == put_off


@STEADY
@given(
    st.sets(st.integers(0, 24)),
    st.sets(st.sampled_from(["monday", "saturday", "sunday", "friday"])),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.timezones()),  # noqa: DTZ001
)
def test_skipping_is_by_gmt_and_ends_within_a_day(hours: set[int], days: set[str], due: datetime) -> None:
    """In whatever zone the time is told, over the change to summer time too."""
    skip = " ".join([*map(str, hours), *days])
    at = out_of_skipped(due, skip)
    utc = due.astimezone(UTC)
    assert utc <= at <= utc + timedelta(days=1)
    assert at == out_of_skipped(utc, skip)
    if at != utc + timedelta(days=1) and len({hour % 24 for hour in hours}) < 24:
        assert at.astimezone(UTC).hour not in {hour % 24 for hour in hours}
        assert f"{at.astimezone(UTC):%A}".lower() not in days


# ---------------------------------------------------------------- moved, gone, not found

ELSEWHERE = "https://example.org/feed.xml"


def led(state: FeedState, target: str, now: datetime) -> FeedState:
    """The state after an answer to which a permanent redirect led."""
    return after_success(state, BARE, NotModified(0.1, moved=target), now)


def moved(polls: int, apart: timedelta) -> tuple[FeedState, datetime]:
    """The state after so many such answers, and when the last came."""
    state = FeedState(URL)
    for n in range(polls):
        state = led(state, ELSEWHERE, NOW + apart * n)
    return state, NOW + apart * (polls - 1)


@pytest.mark.parametrize(
    ("polls", "apart", "believed"),
    [
        (1, timedelta(days=2), False),
        (SETTLED_POLLS - 1, timedelta(days=2), False),
        (SETTLED_POLLS, timedelta(hours=1), False),
        (SETTLED_POLLS, timedelta(hours=6), True),
        (24, timedelta(hours=1), False),
        (25, timedelta(hours=1), True),
    ],
)
def test_a_permanent_redirect_is_believed_when_it_has_held(polls: int, apart: timedelta, believed: bool) -> None:
    """Five polls and a day: a slip of the server's keeper is over by then."""
    state, _ = moved(polls, apart)
    assert is_settled(state) is believed
    assert address(BARE, state) == (ELSEWHERE if believed else URL)


def test_a_redirect_that_changes_or_ends_begins_anew() -> None:
    """Only what leads to one place all the time is for good."""
    state, last = moved(10, timedelta(days=1))
    other = led(state, "https://example.net/feed", last + timedelta(days=1))
    assert (other.moved_polls, is_settled(other), address(BARE, other)) == (1, False, URL)
    ended = led(state, "", last + timedelta(days=1))
    assert (ended.moved_to, ended.moved_polls, ended.moved_since, address(BARE, ended)) == ("", 0, None, URL)


def test_a_new_address_that_fails_is_forgotten() -> None:
    """The feed's own is asked next, which may know better."""
    state, last = moved(10, timedelta(days=1))
    failed = after_failure(state, BARE, Failure("HTTP 404 Not Found"), last + timedelta(days=1))
    assert (address(BARE, failed), failed.moved_to, failed.moved_polls) == (URL, "", 0)


def test_a_feed_that_is_gone_is_asked_again_after_a_week() -> None:
    """Servers err too: it is asked seldom, and a good answer revives it."""
    gone = after_failure(SEEN, FEED, Failure("HTTP 410 Gone", trouble=Trouble.GONE), NOW)
    assert (gone.gone, gone.trouble, gone.due) == (NOW, "gone", NOW + GONE_AGAIN)
    assert timedelta(days=7) == GONE_AGAIN
    assert not is_due(gone, FEED, NOW + timedelta(days=6))
    again = after_failure(gone, FEED, Failure("HTTP 410 Gone", trouble=Trouble.GONE), NOW + GONE_AGAIN)
    assert (again.gone, again.due) == (NOW, NOW + 2 * GONE_AGAIN)
    back = after_success(again, FEED, document(), NOW + 2 * GONE_AGAIN)
    assert (back.gone, back.trouble, back.failures, back.due) == (None, "", 0, NOW + 2 * GONE_AGAIN + 30 * MINUTE)


def test_a_feed_that_is_gone_is_not_asked_more_often_than_before() -> None:
    """One that is asked monthly stays so."""
    monthly = Feed(URL, every=timedelta(days=30))
    gone = after_failure(SEEN, monthly, Failure("HTTP 410 Gone", trouble=Trouble.GONE), NOW)
    assert gone.due == NOW + timedelta(days=30)


def test_a_feed_that_fails_otherwise_is_no_longer_gone() -> None:
    """It is asked daily again."""
    gone = after_failure(SEEN, FEED, Failure("HTTP 410 Gone", trouble=Trouble.GONE), NOW)
    other = after_failure(gone, FEED, Failure("HTTP 500"), NOW + GONE_AGAIN)
    assert (other.gone, other.trouble) == (None, "failing")
    assert other.due is not None
    assert other.due <= NOW + GONE_AGAIN + LONGEST_WAIT


def test_a_single_404_changes_nothing_that_lasts() -> None:
    """The next good answer finds everything as it was."""
    state = after_success(SEEN, BARE, document('"1"', SEEN.last_modified), NOW, look=Look("Example", b"12345678", 1))
    failed = after_failure(state, BARE, Failure("HTTP 404 Not Found"), NOW + 30 * MINUTE)
    assert failed.due == NOW + 60 * MINUTE
    assert (failed.seen, failed.pace, failed.gone) == (state.seen, state.pace, None)
    back = after_success(failed, BARE, NotModified(0.1), NOW + 60 * MINUTE)
    assert (back.failures, back.error, back.seen, back.etag) == (0, "", b"12345678", '"1"')


def test_a_quiet_feed_is_tried_again_soon_after_a_blip() -> None:
    """It need not wait two hours because it is used to."""
    state = after_failure(FeedState(URL, pace=timedelta(hours=2)), BARE, Failure("timeout"), NOW)
    assert state.due == NOW + 30 * MINUTE


@pytest.mark.parametrize("status", ["HTTP 429 Too Many Requests", "HTTP 503 Service Unavailable"])
@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        (timedelta(), 30 * MINUTE),
        (MINUTE, 30 * MINUTE),
        (timedelta(hours=3), timedelta(hours=3)),
        (timedelta(days=1), timedelta(days=1)),
        (timedelta(days=2), timedelta(days=1)),
        (timedelta(days=9999), timedelta(days=1)),
    ],
)
def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(status: str, asked: timedelta, wait: timedelta) -> None:
    """A day at most."""
    assert after_failure(SEEN, BARE, Failure(status, asked), NOW).due == NOW + wait


def test_documents_without_entries_and_with_odd_dates_are_counted() -> None:
    """In a row, from the first on; a good one ends the row."""
    state = FeedState(URL)
    for n in range(3):
        state = after_success(state, BARE, document(), NOW + n * MINUTE, look=Look(entries=0, odd="future"))
    assert (state.empty_polls, state.empty_since, state.odd_polls, state.odd) == (3, NOW, 3, "future")
    state = after_success(state, BARE, NotModified(0.1), NOW + 3 * MINUTE)
    assert (state.empty_polls, state.odd_polls) == (4, 3)
    state = after_success(state, BARE, document(), NOW + 4 * MINUTE, look=Look(entries=1))
    assert (state.empty_polls, state.empty_since, state.odd_polls, state.odd) == (0, None, 0, "")


# ---------------------------------------------------------------- before an edition


@pytest.mark.parametrize(
    ("minutes", "changes", "due"),
    [
        (31, {}, True),
        (29, {}, False),
        (31, {"failures": 1}, False),
        (31, {"skip": "3 4"}, False),
    ],
)
def test_a_quiet_feed_is_asked_once_more_before_an_edition(minutes: int, changes: dict[str, Any], due: bool) -> None:
    """Unless it was asked just now, fails, or wants hours to be spared."""
    state = FeedState(URL, last_polled=NOW - minutes * MINUTE, due=NOW + 60 * MINUTE, **changes)
    assert is_due(state, Feed(URL), NOW, soon=True) is due
    assert not is_due(state, Feed(URL), NOW)
