"""Entry → Item: clean address, real date in UTC, plain text, language. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import nh3
from dateutil import parser as dates
from w3lib.url import safe_url_string

from monitor.errors import without_credentials
from monitor.model import Entry, Feed, Item, Parsed

MAX_TITLE = 500
SAMPLE = 400  # characters that tell a language as well as all of them
MAX_SUMMARY = 2000
FIRST_SIGHT = timedelta(hours=24)  # what a feed seen for the first time may still tell as news
LATE = timedelta(days=7)  # how far before the last good poll an item may be dated and still be news
FIRST_MOST = 50  # and at most so many: some feeds are whole archives, and date all of it today
FUTURE = timedelta(hours=24)  # a clock may be wrong by a day; beyond that the date is not believed
EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)

MAX_LINK = 8000  # beyond what servers and browsers take
MAX_ID = 2000
MAX_DATE = 200
MAX_MARKUP = 50_000  # time over nested tags is quadratic
MAX_OPEN = 500  # opened and never closed, where they are nested: 50,000 characters of them take half a second
BLOCKS = {
    "p", "br", "div", "li", "ul", "ol", "tr", "td", "th", "caption", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote",
    "pre", "hr", "dl", "dt", "dd", "figure", "figcaption", "section", "article", "aside", "header", "footer", "main",
    "nav", "address", "details", "summary", "option",
}  # fmt: skip
NO_ATTRIBUTES: dict[str, set[str]] = {"*": set()}  # an empty dict would keep lang and title
_TAG = re.compile(r"<[A-Za-z/!][^<>]*>")
_OPENED = re.compile(r"<[A-Za-z]")
_PLAIN_TAG = re.compile(
    r"</?(p|br|div|span|a|img|b|i|u|s|em|strong|small|sub|sup|cite|code|q|mark|time|ul|ol|li|h[1-6]|blockquote|figure"
    r"|figcaption|hr|section|article)(?:\s+[a-z-]+(?:=\"[^\"<>]*\"|='[^'<>]*')?)*\s*/?>",
    re.IGNORECASE,
)
_BLOCK_TAG = re.compile(r"</?[a-z][a-z0-9]*>")
_ABSURD = re.compile(r"&#\d{8,};?")  # html.unescape raises beyond 4300 digits
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")
# Zero-width characters, soft hyphens, bidirectional controls and C0/C1 controls: they split words and disturb a page.
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_HOST = re.compile(r"[!-~]+")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa]{2}")  # Japanese has Han characters too
_LETTER = re.compile(r"[^\W\d_]")
_TRACKING = re.compile(
    r"(?:utm_\w+|at_(?:medium|campaign|link_\w+|format|ptr_name)|fbclid|gclid|dclid|msclkid|yclid|igshid|mc_[ce]id"
    r"|spm|scm|ref_src|cmpid|cmp|smid|smtyp|guccounter|_hsenc|_hsmi|mkt_tok|ocid|xtor)",
    re.IGNORECASE,
)
# An address that no cleaning would change: its host in small letters, nothing escaped, no fragment.
_PLAIN_LINK = re.compile(r"(https?://[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::[1-9]\d{0,3})?/[\w/.~-]*)(\?[\w=&.~-]*)?", re.ASCII)
# What WordPress appends to every excerpt.
_BOILERPLATE = re.compile(r"(?:\s*\[…\])?\s*The post .{1,300} (?:appeared first on|first appeared on) .{1,100}$")
# Days of the week, `GMT` before an offset (dateutil would turn its sign), a zone's name in brackets.
_REMARKS = re.compile(r"(?:星期|周|週)[一二三四五六日天]|\b(?:GMT|UTC?)\s*(?=[+-]\d)|\([^()]*\)$")
# RFC 822 names the North American zones; every other letter code is ambiguous and is read as no zone.
_ZONES = {
    name: timezone(timedelta(hours=hours))
    for name, hours in
    {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}.items()
}  # fmt: skip
_RFC_3339 = re.compile(r"[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_RFC_822 = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [12]\d{3}"
    r" \d\d:\d\d:\d\d (?:GMT|[+-]\d{4})",
    re.ASCII,
)
# What a date leaves out: the year 1 makes it unbelievable, where today would make it news.
_NOWHEN = datetime(1, 1, 1)  # noqa: DTZ001 (dateutil must see whether a zone was written)
# The time zero of some programs, `01 Jan 0001`: it would be read as 2001.
_FIRST_YEARS = re.compile(r"(?:^|[\s,])000\d(?=\s|$)")
_LATIN_ZONES: dict[str, tzinfo] = {"UT": UTC, "UTC": UTC, "GMT": UTC, "Z": UTC, **_ZONES}


def normalise(
    entry: Entry, feed: Feed, parsed: Parsed, *, now: datetime, last_ok: datetime | None, base: str = ""
) -> Item:
    """Make an item of an entry.

    `last_ok` is the feed's last good poll, None at first sight; relative links stand against `base`, the address
    that answered.
    """
    link = clean_link(entry.link, without_credentials(base or feed.url)) if entry.link else ""
    source = plain_text(entry.source)
    outlet = source or feed.name or plain_text(parsed.title) or urlsplit(feed.url).hostname or feed.address
    title = without_suffix(plain_text(entry.title)[:MAX_TITLE], source)
    # An aggregator's list of links to other headlines says nothing of this one, and would be judged as if it did.
    listing = bool(entry.source) and "<li>" in entry.summary
    text = "" if listing else plain_text(entry.summary) or plain_text(entry.content)
    summary = cut(_BOILERPLATE.sub("", text) if "The post " in text else text, MAX_SUMMARY)
    date = read_date(entry.published, entry.published_utc, feed.timezone)
    believable = date is not None and EARLIEST <= date <= now + FUTURE
    published = date if date is not None and believable else now
    return Item(
        feed_url=feed.url,
        key=identity(entry, link),
        link=link,
        title=title,
        summary=summary,
        outlet=outlet,
        language=feed.language or language_of(f"{title} {summary}", entry.language or parsed.language),
        published=min(published, now),
        first_seen=now,
        dated=believable,
        backlog=is_backlog(date if believable else None, now, last_ok),
    )


def identity(entry: Entry, link: str) -> str:
    """Return the name of an entry within its feed: its id, else its clean link, else a hash of its words.

    An id that is too long is hashed. The hash of words takes title and date as the feed wrote them, so that it does
    not change with our reading of them.
    """
    if entry.id:
        return entry.id if len(entry.id) <= MAX_ID else _hashed(entry.id)
    if link:
        return link
    words = "\0".join((entry.title, entry.published) if entry.title else (entry.summary, entry.published))
    return _hashed(words)


def _hashed(words: str) -> str:
    return "sha256:" + sha256(words.encode("utf-8", "surrogatepass")).hexdigest()


def told_apart(items: Sequence[Item]) -> list[Item]:
    """Give items of one document that share a key but not an address keys of their own.

    Some feeds write one and the same guid into every entry.
    """
    links: dict[str, set[str]] = {}
    for item in items:
        links.setdefault(item.key, set()).add(item.link)
    return [replace(item, key=f"{item.key} {item.link}") if len(links[item.key]) > 1 else item for item in items]


def is_backlog(published: datetime | None, now: datetime, last_ok: datetime | None) -> bool:
    """Tell whether an item was old when its feed first showed it.

    A feed seen for the first time tells one day; undated entries would tell its whole archive, so they wait for
    the next poll. Later, whatever is new since the last good poll is news, with a week's grace for late publishing.
    """
    if last_ok is None:
        return published is None or published < now - FIRST_SIGHT
    return published is not None and published < min(last_ok, now) - LATE  # a clock may have run ahead


def capped(items: Sequence[Item]) -> list[Item]:
    """Let at most `FIRST_MOST` items of a feed's first document be news, the newest of them."""
    fresh = sorted((item for item in items if not item.backlog), key=lambda item: item.published, reverse=True)
    late = {id(item) for item in fresh[FIRST_MOST:]}
    return [replace(item, backlog=True) if id(item) in late else item for item in items]


