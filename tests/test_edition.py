"""The edition: which story stands where, what is left out and counted, and what the reader is told beside."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.digest.edition import MAX_STORIES, MAX_UPDATES, _cap, compose, shortened
from monitor.model import (
    DigestPlan,
    Edition,
    FeedTrouble,
    Item,
    Judged,
    PastEdition,
    Story,
    ThemeTitle,
    ToldStory,
    Trend,
    Verdict,
)

LAW = settings(deadline=None, derandomize=True)
UNTIL = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=1)
TITLES = {
    "compute": {"en": "Computing needs", "zh": "算力需求"},
    "agi": {"en": "When AGI is reached", "zh": "何时实现"},
    "competition": {"en": "Competition"},
}


def a_plan(**fields: object) -> DigestPlan:
    """Return a digest of everything, unless fields say otherwise."""
    values: dict[str, object] = {"name": "morning", "to": ("reader@example.org",), "cron": "30 7 * * *", **fields}
    return DigestPlan(**values)  # type: ignore[arg-type]


def a_story(
    *ids: int,
    themes: tuple[str, ...] = (),
    outlets: tuple[str, ...] = (),
    hour: int = 0,
    told_by: tuple[str, ...] | None = None,
) -> Story:
    """Return a story of reports with these ids; `told_by` makes it continue one that these outlets told."""
    reports = []
    for i, number in enumerate(ids):
        outlet = outlets[i] if i < len(outlets) else f"Outlet {number}"
        link = f"https://example.com/{number}"
        when = SINCE + timedelta(hours=hour)
        item = Item("https://example.com/rss", str(number), link, f"Story {number}", "", outlet, "en", when, when)
        reports.append(Judged(item, Verdict(True), number))
    past = ToldStory(1, "Told", "", "en", themes, told_by, (), (), SINCE) if told_by is not None else None
    return Story(tuple(reports), themes, past)


def an_edition(*stories: Story, plan: DigestPlan | None = None, repeats: tuple[int, ...] = ()) -> Edition:
    """Compose an edition of these stories."""
    return compose(plan or a_plan(), stories, since=SINCE, until=UNTIL, titles=TITLES, feeds_total=40, repeats=repeats)


def page(edition: Edition) -> list[tuple[str, list[int], list[int], int]]:
    """Return each section's theme, the leads of its stories and updates, and how many more there were."""
    return [
        (
            section.theme.name if section.theme else "",
            [story.lead.id for story in section.stories],
            [story.lead.id for story in section.updates],
            section.more,
        )
        for section in edition.sections
    ]


# ------------------------------------------------------------------ where a story stands


def test_a_story_stands_once_under_its_strongest_theme() -> None:
    """Sections come in the user's order, what has no theme comes last."""
    edition = an_edition(
        a_story(1),
        a_story(2, themes=("competition",)),
        a_story(3, themes=("agi", "compute")),
        a_story(4, themes=("compute", "agi")),
    )
    assert page(edition) == [
        ("compute", [4], [], 0),
        ("agi", [3], [], 0),
        ("competition", [2], [], 0),
        ("", [1], [], 0),
    ]
    assert edition.passed == ()
    assert not edition.empty


def test_a_theme_that_is_no_more_counts_as_none() -> None:
    """The verdict is older than the edit that took the theme away: the story is told all the same."""
    assert page(an_edition(a_story(1, themes=("gone",)), a_story(2, themes=("gone", "agi")))) == [
        ("agi", [2], [], 0),
        ("", [1], [], 0),
    ]


def test_a_digest_of_some_themes_passes_the_others() -> None:
    """They are settled for this digest and never come up again."""
    edition = an_edition(
        a_story(1),
        a_story(2, themes=("competition",)),
        a_story(3, 4, themes=("compute", "agi")),
        a_story(5, themes=("competition", "agi")),
        plan=a_plan(themes=("agi",)),
    )
    assert page(edition) == [("agi", [3, 5], [], 0)]
    assert sorted(edition.passed) == [1, 2]


def test_sections_follow_the_order_of_the_rules_not_of_the_plan() -> None:
    """One file, one order."""
    stories = [a_story(1, themes=("compute",)), a_story(2, themes=("competition",))]
    edition = an_edition(*stories, plan=a_plan(themes=("competition", "compute")))
    assert [row[0] for row in page(edition)] == ["compute", "competition"]


