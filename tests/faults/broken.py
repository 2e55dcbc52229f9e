"""Faults of the program itself, put into a worker on purpose: the proof that the suite finds such."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from monitor import schedule, worker
from monitor.digest.mail import SmtpSender
from monitor.model import Judged, Message, Receipt, State
from monitor.store import Store


def _put(owner: Any, name: str, value: Any) -> None:
    setattr(owner, name, value)


def loses_a_mail() -> None:
    """Every third mail is called sent and was not."""
    send, number = SmtpSender.__call__, count(1)

    def call(sender: SmtpSender, message: Message) -> Receipt:
        return Receipt(State.SENT, "250 OK") if next(number) % 3 == 0 else send(sender, message)

    _put(SmtpSender, "__call__", call)


def sends_twice() -> None:
    """Each mail goes out once more under another Message-ID, as if it had been made anew."""
    send = SmtpSender.__call__

    def call(sender: SmtpSender, message: Message) -> Receipt:
        raw = re.sub(rb"(?im)^(Message-ID: *\r?\n? *<[a-z]+\.)", rb"\1again.", message.raw, count=1)
        send(sender, replace(message, raw=raw))
        return send(sender, message)

    _put(SmtpSender, "__call__", call)


def sends_again() -> None:
    """What was acknowledged is not written down the first time."""
    end = Store.end_delivery

    def end_delivery(store: Store, delivery: Any, receipt: Receipt, again: Any, now: Any) -> None:
        if receipt.state is State.SENT and not delivery.attempts:
            receipt, again = Receipt(State.PENDING, "forgotten"), now
        end(store, delivery, receipt, again, now)

    _put(Store, "end_delivery", end_delivery)


def forgets_what_was_told() -> None:
    """An edition is frozen and what it told is not."""
    _put(Store, "_settle_items", lambda *_: None)


def forgets_items() -> None:
    """A poll saves the state of its feed without the newest of its items."""
    insert = Store._insert_items

    def insert_items(store: Store, new: list[Judged], rules: str) -> None:
        insert(store, list(new)[1:], rules)

    _put(Store, "_insert_items", insert_items)


def changes_bytes() -> None:
    """A mail bears the number of the attempt."""
    send, number = SmtpSender.__call__, count(1)

    def call(sender: SmtpSender, message: Message) -> Receipt:
        return send(sender, replace(message, raw=b"X-Attempt: %d\r\n" % next(number) + message.raw))

    _put(SmtpSender, "__call__", call)


def leaves_a_process() -> None:
    """Something goes on when the worker has ended."""
    run = schedule.run

    def running(*words: Any) -> None:
        subprocess.Popen(["sleep", "300"])
        run(*words)

    _put(schedule, "run", running)


def has_a_bug() -> None:
    """Something raises what nobody expected."""

    def index(store: Store) -> int:
        raise KeyError("a bug")

    _put(worker, "index", index)


BROKEN: dict[str, Callable[[], None]] = {
    one.__name__.replace("_", " "): one
    for one in (
        loses_a_mail, sends_twice, sends_again, forgets_what_was_told, forgets_items, changes_bytes, leaves_a_process,
        has_a_bug,
    )
}  # fmt: skip
