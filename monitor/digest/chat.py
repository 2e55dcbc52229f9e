"""The only module that speaks to chats, through Apprise (the extra `apprise`): Slack, Teams, WeCom, ntfy and others.

A channel gets the same frozen message as a reader: its subject, and its text part as far as the service has room. Its
address holds a token, so it is shown nowhere, nor anything that Apprise logs of it: what it logs is heard here and
nowhere else, for it says in no other way why something failed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email import message_from_bytes, policy
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import unquote

from monitor.digest.labels import say
from monitor.model import CHANNEL, Message, Receipt, State

if TYPE_CHECKING:
    import apprise

READ = 15.0
"""Seconds to wait for a service's answer; Apprise gives up after four, and then nobody knows whether it took it."""
BESIDE = 24
"""Bytes that a service may put between title and text."""

_NUMBER = re.compile(r"\| #\d+$", re.MULTILINE)
_HEADING = re.compile(r"[^\n]+\n([-=])\1*")


def installed() -> bool:
    """Tell whether the extra is installed."""
    return find_spec("apprise") is not None


class ChatSender:
    """Sends messages to channels; `addresses` are Apprise's, by name. `fault` is why there are none."""

    def __init__(self, addresses: Mapping[str, str], fault: str = "") -> None:
        self._addresses, self._fault = addresses, fault

    def open(self, recipient: str = "") -> Receipt | None:
        """Tell why nothing can be sent to a channel, before anything is; a connection is made for each message."""
        name = recipient.removeprefix(CHANNEL)
        if self._fault:
            return Receipt(State.PENDING, self._fault)
        if name not in self._addresses:
            known = ", ".join(sorted(self._addresses)) or "none"
            said = f"no channel is called {name!r} in the file that MONITOR_CHANNELS_FILE names; there is: {known}"
            return Receipt(State.PENDING, said)
        if not installed():
            return Receipt(State.PENDING, "Apprise is not installed: make apprise, or an image with EXTRAS=apprise")
        return None

    def __call__(self, message: Message) -> Receipt:
        """Send one message, and say how that ended."""
        if down := self.open(message.recipient):
            return down
        address = self._addresses[message.recipient.removeprefix(CHANNEL)]
        with _heard() as log:
            service = _service(address)
            if service is None:
                kind = address.partition("://")[0] if "://" in address else "no kind"
                words = f"Apprise does not understand the address ({kind}://…){log.words(address)}"
                return Receipt(State.PENDING, f"{words}; see its wiki for the form of this service's")
            return _notify(service, message, address, log)

    def close(self) -> None:
        """Nothing to close."""

    def stop(self) -> None:
        """Nothing that can be ended: an answer is waited for no longer than `READ`."""


class _Log(logging.Handler):
    """What Apprise logs while one message is sent."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self._lines.append((record.levelno, record.getMessage()))

    @property
    def text(self) -> str:
        """All of it; it may hold tokens."""
        return "\n".join(line for _, line in self._lines)

    @property
    def code(self) -> int:
        """The status of the service's answer; 0 where none is told."""
        found = re.findall(r"\berror=(\d{3})\b", self.text)
        return int(found[-1]) if found else 0

    def words(self, address: str) -> str:
        """Return the warnings and the service's own words as the end of a sentence, without anything of its address."""
        said = [line for level, line in self._lines if level >= logging.WARNING]
        said += re.findall(r"Response Details:\s*b?['\"](.{1,200})", self.text, re.DOTALL)[-1:]
        return f": {_without(address, ' '.join(' '.join(said).split()))[:300]}" if said else ""


@contextmanager
def _heard() -> Iterator[_Log]:
    log = _Log()
    # What speaks HTTP for it logs addresses, too.
    before = [(logger, logger.level, logger.propagate) for logger in map(logging.getLogger, ("apprise", "urllib3"))]
    for logger, _, _ in before:
        logger.addHandler(log)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
    try:
        yield log
    finally:
        for logger, level, propagate in before:
            logger.removeHandler(log)
            logger.setLevel(level)
            logger.propagate = propagate


def _service(address: str) -> apprise.NotifyBase | None:
    import apprise

    # In memory: the root may be read-only, and what it would write holds tokens.
    asset = apprise.AppriseAsset(app_id="rift-monitor", async_mode=False, secure_logging=True, storage_mode="memory")
    service = apprise.Apprise.instantiate(address, asset=asset)
    if service is not None and "rto=" not in address:
        service.socket_read_timeout = READ
    return service


