"""What may stand in feeds.yaml: its keys, what each holds, and what is wrong with a value that does not fit."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from email.headerregistry import Address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core.core_schema import no_info_after_validator_function, no_info_before_validator_function
from typing_extensions import TypeAliasType

from monitor import forms, slots
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
_ZONE_OF = {word: zone for zone, words in _ZONES.items() for word in words.split()}


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
    place = re.sub(r"(?:standard|daylight|summer)?time$", "", re.sub(r"^.*/", "", word)) or word
    if zone := _ZONE_OF.get(word) or _ZONE_OF.get(place):
        return zone
    if word.isdigit():
        return ""
    if "/" in name and (meant := nearest(place, _ZONE_OF, 90)):
        return _ZONE_OF[meant]
    known = available_timezones()
    places = {zone.rpartition("/")[2].lower().replace("_", ""): zone for zone in sorted(known, reverse=True)}
    if word in places:
        return places[word]
    if re.search(r"[+-]\d", name):
        return ""
    return nearest(name, known, 80) or places.get(nearest(word, places, 85), "")


def _address(url: str) -> str:
    begins = re.match(r"https?://", url, re.IGNORECASE)
    if begins and len(re.findall(r"https?://", url)) > 1 and re.search(r"\s", url):
        raise ValueError(f"{_shown(url)!r}: two addresses: write each as an entry of its own, behind a dash of its own")
    if begins and re.search(r"\s", url):
        raise ValueError(f"{_shown(url)!r} has a blank in it: take it out, or write %20 in its place")
    if begins and (port := re.match(r"[^/?#]*:(\d+)(?=[/?#]|$)", url[begins.end() :])) and int(port[1]) > 65535:
        raise ValueError(f"{_shown(url)!r}: there is no port {port[1]}; the greatest is 65535")
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is none
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", url):
        if url.startswith("mailto:"):
            raise ValueError(f"{url!r} is a mail address: readers stand under digests: to:, feeds are web addresses")
        hint = f"; did you mean {meant}?" if (meant := _meant_address(_shown(url))) else ""
        raise ValueError(f"{_shown(url)!r} is not a web address; it must start with http:// or https://{hint}")
    if not _is_host(parts.hostname):
        raise ValueError(f"{_shown(url)!r}: {parts.hostname!r} cannot be the name of a host")
    return url


def _meant_address(url: str) -> str:
    """Return the address that was probably meant, where its beginning is all that is wrong."""
    plain = unicodedata.normalize("NFKC", url).replace("\\", "/").replace("。", ".").strip()
    plain = re.sub(r"[\u200b-\u200f\u2060\ufeff]", "", plain).strip("“”„‘’\"'<>《》")
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
    local, _, domain = plain.strip().rpartition("@")
    if local and not local.isascii():
        return "; letters outside ASCII before the @ cannot be used: few mail servers take them"
    if local and not domain.isascii():
        try:
            return f"; write its domain in ASCII: {local}@{domain.encode('idna').decode()}"
        except UnicodeError:
            pass
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
    if not isinstance(value, (str, int, float)):
        raise ValueError("a length of time is expected here, such as 30m")  # noqa: TRY004 (pydantic collects these)
    match = re.fullmatch(r"\s*(\d+)\s*([smhdw])\s*", str(value))
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    if not match or len(match[1]) > 6:
        meant = _meant_duration(str(value))
        hint = f"; did you mean {meant}?" if meant else ", such as 30m"
        raise ValueError(f"{value!r} is not a length of time; write a number and s, m, h, d or w{hint}")
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
    if not int(found[1] + (found[3] or "")):
        return ""  # which hardly any of them may be
    if not found[2]:
        return f"{found[1]}{unit}"
    smaller = {"m": (60, "s"), "h": (60, "m"), "d": (24, "h"), "w": (7, "d")}.get(unit)
    return f"{round(float(f'{found[1]}.{found[3]}') * smaller[0])}{smaller[1]}" if smaller else ""


@dataclass(frozen=True, slots=True)
class _Lasting(forms.Lasting):
    """Checks it too."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Check what is read as a length of time."""
        return no_info_before_validator_function(
            self._with_unit, no_info_after_validator_function(self._check, handler(source))
        )

    def _with_unit(self, value: Any) -> Any:
        """Refuse a number alone with the unit in which it may stand here, minutes before others."""
        alone = re.fullmatch(r"\s*(\d{1,5})\s*", str(value)) if isinstance(value, (str, int)) else None
        if alone and (number := int(alone[1])):
            fitting = (sign for sign in "mdhsw" if self.shortest <= number * forms.UNITS[sign] <= self.longest)
            if sign := next(fitting, ""):
                raise ValueError(f"{value!r} is not a length of time: a unit is missing; did you mean {number}{sign}?")
        return value

    def _check(self, value: timedelta) -> timedelta:
        if not self.shortest <= value <= self.longest:
            raise ValueError(f"must be from {forms.written(self.shortest)} to {forms.written(self.longest)}")
        return value


