"""The order of the steps; what each decides is its own room's affair.

    poll      states → fetch → parse → normalise → news? → judge → save (one transaction a feed)
    digest    hits → stories → edition → press → freeze (one transaction an edition)
    deliver   reclaim → due → begin → send → end (a transaction before and after each attempt)
    tidy      forget the texts of old items

Every step can be killed and done again: what is not saved is fetched again, what is not frozen is rendered again,
what was being sent is sent again unchanged.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterable
from contextlib import aclosing
from datetime import datetime, timedelta
from hashlib import sha256

import structlog

from monitor import press, resources
from monitor.config import Settings
from monitor.digest import edition as editions
from monitor.digest import mail, stories
from monitor.errors import MonitorError
from monitor.feeds import politeness
from monitor.feeds.fetch import DEADLINE, fetch_all
from monitor.feeds.normalise import normalise, told_apart
from monitor.feeds.parse import parse
from monitor.match.blend import Second
from monitor.match.judge import judge
from monitor.match.rules import Rules
from monitor.model import (
    Delivery,
    DigestPlan,
    Edition,
    Failure,
    Feed,
    FeedState,
    Item,
    Judged,
    Message,
    NotModified,
    Outcome,
    Parsed,
    Receipt,
    Response,
    State,
)
from monitor.store import Store

FIRST_EDITION = timedelta(hours=24)
"""How far back the first edition of a digest reaches."""
HEARTBEAT = timedelta(days=7) - timedelta(hours=3)
"""After so long without a mail, `empty: weekly` sends one line; a little short, for days are not of one length."""
RECENT = timedelta(days=7)
"""How long a told story can be continued by another report."""

Clock = Callable[[], datetime]
log = structlog.get_logger()


# ---------------------------------------------------------------- poll


def poll(
    settings: Settings,
    store: Store,
    clock: Clock,
    *,
    second: Second | None = None,
    everything: bool = False,
    stop: threading.Event | None = None,
    deadline: float = DEADLINE,
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Poll the feeds that are due (or all), and return what came of each."""
    states = store.feed_states()
    now = clock()
    due = [
        (feed, states.get(feed.url) or FeedState(feed.url))
        for feed in settings.enabled
        if everything or politeness.is_due(states.get(feed.url), feed, now)
    ]

    async def run() -> list[Outcome]:
        outcomes = []
        before = {feed.url: state for feed, state in due}
        async with aclosing(fetch_all(due, stop, deadline=deadline)) as answers:
            async for feed, response in answers:
                outcome = _settle_safely(feed, before[feed.url], response, settings.rules, second, store, clock())
                tell(outcome)
                outcomes.append(outcome)
        return outcomes

    return asyncio.run(run())


def _settle_safely(
    feed: Feed, state: FeedState, response: Response, rules: Rules, second: Second | None, store: Store, now: datetime
) -> Outcome:
    """Settle one answer; a bug that one document sets off fails its feed and no other, and backs off like a failure."""
    try:
        return settle(feed, state, response, rules, second, store, now)
    except MonitorError:
        raise
    except Exception as e:
        log.exception("a feed could not be taken in; this is a bug", feed=feed.url)
        reason = f"could not be taken in, by a fault of this program ({type(e).__name__})"
        return _failed(feed, state, Failure(reason, seconds=response.seconds), store, now)


def settle(
    feed: Feed, state: FeedState, response: Response, rules: Rules, second: Second | None, store: Store, now: datetime
) -> Outcome:
    """Take in one answer: judge what is new in it and save that together with the feed's state."""
    if isinstance(response, Failure):
        return _failed(feed, state, response, store, now)
    if isinstance(response, NotModified):
        store.save_poll(politeness.after_success(state, feed, response, now))
        return Outcome(feed, "unchanged", seconds=response.seconds)
    body_hash = sha256(response.body).hexdigest()
    if body_hash == state.body_hash:
        store.save_poll(politeness.after_success(state, feed, response, now, body_hash=body_hash))
        return Outcome(feed, "unchanged", seconds=response.seconds)
    parsed = parse(response.body, response.headers)
    if isinstance(parsed, Failure):
        return _failed(feed, state, Failure(parsed.reason, seconds=response.seconds), store, now)
    last_ok = state.last_ok if store.knows(feed.url) else None  # an empty feed has not been seen yet
    items = read_items(parsed, feed, now, last_ok, response.url)
    new, changed = (judge_all(part, rules, second) for part in store.news_of(items))
    store.save_poll(
        politeness.after_success(state, feed, response, now, body_hash=body_hash, parsed=parsed), new, changed
    )
    return Outcome(
        feed,
        "ok",
        entries=len(items),
        new=len(new),
        changed=len(changed),
        hits=sum(judged.verdict.covered for judged in new),
        seconds=response.seconds,
    )


