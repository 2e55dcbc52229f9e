"""What is given away of the archive: CSV that spreadsheets open unharmed, JSON lines with keys that stay."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import pytest
from typer.testing import CliRunner, Result

from monitor import records
from monitor.cli import app
from monitor.model import (
    DigestPlan,
    Edition,
    Evidence,
    FeedState,
    Item,
    Judged,
    Message,
    Section,
    Story,
    ThemeTitle,
    Trend,
    Verdict,
)
from monitor.store import FILE_NAME, Store
from tests.builders import ROOT, config_text

NOW = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
FEED = "https://reader:secret@feed.example.com/rss"
FIRST = Item(
    FEED,
    "1",
    "https://example.com/1",
    '微软, OpenAI: "算力"',
    "AGI\nlines",
    "Wire",
    "zh",
    NOW,
    NOW + timedelta(hours=1),
)
HIT = Verdict(
    covered=True,
    themes=(("compute", 2.0), ("agi", 1.0)),
    score=3.0,
    evidence=(
        Evidence("coverage.openai", "OpenAI", "title", 4, 10),
        Evidence("theme.compute", "算力", "title", 13, 15),
        Evidence("theme.agi", "AGI", "summary", 0, 3),
    ),
    doubted=True,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hit that was told, a hit whose title is a formula, and an item that is none."""
    (tmp_path / "feeds.yaml").write_text(config_text(["https://feed.example.com/rss"]), encoding="utf-8")
    formula = replace(FIRST, key="2", link="https://example.com/2", title="=cmd|' /C calc'!A0", summary="-1")
    other = replace(FIRST, key="3", link="https://example.com/3", title="Something else", language="en")
    with Store(tmp_path / FILE_NAME) as store:
        store.meet_digests(["morning"], NOW, timedelta(hours=24))
        plain = replace(HIT, themes=(), evidence=(), doubted=False)
        store.save_poll(
            FeedState(FEED), [Judged(FIRST, HIT), Judged(formula, plain), Judged(other, Verdict(covered=False))]
        )
        tell(store, [hit for hit in store.untold_hits("morning") if hit.item.key == "1"])
    return tmp_path


def tell(store: Store, hits: list[Judged]) -> None:
    """Mail an edition of these hits."""
    stories = tuple(Story((hit,), ("compute",)) for hit in hits)
    theme = ThemeTitle("compute", "Compute")
    edition = Edition(
        plan=DigestPlan("morning", ("you@example.test",), ""), since=NOW, until=NOW,
        sections=(Section(theme, stories),), reports=len(hits), feeds_total=1, troubles=(),
        trends=(Trend(theme, 1, None, ()),),
    )  # fmt: skip
    assert store.freeze(edition, [Message("<1@x>", "m@example.test", "you@example.test", "Subject", b"raw")])


def run(folder: Path, *words: str) -> Result:
    """Run `monitor export`."""
    return CliRunner().invoke(app, ["-c", str(folder / "feeds.yaml"), "-d", str(folder), "export", *words])


def written(folder: Path, *words: str) -> bytes:
    """What `monitor export --out` writes."""
    done = run(folder, "--out", str(folder / "out"), *words)
    assert done.exit_code == 0, done.stderr
    return (folder / "out").read_bytes()


def test_json_lines_have_all_that_is_known_of_a_hit(folder: Path) -> None:
    """Under the keys that docs/archive.md describes; no password of a feed's address."""
    first, second = map(json.loads, written(folder, "--format", "jsonl").decode().splitlines())
    assert first == {
        "id": 1,
        "published": "2026-11-24T05:30:00Z",
        "first_seen": "2026-11-24T06:30:00Z",
        "title": '微软, OpenAI: "算力"',
        "summary": "AGI\nlines",
        "link": "https://example.com/1",
        "outlet": "Wire",
        "feed": "https://feed.example.com/rss",
        "language": "zh",
        "hit": True,
        "themes": ["compute", "agi"],
        "words": ["算力", "AGI"],
        "likelihood": None,
        "doubted": True,
        "told": [{"digest": "morning", "edition": 1, "at": "2026-11-24T05:30:00Z"}],
    }
    assert (second["title"], second["told"]) == ("=cmd|' /C calc'!A0", [])


def test_a_csv_opens_in_excel_as_it_is_and_runs_nothing(folder: Path) -> None:
    """A byte order mark, dates that it knows, lists in one cell, and an apostrophe before what begins as a formula."""
    raw = written(folder)
    assert raw.startswith(b"\xef\xbb\xbfid,published,")
    first, second = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
    assert (first["title"], first["summary"], first["published"]) == (FIRST.title, "AGI\nlines", "2026-11-24 05:30:00")
    assert (first["themes"], first["words"], first["told"]) == ("compute; agi", "算力; AGI", "morning 1")
    assert (second["title"], second["summary"], second["hit"]) == ("'=cmd|' /C calc'!A0", "'-1", "1")


def test_the_name_of_the_file_says_which_form_it_has(folder: Path) -> None:
    """JSON lines where it asks for them, and never a CSV under the name of something else."""
    for name, start in (("a.jsonl", '{"id": 1'), ("a.ndjson", '{"id": 1'), ("a.csv", "\ufeffid,"), ("a", "\ufeffid,")):
        assert run(folder, "--out", str(folder / name)).exit_code == 0
        assert (folder / name).read_text("utf-8").startswith(start)
    assert run(folder, "--out", str(folder / "a.json"), "--format", "csv").exit_code == 0
    refused = run(folder, "--out", str(folder / "b.xlsx"))
    assert (refused.exit_code, (folder / "b.xlsx").exists()) == (2, False)
    assert "name it .csv for a spreadsheet" in " ".join(refused.stderr.split())


