"""Whether a keyword can match any text at all, and what it weighs at most. Pure.

A search for one way to satisfy it, as SAT solvers do it: AND asks for all parts, OR for one of them, until only words
that must be there and words that must not are left. "Never" is said only where every way ends in a contradiction;
whatever is not understood, or takes too long, may match.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

from monitor.match.query import And, Boost, InField, InSentence, Language, Node, Not, Or, Source
from monitor.match.words import Near, Term, Words

Fields = frozenset[str]
EVERYWHERE: Fields = frozenset({"title", "summary"})

_STEPS = 3_000  # the longest keyword of the shipped file takes a tenth of that


class _Goal(NamedTuple):
    """A part that must (or must not) match within some fields. `weak`: only words that must be there count."""

    node: Node
    positive: bool = True
    fields: Fields = EVERYWHERE
    weak: bool = False


Leaf = Words | Near | InSentence | Language | Source


class _Literal(NamedTuple):
    node: Leaf
    positive: bool
    fields: Fields


class _TooLongError(Exception):
    """The search was given up."""


class _Search:
    def __init__(self) -> None:
        self.steps = 0
        self.clash: tuple[_Literal, _Literal] | None = None

    def satisfied(self, goals: tuple[_Goal, ...], held: tuple[_Literal, ...] = ()) -> bool:
        """Tell whether there is a way to reach all goals beside what is held."""
        while goals:
            self.steps += 1
            if self.steps > _STEPS:
                raise _TooLongError
            goal, goals = goals[0], goals[1:]
            node, positive = goal.node, goal.positive
            match node:
                case Boost(part):
                    goals = (goal._replace(node=part), *goals)
                case Not(part):
                    goals = (goal._replace(node=part, positive=not positive), *goals)
                case InField(name, part):
                    goals = (goal._replace(node=part, fields=goal.fields & {name}), *goals)
                case And(parts) | Or(parts):
                    branches = tuple(goal._replace(node=part) for part in parts)
                    if isinstance(node, Or) == positive:
                        return any(self.satisfied((branch, *goals), held) for branch in branches)
                    # What must not be there contradicts only what must: later.
                    goals = (*branches, *goals) if positive else (*goals, *branches)
                case InSentence(part) if positive:
                    return self._in_sentence(part, goal, goals, held)
                case _:
                    if goal.weak and not (positive and isinstance(node, Words)):
                        continue
                    literal = _Literal(node, positive, goal.fields)
                    if other := next((other for other in (*held, literal) if _contradict(literal, other)), None):
                        self.clash = (other, literal)
                        return False
                    held = (*held, literal)
        return True

    def _in_sentence(self, part: Node, goal: _Goal, goals: tuple[_Goal, ...], held: tuple[_Literal, ...]) -> bool:
        """A sentence stands in one field, and the words that must be in it are then in that field."""
        literal = _Literal(InSentence(part), True, goal.fields)
        if any(_contradict(literal, other) for other in held):
            return False
        for name in sorted(goal.fields):
            field = frozenset({name})
            if not self.satisfied((_Goal(part, fields=field),)):
                continue
            if self.satisfied((_Goal(part, fields=field, weak=True), *goals), (*held, literal)):
                return True
        return False


def _contradict(one: _Literal, other: _Literal) -> bool:
    if one is other:
        return one.positive and not one.fields and isinstance(one.node, (Words, Near, InSentence))
    if one.positive and other.positive:
        return _exclude(one.node, other.node)
    if one.positive == other.positive:
        return False
    there, absent = (one, other) if one.positive else (other, one)
    if isinstance(there.node, (Words, Language, Source)):
        return there.fields <= absent.fields and _implies(there.node, absent.node)
    return there.fields == absent.fields and there.node == absent.node


def _exclude(one: Node, other: Node) -> bool:
    """Tell whether two languages cannot be one item's."""
    if not (isinstance(one, Language) and isinstance(other, Language)):
        return False
    return not (_is_within(one.tag, other.tag) or _is_within(other.tag, one.tag))