def read_items(parsed: Parsed, feed: Feed, now: datetime, last_ok: datetime | None, base: str) -> list[Item]:
    """Make items of all entries of one document that came from `base`."""
    return told_apart([normalise(entry, feed, parsed, now=now, last_ok=last_ok, base=base) for entry in parsed.entries])


def judge_all(items: Iterable[Item], rules: Rules, second: Second | None = None) -> list[Judged]:
    """Judge items; pure and picklable, so that a pool of processes can do it."""
    return [Judged(item, judge(item, rules, second)) for item in items]


def _failed(feed: Feed, state: FeedState, failure: Failure, store: Store, now: datetime) -> Outcome:
    store.save_poll(politeness.after_failure(state, feed, failure, now))
    return Outcome(feed, "failed", reason=failure.reason, seconds=failure.seconds)


# ---------------------------------------------------------------- digest


def meet_digests(settings: Settings, store: Store, now: datetime, before: Settings | None = None) -> None:
    """Make every configured digest known, so that its first slot counts from now.

    One that the settings `before` an edit had not begins anew: what it missed meanwhile is not news for it.
    """
    names = [plan.name for plan in settings.digests]
    old = {plan.name for plan in before.digests} if before else set(names)
    store.meet_digests(names, now, FIRST_EDITION, returned=set(names) - old)


def make_edition(
    settings: Settings,
    plan: DigestPlan,
    store: Store,
    now: datetime,
    slot: datetime | None = None,
) -> Edition:
    """Gather what a digest has to tell; reads only."""
    states = store.feed_states()
    hits = store.untold_hits(plan.name)
    told = store.told_links(plan.name, [hit.item.link for hit in hits])
    repeats = [hit.id for hit in hits if hit.item.link in told]
    fresh = [hit for hit in hits if hit.item.link not in told]
    found = stories.cluster(
        fresh,
        store.recent_stories(plan.name, now - RECENT),
        likeness=resources.likeness(),
        weigh=settings.weight_of,
        language=plan.language,
    )
    return editions.compose(
        plan,
        found,
        since=store.covered_since(plan.name, now) or now - FIRST_EDITION,
        until=now,
        titles=settings.titles,
        feeds_total=len(settings.enabled),
        shorts=settings.shorts,
        history=store.history(plan.name, now - editions.HISTORY),
        troubles=editions.troubles(settings.enabled, states),
        silences=editions.silences(
            settings.enabled, states, {feed.url: store.arrivals(feed.url) for feed in settings.enabled}
        ),
        notices=tuple(text for name, text in store.notes().items() if name != press.NOTE),
        repeats=repeats,
        slot=slot,
    )


def digest(
    settings: Settings, plan: DigestPlan, store: Store, desk: press.Desk, now: datetime, slot: datetime | None = None
) -> tuple[Edition, list[Message]] | None:
    """Freeze one edition into the outbox; None when this slot was frozen before.

    With nothing to tell and `empty: skip`, the edition is recorded and no mail is made, unless silence would
    deceive: when no feed answers, or when there is a notice that the reader must see. With `empty: weekly` one is made
    when there was none for a week.
    """
    meet_digests(settings, store, now)
    edition = make_edition(settings, plan, store, now, slot)
    messages: list[Message] = []
    frame = None
    heartbeat = plan.empty == "send" or (plan.empty == "weekly" and not store.mailed_since(plan.name, now - HEARTBEAT))
    if not edition.empty or heartbeat or edition.notices or edition.silent:
        edition, rendered, frame = press.typeset_safely(edition, desk, store, now)
        messages = press.make_messages(edition, rendered, frame, secrets.token_hex(6))
    return (edition, messages) if store.freeze(edition, messages, frame) else None


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
            receipt = sender.open() or _send(sender, delivery, store, clock)
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
    return store.tidy(now - settings.retention)
