"""Asking feeds from other machines: in batches, of one host all in one, so that it is spared as it is from here.

What is asked and how (conditional, with bounds, only public addresses, hosts by turns) is `fetch`'s affair, there as
here, and answers are the same. What a machine did not come to is asked from here.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import aclosing
from dataclasses import replace

from monitor.feeds.fetch import fetch_all, host_of
from monitor.hands import Crew
from monitor.model import Failure, Feed, FeedState, Manners, Response

BATCH = 16
"""So many feeds go together; more where one host has more."""
AT_ONCE = 2
"""So many batches are under way with each hand of a crew: they mostly wait, and their answers take up room."""
LOOK = 0.2
"""Seconds between two looks whether to stop."""

Due = Iterable[tuple[Feed, FeedState]]
Answers = AsyncGenerator[tuple[Feed, Response], None]
Batch = Sequence[tuple[Feed, FeedState]]


def batches(due: Due, most: int = BATCH) -> list[Batch]:
    """Return the feeds in batches of at most so many, those of one host in one, whatever their number."""
    hosts: dict[str, list[tuple[Feed, FeedState]]] = {}
    for feed, state in due:
        # What was seen is the longest part of a state, and nobody there asks for it.
        hosts.setdefault(host_of(feed.url), []).append((feed, replace(state, seen=None)))
    found: list[list[tuple[Feed, FeedState]]] = []
    for some in hosts.values():
        if found and len(found[-1]) + len(some) <= most:
            found[-1] += some
        else:
            found.append(some)
    return list[Batch](found)


def ask_here(batch: Batch, manners: Manners, deadline: float | None) -> list[Response]:
    """Ask the feeds of a batch, in a process that has nothing else to await; the answers stand as the feeds do."""

    async def ask() -> list[Response]:
        answers = {feed.url: answer async for feed, answer in fetch_all(batch, manners=manners, deadline=deadline)}
        return [answers.get(feed.url) or Failure("was not asked") for feed, _ in batch]

    return asyncio.run(ask())


async def answers(
    due: Due,
    stop: threading.Event | None,
    *,
    crew: Future[Crew | None],
    here: Callable[[Due, threading.Event | None], Answers],
    manners: Manners,
    deadline: float | None,
) -> Answers:
    """Have a crew ask feeds, and yield each answer as its batch comes; where there is no crew, ask them from `here`."""
    waiting, left = deque(batches(due)), list[tuple[Feed, FeedState]]()
    under_way: dict[asyncio.Future[list[Response]], Batch] = {}
    coming = asyncio.wrap_future(crew)
    try:
        while not coming.done() and not _is_set(stop):
            await asyncio.wait([coming], timeout=LOOK)
        there = coming.result() if coming.done() else None
        while there is not None and (waiting or under_way) and not _is_set(stop):
            while waiting and len(under_way) < AT_ONCE * there.most:
                work = there.executor.submit(ask_here, waiting[0], manners, deadline)
                under_way[asyncio.wrap_future(work)] = waiting.popleft()
            done, _ = await asyncio.wait(under_way, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                batch = under_way.pop(one)
                try:
                    found = one.result()
                except (BrokenExecutor, asyncio.CancelledError):
                    left += batch
                    continue
                for (feed, _), response in zip(batch, found, strict=True):
                    yield feed, response
    finally:
        coming.cancel()
        for pending in under_way:
            pending.cancel()
    left += [pair for batch in waiting for pair in batch]
    if left and not _is_set(stop):
        async with aclosing(here(left, stop)) as rest:
            async for answer in rest:
                yield answer


def _is_set(stop: threading.Event | None) -> bool:
    return stop is not None and stop.is_set()
