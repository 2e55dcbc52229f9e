"""How long a poll takes, beside other readers of feeds: nothing known, nothing changed, one new entry in each feed.

    make bench                                                  300 feeds of 40 entries, each reader three times
    .venv/bin/python bench/polling.py --only monitor,newsboat   only these
    .venv/bin/python bench/polling.py --scale 10000             only this project: from 1,000 feeds to so many

A private nginx on this machine serves invented news. Each reader is a process of its own with a fresh home; its wall
time is that of the whole process, start-up and children included. The third phase has no validators, so every feed is
sent whole, and the one new entry must be found in it. What each reader then has in its own database is counted. A peer
that is not installed is left out: apt install newsboat sfeed rss2email nginx; those of PyPI come from
requirements/peers.lock into build/peers.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import newsmaker
from readers import DEBIAN, Monitor, Reader, all_readers

SEED = 20261124
SAMPLE = 0.02
LIMIT = 1800.0
PAGE = os.sysconf("SC_PAGE_SIZE")
COLD, UNCHANGED, ONE_NEW = PHASES = ("cold", "unchanged", "one new each")
SCALE_ENTRIES, SCALE_STEPS, SCALE_CHANGED = 10, (1000, 2500, 5000, 10000), 20


# ---------------------------------------------------------------- the server


@dataclass
class Server:
    """A private nginx; it is started anew for each run, so that each has a log of its own."""

    folder: Path
    port: int = field(init=False)

    def __post_init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def urls(self, feeds: int) -> list[str]:
        """Return the addresses of the feeds, the same in all phases."""
        return [f"http://127.0.0.1:{self.port}/{newsmaker.file_name(number)}" for number in range(feeds)]

    @contextmanager
    def serving(self, edition: Path, *, validators: bool = True) -> Iterator[Path]:
        """Serve the files of a folder; gives the log, a line a request with its status."""
        log = self.folder / "access.log"
        log.unlink(missing_ok=True)
        conf = self.folder / "nginx.conf"
        conf.write_text(self._conf(edition, log, validators=validators), "utf-8")
        nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "nginx"
        command = [nginx, "-p", str(self.folder), "-e", str(self.folder / "error.log"), "-c", str(conf)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:  # noqa: S603
            try:
                self._wait(process)
                yield log
            finally:
                process.terminate()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if process.poll() is not None:
                break
            time.sleep(0.01)
        raise SystemExit(f"nginx does not start: {(self.folder / 'error.log').read_text('utf-8')[-500:]}")

    def _conf(self, edition: Path, log: Path, *, validators: bool) -> str:
        # As root its worker would be nobody, who cannot read a private folder.
        user = "user root;" if os.geteuid() == 0 else ""
        parts = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        scratch = "\n".join(f"  {part}_temp_path {self.folder}/scratch-{part};" for part in parts)
        # `before`, as RFC 9110 has it: nginx would else send a feed whole to whoever asks with a time of his own.
        marks = (
            "etag on; if_modified_since before;"
            if validators
            else 'etag off; if_modified_since off; add_header Last-Modified "";'
        )
        return f"""\
{user}
daemon off; worker_processes 1; pid {self.folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  log_format status '$status'; access_log {log} status;
{scratch}
  types {{ application/rss+xml rss; application/atom+xml atom; }}
  sendfile on; keepalive_timeout 65; keepalive_requests 100000;
  server {{ listen 127.0.0.1:{self.port}; root {edition}; {marks} }}
}}
"""


def answers(log: Path, status: str) -> int:
    """Return how many requests were answered so."""
    return log.read_text("utf-8").split().count(status) if log.exists() else 0


# ---------------------------------------------------------------- measuring


@dataclass(frozen=True)
class Run:
    """One run of one reader."""

    seconds: float
    cpu: float
    memory: float
    code: int
    tail: str


class Memory(threading.Thread):
    """The highest memory of a process and all it started, in MB.

    Resident sizes are added every 20 ms, which is cheap; where they reach a new height, the proportional size (PSS),
    that counts a shared page once, is read. Processes that live shorter than that may be missed.
    """

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self._root, self._stop_now = root, threading.Event()
        self._resident, self.peak = 0, 0

    def run(self) -> None:
        """Look every 20 ms."""
        while not self._stop_now.wait(SAMPLE):
            family = [self._root, *descendants(self._root)]
            resident = sum(map(resident_size, family))
            if resident > self._resident * 1.02:
                self._resident = resident
                self.peak = max(self.peak, sum(map(proportional_size, family)))

    def end(self) -> float:
        """Stop, and return the peak in MB."""
        self._stop_now.set()
        self.join()
        return self.peak / 1e6


def descendants(pid: int) -> Iterator[int]:
    """Give the numbers of all processes below one."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for task in tasks:
        for child in _read(Path(f"/proc/{pid}/task/{task}/children")).split():
            yield int(child)
            yield from descendants(int(child))


