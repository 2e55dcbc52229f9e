"""Keywords: what each kind of query finds, and what is said of one that cannot be read."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise, product
from pathlib import Path
from typing import get_args

import luqum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import QueryError
from monitor.match.query import Index, Node, Query
from monitor.match.syntax import MAX_DISTANCE, compile_query
from monitor.match.words import Document, Match
from monitor.text import read, stem
from tests.builders import ROOT

LAW = settings(deadline=None, derandomize=True)


def found(source: str, text: str) -> list[str] | None:
    """Return the places that a keyword finds in a text, as they stand there; None where it does not match."""
    match = compile_query(source).match(Document({"title": read(text)}))
    return None if match is None else [text[start:end] for _, start, end in match.spans]


def matches(source: str, text: str) -> bool:
    """Tell whether a keyword matches a text."""
    return found(source, text) is not None


def weight(source: str, text: str) -> float | None:
    """Return the weight with which a keyword matches a text; None where it does not match."""
    match = compile_query(source).match(Document({"title": read(text)}))
    return None if match is None else match.weight


def refused(source: str) -> QueryError:
    """Return what is said of a keyword that cannot be read."""
    with pytest.raises(QueryError) as refusal:
        compile_query(source)
    return refusal.value


# ------------------------------------------------------------------ words


@pytest.mark.parametrize(
    ("keyword", "text", "places"),
    [
        ("pause", "OpenAI paused, then pauses", ["paused", "pauses"]),
        ("Microsoft", "MICROSOFT and microsoft's cloud", ["MICROSOFT", "microsoft"]),
        ("OpenAI", "微软OpenAI合作", ["OpenAI"]),
        ("openai", "ＯｐｅｎＡＩ", ["ＯｐｅｎＡＩ"]),
        ("data center", "a data center, two data centers", ["data center", "data centers"]),
        ('"data center"', "Data-center boom", ["Data-center"]),
        ("right of first refusal", "its right of first refusal.", ["right of first refusal"]),
        ("in-house model", "an in-house model; in house models", ["in-house model", "in house models"]),
        ("Yahoo!", "yahoo deal", ["yahoo"]),
        ("AT&T", "AT&T pays", ["AT&T"]),
        ("MAI-1", "the MAI-1 model", ["MAI-1"]),
        ("OpenAI's models", "OpenAI’s model", ["OpenAI’s model"]),
        ("TO", "from A to B", None),
        ("to be", "To be or not", ["To be"]),
        ("OpenAI’s models", "OpenAI's model", ["OpenAI's model"]),
        ("“data center”", "a data center", ["data center"]),
        ("first refusal", "its “first” refusal", ["first” refusal"]),
        ("AT&T", "AT&amp;amp;T pays", ["AT&amp;amp;T"]),
        ("AT&amp;T", "AT&T pays", ["AT&T"]),
        ("café", "the cafe\u0301", ["cafe\u0301"]),
        ("office", "an oﬃce", ["oﬃce"]),
        ("OpenAI deal", "Open\u200bAI&nbsp;deal", ["Open\u200bAI&nbsp;deal"]),
        ("Open\u200bAI", "OpenAI", ["OpenAI"]),
        ("\ufeffOpenAI", "OpenAI", ["OpenAI"]),
        ("data\u00a0center", "data center", ["data center"]),
        ("labor", "the labour market", ["labour"]),
        ("licence", "licensed, licenses", ["licensed", "licenses"]),
        ("organise", "organizing", ["organizing"]),
        ("pausing", "it will pause", ["pause"]),
        ("GPT-4.1", "the GPT-4.1 model, GPT-4", ["GPT-4.1"]),
        ("U.S. market", "the U.S. market", ["U.S. market"]),
        ("1", "½ cup", ["½"]),
        ("株式", "㍿です", ["㍿"]),
    ],
)
def test_words_and_phrases_are_found_as_people_write_them(keyword: str, text: str, places: list[str] | None) -> None:
    """Inflected, in any case, beside any sign, and shown exactly as they stand."""
    assert found(keyword, text) == places


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("ship", "chips shipments relationship"),
        ("open", "OpenAI"),
        ("data center", "center data"),
        ("data center", "data from the center"),
        ('"data center"', "data"),
        ("Azure", "Azureus"),
        ("compute", ""),
        ("café", "cafe"),
        ("revised", "reverse"),
        ("AT&T", "AT, not T"),
    ],
)
def test_only_whole_words_in_their_order_are_found(keyword: str, text: str) -> None:
    """Part of a word is another word, and a phrase is a row."""
    assert not matches(keyword, text)


@pytest.mark.parametrize(
    ("keyword", "text", "expected"),
    [
        ("AGI", "AGI is near", True),
        ("AGI", "Agi Corp and agi", False),
        ("IP", "its IP rights", True),
        ("IP", "ip address", False),
        ("IP", "who owns the IPs", True),
        ("MAI", "MAI-1", True),
        ("MAI", "Mai visits Chiang Mai, mai", False),
        ("AGI", "实现AGI之后", True),
        ("AGI", "ＡＧＩ", True),
        ("ＡＧＩ", "AGI", True),
        ("agi", "AGI, Agi, agi", True),
        ("NVIDIA", "Nvidia", True),
        ("IP rights", "IP rights", True),
        ("IP rights", "ip rights", False),
        ('"open AI"', "open ai", False),
    ],
)
def test_a_short_word_in_capitals_is_found_in_capitals_only(keyword: str, text: str, expected: bool) -> None:
    """AGI is not Agi; a long word or one written small is found in any case."""
    assert matches(keyword, text) is expected


def test_the_plural_of_an_acronym_is_found() -> None:
    """GPU is found in GPUs as chip is found in chips."""
    assert found("GPU", "10,000 GPUs") == ["GPUs"]
    assert not matches("GPU", "gpus")


# ------------------------------------------------------------------ exact words


@pytest.mark.parametrize(
    ("keyword", "text", "places"),
    [
        ("=hired", "hiring, hire, hired, Hired, HIRED, hires", ["hired", "Hired", "HIRED"]),
        ("=weekly", "week, weekly", ["weekly"]),
        ("=documents", "documentation of documents", ["documents"]),
        ("=Hired", "hired Hired", ["Hired"]),
        ("=OpenAI", "openai OpenAI Openai OPENAI", ["OpenAI"]),
        ("=GPU", "GPUs GPU gpu", ["GPU"]),
        ("=apple", "Apple", ["Apple"]),
        ("=Apple", "apple", None),
        ("=datacenter", "data center", None),
        ("=OpenAI", "Open AI", None),
        ("=centre", "center centre", ["centre"]),
        ('="first refusal"', "first refusals, First refusal", ["First refusal"]),
        ('="First refusal"', "first refusal, First refusal", ["First refusal"]),
        ('="first refusal"', "first, refusal", ["first, refusal"]),
        ('="data center"', "datacenter data centers", None),
        ('"right of =first refusal"', "rights of first refusals", ["rights of first refusals"]),
        ("data =centers", "data center, data centers", ["data centers"]),
        ("=hired AND chip", "hired for chips", ["hired", "chips"]),
        ("chip NOT =hired", "chip hire", ["chip"]),
        ("（＝hired）", "hire hired", ["hired"]),
        ("title:=hired", "hire hired", ["hired"]),
        ("title:(=hired)", "hire hired", ["hired"]),
        ('title:="first refusal"', "first refusals, first refusal", ["first refusal"]),
        ('chip -="first refusal"', "chip, first refusals", ["chip"]),
        ("=hired^2", "hired", ["hired"]),
        ('="first refusal"^2', "first refusal", ["first refusal"]),
        ('"=hired =fired"~2', "fire hired fired", ["hired", "fired"]),
        ('="hired fired"~2', "fired hires hired", ["fired", "hired"]),
        ("=算力", "微软算力", ["算力"]),
        ("=微软OpenAI", "微軟OpenAI 微软openai", ["微軟OpenAI"]),
    ],
)
def test_an_exact_word_is_found_as_it_is_written(keyword: str, text: str, places: list[str] | None) -> None:
    """Not inflected, not taken apart; a capital must be a capital, a small letter may be one."""
    assert found(keyword, text) == places


def test_exact_words_tell_apart_what_stems_confuse() -> None:
    """Why there are exact words at all."""
    for one, other in (("weekly", "week"), ("documents", "documentation"), ("hired", "hiring")):
        assert stem(one) == stem(other)
        assert matches(one, other)
        assert not matches(f"={one}", other)


# ------------------------------------------------------------------ compounds

OPEN = ["data center", "data-center", "Data Centers", "data centre", "DATA CENTER", "data‑centres"]
CLOSED = ["datacenter", "Datacenters", "datacentre", "DataCenter", "DATACENTERS"]


@pytest.mark.parametrize(
    ("keyword", "text"),
    list(
        product(
            ["data center", '"data centre"', "data-center", "datacenter", "datacentres", "Data Center"], OPEN + CLOSED
        )
    ),
)
def test_a_compound_is_found_however_it_is_joined(keyword: str, text: str) -> None:
    """Apart, hyphened or closed up, in either spelling, whichever the keyword has; the whole is shown."""
    assert found(keyword, f"the {text} deal") == [text]


@pytest.mark.parametrize(
    ("keyword", "text", "places"),
    [
        ("OpenAI", "Open AI and Open-AI", ["Open AI", "Open-AI"]),
        ("OpenAI", "Open AI's deal with OpenAI", ["OpenAI", "Open AI"]),
        ("OpenAI", "open ai", None),
        ("OpenAI", "an open AI model", None),
        ("OpenAI", "Open the AI", None),
        ("openai", "Open AI", None),
        ("DeepMind", "Deep Mind", ["Deep Mind"]),
        ("DeepMind", "deep mind", None),
        ("ChatGPT", "Chat GPT", ["Chat GPT"]),
        ("SoftBank", "Soft-Bank", ["Soft-Bank"]),
        ("hyperscaler", "hyper-scalers", ["hyper-scalers"]),
        ("data center", "data, center", ["data, center"]),
        ("data center", "a dataset center", None),
        ("open model", "OpenModel", ["OpenModel"]),
        ("AI model", "AImodel", None),
        ("ship", "s hip", None),
        ("datacenter*", "data centers", None),
    ],
)
def test_a_name_comes_apart_at_its_capital_only(keyword: str, text: str, places: list[str] | None) -> None:
    """`Open AI` is the firm, `open AI` a kind of model; a short word never comes apart."""
    match = found(keyword, text)
    assert (match and sorted(match)) == (places and sorted(places))


# ------------------------------------------------------------------ prefixes


@pytest.mark.parametrize(
    ("keyword", "text", "places"),
    [
        ("GPU*", "GPU, GPUs and GPU4x", ["GPU", "GPUs", "GPU4x"]),
        ("GPT*", "GPT-5, GPT4o", ["GPT", "GPT4o"]),
        ("exclusiv*", "Exclusivity, exclusive", ["Exclusivity", "exclusive"]),
        ("data-cent*", "a data centre", ["data centre"]),
        ("GPU*", "eGPU", None),
        ("微软A*", "微软Azure", ["微软Azure"]),
        ("gpu*", "GPUs gpu Gpu4", ["GPUs", "gpu", "Gpu4"]),
        ("GPU*", "gpus", None),
        ("G*", "GPT and gone", ["GPT", "gone"]),
        ("exclusiv*", "non-exclusive", ["exclusive"]),
        ('"data cent*"', "the data centre", ["data centre"]),
        ("算*", "算力", ["算"]),
        ("微软*", "微軟公司", ["微軟"]),
    ],
)
def test_a_prefix_finds_what_begins_with_it(keyword: str, text: str, places: list[str] | None) -> None:
    """At the start of a word, and however it goes on."""
    assert found(keyword, text) == places


# ------------------------------------------------------------------ Han


@pytest.mark.parametrize(
    ("keyword", "text", "places"),
    [
        ("算力", "微软算力紧张，算力不足", ["算力", "算力"]),
        ("微软", "据微软称", ["微软"]),
        ("优先购买权", "对OpenAI算力的优先购买权", ["优先购买权"]),
        ("微软OpenAI", "微软OpenAI", ["微软OpenAI"]),
        ("微软OpenAI", "微软 OpenAI", ["微软 OpenAI"]),
        ("微软 OpenAI", "微软OpenAI", ["微软OpenAI"]),
        ("微软OpenAI", "OpenAI微软", None),
        ("微软OpenAI", "微软和OpenAI", None),
        ("算力", "计算能力", None),
        ("云 AND 独家", "独家云服务", ["云", "独家"]),
        ("微软", "微軟與OpenAI", ["微軟"]),
        ("微軟", "微软与OpenAI", ["微软"]),
        ("優先購買權", "优先购买权", ["优先购买权"]),
        ("数据中心", "數據中心、数據中心", ["數據中心", "数據中心"]),
        ("算力", "算\u200b力", ["算\u200b力"]),
        ("算力", "&#31639;&#21147;", ["&#31639;&#21147;"]),
        ("算力", "算 力", None),
        ("算力", "算，力", None),
        ("微软 算力", "微软，算力", ["微软，算力"]),
        ("软", "微软微软", ["软", "软"]),
        ("人人", "人人人", ["人人"]),
        ("ソフト", "マイクロソフト", ["ソフト"]),
        ("ガス", "ｶﾞｽ会社", ["ｶﾞｽ"]),
        ("한국", "한국어", ["한국"]),
        ("한국", "한 국", None),
        ("々", "人々", ["々"]),
    ],
)
def test_han_is_found_wherever_it_stands(keyword: str, text: str, places: list[str] | None) -> None:
    """Chinese has no spaces: characters in a row are found inside any sentence."""
    assert found(keyword, text) == places


@pytest.mark.parametrize("text", ["召开宣讲，授。权力过大", "他讲授。权力过大", "讲授，权力"])
def test_han_is_not_found_across_a_sentence(text: str) -> None:
    """授权 does not stand in 讲授。权力: a full stop or comma lies between."""
    assert not matches("授权", text)


# ------------------------------------------------------------------ operators


@pytest.mark.parametrize(
    ("keyword", "text", "expected"),
    [
        ("data center AND pause", "pausing a data center", True),
        ("data center AND pause", "pausing data in a center", False),
        ("pause AND data center", "center data, pause", False),
        ("data center AND (pause OR cancel)", "data centers cancelled", True),
        ("data center AND (pause OR cancel)", "data centers bought", False),
        ("(pause OR cancel) AND data center", "data centers cancelled", True),
        ("chip NOT potato", "chips", True),
        ("chip NOT potato", "potato chips", False),
        ("chip -potato", "potato chips", False),
        ("chip AND NOT potato chips", "potato and chip", True),
        ("chip AND NOT potato chips", "potato chip", False),
        ('chip -"potato chips"', "potato chip", False),
        ("+chip -potato", "chip", True),
        ("-potato chip", "chip", True),
        ("a AND b OR c", "c", True),
        ("a AND b OR c", "a", False),
        ("a OR b AND c", "a", True),
        ("(a OR b) AND c", "a", False),
        ("chip AND (NOT potato OR cook)", "potato chip cook", True),
        ("chip AND NOT NOT potato", "potato chip", True),
        ("chip AND NOT NOT potato", "chip", False),
        ("chip\tAND\nGPU", "chip GPU", True),
        ('"chip and GPU"', "chip GPU", False),
    ],
)
def test_operators_join_rows_of_words(keyword: str, text: str, expected: bool) -> None:
    """A row of words is one phrase beside AND, OR, NOT, - and parentheses; AND binds closer than OR."""
    assert matches(keyword, text) is expected


def test_the_places_of_all_parts_are_shown() -> None:
    """Whoever asks why sees each part that counted and none that had to be absent."""
    text = "data centers paused, chips too"
    assert found("data center AND (pause OR cancel OR chip) NOT potato", text) == ["data centers", "paused", "chips"]


@pytest.mark.parametrize("keyword", ["chip AND !potato", "!potato AND chip", "chip !potato"])
def test_an_exclamation_mark_is_never_the_opposite_of_not(keyword: str) -> None:
    """In Lucene `!` is NOT: it is read so, or refused, but never read as if it were not there."""
    try:
        query = compile_query(keyword)
    except QueryError:
        return
    assert query.match(Document({"title": read("chip")})) is not None
    assert query.match(Document({"title": read("potato chip")})) is None


@pytest.mark.parametrize("keyword", ["chip && GPU", "chip || GPU", "chip&&GPU", "chip||GPU"])
def test_operators_of_other_languages_are_refused_or_read(keyword: str) -> None:
    """Lucene's && and || join or are refused; they never become a phrase or a word to look for."""
    try:
        query = compile_query(keyword)
    except QueryError as e:
        refusal: QueryError = e
    else:
        assert query.match(Document({"title": read("GPU here, chip there")})) is not None
        return
    assert refusal.offset == keyword.find("&&" if "&&" in keyword else "||")


