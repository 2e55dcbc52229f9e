"""README and the program say the same."""

from __future__ import annotations

import re
import tomllib

import typer.main

from monitor import __version__, cli, config, environment
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
    used = set(re.findall(r"^(?:docker exec monitor )?monitor ([a-z-]+(?: list)?)", README, re.M))
    assert used
    assert used <= command_names()


def test_every_setting_of_the_environment_is_in_the_readme() -> None:
    """And none that does not exist."""
    assert set(re.findall(r"MONITOR_[A-Z_]+[A-Z]", README)) == environment.KNOWN_VARIABLES


def test_every_make_target_in_the_readme_exists() -> None:
    """The two commands are there."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {"run", "test", "demo"} <= set(re.findall(r"`?make ([a-z]+)", README)) <= targets


def test_every_file_that_the_readme_links_is_there() -> None:
    """No dead link within the repository."""
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


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
