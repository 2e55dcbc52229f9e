"""Hits and recent stories → stories: one story for the reports of one event. Pure and deterministic.

Reports belong together for certain when their clean addresses are the same or their headlines nearly are. Else they
do when they likely tell of one event (likeness.py): groups are joined, the likeliest first, as long as the reports in
them are likely enough to belong together (agglomerative clustering; a link is mostly the mean of all pairs).
"""

from __future__ import annotations

import heapq
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from functools import cache

from rapidfuzz import fuzz
from rapidfuzz.utils import default_process

from monitor.digest.likeness import COMMON, SUMMARY, Gist, Likeness
from monitor.model import Item, Judged, Story, ToldStory

NEAR_SAME = 85.0
"""Least likeness of two headlines, in percent of rapidfuzz's ratio, that makes them one story."""
SAME_WORD = 75.0
"""Least likeness of the words in which they differ: centers and centres, not approves and rejects."""
SHORTEST = 12
"""Headlines with fewer characters (a Han character counts three) are too common to join by likeness."""

ENOUGH = 0.3
"""Least link, in log-odds, that joins two groups: a little over even."""
BARE_COSTS = 1.0
"""What two headlines without summaries need more: there are many alike on a day, and a story that stands hidden under
another costs a reader more than one told twice."""
BEST_COUNTS = 0.2
"""What the likeliest pair counts in a link; the rest is the mean."""
NEVER, CERTAIN = -6.0, 3.0
"""A pair counts no less and no more than this: one lucky pair must not outweigh many."""
WINDOW = timedelta(days=2)
"""Reports further apart are not compared: their odds are far below even."""
TELLING = COMMON
"""Reports are compared when they share terms of at least this rarity,"""
SOMEWHAT_ALIKE = 0.03
"""... to at least this cosine. Any other pair counts as `NEVER`."""
MANY, MOST_TELLING, SUMMARY_OF_MANY = 2000, 8, 60
"""... and of many reports only their most telling terms are looked at, and less of their summaries."""
PAIRS = 40_000
"""About so many pairs are compared at most: of many reports each with fewer others, the most alike."""
MOST, FEWEST = 60, 4
"""With so many others each is compared at most, and at least."""
OF_A_GROUP, MOST_ALIKE = 10, 3
"""So many reports of a group, the first, are compared with so many stories told earlier, which share most with it."""
HOLDERS = 5
"""Times as many are looked at for each term, the latest that have it."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[^\W\u3400-\u9fff\uf900-\ufaff]+")
# Words that carry no news of their own, and words that turn it round.
_FILLERS = frozenset(
    re.findall(
        r"\S+",
        "a an and are as at be been by for from has have in into is it its of on or s says said t than that the their"
        " to up was were will with 了 的 将 已 和 与",
    )
)
_TURNS = frozenset(
    re.findall(r"\S+", "no not never nor without denies deny denied unlikely 不 未 没 非 否 无 拒 勿 莫")
)


@dataclass(frozen=True, slots=True)
class _Headline:
    text: str
    words: tuple[str, ...]
    numbers: frozenset[str]
    long_enough: bool

    @classmethod
    def of(cls, title: str) -> _Headline:
        text = default_process(title)
        size = len(text) + 2 * len(_HAN.findall(text))
        return cls(text, tuple(_WORD.findall(text)), frozenset(_NUMBER.findall(title)), size >= SHORTEST)

    def alike(self, other: _Headline) -> bool:
        """Tell whether two headlines are nearly the same letters, or the same words in another order."""
        return fuzz.ratio(self.text, other.text, score_cutoff=NEAR_SAME) > 0 or sorted(self.words) == sorted(
            other.words
        )

    def same(self, other: _Headline) -> bool:
        """Tell whether two headlines that are alike say the same: one other word, number or order can be the news."""
        if self.numbers != other.numbers:
            return False
        return self.text == other.text or self._differs_in_little(other)

    def opposes(self, other: _Headline) -> bool:
        """Tell whether two headlines that are alike differ in a number, in their order or in a turn."""
        if self.numbers != other.numbers or sorted(self.words) == sorted(other.words):
            return True
        return bool(_TURNS & {*self.words} ^ _TURNS & {*other.words})

    def near(self, other: _Headline) -> bool:
        """Tell whether two headlines are nearly the same and say the same."""
        return self.long_enough and other.long_enough and self.alike(other) and self.same(other)

    def _differs_in_little(self, other: _Headline) -> bool:
        mine: list[str] = []
        theirs: list[str] = []
        here, there = _middles(self.words, other.words)
        for kind, a, b, c, d in SequenceMatcher(None, here, there, autojunk=False).get_opcodes():
            if kind != "equal":
                mine += [word for word in here[a:b] if word not in _FILLERS]
                theirs += [word for word in there[c:d] if word not in _FILLERS]
        if _TURNS & {*mine, *theirs}:
            return False
        # Words on one side only add to the headline; words on both stand for each other.
        return not (mine and theirs) or fuzz.ratio(" ".join(mine), " ".join(theirs)) >= SAME_WORD


def _middles(some: Sequence[str], others: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return two lists of words without what they begin and end with in common."""
    first, last, shorter = 0, 0, min(len(some), len(others))
    while first < shorter and some[first] == others[first]:
        first += 1
    while last < shorter - first and some[-1 - last] == others[-1 - last]:
        last += 1
    return some[first : len(some) - last], others[first : len(others) - last]


