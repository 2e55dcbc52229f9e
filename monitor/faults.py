"""Where in a YAML file something is wrong, and how to say it to somebody who is no programmer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rapidfuzz import process
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from monitor.errors import ConfigError, Fault, QueryError

Keys = Callable[[Sequence[str | int]], Iterable[str]]
"""The keys that may stand in the mapping at a path."""


class KeywordError(ValueError):
    """A QueryError as pydantic collects it, with the offset of the fault within the keyword."""

    def __init__(self, cause: QueryError) -> None:
        super().__init__(str(cause))
        self.offset = cause.offset


def read_yaml(path: Path, raw: bytes) -> Any:
    """Return the tree of a YAML file, with the place of every node.

    Raises:
        ConfigError: it is not YAML; names line and column.
    """
    try:
        return YAML(typ="rt").load(raw)
    except MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        words = " ".join(part for part in (e.problem, e.context) if part) or "not valid YAML"
        if "\t" in words or "\\t" in words:
            words = "a tab is used for indentation; YAML wants spaces"
        where = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise ConfigError(str(path), (Fault(words.split("\n")[0], *where),)) from e
    except (YAMLError, UnicodeDecodeError) as e:
        raise ConfigError(
            str(path), (Fault(f"not valid YAML: {str(e).splitlines()[0]}; save the file as UTF-8"),)
        ) from e
    except (ValueError, ArithmeticError, TypeError, AttributeError, RecursionError) as e:
        # ruamel lets through what Python says of an impossible date or number (2026-02-30): quotes help there too.
        words = (str(e).splitlines() or [type(e).__name__])[0]
        raise ConfigError(str(path), (Fault(f"cannot be read: {words}; put dates and odd values in quotes"),)) from e


def faults_of(e: ValidationError, tree: CommentedMap, lines: Sequence[str], keys: Keys) -> Iterable[Fault]:
    """Yield each fault that pydantic found in the tree, with its place in `lines`."""
    for error in e.errors(include_url=False):
        path = _in_tree(error["loc"], tree)
        line, column = place_of(tree, path, of_key=error["type"] == "extra_forbidden")
        cause = error.get("ctx", {}).get("error")
        if isinstance(cause, KeywordError):
            sign = lines[line - 1][column - 1 : column] if line <= len(lines) else ""
            if sign not in ("|", ">"):  # a text of several lines: no column of this one
                column += cause.offset + (sign in ("'", '"'))
        yield Fault(_in_words(error, path, keys), line, column)


def _in_words(error: Mapping[str, Any], path: Sequence[str | int], keys: Keys) -> str:
    where = ".".join(str(step) for step in path)
    match error["type"]:
        case "extra_forbidden":
            return f"{where}: unknown key{did_you_mean(str(path[-1]), keys(path[:-1]))}"
        case "string_pattern_mismatch":
            return f"{where}: {error['input']!r} may hold only letters, digits, - and _"
        case "missing":
            return f"{where}: is missing"
        case "value_error":
            return f"{where}: {error['ctx']['error']!s}"
        case "int_parsing" | "int_type" | "int_from_float":
            return f"{where}: a whole number is expected here"
        case "float_parsing" | "float_type":
            return f"{where}: a number is expected here"
        case "greater_than_equal" | "greater_than" | "less_than_equal" | "less_than":
            bound = next(iter(error["ctx"].values()))
            words = {"greater_than_equal": "at least", "greater_than": "more than", "less_than_equal": "at most"}
            return f"{where}: must be {words.get(error['type'], 'less than')} {bound}"
        case "too_short":
            return f"{where}: must not be empty"
        case "literal_error":
            return f"{where}: {error['input']!r} is not one of {error['ctx']['expected']}"
        case "string_type":
            return f"{where}: a text is expected here{_quote_hint(error['input'])}"
        case "bool_parsing" | "bool_type":
            return f"{where}: {error['input']!r} is neither true nor false"
        case "list_type":
            return f"{where}: a list is expected here (lines that start with - )"
        case "model_type" | "dict_type" | "model_attributes_type":
            hint = did_you_mean(str(path[-1]), keys(path[:-1])) if path[:-1] == ["coverage"] else ""
            return f"{where}: keys are expected here (name: value){hint}"
    return f"{where}: {error['msg']}"


def _quote_hint(value: Any) -> str:
    if value is None:
        return "; the line is empty"
    if isinstance(value, bool):
        return f'; put it in quotes: "{str(value).lower()}"'
    if isinstance(value, dict):
        return "; a colon followed by a space makes a key: put the whole in quotes"
    return ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a message: the known word that was probably meant, or all of them."""
    known = sorted(known)
    best = process.extractOne(word, known, score_cutoff=60)
    return f"; did you mean {best[0]}?" if best else f"; known here: {', '.join(known)}"


def _in_tree(loc: Sequence[str | int], tree: Any) -> list[str | int]:
    """Drop from pydantic's location what is not in the file: names of union members and of validators."""
    path: list[str | int] = []
    node = tree
    for i, step in enumerate(loc):
        last = i == len(loc) - 1
        if isinstance(node, CommentedMap):
            if step in node or last:
                path.append(step)
                node = node.get(step)
        elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
            path.append(step)
            node = node[step]
    return path


def place_of(tree: CommentedMap, path: Sequence[str | int], *, of_key: bool = False) -> tuple[int, int]:
    """Return the 1-based line and column of the node at `path`, or of its nearest parent that has a place."""
    place: tuple[int, int] = (0, 0)
    node: Any = tree
    for i, step in enumerate(path):
        if isinstance(node, CommentedMap) and step in node:
            at_key = (of_key and i == len(path) - 1) or node[step] is None
            place = node.lc.key(step) if at_key else node.lc.value(step)
            node = node[step]
        elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
            place = node.lc.item(step)
            node = node[step]
        else:
            break
    return place[0] + 1, place[1] + 1
