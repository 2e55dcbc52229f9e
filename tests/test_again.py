"""Stored items judged again after an edit: what the next editions tell of it, once, and what only a rematch brings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as chosen
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from monitor import again, config, press, worker
from monitor.match.judge import judge, rules_key
from monitor.model import DigestPlan, FeedState, Item, Judged, Verdict
from monitor.settings import Settings
from monitor.store import Store
from tests.builders import TEMPLATES, config_text, delivered

START = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FEED = "https://feed.example.com/rss"
COMPUTE = "Microsoft halts a data centre that OpenAI wanted"
CAMPUS = "OpenAI and Microsoft quarrel over a campus in Ohio"
DESK = press.Desk(TEMPLATES, "Monitor <monitor@example.test>")
ANOTHER = """  - name: evening
    to: [you@example.test]
    at: "18:00"
"""


class Archive:
    """A real database, settings that are edited, and a clock."""

    def __init__(self, database: Path) -> None:
        self.now, self.number = START, 0
        self.store = Store(database)
        self.text = config_text([FEED])
        self.edit("", "")

    def edit(self, old: str, new: str) -> None:
        """Take up an edit, as the worker does: its digests are met."""
        assert old in self.text
        self.text = self.text.replace(old, new, 1) if old else self.text
        self.settings: Settings = config.understood(Path("feeds.yaml"), self.text.encode())
        worker.meet_digests(self.settings, self.store, self.now)

    def plan(self, name: str) -> DigestPlan:
        """A digest by its name."""
        return self.settings.digest(name)

    def come_in(self, title: str, *, feed: str = FEED, by: Settings | None = None, **more: object) -> Item:
        """Store an item as a poll does, judged by the present rules or by those of `by`."""
        self.number += 1
        item = Item(
            feed, f"k{self.number}", f"https://example.com/{self.number}", title, "", "Example", "en",
            self.now, self.now,
        )  # fmt: skip
        item = replace(item, **more)  # type: ignore[arg-type]
        rules = (by or self.settings).rules
        self.store.save_poll(FeedState(feed), [Judged(item, judge(item, rules))], (), rules_key(rules))
        return item

    def judge_again(self, pace: again.Pace = again.STEADY) -> again.Tally:
        """What the worker does after an edit and before an edition."""
        return again.judge_again(self.settings, self.store, lambda: self.now, None, pace)

    def tell(self, name: str = "morning", pace: again.Pace = again.STEADY) -> list[str]:
        """Make an edition, and return its headlines."""
        last = self.store.last_item()
        reach = again.reach(self.store, self.plan(name), self.judge_again(pace), last)
        made = worker.digest(self.settings, self.plan(name), self.store, DESK, self.now, reach=reach)
        assert made is not None
        delivered(self.store, self.now)
        self.now += timedelta(minutes=1)
        stories = made[0].stories + made[0].updates
        return sorted(report.item.title for story in stories for report in story.reports)

    def rematch(self, since: timedelta, *, dry: bool = False, pace: again.Pace = again.STEADY) -> again.Rematch:
        """What the command does."""
        return again.rematch(self.settings, self.store, lambda: self.now, None, self.now - since, dry=dry, pace=pace)

    def dump(self) -> list[str]:
        """All that stands in the database."""
        return list(self.store._conn.iterdump())


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """An empty database whose one digest is known."""
    made = Archive(tmp_path / "monitor.db")
    yield made
    made.store.close()


ADD_OHIO = ("[data centre OR data center, 算力]", "[data centre OR data center, 算力, campus]")
ONE_ONLY = ("names: [OpenAI]", "names: [OpenAI, Anthropic]")


# ---------------------------------------------------------------- editions after an edit


def test_a_new_name_finds_the_news_of_today(archive: Archive) -> None:
    """In the next edition, with its theme and evidence, and never again."""
    archive.come_in("Microsoft and Anthropic quarrel over a data centre")
    assert archive.store.untold_hits("morning") == []
    archive.edit(*ONE_ONLY)
    tally = archive.judge_again()
    assert (tally.judged, len(tally.gained), len(tally.lost)) == (1, 1, 0)
    [hit] = archive.store.untold_hits("morning")
    assert dict(hit.verdict.themes).keys() == {"compute"}
    assert "Anthropic" in {evidence.keyword for evidence in hit.verdict.evidence}
    assert archive.judge_again().judged == 0
    assert archive.tell() == ["Microsoft and Anthropic quarrel over a data centre"]
    assert archive.tell() == []


def test_hits_of_a_keyword_that_was_removed_vanish_and_come_back_with_it(archive: Archive) -> None:
    """As long as no edition was made meanwhile."""
    archive.edit(*ONE_ONLY)
    archive.come_in("Microsoft and Anthropic quarrel over a data centre")
    archive.edit(*reversed(ONE_ONLY))
    archive.judge_again()
    assert archive.store.untold_hits("morning") == []
    archive.edit(*ONE_ONLY)
    assert len(archive.tell()) == 1


def test_a_hit_moves_to_the_theme_that_a_new_keyword_gives_it(archive: Archive) -> None:
    """Themes follow the file too."""
    archive.come_in(CAMPUS)
    archive.edit(*ADD_OHIO)
    assert [len(part) for part in (archive.judge_again().moved, archive.judge_again().moved)] == [1, 0]
    [hit] = archive.store.untold_hits("morning")
    assert dict(hit.verdict.themes).keys() == {"compute"}


def test_what_came_in_before_the_last_edition_comes_by_rematch_only(archive: Archive) -> None:
    """An edit tells of today; who wants the days before asks for them."""
    archive.come_in("Microsoft and Anthropic quarrel over a data centre")
    assert archive.tell() == []
    archive.come_in("Anthropic sues Microsoft over a data centre in Ohio")
    archive.edit(*ONE_ONLY)
    assert archive.tell() == ["Anthropic sues Microsoft over a data centre in Ohio"]
    archive.now += DAY
    done = archive.rematch(7 * DAY)
    assert (done.tally.judged, done.current, len(done.tally.gained)) == (1, 1, 1)
    assert done.prospects == (again.Prospect("morning", news=1, settled=0, filed=0),)
    assert archive.tell() == ["Microsoft and Anthropic quarrel over a data centre"]
    assert archive.rematch(7 * DAY).tally.judged == 0
    assert archive.tell() == []


def test_each_digest_tells_what_its_own_edition_has_not_gone_past(archive: Archive) -> None:
    """What the morning went past is news for the evening only; a rematch opens it to the morning too."""
    archive.edit("polling:", ANOTHER + "polling:")
    archive.come_in("Microsoft and Anthropic quarrel over a data centre")
    assert archive.tell() == []
    archive.edit(*ONE_ONLY)
    assert len(archive.tell("evening")) == 1
    assert archive.tell() == []
    done = archive.rematch(DAY)
    assert (done.tally.judged, done.current) == (0, 1)
    assert len(archive.tell()) == 1
    assert archive.tell("evening") == archive.tell() == []


def test_what_a_digest_has_told_stays_told_whatever_becomes_of_it(archive: Archive) -> None:
    """It loses its theme, its standing as a hit, and gets both back by edit and rematch."""
    archive.come_in(COMPUTE)
    assert archive.tell() == [COMPUTE]
    for old, new in (
        ("[data centre OR data center, 算力]", "[算力]"),
        ("keywords: [rival]", "keywords: [halts]"),
        ("names: [OpenAI]", "names: [Open AI Inc]"),
        ("names: [Open AI Inc]", "names: [OpenAI]"),
    ):
        archive.edit(old, new)
        assert archive.tell() == []
        done = archive.rematch(7 * DAY)
        assert archive.tell() == []
    [prospect] = done.prospects
    assert (len(done.tally.gained), prospect.news, prospect.settled) == (1, 0, 1)


def test_what_a_filter_of_themes_passed_over_stays_settled(archive: Archive) -> None:
    """An item that moves into the digest's theme after its edition is no news for it, and is for another digest."""
    archive.edit("polling:", ANOTHER + "    themes: [compute]\npolling:")
    archive.come_in(CAMPUS)
    assert archive.tell("evening") == []
    archive.edit(*ADD_OHIO)
    archive.rematch(DAY)
    assert archive.tell("evening") == []
    assert archive.tell() == [CAMPUS]


