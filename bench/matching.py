"""How many items a second are judged: the shipped rules, alone, with the second opinion, and with 1,000 keywords.

Run with `make bench`. The items are the labelled ones of labels/, title and summary, each judged on its own in one
process. The sense is not heard: it takes 50 ms for each item that is embedded. The two plain matchers only say which
words stand in a text (no inflections, nearness, companies or themes): they are a measure of the least that could be
done, not rivals.
"""

from __future__ import annotations

import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from flashtext2 import KeywordProcessor

from monitor.advice import PLAIN, read_weights
from monitor.config import load
from monitor.match.blend import Second
from monitor.match.judge import judge
from monitor.match.opinion import Opinion
from monitor.match.query import And, Boost, InField, InSentence, Node, Or
from monitor.match.rules import Rules, Theme
from monitor.match.syntax import compile_query
from monitor.match.words import Near, Words
from monitor.model import Item
from monitor.resources import weights
from monitor.tune import as_item, read_labels

ROOT = Path(__file__).parent.parent
ROUNDS = 5


def items() -> list[Item]:
    """Return the labelled items as news."""
    examples = [
        example for folder in ("tuning", "learning", "held-out") for example in read_labels(ROOT / "labels" / folder)
    ]
    return list(map(as_item, examples))


def words_of(rules: Rules) -> list[str]:
    """Return every word and phrase that stands in the rules."""
    queries = [*rules.excluded, *rules.relations, *rules.against, *rules.others, *rules.masks]
    for company in rules.companies:
        queries += [*company.names, *company.hints, *company.products, *company.faint]
    for theme in rules.themes:
        queries += [*theme.keywords, *theme.excluded]
    return sorted({word for query in queries for word in _words(query.node)})


def _words(node: Node) -> Iterator[str]:
    match node:
        case Words(terms):
            yield "".join(term.word if term.joined or not at else f" {term.word}" for at, term in enumerate(terms))
        case And(parts) | Or(parts) | Near(parts):
            for part in parts:
                yield from _words(part)
        case Boost(part) | InField(_, part) | InSentence(part):
            yield from _words(part)


def with_more(rules: Rules, total: int, news: Iterable[Item]) -> Rules:
    """Return the rules with a fourth theme, so that there are `total` keywords; its words are those of the news."""
    words = Counter(word for item in news for word in re.findall(r"[A-Za-z]{4,}|[\u4e00-\u9fff]{2}", item.title))
    have = sum(len(theme.keywords) for theme in rules.themes)
    often = [word for word, _ in words.most_common(total - have)]  # so that they are tried
    made = [f"{one} AND {other}" for one, other in zip(often, reversed(often), strict=True)]
    extra = Theme("extra", tuple(compile_query(keyword) for keyword in made))
    return replace(rules, themes=(*rules.themes, extra))


def rate(work: Callable[[Item], object], news: list[Item]) -> list[float]:
    """Return items a second for each round, after one round to warm up."""
    rates = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        for item in news:
            work(item)
        rates.append(len(news) / (time.perf_counter() - start))
    return rates[1:]


def main() -> None:
    """Print a line for each way of matching."""
    news = items()
    rules = load(ROOT / "feeds.yaml").rules
    second = Second(Opinion(read_weights(weights() / PLAIN)), frozenset(theme.name for theme in rules.themes))
    many = with_more(rules, 1000, news)
    words = words_of(rules)
    alternation = re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True))), re.IGNORECASE)
    flash = KeywordProcessor(case_sensitive=False)
    flash.add_keywords_from_iter(words)
    letters = statistics.mean(len(item.title) + len(item.summary) for item in news)
    print(
        f"{len(news)} items of {letters:.0f} characters on average; {len(words)} words; Python {sys.version.split()[0]}"
    )
    ways: dict[str, Callable[[Item], object]] = {
        "judge, shipped rules": lambda item: judge(item, rules),
        "judge, second opinion": lambda item: judge(item, rules, second),
        f"judge, {sum(len(t.keywords) for t in many.themes)} keywords": lambda item: judge(item, many),
        "re, one alternation": lambda item: alternation.findall(f"{item.title}\n{item.summary}"),
        "flashtext2": lambda item: flash.extract_keywords(f"{item.title}\n{item.summary}"),
    }
    for name, work in ways.items():
        rates = rate(work, news)
        print(f"{name:<24} {statistics.median(rates):>9,.0f} items/s  (from {min(rates):,.0f} to {max(rates):,.0f})")


if __name__ == "__main__":
    main()
