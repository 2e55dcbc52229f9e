"""feeds.yaml → settings. Every fault at once, each with its line and column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from monitor import slots
from monitor.errors import ConfigError, Fault, QueryError
from monitor.faults import KeywordError, did_you_mean, faults_of, place_of, read_yaml
from monitor.feeds import fulltext
from monitor.feeds.guard import as_network
from monitor.feeds.normalise import language_of
from monitor.match.judge import judge
from monitor.match.query import Query
from monitor.match.rules import THRESHOLD, Company, Rules, Theme
from monitor.match.syntax import compile_query, known_queries
from monitor.model import DigestPlan, Feed, Item, Manners, Thresholds, Verdict
from monitor.settings import Examples, SecondOpinion, Settings, hash_of, read_bytes

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


def _duration(value: Any) -> Any:
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
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Interval = Annotated[Duration, _between(timedelta(minutes=1), timedelta(days=30), "from 1m to 30d")]
OwnInterval = Annotated[  # None is what is not there; an empty line is a fault
    timedelta | None, BeforeValidator(_duration), _between(timedelta(minutes=1), timedelta(days=30), "from 1m to 30d")
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


# ---------------------------------------------------------------- read and checked


def fingerprint(path: Path) -> str:
    """Return the hash of the file's bytes, to notice an edit however it was written.

    Raises:
        ConfigError: the file cannot be read.
    """
    return hash_of(read_bytes(path))


def remember(rules: Rules) -> None:
    """Take over the keywords of rules that were compiled by this same program, from another version of the file."""
    for company in rules.companies:
        known_queries(company.names, company.hints, company.products, company.faint)
    for theme in rules.themes:
        known_queries(theme.keywords, theme.excluded)
    known_queries(rules.excluded, rules.relations, rules.against, rules.others, rules.masks)


def load(path: Path) -> Settings:
    """Read feeds.yaml.

    Raises:
        ConfigError: the file cannot be read or has faults; it carries all of them.
    """
    return understood(path, read_bytes(path))


def understood(path: Path, raw: bytes) -> Settings:
    """Read what stands in feeds.yaml, or will stand there.

    Raises:
        ConfigError: it has faults; it carries all of them.
    """
    tree = read_yaml(path, raw)
    if not isinstance(tree, CommentedMap):
        raise ConfigError(str(path), (Fault("the file must hold keys such as feeds:, coverage: and themes:", 1, 1),))
    try:
        parsed = FilePart.model_validate(tree)
    except ValidationError as e:
        faults = [*faults_of(e, tree, raw.decode("utf-8", "replace").splitlines(), _known_keys), *_cross_checks(tree)]
        raise ConfigError(str(path), _in_order(faults)) from e
    except (TypeError, ValueError, AttributeError) as e:  # YAML's own types (!!omap, !!set) where keys are expected
        raise ConfigError(str(path), (Fault(f"holds a kind of value that is not expected here: {e}"),)) from e
    faults = list(_cross_checks(tree))
    if faults:
        raise ConfigError(str(path), _in_order(faults))
    return _settings(path, raw, parsed)


def _in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(faults, key=lambda fault: (fault.line, fault.column)))


def example_faults(settings: Settings) -> list[str]:
    """Run each theme's examples through the rules alone; return a line for each that comes out wrong."""
    lines = []
    for theme, examples in settings.examples.items():
        for title, wanted in [*((t, True) for t in examples.hits), *((t, False) for t in examples.misses)]:
            verdict = try_title(settings.rules, title)
            got = theme in dict(verdict.themes)
            if got != wanted:
                why = verdict.reason or ("no keyword of the theme" if wanted else "a keyword of the theme matches")
                lines.append(f"themes.{theme}: {'should be a hit' if wanted else 'should be a miss'}: {title} ({why})")
    return lines


def try_title(rules: Rules, title: str, summary: str = "", language: str = "", outlet: str = "") -> Verdict:
    """Judge a text that is in no feed."""
    return judge(made_up(title, summary, language, outlet), rules)


def made_up(title: str, summary: str = "", language: str = "", outlet: str = "") -> Item:
    """Return an item of no feed, to be judged; its language is told from its words unless given."""
    epoch = datetime.fromtimestamp(0, UTC)
    return Item("", "", "", title, summary, outlet, language or language_of(f"{title} {summary}"), epoch, epoch)


