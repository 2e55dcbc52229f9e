"""The demo in parts: the mailbox by real SMTP and HTTP, the samples on a port, a worker between them."""

from __future__ import annotations

import os
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from monitor import config
from monitor.demo import mailbox, server
from monitor.demo.worker import write_config
from tests.browser import chromium, needs_chromium, overflow, violations
from tests.builders import ROOT
from tests.feedserver import FeedServer

HOSTILE = """<html><head><title>kept</title><meta http-equiv="refresh" content="0;url=ELSEWHERE/away"></head>
<body><h1 id="h">Hello</h1><img src="ELSEWHERE/pixel.png" alt=""><script src="ELSEWHERE/script.js"></script><script>
document.getElementById("h").textContent = "owned"; top.document.title = "owned"; fetch("ELSEWHERE/data")</script>
<iframe src="ELSEWHERE/frame"></iframe><style>@import "ELSEWHERE/style.css";</style></body></html>"""


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def a_mailbox() -> Iterator[tuple[mailbox.Mailbox, int, int]]:
    """One that is open, its port for mail and its port for browsers."""
    smtp = free_port()
    with mailbox.serve("127.0.0.1", smtp, 0) as (box, web):
        yield box, smtp, web


def a_mail(subject: str = "A subject", text: str = "in words", page: str = "") -> EmailMessage:
    """One in words, and as a page if there is one."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "Monitor <m@demo.test>", "you@demo.test"
    message.set_content(text)
    if page:
        message.add_alternative(page, subtype="html")
    return message


def send(port: int, *messages: EmailMessage | bytes) -> None:
    """Hand mails over in one session, each for two."""
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        for message in messages:
            raw = message if isinstance(message, bytes) else message.as_bytes(policy=policy.SMTP)
            client.sendmail("m@demo.test", ["you@demo.test", "b@demo.test"], raw)


def get(port: int, path: str) -> tuple[HTTPResponse, str]:
    """Ask for a page, its path as it is given."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response, response.read().decode()
    finally:
        connection.close()


# ---------------------------------------------------------------- the mailbox


def test_a_mail_is_listed_and_shown_as_page_text_and_source() -> None:
    """Newest first, with whom the envelope named."""
    first, second = a_mail("微软 one", "in words: 算力"), a_mail("two", "words", "<p>a <b>page</b></p>")
    with a_mailbox() as (_, smtp, web):
        assert "No mail yet" in get(web, "/")[1]
        send(smtp, first, second)
        listed = get(web, "/")[1]
        assert 0 < listed.index("<a href='/2'>two</a>") < listed.index("<a href='/1'>微软 one</a>")
        assert "you@demo.test, b@demo.test" in listed
        assert "src='/1/plain'" in get(web, "/1")[1]
        assert "src='/2/html'" in get(web, "/2")[1]
        assert get(web, "/2/html")[1].strip() == "<p>a <b>page</b></p>"
        response, text = get(web, "/1/plain")
        assert (response.getheader("Content-Type"), text.strip()) == ("text/plain; charset=utf-8", "in words: 算力")
        assert "Subject: two" in get(web, "/2/source")[1]


def test_what_is_not_there_is_said_to_be_not_there() -> None:
    """A mail without a page has none, and no other path leads anywhere."""
    with a_mailbox() as (_, smtp, web):
        send(smtp, a_mail())
        for path in ("/2", "/1/html", "/1/other", "/../etc/passwd", "/1/html/", "/x"):
            response, text = get(web, path)
            assert (response.status, "no such page" in text) == (404, True), path


def test_a_mail_of_no_known_form_is_shown_all_the_same() -> None:
    """An encoding that does not exist, bytes that are none of it, no text at all."""
    odd = b"Subject: odd\r\nContent-Type: text/plain; charset=x-none\r\n\r\n\xe5\xbe\xae \xff\r\n"
    bare = b"Subject: bare\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n"
    with a_mailbox() as (_, smtp, web):
        send(smtp, odd, bare, b"\r\n\r\n")
        assert get(web, "/1/plain")[1].strip() == "微 \ufffd"
        assert "src='/2/source'" in get(web, "/2")[1]
        assert "no subject" in get(web, "/3")[1]


