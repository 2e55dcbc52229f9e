"""The learned second opinion: how likely an item is coverage and has each theme, by what labelled items taught. Pure.

Three voices speak on each question. `rules`: what the rules found, weighed otherwise than the rules weigh it. `words`:
TF-IDF of stems, of their pairs, and of runs of Han characters. `sense`: a sentence embedding, where one is installed.
Each is a logistic regression; their log-odds are added, each times the trust that the voice has earned. The likelihood
of a theme is meant for an item that is coverage. `monitor learn` makes the weights.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from operator import mul

from monitor.match.aboutness import POINTS
from monitor.model import Heard, Item, Verdict
from monitor.text import Text

FORMAT = 1
"""To be raised when features change their names or meaning: weights of before would be silently wrong."""
COVERAGE = "coverage"
"""The first question; the others are the themes."""
RULES, WORDS, SENSE = "rules", "words", "sense"
READ = 600
"""So many characters of a summary are read: labelled items are no longer, and the articles that some feeds carry whole
tell of other things further down."""
LONGEST_RUN = 4
"""So many Han characters are looked up together, at most."""
FIRST_LOOK = -3.0
"""Log-odds of coverage by the other voices that an item needs to be embedded: that costs a hundred times the rest."""

SUBLINEAR = (0.0, *(1 + math.log(times) for times in range(1, 2 * READ + 10)))
"""What a term counts that stands so many times in title and summary."""

Embed = Callable[[str], Sequence[float]]
"""A text → its embedding, of length 1."""
Table = Mapping[str, Sequence[float]]
Scores = tuple[tuple[str, float], ...]
"""Themes and their points, best first."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rules saw in an item: their verdict, the themes that keywords make and those that fall short."""

    verdict: Verdict
    texts: Mapping[str, Text]
    made: Scores = ()
    short: Scores = ()

    @property
    def points(self) -> dict[str, float]:
        """The points of all themes that have any."""
        return dict((*self.made, *self.short))


