"""Reading feeds: the formats, the encodings, and everything that is not quite a feed."""

from __future__ import annotations

from datetime import UTC, datetime
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.feeds.parse import parse
from monitor.model import Entry, Failure, Parsed

STEADY = settings(derandomize=True, deadline=None, max_examples=100)

DECLARATION = b"<?xml version='1.0' encoding='utf-8'?>"
TITLE = "微软与开放人工智能达成新的合作协议"
SUMMARY = "据中国媒体报道，双方将在未来三年内共同建设数据中心，并开放更多的模型能力给企业客户使用。"
CHINESE = f"""<?xml version="1.0" encoding="@"?>
<rss version="2.0"><channel><title>示例新闻</title><link>https://example.com/</link>
<item><title>{TITLE}</title><link>https://example.com/1</link><guid>https://example.com/1</guid>
<pubDate>2026/06/20 03:54</pubDate><description>{SUMMARY}</description></item>
</channel></rss>"""

RSS = b"""<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>Example &amp; Sons</title><link>https://example.com/</link><description>d</description>
<language>en-us</language>
<item>
  <title>Microsoft and <![CDATA[<b>OpenAI</b>]]></title>
  <link>https://example.com/1?a=1&amp;b=2</link>
  <guid isPermaLink="false">one</guid>
  <pubDate>Sat, 20 Jun 2026 03:54:00 +0800</pubDate>
  <description>&lt;p&gt;Short&lt;/p&gt;</description>
  <content:encoded><![CDATA[<p>Much longer text</p>]]></content:encoded>
  <source url="https://wire.example/feed">Example Wire</source>
</item>
<item><title>Second</title><link>https://example.com/2</link><guid>https://example.com/2</guid></item>
<item><title>Third</title><link>https://example.com/3</link><guid>https://example.com/3</guid></item>
</channel></rss>"""

RSS_091 = b"""<?xml version="1.0"?>
<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/rss-0.91.dtd">
<rss version="0.91"><channel><title>Old</title><link>https://example.com/</link><language>en</language>
<item><title>First</title><link>https://example.com/1</link><description>Words</description></item>
</channel></rss>"""

ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="zh-CN"><title>Atom 新闻</title><id>tag:example.com,2026:feed</id>
<entry>
  <id>tag:example.com,2026:1</id><title type="html">&lt;em&gt;微软&lt;/em&gt;</title>
  <link rel="enclosure" href="https://example.com/1.mp3"/><link href="https://example.com/1"/>
  <published>2026-06-19T03:54:00Z</published><updated>2026-06-20T03:54:00+08:00</updated>
  <summary>Short</summary><content type="html">&lt;p&gt;Long&lt;/p&gt;</content>
  <source><title>Example Wire</title></source>
</entry>
<entry xml:lang="en"><id>tag:example.com,2026:2</id><title>Second</title><link href="https://example.com/2"/>
  <updated>2026-06-20T03:54:00Z</updated></entry>