def resident_size(pid: int) -> int:
    """Return the resident size of a process in bytes, 0 when it is gone."""
    parts = _read(Path(f"/proc/{pid}/statm")).split()
    return int(parts[1]) * PAGE if parts else 0


def proportional_size(pid: int) -> int:
    """Return the proportional size of a process in bytes; the resident one where it may not be read."""
    for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return resident_size(pid)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""


def measure(reader: Reader, home: Path) -> Run:
    """Let a reader poll once."""
    os.sync()  # what earlier runs wrote is not this one's affair
    with (home / "output.txt").open("w+b") as told:
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603
            reader.command(home),
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            cwd=home,
            env=reader.environment(home),
        )
        memory = Memory(process.pid)
        memory.start()
        late = threading.Timer(LIMIT, process.kill)
        late.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)  # it was waited for here
        late.cancel()
        peak = memory.end()
        told.seek(0)
        tail = told.read()[-500:].decode("utf-8", "replace")
    return Run(seconds, usage.ru_utime + usage.ru_stime, peak, process.returncode, tail)


# ---------------------------------------------------------------- readers side by side


@dataclass
class Results:
    """What a reader took in each phase, by round."""

    start: list[float] = field(default_factory=list)
    runs: dict[str, list[Run]] = field(default_factory=lambda: {phase: [] for phase in PHASES})
    unchanged: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def seconds(self, phase: str) -> float:
        """Return the median."""
        return statistics.median(run.seconds for run in self.runs[phase])

    def cpu(self, phase: str) -> float:
        """Return the median of the processor's time, which a busy machine disturbs less."""
        return statistics.median(run.cpu for run in self.runs[phase])

    def net(self, phase: str) -> float:
        """Return the median without what a run with no feeds takes."""
        return max(self.seconds(phase) - statistics.median(self.start), 0.0)

    @property
    def memory(self) -> float:
        """Return the highest memory of all phases, in MB."""
        return max(run.memory for runs in self.runs.values() for run in runs)


def one_round(reader: Reader, server: Server, feeds: int, entries: int, results: Results) -> None:
    """Run a reader through the phases on a fresh home, and count what it found."""
    home = fresh(server.folder / "home")
    reader.prepare(home, [])
    measure(reader, home)  # what a reader does once when it is set up (compile keywords, make a database)
    results.start.append(measure(reader, home).seconds)
    home = home if reader.is_set_up_once else fresh(home)
    reader.prepare(home, server.urls(feeds))
    known = 0
    for phase, new in zip(PHASES, (feeds * entries, 0, feeds), strict=True):
        edition = server.folder / ("next" if phase == ONE_NEW else "base")
        if phase == UNCHANGED and reader.learns_late:
            with server.serving(edition):
                measure(reader, home)
        with server.serving(edition, validators=phase != ONE_NEW) as log:
            run = measure(reader, home)
            if phase == UNCHANGED:
                results.unchanged.append(answers(log, "304"))
        results.runs[phase].append(run)
        found, known = reader.found(home) - known, reader.found(home)
        if found != new:
            results.faults.append(f"{phase}: found {found} of {new}; exit {run.code}; {run.tail.strip()[-200:]!r}")


