"""What a keyword is made of, and where it stands in a text: words, phrases, words near each other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from monitor.text import Text, stem

STUB = 3
"""So many letters of a prefix (GPU*) are looked up; a shorter one is tried on every text."""

ACRONYM = 5
"""Up to this many letters, a word in capitals matches only in capitals (AGI, IP, MAI)."""

Key = str | tuple[str, str]
"""What a keyword is filed under and a text is looked up by: a stem, two stems side by side, or a prefix and a star."""

Span = tuple[str, int, int]
"""Field name, start, end: characters of that field's original text."""


class Document:
    """What a keyword is tried on: the texts by field, and the values that are compared as a whole.

    `keys` are the terms that the texts hold: stems, pairs of neighbours (phrases are filed under their first two words,
    Han words under their last two characters), and the first letters of words (prefixes are filed under those).
    """

    __slots__ = ("_sentences", "keys", "language", "source", "texts")
    keys: Set[Key]

    def __init__(
        self, texts: Mapping[str, Text], source: str = "", language: str = "", keys: Set[Key] | None = None
    ) -> None:
        self.texts = texts
        self.source = source
        self.language = language
        if keys is not None:
            self.keys = keys
        self._sentences: list[Document] | None = None

    def __getattr__(self, name: str) -> Set[Key]:
        """Make the keys when they are asked for: nobody asks most sentences."""
        if name != "keys":
            raise AttributeError(name)
        self.keys = _keys_of(self.texts.values())
        return self.keys

    @property
    def sentences(self) -> Sequence[Document]:
        """The document, sentence by sentence."""
        if self._sentences is None:
            cut = [(name, sentence) for name, text in self.texts.items() for sentence in text.sentences]
            if len(cut) == 1:
                return (self,)  # not kept: see Text.sentences
            self._sentences = [Document({name: sentence}, self.source, self.language) for name, sentence in cut]
        return self._sentences

    def narrowed(self, texts: Mapping[str, Text]) -> Document:
        """Return the document with less text."""
        return Document(texts, self.source, self.language, self.keys)


def _keys_of(texts: Iterable[Text]) -> set[Key]:
    keys: set[Key] = set()
    for text in texts:
        keys.update(text.stems)
        keys.update(pairwise(text.stems))
        keys.update([word[:STUB] + "*" for word in set(map(str.lower, text.words))])
    return keys


class Match(NamedTuple):
    """That a keyword matches: with what weight, and where. What must be absent shows no place."""

    weight: float
    spans: tuple[Span, ...]


# ---------------------------------------------------------------- words


@dataclass(frozen=True, slots=True)
class Term:
    """One word or Han character of a keyword; made by `Term.of`.

    `key` is the stem that a text must hold, meaningless for a prefix. `exact`: no inflections, and a capital must be a
    capital. `joined`: a Han character that touches the one before it. `strict`: the text's own spelling decides.
    """

    word: str
    key: str
    exact: bool
    prefix: bool
    joined: bool
    strict: bool

    @staticmethod
    def of(word: str, *, exact: bool = False, prefix: bool = False, joined: bool = False) -> Term:
        """Make a term of a word as it stands in a keyword."""
        return _term(word, exact, prefix, joined)

    @property
    def is_wide(self) -> bool:
        """True for a Han character, a kana or a Hangul syllable."""
        return self.word[0] > "\u3000"

    def fits(self, word: str) -> bool:
        """Tell whether a text's word is this one, given that their stems are the same (or that this is a prefix)."""
        own = self.word
        if not self.strict:
            return True
        if _is_acronym(own) and word[: len(own)] != own:
            return False
        if self.prefix:
            return word.lower().startswith(own.lower())
        return not self.exact or word == own or (own.islower() and word.lower() == own)


@lru_cache(maxsize=20_000)  # the same words stand in many keywords, and each term needs to be there but once
def _term(word: str, exact: bool, prefix: bool, joined: bool) -> Term:
    return Term(word, stem(word), exact, prefix, joined, exact or prefix or _is_acronym(word))


def _is_acronym(word: str) -> bool:
    return word.isupper() and word.isascii() and 1 < len(word) <= ACRONYM


@dataclass(frozen=True, slots=True)
class Words:
    """A word, a phrase, or a run of Han characters: terms in a row.

    `halves` are other ways to write it: `data center` closed up, `datacenter` apart. `plain` is the run of Han
    characters if it is nothing else.
    """

    terms: tuple[Term, ...]
    halves: tuple[tuple[Term, ...], ...] = ()
    plain: str = ""
    _key: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        alone = len(self.terms) == 1 and not self.halves and not self.terms[0].strict
        object.__setattr__(self, "_key", self.terms[0].key if alone else "")

    def match(self, document: Document) -> Match | None:
        """Return every place where the words stand, or None."""
        # Nearly all keywords are a plain word or a run of Han characters, and most of the time goes here.
        spans: list[Span] = []
        for name, text in document.texts.items():
            if self._key:
                if places := text.places.get(self._key):
                    spans += [(name, text.starts[at], text.ends[at]) for at in places]
            elif self.plain:
                if self.plain in text.folded:
                    size = len(self.plain)
                    spans += [(name, at, at + size) for at in _finds(self.plain, text)]
            else:
                spans += [(name, text.starts[first], text.ends[last]) for first, last in self.runs(text)]
        if not spans:
            return None
        texts = document.texts
        return Match(
            1.0,
            tuple(
                span if texts[span[0]].offsets is None else (span[0], *texts[span[0]].span(*span[1:])) for span in spans
            ),
        )

    def runs(self, text: Text) -> list[tuple[int, int]]:
        """Return the numbers of first and last token of each place in one text."""
        if self.plain:
            return [(first, first + len(self.plain) - 1) for first in map(text.token_at, _finds(self.plain, text))]
        if not self.halves:
            return _rows(self.terms, text)
        return _rows(self.terms, text) + [run for terms in self.halves for run in _rows(terms, text)]

    def keys(self) -> frozenset[Key]:
        """Return terms of which a text must hold one."""
        if len(self.plain) > 2:  # the end of a Han word says more than its beginning: 微软模型, 微软客户
            return frozenset({(self.plain[-2], self.plain[-1])})
        keys = {_key(terms) for terms in (self.terms, *self.halves)}
        return frozenset() if "" in keys else frozenset(keys)