@dataclass(frozen=True, slots=True)
class Weights:
    """What was learnt, as it stands in its file.

    `questions` are coverage and then the themes. Rows of `rules` have a weight for each question; rows of `words` the
    inverse document frequency before that. `base` are the log-odds before any voice has spoken, `trust` what each
    voice is multiplied by. `format` is that of the features, `name` the hash of what was learnt from, `about` tells
    people what that was.
    """

    format: int
    name: str
    about: str
    companies: tuple[str, ...]
    questions: tuple[str, ...]
    base: tuple[float, ...]
    trust: dict[str, tuple[float, ...]]
    rules: dict[str, tuple[float, ...]]
    words: dict[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Sense:
    """What was learnt of embeddings, `beside` the weights of that name.

    `base` and `trust` go for all voices where the sense is heard as well; `sense` has a row for each question.
    """

    beside: str
    embedding: str
    base: tuple[float, ...]
    trust: dict[str, tuple[float, ...]]
    sense: tuple[tuple[float, ...], ...]


# ---------------------------------------------------------------- what the voices look at


def text_of(item: Item) -> str:
    """Return what is embedded of an item."""
    return f"{item.title}. {item.summary[:READ]}" if item.summary else item.title


def evidence(item: Item, seen: Seen) -> dict[str, float]:
    """Return what the rules found, by name."""
    verdict = seen.verdict
    found = {
        "a hit": float(verdict.covered),
        "no summary": float(not item.summary),
        "no signs": float(not verdict.signs),
        "points": sum(sign.points for sign in verdict.signs),
    }
    for sign in verdict.signs:
        found[f"sign: {sign.name}"] = sign.points / POINTS[sign.name]
    for place, times in Counter([(e.clause, e.field) for e in verdict.evidence]).items():
        name, most = _feature(*place)
        if name:
            found[name] = min(most, times)
    found.update((f"theme {theme}", min(4.0, points)) for theme, points in seen.points.items())
    found.update((f"theme {theme} made", 1.0) for theme, _ in seen.made)
    return {name: count for name, count in found.items() if count}


@lru_cache(maxsize=1000)
def _feature(clause: str, field: str) -> tuple[str, float]:
    """Return what a piece of evidence counts as, and how often at most."""
    kind, _, name = clause.partition(".")
    if kind == "coverage":
        return f"{clause} in the {field}", 3.0
    return (f"theme {name} unmade", 1.0) if kind == "unmade" else ("", 0.0)


def grams(texts: Iterable[Text]) -> Iterator[str]:
    """Yield the terms of some texts: stems, pairs of neighbouring stems, and runs of two to four Han characters."""
    for text in texts:
        stems = text.stems[: text.token_at(READ) + 1] if len(text.folded) > READ else text.stems
        yield from stems
        if not stems or not _is_wide(max(stems)):  # most texts, and most of the time that this takes
            yield from map(" ".join, pairwise(stems))
            continue
        for wide, neighbours in groupby(stems, _is_wide):
            if not wide:
                yield from map(" ".join, pairwise(neighbours))
                continue
            run = "".join(neighbours)
            for size in range(2, LONGEST_RUN + 1):
                for start in range(len(run) - size + 1):
                    yield run[start : start + size]


def _is_wide(term: str) -> bool:
    return term >= "\u3000"


# ---------------------------------------------------------------- listening


@dataclass(frozen=True, slots=True)
class Opinion:
    """What was learnt, ready to be asked; picklable. `sense` and `embed` go together."""

    weights: Weights
    sense: Sense | None = None
    embed: Embed | None = None

    def hear(self, item: Item, seen: Seen, kept: dict[str, list[float]] | None = None) -> tuple[Heard, ...]:
        """Ask each question about an item that the rules have looked at thoroughly.

        `kept` holds what the voices said of this item that look at its text alone, and what they say now is put there.
        """
        weights, sense = self.weights, self.sense
        count = len(weights.questions)
        kept = {} if kept is None else kept
        if WORDS not in kept:
            kept[WORDS] = self._words(seen.texts, count)
        said = {RULES: _added(weights.rules, evidence(item, seen), 0, count), WORDS: kept[WORDS]}
        base, trust = weights.base, weights.trust
        if (
            sense
            and self.embed
            and base[0] + sum(trust[voice][0] * odds[0] for voice, odds in said.items()) > FIRST_LOOK
        ):
            if SENSE not in kept:
                vector = self.embed(text_of(item))
                kept[SENSE] = [sum(map(mul, row, vector)) for row in sense.sense]
            said[SENSE] = kept[SENSE]
            base, trust = sense.base, sense.trust
        return tuple(
            Heard(question, base[n], tuple((voice, trust[voice][n] * odds[n]) for voice, odds in said.items()))
            for n, question in enumerate(weights.questions)
        )

    def _words(self, texts: Mapping[str, Text], count: int) -> list[float]:
        """Add up the weights of the terms that were learnt, each times its TF-IDF: sublinear, of length 1."""
        values, rows = self._terms(texts)[1:]
        if not values:
            return [0.0] * count
        length = math.sqrt(sum(map(mul, values, values)))
        return [sum(map(mul, values, column)) / length for column in list(zip(*rows, strict=True))[1:]]

    def _terms(self, texts: Mapping[str, Text]) -> tuple[list[str], list[float], list[tuple[float, ...]]]:
        """Return the terms that were learnt, the TF-IDF of each before it is scaled, and its row."""
        words = self.weights.words
        counts = Counter([term for term in grams(texts.values()) if term in words])
        rows = [words[term] for term in counts]
        return list(counts), [SUBLINEAR[times] * row[0] for times, row in zip(counts.values(), rows, strict=True)], rows

    def weighed(self, question: str, seen: Seen, limit: int = 4) -> tuple[str, ...]:
        """Return the words that weighed most for a yes, as the text spells them, the companies' names left out."""
        column = 1 + self.weights.questions.index(question)
        weight = {term: value * row[column] for term, value, row in zip(*self._terms(seen.texts), strict=True)}
        taken = [(e.field, e.start, e.end) for e in seen.verdict.evidence if e.clause in sides(self.weights.companies)]
        shown: list[str] = []
        for term in sorted(weight, key=lambda term: (-weight[term], term)):
            if len(shown) == limit or weight[term] <= 0:
                break
            for name, start, end in stands(term, seen.texts):
                if not any(name == other and start < to and at < end for other, at, to in taken):
                    taken.append((name, start, end))
                    shown.append(seen.texts[name].original[start:end])
                    break
        return tuple(dict.fromkeys(shown))


def _added(table: Table, found: Mapping[str, float], skip: int, count: int) -> list[float]:
    """Add up the rows of what was found, each times its value; what is not in the table counts nothing."""
    known = [(value, table[name]) for name, value in found.items() if name in table]
    if not known:
        return [0.0] * count
    values, rows = zip(*known, strict=True)
    return [sum(map(mul, values, column)) for column in list(zip(*rows, strict=True))[skip:]]


def sides(companies: Iterable[str]) -> set[str]:
    """Return the clauses of evidence that tell of a company."""
    return {f"coverage.{company}" for company in companies}


def stands(term: str, texts: Mapping[str, Text]) -> Iterator[tuple[str, int, int]]:
    """Yield where a term stands in the original texts."""
    stems = term.split(" ") if " " in term else list(term) if _is_wide(term) else [term]
    for name, text in texts.items():
        for at in text.places.get(stems[0], ()):
            if text.stems[at : at + len(stems)] == stems:
                yield name, *text.span(text.starts[at], text.ends[at + len(stems) - 1])
