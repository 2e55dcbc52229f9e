"""What Prometheus is told, over real HTTP."""

from __future__ import annotations

import re
import socket
import urllib.request

import pytest

from monitor.environment import metrics_port
from monitor.errors import ConfigError, MonitorError
from monitor.feeds.condition import STATES
from monitor.metrics import Metrics
from monitor.model import Feed, Outcome
from tests.builders import ROOT


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_polls_failures_and_states_are_served_as_the_guide_says() -> None:
    """Every name that docs/feeds.md has, with what was counted."""
    metrics, port = Metrics(), free_port()
    metrics.polled([Outcome(Feed("u"), "ok", new=3, hits=1), Outcome(Feed("v"), "failed", trouble="page")], 2.5)
    metrics.feeds(["ok", "page", "page"])
    metrics.serve(port)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    for line in (
        'monitor_polls_total{result="ok"} 1.0',
        'monitor_polls_total{result="unchanged"} 0.0',
        'monitor_failures_total{trouble="page"} 1.0',
        "monitor_items_total 3.0",
        "monitor_hits_total 1.0",
        'monitor_feeds{state="page"} 2.0',
        'monitor_feeds{state="gap"} 0.0',
        "monitor_poll_seconds_count 1.0",
    ):
        assert line in text
    guide = (ROOT / "docs" / "feeds.md").read_text("utf-8")
    for name in set(re.findall(r"`(monitor_\w+)`", guide)):
        assert name in text, name
    assert set(re.findall(r'monitor_feeds\{state="(\w+)"\}', text)) == set(STATES)


def test_a_port_in_use_is_named() -> None:
    """In one line, with the variable."""
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        with pytest.raises(MonitorError, match=r"MONITOR_METRICS_PORT: port \d+ cannot be used"):
            Metrics().serve(taken.getsockname()[1])


@pytest.mark.parametrize(("text", "port"), [("", None), (" 9464 ", 9464)])
def test_a_port_is_read_from_the_environment(text: str, port: int | None) -> None:
    """Nothing is served without one."""
    assert metrics_port({"MONITOR_METRICS_PORT": text}) == port
    assert metrics_port({}) is None


@pytest.mark.parametrize("text", ["abc", "0", "70000", "-1", "1.5"])
def test_what_is_no_port_is_named(text: str) -> None:
    """With the variable."""
    with pytest.raises(ConfigError, match=r"MONITOR_METRICS_PORT: .* is not a port"):
        metrics_port({"MONITOR_METRICS_PORT": text})
