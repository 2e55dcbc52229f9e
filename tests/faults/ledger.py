"""What was published beside what arrived. It goes by the two servers' records; the database is only asked last.

For each digest and each of its readers every hit must be in exactly one mail, a mail being what bears one Message-ID,
however often it came. A mail may come again only after an attempt whose acknowledgement the client never heard.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults.mailboxes import Attempt
from tests.faults.newsroom import Item

MOST_DOUBTS = 3
"""After so many attempts in doubt a mail is left alone: what is promised ends there."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """One delivery as the database has it after the end."""

    recipient: str
    message_id: str
    raw: bytes
    tokens: frozenset[str]
    state: str
    is_tried: bool
    """It will be tried again."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who gets which digest, of which themes (none: all)."""

    digest: str
    address: str
    themes: frozenset[str] = frozenset()

    def wants(self, item: Item) -> bool:
        """Tell whether an item is news for this reader."""
        return bool(item.theme) and (not self.themes or item.theme in self.themes)


@dataclass
class Row:
    """One scenario's line in the ledger; `wrong` says what is, in sentences."""

    scenario: str
    published: int = 0
    hits: int = 0
    editions: int = 0
    mails: int = 0
    copies: int = 0
    refused: int = 0
    kills: int = 0
    faults: int = 0
    lost: int = 0
    twice: int = 0
    seconds: float = 0.0
    skipped: str = ""
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kept_in: str = ""

    @property
    def verdict(self) -> str:
        """One word or two."""
        return "skipped" if self.skipped else "WRONG" if self.wrong else "good"


def missing(items: Iterable[Item], readers: Sequence[Reader], attempts: Iterable[Attempt]) -> list[tuple[Reader, Item]]:
    """Return what has not arrived yet."""
    got = {(one.digest, one.recipient, token) for one in attempts if one.kept for token in one.tokens}
    return [
        (reader, item)
        for item in items
        for reader in readers
        if item.fresh and reader.wants(item) and (reader.digest, reader.address, item.token) not in got
    ]


def settle(
    row: Row,
    items: Sequence[Item],
    readers: Sequence[Reader],
    attempts: Sequence[Attempt],
    refusals: Sequence[tuple[str, str]],
    outbox: Sequence[Outbox],
    *,
    unwritten: Iterable[int] = (),
) -> Row:
    """Fill in a row from the records. `unwritten` are sessions while whose answers nothing could be written down."""
    mails = [attempt for attempt in attempts if attempt.kept]
    by_id: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        by_id[attempt.recipient, attempt.message_id].append(attempt)
    row.published, row.hits = len(items), sum(bool(item.theme) for item in items)
    row.editions = len({_edition(attempt.message_id) for attempt in mails})
    row.mails = len({(attempt.recipient, attempt.message_id) for attempt in mails})
    row.copies = len(mails) - row.mails
    row.refused = len(refusals)
    _told_once(row, items, readers, mails)
    _lost(row, missing(items, readers, attempts), by_id, refusals, outbox)
    _copies(row, by_id, frozenset(unwritten))
    _agree(row, by_id, refusals, outbox)
    return row


def _edition(message_id: str) -> str:
    """Return what the mails of one edition share: all but the reader's number."""
    return message_id.partition("@")[0].rpartition(".")[0]


def _told_once(row: Row, items: Sequence[Item], readers: Sequence[Reader], mails: Sequence[Attempt]) -> None:
    known = {item.token: item for item in items}
    who = {(reader.digest, reader.address): reader for reader in readers}
    places: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for mail in mails:
        if mail.tokens != mail.in_page:
            row.wrong.append(f"{mail.message_id}: text and page do not tell the same")
        for token in mail.tokens:
            places[mail.digest, mail.recipient, token].add(mail.message_id)
    for (digest, address, token), ids in sorted(places.items()):
        reader, item = who.get((digest, address)), known.get(token)
        if reader is None or item is None or not reader.wants(item):
            row.wrong.append(f"{address} was told {token} by {digest}, which is no news there")
        if len(ids) > 1:
            row.twice += 1
            row.wrong.append(f"{address} was told {token} in {len(ids)} mails of {digest}: {' '.join(sorted(ids))}")


