"""Fetching over real HTTP on loopback: what a feed can do to us, and what is said of it."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import zlib
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler

import pytest

from monitor import __version__
from monitor.feeds.fetch import MAX_BODY, MAX_REDIRECTS, fetch_all
from monitor.model import Failure, Feed, FeedState, Fetched, Manners, NotModified, Response
from tests.feedserver import Act, FeedServer

BODY = b"<rss version='2.0'><channel><title>News</title></channel></rss>"
DATE = "Tue, 24 Nov 2026 05:00:00 GMT"
SHORT = 0.3  # for feeds that never answer
LONG = 20.0  # for what must end by itself
OWN = Manners(allow=("127.0.0.0/8", "localhost", "::1"))  # where the tests' servers are


def fetch_these(asked: Iterable[tuple[Feed, FeedState]], deadline: float = LONG) -> list[tuple[Feed, Response]]:
    """All answers, in the order in which they came."""

    async def run() -> list[tuple[Feed, Response]]:
        return [answer async for answer in fetch_all(asked, deadline=deadline, manners=OWN)]

    return asyncio.run(run())


def fetch_one(
    url: str, deadline: float = LONG, *, user_agent: str = "", etag: str = "", modified: str = ""
) -> Response:
    """The answer of one feed."""
    feed = Feed(url, user_agent=user_agent)
    [(asked, response)] = fetch_these([(feed, FeedState(url, etag=etag, last_modified=modified))], deadline)
    assert asked is feed
    return response


def failure(url: str, deadline: float = LONG) -> Failure:
    """The failure of one feed, which must be fit to be stored and shown."""
    response = fetch_one(url, deadline)
    assert isinstance(response, Failure)
    assert response.reason
    assert response.reason.isprintable()
    response.reason.encode()
    return response


def asked(*urls: str) -> list[tuple[Feed, FeedState]]:
    """Feeds never asked before."""
    return [(Feed(url), FeedState(url)) for url in urls]


# ---------------------------------------------------------------- a good answer


def test_a_document_comes_with_its_headers_in_lower_case() -> None:
    """A good answer is the bytes, the address that gave them and the headers."""
    with FeedServer() as server:
        server.put("/a.xml", BODY, headers={"Content-Type": "text/xml; charset=gb2312", "X-Other": "1"})
        response = fetch_one(server.url("/a.xml"))
        assert isinstance(response, Fetched)
        assert (response.url, response.body) == (server.url("/a.xml"), BODY)
        assert response.headers["content-type"] == "text/xml; charset=gb2312"
        assert response.headers["x-other"] == "1"
        assert response.seconds > 0


def test_a_compressed_document_is_asked_for_and_unpacked() -> None:
    """Feeds compress well, and the reader of the answer does not have to know."""
    with FeedServer() as server:
        server.put("/a.xml", gzip.compress(BODY), headers={"Content-Encoding": "gzip"})
        response = fetch_one(server.url("/a.xml"))
        assert isinstance(response, Fetched)
        assert response.body == BODY
        assert "gzip" in server.requests[0].headers["accept-encoding"]


def test_a_document_without_a_length_ends_with_its_connection() -> None:
    """Old servers send no Content-Length and just close."""
    with FeedServer() as server:
        server.raw("/a.xml", b"HTTP/1.0 200 OK\r\n\r\n" + BODY)
        response = fetch_one(server.url("/a.xml"))
        assert isinstance(response, Fetched)
        assert response.body == BODY


# ---------------------------------------------------------------- validators


def test_validators_go_back_as_they_came_and_save_the_document() -> None:
    """ETag and Last-Modified of one answer make the next one a 304."""
    with FeedServer() as server:
        server.put("/a.xml", BODY, headers={"ETag": 'W/"a b"', "Last-Modified": DATE})
        first = fetch_one(server.url("/a.xml"))
        assert isinstance(first, Fetched)
        second = fetch_one(server.url("/a.xml"), etag=first.headers["etag"], modified=first.headers["last-modified"])
        assert isinstance(second, NotModified)
        assert second.seconds > 0
        before, after = (request.headers for request in server.requests)
        assert "if-none-match" not in before
        assert "if-modified-since" not in before
        assert after["if-none-match"] == 'W/"a b"'
        assert after["if-modified-since"] == DATE


def test_a_date_alone_is_enough_to_save_the_document() -> None:
    """Servers without ETag still answer 304 to a date."""
    with FeedServer() as server:
        server.put("/a.xml", BODY, headers={"Last-Modified": DATE})
        assert isinstance(fetch_one(server.url("/a.xml"), modified=DATE), NotModified)


def test_a_changed_document_comes_whole_in_spite_of_validators() -> None:
    """A validator that no longer matches costs nothing."""
    with FeedServer() as server:
        server.put("/a.xml", BODY, headers={"ETag": '"2"', "Last-Modified": DATE})
        response = fetch_one(server.url("/a.xml"), etag='"1"', modified=DATE)
        assert isinstance(response, Fetched)
        assert response.headers["etag"] == '"2"'


def test_validators_survive_a_redirect() -> None:
    """A feed that moved can still answer 304 at its new address."""
    with FeedServer() as server:
        server.put("/old.xml", status=301, headers={"Location": "/new.xml"})
        server.put("/new.xml", BODY, headers={"ETag": '"1"'})
        assert isinstance(fetch_one(server.url("/old.xml"), etag='"1"'), NotModified)


def test_headers_that_are_not_text_can_still_be_stored() -> None:
    """A stray byte in an ETag must not break the database that keeps it."""
    with FeedServer() as server:
        server.raw("/a.xml", b'HTTP/1.1 200 OK\r\nETag: "\xff"\r\nContent-Length: 2\r\n\r\nhi')
        response = fetch_one(server.url("/a.xml"))
        assert isinstance(response, Fetched)
        assert response.body == b"hi"
        "".join(response.headers.values()).encode()


# ---------------------------------------------------------------- who asks


def test_the_monitor_says_who_it_is() -> None:
    """By default it names itself and its version, and pretends to be no browser."""
    with FeedServer() as server:
        server.put("/a.xml", BODY)
        fetch_one(server.url("/a.xml"))
        agent = server.requests[0].headers["user-agent"]
        assert agent.startswith(f"rift-monitor/{__version__}")
        assert "Mozilla" not in agent


def test_a_feed_can_be_asked_under_another_name() -> None:
    """Some feeds answer only to agents that they know."""
    with FeedServer() as server:
        server.put("/old.xml", status=302, headers={"Location": "/a.xml"})
        server.put("/a.xml", BODY)
        fetch_one(server.url("/old.xml"), user_agent="Example Reader 1.0")
        assert [request.headers["user-agent"] for request in server.requests] == ["Example Reader 1.0"] * 2


def test_feeds_are_what_it_asks_for() -> None:
    """Servers that choose by Accept give the feed, not the page."""
    with FeedServer() as server:
        server.put("/a.xml", BODY)
        fetch_one(server.url("/a.xml"))
        accept = server.requests[0].headers["accept"]
        assert "application/rss+xml" in accept
        assert "application/atom+xml" in accept


def test_no_cookies_are_kept() -> None:
    """A feed that sets a cookie never gets it back, neither at the next hop nor at the next request."""
    with FeedServer() as server:
        server.put("/old.xml", status=302, headers={"Location": "/a.xml", "Set-Cookie": "who=me; Path=/"})
        server.put("/a.xml", BODY, headers={"Set-Cookie": "who=me; Path=/"})
        fetch_these(asked(*[server.url("/old.xml")] * 4))
        assert len(server.requests) == 8
        assert [request for request in server.requests if "cookie" in request.headers] == []


# ---------------------------------------------------------------- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(status: int) -> None:
    """Every kind of redirect leads to the document, whose address is told."""
    with FeedServer() as server:
        server.put("/old.xml", status=status, headers={"Location": "/new.xml?a=1"})
        server.put("/new.xml?a=1", BODY)
        response = fetch_one(server.url("/old.xml"))
        assert isinstance(response, Fetched)
        assert (response.url, response.body) == (server.url("/new.xml?a=1"), BODY)


def chain(server: FeedServer, hops: int) -> str:
    """The start of a chain of redirects that ends at a document."""
    for i in range(hops):
        server.put(f"/{i}", status=302, headers={"Location": f"/{i + 1}"})
    server.put(f"/{hops}", BODY)
    return server.url("/0")


def test_five_redirects_are_followed() -> None:
    """The longest honest chains are a few hops."""
    with FeedServer() as server:
        assert isinstance(fetch_one(chain(server, MAX_REDIRECTS)), Fetched)
        assert MAX_REDIRECTS == 5


def test_a_sixth_redirect_is_not_followed() -> None:
    """A chain without an end is named, and its end is never asked."""
    with FeedServer() as server:
        assert "more than 5 redirects" in failure(chain(server, MAX_REDIRECTS + 1)).reason
        assert server.asked("/6") == []


def test_a_loop_of_redirects_ends() -> None:
    """A feed that redirects to itself is asked a few times and then named."""
    with FeedServer() as server:
        server.put("/a", status=302, headers={"Location": "/b"})
        server.put("/b", status=302, headers={"Location": "/a"})
        assert "redirects" in failure(server.url("/a")).reason
        assert len(server.requests) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "target", ["file:///etc/hostname", "ftp://127.0.0.1/a.xml", "javascript:alert(1)", "data:text/xml,<rss/>"]
)
def test_a_redirect_away_from_http_is_refused(target: str) -> None:
    """A feed cannot make the monitor open files or speak other protocols."""
    with FeedServer() as server:
        server.put("/a.xml", status=302, headers={"Location": target})
        assert "not http" in failure(server.url("/a.xml")).reason


@pytest.mark.parametrize("target", [b"http://[", b"http://a:99999/", b"http://nowhere.invalid/", b"ftp://\xff/"])
def test_a_redirect_to_an_address_that_cannot_be_used_is_a_failure(target: bytes) -> None:
    """A broken Location is the feed's failure, in words that can be stored."""
    with FeedServer() as server:
        server.raw("/a.xml", b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + target + b"\r\n\r\n")
        failure(server.url("/a.xml"))