def fresh(folder: Path) -> Path:
    """Return an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def table(readers: Sequence[Reader], results: dict[str, Results], versions: dict[str, str], feeds: int) -> list[str]:
    """Return the lines of the table."""
    head = ["reader", "version", "parses", "stores", "detects", "start"]
    for phase in PHASES:
        head += [phase, "net", "cpu", "ratio"]
    rows = [[*head, "304s", "MB", ""]]
    own = results.get("monitor")
    for reader in readers:
        got = results[reader.name]
        row = [reader.name, versions[reader.name], reader.parses, reader.stores, reader.detects]
        row.append(f"{statistics.median(got.start):.2f}")
        for phase in PHASES:
            ratio = f"{got.seconds(phase) / own.seconds(phase):.2f}" if own else "-"
            row += [f"{got.seconds(phase):.2f}", f"{got.net(phase):.2f}", f"{got.cpu(phase):.2f}", ratio]
        wrong = "did not do its work" if got.faults else ""
        rows.append([*row, f"{min(got.unchanged)}/{feeds}", f"{got.memory:.0f}", wrong])
    return aligned(rows, left=5)


def aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Return rows as lines; the first columns are words, the last is a remark, what is between are figures."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if at < left or at == len(row) - 1 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def verdicts(readers: Sequence[Reader], results: dict[str, Results]) -> Iterator[str]:
    """Give a line for each phase: the fastest peers, and how this project compares."""
    own = results.get("monitor")
    peers = [reader for reader in readers if reader.name != "monitor" and not results[reader.name].faults]
    if own is None or not peers:
        return
    for phase in PHASES:
        parts = []
        for what, fit in (
            ("that keeps texts", [peer for peer in peers if peer.stores == "texts"]),
            ("of all, which also finds what is new", peers),
        ):
            if fit:
                best = min(fit, key=lambda peer: results[peer.name].seconds(phase))
                took = results[best.name].seconds(phase)
                parts.append(f"fastest peer {what}: {best.name}, {took:.2f} s ({compared(own.seconds(phase), took)})")
        yield f"{phase}: {'; '.join(parts)}"


def compared(own: float, peer: float) -> str:
    """Say how two times compare."""
    return (
        f"monitor takes {own / peer:.2f} times as long" if own > peer else f"monitor is {peer / own:.2f} times as fast"
    )


def compare(args: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Run the readers side by side, print the table and return its figures."""
    readers = present(args)
    now = datetime.now(UTC)
    for name, newer in (("base", range(0)), ("next", range(args.feeds))):
        newsmaker.write_edition(folder / name, args.feeds, args.entries, SEED, now, newer=newer)
    size = sum(path.stat().st_size for path in (folder / "base").iterdir()) / (args.feeds * args.entries)
    server = Server(folder)
    results = {reader.name: Results() for reader in readers}
    # Round by round, so that a busy minute of the machine does not fall on one reader alone.
    for number in range(args.repeat):
        for reader in readers:
            print(f"round {number + 1} of {args.repeat}: {reader.name}", file=sys.stderr, flush=True)
            one_round(reader, server, args.feeds, args.entries, results[reader.name])
    versions = {reader.name: reader.version() for reader in readers}
    print(
        f"{args.feeds} feeds of {args.entries} entries of {size:.0f} bytes; median of {args.repeat}; seconds of the "
        f"whole process; {os.cpu_count()} processors; Python {sys.version.split()[0]}"
    )
    print("\n".join(table(readers, results, versions, args.feeds)))
    print(
        "start: with no feeds, the second time. net: without it. cpu: of the process and its children. "
        "ratio: to monitor, above 1 is slower. MB: their peak, proportional (PSS)."
    )
    for reader in readers:
        print(f"  {reader.name}: {reader.how}")
        for fault in dict.fromkeys(results[reader.name].faults):
            print(f"    {fault}")
    for line in verdicts(readers, results):
        print(line)
    figures = {name: asdict(got) | {"version": versions[name]} for name, got in results.items()}
    return {"feeds": args.feeds, "entries": args.entries, "readers": figures}


