"""Where a site's feeds are: asked of the page itself, of its links, and only then guessed.

Nothing here asks the network: `find` is handed a function that gets addresses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from html.parser import HTMLParser
from itertools import islice
from urllib.parse import urljoin, urlsplit, urlunsplit

from monitor.errors import MonitorError
from monitor.feeds.parse import parse
from monitor.model import Failure, Fetched, Parsed

Get = Callable[[Sequence[str]], Mapping[str, Fetched | Failure]]
"""Asks addresses, all at once; an answer for each."""

LARGEST_PAGE = 2 * 1024 * 1024
MOST_CANDIDATES = 20
_FEED_TYPES = {
    "application/rss+xml",
    "application/atom+xml",
    "application/rdf+xml",
    "application/feed+json",
    "application/x-rss+xml",
    "text/rss+xml",
    "application/rss",
    "application/atom",
    "application/xml",
    "text/xml",
}
_FEED_PATH = re.compile(
    r"(?:^|/)(?:feeds?|rss\d?|atom|rdf)/?$|\.(?:rss|atom|rdf)$|(?:^|/)[\w.-]*(?:feed|rss|atom|index)[\w-]*\.xml$", re.I
)
_FEED_HOST = re.compile(r"^(?:feeds?|rss)\d?\.", re.I)
_FEED_QUERY = re.compile(r"(?:^|&)(?:feed|format|type)=(?:rss|atom|rdf)", re.I)
_PATHS = (
    "feed",
    "feed/",
    "rss",
    "rss.xml",
    "atom.xml",
    "index.xml",
    "feed.xml",
    "feed.json",
    "rss/index.xml",
    "index.rdf",
    "feeds/posts/default",
)
_ROOT_PATHS = (*_PATHS, "blog/feed", "blog/rss.xml", "news/feed", "news/rss.xml")


@dataclass(frozen=True, slots=True)
class Found:
    """A feed of a site, or a link that may be one.

    `weak`: it only looks like a feed. `version` is feedparser's name of the format, empty before it was read.
    """

    url: str
    title: str = ""
    weak: bool = False
    version: str = ""
    entries: int = 0
    newest: datetime | None = None
    language: str = ""


# ---------------------------------------------------------------- a page's links


def links_in(page: bytes, content_type: str, base: str) -> list[Found]:
    """Return what a page names as its feeds, then what among its links looks like one, each address once."""
    reader = _Reader(base)
    text = _decoded(page[:LARGEST_PAGE], content_type)
    # What it raises on broken declarations: what was found until then stays.
    with suppress(AssertionError, ValueError):
        # The parser starts over at each < of a row of them; a page made of them would take it minutes.
        reader.feed(re.sub(r"<(?=[<\s])", " ", text))
    unique: dict[str, Found] = {}
    for found in sorted(reader.found, key=lambda found: (found.weak, _of_comments(found))):
        unique.setdefault(found.url, found)
    return list(unique.values())


def _of_comments(found: Found) -> bool:
    """True for a feed of readers' comments, which blogs name beside their own."""
    return bool(re.search(r"/comments/|\bcomments?\b|评论", f"{found.url} {found.title}", re.I))


class _Reader(HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__(convert_charrefs=True)
        self.base, self.based = base, False
        self.found: list[Found] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a link up; the first of two attributes of one name counts, as in browsers."""
        if tag not in ("base", "link", "a"):
            return
        keys = {name: (value or "").strip() for name, value in reversed(attrs)}
        href = keys.get("href", "")
        if not href:
            return
        if tag == "base":
            if not self.based:
                self.base, self.based = _joined(self.base, href) or self.base, True
            return
        url = _joined(self.base, href)
        if url:
            self._take(tag, url, keys)

    def _take(self, tag: str, url: str, keys: Mapping[str, str]) -> None:
        rel = set(keys.get("rel", "").lower().split())
        kind = keys.get("type", "").split(";")[0].strip().lower()
        title = " ".join(keys.get("title", "").split())
        if tag == "link" and (("alternate" in rel and kind in _FEED_TYPES) or "feed" in rel):
            self.found.append(Found(url, title))
        elif tag == "a" and (kind in _FEED_TYPES or _looks_like_a_feed(url)):
            self.found.append(Found(url, title, weak=True))


def _joined(base: str, href: str) -> str:
    """Return the whole address without its fragment; empty where it is none of the web."""
    try:
        # Browsers drop line ends within an address.
        url = urljoin(base, re.sub(r"[\t\r\n]", "", href))
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        return urlunsplit(parts._replace(fragment="")).replace(" ", "%20") if good else ""
    except ValueError:
        return ""


def _looks_like_a_feed(url: str) -> bool:
    parts = urlsplit(url)
    return bool(
        _FEED_PATH.search(parts.path)
        or _FEED_QUERY.search(parts.query)
        or (_FEED_HOST.search(parts.hostname or "") and parts.path.strip("/"))
    )


def _decoded(page: bytes, content_type: str) -> str:
    declared = re.search(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)""", page[:4096], re.I)
    header = re.search(r"""charset\s*=\s*["']?\s*([\w.:-]+)""", content_type, re.I)
    names = [header[1] if header else "", declared[1].decode("ascii", "replace") if declared else "", "utf-8"]
    if page.startswith((b"\xff\xfe", b"\xfe\xff")):
        names.insert(0, "utf-16")
    for name in filter(None, names):
        with suppress(LookupError, ValueError):
            return page.decode(name, "replace")
    return page.decode("utf-8", "replace")