ZoneName = Annotated[str, AfterValidator(_zone), WithJsonSchema(forms.ZONE)]
WebAddress = Annotated[str, AfterValidator(_address), WithJsonSchema(forms.ADDRESS)]
Mailbox = Annotated[str, AfterValidator(mailbox), WithJsonSchema(forms.MAILBOX)]
Duration = Annotated[timedelta, BeforeValidator(duration)]
Interval = Annotated[Duration, _Lasting(timedelta(minutes=1), timedelta(days=30))]
OwnInterval = Annotated[  # None is what is not there; an empty line is a fault
    timedelta | None, BeforeValidator(duration), _Lasting(timedelta(minutes=1), timedelta(days=30))
]
Timeout = Annotated[Duration, _Lasting(timedelta(seconds=1), timedelta(minutes=5))]
Spacing = Annotated[Duration, _Lasting(timedelta(0), timedelta(minutes=1))]
Stale = Annotated[Duration, _Lasting(timedelta(days=1), timedelta(days=3650))]
Retention = Annotated[Duration, _Lasting(timedelta(days=7), timedelta(days=36500))]


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
Headers = Annotated[dict[HeaderName, HeaderValue], WithJsonSchema(forms.headers(sorted(_OWN_HEADERS)))]
OneLine = Annotated[str, AfterValidator(_one_line), WithJsonSchema(forms.ONE_LINE)]


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


OwnAddress = Annotated[str, AfterValidator(_own), WithJsonSchema(forms.OWN_ADDRESS)]


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


ChannelName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$",
        max_length=40,
        json_schema_extra={"patternErrorMessage": "a name may hold only letters, digits, - and _"},
    ),
]
Threshold = Annotated[float, Field(gt=0, le=100)]
Likelihood = Annotated[float, Field(gt=0, lt=1)]
InLanguages = Annotated[dict[Literal["en", "zh"], str], WithJsonSchema(forms.IN_LANGUAGES)]
Keyword = TypeAliasType(
    "Keyword",
    Annotated[str, BeforeValidator(_as_written), AfterValidator(_keyword), WithJsonSchema(forms.KEYWORD)],
)


def _cron(line: str) -> str:
    try:
        if line:
            slots.check(line)
    except ValueError as e:
        raise ValueError(f"{line!r} cannot be read: {e}") from e
    return line


_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_SOUND_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_MOST_TIMES = 24


def _single_time(value: Any) -> Any:
    """Refuse several times in one."""
    if not isinstance(value, (str, list)):
        return value
    times = re.split(r"[,;，；、\s]+", value) if isinstance(value, str) else value[:_MOST_TIMES]
    clocks = [_SOUND_TIME.fullmatch(time) if isinstance(time, str) else None for time in times]
    if isinstance(value, str) and (len(clocks) < 2 or not all(clocks)):
        return value
    minutes = {int(clock[2]) for clock in clocks if clock}
    hours = ",".join(dict.fromkeys(str(int(clock[1])) for clock in clocks if clock))
    same = all(clocks) and len(minutes) == 1
    if same and len(clocks) == 1:
        raise ValueError(f'one time is expected here, not a list: write "{times[0]}"')
    way = f'write cron: "{minutes.pop()} {hours} * * *" in place of at' if same else "write a digest for each"
    raise ValueError(f"one time only can stand here: for several {way}")


def _time_of_day(text: str) -> str:
    match = _TIME.fullmatch(text)
    if text and (not match or int(match[1]) > 23 or int(match[2]) > 59):
        meant = _meant_time(text)
        hint = f'; did you mean "{meant}"?' if meant else '; write it like "07:30"'
        raise ValueError(f"{text!r} is not a time of day{hint}")
    return text


TimeOfDay = Annotated[
    str, BeforeValidator(_single_time), AfterValidator(_time_of_day), WithJsonSchema(forms.TIME_OF_DAY)
]
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
# What stands as `description` is what people read of a key: in their editor, in docs/configuration.md.


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, coerce_numbers_to_str=True)