def _finds(run: str, text: Text) -> list[int]:
    """Return the folded offsets of a run of Han characters."""
    found, at = [], text.folded.find(run, text.low, text.high)
    while at >= 0:
        found.append(at)
        at = text.folded.find(run, at + len(run), text.high)
    return found


def _key(terms: Sequence[Term]) -> Key:
    """Return what a text must hold for a row of terms to stand in it: the first two side by side, or the only one."""
    first = terms[0]
    if first.prefix:
        return first.word[:STUB].lower() + "*" if len(first.word) >= STUB else ""
    if len(terms) == 1 or terms[1].prefix:
        return first.key
    return first.key, terms[1].key


def _rows(terms: tuple[Term, ...], text: Text) -> list[tuple[int, int]]:
    first = terms[0]
    if first.prefix:  # then it is the only one
        return [(at, at) for at, word in enumerate(text.words) if first.fits(word)]
    places = text.places.get(first.key)
    if places is None:
        return []
    if first.strict:
        places = [at for at in places if first.fits(text.words[at])]
    beyond = len(terms) - 1
    if not beyond:
        return [(at, at) for at in places]
    size = len(text.words)
    return [(at, at + beyond) for at in places if at + beyond < size and _row(terms, text, at)]


def _row(terms: tuple[Term, ...], text: Text, at: int) -> bool:
    """Tell whether the terms behind the first stand behind token `at`, Han touching Han where the keyword has it so."""
    for step in range(1, len(terms)):
        term, number = terms[step], at + step
        word = text.words[number]
        if not (term.prefix or text.stems[number] == term.key) or not term.fits(word):
            return False
        if term.joined and text.ends[number - 1] != text.starts[number]:
            return False
    return True


@dataclass(frozen=True, slots=True)
class Near:
    """Words in any order with at most `distance` other tokens between them: Latin words or Han characters."""

    parts: tuple[Words, ...]
    distance: int

    def match(self, document: Document) -> Match | None:
        """Return each narrowest place that holds all parts, or None."""
        spans: list[Span] = []
        for name, text in document.texts.items():
            for runs in self.windows(text):
                spans += ((name, *text.span(text.starts[first], text.ends[last])) for first, last in runs)
        return Match(1.0, tuple(dict.fromkeys(spans))) if spans else None

    def windows(self, text: Text) -> Iterable[list[tuple[int, int]]]:
        """Yield the places of the parts wherever they stand near enough to each other."""
        places = [part.runs(text) for part in self.parts]
        if not all(places):
            return
        covered = [token for runs in places for first, last in runs for token in range(first, last + 1)]
        if len(covered) > len(set(covered)):  # one token could stand for two of the parts, but may not
            reach = self.distance + sum(max(last - first + 1 for first, last in runs) for runs in places)
            places.sort(key=len)  # the rarest first: what cannot be is seen soonest
            for run in places[0]:
                if chosen := _chosen([run], places[1:], self.distance, reach):
                    yield chosen
            return
        latest: dict[int, tuple[int, int]] = {}
        for first, last, part in sorted((*run, number) for number, runs in enumerate(places) for run in runs):
            latest[part] = (first, last)
            if len(latest) == len(places) and _gap(list(latest.values())) <= self.distance:
                yield sorted(latest.values())

    def keys(self) -> frozenset[Key]:
        """Return terms of which a text must hold one: those of the part that is likely the rarest."""
        return rarest([part.keys() for part in self.parts])


def _gap(runs: list[tuple[int, int]]) -> float:
    """Return how many tokens lie between the runs; infinitely many where two of them overlap."""
    runs = sorted(runs)
    if any(after[0] <= before[1] for before, after in pairwise(runs)):
        return float("inf")
    return sum(after[0] - before[1] - 1 for before, after in pairwise(runs))


def _chosen(
    runs: list[tuple[int, int]], rest: list[list[tuple[int, int]]], distance: int, reach: int
) -> list[tuple[int, int]] | None:
    """Return `runs` with one more from each of the `rest`, near enough and none over another; None if there is none.

    Nothing farther than `reach` from the first of them can be near enough.
    """
    if not rest:
        return sorted(runs) if _gap(runs) <= distance else None
    at = runs[0][0]
    for run in sorted((run for run in rest[0] if abs(run[0] - at) <= reach), key=lambda run: abs(run[0] - at)):
        if all(run[0] > last or run[1] < first for first, last in runs) and (
            chosen := _chosen([*runs, run], rest[1:], distance, reach)
        ):
            return chosen
    return None


def rarest(keys: list[frozenset[Key]]) -> frozenset[Key]:
    """Choose among parts that must all be there: the fewest terms, then the longest."""
    return min(
        (some for some in keys if some),
        key=lambda some: (len(some), -min(len(key) if isinstance(key, str) else 99 for key in some)),
        default=frozenset(),
    )
