"""README and the program say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import typer.main

from monitor import __version__, cli, config, environment
from monitor.match.aboutness import POINTS
from monitor.match.syntax import compile_query
from monitor.match.words import Document
from monitor.text import read
from tests.builders import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def command_names() -> set[str]:
    """All commands, those of groups with their group's name."""
    top = typer.main.get_command(cli.app)
    names = set()
    for name, command in top.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        names |= {f"{name} {sub}" for sub in inner} if inner else {name}
    return names


def test_every_command_is_in_the_readme_and_nothing_else() -> None:
    """The table of commands is complete."""
    table = set(re.findall(r"^\| `monitor ([a-z-]+(?: [a-z]+)?)", README, re.M))
    assert table == command_names()


def test_every_command_in_the_examples_exists() -> None:
    """Nobody copies a line that cannot work."""
    used = set(re.findall(r"^(?:docker exec monitor )?monitor (feeds [a-z]+|[a-z-]+)", README, re.M))
    assert used
    assert used <= command_names()


def test_what_the_readme_shows_of_explain_is_what_it_says() -> None:
    """The shipped rules judge the example as printed."""
    [(title, printed)] = re.findall(r'^\$ monitor explain --title "([^"]+)"\n(.+)$', README, re.M)
    verdict = config.try_title(config.load(ROOT / "feeds.yaml").rules, title)
    assert printed == f"not a hit: {verdict.reason}"


def test_every_setting_of_the_environment_is_in_the_readme() -> None:
    """And none that does not exist."""
    assert set(re.findall(r"MONITOR_[A-Z_]+[A-Z]", README)) == environment.KNOWN_VARIABLES


def test_every_make_target_in_the_readme_exists() -> None:
    """The two commands are there."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {"run", "test", "demo"} <= set(re.findall(r"`?make ([a-z]+)", README)) <= targets


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_every_file_that_a_page_links_is_there(page: Path) -> None:
    """No dead link within the repository."""
    links = re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def keyword_rows() -> list[tuple[str, str, str]]:
    """Return the rows of docs/keywords.md: keyword, texts in which it is found, texts in which it is not."""
    text = (ROOT / "docs" / "keywords.md").read_text("utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", text, re.M)
    assert len(rows) > 25
    return rows


@pytest.mark.parametrize(("keyword", "found", "missed"), keyword_rows())
def test_the_examples_of_the_keyword_language_are_true(keyword: str, found: str, missed: str) -> None:
    """Each row does what it says, and what is printed bold is what is found."""
    query = compile_query(keyword)
    for example in found.split("; "):
        text = example.replace("**", "")
        match = query.match(Document({"title": read(text)}))
        assert match is not None, text
        assert sorted({text[start:end] for _, start, end in match.spans}) == sorted(
            set(re.findall(r"\*\*(.+?)\*\*", example))
        )
    for text in missed.split("; "):
        assert query.match(Document({"title": read(text)})) is None, text


def test_every_sign_is_explained() -> None:
    """docs/matching.md names each sign that has points."""
    text = (ROOT / "docs" / "matching.md").read_text("utf-8")
    assert [name for name in POINTS if name not in text and name.removeprefix("against it ") not in text] == []


def test_the_version_has_a_place_in_the_changelog() -> None:
    """What changed is written down."""
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert "## Unreleased" in changelog or f"## {__version__}" in changelog


def test_the_shipped_feeds_are_about_as_many_as_promised_and_polled_politely() -> None:
    """English and Chinese, none of them twice, and what is disabled says why."""
    settings = config.load(ROOT / "feeds.yaml")
    enabled = [feed for feed in settings.feeds if feed.enabled]
    assert len(enabled) >= 35
    assert sum(feed.language == "zh" for feed in enabled) >= 6
    text = (ROOT / "feeds.yaml").read_text("utf-8")
    assert all("#" in line for line in text.splitlines() if "enabled: false" in line)


def test_locks_carry_hashes_and_no_host() -> None:
    """What is installed is what was pinned, from wherever the user's installer looks."""
    for lock in (ROOT / "requirements").glob("*.lock"):
        text = lock.read_text()
        assert "://" not in text
        pins = re.findall(r"^[a-z0-9.-]+(?:\[[a-z,]+\])?==", text, re.M)
        assert len(pins) == len(re.findall(r"(?:^|\n)[a-z0-9.-]+(?:\[[a-z,]+\])?==[^\n]*\\\n +--hash=sha256:", text))
    run = (ROOT / "requirements" / "run.lock").read_text()
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert [
        name for name in (re.split(r"[<>=]", w)[0] for w in wanted) if f"\n{name.replace('.', '-')}==" not in f"\n{run}"
    ] == []