def _lost(
    row: Row,
    absent: Sequence[tuple[Reader, Item]],
    by_id: Mapping[tuple[str, str], Sequence[Attempt]],
    refusals: Sequence[tuple[str, str]],
    outbox: Sequence[Outbox],
) -> None:
    """What is missing is lost, unless the server refused it for good or it was in doubt too often."""
    ends: dict[tuple[str, str, str], Outbox] = {}
    for one in outbox:
        for token in one.tokens:
            ends[_digest(one.message_id), one.recipient, token] = one
    said_no = {recipient for recipient, _ in refusals}
    excused = Counter[str]()
    for reader, item in absent:
        end = ends.get((reader.digest, reader.address, item.token))
        tried = by_id.get((end.recipient, end.message_id), ()) if end else ()
        if end and end.state == "refused" and reader.address in said_no:
            excused["were in mails that the server refused for good"] += 1
        elif end and end.state == "unknown" and not end.is_tried and len(tried) >= MOST_DOUBTS:
            excused["were in mails in doubt three times, of which none arrived"] += 1
        else:
            row.lost += 1
            state = f"in a mail that is {end.state}" if end else "in no mail"
            row.wrong.append(f"{reader.address} was never told {item.token} ({item.feed}) by {reader.digest}: {state}")
    row.notes += [f"{count} hits (times readers) {why}" for why, count in excused.items()]


def _digest(message_id: str) -> str:
    return message_id.lstrip("<").partition(".")[0]


def _copies(row: Row, by_id: Mapping[tuple[str, str], Sequence[Attempt]], unwritten: frozenset[int]) -> None:
    """A mail comes again only after one in doubt, and is the same to the last byte."""
    for (recipient, message_id), attempts in by_id.items():
        if len({attempt.hash for attempt in attempts}) > 1:
            row.wrong.append(f"{message_id} to {recipient} came with other bytes the second time")
        for attempt in attempts[:-1]:
            if attempt.kept and attempt.acknowledged and attempt.session not in unwritten:
                row.wrong.append(f"{message_id} to {recipient} was sent again although it had been acknowledged")
                break


def _agree(
    row: Row,
    by_id: Mapping[tuple[str, str], Sequence[Attempt]],
    refusals: Sequence[tuple[str, str]],
    outbox: Sequence[Outbox],
) -> None:
    """What the outbox says is what lies in the mailboxes."""
    known = {(one.recipient, one.message_id): one for one in outbox}
    said_no = {recipient for recipient, _ in refusals}
    for (recipient, message_id), attempts in by_id.items():
        if (recipient, message_id) not in known:
            row.wrong.append(f"{message_id} to {recipient} arrived, and the outbox does not know it")
        elif known[recipient, message_id].raw != attempts[-1].raw:
            row.wrong.append(f"{message_id} to {recipient} is not what the outbox holds")
    for key, one in known.items():
        tried = by_id.get(key, ())
        arrived = any(attempt.kept for attempt in tried)
        fault = {
            "sent": not arrived,
            "refused": arrived or one.recipient not in said_no,
            "unknown": not tried,
            "merged": any(attempt.kept and attempt.acknowledged for attempt in tried),
        }.get(one.state, False)
        if fault or one.is_tried or one.state == "sending":
            where = "it arrived" if arrived else "it did not arrive"
            row.wrong.append(f"{one.message_id} to {one.recipient} is {one.state} in the outbox, and {where}")


# ---------------------------------------------------------------- the table

HEADS = (
    "scenario", "published", "hits", "editions", "mails", "copies", "refused", "kills", "faults", "lost", "told twice",
    "seconds", "verdict",
)  # fmt: skip


def table(rows: Sequence[Row]) -> str:
    """Return the ledger as text, with a line of sums."""
    cells = [HEADS] + [
        (
            row.scenario, *(
                str(n)
                for n in (
                    row.published, row.hits, row.editions, row.mails, row.copies, row.refused, row.kills, row.faults,
                    row.lost, row.twice,
                )
            ),
            f"{row.seconds:.0f}", row.verdict,
        )
        for row in rows
    ]  # fmt: skip
    sums = ("all", *(str(sum(int(line[n]) for line in cells[1:])) for n in range(1, 12)), "")
    lines = [*cells, sums]
    widths = [max(len(line[n]) for line in lines) for n in range(len(HEADS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if n in (0, len(HEADS) - 1) else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
