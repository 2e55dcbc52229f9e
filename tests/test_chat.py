"""The same edition in chats, through Apprise and a real web hook on loopback."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from monitor import config, environment, worker
from monitor.cli import app
from monitor.digest.chat import ChatSender, fitted, installed
from monitor.digest.message import compose
from monitor.digest.post import Post
from monitor.errors import ConfigError
from monitor.model import CHANNEL, DigestPlan, Message, Receipt, Rendered, State
from tests.builders import Taker, config_text
from tests.test_merging import ALICE, BOB, DAY, DOWN, World, links_of

TOKEN = "xoxb-very-secret-token"
# One of Apprise's services tries what Python 3.13 has no more.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
needs_apprise = pytest.mark.skipif(not installed(), reason="the extra `apprise` is not installed")


class Hook:
    """A web hook: keeps what is posted, answers with `status` and `body`, after `pause` seconds or never at all."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []
        self.status, self.body, self.hangs, self.drops = 200, b"ok", False, False
        self.ended = threading.Event()

    def __enter__(self) -> Self:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                if hook.hangs:
                    hook.ended.wait(30)
                if hook.hangs or hook.drops:
                    self.close_connection = True
                    return
                self.send_response(hook.status)
                self.send_header("Content-Length", str(len(hook.body)))
                self.end_headers()
                self.wfile.write(hook.body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    @property
    def address(self) -> str:
        """Apprise's address of it."""
        return f"json://127.0.0.1:{self.server.server_address[1]}/{TOKEN}"


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A web hook that takes everything."""
    with Hook() as made:
        yield made


def a_message(text: str = "One story & <more>\nhttps://example.com/1/\n", channel: str = "team") -> Message:
    """A frozen message for a channel."""
    made = compose(
        Rendered("Microsoft & OpenAI | 24 Nov", text, '<html lang="en"><p>page</p></html>'),
        plan=DigestPlan("morning", (), "30 7 * * *"),
        recipient=f"{channel}@channel.invalid",
        sender="Monitor <monitor@example.test>",
        message_id="<one@example.test>",
        date=datetime(2026, 11, 24, tzinfo=UTC),
        owner="",
    )
    return Message(made.message_id, made.sender, f"{CHANNEL}{channel}", made.subject, made.raw)


# ---------------------------------------------------------------- a service


@needs_apprise
def test_a_channel_gets_subject_and_text_of_the_frozen_message(hook: Hook) -> None:
    """What readers of the mail read, as it is."""
    receipt = ChatSender({"team": hook.address})(a_message())
    assert receipt == Receipt(State.SENT, "the service has taken it")
    [posted] = hook.posted
    assert posted["title"] == "Microsoft & OpenAI | 24 Nov"
    assert posted["message"] == "One story & <more>\nhttps://example.com/1/"


@needs_apprise
@pytest.mark.parametrize(
    ("status", "state", "content"),
    [
        (204, State.SENT, False),
        (400, State.REFUSED, False),
        (401, State.REFUSED, False),
        (404, State.REFUSED, False),
        (413, State.REFUSED, True),
        (429, State.PENDING, False),
        (500, State.PENDING, False),
        (503, State.PENDING, False),
        (504, State.UNKNOWN, False),
    ],
)
def test_the_services_answer_decides(hook: Hook, status: int, state: State, content: bool) -> None:
    """A token that is refused may be mended; a service that is busy is asked again; 504 tells nothing."""
    hook.status, hook.body = status, b"" if status == 204 else b"channel_not_found for xoxb-very-secret-token"
    receipt = ChatSender({"team": hook.address})(a_message())
    assert (receipt.state, receipt.content) == (state, content)
    if state is not State.SENT:
        assert f"HTTP {status}" in receipt.detail
        assert "channel_not_found" in receipt.detail, "the service's own words are the reason"
        assert TOKEN not in receipt.detail


@needs_apprise
def test_a_service_that_falls_silent_may_have_it(hook: Hook) -> None:
    """A time-out after the request is out, or a connection that is cut: nobody knows."""
    hook.hangs = True
    assert ChatSender({"team": f"{hook.address}?rto=0.3"})(a_message()).state is State.UNKNOWN
    hook.hangs, hook.drops = False, True
    receipt = ChatSender({"team": hook.address})(a_message())
    assert receipt.state is State.UNKNOWN
    assert receipt.detail == "the service may have it: the connection was lost before its answer"
    assert len(hook.posted) == 2


@needs_apprise
def test_a_service_that_is_not_there_has_nothing() -> None:
    """Certain, so it is tried again and told in the next edition at the latest."""
    with Hook() as gone:
        address = gone.address
    receipt = ChatSender({"team": address})(a_message())
    assert receipt == Receipt(State.PENDING, "the service cannot be reached: connection refused")


@needs_apprise
@pytest.mark.parametrize("address", [f"discord://{TOKEN}", f"nothing://{TOKEN}/x", f"tgram://{TOKEN}"])
def test_an_address_that_is_not_understood_is_never_shown(
    address: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """It holds a token: neither the words nor any log have it."""
    caplog.set_level(logging.DEBUG)
    receipt = ChatSender({"team": address})(a_message())
    assert receipt.state is State.PENDING
    kind = address.partition("://")[0]
    assert f"Apprise does not understand the address ({kind}://…)" in receipt.detail
    heard = receipt.detail + caplog.text + "".join(capfd.readouterr())
    assert TOKEN not in heard
    assert "very-secret" not in heard


@needs_apprise
def test_nothing_that_apprise_logs_reaches_the_logs(
    hook: Hook, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """At its debug level it writes whole addresses and texts."""
    caplog.set_level(logging.DEBUG)
    hook.status = 500
    ChatSender({"team": hook.address})(a_message())
    assert TOKEN not in caplog.text + "".join(capfd.readouterr())
    assert logging.getLogger("apprise").propagate


@needs_apprise
def test_a_long_text_is_cut_to_what_the_service_takes(hook: Hook) -> None:
    """Whole stories, and how many more."""
    story = "Headline number {n}\nhttps://example.com/{n}/\nOutlet, 24 Nov | #{n}\n\n" + "Summary. " * 39 + "Summary."
    assert ChatSender({"team": hook.address})(a_message("\n\n".join(story.format(n=n) for n in range(1, 300)))).state
    said = hook.posted[0]["message"]
    assert len(said.encode()) < 32_768
    shown = said.count("Headline number")
    assert said.endswith(f"Summary.\n\n+{299 - shown} more stories, not shown here")


@pytest.mark.skipif(installed(), reason="the extra `apprise` is installed")
def test_without_the_extra_the_message_waits_and_says_how_to_get_it() -> None:
    """Mail goes out meanwhile."""
    down = ChatSender({"team": "json://127.0.0.1"}).open(f"{CHANNEL}team")
    assert down is not None
    assert down.state is State.PENDING
    assert "Apprise is not installed: make apprise" in down.detail


def test_a_channel_that_is_not_in_the_file_is_named_with_those_that_are() -> None:
    """A typing error is seen at once."""
    down = ChatSender({"team": "json://x", "board": "json://y"}).open(f"{CHANNEL}taem")
    assert down is not None
    assert (
        down.detail == "no channel is called 'taem' in the file that MONITOR_CHANNELS_FILE names; there is: board, team"
    )


# ---------------------------------------------------------------- the text


@given(
    stories=st.lists(st.integers(1, 400), min_size=1, max_size=12),
    most=st.integers(60, 3000),
    word=st.sampled_from(["news ", "消息"]),
    language=st.sampled_from(["en", "zh"]),
)
def test_a_cut_text_has_room_and_counts_what_is_left_out(
    stories: list[int], most: int, word: str, language: str
) -> None:
    """No story is cut in its middle unless it is the first and has no room itself."""
    blocks = [f"Story {n}\nOutlet | #{n}\n\n{(word * size).strip()} end{n}" for n, size in enumerate(stories, 1)]
    text = "\n\n".join(["Theme\n-----", *blocks])
    said = fitted(text, most, language)
    assert len(said.encode()) <= max(most, 60)
    if said == text:
        return
    whole = [n for n in range(1, len(stories) + 1) if f"end{n}\n" in said]
    assert whole == list(range(1, len(whole) + 1))
    left = len(stories) - len(whole)
    if said.endswith("…"):  # not even the first has room
        assert whole in ([], [1])
    else:
        assert str(left) in said.splitlines()[-1]
        assert f"Story {len(whole) + 1}\n" not in said


def test_no_heading_stands_alone_at_the_end_of_a_cut_text() -> None:
    """A theme without a story under it would say that there is none."""
    story = "Story {n}\nOutlet | #{n}"
    text = "\n\n".join(["Theme\n-----", story.format(n=1), "Other\n-----", story.format(n=2) + "\n\n" + "x" * 200])
    said = fitted(text, 120, "en")
    assert said == "Theme\n-----\n\nStory 1\nOutlet | #1\n\n+1 more story, not shown here"


# ---------------------------------------------------------------- the file of addresses


def test_the_file_of_channels_is_read_by_name(tmp_path: Path) -> None:
    """Comments and blank lines are for people."""
    path = tmp_path / "channels"
    path.write_text("# chats\n\nteam-chat = slack://a/b/c\n  board=json://host/?x=y=z\n")
    read = environment.channels({"MONITOR_CHANNELS_FILE": str(path)})
    assert read == {"team-chat": "slack://a/b/c", "board": "json://host/?x=y=z"}
    assert environment.channels({}) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"slack://{TOKEN}", "channels:1:1: write a name, = and an address of Apprise: team-chat = slack://…"),
        (f"\na = x://{TOKEN}\na = y://{TOKEN}", "channels:3:1: a: a channel of this name stands above"),
        (f"a = {TOKEN}", "channels:1:1: write a name"),
    ],
)
def test_a_mistake_in_it_is_named_by_its_line_and_never_shown(tmp_path: Path, text: str, said: str) -> None:
    """The line holds a token."""
    path = tmp_path / "channels"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        environment.channels({"MONITOR_CHANNELS_FILE": str(path)})
    assert said in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_file_that_is_not_there_is_named() -> None:
    """With the variable that names it."""
    with pytest.raises(ConfigError, match="MONITOR_CHANNELS_FILE: /nowhere/channels: cannot be read"):
        environment.channels({"MONITOR_CHANNELS_FILE": "/nowhere/channels"})


# ---------------------------------------------------------------- beside mail


def test_a_digest_names_its_channels(tmp_path: Path) -> None:
    """Beside `to`."""
    path = tmp_path / "feeds.yaml"
    text = config_text(["https://one.example.com/feed"]).replace('at: "07:30"', 'at: "07:30"\n    channels: [team]')
    path.write_text(text, encoding="utf-8")
    [plan] = config.load(path).digests
    assert plan.channels == ("team",)
    assert plan.recipients == ("you@example.test", "channel:team")


def test_a_channel_has_a_delivery_of_its_own_and_what_it_missed_in_the_next(tmp_path: Path) -> None:
    """A chat that is down holds up no mail, and no reader of the mail reads anything twice."""
    world = World(tmp_path, (ALICE, BOB))
    world.to(channels=("team",))
    first = world.news(1)
    world.edition()
    world.faults = {"channel:team": DOWN}
    chat = Taker()
    assert [state for _, state, _ in worker.deliver(world.store, world, lambda: world.now)] == [
        "sent",
        "sent",
        "pending",
    ]
    world.now += DAY
    second = world.news(2)
    world.edition()
    world.faults = {}
    worker.deliver(world.store, Post(world, chat), lambda: world.now)
    assert world.got(ALICE) == [[first], [second]]
    [message] = chat.taken
    assert message.recipient == "channel:team"
    assert sorted(links_of(message)) == sorted([first, second])
    assert world.states("channel:team") == ["merged", "sent"]
    world.store.close()


@needs_apprise
def test_send_test_tries_a_channel(hook: Hook, tmp_path: Path) -> None:
    """By its name, with what the service said; and a sample of a digest where that is asked for."""
    path, data = tmp_path / "channels", tmp_path / "data"
    path.write_text(f"team = {hook.address}\n")
    feeds = tmp_path / "feeds.yaml"
    feeds.write_text(config_text(["https://one.example.com/feed"]), encoding="utf-8")
    run = CliRunner(env={"MONITOR_CHANNELS_FILE": str(path), "MONITOR_CONFIG": str(feeds), "MONITOR_DATA": str(data)})
    done = run.invoke(app, ["send-test", "team"])
    assert (done.exit_code, done.stdout) == (0, "team: sent: the service has taken it\n")
    assert "This is a test mail" in hook.posted[0]["message"]
    assert run.invoke(app, ["send-test", "team", "--digest", "morning"]).exit_code == 0
    assert "Computing needs" in hook.posted[1]["message"]
    hook.status = 403
    failed = run.invoke(app, ["send-test", "team"])
    assert failed.exit_code == 1
    assert failed.stdout.startswith("team: not sent: refused with HTTP 403")
    assert run.invoke(app, ["send-test", "taem"]).exit_code == 2


def test_what_may_be_a_token_in_an_address_is_hidden_in_logs_and_hosts_are_not() -> None:
    """Whatever a library quotes in what it raises."""
    from monitor.cli_send import _secret_parts

    parts = set(
        _secret_parts([f"slack://T1JJ3T3L2/A1BRTD4JD/{TOKEN}", "jsons://user:hunter2hunter2@hooks.example.org/x"])
    )
    assert {TOKEN, "T1JJ3T3L2", "hunter2hunter2"} <= parts
    assert "hooks.example.org" not in parts
