"""When an edition is due: crontab lines as crontab means them, in any zone, on the days when clocks change too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor import slots

LAW = settings(deadline=None, derandomize=True)
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def at(text: str) -> datetime:
    """Read `2024-03-31 01:30` as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def run(cron: str, zone: str, after: datetime, count: int) -> list[datetime]:
    """Return the next slots, one after the other."""
    found = []
    for _ in range(count):
        slot = slots.next_slot(cron, zone, after)
        assert slot is not None
        found.append(slot)
        after = slot
    return found


def weekdays(field: str) -> list[str]:
    """Return the weekdays on which a line with this weekday field fires, Monday first."""
    days = run(f"0 12 * * {field}", "UTC", MONDAY - timedelta(hours=1), 14)
    return [name for i, name in enumerate(NAMES) if i in {day.weekday() for day in days}]


# ------------------------------------------------------------------ weekdays


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("0", "Sun"),
        ("7", "Sun"),
        ("1", "Mon"),
        ("6", "Sat"),
        ("1-5", "Mon Tue Wed Thu Fri"),
        ("0-6", "Mon Tue Wed Thu Fri Sat Sun"),
        ("0-7", "Mon Tue Wed Thu Fri Sat Sun"),
        ("5-7", "Fri Sat Sun"),
        ("0-1", "Mon Sun"),
        ("1,3,5", "Mon Wed Fri"),
        ("0,6", "Sat Sun"),
        ("1-5/2", "Mon Wed Fri"),
        ("01", "Mon"),
        ("05", "Fri"),
        ("*", "Mon Tue Wed Thu Fri Sat Sun"),
        ("*/2", "Tue Thu Sat Sun"),
        ("*/3", "Wed Sat Sun"),
        ("mon", "Mon"),
        ("SUN", "Sun"),
        ("mon-fri", "Mon Tue Wed Thu Fri"),
        ("Mon-Fri", "Mon Tue Wed Thu Fri"),
        ("sun-thu", "Mon Tue Wed Thu Sun"),
        ("mon,3", "Mon Wed"),
        ("sat,sun", "Sat Sun"),
    ],
)
def test_weekdays_are_those_of_crontab(field: str, days: str) -> None:
    """0 and 7 are Sunday, 1 is Monday; names, ranges, lists and steps mean what `man 5 crontab` says."""
    assert weekdays(field) == days.split()


@pytest.mark.parametrize("field", ["8", "5-1", "fri-mon", "1-5/0", "?", "monday", "1-", "-1", "", "mon-", "x"])
def test_a_weekday_that_is_none_is_refused(field: str) -> None:
    """A mistake is told, never read as another day."""
    with pytest.raises(ValueError):  # noqa: PT011 (the words are the library's; that it is refused is what counts)
        slots.check(f"0 12 * * {field}")


@pytest.mark.parametrize("field", ["mon-fri/2", "mon/2"])
def test_a_step_behind_names_is_honoured_or_refused(field: str) -> None:
    """It is never dropped in silence."""
    try:
        slots.check(f"0 12 * * {field}")
    except ValueError:
        return
    assert weekdays(field) == ["Mon", "Wed", "Fri"]


def test_day_and_weekday_together_mean_either() -> None:
    """`0 12 13 * 5` is the 13th and every Friday in crontab: it is read so or refused, never as Friday the 13th."""
    try:
        slots.check("0 12 13 * 5")
    except ValueError:
        return
    days = run("0 12 13 * 5", "UTC", MONDAY, 3)
    assert [day.day for day in days] == [5, 12, 13]


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    "cron",
    [
        "",
        *("30 7 * *", "30 7 * * * *", "@daily", "7:30 * * * *", "a 7 * * *"),
        *("60 7 * * *", "-1 7 * * *", "30 24 * * *", "30 7 0 * *", "30 7 32 * *", "30 7 * 13 *"),
        *("*/0 * * * *", "30-20 7 * * *", "30 7 * * mon-fri-sun"),
    ],
)
def test_a_line_that_is_no_crontab_is_refused(cron: str) -> None:
    """With words, before the worker starts."""
    with pytest.raises(ValueError, match=r"\w"):
        slots.check(cron)


