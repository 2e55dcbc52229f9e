"""How likely two reports tell of one event: names, words, numbers and time → log-odds. Pure.

A report is read into terms that two languages share: concepts of the lexicon (`微软` and `Microsoft`, `halts` and
`叫停`), stems and pairs of Han characters that it does not know, versions (`GPT-5`) and numbers (`$6.5bn` and
`65亿美元`). Two reports are compared by twenty-seven signs; what each counts was learnt from labels/events
(logistic regression, bench/stories.py), and how common a term is was counted in the other labels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import Any

from monitor.text import Text, fold, read, tokens

FORMAT = 1
"""Of the weights; a file of another format is refused."""
SUMMARY = 300
"""Characters of a summary that are read: what comes later is background."""
SUMMARY_COUNTS = 0.6
"""What a term of the summary counts beside one of the title."""
COMMON = 0.3
"""A term of no greater rarity tells nothing of which event it is."""
MOST_MASS = 4.0
"""Shared or left terms count up to this sum of rarities."""
LONGEST = 3.0
"""Days; what lies further apart counts as so far."""

SIGNS = (
    "title",  # cosine of the titles
    "all",  # cosine of titles with summaries
    "contained",  # how much of the shorter report the other has
    "title_contained",  # how much of one title the other report has
    "mass",  # of all that they share
    "left",  # of the title with less that the other report has not
    "rarest",  # the rarest term that they share
    "names",  # names that they share: firms but the two, people, places, products
    "numbers",
    "versions",
    "other_places",  # both name places, and no one of them is the same; so for the next
    "other_firms",
    "other_products",
    "other_acts",
    "acts",  # share of the acts that are common
    "steps",  # acts that make another event of one affair, which one title has and the other report has not
    "other_party",  # one title names only Microsoft, the other only OpenAI
    "across",  # in two languages
    "across_all",  # ... and their cosine
    "days",  # apart
    "bare",  # how many of the two have no summary
    "bare_other",  # if both have none: how many of the above are other
    "bare_left",
    "bare_contained",
    "things",  # telling terms but acts that both titles have
    "nothing",  # ... when there is none
    "bare_nothing",
)

_PAIR = frozenset({"c:microsoft", "c:openai"})
# Acts that make another event of one affair.
_STEPS = frozenset(
    f"c:{name}"
    for name in re.findall(
        r"\S+",
        "deny appeal settle dismiss-case drop-suit withdraw rule win-case lose-case approve reject block investigate"
        " fine rate-up cancel pause resume delay terminate renew launch hire quit raise cut outage-act sue testify"
        " confirm apologize buy sell sign",
    )
)
_STOPS = frozenset(
    re.findall(
        r"\S+",
        "a an and are as at be been by for from has have had in into is it its of on or s say said t than that the"
        " their to up was were will with not no but after over about what whi how who when where this these those they"
        " them he his her we you i us our your can could should would may might more most new out off against amid"
        " befor between own per if so just still also one two three first last all ani some other which while there"
        " do doe did get got make made take took go goe went year month week day time tell told report accord sourc",
    )
) | frozenset("的了是在和与将已对为也又都等其于从被把让向就而但并或及以")
_WIDE = re.compile(
    r"[\u3005\u3007\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7a3]"
)
# A name with a number: GPT-5, MAI-2, GB200, Q3.
_VERSION = re.compile(
    r"(?<![A-Za-z0-9.])([A-Za-z]{1,8})-?(\d{1,4}(?:\.\d+)?)(?![0-9.]*\d)(?=[^A-Za-z0-9]|[A-Za-z]?(?![A-Za-z0-9]))"
)
_NUMBER = re.compile(
    r"(\d{1,3}(?:,\d{3})+|\d{1,15})(\.\d{1,6})?\s?-?"
    r"(trillion|billion|million|thousand|gigawatts?|megawatts?|tn|bn|mn|[GM]W|[kKmMbBtT](?![A-Za-z])"
    r"|万亿|亿|万千瓦|千瓦|万|吉瓦|兆瓦|千)?\s?(%|percent|per cent|pct|个百分点)?"
)
_UNITS = {
    "trillion": 1e12, "tn": 1e12, "t": 1e12, "万亿": 1e12, "billion": 1e9, "bn": 1e9, "b": 1e9, "亿": 1e8,
    "million": 1e6, "mn": 1e6, "m": 1e6, "万": 1e4, "thousand": 1e3, "k": 1e3, "千": 1e3, "gw": 1e9, "gigawatt": 1e9,
    "吉瓦": 1e9, "mw": 1e6, "megawatt": 1e6, "兆瓦": 1e6, "万千瓦": 1e7, "千瓦": 1e3,
}  # fmt: skip
_LETTER_DIGIT = re.compile(r"[A-Za-z]-?\d")
_DIGIT = re.compile(r"\d")
_SMALL = 32  # a bare number below may be anything: a day, an age, a list
_KINDS = ("companies", "people", "places", "products", "acts")


# ---------------------------------------------------------------- the lexicon


class Lexicon:
    """Concepts by their forms, which are sequences of stems and Han characters.

    Raises:
        ValueError: a line of the text cannot be read; it is named.
    """

    def __init__(self, text: str) -> None:
        self.kinds: dict[str, str] = {}
        within: dict[str, str] = {}
        forms: list[tuple[Text, str]] = []
        kind = ""
        for number, line in enumerate(text.splitlines(), 1):
            line = line.strip()
            if line.startswith("["):
                kind = line.strip("[]")
            elif line and not line.startswith("#"):
                name, *columns = (part.strip() for part in line.split("|"))
                if not kind or not name or not columns:
                    raise ValueError(f"line {number}: a name and its forms are expected: {line}")
                words = [form.strip() for column in columns for form in column.split(",") if form.strip()]
                if kind == "within":
                    within.update((place, name) for place in words)
                else:
                    self.kinds[f"c:{name}"] = kind
                    forms += [(read(form), name) for form in words]
        self._single: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
        self._several: dict[tuple[str, str], list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
        # The short ones first, for the long ones hold them: Stargate stands in Stargate UAE, Ohio around Columbus.
        for form, name in sorted(
            (f for f in forms if f[0].stems), key=lambda f: (len(f[0].stems), f[1], f[0].original)
        ):
            names = [name, *self._inside(form)]
            names += [within[one] for one in names if one in within]
            self._take(form, tuple(f"c:{one}" if one[:2] != "c:" else one for one in dict.fromkeys(names)))
        for several in self._several.values():
            several.sort(key=lambda f: -len(f[0]))
        self._starts = self._single.keys() | {first for first, _ in self._several}

    def _inside(self, form: Text) -> list[str]:
        found: list[str] = []
        for place in range(len(form.stems)):
            inner = self._at(form.stems, form.words, place) if len(form.stems) > 1 else None
            found += [term[2:] for term in inner[1]] if inner else []
        return found

    def _take(self, form: Text, terms: tuple[str, ...]) -> None:
        stems = tuple(form.stems)
        if len(stems) > 1:
            self._several.setdefault((stems[0], stems[1]), []).append((stems, terms))
            return
        word, case = form.words[0], ""
        if word.isascii() and word[0].isupper():
            case = "capitals" if word.isupper() and len(word) <= 5 else "capital"
        self._single.setdefault(stems[0], []).append((case, terms))

    def _at(self, stems: Sequence[str], words: Sequence[str], place: int) -> tuple[int, tuple[str, ...]] | None:
        """Return length and terms of the longest form that stands at `place`."""
        if place + 1 < len(stems):
            for form, terms in self._several.get((stems[place], stems[place + 1]), ()):
                if len(form) == 2 or tuple(stems[place : place + len(form)]) == form:
                    return len(form), terms
        for case, terms in self._single.get(stems[place], ()):
            word = words[place]
            if not case or (word.isupper() if case == "capitals" else word[0].isupper()):
                return 1, terms
        return None

    def terms(self, text: str) -> list[str]:
        """Return the terms of a text, each with a letter for its kind."""
        found: list[str] = []
        rest, _ = fold(text)
        if _DIGIT.search(rest):
            if _LETTER_DIGIT.search(rest):
                rest = _VERSION.sub(_version(found), rest)
            rest = _NUMBER.sub(lambda m: _blank(found, m, _number(m)), rest)
        words, stems = tokens(rest)
        place, run = 0, list[str]()
        while place < len(stems):
            stem = stems[place]
            concept = self._at(stems, words, place) if stem in self._starts else None
            if concept:
                _pairs(run, found)
                found += concept[1]
                place += concept[0]
                continue
            if stem in _STOPS:
                _pairs(run, found)
            elif stem >= "\u3000":
                run.append(stem)
            else:
                _pairs(run, found)
                if len(stem) > 1:
                    found.append(f"w:{stem}")
            place += 1
        _pairs(run, found)
        return found


def _pairs(run: list[str], found: list[str]) -> None:
    """Add the pairs of neighbours in a run of Han characters that the lexicon does not know, and empty it."""
    if len(run) == 1:
        found.append(f"h:{run[0]}")
    elif run:
        found += [f"h:{one}{after}" for one, after in pairwise(run)]
    run.clear()


def _version(found: list[str]) -> Any:
    return lambda m: _blank(found, m, f"v:{m[1]}{m[2]}".lower())


def _blank(found: list[str], match: re.Match[str], term: str) -> str:
    found.append(term)
    return " " * len(match[0])


def _number(match: re.Match[str]) -> str:
    """Return a number as a term: a share, a year, a small number, or else its size to three digits."""
    whole, fraction, unit, share = match.groups()
    before = match.string[max(0, match.start() - 2) : match.start()].rstrip()
    money = before.endswith(("$", "€", "£", "¥"))
    unit = (unit or "").lower()
    times = _UNITS.get(unit.rstrip("s") if len(unit) > 2 else unit, 1.0)
    value = float(whole.replace(",", "") + (fraction or "")) * times
    if share:
        return f"p:{value:.3g}"
    if times == 1 and not money and not fraction and 1990 <= value <= 2060:
        return f"y:{value:.0f}"
    if times == 1 and not money and value < _SMALL:
        return f"d:{value:g}"
    return f"n:{value:.3g}"


# ---------------------------------------------------------------- two reports


@dataclass(frozen=True, slots=True)
class Weights:
    """What was learnt: what each sign counts, and in how many of `texts` a term stood (few are left out)."""

    base: float
    signs: Mapping[str, float]
    texts: int
    common: Mapping[str, int]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Weights:
        """Read what `as_data` wrote.

        Raises:
            ValueError: it is of another format, or not whole.
        """
        if data.get("format") != FORMAT or set(data.get("signs", ())) != set(SIGNS):
            raise ValueError("likeness: these weights are of another version")
        return cls(data["base"], data["signs"], data["texts"], data["common"])

    def as_data(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "format": FORMAT, "base": self.base, "signs": dict(self.signs), "texts": self.texts,
            "common": dict(self.common),
        }  # fmt: skip


class Gist:
    """What of a report is compared. `weights` are those of all terms, `title` those of the title's."""

    __slots__ = ("acts", "acts_title", "at", "bare", "chinese", "firms", "names", "numbers", "party", "places",
                 "products", "size", "steps", "steps_title", "sum", "title", "title_size", "title_sum", "versions",
                 "weights")  # fmt: skip

    def __init__(
        self, title: Mapping[str, float], weights: Mapping[str, float], lexicon: Lexicon, *, at: datetime, bare: bool,
        chinese: bool,
    ) -> None:  # fmt: skip
        self.title, self.weights = title, weights
        self.at, self.bare, self.chinese = at, bare, chinese
        self.title_size, self.size = _size(title), _size(weights)
        self.title_sum, self.sum = sum(title.values()) or 1.0, sum(weights.values()) or 1.0
        kinds: dict[str, set[str]] = {kind: set() for kind in (*_KINDS, "n", "v")}
        for term in weights:
            letter = term[0]
            if letter == "c":
                kind = lexicon.kinds.get(term, "")
                if kind in _KINDS:
                    kinds[kind].add(term)
            elif letter in "npv":
                kinds["v" if letter == "v" else "n"].add(term)
        self.firms, self.places, self.products = kinds["companies"] - _PAIR, kinds["places"], kinds["products"]
        self.names = self.firms | kinds["people"] | self.places | self.products
        self.acts, self.numbers, self.versions = kinds["acts"], kinds["n"], kinds["v"]
        self.acts_title = self.acts & title.keys()
        self.steps, self.steps_title = _STEPS & self.acts, _STEPS & self.acts_title
        self.party = _PAIR & title.keys()

    def other_concepts(self, other: Gist) -> bool:
        """Tell whether each title has a concept of the lexicon that the other report has not."""
        mine, theirs = self.title.keys() - other.weights.keys(), other.title.keys() - self.weights.keys()
        return any(term[0] == "c" for term in mine) and any(term[0] == "c" for term in theirs)


