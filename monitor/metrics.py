"""What the worker counts, for Prometheus (the text format of its client library); served on MONITOR_METRICS_PORT."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Gauge, Histogram, start_http_server
from prometheus_client import Counter as Count

from monitor.errors import MonitorError
from monitor.feeds.condition import STATES
from monitor.model import Outcome


class Metrics:
    """The numbers of one worker."""

    def __init__(self) -> None:
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
        self._round = Histogram(
            "monitor_poll_seconds",
            "How long a round of polling took.",
            buckets=(0.5, 1, 2, 5, 10, 30, 60, 120, 300),
            registry=self.registry,
        )
        for result in ("ok", "unchanged", "failed"):
            self._polls.labels(result)

    def polled(self, outcomes: Iterable[Outcome], seconds: float) -> None:
        """Count one round of polling."""
        for outcome in outcomes:
            self._polls.labels(outcome.result).inc()
            if outcome.trouble:
                self._failures.labels(outcome.trouble).inc()
            self._items.inc(outcome.new)
            self._hits.inc(outcome.hits)
        self._round.observe(seconds)

    def feeds(self, states: Sequence[str]) -> None:
        """Say in which states the feeds are, as `monitor feeds list` names them."""
        counts = Counter(states)
        for state in STATES:
            self._feeds.labels(state).set(counts[state])

    def serve(self, port: int) -> None:
        """Answer on a port, in a thread of its own, until the process ends.

        Raises:
            MonitorError: the port cannot be used.
        """
        try:
            start_http_server(port, registry=self.registry)
        except OSError as e:
            raise MonitorError(f"MONITOR_METRICS_PORT: port {port} cannot be used: {e.strerror}") from e
