"""How faults of a file are shown on a terminal: the line that is meant, and a mark below it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len

from monitor.errors import Fault

WIDTH = 100
"""How much of a long line is shown, in cells of a terminal."""
FAR = 1_000
"""So many characters from the place nothing is shown, however narrow they are: a line may have a million."""

_STYLES = {"fault": "1;31", "remark": "33", "example": "35", "place": "1", "faint": "2"}


def shown(fault: Fault, path: str, lines: Sequence[str], kind: str = "fault", *, colour: bool = False) -> Iterator[str]:
    """Yield the message, the line of the file, and a line with a caret under the place."""

    def paint(text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if colour else text

    where = f"{path}:{fault.line}:{fault.column}" if fault.line else path
    label = "" if kind == "fault" else f"{kind}: "
    yield f"{paint(where, 'place')}: {paint(label, kind) if label else ''}{fault.message}"
    if not 0 < fault.line <= len(lines):
        return
    text, before, under = excerpt(_without_passwords(lines[fault.line - 1]), fault.column)
    gutter = f"{fault.line:>6} | "
    yield f"{paint(gutter, 'faint')}{text}"
    yield f"{paint(' ' * (len(gutter) - 2) + '| ', 'faint')}{' ' * before}{paint('^' * under, kind)}"


def _without_passwords(line: str) -> str:
    """Hide who logs in at an address, in as many signs, so that the caret stays in its place."""
    return re.sub(r"(?<=://)[^/?#]*(?=@)", lambda found: "*" * len(found[0]), line)


def excerpt(line: str, column: int) -> tuple[str, int, int]:
    """Return the part of a line around a column (from 1), the cells before that place, and how many to underline."""
    at = min(column - 1, len(line))
    end = at + max(1, len(_word(line[at:])))
    start = max(0, at - FAR)
    # Room for a little behind the place: what is wrong there is often seen by what follows.
    while cell_len(_visible(line[start:end])) > WIDTH - 10 and start < at:
        start += 1
    shown_end = min(len(line), end + FAR)
    while cell_len(_visible(line[start:shown_end])) > WIDTH and shown_end > start + 1:
        shown_end -= 1
    head, tail = "…" * (start > 0), "…" * (shown_end < len(line))
    text = f"{head}{_visible(line[start:shown_end])}{tail}"
    before = cell_len(head + _visible(line[start:at]))
    under = cell_len(_visible(line[at : min(end, shown_end)]))
    return text, before, max(1, under)


def _word(text: str) -> str:
    """Return the word at the beginning of a text, or the sign."""
    found = re.match(r"[\w.@/-]*\w", text)
    return found[0] if found else text[:1]


def _visible(text: str) -> str:
    """Return a text in which what has no width, or another one on each terminal, is seen."""
    return re.sub(r"[\x00-\x1f\x7f-\xa0\xad\u200b-\u200f\u2028-\u202e\u2060\ufeff]", "·", text)


def counted(numbers: Mapping[str, int]) -> str:
    """Return how many there are of each kind, such as `3 faults, 1 remark`; empty where there is nothing."""
    several = {"fault": "faults", "remark": "remarks", "example that fails": "examples that fail"}
    return ", ".join(f"{number} {several[kind] if number > 1 else kind}" for kind, number in numbers.items() if number)