@pytest.mark.parametrize(
    ("keyword", "text", "expected"),
    [
        ("（pause OR cancel） AND chip", "pause", False),
        ("（pause OR cancel） AND chip", "chip pause", True),
        ("chip AND （pause OR cancel）", "cancel", False),
        ("“data center” AND pause", "pause data center", True),
        ("“data center” AND pause", "pause", False),
    ],
)
def test_full_width_signs_mean_the_same(keyword: str, text: str, expected: bool) -> None:
    """A Chinese keyboard types （ and “: they group and quote, or are refused; they are never dropped in silence."""
    with suppress(QueryError):
        assert matches(keyword, text) is expected


# ------------------------------------------------------------------ nearness


@pytest.mark.parametrize(
    ("keyword", "text", "places"),
    [
        ('"GPU shortage"~0', "GPU shortage", ["GPU", "shortage"]),
        ('"GPU shortage"~0', "shortage: GPUs", ["shortage", "GPUs"]),
        ('"GPU shortage"~0', "shortage of GPUs", None),
        ('"GPU shortage"~2', "shortage of many GPUs", ["shortage", "GPUs"]),
        ('"GPU shortage"~2', "shortage of very many GPUs", None),
        ('"GPU shortage"~2', "a shortage — of (many) GPUs!", ["shortage", "GPUs"]),
        ('"GPU shortage"~2', "shortage of Microsoft's GPUs", ["shortage", "GPUs"]),
        ('"微软 算力"~3', "微软的新的算力", ["微软", "算力"]),
        ('"微软 算力"~3', "算力甲乙丙微軟", ["算力", "微軟"]),
        ('"微软 算力"~3', "微软甲乙丙丁算力", None),
        ('"微软 算力"~3', "微软，甲，乙，丙，算力", ["微软", "算力"]),
        ('"微软 算力"~2', "微软buys新算力", ["微软", "算力"]),
        ('"微软 算力"~2', "微软buys some新算力", None),
        ('"OpenAI 算力"~2', "OpenAI的新算力", ["OpenAI", "算力"]),
        ('"OpenAI 算力"~1', "OpenAI的新算力", None),
        ('"a b c"~2', "c x b y a", ["c", "b", "a"]),
        ('"a b c"~1', "c x b y a", None),
        ('"data-center pause"~1', "pausing two data centers", ["pausing", "data centers"]),
        ('"datacenter pause"~1', "pausing two data centers", ["pausing", "data centers"]),
        ('"exclusiv* end"~2', "the end of their exclusivity", ["end", "exclusivity"]),
        ('"data* center"~3', "centers for databases", ["centers", "databases"]),
        ('"IP rights"~2', "rights to IP", ["rights", "IP"]),
        ('"IP rights"~2', "rights to ip", None),
        ('"a b"~1', "a x x b x a", ["b", "a"]),
        ('"a b"~0', "a b a", ["a", "b", "a"]),
        ('"a b"~9', "a", None),
        ('"a b"～2', "b x x a", ["b", "a"]),
        ("“a b”~2", "b x x a", ["b", "a"]),
        ('title:"a b"~2', "b x x a", ["b", "a"]),
        ('"model =models"~3', "model of models", ["model", "models"]),
        ('"微 微软"~3', "微和微软", ["微", "微软"]),
        ('"微软 软件"~3', "微软件", None),
        ('"deal deals"~3', "deal", None),
    ],
)
def test_words_near_each_other_are_found_in_any_order(keyword: str, text: str, places: list[str] | None) -> None:
    """So many words or characters may lie between, signs not counted; what is near shows, and nothing else."""
    assert found(keyword, text) == places