def test_stories_come_by_outlets_then_newest() -> None:
    """What many report is more important than what is fresh; the rest is settled by the number of the report."""
    edition = an_edition(
        a_story(1, hour=1),
        a_story(2, hour=9),
        a_story(3, 4, hour=2),
        a_story(5, 6, hour=3),
        a_story(7, 8, outlets=("One", "One"), hour=20),
        a_story(10, hour=9),
    )
    assert page(edition) == [("", [5, 3, 7, 2, 10, 1], [], 0)]


def test_empty_is_empty() -> None:
    """No stories, no sections; what it covers is still written down."""
    edition = an_edition()
    assert edition.empty
    assert edition.sections == ()
    assert edition.reports == 0
    assert (edition.since, edition.until, edition.feeds_total) == (SINCE, UNTIL, 40)


# ------------------------------------------------------------------ updates


def test_a_told_story_with_a_new_outlet_is_an_update() -> None:
    """Under its theme, apart from the news."""
    edition = an_edition(
        a_story(1, themes=("agi",)), a_story(2, themes=("agi",), outlets=("Another",), told_by=("First",))
    )
    assert page(edition) == [("agi", [1], [2], 0)]
    assert not edition.empty
    assert [story.lead.id for story in edition.updates] == [2]


def test_a_told_story_without_a_new_outlet_is_passed() -> None:
    """The same outlet writing on is not news."""
    edition = an_edition(a_story(1, 2, outlets=("First", "Second"), told_by=("Second", "First", "Third")))
    assert edition.empty
    assert sorted(edition.passed) == [1, 2]


def test_updates_alone_make_an_edition() -> None:
    """There is something to tell."""
    edition = an_edition(a_story(1, outlets=("Another",), told_by=("First",)))
    assert page(edition) == [("", [], [1], 0)]
    assert not edition.empty


# ------------------------------------------------------------------ caps


def test_what_is_too_much_for_a_mail_is_counted() -> None:
    """The least important are left out, and settled."""
    plan = a_plan(themes=("agi",))
    edition = an_edition(*(a_story(i, themes=("agi",), hour=i % 20) for i in range(1, 61)), plan=plan)
    ((_, shown, _, more),) = page(edition)
    assert len(shown) == MAX_STORIES
    assert more == 60 - MAX_STORIES
    assert len(edition.passed) == more
    assert not set(edition.passed) & set(shown)


def test_a_capped_section_keeps_its_most_reported_stories() -> None:
    """A story of three outlets is never left out for one of a single outlet."""
    many = [a_story(i, themes=("agi",), hour=20) for i in range(1, 60)]
    big = a_story(100, 101, 102, themes=("agi",), hour=0)
    assert an_edition(*many, big).sections[0].stories[0] is big


def test_updates_have_a_cap_of_their_own_and_are_counted() -> None:
    """Over all themes together; what is not shown is told in numbers."""
    stories = [a_story(n, themes=(theme,), told_by=("x",)) for n, theme in enumerate(["agi", "compute"] * 30, 1)]
    edition = an_edition(*stories)
    assert [(len(s.updates), s.more_updates) for s in edition.sections] == [(10, 20), (10, 20)]
    assert edition.updates_total == 60
    assert len(edition.passed) == 40


def test_left_out_updates_are_settled() -> None:
    """They have a cap of their own; `more` counts news."""
    updates = [a_story(i, themes=("agi",), told_by=("First",)) for i in range(1, 60)]
    news = a_story(100, themes=("agi",))
    edition = an_edition(news, *updates, plan=a_plan(themes=("agi",)))
    ((_, stories, shown, more),) = page(edition)
    assert stories == [100]
    assert len(shown) == MAX_UPDATES
    assert more == 0
    assert len(edition.passed) == 59 - MAX_UPDATES


def test_the_reports_of_all_new_stories_are_counted() -> None:
    """Shown or left out by a cap; updates and what the digest passes are no news."""
    stories = [a_story(2 * i, 2 * i + 1, themes=("agi",)) for i in range(1, 51)]
    others = [a_story(500, themes=("agi",), told_by=("First",)), a_story(501, themes=("compute",))]
    assert an_edition(*stories, *others, plan=a_plan(themes=("agi",))).reports == 100


def test_the_whole_page_stays_below_the_limit() -> None:
    """News of every theme together is never more than one mail holds."""
    themes = ("compute", "agi", "competition")
    edition = an_edition(*(a_story(i, themes=themes[i % 4 : i % 4 + 1]) for i in range(1, 400)))
    assert len(edition.stories) <= MAX_STORIES
    assert len(edition.sections) == 4
    assert sum(section.more for section in edition.sections) == 399 - len(edition.stories)


