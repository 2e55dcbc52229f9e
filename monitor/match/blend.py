"""The rules' verdict and the second opinion → one verdict. Pure.

Either the opinion only adds what the rules missed, or it decides, having heard the rules. Then a hit of the rules that
it doubts is still a hit, marked as doubted, for the end of the digest. What the user excluded by `not:` stays out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from monitor.match.opinion import COVERAGE, Opinion, Seen
from monitor.model import Evidence, Heard, Item, Verdict


@dataclass(frozen=True, slots=True)
class Second:
    """The second opinion, and how far it is heeded.

    `themes` are those that it may speak on. From a likelihood of `coverage` on it says that an item is coverage, from
    one of `theme` on that it has the theme. With `adds_only` it takes nothing away.
    """

    opinion: Opinion
    themes: frozenset[str]
    adds_only: bool = False
    coverage: float = 0.5
    theme: float = 0.45

    @property
    def basis(self) -> tuple[object, ...]:
        """What its answers follow from beside the item: how it is heeded, and what it has learnt."""
        weights, sense = self.opinion.weights, self.opinion.sense
        learnt = (weights.name, weights.base, weights.trust, sense and (sense.embedding, sense.base, sense.trust))
        return sorted(self.themes), self.adds_only, self.coverage, self.theme, learnt

    def on(self, item: Item, seen: Seen) -> Verdict:
        """Return the verdict of both, and for what has no keyword the words that weighed most."""
        verdict = self.decide(seen, self.opinion.hear(item, seen))
        if not verdict.alone:
            return verdict
        words = [word for question in reversed(verdict.alone) for word in self.opinion.weighed(question, seen)]
        return replace(verdict, reads_like=tuple(dict.fromkeys(words)))

    def decide(self, seen: Seen, heard: tuple[Heard, ...]) -> Verdict:
        """Return the verdict of both, given what the opinion says."""
        verdict = replace(seen.verdict, heard=heard)
        likely = {answer.question: answer.likelihood for answer in heard}
        sure = likely[COVERAGE] >= self.coverage
        if not verdict.covered and (not sure or any(e.clause == "coverage.not" for e in verdict.evidence)):
            return verdict
        if not sure and not self.adds_only:
            return replace(verdict, doubted=True)
        themes = self._themes(seen, likely)
        alone = [name for name in themes if name not in dict(seen.made)]
        if not verdict.covered:
            alone.insert(0, COVERAGE)
        return replace(
            verdict,
            covered=True,
            reason="",
            themes=_best_first(themes),
            score=sum(themes.values()),
            evidence=_renamed(verdict.evidence, themes),
            near=_best_first({name: points for name, points in seen.points.items() if name not in themes}),
            alone=tuple(alone),
            withdrawn=tuple(name for name, _ in seen.verdict.themes if name not in themes),
        )

    def _themes(self, seen: Seen, likely: Mapping[str, float]) -> dict[str, float]:
        """Return the themes that are given, with their points or, without keywords, their likelihood."""
        made = dict(seen.made)
        unmade = {evidence.clause for evidence in seen.verdict.evidence}
        given = {name for name in self.themes if likely[name] >= self.theme and f"unmade.{name}" not in unmade}
        kept = {name for name in made if self.adds_only or name not in self.themes}
        return {name: made.get(name, 0.0) or likely[name] for name in sorted(given | kept)}


def _best_first(themes: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(themes.items(), key=lambda theme: (-theme[1], theme[0])))


def _renamed(evidence: tuple[Evidence, ...], themes: Mapping[str, float]) -> tuple[Evidence, ...]:
    """Say `theme.` of the keywords of themes that are given, `near.` of those of others."""
    clauses = {f"{'near' if name in themes else 'theme'}.{name}": name for name in {*themes, *_named(evidence)}}
    return tuple(
        replace(e, clause=f"{'theme' if clauses[e.clause] in themes else 'near'}.{clauses[e.clause]}")
        if e.clause in clauses
        else e
        for e in evidence
    )


def _named(evidence: tuple[Evidence, ...]) -> set[str]:
    return {e.clause.partition(".")[2] for e in evidence if e.clause.startswith(("theme.", "near."))}
