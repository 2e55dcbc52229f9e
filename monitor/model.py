"""The values that cross borders between rooms.

Every time is an aware `datetime` in UTC. Every text is plain (no markup, no entities).
Nothing here does any work beyond deriving one field from others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from monitor.errors import without_credentials

# ---------------------------------------------------------------- feeds: bytes → Entry → Item


@dataclass(frozen=True, slots=True)
class Manners:
    """How feeds are asked. A feed without an `every` of its own is asked between each `shortest` and each `longest`.

    `contact` (a mail address or a page) goes into the User-Agent. Of one host `per_host` documents at once, and one
    each `spacing`. `allow` names hosts, addresses and networks of one's own that may be asked, which the guard would
    refuse; they are not spaced.
    """

    shortest: timedelta = timedelta(minutes=15)
    longest: timedelta = timedelta(hours=2)
    contact: str = ""
    per_host: int = 2
    spacing: timedelta = timedelta(seconds=1)
    allow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on something is reported of a feed: polls in a row, or for how long.

    `silent` is in times of the longest pause that the feed lately made; `gap` counts within a week.
    """

    failing: int = 3
    page: int = 3
    nothing: int = 3
    placeholder: int = 3
    empty: int = 12
    stale: timedelta = timedelta(days=60)
    silent: float = 1.5
    gap: int = 2
    dates: int = 3
    moved: int = 5


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed as the user configured it. `timezone` (IANA) is for dates that name no zone.

    `every` None: the interval follows the feed's own pace. `headers` are sent to the feed's own host and no other.
    `timeout` bounds the whole answer. With `fulltext` the article's page is read too. Of several reports of one event,
    the one from the feed with the greatest `weight` is shown.
    """

    url: str
    name: str = ""
    language: str = ""
    timezone: str = ""
    every: timedelta | None = None
    user_agent: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    timeout: timedelta = timedelta(seconds=30)
    enabled: bool = True
    weight: float = 1.0
    fulltext: bool = False

    @property
    def address(self) -> str:
        """The address as it may be shown: without the password that it may hold."""
        return without_credentials(self.url)


@dataclass(frozen=True, slots=True)
class FeedState:
    """What the last polls of one feed left behind. `body_hash` is SHA-256, hexadecimal.

    `trouble` names what fails. `pace` is the interval that suits how often the feed changes, `hint` what it asks for,
    `skip` its skipHours and skipDays (`3 4 sunday`). `moved_to` is where it led for good at the last `moved_polls`
    polls since `moved_since`. `gone`: it said so itself (410). `seen` are the hashes of the last document's entries,
    eight bytes each, None where entries cannot be told apart by them; `newest` is the latest date, `newest_key` its
    entry. `empty_polls` and `odd_polls` count documents in a row without entries, or with dates that cannot be (`odd`
    says how); `gaps` are the times when entries were probably missed.
    """

    url: str
    title: str = ""
    etag: str = ""
    last_modified: str = ""
    body_hash: str = ""
    due: datetime | None = None
    last_polled: datetime | None = None
    last_ok: datetime | None = None
    failures: int = 0
    failing_since: datetime | None = None
    error: str = ""
    trouble: str = ""
    pace: timedelta | None = None
    hint: timedelta | None = None
    skip: str = ""
    moved_to: str = ""
    moved_polls: int = 0
    moved_since: datetime | None = None
    gone: datetime | None = None
    seen: bytes | None = b""
    newest: datetime | None = None
    newest_key: str = ""
    empty_polls: int = 0
    empty_since: datetime | None = None
    odd_polls: int = 0
    odd: str = ""
    gaps: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document that a feed answered with (HTTP 200). `headers` have lower-case names.

    `moved` is where permanent redirects (301, 308) led from the feed's own address.
    """

    url: str
    body: bytes
    headers: Mapping[str, str]
    seconds: float
    moved: str = ""


@dataclass(frozen=True, slots=True)
class NotModified:
    """HTTP 304: nothing new, at the cost of one round trip."""

    seconds: float
    headers: Mapping[str, str] = field(default_factory=dict)
    moved: str = ""


