"""The least that a reader can be: conditional requests one after the other, feedparser, and seen ids in a JSON file.

feedparser_loop.py URLS STATE
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import feedparser


def ask(url: str, state: dict[str, Any]) -> bytes | None:
    """Return the document, or None when it has not changed."""
    names = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
    headers = {header: state[name] for name, header in names.items() if state.get(name)}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:  # noqa: S310
            for name in names:
                state[name] = answer.headers.get(name)
            return answer.read()
    except urllib.error.HTTPError as e:
        if e.code == 304:
            return None
        raise


def main() -> None:
    """Poll each address once and print what is new."""
    path = Path(sys.argv[2])
    states: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for url in Path(sys.argv[1]).read_text("utf-8").split():
        state = states.setdefault(url, {"seen": []})
        body = ask(url, state)
        if body is None:
            continue
        seen = set(state["seen"])
        for entry in feedparser.parse(body).entries:
            if entry.id not in seen:
                print(entry.title)
                state["seen"].append(entry.id)
    path.write_text(json.dumps(states), "utf-8")


if __name__ == "__main__":
    main()
