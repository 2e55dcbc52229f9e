"""Logs: one line an event, without secrets and without news, whoever logs and whatever feeds and servers say."""

from __future__ import annotations

import json
import logging
import os
import pty
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from monitor import logs
from monitor.errors import without_secrets
from monitor.store import Store
from tests.builders import config_text, feed_document
from tests.feedserver import FeedServer
from tests.mailserver import MailServer
from tests.test_schedule import running

HOUR = timedelta(hours=1)
SECRET = "canary-7f3e9b1c5d"
TITLE = "Microsoft and OpenAI part over Zyxwvut"


@pytest.fixture(autouse=True)
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test changes of Python's own ways to say something is put back."""
    monkeypatch.setattr(logs, "_hidden", set())
    root, before = logging.getLogger(), (sys.excepthook, threading.excepthook, sys.unraisablehook)
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    sys.excepthook, threading.excepthook, sys.unraisablehook = before
    root.handlers[:], root.level = handlers, level


def failing() -> None:
    """Raise, through a frame of which a local variable holds a secret."""
    password = SECRET
    try:
        os.environ[f"a\nb https://me:{password}@example.com/?token={password}"]
    except KeyError as e:
        raise ValueError(f"first\nsecond {password}") from e


class Unclosable:
    """What cannot be let go of."""

    def __del__(self) -> None:
        failing()


def say_everything() -> None:
    """Log by every way there is, with line ends, escapes and secrets in it."""
    log = structlog.get_logger()
    log.info(
        "plain\nsecond", reason=f"one\r\ntwo\x1b[31m\u2028https://me:{SECRET}@example.com/feed", count=3, parts=["a\nb"]
    )
    log.warning("object", fault=ValueError(f"x\ny?api_key={SECRET}"), header=f"Authorization: Bearer {SECRET}")
    try:
        failing()
    except ValueError:
        log.exception("went wrong", url=f"https://example.com/rss?access_token={SECRET}&page=2")
        logging.getLogger("somebody.else").exception("theirs\nsecond %s", SECRET)
    warnings.warn(f"a warning\nof two lines {SECRET}", stacklevel=1)
    thread = threading.Thread(target=failing)
    thread.start()
    thread.join()
    unclosable = Unclosable()
    del unclosable


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("form", ["json", "text"])
def test_each_event_is_one_line_without_secrets(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of libraries, warnings, tracebacks and what ends a thread too."""
    logs.set_up(form)
    logs.take_all()
    logs.hide([SECRET, "", "abc"])
    say_everything()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 7, lines
    assert SECRET not in "\n".join(lines)
    assert "\x1b" not in "".join(lines)
    assert "page=2" in lines[2]
    assert "ValueError" in lines[2]
    assert "test_logs.py" in lines[2]
    if form == "json":
        events = [json.loads(line) for line in lines]
        assert all({"event", "level", "timestamp"} <= set(event) for event in events)
        assert (events[0]["count"], events[0]["parts"]) == (3, ["a\\nb"])
        assert events[2]["exception"].startswith("Traceback")


def test_secrets_of_addresses_are_known_without_being_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody needs to say beforehand that they are there."""
    logs.set_up("json")
    structlog.get_logger().info("x", reason=f"https://me:{SECRET}@h/a?key={SECRET} Bearer {SECRET}")
    assert SECRET not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:pw@example.com/x", "https://example.com/x"),
        ("https://h/rss?q=Microsoft+OpenAI&hl=en-US", "https://h/rss?q=Microsoft+OpenAI&hl=en-US"),
        ("https://h/rss?token=abc", "https://h/rss?token=***"),
        ("https://h/rss?a=1&API_KEY=abc&b=2#c", "https://h/rss?a=1&API_KEY=***&b=2#c"),
        ("https://h/rss?x=1&amp;auth=abc", "https://h/rss?x=1&amp;auth=***"),
        ("https://www.reddit.com/.rss?feed=0a1b2c&user=me", "https://www.reddit.com/.rss?feed=***&user=***"),
        ("https://h/rss?v=0123456789abcdef0123", "https://h/rss?v=***"),
        ("at 'https://h/?sig=abc' and", "at 'https://h/?sig=***' and"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic ***"),
        ("what is a key? none", "what is a key? none"),
    ],
)
def test_what_is_secret_in_a_text(text: str, shown: str) -> None:
    """Passwords, and what a query names or looks like a key; the rest says which feed it is."""
    assert without_secrets(text) == shown


