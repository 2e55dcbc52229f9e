"""Hostile servers, all at once and beside good ones: each fault has its name, and no feed pays for another's.

The feeds are on 127.0.0.7, which is allowed; what must never be asked is on other addresses of this machine.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import brotli
import pytest

from monitor import config, polling, taking, worker
from monitor.errors import ConfigError
from monitor.feeds import condition, politeness, quick
from monitor.feeds.delta import cut
from monitor.feeds.fetch import MAX_REDIRECTS, Fetcher
from monitor.feeds.parse import parse
from monitor.feeds.turns import AT_ONCE, SLOW_AT_ONCE
from monitor.feeds.unpack import PackedError, unpacker
from monitor.hands import ENOUGH, Hands
from monitor.match.blend import Second
from monitor.match.rules import Rules
from monitor.model import Failure, Feed, FeedState, Fetched, Manners, Outcome, Parsed, Response
from monitor.schedule import heed_signals
from monitor.settings import Settings
from monitor.store import Store
from monitor.taking import Taken, Task
from tests.builders import ROOT, config_text, feed_document
from tests.feedserver import FeedServer
from tests.test_schedule import running

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NOW = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEWS = "Microsoft halts a data centre that OpenAI wanted"
HERE = "127.0.0.7"
LONG = timedelta(seconds=60)  # for what must end by itself
SHORT = timedelta(seconds=0.5)  # for what never ends
OWN = Manners(per_host=200, allow=(HERE,))
SECRET = "s3cr3t-word"


@dataclass(frozen=True, slots=True)
class Fault:
    """What one hostile feed is called."""

    url: str
    phrase: str
    trouble: str = "failing"
    timeout: timedelta = LONG


def settings_in(folder: Path, manners: Manners = OWN, feeds: Sequence[str] = ("http://127.0.0.7/",)) -> Settings:
    """Settings with the tests' rules and these manners."""
    path = folder / "feeds.yaml"
    path.write_text(config_text(feeds), encoding="utf-8")
    return replace(config.load(path), manners=manners)


def never_asked(feeds: Sequence[Feed]) -> polling.Due:
    """Feeds that are asked for the first time."""
    return [(feed, FeedState(feed.url)) for feed in feeds]


def titles_of(store: Store) -> dict[str, set[str]]:
    """The headlines that each feed brought."""
    found: dict[str, set[str]] = {}
    for item in store.items_since(NOW - 1000 * HOUR).values():
        found.setdefault(item.feed_url, set()).add(item.title)
    return found


def is_sound(store: Path) -> bool:
    """Tell whether SQLite finds nothing wrong in a database."""
    with closing(sqlite3.connect(store)) as conn:
        return bool(conn.execute("PRAGMA integrity_check").fetchone() == ("ok",))


# ---------------------------------------------------------------- one round with all of them


