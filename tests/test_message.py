"""The finished mail, read back with the standard library as a mail program would."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.digest.message import compose, list_id, mailto
from monitor.model import DigestPlan, Message, Rendered

ENGLISH = Rendered(
    "Ohio campus is back | 24 Nov",
    "Ohio is back.\n\n-- \nThe end\n",
    "<!DOCTYPE html><p>Ohio is back &amp; open</p>\n",
)
CHINESE = Rendered("微软放弃优先购买权 | 11月24日", "微软放弃优先购买权。\n" * 20, "<p>微软放弃优先购买权。</p>\n" * 20)
PLAN = DigestPlan("morning", ("reader@example.org",), "30 7 * * *")
ONCE = ("From", "To", "Subject", "Date", "Message-ID", "List-Id", "MIME-Version", "Content-Type")


def a_message(rendered: Rendered = ENGLISH, **fields: object) -> Message:
    """Return the mail of one edition to one reader."""
    values: dict[str, object] = {
        "plan": PLAN,
        "recipient": "reader@example.org",
        "sender": "Digest <digest@news.example.com>",
        "message_id": "<digest.20261124.1.0123456789abcdef@news.example.com>",
        "date": datetime(2026, 11, 23, 23, 30, 5, tzinfo=UTC),
        "owner": "owner@example.com",
    }
    return compose(rendered, **(values | fields))  # type: ignore[arg-type]


def read(message: Message) -> EmailMessage:
    """Parse the bytes as a mail program does."""
    parsed = message_from_bytes(message.raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def bodies(mail: EmailMessage) -> list[str]:
    """Return text and HTML, line ends as in the source."""
    return [part.get_content().replace("\r\n", "\n") for part in mail.iter_parts()]


@pytest.mark.parametrize("rendered", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_what_was_rendered_is_what_is_read(rendered: Rendered) -> None:
    """Subject and both bodies survive the encoding, text first."""
    mail = read(a_message(rendered))
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert bodies(mail) == [rendered.text, rendered.html]
    assert mail["Subject"] == rendered.subject
    assert [type(defect) for part in mail.walk() for defect in part.defects] == []


def test_the_headers_are_those_of_a_digest() -> None:
    """Filterable, stoppable, never answered by a machine, never threaded."""
    message = a_message()
    mail = read(message)
    assert mail["From"] == "Digest <digest@news.example.com>"
    assert mail["To"] == "reader@example.org"
    assert mail["Date"] == "Mon, 23 Nov 2026 23:30:05 +0000"
    assert mail["Message-ID"] == message.message_id == "<digest.20261124.1.0123456789abcdef@news.example.com>"
    assert mail["List-Id"] == '"morning" <morning.news.example.com>'
    assert mail["List-Unsubscribe"] == "<mailto:owner@example.com?subject=unsubscribe%20morning>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert not {"References", "In-Reply-To", "Bcc", "List-Unsubscribe-Post"} & set(mail.keys())
    assert (message.sender, message.recipient) == ("digest@news.example.com", "reader@example.org")


def test_a_sender_without_a_name_gets_the_digests() -> None:
    """An inbox shows the name; without one it would show "digest"."""
    assert read(a_message(sender="digest@news.example.com"))["From"] == "Microsoft and OpenAI <digest@news.example.com>"
    chinese = DigestPlan("晨报", ("reader@example.org",), "30 7 * * *", language="zh")
    assert read(a_message(plan=chinese, sender="digest@news.example.com"))["From"].startswith("微软与OpenAI")


def test_without_an_owner_nothing_is_promised() -> None:
    """No address to write to, no List-Unsubscribe."""
    assert "List-Unsubscribe" not in read(a_message(owner=""))
    assert mailto("nobody", "x") == ""
    assert mailto("a@b.example\r\nBcc: c@d.example", "x") == ""


def test_each_language_gets_the_shorter_encoding() -> None:
    """A Han character is nine bytes quoted, four in base64."""
    encodings = [
        [part["Content-Transfer-Encoding"] for part in read(a_message(r)).iter_parts()] for r in (ENGLISH, CHINESE)
    ]
    assert encodings == [["quoted-printable"] * 2, ["base64"] * 2]


def test_the_same_edition_gives_the_same_bytes() -> None:
    """A retry must be the same mail; another one must have another boundary."""
    assert a_message() == a_message()
    other = read(a_message(message_id="<other@news.example.com>"))
    assert other.get_boundary() != read(a_message()).get_boundary()


@pytest.mark.parametrize("rendered", [ENGLISH, CHINESE, Rendered("x" * 4000, "word " * 9000, "<p>" + "x" * 9000)])
def test_lines_end_and_stay_within_the_standard(rendered: Rendered) -> None:
    """CRLF throughout, ASCII throughout, and no line over 78 bytes."""
    raw = a_message(rendered).raw
    assert raw.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 78


@given(st.text("aZ 9微，é-:\U0001f600", max_size=120))
def test_every_word_of_a_subject_can_be_decoded_alone(text: str) -> None:
    """RFC 2047: at most 75 characters a word, none of them cut within a letter."""
    message = a_message(Rendered(text, "", ""))
    head = message.raw.partition(b"\r\n\r\n")[0].decode("ascii")
    for word in re.findall(r"=\?[^?\s]+\?[bq]\?[^?\s]*\?=", head):
        assert len(word) <= 75
        content, charset = decode_header(word)[0]
        assert content.decode(charset)
    assert " ".join(read(message)["Subject"].split()) == " ".join(text.split())


def test_an_address_is_never_encoded() -> None:
    """RFC 2047 words have no place within angle brackets, however long these are."""
    long = "x" * 90 + "@news.example.com"
    raw = a_message(message_id=long, owner=f"{'y' * 60}@example.com").raw
    assert f"Message-ID:\r\n <{long}>\r\n".encode() in raw
    assert b"List-Unsubscribe:\r\n <mailto:yyy" in raw


@pytest.mark.parametrize(
    "text",
    [
        "Hello\r\nBcc: victim@example.com",
        "Hello\nBcc: victim@example.com\n\n<p>body",
        "Hello\rBcc: victim@example.com",
        "Hello\x0bBcc: victim@example.com\x0c\x85\u2028Bcc: victim@example.com",
        "=?utf-8?q?Hello=0D=0ABcc:_victim@example.com?=",
    ],
)
def test_no_header_can_be_injected(text: str) -> None:
    """Whichever value carries a line end, it stays a value."""
    for fields in (
        {"rendered": Rendered(text, "", "")},
        {"plan": DigestPlan(text, (), "")},
        {"recipient": text + "@example.org"},
        {"sender": f"{text} <digest@news.example.com>"},
        {"message_id": f"<{text}@news.example.com>"},
        {"owner": f"{text}@example.com"},
    ):
        message = a_message(**fields)
        mail = read(message)
        assert "Bcc" not in mail
        assert all(len(mail.get_all(name, [])) == 1 for name in ONCE)
        assert set(mail.keys()) - {"List-Unsubscribe"} == set(read(a_message(owner="")).keys())


@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_makes_a_mail(text: str) -> None:
    """Surrogates, controls, anything: the mail is complete and has each header once."""
    message = a_message(
        Rendered(text, text, text),
        plan=DigestPlan(text, (), ""),
        recipient=text,
        sender=f"{text} <digest@news.example.com>",
        message_id=text,
        owner=text,
    )
    mail = read(message)
    assert [name for name in ONCE if len(mail.get_all(name, [])) != 1] == []
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", message.subject)
    assert len(bodies(mail)) == 2


def test_a_list_keeps_its_identity() -> None:
    """The same name gives the same identifier; two names never share one."""
    assert list_id("morning", "digest@news.example.com") == '"morning" <morning.news.example.com>'
    names = ["晨报", "晚报", "AI 晨报", "AI 晚报", "a b", "a-b"]
    found = {list_id(name, "digest@news.example.com").partition("<")[2] for name in names}
    assert len(found) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]+\.news\.example\.com>", identifier) for identifier in found)