@pytest.mark.parametrize("distance", [0, 1, 6, MAX_DISTANCE])
@pytest.mark.parametrize(
    ("one", "other", "filler"), [("Azure", "chip", " of"), ("微软", "算力", "的"), ("微软", "chip", "的")]
)
def test_nearness_ends_exactly_where_it_says(one: str, other: str, filler: str, distance: int) -> None:
    """N between match, one more does not, in either order."""
    for first, last in ((one, other), (other, one)):
        assert found(f'"{one} {other}"~{distance}', f"{first}{filler * distance} {last}") == [first, last]
        assert found(f'"{one} {other}"~{distance}', f"{first}{filler * (distance + 1)} {last}") is None


def test_nearness_of_like_words_is_found() -> None:
    """Many tokens could stand for many of the words; trying all their combinations would never end."""
    text = f"{'model ' * 160}zzz"
    places = found('"model =model mod* zzz"~100', text)
    assert places
    assert {"model", "zzz"} == set(places)


def test_words_in_different_fields_are_not_near() -> None:
    """The title's last word and the summary's first are not beside each other."""
    document = Document({"title": read("a GPU"), "summary": read("shortage")})
    assert compile_query('"GPU shortage"~6').match(document) is None
    assert compile_query("GPU AND shortage").match(document) is not None


NEAR_WORDS = ["chip", "deal", "GPU", "微", "力"]
NEAR_TEXT = st.lists(st.sampled_from([*NEAR_WORDS, "x", "的", "，"]), max_size=14)


@LAW
@given(st.lists(st.sampled_from(NEAR_WORDS), min_size=2, max_size=3, unique=True), st.integers(0, 5), NEAR_TEXT)
def test_nearness_is_what_counting_says(parts: list[str], distance: int, row: list[str]) -> None:
    """Every choice of places is counted by hand: one within the limit is a match, none is none."""
    tokens = [token for token in row if token != "，"]
    choices = product(*([at for at, token in enumerate(tokens) if token == part] for part in parts))
    expected = any(max(some) - min(some) + 1 - len(parts) <= distance for some in choices)
    assert matches(f'"{" ".join(parts)}"~{distance}', " ".join(row)) is expected


