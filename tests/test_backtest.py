"""What an edit of feeds.yaml would have made of the past: told right, told why, and as judging twice would tell it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import advice, cli, config, resources
from monitor.backtest import Place, place_of
from monitor.match.blend import Second
from monitor.match.judge import judge
from monitor.match.opinion import Opinion
from monitor.match.rules import Company, Rules, Theme
from monitor.match.syntax import compile_query
from monitor.match.twice import Twice
from monitor.model import FeedState, Item, Judged, Verdict
from monitor.store import FILE_NAME, Store
from monitor.tune import as_item, read_labels
from tests.builders import ROOT, config_text

NOW = datetime.now(UTC).replace(hour=5, minute=0, second=0, microsecond=0)
ONE, TWO = "https://one.example.com/rss", "https://two.example.com/rss"
OLD = config_text([ONE, TWO])

NEWS = [
    ("Microsoft halts a data centre that OpenAI wanted", ONE),
    ("OpenAI and Microsoft argue about AGI", ONE),
    ("Microsoft calls OpenAI a rival in AGI research", TWO),
    ("微软与OpenAI争夺算力", TWO),
    ("Redmond waits for OpenAI and its chips", ONE),
    ("Microsoft and OpenAI sign a supercomputer lease", TWO),
    ("The weather in Lisbon", ONE),
]
"""Old hits: compute, agi, agi and competition, compute, none (Redmond is no hint), no theme, none."""


class Said(NamedTuple):
    """What a command said."""

    status: int
    out: str
    err: str


class Desk:
    """A folder with a database and feeds.yaml, where `backtest` is run."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys
        monkeypatch.chdir(folder)
        for name in [name for name in os.environ if name.startswith("MONITOR_")]:
            monkeypatch.delenv(name)
        self.write("feeds.yaml", OLD)

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def store(self, news: Sequence[tuple[str, str]] = NEWS, summary: str = "", days: int = 0) -> None:
        """Store items, the first the newest, a day apart."""
        with Store(self.folder / "data" / FILE_NAME) as store:
            for number, (title, feed) in enumerate(news):
                at = NOW - timedelta(days=number + days)
                item = Item(feed, title, f"{feed}/{number}", title, summary, "Example", "en", at, at)
                store.save_poll(FeedState(feed), [Judged(item, Verdict(False))])

    def run(self, *words: str) -> Said:
        """Run `monitor` with these words."""
        self._monkeypatch.setattr(sys, "argv", ["monitor", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = self._capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    def text(self, new: str, *words: str) -> str:
        """Return what `backtest` prints of a new file."""
        self.write("new.yaml", new)
        said = self.run("backtest", "new.yaml", *words)
        assert (said.status, said.err) == (0, ""), said
        return said.out

    def json(self, new: str, *words: str) -> dict[str, Any]:
        """Return what it says of a new file as JSON."""
        tree: dict[str, Any] = json.loads(self.text(new, "--format", "json", *words))
        return tree


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A desk with the news of this module."""
    desk = Desk(tmp_path, monkeypatch, capsys)
    desk.store()
    return desk


def titles(tree: dict[str, Any], name: str) -> list[str]:
    """Return the titles of a list of changes, in the order in which they were stored."""
    return [NEWS[change["item"] - 1][0] for change in tree["changes"][name]]


# ------------------------------------------------------------------ what changes


def edited(old: str, new: str) -> str:
    """Return the old file with something else in a place."""
    assert old in OLD
    return OLD.replace(old, new, 1)


def test_a_new_keyword_of_the_companies_gains_hits(desk: Desk) -> None:
    """And the report names the keyword, where it stands, and marks it in the title."""
    out = desk.text(edited("hints: [Nadella]", "hints: [Nadella, Redmond]"))
    assert re.search(r"^hits +5 +6 +1 +·$", out, re.M)
    assert re.search(r"^no theme +1 +2 +1 +·$", out, re.M)
    assert "gained: 1\n" in out
    assert "Example: [Redmond] waits for [OpenAI] and its chips\n" in out
    assert "no theme: Redmond is new in coverage.microsoft\n" in out
    assert "lost:" not in out


def test_a_keyword_that_is_gone_loses_what_only_it_named(desk: Desk) -> None:
    """In Chinese as well; the word is marked where it was found."""
    out = desk.text(edited("[Microsoft, 微软]", "[Microsoft]"))
    assert "lost: 1\n" in out
    assert "Example: [微软]与[OpenAI]争夺{算力}\n" in out
    assert "compute → not a hit: 微软 is gone from coverage.microsoft; now no name or hint of microsoft\n" in out


def test_an_exclusion_says_that_it_struck(desk: Desk) -> None:
    """`not:` of the coverage ends the matter, that of a theme takes the theme."""
    out = desk.text(edited("not: [Tesla Optimus]", "not: [Tesla Optimus, halts]"))
    assert "halts is new in coverage.not; now excluded from coverage by: halts" in out
    out = desk.text(edited("keywords: [AGI]", "keywords: [AGI]\n    not: [argue]"))
    assert "moved: 1\n" in out
    assert "agi → no theme: argue is new in themes.agi.not" in out


def test_items_move_between_themes(desk: Desk) -> None:
    """What stays a hit and stands elsewhere is neither gained nor lost."""
    tree = desk.json(edited("keywords: [rival]", "keywords: [rival, lease]"))
    assert titles(tree, "moved") == ["Microsoft and OpenAI sign a supercomputer lease"]
    assert tree["hits"] == {"before": 5, "after": 5, "gained": 0, "lost": 0, "with_feed": 0}
    assert tree["themes"]["competition"] == {"before": 1, "after": 2, "gained": 1, "lost": 0, "with_feed": 0}
    assert tree["no_theme"] == {"before": 1, "after": 0, "gained": 0, "lost": 1, "with_feed": 0}
    assert tree["samples"][0]["why"] == ["lease is new in themes.competition"]


def test_of_a_long_row_the_words_that_stand_there_are_named(desk: Desk) -> None:
    """A row of ORs that got a word more is another keyword, and says nothing of what it took before."""
    row = " OR ".join(f"rival{number}" for number in range(20))
    desk.write("feeds.yaml", edited("[rival]", f"[rival OR {row}]"))
    tree = desk.json(edited("[rival]", f"[lease OR rival OR {row}]"))
    assert [one["why"] for one in tree["samples"]] == [["lease is new in themes.competition"]]
    tree = desk.json(edited("[rival]", f"[{row}]"))
    assert [one["why"] for one in tree["samples"]] == [["rival is gone from themes.competition"]]
    tree = desk.json(edited("[rival]", f"[(rival OR {row})^0.3]"))
    assert tree["samples"][0]["why"] == [
        "rival is changed in themes.competition",
        "0.45 points for competition, 1 needed",
    ]


def test_a_theme_by_another_name_is_renamed_and_nothing_else(desk: Desk) -> None:
    """As long as its keywords are the same."""
    tree = desk.json(edited("  agi:\n", "  machines:\n"))
    assert tree["renamed"] == {"agi": "machines"}
    assert set(tree["themes"]) == {"compute", "machines", "competition"}
    assert not any(tree["changes"].values())
    out = desk.text(edited("  agi:\n", "  machines:\n"))
    assert "the theme agi is renamed machines: its keywords are the same\n" in out
    assert "nothing changes: all 5 hits stand where they stood\n" in out


def test_a_theme_that_is_gone_is_said_to_be(desk: Desk) -> None:
    """Its hits are still about both companies."""
    tree = desk.json(edited("  competition:\n", "  contest:\n").replace("[rival]", "[contest]"))
    assert [one["why"] for one in tree["samples"]] == [["there is no theme competition any more"]]
    assert tree["themes"]["competition"]["lost"] == 1
    assert tree["renamed"] == {}


@pytest.mark.parametrize(
    ("threshold", "why"),
    [("threshold: 2", "1.5 points for agi, 2 needed"), ("threshold: 1.6", "1.5 points for agi, 1.6 needed")],
)
def test_a_threshold_explains_itself(desk: Desk, threshold: str, why: str) -> None:
    """No keyword is new or gone: the points are."""
    tree = desk.json(edited("keywords: [AGI]", f"keywords: [AGI]\n    {threshold}"))
    assert titles(tree, "moved") == [NEWS[1][0], NEWS[2][0]]
    assert {tuple(one["why"]) for one in tree["samples"]} == {(why,)}


def test_the_threshold_of_coverage_loses_hits(desk: Desk) -> None:
    """Every item is judged again then, and the reason is that of the verdict."""
    tree = desk.json(edited("  not: [Tesla Optimus]", "  threshold: 6.5"))
    assert tree["lost_in_all"] == len(tree["changes"]["lost"]) > 0
    assert all("of 6.5 points say it is about them" in one["why"][0] for one in tree["samples"])


def test_hits_of_a_removed_feed_are_lost_apart(desk: Desk) -> None:
    """So is what is switched off; new feeds cannot be tested, and one that only moved is neither."""
    new = edited(f"  - {TWO}\n", "  - https://three.example.com/rss\n")
    tree = desk.json(new)
    assert titles(tree, "with_feed") == [NEWS[2][0], NEWS[3][0], NEWS[5][0]]
    assert tree["changes"]["lost"] == []
    assert tree["feeds_removed"] == [{"name": "", "url": TWO, "hits": 3}]
    assert [feed["url"] for feed in tree["feeds_added"]] == ["https://three.example.com/rss"]
    out = desk.text(new)
    assert "1 feed is new: its items are not in the past (https://three.example.com/rss)\n" in out
    assert f"1 feed removed or disabled, and with it 3 hits: {TWO} 3\n" in out
    off = edited(f"  - {TWO}\n", f"  - {{url: {TWO}, enabled: false}}\n")
    assert titles(desk.json(off), "with_feed") == titles(tree, "with_feed")
    named = edited(f"  - {TWO}\n", f"  - {{url: {TWO}, name: Two}}\n")
    desk.write("feeds.yaml", named)
    assert desk.json(named.replace("two.example.com", "2.example.com"))["feeds_removed"] == []


def test_what_no_digest_tells_is_no_hit(desk: Desk) -> None:
    """A digest of some themes leaves out the others, and what has none."""
    new = edited('    at: "07:30"\n', '    at: "07:30"\n    themes: [compute, agi]\n')
    tree = desk.json(new)
    assert titles(tree, "lost") == ["Microsoft and OpenAI sign a supercomputer lease"]
    assert tree["samples"][0]["why"] == ["no digest tells of what has no theme"]
    assert titles(tree, "moved") == ["Microsoft calls OpenAI a rival in AGI research"]
    assert tree["changes"]["moved"][0]["after"]["themes"] == ["agi"]


def test_the_second_opinion_can_be_tried(desk: Desk) -> None:
    """Switched on, what it doubts goes to the end; switched off again, it comes back."""
    on = OLD + "second_opinion: {mode: blend, sense: false, coverage: 0.995}\n"
    tree = desk.json(on)
    moved = tree["changes"]["moved"]
    assert moved
    assert all(change["after"] == {"themes": [], "doubted": True} for change in moved)
    assert tree["doubted"]["gained"] == len(moved)
    assert "the second opinion doubts it: " in desk.text(on)
    desk.write("feeds.yaml", on)
    back = desk.json(OLD)
    assert [change["before"] for change in back["changes"]["moved"]] == [change["after"] for change in moved]
    assert all("doubts it no longer" in one["why"][0] for one in back["samples"])


def test_remarks_on_the_second_opinion_are_said_beside_the_results(desk: Desk) -> None:
    """The weights were learnt for other companies than those of the new file."""
    desk.write("new.yaml", edited("  openai:", "  anthropic:") + "second_opinion: {mode: blend, sense: false}\n")
    said = desk.run("backtest", "new.yaml")
    assert said.status == 0
    assert said.err.startswith("new.yaml: second_opinion: learnt from labels on microsoft and openai")


@pytest.mark.parametrize("new", [OLD, OLD + "# a comment\n", OLD.replace("07:30", "08:15")])
def test_when_nothing_changes_that_is_said(desk: Desk, new: str) -> None:
    """In one plain line, without tables of nothing."""
    out = desk.text(new)
    assert out.splitlines()[-1] == "nothing changes: all 5 hits stand where they stood"
    assert "gained" not in out


# ------------------------------------------------------------------ how it is said


def test_the_counts_a_day_are_set_side_by_side(desk: Desk) -> None:
    """A column for each of the last days, and the mean."""
    tree = desk.json(edited("[Microsoft, 微软]", "[Microsoft]"))
    assert [(day["before"], day["after"]) for day in tree["days"]] == [(1, 1), (1, 0), (1, 1), (1, 1), (1, 1)]
    out = desk.text(edited("[Microsoft, 微软]", "[Microsoft]"))
    assert re.search(r"^before +1 +· +1 +1 +1 +1 +0\.8$", out, re.M)
    assert re.search(r"^after +1 +· +· +1 +1 +1 +0\.7$", out, re.M)


def test_long_lists_are_cut_and_samples_shows_more(desk: Desk) -> None:
    """The newest first, and how many there are besides; none with 0."""
    desk.store([(f"Redmond hears OpenAI, part {number}", ONE) for number in range(40)], days=10)
    new = edited("hints: [Nadella]", "hints: [Nadella, Redmond]")
    out = desk.text(new)
    assert "gained: 41\n" in out
    assert "… and 36 more\n" in out
    assert out.index("Redmond] waits") < out.index("part 0") < out.index("part 1\n")
    assert desk.text(new, "--samples", "100").count("Redmond is new") == 41
    bare = desk.text(new, "--samples", "0")
    assert "gained: 41\n" in bare
    assert "Redmond" not in bare
    assert len(desk.json(new, "--samples", "0")["changes"]["gained"]) == 41


def test_a_keyword_that_stands_in_the_summary_is_shown_there(desk: Desk) -> None:
    """With the words around it."""
    desk.store([("Microsoft and OpenAI talk", TWO)], summary="They say little. A turbine is part of it, we hear.")
    out = desk.text(edited("keywords: [rival]", "keywords: [rival, turbine]"))
    assert "in the summary: They say little. A {turbine} is part of it, we hear.\n" in out


def test_on_a_terminal_nothing_is_wider_than_it(tmp_path: Path, desk: Desk) -> None:
    """Long titles go on below themselves, in colour, Chinese ones at two cells a character."""
    long = "微软与OpenAI" + "就云服务协议重新谈判" * 12
    desk.store([(long, TWO), ("Microsoft and OpenAI " + "talk and talk " * 20, ONE)], days=20)
    desk.write("new.yaml", edited("[Microsoft, 微软]", "[MSFT]"))
    shown = on_terminal(tmp_path, 60)
    assert "\x1b[1;36m微软\x1b[0m" in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n")
    from rich.cells import cell_len

    assert max(cell_len(line) for line in plain.split("\n")) <= 60
    assert "\n              " in plain


def on_terminal(folder: Path, columns: int) -> str:
    """Run the command on a terminal of its own and return what it showed."""
    outer, inner = pty.openpty()
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": str(columns), "TERM": "xterm-256color"}
    environ.pop("NO_COLOR", None)
    words = [sys.executable, "-m", "monitor", "backtest", "new.yaml"]
    process = subprocess.Popen(words, cwd=folder, stdout=inner, stderr=subprocess.DEVNULL, env=environ)
    os.close(inner)
    shown = b""
    try:
        while part := os.read(outer, 65536):
            shown += part
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(outer)
    assert process.wait() == 0
    return shown.decode()


def test_json_has_every_item_and_keys_that_stay(desk: Desk) -> None:
    """For scripts; docs/backtest.md names each key."""
    tree = desk.json(edited("[Microsoft, 微软]", "[Microsoft]"), "--since", "3650d", "--max-lost", "9")
    assert list(tree) == [
        "old", "new", "since", "items", "forgotten", "feeds", "first_seen", "hits", "lost_in_all", "max_lost",
        "themes", "no_theme", "doubted", "renamed", "feeds_removed", "feeds_added", "days", "changes", "samples",
    ]  # fmt: skip
    [lost] = tree["changes"]["lost"]
    assert lost["item"] == 4
    assert (lost["before"], lost["after"]) == ({"themes": ["compute"], "doubted": False}, None)
    [sample] = tree["samples"]
    assert sample["title"] == "微软与OpenAI争夺算力"
    assert {"keyword": "微软", "clause": "coverage.microsoft", "field": "title", "start": 0, "end": 2} in sample[
        "words"
    ]
    page = (ROOT / "docs" / "backtest.md").read_text("utf-8")
    assert [key for key in tree if f"`{key}`" not in page] == []


# ------------------------------------------------------------------ the gate, and mistakes


def test_more_lost_hits_than_allowed_fail(desk: Desk) -> None:
    """The last line says how many; those of removed feeds count, a hit without a theme is still one."""
    desk.write("new.yaml", edited("[Microsoft, 微软]", "[Microsoft]").replace(f"  - {TWO}\n", ""))
    said = desk.run("backtest", "new.yaml", "--max-lost", "2")
    assert said.status == 1
    assert said.err == "3 hits are lost, 3 of them with their feeds; --max-lost allows 2\n"
    assert "hits " in said.out
    assert desk.run("backtest", "new.yaml", "--max-lost", "3").status == 0
    desk.write("new.yaml", edited("keywords: [AGI]", "keywords: [superintelligence]"))
    assert desk.run("backtest", "new.yaml", "--max-lost", "0").status == 0
    desk.write("new.yaml", edited("[Microsoft, 微软]", "[Microsoft]"))
    assert desk.run("backtest", "new.yaml", "--max-lost", "0").err == "1 hit is lost; --max-lost allows 0\n"


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (("gone.yaml",), 2, "gone.yaml: not found; name the file that is to be tried"),
        (("broken.yaml",), 2, "broken.yaml:20:20: "),
        (("feeds.yaml", "--since", "soon"), 2, "'soon' is neither a length of time"),
        (("feeds.yaml", "--format", "xml"), 2, "text or json"),
        (("feeds.yaml", "--since", "2030-01-01"), 1, "none of 7 stored items was first seen since 2030-01-01"),
    ],
)
def test_a_mistake_is_one_line(desk: Desk, words: tuple[str, ...], status: int, line: str) -> None:
    """What, where, and what to do."""
    desk.write("broken.yaml", OLD.replace("AGI]", "AGI AND]"))
    said = desk.run("backtest", *words)
    assert said.status == status
    assert line in said.err
    assert said.out == ""


COURTS = "  courts:\n    title: {en: Courts, zh: 法庭}\n    keywords: [lawsuit]\n"


def test_a_new_theme_that_takes_nothing_is_told_of(desk: Desk) -> None:
    """Somebody who wrote it wants to know that it was tried, and how to find the words it needs."""
    out = desk.text(OLD + COURTS)
    assert "nothing changes: all 5 hits stand where they stood\n" in out
    assert out.endswith("\ncourts is new, and takes none of the 5 hits; what a word would find: monitor search WORD\n")
    out = desk.text(edited("hints: [Nadella]", "hints: [Nadella, Redmond]") + COURTS)
    assert "\ncourts is new, and takes none of the 6 hits; " in out
    assert "courts is new" not in desk.text(OLD + COURTS.replace("lawsuit", "supercomputer"))


def test_a_new_theme_that_no_digest_asks_for_is_told_of(desk: Desk) -> None:
    """It would never be seen."""
    desk.write("feeds.yaml", edited('at: "07:30"', 'at: "07:30"\n    themes: [compute, agi]'))
    new = edited('at: "07:30"', 'at: "07:30"\n    themes: [compute, agi]') + COURTS.replace("lawsuit", "supercomputer")
    assert "\ncourts is new, and no digest asks for it: name it in the themes: of one\n" in desk.text(new)


def test_without_a_past_there_is_nothing_to_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No database, an empty one, and one whose texts are all forgotten: each says so, and no gate passes."""
    desk = Desk(tmp_path, monkeypatch, capsys)
    assert desk.run("backtest", "feeds.yaml") == (1, "", "data/monitor.db: no database yet; poll first\n")
    desk.store([])
    (tmp_path / "data").mkdir(exist_ok=True)
    with Store(tmp_path / "data" / FILE_NAME):
        pass
    assert desk.run("backtest", "feeds.yaml") == (1, "", "data/monitor.db: holds no items yet; poll first\n")
    desk.store()
    with Store(tmp_path / "data" / FILE_NAME) as store:
        store.tidy(NOW + timedelta(days=1))
    said = desk.run("backtest", "feeds.yaml", "--max-lost", "0")
    assert said.status == 1
    assert "the texts of all 7 items were forgotten" in said.err


def test_forgotten_texts_are_left_out_and_counted(desk: Desk) -> None:
    """What is not there cannot be judged."""
    with Store(desk.folder / "data" / FILE_NAME) as store:
        assert store.tidy(NOW - timedelta(days=4)) == 2
    tree = desk.json(OLD)
    assert (tree["items"], tree["forgotten"], tree["hits"]["before"]) == (5, 2, 4)
    assert "2 items left out: their texts were forgotten after the retention time\n" in desk.text(OLD)


def test_since_looks_at_what_was_first_seen_after_it(desk: Desk) -> None:
    """A length of time or a day."""
    assert desk.json(OLD, "--since", "60h")["items"] in (2, 3)
    assert desk.json(OLD, "--since", f"{NOW - timedelta(days=1):%Y-%m-%d}")["items"] == 2


def test_the_new_file_can_come_through_a_pipe(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """As git shows it: git show branch:feeds.yaml | monitor backtest -."""
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(edited("微软", "微軟公司").encode())))
    said = desk.run("backtest", "-")
    assert said.status == 0
    assert said.out.startswith("feeds.yaml → standard input\n")
    assert "lost: 1\n" in said.out


def test_trying_a_file_leaves_what_is_stored_as_it_was(desk: Desk) -> None:
    """Verdicts, and the compiled form of the file in use."""
    desk.text(OLD)
    with Store(desk.folder / "data" / FILE_NAME) as store:
        before = store.find_items("#1"), (desk.folder / "data" / "feeds.compiled").read_bytes()
        desk.text(edited("[Microsoft, 微软]", "[MSFT]"))
        assert before == (store.find_items("#1"), (desk.folder / "data" / "feeds.compiled").read_bytes())


EXAMPLE = [
    ("11-23", "Bloomberg", "OpenAI weighs custom silicon to rely less on Microsoft"),
    ("11-23", "量子位", "微软与OpenAI重谈算力协议"),
    ("11-22", "The Verge", "Redmond and OpenAI split over the next Copilot"),
    ("11-21", "Reuters", "Microsoft sees a rival in OpenAI, filing shows"),
    ("11-20", "GeekWire", "Webinar: what OpenAI and Microsoft mean by AGI"),
    ("11-20", "Reuters", "Microsoft and OpenAI name the panel that would declare AGI"),
    ("11-18", "The Information", "Redmond asks what OpenAI owes it"),
    ("11-17", "Bloomberg", "Microsoft halts a data centre that OpenAI wanted"),
]


def test_what_the_page_shows_is_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run in docs/backtest.md, to the letter, of the edit that stands above it."""
    page = (ROOT / "docs" / "backtest.md").read_text("utf-8")
    desk = Desk(tmp_path, monkeypatch, capsys)
    with Store(tmp_path / "data" / FILE_NAME) as store:
        for number, (day, outlet, title) in enumerate(EXAMPLE):
            at = datetime.fromisoformat(f"2026-{day}T12:00:00+00:00")
            item = Item(ONE, str(number), f"{ONE}/{number}", title, "", outlet, "en", at, at)
            store.save_poll(FeedState(ONE), [Judged(item, Verdict(False))])
    new = OLD
    changes = re.findall(r"^\| `(.+)` \| `(.+)` \|$", page, re.M)
    assert len(changes) == 3
    for was, now in changes:
        assert new.count(was) == 1
        new = new.replace(was, now)
    [printed] = re.findall(r"```\n\$ monitor backtest new.yaml\n(.*?)```", page, re.S)
    assert desk.text(new) == printed


# ------------------------------------------------------------------ where a digest shows a hit


@pytest.mark.parametrize(
    ("verdict", "wanted", "place"),
    [
        (Verdict(False), None, None),
        (Verdict(True), None, Place()),
        (Verdict(True, (("b", 2.0), ("a", 1.0))), None, Place(("a", "b"))),
        (Verdict(True, (("b", 2.0), ("a", 1.0))), {"a"}, Place(("a",))),
        (Verdict(True, (("b", 2.0),)), {"a"}, None),
        (Verdict(True), {"a"}, None),
        (Verdict(True, (("a", 2.0),), doubted=True), None, Place(doubted=True)),
        (Verdict(True, (("b", 2.0),), doubted=True), {"a"}, None),
        (Verdict(True, withdrawn=("a",)), {"a"}, Place(doubted=True)),
        (Verdict(True, withdrawn=("b",)), {"a"}, None),
    ],
)
def test_a_hit_is_what_a_digest_shows(verdict: Verdict, wanted: set[str] | None, place: Place | None) -> None:
    """Under its themes, under no theme, at the end, or nowhere: as an edition places it."""
    assert place_of(verdict, None if wanted is None else frozenset(wanted)) == place


# ------------------------------------------------------------------ the fast way and the plain one


@cache
def shipped() -> tuple[Rules, Second, tuple[Item, ...]]:
    """The shipped rules, their second opinion, and labelled items, some of them with an article's text."""
    rules = config.load(ROOT / "feeds.yaml").rules
    weights = advice.read_weights(resources.weights() / advice.PLAIN)
    items = [as_item(one) for folder in ("learning", "tuning") for one in read_labels(ROOT / "labels" / folder)]
    items += [replace(item, text=item.summary, summary=item.title) for item in items[::9]]
    items += [
        replace(item, title="A quiet day", summary=f"In Lisbon, {n} ferries wait.")
        for n, item in enumerate(items[::40])
    ]
    return rules, Second(Opinion(weights), frozenset(theme.name for theme in rules.themes)), tuple(items)


WORDS = [
    "AGI", "deal^0.5", "chip OR 芯片", '"data center"', "clou*", "g*", "算力", "lang:en NOT Musk", "source:Example",
    "lab", "司", "sentence:(deal AND cloud)", '"deal cloud"~5', "公司",
]  # fmt: skip
ROLES = [
    "names", "hints", "products", "faint", "masks", "excluded", "relations", "against", "others", "keywords", "unmade",
]  # fmt: skip


def with_edit(rules: Rules, role: str, number: int, word: str, at: int, way: str) -> Rules:
    """Return the rules with one keyword more, less, or elsewhere."""

    def edit(queries: Sequence[Any]) -> tuple[Any, ...]:
        some = list(queries)
        if way == "add":
            some.insert(at % (len(some) + 1), compile_query(word))
        elif way == "remove" and len(some) > 1:
            del some[at % len(some)]
        elif way == "turn":
            some = some[at % (len(some) or 1) :] + some[: at % (len(some) or 1)]
        return tuple(some)

    if role in ("names", "hints", "products", "faint"):
        sides = list(rules.companies)
        side: Company = sides[number % len(sides)]
        changed: dict[str, Any] = {role: edit(getattr(side, role))}
        sides[number % len(sides)] = replace(side, **changed)
        return replace(rules, companies=tuple(sides))
    if role in ("keywords", "unmade"):
        name = "keywords" if role == "keywords" else "excluded"
        themes = list(rules.themes)
        theme: Theme = themes[number % len(themes)]
        changed = {name: edit(getattr(theme, name))}
        themes[number % len(themes)] = replace(theme, **changed)
        return replace(rules, themes=tuple(themes))
    changed = {role: edit(getattr(rules, role))}
    return replace(rules, **changed)


@st.composite
def edits(draw: st.DrawFn) -> Rules:
    """Draw rules: the shipped ones after one to three edits."""
    rules = shipped()[0]
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["keyword"] * 5 + ["threshold", "theme threshold", "name", "drop", "order"]))
        if kind == "keyword":
            rules = with_edit(
                rules, draw(st.sampled_from(ROLES)), draw(st.integers(0, 2)), draw(st.sampled_from(WORDS)),
                draw(st.integers(0, 30)), draw(st.sampled_from(["add", "remove", "turn"])),
            )  # fmt: skip
        elif kind == "threshold":
            rules = replace(rules, threshold=draw(st.sampled_from([2.0, 3.0, 3.9])))
        elif kind == "drop":
            rules = replace(rules, themes=rules.themes[1:] or rules.themes)
        elif kind == "order":
            rules = replace(rules, themes=rules.themes[::-1])
        else:
            part: dict[str, Any] = {"threshold": 1.3} if kind == "theme threshold" else {"name": "other"}
            rules = replace(rules, themes=(replace(rules.themes[0], **part), *rules.themes[1:]))
    return rules


