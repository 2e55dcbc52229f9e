"""What `monitor check --online` prints."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from monitor.cli_common import now, print_table, progress, say, second

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.online import Finding
    from monitor.settings import Settings

HEADS = ("feed", "answer", "format", "items", "hits", "newest (UTC)", "age", "encoding", "KB", "s", "failure")


def ask_feeds(used: Settings) -> int:
    """Ask each feed once, print what it answers, and return the exit status that this is worth."""
    from monitor import online

    if not used.enabled:
        say(f"{used.path}: no feed is enabled, so none was asked")
        return 0
    at = now()
    with progress("asking feeds", len(used.enabled)) as step:
        findings = online.ask(used, second(used), at, tell=step)
    rows = [(*_row(one, at), one.failure) for one in sorted(findings, key=lambda one: one.failed)]
    # A sentence would squeeze the columns of a terminal; there it stands below, with the place to mend.
    count = len(HEADS) - sys.stdout.isatty()
    print_table(HEADS[:count], [row[:count] for row in rows])
    sys.stdout.flush()
    places = _places(used)
    for one in findings:
        remarks = (": ".join((one.failure, *one.remarks[:1])), *one.remarks[1:]) if one.failed else one.remarks
        for remark in remarks:
            say(f"{used.path}{places.get(one.feed.url, '')}: {_called(one)}: {remark}")
    failed = sum(one.failed for one in findings)
    print(
        f"{len(findings)} feeds: {len(findings) - failed} answered, {failed} failed; "
        f"{sum(one.items for one in findings)} items, {sum(one.hits for one in findings)} hits; nothing was stored"
    )
    return online.exit_status(findings)


def _called(one: Finding) -> str:
    return one.feed.name or one.title or one.feed.address


def _row(one: Finding, at: datetime) -> tuple[str, ...]:
    return (
        _called(one),
        str(one.status or "none"),
        one.format,
        "" if one.failed else str(one.items),
        str(one.hits or ""),
        f"{one.newest:%Y-%m-%d %H:%M}" if one.newest else "",
        _ago(at - one.newest) if one.newest else "",
        one.encoding,
        f"{one.size / 1024:.0f}" if one.size else "",
        f"{one.seconds:.2f}",
    )


def _ago(age: timedelta) -> str:
    """Return an age in its largest unit."""
    minutes = max(age, timedelta()) // timedelta(minutes=1)
    if minutes < 60:
        return f"{minutes}m"
    return f"{minutes // 60}h" if minutes < 48 * 60 else f"{minutes // (24 * 60)}d"


def _places(used: Settings) -> Mapping[str, str]:
    """Return `:LINE` for each feed, by address; nothing where the file changed meanwhile or cannot be told apart."""
    from monitor import lists
    from monitor.errors import MonitorError

    try:
        entries = lists.entries(lists.read(used.path)[1], str(used.path))
    except MonitorError:
        return {}
    return {entry.url: f":{entry.line}" for entry in entries}
