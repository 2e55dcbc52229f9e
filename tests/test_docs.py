"""README and the program say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main

from monitor import __version__, cli, config, environment
from monitor.errors import QueryError
from monitor.match.aboutness import POINTS
from monitor.match.rules import Company, Rules, Theme
from monitor.match.syntax import compile_query
from monitor.match.words import Document
from monitor.text import read
from tests.builders import ROOT
from tests.pages import PAGES, spans, tables

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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    """Within lines and in the table of commands; blocks are run by tests/test_examples.py."""
    named = [code for code in spans(page) if re.match(r"(?:MONITOR_\w+=\S+ )?monitor [a-z]", code)]
    assert [f"{code}: {fault}" for code in named if (fault := fault_of_command(code))] == []


def fault_of_command(code: str) -> str:
    """Return what the program does not know of a command as it is named: `monitor digest [NAME] --preview`."""
    words = re.sub(r"[\[\]]", " ", code[code.index("monitor ") :]).split()[1:]
    command: Any = typer.main.get_command(cli.app)
    allowed = {option for param in command.params for option in param.opts}
    while words and getattr(command, "commands", None):
        word = words.pop(0)
        if word in allowed:
            words = words[1:]  # its value
        elif word in command.commands:
            command = command.commands[word]
        else:
            return f"there is no command {word}"
    allowed |= {option for param in command.params for option in param.opts} | {"--help"}
    return ", ".join(f"there is no option {word}" for word in words if word.startswith("--") and word not in allowed)


def test_every_setting_of_the_environment_is_in_the_readme() -> None:
    """And none that does not exist."""
    assert set(re.findall(r"MONITOR_[A-Z_]+[A-Z]", README)) == environment.KNOWN_VARIABLES


def test_every_make_target_in_the_readme_exists() -> None:
    """The two commands are there."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {"run", "test", "demo"} <= set(re.findall(r"`?make ([a-z]+)", README)) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_links_is_there(page: Path) -> None:
    """No dead link within the repository, and none to a heading that is not there."""
    links = re.findall(r"\]\((?!http)([^)]+)\)", page.read_text("utf-8"))
    assert [link for link in links if not leads_somewhere(page, link)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    """Tell whether a link within the repository leads to a file, and to a heading of it where it names one."""
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists() or not anchor:
        return target.exists()
    headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.M)
    return anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def rows(head: str) -> list[list[str]]:
    """Return the rows of all tables that have a column of this name."""
    return [row for page in PAGES for heads, some in tables(page) if head in heads for row in some]


def code_in(cell: str) -> list[str]:
    """Return what stands in code in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def as_document(example: str) -> Document:
    """Read an example: a title, unless `*summary:*`, `*by an outlet:*` or `*in a language:*` stand before it."""
    tag, text = re.fullmatch(r"(?:\*([^*]+):\* )?(.+)", example.replace("**", ""), re.S).groups()  # type: ignore[union-attr]
    kind, _, name = (tag or "title").partition(" ")
    language = {"Chinese": "zh", "English": "en"}[name] if kind == "in" else ""
    return Document({"summary" if kind == "summary" else "title": read(text)}, name if kind == "by" else "", language)


@pytest.mark.parametrize("row", rows("found in"), ids=lambda row: row[0])
def test_the_examples_of_the_keyword_language_are_true(row: list[str]) -> None:
    """Each row does what it says, and what is printed bold is what is found."""
    [keyword] = code_in(row[0])
    query = compile_query(keyword)
    for example in row[-2].split("; "):
        document = as_document(example)
        match = query.match(document)
        assert match is not None, example
        bold = set(re.findall(r"\*\*(.+?)\*\*", example))
        assert {document.texts[field].original[start:end] for field, start, end in match.spans} == bold
    for example in row[-1].split("; "):
        assert query.match(as_document(example)) is None, example


@pytest.mark.parametrize("row", rows("keywords of a theme"), ids=lambda row: f"{row[0]} | {row[1]}")
def test_the_examples_of_weights_are_true(row: list[str]) -> None:
    """Points and verdict of a theme that has just these keywords."""
    keywords, text, points, given = row
    theme = Theme("one", tuple(map(compile_query, code_in(keywords))))
    rules = Rules((Company("a", (compile_query("a"),)),), (), (theme,))
    title, summary = ("", text.removeprefix("*summary:* ")) if text.startswith("*") else (text, "")
    verdict = config.try_title(rules, title, summary)
    assert [f"{score:g}" for _, score in (*verdict.themes, *verdict.near)] == [points]
    assert bool(verdict.themes) is (given == "yes")


@pytest.mark.parametrize("row", rows("refused"), ids=lambda row: row[0])
def test_what_is_refused_is_refused_and_what_is_to_be_written_is_not(row: list[str]) -> None:
    """The advice can be followed."""
    with pytest.raises(QueryError):
        compile_query(*code_in(row[0]))
    compile_query(*code_in(row[2]))


def test_the_pages_show_enough_of_the_keyword_language() -> None:
    """No table slips through the net."""
    assert len(rows("found in")) > 40
    assert rows("keywords of a theme")
    assert rows("refused")


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
