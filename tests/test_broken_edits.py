"""Edits of feeds.yaml that went wrong: where a person must look, what is said, and that no worker stops for any.

Each is a likely slip in a file of some fifty lines. Line and column are those of the slip, which is often not where a
parser of YAML loses its way.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import config, press, remarks
from monitor.cli_faults import excerpt
from monitor.digest.mail import FileSender
from monitor.errors import ConfigError, Fault
from monitor.schedule import Office, Runner
from monitor.store import Store
from tests.builders import ROOT, TEMPLATES

SAMPLE = """\
# who is told
digests:
  - name: morning
    to: [you@example.com]
    at: "07:30"
    timezone: Asia/Shanghai
    language: en
    empty: skip
    themes: [compute, agi]
  - name: evening
    to:
      - you@example.com
    cron: "30 19 * * mon-fri"
polling:
  shortest: 15m
  longest: 2h
feeds:
  # the vendors
  - https://example.com/rss
  - name: Second
    url: https://example.org/feed
    timezone: Europe/London
    every: 30m
    enabled: yes
  - {name: 量子位, url: https://www.qbitai.com/feed, language: zh}
coverage:
  microsoft:
    names: [Microsoft, 微软]
    hints:
      - Nadella OR 纳德拉
  openai:
    names: [OpenAI]
    hints: [Altman]
  not:
    - Optimus robot
themes:
  compute:
    title: {en: Compute, zh: 算力}
    keywords:
      - data center AND (pause OR halt)
      - '"right of first refusal"'
      - computing power OR computing capacity OR compute need OR processing power
        OR horsepower
    not: [crowd]
    examples:
      hits: ["Microsoft and OpenAI halt a data center"]
      misses:
        - Microsoft and OpenAI at lunch
  agi:
    keywords: [AGI]
    threshold: 1.0
health:
  stale: 14d
"""
NBSP, WIDE, ZERO = "\u00a0", "\u3000", "\u200b"


@dataclass(frozen=True)
class Slip:
    """An edit, and what is to be said of it: line, column, and a piece of the message."""

    old: str
    new: str
    line: int
    column: int
    words: str

    def __str__(self) -> str:
        return f"{self.old!r} to {self.new!r}"[:90]

    @property
    def text(self) -> str:
        assert SAMPLE.count(self.old) == 1, self.old
        return SAMPLE.replace(self.old, self.new)


FAULTS = [
    # --- keys
    Slip("themes:\n  compute", "themse:\n  compute", 36, 1, "themse: unknown key; did you mean themes?"),
    Slip("    language: en", "    langauge: en", 7, 5, "did you mean language?"),
    Slip("    every: 30m", "    Every: 30m", 23, 5, "did you mean every?"),
    Slip("    keywords: [AGI]", "    keyword: [AGI]", 50, 5, "did you mean keywords?"),
    Slip("  shortest: 15m", "  shortst: 15m", 15, 3, "did you mean shortest?"),
    Slip("  stale: 14d", "  stall: 14d", 53, 3, "did you mean stale?"),
    Slip("    hints: [Altman]", "    hint: [Altman]", 33, 5, "did you mean hints?"),
    Slip("      misses:", "      mises:", 47, 7, "did you mean misses?"),
    Slip("    every: 30m", "    keywords: [x]", 23, 5, "keywords belongs under a theme"),
    Slip("    threshold: 1.0", "    timezone: UTC", 51, 5, "timezone belongs under"),
    Slip("  agi:\n    key", "agi:\n    key", 49, 1, "agi belongs under themes"),
    Slip("  openai:\n    names", "openai:\n    names", 31, 1, "openai begins at the left edge"),
    Slip("    every: 30m", "    every: 30m\n    every: 1h", 24, 5, "it stands in line 23 already"),
    Slip("  agi:\n", "  compute:\n", 49, 3, "'compute': duplicate key; it stands in line 37 already"),
    Slip("health:", "feeds: []\nhealth:", 52, 1, "'feeds': duplicate key; it stands in line 17 already"),
    # --- tabs, spaces, columns
    Slip("    language: en", "\tlanguage: en", 7, 1, "a tab is used for indentation"),
    Slip("  - name: Second", "  -\tname: Second", 20, 4, "a tab stands here"),
    Slip("    language: en", "      language: en", 7, 7, "in column 7 and the line above it, 6, in column 5"),
    Slip("    language: en", "   language: en", 7, 4, "column 5 to go with timezone (line 6)"),
    Slip("  openai:\n", " openai:\n", 31, 2, "column 3 to go with microsoft (line 27)"),
    Slip("  openai:\n", "   openai:\n", 31, 4, "column 3 to go with microsoft (line 27)"),
    Slip("  - name: evening", " - name: evening", 10, 2, "column 3 to go with the dash (line 3)"),
    Slip("      - '\"right", "        - '\"right", 41, 9, "put the dashes of a list in one column"),
    Slip("      - '\"right", "     - '\"right", 41, 6, "column 7 to go with the dash (line 40)"),
    Slip("        OR horsepower", "     OR horsepower: 2", 43, 6, "the indentation fits nothing above"),
    Slip("    every: 30m", NBSP * 4 + "every: 30m", 23, 1, "no-break space, U+00A0"),
    Slip("    every: 30m", WIDE * 2 + "every: 30m", 23, 1, "ideographic space, U+3000"),
    Slip("    every: 30m", f"  {NBSP} every: 30m", 23, 3, "no-break space, U+00A0"),
    Slip("    every: 30m", f"    {ZERO}every: 30m", 23, 5, "zero width space, U+200B"),
    Slip("    every: 30m", "    \ufeffevery: 30m", 23, 5, "U+FEFF"),
    Slip("    every: 30m", f"    every:{NBSP}30m", 23, 11, "the space behind the colon is no plain one"),
    # --- colons and dashes
    Slip("  openai:\n", "  openai\n", 31, 9, "a colon is missing behind openai"),
    Slip("coverage:\n", "coverage\n", 26, 9, "a colon is missing behind coverage"),
    Slip("    every: 30m", "    every 30m", 23, 10, "a colon is missing behind every: write every: 30m"),
    Slip("    every: 30m", "    every:30m", 23, 10, "a space is missing behind the colon: write every: 30m"),
    Slip("{en: Compute,", "{en:Compute,", 38, 15, "a space is missing behind the colon: write en: Compute"),
    Slip("  - https://example.com/rss", "  -https://example.com/rss", 19, 3, "a space is missing behind the dash"),
    Slip("  - name: Second", "  -name: Second", 20, 3, "a space is missing behind the dash"),
    Slip("      - data center", "      data center", 40, 7, "begin this line with a dash"),
    Slip("    every: 30m", "    every：30m", 23, 10, "the colon is a full-width one"),
    Slip("themes:\n  comp", "themes：\n  comp", 36, 7, "the colon is a full-width one"),
    Slip("  - name: Second", "  － name: Second", 20, 3, "is not the plain one: write - and a space"),
    Slip("name: Second", "name: Second: news", 20, 17, 'put the value in quotes: name: "Second: news"'),
    Slip("      - data center AND (pause OR halt)", "      - data center: pause", 40, 9, "'data center: pause'"),
    Slip("data center AND (pause OR halt)", "title: pause", 40, 9, "write title:pause without the space"),
    Slip("  not:\n    - Opt", "  not: - Opt", 34, 8, "put this dash into a line of its own"),
    # --- quotes, brackets, signs
    Slip('at: "07:30"', 'at: "07:30', 5, 9, "this quotation mark is not closed"),
    Slip("- '\"right of first refusal\"'", '- \'"right of first refusal"', 41, 9, "is not closed"),
    Slip(
        "- '\"right of first refusal\"'", '- "right of first refusal" OR x', 41, 34, "'\"right of first refusal\" OR x'"
    ),
    Slip("- '\"right of first refusal\"'", "- 'OpenAI's right'", 41, 16, "the text ended at this apostrophe"),
    Slip("to: [you@example.com]", "to: [you@example.com", 4, 9, "this [ is not closed"),
    Slip("zh: 算力}", "zh: 算力", 38, 12, "this { is not closed"),
    Slip("names: [OpenAI]", "names: [OpenAI]]", 32, 20, "one ] too many"),
    Slip("names: [OpenAI]", "names: [OpenAI}", 32, 19, "is closed by }: write ]"),
    Slip("{en: Compute, zh: 算力}", "{en: Compute zh: 算力}", 38, 25, "a comma is missing"),
    Slip("- data center AND (pause OR halt)", "- *center", 40, 9, 'put the whole in quotes: "*center"'),
    Slip("- data center AND (pause OR halt)", "- @sama OR x", 40, 9, 'put the whole in quotes: "@sama OR x"'),
    Slip("- data center AND (pause OR halt)", "- %x", 40, 9, "cannot begin with %"),
    Slip("- data center AND (pause OR halt)", "- !x OR b", 40, 9, "are signs of YAML"),
    Slip("- data center AND (pause OR halt)", "- # OR x", 40, 8, "what follows a # is a comment"),
    Slip("- data center AND (pause OR halt)", "- C# OR x", 40, 10, "signs are not looked for"),
    Slip("- data center AND (pause OR halt)", "- true", 40, 9, 'put it in quotes: "true"'),
    Slip("names: [OpenAI]", "names: !!python/object:os.system [x]", 32, 12, "is a sign of YAML"),
    Slip("names: [OpenAI]", "names: *other", 32, 12, "cannot begin with *"),
    Slip("[Microsoft, 微软]", "［Microsoft，微软］", 28, 12, "［ is a full-width bracket: write [Microsoft, 微软]"),
    Slip("'\"right of first refusal\"'", "'\"GPU shortage\"~6^'", 41, 26, "a number must follow ^"),
    Slip("'\"right of first refusal\"'", "'\"GPU shortage\"~^2'", 41, 24, "how many words"),
    Slip("- data center AND (pause OR halt)", "- True", 40, 9, 'put it in quotes: "True"'),
    # --- entries without their beginning
    Slip("  - https://example.com/rss", "  https://example.com/rss", 19, 3, "a dash is missing: write - https://exam"),
    Slip("  - https://example.com/rss", "    https://example.com/rss", 19, 5, "a dash is missing"),
    Slip("  - name: Second\n", "", 20, 5, "if an entry begins here, write - url: in column 3"),
    Slip("  - name: evening\n", "", 10, 5, "or write - before it if another entry of the list begins here"),
    # --- the whole file
    Slip("feeds:\n", "<<<<<<< HEAD\nfeeds:\n=======\nfeeds:\n>>>>>>> b\n", 17, 1, "keep one of them"),
    Slip("themes:\n  comp", "---\nthemes:\n  comp", 36, 1, "another document"),
    # --- values
    Slip("Asia/Shanghai", "Asia/Shangai", 6, 15, "'Asia/Shangai' is not a time zone; did you mean Asia/Shanghai?"),
    Slip("Asia/Shanghai", "Beijing", 6, 15, "did you mean Asia/Shanghai?"),
    Slip("Asia/Shanghai", "GMT+8", 6, 15, "did you mean Asia/Shanghai?"),
    Slip("Europe/London", "europe/london ", 22, 15, "did you mean Europe/London?"),
    Slip("Asia/Shanghai", "New York", 6, 15, "did you mean America/New_York?"),
    Slip("Asia/Shanghai", "北京", 6, 15, "did you mean Asia/Shanghai?"),
    Slip("language: en", "language: cn", 7, 15, "did you mean zh?"),
    Slip("language: zh}", "language: Chinese}", 25, 61, "did you mean zh?"),
    Slip("empty: skip", "empty: skp", 8, 12, "'skip', 'send' or 'weekly'; did you mean skip?"),
    Slip("[you@example.com]", "[you＠example.com]", 4, 10, "write it alone and plain: you@example.com"),
    Slip("to: [you@example.com]", "to: you@example.com", 4, 9, "such as [you@example.com]"),
    Slip("https://example.com/rss", "example.com/rss", 19, 5, "did you mean https://example.com/rss?"),
    Slip("https://example.com/rss", "htps//example.com/rss", 19, 5, "did you mean https://example.com/rss?"),
    Slip("every: 30m", "every: 30", 23, 12, "did you mean 30m?"),
    Slip("themes:\n  compute", "  compute", 36, 1, "themes: is missing: write it above this line, at the left edge"),
    # --- from chats, web pages and other programs
    Slip("polling:", "```yaml\npolling:", 14, 1, "belongs to no file: delete it"),
    Slip(
        "  - https://example.com/rss",
        "  - [Wire](https://example.com/rss)",
        19,
        5,
        "write {name: Wire, url: https://ex",
    ),
    Slip(
        "  - https://example.com/rss", "  - Wire: https://example.com/rss", 19, 5, "write {name: Wire, url: https://ex"
    ),
    Slip("  - https://example.com/rss", "  • https://example.com/rss", 19, 3, "(•) is not the plain one"),
    Slip(
        "  - https://example.com/rss", "  - “https://example.com/rss”", 19, 5, "did you mean https://example.com/rss?"
    ),
    Slip("  - https://example.com/rss", "  - mailto:me@example.com", 19, 5, "readers stand under digests: to:"),
    Slip("example.com/rss", "example.com/rss https://example.net/rss", 19, 5, "two addresses: write each as an entry"),
    Slip(
        "url: https://www.qbitai.com/feed",
        "url: https://q.com/?a=1,b&c=2",
        25,
        41,
        "put the address before it in quotes",
    ),
    Slip("{name: 量子位,", "｛name: 量子位,", 25, 5, "｛ is a full-width bracket: write {, and } at the end"),
    Slip("language: zh}", "language: zh｝", 25, 63, "｝ is a full-width bracket: write }"),
    Slip("量子位, url", "量子位， url", 25, 15, "， is no plain comma"),
    Slip("量子位, url: ", "量子位，url：", 25, 15, "， is a full-width sign: write a plain one and a space"),
    Slip("        OR horsepower", '      - "horse power', 43, 9, "this quotation mark is not closed"),
    Slip('at: "07:30"', 'at: "07:30  # not "08:30" any more', 5, 9, "this quotation mark is not closed"),
    Slip("enabled: yes", "weight: 0,5", 24, 13, "did you mean 0.5?"),
    Slip("enabled: yes", "weight: 50%", 24, 13, "did you mean 0.5?"),
    Slip("language: zh}", "weight: 0,5}", 25, 61, "a number has a point (0.5)"),
    Slip("Asia/Shanghai", "Asia/Beijing", 6, 15, "did you mean Asia/Shanghai?"),
    Slip("Asia/Shanghai", "Eastern Time", 6, 15, "did you mean America/New_York?"),
    Slip("Asia/Shanghai", "China Standard Time", 6, 15, "did you mean Asia/Shanghai?"),
    Slip("[AGI]", "[(AGI OR ASI)^0,5]", 50, 28, "a weight lies above 0"),
    Slip("keywords: [AGI]", "keywords:\n      - (AGI OR ASI)^0,5", 51, 23, "write ^0.5"),
    Slip("keywords: [AGI]", "keywords:\n      - (AGI OR ASI)^50%", 51, 24, "write ^0.5"),
    Slip("[AGI]", f"[({' OR '.join(f'word{n}' for n in range(3000))}]", 50, 16, "a parenthesis is missing its partner"),
    Slip("every: 30m", "timeout: 30", 23, 14, "a unit is missing; did you mean 30s?"),
    Slip("polling:", "retention: 365\npolling:", 14, 12, "a unit is missing; did you mean 365d?"),
    Slip("title: {en: Compute, zh: 算力}", "title: Compute", 38, 12, 'for which language it is: {en: "Compute"}'),
    Slip("title: {en: Compute, zh: 算力}", "title: 算力", 38, 12, 'for which language it is: {zh: "算力"}'),
    Slip("[AGI]", "[" * 20_000, 50, 55, "too many brackets"),
    Slip("every: 30m", "every: 30 minutes", 23, 12, "did you mean 30m?"),
    Slip("every: 30m", "every: half an hour", 23, 12, "did you mean 30m?"),
    Slip("every: 30m", "every: 1.5h", 23, 12, "did you mean 90m?"),
    Slip("every: 30m", "every: 30分钟", 23, 12, "did you mean 30m?"),
    Slip("enabled: yes", "enabled: ture", 24, 14, "did you mean true?"),
    Slip('"07:30"', '"24:30"', 5, 9, 'is not a time of day; write it like "07:30"'),
    Slip('"07:30"', "7.30", 5, 9, 'did you mean "07:30"?'),
    Slip('"07:30"', "7:30pm", 5, 9, 'did you mean "19:30"?'),
    Slip('"07:30"', "“07:30”", 5, 9, 'did you mean "07:30"?'),
    Slip("30 19 * * mon-fri", "30 19 * *", 13, 11, "five fields are expected"),
    Slip('at: "07:30"', 'at: ["07:30", "18:30"]', 5, 9, 'for several write cron: "30 7,18 * * *" in place of at'),
    Slip('at: "07:30"', "at: 07:30, 18:30", 5, 9, 'for several write cron: "30 7,18 * * *"'),
    Slip('at: "07:30"', 'at: ["07:30", "18:00"]', 5, 9, "for several write a digest for each"),
    Slip('at: "07:30"', 'at: ["07:30"]', 5, 9, 'not a list: write "07:30"'),
    Slip("https://example.com/rss", "https://example.com:99999/x", 19, 5, "there is no port 99999; the greatest is 6"),
    Slip("https://example.com/rss", "https://example.com/a b", 19, 5, "has a blank in it: take it out, or write %20"),
    Slip("every: 30m", "every: 0", 23, 12, "write a number and s, m, h, d or w, such as 30m"),
    Slip("threshold: 1.0", "threshold: high", 51, 16, "a number is expected here, not 'high'"),
    # --- what does not fit together
    Slip("[compute, agi]", "[compuet, agi]", 9, 14, "there is no theme 'compuet'; did you mean compute?"),
    Slip("name: evening", "name: morning", 10, 5, "a digest of this name stands above: morning (line 3)"),
    Slip("https://example.com/rss", "http://EXAMPLE.org/feed/?utm_source=x", 20, 5, "stands above already"),
    Slip("names: [OpenAI]", "names: [OpenAI, microsoft]", 32, 21, "is a name of microsoft as well (line 28)"),
    # --- keywords
    Slip("(pause OR halt)", "(pause OR halt", 40, 25, "a parenthesis is missing its partner"),
    Slip("(pause OR halt)", "titel:pause", 40, 25, "did you mean title"),
    Slip("OR horsepower", "OR horse?", 43, 12, "a wildcard can only be a *"),
    Slip("- data center AND (pause OR halt)", "- >-\n        data center AND\n        (pause OR", 42, 9, "parenthesis"),
    Slip("- data center AND (pause OR halt)", "- |\n        算力 AND 显卡\n        AND a~", 42, 13, "likeness"),
    Slip("Nadella OR 纳德拉", "Nadella or 纳德拉", 30, 17, "write OR"),
]


def refusal_of(text: str | bytes) -> ConfigError:
    """Return what a file is refused with."""
    with pytest.raises(ConfigError) as refusal:
        config.understood(Path("feeds.yaml"), text.encode() if isinstance(text, str) else text)
    return refusal.value


def test_the_sample_is_sound() -> None:
    """So that each fault below is the edit's."""
    used, sheet = config.opened(Path("feeds.yaml"), SAMPLE.encode())
    assert remarks.remarks(used, sheet) == []
    assert remarks.example_faults(used, sheet) == []


@pytest.mark.parametrize("slip", FAULTS, ids=str)
def test_a_slip_is_told_where_a_person_must_look(slip: Slip) -> None:
    """Place, words, one line; what else is told is told of the same edit."""
    found = refusal_of(slip.text).faults
    assert (slip.line, slip.column) in [(fault.line, fault.column) for fault in found], found
    [fault] = [one for one in found if (one.line, one.column) == (slip.line, slip.column)][:1]
    assert slip.words in fault.message
    assert all("\n" not in one.message and "<block" not in one.message for one in found)
    assert len(found) <= 3, found


REMARKS = [
    Slip("(pause OR halt)", "(pause ＯＲ halt)", 40, 32, "ＯＲ is typed in other letters than OR"),
    Slip("keywords: [AGI]", "keywords: [AGI \u041eR ASI]", 50, 20, "is typed in other letters than OR"),
    Slip("(pause OR halt)", "pause ANDNOT halt", 40, 31, "write AND NOT"),
    Slip("keywords: [AGI]", "keywords: [Stargate/Abilene]", 50, 24, "write Stargate OR Abilene"),
    Slip(
        "        OR horsepower",
        "        horsepower",
        43,
        9,
        "nothing joins the two: write OR or AND before it, or if a keyw",
    ),
    Slip(
        "- computing power OR computing capacity OR compute need OR processing power\n",
        "- >-\n        computing power\n        # of 2025\n",
        44,
        9,
        "a # is no comment: its words are looked for",
    ),
    Slip("https://example.org/feed", "https://example.org/feed?a=1&amp;b=2", 21, 10, "feed?a=1&b=2?"),
    Slip(
        "Asia/Shanghai",
        "Etc/GMT+8",
        6,
        15,
        "8 h behind UTC, for its sign is turned round; if the other is meant: Etc/GMT-8",
    ),
    Slip("Asia/Shanghai", "EST", 6, 15, "winter time all year long; America/New_York"),
    Slip("30 19 * * mon-fri", "* 19 * * mon-fri", 13, 11, "an edition each minute: for one at the full hour write 0"),
    Slip("[you@example.com]", "[you@example]", 4, 10, "example has no dot"),
    Slip("(pause OR halt)", "pause AND NOT pause", 40, 9, "can never match: it asks for pause and excludes pause"),
    Slip("AND (pause OR halt)", "AND title:(summary:x)", 40, 9, "can never match: no word stands in the title"),
    Slip("AND (pause OR halt)", "AND lang:en AND lang:zh", 40, 9, "no item is in two languages"),
    Slip("data center AND (pause OR halt)", "sentence:(title:x AND summary:y)", 40, 9, "can never match"),
    Slip("data center AND (pause OR halt)", "'\"(pause OR halt) center\"~6'", 40, 18, "OR inside quotes is a word"),
    Slip("(pause OR halt)", "crowd", 40, 9, "themes.compute.not excludes every text that has it (line 44: crowd)"),
    Slip("keywords: [AGI]", "keywords: [Optimus robot]", 49, 3, "no item can have this theme: each of its keywords"),
    Slip("threshold: 1.0", "threshold: 20", 51, 16, "come to 1.5 points, and the threshold is 20"),
    Slip("keywords: [AGI]", "keywords: [AGI, AGI]", 50, 21, "stands in line 50 already: AGI"),
    Slip("keywords: [AGI]", "keywords: [AGI]\n    not: [AGI]", 51, 11, "stands among the keywords too (line 50)"),
    Slip("OR horsepower", "OR the", 43, 12, "the stands in nearly every text"),
    Slip("keywords: [AGI]", "keywords: [AGI OR a*]", 50, 23, "a* stands in nearly every text"),
    Slip("keywords: [AGI]", "keywords: [AGI, 的]", 50, 21, "的 stands in nearly every text"),
    Slip("(pause OR halt)", "source:Secnd", 40, 25, "is no feed's name here; did you mean Second?"),
    Slip("(pause OR halt)", "pause #OR halt", 40, 31, "what follows this # is a comment"),
    Slip(
        "[Microsoft, 微软]",
        "[Microsoft, 微软，巨硬]",
        28,
        26,
        "， parts nothing here: write 微软 OR 巨硬, or a plain comma",
    ),
    Slip("hints: [Altman]", "hints: [Altman, nadella]", 33, 21, "nadella is a hint of microsoft as well (line 30)"),
    Slip("name: 量子位", "name: Second", 25, 12, "another feed has this name too (line 20)"),
    Slip("language: zh}", "language: cn}", 25, 61, "cn is the code of no language; did you mean zh?"),
    Slip("data center AND (pause OR halt)", "GPU, TPU, NPU", 40, 12, "write GPU OR TPU OR NPU, or each on a line of"),
    Slip("data center AND (pause OR halt)", "算力, 显卡", 40, 11, ", parts nothing here: write 算力 OR 显卡, or each"),
    Slip("data center AND (pause OR halt)", "算力、显卡", 40, 11, "、 parts nothing here: write 算力 OR 显卡, or each"),
    Slip("data center AND (pause OR halt)", "AGI,ASI", 40, 12, "write AGI OR ASI"),
    Slip("data center AND (pause OR halt)", "GPU; TPU", 40, 12, "; parts nothing here: write GPU OR TPU"),
    Slip("data center AND (pause OR halt)", "GPU | TPU", 40, 13, "| parts nothing here: write GPU OR TPU"),
    Slip("data center AND (pause OR halt)", "算力 或 显卡", 40, 12, "或 joins nothing here: write 算力 OR 显卡"),
    Slip("data center AND (pause OR halt)", "GPU 和 TPU", 40, 13, "和 joins nothing here: write AND where both"),
    Slip("data center AND (pause OR halt)", "GPU, TPU AND halt", 40, 12, "write OR, or each on a line of its own"),
    Slip("[Microsoft, 微软]", '[Microsoft, "微软, 巨硬"]', 28, 27, "write 微软 OR 巨硬, or quote each for itself"),
    Slip("data center AND (pause OR halt)", "data center And pause", 40, 21, "write AND, or put the words in quotes"),
    Slip("hints: [Altman]", "hints: [&k Altman]", 33, 13, "& begins a mark of YAML"),
    Slip("https://example.com/rss", "https://example.com/rss,", 19, 5, "did you mean https://example.com/rss?"),
    Slip("https://example.com/rss", "http://localhost:1200/x", 19, 5, "write it under polling.allow"),
    Slip("https://example.com/rss", "http://192.168.1.5/x", 19, 5, "192.168.1.5 is not public"),
    Slip("[you@example.com]", "[you@example.com, You@Example.com]", 4, 27, "stands here twice"),
    Slip("[compute, agi]", "[]", 9, 13, "an empty list means all themes"),
]


@pytest.mark.parametrize("slip", REMARKS, ids=str)
def test_what_is_hardly_meant_is_remarked_on_and_taken(slip: Slip) -> None:
    """A keyword that can never match is no reason to leave the rest of the edit out."""
    used, sheet = config.opened(Path("feeds.yaml"), slip.text.encode())
    found = remarks.remarks(used, sheet)
    assert (slip.line, slip.column) in [(fault.line, fault.column) for fault in found], found
    assert any(slip.words in one.message for one in found if (one.line, one.column) == (slip.line, slip.column)), found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("data center AND (pause OR halt)", "'\"Altman, Sam\"'"),
        ("data center AND (pause OR halt)", "10,000 GPUs"),
        ("data center AND (pause OR halt)", "'\"War And Peace\"'"),
        ("data center AND (pause OR halt)", "算力和显卡"),
        ("hints: [Altman]", "hints: [&k Altman]\n    products: [*k]"),
        ("polling:", "polling:\n  allow: [localhost]"),
        ("  stale: 14d\n", "  stale: 14d\n---\n"),
    ],
)
def test_what_is_meant_so_is_not_remarked_on(old: str, new: str) -> None:
    """A comma in a phrase or a number, a mark that is referred to."""
    text = SAMPLE.replace(old, new)
    if "allow" in new:
        text = text.replace("https://example.com/rss", "http://localhost:1200/rss")
    used, sheet = config.opened(Path("feeds.yaml"), text.encode())
    assert remarks.remarks(used, sheet) == []