def head(*lines: str, status: str = "200 OK") -> bytes:
    """The head of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def without_end(start: bytes, part: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer that begins so and goes on so for ever, as fast as it is taken."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.wfile.write(start)
        while True:
            handler.wfile.write(part)

    return act


def zeros(compress: Callable[[bytes], bytes], finish: Callable[[], bytes]) -> bytes:
    """Sixty-four MiB of nothing, packed."""
    return b"".join([*(compress(bytes(2**20)) for _ in range(64)), finish()])


def bombs() -> dict[str, bytes]:
    """Small bodies that unpack to large ones, by Content-Encoding."""
    deflate, packed, squeezed, standard = (
        zlib.compressobj(),
        zlib.compressobj(wbits=31),
        brotli.Compressor(),
        zstd.ZstdCompressor(),
    )
    return {
        "deflate": zeros(deflate.compress, deflate.flush),
        "gzip": zeros(packed.compress, packed.flush),
        "br": zeros(squeezed.process, squeezed.finish),
        "zstd": zeros(standard.compress, standard.flush),
    }


def rss(inner: str, before: str = "") -> bytes:
    """A feed that was written by hand."""
    return f"<?xml version='1.0'?>{before}<rss version='2.0'><channel><title>t</title>{inner}</channel></rss>".encode()


def in_time(server: FeedServer) -> list[Fault]:
    """Servers that break HTTP, and those that take their time with it."""
    document = feed_document([f"{NEWS} {n}" for n in range(20)], NOW - HOUR)
    size = f"Content-Length: {len(document)}"
    raw: dict[str, tuple[bytes, Any, str]] = {
        "closed": (b"", "close", "the server closed the connection"),
        "reset": (b"", "reset", "the server closed the connection"),
        "reset-head": (b"HTTP/1.1 200 OK\r\nConte", "reset", "the server closed the connection"),
        "reset-body": (head(size) + document[:500], "reset", "the "),  # closed, or broken off: as it is noticed
        "cut-body": (head(size) + document[:500], "close", "the answer broke off: Not enough data"),
        "too-long": (head(f"Content-Length: {len(document) + 1}") + document, "close", "the answer broke off"),
        "too-short": (head("Content-Length: 700") + document, "close", "the answer is not sound HTTP"),
        "negative": (head("Content-Length: -1") + document, "close", "not sound HTTP: Invalid character in Content-L"),
        "two-lengths": (head("Content-Length: 5", "Content-Length: 9") + document, "close", "not sound HTTP: Dupli"),
        "smuggled": (head(size, "Transfer-Encoding: chunked") + b"5\r\n<rss>\r\n0\r\n\r\n", "close", "not sound HTTP"),
        "bad-chunk": (
            head("Transfer-Encoding: chunked") + b"zz\r\n<rss>",
            "close",
            "not sound HTTP: Invalid character",
        ),
        "cut-chunk": (head("Transfer-Encoding: chunked") + b"50\r\n<rss>", "close", "the answer broke off"),
        "http-0.9": (document, "close", "not sound HTTP: Bad status line"),
        "ssh": (b"SSH-2.0-OpenSSH_9.6\r\n", "close", "not sound HTTP: Bad status line"),
        "long-head": (head("X: " + "a" * 2**21), "close", "not sound HTTP: Got more than"),
        "many-heads": (head(*["X: a"] * 10_000), "close", "not sound HTTP: Too many headers"),
        "half-status": (b"HTTP/1.1 20", "close", "the server closed the connection"),
        "upgrade": (head("Upgrade: x", "Connection: upgrade", status="101 Else"), "close", "HTTP 101"),
    }
    found = []
    for name, (answer, then, phrase) in raw.items():
        server.raw(f"/{name}", answer, then=then)
        found.append(Fault(server.url(f"/{name}"), phrase))
    late = {
        "hang": b"",
        "hang-status": b"HTTP/1.1 2",
        "hang-head": b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n",
        "hang-body": head(size) + document[:500],
        "hang-chunk": head("Transfer-Encoding: chunked") + b"5\r\n<rss>\r\n",
    }
    for name, answer in late.items():
        server.raw(f"/{name}", answer, then="hang")
    server.drip("/drip", headers="Content-Length: 1000000\r\n")
    server.route("/early", without_end(b"", head(status="103 Early Hints")))
    slow = "no complete answer within 0.5 s"
    found += [Fault(server.url(f"/{name}"), slow, timeout=SHORT) for name in (*late, "drip", "early")]
    server.drip("/endless", bytes(2**18), every=0)
    server.route("/endless-head", without_end(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"b" * 4000 + b"\r\n"))
    chunk = b"40000\r\n" + bytes(2**18) + b"\r\n"
    server.route("/endless-chunks", without_end(head("Transfer-Encoding: chunked"), chunk))
    return [
        *found,
        Fault(server.url("/endless"), "larger than 10 MiB"),
        Fault(server.url("/endless-chunks"), "larger than 10 MiB"),
        Fault(server.url("/endless-head"), "not sound HTTP: Too many headers"),
    ]


def by_content(server: FeedServer) -> list[Fault]:
    """Answers that are sound HTTP, and no feeds."""
    document = feed_document([NEWS], NOW - HOUR)
    found = []
    for name, bomb in bombs().items():
        assert len(bomb) < 2**20
        server.put(f"/{name}-bomb", bomb, headers={"Content-Encoding": name})
        found.append(Fault(server.url(f"/{name}-bomb"), "larger than 10 MiB"))
    bodies: dict[str, tuple[bytes, str, str, str]] = {
        "nested": (gzip.compress(gzip.compress(document)), "gzip, gzip", "was not asked for (gzip, gzip)", "failing"),
        "in-itself": (gzip.compress(gzip.compress(document)), "gzip", "something that is not a feed", "page"),
        "not-packed": (document, "gzip", "could not be decompressed", "failing"),
        "cut-packed": (gzip.compress(document)[:-20], "gzip", "could not be decompressed: it broke off", "failing"),
        "page": (b"<!doctype html><title>Log in</title>", "", "a web page, not a feed", "page"),
        "empty": (b"", "", "an empty document", "nothing"),
        "blank": (b" \r\n\t" * 1000, "", "an empty document", "nothing"),
        "zeros": (bytes(100_000), "", "something that is not a feed", "page"),
        "placeholder": (feed_document(["This feed is not available."], NOW), "", "a placeholder", "placeholder"),
    }  # fmt: skip
    for name, (body, encoding, phrase, trouble) in bodies.items():
        server.put(f"/{name}", body, headers={"Content-Encoding": encoding} if encoding else {})
        found.append(Fault(server.url(f"/{name}"), phrase, trouble))
    for status in (201, 204, 206, 304, 400, 401, 403, 404, 429, 451, 500, 502, 503, 599):
        server.put(f"/{status}", document if status not in (204, 304) else b"", status=status)
        found.append(Fault(server.url(f"/{status}"), f"HTTP {status}"))
    server.put("/410", status=410)
    return [*found, Fault(server.url("/410"), "HTTP 410 Gone", "gone")]


def elsewhere(server: FeedServer, inner: FeedServer, tls: FeedServer) -> list[Fault]:
    """Redirects to where nobody should go, and addresses that lead there by themselves."""
    private, unusable, other = "not public", "the address cannot be used", "not http or https"
    targets = {
        "file:///etc/hostname": other,
        "ftp://127.0.0.1/": other,
        "gopher://127.0.0.1:6379/_INFO": other,
        "http://169.254.169.254/latest/meta-data/": private,
        "http://[fd00:ec2::254]/": private,
        "http://10.0.0.1/": private,
        "http://192.168.0.1/": private,
        "http://224.0.0.1/": private,
        f"http://127.0.0.1:{inner.port}/": private,
        f"http://localhost:{inner.port}/": private,
        f"http://[::1]:{inner.port}/": private,
        f"http://[::]:{inner.port}/": private,
        f"http://0.0.0.0:{inner.port}/": private,
        f"http://[::ffff:127.0.0.1]:{inner.port}/": private,
        f"http://[::ffff:7f00:1]:{inner.port}/": private,
        f"http://[64:ff9b::7f00:1]:{inner.port}/": private,
        f"http://2130706433:{inner.port}/": unusable,
        f"http://0x7f000001:{inner.port}/": private,
        f"http://0x7f.1:{inner.port}/": private,
        f"http://0177.0.0.1:{inner.port}/": unusable,
        f"http://127.1:{inner.port}/": unusable,
        f"http://user@127.0.0.1:{inner.port}/": private,
        f"http://{HERE}@127.0.0.1:{inner.port}/": private,
    }
    found = []
    for number, (target, phrase) in enumerate(targets.items()):
        server.put(f"/to{number}", status=302, headers={"Location": target})
        found.append(Fault(server.url(f"/to{number}"), phrase))
        if target.startswith("http"):
            found.append(Fault(target, phrase))
    for number in range(MAX_REDIRECTS + 1):
        server.put(f"/hop{number}", status=302, headers={"Location": f"/hop{number + 1}"})
    server.put("/loop", status=301, headers={"Location": "/loop"})
    with socket.create_server((HERE, 0)) as listener:
        nobody = listener.getsockname()[1]
    return [
        *found,
        Fault(server.url("/hop0"), "more than 5 redirects"),
        Fault(server.url("/loop"), "more than 5 redirects"),
        Fault(tls.url("/good"), "no secure connection"),
        Fault(server.url("/").replace("http:", "https:"), "no secure connection"),
        Fault(f"http://{HERE}:{nobody}/", "could not be reached: Connection refused"),
        Fault("http://nowhere.invalid/", "the host name was not found"),
    ]


def harmless(server: FeedServer) -> dict[str, set[str]]:
    """Feeds that only look hostile, with the headlines that they bring."""
    chinese = "微软暂停了开放人工智能想要的数据中心，谈判仍在继续"
    plain = feed_document([chinese, NEWS], NOW - HOUR).decode()
    found = {f"/good{n}": {f"{NEWS} {n}", f"Another {n}"} for n in range(12)}
    for n in range(12):
        server.put(f"/good{n}", feed_document([f"{NEWS} {n}", f"Another {n}"], NOW - HOUR, f"good{n}"))
    wrong = {
        "gbk-as-utf8": (plain.encode("gbk"), "application/xml; charset=utf-8"),
        "utf8-as-gbk": (plain.replace("encoding='utf-8'", "encoding='gbk'").encode(), "text/xml; charset=utf-8"),
        "utf16": (plain.replace("encoding='utf-8'", "encoding='utf-16'").encode("utf-16"), "application/xml"),
        "no-such": (plain.replace("encoding='utf-8'", "encoding='klingon'").encode(), "application/xml"),
    }
    for name, (body, kind) in wrong.items():
        server.put(f"/{name}", body, headers={"Content-Type": kind})
        found[f"/{name}"] = {chinese, NEWS}
    laughs = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
    item = f"<item><title>{NEWS}</title><link>https://a.example/1</link><description>&l9;</description></item>"
    server.put("/laughs", rss(item, f"<!DOCTYPE rss [<!ENTITY l0 'lol'>{laughs}]>"))
    long = f"<!DOCTYPE rss [<!ENTITY l9 '{'a' * 50_000}'>]>"
    server.put("/quadratic", rss(item.replace("&l9;", "&l9;" * 5_000), long))
    outer = "<!DOCTYPE rss [<!ENTITY l9 SYSTEM 'file:///etc/hostname'>]>"
    server.put("/outer-entity", rss(item, outer))
    early = head(status="103 Early Hints") * 50
    body = feed_document([NEWS], NOW - HOUR, "early")
    server.raw("/early-then-good", early + head(f"Content-Length: {len(body)}") + body)
    for name in ("laughs", "quadratic", "outer-entity", "early-then-good"):
        found[f"/{name}"] = {NEWS}
    return found


def test_each_fault_has_its_name_and_no_good_feed_pays_for_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """All of them in one round, and what must not be asked was not."""
    with (
        FeedServer(host=HERE) as server,
        FeedServer() as inner,
        FeedServer(tls=True, host=HERE) as tls,
        Store(tmp_path / "monitor.db") as store,
    ):
        faults = [*in_time(server), *by_content(server), *elsewhere(server, inner, tls)]
        good = harmless(server)
        feeds = [Feed(fault.url, timeout=fault.timeout) for fault in faults]
        feeds += [Feed(server.url(path), timeout=LONG) for path in good]
        settings = settings_in(tmp_path)
        outcomes = worker.poll(settings, store, lambda: NOW, processes=1, due=never_asked(feeds))

        got = {outcome.feed.url: outcome for outcome in outcomes}
        assert len(got) == len(outcomes) == len(feeds)
        misnamed = [
            (fault, outcome.result, outcome.trouble, outcome.reason)
            for fault in faults
            for outcome in [got[fault.url]]
            if (outcome.result, outcome.trouble) != ("failed", fault.trouble)
            or fault.phrase not in outcome.reason
            or not outcome.reason.isprintable()
        ]
        assert misnamed == []
        for path in good:
            assert (path, got[server.url(path)].result) == (path, "ok"), got[server.url(path)].reason
        assert titles_of(store) == {server.url(path): titles for path, titles in good.items()}
        assert inner.requests == []
        assert tls.requests == []
        assert not any("cookie" in request.headers for request in server.requests)
        assert is_sound(tmp_path / "monitor.db")

        again = [feed for feed in feeds if feed.url in titles_of(store)]
        states = store.feed_states()
        outcomes = worker.poll(
            settings, store, lambda: NOW + HOUR, processes=1, due=[(feed, states[feed.url]) for feed in again]
        )
        assert {outcome.result for outcome in outcomes} <= {"ok", "unchanged"}
        assert sum(outcome.new for outcome in outcomes) == 0
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("tag", [b"<item ", b"<entry ", b"<item\n", b"</item "])
def test_tags_that_never_close_cost_no_more_time_than_others(tag: bytes) -> None:
    """Ten MiB of them would take days, in the process that everything else waits for."""
    assert cut(tag * (2**20 // len(tag)), b"") is None


@pytest.mark.parametrize("author", ["a" * 60_000, "a." * 30_000, "a@" * 30_000, "(" * 60_000])
def test_an_endless_name_of_an_author_costs_no_time(author: str) -> None:
    """For minutes, feedparser looks for a mail address in it."""
    parsed = parse(rss(f"<item><title>{NEWS}</title><author>{author}</author></item>"), {})
    assert isinstance(parsed, Parsed)
    assert [entry.title for entry in parsed.entries] == [NEWS]


# ---------------------------------------------------------------- names that change where they lead


def ask(fetcher_of: Callable[[], Fetcher], *feeds: Feed) -> list[Response]:
    """Ask feeds one after the other, over the connections of one round."""

    async def run() -> list[Response]:
        async with fetcher_of() as fetcher:
            return [await fetcher.fetch(feed, FeedState(feed.url)) for feed in feeds]

    return asyncio.run(run())


def found(*addresses: str) -> list[tuple[Any, ...]]:
    """What a look-up answers."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]


