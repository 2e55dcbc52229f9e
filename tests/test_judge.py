"""Judging: what counts as coverage of both companies, what it is about, and why not."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config import load, opened
from monitor.match.aboutness import LEAD, POINTS
from monitor.match.judge import judge
from monitor.match.query import Query
from monitor.match.rules import Company, Rules, Theme
from monitor.match.syntax import compile_query
from monitor.match.words import Document
from monitor.model import Item, Verdict
from monitor.remarks import example_faults
from monitor.settings import Settings
from monitor.text import read

LAW = settings(deadline=None, derandomize=True)
SHIPPED = Path(__file__).parent.parent / "feeds.yaml"
DAY = datetime(2026, 11, 23, tzinfo=UTC)


def queries(*sources: str) -> tuple[Query, ...]:
    """Compile keywords."""
    return tuple(compile_query(source) for source in sources)


RULES = Rules(
    companies=(
        Company(
            "microsoft",
            queries("Microsoft", "微软", "MSFT"),
            queries("Redmond", "Nadella", "纳德拉"),
            products=queries("Copilot", "Azure"),
            faint=queries("landlord"),
        ),
        Company("openai", queries("OpenAI"), queries("Altman", "奥特曼"), queries("ChatGPT"), queries("its lab")),
    ),
    excluded=queries('"Tesla Optimus"', "webinar"),
    themes=(
        Theme("compute", queries("data center AND pause", "算力", "GPU*"), queries("graphics card")),
        Theme("agi", queries("AGI", "superintelligence")),
        Theme("competition", queries("rival", "自研")),
    ),
    relations=queries("deal OR rift", "协议"),
    against=queries("tutorial OR newsletter", "(tips)^0.5", "教程"),
    others=queries("Google OR 谷歌", "Amazon", "Meta", "Oracle"),
    masks=queries("Azure OpenAI", "Microsoft-backed"),
)


def news(title: str, summary: str = "") -> Item:
    """Return an item with these words."""
    return Item("https://example.com/rss", "key", "https://example.com/1", title, summary, "Example", "en", DAY, DAY)


def verdict(title: str, summary: str = "", rules: Rules = RULES) -> Verdict:
    """Judge an item with these words."""
    return judge(news(title, summary), rules)


def themes(title: str, summary: str = "") -> list[str]:
    """Return the themes of an item, best first."""
    return [theme for theme, _ in verdict(title, summary).themes]


# ------------------------------------------------------------------ coverage


@pytest.mark.parametrize(
    ("title", "summary"),
    [
        ("Microsoft and OpenAI talk", ""),
        ("OpenAI talks", "Microsoft's side of the deal is quiet."),
        ("Talks", "Nadella met Altman."),
        ("Redmond waits for ChatGPT", ""),
        ("MSFT falls on OpenAI news", ""),
        ("微软OpenAI谈判", ""),
        ("纳德拉会见奥特曼", ""),
        ("奥特曼：微软是伙伴", ""),
        ("ＯｐｅｎＡＩ与微软", ""),
    ],
)
def test_both_companies_by_name_or_hint_are_coverage(title: str, summary: str) -> None:
    """In title or summary, in English or Chinese, by the firm's name or by its people and products."""
    said = verdict(title, summary)
    assert said.covered
    assert said.reason == ""
    assert {e.clause for e in said.evidence if e.clause.startswith("coverage.")} - {"coverage.relations"} == {
        "coverage.microsoft",
        "coverage.openai",
    }


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        ("OpenAI opens an office", "no name or hint of microsoft"),
        ("Microsoft opens an office", "no name or hint of openai"),
        ("Apple opens an office", "no name or hint of microsoft and openai"),
        ("", "no name or hint of microsoft and openai"),
        ("msft index, open AI", "no name or hint of microsoft and openai"),
        ("Tesla Optimus walks past Microsoft and OpenAI", 'excluded from coverage by: "Tesla Optimus"'),
        ("Webinars with Microsoft and OpenAI", "excluded from coverage by: webinar"),
    ],
)
def test_what_is_not_coverage_says_why(title: str, reason: str) -> None:
    """The missing side is named, or the exclusion that struck."""
    said = verdict(title)
    assert not said.covered
    assert said.reason == reason
    assert said.themes == ()
    assert said.score == 0


