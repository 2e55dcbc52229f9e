"""Delivery over real SMTP on loopback: what the server may have, and what is said of it."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.digest.mail import GIVE_UP, LONGEST_RETRY, FileSender, SmtpSender, next_attempt
from monitor.digest.message import compose
from monitor.model import Delivery, DigestPlan, Message, Receipt, Rendered, State
from tests.mailserver import PASSWORD, MailServer

NOW = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)


def a_message(recipient: str = "alice@example.test", text: str = "Hello 微软\n.\n..two dots\n") -> Message:
    """A finished mail with lines that begin with dots."""
    return compose(
        Rendered("A subject", text, f"<p>{text}</p>"),
        plan=DigestPlan("morning", (recipient,), "30 7 * * *"),
        recipient=recipient,
        sender="Monitor <monitor@example.test>",
        message_id="<one@example.test>",
        date=NOW,
        owner="",
    )


def secure(server: MailServer, **changes: object) -> SmtpSender:
    """A sender that fits a server with STARTTLS and AUTH."""
    options: dict[str, object] = {"user": "me", "password": PASSWORD, "ca_file": str(server.ca_file), "timeout": 5.0}
    return SmtpSender("localhost", server.port, **{**options, **changes})  # type: ignore[arg-type]


def plain(server: MailServer, timeout: float = 5.0, last_answer: float = 5.0) -> SmtpSender:
    """A sender for a server without TLS."""
    return SmtpSender("127.0.0.1", server.port, security="plain", timeout=timeout, last_answer=last_answer)


def once(send: SmtpSender) -> Receipt:
    """Send one mail and hang up."""
    receipt = send(a_message())
    send.close()
    return receipt


@contextmanager
def listening(answer: bytes) -> Iterator[int]:
    """A port where somebody answers every connection with `answer` and then says nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            taken.append(connection)
            connection.sendall(answer)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for connection in taken:
            connection.close()


def test_a_mail_arrives_byte_for_byte_over_starttls_and_auth(tmp_path: Path) -> None:
    """What was frozen is what the reader gets, dots at line starts included."""
    with MailServer(tmp_path, tls=True) as server:
        send = secure(server)
        receipt = send(a_message())
        send.close()
    assert receipt.state is State.SENT
    assert "250" in receipt.detail
    [(recipient, mail)] = server.received
    assert recipient == "alice@example.test"
    assert mail["Message-ID"] == "<one@example.test>"
    assert [
        line for raw in server.raw for line in raw.splitlines() if not line.startswith(b"X-Peer")
    ] == a_message().raw.splitlines()


def test_several_mails_use_one_connection(tmp_path: Path) -> None:
    """Recipients of one edition do not make one log-in each."""
    with MailServer(tmp_path) as server:
        send = plain(server)
        states = [send(a_message(f"{name}@example.test")).state for name in ("a", "b", "c")]
        send.close()
    assert states == [State.SENT] * 3
    assert server.sessions == 1


def test_a_server_without_starttls_gets_nothing(tmp_path: Path) -> None:
    """There is no falling back to plain text."""
    with MailServer(tmp_path) as server:
        send = SmtpSender("127.0.0.1", server.port, user="me", password=PASSWORD, timeout=5)
        receipt = send(a_message())
    assert receipt.state is State.PENDING
    assert "STARTTLS" in receipt.detail
    assert server.received == []


def test_an_untrusted_certificate_is_named_and_nothing_sent(tmp_path: Path) -> None:
    """Without the server's CA the mail stays in the outbox."""
    with MailServer(tmp_path, tls=True) as server:
        receipt = secure(server, ca_file="")(a_message())
    assert receipt.state is State.PENDING
    assert "certificate is not trusted" in receipt.detail
    assert server.received == []


def test_a_wrong_password_is_named_and_the_mail_kept(tmp_path: Path) -> None:
    """The mail goes out once the password is mended; the password itself is not repeated."""
    with MailServer(tmp_path, tls=True) as server:
        receipt = secure(server, password="wrong-word")(a_message())
    assert receipt.state is State.PENDING
    assert "user name or password was refused" in receipt.detail
    assert "wrong-word" not in receipt.detail


