"""A rendered edition as one finished mail: pure MIME assembly, the same bytes for the same inputs."""

from __future__ import annotations

import quopri
import re
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import parseaddr
from hashlib import sha256
from urllib.parse import quote

from monitor.digest.labels import say
from monitor.model import DigestPlan, Message, Rendered

# Controls, direction marks and zero-width characters; C1 and the Unicode line ends count as breaks.
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_HIDDEN = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_LONGEST = 250  # characters of a header: nobody reads further, and folding costs time


class _Policy(EmailPolicy):
    """SMTP's, but for two faults of the library's own folding.

    It turns an address without spaces into RFC 2047 words, where they are not allowed; and in a text
    of both scripts it makes such words longer than the 75 characters that RFC 2047 gives them.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        """Return one header as bytes; an address line breaks before the address only."""
        if name == "Subject":
            words = value.isascii() and max(map(len, value.split()), default=0) < 60
            header = Header(value, "us-ascii" if words else "utf-8", maxlinelen=76, header_name=name)
            return f"{name}: {header.encode(linesep=self.linesep)}{self.linesep}".encode("ascii")
        if name in {"Message-ID", "List-Id", "List-Unsubscribe"}:
            gap = " " if len(name) + len(value) + 2 <= 78 else f"{self.linesep} "
            return f"{name}:{gap}{value}{self.linesep}".encode("ascii", "replace")
        return super().fold_binary(name, value)


_POLICY = _Policy(linesep="\r\n")


def compose(
    rendered: Rendered,
    *,
    plan: DigestPlan,
    recipient: str,
    sender: str,
    message_id: str,
    date: datetime,
    owner: str,
) -> Message:
    """Return the mail to one recipient; `sender` may name itself: `News <news@example.com>`."""
    subject = _line(rendered.subject)
    name, address = parseaddr(_line(sender))
    address = _word(address)
    identifier = _identifier(message_id, address)
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = _address(address, name or say(plan.language, "name"))
    mail["To"] = _address(_word(parseaddr(_line(recipient))[1] or recipient))
    mail["Subject"] = subject
    mail["Date"] = date
    mail["Message-ID"] = identifier
    mail["List-Id"] = list_id(plan.name, address)
    if unsubscribe := mailto(owner, f"unsubscribe {plan.name}"):
        mail["List-Unsubscribe"] = f"<{unsubscribe}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    _fill(mail, rendered, boundary=f"=_{sha256(identifier.encode()).hexdigest()[:40]}")
    return Message(
        message_id=identifier,
        sender=address,
        recipient=recipient,
        subject=subject,
        raw=mail.as_bytes(),
    )


def make_message_id(name: str, sender: str) -> str:
    """Return the Message-ID `<name@domain>`, in the domain of the sender (RFC 5322 3.6.4)."""
    return f"<{name}@{sender.rpartition('@')[2].strip('> ') or 'localhost'}>"


def mailto(owner: str, subject: str) -> str:
    """Return the link that writes to `owner` about `subject`; empty when `owner` is no address."""
    address = _word(owner)
    if not re.fullmatch(r"[^@<>\"]+@[^@<>\"]+", address):
        return ""
    about = quote(_line(subject), safe="", errors="replace")
    return f"mailto:{quote(address, safe='@+')}?subject={about}"


def list_id(name: str, sender: str) -> str:
    """Return the RFC 2919 identifier, stable as long as the digest's name and the sender's domain are."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    if slug != name.lower():  # what the slug lost must not make two lists one
        slug = f"{slug}-{sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}".strip("-")
    domain = _word(sender).rpartition("@")[2] or "localhost.invalid"
    phrase = f'"{name}" ' if re.fullmatch(r"[\w .+-]{1,40}", name, re.ASCII) else ""
    return f"{phrase}<{slug}.{domain}>"


def _fill(mail: EmailMessage, rendered: Rendered, boundary: str) -> None:
    """Put in both parts, text first (RFC 2046, 5.1.4), under a boundary that neither encoding can write."""
    text, html = _body(rendered.text), _body(rendered.html)
    mail.set_content(text, charset="utf-8", cte=_encoding(text))
    mail.add_alternative(html, subtype="html", charset="utf-8", cte=_encoding(html))
    mail.set_boundary(boundary)


def transfer_size(text: str) -> int:
    """Return how many bytes a part takes in the mail, and in the reader's memory if that is more."""
    size = len(text.encode("utf-8", "replace"))
    if _encoding(text) == "base64":
        return size * 78 // 57 + 78  # 57 bytes make a line of 76 characters and its end
    return max(size, len(quopri.encodestring(text.encode("utf-8", "replace"))))


def _encoding(text: str) -> str:
    """Return the shorter of the two encodings that every hop carries: a Han costs 9 bytes or 4."""
    size = len(text.encode())
    other = size - sum(character.isascii() for character in text)
    return "base64" if 2 * other > size / 3 else "quoted-printable"


def _identifier(message_id: str, sender: str) -> str:
    """Return `message_id` in angle brackets; one that could not stand there is replaced by its hash."""
    bare = re.sub(r"[^A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]", "", message_id)
    if not re.fullmatch(r"[^@.]+(\.[^@.]+)*@[^@.]+(\.[^@.]+)*", bare):
        digest = sha256(message_id.encode("utf-8", "replace")).hexdigest()[:32]
        bare = f"{digest}@{_word(sender).rpartition('@')[2] or 'localhost.invalid'}"
    return f"<{bare}>"


def _address(address: str, name: str = "") -> Address:
    user, _, domain = address.replace("=?", "").rpartition("@")
    return Address(display_name=name.replace("=?", "= ?"), username=user, domain=domain)


def _line(text: str) -> str:
    """Return one line that may stand in a header; `=?` would be read as an RFC 2047 word."""
    line = _HIDDEN.sub("", _BREAKS.sub(" ", _SURROGATES.sub("\ufffd", text))).strip()
    return line.replace("=?", "= ?")[:_LONGEST].rstrip()


def _word(text: str) -> str:
    """Return what of `text` may stand in an address: printable ASCII without spaces."""
    return re.sub(r"[^!-~]", "", text)


def _body(text: str) -> str:
    return _CONTROLS.sub("", _SURROGATES.sub("\ufffd", text))
