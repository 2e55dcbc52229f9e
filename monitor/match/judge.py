"""Item × Rules → Verdict: is it coverage of all companies together, which themes, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.match.query import Document, Query, Span
from monitor.match.text import read
from monitor.model import Evidence, Item, Verdict

TITLE_WEIGHT = 2.0
LEAD = 400
"""Companies must stand in the title or in so many characters of the summary: feeds that carry whole articles
name many firms further down."""


@dataclass(frozen=True, slots=True)
class Company:
    """One side of the coverage. `names` are what it is called, `hints` its people, places and products."""

    name: str
    names: tuple[Query, ...]
    hints: tuple[Query, ...] = ()


@dataclass(frozen=True, slots=True)
class Theme:
    """One theme: any keyword makes it, any exclusion unmakes it."""

    name: str
    keywords: tuple[Query, ...]
    excluded: tuple[Query, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that judging needs; picklable."""

    companies: tuple[Company, ...]
    excluded: tuple[Query, ...]
    themes: tuple[Theme, ...]


def judge(item: Item, rules: Rules) -> Verdict:
    """Decide what one item is about.

    It is covered when every company stands in its title or lead by name or hint, and no exclusion matches.
    A covered item has each theme of which a keyword stands in title or summary.
    """
    document = {"title": read(item.title), "summary": read(item.summary)}
    why_not = _excluded(rules.excluded, document, "coverage")
    if why_not:
        return Verdict(False, reason=why_not)
    evidence, why_not = _coverage(rules.companies, document)
    if why_not:
        return Verdict(False, reason=why_not, evidence=evidence)
    themes: list[tuple[str, float]] = []
    for theme in rules.themes:
        found = _found(f"theme.{theme.name}", theme.keywords, document)
        if found and not _excluded(theme.excluded, document, theme.name):
            themes.append((theme.name, _score(found)))
            evidence += found
    themes.sort(key=lambda theme: -theme[1])
    return Verdict(True, tuple(themes), sum(score for _, score in themes), evidence)


def _coverage(companies: tuple[Company, ...], document: Document) -> tuple[tuple[Evidence, ...], str]:
    evidence: tuple[Evidence, ...] = ()
    missing, late = [], []
    for company in companies:
        found = _found(f"coverage.{company.name}", company.names + company.hints, document)
        if not found:
            missing.append(company.name)
        elif not any(e.field == "title" or e.end <= LEAD for e in found):
            late.append(company.name)
        evidence += found
    if missing:
        return evidence, f"no name or hint of {' and '.join(missing)}"
    if late:
        return evidence, f"{' and '.join(late)} only stands further down, not in the title or the lead"
    return evidence, ""


def _found(clause: str, queries: Iterable[Query], document: Document) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(clause, query.source, *span)
        for query in queries
        for span in dict.fromkeys(query.spans(document) or ())
    )


def _excluded(queries: Iterable[Query], document: Document, clause: str) -> str:
    for query in queries:
        spans: tuple[Span, ...] | None = query.spans(document)
        if spans is not None:
            return f"excluded from {clause} by: {query.source}"
    return ""


def _score(found: tuple[Evidence, ...]) -> float:
    best: dict[str, float] = {}
    for e in found:
        best[e.keyword] = max(best.get(e.keyword, 0.0), TITLE_WEIGHT if e.field == "title" else 1.0)
    return sum(best.values())