def test_a_redirect_to_nowhere_is_named() -> None:
    """A redirect without Location is an answer that is no feed."""
    with FeedServer() as server:
        server.put("/a.xml", status=301)
        assert failure(server.url("/a.xml")).reason == "HTTP 301 Moved Permanently"


# ---------------------------------------------------------------- a server that says no


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (204, "HTTP 204 No Content"),
        (403, "HTTP 403 Forbidden"),
        (404, "HTTP 404 Not Found"),
        (410, "HTTP 410 Gone"),
        (429, "HTTP 429 Too Many Requests"),
        (500, "HTTP 500 Internal Server Error"),
        (503, "HTTP 503 Service Unavailable"),
        (599, "HTTP 599"),
    ],
)
def test_a_refusal_is_named(status: int, words: str) -> None:
    """The reader sees the status in words, and no date to come back where none was given."""
    with FeedServer() as server:
        server.put("/a.xml", status=status)
        refused = failure(server.url("/a.xml"))
        assert (refused.reason, refused.retry_after) == (words, None)
        assert refused.seconds > 0


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_may_say_in_seconds_when_to_come_back(status: int) -> None:
    """Retry-After as a number is a wait."""
    with FeedServer() as server:
        server.put("/a.xml", status=status, headers={"Retry-After": "3600"})
        assert failure(server.url("/a.xml")).retry_after == timedelta(hours=1)


