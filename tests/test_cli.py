"""What people type, as real processes: results, exit statuses, and one readable line for each mistake."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor import lastgood
from monitor.locks import hold
from monitor.model import State
from tests.builders import ROOT, config_text, feed_document
from tests.feedserver import FeedServer
from tests.mailserver import MailServer

NEWS = "Microsoft halts a data centre that OpenAI wanted"


class Shell:
    """Runs `monitor` in a folder of its own."""

    def __init__(self, folder: Path, server: FeedServer) -> None:
        self.folder, self.server = folder, server
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("MONITOR_")}
        self.environ["PYTHONPATH"] = str(ROOT)
        self.write(config_text([server.url("/one.xml")]))
        server.put("/one.xml", feed_document([NEWS], datetime.now(UTC) - timedelta(hours=1)))

    def write(self, text: str) -> None:
        """Write feeds.yaml."""
        (self.folder / "feeds.yaml").write_text(text, encoding="utf-8")

    def __call__(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        done = self._run(["-m", "monitor", *words], environ)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def python(self, program: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""
        return self._run(["-c", program], environ)

    def _run(self, words: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**self.environ, **environ},
            check=False,
        )


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A folder with a feeds.yaml that watches one feed."""
    with FeedServer() as server:
        yield Shell(tmp_path, server)


def test_poll_shows_what_came_of_each_feed(shell: Shell) -> None:
    """In a pipe the table is whole and split by tabs; nothing is due the second time."""
    done = shell("poll")
    assert done.returncode == 0
    head, row, total = done.stdout.splitlines()
    assert head.split("\t")[:6] == ["feed", "result", "entries", "new", "changed", "hits"]
    assert row.split("\t")[1:6] == ["ok", "1", "1", "", "1"]
    assert total == "1 feeds: 1 answered, 0 failed; 1 new items, 1 hits"
    assert done.stderr == ""
    assert "no feed is due" in shell("poll").stdout
    assert shell("poll", "--all").stdout.splitlines()[1].split("\t")[1] == "unchanged"


def test_when_every_feed_fails_the_exit_status_is_3(shell: Shell) -> None:
    """And the reason stands in the table."""
    shell.write(config_text(["http://127.0.0.1:9/closed.xml"]))
    done = shell("poll")
    assert done.returncode == 3
    assert "could not be reached" in done.stdout


def test_a_digest_without_a_mail_server_goes_to_files(shell: Shell) -> None:
    """Counted as delivered there; the next one has nothing new."""
    shell("poll")
    done = shell("digest")
    assert done.returncode == 0
    assert f"morning: 1 story from 1 report: {NEWS}" in done.stdout
    assert sorted(path.suffix for path in (shell.folder / "data" / "outbox").iterdir()) == [".eml", ".html"]
    assert "nothing new, nothing sent" in shell("digest", "morning").stdout


def test_a_preview_marks_nothing(shell: Shell) -> None:
    """What it showed is still news for the real edition."""
    shell("poll")
    done = shell("digest", "--preview", "--out", "look")
    assert done.returncode == 0
    assert NEWS in (shell.folder / "look" / "morning.html").read_text("utf-8")
    assert (shell.folder / "look" / "morning.eml").exists()
    assert "1 story" in shell("digest").stdout


def test_a_preview_shows_an_edit_at_once_and_writes_nothing(shell: Shell) -> None:
    """A theme that was added, in the file in use or another; the database is as it was, and is not made for it."""
    early = shell("digest", "--preview")
    assert "No feed asked yet" in early.stdout
    assert "monitor poll" in early.stderr
    assert not (shell.folder / "data").exists()
    shell("poll")
    (shell.folder / "data" / "feeds.compiled").unlink()
    good = (shell.folder / "feeds.yaml").read_text("utf-8")
    edited = good.replace("themes:", "themes:\n  halts: {title: {en: Things that stop}, keywords: [halts^9]}")
    (shell.folder / "other.yaml").write_text(edited.replace("morning", "noon"), encoding="utf-8")

    def dump() -> list[str]:
        with closing(sqlite3.connect(shell.folder / "data" / "monitor.db")) as conn:
            return list(conn.iterdump())

    before = dump()
    assert "Things that stop" not in shown(shell, "morning")
    assert shell("-c", "other.yaml", "digest", "--preview").stdout.startswith("noon: 1 story")
    assert "Things that stop" in (shell.folder / "preview" / "noon.html").read_text("utf-8")
    shell.write(edited)
    assert "Things that stop" in shown(shell, "morning")
    assert dump() == before
    assert shell("digest").stdout.startswith("morning: 1 story ")
    outbox = shell.folder / "data" / "outbox"
    assert "Things that stop" in next(outbox.glob("*.html")).read_text("utf-8")


