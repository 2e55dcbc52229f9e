"""Why an item is, or is not, a hit: what a person reads."""

from __future__ import annotations

import re

from monitor.config import made_up
from monitor.explain import explain
from monitor.match.judge import judge
from monitor.match.query import Query
from monitor.match.rules import Company, Rules, Theme
from monitor.match.syntax import compile_query


def queries(*sources: str) -> tuple[Query, ...]:
    """Compile keywords."""
    return tuple(compile_query(source) for source in sources)


RULES = Rules(
    (Company("microsoft", queries("Microsoft", "微软")), Company("openai", queries("OpenAI"))),
    queries("Tesla Optimus"),
    (
        Theme("agi", queries("AGI", "(superintelligence OR 超级智能)^0.5"), queries("robot")),
        Theme("openai", queries("chatbot")),
    ),
    relations=queries("deal"),
    others=queries("Google", "Meta"),
)


def told(title: str, summary: str = "") -> str:
    """Return all that is said of a text."""
    item = made_up(title, summary)
    return "\n".join(explain(item, judge(item, RULES, thorough=True), RULES))


def test_the_words_are_marked_where_they_stand() -> None:
    """Companies, keywords and what speaks for or against, each in brackets of its own, and nothing is lost between."""
    text = told("微软 and ＯｐｅｎＡＩ: AGI deal", "Google waits.")
    assert "  title    [微软] and [ＯｐｅｎＡＩ]: {AGI} <deal>\n  summary  <Google> waits.\n" in text
    assert "[a company], {a keyword of a theme}, <what speaks for or against>" in text


def test_the_points_add_up() -> None:
    """Every sign with its points and its words; their sum is the one that is named."""
    text = told("Microsoft and OpenAI sign deal with Google")
    total = re.search(r"coverage: (-?[\d.]+) points, 3 needed", text)
    signs = re.findall(r"^ +([+-]\d+\.\d)  (.+)$", text, re.M)
    assert total
    assert abs(float(total[1]) - sum(float(points) for points, _ in signs)) < 0.06
    assert {"relation beside both: deal", "other firms in the title: Google"} <= {name for _, name in signs}


def test_a_list_says_which_firms_made_it_and_which_theme_it_would_have_had() -> None:
    """For a no: the points that it lacks, what weighed most, the nearest theme and what it lacks."""
    text = told("Google, Microsoft, OpenAI and Meta on superintelligence")
    assert re.match(
        r"not a hit: mentions microsoft and openai, but only -?\d\.\d of 3 points say it is about them", text
    )
    assert "most against it: both in one list" in text
    assert re.search(r"-\d\.\d  other firms in the title: Google, Meta", text)
    assert "theme agi: 0.75 points, 1 needed\n    superintelligence in the title, by (super" in text


def test_the_clause_that_failed_is_named_and_what_else_was_there() -> None:
    """A missing company, an exclusion, a theme that is taken away."""
    missing = told("Microsoft reaches AGI")
    assert missing.startswith("not a hit: no name or hint of openai")
    assert re.search(r"openai +not mentioned", missing)
    assert "theme agi: 1.5 points, 1 needed" in missing
    excluded = told("Tesla Optimus at Microsoft and OpenAI on AGI")
    assert excluded.startswith("not a hit: excluded from coverage by: Tesla Optimus")
    assert re.search(r"excluded by +Tesla Optimus", excluded)
    unmade = told("Microsoft, OpenAI: AGI and a robot")
    assert unmade.startswith("a hit: no theme")
    assert "AGI in the title, by AGI\n    taken away by robot, under not:" in unmade


def test_a_theme_may_be_called_as_a_company_is() -> None:
    """What stands for the one is not shown for the other."""
    text = told("Microsoft and OpenAI: a chatbot")
    assert "theme openai: 1.5 points, 1 needed\n    chatbot in the title, by chatbot" in text
    assert "OpenAI in the title, by" not in text


def test_a_text_without_anything_has_nothing_marked() -> None:
    """And is told so in one line for each company."""
    assert told("Weather") == (
        "not a hit: no name or hint of microsoft and openai\n  title    Weather\n"
        f"  {'microsoft':<22} not mentioned\n  {'openai':<22} not mentioned"
    )