def test_an_exclusion_may_stand_in_the_summary() -> None:
    """And only as it is written: one word of the phrase is not enough."""
    assert not verdict("Microsoft and OpenAI", "See the Tesla Optimus.").covered
    assert verdict("Microsoft and OpenAI", "Optimus by Tesla.").covered


def test_the_half_that_is_there_is_shown_even_without_the_other() -> None:
    """`explain` can say: Microsoft stands here, OpenAI does not."""
    said = verdict("Microsoft and Nadella open an office")
    assert [(e.clause, e.keyword, e.start, e.end) for e in said.evidence] == [
        ("coverage.microsoft", "Microsoft", 0, 9),
        ("coverage.microsoft", "Nadella", 14, 21),
    ]


# ------------------------------------------------------------------ far down in a long article

LONG = "Weather was fine. " * 40


def test_a_company_only_far_down_is_not_coverage() -> None:
    """Feeds that carry whole articles name many firms at their ends."""
    said = verdict("OpenAI opens an office", f"{LONG} Microsoft was not asked.")
    assert not said.covered
    assert said.reason == "microsoft only stands further down, not in the title or the lead"


def test_both_far_down_are_named() -> None:
    """The reason names every company that stands too late."""
    said = verdict("An office", f"{LONG} Microsoft and OpenAI were not asked.")
    assert said.reason == "microsoft and openai only stands further down, not in the title or the lead"


@pytest.mark.parametrize(("before", "covered"), [(LEAD - 9, True), (LEAD - 8, False)])
def test_the_lead_ends_where_it_ends(before: int, covered: bool) -> None:
    """A name that ends on the last character of the lead still counts."""
    assert verdict("OpenAI deal", "." * before + "Microsoft").covered is covered


def test_a_second_mention_far_down_takes_nothing_away() -> None:
    """One place in title or lead is enough."""
    assert verdict("OpenAI and Microsoft", f"{LONG} Microsoft.").covered
    assert verdict("OpenAI deal", f"Microsoft. {LONG} Microsoft.").covered


def test_a_keyword_far_down_counts_half() -> None:
    """At the end of a long article it takes two of them, or one in a sentence that names a company."""
    assert themes("OpenAI and Microsoft", f"{LONG} AGI.") == []
    assert themes("OpenAI and Microsoft", f"{LONG} AGI. Superintelligence.") == ["agi"]
    assert themes("OpenAI and Microsoft", f"OpenAI talked on {'and on ' * 80}of AGI.") == ["agi"]


# ------------------------------------------------------------------ themes


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Microsoft and OpenAI talk", []),
        ("Microsoft pauses data centers, OpenAI waits", ["compute"]),
        ("Microsoft data centers, OpenAI", []),
        ("微软OpenAI算力", ["compute"]),
        ("Microsoft, OpenAI: AGI and superintelligence", ["agi"]),
        ("Microsoft, OpenAI: agi", []),
        ("Microsoft rivals OpenAI on AGI with GPUs", ["compute", "agi", "competition"]),
        ("AGI and superintelligence: Microsoft rivals OpenAI", ["agi", "competition"]),
    ],
)
def test_an_item_has_every_theme_of_which_a_keyword_stands(title: str, expected: list[str]) -> None:
    """None, one or several; more keywords come first, ties in the order of the rules."""
    assert themes(title) == expected


def test_an_exclusion_of_a_theme_takes_only_that_theme() -> None:
    """The item stays, with its other themes and without evidence for the one."""
    said = verdict("Microsoft, OpenAI: a graphics card, GPUs, AGI")
    assert said.covered
    assert [theme for theme, _ in said.themes] == ["agi"]
    assert not [e for e in said.evidence if e.clause == "theme.compute"]


def test_no_theme_without_coverage() -> None:
    """A keyword alone is not news of the two firms."""
    assert themes("Apple reaches AGI") == []


