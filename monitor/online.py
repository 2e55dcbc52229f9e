"""`monitor check --online`: each feed is asked once, and what came of it is looked at. Nothing is stored or remembered.

Feeds are asked with the worker's manners, and for whole documents: no state goes along. The whole has an end, however
many feeds hang.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitor.errors import without_credentials
from monitor.feeds import politeness
from monitor.feeds.discover import links_in
from monitor.feeds.fetch import NOT_FOUND, NOT_PUBLIC, Fetcher, in_thread
from monitor.feeds.letters import letters_of
from monitor.feeds.normalise import date_fault, read_date
from monitor.feeds.parse import parse
from monitor.model import Entry, Failure, Feed, FeedState, Fetched, Item, Parsed, Response, Trouble
from monitor.taking import items_of, judge_all

if TYPE_CHECKING:
    from monitor.match.blend import Second
    from monitor.settings import Settings

LIMIT = 180.0
"""Seconds after which nothing more is waited for."""
READING = 30.0
"""Seconds for reading and judging one document."""
FORMATS = {
    "rss090": "RSS 0.90",
    "rss091n": "RSS 0.91",
    "rss091u": "RSS 0.91",
    "rss092": "RSS 0.92",
    "rss093": "RSS 0.93",
    "rss094": "RSS 0.94",
    "rss10": "RSS 1.0",
    "rss20": "RSS 2.0",
    "rss": "RSS",
    "atom01": "Atom 0.1",
    "atom02": "Atom 0.2",
    "atom03": "Atom 0.3",
    "atom10": "Atom 1.0",
    "atom": "Atom",
    "cdf": "CDF",
    "json1": "JSON Feed 1.0",
    "json11": "JSON Feed 1.1",
}
"""What feedparser's names of formats mean."""
_INSTEAD = {Trouble.PAGE: "no feed", Trouble.NOTHING: "nothing", Trouble.PLACEHOLDER: "placeholder"}
MOST_NAMED = 3
_EAST, _WEST = "Etc/GMT-5", "Etc/GMT+5"
_WRONG_ADDRESS = {404, 410}
_REFUSED = {403, 406}


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of asking one feed.

    `status` is that of HTTP, 0 where nothing answered; `failure` says in words why there is no feed. `lasting`: there
    will be none until feeds.yaml is changed. `hits` are the items that the present rules take; `size` is in bytes,
    unpacked.
    """

    feed: Feed
    status: int = 0
    failure: str = ""
    lasting: bool = False
    format: str = ""
    title: str = ""
    items: int = 0
    hits: int = 0
    newest: datetime | None = None
    encoding: str = ""
    size: int = 0
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """True where nothing of use came."""
        return bool(self.failure)


def ask(
    settings: Settings,
    second: Second | None,
    now: datetime,
    *,
    tell: Callable[[], object] = lambda: None,
    limit: float = LIMIT,
) -> list[Finding]:
    """Ask each enabled feed once, and return what came of each, in the order of the file.

    `tell` is called after each. What has not answered after `limit` seconds of waiting is counted as failed.
    """
    found: dict[str, Finding] = {}
    stop = threading.Event()

    async def run() -> None:
        asked = [(feed, FeedState(feed.url)) for feed in settings.enabled]
        end = _End(asyncio.get_running_loop(), stop, limit)
        async with Fetcher(settings.manners) as fetcher, aclosing(fetcher.answers(asked, stop)) as answers:
            async for feed, response in answers:
                with end.put_off():
                    found[feed.url] = await _looked_at(feed, response, settings, second, now)
                tell()
        end.timer.cancel()

    asyncio.run(run())
    late = f"no answer within {limit:g} s, in which this check ends"
    return [found.get(feed.url) or Finding(feed, failure=late) for feed in settings.enabled]


class _End:
    """Sets `stop` after so many seconds of waiting; while answers are read here, others are not late by that."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stop: threading.Event, limit: float) -> None:
        self._loop, self._stop = loop, stop
        self._read, self._since = 0.0, math.inf
        self.timer = loop.call_later(limit, self._come)

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Put it off for as long as this lasts."""
        self._since = self._loop.time()
        yield
        self._count()
        self._since = math.inf

    def _count(self) -> None:
        now = self._loop.time()
        self._read += max(now - self._since, 0.0)
        self._since = now

    def _come(self) -> None:
        if self._since < math.inf:
            self._count()
        if self._read:
            self.timer, self._read = self._loop.call_later(self._read, self._come), 0.0
        else:
            self._stop.set()


def exit_status(findings: Sequence[Finding]) -> int:
    """Return 3 where every feed failed, 1 where one failed that only an edit can mend, else 0."""
    if findings and all(one.failed for one in findings):
        return 3
    return int(any(one.lasting for one in findings))


async def _looked_at(
    feed: Feed, response: Response, settings: Settings, second: Second | None, now: datetime
) -> Finding:
    """Look at an answer in a thread: meanwhile other feeds are listened to, and it may take too long."""
    try:
        async with asyncio.timeout(READING):
            found: Finding = await in_thread(lambda: look(feed, response, settings, second, now))
            return found
    except TimeoutError:
        return Finding(feed, 200, f"could not be read within {READING:g} s", seconds=response.seconds)


def look(feed: Feed, response: Response, settings: Settings, second: Second | None, now: datetime) -> Finding:
    """Say what one answer is worth under these settings."""
    if not isinstance(response, Fetched):
        failure = (
            response if isinstance(response, Failure) else Failure("HTTP 304 Not Modified, which was not asked for")
        )
        return _failed(feed, failure, tuple(_advice(feed, failure)))
    parsed = parse(response.body, response.headers)
    if isinstance(parsed, Failure):
        remarks = (*_redirects(feed, response, is_feed=False), *_named_feeds(response, parsed))
        return _failed(feed, parsed, remarks, response)
    items = items_of(parsed, feed, now, None, response.url)
    unique = {item.key: item for item in reversed(items)}
    dated = [item.published for item in items if item.dated]
    newest = max(dated, default=None)
    kind = "" if parsed.version.startswith("json") else response.headers.get("content-type", "")
    remarks = (
        *_redirects(feed, response, is_feed=True),
        *_shape(parsed, items),
        *_dates(parsed.entries, feed, now),
        *_age(newest, settings.thresholds.stale, now),
        *_letters(response.body, kind),
        *_clock(response, now),
    )
    return Finding(
        feed,
        200,
        format=FORMATS.get(parsed.version, parsed.version) or "unknown",
        title=" ".join(parsed.title.split()),
        items=len(items),
        hits=sum(judged.verdict.covered for judged in judge_all(unique.values(), settings.rules, second)),
        newest=newest,
        encoding=letters_of(response.body, kind).name,
        size=len(response.body),
        seconds=response.seconds,
        remarks=remarks,
    )


# ---------------------------------------------------------------- what failed


def _failed(feed: Feed, failure: Failure, remarks: tuple[str, ...], response: Fetched | None = None) -> Finding:
    lasting = (
        failure.trouble in (Trouble.PAGE, Trouble.GONE)
        or failure.status in _WRONG_ADDRESS
        or failure.reason.startswith((NOT_FOUND, NOT_PUBLIC))
    )
    return Finding(
        feed,
        200 if response else failure.status,
        failure.reason,
        lasting,
        _INSTEAD.get(failure.trouble, ""),
        size=len(response.body) if response else 0,
        seconds=response.seconds if response else failure.seconds,
        remarks=remarks,
    )


def _advice(feed: Feed, failure: Failure) -> Iterator[str]:
    """Say what can be done about an answer that did not come."""
    host = urlsplit(feed.url).hostname or feed.address
    if failure.status in _WRONG_ADDRESS:
        yield f"nothing is there any more; monitor feeds find {host} shows what the site has instead"
    elif failure.status == 401:
        yield "wants a password or a key; see headers: in docs/feeds.md"
    elif failure.status in _REFUSED and feed.user_agent:
        yield "refuses this reader; it has a user_agent of its own here, try it without"
    elif failure.status in _REFUSED:
        yield "refuses this reader; some servers answer when the feed has the user_agent of a browser"
    elif failure.status == 429:
        yield "was asked too often, by us or by others of this network; that may pass"
    elif failure.reason.startswith(NOT_FOUND):
        yield f"look for a typing error in {host}"


def _named_feeds(response: Fetched, failure: Failure) -> Iterator[str]:
    """Name the feeds that a web page names, where one came in place of a feed."""
    if failure.trouble is not Trouble.PAGE:
        return
    links = links_in(response.body, response.headers.get("content-type", ""), response.url)
    links = [link for link in links if not link.weak] or links
    if links:
        more = f" and {len(links) - MOST_NAMED} more" if len(links) > MOST_NAMED else ""
        yield f"it names as its feed: {', '.join(_plain(link.url) for link in links[:MOST_NAMED])}{more}"
    else:
        yield f"it names no feed; monitor feeds find {urlsplit(response.url).hostname} looks further"


# ---------------------------------------------------------------- what answered and may not serve


def _redirects(feed: Feed, response: Fetched, *, is_feed: bool) -> Iterator[str]:
    """Say where a feed led: for good, then for now."""
    moved = response.moved if response.moved != feed.url else ""
    if moved and is_feed:
        yield f"has moved for good; write its new address: {_plain(moved)}"
    elif moved:
        yield f"leads for good to {_plain(moved)}"
    if response.url != (moved or feed.url):
        yield f"leads for now to {_plain(response.url)}"


def _plain(address: str) -> str:
    return without_credentials(address)


def _shape(parsed: Parsed, items: Sequence[Item]) -> Iterator[str]:
    """Say what is odd about a document and its entries as such."""
    if not parsed.sound:
        yield "is not well-formed; read as far as it goes"
    if not items:
        yield "has no items"
        return
    bare = sum(not entry.id for entry in parsed.entries)
    if bare:
        yield f"{_share(bare, len(items))} no id (guid): known by the link, and news again when that changes"
    shared = len(items) - len({item.key for item in items})
    if shared:
        yield f"{shared} of {len(items)} items have the id of another: told apart by their links"
    empty = sum(not (item.title or item.summary) for item in items)
    if empty:
        yield f"{_share(empty, len(items))} neither title nor text"


def _share(some: int, of_all: int) -> str:
    """Return the beginning of a sentence on some or all of the items, with its verb."""
    if of_all == 1:
        return "the only item has"
    if some == of_all:
        return f"all {of_all} items have"
    return f"{some} of {of_all} items {'has' if some == 1 else 'have'}"


def _dates(entries: Sequence[Entry], feed: Feed, now: datetime) -> Iterator[str]:
    """Say what is wrong with the dates of entries."""
    written = [entry for entry in entries if entry.published.strip()]
    if len(written) < len(entries):
        yield f"{_share(len(entries) - len(written), len(entries))} no date: news from when it is first seen"
    faults = [date_fault(entry.published, entry.published_utc, feed.timezone, now) for entry in written]
    for fault, words in (("future", "a date in the future"), ("unreadable", "a date that cannot be read")):
        wrong = [entry for entry, its in zip(written, faults, strict=True) if its == fault]
        if wrong:
            yield f"{_share(len(wrong), len(entries))} {words}, such as {_sample(wrong[0])}"
    zoneless = [] if feed.timezone else [entry for entry in written if _names_no_zone(entry)]
    if zoneless:
        yield (
            f"dates name no time zone, such as {_sample(zoneless[0])}: taken for UTC; "
            "give the feed its timezone:, like Asia/Shanghai"
        )


def _sample(entry: Entry) -> str:
    return f'"{" ".join(entry.published.split())[:40]}"'


def _names_no_zone(entry: Entry) -> bool:
    east, west = (read_date(entry.published, entry.published_utc, zone) for zone in (_EAST, _WEST))
    return east != west


def _age(newest: datetime | None, stale: timedelta, now: datetime) -> Iterator[str]:
    if newest and now - newest >= stale:
        yield f"has brought nothing since {newest:%Y-%m-%d}, {(now - newest).days} days: it may be frozen or have moved"


def _letters(body: bytes, content_type: str) -> Iterator[str]:
    letters = letters_of(body, content_type)
    if letters.false:
        says = f"says {letters.declared}" if letters.declared else "does not say how"
        yield f"{says} and is written in {letters.name}; read as such"
    if letters.unreadable:
        yield f"letters that are in no encoding stand in {letters.unreadable} places"


def _clock(response: Fetched, now: datetime) -> Iterator[str]:
    if politeness.clock_is_off(response.headers, now):
        yield f"its server's clock is off: it says {response.headers['date']}"
