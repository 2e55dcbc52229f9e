"""Judging and fetching on a real Dask cluster of two worker processes: the same as here, whatever befalls it.

The shell blocks of docs/scaling.md need a cluster, so they are run here, at another port.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from monitor import config, polling, taking, worker
from monitor.feeds.fetch import Fetcher
from monitor.hands import Hands, tools_of
from monitor.match.blend import Second
from monitor.match.rules import Rules
from monitor.model import Feed, FeedState, Manners, Outcome
from monitor.settings import Settings
from monitor.store import Store
from monitor.taking import Taken, Task
from tests.builders import ROOT, config_text, feed_document
from tests.daskcluster import DaskCluster, needs_dask
from tests.feedserver import FeedServer
from tests.pages import blocks
from tests.test_captured import FOLDER as CAPTURED

NOW = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEWS = "Microsoft halts a data centre that OpenAI wanted"
OWN = Manners(allow=("127.0.0.0/8",))
DEADLY = b"DEADLY"
HELD = re.compile(rb"HELD BUT BY (\d+): (\S+)")


def take_or_die(task: Task, rules: Rules, second: Second | None) -> Taken:
    """Take a document in; one kills whoever reads it, another tells who reads it and holds him as long as it can tell.

    It tells by a pipe that is there until the test has read it. The test itself is never held.
    """
    if DEADLY in task.body:
        os.kill(os.getpid(), signal.SIGKILL)
    if (held := HELD.search(task.body)) and int(held[1]) != os.getpid() and os.path.exists(held[2]):
        Path(os.fsdecode(held[2])).write_text(str(os.getpid()), encoding="utf-8")
        threading.Event().wait()
    return taking.take(task, rules, second)


def told_by(pipe: Path) -> int:
    """The process that a document is held in; from now on it holds nobody else."""
    who = int(pipe.read_text(encoding="utf-8"))
    pipe.unlink()
    return who


@pytest.fixture(scope="module")
def dask() -> Iterator[DaskCluster]:
    """Two workers for all tests that leave them as they were."""
    with DaskCluster(config={"distributed.scheduler.allowed-failures": 1}) as found:
        yield found


@contextmanager
def connected(address: str, *, fetches: bool = False, patience: float = 10.0) -> Iterator[Any]:
    """A cluster as the program sees it."""
    from monitor.cluster import Cluster

    cluster = Cluster(address, fetches=fetches, patience=patience)
    try:
        yield cluster
    finally:
        cluster.close()


def settings_in(folder: Path, text: str = "") -> Settings:
    """Settings with the tests' rules."""
    path = folder / "feeds.yaml"
    path.write_text(text or config_text(["http://127.0.0.7/"]), encoding="utf-8")
    return replace(config.load(path), manners=OWN)


def a_round(
    settings: Settings,
    store: Store,
    feeds: list[Feed],
    cluster: Any = None,
    *,
    watch: Callable[[], object] | None = None,
) -> list[Outcome]:
    """Poll feeds; with a cluster, take in nothing here that it can. `watch` runs beside it, to its end."""
    states = store.feed_states()
    due = [(feed, states.get(feed.url) or FeedState(feed.url)) for feed in feeds]
    watching = threading.Thread(target=watch) if watch else None

    async def run() -> list[Outcome]:
        async with (
            Fetcher(settings.manners) as fetcher,
            Hands(
                settings.rules,
                lambda: None,
                0 if cluster else None,
                take=take_or_die,
                shares=cluster is None,
                enlist=cluster.enlist if cluster else None,
            ) as hands,
        ):
            ask = cluster.answers(fetcher, settings.manners, None) if cluster and cluster.fetches else None
            round_ = polling.Round(settings, store, lambda: NOW, fetcher, lambda: hands, ask)
            return await round_.go(due, None, lambda outcome: None)

    if watching:
        watching.start()
    with store.often():
        outcomes = asyncio.run(run())
    if watching:
        watching.join()
    return outcomes


def told(outcomes: list[Outcome]) -> dict[str, object]:
    """What came of each feed."""
    return {o.feed.url: (o.result, o.entries, o.new, o.changed, o.hits, o.reason, o.trouble) for o in outcomes}


