"""`monitor check --online`: each feed of the file asked once over real HTTP, and what is said of the answers."""

from __future__ import annotations

import gzip
import json
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from monitor import config, online
from monitor.feeds.letters import letters_of
from monitor.model import Feed
from monitor.settings import Settings
from tests.builders import config_text, feed_document
from tests.feedserver import FeedServer
from tests.test_cli import NEWS, Shell

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR_AGO = NOW - timedelta(hours=1)
ATOM = f"""<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><id>a</id><updated>{NOW:%FT%TZ}</updated>
<entry><title>{NEWS}</title><id>urn:1</id><link href="https://a.example/1"/><updated>{HOUR_AGO:%FT%TZ}</updated></entry>
</feed>"""
JSON = json.dumps(
    {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "J",
        "items": [{"id": "1", "url": "https://j.example/1", "title": NEWS, "date_published": f"{HOUR_AGO:%FT%TZ}"}],
    }
)
EMPTY = "<rss version='2.0'><channel><title>E</title></channel></rss>"
PAGE = """<!doctype html><html><head><title>News</title>
<link rel="alternate" type="application/rss+xml" title="All" href="/all.xml"></head><body>News</body></html>"""


def item(number: int = 1, date: str = "", *, guid: bool = True, title: str = "One") -> str:
    """One RSS item."""
    key = f"<guid isPermaLink='false'>{number}</guid>" if guid else ""
    when = f"<pubDate>{date}</pubDate>" if date else ""
    return f"<item><title>{title}</title><link>https://r.example/{number}</link>{key}{when}</item>"


def rss(*items: str, encoding: str = "utf-8") -> str:
    """An RSS document."""
    head = f"<?xml version='1.0' encoding='{encoding}'?>"
    return f"{head}<rss version='2.0'><channel><title>R</title>{''.join(items)}</channel></rss>"


FRESH = format_datetime(HOUR_AGO)
CHINESE = "微软叫停数据中心，OpenAI转投他家，双方关系再生变数"


@pytest.fixture
def server() -> Iterator[FeedServer]:
    """A server of feeds."""
    with FeedServer() as server:
        yield server


def settings_of(folder: Path, *urls: str, more: str = "") -> Settings:
    """The settings of a feeds.yaml that watches these."""
    path = folder / "feeds.yaml"
    path.write_text(config_text(urls) + more, encoding="utf-8")
    return config.load(path)


def ask(folder: Path, *urls: str, more: str = "", limit: float = 20.0) -> list[online.Finding]:
    """Ask these."""
    return online.ask(settings_of(folder, *urls, more=more), None, NOW, limit=limit)


@pytest.mark.parametrize(
    ("body", "kind", "format_", "encoding"),
    [
        (feed_document([NEWS], HOUR_AGO), "application/rss+xml", "RSS 2.0", "UTF-8"),
        (ATOM.encode(), "application/atom+xml", "Atom 1.0", "UTF-8"),
        (JSON.encode(), "application/feed+json", "JSON Feed 1.1", "UTF-8"),
        (ATOM.encode("utf-16"), "application/xml", "Atom 1.0", "UTF-16-LE"),
    ],
    ids=["rss", "atom", "json", "utf-16"],
)
def test_a_good_feed_has_a_row_and_no_remark(
    tmp_path: Path, server: FeedServer, body: bytes, kind: str, format_: str, encoding: str
) -> None:
    """Format, items, those that would be hits, newest date, encoding, size."""
    server.put("/a", body, headers={"Content-Type": kind})
    [found] = ask(tmp_path, server.url("/a"))
    assert (found.status, found.format, found.items, found.hits) == (200, format_, 1, 1)
    assert (found.newest, found.encoding, found.size) == (HOUR_AGO, encoding, len(body))
    assert found.remarks == ()
    assert online.exit_status([found]) == 0


def test_what_is_packed_is_unpacked_and_nothing_is_asked_conditionally(tmp_path: Path, server: FeedServer) -> None:
    """Twice the whole document, one request each."""
    body = feed_document([NEWS], HOUR_AGO)
    server.put("/a", gzip.compress(body), headers={"Content-Encoding": "gzip", "ETag": '"1"'})
    for _ in range(2):
        [found] = ask(tmp_path, server.url("/a"))
        assert (found.items, found.size) == (1, len(body))
    asked = server.asked("/a")
    assert len(asked) == 2
    assert not any("if-none-match" in request.headers for request in asked)
    assert all("+ops@example.test" in request.headers["user-agent"] for request in asked)


