"""What becomes of a message at a mail server (see `smtp`); and a twin for people without one, which writes files.

Each is called with a finished message and returns a `Receipt`: the state that the delivery is in now. The one
question that matters is whether the server may have the message: before the final dot it has not, after it only
its answer tells (RFC 5321 4.2.5, RFC 1047).
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Protocol

from monitor.digest.smtp import Account, Answer, Line
from monitor.errors import LineError
from monitor.model import Delivery, Message, Receipt, State

TIMEOUT = 60.0
"""Seconds to wait for one answer."""
LAST_ANSWER = 600.0
"""Seconds to wait for the answer to the final dot (RFC 5321 4.5.3.2.6): giving up sooner makes copies, for a server
that scans what it is sent may well take minutes."""
MOST_PUT_OFF = 3
"""So many recipients in a row that are put off speak for the server: it is spared until the next round."""
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
        doubtful = delivery.doubts > 0 or receipt.state is State.UNKNOWN
        return Receipt(State.UNKNOWN if doubtful else State.REFUSED, given_up), None
    again = now + min(FIRST_RETRY * (1 << min(attempts - 1, 10)), LONGEST_RETRY)
    # Who was not asked comes first the next time: one address that makes the server fall silent holds up nobody.
    return receipt, again if receipt.asked else again - timedelta(seconds=1)


class Sender(Protocol):
    """What carries messages: to a mail server, into files, or into a chat."""

    def open(self, recipient: str = "") -> Receipt | None:
        """Make ready for a recipient; return None when ready, else why not."""

    def __call__(self, message: Message) -> Receipt:
        """Send one message and say how that ended."""

    def close(self) -> None:
        """Be done."""

    def stop(self) -> None:
        """End a wait at once, from another thread."""


class SmtpSender:
    """Sends messages over one SMTP connection; `timeout` and `last_answer` are in seconds.

    A server that was not there, that fell silent, or that put off some recipients in a row, is not asked again by this
    sender: the others of a round would wait for the same, and it would be hammered. There is no chance in the pauses
    between rounds: one worker that asks once for all its readers is no stampede.
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
        self._line = Line(Account(host, port, security, user, password, ca_file, timeout))
        self._logs_in, self._last_answer = bool(user), last_answer
        self._down: Receipt | None = None
        self._put_off = 0

    def open(self, recipient: str = "") -> Receipt | None:
        """Connect where there is no connection; return None when ready, else why not."""
        if self._down is None and not self._line.open:
            try:
                self._line.connect()
            except LineError as e:
                self._down = Receipt(State.PENDING, str(e))
        return self._down

    def __call__(self, message: Message) -> Receipt:
        """Send one message and say how that ended."""
        down = self.open()
        if down:
            return down
        if not message.recipient.isascii():
            return Receipt(State.REFUSED, "the address has letters outside ASCII, which not every server takes")
        if 0 < self._line.largest < len(message.raw):
            said = f"the message has {len(message.raw) // 1024} KB, the server takes {self._line.largest // 1024}"
            return Receipt(State.REFUSED, said, content=True)
        try:
            receipt, silent = self._transact(message), False
        except LineError as e:
            receipt, silent = Receipt(State.PENDING, str(e)), e.silent
        self._count(receipt, silent=silent)
        return receipt

    def close(self) -> None:
        """Say goodbye and hang up."""
        self._line.close()

    def stop(self) -> None:
        """Hang up at once, from another thread: a wait for the server's answer ends as a lost connection does."""
        self._line.stop()

    def facts(self) -> list[str]:
        """Return what there is to say of an open connection, in lines for people."""
        return self._line.facts() if self._line.open else []

    def _transact(self, message: Message) -> Receipt:
        sender = _address(message.sender)
        answer = self._line.mail(sender, len(message.raw))
        if not answer.good:
            return self._refused(f"the sender {sender}", answer, content=answer.too_long)
        answer = self._line.rcpt(message.recipient)
        if not answer.good:
            return self._refused("the address", answer)
        answer = self._line.data()
        if not answer.good:
            return self._refused("every message", answer)
        self._line.hand_over(message.raw)
        try:
            answer = self._line.last_answer(self._last_answer)
        except LineError as e:
            if e.silent:
                self._spare(str(e))
            return Receipt(State.UNKNOWN, f"the server may have the message, it did not say: {e}")
        if 200 <= answer.code < 300:
            return Receipt(State.SENT, str(answer))
        if not 400 <= answer.code < 600:
            self._line.drop()
            return Receipt(State.UNKNOWN, f"the server may have the message, its answer cannot be read: {answer.text}")
        return self._refused("the message", answer, content=not answer.of_mailbox)

    def _refused(self, what: str, answer: Answer, *, content: bool = False) -> Receipt:
        """Name a refusal. 5xx is the end where it speaks of the recipient or of the message.

        At MAIL and DATA it speaks of us, of a sender address or a server's rules that somebody will mend, and then
        every reader still wants the mail.
        """
        if answer.code == 421:
            self._line.drop()
        else:
            self._line.reset()
        never = 500 <= answer.code < 600
        said = f"{what} was {'refused' if never else 'put off'}: {answer}"
        if content and answer.too_long:
            said = f"the message was refused, it is too long for the server: {answer}"
        elif not self._logs_in and re.search(r"relay|authenticat|log ?in", answer.text, re.IGNORECASE):
            said += "; it wants a log-in: set MONITOR_SMTP_USER and MONITOR_SMTP_PASSWORD_FILE"
        elif never and what.startswith("the sender"):
            said += "; is MONITOR_SMTP_FROM an address that this server sends for?"
        final = never and (content or what in ("the address", "the message"))
        return Receipt(State.REFUSED if final else State.PENDING, said, content=final and content)

    def _count(self, receipt: Receipt, *, silent: bool) -> None:
        """Spare a server that serves nobody for the rest of the round."""
        if receipt.state is State.SENT:
            self._put_off = 0
        elif receipt.state in (State.PENDING, State.UNKNOWN):
            self._put_off += 1
            if silent or self._put_off >= MOST_PUT_OFF:
                self._spare(receipt.detail)

    def _spare(self, why: str) -> None:
        self._line.close()
        self._down = Receipt(
            State.PENDING, f"not asked, for the server did not serve the one before: {why}", asked=False
        )


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

    def open(self, recipient: str = "") -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def stop(self) -> None:
        """Nothing to stop."""


def _write(path: Path, content: bytes) -> None:
    """Write whole or not at all: no reader ever sees half a file."""
    half = path.with_name(path.name + ".part")
    with half.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)


def _address(sender: str) -> str:
    return sender.rpartition("<")[2].strip("<> ")
