"""The last feeds.yaml that could be used, kept in the data folder: a worker that starts on a broken one goes by it.

It is a copy, byte for byte, written whole or not at all. What reads it is given the path of the real file, for that is
what a person mends, and templates lie beside it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from monitor import compiled
from monitor.errors import ConfigError, MonitorError
from monitor.settings import Settings

FILE_NAME = "feeds.last-good.yaml"
"""What the copy is called in the data folder."""


def place(data: Path) -> Path:
    """Return where the copy is, or will be."""
    return data / FILE_NAME


def keep(raw: bytes, data: Path) -> None:
    """Keep what stood in a feeds.yaml that was taken up; nothing is written where the copy is the same.

    Raises:
        MonitorError: it cannot be written; the copy that was there stays.
    """
    copy = place(data)
    fresh = data / f".{FILE_NAME}.new"
    try:
        if copy.exists() and copy.read_bytes() == raw:
            return
        # Addresses may hold passwords: nobody else reads them here.
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, copy)
    except OSError as e:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise MonitorError(f"{copy}: cannot be written: {e.strerror or e}") from e


def load(config: Path, data: Path) -> Settings | None:
    """Return the last good settings of the file `config`; None where none were kept, or this program refuses them."""
    try:
        return replace(compiled.load(place(data), data), path=config)
    except ConfigError:
        return None
