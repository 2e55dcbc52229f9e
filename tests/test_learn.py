"""Learning: the same weights each time, honest figures, and what a reader's own labels do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from monitor import advice, learn, resources, sense, suggest
from monitor.config import load
from monitor.errors import MonitorError
from monitor.match.blend import Second
from monitor.match.judge import judge
from monitor.match.opinion import Opinion, Weights
from monitor.model import Item, Label
from monitor.settings import Settings
from monitor.tune import Example
from tests.builders import ROOT
from tests.test_judge import RULES

THEMES = ("compute", "agi", "competition")
COMPANIES = ("microsoft", "openai")
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def embed(text: str) -> list[float]:
    """Return a vector of two numbers: texts about money, and others."""
    return [1.0, 0.0] if "bill" in text else [0.0, 1.0]


def example(number: int, title: str, relevant: bool, *themes: str, event: str = "") -> Example:
    """Return a labelled item."""
    return Example(f"x-{number}", title, "", relevant, frozenset(themes), "en", "", event or f"event {number}")


def examples() -> list[Example]:
    """Return small talk in which the word `bill` makes an item relevant and `racks` makes it compute."""
    found = []
    for number in range(120):
        relevant, compute = number % 2 == 0, number % 4 == 0
        words = f"{'bill' if relevant else 'quiz'} {'racks' if compute else 'chairs'} number {number % 7}"
        found.append(example(number, f"Redmond and the {words}", relevant, *(["compute"] if compute else [])))
    return found


def lessons(some: Sequence[Example], embed: object = None) -> list[learn.Lesson]:
    """Look at labelled items; every third is fresh."""
    return [
        learn.lesson(one, RULES, embed, fresh=number % 3 == 0)  # type: ignore[arg-type]
        for number, one in enumerate(some)
    ]


def learnt(some: Sequence[Example], embed: object = None) -> learn.Learnt:
    """Learn from labelled items."""
    return learn.learn(lessons(some, embed), COMPANIES, THEMES)


# ---------------------------------------------------------------- what is learnt


def test_the_words_that_tell_are_learnt() -> None:
    """And used on a headline that no keyword of the rules takes."""
    got = learnt(examples())
    says = Second(Opinion(got.weights), frozenset(got.weights.questions[1:]))
    made = [judge(news(f"Redmond foots a {word}"), RULES, says) for word in ("bill for racks", "bill", "quiz")]
    assert [verdict.covered for verdict in made] == [True, True, False]
    assert [dict(verdict.themes).keys() for verdict in made] == [{"compute"}, set(), set()]
    assert made[0].reads_like[0] in ("bill", "racks")


def news(title: str) -> Item:
    """Return an item of that title."""
    return Item("https://example.com/rss", title, f"https://example.com/{title}", title, "", "Example", "en", NOW, NOW)


def test_the_same_lessons_give_the_same_weights() -> None:
    """To the last digit, with and without sense."""
    for way in (None, embed):
        one, other = learnt(examples(), way), learnt(examples(), way)
        assert advice.as_text(one.weights) == advice.as_text(other.weights)
        assert one.sense == other.sense
        assert (one.sense is None) == (way is None)


def test_other_lessons_give_weights_of_another_name() -> None:
    """So that sense and words that do not belong together are told apart."""
    changed = [replace(examples()[0], relevant=False, themes=frozenset()), *examples()[1:]]
    assert learnt(examples()).weights.name != learnt(changed).weights.name


def test_what_runs_says_what_was_learnt() -> None:
    """The worker's own arithmetic gives the log-odds of scikit-learn's, but for the rounding of weights."""
    got, taught = learnt(examples(), embed), lessons(examples(), embed)
    opinion = Opinion(got.weights, got.sense, embed)
    pages = learn._Pages(taught)
    everyone = pages.asked
    for voice in ("rules", "words", "sense"):
        trained = learn._Voice(voice, pages, everyone, got.weights.questions)
        assert got.sense is not None
        for at in (0, 1, 2, 3):
            heard = opinion.hear(taught[at].item, taught[at].seen)
            for number, answer in enumerate(heard):
                said = dict(answer.voices)
                if voice in said:
                    trust = (got.sense.trust if "sense" in said else got.weights.trust)[voice][number]
                    expected = trust * (trained.odds()[number, at] - trained.intercepts[number])
                    assert said[voice] == pytest.approx(expected, abs=0.02)


def test_figures_come_from_events_that_were_not_learnt_from() -> None:
    """A word that tells everything about one event alone tells nothing when that event is judged."""
    told = [example(number, "Redmond and the zebra", True, event="zebra") for number in range(200, 212)]
    taught = lessons([*examples(), *told])
    got = learn.learn(taught, COMPANIES, THEMES)
    assert "zebra" in got.weights.words
    for lesson, heard in zip(taught, got.unseen, strict=True):
        if lesson.example.event == "zebra":
            [quiz] = [h for one, h in zip(taught, got.unseen, strict=True) if one.example.id == "x-1"][:1]
            assert abs(dict(heard[0].voices)["words"]) < abs(dict(quiz[0].voices)["words"])
            assert heard[0].likelihood < 0.9
    assert len({lesson.fold for lesson in taught if lesson.example.event == "zebra"}) == 1


def test_a_theme_with_too_few_labels_is_left_to_the_rules() -> None:
    """Whichever side is lacking."""
    assert learnt(examples()).weights.questions == ("coverage", "compute")


def test_labels_that_tell_nothing_teach_nothing_and_break_nothing() -> None:
    """Answers by chance; and all answers of one kind from one event, which no part could be tested without."""
    chance = [replace(one, relevant=number % 4 in (1, 2), themes=frozenset()) for number, one in enumerate(examples())]
    assert learnt(chance).weights.questions == ("coverage",)
    one_event = [replace(one, event="same" if one.relevant else one.event) for one in examples()]
    with pytest.raises(MonitorError, match="of several events"):
        learnt(one_event)
    theme = [replace(one, event="same" if one.themes else one.event) for one in examples()]
    assert learnt(theme).weights.questions == ("coverage",)


def test_with_too_few_labels_nothing_is_learnt() -> None:
    """One line says how many are needed."""
    with pytest.raises(MonitorError, match="too few labelled items on microsoft and openai") as refusal:
        learnt(examples()[:30])
    assert "\n" not in str(refusal.value)


def test_an_item_whose_themes_are_unknown_teaches_only_coverage() -> None:
    """`monitor label ID --relevant yes` says nothing of themes."""
    unknown = replace(example(1, "Redmond and the bill", True), themes_known=False)
    taught = learn.lesson(unknown, RULES, None, fresh=True)
    assert (taught.answer("coverage"), taught.answer("compute")) == (True, None)
    assert learn.lesson(example(2, "Redmond", False), RULES, None, fresh=True).answer("compute") is None


def test_a_readers_own_labels_change_what_is_said() -> None:
    """A handful of them about a word that nobody else has."""
    labels = [label(f"Redmond and the walrus {number}", relevant=True, themes=("compute",)) for number in range(6)]
    heard = []
    for got in (learnt(examples()), own_learnt(labels)):
        says = Second(Opinion(got.weights), frozenset(got.weights.questions[1:]))
        heard.append(judge(news("Redmond has a walrus"), RULES, says).heard)
    for before, after in zip(*heard, strict=True):
        assert after.likelihood > before.likelihood + 0.2


def label(title: str, *, relevant: bool, themes: tuple[str, ...] | None) -> Label:
    """Return what a reader said."""
    return Label(f"https://example.com/{title}", title, "", "en", "Example", relevant, themes, False, NOW)


def own_learnt(labels: Sequence[Label]) -> learn.Learnt:
    """Learn from the small talk and a reader's labels."""
    own = [lesson for lesson in gathered(labels) if lesson.own]
    return learn.learn([*lessons(examples()), *own], COMPANIES, THEMES)


