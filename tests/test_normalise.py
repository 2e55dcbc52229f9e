"""Cleaning: what a reader sees of an entry, whatever its feed made of it."""

from __future__ import annotations

import re
import time
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.feeds.normalise import (
    EARLIEST,
    FIRST_MOST,
    FIRST_SIGHT,
    FUTURE,
    LATE,
    MAX_SUMMARY,
    MAX_TITLE,
    capped,
    clean_link,
    cut,
    date_fault,
    identity,
    is_backlog,
    language_of,
    normalise,
    plain_text,
    read_date,
    without_suffix,
)
from monitor.feeds.parse import parse
from monitor.model import Entry, Feed, Item, Parsed

STEADY = settings(derandomize=True, deadline=None, max_examples=200)
THOROUGH = settings(STEADY, max_examples=600)

NOW = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
BEFORE = NOW - timedelta(minutes=30)
SHANGHAI = "Asia/Shanghai"
FEED = Feed("https://example.com/news/feed.xml")
PARSED = Parsed("Example News", "en-us", "rss20", ())
ENTRY = Entry(
    id="one",
    link="https://example.com/1",
    title="Microsoft and OpenAI",
    summary="What happened",
    content="All of what happened",
    published="Tue, 24 Nov 2026 04:00:00 GMT",
    published_utc=None,
    source="",
    language="",
)


def clean(
    feed: Feed = FEED, parsed: Parsed = PARSED, *, base: str = "", first: bool = False, **changes: object
) -> Item:
    """The item of the sample entry with these changes."""
    entry = replace(ENTRY, **changes)  # type: ignore[arg-type]
    return normalise(entry, feed, parsed, now=NOW, last_ok=None if first else BEFORE, base=base)


# ---------------------------------------------------------------- plain text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("Microsoft", "Microsoft"),
        ("  two \n\t lines  ", "two lines"),
        ("", ""),
        ("AT&T", "AT&T"),
        ("AT&amp;T", "AT&T"),
        ("AT&amp;amp;T", "AT&T"),
        ("&quot;Quote&quot; &#8217; &#x2019;", '"Quote" ’ ’'),
        ("&lt;b&gt;bold&lt;/b&gt;", "bold"),
        ("&amp;lt;b&amp;gt;bold&amp;lt;/b&amp;gt;", "bold"),
        ("&amp;amp;lt;b&amp;amp;gt;bold", "bold"),
        ("a&nbsp;&nbsp;b", "a b"),
        ("微软<em>发布</em>新模型", "微软发布新模型"),
    ],
)
def test_entities_and_tags_vanish_however_often_they_are_escaped(markup: str, text: str) -> None:
    """Feeds escape once, twice or not at all."""
    assert plain_text(markup) == text