@pytest.mark.parametrize(
    ("step", "answer", "state", "content"),
    [
        ("RCPT", "550 no such user", State.REFUSED, False),
        ("RCPT", "451 try later", State.PENDING, False),
        ("DATA", "554 looks like spam", State.REFUSED, True),
        ("DATA", "554 5.7.1 looks like spam", State.REFUSED, True),
        ("DATA", "552 too big", State.REFUSED, True),
        ("DATA", "552 5.2.3 longer than this mailbox takes", State.REFUSED, True),
        ("DATA", "552 5.2.2 mailbox full", State.REFUSED, False),
        ("DATA", "550 5.1.1 no such user", State.REFUSED, False),
        ("DATA", "451 out of disk", State.PENDING, False),
    ],
)
def test_what_the_server_answers_decides(tmp_path: Path, step: str, answer: str, state: State, content: bool) -> None:
    """5xx is final for this recipient, 4xx is not; what is refused, the mailbox or the message, is told apart."""
    with MailServer(tmp_path, faults={step: lambda _: answer}) as server:
        send = plain(server)
        receipt = send(a_message())
        send.close()
    assert receipt.state is state
    assert receipt.content is content
    assert answer in receipt.detail
    assert server.received == []


def test_one_refused_recipient_does_not_stop_the_next(tmp_path: Path) -> None:
    """The connection goes on after a 550."""
    with MailServer(tmp_path, faults={"RCPT": lambda to: "550 gone" if to.startswith("a") else ""}) as server:
        send = plain(server)
        states = [send(a_message(to)).state for to in ("a@example.test", "b@example.test")]
        send.close()
    assert states == [State.REFUSED, State.SENT]
    assert [to for to, _ in server.received] == ["b@example.test"]


def test_a_connection_lost_after_the_final_dot_is_unknown_and_the_same_mail_goes_again(tmp_path: Path) -> None:
    """RFC 1047: the server may have it; the reader can fold the copy by its Message-ID."""
    with MailServer(tmp_path, drop_after_dot=1) as server:
        send = plain(server)
        first, second = send(a_message()), send(a_message())
        send.close()
    assert [first.state, second.state] == [State.UNKNOWN, State.SENT]
    assert [mail["Message-ID"] for _, mail in server.received] == ["<one@example.test>"] * 2


def test_no_answer_after_the_final_dot_is_unknown(tmp_path: Path) -> None:
    """A time-out there proves nothing about the mail."""
    with MailServer(tmp_path, hang_after_dot=3.0) as server:
        receipt = plain(server, last_answer=0.3)(a_message())
    assert receipt.state is State.UNKNOWN


def test_nobody_there_is_named_and_asked_once_for_all_mails(tmp_path: Path) -> None:
    """A closed port does not cost each recipient a time-out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    send = SmtpSender("127.0.0.1", port, security="plain", timeout=2)
    first, second = send(a_message()), send(a_message("bob@example.test"))
    assert first.state is State.PENDING
    assert "Connection refused" in first.detail
    assert second == first


@pytest.mark.parametrize("greeting", [b"", b"421 closing\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_server_that_does_not_greet_is_pending(greeting: bytes) -> None:
    """Silence, a 421 or a web server on the mail port: nothing was sent."""
    with listening(greeting) as port:
        receipt = SmtpSender("127.0.0.1", port, security="plain", timeout=0.5)(a_message())
    assert receipt.state is State.PENDING
    assert receipt.detail


# ---------------------------------------------------------------- what is said of faults


def words(receipt: Receipt | None) -> str:
    """What a person reads of a mail that was not sent and is kept."""
    assert receipt is not None
    assert receipt.state is State.PENDING
    return receipt.detail


def test_a_certificate_for_another_name_is_told_from_one_that_nobody_vouches_for(tmp_path: Path) -> None:
    """The one is mended by the host's right name, the other by its authority."""
    with MailServer(tmp_path, tls=True, names=("mail.example.test",)) as server:
        said = words(secure(server).open())
    assert "the server's certificate is for another name" in said
    assert "set MONITOR_SMTP_HOST to the name it is for" in said


