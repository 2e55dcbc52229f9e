"""What is wrong with a feed, told apart: each trouble by its own name, and none for one blip."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.feeds.condition import state_in_words, trouble_of
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


# ------------------------------------------------------------------ each by its name and threshold

DAY = timedelta(days=1)
HIGH = Thresholds(7, 7, 7, 7, 7, timedelta(days=90), 3, 7, 7, 7)


def of(state: dict[str, object], limits: Thresholds = LIMITS) -> list[FeedTrouble]:
    """What is wrong with a feed that answered lately, unless the state says otherwise."""
    known = FeedState(FEED.url, **{"last_ok": UNTIL, "last_polled": UNTIL, **state})  # type: ignore[arg-type]
    return trouble_of(FEED, known, (), limits, UNTIL)


def failing(kind: Trouble, times: int) -> dict[str, object]:
    """The state of a feed that failed so often."""
    return {"failures": times, "trouble": str(kind), "error": "why", "failing_since": SINCE}


@pytest.mark.parametrize("kind", [Trouble.FAILING, Trouble.PAGE, Trouble.NOTHING, Trouble.PLACEHOLDER])
def test_each_failure_has_a_threshold_of_its_own(kind: Trouble) -> None:
    """Named as what it is, from the threshold on, whatever the others are."""
    for most in (1, 3, 9):
        limits = Thresholds(**{str(kind): most})  # type: ignore[arg-type]
        assert of(failing(kind, most - 1), limits) == []
        assert of(failing(kind, most), limits) == [FeedTrouble("Example News", "why", SINCE, kind)]
    others = {"failing": 1, "page": 1, "nothing": 1, "placeholder": 1, str(kind): 9}
    assert of(failing(kind, 8), Thresholds(**others)) == []  # type: ignore[arg-type]


def test_a_feed_that_says_that_it_is_gone_is_told_at_once() -> None:
    """It will not mend itself."""
    assert of(failing(Trouble.GONE, 1), HIGH) == [FeedTrouble("Example News", "why", SINCE, Trouble.GONE)]


@pytest.mark.parametrize(
    ("low", "high", "trouble"),
    [
        (
            {"empty_polls": 11, "empty_since": SINCE},
            {"empty_polls": 12, "empty_since": SINCE},
            FeedTrouble("Example News", "", SINCE, Trouble.EMPTY),
        ),
        (
            {"newest": UNTIL - 60 * DAY + timedelta(seconds=1)},
            {"newest": UNTIL - 60 * DAY},
            FeedTrouble("Example News", "", UNTIL - 60 * DAY, Trouble.STALE),
        ),
        (
            {"gaps": (SINCE,)},
            {"gaps": (SINCE, UNTIL)},
            FeedTrouble("Example News", "2", SINCE, Trouble.GAP),
        ),
        (
            {"odd": "future", "odd_polls": 2},
            {"odd": "future", "odd_polls": 3},
            FeedTrouble("Example News", "future", None, Trouble.DATES),
        ),
        (
            {"moved_to": "https://new.example/", "moved_polls": 4, "moved_since": SINCE - DAY},
            {"moved_to": "https://new.example/", "moved_polls": 5, "moved_since": SINCE - DAY},
            FeedTrouble("Example News", "https://new.example/", SINCE - DAY, Trouble.MOVED),
        ),
    ],
)
def test_a_feed_that_answers_and_does_not_serve_is_told(
    low: dict[str, object], high: dict[str, object], trouble: FeedTrouble
) -> None:
    """From its threshold on, and a higher threshold counts."""
    assert of(low) == []
    assert of(high) == [trouble]
    assert not trouble.broken
    assert of(high, HIGH) == [] or trouble.kind is Trouble.EMPTY


@pytest.mark.parametrize(
    "blip",
    [
        failing(Trouble.FAILING, 1), failing(Trouble.PAGE, 1), failing(Trouble.NOTHING, 1),
        failing(Trouble.PLACEHOLDER, 1), {"empty_polls": 1, "empty_since": UNTIL}, {"gaps": (UNTIL,)},
        {"odd": "clock", "odd_polls": 1}, {"moved_to": "https://n.example/", "moved_polls": 1, "moved_since": UNTIL},
    ],
)  # fmt: skip
def test_one_blip_is_never_a_report(blip: dict[str, object]) -> None:
    """Whatever the trouble."""
    assert of(blip) == []


def test_gaps_count_within_a_week() -> None:
    """Two a month are no habit."""
    assert of({"gaps": (UNTIL - 8 * DAY, UNTIL)}) == []
    assert [t.reason for t in of({"gaps": (UNTIL - 8 * DAY, UNTIL - 7 * DAY, SINCE, UNTIL)})] == ["3"]
    assert of({"gaps": (SINCE, UNTIL + DAY)}) == [], "a clock was ahead"


def test_a_move_is_told_only_when_it_is_believed() -> None:
    """However low the threshold: the address must have been followed for good."""
    soon = {"moved_to": "https://n.example/", "moved_polls": 9, "moved_since": UNTIL - timedelta(hours=23)}
    assert of(soon, Thresholds(moved=1)) == []
    few = {"moved_to": "https://n.example/", "moved_polls": 4, "moved_since": UNTIL - 9 * DAY}
    assert of(few, Thresholds(moved=1)) == []


def test_an_old_feed_is_stale_and_not_silent_as_well() -> None:
    """One word for one trouble."""
    arrivals = hourly(30, UNTIL - 70 * DAY)
    known = FeedState(FEED.url, last_ok=UNTIL, newest=UNTIL - 70 * DAY)
    assert [t.kind for t in trouble_of(FEED, known, arrivals, LIMITS, UNTIL)] == [Trouble.STALE]
    patient = Thresholds(stale=90 * DAY)
    assert [t.kind for t in trouble_of(FEED, known, arrivals, patient, UNTIL)] == [Trouble.SILENT]


def test_several_troubles_of_a_feed_that_answers_are_all_told() -> None:
    """Each is mended in another way."""
    state: dict[str, object] = {
        "newest": UNTIL - 99 * DAY, "gaps": (SINCE, UNTIL), "odd": "clock", "odd_polls": 9,
        "moved_to": "https://n.example/", "moved_polls": 9, "moved_since": UNTIL - 9 * DAY,
    }  # fmt: skip
    assert [t.kind for t in of(state)] == [Trouble.STALE, Trouble.GAP, Trouble.DATES, Trouble.MOVED]
    assert [t.kind for t in of({**state, **failing(Trouble.PAGE, 9)})] == [Trouble.PAGE]
    assert [t.kind for t in of({**state, "empty_polls": 99})] == [Trouble.EMPTY]


@pytest.mark.parametrize(
    ("feed", "state", "word"),
    [
        (Feed(FEED.url, enabled=False), failing(Trouble.PAGE, 9), "disabled"),
        (FEED, None, "new"),
        (FEED, {"last_polled": None}, "new"),
        (FEED, {}, "ok"),
        (FEED, failing(Trouble.PAGE, 1), "blip"),
        (FEED, failing(Trouble.PAGE, 3), "page"),
        (FEED, failing(Trouble.GONE, 1), "gone"),
        (FEED, {"empty_polls": 1}, "blip"),
        (FEED, {"empty_polls": 12}, "empty"),
        (FEED, {"odd": "future", "odd_polls": 1}, "blip"),
        (FEED, {"odd": "future", "odd_polls": 3, "gaps": (SINCE, UNTIL)}, "gap"),
    ],
)
def test_the_state_of_a_feed_is_one_word(feed: Feed, state: dict[str, object] | None, word: str) -> None:
    """As `monitor feeds list` shows it."""
    if state is None:
        assert state_in_words(feed, None, []) == word
        return
    known = FeedState(feed.url, **{"last_ok": UNTIL, "last_polled": UNTIL, **state})  # type: ignore[arg-type]
    assert state_in_words(feed, known, trouble_of(feed, known, (), LIMITS, UNTIL)) == word
