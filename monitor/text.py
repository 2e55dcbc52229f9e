r"""One token stream for Latin and Han text, with spans that lead back to the original. Pure.

A Latin word is one token, keyed by its stem; a Han character, a kana or a Hangul syllable is one token. Word borders
are those of ASCII and Latin letters only, so `OpenAI` is found in `微软OpenAI合作`, where `\b` would see one long word.
What is searched is the folded text: NFKC (UAX 15), traditional Han as simplified, entities read, invisible characters
gone. Capitals stay, because AGI is not Agi; a stem has none.
"""

from __future__ import annotations

import html
import re
import threading
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import Stemmer

# ---------------------------------------------------------------- folding

_HAN_RANGES = ((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF))


@cache
def _single_folds() -> dict[int, str]:
    """Return what folds to one other character: full width, compatibility and traditional Han, odd spaces.

    Made when the first text is read, for that takes as long as a command that reads none.
    """
    import opencc

    others = [*range(0xA0, 0x3001), *range(0xFF01, 0xFFEF)]
    plain = {code: unicodedata.normalize("NFKC", chr(code)) for code in others}
    plain[0x2026] = "."  # an ellipsis would become three, and nearly every excerpt has one
    han = [chr(code) for first, last in _HAN_RANGES for code in range(first, last + 1)]
    normal = [unicodedata.normalize("NFKC", character) for character in han]
    to_simplified = opencc.OpenCC("t2s")
    simple = to_simplified.convert(to_simplified.convert("\n".join(normal))).split("\n")  # twice: a few go in two steps
    plain.update(zip(map(ord, han), simple, strict=True))
    return {code: to for code, to in plain.items() if len(to) == 1 and to != chr(code)}


# Zero-width characters, soft hyphens, bidirectional controls, variation selectors: they split words unseen.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]"
)
# An entity, however often its & was escaped again.
_ESCAPES = r"&(?:(?:amp|AMP|#0*(?:38|65120|65286)|#[xX]0*(?:26|[fF][eE]60|[fF]{2}06));)*"
_ENTITY = re.compile(rf"{_ESCAPES}(?:#\d{{1,7}}|#[xX][0-9a-fA-F]{{1,6}}|[A-Za-z][A-Za-z0-9]{{1,31}});")


def fold(text: str) -> tuple[str, Sequence[int] | None]:
    """Return the folded text, and for each of its characters the offset in `text` (None: they are the same).

    Folding a folded text changes nothing.
    """
    if text.isascii() and "&" not in text:
        return text, None
    folded, offsets = text.translate(_single_folds()), None
    while _is_uneven(folded):
        folded, steps = _folded_by_clusters(folded)
        offsets = steps if offsets is None else [offsets[step] for step in steps]
    return folded, offsets


def _is_uneven(text: str) -> bool:
    """Tell whether a fold that changes lengths is left to do."""
    if not text.isascii() and (_INVISIBLE.search(text) or not unicodedata.is_normalized("NFKC", text)):
        return _folded_by_clusters(text)[0] != text
    return "&" in text and any(_unescaped(found) != found for found in _ENTITY.findall(text))


def _unescaped(entity: str) -> str:
    return html.unescape(re.sub(_ESCAPES + r"(?=[#A-Za-z])", "&", entity))


def _folded_by_clusters(text: str) -> tuple[str, list[int]]:
    """Fold what is longer or shorter than its fold: entities, and letters with the marks that belong to them."""
    out: list[str] = []
    offsets: list[int] = []
    at = 0
    while at < len(text):
        entity = _ENTITY.match(text, at) if text[at] == "&" else None
        end = entity.end() if entity else _cluster_end(text, at)
        cluster = _INVISIBLE.sub("", _unescaped(text[at:end]) if entity else text[at:end])
        for character in unicodedata.normalize("NFKC", cluster).translate(_single_folds()):
            out.append(character)
            offsets.append(at)
        at = end
    return "".join(out), offsets


def _cluster_end(text: str, at: int) -> int:
    at += 1
    while at < len(text) and (unicodedata.combining(text[at]) or _INVISIBLE.match(text, at) or _is_jamo(text[at])):
        at += 1
    return at


