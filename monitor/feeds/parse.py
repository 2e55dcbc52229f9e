"""Bytes and headers → entries. The only importer of feedparser, which never sees anything but bytes.

feedparser opens files and addresses when it is given text; it also reads entities, relative links and
dates in ways that `normalise` corrects. An ill-formed feed (`bozo`) gives what it has.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax import SAXException

import feedparser

from monitor.feeds import quick
from monitor.model import Entry, Failure, Parsed, Trouble

# What Google News answers, with HTTP 200, to readers that it does not like.
_PLACEHOLDERS = {"This feed is not available.", "该提要不可用", "该提要不可用。", "無法使用這個動態饋給。"}
_REFERENCE = re.compile(rb"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?")


def parse(body: bytes, headers: Mapping[str, str]) -> Parsed | Failure:
    """Read one document; `headers` have lower-case names."""
    plain = quick.read(body, headers.get("content-type", ""))
    found = with_feedparser(body, headers) if plain is None else plain
    return found if isinstance(found, Failure) else _placeholder(found) or found


def with_feedparser(body: bytes, headers: Mapping[str, str]) -> Parsed | Failure:
    """Read one document with feedparser, whatever it is."""
    # No base address goes in: feedparser would write it into relative ids, and each move of the feed to another
    # host would make all of its items new.
    known = {name: headers[name] for name in ("content-type",) if name in headers}
    try:
        # `normalise` makes plain text of all markup; cleaning it first would take longer than everything else.
        document = feedparser.parse(
            _REFERENCE.sub(_repaired, body), response_headers=known, sanitize_html=False, resolve_relative_uris=False
        )
    except Exception as e:  # feedparser has raised from its depths on broken input; a feed must not stop the worker
        return Failure(f"cannot be parsed ({type(e).__name__})")
    if not document.get("version") and not document.entries:
        return _not_a_feed(body, headers)
    return Parsed(
        title=_text(document.feed, "title"),
        language=_text(document.feed, "language"),
        version=document.get("version") or "",
        entries=tuple(_entry(e) for e in document.entries),
        sound=not isinstance(document.get("bozo_exception"), SAXException),
    )


def _placeholder(parsed: Parsed) -> Failure | None:
    """Return the failure that a document stands for whose one entry says that there is none."""
    words = parsed.entries[0].title.strip() if len(parsed.entries) == 1 else ""
    if words not in _PLACEHOLDERS:
        return None
    return Failure(f"refused with a placeholder: {words}", trouble=Trouble.PLACEHOLDER)


def _repaired(reference: re.Match[bytes]) -> bytes:
    """Replace a reference to no character (half an emoji, a number too large): feedparser raises on it."""
    digits = (reference[1] or reference[2]).lstrip(b"0")
    code = int(digits or b"0", 16 if reference[1] else 10) if len(digits) < 8 else -1
    return reference[0] if 0 <= code < 0xD800 or 0xE000 <= code < 0x110000 else b"&#xFFFD;"


def _entry(e: Any) -> Entry:
    content = e.get("content") or []
    source = e.get("source") or {}
    return Entry(
        id=_text(e, "id"),
        link=_text(e, "link"),
        title=_text(e, "title"),
        summary=_text(e, "summary"),
        content=max((_text(c, "value") for c in content), key=len, default=""),
        published=_text(e, "published") or _text(e, "updated"),
        published_utc=_time(e.get("published_parsed") or dict.get(e, "updated_parsed")),
        source=_text(source, "title"),
        language=_text((e.get("title_detail") or {}), "language"),
    )


def _text(mapping: Any, key: str) -> str:
    value = dict.get(mapping, key)  # feedparser's own get maps `updated` to `published`, with a warning
    # Lone surrogates (a feed's &#55357;) can be neither stored nor sent.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _time(parsed: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(timegm(parsed), UTC) if parsed else None
    except (ValueError, OverflowError, TypeError, OSError):
        return None


def _not_a_feed(body: bytes, headers: Mapping[str, str]) -> Failure:
    if not body.strip():
        return Failure("answered with an empty document", trouble=Trouble.NOTHING)
    kind = headers.get("content-type", "").split(";")[0].strip()
    start = body[:2000].lower()
    if b"<html" in start or b"<!doctype html" in start:
        return Failure("answered with a web page, not a feed", trouble=Trouble.PAGE)
    return Failure(f"answered with something that is not a feed ({kind or 'no content type'})", trouble=Trouble.PAGE)