@LAW
@given(
    st.lists(st.sampled_from(["chip", "=chips", "ch*", "微", "微软", "软"]), min_size=2, max_size=3, unique=True),
    st.integers(0, 5),
    st.lists(st.sampled_from(["chip", "chips", "chat", "x", "微", "微软", "软", "的"]), max_size=10).map(" ".join),
)
def test_nearness_needs_a_place_for_each_word(parts: list[str], distance: int, text: str) -> None:
    """Where one token could stand for two of the words, it stands for one; another place is looked for."""
    cut = read(text)
    places = [
        [(cut.token_at(start), cut.token_at(end - 1)) for _, start, end in match.spans]
        if (match := compile_query(part).match(Document({"title": cut})))
        else []
        for part in parts
    ]
    expected = False
    for some in product(*places):
        row = sorted(some)
        gaps = [after[0] - before[1] - 1 for before, after in pairwise(row)]
        expected = expected or (min(gaps) >= 0 and sum(gaps) <= distance)
    assert matches(f'"{" ".join(parts)}"~{distance}', text) is expected


# ------------------------------------------------------------------ weights


@pytest.mark.parametrize(
    ("keyword", "text", "expected"),
    [
        ("a", "a", 1),
        ("a", "a a a", 1),
        ("a^2", "a", 2),
        ("a^2", "b", None),
        ("a^0.5", "a", 0.5),
        ("a^100", "a", 100),
        ("a^2 OR b^3", "a b", 3),
        ("a^2 OR b^3", "a", 2),
        ("a^0.5 OR b", "a b", 1),
        ("a^0.5 OR b", "a", 0.5),
        ("a^2 AND b^3", "a b", 6),
        ("a^2 AND b", "a b", 2),
        ("a^2 AND b^3", "a", None),
        ("(a AND b)^2", "a b", 2),
        ("(a^2 OR b^3)^2 AND c^0.5", "a b c", 3),
        ('"GPU shortage"^2', "GPU shortage", 2),
        ('"GPU shortage"~6^2', "shortage of GPUs", 2),
        ('="first refusal"^3', "first refusal", 3),
        ("GPU*^2", "GPUs", 2),
        ("a^2 NOT b^5", "a", 2),
        ("a AND NOT b^5", "a", 1),
        ("+a^2 -b^3", "a", 2),
        ("title:a^2", "a", 2),
        ("title:(a^2)", "a", 2),
        ("title:(a)^2", "a", 2),
        ("sentence:(a^2 AND b^3)", "a b", 6),
        ("sentence:(a^2 OR b^3)", "A x. B y", 3),
        ("算力^1.5", "算力", 1.5),
        ("a＾2", "a", 2),
        ("(a^2)", "a", 2),
    ],
)
def test_weights_multiply_and_the_greatest_of_a_choice_counts(keyword: str, text: str, expected: float | None) -> None:
    """AND multiplies, OR takes the greatest of what is there, absence weighs nothing."""
    assert weight(keyword, text) == expected


# ------------------------------------------------------------------ fields

ITEM = Document(
    {"title": read("Microsoft pauses 数据中心"), "summary": read("OpenAI wants chips. A rival sells them.")},
    source="The Verge",
    language="zh-Hant",
)


@pytest.mark.parametrize(
    ("keyword", "spans"),
    [
        ("title:pause", [("title", 10, 16)]),
        ("title:chip", None),
        ("summary:chip", [("summary", 13, 18)]),
        ("summary:pause", None),
        ("chip", [("summary", 13, 18)]),
        ("title:數據中心", [("title", 17, 21)]),
        ('title:"Microsoft pauses"', [("title", 0, 16)]),
        ("title:(Microsoft pauses)", [("title", 0, 16)]),
        ("title:(pause OR chip)", [("title", 10, 16)]),
        ("title:(pause AND chip)", None),
        ("title:(pause NOT chip)", [("title", 10, 16)]),
        ("title:pause AND summary:chip", [("title", 10, 16), ("summary", 13, 18)]),
        ("title:pause NOT summary:chip", None),
        ("pause -title:chip", [("title", 10, 16)]),
        ("title:paus*", [("title", 10, 16)]),
        ("title:=pauses", [("title", 10, 16)]),
        ('title:"pause Microsoft"~0', [("title", 0, 9), ("title", 10, 16)]),
        ("title：pause", [("title", 10, 16)]),
        ("source:verge AND chip", [("summary", 13, 18)]),
        ("source:VERGE AND chip", [("summary", 13, 18)]),
        ('source:"the verge" AND chip', [("summary", 13, 18)]),
        ('source:"verge the" AND chip', None),
        ("source:(wired OR verge) AND chip", [("summary", 13, 18)]),
        ("source:wired AND chip", None),
        ("chip NOT source:wired", [("summary", 13, 18)]),
        ("chip NOT source:verge", None),
        ("lang:zh AND chip", [("summary", 13, 18)]),
        ("lang:zh-Hant AND chip", [("summary", 13, 18)]),
        ("lang:ZH_hant AND chip", [("summary", 13, 18)]),
        ("lang:zh-Hans AND chip", None),
        ("lang:zz AND chip", None),
        ("lang:(en OR zh) AND chip", [("summary", 13, 18)]),
        ("chip NOT lang:en", [("summary", 13, 18)]),
        ("lang:zh", []),
        ("source:verge", []),
        ("sentence:(OpenAI AND chip)", [("summary", 0, 6), ("summary", 13, 18)]),
        ("sentence:(OpenAI AND rival)", None),
        ("sentence:(Microsoft AND OpenAI)", None),
        ("sentence:(chip AND NOT rival)", [("summary", 13, 18)]),
        ("sentence:(rival AND NOT chip)", [("summary", 22, 27)]),
        ("sentence:chip", [("summary", 13, 18)]),
        ("summary:sentence:(OpenAI AND chip)", [("summary", 0, 6), ("summary", 13, 18)]),
        ("title:sentence:(OpenAI AND chip)", None),
        ("sentence:(summary:OpenAI AND chip)", [("summary", 0, 6), ("summary", 13, 18)]),
        ("sentence:(lang:zh AND chip)", [("summary", 13, 18)]),
        ("OpenAI NOT sentence:(OpenAI AND rival)", [("summary", 0, 6)]),
    ],
)
def test_fields_narrow_where_a_keyword_looks(keyword: str, spans: list[tuple[str, int, int]] | None) -> None:
    """Title and summary by their words, the outlet by part of its name, the language with its regions."""
    match = compile_query(keyword).match(ITEM)
    assert (None if match is None else list(match.spans)) == spans


