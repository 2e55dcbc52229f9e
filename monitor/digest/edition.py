"""Stories + feed health + history → Edition: order, caps, what is new, what continues, what changed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from monitor.model import (
    DigestPlan,
    Edition,
    FeedTrouble,
    PastEdition,
    Section,
    Story,
    ThemeTitle,
    Trend,
)

MAX_STORIES = 40
"""A mail that shows more is cut by some readers' programs; the rest is counted."""
MAX_UPDATES = 20
"""So many updates, a line each, are shown beside."""
IN_A_ROW = 3
"""So many failures in a row make a trouble; one blip is not news."""

HISTORY = timedelta(days=14)
"""What is usual is what it was in these days."""
DAYS = 14
"""So many days have a bar, the present one among them."""
ENOUGH = timedelta(days=3)
"""With a shorter history nothing is called usual."""
QUIET_DAYS = 5
"""A theme that comes back after so many days without news is worth a word."""


def compose(
    plan: DigestPlan,
    stories: Sequence[Story],
    *,
    since: datetime,
    until: datetime,
    titles: Mapping[str, Mapping[str, str]],
    feeds_total: int,
    shorts: Mapping[str, Mapping[str, str]] | None = None,
    history: Sequence[PastEdition] = (),
    troubles: Sequence[FeedTrouble] = (),
    remarks: Sequence[FeedTrouble] = (),
    notices: Sequence[str] = (),
    repeats: Iterable[int] = (),
    slot: datetime | None = None,
    unasked: int = 0,
) -> Edition:
    """Arrange stories for one digest.

    `titles` maps each theme, in the user's order, to its headings by language, `shorts` to its name in a word or two.
    `history` are earlier editions. `repeats` are items to settle unshown.
    """
    headings = tuple(_titled(name, words, (shorts or {}).get(name, {}), plan) for name, words in titles.items())
    chosen = [heading for heading in headings if not plan.themes or heading.name in plan.themes]
    passed = list(repeats)
    by_theme: dict[str | None, list[Story]] = {heading.name: [] for heading in chosen}
    if not plan.themes:
        by_theme[None] = []
    doubted: list[Story] = []
    for story in stories:
        place = _place(story, by_theme)
        if place is _NOWHERE or not _tells_more(story):
            passed += [report.id for report in story.reports]
        elif place is _DOUBTED or story.doubted:
            doubted.append(story)
        else:
            by_theme[place].append(story)
    counts = [sum(story.continues is None for story in found) for found in by_theme.values()]
    cap = _cap(counts)
    room = max(1, MAX_STORIES - sum(min(count, cap) for count in counts))  # what is doubted crowds nobody out
    by_theme[_DOUBTED] = doubted
    updates_cap = _cap([sum(s.continues is not None for s in found) for found in by_theme.values()], MAX_UPDATES)
    sections, reports = [], 0
    headings_of = {heading.name: heading for heading in chosen}
    for name, found in by_theme.items():
        section, hidden = _section(
            headings_of.get(name or ""), found, room if name == _DOUBTED else cap, updates_cap, doubted=name == _DOUBTED
        )
        passed += [report.id for story in hidden for report in story.reports]
        if name != _DOUBTED:
            reports += sum(len(story.reports) for story in found if story.continues is None)
        sections.append(section)
    told = [story for found in by_theme.values() for story in found if story.continues is None and not story.doubted]
    return Edition(
        plan=plan,
        since=since,
        until=until,
        sections=tuple(section for section in sections if section.stories or section.updates),
        reports=reports,
        feeds_total=feeds_total,
        troubles=tuple(troubles),
        notices=tuple(notices),
        passed=tuple(dict.fromkeys(passed)),
        slot=slot,
        theme_titles=headings,
        trends=tuple(
            _trend(heading, sum(heading.name in story.themes for story in told), plan, since, until, history)
            for heading in chosen
        ),
        remarks=tuple(remarks),
        unasked=unasked,
    )


