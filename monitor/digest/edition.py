"""Stories + feed health → Edition: order, caps, what is new and what continues. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from monitor.model import DigestPlan, Edition, Feed, FeedState, FeedTrouble, Section, Story, ThemeTitle

MAX_STORIES = 40
"""A mail that shows more is cut by some readers' programs; the rest is counted."""
IN_A_ROW = 3
"""So many failures in a row make a trouble; one blip is not news."""


def compose(
    plan: DigestPlan,
    stories: Sequence[Story],
    *,
    since: datetime,
    until: datetime,
    titles: Mapping[str, Mapping[str, str]],
    feeds_total: int,
    troubles: Sequence[FeedTrouble] = (),
    notices: Sequence[str] = (),
    repeats: Iterable[int] = (),
    slot: datetime | None = None,
) -> Edition:
    """Arrange stories for one digest.

    `titles` maps each theme, in the user's order, to its headings by language. `repeats` are items to settle unshown.
    """
    headings = tuple(ThemeTitle(name, _heading(name, words, plan.language)) for name, words in titles.items())
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
    sections, reports = [], 0
    headings_of = {heading.name: heading for heading in chosen}
    for name, found in by_theme.items():
        section, hidden = _section(
            headings_of.get(name or ""), found, room if name == _DOUBTED else cap, doubted=name == _DOUBTED
        )
        passed += [report.id for story in hidden for report in story.reports]
        reports += sum(len(story.reports) for story in found if story.continues is None)
        sections.append(section)
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
    )


def troubles(feeds: Iterable[Feed], states: Mapping[str, FeedState]) -> list[FeedTrouble]:
    """Return the feeds that a reader should know about: failing for a while, or never heard from."""
    found = []
    for feed in feeds:
        state = states.get(feed.url)
        if state and state.failures and (state.failures >= IN_A_ROW or state.last_ok is None):
            name = feed.name or state.title or urlsplit(feed.url).hostname or feed.url
            found.append(FeedTrouble(name, state.error, state.failing_since))
    return found


def _cap(counts: Sequence[int]) -> int:
    """Return how many stories a section may show, so that all together stay within the bound.

    Nothing is cut that need not be: a quiet theme leaves its room to the others.
    """
    return max((cap for cap in range(1, MAX_STORIES + 1) if sum(min(n, cap) for n in counts) <= MAX_STORIES), default=1)


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
    heading: ThemeTitle | None, stories: Sequence[Story], cap: int, *, doubted: bool
) -> tuple[Section, list[Story]]:
    new = sorted((s for s in stories if s.continues is None), key=_weight)
    updates = sorted((s for s in stories if s.continues is not None), key=_weight)
    section = Section(heading, tuple(new[:cap]), tuple(updates[:cap]), more=len(new[cap:]), doubted=doubted)
    return section, new[cap:] + updates[cap:]


def _weight(story: Story) -> tuple[int, float, int]:
    newest = max(report.item.published for report in story.reports)
    return (-len(story.outlets), -newest.timestamp(), story.lead.id)


def _heading(name: str, words: Mapping[str, str], language: str) -> str:
    return words.get(language) or words.get("en") or next(iter(words.values()), "") or name