def _size(weights: Mapping[str, float]) -> float:
    return math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0


class Likeness:
    """Compares reports with what was learnt."""

    def __init__(self, lexicon: Lexicon, weights: Weights) -> None:
        self._lexicon, self._weights = lexicon, weights
        self._rarity: dict[str, float] = {}
        self._counts = [weights.signs[name] for name in SIGNS]

    @cached_property
    def _most(self) -> float:
        return math.log(self._weights.texts / 1.5)

    def rarity(self, term: str) -> float:
        """Return how telling a term is, from 0.02 for one of nearly every text to 1 for one that was never seen."""
        known = self._rarity.get(term)
        if known is None:
            seen = self._weights.common.get(term, 0)
            known = math.log((self._weights.texts + 1) / (seen + 1.5)) / self._most
            known *= {"d": 0.3, "y": 0.5, "h": 0.6}.get(term[0], 1.0)
            self._rarity[term] = known = min(1.0, max(0.02, known))
        return known

    def read(self, title: str, summary: str, at: datetime) -> Gist:
        """Read one report of the time `at`."""
        of_title = {term: self.rarity(term) for term in dict.fromkeys(self._lexicon.terms(title))}
        weights = dict(of_title)
        for term in self._lexicon.terms(summary[:SUMMARY]):
            if term not in weights:
                weights[term] = SUMMARY_COUNTS * self.rarity(term)
        chinese = bool(_WIDE.search(title))
        return Gist(of_title, weights, self._lexicon, at=at, bare=not summary, chinese=chinese)

    def telling(self, gist: Gist, least: float, most: int | None = None) -> list[tuple[str, float]]:
        """Return the terms of at least that rarity with their weights; with `most`, only so many of the greatest."""
        found = [(term, weight) for term, weight in gist.weights.items() if self.rarity(term) >= least]
        return found if most is None else sorted(found, key=lambda pair: (-pair[1], pair[0]))[:most]

    def signs(self, a: Gist, b: Gist) -> list[float]:
        """Return the signs for two reports, in the order of `SIGNS`."""
        dot = dot_titles = less = a_in_b = b_in_a = rarest = 0.0
        # In the order of the text, not of a set: sums must come out the same in every process.
        for term, mine in a.weights.items():
            theirs = b.weights.get(term)
            if theirs is None:
                continue
            dot += mine * theirs
            less += min(mine, theirs)
            rarest = max(rarest, self.rarity(term))
            of_a, of_b = a.title.get(term), b.title.get(term)
            if of_a is not None:
                a_in_b += min(of_a, theirs)
            if of_b is not None:
                b_in_a += min(of_b, mine)
                dot_titles += (of_a or 0.0) * of_b
        cosine = dot / (a.size * b.size)
        across = a.chinese != b.chinese
        left = min(MOST_MASS, a.title_sum - a_in_b, b.title_sum - b_in_a)
        contained = max(a_in_b / a.title_sum, b_in_a / b.title_sum)
        places, firms = _apart(a.places, b.places), _apart(a.firms, b.firms)
        products, party = _apart(a.products, b.products), _apart(a.party, b.party)
        steps = float(len((a.steps_title - b.steps) | (b.steps_title - a.steps)))
        bare = a.bare and b.bare
        things = sum(t not in a.acts and self.rarity(t) > COMMON for t in a.title.keys() & b.title.keys())
        return [
            dot_titles / (a.title_size * b.title_size),
            cosine,
            less / min(a.sum, b.sum),
            contained,
            min(MOST_MASS, less),
            left,
            rarest,
            min(3.0, sum(sorted(map(self.rarity, a.names & b.names)))),
            float(min(2, len(a.numbers & b.numbers))),
            float(min(2, len(a.versions & b.versions))),
            places,
            firms,
            products,
            _apart(a.acts_title, b.acts_title),
            len(a.acts & b.acts) / len(a.acts | b.acts) if a.acts and b.acts else 0.3,
            steps,
            party,
            float(across),
            cosine if across else 0.0,
            min(LONGEST, abs((a.at - b.at).total_seconds()) / 86400),
            float(a.bare + b.bare),
            places + firms + products + party + steps if bare else 0.0,
            left if bare else 0.0,
            contained if bare else 0.0,
            float(min(things, 4)),
            float(things == 0),
            float(bare and things == 0),
        ]

    def odds(self, a: Gist, b: Gist) -> float:
        """Return the log-odds that two reports tell of one event."""
        return self._weights.base + sum(n * count for n, count in zip(self.signs(a, b), self._counts, strict=True))


def _apart(some: AbstractSet[str], others: AbstractSet[str]) -> float:
    return 1.0 if some and others and some.isdisjoint(others) else 0.0
