"""One small document of every format that feeds are written in, and every encoding that they come in."""

from __future__ import annotations

import codecs
import json
from datetime import UTC, datetime

import pytest

from monitor.feeds.normalise import normalise
from monitor.feeds.parse import parse
from monitor.model import Failure, Feed, Parsed

NOW = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
WHEN = datetime(2026, 6, 20, 3, 54, tzinfo=UTC)
LINK = "https://example.com/1"
DC = "xmlns:dc='http://purl.org/dc/elements/1.1/'"
NETSCAPE = "-//Netscape Communications//DTD RSS 0.91//EN"
RDF = "xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'"
FIELDS = f"<title>First &amp; only</title><link>{LINK}</link><description>Words</description>"
DATE = "<pubDate>Sat, 20 Jun 2026 03:54:00 GMT</pubDate>"
JSON = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "Example",
    "language": "en",
    "items": [
        {"id": LINK, "url": LINK, "title": "First & only", "summary": "Words", "date_published": "2026-06-20T03:54:00Z"}
    ],
}

SAMPLES = {
    name: text.encode()
    for name, text in {
        "rss090": f"<?xml version='1.0'?><rdf:RDF {RDF} xmlns='http://my.netscape.com/rdf/simple/0.9/'>"
        f"<channel><title>Example</title><link>https://example.com/</link></channel><item>{FIELDS}</item></rdf:RDF>",
        "rss091n": f"<?xml version='1.0'?><!DOCTYPE rss PUBLIC '{NETSCAPE}' 'http://my.netscape.com/rss-0.91.dtd'>"
        f"<rss version='0.91'><channel><title>Example</title><item>{FIELDS}</item></channel></rss>",
        "rss092": f"<rss version='0.92'><channel><title>Example</title><item>{FIELDS}{DATE}</item></channel></rss>",
        "rss10": f"<?xml version='1.0'?><rdf:RDF {RDF} xmlns='http://purl.org/rss/1.0/' {DC}>"
        f"<channel rdf:about='https://example.com/'><title>Example</title></channel>"
        f"<item rdf:about='{LINK}'>{FIELDS}<dc:date>2026-06-20T03:54:00Z</dc:date></item></rdf:RDF>",
        "rss20": "<?xml version='1.0'?><rss version='2.0'><channel><title>Example</title>"
        f"<item>{FIELDS}<guid>{LINK}</guid>{DATE}</item></channel></rss>",
        "atom03": "<feed version='0.3' xmlns='http://purl.org/atom/ns#'><title>Example</title><entry>"
        f"<title>First &amp; only</title><link rel='alternate' type='text/html' href='{LINK}'/><id>{LINK}</id>"
        "<issued>2026-06-20T03:54:00Z</issued><summary>Words</summary></entry></feed>",
        "atom10": "<feed xmlns='http://www.w3.org/2005/Atom'><title>Example</title><entry>"
        f"<title>First &amp; only</title><link href='{LINK}'/><id>{LINK}</id>"
        "<updated>2026-06-20T03:54:00Z</updated><summary>Words</summary></entry></feed>",
        "cdf": "<?xml version='1.0'?><CHANNEL HREF='https://example.com/'><TITLE>Example</TITLE>"
        f"<ITEM HREF='{LINK}' LASTMOD='2026-06-20T03:54'><TITLE>First &amp; only</TITLE><ABSTRACT>Words</ABSTRACT>"
        "</ITEM></CHANNEL>",
        "json11": json.dumps(JSON),
    }.items()
}
UNDATED = {"rss090", "rss091n"}


def read(body: bytes, kind: str = "") -> Parsed:
    """A document that must be readable."""
    result = parse(body, {"content-type": kind} if kind else {})
    assert isinstance(result, Parsed), result
    return result


@pytest.mark.parametrize("name", SAMPLES)
def test_every_format_gives_title_link_name_and_date(name: str) -> None:
    """The oldest have no date, and no id but the link."""
    feed = read(SAMPLES[name])
    [entry] = feed.entries
    item = normalise(entry, Feed("https://example.com/f"), feed, now=NOW, last_ok=None)
    assert (feed.title, feed.version) == ("Example", "" if name == "cdf" else name)  # feedparser names none
    assert (item.title, item.link, item.key, item.summary) == ("First & only", LINK, LINK, "Words")
    assert (item.published, item.dated) == ((NOW, False) if name in UNDATED else (WHEN, True))


