"""Finding a site's feeds: what pages say, where feeds often are, and which of all that is a feed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import MonitorError
from monitor.feeds.discover import LARGEST_PAGE, Found, address_of, find, guesses, links_in
from monitor.model import Failure, Fetched
from tests.builders import feed_document

NEWEST = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
FEED = feed_document(["One", "Two"], NEWEST, "Example")
SITE = "https://site.example/news/today"


def urls(page: str, content_type: str = "text/html", base: str = SITE) -> list[str]:
    """The addresses that a page names."""
    return [found.url for found in links_in(page.encode(), content_type, base)]


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ('<link rel="alternate" type="application/rss+xml" href="/rss">', ["https://site.example/rss"]),
        (
            "<LINK REL=Alternate TYPE='Application/Atom+XML; charset=utf-8' HREF=atom>",
            ["https://site.example/news/atom"],
        ),
        ('<link href="//cdn.example/f" rel="home  alternate" type="text/xml"/>', ["https://cdn.example/f"]),
        ('<link rel="alternate" type="application/feed+json" href="?f=1&amp;g">', [f"{SITE}?f=1&g"]),
        ('<link rel=feed href="/plain">', ["https://site.example/plain"]),
        (
            '<base href="/b/"><base href="/c/"><link rel=alternate type=application/rdf+xml href=x>',
            ["https://site.example/b/x"],
        ),
        ('<link rel="alternate" hreflang="zh" href="/zh"><link rel=stylesheet type=text/xml href=/s>', []),
        ('<link rel="alternate" type="application/rss+xml"><link rel=alternate type=text/xml href="javascript:x">', []),
        ('<link rel=alternate type=application/json href="/wp-json/1">', []),
        ('<!-- <link rel=feed href=/a> --><script>"<link rel=feed href=/b>"</script>', []),
        ('<a href="/rss.xml">RSS</a><a href="/about">us</a>', ["https://site.example/rss.xml"]),
        (
            '<a href="/feed/">x</a><link rel=feed href="/last">',
            ["https://site.example/last", "https://site.example/feed/"],
        ),
        ('<a href="/?feed=rss2#top">x</a>', ["https://site.example/?feed=rss2"]),
        ('<a href="https://feeds.example.org/paper">x</a>', ["https://feeds.example.org/paper"]),
        ('<a href="https://feedly.com/i/subscription/feed/https://site.example/">x</a>', []),
        (
            '<link rel=feed title="Comments" href="/comments/feed/"><link rel=feed href="/feed/"><a href="/feed/">',
            ["https://site.example/feed/", "https://site.example/comments/feed/"],
        ),
        ('<link rel=feed href="/a"><![bad[<link rel=feed href="/b">', ["https://site.example/a"]),
        ('<link rel=feed href="http://[bad"><link rel=feed href="/a b">', ["https://site.example/a%20b"]),
        ("", []),
    ],
)
def test_what_a_page_names(page: str, expected: list[str]) -> None:
    """Declared feeds first, then links that look like one; comments' feeds after the others."""
    assert urls(page) == expected


@pytest.mark.parametrize(
    ("page", "content_type"),
    [
        ('<link rel=feed href=/a title="新闻">'.encode("gb18030"), "text/html; charset=GB18030"),
        ('<meta charset="gbk"><link rel=feed href=/a title="新闻">'.encode("gbk"), "text/html"),
        ('<link rel=feed href=/a title="新闻">'.encode(), "text/html; charset=hex"),
        ('<link rel=feed href=/a title="新闻">'.encode("utf-16"), ""),
    ],
)
def test_titles_are_read_in_the_encoding_of_the_page(page: bytes, content_type: str) -> None:
    """As the server, the page or its first bytes say."""
    assert links_in(page, content_type, SITE) == [Found("https://site.example/a", "新闻")]


@given(
    st.lists(st.sampled_from(["<", "<a ", "href=", "/rss", ">", "<!", "--", "<![", "]", "'", "&#", "x", "\0", "</"]))
)
def test_no_page_is_too_broken(parts: list[str]) -> None:
    """Whatever stands there, at worst nothing is found."""
    assert all(url.startswith("https://site.example/") for url in urls("".join(parts)))


def test_a_page_is_read_up_to_a_bound() -> None:
    """Feeds are named at its head."""
    link = "<link rel=feed href=/a>"
    assert urls(link + " " * LARGEST_PAGE + "<link rel=feed href=/b>") == ["https://site.example/a"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("example.com", "https://example.com"),
        (" example.com/news#top ", "https://example.com/news"),
        ("//example.com", "https://example.com"),
        ("HTTP://example.com:8080/", "http://example.com:8080/"),
        ("例子.example", "https://例子.example"),
    ],
)
def test_a_site_is_understood_as_it_is_typed(typed: str, meant: str) -> None:
    """With or without a scheme."""
    assert address_of(typed) == meant


