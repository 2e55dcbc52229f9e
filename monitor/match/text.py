r"""One token stream for Latin and Han text, with spans that lead back to the original. Pure.

A Latin word is one token, keyed by its stem; a Han character is one token. Word borders are those of ASCII
and Latin letters only, so `OpenAI` is found in `微软OpenAI合作`, where `\b` would see one long word.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache

import Stemmer

_LATIN = r"[0-9A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]+"  # without × and ÷, which stand among them
_TOKEN = re.compile(rf"{_LATIN}|[\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
# Half- and full-width forms and the ideographic space, each one character for one, so that offsets stay.
_WIDTH = {c: unicodedata.normalize("NFKC", chr(c)) for c in (0x3000, *range(0xFF01, 0xFFEF))}
_FOLD = {c: to for c, to in _WIDTH.items() if len(to) == 1}
_POSSESSIVE = {"s", "S"}
_APOSTROPHES = "'’"


@dataclass(frozen=True, slots=True)
class Token:
    """One word or Han character at `start:end` of the original; `word` keeps its capitals."""

    stem: str
    word: str
    start: int
    end: int

    @property
    def is_han(self) -> bool:
        """True for a Han character."""
        return self.word[0] > "\u3000"


@dataclass(frozen=True, slots=True)
class Text:
    """A text cut into tokens; `places` maps a stem to the positions of its tokens."""

    tokens: tuple[Token, ...]
    places: dict[str, list[int]] = field(compare=False)


def fold_width(text: str) -> str:
    """Return `text` with full-width letters and digits as half-width ones, of the same length."""
    return text if text.isascii() else text.translate(_FOLD)


_PLURAL = re.compile("[A-Z]{2,}s")


class _Stemmers(threading.local):
    """A stemmer for each thread: its C state must not be shared."""

    def __init__(self) -> None:
        self.english = Stemmer.Stemmer("english")


_stemmers = _Stemmers()


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Return the Snowball (Porter 2) stem of a Latin word, in lower case; `GPUs` is a plural of GPU."""
    if _PLURAL.fullmatch(word):
        word = word[:-1]
    stemmed: str = _stemmers.english.stemWord(word.lower())
    return stemmed


def tokens(text: str) -> tuple[Token, ...]:
    """Cut a text into tokens. A possessive s (`OpenAI's`) belongs to no token."""
    folded = fold_width(text)
    found: list[Token] = []
    for match in _TOKEN.finditer(folded):
        word, start = match.group(), match.start()
        if word in _POSSESSIVE and start > 1 and folded[start - 1] in _APOSTROPHES and folded[start - 2].isalnum():
            continue
        found.append(Token(stem(word) if word[0] < "\u3000" else word, word, start, match.end()))
    return tuple(found)


def read(text: str) -> Text:
    """Cut a text into tokens and index them."""
    cut = tokens(text)
    places: dict[str, list[int]] = defaultdict(list)
    for i, token in enumerate(cut):
        places[token.stem].append(i)
    return Text(cut, dict(places))