class Trouble(StrEnum):
    """What can be wrong with a feed, told apart.

    The first five are failures: nothing of use came. The others are feeds that answer and still do not serve.
    """

    FAILING = "failing"
    PAGE = "page"  # answers with a web page
    NOTHING = "nothing"  # answers with nothing
    PLACEHOLDER = "placeholder"  # answers that it does not answer
    GONE = "gone"  # says that it is gone for good (410)
    EMPTY = "empty"  # answers with a feed that has no entries
    STALE = "stale"  # answers, and its newest entry is old
    SILENT = "silent"  # has brought nothing for longer than is its habit
    GAP = "gap"  # entries came and went between two polls
    DATES = "dates"  # its dates, or its server's clock, cannot be
    MOVED = "moved"  # leads to another address for good


BROKEN = frozenset({Trouble.FAILING, Trouble.PAGE, Trouble.NOTHING, Trouble.PLACEHOLDER, Trouble.GONE})
"""Troubles of feeds that bring nothing at all."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A feed that could not be used this time, in words for a person.

    `retry_after` is what the server asked for (RFC 9110, 10.2.3), if it did; `status` what it answered with, where that
    is the failure.
    """

    reason: str
    retry_after: timedelta | None = None
    seconds: float = 0.0
    trouble: Trouble = Trouble.FAILING
    status: int = 0


Response = Fetched | NotModified | Failure


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as the feed has it: texts still with markup, dates still text.

    `published_utc` is the parser's own reading of the date, wrong where no zone is named.
    """

    id: str
    link: str
    title: str
    summary: str
    content: str
    published: str
    published_utc: datetime | None
    source: str
    language: str


@dataclass(frozen=True, slots=True)
class Hints:
    """When a document asks to be asked again: ttl or sy:updatePeriod, and hours (GMT) and days (0: Monday) to skip."""

    every: timedelta | None = None
    skip_hours: frozenset[int] = frozenset()
    skip_days: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document that was read as a feed. `version` is feedparser's name of the format; `sound`: it is well-formed."""

    title: str
    language: str
    version: str
    entries: tuple[Entry, ...]
    sound: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """A news item, clean. `key` names it within its feed, for ever.

    `published` falls back to `first_seen` where the feed gives none that can be true
    (`dated` is then False). `backlog` marks what was old when its feed first showed it:
    stored and searchable, never news. `text` is the article's own, where the feed's `fulltext` asks for it: judged,
    never shown.
    """

    feed_url: str
    key: str
    link: str
    title: str
    summary: str
    outlet: str
    language: str
    published: datetime
    first_seen: datetime
    dated: bool = True
    backlog: bool = False
    text: str = ""


# ---------------------------------------------------------------- match: Item → Verdict


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why: `keyword` of `clause` stands at `start:end` of the item's `field`.

    `clause` is `coverage.<company>`, `coverage.<relations, against, others, not>`, `theme.<name>`, `near.<name>` for a
    theme that falls short, or `unmade.<name>` for its exclusions; `field` is `title`, `summary` or `text`.
    """

    clause: str
    keyword: str
    field: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign that an item is about the companies together, or is not, with its points."""

    name: str
    points: float