def shown(shell: Shell, name: str) -> str:
    """Preview a digest and return its page."""
    assert shell("digest", "--preview", name).returncode == 0
    return (shell.folder / "preview" / f"{name}.html").read_text("utf-8")


def test_a_rematch_says_what_it_did_and_the_next_edition_tells_it(shell: Shell) -> None:
    """A dry run first, which changes nothing; a second time there is nothing to do."""
    news = "Microsoft and Anthropic quarrel over AGI"
    shell.server.put("/one.xml", feed_document([NEWS, news], datetime.now(UTC) - timedelta(hours=1)))
    shell("poll")
    assert "1 story" in shell("digest").stdout
    shell.write((shell.folder / "feeds.yaml").read_text("utf-8").replace("[OpenAI]", "[OpenAI, Anthropic]"))
    assert "nothing new" in shell("digest").stdout
    dry = shell("rematch", "--since", "2d", "--dry-run").stdout.splitlines()
    done = shell("rematch", "--since", "2d").stdout.splitlines()
    assert dry[0].endswith("UTC would be judged again")
    assert done[0].startswith("2 items since ")
    assert done[1:] == [
        "hits: 1 gained, 0 lost, 0 moved between themes",
        f"  gained  #2  agi: {news}",
        "digest morning: 1 of those gained are in its next edition",
    ]
    assert dry[1:] == [
        *done[1:3],
        "digest morning: 1 of those gained would be in its next edition",
        "nothing was changed (--dry-run)",
    ]
    assert "0 items since" in (again := shell("rematch", "--since", "2d").stdout)
    assert "2 more were judged by this feeds.yaml already" in again
    assert shell("digest").stdout.startswith(f"morning: 1 story from 1 report: {news}")
    assert "nothing new" in shell("digest").stdout


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        ((), 2, "say since when, such as 7d"),
        (("--since", "soon"), 2, "'soon' is neither a length of time, such as 30d or 12h, nor a day"),
        (("--since", "7d"), 1, "data/monitor.db: no database yet; poll first"),
    ],
)
def test_a_rematch_that_cannot_be_done_says_why(shell: Shell, words: tuple[str, ...], status: int, line: str) -> None:
    """Without a time, with none, without a database."""
    done = shell("rematch", *words)
    assert done.returncode == status
    assert line in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_rematch_waits_for_no_poll(shell: Shell, dry: tuple[str, ...]) -> None:
    """Nor does a poll wait for it: beside a worker both go on."""
    shell("poll")
    with hold(shell.folder / "data", "poll"):
        assert shell("rematch", "--since", "7d", *dry).returncode == 0


def test_a_rematch_that_is_interrupted_says_what_it_saved(shell: Shell) -> None:
    """Ctrl-C: exit 1, what was done until then, and what to do."""
    shell("poll")
    shell.write((shell.folder / "feeds.yaml").read_text("utf-8").replace("[OpenAI]", "[OpenAI, Anthropic]"))
    program = (
        "import os, signal, sys, time; from monitor import again, cli; true = again.judge\n"
        "def slow(*a):\n os.kill(os.getpid(), signal.SIGINT); time.sleep(0.5); return true(*a)\n"
        "again.judge = slow; sys.argv = ['monitor', 'rematch', '--since', '7d']; cli.main()"
    )
    done = shell.python(program)
    assert done.returncode == 1
    assert done.stdout.startswith("1 items since ")
    assert "ended before all were judged; so far it is saved; run it again for the rest" in done.stdout
    assert "Traceback" not in done.stderr
    assert "0 more" not in (rest := shell("rematch", "--since", "7d")).stdout
    assert rest.returncode == 0


def test_a_digest_that_does_not_exist_lists_those_that_do(shell: Shell) -> None:
    """A typing error is answered with the names."""
    done = shell("digest", "mornign")
    assert done.returncode == 2
    assert done.stderr == "feeds.yaml: no digest is named 'mornign'; there is: morning\n"


def test_mail_goes_through_the_settings_of_the_environment(shell: Shell, tmp_path: Path) -> None:
    """STARTTLS, user, password file and private authority, as the README says."""
    with MailServer(tmp_path, tls=True) as server:
        (tmp_path / "password").write_text("secret\n")
        smtp = {
            "MONITOR_SMTP_HOST": "localhost",
            "MONITOR_SMTP_PORT": str(server.port),
            "MONITOR_SMTP_FROM": "monitor@example.test",
            "MONITOR_SMTP_USER": "monitor",
            "MONITOR_SMTP_PASSWORD_FILE": str(tmp_path / "password"),
            "MONITOR_SMTP_CA_FILE": str(server.ca_file),
        }
        tested = shell("send-test", "me@example.test", **smtp)
        shell("poll")
        sent = shell("digest", **smtp)
        refused = shell("send-test", "me@example.test", **{**smtp, "MONITOR_SMTP_CA_FILE": ""})
    assert (tested.returncode, sent.returncode, refused.returncode) == (0, 0, 1)
    connected, tls, login, said = tested.stdout.splitlines()
    assert connected.startswith(f"connected to localhost:{server.port}; it says: ")
    assert tls.startswith("TLSv1.")
    assert login == "logged in as monitor"
    assert said.startswith("me@example.test: sent: 250")
    assert "certificate is not trusted" in refused.stdout
    assert [to for to, _ in server.received] == ["me@example.test", "you@example.test"]
    assert server.received[1][1]["Subject"].startswith("Microsoft halts")


