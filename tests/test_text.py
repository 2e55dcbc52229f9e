"""Cutting texts into tokens: what is one word, what is its stem, and where it stands in the original."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.match.text import fold_width, read, stem, tokens

LAW = settings(deadline=None, derandomize=True)
MIXED = st.text(
    st.sampled_from("OpenAI's MSFT’ＡＩ　微软奥特曼，。-éßǅ\u0130\u0307\U0001f680\ud83d\x00\n9"), max_size=60
)
"""The characters of this trade and those that break such code."""


def words(text: str) -> list[str]:
    """Return the words that a text is cut into."""
    return [token.word for token in tokens(text)]


# ------------------------------------------------------------------ laws


@LAW
@given(st.text(st.characters(), max_size=80) | MIXED)
def test_each_token_leads_back_to_the_original(text: str) -> None:
    """What stands at a token's span is its word, up to full width; spans come in order and never overlap."""
    end = 0
    for token in tokens(text):
        assert end <= token.start < token.end <= len(text)
        assert fold_width(text[token.start : token.end]) == token.word
        end = token.end


@LAW
@given(st.text(st.characters(), max_size=80) | MIXED)
def test_any_text_can_be_read(text: str) -> None:
    """Reading never raises, and the index names each token's place once."""
    cut = read(text)
    places = sorted((i, stem) for stem, found in cut.places.items() for i in found)
    assert places == [(i, token.stem) for i, token in enumerate(cut.tokens)]


@LAW
@given(st.text(st.characters(), max_size=80) | MIXED)
def test_folding_the_width_keeps_every_offset(text: str) -> None:
    """As many characters as before, and folding again changes nothing."""
    folded = fold_width(text)
    assert len(folded) == len(text)
    assert fold_width(folded) == folded


@LAW
@given(st.text(st.sampled_from("ABCXYZabcxyz0189"), min_size=1, max_size=20))
def test_full_width_reads_as_half_width(text: str) -> None:
    """ＯｐｅｎＡＩ is OpenAI, whatever the letters."""
    wide = "".join(chr(ord(c) + 0xFEE0) for c in text)
    assert tokens(wide) == tokens(text)


# ------------------------------------------------------------------ Latin beside Han


@pytest.mark.parametrize(
    "text", ["微软OpenAI合作", "微软 OpenAI 合作", "微软「OpenAI」合作", "微软ＯｐｅｎＡＩ合作", "微软,OpenAI,合作"]
)
def test_openai_is_a_word_beside_han(text: str) -> None:
    r"""Where `\b` sees one long word, a reader sees three."""
    assert words(text) == ["微", "软", "OpenAI", "合", "作"]


def test_a_span_beside_han_is_exact() -> None:
    """The mark in the page stands on the word and not beside it."""
    text = "据悉，微软与ＯpenＡＩ的合同"
    (token,) = [token for token in tokens(text) if token.stem == "openai"]
    assert text[token.start : token.end] == "ＯpenＡＩ"
    assert token.word == "OpenAI"


def test_the_ideographic_space_parts_words() -> None:
    """Chinese keyboards make a wide space."""
    assert words("Open\u3000AI") == ["Open", "AI"]


@pytest.mark.parametrize("text", ["8×H100", "8 × H100", "8÷H100"])
def test_a_multiplication_sign_parts_words(text: str) -> None:
    """`8×H100` names the chip: the sign is no letter, though it stands among them in Unicode."""
    assert words(text) == ["8", "H100"]


# ------------------------------------------------------------------ possessives and borders


@pytest.mark.parametrize("text", ["OpenAI's", "OpenAI’s", "OPENAI'S", "OpenAI＇s"])
def test_a_possessive_s_is_no_word(text: str) -> None:
    """With either apostrophe, `OpenAI's` is OpenAI."""
    assert [token.stem for token in tokens(text)] == ["openai"]
    assert [token.stem for token in tokens(f"{text} deal")] == ["openai", "deal"]


def test_a_possessive_beside_han_is_no_word() -> None:
    """`微软's` appears in English headlines of Chinese outlets."""
    assert words("微软's deal") == ["微", "软", "deal"]


def test_an_s_that_stands_alone_is_a_word() -> None:
    """Only an apostrophe behind a letter makes a possessive."""
    assert words("S is 's and x-s") == ["S", "is", "s", "and", "x", "s"]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("in-house", ["in", "house"]),
        ("MAI-1", ["MAI", "1"]),
        ("AT&T", ["AT", "T"]),
        ("GPT4o", ["GPT4o"]),
        ("snake_case", ["snake", "case"]),
        ("café", ["café"]),
        ("$13.5bn", ["13", "5bn"]),
        ("🚀OpenAI🚀", ["OpenAI"]),
        ("", []),
        ("—…!?", []),
    ],
)
def test_words_end_where_readers_end_them(text: str, cut: list[str]) -> None:
    """Hyphens, signs and pictures part words; digits and accents do not."""
    assert words(text) == cut


# ------------------------------------------------------------------ inflections


@pytest.mark.parametrize(
    ("word", "inflected"),
    [
        ("pause", "paused pauses pausing Paused PAUSES"),
        ("cancel", "cancels canceled cancelled cancelling"),
        ("center", "centers Centers"),
        ("centre", "centres"),
        ("company", "companies"),
        ("compete", "competes competed competing"),
        ("deal", "deals Deals"),
        ("CEO", "CEOs"),
    ],
)
def test_inflections_share_a_stem(word: str, inflected: str) -> None:
    """One keyword finds the word as grammar bends it."""
    assert {stem(form) for form in inflected.split()} == {stem(word)}


@pytest.mark.parametrize(("word", "plural"), [("GPU", "GPUs"), ("LLM", "LLMs"), ("TPU", "TPUs"), ("PC", "PCs")])
def test_the_plural_of_an_acronym_shares_its_stem(word: str, plural: str) -> None:
    """A small s behind capitals is a plural, although English has no word that ends like it."""
    assert [token.stem for token in tokens(plural)] == [token.stem for token in tokens(word)]


@pytest.mark.parametrize(
    ("one", "other"), [("universe", "chips"), ("Microsoft", "microscope"), ("open", "OpenAI"), ("IP", "ship")]
)
def test_other_words_have_other_stems(one: str, other: str) -> None:
    """Stemming never makes one firm of another."""
    assert stem(one) != stem(other)


def test_two_jobs_may_read_at_once() -> None:
    """An edited feeds.yaml is compiled by one thread while another judges: neither crashes, both read the same."""
    ends = ("ing", "ed", "ation", "ational", "izer", "s", "iveness", "fully")
    made = [[f"{letter}relat{i}{end}" for i in range(60) for end in ends] for letter in "abcdabcd"]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            cut = list(pool.map(lambda some: tokens(" ".join(some)), made))
    finally:
        sys.setswitchinterval(before)
    again = [tokens(" ".join(some).upper()) for some in made]  # the same stems, none of them remembered
    assert [[token.stem for token in some] for some in cut] == [[token.stem for token in some] for some in again]