@pytest.mark.parametrize("text", ["a < b", "a < b > c", "1 < 2 & 3 > 2", "5 > 3 && 2 < 4", "<3", "if x<y then", "a <"])
def test_signs_that_are_no_tags_stay(text: str) -> None:
    """A headline may compare numbers."""
    assert plain_text(text) == text
    assert plain_text(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")) == text


@pytest.mark.parametrize(
    "markup", ["<b>Open</b>AI", "Open<i>A</i>I", '<a href="https://a.com/" title="x">Open</a>AI', "<span>O</span>penAI"]
)
def test_inline_tags_do_not_split_words(markup: str) -> None:
    """A keyword is found where half of it is bold."""
    assert plain_text(markup) == "OpenAI"


@pytest.mark.parametrize(
    "markup",
    [
        "<p>one</p><p>two</p>",
        "one<br>two",
        "one<br/>two",
        "<div>one</div>two",
        "<ul><li>one</li><li>two</li></ul>",
        "<h2>one</h2>two",
        "<table><tr><td>one</td><td>two</td></tr></table>",
        "<blockquote>one</blockquote>two",
        "one<hr>two",
        "<figure><img src='x.jpg'><figcaption>one</figcaption></figure>two",
        "<section>one</section><section>two</section>",
        "<article>one</article>two",
        "<dl><dt>one</dt><dd>two</dd></dl>",
        "<header>one</header>two",
    ],
)
def test_block_tags_split_words(markup: str) -> None:
    """The last word of a caption does not grow together with the first of the text."""
    assert plain_text(markup) == "one two"


@pytest.mark.parametrize(
    "markup",
    [
        "<script>alert(1)</script>seen",
        "<SCRIPT type='x'>if (a < b) {}</SCRIPT>seen",
        "<style>p { color: red }</style>seen",
        "seen<script>never closed",
        "<!-- not --> seen",
        "&lt;script&gt;alert(1)&lt;/script&gt;seen",
        "<img alt='no' src='x' onerror='alert(1)'>seen",
    ],
)
def test_what_a_page_would_not_show_is_gone(markup: str) -> None:
    """Scripts, styles and comments are no text."""
    assert plain_text(markup) == "seen"


@pytest.mark.parametrize(
    "mark",
    ["\u200b", "\u200d", "\u00ad", "\ufeff", "\u202e", "\u2066", "\u2069", "\u200f", "\u2060", "\u061c", "&#8203;",
     "&#x202e;"],
)  # fmt: skip
def test_marks_that_nobody_sees_do_not_split_words(mark: str) -> None:
    """Zero-width characters and direction controls hide keywords and disturb a page."""
    assert plain_text(f"Open{mark}AI") == "OpenAI"


@pytest.mark.parametrize("mark", ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\u2028", "&#7;"])
def test_control_characters_are_gone(mark: str) -> None:
    """Nothing that a terminal or a mail program would obey is left."""
    assert re.fullmatch("one ?two", plain_text(f"one{mark}two"))


@pytest.mark.parametrize(
    "markup", ["<\u200bb>x", "&lt;\u200bb&gt;x", "<<<<b>b>b>b>x", "&amp;amp;amp;lt;b&amp;amp;amp;gt;x"]
)
def test_no_tag_comes_to_life_by_cleaning(markup: str) -> None:
    """What is removed must not leave a tag behind."""
    assert not re.search("<b>", plain_text(markup))


@pytest.mark.parametrize(
    "reference", ["&#55357;", "&#xD83D;", "&#0;", "&#1114112;", "&#xFFFFFFFF;", f"&#{'9' * 5000};"]
)
def test_references_to_no_character_are_harmless(reference: str) -> None:
    """Half an emoji or an absurd number is at most one replacement character."""
    text = plain_text(f"a {reference} b")
    text.encode()
    assert re.fullmatch("a (\ufffd )?b", text)


def test_deeply_nested_markup_is_read_in_no_time() -> None:
    """A few kilobytes of opening tags do not hold the worker for minutes."""
    began = process_time()
    plain_text("<div>" * 50_000 + "text")
    assert process_time() - began < 2


nasty = st.lists(
    st.sampled_from(
        ["<", ">", "&", ";", "/", "!", "#", "b", "p", " ", "\u200b", "\u202e", "\x00", "\x85", "\ud83d", "&lt;", "&gt;",
         "&amp;", "&#60;", "<b>", "</p>", "<!--", "<script>", "amp;", "lt;", "gt;"]
    ),
    max_size=20,
).map("".join)  # fmt: skip
any_text = st.text(st.characters(), max_size=80) | nasty  # lone surrogates too


@STEADY
@given(any_text)
def test_plain_text_is_plain_for_any_text(markup: str) -> None:
    """No control characters, no surrogates, no spaces to trim, no tags, no exception."""
    text = plain_text(markup)
    assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cs")]
    assert not re.search("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", text)
    assert text == " ".join(text.split())
    assert not re.search("</?(?:b|p|script)>", text)


@STEADY
@given(any_text)
def test_cleaning_again_never_brings_text_back(markup: str) -> None:
    """A second cleaning may unfold more, but what is clean of signs stays as it is."""
    text = plain_text(markup)
    again = plain_text(text)
    assert len(again) <= len(text)
    if not set("<&") & set(text):
        assert again == text


@STEADY
@given(st.text(st.characters(categories=("L", "N", "P", "S"), exclude_characters="<>&"), max_size=80))
def test_text_without_markup_is_not_changed(text: str) -> None:
    """Cleaning is for what is dirty."""
    assert plain_text(text) == text


# ---------------------------------------------------------------- links


@pytest.mark.parametrize(
    "parameter",
    [
        "utm_source=rss", "utm_medium=feed", "UTM_Campaign=x", "fbclid=abc", "gclid=1", "spm=a2c.1", "at_medium=RSS",
        "at_campaign=KARANGA", "mc_cid=1", "ocid=x", "%75tm_source=rss",
    ],
)  # fmt: skip
def test_tracking_is_removed(parameter: str) -> None:
    """Two links to one page are one link."""
    assert clean_link(f"https://example.com/a?{parameter}") == "https://example.com/a"
    assert clean_link(f"https://example.com/a?{parameter}&id=1") == "https://example.com/a?id=1"
    assert clean_link(f"https://example.com/a?id=1&{parameter}") == "https://example.com/a?id=1"


@pytest.mark.parametrize(
    "query",
    [
        "b=2&a=1",
        "a=1&a=2",
        "flag",
        "empty=",
        "a=x%20y",
        "a=x+y",
        "q=%E5%BE%AE%E8%BD%AF",
        "q=%CE%A2%C8%ED",
        "next=/news/1",
        "url=https%3A%2F%2Fother.example%2F%3Fa%3D1",
        "a=1;b=2",
        "t=12:30",
        "utmost=1&at=2",
    ],
)
def test_other_parameters_stay_as_they_are(query: str) -> None:
    """Servers differ in what they accept re-encoded, so nothing is re-encoded, with tracking or without."""
    assert clean_link(f"https://example.com/a?{query}") == f"https://example.com/a?{query}"
    assert clean_link(f"https://example.com/a?utm_source=rss&{query}") == f"https://example.com/a?{query}"
    assert clean_link(f"https://example.com/a?{query}&utm_source=rss") == f"https://example.com/a?{query}"


@pytest.mark.parametrize(
    ("link", "cleaned"),
    [
        (" https://example.com/a\n", "https://example.com/a"),
        ("https://example.com/a#part", "https://example.com/a"),
        ("https://example.com/a?id=1#part", "https://example.com/a?id=1"),
        ("HTTPS://Example.COM/News/A", "https://example.com/News/A"),
        ("https://example.com:8443/a", "https://example.com:8443/a"),
        ("https://user:PassWord@Example.com/a", "https://user:PassWord@example.com/a"),
        ("https://archive.example/web/2026/https://other.example/a", ) * 2,
        ("https://archive.example/https://other.example/a?utm_source=x", "https://archive.example/https://other.example/a"),
        ("https://例え.jp/新闻/一", "https://xn--r8jz45g.jp/%E6%96%B0%E9%97%BB/%E4%B8%80"),
        ("https://example.com/新闻?q=微软", "https://example.com/%E6%96%B0%E9%97%BB?q=%E5%BE%AE%E8%BD%AF"),
        ("https://example.com/%E6%96%B0", ) * 2,
        ("https://example.com/a b", "https://example.com/a%20b"),
        ("http://[::1]:8080/a", ) * 2,
    ],
)  # fmt: skip
def test_an_address_is_made_usable(link: str, cleaned: str) -> None:
    """Fragments, spaces, capitals in the host and characters beyond ASCII are put in order, the rest is kept."""
    assert clean_link(link) == cleaned


@pytest.mark.parametrize(
    "link",
    [
        "", "   ", "nonsense", "/relative", "//example.com/a", "javascript:alert(1)", " JavaScript:alert(1)",
        "mailto:a@example.com", "data:text/html,x", "ftp://example.com/a", "file:///etc/passwd", "http://", "http:///a",
        "http://[", "http://[::1", "http://a:99999/", "https://\ud800.example/", "java\tscript:alert(1)",
    ],
)  # fmt: skip
def test_what_is_no_web_address_is_no_link(link: str) -> None:
    """A digest links to web pages and to nothing else."""
    assert clean_link(link) == ""


links = st.text(st.characters(), max_size=60) | st.builds(
    "{}{}{}{}".format,
    st.sampled_from(
        ["http://", "https://", "HTTPS://example.com", "https://example.com/", "https://例え.jp/", "//", ""]
    ),
    st.text(st.characters(), max_size=15),
    st.sampled_from(["", "/", "?", "?utm_source=a&", "?a=%zz&", "#", "@", ":80/", "]"]),
    st.text(st.sampled_from("ab=&;%+?#/:@[]\\ \u4e2d\u3002\xdf\ud83d\x00\t"), max_size=15),
)


@THOROUGH
@given(links)
def test_a_link_is_clean_or_empty_for_any_text(link: str) -> None:
    """Whatever a feed gives as a link: an ASCII http(s) address or nothing, never an exception; clean stays clean."""
    cleaned = clean_link(link)
    if cleaned:
        assert re.match(r"https?://[^/]", cleaned)
        assert cleaned.isascii()
        assert not re.search(r"[\s#\x00-\x1f]", cleaned)
    assert clean_link(cleaned) == cleaned


# ---------------------------------------------------------------- dates

MORNING = datetime(2026, 6, 19, 19, 54, tzinfo=UTC)  # 03:54 on the 20th in Shanghai
WRONG = datetime(2026, 11, 1, tzinfo=UTC)  # what the parser makes of dates that it cannot read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026/06/20 03:54", MORNING),
        ("2026/6/20 3:54", MORNING),
        ("2026-06-20 03:54:00", MORNING),
        ("2026年6月20日 03:54", MORNING),
        ("2026年06月20日 03:54:00", MORNING),
        ("2026年6月20日 03时54分", MORNING),
        ("2026年6月20日03:54", MORNING),
        ("2026年8月22日 13:10", datetime(2026, 8, 22, 5, 10, tzinfo=UTC)),
        ("2026-06-20", datetime(2026, 6, 19, 16, tzinfo=UTC)),
        ("Sat, 20 Jun 2026 03:54:00", MORNING),
        ("2026-06-20T03:54:00", MORNING),
    ],
)
def test_a_date_without_a_zone_is_in_the_feeds_zone(written: str, read: datetime) -> None:
    """Chinese feeds write local time and say nothing of it; the parser's own reading is wrong."""
    assert read_date(written, WRONG, SHANGHAI) == read


