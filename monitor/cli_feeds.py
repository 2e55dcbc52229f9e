"""`monitor feeds`: which feeds are watched, and changing that without an editor."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli_common import Paths, database, now, print_table, say, settings
from monitor.errors import MonitorError, without_credentials

if TYPE_CHECKING:
    from monitor.lists import NewFeed
    from monitor.model import Failure, FeedTrouble, Fetched

PATIENCE = 15.0
"""Seconds for one answer while somebody waits."""

WIDE = 140
"""Columns of a terminal on which addresses and remarks have room beside the rest."""

feeds_app = typer.Typer(help="The feeds that are watched.", no_args_is_help=True)

FeedArgument = Annotated[str, typer.Argument(metavar="FEED", help="Its address, or its name in `feeds list`.")]


@feeds_app.command("list")
def feeds_list() -> None:
    """Show each feed, when it answered, and what is wrong with it.

    When it is asked next, too.
    """
    from monitor import polling
    from monitor.feeds import condition
    from monitor.store import Store

    used, at = settings(), now()
    with Store(database()) as store:
        states = store.feed_states()
        found = polling.troubles_of(used, store, states, at)
    rows = []
    narrow = sys.stdout.isatty() and shutil.get_terminal_size().columns < WIDE
    form = "%m-%d %H:%M" if narrow else "%Y-%m-%d %H:%M"
    for feed in used.feeds:
        state = states.get(feed.url)
        word = condition.state_in_words(feed, state, found.get(feed.url, ()))
        remark = "; ".join(_in_words(trouble) for trouble in found.get(feed.url, ())) or (state.error if state else "")
        last = state.last_ok.strftime(form) if state and state.last_ok else "never"
        due = state.due.strftime(form) if state and state.due and feed.enabled else ""
        name = feed.name or (state.title if state else "") or feed.address
        rows.append((name, word, last, due, remark, feed.address))
    heads = ("feed", "state", "last answer (UTC)", "next", "remark", "address")
    if not narrow:
        print_table(heads, rows)
        return
    print_table(heads[:4], [row[:4] for row in rows])
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for name, _, _, _, remark, _ in rows:
        if remark:
            console.print(Text(f"{name}: {remark}"))


def _in_words(trouble: FeedTrouble) -> str:
    from monitor.digest.labels import wrong

    return wrong("en", trouble, f"{trouble.since:%Y-%m-%d}" if trouble.since else "")


@feeds_app.command("add")
def feeds_add(
    url: Annotated[str, typer.Argument(metavar="URL", help="The feed's address; `feeds find` finds it.")],
    name: Annotated[str, typer.Option(help="What it is called in mails; what the feed says if not given.")] = "",
    language: Annotated[str, typer.Option(help="en, zh, …; told from the texts if not given.")] = "",
    timezone: Annotated[str, typer.Option(help="For dates that name none, like Asia/Shanghai.")] = "",
    every: Annotated[
        str, typer.Option(metavar="TIME", help="How often it is polled, like 2h; at its own pace if not given.")
    ] = "",
) -> None:
    """Write a feed into feeds.yaml, at the end of its list."""
    from monitor.lists import NewFeed

    feed = NewFeed(url.strip(), " ".join(name.split()), language.strip(), timezone.strip(), every.strip())
    _complain_of(feed)
    _add([feed])
    print(f"added: {name or without_credentials(feed.url)}")
    _say_what_now()


@feeds_app.command("remove")
def feeds_remove(feed: FeedArgument) -> None:
    """Take a feed out of feeds.yaml, with its comments.

    What it brought stays stored.
    """
    from monitor import lists

    meant = _meant(feed)
    _edit(lambda text: lists.removed(text, meant, str(Paths.config)))
    print(f"removed: {without_credentials(feed)}")


@feeds_app.command("enable")
def feeds_enable(feed: FeedArgument) -> None:
    """Poll a feed again that was disabled."""
    _switch(feed, on=True)


@feeds_app.command("disable")
def feeds_disable(feed: FeedArgument) -> None:
    """Leave a feed in feeds.yaml, and do not poll it."""
    _switch(feed, on=False)


@feeds_app.command("find")
def feeds_find(
    site: Annotated[str, typer.Argument(metavar="SITE", help="A site or a page of it, like example.com.")],
    add: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Write the one with this number into feeds.yaml.")
    ] = None,
) -> None:
    """Find the feeds of a site.

    What it names, what it links, and where feeds often are.
    """
    from monitor.feeds.discover import find
    from monitor.lists import NewFeed

    found = find(site, get)
    if not found:
        raise MonitorError(
            f"{site}: no feed was found; some sites have one and tell nobody: ask them, or search the web"
        )
    if add is None:
        rows = []
        for i, feed in enumerate(found, 1):
            newest = f"{feed.newest:%Y-%m-%d %H:%M}" if feed.newest else ""
            rows.append((str(i), feed.title, feed.version, str(feed.entries), newest, feed.language, feed.url))
        print_table(("no.", "title", "format", "entries", "newest (UTC)", "language", "address"), rows)
        say(f"to watch the first: monitor feeds find {site} --add 1")
        return
    if add > len(found):
        raise typer.BadParameter(f"there are only {len(found)}", param_hint="--add")
    chosen = found[add - 1]
    # No language: what a feed declares is often wrong, and each item's is told from its words.
    new = NewFeed(chosen.url, chosen.title)
    _complain_of(new)
    _add([new])
    print(f"added: {chosen.title or without_credentials(chosen.url)}: {without_credentials(chosen.url)}")
    _say_what_now()


@feeds_app.command("import")
def feeds_import(
    file: Annotated[str, typer.Argument(metavar="FILE", help="OPML, as feed readers export it; - reads stdin.")],
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would be added.")] = False,
) -> None:
    """Add the feeds of an OPML file that are not there yet."""
    from monitor import lists
    from monitor.feeds.normalise import same
    from monitor.opml import read_opml

    raw = _bytes_of(file)
    reading = read_opml(raw, "stdin" if file == "-" else file)
    for line in reading.remarks:
        say(without_credentials(line))
    _, text = lists.read(Paths.config)
    known = {same(entry.url) for entry in lists.entries(text, str(Paths.config))}
    fresh = [feed for feed in reading.feeds if same(feed.url) not in known]
    if fresh and not dry:
        _add(fresh)
    for feed in fresh:
        called = feed.name or without_credentials(feed.url)
        print(f"{'would be added' if dry else 'added'}: {called}{'' if feed.enabled else ' (disabled)'}")
    for feed in reading.feeds:
        if feed not in fresh:
            print(f"there already: {feed.name or without_credentials(feed.url)}")
    print(
        f"{len(fresh)} {'would be ' * dry}added, {len(reading.feeds) - len(fresh)} there already, "
        f"{len(reading.remarks)} left out"
    )
    if fresh and not dry:
        _say_what_now()


@feeds_app.command("export")
def feeds_export(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write; stdout if not given.")] = None,
) -> None:
    """Write the feeds as OPML, which other feed readers take."""
    from monitor.opml import write_opml

    feeds = settings().feeds
    document = write_opml(feeds, "Feeds of rift-monitor", now())
    if out is None:
        sys.stdout.buffer.write(document)
        return
    try:
        out.write_bytes(document)
    except OSError as e:
        raise MonitorError(f"{out}: cannot be written: {e.strerror}") from e
    print(f"{len(feeds)} feeds written to {out}")


# ---------------------------------------------------------------- helpers


def get(urls: Sequence[str]) -> Mapping[str, Fetched | Failure]:
    """Ask addresses at once; an answer for each. The one place where these commands meet the network."""
    import asyncio
    from contextlib import aclosing
    from dataclasses import replace
    from datetime import timedelta

    from monitor.errors import ConfigError
    from monitor.feeds.fetch import fetch_all
    from monitor.model import Failure, Feed, FeedState, Fetched, Manners

    try:
        manners = settings().manners
    except ConfigError:
        manners = Manners()  # a site's feeds can be found while feeds.yaml is broken

    manners = replace(manners, spacing=timedelta(seconds=0.2))  # some addresses once, while somebody waits

    async def ask() -> dict[str, Fetched | Failure]:
        answers: dict[str, Fetched | Failure] = {}
        asked = [(Feed(url), FeedState(url)) for url in urls]
        async with aclosing(fetch_all(asked, deadline=PATIENCE, manners=manners)) as responses:
            async for feed, response in responses:
                answers[feed.url] = response if isinstance(response, Fetched | Failure) else Failure("not modified")
        return answers

    return asyncio.run(ask())


def _edit(change: Callable[[str], str]) -> bool:
    """Change the text of feeds.yaml; return False where there was nothing to change."""
    from monitor import lists

    old, text = lists.read(Paths.config)
    new = change(text).encode("utf-8")
    if new == old:
        return False
    lists.save(Paths.config, old, new)
    return True


def _add(feeds: Sequence[NewFeed]) -> None:
    from monitor import lists

    _edit(lambda text: lists.added(text, feeds, str(Paths.config)))


def _switch(feed: str, *, on: bool) -> None:
    from monitor import lists

    word = "enabled" if on else "disabled"
    meant = _meant(feed)
    changed = _edit(lambda text: lists.enabled(text, meant, on, str(Paths.config)))
    feed = without_credentials(feed)
    print(f"{word}: {feed}" if changed else f"{feed} is {word} already; nothing was changed")


def _meant(reference: str) -> str:
    """Return the address of a feed that has no name of its own and is listed under its title; else what was typed."""
    from monitor import lists
    from monitor.store import Store

    if "://" in reference or not database().exists():
        return reference
    known = lists.entries(lists.read(Paths.config)[1], str(Paths.config))
    if any(entry.name.casefold() == reference.casefold() for entry in known):
        return reference
    with Store(database()) as store:
        titles = {url: state.title.casefold() for url, state in store.feed_states().items()}
    listed = [entry.url for entry in known if not entry.name and titles.get(entry.url) == reference.casefold()]
    return listed[0] if len(listed) == 1 else reference


def _complain_of(feed: NewFeed) -> None:
    """Say what is wrong with what was typed, by option: nobody has seen the line that would be written.

    Raises:
        BadParameter: an option, or the address, cannot be used.
    """
    from pydantic import ValidationError

    from monitor.schema import FeedPart

    try:
        FeedPart.model_validate(feed.keys())
    except ValidationError as e:
        error = e.errors(include_url=False)[0]
        option = str(error["loc"][0]) if error["loc"] else "url"
        cause = error.get("ctx", {}).get("error", error["msg"])
        raise typer.BadParameter(str(cause), param_hint="URL" if option == "url" else f"--{option}") from e


def _bytes_of(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as e:
        raise MonitorError(f"{file}: cannot be read: {e.strerror}") from e


def _say_what_now() -> None:
    say("a running worker takes it up within a minute; `monitor poll` shows whether it answers")