# ------------------------------------------------------------------ every item once


@st.composite
def editions(draw: st.DrawFn) -> tuple[Edition, set[int], tuple[int, ...]]:
    """Draw an edition, the ids of all the reports that went into it, and the repeats."""
    names = ["compute", "agi", "competition", "gone"]
    outlets = ["First", "Second", "Third"]
    number = 0
    stories = []
    for _ in range(draw(st.integers(0, 30))):
        size = draw(st.integers(1, 3))
        ids = range(number + 1, number + size + 1)
        number += size
        stories.append(
            a_story(
                *ids,
                themes=tuple(draw(st.lists(st.sampled_from(names), max_size=3, unique=True))),
                outlets=tuple(draw(st.lists(st.sampled_from(outlets), min_size=size, max_size=size))),
                hour=draw(st.integers(0, 23)),
                told_by=draw(st.none() | st.just(("First",)) | st.just(("First", "Second", "Third"))),
            )
        )
    repeats = tuple(range(1000, 1000 + draw(st.integers(0, 3))))
    wanted = tuple(draw(st.lists(st.sampled_from([*names, "unknown"]), max_size=3, unique=True)))
    return an_edition(*stories, plan=a_plan(themes=wanted), repeats=repeats), set(range(1, number + 1)), repeats


@LAW
@given(editions())
def test_every_item_is_shown_or_passed_exactly_once(drawn: tuple[Edition, set[int], tuple[int, ...]]) -> None:
    """Nothing is told twice, nothing is forgotten, nothing is a candidate for ever."""
    edition, ids, repeats = drawn
    seen = Counter(report.id for story in (*edition.stories, *edition.updates) for report in story.reports)
    seen.update(edition.passed)
    assert seen == Counter({*ids, *repeats})
    assert set(repeats) <= set(edition.passed)


@LAW
@given(editions())
def test_an_edition_adds_up(drawn: tuple[Edition, set[int], tuple[int, ...]]) -> None:
    """No empty sections, none twice, news and updates apart, only themes that the digest has."""
    edition, _, _ = drawn
    names = [section.theme.name if section.theme else "" for section in edition.sections]
    assert len(set(names)) == len(names)
    assert names == sorted(names, key=[*TITLES, ""].index)
    assert set(names) <= (set(edition.plan.themes) if edition.plan.themes else {*TITLES, ""})
    for section in edition.sections:
        assert section.stories or section.updates
        assert section.more >= 0
        assert all(story.continues is None for story in section.stories)
        assert all(story.continues is not None for story in section.updates)
        keys = [
            (-len(story.outlets), -max(r.item.published for r in story.reports).timestamp())
            for story in section.stories
        ]
        assert keys == sorted(keys)
    assert edition.reports >= sum(len(story.reports) for story in edition.stories)
    assert edition.empty is (not edition.sections)


# ------------------------------------------------------------------ headings


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["Computing needs", "When AGI is reached", "Competition"]),
        ("zh", ["算力需求", "何时实现", "Competition"]),
    ],
)
def test_headings_are_in_the_language_of_the_digest(language: str, expected: list[str]) -> None:
    """In English where there is no other."""
    edition = an_edition(
        *(a_story(i, themes=(theme,)) for i, theme in enumerate(TITLES, 1)), plan=a_plan(language=language)
    )
    assert [section.theme.title for section in edition.sections if section.theme] == expected
    assert edition.theme_titles == tuple(ThemeTitle(n, t, n) for n, t in zip(TITLES, expected, strict=True))


def test_a_theme_without_a_title_is_called_by_its_name() -> None:
    """Or by the title it has, in whatever language."""
    edition = compose(
        a_plan(language="en"),
        [a_story(1, themes=("bare",)), a_story(2, themes=("chinese",))],
        since=SINCE,
        until=UNTIL,
        titles={"bare": {}, "chinese": {"zh": "只有中文"}},
        feeds_total=1,
    )
    assert [title.title for title in edition.theme_titles] == ["bare", "只有中文"]


def test_a_digest_without_any_theme_tells_coverage() -> None:
    """One section without a heading."""
    edition = compose(a_plan(), [a_story(1, themes=("agi",))], since=SINCE, until=UNTIL, titles={}, feeds_total=1)
    assert page(edition) == [("", [1], [], 0)]