def date_fault(written: str, parsed: datetime | None, zone: str, now: datetime) -> str:
    """Return what is wrong with a date that is there: `future`, `unreadable` or nothing."""
    if not written.strip():
        return ""
    date = read_date(written, parsed, zone)
    if date is None or date < EARLIEST:
        return "unreadable"
    return "future" if date > now + FUTURE else ""


def clean_link(link: str, base: str = "") -> str:
    """Return an http(s) address without tracking parameters and fragment, or an empty string."""
    link = link.strip()
    if len(link) > MAX_LINK:
        return ""
    if plain := _PLAIN_LINK.fullmatch(link):
        return plain[1] + _without_tracking(plain[2])
    try:
        parts = urlsplit(safe_url_string(urljoin(base, link)))
        if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.hostname or ""):
            return ""
        query = _without_tracking(f"?{parts.query}").removeprefix("?")
        user, at, host = parts.netloc.rpartition("@")
        return urlunsplit((parts.scheme, user + at + host.lower(), parts.path, query, ""))
    except ValueError:
        return ""


def same(url: str) -> str:
    """Return what addresses of one feed share: no scheme, tracking parameter, last slash, capital of a host."""
    try:
        parts = urlsplit(url.strip())
        port = {None: "", 80: "", 443: ""}.get(parts.port, f":{parts.port}")
        return f"{parts.hostname or ''}{port}{parts.path.rstrip('/')}{_without_tracking(f'?{parts.query}')}"
    except ValueError:
        return url.strip()


def _without_tracking(query: str | None) -> str:
    """Cut, not re-encoded: servers differ in what they accept."""
    kept = [p for p in (query or "?")[1:].split("&") if not _TRACKING.fullmatch(unquote(p.partition("=")[0]))]
    return f"?{'&'.join(kept)}" if any(kept) else ""