def test_a_date_without_a_zone_in_a_feed_without_one_is_utc() -> None:
    """There is nothing better to go by."""
    assert read_date("2026/06/20 03:54", WRONG) == datetime(2026, 6, 20, 3, 54, tzinfo=UTC)


def test_the_feeds_zone_has_its_summer_time() -> None:
    """A zone is a place, not an offset."""
    assert read_date("2026-07-01 12:00", None, "America/New_York") == datetime(2026, 7, 1, 16, tzinfo=UTC)
    assert read_date("2026-12-01 12:00", None, "America/New_York") == datetime(2026, 12, 1, 17, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["", SHANGHAI, "America/New_York"])
@pytest.mark.parametrize(
    ("written", "hours"),
    [
        ("2026-06-20 03:54:00  +0800", 8),
        ("2026-06-20T03:54:00+08:00", 8),
        ("2026-06-20T03:54:00Z", 0),
        ("2026-06-20t03:54:00z", 0),
        ("2026-06-20T03:54:00.123Z", 0),
        ("Sat, 20 Jun 2026 03:54:00 GMT", 0),
        ("Sat, 20 Jun 2026 03:54:00 UT", 0),
        ("Sat, 20 Jun 2026 03:54:00 +0000", 0),
        ("Sat, 20 Jun 2026 03:54:00 -0330", -3.5),
        ("Sat, 20 Jun 2026 03:54:00 EST", -5),
        ("Sat, 20 Jun 2026 03:54:00 EDT", -4),
        ("Sat, 20 Jun 2026 03:54:00 PST", -8),
        ("Sat, 20 Jun 2026 03:54:00 PDT", -7),
        ("20 Jun 26 03:54:00 MST", -7),
        ("Sat, 20 Jun 2026 03:54:00 +0800 (CST)", 8),
        ("Sat Jun 20 2026 03:54:00 GMT+0800", 8),
        ("Sat Jun 20 2026 03:54:00 GMT+0800 (China Standard Time)", 8),
        ("Sat, 20 Jun 2026 03:54:00 GMT+8", 8),
        ("2026-06-20 03:54:00 UTC+08:00", 8),
        ("Sat, 20 Jun 2026 03:54:00 GMT-0500", -5),
    ],
)
def test_a_zone_that_is_written_counts(written: str, hours: float, zone: str) -> None:
    """Whatever the feed's own zone is."""
    read = read_date(written, WRONG, zone)
    assert read is not None
    assert read.replace(microsecond=0) == datetime(2026, 6, 20, 3, 54, tzinfo=UTC) - timedelta(hours=hours)


