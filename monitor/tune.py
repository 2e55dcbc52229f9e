"""What the rules are worth: judging labelled items, and the figures that come of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.config import made_up
from monitor.errors import MonitorError
from monitor.feeds.normalise import plain_text
from monitor.match.blend import Second
from monitor.match.judge import judge
from monitor.match.rules import Rules
from monitor.model import Item, Label, Verdict


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled item; without `themes_known` only its relevance was said."""

    id: str
    title: str
    summary: str
    relevant: bool
    themes: frozenset[str]
    language: str = ""
    source: str = ""
    event: str = ""
    themes_known: bool = True


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
    """Read labelled items, one JSON object a line; of a folder, those of all its .jsonl files.

    Raises:
        MonitorError: a file cannot be read, or a line is not a labelled item; names file and line.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    examples = [example for file in files for example in _read_file(file)]
    if not examples:
        raise MonitorError(f"{path}: holds no labelled items")
    return examples


def _read_file(path: Path) -> list[Example]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as e:
        raise MonitorError(f"{path}: cannot be read: {getattr(e, 'strerror', None) or e}") from e
    return [_example(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _example(path: Path, number: int, line: str) -> Example:
    try:
        row = json.loads(line)
        return Example(
            str(row["id"]),
            str(row["title"]),
            str(row.get("summary") or ""),
            _truth(row["relevant"]),
            _names([] if row["themes"] is None else row["themes"]),
            str(row.get("lang") or ""),
            str(row.get("source") or ""),
            str(row.get("event") or ""),
            row["themes"] is not None,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        what = f"{e} is missing" if isinstance(e, KeyError) else str(e)
        raise MonitorError(
            f"{path}:{number}: not a labelled item ({what}); it needs id, title, relevant, themes"
        ) from e


def of_label(label: Label) -> Example:
    """Return what a reader said as a labelled item; each is an event of its own."""
    known = label.themes is not None or not label.relevant
    themes = frozenset(label.themes or ())
    return Example(
        label.key, label.title, label.summary, label.relevant, themes, label.language, label.outlet, label.key, known
    )


def label_lines(labels: Iterable[Label]) -> Iterator[str]:
    """Yield labels as `read_labels` reads them, one JSON object a line."""
    for label in labels:
        row = {
            "id": label.key,
            "lang": label.language,
            "source": label.outlet,
            "title": label.title,
            "summary": label.summary,
            "relevant": label.relevant,
            "themes": None if label.themes is None and label.relevant else list(label.themes or ()),
            "event": label.key,
            "missed": label.missed,
            "said": label.said.isoformat(),
        }
        yield json.dumps(row, ensure_ascii=False)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("relevant must be true or false")
    return value


def _names(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise TypeError("themes must be a list of names")
    return frozenset(value)


def predict(examples: Sequence[Example], rules: Rules, second: Second | None = None) -> list[Verdict]:
    """Judge the examples as if they came from a feed: markup and entities go first."""
    return [judge(as_item(example), rules, second) for example in examples]


def as_item(example: Example) -> Item:
    """Return an example as it would come from a feed: without markup and entities."""
    return made_up(plain_text(example.title), plain_text(example.summary), example.language, example.source)


def said(verdict: Verdict) -> frozenset[str]:
    """Return the themes that are said of an item; a hit that the second opinion doubts counts as none."""
    return frozenset(dict(verdict.themes)) if verdict.sure else frozenset()


def as_lines(examples: Sequence[Example], verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield a JSON line for each prediction: id, relevant, themes."""
    for example, verdict in zip(examples, verdicts, strict=True):
        themes = [theme for theme, _ in verdict.themes if theme in said(verdict)]
        yield json.dumps({"id": example.id, "relevant": verdict.sure, "themes": themes}, ensure_ascii=False)


def by_language(
    examples: Sequence[Example], verdicts: Sequence[Verdict]
) -> Iterator[tuple[str, list[Example], list[Verdict]]]:
    """Yield the languages, the most frequent first, with their examples and verdicts."""
    for language, _ in Counter(example.language for example in examples if example.language).most_common():
        pairs = [(e, v) for e, v in zip(examples, verdicts, strict=True) if e.language == language]
        yield language, [e for e, _ in pairs], [v for _, v in pairs]


def misses(examples: Sequence[Example], verdicts: Sequence[Verdict]) -> Iterator[tuple[Example, Verdict]]:
    """Yield the examples that were judged otherwise than they are labelled."""
    for example, verdict in zip(examples, verdicts, strict=True):
        themes = example.themes if example.themes_known else said(verdict)
        if (example.relevant, themes) != (verdict.sure, said(verdict)):
            yield example, verdict


def score(examples: Sequence[Example], verdicts: Sequence[Verdict], themes: Sequence[str]) -> dict[str, Score]:
    """Return the score of relevance, of each theme, and their mean over the themes that were labelled or said (macro).

    Raises:
        MonitorError: an item is labelled with a theme that is none of `themes`.
    """
    for example in examples:
        if unknown := sorted(example.themes - set(themes)):
            raise MonitorError(
                f"{example.id}: there is no theme {unknown[0]!r}; known here: {', '.join(themes) or 'none'}"
            )
    pairs = list(zip(examples, verdicts, strict=True))
    scores = {"relevance": Score.of([(example.relevant, verdict.sure) for example, verdict in pairs])}
    known = [(example.themes, said(verdict)) for example, verdict in pairs if example.themes_known]
    for theme in themes:
        scores[theme] = Score.of([(theme in labelled, theme in given) for labelled, given in known])
    if of := [scores[theme] for theme in themes if scores[theme].tp + scores[theme].fp + scores[theme].fn]:
        scores["themes macro"] = Score(
            sum(s.precision for s in of) / len(of), sum(s.recall for s in of) / len(of), sum(s.f1 for s in of) / len(of)
        )
    return scores
