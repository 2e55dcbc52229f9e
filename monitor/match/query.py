"""A keyword in Lucene's classic syntax → a compiled query → the spans that satisfied it. Pure.

This version reads words, "phrases", prefix*, AND, OR, NOT, - and parentheses; a row of bare words is a phrase.
What Lucene has beyond that (proximity, weights, fields, fuzzy, ranges) is refused, never read as something else.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

import luqum.tree as lucene
from luqum.exceptions import ParseError
from luqum.thread import parse

from monitor.errors import QueryError
from monitor.match.text import Text, Token, tokens

Span = tuple[str, int, int]
"""Field name, start, end: characters of that field's original text."""

Document = Mapping[str, Text]

ACRONYM = 5
"""Up to this many letters, a word in capitals matches only in capitals (AGI, IP, MAI)."""


@dataclass(frozen=True, slots=True)
class Words:
    """A word or phrase: tokens in a row. `prefix`: the last one may go on."""

    tokens: tuple[Token, ...]
    prefix: bool = False

    def spans(self, document: Document) -> tuple[Span, ...] | None:
        """Return every place where the words stand, or None."""
        found = tuple(span for name, text in document.items() for span in self._in(name, text))
        return found or None

    def _in(self, name: str, text: Text) -> list[Span]:
        first, rest = self.tokens[0], self.tokens[1:]
        last = len(rest) - 1
        spans = []
        for at in self._starts(first, text, alone=not rest):
            row = text.tokens[at + 1 : at + 1 + len(rest)]
            if (
                len(row) == len(rest)
                and all(
                    _same(want, have, prefix=self.prefix and i == last)
                    for i, (want, have) in enumerate(zip(rest, row, strict=True))
                )
                and self._unbroken((text.tokens[at], *row))
            ):
                spans.append((name, text.tokens[at].start, (row or (text.tokens[at],))[-1].end))
        return spans

    def _unbroken(self, row: tuple[Token, ...]) -> bool:
        """Han characters that touch in the keyword must touch in the text: no comma lies inside a word."""
        wanted = zip(self.tokens, self.tokens[1:], row, row[1:], strict=False)
        return all(
            have.end == then.start or want.end != after.start or not (have.is_han and then.is_han)
            for want, after, have, then in wanted
        )

    def _starts(self, first: Token, text: Text, *, alone: bool) -> list[int]:
        if self.prefix and alone:
            return [i for i, token in enumerate(text.tokens) if _same(first, token, prefix=True)]
        return [i for i in text.places.get(first.stem, ()) if _same(first, text.tokens[i])]


@dataclass(frozen=True, slots=True)
class And:
    """All parts; the spans of all."""

    parts: tuple[Node, ...]

    def spans(self, document: Document) -> tuple[Span, ...] | None:
        """Return the spans of every part, or None where one is missing."""
        found: list[Span] = []
        for part in self.parts:
            spans = part.spans(document)
            if spans is None:
                return None
            found.extend(spans)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part; the spans of those that are there."""

    parts: tuple[Node, ...]

    def spans(self, document: Document) -> tuple[Span, ...] | None:
        """Return the spans of the parts found, or None where there is none."""
        results = [spans for part in self.parts if (spans := part.spans(document)) is not None]
        return tuple(span for spans in results for span in spans) if results else None


@dataclass(frozen=True, slots=True)
class Not:
    """The part must be absent; there is nothing to show for it."""

    part: Node

    def spans(self, document: Document) -> tuple[Span, ...] | None:
        """Return no spans where the part is absent, None where it is present."""
        return () if self.part.spans(document) is None else None


Node = Words | And | Or | Not


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled keyword. `source` is what the user wrote."""

    source: str
    node: Node

    def spans(self, document: Document) -> tuple[Span, ...] | None:
        """Return the places that satisfied the query, or None where it does not match."""
        return self.node.spans(document)


def compile_query(source: str) -> Query:
    """Compile one keyword.

    Raises:
        QueryError: with the offset of what cannot be read and what to write instead.
    """
    if not source.strip():
        raise QueryError("the keyword is empty")
    try:
        return Query(source, _compiled(_Source(source)))
    except RecursionError:
        raise QueryError("too many parentheses or NOTs inside one another") from None


def _compiled(source: _Source) -> Node:
    try:
        tree = parse(source.joined)
    except ParseError as e:
        raise QueryError(*_parse_fault(e, source)) from e
    except (ValueError, ArithmeticError) as e:  # luqum makes numbers of what follows ~ and ^
        raise QueryError(f"{source.text}: a number is expected after ~ or ^") from e
    node = _node(tree, source)
    if _only_absence(node):
        raise QueryError("a keyword of NOT alone would match nearly everything: say what must be there as well")
    return node


_LEXEME = re.compile(r'"(?:\\.|[^"\\])*"(?:[~^][\d.]*)*|[()]|[^\s()"]+|"')
_OPERATORS = {"AND", "OR", "NOT"}


_WIDE = str.maketrans("（）“”：～＾＊？！＋－", '()"":~^*?!+-')
"""What Chinese keyboards make of the signs; one character for one, so that offsets stay."""


