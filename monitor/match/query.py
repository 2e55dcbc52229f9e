"""A compiled keyword, the places that satisfy it, and an index that finds the few keywords worth trying. Pure.

The index is the presearcher of Lucene Monitor: each keyword is filed under terms of which a text must hold one for it
to match at all, so that a thousand keywords cost little more than the few whose terms are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from monitor.match.words import Document, Key, Match, Near, Span, Words, rarest
from monitor.text import fold

# ---------------------------------------------------------------- operators


@dataclass(frozen=True, slots=True)
class And:
    """All parts; their weights multiply."""

    parts: tuple[Node, ...]
    _needs: tuple[frozenset[Key], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_needs", tuple(keys for part in self.parts if (keys := part.keys())))

    def match(self, document: Document) -> Match | None:
        """Return the places of every part, or None where one is missing."""
        for need in self._needs:
            if need.isdisjoint(document.keys):
                return None
        weight = 1.0
        spans: list[Span] = []
        for part in self.parts:
            found = part.match(document)
            if found is None:
                return None
            weight *= found.weight
            spans += found.spans
        return Match(weight, tuple(spans))

    def keys(self) -> frozenset[Key]:
        """Return terms of which a text must hold one."""
        return rarest([part.keys() for part in self.parts])


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part; the greatest weight counts."""

    parts: tuple[Node, ...]
    _file: _File = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_file", _File(part.keys() for part in self.parts))

    def match(self, document: Document) -> Match | None:
        """Return the places of the parts found, or None where there is none."""
        return _strongest(
            [
                found
                for number in self._file.worth_trying(document)
                if (found := self.parts[number].match(document)) is not None
            ]
        )

    def keys(self) -> frozenset[Key]:
        """Return terms of which a text must hold one; none where a part can match without any."""
        keys = [part.keys() for part in self.parts]
        return frozenset().union(*keys) if all(keys) else frozenset()


@dataclass(frozen=True, slots=True)
class Not:
    """The part must be absent; there is nothing to show for it."""

    part: Node

    def match(self, document: Document) -> Match | None:
        """Return a match without places where the part is absent."""
        return Match(1.0, ()) if self.part.match(document) is None else None

    def keys(self) -> frozenset[Key]:
        """Return no terms: absence has none."""
        return frozenset()


@dataclass(frozen=True, slots=True)
class Boost:
    """The part, with so many times its weight."""

    part: Node
    weight: float

    def match(self, document: Document) -> Match | None:
        """Return the places of the part."""
        found = self.part.match(document)
        return None if found is None else Match(found.weight * self.weight, found.spans)

    def keys(self) -> frozenset[Key]:
        """Return terms of which a text must hold one."""
        return self.part.keys()


# ---------------------------------------------------------------- fields


@dataclass(frozen=True, slots=True)
class InField:
    """The part, in the title or in the summary alone."""

    name: str
    part: Node

    def match(self, document: Document) -> Match | None:
        """Return the places within the field."""
        return self.part.match(document.narrowed({n: text for n, text in document.texts.items() if n == self.name}))

    def keys(self) -> frozenset[Key]:
        """Return terms of which a text must hold one."""
        return self.part.keys()


