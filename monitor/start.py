"""`monitor init`: the files that one begins with, written all or none, and over nothing that is there."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from monitor import resources
from monitor.errors import MonitorError

CONFIG, SCHEMA, TEMPLATES, COMPOSE, ENVIRONMENT = (
    "feeds.yaml",
    "feeds.schema.json",
    "templates",
    "compose.yaml",
    ".env.example",
)
_MODELINE = re.compile(r"\A# yaml-language-server:[^\n]*\n")
_BUILD = re.compile(r"^    build: (?:\.|\{context: \.(?P<more>, [^}\n]*)\})(?: *(?P<words>#[^\n]*))?\n", re.MULTILINE)
"""The lines of compose.yaml that say of what an image is built."""
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the digest should be, where it is not as in the file that came along."""

    to: tuple[str, ...] = ()
    timezone: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Begun:
    """The names of what was written, and of what was there and stays as it is; folders end in a slash."""

    written: tuple[str, ...]
    kept: tuple[str, ...]


def begin(folder: Path, wishes: Wishes) -> Begun:
    """Write into a folder what it lacks; make the folder, if need be.

    Raises:
        MonitorError: it is no place for that, or cannot be written; then it is as before.
    """
    if folder.resolve() == resources.checkout():
        raise MonitorError(
            f"{folder}: is the folder of the program itself and has all of it: edit feeds.yaml, and make run;\n"
            "  or name a folder of your own: monitor init ~/news"
        )
    if folder.exists() and not folder.is_dir():
        raise MonitorError(f"{folder}: is a file; name a folder, new or old")
    try:
        contents = _contents(wishes)
    except OSError as e:
        raise MonitorError(f"{e.filename}: cannot be read: {e.strerror}; install the program again") from e
    try:
        return _write(folder, contents)
    except OSError as e:
        raise MonitorError(f"{folder}: cannot be written: {e.strerror}; nothing was changed") from e


def _contents(wishes: Wishes) -> dict[str, bytes | Mapping[str, bytes]]:
    """Return what belongs into the folder, by name; a folder as what belongs into it."""
    schema = resources.shipped_schema()
    known = {SCHEMA: schema.read_bytes()} if schema.is_file() else {}
    config = feeds_text(resources.shipped_config().read_text("utf-8"), wishes, schema=bool(known))
    sources = sorted(path for path in resources.shipped_templates().iterdir() if path.is_file())
    compose = compose_text(resources.shipped_compose().read_text("utf-8"), resources.checkout())
    return {
        CONFIG: config.encode(),
        **known,
        TEMPLATES: {path.name: path.read_bytes() for path in sources},
        COMPOSE: compose.encode(),
        ENVIRONMENT: resources.shipped_environment().read_bytes(),
    }


def feeds_text(shipped: str, wishes: Wishes, *, schema: bool) -> str:
    """Return the feeds.yaml that came along, with the digest as wished and the schema beside it, if there is one."""
    text = _MODELINE.sub("", shipped)
    if wishes.to:
        addresses = ", ".join(one if _PLAIN_ADDRESS.fullmatch(one) else json.dumps(one) for one in wishes.to)
        text = _with(text, "to", r"\[.*?\]", f"[{addresses}]")
    if wishes.timezone:
        text = _with(text, "timezone", r"\S+", wishes.timezone)
    if wishes.language:
        text = _with(text, "language", r"\S+", wishes.language)
    return f"# yaml-language-server: $schema={SCHEMA}\n{text}" if schema else text


def _with(text: str, key: str, old: str, new: str) -> str:
    """Change a key of the first digest, which no other part of the file has before it."""
    changed, count = re.subn(rf"^(    {key}: ){old}", lambda match: match[1] + new, text, count=1, flags=re.MULTILINE)
    if not count:
        raise AssertionError(f"the feeds.yaml that came along has no {key}: in its digest")
    return changed


def compose_text(shipped: str, source: Path | None) -> str:
    """Return the compose.yaml that came along, for images from the source in `source`, if it is at hand."""
    if source is None:
        return _BUILD.sub("", shipped)
    place = json.dumps(str(source), ensure_ascii=False).replace("$", "$$")  # one $ begins a variable there

    def from_there(match: re.Match[str]) -> str:
        where = f"{{context: {place}{match['more']}}}" if match["more"] else place
        return f"    build: {where}  {match['words'] or ''}".rstrip() + "\n"

    return _BUILD.sub(from_there, shipped)


# ---------------------------------------------------------------- on disk


def _write(folder: Path, contents: Mapping[str, bytes | Mapping[str, bytes]]) -> Begun:
    """Write everything beside its place first, so that there is room for all of it before anything is seen."""
    missing = {name: content for name, content in contents.items() if not _is_there(folder / name)}
    with _made(folder), _staging(folder) as stage, _undone_on_failure() as placed:
        for name, content in missing.items():
            _fill(stage / name, content)
        for name in missing:
            os.replace(stage / name, folder / name)
            placed.append(folder / name)
    return Begun(
        tuple(_shown(name, contents) for name in missing),
        tuple(_shown(name, contents) for name in contents if name not in missing),
    )


def _is_there(path: Path) -> bool:
    """Tell whether something stands there; an empty folder does not count."""
    if path.is_dir() and not path.is_symlink():
        return any(path.iterdir())
    return path.exists() or path.is_symlink()


def _shown(name: str, contents: Mapping[str, object]) -> str:
    return f"{name}/" if isinstance(contents[name], Mapping) else name


def _fill(path: Path, content: bytes | Mapping[str, bytes]) -> None:
    if isinstance(content, Mapping):
        path.mkdir()
        for name, inner in content.items():
            _fill(path / name, inner)
        return
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder with its parents; take away again those that were made, if what follows fails."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for path in made:
            with suppress(OSError):  # never made, or somebody put something there
                path.rmdir()
        raise


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    stage = Path(tempfile.mkdtemp(prefix=".monitor-init-", dir=folder))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def _undone_on_failure() -> Iterator[list[Path]]:
    placed: list[Path] = []
    try:
        yield placed
    except BaseException:
        for path in placed:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


def unreadable(folder: Path, names: Iterable[str]) -> list[str]:
    """Return what others than its owner cannot read, `.` for the folder; nothing on systems without such rights."""
    if os.name != "posix":
        return []
    paths = {".": folder, **{name: folder / name for name in names}}
    return [name for name, path in paths.items() if path.exists() and not _for_all(path)]


def _for_all(path: Path) -> bool:
    wanted = 0o005 if path.is_dir() else 0o004
    return path.stat().st_mode & wanted == wanted