def test_a_server_may_say_by_date_when_to_come_back() -> None:
    """Retry-After as an HTTP date is the time until then."""
    with FeedServer() as server:
        then = datetime.now(UTC) + timedelta(hours=3)
        server.put("/a.xml", status=503, headers={"Retry-After": format_datetime(then, usegmt=True)})
        wait = failure(server.url("/a.xml")).retry_after
        assert wait is not None
        assert timedelta(hours=2, minutes=50) < wait <= timedelta(hours=3)


def test_a_date_that_has_passed_asks_for_no_wait() -> None:
    """A server with a slow clock does not send us into the past."""
    with FeedServer() as server:
        server.put("/a.xml", status=503, headers={"Retry-After": "Tue, 24 Nov 1998 05:00:00 GMT"})
        assert failure(server.url("/a.xml")).retry_after == timedelta()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "-5",
        "1.5",
        "Mon, 01 Jan 99999 00:00:00 GMT",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 +99999999999999",
        "²",
    ],
)
def test_a_wait_that_makes_no_sense_is_ignored(value: str) -> None:
    """The refusal is told whatever stands in Retry-After."""
    with FeedServer() as server:
        answer = f"HTTP/1.1 429 No\r\nContent-Length: 0\r\nRetry-After: {value}\r\n\r\n"
        server.raw("/a.xml", answer.encode())
        refused = failure(server.url("/a.xml"))
        assert (refused.reason, refused.retry_after) == ("HTTP 429 Too Many Requests", None)