def test_a_plain_server_on_a_tls_port_is_named() -> None:
    """587 and 465 are often mixed up."""
    with listening(b"220 ready\r\n") as port:
        said = words(SmtpSender("127.0.0.1", port, security="tls", timeout=5).open())
    assert said == f"127.0.0.1:{port}: does not speak TLS at once; set MONITOR_SMTP_SECURITY=starttls or another port"


def test_a_server_that_waits_for_tls_is_named() -> None:
    """A port for TLS at once says nothing to whoever waits for a greeting."""
    with listening(b"") as port:
        said = words(SmtpSender("127.0.0.1", port, timeout=0.3).open())
    assert "no greeting within 0.3 s; if the port speaks TLS at once (465 does), set MONITOR_SMTP_SECURITY=tls" in said


def test_a_password_never_goes_readable_over_the_line(tmp_path: Path) -> None:
    """Whoever makes a sender so gets nothing sent, not even a connection."""
    with MailServer(tmp_path) as server:
        said = words(SmtpSender("127.0.0.1", server.port, security="plain", user="me", password=PASSWORD).open())
        assert server.sessions == 0
    assert "would send the password readable; set MONITOR_SMTP_SECURITY to starttls or tls" in said
    assert PASSWORD not in said


def test_a_server_that_relays_for_nobody_unknown_says_how_to_log_in(tmp_path: Path) -> None:
    """The commonest mistake of a first evening."""
    with MailServer(tmp_path, faults={"RCPT": lambda _: "554 5.7.1 relay access denied"}) as server:
        receipt = once(plain(server))
    assert receipt.state is State.REFUSED
    assert receipt.detail.startswith("the address was refused: 554 5.7.1 relay access denied; it wants a log-in: set")


def test_a_message_too_long_for_the_server_is_not_even_begun(tmp_path: Path) -> None:
    """The server says so in its first answer (RFC 1870); the message is refused for what it is."""
    with MailServer(tmp_path, size=2_000) as server:
        send = plain(server)
        receipt, fits = send(a_message(text="long " * 1_000)), send(a_message(text="short"))
        send.close()
    assert (receipt.state, receipt.content) == (State.REFUSED, True)
    assert "the server takes 1" in receipt.detail
    assert fits.state is State.SENT
    assert len(server.received) == 1


def test_what_there_is_to_say_of_a_connection(tmp_path: Path) -> None:
    """For `send-test`: the greeting, the encryption, who is logged in."""
    with MailServer(tmp_path, tls=True) as server:
        send = secure(server)
        assert send.facts() == []
        assert send.open() is None
        greeting, tls, login = send.facts()
        send.close()
    assert greeting.startswith(f"connected to localhost:{server.port}; it says: ")
    assert re.fullmatch(r"TLSv1\.[23], \w+; its certificate is trusted", tls)
    assert login == "logged in as me"


# ---------------------------------------------------------------- sparing a server


@pytest.mark.parametrize("answer", ["421 4.3.2 closing", "451 4.7.1 later"])
def test_a_server_that_puts_off_everybody_is_not_asked_for_each(tmp_path: Path, answer: str) -> None:
    """Three in a row speak for it; the others wait for the next round, and nothing is in doubt."""
    with MailServer(tmp_path, faults={"RCPT": lambda _: answer}) as server:
        send = plain(server)
        receipts = [send(a_message(f"r{n}@example.test")) for n in range(20)]
        send.close()
        assert server.sessions <= 3
    assert {receipt.state for receipt in receipts} == {State.PENDING}
    assert [receipt.asked for receipt in receipts] == [True] * 3 + [False] * 17
    assert receipts[-1].detail == (
        f"not asked, for the server did not serve the one before: the address was put off: {answer}"
    )


def test_recipients_that_are_refused_do_not_speak_for_the_server(tmp_path: Path) -> None:
    """A list of twenty dead addresses does not hold up the twenty-first."""
    with MailServer(tmp_path, faults={"RCPT": lambda to: "" if to.startswith("r20") else "550 gone"}) as server:
        send = plain(server)
        states = [send(a_message(f"r{n}@example.test")).state for n in range(21)]
        send.close()
    assert states == [State.REFUSED] * 20 + [State.SENT]


