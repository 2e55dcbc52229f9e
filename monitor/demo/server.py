"""The sample feeds over real HTTP on loopback, with dates of today, validators and one feed that is out of order.

The samples are our own writing; nothing in them happened. Their dates are placeholders, `@{rfc822 -185m}`, filled in
when the server starts, so that the demo's news is always fresh.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
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
_ENCODING = re.compile(r'<\?xml[^>]*encoding="([^"]+)"')
_TYPES = {".xml": "application/rss+xml", ".atom": "application/atom+xml", ".rdf": "application/rdf+xml"}
_OUT_OF_ORDER = "/sample-post.xml"

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


def document(name: str, now: datetime) -> bytes:
    """Return one sample feed as its server sends it: dated, in the encoding that it declares."""
    text = _DATE.sub(lambda m: _written(m[1], now - timedelta(minutes=int(m[2]))), (FOLDER / name).read_text("utf-8"))
    declared = _ENCODING.search(text)
    return text.encode(declared[1] if declared else "utf-8")


def _written(form: str, at: datetime) -> str:
    if form == "rfc822":
        return format_datetime(at.replace(microsecond=0), usegmt=True)
    if form == "iso":
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return at.astimezone(ZoneInfo(SHANGHAI)).strftime("%Y-%m-%d %H:%M")


@contextmanager
def serve(now: datetime) -> Iterator[tuple[Feed, ...]]:
    """Serve the samples on a free port of 127.0.0.1 and yield them as configured feeds."""
    pages = {f"/{path.name}": document(path.name, now) for path in sorted(FOLDER.iterdir()) if path.suffix in _TYPES}

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

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield tuple(Feed(f"{base}/{file}", name, language, zone) for name, file, language, zone in _FEEDS)
    finally:
        server.shutdown()
        server.server_close()