@dataclass(frozen=True, slots=True)
class _Report:
    """One headline with what is compared of it, of the hits (`hit` is set) or of a story told earlier."""

    headline: _Headline
    gist: Gist
    hit: Judged | None = None


def cluster(
    hits: Sequence[Judged],
    recent: Sequence[ToldStory] = (),
    *,
    likeness: Likeness,
    weigh: Callable[[Item], float] = lambda item: 1.0,
    language: str = "",
) -> list[Story]:
    """Join hits into stories, in the order of their earliest reports.

    A story that `recent` holds already continues it: it is an update, not news. The report that leads a story is one
    of the source that weighs most, then one in `language`, then one with a summary, then the first.
    """
    length = SUMMARY if len(hits) <= MANY else SUMMARY_OF_MANY
    reports = [
        _Report(
            _Headline.of(hit.item.title),
            likeness.read(hit.item.title, hit.item.summary[:length], hit.item.published),
            hit,
        )
        for hit in sorted(hits, key=lambda hit: (hit.item.published, hit.id))
    ]
    groups = _Groups(reports, likeness).joined()
    known = _Told(recent, likeness)
    found: dict[object, tuple[list[Judged], ToldStory | None]] = {}
    for number, group in enumerate(groups):
        told = known.continued(group)
        # Groups that continue one told story are one update, however little they resemble each other.
        members, _ = found.setdefault(("told", told.id) if told else ("new", number), ([], told))
        members += [report.hit for report in group if report.hit]
    rank = _Rank(weigh, language)
    return [Story(tuple(sorted(members, key=rank.of)), _themes(members), told) for members, told in found.values()]


# ---------------------------------------------------------------- groups