@pytest.mark.parametrize(
    ("words", "environ", "status", "line"),
    [
        (("-c", "nope.yaml", "poll"), {}, 2, "nope.yaml: not found; put it there, or name another with --config or "),
        (("poll",), {"MONITOR_CONFIG": "gone.yaml"}, 2, "gone.yaml: not found; put it there"),
        (("poll",), {"MONITOR_LOG": "loud"}, 2, "environment: MONITOR_LOG: 'loud' is not one of auto, text, json"),
        (("digest",), {"MONITOR_SMTP_HOST": "h"}, 2, "environment: MONITOR_SMTP_FROM: say which address"),
        (("digest",), {"MONITOR_SMTP_PORT": "many"}, 2, "environment: MONITOR_SMTP_PORT: "),
        (("-d", "feeds.yaml", "poll"), {}, 1, "feeds.yaml: cannot be used as the data folder"),
        (("evaluate", "gone.jsonl"), {}, 1, "gone.jsonl: cannot be read: No such file or directory"),
        (("send-test", "nobody"), {}, 2, "'nobody' is not a mail address"),
        (("demo", "--language", "fr"), {}, 2, "en or zh"),
        (("pol",), {}, 2, "No such command 'pol'"),
    ],
)
def test_a_mistake_is_one_readable_line(
    shell: Shell, words: tuple[str, ...], environ: dict[str, str], status: int, line: str
) -> None:
    """What, where, and what to do; never a traceback."""
    done = shell(*words, **environ)
    assert done.returncode == status
    assert line in done.stderr


def test_check_says_what_an_edit_changed(shell: Shell) -> None:
    """Beside what the worker took up last, so that a section that lost its head is seen; nothing where none ran."""
    first = (
        (shell.folder / "feeds.yaml")
        .read_text("utf-8")
        .replace("  not: [Tesla Optimus]", "  not:\n    - Tesla Optimus")
    )
    first = first.replace("  not:", "  relations:\n    - deal\n  not:")
    shell.write(first)
    assert "unlike" not in shell("check").stdout
    (shell.folder / "data").mkdir()
    lastgood.keep(first.encode(), shell.folder / "data")
    assert "unlike" not in shell("check").stdout
    shell.write(first.replace("  not:\n", ""))
    assert shell("check").stdout.splitlines()[2:] == [
        "unlike what the worker took up last:",
        "  coverage.not removed: Tesla Optimus",
        "  coverage.relations added: Tesla Optimus",
    ]


@pytest.mark.parametrize("words", [(), ("feeds",)])
def test_what_each_command_does_is_said_in_a_line(shell: Shell, words: tuple[str, ...]) -> None:
    """None is cut short on a terminal of 80 columns."""
    done = shell(*words, "--help", COLUMNS="80")
    _, _, commands = done.stdout.partition("Commands:\n")
    assert len(commands.splitlines()) >= 8
    assert [line for line in commands.splitlines() if not line.endswith(".") or line.endswith("...")] == []


def test_a_database_of_a_later_version_is_left_untouched(shell: Shell) -> None:
    """Going back to an old version must not spoil what the new one wrote."""
    shell("poll")
    database = shell.folder / "data" / "monitor.db"
    with closing(sqlite3.connect(database)) as conn, conn:
        conn.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('monitor', 'm999', '')")
    before = database.read_bytes()
    done = shell("poll", "--all")
    assert done.returncode == 1
    assert "was written by a later version" in done.stderr
    assert database.read_bytes() == before


def test_a_file_that_is_no_database_is_named(shell: Shell) -> None:
    """And not overwritten."""
    (shell.folder / "data").mkdir()
    (shell.folder / "data" / "monitor.db").write_text("not a database, but something precious\n" * 100)
    done = shell("poll")
    assert done.returncode == 1
    assert "monitor.db: cannot be used as the database" in done.stderr
    assert "precious" in (shell.folder / "data" / "monitor.db").read_text()


def test_two_polls_at_once_do_not_meet(shell: Shell) -> None:
    """The second says who is in the way."""
    with hold(shell.folder / "data", "poll"):
        done = shell("poll")
    assert done.returncode == 1
    assert "another process is doing this already (poll)" in done.stderr


