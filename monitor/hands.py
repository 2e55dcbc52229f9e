"""Who takes documents in: this process while there are few, others beside it when there are many or large ones.

The seam is `concurrent.futures.Executor`: processes of this machine, and a crew on others where there is one. A
document that kills the process that reads it, or takes for ever, fails alone: what was under way with it is taken in
once more, one at a time. What a crew gives back undone is taken in by a process of this machine.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Tools:
    """What a document is taken in with; `key` stands for it, see `judge.rules_key`."""

    take: Take
    rules: Rules
    second: Second | None
    key: str


def tools_of(rules: Rules, second: Second | None, take: Take = taking.take) -> Tools:
    """Return what documents are taken in with by these rules."""
    return Tools(take, rules, second, rules_key(rules, second))


@dataclass(frozen=True, slots=True)
class Crew:
    """Hands on other machines that have the tools: where work is given, and to how many."""

    executor: Executor
    most: int


Enlist = Callable[[Tools], "Future[Crew | None]"]
"""Gives tools to a crew, which takes its time; None in the end where there is no crew now."""


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
        enlist: Enlist | None = None,
    ) -> None:
        """Let at most `processes` help, one for each other processor unless said, and the crew that `enlist` brings.

        `advise` returns the second opinion; it is called when there is something to judge. `take` does the work, here
        and elsewhere; elsewhere it is given up after `endless` seconds. Where it `shares`, this process takes in what
        the others have no hand free for, and waits for no crew.
        """
        self._rules, self._advise = rules, cache(advise)
        self._endless, self._take = endless, take
        self._most = _processors() - 1 if processes is None else processes
        self._shares, self._away = shares, 0
        self._pool: ProcessPoolExecutor | None = None
        self._careful = asyncio.Lock()
        self._ready: asyncio.Future[None] | None = None
        self._bytes = 0
        self._enlist, self._sent = enlist, 0
        self._crew: asyncio.Future[Crew | None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Send the helpers home, whatever they are doing; a crew stays where it is."""
        if self._crew is not None:
            self._crew.cancel()
        if self._ready is not None:
            self._ready.cancel()
        if self._pool is not None:
            _end(self._pool)

    def start(self) -> None:
        """Call the helpers before anything is under way, where much is to come: then they need not learn it all anew.

        A process without threads can be forked. One with threads cannot: the fork would hold their locks for ever.
        """
        alone = threading.active_count() == 1 and sys.platform == "linux"
        if self._most > 0 and alone and self._enlist is None:
            self._pool = self._start(self._most, "fork")
            self._pool.submit(ready)  # now, not when there are threads

    async def take(self, task: Task) -> Taken:
        """Take in one document, here or elsewhere."""
        crew = await self._crew_for(task) if self._enlist is not None else None
        if crew is not None:
            return await self._take_far_away(crew, task)
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
        came = self._crew is not None and self._crew.done() and not self._crew.cancelled()
        crew = self._crew.result() if self._crew is not None and came else None
        return AT_HAND * (max(self._most, 1) + 1 + (crew.most if crew else 0))

    async def _crew_for(self, task: Task) -> Crew | None:
        """Return the crew if it is ready and has a hand free, or the document is a large one."""
        if self._crew is None and self._enlist is not None:
            tools = Tools(self._take, self._rules, self._advise(), self.rules_key)
            coming = self._enlist(tools)
            self._crew = asyncio.wrap_future(coming)
            if coming.done():
                await self._crew
        if self._crew is None or (self._shares and not self._crew.done()):
            return None
        crew = await asyncio.shield(self._crew)  # one document that is dropped does not send the others' crew away
        busy = crew is not None and self._shares and self._sent >= AT_HAND * crew.most
        return None if busy and len(task.body) < LARGE else crew

    async def _take_far_away(self, crew: Crew, task: Task) -> Taken:
        self._sent += 1
        try:
            return await self._elsewhere(crew.executor, task)
        except (BrokenExecutor, TimeoutError):
            # Not here: it may be this document that the crew did not survive.
            if self._pool is None:
                self._pool = self._start(self._most)
            return await self._take_away(self._pool, task)
        finally:
            self._sent -= 1

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

    async def _elsewhere(self, pool: Executor, task: Task) -> Taken:
        work = pool.submit(take_here, self.rules_key, task)
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
        tools = Tools(self._take, self._rules, self._advise(), self.rules_key)
        return ProcessPoolExecutor(max(most, 1), get_context(how), prepare, (tools,))


# ---------------------------------------------------------------- in another process

KNOWN = 4
"""So many sets of tools are kept, those learnt last: a process of a crew may work for several masters, and for ever."""
_known: dict[str, Tools] = {}


def prepare(tools: Tools) -> None:
    """Get ready, in a process that takes in documents for another, and end when that ends."""
    learn(tools)
    gc.freeze()  # it would go through thousands of keywords again and again
    threading.Thread(target=_end_with_parent, daemon=True).start()


def learn(tools: Tools) -> None:
    """Keep tools in this process, and drop those that were learnt long ago."""
    _known.pop(tools.key, None)
    _known[tools.key] = tools
    while len(_known) > KNOWN:
        _known.pop(next(iter(_known)), None)


def knows(key: str) -> bool:
    """Tell whether this process has the tools."""
    return key in _known


def take_here(key: str, task: Task) -> Taken:
    """Take in one document, in a process that knows the tools."""
    tools = _known[key]
    return tools.take(task, tools.rules, tools.second)


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
