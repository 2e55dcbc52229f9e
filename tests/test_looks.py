"""How pages look in a browser: accessible in light and dark, nothing wider than a phone, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.digest.sample import sample
from monitor.model import Edition
from monitor.press import Desk, typeset
from monitor.resources import shipped_templates
from tests.browser import chromium, needs_chromium, overflow, page_of, violations
from tests.test_render import GOLDENS, HOSTILE, a_report, a_section, a_story, an_edition

pytestmark = needs_chromium
DESK = Desk(shipped_templates(), "Monitor <monitor@example.com>", "owner@example.com")
HOSTILE_EDITION = an_edition(
    a_section(
        "compute",
        *(
            a_story(a_report(text, text[:90], link=f"https://example.com/{'long' * 40}{number}", text=text))
            for number, text in enumerate(HOSTILE.values())
        ),
    )
)
EDITIONS = {**GOLDENS, "sample-en": sample("en"), "sample-zh": sample("zh"), "hostile": HOSTILE_EDITION}


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """One browser for all."""
    with chromium() as started:
        yield started


@pytest.mark.parametrize("name", EDITIONS)
def test_a_mail_is_accessible_and_fits_a_phone(name: str, browser: object, tmp_path: Path) -> None:
    """axe-core finds nothing in either scheme, and no line runs out of the window, however narrow."""
    edition: Edition = EDITIONS[name]
    file = tmp_path / "mail.html"
    file.write_text(typeset(edition, DESK)[1].html, encoding="utf-8")
    for scheme in ("light", "dark"):
        with page_of(browser, file, scheme=scheme) as page:  # type: ignore[arg-type]
            assert violations(page, mail=True) == []
            assert overflow(page) <= 0
    with page_of(browser, file, width=320) as page:  # type: ignore[arg-type]
        assert overflow(page) <= 0
