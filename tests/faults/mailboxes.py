"""The mail server: STARTTLS, a login, faults by session, and a record of what it took and what became of the answer.

A mail is acknowledged when the client says something more in the same session after it was taken: it has read the
answer then, and gone on. One whose session ended before is in doubt, and may come again, under the same Message-ID.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.faults.moments import Moments

PASSWORD = "secret"
TOKEN = re.compile(r"ZQ\d{5}")
FAULTS = (
    "greet421", "hang-greet", "hang-rcpt", "no-starttls", "auth535", "auth454", "mail451", "rcpt451", "rcpt550",
    "data451", "data552", "data554", "slow", "drop-after-dot", "drop-after-dot-lost", "hang-after-dot",
    "drop-in-data", "garbled-answer",
)  # fmt: skip
"""Those of a session; that nobody listens is `close`. `rcpt…` befall one address, the last one asked for."""
FINAL = ("rcpt550", "data552", "data554")
"""The server said that it will never take this mail."""
SLOW = 0.6


@dataclass(slots=True)
class Attempt:
    """One mail that was handed over whole to one mailbox.

    `kept`: it is in the mailbox. `acknowledged`: the client has heard so; `answer` is what it was or would have been
    told.
    """

    recipient: str
    message_id: str
    digest: str
    raw: bytes
    tokens: frozenset[str]
    in_page: frozenset[str]
    session: int
    kept: bool
    answer: str = ""
    acknowledged: bool = False

    @property
    def hash(self) -> str:
        """What tells two mails apart to the last byte."""
        return sha256(self.raw).hexdigest()[:12]


def read(raw: bytes, recipient: str, session: int, *, kept: bool, answer: str) -> Attempt:
    """Read a mail as its reader would: what news are in the text, and in the page."""
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    tokens = {}
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        tokens[kind] = frozenset(TOKEN.findall(part.get_content()) if part else ())
    name = re.search(r"<([a-z0-9-]+)\.", str(mail["List-Id"]))
    return Attempt(
        recipient, str(mail["Message-ID"]), name[1] if name else "?", raw, tokens["plain"], tokens["html"],
        session, kept, answer,
    )  # fmt: skip


@dataclass
class Mailboxes:
    """The server, in a thread of its own. `attempts` and `refusals` (recipient, answer) are the record."""

    folder: Path
    moments: Moments
    victim: str = "carol@example.test"
    attempts: list[Attempt] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    injected: list[str] = field(default_factory=list)
    lose: bool = False
    """What was handed over by a client that was killed at the dot is lost here, too."""
    _faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        authority = trustme.CA()
        self.ca_file = self.folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(self.context)
        self.sessions = 0
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda loop, context: None)  # broken connections are what this is about
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.open()

    def open(self) -> None:
        """Listen."""
        if self._server is None:
            self._server = self._do(self._loop.create_server(self._session, "127.0.0.1", self.port))
            self.port = self._server.sockets[0].getsockname()[1]

    def shut(self) -> None:
        """Refuse connections."""
        server, self._server = self._server, None
        if server is not None:
            self._loop.call_soon_threadsafe(server.close)

    def close(self) -> None:
        """End."""
        self.shut()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def break_next(self, *faults: str) -> None:
        """Treat the next sessions so, each by one of `FAULTS` or `` for soundly."""
        self._faults += faults

    def mend(self) -> None:
        """Forget all faults."""
        self._faults.clear()
        self.open()

    @property
    def mails(self) -> list[Attempt]:
        """What lies in the mailboxes."""
        return [attempt for attempt in list(self.attempts) if attempt.kept]

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _session(self) -> SMTP:
        self.sessions += 1
        fault = self._faults.pop(0) if self._faults else ""
        if fault:
            self.injected.append(fault)
        return _Server(
            _Handler(self, self.sessions, fault),
            fault,
            hostname="localhost",
            ident="mail",
            tls_context=None if fault == "no-starttls" else self.context,
            require_starttls=fault != "no-starttls",
            auth_required=True,
            auth_require_tls=True,
            authenticator=_authenticate,
            loop=self._loop,
            timeout=60,
        )


class _Server(SMTP):
    """aiosmtpd's session, which can be unkind from its first word."""

    def __init__(self, handler: _Handler, fault: str, **options: Any) -> None:
        self.fault, self.room = fault, handler
        super().__init__(handler, **options)

    async def _handle_client(self) -> None:
        self.room.saw("connect")
        if self.fault == "greet421":
            await self.push("421 4.3.2 service not available, closing")
            _line(self).close()
            return
        if self.fault == "hang-greet":
            await asyncio.sleep(30)
        await super()._handle_client()

    async def smtp_DATA(self, arg: str) -> None:
        """Say when it begins, and perhaps drop the line within."""
        self.room.saw("DATA")
        if self.fault == "drop-in-data":
            await self.push("354 go on")
            _line(self).abort()
            return
        await super().smtp_DATA(arg)

    async def smtp_AUTH(self, arg: str) -> None:
        """Say when it begins."""
        self.room.saw("AUTH")
        await super().smtp_AUTH(arg)