def test_a_name_that_changes_its_address_leads_nowhere_else() -> None:
    """DNS rebinding: what was looked up and judged is what is connected to, and the next look-up is judged again."""
    with FeedServer(host=HERE) as server, FeedServer(host="127.0.0.2") as inner:
        asked: list[str] = []

        def lookup(host: str, *_: object) -> list[tuple[Any, ...]]:
            asked.append(host)
            return found(HERE) if len(asked) == 1 else found("127.0.0.2")

        server.put("/a", status=302, headers={"Location": f"http://rebind.test:{inner.port}/"})
        feed = Feed(f"http://rebind.test:{server.port}/a", timeout=LONG)
        [failure] = ask(lambda: Fetcher(OWN, lookup=lookup), feed)
        assert isinstance(failure, Failure)
        assert "not public: 127.0.0.2" in failure.reason
        assert asked == ["rebind.test"] * 2
        assert len(server.requests) == 1
        assert inner.requests == []


def test_a_name_with_a_public_and_a_private_address_leads_to_the_public_one_only() -> None:
    """Where nobody answers there, the private one is no way out."""
    with FeedServer(host="127.0.0.2") as inner:
        feed = Feed(f"http://both.test:{inner.port}/", timeout=LONG)
        [failure] = ask(lambda: Fetcher(OWN, lookup=lambda *_: found(HERE, "127.0.0.2")), feed)
        assert isinstance(failure, Failure)
        assert "could not be reached" in failure.reason
        assert inner.requests == []


