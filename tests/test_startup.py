"""What a command imports before there is anything to do, and the cache that spares it reading feeds.yaml."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor import compiled, config
from monitor.compiled import FILE_NAME
from monitor.errors import ConfigError
from monitor.model import FeedState
from monitor.settings import Settings
from monitor.store import Store
from tests.builders import ROOT, config_text

HEAVY = {
    "pydantic", "ruamel", "luqum", "sqlite_utils", "jinja2", "css_inline", "aiohttp", "feedparser", "numpy", "rich",
    "structlog", "opencc",
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    """A feeds.yaml and a data folder."""
    path, data = tmp_path / "feeds.yaml", tmp_path / "data"
    path.write_text(config_text(["https://example.com/rss"]), encoding="utf-8")
    data.mkdir()
    return path, data


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function after which whatever reads feeds.yaml anew fails."""

    def forbid() -> None:
        monkeypatch.setattr(config, "load", lambda path: pytest.fail("feeds.yaml was read again"))

    return forbid


def imported(*words: str, folder: Path = ROOT) -> set[str]:
    """Run a command to its end and return every module that it imported."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "monitor", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**{n: v for n, v in os.environ.items() if not n.startswith("MONITOR_")}, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return set(re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.M))


def heavy(modules: set[str]) -> set[str]:
    """Return what takes long to import, by the name of its package."""
    return {name.partition(".")[0] for name in modules} & HEAVY


def all_asked(path: Path, data: Path) -> None:
    """Bring about that no feed is due, no digest is new, and the cache is there."""
    now, settings = datetime.now(UTC), compiled.load(path, data)
    with Store(data / "monitor.db") as store:
        store.meet_digests([plan.name for plan in settings.digests], now, timedelta(days=1))
        for feed in settings.enabled:
            store.save_poll(FeedState(feed.url, due=now + timedelta(hours=1), last_polled=now, last_ok=now))


# ---------------------------------------------------------------- imports


def test_help_imports_nothing_that_it_does_not_show() -> None:
    """It is what people try first."""
    assert heavy(imported("--help")) == set()


@pytest.mark.parametrize("command", [["poll"], ["feeds", "list"], ["health"]])
def test_what_has_nothing_to_do_imports_nothing_to_do_it_with(place: tuple[Path, Path], command: list[str]) -> None:
    """But for Typer, which reads options by pydantic; our own models are not made."""
    all_asked(*place)
    modules = imported(*command, folder=place[0].parent)
    assert heavy(modules) <= {"pydantic"}
    assert not modules & {f"monitor.{name}" for name in ("config", "faults", "worker", "press", "migrations")}


# ---------------------------------------------------------------- the cache


def test_settings_come_back_from_the_cache_as_they_were_read(
    place: tuple[Path, Path], unread: Callable[[], None]
) -> None:
    """Those of the feeds.yaml that is shipped, every keyword in them."""
    path, data = ROOT / "feeds.yaml", place[1]
    first = compiled.load(path, data)
    unread()
    second = compiled.load(path, data)
    assert second == first
    assert second is not first
    assert [q.source for q in second.rules.rest._index.queries] == [q.source for q in first.rules.rest._index.queries]
    title = "微软 and OpenAI: Microsoft halts a data centre that OpenAI wanted"
    assert config.try_title(second.rules, title) == config.try_title(first.rules, title)
    assert config.try_title(second.rules, title).covered


def test_an_edit_of_the_file_or_of_the_program_is_read(
    place: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is a file of another name; what is told of it names it."""
    path, data = place
    compiled.load(path, data)
    path.write_text(config_text(["https://example.com/other"]), encoding="utf-8")
    assert compiled.load(path, data).feeds[0].url == "https://example.com/other"
    reads: list[Path] = []
    load = config.load

    def noted(path: Path) -> Settings:
        reads.append(path)
        return load(path)

    monkeypatch.setattr(config, "load", noted)
    monkeypatch.setattr(compiled, "__version__", "99")
    compiled.load(path, data)
    monkeypatch.setattr(compiled, "_stamps", lambda: iter([("text.py", 1, 1)]))
    compiled.load(path, data)
    assert reads == [path, path]
    copy = path.rename(path.with_name("renamed.yaml"))
    assert compiled.load(copy, data).path == copy