def test_two_spaces_before_the_offset_do_not_hide_it() -> None:
    """As a Chinese feed writes it."""
    assert read_date("2026-06-13 16:37:21  +0800", WRONG) == datetime(2026, 6, 13, 8, 37, 21, tzinfo=UTC)


def test_cst_is_china_in_asia_and_chicago_elsewhere() -> None:
    """One abbreviation, two continents, fourteen hours."""
    written = "Sat, 20 Jun 2026 03:54:00 CST"
    assert read_date(written, None, SHANGHAI) == MORNING
    assert read_date(written, None, "") == datetime(2026, 6, 20, 9, 54, tzinfo=UTC)
    assert read_date(written, None, "America/Chicago") == datetime(2026, 6, 20, 9, 54, tzinfo=UTC)


@pytest.mark.parametrize(
    "written", ["2026年6月20日 上午3:54", "2026年6月20日 星期六 03:54", "2026年6月20日 周六 03:54"]
)
def test_a_chinese_date_is_never_read_as_another_day(written: str) -> None:
    """The parser takes these for the first of November: better no date than that one."""
    assert read_date(written, WRONG, SHANGHAI) in (None, MORNING)


@pytest.mark.parametrize("written", ["", "   "])
def test_without_words_the_parsers_reading_is_all_there_is(written: str) -> None:
    """And without both there is no date."""
    assert read_date(written, MORNING, SHANGHAI) == MORNING
    assert read_date(written, None, SHANGHAI) is None


@pytest.mark.parametrize("written", ["soon", "now", "2026-02-30", "99:99", "9" * 5000, "2026-06-20T03:54:00+99:99"])
def test_words_that_are_no_date_give_none(written: str) -> None:
    """There is nothing to guess."""
    assert read_date(written, None, SHANGHAI) is None


dates = st.text(st.characters(), max_size=40) | st.lists(
    st.sampled_from(
        ["2026", "-", "/", "06", "20", " ", "T", ":", "03", "Z", "+0800", "+99:99", "年", "月", "日", "Sat,", "Jun",
         "GMT", "PST", "CST", "0", "99999999999", ".", "AM", "时", "分", "秒", "(", ")", "e", "nan", "inf", "²", "٣"]
    ),
    max_size=10,
).map("".join)  # fmt: skip


@THOROUGH
@given(dates, st.sampled_from(["", SHANGHAI, "America/New_York"]))
def test_no_text_of_a_date_stops_the_worker(written: str, zone: str) -> None:
    """Whatever stands there: a time in UTC or none."""
    read = read_date(written, None, zone)
    assert read is None or read.utcoffset() == timedelta()


# ---------------------------------------------------------------- dates of items


def test_an_item_has_the_date_of_its_entry() -> None:
    """In UTC, and marked as the feed's own."""
    item = clean(published="Tue, 24 Nov 2026 12:00:00 +0800")
    assert (item.published, item.first_seen, item.dated) == (datetime(2026, 11, 24, 4, tzinfo=UTC), NOW, True)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "soon",
        "Tue, 24 Nov 2036 04:00:00 GMT",
        "2026-11-26",
        "1970-01-01T00:00:00Z",
        "0001-01-01",
        "04:00",
        "20 June",
    ],
)
def test_a_date_that_cannot_be_true_falls_back_to_first_seen(written: str) -> None:
    """Missing, unreadable, far in the future, before the web, or without a year."""
    item = clean(published=written)
    assert (item.published, item.dated) == (NOW, False)


