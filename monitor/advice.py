"""The second opinion on disk: where its weights lie, what is wrong with them, and what they may speak on here.

Weights are JSON, a term a line. Those that `monitor learn` wrote into the data folder go before those that came along.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from monitor import resources, sense
from monitor.errors import MonitorError
from monitor.match.blend import Second
from monitor.match.opinion import FORMAT, RULES, SENSE, WORDS, Opinion, Sense, Weights
from monitor.settings import Settings

PLAIN, SEMANTIC = "opinion.json", "opinion-semantic.json"


@dataclass(frozen=True, slots=True)
class Advice:
    """The second opinion for some settings (None: not to be asked), and what a person should know of it."""

    second: Second | None
    remarks: tuple[str, ...] = ()


def advice(settings: Settings, data: Path) -> Advice:
    """Load the second opinion that `settings` ask for.

    Raises:
        MonitorError: a file of weights cannot be used.
    """
    wanted = settings.second_opinion
    if wanted.mode == "off":
        return Advice(None)
    folder = data if (data / PLAIN).exists() else resources.weights()
    weights = read_weights(folder / PLAIN)
    companies = {company.name for company in settings.rules.companies}
    if companies != set(weights.companies):
        pair, own = " and ".join(weights.companies), " and ".join(sorted(companies))
        return Advice(None, (f"second_opinion: learnt from labels on {pair}, so {own} are left to the keywords alone",))
    themes = [theme.name for theme in settings.rules.themes]
    learnt = frozenset(themes) & frozenset(weights.questions[1:])
    remarks = [
        f"themes.{name}: there are no labels to learn from, so the keywords alone decide"
        for name in themes
        if name not in learnt
    ]
    meaning = None
    if wanted.sense and sense.installed() and (folder / SEMANTIC).exists():
        meaning = read_sense(folder / SEMANTIC, weights)
        if meaning and (fault := _fault_of_sense()):
            meaning = None
            remarks.append(f"the embedding is installed and does not work, so the second opinion goes without: {fault}")
        elif meaning is None:
            remarks.append(f"{folder / SEMANTIC}: belongs to other weights; `monitor learn` makes both anew")
    opinion = Opinion(weights, meaning, sense.embed if meaning else None)
    return Advice(
        Second(opinion, learnt, wanted.mode == "add", wanted.coverage, wanted.theme),
        tuple(remarks),
    )


def _fault_of_sense() -> str:
    """Try the embedding once and return what is wrong: a broken engine must stop neither poll nor mail."""
    try:
        sense.embed("Microsoft")
    except Exception as e:  # whatever a foreign engine raises: OSError, ImportError, RuntimeError …
        return f"{type(e).__name__}: {e}"
    return ""


def weights_state(data: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when weights in the data folder do."""
    found = []
    for name in (PLAIN, SEMANTIC):
        with suppress(OSError):  # `monitor learn` may take it away just now
            stat = (data / name).stat()
            found.append((name, stat.st_mtime_ns, stat.st_size))
    return tuple(found)


# ---------------------------------------------------------------- files


def read_weights(path: Path) -> Weights:
    """Read what `as_text` wrote.

    Raises:
        MonitorError: the file cannot be read, or does not fit together.
    """
    weights = _read(path, Weights)
    if weights.format != FORMAT:
        raise MonitorError(f"{path}: was learnt with another version of this program; run `monitor learn` again")
    count = len(weights.questions)
    whole = (
        _finite(weights.base, *weights.trust.values(), *weights.rules.values(), *weights.words.values())
        and len(weights.base) == count
        and set(weights.trust) == {RULES, WORDS}
        and all(len(row) == count for row in (*weights.trust.values(), *weights.rules.values()))
        and all(len(row) == count + 1 for row in weights.words.values())
    )
    if not whole:
        raise _broken(path, f"not every row has a finite number for each of {count} questions")
    return weights


def read_sense(path: Path, weights: Weights) -> Sense | None:
    """Read what was learnt of embeddings; None where it was learnt with other weights or another embedding.

    Raises:
        MonitorError: the file cannot be read, or does not fit together.
    """
    got = _read(path, Sense)
    count = len(weights.questions)
    if (got.embedding, got.beside) != (sense.VERSION, weights.name):
        return None
    whole = (
        _finite(got.base, *got.trust.values(), *got.sense)
        and len(got.base) == len(got.sense) == count
        and set(got.trust) == {RULES, WORDS, SENSE}
        and all(len(row) == count for row in got.trust.values())
    )
    if not whole:
        raise _broken(path, f"not every row has a finite number for each of {count} questions")
    return got


def _finite(*rows: Sequence[float]) -> bool:
    return all(map(math.isfinite, chain.from_iterable(rows)))


Part = TypeVar("Part", Weights, Sense)


def _read(path: Path, kind: type[Part]) -> Part:
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except OSError as e:
        raise MonitorError(f"{path}: cannot be read: {e.strerror}") from e
    except ValidationError as e:
        first = e.errors()[0]
        raise _broken(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}".strip(": ")) from e


def _broken(path: Path, why: str) -> MonitorError:
    return MonitorError(f"{path}: not weights of the second opinion ({why}); delete it, or run `monitor learn` again")


def as_text(weights: Weights | Sense) -> str:
    """Return the file: JSON with each row on a line of its own, so that people can read and compare it."""
    parts = []
    for key, value in asdict(weights).items():
        if isinstance(value, dict):
            rows = ",\n".join(f"  {_json(name)}: {_json(row)}" for name, row in value.items())
            parts.append(f"{_json(key)}: {{\n{rows}\n}}")
        else:
            parts.append(f"{_json(key)}: {_json(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def write(folder: Path, weights: Weights, meaning: Sense | None) -> None:
    """Write the files, each whole or not at all; without `meaning` an old file of it goes.

    Raises:
        MonitorError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if meaning is None:
            (folder / SEMANTIC).unlink(missing_ok=True)
        for name, part in ((SEMANTIC, meaning), (PLAIN, weights)):
            if part is not None:
                fresh = folder / f".{name}.new"
                fresh.write_text(as_text(part), encoding="utf-8")
                os.replace(fresh, folder / name)
    except OSError as e:
        raise MonitorError(f"{folder}: cannot be written: {e.strerror}") from e