def test_a_poll_that_ended_after_the_edit_and_the_edition_leaves_nothing_out(archive: Archive) -> None:
    """It judged by the old rules and saved when the edition was made: its items are newer than that."""
    old = archive.settings
    archive.edit(*ONE_ONLY)
    seen = archive.now
    assert archive.tell() == []
    archive.come_in("Microsoft and Anthropic quarrel over a data centre", by=old, first_seen=seen - HOUR)
    assert len(archive.tell()) == 1


def test_an_item_that_its_feed_edits_meanwhile_keeps_the_verdict_on_its_new_words(archive: Archive) -> None:
    """What was judged is not what stands there now: it is judged once more."""
    item = archive.come_in("Microsoft and Anthropic quarrel over a data centre")
    archive.edit(*ONE_ONLY)
    rules = rules_key(archive.settings.rules)
    [before] = archive.store.to_judge_again("morning", rules)
    edited = replace(item, title="Anthropic opens an office")
    archive.store.save_poll(FeedState(FEED), (), [Judged(edited, Verdict(False, reason="old"))], "other rules")
    archive.store.save_verdicts([replace(before, verdict=judge(item, archive.settings.rules))], rules, archive.now)
    assert archive.store.untold_hits("morning") == []
    assert archive.judge_again().judged == 1
    assert archive.tell() == []


