"""Plain text that came from anywhere, made fit for a line, a heading or a page of text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

LINE = 72  # columns of the text part; a Han character takes two

UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_WIDE = (
    "\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6"
    "\U0001f300-\U0001faff\U00020000-\U0003ffff"
)
OPENING, CLOSING = "（《「『【〈“‘", "，。、；：？！）》」』】〉％"
_JOINED = "[\u0300-\u036f\u3099\u309a\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]*"  # accents, shades of emoji
# What a line may be broken around: an address, a Latin word or one wide character, with the opening
# marks before it and the closing marks after it.
_UNIT = re.compile(
    rf"[{OPENING}]*(?:https?://[!-~]+|(?:(?!https?://)[^\s{_WIDE}])+|[{_WIDE}]{_JOINED}[”’…—,.;:!?)\]}}%]*)"
    rf"[{CLOSING}]*"
)


def clean(text: str) -> str:
    """Return `text` on one line, without the characters that could disturb its surroundings."""
    return " ".join(UNSAFE.sub("", " ".join(text.split())).split())


def columns(text: str) -> int:
    """Return the width of `text` on a terminal, where a wide character takes two columns."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def pad(text: str, width: int) -> str:
    """Return `text` with spaces up to `width` columns."""
    return text + " " * max(0, width - columns(text))


def cut(text: str, limit: int) -> str:
    """Return `text` on one line, cut to `limit` columns; an ellipsis tells that it was."""
    text = clean(text)
    end = border(text, limit)
    return text if end == len(text) else text[:end] + "…"


def border(text: str, limit: int) -> int:
    """Return where to cut: below `limit`, at a word's end if one is near, never within a character."""
    if len(text) <= limit and columns(text) <= limit:
        return len(text)
    end = room = 0
    while (room := room + columns(text[end])) < limit:
        end += 1
    while end and (unicodedata.combining(text[end]) or text[end] in "\ufe0e\ufe0f"):
        end -= 1
    if word := re.search(rf"(?<=[\s{_WIDE}])[^\s{_WIDE}]{{1,30}}\Z", text[:end]):
        end = end if re.match(rf"[\s{_WIDE}]", text[end]) else word.start()
    return len(text[:end].rstrip(" ,;:，、；：")) or end


def wrap(text: str, indent: int = 0) -> str:
    """Return `text` in lines of 72 columns; those after the first are indented. Addresses stay whole."""
    lines, room = [""], LINE - indent
    for word in clean(text).split(" "):
        gap = " "
        for unit in _pieces(word, room):
            if lines[-1] and columns(lines[-1] + gap + unit) > room:
                lines.append("")
            lines[-1] += (gap if lines[-1] else "") + unit
            gap = ""
    return ("\n" + " " * indent).join(lines)


def _pieces(word: str, room: int) -> Iterator[str]:
    for unit in _UNIT.findall(word):
        while columns(unit) > room and "://" not in unit:
            end = max(size for size in range(1, room + 1) if columns(unit[:size]) <= room)
            yield unit[:end]
            unit = unit[end:]
        yield unit


def underline(text: str, mark: str = "-") -> str:
    """Return a heading for plain text."""
    return f"{wrap(text)}\n{mark * min(LINE, columns(clean(text)))}"