@pytest.mark.parametrize(
    ("inside", "summary"),
    [
        ("<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>One <b>two</b></div></content>", "One two"),
        ("<content type='html'>&lt;p&gt;One &lt;b&gt;two&lt;/b&gt;&lt;/p&gt;</content>", "One two"),
        ("<content type='text'>One &lt; two</content>", "One < two"),
        ("<summary>Short</summary><content>Long and longer</content>", "Short"),
        ("<media:description xmlns:media='http://search.yahoo.com/mrss/'>One two</media:description>", "One two"),
        ("<e:encoded xmlns:e='http://purl.org/rss/1.0/modules/content/'>&lt;p&gt;One</e:encoded>", "One"),
    ],
)
def test_an_entry_has_its_summary_wherever_it_stands(inside: str, summary: str) -> None:
    """Content stands in for a summary that is missing."""
    feed = read(f"<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>1</id>{inside}</entry></feed>".encode())
    [entry] = feed.entries
    assert normalise(entry, Feed("https://example.com/f"), feed, now=NOW, last_ok=None).summary == summary


# ---------------------------------------------------------------- JSON Feed


def test_a_json_feed_gives_what_it_has() -> None:
    """Plain text is escaped, for an entry's texts are markup; a number is an id; what is missing has a stand-in."""
    items = [
        {"id": 7, "external_url": LINK, "content_text": "a <b> & c", "date_modified": "2026-06-20T03:54:00Z"},
        {"id": "8", "title": None, "content_html": "<p>x</p>", "language": "zh", "authors": [{"name": "A"}]},
        "nothing",
    ]
    feed = read(json.dumps({**JSON, "version": "https://jsonfeed.org/version/1", "items": items}).encode())
    first, second = feed.entries
    assert (feed.version, feed.language) == ("json1", "en")
    assert (first.id, first.link, first.content, first.published) == (
        "7", LINK, "a &lt;b&gt; &amp; c", "2026-06-20T03:54:00Z",
    )  # fmt: skip
    assert (second.title, second.content, second.language) == ("", "<p>x</p>", "zh")


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_json_feed_is_read_in_every_encoding(codec: str) -> None:
    """Also those that JSON does not allow."""
    body = json.dumps({**JSON, "title": "示例新闻"}, ensure_ascii=False).encode(codec)
    assert read(body).title == "示例新闻"


def test_a_json_feed_that_breaks_off_keeps_its_items() -> None:
    """Item by item, as far as it goes."""
    body = json.dumps({**JSON, "items": [{"id": str(n), "title": "T"} for n in range(9)]}).encode()
    feed = read(body[: body.index(b'"5"') + 2])
    assert (feed.title, feed.version, [entry.id for entry in feed.entries]) == ("Example", "json11", list("01234"))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"version": "https://jsonfeed.org/version/1.1", "title": "x"}', "a JSON Feed that has no list of items"),
        ('{"version": "https://jsonfeed.org/version/1.1", "items": [{"id"', "a JSON Feed that cannot be read"),
        ('{"error": "no"}', "something that is not a feed"),
        ("{" * 100, "something that is not a feed"),
    ],
)
def test_json_that_is_no_feed_is_named(body: str, reason: str) -> None:
    """Broken, empty, or something else."""
    result = parse(body.encode(), {"content-type": "application/json"})
    assert isinstance(result, Failure)
    assert reason in result.reason


def test_json_without_a_version_is_a_feed_where_the_server_says_so() -> None:
    """The content type decides."""
    body = b'{"items": [{"id": "1"}]}'
    assert len(read(body, "application/feed+json; charset=utf-8").entries) == 1
    assert isinstance(parse(body, {"content-type": "application/json"}), Failure)


# ---------------------------------------------------------------- encodings

