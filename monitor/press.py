"""An edition and the templates → finished mails, whatever state the templates are in.

A template is the user's own code. One that cannot be rendered stops no mail: the last ones that were good are used,
and the mail says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from monitor import __version__, resources
from monitor.digest import labels
from monitor.digest.edition import shortened
from monitor.digest.message import compose, make_message_id, transfer_size
from monitor.digest.render import environment, render
from monitor.digest.sample import sample
from monitor.errors import TemplateError
from monitor.model import CHANNEL, Edition, Frame, KeptEdition, Message, Rendered, Templates
from monitor.store import Store

LONGEST_PAGE = 96_000
"""Bytes of the HTML part as it travels; Gmail clips a mail at about 102 KB."""
GOOD_PAGE = 60_000
"""Bytes of the HTML part as it is read; beyond, fewer outlets of a story are named."""
_FEWER = (8, 5, 3)
_LESS = ((40, 2), (25, 2), (15, 1), (8, 1), (4, 1), (1, 0))
"""So many stories and outlets are tried in turn until the page is not clipped."""
NOTE = "templates"
"""The note on what is wrong with the templates."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Desk:
    """What a digest needs beside the database: templates and whom the mail is from."""

    templates: Path
    """The user's folder of templates; what it has not comes from those that came along."""
    sender: str
    owner: str = ""


def render_edition(edition: Edition, frame: Frame, places: Mapping[str, str] | None = None) -> Rendered:
    """Turn an edition into subject, text and page; `places` are the files that errors name.

    Raises:
        TemplateError: a template of the frame cannot be rendered.
    """
    return render(
        edition,
        environment(Templates(frame.templates, places or {})),
        zone=ZoneInfo(edition.plan.timezone),
        owner=frame.owner,
        version=frame.version,
    )


def typeset(edition: Edition, desk: Desk) -> tuple[Edition, Rendered, Frame]:
    """Render an edition with the templates as they are now; return with it what of the edition had room.

    Raises:
        TemplateError: one of them cannot be read or rendered.
    """
    templates = resources.read_templates(desk.templates)
    frame = Frame(templates.sources, desk.owner, desk.sender, __version__)
    return *_fitted(edition, frame, templates.places), frame


def _fitted(edition: Edition, frame: Frame, places: Mapping[str, str] | None = None) -> tuple[Edition, Rendered]:
    """Render an edition; when its page would be clipped by mail programs, one with less in it."""
    rendered = render_edition(edition, frame, places)
    for outlets in _FEWER:
        if len(rendered.html.encode("utf-8", "replace")) <= GOOD_PAGE:
            break
        edition = replace(edition, most_outlets=outlets)
        rendered = render_edition(edition, frame, places)
    for stories, outlets in _LESS:
        if transfer_size(rendered.html) <= LONGEST_PAGE:
            break
        edition = shortened(edition, stories, outlets)
        rendered = render_edition(edition, frame, places)
    else:
        if transfer_size(rendered.html) > LONGEST_PAGE:
            log.warning("the page is long enough to be clipped", bytes=transfer_size(rendered.html))
    return edition, rendered


def check_templates(desk: Desk) -> Templates:
    """Render a sample with every kind of part, in both languages; return the templates that were found good.

    Raises:
        TemplateError: a template cannot be read or rendered.
    """
    templates = resources.read_templates(desk.templates)
    frame = Frame(templates.sources, desk.owner, desk.sender, __version__)
    for language in ("en", "zh"):
        render_edition(sample(language), frame, templates.places)
    return templates


def typeset_safely(edition: Edition, desk: Desk, store: Store, now: datetime) -> tuple[Edition, Rendered, Frame]:
    """Render an edition; where the templates are broken, with the last ones that were good, and say so in it."""
    try:
        typeset_edition, rendered, frame = typeset(edition, desk)
    except TemplateError as e:
        note_templates(store, e, now)
        notice = labels.notice(edition.plan.language, store.notes()[NOTE])
        edition = replace(edition, notices=(*edition.notices, notice))
    else:
        note_templates(store, None, now)
        return typeset_edition, rendered, frame
    last = store.last_templates()
    if last:
        frame = Frame(last, desk.owner, desk.sender, __version__)
        try:
            return *_fitted(edition, frame), frame
        except TemplateError as e:  # an update of the program may have left them behind
            log.warning("the last good templates cannot be rendered either", reason=str(e))
    return typeset(edition, replace(desk, templates=resources.shipped_templates()))


def note_templates(store: Store, fault: TemplateError | None, now: datetime) -> None:
    """Keep in mind what is wrong with the templates, for health and the next digest."""
    line = labels.say("en", "note_templates", fault=fault) if fault else ""
    if store.note(NOTE, line, now) and line:
        log.error("templates rejected", reason=str(fault))


def make_messages(
    edition: Edition, rendered: Rendered, frame: Frame, token: str, recipients: Sequence[str] | None = None
) -> list[Message]:
    """Make one finished mail for each recipient, or for some; `token` makes their Message-IDs unique, for ever."""
    stamp = edition.until.strftime("%Y%m%dT%H%M%S")
    return [
        _message(
            edition,
            rendered,
            frame,
            recipient,
            make_message_id(f"{edition.plan.name}.{stamp}.{token}.{number}", frame.sender),
        )
        for number, recipient in enumerate(edition.plan.recipients, 1)
        if recipients is None or recipient in recipients
    ]


def _message(edition: Edition, rendered: Rendered, frame: Frame, recipient: str, message_id: str) -> Message:
    channel = recipient.removeprefix(CHANNEL) if recipient.startswith(CHANNEL) else ""
    message = compose(
        rendered,
        plan=edition.plan,
        recipient=f"{channel}@channel.invalid" if channel else recipient,
        sender=frame.sender,
        message_id=message_id,
        date=edition.until,
        owner=frame.owner,
    )
    return replace(message, recipient=recipient)


def make_again(kept: KeptEdition) -> list[Message]:
    """Render a kept edition again, into the same mails; empty where too little of it was kept.

    Raises:
        TemplateError: this version of the program cannot render its templates.
    """
    if kept.edition is None or kept.frame is None:
        return []
    rendered = {"": render_edition(kept.edition, kept.frame)}
    rendered |= {name: render_edition(own, kept.frame) for name, own in kept.own.items()}
    return [
        _message(
            kept.own.get(m.message_id, kept.edition),
            rendered.get(m.message_id, rendered[""]),
            kept.frame,
            m.recipient,
            m.message_id,
        )
        for m in kept.messages
    ]
