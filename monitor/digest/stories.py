"""Hits and recent stories → stories: one story for the reports of one event. Pure and deterministic.

Reports belong together when their clean addresses are the same or their headlines nearly are; and, where headlines can
be embedded, when one in English and one in Chinese mean the same.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from functools import cache
from operator import mul

from rapidfuzz import fuzz
from rapidfuzz.utils import default_process

from monitor.model import Item, Judged, Story, ToldStory

NEAR_SAME = 85.0
"""Least likeness of two headlines, in percent of rapidfuzz's ratio, that makes them one story."""
SAME_WORD = 75.0
"""Least likeness of the words in which they differ: centers and centres, not approves and rejects."""
SHORTEST = 12
"""Headlines with fewer characters (a Han character counts three) are too common to join by likeness."""

SAME_MEANING = 0.885
"""Least cosine of two headlines' embeddings that makes them one story across languages."""
SAME_DAYS = timedelta(days=3)
"""Reports of one event in two languages come within so long."""
MOST_EMBEDDED = 300
"""So many stories, the newest, are compared across languages: to embed one takes about 50 ms."""

Embed = Callable[[str], Sequence[float]]

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

    def near(self, other: _Headline) -> bool:
        """Tell whether two headlines say the same.

        Likeness of the letters is not enough: one other word, number or order can be the whole news.
        """
        if not (self.long_enough and other.long_enough) or self.numbers != other.numbers:
            return False
        if self.text == other.text:
            return True
        return fuzz.ratio(self.text, other.text, score_cutoff=NEAR_SAME) > 0 and self._differs_in_little(other)

    def _differs_in_little(self, other: _Headline) -> bool:
        mine: list[str] = []
        theirs: list[str] = []
        for kind, a, b, c, d in SequenceMatcher(None, self.words, other.words, autojunk=False).get_opcodes():
            if kind != "equal":
                mine += [word for word in self.words[a:b] if word not in _FILLERS]
                theirs += [word for word in other.words[c:d] if word not in _FILLERS]
        if _TURNS & {*mine, *theirs}:
            return False
        # Words on one side only add to the headline; words on both stand for each other.
        return not (mine and theirs) or fuzz.ratio(" ".join(mine), " ".join(theirs)) >= SAME_WORD


_Hit = tuple[Judged, _Headline]


def cluster(hits: Sequence[Judged], recent: Sequence[ToldStory] = (), embed: Embed | None = None) -> list[Story]:
    """Join hits into stories, in the order of their earliest reports.

    A story that `recent` holds already continues it: it is an update, not news. `embed` joins across languages.
    """
    known = [(told, [_Headline.of(title) for title in told.titles], set(told.links) - {""}) for told in recent]
    groups = _grouped(sorted(hits, key=lambda hit: (hit.item.published, hit.id)))
    meant: dict[int, ToldStory] = {}
    if embed:
        tongues = _Tongues(embed)
        groups = _across(groups, tongues)
        meant = _told_across(groups, recent, tongues)
    found: dict[object, tuple[list[Judged], ToldStory | None]] = {}
    for number, group in enumerate(groups):
        told = _continued(group, known) or meant.get(number)
        # Groups that continue one told story are one update, however little they resemble each other.
        reports, _ = found.setdefault(("told", told.id) if told else ("new", number), ([], told))
        reports += [hit for hit, _ in group]
    return [Story(tuple(sorted(reports, key=_lead_first)), _themes(reports), told) for reports, told in found.values()]