class _Groups:
    """Reports, joined into groups step by step; a group is named by its first report."""

    def __init__(self, reports: Sequence[_Report], likeness: Likeness) -> None:
        self._reports, self._likeness = reports, likeness
        self._parent = list(range(len(reports)))

    def joined(self) -> list[list[_Report]]:
        """Return the groups, by their first reports."""
        self._join_the_same()
        firsts = self._firsts()
        odds = self._odds(firsts)
        self._join_the_likely(firsts, odds)
        members: dict[int, list[_Report]] = defaultdict(list)
        for number, report in enumerate(self._reports):
            members[self._root(number)].append(report)
        return [members[first] for first in sorted(members)]

    def _root(self, number: int) -> int:
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def _join(self, one: int, other: int) -> int:
        """Join two groups; return the name of the new one."""
        first, second = sorted((self._root(one), self._root(other)))
        self._parent[second] = first
        return first

    def _join_the_same(self) -> None:
        """Join reports of one address or one headline."""
        seen: dict[str, int] = {}
        for number, report in enumerate(self._reports):
            marks = [f"link {report.hit.item.link}"] if report.hit and report.hit.item.link else []
            if report.headline.long_enough:
                marks.append(f"text {report.headline.text} {sorted(report.headline.numbers)}")
            for mark in marks:
                self._join(number, seen.setdefault(mark, number))

    def _firsts(self) -> list[int]:
        """Return the reports that are compared: each headline once."""
        seen: dict[tuple[int, str, frozenset[str]], int] = {}
        for number, report in enumerate(self._reports):
            if report.headline.long_enough:
                headline = report.headline
                seen.setdefault((self._root(number), headline.text, headline.numbers), number)
        return list(seen.values())

    def _odds(self, numbers: Sequence[int]) -> dict[tuple[int, int], float]:
        """Return the log-odds of the pairs that are worth comparing; join those that nearly are the same."""
        odds: dict[tuple[int, int], float] = {}
        for one, other in _candidates([(number, self._reports[number]) for number in numbers], self._likeness):
            a, b = self._reports[one], self._reports[other]
            alike = a.headline.alike(b.headline)
            if alike and a.headline.same(b.headline):
                self._join(one, other)
                odds[one, other] = CERTAIN
            elif alike and len(numbers) > MANY:  # no time to read what it may be that differs
                odds[one, other] = NEVER
            else:
                odds[one, other] = _pair(a, b, self._likeness)
        return odds

    def _join_the_likely(self, numbers: Sequence[int], odds: Mapping[tuple[int, int], float]) -> None:
        """Join groups, the likeliest first. What was not compared counts as `NEVER`."""
        sizes: dict[int, int] = defaultdict(int)
        for number in numbers:
            sizes[self._root(number)] += 1
        links: dict[int, dict[int, _Link]] = defaultdict(dict)
        for (one, other), value in odds.items():
            a, b = self._root(one), self._root(other)
            if a != b:
                link = links[a].get(b, _Link())
                links[a][b] = links[b][a] = link.with_pair(value)
        heap = [
            (-link.strength(sizes[a], sizes[b]), a, b)
            for a, found in links.items()
            for b, link in found.items()
            if a < b
        ]
        heapq.heapify(heap)
        while heap:
            strength, a, b = heapq.heappop(heap)
            if -strength <= ENOUGH:
                return
            if b not in links.get(a, {}) or -links[a][b].strength(sizes[a], sizes[b]) != strength:
                continue  # one of the two has been joined since
            first = self._join(a, b)
            gone = b if first == a else a
            sizes[first] += sizes.pop(gone)
            for other, link in links.pop(gone).items():
                del links[other][gone]
                if other != first:
                    merged = link.with_link(links[first].get(other))
                    links[first][other] = links[other][first] = merged
            for other, link in links[first].items():
                heapq.heappush(
                    heap,
                    (-link.strength(sizes[first], sizes[other]), min(first, other), max(first, other)),
                )


@dataclass(frozen=True, slots=True)
class _Link:
    """The compared pairs between two groups: how many, their sum, and the likeliest."""

    pairs: int = 0
    total: float = 0.0
    best: float = NEVER

    def with_pair(self, odds: float) -> _Link:
        return _Link(self.pairs + 1, self.total + odds, max(self.best, odds))

    def with_link(self, other: _Link | None) -> _Link:
        if other is None:
            return self
        return _Link(self.pairs + other.pairs, self.total + other.total, max(self.best, other.best))

    def strength(self, some: int, others: int) -> float:
        mean = (self.total + (some * others - self.pairs) * NEVER) / (some * others)
        return BEST_COUNTS * self.best + (1 - BEST_COUNTS) * mean