@dataclass(frozen=True, slots=True)
class Heard:
    """The second opinion on one question, `coverage` or a theme: log-odds to begin with, and what each voice adds."""

    question: str
    base: float
    voices: tuple[tuple[str, float], ...]

    @property
    def likelihood(self) -> float:
        """How likely the answer is yes, from 0 to 1."""
        odds = self.base + sum(said for _, said in self.voices)
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, odds))))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about one item. `themes` maps a theme to its score, best first; `score` is their sum.

    `reason` says in words why an item is not covered; empty for one that is. `signs` add up to the points for coverage;
    `near` are the themes that fell short, with their scores. `heard` is the second opinion where it was asked:
    `doubted` marks a hit of the rules that it does not share, `alone` what it says without a keyword (`coverage`,
    themes), `reads_like` the words that weighed most for that, and `withdrawn` the themes of keywords that it does not
    share.
    """

    covered: bool
    themes: tuple[tuple[str, float], ...] = ()
    score: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    reason: str = ""
    signs: tuple[Sign, ...] = ()
    near: tuple[tuple[str, float], ...] = ()
    heard: tuple[Heard, ...] = ()
    doubted: bool = False
    alone: tuple[str, ...] = ()
    reads_like: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()

    @property
    def sure(self) -> bool:
        """True for a hit that nobody doubts."""
        return self.covered and not self.doubted


@dataclass(frozen=True, slots=True)
class Told:
    """That an edition of a digest showed an item, and until when that edition reached."""

    digest: str
    edition: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Archived:
    """An item of the archive: what was decided, and where it was told. `likelihood` is the second opinion's, 0 to 1."""

    number: int
    item: Item
    verdict: Verdict
    likelihood: float | None = None
    told: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """Which items of the archive are meant: all where nothing is said.

    The dates are those of publication, `until` not included. An `outlet` is named by a part of its name.
    """

    since: datetime | None = None
    until: datetime | None = None
    theme: str = ""
    outlet: str = ""
    language: str = ""
    hits: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """What a reader said of an item, with its text, which is kept longer than the item's.

    `themes` None: only whether it is relevant was said. `missed`: it was in no digest and should have been.
    """

    link: str
    title: str
    summary: str
    language: str
    outlet: str
    relevant: bool
    themes: tuple[str, ...] | None
    missed: bool
    said: datetime

    @property
    def key(self) -> str:
        """What it is kept under: a second word on the same text replaces the first."""
        return f"{self.link} {self.title}".strip()


@dataclass(frozen=True, slots=True)
class Judged:
    """An item with its verdict, and its number in the store (0 before it has one).

    `stored_by` are the rules of the verdict that the store held when it was read.
    """

    item: Item
    verdict: Verdict
    id: int = 0
    stored_by: str = ""


# ---------------------------------------------------------------- digest: Judged → Story → Edition → Message → Delivery


CHANNEL = "channel:"
"""What the name of a channel stands behind where a recipient is meant: no mail address begins so."""


@dataclass(frozen=True, slots=True)
class DigestPlan:
    """One digest as the user configured it. `cron` is a five-field crontab line in `timezone`.

    `themes` empty means all of them, and then coverage without a theme as well. `channels` are names of chats.
    """

    name: str
    to: tuple[str, ...]
    cron: str
    timezone: str = "UTC"
    language: str = "en"
    themes: tuple[str, ...] = ()
    empty: str = "skip"
    channels: tuple[str, ...] = ()

    @property
    def recipients(self) -> tuple[str, ...]:
        """Whom it goes to, each once: mail addresses, and channels behind their `CHANNEL`."""
        return tuple(dict.fromkeys((*self.to, *(f"{CHANNEL}{name}" for name in self.channels))))


@dataclass(frozen=True, slots=True)
class ToldStory:
    """A story that an earlier edition told: enough of it to recognise more of the same."""

    id: int
    title: str
    link: str
    language: str
    themes: tuple[str, ...]
    outlets: tuple[str, ...]
    links: tuple[str, ...]
    titles: tuple[str, ...]
    told: datetime
    summaries: tuple[str, ...] = ()
    times: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """Reports of one event; the lead report first. `continues` is the story told earlier, if any."""

    reports: tuple[Judged, ...]
    themes: tuple[str, ...]
    continues: ToldStory | None = None

    @property
    def lead(self) -> Judged:
        """The report whose headline and summary tell the story."""
        return self.reports[0]

    @property
    def originals(self) -> tuple[Judged, ...]:
        """The reports, each address once: the same one through another feed is no second report."""
        first: dict[str, Judged] = {}
        for number, report in enumerate(self.reports):
            first.setdefault(report.item.link or f"no address {number}", report)
        return tuple(first.values())

    @property
    def withdrawn(self) -> tuple[str, ...]:
        """Themes that keywords gave to reports and the second opinion does not share."""
        return tuple(dict.fromkeys(theme for report in self.reports for theme in report.verdict.withdrawn))

    @property
    def doubted(self) -> bool:
        """True when the second opinion doubts all reports."""
        return all(report.verdict.doubted for report in self.reports)

    @property
    def outlets(self) -> tuple[str, ...]:
        """Names of the outlets that reported it, the lead's first, each once."""
        return tuple(dict.fromkeys(report.item.outlet for report in self.originals))


