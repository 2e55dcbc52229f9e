"""What is wrong with a text that is not YAML, said to somebody who never heard of YAML. Pure.

A YAML parser says where it lost its way, mostly some lines behind the slip, and what it wanted there in words of its
own grammar. Here the slip itself is looked for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.tokens import (
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    ScalarToken,
)

from monitor.errors import Fault

LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""What ends a line for YAML."""

ODD_SPACES = "\u00a0\u00ad\u1680\u180e\u2000-\u200f\u202f\u205f\u2060\u3000\ufeff"
"""Characters that look like a space or like nothing and are no space to YAML."""

_ODD_INDENT = re.compile(f"^[ \t]*([{ODD_SPACES}])")
_TAB_INDENT = re.compile(r"^ *(\t)\s*[^\s#]")
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})(?: .*)?$")
_FENCE = re.compile(r"^\s*(?:`{3,}|~{3,})\s*\w*\s*$")
_LINKED = re.compile(r"^\s*- (\[([^\[\]]+)\]\((https?://[^()\s]+)\))")
_WIDE_PAIRS = {"｛": ("{", "}"), "［": ("[", "]"), "【": ("[", "]"), "「": ("[", "]")}
_WIDE_OPENING = re.compile(r"^[\s\-]*(?:[A-Za-z_][\w-]*:\s+)?([｛［【「])")
_TIGHT_DASH = re.compile(r"^\s*-(?=[^\s\-])")
_WIDE_DASH = re.compile(r"^\s*([－—–−•·●▪◦])\s*\S")
_KEY = r"[A-Za-z_][\w-]*"
_WIDE_COLON = re.compile(rf"^[\s\-]*({_KEY})\s*(：)\s*(.*)$")
_TIGHT_COLON = re.compile(rf"^[\s\-]*({_KEY})(:)([^\s:/].*)$")
_ODD_COLON = re.compile(rf"^[\s\-]*{_KEY}:([{ODD_SPACES}])")
_BARE = re.compile(rf"^[\s\-]*({_KEY})\s*(?:#.*)?$")
_NO_COLON = re.compile(rf"^[\s\-]*({_KEY})\s+(\S.*)$")

Place = tuple[int, int]
"""Line and column, from 1."""


class Said(NamedTuple):
    """What the parser said: its words, where it began (if it says so), and where it lost its way."""

    problem: str
    context: str
    start: Place | None
    place: Place


_DEEPEST = 40
_RUN_OF_DASHES = re.compile(rf"^ *(?:- +){{{_DEEPEST}}}", re.M)
_BRACKETS = re.compile(r""" "(?:\\.|[^"\\\n])*" | '(?:[^'\n]|'')*' | (?:^|\s)\#[^\n]* | [\[{] | [\]}] """, re.X | re.M)


def too_deep(text: str) -> Place | None:
    """Return where more brackets are open than anybody means, or dashes stand in a row; None where it is not so."""
    depth = 0
    at = found.start() if (found := _RUN_OF_DASHES.search(text)) else -1
    for token in _BRACKETS.finditer(text):
        depth = max(0, depth + {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0))
        if depth > _DEEPEST:
            at = token.start()
            break
    if at < 0:
        return None
    lines = LINE_END.split(text[:at])
    return len(lines), len(lines[-1]) + 1


def name_of(character: str) -> str:
    """Return how a character that cannot be seen is called."""
    try:
        name = unicodedata.name(character).lower()
    except ValueError:
        name = "control character"
    return f"{name}, U+{ord(character):04X}"


def faults_of(
    e: MarkedYAMLError, lines: Sequence[str], keys: Iterable[str] = (), tops: Iterable[str] = ()
) -> list[Fault]:
    """Return what is wrong with the lines, each where a person must look.

    `keys` are those that the file may have anywhere, `tops` those at its left edge.
    """
    mark = e.problem_mark or e.context_mark
    if mark is None:
        return [Fault(_fallback(str(e.problem or e.context or "")), 1, 1)]
    start = (e.context_mark.line + 1, e.context_mark.column + 1) if e.context_mark and e.problem_mark else None
    said = Said(str(e.problem or ""), str(e.context or ""), start, (mark.line + 1, mark.column + 1))
    if conflicts := list(_conflicts(lines)):
        return conflicts
    if fences := [number for number, line in enumerate(lines, 1) if _FENCE.match(line)]:
        words = "this line is put around code by chats and web pages and belongs to no file: delete it"
        return [Fault(words, number, 1) for number in fences]
    if "\\t" in said.problem or "\t" in said.problem:
        return list(_tabs(lines, said.place))
    known, edge = set(keys), set(tops)
    if edge and "expected <block end>" in said.problem and (fault := _at_the_edge(lines, said.place[0], edge)):
        return [fault]
    line = lines[said.place[0] - 1] if said.place[0] <= len(lines) else ""
    for look in _LOOKS:
        if fault := look(said, lines, line, known):
            return [fault]
    return [Fault(_fallback(said.problem), *_within(lines, said.place))]


