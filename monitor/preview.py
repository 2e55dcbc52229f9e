"""What `monitor digest` shows without sending: previews, editions rendered again, and a watch on their files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from monitor import press
from monitor.archive import page_of
from monitor.errors import MonitorError, TemplateError
from monitor.model import Edition, Frame, KeptEdition, Rendered

State = tuple[tuple[str, int, int], ...]


def write(name: str, page: str, mail: bytes, out: Path) -> tuple[Path, Path]:
    """Write a page and a mail, and return where they are.

    Raises:
        MonitorError: one of them cannot be written.
    """
    files = out / f"{name}.html", out / f"{name}.eml"
    try:
        out.mkdir(parents=True, exist_ok=True)
        files[0].write_text(page, encoding="utf-8")
        files[1].write_bytes(mail)
    except OSError as e:
        raise MonitorError(f"{out}: cannot be written: {e.strerror}") from e
    return files


def write_edition(edition: Edition, rendered: Rendered, frame: Frame, out: Path, name: str) -> tuple[Path, Path]:
    """Write what would be sent to the first recipient; `name` is that of the files, without ending."""
    [message, *_] = press.make_messages(edition, rendered, frame, "preview")
    return write(name, rendered.html, message.raw, out)


def write_again(kept: KeptEdition, out: Path) -> tuple[tuple[Path, Path], str]:
    """Write a kept edition as it was mailed; say how what is rendered from the database now compares with it."""
    name = f"{kept.digest}-{kept.id}"
    try:
        again = press.make_again(kept)
    except TemplateError as e:
        said = f"this version of the program cannot render it again ({e}); these bytes were sent"
    else:
        if not again:
            said = "too little of it was kept to render it again; these bytes were sent"
        elif [message.raw for message in again] == [message.raw for message in kept.messages]:
            said = "rendered again: the same bytes as were sent"
        else:
            version = kept.frame.version if kept.frame else ""
            said = (
                f"rendered again it comes out otherwise (version {version} made it); these are the bytes that were sent"
            )
    return write(name, page_of(kept), kept.messages[0].raw, out), said


def watch(make: Callable[[], object], state: Callable[[], State], ended: Callable[[], bool]) -> None:
    """Call `make` now and whenever `state` has changed; `ended` waits a little and tells whether to end."""
    before: State | None = None
    while True:
        now = state()
        if now != before:
            before = now
            make()
        if ended():
            return


def state_of(paths: Iterable[Path]) -> State:
    """Return what changes when one of the files, or a file in one of the folders, is edited."""
    found: list[tuple[str, int, int]] = []
    for path in paths:
        try:
            files = sorted(path.iterdir()) if path.is_dir() else [path]
        except OSError as e:
            found.append((f"{path}: {e.strerror}", 0, 0))
            continue
        for file in files:
            try:
                status = file.stat()
            except OSError:  # an editor may be replacing it at this moment
                continue
            found.append((str(file), status.st_mtime_ns, status.st_size))
    return tuple(found)