def test_a_keyword_in_the_title_weighs_more() -> None:
    """One and a half times, and once however often it stands."""
    assert verdict("Microsoft OpenAI AGI").score == 1.5
    assert verdict("Microsoft OpenAI", "AGI, AGI, AGI").score == 1.0
    assert verdict("Microsoft OpenAI AGI", "AGI").score == 1.5
    assert verdict("Microsoft OpenAI AGI", "superintelligence").score == 2.5
    assert dict(verdict("Microsoft OpenAI AGI rival", "superintelligence").themes) == {"agi": 2.5, "competition": 1.5}


def test_weights_and_the_threshold_decide_together() -> None:
    """Half a keyword needs another; in a title two thirds of one are enough; what falls short is still known."""
    weak = Theme("weak", queries("chip^0.5", "(lease OR rent)^0.5", "grid^0.7"))
    rules = Rules(RULES.companies, (), (weak,))
    assert dict(verdict("Microsoft and OpenAI", "chips", rules).themes) == {}
    assert dict(verdict("Microsoft and OpenAI", "chips", rules).near) == {"weak": 0.5}
    assert dict(verdict("Microsoft and OpenAI", "chips, rented", rules).themes) == {"weak": 1.0}
    assert dict(verdict("Microsoft and OpenAI", "leased, rented", rules).themes) == {}
    assert dict(verdict("Microsoft, OpenAI and the grid", "", rules).themes) == {"weak": 1.05}
    strict = Rules(RULES.companies, (), (Theme("weak", weak.keywords, threshold=2.0),))
    assert dict(verdict("Microsoft and OpenAI", "chips, rented", strict).themes) == {}


def test_a_keyword_may_be_spread_over_title_and_summary() -> None:
    """AND asks for both in the item, not in one field; a phrase stands in one."""
    assert themes("Microsoft pauses, OpenAI waits", "A data center.") == ["compute"]
    assert themes("Microsoft, OpenAI: pause of data", "Centers.") == []


# ------------------------------------------------------------------ about them together, or not


def points(title: str, summary: str = "") -> dict[str, float]:
    """Return the signs of an item with their points."""
    return {sign.name: sign.points for sign in verdict(title, summary).signs}


@pytest.mark.parametrize(
    ("title", "summary"),
    [
        ("Microsoft, Google, OpenAI and Meta sign a pledge", ""),
        ("Pledge signed by Amazon, Microsoft and OpenAI", ""),
        ("微软、谷歌、OpenAI签署承诺", ""),
        ("微软、OpenAI、谷歌和Meta签署承诺", ""),
        ("Best model: Google 72%, OpenAI 14%, Microsoft 1%", ""),
        ("Google's, Microsoft's and OpenAI's sheds are thirsty", ""),
    ],
)
def test_a_list_of_firms_is_no_coverage(title: str, summary: str) -> None:
    """Three firms or more with commas, figures or `and` between them, in either script."""
    said = verdict(title, summary)
    assert not said.covered
    assert "both in one list" in points(title, summary)
    assert said.reason.endswith("most against it: both in one list")


@pytest.mark.parametrize(
    "title", ["Microsoft and OpenAI answer Google", "微软和OpenAI回应谷歌", "Microsoft, OpenAI sign deal"]
)
def test_two_firms_side_by_side_are_no_list(title: str) -> None:
    """The pair alone, with another firm elsewhere, is what is looked for."""
    assert "both in one list" not in points(title)
    assert verdict(title).covered


def test_one_side_in_a_list_is_told_apart() -> None:
    """OpenAI among others, Microsoft by itself."""
    assert "one in a list" in points("Microsoft hosts Google, OpenAI and Meta models")


