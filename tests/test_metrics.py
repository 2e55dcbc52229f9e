"""What Prometheus and whoever asks /healthz are told, over real HTTP."""

from __future__ import annotations

import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor import checkup, config, press, serve, worker
from monitor.checkup import Reading
from monitor.digest.mail import FileSender
from monitor.environment import metrics_host, metrics_port
from monitor.errors import ConfigError, MonitorError
from monitor.feeds.condition import STATES
from monitor.health import NAMES, Finding
from monitor.locks import hold
from monitor.metrics import Metrics
from monitor.model import Feed, Outcome, State
from monitor.schedule import Office, Runner
from monitor.store import Store
from tests.builders import ROOT, TEMPLATES, config_text, feed_document
from tests.feedserver import FeedServer
from tests.test_schedule import running

NEWS = "Microsoft halts a data centre that OpenAI wanted"
HOUR = timedelta(hours=1)
Pages = Callable[[str], tuple[int, str]]


@contextmanager
def served(metrics: Metrics, read: Callable[[], Reading] = Reading) -> Iterator[Pages]:
    """Serve on a free port; yield what asks for a page and returns status and text."""
    server = serve.serve(metrics, read, "127.0.0.1", 0)

    def ask(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            with closing(e):
                return e.code, e.read().decode()

    ask.port = server.server_port  # type: ignore[attr-defined]
    try:
        yield ask
    finally:
        server.shutdown()
        server.server_close()


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Read the format as Prometheus does."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def guide_names() -> set[str]:
    """Every name in the table of docs/operations.md."""
    section = (ROOT / "docs" / "operations.md").read_text("utf-8").split("## Metrics")[1].split("\n## ")[0]
    return set(re.findall(r"`((?:monitor|process)_[a-z_]+)`", section)) - {"process_"}


def test_polls_failures_and_states_are_served_as_the_guide_says() -> None:
    """With what was counted."""
    metrics = Metrics()
    metrics.polled([Outcome(Feed("u"), "ok", new=3, hits=1), Outcome(Feed("v"), "failed", trouble="page")], 2.5)
    metrics.feeds(["ok", "page", "page"])
    metrics.made(0.2)
    metrics.sent([State.SENT, State.SENT, State.REFUSED], 1.0)
    with served(metrics) as ask:
        status, text = ask("/metrics")
    assert status == 200
    for line in (
        'monitor_polls_total{result="ok"} 1.0',
        'monitor_polls_total{result="unchanged"} 0.0',
        'monitor_failures_total{trouble="page"} 1.0',
        "monitor_items_total 3.0",
        "monitor_hits_total 1.0",
        'monitor_feeds{state="page"} 2.0',
        'monitor_feeds{state="gap"} 0.0',
        "monitor_poll_seconds_count 1.0",
        "monitor_fetch_seconds_count 2.0",
        "monitor_digest_seconds_count 1.0",
        "monitor_delivery_seconds_count 1.0",
        'monitor_delivery_attempts_total{state="sent"} 2.0',
        'monitor_delivery_attempts_total{state="refused"} 1.0',
        'monitor_delivery_attempts_total{state="pending"} 0.0',
    ):
        assert line in text
    assert set(re.findall(r'monitor_feeds\{state="(\w+)"\}', text)) == set(STATES)


@pytest.fixture
def worked(tmp_path: Path) -> Iterator[tuple[Path, Path, datetime]]:
    """A feeds.yaml and a data folder in which a runner has polled and mailed an edition, by a clock of its own."""
    file, data = tmp_path / "feeds.yaml", tmp_path / "data"
    now = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
    with FeedServer() as server:
        server.put("/one.xml", feed_document([NEWS, "Microsoft and OpenAI on AGI"], now - HOUR))
        file.write_text(config_text([server.url("/one.xml")]))
        desk = press.Desk(TEMPLATES, "m@example.test")
        office = Office(file, data, desk, lambda: FileSender(data / "outbox"), lambda: now, metrics=Metrics())
        with Store(office.database) as store:
            worker.meet_digests(config.load(file), store, now)
        runner = Runner(office, config.load(file))
        runner.poll()
        now += 12 * HOUR
        runner.poll()
        runner.editions()
        yield file, data, now


def test_what_is_stored_is_read_when_it_is_asked_for(worked: tuple[Path, Path, datetime]) -> None:
    """Stories, mails, times and sizes; every name of the guide is served, and every name served is in the guide."""
    file, data, now = worked
    with hold(data, "worker"):
        reading = checkup.read(file, data, now)
        metrics = Metrics(lambda: reading)
        with served(metrics) as ask:
            text = ask("/metrics")[1]
    found = samples(text)

    def value(name: str, **labels: str) -> float:
        return found[name, frozenset(labels.items())]

    assert value("monitor_healthy") == 1
    assert {dict(labels)["about"] for name, labels in found if name == "monitor_health_problems"} == set(NAMES)
    assert value("monitor_stored_items") == 2
    assert value("monitor_stored_hits", theme="compute") == 1
    assert value("monitor_stored_hits", theme="agi") == 1
    assert value("monitor_stored_stories", digest="morning", kind="new") == 2
    assert value("monitor_stored_editions", digest="morning") == 1
    assert value("monitor_stored_mails", digest="morning") == 1
    assert value("monitor_deliveries", state="sent") == 1
    assert value("monitor_deliveries", state="refused") == 0
    assert value("monitor_last_success_timestamp_seconds", job="poll") == now.timestamp()
    assert value("monitor_last_edition_timestamp_seconds", digest="morning") == now.timestamp()
    following = datetime(2026, 11, 25, 7, 30, tzinfo=UTC)
    assert value("monitor_next_edition_timestamp_seconds", digest="morning") == following.timestamp()
    assert value("monitor_last_delivery_timestamp_seconds") == now.timestamp()
    assert value("monitor_database_bytes", file="main") == (data / "monitor.db").stat().st_size
    assert value("monitor_disk_free_bytes") > 0
    families = {family.name for family in text_string_to_metric_families(text)}
    documented = {name.removesuffix("_total").removesuffix("_info") for name in guide_names()}
    served_names = {name.removesuffix("_info") for name in families if name.startswith("monitor_")}
    assert {name for name in served_names if not name.endswith("_created")} == {
        name for name in documented if name.startswith("monitor_")
    }
    assert {name for name in documented if name.startswith("process_")} <= families


def test_what_cannot_be_read_is_left_out_and_told(worked: tuple[Path, Path, datetime]) -> None:
    """Numbers of a database that is damaged would be made up."""
    file, data, now = worked
    for path in data.glob("monitor.db*"):
        path.write_bytes(b"not a database" * 1000)
    with hold(data, "worker"):
        found = samples(Metrics(lambda: checkup.read(file, data, now)).text().decode())
    assert found["monitor_health_problems", frozenset({("about", "database")})] == 1
    assert found["monitor_healthy", frozenset()] == 0
    assert not [name for name, _ in found if name.startswith("monitor_stored")]


def test_healthz_says_what_monitor_health_says(worked: tuple[Path, Path, datetime]) -> None:
    """200 and ok, or 503 with its lines; remarks fail nothing. It is looked up once for all who ask at once."""
    file, data, now = worked
    asked: list[Reading] = []
    load = checkup.remembering()

    def read() -> Reading:
        asked.append(checkup.read(file, data, now, load))
        return asked[-1]

    with ExitStack() as work:
        work.enter_context(hold(data, "worker"))
        with served(Metrics(), serve.Fresh(read)) as ask:
            assert ask("/healthz") == (200, "ok\n")
            assert [ask("/healthz"), ask("/healthz?x")] == [(200, "ok\n")] * 2
        assert len(asked) == 1
        with Store(data / "monitor.db") as store:
            store.note("templates", "story.html:1: broken", now)
        with served(Metrics(), read) as ask:
            assert ask("/healthz") == (200, "ok\n")
            assert asked[-1].findings[0].line.startswith("templates: story.html:1: broken: ")
    with served(Metrics(), read) as ask:
        status, text = ask("/healthz")
    assert status == 503
    problems = [one.line for one in checkup.examine(file, data, now) if one.grave]
    assert text.splitlines() == problems
    assert text.startswith("worker: none is running")


def test_feeds_yaml_is_read_again_only_when_it_was_edited(worked: tuple[Path, Path, datetime]) -> None:
    """A worker is asked four times a minute."""
    file, data, _ = worked
    load = checkup.remembering()
    first = load(file, data)
    assert load(file, data) is first
    file.write_text(file.read_text().replace("[AGI]", "[ASI]"))
    assert load(file, data).fingerprint != first.fingerprint
    file.write_text("themes: [")
    with pytest.raises(ConfigError):
        load(file, data)


def test_the_first_page_names_the_others() -> None:
    """And what is not there is not found; nothing is said of what was asked for."""
    with served(Metrics()) as ask:
        status, page = ask("/")
        assert status == 200
        assert "/healthz" in page
        assert "/metrics" in page
        assert ask("/<script>") == (404, "there is / and no such page\n")


def test_a_page_that_cannot_be_made_is_an_error_and_the_next_is_answered() -> None:
    """A bug in looking must not end the thread that answers."""

    def broken() -> Reading:
        raise ZeroDivisionError

    with served(Metrics(), broken) as ask:
        assert ask("/healthz") == (500, "it cannot be told\n")
        assert ask("/")[0] == 200


def test_those_who_ask_slowly_keep_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who says nothing is hung up on, who comes when all places are taken is sent away, and then others are heard."""
    monkeypatch.setattr(serve, "PATIENCE", 1.0)
    with served(Metrics()) as ask, ExitStack() as held:
        where = ("127.0.0.1", ask.port)  # type: ignore[attr-defined]
        slow = [held.enter_context(socket.create_connection(where)) for _ in range(serve.AT_ONCE)]
        for number, one in enumerate(slow):
            one.sendall(b"GET /hea" if number % 2 else b"G")
        time.sleep(0)  # they are taken in the order in which they came
        late = held.enter_context(socket.create_connection(where))
        late.settimeout(30)
        assert late.recv(100) == b""
        for one in slow:
            one.settimeout(30)
            assert one.recv(100) == b""
        deadline = threading.Event()
        while not deadline.wait(0.05):
            try:
                assert ask("/healthz") == (200, "ok\n")
                break
            except (OSError, urllib.error.URLError):
                continue


def test_a_worker_answers_and_ends_in_time_whoever_holds_the_line(tmp_path: Path) -> None:
    """The real process: its pages, and SIGTERM while somebody asks and never listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with FeedServer() as server:
        server.put("/one.xml", feed_document([NEWS], datetime.now(UTC) - HOUR))
        (tmp_path / "feeds.yaml").write_text(config_text([server.url("/one.xml")]))
        environ = {"MONITOR_METRICS_PORT": str(port), "MONITOR_METRICS_HOST": "127.0.0.1"}
        with running(tmp_path / "feeds.yaml", tmp_path / "data", **environ) as started, ExitStack() as held:
            started.wait_for('"polled"')
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as answer:
                assert answer.read() == b"ok\n"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                found = samples(answer.read().decode())
            for _ in range(3):
                held.enter_context(socket.create_connection(("127.0.0.1", port))).sendall(b"GET /metrics HTTP/1.1\r\n")
            status, seconds = started.end()
    assert found["monitor_hits_total", frozenset()] == 1
    assert found["monitor_feeds", frozenset({("state", "ok")})] == 1
    assert found["monitor_stored_items", frozenset()] == 1
    assert status == 0
    assert seconds < 10


def test_health_problems_are_counted_by_what_they_are_about() -> None:
    """Remarks apart."""
    reading = Reading([Finding("disk", "disk: x: y"), Finding("clock", "clock: x: y", grave=False)])
    found = samples(Metrics(lambda: reading).text().decode())
    assert found["monitor_health_problems", frozenset({("about", "disk")})] == 1
    assert found["monitor_health_problems", frozenset({("about", "clock")})] == 0
    assert found["monitor_health_remarks", frozenset({("about", "clock")})] == 1


def test_a_port_in_use_is_named() -> None:
    """In one line, with the variable; so is an address that is not this machine's."""
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        with pytest.raises(MonitorError, match=r"MONITOR_METRICS_PORT: port \d+ cannot be used"):
            serve.serve(Metrics(), Reading, "", taken.getsockname()[1])
    with pytest.raises(MonitorError, match=r"MONITOR_METRICS_PORT: port 9187 of 192\.0\.2\.1 cannot be used"):
        serve.serve(Metrics(), Reading, "192.0.2.1", 9187)


@pytest.mark.parametrize(("text", "port"), [("", None), (" 9464 ", 9464)])
def test_a_port_is_read_from_the_environment(text: str, port: int | None) -> None:
    """Nothing is served without one."""
    assert metrics_port({"MONITOR_METRICS_PORT": text}) == port
    assert metrics_port({}) is None
    assert metrics_host({"MONITOR_METRICS_HOST": " [::1] "}) == "::1"
    assert metrics_host({}) == ""


@pytest.mark.parametrize("text", ["abc", "0", "70000", "-1", "1.5"])
def test_what_is_no_port_is_named(text: str) -> None:
    """With the variable."""
    with pytest.raises(ConfigError, match=r"MONITOR_METRICS_PORT: .* is not a port"):
        metrics_port({"MONITOR_METRICS_PORT": text})
