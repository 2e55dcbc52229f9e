"""The database itself: opening, transactions, many at once, and what it remembers."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from sqlite_utils import Database

from monitor.errors import NewerDatabaseError, StoreError
from monitor.migrations import migrations
from monitor.model import (
    DigestPlan,
    Edition,
    Evidence,
    FeedState,
    FeedTrouble,
    Heard,
    Item,
    Judged,
    Label,
    PastEdition,
    Section,
    Story,
    ThemeTitle,
    Trend,
    Trouble,
    Verdict,
)
from monitor.store import FILE_NAME, MIGRATIONS, Store, _as_json, fingerprint
from tests.builders import ROOT

NOW = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
FEED = "https://feed.example.com/rss"


def an_item(key: str = "a", title: str = "Microsoft and OpenAI", feed: str = FEED) -> Item:
    """A clean item."""
    return Item(feed, key, f"https://example.com/{key}", title, "Summary", "Example", "en", NOW, NOW)


def judged(item: Item, covered: bool = True) -> Judged:
    """An item with a verdict and its evidence."""
    evidence = (Evidence("coverage.openai", "OpenAI", "title", 14, 20), Evidence("theme.agi", "AGI", "summary", 0, 3))
    return Judged(item, Verdict(covered, (("agi", 2.0), ("compute", 1.0)), 3.0, evidence, "" if covered else "why not"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A new database whose one digest is known."""
    with Store(tmp_path / "monitor.db") as opened:
        opened.meet_digests(["morning"], NOW - timedelta(hours=1), timedelta(hours=24))
        yield opened


def test_a_hit_comes_back_as_it_was_stored_with_its_evidence(store: Store) -> None:
    """Which keyword, in which field, from where to where; themes with the best first."""
    store.save_poll(FeedState(FEED), [judged(an_item()), judged(an_item("b"), covered=False)])
    [hit] = store.untold_hits("morning")
    assert (hit.item, hit.verdict) == (an_item(), judged(an_item()).verdict)


def test_a_feeds_state_comes_back_as_it_was_stored(store: Store) -> None:
    """Times with their microseconds and zone."""
    state = FeedState(
        FEED,
        "Example",
        '"etag"',
        "Tue, 24 Nov 2026",
        "ab" * 32,
        NOW,
        NOW,
        NOW.replace(microsecond=7),
        3,
        NOW,
        "HTTP 500",
    )
    store.save_poll(state)
    assert store.feed_states() == {FEED: state}


def test_news_is_what_was_never_seen_and_changes_are_told_apart(store: Store) -> None:
    """More keys than SQLite takes in one query are no trouble."""
    items = [an_item(str(n)) for n in range(1300)]
    assert store.known(FEED, [item.key for item in items]) == {}
    store.save_poll(FeedState(FEED), map(judged, items))
    edited = an_item("7", "Another headline")
    known = store.known(FEED, [item.key for item in [*items, an_item("new")]])
    assert set(known) == {item.key for item in items}
    assert [item.key for item in [*items[:7], edited] if known[item.key][0] != fingerprint(item)] == ["7"]
    assert known["7"][1] == items[7].link
    assert store.known("https://other.example.com/", ["7"]) == {}


def test_what_fails_halfway_leaves_nothing_behind(store: Store) -> None:
    """The state is not saved when one of the items cannot be."""
    broken = judged(an_item("b"))
    object.__setattr__(broken.item, "title", object())
    with pytest.raises((StoreError, sqlite3.Error)):
        store.save_poll(FeedState(FEED, etag='"v1"'), [judged(an_item("a")), broken])
    assert store.feed_states() == {}
    assert store.counts()["items"] == 0