@pytest.mark.parametrize(
    ("keyword", "text", "places"),
    [
        ("sentence:(微软 AND 算力)", "微软缺算力。完", ["微软", "算力"]),
        ("sentence:(微软 AND 算力)", "微软走了。算力不足", None),
        ("sentence:(微软 AND 算力)", "微软走了！算力不足", None),
        ("sentence:(微软 AND 算力)", "微软走了？算力不足", None),
        ("sentence:(微软 AND 算力)", "微软走了，算力不足", ["微软", "算力"]),
        ("sentence:(Azure AND chip)", "Azure left. Chips stay", None),
        ("sentence:(Azure AND chip)", "Azure left! Chips stay", None),
        ("sentence:(Azure AND chip)", "In the U.S. Azure Inc. has GPT-4.1 and chips", ["Azure", "chips"]),
        ("sentence:(Azure AND chip)", "Azure left.\nChips stay", None),
        ("sentence:(Azure AND chip)", "Azure left&#46; Chips stay", None),
        ("sentence:(Azure AND chip)", "Azure. Chips for Azure. Chips", ["Azure", "Chips"]),
        ("sentence:(Azure OR chip)", "Azure left. Chips stay", ["Azure", "Chips"]),
        ('sentence:("Azure chip"~9)', "Azure left. Chips stay", None),
        ("sentence:(Azure left. Chips)", "Azure left. Chips stay", None),
        ("sentence:(微软 AND OpenAI)", "微软OpenAI。OpenAI", ["微软", "OpenAI"]),
        ("sentence:(微软 NOT 算力)", "微软有算力。微软走了", ["微软"]),
    ],
)
def test_what_stands_in_one_sentence_is_found(keyword: str, text: str, places: list[str] | None) -> None:
    """All of it within the same sentence of either script, each sentence tried by itself."""
    match = found(keyword, text)
    assert (match and sorted(match)) == (places and sorted(places))


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("keyword", "word", "offset"),
    [
        ("", "empty", 0),
        ("  \t", "empty", 0),
        ("...", "no letter or digit", 0),
        ("chip AND 🚀", "no letter or digit", 9),
        ('""', "no letter or digit", 0),
        ("*", "no letter or digit", 0),
        ('"unclosed', "quotation mark", 0),
        ('chip AND "unclosed', "quotation mark", 9),
        ('a b" c', "quotation mark", 3),
        ('"right of first refusal', "quotation mark", 0),
        ('chip AND "data center', "quotation mark", 9),
        ("(a OR b", "parenthesis", 0),
        ("a AND (b", "parenthesis", 6),
        ("((a)", "parenthesis", 1),
        ("(a))", "parenthesis", 3),
        ("AND a", "before", 0),
        ("OR a", "before", 0),
        ("titel:foo", "did you mean title", 0),
        ("chip AND titel:foo", "did you mean title", 9),
        ("chip AND (GPU OR titel:(foo OR b))", "did you mean title", 17),
        ("TITLE:foo", "did you mean title", 0),
        ("sumary:foo", "did you mean summary", 0),
        ("sources:foo", "did you mean source", 0),
        ("language:zh", "did you mean lang", 0),
        ("sentance:(a AND b)", "did you mean sentence", 0),
        ("body:foo", "fields are title, summary, source, lang, sentence", 0),
        ("微软：算力", "fields", 0),
        ("12:30", "quotes", 0),
        ("title:12:30", "quotes", 6),
        ("https://openai.com/blog", "quotes", 0),
        ("chip OR https://openai.com/blog", "quotes", 8),
        ("foo~", "likeness", 0),
        ("chip OR foo~2", "likeness", 8),
        ("foo~", 'cannot be used here.*"one other"~6', 0),
        ("foo^0", "above 0", 3),
        ("foo^0.0", "above 0", 3),
        ("chip OR foo^0", "above 0", 11),
        ("foo^101", "at most 100", 3),
        ("(a^2 OR b)^0", "above 0", 10),
        ("foo^", r"a number must follow \^, such as \^2", 3),
        ("chip OR foo^", "a number must follow", 11),
        ("foo^-1", "number", 3),
        ('"a b"~', 'such as "a b"~6', 5),
        ('chip AND "a b"~', 'such as "a b"~6', 14),
        ('"a b"~101', "at most 100", 0),
        ('chip AND "a b"~101', "at most 100", 9),
        ('"chip"~3', "two words or more", 0),
        ('"算力"~3', "two words or more", 0),
        ('"a a"~3', "stands twice", 0),
        ('chip OR "a b a"~3', "stands twice", 8),
        ('"a f*o"~3', "wildcard", 0),
        ('"a 🚀"~3', "no letter or digit", 0),
        ("NEAR/5", 'write "one other"~6', 0),
        ("GPU NEAR/5 shortage", 'write "one other"~6', 4),
        ("GPU near/5 shortage", 'write "one other"~6', 4),
        ("GPU w/5 shortage", 'write "one other"~6', 4),
        ("chip AND GPU W/5 shortage", 'write "one other"~6', 13),
        ("GPU shortage^2", r'quote the row: "GPU shortage"\^2', 4),
        ("big GPU shortage^2", r'quote the row: "big GPU shortage"\^2', 8),
        ('"GPU shortage" crisis^2', r'quote the row: "GPU shortage crisis"\^2', 15),
        ("title:data center", 'quote the row: title:"data center"', 11),
        ("title:big data center", 'quote the row: title:"big data center"', 10),
        ("chip OR title:data center", 'quote the row: chip OR title:"data center"', 19),
        ("chip OR GPU shortage^2", r'quote the row: chip OR "GPU shortage"\^2', 12),
        ("source:New York", 'quote the row: source:"New York"', 11),
        ("lang:zh*", "write one name here", 5),
        ("chip AND lang:zh*", "write one name here", 14),
        ("lang:z?", "write one name here", 5),
        ("lang:(zh AND en)", r"\(a OR b\)", 6),
        ("source:(NOT verge)", "write one name here", 8),
        ('source:"a b"~3', "write one name here", 7),
        ('source:""', "no letter or digit", 7),
        ('chip OR lang:""', "no letter or digit", 13),
        ("title:[a TO b]", "ranges", 6),
        ("title:/re/", "regular expressions", 6),
        ("title:foo~", "likeness", 6),
        ("title:>5", "comparisons", 6),
        ("title:*", "no letter or digit", 6),
        ("title:f*o", "wildcard", 6),
        ("title:(NOT a)", "NOT alone", 0),
        ("sentence:(NOT a)", "NOT alone", 0),
        ("(NOT a)^2", "NOT alone", 0),
        ("NOT title:a", "NOT alone", 0),
        ("NOT source:a", "NOT alone", 0),
        ("b OR sentence:(NOT a)", "NOT alone", 0),
        ('"cent* data"', "wildcard", 0),
        ('chip OR "cent* data"', "wildcard", 8),
        ("/re/", "regular expressions", 0),
        ("[a TO b]", "ranges", 0),
        ("wh?t", "wildcard", 0),
        ("chip OR wh?t", "wildcard", 8),
        ("*foo", "wildcard", 0),
        ("f*o", "wildcard", 0),
        ("a**", "wildcard", 0),
        ("=foo*", "exact", 0),
        ("chip AND =foo*", "exact", 9),
        ('="first ref*"', "exact", 0),
        ("chip AND title:!potato", "write AND, OR and NOT", 15),
        ("chip -!potato", "write AND, OR and NOT", 6),
        ("chip +!potato", "write AND, OR and NOT", 6),
        ("= foo", "no space may follow; write =word", 1),
        ("chip AND = foo", "no space may follow", 10),
        ("a = b", "no space may follow", 3),
        ("=", "no letter or digit", 0),
        ("halt or pause", "write OR, or put the words in quotes", 5),
        ("chip AND halt and pause", "write AND, or put the words in quotes", 14),
        ("not chip", "write NOT, or put the words in quotes", 0),
        ("算力AND芯片", "put spaces around AND", 2),
        ("算力OR GPU", "put spaces around AND", 2),
        ("Microsoft - OpenAI", "no space may follow", 10),
        ("chip -- azure", "no space may follow", 5),
        ("--chip", "one sign is enough", 0),
        ("C++", "without them it is another word", 1),
        ("C#", "without them it is another word", 1),
        ("pre-*", "a letter or digit must stand before", 3),
        ("GPU\\*", "a star itself", 3),
        ("chip NEAR GPU", "one other", 5),
        ("chip ADJ3 GPU", "one other", 5),
        ("+chip GPU", "a \\+ as well", 6),
        ("chip^2^2", "one weight is enough", 6),
        ("lang:english", "is no language; write its tag, such as en or zh", 5),
        ("chip AND lang:(zh OR chinese)", "is no language", 21),
        ("chip AND =", "no letter or digit", 9),
        ("NOT a", "NOT alone", 0),
        ("-a", "NOT alone", 0),
        ("NOT a AND NOT b", "NOT alone", 0),
        ("a OR NOT b", "NOT alone", 0),
        ("(NOT a)", "NOT alone", 0),
        ('"a b" c', "AND or OR", 6),
        ("a (b OR c)", "AND or OR", 2),
        ("data cent*", "AND or OR", 5),
        ("data cent*", r'quote the row: "data cent\*"', 5),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(keyword: str, word: str, offset: int) -> None:
    """Never read as something else: the message names the fault, the offset points at it."""
    with pytest.raises(QueryError, match=word) as refusal:
        compile_query(keyword)
    assert refusal.value.offset == offset
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("keyword", "offset"),
    [
        ("a AND", 2),
        ("a OR", 2),
        ("NOT", 0),
        ("data center AND NOT", 16),
        ("(a OR) AND b", 3),
        ('"smile :(" OR', 11),
        ('"a) b" AND', 7),
        ('"NOT" AND', 6),
        ("sentence:(a AND)", 12),
    ],
)
def test_an_operator_at_the_end_is_pointed_at(keyword: str, offset: int) -> None:
    """Something must follow, and the offset is that of the operator that waits for it."""
    with pytest.raises(QueryError, match="follow") as refusal:
        compile_query(keyword)
    assert refusal.value.offset == offset


