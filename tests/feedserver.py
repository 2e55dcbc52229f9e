r"""A real HTTP server on loopback for tests: documents with validators, faults on demand, and what was asked.

    with FeedServer() as server:
        server.put("/a.xml", body, headers={"ETag": '"1"'})     # answers 304 where a validator matches
        server.put("/gone", status=410)
        server.raw("/cut", b"HTTP/1.1 200 OK\r\n...", then="reset")
        server.hang("/never")
        server.drip("/slowly")
        server.route("/else", lambda handler: handler.wfile.write(...))
        fetch(server.url("/a.xml"))
        server.requests[0].headers["user-agent"]

Each can be called again while the server runs; an unknown path is 404. Handlers end when the server does.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Literal, Self

import trustme

Act = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: the path with its query, and the headers by lower-case name."""

    path: str
    headers: Mapping[str, str]


@dataclass
class FeedServer:
    """`requests` are in order of arrival. With `tls` the certificate is one that nobody trusts.

    `context` brings one of its own; `otherwise` answers paths that nothing was said of.
    """

    tls: bool = False
    host: str = "127.0.0.1"
    requests: list[Request] = field(default_factory=list)
    context: ssl.SSLContext | None = None
    otherwise: Act | None = None

    def __enter__(self) -> Self:
        self._acts: dict[str, Act] = {}
        self._closing = Event()
        self._server = _Server((self.host, 0), self._handler())
        context = self.context
        if self.tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            trustme.CA().issue_cert(self.host).configure_cert(context)
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str = "/") -> str:
        """The address of a path."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}{path}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def asked(self, path: str) -> list[Request]:
        """The requests for one path."""
        return [request for request in self.requests if request.path == path]

    def put(
        self, path: str, body: bytes | str = b"", *, headers: Mapping[str, str] | None = None, status: int = 200
    ) -> None:
        """Answer with a document; an ETag or Last-Modified among `headers` makes it conditional."""
        content = body.encode() if isinstance(body, str) else body
        own = {"Content-Type": "application/xml", **(headers or {})}
        validators = {name.lower(): value for name, value in own.items()}

        def act(handler: BaseHTTPRequestHandler) -> None:
            unchanged = status == HTTPStatus.OK and _unchanged(handler, validators)
            handler.send_response(HTTPStatus.NOT_MODIFIED if unchanged else status)
            for name, value in own.items():
                handler.send_header(name, value)
            if not unchanged:
                handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(b"" if unchanged else content)

        self.route(path, act)

    def raw(self, path: str, answer: bytes, then: Literal["close", "reset", "hang"] = "close") -> None:
        """Answer with these bytes and nothing else, status line included; then end the connection as told."""

        def act(handler: BaseHTTPRequestHandler) -> None:
            handler.close_connection = True
            handler.wfile.write(answer)
            handler.wfile.flush()
            if then == "hang":
                self._closing.wait()
            elif then == "reset":  # closed with nothing to linger for, a socket sends RST
                handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                handler.connection.close()

        self.route(path, act)

    def hang(self, path: str) -> None:
        """Take the request and never answer."""
        self.raw(path, b"", then="hang")

    def drip(self, path: str, part: bytes = b" ", every: float = 0.01, headers: str = "") -> None:
        """Answer 200 and send `part` again and again, for ever; `every` 0 sends as fast as the client takes it."""

        def act(handler: BaseHTTPRequestHandler) -> None:
            handler.close_connection = True
            handler.wfile.write(f"HTTP/1.1 200 OK\r\n{headers}\r\n".encode())
            while not self._closing.wait(every):
                handler.wfile.write(part)

        self.route(path, act)

    def route(self, path: str, act: Act) -> None:
        """Answer by calling `act` with http.server's handler, in a thread of its own."""
        self._acts[path] = act

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # headers and body in two writes would wait 40 ms for each other

            def do_GET(self) -> None:
                outer.requests.append(Request(self.path, {name.lower(): value for name, value in self.headers.items()}))
                # A client that has gone is what many of these tests are about.
                with suppress(ConnectionError):
                    outer._acts.get(self.path, outer.otherwise or _not_found)(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
                """Say nothing."""

        return Handler


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a broken connection is the client's to report."""


def _not_found(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(HTTPStatus.NOT_FOUND)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def _unchanged(handler: BaseHTTPRequestHandler, own: Mapping[str, str]) -> bool:
    """Compare validators as RFC 9110, 13.2.2 orders: If-None-Match decides alone where it is sent."""
    asked = handler.headers
    if "If-None-Match" in asked:
        tags = [tag.strip().removeprefix("W/") for tag in asked["If-None-Match"].split(",")]
        return own.get("etag", "").removeprefix("W/") in tags
    if "If-Modified-Since" in asked and "last-modified" in own:
        return parsedate_to_datetime(own["last-modified"]) <= parsedate_to_datetime(asked["If-Modified-Since"])
    return False
