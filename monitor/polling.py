"""One round of polling: what is due is asked, what is new in the answers is judged, and all is written down.

    states → due → fetch → (unchanged?) → cut → take (here, or in other processes) → known? → pages → save

A few documents are taken in here, one after the other; many, or large ones, in other processes, and where there is a
cluster on other machines, which may fetch too. One writer: this one.
A feed's items and its state are one transaction. This module itself is light: what a poll of nothing does not need is
imported when there is something.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from monitor.errors import MonitorError
from monitor.feeds import politeness
from monitor.model import (
    Failure,
    Feed,
    FeedState,
    FeedTrouble,
    Fetched,
    Item,
    Judged,
    NotModified,
    Outcome,
    Response,
)

if TYPE_CHECKING:
    from monitor.cluster import Cluster
    from monitor.feeds.fetch import Fetcher
    from monitor.hands import Hands
    from monitor.match.blend import Second
    from monitor.settings import Settings
    from monitor.store import Store
    from monitor.taking import Taken

Clock = Callable[[], datetime]
Due = list[tuple[Feed, FeedState]]
Ask = Callable[[Due, threading.Event | None], AsyncGenerator[tuple[Feed, Response], None]]

MOST_SPACED = timedelta(minutes=1)
"""A round asks no more feeds of one host than can be spaced in so long: the rest stay due, and others do not wait."""
WINDOW = 3
"""A feed that shows fewer entries at a time shows the latest, and does not lose any by that."""
UNDER_WAY = 16
"""So many answers are being taken in at once; more where there are helpers for them."""
MANY = 60
"""From so many feeds on that were never read, helpers are called at once."""
VALIDATORS = ("etag", "last-modified")
GRACE = 2.0
"""Seconds that what is being taken in has to end when the worker is told to."""


def due_feeds(settings: Settings, store: Store, now: datetime, *, everything: bool = False, soon: bool = False) -> Due:
    """Return the feeds to ask now, with their states; all of them for `everything`.

    Those that wait longest come first, and behind them those that failed the last time. `soon`: an edition is about to
    be made.
    """
    states = store.feed_states()
    due = [
        (feed, states.get(feed.url) or FeedState(feed.url))
        for feed in settings.enabled
        if everything or politeness.is_due(states.get(feed.url), feed, now, settings.manners, soon=soon)
    ]
    if everything:
        return due
    # What failed the last time may hang now: it keeps nobody waiting when it is asked last.
    due.sort(key=lambda pair: (pair[1].failures > 0, pair[1].due.timestamp() if pair[1].due else 0.0))
    return _spaced(due, settings)


def _spaced(due: Due, settings: Settings) -> Due:
    """Leave out what one host could not be asked within a minute."""
    from urllib.parse import urlsplit

    spacing = settings.manners.spacing
    most = max(1, MOST_SPACED // spacing) if spacing else len(due)
    if len(due) <= most:
        return due
    from monitor.feeds.guard import Guard

    guard = Guard(settings.manners.allow)
    counts: dict[str, int] = {}
    kept = []
    for feed, state in due:
        host = urlsplit(feed.url).hostname or ""
        counts[host] = counts.get(host, 0) + 1
        if counts[host] <= most or guard.is_own(host):
            kept.append((feed, state))
    return kept


def troubles_of(
    settings: Settings, store: Store, states: Mapping[str, FeedState], now: datetime
) -> dict[str, list[FeedTrouble]]:
    """Return what is wrong with each feed that was polled, by its address."""
    from monitor.feeds import condition

    return {
        feed.url: condition.trouble_of(feed, states[feed.url], store.arrivals(feed.url), settings.thresholds, now)
        for feed in settings.enabled
        if feed.url in states
    }


def poll(
    settings: Settings,
    store: Store,
    clock: Clock,
    *,
    second: Second | None = None,
    advise: Callable[[], Second | None] | None = None,
    everything: bool = False,
    soon: bool = False,
    stop: threading.Event | None = None,
    deadline: float | None = None,
    processes: int | None = None,
    cluster: Cluster | None = None,
    tell: Callable[[Outcome], None] = lambda outcome: None,
    due: Due | None = None,
) -> list[Outcome]:
    """Poll the feeds that are due (or all), and return what came of each.

    The second opinion is `second`, or what `advise` returns; it is called when there is something to judge. `deadline`
    (seconds) stands in for each feed's `timeout`; at most `processes` help with what is much, one for each
    processor unless said. The `cluster` helps with everything, while it is there.
    """
    due = due_feeds(settings, store, clock(), everything=everything, soon=soon) if due is None else due
    if not due:
        return []
    from monitor.feeds.fetch import Fetcher

    @cache
    def hands() -> Hands:
        from monitor.hands import Hands  # not for a round that brings nothing

        enlist = cluster.enlist if cluster else None
        return Hands(settings.rules, advise or (lambda: second), processes, enlist=enlist)

    if sum(not state.body_hash for _, state in due) >= MANY:
        hands().start()

    async def run() -> list[Outcome]:
        try:
            async with Fetcher(settings.manners, deadline) as fetcher:
                away = cluster.answers(fetcher, settings.manners, deadline) if cluster and cluster.fetches else None
                return await Round(settings, store, clock, fetcher, hands, away).go(due, stop, tell)
        finally:
            if hands.cache_info().currsize:
                hands().end()

    with store.often():
        return asyncio.run(run())


class Round:
    """One round of polling."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        clock: Clock,
        fetcher: Fetcher,
        hands: Callable[[], Hands],
        ask: Ask | None = None,
    ) -> None:
        """Ask for `hands` when there is something to take in; `ask` asks feeds in place of `fetcher`."""
        self._settings, self._store, self._clock = settings, store, clock
        self._fetcher, self._hands, self._room = fetcher, hands, UNDER_WAY
        self._ask = ask or fetcher.answers

    async def go(self, due: Due, stop: threading.Event | None, tell: Callable[[Outcome], None]) -> list[Outcome]:
        """Ask the feeds and take in each answer as it comes."""
        before = {feed.url: state for feed, state in due}
        outcomes: list[Outcome] = []
        running: set[asyncio.Task[None]] = set()
        reading: set[asyncio.Task[None]] = set()

        async def settle(feed: Feed, response: Response) -> None:
            outcome = await self._settle_safely(feed, before[feed.url], response)
            outcomes.append(outcome)
            tell(outcome)  # at once: the next answer may be long in coming

        def collect(done: set[asyncio.Task[None]]) -> None:
            # Each is looked at: where the disk is full all fail alike, and asyncio complains of what nobody heard.
            faults = [fault for task in done if (fault := task.exception())]
            if faults:
                raise faults[0]

        try:
            async with aclosing(self._ask(due, stop)) as answers:
                async for feed, response in answers:
                    # What waits for pages waits apart: it takes up no hand.
                    (reading if feed.fulltext else running).add(asyncio.create_task(settle(feed, response)))
                    while len(running) >= self._room and not (stop and stop.is_set()):
                        done, running = await asyncio.wait(running, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
                        collect(done)
            running |= reading
            while running:
                stopping = stop is not None and stop.is_set()
                done, running = await asyncio.wait(running, timeout=GRACE if stopping else 0.5)
                collect(done)
                if stopping:
                    break
        finally:
            for task in running | reading:
                task.cancel()
            await asyncio.gather(*running, *reading, return_exceptions=True)
        return outcomes

    async def _settle_safely(self, feed: Feed, state: FeedState, response: Response) -> Outcome:
        """Settle one answer; a bug that one document sets off fails its feed and no other, and backs off so."""
        try:
            return await self._settle(feed, state, response)
        except MonitorError:
            raise
        except Exception as e:
            import structlog

            structlog.get_logger().exception("a feed could not be taken in; this is a bug", feed=feed.address)
            reason = f"could not be taken in, by a fault of this program ({type(e).__name__})"
            return self._failed(feed, state, Failure(reason, seconds=response.seconds))

    async def _settle(self, feed: Feed, state: FeedState, response: Response) -> Outcome:
        """Take in one answer: judge what is new in it and save that together with the feed's state."""
        if isinstance(response, Failure):
            return self._failed(feed, state, response)
        if isinstance(response, NotModified):
            return self._unchanged(feed, state, response)
        from monitor.feeds.delta import broken_off

        body_hash = sha256(response.body).hexdigest()
        if (rest := broken_off(response.body)) is not None:
            # Its validators are those of the whole: kept, they would hide what is missing.
            headers = {name: text for name, text in response.headers.items() if name not in VALIDATORS}
            response = replace(response, body=rest, headers=headers)
        if body_hash == state.body_hash:
            return self._unchanged(feed, state, response, body_hash)
        return await self._read(feed, state, response, body_hash)

    async def _read(
        self, feed: Feed, state: FeedState, response: Fetched, body_hash: str, *, whole: bool = False
    ) -> Outcome:
        """Take in a document that changed; `whole`: without cutting out what was seen."""
        from monitor.feeds.delta import cut
        from monitor.feeds.hints import read_hints
        from monitor.feeds.normalise import FIRST_SIGHT
        from monitor.taking import Task

        now = self._clock()
        piece = None if state.seen is None else cut(response.body, b"" if whole else state.seen)
        if piece and not piece.left:
            look = politeness.Look(seen=piece.hashes, entries=piece.total, hints=read_hints(response.body), odd=None)
            return self._unchanged(feed, state, response, body_hash, look)
        # A feed that never had an entry has not been seen yet, unless it has been known for a day to have none.
        empty = state.empty_since is not None and now - state.empty_since > FIRST_SIGHT
        last_ok = state.last_ok if state.newest_key or empty or self._store.knows(feed.url) else None
        kind = {"content-type": response.headers["content-type"]} if "content-type" in response.headers else {}
        body = piece.rest if piece else response.body
        self._room = self._hands().room
        taken = await self._hands().take(Task(feed, body, kind, response.url, now, last_ok, undecided=feed.fulltext))
        if taken.failure:
            return self._failed(feed, state, replace(taken.failure, seconds=response.seconds))
        known = self._store.known(feed.url, [item.key for item in taken.items])
        cut_out = piece is not None and piece.known > 0
        renamed = any(item.key in known and known[item.key][1] != item.link for item in taken.items)
        if cut_out and (taken.shared or not taken.sound or renamed):
            # A feed that writes one key into all its entries, perhaps: told apart only side by side. And in a document
            # that is ill-formed an entry may read otherwise without its neighbours.
            return await self._read(feed, state, response, body_hash, whole=True)
        if last_ok is not None:
            taken, known = self._recognised(feed, state, taken, known)
        new, changed = await self._judged(feed, taken, known)
        total = piece.total if piece else len(taken.items)
        # What was only edited tells nothing new of the feed's dates.
        odd = None if cut_out and not new else taken.odd
        if not odd and politeness.clock_is_off(response.headers, now):
            odd = "clock"
        hashes, overlap = piece.hashes if piece else b"", cut_out or bool(known)
        look = _look(state, taken, hashes, entries=total, new=len(new), overlap=overlap, odd=odd)
        after = politeness.after_success(
            state, feed, response, now, body_hash=body_hash, look=look, manners=self._settings.manners
        )
        rules = self._hands().rules_key if new or changed else ""
        self._store.save_poll(after, new, changed, rules)
        return Outcome(
            feed,
            "ok",
            entries=total,
            new=len(new),
            changed=len(changed),
            hits=sum(judged.verdict.covered for judged in new),
            seconds=response.seconds,
        )

    def _recognised(
        self, feed: Feed, state: FeedState, taken: Taken, known: dict[str, tuple[str, str]]
    ) -> tuple[Taken, dict[str, tuple[str, str]]]:
        """Find again under the name that it was stored by what now goes by another, and say what of all is known.

        An entry of a feed that writes one key into all of them is `key` while it is alone and `key link` beside others.
        One that changed its id and nothing else is stored by the new one too, but it is no news.
        """
        from monitor.store import fingerprint, without_scheme

        strange = [item for item in taken.items if item.link and known.get(item.key, ("", ""))[1] != item.link]
        if not strange:
            return taken, known
        others = {item.key: _other_name(item) for item in strange}
        known = known | self._store.known(feed.url, list(others.values()))
        # A single entry after a document of such a feed is the next one, not another edit of the first.
        single = state.seen is None and len(taken.items) == 1
        names = {
            item.key: others[item.key]
            for item in strange
            if known.get(others[item.key], ("", ""))[1] == item.link or (single and item.key in known)
        }
        same = self._store.known_by_link(feed.url, [item.link for item in strange])

        def fit(item: Item) -> Item:
            if item.key in names:
                item = replace(item, key=names[item.key])
            old = item.key not in known and (without_scheme(item.link), fingerprint(item)) in same
            return replace(item, backlog=True) if old else item

        items = tuple(map(fit, taken.items))
        judged = tuple(replace(one, item=fit(one.item)) for one in taken.judged)
        return replace(taken, items=items, judged=judged), known

    async def _judged(
        self, feed: Feed, taken: Taken, known: dict[str, tuple[str, str]]
    ) -> tuple[list[Judged], list[Judged]]:
        """Return what was never seen, and what was seen with other words, judged."""
        from monitor.store import fingerprint

        def differs(item: Item) -> bool:
            return item.key not in known or known[item.key][0] != fingerprint(item)

        # Of several versions of one entry in one document the first counts.
        if taken.judged or not taken.items:
            first = {one.item.key: one for one in reversed(taken.judged)}
            judged = [one for one in reversed(first.values()) if differs(one.item)]
        else:
            alone = {item.key: item for item in reversed(taken.items)}
            items = await self._with_pages(feed, [item for item in reversed(alone.values()) if differs(item)])
            judged = self._hands().judge(items)
        return [one for one in judged if one.item.key not in known], [one for one in judged if one.item.key in known]

    async def _with_pages(self, feed: Feed, items: list[Item]) -> list[Item]:
        """Read the pages of items that may be news; the others keep what the feed says of them."""
        from monitor.articles import read_pages

        old = self._store.archived(feed.url, [item.key for item in items])
        wanted = {item.key: item.link for item in items if item.link and not item.backlog and item.key not in old}
        texts = await read_pages(self._fetcher, feed, list(wanted.values()))
        # A page that cannot be read again still says what it said.
        before = self._store.texts(feed.url, [item.key for item in items])
        return [
            replace(item, text=texts.get(wanted.get(item.key, ""), "") or before.get(item.key, "")) for item in items
        ]

    def _unchanged(
        self,
        feed: Feed,
        state: FeedState,
        response: NotModified | Fetched,
        body_hash: str = "",
        look: politeness.Look | None = None,
    ) -> Outcome:
        self._store.save_poll(
            politeness.after_success(
                state,
                feed,
                response,
                self._clock(),
                body_hash=body_hash,
                look=look,
                manners=self._settings.manners,
            )
        )
        return Outcome(feed, "unchanged", entries=look.entries if look else 0, seconds=response.seconds)

    def _failed(self, feed: Feed, state: FeedState, failure: Failure) -> Outcome:
        self._store.save_poll(politeness.after_failure(state, feed, failure, self._clock(), self._settings.manners))
        return Outcome(feed, "failed", reason=failure.reason, seconds=failure.seconds, trouble=str(failure.trouble))


def _other_name(item: Item) -> str:
    """Return `key link` for `key`, and `key` for `key link`."""
    link = f" {item.link}"
    return item.key.removesuffix(link) if item.key.endswith(link) else item.key + link


def _look(
    state: FeedState, taken: Taken, hashes: bytes, *, entries: int, new: int, overlap: bool, odd: str | None
) -> politeness.Look:
    """Say what a document showed; `overlap`: something in it was known.

    Entries were missed when nothing in it is known and all of it is later than the latest entry before: a window that
    moved on. An entry that was withdrawn leaves its elders in the feed.
    """
    dated = [item for item in taken.items if item.dated]
    latest = max(dated, key=lambda item: item.published, default=None)
    earliest = min((item.published for item in dated), default=None)
    moved_on = state.newest is None or earliest is None or earliest > state.newest
    return politeness.Look(
        title=taken.title,
        # A single entry does not tell whether the next one will share its key.
        seen=None if taken.shared or (state.seen is None and len(taken.items) < 2) else hashes if taken.sound else b"",
        entries=entries,
        new=new,
        newest=latest.published if latest else None,
        newest_key=latest.key if latest else taken.items[0].key if taken.items else "",
        gap=entries >= WINDOW and bool(state.newest_key) and not overlap and moved_on,
        odd=odd,
        hints=taken.hints,
    )