@dataclass(frozen=True, slots=True)
class ThemeTitle:
    """A theme's name in feeds.yaml, its heading in the digest's language, and the same in a word or two."""

    name: str
    title: str
    short: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """The new stories and the updates under one heading; `theme` None: coverage without a theme.

    `doubted`: the hits of keywords that the second opinion doubts, of any theme or none. `more` counts the new stories
    that the cap left out, `more_updates` the updates.
    """

    theme: ThemeTitle | None
    stories: tuple[Story, ...]
    updates: tuple[Story, ...] = ()
    more: int = 0
    doubted: bool = False
    more_updates: int = 0


@dataclass(frozen=True, slots=True)
class PastEdition:
    """An edition of earlier days: its window, and how many new stories it had of each theme."""

    since: datetime
    until: datetime
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Trend:
    """How much there is of a theme: `count` new stories now, `usual` in a window of this length.

    `usual` is None while too little is known. `days` are the new stories of the last days, the present one last;
    `change` is what a reader should hear of: `times`, `returns`, `quiet` or nothing, and `amount` how much of it.
    """

    theme: ThemeTitle
    count: int
    usual: float | None
    days: tuple[int, ...]
    change: str = ""
    amount: int = 0


@dataclass(frozen=True, slots=True)
class FeedTrouble:
    """What is wrong with a feed, for a reader. `since` when, as far as is known.

    `reason` is in words for a failure, the new address for `moved`, `future`, `unreadable` or `clock` for `dates`;
    `usual` is how often a silent feed is used to bring news.
    """

    name: str
    reason: str
    since: datetime | None
    kind: Trouble = Trouble.FAILING
    usual: timedelta | None = None

    @property
    def broken(self) -> bool:
        """True for a feed that brings nothing at all, false for one that answers and does not serve."""
        return self.kind in BROKEN


@dataclass(frozen=True, slots=True)
class Edition:
    """Everything that one digest tells: it covers `since` < t ≤ `until`.

    `reports` counts those of all new stories that nobody doubts, shown or left out by a cap. `passed` are items that
    this edition settles without showing them (repeats of told addresses, themes that this digest leaves out, what a cap
    left out): they are never candidates again. Of each story `most_outlets` are named and linked, the rest is counted.
    `unasked` feeds were never polled. `merges` are the numbers of earlier editions that reached nobody: this one tells
    what they told.
    """

    plan: DigestPlan
    since: datetime
    until: datetime
    sections: tuple[Section, ...]
    reports: int
    feeds_total: int
    troubles: tuple[FeedTrouble, ...]
    notices: tuple[str, ...] = ()
    passed: tuple[int, ...] = ()
    slot: datetime | None = None
    theme_titles: tuple[ThemeTitle, ...] = ()
    trends: tuple[Trend, ...] = ()
    remarks: tuple[FeedTrouble, ...] = ()
    most_outlets: int = 12
    unasked: int = 0
    merges: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """How many new stories there are that nobody doubts, shown or left out by a cap."""
        return sum(len(section.stories) + section.more for section in self.sections if not section.doubted)

    @property
    def doubtful(self) -> int:
        """How many new stories the second opinion doubts."""
        return sum(len(section.stories) + section.more for section in self.sections if section.doubted)

    @property
    def stories(self) -> tuple[Story, ...]:
        """The new stories, in the order of the page."""
        return tuple(story for section in self.sections for story in section.stories)

    @property
    def updates(self) -> tuple[Story, ...]:
        """Earlier stories that other outlets have taken up since."""
        return tuple(story for section in self.sections for story in section.updates)

    @property
    def updates_total(self) -> int:
        """How many earlier stories other outlets have taken up, shown or left out by a cap."""
        return len(self.updates) + sum(section.more_updates for section in self.sections)

    @property
    def empty(self) -> bool:
        """True when there is nothing to tell."""
        return not self.stories and not self.updates

    @property
    def silent(self) -> bool:
        """True when no feed answers: then nothing to tell does not mean that nothing happened."""
        return 0 < self.feeds_total <= len(self.troubles)

    @property
    def too_early(self) -> bool:
        """True when no feed was ever asked: then there is nothing that could be told."""
        return 0 < self.feeds_total <= self.unasked