def _fallback(words: str) -> str:
    return (
        "cannot be read from here: look at this line and the one above it for indentation, a missing colon or quotes "
        f"(YAML says: {' '.join(words.split())})"
    )


def _within(lines: Sequence[str], place: Place) -> Place:
    """Return the place, or that of the last line with something in it where it lies behind the end."""
    if place[0] <= len(lines) and lines[place[0] - 1].strip():
        return place
    full = [number for number, line in enumerate(lines[: place[0]], 1) if line.strip()]
    return (full[-1], len(lines[full[-1] - 1].rstrip()) + 1) if full else (1, 1)


# ---------------------------------------------------------------- what can be told by looking


def _conflicts(lines: Sequence[str]) -> Iterator[Fault]:
    marks = [(number, found[1]) for number, line in enumerate(lines, 1) if (found := _CONFLICT.match(line))]
    for number, mark in marks:
        if mark[0] == "<":
            others = [str(n) for n, m in marks if n > number and m[0] in "=>"][:2]
            lines_ = f"line{'s' * (len(others) > 1)} {' and '.join(others)}"
            behind = f"{mark} here and {lines_}" if others else f"the line {mark}"
            yield Fault(
                f"two versions of the file were merged and nobody chose: keep one of them and delete {behind}",
                number,
                1,
            )


def _tabs(lines: Sequence[str], place: Place) -> Iterator[Fault]:
    found = [(n, tab.start(1) + 1) for n, line in enumerate(lines, 1) if (tab := _TAB_INDENT.match(line))]
    if place[0] not in {number for number, _ in found}:
        yield Fault("a tab stands here; write a space instead", *place)
    for at in found:
        yield Fault("a tab is used for indentation; YAML wants spaces: delete it and type spaces", *at)


def _odd_space(said: Said, lines: Sequence[str], _: str, known: set[str]) -> Fault | None:
    """Find an invisible character, or a sign of a Chinese keyboard, where YAML needs the plain one."""
    first = said.start[0] if said.start and said.context == "while scanning a simple key" else said.place[0]
    for number in sorted({first, _above(lines, said.place[0]), said.place[0]}):
        line = lines[number - 1] if 0 < number <= len(lines) else ""
        if line.lstrip().startswith("#"):
            continue
        if fault := _odd_sign(line, number):
            return fault
    return None


def _odd_sign(line: str, number: int) -> Fault | None:
    if odd := _ODD_INDENT.match(line):
        return Fault(odd_indentation(odd[1]), number, odd.start(1) + 1)
    if odd := _ODD_COLON.match(line):
        return Fault(
            f"the space behind the colon is no plain one ({name_of(odd[1])}): delete it and type a space",
            number,
            odd.start(1) + 1,
        )
    if wide := _WIDE_COLON.match(line):
        return Fault(
            f"the colon is a full-width one (：): write {wide[1]}: with a plain colon and a space behind it",
            number,
            wide.start(2) + 1,
        )
    if wide := _WIDE_DASH.match(line):
        return Fault(f"this dash ({wide[1]}) is not the plain one: write - and a space", number, wide.start(1) + 1)
    if wide := _WIDE_OPENING.match(line):
        opening, closing = _WIDE_PAIRS[wide[1]]
        words = f"{wide[1]} is a full-width bracket: write {opening}, and {closing} at the end"
        return Fault(words, number, wide.start(1) + 1)
    return None


def odd_indentation(character: str) -> str:
    """Return the advice for a character that indents and is no space."""
    return f"the indentation has a character that is no plain space ({name_of(character)}): delete it and type spaces"


