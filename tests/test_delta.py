"""Cutting out what was seen: what is left is exactly what was not, or nothing is cut at all."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.feeds.delta import WIDTH, broken_off, cut
from monitor.feeds.parse import parse
from monitor.model import Parsed

STEADY = settings(derandomize=True, deadline=None, max_examples=150)
THOROUGH = settings(STEADY, max_examples=400)
FORMATS = ("rss", "atom", "rdf")

HEADS = {
    "rss": '<?xml version="1.0"?><rss version="2.0"><channel><title>Feed</title>',
    "atom": '<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Feed</title>',
    "rdf": '<?xml version="1.0"?><rdf:RDF xmlns="http://purl.org/rss/1.0/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    'syntax-ns#"><channel rdf:about="x"><title>Feed</title><items><rdf:Seq/></items></channel>',
}
TAILS = {"rss": "</channel></rss>", "atom": "</feed>", "rdf": "</rdf:RDF>"}
ODD = [
    "", "plain", "a &lt;item&gt; b", "<![CDATA[<p>text</p>]]>", "<![CDATA[ ]]&gt; ]]>", "<!-- aside -->",
    "<![CDATA[<!-- never closed]]>", "<!-- <![CDATA[ -->", "<!-- ]]> -->", "<x:item>y</x:item>", "<items>z</items>",
    "<itemised/>", "<entryway>w</entryway>", "&amp;&#169;", "<?php echo 1 ?>", "<b title='a&gt;b'>c</b>", "微软",
    # what upsets the turns
    "<![CDATA[<item>]]>", "<![CDATA[</item>]]>", "<![CDATA[</item><item>]]>", "<!-- </item><item> -->",
    "<![CDATA[</entry><entry>]]>", "<!-- </entry><entry> -->", "<item/>", "<entry/>", "<item>in</item>",
    "<entry>in</entry>", "<!-- <item></item> -->", "<![CDATA[<item>a</item>]]>",
]  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A document with what it was made of."""

    kind: str
    entries: tuple[str, ...]
    between: tuple[str, ...]

    @property
    def body(self) -> bytes:
        pieces = "".join(a + b for a, b in zip(self.entries, self.between, strict=True))
        return (HEADS[self.kind] + pieces + TAILS[self.kind]).encode()


def entry(kind: str, number: int, odd: str, words: str = "Title") -> str:
    """Return one entry."""
    if kind == "atom":
        return f"<entry><id>n{number}</id><title>{words} {number}</title><summary>{odd}</summary></entry>"
    about = f' rdf:about="n{number}"' if kind == "rdf" else ""
    guid = "" if kind == "rdf" else f"<guid>n{number}</guid>"
    return f"<item{about}><title>{words} {number}</title>{guid}<description>{odd}</description>\n</item >"


@st.composite
def documents(draw: st.DrawFn, texts: tuple[str, ...] = tuple(ODD)) -> Made:
    """Return any document whose entries hold one of the texts each."""
    odd = st.sampled_from(texts)
    kind = draw(st.sampled_from(FORMATS))
    count = draw(st.integers(1, 7))
    gap = st.sampled_from(["", "\n", " <!-- gap --> ", "<x/>"])
    return Made(
        kind,
        tuple(entry(kind, n, draw(odd), draw(st.sampled_from(["Title", "微软", "Second"]))) for n in range(count)),
        tuple(draw(gap) for _ in range(count)),
    )


def read(body: bytes) -> Parsed:
    """Read a document."""
    parsed = parse(body, {})
    assert isinstance(parsed, Parsed)
    return parsed


def seen_of(hashes: bytes, numbers: set[int]) -> bytes:
    """Return the hashes of some entries."""
    return b"".join(hashes[n * WIDTH : (n + 1) * WIDTH] for n in sorted(numbers))


@THOROUGH
@given(documents(), st.data())
def test_what_is_left_is_what_was_not_seen(made: Made, data: st.DataObject) -> None:
    """For each format, whatever stands in the entries and between them, and whichever were seen."""
    whole = cut(made.body, b"")
    if whole is None:
        return
    entries = read(made.body).entries
    assert whole.total == len(entries) == len(made.entries)
    numbers = data.draw(st.sets(st.integers(0, whole.total - 1)))
    piece = cut(made.body, seen_of(whole.hashes, numbers))
    assert piece is not None
    assert piece.hashes == whole.hashes
    assert (piece.known, piece.left) == (len(numbers), whole.total - len(numbers))
    assert read(piece.rest).entries == tuple(one for n, one in enumerate(entries) if n not in numbers)


@THOROUGH
@given(documents(), documents())
def test_a_later_document_loses_nothing_that_is_new_in_it(earlier: Made, later: Made) -> None:
    """As polling does it: what the last document had is cut out of the next one, whatever both hold."""
    before, piece = cut(earlier.body, b""), None
    if before is not None:
        piece = cut(later.body, before.hashes)
    if piece is None:
        return
    old = set(earlier.entries)
    wanted = [one.title for one, text in zip(read(later.body).entries, later.entries, strict=True) if text not in old]
    assert [one.title for one in read(piece.rest).entries] == wanted


@STEADY
@given(documents(tuple(ODD[:17])))
def test_ordinary_documents_are_cut(made: Made) -> None:
    """CDATA, comments, and elements that only look alike stop nobody: else all would be parsed each time."""
    assert cut(made.body, b"") is not None


@STEADY
@given(documents())
def test_with_nothing_seen_nothing_is_cut(made: Made) -> None:
    """The first document is read as it is; hashes of other feeds change nothing."""
    for seen in (b"", b"12345678", b"odd"):
        piece = cut(made.body, seen)
        if piece is not None:
            assert (piece.rest, piece.known) == (made.body, 0)


