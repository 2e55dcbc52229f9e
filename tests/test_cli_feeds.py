"""`monitor feeds`, as real processes against a real server: found, added, switched, removed, imported, exported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.builders import config_text, feed_document
from tests.feedserver import FeedServer
from tests.test_cli import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A folder with a feeds.yaml that watches one feed."""
    with FeedServer() as server:
        yield Shell(tmp_path, server)


def text_of(shell: Shell) -> str:
    """What feeds.yaml says."""
    return (shell.folder / "feeds.yaml").read_bytes().decode()


def test_a_feed_is_added_disabled_enabled_and_removed(shell: Shell) -> None:
    """By address and by name; in the end the file is as it was."""
    before = text_of(shell)
    added = shell("feeds", "add", "https://b.example/rss", "--name", "B & C", "--language", "zh", "--every", "2h")
    assert (added.returncode, added.stdout) == (0, "added: B & C\n")
    assert "within a minute" in added.stderr
    entry = "  - name: B & C\n    url: https://b.example/rss\n    language: zh\n    every: 2h\n"
    assert text_of(shell) == before.replace("coverage:", f"{entry}coverage:")
    assert shell("feeds", "disable", "b & c").stdout == "disabled: b & c\n"
    assert shell("feeds", "list").stdout.splitlines()[-1].split("\t")[1] == "disabled"
    assert shell("feeds", "disable", "B & C").stdout == "B & C is disabled already; nothing was changed\n"
    assert shell("feeds", "enable", "https://b.example/rss").returncode == 0
    assert text_of(shell) == before.replace("coverage:", f"{entry}coverage:")
    assert shell("feeds", "remove", "B & C").stdout == "removed: B & C\n"
    assert text_of(shell) == before


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (("add", "b.example/rss"), 2, "'b.example/rss' is not a web address; it must start with http:// or https://"),
        (("add", "https://b.example", "--every", "often"), 2, "Invalid value for --every: 'often' is not a length"),
        (
            ("add", "https://b.example", "--timezone", "Moon"),
            2,
            "Invalid value for --timezone: 'Moon' is not a time zone",
        ),
        (("remove", "nobody"), 1, "feeds.yaml: there is no feed 'nobody'; monitor feeds list shows them all\n"),
        (("import", "gone.opml"), 1, "gone.opml: cannot be read: No such file or directory\n"),
        (("find", "two words"), 1, "'two words' is not a web address; write it like example.com"),
        (("find", "http://127.0.0.1:9/"), 1, "http://127.0.0.1:9/: could not be reached: Connection refused; look"),
        (("export", "--out", "no/where"), 1, "no/where: cannot be written: No such file or directory\n"),
    ],
)
def test_a_mistake_is_one_readable_line(shell: Shell, words: tuple[str, ...], status: int, line: str) -> None:
    """And feeds.yaml stays as it is."""
    before = text_of(shell)
    done = shell("feeds", *words, COLUMNS="200")
    assert done.returncode == status
    assert line in done.stderr
    assert text_of(shell) == before


def test_the_last_feed_and_a_known_one_are_refused(shell: Shell) -> None:
    """With the line where it stands."""
    known = shell.server.url("/one.xml")
    assert shell("feeds", "add", known).stderr == f"feeds.yaml:8: {known} is there already\n"
    assert "feeds.yaml:8: this is the only feed, and one is needed" in shell("feeds", "remove", known).stderr


def test_the_feeds_of_a_site_are_found_and_one_is_added(shell: Shell) -> None:
    """Their title, format, size and newest date; in a pipe split by tabs."""
    newest = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
    shell.server.put(
        "/", '<link rel="alternate" type="application/rss+xml" href="/news">', headers={"Content-Type": "text/html"}
    )
    shell.server.put("/news", feed_document(["One", "Two"], newest, "The News"))
    site = shell.server.url("/").removeprefix("http://")
    before = text_of(shell)
    done = shell("feeds", "find", shell.server.url("/"))
    assert done.returncode == 0
    head, row = done.stdout.splitlines()
    assert head.split("\t") == ["no.", "title", "format", "entries", "newest (UTC)", "language", "address"]
    assert row.split("\t") == ["1", "The News", "rss20", "2", "2026-11-24 07:30", "", shell.server.url("/news")]
    assert done.stderr == f"to watch the first: monitor feeds find {shell.server.url('/')} --add 1\n"
    assert text_of(shell) == before
    assert "there are only 1" in shell("feeds", "find", site, "--add", "2").stderr
    assert shell("feeds", "find", site, "--add", "1").stdout == f"added: The News: {shell.server.url('/news')}\n"
    assert f"  - name: The News\n    url: {shell.server.url('/news')}\n" in text_of(shell)
    assert shell("poll").stdout.splitlines()[-1].startswith("2 feeds: 2 answered")


