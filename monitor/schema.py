"""What may stand in feeds.yaml: its keys, what each holds, and what is wrong with a value that does not fit."""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from email.headerregistry import Address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from monitor import slots
from monitor.errors import QueryError
from monitor.faults import KeywordError, nearest
from monitor.feeds.guard import as_network
from monitor.match.rules import THRESHOLD
from monitor.match.syntax import compile_query
from monitor.model import Manners, Thresholds
from monitor.settings import SecondOpinion

# ---------------------------------------------------------------- values


_ZONES = {
    "Asia/Shanghai": "beijing peking 北京 上海 中国 china prc shenzhen guangzhou cst bjt gmt+8 utc+8 +8 +08:00 "
    "gmt+08:00 utc+08:00 +0800 东八区 北京时间 中国标准时间",
    "Asia/Hong_Kong": "hk hongkong 香港",
    "Asia/Taipei": "taiwan 台北 台湾",
    "Asia/Singapore": "sg 新加坡",
    "Asia/Tokyo": "japan jst 东京 gmt+9 utc+9 +09:00",
    "Asia/Kolkata": "india delhi mumbai bangalore ist",
    "Europe/London": "uk england bst britain gb 伦敦",
    "Europe/Paris": "france 巴黎",
    "Europe/Berlin": "germany munich frankfurt 柏林 cest",
    "America/New_York": "et edt eastern boston washington nyc 纽约",
    "America/Chicago": "ct cdt central",
    "America/Denver": "mt mdt mountain",
    "America/Los_Angeles": "pt pst pdt pacific california seattle redmond sanfrancisco 旧金山 洛杉矶",
    "UTC": "z zulu gmt+0 utc+0 +00:00 世界时",
}
"""What people write for a time zone. CST is also a zone of North America."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        meant = _meant_zone(name)
        advice = f"; did you mean {meant}?" if meant else "; write one like Europe/London or Asia/Shanghai"
        raise ValueError(f"{name!r} is not a time zone{advice}") from None
    return name


def _meant_zone(name: str) -> str:
    word = re.sub(r"[\s_]", "", name.lower())
    for zone, words in _ZONES.items():
        if word in words.split():
            return zone
    known = available_timezones()
    places = {zone.rpartition("/")[2].lower().replace("_", ""): zone for zone in sorted(known, reverse=True)}
    if word in places:
        return places[word]
    if re.search(r"[+-]\d", name):
        return ""
    return nearest(name, known, 80) or places.get(nearest(word, places, 85), "")


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is none
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", url):
        hint = f"; did you mean {meant}?" if (meant := _meant_address(_shown(url))) else ""
        raise ValueError(f"{_shown(url)!r} is not a web address; it must start with http:// or https://{hint}")
    if not _is_host(parts.hostname):
        raise ValueError(f"{_shown(url)!r}: {parts.hostname!r} cannot be the name of a host")
    return url


def _meant_address(url: str) -> str:
    """Return the address that was probably meant, where its beginning is all that is wrong."""
    plain = unicodedata.normalize("NFKC", url).replace("\\", "/").replace("。", ".").strip()
    plain = re.sub(r"[\u200b-\u200f\u2060\ufeff]", "", plain)
    found = re.fullmatch(r"(?:([A-Za-z]{1,8}):?/{1,3}|//)?((?:[\w-]+\.)+[A-Za-z]{2,}(?::\d+)?(?:[/?#]\S*)?)", plain)
    if not found or (found[1] or "").lower() in ("ftp", "file", "mailto"):
        return ""
    return f"{'http' if (found[1] or '').lower() == 'http' else 'https'}://{found[2]}"


def _shown(url: str) -> str:
    """Hide a password that may hold spaces too: the address is one that cannot be used."""
    return re.sub(r"(?<=://)[^/?#]*@", "", url)


def _is_host(name: str) -> bool:
    try:
        return bool(re.fullmatch(r"[A-Za-z0-9._:-]+", name.encode("idna").decode()))
    except UnicodeError:
        return False


def _one_line(text: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("must be one line without control characters")
    return text


def mailbox(address: str) -> str:
    """Return a mail address that can be written to, or raise ValueError."""
    try:
        parsed = Address(addr_spec=address)
        address.encode("ascii")
    except Exception as e:  # what the parser raises shares no base: IndexError, HeaderParseError …
        raise ValueError(f"{address!r} is not a mail address{_meant_mailbox(address)}") from e
    if not parsed.username or not parsed.domain:
        raise ValueError(f"{address!r} is not a mail address; it must look like you@example.com")
    return address


def _meant_mailbox(address: str) -> str:
    plain = unicodedata.normalize("NFKC", address)
    found = re.findall(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", plain, re.ASCII)
    if len(found) > 1:
        return f"; write several as a list: [{', '.join(found)}]"
    if found and (found[0] == plain.strip() or "<" in plain):
        return f"; write it alone and plain: {found[0]}"
    return "; it must look like you@example.com"


def duration(value: Any) -> timedelta:
    """Return the length of time that is written as 30m, 2h or 7d; what is one already as it is.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, timedelta):
        return value
    if value is None:
        raise ValueError("a length of time is expected here, such as 30m; the line is empty")
    match = re.fullmatch(r"\s*(\d+)\s*([smhdw])\s*", str(value))
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    if not match or len(match[1]) > 6:
        shown = value if isinstance(value, (str, int, float)) else type(value).__name__
        meant = _meant_duration(str(value))
        hint = f"; did you mean {meant}?" if meant else ", such as 30m"
        raise ValueError(f"{shown!r} is not a length of time; write a number and s, m, h, d or w{hint}")
    return timedelta(**{unit[match[2]]: int(match[1])})


