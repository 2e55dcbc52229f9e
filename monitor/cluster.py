"""Judging, and asking feeds, on a Dask cluster. The only importer of Dask, which is in the extra `cluster`.

    connect → do all versions agree? → who does not know the rules? → teach those → a crew for `hands`

A worker of the cluster is taught rules and second opinion once, by their key, and keeps them; one that comes later, or
comes back, says that it does not know them and is taught then. Nothing is left behind with the scheduler. Whatever
befalls the cluster is a broken executor for those who gave it work: they do the work themselves.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import pickle
import sys
import threading
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, InvalidStateError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import dask
import structlog
from distributed import Client, get_worker, secede
from distributed.versions import VersionMismatchWarning

from monitor import __version__, errands, hands, sense
from monitor.errors import ClusterError, MonitorError
from monitor.feeds.fetch import Fetcher
from monitor.hands import Crew, Tools
from monitor.match.judge import rules_key
from monitor.model import Manners

PATIENCE = 5.0
"""Seconds that a scheduler has to answer, and to have a worker; after twice as many without one, what is under way is
taken back: a nanny starts a new one in less."""
FAREWELL = 1.0
"""Seconds to take leave of a scheduler."""
LESSONS = 5
"""So often a document comes to workers that are new before the cluster is given up."""
LOOK = 1.0
"""Seconds between two looks whether there still are workers."""
HELD = hands.ENDLESS + 30.0
"""Seconds after which a worker that one document holds ends itself: nobody waits for that document any more."""
SAME = ("dask", "distributed")
"""Packages of which all must have the same version, for they speak to each other."""
TLS = tuple(f"DASK_DISTRIBUTED__COMM__TLS__{name}" for name in ("CA_FILE", "CLIENT__CERT", "CLIENT__KEY"))
"""Dask's own settings for tls://, as variables of the environment."""

T = TypeVar("T")
log = structlog.get_logger()


class Cluster:
    """A Dask cluster, as long as this program runs: connected to when it is needed, and again after it was away.

    It `fetches` too where that is wanted.
    """

    def __init__(self, address: str, *, fetches: bool = False, patience: float = PATIENCE, held: float = HELD) -> None:
        """Connect to nothing yet; `address` is that of the scheduler."""
        self.address, self.fetches = address, fetches
        self._patience, self._held = patience, held
        self._link: _Link | None = None
        self._one_caller = threading.Lock()
        self._told: str | None = None
        self._expected: tuple[str, Future[Crew | None]] = "", Future()
        self._left = False

    @property
    def taken(self) -> int:
        """How many documents it has taken in since it was connected to."""
        return self._link.taken if self._link else 0

    def open(self, tools: Tools | None = None) -> None:
        """Connect, make sure that the scheduler and the workers that are there fit, and teach those the tools.

        Raises:
            ClusterError: nobody answers, or something differs; says what.
        """
        with self._one_caller:
            link = self._connected()
            link.ask(link.compare())
        if tools:
            coming = self.enlist(tools)
            coming.result()
            self._expected = tools.key, coming

    def enlist(self, tools: Tools) -> Future[Crew | None]:
        """Teach all workers, beside what the caller does; None where the cluster cannot be used now."""
        (key, coming), self._expected = self._expected, ("", Future())
        if key == tools.key:
            return coming
        lesson = pickle.dumps(tools)

        def crew() -> Crew:
            link = self._connected()
            threads = link.ask(link.gather(tools, lesson))
            return Crew(_Executor(link, tools.key, self._held), threads)

        return self._beside(crew)

    def answers(
        self, fetcher: Fetcher, manners: Manners, deadline: float | None
    ) -> Callable[[errands.Due, threading.Event | None], errands.Answers]:
        """Return what asks feeds from the cluster's workers, and from here by `fetcher` what they cannot."""

        def crew() -> Crew:
            link = self._connected()
            return Crew(_Executor(link, "", self._held), link.ask(link.gather()))

        def ask(due: errands.Due, stop: threading.Event | None = None) -> errands.Answers:
            there = self._beside(crew)
            return errands.answers(due, stop, crew=there, here=fetcher.answers, manners=manners, deadline=deadline)

        return ask

    def close(self) -> None:
        """Leave the cluster; who waits for it is told that it is gone."""
        self._left = True
        if (link := self._link) is not None:
            link.close()

    def _beside(self, crew: Callable[[], Crew]) -> Future[Crew | None]:
        """Call in a thread that nobody waits for; a fault is told in a line, once, and so is its end."""
        coming: Future[Crew | None] = Future()

        def work() -> None:
            found, fault = None, ""
            try:
                with self._one_caller:
                    found = crew()
            except MonitorError as e:
                fault = str(e)
            except Exception as e:
                log.exception("the cluster could not be used; this is a bug")
                fault = type(e).__name__
            self._tell(fault, found)
            with suppress(InvalidStateError):  # nobody waits for it any more
                coming.set_result(found)

        threading.Thread(target=work, daemon=True, name="cluster").start()
        return coming

    def _tell(self, fault: str, crew: Crew | None) -> None:
        if fault == self._told or self._left:
            return
        self._told = fault
        if fault:
            log.warning("the cluster is not used, this process does its work", reason=fault)
        elif crew:
            log.info("the cluster is used", scheduler=self.address, threads=crew.most)

    def _connected(self) -> _Link:
        if self._link is None or not self._link.usable:
            if self._link is not None:
                self._link.close()
            self._link = None  # what it came to is forgotten, if no other comes about
            self._link = _Link(self.address, self._patience)
        return self._link