def test_notices_troubles_and_slot_are_handed_on() -> None:
    """What is wrong stands in the mail even on a quiet day."""
    trouble = FeedTrouble("Example", "refused", SINCE)
    edition = compose(
        a_plan(),
        [],
        since=SINCE,
        until=UNTIL,
        titles=TITLES,
        feeds_total=3,
        troubles=[trouble],
        notices=["an edit was not taken up"],
        slot=UNTIL,
    )
    assert edition.troubles == (trouble,)
    assert edition.notices == ("an edit was not taken up",)
    assert edition.slot == UNTIL
    assert edition.empty


def test_nothing_is_cut_that_need_not_be() -> None:
    """A busy theme uses the room that the others leave; only beyond forty in all is anything held back."""
    assert _cap([39, 0, 0, 1]) >= 39
    assert _cap([100, 2, 0, 0]) == 38
    assert _cap([100, 100, 100, 100]) == 10
    assert _cap([]) >= 1


# ------------------------------------------------------------------ what the second opinion doubts


def doubted(story: Story) -> Story:
    """Return the story with all its reports doubted."""
    return replace(story, reports=tuple(replace(r, verdict=replace(r.verdict, doubted=True)) for r in story.reports))


def test_what_is_doubted_comes_at_the_very_end() -> None:
    """Whatever its theme; it is never left out for being doubted."""
    edition = an_edition(doubted(a_story(1, themes=("compute",))), a_story(2, themes=("compute",)), a_story(3))
    assert page(edition) == [("compute", [2], [], 0), ("", [3], [], 0), ("", [1], [], 0)]
    assert [section.doubted for section in edition.sections] == [False, False, True]
    assert edition.passed == ()
    assert not edition.empty


def test_a_digest_of_some_themes_is_told_what_is_doubted_of_these() -> None:
    """And not what is doubted of others."""
    stories = [doubted(a_story(1, themes=("agi",))), doubted(a_story(2, themes=("compute",))), doubted(a_story(3))]
    edition = an_edition(*stories, plan=a_plan(themes=("agi",)))
    assert page(edition) == [("", [1], [], 0)]
    assert sorted(edition.passed) == [2, 3]


def test_a_digest_of_some_themes_keeps_what_lost_its_theme_to_the_second_opinion() -> None:
    """At the end; a digest of everything has it among what has no theme."""
    lost = a_story(1)
    lost = replace(lost, reports=(replace(lost.lead, verdict=replace(lost.lead.verdict, withdrawn=("agi",))),))
    edition = an_edition(lost, plan=a_plan(themes=("agi",)))
    assert [(section.doubted, section.stories[0].lead.id) for section in edition.sections] == [(True, 1)]
    assert an_edition(lost, plan=a_plan(themes=("compute",))).passed == (1,)
    assert page(an_edition(lost)) == [("", [1], [], 0)]


def test_what_is_doubted_crowds_nobody_out() -> None:
    """On a busy day it gets the room that is left, and a line at least."""
    sure = [a_story(number, themes=("compute",)) for number in range(1, MAX_STORIES + 1)]
    doubtful = [doubted(a_story(number)) for number in range(101, 111)]
    [first, last] = an_edition(*sure, *doubtful).sections
    assert (len(first.stories), first.more) == (MAX_STORIES, 0)
    assert (len(last.stories), last.more, last.doubted) == (1, 9, True)
    [few, last] = an_edition(*sure[:35], *doubtful).sections
    assert (len(few.stories), len(last.stories), last.more) == (35, 5, 5)


# ------------------------------------------------------------------ what changed

DAY = timedelta(days=1)


def past(*counts: int, theme: str = "agi", until: datetime = SINCE) -> list[PastEdition]:
    """Return daily editions with these counts of a theme, the last one `until`."""
    ends = [until - DAY * n for n in range(len(counts))][::-1]
    return [PastEdition(end - DAY, end, {theme: count}) for end, count in zip(ends, counts, strict=True)]


def trend(now: int, history: list[PastEdition], since: datetime = SINCE, **plan: object) -> Trend:
    """Return the trend of AGI in an edition with so many stories of it."""
    stories = [a_story(n + 1, themes=("agi",)) for n in range(now)]
    edition = compose(a_plan(**plan), stories, since=since, until=UNTIL, titles=TITLES, feeds_total=1, history=history)
    return edition.trends[1]


