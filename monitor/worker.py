"""The order of the steps; what each decides is its own room's affair.

    poll      states → fetch → cut → parse → normalise → judge → save (one transaction a feed; see `polling`)
    digest    hits, and what did not arrive → stories → edition → press → freeze (one transaction an edition)
    deliver   reclaim → due → begin → send → end (a transaction before and after each attempt)
    tidy      forget the texts of old items
    index     note the words of new items for the archive's search, some at a time

Every step can be killed and done again: what is not saved is fetched again, what is not frozen is rendered again,
what was being sent is sent again unchanged.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from monitor import press, resources
from monitor.digest import edition as editions
from monitor.digest import labels, mail, merging, stories
from monitor.model import Delivery, DigestPlan, Edition, Judged, Message, Owed, Receipt, State
from monitor.polling import Clock, poll, troubles_of
from monitor.settings import Settings
from monitor.store import FIRST_EDITION, Store

__all__ = [
    "Clock", "deliver", "digest", "index", "make_edition", "meet_digests", "next_edition", "poll", "tidy",
    "troubles_of",
]  # fmt: skip

HEARTBEAT = timedelta(days=7) - timedelta(hours=3)
"""After so long without a mail, `empty: weekly` sends one line; a little short, for days are not of one length."""
KEEP_BEFORE = timedelta(days=30)
"""How long the copy from before an upgrade is kept: texts in it should not outlive their time by much."""
RECENT = timedelta(days=7)
"""How long a told story can be continued by another report."""
MERGED = timedelta(days=15)
"""How old what did not arrive may be when it is told later: two turns of a weekly digest. So an address that does not
work for a year does not make its mail longer each day."""

KEPT = {press.NOTE, "clock", "database"}
"""Notes that an edition does not begin with: on templates it says so itself, the others are no affair of readers."""

log = structlog.get_logger()


# ---------------------------------------------------------------- digest


def meet_digests(settings: Settings, store: Store, now: datetime) -> None:
    """Make every configured digest known, so that its first slot counts from now.

    One that was away for a day or less goes on where it was; after longer, what it missed is not news for it.
    """
    store.meet_digests([plan.name for plan in settings.digests], now, FIRST_EDITION)


def make_edition(
    settings: Settings,
    plan: DigestPlan,
    store: Store,
    now: datetime,
    slot: datetime | None = None,
    hits: Sequence[Judged] | None = None,
    merged: Collection[int] = (),
) -> Edition:
    """Gather what a digest has to tell: the untold hits, or `hits` if they are given; reads only.

    And what the earlier editions `merged` told, as if they had never been made.
    """
    states = store.feed_states()
    hits = store.untold_hits(plan.name, now - FIRST_EDITION) if hits is None else hits
    since, notices = store.covered_since(plan.name, now) or now - FIRST_EDITION, _notices(plan, store)
    if window := store.window_of(merged):
        hits = sorted((*hits, *store.told_by(merged, now - MERGED)), key=lambda hit: (hit.item.published, hit.id))
        since, late = (max(at, now - MERGED) for at in window)
        notices = (*notices, labels.late(plan.language, late, now, ZoneInfo(plan.timezone)))
    told = store.told_links(plan.name, [hit.item.link for hit in hits], merged)
    repeats = [hit.id for hit in hits if hit.item.link in told]
    fresh = [hit for hit in hits if hit.item.link not in told]
    found = stories.cluster(
        fresh,
        store.recent_stories(plan.name, now - RECENT, merged),
        likeness=resources.likeness(),
        weigh=settings.weight_of,
        language=plan.language,
    )
    found_wrong = [one for found in troubles_of(settings, store, states, now).values() for one in found]
    return editions.compose(
        plan,
        found,
        since=since,
        until=now,
        titles=settings.titles,
        feeds_total=len(settings.enabled),
        shorts=settings.shorts,
        history=store.history(plan.name, now - editions.HISTORY),
        troubles=[trouble for trouble in found_wrong if trouble.broken],
        remarks=[trouble for trouble in found_wrong if not trouble.broken],
        notices=notices,
        repeats=repeats,
        slot=slot,
        unasked=sum(feed.url not in states or states[feed.url].last_polled is None for feed in settings.enabled),
    )


def _notices(plan: DigestPlan, store: Store) -> tuple[str, ...]:
    return tuple(labels.notice(plan.language, text) for name, text in store.notes().items() if name not in KEPT)


def next_edition(
    settings: Settings,
    plan: DigestPlan,
    store: Store,
    now: datetime,
    slot: datetime | None = None,
    hits: Sequence[Judged] | None = None,
) -> tuple[Edition, merging.Split | None, list[Owed]]:
    """Gather the edition that a digest would freeze now, with who gets it and what they are owed; reads only.

    None gets it where it makes no mail; then what was not delivered goes on being tried.
    """
    edition = make_edition(settings, plan, store, now, slot, hits)
    heartbeat = plan.empty == "send" or (plan.empty == "weekly" and not store.mailed_since(plan.name, now - HEARTBEAT))
    if edition.empty and not (heartbeat or edition.notices or edition.silent):
        return edition, None, []
    owed = store.owed(plan.name, plan.recipients, now)
    missed = {number for one in owed for number in one.editions}
    shares = merging.split(plan.recipients, owed, store.reached_nobody(missed, owed))
    if shares.whole:
        edition = make_edition(settings, plan, store, now, slot, hits, shares.whole)
        edition = replace(edition, merges=tuple(sorted(shares.whole)))
    return edition, shares, owed


def digest(
    settings: Settings,
    plan: DigestPlan,
    store: Store,
    desk: press.Desk,
    now: datetime,
    slot: datetime | None = None,
    reach: int | None = None,
) -> tuple[Edition, list[Message]] | None:
    """Freeze one edition into the outbox; None when this slot was frozen before. The caller holds the delivery lock.

    `reach` is the number of the last item that it goes past (see `again.reach`), the last that is stored unless said.

    With nothing to tell and `empty: skip`, the edition is recorded and no mail is made, unless silence would
    deceive: when no feed answers, or when there is a notice that the reader must see. With `empty: weekly` one is made
    when there was none for a week.

    What certainly did not reach a recipient of earlier editions is told in this one's mail, and the old one is not sent
    any more. Where that is the same for all, the edition stands in for those; else some get one of their own.
    """
    meet_digests(settings, store, now)
    reach = store.last_item() if reach is None else reach
    edition, shares, owed = next_edition(settings, plan, store, now, slot)
    if shares is None:
        return (edition, []) if store.freeze(edition, [], None, reach) else None
    token, own = secrets.token_hex(6), dict[str, Edition]()
    edition, rendered, frame = press.typeset_safely(edition, desk, store, now)
    messages = press.make_messages(edition, rendered, frame, token, shares.plain)
    for merged, recipients in shares.others:
        theirs = make_edition(settings, plan, store, now, slot, merged=merged)
        theirs, rendered, frame = press.typeset_safely(theirs, desk, store, now)
        messages += press.make_messages(theirs, rendered, frame, token, recipients)
        own |= dict.fromkeys(recipients, theirs)
    frozen = store.freeze(edition, messages, frame, reach, owed=owed, own=own)
    return (edition, messages) if frozen else None


# ---------------------------------------------------------------- deliver, tidy


def deliver(
    store: Store, sender: mail.Sender, clock: Clock, stop: threading.Event | None = None
) -> list[tuple[str, State, str]]:
    """Try every delivery that is due; return recipient, state and answer of each attempt.

    The caller holds the delivery lock, so what stands as `sending` was left by a process that died.
    """
    store.reclaim_deliveries(clock())
    results = []
    try:
        for delivery in store.due_deliveries(clock()):
            if stop and stop.is_set():
                break
            # Only what has a server to go to is `sending`: a kill while connecting leaves no doubt behind.
            receipt = sender.open(delivery.message.recipient) or _send(sender, delivery, store, clock)
            receipt, again = mail.next_attempt(receipt, delivery, clock())
            store.end_delivery(delivery, receipt, again, clock())
            results.append((delivery.message.recipient, receipt.state, receipt.detail))
    finally:
        sender.close()
    return results


def _send(sender: mail.Sender, delivery: Delivery, store: Store, clock: Clock) -> Receipt:
    store.begin_delivery(delivery, clock())
    try:
        return sender(delivery.message)
    except Exception as e:
        log.exception("a mail could not be sent; this is a bug", to=delivery.message.recipient)
        return Receipt(State.UNKNOWN, f"a fault of this program ({type(e).__name__})")


def tidy(settings: Settings, store: Store, now: datetime) -> int:
    """Forget the texts that are older than the retention time; return how many."""
    store.forget_copies(now - KEEP_BEFORE)
    return store.tidy(now - settings.retention)


def index(store: Store) -> int:
    """Make new items searchable, so many at a time that polling does not wait; return how many."""
    return store.index_words()
