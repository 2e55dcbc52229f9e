"""The pages behind the links of a feed, read where `fulltext: true` asks for it and the site allows it.

What cannot be had leaves the feed's own summary.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

import structlog

from monitor.feeds import fulltext
from monitor.feeds.fetch import Fetcher, in_thread, user_agent
from monitor.model import Failure, Feed, Fetched

MOST = 20
"""So many pages a feed and round: a first sight must not read an archive."""
BUDGET = 60.0
"""So many seconds for all of them: what has not come by then is left, and the summary serves."""

log = structlog.get_logger()


async def read_pages(fetcher: Fetcher, feed: Feed, links: Sequence[str]) -> dict[str, str]:
    """Return the text behind each link, where there is one."""
    if not links:
        return {}
    if not fulltext.installed():
        log.warning("fulltext needs the extra of that name; summaries are judged", feed=feed.name or feed.address)
        return {}
    rules: dict[str, asyncio.Task[bytes | None]] = {}
    tasks = {asyncio.create_task(_read(fetcher, feed, link, rules)): link for link in list(dict.fromkeys(links))[:MOST]}
    try:
        done, late = await asyncio.wait(tasks, timeout=BUDGET)
        if late:
            log.info("pages not read in time", feed=feed.name or feed.address, pages=len(late))
        return {tasks[task]: text for task in done if (text := task.result())}
    finally:
        pending = [*tasks, *rules.values()]
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


async def _read(fetcher: Fetcher, feed: Feed, link: str, rules: dict[str, asyncio.Task[bytes | None]]) -> str:
    robots = await _robots(fetcher, feed, link, rules)
    if robots is None or not fulltext.allowed(robots, feed.user_agent or user_agent(), link):
        return ""
    page = await fetcher.page(link, feed)
    if not isinstance(page, Fetched):
        reason = page.reason if isinstance(page, Failure) else "not changed"
        log.info("page not read", feed=feed.name or feed.address, reason=reason)
        return ""
    # Where a link leads on to has rules too, and another site its own.
    if page.url != link:
        there = await _robots(fetcher, feed, page.url, rules)
        if there is None or not fulltext.allowed(there, feed.user_agent or user_agent(), page.url):
            return ""
    # Nobody waits for the thread: a page that is never read to its end must not keep the program from ending.
    text: str = await in_thread(lambda: fulltext.article(page.body, page.headers, page.url))
    return text


async def _robots(
    fetcher: Fetcher, feed: Feed, link: str, rules: dict[str, asyncio.Task[bytes | None]]
) -> bytes | None:
    """Return a site's robots.txt; empty where it has none, None where it cannot be known (RFC 9309, 2.3.1)."""
    site = _site(link)
    if site not in rules:
        rules[site] = asyncio.create_task(_ask_robots(fetcher, feed, site))
    return await rules[site]


async def _ask_robots(fetcher: Fetcher, feed: Feed, site: str) -> bytes | None:
    answer = await fetcher.page(f"{site}/robots.txt", feed)
    if isinstance(answer, Fetched):
        return answer.body
    reason = answer.reason if isinstance(answer, Failure) else ""
    return b"" if reason.startswith("HTTP 4") and not reason.startswith("HTTP 429") else None


def _site(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