@pytest.mark.parametrize("start", records.FORMULAS)
def test_every_cell_that_could_be_a_formula_is_made_harmless(start: str) -> None:
    """Full width, too; words are left as they are."""
    assert records.harmless(f"{start}1") == f"'{start}1"
    assert records.harmless(f"a{start}1") == f"a{start}1"


@pytest.mark.parametrize(
    ("words", "titles"),
    [
        ((), 2),
        (("--all",), 3),
        (("--theme", "agi"), 1),
        (("--language", "en", "--all"), 1),
        (("--since", "2026-11-25"), 0),
        (("--until", "2026-11-24"), 2),
    ],
)
def test_what_is_written_can_be_chosen(folder: Path, words: tuple[str, ...], titles: int) -> None:
    """Hits if nothing is said; and the command says how many."""
    assert len(written(folder, "--format", "jsonl", *words).splitlines()) == titles
    assert f": {titles} " in run(folder, "--out", str(folder / "again"), *words).stdout


def test_a_file_is_written_whole_or_not_at_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stood there before stays until then."""
    (folder / "out").write_text("before")
    monkeypatch.setattr(os, "replace", disk_full)
    done = run(folder, "--out", str(folder / "out"))
    assert "cannot be written: No space left" in str(done.exception)
    assert (folder / "out").read_text() == "before"
    assert {path.name for path in folder.iterdir()} <= {
        "feeds.yaml",
        "out",
        FILE_NAME,
        f"{FILE_NAME}-shm",
        f"{FILE_NAME}-wal",
    }
    assert "cannot be written" in str(run(folder, "--out", str(folder / "none" / "out")).exception)
    assert "cannot be written" in str(run(folder, "--out", str(folder)).exception)


def disk_full(*_: object) -> None:
    """Fail as a full disk does."""
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_link_stays_and_its_file_is_replaced(folder: Path) -> None:
    """With the mode of the file that was there; a link to nothing gets its file."""
    (folder / "shared").mkdir()
    target, link, loose = folder / "shared" / "hits.csv", folder / "out", folder / "loose"
    target.write_text("before")
    target.chmod(0o640)
    link.symlink_to("shared/hits.csv")
    loose.symlink_to("shared/new.csv")
    for one in (link, loose):
        assert run(folder, "--out", str(one)).exit_code == 0
        assert one.is_symlink()
        assert one.read_bytes().startswith(b"\xef\xbb\xbfid,")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert {path.name for path in target.parent.iterdir()} == {"hits.csv", "new.csv"}


def test_a_new_file_has_the_mode_that_files_get_here(folder: Path) -> None:
    """As the umask says; a file of the user's own whose name is like it is not touched."""
    (folder / "out.new").write_text("mine")
    before = os.umask(0o027)
    try:
        assert written(folder)
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "out").stat().st_mode) == 0o640
    assert (folder / "out.new").read_text() == "mine"


def export_to(folder: Path, out: str, stdout: int | IO[bytes]) -> subprocess.CompletedProcess[bytes]:
    """Run `monitor export --out` as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "monitor", "-d", str(folder), "-c", f"{folder}/feeds.yaml", "export", "--out", out],
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )


@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_with_a_name_is_written_to_and_stays_one(folder: Path, linked: bool) -> None:
    """A device, too: only files are replaced."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    (folder / "link").symlink_to("pipe")
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        try:
            done = export_to(folder, str(folder / ("link" if linked else "pipe")), subprocess.DEVNULL)
            read, _ = reader.communicate(timeout=20)
        finally:
            reader.kill()
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert (done.returncode, done.stderr) == (0, b"")
    assert read == written(folder)


def test_stdout_can_be_named(folder: Path) -> None:
    """A pipe, or a file that is appended to; how many there were is told beside the lines."""
    own = folder / "stdout"  # no name of a device is risked
    own.symlink_to("/proc/self/fd/1")
    lines = written(folder)
    done = export_to(folder, str(own), subprocess.PIPE)
    assert (done.returncode, done.stdout) == (0, lines)
    assert b": 2 hits" in done.stderr
    kept = folder / "kept.csv"
    kept.write_bytes(b"kept\n")
    with kept.open("ab") as file:
        done = export_to(folder, str(own), file)
    assert (done.returncode, kept.read_bytes()) == (0, b"kept\n" + lines)
    assert own.is_symlink()


def test_what_was_forgotten_is_not_given_away(folder: Path) -> None:
    """Items without a text are left out."""
    with Store(folder / FILE_NAME) as store:
        store.tidy(NOW + timedelta(days=400))
    assert written(folder, "--all", "--format", "jsonl") == b""


def test_every_key_is_documented_and_has_a_column(folder: Path) -> None:
    """docs/archive.md says what stands under each."""
    row = json.loads(written(folder, "--format", "jsonl").splitlines()[0])
    assert tuple(row) == records.COLUMNS
    page = (ROOT / "docs" / "archive.md").read_text("utf-8")
    assert re.findall(r"^\| `([a-z_]+)` \|", page, re.M)[: len(row)] == list(row)


def test_a_reader_that_goes_away_is_no_error_to_speak_of(folder: Path) -> None:
    """`monitor export | head -1` prints one line and nothing else."""
    with Store(folder / FILE_NAME) as store:
        many = [Judged(replace(FIRST, key=f"m{n}", summary="long " * 200), HIT) for n in range(400)]
        store.save_poll(FeedState(FEED), many)
    command = f"{sys.executable} -m monitor -d {folder} -c {folder}/feeds.yaml export | head -c 20"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert (len(done.stdout), done.stderr) == (20, b"")