def _candidates(numbered: Sequence[tuple[int, _Report]], likeness: Likeness) -> Iterator[tuple[int, int]]:
    """Yield the pairs that are worth comparing; the reports come in order of time."""
    most = max(FEWEST, min(MOST, PAIRS // max(1, len(numbered))))
    terms = MOST_TELLING if len(numbered) > MANY else None
    latest: dict[str, deque[tuple[int, float]]] = {}
    gists: dict[int, Gist] = {}
    for number, report in numbered:
        gist = gists[number] = report.gist
        shared: dict[int, float] = defaultdict(float)
        for term, weight in likeness.telling(gist, TELLING, terms):
            holders = latest.get(term)
            if holders is None:
                holders = latest[term] = deque(maxlen=most * HOLDERS)
            for other, theirs in holders:
                shared[other] += weight * theirs
            holders.append((number, weight))
        enough, since = SOMEWHAT_ALIKE * gist.size, gist.at - WINDOW
        likely = [
            (product / gists[other].size, other)
            for other, product in shared.items()
            if product >= enough * gists[other].size and gists[other].at >= since
        ]
        for _, other in heapq.nlargest(most, likely):
            yield other, number


# ---------------------------------------------------------------- stories told earlier


class _Told:
    """The stories told earlier, and what they are found by."""

    def __init__(self, recent: Sequence[ToldStory], likeness: Likeness) -> None:
        self._stories, self._likeness = recent, likeness
        self._reports: list[list[_Report]] = []
        self._by_link: dict[str, int] = {}
        self._by_term: dict[str, dict[int, float]] = defaultdict(dict)
        for number, told in enumerate(recent):
            summaries = told.summaries or ("",) * len(told.titles)
            times = told.times or (told.told,) * len(told.titles)
            self._reports.append(
                [
                    _Report(_Headline.of(title), likeness.read(title, summary, at))
                    for title, summary, at in zip(told.titles, summaries, times, strict=True)
                ][:OF_A_GROUP]
            )
            for link in told.links:
                if link:
                    self._by_link.setdefault(link, number)
            for report in self._reports[-1]:
                for term, weight in report.gist.weights.items():
                    known = self._by_term[term]
                    known[number] = max(known.get(number, 0.0), weight)

    def continued(self, group: Sequence[_Report]) -> ToldStory | None:
        """Return the told story that a group goes on with: by an address, by a headline, or most likely of all."""
        links = [self._by_link[r.hit.item.link] for r in group if r.hit and r.hit.item.link in self._by_link]
        if links:
            return self._stories[min(links)]
        few = [report for report in group if report.headline.long_enough][:OF_A_GROUP]
        likely = self._likely(few)
        for number in likely:
            if any(mine.headline.near(theirs.headline) for mine in few for theirs in self._reports[number]):
                return self._stories[number]
        strengths = [(self._strength(few, number), -number) for number in likely]
        best, number = max(strengths, default=(NEVER, 0))
        return self._stories[-number] if best > ENOUGH else None

    def _likely(self, group: Sequence[_Report]) -> list[int]:
        """Return the stories that share most with a group."""
        shared: dict[int, float] = defaultdict(float)
        for report in group:
            for term, weight in self._likeness.telling(report.gist, COMMON / 3):
                for number, theirs in self._by_term.get(term, {}).items():
                    shared[number] += weight * theirs
        best = heapq.nlargest(MOST_ALIKE, ((product, -number) for number, product in shared.items()))
        return [-number for _, number in best]

    def _strength(self, group: Sequence[_Report], number: int) -> float:
        """Return the link of a group with a told story; far below even where they share nothing that tells."""
        theirs = [report for report in self._reports[number] if report.headline.long_enough]
        pairs = [(a, b) for a in group for b in theirs if abs(a.gist.at - b.gist.at) <= WINDOW]
        if not pairs:
            return NEVER
        link = _Link()
        for a, b in pairs:
            if _share_something(a.gist, b.gist, self._likeness):
                link = link.with_pair(_pair(a, b, self._likeness))
        return link.strength(len(group), len(theirs))


def _share_something(a: Gist, b: Gist, likeness: Likeness) -> bool:
    return any(likeness.rarity(term) >= TELLING for term in a.weights.keys() & b.weights.keys())


def _pair(a: _Report, b: _Report, likeness: Likeness) -> float:
    """Return the log-odds that two reports tell of one event, within bounds.

    Headlines that are alike but for a number, an order, a turn or a known thing on both sides tell of two: approves and
    rejects, Ohio and Texas. Interface and API may be the same, where summaries bear it out.
    """
    if a.headline.alike(b.headline):
        bare = a.gist.bare and b.gist.bare  # with nothing to tell whether another word is another thing
        if bare or a.headline.opposes(b.headline) or a.gist.other_concepts(b.gist):
            return NEVER
    odds = likeness.odds(a.gist, b.gist) - (BARE_COSTS if a.gist.bare and b.gist.bare else 0.0)
    return max(NEVER, min(CERTAIN, odds))


# ---------------------------------------------------------------- the lead, the themes


class _Rank:
    """Which report of a story leads, and how the others follow."""

    def __init__(self, weigh: Callable[[Item], float], language: str) -> None:
        self._weigh, self._language = cache(weigh), language.split("-")[0].lower()

    def of(self, report: Judged) -> tuple[bool, bool, float, bool, bool, datetime, int]:
        item: Item = report.item
        foreign = bool(self._language) and item.language.split("-")[0].lower() != self._language
        thin = not item.summary or item.summary.startswith(item.title)
        return (report.verdict.doubted, not item.link, -self._weigh(item), foreign, thin, item.published, report.id)


def _themes(reports: Iterable[Judged]) -> tuple[str, ...]:
    """Return the themes of all reports that are not doubted, unless all are: the highest score of any report first."""
    reports = list(reports)
    sure = [report for report in reports if not report.verdict.doubted]
    best: dict[str, float] = {}
    for report in sure or reports:
        for theme, score in report.verdict.themes:
            best[theme] = max(best.get(theme, 0.0), score)
    return tuple(sorted(best, key=lambda theme: (-best[theme], theme)))