# ---------------------------------------------------------------- one connection, several feeds


@pytest.mark.parametrize("late", [False, True])
def test_what_a_server_sends_unasked_is_no_other_feeds_answer(late: bool) -> None:
    """Two answers to one request, at once or later: the second is never taken for that of the next feed."""
    sent = threading.Event()
    go = threading.Event()

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head("Content-Length: 3") + b"one" + (b"" if late else head("Content-Length: 4") + b"evil"))
        if late:
            go.wait(30)
            handler.wfile.write(head("Content-Length: 4") + b"evil")
        sent.set()

    async def run(server: FeedServer) -> list[Response]:
        async with Fetcher(OWN) as fetcher:
            answers = []
            for path in ("/one", "/two"):
                feed = Feed(server.url(path), timeout=LONG)
                answers.append(await fetcher.fetch(feed, FeedState(feed.url)))
                go.set()
                await asyncio.to_thread(sent.wait, 30)
            return answers

    with FeedServer(host=HERE) as server:
        server.route("/one", act)
        server.put("/two", b"two")
        answers = asyncio.run(run(server))
    assert [answer.body for answer in answers if isinstance(answer, Fetched)] in ([b"one", b"two"], [b"two"])


def test_a_connection_on_which_nothing_is_amiss_is_used_again() -> None:
    """A handshake for each feed of a host would be bad manners."""
    with FeedServer(host=HERE) as server:
        ports = set()

        def act(handler: BaseHTTPRequestHandler) -> None:
            ports.add(handler.client_address[1])
            handler.wfile.write(head("Content-Length: 3") + b"one")

        server.route("/one", act)
        feeds = [Feed(server.url("/one"), timeout=LONG)] * 5
        assert all(isinstance(answer, Fetched) for answer in ask(lambda: Fetcher(OWN), *feeds))
        assert len(ports) == 1


