"""What is wrong with a feed, told apart: each trouble by its own name, and none for one blip."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.feeds.condition import trouble_of
from monitor.model import Feed, FeedState, FeedTrouble, Thresholds, Trouble

UNTIL = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=1)
LIMITS = Thresholds()

# ------------------------------------------------------------------ troubles

FEED = Feed("https://news.example.com/rss", name="Example News")


def troubled(feed: Feed = FEED, **state: object) -> list[FeedTrouble]:
    """Return what the reader is told of a feed in this state."""
    known = FeedState(feed.url, last_polled=UNTIL, **state)  # type: ignore[arg-type]
    return trouble_of(feed, known, (), LIMITS, UNTIL)


def test_a_healthy_feed_is_no_trouble() -> None:
    """Nor one that was never asked."""
    assert troubled(last_ok=UNTIL) == []
    assert troubled() == []


@pytest.mark.parametrize("failures", [1, 2])
def test_a_blip_is_no_trouble(failures: int) -> None:
    """The next poll may mend it."""
    assert troubled(failures=failures, last_ok=SINCE, error="timeout", failing_since=SINCE) == []


def test_three_failures_in_a_row_are_a_trouble() -> None:
    """Named as the user named the feed, with reason and since when."""
    assert troubled(failures=3, last_ok=SINCE, error="HTTP 503", failing_since=SINCE) == [
        FeedTrouble("Example News", "HTTP 503", SINCE)
    ]


def test_a_feed_that_never_answered_is_a_trouble_at_once() -> None:
    """Most likely the address is wrong."""
    assert troubled(failures=1, error="HTTP 404", failing_since=SINCE) == [
        FeedTrouble("Example News", "HTTP 404", SINCE)
    ]


def test_a_feed_without_a_name_is_called_by_its_title_or_host() -> None:
    """Never by nothing."""
    bare = Feed("https://news.example.com/rss")
    assert troubled(bare, failures=9, title="Its Title")[0].name == "Its Title"
    assert troubled(bare, failures=9)[0].name == "news.example.com"


# ------------------------------------------------------------------ silence


def hourly(count: int, last: datetime, gap: timedelta = timedelta(hours=1)) -> list[datetime]:
    """Return so many arrivals, the latest first."""
    return [last - gap * n for n in range(count)]


@pytest.mark.parametrize(
    ("quiet", "arrivals", "silent"),
    [
        (timedelta(days=3), hourly(30, UNTIL - timedelta(days=3)), True),
        (timedelta(hours=23), hourly(30, UNTIL - timedelta(hours=23)), False),
        (timedelta(days=3), hourly(9, UNTIL - timedelta(days=3)), False),
        (timedelta(days=3), hourly(30, UNTIL - timedelta(days=3), timedelta(days=2)), False),
        (timedelta(days=3), [*hourly(15, UNTIL - timedelta(days=3)), *hourly(15, UNTIL - timedelta(days=6))], False),
    ],
)
def test_a_feed_is_silent_by_its_own_habit(quiet: timedelta, arrivals: list[datetime], silent: bool) -> None:
    """Ten times its usual, half as long again as ever, a day at least; with too few arrivals nothing is known."""
    found = trouble_of(FEED, FeedState(FEED.url, last_ok=UNTIL), arrivals, LIMITS, UNTIL)
    assert bool(found) is silent
    if silent:
        assert [(t.kind, t.since, t.usual) for t in found] == [(Trouble.SILENT, UNTIL - quiet, timedelta(hours=1))]


@pytest.mark.parametrize("state", [{"last_ok": UNTIL - timedelta(days=3)}, {"last_ok": UNTIL, "failures": 1}, {}])
def test_silence_is_told_only_of_a_feed_that_answers(state: dict[str, object]) -> None:
    """One that fails is told elsewhere, and while the worker was off nobody listened."""
    arrivals = hourly(30, UNTIL - timedelta(days=3))
    known = FeedState(FEED.url, **state)  # type: ignore[arg-type]
    assert [t for t in trouble_of(FEED, known, arrivals, LIMITS, UNTIL) if t.kind is Trouble.SILENT] == []
