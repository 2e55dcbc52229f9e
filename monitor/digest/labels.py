"""Every word that a digest says by itself, in English and Chinese; all else comes from the news.

A label is a text, or a pair (one, many) that `n` chooses from. Words in braces are filled in by `say`.
Around links and tags Chinese uses " | " and spaces: spam filters count a tag between two characters
that no space or ASCII mark parts as an attempt to hide a word.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from datetime import datetime, timedelta

from monitor.model import FeedTrouble, Trouble

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
    "too_early": "No feed has been asked yet, so there is nothing to tell",
    "too_early_subject": "No feed asked yet: no news on {name}",
    "feeds_none": "No feeds are configured.",
    "feeds_all": ("The one feed answered.", "All {n} feeds answered."),
    "feeds_some": "{n} of {total} feeds answered.",
    "feeds_unasked": ("{n} has not been asked yet", "{n} have not been asked yet"),
    "since": "{what}, since {since}",
    "and_doubtful": (", {n} doubtful", ", {n} doubtful"),
    "only_doubtful": ("No new stories, {n} doubtful one", "No new stories, {n} doubtful ones"),
    "usual": "usual {n}",
    "times": "{theme} is at {n} times its usual",
    "returns": "{theme} returns after {n} quiet days",
    "first": "{theme} has its first news in two weeks",
    "quiet": "{theme} is quiet (usual {n})",
    "failing": "Out of order: {names}",
    "failing_since": "{name} since {since}",
    "silent_feeds": "Unusually quiet: {names}",
    "other_feeds": "To look at: {names}",
    "silent_for": "{name} for {time} (usual: {usual})",
    "see_below": "{n} more (see the end)",
    "feeds": "State of the feeds",
    "more_feeds": ("and {n} more feed", "and {n} more feeds"),
    "feed_page": "answers with a web page in place of a feed",
    "feed_nothing": "answers with nothing",
    "feed_empty": "has had no entries since {since}",
    "feed_placeholder": "does not serve us: one placeholder in place of entries",
    "feed_stale": "answers, but its newest entry is of {since}",
    "feed_silent": "no news since {since}; usual is every {usual}",
    "feed_gap": (
        "entries came and went between two polls, once lately; poll it more often (every: …)",
        "entries came and went between two polls, {n} times lately; poll it more often (every: …)",
    ),
    "feed_future": "dates its entries in the future; the time they were first seen is taken instead",
    "feed_unreadable": "its dates cannot be read; the time they were first seen is taken instead",
    "feed_clock": "its server's clock is wrong, so its dates may be too",
    "feed_moved": "has moved for good; write its new address in feeds.yaml: {reason}",
    "feed_gone": "gone for good since {since} ({reason}); take it out of feeds.yaml",
    "days": ("{n} day", "{n} days"),
    "hours": ("{n} hour", "{n} hours"),
    "minutes": ("{n} minute", "{n} minutes"),
    "yesterday": "yesterday",
    "archive": "Microsoft and OpenAI: all editions of",
    "all_editions": "All editions",
    "search": "Search",
    "theme": "Theme",
    "all_themes": "all themes",
    "years": "Years",
    "update": "update",
    "found": ("{n} story", "{n} stories"),
    "also": "also ",
    "seen": "seen {time}",
    "continues": "continues a story of {day}",
    "matched": "Matched",
    "reads_like": "No keyword; reads like",
    "how_wrong": "Is one wrong, or under the wrong heading? Tell us by its number (#).",
    "more": "More",
    "outlets": ("{n} outlet", "{n} outlets in all"),
    "outlets_tail": (" ({n} outlet)", " ({n} outlets)"),
    "held": ("+{n} more story, not shown here", "+{n} more stories, not shown here"),
    "updates": "Updates to earlier stories",
    "more_updates": ("+{n} more update", "+{n} more updates"),
    "fresh_outlets": ("+{n} outlet since {day}", "+{n} outlets since {day}"),
    "fresh_reports": ("+{n} report since {day}", "+{n} reports since {day}"),
    "no_theme": "Also about the two, no theme",
    "doubted": "Perhaps about the two: keywords match, the second opinion doubts it",
    "covers": "Covers {since} to {until}.",
    "list": "You are on the list ",
    "record": "Earlier editions are kept in the archive of the worker that sends this.",
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
    "gap": " ",
    "open": " (",
    "close": ")",
    "open_quote": "“",
    "close_quote": "”",
    "late": "This also holds what could not be delivered since {since}.",
    "note_configuration": "an edit was not taken up, the last good configuration is in use: {fault}",
    "note_templates": "an edit of the templates was not taken up, the last good ones are in use: {fault}",
    "note_opinion": "the second opinion is not heard: {fault}",
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
    "too_early": "尚未抓取任何订阅源，暂无内容",
    "too_early_subject": "尚未抓取订阅源：{name}暂无消息",
    "feeds_none": "尚未配置订阅源。",
    "feeds_all": "{n}个订阅源全部正常。",
    "feeds_some": "{total}个订阅源中{n}个正常。",
    "feeds_unasked": "{n}个尚未抓取",
    "since": "{what}，始于{since}",
    "and_doubtful": "，另有{n}条存疑",
    "only_doubtful": "没有新消息，{n}条存疑",
    "usual": "平时{n}",
    "times": "{theme}为平时的{n}倍",
    "returns": "{theme}沉寂{n}天后再现",
    "first": "{theme}两周来首次出现",
    "quiet": "{theme}暂无消息（平时{n}条）",
    "failing": "异常：{names}",
    "failing_since": "{name}（{since}起）",
    "silent_feeds": "异常沉寂：{names}",
    "other_feeds": "需要留意：{names}",
    "silent_for": "{name}已{time}无更新（平时间隔{usual}）",
    "see_below": "另有{n}个（见文末）",
    "feeds": "订阅源状态",
    "more_feeds": "另有{n}个订阅源",
    "feed_page": "返回的是网页，而不是订阅源",
    "feed_nothing": "返回空白内容",
    "feed_empty": "{since}以来没有任何条目",
    "feed_placeholder": "拒绝服务，只返回一条占位信息",
    "feed_stale": "有回应，但最新条目停在{since}",
    "feed_silent": "{since}以来无更新，平时间隔{usual}",
    "feed_gap": "近来有{n}次在两次抓取之间漏掉条目，请缩短抓取间隔（every）",
    "feed_future": "条目日期在未来，改用首次发现的时间",
    "feed_unreadable": "条目日期无法识别，改用首次发现的时间",
    "feed_clock": "服务器时钟有误，日期可能不准",
    "feed_moved": "已永久迁移，请在 feeds.yaml 中更新地址：{reason}",
    "feed_gone": "{since}起永久停用（{reason}），请从 feeds.yaml 移除",
    "days": "{n}天",
    "hours": "{n}小时",
    "minutes": "{n}分钟",
    "yesterday": "昨天",
    "archive": "微软与OpenAI：全部简报",
    "all_editions": "全部简报",
    "search": "搜索",
    "theme": "主题",
    "all_themes": "全部主题",
    "years": "年份",
    "update": "后续",
    "found": "{n}条",
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
    "more_updates": "另有{n}条进展",
    "fresh_outlets": "{day}以来新增{n}家媒体",
    "fresh_reports": "{day}以来新增{n}篇报道",
    "no_theme": "两家公司的其他消息（未归类）",
    "doubted": "可能与两家公司有关（关键词命中，但复核存疑）",
    "covers": "涵盖{since}至{until}。",
    "list": "您在邮件列表 ",
    "record": "往期简报保存在发送程序的archive目录中。",
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
    "gap": "",
    "open": "（",
    "close": "）",
    "open_quote": "“",
    "close_quote": "”",
    "late": "本期另收录{since}以来未能送达的内容。",
    "note_configuration": "配置文件的修改有误，未被采用，仍沿用上一份可用的配置：{fault}",
    "note_templates": "模板的修改有误，未被采用，仍沿用上一份可用的模板：{fault}",
    "note_opinion": "复核未参与判断：{fault}",
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


def notice(language: str, note: str) -> str:
    """Return a note of the worker as a digest says it: its frame in the reader's language, the fault as it is."""
    for key in ("note_configuration", "note_templates", "note_opinion"):
        frame = say("en", key, fault="")
        if note.startswith(frame):
            return say(language, key, fault=note.removeprefix(frame))
    return note