@pytest.mark.parametrize("cron", ["0 7 30 2 *", "0 7 31 4,6,9,11 *", "0 7 31 2 *"])
def test_a_day_that_never_comes_is_refused(cron: str) -> None:
    """The 30th of February would mean a digest that is never sent."""
    with pytest.raises(ValueError, match="no such day"):
        slots.check(cron)
    assert slots.next_slot(cron, "Asia/Shanghai", MONDAY) is None
    assert slots.missed_slot(cron, "Asia/Shanghai", MONDAY, MONDAY + timedelta(days=900)) is None


@pytest.mark.parametrize("cron", ["30 7 * * *", "0 7 29 2 *", "*/15 8-18 * * 1-5", "0 7 1 jan *", "0 7,19 * * mon-fri"])
def test_a_good_line_passes(cron: str) -> None:
    """The 29th of February comes, if seldom."""
    slots.check(cron)


def test_the_leap_day_is_waited_for() -> None:
    """Four years on."""
    assert run("0 7 29 2 *", "UTC", MONDAY, 2) == [at("2024-02-29 07:00"), at("2028-02-29 07:00")]


# ------------------------------------------------------------------ zones and clocks that change


@pytest.mark.parametrize(
    ("zone", "slot"),
    [
        ("UTC", "2024-01-01 07:30"),
        ("Asia/Shanghai", "2024-01-01 23:30"),
        ("America/New_York", "2024-01-01 12:30"),
        ("Europe/Berlin", "2024-01-01 06:30"),
        ("Asia/Kolkata", "2024-01-01 02:00"),
        ("Pacific/Kiritimati", "2024-01-01 17:30"),
    ],
)
def test_the_time_is_that_of_the_zone(zone: str, slot: str) -> None:
    """07:30 is 07:30 where the reader lives."""
    assert slots.next_slot("30 7 * * *", zone, MONDAY) == at(slot)


@pytest.mark.parametrize(
    ("zone", "start", "expected"),
    [
        ("Europe/Berlin", "2024-03-30 00:00", ["2024-03-30 01:30", "2024-03-31 01:30", "2024-04-01 00:30"]),
        ("America/New_York", "2024-03-09 00:00", ["2024-03-09 07:30", "2024-03-10 07:30", "2024-03-11 06:30"]),
    ],
)
def test_the_hour_that_is_left_out_in_spring_costs_no_edition(zone: str, start: str, expected: list[str]) -> None:
    """02:30 does not exist that night: the edition comes at 03:30 instead, once."""
    assert run("30 2 * * *", zone, at(start), 3) == [at(text) for text in expected]


@pytest.mark.parametrize(
    ("cron", "zone", "start", "expected"),
    [
        ("30 2", "Europe/Berlin", "2024-10-26 00:00", ["2024-10-26 00:30", "2024-10-27 00:30", "2024-10-28 01:30"]),
        ("0 2", "Europe/Berlin", "2024-10-26 00:00", ["2024-10-26 00:00", "2024-10-27 00:00", "2024-10-28 01:00"]),
        ("30 2", "America/New_York", "2024-11-02 00:00", ["2024-11-02 06:30", "2024-11-03 07:30", "2024-11-04 07:30"]),
        ("30 1", "America/New_York", "2024-11-02 00:00", ["2024-11-02 05:30", "2024-11-03 05:30", "2024-11-04 06:30"]),
    ],
)
def test_the_hour_that_comes_twice_in_autumn_brings_one_edition(
    cron: str, zone: str, start: str, expected: list[str]
) -> None:
    """02:30 comes twice in Berlin (01:30 in New York): the first counts, the second is not another."""
    before = at(start) - timedelta(seconds=1)
    assert run(f"{cron} * * *", zone, before, 3) == [at(text) for text in expected]


@pytest.mark.parametrize("last", ["00:30", "00:31", "00:45", "01:00", "01:29", "01:30", "02:00"])
def test_an_edition_told_in_the_repeated_hour_is_not_told_again(last: str) -> None:
    """From the first 02:30 on, wherever the night's edition ended, nothing is due before the next day."""
    now = at("2024-10-27 12:00")
    assert slots.missed_slot("30 2 * * *", "Europe/Berlin", at(f"2024-10-27 {last}"), now) is None


