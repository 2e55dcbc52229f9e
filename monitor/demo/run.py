"""The whole way once, on sample feeds: HTTP → poll → judge → store → edition → page and mail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor import archive, config, press, resources, worker
from monitor.advice import advice
from monitor.demo.server import serve
from monitor.digest.mail import FileSender
from monitor.match.blend import Second
from monitor.model import DigestPlan, Edition, Manners, Outcome
from monitor.resources import read_templates
from monitor.settings import Settings
from monitor.store import FILE_NAME, Store

EARLIER = 13
"""Days before the demo that have an edition of their own."""


@dataclass(frozen=True, slots=True)
class Tour:
    """What the demo did, and where its page and mail are."""

    first: list[Outcome]
    second: list[Outcome]
    edition: Edition
    subject: str
    page: Path
    mail: Path
    archive: Path


def tour(folder: Path, language: str = "en", clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Tour:
    """Poll the samples twice and make one edition of them in `folder`, with the shipped rules and templates.

    Two weeks of earlier editions come first, each of its day's news, so that there is a usual to compare with.
    """
    shipped = resources.shipped_config()
    plan = DigestPlan("demo", ("you@example.com",), "30 7 * * *", "Asia/Shanghai", language)
    sender = FileSender(folder)
    desk = press.Desk(resources.templates(shipped), "Rift Monitor <monitor@example.com>", "owner@example.com")
    settings = replace(config.load(shipped), digests=(plan,), manners=Manners(allow=("127.0.0.0/8",)))
    opinion = advice(settings, folder).second
    earlier = FileSender(folder / "earlier")
    with serve(clock()) as samples, Store(folder / FILE_NAME) as store:
        settings = replace(settings, feeds=(samples.weekly,))
        for days in range(EARLIER, 0, -1):
            day = clock() - timedelta(days=days)
            samples.show(day)
            _live(settings, plan, store, desk, opinion, earlier, day)
        settings = replace(settings, feeds=samples.feeds)
        first = worker.poll(settings, store, clock, second=opinion, everything=True)
        second = worker.poll(settings, store, clock, second=opinion, everything=True)
        made = worker.digest(settings, plan, store, desk, clock())
        if made is None:
            raise AssertionError("an edition without a slot is always made")
        edition, messages = made
        worker.deliver(store, sender, clock)
        archive.update(
            store,
            folder / archive.FOLDER,
            read_templates(desk.templates),
            language=language,
            titles=settings.titles,
            shorts=settings.shorts,
        )
    mail = max(folder.glob("*.eml"))
    return Tour(
        first,
        second,
        edition,
        messages[0].subject,
        mail.with_suffix(".html"),
        mail,
        folder / archive.FOLDER / archive.INDEX,
    )


def _live(
    settings: Settings,
    plan: DigestPlan,
    store: Store,
    desk: press.Desk,
    opinion: Second | None,
    sender: FileSender,
    day: datetime,
) -> None:
    """Live through one earlier day: poll what was out then, make its edition and deliver it."""
    worker.meet_digests(settings, store, day)
    worker.poll(settings, store, lambda: day, second=opinion, everything=True)
    worker.digest(settings, plan, store, desk, day)
    worker.deliver(store, sender, lambda: day)