@dataclass(frozen=True, slots=True)
class Templates:
    """Templates by file name, and where each was read from, to name it in an error."""

    sources: Mapping[str, str]
    places: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """What an edition is rendered with beside itself: the templates by file name, whom its links write to, and by whom.

    The same edition in the same frame gives the same bytes, whenever it is rendered.
    """

    templates: Mapping[str, str]
    owner: str
    sender: str
    version: str


@dataclass(frozen=True, slots=True)
class MailedEdition:
    """An edition that was mailed, in a line; `zone` (IANA) is that of its digest then."""

    id: int
    digest: str
    until: datetime
    zone: str
    subject: str
    stories: int
    mails: int

    @property
    def local(self) -> datetime:
        """When it was made, by the clock of its readers."""
        return self.until.astimezone(ZoneInfo(self.zone))


@dataclass(frozen=True, slots=True)
class KeptEdition:
    """An edition that was mailed, as it was frozen. `edition` and `frame` are None where an early version froze it.

    `own` are the editions of those messages, by their Message-ID, that hold more for readers who had missed some.
    """

    id: int
    digest: str
    until: datetime
    subject: str
    messages: tuple[Message, ...]
    edition: Edition | None
    frame: Frame | None
    own: Mapping[str, Edition] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeptStory:
    """A story in the record of what was told: its headline, where it leads, and in which edition it stood."""

    edition_id: int
    digest: str
    until: datetime
    title: str
    link: str
    outlet: str
    language: str
    themes: tuple[str, ...]
    update: bool


@dataclass(frozen=True, slots=True)
class Rendered:
    """An edition as text, the same for every recipient."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Message:
    """A finished mail: `raw` is RFC 5322 bytes with CRLF, sent as they are on every attempt."""

    message_id: str
    sender: str
    recipient: str
    subject: str
    raw: bytes


class State(StrEnum):
    """Where a delivery stands.

    pending → sending → sent | unknown | refused | merged. `unknown`: the connection was lost when the
    server may already have had the whole message (RFC 1047); it is sent again, unchanged. `merged`: it certainly did
    not arrive and is not sent any more, for the next mail to this recipient holds what it held.
    """

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to one recipient. `doubts` counts the attempts whose end is unknown."""

    id: int
    message: Message
    state: State
    attempts: int
    doubts: int
    created: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """How one attempt ended: the state it leads to, and what the server or the disk said.

    `content`: what was refused is the message itself, not whom it goes to; another that holds the same would be, too.
    `asked` is false where nobody was asked, because the one before had failed in a way that speaks for all.
    """

    state: State
    detail: str
    content: bool = False
    asked: bool = True


@dataclass(frozen=True, slots=True)
class Owed:
    """What a recipient certainly did not get: the deliveries that failed, and the editions that they told."""

    recipient: str
    deliveries: tuple[int, ...]
    editions: frozenset[int]


# ---------------------------------------------------------------- worker: what a poll did


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one poll of one feed came to. `result`: ok, unchanged or failed, and then `trouble` names it."""

    feed: Feed
    result: str
    entries: int = 0
    new: int = 0
    changed: int = 0
    hits: int = 0
    reason: str = ""
    seconds: float = 0.0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class JobRun:
    """The last run of one job of the worker; `error` is empty when it went well."""

    name: str
    started: datetime | None
    finished: datetime | None
    succeeded: datetime | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """What a person should know, and since when."""

    text: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Figures:
    """What a database holds: hits by theme, stories and editions by digest, deliveries by state."""

    items: int
    hits: Mapping[str, int]
    stories: Mapping[str, int]
    updates: Mapping[str, int]
    editions: Mapping[str, int]
    mails: Mapping[str, int]
    deliveries: Mapping[str, int]
    last_delivery: datetime | None