@pytest.mark.parametrize("typed", ["", "two words", "ftp://example.com", "https://", "example.com:port", "http://[x"])
def test_what_is_no_site_is_one_line(typed: str) -> None:
    """With an example."""
    with pytest.raises(MonitorError, match=r"is not a web address; write it like example\.com or https://"):
        address_of(typed)


def test_guesses_begin_below_the_given_path() -> None:
    """Then come those at the root, each once; a page stands for its folder."""
    at_root = guesses("example.com")
    assert at_root[0] == "https://example.com/feed"
    assert {"https://example.com/rss.xml", "https://example.com/blog/feed"} <= set(at_root)
    below = guesses("https://example.com/blog/index.html")
    assert below[0] == "https://example.com/blog/feed"
    assert below.index("https://example.com/blog/rss") < below.index("https://example.com/rss")
    assert below[-1] == at_root[-1]
    assert len(below) == len(set(below))


# ---------------------------------------------------------------- a site


class Site:
    """Answers for addresses from memory, and remembers what was asked."""

    def __init__(self, pages: Mapping[str, bytes | str | Failure]) -> None:
        self.pages, self.asked = pages, list[str]()

    def __call__(self, wanted: Sequence[str]) -> Mapping[str, Fetched | Failure]:
        self.asked += wanted
        return {url: self.answer(url) for url in wanted}

    def answer(self, url: str) -> Fetched | Failure:
        page = self.pages.get(url, Failure("HTTP 404 Not Found"))
        if isinstance(page, str):
            page = page.encode()
        return page if isinstance(page, Failure) else Fetched(url, page, {"content-type": "text/html"}, 0.1)


def test_a_feed_is_found_where_it_is_given() -> None:
    """The address may be the feed itself; what it holds is told."""
    site = Site({"https://site.example/x": FEED})
    assert find("site.example/x", site) == [
        Found("https://site.example/x", "Example", version="rss20", entries=2, newest=NEWEST)
    ]
    assert site.asked == ["https://site.example/x"]


def test_links_are_followed_and_nothing_is_guessed() -> None:
    """A link that leads to no feed is left out, and a second address of the same document too."""
    other = FEED.replace(b"Example", b"Other")
    page = "".join(f'<link rel=feed href="/{name}">' for name in ("gone", "page", "a", "same", "b")) + "<a href=/rss>"
    site = Site(
        {
            "https://site.example": page,
            "https://site.example/page": "<html>",
            "https://site.example/a": FEED,
            "https://site.example/same": FEED,
            "https://site.example/b": other,
            "https://site.example/feed": FEED,
        }
    )
    found = find("site.example", site)
    assert [(feed.url, feed.title) for feed in found] == [
        ("https://site.example/a", "Example"),
        ("https://site.example/b", "Other"),
    ]
    assert "https://site.example/rss" not in site.asked
    assert "https://site.example/feed" not in site.asked


def test_what_only_looks_like_a_feed_is_asked_next_and_guesses_last() -> None:
    """Each only where the kinds before gave nothing."""
    linked = Site({"https://site.example": "<a href=/our.rss>", "https://site.example/our.rss": FEED})
    assert [(feed.url, feed.weak) for feed in find("site.example", linked)] == [("https://site.example/our.rss", True)]
    assert len(linked.asked) == 2
    silent = Site({"https://site.example/blog": "<html>", "https://site.example/blog/atom.xml": FEED})
    assert [feed.url for feed in find("site.example/blog", silent)] == ["https://site.example/blog/atom.xml"]
    assert find("site.example", Site({"https://site.example": "<html>"})) == []


def test_a_site_without_https_is_asked_in_plain() -> None:
    """Where no scheme was typed; what was typed is heeded."""
    down = Failure("could not be reached: Connection refused")
    site = Site({"https://site.example": down, "http://site.example": FEED})
    assert [feed.url for feed in find("site.example", site)] == ["http://site.example"]
    with pytest.raises(MonitorError, match=r"^https://site\.example: could not be reached: Connection refused; look"):
        find("https://site.example", site)


def test_a_page_that_is_refused_may_still_have_a_feed() -> None:
    """Firewalls let feeds through; where they do not, the refusal is told."""
    refused = Failure("HTTP 403 Forbidden")
    site = Site({"https://site.example": refused, "http://site.example": refused, "https://site.example/feed": FEED})
    assert [feed.url for feed in find("site.example", site)] == ["https://site.example/feed"]
    with pytest.raises(MonitorError, match=r"^https://site\.example: HTTP 403 Forbidden; look whether the address"):
        find("site.example", Site({"https://site.example": refused}))
