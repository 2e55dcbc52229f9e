"""No document, however broken, raises or hangs: mutations of small sound ones, and what longer searches found."""

from __future__ import annotations

import json
import warnings
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import taking
from monitor.feeds.jsonfeed import MOST_ITEMS
from monitor.feeds.normalise import (
    MAX_ID,
    MAX_LINK,
    MAX_SUMMARY,
    MAX_TITLE,
    clean_link,
    plain_text,
    read_date,
    told_apart,
)
from monitor.feeds.parse import MOST_ENTRIES, parse
from monitor.model import Entry, Failure, Feed, Item, Parsed
from tests.test_formats import SAMPLES

STEADY = settings(derandomize=True, deadline=None, max_examples=150)
NOW = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
FEED = Feed("https://example.com/feed", timezone="Asia/Shanghai")

PIECES = st.sampled_from(
    [
        b"<", b">", b"&", b"&#", b";", b"&#55357;", b"&#9999999999;", b"]]>", b"<![CDATA[", b"<!--", b"-->", b"\0",
        b"<!DOCTYPE x [", b'<!ENTITY a "b">', b"<item>", b"</item>", b"<entry>", b"<?xml ?>", b"\xff", b"\xef\xbb\xbf",
        b"<title>", b"<pubDate>", b"</width>", b"<svg>", b" a='1'", b" xmlns:a=''", b"xml:base='http://[x'", b"<a:b>",
        b"http://[", b'"', b"'", b"+99:99", b"T25:61", b"9999-12-31T23:59:59-23:59", b"{", b"}", b"[", b"]", b",",
        b"null", b"1e999", b"\\ud800", b"\\u0000",
    ]
) | st.binary(max_size=6)  # fmt: skip
KINDS = st.sampled_from(
    [
        "", "text/xml", "application/feed+json", "text/html; charset=gb2312", "x; charset=utf-16", "x; charset=utf-7",
        "x; charset=punycode", "x; charset=undefined", "x; charset=hz", "x; charset=iso-2022-jp",
    ]
)  # fmt: skip
DAMAGE = st.lists(
    st.tuples(
        st.sampled_from(["cut", "delete", "double", "swap", "insert", "nest"]),
        st.integers(0, 1500),
        st.integers(0, 200),
        PIECES,
    ),
    min_size=1,
    max_size=6,
)


def damaged(body: bytes, damage: list[tuple[str, int, int, bytes]]) -> bytes:
    """The document after each of these."""
    for how, at, length, piece in damage:
        end = at + length
        body = {
            "cut": body[:at] if length < 20 else body,
            "delete": body[:at] + body[end:],
            "double": body[:end] + body[at:],
            "swap": body[:at] + body[end : end + length] + body[at:end] + body[end + length :],
            "insert": body[:at] + piece + body[at:],
            "nest": body[:at] + piece * (10 * length) + body[at:],
        }[how]
    return body