def present(args: argparse.Namespace) -> list[Reader]:
    """Return the readers that are asked for and can run here; say which cannot."""
    everyone = all_readers(shlex.split(args.monitor))
    only = set(filter(None, args.only.split(",")))
    if strange := only - {reader.name for reader in everyone}:
        raise SystemExit(f"no such reader: {', '.join(sorted(strange))}; there are "
                         f"{', '.join(reader.name for reader in everyone)}")  # fmt: skip
    readers = []
    for reader in everyone:
        if only and reader.name not in only:
            continue
        if why := reader.missing():
            print(f"{reader.name} is left out: {why}")
        else:
            readers.append(reader)
    return readers


# ---------------------------------------------------------------- this project alone, with many feeds


def scale(args: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Poll ever more feeds with this project alone; print a line for each number."""
    most = args.scale
    steps = sorted({step for step in SCALE_STEPS if step < most} | {most})
    now = datetime.now(UTC)
    changed = set(range(0, most, SCALE_CHANGED))
    newsmaker.write_edition(folder / "base", most, SCALE_ENTRIES, SEED, now, newer=())
    newsmaker.link_edition(folder / "next", folder / "base", most, SCALE_ENTRIES, SEED, now, changed)
    server, reader = Server(folder), Monitor(shlex.split(args.monitor))
    print(f"monitor {reader.version()}: feeds of {SCALE_ENTRIES} entries; of each phase seconds, s per 1,000 feeds, MB")
    phases = (COLD, UNCHANGED, f"{100 // SCALE_CHANGED} % changed")
    rows, figures = [["feeds", *(cell for phase in phases for cell in (phase, "s/1000", "MB")), ""]], {}
    for feeds in steps:
        home = fresh(folder / "home")
        reader.prepare(home, server.urls(feeds))
        row, known, wrong = [str(feeds)], 0, ""
        news = (feeds * SCALE_ENTRIES, 0, len([number for number in changed if number < feeds]))
        for phase, new in zip(phases, news, strict=True):
            with server.serving(folder / ("base" if phase in PHASES else "next")):
                run = measure(reader, home)
            found, known = reader.found(home) - known, reader.found(home)
            wrong += "" if found == new else f"{phase}: found {found} of {new}; "
            row += [f"{run.seconds:.2f}", f"{run.seconds / feeds * 1000:.2f}", f"{run.memory:.0f}"]
            figures[f"{feeds} {phase}"] = asdict(run)
        rows.append([*row, wrong])
    print("\n".join(aligned(rows, left=0)))
    return {"scale": figures}


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--feeds", type=int, default=300)
    parser.add_argument("--entries", type=int, default=40)
    parser.add_argument("--repeat", type=int, default=3, help="rounds, of which the median is printed")
    parser.add_argument("--only", default="", metavar="NAME,...", help="these readers alone")
    parser.add_argument("--monitor", default=f"{sys.executable} -m monitor", metavar="COMMAND", help="how it is run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--scale", type=int, default=0, metavar="FEEDS", help="monitor alone, up to so many feeds")
    return parser.parse_args()


def main() -> None:
    """Compare, or scale."""
    args = arguments()
    if not shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        print(f"polling is not measured: nginx is not installed ({DEBIAN})")
        return
    with tempfile.TemporaryDirectory(prefix="polling-") as name:
        figures = (scale if args.scale else compare)(args, Path(name))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