def test_it_keeps_the_last_ones_and_takes_none_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers go on, so that a page that is open shows no other mail."""
    monkeypatch.setattr(mailbox, "KEPT", 3)
    monkeypatch.setattr(mailbox, "LARGEST", 20_000)
    with a_mailbox() as (box, smtp, web):
        with pytest.raises(smtplib.SMTPException):
            send(smtp, a_mail(text="long " * 5000))
        send(smtp, *(a_mail(f"number {n}") for n in range(1, 6)))
        assert [mail.number for mail in box.mails] == [3, 4, 5]
        assert get(web, "/2")[0].status == 404
        assert "number 3" in get(web, "/3")[1]


def test_nothing_of_a_mail_is_taken_for_a_part_of_the_page() -> None:
    """Its headers are words; its page says by itself that nothing in it may act, whoever opens it."""
    with a_mailbox() as (_, smtp, web):
        send(smtp, a_mail("<script>alert(1)</script>", page=HOSTILE))
        for path in ("/", "/1"):
            response, text = get(web, path)
            assert "<script" not in text
            assert "default-src 'none'" in (response.getheader("Content-Security-Policy") or "")
        for path in ("/1/html", "/1/plain", "/1/source"):
            response, _ = get(web, path)
            said = response.getheader("Content-Security-Policy") or ""
            assert said.startswith("sandbox; default-src 'none'")
            assert response.getheader("X-Content-Type-Options") == "nosniff"
        assert "<iframe sandbox " in get(web, "/1")[1]


@needs_chromium
def test_in_a_browser_no_script_of_a_mail_runs_and_nothing_is_fetched() -> None:
    """Neither in its frame nor by itself."""
    with FeedServer() as elsewhere, a_mailbox() as (_, smtp, web), chromium() as browser:
        send(smtp, a_mail("Hello", page=HOSTILE.replace("ELSEWHERE", elsewhere.url(""))))
        page = browser.new_page()
        for path, place in (("/1", page.frame_locator("iframe")), ("/1/html", page)):
            page.goto(f"http://127.0.0.1:{web}{path}", wait_until="networkidle")
            assert place.locator("#h").inner_text() == "Hello"
            assert page.title() != "owned"
            assert page.url.endswith(path)
        assert elsewhere.requests == []


@needs_chromium
@pytest.mark.parametrize(("path", "known"), [("/", ["meta-refresh"]), ("/1", [])])
def test_the_pages_are_accessible_and_fit_a_phone(path: str, known: list[str]) -> None:
    """In either scheme; that the list looks for new mail by itself is meant."""
    with a_mailbox() as (_, smtp, web), chromium() as browser:
        send(smtp, a_mail("long" * 50))
        context = browser.new_context(viewport={"width": 360, "height": 800}, bypass_csp=True)
        for scheme in ("light", "dark"):
            page = context.new_page()
            page.emulate_media(color_scheme=scheme)
            page.goto(f"http://127.0.0.1:{web}{path}")
            assert overflow(page) <= 0
            assert [fault.partition(":")[0] for fault in violations(page)] == known


# ---------------------------------------------------------------- a worker on the samples


def environ(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a process that works in this folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MONITOR_")}
    return {**kept, "PYTHONPATH": str(ROOT), "MONITOR_DATA": str(folder), **more}


def test_a_worker_mails_a_digest_of_the_samples_into_the_mailbox(tmp_path: Path) -> None:
    """Through its own commands, with the file that the demo writes: in English and in Chinese, once."""
    with a_mailbox() as (_, smtp, web), server.serve(datetime.now(UTC)) as samples:
        base = samples.feeds[0].url.rpartition("/")[0]
        place = write_config(tmp_path / "data", base)
        settings = config.load(place)
        assert [(plan.cron, plan.language, plan.empty) for plan in settings.digests] == [
            ("* * * * *", "en", "skip"),
            ("* * * * *", "zh", "skip"),
        ]
        assert [feed.url for feed in settings.feeds] == [feed.url for feed in samples.feeds]
        known = environ(
            tmp_path / "data",
            MONITOR_CONFIG=str(place),
            MONITOR_SMTP_HOST="127.0.0.1",
            MONITOR_SMTP_PORT=str(smtp),
            MONITOR_SMTP_SECURITY="plain",
            MONITOR_SMTP_FROM="monitor@demo.test",
        )
        for words in (["poll"], ["digest", "demo"], ["digest", "demo-zh"], ["digest", "demo"]):
            done = subprocess.run(
                [sys.executable, "-m", "monitor", *words], env=known, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
        assert "nothing new, nothing sent" in done.stdout
        assert "Computing needs" in get(web, "/1/html")[1]
        assert "算力需求与使用权限" in get(web, "/2/html")[1]
        assert get(web, "/3")[0].status == 404


# ---------------------------------------------------------------- as programs


@contextmanager
def a_part(*words: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """One part as a process of its own; it must end by SIGTERM, and well."""
    command = [sys.executable, "-m", "monitor.demo", *words]
    known = environ(more.pop("folder", Path("/nowhere")))
    with subprocess.Popen(command, env=known, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            assert process.wait(timeout=20) == 0


def first_line(process: subprocess.Popen[str]) -> str:
    """What it says first; it is waited for."""
    assert process.stdout is not None
    return process.stdout.readline()


def test_each_part_runs_by_itself_until_it_is_stopped(tmp_path: Path) -> None:
    """The samples, the mailbox, and the worker that asks the one and would mail to the other."""
    web, smtp, pages = free_port(), free_port(), free_port()
    with (
        a_part("feeds", "--port", str(web)) as feeds,
        a_part("mailbox", "--smtp", str(smtp), "--web", str(pages)) as box,
    ):
        assert "9 sample feeds" in first_line(feeds)
        assert f"http://127.0.0.1:{pages}" in first_line(box)
        assert get(web, "/sample-wire.atom")[0].status == 200
        send(smtp, a_mail("Hello"))
        assert first_line(box) == "mail 1 for you@demo.test, b@demo.test: Hello\n"
        with a_part("worker", f"http://127.0.0.1:{web}", folder=tmp_path / "data") as worker:
            assert f"9 feeds from {tmp_path}/data/feeds.yaml" in first_line(worker)


def test_a_port_that_is_taken_is_said_in_a_line() -> None:
    """And the part ends."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for words in (("feeds", "--port", port), ("mailbox", "--smtp", port, "--web", "0"), ("mailbox", "--web", port)):
            done = subprocess.run(
                [sys.executable, "-m", "monitor.demo", *words],
                env=environ(Path("/nowhere")), capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 1
            assert done.stderr.count("\n") == 1, done.stderr
            assert done.stderr.startswith(f"python -m monitor.demo {words[0]}: ")