def test_check_names_every_mistake_with_its_place(shell: Shell) -> None:
    """And is content with a good file."""
    assert shell("check").stdout.startswith("feeds.yaml: 1 feed, 1 digest, themes: compute, agi, competition")
    shell.write(config_text(["http://127.0.0.1/a"]).replace("AGI]", "AGI AND]").replace("at:", "att:"))
    done = shell("check")
    assert done.returncode == 2
    told = [line.split(": ")[0] for line in done.stderr.splitlines() if line.startswith("feeds.yaml:")]
    assert told == ["feeds.yaml:4:5", "feeds.yaml:19:20", "feeds.yaml"]
    assert "feeds.yaml: 2 faults" in done.stderr
    assert "did you mean at?" in done.stderr


def test_check_runs_the_examples_of_the_themes(shell: Shell) -> None:
    """An example that comes out wrong is named, with the reason."""
    wrong = "    examples: {hits: [Microsoft and OpenAI at lunch]}\n  agi:"
    shell.write(config_text(["http://127.0.0.1/a"]).replace("  agi:", wrong))
    done = shell("check")
    assert done.returncode == 1
    assert "themes.compute: should be a hit: Microsoft and OpenAI at lunch (no keyword of the theme)" in done.stderr


def test_explain_says_which_keyword_stands_where(shell: Shell) -> None:
    """For a yes the words, the points and the themes; for a no what is missing."""
    yes = shell("explain", "--title", "微软 and OpenAI disagree on AGI", "--summary", "A rival laughs.").stdout
    assert yes.splitlines()[0] == "a hit: agi (1.5), competition (1)"
    assert "[微软] and [OpenAI] disagree on {AGI}" in yes
    assert "A {rival} laughs." in yes
    assert re.search(r"coverage: \d+\.\d points, 3 needed\n +\+\d\.\d  both mentioned", yes)
    assert "theme competition: 1 points, 1 needed\n    rival in the summary, by rival" in yes
    no = shell("explain", "--title", "Microsoft sells games").stdout
    assert "not a hit: no name or hint of openai" in no
    assert re.search(r"openai +not mentioned", no)


def test_explain_finds_what_is_stored(shell: Shell) -> None:
    """By number, by address and by words of the title; judged by the rules of today."""
    other = "OpenAI waits for a data centre of Microsoft"
    shell.server.put("/one.xml", feed_document([NEWS, other], datetime.now(UTC) - timedelta(hours=1)))
    shell("poll")
    with closing(sqlite3.connect(shell.folder / "data" / "monitor.db")) as conn:
        [(number, link)] = conn.execute("SELECT id, link FROM items WHERE title = ?", (NEWS,)).fetchall()
    for reference in (link, "halts a DATA"):
        done = shell("explain", reference)
        assert done.stdout.startswith("a hit: compute"), reference
        assert "[Microsoft] halts a {data centre} that [OpenAI] wanted" in done.stdout
        assert "when it came in" not in done.stdout
    shell.write((shell.folder / "feeds.yaml").read_text("utf-8").replace("data centre OR data center", "campus"))
    assert "when it came in, under the rules of that day: a hit: compute" in shell("explain", str(number)).stdout


def test_explain_says_what_to_do_when_the_item_is_not_clear(shell: Shell) -> None:
    """Nothing stored, nothing found, several found, nothing asked, both asked: one readable answer each."""
    assert "no database yet; poll first, or give --title" in shell("explain", "halts").stderr
    shell.server.put("/one.xml", feed_document([NEWS, f"{NEWS} again"], datetime.now(UTC) - timedelta(hours=1)))
    shell("poll")
    done = shell("explain", "nothing of the kind")
    assert done.returncode == 1
    assert done.stderr == (
        "nothing of the kind: no stored item has this number, address or title; --title judges any text\n"
    )
    several = shell("explain", "halts").stderr.splitlines()
    assert several[0] == "halts: several items, name one by its number:"
    assert [re.sub(r"^ +\d+  [\d-]+  ", "", line) for line in several[1:]] == [NEWS, f"{NEWS} again"]
    assert shell("explain", "7", "--title", "x").returncode == 2