def test_forgotten_texts_and_what_was_old_at_first_sight_are_left_alone(archive: Archive) -> None:
    """Nothing can be judged where nothing stands, and an archive is no news."""
    archive.come_in("Microsoft and Anthropic in a data centre", backlog=True)
    archive.come_in("Anthropic sues Microsoft over a data centre", first_seen=START - 3 * HOUR)
    archive.store.tidy(START - HOUR)
    archive.edit(*ONE_ONLY)
    assert archive.judge_again().judged == 0
    done = archive.rematch(DAY)
    assert (done.tally.judged, done.bare, len(done.tally.gained)) == (1, 1, 1)
    assert done.prospects == (again.Prospect("morning", news=0, settled=0, filed=1),)
    assert archive.tell() == []


def test_what_came_in_before_a_digest_was_known_is_only_filed(archive: Archive) -> None:
    """A rematch of years does not mail the archive."""
    archive.come_in("Microsoft and Anthropic in a data centre", first_seen=START - 2 * DAY, published=START - 2 * DAY)
    archive.edit(*ONE_ONLY)
    done = archive.rematch(30 * DAY)
    assert done.prospects == (again.Prospect("morning", news=0, settled=0, filed=1),)
    assert archive.tell() == []


def test_the_articles_own_text_is_judged_again_too(archive: Archive) -> None:
    """With `fulltext` the new keyword may stand there alone."""
    archive.come_in(CAMPUS, text="The two want to build a gigantic datacampus, people who know of it say.")
    archive.edit("算力]", "算力, datacampus]")
    archive.judge_again()
    [hit] = archive.store.untold_hits("morning")
    assert dict(hit.verdict.themes).keys() == {"compute"}


def test_items_of_a_feed_that_was_taken_out_are_judged_like_any_other(archive: Archive) -> None:
    """What a feed brought while it was watched is news."""
    archive.come_in("Microsoft and Anthropic quarrel over a data centre", feed="https://gone.example.com/rss")
    archive.edit(*ONE_ONLY)
    assert len(archive.tell()) == 1


def budget(items: int) -> again.Pace:
    """A pace that ends when so many items are judged."""
    judged: list[None] = []
    return again.Pace(enough=lambda: len(judged) >= items, tell=lambda: judged.append(None))


def test_the_end_is_heeded_between_two_items_and_loses_nothing(archive: Archive) -> None:
    """What was judged is saved, and the verdicts themselves say what is left."""
    for number in range(5):
        archive.come_in(f"Microsoft and Anthropic build data centre {number}")
    archive.edit(*ONE_ONLY)
    done = archive.judge_again(budget(3))
    assert (done.judged, done.complete) == (3, False)
    assert len(archive.store.untold_hits("morning")) == 3
    rest = archive.judge_again()
    assert (rest.judged, rest.complete) == (2, True)
    assert len(archive.store.untold_hits("morning")) == 5


