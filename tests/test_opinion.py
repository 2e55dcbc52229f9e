"""The second opinion: what it listens to, how it is blended with the rules, and what it may never do."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.match.blend import Second
from monitor.match.judge import examine, judge
from monitor.match.opinion import FORMAT, Opinion, Seen, Sense, Weights, grams
from monitor.model import Heard, Item
from monitor.text import read
from tests.test_judge import RULES, news

LAW = settings(deadline=None, derandomize=True)
THEMES = frozenset({"compute", "agi", "competition"})
QUESTIONS = ("coverage", "compute", "agi", "competition")


def weights(**words: tuple[float, float, float, float]) -> Weights:
    """Return weights that know a few words and otherwise believe the rules: a word's row says how much for each."""
    return Weights(
        format=FORMAT,
        name="test",
        about="",
        companies=("microsoft", "openai"),
        questions=QUESTIONS,
        base=(-2.0, -2.0, -2.0, -2.0),
        trust={"rules": (1.0, 1.0, 1.0, 1.0), "words": (1.0, 1.0, 1.0, 1.0)},
        rules={
            "a hit": (4.0, 0.0, 0.0, 0.0),
            "theme compute made": (0.0, 4.0, 0.0, 0.0),
            "theme agi made": (0.0, 0.0, 4.0, 0.0),
        },
        words={word.replace("_", " "): (1.0, *row) for word, row in words.items()},
    )


Row = tuple[float, float, float, float]


def second(words: dict[str, Row] | None = None, *, adds_only: bool = False, sense: Sense | None = None) -> Second:
    """Return a second opinion that knows these words: stems, with _ for the space of a pair."""
    return Second(Opinion(weights(**words or {}), sense, embed if sense else None), THEMES, adds_only)


def embed(text: str) -> list[float]:
    """Return a vector of two numbers: texts about money, and others."""
    EMBEDDED.append(text)
    return [1.0, 0.0] if "bill" in text else [0.0, 1.0]


EMBEDDED: list[str] = []

# ---------------------------------------------------------------- what is listened to


def terms(text: str) -> set[str]:
    """Return the terms of one text."""
    return set(grams([read(text)]))


def test_words_are_stems_and_pairs_of_them() -> None:
    """Inflections are one; no pair crosses from one script to the other."""
    assert terms("splits bills") == {"split", "bill", "split bill"}
    assert terms("GPU 短缺") == {"gpu", "短", "缺", "短缺"}


def test_chinese_is_listened_to_in_runs_of_up_to_four_characters() -> None:
    """Simplified and traditional are one; commas and Latin words end nothing but a run."""
    assert terms("各付各账单") >= {"各", "各付", "付各账", "各付各账"}
    assert "各付各账单" not in terms("各付各账单")
    assert terms("微軟") == terms("微软") == {"微", "软", "微软"}


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    """Feeds that carry whole articles are judged by their lead."""
    assert "capac" not in terms("word " * 200 + "capacity")
    assert "capac" in terms("word " * 50 + "capacity")


@LAW
@given(st.text("ab CD微软 各付。,1é̈&;\u200b", max_size=40))
def test_every_term_stands_in_the_text_where_it_is_shown(text: str) -> None:
    """What is shown as weighing is spelled as the text spells it, whatever the text is."""
    opinion = Opinion(replace(weights(), words=dict.fromkeys(terms(text), (1.0, 1.0, 1.0, 1.0, 1.0))))
    seen, _ = examine(news(text), RULES)
    for word in opinion.weighed("coverage", seen, limit=99):
        assert word in text
        assert word.strip()


def test_names_of_the_companies_are_not_shown_as_what_it_reads_like() -> None:
    """They weigh, but they tell a reader nothing."""
    opinion = Opinion(weights(microsoft=(9, 9, 9, 9), bill=(5, 5, 5, 5), openai=(7, 7, 7, 7)))
    seen, _ = examine(news("Microsoft splits the bills with OpenAI"), RULES)
    assert opinion.weighed("coverage", seen) == ("bills",)


def test_only_words_that_speak_for_a_yes_are_shown_the_weightiest_first() -> None:
    """And each place in the text once."""
    opinion = Opinion(weights(bill=(1, 1, 1, 1), split_the=(3, 1, 1, 1), split=(2, 1, 1, 1), giant=(-3, 1, 1, 1)))
    seen, _ = examine(news("Redmond splits the bill of a giant site"), RULES)
    assert opinion.weighed("coverage", seen) == ("splits the", "bill")