def _grouped(hits: Sequence[Judged]) -> list[list[_Hit]]:
    headlines = [_Headline.of(hit.item.title) for hit in hits]
    parent = list(range(len(hits)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    by_link: dict[str, int] = {}
    for i, hit in enumerate(hits):
        if hit.item.link:
            parent[root(i)] = root(by_link.setdefault(hit.item.link, i))
        for j in range(i):
            if root(i) != root(j) and headlines[i].near(headlines[j]):
                parent[root(i)] = root(j)
    groups: dict[int, list[_Hit]] = defaultdict(list)
    for i, hit in enumerate(hits):
        groups[root(i)].append((hit, headlines[i]))
    return list(groups.values())


# ---------------------------------------------------------------- across languages


@dataclass(frozen=True, slots=True)
class _Said:
    """A headline with what else must agree: one language against another, the same themes, about the same time."""

    title: str
    chinese: bool
    themes: frozenset[str]
    at: datetime


class _Tongues:
    """Tells whether headlines in two languages mean the same."""

    def __init__(self, embed: Embed) -> None:
        self._embed = cache(embed)

    def pairs(self, some: Sequence[_Said], others: Sequence[_Said]) -> list[tuple[int, int]]:
        """Return the numbers of those that are nearest to each other, in two languages, and near enough."""
        near: dict[tuple[int, int], float] = {}
        for i, one in enumerate(some[-MOST_EMBEDDED:], max(0, len(some) - MOST_EMBEDDED)):
            for j, other in enumerate(others[-MOST_EMBEDDED:], max(0, len(others) - MOST_EMBEDDED)):
                if one.chinese != other.chinese and one.themes & other.themes and abs(one.at - other.at) <= SAME_DAYS:
                    likeness = sum(map(mul, self._embed(one.title), self._embed(other.title)))
                    if likeness >= SAME_MEANING:
                        near[i, j] = likeness
        best: dict[tuple[str, int], float] = {}
        for (i, j), likeness in near.items():
            best["some", i] = max(best.get(("some", i), 0.0), likeness)
            best["others", j] = max(best.get(("others", j), 0.0), likeness)
        return [(i, j) for (i, j), n in near.items() if n == best["some", i] == best["others", j]]


def _said(group: Sequence[_Hit]) -> _Said:
    lead = min((hit for hit, _ in group), key=_lead_first).item
    themes = frozenset(_themes(hit for hit, _ in group)) or frozenset({""})
    return _Said(lead.title, bool(_HAN.search(lead.title)), themes, lead.published)


def _across(groups: list[list[_Hit]], tongues: _Tongues) -> list[list[_Hit]]:
    """Join groups in two languages that mean the same."""
    said = [_said(group) for group in groups]
    joined = {j: i for i, j in tongues.pairs(said, said) if i < j}
    for j in sorted(joined, reverse=True):  # what is joined to j goes along
        groups[joined[j]].extend(groups[j])
    return [group for number, group in enumerate(groups) if number not in joined]


def _told_across(
    groups: Sequence[Sequence[_Hit]], recent: Sequence[ToldStory], tongues: _Tongues
) -> dict[int, ToldStory]:
    """Return the told stories that groups in the other language go on with."""
    told = [
        _Said(one.title, bool(_HAN.search(one.title)), frozenset(one.themes) or frozenset({""}), one.told)
        for one in recent
    ]
    return {i: recent[j] for i, j in tongues.pairs([_said(group) for group in groups], told)}


def _continued(group: Sequence[_Hit], known: Iterable[tuple[ToldStory, list[_Headline], set[str]]]) -> ToldStory | None:
    """Return the told story that a group of reports goes on with: by an address or a headline of its own."""
    links = {hit.item.link for hit, _ in group}
    for told, titles, told_links in known:
        if links & told_links or any(title.near(headline) for title in titles for _, headline in group):
            return told
    return None


def _lead_first(report: Judged) -> tuple[bool, bool, object, int]:
    item: Item = report.item
    return (report.verdict.doubted, not item.link, item.published, report.id)


def _themes(reports: Iterable[Judged]) -> tuple[str, ...]:
    """Return the themes of all reports that are not doubted, unless all are: the highest score of any report first."""
    reports = list(reports)
    sure = [report for report in reports if not report.verdict.doubted]
    best: dict[str, float] = {}
    for report in sure or reports:
        for theme, score in report.verdict.themes:
            best[theme] = max(best.get(theme, 0.0), score)
    return tuple(sorted(best, key=lambda theme: (-best[theme], theme)))