def shortened(edition: Edition, most_stories: int, most_outlets: int) -> Edition:
    """Return an edition with fewer stories and outlets, for a mail that would be too long; what goes is counted."""
    shown = [section for section in edition.sections if not section.doubted]
    cap = _cap([len(section.stories) for section in shown], most_stories)
    updates_cap = _cap([len(section.updates) for section in edition.sections], max(1, most_stories // 2))
    sections, passed = [], list(edition.passed)
    for number, section in enumerate(edition.sections):
        most = cap if not section.doubted else max(1, most_stories // 8)
        if number >= most_stories:  # of more themes than stories the last are only counted
            most = 0
        stories, updates = section.stories[:most], section.updates[: updates_cap if most else 0]
        hidden = section.stories[most:] + section.updates[len(updates) :]
        passed += [report.id for story in hidden for report in story.reports]
        more = section.more + len(section.stories) - len(stories)
        more_updates = section.more_updates + len(section.updates) - len(updates)
        sections.append(replace(section, stories=stories, updates=updates, more=more, more_updates=more_updates))
    return replace(edition, sections=tuple(sections), passed=tuple(dict.fromkeys(passed)), most_outlets=most_outlets)


def _trend(
    theme: ThemeTitle, count: int, plan: DigestPlan, since: datetime, until: datetime, history: Sequence[PastEdition]
) -> Trend:
    """Set the count of a theme against what is usual, and against its last days in the digest's own zone."""
    zone = ZoneInfo(plan.timezone)
    # A theme that was added lately has no count before: that is no silence.
    past = [e for e in history if until - HISTORY < e.until <= since and theme.name in e.counts]
    known = since - min((edition.since for edition in past), default=since)
    usual = None
    if known >= ENOUGH:
        usual = sum(edition.counts[theme.name] for edition in past) * ((until - since) / known)
    today = until.astimezone(zone).date()
    days = [0] * DAYS
    for at, number in [(edition.until, edition.counts[theme.name]) for edition in past] + [(until, count)]:
        ago = (today - at.astimezone(zone).date()).days
        if 0 <= ago < DAYS:
            days[-1 - ago] += number
    change, amount = _change(count, usual, days, known, until - since)
    return Trend(theme, count, usual, tuple(days), change, amount)


def _change(
    count: int, usual: float | None, days: Sequence[int], known: timedelta, window: timedelta
) -> tuple[str, int]:
    """Return what there is to say of a theme, and the number in it; nothing of what may be chance."""
    if usual is None or window < timedelta(hours=12):
        return "", 0
    quiet = len(list(takewhile(lambda number: number == 0, reversed(days[:-1]))))
    if count and quiet == DAYS - 1 and known >= HISTORY - timedelta(days=1):
        return "first", quiet
    if count and QUIET_DAYS <= quiet <= known.days and any(days[:-1]):
        return "returns", quiet
    if count >= 3 and usual and count >= 2 * usual:
        return "times", round(count / usual)
    if not count and usual >= 2:
        return "quiet", round(usual)
    return "", 0


def _cap(counts: Sequence[int], most: int = MAX_STORIES) -> int:
    """Return how many stories a section may show, so that all together stay within the bound.

    Nothing is cut that need not be: a quiet theme leaves its room to the others.
    """
    return max((cap for cap in range(1, most + 1) if sum(min(n, cap) for n in counts) <= most), default=1)


_NOWHERE, _DOUBTED = "\0nowhere", "\0doubted"


def _place(story: Story, by_theme: Mapping[str | None, list[Story]]) -> str | None:
    """Return the section of a story: its strongest theme that the digest has, None for no theme."""
    for theme in story.themes:
        if theme in by_theme:
            return theme
    if None in by_theme:
        return None
    # A digest of some themes must not lose a hit of their keywords because the second opinion took its theme away.
    return _DOUBTED if any(theme in by_theme for theme in story.withdrawn) else _NOWHERE


def _tells_more(story: Story) -> bool:
    """Tell whether a story is news, or an update with an outlet that was not told before."""
    return story.continues is None or bool(set(story.outlets) - set(story.continues.outlets))


def _section(
    heading: ThemeTitle | None, stories: Sequence[Story], cap: int, updates_cap: int, *, doubted: bool
) -> tuple[Section, list[Story]]:
    new = sorted((s for s in stories if s.continues is None), key=_weight)
    updates = sorted((s for s in stories if s.continues is not None), key=_weight)
    hidden = new[cap:] + updates[updates_cap:]
    section = Section(
        heading,
        tuple(new[:cap]),
        tuple(updates[:updates_cap]),
        more=len(new[cap:]),
        doubted=doubted,
        more_updates=len(updates[updates_cap:]),
    )
    return section, hidden


def _weight(story: Story) -> tuple[int, float, int]:
    newest = max(report.item.published for report in story.reports)
    return (-len(story.outlets), -newest.timestamp(), story.lead.id)


def _titled(name: str, title: Mapping[str, str], short: Mapping[str, str], plan: DigestPlan) -> ThemeTitle:
    heading = _in_language(title, plan.language) or name
    return ThemeTitle(name, heading, _in_language(short, plan.language) or name)


def _in_language(words: Mapping[str, str], language: str) -> str:
    return words.get(language) or words.get("en") or next(iter(words.values()), "")
