"""Where in a YAML file something is wrong, and how to say it to somebody who is no programmer."""

from __future__ import annotations

import re
import reprlib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rapidfuzz import process, utils
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from monitor import grammar
from monitor.errors import ConfigError, Fault, QueryError, clipped, without_credentials

Step = str | int
Keys = Callable[[Sequence[Step]], Iterable[str]]
"""The keys that may stand in the mapping at a path."""

Homes = Mapping[str, Sequence[str]]
"""Key → where it may stand, in words: `a theme`."""

_TOP = re.compile(r"[\"']?([A-Za-z_][\w-]*)[\"']?\s*:(?:\s|$)")


class KeywordError(ValueError):
    """A QueryError as pydantic collects it, with the offset of the fault within the keyword."""

    def __init__(self, cause: QueryError) -> None:
        # YAML takes one pair of quotes away, so that those of the keyword need another pair around them.
        super().__init__(f"{cause.advice}: {grammar.singly(cause.instead)}" if cause.instead else str(cause))
        self.offset = cause.offset


# ---------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class Sheet:
    """A YAML file that was read: its tree, its lines, and the keys that stand twice."""

    tree: Any
    lines: Sequence[str]
    twice: Sequence[Fault] = ()

    def place(self, path: Sequence[Step], *, of_key: bool = False) -> tuple[int, int]:
        """Return the 1-based line and column of the node at `path`, or of its nearest parent that has a place."""
        return place_of(self.tree, path, of_key=of_key)

    def place_in(self, path: Sequence[Step], offset: int) -> tuple[int, int]:
        """Return the place of a character of the text at `path`, counted in the text without spaces at its ends."""
        place = self.place(path)
        text = self.at(path)
        if not isinstance(text, str) or (offset <= 0 and place[1] > 1 and self._plain(place)):
            return place
        return _places_in(self.lines, place, text.strip(), offset)

    def at(self, path: Sequence[Step]) -> Any:
        """Return the node at `path`; None where there is none."""
        node = self.tree
        for step in path:
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                return None
        return node

    def _plain(self, place: tuple[int, int]) -> bool:
        return self.lines[place[0] - 1][place[1] - 1 : place[1]] not in ("'", '"', "|", ">", "&", "!")


def read_yaml(path: Path, raw: bytes) -> Any:
    """Return the tree of a YAML file, with the place of every node.

    Raises:
        ConfigError: it is not YAML, or has keys that stand twice; names line and column.
    """
    sheet = read_sheet(path, readable(path, raw))
    if sheet.twice:
        raise ConfigError(str(path), tuple(sheet.twice))
    return sheet.tree


def readable(path: Path, raw: bytes) -> str:
    """Return the text of a file.

    Raises:
        ConfigError: it is not text in UTF-8 (or in UTF-16 with its mark).
    """
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"{\\rtf")):
        words = "this is a document of Word or Excel, not plain text: copy its text into a text editor and save that"
        raise ConfigError(str(path), (Fault(words, 1, 1),))
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if encoding != "utf-16" and raw.count(0) * 5 > len(raw):
        raise ConfigError(str(path), (Fault("this is UTF-16, not text in UTF-8: save the file as UTF-8", 1, 1),))
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as e:
        before = raw[: e.start].decode(encoding, "replace")
        raise ConfigError(str(path), (Fault(_encoding_advice(raw, e), *_end_of(before)),)) from e
    if "\0" in text:
        words = "a character that no text has (U+0000): delete it, and save the file as UTF-8"
        raise ConfigError(str(path), (Fault(words, *_end_of(text[: text.index("\0")])),))
    return text


def lines_of(raw: bytes) -> list[str]:
    """Return the lines of a file, to be shown, whatever is in it."""
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return grammar.LINE_END.split(raw.decode(encoding, "replace"))


def _encoding_advice(raw: bytes, e: UnicodeDecodeError) -> str:
    guess = ""
    try:
        chinese = raw.decode("gb18030")
        found = re.search(r"[\u4e00-\u9fff]{2,8}", chinese[len(raw[: e.start].decode("gb18030", "replace")) :])
        guess = f"; it looks like GBK, where it reads {found[0]}" if found else ""
    except UnicodeDecodeError:
        pass
    return f"not UTF-8 from here on (byte {raw[e.start]:#04x}){guess}: save the file as UTF-8"


