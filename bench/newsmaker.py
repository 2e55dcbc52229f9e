"""Invented news as feeds: RSS 2.0 and Atom half and half, every fifth feed in Chinese, the same for one seed."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from xml.sax.saxutils import escape

APART = timedelta(minutes=37)  # so that forty entries are a day
ABOUT_BOTH = 0.03
CHINESE_EVERY = 5

WHO = ["The regulator", "Harbour Lines", "A start-up from Tallinn", "The city council", "Norrland Steel", "Kestrel Air",
       "A consortium of utilities", "The central bank", "Lumen Foods", "The port authority", "Aster Motors",
       "A panel of judges", "Bluefin Health", "The ministry of transport", "Quarry & Sons"]  # fmt: skip
DID = ["delays", "approves", "sells", "expands", "questions", "doubles", "abandons", "reviews", "opens", "insures"]
WHAT = ["its battery plant", "the ferry timetable", "a fund for small farms", "the merger with a rival",
        "night trains to the coast", "a chip packaging line", "the water tariff", "its cloud contracts",
        "the audit of hospital software", "a data centre near the river", "rules for drones"]  # fmt: skip
WHY = ["after a quarter that surprised analysts", "while unions prepare for talks", "as costs of energy keep falling",
       "because two suppliers missed their dates", "although the minister had promised otherwise",
       "in spite of a warning from the insurers", "before the summer season begins"]  # fmt: skip
BOTH = ["Microsoft and OpenAI renegotiate their cloud agreement", "OpenAI buys computing power beside Microsoft Azure",
        "Microsoft’s stake in OpenAI under review by regulators", "OpenAI rivals Microsoft in office software",
        "Microsoft delays a data centre meant for OpenAI", "AGI clause divides Microsoft and OpenAI"]  # fmt: skip
WHO_ZH = ["监管机构", "港湾航运", "一家初创公司", "市议会", "北方钢铁", "央行", "交通部", "红隼航空", "蓝鳍医疗"]
DID_ZH = ["推迟", "批准", "出售", "扩建", "质疑", "放弃", "审查", "启动"]
WHAT_ZH = ["电池工厂", "轮渡时刻表", "小农基金", "与对手的合并", "夜间列车", "芯片封装线", "水价方案", "河边的数据中心"]
WHY_ZH = ["此前季度业绩出乎分析师意料", "与此同时工会正准备谈判", "因为两家供应商未能按期交货", "尽管部长曾另作承诺"]
BOTH_ZH = ["微软与OpenAI重新谈判云服务协议", "OpenAI在微软之外购买算力", "监管机构审查微软对OpenAI的投资"]


@dataclass(frozen=True)
class Entry:
    """One piece of news; `number` counts down from the newest."""

    link: str
    title: str
    summary: str
    at: datetime


def write_edition(folder: Path, feeds: int, entries: int, seed: int, now: datetime, *, newer: Sequence[int]) -> None:
    """Write all feeds; those whose number is in `newer` have one new entry, and the oldest no more."""
    folder.mkdir(parents=True)
    more = set(newer)
    for number in range(feeds):
        path = folder / file_name(number)
        path.write_bytes(document(number, entries, seed, now, newer=number in more))
        # Last-Modified in the future or of this second is not believed by every server and reader.
        stamp = (now - timedelta(minutes=4 if number in more else 90)).timestamp()
        os.utime(path, (stamp, stamp))


def link_edition(folder: Path, base: Path, feeds: int, entries: int, seed: int, now: datetime, newer: set[int]) -> None:
    """Write those feeds that have one new entry, and link the others from `base`."""
    folder.mkdir(parents=True)
    for number in range(feeds):
        path = folder / file_name(number)
        if number in newer:
            path.write_bytes(document(number, entries, seed, now, newer=True))
            stamp = (now - timedelta(minutes=4)).timestamp()
            os.utime(path, (stamp, stamp))
        else:
            path.hardlink_to(base / file_name(number))


def file_name(number: int) -> str:
    """Return the name of a feed's file."""
    return f"{number:05d}.{'atom' if number % 2 else 'rss'}"


