"""The only module that speaks SMTP; and its twin for people without a mail server, which writes files.

Each is called with a finished message and returns a `Receipt`: the state that the delivery is in now. The one
question that matters is whether the server may have the message: before the final dot it has not, after it only
its answer tells (RFC 5321 4.2.5, RFC 1047).
"""

from __future__ import annotations

import os
import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Protocol

from monitor.model import Delivery, Message, Receipt, State

TIMEOUT = 60.0
"""Seconds to wait for one answer."""
LAST_ANSWER = 600.0
"""Seconds to wait for the answer to the final dot (RFC 5321 4.5.3.2.6): giving up sooner makes copies, for a server
that scans what it is sent may well take minutes."""
HANDSHAKE = 7.0
"""Seconds for TLS to begin: a wait that `stop` cannot end, so it must be shorter than the end of the process."""
MOST_DOUBTS = 3
"""So many attempts may end unknown."""
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=1)
GIVE_UP = timedelta(days=5)
"""As mail servers do (RFC 5321 4.5.4.1). Most mails are taken over by the digest's next edition long before."""


def next_attempt(receipt: Receipt, delivery: Delivery, now: datetime) -> tuple[Receipt, datetime | None]:
    """Return the receipt to keep and when to try again: after 1, 2, 4 … minutes, an hour at most, for five days.

    What could not be sent in that time is refused, with the last answer as the reason. An `unknown` is sent again
    twice; then it stays unknown and is left alone, for each time may be another copy in the reader's mailbox. What is
    refused after an attempt in doubt stays in doubt: that one may have arrived.
    """
    if receipt.state is State.REFUSED and delivery.doubts:
        detail = f"an earlier attempt may have arrived; the last was refused: {receipt.detail}"
        return replace(receipt, state=State.UNKNOWN, detail=detail), None
    if receipt.state not in (State.PENDING, State.UNKNOWN):
        return receipt, None
    attempts = delivery.attempts + 1
    given_up = f"given up after {attempts} attempts; the last: {receipt.detail}"
    if receipt.state is State.UNKNOWN and delivery.doubts + 1 >= MOST_DOUBTS:
        return Receipt(State.UNKNOWN, given_up), None
    if now - delivery.created >= GIVE_UP:
        return Receipt(State.UNKNOWN if delivery.doubts else State.REFUSED, given_up), None
    return receipt, now + min(FIRST_RETRY * (1 << min(attempts - 1, 10)), LONGEST_RETRY)


class Sender(Protocol):
    """What carries messages: to a mail server, into files, or into a chat."""

    def open(self) -> Receipt | None:
        """Make ready; return None when ready, else why not."""

    def __call__(self, message: Message) -> Receipt:
        """Send one message and say how that ended."""

    def close(self) -> None:
        """Be done."""

    def stop(self) -> None:
        """End a wait at once, from another thread."""