@STEADY
@given(documents(tuple(ODD[:17])))
def test_with_all_seen_no_entry_is_left(made: Made) -> None:
    """And the title of the feed stays."""
    whole = cut(made.body, b"")
    assert whole is not None
    piece = cut(made.body, whole.hashes)
    assert piece is not None
    assert (piece.left, read(piece.rest).entries, read(piece.rest).title) == (0, (), "Feed")


def test_one_changed_letter_makes_an_entry_new() -> None:
    """An edit is found; the others stay known."""
    old = Made("rss", tuple(entry("rss", n, "x") for n in range(5)), ("",) * 5)
    whole = cut(old.body, b"")
    assert whole is not None
    piece = cut(old.body.replace(b"Title 3", b"Title, 3"), whole.hashes)
    assert piece is not None
    assert (piece.known, piece.left) == (4, 1)
    assert [one.title for one in read(piece.rest).entries] == ["Title, 3"]


def rss(*items: str) -> bytes:
    """Return an RSS document."""
    return (HEADS["rss"] + "".join(items) + TAILS["rss"]).encode()


A, B = "<item><title>A</title></item>", "<item><title>B</title></item>"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>item</body></html>",
        b'{"items": []}',
        rss(),
        rss("<item/>", A),
        rss(A, "<item><title>broken off"),
        rss(A, "<item><title>broken off</title></item")[: -len(TAILS["rss"])],
        rss(A, "</item>"),
        rss("<item>", A, "</item>"),
        rss(A, "<entry><title>E</title></entry>"),
        rss(A, "<entry><title>E</title></item>"),
        rss(A, "<ITEM><title>C</title></ITEM>"),
        rss(A, "<atom:entry><title>C</title></atom:entry>"),
        rss(A, "<!-- ", B, " -->"),
        rss(A, "<!-- ", B),
        rss(A, "<![CDATA[", B, "]]>"),
        rss(A, "<item><description><![CDATA[ </item><item> ]]></description></item>", B),
        rss(A, "<item><description><!-- </item><item> --></description></item>", B),
        rss(A, "<item><description><![CDATA[ <item> ]]></description></item>", B),
        b'<!DOCTYPE rss [<!ENTITY x "y">]>' + rss(A, B),
        rss(A, B).decode().encode("utf-16"),
        rss(A, B).decode().encode("utf-16-le"),
        rss(A, B).decode().encode("utf-32"),
    ],
)
def test_what_cannot_be_cut_with_certainty_is_read_whole(body: bytes) -> None:
    """Rather slow than one entry lost."""
    assert cut(body, b"") is None


def test_an_entry_that_broke_off_is_not_passed_over() -> None:
    """Where all others are known there would seem to be nothing new."""
    whole = cut(rss(A, B), b"")
    assert whole is not None
    assert cut(rss(A, B, "<item><title>New</title><link>https://exa"), whole.hashes) is None


def test_new_entries_behind_a_border_in_cdata_are_not_swallowed() -> None:
    """Half of an entry must not stay behind with its CDATA open."""
    odd = "<item><title>Odd</title><description><![CDATA[ {} </item><item> ]]></description></item>"
    old, new = rss(odd.format("1")), rss(odd.format("2"), B)
    before = cut(old, b"")
    piece = cut(new, before.hashes if before else b"")
    titles = [one.title for one in read(piece.rest if piece else new).entries]
    assert titles == ["Odd", "B"]


soup = st.lists(
    st.sampled_from(["<item>", "</item>", "<item/>", "<entry>", "</entry>", "<![CDATA[", "]]>", "<!--", "-->", "x", "<",
                     "<title>T</title>", "<!", ">", "<item a='", "'>", A, A, A, B, B, B]),
    max_size=12,
).map("".join)  # fmt: skip


@THOROUGH
@given(soup)
def test_no_document_stops_the_worker(text: str) -> None:
    """Whatever is cut out of any soup, what is left is no longer, and knows all that was seen."""
    body = text.encode()
    whole = cut(body, b"")
    if whole is None:
        return
    assert whole.total > 0
    piece = cut(body, whole.hashes[:WIDTH])
    assert piece is not None
    assert (piece.hashes, piece.known > 0) == (whole.hashes, True)
    assert len(piece.rest) < len(body)


@pytest.mark.parametrize("form", FORMATS)
def test_a_document_that_broke_off_has_its_whole_entries(form: str) -> None:
    """Wherever that was; one with its end, or what stands behind it, is none."""
    tag = "entry" if form == "atom" else "item"
    entries = [f"<{tag}><title>{n}</title></{tag}>" for n in range(3)]
    text = HEADS[form] + "".join(entries)
    whole = (text + TAILS[form]).encode()
    for tail in (b"", b"\n", b"<!-- served in 3 ms -->" * 400):
        assert broken_off(whole + tail) is None
    for at in range(len(HEADS[form]) + len(tag) + 2, len(text)):
        count = sum(at >= len(HEADS[form] + "".join(entries[: n + 1])) for n in range(3))
        assert broken_off(text[:at].encode()) == (HEADS[form] + "".join(entries[:count])).encode()


def test_what_has_no_entries_to_lose_did_not_break_off() -> None:
    """A web page, a JSON Feed, two-byte encodings, nothing: whoever reads them says what is wrong with them."""
    for body in (b"", b"<html><p>Log in", b'{"items": [', HEADS["rss"].encode(), "<rss><item>".encode("utf-16")):
        assert broken_off(body) is None