@pytest.mark.parametrize(
    ("document", "remark"),
    [
        (EMPTY, "has no items"),
        (rss(item()), "the only item has no date: news from when it is first seen"),
        (rss(item(1, FRESH), item(2)), "1 of 2 items has no date: news from when it is first seen"),
        (rss(item(1, FRESH, guid=False)), "the only item has no id (guid): known by the link"),
        (rss(item(1, FRESH), item(1, FRESH).replace("/1", "/2")), "1 of 2 items have the id of another"),
        (rss(item(1, format_datetime(NOW + timedelta(days=9)))), "the only item has a date in the future, such as"),
        (rss(item(1, FRESH), item(2, "soon"), item(3, "soon")), '2 of 3 items have a date that cannot be read'),
        (rss(item(1, f"{HOUR_AGO:%Y-%m-%d %H:%M}")), "taken for UTC; give the feed its timezone:, like Asia/Shanghai"),
        (rss(item(1, format_datetime(NOW - timedelta(days=90)))), "90 days: it may be frozen or have moved"),
        (rss(item(1, FRESH), "<item><title>Two & three</title></item>"), "is not well-formed; read as far as it goes"),
        (rss(item(1, FRESH, title="")), "the only item has neither title nor text"),
    ],
)  # fmt: skip
def test_what_may_not_serve_is_remarked(tmp_path: Path, server: FeedServer, document: str, remark: str) -> None:
    """In words; it is no failure."""
    server.put("/a", document)
    [found] = ask(tmp_path, server.url("/a"))
    assert [one for one in found.remarks if remark in one], found.remarks
    assert not found.failed


def test_dates_without_a_zone_are_fine_where_the_file_names_it(tmp_path: Path, server: FeedServer) -> None:
    """And are read in that zone."""
    server.put("/a", rss(item(1, f"{HOUR_AGO + timedelta(hours=8):%Y-%m-%d %H:%M:%S}")))
    used = settings_of(tmp_path, server.url("/a"))
    used = replace(used, feeds=(replace(used.feeds[0], timezone="Asia/Shanghai"),))
    [found] = online.ask(used, None, NOW)
    assert (found.newest, found.remarks) == (HOUR_AGO, ())


def test_how_old_is_stale_is_what_the_file_says(tmp_path: Path, server: FeedServer) -> None:
    """`health: stale`."""
    server.put("/a", rss(item(1, format_datetime(NOW - timedelta(days=3)))))
    url = server.url("/a")
    assert ask(tmp_path, url)[0].remarks == ()
    [remark] = ask(tmp_path, url, more="health: {stale: 2d}\n")[0].remarks
    assert remark.startswith("has brought nothing since")


def test_a_server_whose_clock_is_off_is_remarked(tmp_path: Path, server: FeedServer) -> None:
    """By its Date."""
    server.raw("/a", b"HTTP/1.1 200 OK\r\nDate: Mon, 05 Jan 2026 10:00:00 GMT\r\n\r\n" + rss(item(1, FRESH)).encode())
    [found] = ask(tmp_path, server.url("/a"))
    assert found.remarks == ("its server's clock is off: it says Mon, 05 Jan 2026 10:00:00 GMT",)


@pytest.mark.parametrize(
    ("written", "declared", "served", "name", "remark"),
    [
        ("gbk", "gb2312", "", "GB2312", ""),
        ("gbk", "gbk", "utf-8", "GBK", ""),
        ("gbk", "utf-8", "", "GB18030", "says utf-8 and is written in GB18030; read as such"),
        ("utf-8", "gb2312", "", "UTF-8", "says gb2312 and is written in UTF-8; read as such"),
        ("utf-8", "utf-8", "iso-8859-1", "UTF-8", ""),
        ("utf-8", "", "iso-8859-1", "UTF-8", "says iso-8859-1 and is written in UTF-8; read as such"),
        ("big5", "big5", "", "BIG5", ""),
        ("utf-8", "no-such", "", "UTF-8", "says no-such and is written in UTF-8; read as such"),
    ],
)
def test_letters_that_are_declared_otherwise_are_remarked(
    tmp_path: Path, server: FeedServer, written: str, declared: str, served: str, name: str, remark: str
) -> None:
    """And read all the same, so that the hit is found."""
    title = CHINESE if written != "big5" else "微軟與OpenAI重談算力"
    text = rss(item(1, FRESH, title=title), encoding=declared).replace(" encoding=''", "")
    kind = f"text/xml; charset={served}" if served else "text/xml"
    server.put("/a", text.encode(written), headers={"Content-Type": kind})
    [found] = ask(tmp_path, server.url("/a"))
    assert (found.encoding, found.hits) == (name, 1)
    assert found.remarks == ((remark,) if remark else ())