</feed>""".encode()

RDF = b"""<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel rdf:about="https://example.com/"><title>RDF news</title><link>https://example.com/</link></channel>
<item rdf:about="https://example.com/1"><title>First</title><link>https://example.com/1</link>
<dc:date>2026-06-20T03:54:00+08:00</dc:date><description>Words</description></item>
</rdf:RDF>"""


def read(body: bytes, content_type: str = "") -> Parsed:
    """A document that must be readable, and storable."""
    result = parse(body, {"content-type": content_type} if content_type else {})
    assert isinstance(result, Parsed), result
    for text in (result.title, result.language, *(value for e in result.entries for value in texts(e))):
        text.encode()
    return result


def texts(entry: Entry) -> tuple[str, ...]:
    """All texts of an entry."""
    return (
        entry.id, entry.link, entry.title, entry.summary, entry.content, entry.published, entry.source, entry.language
    )  # fmt: skip


def refuse(body: bytes, content_type: str = "") -> str:
    """Why a document is no feed."""
    result = parse(body, {"content-type": content_type} if content_type else {})
    assert isinstance(result, Failure), result
    return result.reason


def chinese(encoding: str, declared: str) -> bytes:
    """The Chinese sample in one encoding, declared as another (or the same)."""
    return CHINESE.replace("@", declared).encode(encoding)


def with_item(inside: str) -> bytes:
    """A feed with one item that has this inside it, and a sound one after it."""
    return (
        f"{DECLARATION.decode()}<rss version='2.0'><channel><title>C</title>"
        f"<item><guid>1</guid><link>https://example.com/1</link>{inside}</item>"
        "<item><guid>2</guid><link>https://example.com/2</link><title>Sound</title></item></channel></rss>"
    ).encode()


# ---------------------------------------------------------------- formats


def test_rss_2_is_read_with_all_its_parts() -> None:
    """Markup and dates stay as they are written: cleaning is for later."""
    feed = read(RSS, "application/rss+xml")
    assert (feed.title, feed.language, feed.version) == ("Example & Sons", "en-us", "rss20")
    assert [entry.id for entry in feed.entries] == ["one", "https://example.com/2", "https://example.com/3"]
    first = feed.entries[0]
    assert (first.title, first.link) == ("Microsoft and <b>OpenAI</b>", "https://example.com/1?a=1&b=2")
    assert (first.summary, first.content) == ("<p>Short</p>", "<p>Much longer text</p>")
    assert first.published == "Sat, 20 Jun 2026 03:54:00 +0800"
    assert first.published_utc == datetime(2026, 6, 19, 19, 54, tzinfo=UTC)
    assert first.source == "Example Wire"


def test_rss_091_is_read() -> None:
    """The oldest format has neither ids nor dates."""
    feed = read(RSS_091, "text/xml")
    assert (feed.title, feed.language) == ("Old", "en")
    [entry] = feed.entries
    assert (entry.id, entry.link, entry.title, entry.summary) == ("", "https://example.com/1", "First", "Words")
    assert (entry.published, entry.published_utc) == ("", None)


def test_atom_is_read_with_its_own_dates_and_languages() -> None:
    """An entry's link is not its enclosure, its date not its last correction, its language perhaps its own."""
    feed = read(ATOM, "application/atom+xml")
    assert (feed.title, feed.language, feed.version) == ("Atom 新闻", "zh-CN", "atom10")
    first, second = feed.entries
    assert (first.id, first.link) == ("tag:example.com,2026:1", "https://example.com/1")
    assert (first.title, first.summary, first.content) == ("<em>微软</em>", "Short", "<p>Long</p>")
    assert (first.published, first.source, first.language) == ("2026-06-19T03:54:00Z", "Example Wire", "zh-CN")
    assert (second.published, second.language) == ("2026-06-20T03:54:00Z", "en")


def test_rdf_is_read() -> None:
    """RSS 1.0 names its items by address and dates them with Dublin Core."""
    feed = read(RDF, "application/rdf+xml")
    assert feed.title == "RDF news"
    [entry] = feed.entries
    assert (entry.id, entry.title, entry.summary) == ("https://example.com/1", "First", "Words")
    assert entry.published == "2026-06-20T03:54:00+08:00"


def test_a_feed_without_items_is_a_feed() -> None:
    """An empty channel is no error."""
    assert read(b"<rss version='2.0'><channel><title>Quiet</title></channel></rss>").entries == ()


def test_a_wrong_content_type_does_not_matter() -> None:
    """Feeds come as text/html and text/plain from careless servers."""
    for kind in ("text/html; charset=utf-8", "text/plain", "application/octet-stream", "nonsense", "a/b; charset=zz"):
        assert [entry.title for entry in read(RSS, kind).entries][1:] == ["Second", "Third"]


def test_a_relative_id_does_not_depend_on_where_the_feed_was_found() -> None:
    """Otherwise each move of a feed would make all of its items new."""
    body = with_item("<title>T</title>").replace(b"<guid>1<", b"<guid>/news/1<")
    headers = {"content-type": "text/xml", "content-location": "https://moved.example/feed"}
    result = parse(body, headers)
    assert isinstance(result, Parsed)
    assert result.entries[0].id == "/news/1"


@pytest.mark.parametrize("written", ["", " ", "garbage", "32.13.2026", "Sat, 99 Foo 2026 99:99:99 XYZ"])
def test_a_date_that_cannot_be_read_is_kept_as_written(written: str) -> None:
    """An item with a bad date is still an item."""
    entry = read(with_item(f"<title>T</title><pubDate>{written}</pubDate>")).entries[0]
    assert (entry.title, entry.published, entry.published_utc) == ("T", written.strip(), None)


