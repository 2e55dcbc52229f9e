"""An item judged by two sets of rules, at little more than the cost of one. Pure.

What comes out is what `judge` says twice; only evidence and words for a person are left out. Three things are saved.
Most news mentions no company under either rules, and that is told by its words alone, before anything is looked up. A
text is read once for both. And where the rules differ in some keywords, what holds none of these is judged once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.match.aboutness import not_named
from monitor.match.blend import Second
from monitor.match.judge import body, look, opened
from monitor.match.opinion import Opinion, Seen
from monitor.match.query import Index, Query
from monitor.match.rules import Rules
from monitor.match.words import STUB, Key, Words
from monitor.model import Item, Verdict
from monitor.text import bare_words, fold, stem

MOST_KNOWN = 200_000
"""So many words are remembered that say nothing."""

Part = tuple[str, str]
"""Role, and name of company or theme ("" where the role has none)."""


class Twice:
    """Two sets of rules, each with its second opinion (None: not asked)."""

    def __init__(self, before: tuple[Rules, Second | None], after: tuple[Rules, Second | None]) -> None:
        self._before, self._after = before, after
        self._sieve = Sieve([before[0], after[0]])
        changed = differing(before[0], after[0])
        self._changed = None if changed is None else Index(changed)
        self._same_second = before[1] == after[1]
        self._same_voices = bool(before[1] and after[1] and _share_voices(before[1].opinion, after[1].opinion))
        self._nothing = tuple(_no_mention(rules) for rules, _ in (before, after))

    def judge(self, item: Item) -> tuple[Verdict, Verdict]:
        """Return what each says of an item."""
        if not self._sieve.may_hold(item.title, body(item)):
            return self._nothing[0], self._nothing[1]
        (rules, second), (other_rules, other_second) = self._before, self._after
        document, page = opened(item)
        asked = bool(second or other_second)
        seen, mentions = look(document, page, rules, thorough=False, for_second=asked)
        same = self._changed is not None and not self._changed.matches(document)
        if same:
            other, other_mentions = seen, mentions
        else:
            other, other_mentions = look(document, page, other_rules, thorough=False, for_second=asked)
        kept: dict[str, list[float]] = {}
        verdict = _blended(item, seen, second, kept) if mentions else seen.verdict
        if same and self._same_second:
            return verdict, verdict
        if not self._same_voices:
            kept = {}
        return verdict, _blended(item, other, other_second, kept) if other_mentions else other.verdict


def _blended(item: Item, seen: Seen, second: Second | None, kept: dict[str, list[float]]) -> Verdict:
    return second.decide(seen, second.opinion.hear(item, seen, kept)) if second else seen.verdict


def _share_voices(one: Opinion, other: Opinion) -> bool:
    """Tell whether words and sense say the same of the same text."""
    return one.weights == other.weights and (one.sense == other.sense or not (one.sense and other.sense))


def _no_mention(rules: Rules) -> Verdict:
    return Verdict(False, reason=not_named(company.name for company in rules.companies))


# ---------------------------------------------------------------- what differs


def differing(before: Rules, after: Rules) -> list[Query] | None:
    """Return the keywords of which a text must hold one to be judged otherwise by rules alone; None if any text can be.

    A theme whose threshold changes differs in all its keywords, and so does a part whose keywords change their order.
    """
    names = [theme.name for theme in before.themes]
    common = [theme.name for theme in after.themes if theme.name in names]
    if (
        [company.name for company in before.companies] != [company.name for company in after.companies]
        or before.threshold != after.threshold
        or [name for name in names if name in common] != common
    ):
        return None
    old, new = dict(_parts(before)), dict(_parts(after))
    thresholds = [{theme.name: theme.threshold for theme in rules.themes} for rules in (before, after)]
    found: list[Query] = []
    for part in old | new:
        role, name = part
        one, other = old.get(part, ()), new.get(part, ())
        if role == "keywords" and thresholds[0].get(name) != thresholds[1].get(name):
            found += {*one, *other}
        elif one != other:
            found += _changed(one, other)
    return found


def _changed(one: Sequence[Query], other: Sequence[Query]) -> set[Query]:
    either = set(one) ^ set(other)
    kept = [[query for query in row if query not in either] for row in (one, other)]
    return either if kept[0] == kept[1] else {*one, *other}


def _parts(rules: Rules) -> Iterator[tuple[Part, Sequence[Query]]]:
    for role in ("excluded", "relations", "against", "others", "masks"):
        yield (role, ""), getattr(rules, role)
    for company in rules.companies:
        for role in ("names", "hints", "products", "faint"):
            yield (role, company.name), getattr(company, role)
    for theme in rules.themes:
        yield ("keywords", theme.name), theme.keywords
        yield ("unmakes", theme.name), theme.excluded


# ---------------------------------------------------------------- what is told by words alone


class Sieve:
    """Lets through every text that may mention a company of some rules, and few others."""

    def __init__(self, every: Sequence[Rules]) -> None:
        nodes = [node for rules in every for node in Index(_of_companies(rules)).parts()]
        self._open = not all(rules.companies for rules in every) or not all(node.keys() for node in nodes)
        self._singles: set[str] = set()
        self._stubs: set[str] = set()
        self._seconds: dict[str, set[str]] = {}
        self._runs: dict[Key, set[str]] = {}
        for node in nodes:
            needed = node.keys()
            for key in needed:
                self._file(key, node.plain if isinstance(node, Words) else "")
        self._in_pairs = set(self._seconds).union(*self._seconds.values())
        self._known: dict[str, str] = {}
        self._dull: set[str] = set()

    def _file(self, key: Key, run: str) -> None:
        if isinstance(key, tuple):
            self._seconds.setdefault(key[0], set()).add(key[1])
            self._runs.setdefault(key, set()).add(run)
        elif key.endswith("*"):
            self._stubs.add(key[:-1])
        else:
            self._singles.add(key)

    def may_hold(self, title: str, body: str) -> bool:
        """Tell whether a text may mention a company; False is certain."""
        if self._open:
            return True
        texts = fold(title)[0], fold(body)[0]
        words = {*bare_words(texts[0]), *bare_words(texts[1])} - self._dull
        known = self._known
        told = {known[word] if word in known else self._told(word) for word in words}
        if _ENOUGH in told:
            return True
        return any(
            self._stands((first, second), texts)
            for first in told & self._seconds.keys()
            for second in self._seconds[first] & told
        )

    def _told(self, word: str) -> str:
        """Return the term of a pair that a word is, or that it is enough alone; remember it."""
        key = stem(word)
        if key in self._singles or word.lower()[:STUB] in self._stubs:
            self._known[word] = _ENOUGH
        elif key in self._in_pairs:
            self._known[word] = key
        else:
            if len(self._dull) < MOST_KNOWN:
                self._dull.add(word)
            return ""
        return self._known[word]

    def _stands(self, key: Key, texts: Sequence[str]) -> bool:
        """Tell whether a pair may be what it was filed for: a Han word that is known whole, or anything ("")."""
        return any(run in text for run in self._runs[key] for text in texts)


_ENOUGH = "*"
"""Stands for a word that may be a mention by itself."""


def _of_companies(rules: Rules) -> list[Query]:
    """Return the keywords of which a text must hold one to mention a company: by-words need a hint beside them."""
    return [query for company in rules.companies for query in (*company.names, *company.hints, *company.products)]
