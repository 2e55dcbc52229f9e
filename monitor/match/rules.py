"""What feeds.yaml says of companies and themes, compiled; which of it stands in a document. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from monitor.match.query import Index, Query
from monitor.match.words import Document, Match

THRESHOLD = 3.0
"""Points that an item needs to be coverage, unless feeds.yaml says otherwise."""

TITLE, NEAR, FAR = 1.5, 1.0, 0.5
"""What a keyword's weight is multiplied by: in the title, in the lead or in a sentence with a company, elsewhere."""


@dataclass(frozen=True, slots=True)
class Company:
    """One side of the coverage, and the words that stand for it.

    `names` are its own, `hints` its people and places, `products` what it sells; `faint` words mean it only where
    the others are told by their hints ("Redmond and its lab").
    """

    name: str
    names: tuple[Query, ...]
    hints: tuple[Query, ...] = ()
    products: tuple[Query, ...] = ()
    faint: tuple[Query, ...] = ()


@dataclass(frozen=True, slots=True)
class Theme:
    """One theme: keywords that together reach `threshold` make it, any exclusion unmakes it."""

    name: str
    keywords: tuple[Query, ...]
    excluded: tuple[Query, ...] = ()
    threshold: float = 1.0


Hits = list[tuple[Query, Match]]
Found = dict[tuple[str, int], Hits]
"""Role and number of company or theme → the keywords that match."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that judging needs; picklable.

    `relations` tie the companies, `against` speaks against their being the subject (notes for users, ads, round-ups),
    `others` are firms that make a list of them, `masks` hide words that look like a company and are none, `excluded`
    ends the matter.
    """

    companies: tuple[Company, ...]
    excluded: tuple[Query, ...]
    themes: tuple[Theme, ...]
    relations: tuple[Query, ...] = ()
    against: tuple[Query, ...] = ()
    others: tuple[Query, ...] = ()
    masks: tuple[Query, ...] = ()
    threshold: float = THRESHOLD
    sides: Roles = field(init=False, repr=False, compare=False)
    rest: Roles = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        sides = [("masks", 0, query) for query in self.masks]
        for number, company in enumerate(self.companies):
            for role in ("names", "hints", "products", "faint"):
                sides += [(role, number, query) for query in getattr(company, role)]
        rest = []
        for role in ("excluded", "relations", "against", "others"):
            rest += [(role, 0, query) for query in getattr(self, role)]
        for number, theme in enumerate(self.themes):
            rest += [("keywords", number, query) for query in theme.keywords]
            rest += [("unmakes", number, query) for query in theme.excluded]
        object.__setattr__(self, "sides", Roles(sides))
        object.__setattr__(self, "rest", Roles(rest))

    @property
    def basis(self) -> object:
        """What stands in feeds.yaml, without what was compiled of it."""
        return _sources(self)


def _sources(part: object) -> object:
    if isinstance(part, Query):
        return part.source
    if isinstance(part, tuple):
        return tuple(map(_sources, part))
    if isinstance(part, Rules | Company | Theme):
        return tuple(_sources(getattr(part, one.name)) for one in fields(part) if one.compare)
    return part


class Roles:
    """Keywords, and the role that each plays."""

    def __init__(self, parts: Sequence[tuple[str, int, Query]]) -> None:
        self._roles = [(role, number) for role, number, _ in parts]
        self._index = Index(query for _, _, query in parts)

    def find(self, document: Document) -> Found:
        """Return the keywords that match, by role."""
        found: Found = {}
        for number, match in self._index.matches(document):
            found.setdefault(self._roles[number], []).append((self._index.queries[number], match))
        return found
