"""What an edition says of itself in whole sentences, the same in the page and in the text part. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from monitor.digest.labels import duration, moment, say, wrong
from monitor.digest.prose import clean, cut
from monitor.model import Edition, FeedTrouble, Trouble

NAMED = 3
"""So many feeds are named at the top; all are at the end."""


class Sentences:
    """The sentences of one edition, in its language; times are those of `zone`."""

    def __init__(self, edition: Edition, zone: tzinfo) -> None:
        self._edition, self._zone = edition, zone
        self._language = edition.plan.language

    @property
    def count(self) -> str:
        """How many new stories there are, from how many reports; empty when there are none."""
        total, reports = self._edition.total, self._edition.reports
        return self._say("new", n=total, source=self._say("source", n=reports)) if total else ""

    @property
    def rest(self) -> str:
        """What else there is, to the full stop; a sentence of its own where there are no new stories."""
        edition = self._edition
        updates, doubtful = edition.updates_total, edition.doubtful
        tail = self._say("and_doubtful", n=doubtful) if doubtful else ""
        if edition.total:
            said = (self._say("and_updates", n=updates) if updates else "") + tail
        elif updates:
            said = self._say("only_updates", n=updates) + tail
        elif doubtful:
            said = self._say("only_doubtful", n=doubtful)
        else:
            what = "too_early" if edition.too_early else "silent" if edition.silent else "nothing"
            said = self._say(what, since=self._moment(edition.since))
        return said + self._say("stop")

    @property
    def changes(self) -> str:
        """What is unusual about the themes; empty when nothing is."""
        said = [
            self._say(trend.change, theme=clean(trend.theme.short or trend.theme.title), n=trend.amount)
            for trend in self._edition.trends
            if trend.change
        ]
        return self._say("semicolon").join(said) + self._say("stop") if said else ""

    @property
    def feeds(self) -> str:
        """The state of the feeds in one line."""
        edition, total, broken = self._edition, self._edition.feeds_total, len(self._edition.troubles)
        silent = [remark for remark in edition.remarks if remark.kind is Trouble.SILENT and remark.since]
        if not total:
            return self._say("feeds_none")
        if not broken and not edition.unasked:
            said = self._say("feeds_all", n=total)
        else:
            said = self._say("feeds_some", n=max(0, total - broken - edition.unasked), total=total)
        parts = []
        if edition.unasked:
            parts.append(self._say("feeds_unasked", n=edition.unasked))
        if broken:
            names = [
                self._say("failing_since", name=cut(t.name, 60), since=self._moment(t.since))
                if t.since
                else cut(t.name, 60)
                for t in edition.troubles
            ]
            parts.append(self._say("failing", names=self._named(names)))
        if silent:
            names = [
                self._say(
                    "silent_for",
                    name=cut(s.name, 60),
                    time=duration(self._language, edition.until - (s.since or edition.until)),
                    usual=duration(self._language, s.usual or timedelta()),
                )
                for s in silent
            ]
            parts.append(self._say("silent_feeds", names=self._named(names)))
        others = list(dict.fromkeys(cut(r.name, 60) for r in edition.remarks if r not in silent))
        if others:
            parts.append(self._say("other_feeds", names=self._named(others)))
        stop = self._say("stop")
        gap = "" if said.endswith("。") else " "
        return gap.join([said, *(part + stop for part in parts)])

    def trouble(self, trouble: FeedTrouble) -> str:
        """What is wrong with one feed, with its name, to the full stop."""
        since = self._moment(trouble.since) if trouble.since else ""
        what = f"{cut(trouble.name, 60)}{self._say('colon')}{cut(wrong(self._language, trouble, since), 500)}"
        if since and trouble.broken and trouble.kind is not Trouble.GONE:
            what = self._say("since", what=what, since=since)
        return what + self._say("stop")

    def _named(self, names: Sequence[str]) -> str:
        shown = list(names[:NAMED])
        if len(names) > NAMED:
            shown.append(self._say("see_below", n=len(names) - NAMED))
        return self._say("semicolon" if any("，" in name or ", " in name for name in shown) else "listing").join(shown)

    def _moment(self, at: datetime) -> str:
        local = at.astimezone(self._zone)
        return moment(self._language, local, self._edition.until.astimezone(self._zone).year)

    def _say(self, key: str, **values: object) -> str:
        return say(self._language, key, **values)
