"""The feeds.yaml of a real worker that shows itself on the sample feeds: a digest in either language, each minute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ruamel.yaml import YAML

from monitor import resources
from monitor.demo.server import feeds_at
from monitor.model import Feed

CONFIG = "feeds.yaml"


def write_config(folder: Path, base: str) -> Path:
    """Write the feeds.yaml for the samples at `base` into a folder, and return its place."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / CONFIG
    place.write_text(config_text(resources.shipped_config().read_text("utf-8"), base), encoding="utf-8")
    return place


def config_text(shipped: str, base: str) -> str:
    """Return the feeds.yaml that came along, its rules as they are, but with other feeds and digests."""
    tree = YAML(typ="safe").load(shipped)
    tree["digests"] = [_digest("demo", "en"), _digest("demo-zh", "zh")]
    tree["feeds"] = [_entry(feed) for feed in feeds_at(base)]
    tree["polling"] = {"allow": [urlsplit(base).hostname]}
    return json.dumps(tree, ensure_ascii=False, indent=2)  # which is YAML too


def _digest(name: str, language: str) -> dict[str, Any]:
    return {
        "name": name,
        "to": ["you@demo.test"],
        "cron": "* * * * *",
        "timezone": "Asia/Shanghai",
        "language": language,
        "empty": "skip",
    }


def _entry(feed: Feed) -> dict[str, str]:
    entry = {"name": feed.name, "url": feed.url, "language": feed.language, "timezone": feed.timezone}
    return {key: value for key, value in entry.items() if value}
