"""What a feed and an item cost, what one machine carries, and whether more processes or a Dask cluster help.

    make bench-scaling                                        300 feeds of 40 entries, each way three times
    .venv/bin/python bench/scaling.py --feeds 1000 --repeat 1

Invented news (bench/newsmaker.py) is served by a process of its own, whose work is not counted. `monitor poll --all` is
run with the shipped rules and the second opinion, without the sense: on a new database (cold), when nothing changed
(304), and with one new entry in each feed, sent whole. Ways: one process, held to one processor; as it comes, with
helpers for the other processors; a Dask cluster of two workers on this machine, which judges, and which fetches too
(left out where the extra `cluster` is not installed). What the cluster's processes work is counted beside. What a feed
costs is without what a poll of one feed does: most of that is to start. docs/scaling.md quotes these figures.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import newsmaker
from polling import SEED, Memory, aligned, descendants, fresh
from readers import Monitor

COLD, UNCHANGED, CHANGED = PHASES = ("cold", "unchanged", "changed")
TICKS = os.sysconf("SC_CLK_TCK")
QUIET = 90.0
"""Seconds that a worker is left alone before its memory is read."""

SERVER = """\
import sys
from aiohttp import web

async def feed(request):
    return web.FileResponse(f"{sys.argv[1]}/{request.match_info['name']}")

app = web.Application()
app.router.add_get("/{name}", feed)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), print=None, access_log=None)
"""
SCHEDULER = """\
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@dataclass(frozen=True)
class Run:
    """One poll: seconds, those of the processor here and in the cluster, and memory in MB."""

    seconds: float
    cpu: float
    elsewhere: float
    memory: float


@dataclass(frozen=True)
class Way:
    """One way to poll: its options, and whether it is held to one processor."""

    name: str
    options: tuple[str, ...] = ()
    single: bool = False


# ---------------------------------------------------------------- what runs beside


