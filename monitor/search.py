"""What is typed to search the archive by, as the full-text index is asked and as an item is tried. Pure.

The index only narrows down: what it names is read again and tried as a keyword would be, so that a search finds
exactly what the keyword would, and knows where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitor.indexed import pairs
from monitor.match.query import And, Boost, InField, InSentence, Node, Or, Query
from monitor.match.syntax import compile_search
from monitor.match.words import STUB, Document, Near, Span, Term, Words
from monitor.model import Item
from monitor.text import read

Mark = Callable[[str], str]
"""Words that were found → the words as they are shown."""

SNIPPET = 240
"""Of a summary so many columns are shown: Latin letters take one, Han characters two."""


@dataclass(frozen=True, slots=True)
class Search:
    """A search. `index` is what the full-text index is asked; empty where it cannot narrow anything down."""

    query: Query
    index: str

    def places(self, item: Item) -> Mapping[str, Sequence[tuple[int, int]]] | None:
        """Return where in title and summary an item has what is looked for; None where it has not."""
        texts = {"title": read(item.title), "summary": read(item.summary)}
        found = self.query.match(Document(texts, item.outlet, item.language))
        return None if found is None else {name: _of_field(found.spans, name) for name in texts}


def compiled(text: str) -> Search:
    """Compile what was typed.

    Raises:
        QueryError: with what cannot be read and what to write instead.
    """
    query = compile_search(text)
    return Search(query, _narrowed(query.node))


# ---------------------------------------------------------------- what the index is asked


def _narrowed(node: Node) -> str:
    """Return an FTS5 expression that holds for every item in which the node can be found; empty where none does."""
    match node:
        case Words(terms, halves, plain):
            return _all_of(f'"{word}"' for word in pairs(plain)) if plain else _any_of(map(_row, (terms, *halves)))
        case And(parts):
            return _all_of(map(_narrowed, parts))
        case Near(words, _):
            return _all_of(map(_narrowed, words))
        case Or(parts):
            return _any_of(map(_narrowed, parts))
        case Boost(part, _) | InField(_, part) | InSentence(part):
            return _narrowed(part)
    return ""  # absence, outlets and languages: the index knows nothing of them


def _row(terms: Sequence[Term]) -> str:
    last = terms[-1]
    if not last.prefix:
        return f'"{" ".join(term.key for term in terms)}"'
    if len(terms) > 1:
        return f'"{" ".join(term.key for term in terms[:-1])}"'
    return f'"{last.word}"' if last.is_wide else _prefixed(last.word.lower())


def _prefixed(prefix: str) -> str:
    """Stems are what is indexed: of a word with this prefix, only the first letters are sure to be there.

    A stem can be shorter, and can end on i for y, or y for i.
    """
    if prefix[:3] in ("dyi", "lyi", "tyi"):
        return _any_of([f'"{prefix[0]}ie"', f'"{prefix}" *'])
    stub = prefix[:STUB]
    others = {"y": stub[:-1] + "i", "i": stub[:-1] + "y"}.get(stub[-1])
    starts = [f'"{start}" *' for start in (stub, others) if start]
    return _any_of([*starts, *([f'"{stub[:-1]}"'] if len(stub) == STUB else [])])


def _all_of(parts: Iterable[str]) -> str:
    found = [part for part in dict.fromkeys(parts) if part]
    return found[0] if len(found) == 1 else f"({' AND '.join(found)})" if found else ""


def _any_of(parts: Iterable[str]) -> str:
    found = list(dict.fromkeys(parts))
    if not all(found):
        return ""
    return found[0] if len(found) == 1 else f"({' OR '.join(found)})" if found else ""


# ---------------------------------------------------------------- what is shown


def _of_field(spans: Iterable[Span], name: str) -> list[tuple[int, int]]:
    """Return the places of one field in their order; those that touch or overlap are one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted((start, end) for field, start, end in spans if field == name):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def marked(text: str, places: Iterable[tuple[int, int]], mark: Mark) -> str:
    """Return a text with its places marked."""
    out, last = [], 0
    for start, end in places:
        out += [text[last:start], mark(text[start:end])]
        last = end
    return "".join([*out, text[last:]])


def snippet(text: str, places: Sequence[tuple[int, int]], mark: Mark) -> str:
    """Return the part of a text around its first place, marked; its beginning where it has none."""
    room = SNIPPET // 2 if sum(character > "\u2e80" for character in text) > len(text) // 2 else SNIPPET
    low = max(0, places[0][0] - room // 3) if places else 0
    while low and low < places[0][0] and _cuts_a_word(text, low):
        low += 1
    high = min(len(text), low + room)
    while high > low + room // 2 and _cuts_a_word(text, high):
        high -= 1
    shown = [(start - low, min(end, high) - low) for start, end in places if start < high]
    words = marked(text[low:high], shown, mark)
    return f"{'…' * (low > 0)}{' '.join(words.split()).lstrip(',.;: ')}{'…' * (high < len(text))}"


def _cuts_a_word(text: str, at: int) -> bool:
    return at < len(text) and all(side.isascii() and side.isalnum() for side in text[at - 1 : at + 1])
