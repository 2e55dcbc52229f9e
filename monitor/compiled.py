"""Settings of a feeds.yaml that was read before, from `feeds.compiled` in the data folder.

Reading and checking feeds.yaml takes a second, most of it to import what does it and to compile keywords; taking up
what came of it takes a tenth. It is only a cache: what cannot be read or was made otherwise is made anew, and what
cannot be written is not there.
"""

from __future__ import annotations

import copyreg
import gc
import os
import pickle
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import timedelta
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

from monitor import __version__
from monitor.settings import Settings, hash_of, read_bytes

FILE_NAME = "feeds.compiled"
"""What the cache is called in the data folder."""

_ALLOWED = {
    "monitor.settings": {"Settings", "SecondOpinion", "Examples"},
    "monitor.model": {"Feed", "DigestPlan", "Manners", "Thresholds"},
    "monitor.match.rules": {"Rules", "Roles", "Company", "Theme"},
    "monitor.match.query": {
        "Query", "Index", "_File", "And", "Or", "Not", "Boost", "InField", "InSentence", "Source", "Language",
    },
    "monitor.match.words": {"Words", "Near", "Term"},
    "builtins": {"frozenset"},
    timedelta.__module__: {timedelta.__qualname__},
    type(Path()).__module__: {type(Path()).__qualname__},
}  # fmt: skip
"""All that settings are made of, none of which does anything when it is made."""
_COMPILERS = ("pydantic", "ruamel", "luqum", "Stemmer", "opencc")
"""What settings come out otherwise with, when it is updated."""


def load(path: Path, data: Path) -> Settings:
    """Return the settings of a feeds.yaml, from the cache in the folder `data` if they were made of the same bytes.

    Raises:
        ConfigError: the file cannot be read or has faults; it carries all of them.
    """
    cache, program = data / FILE_NAME, _program()
    known = _read(cache, program)
    if known is not None and known.fingerprint == hash_of(read_bytes(path)):
        return replace(known, path=path)
    from monitor import config

    if known is not None:
        # The file was edited: most keywords are as they were, and compiling them is what takes longest.
        config.remember(known.rules)
    settings = config.load(path)
    _write(cache, program, settings)
    return settings


# ---------------------------------------------------------------- for whom it was made


def _program() -> bytes:
    """Return a hash of what settings follow from beside the file: the program that read it."""
    return hash_of(repr((__version__, sys.version, *_stamps())).encode()).encode()


def _stamps() -> Iterator[tuple[str, int, int]]:
    """Yield name, size and time of the sources here, and of the folders where other packages are installed."""
    here = Path(__file__).parent
    for folder in (here, here / "match"):
        with os.scandir(folder) as entries:
            for entry in sorted((entry for entry in entries if entry.name.endswith(".py")), key=lambda e: e.name):
                state = entry.stat()
                yield entry.name, state.st_size, state.st_mtime_ns
    for folder in sorted({home for package in _COMPILERS for home in _homes(package)}):
        yield str(folder), 0, folder.stat().st_mtime_ns


def _homes(package: str) -> set[Path]:
    """Return the folders that a package lies in, without importing it: they change when one is installed there."""
    spec = find_spec(package)
    places = spec and (spec.submodule_search_locations or [spec.origin or ""])
    return {folder for place in places or () if (folder := Path(place).parent).is_dir()}


# ---------------------------------------------------------------- the file: the key, a line end, a pickle


class _Unpickler(pickle.Unpickler):
    """Makes nothing but settings, so that a data folder from elsewhere can run nothing."""

    def find_class(self, module: str, name: str) -> Any:
        if name not in _ALLOWED.get(module, ()):
            raise pickle.UnpicklingError(f"{module}.{name} is no part of settings")
        return super().find_class(module, name)


def _read(cache: Path, key: bytes) -> Settings | None:
    try:
        made_for, _, pickled = cache.read_bytes().partition(b"\n")
        found = _unpickled(pickled) if made_for == key else None
    except Exception:  # not there, cut short, not ours: bytes that are no pickle raise anything
        return None
    return found if isinstance(found, Settings) else None


def _unpickled(pickled: bytes) -> Any:
    """Make the objects; the garbage collector would go through all of them again and again, and find nothing."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return _Unpickler(BytesIO(pickled)).load()
    finally:
        if collects:
            gc.enable()


def _pickled(settings: Settings) -> bytes:
    """Pickle settings, the thousands of words in them as calls: what dataclasses do by themselves takes twice as long.

    Raises:
        RecursionError: a keyword has too many parentheses inside one another.
    """
    from monitor.match.words import Term, Words

    file = BytesIO()
    pickler = pickle.Pickler(file, protocol=5)
    pickler.dispatch_table = copyreg.dispatch_table.copy()
    for kind in (Term, Words):
        pickler.dispatch_table[kind] = _as_call
    pickler.dump(settings)
    return file.getvalue()


def _as_call(made: Any) -> tuple[type, tuple[Any, ...]]:
    return type(made), tuple(getattr(made, field.name) for field in fields(made) if field.init)


def _write(cache: Path, key: bytes, settings: Settings) -> None:
    """Write the cache whole or not at all; in vain where the folder is not there or not ours."""
    import tempfile

    try:
        pickled = _pickled(settings)
        handle, fresh = tempfile.mkstemp(prefix=f"{FILE_NAME}.", dir=cache.parent)
    except (OSError, pickle.PicklingError, RecursionError):
        return
    try:
        with open(handle, "wb") as file:
            file.write(key + b"\n" + pickled)
        os.replace(fresh, cache)
    except OSError:
        Path(fresh).unlink(missing_ok=True)