SIGNS = [
    ("Microsoft and OpenAI", "", "both by name in the title"),
    ("Microsoft grows", "OpenAI was named once.", "one only in the summary"),
    ("A quarrel", "Microsoft and OpenAI.", "both only in the summary"),
    ("Nadella and Altman", "", "by people or places"),
    ("Copilot and ChatGPT", "", "only by products"),
    ("Talks", "Microsoft met OpenAI.", "both in one sentence of the summary"),
    ("Microsoft grows", "Sales rose. Games fell. It resells OpenAI.", "in the last sentence alone"),
    ("Microsoft grows", "Its cloud has Google, Amazon and OpenAI.", "among other firms in the summary"),
    ("Skype ends, Microsoft says, Figma pops, OpenAI hires", "", "in different parts of the title"),
    ("Microsoft asks OpenAI about Oracle", "", "other firms in the title"),
    ("Microsoft and OpenAI sign deal", "", "relation beside both"),
    ("Microsoft and OpenAI", "A rift.", "relation elsewhere"),
    ("Microsoft and OpenAI on AGI", "", "theme"),
    ("Microsoft and OpenAI: a tutorial", "", "against it in the title"),
    ("Microsoft and OpenAI", "A newsletter.", "against it in the summary"),
]


@pytest.mark.parametrize(("title", "summary", "sign"), SIGNS)
def test_each_sign_is_seen(title: str, summary: str, sign: str) -> None:
    """And counts as it says."""
    assert points(title, summary)[sign] == pytest.approx(POINTS[sign], abs=abs(POINTS[sign]))
    assert points(title, summary)[sign] * POINTS[sign] > 0


def test_every_sign_has_a_test() -> None:
    """None is forgotten when one is added."""
    assert {sign for _, _, sign in SIGNS} | {"both mentioned", "both in one list", "one in a list"} == set(POINTS)


def test_signs_add_up_to_the_decision() -> None:
    """More of what speaks against tips the scale; the reason names the points and what weighed most."""
    assert verdict("Microsoft and OpenAI sign deal").covered
    said = verdict("Tutorial: tips for Microsoft and OpenAI, 教程", "Google, too.")
    assert not said.covered
    total = sum(sign.points for sign in said.signs)
    assert said.reason == (
        f"mentions microsoft and openai, but only {total:.1f} of 3 points say it is about them;"
        " most against it: against it in the title"
    )


def test_a_higher_threshold_lets_fewer_in() -> None:
    """feeds.yaml can ask for more."""
    strict = Rules(RULES.companies, (), RULES.themes, threshold=50.0)
    assert verdict("Microsoft and OpenAI").covered
    assert not verdict("Microsoft and OpenAI", rules=strict).covered


def test_a_firms_name_is_no_theme_twice() -> None:
    """Oracle as a keyword makes the theme, and no case for coverage beyond its name."""
    rules = Rules(RULES.companies, (), (Theme("compute", queries("Oracle", "GPU*")),), others=RULES.others)
    named, told = (verdict(title, rules=rules) for title in ("Microsoft, OpenAI, Oracle", "Microsoft, OpenAI, GPUs"))
    assert dict(named.themes).keys() == dict(told.themes).keys() or not named.covered
    assert "theme" not in {sign.name for sign in named.signs}
    assert "theme" in {sign.name for sign in told.signs}


def test_a_masked_name_is_no_mention() -> None:
    """`Azure OpenAI` is a product and `Microsoft-backed` an adjective; beside a real name they do no harm."""
    assert verdict("Microsoft-backed OpenAI hires a chef").reason == "no name or hint of microsoft"
    assert verdict("Azure OpenAI quota at Microsoft").reason == "no name or hint of openai"
    assert verdict("Microsoft-backed OpenAI signs deal with Microsoft").covered


def test_a_faint_word_counts_beside_the_other_side() -> None:
    """`Redmond and its lab` are the pair; a lab of Microsoft is not OpenAI."""
    assert verdict("Redmond and its lab in rift").covered
    assert verdict("Altman and his landlord: a deal").covered
    assert verdict("Microsoft and its lab in rift").reason == "no name or hint of openai"


def test_one_company_alone_can_be_watched() -> None:
    """`coverage` may name one firm, or three."""
    one = Rules(RULES.companies[:1], (), ())
    assert verdict("Microsoft sells games", rules=one).covered
    assert not verdict("Google sells games", rules=one).covered
    listing = Rules(RULES.companies[:1], (), (), others=RULES.others)
    assert verdict("Google, Microsoft and Meta on water", rules=listing).covered
    three = Rules((*RULES.companies, Company("oracle", queries("Oracle"))), (), ())
    assert verdict("Microsoft, OpenAI and Oracle sign", rules=three).covered
    assert verdict("Microsoft and OpenAI sign", rules=three).reason == "no name or hint of oracle"


