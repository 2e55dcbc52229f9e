"""JSON Feed 1.0 and 1.1 → entries. Pure.

https://www.jsonfeed.org/version/1.1/. What has a wrong type is taken as absent; what breaks off gives the items
before the break.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from monitor.feeds.letters import decode
from monitor.model import Entry, Failure, Parsed

MOST_ITEMS = 2000
_START = 4096
_SPACE = re.compile(r"[\s,]*")
_ITEMS = re.compile(r'"items"\s*:\s*\[')
_VERSION = re.compile(r'"version"\s*:\s*"https?:\\?/\\?/(?:www\.)?jsonfeed\.org\\?/version\\?/([^"]{0,8})')
# Of a document that json cannot read as a whole: the feed's own texts before its items.
_FIELD = re.compile(r'"(title|language)"\s*:\s*("(?:[^"\\\x00-\x1f]|\\.){0,1000}")')
# A number may have 4,300 digits in Python, and none of a feed's numbers is counted with.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def read(body: bytes, headers: Mapping[str, str]) -> Parsed | Failure | None:
    """Read a JSON Feed; None when the document is something else, Failure when it is one without readable items."""
    if b"{" not in body[:64]:  # most documents are XML: they are not decoded for nothing
        return None
    text = decode(body).strip("\ufeff \t\r\n")
    if not text.startswith("{"):
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        document = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return _broken(text, kind)
    items = document.get("items")
    version = _text(document, "version")
    if "jsonfeed.org" not in version and not (kind == "application/feed+json" and isinstance(items, list)):
        return None
    if not isinstance(items, list):
        return Failure("answered with a JSON Feed that has no list of items")
    return _parsed(document, items, version.rpartition("/")[2])


def _broken(text: str, kind: str) -> Parsed | Failure | None:
    """Read a JSON Feed that json cannot read as a whole: item by item, as far as it goes."""
    start = _ITEMS.search(text)
    version = _VERSION.search(text[:_START] if start is None else text[: min(start.start(), _START)])
    if version is None and not (start and kind == "application/feed+json"):
        return None
    items = list(_whole_items(text, start.end())) if start else []
    if not items:
        return Failure("answered with a JSON Feed that cannot be read (cut off or ill-formed)")
    head = text[: start.start() if start else 0][:_START]
    fields: dict[str, Any] = {}
    for name, value in _FIELD.findall(head):
        try:
            fields.setdefault(name, _DECODER.decode(value))
        except ValueError:
            continue
    return _parsed(fields, items, version[1] if version else "")


def _whole_items(text: str, at: int) -> Iterator[Any]:
    for _ in range(MOST_ITEMS):
        space = _SPACE.match(text, at)
        at = space.end() if space else at
        if not text.startswith("{", at):  # the list's end, or nothing that is an item
            return
        try:
            item, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield item


def _parsed(document: Mapping[str, Any], items: list[Any], version: str) -> Parsed:
    language = _text(document, "language")
    return Parsed(
        title=_plain(document, "title"),
        language=language,
        version="json11" if version == "1.1" else "json1",
        entries=tuple(_entry(item) for item in items[:MOST_ITEMS] if isinstance(item, dict)),
    )


def _entry(item: Mapping[str, Any]) -> Entry:
    return Entry(
        id=_text(item, "id"),
        link=_text(item, "url") or _text(item, "external_url"),
        title=_plain(item, "title"),
        summary=_plain(item, "summary"),
        content=_text(item, "content_html") or _plain(item, "content_text"),
        published=_text(item, "date_published") or _text(item, "date_modified"),
        published_utc=None,
        source="",
        language=_text(item, "language"),
    )


def _plain(mapping: Mapping[str, Any], key: str) -> str:
    """Return plain text as markup, which is what an entry's texts are."""
    return html.escape(_text(mapping, key), quote=False)


def _text(mapping: Mapping[str, Any], key: str) -> str:
    value = mapping.get(key)
    # Lone surrogates can be neither stored nor sent.
    return value.strip().encode("utf-8", "replace").decode() if isinstance(value, str) else ""
