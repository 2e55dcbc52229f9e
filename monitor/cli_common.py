"""What the commands share: where things are, and how something is said."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.errors import ConfigError, Fault

if TYPE_CHECKING:
    from monitor.settings import Settings


class Paths:
    """Where the configuration and the data are; set by the options before the command."""

    config = Path("feeds.yaml")
    data = Path("data")


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def settings() -> Settings:
    """Return the settings in use.

    Raises:
        ConfigError: feeds.yaml cannot be read or has faults.
    """
    from monitor import compiled

    return compiled.load(Paths.config, Paths.data)


def database() -> Path:
    """Return where the database is, or will be."""
    from monitor.store import FILE_NAME

    return Paths.data / FILE_NAME


def fault(message: str) -> ConfigError:
    """Return an error of feeds.yaml, to be raised."""
    return ConfigError(str(Paths.config), (Fault(message),))


def say(line: str) -> None:
    """Tell the person, beside the results."""
    print(line, file=sys.stderr)


def print_table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table: fitted to a terminal, tab-separated and whole in a pipe."""
    if not sys.stdout.isatty():
        for row in (heads, *rows):
            print("\t".join(row))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD)
    for head in heads:
        table.add_column(head, overflow="fold")  # an address cut short is none
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
