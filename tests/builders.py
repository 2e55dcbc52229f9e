"""Small real inputs for tests: a feeds.yaml and feed documents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from xml.sax.saxutils import escape

from monitor import worker
from monitor.model import Message, Receipt, State
from monitor.store import Store

ROOT = Path(__file__).parent.parent
TEMPLATES = ROOT / "templates"


def config_text(feeds: Sequence[str], to: Sequence[str] = ("you@example.test",), at: str = "07:30") -> str:
    """A small feeds.yaml with one digest and three themes; it watches `feeds`."""
    lines = "\n".join(f"  - {url}" for url in feeds)
    return f"""\
digests:
  - name: morning
    to: [{", ".join(to)}]
    at: "{at}"
polling:
  {{allow: [127.0.0.0/8], contact: ops@example.test}}
feeds:
{lines}
coverage:
  microsoft: {{names: [Microsoft, 微软], hints: [Nadella]}}
  openai: {{names: [OpenAI], hints: [Altman]}}
  not: [Tesla Optimus]
themes:
  compute:
    title: {{en: Computing needs, zh: 算力}}
    keywords: [data centre OR data center, 算力]
  agi:
    title: {{en: When AGI is reached, zh: 通用人工智能}}
    keywords: [AGI]
  competition:
    title: {{en: Internal competition, zh: 竞争}}
    keywords: [rival]
"""


def feed_document(
    titles: Sequence[str], newest: datetime, name: str = "Example", apart: timedelta = timedelta(minutes=1)
) -> bytes:
    """An RSS 2.0 document: one item a title, each so much older than the one before."""
    items = "".join(
        f"<item><title>{escape(title)}</title><link>https://{name.lower()}.example.com/{hash_of(title)}</link>"
        f"<guid isPermaLink='false'>{name}-{hash_of(title)}</guid>"
        f"<pubDate>{format_datetime(newest - i * apart)}</pubDate>"
        f"<description>What {escape(title)} means.</description></item>"
        for i, title in enumerate(titles)
    )
    return (
        f"<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel><title>{escape(name)}</title>"
        f"<link>https://{name.lower()}.example.com/</link><description>d</description>{items}</channel></rss>"
    ).encode()


class Taker:
    """A sender to whom every message can be given."""

    def __init__(self) -> None:
        self.taken: list[Message] = []

    def open(self, recipient: str = "") -> None:
        """Nothing to open."""

    def __call__(self, message: Message) -> Receipt:
        """Take it."""
        self.taken.append(message)
        return Receipt(State.SENT, "250 taken")

    def close(self) -> None:
        """Nothing to close."""

    def stop(self) -> None:
        """Nothing to stop."""


def delivered(store: Store, now: datetime) -> list[Message]:
    """Let everything that is due reach its readers; return what they got."""
    sender = Taker()
    worker.deliver(store, sender, lambda: now)
    return sender.taken


def hash_of(title: str) -> str:
    """A short name that depends on the words alone, in every process."""
    return f"{int.from_bytes(title.encode()) % 10**12}"