# ---------------------------------------------------------------- rules and opinion together

MISSED = news("Redmond to split the bill for a giant site with the start-up it bankrolled")
"""OpenAI has no name in it."""
HIT = news("Microsoft and OpenAI: AGI and a quiz")
"""A hit of the rules with the theme agi."""
SPLIT = {"split": (6.0, 6.0, -6.0, -6.0)}
QUIZ = {"quiz": (-9.0, 0.0, 0.0, 0.0)}


def test_what_the_keywords_missed_is_added_and_marked() -> None:
    """With the words that it reads like; in both ways of heeding it."""
    assert not judge(MISSED, RULES).covered
    for adds_only in (False, True):
        verdict = judge(MISSED, RULES, second(SPLIT, adds_only=adds_only))
        assert verdict.covered
        assert not verdict.doubted
        assert verdict.reason == ""
        assert verdict.alone == ("coverage", "compute")
        assert [theme for theme, _ in verdict.themes] == ["compute"]
        assert verdict.reads_like == ("split",)


def test_a_hit_that_it_doubts_stays_a_hit_and_is_marked() -> None:
    """Never silently away: themes and evidence stay those of the rules."""
    verdict = judge(HIT, RULES, second(QUIZ))
    assert verdict.covered
    assert verdict.doubted
    assert not verdict.sure
    assert verdict.themes == judge(HIT, RULES).themes
    assert verdict.evidence == judge(HIT, RULES).evidence


def test_where_it_only_adds_it_doubts_nothing() -> None:
    """The rules' hit and its themes stand as they are."""
    verdict = judge(HIT, RULES, second(QUIZ, adds_only=True))
    assert replace(verdict, heard=()) == judge(HIT, RULES)


def test_a_theme_of_keywords_that_it_does_not_share_falls_short() -> None:
    """The item stays; what the keyword gave is still to be seen by `explain`."""
    verdict = judge(HIT, RULES, second({"quiz": (0.0, 0.0, -9.0, 0.0)}))
    assert verdict.sure
    assert verdict.themes == ()
    assert dict(verdict.near) == dict(judge(HIT, RULES).themes)
    assert {e.clause for e in verdict.evidence} >= {"near.agi"}
    assert verdict.withdrawn == ("agi",)
    assert judge(HIT, RULES, second({"quiz": (0.0, 0.0, -9.0, 0.0)}, adds_only=True)).themes == judge(HIT, RULES).themes


def test_what_the_user_excluded_stays_out() -> None:
    """`not:` of the coverage ends the matter, `not:` of a theme keeps it away, whatever was learnt."""
    eager = second({"webinar": (50, 50, 50, 50), "card": (50, 50, 50, 50)})
    assert not judge(news("Microsoft and OpenAI: a webinar"), RULES, eager).covered
    verdict = judge(news("Microsoft and OpenAI share a graphics card"), RULES, eager)
    assert verdict.sure
    assert "compute" not in dict(verdict.themes)
    assert "competition" in dict(verdict.themes)


def test_an_item_that_mentions_no_company_is_never_asked_about() -> None:
    """Nearly all news is of that kind."""
    verdict = judge(news("A bill to split"), RULES, second({"split": (50, 50, 50, 50)}))
    assert not verdict.covered
    assert verdict.heard == ()


def test_a_theme_without_labels_is_left_to_its_keywords() -> None:
    """And one that the user has not is never given."""
    eager = replace(second({"quiz": (9, 9, 9, 9)}), themes=frozenset({"competition"}))
    assert set(dict(judge(HIT, RULES, eager).themes)) == {"agi", "competition"}


def test_the_limit_is_what_the_user_says() -> None:
    """A likelihood on the limit is enough."""
    says = second({"quiz": (-3.0, 0.0, 0.0, 0.0)})
    likelihood = judge(HIT, RULES, says).heard[0].likelihood
    assert 0 < likelihood < 0.5
    assert judge(HIT, RULES, says).doubted
    assert not judge(HIT, RULES, replace(says, coverage=likelihood)).doubted


def test_a_second_opinion_can_be_pickled() -> None:
    """A pool of processes can judge with it."""
    says = second(SPLIT)
    assert judge(MISSED, RULES, pickle.loads(pickle.dumps(says))) == judge(MISSED, RULES, says)