def test_evaluate_prints_figures_and_writes_predictions(shell: Shell) -> None:
    """On two labelled items, one of them missed."""
    rows = [
        {"id": "a", "title": NEWS, "summary": "", "relevant": True, "themes": ["compute"]},
        {"id": "b", "title": "Redmond and its lab", "summary": "", "relevant": True, "themes": ["agi"]},
    ]
    (shell.folder / "gold.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    done = shell("evaluate", "gold.jsonl", "--predictions", "said.jsonl")
    assert done.returncode == 0
    assert re.search(r"relevance +P 1\.000  R 0\.500  F1 0\.667  tp +1  fp +0  fn +1", done.stdout)
    said = [json.loads(line) for line in (shell.folder / "said.jsonl").read_text().splitlines()]
    assert said == [
        {"id": "a", "relevant": True, "themes": ["compute"]},
        {"id": "b", "relevant": False, "themes": []},
    ]


def test_evaluate_tells_languages_apart_and_lists_misses(shell: Shell) -> None:
    """Of a folder; the labels and the verdict of each item that is judged otherwise, and nothing of the others."""
    (shell.folder / "gold").mkdir()
    for language, title in (("en", "Redmond and its lab"), ("en", NEWS), ("zh", "微软OpenAI")):
        row = {"id": title, "title": title, "summary": "", "relevant": True, "themes": ["compute"], "lang": language}
        with (shell.folder / "gold" / f"{language}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    done = shell("evaluate", "gold", "--misses").stdout
    assert done.startswith("3 items\n")
    assert re.findall(r"^(\w+): (\d) items", done, re.M) == [("en", "2"), ("zh", "1")]
    assert (
        "Redmond and its lab: Redmond and its lab | \n  labelled a hit: compute\n  judged   not a hit: no name" in done
    )
    assert "微软OpenAI: 微软OpenAI | \n  labelled a hit: compute\n  judged   a hit: no theme\n" in done
    assert f"{NEWS}: {NEWS}" not in done


def test_feeds_list_shows_the_state_of_each_feed(shell: Shell) -> None:
    """Never polled, answering, failing, disabled."""
    shell.write(
        config_text([shell.server.url("/one.xml"), "http://me:secret@127.0.0.1:9/closed.xml"]).replace(
            "coverage:", "  - {url: http://127.0.0.1/off.xml, enabled: false}\ncoverage:"
        )
    )
    assert shell("feeds", "list").stdout.count("\tnew\tnever\t") == 2
    shell("poll")
    states = [line.split("\t") for line in shell("feeds", "list").stdout.splitlines()[1:]]
    assert [state[1] for state in states] == ["ok", "failing", "disabled"]
    assert states[1][4].startswith("could not be reached")
    assert "secret" not in shell("feeds", "list").stdout


def test_feeds_list_fits_a_narrow_terminal(shell: Shell) -> None:
    """Remarks stand below the table, each on a line of its own, and no address is cut into pieces."""
    address = f"http://127.0.0.1:9/{'closed-' * 6}.xml"
    shell.write(
        config_text([shell.server.url("/one.xml"), address]).replace(
            f"- {address}", f"- {{name: 量子位, url: {address}}}"
        )
    )
    shell("poll")
    done = shell.python(
        "import sys; from monitor import cli, cli_common; sys.stdout.isatty = lambda: True\n"
        "sys.argv = ['monitor', 'feeds', 'list']; cli.main()",
        COLUMNS="80", NO_COLOR="1",
    )  # fmt: skip
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert any(line.startswith("量子位: could not be reached: ") for line in lines)
    assert any(re.match(r"量子位 +failing +never +\d\d-\d\d \d\d:\d\d$", line) for line in lines)
    assert "closed-" not in done.stdout


def test_health_tells_the_truth(shell: Shell) -> None:
    """Red before the worker runs, green after a good poll, red again when a mail is stuck."""
    before = shell("health")
    assert before.returncode == 1
    assert before.stdout == "database: there is none in data yet: start the worker, and it makes one\n"
    assert not (shell.folder / "data").exists()
    shell("poll")
    assert shell("health").stdout == "worker: none is running on this data folder: start it with monitor run\n"
    with hold(shell.folder / "data", "worker"):
        assert shell("health").stdout == "healthy\n"
    shell("digest")
    with closing(sqlite3.connect(shell.folder / "data" / "monitor.db")) as conn, conn:
        conn.execute("UPDATE deliveries SET state = ?", (State.PENDING,))
        conn.execute("UPDATE messages SET created = '2026-01-01T00:00:00.000000Z'")
    with hold(shell.folder / "data", "worker"):
        stuck = shell("health", "--json")
    assert stuck.returncode == 1
    told = json.loads(stuck.stdout)
    assert (told["healthy"], told["remarks"]) == (False, [])
    assert told["problems"][0].startswith("delivery to you@example.test: pending since 2026-01-01 00:00 UTC")


def test_health_goes_by_the_last_good_settings_while_the_file_is_broken(shell: Shell) -> None:
    """What else is wrong is not hidden by the fault; without a copy the fault is told alone.

    It is a remark as long as a worker runs: that will look at it within a minute, and goes on.
    """
    shell("poll")
    good = (shell.folder / "feeds.yaml").read_bytes()
    shell.write("themes: [")
    with closing(sqlite3.connect(shell.folder / "data" / "monitor.db")) as conn, conn:
        conn.execute("UPDATE digests SET first_seen = '2026-01-01T00:00:00.000000Z'")
    with hold(shell.folder / "data", "worker"):
        well, alone = shell("health").stdout.splitlines()
        (shell.folder / "data" / "feeds.last-good.yaml").write_bytes(good)
        late, fault = shell("health").stdout.splitlines()
    assert (well, alone) == ("healthy", fault)
    assert fault.startswith("note: configuration: feeds.yaml:1:")
    assert late.startswith("digest morning: the edition of 2026-01-01 07:30 UTC is overdue: ")
    stopped = shell("health")
    assert fault.removeprefix("note: ") in stopped.stdout.splitlines()
    assert stopped.returncode == 1
    assert shell("poll").returncode == 2


def test_the_demo_needs_nothing(shell: Shell) -> None:
    """No feeds.yaml, no data folder: a table, a summary and a page."""
    (shell.folder / "feeds.yaml").unlink()
    done = shell("demo", "--out", "shown")
    assert done.returncode == 0
    assert "8 feeds unchanged, 0 new items" in done.stdout
    pages = list((shell.folder / "shown").glob("*/*.html"))
    assert len(pages) == 1
    assert str(Path("shown")) in done.stdout
    assert not (shell.folder / "data").exists()


def test_a_reader_that_leaves_is_no_error(shell: Shell) -> None:
    """`monitor … | head -1` ends quietly."""
    done = subprocess.run(
        f"{sys.executable} -m monitor demo --out x | head -1",
        shell=True,
        capture_output=True,
        text=True,
        cwd=shell.folder,
        env=shell.environ,
        check=False,
    )
    assert done.stderr == ""


def test_out_without_preview_sends_nothing(shell: Shell) -> None:
    """Who names a folder for the page does not expect a mail."""
    shell("poll")
    done = shell("digest", "--out", "look")
    assert done.returncode == 2
    assert "only goes with --preview" in done.stderr
    assert "1 story" in shell("digest").stdout


def test_a_test_mail_without_a_server_is_no_success(shell: Shell) -> None:
    """Most likely a variable's name was mistyped, and that is named."""
    done = shell("send-test", "me@example.test", MONITOR_SMPT_HOST="mail.example.test")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "environment: MONITOR_SMPT_HOST is not a setting; did you mean MONITOR_SMTP_HOST?",
        "environment: MONITOR_SMTP_HOST: no mail server is set, so there is none to test; digests go to data/outbox",
    ]


# ---------------------------------------------------------------- labels, learning, suggestions

PLAIN = "second_opinion: {mode: blend, sense: false}\n"
"""Without the extra or with it, tests do not wait for thousands of embeddings."""


def polled(shell: Shell) -> None:
    """Store the one item, with number 1."""
    shell("poll")


def test_a_reader_says_what_an_item_is(shell: Shell) -> None:
    """By its number in the digest; kept in the database and beside it, and taken back again."""
    polled(shell)
    done = shell("label", "#1", "--relevant", "no")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"noted: {NEWS}\n1 labels, also in ")
    file = shell.folder / "data" / "labels.jsonl"
    [row] = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert (row["title"], row["relevant"], row["themes"]) == (NEWS, False, [])
    shell("label", "1", "--themes", "compute,agi")
    [row] = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert (row["relevant"], row["themes"]) == (True, ["compute", "agi"])
    assert shell("label").stdout.splitlines()[1].split("\t")[1:3] == ["a hit: compute, agi", NEWS]
    assert shell("evaluate", "data/labels.jsonl").returncode == 0
    assert shell("label", "1", "--undo").stdout.startswith(f"taken back: {NEWS}\n0 labels")
    assert file.read_text() == ""
    assert "nothing was said of it" in shell("label", "1", "--undo").stderr
    assert "nothing was said of any item yet" in shell("label").stdout


