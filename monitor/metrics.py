"""What the worker counts, for Prometheus (the text format of its client library).

What a worker does is counted as it does it; what is stored is read from the database when it is asked for, so that it
is true also while jobs are stuck. docs/operations.md lists all names.
"""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Gauge, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client import Counter as Count
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor import __version__
from monitor.checkup import Reading
from monitor.feeds.condition import STATES
from monitor.health import NAMES
from monitor.model import Figures, Outcome, State

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)


class Metrics:
    """The numbers of one worker."""

    def __init__(self, read: Callable[[], Reading] = Reading) -> None:
        """Ask `read` for what is stored, whenever somebody asks for the numbers."""
        self.registry = CollectorRegistry()
        self._polls = Count(
            "monitor_polls", "Answers of feeds, by what came of them.", ["result"], registry=self.registry
        )
        self._failures = Count(
            "monitor_failures", "Failures of feeds, by their kind.", ["trouble"], registry=self.registry
        )
        self._items = Count("monitor_items", "New items.", registry=self.registry)
        self._hits = Count("monitor_hits", "New items that are hits.", registry=self.registry)
        self._feeds = Gauge("monitor_feeds", "Feeds, by their state.", ["state"], registry=self.registry)
        self._round = self._histogram("monitor_poll_seconds", "How long a round of polling took.")
        self._fetch = self._histogram("monitor_fetch_seconds", "How long one feed took to answer.")
        self._digest = self._histogram("monitor_digest_seconds", "How long it took to make an edition.")
        self._sending = self._histogram("monitor_delivery_seconds", "How long it took to send the mails that were due.")
        self._attempts = Count(
            "monitor_delivery_attempts", "Attempts to send a mail, by what came of them.", ["state"],
            registry=self.registry,
        )  # fmt: skip
        for result in ("ok", "unchanged", "failed"):
            self._polls.labels(result)
        for state in (State.SENT, State.PENDING, State.UNKNOWN, State.REFUSED):
            self._attempts.labels(str(state))
        Info("monitor_build", "The program that runs.", registry=self.registry).info(
            {"version": __version__, "python": platform.python_version()}
        )
        ProcessCollector(registry=self.registry)
        self.registry.register(_Stored(read))

    def _histogram(self, name: str, what: str) -> Histogram:
        return Histogram(name, what, buckets=_SECONDS, registry=self.registry)

    def polled(self, outcomes: Iterable[Outcome], seconds: float) -> None:
        """Count one round of polling."""
        for outcome in outcomes:
            self._polls.labels(outcome.result).inc()
            if outcome.trouble:
                self._failures.labels(outcome.trouble).inc()
            self._items.inc(outcome.new)
            self._hits.inc(outcome.hits)
            self._fetch.observe(outcome.seconds)
        self._round.observe(seconds)

    def feeds(self, states: Sequence[str]) -> None:
        """Say in which states the feeds are, as `monitor feeds list` names them."""
        counts = Counter(states)
        for state in STATES:
            self._feeds.labels(state).set(counts[state])

    def made(self, seconds: float) -> None:
        """Count an edition."""
        self._digest.observe(seconds)

    def sent(self, states: Sequence[State], seconds: float) -> None:
        """Count one round of sending, by what came of each attempt."""
        for state in states:
            self._attempts.labels(str(state)).inc()
        if states:
            self._sending.observe(seconds)

    def text(self) -> bytes:
        """Return all numbers, as Prometheus reads them."""
        return generate_latest(self.registry)


class _Stored(Collector):
    """What stands in the database and on the disk, and how the worker is."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read

    def describe(self) -> Iterator[Metric]:
        """Name nothing: it would be read only to be registered."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Read, and return it."""
        began = time.monotonic()
        reading = self._read()
        yield from self._health(reading)
        yield from self._jobs(reading)
        if reading.figures:
            yield from self._figures(reading.figures)
        yield _by("monitor_database_bytes", "Bytes of the database, and of its log.", "file",
                  {"main": reading.database, "log": reading.log})  # fmt: skip
        if reading.free is not None:
            yield GaugeMetricFamily("monitor_disk_free_bytes", "Bytes free for the data folder.", value=reading.free)
        took = time.monotonic() - began
        yield GaugeMetricFamily("monitor_reading_seconds", "How long it took to read what is stored.", value=took)

    def _health(self, reading: Reading) -> Iterator[Metric]:
        problems = Counter(one.name for one in reading.findings if one.grave)
        remarks = Counter(one.name for one in reading.findings if not one.grave)
        yield GaugeMetricFamily(
            "monitor_healthy", "1 while `monitor health` finds no problem.", value=float(not problems)
        )
        yield _by("monitor_health_problems", "Problems that `monitor health` finds, by what they are about.", "about",
                  {name: problems[name] for name in NAMES})  # fmt: skip
        yield _by("monitor_health_remarks", "Remarks of `monitor health`, by what they are about.", "about",
                  {name: remarks[name] for name in NAMES})  # fmt: skip

    def _jobs(self, reading: Reading) -> Iterator[Metric]:
        succeeded = {name: run.succeeded.timestamp() for name, run in reading.jobs.items() if run.succeeded}
        started = {name: run.started.timestamp() for name, run in reading.jobs.items() if run.started}
        yield _by("monitor_last_success_timestamp_seconds", "When a job last went well.", "job", succeeded)
        yield _by("monitor_last_start_timestamp_seconds", "When a job last began.", "job", started)
        for name, what, times in (
            ("monitor_last_edition_timestamp_seconds", "Until when a digest has told.", reading.last_editions),
            ("monitor_next_edition_timestamp_seconds", "When a digest is due next.", reading.next_editions),
        ):
            yield _by(name, what, "digest", {digest: at.timestamp() for digest, at in times.items()})

    def _figures(self, figures: Figures) -> Iterator[Metric]:
        yield GaugeMetricFamily("monitor_stored_items", "Items in the database.", value=figures.items)
        yield _by("monitor_stored_hits", "Hits in the database, by theme.", "theme", figures.hits)
        yield _by("monitor_deliveries", "Mails in the database, by the state of their delivery.", "state",
                  {str(state): figures.deliveries.get(state, 0) for state in State})  # fmt: skip
        stories = GaugeMetricFamily(
            "monitor_stored_stories", "Stories told, new ones and updates.", labels=["digest", "kind"]
        )
        for kind, counts in (("new", figures.stories), ("update", figures.updates)):
            for digest, count in counts.items():
                stories.add_metric([digest, kind], count)
        yield stories
        yield _by("monitor_stored_editions", "Editions made, with mails or without.", "digest", figures.editions)
        yield _by(
            "monitor_stored_mails", "Mails made, without those that a later one took over.", "digest", figures.mails
        )
        if figures.last_delivery:
            yield GaugeMetricFamily(
                "monitor_last_delivery_timestamp_seconds",
                "When a mail was last delivered.",
                value=figures.last_delivery.timestamp(),
            )


def _by(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, what, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
