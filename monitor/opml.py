"""Lists of feeds as other feed readers have them: OPML in, which anybody may have written, and OPML out.

A feed that is not polled is a commented outline (`isComment`), as OPML 2.0 has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from pydantic import TypeAdapter, ValidationError

from monitor.errors import MonitorError
from monitor.feeds.normalise import same
from monitor.lists import NewFeed
from monitor.model import Feed
from monitor.schema import WebAddress

_ADDRESS: TypeAdapter[str] = TypeAdapter(WebAddress)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?![^-_])")
# What XML 1.0 cannot hold, not even as a reference.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Reading:
    """What an OPML file holds, each address once; `remarks` say what was left out and why."""

    feeds: list[NewFeed]
    remarks: list[str]


@dataclass
class _Outlines:
    """Collects outlines as the parser meets them. `commented` has an entry for each that is open."""

    parser: expat.XMLParserType
    where: str
    feeds: dict[str, NewFeed] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    commented: list[bool] = field(default_factory=list)
    root: str = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if not self.root:
            self.root = name
            if name.lower() != "opml":
                raise MonitorError(f"{self.where}: is not a list of feeds (OPML); it begins with <{name[:40]}>")
        if name.lower() != "outline":
            return
        keys = {key.lower(): " ".join(value.split()) for key, value in attributes.items()}
        inherited = bool(self.commented) and self.commented[-1]
        self.commented.append(inherited or keys.get("iscomment", "").lower() == "true")
        if keys.get("xmlurl"):
            self.take(keys)

    def end(self, name: str) -> None:
        if name.lower() == "outline":
            self.commented.pop()

    def take(self, keys: Mapping[str, str]) -> None:
        url = re.sub(r"(?i)^feed:(?://)?(?=https?:)", "", keys["xmlurl"])
        url = re.sub(r"(?i)^feed://", "http://", url)
        name = keys.get("title") or keys.get("text") or ""
        try:
            _ADDRESS.validate_python(url)
        except ValidationError:
            line = self.parser.CurrentLineNumber
            what = f"{name}: {url[:200]}" if name else url[:200]
            self.remarks.append(f"{self.where}:{line}: left out, for it is not a web address: {what}")
            return
        language = _LANGUAGE.match(keys.get("language", "").lower())
        self.feeds.setdefault(
            same(url),
            NewFeed(
                url,
                "" if same(name) == same(url) else name,
                language[0] if language else "",
                enabled=not self.commented[-1],
            ),
        )

    def refuse_dtd(self, *_: object) -> None:
        line = self.parser.CurrentLineNumber
        raise MonitorError(f"{self.where}:{line}: not read, for it has a DTD (<!DOCTYPE …>); delete that and try again")


def read_opml(raw: bytes, where: str = "OPML") -> Reading:
    """Read OPML 1.0 or 2.0; `where` is the name that errors say. Folders are not kept.

    Raises:
        MonitorError: it is no OPML, is broken (names line and column), or has a DTD, which could hold an entity bomb.
    """
    parser = expat.ParserCreate()
    outlines = _Outlines(parser, where)
    parser.StartElementHandler = outlines.start
    parser.EndElementHandler = outlines.end
    parser.StartDoctypeDeclHandler = outlines.refuse_dtd
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as e:
        reason = expat.ErrorString(e.code) or "broken"
        raise MonitorError(
            f"{where}:{e.lineno}:{e.offset + 1}: is not valid XML: {reason}; export it again, or mend that place"
        ) from e
    except (LookupError, ValueError) as e:  # an encoding that is unknown or has several bytes a character
        raise MonitorError(f"{where}: is in an encoding that cannot be read; save it as UTF-8") from e
    return Reading(list(outlines.feeds.values()), outlines.remarks)


def write_opml(feeds: Iterable[Feed], title: str, now: datetime) -> bytes:
    """Return feeds as OPML 2.0."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<opml version="2.0">',
        "  <head>",
        f"    <title>{escape(_sound(title))}</title>",
        f"    <dateCreated>{format_datetime(now)}</dateCreated>",
        "  </head>",
        "  <body>",
        *(f"    <outline {_attributes(feed)}/>" for feed in feeds),
        "  </body>",
        "</opml>",
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _attributes(feed: Feed) -> str:
    name = feed.name or feed.address
    keys = {"type": "rss", "text": name, "title": name, "xmlUrl": feed.url, "language": feed.language}
    if not feed.enabled:
        keys["isComment"] = "true"
    return " ".join(f"{key}={quoteattr(_sound(value))}" for key, value in keys.items() if value)


def _sound(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
