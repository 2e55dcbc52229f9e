"""How long `monitor backtest` takes on 100,000 stored items, on one core, and how much memory.

    make bench-backtest

The items are invented news (bench/newsmaker.py, with names as frequent and as rare as words are) of some 400
characters, one in five in Chinese. A tenth of them, in the hard case four tenths, begin with a labelled item of
labels/, nearly all of which mention a company and most of them both: denser than any real feed. Two edits are tried:
one of some keywords, and one of the threshold of coverage, after which nothing can be taken over from one judging to
the other. The second opinion is asked, without the sense: that takes 50 ms for each item that is embedded, once.
"""

from __future__ import annotations

import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from newsmaker import DID, DID_ZH, WHAT, WHAT_ZH, WHO_ZH, WHY, WHY_ZH

from monitor.feeds.normalise import plain_text
from monitor.model import FeedState, Item, Judged, Verdict
from monitor.store import FILE_NAME, Store
from monitor.tune import Example, read_labels

ROOT = Path(__file__).parent.parent
ITEMS, RUNS, DAYS, FEEDS = 100_000, 5, 120, 40
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def items(share: float) -> Iterator[Judged]:
    """Yield invented news, of which a share mentions a company."""
    chance = random.Random(7)  # noqa: S311 (no secret)
    labelled = [one for folder in ("tuning", "learning") for one in read_labels(ROOT / "labels" / folder)]
    for number in range(ITEMS):
        chinese = number % 5 == 0
        about = chance.choice(labelled) if chance.random() < share else None
        title, summary = _words(chance, about, chinese=chinese)
        at = NOW - timedelta(days=DAYS * (1 - number / ITEMS))
        feed = f"https://news{number % FEEDS}.example.com/rss"
        language = (about.language if about else "") or ("zh" if chinese else "en")
        item = Item(feed, str(number), f"{feed}/{number}", title, summary, f"News {number % FEEDS}", language, at, at)
        yield Judged(item, Verdict(False))


def _words(chance: random.Random, about: Example | None, *, chinese: bool) -> tuple[str, str]:
    filler = "".join(_sentence(chance, chinese=chinese) for _ in range(4 if chinese else 3))
    if about is None:
        return _sentence(chance, chinese=chinese), filler + _sentence(chance, chinese=chinese)
    return plain_text(about.title), f"{plain_text(about.summary)} {filler}"


def _sentence(chance: random.Random, *, chinese: bool) -> str:
    if chinese:
        return f"{chance.choice(WHO_ZH)}{chance.choice(DID_ZH)}{chance.choice(WHAT_ZH)},{chance.choice(WHY_ZH)}。"
    names = (_name(chance), _name(chance))
    return f"{names[0]} of {names[1]} {chance.choice(DID)} {chance.choice(WHAT)} {chance.choice(WHY)}. "


def _name(chance: random.Random) -> str:
    """Return a name, the n-th most frequent one n times as seldom as the first: as words are in real texts (Zipf)."""
    return NAMES[int(len(NAMES) ** chance.random())]


def _names(count: int) -> list[str]:
    chance = random.Random(8)  # noqa: S311 (no secret)
    letters = [chance.choices("bdfgklmnprstvz", k=4) + chance.choices("aeiou", k=4) for _ in range(count + 1)]
    return ["".join(map("".join, zip(word[:4], word[4:], strict=True))).capitalize() for word in letters]


NAMES = _names(100_000)


def fill(folder: Path, share: float) -> None:
    """Write the database."""
    news = items(share)
    with Store(folder / FILE_NAME) as store:
        while portion := list(islice(news, 5000)):
            store.save_poll(FeedState(portion[0].item.feed_url), portion)


def edits(folder: Path) -> dict[str, Path]:
    """Write the old file and the edited ones; the first is the old one."""
    own = (ROOT / "feeds.yaml").read_text("utf-8")
    feeds = "feeds:\n" + "".join(f"  - https://news{number}.example.com/rss\n" for number in range(FEEDS))
    own = re.sub(r"^feeds:\n.*?(?=^\S)", feeds, own, count=1, flags=re.S | re.M)
    own = re.sub(r"^second_opinion:.*$", "second_opinion: {mode: blend, sense: false}", own, count=1, flags=re.M)
    keywords = own.replace("    keywords:\n", "    keywords:\n      - server hall\n      - 智算中心\n", 1)
    keywords = keywords.replace("  not:\n", "  not:\n    - webinar series\n", 1)
    texts = {"old": own, "keywords": keywords, "threshold": own.replace("coverage:\n", "coverage:\n  threshold: 3.4\n")}
    paths = {name: folder / f"{name}.yaml" for name in texts}
    for name, text in texts.items():
        assert name == "old" or text != own, name  # noqa: S101
        paths[name].write_text(text, encoding="utf-8")
    return paths


def run(folder: Path, old: Path, new: Path) -> tuple[float, float, int]:
    """Run the command once on one core; return seconds, those of the processor, and MB."""
    words = [sys.executable, "-m", "monitor", "-c", str(old), "-d", str(folder), "backtest", str(new)]
    begun = time.perf_counter()
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)})  # noqa: S603
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(child.pid, {max(os.sched_getaffinity(0))})
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)}: failed")
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


def main() -> None:
    """Print a line for each database and edit."""
    for share in (0.1, 0.4):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            fill(folder, share)
            old, *others = edits(folder).values()
            for new in others:
                took = [run(folder, old, new) for _ in range(RUNS)]
                seconds, worked, memory = zip(*took, strict=True)
                print(
                    f"{ITEMS:,} items, {share:.0%} with a company, {new.stem:<10}"
                    f" {statistics.median(seconds):5.1f} s  (from {min(seconds):.1f} to {max(seconds):.1f};"
                    f" of the processor {statistics.median(worked):.1f}), {max(memory)} MB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
