"""Bytes → text: in which encoding a document is written, whatever it or its server says. Pure.

feedparser believes the server first, and a server that says `iso-8859-1` of everything can never be caught by a
failure to decode: every byte is a letter there.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

import chardet

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"<\?xml\s[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_START = 4096
_SAMPLE = 100_000  # chardet takes seconds for a mebibyte
# Each of these is read as its superset, which is what is meant by it.
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252", "ascii": "cp1252", "shift_jis": "cp932"}
_NO_ENCODINGS = {"undefined", "punycode", "idna", "unicode-escape", "raw-unicode-escape"}  # they raise even so
_ANY_BYTE = "cp1252"  # decodes nearly everything, so that it is no evidence
_ASIAN = ("gb", "big5", "euc", "shift", "cp932", "cp949", "johab", "hz", "iso2022")


def decode(body: bytes, content_type: str = "") -> str:
    """Read a document as text; what is in no encoding has U+FFFD in the places that cannot be read."""
    return _read(body, content_type)[0]


@dataclass(frozen=True, slots=True)
class Letters:
    """How a document is written: `name` is its encoding, `declared` the one that it or its server names, if any.

    `false`: it is not written as declared. `unreadable` counts the places that are in no encoding.
    """

    name: str
    declared: str
    false: bool
    unreadable: int


def letters_of(body: bytes, content_type: str = "") -> Letters:
    """Say how a document is written, and whether it says so."""
    text, used = _read(body, content_type)
    declared = next((label for label in _labels(body, content_type) if label), "")
    codec = _codec(declared) if declared else "utf"  # what begins with a mark of its own need not say it
    true = used == codec or (body.isascii() and codec != "") or used.startswith(f"{codec}-")
    name = declared if declared and true else used.replace("_", "-")
    return Letters(name.upper(), declared, not true, text.count("\ufffd") - body.count(b"\xef\xbf\xbd"))


def _read(body: bytes, content_type: str) -> tuple[str, str]:
    """Return a document as text, and the codec that it was read by."""
    named = [name for name in _named(body, content_type) if name]
    found = _marked(body) or _strictly(body, named) or _nearly_utf8(body)
    if found:
        return found
    likely = _likely(body, named)
    return body.decode(likely, "replace"), likely


def _marked(body: bytes) -> tuple[str, str] | None:
    """Read what says itself that its letters are two or four bytes wide: by a mark, or by zeros around the first."""
    name = next((name for mark, name in _MARKS if body.startswith(mark)), "")
    at = len(body) - len(body[:_START].lstrip(b" \t\r\n\0")) - len(body[_START:])
    if not name and body[at : at + 1] in (b"<", b"{") and body[at + 1 : at + 2] == b"\0":
        width = 4 if body[at + 1 : at + 4] == b"\0\0\0" else 2
        name = f"utf-{8 * width}-{'le' if at % width == 0 else 'be'}"
    text = _with_few_faults(body, name) if name else None
    return None if text is None else (text, name)


def _with_few_faults(body: bytes, name: str) -> str | None:
    text = body.decode(name, "replace")
    return text if text.count("\ufffd") <= len(text) // 20 else None


def _named(body: bytes, content_type: str) -> list[str]:
    """Return the codecs that the document and its server name; the document knows itself better."""
    return [_codec(label) if label else "" for label in _labels(body, content_type)]


def _labels(body: bytes, content_type: str) -> tuple[str, str]:
    """Return the encodings that the document and its server name, as they write them."""
    written = _DECLARED.search(body[:_START])
    said = _CHARSET.search(content_type)
    return written[1].decode("ascii", "replace") if written else "", said[1] if said else ""


def _codec(name: str) -> str:
    try:
        found = codecs.lookup(name).name
        if found.replace("_", "-") in _NO_ENCODINGS:
            return ""
        b"".decode(found)  # a codec of Python's may be no encoding of text (base64)
    except (LookupError, ValueError):
        return ""
    return _WIDER.get(found, found)


def _strictly(body: bytes, named: list[str]) -> tuple[str, str] | None:
    """Read as UTF-8, which other bytes do not come out as by accident, else as what is named."""
    escaped = [name for name in named if name.startswith(("iso2022", "hz"))]
    for name in (*escaped, "utf-8", *named):
        if name != _ANY_BYTE:
            try:
                return body.decode(name), name
            except (ValueError, LookupError):
                continue
    return None


def _nearly_utf8(body: bytes) -> tuple[str, str] | None:
    """Read as UTF-8 what has more letters of it than faults: one stray byte must not garble a feed."""
    text = body.decode("utf-8", "replace")
    faults = text.count("\ufffd")
    return (text, "utf-8") if faults < len(text) - len(text.encode("ascii", "ignore")) - faults else None


def _likely(body: bytes, named: list[str]) -> str:
    """Return the codec of bytes that no codec reads without a fault, or that none is named for."""
    for name in named:
        if name not in (_ANY_BYTE, "utf-8") and _with_few_faults(body[:_SAMPLE], name) is not None:
            return name
    guess = _codec(str(chardet.detect(body[:_SAMPLE])["encoding"] or ""))
    return guess if guess and (guess.startswith(_ASIAN) or _ANY_BYTE not in named) else _ANY_BYTE
