"""What a document asks of those who poll it: ttl, the syndication module, hours and days to skip."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.feeds.hints import read_hints
from monitor.model import Hints

STEADY = settings(derandomize=True, deadline=None)
HOUR = timedelta(hours=1)


def rss(head: str, items: str = "<item><title>One</title></item>") -> bytes:
    """Return a document with this in its head."""
    return f'<?xml version="1.0"?><rss><channel><title>Feed</title>{head}{items}</channel></rss>'.encode()


@pytest.mark.parametrize(
    ("head", "every"),
    [
        ("", None),
        ("<ttl>60</ttl>", HOUR),
        ("<ttl>\n 5 \n</ttl>", timedelta(minutes=5)),
        ("<ttl>0</ttl>", None),
        ("<ttl>1440</ttl>", 24 * HOUR),
        ("<ttl>9999999</ttl>", timedelta(minutes=9999999)),
        ("<ttl>99999999</ttl>", None),
        ("<ttl>-5</ttl>", None),
        ("<ttl>1.5</ttl>", None),
        ("<ttl>an hour</ttl>", None),
        ("<ttl></ttl>", None),
        ("<ttl>６０</ttl>", None),
        ("<sy:updatePeriod>hourly</sy:updatePeriod>", HOUR),
        ("<sy:updatePeriod>\n  hourly  \n</sy:updatePeriod>\n<sy:updateFrequency>\n 1 </sy:updateFrequency>", HOUR),
        ("<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>", 12 * HOUR),
        ("<sy:updateFrequency>4</sy:updateFrequency><sy:updatePeriod>hourly</sy:updatePeriod>", HOUR / 4),
        ("<syn:updatePeriod>Weekly</syn:updatePeriod>", 168 * HOUR),
        ("<updatePeriod>MONTHLY</updatePeriod>", 720 * HOUR),
        ("<sy:updatePeriod>yearly</sy:updatePeriod>", 8760 * HOUR),
        ("<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>0</sy:updateFrequency>", HOUR),
        ("<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>often</sy:updateFrequency>", HOUR),
        ("<sy:updatePeriod>fortnightly</sy:updatePeriod>", None),
        ("<sy:updateFrequency>2</sy:updateFrequency>", None),
        ("<ttl>30</ttl><sy:updatePeriod>hourly</sy:updatePeriod>", HOUR),
        ("<ttl>90</ttl><sy:updatePeriod>hourly</sy:updatePeriod>", timedelta(minutes=90)),
    ],
)
def test_a_document_says_how_often_it_changes(head: str, every: timedelta | None) -> None:
    """In minutes or as a period and how often in it; the longer of both; what cannot be read says nothing."""
    assert read_hints(rss(head)).every == every


@pytest.mark.parametrize(
    ("head", "hours"),
    [
        ("<skipHours><hour>0</hour><hour>1</hour></skipHours>", {0, 1}),
        ("<skipHours>\n<hour> 23 </hour>\n<hour>24</hour>\n</skipHours>", {23, 0}),
        ("<skiphours><hour>03</hour></skiphours>", {3}),
        ("<skipHours><Hour>5</Hour><hour>25</hour><hour>99</hour><hour>-1</hour><hour>x</hour></skipHours>", {5}),
        ("<skipHours></skipHours>", set()),
        ("<skipHours><hour>1</hour>", set()),
        ("<hour>1</hour>", set()),
        ("<skipHours>" + "".join(f"<hour>{n}</hour>\n      " for n in range(24)) + "</skipHours>", set(range(24))),
    ],
)
def test_hours_to_skip_are_read(head: str, hours: set[int]) -> None:
    """From 0 to 23, where some write 24 for midnight."""
    assert read_hints(rss(head)).skip_hours == hours


@pytest.mark.parametrize(
    ("head", "days"),
    [
        ("<skipDays><day>Saturday</day><day>Sunday</day></skipDays>", {5, 6}),
        ("<skipDays>\n<day> monday </day><DAY>TUESDAY</DAY></skipDays>", {0, 1}),
        ("<skipdays><day>wednesday</day><day>Thursday</day><day>friday</day></skipdays>", {2, 3, 4}),
        ("<skipDays><day>Caturday</day><day>Sun</day><day>6</day><day></day></skipDays>", set()),
        ("<skipDays/>", set()),
        ("<day>Sunday</day>", set()),
    ],
)
def test_days_to_skip_are_read(head: str, days: set[int]) -> None:
    """By their English names, in whatever letters; Monday is 0."""
    assert read_hints(rss(head)).skip_days == days


ASKS = (
    "<ttl>60</ttl><sy:updatePeriod>daily</sy:updatePeriod><skipHours><hour>1</hour></skipHours>"
    "<skipDays><day>Sunday</day></skipDays>"
)


@pytest.mark.parametrize("tag", ["item", "entry", 'item rdf:about="x"', "item\n"])
def test_nothing_in_an_entry_counts(tag: str) -> None:
    """It speaks of something else: the item about ttl."""
    name = tag.split()[0]
    assert read_hints(rss("", f"<{tag}>{ASKS}</{name}>")) == Hints()
    assert read_hints(rss("<ttl>30</ttl>", f"<{tag}>{ASKS}</{name}>")) == Hints(every=HOUR / 2)


def test_a_list_of_items_is_no_entry() -> None:
    """RSS 1.0 has one in its head."""
    head = "<items><rdf:Seq/></items><sy:updatePeriod>hourly</sy:updatePeriod>"
    assert read_hints(rss(head)).every == HOUR


def test_a_document_without_entries_is_read_too() -> None:
    """As is what is left when all entries were cut out."""
    assert read_hints(rss(ASKS, "")) == Hints(24 * HOUR, frozenset({1}), frozenset({6}))


def test_what_stands_far_behind_is_not_searched_for() -> None:
    """A large document is not read for its hints."""
    assert read_hints(rss(" " * 70_000 + ASKS)) == Hints()


@STEADY
@given(
    st.binary(max_size=200)
    | st.lists(
        st.sampled_from(["<ttl>", "</ttl>", "5", "99999999", " ", "<skipHours>", "</skipHours>", "<hour>", "</hour>",
                         "<skipDays>", "</skipDays>", "<day>", "</day>", "Sunday", "<sy:updatePeriod>", "daily", "<",
                         "<sy:updateFrequency>", "0", "<item>"]),
        max_size=20,
    ).map(lambda words: "".join(words).encode())
)  # fmt: skip
def test_no_bytes_stop_the_worker(body: bytes) -> None:
    """Whatever stands there, there are hints that can be used."""
    hints = read_hints(body)
    assert hints.every is None or hints.every > timedelta()
    assert hints.skip_hours <= set(range(24))
    assert hints.skip_days <= set(range(7))
