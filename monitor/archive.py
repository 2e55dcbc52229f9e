"""DATA/archive: every edition that was mailed as a page of its own, and an index of all stories by day.

The pages need neither a server nor a network; any web server may show them too. An edition's page is written once;
the index is made anew, so the archive is whole again after whatever interrupted it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from itertools import groupby
from pathlib import Path

import structlog

from monitor import resources
from monitor.digest.labels import say
from monitor.digest.render import environment, fill
from monitor.digest.sample import UNTIL, sample
from monitor.errors import MonitorError, TemplateError
from monitor.model import KeptEdition, KeptStory, MailedEdition, Templates
from monitor.store import Store

FOLDER = "archive"
INDEX, TEMPLATE = "index.html", "archive.html"
_BODY = re.compile(r"<body[^>]*>")
_WAY = '<p style="margin:0;padding:12px 20px 0;font:14px sans-serif"><a href="../{year}.html#{day}">{all}</a></p>'
log = structlog.get_logger()

Titles = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class _Entry:
    """An edition in the index: where its page is, and its stories."""

    digest: str
    subject: str
    href: str
    at: datetime
    stories: tuple[KeptStory, ...]


def update(
    store: Store, folder: Path, templates: Templates, *, language: str, titles: Titles, shorts: Titles | None = None
) -> int:
    """Write the pages that are missing, and the index; return how many pages were.

    `titles` and `shorts` are those of themes, by language. An index template that cannot be rendered gives way to the
    one that came along.

    Raises:
        MonitorError: a file cannot be written.
    """
    editions = store.mailed_editions()
    if not editions:
        return 0
    missing = [edition for edition in editions if not (folder / _place(edition)).exists()]
    for edition in missing:
        kept = store.kept_edition(edition.id)
        if kept:
            _write(folder / _place(edition), _page(kept, edition.local, language))
    stories: dict[int, list[KeptStory]] = {}
    for story in store.kept_stories():
        stories.setdefault(story.edition_id, []).append(story)
    entries = [_Entry(e.digest, e.subject, _place(e), e.local, tuple(stories.get(e.id, ()))) for e in editions]
    entries.sort(key=lambda entry: entry.at, reverse=True)
    try:
        pages = _years(entries, templates, language, titles, shorts or {})
    except TemplateError as e:
        log.error("the archive's templates rejected", reason=str(e))  # noqa: TRY400 (a line for a person)
        ours = resources.read_templates(resources.shipped_templates())
        pages = _years(entries, ours, language, titles, shorts or {})
    for name, text in pages.items():
        _write(folder / name, text)
    return len(missing)


def check(templates: Templates) -> None:
    """Render an index of sample editions.

    Raises:
        TemplateError: a template of the archive cannot be rendered.
    """
    for language in ("en", "zh"):
        stories = tuple(
            KeptStory(1, "sample", UNTIL, s.lead.item.title, s.lead.item.link, s.lead.item.outlet, s.lead.item.language,
                      s.themes, update=s.continues is not None)
            for s in sample(language).stories + sample(language).updates
        )  # fmt: skip
        entries = [_Entry("sample", "Sample", "sample/1.html", at, stories) for at in (UNTIL, UNTIL.replace(year=2025))]
        _years(entries, templates, language, {}, {})


def page_of(kept: KeptEdition) -> str:
    """Return the page that a kept edition's mails carry."""
    part = message_from_bytes(kept.messages[0].raw, policy=policy.default).get_body(("html",))
    return str(part.get_content()).replace("\r\n", "\n") if part else ""


def _place(edition: MailedEdition) -> str:
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', edition.digest)}/{edition.local:%Y-%m-%d}-{edition.id}.html"


def _page(kept: KeptEdition, at: datetime, language: str) -> str:
    """Return the page of an edition with a way back to the index."""
    way = _WAY.format(year=at.year, day=f"{at:%Y-%m-%d}", all=say(language, "all_editions"))
    return _BODY.sub(lambda body: body[0] + way, page_of(kept), count=1)


def _years(
    entries: Sequence[_Entry], templates: Templates, language: str, titles: Titles, shorts: Titles
) -> dict[str, str]:
    """Return a page for each year, and the latest as the index."""
    years = list(dict.fromkeys(entry.at.year for entry in entries))
    env, pages = environment(templates), {}
    for year in years:
        found = [entry for entry in entries if entry.at.year == year]
        themes = list(dict.fromkeys(theme for entry in found for story in entry.stories for theme in story.themes))
        themes.sort(key=lambda name: list(titles).index(name) if name in titles else len(titles))
        values = {
            "language": language,
            "year": year,
            "years": {other: f"{other}.html" for other in years},
            "days": [(day, list(group)) for day, group in groupby(found, key=lambda entry: entry.at.date())],
            "themes": {name: _named(titles, name, language) for name in themes},
            "shorts": {name: _named(shorts, name, language) for name in themes},
        }
        pages[f"{year}.html"] = fill(env, values, TEMPLATE)
    pages[INDEX] = pages[f"{years[0]}.html"]
    return pages


def _named(words: Titles, name: str, language: str) -> str:
    said = words.get(name, {})
    return said.get(language) or said.get("en") or name


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all; one that is so already is left alone."""
    new = path.with_name(f".{path.name}.new")
    try:
        if path.is_file() and path.read_text("utf-8", "replace") == text:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)
    except OSError as e:
        raise MonitorError(f"{path}: cannot be written: {e.strerror}") from e