def _hush() -> None:
    """Have Dask be quiet in this process: what it says in many lines is said here in one."""
    for name in ("distributed", *(name for name in logging.root.manager.loggerDict if name.startswith("distributed."))):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", category=VersionMismatchWarning)
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GB"})  # a document may have 10 MiB


def _in_words(e: BaseException, patience: float) -> str:
    if isinstance(e, TypeError | ValueError) and "TLS" in str(e):
        return f"tls:// needs certificates: set {', '.join(TLS)} (docs/scaling.md)"
    if isinstance(e, OSError | TimeoutError):
        return f"no Dask scheduler answers there within {patience:g} s"
    return (str(e).splitlines() or [type(e).__name__])[0]


class _Link:
    """One connection to a scheduler, in a thread of its own."""

    client: Client

    def __init__(self, address: str, patience: float) -> None:
        """Connect.

        Raises:
            ClusterError: nobody answers, or not as a scheduler does.
        """
        self.address, self._patience = address, patience
        self.lost, self.taken = "", 0
        self._open: dict[Future[Any], Any] = {}
        self._lesson: tuple[Tools, bytes] | None = None
        self._lessons: dict[str, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        began: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live(began)), daemon=True, name="dask")
        self._thread.start()
        try:
            self._loop = began.result()
        except ClusterError:
            self._thread.join(2 * FAREWELL)
            raise

    async def _live(self, began: Future[asyncio.AbstractEventLoop]) -> None:
        """Be connected until `close`."""
        self._leaving = asyncio.Event()
        _hush()
        try:
            self.client = Client(self.address, timeout=self._patience, set_as_default=False, asynchronous=True)
        except Exception as e:
            began.set_exception(ClusterError(f"{self.address}: {_in_words(e, self._patience)}"))
            return
        try:
            # Its own limit does not count the greeting: something else may listen there, and say nothing.
            await asyncio.wait_for(self.client, self._patience + 1)
            self._begin(self._watch())
            began.set_result(asyncio.get_running_loop())
            await self._leaving.wait()
            self._lose("was left")
        except Exception as e:
            _settle(began, error=ClusterError(f"{self.address}: {_in_words(e, self._patience)}"))
        finally:
            with suppress(Exception):  # the scheduler may be gone
                await asyncio.wait_for(self.client.close(), FAREWELL)
            self.client.status = "closed"  # whatever came of it, or it would be tried again without a loop

    @property
    def usable(self) -> bool:
        """Whether the scheduler is still there, as far as is known."""
        return not self.lost and self.client.status == "running"

    def ask(self, call: Coroutine[Any, Any, T]) -> T:
        """Await a coroutine from another thread.

        Raises:
            ClusterError: something differs, or nobody answers in time.
        """
        try:
            return asyncio.run_coroutine_threadsafe(asyncio.wait_for(call, 4 * self._patience), self._loop).result()
        except MonitorError:
            raise
        except Exception as e:
            raise ClusterError(f"{self.address}: the cluster does not answer ({type(e).__name__})") from e

    def close(self) -> None:
        """Leave; what is under way is given back."""
        with suppress(RuntimeError):  # it ended by itself
            self._loop.call_soon_threadsafe(self._leaving.set)
        self._thread.join(2 * FAREWELL)

    # ------------------------------------------------------------ who is there

    async def gather(self, tools: Tools | None = None, lesson: bytes = b"") -> int:
        """Wait for workers, compare versions, teach who needs it; return how many threads there are.

        Raises:
            ClusterError: there is no worker, or something differs.
        """
        end = time.monotonic() + self._patience
        while not (threads := await self.client.nthreads()):
            if time.monotonic() > end:
                raise ClusterError(f"{self.address}: the scheduler has no workers")
            await asyncio.sleep(0.1)
        self._lesson = (tools, lesson) if tools else self._lesson
        await self.compare(tools)
        return int(sum(threads.values()))

    async def compare(self, tools: Tools | None = None, workers: list[str] | None = None) -> None:
        """Make sure that workers, all unless said, and the scheduler have our versions; teach who needs it.

        Raises:
            ClusterError: they have not; names the first that differs.
        """
        faults = [] if workers else _differences(await self.client.get_versions())
        key = tools.key if tools else ""
        answers: dict[str, Any] = await self.client.run(_facts, key, workers=workers, on_error="return")
        answers = {worker: facts for worker, facts in answers.items() if not isinstance(facts, OSError)}  # it died
        voices = tools and tools.second and tools.second.opinion.sense
        faults += [fault for worker, facts in answers.items() if (fault := _fault(worker, facts, bool(voices)))]
        if faults:
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            raise ClusterError(f"{self.address}: {faults[0]}{more}")
        strangers = [worker for worker, facts in answers.items() if tools and not facts.knows]
        if tools and self._lesson and strangers:
            keys = await self.client.run(_learn, self._lesson[1], workers=strangers)
            if odd := [worker for worker, found in keys.items() if found != tools.key]:
                raise ClusterError(f"{self.address}: worker {odd[0]} judges by other rules: its program is another")

    async def _watch(self) -> None:
        """Look whether there still is somebody to do what is under way."""
        seen = time.monotonic()
        while not self.lost:
            await asyncio.sleep(LOOK)
            there = False
            if self._open:
                with suppress(Exception):
                    there = bool(await asyncio.wait_for(self.client.nthreads(), self._patience))
            if there or not self._open:
                seen = time.monotonic()
            elif time.monotonic() - seen > 2 * self._patience:
                self._lose("all workers are gone")

    def _lose(self, why: str) -> None:
        """Give back what is under way, and take no more."""
        self.lost = self.lost or why
        for outer in list(self._open):
            _settle(outer, error=BrokenExecutor(self.lost))

    # ------------------------------------------------------------ work

    def submit(self, key: str, held: float, call: Callable[..., Any], args: tuple[Any, ...]) -> Future[Any]:
        """Have a worker call something; one that knows the tools of this key, where one is given."""
        outer: Future[Any] = Future()
        if self.lost:
            _settle(outer, error=BrokenExecutor(self.lost))
        else:
            work = self._carry(outer, key, held, call, args)
            self._loop.call_soon_threadsafe(self._begin, work)
        return outer

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(task := asyncio.get_running_loop().create_task(work))
        task.add_done_callback(self._tasks.discard)

    async def _carry(
        self, outer: Future[Any], key: str, held: float, call: Callable[..., Any], args: tuple[Any, ...]
    ) -> None:
        outer.add_done_callback(lambda _: self._drop(outer))
        try:
            for _ in range(LESSONS):
                inner = self._open[outer] = self.client.submit(_work, key, held, call, args, pure=False)
                found = await inner
                if isinstance(found, _Stranger):
                    await self._teach(found.worker)
                    continue
                self.taken += bool(key)
                _settle(outer, found.result, found.error)
                return
            raise ClusterError(f"{self.address}: workers forget what they are taught")  # noqa: TRY301
        except ClusterError as e:
            self._lose(str(e))
            _settle(outer, error=BrokenExecutor(str(e)))
        except (Exception, asyncio.CancelledError) as e:
            # Dask's own faults: the scheduler is gone, all workers that tried it died, an answer was lost.
            if self.client.status != "running":
                self.lost = self.lost or "the scheduler is gone"
            _settle(outer, error=BrokenExecutor(f"{type(e).__name__}: {e}"))
        finally:
            self._open.pop(outer, None)

    def _drop(self, outer: Future[Any]) -> None:
        """Cancel what nobody waits for any more; may be called in any thread."""
        inner = self._open.get(outer)
        if inner is not None and not inner.done():
            with suppress(RuntimeError):  # the loop has ended, and all with it
                self._loop.call_soon_threadsafe(lambda: self._begin(self._cancel(inner)))

    async def _cancel(self, inner: Any) -> None:
        with suppress(Exception):  # the scheduler may be gone
            await self.client.cancel([inner])

    async def _teach(self, worker: str) -> None:
        """Teach one worker that is new; those who meet it at the same time wait for the same lesson."""
        if worker not in self._lessons:
            tools = self._lesson[0] if self._lesson else None
            self._lessons[worker] = asyncio.ensure_future(self.compare(tools, [worker]))
        try:
            await self._lessons[worker]
        finally:
            self._lessons.pop(worker, None)