@pytest.mark.parametrize(
    ("zone", "night"),
    [
        ("Europe/Berlin", "2024-03-30"),
        ("America/New_York", "2024-03-09"),
        ("Africa/Cairo", "2024-04-24"),
        ("America/Sao_Paulo", "2018-11-02"),
        ("Australia/Lord_Howe", "2024-10-05"),
    ],
)
def test_the_short_day_in_spring_costs_no_edition_at_midnight(zone: str, night: str) -> None:
    """The day after the clocks went forward comes only 23 hours later, and is not skipped."""
    start = datetime.fromisoformat(f"{night} 12:00").replace(tzinfo=ZoneInfo(zone))
    dates = [slot.astimezone(ZoneInfo(zone)).date() for slot in run("0 0 * * *", zone, start.astimezone(UTC), 4)]
    assert dates == [start.date() + timedelta(days=i) for i in range(1, 5)]


@pytest.mark.parametrize("cron", ["30 2 * * *", "0 3 * * *", "15 2 * * *"])
def test_in_the_gap_of_spring_asking_often_changes_nothing(cron: str) -> None:
    """Asked from before or from within the missing hour, the night's edition is due at the same instant."""
    first = slots.next_slot(cron, "Europe/Berlin", at("2024-03-31 00:00"))
    assert first is not None
    for minutes in range(0, 120, 5):
        after = at("2024-03-31 00:00") + timedelta(minutes=minutes)
        if after < first:
            assert slots.next_slot(cron, "Europe/Berlin", after) == first


# ------------------------------------------------------------------ laws

ZONES = st.sampled_from(
    [
        *("UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "Asia/Shanghai"),
        *("Australia/Lord_Howe", "Australia/Sydney", "Africa/Cairo", "Asia/Kathmandu", "America/St_Johns"),
        *("Pacific/Auckland", "America/Santiago", "Asia/Tehran", "Africa/Casablanca", "Pacific/Kiritimati"),
    ]
)
INSTANTS = st.integers(0, 10 * 366 * 24 * 60).map(lambda minutes: at("2020-01-01 00:00") + timedelta(minutes=minutes))
CHANGES = st.sampled_from(
    [
        *(at("2024-03-31 01:00"), at("2024-10-27 01:00"), at("2024-03-10 07:00"), at("2024-11-03 06:00")),
        *(at("2024-04-06 15:00"), at("2024-10-05 15:30"), at("2024-04-25 22:00"), at("2024-10-31 21:00")),
    ]
)
NEAR_CHANGES = st.builds(lambda change, minutes: change + timedelta(minutes=minutes), CHANGES, st.integers(-2000, 2000))
CRONS = st.builds(
    "{} {} {} * {}".format,
    st.sampled_from(["0", "30", "*/30", "15,45", "59"]),
    st.sampled_from(["0", "1", "2", "3", "23", "*", "*/6", "7"]),
    st.sampled_from(["*"]),
    st.sampled_from(["*", "0", "1-5", "sun", "6"]),
)


@LAW
@given(CRONS, ZONES, INSTANTS | NEAR_CHANGES)
@example("30 2 * * *", "Europe/Berlin", at("2024-10-27 00:30"))
def test_the_next_slot_lies_strictly_after(cron: str, zone: str, after: datetime) -> None:
    """In UTC, later than asked, and at a minute that the line names (or, in the missing hour, its stand-in)."""
    slot = slots.next_slot(cron, zone, after)
    assert slot is not None
    assert slot > after
    assert slot.utcoffset() == timedelta(0)
    assert slot.second == slot.microsecond == 0


@LAW
@given(CRONS, ZONES, INSTANTS | NEAR_CHANGES, st.integers(0, 3000))
@example("30 2 * * *", "Europe/Berlin", at("2024-03-31 00:00"), 75)
def test_no_slot_is_passed_over_by_asking_later(cron: str, zone: str, after: datetime, minutes: int) -> None:
    """Between now and the next slot there is none: whoever asks in between is given the same."""
    slot = slots.next_slot(cron, zone, after)
    assert slot is not None
    between = after + timedelta(minutes=minutes)
    if between < slot:
        assert slots.next_slot(cron, zone, between) == slot


@LAW
@given(st.integers(0, 23), st.integers(0, 59), ZONES, INSTANTS | NEAR_CHANGES)
@example(2, 30, "Europe/Berlin", at("2024-10-26 12:00"))
@example(0, 0, "Europe/Berlin", at("2024-03-30 12:00"))
def test_a_daily_line_brings_one_edition_a_day(hour: int, minute: int, zone: str, after: datetime) -> None:
    """On each date of the zone's calendar, once: whatever the clocks do."""
    dates: list[date] = [
        slot.astimezone(ZoneInfo(zone)).date() for slot in run(f"{minute} {hour} * * *", zone, after, 4)
    ]
    assert dates == [dates[0] + timedelta(days=i) for i in range(4)]


YEAR = at("2026-01-01 00:00")
EVERY_ZONE = sorted(available_timezones() - {"localtime"})


def a_day_later(one: datetime, other: datetime) -> bool:
    """Tell whether one is the next daily slot after the other. Not the next date: in Nuuk 23:30 can be left out."""
    return timedelta(hours=22) <= other - one <= timedelta(hours=26)


def changes(zone: str) -> list[datetime]:
    """Return the instants of the year at which the clocks of a zone change, to the hour."""
    here = ZoneInfo(zone)
    days = [YEAR + timedelta(days=n) for n in range(-1, 368)]
    found = []
    for day in days:
        if day.astimezone(here).utcoffset() != (day + timedelta(days=1)).astimezone(here).utcoffset():
            hours = [day + timedelta(hours=n) for n in range(25)]
            found += [b for a, b in pairwise(hours) if a.astimezone(here).utcoffset() != b.astimezone(here).utcoffset()]
    return found


def test_in_every_zone_each_edition_comes_once_around_each_change_of_the_clocks() -> None:
    """All IANA zones, each change of a year, in both directions: at times before, within and after it."""
    met = 0
    for zone in EVERY_ZONE:
        here = ZoneInfo(zone)
        for change in changes(zone) or [YEAR]:
            met += change != YEAR
            wall = change.astimezone(here)
            for hour in {wall.hour, (wall.hour - 1) % 24, (wall.hour + 1) % 24, 0, 7}:
                first = slots.next_slot(f"30 {hour} * * *", zone, change - timedelta(days=2))
                assert first is not None
                found = [first, *run(f"30 {hour} * * *", zone, first, 4)]
                assert all(a_day_later(a, b) for a, b in pairwise(found)), (zone, hour)
    assert met > 200, "the zone files tell of no daylight saving"


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.sampled_from(EVERY_ZONE), st.integers(0, 23), st.integers(0, 59))
def test_over_a_year_every_day_has_its_edition_in_any_zone(zone: str, hour: int, minute: int) -> None:
    """366 days, 366 editions."""
    found = run(f"{minute} {hour} * * *", zone, YEAR, 366)
    assert len(found) == 366
    assert all(a_day_later(a, b) for a, b in pairwise(found))