def _above(lines: Sequence[str], number: int) -> int:
    """Return the number of the nearest line above with something in it that is no comment; 0 if there is none."""
    for n in range(min(number, len(lines) + 1) - 1, 0, -1):
        if lines[n - 1].strip() and not lines[n - 1].lstrip().startswith("#"):
            return n
    return 0


# ---------------------------------------------------------------- what the parser's words mean


def _no_colon(said: Said, lines: Sequence[str], _: str, known: set[str]) -> Fault | None:
    """A line that should be `key: value` and has no colon, or no space behind it."""
    if "could not find expected ':'" not in said.problem or not said.start:
        return None
    return _not_a_key(lines[said.start[0] - 1], said.start[0], known) or Fault(
        "this line is neither a key (key: value) nor an entry of a list (- value): is a colon or a dash missing, "
        "or is it indented wrongly?",
        *said.start,
    )


def _not_a_key(line: str, number: int, known: set[str]) -> Fault | None:
    if dash := _TIGHT_DASH.match(line):
        return Fault("a space is missing behind the dash", number, dash.end())
    tight = _TIGHT_COLON.match(line)
    if tight and tight[1] in known:
        return Fault(
            f"a space is missing behind the colon: write {tight[1]}: {tight[3].strip()}", number, tight.start(2) + 1
        )
    if bare := _BARE.match(line):
        return Fault(f"a colon is missing behind {bare[1]}: write {bare[1]}:", number, bare.end(1) + 1)
    missing = _NO_COLON.match(line)
    if missing and missing[1] in known:
        return Fault(
            f"a colon is missing behind {missing[1]}: write {missing[1]}: {missing[2].strip()}",
            number,
            missing.end(1) + 1,
        )
    return None


def _second_colon(said: Said, lines: Sequence[str], line: str, known: set[str]) -> Fault | None:
    """A colon where none can be: in a value, or in a line that YAML took for the rest of the one above."""
    if "mapping values are not allowed" not in said.problem:
        return None
    number, column = said.place
    before = line[: column - 1]
    if key := re.search(rf"^[\s\-]*(?:\{{.*?)?({_KEY}):\s+(\S.*)$", before):
        value = line[key.start(2) :].split(" #")[0].strip()
        return Fault(
            f"a colon followed by a space inside a value: put the value in quotes: {key[1]}: {quoted(value)}",
            number,
            column,
        )
    if fault := _runaway(_token_before(lines, said.place), lines):
        return fault
    above = _above(lines, number)
    if not above:
        return None
    upper = lines[above - 1]
    if fault := _not_a_key(upper, above, known):
        return fault
    own, other = _indent(line), _content(upper)
    full = re.match(rf"^[\s\-]*({_KEY}):\s+(\S.*)$", upper)
    if not full and (fault := _no_dash(line, number, upper, above, known)):
        return fault
    if line.lstrip().startswith("- ") and full:
        return Fault(
            f"{full[1]} has a value here already, so no list can follow below it: take the value away",
            above,
            full.start(2) + 1,
        )
    return Fault(
        f"this line begins in column {own + 1} and the line above it, {above}, in column {other + 1}: keys that belong "
        "together begin in the same column",
        number,
        own + 1,
    )


def _no_dash(line: str, number: int, upper: str, above: int, known: set[str]) -> Fault | None:
    """An entry whose dash is missing, or whose first line is."""
    if not upper.strip() or re.match(rf"^[\s\-]*{_KEY}:(?:\s|$)", upper):
        return None
    if line.lstrip().startswith("- ") and not upper.lstrip().startswith("-"):
        text = re.split(r"\s#", upper)[0].strip()
        return Fault(f"a dash is missing: write - {text}, in the column of the other dashes", above, _indent(upper) + 1)
    key = re.match(rf"\s*({_KEY}):", line)
    if upper.lstrip().startswith("- ") and key and key[1] in known and _indent(line) == _content(upper):
        return Fault(
            f"{key[1]} belongs to no entry, for the line above it, {above}, is a whole one: if an entry begins here, "
            f"write - {key[1]}: in column {_indent(upper) + 1}, the column of the dash above; else indent this line "
            "as what it belongs to",
            number,
            _indent(line) + 1,
        )
    return None


