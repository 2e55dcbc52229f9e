"""Asking feeds through an executor: which go together, and that the answers are those that this process gets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from monitor import errands
from monitor.feeds.fetch import Fetcher
from monitor.hands import Crew
from monitor.model import Failure, Feed, FeedState, Fetched, Manners, NotModified, Response
from tests.feedserver import FeedServer

OWN = Manners(allow=("127.0.0.0/8",))


def due_of(*urls: str) -> list[tuple[Feed, FeedState]]:
    """Feeds that were asked before: they have something to remember."""
    return [(Feed(url), FeedState(url, etag='"1"', seen=b"12345678" * 1000)) for url in urls]


def urls_of(batches: list[errands.Batch]) -> list[list[str]]:
    """The addresses in each batch."""
    return [[feed.url for feed, _ in batch] for batch in batches]


# ---------------------------------------------------------------- batches


def test_the_feeds_of_a_host_go_together_whatever_their_number() -> None:
    """However many there are, and wherever they stand: one worker keeps the spacing of one host."""
    many = [f"https://many.example/{n}" for n in range(20)]
    due = due_of("https://a.example/1", *many[:10], "https://B.example/1", *many[10:], "https://b.example/2")
    found = urls_of(errands.batches(due, 4))
    hosts = [{url.split("/")[2].lower() for url in batch} for batch in found]
    assert sorted(url for batch in found for url in batch) == sorted(feed.url for feed, _ in due)
    assert sum("many.example" in some for some in hosts) == 1
    assert sum("b.example" in some for some in hosts) == 1
    assert all(len(batch) <= 4 for batch, some in zip(found, hosts, strict=True) if some != {"many.example"})


def test_a_batch_takes_along_validators_and_not_what_was_seen() -> None:
    """Eight bytes an entry of the last document would be most of what is sent."""
    [[(_, state)]] = errands.batches(due_of("https://a.example/1"))
    assert (state.etag, state.seen) == ('"1"', None)


# ---------------------------------------------------------------- answers


def ask(
    due: errands.Due, crew: Crew | None, *, stop: threading.Event | None = None, manners: Manners = OWN
) -> dict[str, Response]:
    """Ask through a crew, and return the answers by path."""
    coming: Future[Crew | None] = Future()
    coming.set_result(crew)

    async def run() -> dict[str, Response]:
        async with Fetcher(manners) as fetcher:
            answers = errands.answers(due, stop, crew=coming, here=fetcher.answers, manners=manners, deadline=None)
            return {f"/{feed.url.rpartition('/')[2]}": answer async for feed, answer in answers}

    return asyncio.run(run())


def plain(answer: Response) -> object:
    """What of an answer does not depend on the hour."""
    match answer:
        case Fetched(url, body, headers, _, moved):
            return url, body, {name: value for name, value in headers.items() if name != "date"}, moved
        case NotModified():
            return "not modified"
        case Failure(reason, retry_after, _, trouble, status):
            return reason, retry_after, trouble, status


def test_the_answers_are_those_that_this_process_gets() -> None:
    """A document, 304, 404, 503 with Retry-After, a redirect, an address that is not public, a time-out."""
    with FeedServer() as server, ThreadPoolExecutor(2) as pool:
        server.put("/new", "<rss/>")
        server.put("/known", "<rss/>", headers={"ETag": '"1"'})
        server.put("/busy", status=503, headers={"Retry-After": "120"})
        server.put("/moved", status=301, headers={"Location": server.url("/new")})
        server.put("/inside", status=302, headers={"Location": "http://10.0.0.1/secret"})
        server.hang("/never")
        due = [
            (Feed(server.url(path), timeout=timedelta(seconds=0.5 if path == "/never" else 30)), state)
            for path in ("/new", "/known", "/busy", "/moved", "/inside", "/never", "/none")
            for state in [FeedState(server.url(path), etag='"1"')]
        ]
        here = {path: plain(answer) for path, answer in ask(due, None).items()}
        there = {path: plain(answer) for path, answer in ask(due, Crew(pool, 2)).items()}
        asked = [request.headers for request in server.asked("/known")]
    assert there == here
    assert len(there) == len(due)
    assert there["/known"] == "not modified"
    assert asked[0] == asked[1], "who asks and what for is told alike"
    assert "not public: 10.0.0.1" in str(there["/inside"])
    assert timedelta(seconds=120) in there["/busy"]  # type: ignore[operator]


class Broken(Executor):
    """Does `good` pieces of work, then none any more, as when a scheduler dies."""

    def __init__(self, good: int) -> None:
        self.left = good

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        if self.left > 0:
            threading.Thread(target=lambda: done.set_result(fn(*args, **kwargs))).start()
        else:
            done.set_exception(BrokenExecutor("the scheduler is gone"))
        self.left -= 1
        return done


def test_what_a_crew_did_not_come_to_is_asked_from_here_and_nothing_twice() -> None:
    """The crew breaks after its first batch."""
    with FeedServer() as first, FeedServer() as second:
        due = due_of(*(server.url(f"/{server.port}-{n}") for server in (first, second) for n in range(errands.BATCH)))
        for server in (first, second):
            server.otherwise = lambda handler: handler.send_error(404)
        assert len(errands.batches(due)) == 2
        answers = ask(due, Crew(Broken(1), 2))
        asked = [request.path for server in (first, second) for request in server.requests]
    assert len(answers) == len(due)
    assert sorted(asked) == sorted(answers)


def test_a_worker_that_is_told_to_end_asks_nobody_any_more() -> None:
    """Neither through the crew nor from here."""
    stop = threading.Event()
    stop.set()
    with FeedServer() as server, ThreadPoolExecutor(1) as pool:
        assert ask(due_of(server.url("/a")), Crew(pool, 1), stop=stop) == {}
        assert server.requests == []
