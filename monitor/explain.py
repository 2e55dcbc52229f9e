"""Why an item is, or is not, a hit: the verdict in words, for a person to follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from monitor.errors import clipped
from monitor.match.opinion import COVERAGE, RULES, SENSE, WORDS
from monitor.match.rules import Rules
from monitor.model import Evidence, Item, Verdict

Mark = Callable[[str, str], str]
"""Kind (company, theme or sign) and words → the words as they are shown."""

MOST_IN_TEXT, AROUND = 20, 80
"""Of an article's text: so many places at most, with so many characters on either side."""
MAX_KEYWORD = 100
"""So many characters of a keyword are enough to find it in feeds.yaml: some are twenty lines long."""
VOICES = {RULES: "what the keywords found", WORDS: "the words", SENSE: "the sense"}
BRACKETS = {"company": ("[", "]"), "theme": ("{", "}"), "sign": ("<", ">")}


def in_brackets(kind: str, words: str) -> str:
    """Mark words where there are no colours."""
    left, right = BRACKETS[kind]
    return f"{left}{words}{right}"


def explain(item: Item, verdict: Verdict, rules: Rules, mark: Mark = in_brackets) -> Iterator[str]:
    """Yield the lines that explain a verdict: the text with its words marked, the points, the themes."""
    if verdict.doubted:
        yield f"a hit that the second opinion doubts: {_scored(verdict)}"
    elif verdict.covered:
        yield f"a hit: {_scored(verdict)}"
    else:
        yield f"not a hit: {verdict.reason}"
    kinds = {e: _kind(e, rules) for e in verdict.evidence}
    for field in ("title", "summary"):
        if text := getattr(item, field):
            yield f"  {field:<8} {marked(text, pieces_of(verdict.evidence, rules, field), mark)}"
    yield from _in_text(item, kinds, mark)
    legend = {"company": "a company", "theme": "a keyword of a theme", "sign": "what speaks for or against"}
    if kinds:
        yield "  marked   " + ", ".join(mark(kind, words) for kind, words in legend.items() if kind in kinds.values())
    yield from _coverage(item, verdict, rules)
    yield from _themes(item, verdict, rules)
    yield from _second(verdict)


def _in_text(item: Item, kinds: Mapping[Evidence, str], mark: Mark) -> Iterator[str]:
    """Yield the surroundings of what stands in the article's own text, which is too long to be shown whole."""
    found = sorted((e.start, e.end, kind) for e, kind in kinds.items() if e.field == "text")
    last = -1
    for start, _, _ in found[:MOST_IN_TEXT]:
        if start <= last:
            continue
        first, last = max(0, start - AROUND), start + AROUND
        pieces = [(kind, a - first, b - first) for a, b, kind in found if first <= a and b <= last]
        yield f"  {'text':<8} …{marked(item.text[first:last], pieces, mark)}…"


def in_short(verdict: Verdict) -> str:
    """Return a verdict in a few words."""
    if not verdict.covered:
        return "not a hit"
    doubt = ", doubted" if verdict.doubted else ""
    return f"a hit{doubt}: {', '.join(dict(verdict.themes)) or 'no theme'}"


def _scored(verdict: Verdict) -> str:
    named = [f"{name} ({score:.3g}{', no keyword' * (name in verdict.alone)})" for name, score in verdict.themes]
    return ", ".join(named) or "no theme"


def _kind(evidence: Evidence, rules: Rules) -> str:
    if not evidence.clause.startswith("coverage."):
        return "theme"
    return "company" if evidence.clause in {f"coverage.{company.name}" for company in rules.companies} else "sign"


def pieces_of(evidence: Iterable[Evidence], rules: Rules, field: str) -> list[tuple[str, int, int]]:
    """Return what stands in a field of an item, and where: kind (company, theme or sign), start, end."""
    return [(_kind(e, rules), e.start, e.end) for e in evidence if e.field == field]


def marked(text: str, pieces: Sequence[tuple[str, int, int]], mark: Mark) -> str:
    """Mark the pieces (kind, start, end); where they overlap, a company goes before a theme, a theme before a sign."""
    kinds = [""] * len(text)
    for kind in ("sign", "theme", "company"):
        for _, start, end in (piece for piece in pieces if piece[0] == kind):
            kinds[start:end] = [kind] * (end - start)
    out, start = [], 0
    for at in range(1, len(text) + 1):
        if at == len(text) or kinds[at] != kinds[start]:
            out.append(mark(kinds[start], text[start:at]) if kinds[start] else text[start:at])
            start = at
    return "".join(out)


def _coverage(item: Item, verdict: Verdict, rules: Rules) -> Iterator[str]:
    for company in rules.companies:
        words = _words(item, verdict, f"coverage.{company.name}")
        yield f"  {company.name:<22} {words or 'not mentioned'}"
    if excluding := _words(item, verdict, "coverage.not"):
        yield f"  {'excluded by':<22} {excluding}"
    if not verdict.signs:
        return
    points = sum(sign.points for sign in verdict.signs)
    yield f"  coverage: {points:.1f} points, {rules.threshold:g} needed"
    clauses = {"relation": "relations", "against": "against", "other": "others"}
    for sign in verdict.signs:
        clause = clauses.get(sign.name.split()[0])
        words = _words(item, verdict, f"coverage.{clause}") if clause else ""
        yield f"    {sign.points:+5.1f}  {sign.name}{f': {words}' if words else ''}"


def _themes(item: Item, verdict: Verdict, rules: Rules) -> Iterator[str]:
    scores = {**dict(verdict.near), **dict(verdict.themes)}
    for theme in rules.themes:
        if theme.name not in scores:
            continue
        clause = f"{'theme' if theme.name in dict(verdict.themes) else 'near'}.{theme.name}"
        found = dict.fromkeys((e.keyword, e.field) for e in verdict.evidence if e.clause == clause)
        yield f"  theme {theme.name}: {scores[theme.name]:g} points, {theme.threshold:g} needed"
        for keyword, field in found:
            words = _words(item, verdict, clause, keyword, field)
            yield f"    {words} in the {field}, by {clipped(keyword, MAX_KEYWORD)}"
        if unmade := _words(item, verdict, f"unmade.{theme.name}"):
            yield f"    taken away by {unmade}, under not:"


def _words(item: Item, verdict: Verdict, clause: str, keyword: str = "", field: str = "") -> str:
    found = [
        getattr(item, e.field)[e.start : e.end]
        for e in verdict.evidence
        if e.clause == clause and keyword in ("", e.keyword) and field in ("", e.field)
    ]
    return ", ".join(dict.fromkeys(found))


def _second(verdict: Verdict) -> Iterator[str]:
    for heard in verdict.heard:
        of = "coverage" if heard.question == COVERAGE else f"theme {heard.question}, if it is coverage"
        voices = ", ".join(f"{said:+.1f} by {VOICES[voice]}" for voice, said in heard.voices)
        yield f"  second opinion: {heard.likelihood:.0%} {of}"
        yield f"    {heard.base:+.1f} to begin with, {voices}"
    if verdict.reads_like:
        yield f"  no keyword; reads like {', '.join(verdict.reads_like)}"
