"""The feeds: real HTTP servers whose documents grow, their faults, and a record of what was published.

An item stays in its feed's document until the worker has asked with the ETag of a whole answer that held it. That is
the proof that it has read and kept it, and so the bound of what is promised: what left its feed before that may be
missed, as with every feed reader.
"""

from __future__ import annotations

import gzip
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.faults.clock import Clock
from tests.faults.moments import Moments

WINDOW = 8
"""So many of the latest items a feed shows at least."""
_IN_COURT = "Microsoft and OpenAI argue in court over {} that was agreed, says note {}"
HEADLINES = {
    "compute": _IN_COURT.format("the data centre", "{}"),
    "agi": _IN_COURT.format("the AGI clause", "{}"),
    "other": _IN_COURT.format("the contract", "{}"),
    "": "The city opens a new swimming pool, number {}",
}
"""By theme; the last is no hit. They differ in a number alone, so that no two are ever joined into one story."""


@dataclass(frozen=True, slots=True)
class Item:
    """What was published: `token` names it in headline and address, `theme` is empty for what is no hit."""

    token: str
    theme: str
    feed: str
    at: datetime
    fresh: bool = True
    """False: published where the promise does not reach; it may be told, but need not."""


@dataclass(slots=True)
class _Entry:
    token: str
    title: str
    guid: str
    date: datetime
    version: int


@dataclass
class Feed:
    """One feed: its entries, newest first, the version of its document, and the faults that its next answers have."""

    name: str
    etags: bool = True
    entries: list[_Entry] = field(default_factory=list)
    version: int = 1
    kept: int = 0
    """The latest version that the worker is known to have kept."""
    cut: set[int] = field(default_factory=set)
    """Versions that were once answered by half, under the ETag of the whole: theirs proves nothing."""
    hidden: bool = False
    """Its document shows no entries."""
    faults: list[str] = field(default_factory=list)
    asked: int = 0


