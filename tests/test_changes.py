"""What an edit changed, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor import config
from monitor.changes import changes, counts, in_words
from monitor.settings import Settings
from tests.builders import config_text

BEFORE = config_text(["https://a.example.com/rss", "https://b.example.com/rss"])
MANY = [f"https://{number}.example.com/rss" for number in range(10)]


def read(text: str) -> Settings:
    """Read a feeds.yaml."""
    return config.understood(Path("feeds.yaml"), text.encode())


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("AGI]", "AGI]  # mine", "only comments or layout"),
        ("  - https://b.example.com/rss\n", "", "feeds removed: https://b.example.com/rss"),
        (
            "  - https://b.example.com/rss\n",
            "  - {name: 量子位, url: https://c.example.com/rss}\n",
            "feeds added: 量子位; feeds removed: https://b.example.com/rss",
        ),
        (
            "  - https://b.example.com/rss\n",
            "  - {url: https://b.example.com/rss, every: 3h}\n",
            "feeds changed: https://b.example.com/rss",
        ),
        (
            "  - https://b.example.com/rss\n",
            "".join(f"  - {url}\n" for url in ["https://b.example.com/rss", *MANY]),
            "feeds added: https://0.example.com/rss, https://1.example.com/rss, https://2.example.com/rss, and 7 more",
        ),
        ("/rss\n", "/rss\n  - https://me:secret@c.example.com/rss\n", "feeds added: https://c.example.com/rss"),
        ("keywords: [AGI]", "keywords: [AGI, 通用人工智能]", "keywords of agi added: 通用人工智能"),
        ("keywords: [AGI]", "keywords: [ASI]", "keywords of agi added: ASI; keywords of agi removed: AGI"),
        ("keywords: [AGI]", f"keywords: [AGI, {'long ' * 20}]", f"keywords of agi added: {('long ' * 20)[:59]}…"),
        ("keywords: [AGI]", "keywords: [AGI]\n    not: [Agilent]", "not of agi added: Agilent"),
        ("keywords: [AGI]", "keywords: [AGI]\n    threshold: 2", "threshold of agi changed: 1 → 2"),
        ("not: [Tesla Optimus]", "not: []", "coverage.not removed: Tesla Optimus"),
        ("hints: [Altman]", "hints: [Altman, 奥特曼]", "hints of openai added: 奥特曼"),
        ("names: [OpenAI]", "names: [OpenAI, Open AI]", "names of openai added: Open AI"),
        ("coverage:", "coverage:\n  anthropic: {names: [Anthropic]}", "companies added: anthropic"),
        ("coverage:", "coverage:\n  threshold: 4", "coverage.threshold changed: 3 → 4"),
        ("  competition:", "  rivalry:", "themes added: rivalry; themes removed: competition"),
        ("en: When AGI is reached", "en: AGI", "other settings changed: title"),
        ("morning", "noon", "digests added: noon; digests removed: morning"),
        ('at: "07:30"', 'at: "08:00"', "digests changed: morning"),
        ("feeds:", "retention: 30d\nhealth: {failing: 5}\nfeeds:", "other settings changed: health, retention"),
        ("feeds:", "second_opinion: blend\nfeeds:", "other settings changed: second_opinion"),
        ("contact: ops@", "contact: you@", "other settings changed: polling"),
    ],
)  # fmt: skip
def test_an_edit_is_said_in_a_line(old: str, new: str, line: str) -> None:
    """By names; many are counted, passwords hidden."""
    assert old in BEFORE
    after = BEFORE.replace(old, new, 1) if old == "/rss\n" else BEFORE.replace(old, new)
    assert in_words(changes(read(BEFORE), read(after))) == line


def test_a_feed_with_another_address_keeps_its_name() -> None:
    """It changed, rather than one going and another coming."""
    one = BEFORE.replace("  - https://b.example.com/rss\n", "  - {name: B, url: https://b.example.com/rss}\n")
    assert in_words(changes(read(one), read(one.replace("b.example", "c.example")))) == "feeds changed: B"


def test_nothing_differs_from_itself() -> None:
    """Neither the small file nor the shipped one."""
    shipped = Path(__file__).parent.parent / "feeds.yaml"
    assert changes(read(BEFORE), read(BEFORE)) == ()
    assert changes(config.load(shipped), config.load(shipped)) == ()


def test_machines_are_given_figures_whose_names_are_always_the_same() -> None:
    """Keywords of all themes are one figure."""
    text = BEFORE.replace("[AGI]", "[AGI, ASI]").replace("[rival]", "[foe, enemy]").replace("Nadella", "Suleyman")
    assert counts(changes(read(BEFORE), read(text))) == {
        "hints_added": 1, "hints_removed": 1, "keywords_added": 3, "keywords_removed": 1,
    }  # fmt: skip
    other = BEFORE.replace("feeds:", "retention: 30d\nfeeds:")
    assert counts(changes(read(BEFORE), read(other))) == {"other_settings_changed": 1}
