"""What docs/recipes.md claims of its recipes, beyond that they can be typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from monitor import config
from tests.builders import ROOT
from tests.internet import Internet
from tests.pages import blocks, tables
from tests.stranger import Stranger

PAGE = ROOT / "docs" / "recipes.md"
# Invented after the recipe was written, to see what it is worth; nothing in it was changed for them.
WANTED = (
    "Google and Apple near agreement to put Gemini inside Siri, Bloomberg reports",
    "Apple tells court that losing Google's payments would hurt its services revenue",
    "Eddy Cue testifies that Apple looked at AI search instead of Google",
    "Cupertino leans on Mountain View for its assistant",
    "Why Apple needs Google more than ever",
    "Google's $20bn for Safari survives antitrust ruling",
    "Apple hires Google veteran to run its AI team",
    "Siri will run on Gemini, Apple confirms",
    "Apple and Google clash over app tracking rules",
    "Judge Mehta bars exclusive deals but spares Apple's payments from Google",
    "Alphabet and Apple executives testify on search default",
    "Apple drops Google Maps as a source for its flights data",
    "谷歌每年付给苹果的钱曝光",
    "苹果考虑放弃谷歌搜索，自研AI搜索",
    "库克与皮查伊会面，商谈AI合作",
)
LOOK_ALIKES = (
    "Apple, Google, Meta and Microsoft lobby against California bill",
    "Google Photos for iPad adds video editor",
    "Pixel 12 copies the iPhone's best camera trick",
    "Apple Watch deals: save $100 this week, plus Google Nest offers",
    "Apple beats earnings estimates on iPhone sales",
    "Google Cloud signs deal with Deutsche Bank",
    "Android 18 beta arrives with new icons",
    "The best tablets of the year from Apple, Samsung and Google",
    "Weekly roundup: Apple event, Google layoffs and Tesla recall",
    "Former Apple and Google engineers found robotics start-up",
    "How to transfer contacts from iPhone to Pixel",
    "Nasdaq falls as Apple and Google slide",
    "Google Chrome zero-day also affects iOS, update now",
    "苹果、谷歌、亚马逊发布财报",
    "iOS版谷歌地图更新",
)


def recipe() -> Any:
    """The file for another pair of companies."""
    [text] = [block.text for block in blocks(PAGE) if block.marks.get("file") == "apple.yaml"]
    return YAML().load(text)


def names_alone(tree: Any) -> None:
    """Leave out all that is not needed."""
    for key in ("relations", "against", "others", "masks"):
        del tree["coverage"][key]
    for company in tree["coverage"].values():
        del company["hints"], company["products"]


def as_it_stands(tree: Any) -> None:
    """Change nothing."""


def with_the_long_lists(tree: Any) -> None:
    """Take over what the shipped file says of news as such."""
    shipped = YAML().load(ROOT / "feeds.yaml")["coverage"]
    tree["coverage"].update({key: shipped[key] for key in ("relations", "against")})


@pytest.mark.parametrize(
    ("row", "change"),
    [(0, names_alone), (1, lambda tree: None), (2, with_the_long_lists)],
    ids=["names", "file", "lists"],
)
def test_another_pair_of_companies_is_worth_what_the_page_says(row: int, change: Any) -> None:
    """The counts of its table."""
    tree, out = recipe(), StringIO()
    change(tree)
    YAML().dump(tree, out)
    rules = config.understood(Path("apple.yaml"), out.getvalue().encode()).rules
    counts = [sum(config.try_title(rules, title).covered for title in some) for some in (WANTED, LOOK_ALIKES)]
    [rows] = [rows for heads, rows in tables(PAGE) if heads[0] == "file"]
    assert rows[row][1:] == [str(count) for count in counts]


def test_no_proxy_is_used(tmp_path: Path) -> None:
    """As the page says: whatever the environment names, feeds are asked directly."""
    with Internet(tmp_path) as internet:
        proxies = "export HTTP_PROXY=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9\n"
        done = Stranger(tmp_path, internet).type(f"{proxies}monitor feeds find example.com")
    assert "https://example.com/feed" in done.output
