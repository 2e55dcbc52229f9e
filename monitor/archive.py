"""DATA/archive: every edition that was mailed as a page of its own, and an index of all stories by day.

The pages need neither a server nor a network; any web server may show them too. What is missing is written, what is
there is left alone, so the archive is whole again after whatever interrupted it.
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
from zoneinfo import ZoneInfo

from monitor.digest.labels import say
from monitor.digest.render import environment, fill
from monitor.errors import MonitorError
from monitor.model import DigestPlan, KeptEdition, KeptStory, Templates
from monitor.store import Store

FOLDER = "archive"
INDEX, TEMPLATE = "index.html", "archive.html"
_BODY = re.compile(r"<body[^>]*>")
_WAY = '<p style="margin:0;padding:12px 20px 0;font:14px sans-serif"><a href="../{index}#{day}">{all}</a></p>'


@dataclass(frozen=True, slots=True)
class _Entry:
    """An edition in the index: where its page is, and its stories."""

    digest: str
    subject: str
    href: str
    at: datetime
    stories: tuple[KeptStory, ...]


def update(
    store: Store,
    folder: Path,
    templates: Templates,
    plans: Sequence[DigestPlan],
    titles: Mapping[str, Mapping[str, str]],
    shorts: Mapping[str, Mapping[str, str]],
) -> int:
    """Write the pages that are missing, and the index where there were any; return how many.

    `plans` give each digest's zone, the first the language of the index; `titles` and `shorts` are those of themes, by
    language.

    Raises:
        MonitorError: a file cannot be written.
        TemplateError: the index cannot be rendered.
    """
    zones = {plan.name: ZoneInfo(plan.timezone) for plan in plans}
    language = plans[0].language if plans else "en"
    editions = store.mailed_editions()
    places = {number: _place(digest, number, _local(until, zones, digest)) for number, digest, until, *_ in editions}
    missing = [number for number, place in places.items() if not (folder / place).exists()]
    if not missing and (folder / INDEX).exists():
        return 0
    for number in missing:
        kept = store.kept_edition(number)
        if kept:
            _write(folder / places[number], _page(kept, _local(kept.until, zones, kept.digest), language))
    stories: dict[int, list[KeptStory]] = {}
    for story in store.kept_stories():
        stories.setdefault(story.edition_id, []).append(story)
    entries = [
        _Entry(digest, subject, places[number], _local(until, zones, digest), tuple(stories.get(number, ())))
        for number, digest, until, subject, *_ in editions
    ]
    entries.sort(key=lambda entry: entry.at, reverse=True)
    named = _named(titles, language), _named(shorts, language)
    _write_years(folder, entries, templates, language, *named)
    return len(missing)


def page_of(kept: KeptEdition) -> str:
    """Return the page that a kept edition's mails carry."""
    part = message_from_bytes(kept.messages[0].raw, policy=policy.default).get_body(("html",))
    return str(part.get_content()).replace("\r\n", "\n") if part else ""


def _local(at: datetime, zones: Mapping[str, ZoneInfo], digest: str) -> datetime:
    return at.astimezone(zones.get(digest, ZoneInfo("UTC")))


def _place(digest: str, number: int, at: datetime) -> str:
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', digest)}/{at:%Y-%m-%d}-{number}.html"


def _page(kept: KeptEdition, at: datetime, language: str) -> str:
    """Return the page of an edition with a way back to the index."""
    way = _WAY.format(index=INDEX, day=f"{at:%Y-%m-%d}", all=say(language, "all_editions"))
    return _BODY.sub(lambda body: body[0] + way, page_of(kept), count=1)


def _write_years(
    folder: Path,
    entries: Sequence[_Entry],
    templates: Templates,
    language: str,
    titles: Mapping[str, str],
    shorts: Mapping[str, str],
) -> None:
    """Write one page a year, the latest as the index."""
    years = list(dict.fromkeys(entry.at.year for entry in entries))
    files = {year: INDEX if year == years[0] else f"{year}.html" for year in years}
    env = environment(templates)
    for year in years:
        found = [entry for entry in entries if entry.at.year == year]
        themes = dict.fromkeys(theme for entry in found for story in entry.stories for theme in story.themes)
        values = {
            "language": language,
            "year": year,
            "years": files,
            "days": [(day, list(group)) for day, group in groupby(found, key=lambda entry: entry.at.date())],
            "themes": {name: titles.get(name, name) for name in (*(n for n in titles if n in themes), *themes)},
            "shorts": {name: shorts.get(name, name) for name in themes},
        }
        _write(folder / files[year], fill(env, values, TEMPLATE))


def _named(words: Mapping[str, Mapping[str, str]], language: str) -> dict[str, str]:
    return {name: said.get(language) or said.get("en") or name for name, said in words.items()}


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)
    except OSError as e:
        raise MonitorError(f"{path}: cannot be written: {e.strerror}") from e
