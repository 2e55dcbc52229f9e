"""A keyword in Lucene's classic query syntax → a compiled query. Pure.

Read are words, =exact words, "phrases", prefix*, AND, OR, NOT, + and -, parentheses, "near words"~N, ^weight, and the
fields title, summary, source, lang and sentence. A row of bare words is a phrase. What Lucene has beyond that (fuzzy,
ranges, regular expressions) is refused, never read as something else.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr
from functools import lru_cache
from io import StringIO

# The tables that luqum brings are made anew by each Python but the one that made them (its docstrings are part of their
# signature), with words on stderr about its grammar, and, where it cannot write beside itself, about that.
with redirect_stderr(StringIO()):
    import luqum.tree as lucene
    from luqum.exceptions import ParseError
    from luqum.thread import parse

from rapidfuzz import process

from monitor.errors import QueryError, clipped
from monitor.match.query import And, Boost, InField, InSentence, Language, Node, Not, Or, Query, Source
from monitor.match.words import Near, Term, Words
from monitor.text import read

MAX_DISTANCE = 100
MAX_SHOWN = 200
"""So many characters of a keyword stand in what is said of it."""
FIELDS = ("title", "summary", "source", "lang", "sentence")


_KNOWN: dict[str, Query] = {}


def known_queries(*queries: Iterable[Query]) -> None:
    """Take over queries that were compiled before, by this same program."""
    for some in queries:
        _KNOWN.update((query.source, query) for query in some)


@lru_cache(maxsize=5_000)  # checking feeds.yaml and using it, and using it again after an edit, compile the same
def compile_query(source: str) -> Query:
    """Compile one keyword.

    Raises:
        QueryError: with the offset of what cannot be read and what to write instead.
    """
    if source in _KNOWN:
        return _KNOWN[source]
    if not source.strip():
        raise QueryError("the keyword is empty")
    try:
        return Query(source, _compiled(_Source(source)))
    except RecursionError:
        raise QueryError("too many parentheses or NOTs inside one another") from None


def compile_search(source: str) -> Query:
    """Compile what is typed to search by: a keyword, but words side by side must all be there, wherever they stand.

    Raises:
        QueryError: with what cannot be read and what to write instead.
    """
    if not source.strip():
        raise QueryError("there is nothing to search for")
    try:
        return Query(source, _compiled(_Source(source, rows=False)))
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


# ---------------------------------------------------------------- as written, as parsed

_LEXEME = re.compile(r'(?P<exact>=)?"(?P<inside>(?:\\.|[^"\\])*)"(?:[~^][\d.]*)*|[()]|(?:(?!=")[^\s()"])+|"')
_OPERATORS = {"AND", "OR", "NOT"}
_WIDE_SIGNS = str.maketrans("（）“”：～＾＊？！＋－＝", '()"":~^*?!+-=')
"""What Chinese keyboards make of the signs; one character for one, so that offsets stay."""


class _Source:
    """A keyword as written, and as the parser is given it: rows of bare words quoted.

    `data center AND pause` means `"data center" AND pause`. Without `rows` what stands side by side is joined by AND.
    """

    def __init__(self, text: str, *, rows: bool = True) -> None:
        self.text = text.translate(_WIDE_SIGNS)
        self.joined = ""
        self._rows, self._open = rows, True
        self._places: list[tuple[int, int]] = []
        row: list[re.Match[str]] = []
        before = ""
        for lexeme in _LEXEME.finditer(self.text):
            word = lexeme.group()
            if word == '"':
                raise QueryError(
                    f'{clipped(text, MAX_SHOWN)}: a quotation mark is missing its partner (write "…")', lexeme.start()
                )
            if before == "=":
                raise QueryError("=: no space may follow; write =word", lexeme.start() - 1)
            if lexeme["inside"] is None:
                self._refuse_signs(word, lexeme.start())
            before = word
            if _is_bare(lexeme):
                row.append(lexeme)
                continue
            self._add(row)
            row = []
            self._add([lexeme])
        self._add(row)

    def _add(self, row: list[re.Match[str]]) -> None:
        quote = '"' if len(row) > 1 and self._rows else ""
        for lexeme in row if len(row) > 1 else ():
            if lexeme.group() in ("and", "or", "not"):
                advice = f"write {lexeme.group().upper()}, or put the words in quotes"
                instead = self.quoted(row[0].start(), row[-1].end())
                raise QueryError(f"{lexeme.group()}: {advice}", lexeme.start(), instead)
        for i, lexeme in enumerate(row):
            self.joined += self._and(lexeme.group()) + (quote if i == 0 else "")
            self._places.append((len(self.joined), lexeme.start()))
            word = lexeme.group()
            if lexeme["exact"]:  # ="a b" is "=a =b"
                inside = re.sub(r"(?<!\S)(?=\S)", "=", lexeme["inside"])
                word = f'"{inside}"{word[word.rindex(chr(34)) + 1 :]}'
            self.joined += word
        self.joined += quote

    def _refuse_signs(self, word: str, at: int) -> None:
        end = at + len(word)
        if word in ("-", "+", "--") and self.text[end : end + 1] not in ("(", '"', "="):
            around = re.search(r"([^\s()\"]+)\s+$", self.text[:at]), re.match(r"\s+[^\s()\"]+", self.text[end:])
            instead = ""
            if around[0] and around[1] and around[0][1] not in _OPERATORS:
                instead = self.quoted(around[0].start(), end + around[1].end())
            raise QueryError(f"{word}: no space may follow; for a dash between words put them in quotes", at, instead)
        for pattern, advice in _MISREAD:
            if found := pattern.search(word):
                instead = self.quoted(at, end) if advice == _ADDRESS else ""
                raise QueryError(f"{word}: {advice}", at + found.start(), instead)

    def quoted(self, start: int, end: int, piece: str = "") -> str:
        """Return the keyword with a part of it in quotes (or `piece` in its place).

        Where that cannot be read either, or is long, only the part, between ellipses.
        """
        piece = piece or '"{}"'.format(self.text[start:end].replace('"', ""))
        before, after = self.text[:start].lstrip(), self.text[end:].rstrip()
        whole = f"{before}{piece}{after}"
        if len(whole) <= _LONGEST_ADVICE:
            try:
                _compiled(_Source(whole, rows=self._rows))
            except QueryError:
                pass
            else:
                return whole
        return f"{'… ' * bool(before)}{piece}{' …' * bool(after)}"

    def _and(self, word: str) -> str:
        """Return what stands before a lexeme: a space, or AND where only a search would have left it out."""
        side_by_side = not (self._rows or self._open or word in ("AND", "OR", ")"))
        self._open = word in (*_OPERATORS, "(", "+", "-") or word.endswith(":")
        return " AND " if side_by_side else " "

    def offset(self, position: int) -> int:
        """Return where in the keyword stands what the parser saw at `position`."""
        i = bisect_right(self._places, (position, len(self.text))) - 1
        if i < 0:
            return self._places[0][1] if self._places else 0
        joined, original = self._places[i]
        return min(original + position - joined, len(self.text))

    def sign(self, sign: str, before: lucene.Item) -> int:
        """Return where the sign stands that follows a part, outside of quotes."""
        start = self.offset(before.pos)
        end = max(start, self.offset(before.pos + (before.size or 0)) - 1)
        return max(start, _unquoted(self.text).find(sign, end))


_LONGEST_ADVICE = 100
_ADDRESS = "put an address in quotes"
_MISREAD = (
    (re.compile(r"&&|\|\||^!|(?<=[:+-])!"), "write AND, OR and NOT"),
    (re.compile(r"^[A-Za-z]+://"), _ADDRESS),
    (re.compile(r"^(?:[nN][eE][aA][rR]|[wW]|ADJ|WITHIN)/?\d+$|^near/|^(?:NEAR|WITHIN|ADJ)$"),
     'for words near each other write "one other"~6'),
    (re.compile(r"(?<=[\u3000-\uffef])(?:AND|OR|NOT)(?![A-Za-z])|(?<![A-Za-z])(?:AND|OR|NOT)(?=[\u3000-\uffef])"),
     "put spaces around AND, OR and NOT"),
    (re.compile(r"^-[-+]|^[+][-+]"), "one sign is enough"),
    (re.compile(r"(?<=[A-Za-z])(?:\+\+|#)"), "signs are not looked for, and without them it is another word"),
    (re.compile(r"\\\*"), "a star itself cannot be looked for"),
    (re.compile(r"[^\w=*:]\*+$"), "a letter or digit must stand before the *"),
)  # fmt: skip
"""What would be read as something else than was meant, and what to write."""


def _is_bare(lexeme: re.Match[str]) -> bool:
    """Tell whether this is a word that can stand in a row with others."""
    word = lexeme.group()
    if lexeme["inside"] is not None or word in _OPERATORS or word[0] in "()+-":
        return False
    return not re.search(r'[:*?~^\[\]{}/\\"<>]', word)


# ---------------------------------------------------------------- parsed → compiled


def _node(tree: lucene.Item, source: _Source) -> Node:
    match tree:
        case lucene.Phrase():
            return _words(tree.value[1:-1], tree.pos, source)
        case lucene.Word():
            return _word(tree, source)
        case lucene.Group() | lucene.FieldGroup():
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
        case lucene.Boost():
            return _boost(tree, source)
        case lucene.Proximity():
            return _near(tree, source)
        case lucene.SearchField():
            return _field(tree, source)
    raise QueryError(*_unsupported(tree, source))


def _side_by_side(tree: lucene.UnknownOperation, source: _Source) -> Node:
    """`a NOT b` and `+a -b` need no AND; anything else side by side is ambiguous."""
    marked = (lucene.Not, lucene.Prohibit, lucene.Plus)
    plain = [part for part in tree.operands if not isinstance(part, marked)]
    if plain and any(isinstance(part, lucene.Plus) for part in tree.operands):
        raise QueryError(f"put AND or OR before {str(plain[0]).strip()}, or a + as well", source.offset(plain[0].pos))
    if len(plain) > 1:
        before, after = _leaf(plain[0], -1), _leaf(plain[1], 0)
        at, words = source.offset(after.pos), f"put AND or OR before {str(after).strip()}"
        if weight := re.search(r"\^(\d+)$", source.text[:at]):
            if part := re.match(r",(\d+)", source.text[at:]):
                raise QueryError(f"a weight has a point and no comma: write ^{weight[1]}.{part[1]}", at)
            if source.text[at] in "%％":
                raise QueryError(f"a weight is no share of a hundred: write ^{int(weight[1]) / 100:g}", at)
        if row := _quoted_row(before, after):
            end = at + len(str(after).strip())
            raise QueryError(f"{words}, or quote the row", at, source.quoted(source.offset(before.pos), end, row))
        raise QueryError(words, at)
    return And(tuple(_node(part, source) for part in tree.operands))


def _leaf(tree: lucene.Item, end: int) -> lucene.Item:
    """Return the first (0) or last (-1) word of an operation."""
    while isinstance(tree, lucene.BaseOperation):
        tree = tree.operands[end]
    return tree


def _quoted_row(before: lucene.Item, after: lucene.Item) -> str:
    """Return how to write what was probably meant: a row of words in one field, with one weight, or with a prefix."""
    field, weight, inner = "", "", after
    if isinstance(before, lucene.SearchField):
        field, before = f"{before.name}:", before.expr
    if isinstance(after, lucene.Boost):
        weight, inner = f"^{after.force}", after.expr
    if not all(isinstance(part, (lucene.Word, lucene.Phrase)) for part in (before, inner)):
        return ""
    row = " ".join(str(part).strip().strip('"') for part in (before, inner))
    return f'{field}"{row}"{weight}'


def _boost(tree: lucene.Boost, source: _Source) -> Node:
    written = str(tree).strip()
    at = source.sign("^", tree.expr)
    if tree.implicit_force:
        raise QueryError(f"{written}: a number must follow ^, such as ^2", at)
    weight = float(tree.force)
    if not 0 < weight <= 100:
        raise QueryError(f"{written}: a weight lies above 0 and is at most 100", at)
    if isinstance(tree.expr, lucene.Boost):
        raise QueryError(f"{written}: one weight is enough", at)
    return Boost(_node(tree.expr, source), weight)


def _field(tree: lucene.SearchField, source: _Source) -> Node:
    name, at = tree.name, source.offset(tree.pos)
    if name not in FIELDS:
        best = process.extractOne(name.lower(), FIELDS, score_cutoff=60)
        if best:
            raise QueryError(f"{name}: is no field; did you mean {best[0]}?", at)
        words = f"{name}: is no field; the fields are {', '.join(FIELDS)}; put an address or a time in quotes"
        end = at + len(re.match(r'(?:[^\s()"]|"[^"]*")*', source.text[at:])[0])  # type: ignore[index]
        raise QueryError(words, at, source.quoted(at, end))
    if name in ("title", "summary"):
        return InField(name, _node(tree.expr, source))
    if name == "sentence":
        return InSentence(_node(tree.expr, source))
    if name == "source":
        return _value(tree.expr, source, lambda text, _: Source.of(text))
    return _value(tree.expr, source, _language)


def _value(tree: lucene.Item, source: _Source, make: Callable[[str, int], Node]) -> Node:
    """Compile what follows source: or lang: a word or phrase, or several joined by OR."""
    match tree:
        case lucene.Phrase():
            if not tree.value[1:-1].strip():
                raise QueryError(f"{tree.value}: no letter or digit to look for", source.offset(tree.pos))
            return make(tree.value[1:-1].replace("\\", ""), source.offset(tree.pos))
        case lucene.Word() if "*" not in tree.value and "?" not in tree.value:
            return make(tree.value.replace("\\", ""), source.offset(tree.pos))
        case lucene.FieldGroup() | lucene.Group():
            return _value(tree.expr, source, make)
        case lucene.OrOperation():
            return Or(tuple(_value(part, source, make) for part in tree.operands))
    raise QueryError(f"{str(tree).strip()}: write one name here, or several as (a OR b)", source.offset(tree.pos))


_TAG = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")


def _language(text: str, at: int) -> Node:
    if not _TAG.fullmatch(text):
        raise QueryError(f"{text}: is no language; write its tag, such as en or zh", at)
    return Language(text.lower().replace("_", "-"))


# ---------------------------------------------------------------- words


def _word(tree: lucene.Word, source: _Source) -> Node:
    if "?" in tree.value:
        raise QueryError(f"{tree.value}: a wildcard can only be a * at the end of a word", source.offset(tree.pos))
    return _words(tree.value, tree.pos, source)


def _refuse_wildcards(word: str, at: int) -> None:
    stars = word.count("*")
    if stars > 1 or (stars and not word.endswith("*")):
        raise QueryError(f"{word}: a wildcard can only be a * at the end of a word", at)
    if stars and word.startswith("="):
        raise QueryError(f"{word}: an exact word (=) cannot go on (*)", at)


def _words(value: str, position: int, source: _Source) -> Words:
    terms: list[Term] = []
    *others, last = value.replace("\\", "").split() or [""]
    for part in others:
        if "*" in part:
            raise QueryError(f"{part}: a wildcard can only be a * at the end of the last word", source.offset(position))
    _refuse_wildcards(last, source.offset(position))
    for part in (*others, last):
        exact = part.startswith("=")
        text = read(part)
        for number, word in enumerate(text.words):
            wide, touches = word[0] > "\u3000", number > 0 and text.ends[number - 1] == text.starts[number]
            joined = wide and touches and text.words[number - 1][0] > "\u3000"
            terms.append(Term.of(word, exact=exact and not wide, joined=joined))
    if not terms:
        written = value.strip() or source.text
        raise QueryError(f"{written}: no letter or digit to look for", source.offset(position))
    if value.endswith("*"):
        end = terms.pop()
        terms.append(Term.of(end.word, prefix=True, joined=end.joined))
    row = tuple(terms)
    plain = all(term.is_wide for term in row) and all(term.joined for term in row[1:]) and not row[-1].prefix
    return Words(row, _other_spellings(row), "".join(term.word for term in row) if plain else "")


_CAMEL = re.compile(r"([A-Z][a-z]+)([A-Z][A-Za-z]+)")


def _other_spellings(terms: tuple[Term, ...]) -> tuple[tuple[Term, ...], ...]:
    """Return a compound's other spellings: `data center` closed up, `datacenter` and `OpenAI` apart.

    A name with a capital inside comes apart only there, and only with both capitals: `Open AI` is the firm, `open ai`
    is not.
    """
    if any(term.exact or term.prefix or not term.word.isascii() or not term.word.isalpha() for term in terms):
        return ()
    if len(terms) == 2 and not any(term.word.isupper() for term in terms):
        closed = "".join(term.word for term in terms)
        return ((Term.of(closed),),) if len(closed) > 6 else ()  # `may be` is not `maybe`
    word = terms[0].word
    if len(terms) > 1 or word.isupper():
        return ()
    if camel := _CAMEL.fullmatch(word):
        return (tuple(Term.of(half, exact=True) for half in camel.groups()),)
    if len(word) < 9:  # shorter words fall into halves that are words by chance
        return ()
    return tuple((Term.of(word[:cut]), Term.of(word[cut:])) for cut in range(3, len(word) - 2))


def _near(tree: lucene.Proximity, source: _Source) -> Node:
    at, written = source.offset(tree.pos), str(tree).strip()
    if written.endswith("~"):
        words = f"{written}: say how many words or characters may lie between, such as {written}6"
        raise QueryError(words, source.sign("~", tree.term))
    if tree.degree > MAX_DISTANCE or tree.degree < 0:
        raise QueryError(f"{written}: at most {MAX_DISTANCE} words or characters may lie between", at)
    parts = [_words(word, tree.term.pos, source) for word in tree.term.value[1:-1].split()]
    if len(parts) < 2:
        raise QueryError(f"{written}: nearness needs two words or more, with spaces between them", at)
    if len(set(parts)) < len(parts):
        raise QueryError(f"{written}: the same word stands twice", at)
    return Near(tuple(parts), int(tree.degree))


# ---------------------------------------------------------------- faults


def _unquoted(text: str) -> str:
    """Return the text with what is quoted blotted out: it holds no signs."""
    return re.sub(r'"(?:\\.|[^"\\])*"', lambda quoted: "_" * len(quoted.group()), text)


def _only_absence(node: Node) -> bool:
    match node:
        case Not():
            return True
        case And(parts):
            return all(_only_absence(part) for part in parts)
        case Or(parts):
            return any(_only_absence(part) for part in parts)
        case Boost(part) | InField(_, part) | InSentence(part):
            return _only_absence(part)
    return False


_BEYOND = {
    "Fuzzy": "likeness (~)",
    "Regex": "regular expressions (/…/)",
    "Range": "ranges ([a TO b])",
    "From": "comparisons (>)",
    "To": "comparisons (<)",
}


def _unsupported(tree: lucene.Item, source: _Source) -> tuple[str, int]:
    what = _BEYOND.get(type(tree).__name__, type(tree).__name__)
    hint = '; for words near each other write "one other"~6' if isinstance(tree, lucene.Fuzzy) else ""
    return f"{str(tree).strip()}: {what} cannot be used here{hint}", source.offset(tree.pos)


def _parse_fault(e: ParseError, source: _Source) -> tuple[str, int]:
    text, bare = source.text, _unquoted(source.text)
    shown = clipped(text, MAX_SHOWN)
    for mark, partner in ("()", ")("):
        if bare.count(mark) > bare.count(partner):
            return f"{shown}: a parenthesis is missing its partner", bare.rfind(mark)
    if field := re.search(r"\b(title|summary|source|lang|sentence):\s*(?:$|\)|(?:AND|OR)\b)", bare):
        return f"{shown}: something must follow {field[1]}:", field.start()
    if hanging := re.search(r"\b(AND|OR|NOT)\s*\)*\s*$|\b(AND|OR|NOT)\s*\)", bare):
        return f"{shown}: something must follow {hanging.group().strip(' )')}", hanging.start()
    if leading := re.match(r"\s*(AND|OR)\b", bare):
        return f"{shown}: something must stand before AND or OR", leading.start(1)
    position = re.search(r"position (\d+)", str(e))
    at = source.offset(int(position[1])) if position else len(text)
    return (
        f"{shown}: cannot be read as a query from here: {clipped(text[at:], MAX_SHOWN) or 'something is missing'}",
        at,
    )
