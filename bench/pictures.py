"""Pictures for the README: the demo's digest and archive as a phone and a desk show them, light and dark.

Run with `make pictures`; needs Chromium. The news is invented (monitor/demo/feeds), the date is fixed.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser

from monitor.demo.run import tour
from tests.browser import chromium

OUT = Path(__file__).parent.parent / "docs" / "pictures"
NOW = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
PHONE, DESK = (375, 812), (720, 900)


def shoot(browser: Browser, page_file: Path, name: str, size: tuple[int, int], scheme: str) -> None:
    """Write the top of a page as a picture."""
    width, height = size
    scale = 2 if width < 500 else 1
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=scale
    )
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.screenshot(path=OUT / f"{name}.png")
    context.close()


def main() -> None:
    """Take them all."""
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folders = {language: Path(scratch) / language for language in ("en", "zh")}
        pages = {}
        for language, folder in folders.items():  # before the browser, whose library keeps an event loop running
            folder.mkdir()
            pages[language] = tour(folder, language, lambda: NOW).page
        with chromium() as browser:
            for language, page in pages.items():
                for device, size in (("phone", PHONE), ("desk", DESK)):
                    for scheme in ("light", "dark"):
                        shoot(browser, page, f"{language}-{device}-{scheme}", size, scheme)
            shoot(browser, folders["en"] / "archive" / "index.html", "archive", DESK, "light")
    for picture in sorted(OUT.iterdir()):
        print(f"{picture.relative_to(OUT.parent.parent)}  {picture.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