def contents(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything that a database holds, row by row; items are called by feed and key, for their numbers differ."""
    tables = ("feeds", "items", "verdicts", "item_themes", "evidence", "digests", "editions", "stories", "notes")
    found: dict[str, list[tuple[object, ...]]] = {}
    with closing(sqlite3.connect(database)) as conn:
        names = {row[0]: row[1:] for row in conn.execute("SELECT id, feed_url, key FROM items")}
        for table in tables:
            rows = conn.execute(f"SELECT * FROM {table}")
            columns = [column[0] for column in rows.description]
            number = next((at for at, name in enumerate(columns) if name in ("id", "item_id")), None)
            named = [
                (*(names.get(row[number], ()) if number is not None else ()),)
                + tuple(value for at, value in enumerate(row) if at != number)
                for row in rows
            ]
            found[table] = sorted(named, key=repr)
    return found


# ---------------------------------------------------------------- the same as here


def publish(server: FeedServer, edition: int) -> list[Feed]:
    """Sixty feeds of every kind, with news in the second edition."""
    feeds = []
    for n in range(60):
        titles = [f"{NEWS} {n} {m}" if m % 2 else f"On {n}: AGI, OpenAI and Microsoft {m}" for m in range(n % 7)]
        if edition and n % 2:
            titles = [f"微软 and OpenAI: rivals over 算力 {n}", *titles]
        body = feed_document(titles, NOW - n * HOUR, f"feed{n}")
        broken = body[: len(body) * 3 // 4] if n % 9 == 0 else b"<html>no</html>" if n % 10 == 0 else body
        padding = b"<!--" + b" " * (600_000 if n % 15 == 0 else 5_000) + b"-->"
        server.put(f"/{n}", broken + padding, headers={"ETag": f'"{edition if n % 2 else 0}"'})
        feeds.append(Feed(server.url(f"/{n}")))
    server.put("/busy", status=503, headers={"Retry-After": "7200"})
    server.put("/gone", status=410)
    server.put("/inside", status=302, headers={"Location": "http://10.0.0.1/secret"})
    server.put("/moved", status=301, headers={"Location": server.url("/1")})
    return feeds + [Feed(server.url(path)) for path in ("/busy", "/gone", "/inside", "/moved", "/none")]


@needs_dask
def test_a_cluster_comes_to_the_same_as_this_process(tmp_path: Path, dask: DaskCluster) -> None:
    """Items, verdicts, evidence, states of feeds: every row, whoever judged or fetched, at first sight and later."""
    settings, kept = settings_in(tmp_path), {}
    with FeedServer() as server, connected(dask.address) as judges, connected(dask.address, fetches=True) as fetches:
        for name, cluster in (("here", None), ("judged", judges), ("fetched", fetches)):
            with Store(tmp_path / f"{name}.db") as store:
                worker.meet_digests(settings, store, NOW)
                first = told(a_round(settings, store, publish(server, 0), cluster))
                second = told(a_round(settings, store, publish(server, 1), cluster))
            kept[name] = first, second, contents(tmp_path / f"{name}.db")
        taken = judges.taken, fetches.taken
        asked = len(server.requests)
    assert kept["judged"] == kept["here"]
    assert kept["fetched"] == kept["here"]
    rows = kept["here"][2]
    assert len(rows["items"]) > 150
    assert sum(bool(row[2]) for row in rows["verdicts"]) > 50, "there are hits among them"
    assert min(taken) >= 80, "all that was new was taken in by the cluster"
    assert asked % 3 == 0, "the cluster asks as often as this process does"


@needs_dask
@pytest.mark.skipif(not CAPTURED.is_dir(), reason=f"no captured feeds in {CAPTURED} (MONITOR_TEST_FEEDS)")
def test_a_cluster_comes_to_the_same_with_real_feeds(tmp_path: Path, dask: DaskCluster) -> None:
    """By the rules that are shipped, with the second opinion."""
    shipped = (ROOT / "feeds.yaml").read_text("utf-8")
    with FeedServer() as server, connected(dask.address, fetches=True) as cluster:
        feeds = []
        for path in sorted(CAPTURED.iterdir()):
            server.put(f"/{path.name}", path.read_bytes(), headers={"ETag": f'"{path.name}"'})
            feeds.append(Feed(server.url(f"/{path.name}")))
        settings = settings_in(tmp_path, shipped)
        for name, there in (("here", None), ("there", cluster)):
            with Store(tmp_path / f"{name}.db") as store:
                outcomes = a_round(settings, store, feeds, there)
                assert {outcome.result for outcome in outcomes} == {"ok"}
        assert cluster.taken == len(feeds)
    assert contents(tmp_path / "there.db") == contents(tmp_path / "here.db")


# ---------------------------------------------------------------- rules


def lessons(cluster: Any) -> list[int]:
    """From now on, to how many workers the rules are sent each time that they are."""
    from monitor import cluster as module

    client, sent = cluster._link.client, list[int]()
    run = client.run

    def noted(function: Any, *args: Any, **options: Any) -> Any:
        if function is module._learn:
            sent.append(len(options["workers"]))
        return run(function, *args, **options)

    client.run = noted
    return sent


@needs_dask
def test_rules_go_to_each_worker_once_and_an_edit_takes_effect(tmp_path: Path, dask: DaskCluster) -> None:
    """A round, another, an edit of feeds.yaml, a round."""
    with FeedServer() as server, Store(tmp_path / "monitor.db") as store, connected(dask.address) as cluster:
        cluster.open()
        sent, feeds = lessons(cluster), [Feed(server.url(f"/{n}")) for n in range(12)]

        def publish(title: str) -> None:
            for n in range(12):
                server.put(f"/{n}", feed_document([f"{title} {n}"], NOW - HOUR, f"feed{n}"))

        text = config_text(["http://127.0.0.7/"]).replace("keywords: [rival]", "keywords: [once]")
        settings = settings_in(tmp_path, text)
        worker.meet_digests(settings, store, NOW)
        publish("Microsoft halts a steamer that OpenAI wanted")
        a_round(settings, store, feeds, cluster)
        publish("Microsoft halts another steamer that OpenAI wanted")
        a_round(settings, store, feeds, cluster)
        assert sent == [2]
        assert [hit.verdict.themes for hit in store.untold_hits("morning")] == [()] * 24
        edited = settings_in(tmp_path, text.replace("keywords: [AGI]", "keywords: [AGI, steamer]"))
        publish("Microsoft halts a third steamer that OpenAI wanted")
        a_round(edited, store, feeds, cluster)
        themes = [dict(hit.verdict.themes) for hit in store.untold_hits("morning")]
        assert sent == [2, 2]
        assert [set(some) for some in themes] == [set()] * 24 + [{"agi"}] * 12
        assert cluster.taken == 36


# ---------------------------------------------------------------- what befalls it


def put_held(server: FeedServer, pipe: Path, others: int = 8) -> list[Feed]:
    """A document that holds its reader, and some that do not."""
    os.mkfifo(pipe)
    document = feed_document([NEWS], NOW - HOUR, "held")
    server.put("/held", document + f"<!-- HELD BUT BY {os.getpid()}: {pipe} -->".encode())
    for n in range(others):
        server.put(f"/{n}", feed_document([NEWS], NOW - HOUR, f"feed{n}"))
    return [Feed(server.url(path)) for path in ("/held", *(f"/{n}" for n in range(others)))]


@needs_dask
def test_a_worker_killed_in_the_middle_of_a_round_loses_nothing(tmp_path: Path, dask: DaskCluster) -> None:
    """What it had in hand is done by another; the one in its place is taught before it does anything."""
    pipe, settings = tmp_path / "pipe", settings_in(tmp_path)
    killed: list[int] = []

    def kill() -> None:
        killed.append(told_by(pipe))
        os.kill(killed[0], signal.SIGKILL)

    with FeedServer() as server, Store(tmp_path / "monitor.db") as store, connected(dask.address) as cluster:
        feeds = put_held(server, pipe)
        outcomes = a_round(settings, store, feeds, cluster, watch=kill)
        assert {(outcome.result, outcome.new) for outcome in outcomes} == {("ok", 1)}
        assert len(outcomes) == cluster.taken == len(feeds)
        assert killed[0] not in dask.workers()


@needs_dask
def test_a_document_that_kills_workers_fails_alone(tmp_path: Path, dask: DaskCluster) -> None:
    """It fails here too, in a process of its own, and this one lives on; so does the cluster."""
    settings = settings_in(tmp_path)
    with FeedServer() as server, Store(tmp_path / "monitor.db") as store, connected(dask.address) as cluster:
        server.put("/bad", feed_document([NEWS], NOW - HOUR, "bad") + b"<!-- DEADLY -->")
        for n in range(8):
            server.put(f"/{n}", feed_document([NEWS], NOW - HOUR, f"feed{n}"))
        feeds = [Feed(server.url(path)) for path in ("/bad", *(f"/{n}" for n in range(8)))]
        outcomes = {outcome.feed: outcome for outcome in a_round(settings, store, feeds, cluster)}
        assert outcomes[feeds[0]].reason == "could not be read: the process that read it died"
        assert {outcomes[feed].result for feed in feeds[1:]} == {"ok"}
        later = [Feed(server.url(f"/later{n}")) for n in range(4)]
        for feed in later:
            server.put(feed.url.removeprefix(server.url("")), feed_document([NEWS], NOW - HOUR, feed.url[-6:]))
        before = cluster.taken
        assert {outcome.result for outcome in a_round(settings, store, later, cluster)} == {"ok"}
        assert cluster.taken == before + 4


@needs_dask
@pytest.mark.parametrize("fetches", [False, True])
def test_a_scheduler_killed_in_the_middle_of_a_round_loses_nothing(tmp_path: Path, *, fetches: bool) -> None:
    """What was under way is done here; the round after it too, in which nobody waits for the cluster."""
    pipe, settings = tmp_path / "pipe", settings_in(tmp_path)
    with (
        FeedServer() as server,
        Store(tmp_path / "monitor.db") as store,
        DaskCluster() as dask,
        connected(dask.address, fetches=fetches, patience=4.0) as cluster,
    ):
        feeds = put_held(server, pipe, others=4)

        def kill() -> None:
            told_by(pipe)
            dask.kill()

        outcomes = a_round(settings, store, feeds, cluster, watch=kill)
        assert {(outcome.result, outcome.new) for outcome in outcomes} == {("ok", 1)}
        assert len(outcomes) == len(feeds)
        server.put("/0", feed_document([NEWS, f"{NEWS} again"], NOW - HOUR, "feed0"))
        with structlog.testing.capture_logs() as logs:
            again = a_round(settings, store, feeds, cluster)
        assert sum(outcome.new for outcome in again) == 1
        [reason] = [entry["reason"] for entry in logs if "cluster" in entry["event"]]
        assert re.fullmatch(r"tcp://127\.0\.0\.1:\d+: no Dask scheduler answers there within 4 s", reason)


@needs_dask
def test_workers_that_all_go_away_give_back_what_they_had(tmp_path: Path) -> None:
    """The scheduler lives, and would wait for others for ever."""
    pipe, settings = tmp_path / "pipe", settings_in(tmp_path)
    with (
        FeedServer() as server,
        Store(tmp_path / "monitor.db") as store,
        DaskCluster(1) as dask,
        connected(dask.address, patience=4.0) as cluster,
    ):
        feeds = put_held(server, pipe, others=4)

        def leave() -> None:
            told_by(pipe)
            dask.workers(0)

        outcomes = a_round(settings, store, feeds, cluster, watch=leave)
        assert {(outcome.result, outcome.new) for outcome in outcomes} == {("ok", 1)}
        assert len(outcomes) == len(feeds)


@needs_dask
def test_a_cluster_without_workers_is_not_waited_for(tmp_path: Path) -> None:
    """The round is done here, and one line says why; when a worker comes, it is used."""
    with (
        FeedServer() as server,
        Store(tmp_path / "monitor.db") as store,
        DaskCluster(0) as dask,
        connected(dask.address, patience=3.0) as cluster,
    ):
        server.put("/a", feed_document([NEWS], NOW - HOUR, "a"))
        server.put("/b", feed_document([NEWS], NOW - HOUR, "b"))
        settings = settings_in(tmp_path)
        with structlog.testing.capture_logs() as logs:
            for _ in range(2):
                [outcome] = a_round(settings, store, [Feed(server.url("/a"))], cluster)
                server.put("/a", feed_document([NEWS, f"{NEWS} again"], NOW - HOUR, "a"))
        assert (outcome.result, outcome.new, cluster.taken) == ("ok", 1, 0)
        assert [entry["reason"] for entry in logs] == [f"{dask.address}: the scheduler has no workers"]
        dask.workers(1)
        with structlog.testing.capture_logs() as logs:
            for _ in range(40):  # until the new one has reported
                a_round(settings, store, [Feed(server.url("/b"))], cluster)
                if cluster.taken:
                    break
                server.put("/b", feed_document([NEWS, f"{NEWS} {_}"], NOW - HOUR, "b"))
        assert cluster.taken == 1
        assert [entry["event"] for entry in logs] == ["the cluster is used"]


@needs_dask
def test_a_worker_goes_on_without_its_cluster_and_comes_back_to_it(tmp_path: Path) -> None:
    """As `monitor run` does it: the scheduler is not there yet, is there, is killed, is there again."""
    from monitor.cluster import Cluster

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = settings_in(tmp_path)
    cluster = Cluster(f"tcp://127.0.0.1:{port}", patience=3.0)
    with FeedServer() as server, Store(tmp_path / "monitor.db") as store:
        feed, counts = Feed(server.url("/a")), list[bool]()

        def news() -> None:
            counts.append(False)
            server.put("/a", feed_document([f"{NEWS} {len(counts)}"], NOW - HOUR, "a"))
            [outcome] = a_round(settings, store, [feed], cluster)
            assert (outcome.result, outcome.new) == ("ok", 1)
            counts[-1] = cluster.taken > 0

        with structlog.testing.capture_logs() as logs:
            for _ in range(2):
                news()
                with DaskCluster(1, scheduler_port=port):
                    news()
        cluster.close()
    assert counts == [False, True, False, True]
    events = [entry["event"].partition(",")[0] for entry in logs]
    assert events == ["the cluster is not used", "the cluster is used"] * 2


# ---------------------------------------------------------------- what does not fit


def set_version(version: str) -> None:
    """Have another version of this program, in a worker."""
    from monitor import cluster

    cluster.__version__ = version  # type: ignore[attr-defined]


@needs_dask
def test_a_worker_of_another_version_is_named(tmp_path: Path) -> None:
    """Before anything is sent to it; the worker process goes on by itself."""
    from monitor import __version__
    from monitor.errors import ClusterError

    with DaskCluster(1) as dask, connected(dask.address) as cluster:
        cluster.open()
        link = cluster._link
        link.client.run(set_version, "0.0.1")
        with pytest.raises(ClusterError, match=rf"has rift-monitor 0\.0\.1, and here is {re.escape(__version__)}$"):
            cluster.open()
        settings = settings_in(tmp_path)
        tools = tools_of(settings.rules, None)
        assert cluster.enlist(tools).result() is None
        link.client.run(set_version, __version__)
        other = replace(tools, key="0" * 16)
        with structlog.testing.capture_logs() as logs:
            assert cluster.enlist(other).result() is None
        assert "judges by other rules: its program is another" in logs[0]["reason"]
        assert cluster.enlist(tools).result() is not None


@needs_dask
def test_a_worker_without_this_program_is_named() -> None:
    """It cannot even read what it is asked."""
    from monitor.errors import ClusterError

    without = {"distributed.worker.preload": ["import sys; sys.modules['monitor'] = None"]}
    with (
        DaskCluster(1, config=without) as dask,
        connected(dask.address) as cluster,
        pytest.raises(ClusterError, match=r"worker tcp://\S+ cannot run rift-monitor \S+: is it installed there\?"),
    ):
        cluster.open()


@needs_dask
def test_other_versions_of_python_and_dask_are_named() -> None:
    """The third number of Python's makes no difference."""
    from monitor.cluster import _differences

    def has(python: str = "3.13.5.final.0", dask: str = "2026.8.0") -> dict[str, dict[str, str]]:
        return {"packages": {"python": python, "dask": dask, "distributed": "2026.8.0", "numpy": dask}}

    same = {"client": has(), "scheduler": has("3.13.1.final.0"), "workers": {"tcp://w:1": has()}}
    assert _differences(same) == []
    older = {**same, "scheduler": has("3.11.7.final.0"), "workers": {"tcp://w:1": has(dask="2025.1.0")}}
    assert _differences(older) == [
        "the scheduler has python 3.11, and here is 3.13",
        "worker tcp://w:1 has dask 2025.1.0, and here is 2026.8.0",
    ]


@needs_dask
def test_something_else_that_listens_is_no_scheduler() -> None:
    """A web server, and one that says nothing."""
    from monitor.errors import ClusterError

    with FeedServer() as server, socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        for port in (server.port, mute.getsockname()[1]):
            with (
                connected(f"tcp://127.0.0.1:{port}", patience=0.5) as cluster,
                pytest.raises(ClusterError, match=r": no Dask scheduler answers there within 0\.5 s$"),
            ):
                cluster.open()
    assert not [thread for thread in threading.enumerate() if thread.name == "dask"]


OVERSEEN = """\
import sys, time
from monitor.cluster import _OVERSEER
with _OVERSEER.holding(0.1):
    pass
with _OVERSEER.holding(30.0), _OVERSEER.holding(0.2):
    print("begun", flush=True)
    __import__("re").match(r"(a|aa)+$", "a" * 80 + "b")
"""


@needs_dask
def test_a_worker_that_a_document_holds_for_ever_ends_itself() -> None:
    """A regular expression that never ends keeps all of Python waiting; so nothing written in Python could end it."""
    done = subprocess.run([sys.executable, "-c", OVERSEEN], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (1, "begun\n")


# ---------------------------------------------------------------- TLS


@needs_dask
def test_over_tls_only_those_with_a_certificate_are_let_in(tmp_path: Path) -> None:
    """By Dask's own settings, in the environment or in its files."""
    import dask as library
    import trustme

    from monitor.errors import ClusterError

    authority, own = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name, signer in (("good", authority), ("strange", own)):
        signer.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / f"{name}.pem")

    def tls(name: str) -> dict[str, str]:
        pem, prefix = str(tmp_path / f"{name}.pem"), "distributed.comm.tls"
        parts = {
            f"{prefix}.{role}.{what}": pem for role in ("client", "scheduler", "worker") for what in ("cert", "key")
        }
        return {**parts, f"{prefix}.ca-file": str(tmp_path / "ca.pem")}

    secured = {**tls("good"), "distributed.comm.require-encryption": True}
    with DaskCluster(1, config=secured, protocol="tls") as dask:
        assert dask.address.startswith("tls://")
        with connected(dask.address, patience=1.0) as cluster, pytest.raises(ClusterError, match="tls:// needs cert"):
            cluster.open()
        for name, address in (("strange", dask.address), ("good", dask.address.replace("tls", "tcp"))):
            with (
                library.config.set(tls(name)),
                connected(address, patience=1.0) as cluster,
                pytest.raises(ClusterError, match="no Dask scheduler answers"),
            ):
                cluster.open()
        settings = settings_in(tmp_path)
        with library.config.set(tls("good")), connected(dask.address) as cluster:
            tools = tools_of(settings.rules, None)
            assert cluster.enlist(tools).result() is not None


# ---------------------------------------------------------------- what people type


def monitor(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command."""
    return subprocess.run(
        [sys.executable, "-m", "monitor", "-d", "data", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("MONITOR_")},
            "PYTHONPATH": str(ROOT),
            **environment,
        },
        check=False,
        timeout=120,
    )


@needs_dask
def test_the_command_judges_and_fetches_on_a_cluster(tmp_path: Path, dask: DaskCluster) -> None:
    """And says what the cluster did; by the variable as by the option."""
    with FeedServer() as server:
        for n in range(20):
            server.put(f"/{n}", feed_document([f"{NEWS} {n}"], NOW - HOUR, f"feed{n}"), headers={"ETag": f'"{n}"'})
        text = config_text([server.url(f"/{n}") for n in range(20)])
        (tmp_path / "feeds.yaml").write_text(text, encoding="utf-8")
        done = monitor(tmp_path, "poll", "--cluster", dask.address, "--cluster-fetch")
        assert done.returncode == 0, done.stderr
        assert "20 feeds: 20 answered, 0 failed; 20 new items" in done.stdout
        assert re.search(r"^the cluster took in [1-9]\d* documents$", done.stderr, re.M)
        again = monitor(tmp_path, "poll", "--all", MONITOR_CLUSTER=dask.address, MONITOR_CLUSTER_FETCH="true")
        assert again.returncode == 0, again.stderr
        assert "20 feeds: 20 answered, 0 failed; 0 new items" in again.stdout
        assert "the cluster took in 0 documents" in again.stderr


@needs_dask
def test_a_scheduler_that_is_not_there_ends_the_command_with_a_line(tmp_path: Path) -> None:
    """And nothing was polled."""
    (tmp_path / "feeds.yaml").write_text(config_text(["http://127.0.0.1:9/a"]), encoding="utf-8")
    done = monitor(tmp_path, "poll", "--cluster", "tcp://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "tcp://127.0.0.1:9: no Dask scheduler answers there within 5 s\n"


@pytest.mark.parametrize("address", ["nonsense", "http://10.0.0.5:8786", "tcp://10.0.0.5", "tcp://:1", "tcp://a:0"])
def test_what_is_no_address_of_a_scheduler_is_wrong_usage(tmp_path: Path, address: str) -> None:
    """With the option and with the variable, and for the worker too."""
    (tmp_path / "feeds.yaml").write_text(config_text(["http://127.0.0.1:9/a"]), encoding="utf-8")
    line = f"{address!r} is not the address of a Dask scheduler, such as tcp://10.0.0.5:8786 or tls://…\n"
    done = monitor(tmp_path, "poll", "--cluster", address)
    assert (done.returncode, done.stderr) == (2, f"environment: --cluster: {line}")
    done = monitor(tmp_path, "run", MONITOR_CLUSTER=address)
    assert done.returncode == 2
    assert f"environment: MONITOR_CLUSTER: {line.strip()}" in done.stderr


@needs_dask
def test_what_the_page_says_is_typed_works(tmp_path: Path) -> None:
    """A scheduler and workers by Dask's own commands, as docs/scaling.md has them, and a poll."""
    from monitor.cluster import TLS

    shell = [block for block in blocks(ROOT / "docs" / "scaling.md") if block.marks.get("run by") == "test_cluster.py"]
    lines = [re.sub(r" +#.*", "", line) for block in shell for line in block.text.splitlines()]
    assert all(any(line.startswith(f"export {name}=") for line in lines) for name in TLS)
    [scheduler] = [line for line in lines if line.startswith("dask scheduler ")]
    [workers] = [line for line in lines if line.startswith("dask worker ")]
    [poll] = [line for line in lines if line.startswith("monitor poll ")]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def typed(line: str) -> list[str]:
        return line.replace("10.0.0.5", "127.0.0.1").replace("8786", str(port)).split()

    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path, "env": environment}
    with FeedServer() as server, ExitStack() as stack:
        for line in (f"{scheduler} --dashboard-address :0", workers):
            command = [sys.executable, "-m", *typed(line)]
            process = stack.enter_context(subprocess.Popen(command, start_new_session=True, **quiet))  # type: ignore[call-overload]
            stack.callback(os.killpg, process.pid, signal.SIGKILL)
        with connected(f"tcp://127.0.0.1:{port}", patience=30.0) as cluster:  # until all of it is up
            settings = settings_in(tmp_path)
            tools = tools_of(settings.rules, None)
            assert cluster.enlist(tools).result() is not None
        server.put("/a", feed_document([NEWS], NOW - HOUR))
        (tmp_path / "feeds.yaml").write_text(config_text([server.url("/a")]), encoding="utf-8")
        done = monitor(tmp_path, *typed(poll)[1:])
        assert done.returncode == 0, done.stderr
        assert done.stderr.splitlines()[-1] == "the cluster took in 1 document"


WITHOUT = "import sys; sys.modules['distributed'] = None; from monitor.cli import main; sys.exit(main())"


@pytest.mark.parametrize("words", [["poll", "--cluster", "tcp://127.0.0.1:8786"], ["run"]])
def test_without_the_extra_a_line_says_how_to_install_it(tmp_path: Path, words: list[str]) -> None:
    """Wrong configuration, for the command and for the worker."""
    (tmp_path / "feeds.yaml").write_text(config_text(["http://127.0.0.1:9/a"]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MONITOR_CLUSTER": "tcp://127.0.0.1:8786"},
        check=False,
    )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert "the extra 'cluster' is not installed: make cluster, or pip install 'rift-monitor[cluster]'" in last


def test_without_a_cluster_nothing_of_it_is_imported(tmp_path: Path) -> None:
    """It would be tens of megabytes for a worker that has no use for it."""
    script = (
        "import sys; from monitor import schedule, polling, hands, worker, cli; from monitor.feeds import fetch;"
        "print([name for name in ('dask', 'distributed', 'tornado', 'monitor.cluster') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


def test_hands_wait_for_no_crew_and_take_in_what_it_has_no_hand_free_for(tmp_path: Path) -> None:
    """A crew that never comes about is no reason to wait."""
    settings, never = settings_in(tmp_path), Future[Any]()

    async def run() -> Taken:
        async with Hands(settings.rules, lambda: None, 0, enlist=lambda tools: never) as hands:
            body = feed_document([NEWS], NOW - HOUR)
            return await hands.take(Task(Feed("http://a.example/"), body, {}, "http://a.example/", NOW, None))

    assert [item.title for item in asyncio.run(run()).items] == [NEWS]
