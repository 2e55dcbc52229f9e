"""The demo's mail server and the mailbox behind it, to be looked into with a browser. No part of the worker.

It takes whatever it is sent, keeps the last hundred mails in memory and passes none on. A mail is shown as it came, so
that nothing it holds may act: its page stands in a frame of its own in which no script runs, and nothing is fetched.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from hashlib import sha256
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

KEPT = 100
"""Mails; older ones go."""
LARGEST = 10_000_000
"""Bytes of a mail; larger ones are refused."""
_NAMES = {"html": "page", "plain": "text", "source": "source"}
_STYLE = """
:root { background: Canvas; color: CanvasText; color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { margin: 1rem auto; max-width: 60rem; padding: 0 1rem }
h1 { font-size: 1.25rem } dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem } dd { margin: 0 }
ul { list-style: none; padding: 0 } li { border-top: 1px solid #8886; padding: .5rem 0 }
main { overflow-wrap: anywhere } iframe { border: 1px solid #8886; height: 80vh; width: 100% }
"""
_PAGE_POLICY = (
    "default-src 'none'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    f"style-src 'sha256-{base64.b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
)
_MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
"""A mail's own styles stand in it; pictures may only be in it, too."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it came, and for whom: that is what the envelope says, not the headers."""

    number: int
    at: datetime
    recipients: tuple[str, ...]
    raw: bytes
    message: EmailMessage

    def header(self, name: str) -> str:
        """Return a header in words, or nothing."""
        return str(self.message[name] or "")

    def body(self, kind: str) -> str | None:
        """Return the mail's text, as `html` or `plain`; None, if it has no such part."""
        part = self.message.get_body((kind,))
        if part is None:
            return None
        content: Any = part.get_payload(decode=True)  # bytes: no body has parts of its own
        try:
            return str(content, part.get_content_charset("utf-8"), "replace")
        except LookupError:  # no charset that there is
            return str(content, "utf-8", "replace")


class Mailbox:
    """What was received, for aiosmtpd to fill and for the pages to show."""

    def __init__(self) -> None:
        self.mails: tuple[Mail, ...] = ()
        """The oldest first. Replaced, never changed: the pages read it from other threads."""
        self._received = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail, and say so in a line."""
        raw = bytes(envelope.original_content or b"")
        message: Any = message_from_bytes(raw, policy=policy.default)
        self._received += 1
        mail = Mail(self._received, datetime.now(UTC), tuple(envelope.rcpt_tos), raw, message)
        self.mails = (*self.mails, mail)[-KEPT:]
        print(f"mail {mail.number} for {', '.join(mail.recipients)}: {mail.header('Subject')}", flush=True)
        return "250 kept"

    def find(self, number: str) -> Mail | None:
        """Return the mail of this number, if it is kept."""
        return next((mail for mail in self.mails if str(mail.number) == number), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a browser gets."""

    body: str | bytes
    kind: str = "text/html; charset=utf-8"
    policy: str = _PAGE_POLICY
    status: HTTPStatus = HTTPStatus.OK


def answer(mailbox: Mailbox, path: str) -> Answer:
    """Return the page at a path: `/`, `/3`, and of mail 3 `/3/html`, `/3/plain` and `/3/source`."""
    if path == "/":
        return Answer(_list(mailbox.mails))
    number, _, part = path.removeprefix("/").partition("/")
    mail = mailbox.find(number)
    body = mail.body(part) if mail and part in ("html", "plain") else None
    if mail and not part:
        return Answer(_one(mail))
    if mail and part == "source":
        return Answer(mail.raw, "text/plain; charset=utf-8", _MAIL_POLICY)
    if body is not None:
        return Answer(body, f"text/{part}; charset=utf-8", _MAIL_POLICY)
    lost = _page("Not here", "<p>There is no such page. <a href='/'>All mails</a></p>")
    return Answer(lost, status=HTTPStatus.NOT_FOUND)


def _list(mails: tuple[Mail, ...]) -> str:
    lines = (
        f"<li><a href='/{mail.number}'>{escape(mail.header('Subject')) or 'no subject'}</a><br>"
        f"<small>{mail.at:%H:%M:%S} UTC, to {escape(', '.join(mail.recipients))}</small></li>"
        for mail in reversed(mails)
    )
    shown = f"<ul>{''.join(lines)}</ul>" if mails else "<p>No mail yet.</p>"
    return _page("Mailbox", shown, "<meta http-equiv='refresh' content='5'>")


def _one(mail: Mail) -> str:
    headers = {name: mail.header(name) for name in ("From", "To", "Date", "Message-ID")}
    known = {"Received for": ", ".join(mail.recipients), **headers}
    facts = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in known.items())
    parts = [*(part for part in ("html", "plain") if mail.body(part) is not None), "source"]
    links = " · ".join(f"<a href='/{mail.number}/{part}'>{_NAMES[part]}</a>" for part in parts)
    return _page(
        mail.header("Subject") or "no subject",
        f"<dl>{facts}</dl><p><a href='/'>All mails</a> · by itself: {links}</p>"
        f"<iframe sandbox title='The mail' src='/{mail.number}/{parts[0]}'></iframe>",
    )


def _page(title: str, body: str, head: str = "") -> str:
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<meta name='viewport' content='width=device-width'>{head}<style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


def _handler(mailbox: Mailbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_GET(self) -> None:
            found = answer(mailbox, self.path)
            body = found.body.encode(errors="replace") if isinstance(found.body, str) else found.body
            headers: Mapping[str, str] = {
                "Content-Type": found.kind,
                "Content-Length": str(len(body)),
                "Content-Security-Policy": found.policy,
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "no-store",
            }
            self.send_response(found.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
            """Say nothing: a page that is open asks every five seconds."""

    return Handler


@contextmanager
def serve(host: str, smtp: int, web: int) -> Iterator[tuple[Mailbox, int]]:
    """Take mail at one port and show it at another, which is yielded; of the second, 0 is any that is free."""
    mailbox = Mailbox()
    mails = Controller(mailbox, hostname=host, port=smtp, data_size_limit=LARGEST, ready_timeout=10)
    with ThreadingHTTPServer((host, web), _handler(mailbox)) as pages:
        mails.start()
        Thread(target=pages.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield mailbox, pages.server_address[1]
        finally:
            pages.shutdown()
            mails.stop()
