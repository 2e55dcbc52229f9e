"""Who carries the mail, by the settings in the environment; and `monitor send-test`, which tries that."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor import __version__
from monitor.cli_common import Paths, desk, now, say, settings, warn_of_strangers
from monitor.errors import ConfigError, Fault

if TYPE_CHECKING:
    from monitor.digest.chat import ChatSender
    from monitor.digest.mail import FileSender, SmtpSender
    from monitor.digest.post import Post
    from monitor.environment import MailSettings
    from monitor.model import Frame, Message
    from monitor.settings import Settings


_LONG = re.compile(r"[^.]{8,}")
"""A part of an address that may be a token: what has a dot is a host."""


def outbox() -> Path:
    """Return where mails are written as long as there is no mail server."""
    return Paths.data / "outbox"


def post(mail: MailSettings) -> Post:
    """Return what carries messages; the file of channels is read anew, and a fault in it stops no mail."""
    from monitor.digest.post import Post

    return Post(_mail_sender(mail), _chat_sender())


def _chat_sender() -> ChatSender:
    from monitor import environment, logs
    from monitor.digest.chat import ChatSender

    try:
        channels = environment.channels(os.environ)
        logs.hide(_secret_parts(channels.values()))
        return ChatSender(channels)
    except ConfigError as e:
        return ChatSender({}, str(e).splitlines()[0])


def _secret_parts(addresses: Iterable[str]) -> Iterator[str]:
    """Yield what a log must not show of the addresses of channels: each whole, and what may be a token in it."""
    for address in addresses:
        yield address
        yield from (part for part in re.split(r"[/?&=@:]+", address.partition("://")[2]) if _LONG.fullmatch(part))


def _mail_sender(mail: MailSettings) -> SmtpSender | FileSender:
    from monitor.digest.mail import FileSender, SmtpSender

    if mail.to_files:
        return FileSender(outbox())
    return SmtpSender(
        mail.host,
        mail.real_port,
        security=mail.security,
        user=mail.user,
        password=mail.password,
        ca_file=mail.ca_file,
    )


def warn_of_channels(settings: Settings) -> None:
    """Say which channels of digests cannot be sent to; mail goes out all the same."""
    wanted = {name: plan.name for plan in settings.digests for name in plan.channels}
    if not wanted:
        return
    from monitor.model import CHANNEL

    sender = _chat_sender()
    for name, digest in wanted.items():
        if down := sender.open(f"{CHANNEL}{name}"):
            say(f"{Paths.config}: digest {digest}: nothing can be sent to its channel {name}: {down.detail}")


def send_test(
    address: Annotated[str, typer.Argument(metavar="TO", help="A mail address, or the name of a channel.")],
    digest: Annotated[
        str, typer.Option(metavar="NAME", help="Send a sample of this digest, with your templates, in place of a line.")
    ] = "",
) -> None:
    """Send one mail, and say what the server answered."""
    from monitor import environment, schema
    from monitor.model import CHANNEL, State

    mail, channels = environment.mail_settings(), environment.channels(os.environ)
    warn_of_strangers()
    to_channel = address in channels
    if not to_channel:
        try:
            schema.mailbox(address)
        except ValueError as e:
            known = ", ".join(sorted(channels)) or "none"
            more = "" if "@" in address else f"; and no channel is called so (there is: {known})"
            raise typer.BadParameter(f"{e}{more}") from e
        if mail.to_files:
            said = f"MONITOR_SMTP_HOST: no mail server is set, so there is none to test; digests go to {outbox()}"
            raise ConfigError("environment", (Fault(said),))
    message = _test_message(mail, f"{CHANNEL}{address}" if to_channel else address, digest)
    sender = post(mail)
    sender.open(message.recipient)
    for line in () if to_channel else _facts(sender):
        print(line)
    receipt = sender(message)
    sender.close()
    words = {State.SENT: "sent", State.UNKNOWN: "perhaps sent"}
    print(f"{address}: {words.get(receipt.state, 'not sent')}: {receipt.detail}")
    if receipt.state is not State.SENT:
        raise typer.Exit(1)


def _facts(sender: Post) -> list[str]:
    from monitor.digest.mail import SmtpSender

    return sender.mail.facts() if isinstance(sender.mail, SmtpSender) else []


def _test_message(mail: MailSettings, recipient: str, digest: str) -> Message:
    """Make a line of text, or a sample of a digest, for one recipient."""
    import secrets
    from dataclasses import replace

    from monitor import press
    from monitor.digest.sample import sample
    from monitor.model import DigestPlan, Edition, Rendered

    if digest:
        plan = settings().digest(digest)
        edition, rendered, frame = press.typeset(sample(plan.language, plan), desk(mail))
    else:
        edition, frame = Edition(DigestPlan("test", (), ""), now(), now(), (), 0, 0, ()), _bare_frame(mail)
        text = f"This is a test mail of rift-monitor {__version__}. Digests will reach you the same way.\n"
        rendered = Rendered("rift-monitor: test mail", text, f"<!doctype html><title>Test mail</title><p>{text}</p>")
    plan = replace(edition.plan, to=(recipient,), channels=())
    token = f"test.{secrets.token_hex(8)}"
    [message] = press.make_messages(replace(edition, plan=plan, until=now()), rendered, frame, token)
    return message


def _bare_frame(mail: MailSettings) -> Frame:
    from monitor.model import Frame

    return Frame({}, "", mail.sender, __version__)
