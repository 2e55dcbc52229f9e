"""The quick reader gives what feedparser gives, or nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.feeds import parse as parsing
from monitor.feeds import quick
from monitor.model import Entry, Failure, Parsed
from tests.builders import ROOT

STEADY = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FOLDER = Path(os.environ.get("MONITOR_TEST_FEEDS") or ROOT.parent / "shared" / "feeds" / "captured")


def slowly(body: bytes, kind: str = "") -> Parsed | Failure:
    """What feedparser alone makes of a document."""
    return parsing.with_feedparser(body, {"content-type": kind} if kind else {})


def rss(item: str, head: str = "<title>News</title>", declaration: str = '<?xml version="1.0"?>') -> bytes:
    """An RSS document of one item."""
    spaces = (
        "xmlns:content='http://purl.org/rss/1.0/modules/content/' xmlns:dc='http://purl.org/dc/elements/1.1/' "
        "xmlns:media='http://search.yahoo.com/mrss/' xmlns:atom='http://www.w3.org/2005/Atom' "
        "xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd'"
    )
    return f"{declaration}<rss version='2.0' {spaces}><channel>{head}<item>{item}</item></channel></rss>".encode()


def atom(entry: str, head: str = "<title>News</title>", attributes: str = "") -> bytes:
    """An Atom document of one entry."""
    return f"<feed xmlns='http://www.w3.org/2005/Atom' {attributes}>{head}<entry>{entry}</entry></feed>".encode()


PLAIN = {
    "all parts": rss(
        "<title>A &amp;amp; B</title><link>https://example.com/1?a=1&amp;b=2</link><guid isPermaLink='false'>n1</guid>"
        "<pubDate>Tue, 24 Nov 2026 05:00:00 +0800</pubDate><description><![CDATA[<p>One</p>]]></description>"
        "<content:encoded><![CDATA[<p>Two &lt;b&gt;</p>]]></content:encoded><dc:creator>Ann</dc:creator>"
        "<source url='https://s.example'>The Source</source><media:content url='x'><media:credit>c</media:credit>"
        "</media:content>"
    ),
    "the guid is the link": rss("<title>t</title><guid>https://example.com/1</guid>"),
    "an empty link": rss("<title>t</title><link/><guid>https://example.com/1</guid>"),
    "no text": rss("<title/><description/>"),
    "content alone": rss("<content:encoded>long</content:encoded><title>t</title>"),
    "content first": rss("<content:encoded>long</content:encoded><description>short</description>"),
    "Chinese": rss("<title>微软与 OpenAI：caf\u00e9</title><description>算力</description>"),
    "Latin-1 letters": rss("<title>caf\u00e9 \u00a0x</title>"),
    "encoded twice": rss("<title>cafÃ©</title>"),
    "whitespace": rss("<title>\n  a\n b </title><link> https://example.com/1 </link>"),
    "references": rss("<title>&#38;amp; &#x3c;b&gt; &lt;i&gt;</title><link>https://example.com/?a&amp;copy=1</link>"),
    "no items": b"<rss version='2.0'><channel><title>t</title><language>en-us</language></channel></rss>",
    "atom": atom(
        "<id>tag:1</id><title type='html'>A &lt;b&gt;b&lt;/b&gt;</title><updated>2026-11-24T05:00:00Z</updated>"
        "<published>2026-11-23T05:00:00.123+01:00</published><link href='https://example.com/1'/>"
        "<link rel='self' href='https://example.com/self'/><summary>s</summary>"
        "<content type='html' xml:base='https://example.com/'>long</content><author><name>Ann</name></author>",
        attributes="xml:lang='en-US'",
    ),
    "two alternates": atom("<link href='https://a.example/'/><link rel='alternate' href='https://b.example/'/>"),
    "an alternate of another type": atom("<id>x</id><link type='application/pdf' href='https://a.example/'/>"),
    "an id for a link": atom("<id>https://example.com/1</id><title>t</title>"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["", "text/xml", "application/rss+xml; charset=utf-8", "text/html"])
@pytest.mark.parametrize("body", PLAIN.values(), ids=PLAIN)
def test_the_plain_case_is_read_as_feedparser_reads_it(body: bytes, kind: str) -> None:
    """Every field of every entry, whatever the server says of it."""
    found = quick.read(body, kind)
    assert found is not None
    assert found == slowly(body, kind)


STRANGE = {
    "RSS 0.91": b"<rss version='0.91'><channel><title>t</title><item><title>i</title></item></channel></rss>",
    "RDF": b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'/>",
    "Atom 0.3": b"<feed version='0.3' xmlns='http://purl.org/atom/ns#'><entry><title>t</title></entry></feed>",
    "a document type": b"<!DOCTYPE rss>" + rss("<title>t</title>", declaration=""),
    "ill-formed": rss("<title>t</title>")[:-9],
    "an undeclared prefix": rss("<x:title>t</x:title>"),
    "markup in a title": rss("<title>a <b>b</b></title>"),
    "two titles": rss("<title>a</title><title>b</title>"),
    "another title": rss("<title>a</title><media:title>b</media:title>"),
    "another summary": rss("<description>a</description><itunes:summary>b</itunes:summary>"),
    "a picture's title": rss("<title>a</title><media:content><media:title>b</media:title></media:content>"),
    "a language": rss("<title xml:lang='de'>a</title>"),
    "another date": rss("<pubDate>24. November 2026</pubDate>"),
    "a date of the year 1": rss("<pubDate>Mon, 01 Jan 0001 00:00:00 GMT</pubDate>"),
    "a link that is repaired": rss("<link>https:///example.com/1</link>"),
    "Windows signs": rss("<title>a \x93b\x94 微</title>"),
    "xhtml": atom("<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>a</div></content>"),
    "base64": atom("<content type='application/octet-stream'>YQ==</content>"),
    "a source": atom("<source><title>s</title></source>"),
    "another encoding": rss("<title>t</title>", declaration='<?xml version="1.0" encoding="iso-8859-1"?>'),
    "an unknown element": rss("<title>t</title><body>b</body>"),
    "no feed": b"<html/>",
    "nothing": b"",
    "a bomb": b"<!DOCTYPE r [<!ENTITY a 'aaaa'>]>" + rss("<title>&a;</title>", declaration=""),
}  # fmt: skip


@pytest.mark.parametrize("body", STRANGE.values(), ids=STRANGE)
def test_what_is_not_plain_is_left_to_feedparser(body: bytes) -> None:
    """Nothing is given rather than something else."""
    assert quick.read(body) is None


def test_a_charset_of_escapes_leaves_it_to_feedparser() -> None:
    """Such bytes are ASCII too."""
    assert quick.read(rss("<title>t</title>"), "text/xml; charset=iso-2022-jp") is None


texts = st.text(
    st.one_of(
        st.sampled_from("ab &;<>\"'#x3amp\n\té\u00a0微软Ã©"),
        st.characters(exclude_categories=["Cs", "Cc"], max_codepoint=0x2FFFF),
    ),
    max_size=30,
)
dates = st.datetimes(datetime(1996, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 (zones are drawn)
    lambda at: at.replace(microsecond=0)
)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@st.composite
def items(draw: st.DrawFn) -> str:
    """An RSS item of plain elements in any order, some left out."""
    at = draw(dates).replace(tzinfo=draw(zones | st.just(UTC)))
    parts = {
        "title": f"<title>{escape(draw(texts))}</title>",
        "link": f"<link>https://example.com/{escape(draw(texts))}</link>",
        "guid": f"<guid isPermaLink={quoteattr(draw(st.sampled_from(['true', 'false'])))}>{escape(draw(texts))}</guid>",
        "description": f"<description>{escape(draw(texts))}</description>",
        "cdata": f"<content:encoded><![CDATA[{draw(texts).replace(']]>', '')}]]></content:encoded>",
        "date": f"<pubDate>{format_datetime(at)}</pubDate>",
        "source": f"<source url='x'>{escape(draw(texts))}</source>",
    }
    return "".join(draw(st.permutations([part for name, part in parts.items() if draw(st.booleans())])))


@STEADY
@given(items(), st.sampled_from(["", "text/xml", "application/xml; charset=UTF-8"]))
def test_whatever_is_given_is_what_feedparser_gives(item: str, kind: str) -> None:
    """Over any texts, in any order."""
    body = rss(item)
    found = quick.read(body, kind)
    assert found is None or found == slowly(body, kind)


@STEADY
@given(texts, texts, texts, st.sampled_from(["text", "html"]), st.permutations(range(5)))
def test_whatever_is_given_of_atom_is_what_feedparser_gives(
    title: str, summary: str, link: str, kind: str, order: list[int]
) -> None:
    """The same for Atom."""
    parts = [
        f"<title type='{kind}'>{escape(title)}</title>",
        f"<summary type='{kind}'>{escape(summary)}</summary>",
        f"<content type='{kind}'>{escape(title + summary)}</content>",
        f"<link href={quoteattr('https://example.com/' + link)}/>",
        f"<id>{escape(link)}</id>",
    ]
    body = atom("".join(parts[number] for number in order))
    found = quick.read(body)
    assert found is None or found == slowly(body)


def squeezed(found: Parsed | Failure) -> list[Entry]:
    """The entries with long blanks as one: those that feedparser is given are, and `normalise` makes all so."""
    assert isinstance(found, Parsed)
    return [
        replace(entry, summary=" ".join(entry.summary.split()), content=" ".join(entry.content.split()))
        for entry in found.entries
    ]


def real() -> Iterator[Path]:
    """The real documents, where they are to be had."""
    if FOLDER.is_dir():
        yield from sorted(FOLDER.iterdir())


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no captured feeds in {FOLDER} (MONITOR_TEST_FEEDS)")
def test_real_feeds_are_read_as_feedparser_reads_them() -> None:
    """And half of them at least are plain."""
    plain = 0
    for path in real():
        body = path.read_bytes()
        found = quick.read(body, "text/xml")
        if found is not None:
            plain += 1
            assert squeezed(found) == squeezed(slowly(body, "text/xml")), path.name
    assert plain * 2 > len(list(real()))
