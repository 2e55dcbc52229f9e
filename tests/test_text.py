"""Cutting texts into tokens: what is one word, its stem, its place in the original, and where a sentence ends."""

from __future__ import annotations

import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.text import Text, fold, read, sentence_ends, stem

LAW = settings(deadline=None, derandomize=True)
MIXED = st.text(
    st.sampled_from("OpenAI's MSFT’ＡＩ　微软奥特曼，。-éßǅ\u0130\u0307\U0001f680\ud83d\x00\n9"), max_size=60
)
"""The characters of this trade and those that break such code."""
STRANGE = st.lists(
    st.sampled_from(
        [
            *"AI9s'’微軟后ガ한.。 &;#\n",
            *("½", "㍿", "㎏", "…", "‥", "ﬃ", "ﾞ", "ｶ", "\u200b", "\u00ad", "\ufeff", "\ufe0f", "\u0301"),
            *("\u0307", "\u3099"),
            *("&amp;", "amp;", "&#39;", "&nbsp;", "&shy;", "&#8203;", "&lt;", "&#24494;", "&half;"),
            *("&bogus;", "&#xd800;"),
        ]
    ),
    max_size=24,
).map("".join)
"""What folds to something longer, shorter or nothing at all."""
ANY = st.text(st.characters(), max_size=80) | MIXED | STRANGE


def words(text: str) -> list[str]:
    """Return the words that a text is cut into."""
    return read(text).words


def shown(text: str) -> list[str]:
    """Return the words of a text as they stand in the original."""
    return [text[start:end] for start, end in spans(read(text))]


def spans(cut: Text) -> list[tuple[int, int]]:
    """Return where each word stands in the original."""
    return [cut.span(start, end) for start, end in zip(cut.starts, cut.ends, strict=True)]


def sentences(text: str) -> list[str]:
    """Return the sentences of a folded text."""
    folded, _ = fold(text)
    borders = [0, *sentence_ends(folded), len(folded)]
    parts = [folded[start:end].strip() for start, end in pairwise(borders)]
    return [part for part in parts if part]


# ------------------------------------------------------------------ laws


@LAW
@given(st.text(st.characters(), max_size=80) | MIXED)
def test_each_token_leads_back_to_the_original(text: str) -> None:
    """What stands at a token's span is its word, folded, with marks at most; spans come in order, never empty."""
    cut = read(text)
    before = 0
    for word, (start, end) in zip(cut.words, spans(cut), strict=True):
        assert before <= start < end <= len(text)
        before = start
        folded, _ = fold(text[start:end])
        if all(len(unicodedata.normalize("NFKC", c)) == 1 for c in text[start:end]):
            assert folded.startswith(word)
            assert all(unicodedata.combining(c) for c in folded[len(word) :])


@LAW
@given(st.text(st.sampled_from("OpenAI's MSFT’ＡＩ　微软軟後奥特曼，。-éßǅガ한\U0001f680\ud83d\x00\n9"), max_size=60))
def test_tokens_never_overlap(text: str) -> None:
    """Where a character stays one character, a span is its word and nothing else."""
    cut = read(text)
    end = 0
    for word, span in zip(cut.words, spans(cut), strict=True):
        assert end <= span[0] < span[1] <= len(text)
        assert fold(text[slice(*span)])[0] == word
        end = span[1]


@LAW
@given(ANY)
def test_a_span_cut_out_holds_its_word(text: str) -> None:
    """What a page marks is never empty, and read by itself it holds the word that was found."""
    cut = read(text)
    for word, (start, end) in zip(cut.words, spans(cut), strict=True):
        assert 0 <= start < end <= len(text)
        assert word in words(text[start:end])


@LAW
@given(ANY)
def test_tokens_stand_in_the_folded_text(text: str) -> None:
    """In order, without overlap, each at its place."""
    cut = read(text)
    assert cut.original == text
    assert cut.folded == fold(text)[0]
    end = 0
    for word, start, stop in zip(cut.words, cut.starts, cut.ends, strict=True):
        assert end <= start < stop <= len(cut.folded)
        assert cut.folded[start:stop] == word
        assert cut.token_at(start) == cut.token_at(stop - 1) == cut.starts.index(start)
        end = stop


@LAW
@given(ANY)
def test_any_text_can_be_read(text: str) -> None:
    """Reading never raises, and the index names each token's place once."""
    cut = read(text)
    places = sorted((i, key) for key, found in cut.places.items() for i in found)
    assert places == [(i, stem(word)) for i, word in enumerate(cut.words)]