def test_a_fault_is_told_as_ever_and_never_kept(place: tuple[Path, Path]) -> None:
    """The cache of the last good file is no way around it."""
    path, data = place
    compiled.load(path, data)
    before = (data / FILE_NAME).read_bytes()
    path.write_text(config_text(["ftp://example.com/"]), encoding="utf-8")
    with pytest.raises(ConfigError) as read:
        config.load(path)
    with pytest.raises(ConfigError, match="ftp") as cached:
        compiled.load(path, data)
    assert str(cached.value) == str(read.value)
    assert (data / FILE_NAME).read_bytes() == before
    path.unlink()
    with pytest.raises(ConfigError, match="not found; put it there"):
        compiled.load(path, data)


@pytest.mark.parametrize("keep", [0, 10, 64, 65, 500, -1])
def test_a_cache_that_was_cut_short_is_made_anew(place: tuple[Path, Path], keep: int) -> None:
    """Wherever the disk became full."""
    path, data = place
    settings = compiled.load(path, data)
    whole = (data / FILE_NAME).read_bytes()
    (data / FILE_NAME).write_bytes(whole[:keep])
    assert compiled.load(path, data) == settings
    assert (data / FILE_NAME).stat().st_size == len(whole)
    assert [found.name for found in data.iterdir()] == [FILE_NAME]


def test_a_cache_that_cannot_be_written_is_done_without(place: tuple[Path, Path]) -> None:
    """The folder is not there, or something else has the name."""
    path, data = place
    assert compiled.load(path, data / "none").feeds
    assert not (data / "none").exists()
    (data / FILE_NAME).mkdir()
    assert compiled.load(path, data).feeds
    assert [found.name for found in data.iterdir()] == [FILE_NAME]


class Hostile:
    """Pickles as a call of anything."""

    def __init__(self, function: Callable[..., object], *values: object) -> None:
        self.call = (function, values)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("function", [os.mkdir, eval, exec, getattr, subprocess.check_call, config.load, Store])
def test_a_hostile_cache_runs_nothing(place: tuple[Path, Path], function: Callable[..., object]) -> None:
    """A data folder from elsewhere holds a pickle, well made for this very file, that would do something."""
    path, data = place
    mark = data.parent / "mark"
    values = {
        eval: (f"open({str(mark)!r}, 'w')",),
        exec: (f"open({str(mark)!r}, 'w')",),
        getattr: (mark, "touch"),
        subprocess.check_call: (["touch", str(mark)],),
    }.get(function, (mark,))
    key = compiled._program()
    bad = pickle.dumps(Hostile(function, *values))
    (data / FILE_NAME).write_bytes(key + b"\n" + bad)
    assert compiled.load(path, data) == config.load(path)
    assert not mark.exists()
    assert bad not in (data / FILE_NAME).read_bytes()
    with pytest.raises(pickle.UnpicklingError, match="is no part of settings"):
        compiled._unpickled(bad)


@pytest.mark.parametrize(
    "bad",
    [
        pickle.dumps("a text"),
        b"\x80\x05\x8c\x15monitor.match.queryx\x8c\x05Query\x93.",
        b"\x80\x04\x8c\x13monitor.match.query\x8c\x0bQuery.match\x93.",  # a dotted name leads out of a class
        b"cos\nsystem\n(S'true'\ntR.",
        b"no pickle at all",
    ],
)
def test_what_is_no_settings_is_no_cache(place: tuple[Path, Path], bad: bytes) -> None:
    """Whatever it is."""
    path, data = place
    (data / FILE_NAME).write_bytes(compiled._program() + b"\n" + bad)
    assert compiled.load(path, data).path == path


def test_an_edit_compiles_only_what_is_new_and_means_the_same(place: tuple[Path, Path]) -> None:
    """Keywords that stood there before are taken over; the settings are those that a fresh reading gives."""
    path, data = place
    compiled.load(path, data)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("keywords: [AGI]", "keywords: [AGI, superintelligence AND 2027]"), encoding="utf-8")
    assert "superintelligence" in path.read_text(encoding="utf-8")
    script = (
        "import sys; from pathlib import Path; from monitor import compiled; import monitor.match.syntax as s;"
        "asked = []; plain = s.parse; s.parse = lambda text: asked.append(text) or plain(text);"
        "compiled.load(Path(sys.argv[1]), Path(sys.argv[2])); print(len(asked))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path), str(data)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "1\n"
    assert compiled.load(path, data) == config.load(path)