@pytest.mark.parametrize("secret", ["", "abc"])
def test_what_is_too_short_to_hide_is_left(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It would be taken out of every word."""
    logs.set_up("json")
    logs.hide([secret])
    structlog.get_logger().info("abcdef")
    assert json.loads(capsys.readouterr().err)["event"] == "abcdef"


# ---------------------------------------------------------------- a real worker


def test_a_worker_in_a_container_writes_json_without_secrets_or_news(tmp_path: Path) -> None:
    """From its first line to its last: feeds that fail, a broken edit, a mail that is refused and one that arrives."""
    with FeedServer() as server, MailServer(tmp_path) as mail:
        now = datetime.now(UTC)
        server.put("/one.xml", feed_document([TITLE], now - HOUR))
        server.put("/page.xml", f"<html><title>{TITLE}\nsecond</title>", headers={"Content-Type": "text/html"})
        server.raw("/line.xml", b"HTTP/1.1 500 broken\x1b[31m\r\nX: y\r\nContent-Length: 0\r\n\r\n")
        with_password = server.url("/one.xml?token=").replace("//", f"//me:{SECRET}@") + SECRET
        urls = [with_password, server.url(f"/page.xml?api_key={SECRET}"), server.url("/line.xml")]
        text = config_text(urls, ("a@example.test", "b@example.test"), f"{now - HOUR:%H:%M}")
        text = text.replace(f"- {urls[2]}", f"- {{url: {urls[2]}, headers: {{X-Api-Key: {SECRET}}}}}")
        file, data = tmp_path / "feeds.yaml", tmp_path / "data"
        file.write_text(text)
        with Store(data / "monitor.db") as store:
            store.meet_digests(["morning"], now - 48 * HOUR, HOUR)  # so that an edition is due at once
        server.put(f"/one.xml?token={SECRET}", feed_document([TITLE], now - HOUR))
        server.put(f"/page.xml?api_key={SECRET}", "<html><title>x</title>", headers={"Content-Type": "text/html"})
        mail.faults["RCPT"] = lambda address: f"550 no such user: {TITLE}" if address.startswith("b@") else ""
        smtp = {
            "MONITOR_SMTP_HOST": "127.0.0.1", "MONITOR_SMTP_PORT": str(mail.port), "MONITOR_SMTP_SECURITY": "plain",
            "MONITOR_SMTP_FROM": "m@example.test", "MONITOR_STRANGER": "1",
        }  # fmt: skip
        with running(file, data, **smtp) as worker:
            worker.wait_for('"polled"')
            worker.wait_for('"delivery"')
            worker.end()
        lines = "".join(worker.lines).splitlines()
    events = [json.loads(line) for line in lines]
    assert all(event["level"] in ("info", "warning", "error") for event in events)
    said = [event["event"] for event in events]
    assert any("digests go to 127.0.0.1" in event for event in said)
    assert any("MONITOR_STRANGER is not a setting" in event for event in said)
    assert {"feed failed", "polled", "edition", "delivery", "ending", "ended"} <= set(said)
    assert SECRET not in "\n".join(lines)
    assert not [
        line for line, event in zip(lines, events, strict=True) if event["level"] == "info" and "Zyxwvut" in line
    ]


def test_a_worker_that_cannot_start_says_so_as_json(tmp_path: Path) -> None:
    """Its last line too."""
    (tmp_path / "feeds.yaml").write_text("themes: [")
    with running(tmp_path / "feeds.yaml", tmp_path / "data") as worker:
        assert worker.process.wait(30) == 2
        assert worker.process.stderr is not None
        [line] = worker.process.stderr.read().splitlines()
    event = json.loads(line)
    assert event["level"] == "error"
    assert "feeds.yaml:1:" in event["event"]


def test_a_worker_on_a_terminal_is_readable(tmp_path: Path) -> None:
    """Its first line is a sentence, an event a line with its time; nothing is JSON."""
    with FeedServer() as server:
        server.put("/one.xml", feed_document([TITLE], datetime.now(UTC) - HOUR))
        (tmp_path / "feeds.yaml").write_text(config_text([server.url("/one.xml")]))
        with running(tmp_path / "feeds.yaml", tmp_path / "data", MONITOR_LOG="text") as worker:
            assert worker.wait_for("digests go to").startswith("monitor ")
            assert re.match(r"\d{4}-\d\d-\d\dT\S+ \[info +\] polled +failed=0 feeds=1", worker.wait_for("polled"))
            worker.end()


def test_auto_means_text_on_a_terminal_and_json_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what stderr is."""
    main, terminal = pty.openpty()
    ends: list[Callable[[], None]] = [lambda: os.close(main)]
    with os.fdopen(terminal, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        assert logs.is_text("auto")
        assert not logs.is_text("json")
    monkeypatch.undo()
    for end in ends:
        end()
    with open(os.devnull, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        assert not logs.is_text("auto")
        assert logs.is_text("text")
