"""The text of an article out of its page, and what its site lets robots read. Pure.

The only importer of trafilatura and protego, which are the extra `fulltext`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec

MAX_TEXT = 20_000
MAX_PAGE = 2 * 1024 * 1024
MAX_ROBOTS = 500 * 1024
"""RFC 9309, 2.5: so much of a robots.txt is to be read at least."""


def installed() -> bool:
    """Tell whether the extra is there."""
    return find_spec("trafilatura") is not None and find_spec("protego") is not None


def article(page: bytes, headers: Mapping[str, str], url: str) -> str:
    """Return the main text of a page, cut; empty where none is found or it is no page of text."""
    import trafilatura

    if "html" not in headers.get("content-type", "text/html").lower() or len(page) > MAX_PAGE:
        return ""
    try:
        text = trafilatura.extract(page, url=url, include_comments=False, include_tables=False)
    except Exception:  # whatever a parser of broken pages raises: the summary is good enough
        return ""
    words = " ".join((text or "").split())
    return words.encode("utf-8", "replace").decode()[:MAX_TEXT]


def allowed(robots: bytes, agent: str, url: str) -> bool:
    """Tell whether a robots.txt lets `agent` read `url` (RFC 9309).

    Its rules are for a product: what else a User-Agent says would match those for any `reader`.
    """
    import protego

    product = re.split(r"[/\s]", agent.strip(), maxsplit=1)[0]
    try:
        return bool(protego.Protego.parse(robots[:MAX_ROBOTS].decode("utf-8", "replace")).can_fetch(url, product))
    except Exception:  # a file that cannot be read forbids nothing
        return True