def test_slow_items_are_saved_in_time(archive: Archive) -> None:
    """With an embedding an item takes long: what others, or a kill, find is never much older than two seconds."""
    for number in range(8):
        archive.come_in(f"Microsoft and Anthropic build data centre {number}")
    archive.edit(*ONE_ONLY)
    seconds, saved = [0.0], []

    def judged() -> None:
        seconds[0] += again.PORTION / 2
        saved.append(len(archive.store.untold_hits("morning")))

    archive.judge_again(again.Pace(tell=judged, timer=lambda: seconds[0]))
    assert saved == [0, 0, 2, 2, 4, 4, 6, 6]


def test_what_an_edition_had_no_time_to_judge_comes_with_the_next(archive: Archive) -> None:
    """Hits are judged first; one that could not be is told as it stands, and once."""
    titles = [f"Microsoft and Anthropic build data centre {number}" for number in range(3)]
    for title in titles:
        archive.come_in(title)
    archive.come_in(COMPUTE)
    archive.edit(*ONE_ONLY)
    assert archive.tell(pace=budget(2)) == [titles[0], COMPUTE]
    assert archive.tell() == titles[1:]
    archive.come_in(CAMPUS)
    archive.edit("OpenAI, Anthropic", "Anthropic")
    assert archive.tell(pace=budget(0)) == [CAMPUS]
    assert archive.tell() == []


def test_a_poll_that_began_before_an_edit_and_ends_in_the_middle_of_an_edition_leaves_nothing_out(
    archive: Archive,
) -> None:
    """It saves, by the old rules, between judging again and the freezing of the edition."""
    old, last = archive.settings, archive.store.last_item()
    archive.edit(*ONE_ONLY)
    reach = again.reach(archive.store, archive.plan("morning"), archive.judge_again(), last)
    archive.come_in("Microsoft and Anthropic quarrel over a data centre", by=old)
    assert worker.digest(archive.settings, archive.plan("morning"), archive.store, DESK, archive.now, reach=reach)
    delivered(archive.store, archive.now)
    archive.now += HOUR
    assert len(archive.tell()) == 1


@pytest.mark.parametrize("by", ["edition", "rematch"])
def test_a_verdict_that_another_process_saved_meanwhile_stays(archive: Archive, by: str) -> None:
    """Nobody is kept away while items are judged: a poll by a newer file is not undone by what began before it."""
    archive.come_in("Microsoft and Anthropic quarrel over a data centre")
    archive.edit("names: [OpenAI]", "names: [OpenAI, Mistral]")
    newer = archive.settings
    archive.edit("Mistral", "Anthropic")

    def another_process() -> None:
        assert again.judge_again(newer, archive.store, lambda: archive.now, None).judged == 1

    pace = again.Pace(tell=another_process)
    tally = archive.judge_again(pace) if by == "edition" else archive.rematch(DAY, pace=pace).tally
    assert (tally.judged, tally.refused, tally.gained, tally.complete) == (0, 1, [], False)
    assert archive.store.untold_hits("morning") == []
    assert archive.judge_again().judged == 1