def late(language: str, since: datetime, now: datetime, zone: dt.tzinfo) -> str:
    """Return the notice of an edition that also holds what did not arrive of those since then."""
    return say(language, "late", since=moment(language, since.astimezone(zone), now.astimezone(zone).year))


def wrong(language: str, trouble: FeedTrouble, since: str) -> str:
    """Return what is wrong with a feed, without its name; `since` is the time in words."""
    if trouble.kind is Trouble.FAILING:
        return trouble.reason
    key = f"feed_{trouble.reason if trouble.kind is Trouble.DATES else trouble.kind}"
    usual = duration(language, trouble.usual) if trouble.usual else ""
    number = int(trouble.reason) if trouble.kind is Trouble.GAP and trouble.reason.isdecimal() else 0
    return say(language, key, since=since or "?", usual=usual or "?", reason=trouble.reason, n=number)


def date(language: str, at: dt.date) -> str:
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


def since_day(language: str, at: datetime, now: datetime) -> str:
    """Return the day in short, or the word for yesterday; both times in the reader's zone."""
    if (now.date() - at.date()).days == 1:
        return say(language, "yesterday")
    return day(language, at, now.year)


def duration(language: str, time: timedelta) -> str:
    """Return a length of time in its largest unit that makes two or more: `3 days`, `36 hours`, `40 minutes`."""
    minutes = max(1, round(time.total_seconds() / 60))
    if minutes >= 48 * 60:
        return say(language, "days", n=round(minutes / 1440))
    if minutes >= 2 * 60:
        return say(language, "hours", n=round(minutes / 60))
    return say(language, "minutes", n=minutes)


def moment(language: str, at: datetime, this_year: int) -> str:
    """Return day and time in short: `24 Nov 05:10`, `11月24日 05:10`."""
    return f"{day(language, at, this_year)} {at:%H:%M}"
