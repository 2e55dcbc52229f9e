"""Item × Rules → Verdict: is it coverage of all companies together, which themes, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from monitor import __version__
from monitor.match import aboutness
from monitor.match.aboutness import LEAD, Mention, Page, Place, in_title
from monitor.match.blend import Second
from monitor.match.opinion import Scores, Seen
from monitor.match.rules import FAR, NEAR, TITLE, Found, Hits, Rules
from monitor.match.words import Document, Span
from monitor.model import Evidence, Item, Sign, Verdict
from monitor.text import read


def judge(item: Item, rules: Rules, second: Second | None = None, *, thorough: bool = False) -> Verdict:
    """Decide what one item is about.

    It is coverage when every company is mentioned in title or lead and the signs of its structure reach the threshold.
    It then has each theme whose keywords reach the theme's own. `second` is asked about every item that mentions a
    company. `thorough`: look for themes even where a company is missing or an exclusion strikes, so that a person can
    be told what else was there.
    """
    seen, mentions = examine(item, rules, thorough=thorough, for_second=second is not None)
    verdict = second.on(item, seen) if second and mentions else seen.verdict
    return _placed(verdict, len(item.summary)) if item.text else verdict


def rules_key(rules: Rules, second: Second | None = None) -> str:
    """Return a short hash of all that a verdict follows from beside the item: equal keys, equal verdicts."""
    basis = (__version__, rules.basis, second and second.basis)
    return sha256(repr(basis).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def examine(item: Item, rules: Rules, *, thorough: bool = True, for_second: bool = False) -> tuple[Seen, bool]:
    """Return what the rules see in an item, and whether it mentions a company; thorough then, if `for_second`."""
    return look(*opened(item), rules, thorough=thorough, for_second=for_second)


def opened(item: Item) -> tuple[Document, Page]:
    """Read the texts of an item, whatever they are then judged by."""
    page = Page({"title": read(item.title), "summary": read(body(item))})
    return Document({name: text for name, text in page.texts.items() if text.words}, item.outlet, item.language), page


def body(item: Item) -> str:
    """Return what is judged beside the title: an article's own text goes on where the summary ends."""
    return f"{item.summary}\n{item.text}" if item.text else item.summary


def look(
    document: Document, page: Page, rules: Rules, *, thorough: bool = True, for_second: bool = False
) -> tuple[Seen, bool]:
    """Return what the rules see in an item that was opened, as `examine` does."""
    every, why_not = aboutness.mentions(rules, rules.sides.find(document), page)
    thorough = thorough or (for_second and bool(every))
    clauses = [f"coverage.{company.name}" for company in rules.companies]
    companies = tuple(Evidence(clauses[m.side], m.keyword, *m.span) for m in every)

    if why_not and not thorough:
        return Seen(Verdict(False, reason=why_not, evidence=companies), page.texts), bool(every)
    found = rules.rest.find(document)
    if excluded := found.get(("excluded", 0), []):
        why_not = why_not or f"excluded from coverage by: {excluded[0][0].source}"
        companies += tuple(_spans("coverage.not", excluded))
        if not thorough:
            return Seen(Verdict(False, reason=why_not, evidence=companies), page.texts), True
    themes, short = _themes(rules, found, every, page)
    signs = () if why_not else aboutness.signs(rules, found, every, page, [name for name, _ in themes])
    if not why_not and sum(sign.points for sign in signs) < rules.threshold:
        why_not = _too_little(signs, rules)
    evidence = (*companies, *_evidence(rules, found, {} if why_not else dict(themes)))
    if why_not:
        verdict = Verdict(False, reason=why_not, evidence=evidence, signs=signs, near=themes + short)
    else:
        verdict = Verdict(True, themes, sum(score for _, score in themes), evidence, "", signs, short)
    return Seen(verdict, page.texts, themes, short), bool(every)


def _placed(verdict: Verdict, end: int) -> Verdict:
    """Say of what stands beyond the summary where it stands in the text."""
    moved = tuple(
        replace(e, field="text", start=e.start - end - 1, end=e.end - end - 1)
        if e.field == "summary" and e.start > end
        else replace(e, end=min(e.end, end))
        if e.field == "summary"
        else e
        for e in verdict.evidence
    )
    return replace(verdict, evidence=moved)


def _too_little(signs: Sequence[Sign], rules: Rules) -> str:
    """Say what an item lacks to be coverage, and what weighed most against it."""
    points = sum(sign.points for sign in signs)
    together = " and ".join(company.name for company in rules.companies)
    worst = min(signs, key=lambda sign: sign.points)
    against = f"; most against it: {worst.name}" if worst.points < 0 else ""
    return f"mentions {together}, but only {points:.1f} of {rules.threshold:g} points say it is about them{against}"


def _themes(rules: Rules, found: Found, every: list[Mention], page: Page) -> tuple[Scores, Scores]:
    """Return the themes that reach their threshold and those that fall short, each best first."""
    beside = {mention.place for mention in every}
    reached: list[tuple[str, float]] = []
    short: list[tuple[str, float]] = []
    for number, theme in enumerate(rules.themes):
        hits = found.get(("keywords", number), [])
        if not hits:
            continue
        score = round(sum(match.weight * _factor(match.spans, beside, page) for _, match in hits), 3)
        makes = score >= theme.threshold and ("unmakes", number) not in found
        (reached if makes else short).append((theme.name, score))
    return tuple(sorted(reached, key=_best_first)), tuple(sorted(short, key=_best_first))


def _best_first(theme: tuple[str, float]) -> float:
    return -theme[1]


def _factor(spans: Sequence[Span], beside: set[Place], page: Page) -> float:
    if not spans:  # source: and lang: show no place
        return NEAR
    if in_title(spans):
        return TITLE
    near = any(end <= LEAD for _, _, end in spans) or any(page.place(span) in beside for span in spans)
    return NEAR if near else FAR


def _evidence(rules: Rules, found: Found, reached: Mapping[str, float]) -> Iterator[Evidence]:
    for role in ("relations", "against", "others"):
        yield from _spans(f"coverage.{role}", found.get((role, 0), []))
    for number, theme in enumerate(rules.themes):
        prefix = "theme" if theme.name in reached else "near"
        yield from _spans(f"{prefix}.{theme.name}", found.get(("keywords", number), []))
        yield from _spans(f"unmade.{theme.name}", found.get(("unmakes", number), []))


def _spans(clause: str, hits: Hits) -> list[Evidence]:
    return [Evidence(clause, query.source, *span) for query, match in hits for span in dict.fromkeys(match.spans)]