def _is_within(tag: str, wider: str) -> bool:
    return tag == wider or tag.startswith(f"{wider}-")


def _implies(there: Node, other: Node) -> bool:
    """Tell whether a text that holds the one holds the other."""
    match there, other:
        case Language(tag), Language(wider):
            return _is_within(tag, wider)
        case Source(name), Source(part):
            return part in name
        case Words(), Words():
            return _words_imply(there, other)
    return False


def _words_imply(there: Words, other: Words) -> bool:
    if there == other:
        return True
    if there.plain or other.plain:
        return bool(there.plain and other.plain and other.plain in there.plain)
    rows = (other.terms, *other.halves)
    return all(any(_holds(own, row) for row in rows) for own in (there.terms, *there.halves))


def _holds(row: Sequence[Term], part: Sequence[Term]) -> bool:
    """Tell whether a row of terms has another row in it."""
    size = len(part)
    return any(
        all(_is_at_least(row[at + i], part[i], first=i == 0) for i in range(size)) for at in range(len(row) - size + 1)
    )


def _is_at_least(term: Term, other: Term, *, first: bool) -> bool:
    if other.joined and not first and not term.joined:
        return False
    if other == term or (other.word, other.exact, other.prefix) == (term.word, term.exact, term.prefix):
        return True
    return not term.prefix and not other.strict and other.key == term.key


# ---------------------------------------------------------------- what is asked


def can_match(node: Node, without: Sequence[Node] = ()) -> bool:
    """Tell whether some text may match `node` and none of `without`; True where that is not sure."""
    return not why_never(node, without)


def why_never(node: Node, without: Sequence[Node] = ()) -> str:
    """Return why no text can match `node` and none of `without`, in words; empty where one may."""
    search = _Search()
    try:
        if search.satisfied((_Goal(node), *(_Goal(other, positive=False) for other in without))):
            return ""
    except (_TooLongError, RecursionError):
        return ""
    if search.clash is None:
        return "nothing satisfies it"
    one, other = search.clash
    if one is other:
        return "no word stands in the title and in the summary at once"
    if one.positive and other.positive:
        return f"no item is in two languages, {_in_words(one.node)} and {_in_words(other.node)}"
    absent = other if one.positive else one
    return f"it asks for {_in_words((one if one.positive else other).node)} and excludes {_in_words(absent.node)}"


def _in_words(node: Leaf) -> str:
    match node:
        case Words(terms):
            return "".join((" " if i and not term.joined else "") + term.word + "*" * term.prefix
                           for i, term in enumerate(terms))  # fmt: skip
        case Near(parts):
            return f'"{" ".join(_in_words(part) for part in parts)}"~{node.distance}'
        case Language(tag):
            return f"lang:{tag}"
        case Source(name):
            return f"source:{name}"
    return "a sentence"


def most_weight(node: Node) -> float:
    """Return the greatest weight that a match can have."""
    match node:
        case And(parts):
            product = 1.0
            for part in parts:
                product *= most_weight(part)
            return product
        case Or(parts):
            return max(most_weight(part) for part in parts)
        case Boost(part, weight):
            return most_weight(part) * weight
        case InField(_, part) | InSentence(part):
            return most_weight(part)
    return 1.0


def alternatives(node: Node) -> Iterator[Node]:
    """Yield the parts of which any one is a match."""
    match node:
        case Or(parts):
            for part in parts:
                yield from alternatives(part)
        case Boost(part):
            yield from alternatives(part)
        case _:
            yield node


def meaning(node: Node) -> Hashable:
    """Return what parts that match the same have in common: plain words do so whatever their capitals and endings."""
    if not isinstance(node, Words) or any(term.strict for term in node.terms):
        return node
    return tuple((term.key, term.joined) for term in node.terms)


def leaves(node: Node) -> Iterator[tuple[Node, bool]]:
    """Yield the words, names and languages of a keyword, and whether each must be there rather than not."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from ((leaf, not positive) for leaf, positive in leaves(part))
        case Boost(part) | InField(_, part) | InSentence(part):
            yield from leaves(part)
        case _:
            yield node, True