def test_relevance_alone_says_nothing_of_themes(shell: Shell) -> None:
    """Unknown is not none."""
    polled(shell)
    for words, themes in ((("--relevant", "yes"), None), (("--themes", "none"), [])):
        shell("label", "1", *words)
        [row] = map(json.loads, (shell.folder / "data" / "labels.jsonl").read_text("utf-8").splitlines())
        assert (row["relevant"], row["themes"]) == (True, themes)


def test_a_miss_is_reported_by_its_address(shell: Shell) -> None:
    """One that a feed brought is found; another needs its words."""
    polled(shell)
    assert shell("label", "--missed", stored_link(shell) + "?utm_source=mail").stdout.startswith(f"noted: {NEWS}\n")
    other = shell("label", "--missed", "https://elsewhere.example.com/1")
    assert other.returncode == 1
    assert "no feed brought it? then give --title" in other.stderr
    done = shell("label", "--missed", "https://elsewhere.example.com/1", "--title", "Redmond und sein Labor")
    assert done.stdout.startswith("noted: Redmond und sein Labor\n2 labels")
    undone = shell("label", "--missed", "https://elsewhere.example.com/1", "--undo")
    assert undone.stdout.startswith("taken back: Redmond und sein Labor\n1 labels")


def stored_link(shell: Shell) -> str:
    """Return the address of the one stored item."""
    with closing(sqlite3.connect(shell.folder / "data" / "monitor.db")) as database:
        [(link,)] = database.execute("SELECT link FROM items").fetchall()
    return str(link)


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (("1",), 2, "say --relevant yes or no, or --themes"),
        (("--relevant", "no"), 2, "name the item"),
        (("1", "--relevant", "maybe"), 2, "yes or no"),
        (("1", "--themes", "agi,none"), 2, "name themes, or none alone"),
        (("1", "--themes", ","), 2, "name themes, or none alone"),
        (("--missed", "https://example.com/", "--title", "x", "--relevant", "no"), 2, "what was missed is relevant"),
        (("1", "--themes", "agy"), 2, "there is no theme 'agy'; did you mean agi?"),
        (("1", "--relevant", "no", "--themes", "agi"), 2, "an item that is not relevant has no themes"),
        (("1", "--missed", "https://example.com/"), 2, "either a stored item or --missed"),
        (("1", "--title", "x", "--relevant", "no"), 2, "only go with --missed"),
        (("--missed", "notanaddress", "--title", "x"), 2, "'notanaddress' is no web address"),
        (("99", "--relevant", "no"), 1, "99: no stored item has this number"),
    ],
)
def test_a_label_that_makes_no_sense_is_refused(
    shell: Shell, words: tuple[str, ...], status: int, complaint: str
) -> None:
    """With what to write instead; nothing is kept."""
    polled(shell)
    done = shell("label", *words)
    assert done.returncode == status
    assert complaint in re.sub(r"[\s│]+", " ", done.stderr)
    assert not (shell.folder / "data" / "labels.jsonl").exists()