def test_a_server_that_falls_silent_is_waited_for_once_in_a_round() -> None:
    """Sixty recipients do not make an hour of time-outs."""
    with listening(b"220 ready\r\n250 hello\r\n250 sender\r\n") as port:
        send = SmtpSender("127.0.0.1", port, security="plain", timeout=0.3)
        first, second = send(a_message()), send(a_message("bob@example.test"))
    assert first.detail == f"127.0.0.1:{port}: no answer to RCPT within 0.3 s"
    assert (first.asked, second.asked) == (True, False)


def test_who_was_not_asked_comes_first_the_next_time() -> None:
    """One address at which the server falls silent does not hold up those behind it."""
    asked, late = (
        next_attempt(Receipt(State.PENDING, "why", asked=asked), a_delivery(), NOW)[1] for asked in (True, False)
    )
    assert asked is not None
    assert late is not None
    assert late < asked


# ---------------------------------------------------------------- the end of the program


@contextmanager
def stopped(send: SmtpSender) -> Iterator[list[Receipt | None]]:
    """Open in a thread, stop from this one, and give what came of it."""
    receipts: list[Receipt | None] = []
    thread = threading.Thread(target=lambda: receipts.append(send.open()))
    thread.start()
    yield receipts
    send.stop()
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_stop_ends_tls_that_does_not_begin(security: str) -> None:
    """A server that goes silent in the handshake does not make the process end by force."""
    script = b"" if security == "tls" else b"220 ready\r\n250-hello\r\n250 STARTTLS\r\n220 go on\r\n"
    with (
        listening(script) as port,
        stopped(SmtpSender("127.0.0.1", port, security=security, timeout=60)) as receipts,
    ):
        time.sleep(0.3)  # into the handshake; sooner, it would be stopped before, which is no less well
    assert "the program is ending" in words(receipts[0])


