"""What stands in README.md and docs/*.md: blocks of code with what is said of them, and pieces of code within lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from tests.builders import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MARKS = ("wrong", "exit", "file", "append to", "into", "run by", "in")
"""Comments above a block, which no reader sees: what is wrong with it, the status with which it ends, the file that it
is, is added to, or replaces parts of, the test that runs it, and whether the reader has gone back to the checkout."""


@dataclass(frozen=True)
class Block:
    """A block of code: where it stands, its language, and what comments above it say."""

    page: str
    line: int
    language: str
    text: str
    marks: dict[str, str]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Yield fenced and indented blocks, those within lists and quotations too."""
    marks: dict[str, str] = {}
    for token in MarkdownIt("commonmark").parse(page.read_text("utf-8")):
        if token.type == "html_block":
            said = dict(re.findall(r"<!-- *([a-z ]+): *(.+?) *-->", token.content))
            marks |= {key: text for key, text in said.items() if key in MARKS}
            continue
        if token.type in ("fence", "code_block"):
            language = token.info.split()[0] if token.info.strip() else ""
            yield Block(page.name, (token.map or [0])[0] + 1, language, token.content, marks)
        marks = {}


def spans(page: Path) -> Iterator[str]:
    """Yield the pieces of code within lines, tables too."""
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8")):
        for child in token.children or ():
            if child.type == "code_inline":
                yield child.content


def tables(page: Path) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield each table: its heads, and its rows as they are written."""
    rows: list[list[str]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8")):
        match token.type:
            case "table_open":
                rows = []
            case "tr_open":
                rows.append([])
            case "inline" if rows:
                rows[-1].append(token.content)
            case "table_close":
                yield rows[0], rows[1:]
                rows = []
