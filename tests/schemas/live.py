"""Four days in the life of a monitor, lived by whatever version of the program is imported. `make.py` runs it.

    python live.py FOLDER    with that version on the path; leaves FOLDER/monitor.db and prints what it holds

Only what every version has had is used, for this file must run with all of them: what changed is asked for. Everything
in it is our own writing; nothing of it happened.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BEGIN = datetime(2026, 11, 20, 5, 30, tzinfo=UTC)
DAY = timedelta(days=1)
RECIPIENTS = tuple(f"{name}@example.com" for name in ("reader", "later", "unknown", "refused", "killed"))
"""What becomes of the second mail to each is in the name; the first reaches everybody, the third nobody yet."""
CONFIG = """\
digests:
  - name: morning
    to: [{to}]
    at: "13:30"
    timezone: Asia/Shanghai
feeds:
{feeds}
coverage:
  microsoft: {{names: [Microsoft, 微软]}}
  openai: {{names: [OpenAI]}}
themes:
  compute:
    title: {{en: Computing needs, zh: 算力}}
    keywords: [data centre OR data center, 算力]
  agi:
    title: {{en: When AGI is reached, zh: 通用人工智能}}
    keywords: [AGI, 通用人工智能]
"""
NEWS = {
    "/en.xml": (
        "Microsoft halts a data centre that OpenAI wanted",
        "Microsoft and OpenAI quarrel over what AGI means",
        "OpenAI rents a data centre that is not of Microsoft",
        "Microsoft lets OpenAI into its newest data centre",
        "Microsoft and OpenAI name a panel that declares AGI",
    ),
    "/zh.xml": (
        "微软与OpenAI为算力使用权重新谈判",
        "微软称OpenAI的通用人工智能条款不变",
        "OpenAI与微软共建的算力中心推迟交付",
        "微软向OpenAI开放更多算力",
        "OpenAI与微软商定通用人工智能的认定办法",
    ),
}
"""What each feed says: one headline a day, the last of them after the fourth day."""


def document(path: str, days: int) -> bytes:
    """Return the feed at `path` as it is after so many days, the newest first."""
    items = "".join(
        f"<item><title>{title}</title><link>https://example.com{path}/{day}</link><guid>{path}{day}</guid>"
        f"<pubDate>{format_datetime(BEGIN + day * DAY - timedelta(hours=2))}</pubDate>"
        f"<description>{title}: what is known, and what is not.</description></item>"
        for day, title in reversed(list(enumerate(NEWS[path][:days])))
    )
    head = f"<title>Sample {path[1:3]}</title><link>https://example.com/</link><description>d</description>"
    return f"<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel>{head}{items}</channel></rss>".encode()


@contextmanager
def _served(pages: dict[str, bytes]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.get(self.path, b"")
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "application/rss+xml")
            self.send_header("ETag", f'"{len(body)}"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


class Moody:
    """A mail server of many minds: what it answers is in the recipient's name."""

    def open(self, *recipient: str) -> None:
        """It is always there."""

    def close(self) -> None:
        """Nothing is held."""

    def __call__(self, message: Any) -> Any:
        from monitor.model import Receipt, State

        match message.recipient.partition("@")[0]:
            case "later":
                return Receipt(State.PENDING, "451 4.7.1 come back later")
            case "unknown":
                return Receipt(State.UNKNOWN, "the connection was lost after the message")
            case "refused":
                return Receipt(State.REFUSED, "550 5.1.1 no such user")
            case "killed":
                raise SystemExit
        return Receipt(State.SENT, "250 2.0.0 accepted")


def live(folder: Path) -> dict[str, int]:
    """Live through the four days in `folder`; return how many rows each table has."""
    from monitor import config, resources, worker
    from monitor.digest.mail import FileSender
    from monitor.store import Store

    try:
        from monitor import press
    except ImportError:
        where_desk_is: Any = worker  # in an earlier version
    else:
        where_desk_is = press
    pages = {path: document(path, 1) for path in NEWS} | _samples(BEGIN)
    with _served(pages) as base, Store(folder / "monitor.db") as store:
        path = folder / "feeds.yaml"
        feeds = "\n".join(f"  - {base}{path}" for path in pages)
        path.write_text(CONFIG.format(to=", ".join(RECIPIENTS), feeds=feeds), encoding="utf-8")
        settings = config.load(path)
        if "manners" in settings.__dataclass_fields__:
            from monitor.model import Manners

            settings = replace(settings, manners=Manners(allow=("127.0.0.0/8",)))
        desk = where_desk_is.Desk(
            resources.templates(path), "Sample Monitor <monitor@example.com>", "owner@example.com"
        )
        for number in range(4):
            now = BEGIN + number * DAY
            clock = partial(_same, now)
            pages |= {path: document(path, number + 1) for path in NEWS}
            store.begin_job("poll", now)
            worker.meet_digests(settings, store, now)
            worker.poll(settings, store, clock, everything=True)
            store.end_job("poll", now)
            if number == 3:  # what came in last waits for its edition
                break
            worker.digest(settings, settings.digests[0], store, desk, now, slot=now)
            if number < 2:
                sender: Any = Moody() if number else FileSender(folder / "outbox")
                try:
                    worker.deliver(store, sender, clock)
                except SystemExit:
                    store.begin_job("editions", now)
        store.note("configuration", "feeds.yaml:7:3: a fault of long ago", BEGIN)
        _say_more(store)
    return _counts(folder / "monitor.db")


def _same(now: datetime) -> datetime:
    return now


def _samples(now: datetime) -> dict[str, bytes]:
    """Return some of the demo's feeds, as that version has them."""
    from monitor.demo.server import document as sample

    return {f"/{name}": sample(name, now) for name in ("example-journal.xml", "the-example.rdf", "shili-caijing.xml")}


def _say_more(store: Any) -> None:
    """Write what only later versions know of."""
    if hasattr(store, "save_label"):
        from monitor.model import Label

        title = NEWS["/en.xml"][0]
        store.save_label(
            Label("https://example.com/en.xml/0", title, "", "en", "Sample en", True, ("compute",), False, BEGIN)
        )
    if hasattr(store, "index_words"):
        store.index_words(limit=20)  # the others wait for their turn


def _counts(database: Path) -> dict[str, int]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(database)) as conn:
        tables = conn.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%fts%' AND name NOT LIKE 'sqlite%'"
        )
        return {name: conn.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in tables.fetchall()}


if __name__ == "__main__":
    print(json.dumps(live(Path(sys.argv[1]))))