def _authenticate(server: _Server, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    good = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
    if server.fault == "auth454":
        return AuthResult(success=False, handled=False, message="454 4.7.0 temporary authentication failure")
    return AuthResult(success=good and server.fault != "auth535", handled=False)


class _Handler:
    """What happens in one session."""

    def __init__(self, office: Mailboxes, number: int, fault: str) -> None:
        self.office, self.number, self.fault = office, number, fault
        self.last: list[Attempt] = []

    def saw(self, kind: str) -> None:
        """Tell whoever waits for a moment."""
        self.office.moments.saw(f"smtp {kind}")

    def _heard(self) -> None:
        """The client goes on: it has heard what became of its last mail."""
        for attempt in self.last:
            attempt.acknowledged = True
        self.last = []

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.saw("EHLO")
        return responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self._heard()
        self.saw("MAIL")
        if self.fault == "mail451":
            return "451 4.3.0 try again later"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.saw("RCPT")
        if self.fault == "hang-rcpt":
            await asyncio.sleep(30)
        if address.lower() == self.office.victim and self.fault in ("rcpt451", "rcpt550"):
            answer = "451 4.2.1 mailbox busy" if self.fault == "rcpt451" else "550 5.1.1 no such user"
            if self.fault in FINAL:
                self.office.refusals.append((address, answer))
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_RSET(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self._heard()
        return "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self._heard()
        self.saw("QUIT")
        return "221 bye"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.saw("dot")
        raw = bytes(envelope.original_content or b"")
        refused = {
            "data451": "451 4.3.0 local error",
            "data552": "552 5.3.4 too big",
            "data554": "554 5.7.1 message refused",
        }.get(self.fault, "")
        lost = self.fault == "drop-after-dot-lost" or self.office.lose
        self.office.lose = False
        for recipient in envelope.rcpt_tos:
            attempt = read(raw, recipient, self.number, kept=not (refused or lost), answer=refused or "250 queued")
            self.office.attempts.append(attempt)
            self.last.append(attempt)
            if self.fault in FINAL:
                self.office.refusals.append((recipient, refused))
        if refused:
            return refused
        self.saw("kept")
        if self.fault == "slow":
            await asyncio.sleep(SLOW)
        if self.fault.startswith("drop-after-dot"):
            _line(server).abort()
        if self.fault == "hang-after-dot":
            await asyncio.sleep(30)
        if self.fault == "garbled-answer":
            return "2x0 what?"
        asyncio.get_running_loop().call_soon(self.saw, "answered")
        return "250 queued"


def _line(server: SMTP) -> asyncio.Transport:
    return cast("asyncio.Transport", server.transport)