def test_a_rematch_that_is_interrupted_says_what_it_saved(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the user, or by a database that cannot be written any more; the same command does the rest."""
    monkeypatch.setattr(again, "BATCH", 1)
    for number in range(3):
        archive.come_in(f"Microsoft and Anthropic build data centre {number}")
    archive.edit(*ONE_ONLY)
    done = archive.rematch(DAY, pace=budget(1))
    assert (done.tally.judged, len(done.tally.gained), done.tally.ended, done.fault) == (1, 1, False, None)
    archive.store._conn.execute("PRAGMA query_only = on")
    done = archive.rematch(DAY)
    assert (done.tally.judged, done.tally.ended) == (0, False)
    assert done.fault is not None
    archive.store._conn.execute("PRAGMA query_only = off")
    done = archive.rematch(DAY)
    assert (done.tally.judged, done.current, done.tally.ended) == (2, 1, True)


def test_an_item_that_sets_off_a_bug_holds_up_no_other(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps its verdict."""
    titles = [f"Microsoft and Anthropic build data centre {number}" for number in range(3)]
    for title in titles:
        archive.come_in(title)
    archive.edit(*ONE_ONLY)

    def fail_on_one(item: Item, *others: object) -> Verdict:
        if item.title == titles[1]:
            raise ZeroDivisionError
        return judge(item, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(again, "judge", fail_on_one)
    assert archive.judge_again().judged == 2
    assert [hit.item.title for hit in archive.store.untold_hits("morning")] == [titles[0], titles[2]]


def test_verdicts_follow_from_more_than_keywords() -> None:
    """The key of the rules changes with whatever changes a verdict, and with nothing else."""
    text = config_text([FEED])
    rules = [
        config.understood(Path("feeds.yaml"), text.replace(old, new).encode()).rules
        for old, new in (
            ("", ""),
            ("morning", "noon"),
            ("en: When AGI is reached", "en: AGI"),
            ("keywords: [AGI]", "keywords: [ASI]"),
            ("keywords: [AGI]", "keywords: [AGI]\n    threshold: 2"),
            ("keywords: [AGI]", "keywords: [AGI]\n    not: [ASI]"),
            ("  agi:", "  ani:"),
            ("hints: [Altman]", "products: [Altman]"),
            ("coverage:", "coverage:\n  threshold: 4"),
            ("Tesla Optimus", "Optimus"),
        )
    ]
    keys = [rules_key(one) for one in rules]
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys[2:])) == len(keys[2:])


# ---------------------------------------------------------------- previews


def test_a_preview_shows_the_edit_and_writes_nothing(archive: Archive) -> None:
    """Gained, lost and moved, also for a digest that the worker has not met."""
    archive.come_in(CAMPUS)
    archive.come_in("Microsoft and Anthropic quarrel over a data centre")
    old = archive.settings
    text = archive.text.replace(*ADD_OHIO).replace(*ONE_ONLY).replace("polling:", ANOTHER + "polling:")
    edited = config.understood(Path("other.yaml"), text.encode())
    before = archive.dump()
    for name in ("morning", "evening"):
        hits = again.hits_now(edited, edited.digest(name), archive.store, archive.now, None)
        edition = worker.make_edition(edited, edited.digest(name), archive.store, archive.now, hits=hits)
        [section] = edition.sections
        assert section.theme is not None
        assert section.theme.name == "compute"
        assert len(section.stories) == 2
    assert archive.dump() == before
    plain = again.hits_now(old, old.digest("morning"), archive.store, archive.now, None)
    assert [hit.item.title for hit in plain] == [CAMPUS]


def test_a_dry_run_says_what_a_rematch_would_do(archive: Archive) -> None:
    """The same figures, and nothing is changed."""
    archive.come_in("Microsoft and Anthropic quarrel over a data centre")
    archive.come_in(CAMPUS)
    assert archive.tell() == [CAMPUS]
    archive.come_in(COMPUTE)
    archive.edit(*ONE_ONLY)
    archive.edit("[data centre OR data center, 算力]", "[算力, campus, quarrel]")
    before = archive.dump()
    dry = archive.rematch(DAY, dry=True)
    assert archive.dump() == before
    wet = archive.rematch(DAY)
    assert (dry.tally, dry.prospects, dry.bare) == (wet.tally, wet.prospects, wet.bare)
    assert (wet.tally.judged, len(wet.tally.gained), len(wet.tally.moved)) == (3, 1, 2)
    assert wet.prospects == (again.Prospect("morning", news=1, settled=0, filed=0),)


# ---------------------------------------------------------------- in any order


NAMES = ("OpenAI", "Anthropic", "Mistral")
TOPICS = {"compute": "data centre", "agi": "AGI", "competition": "rival"}


