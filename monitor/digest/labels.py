"""Every word that a digest says by itself, in English and Chinese; all else comes from the news.

A label is a text, or a pair (one, many) that `n` chooses from. Words in braces are filled in by `say`.
Around links and tags Chinese uses " | " and spaces: spam filters count a tag between two characters
that no space or ASCII mark parts as an attempt to hide a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

Label = str | tuple[str, str]

ENGLISH: Mapping[str, Label] = {
    "page": "en",
    "name": "Microsoft and OpenAI",
    "zone": "times in {zone}",
    "new": ("{n} new story {source}", "{n} new stories {source}"),
    "source": ("from {n} report", "from {n} reports"),
    "and_updates": (", {n} update to an earlier one", ", {n} updates to earlier ones"),
    "only_updates": (
        "No new stories, {n} update to an earlier one",
        "No new stories, {n} updates to earlier ones",
    ),
    "nothing": "Nothing new since {since}",
    "nothing_subject": "Nothing new on {name}",
    "silent": "No feed answers, so there may be news that is not told here",
    "silent_subject": "No feed answers: no news on {name}",
    "feeds_none": "No feeds are configured.",
    "feeds_all": ("The one feed answered.", "All {n} feeds answered."),
    "feeds_some": "{n} of {total} feeds answered.",
    "since": "{what}, since {since}",
    "more_troubles": ("and {n} more feed", "and {n} more feeds"),
    "also": "also ",
    "seen": "seen {time}",
    "continues": "continues a story of {day}",
    "matched": "Matched",
    "reads_like": "No keyword; reads like",
    "how_wrong": "Is one wrong, or under the wrong heading? Tell us by its number (#).",
    "more": "More",
    "outlets": ("{n} outlet", "{n} outlets"),
    "outlets_tail": (" ({n} outlet)", " ({n} outlets)"),
    "held": ("+{n} more story, not shown here", "+{n} more stories, not shown here"),
    "updates": "Updates to earlier stories",
    "fresh_outlets": ("+{n} outlet since {day}", "+{n} outlets since {day}"),
    "fresh_reports": ("+{n} report since {day}", "+{n} reports since {day}"),
    "no_theme": "Also about the two, no theme",
    "doubted": "Perhaps about the two: keywords match, the second opinion doubts it",
    "covers": "Covers {since} to {until}.",
    "list": "You are on the list ",
    "unsubscribe": "Unsubscribe by mail",
    "missed": "Report a miss",
    "other_stories": ("+{n} story", "+{n} stories"),
    "other_updates": ("+{n} update", "+{n} updates"),
    "untitled": "(no headline)",
    "preview": "Also: ",
    "comma": ", ",
    "listing": ", ",
    "between": ", ",
    "semicolon": "; ",
    "colon": ": ",
    "lead_in": ":",
    "stop": ".",
    "open": " (",
    "close": ")",
    "open_quote": "“",
    "close_quote": "”",
}

CHINESE: Mapping[str, Label] = {
    "page": "zh-Hans",
    "name": "微软与OpenAI",
    "zone": "时间均为{zone}",
    "new": "{n}条新消息，{source}",
    "source": "来自{n}篇报道",
    "and_updates": "，{n}条此前消息有新进展",
    "only_updates": "没有新消息，{n}条此前消息有新进展",
    "nothing": "{since}以来没有新消息",
    "nothing_subject": "{name}：没有新消息",
    "silent": "所有订阅源均无响应，可能有消息未能收录",
    "silent_subject": "所有订阅源均无响应：{name}暂无消息",
    "feeds_none": "尚未配置订阅源。",
    "feeds_all": "{n}个订阅源全部正常。",
    "feeds_some": "{total}个订阅源中{n}个正常。",
    "since": "{what}，始于{since}",
    "more_troubles": "另有{n}个订阅源",
    "also": "另涉 ",
    "seen": "{time}收录",
    "continues": "{day}消息的后续",
    "matched": "命中",
    "reads_like": "无关键词命中；近似用语",
    "how_wrong": "判断有误或归类不当？请注明编号（#）来信。",
    "more": "更多",
    "outlets": "共{n}家媒体",
    "outlets_tail": " | 共{n}家媒体",
    "held": "另有{n}条未在此列出",
    "updates": "此前消息的进展",
    "fresh_outlets": "{day}以来新增{n}家媒体",
    "fresh_reports": "{day}以来新增{n}篇报道",
    "no_theme": "两家公司的其他消息（未归类）",
    "doubted": "可能与两家公司有关（关键词命中，但复核存疑）",
    "covers": "涵盖{since}至{until}。",
    "list": "您在邮件列表 ",
    "unsubscribe": "邮件退订",
    "missed": "报告遗漏",
    "other_stories": "另有{n}条",
    "other_updates": "另有{n}条进展",
    "untitled": "（无标题）",
    "preview": "另有：",
    "comma": "，",
    "listing": "、",
    "between": " | ",
    "semicolon": "；",
    "colon": "：",
    "lead_in": "",
    "stop": "。",
    "open": "（",
    "close": "）",
    "open_quote": "“",
    "close_quote": "”",
}

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)
WEEKDAYS_ZH = "一二三四五六日"


def chinese(language: str) -> bool:
    """Return True for any tag of Chinese; every other language reads English labels."""
    return language.lower().split("-")[0] == "zh"


def say(language: str, key: str, **values: object) -> str:
    """Return the label `key` with its values filled in, singular when `n` is 1."""
    label = (CHINESE if chinese(language) else ENGLISH)[key]
    if isinstance(label, tuple):
        label = label[0] if values.get("n") == 1 else label[1]
    return label.format(**values)


def date(language: str, at: datetime) -> str:
    """Return the day in full: `Tuesday 24 November 2026`, `2026年11月24日 星期二`."""
    if chinese(language):
        return f"{at.year}年{at.month}月{at.day}日 星期{WEEKDAYS_ZH[at.weekday()]}"
    return f"{WEEKDAYS[at.weekday()]} {at.day} {MONTHS[at.month - 1]} {at.year}"


def day(language: str, at: datetime, this_year: int) -> str:
    """Return the day in short, the month as a word: `24 Nov`, with the year where it is not this one."""
    year = at.year != this_year
    if chinese(language):
        return (f"{at.year}年" if year else "") + f"{at.month}月{at.day}日"
    return f"{at.day} {MONTHS[at.month - 1][:3]}" + (f" {at.year}" if year else "")


def moment(language: str, at: datetime, this_year: int) -> str:
    """Return day and time in short: `24 Nov 05:10`, `11月24日 05:10`."""
    return f"{day(language, at, this_year)} {at:%H:%M}"
