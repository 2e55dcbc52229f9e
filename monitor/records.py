"""An item of the archive as it is given away: one flat record, with the same keys in every format. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from monitor.errors import without_credentials
from monitor.model import Archived

BOM = "\ufeff"
"""Without it Excel reads a CSV as Windows-1252, and 微软 as å¾®è½¯."""
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A cell that begins so is run by spreadsheets; these words come from the web."""


def record(one: Archived) -> dict[str, Any]:
    """Return the record of an item; docs/archive.md describes the keys, which stay."""
    item, verdict = one.item, one.verdict
    return {
        "id": one.number,
        "published": _utc(item.published),
        "first_seen": _utc(item.first_seen),
        "title": item.title,
        "summary": item.summary,
        "link": item.link,
        "outlet": item.outlet,
        "feed": without_credentials(item.feed_url),
        "language": item.language,
        "hit": verdict.covered,
        "themes": [theme for theme, _ in verdict.themes],
        "words": _words(one),
        "likelihood": one.likelihood,
        "doubted": verdict.doubted,
        "told": [{"digest": told.digest, "edition": told.edition, "at": _utc(told.at)} for told in one.told],
    }


def _words(one: Archived) -> list[str]:
    """Return the words for which an item has its themes, as title, summary and text spell them, each once."""
    fields = {"title": one.item.title, "summary": one.item.summary, "text": one.item.text}
    places = sorted(
        (list(fields).index(e.field), e.start, e.end, fields[e.field][e.start : e.end])
        for e in one.verdict.evidence
        if e.clause.startswith("theme.")
    )
    spelled: dict[str, str] = {}
    for _, _, _, word in places:
        spelled.setdefault(word.casefold(), word)
    return [" ".join(word.split()) for word in spelled.values() if word.strip()]


def as_jsonl(items: Iterable[Archived]) -> Iterator[str]:
    """Yield a line of JSON an item."""
    for one in items:
        yield json.dumps(record(one), ensure_ascii=False) + "\n"


def as_csv(items: Iterable[Archived]) -> Iterator[str]:
    """Yield the lines of a CSV that Excel opens as it is: a BOM, heads, and nothing that is run as a formula."""
    line = io.StringIO()
    write = csv.writer(line).writerow
    write(COLUMNS)
    yield BOM + _taken(line)
    for one in items:
        write([_cell(name, value) for name, value in record(one).items()])
        yield _taken(line)


COLUMNS = (
    "id", "published", "first_seen", "title", "summary", "link", "outlet", "feed", "language", "hit", "themes",
    "words", "likelihood", "doubted", "told",
)  # fmt: skip
FORMATS = {"csv": as_csv, "jsonl": as_jsonl}


def _taken(line: io.StringIO) -> str:
    text = line.getvalue()
    line.seek(0)
    line.truncate()
    return text


def _cell(name: str, value: Any) -> str | int | float:
    match value:
        case None:
            return ""
        case bool():
            return int(value)
        case list():
            return harmless("; ".join(_in_a_list(part) for part in value))
        case str() if name in ("published", "first_seen"):
            return value.replace("T", " ").removesuffix("Z")  # Excel knows this form as a date
        case str():
            return harmless(value)
    return value  # type: ignore[no-any-return]


def _in_a_list(part: Any) -> str:
    return f"{part['digest']} {part['edition']}" if isinstance(part, dict) else str(part)


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe before what one could begin with."""
    return f"'{cell}" if cell.startswith(FORMULAS) else cell


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"