HAN = "微软与开放人工智能达成新的合作协议"
TRADITIONAL = "微軟與開放人工智慧達成新的合作協議"
JAPANESE = "マイクロソフトとオープンAIが新しい提携を発表した"
LATIN = "Café “Zürich” – naïve"
NOTICE = b"<br />\n<b>Warning</b>: x in <b>/a.php</b> on line <b>1</b><br />\n"
TYPES = [
    "", "text/xml", "application/rss+xml", "text/plain", "application/octet-stream", "text/html",
    "text/xml; charset=utf-8", "text/xml; charset=iso-8859-1",
]  # fmt: skip


def written(title: str, codec: str, declared: str | None = None) -> bytes:
    """A feed in one encoding, declared as another, or as none."""
    start = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    item = f"<item><guid>1</guid><title>{title}</title><description>{title * 3}</description></item>"
    return f"{start}\n<rss version='2.0'><channel><title>N</title>{item}</channel></rss>".encode(codec)


DOCUMENTS = {
    **{f"{codec} as {name}": (written(HAN, codec, name), HAN)
       for codec, name in [("gbk", "gbk"), ("gbk", "gb2312"), ("gbk", "utf-8"), ("gbk", None), ("utf-8", "gbk"),
                           ("utf-8", "iso-8859-1"), ("utf-8", "utf-16"), ("utf-8", None), ("utf-8-sig", "gbk")]},
    **{f"{codec} as {name}, {'with' if mark else 'no'} mark": (mark + written(HAN, codec, name), HAN)
       for codec, bom in [("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE),
                          ("utf-32-le", codecs.BOM_UTF32_LE), ("utf-32-be", codecs.BOM_UTF32_BE)]
       for mark in (b"", bom) for name in (codec[:6], "utf-8", None)},
    "gb18030": (written(HAN + "𠀀", "gb18030", "gb18030"), HAN + "𠀀"),
    "big5": (written(TRADITIONAL, "big5", "big5"), TRADITIONAL),
    "big5 as utf-8": (written(TRADITIONAL, "big5", "utf-8"), TRADITIONAL),
    "shift_jis": (written(JAPANESE, "shift_jis", "shift_jis"), JAPANESE),
    "shift_jis as utf-8": (written(JAPANESE, "shift_jis", "utf-8"), JAPANESE),
    "windows-1252": (written(LATIN, "cp1252", "windows-1252"), LATIN),
    "windows-1252 as latin-1": (written(LATIN, "cp1252", "iso-8859-1"), LATIN),
    "windows-1252 as utf-8": (written(LATIN, "cp1252", "utf-8"), LATIN),
    "a byte of windows-1252 in utf-8": (written(HAN + "@", "utf-8", "utf-8").replace(b"@", b"\x93"), HAN + "\ufffd"),
    "a mark in the middle": (written("\ufeff" + HAN, "utf-8", "utf-8"), "\ufeff" + HAN),
    "two marks": (codecs.BOM_UTF8 * 2 + written(HAN, "utf-8", "utf-8"), HAN),
    "blanks before": (b"\n\n " + written(HAN, "gbk", "gbk"), HAN),
    "a warning before": (NOTICE + written(HAN, "utf-8", "utf-8"), HAN),
    "a warning before gbk": (NOTICE + written(HAN, "gbk", "gbk"), HAN),
    "a comment before": (b"<!-- cached -->\n" + written(HAN, "utf-8", "utf-8"), HAN),
    "zeros": (b"\0" + written(HAN, "utf-8", "utf-8").replace(b"<guid>", b"<guid>\0"), HAN),
    "controls": (written(HAN + "\x08\x0b", "utf-8", "utf-8"), HAN),
}  # fmt: skip


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_titles_are_right_in_every_encoding(name: str, kind: str) -> None:
    """Whatever the document says of itself, and whatever its server says of it."""
    body, title = DOCUMENTS[name]
    assert [entry.title for entry in read(body, kind).entries] == [title]


def test_a_charset_that_only_the_server_names_is_read() -> None:
    """Where the document is silent; where both speak and neither is UTF-8, the document is right."""
    assert read(written(TRADITIONAL, "big5"), "text/xml; charset=big5").entries[0].title == TRADITIONAL
    assert read(written(HAN, "gbk", "gbk"), "text/xml; charset=big5").entries[0].title == HAN
