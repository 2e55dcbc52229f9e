"""Is a text about all companies together? Signs in its structure, each with its points. Pure.

What speaks for it: both in the title, both in one sentence, a word between them that tells of deal or rift, a theme
beside both. What speaks against it: a list of firms, other firms in the title, notes for users, round-ups. The points
are those that a logistic regression gives on labelled items (`make points`), rounded; how far apart the names stand
told nothing that these signs do not.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from operator import not_
from typing import NamedTuple

from monitor.match.rules import NEAR, TITLE, Found, Hits, Rules
from monitor.match.words import Span
from monitor.model import Sign
from monitor.text import Text

LEAD = 400
"""Companies must stand in the title or in so many characters of the summary: feeds that carry whole articles
name many firms further down."""

NAME, HINT, PRODUCT, FAINT = 4, 3, 2, 1
STRENGTHS = {"names": NAME, "hints": HINT, "products": PRODUCT, "faint": FAINT}
Place = tuple[str, int]
"""Field and number of the sentence."""


class Mention(NamedTuple):
    """Words at `span` that stand for the company of number `side`; `place` is the sentence that holds them."""

    side: int
    strength: int
    span: Span
    place: Place
    keyword: str


class Page:
    """The texts of an item, and which sentence holds a span."""

    def __init__(self, texts: Mapping[str, Text]) -> None:
        self.texts = texts
        self._borders: dict[str, list[int]] = {}

    def borders(self, name: str) -> list[int]:
        """Return where the sentences of a field end, but for the last."""
        if name not in self._borders:
            text = self.texts[name]
            self._borders[name] = [text.span(0, end)[1] for end in text.breaks]
        return self._borders[name]

    def place(self, span: Span) -> Place:
        """Return field and sentence of a span."""
        return span[0], bisect(self.borders(span[0]), span[1])

    def places(self, hits: Hits) -> list[Place]:
        """Return the places of all spans of some keywords."""
        return [self.place(span) for _, match in hits for span in match.spans]


def mentions(rules: Rules, found: Found, page: Page) -> tuple[list[Mention], str]:
    """Return where the companies are mentioned in title and lead, or why that is not enough."""
    masked = [span for _, match in found.get(("masks", 0), ()) for span in match.spans]
    every: list[Mention] = []
    missing, late = [], []
    sides = range(len(rules.companies))
    for side, company in enumerate(rules.companies):
        # `Redmond and its lab` means the pair, `Microsoft opens a lab` does not: by-words go with people and places.
        told_by_people = all(("hints", other) in found for other in sides if other != side)
        own = [
            Mention(side, strength, span, page.place(span), query.source)
            for role, strength in STRENGTHS.items()
            if told_by_people or strength > FAINT
            for query, match in found.get((role, side), ())
            for span in dict.fromkeys(match.spans)
            if not masked or not any(_overlap(span, mask) for mask in masked)
        ]
        near = [mention for mention in own if mention.span[0] == "title" or mention.span[2] <= LEAD]
        if not own:
            missing.append(company.name)
        elif not near:
            late.append(company.name)
        every += near or own
    if missing:
        return every, not_named(missing)
    if late:
        return every, f"{' and '.join(late)} only stands further down, not in the title or the lead"
    return every, ""


def not_named(companies: Iterable[str]) -> str:
    """Say which companies an item does not mention."""
    return f"no name or hint of {' and '.join(companies)}"


def _overlap(one: Span, other: Span) -> bool:
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]


# ---------------------------------------------------------------- signs

POINTS = {
    "both mentioned": 4.4,
    "both by name in the title": 1.1,
    "only by products": -0.8,
    "one only in the summary": -1.4,
    "both only in the summary": -1.0,
    "by people or places": 1.3,
    "both in one sentence of the summary": 0.8,
    "in the last sentence alone": -2.2,
    "among other firms in the summary": -1.7,
    "in different parts of the title": -2.2,
    "both in one list": -3.3,
    "one in a list": -1.1,
    "other firms in the title": -1.2,
    "relation beside both": 0.9,
    "relation elsewhere": 1.0,
    "theme": 0.8,
    "against it in the title": -2.8,
    "against it in the summary": -1.5,
}
"""What each sign is worth; where it counts something, each time."""


def signs(rules: Rules, found: Found, every: Sequence[Mention], page: Page, themes: Sequence[str]) -> tuple[Sign, ...]:
    """Return the signs of an item in which all companies are mentioned and whose keywords make `themes`."""
    sides = len(rules.companies)
    shared = _shared(every, sides)
    places = _places(sides, found, every, shared, page)
    counted = dict((*places, *_words(rules, found, every, shared, page, themes)))
    return tuple(Sign(name, round(points * counted[name], 2)) for name, points in POINTS.items() if counted.get(name))


def _places(
    sides: int, found: Found, every: Sequence[Mention], shared: set[Place], page: Page
) -> Iterable[tuple[str, float]]:
    """Count what the places and the strength of the mentions say."""
    by_title, in_all = [0] * sides, [0] * sides
    for side, strength, (name, _, _), _, _ in every:
        in_all[side] = max(in_all[side], strength)
        if name == "title":
            by_title[side] = max(by_title[side], strength)
    low, high = min(by_title), max(by_title)
    firms = found.get(("others", 0), [])
    yield "both mentioned", 1
    yield "by people or places", in_all.count(HINT)
    yield "only by products", max(in_all) == PRODUCT
    yield "both in one sentence of the summary", any(name == "summary" for name, _ in shared)
    if low:
        yield "both by name in the title", low == NAME
        yield "in different parts of the title", _apart(every, page, sides)
    elif high:
        late = {mention.place for mention in every if not by_title[mention.side]}
        last = len(page.borders("summary"))
        yield "one only in the summary", 1
        yield "in the last sentence alone", last > 0 and late == {("summary", last)}
        yield "among other firms in the summary", bool(firms) and not late.isdisjoint(page.places(firms))
    else:
        yield "both only in the summary", 1
        yield "among other firms in the summary", bool(firms) and not shared.isdisjoint(page.places(firms))
    if firms and sides > 1:
        yield "other firms in the title", min(3, sum(in_title(match.spans) for _, match in firms))
        listed = [len(some) for some in lists(firms, every, page)]
        yield "both in one list", sides in listed
        yield "one in a list", sides not in listed and any(listed)


def _shared(every: Iterable[Mention], sides: int) -> set[Place]:
    """Return the sentences that mention all sides."""
    there: dict[Place, set[int]] = {}
    for mention in every:
        there.setdefault(mention.place, set()).add(mention.side)
    return {place for place, present in there.items() if len(present) == sides}


_BORDER = re.compile(r"[,，;；/|｜、]")


def _apart(every: Sequence[Mention], page: Page, sides: int) -> bool:
    """Tell whether the title is a row of three parts or more, no one of which mentions all sides."""
    borders = [border.start() for border in _BORDER.finditer(page.texts["title"].original)]
    parts: dict[int, set[int]] = {}
    for mention in every:
        if mention.span[0] == "title":
            parts.setdefault(bisect(borders, mention.span[1]), set()).add(mention.side)
    return len(borders) > 1 and not any(len(part) == sides for part in parts.values())


def _words(
    rules: Rules, found: Found, every: Sequence[Mention], shared: set[Place], page: Page, themes: Sequence[str]
) -> Iterable[tuple[str, float]]:
    """Count what words say: of the relation, of themes, and against."""
    if hits := found.get(("relations", 0)):
        beside = not shared.isdisjoint(page.places(hits))
        yield ("relation beside both" if beside else "relation elsewhere"), 1
    if themes:
        # A firm's name is no evidence twice: Oracle in a list of firms does not make it a story of computing power.
        firms = [m.span for m in every] + [span for _, match in found.get(("others", 0), ()) for span in match.spans]
        numbers = [number for number, theme in enumerate(rules.themes) if theme.name in themes]
        yield "theme", min(3, max(_weight(found[("keywords", number)], firms) for number in numbers))
    if hits := found.get(("against", 0)):
        weights = [match.weight for _, match in hits]
        titled = [in_title(match.spans) for _, match in hits]
        yield "against it in the title", min(2, sum(compress(weights, titled)))
        yield "against it in the summary", min(2, sum(compress(weights, map(not_, titled))))


def _weight(hits: Hits, firms: Sequence[Span]) -> float:
    weight = 0.0
    for _, match in hits:
        own = [span for span in match.spans if not any(_overlap(span, firm) for firm in firms)]
        if own:
            weight += match.weight * (TITLE if in_title(own) else NEAR)
    return weight


def in_title(spans: Iterable[Span]) -> bool:
    """Tell whether any of the spans lies in the title."""
    return any(name == "title" for name, _, _ in spans)


# ---------------------------------------------------------------- lists

MAX_JOINT = 24
"""More characters between two firms of a list than that are more than a comma, an `and` and a figure."""
_JOINT = re.compile(
    r"(?:['’]s)?\s*(?:[+\-−]?[$€£]?\d[\d.,]*\s*(?:%|percent|bn|billion|亿)?)?\s*"
    r"(?:[,，、/&+;；]|and|or|plus|y|und|et|と|和|与|與|及|以及|或|跟)?\s*(?:and|or|plus|&|以及|和|及)?\s*(?:the|l'|la)?\s*",
    re.IGNORECASE,
)


def lists(others: Hits, every: Sequence[Mention], page: Page) -> Iterable[set[int]]:
    """Yield, for each list of three firms or more, which of the sides stand in it.

    A list is told by what stands between its firms: commas, `and`, figures, and nothing else.
    """
    for name, text in page.texts.items():
        firms: list[tuple[int, int, int | str]] = [
            (m.span[1], m.span[2], m.side) for m in every if m.span[0] == name and m.strength > FAINT
        ]
        firms += [(s, e, query.source) for query, match in others for field, s, e in match.spans if field == name]
        firms.sort(key=lambda firm: (firm[0], -firm[1]))
        row: list[tuple[int, int, int | str]] = []
        for firm in [*firms, (len(text.original) + 9, 0, "")]:
            if row and firm[0] < row[-1][1]:
                continue
            between = text.original[row[-1][1] : firm[0]] if row else ""
            if not row or (firm[1] and 0 < len(between) <= MAX_JOINT and _JOINT.fullmatch(between)):
                row.append(firm)
                continue
            if len({who for _, _, who in row}) >= 3:
                yield {who for _, _, who in row if isinstance(who, int)}
            row = [firm]