def gathered(labels: Sequence[Label], files: Sequence[Path] = ()) -> list[learn.Lesson]:
    """Gather what `monitor learn` learns from, but for the items that came along."""
    rules = replace(RULES, companies=(RULES.companies[0], replace(RULES.companies[1], name="lab")))
    return learn.gather(rules, labels, files, None, lambda: None)


def test_labels_of_another_pair_are_not_mixed_with_those_that_came_along() -> None:
    """Those are about Microsoft and OpenAI."""
    assert [lesson.example.title for lesson in gathered([label("Redmond", relevant=False, themes=())])] == ["Redmond"]


def test_what_a_reader_said_goes_before_what_a_file_says(tmp_path: Path) -> None:
    """Of the same text."""
    file = tmp_path / "labels.jsonl"
    row = '{"id": "a", "title": "Redmond", "relevant": true, "themes": ["agi"]}'
    file.write_text(row + "\n" + row.replace("Redmond", "Altman"))
    found = gathered([label("Redmond", relevant=False, themes=())], [file])
    assert {lesson.example.title: lesson.example.relevant for lesson in found} == {"Redmond": False, "Altman": True}


def test_the_report_sets_every_way_beside_the_keywords(tmp_path: Path) -> None:
    """By theme and language, with how sure it is; nothing of themes without labels but that they have none."""
    path = tmp_path / "feeds.yaml"
    path.write_text((ROOT / "feeds.yaml").read_text("utf-8"), encoding="utf-8")
    taught = lessons(examples(), embed)
    lines = list(learn.report(taught, learn.learn(taught, COMPANIES, THEMES), load(path)))
    [head] = [line for line in lines if "all items" in line]
    assert head.split()[-5:] == ["keywords", "+", "words", "+", "sense"]
    [relevance] = [line for line in lines if line.startswith("  relevance")][:1]
    keywords, words, sense_ = map(float, relevance.split()[-3:])
    assert keywords < words <= 1
    assert keywords < sense_ <= 1
    assert any("80 to 100 %" in line for line in lines)
    assert f"theme agi: fewer than {learn.FEWEST} labelled items, left to its keywords" in lines