def test_the_usual_is_the_mean_of_the_last_fourteen_days() -> None:
    """For a window as long as this one."""
    assert trend(2, past(1, 3, 2)).usual == pytest.approx(2)
    assert trend(2, past(*[9] * 5, *[1] * 14)).usual == pytest.approx(1, abs=0.1)
    assert trend(2, past(1, 3, 2, until=SINCE - DAY), since=SINCE - DAY).usual == pytest.approx(4)


def test_with_less_than_three_days_nothing_is_usual() -> None:
    """Two days are no habit, and no history is none."""
    for history in ([], past(5), past(5, 5)):
        found = trend(9, history)
        assert (found.usual, found.change) == (None, "")
    assert trend(9, past(5, 5, 5)).usual == pytest.approx(5)


def test_the_bars_are_days_of_the_digests_own_zone() -> None:
    """Two editions of one day share a bar; today's is the last."""
    history = [PastEdition(SINCE - DAY, SINCE, {"agi": 2}), PastEdition(SINCE, SINCE + timedelta(hours=2), {"agi": 1})]
    assert trend(3, history).days[-2:] == (2, 3)
    assert trend(3, [PastEdition(SINCE - DAY, SINCE, {"agi": 2})], timezone="Asia/Shanghai").days[-2:] == (2, 3)
    assert len(trend(3, []).days) == 14


@pytest.mark.parametrize(
    ("now", "history", "change", "amount"),
    [
        (6, [2] * 14, "times", 3),
        (3, [2] * 14, "", 0),
        (2, [0] * 14, "first", 13),
        (1, [3] + [0] * 9, "returns", 9),
        (1, [3] + [0] * 4, "", 0),
        (1, [0] * 6, "", 0),
        (0, [3] * 14, "quiet", 3),
        (0, [1] * 14, "", 0),
        (2, [0, 0, 1, 0, 0], "", 0),
    ],
)
def test_only_what_is_no_chance_is_called_a_change(now: int, history: list[int], change: str, amount: int) -> None:
    """Three stories or more, twice the usual; five quiet days; two expected and none come."""
    found = trend(now, past(*history))
    assert (found.change, found.amount) == (change, amount)


def test_a_theme_that_is_new_in_the_rules_has_no_usual_yet() -> None:
    """Editions that did not count it are no quiet days."""
    found = trend(2, past(*[3] * 14, theme="compute"))
    assert (found.usual, found.change, found.days[:-1]) == (None, "", (0,) * 13)
    added = [*past(*[3] * 10, theme="compute", until=SINCE - 4 * DAY), *past(1, 0, 0, 1)]
    assert trend(1, added).usual == pytest.approx(0.5)


def test_a_short_window_says_nothing_of_changes() -> None:
    """An edition by hand at noon is no quiet day."""
    assert trend(0, past(*[3] * 14), since=UNTIL - timedelta(hours=3)).change == ""


def test_a_story_counts_for_each_of_its_themes_and_what_is_doubted_for_none() -> None:
    """So do those that the cap leaves out; updates are no new stories."""
    edition = an_edition(
        a_story(1, themes=("agi", "compute")),
        a_story(2, themes=("agi",), told_by=("Another",)),
        doubted(a_story(3, themes=("agi",))),
    )
    assert [(t.theme.name, t.count) for t in edition.trends] == [("compute", 1), ("agi", 1), ("competition", 0)]
    assert (edition.total, edition.doubtful, edition.reports) == (1, 1, 1)
    many = an_edition(*(a_story(n, themes=("agi",)) for n in range(1, 100)))
    assert many.trends[1].count == 99


# ------------------------------------------------------------------ too long for a mail


@LAW
@given(editions(), st.integers(1, 40), st.integers(0, 12))
def test_shortening_counts_and_settles_what_goes(
    drawn: tuple[Edition, set[int], tuple[int, ...]], stories: int, outlets: int
) -> None:
    """Every item is still shown or passed exactly once, and the totals stay."""
    edition, ids, repeats = drawn
    short = shortened(edition, stories, outlets)
    shown = [report.id for story in short.stories + short.updates for report in story.reports]
    assert sorted([*shown, *short.passed]) == sorted([*ids, *repeats])
    assert (short.total, short.doubtful, short.reports) == (edition.total, edition.doubtful, edition.reports)
    assert short.updates_total == edition.updates_total
    sure = [section for section in short.sections if not section.doubted]
    assert sum(len(section.stories) for section in sure) <= max(stories, len(sure))
    assert all(s.stories or s.updates or s.more or s.more_updates for s in short.sections)
    assert short.most_outlets == outlets
