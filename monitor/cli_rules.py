"""The commands that judge: check, explain, evaluate, backtest, rematch, label, learn, suggest."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from monitor.cli_common import (
    Paths,
    database,
    desk,
    existing_store,
    in_colours,
    now,
    print_table,
    progress,
    say,
    second,
    settings,
    since,
    warn_of_strangers,
    when,
)
from monitor.errors import ConfigError, Fault, MonitorError, without_credentials

if TYPE_CHECKING:
    from monitor.again import Rematch
    from monitor.backtest import Side
    from monitor.backtest_report import Line, Look
    from monitor.changes import Change
    from monitor.explain import Mark
    from monitor.match.blend import Second
    from monitor.model import Item, Label, Verdict
    from monitor.settings import Settings
    from monitor.store import Store
    from monitor.tune import Example

SHOWN = 5
"""So many items of a kind are named."""


def check(
    file: Annotated[Path | None, typer.Argument(help="The file to check; the one in use if not given.")] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="FORM", help="text, or json: a list of line, column, severity, message.")
    ] = "text",
    online: Annotated[
        bool, typer.Option("--online", help="Ask each feed once, too, and say what it answers; store nothing.")
    ] = False,
) -> None:
    """Find every mistake of feeds.yaml and the templates.

    Each with its line; the themes' examples are tried too.
    """
    from monitor import archive, config, environment, press, remarks
    from monitor.advice import advice
    from monitor.settings import read_bytes

    if form not in ("text", "json"):
        raise typer.BadParameter("text or json", param_hint="--format")
    if online and form == "json":
        raise typer.BadParameter(
            "json only says what is wrong with the file; it does not go with --online", param_hint="--format"
        )
    path = file or Paths.config
    raw = b""
    try:
        raw = read_bytes(path)
        used, sheet = config.opened(path, raw)
    except ConfigError as e:
        _tell({"fault": e.faults}, path, raw, form)
        raise typer.Exit(e.exit_code) from e
    environment.metrics_port(os.environ)
    archive.check(press.check_templates(desk(environment.mail_settings())))
    wrong = remarks.example_faults(used, sheet)
    _tell({"remark": remarks.remarks(used, sheet), "example": wrong}, path, raw, form)
    for line in [*advice(used, Paths.data).remarks, *config.polling_remarks(used)]:
        say(line)
    warn_of_strangers()
    themes = ", ".join(used.titles) or "none"
    if form == "text":
        print(
            f"{used.path}: {_many(len(used.enabled), 'feed')}, {_many(len(used.digests), 'digest')}, themes: {themes}; "
            f"second opinion: {used.second_opinion.mode}"
        )
        for plan in used.digests:
            print(f"{plan.name}: {when(plan.cron)} {plan.timezone}, to {', '.join(plan.to)}")
        if differs := _beside_the_worker(used, raw):
            print("unlike what the worker took up last:")
            for change in differs:
                print(f"  {change}")
    status = _ask_feeds(used) if online else 0
    if wrong or status:
        raise typer.Exit(1 if wrong else status)


def _beside_the_worker(used: Settings, raw: bytes) -> Sequence[Change]:
    """Return what an edit changed; nothing where no worker ever ran with this data folder. Writes nothing."""
    from monitor import changes, config, lastgood

    copy = lastgood.place(Paths.data)
    try:
        kept = copy.read_bytes()
        return changes.changes(config.understood(copy, kept), used) if kept != raw else ()
    except (OSError, ConfigError):
        return ()


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _ask_feeds(used: Settings) -> int:
    from monitor import cli_online

    return cli_online.ask_feeds(used)


def _tell(found: Mapping[str, Sequence[Fault]], path: Path, raw: bytes, form: str) -> None:
    """Show what was found in a file, by severity: with the line that is meant and their number, or as JSON."""
    from monitor.cli_faults import counted, shown
    from monitor.faults import lines_of

    if form == "json":
        rows = [
            {"line": one.line, "column": one.column, "severity": kind, "message": without_credentials(one.message)}
            for kind, some in found.items()
            for one in some
        ]
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    lines = lines_of(raw)
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    for kind, some in found.items():
        for one in some:
            hidden = replace(one, message=without_credentials(one.message))
            for line in shown(hidden, str(path), lines, kind, colour=colour):
                say(line)
    numbers = {"example that fails" if kind == "example" else kind: len(some) for kind, some in found.items()}
    if total := counted(numbers):
        say(f"{path}: {total}")


def explain(
    item: Annotated[
        str, typer.Argument(metavar="ITEM", help="A stored item: its number, its address, or words of its title.")
    ] = "",
    title: Annotated[str, typer.Option(help="A headline to judge instead.")] = "",
    summary: Annotated[str, typer.Option(help="The text below the headline.")] = "",
) -> None:
    """Say why an item or a text is a hit or not.

    Which keyword stands where, what each sign counts, what is missing.
    """
    from monitor import config
    from monitor import explain as explanation
    from monitor.match.judge import judge

    if bool(item) == bool(title or summary):
        raise typer.BadParameter("name a stored item, or give --title (and --summary); not both", param_hint="ITEM")
    used = settings()
    news, before = _stored_item(item) if item else (config.made_up(title, summary), None)
    verdict = judge(news, used.rules, second(used), thorough=True)
    for line in explanation.explain(news, verdict, used.rules, _colours()):
        print(line)
    if before and (before.covered, dict(before.themes)) != (verdict.covered, dict(verdict.themes)):
        print(f"  when it came in, under the rules of that day: {explanation.in_short(before)}")


def _stored_item(reference: str) -> tuple[Item, Verdict]:
    """Find the one item that is meant.

    Raises:
        MonitorError: there is none, or there are several; the message names them with their numbers.
    """
    from monitor.store import Store

    if not database().exists():
        raise MonitorError(f"{database()}: no database yet; poll first, or give --title")
    with Store(database()) as store:
        by_number = store.find_items(f"#{reference}") if reference.isdecimal() else []
        found = by_number or store.find_items(reference)
    if not found:
        raise MonitorError(f"{reference}: no stored item has this number, address or title; --title judges any text")
    if len(found) > 1:
        lines = [f"  {judged.id}  {judged.item.published:%Y-%m-%d}  {judged.item.title}" for judged in found]
        raise MonitorError("\n".join([f"{reference}: several items, name one by its number:", *lines]))
    if not found[0].item.title and not found[0].item.summary:
        raise MonitorError(f"{reference}: its text was forgotten after the retention time")
    return found[0].item, found[0].verdict


def _colours() -> Mark:
    """Return how words are marked: in colour on a terminal, in brackets elsewhere."""
    from monitor.explain import in_brackets

    if not in_colours():
        return in_brackets
    styles = {"company": "1;36", "theme": "1;32", "sign": "33"}
    return lambda kind, words: f"\x1b[{styles[kind]}m{words}\x1b[0m"


def evaluate(
    gold: Annotated[
        Path,
        typer.Argument(
            metavar="GOLD", help="Labelled items (title, summary, relevant, themes): a .jsonl file or a folder."
        ),
    ],
    predictions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what is said of each, as JSON lines.")
    ] = None,
    show: Annotated[bool, typer.Option("--misses", help="List every item that is judged otherwise.")] = False,
    opinion: Annotated[
        str, typer.Option(metavar="MODE", help="off, add or blend; what feeds.yaml says if not given.")
    ] = "",
) -> None:
    """Print precision, recall and F1 on labelled items.

    In all and by language.
    """
    from monitor import explain as explanation
    from monitor import tune

    used = settings()
    if opinion not in ("", "off", "add", "blend"):
        raise typer.BadParameter("off, add or blend", param_hint="--opinion")
    if opinion:
        used = replace(used, second_opinion=replace(used.second_opinion, mode=cast(Any, opinion)))
    examples = tune.read_labels(gold)
    verdicts = tune.predict(examples, used.rules, second(used))
    if predictions:
        try:
            predictions.write_text("".join(f"{line}\n" for line in tune.as_lines(examples, verdicts)), encoding="utf-8")
        except OSError as e:
            raise MonitorError(f"{predictions}: cannot be written: {e.strerror}") from e
    _print_scores(f"{len(examples)} items", examples, verdicts, tuple(used.titles))
    for language, some, said in tune.by_language(examples, verdicts):
        if len(some) < len(examples):
            _print_scores(f"\n{language}: {len(some)} items", some, said, tuple(used.titles))
    for example, verdict in tune.misses(examples, verdicts) if show else ():
        print(f"\n{example.id}: {example.title} | {example.summary}")
        themes = ", ".join(sorted(example.themes)) or "no theme"
        print(f"  labelled {'a hit: ' + themes if example.relevant else 'not a hit'}")
        print(f"  judged   {explanation.in_short(verdict)}{f': {verdict.reason}' if verdict.reason else ''}")


def rematch(
    reach: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Items first seen since: 7d, 12h, or a day: 2026-11-01.")
    ] = "",
    dry: Annotated[bool, typer.Option("--dry-run", help="Only print what it would do.")] = False,
) -> None:
    """Judge stored items again by the present feeds.yaml.

    What becomes a hit is told in the next edition, once.
    """
    from monitor import again, schedule

    if not reach:
        raise typer.BadParameter("say since when, such as 7d", param_hint="--since")
    start = since(reach)
    used = settings()
    opinion = second(used)
    with existing_store() as store:
        count, bare = store.count_since(start)
        with progress("judging again", count - bare) as step:
            stop = schedule.heed_signals()
            done = again.rematch(used, store, now, opinion, start, dry=dry, pace=again.Pace(stop.is_set, step))
    print("\n".join(_rematch_lines(done, start, dry=dry)))
    if done.fault:
        raise done.fault
    if not done.tally.ended:
        raise typer.Exit(1)


def _rematch_lines(done: Rematch, start: datetime, *, dry: bool) -> Iterator[str]:
    tally, would = done.tally, "would be " if dry else ""
    rest = [f"{done.current} more were judged by this feeds.yaml already"] * (done.current > 0)
    rest += [f"{done.bare} are left alone, for their texts are forgotten (retention)"] * (done.bare > 0)
    yield "; ".join([f"{tally.judged} items since {start:%Y-%m-%d %H:%M} UTC {would}judged again", *rest])
    yield f"hits: {len(tally.gained)} gained, {len(tally.lost)} lost, {len(tally.moved)} moved between themes"
    for word, pairs in (("gained", tally.gained), ("lost", tally.lost), ("moved", tally.moved)):
        for before, after in pairs[:SHOWN]:
            was, now_is = (", ".join(dict(one.verdict.themes)) or "no theme" for one in (before, after))
            themes = {"gained": now_is, "lost": was}.get(word, f"{was} → {now_is}")
            yield f"  {word:<6}  #{after.id}  {themes}: {after.item.title or after.item.link}"
        if len(pairs) > SHOWN:
            yield f"  and {len(pairs) - SHOWN} more {word}"
    if tally.refused:
        yield f"{tally.refused} were edited or judged by a poll meanwhile and stay as they are; run it again for those"
    if not tally.ended:
        yield f"ended before all were judged{'' if dry else '; so far it is saved'}; run it again for the rest"
    for prospect in done.prospects if tally.gained else ():
        where = [f"digest {prospect.digest}: {prospect.news} of those gained {would or 'are '}in its next edition"]
        where += [f"{prospect.settled} were settled by an earlier one"] * (prospect.settled > 0)
        filed = f"{prospect.filed} are only filed (old when first seen, or from before the digest)"
        yield "; ".join([*where, *[filed] * (prospect.filed > 0)])
    if dry:
        yield "nothing was changed (--dry-run)"


def backtest(
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The file to try in place of feeds.yaml; - reads it.")],
    since_when: Annotated[
        str, typer.Option("--since", metavar="30d", help="Only items first seen so long ago, or since a day.")
    ] = "",
    max_lost: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Fail (exit 1) when more than N hits are lost.")
    ] = None,
    samples: Annotated[int, typer.Option(metavar="N", min=0, help="Show so many of each kind of change.")] = 5,
    form: Annotated[str, typer.Option("--format", metavar="text|json", help="For people or for programs.")] = "text",
) -> None:
    """Try a new feeds.yaml on all that is stored.

    What it gains, loses and moves between themes, and why.
    """
    import gc

    from monitor import backtest as trial
    from monitor import backtest_report as report

    if form not in ("text", "json"):
        raise typer.BadParameter("text or json", param_hint="--format")
    after = since(since_when) if since_when else None
    with _both_sides(new) as (old_side, new_side), existing_store() as store:
        total, forgotten = store.count_stored(after)
        if not total:
            raise MonitorError(_no_past(since_when, store.counts()["items"], forgotten))
        gc.freeze()  # the keywords stay to the end: the collector need not go through them again and again
        with progress("judging stored items", total) as step:
            found = trial.compare(old_side, new_side, store.stored_items(after), step)
        chosen = report.samples_of(
            found, old_side, new_side, samples, lambda number: store.find_items(f"#{number}")[0].item
        )
    if form == "json":
        tree = report.as_json(found, old_side, new_side, chosen, forgotten, after, max_lost)
        print(json.dumps(tree, ensure_ascii=False, indent=2))
    else:
        _print_lines(report.text(found, old_side, new_side, chosen, forgotten, _look()))
    if max_lost is not None and found.lost_in_all > max_lost:
        with_feeds = f", {len(found.with_feed)} of them with their feeds" if found.with_feed else ""
        hits = "1 hit is" if found.lost_in_all == 1 else f"{found.lost_in_all:,} hits are"
        raise MonitorError(f"{hits} lost{with_feeds}; --max-lost allows {max_lost}")


@contextmanager
def _both_sides(new: Path) -> Iterator[tuple[Side, Side]]:
    """Read both files, load the second opinion of each, and say what a person should know of it."""
    from monitor import config
    from monitor.advice import advice
    from monitor.backtest import Side

    used = settings()
    config.remember(used.rules)
    if str(new) == "-":
        changed = config.understood(Path("standard input"), sys.stdin.buffer.read())
    elif not new.exists():
        raise ConfigError(str(new), (Fault("not found; name the file that is to be tried in place of the one in use"),))
    else:
        changed = config.load(new)
    advices = [advice(one, Paths.data) for one in (used, changed)]
    for line in dict.fromkeys([*advices[0].remarks, *advices[1].remarks]):
        own = [one.path for one, said in zip((used, changed), advices, strict=True) if line in said.remarks]
        say(line if len(own) > 1 else f"{own[0]}: {line}")
    with _remembered([one.second for one in advices]) as (old_second, new_second):
        yield Side.of(used, old_second), Side.of(changed, new_second)


@contextmanager
def _remembered(seconds: Sequence[Second | None]) -> Iterator[list[Second | None]]:
    """Let embeddings be kept from one run to the next, as `monitor learn` keeps them, where that is installed."""
    if not any(second and second.opinion.embed for second in seconds):
        yield list(seconds)
        return
    try:
        from monitor.learn import Remembered
    except ModuleNotFoundError:
        yield list(seconds)
        return
    with Remembered(Paths.data / "sense.npz") as memory:
        embed = memory.embed
        yield [
            replace(second, opinion=replace(second.opinion, embed=embed)) if second and second.opinion.embed else second
            for second in seconds
        ]


def _no_past(since_when: str, stored: int, forgotten: int) -> str:
    if not stored:
        return f"{database()}: holds no items yet; poll first"
    if since_when and not forgotten:
        return f"{database()}: none of {stored:,} stored items was first seen since {since_when}"
    return f"{database()}: the texts of all {forgotten:,} items were forgotten after the retention time"


def _look() -> Look:
    """Return how the report is shown: in colour and within its width on a terminal, plain in a pipe."""
    from shutil import get_terminal_size

    from monitor.backtest_report import Look

    width = get_terminal_size().columns if sys.stdout.isatty() else None
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return Look(lambda _, words: words, _colours(), width)
    styles = {"head": "1", "gained": "1;32", "lost": "1;31", "dim": "2"}
    return Look(
        lambda style, words: f"\x1b[{styles[style]}m{words}\x1b[0m" if style in styles else words, _colours(), width
    )


def _print_lines(lines: Iterable[Line]) -> None:
    """Print lines, whole in a pipe, folded to the width of a terminal."""
    if not sys.stdout.isatty():
        for line in lines:
            print(line.text.rstrip())
        return
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for line in lines:
        left = Text.from_ansi(line.text)
        first = (left.wrap(console, console.width) or [Text()])[0]
        console.print(first, no_wrap=True)
        rest = left.plain[len(first.plain) :]
        left = left[len(left.plain) - len(rest.lstrip()) :]
        for more in left.wrap(console, console.width - line.hang) if left else ():
            console.print(Text(" " * line.hang) + more, no_wrap=True)


def label(
    item: Annotated[
        str,
        typer.Argument(metavar="ITEM", help="A stored item: its number (123 for #123), address or words of its title."),
    ] = "",
    relevant: Annotated[str, typer.Option(metavar="yes|no", help="Is it about the companies together?")] = "",
    themes: Annotated[
        str, typer.Option(metavar="A,B", help="The themes it has, or none; says yes to --relevant.")
    ] = "",
    missed: Annotated[
        str, typer.Option(metavar="URL", help="An item that no digest told and that should have been.")
    ] = "",
    title: Annotated[str, typer.Option(help="The headline of a missed item that no feed brought.")] = "",
    summary: Annotated[str, typer.Option(help="The text below that headline.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take back what was said of the item.")] = False,
) -> None:
    """Say what an item is; `monitor learn` learns from it. Without arguments: list what was said."""
    from monitor.locks import hold
    from monitor.store import Store

    said = {"": None, "yes": True, "no": False}
    if relevant not in said:
        raise typer.BadParameter("yes or no", param_hint="--relevant")
    if item and missed:
        raise typer.BadParameter("either a stored item or --missed", param_hint="ITEM")
    named = _named_themes(themes)
    if named is not None and said[relevant] is False:
        raise typer.BadParameter("an item that is not relevant has no themes", param_hint="--themes")
    if (title or summary) and not missed:
        raise typer.BadParameter("only go with --missed", param_hint="--title, --summary")
    if missed and relevant == "no":
        raise typer.BadParameter("what was missed is relevant", param_hint="--relevant")
    if not (item or missed):
        if relevant or themes or undo:
            raise typer.BadParameter("name the item", param_hint="ITEM")
        _print_labels()
        return
    truth = True if missed or named is not None else said[relevant]
    if truth is None and not undo:
        raise typer.BadParameter("say --relevant yes or no, or --themes", param_hint="ITEM")
    with hold(Paths.data, "labels", wait=10), Store(database()) as store:
        if undo:
            found = _said_of(item or missed, store)
            store.forget_label(found.key)
        else:
            found = _labelled_item(item or missed, title, summary, missed=bool(missed))
            store.save_label(replace(found, relevant=bool(truth), themes=named if truth else ()))
        labels = store.labels()
        file = _export_labels(labels)
    print(f"{'taken back' if undo else 'noted'}: {found.title}")
    print(f"{len(labels)} labels, also in {file}; `monitor learn` takes them up")


def _named_themes(text: str) -> tuple[str, ...] | None:
    """Return the themes that are named; None where nothing is said of them.

    Raises:
        BadParameter: feeds.yaml has no such theme.
    """
    from monitor.faults import did_you_mean

    if not text:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = list(settings().titles)
    if not names or ("none" in names and len(names) > 1):
        raise typer.BadParameter("name themes, or none alone", param_hint="--themes")
    if names == ["none"]:
        return ()
    for name in names:
        if name not in known:
            raise typer.BadParameter(
                f"there is no theme {name!r}{did_you_mean(name, [*known, 'none'])}",
                param_hint="--themes",
            )
    return tuple(dict.fromkeys(names))


def _labelled_item(reference: str, title: str, summary: str, *, missed: bool) -> Label:
    """Return the label to be written, with the text of the item, nothing said yet."""
    from monitor.config import made_up
    from monitor.feeds.normalise import clean_link
    from monitor.model import Label

    if missed:
        if not reference.startswith(("http://", "https://")):
            raise typer.BadParameter(f"{reference!r} is no web address", param_hint="--missed")
        reference = clean_link(reference)
    if title:
        news = replace(made_up(title, summary), link=reference)
    else:
        try:
            news, _ = _stored_item(reference)
        except MonitorError as e:
            raise MonitorError(
                f"{e}\n  no feed brought it? then give --title, and --summary" if missed else str(e)
            ) from e
    return Label(news.link, news.title, news.summary, news.language, news.outlet, False, None, missed, now())


def _said_of(reference: str, store: Store) -> Label:
    """Return the label of an item, by its number, address or words of its title.

    Raises:
        MonitorError: nothing was said of it, or of several.
    """
    items = store.find_items(reference if reference.startswith("#") else f"#{reference}")
    texts = {(judged.item.link, judged.item.title) for judged in items}
    labels = store.labels()
    found = [one for one in labels if (one.link, one.title) in texts or one.link == reference]
    found = found or [one for one in labels if reference in one.title]
    if len(found) == 1:
        return found[0]
    if not found:
        raise MonitorError(f"{reference}: nothing was said of it")
    raise MonitorError(
        "\n".join(
            [
                f"{reference}: several labels, name one by words of its title:",
                *(f"  {one.link} {one.title}" for one in found),
            ]
        )
    )


def _export_labels(labels: Sequence[Label]) -> Path:
    """Write all labels beside the database, for other programs and for another worker."""
    from monitor import tune

    file = Paths.data / "labels.jsonl"
    fresh = file.with_suffix(".new")
    try:
        fresh.write_text("".join(f"{line}\n" for line in tune.label_lines(labels)), encoding="utf-8")
        os.replace(fresh, file)
    except OSError as e:
        raise MonitorError(f"{file}: cannot be written: {e.strerror}; the label is in the database") from e
    return file


def _print_labels() -> None:

    with existing_store() as store:
        labels = store.labels()
    if not labels:
        print("nothing was said of any item yet: monitor label NUMBER --relevant no")
        return
    rows = []
    for one in labels:
        themes = "?" if one.themes is None else ", ".join(one.themes) or "no theme"
        word = f"a hit: {themes}" if one.relevant else "not a hit"
        rows.append((f"{one.said:%Y-%m-%d}", word + ", missed" * one.missed, one.title, one.link))
    print_table(("said", "label", "title", "address"), rows)


def learn(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="More labelled items, such as another worker's labels.jsonl."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write the weights; the data folder if not given.")
    ] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only print what it would be worth.")] = False,
) -> None:
    """Train the second opinion on labelled items.

    Those that came along, and your own; it says what they are worth.
    """
    from monitor import advice, sense
    from monitor.locks import hold
    from monitor.store import Store

    try:
        from monitor import learn as school
    except ModuleNotFoundError as e:
        raise MonitorError(f"learning needs {e.name}: install the extra 'learn' (make extras)") from e
    used = settings()
    own = []
    if database().exists():
        with Store(database()) as store:
            own = store.labels()
    sensed = used.second_opinion.sense and sense.installed()
    with (
        hold(Paths.data, "learn", wait=2),
        school.Remembered(Paths.data / "sense.npz") as memory,
        progress("reading labelled items") as step,
    ):
        lessons = school.gather(used.rules, own, files or [], memory.embed if sensed else None, step)
    companies, themes = [c.name for c in used.rules.companies], [t.name for t in used.rules.themes]
    learnt = school.learn(lessons, companies, themes)
    for line in school.report(lessons, learnt, used):
        print(line)
    if not dry:
        folder = out or Paths.data
        advice.write(folder, learnt.weights, learnt.sense)
        print(f"\nwritten to {folder / advice.PLAIN}" + (f" and {advice.SEMANTIC}" if learnt.sense else ""))
        if used.second_opinion.mode == "off":
            print(f"{used.path}: second_opinion is off, so nobody hears it")


def suggest(
    since: Annotated[int, typer.Option(metavar="DAYS", min=1, help="Look at stored items of so many days.")] = 30,
    most: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many for each theme.")] = 8,
) -> None:
    """Propose keywords, with the items that each would add.

    Those that the second opinion leans on and feeds.yaml lacks.
    """
    from datetime import timedelta

    from monitor import suggest as suggestions
    from monitor.store import Store

    used = settings()
    own, stored = [], {}
    if database().exists():
        with Store(database()) as store:
            own, stored = store.labels(), store.items_since(now() - timedelta(days=since))
    lines = list(suggestions.suggest(used, Paths.data, own, stored, most))
    print("\n".join(lines) or "nothing to suggest")


def _print_scores(head: str, examples: list[Example], verdicts: list[Verdict], themes: tuple[str, ...]) -> None:
    from monitor import tune

    print(head)
    for name, score in tune.score(examples, verdicts, themes).items():
        print(f"{name:<14} P {score.precision:.3f}  R {score.recall:.3f}  F1 {score.f1:.3f}{score.counts()}")