def test_a_clock_that_is_a_few_hours_ahead_is_believed_but_not_followed() -> None:
    """A feed in a hurry has its items now, never in the future."""
    for ahead in (timedelta(hours=3), FUTURE):
        item = clean(published=(NOW + ahead).isoformat())
        assert (item.published, item.dated) == (NOW, True)
    assert clean(published=(NOW + FUTURE + timedelta(seconds=1)).isoformat()).dated is False


# ---------------------------------------------------------------- backlog


@pytest.mark.parametrize(
    ("age", "backlog"), [(timedelta(), False), (FIRST_SIGHT, False), (FIRST_SIGHT + timedelta(seconds=1), True)]
)
def test_a_new_feed_tells_its_last_day(age: timedelta, backlog: bool) -> None:
    """A new feed's archive is stored, but it is no news."""
    assert is_backlog(NOW - age, NOW, None) is backlog
    assert clean(published=(NOW - age).isoformat(), first=True).backlog is backlog


@pytest.mark.parametrize(("age", "backlog"), [(timedelta(), False), (LATE, False), (LATE + timedelta(seconds=1), True)])
def test_a_known_feed_tells_what_it_shows_late(age: timedelta, backlog: bool) -> None:
    """A week's grace before the last good poll; older entries that turn up are no news."""
    assert is_backlog(BEFORE - age, NOW, BEFORE) is backlog
    assert clean(published=(BEFORE - age).isoformat()).backlog is backlog


def test_a_feed_that_was_away_for_a_month_tells_all_of_it() -> None:
    """Downtime leaves no gap."""
    assert is_backlog(NOW - timedelta(days=29), NOW, NOW - timedelta(days=30)) is False


def test_undated_entries_are_news_only_in_a_known_feed() -> None:
    """At first sight they could be the whole archive."""
    assert clean(published="", first=True).backlog is True
    assert clean(published="").backlog is False
    assert clean(published="Tue, 24 Nov 2099 04:00:00 GMT", first=True).backlog is True


# ---------------------------------------------------------------- language


@pytest.mark.parametrize(
    ("text", "declared", "language"),
    [
        ("Microsoft and OpenAI", "", "en"),
        ("Microsoft and OpenAI", "en-US", "en"),
        ("Microsoft and OpenAI", "en_US", "en"),
        ("Microsoft und OpenAI", "de-DE", "de"),
        ("Microsoft und OpenAI", "DE", "de"),
        ("微软与开放人工智能", "", "zh"),
        ("微软与开放人工智能", "en-US", "zh"),
        ("微软与 OpenAI 合作", "", "zh"),
        ("Microsoft and OpenAI", "zh-CN", "en"),
        ("Microsoft and OpenAI", "zh_CN", "en"),
        ("Microsoft and OpenAI agree with 微软", "en", "en"),
        ("", "", "en"),
        ("2026: 100 %", "zh-CN", "en"),
    ],
)
def test_the_text_decides_before_the_declaration(text: str, declared: str, language: str) -> None:
    """Chinese feeds that declare English are common, and Han characters do not lie."""
    assert language_of(text, declared) == language


def test_an_item_has_the_language_of_its_words_unless_its_feed_is_configured() -> None:
    """The user's word, then the text, then the entry's declaration, then the feed's."""
    assert clean().language == "en"
    assert clean(title="微软与开放人工智能", summary="").language == "zh"
    assert clean(language="fr-FR").language == "fr"
    assert clean(parsed=replace(PARSED, language="de")).language == "de"
    assert clean(replace(FEED, language="zh")).language == "zh"


# ---------------------------------------------------------------- identity


def test_an_entry_is_known_by_its_id() -> None:
    """The id stays when link, words and date change."""
    assert clean().key == "one"
    assert clean(title="Other", link="https://example.com/2", published="").key == "one"


def test_an_entry_without_an_id_is_known_by_its_clean_link() -> None:
    """Tracking in the link does not make an old item new."""
    plain, tracked = clean(id=""), clean(id="", link="https://example.com/1?utm_source=rss&utm_campaign=today#top")
    assert plain.key == tracked.key == "https://example.com/1"


def test_an_entry_without_both_is_known_by_its_words() -> None:
    """The same in every run; other words are another item; a summary that grows is not."""
    key = clean(id="", link="").key
    assert key == "sha256:5c33d63681a1dbd5aec30c484fb60bcd74ada50dd34ed23e3b5245433c0fc92e"
    assert clean(id="", link="", summary="More of it", source="Wire").key == key
    assert clean(id="", link="", title="Other").key != key
    assert clean(id="", link="", published="").key != key