def digest(body: bytes, kind: str = "") -> list[Item]:
    """What a document comes to; all of it storable, all of its times in UTC."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # feedparser's and dateutil's, about what they guess
        result = parse(body, {"content-type": kind} if kind else {})
        assert isinstance(result, Parsed | Failure)
        if isinstance(result, Failure):
            assert result.reason.encode()
            return []
        items = told_apart(taking.items_of(result, FEED, NOW, None, FEED.url))
    for item in items:
        "".join((item.key, item.link, item.title, item.summary, item.outlet, item.language)).encode()
        assert item.published.utcoffset() == item.first_seen.utcoffset() == timedelta(0)
        assert len(item.title) <= MAX_TITLE
        assert len(item.summary) <= MAX_SUMMARY
    return items


def around(inside: str, head: str = "") -> bytes:
    """A feed with one item that has this inside it, and a sound one after it."""
    return (
        f"<?xml version='1.0'?>{head}<rss version='2.0'><channel><title>C</title><item><guid>1</guid>{inside}</item>"
        "<item><guid>2</guid><link>https://example.com/2</link><title>Sound</title></item></channel></rss>"
    ).encode()


def the_first(body: bytes) -> Entry:
    """The first entry of a document that can be read."""
    result = parse(body, {})
    assert isinstance(result, Parsed), result
    return result.entries[0]


@STEADY
@given(st.sampled_from(sorted(SAMPLES)), DAMAGE, KINDS)
def test_any_damage_leaves_items_or_a_reason(name: str, damage: list[tuple[str, int, int, bytes]], kind: str) -> None:
    """Every format, cut, doubled, nested or swapped anywhere."""
    digest(damaged(SAMPLES[name], damage), kind)


@STEADY
@given(
    st.sampled_from(sorted(SAMPLES)),
    st.sampled_from(["utf-16", "utf-16-le", "utf-32", "gbk", "big5", "cp1252", "utf-7", "hz", "cp037"]),
    KINDS,
    st.integers(0, 3),
)
def test_any_encoding_under_any_name_leaves_items_or_a_reason(name: str, codec: str, kind: str, odd: int) -> None:
    """A document that is not in the encoding it names, also with bytes missing in front."""
    digest(SAMPLES[name].decode().encode(codec, "ignore")[odd:], kind)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "items", "name"]), inner),
    max_leaves=5,
)
fields = st.sampled_from(
    ["id", "url", "external_url", "title", "summary", "content_html", "content_text", "date_published", "language"]
)


@STEADY
@given(st.lists(st.dictionaries(fields, values) | values, max_size=4), values, values)
def test_any_types_in_a_json_feed_leave_items_or_a_reason(items: list[object], title: object, version: object) -> None:
    """What has a wrong type is absent."""
    document = {"version": "https://jsonfeed.org/version/1.1", "items": items, "title": title, "language": version}
    assert len(digest(json.dumps(document).encode())) == sum(isinstance(item, dict) for item in items)
    digest(json.dumps({**document, "version": version}).encode(), "application/feed+json")


# ---------------------------------------------------------------- finds: what raised


@pytest.mark.parametrize("name", ["undefined", "punycode", "idna", "unicode_escape", "raw_unicode_escape"])
def test_a_codec_that_is_no_encoding_is_not_used(name: str) -> None:
    """Python has codecs that raise even where faults are to be replaced."""
    assert len(digest(around("<title>\u5fae</title>").replace(b"C<", b"\xff\xad<"), f"text/xml; charset={name}")) == 2


@pytest.mark.parametrize(
    "stray",
    ["</width>", "<width>", "<image></height></image>", "</category>", "</dc:subject>", "<width a='1'></width>"],
)
def test_a_stray_end_tag_does_not_lose_the_feed(stray: str) -> None:
    """A number of nothing, a list that was never begun: feedparser raises there."""
    assert [item.key for item in digest(around(f"<title>T</title>{stray}&nbsp;"))] == ["1", "2"]


# ---------------------------------------------------------------- finds: what hung


def test_no_more_entries_are_read_than_a_feed_can_have() -> None:
    """In the order of the document, which is the newest first; a document so cut stays well-formed."""
    body = b"<rss version='2.0'><channel>" + b"<item><title>a &amp; b</title></item>" * 5000 + b"</channel></rss>"
    result = parse(body, {})
    assert isinstance(result, Parsed)
    assert len(result.entries) == MOST_ENTRIES == MOST_ITEMS


@pytest.mark.parametrize("filler", ["\n", " ", "<!--x-->", "<!ENTITY a 'b'>\n", "<?x ?>"])
def test_what_stands_before_a_feed_is_bounded(filler: str) -> None:
    """The parser's time over blanks before the first tag is quadratic: ten seconds for 64 KiB."""
    assert the_first(around("<title>T</title>", filler * 20_000)).title == "T"


