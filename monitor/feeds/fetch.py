"""The only module that speaks HTTP: conditional GET with bounds on time, size, redirects and where they lead.

A feed that cannot be had is a `Failure`, never an exception.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import urljoin, urlsplit
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from monitor import __version__
from monitor.errors import without_credentials
from monitor.feeds import politeness
from monitor.feeds.guard import Guard
from monitor.feeds.turns import Rule, Turn, Turns
from monitor.feeds.unpack import ACCEPTED, PackedError, unpacker
from monitor.model import (
    Failure,
    Feed,
    FeedState,
    Fetched,
    Manners,
    NotModified,
    Response,
    Trouble,
)

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/rdf+xml, application/feed+json, application/xml;q=0.9, "
    "text/xml;q=0.9, */*;q=0.1"
)
ACCEPT_PAGE = "text/html, application/xhtml+xml;q=0.9, */*;q=0.5"
MAX_BODY = 10 * 1024 * 1024
MAX_REDIRECTS = 5
PATIENCE = 3.0
"""Seconds after which a feed that has not answered makes room for another, and goes on beside it."""
LOOK = 0.2
"""Seconds between two looks whether to stop."""
LARGE, LARGE_AT_ONCE = 512 * 1024, 8
"""Bodies from this size on come in so many at a time: memory has an end too."""
LOOKUPS_AT_ONCE = 512  # more than feeds under way, so that look-ups that hang keep nobody waiting
KEPT = 128
"""While so many connections are open, no other is kept for a next request: the number of open files has an end."""
Lookup = Callable[..., list[tuple[Any, ...]]]
NOT_FOUND = "could not be reached: the host name was not found"
NOT_PUBLIC = "leads to an address that is not public"
REDIRECTS = {301, 302, 303, 307, 308}
PERMANENT = {301, 308}


def user_agent(contact: str = "") -> str:
    """Return who we say that we are (RFC 9110, 10.1.5), with the address of the person who runs us."""
    return f"rift-monitor/{__version__} (news monitor; feed reader{f'; +{contact}' if contact else ''})"


async def fetch_all(
    feeds: Iterable[tuple[Feed, FeedState]],
    stop: threading.Event | None = None,
    *,
    manners: Manners = Manners(),  # noqa: B008 (it is frozen)
    deadline: float | None = None,
) -> AsyncGenerator[tuple[Feed, Response], None]:
    """Ask feeds and yield each answer as it comes; see `Fetcher.answers`."""
    async with Fetcher(manners, deadline) as fetcher:
        async for answer in fetcher.answers(feeds, stop):
            yield answer


class Fetcher:
    """One round of asking: its connections, and whose turn it is.

    `deadline` (seconds) stands in for the feeds' own `timeout`. `lookup` finds the addresses of a name, as
    `socket.getaddrinfo` does.
    """

    def __init__(
        self,
        manners: Manners,
        deadline: float | None = None,
        *,
        patience: float = PATIENCE,
        lookup: Lookup = socket.getaddrinfo,
    ) -> None:
        """Raise ValueError when `manners.allow` cannot be read."""
        self._manners, self._deadline = manners, deadline
        self._patience, self._lookup = patience, lookup
        self._guard = Guard(manners.allow)
        self._agent = user_agent(manners.contact)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._turns: dict[str, tuple[asyncio.Lock, list[float]]] = {}

    async def __aenter__(self) -> Self:
        resolver = _GuardedResolver(self._guard, self._lookup)
        connector = _Connector(limit=0, resolver=resolver, socket_factory=resolver.socket)
        # No total here: a feed's own deadline stands around all its redirects together.
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def answers(
        self, feeds: Iterable[tuple[Feed, FeedState]], stop: threading.Event | None = None
    ) -> AsyncGenerator[tuple[Feed, Response], None]:
        """Ask feeds, some at a time and those of one host by turns, and yield each answer as it comes.

        A feed that is slow makes room for the next one. When `stop` is set, what is under way is dropped and the
        iteration ends; those feeds stay due. Not more is asked for than is taken: answers that wait take up room.
        """
        turns = Turns(feeds, lambda pair: host_of(pair[0].url), self._rule)
        loop = asyncio.get_running_loop()
        done: deque[tuple[Turn[tuple[Feed, FeedState]], Response]] = deque()
        tasks: set[asyncio.Task[None]] = set()
        wake = asyncio.Event()

        async def take(turn: Turn[tuple[Feed, FeedState]]) -> None:
            patience = loop.call_later(self._patience, give_way, turn)
            try:
                done.append((turn, await self.fetch(*turn.what)))
            except Exception as e:  # no thread to be had, no memory …: the feed fails, and its place is free again
                done.append((turn, Failure(f"could not be asked ({type(e).__name__}: {_first_line(e)})")))
            finally:
                patience.cancel()
                wake.set()

        def give_way(turn: Turn[tuple[Feed, FeedState]]) -> None:
            turns.give_way(turn)
            wake.set()

        try:
            while (turns.waiting or tasks or done) and not (stop and stop.is_set()):
                while turn := turns.next(loop.time()):
                    tasks.add(task := asyncio.create_task(take(turn)))
                    task.add_done_callback(tasks.discard)
                if not done:
                    wake.clear()
                    pause = turns.wait(loop.time())
                    with suppress(TimeoutError):
                        await asyncio.wait_for(wake.wait(), LOOK if pause is None else min(pause, LOOK))
                while done and not (stop and stop.is_set()):
                    turn, response = done.popleft()
                    turns.end(turn, loop.time())
                    yield turn.what[0], response
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _rule(self, host: str) -> Rule:
        """A host of one's own need not be spared: it has nobody else to serve."""
        return Rule(self._manners.per_host, 0.0 if self._is_own(host) else self._manners.spacing.total_seconds())

    def _is_own(self, host: str) -> bool:
        try:
            return self._guard.is_own(urlsplit(f"//{host}").hostname or "")
        except ValueError:
            return False

    async def fetch(self, feed: Feed, state: FeedState) -> Response:
        """Ask one feed and name what came of it."""
        began = time.monotonic()
        deadline = self._deadline or feed.timeout.total_seconds()

        def failed(
            reason: str, retry_after: timedelta | None = None, trouble: Trouble = Trouble.FAILING, status: int = 0
        ) -> Failure:
            return Failure(_sound(without_credentials(reason)), retry_after, time.monotonic() - began, trouble, status)

        try:
            async with asyncio.timeout(deadline):
                return await self._ask(feed, state, began)
        except TimeoutError:
            return failed(f"no complete answer within {deadline:g} s")
        except _RefusedError as e:
            return failed(str(e), e.retry_after, e.trouble, e.status)
        except PackedError as e:
            return failed(f"the answer could not be decompressed: {_first_line(e)}")
        except (aiohttp.ClientError, OSError, ValueError, ArithmeticError, AttributeError, TypeError) as e:
            return failed(_in_words(e))

    async def page(self, url: str, feed: Feed) -> Response:
        """Ask for a page that a feed links to, with the same bounds and manners, and the pages of its host by turns."""
        async with self._turn(host_of(url)):
            page = Feed(url, user_agent=feed.user_agent, headers=(("Accept", ACCEPT_PAGE),), timeout=feed.timeout)
            return await self.fetch(page, FeedState(url))

    @asynccontextmanager
    async def _turn(self, host: str) -> AsyncIterator[None]:
        lock, times = self._turns.setdefault(host, (asyncio.Lock(), [0.0]))
        async with lock:
            wait = times[0] + self._manners.spacing.total_seconds() - time.monotonic()
            if wait > 0 and not self._is_own(host):
                await asyncio.sleep(wait)
            try:
                yield
            finally:
                times[0] = time.monotonic()

    async def _ask(self, feed: Feed, state: FeedState, began: float) -> Response:
        url = politeness.address(feed, state)
        moved, permanent = (url if url != feed.url else ""), True
        for _ in range(MAX_REDIRECTS + 1):
            self._refuse_literal(url)
            # `allow_redirects=False`: each hop is bounded and checked here.
            async with self._session.get(url, headers=self._headers(feed, state, url), allow_redirects=False) as answer:
                if answer.status in REDIRECTS and "Location" in answer.headers:
                    url = _next_hop(url, answer.headers["Location"])
                    permanent = permanent and answer.status in PERMANENT
                    moved = url if permanent else moved
                    continue
                headers = {name.lower(): _sound(value) for name, value in answer.headers.items()}
                if answer.status == HTTPStatus.NOT_MODIFIED and (state.etag or state.last_modified):
                    return NotModified(time.monotonic() - began, headers, moved)
                if answer.status != HTTPStatus.OK:
                    gone = answer.status == HTTPStatus.GONE and permanent
                    raise _RefusedError(
                        _status_in_words(answer.status),
                        _retry_after(answer.headers),
                        Trouble.GONE if gone else Trouble.FAILING,
                        answer.status,
                    )
                body = await self._body(answer)
                return Fetched(url, body, headers, time.monotonic() - began, moved)
        raise _RefusedError(f"more than {MAX_REDIRECTS} redirects")

    def _headers(self, feed: Feed, state: FeedState, url: str) -> dict[str, str]:
        headers = {"User-Agent": feed.user_agent or self._agent, "Accept": ACCEPT, "Accept-Encoding": ACCEPTED}
        if state.etag:
            headers["If-None-Match"] = state.etag
        if state.last_modified:
            headers["If-Modified-Since"] = state.last_modified
        if _origin(url) == _origin(feed.url):  # a key for one server is no other's affair
            headers.update(feed.headers)
        return headers

    def _refuse_literal(self, url: str) -> None:
        """Refuse an address written in digits; names are judged when they are looked up."""
        host = (urlsplit(url).hostname or "").rstrip(".")
        if ":" in host or host.replace(".", "").isdigit():
            try:
                socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host.partition("%")[0])
            except (ValueError, OSError):
                return  # 2130706433 or 0177.0.0.1: no address that aiohttp takes
            if not self._guard.allows(host):
                raise _GuardError(host)

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes:
        parts, size, raw = [], 0, 0
        unpack = unpacker(answer.headers.get("Content-Encoding", ""))
        async with AsyncExitStack() as stack:
            large = False
            # Counted after decompression, so that a small bomb stops early too.
            async for packed in answer.content.iter_chunked(64 * 1024):
                part = unpack(packed, MAX_BODY - size)
                size += len(part)
                raw += len(packed)
                if max(size, raw) > MAX_BODY:
                    raise _RefusedError(f"larger than {MAX_BODY // 2**20} MiB")
                if size > LARGE and not large:
                    large = True
                    await stack.enter_async_context(self._large)
                parts.append(part)
        unpack.end()
        return b"".join(parts)


