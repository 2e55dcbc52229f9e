"""Likeness: what of two reports is compared, in two languages, and what the shipped weights are worth."""

from __future__ import annotations

import importlib.util
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import resources
from monitor.digest.likeness import SIGNS, Lexicon, Weights

LAW = settings(deadline=None, derandomize=True)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LEXICON = resources.lexicon()
LIKENESS = resources.likeness()


def terms(text: str) -> set[str]:
    """Return the terms of a text."""
    return set(LEXICON.terms(text))


def odds(one: str, other: str, hours: float = 1) -> float:
    """Return the log-odds that two headlines, so many hours apart, tell of one event."""
    later = NOW + timedelta(hours=hours)
    return LIKENESS.odds(LIKENESS.read(one, "", NOW), LIKENESS.read(other, "", later))


# ------------------------------------------------------------------ terms


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("Microsoft", "微软"),
        ("Microsoft", "微軟"),
        ("computing power", "算力"),
        ("halts", "叫停"),
        ("Altman", "奥特曼"),
        ("Suleyman", "苏莱曼"),
        ("right of first refusal", "优先购买权"),
        ("data centers", "数据中心"),
        ("$650 million", "6.5亿美元"),
        ("6.5bn dollars", "65亿美元"),
        ("US$ 1.2 trillion", "1.2万亿美元"),
        ("400 megawatts", "400兆瓦"),
        ("1.2GW", "1.2吉瓦"),
        ("27 percent", "27%"),
        ("27%", "２７％"),
        ("5,000,000 users", "500万"),
        ("GPT-5.5", "GPT-5.5"),
        ("MAI-2", "MAI2"),
        ("Q3", "Q3"),
    ],
)
def test_both_languages_have_one_term(english: str, chinese: str) -> None:
    """Names, things, acts, sums, shares and versions, however they are written."""
    assert terms(english) & terms(chinese)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$650 million", "$6.5 billion"),
        ("6.5亿", "65亿"),
        ("27%", "27"),
        ("GPT-5", "GPT-6"),
        ("pauses", "cancels"),
        ("Ohio", "Texas"),
        ("raises", "cuts"),
        ("否认", "证实"),
        ("apple pie", "Apple"),
        ("us", "US"),
    ],
)
def test_what_differs_has_no_term_in_common(one: str, other: str) -> None:
    """Neither numbers, nor acts that are another event, nor words that are no names."""
    assert not terms(one) & terms(other)


def test_a_form_holds_shorter_ones_and_a_place_the_region_around_it() -> None:
    """Stargate UAE is Stargate too, and Kenosha is in Wisconsin."""
    assert {"c:stargate-uae", "c:stargate"} <= terms("Stargate UAE goes live")
    assert {"c:kenosha", "c:wisconsin"} <= terms("Kenosha leases")
    assert "c:openai" in terms("OpenAI CEO")


def test_what_the_lexicon_does_not_know_is_a_stem_or_a_pair_of_characters() -> None:
    """And words that say nothing are none."""
    assert terms("quokkas hopping of the") == {"w:quokka", "w:hop"}
    assert terms("袋鼠园") == {"h:袋鼠", "h:鼠园"}


def test_a_year_a_day_and_a_sum_are_of_different_kinds() -> None:
    """A day in common tells less than a year, and a year less than a sum."""
    assert terms("2027") == {"y:2027"}
    assert terms("24") == {"d:24"}
    assert terms("$24") == {"n:24"}
    assert LIKENESS.rarity("d:24") < LIKENESS.rarity("y:2199") < LIKENESS.rarity("n:8.12e+13")


@pytest.mark.parametrize("line", ["microsoft | Microsoft", "[companies]\n | Microsoft", "[companies]\nmicrosoft"])
def test_a_line_of_the_lexicon_that_cannot_be_read_is_named(line: str) -> None:
    """By its number."""
    with pytest.raises(ValueError, match=f"line {len(line.splitlines())}: "):
        Lexicon(line)


