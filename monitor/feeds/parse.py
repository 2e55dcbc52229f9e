"""Bytes and headers → entries. The only importer of feedparser, which never sees anything but bytes.

feedparser opens files and addresses when it is given text; it also reads entities, relative links and
dates in ways that `normalise` corrects. An ill-formed feed (`bozo`) gives what it has.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from xml.parsers import expat

import feedparser

from monitor.feeds import jsonfeed, quick
from monitor.feeds.letters import decode
from monitor.model import Entry, Failure, Parsed, Trouble

# What Google News answers, with HTTP 200, to readers that it does not like.
_PLACEHOLDERS = {"This feed is not available.", "该提要不可用", "该提要不可用。", "無法使用這個動態饋給。"}
MOST_ENTRIES = jsonfeed.MOST_ITEMS  # an entry of seven bytes costs kilobytes in feedparser
# feedparser spends some 40 µs and 10 KB on a tag, whatever it is; of what is ill-formed it reads every part twice.
MOST_TAGS = quick.MOST_TAGS
MOST_DEPTH = 256
MOST_NAMES = 1000  # attributes of a tag, declarations of namespaces: feedparser's time over them is quadratic
MOST_ILL_FORMED = 1024 * 1024  # bytes
MOST_ILL_FORMED_PARTS = 30_000  # tags and entities
MOST_PROLOG = 16 * 1024  # characters before the first tag; feedparser's time over them is quadratic
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?")
_ENTRY = re.compile(r"<(?:\w+:)?(?:item|entry)[\s/>]", re.IGNORECASE)
_FORBIDDEN = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ufffe\\uffff]")
_PART = re.compile(b"[<&]")
_FIRST_TAG = re.compile(r"<\w")
_LONG_ENTITY = re.compile(r"<!ENTITY[^>]{64,}>")  # one that is long unfolds a document to many times its size
# Not used, and a stray one of them raises in feedparser.
_UNUSED = re.compile(r"</?(?:\w+:)?(?:width|height|category|subject|keywords)(?:\s[^<>]*)?>", re.IGNORECASE)
_SPACES = re.compile(r"\s{32,}")
# The encoding is known by then, so that its declaration goes; what stands before it (a server's warnings) goes too.
_DECLARATION = re.compile(r"<\?xml\s[^>]{0,200}>")

# It looks for an address in an author's name in quadratic time, and authors are not used.
feedparser.mixin._FeedParserMixin._sync_author_detail = lambda *_: None


def parse(body: bytes, headers: Mapping[str, str]) -> Parsed | Failure:
    """Read one document; `headers` have lower-case names."""
    found: Parsed | Failure | None = quick.read(body, headers.get("content-type", ""))
    found = found or jsonfeed.read(body, headers) or with_feedparser(body, headers)
    return found if isinstance(found, Failure) else _placeholder(found) or found


def with_feedparser(body: bytes, headers: Mapping[str, str]) -> Parsed | Failure:
    """Read one document with feedparser, whatever it is."""
    data, sound = _bounded(_tidied(decode(body, headers.get("content-type", ""))))
    # No base address goes in: feedparser would write it into relative ids, and each move of the feed to another
    # host would make all of its items new. Markup is not sanitised: `normalise` does that, in a fraction of the time.
    try:
        document = feedparser.parse(
            data,
            response_headers={"content-type": "application/xml; charset=utf-8"},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as e:  # feedparser has raised from its depths on broken input; a feed must not stop the worker
        return Failure(f"cannot be parsed ({type(e).__name__})")
    if not document.get("version") and not document.entries:
        return _not_a_feed(body, headers)
    return Parsed(
        title=_text(document.feed, "title"),
        language=_text(document.feed, "language"),
        version=document.get("version") or "",
        entries=tuple(_entry(e) for e in document.entries[:MOST_ENTRIES]),
        sound=sound,
    )


def _placeholder(parsed: Parsed) -> Failure | None:
    """Return the failure that a document stands for whose one entry says that there is none."""
    words = parsed.entries[0].title.strip() if len(parsed.entries) == 1 else ""
    if words not in _PLACEHOLDERS:
        return None
    return Failure(f"refused with a placeholder: {words}", trouble=Trouble.PLACEHOLDER)


def _tidied(text: str) -> str:
    """Leave out what XML does not allow, so that one character does not make a whole feed ill-formed."""
    text = _SPACES.sub("\n", _FORBIDDEN.sub("", text))  # each line's end is an event
    text = _REFERENCE.sub(_repaired, _UNUSED.sub("", text)).lstrip("\ufeff \t\r\n")
    declaration = _DECLARATION.search(text[:MOST_PROLOG])
    text = text[declaration.end() :] if declaration else text
    first = _FIRST_TAG.search(text)
    end = first.start() if first else len(text)
    prolog = _LONG_ENTITY.sub("", text[:end]) if end <= MOST_PROLOG else ""
    return prolog + text[end:]


def _bounded(text: str) -> tuple[bytes, bool]:
    """Leave out what a feed has beyond all measure: of too many entries the last, of what is ill-formed the end.

    Return with it whether all of it is sound.
    """
    more = next(islice(_ENTRY.finditer(text), MOST_ENTRIES, None), None)
    if more:
        end = max(text.rfind("</item>"), text.rfind("</entry>"))
        text = text[: more.start()] + (text[end:].partition(">")[2] if end > more.start() else "")
    data = text.encode("utf-8", "replace")
    limit = _readable(data)
    if limit is None:
        return data, True
    data = data[: min(limit, MOST_ILL_FORMED)]
    last = next(islice(_PART.finditer(data), MOST_ILL_FORMED_PARTS, None), None)
    return (data[: last.start()] if last else data), False


def _readable(data: bytes) -> int | None:
    """Return where a document goes beyond all measure; its length if it is ill-formed, None if it is sound."""
    depth = tags = names = 0

    def start(_: str, attributes: dict[str, str]) -> None:
        nonlocal depth, tags
        depth, tags = depth + 1, tags + 1
        if depth > MOST_DEPTH or tags > MOST_TAGS or len(attributes) > MOST_NAMES:
            raise OverflowError

    def declare(*_: str | None) -> None:
        nonlocal names
        names += 1
        if names > MOST_NAMES:
            raise OverflowError

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartNamespaceDeclHandler = declare
    try:
        parser.Parse(data, True)
    except OverflowError:
        return int(parser.CurrentByteIndex)
    except expat.ExpatError:
        return len(data)
    return None


def _repaired(reference: re.Match[str]) -> str:
    """Replace a reference to no character (half an emoji, a number too large): feedparser raises on it."""
    digits = (reference[1] or reference[2]).lstrip("0")
    code = int(digits or "0", 16 if reference[1] else 10) if len(digits) < 8 else -1
    return reference[0] if 0 <= code < 0xD800 or 0xE000 <= code < 0x110000 else "&#xFFFD;"


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