class _Connector(aiohttp.TCPConnector):
    """Uses a connection again only while nothing has come over it unasked, and keeps few for that.

    What a server sends after an answer would be taken for the answer to the next request, which is another feed's.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._used: WeakSet[Any] = WeakSet()

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None or protocol not in self._used:
                if protocol is not None:
                    self._used.add(protocol)
                    if sum(one.is_connected() for one in self._used) > KEPT:
                        protocol.force_close()
                return connection
            if not (protocol.should_close or _readable(protocol.transport)):
                return connection
            connection.close()


def _readable(transport: asyncio.Transport | None) -> bool:
    """Tell whether something has come, if only the end, that was not read yet."""
    found = transport.get_extra_info("socket") if transport else None
    if found is None or found.fileno() < 0 or not hasattr(select, "poll"):
        return False
    look = select.poll()
    look.register(found.fileno(), select.POLLIN)
    return bool(look.poll(0))


class _GuardedResolver(AbstractResolver):
    """Looks names up and leaves only addresses that may be asked; makes no socket for any other.

    In threads that nobody waits for: the system's look-up cannot be cut short, and where no name server answers the
    program could not end for half a minute.
    """

    def __init__(self, guard: Guard, lookup: Lookup) -> None:
        self._guard, self._lookup = guard, lookup
        self._named: set[str] = set()
        self._room = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        await self._room.acquire()
        found = await in_thread(lambda: self._lookup(host, port, family, socket.SOCK_STREAM), self._room.release)
        addresses = list(dict.fromkeys((kind, str(address[0])) for kind, _, _, _, address in found))
        fit = [(kind, address) for kind, address in addresses if self._guard.allows(address)]
        if self._guard.allows_name(host):
            # Of this name alone: another that leads to the same address is judged by itself.
            self._named.update(address for _, address in addresses)
            fit = addresses
        if not fit:
            raise _GuardError(addresses[0][1] if addresses else host)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in fit
        ]

    async def close(self) -> None:
        """Nothing is held."""

    def socket(self, info: Any) -> socket.socket:
        """Make the socket for one address: the last place where it can be refused, whatever led here."""
        family, kind, proto, _, address = info
        if not self._may(str(address[0])):
            raise _GuardError(str(address[0]))
        return socket.socket(family, kind, proto)

    def _may(self, address: str) -> bool:
        return address in self._named or self._guard.allows(address)


async def in_thread(call: Callable[[], Any], finished: Callable[[], object] = lambda: None) -> Any:
    """Await what `call` returns in a thread of its own; `finished` is called in the loop when the thread ends."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: Exception | None) -> None:
        finished()
        if future.done():
            return
        if error:
            future.set_exception(error)
        else:
            future.set_result(result)

    def work() -> None:
        result, error = None, None
        try:
            result = call()
        except Exception as e:  # whatever it is belongs to the one who asked
            error = e
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(settle, result, error)

    try:
        threading.Thread(target=work, daemon=True, name="lookup").start()
    except RuntimeError:
        finished()
        raise
    return await future


