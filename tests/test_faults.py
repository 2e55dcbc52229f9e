"""The fault suite itself: it finds what it is there to find. The suite is `make faults`; see docs/faults.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from monitor import config, resources
from monitor.digest import stories
from monitor.match.judge import judge
from monitor.model import Item as Stored
from monitor.model import Judged
from tests.builders import ROOT
from tests.faults import broken, scenarios
from tests.faults.ledger import Outbox, Reader, Row, settle, table
from tests.faults.mailboxes import Attempt
from tests.faults.newsroom import HEADLINES, Item
from tests.faults.world import config_of

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
ALICE = "alice@example.test"
ID = "<morning.20260302T060000.abc.1@example.test>"
HIT = Item("ZQ00001", "compute", "alpha", NOW)
NOISE = Item("ZQ00002", "", "alpha", NOW)


def an_attempt(message_id: str = ID, tokens: tuple[str, ...] = ("ZQ00001",), to: str = ALICE) -> Attempt:
    """A mail that arrived, and the worker has heard so."""
    return Attempt(
        to, message_id, "morning", b"raw", frozenset(tokens), frozenset(tokens), 1, kept=True, acknowledged=True
    )


def delivery(state: str = "sent", message_id: str = ID, *, is_tried: bool = False) -> Outbox:
    """What the outbox has of it."""
    return Outbox(ALICE, message_id, b"raw", frozenset(("ZQ00001",)), state, is_tried)


def reckoned(attempts: list[Attempt], outbox: list[Outbox], refusals: list[tuple[str, str]] | None = None) -> Row:
    """The row of a scenario of one hit, one item that is none, and one reader."""
    return settle(Row("test"), [HIT, NOISE], [Reader("morning", ALICE)], attempts, refusals or [], outbox)


OTHER = ID.replace("abc", "def")
IN_DOUBT = replace(an_attempt(), acknowledged=False)
LOST = replace(IN_DOUBT, kept=False)


def test_what_arrived_once_is_good() -> None:
    """And so is a copy after an attempt whose answer was never heard, whether that one arrived or not."""
    for attempts in ([an_attempt()], [IN_DOUBT, an_attempt()], [LOST, an_attempt()], [IN_DOUBT, IN_DOUBT]):
        row = reckoned(attempts, [delivery()])
        assert (row.verdict, row.lost, row.twice) == ("good", 0, 0)
        assert row.copies == sum(attempt.kept for attempt in attempts) - 1


@pytest.mark.parametrize(
    ("attempts", "outbox", "complaint"),
    [
        ([], [], "was never told ZQ00001 (alpha) by morning: in no mail"),
        ([], [delivery("pending", is_tried=True)], "was never told ZQ00001 (alpha) by morning: in a mail that is pend"),
        ([], [delivery("sent")], "is sent in the outbox, and it did not arrive"),
        ([], [delivery("refused")], "was never told"),
        ([LOST], [delivery("unknown")], "was never told"),
        ([an_attempt(), an_attempt(OTHER)], [delivery(), delivery(message_id=OTHER)], "in 2 mails of morning"),
        ([an_attempt(OTHER), an_attempt()], [delivery()], "arrived, and the outbox does not know it"),
        ([an_attempt(), an_attempt()], [delivery()], "was sent again although it had been acknowledged"),
        ([replace(IN_DOUBT, raw=b"other"), an_attempt()], [delivery()], "with other bytes the second time"),
        ([replace(an_attempt(), raw=b"other")], [delivery()], "is not what the outbox holds"),
        ([an_attempt(tokens=("ZQ00001", "ZQ00002"))], [delivery()], "was told ZQ00002 by morning, which is no news"),
        ([an_attempt(tokens=("ZQ00001", "ZQ00099"))], [delivery()], "was told ZQ00099 by morning, which is no news"),
        ([replace(an_attempt(), in_page=frozenset())], [delivery()], "text and page do not tell the same"),
        ([an_attempt()], [delivery("refused")], "is refused in the outbox, and it arrived"),
        ([an_attempt()], [delivery("merged")], "is merged in the outbox, and it arrived"),
        ([an_attempt()], [delivery("sending")], "is sending in the outbox"),
    ],
)
def test_the_ledger_names_what_is_wrong(attempts: list[Attempt], outbox: list[Outbox], complaint: str) -> None:
    """Each kind of loss and of telling twice, and each lie of the outbox."""
    row = reckoned(attempts, outbox)
    assert row.verdict == "WRONG"
    assert complaint in "\n".join(row.wrong)


def test_what_the_server_refused_for_good_is_no_loss() -> None:
    """It is counted apart, for the worker could do no more; so is what was in doubt three times."""
    refused = reckoned([], [delivery("refused")], [(ALICE, "550 no such user")])
    assert (refused.verdict, refused.lost, refused.refused) == ("good", 0, 1)
    assert refused.notes == ["1 hits (times readers) were in mails that the server refused for good"]
    assert reckoned([LOST] * 3, [delivery("unknown")]).verdict == "good"


def test_the_table_has_its_sums() -> None:
    """A line a scenario, and one for all."""
    rows = [Row("kills", published=5, hits=4, kills=3), Row("disk", published=2, skipped="no root")]
    lines = table(rows).splitlines()
    assert [line.split()[0] for line in lines] == ["scenario", "kills", "disk", "all"]
    assert lines[1].split()[-1] == "good"
    assert lines[2].split()[-1] == "skipped"
    assert lines[3].split()[:3] == ["all", "7", "4"]


def test_the_page_names_every_scenario_and_its_ledger_adds_up() -> None:
    """docs/faults.md: the table of what is tried, and the ledger of a run of all of it, in which all was well."""
    page = (ROOT / "docs" / "faults.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.M)) == set(scenarios.SCENARIOS)
    [block] = re.findall(r"^scenario +published.*?^all .*?$", page, re.M | re.S)
    heads, *lines, sums = (line.split() for line in block.splitlines())
    assert {line[0] for line in lines} == set(scenarios.SCENARIOS)
    assert {line[-1] for line in lines} == {"good"}
    last = heads.index("lost") + 1
    assert [sum(int(line[n]) for line in lines) for n in range(1, last)] == [int(number) for number in sums[1:last]]


# ---------------------------------------------------------------- what the suite rests on


def test_headlines_are_what_their_theme_says_and_each_is_a_story_of_its_own(tmp_path: Path) -> None:
    """Else the ledger would miss what the digest rightly joined, or left out."""
    (tmp_path / "feeds.yaml").write_text(config_of(["http://127.0.0.1/a.xml"]), encoding="utf-8")
    settings = config.load(tmp_path / "feeds.yaml")
    hits = []
    for number, theme in enumerate([*HEADLINES] * 30, 1):
        title = HEADLINES[theme].format(f"ZQ{number:05}")
        link, summary = f"https://news.example.test/{number}", f"What it means that {title}."
        item = Stored("f", title, link, title, summary, "a", "en", NOW, NOW)
        verdict = judge(item, settings.rules)
        assert verdict.covered == bool(theme)
        assert [name for name, _ in verdict.themes] == [theme] * (theme in settings.titles)
        if verdict.covered:
            hits.append(Judged(item, verdict, number))
    assert len(stories.cluster(hits, likeness=resources.likeness())) == len(hits)


def test_one_seed_makes_one_plan() -> None:
    """The same moments in the same order; another seed makes others."""

    def plan(seed: int) -> list[str]:
        rng = Random(seed)
        return [str(scenarios.a_moment(rng)) for _ in range(50)]

    assert plan(7) == plan(7) != plan(8)


# ---------------------------------------------------------------- the whole of it, with a worker that is broken


FOUND = {
    "loses a mail": "is sent in the outbox, and it did not arrive",
    "sends twice": "in 2 mails of",
    "sends again": "was sent again although it had been acknowledged",
    "forgets what was told": "mails of",
    "forgets items": "in no mail",
    "changes bytes": "is not what the outbox holds",
    "leaves a process": "processes were left behind: ['sleep",
    "has a bug": "Traceback",
}


def test_the_suite_finds_what_is_wrong_with_a_worker(tmp_path: Path) -> None:
    """Nothing from outside is done to it, and yet it does wrong; without a fault it does right (`make faults`)."""
    assert set(FOUND) == set(broken.BROKEN)
    line = [sys.executable, "-m", "tests.faults", "--short", "--scenario", "calm", "--patience", "8", "--broken"]
    # All at once: they mostly wait.
    playing = {
        fault: subprocess.Popen(
            [*line, fault], stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}
        )
        for fault in FOUND
    }
    for fault, suite in playing.items():
        said, _ = suite.communicate(timeout=120)
        assert suite.returncode == 1, fault
        assert FOUND[fault] in said
        kept = re.search(r"its folder is kept in (\S+)", said)
        assert kept is not None
        assert (Path(kept[1]) / "data" / "monitor.db").exists()
        assert "again: python -m tests.faults --seed 1 --kills 24 --short --scenario calm" in said