# ------------------------------------------------------------------ what was missed


def test_one_missed_slot_is_made_up_however_many_there_were() -> None:
    """After a week off, one digest tells it all: the first that was due."""
    last, now = at("2024-01-01 08:00"), at("2024-01-09 12:00")
    assert slots.missed_slot("30 7 * * *", "UTC", last, now) == at("2024-01-02 07:30")
    assert slots.missed_slot("30 7 * * *", "UTC", now, now + timedelta(hours=1)) is None


def test_a_slot_is_due_from_its_very_instant() -> None:
    """`last` < t ≤ `now`: not a second early, not twice."""
    slot = at("2024-01-02 07:30")
    second = timedelta(seconds=1)
    assert slots.missed_slot("30 7 * * *", "UTC", at("2024-01-01 08:00"), slot - second) is None
    assert slots.missed_slot("30 7 * * *", "UTC", at("2024-01-01 08:00"), slot) == slot
    assert slots.missed_slot("30 7 * * *", "UTC", slot - second, slot) == slot
    assert slots.missed_slot("30 7 * * *", "UTC", slot, slot + second) is None


def test_the_library_is_given_the_same_line() -> None:
    """The trigger that wakes the worker fires when the slot is due."""
    trigger = slots.trigger("30 7 * * 0", "Asia/Shanghai")
    fired = trigger.get_next_fire_time(None, MONDAY)
    assert fired is not None
    assert fired.astimezone(UTC) == slots.next_slot("30 7 * * 0", "Asia/Shanghai", MONDAY) == at("2024-01-06 23:30")


def test_an_unknown_zone_is_refused() -> None:
    """Not read as UTC."""
    with pytest.raises((ValueError, KeyError)):
        slots.next_slot("30 7 * * *", "Mars/Olympus", MONDAY)
