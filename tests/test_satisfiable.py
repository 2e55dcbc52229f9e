"""Keywords that can never match: said of those, and never of one that can."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.match.query import And, Boost, InField, InSentence, Language, Node, Not, Or, Source
from monitor.match.satisfiable import can_match, most_weight, why_never
from monitor.match.syntax import compile_query
from monitor.match.words import Document
from monitor.text import read


@pytest.mark.parametrize(
    ("keyword", "why"),
    [
        ("pause AND NOT pause", "asks for pause and excludes pause"),
        ("pausing AND NOT paused", "excludes paused"),
        ('"data center" AND NOT data', None),  # `datacenter` is a way to write it
        ("=data center AND NOT =data", "excludes data"),
        ('"right of refusal" AND NOT refusal', "excludes refusal"),
        ("微软公司 AND NOT 微软", "excludes 微软"),
        ("微软 AND NOT 微软公司", None),
        ("title:(summary:x)", "in the title and in the summary at once"),
        ("title:x AND summary:y", None),
        ("sentence:(title:x AND summary:y)", "at once"),
        ("sentence:(a AND b) AND NOT a", "excludes a"),
        ("sentence:(a AND NOT b) AND b", None),
        ("title:a AND NOT a", "excludes a"),
        ("a AND NOT title:a", None),
        ("lang:en AND lang:zh AND chip", "two languages"),
        ("lang:zh AND lang:zh-Hant", None),
        ("lang:zh-Hant AND NOT lang:zh", "excludes lang:zh"),
        ('source:"The Verge" AND NOT source:Verge', "excludes source:verge"),
        ("(a OR b) AND NOT a AND NOT b", "excludes"),
        ("(a OR b) AND NOT a", None),
        ("a AND NOT (a AND b)", None),
        ("AGI AND NOT agi", "excludes agi"),
        ("agi AND NOT AGI", None),
        ('"GPU shortage"~6 AND NOT "GPU shortage"~6', "excludes"),
        ("GPU* AND NOT GPU*", "excludes GPU*"),
        ("GPUs AND NOT GPU*", None),
    ],
)
def test_a_keyword_that_never_matches_is_told_with_the_reason(keyword: str, why: str | None) -> None:
    """None: it can match, or at least that it cannot is not sure."""
    node = compile_query(keyword).node
    assert can_match(node) is (why is None)
    assert (why or "") in why_never(node)


def test_what_excludes_every_text_is_found() -> None:
    """As `not` of a theme does with a keyword."""
    assert not can_match(compile_query("GPU AND shortage").node, [compile_query("shortage OR glut").node])
    assert can_match(compile_query("GPU").node, [compile_query("shortage OR glut").node])


def test_a_keyword_of_many_parts_takes_no_time() -> None:
    """Where the search is given up, the keyword may match."""
    row = " OR ".join(f"word{n}" for n in range(40))
    absent = " AND ".join(f"NOT word{n}" for n in range(40))
    node = compile_query(" AND ".join([f"({row})"] * 12 + [absent])).node
    assert can_match(node)


def test_the_greatest_weight() -> None:
    """OR takes the greatest, AND the product."""
    assert most_weight(compile_query("(a^2 OR b^3) AND c^0.5").node) == 1.5


_WORDS = ("pause", "paused", "data center", "datacenter", "data", "AGI", "agi", "微软", "微软公司", "公司", "=Word",
          "GPU*", "GPUs",           "OpenAI", "Open AI")  # fmt: skip
_LEAVES = st.one_of(
    st.sampled_from([compile_query(word).node for word in _WORDS]),
    st.sampled_from([compile_query('"pause data"~2').node, compile_query('"微软 公司 data"~3').node]),
    st.sampled_from([Language("en"), Language("zh"), Language("zh-hant")]),
    st.sampled_from([Source.of("The Verge"), Source.of("verge")]),
)
_NODES = st.recursive(
    _LEAVES,
    lambda part: st.one_of(
        st.lists(part, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(part, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
        part.map(Not),
        part.map(lambda one: Boost(one, 2.0)),
        st.builds(InField, st.sampled_from(["title", "summary"]), part),
        part.map(InSentence),
    ),
    max_leaves=9,
)
_TEXTS = st.lists(
    st.sampled_from(["pause", "pausing", "data", "center", "datacenter", "AGI", "agi", "微软", "微软公司", "公司",
                     "Word", "word",                      "GPUs", "gpu", "OpenAI", "Open", "AI", ".", "。"]),
    max_size=7,
).map(" ".join)  # fmt: skip


@settings(max_examples=800, deadline=None)
@given(_NODES, _TEXTS, _TEXTS, st.sampled_from(["en", "zh", "zh-Hant", "de"]), st.sampled_from(["The Verge", "x"]))
def test_what_matches_is_never_said_to_match_never(
    node: Node, title: str, summary: str, language: str, outlet: str
) -> None:
    """Whatever query and text: a match proves that it can."""
    texts = {name: read(text) for name, text in (("title", title), ("summary", summary))}
    document = Document({name: text for name, text in texts.items() if text.words}, outlet, language)
    if (found := node.match(document)) is not None:
        assert can_match(node)
        assert found.weight <= most_weight(node) + 1e-9


@settings(max_examples=400, deadline=None)
@given(_LEAVES, _NODES, _TEXTS, st.sampled_from(["en", "zh"]))
def test_what_stands_beside_an_exclusion_is_never_said_to_be_struck(
    wanted: Node, excluded: Node, title: str, language: str
) -> None:
    """A text with the keyword and without the exclusion proves that it counts."""
    document = Document({"title": read(title)}, "x", language)
    if wanted.match(document) is not None and excluded.match(document) is None:
        assert can_match(wanted, [excluded])