_UNITS = (
    ("s", r"s|secs?|seconds?|秒钟?"),
    ("m", r"m|mins?|minutes?|min\.|分钟?|分鐘"),
    ("h", r"h|hrs?|hours?|个?小时|個?小時|钟头"),
    ("d", r"d|days?|天|日"),
    ("w", r"w|weeks?|周|星期|个?星期"),
)
_IN_WORDS = {
    "half an hour": "30m", "half hour": "30m", "半小时": "30m", "半个小时": "30m", "an hour": "1h", "one hour": "1h",
    "hour": "1h", "hourly": "1h", "a day": "1d", "day": "1d", "daily": "1d", "一天": "1d", "每天": "1d", "一小时": "1h",
    "一个小时": "1h", "每小时": "1h", "a week": "1w", "weekly": "1w", "week": "1w", "a year": "365d", "year": "365d",
    "quarter of an hour": "15m", "a quarter of an hour": "15m", "a month": "30d", "month": "30d",
}  # fmt: skip


def _meant_duration(text: str) -> str:
    """Return a length of time that was written in another way; a number alone is most likely one of minutes."""
    text = unicodedata.normalize("NFKC", text).strip().lower()
    if text in _IN_WORDS:
        return _IN_WORDS[text]
    found = re.fullmatch(r"(\d{1,5})(?:([.,])(\d{1,2}))?\s*(\S*)", text)
    if not found:
        return ""
    if found[4] in ("month", "months", "个月"):
        return f"{int(found[1]) * 30}d"
    if found[4] in ("year", "years", "y", "年"):
        return f"{int(found[1]) * 365}d"
    unit = next((sign for sign, words in _UNITS if re.fullmatch(words, found[4])), "" if found[4] else "m")
    if not unit:
        return ""
    if not found[2]:
        return f"{found[1]}{unit}"
    smaller = {"m": (60, "s"), "h": (60, "m"), "d": (24, "h"), "w": (7, "d")}.get(unit)
    return f"{round(float(f'{found[1]}.{found[3]}') * smaller[0])}{smaller[1]}" if smaller else ""


def _between(shortest: timedelta, longest: timedelta, words: str) -> AfterValidator:
    def check(value: timedelta) -> timedelta:
        if not shortest <= value <= longest:
            raise ValueError(f"must be {words}")
        return value

    return AfterValidator(check)


ZoneName = Annotated[str, AfterValidator(_zone)]
WebAddress = Annotated[str, AfterValidator(_address)]
Mailbox = Annotated[str, AfterValidator(mailbox)]
Duration = Annotated[timedelta, BeforeValidator(duration)]
Interval = Annotated[Duration, _between(timedelta(minutes=1), timedelta(days=30), "from 1m to 30d")]
OwnInterval = Annotated[  # None is what is not there; an empty line is a fault
    timedelta | None, BeforeValidator(duration), _between(timedelta(minutes=1), timedelta(days=30), "from 1m to 30d")
]
Timeout = Annotated[Duration, _between(timedelta(seconds=1), timedelta(minutes=5), "from 1s to 5m")]
Spacing = Annotated[Duration, _between(timedelta(0), timedelta(minutes=1), "from 0s to 1m")]
Stale = Annotated[Duration, _between(timedelta(days=1), timedelta(days=3650), "from 1d to 3650d")]
Retention = Annotated[Duration, _between(timedelta(days=7), timedelta(days=36500), "from 7d to 36500d")]


