"""Hits and recent stories → stories: one story for the reports of one event. Pure and deterministic.

Reports belong together when their clean addresses are the same or their headlines nearly are.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from rapidfuzz import fuzz
from rapidfuzz.utils import default_process

from monitor.model import Item, Judged, Story, ToldStory

NEAR_SAME = 85.0
"""Least likeness of two headlines, in percent of rapidfuzz's ratio, that makes them one story."""
SAME_WORD = 75.0
"""Least likeness of the words in which they differ: centers and centres, not approves and rejects."""
SHORTEST = 12
"""Headlines with fewer characters (a Han character counts three) are too common to join by likeness."""

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


def cluster(hits: Sequence[Judged], recent: Sequence[ToldStory] = ()) -> list[Story]:
    """Join hits into stories, in the order of their earliest reports.

    A story that `recent` holds already continues it: it is an update, not news.
    """
    known = [(told, [_Headline.of(title) for title in told.titles], set(told.links) - {""}) for told in recent]
    found: dict[object, tuple[list[Judged], ToldStory | None]] = {}
    for number, group in enumerate(_grouped(sorted(hits, key=lambda hit: (hit.item.published, hit.id)))):
        told = _continued(group, known)
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


def _continued(group: Sequence[_Hit], known: Iterable[tuple[ToldStory, list[_Headline], set[str]]]) -> ToldStory | None:
    """Return the told story that a group of reports goes on with: by an address or a headline of its own."""
    links = {hit.item.link for hit, _ in group}
    for told, titles, told_links in known:
        if links & told_links or any(title.near(headline) for title in titles for _, headline in group):
            return told
    return None


def _lead_first(report: Judged) -> tuple[bool, object, int]:
    item: Item = report.item
    return (not item.link, item.published, report.id)


def _themes(reports: Iterable[Judged]) -> tuple[str, ...]:
    """Return the themes of all reports, the one with the highest score of any report first."""
    best: dict[str, float] = {}
    for report in reports:
        for theme, score in report.verdict.themes:
            best[theme] = max(best.get(theme, 0.0), score)
    return tuple(sorted(best, key=lambda theme: (-best[theme], theme)))
