"""Everything that this program raises on purpose.

    MonitorError                    one readable line for a person; `exit_code` for the shell
    ├── ConfigError                 feeds.yaml or the environment is wrong (exit 2); carries every fault
    ├── QueryError                  one keyword cannot be read; carries the offset of the fault
    ├── StoreError                  the database cannot be opened, read or written
    │   └── NewerDatabaseError      written by a later version; left untouched
    ├── BusyError                   another process holds the lock that this job needs
    ├── LineError                   the connection to a mail server is of no use; never leaves `digest`
    ├── ClusterError                the Dask cluster cannot be reached, or does not fit
    └── TemplateError               a template cannot be rendered

A feed that fails is not an exception but a value: `model.Failure`. So is a mail server that
refuses: `model.Receipt`. What is raised beyond this tree is a bug.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


def without_credentials(address: str) -> str:
    """Return a web address, or a text that holds some, without user names and passwords."""
    return re.sub(r"(?<=://)[^/?#\s]*@", "", address)


_TELLTALE = r"[^=&?#\s]*(?:token|key|secret|pass|pwd|auth|sig|session|credential)[^=&?#\s]*"
_SECRETS = re.compile(
    rf"(?P<name>[?&;](?:{_TELLTALE}|code|hash|user|feed)=)[^&#\s'\"<>]+"
    r"|(?P<long>[?&;][^=&?#\s]{1,40}=)(?=[\w%.~+-]*\d)(?=[\w%.~+-]*[A-Za-z])[\w.~+-]{20,}"
    r"|(?P<scheme>\b(?:Basic|Bearer) +)[\w.~+/=-]{6,}",
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """Return a text in which no web address has a password, nor what its query names or looks like a key.

    So may it stand in logs, in `monitor health` and on pages of its own.
    """
    kept = without_credentials(text)
    return _SECRETS.sub(lambda found: f"{found['name'] or found['long'] or found['scheme']}***", kept)


def clipped(text: str, most: int) -> str:
    """Return so much of a text as a line has room for: at most so many characters, the last a … where more follow."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


class MonitorError(Exception):
    """Base of the tree; `str()` is the line that a person reads, in which no address has its password."""

    exit_code = 1

    def __str__(self) -> str:
        return without_credentials(super().__str__())


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file: where (1-based line and column; 0 when unknown) and what to do."""

    message: str
    line: int = 0
    column: int = 0

    def at(self, path: str) -> str:
        """Return `path:line:column: message`, the form that editors and terminals link."""
        where = f"{path}:{self.line}:{self.column}" if self.line else path
        return f"{where}: {self.message}"


class ConfigError(MonitorError):
    """The configuration cannot be used; `faults` holds every one found."""

    exit_code = 2

    def __init__(self, path: str, faults: tuple[Fault, ...]) -> None:
        self.path = path
        self.faults = faults
        super().__init__("\n".join(fault.at(path) for fault in faults))


class QueryError(MonitorError):
    """A keyword cannot be read; `offset` counts characters from its start, `instead` is what was probably meant.

    `instead` is in Lucene's syntax. A file of YAML needs quotes of its own around it.
    """

    exit_code = 2

    def __init__(self, message: str, offset: int = 0, instead: str = "") -> None:
        self.offset, self.advice, self.instead = offset, message, instead
        super().__init__(f"{message}: {instead}" if instead else message)


class StoreError(MonitorError):
    """The database cannot be opened, read or written."""


class NewerDatabaseError(StoreError):
    """The database was written by a later version of this program."""


class BusyError(MonitorError):
    """Another process is doing this job on the same data folder."""


class LineError(MonitorError):
    """The connection to a mail server failed; `silent` when an answer was waited for in vain."""

    def __init__(self, message: str, *, silent: bool = False) -> None:
        super().__init__(message)
        self.silent = silent


class ClusterError(MonitorError):
    """The Dask cluster cannot be reached, or it has other versions than this program."""


class TemplateError(MonitorError):
    """A template cannot be rendered; the message names file and line."""
