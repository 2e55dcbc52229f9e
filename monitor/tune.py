"""What the rules are worth: judging labelled items, and the figures that come of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.config import try_title
from monitor.errors import MonitorError
from monitor.match.judge import Rules
from monitor.model import Verdict


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled item."""

    id: str
    title: str
    summary: str
    relevant: bool
    themes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 with the counts behind them; a mean over themes has no counts."""

    precision: float
    recall: float
    f1: float
    tp: int = -1
    fp: int = -1
    fn: int = -1

    @classmethod
    def of(cls, pairs: Sequence[tuple[bool, bool]]) -> Score:
        """Count pairs of (labelled, predicted). Where there is nothing to find, finding nothing is 1."""
        tp = sum(gold and said for gold, said in pairs)
        fp = sum(said and not gold for gold, said in pairs)
        fn = sum(gold and not said for gold, said in pairs)
        precision = tp / (tp + fp) if tp + fp else float(fn == 0)
        recall = tp / (tp + fn) if tp + fn else 1.0
        both = precision + recall
        return cls(precision, recall, 2 * precision * recall / both if both else 0.0, tp, fp, fn)

    def counts(self) -> str:
        """Return the counts for a line of print; nothing for a mean."""
        return f"  tp {self.tp:4d}  fp {self.fp:4d}  fn {self.fn:4d}" if self.tp >= 0 else ""


def read_labels(path: Path) -> list[Example]:
    """Read labelled items, one JSON object a line.

    Raises:
        MonitorError: the file cannot be read, or a line is not a labelled item; names file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as e:
        raise MonitorError(f"{path}: cannot be read: {getattr(e, 'strerror', None) or e}") from e
    examples = [_example(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not examples:
        raise MonitorError(f"{path}: holds no labelled items")
    return examples


def _example(path: Path, number: int, line: str) -> Example:
    try:
        row = json.loads(line)
        return Example(
            str(row["id"]),
            str(row["title"]),
            str(row.get("summary") or ""),
            _truth(row["relevant"]),
            _names(row["themes"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        what = f"{e} is missing" if isinstance(e, KeyError) else str(e)
        raise MonitorError(
            f"{path}:{number}: not a labelled item ({what}); it needs id, title, relevant, themes"
        ) from e


def _truth(value: object) -> bool:
    if value not in (True, False):
        raise TypeError("relevant must be true or false")
    return bool(value)


def _names(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise TypeError("themes must be a list of names")
    return frozenset(value)


def predict(examples: Sequence[Example], rules: Rules) -> list[Verdict]:
    """Judge the examples as if they were news."""
    return [try_title(rules, example.title, example.summary) for example in examples]


def as_lines(examples: Sequence[Example], verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield a JSON line for each prediction: id, relevant, themes."""
    for example, verdict in zip(examples, verdicts, strict=True):
        themes = [theme for theme, _ in verdict.themes]
        yield json.dumps({"id": example.id, "relevant": verdict.covered, "themes": themes}, ensure_ascii=False)


def score(examples: Sequence[Example], verdicts: Sequence[Verdict], themes: Sequence[str]) -> dict[str, Score]:
    """Return the score of relevance, of each theme, and their mean over themes (macro)."""
    said = [{theme for theme, _ in verdict.themes} for verdict in verdicts]
    scores = {"relevance": Score.of([(e.relevant, v.covered) for e, v in zip(examples, verdicts, strict=True)])}
    for theme in themes:
        scores[theme] = Score.of([(theme in e.themes, theme in s) for e, s in zip(examples, said, strict=True)])
    if themes:
        of = [scores[theme] for theme in themes]
        scores["themes macro"] = Score(
            sum(s.precision for s in of) / len(of), sum(s.recall for s in of) / len(of), sum(s.f1 for s in of) / len(of)
        )
    return scores