def decided(verdict: Verdict) -> tuple[Any, ...]:
    """Return what was decided, without what is only told to people."""
    return (
        verdict.covered, dict(verdict.themes), round(verdict.score, 9), verdict.reason, verdict.doubted,
        set(verdict.alone), set(verdict.withdrawn),
    )  # fmt: skip


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    edits(),
    st.lists(st.integers(0, 10**6), min_size=8, max_size=8),
    st.sampled_from(["off", "blend", "on", "add", "themes"]),
    st.booleans(),
)
def test_both_verdicts_are_those_of_plain_judging(new: Rules, numbers: list[int], opinion: str, turned: bool) -> None:
    """Whatever was edited, whichever way round: no saving may change what comes out."""
    old, blend, items = shipped()
    ways: dict[str, tuple[Second | None, Second | None]] = {
        "off": (None, None),
        "blend": (blend, blend),
        "on": (None, replace(blend, coverage=0.6)),
        "add": (blend, replace(blend, adds_only=True)),
        "themes": (blend, replace(blend, themes=frozenset({"agi"}))),
    }
    before, after = (old, ways[opinion][0]), (new, ways[opinion][1])
    if turned:
        before, after = after, before
    twice = Twice(before, after)
    for number in numbers:
        item = items[number % len(items)]
        got = [decided(verdict) for verdict in twice.judge(item)]
        assert got == [decided(judge(item, *before)), decided(judge(item, *after))], item.title