def test_a_long_entity_is_not_unfolded() -> None:
    """Quadratic blow-up: one entity, long, named often."""
    head = f'<!DOCTYPE rss [\n<!ENTITY a "{"x" * 1000}">\n<!ENTITY b "short">]>'
    entry = the_first(around(f"<title>&b;</title><description>{'&a;' * 1000}</description>", head))
    assert len(entry.summary) < 10_000


@pytest.mark.parametrize("tag", ["<b>", "<b a='1'>", "<item>", "<a", "<!--", "<![CDATA[", "<![", "&", '<a b="'])
def test_what_is_never_closed_is_bounded(tag: str) -> None:
    """Ill-formed text is read as far as a bound; tags in it cost feedparser 60 µs and 10 KB each."""
    items = digest(around(f"<title>T</title><description>{tag * 100_000}</description>"))
    assert items[0].key == "1"
    assert len(items) <= MOST_ENTRIES


def test_what_is_nested_too_deep_ends_there() -> None:
    """Nothing that is meant is nested by hundreds."""
    inside = "".join(f"<t{i}>" for i in range(2000)) + "".join(f"</t{i}>" for i in reversed(range(2000)))
    assert [item.key for item in digest(around(inside))] == ["1"]


def test_thousands_of_attributes_and_namespaces_end_a_feed() -> None:
    """The parser's time over them is quadratic."""
    attributes = " ".join(f"a{i}='1'" for i in range(5000))
    assert digest(around(f"<x {attributes}/>"))[0].key == "1"
    declared = "".join(f"<x{i}:a xmlns:x{i}='u{i}'/>" for i in range(5000))
    assert [item.key for item in digest(around(declared))] == ["1"]


def test_comments_that_never_end_in_an_item_do_not_hang() -> None:
    """The parser's sanitiser searched the end of each anew: it is not used, for the markup is removed afterwards."""
    items = digest(around(f"<title>T</title><description><![CDATA[{'<!--' * 50_000}]]></description>"))
    assert [(item.key, item.title) for item in items] == [("1", "T"), ("2", "Sound")]


@pytest.mark.parametrize("tag", ["author", "managingEditor", "dc:creator"])
def test_a_giant_author_does_not_hang(tag: str) -> None:
    """In quadratic time feedparser searched it for an address."""
    items = digest(around(f"<{tag}>{'1' * 2**19}</{tag}><title>T</title>"))
    assert [item.title for item in items] == ["T", "Sound"]


def test_giant_fields_are_cut_before_they_are_read() -> None:
    """A link, an id, a date, a title of a mebibyte."""
    giant = "(" * 2**20
    inside = f"<link>https://example.com/{giant}</link><pubDate>{giant}</pubDate><title>{giant}</title>"
    first, second = digest(around(inside).replace(b"<guid>1", b"<guid>" + giant.encode()))
    assert (first.link, len(first.title), first.dated) == ("", MAX_TITLE, False)
    assert first.key.startswith("sha256:")
    assert second.title == "Sound"
    assert clean_link("https://example.com/" + "a" * MAX_LINK) == ""
    assert read_date("2026-06-20" + " " * 10_000 + "x" * 10_000, None) is not None


def test_an_id_that_is_long_is_still_one_id() -> None:
    """Its hash stands for it."""
    keys = [
        item.key
        for end in "ab"
        for item in digest(around("").replace(b"<guid>1", b"<guid>" + b"x" * 3000 + end.encode()))
    ]
    assert keys[0] != keys[2]
    assert all(len(key) <= MAX_ID for key in keys)


def test_lists_nested_by_thousands_are_read_as_text() -> None:
    """nh3's time over them is quadratic."""
    assert plain_text("<ul><li>" * 5000 + "end") == "end"


@pytest.mark.parametrize("end", ["[" * 100_000, '{"a":' * 100_000, '{"id":' + "9" * 10_000 + "}]}", "," * 10_000])
def test_json_too_deep_or_too_large_does_not_raise(end: str) -> None:
    """Python refuses numbers of 4,300 digits and stacks of a thousand."""
    digest(b'{"version":"https://jsonfeed.org/version/1.1","items":[' + end.encode())