class _GuardError(OSError):
    """An address that may not be asked."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{NOT_PUBLIC}: {address} (if it is your own, name it under polling: allow)")


class _RefusedError(Exception):
    """An answer that is not a feed: why, and when to come back if the server said so."""

    def __init__(
        self,
        reason: str,
        retry_after: timedelta | None = None,
        trouble: Trouble = Trouble.FAILING,
        status: int = 0,
    ) -> None:
        super().__init__(reason)
        self.retry_after, self.trouble, self.status = retry_after, trouble, status


def host_of(url: str) -> str:
    """Return what is spared as one host: name and port, in small letters."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return url  # `fetch` says what is wrong with it


def _origin(url: str) -> tuple[str, str]:
    return urlsplit(url).scheme, host_of(url)


def _next_hop(url: str, location: str) -> str:
    target = urljoin(url, location)
    if urlsplit(target).scheme not in ("http", "https"):
        raise _RefusedError(f"redirects to something that is not http or https: {target[:200]}")
    return target


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
        case _GuardError():
            return str(e)
        case aiohttp.ClientConnectorError(os_error=_GuardError()):
            return str(e.os_error)
        case aiohttp.ClientConnectorCertificateError():
            return f"no secure connection: {_tls_fault(e.certificate_error)}"
        case aiohttp.ClientConnectorSSLError():
            return f"no secure connection: {_tls_fault(e.os_error)}"
        case ssl.SSLError():
            return f"no secure connection: {_tls_fault(e)}"
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return NOT_FOUND
        case aiohttp.ClientConnectorError():
            # asyncio writes its own words into `strerror`, address and all.
            cause = e.os_error
            return f"could not be reached: {os.strerror(cause.errno) if cause.errno else _first_line(cause)}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "the server closed the connection"
        case aiohttp.ClientPayloadError():
            return f"the answer broke off: {_http_fault(e.__cause__ or e)}"
        case aiohttp.ClientResponseError():
            return f"the answer is not sound HTTP: {_http_fault(e)}"
        case aiohttp.InvalidURL():
            return "the address cannot be used"
    return f"{type(e).__name__}: {_first_line(e)}"


def _tls_fault(e: BaseException) -> str:
    """Say what OpenSSL says, without the place in its source: `certificate has expired`, `wrong version number`."""
    words = getattr(e, "verify_message", "") or (getattr(e, "reason", "") or "").replace("_", " ").lower()
    return str(words).rstrip(".") or _first_line(e)


def _http_fault(e: BaseException) -> str:
    """Say in a line what aiohttp's parser found; below that it shows where, and `str()` puts a status before it."""
    message = getattr(e, "message", "") or _first_line(e)
    return str(message).partition("\n")[0].rstrip(":.")[:120]


def _first_line(e: BaseException) -> str:
    return (str(e).splitlines() or [type(e).__name__])[0][:200]
