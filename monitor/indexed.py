"""The words of an item as the full-text index holds them. Pure.

SQLite's own tokenizers find neither 算力 within a sentence nor `OpenAI` beside Han characters. They are given what
`text.read` has read, with spaces between: first the tokens in their order (stems, and Han characters one by one), so
that phrases can be found; then, each once, what other programs let people type, such as the search box of Datasette:
Han words, and Latin words that Porter stems otherwise than we do.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

from monitor.text import Text, porter, read, stem

SHORT, LONG = 4, 2
"""In a short text (title, outlet) and in a long one (summary), any Han characters side by side, from two to so many,
are a word of the index. Longer ones of a summary would cost half as much space again, and are found by their pairs.
"""


def words(title: str, summary: str, outlet: str) -> str:
    """Return the words of an item, for FTS5's tokenizer `porter unicode61`."""
    cut = [(read(title), SHORT), (read(summary), LONG), (read(outlet), SHORT)]
    stream = [key for text, _ in cut for key in text.stems]
    return " ".join([*stream, *dict.fromkeys(word for text, longest in cut for word in _besides(text, longest))])


def pairs(characters: str) -> list[str]:
    """Return the words of the index that a run of Han characters has in any text."""
    return [a + b for a, b in pairwise(characters)] or [characters]


def _besides(text: Text, longest: int) -> Iterable[str]:
    run, last = "", -1
    for number, word in enumerate(text.words):
        if word < "\u3000":
            if other := _as_typed(word):
                yield other
            continue
        run = run[1 - longest :] + word if text.starts[number] == last else word
        last = text.ends[number]
        for size in range(2, len(run) + 1):
            yield run[-size:]


@lru_cache(maxsize=100_000)
def _as_typed(word: str) -> str:
    """Return the word in lower case where Porter's stem of it is not that of our stem, else nothing."""
    lower = word.lower()
    return lower if porter(lower) != porter(stem(word)) else ""
