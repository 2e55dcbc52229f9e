"""What of a changed document is new: entries whose bytes were there last time are cut out before it is parsed. Pure.

Parsing costs far more than comparing bytes. What cannot be cut with certainty is parsed whole.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from hashlib import blake2b

from monitor.feeds.jsonfeed import MOST_ITEMS

WIDTH = 8
"""Bytes of one entry's hash."""
# Not beyond the next `<`: over tags that never close, time would be quadratic.
_TAGS = re.compile(rb"<(/?)(item|entry)(?=[\s/>])[^<>]*>")
_OTHER_TAGS = re.compile(rb"<(?:[\w.-]+:)?(?:item|entry)[\s/>]", re.IGNORECASE)
_END = re.compile(rb"</(?:[\w.-]+:)?(?:rss|feed|rdf)\s*>", re.IGNORECASE)
_END_OF_ENTRY = re.compile(rb"</(?:[\w.-]+:)?(?:item|entry)\s*>", re.IGNORECASE)
TAIL = 4096
"""Bytes in which the end of a document mostly stands; some have a server's remarks behind it."""
_ASIDES = ((b"<![CDATA[", b"]]>"), (b"<!--", b"-->"))


@dataclass(frozen=True, slots=True)
class Cut:
    """A document without the entries that were seen. `hashes` are those of all its entries, in order."""

    rest: bytes
    hashes: bytes
    known: int

    @property
    def total(self) -> int:
        """How many entries there are."""
        return len(self.hashes) // WIDTH

    @property
    def left(self) -> int:
        """How many entries were not seen."""
        return self.total - self.known


def cut(body: bytes, seen: bytes) -> Cut | None:
    """Cut out the entries whose hashes are in `seen`; None when it is not certain where entries begin and end."""
    bounds = _entries(body)
    if bounds is None or len(bounds) > MOST_ITEMS:  # of more only so many are read, and the others are not known
        return None
    known = {seen[at : at + WIDTH] for at in range(0, len(seen), WIDTH)}
    hashes, parts, last, count = [], [], 0, 0
    for start, end in bounds:
        digest = blake2b(body[start:end], digest_size=WIDTH).digest()
        hashes.append(digest)
        if digest in known:
            parts.append(body[last:start])
            last = end
            count += 1
    parts.append(body[last:])
    return Cut(b"".join(parts), b"".join(hashes), count)


def broken_off(body: bytes) -> bytes | None:
    """Return what is whole of a document that broke off before its end; None of one that is not known to have.

    Without a length a connection that is lost looks like the end. The last entry would be read as far as it came: half
    a headline, and without its id another item than the whole one will be.
    """
    if b"\x00" in body[:64] or _END.search(body, len(body) - TAIL if len(body) > TAIL else 0) or _END.search(body):
        return None
    ends = [tag.end() for tag in _END_OF_ENTRY.finditer(body)]
    if ends:
        return body[: ends[-1]]
    first = _OTHER_TAGS.search(body)
    return body[: first.start()] if first else None


def _entries(body: bytes) -> list[tuple[int, int]] | None:
    """Return where entries stand, tags included; None unless tags open and close by turns.

    A tag within CDATA, a comment or another entry upsets the turns, or stands in a piece whose bytes are compared with
    themselves: no CDATA or comment goes over the border of a piece. An entry that writes its tag in another way stands
    outside of all pieces. Two-byte encodings have no tags here; what entities mean is told outside of the entries.
    """
    if b"<!ENTITY" in body[: 64 * 1024] or b"\x00" in body[:64]:
        return None
    found: list[tuple[int, int]] = []
    opened = None
    name = b""
    for tag in _TAGS.finditer(body):
        if tag[1]:
            if opened is None or tag[2] != name:
                return None
            found.append((opened, tag.end()))
            opened = None
        elif opened is not None or tag[0].endswith(b"/>") or name not in (b"", tag[2]):
            return None
        else:
            opened, name = tag.start(), tag[2]
    if opened is not None or not found:
        return None
    borders = [0, *(border for bounds in found for border in bounds), len(body)]
    if any(_OTHER_TAGS.search(body, start, end) for start, end in zip(borders[::2], borders[1::2], strict=True)):
        return None
    return None if _cuts_asides(body, borders) else found


def _cuts_asides(body: bytes, borders: list[int]) -> bool:
    """Tell whether one of the borders lies in CDATA or in a comment."""
    at = 0
    while (at := body.find(b"<!", at)) >= 0:
        opening, closing = next((pair for pair in _ASIDES if body.startswith(pair[0], at)), (b"<!", b""))
        end = body.find(closing, at + len(opening))
        if end < 0 or bisect_right(borders, at) != bisect_left(borders, end + len(closing)):
            return True
        at = end + len(closing)
    return False
