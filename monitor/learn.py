"""Labelled items → the weights of the second opinion, and what they are worth.

A logistic regression for each voice and question (scikit-learn, of the extra `learn`). Then a small one for each
question says how far each voice is trusted: it is fitted to what the voices say of items that they had not learnt
from. There the fresh ones, on which no keyword was chosen, count most: on the others the rules look too good.
"""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression

from monitor import resources, sense
from monitor.errors import MonitorError
from monitor.match.blend import Second
from monitor.match.judge import examine
from monitor.match.opinion import (
    COVERAGE,
    FORMAT,
    RULES,
    SENSE,
    WORDS,
    Embed,
    Opinion,
    Seen,
    Sense,
    Weights,
    evidence,
    grams,
    sides,
    text_of,
)
from monitor.match.rules import Rules
from monitor.model import Heard, Item, Label, Verdict
from monitor.settings import Settings
from monitor.tune import Example, as_item, of_label, read_labels, score

LABELLED = {"microsoft", "openai"}
"""Whom the labelled items that came along are about."""
SHIPPED = {"tuning": False, "learning": True}
"""Folders of labelled items, and whether they are fresh: no keyword was chosen on them."""
FRESH = 4.0
"""What a fresh item weighs against one on which keywords were chosen, where trust is fitted."""
OWN = 3.0
"""What a reader's own label weighs against one that came along."""
EVERYDAY = 3.0
"""What an irrelevant item weighs that mentions one company alone: most news is such, and few labelled items are."""
FOLDS = 5
RARE = 3
"""A term of fewer items is not learnt."""
STRENGTH = {RULES: 1.0, WORDS: 5.0, SENSE: 20.0}
"""Inverse of the penalty on large weights (scikit-learn's C)."""
FEWEST = 20
"""A theme with fewer items, or fewer without it, is left to the rules."""
DECIMALS = 3