def test_an_endless_wait_is_still_a_refusal_in_words() -> None:
    """A Retry-After of thousands of digits does not hide the status."""
    with FeedServer() as server:
        server.put("/a.xml", status=429, headers={"Retry-After": "9" * 5000})
        assert failure(server.url("/a.xml")).reason == "HTTP 429 Too Many Requests"


# ---------------------------------------------------------------- size


def test_a_document_at_the_limit_is_taken() -> None:
    """The limit itself is allowed."""
    with FeedServer() as server:
        server.put("/a.xml", bytes(MAX_BODY))
        response = fetch_one(server.url("/a.xml"))
        assert isinstance(response, Fetched)
        assert len(response.body) == MAX_BODY


def test_a_document_without_end_is_left_at_the_limit() -> None:
    """What never ends could not be refused if it were read to its end."""
    with FeedServer() as server:
        server.drip("/a.xml", bytes(2**18), every=0)
        assert "larger than 10 MiB" in failure(server.url("/a.xml")).reason


def test_a_compression_bomb_is_left_at_the_limit() -> None:
    """The limit counts what a small answer unpacks to, while it unpacks."""
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(64)) + packer.flush()
    assert len(bomb) < MAX_BODY / 100
    with FeedServer() as server:
        server.put("/a.xml", bomb, headers={"Content-Encoding": "gzip"})
        assert "larger than 10 MiB" in failure(server.url("/a.xml")).reason


# ---------------------------------------------------------------- time


def test_a_feed_that_never_answers_is_named_at_its_deadline() -> None:
    """Silence has an end, and the end is told."""
    with FeedServer() as server:
        server.hang("/a.xml")
        late = failure(server.url("/a.xml"), SHORT)
        assert late.reason == "no complete answer within 0.3 s"
        assert late.seconds >= SHORT


def test_a_feed_that_never_stops_dripping_is_named_at_its_deadline() -> None:
    """A byte now and then does not extend the time."""
    with FeedServer() as server:
        server.drip("/a.xml", headers="Content-Length: 1000000\r\n")
        assert "no complete answer" in failure(server.url("/a.xml"), SHORT).reason