@contextmanager
def serving(folder: Path, port: int) -> Iterator[None]:
    """Serve the files of a folder."""
    with subprocess.Popen([sys.executable, "-c", SERVER, str(folder), str(port)], stderr=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            for _ in range(500):
                if port in listening():
                    break
                time.sleep(0.02)
            yield
        finally:
            process.kill()


def listening() -> set[int]:
    """Return the ports on which something listens."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text("utf-8").splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"}


def free_port() -> int:
    """Return a port on which nothing listens, below those that the system gives away by itself."""
    taken = listening()
    return next(port for port in range(18_000, 30_000) if port not in taken)


@contextmanager
def clustered() -> Iterator[tuple[str, int]]:
    """Run a Dask cluster of two workers; give its address and its process."""
    command = [sys.executable, "-c", SCHEDULER]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    with subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def worked(process: int) -> float:
    """Return the seconds of the processor that a process and all below it have taken."""
    total = 0
    for pid in (process, *descendants(process)):
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            parts = stat.read().rpartition(") ")[2].split()
        total += int(parts[11]) + int(parts[12])
    return total / TICKS


# ---------------------------------------------------------------- polls


def polled(reader: Monitor, home: Path, way: Way, cluster: int | None) -> Run:
    """Poll every feed once."""
    os.sync()
    before = worked(cluster) if cluster else 0.0
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603
        [*reader.command(home), *way.options],
        cwd=home,
        env=reader.environment(home),
        stdout=subprocess.DEVNULL,
        stderr=(home / "errors.txt").open("wb"),
    )
    if way.single:
        os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
    memory = Memory(process.pid)
    memory.start()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    peak = memory.end()
    if process.returncode:
        raise SystemExit(f"{way.name}: {(home / 'errors.txt').read_text('utf-8')[-1000:]}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, (worked(cluster) - before) if cluster else 0.0, peak)


def phases(reader: Monitor, way: Way, folder: Path, feeds: int, entries: int, cluster: int | None) -> dict[str, Run]:
    """Poll in each phase, with a database of its own, and count what came."""
    home, port = fresh(folder / "home"), free_port()
    urls = [f"http://127.0.0.1:{port}/{newsmaker.file_name(number)}" for number in range(feeds)]
    found = {}
    reader.prepare(home, [])
    polled(reader, home, Way("start", single=way.single), None)  # keywords are compiled once an edit
    reader.prepare(home, urls)
    for phase, edition, wanted in (
        (COLD, "base", feeds * entries),
        (UNCHANGED, "base", feeds * entries),
        (CHANGED, "next", feeds * (entries + 1)),
    ):
        with serving(folder / edition, port):
            found[phase] = polled(reader, home, way, cluster)
        if (there := reader.found(home)) != wanted:
            raise SystemExit(f"{way.name}, {phase}: {there} items are stored, and {wanted} were published")
    return found


def ways(address: str) -> list[Way]:
    """Return the ways that can be tried here."""
    found = [Way("one process", single=True), Way("with helpers")]
    if address:
        found.append(Way("Dask judges", ("--cluster", address)))
        found.append(Way("Dask fetches too", ("--cluster", address, "--cluster-fetch")))
    return found


# ---------------------------------------------------------------- disk and memory


def on_disk(folder: Path, reader: Monitor) -> list[str]:
    """Say how many bytes an item takes in the database, with what the search needs, and an edition."""
    home = folder / "home"
    database, data = home / "data" / "monitor.db", ["--config", str(home / "feeds.yaml"), "--data", str(home / "data")]
    items = reader.found(home)
    bare = size_of(database)
    command = [sys.executable, "-m", "monitor", *data]
    options = {"env": reader.environment(home), "cwd": home, "check": True, "capture_output": True}
    subprocess.run([*command, "search", "nothing-of-the-kind"], **{**options, "check": False})  # type: ignore[call-overload]  # noqa: S603
    indexed = size_of(database)
    subprocess.run([*command, "digest"], **options)  # type: ignore[call-overload]  # noqa: S603
    edition = size_of(database) - indexed
    mail = sum(path.stat().st_size for path in (home / "data" / "outbox").iterdir())
    return [
        f"database: {bare / items:.0f} bytes an item, {indexed / items:.0f} with the search's index ({items} items)",
        f"an edition: {edition / 1024:.0f} KiB in the database, {mail / 1024:.0f} KiB as files of the outbox",
    ]


def size_of(database: Path) -> int:
    """Return the size of a database whose log was written back."""
    with closing(sqlite3.connect(database)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        names = ("page_count", "freelist_count", "page_size")
        pages, free, page = (int(conn.execute(f"PRAGMA {name}").fetchone()[0]) for name in names)
        return (pages - free) * page


def idle(reader: Monitor, home: Path, feeds: int) -> float:
    """Return the memory in MB of a worker that has polled and waits for its next minute."""
    urls = [f"http://127.0.0.1:9/{number}" for number in range(feeds)]
    reader.prepare(fresh(home), urls)
    command = [word for word in reader.command(home) if word not in ("poll", "--all")]
    with subprocess.Popen(  # noqa: S603
        [*command, "run"], cwd=home, env=reader.environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        time.sleep(QUIET)
        memory = int(Path(f"/proc/{process.pid}/statm").read_text("utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        process.terminate()
    return memory / 1e6


# ---------------------------------------------------------------- the tables


Results = dict[str, list[tuple[dict[str, Run], dict[str, Run]]]]
"""Way → for each round the runs with one feed and with all, by phase."""


def table(results: Results, feeds: int, entries: int) -> list[str]:
    """Return the lines of the table."""
    rows = [["way", "phase", "s", "cpu s", "cluster's cpu s", "ms a feed", "ms an item", "MB", ""]]
    for name, rounds in results.items():
        for phase in PHASES:

            def median(figure: str, which: int = 1, rounds: Any = rounds, phase: str = phase) -> float:
                return statistics.median(getattr(both[which][phase], figure) for both in rounds)

            cpu, elsewhere = median("cpu"), median("elsewhere")
            net = 1000 * (cpu + elsewhere - median("cpu", 0) - median("elsewhere", 0)) / (feeds - 1)
            new = {COLD: entries, UNCHANGED: 0, CHANGED: 1}[phase]
            figures = [f"{median('seconds'):.2f}", f"{cpu:.2f}", f"{elsewhere:.2f}" if elsewhere else "-"]
            costs = [f"{max(net, 0.0):.2f}", f"{max(net, 0.0) / new:.2f}" if new else "-", f"{median('memory'):.0f}"]
            rows.append([name, phase, *figures, *costs, ""])
    return aligned(rows, left=2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--feeds", type=int, default=300)
    parser.add_argument("--entries", type=int, default=40)
    parser.add_argument("--repeat", type=int, default=3, help="rounds, of which the median is printed")
    parser.add_argument("--no-idle", action="store_true", help="leave out the memory of idle workers (three minutes)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    args = parser.parse_args()
    reader, now = Monitor([sys.executable, "-m", "monitor"]), datetime.now(UTC)
    folder = Path(tempfile.mkdtemp(prefix="scaling-"))
    try:
        for name, newer in (("base", range(0)), ("next", range(args.feeds))):
            newsmaker.write_edition(folder / name, args.feeds, args.entries, SEED, now, newer=newer)
        size = sum(path.stat().st_size for path in (folder / "base").iterdir()) / (args.feeds * args.entries)
        print(
            f"{args.feeds} feeds of {args.entries} entries of {size:.0f} bytes; median of {args.repeat}; "
            f"{os.cpu_count()} processors; Python {sys.version.split()[0]}; load {os.getloadavg()[0]:.1f} at the start"
        )
        results = measured(reader, folder, args)
        print("\n".join([*table(results, args.feeds, args.entries), *on_disk(folder, reader)]))
        if not args.no_idle:
            for feeds in (1, 50):
                print(f"an idle worker with {feeds} feeds: {idle(reader, folder / 'idle', feeds):.0f} MB resident")
        if args.json:
            figures = {
                name: [{phase: asdict(run) for phase, run in many.items()} for _, many in runs]
                for name, runs in results.items()
            }
            args.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measured(reader: Monitor, folder: Path, args: argparse.Namespace) -> Results:
    """Try all ways, round by round, so that a busy minute of the machine does not fall on one of them alone."""
    results: Results = {}
    with ExitStack() as stack:
        address, process = "", 0
        if find_spec("distributed") is None:
            print("Dask is left out: the extra `cluster` is not installed (make cluster)")
        else:
            address, process = stack.enter_context(clustered())
        for _ in range(args.repeat):
            for way in ways(address):
                print(f"{way.name} ...", file=sys.stderr, flush=True)
                cluster = process if way.options else None
                few, many = (phases(reader, way, folder, n, args.entries, cluster) for n in (1, args.feeds))
                results.setdefault(way.name, []).append((few, many))
    return results


if __name__ == "__main__":
    main()