def test_a_correction_dates_an_item_that_has_no_other_date() -> None:
    """Atom entries may have `updated` alone."""
    body = b"""<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id><title>T</title>
    <updated>2026-06-20T03:54:00Z</updated></entry></feed>"""
    [entry] = read(body).entries
    assert (entry.published, entry.published_utc) == ("2026-06-20T03:54:00Z", datetime(2026, 6, 20, 3, 54, tzinfo=UTC))


# ---------------------------------------------------------------- encodings


@pytest.mark.parametrize(
    ("encoding", "declared", "content_type"),
    [
        ("utf-8", "utf-8", "text/xml"),
        ("utf-8", "utf-8", "text/xml; charset=us-ascii"),
        ("gb2312", "gb2312", "text/xml"),
        ("gb2312", "gb2312", "application/xml"),
        ("gb18030", "gb18030", "text/xml"),
        ("gb2312", "utf-8", "text/xml; charset=gb2312"),
        ("gbk", "utf-8", "text/xml"),
        ("gbk", "utf-8", "text/xml; charset=utf-8"),
        ("gbk", "UTF-8", ""),
        ("utf-8-sig", "utf-8", "text/xml"),
        ("utf-8-sig", "gb2312", "text/xml"),
        ("utf-16", "utf-16", "application/xml"),
        ("utf-16", "utf-8", "application/xml"),
        ("utf-16-le", "utf-16", ""),
    ],
)
def test_chinese_is_read_whatever_the_server_says_of_its_encoding(
    encoding: str, declared: str, content_type: str
) -> None:
    """The characters are right where the declaration is, and where it is wrong."""
    feed = read(chinese(encoding, declared), content_type)
    assert feed.title == "示例新闻"
    [entry] = feed.entries
    assert (entry.title, entry.summary) == (TITLE, SUMMARY)


@pytest.mark.parametrize("name", ["no-such-encoding", "base64", "idna", "zlib", ""])
def test_an_encoding_that_is_none_does_not_lose_the_feed(name: str) -> None:
    """What is plainly UTF-8 is read as UTF-8, whatever is declared."""
    assert len(read(RSS.replace(b"utf-8", name.encode())).entries) == 3
    assert len(read(RSS, f"text/xml; charset={name}").entries) == 3


# ---------------------------------------------------------------- not a feed


@pytest.mark.parametrize("body", [b"", b" \r\n\t ", b"\n" * 10_000])
def test_an_empty_document_is_named(body: bytes) -> None:
    """A server that answers 200 with nothing has a fault of its own."""
    assert refuse(body, "text/xml") == "answered with an empty document"


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><html><head><title>Log in</title></head><body><p>Please</p></body></html>",
        b"\n<HTML><BODY>Sorry</BODY></HTML>",
        b"<!-- cache --><!doctype HTML><title>Just a moment...</title>",
    ],
)
def test_a_web_page_is_named(body: bytes) -> None:
    """A login or challenge page in place of the feed is the common fault."""
    assert refuse(body, "text/html") == "answered with a web page, not a feed"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"status": "moved"}', "application/json"),
        (b"<?xml version='1.0'?><sitemapindex><sitemap/></sitemapindex>", "text/xml"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"Not here.", "text/plain; charset=utf-8"),
    ],
)
def test_something_else_is_named_by_its_type(body: bytes, kind: str) -> None:
    """The reader learns what came in place of a feed."""
    assert refuse(body, kind) == f"answered with something that is not a feed ({kind.split(';')[0]})"


# ---------------------------------------------------------------- ill-formed


@pytest.mark.parametrize("end", [b"Third</title>", b"<item><title>Third", b"example.com/3</link>", b"</channel>"])
def test_a_feed_that_breaks_off_keeps_its_entries(end: bytes) -> None:
    """What was whole before the break is read."""
    cut = RSS[: RSS.index(end)]
    assert [entry.id for entry in read(cut).entries][:2] == ["one", "https://example.com/2"]


@pytest.mark.parametrize(
    "title",
    [
        "AT&T and more",
        "a &nbsp;&eacute; b",
        "a &unknown; b",
        "a < b",
        "a <b>b",
        "a \x08\x0b b",
        "a </wrong> b",
    ],
)
def test_one_bad_title_does_not_lose_the_item(title: str) -> None:
    """Ill-formed feeds are read as far as they go."""
    feed = read(with_item(f"<title>{title}</title>"))
    assert feed.entries[0].id == "1"
    assert feed.entries[0].title.startswith("A" if title.startswith("A") else "a")