class Newsroom:
    """Some feeds on one server. `published` is the record; `injected` counts the faults that were really answered."""

    def __init__(self, names: tuple[str, ...], clock: Clock, moments: Moments) -> None:
        self.feeds = {name: Feed(name, etags=not name.startswith("bare")) for name in names}
        self.published: list[Item] = []
        self.injected: list[str] = []
        self.clock, self.moments = clock, moments
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._server = self._opened(0)
        self.port = int(self._server.server_address[1])
        self._is_open = True

    def url(self, name: str) -> str:
        """The address of a feed."""
        return f"http://127.0.0.1:{self.port}/{name}.xml"

    def close(self) -> None:
        """End, and let go of whoever was left hanging."""
        self._closing.set()
        self.shut()

    def shut(self) -> None:
        """Refuse connections."""
        if self._is_open:
            self._is_open = False
            self._server.shutdown()
            self._server.server_close()

    def open(self) -> None:
        """Take connections again."""
        if not self._is_open:
            self._server, self._is_open = self._opened(self.port), True

    def _opened(self, port: int) -> ThreadingHTTPServer:
        server = _Server(("127.0.0.1", port), self._handler())
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server

    # ------------------------------------------------------------ what editors do

    def publish(self, name: str, theme: str, *, fresh: bool = True) -> Item:
        """Put one item on top of a feed."""
        with self._lock:
            feed, now = self.feeds[name], self.clock.now()
            token = f"ZQ{len(self.published) + 1:05}"
            self._changed(feed)
            feed.entries.insert(0, _Entry(token, HEADLINES[theme].format(token), token, now, feed.version))
            kept = [one for one in feed.entries[WINDOW:] if one.version > feed.kept or not feed.etags]
            feed.entries[WINDOW:] = kept
            item = Item(token, theme, name, now, fresh)
            self.published.append(item)
            return item

    def edit(self, name: str, how: str) -> None:
        """Change what a feed says of its items, as careless editors do; none of that is news."""
        with self._lock:
            feed = self.feeds[name]
            self._changed(feed)
            for entry in feed.entries:
                if how == "item edited":
                    entry.title = f"{entry.title.removesuffix(' again')} again"
                elif how == "item re-dated":
                    entry.date = self.clock.now()
                elif how == "id changed":
                    entry.guid = f"v{feed.version}-{entry.token}"
                elif how == "all at once":
                    entry.title = f"{entry.title.removesuffix(' again')} again"
                    entry.date, entry.guid = self.clock.now(), f"w{feed.version}-{entry.token}"
                entry.version = feed.version

    def empty(self, name: str, *, hidden: bool = True) -> None:
        """Take all entries out of the document, or put them back."""
        with self._lock:
            feed = self.feeds[name]
            self._changed(feed)
            feed.hidden = hidden
            for entry in feed.entries:
                entry.version = feed.version

    def break_next(self, name: str, fault: str, times: int = 1) -> None:
        """Answer the next requests for a feed with a fault of `FAULTS`, `` for a sound answer."""
        with self._lock:
            self.feeds[name].faults += [fault] * times

    def mend(self) -> None:
        """Forget all faults."""
        with self._lock:
            for feed in self.feeds.values():
                feed.faults.clear()
                if feed.hidden:
                    self.empty(feed.name, hidden=False)
        self.open()

    def _changed(self, feed: Feed) -> None:
        feed.version += 1

    # ------------------------------------------------------------ answering

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        room = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                with suppress(ConnectionError, TimeoutError):
                    room._answer(self)

            def date_time_string(self, timestamp: float | None = None) -> str:
                return format_datetime(room.clock.now(), usegmt=True)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
                """Say nothing."""

        return Handler

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.moments.saw("http asked")
        name = handler.path.split("/")[1].partition(".")[0]
        with self._lock:
            feed = self.feeds.get(name)
            if feed is None:
                _say(handler, 404, b"")
                return
            feed.asked += 1
            tag = handler.headers.get("If-None-Match", "").strip('"')
            if tag.isdecimal() and int(tag) not in feed.cut:
                feed.kept = max(feed.kept, int(tag))
            fault = feed.faults.pop(0) if feed.faults else ""
            if fault:
                self.injected.append(fault)
                if fault == "cut unseen":
                    feed.cut.add(feed.version)
            body, version = self._document(feed), feed.version
            unchanged = feed.etags and tag == str(version)
        if fault:
            FAULTS[fault](_Answer(handler, self._closing, body, version, feed.etags))
            return
        headers = {"ETag": f'"{version}"'} if feed.etags else {}
        if unchanged:
            _say(handler, 304, b"", headers)
        else:
            half = len(body) // 2
            _say(handler, 200, body[:half], headers, length=len(body))
            self.moments.saw("http half")
            handler.wfile.write(body[half:])
            handler.wfile.flush()
        self.moments.saw("http answered")

    def _document(self, feed: Feed) -> bytes:
        items = "".join(
            f"<item><title>{entry.title}</title><link>https://news.example.test/{entry.token}</link>"
            f"<guid isPermaLink='false'>{entry.guid}</guid><pubDate>{format_datetime(entry.date)}</pubDate>"
            f"<description>What it means that {entry.title}.</description></item>\n"
            for entry in ([] if feed.hidden else feed.entries)
        )
        return (
            f"<?xml version='1.0' encoding='utf-8'?>\n<rss version='2.0'><channel><title>{feed.name}</title>"
            f"<link>https://{feed.name}.example.test/</link><description>d</description>\n{items}</channel></rss>\n"
        ).encode()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a broken connection is what this is about."""


def _say(
    handler: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    headers: dict[str, str] | None = None,
    *,
    length: int | None = None,
) -> None:
    handler.send_response(status)
    for name, value in {"Content-Type": "application/rss+xml; charset=utf-8", **(headers or {})}.items():
        handler.send_header(name, value)
    if status != HTTPStatus.NOT_MODIFIED:
        handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)
    handler.wfile.flush()


# ---------------------------------------------------------------- faults


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a fault has at hand: the request, the sound body, and its version."""

    handler: BaseHTTPRequestHandler
    closing: threading.Event
    body: bytes
    version: int
    etags: bool

    def status(self, status: int, body: bytes = b"no", **headers: str) -> None:
        _say(self.handler, status, body, {name.replace("_", "-"): value for name, value in headers.items()})

    def raw(self, head: str, body: bytes) -> None:
        """Answer 200 with these headers and bytes and close: nothing says how long it should have been."""
        self.handler.close_connection = True
        tag = f'ETag: "cut-{self.version}"\r\n' if self.etags else ""
        self.handler.wfile.write(f"HTTP/1.1 200 OK\r\n{tag}{head}Connection: close\r\n\r\n".encode() + body)
        self.handler.wfile.flush()

    def reset(self) -> None:
        """Close with nothing to linger for: the socket sends RST."""
        self.handler.close_connection = True
        self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.handler.connection.close()


