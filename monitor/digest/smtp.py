"""The only module that speaks SMTP: one connection to one server, whose faults come as `LineError`, in words.

It knows steps and answers, and decides nothing: `mail` does.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import cast

from monitor.errors import LineError

HANDSHAKE = 30.0
"""Seconds for TLS to begin."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where the mail server is, and how it is spoken to; `timeout` is in seconds for each answer."""

    host: str
    port: int
    security: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    timeout: float = 60.0

    @property
    def where(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered: its code, and its words in one line."""

    code: int
    text: str

    @property
    def good(self) -> bool:
        """True where the server goes on: the first digit decides (RFC 5321 4.2)."""
        return 200 <= self.code < 400

    @property
    def of_mailbox(self) -> bool:
        """True where it speaks of the mailbox: unknown, disabled, full (RFC 3463: x.1.y, x.2.y).

        Some servers look for that only when they have the message. x.2.3 is a message that is too long for the mailbox.
        """
        return bool(re.match(r"[45]\.(1\.\d+|2\.(?!3\b)\d+)\b", self.text))

    @property
    def too_long(self) -> bool:
        """True where the message is longer than the server or the mailbox takes, and never will be shorter."""
        coded = re.match(r"[45]\.\d\.\d+\b", self.text)
        return (self.code == 552 and not coded) or bool(re.match(r"5\.(3\.4|2\.3)\b", self.text))

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class Line:
    """A connection; never plain text where TLS was asked for, and no password without TLS 1.2 or later."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._session: _Session | None = None
        self._stopped = False

    @property
    def open(self) -> bool:
        """True while there is a connection."""
        return self._session is not None

    def connect(self) -> None:
        """Connect, begin TLS and log in.

        Raises:
            LineError: that did not work; nothing is left open.
        """
        account = self._account
        with self._in_words("", account.timeout):
            if account.user and account.security == "plain":
                raise ValueError("would send the password readable; set MONITOR_SMTP_SECURITY to starttls or tls")
            context = ssl.create_default_context(cafile=account.ca_file or None)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            # Known before it connects, so that `stop` reaches it at every step.
            self._session = session = _Session(context, account.timeout, lambda: self._stopped)
            session.reach(account.host, account.port, tls=account.security == "tls")
        with self._in_words("to EHLO", account.timeout):
            session.ehlo_or_helo_if_needed()
        if account.security == "starttls":
            with self._in_words("to STARTTLS", min(HANDSHAKE, account.timeout)):
                session.begin_tls()
                session.ehlo()
        if account.user:
            with self._in_words("to the log-in", account.timeout):
                session.login(account.user, account.password)

    def mail(self, sender: str, size: int) -> Answer:
        """Begin a message of so many bytes."""
        options = [f"SIZE={size}"] if self._there.has_extn("size") else []
        return self._ask("to MAIL", lambda session: session.mail(sender, options))

    def rcpt(self, recipient: str) -> Answer:
        """Name the recipient."""
        return self._ask("to RCPT", lambda session: session.rcpt(recipient))

    def data(self) -> Answer:
        """Ask to hand the message over."""
        return self._ask("to DATA", lambda session: session.docmd("DATA"))

    def hand_over(self, raw: bytes) -> None:
        """Send the message. The final dot goes last: if this fails, the server cannot have taken it."""
        with self._in_words("while the message was handed over", self._account.timeout):
            self._there.send(_dot_stuffed(raw))

    def last_answer(self, seconds: float) -> Answer:
        """Wait so long for the answer to the final dot."""
        with self._in_words("to the final dot", seconds):
            self._there.wait_for(seconds)
            code, text = self._there.getreply()
            self._there.wait_for(self._account.timeout)
        return Answer(code, _line(text))

    def reset(self) -> None:
        """Forget what was begun; hang up where that does not work."""
        try:
            with self._in_words("to RSET", self._account.timeout):
                self._there.rset()
        except LineError:
            self.drop()

    def drop(self) -> None:
        """Hang up without a word."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def close(self) -> None:
        """Say goodbye and hang up."""
        session, self._session = self._session, None
        if session is not None:
            with suppress(OSError, smtplib.SMTPException):
                session.quit()

    def stop(self) -> None:
        """Hang up at once, from another thread: whatever it waits for ends as a lost connection does."""
        self._stopped = True
        sock = getattr(self._session, "sock", None)
        if sock is not None:
            with suppress(OSError):
                # The plain socket's: an SSLSocket would first forget its encryption, under the other thread's feet.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    @property
    def largest(self) -> int:
        """How many bytes a message may have, as the server says; 0 where it does not."""
        size = self._there.esmtp_features.get("size", "")
        return int(size) if size.isdecimal() else 0

    def facts(self) -> list[str]:
        """Return what there is to say of the connection, in lines for people."""
        session, account = self._there, self._account
        lines = [f"connected to {account.where}; it says: {_line(session.greeting) or 'nothing'}"]
        if isinstance(session.sock, ssl.SSLSocket):
            cipher = session.sock.cipher()
            lines.append(f"{session.sock.version()}, {cipher[0] if cipher else '?'}; its certificate is trusted")
        else:
            lines.append("not encrypted, as MONITOR_SMTP_SECURITY=plain has it")
        lines.append(f"logged in as {account.user}" if account.user else "not logged in: no MONITOR_SMTP_USER is set")
        return lines

    @property
    def _there(self) -> _Session:
        if self._session is None:
            raise LineError("there is no connection")
        return self._session

    def _ask(self, step: str, command: Callable[[_Session], tuple[int, bytes]]) -> Answer:
        with self._in_words(step, self._account.timeout):
            code, text = command(self._there)
        return Answer(code, _line(text))

    @contextmanager
    def _in_words(self, step: str, seconds: float) -> Iterator[None]:
        """Turn whatever fails into a `LineError`, and hang up."""
        try:
            yield
        except (OSError, smtplib.SMTPException, ValueError) as e:
            self.drop()
            # smtplib says of whatever ends a wait that the connection was closed.
            why = e.__context__ if isinstance(e, smtplib.SMTPServerDisconnected) else None
            cause = why if isinstance(why, OSError) else e
            said = f"{self._account.where}: {self._words(cause, step, seconds)}"
            raise LineError(said, silent=isinstance(cause, TimeoutError)) from e

    def _words(self, e: Exception, step: str, seconds: float) -> str:
        """Say what went wrong and what to do about it."""
        account = self._account
        match e:
            case _ if self._stopped:
                return "the program is ending"
            case smtplib.SMTPAuthenticationError() if e.smtp_code < 500:
                return f"the log-in was put off: {_answer(e)}"
            case smtplib.SMTPAuthenticationError():
                return (
                    f"the user name or password was refused: {_answer(e)}; check MONITOR_SMTP_USER and the password"
                    " (many providers want one made for programs)"
                )
            case smtplib.SMTPNotSupportedError() if step == "to the log-in":
                return "the server takes no log-in here; try another port, or take MONITOR_SMTP_USER away"
            case smtplib.SMTPNotSupportedError():
                return (
                    "the server does not offer STARTTLS, and nothing is sent readable; if the port speaks TLS at once"
                    " (465 does), set MONITOR_SMTP_SECURITY=tls"
                )
            case smtplib.SMTPResponseException() if e.smtp_code < 200:
                return f"what answers there is no mail server: {_line(e.smtp_error)}"
            case smtplib.SMTPConnectError():
                return f"the server does not serve: {_answer(e)}"
            case smtplib.SMTPResponseException():
                return f"the server refused {step.removeprefix('to ')}: {_answer(e)}"
            case smtplib.SMTPServerDisconnected():
                return "the server hung up" + (f" before its answer {step}" if step.startswith("to ") else "")
            case ssl.SSLError():
                return _of_tls(e)
            case TimeoutError() if step:
                return f"no answer {step} within {seconds:g} s"
            case TimeoutError() if account.security == "tls":
                return f"no answer within {seconds:g} s{_FIREWALL}"
            case TimeoutError():
                tls = "; if the port speaks TLS at once (465 does), set MONITOR_SMTP_SECURITY=tls"
                return f"no greeting within {seconds:g} s{tls}{_FIREWALL}"
            case socket.gaierror() if e.errno == socket.EAI_AGAIN:
                return "the host name cannot be looked up just now; is there a network?"
            case socket.gaierror():
                return "the host name was not found; check MONITOR_SMTP_HOST"
            case ConnectionRefusedError():
                return f"{e.strerror}; is the server up, and MONITOR_SMTP_PORT right?"
            case OSError() if e.strerror:
                return e.strerror + (f" (waiting for its answer {step})" if step.startswith("to ") else "")
        return " ".join(str(e).split()) or type(e).__name__


_FIREWALL = "; or a firewall is in between, as many networks have for port 25"


def _of_tls(e: ssl.SSLError) -> str:
    if isinstance(e, ssl.SSLCertVerificationError):
        why = e.verify_message
        if "ostname mismatch" in why or "IP address mismatch" in why:
            return f"the server's certificate is for another name ({why}); set MONITOR_SMTP_HOST to the name it is for"
        if "expired" in why or "not yet valid" in why:
            return f"the server's certificate is not trusted ({why}); tell who runs it, and check the clock here"
        return f"the server's certificate is not trusted ({why}); name its authority with MONITOR_SMTP_CA_FILE"
    words = f"{e.reason or ''} {e}"
    if "WRONG_VERSION_NUMBER" in words or "RECORD_LAYER_FAILURE" in words:
        return "does not speak TLS at once; set MONITOR_SMTP_SECURITY=starttls or another port"
    if "PROTOCOL_VERSION" in words or "UNSUPPORTED_PROTOCOL" in words:
        return "the server speaks no TLS of 1.2 or later; it must be updated"
    if "EOF" in words:
        return "the server hung up when TLS began"
    return f"TLS did not begin: {' '.join(str(e).split())}"


class _Session(smtplib.SMTP):
    """smtplib's session, whose socket is known from its first moment, so that another thread can end any wait."""

    def __init__(self, context: ssl.SSLContext, timeout: float, stopped: Callable[[], bool]) -> None:
        self.greeting = b""
        self._tls, self._at_once, self._stopped = context, False, stopped
        super().__init__(timeout=timeout)

    def reach(self, host: str, port: int, *, tls: bool) -> None:
        """Connect and hear the greeting."""
        self._at_once = tls
        self._host = host  # whose certificate it must be
        code, self.greeting = self.connect(host, port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, self.greeting)

    def begin_tls(self) -> None:
        """Go on encrypted, or raise SMTPNotSupportedError where the server does not offer it."""
        # smtplib only calls its `wrap_socket`.
        code, text = self.starttls(context=cast("ssl.SSLContext", self))
        if code != 220:
            raise smtplib.SMTPResponseException(code, text)

    def wait_for(self, seconds: float) -> None:
        """Wait so long for an answer from now on."""
        if self.sock is not None:
            self.sock.settimeout(seconds)

    def wrap_socket(self, sock: socket.socket, server_hostname: str) -> ssl.SSLSocket:
        """Begin TLS on a connected socket; the new one is known before the first byte is waited for."""
        wrapped = self._tls.wrap_socket(sock, server_hostname=server_hostname, do_handshake_on_connect=False)
        self.sock = wrapped
        wrapped.settimeout(min(HANDSHAKE, self.timeout))
        wrapped.do_handshake()
        wrapped.settimeout(self.timeout)
        return wrapped

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        failed = OSError("the host name has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if self._stopped():
                break
            self.sock = sock = socket.socket(family, kind, protocol)
            sock.settimeout(timeout)
            try:
                sock.connect(address)
            except OSError as e:
                sock.close()
                failed = e
            else:
                return self.wrap_socket(sock, host) if self._at_once else sock
        raise failed


def _dot_stuffed(raw: bytes) -> bytes:
    """Return the message as it goes over the line (RFC 5321 4.5.2), with the final dot."""
    ending = b"" if raw.endswith(b"\r\n") else b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", raw) + ending + b".\r\n"


def _answer(e: smtplib.SMTPResponseException) -> str:
    return f"{e.smtp_code} {_line(e.smtp_error)}"


def _line(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    return " ".join(text.split())[:300]
