"""What joining reports into stories is worth, how its weights are learnt, and how long ten thousand hits take.

    make bench                      pairwise precision and recall on labels/events, and the time
    make likeness                   learns monitor/weights/likeness.json anew from all sets but the held-out one

A logistic regression on all pairs of reports of a set that come within three days: the answer is whether they tell of
one event. How common terms are is counted in the items of labels/tuning and labels/learning, which tell of no event of
these sets.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

from monitor import resources
from monitor.digest.likeness import SIGNS, SUMMARY, Lexicon, Likeness, Weights
from monitor.digest.stories import cluster
from monitor.model import Item, Judged, Verdict

ROOT = Path(__file__).parent.parent
EVENTS = ROOT / "labels" / "events"
HELD_OUT = "w"
PENALTY, FEW, LOOKALIKES = 1.0, 3, 0.2


def read_events(name: str) -> list[tuple[Judged, str]]:
    """Return the reports of one set, each with its event."""
    found = []
    for number, line in enumerate((EVENTS / f"{name}.jsonl").read_text("utf-8").splitlines(), 1):
        row = json.loads(line)
        at = datetime.fromisoformat(row["published"])
        item = Item("", row["id"], "", row["title"], row["summary"], row["outlet"], row["language"], at, at)
        found.append((Judged(item, Verdict(True), number), row["event"]))
    return found


def score(reports: Sequence[tuple[Judged, str]], likeness: Likeness) -> tuple[float, float, int]:
    """Return pairwise precision and recall, and the number of stories."""
    stories = cluster([report for report, _ in reports], likeness=likeness)
    place = {report.id: number for number, story in enumerate(stories) for report in story.reports}
    right = wrong = missed = 0
    for (one, event), (other, another) in combinations(reports, 2):
        together = place[one.id] == place[other.id]
        right += together and event == another
        wrong += together and event != another
        missed += not together and event == another
    return right / (right + wrong), right / (right + missed), len(stories)


def commonness(lexicon: Lexicon) -> tuple[int, dict[str, int]]:
    """Return how many texts there are, and in how many of them each term stands that is in more than a few."""
    counts: Counter[str] = Counter()
    texts = 0
    for folder in ("tuning", "learning"):
        for path in sorted((ROOT / "labels" / folder).glob("*.jsonl")):
            for line in path.read_text("utf-8").splitlines():
                row = json.loads(line)
                texts += 1
                counts.update({*lexicon.terms(row["title"]), *lexicon.terms(row["summary"][:SUMMARY])})
    return texts, {term: n for term, n in sorted(counts.items()) if n >= FEW}


def learn(
    sets: Sequence[Sequence[tuple[Judged, str]]], lexicon: Lexicon, common: tuple[int, dict[str, int]]
) -> Weights:
    """Return weights learnt from the pairs of these sets."""
    from sklearn.linear_model import LogisticRegression

    texts, counts = common
    plain = Likeness(lexicon, Weights(0.0, dict.fromkeys(SIGNS, 0.0), texts, counts))
    rows, answers, counted = [], [], []
    for reports in sets:
        # Reports without summaries are rarer in feeds than in the set of look-alikes, which has little else.
        count = LOOKALIKES if sum(not r.item.summary for r, _ in reports) > len(reports) / 2 else 1.0
        gists = [(plain.read(r.item.title, r.item.summary, r.item.published), event) for r, event in reports]
        for (one, event), (other, another) in combinations(gists, 2):
            if abs(one.at - other.at) <= timedelta(days=3):
                rows.append(plain.signs(one, other))
                answers.append(event == another)
                counted.append(count)
    model = LogisticRegression(C=PENALTY, max_iter=5000, tol=1e-6).fit(rows, answers, counted)
    signs = {name: round(float(count), 2) for name, count in zip(SIGNS, model.coef_[0], strict=True)}
    return Weights(round(float(model.intercept_[0]), 2), signs, texts, counts)


def many(reports: Sequence[tuple[Judged, str]], events: int, size: int) -> list[Judged]:
    """Return so many hits of made-up events: real headlines with other names in them, so that they are apart."""
    chance = random.Random(1)  # noqa: S311 (no secret)
    by_event: dict[str, list[Item]] = {}
    for report, event in reports:
        by_event.setdefault(event, []).append(report.item)
    kinds = list(by_event.values())
    syllables = ["ka", "lo", "mi", "ru", "ten", "vas", "por", "del", "shi", "qua", "ner", "bo", "zu", "fi", "gar", "om"]
    hits = []
    for event in range(events):
        name = "".join(chance.choices(syllables, k=4)).title()
        at = datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=chance.randrange(1440))
        for item in (chance.choices(kinds[event % len(kinds)], k=size))[:size]:
            number = len(hits) + 1
            title = f"{item.title} ({name} {chance.choice(('', 'report', 'update', '快讯'))})".replace(" )", ")")
            hits.append(
                Judged(
                    Item("f", str(number), f"https://example.com/{number}", title, f"{name}. {item.summary}",
                         f"Outlet {number % 97}", item.language, at + timedelta(minutes=number % 300), at),
                    Verdict(True, (("compute", 2.0),), 2.0),
                    number,
                )
            )  # fmt: skip
    return hits


def main() -> None:
    """Print figures, or learn."""
    lexicon = resources.lexicon()
    names = sorted(path.stem for path in EVENTS.glob("*.jsonl"))
    sets = {name: read_events(name) for name in names}
    known = [name for name in names if name != HELD_OUT]
    if "--write" in sys.argv or "--folds" in sys.argv:
        common = commonness(lexicon)
    if "--write" in sys.argv:
        weights = learn([sets[name] for name in known], lexicon, common)
        resources.likeness_file().write_text(
            json.dumps(weights.as_data(), ensure_ascii=False, indent=0) + "\n", "utf-8"
        )
    likeness = resources.likeness()
    if "--folds" in sys.argv:
        for name in known:
            rest = learn([sets[other] for other in known if other != name], lexicon, common)
            print(f"{name} learnt from the others: {score(sets[name], Likeness(lexicon, rest))}")
    for name in names:
        what = "held out" if name == HELD_OUT else "learnt from"
        precision, recall, stories = score(sets[name], likeness)
        events = len({event for _, event in sets[name]})
        print(
            f"{name} ({what}): {len(sets[name])} reports, {events} events, {stories} stories: "
            f"precision {precision:.3f}, recall {recall:.3f}"
        )
    for events, size in ((2000, 5), (200, 50), (1, 10000), (10000, 1)):
        hits = many(sets["t"], events, size)
        began = time.perf_counter()
        stories_made = cluster(hits, likeness=likeness)
        print(
            f"{len(hits)} hits of {events} events: {len(stories_made)} stories in {time.perf_counter() - began:.2f} s"
        )


if __name__ == "__main__":
    main()