def _end_of(text: str) -> tuple[int, int]:
    lines = grammar.LINE_END.split(text)
    return len(lines), len(lines[-1]) + 1


_TOO_DEEP = "too many brackets, dashes or steps inside one another: five are the most that this file needs"


class _Constructor(RoundTripConstructor):
    """Collects keys that stand twice, instead of raising at the first; the last one counts."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.twice: list[tuple[Fault, int, int]] = []

    def check_mapping_key(self, node: Any, key_node: Any, mapping: Any, key: Any, value: Any) -> bool:
        """Note a key that the mapping has already."""
        if key in mapping:
            mark, first = key_node.start_mark, next(k for k, _ in node.value if k.value == key_node.value).start_mark
            words = (
                f"{_shown(key)}: duplicate key; it stands in line {first.line + 1} already: keep one of the two, "
                "or join what they hold"
            )
            begin = node.start_mark
            self.twice.append((Fault(words, mark.line + 1, mark.column + 1), begin.line, begin.column))
        return True


def read_sheet(path: Path, text: str, keys: Iterable[str] = (), tops: Iterable[str] = ()) -> Sheet:
    """Read a YAML text; `keys` are those that it may have anywhere, `tops` those at its left edge.

    Raises:
        ConfigError: it is not YAML; names line and column.
    """
    lines = grammar.LINE_END.split(text)
    if place := grammar.too_deep(text):  # of twenty thousand brackets the parser would think for a minute
        raise ConfigError(str(path), (Fault(_TOO_DEEP, *place),))
    yaml = YAML(typ="rt")
    yaml.Constructor = _Constructor
    try:
        tree = yaml.load(_without_last_mark(text, lines))
        return Sheet(tree, lines, tuple(_in_entry(lines, *found) for found in yaml.constructor.twice))
    except MarkedYAMLError as e:
        raise ConfigError(str(path), tuple(grammar.faults_of(e, lines, keys, tops))) from e
    except ReaderError as e:
        character = chr(e.character) if isinstance(e.character, int) else str(e.character)
        words = f"a character that no text has ({grammar.name_of(character)}): delete it"
        raise ConfigError(str(path), (Fault(words, *_end_of(text[: e.position])),)) from e
    except YAMLError as e:
        raise ConfigError(str(path), (Fault(f"cannot be read: {(str(e).splitlines() or ['?'])[0]}", 1, 1),)) from e
    except RecursionError as e:
        raise ConfigError(str(path), (Fault(_TOO_DEEP, 1, 1),)) from e
    except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError, AssertionError) as e:
        # ruamel lets through what Python says of an impossible date or number (2026-02-30): quotes help there too.
        words = (str(e).splitlines() or [type(e).__name__])[0]
        place = _odd_date(lines)
        raise ConfigError(
            str(path), (Fault(f"cannot be read: {words}; put dates and odd values in quotes", *place),)
        ) from e


def _in_entry(lines: Sequence[str], twice: Fault, line: int, column: int) -> Fault:
    """Say it of a key in an entry of a list that the next entry may have lost its beginning."""
    if not re.fullmatch(r"[\s-]*- +", lines[line][:column]) or twice.line <= line + 1:
        return twice
    return replace(twice, message=f"{twice.message}; or write - before it if another entry of the list begins here")


def _without_last_mark(text: str, lines: Sequence[str]) -> str:
    """Return the text without a --- that nothing follows: it begins a document that is not there."""
    last = next((line for line in reversed(lines) if line.strip()), "")
    return text[: text.rindex("---")] if re.fullmatch(r"---\s*", last) else text


def _odd_date(lines: Sequence[str]) -> tuple[int, int]:
    """Return where a day stands that no calendar has; the beginning of the file where there is none."""
    for number, line in enumerate(lines, 1):
        for found in re.finditer(r"(?<=[\s\[,])(\d{4})-(\d\d?)-(\d\d?)", line):
            try:
                date(*map(int, found.groups()))
            except ValueError:
                return number, found.start() + 1
    return 1, 1


def without_section(text: str, line: int) -> tuple[str, str]:
    """Return the text with the part of the file emptied that a line lies in, and the key of that part.

    What stands under one key at the left edge says nothing of the others, so the rest can be checked without it.
    """
    pieces = re.split(f"({grammar.LINE_END.pattern})", text)
    lines = pieces[::2]
    tops = [(n, found[1]) for n, content in enumerate(lines, 1) if (found := _TOP.match(content))]
    first, name = max(((n, key) for n, key in tops if n <= line), default=(1, ""))
    last = min((n for n, _ in tops if n > line), default=len(lines) + 1)
    pieces[2 * (first - 1) : 2 * (last - 1) : 2] = [""] * len(pieces[2 * (first - 1) : 2 * (last - 1) : 2])
    return "".join(pieces), name


# ---------------------------------------------------------------- places


def place_of(tree: Any, path: Sequence[Step], *, of_key: bool = False) -> tuple[int, int]:
    """Return the 1-based line and column of the node at `path`, or of its nearest parent that has a place."""
    place: tuple[int, int] = (0, 0)
    node: Any = tree
    for i, step in enumerate(path):
        if isinstance(node, CommentedMap) and step in node:
            at_key = (of_key and i == len(path) - 1) or node[step] is None
            place = _told(node.lc.key if at_key else node.lc.value, step) or place
        elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
            place = _told(node.lc.item, step) or place
        else:
            break
        node = node[step]
    return place[0] + 1, place[1] + 1


def _told(ask: Callable[[Any], Any], step: Step) -> tuple[int, int] | None:
    """Return the place that ruamel knows; it knows none of what is merged from elsewhere (<<) or has a tag."""
    try:
        line, column = ask(step)
    except (KeyError, TypeError):
        return None
    return int(line), int(column)


def _places_in(lines: Sequence[str], start: tuple[int, int], text: str, offset: int) -> tuple[int, int]:
    """Return where character `offset` of a text stands that begins at `start`; the text may go on over several lines.

    File and text are walked along together, so it need not be known how YAML folds lines. Where they part (an alias),
    the beginning is returned.
    """
    number, at = start[0] - 1, start[1] - 1
    line = lines[number] if number < len(lines) else ""
    at += len(re.match(r"(?:[&!]\S*\s+)*", line[at:])[0])  # type: ignore[index]  # (matches the empty text too)
    sign = line[at : at + 1]
    if sign in ("|", ">"):
        number, at, sign = number + 1, 0, ""
    elif sign in ("'", '"'):
        at += 1
    else:
        sign = ""
    source = _characters(lines, number, at, sign)
    place, pending = start, next(source, None)
    for character in chain(text[:offset], text[offset : offset + 1] or "\n"):
        if not character.isspace():
            while pending and pending[0].isspace():
                pending = next(source, None)
            if not pending or pending[0] != character:
                return start if offset < len(text) else place
        if pending is None:
            return place[0], place[1] + 1
        place = pending[1], pending[2]
        if not character.isspace():
            pending = next(source, None)
        elif pending[0].isspace():
            pending = _after_space(pending, source)
    return place


def _after_space(pending: tuple[str, int, int], source: Iterator[tuple[str, int, int]]) -> Any:
    """Step over one space; over all of them at the end of a line, which YAML makes one of."""
    following = next(source, None)
    if pending[0] == "\n":
        while following and following[0].isspace():
            following = next(source, None)
    return following


_ESCAPED = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_ESCAPES = {"n": "\n", "t": "\t", "0": "\0", "r": "\r", "e": "\x1b", "a": "\a", "b": "\b", "f": "\f", "v": "\v",
            "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029"}  # fmt: skip


def _characters(lines: Sequence[str], number: int, at: int, quote: str) -> Iterator[tuple[str, int, int]]:
    """Yield the characters of a text from there on, each with its line and column; its quotes tell what is escaped."""
    for n in range(number, len(lines)):
        line = lines[n]
        while at < len(line):
            found = _ESCAPED.match(line, at) if quote == '"' else None
            if found:
                code = found[1] or found[2] or found[3]
                yield chr(int(code, 16)) if code else _ESCAPES.get(found[4], found[4]), n + 1, at + 1
                at = found.end()
            elif quote == "'" and line.startswith("''", at):
                yield "'", n + 1, at + 1
                at += 2
            elif line[at] == quote:
                return
            elif quote == '"' and line[at:] == "\\":
                break
            else:
                yield line[at], n + 1, at + 1
                at += 1
        else:
            yield "\n", n + 1, len(line.rstrip()) + 1
        at = 0


# ---------------------------------------------------------------- words


def faults_of(e: ValidationError, sheet: Sheet, keys: Keys, homes: Homes) -> Iterable[Fault]:
    """Yield each fault that pydantic found in the tree, with its place."""
    errors = e.errors(include_url=False)
    unknown = {error["loc"][:-1] for error in errors if error["loc"][-1:] == ("[key]",)}
    misspelt = {
        (*error["loc"][:-1], nearest(str(error["loc"][-1]), keys(_in_tree(error["loc"], sheet.tree)[:-1]), 75))
        for error in errors
        if error["type"] == "extra_forbidden"
    }
    misspelt |= {
        (*error["loc"][:-1], "url")
        for error in errors
        if error["type"] == "extra_forbidden" and _is_address(error["input"])
    }
    for error in errors:
        if error["loc"] in unknown or (error["type"] == "missing" and error["loc"] in misspelt):
            continue  # what a key holds that is not known; a key that is there, misspelt
        path = _in_tree(error["loc"], sheet.tree)
        of_key = error["type"] == "extra_forbidden" or error["loc"][-1:] == ("[key]",)
        line, column = sheet.place(path, of_key=of_key)
        cause = error.get("ctx", {}).get("error")
        words = _in_words(error, path, keys, homes)
        if error["type"] == "missing" and (wide := re.search("[，：]", sheet.lines[line - 1])):
            words, column = f"{words}; {wide[0]} is a full-width sign: write a plain one and a space", wide.start() + 1
        if isinstance(error["input"], bool) and error["type"] == "string_type":
            written = re.match(r"\w+", sheet.lines[line - 1][column - 1 :])
            words = words.replace(f'"{str(error["input"]).lower()}"', f'"{written[0]}"') if written else words
        if isinstance(cause, KeywordError):
            at = sheet.place_in(path, cause.offset)
            sign = _swallowed(sheet.lines, line, column)
            words = _deeper_dash(sheet, (line, column), at, cause) or f"{words}{sign}"
            line, column = (line, column) if sign else at
        elif (error["input"] is None or error["type"] == "string_type") and (
            hint := _swallowed(sheet.lines, line, column)
        ):
            words = f"{words}{hint}"
        elif error["loc"][-1:] == ("[key]",) or error["type"] == "extra_forbidden":
            words, column = _odd_key(path, column) or (words, column)
        yield Fault(" ".join(words.split("\n")), line, column)


def _deeper_dash(sheet: Sheet, start: tuple[int, int], at: tuple[int, int], cause: KeywordError) -> str:
    """Say it where a dash of a deeper line was read as part of the entry above."""
    before = sheet.lines[at[0] - 1][: at[1] - 1]
    if at[0] == start[0] or before.strip() or not str(cause).startswith("-:"):
        return ""
    return (
        f"this line begins deeper than the entry above it (line {start[0]}), so it was read as the rest of that entry: "
        "put the dashes of a list in one column"
    )


def _swallowed(lines: Sequence[str], line: int, column: int) -> str:
    """Say it where the text is not there because YAML took it for a comment or a mark of its own."""
    rest = lines[line - 1][column - 1 :] if line <= len(lines) else ""
    if re.match(r"\s*(?:-|[\w-]+:)?\s*#", rest):
        return "; what follows a # is a comment: put the whole in quotes if it was meant"
    if re.match(r"(?:-\s*)?[&!]\S", rest):
        return "; & and ! at the beginning are signs of YAML: put the whole in quotes"
    return ""


def _odd_key(path: Sequence[Step], column: int) -> tuple[str, int] | None:
    """Say it where a key begins with a space that is none, or was joined with its value."""
    key = str(path[-1]) if path else ""
    if re.match(f"[{grammar.ODD_SPACES}]", key):
        return grammar.odd_indentation(key[0]), column
    if found := re.match(r"([A-Za-z_]\w*)\s*([:：])\s*(\S.*)$", key):
        odd = "the colon is a full-width one" if found[2] == "：" else "a space is missing behind the colon"
        return f"{odd}: write {found[1]}: {found[3]}", column + found.start(2)
    return None


def _in_words(error: Mapping[str, Any], path: Sequence[Step], keys: Keys, homes: Homes) -> str:
    where, given = named(path), _shown(error["input"])
    match error["type"]:
        case "extra_forbidden":
            key, value = str(path[-1]), error["input"]
            if path[0] == "feeds" and _is_address(value):
                named_so = f"{{name: {key}, url: {without_credentials(value)}}}"
                return f"{where}: unknown key; to give an address a name write {named_so}"
            if path[0] == "feeds" and re.search("[&=/?]", key):
                return (
                    f"{where}: read as a key, for a comma parts keys: put the address before it in quotes, up to here"
                )
            return f"{where}: unknown key{_meant_key(str(path[-1]), keys(path[:-1]), homes, error['input'])}"
        case "string_pattern_mismatch":
            return f"{where}: {given} may hold only letters, digits, - and _"
        case "missing":
            return f"{where}: is missing"
        case "value_error":
            return f"{where}: {error['ctx']['error']!s}"
        case "int_parsing" | "int_type" | "int_from_float":
            return f"{where}: a whole number is expected here, not {given}"
        case "float_parsing" | "float_type":
            return f"{where}: a number is expected here, not {given}{_number_hint(error['input'])}"
        case "greater_than_equal" | "greater_than" | "less_than_equal" | "less_than":
            bound = next(iter(error["ctx"].values()))
            words = {"greater_than_equal": "at least", "greater_than": "more than", "less_than_equal": "at most"}
            return f"{where}: must be {words.get(error['type'], 'less than')} {bound}, not {given}"
        case "too_short":
            return f"{where}: must not be empty"
        case "string_too_long":
            return f"{where}: at most {error['ctx']['max_length']} characters are allowed here"
        case "literal_error":
            expected = error["ctx"]["expected"]
            return f"{where}: {given} is not one of {expected}{_meant_word(error['input'], expected)}"
        case "string_type":
            return f"{where}: a text is expected here{_quote_hint(error['input'])}"
        case "bool_parsing" | "bool_type":
            hint = nearest(_name(error["input"]), ["true", "false", "yes", "no"])
            return f"{where}: {given} is neither true nor false{f'; did you mean {hint}?' if hint else ''}"
        case "list_type":
            return f"{where}: a list is expected here{_list_hint(error['input'])}"
        case "model_type" | "dict_type" | "model_attributes_type":
            if path[-1] in ("title", "short") and isinstance(error["input"], str):
                language = "zh" if re.search(r"[\u4e00-\u9fff]", error["input"]) else "en"
                return f"{where}: write for which language it is: {{{language}: {grammar.quoted(error['input'])}}}"
            hint = did_you_mean(str(path[-1]), keys(path[:-1])) if list(path[:-1]) == ["coverage"] else ""
            given = f", not {given}" if error["input"] is not None else "; nothing stands below it"
            return f"{where}: keys are expected here (name: value){given}{hint}"
        case "recursion_loop":
            return f"{where}: refers to itself (* and & are signs of YAML)"
        case "invalid_key":
            decimals = ", and a comma parts keys: a number has a point (0.5)" if isinstance(error["input"], int) else ""
            return f"{where}: a key must be a word{decimals}"
    return f"{where}: {error['msg']}"


def _shown(value: Any) -> str:
    """Return a value as it can stand in a message, however long it is."""
    if value is None:
        return "nothing"
    if isinstance(value, (Mapping, dict)):
        return "keys"
    if isinstance(value, (list, tuple, set)):
        return "a list"
    if isinstance(value, str):
        return repr(clipped(str(value), 80))
    if isinstance(value, bool):
        return str(value).lower()
    return reprlib.repr(value) if isinstance(value, (int, float)) else str(value)[:80]


def named(path: Iterable[Step]) -> str:
    """Return a path in words, without the numbers of entries: the line says which one, and people count from 1."""
    return ".".join(_name(step) for step in path if not isinstance(step, int))


def _name(value: Any) -> str:
    """Return a word as it stands; empty for lists and keys, which may be endless (aliases of aliases)."""
    return str(value) if value is None or isinstance(value, (str, int, float)) else ""


def _meant_key(key: str, known: Iterable[str], homes: Homes, value: Any) -> str:
    """Return the end of a message: the key of this level that was meant, or the level that this key belongs to."""
    known = sorted(known)
    near = nearest(key, known, 75)
    at_home = [*homes.get(key, ()), *_home_of(value)]
    if at_home and not (near and near != key and nearest(key, known, 90)):
        other = f" (known here: {', '.join(known)})" if len(known) < 12 else ""
        return f" here; {key} belongs under {' or '.join(at_home)}: look at its indentation{other}"
    return did_you_mean(key, known)


def _home_of(value: Any) -> Sequence[str]:
    """Tell by what a key holds where it belongs: themes and companies bear names of their own."""
    inside = set(value) if isinstance(value, Mapping) else set()
    if "keywords" in inside:
        return ("themes",)
    return ("coverage",) if "names" in inside else ()


_OTHER_WORDS = {
    "cn": "zh", "chinese": "zh", "中文": "zh", "汉语": "zh", "zh-cn": "zh", "zh-hans": "zh",
    "zh-hant": "zh", "zh-tw": "zh",
    "english": "en", "英文": "en", "英语": "en", "en-us": "en", "en-gb": "en",
    "never": "skip", "no": "skip", "false": "skip", "none": "skip", "always": "send", "yes": "send", "true": "send",
    "on": "add", "week": "weekly", "mix": "blend",
}  # fmt: skip


def _meant_word(given: Any, expected: str) -> str:
    known = re.findall(r"'([^']+)'", expected)
    word = _name(given).lower().strip()
    best = _OTHER_WORDS.get(word.replace("_", "-")) or nearest(word, known)
    return f"; did you mean {best}?" if best in known else ""


def _quote_hint(value: Any) -> str:
    if value is None:
        return "; the line is empty"
    if isinstance(value, bool):
        return f'; put it in quotes: "{str(value).lower()}"'
    if isinstance(value, (list, tuple)):
        return ", not a list; a text that begins with [ or with a second - must stand in quotes"
    if isinstance(value, Mapping):
        if len(value) == 1 and all(isinstance(part, str) for part in chain(value, value.values())):
            [(key, rest)] = value.items()
            if key in ("title", "summary", "source", "lang", "sentence"):
                return f"; a colon followed by a space makes a key: write {key}:{rest} without the space"
            return f"; a colon followed by a space makes a key: put the whole in quotes: '{key}: {rest}'"
        return "; a colon followed by a space makes a key: put the whole in quotes"
    return ""


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and re.match("https?://", value) is not None


def _number_hint(value: Any) -> str:
    """Return how a number is written that has a comma or is a share."""
    plain = unicodedata.normalize("NFKC", str(value)).strip()
    if found := re.fullmatch(r"(\d+),(\d+)", plain):
        return f"; did you mean {found[1]}.{found[2]}?"
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", plain):
        return f"; did you mean {float(found[1]) / 100:g}?"
    return ""


def _list_hint(value: Any) -> str:
    if isinstance(value, str) and re.search(r"(?:^|\s)-\s", value):
        return ": begin this line with a dash and a space, as the next ones"
    if isinstance(value, str) and value and len(value) <= 60 and "\n" not in value:
        parts = re.split(r"\s*[,，、]\s*", value.strip("[]［］【】「」 "))
        if wide := re.match("[［【「]", value):
            return f", and {wide[0]} is a full-width bracket: write [{', '.join(parts)}]"
        return f" (lines that start with - ), such as [{', '.join(parts)}]"
    return " (lines that start with - )"


def nearest(word: str, known: Iterable[str], least: float = 60) -> str:
    """Return the known word that a word is most like, without regard to capitals; empty where none is like it."""
    best = process.extractOne(word, sorted(known), processor=utils.default_process, score_cutoff=least)
    return str(best[0]) if best else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a message: the known word that was probably meant, or all of them."""
    known = sorted(known)
    best = nearest(word, known)
    return f"; did you mean {best}?" if best else f"; known here: {', '.join(known)}" if known else ""


def _in_tree(loc: Sequence[Step], tree: Any) -> list[Step]:
    """Drop from pydantic's location what is not in the file: names of union members and of validators."""
    path: list[Step] = []
    node = tree
    for i, step in enumerate(loc):
        last = i == len(loc) - 1
        if isinstance(node, CommentedMap):
            if step in node or (last and step != "[key]"):
                path.append(step)
                node = node.get(step)
        elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
            path.append(step)
            node = node[step]
    return path
