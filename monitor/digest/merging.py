"""Who is told again what did not arrive: recipients and what each is owed → which edition each gets. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from monitor.model import Owed


@dataclass(frozen=True, slots=True)
class Split:
    """How an edition is told: `whole` are the earlier ones that it stands in for, `plain` who gets it as it is.

    `others` had missed more, or missed what others have: the editions that theirs hold too, and who they are.
    """

    whole: frozenset[int] = frozenset()
    plain: tuple[str, ...] = ()
    others: tuple[tuple[frozenset[int], tuple[str, ...]], ...] = ()


def split(recipients: Sequence[str], owed: Sequence[Owed], reached_nobody: Collection[int]) -> Split:
    """Decide who gets what, so that each is told everything once.

    An edition stands in for those that every one of its recipients missed and nobody else has: mostly all of them
    missed the same, for a mail server was down. `reached_nobody` are the earlier editions that nobody has.
    """
    missed = {one.recipient: one.editions for one in owed}
    each = [missed.get(recipient, frozenset()) for recipient in recipients]
    whole = frozenset.intersection(*each) & frozenset(reached_nobody) if each else frozenset()
    groups: dict[frozenset[int], list[str]] = {whole: []}
    for recipient, editions in zip(recipients, each, strict=True):
        groups.setdefault(editions, []).append(recipient)
    plain = tuple(groups.pop(whole))
    return Split(whole, plain, tuple((editions, tuple(names)) for editions, names in groups.items()))
