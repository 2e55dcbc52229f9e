"""Who takes documents in: this process while there are few, others beside it when there are many or large ones.

The seam is `concurrent.futures.Executor`. A document that kills the process that reads it, or takes for ever, fails
alone: what was under way with it is taken in once more, one at a time.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import suppress
from functools import cache, cached_property
from multiprocessing import get_context, parent_process
from typing import Self

from monitor import taking
from monitor.match.blend import Second
from monitor.match.judge import rules_key
from monitor.match.rules import Rules
from monitor.model import Failure, Item, Judged
from monitor.taking import Taken, Task

ENOUGH, LARGE = 2 * 1024 * 1024, 512 * 1024
"""From so many bytes on, in one round or in one document, other processes are worth their start."""
AT_HAND = 8
"""So many documents wait with each helper at most: between two looks at them this process takes in as many itself."""
ENDLESS = 60.0
"""Seconds after which a document is given up: no honest one of ten MiB takes so long."""


Take = Callable[[Task, Rules, Second | None], Taken]


class Hands:
    """Takes documents in, during one round of polling."""

    def __init__(
        self,
        rules: Rules,
        advise: Callable[[], Second | None] = lambda: None,
        processes: int | None = None,
        *,
        endless: float = ENDLESS,
        take: Take = taking.take,
        shares: bool = True,
    ) -> None:
        """Let at most `processes` help, one for each other processor unless said.

        `advise` returns the second opinion; it is called when there is something to judge. `take` does the work, here
        and elsewhere; elsewhere it is given up after `endless` seconds. Where it `shares`, this process takes in what
        the others have no hand free for.
        """
        self._rules, self._advise = rules, cache(advise)
        self._endless, self._take = endless, take
        self._most = _processors() - 1 if processes is None else processes
        self._shares, self._away = shares, 0
        self._pool: ProcessPoolExecutor | None = None
        self._careful = asyncio.Lock()
        self._ready: asyncio.Future[None] | None = None
        self._bytes = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Send the helpers home, whatever they are doing."""
        if self._ready is not None:
            self._ready.cancel()
        if self._pool is not None:
            _end(self._pool)

    def start(self) -> None:
        """Call the helpers before anything is under way, where much is to come: then they need not learn it all anew.

        A process without threads can be forked. One with threads cannot: the fork would hold their locks for ever.
        """
        alone = threading.active_count() == 1 and sys.platform == "linux"
        if self._most > 0 and alone:
            self._pool = self._start(self._most, "fork")
            self._pool.submit(ready)  # now, not when there are threads

    async def take(self, task: Task) -> Taken:
        """Take in one document, here or elsewhere."""
        self._bytes += len(task.body)
        if self._most > 0 and self._pool is None and (self._bytes >= ENOUGH or len(task.body) >= LARGE):
            self._pool = self._start(self._most)
            self._ready = asyncio.wrap_future(self._pool.submit(ready))
        if self._pool is None or (len(task.body) < LARGE and self._are_busy()):
            return self._take(task, self._rules, self._advise())
        self._away += 1
        try:
            return await self._take_away(self._pool, task)
        finally:
            self._away -= 1

    def _are_busy(self) -> bool:
        """Tell whether the helpers are not ready, or have enough to do."""
        late = self._ready is not None and not self._ready.done()
        return late or (self._shares and self._away >= AT_HAND * self._most)

    @property
    def room(self) -> int:
        """How many documents may be under way, so that nobody is idle."""
        return AT_HAND * (max(self._most, 1) + 1)

    async def _take_away(self, pool: ProcessPoolExecutor, task: Task) -> Taken:
        try:
            return await self._elsewhere(pool, task)
        except (BrokenExecutor, TimeoutError):
            # Perhaps this document's doing, perhaps that of one which it stood behind.
            return await self._once_more(pool, task)

    @cached_property
    def rules_key(self) -> str:
        """What stands for the rules and the second opinion that all is judged by here."""
        return rules_key(self._rules, self._advise())

    def judge(self, items: Sequence[Item]) -> list[Judged]:
        """Judge items here."""
        return taking.judge_all(items, self._rules, self._advise())

    async def _elsewhere(self, pool: ProcessPoolExecutor, task: Task) -> Taken:
        work = pool.submit(take_here, task)
        async with asyncio.timeout(self._endless):
            try:
                return await asyncio.wrap_future(work)
            except asyncio.CancelledError:
                me = asyncio.current_task()
                if work.cancelled() and me is not None and not me.cancelling():
                    # Nobody told this one to end: the pool was ended, for another document's sake.
                    raise BrokenExecutor from None
                raise

    async def _once_more(self, broken: ProcessPoolExecutor, task: Task) -> Taken:
        """Take in what was under way when a process died, each in a process that it can only kill for itself."""
        async with self._careful:
            if self._pool is broken:
                _end(broken)
                self._pool, self._ready = self._start(self._most), None
            single = self._start(1)
            try:
                async with asyncio.timeout(ENDLESS):
                    await asyncio.wrap_future(single.submit(ready))  # its start is not the document's fault
                return await self._elsewhere(single, task)
            except BrokenExecutor:
                return Taken(failure=Failure("could not be read: the process that read it died"))
            except TimeoutError:
                return Taken(failure=Failure(f"could not be read within {self._endless:g} s"))
            finally:
                _end(single)

    def _start(self, most: int, how: str = "spawn") -> ProcessPoolExecutor:
        return ProcessPoolExecutor(most, get_context(how), prepare, (self._take, self._rules, self._advise()))


# ---------------------------------------------------------------- in another process

_tools: tuple[Take, Rules, Second | None] | None = None


def prepare(take: Take, rules: Rules, second: Second | None) -> None:
    """Get ready, in a process that takes in documents for another, and end when that ends."""
    global _tools
    _tools = take, rules, second
    gc.freeze()  # it would go through thousands of keywords again and again
    threading.Thread(target=_end_with_parent, daemon=True).start()


def take_here(task: Task) -> Taken:
    """Take in one document, in a process that is ready."""
    assert _tools is not None  # noqa: S101 (the pool prepares each process)
    take, rules, second = _tools
    return take(task, rules, second)


def ready() -> None:
    """Do nothing: what a process answers first."""


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


# ---------------------------------------------------------------- the pool


def _processors() -> int:
    with suppress(AttributeError):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _end(pool: ProcessPoolExecutor) -> None:
    """End a pool at once, whatever its processes are doing."""
    processes = list((pool._processes or {}).values())  # as `kill_workers` of Python 3.14 does
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        with suppress(Exception):  # it may have ended by itself
            process.kill()