texts = st.sampled_from(
    [
        "Microsoft",
        "OpenAI",
        "Redmond",
        "AGI",
        "rival",
        "算力",
        "webinar",
        "quiz",
        "tutorial",
        "Google,",
        "微软",
        "split",
    ]
)
titles = st.lists(texts, max_size=8).map(" ".join)


@LAW
@given(titles, titles, st.lists(st.floats(-9, 9), min_size=4, max_size=4))
def test_a_hit_of_the_rules_is_never_lost(title: str, summary: str, odds: list[float]) -> None:
    """Whatever the opinion says, in both ways; and what is no hit of anybody keeps the rules' reason."""
    item = news(title, summary)
    rules = judge(item, RULES)
    seen, _ = examine(item, RULES)
    heard = tuple(Heard(question, said, ()) for question, said in zip(QUESTIONS, odds, strict=True))
    for adds_only in (False, True):
        verdict = replace(second(), adds_only=adds_only).decide(seen, heard)
        assert verdict.covered >= rules.covered
        assert verdict.doubted <= rules.covered
        assert bool(verdict.reason) == (not verdict.covered)
        assert set(verdict.alone) <= {"coverage", *dict(verdict.themes)}
        if adds_only and rules.covered:
            assert dict(verdict.themes).items() >= dict(rules.themes).items()


@LAW
@given(titles, titles)
def test_looking_for_the_opinion_changes_nothing_that_the_rules_say(title: str, summary: str) -> None:
    """Off is off: with nobody asked, the verdict is the rules' to the last piece of evidence."""
    item = news(title, summary)
    seen, _ = examine(item, RULES, thorough=False, for_second=True)
    verdict = judge(item, RULES)
    assert (seen.verdict.covered, seen.verdict.reason, seen.verdict.themes) == (
        verdict.covered,
        verdict.reason,
        verdict.themes,
    )
    if verdict.covered:
        assert seen.verdict == verdict


# ---------------------------------------------------------------- the sense

SENSE = Sense(
    beside="test",
    embedding="test",
    base=(-2.0, -2.0, -2.0, -2.0),
    trust={"rules": (1.0,) * 4, "words": (1.0,) * 4, "sense": (1.0,) * 4},
    sense=((6.0, -6.0), (6.0, 0.0), (0.0, 0.0), (0.0, 0.0)),
)


def test_the_sense_is_heard_where_it_is_installed() -> None:
    """It makes a hit of what no word gives away."""
    item = news("Redmond foots the bill for a start-up")
    assert not judge(item, RULES, second()).covered
    verdict = judge(item, RULES, second(sense=SENSE))
    assert verdict.sure
    assert [voice for voice, _ in verdict.heard[0].voices] == ["rules", "words", "sense"]


def test_only_what_gets_past_a_first_look_is_embedded() -> None:
    """Embedding costs a hundred times as much as all else together."""
    EMBEDDED.clear()
    unlikely = second(QUIZ, sense=SENSE)
    judge(news("Redmond holds a quiz"), RULES, unlikely)
    judge(news("No company in it"), RULES, unlikely)
    assert EMBEDDED == []
    judge(news("Redmond pays", "It is a bill. " * 100), RULES, unlikely)
    [text] = EMBEDDED
    assert text.startswith("Redmond pays. It is a bill.")
    assert len(text) < 700


@pytest.mark.parametrize("odds", [-800.0, 800.0])
def test_a_likelihood_is_a_number_however_sure(odds: float) -> None:
    """Never an overflow."""
    assert 0 <= Heard("coverage", odds, ()).likelihood <= 1


def test_where_no_keyword_and_no_opinion_says_yes_the_reason_is_the_rules() -> None:
    """A person is told what was missing."""
    verdict = judge(MISSED, RULES, second())
    assert verdict.reason == judge(MISSED, RULES).reason == "no name or hint of openai"
    assert verdict.heard


def test_what_is_seen_for_a_person_is_also_seen_by_the_opinion() -> None:
    """`examine` and a thorough judging agree."""
    item: Item = news("Redmond and the rival")
    seen, mentions = examine(item, RULES)
    assert mentions
    assert isinstance(seen, Seen)
    assert seen.verdict == judge(item, RULES, thorough=True)
    assert dict(seen.made) == {"competition": 1.5}