def _settings(path: Path, raw: bytes, parsed: FilePart) -> Settings:
    coverage = parsed.coverage
    companies = coverage.__pydantic_extra__
    return Settings(
        path=path,
        fingerprint=hash_of(raw),
        feeds=tuple(Feed(**{**part.model_dump(), "headers": tuple(part.headers.items())}) for part in parsed.feeds),
        digests=tuple(_plan(part) for part in parsed.digests),
        rules=Rules(
            companies=tuple(
                Company(name, _queries(c.names), _queries(c.hints), _queries(c.products), _queries(c.faint))
                for name, c in companies.items()
            ),
            excluded=_queries(coverage.excluded),
            themes=tuple(
                Theme(name, _queries(t.keywords), _queries(t.excluded), t.threshold)
                for name, t in parsed.themes.items()
            ),
            relations=_queries(coverage.relations),
            against=_queries(coverage.against),
            others=_queries(coverage.others),
            masks=_queries(coverage.masks),
            threshold=coverage.threshold,
        ),
        titles={name: _by_language(theme.title) for name, theme in parsed.themes.items()},
        shorts={name: _by_language(theme.short) for name, theme in parsed.themes.items()},
        retention=parsed.retention,
        second_opinion=SecondOpinion(**parsed.second_opinion.model_dump()),
        examples={
            name: Examples(tuple(theme.examples.hits), tuple(theme.examples.misses))
            for name, theme in parsed.themes.items()
        },
        manners=Manners(**{**parsed.polling.model_dump(), "allow": tuple(parsed.polling.allow)}),
        thresholds=Thresholds(**parsed.health.model_dump()),
    )


def _plan(part: DigestPart) -> DigestPlan:
    return DigestPlan(
        part.name, tuple(part.to), part.crontab(), part.timezone, part.language, tuple(part.themes), part.empty
    )


def _by_language(words: Mapping[Any, str]) -> dict[str, str]:
    return {str(language): text for language, text in words.items()}


def _queries(sources: Iterable[str]) -> tuple[Query, ...]:
    return tuple(compile_query(source) for source in sources)


# ---------------------------------------------------------------- what does not fit together


def _known_keys(path: Sequence[str | int]) -> set[str]:
    parts: dict[str, type[BaseModel]] = {
        "feeds": FeedPart,
        "digests": DigestPart,
        "second_opinion": SecondOpinionPart,
        "polling": PollingPart,
        "health": HealthPart,
    }
    if not path:
        part: type[BaseModel] = FilePart
    elif path[0] == "coverage":
        part = CompanyPart if len(path) > 1 else CoveragePart
    elif path[0] == "themes":
        part = ExamplesPart if path[-1] == "examples" else ThemePart
    else:
        part = parts.get(str(path[0]), FilePart)
    return {info.alias or name for name, info in part.model_fields.items()}


def _cross_checks(tree: CommentedMap) -> Iterable[Fault]:
    """Yield what does not fit together; works on a file that has other faults too, and leaves those to pydantic."""
    companies = tree.get("coverage")
    if isinstance(companies, CommentedMap) and not set(companies) - {"not"}:
        yield Fault("coverage: name at least one company", *place_of(tree, ["coverage"]))
    feeds, digests = _parts(tree, "feeds"), _parts(tree, "digests")
    urls = [feed.get("url") if isinstance(feed, CommentedMap) else feed for feed in feeds]
    names = [digest.get("name") if isinstance(digest, CommentedMap) else None for digest in digests]
    yield from _twice("feeds", urls, "this feed stands above already", tree)
    yield from _twice("digests", names, "a digest of this name stands above", tree)
    themes = [str(name) for name in tree.get("themes") or ()]
    for i, digest in enumerate(digests):
        wanted = digest.get("themes") if isinstance(digest, CommentedMap) else None
        for k, theme in enumerate(wanted if isinstance(wanted, CommentedSeq) else ()):
            if isinstance(theme, str) and theme not in themes:
                path: list[str | int] = ["digests", i, "themes", k]
                hint = did_you_mean(theme, themes)
                yield Fault(f"digests.{i}.themes: there is no theme {theme!r}{hint}", *place_of(tree, path))


def _parts(tree: CommentedMap, key: str) -> Sequence[Any]:
    parts = tree.get(key)
    return parts if isinstance(parts, CommentedSeq) else ()


def _twice(key: str, values: Sequence[Any], words: str, tree: CommentedMap) -> Iterable[Fault]:
    seen: set[str] = set()
    for i, value in enumerate(values):
        if not isinstance(value, str):
            continue
        if value in seen:
            yield Fault(f"{key}.{i}: {words}: {value}", *place_of(tree, [key, i]))
        seen.add(value)


def polling_remarks(settings: Settings) -> list[str]:
    """Return a line for each thing about polling that a person should know and that is no mistake."""
    lines = []
    if not settings.manners.contact:
        lines.append("polling: no contact is set; with one (your mail address or a page) servers can write to you")
    wanting = [feed.name or feed.address for feed in settings.enabled if feed.fulltext]
    if wanting and not fulltext.installed():
        lines.append(
            f"fulltext: {', '.join(wanting)}: the extra is not installed (make fulltext); summaries are judged"
        )
    return lines


def sample_addresses(settings: Settings) -> list[str]:
    """Return a line for each digest that still goes to an address of the shipped example (RFC 2606)."""
    return [
        f"{settings.path}: digest {plan.name} goes to {to}, which is nobody's; write your own address there"
        for plan in settings.digests
        for to in plan.to
        if re.search(r"[@.]example\.(com|net|org)$", to)
    ]