def test_stop_ends_a_connection_that_is_not_taken() -> None:
    """A firewall that swallows what is sent."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]  # more than it has room for
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        with stopped(SmtpSender("127.0.0.1", port, security="plain", timeout=60)) as receipts:
            time.sleep(0.3)
        for sock in waiting:
            sock.close()
    assert "the program is ending" in words(receipts[0])


def test_stop_ends_a_wait_for_the_servers_answer(tmp_path: Path) -> None:
    """SIGTERM must not wait for a hanging mail server; what it was doing is unknown, not lost."""
    with MailServer(tmp_path, hang_after_dot=30.0) as server:
        send = plain(server, timeout=60, last_answer=60)
        receipts: list[Receipt] = []
        thread = threading.Thread(target=lambda: receipts.append(send(a_message())))
        thread.start()
        while not server.received:
            thread.join(0.01)
        send.stop()
        thread.join(5)
        assert not thread.is_alive()
    assert [receipt.state for receipt in receipts] == [State.UNKNOWN]


def test_files_hold_the_mail_and_the_page(tmp_path: Path) -> None:
    """Without a mail server, .eml and .html lie in the outbox; the same mail again is the same files."""
    send = FileSender(tmp_path / "outbox")
    message = a_message(text="微软 and OpenAI\n")
    assert [send(message).state, send(message).state] == [State.SENT] * 2
    files = sorted(path.name for path in (tmp_path / "outbox").iterdir())
    assert files == ["one.alice_example.test.eml", "one.alice_example.test.html"]
    mail = message_from_bytes((tmp_path / "outbox" / files[0]).read_bytes(), policy=policy.default)
    assert mail["Subject"] == "A subject"
    assert "微软" in (tmp_path / "outbox" / files[1]).read_text("utf-8")


def test_an_outbox_that_cannot_be_written_keeps_the_mail(tmp_path: Path) -> None:
    """A full or read-only disk is a reason to try again, not to lose the mail."""
    (tmp_path / "outbox").write_text("a file where the folder should be")
    receipt = FileSender(tmp_path / "outbox")(a_message())
    assert receipt.state is State.PENDING
    assert "cannot be written" in receipt.detail


def a_delivery(attempts: int = 0, doubts: int = 0, created: datetime = NOW) -> Delivery:
    """A delivery that was tried so often before."""
    return Delivery(1, a_message(), State.PENDING, attempts, doubts, created)


@given(attempts=st.integers(0, 1000))
def test_the_next_attempt_is_later_but_never_later_than_an_hour(attempts: int) -> None:
    """Back-off is bounded for as long as there is hope."""
    receipt, again = next_attempt(Receipt(State.PENDING, "why"), a_delivery(attempts), NOW)
    assert receipt.state is State.PENDING
    assert again is not None
    assert timedelta() < again - NOW <= LONGEST_RETRY


def test_after_five_days_it_gives_up_and_says_why() -> None:
    """A mail that could not be sent is refused with the last answer; one that perhaps arrived is never called lost."""
    late = NOW + GIVE_UP
    refused, never = next_attempt(Receipt(State.PENDING, "451 later"), a_delivery(59), late)
    doubtful, _ = next_attempt(Receipt(State.PENDING, "451 later"), a_delivery(59, doubts=1), late)
    in_doubt_now, _ = next_attempt(Receipt(State.UNKNOWN, "lost"), a_delivery(59), late)
    assert (refused.state, never) == (State.REFUSED, None)
    assert "60 attempts" in refused.detail
    assert "451 later" in refused.detail
    assert doubtful.state is State.UNKNOWN
    assert in_doubt_now.state is State.UNKNOWN


def test_a_refusal_of_what_perhaps_arrived_before_leaves_it_in_doubt() -> None:
    """The first attempt was taken or was not; that the second is refused for good says nothing of the first."""
    receipt, again = next_attempt(Receipt(State.REFUSED, "the message: 554 no"), a_delivery(1, doubts=1), NOW)
    assert (receipt.state, again) == (State.UNKNOWN, None)
    assert receipt.detail.endswith("the message: 554 no")


def test_a_reader_gets_three_copies_at_most() -> None:
    """A server that takes each mail and never says so must not be sent it for two days."""
    states = [next_attempt(Receipt(State.UNKNOWN, "lost"), a_delivery(9, doubts), NOW) for doubts in range(3)]
    assert [again is not None for _, again in states] == [True, True, False]
    assert {receipt.state for receipt, _ in states} == {State.UNKNOWN}


@pytest.mark.parametrize("state", [State.SENT, State.REFUSED])
def test_what_is_settled_is_not_tried_again(state: State) -> None:
    """Sent and refused are final."""
    assert next_attempt(Receipt(state, "x"), a_delivery(), NOW)[1] is None


def test_any_2xx_after_the_message_is_a_yes(tmp_path: Path) -> None:
    """The first digit decides (RFC 5321 4.2)."""
    with MailServer(tmp_path, faults={"DATA": lambda _: "251 taken"}) as server:
        assert once(plain(server)).state is State.SENT


@pytest.mark.parametrize("answer", ["550 this sender may not", "451 later"])
def test_a_refused_sender_is_no_verdict_on_the_reader(tmp_path: Path, answer: str) -> None:
    """The mail is kept until somebody mends the sender's address."""
    with MailServer(tmp_path, faults={"MAIL": lambda _: answer}) as server:
        receipt = once(plain(server))
    assert receipt.state is State.PENDING
    assert answer in receipt.detail


def test_a_slow_answer_to_the_message_is_waited_for(tmp_path: Path) -> None:
    """Servers that scan what they get answer late; that is no lost connection."""
    with MailServer(tmp_path, hang_after_dot=0.6) as server:
        assert once(plain(server, timeout=0.3, last_answer=10)).state is State.SENT


def test_stop_reaches_a_server_that_does_not_greet() -> None:
    """Nothing was sent, and nothing is in doubt."""
    with listening(b"") as port:
        send = SmtpSender("127.0.0.1", port, security="plain", timeout=60)
        receipts: list[Receipt | None] = []
        thread = threading.Thread(target=lambda: receipts.append(send.open()))
        thread.start()
        while thread.is_alive():
            send.stop()
            thread.join(0.01)
    assert [receipt and receipt.state for receipt in receipts] == [State.PENDING]