class _Executor(Executor):
    """Work for a cluster, as for a pool of processes; with a `key`, for those who know the tools of that key."""

    def __init__(self, link: _Link, key: str, held: float) -> None:
        self._link, self._key, self._held = link, key, held

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Have a worker call `fn`."""
        return self._link.submit(self._key, self._held, fn, args)


def _settle(outer: Future[Any], result: Any = None, error: BaseException | None = None) -> None:
    """Give an answer, if nobody gave one and somebody waits for it."""
    with suppress(InvalidStateError):
        if error is not None:
            outer.set_exception(error)
        else:
            outer.set_result(result)


# ---------------------------------------------------------------- versions


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a worker has: the version of this program, the extra `semantic`, and the tools that were asked for."""

    version: str
    semantic: bool
    knows: bool


def _differences(versions: Mapping[str, Any]) -> list[str]:
    """Say where Python or Dask are others than here; nothing where they are the same."""
    who = {"the scheduler": versions["scheduler"], **{f"worker {name}": v for name, v in versions["workers"].items()}}
    faults = []
    ours = versions["client"]["packages"]
    for name, there in who.items():
        theirs = (there or {}).get("packages", {})
        for package in ("python", *SAME):
            # Of Python the second number counts: 3.13.1 and 3.13.5 understand each other.
            upto = 2 if package == "python" else 9
            found, wanted = (".".join(str(one.get(package)).split(".")[:upto]) for one in (theirs, ours))
            if found != wanted:
                faults.append(f"{name} has {package} {found}, and here is {wanted}")
    return faults