class _Source:
    """A keyword as written, and as the parser is given it: rows of bare words quoted.

    `data center AND pause` means `"data center" AND pause`.
    """

    def __init__(self, text: str) -> None:
        self.text = text.translate(_WIDE)
        self.joined = ""
        self._places: list[tuple[int, int]] = []
        row: list[re.Match[str]] = []
        for lexeme in _LEXEME.finditer(self.text):
            word = lexeme.group()
            if word == '"':
                raise QueryError(f'{text}: a quotation mark is missing its partner (write "…")', lexeme.start())
            if word[0] == "!" or (word[0] != '"' and ("&&" in word or "||" in word)):
                sign = re.search(r"&&|\|\||!", word)
                raise QueryError(f"{word}: write AND, OR and NOT", lexeme.start() + (sign.start() if sign else 0))
            if word not in _OPERATORS and word[0] not in '()"+-' and not re.search(r'[:*?~^\[\]{}/\\"<>]', word):
                row.append(lexeme)
                continue
            self._add(row)
            row = []
            self._add([lexeme])
        self._add(row)

    def _add(self, row: list[re.Match[str]]) -> None:
        quote = '"' if len(row) > 1 else ""
        for i, lexeme in enumerate(row):
            self.joined += " " + (quote if i == 0 else "")
            self._places.append((len(self.joined), lexeme.start()))
            self.joined += lexeme.group()
        self.joined += quote

    def offset(self, position: int) -> int:
        """Return where in the keyword stands what the parser saw at `position`."""
        i = bisect_right(self._places, (position, len(self.text))) - 1
        if i < 0:
            return self._places[0][1] if self._places else 0
        joined, original = self._places[i]
        return min(original + position - joined, len(self.text))


def _node(tree: lucene.Item, source: _Source) -> Node:
    match tree:
        case lucene.Phrase():
            return _words(tree.value[1:-1], tree.pos, source)
        case lucene.Word():
            return _word(tree, source)
        case lucene.Group():
            return _node(tree.expr, source)
        case lucene.OrOperation():
            return Or(tuple(_node(part, source) for part in tree.operands))
        case lucene.AndOperation():
            return And(tuple(_node(part, source) for part in tree.operands))
        case lucene.UnknownOperation():
            return _side_by_side(tree, source)
        case lucene.Not() | lucene.Prohibit():
            return Not(_node(tree.a, source))
        case lucene.Plus():
            return _node(tree.a, source)
    raise QueryError(*_unsupported(tree, source))


def _side_by_side(tree: lucene.UnknownOperation, source: _Source) -> Node:
    """`a NOT b` and `+a -b` need no AND; anything else side by side is ambiguous."""
    marked = (lucene.Not, lucene.Prohibit, lucene.Plus)
    plain = [part for part in tree.operands if not isinstance(part, marked)]
    if len(plain) > 1:
        raise QueryError(f"put AND or OR before {str(plain[1]).strip()}", source.offset(plain[1].pos))
    return And(tuple(_node(part, source) for part in tree.operands))


def _word(tree: lucene.Word, source: _Source) -> Node:
    value, at = tree.value, source.offset(tree.pos)
    stars = value.count("*")
    if "?" in value or stars > 1 or (stars and not value.endswith("*")):
        raise QueryError(f"{value}: a wildcard can only be a * at the end of a word", at)
    if value.startswith("="):
        raise QueryError(f"{value}: exact words (=) are not supported yet", at)
    return _words(value.removesuffix("*"), tree.pos, source, prefix=bool(stars))


def _words(value: str, position: int, source: _Source, *, prefix: bool = False) -> Words:
    cut = tokens(value.replace("\\", ""))
    if not cut:
        raise QueryError(f"{value.strip() or source.text}: no letter or digit to look for", source.offset(position))
    return Words(cut, prefix)


def _same(want: Token, have: Token, *, prefix: bool = False) -> bool:
    acronym = want.word.isascii() and want.word.isupper() and 1 < len(want.word) <= ACRONYM
    if acronym and have.word[: len(want.word)] != want.word:
        return False
    return have.word.lower().startswith(want.word.lower()) if prefix else want.stem == have.stem


def _only_absence(node: Node) -> bool:
    match node:
        case Not():
            return True
        case And(parts):
            return all(_only_absence(part) for part in parts)
        case Or(parts):
            return any(_only_absence(part) for part in parts)
    return False


_LATER = {
    "Proximity": 'nearness ("…"~N)',
    "Fuzzy": "likeness (~)",
    "Boost": "weights (^N)",
    "SearchField": "fields (name:…); put an address or a time in quotes",
    "Regex": "regular expressions (/…/)",
    "Range": "ranges ([a TO b])",
    "From": "comparisons (>)",
    "To": "comparisons (<)",
}


def _unsupported(tree: lucene.Item, source: _Source) -> tuple[str, int]:
    what = _LATER.get(type(tree).__name__, type(tree).__name__)
    return f"{str(tree).strip()}: {what} cannot be used here", source.offset(tree.pos)


def _parse_fault(e: ParseError, source: _Source) -> tuple[str, int]:
    text = source.text
    for mark, partner in ("()", ")("):
        if text.count(mark) > text.count(partner):
            return f"{text}: a parenthesis is missing its partner", text.rfind(mark)
    if hanging := re.search(r"\b(AND|OR|NOT)\s*\)*\s*$|\b(AND|OR|NOT)\s*\)", text):
        return f"{text}: something must follow {hanging.group().strip(' )')}", hanging.start()
    if leading := re.match(r"\s*(AND|OR)\b", text):
        return f"{text}: something must stand before AND or OR", leading.start(1)
    position = re.search(r"position (\d+)", str(e))
    at = source.offset(int(position[1])) if position else len(text)
    return f"{text}: cannot be read as a query from here: {text[at:] or 'something is missing'}", at