@LAW
@given(ANY)
def test_folding_keeps_every_offset(text: str) -> None:
    """Each folded character leads to one of the original, in order, and folding again changes nothing."""
    folded, offsets = fold(text)
    assert fold(folded)[0] == folded
    if offsets is None:
        assert len(folded) == len(text)
        return
    assert len(offsets) == len(folded)
    assert list(offsets) == sorted(offsets)
    assert all(0 <= offset < len(text) for offset in offsets)


def test_folding_any_character_twice_is_folding_it_once() -> None:
    """All of Unicode: no character goes in two steps."""
    for code in range(sys.maxunicode + 1):
        folded, _ = fold(chr(code))
        assert fold(folded)[0] == folded, hex(code)


@LAW
@given(st.text(st.sampled_from("ABCXYZabcxyz0189"), min_size=1, max_size=20))
def test_full_width_reads_as_half_width(text: str) -> None:
    """ＯｐｅｎＡＩ is OpenAI, whatever the letters."""
    wide = "".join(chr(ord(c) + 0xFEE0) for c in text)
    assert words(wide) == words(text)
    assert read(wide).places == read(text).places
    assert spans(read(wide)) == spans(read(text))


@LAW
@given(st.lists(st.sampled_from(["OpenAI", "微软", "café", "ガス", "9", "AT&T"]), max_size=6), st.integers(0, 3))
def test_escaping_a_text_changes_no_word(row: list[str], times: int) -> None:
    """Feeds escape once, twice or thrice: the same is read."""
    text = escaped = " ".join(row)
    for _ in range(times):
        escaped = escaped.replace("&", "&amp;")
    assert words(escaped) == words(text)


@LAW
@given(
    st.text(st.sampled_from("OpenAI微软ガ9 é."), max_size=20), st.sampled_from("\u200b\u200d\u00ad\u2060\ufeff\u200e")
)
def test_an_invisible_character_anywhere_changes_no_word(text: str, unseen: str) -> None:
    """What a reader cannot see does not part words."""
    for at in range(len(text) + 1):
        assert words(text[:at] + unseen + text[at:]) == words(text)


@LAW
@given(ANY)
def test_sentences_hold_every_word_once(text: str) -> None:
    """Cut into sentences, no word is lost, none is told twice, and each stays where it was."""
    cut = read(text)
    parts = cut.sentences
    assert [word for part in parts for word in part.words] == cut.words
    assert [start for part in parts for start in part.starts] == cut.starts
    assert [span for part in parts for span in spans(part)] == spans(cut)
    for part in parts:
        assert all(part.low <= start < end <= part.high for start, end in zip(part.starts, part.ends, strict=True))
        assert {key: [part.words[i] for i in found] for key, found in part.places.items()} == {
            key: [word for word in part.words if stem(word) == key] for key in map(stem, part.words)
        }


@LAW
@given(ANY)
def test_sentence_borders_lie_within(text: str) -> None:
    """They rise, and neither the start nor the end is one."""
    folded, _ = fold(text)
    ends = sentence_ends(folded)
    assert ends == sorted(set(ends))
    assert all(0 < end < len(folded) for end in ends)


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
    cut = read(text)
    (number,) = cut.places["openai"]
    assert text[slice(*spans(cut)[number])] == "ＯpenＡＩ"
    assert cut.words[number] == "OpenAI"


def test_the_ideographic_space_parts_words() -> None:
    """Chinese keyboards make a wide space."""
    assert words("Open\u3000AI") == ["Open", "AI"]


@pytest.mark.parametrize("text", ["8×H100", "8 × H100", "8÷H100"])
def test_a_multiplication_sign_parts_words(text: str) -> None:
    """`8×H100` names the chip: the sign is no letter, though it stands among them in Unicode."""
    assert words(text) == ["8", "H100"]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("マイクロソフト", list("マイクロソフト")),
        ("ｶﾞｽ", ["ガ", "ス"]),
        ("ひらがな", list("ひらがな")),
        ("スーパー", list("スーパー")),
        ("人々", ["人", "々"]),
        ("한국어", ["한", "국", "어"]),
        ("삼성AI", ["삼", "성", "AI"]),
        (unicodedata.normalize("NFD", "한국"), ["한", "국"]),
        (unicodedata.normalize("NFD", "ガス"), ["ガ", "ス"]),
        ("二〇二六", list("二〇二六")),
    ],
)
def test_kana_and_hangul_are_read_character_by_character(text: str, cut: list[str]) -> None:
    """As Han is, half width and decomposed ones too."""
    assert words(text) == cut