class AnyOrder(RuleBasedStateMachine):
    """Polls, edits, editions and rematches in any order: no digest tells one address twice, nothing is left behind."""

    @initialize()
    def begin(self) -> None:
        """Two digests, one of them of one theme."""
        self.archive = Archive(Path(":memory:"))
        self.names: frozenset[str] = frozenset({"OpenAI"})
        self.topics: frozenset[str] = frozenset(TOPICS)
        self.filters: frozenset[str] = frozenset({"agi"})
        self.told: dict[str, list[str]] = {"morning": [], "evening": []}
        self._edit()

    def teardown(self) -> None:
        """Close the database."""
        if hasattr(self, "archive"):
            self.archive.store.close()

    def _edit(self) -> None:
        text = config_text([FEED]).replace("names: [OpenAI]", f"names: [{', '.join(sorted(self.names))}]")
        for name, words in TOPICS.items():
            text = text.replace("data centre OR data center, 算力", "data centre").replace(
                f"[{words}]", f"[{words}]" if name in self.topics else "[zzz]"
            )
        filters = f"    themes: [{', '.join(sorted(self.filters))}]\n" if self.filters else ""
        self.archive.text = text.replace("polling:", ANOTHER + filters + "polling:")
        self.archive.edit("", "")

    @rule(names=st.frozensets(st.sampled_from(NAMES), min_size=1))
    def edit_names(self, names: frozenset[str]) -> None:
        """Who counts as the other company."""
        self.names = names
        self._edit()

    @rule(topics=st.frozensets(st.sampled_from(sorted(TOPICS))))
    def edit_keywords(self, topics: frozenset[str]) -> None:
        """Which themes have a keyword that ever matches."""
        self.topics = topics
        self._edit()

    @rule(filters=st.frozensets(st.sampled_from(sorted(TOPICS))))
    def edit_filter(self, filters: frozenset[str]) -> None:
        """Which themes the evening is sent."""
        self.filters = filters
        self._edit()

    @rule(name=st.sampled_from(NAMES), topic=st.sampled_from([*TOPICS.values(), "lunch"]), again_=st.booleans())
    def poll(self, name: str, topic: str, again_: bool) -> None:
        """An item comes in; one address may come through two feeds."""
        number = self.archive.number if again_ and self.archive.number else self.archive.number + 1
        self.archive.come_in(
            f"Microsoft and {name} quarrel over {topic} {self.archive.number}", link=f"https://example.com/{number}"
        )

    @rule(name=st.sampled_from(["morning", "evening"]))
    def edition(self, name: str) -> None:
        """An edition is made; its addresses are new to its readers, and all its hits are settled by it."""
        archive = self.archive
        last = archive.store.last_item()
        reach = again.reach(archive.store, archive.plan(name), archive.judge_again(), last)
        made = worker.digest(archive.settings, archive.plan(name), archive.store, DESK, archive.now, reach=reach)
        assert made is not None
        delivered(archive.store, archive.now)
        stories = made[0].stories + made[0].updates
        links = [link for story in stories for link in dict.fromkeys(r.item.link for r in story.reports)]
        assert not set(links) & set(self.told[name]), "told twice"
        self.told[name] += links
        assert archive.store.untold_hits(name) == []
        rules = archive.settings.rules
        for story in stories:
            for report in story.reports:
                assert judge(report.item, rules).covered, "told by rules of yesterday"

    @rule(items=st.integers(0, 5))
    def judge_again(self, items: int) -> None:
        """The worker's poll after an edit, which has no time for many items."""
        self.archive.judge_again(budget(items))

    @rule(hours=st.integers(1, 100), dry=st.booleans())
    def rematch(self, hours: int, dry: bool) -> None:
        """Somebody asks for it; what it promises is what the next edition holds."""
        self.archive.rematch(hours * HOUR, dry=dry)

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        """Time passes."""
        self.archive.now += hours * HOUR

    @invariant()
    def a_preview_agrees_with_what_would_be_stored(self) -> None:
        """In memory and saved come to the same."""
        if not hasattr(self, "archive"):
            return
        archive = self.archive
        for plan in archive.settings.digests:
            shown = again.hits_now(archive.settings, plan, archive.store, archive.now, None)
            assert all(judge(hit.item, archive.settings.rules).covered for hit in shown)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = chosen(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
