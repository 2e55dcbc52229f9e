"""An edition with every kind of part, to try templates on and to tune the look by. Its news is invented. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from monitor.model import (
    DigestPlan,
    Edition,
    Evidence,
    FeedTrouble,
    Item,
    Judged,
    Section,
    Story,
    ThemeTitle,
    ToldStory,
    Trend,
    Trouble,
    Verdict,
)

UNTIL = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
_TITLES = {
    "en": (
        ("Computing needs and access rights", "Compute"),
        ("When AGI is reached", "AGI"),
        ("Internal competition", "Competition"),
    ),
    "zh": (("算力需求与使用权限", "算力"), ("何时实现通用人工智能", "AGI"), ("内部竞争", "竞争")),
}
_DAYS = ((2, 1, 1, 3, 1, 2, 1, 1, 2, 1, 1, 3, 2, 4), (0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2), (2, 3, 4) * 4 + (1, 2))


def sample(language: str = "en", plan: DigestPlan | None = None) -> Edition:
    """Return the sample in the words of `language`, as an edition of `plan` if that is given."""
    plan = plan or DigestPlan("sample", ("reader@example.com",), "30 7 * * *", "Asia/Shanghai", language)
    compute, agi, competition = (
        ThemeTitle(name, title, short)
        for name, (title, short) in zip(("compute", "agi", "competition"), _TITLES[plan.language], strict=True)
    )
    sections = (
        Section(
            compute,
            (
                Story((_OHIO, _OHIO_WIRE, _OHIO_ZH, _OHIO_AGAIN), ("compute", "competition")),
                Story((_CLUSTER, _CLUSTER_EN), ("compute",)),
            ),
            (Story((_TEXAS,), ("compute",), _TOLD),),
            more=2,
        ),
        Section(agi, (Story((_PANEL,), ("agi",)),)),
        Section(competition, (Story((_MODEL,), ("competition",)),)),
        Section(None, (Story((_STAKE,), ()), Story((_COURT,), ()))),
        Section(None, (Story((_ESSAY,), ("agi",)),), doubted=True),
    )
    return Edition(
        plan=plan,
        since=UNTIL - timedelta(days=1),
        until=UNTIL,
        sections=sections,
        reports=14,
        feeds_total=34,
        troubles=(FeedTrouble("Sample Post", "HTTP 403, forbidden", UNTIL - timedelta(hours=33)),),
        notices=("This is the sample: nothing in it happened.",),
        theme_titles=(compute, agi, competition),
        trends=(
            Trend(compute, 5, 1.6, _DAYS[0], "times", 3),
            Trend(agi, 2, 0.1, _DAYS[1], "returns", 10),
            Trend(competition, 2, 2.9, _DAYS[2]),
        ),
        remarks=(
            FeedTrouble("示例财经", "", UNTIL - timedelta(days=3), Trouble.SILENT, timedelta(hours=2)),
            FeedTrouble("Old Wire", "", UNTIL - timedelta(days=300), Trouble.STALE),
        ),
    )


def _report(
    number: int,
    title: str,
    outlet: str,
    summary: str = "",
    marks: tuple[str, ...] = (),
    *,
    hours: float = 3,
    alone: tuple[str, ...] = (),
    doubted: bool = False,
    dated: bool = True,
) -> Judged:
    language = "zh" if re.search("[一-鿿]", outlet) else "en"
    link = f"https://example.com/{number}"
    at = UNTIL - timedelta(hours=hours)
    item = Item("https://example.com/feed", str(number), link, title, summary, outlet, language, at, at, dated)
    evidence = tuple(
        Evidence("theme.compute", word, "summary", hit.start(), hit.end())
        for word in marks
        for hit in re.finditer(re.escape(word), summary)
    )
    return Judged(
        item,
        Verdict(True, evidence=evidence, alone=("coverage",) if alone else (), reads_like=alone, doubted=doubted),
        number,
    )


_OHIO = _report(
    101,
    "Microsoft restarts its Ohio campus and leaves OpenAI off the tenant list",
    "Example Journal",
    "The three sites paused in 2025 will host Microsoft's own models only; OpenAI's capacity there lapses in March,"
    " people briefed on the plan say.",
    ("own models", "capacity"),
)
_OHIO_WIRE = _report(102, "Microsoft to restart Ohio data center without OpenAI", "Sample Wire", hours=2)
_OHIO_ZH = _report(103, "微软重启俄亥俄园区，租户名单上没有OpenAI", "示例财经", hours=1)
_OHIO_AGAIN = _report(104, "Ohio is back on, minus OpenAI", "The Example", hours=1)
_CLUSTER = _report(
    105,
    "OpenAI首次把训练集群整体搬出Azure，微软放弃优先购买权",
    "某某科技",
    "新合同为期五年，由两家供应商分担。微软保留模型使用权至2032年。",
    ("使用权",),
    hours=4,
)
_CLUSTER_EN = _report(106, "OpenAI moves its training clusters off Azure", "Example Tech", hours=2)
_TEXAS = _report(107, "Oracle wants an OpenAI guarantee for Texas", "Sample Review", hours=5)
_TOLD = ToldStory(
    7,
    "Oracle asks OpenAI for a guarantee on its Texas halls",
    "https://example.com/90",
    "en",
    ("compute",),
    ("Sample Wire",),
    ("https://example.com/90",),
    ("Oracle asks OpenAI for a guarantee on its Texas halls",),
    UNTIL - timedelta(days=1),
)
_PANEL = _report(
    108,
    "The seven people who will decide whether a machine has become general",
    "Sample Review",
    "Redmond and its lab agreed on names after a year of talks. Their verdict starts a two-year clock.",
    hours=9,
    alone=("verdict", "general"),
)
_MODEL = _report(
    109,
    "Suleyman's group trains a model for Copilot that does without OpenAI",
    "Sample Wire",
    "It is to answer half of all requests by summer.",
    hours=6,
    dated=False,
)
_STAKE = _report(110, "Microsoft books a smaller loss on its OpenAI stake", "Sample Wire", hours=7)
_COURT = _report(111, "Judge sets a date in the copyright case against Microsoft and OpenAI", "Example Law", hours=8)
_ESSAY = _report(112, "What Microsoft and OpenAI could learn from a marriage counsellor", "Example Post", doubted=True)