def _notify(service: apprise.NotifyBase, message: Message, address: str, log: _Log) -> Receipt:
    import apprise

    room = service.body_maxlen - len(message.subject.encode("utf-8", "replace")) - BESIDE
    body = fitted(text_of(message), room, language_of(message))
    sender = apprise.Apprise(asset=service.asset)
    sender.add(service)
    taken = sender.notify(body=body, title=message.subject, body_format=apprise.NotifyFormat.TEXT)
    if taken:
        return Receipt(State.SENT, "the service has taken it")
    if log.code:
        return _answered(log.code, log.words(address))
    # What failed before the request was out is certain; after that only the answer tells.
    if re.search(r"NewConnectionError|ConnectTimeout|NameResolution|Connection refused|SSLError", log.text):
        return Receipt(State.PENDING, f"the service cannot be reached{_why(log.text)}")
    if "Socket Exception" in log.text:
        return Receipt(State.UNKNOWN, "the service may have it: the connection was lost before its answer")
    return Receipt(State.PENDING, f"not sent{log.words(address) or ': Apprise does not say why'}")


def _answered(code: int, words: str) -> Receipt:
    """Return what a status of HTTP means: a token that is refused may be mended, a server that is busy may be free."""
    if code in (408, 425, 429) or (code >= 500 and code != 504):
        return Receipt(State.PENDING, f"put off with HTTP {code}{words}")
    if code == 504:
        return Receipt(State.UNKNOWN, f"the service may have it, it answered with HTTP {code}{words}")
    return Receipt(State.REFUSED, f"refused with HTTP {code}{words}", content=code == 413)


def _why(text: str) -> str:
    for sign, words in (
        ("refused", "connection refused"),
        ("SSLError", "its certificate is not trusted, or TLS did not begin"),
        ("NameResolution", "its host was not found"),
        ("ConnectTimeout", "no answer"),
    ):
        if sign in text:
            return f": {words}"
    return ""


def _without(address: str, words: str) -> str:
    """Return words without any part of an address that may be secret."""
    rest = address.partition("://")[2]
    for part in sorted({*re.split(r"[/:@?&=,\s]+", rest), *re.split(r"[/:@?&=,\s]+", unquote(rest))}, key=len)[::-1]:
        if len(part) >= 4:
            words = words.replace(part, "…")
    return words


# ---------------------------------------------------------------- the text


def text_of(message: Message) -> str:
    """Return the text part of a message."""
    part = message_from_bytes(message.raw, policy=policy.default).get_body(("plain",))
    return str(part.get_content()).replace("\r\n", "\n").strip() if part else ""


def language_of(message: Message) -> str:
    """Return the language of a message's own words, as its page names it."""
    page = message_from_bytes(message.raw, policy=policy.default).get_body(("html",))
    return "zh" if page and re.search(r'<html lang="zh', str(page.get_content())) else "en"


def fitted(text: str, most: int, language: str) -> str:
    """Return as many whole stories as have room in so many bytes, and how many more there are.

    Bytes of UTF-8, for some services count those and none counts more. A story begins with the lines that end in its
    number; where no story has one, paragraphs are cut.
    """
    if len(text.encode()) <= most:
        return text
    units = _units(text)
    for count in range(len(units) - 1, 0, -1):
        kept = units[:count]
        while kept and _HEADING.fullmatch(kept[-1].strip()):
            kept.pop()
        more = len(_NUMBER.findall("\n".join(units[count:])))
        tail = say(language, "held", n=more) if more else "…"
        cut = "\n\n".join([*kept, tail])
        if kept and len(cut.encode()) <= most:
            return cut
    return text.encode()[: max(0, most - 3)].decode("utf-8", "ignore") + "…"


def _units(text: str) -> list[str]:
    """Part a text before each story and each heading."""
    units: list[str] = []
    for block in re.split(r"\n{2,}", text):
        begins = _NUMBER.search(block) or _HEADING.match(block) or not _NUMBER.search(text)
        if begins or not units:
            units.append(block)
        else:
            units[-1] += f"\n\n{block}"
    return units