def test_entries_with_nothing_but_a_summary_differ_by_it() -> None:
    """Short news without titles are still separate items."""
    one, other = (clean(id="", link="", title="", summary=words).key for words in ("One", "Other"))
    assert one != other


def test_a_link_that_is_no_address_does_not_name_an_entry() -> None:
    """All entries that link to `javascript:` would be one."""
    one, other = (clean(id="", link="javascript:void(0)", title=words) for words in ("One", "Other"))
    assert one.key != other.key
    assert one.link == ""


@STEADY
@given(st.text(st.characters(), max_size=20), st.text(st.characters(), max_size=20))
def test_every_entry_has_a_name(title: str, published: str) -> None:
    """Even one of broken characters, and always the same."""
    entry = replace(ENTRY, id="", title=title, published=published)
    assert identity(entry, "") == identity(entry, "") != ""


# ---------------------------------------------------------------- title, summary, outlet, link


def test_an_aggregator_headline_loses_its_publisher_and_gains_an_outlet() -> None:
    """Google News appends the source that it also names."""
    item = clean(title="Microsoft and OpenAI - Example Wire", source="Example Wire")
    assert (item.title, item.outlet) == ("Microsoft and OpenAI", "Example Wire")
    assert clean(title="A &amp; B - C &amp; D", source="C &amp; D").title == "A & B"


@pytest.mark.parametrize(
    ("title", "source", "result"),
    [
        ("Headline - Wire", "Wire", "Headline"),
        ("Headline | Wire", "Wire", "Headline"),
        ("Headline – Wire", "Wire", "Headline"),
        ("Headline - part two - Wire", "Wire", "Headline - part two"),
        ("Headline - Wire", "Other", "Headline - Wire"),
        ("Headline - Wire", "", "Headline - Wire"),
        ("Headline from Wire", "Wire", "Headline from Wire"),
        ("Pre-Wire", "Wire", "Pre-Wire"),
        ("Wire", "Wire", "Wire"),
    ],
)
def test_a_suffix_is_removed_only_where_it_is_the_source(title: str, source: str, result: str) -> None:
    """Many a headline has a dash."""
    assert without_suffix(title, source) == result


def test_the_outlet_is_the_best_name_there_is() -> None:
    """The entry's source, the configured name, the feed's title, its host."""
    named, untitled = replace(FEED, name="My name"), replace(PARSED, title="")
    assert clean(named, source="Example <b>Wire</b>").outlet == "Example Wire"
    assert clean(named).outlet == "My name"
    assert clean(parsed=replace(PARSED, title="Example &amp;amp; Sons")).outlet == "Example & Sons"
    assert clean(parsed=untitled).outlet == "example.com"


def test_the_summary_is_the_content_where_there_is_no_other() -> None:
    """A summary that is only a picture is none."""
    assert clean().summary == "What happened"
    assert clean(summary="").summary == "All of what happened"
    assert clean(summary="<img src='x.jpg'>").summary == "All of what happened"


def test_what_wordpress_appends_is_no_summary() -> None:
    """The name of the site in every excerpt would be a hit in every item."""
    appended = (
        '<p>The post <a href="https://example.com/1">Microsoft</a> appeared first on <a href="/">OpenAI News</a>.</p>'
    )
    assert clean(summary=f"<p>What happened [&#8230;]</p>\n{appended}").summary == "What happened"


def test_long_texts_are_cut_at_a_word() -> None:
    """Nobody reads a book in a digest, nor half a word."""
    item = clean(title="word " * 1000, summary="<p>" + "word " * 1000)
    assert len(item.title) <= MAX_TITLE
    assert len(item.summary) <= MAX_SUMMARY
    assert item.summary.endswith("word…")
    assert cut("word", 4) == "word"


@STEADY
@given(st.text(max_size=100), st.integers(min_value=1, max_value=100))
def test_no_text_is_cut_too_long(text: str, limit: int) -> None:
    """And one that fits is not cut at all."""
    assert len(cut(text, limit)) <= limit
    assert len(text) > limit or cut(text, limit) == text


@pytest.mark.parametrize(
    ("link", "base", "resolved"),
    [
        ("/2026/1.html", "", "https://example.com/2026/1.html"),
        ("1.html", "", "https://example.com/news/1.html"),
        ("//cdn.example/1", "", "https://cdn.example/1"),
        ("?id=1", "", "https://example.com/news/feed.xml?id=1"),
        ("/1.html", "https://moved.example/feed", "https://moved.example/1.html"),
        ("https://other.example/1", "https://moved.example/feed", "https://other.example/1"),
        ("", "https://moved.example/feed", ""),
        ("javascript:alert(1)", "https://moved.example/feed", ""),
        ("http://[", "https://moved.example/feed", ""),
    ],
)
def test_a_relative_link_stands_against_the_address_that_answered(link: str, base: str, resolved: str) -> None:
    """Redirects included; where there is no link none is made up."""
    assert clean(link=link, base=base).link == resolved


# ---------------------------------------------------------------- anything at all

moments = st.none() | st.datetimes(timezones=st.just(UTC))