def test_a_feed_that_stops_in_the_middle_is_named_at_its_deadline() -> None:
    """Half a document and then silence is no document."""
    with FeedServer() as server:
        server.raw("/a.xml", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<rss", then="hang")
        assert "no complete answer" in failure(server.url("/a.xml"), SHORT).reason


def test_the_deadline_is_for_all_redirects_together() -> None:
    """A chain of hops does not start the clock again."""
    with FeedServer() as server:
        server.put("/a.xml", status=302, headers={"Location": "/b.xml"})
        server.hang("/b.xml")
        late = failure(server.url("/a.xml"), SHORT)
        assert "no complete answer" in late.reason
        assert len(server.requests) == 2


def test_the_deadline_does_not_run_while_a_feed_waits_for_its_turn() -> None:
    """Feeds behind slow ones of the same host are not blamed for them."""
    with FeedServer() as server:
        slow = [f"/slow{i}" for i in range(OWN.per_host * 2)]
        for path in slow:
            server.hang(path)
        server.put("/good", BODY)
        answers = fetch_these(asked(*map(server.url, [*slow, "/good"])), SHORT)
        assert [feed.url for feed, response in answers if isinstance(response, Fetched)] == [server.url("/good")]
        assert len(answers) == len(slow) + 1


# ---------------------------------------------------------------- the connection


def test_a_refused_connection_is_named() -> None:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "could not be reached" in failure(f"http://127.0.0.1:{port}/a.xml").reason


def test_an_unknown_host_is_named() -> None:
    """The name in the address is the first thing to check."""
    assert "host name was not found" in failure("http://nowhere.invalid/a.xml").reason


def test_a_connection_closed_without_an_answer_is_named() -> None:
    """A server that hangs up has said nothing."""
    with FeedServer() as server:
        server.raw("/a.xml", b"")
        assert "closed the connection" in failure(server.url("/a.xml")).reason


@pytest.mark.parametrize(
    "length", [b"Content-Length: 100\r\n", b"Transfer-Encoding: chunked\r\n"], ids=["length", "chunked"]
)
@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_document_that_breaks_off_is_not_taken_for_whole(length: bytes, end: str) -> None:
    """Half a feed would look like a feed with fewer items."""
    with FeedServer() as server:
        part = b"5\r\n<rss>\r\n" if b"chunked" in length else b"<rss>"
        server.raw(
            "/a.xml", b"HTTP/1.1 200 OK\r\n" + length + b"\r\n" + part, then="reset" if end == "reset" else "close"
        )
        reason = failure(server.url("/a.xml")).reason
        assert "broke off" in reason or "closed the connection" in reason


def test_a_broken_compression_is_named() -> None:
    """What says gzip and is not cannot be read."""
    with FeedServer() as server:
        server.put("/a.xml", BODY, headers={"Content-Encoding": "gzip"})
        assert "could not be decompressed" in failure(server.url("/a.xml")).reason


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 10_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 20",
    ],
    ids=["other protocol", "negative length", "long header", "many headers", "bad chunk", "half a status"],
)
def test_an_answer_that_is_not_http_is_a_failure(answer: bytes) -> None:
    """Whatever listens there, the answer is a failure in words."""
    with FeedServer() as server:
        server.raw("/a.xml", answer)
        failure(server.url("/a.xml"))


def test_a_certificate_that_nobody_trusts_is_refused() -> None:
    """News over a connection that anyone can change is no news."""
    with FeedServer(tls=True) as server:
        server.put("/a.xml", BODY)
        assert "no secure connection" in failure(server.url("/a.xml")).reason
        assert server.requests == []


def test_a_plain_server_under_https_is_named() -> None:
    """An address with the wrong scheme is told from a server that is down."""
    with FeedServer() as server:
        assert "no secure connection" in failure(server.url("/").replace("http:", "https:")).reason


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "http://",
        "http:///a.xml",
        "http://[",
        "http://[::1%]/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:port/",
        "http://127.0.0.1:0/",
        "http://a..invalid/",
        f"http://{'a' * 70}.invalid/",
        "http://two words.invalid/",
        "http://\x00/",
        "http://\ud800.invalid/",
        "http://256.256.256.256/",
        "file:///etc/hostname",
        "ftp://127.0.0.1/a.xml",
        "javascript:alert(1)",
    ],
)
def test_an_address_that_cannot_be_used_is_a_failure(url: str) -> None:
    """A typing error in one address is that feed's failure, and the other feeds are still asked."""
    with FeedServer() as server:
        server.put("/a.xml", BODY)
        answers = dict(fetch_these(asked(url, server.url("/a.xml"))))
        assert isinstance(answers[Feed(url)], Failure)
        assert isinstance(answers[Feed(server.url("/a.xml"))], Fetched)


@pytest.mark.parametrize("agent", ["two\r\nlines: 1", "nul\0"])
def test_a_user_agent_that_would_forge_headers_is_a_failure(agent: str) -> None:
    """A line break in the configuration does not become a header."""
    with FeedServer() as server:
        assert isinstance(fetch_one(server.url("/a.xml"), user_agent=agent), Failure)
        assert server.requests == []


# ---------------------------------------------------------------- many feeds


def test_nothing_to_ask_is_no_answer() -> None:
    """An empty list ends at once."""
    assert fetch_these([]) == []