def test_a_thorough_verdict_names_what_else_was_there() -> None:
    """Where a company is missing, an exclusion strikes or a theme is taken away, themes are looked for all the same."""
    missing = judge(news("Microsoft on AGI"), RULES, thorough=True)
    assert missing.reason == "no name or hint of openai"
    assert dict(missing.near) == {"agi": 1.5}
    excluded = judge(news("Tesla Optimus walks past Microsoft and OpenAI on AGI"), RULES, thorough=True)
    assert excluded.reason == 'excluded from coverage by: "Tesla Optimus"'
    assert {"coverage.not", "near.agi"} <= {e.clause for e in excluded.evidence}
    unmade = verdict("Microsoft, OpenAI: a graphics card, GPUs")
    assert unmade.covered
    assert dict(unmade.near) == {"compute": 1.5}
    assert {"near.compute", "unmade.compute"} <= {e.clause for e in unmade.evidence}
    for item in (news("Microsoft on AGI"), news("Tesla Optimus, Microsoft, OpenAI")):
        quick, full = judge(item, RULES), judge(item, RULES, thorough=True)
        assert (quick.covered, quick.reason, quick.themes) == (full.covered, full.reason, full.themes)


def test_what_is_not_coverage_keeps_its_evidence() -> None:
    """`explain` shows the words that spoke against, and the theme that it would have had."""
    said = verdict("Tutorial: GPUs of Microsoft and OpenAI, tips, 教程")
    assert not said.covered
    assert {e.clause for e in said.evidence} >= {"coverage.microsoft", "coverage.against", "near.compute"}
    assert dict(said.near) == {"compute": 1.5}


# ------------------------------------------------------------------ evidence


def test_evidence_points_at_the_words() -> None:
    """Field and span lead to what stands there, as it is written there."""
    title, summary = "微软ＯｐｅｎＡＩ: GPUs", "Altman’s data centers paused"
    said = verdict(title, summary)
    texts = {"title": title, "summary": summary}
    assert [(e.clause, e.keyword, texts[e.field][e.start : e.end]) for e in said.evidence] == [
        ("coverage.microsoft", "微软", "微软"),
        ("coverage.openai", "OpenAI", "ＯｐｅｎＡＩ"),
        ("coverage.openai", "Altman", "Altman"),
        ("theme.compute", "data center AND pause", "data centers"),
        ("theme.compute", "data center AND pause", "paused"),
        ("theme.compute", "GPU*", "GPUs"),
    ]


PIECES = st.lists(
    st.sampled_from(
        [
            *("Microsoft", "微软", "OpenAI", "Altman’s", "AGI", "GPUs", "agi", "算力", "paused", "rival", "webinar"),
            *(".", "，", "的"),
            *("data centers", "Tesla Optimus", "graphics card", "\ud83d"),
        ]
    ),
    max_size=12,
).map(" ".join)


@LAW
@given(PIECES, PIECES)
def test_every_span_holds_its_keyword(title: str, summary: str) -> None:
    """Each piece of evidence lies in its field and, cut out, is a place of the keyword again."""
    texts = {"title": title, "summary": summary}
    said = verdict(title, summary)
    assert len(set(said.evidence)) == len(said.evidence)
    for e in said.evidence:
        assert 0 <= e.start < e.end <= len(texts[e.field])
        cut = texts[e.field][e.start : e.end]
        if " AND " not in e.keyword:
            match = compile_query(e.keyword).match(Document({"cut": read(cut)}))
            assert match is not None
            assert ("cut", 0, len(cut)) in match.spans


