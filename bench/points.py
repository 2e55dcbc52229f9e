"""Fits the points of the signs (monitor/match/aboutness.py) anew, and prints them beside the shipped ones.

Run with `make points`. A logistic regression (ridge, Newton's method) on the items of labels/tuning in which all
companies are mentioned: what is to be told is whether the item is relevant, and its features are how often each sign
counts. The boundary items are far more often irrelevant than news is, and weigh WEIGHT each. The two signs `against`
are taken at SHRINK of what is fitted: their words were chosen on these very items.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from monitor.config import load
from monitor.match.aboutness import POINTS
from monitor.match.rules import THRESHOLD
from monitor.tune import predict, read_labels

ROOT = Path(__file__).parent.parent
START, *SIGNS = POINTS
WEIGHT, SHRINK, RIDGE, FOLDS = 0.4, 0.8, 1.0, 5


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return for each item its signs, whether it is relevant, its weight, and the fold of its event."""
    rules = load(ROOT / "feeds.yaml").rules
    rows = []
    for file in sorted((ROOT / "labels" / "tuning").glob("*.jsonl")):
        examples = read_labels(file)
        weight = WEIGHT if file.name.startswith("boundary") else 1.0
        for example, verdict in zip(examples, predict(examples, rules), strict=True):
            if verdict.signs:
                counted = {sign.name: sign.points / POINTS[sign.name] for sign in verdict.signs}
                fold = zlib.crc32(example.event.encode()) % FOLDS
                rows.append(([counted.get(name, 0.0) for name in SIGNS], example.relevant, weight, fold))
    signs, relevant, weights, folds = zip(*rows, strict=True)
    return np.array(signs), np.array(relevant, float), np.array(weights), np.array(folds)


def fit(signs: np.ndarray, relevant: np.ndarray, weights: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the points of each sign and, last, the constant; `given` points are added to each item beforehand."""
    x = np.hstack([signs, np.ones((len(signs), 1))])
    points = np.zeros(x.shape[1])
    ridge = np.diag([RIDGE] * signs.shape[1] + [0.0])
    for _ in range(40):
        chance = 1 / (1 + np.exp(-(x @ points + given)))
        slope = x.T @ (weights * (chance - relevant)) + ridge @ points
        curve = x.T @ (x * (weights * chance * (1 - chance))[:, None]) + ridge
        points -= np.linalg.solve(curve, slope)
    return points


def main() -> None:
    """Print cross-validated F1, and each sign with its shipped and its fitted points."""
    signs, relevant, weights, folds = data()
    nothing = np.zeros(len(signs))
    said = np.zeros(len(signs))
    for fold in range(FOLDS):
        out = folds == fold
        points = fit(signs[~out], relevant[~out], weights[~out], nothing[~out])
        said[out] = np.hstack([signs[out], np.ones((out.sum(), 1))]) @ points
    news = weights == 1.0
    right, wrong = said[news] > 0, relevant[news] > 0
    f1 = 2 * (right & wrong).sum() / (right.sum() + wrong.sum())
    how = f"F1 {f1:.3f}, cross-validated by event, on those of no boundary file"
    print(f"{len(signs)} items mention all companies; {how}")
    against = [number for number, name in enumerate(SIGNS) if name.startswith("against")]
    free = [number for number in range(len(SIGNS)) if number not in against]
    full = fit(signs, relevant, weights, nothing)
    full[against] *= SHRINK
    full[[*free, -1]] = fit(signs[:, free], relevant, weights, signs[:, against] @ full[against])
    print(f"{START:<40} shipped {POINTS[START]:+5.1f}  fitted {THRESHOLD + full[-1]:+6.2f}")
    for number, name in enumerate(SIGNS):
        print(f"{name:<40} shipped {POINTS[name]:+5.1f}  fitted {full[number]:+6.2f}")


if __name__ == "__main__":
    main()