Numbers = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A labelled item as the voices see it; `fresh`: no keyword was chosen on it, `own`: the reader labelled it."""

    example: Example
    item: Item
    seen: Seen
    asked: bool
    fresh: bool
    own: bool
    weight: float
    evidence: Mapping[str, float]
    terms: Mapping[str, int]
    vector: Sequence[float]

    @property
    def fold(self) -> int:
        """The part of the items that it is tested with: all of one event together."""
        return zlib.crc32((self.example.event or self.example.id).encode()) % FOLDS

    def answer(self, question: str) -> bool | None:
        """Return the label; None where the question does not arise or nobody has answered it."""
        if question == COVERAGE:
            return self.example.relevant
        known = self.example.relevant and self.example.themes_known
        return question in self.example.themes if known else None


def lesson(example: Example, rules: Rules, embed: Embed | None, *, fresh: bool, own: bool = False) -> Lesson:
    """Look at an example as judging does."""
    item = as_item(example)
    seen, asked = examine(item, rules)
    weight = OWN if own else 1.0
    vector = embed(text_of(item)) if embed and asked else ()
    told = {e.clause for e in seen.verdict.evidence} & sides(company.name for company in rules.companies)
    if not example.relevant and len(told) < len(rules.companies):
        weight *= EVERYDAY
    terms = Counter(grams(seen.texts.values()))
    return Lesson(example, item, seen, asked, fresh, own, weight, evidence(item, seen), terms, vector)


def gather(
    rules: Rules, own: Iterable[Label], files: Iterable[Path], embed: Embed | None, tell: Callable[[], object]
) -> list[Lesson]:
    """Look at all labelled items: those that came along, if they are on these companies, and the reader's own.

    Where a text is labelled twice, the later one counts: files go before what came along, labels before files.
    """
    parts: list[tuple[list[Example], bool, bool]] = []
    if {company.name for company in rules.companies} == LABELLED:
        parts += [(read_labels(resources.labels() / name), fresh, False) for name, fresh in SHIPPED.items()]
    parts += [(read_labels(file), True, True) for file in files]
    parts.append(([of_label(label) for label in own], True, True))
    found: dict[tuple[str, str], tuple[Example, bool, bool]] = {}
    for examples, fresh, mine in parts:
        found.update({(example.title, example.summary): (example, fresh, mine) for example in examples})
    lessons = []
    for example, fresh, mine in found.values():
        lessons.append(lesson(example, rules, embed, fresh=fresh, own=mine))
        tell()
    return lessons


class Remembered:
    """Embeddings kept in a file, for to make those of all labelled items takes minutes; a broken file is begun anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made = False
        self._vectors: dict[str, Any] = {}  # rows of numbers: as lists of Python's they take twenty times the room
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                if str(kept["embedding"]) == sense.VERSION:
                    self._vectors = dict(zip(kept["texts"].tolist(), kept["vectors"], strict=True))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            pass

    def embed(self, text: str) -> Sequence[float]:
        """Return the embedding of a text."""
        key = sha256(text.encode("utf-8", "replace")).hexdigest()
        if key not in self._vectors:
            self._vectors[key], self._made = np.array(sense.embed(text), np.float32), True
        vector: list[float] = self._vectors[key].tolist()
        return vector

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Keep what was made, the interrupted work too; that it cannot be kept is no reason to fail."""
        if not self._made:
            return
        fresh = self.path.with_suffix(".new.npz")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            vectors = np.array(list(self._vectors.values()), np.float32)
            np.savez_compressed(fresh, embedding=sense.VERSION, texts=list(self._vectors), vectors=vectors)
            os.replace(fresh, self.path)
        except OSError:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)


class Learnt(NamedTuple):
    """What came of it: the weights, and what the opinion says of each lesson when it has not learnt from its event."""

    weights: Weights
    sense: Sense | None
    unseen: list[tuple[Heard, ...]]
    unseen_by_sense: list[tuple[Heard, ...]]


def learn(lessons: Sequence[Lesson], companies: Sequence[str], themes: Sequence[str]) -> Learnt:
    """Learn from those lessons that mention a company; the same lessons in the same order give the same weights."""
    _check(lessons, companies)
    questions = [COVERAGE, *(theme for theme in themes if _enough(lessons, theme))]
    pages = _Pages(lessons)
    everyone = pages.asked
    folds = np.array([lesson.fold for lesson in lessons])
    voices = [RULES, WORDS, *([SENSE] if pages.has_sense else [])]
    unseen = {voice: np.zeros((len(questions), len(lessons))) for voice in voices}
    for fold in range(FOLDS):
        out = folds == fold
        for voice in voices:
            part = _Voice(voice, pages, everyone & ~out, questions)
            unseen[voice][:, out] = part.odds()[:, out]
    heads = {voice: _Voice(voice, pages, everyone, questions) for voice in voices}
    light = _Trust(pages, questions, {voice: unseen[voice] for voice in (RULES, WORDS)})
    name = _name(lessons, questions)
    weights = Weights(
        format=FORMAT,
        name=name,
        about=_about(lessons),
        companies=tuple(companies),
        questions=tuple(questions),
        base=light.base(heads),
        trust=light.table(),
        rules=heads[RULES].table(),
        words=heads[WORDS].table(),
    )
    if not pages.has_sense:
        return Learnt(weights, None, light.heard(folds), [])
    full = _Trust(pages, questions, unseen)
    rows = tuple(_rounded(row) for row in heads[SENSE].coefficients)
    return Learnt(
        weights, Sense(name, sense.VERSION, full.base(heads), full.table(), rows), light.heard(folds), full.heard(folds)
    )


def _name(lessons: Iterable[Lesson], questions: Sequence[str]) -> str:
    said = [(*asdict(one.example).values(), one.fresh, one.weight, sorted(one.evidence.items())) for one in lessons]
    plain = [[sorted(part) if isinstance(part, frozenset) else part for part in row] for row in said]
    return sha256(repr((plain, questions)).encode()).hexdigest()[:16]


def _about(lessons: Sequence[Lesson]) -> str:
    own = sum(lesson.own for lesson in lessons)
    return f"learnt from {len(lessons)} labelled items" + (f", {own} of them your own" if own else "")


def _check(lessons: Sequence[Lesson], companies: Sequence[str]) -> None:
    if not _enough(lessons, COVERAGE):
        raise MonitorError(
            f"too few labelled items on {' and '.join(companies)} to learn from: at least {FEWEST} must be relevant, "
            f"and {FEWEST} mention a company and not be, of several events; say more with `monitor label`"
        )


def _enough(lessons: Iterable[Lesson], question: str) -> bool:
    """Tell whether there are answers of both kinds, and of each more than one part of the events can hold."""
    folds: dict[bool | None, list[int]] = {True: [], False: []}
    for lesson in lessons:
        if lesson.asked:
            folds.setdefault(lesson.answer(question), []).append(lesson.fold)
    return all(len(folds[answer]) >= FEWEST and len(set(folds[answer])) > 1 for answer in (True, False))


class _Pages:
    """What all voices look at, as matrices with a row for each lesson, and the answers."""

    def __init__(self, lessons: Sequence[Lesson]) -> None:
        self.lessons = lessons
        rows, terms = DictVectorizer(), DictVectorizer(dtype=np.float64)
        self.evidence = csr_matrix(rows.fit_transform([lesson.evidence for lesson in lessons]))
        self.evidence_names = list(rows.feature_names_)
        self.counts = csr_matrix(terms.fit_transform([lesson.terms for lesson in lessons]))
        self.term_names = list(terms.feature_names_)
        size = max(len(lesson.vector) for lesson in lessons)
        self.has_sense = size > 0
        self.vectors = np.array([lesson.vector or [0.0] * size for lesson in lessons])
        self.weights = np.array([lesson.weight for lesson in lessons])
        self.fresh = np.array([lesson.fresh for lesson in lessons])
        self.asked = np.array([lesson.asked for lesson in lessons])
        self._answers: dict[str, tuple[Numbers, Numbers]] = {}

    def answers(self, question: str) -> tuple[Any, Any]:
        """Return the answers to a question, and where there is one."""
        if question not in self._answers:
            given = [lesson.answer(question) for lesson in self.lessons]
            self._answers[question] = (np.array([bool(a) for a in given]), np.array([a is not None for a in given]))
        return self._answers[question]


class _Voice:
    """One voice that has learnt from the lessons of `train`: a logistic regression for each question."""

    def __init__(self, name: str, pages: _Pages, train: Any, questions: Sequence[str]) -> None:
        self.idf: Sequence[float] = ()
        if name == RULES:
            self.columns, self.x = pages.evidence_names, pages.evidence
        elif name == WORDS:
            often = np.flatnonzero(np.asarray((pages.counts[train] > 0).sum(axis=0)).ravel() >= RARE)
            scale = TfidfTransformer(sublinear_tf=True).fit(pages.counts[train][:, often])
            self.columns = [pages.term_names[number] for number in often]
            self.x, self.idf = scale.transform(pages.counts[:, often]), scale.idf_
        else:
            self.columns, self.x = [], csr_matrix(pages.vectors)
        self.coefficients, self.intercepts = np.zeros((len(questions), self.x.shape[1])), np.zeros(len(questions))
        for number, question in enumerate(questions):
            # One theme does not speak against another: many an item has several.
            strange = [f"theme {theme}" for theme in questions[1:] if theme != question] if number else []
            own = [at for at in range(self.x.shape[1]) if not self.columns or not _is_of(self.columns[at], strange)]
            model = _regression(self.x[:, own], *pages.answers(question), pages.weights, train, STRENGTH[name])
            self.coefficients[number, own], self.intercepts[number] = model.coef_[0], model.intercept_[0]

    def odds(self) -> Any:
        """Return the log-odds of each question and lesson."""
        return self.coefficients @ self.x.T + self.intercepts[:, None]

    def table(self) -> dict[str, tuple[float, ...]]:
        """Return the weights by name of feature."""
        rows = {}
        for number, name in enumerate(self.columns):
            row = _rounded([*([self.idf[number]] if len(self.idf) else []), *self.coefficients[:, number]])
            if any(row):
                rows[name] = row
        return rows


def _is_of(feature: str, themes: Sequence[str]) -> bool:
    """Tell whether a feature of the rules is about one of these themes."""
    return any(feature in (theme, f"{theme} made", f"{theme} unmade") for theme in themes)


def _regression(x: Any, answers: Any, given: Any, weights: Any, train: Any, strength: float) -> LogisticRegression:
    """Fit one logistic regression; liblinear, for it gives the same bits each time."""
    rows = np.flatnonzero(train & given)
    model = LogisticRegression(C=strength, solver="liblinear", class_weight="balanced", tol=1e-8, max_iter=10_000)
    return model.fit(x[rows], answers[rows], sample_weight=weights[rows])


class _Trust:
    """How far each voice is trusted on each question, by what they said of lessons unseen."""

    def __init__(self, pages: _Pages, questions: Sequence[str], unseen: Mapping[str, Any]) -> None:
        self.pages, self.questions, self.unseen = pages, questions, unseen
        self.fitted = [self._fit(number, np.ones(len(pages.lessons), bool)) for number in range(len(questions))]

    def _fit(self, number: int, among: Any) -> tuple[float, dict[str, float]]:
        answers, given = self.pages.answers(self.questions[number])
        rows = np.flatnonzero(self.pages.asked & given & among)
        weights = np.where(self.pages.fresh[rows], FRESH, 1.0) * self.pages.weights[rows]
        voices = list(self.unseen)
        while voices:
            x = np.column_stack([self.unseen[voice][number][rows] for voice in voices])
            model = LogisticRegression(C=10.0, solver="liblinear", tol=1e-8, max_iter=10_000)
            model.fit(x, answers[rows], sample_weight=weights)
            trust = dict(zip(voices, model.coef_[0], strict=True))
            voices = [voice for voice in voices if trust[voice] > 0]
            if len(voices) == len(trust):
                return float(model.intercept_[0]), trust
        yes = float(np.average(answers[rows], weights=weights))
        return math.log(yes / (1 - yes)), {}

    def base(self, heads: Mapping[str, _Voice]) -> tuple[float, ...]:
        """Return the log-odds before any voice has spoken, the constants of the voices added."""
        return _rounded(
            base + sum(trust * heads[voice].intercepts[number] for voice, trust in trusts.items())
            for number, (base, trusts) in enumerate(self.fitted)
        )

    def table(self) -> dict[str, tuple[float, ...]]:
        """Return for each voice its trust by question."""
        return {voice: _rounded(trust.get(voice, 0.0) for _, trust in self.fitted) for voice in self.unseen}

    def heard(self, folds: Any) -> list[tuple[Heard, ...]]:
        """Return what is said of each lesson by voices, and with trust, that come from other folds."""
        out: list[list[Heard]] = [[] for _ in folds]
        for number, question in enumerate(self.questions):
            by_fold = [self._fit(number, folds != fold) for fold in range(FOLDS)]
            for at, fold in enumerate(folds):
                base, trusts = by_fold[fold]
                voices = tuple(
                    (voice, trust * float(self.unseen[voice][number][at])) for voice, trust in trusts.items()
                )
                out[at].append(Heard(question, base, voices))
        return [tuple(heard) for heard in out]


def _rounded(numbers: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(float(number), DECIMALS) + 0.0 for number in numbers)


# ---------------------------------------------------------------- what it is worth


def judged(lessons: Sequence[Lesson], unseen: Sequence[tuple[Heard, ...]], second: Second) -> list[Verdict]:
    """Return the verdicts on all lessons with an opinion that has not learnt from them."""
    return [
        second.decide(lesson.seen, heard) if lesson.asked else lesson.seen.verdict
        for lesson, heard in zip(lessons, unseen, strict=True)
    ]


def report(lessons: Sequence[Lesson], learnt: Learnt, settings: Settings) -> Iterator[str]:
    """Yield the lines that say what it is worth on items that it had not learnt from, beside the keywords alone."""
    wanted = settings.second_opinion
    themes = frozenset(learnt.weights.questions[1:])
    second = Second(Opinion(learnt.weights), themes, wanted.mode == "add", wanted.coverage, wanted.theme)
    ways = {"keywords": [lesson.seen.verdict for lesson in lessons]}
    ways["+ words"] = judged(lessons, learnt.unseen, second)
    if learnt.sense:
        ways["+ sense"] = judged(lessons, learnt.unseen_by_sense, second)
    fresh = [number for number, lesson in enumerate(lessons) if lesson.fresh]
    own = sum(lesson.own for lesson in lessons)
    yield f"{len(lessons)} labelled items, {own} of them your own; F1 where nothing was learnt from its event:"
    yield from _table("all items; keywords were chosen on most of them", range(len(lessons)), lessons, ways, settings)
    if fresh and len(fresh) < len(lessons):
        yield from _table("items that no keyword was chosen on", fresh, lessons, ways, settings)
    yield from _calibration(lessons, learnt.unseen_by_sense or learnt.unseen)
    for theme in settings.titles:
        if theme not in themes:
            yield f"theme {theme}: fewer than {FEWEST} labelled items, left to its keywords"


def _table(
    head: str, rows: Sequence[int], lessons: Sequence[Lesson], ways: Mapping[str, Sequence[Verdict]], settings: Settings
) -> Iterator[str]:
    yield f"\n{f'{len(rows)} {head}':<52}" + "".join(f"{way:>10}" for way in ways)
    known = frozenset(settings.titles)  # labels may tell of themes that feeds.yaml has not
    examples = [replace(lesson.example, themes=lesson.example.themes & known) for lesson in lessons]
    languages = [name for name, _ in Counter(lessons[row].example.language for row in rows).most_common(2)]
    for language in ["", *(languages if len(languages) > 1 else [])]:
        some = [row for row in rows if language in ("", lessons[row].example.language)]
        scores = [
            score([examples[row] for row in some], [verdicts[row] for row in some], tuple(settings.titles))
            for verdicts in ways.values()
        ]
        for name in scores[0]:
            if not language or name in ("relevance", "themes macro"):
                figures = "".join(f"{figure[name].f1:>10.3f}" for figure in scores)
                yield f"  {f'{name} ({language})' if language else name:<50}{figures}"


def _calibration(lessons: Sequence[Lesson], unseen: Sequence[tuple[Heard, ...]]) -> Iterator[str]:
    """Say how often an item is coverage that is called so with some likelihood."""
    yield "\nHow likely an item is called to be coverage, and how often it is:"
    said = [
        (heard[0].likelihood, one.example.relevant) for one, heard in zip(lessons, unseen, strict=True) if one.asked
    ]
    for low in (0, 20, 40, 60, 80):
        some = [relevant for likelihood, relevant in said if low <= likelihood * 100 < low + 20 + (low == 80)]
        if some:
            yield f"  {low:>3} to {low + 20:>3} %: {sum(some) / len(some):4.0%} of {len(some)}"