@pytest.mark.parametrize("reference", ["&#55357;", "&#xD83D;", "&#55357;&#56832;", "&#1114112;", "&#x110000;"])
def test_a_reference_to_no_character_does_not_lose_the_feed(reference: str) -> None:
    """Half an emoji in one title is one bad character, not a feed that cannot be read."""
    feed = read(with_item(f"<title>a {reference} b</title><description>c {reference} d</description>"))
    first, second = feed.entries
    assert first.title.startswith("a")
    assert first.title.endswith("b")
    assert second.title == "Sound"


@pytest.mark.parametrize("reference", [f"&#{'9' * 5000};", f"<![CDATA[&#{'9' * 5000};]]>"], ids=["plain", "cdata"])
def test_a_reference_of_thousands_of_digits_does_not_lose_the_feed(reference: str) -> None:
    """Python refuses to read such a number; the feed is still read."""
    assert [entry.id for entry in read(with_item(f"<title>a {reference} b</title>")).entries] == ["1", "2"]


# ---------------------------------------------------------------- hostile


def test_an_entity_bomb_is_harmless() -> None:
    """A billion laughs: a kilobyte that would unfold to gigabytes is not unfolded."""
    levels = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY l0 "lol">{levels}]>'.encode()
    began = process_time()
    result = parse(bomb + with_item("<title>&l9;</title><description>&l9;</description>").removeprefix(DECLARATION), {})
    assert process_time() - began < 5
    assert len(repr(result)) < 100_000


def test_an_entity_cannot_read_files() -> None:
    """An external entity stays closed."""
    start = b'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    assert "root:" not in repr(parse(start + with_item("<title>&x;</title>").removeprefix(DECLARATION), {}))


def test_text_that_names_a_file_is_text() -> None:
    """The parser is given bytes, never a name to open."""
    assert "not a feed" in refuse(b"/etc/passwd")
    assert "not a feed" in refuse(b"http://127.0.0.1:1/feed.xml")


# ---------------------------------------------------------------- anything at all

kinds = st.sampled_from(["", "text/xml", "text/html; charset=utf-8", "application/xml; charset=gb2312", "x; charset="])
samples = st.sampled_from([RSS, RSS_091, ATOM, RDF, chinese("gbk", "utf-8"), chinese("utf-16", "utf-16")])
pieces = st.sampled_from(
    [b"<", b">", b"&", b"&#", b";", b"&#55357;", b"]]>", b"<![CDATA[", b"<!--", b"<!DOCTYPE x [", b"<item>", b"\0"]
) | st.binary(max_size=4)


@STEADY
@given(st.binary(max_size=300), kinds)
def test_no_bytes_stop_the_worker(body: bytes, kind: str) -> None:
    """Whatever a server sends is a document or a failure."""
    assert isinstance(parse(body, {"content-type": kind}), Parsed | Failure)


@STEADY
@given(st.text(max_size=60), kinds)
def test_no_text_in_a_feed_stops_the_worker(text: str, kind: str) -> None:
    """Whatever stands in an item is an entry or a failure."""
    body = with_item(f"<title>{text}</title><pubDate>{text}</pubDate>".encode("utf-8", "ignore").decode())
    assert isinstance(parse(body, {"content-type": kind}), Parsed | Failure)


@STEADY
@given(samples, st.integers(min_value=0, max_value=2000))
def test_a_feed_can_break_off_anywhere(sample: bytes, end: int) -> None:
    """Every truncation is a document or a failure."""
    assert isinstance(parse(sample[:end], {}), Parsed | Failure)


@STEADY
@given(samples, st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 8), pieces), min_size=1, max_size=5))
def test_a_feed_can_be_damaged_anywhere(sample: bytes, damage: list[tuple[int, int, bytes]]) -> None:
    """Every damage is a document or a failure, and what is read can be stored."""
    body = sample
    for at, length, piece in damage:
        body = body[:at] + piece + body[at + length :]
    result = parse(body, {"content-type": "text/xml"})
    if isinstance(result, Parsed):
        for entry in result.entries:
            "".join(texts(entry)).encode()