def _fault(worker: str, facts: Any, with_sense: bool) -> str:
    """Say what a worker lacks, from what it answered."""
    if not isinstance(facts, _Facts):
        return f"worker {worker} cannot run rift-monitor {__version__}: is it installed there? ({_first_line(facts)})"
    if facts.version != __version__:
        return f"worker {worker} has rift-monitor {facts.version}, and here is {__version__}"
    if with_sense and not facts.semantic:
        return f"worker {worker} lacks the extra `semantic`, which is installed here"
    return ""


def _first_line(e: object) -> str:
    return (str(e).splitlines() or [type(e).__name__])[0]


# ---------------------------------------------------------------- on a worker of the cluster


@dataclass(frozen=True, slots=True)
class _Found:
    """What a call came to."""

    result: Any = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class _Stranger:
    """A worker that does not know the tools yet."""

    worker: str


def _facts(key: str) -> _Facts:
    return _Facts(__version__, sense.installed(), hands.knows(key))


def _learn(lesson: bytes) -> str:
    """Keep the tools, and return the key that they have here."""
    tools: Tools = pickle.loads(lesson)  # noqa: S301 (whoever reaches a scheduler can run anything)
    hands.learn(tools)
    return rules_key(tools.rules, tools.second)


def _work(key: str, held: float, call: Callable[..., Any], args: tuple[Any, ...]) -> _Found | _Stranger:
    """Call something; what it raises is an answer, so that Dask's own faults are told from it."""
    if not key:
        secede()  # it mostly waits: others need not wait for it
        return _called(call, args)
    if not hands.knows(key):
        return _Stranger(get_worker().address)
    with _OVERSEER.holding(held):
        return _called(call, args)


def _called(call: Callable[..., Any], args: tuple[Any, ...]) -> _Found:
    try:
        return _Found(call(*args))
    except Exception as e:
        return _Found(error=e)


class _Overseer:
    """Ends this process when a document holds one of its threads for too long: nothing else frees the thread.

    faulthandler's clock runs in C, so that it also strikes while a regular expression keeps all of Python waiting.
    """

    def __init__(self) -> None:
        self._lock, self._ends = threading.Lock(), dict[int, float]()

    @contextmanager
    def holding(self, seconds: float) -> Iterator[None]:
        """Be in a document for at most so many seconds."""
        with self._lock:
            self._ends[threading.get_ident()] = time.monotonic() + seconds
            self._set()
        try:
            yield
        finally:
            with self._lock:
                self._ends.pop(threading.get_ident(), None)
                self._set()

    def _set(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        if self._ends:
            left = max(min(self._ends.values()) - time.monotonic(), 0.001)
            faulthandler.dump_traceback_later(left, exit=True, file=sys.__stderr__ or 2)


_OVERSEER = _Overseer()