def test_plain_letters_are_as_declared_whatever_it_is() -> None:
    """ASCII is all of these; a stray byte is counted."""
    for label in ("utf-8", "iso-8859-1", "gb2312", "us-ascii"):
        assert not letters_of(rss(item(), encoding=label).encode()).false
    stray = letters_of(rss(item(title=f"{CHINESE}?")).encode().replace(b"?<", b"\xff<"))
    assert (stray.name, stray.unreadable, stray.false) == ("UTF-8", 1, False)


@pytest.mark.parametrize(
    ("chain", "remarks"),
    [
        ([301], ["has moved for good; write its new address: {1}"]),
        ([308, 301], ["has moved for good; write its new address: {2}"]),
        ([302], ["leads for now to {1}"]),
        ([301, 302], ["has moved for good; write its new address: {1}", "leads for now to {2}"]),
        ([302, 301], ["leads for now to {2}"]),
    ],
)
def test_redirects_are_told_for_good_and_for_now(
    tmp_path: Path, server: FeedServer, chain: list[int], remarks: list[str]
) -> None:
    """What is for good before anything else is worth writing down."""
    urls = [server.url(f"/{i}") for i in range(len(chain) + 1)]
    for i, status in enumerate(chain):
        server.put(f"/{i}", status=status, headers={"Location": urls[i + 1]})
    server.put(f"/{len(chain)}", rss(item(1, FRESH)))
    [found] = ask(tmp_path, urls[0])
    assert list(found.remarks) == [remark.format(*urls) for remark in remarks]


@pytest.mark.parametrize(
    ("status", "lasting", "advice"),
    [
        (404, True, "monitor feeds find 127.0.0.1 shows what the site has instead"),
        (410, True, "nothing is there any more"),
        (401, False, "wants a password or a key"),
        (403, False, "some servers answer when the feed has the user_agent of a browser"),
        (429, False, "was asked too often"),
        (500, False, ""),
    ],
)
def test_a_refusal_has_its_status_and_advice(
    tmp_path: Path, server: FeedServer, status: int, lasting: bool, advice: str
) -> None:
    """What only an edit can mend is an exit status of 1; what may pass is none, as long as others answer."""
    server.put("/a", status=status)
    server.put("/b", rss(item(1, FRESH)))
    first, second = ask(tmp_path, server.url("/a"), server.url("/b"))
    assert (first.status, first.failed, first.lasting) == (status, True, lasting)
    assert first.failure.startswith(f"HTTP {status}")
    assert advice in "".join(first.remarks)
    assert (online.exit_status([first, second]), online.exit_status([first])) == (int(lasting), 3)


def test_a_feed_that_has_a_user_agent_is_told_to_try_without(tmp_path: Path, server: FeedServer) -> None:
    """Some servers refuse browsers."""
    server.put("/a", status=403)
    used = settings_of(tmp_path, server.url("/a"))
    [found] = online.ask(replace(used, feeds=(replace(used.feeds[0], user_agent="Mozilla/5.0"),)), None, NOW)
    assert "try it without" in found.remarks[0]
    assert server.requests[0].headers["user-agent"] == "Mozilla/5.0"


def test_a_web_page_names_its_feeds(tmp_path: Path, server: FeedServer) -> None:
    """Where it has moved to, too; a page that names none says how to look further."""
    server.put("/a", status=301, headers={"Location": "/home"})
    server.put("/home", PAGE, headers={"Content-Type": "text/html"})
    server.put("/b", "<!doctype html><html><p>Nothing", headers={"Content-Type": "text/html"})
    server.put("/c", b"")
    first, second, third = ask(tmp_path, *(server.url(path) for path in ("/a", "/b", "/c")))
    assert (first.status, first.format, first.lasting) == (200, "no feed", True)
    assert first.remarks == (
        f"leads for good to {server.url('/home')}",
        f"it names as its feed: {server.url('/all.xml')}",
    )
    assert "monitor feeds find 127.0.0.1 looks further" in second.remarks[0]
    assert (third.format, third.failure, third.lasting) == ("nothing", "answered with an empty document", False)


