"""The archive: every edition that was mailed, as pages that need no server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor import archive, press
from monitor.digest.sample import sample
from monitor.errors import MonitorError, TemplateError
from monitor.model import DigestPlan, FeedState, Item, Judged, Section, Story, Templates, Verdict
from monitor.resources import read_templates
from monitor.store import Store
from tests.browser import chromium, needs_chromium, overflow, page_of, violations
from tests.builders import TEMPLATES

FIRST = datetime(2025, 12, 30, 23, 30, tzinfo=UTC)
PLAN = DigestPlan("morning", ("one@example.org",), "30 7 * * *", "Asia/Shanghai")
TITLES = {"compute": {"en": "Computing needs", "zh": "算力"}, "agi": {"en": "When AGI is reached"}}
SHORTS = {"compute": {"en": "Compute"}}
NEWS = [
    (("Microsoft halts <b>Ohio</b> campus", "compute"), ("微软暂停俄亥俄园区", "compute")),
    (("Altman says ＡＧＩ is near", "agi"),),
    (("OpenAI signs with Oracle", 'own "theme"'), ("Nadella doubts benchmarks", "agi")),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A database with three editions, from 31 December to 2 January in Shanghai."""
    with Store(tmp_path / "monitor.db") as opened:
        opened.meet_digests(["morning"], FIRST, timedelta(days=1))
        for number, news in enumerate(NEWS):
            tell(opened, FIRST + timedelta(days=number), news)
        yield opened


def tell(store: Store, at: datetime, news: tuple[tuple[str, str], ...], plan: DigestPlan = PLAN) -> None:
    """Store items and freeze an edition that tells them."""
    items = [
        Item("https://example.com/rss", title, f"https://example.com/{hash(title)}", title, "", "Example Journal", "en",
             at - timedelta(hours=1), at - timedelta(hours=1))
        for title, _ in news
    ]  # fmt: skip
    verdicts = [Verdict(True, ((theme, 1.0),) if theme else ()) for _, theme in news]
    store.save_poll(FeedState("https://example.com/rss"), [Judged(*pair) for pair in zip(items, verdicts, strict=True)])
    hits = store.untold_hits("morning")
    stories = tuple(Story((hit,), tuple(name for name, _ in hit.verdict.themes)) for hit in hits)
    edition = replace(
        sample("en", plan), since=at - timedelta(days=1), until=at, sections=(Section(None, stories),), notices=()
    )
    edition, rendered, frame = press.typeset(edition, press.Desk(TEMPLATES, "monitor@example.com"))
    assert store.freeze(edition, press.make_messages(edition, rendered, frame, "x"), frame)


def update(store: Store, folder: Path) -> int:
    """Bring the archive up to date."""
    return archive.update(
        store, folder / "archive", read_templates(TEMPLATES), language="en", titles=TITLES, shorts=SHORTS
    )


def test_every_edition_is_a_page_and_stands_in_the_index(store: Store, tmp_path: Path) -> None:
    """By its day in the digest's own zone; years have pages of their own, the latest is the index."""
    assert update(store, tmp_path) == 3
    pages = sorted(str(path.relative_to(tmp_path / "archive")) for path in (tmp_path / "archive").rglob("*"))
    assert pages == [
        "2025.html", "2026.html", "index.html", "morning", "morning/2025-12-31-1.html", "morning/2026-01-01-2.html",
        "morning/2026-01-02-3.html",
    ]  # fmt: skip
    index, before = ((tmp_path / "archive" / name).read_text("utf-8") for name in ("index.html", "2025.html"))
    assert index.index('id="2026-01-02"') < index.index('id="2026-01-01"')
    assert 'href="morning/2026-01-02-3.html"' in index
    assert 'href="2025.html"' in index
    assert 'href="2026.html"' in before
    assert (tmp_path / "archive" / "2026.html").read_text("utf-8") == index
    assert "Microsoft halts &lt;b&gt;Ohio&lt;/b&gt; campus" in before
    page = (tmp_path / "archive" / "morning" / "2026-01-02-3.html").read_text("utf-8")
    assert 'href="../2026.html#2026-01-02"' in page
    kept = store.kept_edition(3)
    assert kept is not None
    assert archive.page_of(kept).split("<body", 1)[1].split(">", 1)[1] in page


def test_what_is_missing_is_written_and_what_is_there_left_alone(store: Store, tmp_path: Path) -> None:
    """After an interruption, a deletion, a new edition."""
    update(store, tmp_path)
    assert update(store, tmp_path) == 0
    (tmp_path / "archive" / "morning" / "2026-01-01-2.html").unlink()
    other = tmp_path / "archive" / "morning" / "2025-12-31-1.html"
    other.write_text("mine")
    assert update(store, tmp_path) == 1
    assert other.read_text() == "mine"
    tell(store, FIRST + timedelta(days=3), (("Suleyman presents a model", "agi"),))
    assert update(store, tmp_path) == 1
    assert "Suleyman presents a model" in (tmp_path / "archive" / "index.html").read_text("utf-8")