def test_learning_takes_up_what_was_said(shell: Shell) -> None:
    """It says what it is worth, writes weights into the data folder, and the next command uses them."""
    shell.write(config_text([shell.server.url("/one.xml")]) + PLAIN)
    polled(shell)
    shell("label", "1", "--relevant", "no")
    done = shell("learn")
    assert done.returncode == 0, done.stderr
    assert re.match(r"\d{4} labelled items, 1 of them your own", done.stdout)
    assert re.search(r"^  relevance +0\.\d{3} +0\.\d{3}", done.stdout, re.M)
    assert f"written to {Path('data') / 'opinion.json'}" in done.stdout
    weights = json.loads((shell.folder / "data" / "opinion.json").read_text("utf-8"))
    assert weights["about"].endswith("1 of them your own")
    assert "second opinion:" in shell("explain", "1").stdout
    (shell.folder / "data" / "opinion.json").write_text("{")
    shell.server.put("/one.xml", feed_document([NEWS, f"{NEWS} again"], datetime.now(UTC) - timedelta(hours=1)))
    for command in (("explain", "1"), ("check",), ("poll", "--all")):
        done = shell(*command)
        assert done.returncode == 1
        assert re.fullmatch(
            r"data/opinion\.json: not weights of the second opinion \(.*\); delete it, or run .*\n", done.stderr
        )


def test_a_dry_run_of_learning_writes_nothing(shell: Shell) -> None:
    """And what it cannot learn it says in one line."""
    shell.write(config_text([shell.server.url("/one.xml")]).replace("openai:", "anthropic:"))
    done = shell("learn", "--dry-run")
    assert done.returncode == 1
    assert done.stderr.startswith("too few labelled items on microsoft and anthropic to learn from")
    assert not (shell.folder / "data" / "opinion.json").exists()


def test_check_says_what_the_second_opinion_cannot_judge(shell: Shell) -> None:
    """Another pair, or a theme of one's own."""
    text = config_text([shell.server.url("/one.xml")]) + "  court:\n    keywords: [lawsuit]\n" + PLAIN
    shell.write(text)
    done = shell("check")
    assert done.returncode == 0
    assert done.stderr == "themes.court: there are no labels to learn from, so the keywords alone decide\n"
    assert "second opinion: blend\n" in done.stdout


def test_explain_lets_both_voices_be_heard(shell: Shell) -> None:
    """How likely, and what speaks for it."""
    shell.write(config_text([shell.server.url("/one.xml")]) + PLAIN)
    said = shell("explain", "--title", NEWS).stdout
    assert re.search(r"^  second opinion: \d+% coverage$", said, re.M)
    assert re.search(r"^  second opinion: \d+% theme compute, if it is coverage$", said, re.M)
    assert "by what the keywords found" in said
    assert "by the words" in said