class FeedPart(_Part):
    """One feed: its address alone, or these keys."""

    url: WebAddress = Field(
        description="The address of the feed: RSS, RDF, Atom or JSON Feed. `monitor feeds find SITE` finds it.",
    )
    name: str = Field(
        "",
        description="What the feed is called in digests and lists. Without it, the title that it gives itself.",
        examples=["The Verge"],
    )
    language: str = Field(
        "",
        description="The language of its texts, such as `en` or `zh`. Without it, each text's own is told from its "
        "characters and from what the feed declares.",
        examples=["en", "zh"],
    )
    timezone: Annotated[str, AfterValidator(lambda name: name and _zone(name)), WithJsonSchema(forms.ZONE_OR_NONE)] = (
        Field("", description="The time zone of those of its dates that name none. Without it, UTC.")
    )
    every: OwnInterval = Field(
        None,
        description="How often the feed is asked. Without it, at its own pace: more often while it brings news, "
        "between `shortest` and `longest` of `polling`.",
        examples=["20m", "1h", "1d"],
    )
    user_agent: OneLine = Field(
        "",
        description="What we call ourselves to this feed (User-Agent), for servers that refuse our own name.",
        examples=["Mozilla/5.0 (compatible)"],
    )
    headers: Headers = Field(
        {},
        description="Further headers of the request. They go to the feed's own host only, not to where it redirects. "
        "Secrets do not belong here.",
        examples=[{"Accept-Language": "zh-CN"}],
    )
    timeout: Timeout = Field(
        timedelta(seconds=30), description="How long the whole answer may take, redirects included."
    )
    enabled: bool = Field(True, description="`false` keeps the feed in the file and does not ask it.")
    weight: Annotated[float, Field(ge=0, le=100)] = Field(
        1.0,
        description="Of several reports of one event, the one of the feed with the greatest weight is shown. Less than "
        "1 suits aggregators, whose links lead elsewhere first.",
        examples=[0.5, 2],
    )
    fulltext: bool = Field(
        False,
        description="Judge the pages of new articles too, where the site's robots.txt lets us read them. Needs the "
        "extra `fulltext` (`make fulltext`); without it, summaries are judged.",
    )

    @model_validator(mode="before")
    @classmethod
    def _address_alone(cls, value: Any) -> Any:
        return {"url": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """Allow an address alone."""
        return {"anyOf": [forms.ADDRESS, handler(schema)]}


_A_DIGEST = {"name": "${1:morning}", "to": ["${2:you@example.com}"], "at": "07:30", "timezone": "${3:UTC}"}


class DigestPart(_Part):
    """One digest: who is told, when, and of what. Either `at` or `cron` says when."""

    model_config = ConfigDict(
        json_schema_extra={**forms.either("at", "cron", "07:30"), **forms.snippet("digest", _A_DIGEST)}
    )

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$",
        max_length=40,
        description="What the digest is called: in commands (`monitor digest NAME`) and file names. Letters, digits, - "
        "and _. Under another name it is a new digest, which does not know what the old one told.",
        examples=["morning"],
        json_schema_extra={"patternErrorMessage": "a name may hold only letters, digits, - and _"},
    )
    to: list[Mailbox] = Field(
        min_length=1, description="The mail addresses that it goes to, each with a mail of its own."
    )
    channels: list[ChannelName] = Field(
        [],
        description="Chats that get the same: names of lines in the file that `MONITOR_CHANNELS_FILE` names. Needs the "
        "extra `apprise` (`make apprise`).",
        examples=[["team-chat"]],
    )
    at: TimeOfDay = Field(
        "", description="The time of day at which it is sent, every day, by the clocks of `timezone`."
    )
    cron: Annotated[str, AfterValidator(_cron), WithJsonSchema(forms.CRON)] = Field(
        "",
        description="When it is sent, in crontab form: minute, hour, day of the month, month, weekday (0 and 7 are "
        "Sunday, or sun, mon …). In place of `at`.",
    )
    timezone: ZoneName = Field("UTC", description="The time zone of `at` or `cron`, and of the times in the mail.")
    language: Literal["en", "zh"] = Field(
        "en",
        description="The language of headings and labels: English or Chinese. News stays in its own.",
    )
    themes: list[str] = Field(
        [],
        description="Only these themes, by their names under `themes`. Without it all of them, and at the end the "
        "coverage that has no theme.",
        examples=[["compute", "agi"]],
    )
    empty: Literal["skip", "send", "weekly"] = Field(
        "skip",
        description="What is done when there is nothing new: no mail, a mail of one line, or such a mail after a week "
        "without any. What must be known (no feed answers, an edit has a fault) is always mailed.",
        json_schema_extra=forms.meanings(
            "no mail", "a mail of one line", "a mail of one line after a week without any"
        ),
    )

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
    """One company, and the words that stand for it."""

    names: list[Keyword] = Field(
        min_length=1, description="Its own names, in every language and form: Microsoft, 微软, MSFT."
    )
    hints: list[Keyword] = Field([], description="Its people and places, which mean it as well: Nadella, Redmond.")
    products: list[Keyword] = Field(
        [], description="What it sells. Where only products are named, the text speaks less of the company."
    )
    faint: list[Keyword] = Field(
        [],
        description="By-words that mean it only where the other companies are told by their `hints`: "
        '"Redmond and its lab" means the pair, "Microsoft opens a lab" does not.',
    )