@STEADY
@given(
    st.builds(
        Entry,
        id=any_text, link=links, title=any_text, summary=any_text, content=any_text, published=dates,
        published_utc=moments, source=any_text, language=any_text,
    ),
    st.builds(Parsed, title=any_text, language=any_text, version=st.just("rss20"), entries=st.just(())),
    st.sampled_from(["", SHANGHAI]),
    st.sampled_from([None, BEFORE]),
)  # fmt: skip
def test_no_entry_stops_the_worker(entry: Entry, parsed: Parsed, zone: str, last_ok: datetime | None) -> None:
    """Whatever stands in an entry, there is an item: named, told apart, and dated no later than now."""
    item = normalise(entry, replace(FEED, timezone=zone), parsed, now=NOW, last_ok=last_ok)
    assert item.key
    assert item.outlet
    assert item.published <= NOW == item.first_seen
    assert item.published.utcoffset() == timedelta()
    "".join((item.title, item.summary, item.outlet, item.link)).encode()


def test_a_feed_becomes_items() -> None:
    """From bytes to what the reader sees, with the traps of a Chinese feed."""
    body = """<?xml version="1.0" encoding="gb2312"?><rss version="2.0"><channel><title>示例&amp;amp;新闻</title>
    <language>en</language><item><title>&lt;b&gt;微软&lt;/b&gt;与OpenAI合作</title><link>/1?spm=a.b&amp;id=7</link>
    <pubDate>2026/11/24 12:00</pubDate><description><![CDATA[<p>第一段</p><p>第二段</p>]]></description></item>
    </channel></rss>""".encode("gb2312")
    parsed = parse(body, {"content-type": "text/xml"})
    assert isinstance(parsed, Parsed)
    [entry] = parsed.entries
    feed = replace(FEED, timezone=SHANGHAI)
    item = normalise(entry, feed, parsed, now=NOW, last_ok=BEFORE, base="https://moved.example/feed")
    assert item == Item(
        feed_url=FEED.url,
        key="https://moved.example/1?id=7",
        link="https://moved.example/1?id=7",
        title="微软与OpenAI合作",
        summary="第一段 第二段",
        outlet="示例&新闻",
        language="zh",
        published=datetime(2026, 11, 24, 4, tzinfo=UTC),
        first_seen=NOW,
    )


def test_a_date_that_overflows_a_decimal_is_no_date() -> None:
    """Dateutil lets decimal's errors through; one such item must not stop the poll."""
    assert read_date("10:999999999999999999999999999999", None, "") is None


# ---------------------------------------------------------------- the short ways lead to the same place

