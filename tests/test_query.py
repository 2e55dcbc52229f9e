"""Keywords: what each kind of query finds, and what is said of one that cannot be read."""

from __future__ import annotations

import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import QueryError
from monitor.match.query import Query, compile_query
from monitor.match.text import read

LAW = settings(deadline=None, derandomize=True)


def found(source: str, text: str) -> list[str] | None:
    """Return the places that a keyword finds in a text, as they stand there; None where it does not match."""
    spans = compile_query(source).spans({"title": read(text)})
    return None if spans is None else [text[start:end] for _, start, end in spans]


def matches(source: str, text: str) -> bool:
    """Tell whether a keyword matches a text."""
    return found(source, text) is not None


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
        ("chip and GPU", "chip GPU", False),
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
    assert query.spans({"title": read("chip")}) is not None
    assert query.spans({"title": read("potato chip")}) is None


@pytest.mark.parametrize("keyword", ["chip && GPU", "chip || GPU", "chip&&GPU", "chip||GPU"])
def test_operators_of_other_languages_are_refused_or_read(keyword: str) -> None:
    """Lucene's && and || join or are refused; they never become a phrase or a word to look for."""
    try:
        query = compile_query(keyword)
    except QueryError as e:
        refusal: QueryError = e
    else:
        assert query.spans({"title": read("GPU here, chip there")}) is not None
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
        ("title:foo", "fields", 0),
        ("chip AND title:foo", "fields", 9),
        ("12:30", "quotes", 0),
        ("foo~", "likeness", 0),
        ("chip OR foo~2", "likeness", 8),
        ("foo^2", "weights", 0),
        ("chip OR foo^2", "weights", 8),
        ('"a b"~6', "nearness", 0),
        ('chip AND "a b"~6', "nearness", 9),
        ("/re/", "regular expressions", 0),
        ("[a TO b]", "ranges", 0),
        ("wh?t", "wildcard", 0),
        ("chip OR wh?t", "wildcard", 8),
        ("*foo", "wildcard", 0),
        ("f*o", "wildcard", 0),
        ("a**", "wildcard", 0),
        ("=foo", "exact", 0),
        ("NOT a", "NOT alone", 0),
        ("-a", "NOT alone", 0),
        ("NOT a AND NOT b", "NOT alone", 0),
        ("a OR NOT b", "NOT alone", 0),
        ("(NOT a)", "NOT alone", 0),
        ('"a b" c', "AND or OR", 6),
        ("a (b OR c)", "AND or OR", 2),
        ("data cent*", "AND or OR", 5),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(keyword: str, word: str, offset: int) -> None:
    """Never read as something else: the message names the fault, the offset points at it."""
    with pytest.raises(QueryError, match=word) as refusal:
        compile_query(keyword)
    assert refusal.value.offset == offset
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("keyword", "offset"), [("a AND", 2), ("a OR", 2), ("NOT", 0), ("data center AND NOT", 16), ("(a OR) AND b", 3)]
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


@pytest.mark.parametrize("keyword", [">5", "<5", ">=5", "a AND >5"])
def test_comparisons_are_refused_in_words_for_people(keyword: str) -> None:
    """Not with the name of a class of some library."""
    with pytest.raises(QueryError) as refusal:
        compile_query(keyword)
    assert "From cannot" not in str(refusal.value)
    assert "To cannot" not in str(refusal.value)


@pytest.mark.parametrize("keyword", ["foo~1.2.3", "foo^1.2.3", "foo~.", "foo^.", '"a b"~1.5', '"a b"~.'])
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
            *("~2", "^3", "~1.2", "’s"),
            *("\ud83d", "\u3000", " AND ", " OR ", ' "a b" '),
        ]
    ),
    max_size=14,
).map("".join)
TEXTS = st.lists(st.sampled_from(["chip", "GPU", "gpus", "算力", "a", "b", "1", ".", "的", "’s"]), max_size=8).map(
    " ".join
)


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
    for name, start, end in query.spans({"title": read(text), "summary": read(source)}) or ():
        assert 0 <= start < end <= len({"title": text, "summary": source}[name])


ATOMS = st.sampled_from(["chip", "GPU", "data center", '"a b"', "算力", "a*", "AGI"])
QUERIES = st.recursive(
    ATOMS,
    lambda inner: (
        st.builds("({} AND {})".format, inner, inner)
        | st.builds("({} OR {})".format, inner, inner)
        | st.builds("({} AND NOT {})".format, inner, inner)
    ),
    max_leaves=5,
)
NEWS = st.lists(
    st.sampled_from(["chips", "GPU", "gpu", "data", "centers", "a", "b", "算力", "算", "abc", "AGI", "agi"]),
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
    anchor = f"{text} anchor"
    assert matches(f"anchor AND NOT ({one} AND {other})", anchor) is matches(
        f"anchor AND (NOT {one} OR NOT {other})", anchor
    )
    assert matches(f"anchor AND NOT ({one} OR {other})", anchor) is matches(
        f"anchor AND NOT {one} AND NOT {other}", anchor
    )


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
@given(QUERIES)
def test_a_query_can_cross_to_another_process(source: str) -> None:
    """Pickled and back, it is the same."""
    query = compile_query(source)
    assert pickle.loads(pickle.dumps(query)) == query


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