def test_what_cannot_be_reached_is_told_in_words(tmp_path: Path) -> None:
    """A certificate that nobody trusts, a name that there is not, an address of one's own network, a closed port."""
    with FeedServer(tls=True) as server:
        found = ask(
            tmp_path, server.url("/a"), "http://nowhere.invalid/a", "http://10.0.0.1/", "http://127.0.0.1:9/"
        )  # fmt: skip
    assert [one.failure for one in found] == [
        "no secure connection: unable to get local issuer certificate",
        "could not be reached: the host name was not found",
        "leads to an address that is not public: 10.0.0.1 (if it is your own, name it under polling: allow)",
        "could not be reached: Connection refused",
    ]
    assert [one.lasting for one in found] == [False, True, True, False]
    assert found[1].remarks == ("look for a typing error in nowhere.invalid",)


def test_a_feed_that_hangs_ends_with_the_check(tmp_path: Path, server: FeedServer) -> None:
    """And keeps nobody else waiting."""
    server.hang("/never")
    server.put("/b", rss(item(1, FRESH)))
    began = time.monotonic()
    first, second = ask(tmp_path, server.url("/never"), server.url("/b"), limit=1.0)
    assert time.monotonic() - began < 4
    assert first.failure == "no answer within 1 s, in which this check ends"
    assert (second.items, online.exit_status([first, second])) == (1, 0)


def slowly(monkeypatch: pytest.MonkeyPatch, seconds: float, *urls: str) -> None:
    """Make reading what comes from these addresses take its time."""
    look = online.look

    def take_time(feed: Feed, *rest: Any) -> online.Finding:
        time.sleep(seconds if feed.url in urls else 0)
        return look(feed, *rest)

    monkeypatch.setattr(online, "look", take_time)


