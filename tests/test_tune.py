"""What the rules are worth: figures that can be checked by hand, and labels that are read or refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import MonitorError
from monitor.match.query import Query
from monitor.match.rules import Company, Rules, Theme
from monitor.match.syntax import compile_query
from monitor.model import Label, Verdict
from monitor.tune import (
    Example,
    Score,
    as_lines,
    by_language,
    label_lines,
    misses,
    of_label,
    predict,
    read_labels,
    score,
)

LAW = settings(deadline=None, derandomize=True)


def queries(*sources: str) -> tuple[Query, ...]:
    """Compile keywords."""
    return tuple(compile_query(source) for source in sources)


RULES = Rules(
    (Company("microsoft", queries("Microsoft", "微软")), Company("openai", queries("OpenAI"))),
    (),
    (Theme("compute", queries("GPU*", "算力")), Theme("agi", queries("AGI"))),
)


def labelled(number: int, title: str, *themes: str, relevant: bool = True) -> Example:
    """Return a labelled item."""
    return Example(str(number), title, "", relevant, frozenset(themes))


# ------------------------------------------------------------------ one figure

T, F = True, False


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        # labelled, predicted → precision, recall, F1, tp, fp, fn
        ([(T, T), (T, T), (T, F), (F, T), (F, F)], (2 / 3, 2 / 3, 2 / 3, 2, 1, 1)),
        ([(T, T), (T, F), (T, F), (T, F)], (1.0, 0.25, 0.4, 1, 0, 3)),
        ([(T, T), (F, T), (F, T), (F, T)], (0.25, 1.0, 0.4, 1, 3, 0)),
        ([(T, T), (F, F)], (1.0, 1.0, 1.0, 1, 0, 0)),
        ([], (1.0, 1.0, 1.0, 0, 0, 0)),
        ([(F, F)], (1.0, 1.0, 1.0, 0, 0, 0)),
        ([(F, T)], (0.0, 1.0, 0.0, 0, 1, 0)),
        ([(T, F)], (0.0, 0.0, 0.0, 0, 0, 1)),
        ([(T, F), (F, T)], (0.0, 0.0, 0.0, 0, 1, 1)),
    ],
)
def test_the_figures_are_those_of_the_hand(
    pairs: list[tuple[bool, bool]], expected: tuple[float, float, float, int, int, int]
) -> None:
    """Also where there is nothing to divide by: finding nothing where there is nothing is right."""
    got = Score.of(pairs)
    assert (got.precision, got.recall, got.f1) == pytest.approx(expected[:3])
    assert (got.tp, got.fp, got.fn) == expected[3:]


@LAW
@given(st.lists(st.tuples(st.booleans(), st.booleans())))
def test_figures_stay_between_nothing_and_one(pairs: list[tuple[bool, bool]]) -> None:
    """F1 lies between precision and recall, and counts add up."""
    got = Score.of(pairs)
    assert 0 <= min(got.precision, got.recall) <= got.f1 + 1e-12
    assert got.f1 <= max(got.precision, got.recall) + 1e-12 <= 1 + 1e-9
    assert got.tp + got.fn == sum(gold for gold, _ in pairs)
    assert got.tp + got.fp == sum(said for _, said in pairs)


def test_counts_are_printed_for_figures_and_not_for_means() -> None:
    """A mean over themes has no counts."""
    assert Score.of([(T, T), (F, T)]).counts() == "  tp    1  fp    1  fn    0"
    assert Score(1.0, 1.0, 1.0).counts() == ""


# ------------------------------------------------------------------ all figures


def test_rules_are_scored_on_relevance_themes_and_their_mean() -> None:
    """Four items by hand."""
    examples = [
        labelled(1, "Microsoft and OpenAI share GPUs", "compute"),
        labelled(2, "Microsoft, OpenAI and AGI", "agi", "compute"),
        labelled(3, "Redmond and Altman talk", "agi"),
        labelled(4, "Microsoft and OpenAI: AGI bakery opens", relevant=False),
    ]
    verdicts = predict(examples, RULES)
    assert [verdict.covered for verdict in verdicts] == [True, True, False, True]
    scores = score(examples, verdicts, ["compute", "agi"])
    assert list(scores) == ["relevance", "compute", "agi", "themes macro"]
    assert scores["relevance"] == Score(2 / 3, 2 / 3, 2 / 3, 2, 1, 1)
    assert scores["compute"] == Score(1.0, 0.5, 2 / 3, 1, 0, 1)
    assert scores["agi"] == Score(0.5, 0.5, 0.5, 1, 1, 1)
    mean = scores["themes macro"]
    assert (mean.precision, mean.recall, mean.f1) == pytest.approx((0.75, 0.5, (2 / 3 + 0.5) / 2))
    assert mean.counts() == ""


def test_a_theme_that_the_rules_do_not_know_is_named() -> None:
    """A typing error in a label is no miss of the rules."""
    with pytest.raises(MonitorError, match="7: there is no theme 'agl'; known here: compute, agi"):
        score([labelled(7, "Microsoft", "agl")], [Verdict(False)], ["compute", "agi"])


def test_a_theme_that_nobody_speaks_of_lifts_no_mean() -> None:
    """Neither labelled nor said: there is nothing to be right about."""
    scores = score([labelled(1, "Microsoft", "agi")], [Verdict(False)], ["compute", "agi"])
    assert scores["themes macro"].f1 == 0.0


def test_without_themes_there_is_no_mean() -> None:
    """And nothing is divided by nothing."""
    assert list(score([], [], [])) == ["relevance"]


def test_a_verdict_is_missing_is_a_bug() -> None:
    """Items and verdicts come in pairs."""
    with pytest.raises(ValueError, match="zip"):
        score([labelled(1, "Microsoft")], [], [])


def test_predictions_are_lines_that_can_be_read_again() -> None:
    """One JSON object a line, Chinese as it is."""
    examples = [labelled(1, "微软OpenAI算力"), Example("条目", "x", "", False, frozenset())]
    lines = list(as_lines(examples, predict(examples, RULES)))
    assert [json.loads(line) for line in lines] == [
        {"id": "1", "relevant": True, "themes": ["compute"]},
        {"id": "条目", "relevant": False, "themes": []},
    ]
    assert "条目" in lines[1]


def test_the_summary_is_judged_too() -> None:
    """As of an item in a feed."""
    example = Example("1", "Microsoft talks", "With OpenAI, of GPUs.", True, frozenset({"compute"}))
    assert predict([example], RULES)[0].themes == (("compute", 1.0),)


def test_scoring_needs_no_evidence() -> None:
    """Verdicts from elsewhere can be scored as well."""
    verdicts = [Verdict(True, (("agi", 1.0),)), Verdict(False)]
    examples = [labelled(1, "a", "agi"), labelled(2, "b", relevant=False)]
    assert score(examples, verdicts, ["agi"])["themes macro"].f1 == 1.0


# ------------------------------------------------------------------ labels

GOOD = '{"id": "a1", "title": "微软与OpenAI", "summary": null, "relevant": true, "themes": ["agi"]}'


def written(tmp_path: Path, *lines: str) -> Path:
    """Write labels and return the file."""
    path = tmp_path / "gold.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_labels_are_read(tmp_path: Path) -> None:
    """Blank lines between them, numbers as ids and no summary are fine."""
    path = written(tmp_path, GOOD, "", '{"id": 2, "title": "t", "summary": "s", "relevant": false, "themes": []}')
    assert read_labels(path) == [
        Example("a1", "微软与OpenAI", "", True, frozenset({"agi"})),
        Example("2", "t", "s", False, frozenset()),
    ]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x1d"])
def test_a_title_may_hold_any_separator(tmp_path: Path, separator: str) -> None:
    """JSON allows U+2028 and its kin within a text: only a line feed ends a line."""
    row = {"id": "1", "title": f"Microsoft{separator}OpenAI", "relevant": True, "themes": []}
    (example,) = read_labels(written(tmp_path, json.dumps(row, ensure_ascii=separator < " ")))
    assert example.title == f"Microsoft{separator}OpenAI"


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_lines_may_end_as_on_any_system(tmp_path: Path, end: str) -> None:
    """Also the last one, without an end."""
    path = tmp_path / "gold.jsonl"
    path.write_bytes(f"{GOOD}\r\n{GOOD}{end}".encode())
    assert len(read_labels(path)) == 2


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("{", "Expecting"),
        ("not json", "Expecting"),
        ("[]", "labelled item"),
        ("5", "labelled item"),
        ("null", "labelled item"),
        ('{"title": "t", "relevant": true, "themes": []}', "'id' is missing"),
        ('{"id": 1, "relevant": true, "themes": []}', "'title' is missing"),
        ('{"id": 1, "title": "t", "themes": []}', "'relevant' is missing"),
        ('{"id": 1, "title": "t", "relevant": true}', "'themes' is missing"),
        ('{"id": 1, "title": "t", "relevant": true, "themes": 0}', "themes"),
        ('{"id": 1, "title": "t", "relevant": true, "themes": [["agi"]]}', "labelled item"),
        ('{"id": 1, "title": "t", "relevant": true, "themes": "agi"}', "themes"),
        ('{"id": 1, "title": "t", "relevant": "false", "themes": []}', "relevant"),
        ('{"id": 1, "title": "t", "relevant": null, "themes": []}', "relevant"),
        ('{"id": 1, "title": "t", "relevant": 1, "themes": []}', "relevant"),
    ],
)
def test_a_line_that_is_no_label_is_named(tmp_path: Path, line: str, word: str) -> None:
    """File and line, what is wrong, and what a line must hold; never read as something else."""
    path = written(tmp_path, GOOD, line, GOOD)
    with pytest.raises(MonitorError) as refusal:
        read_labels(path)
    message = str(refusal.value)
    assert message.startswith(f"{path}:2: not a labelled item")
    assert word in message
    assert "it needs id, title, relevant, themes" in message
    assert "\n" not in message


def test_of_a_folder_all_labels_are_read(tmp_path: Path) -> None:
    """In the order of the files' names; a line that is no label is named with its file."""
    (tmp_path / "b.jsonl").write_text(GOOD.replace("a1", "b1"), encoding="utf-8")
    (tmp_path / "a.jsonl").write_text(GOOD, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no label", encoding="utf-8")
    assert [example.id for example in read_labels(tmp_path)] == ["a1", "b1"]
    (tmp_path / "c.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(MonitorError, match=r"c\.jsonl:1: not a labelled item"):
        read_labels(tmp_path)


def test_markup_of_feeds_is_no_text(tmp_path: Path) -> None:
    """Labelled items stand as feeds write them, and are judged as the worker does: tags and entities go first."""
    example = Example("1", "<b>Micro</b>soft &amp;amp; Open&shy;AI", "<p>GPU&#115;</p>", True, frozenset({"compute"}))
    (verdict,) = predict([example], RULES)
    assert verdict.covered
    assert dict(verdict.themes) == {"compute": 1.0}


def test_languages_are_scored_by_themselves() -> None:
    """The most frequent first; items without a language are only part of the whole."""
    examples = [
        Example("1", "Microsoft and OpenAI", "", True, frozenset(), "en"),
        Example("2", "微软OpenAI", "", True, frozenset(), "zh"),
        Example("3", "微软", "", False, frozenset(), "zh"),
        Example("4", "Microsoft", "", False, frozenset()),
    ]
    verdicts = predict(examples, RULES)
    parts = [(language, [e.id for e in some], len(said)) for language, some, said in by_language(examples, verdicts)]
    assert parts == [("zh", ["2", "3"], 2), ("en", ["1"], 1)]


def test_what_is_judged_otherwise_is_listed() -> None:
    """A wrong relevance or a wrong set of themes, and nothing that is right."""
    examples = [
        labelled(1, "Microsoft and OpenAI share GPUs", "compute"),
        labelled(2, "Microsoft and OpenAI share GPUs"),
        labelled(3, "Microsoft", relevant=True),
    ]
    verdicts = predict(examples, RULES)
    assert [example.id for example, _ in misses(examples, verdicts)] == ["2", "3"]


def test_a_file_without_labels_is_refused(tmp_path: Path) -> None:
    """Figures of nothing would all be perfect."""
    with pytest.raises(MonitorError, match=r"gold.jsonl: holds no labelled items"):
        read_labels(written(tmp_path, "", ""))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, a folder without labels, or no text."""
    with pytest.raises(MonitorError, match=r"nowhere.jsonl: cannot be read: No such file"):
        read_labels(tmp_path / "nowhere.jsonl")
    with pytest.raises(MonitorError, match="holds no labelled items"):
        read_labels(tmp_path)
    path = tmp_path / "gold.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MonitorError, match=r"gold.jsonl: cannot be read"):
        read_labels(path)


def test_what_readers_said_is_read_again_as_it_was_said(tmp_path: Path) -> None:
    """`labels.jsonl` of one worker teaches another: unknown themes stay apart from none."""
    at = datetime(2026, 11, 24, tzinfo=UTC)
    said = [
        Label(
            "https://example.com/1",
            "微软 \u2028 OpenAI",
            "Two\nlines",
            "zh",
            "例报",
            True,
            ("agi", "compute"),
            False,
            at,
        ),
        Label("", "No address", "", "en", "", True, None, True, at),
        Label("https://example.com/3", "Not it", "", "en", "", False, (), False, at),
    ]
    file = tmp_path / "labels.jsonl"
    file.write_text("".join(f"{line}\n" for line in label_lines(said)), encoding="utf-8")
    examples = read_labels(file)
    assert examples == [of_label(one) for one in said]
    assert [(e.relevant, sorted(e.themes), e.themes_known) for e in examples] == [
        (True, ["agi", "compute"], True),
        (True, [], False),
        (False, [], True),
    ]
    verdicts = [Verdict(True, (("agi", 1.0),)), Verdict(True, (("agi", 1.0),)), Verdict(False)]
    assert score(examples, verdicts, ("agi", "compute"))["agi"] == Score(1.0, 1.0, 1.0, 1, 0, 0)
    assert [example.title for example, _ in misses(examples, verdicts)] == ["微软 \u2028 OpenAI"]