def _header(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
        raise ValueError(f"{name!r} is not the name of a header")
    if name.lower() in _OWN_HEADERS:
        raise ValueError(f"{name}: is set by the monitor itself")
    return name


_OWN_HEADERS = {
    "host", "content-length", "transfer-encoding", "connection", "accept-encoding", "if-none-match",
    "if-modified-since", "user-agent",
}  # fmt: skip


def _in_quotes(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("YAML would change this value; put it in quotes")  # noqa: TRY004 (pydantic collects these)
    return value


HeaderValue = Annotated[str, BeforeValidator(_in_quotes), AfterValidator(_one_line)]
HeaderName = Annotated[str, AfterValidator(_header)]


_OWN = (
    "is neither a network (10.0.0.0/8), an address nor the name of a host; "
    "write a name without http://, without a port and without *"
)


def _own(entry: str) -> str:
    try:
        network = as_network(entry)
    except ValueError as e:
        raise ValueError(f"{entry!r} {_OWN}") from e
    if network is None and not _is_host(entry):
        raise ValueError(f"{entry!r} {_OWN}")
    if network is not None and network.prefixlen == 0:
        raise ValueError(f"{entry!r} would allow every address")
    return entry


OwnAddress = Annotated[str, AfterValidator(_own)]


def _keyword(text: str) -> str:
    try:
        return compile_query(text).source
    except QueryError as e:
        raise KeywordError(e) from e


def _as_written(value: Any) -> Any:
    if type(value) is int:
        return str(value)
    changed = isinstance(value, (int, float)) and not isinstance(value, bool)
    if changed:
        raise ValueError("YAML would change this number; put it in quotes")
    return value


Threshold = Annotated[float, Field(gt=0, le=100)]
Keyword = Annotated[str, BeforeValidator(_as_written), AfterValidator(_keyword)]


def _cron(line: str) -> str:
    try:
        if line:
            slots.check(line)
    except ValueError as e:
        raise ValueError(f"{line!r} cannot be read: {e}") from e
    return line


def _time_of_day(text: str) -> str:
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", text)
    if text and (not match or int(match[1]) > 23 or int(match[2]) > 59):
        meant = _meant_time(text)
        hint = f'; did you mean "{meant}"?' if meant else '; write it like "07:30"'
        raise ValueError(f"{text!r} is not a time of day{hint}")
    return text


_CLOCK = re.compile(
    r"(?P<early>上午|早上|凌晨|下午|晚上|中午)?(?P<hour>\d{1,2})(?:[:.h点时](?P<minute>\d{1,2})?分?)?(?::\d\d)?"
    r"(?P<late>[ap]\.?m\.?|uhr)?"
)


def _meant_time(text: str) -> str:
    """Return a time of day that was written in another way."""
    plain = re.sub(r"[\s\"'“”]", "", unicodedata.normalize("NFKC", text)).lower()
    words = {"noon": "12:00", "midday": "12:00", "midnight": "00:00", "24:00": "00:00", "中午": "12:00"}
    if plain in words:
        return words[plain]
    if plain.isdecimal() and len(plain) in (3, 4):
        plain = f"{plain[:-2]}:{plain[-2:]}"
    found = _CLOCK.fullmatch(plain)
    if not found:
        return ""
    hour, minute = int(found["hour"]), int((found["minute"] or "0").ljust(2, "0"))
    afternoon = (found["late"] or "").startswith("p") or found["early"] in ("下午", "晚上")
    if afternoon and hour < 12:
        hour += 12
    elif (found["late"] or "").startswith("a") and hour == 12:
        hour = 0
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else ""


_TAGS = {
    "chinese": "zh", "cn": "zh", "中文": "zh", "汉语": "zh", "china": "zh", "english": "en", "英文": "en",
    "英语": "en", "eng": "en", "japanese": "ja", "日语": "ja", "日本語": "ja", "jp": "ja", "kr": "ko", "韩语": "ko",
    "korean": "ko",
    "german": "de", "deutsch": "de", "french": "fr", "francais": "fr", "spanish": "es", "italian": "it",
    "portuguese": "pt", "russian": "ru", "dutch": "nl", "gr": "el", "dk": "da", "cz": "cs", "ua": "uk", "se": "sv",
}  # fmt: skip
"""What people write for a language; some are the codes of countries."""


def language_tag(word: str) -> str:
    """Return the tag of the language that a word which is no tag probably means; empty where none is like it."""
    word = word.strip().lower()
    return _TAGS.get(word) or _TAGS.get(nearest(word, _TAGS, 75), "")


# ---------------------------------------------------------------- the file


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, coerce_numbers_to_str=True)


class FeedPart(_Part):
    """One entry under `feeds`: an address alone, or these keys."""

    url: WebAddress
    name: str = ""
    language: str = ""
    timezone: Annotated[str, AfterValidator(lambda name: name and _zone(name))] = ""
    every: OwnInterval = None
    user_agent: Annotated[str, AfterValidator(_one_line)] = ""
    headers: dict[HeaderName, HeaderValue] = {}
    timeout: Timeout = timedelta(seconds=30)
    enabled: bool = True
    weight: Annotated[float, Field(ge=0, le=100)] = 1.0
    fulltext: bool = False

    @model_validator(mode="before")
    @classmethod
    def _address_alone(cls, value: Any) -> Any:
        return {"url": value} if isinstance(value, str) else value


class DigestPart(_Part):
    """One entry under `digests`."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=40)
    to: list[Mailbox] = Field(min_length=1)
    at: Annotated[str, AfterValidator(_time_of_day)] = ""
    cron: Annotated[str, AfterValidator(_cron)] = ""
    timezone: ZoneName = "UTC"
    language: Literal["en", "zh"] = "en"
    themes: list[str] = []
    empty: Literal["skip", "send", "weekly"] = "skip"

    @model_validator(mode="after")
    def _one_time(self) -> DigestPart:
        if bool(self.at) == bool(self.cron):
            raise ValueError('say when, by one of: at: "07:30" or cron: "30 7 * * mon-fri"')
        return self

    def crontab(self) -> str:
        """Return the five-field crontab line that `at` or `cron` stands for."""
        if self.cron:
            return self.cron
        hour, minute = self.at.split(":")
        return f"{int(minute)} {int(hour)} * * *"


class CompanyPart(_Part):
    """One company under `coverage`."""

    names: list[Keyword] = Field(min_length=1)
    hints: list[Keyword] = []
    products: list[Keyword] = []
    faint: list[Keyword] = []


class CoveragePart(BaseModel):
    """`coverage`: companies by name, and what tells coverage of them together from other mentions."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, CompanyPart]
    relations: list[Keyword] = []
    against: list[Keyword] = []
    others: list[Keyword] = []
    masks: list[Keyword] = []
    excluded: list[Keyword] = Field(default=[], alias="not")
    threshold: Threshold = THRESHOLD


class ExamplesPart(_Part):
    """Headlines that a theme must and must not take."""

    hits: list[str] = []
    misses: list[str] = []


class ThemePart(_Part):
    """One theme under `themes`."""

    title: dict[Literal["en", "zh"], str] = {}
    short: dict[Literal["en", "zh"], str] = {}
    keywords: list[Keyword] = Field(min_length=1)
    excluded: list[Keyword] = Field(default=[], alias="not")
    threshold: Threshold = 1.0
    examples: ExamplesPart = ExamplesPart()


Likelihood = Annotated[float, Field(gt=0, lt=1)]
_USUAL = SecondOpinion()


class SecondOpinionPart(_Part):
    """`second_opinion`: a mode alone, or these keys."""

    mode: Literal["off", "add", "blend"] = _USUAL.mode
    sense: bool = _USUAL.sense
    coverage: Likelihood = _USUAL.coverage
    theme: Likelihood = _USUAL.theme

    @model_validator(mode="before")
    @classmethod
    def _mode_alone(cls, value: Any) -> Any:
        return {"mode": "off" if value is False else value} if isinstance(value, (str, bool)) else value


_MANNERS, _THRESHOLDS = Manners(), Thresholds()


class PollingPart(_Part):
    """`polling`: how feeds are asked."""

    shortest: Interval = _MANNERS.shortest
    longest: Interval = _MANNERS.longest
    contact: Annotated[str, AfterValidator(_one_line), Field(max_length=200)] = ""
    per_host: Annotated[int, Field(ge=1, le=32)] = _MANNERS.per_host
    spacing: Spacing = _MANNERS.spacing
    allow: list[OwnAddress] = []

    @model_validator(mode="after")
    def _in_order(self) -> PollingPart:
        if self.longest < self.shortest:
            raise ValueError(
                f"shortest ({self.shortest}) is longer than longest ({self.longest}, 2:00:00 if not given)"
            )
        return self


Times = Annotated[int, Field(ge=1, le=1000)]


class HealthPart(_Part):
    """`health`: from when on something is reported of a feed; polls in a row unless said."""

    failing: Times = _THRESHOLDS.failing
    page: Times = _THRESHOLDS.page
    nothing: Times = _THRESHOLDS.nothing
    placeholder: Times = _THRESHOLDS.placeholder
    empty: Times = _THRESHOLDS.empty
    stale: Stale = _THRESHOLDS.stale
    silent: Annotated[float, Field(ge=1, le=100)] = _THRESHOLDS.silent
    gap: Times = _THRESHOLDS.gap
    dates: Times = _THRESHOLDS.dates
    moved: Annotated[int, Field(ge=5, le=1000)] = _THRESHOLDS.moved


class FilePart(_Part):
    """The whole of feeds.yaml."""

    digests: list[DigestPart] = []
    feeds: list[FeedPart] = Field(min_length=1)
    coverage: CoveragePart
    themes: dict[str, ThemePart] = {}
    second_opinion: SecondOpinionPart = SecondOpinionPart()
    retention: Retention = timedelta(days=365)
    polling: PollingPart = PollingPart()
    health: HealthPart = HealthPart()