def test_every_feed_gets_its_own_answer() -> None:
    """Answers are not mixed up, however they come."""
    with FeedServer() as server:
        paths = [f"/{i}.xml" for i in range(40)]
        for path in paths:
            server.put(path, f"<rss>{path}</rss>")
        answers = fetch_these(asked(*map(server.url, paths)))
        got = {feed.url: response.body.decode() for feed, response in answers if isinstance(response, Fetched)}
        assert got == {server.url(path): f"<rss>{path}</rss>" for path in paths}


def test_one_slow_feed_does_not_hold_up_the_others() -> None:
    """The slow feed answers only when all others have been handed over: it comes last, and it comes."""
    with FeedServer() as server:
        gate = threading.Event()

        def slow(handler: BaseHTTPRequestHandler) -> None:
            gate.wait(LONG)
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        server.route("/slow", slow)
        quick = [f"/{i}" for i in range(10)]
        for path in quick:
            server.put(path, BODY)

        async def run() -> list[tuple[Feed, Response]]:
            answers = []
            async for answer in fetch_all(asked(*map(server.url, ["/slow", *quick])), deadline=LONG, manners=OWN):
                answers.append(answer)
                if len(answers) == len(quick):
                    gate.set()
            return answers

        answers = asyncio.run(run())
        assert all(isinstance(response, Fetched) for _, response in answers)
        assert [feed.url for feed, _ in answers][-1] == server.url("/slow")


def test_no_host_is_asked_for_more_than_two_documents_at_once() -> None:
    """Ten feeds of one publisher are not an attack on it."""
    with FeedServer() as server:
        lock, both, now, peak = threading.Lock(), threading.Event(), 0, 0

        def act(handler: BaseHTTPRequestHandler) -> None:
            nonlocal now, peak
            with lock:
                now += 1
                peak = max(peak, now)
                if now == OWN.per_host:
                    both.set()
            both.wait(LONG)
            with lock:
                now -= 1
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        paths = [f"/{i}" for i in range(10)]
        for path in paths:
            server.route(path, act)
        fetch_these(asked(*map(server.url, paths)))
        assert peak == OWN.per_host == 2
        assert len(server.requests) == 10


# ---------------------------------------------------------------- stopping


def stopping(server: FeedServer, stop: threading.Event) -> Act:
    """A feed that never answers, and whose being asked is the sign to stop."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        stop.set()
        handler.rfile.read(1)  # until the client has gone

    return act


async def until_stopped(feeds: list[tuple[Feed, FeedState]], stop: threading.Event) -> AsyncIterator[Response]:
    """Answers that come before the stop."""
    async for _, response in fetch_all(feeds, stop, deadline=600, manners=OWN):
        yield response


def test_a_stop_drops_what_is_under_way() -> None:
    """Neither the hanging feeds nor those behind them are waited for, and they are not failures."""
    with FeedServer() as server:
        stop = threading.Event()
        paths = [f"/{i}" for i in range(6)]
        for path in paths:
            server.route(path, stopping(server, stop))

        async def run() -> list[Response]:
            return [response async for response in until_stopped(asked(*map(server.url, paths)), stop)]

        assert asyncio.run(run()) == []
        assert len(server.requests) <= OWN.per_host


def test_what_was_answered_before_a_stop_is_kept() -> None:
    """The answer that came is handed over; the rest stays unfetched."""
    with FeedServer() as server:
        stop = threading.Event()
        server.put("/good", BODY)
        server.hang("/never")

        async def run() -> list[Response]:
            answers = []
            async for response in until_stopped(asked(server.url("/never"), server.url("/good")), stop):
                answers.append(response)
                stop.set()
            return answers

        [response] = asyncio.run(run())
        assert isinstance(response, Fetched)


def test_a_stop_before_the_start_asks_nobody() -> None:
    """A worker that is told to end does not begin another round."""
    with FeedServer() as server:
        server.put("/a.xml", BODY)
        stop = threading.Event()
        stop.set()

        async def run() -> list[Response]:
            return [response async for response in until_stopped(asked(server.url("/a.xml")), stop)]

        assert asyncio.run(run()) == []
        assert server.requests == []