def test_reading_here_makes_no_feed_late(tmp_path: Path, server: FeedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine, or many items: what answered in time is not told to be silent."""
    paths = [f"/{i}" for i in range(5)]
    for path in paths:
        server.put(path, rss(item(1, FRESH)))
    slowly(monkeypatch, 0.5, *map(server.url, paths))
    server.hang("/never")
    *found, last = ask(tmp_path, *map(server.url, paths), server.url("/never"), limit=1.0)
    assert [one.items for one in found] == [1] * 5
    assert "in which this check ends" in last.failure


def test_a_document_that_takes_too_long_fails_alone(
    tmp_path: Path, server: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has an end, as everything has."""
    for path in ("/a", "/b"):
        server.put(path, rss(item(1, FRESH)))
    slow = server.url("/a")
    slowly(monkeypatch, 1.5, slow)
    monkeypatch.setattr(online, "READING", 0.5)
    first, second = ask(tmp_path, slow, server.url("/b"))
    assert (first.failure, second.items) == ("could not be read within 0.5 s", 1)


def test_a_feeds_own_timeout_counts(tmp_path: Path, server: FeedServer) -> None:
    """As it does for the worker."""
    server.hang("/never")
    used = settings_of(tmp_path, server.url("/never"))
    used = replace(used, feeds=(replace(used.feeds[0], timeout=timedelta(seconds=0.3)),))
    [found] = online.ask(used, None, NOW)
    assert found.failure == "no complete answer within 0.3 s"


def test_the_feeds_of_one_host_are_asked_one_after_the_other(
    tmp_path: Path, server: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far apart as `polling: spacing` says; a host of one's own need not be spared."""
    for path in ("/a", "/b"):
        server.put(path, rss(item(1, FRESH)))
    used = settings_of(tmp_path, server.url("/a"), server.url("/b"))
    monkeypatch.setattr("monitor.feeds.guard.Guard.is_own", lambda *_: False)
    used = replace(used, manners=replace(used.manners, spacing=timedelta(seconds=0.7)))
    began = time.monotonic()
    assert [one.items for one in online.ask(used, None, NOW)] == [1, 1]
    assert time.monotonic() - began >= 0.7


def test_disabled_feeds_are_left_alone_and_the_others_are_in_the_order_of_the_file(
    tmp_path: Path, server: FeedServer
) -> None:
    """Nobody asks what is switched off."""
    for path in ("/a", "/b", "/c"):
        server.put(path, rss(item(1, FRESH)))
    used = settings_of(tmp_path, *(server.url(path) for path in ("/c", "/a", "/b")))
    used = replace(used, feeds=(used.feeds[0], replace(used.feeds[1], enabled=False), used.feeds[2]))
    told = []
    found = online.ask(used, None, NOW, tell=lambda: told.append(1))
    assert [one.feed.url for one in found] == [server.url("/c"), server.url("/b")]
    assert (len(told), server.asked("/a")) == (2, [])


# ---------------------------------------------------------------- the command


@pytest.fixture
def shell(tmp_path: Path, server: FeedServer) -> Shell:
    """A folder with a feeds.yaml that watches one feed."""
    return Shell(tmp_path, server)


def test_check_online_prints_a_table_and_stores_nothing(shell: Shell) -> None:
    """Split by tabs; remarks name the line; there is no data folder afterwards, nor was one used."""
    server = shell.server
    server.put("/moved", status=301, headers={"Location": "/one.xml"})
    shell.write(config_text([server.url("/one.xml"), server.url("/moved"), server.url("/gone")]))
    done = shell("check", "--online", MONITOR_DATA="nowhere/at/all")
    assert done.returncode == 1
    _, digest, heads, first, second, third, total = done.stdout.splitlines()
    assert digest == "morning: at 07:30 UTC, to you@example.test"
    assert heads.split("\t") == [
        "feed", "answer", "format", "items", "hits", "newest (UTC)", "age", "encoding", "KB", "s", "failure",
    ]  # fmt: skip
    assert first.split("\t")[:5] == ["Example", "200", "RSS 2.0", "1", "1"]
    assert first.split("\t")[6:8] == ["1h", "UTF-8"]
    assert second.split("\t")[10] == ""
    assert third.split("\t")[:3] + third.split("\t")[10:] == [server.url("/gone"), "404", "", "HTTP 404 Not Found"]
    assert total == "3 feeds: 2 answered, 1 failed; 2 items, 2 hits; nothing was stored"
    assert f"feeds.yaml:9: Example: has moved for good; write its new address: {server.url('/one.xml')}" in done.stderr
    assert f"feeds.yaml:10: {server.url('/gone')}: HTTP 404 Not Found: nothing is there any more; " in done.stderr
    assert [path.name for path in shell.folder.iterdir()] == ["feeds.yaml"]


@pytest.mark.parametrize(
    ("paths", "status"),
    [(["/one.xml"], 0), (["/one.xml", "/busy"], 0), (["/one.xml", "/wrong"], 1), (["/busy", "/wrong"], 3)],
)
def test_the_exit_status_is_for_a_gate(shell: Shell, paths: list[str], status: int) -> None:
    """0 though a server has a bad day; 1 for a feed that only an edit can mend; 3 where none answered."""
    shell.server.put("/busy", status=503)
    shell.write(config_text([shell.server.url(path) for path in paths]))
    assert shell("check", "--online").returncode == status


def test_a_fault_of_the_file_comes_first_and_nobody_is_asked(shell: Shell) -> None:
    """Exit 2; a theme whose examples come out wrong is 1, and the feeds are asked."""
    text = config_text([shell.server.url("/one.xml")])
    shell.write(text.replace("themes:", "themse:"))
    assert shell("check", "--online").returncode == 2
    assert shell.server.requests == []
    shell.write(text.replace("keywords: [rival]", "keywords: [rival]\n    examples: {hits: [Nothing of the kind]}"))
    done = shell("check", "--online")
    assert (done.returncode, len(shell.server.requests)) == (1, 1)


def test_a_password_in_an_address_is_not_shown(shell: Shell) -> None:
    """Neither in the table nor in remarks."""
    address = shell.server.url("/moved").replace("://", "://user:geheim@")
    shell.server.put("/moved", status=301, headers={"Location": address.replace("/moved", "/gone")})
    shell.write(config_text([address, address.replace("moved", "one.xml")]))
    done = shell("check", "--online")
    assert "geheim" not in done.stdout + done.stderr


def test_the_bar_is_on_a_terminal_only(shell: Shell) -> None:
    """In a pipe nothing but results and remarks comes; on a terminal there is a bar, and no column of failures."""
    assert "asking feeds" not in (done := shell("check", "--online")).stdout + done.stderr
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "monitor", "check", "--online"],
        cwd=shell.folder, env={**shell.environ, "TERM": "xterm", "COLUMNS": "120"}, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    parts: list[bytes] = []

    def listen() -> None:
        with suppress(OSError):  # the other end is closed
            while part := os.read(ours, 4096):
                parts.append(part)

    reader = threading.Thread(target=listen)
    reader.start()
    assert process.wait(60) == 0
    reader.join(10)
    os.close(ours)
    shown = b"".join(parts).decode()
    assert "asking feeds" in shown
    assert "1/1" in shown
    assert "failure" not in shown
    assert "RSS 2.0" in shown
