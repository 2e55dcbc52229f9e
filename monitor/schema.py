"""What may stand in feeds.yaml: its keys, what each holds, and what is wrong with a value that does not fit."""

from __future__ import annotations

import re
from datetime import timedelta
from email.headerregistry import Address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from monitor import slots
from monitor.errors import QueryError
from monitor.faults import KeywordError
from monitor.feeds.guard import as_network
from monitor.match.rules import THRESHOLD
from monitor.match.syntax import compile_query
from monitor.model import Manners, Thresholds
from monitor.settings import SecondOpinion

# ---------------------------------------------------------------- values


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"{name!r} is not a time zone; write one like Europe/London or Asia/Shanghai") from None
    return name


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is none
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", url):
        raise ValueError(f"{_shown(url)!r} is not a web address; it must start with http:// or https://")
    if not _is_host(parts.hostname):
        raise ValueError(f"{_shown(url)!r}: {parts.hostname!r} cannot be the name of a host")
    return url


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
        raise ValueError(f"{address!r} is not a mail address") from e
    if not parsed.username or not parsed.domain:
        raise ValueError(f"{address!r} is not a mail address; it must look like you@example.com")
    return address


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
        raise ValueError(f"{value!r} is not a length of time; write a number and s, m, h, d or w, such as 30m")
    return timedelta(**{unit[match[2]]: int(match[1])})


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
        raise ValueError(f'{text!r} is not a time of day; write it like "07:30"')
    return text


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
