"""The second opinion on disk: which weights are used, what is said of them, and what happens when they are broken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from monitor import advice, resources, sense
from monitor.config import load
from monitor.errors import MonitorError
from monitor.match.opinion import Sense
from monitor.settings import Settings
from tests.builders import ROOT, config_text
from tests.test_opinion import weights

SHIPPED = resources.weights()


def configured(tmp_path: Path, mode: str = "blend", text: str = "") -> Settings:
    """Return the settings of a small feeds.yaml."""
    path = tmp_path / "feeds.yaml"
    path.write_text((text or config_text(["https://example.com/rss"])) + f"second_opinion: {mode}\n", encoding="utf-8")
    return load(path)


def a_sense(**changes: object) -> Sense:
    """Return what was learnt of embeddings of two numbers, beside the weights of the tests."""
    row = (1.0, 1.0, 1.0, 1.0)
    trust = {"rules": row, "words": row, "sense": row}
    return replace(Sense("test", sense.VERSION, row, trust, ((0.5, 0.25),) * 4), **changes)  # type: ignore[arg-type]


def test_off_asks_nobody_and_reads_no_file(tmp_path: Path) -> None:
    """Not even a broken one is complained of."""
    (tmp_path / advice.PLAIN).write_text("broken")
    assert advice.advice(configured(tmp_path, "off"), tmp_path) == advice.Advice(None)


def test_without_weights_of_ones_own_those_that_came_along_are_used(tmp_path: Path) -> None:
    """On the shipped companies and themes, in the mode and from the likelihoods that feeds.yaml says."""
    found = advice.advice(configured(tmp_path, "{mode: add, coverage: 0.6, theme: 0.7}"), tmp_path)
    assert found.second is not None
    assert found.remarks == ()
    assert found.second.opinion.weights == advice.read_weights(SHIPPED / advice.PLAIN)
    assert (found.second.adds_only, found.second.coverage, found.second.theme) == (True, 0.6, 0.7)
    assert found.second.themes == {"compute", "agi", "competition"}


def test_weights_of_ones_own_go_first(tmp_path: Path) -> None:
    """Those that `monitor learn` wrote into the data folder."""
    advice.write(tmp_path, weights(), None)
    found = advice.advice(configured(tmp_path), tmp_path)
    assert found.second is not None
    assert found.second.opinion.weights.name == "test"
    assert found.second.opinion.sense is None


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    """Every number and every word, whatever characters it has."""
    one = weights(split=(0.125, -1.5, 0.0, 2.0), 账单=(1.0, 0.0, 0.0, 0.0))
    advice.write(tmp_path, one, a_sense())
    assert advice.read_weights(tmp_path / advice.PLAIN) == one
    assert advice.read_sense(tmp_path / advice.SEMANTIC, one) == a_sense()
    advice.write(tmp_path, one, None)
    assert not (tmp_path / advice.SEMANTIC).exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [advice.PLAIN]


def test_a_person_can_read_the_file(tmp_path: Path) -> None:
    """A term a line, in its own characters."""
    advice.write(tmp_path, weights(账单=(1.0, 0.0, 0.0, 0.0)), None)
    text = (tmp_path / advice.PLAIN).read_text("utf-8")
    assert '  "账单": [1.0, 1.0, 0.0, 0.0, 0.0]\n' in text
    assert json.loads(text)["companies"] == ["microsoft", "openai"]


def test_another_pair_is_left_to_its_keywords(tmp_path: Path) -> None:
    """And a person is told so."""
    text = config_text(["https://example.com/rss"]).replace("openai:", "anthropic:")
    found = advice.advice(configured(tmp_path, text=text), tmp_path)
    assert found.second is None
    assert found.remarks == (
        "second_opinion: learnt from labels on microsoft and openai, so anthropic and microsoft are left to the "
        "keywords alone",
    )


def test_a_theme_of_ones_own_is_left_to_its_keywords(tmp_path: Path) -> None:
    """Named, while the others are asked about."""
    text = config_text(["https://example.com/rss"]) + "  court:\n    keywords: [lawsuit]\n"
    found = advice.advice(configured(tmp_path, text=text), tmp_path)
    assert found.second is not None
    assert "court" not in found.second.themes
    assert found.remarks == ("themes.court: there are no labels to learn from, so the keywords alone decide",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b"{}", "format: Field required"),
        (b'{"format": "x"}', "format"),
        ((SHIPPED / advice.PLAIN).read_bytes()[:-9], "Invalid JSON"),
        (
            advice.as_text(replace(weights(), base=(1.0,))).encode(),
            "not every row has a finite number for each of 4 questions",
        ),
        (advice.as_text(replace(weights(), words={"a": (1.0,)})).encode(), "not every row"),
        (advice.as_text(replace(weights(), trust={})).encode(), "not every row"),
        (advice.as_text(replace(weights(), base=(float("nan"), 0.0, 0.0, 0.0))).encode(), "not every row"),
    ],
)
def test_a_broken_file_is_one_clear_line(tmp_path: Path, content: bytes, words: str) -> None:
    """Which file, what is wrong, what to do."""
    (tmp_path / advice.PLAIN).write_bytes(content)
    with pytest.raises(MonitorError) as refusal:
        advice.advice(configured(tmp_path), tmp_path)
    message = str(refusal.value)
    assert message.startswith(f"{tmp_path / advice.PLAIN}: not weights of the second opinion ({words}")
    assert message.endswith("; delete it, or run `monitor learn` again")
    assert "\n" not in message


def test_weights_of_another_version_are_not_used(tmp_path: Path) -> None:
    """Their features may have meant something else; the line says what to do."""
    advice.write(tmp_path, replace(weights(), format=0), None)
    with pytest.raises(MonitorError, match=r"learnt with another version of this program; run `monitor learn` again"):
        advice.advice(configured(tmp_path), tmp_path)


def test_sense_that_belongs_to_other_weights_is_not_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an update, or another version of the embedding, would add up numbers that mean nothing."""
    monkeypatch.setattr(sense, "installed", lambda: True)
    monkeypatch.setattr(sense, "embed", lambda text: [0.5, 0.25])
    for stranger in (a_sense(beside="other"), a_sense(embedding="other")):
        advice.write(tmp_path, weights(), stranger)
        found = advice.advice(configured(tmp_path), tmp_path)
        assert found.second is not None
        assert found.second.opinion.sense is None
        assert found.remarks == (
            f"{tmp_path / advice.SEMANTIC}: belongs to other weights; `monitor learn` makes both anew",
        )
    advice.write(tmp_path, weights(), a_sense())
    found = advice.advice(configured(tmp_path), tmp_path)
    assert found.second is not None
    assert found.second.opinion.sense == a_sense()
    assert found.remarks == ()


