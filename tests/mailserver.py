"""A real SMTP server on loopback for tests: STARTTLS and AUTH if asked for, faults on demand, and what arrived."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self, cast

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

PASSWORD = "secret"


@dataclass
class MailServer:
    """`faults` answer MAIL, RCPT or DATA instead of the server; `received` are the messages that it took.

    With `tls` it wants STARTTLS and a login, and has a certificate for `names`. It takes so many bytes (`size`).
    """

    folder: Path
    tls: bool = False
    names: tuple[str, ...] = ("localhost", "127.0.0.1")
    faults: dict[str, Callable[[str], str]] = field(default_factory=dict)
    received: list[tuple[str, EmailMessage]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    drop_after_dot: int = 0
    deliver_before_drop: bool = True
    hang_after_dot: float = 0.0
    greeting: str = ""
    sessions: int = 0
    size: int = 33_554_432

    def __enter__(self) -> Self:
        with socket.socket() as probe:  # aiosmtpd's Controller(port=0) does not start
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        options: dict[str, Any] = {"data_size_limit": self.size}
        if self.tls:
            authority = trustme.CA()
            self.ca_file = self.folder / "ca.pem"
            authority.cert_pem.write_to_path(self.ca_file)
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            authority.issue_cert(*self.names).configure_cert(context)
            options |= {
                "tls_context": context,
                "require_starttls": True,
                "auth_required": True,
                "authenticator": self._authenticate,
            }
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, ready_timeout=10, **options)
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    @staticmethod
    def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        good = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
        return AuthResult(success=good, handled=False)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Count the session."""
        self.sessions += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a sender, or answer with the fault set for MAIL."""
        answer = self._fault("MAIL", address)
        if not answer:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer or "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or answer with the fault set for RCPT."""
        answer = self._fault("RCPT", address)
        if not answer:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take a message, or refuse it, or lose the connection at the worst moment."""
        raw = bytes(envelope.original_content or b"")
        answer = self._fault("DATA", envelope.rcpt_tos[0])
        if answer:
            return answer
        if self.drop_after_dot:
            self.drop_after_dot -= 1
            if self.deliver_before_drop:
                self._take(envelope, raw)
            if server.transport is not None:
                cast("asyncio.Transport", server.transport).abort()
            return "250 never heard"
        self._take(envelope, raw)
        if self.hang_after_dot:
            await asyncio.sleep(self.hang_after_dot)
        return "250 queued"

    def _fault(self, step: str, address: str) -> str:
        fault = self.faults.get(step)
        return fault(address) if fault else ""

    def _take(self, envelope: Envelope, raw: bytes) -> None:
        message = message_from_bytes(raw, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.raw.append(raw)
        self.received += [(recipient, message) for recipient in envelope.rcpt_tos]