def _is_jamo(character: str) -> bool:
    """Tell whether this is a vowel or final of a decomposed Hangul syllable: it joins what stands before it."""
    return "\u1160" <= character <= "\u11ff"


# ---------------------------------------------------------------- stems

_PLURAL = re.compile("[A-Z]{2,}s")
# British and American endings made one; with them the compounds (datacentre).
_SPELLINGS = (
    (re.compile(r"centre(s?)$"), r"center\1"),
    (re.compile(r"(?<=^li)cence(s?)$"), r"cense\1"),
    (re.compile(r"defence(s?)$"), r"defense\1"),
    (re.compile(r"programme(s?)$"), r"program\1"),
    (re.compile(r"(fav|rum|lab|behavi|endeav)our(?=s?$|ed$|ing$)"), r"\1or"),
    # Towards British here: the other way would make `revize` of revise, and part it from revision.
    (re.compile(r"(?<=[a-z]{3})iz(?=(?:e|ed|es|er|ers|ing|ation|ations)$)"), "is"),
)


class _Stemmers(threading.local):
    """A stemmer for each thread: its C state must not be shared."""

    def __init__(self) -> None:
        self.english = Stemmer.Stemmer("english")
        self.porter = Stemmer.Stemmer("porter")


_stemmers = _Stemmers()


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Return the Snowball (Porter 2) stem of a word, in lower case and one spelling; `GPUs` is a plural of GPU."""
    if word >= "\u3000":
        return word
    if _PLURAL.fullmatch(word):
        word = word[:-1]
    word = word.lower()
    for ending, other in _SPELLINGS:
        word = ending.sub(other, word)
    stemmed: str = _stemmers.english.stemWord(word)
    return stemmed


def porter(word: str) -> str:
    """Return the older Porter stem of a word in lower case: what SQLite's `porter` makes of nearly all."""
    stemmed: str = _stemmers.porter.stemWord(word)
    return stemmed if len(word) > 2 else word


# ---------------------------------------------------------------- tokens

_LATIN = r"[0-9A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u03ff\u0400-\u04ff]+"  # × and ÷ stand among them
_WIDE = (
    r"[\u3005\u3007\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7a3"
    r"\U00020000-\U000323af]"
)
_TOKEN = re.compile(rf"{_LATIN}|{_WIDE}")
_POSSESSIVE = re.compile(r"(?<=[^\W_])['’‘ʼ][sS](?![0-9A-Za-z_\u00c0-\u024f])")
# Words that end with a full stop and do not end a sentence; single letters (U.S., J. Smith) never do.
_ABBREVIATIONS = {
    "inc", "corp", "co", "ltd", "mr", "mrs", "ms", "dr", "st", "vs", "no", "jr", "sr", "prof", "gen", "sen", "rep",
    "gov", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "approx", "est", "etc",
}  # fmt: skip
_LAST_WORD = re.compile(r"[^\W\d_]+")  # read backwards
_STOP = re.compile(r"""[.!?。;|丨\n]+["'”’」』）)\]]*|\s[•·▪■●/]\s""")