def test_an_embedding_that_does_not_work_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A foreign engine may raise anything; poll and mail go on, and a person is told."""

    def broken(text: str) -> list[float]:
        raise OSError("engine not found")

    monkeypatch.setattr(sense, "installed", lambda: True)
    monkeypatch.setattr(sense, "embed", broken)
    advice.write(tmp_path, weights(), a_sense())
    found = advice.advice(configured(tmp_path), tmp_path)
    assert found.second is not None
    assert found.second.opinion.sense is None
    assert "does not work" in found.remarks[0]
    assert "engine not found" in found.remarks[0]


def test_a_sense_with_rows_missing_is_refused(tmp_path: Path) -> None:
    """As with the other file."""
    advice.write(tmp_path, weights(), a_sense(sense=((1.0,),)))
    with pytest.raises(MonitorError, match="not every row"):
        advice.read_sense(tmp_path / advice.SEMANTIC, weights())


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(MonitorError, match="cannot be written"):
        advice.write(tmp_path / "file", weights(), None)


@pytest.mark.parametrize("mode", ["of", "{mode: blend, coverage: 1.5}", "{mode: blend, coverag: 0.5}", "[blend]"])
def test_a_mistake_in_feeds_yaml_is_named(tmp_path: Path, mode: str) -> None:
    """With its line."""
    with pytest.raises(MonitorError, match=r"feeds\.yaml:\d+:\d+: second_opinion"):
        configured(tmp_path, mode)


def test_the_shipped_file_blends() -> None:
    """And one without the key asks nobody, as before there was one."""
    assert load(ROOT / "feeds.yaml").second_opinion.mode == "blend"


@pytest.mark.parametrize("word", ["off", "false"])
def test_off_may_be_written_as_yaml_has_it(tmp_path: Path, word: str) -> None:
    """YAML 1.1 reads off as false."""
    assert configured(tmp_path, word).second_opinion.mode == "off"
