"""Clustering: which reports are one story, and which continue a story told before."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import resources
from monitor.digest import stories
from monitor.model import Item, Judged, Story, ToldStory, Verdict
from tests.builders import ROOT

LIKENESS = resources.likeness()
LAW = settings(deadline=None, derandomize=True)
DAY = datetime(2026, 11, 23, 12, tzinfo=UTC)


def cluster(hits: list[Judged], recent: list[ToldStory] | None = None, **options: object) -> list[Story]:
    """Join hits by what came along."""
    return stories.cluster(hits, recent or [], likeness=LIKENESS, **options)  # type: ignore[arg-type]


def report(number: int, title: str, **fields: object) -> Judged:
    """Return a hit; its link, outlet and time follow from its number unless they are given."""
    values: dict[str, object] = {
        "link": f"https://example.com/{number}",
        "outlet": f"Outlet {number}",
        "published": DAY + timedelta(minutes=number),
        "themes": (),
        **fields,
    }
    themes = values["themes"]
    assert isinstance(themes, tuple)
    item = Item(
        feed_url="https://example.com/rss",
        key=str(number),
        link=str(values["link"]),
        title=title,
        summary="",
        outlet=str(values["outlet"]),
        language="en",
        published=values["published"],  # type: ignore[arg-type]
        first_seen=DAY,
    )
    return Judged(item, Verdict(True, themes, sum(score for _, score in themes)), number)


def told(number: int, *titles: str, links: tuple[str, ...] = ()) -> ToldStory:
    """Return a story of an earlier edition."""
    return ToldStory(number, titles[0], "", "en", (), ("Outlet 0",), links, titles, DAY - timedelta(days=1))


def groups(stories: list[Story]) -> list[list[int]]:
    """Return the numbers of the reports of each story."""
    return [[report.id for report in story.reports] for story in stories]


def joined(one: str, other: str) -> bool:
    """Tell whether two headlines are one story."""
    return len(cluster([report(1, one), report(2, other)])) == 1


# ------------------------------------------------------------------ one story or two


def test_reports_with_the_same_address_are_one_story() -> None:
    """Whatever their headlines say: aggregators rewrite them."""
    link = "https://example.com/story"
    hits = [report(1, "Microsoft halts campus", link=link), report(2, "A pause in Ohio", link=link), report(3, "More")]
    assert groups(cluster(hits)) == [[1, 2], [3]]


def test_reports_without_an_address_are_not_one_story() -> None:
    """Nothing is not the same address."""
    hits = [report(1, "Microsoft halts campus", link=""), report(2, "OpenAI hires a chef today", link="")]
    assert groups(cluster(hits)) == [[1], [2]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Microsoft halts Ohio data center campus", "Microsoft halts Ohio data center campus"),
        ("Microsoft halts Ohio data center campus", "MICROSOFT HALTS OHIO DATA CENTER CAMPUS"),
        ("Microsoft halts Ohio data center campus", "Microsoft halts Ohio data-center campus!"),
        ("Microsoft halts Ohio data center campus", "Microsoft halts Ohio data center campuses"),
        ("OpenAI raises $40bn from SoftBank", "OpenAI raises $40bn from Softbank"),
        ("微软放弃对OpenAI算力的优先购买权", "微软放弃对OpenAI算力的优先购买权！"),
        ("微软放弃优先购买权", "微软放弃优先购买权了"),
    ],
)
def test_nearly_the_same_headlines_are_one_story(one: str, other: str) -> None:
    """Case, signs or an ending make no news."""
    assert joined(one, other)
    assert joined(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Microsoft halts Ohio data center campus", "OpenAI moves to Oracle for its servers"),
        ("Microsoft halts Ohio data center campus", "Microsoft halts Texas wind farm deal"),
        ("微软放弃对OpenAI算力的优先购买权", "微软自研模型挑战OpenAI"),
    ],
)
def test_other_headlines_are_other_stories(one: str, other: str) -> None:
    """A firm in common is not enough."""
    assert not joined(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("OpenAI raises $40bn from SoftBank and others", "OpenAI raises $10bn from SoftBank and others"),
        ("Microsoft to spend 80 billion on data centers", "Microsoft to spend 80.5 billion on data centers"),
        ("OpenAI releases GPT-5 to Microsoft customers", "OpenAI releases GPT-6 to Microsoft customers"),
        ("Microsoft OpenAI deal, part 1 of the series", "Microsoft OpenAI deal, part of the series"),
        ("微软向OpenAI投资100亿美元用于算力建设", "微软向OpenAI投资130亿美元用于算力建设"),
    ],
)
def test_other_numbers_are_other_news(one: str, other: str) -> None:
    """However alike the words."""
    assert not joined(one, other)


@pytest.mark.parametrize("title", ["OpenAI", "Microsoft", "Breaking", "快讯", "微软谈", "", "12 34 56"])
def test_short_headlines_are_not_joined(title: str) -> None:
    """Two items called `OpenAI` need not be one event."""
    assert not joined(title, title)


@pytest.mark.parametrize("title", ["OpenAI talks", "微软与谈判"])
def test_a_headline_is_long_enough_from_twelve_characters_on(title: str) -> None:
    """A Han character counts three."""
    assert joined(title, title)


def test_a_chain_is_one_story() -> None:
    """First like second by its headline, second like third by its address."""
    link = "https://example.com/story"
    hits = [
        report(1, "Microsoft halts Ohio data center campus"),
        report(2, "Microsoft halts Ohio data center campuses", link=link),
        report(3, "What the pause in Ohio means for the cloud", link=link),
    ]
    assert groups(cluster(hits)) == [[1, 2, 3]]


def test_no_hits_no_stories() -> None:
    """Also with a past."""
    assert cluster([]) == []
    assert cluster([], [told(1, "Microsoft halts Ohio data center campus")]) == []


# ------------------------------------------------------------------ the lead, the order, the themes


def test_the_earliest_report_leads() -> None:
    """Who reported first is shown; a report that cannot be opened never leads."""
    title = "Microsoft halts Ohio data center campus"
    hits = [
        report(1, title, published=DAY + timedelta(hours=3)),
        report(2, title, published=DAY + timedelta(hours=2)),
        report(3, title, published=DAY + timedelta(hours=1), link=""),
        report(4, title, published=DAY + timedelta(hours=2)),
    ]
    assert groups(cluster(hits)) == [[2, 4, 1, 3]]


def test_the_source_that_weighs_most_leads() -> None:
    """Then a report in the digest's language, then one with a summary, then the first; all by the user's weights."""
    title = "Microsoft halts Ohio data center campus"

    def changed(hit: Judged, **fields: object) -> Judged:
        return replace(hit, item=replace(hit.item, **fields))  # type: ignore[arg-type]

    hits = [
        changed(report(1, title), language="zh", summary="x" * 80),
        report(2, title),
        changed(report(3, title), summary="They were to be ready by the summer of next year, the county says."),
        report(4, title, outlet="Great Paper"),
        report(5, title, outlet="Small Blog", published=DAY - timedelta(hours=9)),
    ]
    weights = {"Great Paper": 3.0, "Small Blog": 0.5}
    [story] = cluster(hits, weigh=lambda item: weights.get(item.outlet, 1.0), language="en")
    assert [found.id for found in story.reports] == [4, 3, 2, 1, 5]
    [story] = cluster(hits, language="zh")
    assert story.lead.id == 1


def test_reports_in_two_languages_with_other_words_are_one_story() -> None:
    """Names, numbers and acts are the same; a story of the same firms with others is another."""
    hits = [
        report(1, "Microsoft drops 400MW of leases in Kenosha that OpenAI was to fill"),
        report(2, "微软取消威斯康星400兆瓦租约，原定供OpenAI使用"),
        report(3, "OpenAI signs $6.5bn deal with CoreWeave"),
        report(4, "OpenAI与CoreWeave签署65亿美元协议"),
    ]
    assert groups(cluster(hits)) == [[1, 2], [3, 4]]


def test_a_report_in_the_other_language_continues_a_told_story() -> None:
    """Whatever its words: it is an update, and its outlet is new."""
    past = replace(
        told(7, "Microsoft drops 400MW of leases in Kenosha that OpenAI was to fill"), times=(DAY - timedelta(hours=9),)
    )
    [story] = cluster([report(1, "微软取消威斯康星400兆瓦租约，原定供OpenAI使用")], [past])
    assert story.continues is past


def test_what_comes_many_days_later_is_another_event() -> None:
    """Unless its headline is the same."""
    hits = [
        report(1, "Microsoft drops 400MW of leases in Kenosha that OpenAI was to fill"),
        report(2, "微软取消威斯康星400兆瓦租约，原定供OpenAI使用", published=DAY + timedelta(days=3)),
        report(3, "Microsoft drops 400MW of leases in Kenosha", published=DAY + timedelta(days=6)),
    ]
    assert groups(cluster(hits)) == [[1], [2], [3]] or groups(cluster(hits)) == [[1, 3], [2]]


def test_headlines_alike_but_for_one_thing_are_two_stories_unless_summaries_bear_it_out() -> None:
    """Interface and API are one thing, a voice model and an image model are two."""
    one, other = "Suleyman presents new MAI voice model", "Suleyman presents new MAI image model"
    assert not joined(one, other)
    text = "OpenAI may sell it through other clouds when Azure lacks capacity within ninety days, Microsoft says."
    titles = (
        "Microsoft loosens Azure exclusivity for OpenAI's interface",
        "Microsoft loosens Azure exclusivity for OpenAI's API",
    )
    hits = [report(n, title) for n, title in enumerate(titles, 1)]
    assert len(cluster([replace(hit, item=replace(hit.item, summary=text)) for hit in hits])) == 1


def test_stories_are_the_same_in_every_process() -> None:
    """Whatever order sets have there: an edition can be made again."""
    code = (
        "import json; from tests.test_stories import *; from bench.stories import read_events\n"
        "hits = [hit for name in 'cv' for hit, _ in read_events(name)]\n"
        "same = [replace(hit, id=n, item=replace(hit.item, published=DAY)) for n, hit in enumerate(hits, 1)]\n"
        "print(json.dumps([groups(cluster(hits)), groups(cluster(same))]))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(said) == 1
    assert len(said.pop()) > 1000


def test_a_told_story_is_found_among_hundreds() -> None:
    """By address, by headline, by what it says; the nearest of them."""
    past = [told(n, f"Zeta{n} Kappa{n * 7} sues Lambda{n * 3} over moonstone {n}") for n in range(1, 400)]
    leases = "Microsoft drops 400MW of leases in Kenosha that OpenAI was to fill"
    past[200:200] = [told(900, leases, links=("https://example.com/x",))]
    hits = [
        report(1, "Something else altogether", link="https://example.com/x"),
        report(2, "Zeta77 Kappa539 sues Lambda231 over moonstone 77!"),
        report(3, "Zeta7 and Kappa7 make peace"),
    ]
    assert [s.continues.id if s.continues else None for s in cluster(hits, past)] == [900, 77, None]
    past = [replace(story, times=(DAY - timedelta(hours=9),)) for story in past]
    [story] = cluster([report(4, "微软取消威斯康星400兆瓦租约，原定供OpenAI使用")], past)
    assert story.continues is not None
    assert story.continues.id == 900


def test_many_hits_are_one_quick_matter() -> None:
    """A thousand copies of one story, and as many stories of their own: none lost (bench/stories.py has the time)."""
    copies = [report(n, f"Microsoft halts Ohio data center campus {'!' * (n % 5)}") for n in range(1, 1001)]
    others = [report(n, f"Zeta{n} Kappa{n * 7} sues Lambda{n * 3} over moonstone {n}") for n in range(2001, 3201)]
    found = cluster(copies + others)
    assert sorted(number for group in groups(found) for number in group) == [hit.id for hit in copies + others]
    assert [len(story.reports) for story in found if story.lead.id <= 1000] == [1000]


def test_stories_come_in_the_order_of_their_earliest_reports() -> None:
    """Whatever the order in which the reports are given."""
    hits = [
        report(1, "OpenAI moves to Oracle for its servers", published=DAY + timedelta(hours=5)),
        report(2, "Microsoft halts Ohio data center campus", published=DAY + timedelta(hours=2)),
        report(3, "OpenAI moves to Oracle for its servers", published=DAY + timedelta(hours=1)),
        report(4, "Suleyman presents a model of his own", published=DAY + timedelta(hours=3)),
    ]
    assert groups(cluster(hits)) == [[3, 1], [2], [4]]


def test_a_story_has_the_themes_of_all_its_reports() -> None:
    """The one that any report scored highest first, ties by name."""
    title = "Microsoft halts Ohio data center campus"
    hits = [
        report(1, title, themes=(("compute", 1.0),)),
        report(2, title, themes=(("competition", 3.0), ("compute", 2.0))),
        report(3, title, themes=(("agi", 2.0),)),
    ]
    (story,) = cluster(hits)
    assert story.themes == ("competition", "agi", "compute")
    assert story.outlets == ("Outlet 1", "Outlet 2", "Outlet 3")


# ------------------------------------------------------------------ continuing a told story


def test_a_told_headline_is_continued() -> None:
    """Any of the titles that the story was told with."""
    past = told(7, "The pause in Ohio and what it means", "Microsoft halts Ohio data center campus")
    (story,) = cluster([report(1, "Microsoft halts Ohio data center campuses")], [past])
    assert story.continues is past


def test_a_told_address_is_continued() -> None:
    """Although its headline was changed since."""
    past = told(7, "The pause in Ohio and what it means", links=("https://example.com/1",))
    (story,) = cluster([report(1, "Microsoft halts campus")], [past])
    assert story.continues is past


def test_what_was_not_told_is_news() -> None:
    """Other words, other numbers, no address on both sides, short headlines."""
    past = [
        told(1, "OpenAI raises $40bn from SoftBank and others", links=("",)),
        told(2, "Breaking"),
        told(3, "Microsoft halts Texas wind farm deal"),
    ]
    hits = [
        report(1, "OpenAI raises $10bn from SoftBank and others", link=""),
        report(2, "Breaking", link=""),
        report(3, "Suleyman presents a model of his own"),
    ]
    assert [story.continues for story in cluster(hits, past)] == [None, None, None]


def test_one_report_that_continues_is_enough() -> None:
    """The whole story is then an update."""
    link = "https://example.com/story"
    past = told(7, "Microsoft halts Ohio data center campus")
    hits = [report(1, "A pause in Ohio", link=link), report(2, "Microsoft halts Ohio data center campus", link=link)]
    (story,) = cluster(hits, [past])
    assert story.continues is past


def test_two_reports_of_one_told_story_are_one_update() -> None:
    """Each is like another of the titles it was told with: the reader still sees one story."""
    past = told(7, "Microsoft halts Ohio data center campus", "What the pause in Ohio means for the cloud")
    hits = [
        report(1, "Microsoft halts Ohio data center campuses"),
        report(2, "What the pause in Ohio means for cloud"),
    ]
    assert groups(cluster(hits, [past])) == [[1, 2]]


# ------------------------------------------------------------------ laws

TITLES = st.sampled_from(
    [
        "Microsoft halts Ohio data center campus",
        "Microsoft halts Ohio data center campuses",
        "Microsoft halts the Ohio data center campuses",
        "OpenAI raises $40bn from SoftBank and others",
        "OpenAI raises $10bn from SoftBank and others",
        "Breaking",
        "",
        "微软放弃对OpenAI算力的优先购买权",
        "微软放弃OpenAI算力的优先购买权",
    ]
)
HITS = st.lists(
    st.tuples(TITLES, st.sampled_from(["", "https://a.example/1", "https://a.example/2", "own"]), st.integers(0, 3)),
    max_size=9,
).map(
    lambda rows: [
        report(i, title, published=DAY + timedelta(hours=hour), **({} if link == "own" else {"link": link}))
        for i, (title, link, hour) in enumerate(rows, 1)
    ]
)
PAST = [
    told(1, "Microsoft halts Ohio data center campus"),
    told(2, "An old one", links=("https://a.example/2",)),
    told(3, "OpenAI raises $10bn from SoftBank and others"),
]


@LAW
@given(HITS, st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_the_hits_changes_nothing(hits: list[Judged], chance: random.Random, past: bool) -> None:
    """Same groups, same leads, same order, same continuations: an edition can be made again."""
    recent = PAST if past else []
    shuffled = hits[:]
    chance.shuffle(shuffled)
    assert cluster(shuffled, recent) == cluster(hits, recent)


@LAW
@given(HITS)
def test_every_hit_is_in_exactly_one_story(hits: list[Judged]) -> None:
    """None lost, none twice."""
    assert sorted(number for group in groups(cluster(hits, PAST)) for number in group) == [hit.id for hit in hits]


@LAW
@given(HITS)
def test_the_same_address_is_never_in_two_stories(hits: list[Judged]) -> None:
    """Nothing is told twice."""
    stories = cluster(hits)
    for link in {hit.item.link for hit in hits} - {""}:
        assert sum(link in {report.item.link for report in story.reports} for story in stories) == 1


@LAW
@given(HITS)
def test_stories_and_reports_are_in_order(hits: list[Judged]) -> None:
    """Earliest first, as the page relies on."""
    stories = cluster(hits)
    starts = [min(report.item.published for report in story.reports) for story in stories]
    assert starts == sorted(starts)
    for story in stories:
        ranks = [(not report.item.link, report.item.published, report.id) for report in story.reports]
        assert ranks == sorted(ranks)


def test_who_does_what_to_whom_makes_a_difference() -> None:
    """The same words in another order can be other news."""
    assert not joined(
        "Microsoft sues OpenAI over cloud contract terms", "OpenAI sues Microsoft over cloud contract terms"
    )


def test_a_link_to_the_same_address_is_no_second_outlet() -> None:
    """A blog that points to a report did not write one."""
    same = {"link": "https://example.com/a"}
    reports = [report(1, "Microsoft and OpenAI part", outlet="One", **same), report(2, "A blog", outlet="Two", **same)]
    [story] = cluster(reports)
    assert len(story.reports) == 2
    assert len(story.outlets) == 1


# ------------------------------------------------------------------ doubt


def doubted(hit: Judged) -> Judged:
    """Return the hit with the second opinion doubting it."""
    return replace(hit, verdict=replace(hit.verdict, doubted=True))


def test_a_story_is_doubted_when_all_its_reports_are() -> None:
    """One that nobody doubts tells it, and gives it its themes."""
    title = "Microsoft halts its Ohio campus"
    first, second = report(1, title, themes=(("agi", 9.0),)), report(2, title, themes=(("compute", 1.0),))
    [story] = cluster([doubted(first), second])
    assert (story.doubted, story.lead.id, story.themes) == (False, 2, ("compute",))
    [story] = cluster([doubted(first), doubted(second)])
    assert (story.doubted, story.lead.id, story.themes) == (True, 1, ("agi", "compute"))