def test_a_site_without_a_feed_is_told_so(shell: Shell) -> None:
    """After looking where feeds often are."""
    shell.server.put("/", "<html>nothing</html>", headers={"Content-Type": "text/html"})
    done = shell("feeds", "find", shell.server.url("/"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "no feed was found" in done.stderr
    assert shell.server.asked("/rss.xml")


def test_what_is_exported_can_be_imported_elsewhere(shell: Shell) -> None:
    """What is known stays, what is new comes; a dry run only says so; disabled feeds stay so."""
    off = "  - {name: 关, url: 'https://off.example/rss?a=1&b=2', enabled: false}\n"
    shell.write(text_of(shell).replace("coverage:", f"{off}coverage:"))
    assert shell("feeds", "export", "--out", "all.opml").stdout == "2 feeds written to all.opml\n"
    exported = shell("feeds", "export").stdout
    assert 'xmlUrl="https://off.example/rss?a=1&amp;b=2" isComment="true"' in exported
    shell.write(config_text([shell.server.url("/one.xml")]))
    before = text_of(shell)
    dry = shell("feeds", "import", "all.opml", "--dry-run")
    assert dry.stdout.splitlines()[0] == "would be added: 关 (disabled)"
    assert dry.stdout.splitlines()[-1] == "1 would be added, 1 there already, 0 left out"
    assert text_of(shell) == before
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "feeds", "import", "-"],
        input=exported,
        capture_output=True,
        text=True,
        cwd=shell.folder,
        env=shell.environ,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "1 added, 1 there already, 0 left out"
    assert "url: https://off.example/rss?a=1&b=2\n    enabled: false\n" in text_of(shell)
    again = shell("feeds", "import", "all.opml")
    assert again.stdout.splitlines()[-1] == "0 added, 2 there already, 0 left out"
    assert shell("check").returncode == 0


def test_what_a_list_has_besides_feeds_is_told(shell: Shell) -> None:
    """With its line; broken lists are refused with theirs."""
    (shell.folder / "x.opml").write_text('<opml><body>\n<outline text="Me" xmlUrl="mailto:me"/></body></opml>')
    done = shell("feeds", "import", "x.opml")
    assert done.stdout == "0 added, 0 there already, 1 left out\n"
    assert done.stderr == "x.opml:2: left out, for it is not a web address: Me: mailto:me\n"
    (shell.folder / "x.opml").write_text("<opml><body>")
    assert shell("feeds", "import", "x.opml").stderr.startswith("x.opml:1:13: is not valid XML: no element found")


def test_an_edit_of_a_running_day_is_taken_up(shell: Shell) -> None:
    """What was added is polled at once, for it was never polled."""
    shell("poll")
    shell.server.put("/two.xml", feed_document(["Nothing"], datetime.now(UTC) - timedelta(hours=1), "Two"))
    shell("feeds", "add", shell.server.url("/two.xml"))
    assert shell("poll").stdout.splitlines()[1].split("\t")[:2] == [shell.server.url("/two.xml"), "ok"]


def test_a_feed_is_known_by_the_title_that_it_is_listed_under(shell: Shell) -> None:
    """Though feeds.yaml has only its address."""
    shell("poll")
    assert shell("feeds", "list").stdout.splitlines()[1].startswith("Example\t")
    assert shell("feeds", "disable", "example").stdout == "disabled: example\n"
    assert f"  - url: {shell.server.url('/one.xml')}\n    enabled: false\n" in text_of(shell)
