"""What feeds.yaml comes to: the settings that the program uses, and the bytes that they were read from.

Apart from `monitor.config`, which reads and checks the file: what checks it takes longer to import than most commands
to run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from monitor.errors import ConfigError, Fault
from monitor.model import DigestPlan, Feed, Item, Manners, Thresholds

if TYPE_CHECKING:
    from monitor.match.rules import Rules


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """How the second opinion is heard, and from what likelihoods on it says yes."""

    mode: Literal["off", "add", "blend"] = "off"
    sense: bool = True  # where the extra is installed
    coverage: float = 0.5
    theme: float = 0.45  # a little under even: a theme too many costs a reader less than one missed


@dataclass(frozen=True, slots=True)
class Examples:
    """Headlines that a theme must and must not take."""

    hits: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """feeds.yaml, checked and compiled. `fingerprint` is the hash of the file it was read from."""

    path: Path
    fingerprint: str
    feeds: tuple[Feed, ...]
    digests: tuple[DigestPlan, ...]
    rules: Rules
    titles: Mapping[str, Mapping[str, str]]
    shorts: Mapping[str, Mapping[str, str]]
    retention: timedelta
    second_opinion: SecondOpinion = SecondOpinion()
    examples: Mapping[str, Examples] = field(default_factory=dict)
    manners: Manners = field(default_factory=Manners)
    thresholds: Thresholds = field(default_factory=Thresholds)

    @property
    def enabled(self) -> tuple[Feed, ...]:
        """The feeds to poll."""
        return tuple(feed for feed in self.feeds if feed.enabled)

    def weight_of(self, item: Item) -> float:
        """Return the weight of an item's source: its feed's, times the outlet's where another feed bears its name.

        So a copy through an aggregator of little weight comes after the outlet's own, and before those of others.
        """
        return math.prod(
            feed.weight for feed in self.feeds if feed.url == item.feed_url or (feed.name and feed.name == item.outlet)
        )

    def digest(self, name: str) -> DigestPlan:
        """Return the digest of that name.

        Raises:
            ConfigError: there is none; the message lists those that there are.
        """
        for plan in self.digests:
            if plan.name == name:
                return plan
        known = ", ".join(plan.name for plan in self.digests) or "none"
        raise ConfigError(str(self.path), (Fault(f"no digest is named {name!r}; there is: {known}"),))


def hash_of(raw: bytes) -> str:
    """Return the hash of a file's bytes, to notice an edit however it was written."""
    return sha256(raw).hexdigest()


def read_bytes(path: Path) -> bytes:
    """Return what stands in the file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as e:
        advice = "not found; put it there, or name another with --config or MONITOR_CONFIG"
        raise ConfigError(str(path), (Fault(advice),)) from e
    except OSError as e:
        raise ConfigError(str(path), (Fault(f"cannot be read: {e.strerror}"),)) from e