# ------------------------------------------------------------------ folding


@pytest.mark.parametrize(
    ("traditional", "simplified"),
    [
        ("微軟", "微软"),
        ("奧特曼", "奥特曼"),
        ("數據中心", "数据中心"),
        ("獨家", "独家"),
        ("優先購買權", "优先购买权"),
        ("競爭對手", "竞争对手"),
        ("之後", "之后"),
        ("裡面", "里面"),
        ("協議", "协议"),
        ("晶片", "晶片"),
    ],
)
def test_traditional_reads_as_simplified(traditional: str, simplified: str) -> None:
    """Taipei and Beijing write the same word; the page still shows what Taipei wrote."""
    assert words(traditional) == words(simplified) == list(simplified)
    assert shown(traditional) == list(traditional)


def test_no_han_character_is_lost() -> None:
    """Whatever can be written can be found: none is folded to something that is not read."""
    lost = [
        chr(code)
        for first, last in ((0x3400, 0x4DBF), (0x4E00, 0x9FFF))
        for code in range(first, last + 1)
        if unicodedata.category(chr(code)) == "Lo" and len(words(chr(code))) != 1
    ]
    assert not lost


@pytest.mark.parametrize(
    ("text", "cut", "places"),
    [
        ("oﬃce", ["office"], ["oﬃce"]),
        ("5㎞ away", ["5km", "away"], ["5㎞", "away"]),
        ("①", ["1"], ["①"]),
        ("Ⅳ", ["IV"], ["Ⅳ"]),
        ("℡", ["TEL"], ["℡"]),
        ("cafe\u0301 x", ["café", "x"], ["cafe\u0301", "x"]),
        ("Mu\u0308ller", ["Müller"], ["Mu\u0308ller"]),
        ("𝐎𝐩𝐞𝐧𝐀𝐈", ["OpenAI"], ["𝐎𝐩𝐞𝐧𝐀𝐈"]),
        ("H₁₀₀", ["H100"], ["H₁₀₀"]),
        ("ＧＰＴ－５", ["GPT", "5"], ["ＧＰＴ", "５"]),
        ("a…b", ["a", "b"], ["a", "b"]),
        ("a‥b", ["a", "b"], ["a", "b"]),
    ],
)
def test_what_only_looks_different_reads_the_same(text: str, cut: list[str], places: list[str]) -> None:
    """NFKC, whether it makes a text longer or shorter; spans are those of the original."""
    assert words(text) == cut
    assert shown(text) == places


@pytest.mark.parametrize(
    ("text", "cut", "places"),
    [
        ("½ cup", ["1", "2", "cup"], ["½", "½", "cup"]),
        ("㍿です", list("株式会社です"), ["㍿", "㍿", "㍿", "㍿", "で", "す"]),
        ("㈱", ["株"], ["㈱"]),
        ("&half;", ["1", "2"], ["&half;", "&half;"]),
        ("9\u0307\u200b", ["9"], ["9\u0307\u200b"]),
    ],
)
def test_a_sign_of_several_words_is_shown_whole(text: str, cut: list[str], places: list[str]) -> None:
    """Part of what one sign stands for cannot be marked but by the sign: a mark is never empty."""
    assert words(text) == cut
    assert shown(text) == places