def test_many_processes_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    """The schema is made once, by whoever comes first; the others wait."""
    faults: list[BaseException] = []

    def open_it(number: int) -> None:
        try:
            with Store(tmp_path / "monitor.db") as opened:
                opened.save_poll(FeedState(f"https://example.com/{number}"), [judged(an_item(str(number)))])
        except BaseException as e:
            faults.append(e)

    threads = [threading.Thread(target=open_it, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with Store(tmp_path / "monitor.db") as opened:
        assert opened.counts()["items"] == 8


def test_a_writer_waits_for_another_even_after_reading(tmp_path: Path) -> None:
    """Two jobs that read first and write later both get through."""
    rounds = 20

    def work(name: str) -> None:
        with Store(tmp_path / "monitor.db") as opened:
            for number in range(rounds):
                opened.known(FEED, [f"{name}{number}"])
                opened.save_poll(FeedState(name), [judged(an_item(f"{name}{number}"))])

    threads = [threading.Thread(target=work, args=(name,)) for name in ("x", "y", "z")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Store(tmp_path / "monitor.db") as opened:
        assert opened.counts()["items"] == 3 * rounds


def test_a_database_of_a_later_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Its migrations are unknown here."""
    with Store(tmp_path / "monitor.db"):
        pass
    with sqlite3.connect(tmp_path / "monitor.db") as conn:
        conn.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('monitor', 'm999', '')")
    conn.close()
    with pytest.raises(NewerDatabaseError, match="m999"):
        Store(tmp_path / "monitor.db")


def test_migrations_are_numbered_in_order_and_documented() -> None:
    """They are only ever appended to."""
    names = [migration.name for migration in migrations._migrations]
    assert [name[:4] for name in names] == [f"m{number:03d}" for number in range(1, len(names) + 1)]
    assert all(migration.fn.__doc__ for migration in migrations._migrations)


def test_the_store_names_every_migration() -> None:
    """It opens a database that has had all of them without looking at them."""
    assert list(MIGRATIONS) == [migration.name for migration in migrations._migrations]
    assert migrations.migrations_table == "_sqlite_migrations"


def test_notes_stand_until_they_are_mended(store: Store) -> None:
    """Each is said once."""
    assert store.note("configuration", "line 3 is wrong", NOW)
    assert not store.note("configuration", "line 3 is wrong", NOW)
    assert store.notes() == {"configuration": "line 3 is wrong"}
    assert store.note("configuration", "", NOW)
    assert store.notes() == {}


def test_a_failed_job_keeps_the_time_of_its_last_success(store: Store) -> None:
    """So that one can tell how long it has been failing."""
    for minute, error in ((0, ""), (10, "disk full")):
        store.begin_job("poll", NOW + timedelta(minutes=minute))
        store.end_job("poll", NOW + timedelta(minutes=minute), error)
    run = store.jobs()["poll"]
    assert (run.succeeded, run.finished, run.error) == (NOW, NOW + timedelta(minutes=10), "disk full")


# ---------------------------------------------------------------- the second opinion and labels


def test_what_the_second_opinion_said_comes_back(store: Store) -> None:
    """Doubt, what it says alone, and what that reads like."""
    heard = (Heard("coverage", 0.5, (("rules", 1.0),)),)
    alone = Verdict(
        True, (("agi", 0.75),), 0.75, heard=heard, alone=("coverage", "agi"), reads_like=("付账", "life after")
    )
    doubtful = Verdict(True, doubted=True, heard=heard, withdrawn=("compute",))
    store.save_poll(FeedState(FEED), [Judged(an_item("a"), alone), Judged(an_item("b"), doubtful)])
    back = {hit.item.key: hit.verdict for hit in store.untold_hits("morning")}
    assert (back["a"].alone, back["a"].reads_like, back["a"].doubted) == (
        ("coverage", "agi"),
        ("付账", "life after"),
        False,
    )
    assert (back["b"].alone, back["b"].reads_like, back["b"].doubted) == ((), (), True)
    assert (back["a"].withdrawn, back["b"].withdrawn) == ((), ("compute",))


def a_label(**changes: object) -> Label:
    """What a reader said of an item."""
    said = Label("https://example.com/a", "Title 微软", "Summary", "en", "Example", True, ("agi",), False, NOW)
    return replace(said, **changes)  # type: ignore[arg-type]


def test_labels_are_kept_as_they_were_said(store: Store) -> None:
    """With unknown themes apart from none; a second word on the same item replaces the first."""
    said = [a_label(), a_label(link="", themes=None, missed=True), a_label(link="b", relevant=False, themes=())]
    for one in said:
        store.save_label(one)
    assert sorted(store.labels(), key=lambda one: one.link) == sorted(said, key=lambda one: one.link)
    store.save_label(a_label(relevant=False, themes=()))
    assert len(store.labels()) == 3
    assert store.forget_label(a_label().key)
    assert not store.forget_label(a_label().key)
    assert len(store.labels()) == 2
    store.save_label(a_label(title="Another text at the same address"))
    store.save_label(a_label())
    assert len(store.labels()) == 4


def test_labels_outlive_the_texts_of_their_items(store: Store) -> None:
    """What was learnt from must be there when it is learnt again."""
    store.save_poll(FeedState(FEED), [judged(an_item())])
    store.save_label(a_label(link=an_item().link))
    store.tidy(NOW + timedelta(days=400))
    assert [one.title for one in store.labels()] == ["Title 微软"]


def test_a_database_of_the_version_before_is_brought_up_to_date(tmp_path: Path) -> None:
    """Hits that were stored before there was a second opinion are told as before."""
    path = tmp_path / "monitor.db"
    with Store(path) as store:
        store.meet_digests(["morning"], NOW - timedelta(hours=1), timedelta(hours=24))
        store.save_poll(FeedState(FEED), [judged(an_item())])
    with closing(sqlite3.connect(path)) as old:
        for view in ("archive", "hits", "told_stories"):
            old.execute(f"DROP VIEW {view}")  # later than what is taken away, and made of it
        for column in ("likelihood", "doubted", "alone", "reads_like", "withdrawn"):
            old.execute(f"ALTER TABLE verdicts DROP COLUMN {column}")
        old.execute("DROP TABLE labels")
        old.execute("DELETE FROM _sqlite_migrations WHERE name = 'm004_second_opinion_labels'")
        old.commit()
    with Store(path) as store:
        [hit] = store.untold_hits("morning")
        assert hit.verdict == judged(an_item()).verdict
        assert store.labels() == []


def test_stored_items_are_looked_through_since_a_day(store: Store) -> None:
    """Hits and others, the newest first; forgotten texts are left out."""
    store.save_poll(FeedState(FEED), [judged(an_item("a")), judged(an_item("b"), covered=False)])
    assert {item.key for item in store.items_since(NOW - timedelta(days=1)).values()} == {"a", "b"}
    assert store.items_since(NOW + timedelta(days=1)) == {}


def test_the_number_of_a_story_means_its_item_and_no_key_that_looks_like_it(store: Store) -> None:
    """Some feeds number their entries."""
    store.save_poll(FeedState(FEED), [judged(an_item("2")), judged(an_item("b"))])
    assert [found.item.key for found in store.find_items("#2")] == ["b"]
    assert {found.item.key for found in store.find_items("2")} == {"2", "b"}
    assert store.find_items("#" + "9" * 30) == []


# ------------------------------------------------------------------ what editions are compared with


def test_history_counts_new_stories_by_theme(store: Store) -> None:
    """As the edition counted them; one of an earlier version by the stories that it told."""
    themes = [ThemeTitle("agi", "AGI"), ThemeTitle("compute", "Compute")]
    plan = DigestPlan("morning", ("a@example.org",), "0 7 * * *")
    for days, counts in ((2, (3, 0)), (1, (0, 5))):
        until = NOW - timedelta(days=days)
        trends = tuple(Trend(theme, count, None, ()) for theme, count in zip(themes, counts, strict=True))
        store.freeze(Edition(plan, until - timedelta(days=1), until, (), 0, 0, (), trends=trends), [])
    assert store.history("morning", NOW - timedelta(days=9)) == [
        PastEdition(NOW - timedelta(days=3), NOW - timedelta(days=2), {"agi": 3, "compute": 0}),
        PastEdition(NOW - timedelta(days=2), NOW - timedelta(days=1), {"agi": 0, "compute": 5}),
    ]
    assert len(store.history("morning", NOW - timedelta(days=2))) == 1
    assert store.history("evening", NOW - timedelta(days=9)) == []
    store.save_poll(FeedState(FEED), [judged(an_item())])
    [hit] = store.untold_hits("morning")
    section = Section(None, (Story((hit,), ("agi", "compute")),))
    store.freeze(Edition(plan, NOW - timedelta(days=1), NOW, (section,), 1, 1, ()), [])
    with closing(sqlite3.connect(store.path)) as raw:
        raw.execute("UPDATE editions SET counts = NULL WHERE until LIKE '2026-11-24%'")
        raw.commit()
    assert store.history("morning", NOW - timedelta(hours=1))[0].counts == {"agi": 1, "compute": 1}


def test_arrivals_are_the_times_at_which_something_was_new(store: Store) -> None:
    """Each poll once, the latest first, of this feed only."""
    for hour in range(5):
        at = NOW + timedelta(hours=hour)
        items = [replace(an_item(f"{hour} {n}"), first_seen=at) for n in range(3)]
        store.save_poll(FeedState(FEED), [judged(item) for item in items])
    assert store.arrivals(FEED, 3) == [NOW + timedelta(hours=hour) for hour in (4, 3, 2)]
    assert store.arrivals("https://other.example.com/") == []


def test_a_told_story_comes_back_with_all_that_it_is_known_by(store: Store) -> None:
    """The reports of its updates too, with their words and times, the lead first."""
    plan = DigestPlan("morning", ("a@example.org",), "0 7 * * *")
    for day, key in enumerate("ab"):
        at = NOW + timedelta(days=day)
        store.save_poll(FeedState(FEED), [judged(replace(an_item(key, f"Title {key}"), published=at, first_seen=at))])
        [hit] = store.untold_hits("morning")
        [*told] = store.recent_stories("morning", NOW - timedelta(days=7))
        story = Story((hit,), ("agi",), told[0] if told else None)
        section = Section(None, () if told else (story,), (story,) if told else ())
        store.freeze(Edition(plan, at - timedelta(days=1), at, (section,), 1, 1, ()), [])
    [found] = store.recent_stories("morning", NOW - timedelta(days=7))
    assert [found] == store.recent_stories("morning", NOW + timedelta(hours=12)), "told before, taken up since"
    assert store.recent_stories("morning", NOW + timedelta(days=2)) == []
    assert found.titles == ("Title a", "Title b")
    assert found.summaries == ("Summary", "Summary")
    assert found.times == (NOW, NOW + timedelta(days=1))
    assert found.themes == ("agi",)


def test_many_hits_come_back_in_a_few_queries(store: Store) -> None:
    """Each with its own themes and evidence, more than SQLite takes in one query."""
    items = [replace(judged(an_item(str(n)))) for n in range(1203)]
    store.save_poll(FeedState(FEED), items)
    asked: list[str] = []
    store._conn.set_trace_callback(asked.append)
    hits = store.untold_hits("morning")
    assert sum(line.startswith("SELECT") for line in asked) < 10
    assert [hit.verdict for hit in hits] == [item.verdict for item in items]
    assert store.told_links("morning", [hit.item.link for hit in hits]) == set()


# ------------------------------------------------------------------ feeds' manners and articles' texts


def test_everything_that_a_feeds_state_holds_comes_back(store: Store) -> None:
    """No field is left out, so that one added later cannot be forgotten here or there."""
    state = FeedState(
        FEED,
        title="Example 微软",
        etag='"etag"',
        last_modified="Tue, 24 Nov 2026",
        body_hash="ab" * 32,
        due=NOW,
        last_polled=NOW - timedelta(seconds=1),
        last_ok=NOW.replace(microsecond=7),
        failures=3,
        failing_since=NOW - timedelta(days=1),
        error="HTTP 410 Gone",
        trouble="gone",
        pace=timedelta(minutes=17, microseconds=3),
        hint=timedelta(hours=2),
        skip="3 4 sunday",
        moved_to="https://new.example.com/",
        moved_polls=4,
        moved_since=NOW - timedelta(days=2),
        gone=NOW - timedelta(days=3),
        seen=b"\x00\xff12345678",
        newest=NOW - timedelta(hours=5),
        newest_key="a",
        empty_polls=2,
        empty_since=NOW - timedelta(days=4),
        odd_polls=5,
        odd="future",
        gaps=(NOW - timedelta(hours=9), NOW - timedelta(hours=8)),
    )
    plain = FeedState("")
    same = [name for name in FeedState.__dataclass_fields__ if getattr(state, name) == getattr(plain, name)]
    assert same == [], "a field that this test does not set"
    for kept in (state, replace(state, seen=None), replace(state, seen=b""), FeedState(FEED)):
        store.save_poll(kept)
        assert store.feed_states() == {FEED: kept}


def test_the_text_of_an_article_comes_back_in_whatever_is_judged_again(store: Store) -> None:
    """And goes with an edit, which brings its own."""
    item = replace(an_item(), text="The article 微软.")
    store.save_poll(FeedState(FEED), [judged(item), judged(an_item("b"))])
    [hit, other] = store.untold_hits("morning")
    assert (hit.item, other.item.text) == (item, "")
    assert store.items_since(NOW - timedelta(days=1))[hit.id] == item
    for reference in (f"#{hit.id}", item.link, item.key, "Microsoft"):
        assert item in [found.item for found in store.find_items(reference)]
    edited = replace(item, title="OpenAI and Microsoft", text="")
    store.save_poll(FeedState(FEED), (), [judged(edited)])
    assert store.find_items(item.link)[0].item == edited


def test_what_is_known_of_a_feeds_items_is_of_that_feed_only(store: Store) -> None:
    """By address, with what they say; and which of them were old at first sight."""
    item = an_item()
    store.save_poll(FeedState(FEED), [judged(item), judged(replace(an_item("b"), backlog=True))])
    links = [item.link, "https://example.com/b", "https://example.com/c"]
    assert store.known_by_link(FEED, links) == {
        (link.removeprefix("https://"), fingerprint(item)) for link in links[:2]
    }
    assert store.archived(FEED, ["a", "b", "c"]) == {"b"}
    assert store.known_by_link("https://other.example.com/", links) == set()
    assert store.archived("https://other.example.com/", ["b"]) == set()


def test_a_database_from_before_feeds_had_conditions_is_brought_up_to_date(tmp_path: Path) -> None:
    """States get defaults, items no text, and an edition says what it said of silent feeds."""
    path = tmp_path / "monitor.db"
    silent = FeedTrouble("Example", "", NOW - timedelta(days=3), Trouble.SILENT, timedelta(days=1))
    edition = Edition(
        DigestPlan("morning", ("a@example.org",), "0 7 * * *"), NOW - timedelta(days=1), NOW, (), 0, 1, (),
        remarks=(silent,),
    )  # fmt: skip
    write_as_m005(path, edition)
    with Store(path) as store:
        old = FeedState(FEED, "Example", '"1"', "", "ab" * 32, NOW, NOW, NOW, 0, None, "")
        assert store.feed_states() == {FEED: old}
        [hit] = store.untold_hits("morning")
        assert hit.item == an_item()
        assert store.known(FEED, ["a"]) == {"a": (fingerprint(an_item()), an_item().link)}
        kept = store.kept_edition(1)
        assert kept is not None
        assert kept.edition == edition
        store.save_poll(replace(old, gaps=(NOW,)))
        assert store.feed_states()[FEED].gaps == (NOW,)
    with Store(path) as store:
        assert store.feed_states()[FEED].gaps == (NOW,)


def write_as_m005(path: Path, edition: Edition) -> None:
    """Make a database as the version of m005 left it: a feed, a hit, and a mailed edition."""
    conn = sqlite3.connect(path)
    with closing(conn):
        db = Database(conn)
        migrations.apply(db, stop_before="m006_manners_and_conditions")
        at = "2026-11-24T05:30:00.000000Z"
        item = an_item()
        tree = json.loads(_as_json(edition))
        tree["silences"] = [{name: one[name] for name in ("name", "since", "usual")} for one in tree.pop("remarks")]
        db.table("feeds").insert(
            {"url": FEED, "title": "Example", "etag": '"1"', "last_modified": "", "body_hash": "ab" * 32, "due": at,
             "last_polled": at, "last_ok": at, "failures": 0, "failing_since": None, "error": ""}
        )  # fmt: skip
        db.table("items").insert(
            {"id": 1, "feed_url": FEED, "key": item.key, "link": item.link, "title": item.title,
             "summary": item.summary, "outlet": item.outlet, "language": item.language, "published": at, "dated": 1,
             "first_seen": at, "backlog": 0, "fingerprint": fingerprint(item)}
        )  # fmt: skip
        db.table("verdicts").insert({"item_id": 1, "covered": 1, "score": 1.0, "reason": "", "judged": at})
        first = "2026-11-23T05:30:00.000000Z"
        db.table("digests").insert({"name": "morning", "first_seen": first, "baseline": first})
        db.table("template_sets").insert({"hash": "h", "files": zlib.compress(b"{}"), "turn": 1})
        db.table("editions").insert(
            {"id": 1, "digest": "morning", "slot": None, "since": first, "until": at, "subject": "Subject",
             "stories": 0, "reports": 0, "messages": 1, "counts": "{}", "zone": "UTC",
             "frame": json.dumps(["owner", "sender", "0.1"]), "kept": zlib.compress(json.dumps(tree).encode()),
             "templates": "h"}
        )  # fmt: skip
        conn.commit()


def test_a_database_from_before_verdicts_named_their_rules_is_brought_up_to_date(tmp_path: Path) -> None:
    """The reach of the last edition is told from its time; what came in since is judged again, what it told is not."""
    path = tmp_path / "monitor.db"
    with Store(path) as store:
        store.meet_digests(["morning"], NOW - timedelta(hours=1), timedelta(hours=24))
        store.save_poll(FeedState(FEED), [judged(an_item()), judged(an_item("b", "No hit"), covered=False)])
        plan = DigestPlan("morning", ("a@example.org",), "0 7 * * *")
        edition = Edition(plan, NOW - timedelta(days=1), NOW, (), 0, 1, (), passed=(1,))
        assert store.freeze(edition, [])
        later = replace(an_item("c", "Later"), first_seen=NOW + timedelta(minutes=1))
        store.save_poll(FeedState(FEED), [judged(later, covered=False)])
    with closing(sqlite3.connect(path)) as old:
        for table, column in (("verdicts", "rules"), ("digests", "gone_since"), ("editions", "last_item")):
            old.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        old.execute("DELETE FROM _sqlite_migrations WHERE name = 'm007_edits'")
        old.commit()
    with Store(path) as store:
        assert [one.item for one in store.to_judge_again("morning", "rules")] == [later]


def test_a_reader_without_end_does_not_hold_up_writers_while_texts_are_forgotten(tmp_path: Path) -> None:
    """Litestream (docs/scaling.md) is one: the log is not emptied then, and polls and deliveries go on."""
    path = tmp_path / "monitor.db"
    with Store(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as reader:
        store.save_poll(FeedState(FEED), [judged(an_item())])
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM items").fetchone() == (1,)
        gone: list[int] = []

        def tidy() -> None:
            with Store(path) as own:
                gone.append(own.tidy(NOW + timedelta(days=1)))

        tidying = threading.Thread(target=tidy)
        tidying.start()
        with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as writer:
            number = 0
            while tidying.is_alive():
                number += 1
                writer.execute("UPDATE feeds SET failures = ?", (number,))
        tidying.join()
        assert gone == [1]
        assert store.feed_states()[FEED].failures == number > 0


def test_the_page_on_litestream_names_this_database() -> None:
    """The configuration in docs/scaling.md."""
    page = (ROOT / "docs" / "scaling.md").read_text("utf-8")
    [config] = re.findall(r"<<'END'\n(.+?)END\n", page, re.S)
    [database] = YAML(typ="safe").load(config)["dbs"]
    assert Path(database["path"]).name == FILE_NAME
    assert set(database) == {"path", "replica"}