def test_the_shipped_file_deserves_no_remark() -> None:
    """It is the example for all others."""
    path = ROOT / "feeds.yaml"
    used, sheet = config.opened(path, path.read_bytes())
    assert remarks.remarks(used, sheet) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("themes:\n  compute", "themse:\n  compute", "did you mean themes?"),
        ("    timezone: Asia/Shanghai", "   timezone: Asia/Shanghai", "column 5 to go with at"),
        ("retention: 365d", "retention：365d", "full-width"),
        ("second_opinion: blend", "second_opinion: bland", "did you mean blend?"),
        (
            "      - data center OR server farm",
            "     - data center OR server farm",
            "the indentation fits nothing above",
        ),
        ("      - data center OR server farm", "      - data center OR (server farm", "parenthesis"),
    ],
)
def test_slips_in_the_shipped_file_are_told_where_they_are(old: str, new: str, words: str) -> None:
    """A thousand lines, and still that one."""
    text = (ROOT / "feeds.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    line = text[: text.index(old)].count("\n") + 1
    [fault] = [fault for fault in refusal_of(text.replace(old, new)).faults if fault.line == line][:1]
    assert words in fault.message


# ------------------------------------------------------------------ files of other kinds


@pytest.mark.parametrize(
    ("raw", "place", "words"),
    [
        (b"", (1, 1), "the file is empty, and must hold keys such as feeds:"),
        (b"- https://example.com/rss\n", (1, 1), "the file is a list"),
        (SAMPLE.encode("gb18030"), (25, 12), "it looks like GBK, where it reads 量子位"),
        (SAMPLE.encode("utf-16-le"), (1, 1), "this is UTF-16, not text in UTF-8"),
        (SAMPLE.encode() + b"caf\xe9", (54, 4), "not UTF-8 from here on (byte 0xe9)"),
        (SAMPLE.replace("Altman", "Alt\x00man").encode(), (33, 16), "save the file as UTF-8"),
        (SAMPLE.replace("Altman", "Alt\x07man").encode(), (33, 16), "a character that no text has"),
        (SAMPLE.replace("Altman", "2026-02-30").encode(), (33, 13), "put dates and odd values in quotes"),
    ],
)
def test_what_is_no_such_file_is_told(raw: bytes, place: tuple[int, int], words: str) -> None:
    """Empty, a list, or saved by an editor of another country."""
    [fault] = refusal_of(raw).faults
    assert (fault.line, fault.column) == place
    assert words in fault.message


@pytest.mark.parametrize("text", [SAMPLE.replace("\n", "\r\n"), "\ufeff" + SAMPLE, SAMPLE.replace("yes", "on")])
def test_what_other_editors_write_is_understood(text: str) -> None:
    """Windows' line ends, a byte order mark."""
    assert len(config.understood(Path("feeds.yaml"), text.encode()).feeds) == 3


# ------------------------------------------------------------------ several at once


def test_a_part_that_is_no_yaml_does_not_hide_the_faults_of_the_others() -> None:
    """Each part of the file is read for itself."""
    text = SAMPLE.replace('"07:30"', '"07:30').replace("every: 30m", "every: 30").replace("[AGI]", "[AGI AND]")
    found = [(fault.line, fault.column) for fault in refusal_of(text).faults]
    assert found == [(5, 9), (23, 12), (50, 20)]


def test_two_parts_that_are_no_yaml_are_both_told() -> None:
    """And nothing is said to be missing that stands in them."""
    text = SAMPLE.replace("[you@example.com]", "[you@example.com").replace("  openai:\n", " openai:\n")
    assert [(fault.line, fault.column) for fault in refusal_of(text).faults] == [(4, 9), (31, 2)]


@pytest.mark.parametrize(
    ("typed", "form"),
    [
        ("data center and pause", "'\"data center and pause\"'"),
        ('"data center and pause"', "'\"data center and pause\"'"),
        ("halt OR data center and pause", "'halt OR \"data center and pause\"'"),
        ('"9:30"', "'\"9:30\"'"),
        ('"https://openai.com/x"', "'\"https://openai.com/x\"'"),
        ('"not working"', "'\"not working\"'"),
        ("What's next?", "'\"What''s next?\"'"),
        ('"to be or not to be"', "'\"to be or not to be\"'"),
        ("GPU - TPU", "'\"GPU - TPU\"'"),
    ],
)
def test_quotes_that_are_advised_are_those_that_work(typed: str, form: str) -> None:
    """YAML takes one pair of them away, so that the advice would be given for ever."""
    old = "data center AND (pause OR halt)"
    [fault] = refusal_of(SAMPLE.replace(old, typed)).faults
    assert fault.message.endswith(f": {form}")
    assert config.understood(Path("feeds.yaml"), SAMPLE.replace(old, form).encode())


def test_every_duplicate_key_is_told() -> None:
    """Not only the first."""
    text = SAMPLE.replace("    every: 30m", "    every: 30m\n    every: 1h").replace(
        "  stale: 14d", "  stale: 14d\n  stale: 15d"
    )
    assert [fault.line for fault in refusal_of(text).faults] == [24, 55]


def test_of_two_parts_of_one_name_only_that_is_told() -> None:
    """Not that the themes of the other are missing."""
    text = SAMPLE.replace("health:", "themes:\n  x:\n    keywords: [x]\nhealth:")
    assert [(fault.line, fault.column) for fault in refusal_of(text).faults] == [(52, 1)]


def test_what_stands_under_a_misspelt_key_is_looked_into() -> None:
    """So that not each run tells the next fault."""
    text = SAMPLE.replace("themes:\n  compute", "themse:\n  compute").replace(
        "keywords: [AGI]", "keyword: [AGI, a or b]"
    )
    found = [(fault.line, fault.column) for fault in refusal_of(text).faults]
    assert found == [(36, 1), (50, 5), (50, 22)]


def test_coverage_without_a_company_is_refused() -> None:
    """Lists alone tell of nobody."""
    begin, end = SAMPLE.index("  microsoft:"), SAMPLE.index("  not:")
    [fault] = refusal_of(SAMPLE[:begin] + "  relations: [deal]\n" + SAMPLE[end:]).faults
    assert fault.message == "coverage: name at least one company"


def test_every_tab_is_told() -> None:
    """An editor that writes tabs writes many."""
    text = SAMPLE.replace("    every:", "\tevery:").replace("    enabled:", "\tenabled:")
    assert [fault.line for fault in refusal_of(text).faults] == [23, 24]


# ------------------------------------------------------------------ the running worker


def test_a_worker_outlives_every_broken_edit(tmp_path: Path) -> None:
    """It goes on with the last good file, meets no bug, and takes up the mended one."""
    path, data = tmp_path / "feeds.yaml", tmp_path / "data"
    path.write_text(SAMPLE, encoding="utf-8")
    office = Office(
        path,
        data,
        press.Desk(TEMPLATES, "Monitor <monitor@example.test>"),
        lambda: FileSender(data / "outbox"),
        lambda: datetime(2026, 11, 23, 20, 0, tzinfo=UTC),
    )
    runner = Runner(office, config.load(path))
    good = runner.settings
    with structlog.testing.capture_logs() as logs, Store(office.database) as store:
        for slip in FAULTS:
            path.write_text(slip.text, encoding="utf-8")
            runner.reload(store, at_once=True)
            assert runner.settings is good, slip
            [note] = store.notes().values()
            assert "an edit was not taken up, the last good configuration is in use" in note
        for raw in (b"", b"\xff\xfe\xff", SAMPLE.encode("gb18030"), b"- a\n", b"\x00" * 20):
            path.write_bytes(raw)
            runner.reload(store, at_once=True)
            assert runner.settings is good
        path.write_text(SAMPLE.replace("every: 30m", "every: 45m"), encoding="utf-8")
        runner.reload(store)
        assert store.notes() == {}
    assert runner.settings is not good
    assert not [entry for entry in logs if "bug" in entry["event"]]
    assert sum(entry["event"] == "configuration rejected" for entry in logs) > len(FAULTS) // 2


@pytest.mark.parametrize("old", ["empty: skip", "every: 30m", "keywords: [AGI]", "names: [OpenAI]", "enabled: yes"])
def test_aliases_of_aliases_end(old: str) -> None:
    """A list of lists of lists that would be written out in gigabytes is told as any list, and at once."""
    levels = [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}' if n else 'x'] * 9)}]\n" for n in range(12)]
    text = "".join(levels) + SAMPLE.replace(old, f"{old.split(':')[0]}: *x11")
    started = perf_counter()
    assert all(len(fault.message) < 400 for fault in refusal_of(text).faults)
    assert perf_counter() - started < 5


# ------------------------------------------------------------------ whatever is typed

_TYPED = st.sampled_from(
    [*"\t\n:-#'\"[]{}*&!|>%@`,?~^()：“”\u00a0\ufeff\x00=<\\", "  ", "- ", ": ", "---\n", "<<: ", "\n\n", "微"]
)
_MUTATION = st.tuples(
    st.sampled_from(["delete", "insert", "double", "swap", "cut", "drop"]),
    st.integers(0, 10**6),
    st.integers(1, 40),
    _TYPED,
)


def mutated(text: str, how: str, at: int, size: int, typed: str) -> str:
    """Return the text after one slip of the hand."""
    at %= len(text) + 1
    lines = text.splitlines(keepends=True)
    match how:
        case "delete":
            return text[:at] + text[at + size :]
        case "insert":
            return text[:at] + typed + text[at:]
        case "double":
            return text[: at + size] + text[at:]
        case "cut":
            return text[:at] if size < 5 else text
        case "swap" if len(lines) > 1:
            n = at % (len(lines) - 1)
            return "".join([*lines[:n], lines[n + 1], lines[n], *lines[n + 2 :]])
        case "drop" if lines:
            return "".join(line for n, line in enumerate(lines) if n != at % len(lines))
    return text


@settings(max_examples=250, deadline=None)
@given(st.lists(_MUTATION, min_size=1, max_size=4))
def test_whatever_is_typed_is_understood_or_refused(mutations: list[tuple[str, int, int, str]]) -> None:
    """Never another exception, and each fault within the file."""
    text = SAMPLE
    for mutation in mutations:
        text = mutated(text, *mutation)
    started = perf_counter()
    try:
        used, sheet = config.opened(Path("feeds.yaml"), text.encode())
        remarks.remarks(used, sheet)
        remarks.example_faults(used, sheet)
    except ConfigError as e:
        lines = text.count("\n") + 2
        assert e.faults
        assert all(0 <= fault.line <= lines and fault.message for fault in e.faults)
        assert str(e)
    assert perf_counter() - started < 10


# ------------------------------------------------------------------ as a terminal shows it


@pytest.mark.parametrize(
    ("line", "column", "shown", "before", "under"),
    [
        ("    evry: 30m", 5, "    evry: 30m", 4, 4),
        ("  - 算力 AND titel:x", 12, "  - 算力 AND titel:x", 13, 5),
        ("\tat: 1", 1, "·at: 1", 0, 1),
        ("a" * 300 + " bad" + "b" * 300, 302, None, None, 90),
        ("short", 9, "short", 5, 1),
    ],
)
def test_the_caret_stands_below_its_place(
    line: str, column: int, shown: str | None, before: int | None, under: int
) -> None:
    """Han characters take two cells; a long line is cut around the place."""
    text, cells, marked = excerpt(line, column)
    if shown is None:
        assert text.startswith("…")
        assert text.endswith("…")
        assert len(text) <= 102
        return
    assert (text, cells, marked) == (shown, before, under)


def run(folder: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `monitor check` on a file with this text."""
    (folder / "feeds.yaml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "monitor", "check", *words]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, check=False, env={"PYTHONPATH": str(ROOT)}
    )


def test_check_shows_the_line_a_caret_and_how_many(tmp_path: Path) -> None:
    """Faults end with exit 2."""
    done = run(tmp_path, SAMPLE.replace("(pause OR halt)", "titel:pause").replace("every: 30m", "evry: 30m"))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "feeds.yaml:23:5: feeds.evry: unknown key; did you mean every?",
        "    23 |     evry: 30m",
        "       |     ^^^^",
        "feeds.yaml:40:25: themes.compute.keywords: titel: is no field; did you mean title?",
        "    40 |       - data center AND titel:pause",
        "       |                         ^^^^^",
        "feeds.yaml: 2 faults",
    ]


def test_check_never_shows_a_password(tmp_path: Path) -> None:
    """Neither in the message nor in the line below it, where the caret stays in its place."""
    done = run(tmp_path, SAMPLE.replace("https://example.com/rss", "ftp://me:se cret@example.com/rss"))
    assert done.returncode == 2
    assert "cret" not in done.stderr
    assert "    19 |   - ftp://**********@example.com/rss" in done.stderr.splitlines()


def test_check_tells_remarks_apart_from_examples_that_fail(tmp_path: Path) -> None:
    """A remark alone is no failure; an example that fails is, with the nearest keyword."""
    remarked = SAMPLE.replace("keywords: [AGI]", "keywords: [AGI, AGI]")
    done = run(tmp_path, remarked)
    assert done.returncode == 0
    assert "feeds.yaml:50:21: remark: themes.agi.keywords: stands in line 50 already: AGI" in done.stderr
    assert "feeds.yaml: 1 remark" in done.stderr
    done = run(tmp_path, remarked.replace("OpenAI halt a data center", "OpenAI and a data center"))
    assert done.returncode == 1
    assert (
        "feeds.yaml:46:14: example: themes.compute: should be a hit: Microsoft and OpenAI and a data center "
        "(no keyword of the theme; nearest: data center AND (pause OR halt) (pause or halt is missing))"
    ) in done.stderr
    assert "feeds.yaml: 1 remark, 1 example that fails" in done.stderr


def test_check_writes_json_for_programs(tmp_path: Path) -> None:
    """One object for each thing found, with the exit code as ever."""
    import json

    done = run(tmp_path, SAMPLE.replace("every: 30m", "evry: 30m"), "--format", "json")
    assert done.returncode == 2
    assert json.loads(done.stdout) == [
        {"line": 23, "column": 5, "severity": "fault", "message": "feeds.evry: unknown key; did you mean every?"}
    ]
    assert json.loads(run(tmp_path, SAMPLE, "--format", "json").stdout) == []
    assert run(tmp_path, SAMPLE, "--format", "xml").returncode == 2
    absent = run(tmp_path, SAMPLE, "nosuch.yaml", "--format", "json")
    assert absent.returncode == 2
    [told] = json.loads(absent.stdout)
    assert (told["severity"], told["line"]) == ("fault", 0)
    assert "not found" in told["message"]


def test_a_fault_without_a_place_is_still_a_line() -> None:
    """Logs and health print faults so."""
    assert Fault("cannot be read").at("feeds.yaml") == "feeds.yaml: cannot be read"