def plain_text(markup: str) -> str:
    """Return text without tags, entities (also doubly escaped ones) and invisible characters, on one line."""
    text = markup[:MAX_MARKUP]
    if "<" not in text and "&" not in text and text.isprintable():  # so most headlines are
        return " ".join(text.split())
    for _ in range(5):
        text = _visible(text)  # first: <\u200bb> must not become a tag afterwards
        if len(_OPENED.findall(text)) - text.count("</") > MAX_OPEN:
            text = _TAG.sub(" ", text)
        if _TAG.search(text):
            # Inline tags vanish, block tags leave a space: <b>Open</b>AI stays one word, <p>a</p><p>b</p> two.
            text = _without_plain_tags(text) or _BLOCK_TAG.sub(
                " ", nh3.clean(text, tags=BLOCKS, attributes=NO_ATTRIBUTES, link_rel=None)
            )
        elif not _ENTITY.search(text):
            break
        text = html.unescape(_ABSURD.sub("\ufffd", text))
    text = _visible(text)
    if _TAG.search(text):  # nested too deep to be meant
        text = text.replace("<", " ")
    return " ".join(text.split())


def _without_plain_tags(text: str) -> str:
    """Return what the cleaner would make of markup that holds nothing but plain tags; empty for any other.

    It takes a tenth of the time, and so is the markup of most summaries: no table, script or comment, every tag closed
    by its own `>`.
    """
    left = _PLAIN_TAG.sub(_space_for_block, text)
    return "" if "<" in left else left


def _space_for_block(tag: re.Match[str]) -> str:
    return " " if tag[1].lower() in BLOCKS else ""


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return _CONTROL.sub(" ", text if text.isascii() else _INVISIBLE.sub("", text))


def without_suffix(title: str, source: str) -> str:
    """Remove the ` - Publisher` that aggregators append to a headline."""
    for dash in (" - ", " | ", " – "):
        if source and title.endswith(dash + source):
            return title[: -len(dash + source)].rstrip()
    return title


def cut(text: str, limit: int) -> str:
    """Shorten a text to at most `limit` characters, at a word's end where it has words."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    space = head.rfind(" ")
    return (head[:space] if space > limit * 0.8 else head).rstrip() + "…"


def language_of(text: str, declared: str = "") -> str:
    """Return `zh` when at least a fifth of the letters are Han, else what the feed declares, else `en`.

    The text comes first: Chinese feeds that declare `en` are common, for WordPress does so unless told.
    """
    if text.isascii():
        text = ""  # neither Han nor Kana: only what is declared counts
    text = text[:SAMPLE]
    letters = len(_LETTER.findall(text))
    if _KANA.search(text):
        return "ja"
    if letters and len(_HAN.findall(text)) / letters >= 0.2:
        return "zh"
    declared = re.split("[-_]", declared.lower())[0].strip()
    return declared if declared and declared != "zh" else "en"


@lru_cache(maxsize=4_096)
def read_date(written: str, parsed: datetime | None, zone: str = "") -> datetime | None:
    """Return the time that `written` names, in UTC; `zone` (IANA) is used where it names none.

    feedparser's own reading (`parsed`) is only the last resort: it reads `2026/06/20 03:54` and `2026年8月22日`
    as other days, and takes a date without a zone for UTC.
    """
    if (plain := plain_date(written)) is not None:
        return plain
    if _FIRST_YEARS.search(written[:MAX_DATE]):
        return _NOWHEN.replace(tzinfo=UTC)
    written = _REMARKS.sub("", written.strip()[:MAX_DATE])
    unread = None if re.search(r"[\u3400-\u9fff/]", written) else parsed
    text = re.sub(r"[年月]", "-", written).replace("日", " ").replace("时", ":").replace("時", ":")
    text = re.sub(r"分(?:\d+秒)?|秒", "", text).replace("T:", "T").strip()
    if not text:
        return parsed
    local: tzinfo = ZoneInfo(zone) if zone else UTC
    names = {**_LATIN_ZONES, "CST": local} if zone.startswith("Asia/") else _LATIN_ZONES
    try:
        read: datetime = dates.parse(text, default=_NOWHEN, tzinfos=lambda name, offset: _zone(name, offset, names))
        return (read if read.tzinfo else read.replace(tzinfo=local)).astimezone(UTC)
    except (ValueError, ArithmeticError, TypeError, AttributeError):  # dateutil lets decimal errors through
        return unread


def plain_date(written: str) -> datetime | None:
    """Read the two forms that the standards ask for (RFC 822 with four digits, RFC 3339), where they name their zone.

    So are nine dates in ten, and dateutil takes twenty times as long to find out.
    """
    try:
        if _RFC_3339.fullmatch(written):
            return datetime.fromisoformat(written).astimezone(UTC)
        if _RFC_822.fullmatch(written):
            read = parsedate_to_datetime(written)  # without a zone for -0000
            return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return None


def _zone(name: str | None, offset: int | None, names: dict[str, tzinfo]) -> tzinfo | None:
    if offset is not None:
        return timezone(timedelta(seconds=offset))
    return names.get(name or "")