class CoveragePart(BaseModel):
    """What an item must be about: all of these companies together, each under a name of your choice.

    Beside them stand the lists by which their being together is told from other mentions.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra=forms.companies)
    __pydantic_extra__: dict[str, CompanyPart]
    relations: list[Keyword] = Field(
        [], description="Words that tell of something between the companies: deal, stake, rift. They speak for an item."
    )
    against: list[Keyword] = Field(
        [],
        description="Words of texts that only mention the companies: how-tos, tests, job ads, tickers, newsletters. "
        "They speak against an item, most in its title.",
    )
    others: list[Keyword] = Field(
        [],
        description="Other firms. Three firms with nothing but commas between them are a list, which speaks against.",
    )
    masks: list[Keyword] = Field(
        [], description='What looks like a company and is none ("Azure OpenAI", "Microsoft-backed"): it is no mention.'
    )
    excluded: list[Keyword] = Field(
        [], alias="not", description="An item with one of these is out, whatever else it says. No other rule undoes it."
    )
    threshold: Threshold = Field(
        THRESHOLD,
        description="So many points an item needs. Two names in a title have more to begin with; docs/matching.md "
        "lists what adds and takes points, `monitor explain` shows them.",
    )


class ExamplesPart(_Part):
    """Headlines to try a theme by. `monitor check` says which of them come out otherwise."""

    hits: list[str] = Field([], description="Headlines that must have the theme. They must be coverage as well.")
    misses: list[str] = Field([], description="Headlines that must not have it.")


class ThemePart(_Part):
    """One theme: its headings, and the keywords that make it."""

    title: InLanguages = Field(
        {}, description="Its heading in the digest, by language. Without it, its name in this file."
    )
    short: InLanguages = Field(
        {}, description="Its heading where there is only room for a word or two. Without it, its name in this file."
    )
    keywords: list[Keyword] = Field(
        min_length=1,
        description="The keywords that make the theme. Each adds its weight (1, or what stands after ^) once, half as "
        "much again in the title.",
    )
    excluded: list[Keyword] = Field(
        [], alias="not", description="An item with one of these does not have the theme, whatever its keywords say."
    )
    threshold: Threshold = Field(1.0, description="So much weight an item's keywords need together for the theme.")
    examples: ExamplesPart = Field(ExamplesPart(), description="Headlines to try the theme by.")


_USUAL = SecondOpinion()
_MODES = ("the keywords alone decide", "it may add what the keywords missed", "it decides, having heard the keywords")


class SecondOpinionPart(_Part):
    """How far the second opinion is heeded, which has learnt from labelled items: a mode alone, or these keys."""

    mode: Literal["off", "add", "blend"] = Field(
        _USUAL.mode,
        description="Whether it is heeded: not at all, only for what the keywords missed, or for all.",
        json_schema_extra=forms.meanings(*_MODES),
    )
    sense: bool = Field(
        _USUAL.sense, description="Use the sentence embedding too, where the extra `semantic` is installed."
    )
    coverage: Likelihood = Field(
        _USUAL.coverage, description="From how likely on an item counts as coverage: 0.5 is as likely as not."
    )
    theme: Likelihood = Field(_USUAL.theme, description="From how likely on an item is given a theme.")

    @model_validator(mode="before")
    @classmethod
    def _mode_alone(cls, value: Any) -> Any:
        return {"mode": "off" if value is False else value} if isinstance(value, (str, bool)) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """Allow a mode alone; `off` is false to readers of YAML 1.1."""
        alone = {"enum": ["off", "add", "blend", False], **forms.meanings(*_MODES, "the same as off")}
        return {"anyOf": [alone, handler(schema)]}


_MANNERS, _THRESHOLDS = Manners(), Thresholds()


class PollingPart(_Part):
    """How feeds are asked."""

    shortest: Interval = Field(
        _MANNERS.shortest, description="No feed without an `every` of its own is asked more often than this."
    )
    longest: Interval = Field(
        _MANNERS.longest, description="Nor less often than this, as long as it answers. Not shorter than `shortest`."
    )
    contact: Annotated[OneLine, Field(max_length=200)] = Field(
        "",
        description="Your mail address or a page of yours. It goes into the User-Agent, so that an annoyed server's "
        "owner can write to you.",
        examples=["you@example.com"],
        json_schema_extra={"maxLength": 200},
    )
    per_host: Annotated[int, Field(ge=1, le=32)] = Field(
        _MANNERS.per_host, description="How many documents of one host are asked for at once."
    )
    spacing: Spacing = Field(
        _MANNERS.spacing,
        description="How long to wait between two requests to one host. Hosts of `allow` are asked without waiting.",
    )
    allow: list[OwnAddress] = Field(
        [],
        description="Hosts, addresses and networks of your own that may be asked, such as a self-hosted RSSHub. All "
        "that is not public is refused otherwise.",
        examples=[["rsshub", "10.0.0.5", "192.168.0.0/16"]],
    )

    @model_validator(mode="after")
    def _in_order(self) -> PollingPart:
        if self.longest < self.shortest:
            raise ValueError(
                f"shortest ({self.shortest}) is longer than longest ({self.longest}, 2:00:00 if not given)"
            )
        return self


Times = Annotated[int, Field(ge=1, le=1000)]


class HealthPart(_Part):
    """From when on trouble with a feed is reported. Unless said otherwise, after so many polls in a row."""

    failing: Times = Field(
        _THRESHOLDS.failing, description="No answer, or not a good one: after so many polls in a row."
    )
    page: Times = Field(_THRESHOLDS.page, description="A web page in place of a feed: after so many polls in a row.")
    nothing: Times = Field(_THRESHOLDS.nothing, description="An empty body: after so many polls in a row.")
    placeholder: Times = Field(
        _THRESHOLDS.placeholder, description="One entry that says there is no feed: after so many polls in a row."
    )
    empty: Times = Field(_THRESHOLDS.empty, description="A feed without a single entry: after so many polls in a row.")
    stale: Stale = Field(_THRESHOLDS.stale, description="It answers, and its newest entry is as old as this.")
    silent: Annotated[float, Field(ge=1, le=100)] = Field(
        _THRESHOLDS.silent,
        description="No news for so many times the longest pause it lately made (and at least a day, and ten times the "
        "usual pause).",
    )
    gap: Times = Field(
        _THRESHOLDS.gap, description="Entries came and went between two polls: so many times within a week."
    )
    dates: Times = Field(
        _THRESHOLDS.dates,
        description="Most of its dates lie in the future or cannot be read, or its server's clock is hours off: in so "
        "many documents in a row.",
    )
    moved: Annotated[int, Field(ge=5, le=1000)] = Field(
        _THRESHOLDS.moved,
        description="It has led to another address for good: after so many polls in a row, and a day.",
    )


_A_THEME = {"${1:name}": {"title": {"en": "${2:Heading}"}, "keywords": ["${3:keyword}"]}}


class FilePart(_Part):
    """What is watched, what counts, and who is told."""

    model_config = ConfigDict(title="feeds.yaml")

    digests: list[DigestPart] = Field(
        [], description="Who is told, when, and of what. Without any, items are gathered and judged and nobody is told."
    )
    feeds: list[FeedPart] = Field(min_length=1, description="The feeds that are watched.")
    coverage: CoveragePart = Field(
        description="What an item must be about to count: companies, all of them together.",
    )
    themes: dict[str, ThemePart] = Field(
        {},
        description="The themes that coverage is sorted into, each under a name of your choice, in the order of the "
        "digest. What has no theme comes after them.",
        json_schema_extra=forms.snippet("theme", _A_THEME),
    )
    second_opinion: SecondOpinionPart = Field(
        SecondOpinionPart(),
        description="Whether a second opinion, which has learnt from labelled items, is heeded beside the keywords: "
        "`off`, `add` or `blend`, or keys.",
        json_schema_extra={"default": _USUAL.mode},
    )
    retention: Retention = Field(
        timedelta(days=365),
        description="How long the texts of items are kept. Which items were seen and told is remembered for ever.",
    )
    polling: PollingPart = Field(
        PollingPart(), description="How feeds are asked: how often, how many at once, which hosts."
    )
    health: HealthPart = Field(HealthPart(), description="From when on trouble with a feed is reported.")