# ---------------------------------------------------------------- many that hang, many that lead elsewhere

MANY = """\
import asyncio, sys
port, document = None, open(sys.argv[1], "rb").read()

async def serve(reader, writer):
    try:
        while request := await reader.readuntil(b"\\r\\n\\r\\n"):
            path = request.split()[1].decode()
            if path == "/hang":
                await reader.read(1)
                break
            if path.startswith("/to/"):
                body, line = b"", f"302 Found\\r\\nLocation: http://{path[4:]}:{port}/feed"
            else:
                body, line = document, "200 OK"
            writer.write(f"HTTP/1.1 {line}\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n".encode() + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()

async def main():
    global port
    server = await asyncio.start_server(serve, "0.0.0.0", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    print(port, flush=True)
    await server.serve_forever()

asyncio.run(main())
"""
"""A server of its own process, so that its open files are not counted as ours; it answers on all of 127.0.0.0/8."""


@contextmanager
def many_hosts(folder: Path) -> Iterator[int]:
    """The port of that server; its feeds all hold the same document."""
    (folder / "document").write_bytes(feed_document([NEWS], NOW - HOUR))
    command = [sys.executable, "-c", MANY, str(folder / "document")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def open_files() -> int:
    """How many files and sockets this process has open."""
    return len(os.listdir("/proc/self/fd"))


def a_round(
    settings: Settings,
    store: Store,
    due: polling.Due,
    tell: Callable[[Outcome], None],
    stop: threading.Event | None = None,
    patience: float = 0.05,
) -> list[Outcome]:
    """Poll with little patience for the slow."""

    async def run() -> list[Outcome]:
        fetcher_with = Fetcher(settings.manners, patience=patience)
        async with fetcher_with as fetcher, Hands(settings.rules, lambda: None, 1) as hands:
            return await polling.Round(settings, store, lambda: NOW, fetcher, lambda: hands).go(due, stop, tell)

    with store.often():
        return asyncio.run(run())


def test_feeds_that_hang_leave_room_for_the_others(tmp_path: Path) -> None:
    """More than are asked at once hang for ever, ahead of the good ones: all good ones are answered all the same."""
    with many_hosts(tmp_path) as port, Store(tmp_path / "monitor.db") as store:
        hanging = [f"http://127.2.0.{n}:{port}/hang" for n in range(1, 1 + min(250, AT_ONCE // 2 + SLOW_AT_ONCE))]
        good = {f"http://127.1.0.{n}:{port}/feed" for n in range(1, 21)}
        stop = threading.Event()
        told: list[Outcome] = []

        def tell(outcome: Outcome) -> None:
            told.append(outcome)
            if len(told) == len(good):
                stop.set()

        due = never_asked([Feed(url, timeout=LONG * 10) for url in (*hanging, *good)])
        a_round(settings_in(tmp_path, Manners(allow=("127.0.0.0/8",))), store, due, tell, stop)
        assert {outcome.feed.url for outcome in told} == good
        assert {outcome.result for outcome in told} == {"ok"}
        assert set(store.feed_states()) == good, "what was dropped stays due"


def test_a_thousand_that_hang_and_a_thousand_that_lead_elsewhere_delay_nobody(tmp_path: Path) -> None:
    """What failed the last time is asked last; and there are never more open files than a shell allows."""
    with many_hosts(tmp_path) as port, Store(tmp_path / "monitor.db") as store:
        hanging = [Feed(f"http://127.2.{n // 250}.{n % 250 + 1}:{port}/hang", timeout=LONG * 10) for n in range(1000)]
        leading = [
            Feed(f"http://127.3.{n // 250}.{n % 250 + 1}:{port}/to/127.4.{n // 250}.{n % 250 + 1}", timeout=LONG)
            for n in range(1000)
        ]
        good = [Feed(f"http://127.1.0.{n}:{port}/feed", timeout=LONG) for n in range(1, 21)]
        settings = settings_in(tmp_path, Manners(allow=("127.0.0.0/8",)))
        settings = replace(settings, feeds=(*hanging, *leading, *good))
        for feed in hanging:
            failed = politeness.after_failure(FeedState(feed.url), feed, Failure("hung"), NOW - 30 * HOUR)
            store.save_poll(failed)
        stop = threading.Event()
        told: list[Outcome] = []
        most = before = open_files()
        full = before + AT_ONCE + SLOW_AT_ONCE
        ended = threading.Event()

        def tell(outcome: Outcome) -> None:
            nonlocal most
            told.append(outcome)
            most = max(most, open_files())

        def watch() -> None:
            nonlocal most
            until = time.monotonic() + 60
            while not ended.wait(0.02):
                most = max(most, open_files())
                if (len(told) == 1020 and most >= full) or time.monotonic() > until:
                    stop.set()

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            a_round(settings, store, polling.due_feeds(settings, store, NOW), tell, stop)
        finally:
            ended.set()
            watching.join()
        assert {outcome.feed for outcome in told} == {*leading, *good}
        assert {outcome.result for outcome in told} == {"ok"}
        assert full <= most < 512
        assert open_files() <= before + 5


def test_a_slow_feed_delays_those_of_its_own_host_by_its_own_deadline_at_most(tmp_path: Path) -> None:
    """One at a time of that host; other hosts do not notice."""
    with FeedServer(host=HERE) as server, FeedServer() as other, Store(tmp_path / "monitor.db") as store:
        server.hang("/slow")
        for place in (server, other):
            place.put("/good", feed_document([NEWS], NOW - HOUR))
        feeds = [Feed(server.url("/slow"), timeout=SHORT), Feed(server.url("/good"), timeout=LONG)]
        feeds.append(Feed(other.url("/good"), timeout=LONG))
        order: list[str] = []
        settings = settings_in(tmp_path, Manners(per_host=1, allow=("127.0.0.0/8",)))
        a_round(settings, store, never_asked(feeds), lambda outcome: order.append(outcome.feed.url), patience=30.0)
        assert order[0] == other.url("/good")
        assert sorted(order[1:]) == [server.url("/good"), server.url("/slow")]
        assert store.feed_states()[server.url("/good")].failures == 0


# ---------------------------------------------------------------- passwords


def test_a_password_in_an_address_is_seen_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither where the feed answers nor where it fails: not in outcomes, states, items, lists and logs."""
    with FeedServer() as server, FeedServer() as closed:
        body = rss(f"<item><title>{NEWS}</title><link>/relative</link><guid>1</guid></item>")
        server.put("/good", body)
        server.put("/moved", status=301, headers={"Location": "/good"})
        server.put("/away", status=302, headers={"Location": f"gopher://me:{SECRET}@127.0.0.1/"})
        server.raw("/garbage", b"SSH-2.0\r\n")
        gone = closed.url("/")
        urls = [server.url(path) for path in ("/good", "/moved", "/away", "/garbage", "/404")]
        urls += [gone.replace("http", "https"), "http://127.0.0.1:99999/", "http://[::1%]/"]
        urls = [url.replace("://", f"://me:{SECRET}@") for url in urls]
        settings = settings_in(tmp_path, Manners(allow=("127.0.0.1",)), urls[:1])
        (tmp_path / "data").mkdir()
        with Store(tmp_path / "data" / "monitor.db") as store:
            outcomes = worker.poll(
                settings, store, lambda: NOW, due=never_asked([Feed(url, timeout=LONG) for url in urls])
            )
            assert [outcome.result for outcome in outcomes].count("ok") == 2
            assert not any(SECRET in outcome.reason for outcome in outcomes)
            states = store.feed_states()
            assert not any(SECRET in state.error for state in states.values())
            items = store.items_since(NOW - 1000 * HOUR).values()
            assert {item.link for item in items} == {server.url("/relative")}
            assert not any(SECRET in item.outlet for item in items)
            # A permanent redirect is told to readers when it has held for long.
            moved = replace(states[urls[1]], moved_polls=9, moved_since=NOW - 100 * HOUR)
            [trouble] = condition.trouble_of(Feed(urls[1]), moved, (), settings.thresholds, NOW)
            assert SECRET not in trouble.reason
        assert "authorization" in server.asked("/good")[0].headers

        (tmp_path / "feeds.yaml").write_text(config_text([urls[0], urls[4]]), encoding="utf-8")
        for words in (("poll", "--all"), ("feeds", "list"), ("health",)):
            done = subprocess.run(
                [sys.executable, "-m", "monitor", "--config", "feeds.yaml", "--data", "data", *words],
                capture_output=True,
                text=True,
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT), "MONITOR_LOG": "json"},
                check=False,
            )
            assert "127.0.0.1" in done.stdout or words == ("health",), done.stderr
            assert SECRET not in done.stdout + done.stderr
        with running(tmp_path / "feeds.yaml", tmp_path / "run") as started:
            started.wait_for('"polled"')
            started.end()
        assert "feed failed" in "".join(started.lines)
        assert SECRET not in "".join(started.lines)
    out, err = capfd.readouterr()
    assert SECRET not in out + err


# ---------------------------------------------------------------- documents that are more than this process takes in

DEADLY, ENDLESS = b"a deadly document", b"an endless document"


def take_or_die(task: Task, rules: Rules, second: Second | None = None) -> Taken:
    """Take a document in, as another process does; some end the process, and some never end."""
    if DEADLY in task.body:
        os._exit(9)
    if ENDLESS in task.body:
        time.sleep(3600)
    return taking.take(task, rules, second)


def large(words: bytes, name: str) -> bytes:
    """A document that is large enough for another process."""
    return feed_document([NEWS], NOW - HOUR, name) + b"<!-- " + words + b" " * ENOUGH + b" -->"


@pytest.mark.parametrize(
    ("words", "endless", "reason"),
    [(DEADLY, 60.0, "the process that read it died"), (ENDLESS, 4.0, "could not be read within 4 s")],
)
def test_a_document_that_ends_its_reader_or_never_ends_fails_alone(
    tmp_path: Path, words: bytes, endless: float, reason: str
) -> None:
    """What was read beside it is taken in all the same."""
    with FeedServer(host=HERE) as server, Store(tmp_path / "monitor.db") as store:
        server.put("/bad", large(words, "bad"))
        for n in range(3):
            server.put(f"/good{n}", large(b"", f"good{n}"))
        feeds = [Feed(server.url(path), timeout=LONG) for path in ("/bad", *(f"/good{n}" for n in range(3)))]
        settings = settings_in(tmp_path)

        async def run() -> list[Outcome]:
            async with (
                Fetcher(settings.manners) as fetcher,
                Hands(settings.rules, lambda: None, 2, endless=endless, take=take_or_die, shares=False) as hands,
            ):
                round_ = polling.Round(settings, store, lambda: NOW, fetcher, lambda: hands)
                return await round_.go(never_asked(feeds), None, lambda outcome: None)

        outcomes = {outcome.feed: outcome for outcome in asyncio.run(run())}
        assert reason in outcomes[feeds[0]].reason
        assert {outcomes[feed].result for feed in feeds[1:]} == {"ok"}
        assert set(titles_of(store)) == {feed.url for feed in feeds[1:]}
        assert reason in store.feed_states()[feeds[0].url].error


def test_other_processes_come_to_the_same_as_this_one(tmp_path: Path) -> None:
    """The same items, verdicts and states of sixty documents, whoever took them in."""
    with FeedServer(host=HERE) as server:
        for n in range(60):
            titles = [f"{NEWS} {n} {m}" if m % 2 else f"On {n}: AGI, OpenAI and Microsoft {m}" for m in range(n % 7)]
            body = feed_document(titles, NOW - n * HOUR, f"feed{n}")
            broken = body[: len(body) * 3 // 4] if n % 9 == 0 else b"<html>no</html>" if n % 10 == 0 else body
            server.put(f"/{n}", broken + b"<!--" + b" " * (ENOUGH if n % 4 == 0 else 10_000) + b"-->")
        feeds = [Feed(server.url(f"/{n}"), timeout=LONG) for n in range(60)]
        settings = settings_in(tmp_path)
        kept = []
        for processes in (1, 2):
            with Store(tmp_path / f"{processes}.db") as store:
                worker.meet_digests(settings, store, NOW)
                outcomes = worker.poll(settings, store, lambda: NOW, processes=processes, due=never_asked(feeds))
                told = {o.feed: (o.result, o.entries, o.new, o.changed, o.hits, o.reason, o.trouble) for o in outcomes}
                states = {url: replace(state, etag="") for url, state in store.feed_states().items()}
                keys = list(states)
                hits = sorted(
                    ((hit.item, hit.verdict) for hit in store.untold_hits("morning")),
                    key=lambda pair: (pair[0].feed_url, pair[0].key),
                )
                items = sorted(store.items_since(NOW - 1000 * HOUR).values(), key=lambda i: (i.feed_url, i.key))
                kept.append((told, states, sorted(keys), hits, items))
        assert kept[0] == kept[1]
        assert len(kept[0][3]) > 50


PARENT = """\
import sys
from tests.test_hostile import poll_for_ever
poll_for_ever(sys.argv[1], sys.argv[2])
"""


def poll_for_ever(folder: str, url: str) -> None:
    """Poll with two processes, one of which never comes to an end."""
    settings = settings_in(Path(folder))

    async def run() -> None:
        async with Hands(settings.rules, lambda: None, 2, endless=3600.0, take=take_or_die, shares=False) as hands:
            bodies = [large(ENDLESS, "bad"), large(ENDLESS, "worse")]
            tasks = [Task(Feed(url), body, {}, url, NOW, None) for body in bodies]
            working = asyncio.gather(*(hands.take(task) for task in tasks))
            print("working", flush=True)
            await working

    asyncio.run(run())


def children_of(process: int) -> list[int]:
    """The processes that another one started, and theirs."""
    found = []
    for thread in Path(f"/proc/{process}/task").iterdir():
        for child in (thread / "children").read_text().split():
            found += [int(child), *children_of(int(child))]
    return found


def is_alive(process: int) -> bool:
    """Tell whether a process runs (one that ended and was not waited for does not)."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def until(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Look again and again whether something holds, for a while."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_a_worker_that_is_killed_leaves_no_processes_behind(tmp_path: Path) -> None:
    """SIGKILL while two others read for it: they end by themselves, whatever they were reading."""
    command = [sys.executable, "-c", PARENT, str(tmp_path), "http://127.0.0.7/"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"working\n"
        # Two readers beside multiprocessing's own helper; each has begun to watch its parent when it sleeps.
        assert until(lambda: len(children_of(process.pid)) >= 3)
        children = children_of(process.pid)
        process.kill()
        process.wait(30)
        assert until(lambda: not any(is_alive(child) for child in children))


# ---------------------------------------------------------------- the whole worker


def test_a_running_worker_stays_well_among_hostile_feeds(tmp_path: Path) -> None:
    """Health finds nothing wrong with polling, and SIGTERM ends it while feeds hang."""
    with FeedServer() as server:
        server.put("/good", feed_document([NEWS], datetime.now(UTC) - HOUR))
        server.drip("/endless", bytes(2**18), every=0)
        server.raw("/ssh", b"SSH-2.0-OpenSSH_9.6\r\n")
        server.put("/loop", status=302, headers={"Location": "/loop"})
        paths = ["/good", "/endless", "/ssh", "/loop"]
        (tmp_path / "feeds.yaml").write_text(config_text([server.url(path) for path in paths]))
        with running(tmp_path / "feeds.yaml", tmp_path / "data") as started:
            assert '"failed": 3' in started.wait_for('"polled"')
            done = subprocess.run(
                [sys.executable, "-m", "monitor", "--config", "feeds.yaml", "--data", "data", "health"],
                capture_output=True,
                text=True,
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert started.end()[0] == 0
        assert "Traceback" not in "".join(started.lines)
        assert is_sound(tmp_path / "data" / "monitor.db")

        hanging = [f"/hang{n}" for n in range(6)]
        for path in hanging:
            server.hang(path)
        (tmp_path / "feeds.yaml").write_text(config_text([server.url(path) for path in hanging]))
        with running(tmp_path / "feeds.yaml", tmp_path / "other") as started:
            assert until(lambda: any(request.path in hanging for request in server.requests))
            status, seconds = started.end()
        assert status == 0
        assert seconds < 10


def test_look_ups_that_hang_do_not_hold_up_the_end(tmp_path: Path) -> None:
    """No name server answers: the worker ends as soon as it is told to."""
    (tmp_path / "feeds.yaml").write_text(config_text([f"http://host{n}.invalid/" for n in range(50)]))
    hang = "import os, socket, time\nsocket.getaddrinfo = lambda *_: (os.write(1, b'looking\\n'), time.sleep(3600))\n"
    words = ["--config", str(tmp_path / "feeds.yaml"), "--data", str(tmp_path / "data"), "run"]
    command = [sys.executable, "-c", f"{hang}from monitor.cli import main\nmain()", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            for _ in range(20):
                assert process.stdout.readline() == b"looking\n"
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert time.monotonic() - began < 10
        finally:
            process.kill()


def test_a_signal_that_comes_while_the_worker_begins_to_wait_is_heard() -> None:
    """It interrupts a thread that may hold any lock, that of the event which it sets too."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        stop = heed_signals()
        with stop._cond:  # type: ignore[attr-defined]
            signal.raise_signal(signal.SIGTERM)
        assert stop.wait(30)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# ---------------------------------------------------------------- what a review found


def found_with(lookup: Any, manners: Manners, *urls: str) -> dict[str, Response]:
    """The answer of each feed, with this look-up of names."""

    async def run() -> dict[str, Response]:
        async with Fetcher(manners, 5.0, lookup=lookup) as fetcher:
            asked = never_asked([Feed(url) for url in urls])
            return {feed.url: answer async for feed, answer in fetcher.answers(asked)}

    return asyncio.run(run())


def test_a_fault_of_the_machine_fails_a_feed_and_ends_the_round() -> None:
    """No thread to be had for a look-up: more feeds than there are places, and all of them are told."""

    def broken(*_: Any) -> Any:
        raise KeyError("a fault that nobody thought of")

    urls = [f"http://host{number}.example/" for number in range(AT_ONCE + 10)]
    answers = found_with(broken, Manners(spacing=HOUR * 0), *urls).values()
    assert len(answers) == AT_ONCE + 10
    assert all(isinstance(answer, Failure) and "KeyError" in answer.reason for answer in answers)


def test_a_name_that_is_allowed_opens_no_way_for_another() -> None:
    """Though both lead to the same address."""
    with FeedServer() as server:
        server.put("/", rss(""))
        port = server.url("/").rsplit(":", 1)[1]

        def lookup(host: str, port: int, *_: Any) -> Any:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        urls = [f"http://rsshub.lan:{port}", f"http://evil.example:{port}"]
        manners = Manners(allow=("rsshub.lan",))
        answers = found_with(lookup, manners, *urls)
        own, other = (answers[url] for url in urls)
        assert isinstance(own, Fetched)
        assert isinstance(other, Failure)
        assert "not public" in other.reason
        assert {request.headers["host"] for request in server.requests} == {f"rsshub.lan:{port.rstrip('/')}"}


def test_a_mistake_beside_a_password_does_not_show_it(tmp_path: Path) -> None:
    """The line goes to the log, to health and into the next mail."""
    url = f"http://me:{SECRET}@example.com/feed"
    for text in (config_text([url, url]), config_text([f"http://me:{SECRET} x@example.com/"])):
        (tmp_path / "feeds.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            config.load(tmp_path / "feeds.yaml")
        assert SECRET not in str(caught.value)
        assert "example.com" in str(caught.value)


def test_thousands_of_empty_frames_are_no_document() -> None:
    """They would keep the loop busy for half a minute."""
    with pytest.raises(PackedError, match="too many frames"):
        unpacker("zstd")(zstd.compress(b"") * 5000, 2**20)


def test_entities_of_two_bytes_a_letter_are_not_unfolded() -> None:
    """The quick reader looks for them in letters of one byte."""
    bomb = "<!DOCTYPE r [<!ENTITY a '" + "a" * 1000 + "'>]><rss version='2.0'><channel><title>" + "&a;" * 5 + "</title>"
    assert quick.read(f"{bomb}</channel></rss>".encode("utf-16")) is None