def _reset(answer: _Answer) -> None:
    _say(answer.handler, 200, answer.body[: len(answer.body) // 2], length=len(answer.body))
    answer.reset()


def _truncated(answer: _Answer) -> None:
    _say(answer.handler, 200, answer.body[: len(answer.body) // 2], length=len(answer.body))
    answer.handler.close_connection = True


def _cut_unseen(answer: _Answer) -> None:
    """As a proxy does that lost its origin: half a document with the validator of the whole."""
    middle = answer.body.rfind(b"<item>", 0, len(answer.body) * 2 // 3) + 20
    answer.handler.close_connection = True
    tag = f'ETag: "{answer.version}"\r\n' if answer.etags else ""
    head = f"HTTP/1.1 200 OK\r\n{tag}Content-Type: application/rss+xml\r\nConnection: close\r\n\r\n"
    answer.handler.wfile.write(head.encode() + answer.body[:middle])
    answer.handler.wfile.flush()


def _drip(answer: _Answer) -> None:
    """A byte at a time, until the client has had enough."""
    answer.handler.close_connection = True
    answer.handler.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer.body)}\r\n\r\n".encode())
    for byte in answer.body:
        if answer.closing.wait(0.05):
            return
        answer.handler.wfile.write(bytes([byte]))


def _hang(answer: _Answer) -> None:
    answer.handler.close_connection = True
    answer.closing.wait(20)


def _bomb(answer: _Answer) -> None:
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(1 << 20)
    answer.raw("Content-Encoding: gzip\r\n", b"".join(packer.compress(zeros) for _ in range(64)) + packer.flush())


def _huge(answer: _Answer) -> None:
    answer.handler.close_connection = True
    answer.handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\n\r\n")
    for _ in range(12):
        answer.handler.wfile.write(b"<item><title>x</title></item>\n" * 34_953)


def _half_packed(answer: _Answer) -> None:
    packed = gzip.compress(answer.body)
    answer.raw("Content-Encoding: gzip\r\n", packed[: len(packed) // 2])


def _stale(answer: _Answer) -> None:
    """Say that nothing changed although it did, as caches do."""
    tag = answer.handler.headers.get("If-None-Match", "")
    if tag:
        _say(answer.handler, 304, b"", {"ETag": tag})
    else:
        answer.status(503)


LOGIN = b"<!DOCTYPE html><html><head><title>Log in</title></head><body><form>Please log in</form></body></html>"
FAULTS: dict[str, Callable[[_Answer], object]] = {
    "500": lambda answer: answer.status(500),
    "503 Retry-After": lambda answer: answer.status(503, Retry_After="90"),
    "429": lambda answer: answer.status(429, Retry_After="60"),
    "404": lambda answer: answer.status(404),
    "403": lambda answer: answer.status(403, LOGIN),
    "304 stale": _stale,
    "reset in mid body": _reset,
    "reset at once": lambda answer: answer.reset(),
    "truncated": _truncated,
    "cut unseen": _cut_unseen,
    "half a gzip": _half_packed,
    "slow drip": _drip,
    "hang": _hang,
    "garbage": lambda answer: answer.raw("", bytes(range(256)) * 8),
    "no HTTP": lambda answer: answer.handler.wfile.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n"),
    "login page": lambda answer: answer.raw("Content-Type: text/html\r\n", LOGIN),
    "no feed, but XML": lambda answer: answer.raw("", b"<?xml version='1.0'?><opml version='2.0'><body/></opml>"),
    "nothing": lambda answer: answer.raw("", b""),
    "wrong encoding": lambda answer: answer.raw(
        "Content-Type: application/rss+xml; charset=gb2312\r\n",
        answer.body.replace(b"encoding='utf-8'", b"encoding='utf-16'"),
    ),
    "encoding lost": lambda answer: answer.raw("", answer.body.replace(b"What it", "微软 what it".encode("gbk"))),
    "huge": _huge,
    "gzip bomb": _bomb,
    "redirect loop": lambda answer: answer.status(302, b"", Location=answer.handler.path),
    "redirect to nobody": lambda answer: answer.status(301, b"", Location="http://127.0.0.1:9/feed.xml"),
}
EDITS = ("item edited", "item re-dated", "id changed", "all at once")