def test_an_index_that_was_not_written_is_written_next_time(store: Store, tmp_path: Path) -> None:
    """Whatever came between pages and index."""
    update(store, tmp_path)
    index = tmp_path / "archive" / "index.html"
    before = index.read_text("utf-8")
    index.write_text("half of i")
    assert update(store, tmp_path) == 0
    assert index.read_text("utf-8") == before


def test_a_digest_that_moved_or_went_keeps_its_pages(store: Store, tmp_path: Path) -> None:
    """Their names are those of the days on which they were made, where they were made."""
    update(store, tmp_path)
    before = sorted((tmp_path / "archive" / "morning").iterdir())
    moved = replace(PLAN, timezone="America/Los_Angeles")
    tell(store, FIRST + timedelta(days=9), (("Suleyman presents a model", "agi"),), moved)
    update(store, tmp_path)
    after = sorted((tmp_path / "archive" / "morning").iterdir())
    assert after[:3] == before
    assert after[3].name == "2026-01-08-4.html"


def test_a_broken_template_of_the_index_is_found_by_a_check_and_gives_way(store: Store, tmp_path: Path) -> None:
    """To the one that came along."""
    templates = read_templates(TEMPLATES)
    archive.check(templates)
    for name in ("archive.html", "archive.css", "archive.js"):
        broken = Templates({**templates.sources, name: "{{ nonsense() }}"}, templates.places)
        with pytest.raises(TemplateError, match="nonsense"):
            archive.check(broken)
        assert archive.update(store, tmp_path / name, broken, language="en", titles=TITLES) == 3
        assert "All editions" in (tmp_path / name / "morning" / "2026-01-02-3.html").read_text("utf-8")
        assert "Nadella doubts benchmarks" in (tmp_path / name / "index.html").read_text("utf-8")


def test_a_folder_that_cannot_be_written_is_named(store: Store, tmp_path: Path) -> None:
    """In one line; nothing half written is left."""
    (tmp_path / "archive").write_text("a file")
    with pytest.raises(MonitorError, match="cannot be written"):
        update(store, tmp_path)


def test_without_editions_there_is_an_empty_index_for_nobody(tmp_path: Path) -> None:
    """Nothing was mailed, so nothing is written."""
    with Store(tmp_path / "monitor.db") as store:
        assert update(store, tmp_path) == 0
    assert not (tmp_path / "archive").exists()


@needs_chromium
def test_the_index_is_searched_in_the_page(store: Store, tmp_path: Path) -> None:
    """From a file, without a network: by words in either width and case, and by theme; accessible in both schemes."""
    update(store, tmp_path)
    index = tmp_path / "archive" / "index.html"
    with chromium() as browser:
        with page_of(browser, index, width=700) as page:
            shown = "li:visible"
            assert page.locator(shown).count() == 3
            page.get_by_label("Search").fill("agi NEAR")
            assert page.locator(shown).all_inner_texts() == [page.locator(shown).first.inner_text()]
            assert "Altman says" in page.locator(shown).first.inner_text()
            assert page.get_by_role("status").inner_text() == "1 story"
            assert page.locator(".day:visible").count() == 1
            page.get_by_label("Search").fill("")
            page.get_by_label("Theme").select_option("agi")
            assert page.locator(shown).count() == 2
            assert page.get_by_role("status").inner_text() == "2 stories"
            page.get_by_label("Theme").select_option('own "theme"')
            assert page.locator(shown).count() == 1
            page.get_by_label("Search").fill("nothing like it")
            assert page.locator(shown).count() == 0
            page.get_by_role("link", name="2025").click()
            page.get_by_label("Search").fill("俄亥俄")
            assert page.locator(shown).count() == 1
            page.locator(".edition a").first.click()
            page.get_by_role("link", name="All editions").click()
            assert page.url.endswith("/2025.html#2025-12-31")
        for scheme in ("light", "dark"):
            with page_of(browser, index, scheme=scheme) as page:
                assert violations(page) == []
                assert overflow(page) <= 0


@needs_chromium
def test_without_scripts_the_index_is_a_list(store: Store, tmp_path: Path) -> None:
    """Everything stands there; only the search needs a script."""
    update(store, tmp_path)
    with chromium() as browser:
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto((tmp_path / "archive" / "index.html").as_uri())
        assert page.locator("li:visible").count() == 3
        assert not page.get_by_label("Search").is_visible()