NAMES = [
    "Big Blue",
    "Acme",
    "Sam Ng",
    "微软",
    "奥特曼",
    "软件公司",
    "Copil*",
    '"Ng chief"~2',
    "data center",
    "title:Orca",
    "GPT",
]
TOKENS = [
    "Big", "Blue", "Acme", "Acme's", "Sam", "Ng", "chief", "copilots", "datacenter", "data", "center", "Orca", "GPT",
    "of", "微软", "奥特曼", "公司", "软件", "軟件公司", "。", ". ",
]  # fmt: skip
name_lists = st.lists(st.sampled_from(NAMES), unique=True, max_size=4)


@st.composite
def little_rules(draw: st.DrawFn) -> Rules:
    """Draw rules in which the same few words play every role."""

    def some(least: int = 0) -> Any:
        return tuple(compile_query(name) for name in draw(name_lists) or NAMES[:least])

    companies = tuple(Company(name, some(1), some(), some(), some()) for name in ("one", "other"))
    return Rules(companies, some(), (Theme("a", some(1), some()),), some(), some(), some(), some(), 2.0)


@settings(deadline=None, derandomize=True, max_examples=250)
@given(st.data(), little_rules(), st.lists(st.lists(st.sampled_from(TOKENS), max_size=6), min_size=6, max_size=6))
def test_it_is_the_same_where_every_word_plays_every_role(
    data: st.DataObject, old: Rules, texts: list[list[str]]
) -> None:
    """Masks, pairs of words, Han words that end alike, prefixes: little words alone tell what is a mention."""
    role = data.draw(st.sampled_from(["masks", "excluded", "relations", "against", "others", "themes", "companies"]))
    new = replace(old, **{role: getattr(data.draw(little_rules()), role)})
    twice = Twice((old, None), (new, None))
    for words in texts:
        item = config.made_up(" ".join(words[:3]), " ".join(words[3:]))
        assert [decided(one) for one in twice.judge(item)] == [decided(judge(item, rules)) for rules in (old, new)]


def test_the_embedding_is_made_once_for_both() -> None:
    """It takes fifty milliseconds."""
    from tests.test_advice import a_sense
    from tests.test_opinion import weights

    made: list[str] = []

    def embed(text: str) -> Sequence[float]:
        made.append(text)
        return (1.0, 0.0)

    old, _, items = shipped()
    opinion = Opinion(weights(), a_sense(), embed)
    new = replace(old, threshold=4.0)
    Twice((old, Second(opinion, frozenset())), (new, Second(opinion, frozenset(), coverage=0.7))).judge(items[0])
    assert len(made) == 1
