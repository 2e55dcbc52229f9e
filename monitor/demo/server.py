"""The sample feeds over real HTTP, with dates of today, validators and one feed that is out of order.

The samples are our own writing; nothing in them happened. Their dates are placeholders, `@{rfc822 -185m}`, filled in
when the server starts, so that the demo's news is always fresh.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from zoneinfo import ZoneInfo

from monitor.model import Feed

FOLDER = Path(__file__).parent / "feeds"
SHANGHAI = "Asia/Shanghai"
_DATE = re.compile(r"@\{(rfc822|iso|shanghai) -(\d+)m\}")
_ITEM = re.compile(r"<item>.*?</item>", re.DOTALL)
_ENCODING = re.compile(r'<\?xml[^>]*encoding="([^"]+)"')
_TYPES = {".xml": "application/rss+xml", ".atom": "application/atom+xml", ".rdf": "application/rdf+xml"}
_OUT_OF_ORDER = "/sample-post.xml"
WEEKLY = "sample-weekly.xml"
"""The news of the weeks before: what the digests before the demo's own were made of."""

# Name, file, language, zone of dates that name none.
_FEEDS = (
    ("Example Journal", "example-journal.xml", "", ""),
    ("Sample Wire", "sample-wire.atom", "", ""),
    ("The Example", "the-example.rdf", "", ""),
    ("Example Vendor Blog", "example-vendor-blog.xml", "", ""),
    ("Sample Review", "sample-review.xml", "", ""),
    ("Sample Aggregator", "sample-aggregator.xml", "", ""),
    ("示例财经", "shili-caijing.xml", "zh", SHANGHAI),
    ("某某科技", "moumou-keji.xml", "zh", SHANGHAI),
    ("Sample Post", _OUT_OF_ORDER.strip("/"), "", ""),
)


def document(name: str, now: datetime, until: datetime | None = None) -> bytes:
    """Return one sample feed as its server sends it: dated, in the encoding that it declares.

    With `until`, as it was at that time: without the items that came later.
    """
    text = (FOLDER / name).read_text("utf-8")
    if until is not None:
        text = _ITEM.sub(lambda item: item[0] if now - _age(item[0]) <= until else "", text)
    text = _DATE.sub(lambda m: _written(m[1], now - timedelta(minutes=int(m[2]))), text)
    declared = _ENCODING.search(text)
    return text.encode(declared[1] if declared else "utf-8")


def _age(item: str) -> timedelta:
    dated = _DATE.search(item)
    return timedelta(minutes=int(dated[2])) if dated else timedelta(0)


def _written(form: str, at: datetime) -> str:
    if form == "rfc822":
        return format_datetime(at.replace(microsecond=0), usegmt=True)
    if form == "iso":
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return at.astimezone(ZoneInfo(SHANGHAI)).strftime("%Y-%m-%d %H:%M")


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples while they are served: as configured feeds, and the weekly, which shows what was out at a time."""

    feeds: tuple[Feed, ...]
    weekly: Feed
    show: Callable[[datetime], None]
    """Let the weekly be as it was at that time."""


def feeds_at(base: str) -> tuple[Feed, ...]:
    """Return the samples as configured feeds of a server such as http://127.0.0.1:8000."""
    return tuple(Feed(f"{base}/{file}", name, language, zone) for name, file, language, zone in _FEEDS)


@contextmanager
def serve(now: datetime, host: str = "127.0.0.1", port: int = 0) -> Iterator[Samples]:
    """Serve the samples; if nothing else is said, on a free port of this machine that no other reaches."""
    pages = {f"/{path.name}": document(path.name, now) for path in sorted(FOLDER.iterdir()) if path.suffix in _TYPES}

    def show(until: datetime) -> None:
        pages[f"/{WEEKLY}"] = document(WEEKLY, now, until)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = pages.get(self.path)
            if self.path == _OUT_OF_ORDER:
                self._answer(HTTPStatus.OK, b"<!doctype html><title>Please log in</title>", "text/html")
            elif body is None:
                self._answer(HTTPStatus.NOT_FOUND, b"no such feed\n", "text/plain")
            else:
                etag = f'"{sha256(body).hexdigest()[:16]}"'
                fresh = self.headers.get("If-None-Match") == etag
                status = HTTPStatus.NOT_MODIFIED if fresh else HTTPStatus.OK
                self._answer(status, b"" if fresh else body, _TYPES[Path(self.path).suffix], etag)

        def _answer(self, status: HTTPStatus, body: bytes, kind: str, etag: str = "") -> None:
            self.send_response(status)
            if etag:
                self.send_header("ETag", etag)
            if status != HTTPStatus.NOT_MODIFIED:
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
            """Say nothing: the demo prints its own summary."""

    server = ThreadingHTTPServer((host, port), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    base = f"http://{host}:{server.server_address[1]}"
    try:
        yield Samples(feeds_at(base), Feed(f"{base}/{WEEKLY}", "Sample Weekly"), show)
    finally:
        server.shutdown()
        server.server_close()
