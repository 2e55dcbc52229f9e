"""The commands of the archive: search, export."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, cast

import typer
from typer.core import TyperCommand

from monitor.cli_common import database, in_colours, progress, say, settings
from monitor.cli_common import since as time_ago
from monitor.errors import ConfigError, MonitorError

if TYPE_CHECKING:
    from monitor.model import Archived, Selection
    from monitor.search import Search
    from monitor.store_archive import Archive

SinceOption = Annotated[
    str, typer.Option("--since", metavar="TIME", help="Published since then: 30d, 12h, or a day (2026-11-01).")
]
UntilOption = Annotated[
    str, typer.Option("--until", metavar="TIME", help="Published until then: 7d (ago), or a day, which is included.")
]
ThemeOption = Annotated[str, typer.Option("--theme", metavar="THEME", help="Only hits with this theme.")]
OutletOption = Annotated[str, typer.Option("--outlet", metavar="NAME", help="Only outlets whose name has this in it.")]
LanguageOption = Annotated[str, typer.Option("--language", metavar="TAG", help="Only this language: en, zh.")]

# ---------------------------------------------------------------- search


class SearchCommand(TyperCommand):
    """Tells who leaves out a word by a dash (-Xbox) why it is taken for an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of the command line."""
        for word in takewhile(lambda one: one != "--", args):
            if re.match(r"-[^\W\d]", word) and word != "-h":
                raise typer.BadParameter(
                    f"{word} begins like an option. To leave out a word write NOT {word[1:]}, or -- before all the "
                    f"words: search -- OpenAI {word}"
                )
        return super().parse_args(ctx, args)


def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT",
            help='What to look for, written as keywords are: words (all of them, in any inflection), "exact phrases", '
            "prefix*, OR, NOT, ( ), title:word. Chinese is found wherever it stands, simplified or traditional. "
            "Without it all items are listed that the filters leave.",
        ),
    ] = None,
    theme: ThemeOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    outlet: OutletOption = "",
    language: LanguageOption = "",
    hits: Annotated[bool, typer.Option("--hits/--all", help="Only hits, or everything that was stored.")] = False,
    sort: Annotated[str, typer.Option(metavar="ORDER", help="newest, oldest or best first.")] = "newest",
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="At most so many; 0: all.")] = 20,
    form: Annotated[str, typer.Option("--format", metavar="FORM", help="text, or jsonl for programs.")] = "text",
) -> None:
    """Find stored items by their words, or list them by filters. All that came in is searched, hit or not."""
    from monitor import search as searching
    from monitor.store_archive import ORDERS

    _one_of(sort, ORDERS, "--sort")
    _one_of(form, ("text", "jsonl"), "--format")
    text = " ".join(words or []).strip()
    if not text and not (theme or since or until or outlet or language or hits):
        raise typer.BadParameter(
            "say what to look for, or which items to list: --theme, --since, --until, --outlet, --language or --hits",
            param_hint="TEXT",
        )
    wanted = searching.compiled(text) if text else None
    with _archive() as archive:
        chosen = _selection(archive, theme, since, until, outlet, language, hits=hits)
        if wanted:
            _index_all(archive)
        found = _found(archive, wanted, chosen, sort)
        shown = 0
        for one, places in islice(found, limit or None):
            shown += 1
            print(_as_json(one, places) if form == "jsonl" else "\n".join(_as_text(one, places)))
        if not shown:
            _say_nothing_was_found(archive, wanted, chosen)
        elif next(found, None):
            say(f"{shown} shown, and there are more: --limit {limit * 5}, --limit 0 for all")


def _one_of(given: str, known: Iterable[str], option: str) -> None:
    from monitor.faults import did_you_mean

    if given not in known:
        raise typer.BadParameter(f"there is no {given!r}{did_you_mean(given, known)}", param_hint=option)


def _archive() -> Archive:
    from monitor.store_archive import Archive

    if not database().exists():
        raise MonitorError(f"{database()}: no database yet; poll first")
    return Archive(database())


def _selection(
    archive: Archive, theme: str, begin: str, end: str, outlet: str, language: str, *, hits: bool
) -> Selection:
    from monitor.model import Selection

    if theme:
        _one_of(theme, _known_themes(archive), "--theme")
    return Selection(
        time_ago(begin) if begin else None,
        _until(end) if end else None,
        theme,
        outlet,
        language.lower(),
        hits,
    )


def _until(text: str) -> datetime:
    """Return the end that is meant: a day ends with its last second."""
    at = time_ago(text, "--until")
    return at + timedelta(days=1) if "-" in text else at


def _known_themes(archive: Archive) -> list[str]:
    """Return the themes of the items and those of feeds.yaml, where that can be read: the archive does not need it."""
    try:
        configured = list(settings().titles)
    except ConfigError:
        configured = []
    return list(dict.fromkeys([*configured, *archive.themes()]))


def _index_all(archive: Archive) -> None:
    """Index what the worker has not come to yet."""
    left = archive.unindexed()
    if not left:
        return
    with progress("indexing", left) as step:
        while done := archive.index_words():
            for _ in range(done):
                step()


Places = Mapping[str, Sequence[tuple[int, int]]]


def _found(archive: Archive, wanted: Search | None, chosen: Selection, sort: str) -> Iterator[tuple[Archived, Places]]:
    """Yield what is looked for, with its places; all that was chosen where nothing is."""
    for one in archive.found(wanted.index if wanted else "", chosen, sort):
        places = wanted.places(one.item) if wanted else {"title": (), "summary": ()}
        if places is not None:
            yield one, places


def _as_json(one: Archived, places: Places) -> str:
    from monitor.records import record

    return json.dumps({**record(one), "places": places}, ensure_ascii=False)


def _as_text(one: Archived, places: Places) -> Iterator[str]:
    from monitor.search import marked, snippet

    item, verdict = one.item, one.verdict
    mark = (lambda words: f"\x1b[1;32m{words}\x1b[0m") if in_colours() else (lambda words: f"[{words}]")
    said = "not a hit"
    if verdict.covered:
        said = "hit: " + (", ".join(theme for theme, _ in verdict.themes) or "no theme") + ", doubted" * verdict.doubted
    told = [f"told in {edition.digest} {edition.edition}" for edition in one.told]
    yield "  ".join([f"#{one.number}", f"{item.published:%Y-%m-%d}", item.outlet, said, *told])
    yield f"  {marked(item.title, places['title'], mark)}"
    if item.summary:
        yield f"  {snippet(item.summary, places['summary'], mark)}"
    yield f"  {item.link}\n"


def _say_nothing_was_found(archive: Archive, wanted: Search | None, chosen: Selection) -> None:
    """Say what was looked through, and what to leave out to find more."""
    from monitor.model import Selection

    limits = {name: getattr(chosen, name) for name in ("theme", "since", "until", "outlet", "language", "hits")}
    given = [f"--{name}" for name, value in limits.items() if value]
    if not wanted:
        say(f"nothing stored fits {' and '.join(given)}")
        _say_how_themes_come(archive, chosen)
        return
    count, oldest = archive.extent(chosen)
    kind = "hits" if chosen.hits or chosen.theme else "items"
    say(f"nothing found in {count} {kind}" + (f", the oldest of {oldest:%Y-%m-%d}" if oldest else ""))
    if given and any(_found(archive, wanted, Selection(), "newest")):
        say(f"there is something without {' and '.join(given)}")
        _say_how_themes_come(archive, chosen)


def _say_how_themes_come(archive: Archive, chosen: Selection) -> None:
    """Say of a theme that no stored item has that it may be newer than the verdicts."""
    from monitor.model import Selection

    if chosen.theme and not archive.extent(Selection(theme=chosen.theme))[0]:
        say(f"no stored item has the theme {chosen.theme}; if it is new: monitor rematch --since 30d")


# ---------------------------------------------------------------- export


def export(
    form: Annotated[
        str,
        typer.Option("--format", metavar="FORM", help="csv for spreadsheets, jsonl for programs.  [default: as FILE]"),
    ] = "",
    theme: ThemeOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    outlet: OutletOption = "",
    language: LanguageOption = "",
    hits: Annotated[bool, typer.Option("--hits/--all", help="Only hits, or everything that was stored.")] = True,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write this file, whole or not at all; or a pipe.")
    ] = None,
    datasette: Annotated[
        bool, typer.Option("--datasette", help="Print what `datasette --metadata` needs to show the archive, instead.")
    ] = False,
) -> None:
    """Write the hits, or everything stored, as CSV or JSON lines."""
    from monitor import records, resources

    form = form or ("csv" if datasette else _form_of(out))
    _one_of(form, records.FORMATS, "--format")
    target = None if out is None or _is_stdout(out) else out
    if datasette:
        with _whole(target) as file:
            file.write(resources.datasette())
        return
    with _archive() as archive:
        chosen = _selection(archive, theme, since, until, outlet, language, hits=hits)
        count, _ = archive.extent(chosen)
        with _whole(target) as file, progress("exporting", count) as step:
            lines = 0
            for line in records.FORMATS[form](_counted(archive.everything(chosen), step)):
                file.write(line)
                lines += 1
    if out:
        items = lines - (form == "csv")
        tell = print if target else say
        tell(f"{out}: {items} {'hits' if hits or theme else 'items'}")


def _form_of(out: Path | None) -> str:
    """Return the form that the name of a file asks for; csv where it asks for none."""
    ending = out.suffix.lower() if out else ""
    if ending in (".json", ".xlsx", ".xls", ".ods", ".html", ".pdf", ".parquet"):
        words = f"{ending} is not written: name it .csv for a spreadsheet or .jsonl for programs, or give --format"
        raise typer.BadParameter(words, param_hint="--out")
    return "jsonl" if ending in (".jsonl", ".ndjson") else "csv"


def _counted(items: Iterable[Archived], step: Any) -> Iterator[Archived]:
    for one in items:
        step()
        yield one


@contextmanager
def _whole(out: Path | None) -> Iterator[TextIO]:
    """Open what is written to: stdout, a file that takes its name when all of it is there, or a device or pipe."""
    if out is None:
        with _opened(sys.stdout.fileno(), closefd=False) as file:
            yield file
        return
    try:
        with _opened(out) if out.exists() and not out.is_file() else _replaced(out.resolve()) as file:
            yield file
    except OSError as e:
        raise MonitorError(f"{out}: cannot be written: {e.strerror}") from e


@contextmanager
def _replaced(target: Path) -> Iterator[TextIO]:
    """Open a file beside the target that takes its place, its mode, and where that is allowed its owner."""
    fresh = target.with_name(f".monitor-{secrets.token_hex(8)}")
    held = target.stat() if target.exists() else None
    try:
        with _opened(fresh, "x") as file:
            if held:
                with suppress(PermissionError):
                    shutil.chown(fresh, held.st_uid, held.st_gid)
                fresh.chmod(stat.S_IMODE(held.st_mode))
            yield file
        os.replace(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)


def _opened(file: Path | int, mode: str = "w", *, closefd: bool = True) -> TextIO:
    # CSV ends its own lines, and JSON has one form on every system.
    return cast(TextIO, open(file, mode, encoding="utf-8", newline="", closefd=closefd))


def _is_stdout(out: Path) -> bool:
    """Tell whether a path is another name of stdout: of a file that is appended to, too, which must not be replaced."""
    try:
        return os.path.samestat(out.stat(), os.fstat(1))
    except OSError:
        return False