@pytest.mark.parametrize(
    ("keyword", "offset"),
    [
        ("a AND AND b", 6),
        ("data center AND AND b", 16),
        ("chip OR ()", 9),
        ("data center OR ()", 16),
        ("a ) OR ( b", 2),
        (":a", 0),
        ("data center AND :a", 16),
    ],
)
def test_a_sign_in_the_wrong_place_is_pointed_at(keyword: str, offset: int) -> None:
    """The offset counts in what the user wrote, and so does any position in the message."""
    with pytest.raises(QueryError) as refusal:
        compile_query(keyword)
    assert refusal.value.offset == offset
    assert "position" not in str(refusal.value) or f"position {offset}" in str(refusal.value)


@pytest.mark.parametrize(
    ("keyword", "offset"), [('compute OR "x" put', 15), ("wafer OR (fer~)", 10), ("foo AND foot AND foo~", 17)]
)
def test_the_fault_is_not_looked_for_inside_another_word(keyword: str, offset: int) -> None:
    """`put` stands in `compute` as well; it is the second that is wrong."""
    with pytest.raises(QueryError) as refusal:
        compile_query(keyword)
    assert refusal.value.offset == offset


@pytest.mark.parametrize(
    ("keyword", "field"), [("lang:", "lang:"), ("chip AND title:", "title:"), ("title: OR b", "title:")]
)
def test_a_field_without_a_word_is_told_apart_from_one_with_a_space(keyword: str, field: str) -> None:
    """A space may follow, and does no harm; what is missing is the word."""
    assert found("title: chip", "chip") == ["chip"]
    assert f"something must follow {field}" in str(refused(keyword))
    assert refused(keyword).offset == keyword.index(field)


@pytest.mark.parametrize("keyword", [">5", "<5", ">=5", "a AND >5"])
def test_comparisons_are_refused_in_words_for_people(keyword: str) -> None:
    """Not with the name of a class of some library."""
    with pytest.raises(QueryError) as refusal:
        compile_query(keyword)
    assert "From cannot" not in str(refusal.value)
    assert "To cannot" not in str(refusal.value)


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("title:data center", "data centers"),
        ("chip OR title:big data center", "big data center"),
        ("GPU shortage^2", "GPU shortage"),
        ("data cent*", "data centre"),
        ("source:New York", ""),
        ('"GPU shortage" crisis^2', "GPU shortage crisis"),
        ("big 算力 shortage^2", "big 算力 shortage"),
        ("=GPU shortage^2", "GPU shortages"),
    ],
)
def test_the_suggestion_can_be_taken(keyword: str, text: str) -> None:
    """What is proposed can be pasted as it is, and finds what was meant."""
    suggestion = str(refused(keyword)).partition("quote the row: ")[2]
    match = compile_query(suggestion).match(Document({"title": read(text)}, source="New York Times"))
    assert match is not None
    assert match.weight == (2 if "^2" in keyword else 1)


@pytest.mark.parametrize(
    "keyword", ["foo~1.2.3", "foo^1.2.3", "foo~.", "foo^.", '"a b"~1.5', '"a b"~.', '"a b"^2~6', '"a b"~-1']
)
def test_a_number_that_is_none_is_refused(keyword: str) -> None:
    """The parser trips over such numbers with errors of its own: they become refusals."""
    with pytest.raises(QueryError):
        compile_query(keyword)


@pytest.mark.parametrize(
    "keyword", ["(" * 3000 + "a" + ")" * 3000, "b AND " + "NOT " * 3000 + "a", "(a OR " * 1000 + "b" + ")" * 1000]
)
def test_a_query_too_deep_to_read_is_refused(keyword: str) -> None:
    """Python's stack ends somewhere; the user is told, the program does not end."""
    with pytest.raises(QueryError):
        compile_query(keyword)


def test_an_error_leaves_nothing_behind() -> None:
    """After a refusal the next keyword is read as if nothing had been."""
    for broken in ('"a', "(a", "a AND", "a ) b", "/a"):
        with pytest.raises(QueryError):
            compile_query(broken)
        assert found("data center AND pause", "data center pause") == ["data center", "pause"]


# ------------------------------------------------------------------ laws

SYNTAX = st.lists(
    st.sampled_from(
        [
            *'()"*?~^:+-!/\\[]{}<>=&|. \t\n',
            *("AND", "OR", "NOT", "TO", "&&", "||", "chip", "GPU", "算力", "微", "ＡＩ", "（", "）", "é", "a", "1"),
            *("~2", "^3", "~1.2", "’s", "title:", "lang:", "source:", "sentence:(", '="a b"', "^0.5"),
            *(" NEAR/5 ", " w/5 "),
            *("&amp;", "\u200b", "½", "軟", "ガ", "한", "＝", "："),
            *("\ud83d", "\u3000", " AND ", " OR ", ' "a b" '),
        ]
    ),
    max_size=14,
).map("".join)
TEXTS = st.lists(
    st.sampled_from(["chip", "GPU", "gpus", "算力", "a", "b", "1", ".", "的", "’s", "&amp;amp;", "½", "\u200b", "軟"]),
    max_size=8,
).map(" ".join)


@LAW
@given(st.text(st.characters(), max_size=40) | SYNTAX, TEXTS | st.text(st.characters(), max_size=40))
def test_any_text_is_a_query_or_is_refused(source: str, text: str) -> None:
    """Nothing but QueryError is ever raised; what compiles can be looked for in any text, and finds what lies in it."""
    try:
        query = compile_query(source)
    except QueryError as e:
        refusal: QueryError = e
    else:
        assert query.source == source
        check_spans(query, text, source)
        return
    assert 0 <= refusal.offset <= len(source)
    assert str(refusal)


