"""The only module that speaks HTTP: conditional GET with bounds on time, size and redirects.

A feed that cannot be had is a `Failure`, never an exception.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import aiohttp

from monitor import __version__
from monitor.model import Failure, Feed, FeedState, Fetched, NotModified, Response

USER_AGENT = f"rift-monitor/{__version__} (news monitor; feed reader)"
ACCEPT = (
    "application/atom+xml, application/rss+xml, application/rdf+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"
)
MAX_BODY = 10 * 1024 * 1024
MAX_REDIRECTS = 5
DEADLINE = 30.0
AT_ONCE = 32
AT_ONCE_PER_HOST = 2
REDIRECTS = {301, 302, 303, 307, 308}


async def fetch_all(
    feeds: Iterable[tuple[Feed, FeedState]], stop: threading.Event | None = None, *, deadline: float = DEADLINE
) -> AsyncGenerator[tuple[Feed, Response], None]:
    """Ask all feeds at once and yield each answer as it comes.

    `deadline` bounds one feed's whole answer, in seconds, redirects included. When `stop` is
    set, what is under way is dropped and the iteration ends; those feeds stay due.
    """
    # Names are looked up in threads, of which a loop has few; where no name server answers, they would queue.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(AT_ONCE, "lookup"))
    # Hosts are rationed below, before a feed's deadline runs: feeds that redirect to one host must not wait in it.
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    # No total here: it would run while a request waits for a free connection.
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=True
    ) as session:
        slots = asyncio.Semaphore(AT_ONCE)
        hosts: dict[str, asyncio.Semaphore] = {}

        async def one(feed: Feed, state: FeedState) -> tuple[Feed, Response]:
            host = hosts.setdefault(_host(feed.url), asyncio.Semaphore(AT_ONCE_PER_HOST))
            async with host, slots:
                return feed, await fetch(session, feed, state, deadline=deadline)

        tasks = {asyncio.create_task(one(feed, state)) for feed, state in feeds}
        try:
            while tasks and not (stop and stop.is_set()):
                done, tasks = await asyncio.wait(tasks, timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return url  # `fetch` says what is wrong with it


async def fetch(
    session: aiohttp.ClientSession, feed: Feed, state: FeedState, *, deadline: float = DEADLINE
) -> Response:
    """Ask one feed and name what came of it."""
    began = time.monotonic()

    def failed(reason: str, retry_after: timedelta | None = None) -> Failure:
        return Failure(_sound(reason), retry_after, time.monotonic() - began)

    try:
        async with asyncio.timeout(deadline):
            return await _ask(session, feed, state, began)
    except TimeoutError:
        return failed(f"no complete answer within {deadline:g} s")
    except _RefusedError as e:
        return failed(str(e), e.retry_after)
    except (aiohttp.ClientError, OSError, ValueError, ArithmeticError, AttributeError, TypeError) as e:
        return failed(_in_words(e))


class _RefusedError(Exception):
    """An answer that is not a feed: why, and when to come back if the server said so."""

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


async def _ask(session: aiohttp.ClientSession, feed: Feed, state: FeedState, began: float) -> Response:
    url = feed.url
    for _ in range(MAX_REDIRECTS + 1):
        # `allow_redirects=False`: each hop is bounded and checked here.
        async with session.get(url, headers=_headers(feed, state), allow_redirects=False) as answer:
            if answer.status in REDIRECTS and "Location" in answer.headers:
                url = _next_hop(url, answer.headers["Location"])
                continue
            if answer.status == HTTPStatus.NOT_MODIFIED and (state.etag or state.last_modified):
                return NotModified(time.monotonic() - began)
            if answer.status != HTTPStatus.OK:
                raise _RefusedError(_status_in_words(answer.status), _retry_after(answer.headers))
            body = await _body(answer)
            headers = {name.lower(): _sound(value) for name, value in answer.headers.items()}
            return Fetched(url, body, headers, time.monotonic() - began)
    raise _RefusedError(f"more than {MAX_REDIRECTS} redirects")


def _headers(feed: Feed, state: FeedState) -> dict[str, str]:
    headers = {"User-Agent": feed.user_agent or USER_AGENT, "Accept": ACCEPT}
    if state.etag:
        headers["If-None-Match"] = state.etag
    if state.last_modified:
        headers["If-Modified-Since"] = state.last_modified
    return headers


def _next_hop(url: str, location: str) -> str:
    target = urljoin(url, location)
    if urlsplit(target).scheme not in ("http", "https"):
        raise _RefusedError(f"redirects to something that is not http or https: {target[:200]}")
    return target


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    # Counted after decompression, so that a small bomb stops early too.
    async for part in answer.content.iter_chunked(64 * 1024):
        size += len(part)
        if size > MAX_BODY:
            raise _RefusedError(f"larger than {MAX_BODY // 2**20} MiB")
        parts.append(part)
    return b"".join(parts)


def _sound(text: str) -> str:
    """Replace what is not text: aiohttp hands on stray bytes as lone surrogates, which no database takes."""
    return text.encode("utf-8", "replace").decode()


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Read Retry-After (RFC 9110, 10.2.3): seconds or an HTTP date."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return timedelta(seconds=int(value) if len(value) < 7 else 10**6)
    with suppress(ValueError, TypeError, OverflowError):
        at = parsedate_to_datetime(value)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(at - datetime.now(UTC), timedelta())
    return None


def _status_in_words(status: int) -> str:
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def _in_words(e: Exception) -> str:
    match e:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return f"no secure connection: {_first_line(e)}"
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return "could not be reached: the host name was not found"
        case aiohttp.ClientConnectorError():
            # asyncio writes its own words into `strerror`, address and all.
            cause = e.os_error
            return f"could not be reached: {os.strerror(cause.errno) if cause.errno else _first_line(cause)}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "the server closed the connection"
        case aiohttp.ClientPayloadError():
            return f"the answer broke off or could not be decompressed: {_first_line(e)}"
        case aiohttp.InvalidURL():
            return "the address cannot be used"
    return f"{type(e).__name__}: {_first_line(e)}"


def _first_line(e: BaseException) -> str:
    return (str(e).splitlines() or [type(e).__name__])[0][:200]