def quoted(value: str) -> str:
    """Return a value as YAML reads it back, in quotation marks."""
    return f'"{value}"' if '"' not in value and "\\" not in value else "'{}'".format(value.replace("'", "''"))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _content(line: str) -> int:
    """Return where the text of a line begins, behind its dashes."""
    found = re.match(r" *(?:- +)*", line)
    return found.end() if found else 0


def _quotes(said: Said, lines: Sequence[str], line: str, _: set[str]) -> Fault | None:
    """A quotation mark that is not closed, or closed too early."""
    if "found unexpected" in said.problem and "quoted scalar" in said.context and said.start:
        return _unclosed(said.start, lines)
    if "unknown escape" in said.problem:
        return Fault(
            "a backslash in double quotes has a meaning of its own: take single quotes ('…') or write it twice (\\\\)",
            *said.place,
        )
    if not re.search(
        r"found '?<scalar>|got '<scalar>|found '[\]},]'|found '<alias>|found '<tag>|got ':'", said.problem
    ):
        return None
    token = _token_before(lines, said.place)
    if not isinstance(token, ScalarToken) or token.style not in ("'", '"'):
        return None
    if fault := _runaway(token, lines):
        return fault
    if "got ':'" in said.problem:
        return None
    return _behind_quotes(token, lines)


def _runaway(token: Any, lines: Sequence[str]) -> Fault | None:
    """A quotation mark that one of a later line has closed."""
    if not isinstance(token, ScalarToken) or token.style not in ("'", '"'):
        return None
    if token.end_mark.line == token.start_mark.line:
        return None
    return _unclosed((token.start_mark.line + 1, token.start_mark.column + 1), lines)


def _unclosed(start: Place, lines: Sequence[str]) -> Fault:
    line = lines[start[0] - 1]
    mark = line[start[1] - 1 : start[1]]
    if mark == "'" and "'" not in line[start[1] :] and re.search(r"\w'\w", line):
        return Fault("this quotation mark is not closed in its line", *start)
    return Fault(
        f"this quotation mark is not closed: write {mark} at the end of the text, or take this one away", *start
    )


def _behind_quotes(token: Any, lines: Sequence[str]) -> Fault:
    number, end = token.end_mark.line + 1, token.end_mark.column
    line = lines[number - 1]
    begin = token.start_mark.column
    if token.style == '"' and re.search(r"\s#", line[begin:end]) and line[begin:].count('"') % 2:
        return _unclosed((number, begin + 1), lines)  # it was closed by one of the comment's
    rest = re.split(r"\s#", line[begin:])[0].rstrip()
    if token.style == "'" and "'" in line[end:]:
        return Fault(
            "the text ended at this apostrophe: write the whole in double quotes, or each apostrophe inside twice ('')",
            number,
            end,
        )
    whole = singly(rest if token.style == '"' else rest.replace("'", ""))
    return Fault(
        f"the text ended at the closing quotation mark and more follows: put the whole in single quotes: {whole}",
        number,
        end + 1 + len(line[end:]) - len(line[end:].lstrip()),
    )


def singly(text: str) -> str:
    """Return a text in single quotes, as YAML reads it."""
    return "'{}'".format(text.replace("'", "''"))


def _token_before(lines: Sequence[str], place: Place) -> Any:
    """Return the last token that ends before a place."""
    last = None
    for token in _tokens(lines):
        if (token.start_mark.line + 1, token.start_mark.column + 1) >= place:
            break
        if isinstance(token, (ScalarToken, FlowSequenceEndToken, FlowMappingEndToken)):
            last = token
    return last


def _tokens(lines: Sequence[str]) -> Iterator[Any]:
    """Yield the tokens of the lines, as far as they can be told."""
    try:
        yield from YAML(typ="rt").scan("\n".join(lines))
    except (YAMLError, ValueError, RecursionError):
        return