def check_spans(query: Query, text: str, source: str) -> None:
    """What is found lies in the texts."""
    texts = {"title": text, "summary": source}
    document = Document({name: read(some) for name, some in texts.items()}, source=source, language=text)
    match = query.match(document)
    for name, start, end in match.spans if match else ():
        assert 0 <= start < end <= len(texts[name])
    assert [found for _, found in Index([query]).matches(document)] == ([match] if match else [])


ATOMS = st.sampled_from(
    [
        *("chip", "GPU", "data center", '"a b"', "算力", "a*", "AGI", "datacenter", "OpenAI", "=chips", "gp*", "GPU*"),
        *('"chip GPU"~1', '"算力 a"~2', '"a b chip"~2', "算", "算力OpenAI", '"data a*"', '="data centers"', "微软"),
    ]
)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Join keywords in every way that asks for no absence."""
    return (
        st.builds("({} AND {})".format, inner, inner)
        | st.builds("({} OR {})".format, inner, inner)
        | st.builds("{}:({})".format, st.sampled_from(["title", "summary", "sentence"]), inner)
        | st.builds("({})^{}".format, inner, st.sampled_from(["2", "0.5", "10"]))
    )


PRESENT = st.recursive(ATOMS, _grown, max_leaves=5)
"""Keywords that ask for what is there, and for no absence."""
QUERIES = st.recursive(
    ATOMS, lambda inner: _grown(inner) | st.builds("({} AND NOT {})".format, inner, inner), max_leaves=5
)
NEWS = st.lists(
    st.sampled_from(
        [
            *("chips", "GPU", "gpu", "data", "centers", "a", "b", "算力", "算", "abc", "AGI", "agi"),
            *("datacentre", "微軟"),
            *("Open AI", "OpenAI's", "open ai", ". ", "。", "微", "软", "Data-Center", "&amp;", "GPUs"),
        ]
    ),
    max_size=10,
).map(" ".join)


@LAW
@given(QUERIES, QUERIES, NEWS)
def test_operators_obey_logic(one: str, other: str, text: str) -> None:
    """AND needs both, OR either, NOT the absence; and De Morgan holds."""
    first, second = matches(one, text), matches(other, text)
    assert matches(f"{one} AND {other}", text) is (first and second)
    assert matches(f"{one} OR {other}", text) is (first or second)
    assert matches(f"{one} AND NOT {other}", text) is (first and not second)
    assert matches(f"{one} NOT {other}", text) is (first and not second)
    assert matches(f"{one} OR {one} AND {other}", text) is first
    assert matches(f"{one} AND ({one} OR {other})", text) is first
    anchor = f"{text} anchor"
    assert matches(f"anchor AND NOT NOT {one}", anchor) is matches(one, anchor)
    assert matches(f"anchor AND NOT ({one} AND {other})", anchor) is matches(
        f"anchor AND (NOT {one} OR NOT {other})", anchor
    )
    assert matches(f"anchor AND NOT ({one} OR {other})", anchor) is matches(
        f"anchor AND NOT {one} AND NOT {other}", anchor
    )


@LAW
@given(QUERIES, QUERIES, QUERIES, NEWS)
def test_and_or_may_be_turned_and_regrouped(one: str, other: str, third: str, text: str) -> None:
    """Order and parentheses change neither the match nor its weight, and AND spreads over OR."""
    assert weight(f"{one} AND {other}", text) == weight(f"{other} AND {one}", text)
    assert weight(f"{one} OR {other}", text) == weight(f"{other} OR {one}", text)
    assert matches(f"({one} AND {other}) AND {third}", text) is matches(f"{one} AND ({other} AND {third})", text)
    assert weight(f"({one} OR {other}) OR {third}", text) == weight(f"{one} OR ({other} OR {third})", text)
    assert weight(f"{one} AND ({other} OR {third})", text) == weight(
        f"({one} AND {other}) OR ({one} AND {third})", text
    )


@LAW
@given(QUERIES, QUERIES, NEWS)
def test_weights_add_up_as_they_are_told(one: str, other: str, text: str) -> None:
    """AND multiplies, OR takes the greatest, ^2 doubles."""
    first, second = weight(one, text), weight(other, text)
    assert weight(f"{one} AND {other}", text) == (first * second if first and second else None)
    assert weight(f"{one} OR {other}", text) == max((some for some in (first, second) if some), default=None)
    assert weight(f"({one})^2", text) == (first * 2 if first else None)
    assert weight(f"chip NOT {one}", f"chip {text}") in (1, None)


@LAW
@given(QUERIES, NEWS)
def test_weights_never_change_whether_something_matches(source: str, text: str) -> None:
    """They order what is told, they do not choose it; the same places show."""
    plain = source.replace("^2", "").replace("^0.5", "").replace("^10", "")
    assert found(plain, text) == found(source, text)
    assert weight(plain, text) in (1, None)


@LAW
@given(PRESENT, NEWS, NEWS)
def test_a_narrower_keyword_finds_no_more(source: str, title: str, summary: str) -> None:
    """What is found in one sentence, or in the title, is found; each place is one of the wider keyword's."""
    document = Document({"title": read(title), "summary": read(summary)})
    wide = compile_query(source).match(document)
    for field in ("title", "summary", "sentence"):
        narrow = compile_query(f"{field}:({source})").match(document)
        if narrow is not None:
            assert wide is not None
            assert narrow.weight <= wide.weight
            assert set(narrow.spans) <= set(wide.spans)
            assert field == "sentence" or {name for name, _, _ in narrow.spans} == {field}


@LAW
@given(PRESENT, NEWS)
def test_more_text_never_unmatches_what_asks_for_no_absence(source: str, text: str) -> None:
    """A summary more, and the title still matches."""
    alone = Document({"title": read(text)})
    more = Document({"title": read(text), "summary": read(f"chips 算力 {text}")})
    assert compile_query(source).match(alone) is None or compile_query(source).match(more) is not None


@LAW
@given(
    ATOMS.filter(lambda atom: "~" not in atom), st.lists(NEWS | TEXTS | st.text(max_size=20), max_size=3).map(" ".join)
)
def test_what_is_found_is_found_alone(source: str, text: str) -> None:
    """Each place, cut out of the text, is a match of the same keyword in full."""
    for place in found(source, text) or ():
        assert found(source, place) == [place]


@LAW
@given(
    st.lists(st.sampled_from(["chip", "data", "微软", "AGI", "½", "軟", "9", "é", "ガ"]), min_size=1, max_size=3), TEXTS
)
def test_a_text_is_a_keyword_that_finds_itself(row: list[str], around: str) -> None:
    """Whoever copies words out of an article finds that article."""
    words = " ".join(row)
    places = found(words, f"{around} {words} {around}")
    assert places
    assert words in places


CAPITALS = ("GPU", "AGI", "OpenAI")


@LAW
@given(
    QUERIES.filter(lambda source: not any(word in source for word in CAPITALS)),
    NEWS.filter(lambda text: "GPUs" not in text and "&" not in text),
    st.sampled_from([str.upper, str.lower, str.title]),
)
def test_capitals_matter_to_acronyms_and_names_only(source: str, text: str, change: Callable[[str], str]) -> None:
    """A keyword written small finds the same in a headline that shouts."""
    assert matches(source, change(text)) is matches(source, text)


@LAW
@given(QUERIES, NEWS)
def test_traditional_keywords_find_simplified_news_and_the_reverse(source: str, text: str) -> None:
    """Whichever of the two either is written in."""
    traditional = source.replace("微软", "微軟"), text.replace("软", "軟")
    simplified = source.replace("微軟", "微软"), text.replace("軟", "软")
    results = {matches(one, other) for one, other in product(*zip(traditional, simplified, strict=True))}
    assert len(results) == 1