@LAW
@given(PIECES, PIECES)
def test_a_verdict_is_whole(title: str, summary: str) -> None:
    """Covered, with scores that add up and evidence for each theme; or not, with a reason and no themes."""
    said = verdict(title, summary)
    assert said.covered is (not said.reason)
    assert said.covered or not said.themes
    assert said.score == sum(score for _, score in said.themes)
    assert [score for _, score in said.themes] == sorted((score for _, score in said.themes), reverse=True)
    shown = {e.clause.removeprefix("theme.") for e in said.evidence if e.clause.startswith("theme.")}
    assert shown == {theme for theme, _ in said.themes}
    assert judge(news(title, summary), RULES) == said


def test_rules_without_themes_still_tell_coverage() -> None:
    """A file may watch the firms alone."""
    said = verdict("Microsoft and OpenAI", rules=Rules(RULES.companies, (), ()))
    assert said.covered
    assert said.themes == ()


# ------------------------------------------------------------------ the rules that are shipped


@pytest.fixture(scope="module")
def shipped() -> Settings:
    """The feeds.yaml of the repository."""
    return load(SHIPPED)


def test_the_shipped_rules_keep_their_own_promises(shipped: Settings) -> None:
    """Every theme has examples of both kinds, and each comes out as it says."""
    assert set(shipped.examples) == {theme.name for theme in shipped.rules.themes}
    for examples in shipped.examples.values():
        assert examples.hits
        assert examples.misses
    used, sheet = opened(SHIPPED, SHIPPED.read_bytes())
    assert example_faults(used, sheet) == []


def test_an_example_that_comes_out_wrong_is_told(shipped: Settings, tmp_path: Path) -> None:
    """Theme, headline and reason stand in the line."""
    edited = tmp_path / "feeds.yaml"
    text = SHIPPED.read_text(encoding="utf-8")
    right = "Microsoft loses access once OpenAI declares AGI, contract says"
    wrong = "Apple loses access once OpenAI declares AGI"
    assert right in text
    edited.write_text(
        text.replace(right, wrong).replace("Agi Corp opens office near", "AGI Corp opens office near"), encoding="utf-8"
    )
    found = example_faults(*opened(edited, edited.read_bytes()))
    lines = edited.read_text(encoding="utf-8").splitlines()
    assert [fault.message.partition(": AGI OR")[0] for fault in found] == [
        f"themes.agi: should be a hit: {wrong} (no name or hint of microsoft)",
        "themes.agi: should be a miss: AGI Corp opens office near Microsoft and OpenAI (a keyword of the theme matches",
    ]
    assert wrong in lines[found[0].line - 1]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Microsoft ends exclusivity with OpenAI", "compute"),
        ("Microsoft buys 200,000 GPUs for OpenAI", "compute"),
        ("微软放弃OpenAI独家云", "compute"),
        ("Microsoft, OpenAI agree on expert panel to verify AGI", "agi"),
        ("微软OpenAI重谈通用人工智能条款", "agi"),
        ("Microsoft adds Anthropic's Claude beside OpenAI in Copilot", "competition"),
        ("OpenAI takes on GitHub, owned by Microsoft, and replaces it", "competition"),
    ],
)
def test_the_shipped_rules_find_the_news_of_this_trade(shipped: Settings, title: str, expected: str) -> None:
    """Headlines as they are written."""
    assert expected in dict(judge(news(title), shipped.rules).themes)


@pytest.mark.parametrize(
    "title",
    [
        "Tesla Optimus robot beats Microsoft demo",
        "How to deploy Azure OpenAI in ten minutes with Microsoft Learn",
        "擎天柱亮相，微软与OpenAI围观",
        "Microsoft sells Xbox",
        "OpenAI hires a chef",
    ],
)
def test_the_shipped_rules_leave_out_what_is_no_news(shipped: Settings, title: str) -> None:
    """Robots of the same name, tutorials, one firm alone."""
    assert not judge(news(title), shipped.rules).covered


def test_rules_cross_to_another_process(shipped: Settings) -> None:
    """Judging can be spread over processes: rules and verdicts pickle, and judge the same after it."""
    rules = pickle.loads(pickle.dumps(shipped.rules))
    assert rules == shipped.rules
    item = pickle.loads(pickle.dumps(news("Microsoft and OpenAI fight over AGI and GPUs")))
    assert pickle.loads(pickle.dumps(judge(item, rules))) == judge(item, shipped.rules)