def test_no_form_stands_under_two_names() -> None:
    """Which of them it is could not be told."""
    seen: dict[str, str] = {}
    section = ""
    for line in (resources.weights() / "lexicon.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line
        elif line and not line.startswith("#") and section != "[within]":
            name, *columns = (part.strip() for part in line.split("|"))
            for form in {form.strip() for column in columns for form in column.split(",") if form.strip()}:
                assert seen.setdefault(form, name) == name, form


# ------------------------------------------------------------------ two reports


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Microsoft halts its Ohio campus", "微软暂停俄亥俄园区"),
        ("OpenAI signs $38bn deal with AWS, loosening Azure's hold", "OpenAI与亚马逊云科技签下380亿美元大单"),
        ("Microsoft drops 400MW of leases in Kenosha, broker says", "微软取消威斯康星400兆瓦租约"),
    ],
)
def test_reports_of_one_event_are_likely_one(one: str, other: str) -> None:
    """In two languages, with other verbs and other forms of numbers; less so the further apart they come."""
    assert odds(one, other) > 1.3
    assert odds(one, other) > odds(one, other, hours=20) > odds(one, other, hours=47)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Microsoft halts its Ohio campus", "Microsoft hires a chief of OpenAI's safety team"),
        ("OpenAI signs deal with CoreWeave", "Microsoft and OpenAI extend their contract"),
        ("微软暂停俄亥俄园区", "奥特曼称通用人工智能将至"),
    ],
)
def test_reports_of_two_events_are_unlikely_one(one: str, other: str) -> None:
    """A firm in common is not enough."""
    assert odds(one, other) < 0


TEXTS = st.text(st.sampled_from("微软暂停园区奥特曼 Ohio Microsoft halts $6.5bn 65亿 GPT-5 27% 2027\n"), max_size=80)


@LAW
@given(TEXTS, TEXTS, st.text(max_size=60), st.integers(-99, 99))
def test_likeness_does_not_depend_on_which_comes_first(one: str, other: str, summary: str, hours: int) -> None:
    """And every sign is a finite number, whatever the text."""
    a, b = LIKENESS.read(one, summary, NOW), LIKENESS.read(other, "", NOW + timedelta(hours=hours))
    assert LIKENESS.signs(a, b) == pytest.approx(LIKENESS.signs(b, a))
    assert len(LIKENESS.signs(a, b)) == len(SIGNS)
    assert abs(LIKENESS.odds(a, b)) < 1000


@LAW
@given(st.text(max_size=200))
def test_any_text_has_terms(text: str) -> None:
    """No text is too odd, and reading it twice gives the same."""
    assert LEXICON.terms(text) == LEXICON.terms(text)
    assert all(term[1] == ":" and 0.02 <= LIKENESS.rarity(term) <= 1 for term in LEXICON.terms(text))


@pytest.mark.parametrize("change", [{"format": 0}, {"signs": {"title": 1.0}}])
def test_weights_of_another_version_are_refused(change: dict[str, object]) -> None:
    """Rather than counted wrongly."""
    data = Weights(0.0, dict.fromkeys(SIGNS, 0.0), 10, {}).as_data()
    assert Weights.of(data).texts == 10
    with pytest.raises(ValueError, match="another version"):
        Weights.of(data | change)


# ------------------------------------------------------------------ the labelled events


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """Return bench/stories.py, which measures and learns."""
    path = Path(__file__).parent.parent / "bench" / "stories.py"
    spec = importlib.util.spec_from_file_location("bench_stories", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_events_that_nothing_was_learnt_from_are_told_apart(bench: ModuleType) -> None:
    """120 reports of 34 events, 23 of them in two languages: pairwise precision and recall."""
    reports = bench.read_events(bench.HELD_OUT)
    assert len(reports) >= 60
    assert len({event for _, event in reports}) >= 20
    precision, recall, _ = bench.score(reports, LIKENESS)
    assert precision >= 0.95
    assert recall >= 0.85


@pytest.mark.parametrize(
    ("name", "least"), [("a", 0.97), ("b", 0.97), ("c", 0.95), ("t", 0.97), ("u", 0.95), ("v", 0.65)]
)
def test_no_more_is_joined_than_belongs_together(bench: ModuleType, name: str, least: float) -> None:
    """Metaphors, look-alikes, headlines alone: what is hard may stay apart, but is not joined wrongly."""
    assert bench.score(bench.read_events(name), LIKENESS)[0] >= least


def test_the_shipped_weights_are_what_the_labels_teach(bench: ModuleType) -> None:
    """`make likeness` writes them; the solver's last digits may depend on the machine."""
    pytest.importorskip("sklearn", reason="learning needs scikit-learn")
    names = sorted(path.stem for path in bench.EVENTS.glob("*.jsonl"))
    sets = [bench.read_events(name) for name in names if name != bench.HELD_OUT]
    learnt = bench.learn(sets, LEXICON, bench.commonness(LEXICON))
    shipped = LIKENESS._weights
    assert (shipped.texts, dict(shipped.common)) == (learnt.texts, dict(learnt.common))
    assert dict(shipped.signs) == pytest.approx(dict(learnt.signs), abs=0.03)
    assert shipped.base == pytest.approx(learnt.base, abs=0.03)