# ------------------------------------------------------------------ the index

KEYWORDS = st.recursive(
    ATOMS
    | st.sampled_from(
        [
            *("c*", "ch*", "chi*", "chip*", '"data cent*"', "微软*", '"算力 chip*"', "open*", '"open* a"~1'),
            *("é*", "İst*"),
            *("source:verge", "lang:zh", "source:(verge OR wired)", "微软OpenAI", "OpenAI微软 算", "數據中心"),
            *("centre", "ａｂ"),
            *('"微软 算力"~3', '"chip* data"~2', '"datacenter a"~3', "DataCenter", "hyperscaler", "=AGI", "½"),
            *("1", "x y z"),
        ]
    ),
    lambda inner: (
        _grown(inner)
        | st.builds("({} AND NOT {})".format, inner, inner)
        | st.builds("({} AND (NOT {} OR {}))".format, inner, inner, inner)
    ),
    max_leaves=4,
)
STORY = st.lists(
    st.sampled_from(
        [
            *("chips", "chipset", "GPU", "data", "centers", "datacentre", "a", "b", "算力", "微軟OpenAI", "微"),
            *("软算", "數據中心"),
            *("Open AI", "openai", "opening", ". ", "，", "½", "İstanbul", "éclair", "hyper-scalers", "AGI"),
            *("ab", "Ａ", "1", "x y z"),
        ]
    ),
    max_size=8,
).map(" ".join)


@LAW
@given(
    st.lists(KEYWORDS, max_size=8), STORY, STORY, st.sampled_from(["", "The Verge"]), st.sampled_from(["", "zh-Hant"])
)
def test_the_index_loses_no_keyword(keywords: list[str], title: str, summary: str, source: str, language: str) -> None:
    """A keyword matches among a thousand as it does alone, in the order given, with the same places and weight."""
    queries = [compile_query(keyword) for keyword in keywords]
    document = Document({"title": read(title), "summary": read(summary)}, source, language)
    alone: list[tuple[int, Match]] = [
        (number, match) for number, query in enumerate(queries) if (match := query.match(document)) is not None
    ]
    assert Index(queries).matches(document) == alone


@LAW
@given(st.text(st.characters(), min_size=1, max_size=6), st.text(st.characters(), max_size=20), st.text(max_size=5))
def test_the_index_loses_no_keyword_of_strange_letters(word: str, before: str, after: str) -> None:
    """Neither prefixes nor words whose capitals are longer than they are."""
    for keyword in (word, f"{word}*", f"={word}"):
        try:
            query = compile_query(keyword)
        except QueryError:
            continue
        for text in (word, before + word + after, f"{before} {word}{after}", word.upper(), word.lower()):
            document = Document({"title": read(text)})
            match = query.match(document)
            assert Index([query]).matches(document) == ([] if match is None else [(0, match)])


def tried(keywords: list[str], text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many places of keywords an index asks of a text."""
    index, document, count = Index(map(compile_query, keywords)), Document({"title": read(text)}), 0

    def counting(match: Callable[..., Match | None]) -> Callable[..., Match | None]:
        def counted(node: Node, document: Document) -> Match | None:
            nonlocal count
            count += 1
            return match(node, document)

        return counted

    with monkeypatch.context() as patch:
        for kind in get_args(Node):
            patch.setattr(kind, "match", counting(kind.match))
        index.matches(document)
    return count


def test_the_index_tries_few_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand keywords, those whose words are not there cost nothing."""
    keywords = [f"word{number} AND (chip OR 算力) NOT potato" for number in range(1000)]
    text = "word7 and word42 chips"
    assert tried(keywords, text, monkeypatch) == tried([keywords[7], keywords[42]], text, monkeypatch) > 0
    assert tried(keywords, "nothing of the kind", monkeypatch) == 0
    document = Document({"title": read(text)})
    assert [number for number, _ in Index(map(compile_query, keywords)).matches(document)] == [7, 42]


@pytest.mark.parametrize(
    "keyword",
    [
        *("chip", "算力", "微软OpenAI", "exclusiv*", "datacenter", "data center", '"a 算力"~3', "title:chip", "=chip"),
        *("a AND NOT b", "a OR chip", "(a OR chip)^2", "sentence:(a AND 算力)", "lang:zh AND chip", "chip NOT new*"),
    ],
)
def test_a_keyword_is_not_tried_on_a_text_without_its_words(keyword: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind is filed under something."""
    assert tried([keyword], "其他新闻 other news", monkeypatch) == 0


@pytest.mark.parametrize("keyword", ["x AND (NOT a OR b)", "ab*", "source:verge", "lang:zh", "lang:zh OR chip"])
def test_a_keyword_that_may_need_no_word_is_always_tried(keyword: str) -> None:
    """Absence, short prefixes, outlets and languages have no term to be filed under, or a term beside it."""
    document = Document({"title": read("x abc")}, source="The Verge", language="zh")
    assert [number for number, _ in Index([compile_query(keyword)]).matches(document)] == [0]


# ------------------------------------------------------------------ laws of writing


@LAW
@given(QUERIES, NEWS)
def test_what_matches_shows_why(source: str, text: str) -> None:
    """A match always has a place to show."""
    places = found(source, text)
    assert places is None or places


@LAW
@given(QUERIES, NEWS)
def test_white_space_and_parentheses_around_change_nothing(source: str, text: str) -> None:
    """However a line of YAML is laid out, it means the same."""
    assert found(f"  ( {source} )\n", text) == found(source, text)


@LAW
@given(st.lists(st.sampled_from(["alpha", "beta", "gamma", "微软"]), min_size=2, max_size=4), NEWS)
def test_a_row_of_bare_words_is_a_phrase(row: list[str], text: str) -> None:
    """Quoted or not, the same is found."""
    words = " ".join(row)
    around = f"{text} {words} {text}"
    assert found(words, around) == found(f'"{words}"', around)
    assert found(words, around)


@LAW
@given(KEYWORDS)
def test_a_query_can_cross_to_another_process(source: str) -> None:
    """Pickled and back, it is the same."""
    query = compile_query(source)
    crossed = pickle.loads(pickle.dumps(query))
    assert crossed == query
    assert hash(crossed) == hash(query)
    document = Document({"title": read("chips GPU 算力 data centers a b OpenAI 微软")}, "The Verge", "zh")
    assert crossed.match(document) == query.match(document)
    assert pickle.loads(pickle.dumps(Index([query]))).matches(document) == Index([query]).matches(document)


def test_a_query_compiles_to_the_same_in_any_thread() -> None:
    """Jobs compile keywords in threads; the parser's one state is never shared."""

    def compile_one(i: int) -> Query:
        return compile_query(f"alpha{i % 9} AND (beta{i % 9} OR gamma) NOT delta")

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(compile_one, range(180)))
    finally:
        sys.setswitchinterval(before)
    assert made == [compile_one(i) for i in range(180)]


def test_a_parser_that_has_to_make_its_tables_anew_says_nothing_of_it(tmp_path: Path) -> None:
    """As in a container, where those it came with are another Python's: its words would be the first of each log."""
    copy = shutil.copytree(
        Path(luqum.__file__).parent, tmp_path / "luqum", ignore=shutil.ignore_patterns("__pycache__")
    )
    tables = copy / "parsetab.py"
    tables.write_text(tables.read_text().replace("_lr_signature = '", "_lr_signature = 'another Python"))
    before = tables.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", "import monitor.match.syntax, luqum; print(luqum.__file__)"],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (f"{copy / '__init__.py'}\n", "")
    assert tables.read_bytes() != before