zoned = st.datetimes(
    datetime(1000, 1, 2),  # noqa: DTZ001
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@THOROUGH
@given(zoned, st.sampled_from(["", SHANGHAI]))
def test_a_date_as_the_standards_have_it_is_read_as_any_other(at: datetime, zone: str) -> None:
    """RFC 3339 and RFC 822: the same as the long way, which a space in front makes it take."""
    whole = at.replace(microsecond=0)
    for exact, written in (
        (at, at.isoformat(timespec="microseconds")),
        (whole, whole.isoformat()),
        (whole, format_datetime(whole)),
        (whole, format_datetime(whole).partition(", ")[2]),
        (whole, format_datetime(whole.astimezone(UTC), usegmt=True)),
        (whole, whole.astimezone(UTC).isoformat().replace("+00:00", "Z")),
    ):
        assert read_date(written, None, zone) == exact
        assert read_date(f" {written}", None, zone) == exact


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York"])
def test_a_date_means_the_same_on_every_machine(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also -0000, which says that nothing is known of the zone: that of this machine least of all."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        read_date.cache_clear()
        for written in ("Tue, 24 Nov 2026 04:00:00 -0000", "24 Nov 2026 04:00:00 GMT", "2026-11-24T04:00:00-00:00"):
            assert read_date(written, None) == datetime(2026, 11, 24, 4, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()
        read_date.cache_clear()


@pytest.mark.parametrize(
    "written",
    ["Tue, 32 Nov 2026 04:00:00 GMT", "Tue, 24 Nov 2026 25:00:00 GMT", "Tue, 24 Nov 2026 04:00:00 +9999",
     "2026-13-24T04:00:00Z", "2026-11-24T04:00:00+24:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"],
)  # fmt: skip
def test_a_date_in_good_form_that_cannot_be_stops_nobody(written: str) -> None:
    """It is no date, or what the long way makes of it."""
    assert read_date(written, None) == read_date(f" {written}", None)


plain_links = st.builds(
    "{}://{}{}/{}{}".format,
    st.sampled_from(["http", "https"]),
    st.lists(st.text("abz019-", min_size=1, max_size=70), min_size=2, max_size=4).map(".".join),
    st.sampled_from(["", "", ":80", ":8080", ":0", ":0080", ":65535", ":65536", ":99999"]),
    st.text("aZ0_/.~-", max_size=12),
    st.just("") | st.text("aZ0_=&.~-", max_size=12).map("?{}".format) | st.just("?utm_source=x&id=1&fbclid=2"),
)


@THOROUGH
@given(plain_links, st.sampled_from(["", "https://example.com/feed/"]))
def test_a_plain_link_is_cleaned_as_any_other(link: str, base: str) -> None:
    """A fragment makes it take the long way, and is gone at its end."""
    assert clean_link(link, base) == clean_link(f"{link}#part", base)


@pytest.mark.parametrize("port", [":65536", ":99999"])
def test_a_port_that_cannot_be_makes_no_link(port: str) -> None:
    """No browser would follow it."""
    assert clean_link(f"https://example.com{port}/a") == ""


@THOROUGH
@given(st.text(st.characters(exclude_characters="<&"), max_size=60) | st.text("ab \t\u3000\u00a0\u00ad微", max_size=20))
def test_a_plain_headline_is_cleaned_as_any_other(text: str) -> None:
    """A tag in front makes it take the long way, and is gone at its end."""
    assert plain_text(text) == plain_text(f"<b></b>{text}")


# ---------------------------------------------------------------- whole archives


def dated(number: int, minutes: float) -> Item:
    """An item of so many minutes ago."""
    written = (NOW - timedelta(minutes=minutes)).isoformat()
    return clean(id=f"n{number}", published=written, first=True)


@STEADY
@given(st.lists(st.integers(0, 60 * 48), max_size=120))
def test_of_a_first_document_only_the_newest_are_news(ages: list[int]) -> None:
    """Fifty at most, the newest of them; the others are kept as backlog, none is lost, none moves."""
    items = [dated(n, age) for n, age in enumerate(ages)]
    result = capped(items)
    assert [replace(item, backlog=False) for item in result] == [replace(item, backlog=False) for item in items]
    news = [item for item in result if not item.backlog]
    were = [item for item in items if not item.backlog]
    assert len(news) == min(len(were), FIRST_MOST)
    put_back = [new for old, new in zip(items, result, strict=True) if new.backlog and not old.backlog]
    if put_back:
        assert max(item.published for item in put_back) <= min(item.published for item in news)
    assert all(new.backlog for old, new in zip(items, result, strict=True) if old.backlog)


def test_an_archive_that_is_dated_today_is_not_told_whole() -> None:
    """Some feeds date all they have on the day of the poll."""
    assert sum(not item.backlog for item in capped([dated(n, 0) for n in range(5000)])) == FIRST_MOST == 50


# ---------------------------------------------------------------- what is wrong with a date


@pytest.mark.parametrize(
    ("written", "zone", "fault"),
    [
        ("", "", ""),
        ("  ", "", ""),
        ("Tue, 24 Nov 2026 04:00:00 GMT", "", ""),
        ("2026-11-25T05:30:00Z", "", ""),
        ("2026-11-25T05:30:01Z", "", "future"),
        ("2026-11-25 13:30:00", SHANGHAI, ""),
        ("2026-11-25 13:30:00", "", "future"),
        ("Tue, 24 Nov 2099 04:00:00 GMT", "", "future"),
        ("soon", "", "unreadable"),
        ("2026-02-30", "", "unreadable"),
        ("1970-01-01T00:00:00Z", "", "unreadable"),
        ("0001-01-01", "", "unreadable"),
        (EARLIEST.isoformat(), "", ""),
    ],
)
def test_a_date_that_cannot_be_is_named(written: str, zone: str, fault: str) -> None:
    """In the future by more than a day, or none that can be read; no date at all is no fault."""
    assert date_fault(written, None, zone, NOW) == fault


words = st.text("ab &;é微\n'\"=", max_size=6) | st.sampled_from(
    ["&amp;", "&lt;", "&#39;", "&nbsp;", "<br/>", "<img src='i' alt>"]
)
elements = st.sampled_from(
    ["p", "b", "A href='https://example.com/?a=1&amp;b=2'", "li", "h2", "blockquote", 'span class="x"']
)
markups = st.recursive(
    words,
    lambda inner: st.builds(
        lambda tag, parts: f"<{tag}>{''.join(parts)}</{tag.split()[0]}>", elements, st.lists(inner, max_size=3)
    ),
)


def letters(text: str) -> str:
    """A text without its spaces."""
    return "".join(text.split())


@STEADY
@given(st.lists(markups, max_size=4).map("".join))
def test_plain_tags_are_left_out_as_the_cleaner_leaves_them_out(markup: str) -> None:
    """A comment sends the same text to the cleaner, which is asked for anything but plain tags."""
    assert letters(plain_text(markup)) == letters(plain_text(f"{markup}<!-- -->"))


@pytest.mark.parametrize(
    "markup",
    [
        "<p>Open<b>AI</b></p><p>and <a href='x'>Microsoft</a></p>",
        "a<br/>b",
        "<ul><li>a</li><li>b</li></ul>",
        "x<H2>y</H2>z",
    ],
)
def test_plain_tags_part_words_as_the_cleaner_parts_them(markup: str) -> None:
    """Blocks do, the others do not."""
    assert plain_text(markup) == plain_text(f"{markup}<!-- -->")