def _brackets(said: Said, lines: Sequence[str], line: str, known: set[str]) -> Fault | None:
    """A bracket without its partner, a comma that is missing."""
    opened = {"while parsing a flow sequence": ("[", "]"), "while parsing a flow mapping": ("{", "}")}.get(said.context)
    if opened and said.start:
        got = said.problem.rpartition("got ")[2].strip("'")
        if said.place[0] == said.start[0] and got in ("]", "}"):
            return Fault(
                f"the {opened[0]} in column {said.start[1]} is closed by {got}: write {opened[1]}", *said.place
            )
        first = lines[said.start[0] - 1]
        if wide := re.search(r"[｝］】」]", first[said.start[1] :]):
            return Fault(
                f"{wide[0]} is a full-width bracket: write {opened[1]}", said.start[0], said.start[1] + wide.start() + 1
            )
        if said.place[0] == said.start[0] and (wide := re.search("[，、]", line[said.start[1] : said.place[1]])):
            return Fault(
                f"{wide[0]} is no plain comma: write a comma and a space",
                said.place[0],
                said.start[1] + wide.start() + 1,
            )
        if said.place[0] == said.start[0] and got not in ("<stream end>",):
            column = _before_key(line, said.place[1]) if got == ":" else said.place[1]
            return Fault(
                f"a comma is missing before this, or the text needs quotes: {opened[0]}one, another{opened[1]}",
                said.place[0],
                column,
            )
        return Fault(f"this {opened[0]} is not closed: write {opened[1]} where the list ends", *said.start)
    if "expected the node content" in said.problem:
        return _nothing_there(said, lines)
    if found := re.search(r"found '([\]},])'", said.problem):
        token = _token_before(lines, said.place)
        if found[1] == ",":
            return Fault(
                "a comma cannot stand here: several values go into one pair of brackets: [one, another]", *said.place
            )
        if isinstance(token, (FlowSequenceEndToken, FlowMappingEndToken)):
            return Fault(f"one {found[1]} too many: nothing is open here that it could close", *said.place)
        return Fault(f"{found[1]} closes nothing: nothing is open here; put a text that has it in quotes", *said.place)
    if "found '<scalar>'" in said.problem:
        token = _token_before(lines, said.place)
        if linked := _LINKED.match(line):
            words = f"a link as web pages write it: write {{name: {linked[2]}, url: {linked[3]}}}"
            return Fault(words, said.place[0], linked.start(1) + 1)
        if isinstance(token, (FlowSequenceEndToken, FlowMappingEndToken)):
            return Fault("text stands behind the closing bracket: put it inside, or take it away", *said.place)
    return None


def _nothing_there(said: Said, lines: Sequence[str]) -> Fault:
    """A value is missing in brackets, or they end with the file."""
    if "<stream end>" in said.problem and (opened := _still_open(lines)):
        closing = {"[": "]", "{": "}"}[lines[opened[0] - 1][opened[1] - 1]]
        return Fault(f"this bracket is not closed: write {closing} where the list ends", *opened)
    return Fault("a value is missing before this sign, or one sign is too many", *_within(lines, said.place))


def _still_open(lines: Sequence[str]) -> Place | None:
    """Return the place of the first bracket without a partner."""
    places: list[Place] = []
    for token in _tokens(lines):
        if isinstance(token, (FlowSequenceStartToken, FlowMappingStartToken)):
            places.append((token.start_mark.line + 1, token.start_mark.column + 1))
        elif isinstance(token, (FlowSequenceEndToken, FlowMappingEndToken)) and places:
            places.pop()
    return places[0] if places else None


def _before_key(line: str, column: int) -> int:
    """Return the column of the word before a colon."""
    found = re.search(r"[^\s,{\[]+\s*$", line[: column - 1])
    return found.start() + 1 if found else column


def _signs(said: Said, lines: Sequence[str], line: str, _: set[str]) -> Fault | None:
    """A text that begins with a sign that YAML keeps for itself."""
    rest = re.split(r"\s#", line[said.place[1] - 1 :])[0].rstrip()
    if "cannot start any token" in said.problem:
        sign = line[said.place[1] - 1 : said.place[1]]
        return Fault(f"a text cannot begin with {sign}: put the whole in quotes: {quoted(rest)}", *said.place)
    if "undefined alias" in said.problem:
        return Fault(
            f"a text cannot begin with *: put the whole in quotes: {quoted(rest)}; in a keyword the star goes to the "
            "end of a word (GPU*)",
            *said.place,
        )
    if "while scanning an alias" in said.context or "while scanning an anchor" in said.context:
        return Fault("a text cannot begin with * or &: put the whole in quotes", *(said.start or said.place))
    if "block scalar" in said.context and said.start:
        sign = line[said.start[1] - 1 : said.start[1]]
        whole = re.split(r"\s#", line[said.start[1] - 1 :])[0].rstrip()
        return Fault(
            f"a text cannot begin with {sign} unless it goes on in the next line: "
            f"put the whole in quotes: {quoted(whole)}",
            *said.start,
        )
    if "scanning a tag" in said.context or "parsing a tag" in said.context or "tag" in said.problem:
        return Fault("a text cannot begin with !: put the whole in quotes", *(said.start or said.place))
    return None


