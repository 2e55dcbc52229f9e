"""A headless Chromium for tests that look at pages, where the machine has one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="looks at pages in Chromium, and none is installed (on Debian: apt install chromium)"
)
# Nothing but the page at hand: no updates, no look-ups at start.
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
          "--disable-component-update", "--disable-sync"]  # fmt: skip
# Landmarks are stripped by mail programs, so mails have none.
_MAIL_RULES = {"region": {"enabled": False}, "landmark-one-main": {"enabled": False}}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium and end it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(browser: Browser, file: Path, *, width: int = 375, scheme: str = "light") -> Iterator[Page]:
    """Open a file as `file://`; a page that asks the network for anything fails the test."""
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme=scheme,  # type: ignore[arg-type]
        bypass_csp=True,
    )
    asked: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    try:
        page.goto(file.as_uri())
        yield page
    finally:
        context.close()
    assert [url for url in asked if not url.startswith("file://")] == []


def violations(page: Page, *, mail: bool = False) -> list[str]:
    """Return what axe-core finds wrong (WCAG 2.2 A and AA, best practices)."""
    from axe_playwright_python.sync_playwright import Axe

    options = {
        "runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"],
        "rules": _MAIL_RULES if mail else {},
    }
    found = Axe().run(page, options=options).response["violations"]
    return [f"{fault['id']}: {fault['nodes'][0]['html'][:120]}" for fault in found]


def overflow(page: Page) -> int:
    """Return how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