# ---------------------------------------------------------------- a site


def address_of(site: str) -> str:
    """Return the web address that somebody means who types `example.com`.

    Raises:
        MonitorError: it cannot be one.
    """
    site = site.strip()
    url = site if re.match(r"(?i)https?://", site) else f"https://{site.removeprefix('//')}"
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is none
        good = bool(parts.hostname) and not re.search(r"\s|://", url.split("://", 1)[1].split("?")[0])
    except ValueError:
        good = False
    if not good:
        raise MonitorError(f"{site!r} is not a web address; write it like example.com or https://example.com/news")
    return urlunsplit(parts._replace(scheme=parts.scheme.lower(), fragment=""))


def guesses(site: str) -> list[str]:
    """Return where feeds often are: below the given path, then at the root of the site.

    Raises:
        MonitorError: the site is no web address.
    """
    parts = urlsplit(address_of(site))
    root = f"{parts.scheme}://{parts.netloc}/"
    folder = parts.path.strip("/")
    if "." in folder.rsplit("/", 1)[-1]:  # a page: its folder
        folder = folder.rpartition("/")[0]
    below = [f"{root}{folder}/{path}" for path in _PATHS] if folder else []
    return list(dict.fromkeys([*below, *(root + path for path in _ROOT_PATHS)]))


def find(site: str, get: Get) -> list[Found]:
    """Return the feeds of a site that answer, the likeliest first: what it names, else what is linked, else guesses.

    Raises:
        MonitorError: the site is no web address, or does not answer.
    """
    url, page = _asked(site, get)
    if isinstance(page, Fetched):
        itself = _read(Found(url), page)
        if itself:
            return [itself]
        links = links_in(page.body, page.headers.get("content-type", ""), page.url)
        for weak in (False, True):
            feeds = _feeds_among(islice((found for found in links if found.weak == weak), MOST_CANDIDATES), get)
            if feeds:
                return feeds
        url = page.url  # where the site has moved to
    feeds = _feeds_among((Found(guess, weak=True) for guess in guesses(url)), get)
    if not feeds and isinstance(page, Failure):
        raise MonitorError(f"{url}: {page.reason}; look whether the address opens in a browser")
    return feeds


def _asked(site: str, get: Get) -> tuple[str, Fetched | Failure]:
    """Ask the page itself, where no scheme was typed over both.

    Raises:
        MonitorError: nothing answers, so that guesses would not be answered either.
    """
    url = address_of(site)
    page = get([url])[url]
    if isinstance(page, Failure) and not re.match(r"(?i)https?://", site.strip()):
        plain = f"http{url.removeprefix('https')}"
        second = get([plain])[plain]
        if isinstance(second, Fetched):
            return plain, second
    # A page that is refused (HTTP 403) may still have feeds that are not.
    if isinstance(page, Failure) and not page.reason.startswith("HTTP "):
        raise MonitorError(f"{url}: {page.reason}; look whether the address opens in a browser")
    return url, page


def _feeds_among(candidates: Iterable[Found], get: Get) -> list[Found]:
    """Return those that are feeds; of several addresses of one document the first."""
    named = {found.url: found for found in candidates}
    answers = get(list(named)) if named else {}
    return list(_distinct(named.values(), answers))


def _distinct(named: Iterable[Found], answers: Mapping[str, Fetched | Failure]) -> Iterator[Found]:
    seen: set[object] = set()
    for found in named:
        answer = answers.get(found.url)
        feed = _read(found, answer) if isinstance(answer, Fetched) else None
        if feed is None or not isinstance(answer, Fetched):
            continue
        marks = {answer.url, answer.body}
        if not marks & seen:
            yield feed
        seen |= marks


def _read(found: Found, answer: Fetched) -> Found | None:
    parsed = parse(answer.body, answer.headers)
    if not isinstance(parsed, Parsed) or not parsed.version:
        return None
    dates = [entry.published_utc for entry in parsed.entries if entry.published_utc]
    return replace(
        found,
        title=" ".join(parsed.title.split()) or found.title,
        version=parsed.version,
        entries=len(parsed.entries),
        newest=max(dates, default=None),
        language=parsed.language,
    )
