"""Keywords that the second opinion would like to have: terms that it leans on and the keywords lack."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from monitor import resources
from monitor.advice import advice
from monitor.errors import MonitorError
from monitor.match.judge import examine
from monitor.match.opinion import COVERAGE, Opinion, Seen, grams, stands
from monitor.model import Item, Label
from monitor.settings import Settings
from monitor.tune import Example, as_item, of_label, read_labels

FEWEST, PRECISION, GAIN = 3, 0.8, 2
"""A term is proposed when so many labelled items hold it, such a part says yes, and the keywords miss so many of it."""
RARE = 4.9
"""Least inverse document frequency of a term: what stands in more than two items of a hundred is no keyword."""
LEANED = 250
"""So many terms of each question, those with the largest weights, count as leaned on."""
SHOWN = 3
"""So many of the items that it would add are named."""


@dataclass(frozen=True, slots=True)
class _Look:
    """An item as the rules see it, and its terms."""

    title: str
    seen: Seen
    terms: frozenset[str]

    @classmethod
    def at(cls, item: Item, settings: Settings) -> _Look:
        seen, _ = examine(item, settings.rules)
        return cls(item.title, seen, frozenset(grams(seen.texts.values())))


@dataclass(slots=True)
class _Tally:
    """The items that hold a term: labelled yes and no, and those that the keywords miss."""

    yes: int = 0
    no: int = 0
    missed: list[str] = field(default_factory=list)
    stored: dict[int, str] = field(default_factory=dict)
    spelled: Counter[str] = field(default_factory=Counter)


def suggest(
    settings: Settings, data: Path, labels: Sequence[Label], stored: Mapping[int, Item], most: int
) -> Iterator[str]:
    """Yield proposals by theme: at most `most` for each, those that would add most first.

    Raises:
        MonitorError: there is no second opinion on these companies.
    """
    asked = replace(settings, second_opinion=replace(settings.second_opinion, mode="blend"))
    found = advice(asked, data)
    if found.second is None:
        raise MonitorError("; ".join(found.remarks))
    opinion = found.second.opinion
    examples = [*_shipped(), *map(of_label, labels)]
    looked = [(example, _Look.at(as_item(example), settings)) for example in examples]
    news = [(number, _Look.at(item, settings)) for number, item in stored.items()]
    for question in (COVERAGE, *(theme for theme in settings.titles if theme in found.second.themes)):
        tallies = _tallies(question, opinion, looked, news)
        lines = list(_proposals(question, tallies, most))
        if lines:
            yield "coverage, under relations:" if question == COVERAGE else f"theme {question}, under keywords:"
            yield from lines


def _shipped() -> list[Example]:
    return [e for part in ("tuning", "learning") for e in read_labels(resources.labels() / part)]


def _tallies(
    question: str,
    opinion: Opinion,
    looked: Sequence[tuple[Example, _Look]],
    news: Sequence[tuple[int, _Look]],
) -> Mapping[str, _Tally]:
    column = 1 + opinion.weights.questions.index(question)
    rows = opinion.weights.words
    rare = [term for term, row in rows.items() if row[0] >= RARE and row[column] > 0]
    leaned = set(sorted(rare, key=lambda term: (-rows[term][column], term))[:LEANED])
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    for example, look in looked:
        if question != COVERAGE and not (example.relevant and example.themes_known):
            continue
        yes = example.relevant if question == COVERAGE else question in example.themes
        for term in leaned & look.terms:
            tally = tallies[term]
            tally.yes, tally.no = tally.yes + yes, tally.no + (not yes)
            if yes and not _by_keywords(question, look.seen):
                tally.missed.append(look.title)
            tally.spelled.update(_spelled(term, look.seen))
    for number, look in news:
        about = look.seen.verdict.covered != (question == COVERAGE)
        if about and not _by_keywords(question, look.seen):
            for term in leaned & look.terms:
                tallies[term].stored[number] = look.title
    return tallies


def _by_keywords(question: str, seen: Seen) -> bool:
    return seen.verdict.covered if question == COVERAGE else question in dict(seen.made)


def _spelled(term: str, seen: Seen) -> list[str]:
    """Return how the text spells a term; nothing where it is a company's or another keyword's own word."""
    taken = [(e.field, e.start, e.end) for e in seen.verdict.evidence if e.clause.startswith("coverage.")]
    return [
        seen.texts[name].original[start:end]
        for name, start, end in stands(term, seen.texts)
        if not any(name == other and start < to and at < end for other, at, to in taken)
    ]


def _could_be_a_keyword(term: str, *, coverage: bool) -> bool:
    """Tell whether a term says enough by itself; hardly a single word ties two companies."""
    if term >= "\u3000":
        return len(term) > 1
    return " " in term or (len(term) > 2 and not coverage)


def _proposals(question: str, tallies: Mapping[str, _Tally], most: int) -> Iterator[str]:
    good = [
        (term, tally)
        for term, tally in tallies.items()
        if tally.yes + tally.no >= FEWEST
        and tally.yes >= PRECISION * (tally.yes + tally.no)
        and len(tally.missed) >= GAIN
        and tally.spelled
        and _could_be_a_keyword(term, coverage=question == COVERAGE)
    ]
    good.sort(key=lambda pair: (-len(pair[1].missed) * pair[1].yes / (pair[1].yes + pair[1].no), pair[0]))
    added: set[str] = set()
    chosen: list[str] = []
    for term, tally in good:
        if len(chosen) == most or added.issuperset(tally.missed) or any(term in one or one in term for one in chosen):
            continue
        added.update(tally.missed)
        chosen.append(term)
        keyword = tally.spelled.most_common(1)[0][0]
        total = tally.yes + tally.no
        yield f"  {keyword}"
        yield f"      {tally.yes} of {total} labelled items with it say yes; without a keyword are {len(tally.missed)}:"
        yield from (f"      - {title}" for title in tally.missed[:SHOWN])
        if tally.stored:
            yield f"      it would touch {len(tally.stored)} stored items, such as"
            yield from (f"      - #{number} {title}" for number, title in islice(tally.stored.items(), SHOWN))