@dataclass(frozen=True, slots=True)
class InSentence:
    """The whole part within one sentence."""

    part: Node
    _needs: tuple[frozenset[Key], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_needs", self.part._needs if isinstance(self.part, And) else ())

    def match(self, document: Document) -> Match | None:
        """Return the places in each sentence that has all that is asked for."""
        for need in self._needs:  # what the whole text lacks, no sentence has: to cut it takes longer than to match
            if need.isdisjoint(document.keys):
                return None
        return _strongest(
            [found for sentence in document.sentences if (found := self.part.match(sentence)) is not None]
        )

    def keys(self) -> frozenset[Key]:
        """Return terms of which a text must hold one."""
        return self.part.keys()


@dataclass(frozen=True, slots=True)
class Source:
    """The outlet's name holds this; made by `Source.of`."""

    folded: str

    @classmethod
    def of(cls, name: str) -> Source:
        """Fold a name as texts are folded, and without regard to capitals."""
        return cls(fold(name)[0].casefold())

    def match(self, document: Document) -> Match | None:
        """Compare folded names; there is no place to show."""
        return Match(1.0, ()) if self.folded in fold(document.source)[0].casefold() else None

    def keys(self) -> frozenset[Key]:
        """Return no terms: the text is not asked."""
        return frozenset()


@dataclass(frozen=True, slots=True)
class Language:
    """The item is in this language (BCP 47; `zh` holds for `zh-Hant` too)."""

    tag: str

    def match(self, document: Document) -> Match | None:
        """Compare tags; there is no place to show."""
        own = document.language.lower().replace("_", "-")
        return Match(1.0, ()) if own == self.tag or own.startswith(f"{self.tag}-") else None

    def keys(self) -> frozenset[Key]:
        """Return no terms: the text is not asked."""
        return frozenset()


Node = Words | Near | And | Or | Not | Boost | InField | InSentence | Source | Language


class _File:
    """Numbered things, filed under the terms of which a text must hold one; those without any are always tried."""

    __slots__ = ("_always", "_by_key", "_keys")

    def __init__(self, keys: Iterable[frozenset[Key]]) -> None:
        by_key: dict[Key, list[int]] = {}
        always = []
        for number, some in enumerate(keys):
            for key in some:
                by_key.setdefault(key, []).append(number)
            if not some:
                always.append(number)
        self._by_key, self._keys, self._always = by_key, frozenset(by_key), tuple(always)

    def worth_trying(self, document: Document) -> Sequence[int]:
        """Return the numbers of what could match, in order."""
        found = self._keys & document.keys
        if not found:
            return self._always
        if len(found) == 1 and not self._always:
            return self._by_key[next(iter(found))]
        return sorted({*self._always, *chain.from_iterable([self._by_key[key] for key in found])})


def _strongest(found: list[Match]) -> Match | None:
    """Join matches: the greatest weight, and all places."""
    if len(found) < 2:
        return found[0] if found else None
    return Match(max(match.weight for match in found), tuple(span for match in found for span in match.spans))


# ---------------------------------------------------------------- keywords


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled keyword. `source` is what the user wrote."""

    source: str
    node: Node

    def match(self, document: Document) -> Match | None:
        """Return the places that satisfied the keyword, or None where it does not match."""
        return self.node.match(document)


class Index:
    """Keywords by the terms that they need; of a keyword that is a row of ORs, each part by its own."""

    def __init__(self, queries: Iterable[Query]) -> None:
        self.queries = tuple(queries)
        self._parts = [
            (number, weight, part) for number, query in enumerate(self.queries) for weight, part in _parts(query.node)
        ]
        self._file = _File(part.keys() for _, _, part in self._parts)

    def matches(self, document: Document) -> list[tuple[int, Match]]:
        """Return number and match of each keyword that matches, in order."""
        found: dict[int, Match] = {}
        for at in self._file.worth_trying(document):
            number, weight, part = self._parts[at]
            match = part.match(document)
            if match is not None:
                before = found.get(number, _NOTHING)
                found[number] = Match(max(before.weight, weight * match.weight), before.spans + match.spans)
        return list(found.items())

    def parts(self) -> list[Node]:
        """Return what one of must match for any keyword to match."""
        return [part for _, _, part in self._parts]

    def candidates(self, document: Document) -> list[int]:
        """Return the numbers of the keywords that are worth trying on a document."""
        return sorted({self._parts[at][0] for at in self._file.worth_trying(document)})


_NOTHING = Match(0.0, ())


def _parts(node: Node, weight: float = 1.0) -> Iterable[tuple[float, Node]]:
    """Yield the parts of which any one is a match, with the weight that each has."""
    match node:
        case Or(parts):
            for part in parts:
                yield from _parts(part, weight)
        case Boost(part, more):
            yield from _parts(part, weight * more)
        case _:
            yield weight, node