def test_embeddings_are_kept_for_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each text is embedded once; another embedding's vectors and a broken file are not used."""
    asked: list[str] = []

    def slow(text: str) -> list[float]:
        asked.append(text)
        return [0.5, 0.25]

    monkeypatch.setattr(sense, "embed", slow)
    path = tmp_path / "data" / "sense.npz"
    for text in ("a", "微软\ud83d", "a"):
        with learn.Remembered(path) as memory:
            assert list(memory.embed(text)) == [0.5, 0.25]
    assert asked == ["a", "微软\ud83d"]
    monkeypatch.setattr(sense, "VERSION", "another")
    with learn.Remembered(path) as memory:
        memory.embed("a")
    whole = path.read_bytes()
    for broken in (b"broken", b"", whole[: len(whole) // 2], whole.replace(b"vectors", b"vactors")):
        path.write_bytes(broken)
        with learn.Remembered(path) as memory:
            memory.embed("a")
    assert asked == ["a", "微软\ud83d", *"aaaaa"]
    (tmp_path / "file").write_text("")
    with learn.Remembered(tmp_path / "file" / "sense.npz") as memory:
        memory.embed("b")


def test_labels_of_a_theme_that_feeds_yaml_has_not_are_no_hindrance() -> None:
    """Renamed since it was labelled; it is neither learnt nor counted."""
    settings, _ = shipped()
    titles = {name: words for name, words in settings.titles.items() if name != "compute"}
    taught = lessons(examples())
    got = learn.learn(taught, COMPANIES, tuple(titles))
    assert got.weights.questions == ("coverage",)
    assert any(line.startswith("  relevance") for line in learn.report(taught, got, replace(settings, titles=titles)))


# ---------------------------------------------------------------- the weights that came along


@cache
def shipped() -> tuple[Settings, Weights]:
    """Return the shipped settings and weights."""
    return load(ROOT / "feeds.yaml"), advice.read_weights(resources.weights() / advice.PLAIN)


def test_the_shipped_weights_are_what_the_labels_teach() -> None:
    """Byte for byte: whoever edits labels or keywords runs `make model`."""
    settings, _ = shipped()
    taught = learn.gather(settings.rules, [], [], None, lambda: None)
    weights = learn.learn(taught, COMPANIES, THEMES).weights
    assert advice.as_text(weights) == (resources.weights() / advice.PLAIN).read_text("utf-8")


@pytest.mark.skipif(
    not (sense.installed() and "EMBED_ALL" in os.environ),
    reason="embedding every labelled item takes two minutes and the extra `semantic`: make model-check",
)
def test_the_shipped_sense_is_what_the_labels_teach() -> None:
    """Nearly: the embedding's last digits depend on the processor, so that weights may differ by a rounding."""
    settings, weights = shipped()
    taught = learn.gather(settings.rules, [], [], sense.embed, lambda: None)
    got = learn.learn(taught, COMPANIES, THEMES).sense
    there = advice.read_sense(resources.weights() / advice.SEMANTIC, weights)
    assert got is not None
    assert there is not None
    assert (got.beside, got.embedding) == (there.beside, there.embedding)
    assert got.base == pytest.approx(there.base, abs=0.05)
    for row, other in zip(got.sense, there.sense, strict=True):
        assert row == pytest.approx(other, abs=0.1)


def test_the_shipped_weights_are_small_and_plain() -> None:
    """At most 3 MB, without anything that runs."""
    size = sum(path.stat().st_size for path in resources.weights().iterdir())
    assert size <= 3_000_000
    assert {path.suffix for path in resources.weights().iterdir()} == {".json", ".txt"}


# ---------------------------------------------------------------- suggestions


def test_keywords_are_suggested_with_the_items_that_they_would_add(tmp_path: Path) -> None:
    """Of the shipped labels, and of what is stored."""
    settings, _ = shipped()
    stored = {17: news("Microsoft and OpenAI: who holds the recipe"), 18: news("A recipe for soup")}
    lines = list(suggest.suggest(settings, tmp_path, [], stored, most=400))
    assert "      - #17 Microsoft and OpenAI: who holds the recipe" in lines
    assert not any("#18" in line for line in lines)
    assert lines[0] == "coverage, under relations:"
    assert {line for line in lines if line.startswith("theme ")} <= {f"theme {t}, under keywords:" for t in THEMES}
    assert any(line.startswith("theme ") for line in lines)
    assert sum("labelled items with it say yes" in line for line in lines) > 3
    fewer = list(suggest.suggest(settings, tmp_path, [], {}, most=1))
    assert sum("labelled items with it say yes" in line for line in fewer) <= 4


def test_nothing_is_suggested_for_another_pair(tmp_path: Path) -> None:
    """It says why."""
    settings, _ = shipped()
    companies = tuple(replace(company, name=f"x{company.name}") for company in settings.rules.companies)
    strange = replace(settings, rules=replace(settings.rules, companies=companies))
    with pytest.raises(MonitorError, match="learnt from labels on microsoft and openai"):
        list(suggest.suggest(strange, tmp_path, [], {}, 3))