class SmtpSender:
    """Sends messages over one SMTP connection.

    Never falls back to plain text: with `security="starttls"`, a server that does not offer STARTTLS gets nothing.
    `timeout` and `last_answer` are in seconds.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        security: str = "starttls",
        user: str = "",
        password: str = "",
        ca_file: str = "",
        timeout: float = TIMEOUT,
        last_answer: float = LAST_ANSWER,
    ) -> None:
        self._host, self._port, self._security = host, port, security
        self._user, self._password = user, password
        self._ca_file, self._timeout, self._last_answer = ca_file, timeout, last_answer
        self._session: smtplib.SMTP | None = None
        self._down: Receipt | None = None
        self._stopped = False

    def open(self) -> Receipt | None:
        """Connect where there is no connection; return None when ready, else why not.

        A server that was not there is not asked again by this sender: the others of a round would wait for the same.
        """
        if self._session is None and self._down is None:
            try:
                self._connect()
            except (OSError, smtplib.SMTPException, ValueError) as e:
                self._drop()
                self._down = Receipt(State.PENDING, self._in_words(e))
        return self._down

    def __call__(self, message: Message) -> Receipt:
        """Send one message and say how that ended."""
        down = self.open()
        if down or self._session is None:
            return down or Receipt(State.PENDING, "no connection")
        return self._transact(self._session, message)

    def close(self) -> None:
        """Say goodbye and hang up."""
        session, self._session = self._session, None
        if session is not None:
            with suppress(OSError, smtplib.SMTPException):
                session.quit()

    def stop(self) -> None:
        """Hang up at once, from another thread: a wait for the server's answer ends as a lost connection does."""
        self._stopped = True
        sock = getattr(self._session, "sock", None)
        if sock is not None:
            with suppress(OSError):
                # The plain socket's: an SSLSocket would first forget its encryption, under the other thread's feet.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _connect(self) -> None:
        if self._stopped:
            raise OSError("the program is ending")
        context = ssl.create_default_context(cafile=self._ca_file or None)

        def begun(session: smtplib.SMTP) -> None:
            self._session = session  # before it connects, so that `stop` reaches a server that does not greet

        if self._security == "tls":
            session: smtplib.SMTP = _SmtpTls(begun, self._host, self._port, timeout=self._timeout, context=context)
        else:
            session = _Smtp(begun, self._host, self._port, timeout=self._timeout)
        session.ehlo_or_helo_if_needed()
        if self._security == "starttls":
            _set_timeout(session, min(HANDSHAKE, self._timeout))
            # Raises SMTPNotSupportedError where the server does not offer it: nothing goes out in plain text.
            session.starttls(context=context)
            _set_timeout(session, self._timeout)
            session.ehlo()
        if self._user:
            session.login(self._user, self._password)

    def _transact(self, session: smtplib.SMTP, message: Message) -> Receipt:
        try:
            for verb, answer in (
                ("MAIL", session.mail(_address(message.sender))),
                ("RCPT", session.rcpt(message.recipient)),
                ("DATA", session.docmd("DATA")),
            ):
                if not 200 <= answer[0] < 400:
                    return self._refused(session, verb, *answer, final=verb == "RCPT")
        except (OSError, smtplib.SMTPException) as e:
            self._drop()
            return Receipt(State.PENDING, self._in_words(e))
        try:
            session.send(_dot_stuffed(message.raw))
        except (OSError, smtplib.SMTPException) as e:
            # The final dot is the last thing sent, so the server cannot have taken the message.
            self._drop()
            return Receipt(State.PENDING, self._in_words(e))
        try:
            _set_timeout(session, self._last_answer)
            code, text = session.getreply()
            _set_timeout(session, self._timeout)
        except (OSError, smtplib.SMTPException) as e:
            self._drop()
            lost = "the connection was lost before the server's last answer"
            return Receipt(State.UNKNOWN, f"{lost}: {self._in_words(e)}")
        if 200 <= code < 300:
            return Receipt(State.SENT, f"{code} {_text(text)}")
        if not 400 <= code < 600:
            self._drop()
            return Receipt(State.UNKNOWN, f"the server's last answer cannot be read: {_text(text)}")
        return self._refused(session, "the message", code, text, final=True)

    def _refused(self, session: smtplib.SMTP, verb: str, code: int, text: bytes, *, final: bool) -> Receipt:
        """Name a refusal. 5xx is the end for this recipient, but only where it is `final`.

        At MAIL and DATA it speaks of us, of a sender address or a server's rules that somebody will mend, and then
        every reader still wants the mail.
        """
        with suppress(OSError, smtplib.SMTPException):
            session.rset()
        if code == 421 or session.sock is None:
            self._drop()
        if not final or not 500 <= code < 600:
            return Receipt(State.PENDING, f"{verb}: {code} {_text(text)}")
        return Receipt(State.REFUSED, f"{verb}: {code} {_text(text)}", content=verb != "RCPT" and not _of_mailbox(text))

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _in_words(self, e: BaseException) -> str:
        where = f"{self._host}:{self._port}"
        match e:
            case smtplib.SMTPAuthenticationError():
                return f"{where}: the user name or password was refused: {e.smtp_code} {_text(e.smtp_error)}"
            case smtplib.SMTPResponseException():
                return f"{where}: {e.smtp_code} {_text(e.smtp_error)}"
            case ssl.SSLCertVerificationError():
                advice = "name its authority with MONITOR_SMTP_CA_FILE"
                return f"{where}: the server's certificate is not trusted ({e.verify_message}); {advice}"
            case ssl.SSLError() if "WRONG_VERSION_NUMBER" in str(e):
                return f"{where}: does not speak TLS at once; set MONITOR_SMTP_SECURITY=starttls or another port"
            case TimeoutError():
                return f"{where}: no answer within {self._timeout:g} s"
            case socket.gaierror():
                return f"{where}: the host name was not found"
            case OSError() if e.strerror:
                return f"{where}: {e.strerror}"
        return f"{where}: {' '.join(str(e).split()) or type(e).__name__}"


class FileSender:
    """Writes each message to a folder as .eml and .html, for people without a mail server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, message: Message) -> Receipt:
        """Write one message; the same message again writes the same files."""
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", message.message_id.strip("<>").split("@")[0])
        name = f"{name}.{re.sub(r'[^A-Za-z0-9._-]+', '_', message.recipient)}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            page = message_from_bytes(message.raw, policy=policy.default).get_body(("html",))
            if page is not None:
                _write(self.folder / f"{name}.html", page.get_content().encode("utf-8"))
            _write(self.folder / f"{name}.eml", message.raw)
        except OSError as e:
            return Receipt(State.PENDING, f"{self.folder}: cannot be written: {e.strerror or e}")
        return Receipt(State.SENT, f"written to {self.folder / name}.eml (no mail server is set)")

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def stop(self) -> None:
        """Nothing to stop."""


class _Smtp(smtplib.SMTP):
    """smtplib's session, which shows itself before it connects."""

    def __init__(self, begun: Callable[[smtplib.SMTP], None], host: str, port: int, *, timeout: float) -> None:
        begun(self)
        super().__init__(host, port, timeout=timeout)


class _SmtpTls(smtplib.SMTP_SSL):
    """The same, with TLS from the first byte."""

    def __init__(
        self,
        begun: Callable[[smtplib.SMTP], None],
        host: str,
        port: int,
        *,
        timeout: float,
        context: ssl.SSLContext,
    ) -> None:
        begun(self)
        super().__init__(host, port, timeout=timeout, context=context)


def _set_timeout(session: smtplib.SMTP, seconds: float) -> None:
    if session.sock is not None:
        session.sock.settimeout(seconds)


def _write(path: Path, content: bytes) -> None:
    """Write whole or not at all: no reader ever sees half a file."""
    half = path.with_name(path.name + ".part")
    with half.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)


def _dot_stuffed(raw: bytes) -> bytes:
    """Return the message as it goes over the line (RFC 5321 4.5.2), with the final dot."""
    ending = b"" if raw.endswith(b"\r\n") else b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", raw) + ending + b".\r\n"


def _address(sender: str) -> str:
    return sender.rpartition("<")[2].strip("<> ")


def _of_mailbox(answer: bytes) -> bool:
    """Tell whether a refusal of a message speaks of the mailbox: unknown, disabled, full (RFC 3463: 5.1.x, 5.2.x).

    Some servers look for it only then. 5.2.3 is a message that is too long for it.
    """
    return bool(re.match(rb"\s*5\.(1\.\d+|2\.(?!3\b)\d+)\b", answer))


def _text(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    return " ".join(text.split())[:300]
