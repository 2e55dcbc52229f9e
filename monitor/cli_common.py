"""What the commands share: where things are, and how something is said."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from monitor.errors import ConfigError, Fault, MonitorError

if TYPE_CHECKING:
    from monitor.environment import MailSettings
    from monitor.match.blend import Second
    from monitor.press import Desk
    from monitor.settings import Settings
    from monitor.store import Store


class Paths:
    """Where the configuration and the data are; set by the options before the command."""

    config = Path("feeds.yaml")
    data = Path("data")


class Voice:
    """Where what is said goes: beside the results, or into the log of a worker that writes JSON."""

    logs = False


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def since(text: str, option: str = "--since") -> datetime:
    """Return the time that an option names: so long ago (30d, 12h), or the start of a day (2026-11-01, in UTC).

    Raises:
        BadParameter: it is neither.
    """
    from monitor.schema import duration

    try:
        if "-" in text:
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        return now() - duration(text)
    except (ValueError, OverflowError):
        words = f"{text!r} is neither a length of time, such as 30d or 12h, nor a day, such as 2026-11-01"
        raise typer.BadParameter(words, param_hint=option) from None


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


def existing_store() -> Store:
    """Open the database.

    Raises:
        MonitorError: there is none yet.
    """
    from monitor.store import Store

    if not database().exists():
        raise MonitorError(f"{database()}: no database yet; poll first")
    return Store(database())


def fault(message: str) -> ConfigError:
    """Return an error of feeds.yaml, to be raised."""
    return ConfigError(str(Paths.config), (Fault(message),))


def say(line: str, *, error: bool = False) -> None:
    """Tell the person, beside the results; whoever reads a worker's log as JSON reads this so too."""
    if not Voice.logs:
        print(line, file=sys.stderr)
        return
    import structlog

    log = structlog.get_logger()
    (log.error if error else log.info)(line)


def when(cron: str) -> str:
    """Return a crontab line as a time of day, where it is no more than that."""
    daily = re.fullmatch(r"(\d+) (\d+) \* \* \*", cron)
    return f"at {int(daily[2]):02}:{int(daily[1]):02}" if daily else f"cron {cron}"


def in_colours() -> bool:
    """Tell whether results may be coloured: on a terminal, unless NO_COLOR is set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


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


def second(settings: Settings) -> Second | None:
    """Return the second opinion, as the settings want it."""
    from monitor.advice import advice

    return advice(settings, Paths.data).second


def desk(mail: MailSettings) -> Desk:
    """Return what mails are made with."""
    from monitor import resources
    from monitor.press import Desk

    return Desk(resources.templates(Paths.config), mail.sender, mail.sender)


def warn_of_strangers() -> None:
    """Name MONITOR_ variables that nothing reads: most likely typing errors."""
    from monitor import environment

    for line in environment.unknown_variables(os.environ):
        say(line)


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Any]:
    """Show how many are done, on a terminal; nothing in a pipe. What it yields is called for each, or with how many."""
    if not sys.stderr.isatty():
        yield lambda count=1: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    with Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count=1: bar.advance(task, count)
