"""How each reader is set up, run once, and asked afterwards what it found."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).parent.parent
HERE = Path(__file__).parent / "peers"
PEERS = ROOT / "build" / "peers"
LOCK = ROOT / "requirements" / "peers.lock"
DEBIAN = "apt install newsboat sfeed rss2email nginx"
AT_ONCE = 10  # of newsboat and reader, whose own default is one


class Reader(ABC):
    """A program that polls feeds. All it keeps is in its home."""

    name = ""
    parses, stores, detects = "yes", "texts", "yes"
    how = ""
    learns_late = False  # keeps validators only on the second poll: it gets one more, not measured, before `unchanged`
    is_set_up_once = False  # its home without feeds goes on into the phases

    def missing(self) -> str:
        """Return why it cannot run here, or an empty string."""
        return ""

    @abstractmethod
    def version(self) -> str:
        """Return its version."""

    @abstractmethod
    def prepare(self, home: Path, urls: Sequence[str]) -> None:
        """Write its settings; not measured."""

    @abstractmethod
    def command(self, home: Path) -> list[str]:
        """Return the command that polls every feed once."""

    @abstractmethod
    def found(self, home: Path) -> int:
        """Return how many entries it knows."""

    def environment(self, home: Path) -> dict[str, str]:
        """Return its environment: its home is its own, and no proxy stands between."""
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
            kept[name] = str(home)
        return {**kept, "LC_ALL": "C.UTF-8", "PYTHONPATH": "", "TERM": "dumb"}


class Monitor(Reader):
    """This project, with its own rules and second opinion; without the sense, that an extra brings."""

    name = "monitor"
    detects = "yes, judged"
    is_set_up_once = True  # keywords are compiled at the first start and after an edit of them
    how = (
        "monitor poll --all, with the shipped rules and the second opinion (without the extra `semantic`); "
        "it was started once before it had feeds"
    )

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._allow: bool | None = None

    def version(self) -> str:
        """Return its version."""
        return output([*self._command, "version"], ROOT).split()[-1]

    def prepare(self, home: Path, urls: Sequence[str]) -> None:
        """Write its settings."""
        if self._allow is None:
            # A version that refuses private addresses must be told that these are meant; an older knows no such key.
            self._write(home, urls, allow=True)
            check = [*self._command, "--config", str(home / "feeds.yaml"), "check"]
            done = subprocess.run(check, env=self.environment(home), cwd=home, capture_output=True, check=False)  # noqa: S603
            self._allow = done.returncode == 0
        self._write(home, urls, allow=self._allow)

    def environment(self, home: Path) -> dict[str, str]:
        """Return its environment."""
        # The code beside this file, also where another copy is installed.
        return {**super().environment(home), "PYTHONPATH": str(ROOT)}

    def _write(self, home: Path, urls: Sequence[str], *, allow: bool) -> None:
        # A feeds.yaml without feeds is refused; one that is switched off is as good.
        lines = [f"  - {url}\n" for url in urls] or ["  - {url: 'http://127.0.0.1/none.rss', enabled: false}\n"]
        text = _without((ROOT / "feeds.yaml").read_text("utf-8"), "feeds", "second_opinion", "polling")
        text += "\nsecond_opinion: {mode: blend, sense: false}\n"
        text += "polling: {allow: [127.0.0.1]}\n" if allow else ""
        (home / "feeds.yaml").write_text(f"{text}feeds:\n{''.join(lines)}", "utf-8")

    def command(self, home: Path) -> list[str]:
        """Return the command."""
        return [*self._command, "--config", str(home / "feeds.yaml"), "--data", str(home / "data"), "poll", "--all"]

    def found(self, home: Path) -> int:
        """Count what it keeps."""
        return _count(home / "data" / "monitor.db", "items")


def _without(text: str, *sections: str) -> str:
    return re.sub(rf"(?ms)^(?:{'|'.join(sections)}):.*?(?=^\w+:|\Z)", "", text)


class OfPyPI(Reader):
    """A reader of build/peers, which is made from requirements/peers.lock when it is first needed."""

    package = ""

    def missing(self) -> str:
        """Say why it cannot run here."""
        return make_peers()

    def version(self) -> str:
        """Return its version."""
        code = f"from importlib.metadata import version; print(version({self.package!r}))"
        return output([python(), "-c", code]).strip()


class Feedparser(OfPyPI):
    """The plain loop of peers/feedparser_loop.py."""

    name = package = "feedparser"
    stores = "ids"
    how = "a loop of 40 lines: urllib, feedparser, seen ids in one JSON file; one feed at a time"

    def prepare(self, home: Path, urls: Sequence[str]) -> None:
        """Write its settings."""
        (home / "urls").write_text("\n".join(urls), "utf-8")

    def command(self, home: Path) -> list[str]:
        """Return the command."""
        return [python(), str(HERE / "feedparser_loop.py"), str(home / "urls"), str(home / "state.json")]

    def found(self, home: Path) -> int:
        """Count what it keeps."""
        return sum(len(state["seen"]) for state in _json(home / "state.json").values())


class Lemon(OfPyPI):
    """lemon24/reader."""

    name = package = "reader"
    how = f"make_reader, update_feeds(workers={AT_ONCE}); feeds are added beforehand"

    def prepare(self, home: Path, urls: Sequence[str]) -> None:
        """Write its settings."""
        (home / "urls").write_text("\n".join(urls), "utf-8")
        output([*self.command(home), "add", str(home / "urls")])

    def command(self, home: Path) -> list[str]:
        """Return the command."""
        return [python(), str(HERE / "reader_loop.py"), str(home / "reader.sqlite")]

    def found(self, home: Path) -> int:
        """Count what it keeps."""
        return _count(home / "reader.sqlite", "entries")


class OfDebian(Reader):
    """A reader that the system brings."""

    program = ""

    def missing(self) -> str:
        """Say why it cannot run here."""
        return "" if shutil.which(self.program) else f"not installed ({DEBIAN})"

    def version(self) -> str:
        """Return its version."""
        found = re.search(r"\d+(\.\d+)+", output([self.program, "--version"]))
        return found[0] if found else "?"


class Newsboat(OfDebian):
    """newsboat."""

    name = program = "newsboat"
    how = (
        f"newsboat -x reload, reload-threads {AT_ONCE}, other settings as they come; it keeps validators only on the "
        "second poll, so that one is not measured and `unchanged` is the third"
    )
    learns_late = True

    def prepare(self, home: Path, urls: Sequence[str]) -> None:
        """Write its settings."""
        # It refuses to start without an address; a query is one that asks nobody.
        (home / "urls").write_text("\n".join(urls or ['"query:none:title = \\"none\\""']) + "\n", "utf-8")
        (home / "config").write_text(f"reload-threads {AT_ONCE}\n", "utf-8")

    def command(self, home: Path) -> list[str]:
        """Return the command."""
        files = ["-u", str(home / "urls"), "-C", str(home / "config"), "-c", str(home / "cache.db")]
        return [self.program, *files, "-x", "reload"]

    def found(self, home: Path) -> int:
        """Count what it keeps."""
        return _count(home / "cache.db", "rss_item")


class Sfeed(OfDebian):
    """sfeed as Debian ships it: it asks without conditions."""

    name, program = "sfeed", "sfeed_update"
    detects = "by merging"
    how = "sfeed_update, maxjobs 8 as it comes; it asks without conditions"
    fetch = ""

    def version(self) -> str:
        """Return its version."""
        found = output(["dpkg-query", "-W", "-f", "${Version}", "sfeed"]) if shutil.which("dpkg-query") else "?"
        return found.split("-")[0]

    def prepare(self, home: Path, urls: Sequence[str]) -> None:
        """Write its settings."""
        (home / "etags").mkdir(exist_ok=True)
        lines = [f"feed {Path(url).name} {url}\n" for url in urls] or [":\n"]
        text = f"sfeedpath={home}/feeds\n{self.fetch}feeds() {{\n{''.join(lines)}}}\n"
        (home / "sfeedrc").write_text(text, "utf-8")

    def command(self, home: Path) -> list[str]:
        """Return the command."""
        return [self.program, str(home / "sfeedrc")]

    def found(self, home: Path) -> int:
        """Count what it keeps."""
        return sum(path.read_bytes().count(b"\n") for path in (home / "feeds").glob("*"))


class SfeedConditional(Sfeed):
    """sfeed with the conditional request that its README recommends."""

    name = "sfeed+etag"
    how = "the same with the fetch() of its README, that sends the ETag"
    fetch = (
        'fetch() {\n  etag="$HOME/etags/$(basename "$3")"\n  curl -L --max-redirs 0 -H "User-Agent:" -f -s -m 15 '
        '--compressed --etag-save "${etag}" --etag-compare "${etag}" -z "${etag}" "$2" 2>/dev/null\n}\n'
    )


class Rss2email(OfDebian):
    """rss2email of Debian; it makes every mail and sends none."""

    name, program = "rss2email (deb)", "r2e"
    stores = "ids"
    how = "r2e run --no-send: it parses, makes the mails, remembers ids and sends nothing; one feed at a time"

    def prepare(self, home: Path, urls: Sequence[str]) -> None:
        """Write its settings."""
        feeds = [f"[feed.{Path(url).stem}]\nurl = {url}\n" for url in urls]
        (home / "rss2email.cfg").write_text("[DEFAULT]\nto = you@example.test\n" + "".join(feeds), "utf-8")
        # It takes a feed for known only when both files name it.
        states = [{"name": Path(url).stem, "etag": None, "modified": None, "seen": {}} for url in urls]
        (home / "rss2email.json").write_text(json.dumps({"version": 2, "feeds": states}), "utf-8")

    def command(self, home: Path) -> list[str]:
        """Return the command."""
        files = ["-c", str(home / "rss2email.cfg"), "-d", str(home / "rss2email.json")]
        return [self.program, *files, "run", "--no-send"]

    def found(self, home: Path) -> int:
        """Count what it keeps."""
        return sum(len(feed["seen"]) for feed in _json(home / "rss2email.json")["feeds"])


class Rss2emailOfPyPI(Rss2email):
    """rss2email of PyPI."""

    name = "rss2email (PyPI)"

    def missing(self) -> str:
        """Say why it cannot run here."""
        return make_peers()

    def version(self) -> str:
        """Return its version."""
        return output([str(PEERS / "bin" / "r2e"), "--version"]).split()[-1]

    def command(self, home: Path) -> list[str]:
        """Return the command."""
        return [str(PEERS / "bin" / "r2e"), *super().command(home)[1:]]


def all_readers(monitor: Sequence[str]) -> list[Reader]:
    """Return every reader, this project first."""
    return [Monitor(monitor), Feedparser(), Lemon(), Newsboat(), Sfeed(), SfeedConditional(), Rss2email(),
            Rss2emailOfPyPI()]  # fmt: skip


def python() -> str:
    """Return the interpreter of the peers."""
    return str(PEERS / "bin" / "python")


def make_peers() -> str:
    """Install the peers of PyPI unless they are; return why that failed, or an empty string."""
    stamp, wanted = PEERS / ".locked", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return ""
    print("setting up build/peers, once ...", file=sys.stderr)
    shutil.rmtree(PEERS, ignore_errors=True)
    install = ["-m", "pip", "--disable-pip-version-check", "-q", "install", "--require-hashes", "-r", str(LOCK)]
    try:
        output([sys.executable, "-m", "venv", str(PEERS)])
        output([python(), *install])
    except (OSError, subprocess.CalledProcessError) as e:
        shutil.rmtree(PEERS, ignore_errors=True)
        return f"build/peers could not be set up from requirements/peers.lock ({type(e).__name__})"
    stamp.write_text(wanted, "utf-8")
    return ""


def output(command: Sequence[str], cwd: Path | None = None) -> str:
    """Return what a command prints."""
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout  # noqa: S603


def _count(database: Path, table: str) -> int:
    # Opened as any other program would, for what is in a write-ahead log counts.
    if not database.exists():
        return 0
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


def _json(path: Path) -> dict:  # type: ignore[type-arg]
    return json.loads(path.read_text("utf-8")) if path.exists() else {"feeds": []}
