"""The whole way once, on sample feeds: HTTP → poll → judge → store → edition → page and mail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from monitor import config, resources, worker
from monitor.advice import advice
from monitor.demo.server import serve
from monitor.digest.mail import FileSender
from monitor.model import DigestPlan, Edition, Outcome
from monitor.store import FILE_NAME, Store


@dataclass(frozen=True, slots=True)
class Tour:
    """What the demo did, and where its page and mail are."""

    first: list[Outcome]
    second: list[Outcome]
    edition: Edition
    subject: str
    page: Path
    mail: Path


def tour(folder: Path, language: str = "en", clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Tour:
    """Poll the samples twice and make one edition of them in `folder`, with the shipped rules and templates."""
    shipped = resources.shipped_config()
    plan = DigestPlan("demo", ("you@example.com",), "30 7 * * *", "Asia/Shanghai", language)
    sender = FileSender(folder)
    desk = worker.Desk(resources.templates(shipped), "Rift Monitor <monitor@example.com>", "owner@example.com")
    with serve(clock()) as feeds, Store(folder / FILE_NAME) as store:
        settings = replace(config.load(shipped), feeds=feeds, digests=(plan,))
        worker.meet_digests(settings, store, clock())
        opinion = advice(settings, folder).second
        first = worker.poll(settings, store, clock, second=opinion, everything=True)
        second = worker.poll(settings, store, clock, second=opinion, everything=True)
        made = worker.digest(settings, plan, store, desk, clock())
        if made is None:
            raise AssertionError("an edition without a slot is always made")
        edition, messages = made
        worker.deliver(store, sender, clock)
    mail = max(folder.glob("*.eml"))
    return Tour(first, second, edition, messages[0].subject, mail.with_suffix(".html"), mail)