@pytest.mark.parametrize(
    "unseen",
    [
        *"\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u202a\u202c\ufe0f",
        "&shy;",
        "&#8203;",
        "&amp;zwnj;",
        "\U000e0100",
    ],
)
def test_what_is_not_seen_does_not_part_words(unseen: str) -> None:
    """Zero-width characters, soft hyphens, direction marks and variation selectors, as such or escaped."""
    assert words(f"Open{unseen}AI") == ["OpenAI"]
    assert shown(f"x Open{unseen}AI y") == ["x", f"Open{unseen}AI", "y"]
    cut = read(f"算{unseen}力")
    assert cut.words == ["算", "力"]
    assert cut.ends[0] == cut.starts[1]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("AT&amp;T", ["AT", "T"]),
        ("AT&amp;amp;T", ["AT", "T"]),
        ("AT&amp;amp;amp;T", ["AT", "T"]),
        ("OpenAI&#39;s deal", ["OpenAI", "deal"]),
        ("OpenAI&#x27;s deal", ["OpenAI", "deal"]),
        ("OpenAI&rsquo;s deal", ["OpenAI", "deal"]),
        ("OpenAI&amp;#8217;s deal", ["OpenAI", "deal"]),
        ("OpenAI&amp;rsquo;s deal", ["OpenAI", "deal"]),
        ("OpenAI&nbsp;deal", ["OpenAI", "deal"]),
        ("OpenAI&hellip;", ["OpenAI"]),
        ("&ldquo;OpenAI&rdquo;", ["OpenAI"]),
        ("caf&eacute;", ["café"]),
        ("caf&amp;eacute;", ["café"]),
        ("&#24494;&#36719;", ["微", "软"]),
        ("&#x5FAE;&#x8edf;", ["微", "软"]),
        ("R&D; and AT&T;", ["R", "D", "and", "AT", "T"]),
        ("&bogus; &; &#; &#x;", ["bogus", "x"]),
        ("a &lt;b&gt; c", ["a", "b", "c"]),
    ],
)
def test_entities_that_feeds_left_behind_are_read(text: str, cut: list[str]) -> None:
    """Escaped once or twice; what is none stays as it is."""
    assert words(text) == cut


def test_an_entity_is_shown_as_it_stands() -> None:
    """The mark covers the entity's characters, all of them and no more."""
    assert shown("caf&eacute; 微&#36719;！") == ["caf&eacute;", "微", "&#36719;"]
    assert shown("AT&amp;amp;T pays") == ["AT", "T", "pays"]


@pytest.mark.parametrize(
    "text",
    [
        "&" + "amp;" * 1000 + "x",
        "&" + "AMP;" * 1000 + "x",
        "&" + "#38;" * 1000 + "x",
        "&" + "#x26;" * 1000 + "x",
        "&" + "#65286;" * 1000 + "x",
        "&amp;" * 1000 + "x",
    ],
)
def test_a_text_escaped_without_end_is_read(text: str) -> None:
    """A broken feed escapes again at every fetch; undoing one escape at a time would take minutes."""
    assert words(text)[-1] == "x"


# ------------------------------------------------------------------ possessives and borders


@pytest.mark.parametrize("text", ["OpenAI's", "OpenAI’s", "OPENAI'S", "OpenAI＇s", "OpenAI‘s", "OpenAIʼs"])
def test_a_possessive_s_is_no_word(text: str) -> None:
    """With any apostrophe, `OpenAI's` is OpenAI."""
    assert [stem(word) for word in words(text)] == ["openai"]
    assert [stem(word) for word in words(f"{text} deal")] == ["openai", "deal"]
    assert shown(f"{text} deal") == [text[:-2], "deal"]


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
        ("“OpenAI”", ["OpenAI"]),
        ("‘OpenAI’", ["OpenAI"]),
        ("data‑center", ["data", "center"]),
        ("data–center", ["data", "center"]),
        ("don’t", ["don", "t"]),
        ("partners’ deal", ["partners", "deal"]),
        ("Альтман", ["Альтман"]),
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
        ("promise", "promises promised promising"),
        ("raise", "raises raised raising"),
        ("rise", "rises rising"),
        ("revise", "revises revised revision revisions"),
        ("supervise", "supervised supervision"),
        ("precise", "precisely"),
        ("advertise", "advertised advertisement advertisements"),
        ("surprise", "surprised surprisingly"),
    ],
)
def test_inflections_share_a_stem(word: str, inflected: str) -> None:
    """One keyword finds the word as grammar bends it."""
    assert {stem(form) for form in inflected.split()} == {stem(word)}


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("centre", "center"),
        ("centres", "centers"),
        ("datacentre", "datacenter"),
        ("datacentres", "datacenters"),
        ("licence", "license"),
        ("licences", "licenses"),
        ("defence", "defense"),
        ("programme", "program"),
        ("programmes", "programs"),
        ("favour", "favor"),
        ("favoured", "favored"),
        ("rumours", "rumors"),
        ("labour", "labor"),
        ("behaviour", "behavior"),
        ("endeavours", "endeavors"),
        ("organise", "organize"),
        ("organised", "organized"),
        ("organisation", "organization"),
        ("monetising", "monetizing"),
        ("prioritises", "prioritizes"),
        ("commercialisation", "commercialization"),
        ("modelling", "modeling"),
        ("cancelled", "canceled"),
        ("Centre", "center"),
        ("ORGANISATION", "organization"),
    ],
)
def test_british_spelling_shares_a_stem_with_american(british: str, american: str) -> None:
    """London and New York write of the same data centre."""
    assert stem(british) == stem(american)