def _documents(said: Said, lines: Sequence[str], _: str, known: set[str]) -> Fault | None:
    """Lines that begin another document, a list in the line of its key."""
    if "another document" in said.problem or "<document start>" in said.problem:
        number = next((n for n in range(said.place[0], 0, -1) if re.match(r"(---|\.\.\.)(\s|$)", lines[n - 1])), 0)
        number = number or said.place[0]
        return Fault("what follows this line is another document, which nobody reads: delete this line", number, 1)
    if "sequence entries are not allowed" in said.problem:
        return Fault("a list begins in the line below its key: put this dash into a line of its own", *said.place)
    return None


def _indentation(said: Said, lines: Sequence[str], line: str, known: set[str]) -> Fault | None:
    """A line whose beginning fits none above it."""
    if "expected <block end>" not in said.problem and "did not find expected" not in said.problem:
        return None
    number, column = said.place
    if fault := _not_a_key_among_entries(line, number):
        return fault
    columns = _open_columns(lines, number)
    near = sorted(columns, key=lambda c: (abs(c - column), -c))
    if column in columns:
        if "'?'" in said.problem or "block mapping start" in said.problem:
            return Fault(
                f"the lines around begin with a dash here and this one does not: write - before it, or indent it as "
                f"the other keys of line {columns[column][0]} are",
                number,
                column,
            )
        return Fault(
            f"a dash cannot stand here: in line {columns[column][0]} a key begins in this column; "
            "indent the dash deeper",
            number,
            column,
        )
    fits = " or ".join(
        f"in column {c} to go with {columns[c][1]} (line {columns[c][0]})" for c in sorted(near[:2], reverse=True)
    )
    return Fault(
        f"the indentation fits nothing above: this line begins in column {column}; begin it {fits}", number, column
    )


def _at_the_edge(lines: Sequence[str], number: int, tops: set[str]) -> Fault | None:
    """Find the key above a line that should be indented: what follows it fits nothing then."""
    for n in range(number - 1, 0, -1):
        if found := re.match(rf"({_KEY})\s*:(?:\s|$)", lines[n - 1]):
            if found[1] in tops:
                return None
            words = f"{found[1]} begins at the left edge, where only {', '.join(sorted(tops))} may: indent it"
            return Fault(f"{words} as its neighbours are, or mend its name", n, 1)
    return None


def _not_a_key_among_entries(line: str, number: int) -> Fault | None:
    if dash := _TIGHT_DASH.match(line):
        return Fault("a space is missing behind the dash", number, dash.end())
    return None


def _open_columns(lines: Sequence[str], number: int) -> dict[int, tuple[int, str]]:
    """Return the columns in which a line at `number` could begin: the number and first word of what begins there."""
    columns: dict[int, tuple[int, str]] = {}
    lowest = 10**9
    at = number
    while (at := _above(lines, at)) and lowest:
        line = lines[at - 1]
        starts = [found.start() for found in re.finditer(r"(?<= )-(?= )|^-(?= )", line[: _content(line)])]
        starts.append(_content(line))
        for start in reversed(starts):
            if start < lowest and (start in starts[:-1] or re.match(rf"[\"']?{_KEY}[\"']?\s*:", line[start:])):
                columns[start + 1] = (at, line[start:].split(":")[0][:30] if start == starts[-1] else "the dash")
        lowest = min(lowest, starts[0]) if starts[0] + 1 in columns else lowest
        if lowest == 0:
            break
    return columns


_LOOKS: tuple[Callable[[Said, Sequence[str], str, set[str]], Fault | None], ...] = (
    _odd_space,
    _documents,
    _no_colon,
    _second_colon,
    _quotes,
    _brackets,
    _signs,
    _indentation,
)
