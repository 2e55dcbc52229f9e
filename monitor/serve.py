"""The worker's own pages on MONITOR_METRICS_PORT: /metrics, /healthz, and a page that names them.

Whoever asks can neither stop the worker nor keep it busy: few are answered at once, each for a few seconds, in threads
of their own, and what takes time is looked up once in a while for all.
"""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog

from monitor import __version__
from monitor.checkup import Reading
from monitor.errors import MonitorError
from monitor.metrics import CONTENT_TYPE, Metrics

AT_ONCE = 16
"""So many are answered at once; more are sent away."""
PATIENCE = 10.0
"""Seconds that somebody may take to ask and to listen."""
FRESH = 5.0
"""Seconds for which what was looked up stays true enough."""
_PAGE = f"""<!doctype html><html lang=en><title>rift-monitor</title><h1>rift-monitor {__version__}</h1>
<p><a href=/healthz>/healthz</a>: 200 while it is well, else 503, with the lines of <code>monitor health</code></p>
<p><a href=/metrics>/metrics</a>: numbers for Prometheus</p></html>
"""

log = structlog.get_logger()


class Fresh:
    """Looks at a worker at most once in so many seconds, for all who ask meanwhile."""

    def __init__(self, look: Callable[[], Reading], seconds: float = FRESH) -> None:
        """Call `look` when somebody asks."""
        self._look, self._seconds, self._lock = look, seconds, threading.Lock()
        self._known: tuple[float, Reading] | None = None

    def __call__(self) -> Reading:
        """Return what was seen."""
        with self._lock:
            if self._known is None or time.monotonic() - self._known[0] > self._seconds:
                self._known = time.monotonic(), self._look()
            return self._known[1]


def serve(metrics: Metrics, read: Callable[[], Reading], host: str, port: int) -> ThreadingHTTPServer:
    """Answer on a port, in threads of its own, until the process ends; an empty `host` stands for all addresses.

    Raises:
        MonitorError: the port cannot be used.
    """
    try:
        server = _Server((host, port), _handler(metrics, read), ":" in host)
    except (OSError, UnicodeError) as e:
        where = f"port {port} of {host}" if host else f"port {port}"
        raise MonitorError(f"MONITOR_METRICS_PORT: {where} cannot be used: {getattr(e, 'strerror', '') or e}") from e
    threading.Thread(target=server.serve_forever, daemon=True, name="metrics").start()
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, where: tuple[str, int], handler: type[BaseHTTPRequestHandler], six: bool) -> None:
        self.address_family = socket.AF_INET6 if six else socket.AF_INET
        self._places = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(where, handler)

    def server_bind(self) -> None:
        """Bind, and ask no name server what this machine is called."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, if there is a place."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread was to be had
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer; whoever takes too long is hung up on, however busy he keeps the line."""
        end = threading.Timer(PATIENCE, _hang_up, (request,))
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a broken connection is the other side's."""


def _hang_up(request: socket.socket) -> None:
    with suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


def _handler(metrics: Metrics, read: Callable[[], Reading]) -> type[BaseHTTPRequestHandler]:
    def healthz() -> tuple[int, str, bytes]:
        problems = [one.line for one in read().findings if one.grave]
        status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
        return status, "text/plain; charset=utf-8", ("\n".join(problems or ["ok"]) + "\n").encode("utf-8", "replace")

    pages: dict[str, Callable[[], tuple[int, str, bytes]]] = {
        "/": lambda: (HTTPStatus.OK, "text/html; charset=utf-8", _PAGE.encode()),
        "/healthz": healthz,
        "/metrics": lambda: (HTTPStatus.OK, CONTENT_TYPE, metrics.text()),
    }

    class Handler(BaseHTTPRequestHandler):
        timeout = PATIENCE
        server_version, sys_version = "rift-monitor", ""

        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            if page is None:
                status, kind, body = HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"there is / and no such page\n"
            else:
                try:
                    status, kind, body = page()  # type: ignore[assignment]
                except Exception:
                    log.exception("a page could not be made; this is a bug", page=self.path)
                    status, kind, body = HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", b"it cannot be told\n"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 (a name of http.server)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
            """Say nothing: it is asked each minute."""

    return Handler
