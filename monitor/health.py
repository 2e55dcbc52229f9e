"""Is it alive, and is it telling the truth: what is wrong with a worker, from what it wrote down. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from monitor import slots
from monitor.errors import without_credentials
from monitor.model import DigestPlan, FeedState, JobRun, State

POLL_STALLED = timedelta(minutes=15)
EDITION_LATE = timedelta(minutes=30)
DELIVERY_STUCK = timedelta(minutes=30)
"""Servers that put a mail off (greylisting) take it within minutes."""
ALL_SILENT = timedelta(minutes=15)
"""So long every feed must have failed; less is a network that is coming up."""


def problems(
    *,
    now: datetime,
    running: bool,
    jobs: Mapping[str, JobRun],
    states: Sequence[FeedState],
    digests: Sequence[tuple[DigestPlan, datetime | None]],
    deliveries: Sequence[tuple[str, State, str, datetime]],
    notes: Mapping[str, str],
) -> list[str]:
    """Return one line for each thing wrong; none when polling and sending really work.

    `running`: a worker holds the data folder; `states` are those of the enabled feeds that were polled; `digests` pair
    each plan with the end of its last edition.
    """
    return [
        *_polling(now, jobs, states, running=running),
        *(f"{name}: the last run failed: {run.error}" for name, run in jobs.items() if run.error and name != "poll"),
        *_editions(now, digests),
        *_stuck(now, deliveries),
        *notes.values(),
    ]


def _polling(now: datetime, jobs: Mapping[str, JobRun], states: Sequence[FeedState], *, running: bool) -> list[str]:
    lines = []
    poll = jobs.get("poll")
    if not running:
        lines.append("worker: none is running on this data folder; start it with: monitor run")
    if poll and poll.error:
        lines.append(f"poll: the last run failed: {poll.error}")
    # A first poll still under way is no fault: a container is judged from its first minute.
    last = poll and (poll.finished or poll.started)
    if running and last and now - last > POLL_STALLED:
        lines.append(f"poll: has not finished since {last:%Y-%m-%d %H:%M} UTC")
    if states and all(state.failing_since and now - state.failing_since > ALL_SILENT for state in states):
        lines.append(
            f"feeds: all {len(states)} failed the last time; {without_credentials(states[0].url)}: {states[0].error}"
        )
    return lines


def _editions(now: datetime, digests: Sequence[tuple[DigestPlan, datetime | None]]) -> list[str]:
    lines = []
    for plan, last in digests:
        if last is None:
            lines.append(f"digest {plan.name}: is not known to the worker yet; is it running?")
            continue
        missed = slots.missed_slot(plan.cron, plan.timezone, last, now)
        if missed and now - missed > EDITION_LATE:
            lines.append(f"digest {plan.name}: the edition of {missed:%Y-%m-%d %H:%M} UTC is overdue")
    return lines


def _stuck(now: datetime, deliveries: Sequence[tuple[str, State, str, datetime]]) -> list[str]:
    return [
        f"delivery to {recipient}: {state} since {created:%Y-%m-%d %H:%M} UTC: {detail or 'no answer yet'}"
        for recipient, state, detail, created in deliveries
        if state is State.REFUSED or now - created > DELIVERY_STUCK
    ]
