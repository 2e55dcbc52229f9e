"""The press: templates that break, mails that would be too long, editions rendered again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from monitor import press
from monitor.digest.message import transfer_size
from monitor.digest.sample import sample
from monitor.errors import TemplateError
from monitor.model import DigestPlan, Edition, FeedTrouble, Frame
from monitor.resources import read_templates
from monitor.store import Store
from tests.builders import TEMPLATES
from tests.test_render import HOSTILE, a_report, a_section, a_story, an_edition

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)
DESK = press.Desk(TEMPLATES, "Rift Monitor <monitor@example.com>", "owner@example.com")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty database."""
    with Store(tmp_path / "monitor.db") as opened:
        yield opened


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A copy of the templates, for breaking."""
    return Path(shutil.copytree(TEMPLATES, tmp_path / "templates"))


def freeze(store: Store, edition: Edition, desk: press.Desk) -> list[bytes]:
    """Render and freeze an edition that tells no stored item; return its mails."""
    edition, rendered, frame = press.typeset_safely(edition, desk, store, NOW)
    messages = press.make_messages(edition, rendered, frame, "token")
    store.meet_digests([edition.plan.name], NOW, timedelta(days=1))
    assert store.freeze(edition, messages, frame)
    return [message.raw for message in messages]


# ------------------------------------------------------------------ templates that break


def test_with_a_broken_template_the_last_good_ones_are_used_and_the_mail_says_so(store: Store, own: Path) -> None:
    """File and line stand at the top of the mail, and in the note that health tells."""
    desk = replace(DESK, templates=own)
    (own / "digest.css").write_text((own / "digest.css").read_text() + ".dateline { color: #123456; }")
    freeze(store, an_edition(troubles=(FeedTrouble("One", "down", None),)), desk)
    (own / "digest.html").write_text("{% if %}")
    edition, rendered, _ = press.typeset_safely(an_edition(), desk, store, NOW)
    assert f"{own / 'digest.html'}:1: Expected an expression" in rendered.html
    assert "Expected an expression" in rendered.text.replace("\n  ", " ")
    assert "not taken up" in rendered.html
    assert "#123456" in rendered.html, "the user's own, as they were last good"
    assert store.notes()[press.NOTE] in edition.notices
    shutil.copy(TEMPLATES / "digest.html", own)
    edition, rendered, _ = press.typeset_safely(an_edition(), desk, store, NOW)
    assert store.notes() == {}
    assert edition.notices == ()
    assert "not taken up" not in rendered.html


def test_without_any_that_were_good_those_that_came_along_are_used(store: Store, own: Path) -> None:
    """Also when the last good ones have become useless."""
    (own / "digest.txt").write_bytes(b"caf\xe9")
    _, rendered, frame = press.typeset_safely(an_edition(), replace(DESK, templates=own), store, NOW)
    assert "is not UTF-8" in rendered.text
    gone = replace(frame, templates={**frame.templates, "digest.txt": "{{ of_an_earlier_version }}"})
    store.meet_digests(["morning"], NOW, timedelta(days=1))
    store.freeze(an_edition(), press.make_messages(an_edition(), rendered, frame, "x"), gone)
    _, rendered, _ = press.typeset_safely(an_edition(), replace(DESK, templates=own), store, NOW)
    assert "is not UTF-8" in rendered.text


OF_THE_MAIL = sorted(path.name for path in TEMPLATES.glob("*.*") if not path.name.startswith("archive"))


@pytest.mark.parametrize("name", OF_THE_MAIL)
def test_a_check_renders_every_template(own: Path, name: str) -> None:
    """The sample has every kind of part, so a fault in any file is found before the morning."""
    press.check_templates(replace(DESK, templates=own))
    (own / name).write_text((own / name).read_text() + "\n{{ nonsense() }}\n")
    with pytest.raises(TemplateError, match="nonsense"):
        press.check_templates(replace(DESK, templates=own))


def test_a_template_that_comes_out_empty_is_a_fault(own: Path) -> None:
    """A mail without a subject or a body helps nobody."""
    for name in ("digest.subject.txt", "digest.txt", "digest.html"):
        whole = (own / name).read_text("utf-8")
        (own / name).write_text("{# nothing #}\n")
        with pytest.raises(TemplateError, match=f"{name}:1: comes out empty"):
            press.check_templates(replace(DESK, templates=own))
        (own / name).write_text(whole)


def test_templates_that_passed_a_check_are_the_last_good_ones(store: Store, own: Path) -> None:
    """Also when no mail was made with them, and whatever the clock said."""
    mine = {**read_templates(own).sources, "digest.subject.txt": "mine"}
    store.save_templates(read_templates(own).sources)
    store.save_templates(mine)
    store.save_templates(read_templates(own).sources)
    store.save_templates(mine)
    assert store.last_templates() == mine


def test_a_file_name_that_is_no_text_stops_no_mail(store: Store, own: Path) -> None:
    """The fault is told with the name as it can be written."""
    bad = Path(os.fsdecode(bytes(own) + b"/digest\xff.html"))
    try:
        bad.write_bytes(b"{% if %}")
    except OSError:
        pytest.skip("this file system has no such names")
    (own / "digest.html").write_text('{% include "digest\udcff.html" %}', encoding="utf-8", errors="surrogateescape")
    _, rendered, _ = press.typeset_safely(an_edition(), replace(DESK, templates=own), store, NOW)
    assert "not taken up" in rendered.text


def test_an_edition_with_half_an_emoji_is_kept(store: Store) -> None:
    """A name in feeds.yaml can be anything."""
    edition = an_edition(troubles=(FeedTrouble("Feed \ud83d", "down", None),))
    sent = freeze(store, edition, DESK)
    kept = store.kept_edition(1)
    assert kept is not None
    assert [message.raw for message in press.make_again(kept)] == sent


# ------------------------------------------------------------------ too long

LONG = "https://example.com/" + "x" * 1900
CROWD = tuple(a_report("<&\"'" * 50, "&" * 60, link=f"{LONG}{n}", text="<'\">" * 200) for n in range(30))


@pytest.mark.parametrize(
    "story",
    [
        a_story(*CROWD),
        a_story(*(a_report("微软" * 2000, f"某某{n}" * 30, link=f"{LONG}{n}", text="算力" * 2000) for n in range(30))),
        a_story(
            *(a_report(text, f"Outlet {n}", link=f"{LONG}{n}", text=text) for n, text in enumerate(HOSTILE.values()))
        ),
    ],
)
def test_no_mail_is_long_enough_to_be_clipped(story: object) -> None:
    """Forty stories of everybody with endless addresses: fewer are shown, and the others counted."""
    edition = an_edition(
        a_section("compute", *[story] * 40, updates=tuple([story] * 40)),  # type: ignore[arg-type]
        troubles=tuple(FeedTrouble("Feed" * 40, "&" * 4000, NOW) for _ in range(400)),
        notices=("n" * 5000,),
    )
    short, rendered, _ = press.typeset(edition, DESK)
    assert transfer_size(rendered.html) < 100_000
    assert short.stories
    assert short.total == edition.total
    assert f"+{short.sections[0].more} more stor" in rendered.text
    mail = message_from_bytes(
        press.make_messages(short, rendered, Frame({}, "", DESK.sender, ""), "x")[0].raw, policy=policy.default
    )
    part = mail.get_body(("html",))
    assert part is not None
    assert len(str(part.get_payload())) < 100_000


def test_a_page_of_forty_stories_names_fewer_outlets_before_it_grows_long() -> None:
    """Below 60 KB, with every story."""
    names = [f"The Example Outlet of the North {n}" for n in range(14)]
    text = "The companies said the change takes effect in March; people briefed on the plan expect a review first. " * 2
    story = a_story(
        *(a_report(outlet=name, link=f"https://example.com/{n}", text=text) for n, name in enumerate(names))
    )
    short, rendered, _ = press.typeset(an_edition(a_section("compute", *[story] * 40)), DESK)
    assert len(rendered.html.encode()) <= press.GOOD_PAGE
    assert len(short.stories) == 40
    assert 3 <= short.most_outlets < 12
    assert "(14 outlets)" in rendered.html


def test_many_themes_are_no_way_around() -> None:
    """Sixty of them with a crowd each: the last are only counted."""
    sections = [a_section(f"theme {n}", a_story(*CROWD[:8])) for n in range(60)]
    short, rendered, _ = press.typeset(an_edition(*sections), DESK)
    assert transfer_size(rendered.html) < 100_000
    assert short.total == 60


def test_a_full_page_of_ordinary_news_is_not_shortened() -> None:
    """Forty stories of three outlets, with summaries: below 60 KB."""
    text = "The companies said the change takes effect in March; people briefed on the plan expect a review first. " * 3
    title = "Microsoft restarts a campus and leaves OpenAI off the list"
    links = [f"https://example.com/news/2026/11/{n}" for n in range(3)]
    story = a_story(*(a_report(title, f"Outlet {n[-1]}", link=n, text=text, found=("review",)) for n in links))
    edition = an_edition(a_section("compute", *[story] * 40))
    short, rendered, _ = press.typeset(edition, DESK)
    assert short == edition
    assert len(rendered.html.encode()) < 60_000


# ------------------------------------------------------------------ again


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_kept_edition_is_rendered_again_byte_for_byte(store: Store, own: Path, language: str) -> None:
    """From the database alone, although the templates were edited since."""
    desk = replace(DESK, templates=own)
    plan = DigestPlan("morning", ("one@example.org", "two@example.org"), "30 7 * * *", "Asia/Shanghai", language)
    edition = replace(sample(language, plan), sections=())
    sent = freeze(store, edition, desk)
    (own / "digest.html").write_text("quite another page")
    kept = store.kept_edition(1)
    assert kept is not None
    assert [message.raw for message in kept.messages] == sent
    assert [message.raw for message in press.make_again(kept)] == sent
    assert kept.edition is not None
    assert kept.edition == replace(edition, plan=plan)


def test_an_edition_comes_back_whole_from_the_database(store: Store) -> None:
    """With stories, updates, marks and all that it says; but for what it settled without showing."""
    from monitor.store import _editions

    edition = replace(sample(), passed=(1, 2, 3))
    assert _editions().validate_json(_editions().dump_json(edition)) == edition


def test_what_was_not_mailed_is_not_kept(store: Store) -> None:
    """An edition that was skipped has nothing to show."""
    store.meet_digests(["morning"], NOW, timedelta(days=1))
    assert store.freeze(an_edition(), [])
    assert store.kept_edition(1) is None
    assert store.kept_edition(99) is None
    assert store.mailed_editions() == []