@pytest.mark.parametrize(("word", "plural"), [("GPU", "GPUs"), ("LLM", "LLMs"), ("TPU", "TPUs"), ("PC", "PCs")])
def test_the_plural_of_an_acronym_shares_its_stem(word: str, plural: str) -> None:
    """A small s behind capitals is a plural, although English has no word that ends like it."""
    assert read(plural).places == read(word).places


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("universe", "chips"),
        ("Microsoft", "microscope"),
        ("open", "OpenAI"),
        ("IP", "ship"),
        ("hour", "horror"),
        ("four", "for"),
        ("tour", "tor"),
        ("rise", "rize"),
        ("expert", "expertise"),
    ],
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
            cut = list(pool.map(lambda some: read(" ".join(some)), made))
    finally:
        sys.setswitchinterval(before)
    again = [read(" ".join(some).upper()) for some in made]  # the same stems, none of them remembered
    assert [some.places for some in cut] == [some.places for some in again]


# ------------------------------------------------------------------ sentences


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It left. The deal ended.", ["It left.", "The deal ended."]),
        ("Left! Ended? Yes", ["Left!", "Ended?", "Yes"]),
        ("一。二！三？四", ["一。", "二!", "三?", "四"]),
        ("一；二", ["一;", "二"]),
        ("一｡二", ["一。", "二"]),
        ("Really?! Yes", ["Really?!", "Yes"]),
        ("他说“好。”她走了", ["他说“好。”", "她走了"]),
        ("「好。」她走了", ["「好。」", "她走了"]),
        ("He said “no.” Then left", ["He said “no.”", "Then left"]),
        ('He said "no." Then left', ['He said "no."', "Then left"]),
        ("It is over (really). Now what", ["It is over (really).", "Now what"]),
        ("Wait... Then", ["Wait...", "Then"]),
        ("Wait… Then", ["Wait.", "Then"]),
        ("in 2025. He", ["in 2025.", "He"]),
        ("with GPT-4. Next", ["with GPT-4.", "Next"]),
        ("with OpenAI. 微软", ["with OpenAI.", "微软"]),
        ("with OpenAI.微软", ["with OpenAI.", "微软"]),
        ("A headline\nA text", ["A headline", "A text"]),
        ("It left.\nThe deal ended", ["It left.", "The deal ended"]),
        ("It left.\n\nThe deal ended", ["It left.", "The deal ended"]),
        ("It left.\r\nThe deal ended", ["It left.", "The deal ended"]),
        ("OpenAI deal | The Verge", ["OpenAI deal |", "The Verge"]),
        ("A deal • A rift", ["A deal •", "A rift"]),
        ("它走了。 It left", ["它走了。", "It left"]),
    ],
)
def test_a_sentence_ends_where_readers_end_it(text: str, parts: list[str]) -> None:
    """In both scripts, behind the closing quote, at a new line and at the bars of a list."""
    assert sentences(text) == parts
    assert [part.words for part in read(text).sentences] == [words(part) for part in parts]


@pytest.mark.parametrize(
    "text",
    [
        "the U.S. market",
        "the U.S. Then",
        "the U.S. Department of Justice",
        "OpenAI Inc. said",
        "OpenAI Inc. Chief Executive",
        "Microsoft Corp. Wins",
        "Mr. Altman met Dr. Li",
        "J. Smith",
        "No. 1",
        "Sept. 5 at 9 a.m. Pacific",
        "OpenAI vs. Microsoft",
        "GPT-4.1 is here",
        "version 3.5",
        "$13.5bn",
        "openai.com",
        "OpenAI.com Page",
        "for example, e.g. this",
        "it said. and went",
        "微软，OpenAI、谷歌：三家",
        "The end.",
        "完。",
        "no mark at all",
        "",
        ".",
    ],
)
def test_a_full_stop_within_a_sentence_does_not_end_it(text: str) -> None:
    """Neither behind an abbreviation, nor inside a name or a number, nor at the very end."""
    assert sentence_ends(fold(text)[0]) == []
    assert [part.words for part in read(text).sentences] == [words(text)]