class Text:
    """A text cut into tokens: `words` with their capitals, `stems` without.

    `places` maps a stem to the numbers of its tokens; `starts` and `ends` are offsets into `folded`, and `span` leads
    back to the original. What most texts never need is made when it is asked for: nearly all news is about neither
    company, and is known to be by its stems.
    """

    __slots__ = ("_cuts", "breaks", "ends", "folded", "high", "low", "offsets", "original", "places", "readable",
                 "starts", "stems", "words")  # fmt: skip
    breaks: list[int]
    """Where sentences end in `folded`, but for the last."""
    places: dict[str, list[int]]
    starts: list[int]
    ends: list[int]

    def __init__(
        self, original: str, folded: str, readable: str, words: list[str], stems: list[str],
        offsets: Sequence[int] | None, low: int, high: int,
    ) -> None:  # fmt: skip
        self.original, self.folded, self.readable = original, folded, readable
        self.words, self.stems, self.offsets = words, stems, offsets
        self.low, self.high = low, high

    def __getattr__(self, name: str) -> Any:
        """Make what is not there yet."""
        if name == "places":
            self.places = _places(self.stems)
        elif name in ("starts", "ends"):
            spans = [match.span() for match in _TOKEN.finditer(self.readable, self.low, self.high)]
            self.starts, self.ends = [start for start, _ in spans], [end for _, end in spans]
        elif name == "breaks":
            self.breaks = sentence_ends(self.folded)
        elif name == "_cuts":
            self._cuts = self._cut([*self.breaks, len(self.folded)])
        else:
            raise AttributeError(name)
        return getattr(self, name)

    @property
    def sentences(self) -> Sequence[Text]:
        """The text, sentence by sentence; offsets stay those of the whole."""
        # A text that held itself would be left to the garbage collector, which then took a sixth of all time.
        return (self.breaks and self._cuts) or (self,)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where `folded[start:end]` stands in the original text."""
        if self.offsets is None:
            return start, end
        last = self.offsets[end - 1] if end else 0
        while end < len(self.offsets) and self.offsets[end] == last:  # of what one sign stands for, none without it
            end += 1
        return self.offsets[start], self.offsets[end] if end < len(self.offsets) else len(self.original)

    def token_at(self, offset: int) -> int:
        """Return the number of the token that holds the folded character at `offset`, or of the one before it."""
        return bisect_right(self.starts, offset) - 1

    def _cut(self, ends: list[int]) -> list[Text]:
        parts, first, low = [], 0, 0
        for end in ends:
            last = bisect_right(self.starts, end - 1)
            if last > first:
                part = Text(
                    self.original, self.folded, self.readable, self.words[first:last], self.stems[first:last],
                    self.offsets, low, end,
                )  # fmt: skip
                part.starts, part.ends, part.breaks = self.starts[first:last], self.ends[first:last], []
                parts.append(part)
            first, low = last, end
        return parts


def sentence_ends(folded: str) -> list[int]:
    """Return the offsets behind the marks that end a sentence, but for the last.

    A full stop ends one only before a space, and neither after an abbreviation nor before a small letter, so that
    `U.S.`, `GPT-4.1` and `Inc.` end none.
    """
    ends = []
    for found in _STOP.finditer(folded):
        end = found.end()
        mark = found.group()
        if end < len(folded) and (mark[0] != "." or "\n" in mark or _stops(folded, found.start(), end)):
            ends.append(end)
    return ends


def _stops(folded: str, start: int, end: int) -> bool:
    if not (folded[end].isspace() or folded[end] >= "\u3000" or folded[end - 1] in "\"'”’」』）)]"):
        return False
    rest = folded[end : end + 3].lstrip()
    if rest and rest[0].islower() and rest[0] < "\u3000":
        return False
    before = _LAST_WORD.match(folded[max(0, start - 12) : start][::-1])
    if before and before.group()[-1] < "\u3000" and end - start == 1:
        word = before.group()[::-1]
        initial = len(word) == 1 and (start < 2 or not folded[start - 2].isdigit())
        return not initial and word.lower() not in _ABBREVIATIONS
    return True


def _places(stems: list[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for number, key in enumerate(stems):
        if key in places:
            places[key].append(number)
        else:
            places[key] = [number]
    return places


def tokens(folded: str) -> tuple[list[str], list[str]]:
    """Return the words of a folded text and their stems, where nobody asks where they stand."""
    words = _TOKEN.findall(_POSSESSIVE.sub(" ", folded))
    return words, list(map(stem, words))


def bare_words(folded: str) -> list[str]:
    """Return the words of a folded text as `read` finds them, and the s of possessives besides."""
    return _TOKEN.findall(folded)


def read(text: str) -> Text:
    """Cut a text into tokens and index them. A possessive s (`OpenAI's`) belongs to no token."""
    folded, offsets = fold(text)
    readable = folded
    if "'" in folded or "’" in folded or "‘" in folded or "ʼ" in folded:
        readable = _POSSESSIVE.sub("  ", folded)  # as long as it was
    words = _TOKEN.findall(readable)
    return Text(text, folded, readable, words, list(map(stem, words)), offsets, 0, len(folded))