def document(number: int, entries: int, seed: int, now: datetime, *, newer: bool) -> bytes:
    """Return one feed."""
    chance = random.Random(f"{seed}/{number}")  # noqa: S311 (no secret)
    news = list(_news(chance, number, entries + 1, now))
    shown = news[:-1] if newer else news[1:]
    return (_atom if number % 2 else _rss)(number, shown).encode()


def _news(chance: random.Random, number: int, count: int, now: datetime) -> Iterator[Entry]:
    write = _chinese if number % CHINESE_EVERY == 0 else _english
    for place in range(count):
        title, summary = write(chance)
        at = now - timedelta(minutes=10 + number % 7) - place * APART
        yield Entry(f"https://news{number}.example.com/2026/{chance.randrange(10**9):09d}?utm_source=rss", title,
                    summary, at.replace(microsecond=0))  # fmt: skip


def _english(chance: random.Random) -> tuple[str, str]:
    def sentence() -> str:
        return f"{chance.choice(WHO)} {chance.choice(DID)} {chance.choice(WHAT)} {chance.choice(WHY)}"

    title = chance.choice(BOTH) if chance.random() < ABOUT_BOTH else sentence()
    title = f"{title} ({chance.randrange(1000)})"
    return title, (
        f'<p><img src="https://img.example.com/{chance.randrange(10**6)}.jpg" alt="" /><b>{title}</b>, people with '
        f"knowledge of it said on {chance.choice(('Monday', 'Tuesday', 'Friday'))}.</p><p>{sentence()}. "
        f'{sentence()}.</p><p><a href="https://example.com/{chance.randrange(10**6)}">Read&nbsp;more &raquo;</a></p>'
    )


def _chinese(chance: random.Random) -> tuple[str, str]:
    def sentence() -> str:
        return f"{chance.choice(WHO_ZH)}{chance.choice(DID_ZH)}{chance.choice(WHAT_ZH)},{chance.choice(WHY_ZH)}"

    title = chance.choice(BOTH_ZH) if chance.random() < ABOUT_BOTH else sentence()
    title = f"{title}({chance.randrange(1000)})"
    return title, (
        f'<p><img src="https://img.example.com/{chance.randrange(10**6)}.jpg" alt="" /><b>{title}</b>。</p>'
        f'<p>{sentence()}。{sentence()}。</p><p><a href="https://example.com/{chance.randrange(10**6)}">阅读全文</a></p>'
    )


def _rss(number: int, entries: Sequence[Entry]) -> str:
    items = "".join(
        f"<item>\n<title>{escape(e.title)}</title>\n<link>{escape(e.link)}</link>\n"
        f'<guid isPermaLink="false">{escape(e.link.split("?")[0])}</guid>\n'
        f"<pubDate>{format_datetime(e.at)}</pubDate>\n<dc:creator>Staff</dc:creator>\n<category>News</category>\n"
        f"<description><![CDATA[{e.summary}]]></description>\n</item>\n"
        for e in entries
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'xmlns:atom="http://www.w3.org/2005/Atom">\n<channel>\n<title>News {number}</title>\n'
        f"<link>https://news{number}.example.com/</link>\n<description>Invented news</description>\n"
        f"<language>{_language(number)}</language>\n{items}</channel>\n</rss>\n"
    )


def _atom(number: int, entries: Sequence[Entry]) -> str:
    items = "".join(
        f'<entry>\n<title>{escape(e.title)}</title>\n<link rel="alternate" href="{escape(e.link)}"/>\n'
        f"<id>{escape(e.link.split('?')[0])}</id>\n<published>{_iso(e.at)}</published>\n<updated>{_iso(e.at)}</updated>\n"
        f'<author><name>Staff</name></author>\n<summary type="html"><![CDATA[{e.summary}]]></summary>\n</entry>\n'
        for e in entries
    )
    newest = entries[0].at if entries else datetime.now(UTC)
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" '
        f'xml:lang="{_language(number)}">\n<title>News {number}</title>\n<id>https://news{number}.example.com/</id>\n'
        f'<link href="https://news{number}.example.com/"/>\n<updated>{_iso(newest)}</updated>\n{items}</feed>\n'
    )


def _language(number: int) -> str:
    return "zh-CN" if number % CHINESE_EVERY == 0 else "en"


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