def test_off_is_off(shell: Shell) -> None:
    """Nothing is heard, and the verdicts are those of the keywords."""
    rows = (ROOT / "labels" / "held-out" / "future.jsonl").read_text("utf-8").splitlines()[:60]
    (shell.folder / "gold.jsonl").write_text("\n".join(rows), encoding="utf-8")
    text = re.sub(r"^second_opinion:.*\n", PLAIN, (ROOT / "feeds.yaml").read_text("utf-8"), flags=re.M)
    said = {}
    for mode in ("off", "add", "blend"):
        shell.write(text)
        shell("evaluate", "gold.jsonl", "--opinion", mode, "--predictions", f"{mode}.jsonl")
        said[mode] = (shell.folder / f"{mode}.jsonl").read_text()
    shell.write(re.sub(r"^second_opinion:.*\n", "", text, flags=re.M))
    shell("evaluate", "gold.jsonl", "--predictions", "none.jsonl")
    assert said["off"] == (shell.folder / "none.jsonl").read_text()
    assert len(set(said.values())) == 3
    done = shell("evaluate", "gold.jsonl", "--opinion", "on")
    assert (done.returncode, "off, add or blend" in done.stderr) == (2, True)


def test_suggest_names_keywords_and_their_items(shell: Shell) -> None:
    """Of the labels that came along, without a database too."""
    shell.write((ROOT / "feeds.yaml").read_text("utf-8"))
    done = shell("suggest", "--most", "2")
    assert done.returncode == 0, done.stderr
    assert "labelled items with it say yes" in done.stdout


# ------------------------------------------------------------------ looking without sending


def test_the_sample_shows_the_look_without_any_news(shell: Shell) -> None:
    """For whoever tunes the templates; nothing is stored."""
    done = shell("digest", "--sample")
    assert done.returncode == 0
    page = (shell.folder / "preview" / "sample.html").read_text("utf-8")
    assert "This is the sample: nothing in it happened." in page
    assert "nothing was sent or marked" in done.stdout


def test_a_sent_edition_is_listed_and_shown_again(shell: Shell) -> None:
    """By its number, the same bytes; although a template was edited since."""
    assert "no database yet" in shell("editions").stderr
    shell("poll")
    assert "no edition was mailed yet" in shell("editions").stdout
    shell("digest")
    number, digest, *_ = shell("editions").stdout.splitlines()[1].split("\t")
    assert digest == "morning"
    assert "archive/index.html" in shell("editions").stdout
    (shell.folder / "templates").mkdir()
    (shell.folder / "templates" / "digest.css").write_text("h1 { color: #654321; }")
    done = shell("digest", "--again", number, "--out", "old")
    assert "rendered again: the same bytes as were sent" in done.stdout
    [sent] = (shell.folder / "data" / "outbox").glob("*.eml")
    assert (shell.folder / "old" / f"morning-{number}.eml").read_bytes() == sent.read_bytes()
    assert "no edition of this number" in shell("digest", "--again", "99").stderr
    assert shell("digest", "--again", "1", "--preview").returncode == 2
    assert shell("digest", "--again", "0").returncode == 2


def test_a_template_with_a_fault_is_named_with_its_line(shell: Shell) -> None:
    """By check and by previews; a digest goes out all the same."""
    own = shell.folder / "templates"
    own.mkdir()
    (own / "story.html").write_text("fine\n{% for %}\n")
    shell("poll")
    for words in (("check",), ("digest", "--preview"), ("digest", "--sample")):
        done = shell(*words)
        assert done.returncode == 1
        assert f"{own / 'story.html'}:2: " in done.stderr
    assert "sent: written to" in shell("digest").stdout
    assert f"{own / 'story.html'}:2: " in shell("health").stdout


def test_a_watched_preview_follows_edits_and_outlives_mistakes(shell: Shell) -> None:
    """A template, feeds.yaml, a fault in either, until SIGINT."""
    own = shell.folder / "templates"
    own.mkdir()
    (own / "number.html").write_text("")
    watching = subprocess.Popen(
        [sys.executable, "-m", "monitor", "digest", "--sample", "--watch"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=shell.folder,
        env={**shell.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert watching.stdout is not None
    page = shell.folder / "preview" / "sample.html"
    patience = threading.Timer(120, watching.kill)  # rather than wait for ever for a line that does not come
    patience.start()

    def until(words: str) -> str:
        assert watching.stdout is not None
        lines = []
        for line in watching.stdout:
            lines.append(line)
            if words in line:
                return "".join(lines)
        raise AssertionError(f"{words!r} did not come: {lines}")

    try:
        until("nothing was sent")
        (own / "number.html").write_text("<b>mine</b>")
        until("nothing was sent")
        assert "<b>mine</b>" in page.read_text("utf-8")
        (own / "number.html").write_text("{% if %}")
        until("number.html:1: ")
        (own / "number.html").write_text("<b>again</b>")
        until("nothing was sent")
        shell.write("digests: [")
        until("feeds.yaml:")
        shell.write(config_text([shell.server.url("/one.xml")]).replace("morning", "noon"))
        until("noon: ")
    finally:
        patience.cancel()
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=10)
    assert watching.returncode == 0
