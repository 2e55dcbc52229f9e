"""What people type: one thin command for each thing the program does.

Results go to stdout, logs to stderr. Exit status: 0 fine, 1 failed, 2 wrong usage or configuration,
3 every feed failed.
Imports stand inside the commands, so that `monitor --help` answers at once.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor import __version__, cli_archive, cli_copies, cli_init, cli_rules
from monitor.cli_common import Paths as _Paths
from monitor.cli_common import Voice as _Voice
from monitor.cli_common import database as _database
from monitor.cli_common import desk as _desk
from monitor.cli_common import existing_store as _existing_store
from monitor.cli_common import fault as _fault
from monitor.cli_common import now as _now
from monitor.cli_common import print_table as _print_table
from monitor.cli_common import progress as _progress
from monitor.cli_common import say as _say
from monitor.cli_common import second as _second
from monitor.cli_common import settings as _settings
from monitor.cli_common import warn_of_strangers as _warn_of_strangers
from monitor.cli_feeds import feeds_app
from monitor.cli_send import outbox, post, send_test, warn_of_channels
from monitor.errors import ConfigError, Fault, MonitorError

if TYPE_CHECKING:
    from monitor.advice import Advice
    from monitor.cluster import Cluster
    from monitor.metrics import Metrics
    from monitor.model import DigestPlan, Edition, Judged, Outcome
    from monitor.polling import Due
    from monitor.settings import Settings
    from monitor.store import Store

EVERY_FEED_FAILED = 3

app = typer.Typer(
    name="monitor",
    help="Watches feeds for news of Microsoft and OpenAI, and mails a digest of what matters.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(feeds_app, name="feeds")

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="MONITOR_CONFIG", metavar="FILE", help="The feeds.yaml to use.")
]
DataOption = Annotated[
    Path,
    typer.Option("--data", "-d", envvar="MONITOR_DATA", metavar="DIR", help="Where the database and the outbox are."),
]


@app.callback()
def _options(
    context: typer.Context, config: ConfigOption = Path("feeds.yaml"), data: DataOption = Path("data")
) -> None:
    _set_up_logs(now=context.invoked_subcommand not in _QUIET)
    _Paths.config, _Paths.data = config, data


_QUIET = ("poll", "feeds", "health", "init", "version", "search", "export", "backup", "restore")
"""Commands that often end before anything could be logged; structlog takes a tenth of a second to import."""


def _set_up_logs(*, now: bool = True) -> None:
    """Choose the form of the logs; with `now` unset only say whether it can be used."""
    from monitor import logs

    form = os.environ.get("MONITOR_LOG", "auto")
    try:
        logs.check(form)
    except ValueError as e:
        raise ConfigError("environment", (Fault(str(e)),)) from e
    if now:
        logs.set_up(form)


# ---------------------------------------------------------------- the worker


@app.command()
def run() -> None:
    """Poll, make editions, deliver and tidy, until it is stopped."""
    from monitor import config, environment, logs, schedule

    stop = schedule.heed_signals()
    _Voice.logs = not logs.is_text(os.environ.get("MONITOR_LOG", "auto"))
    logs.take_all()
    settings, mail = _usable_settings(), environment.mail_settings()
    logs.hide([mail.password])
    _warn_of_strangers()
    warn_of_channels(settings)
    for line in [] if mail.to_files else config.sample_addresses(settings):
        _say(line)
    where = f"{mail.host}:{mail.real_port}" if mail.host else f"files in {outbox()} (no MONITOR_SMTP_HOST is set)"
    _say(
        f"monitor {__version__}: {len(settings.enabled)} feeds from {_Paths.config}, data in {_Paths.data}, "
        f"digests go to {where}"
    )
    metrics = _metrics(environment.metrics_port(os.environ), environment.metrics_host(os.environ))
    cluster = _cluster(os.environ.get("MONITOR_CLUSTER", ""), fetches=environment.cluster_fetches(os.environ))
    office = schedule.Office(
        _Paths.config, _Paths.data, _desk(mail), lambda: post(mail), _now, metrics=metrics, cluster=cluster
    )
    schedule.run(office, settings, stop)


def _metrics(port: int | None, host: str) -> Metrics | None:
    """Begin to answer those who ask how the worker is; None where nobody may."""
    if port is None:
        return None
    from monitor import checkup, serve
    from monitor.metrics import Metrics

    load = checkup.remembering()
    read = serve.Fresh(lambda: checkup.read(_Paths.config, _Paths.data, _now(), load))
    metrics = Metrics(read)
    serve.serve(metrics, read, host, port)
    return metrics


def _usable_settings() -> Settings:
    """Return the settings in use; where feeds.yaml cannot be used, those of the last one that could.

    Raises:
        ConfigError: it cannot be used, and there is no earlier one.
    """
    from monitor import lastgood

    try:
        return _settings()
    except ConfigError as e:
        kept = lastgood.load(_Paths.config, _Paths.data)
        if kept is None:
            raise
        copy = lastgood.place(_Paths.data)
        _say(f"{_Paths.config} cannot be used; the worker goes by the last good one ({copy}) until it is mended:\n{e}")
        return kept


def _cluster(address: str, *, fetches: bool, name: str = "MONITOR_CLUSTER") -> Cluster | None:
    """Return the Dask cluster of this address, not connected to yet; None for no address.

    Raises:
        ConfigError: it is no address of a scheduler, or the extra is not installed.
    """
    if not address.strip():
        return None
    from monitor import environment

    scheduler = environment.scheduler_address(address, name)
    try:
        from monitor.cluster import Cluster
    except ModuleNotFoundError as e:
        if (e.name or "").partition(".")[0] not in ("dask", "distributed"):
            raise
        words = f"{name}: the extra 'cluster' is not installed: make cluster, or pip install 'rift-monitor[cluster]'"
        raise ConfigError("environment", (Fault(words),)) from e
    return Cluster(scheduler, fetches=fetches)


@app.command()
def poll(
    everything: Annotated[bool, typer.Option("--all", help="Poll every feed, due or not.")] = False,
    cluster: Annotated[
        str,
        typer.Option(metavar="ADDRESS", envvar="MONITOR_CLUSTER", help="Judge on the Dask cluster of this scheduler."),
    ] = "",
    cluster_fetch: Annotated[
        bool,
        typer.Option(
            "--cluster-fetch", envvar="MONITOR_CLUSTER_FETCH", help="Let the cluster's workers ask the feeds too."
        ),
    ] = False,
) -> None:
    """Poll once what is due, and show what came of each feed."""
    if cluster_fetch and not cluster:
        raise typer.BadParameter("only goes with --cluster, whose workers do it", param_hint="--cluster-fetch")
    there = _cluster(cluster, fetches=cluster_fetch, name="--cluster")
    from monitor.locks import hold
    from monitor.polling import due_feeds
    from monitor.store import Store

    with suppress(OSError):  # what keeps feeds.yaml compiled lies there too; `hold` says what is wrong
        _Paths.data.mkdir(parents=True, exist_ok=True)
    settings = _settings()
    with hold(_Paths.data, "poll", wait=2), Store(_database()) as store:
        # What polls takes longer to import than to learn that there is nothing to do.
        due = due_feeds(settings, store, _now(), everything=everything)
        if due or store.unmet_digests([plan.name for plan in settings.digests], _now()):
            outcomes = _poll(settings, store, due, there)
        else:
            outcomes = []
    if not outcomes:
        print("no feed is due; --all polls them all the same")
        return
    _print_outcomes(outcomes)
    if all(outcome.result == "failed" for outcome in outcomes):
        raise typer.Exit(EVERY_FEED_FAILED)


def _poll(settings: Settings, store: Store, due: Due, cluster: Cluster | None) -> list[Outcome]:
    """Poll; with a cluster, make sure first that it is there."""
    _set_up_logs()
    import gc
    from functools import cache

    from monitor.hands import tools_of
    from monitor.polling import poll
    from monitor.store import FIRST_EDITION

    gc.freeze()  # the keywords stay to the end: the collector need not go through them again and again

    second = cache(lambda: _second(settings))
    if cluster:
        cluster.open(tools_of(settings.rules, second()))
    try:
        with _progress("polling", len(due)) as step:
            store.meet_digests([plan.name for plan in settings.digests], _now(), FIRST_EDITION)
            return poll(
                settings,
                store,
                _now,
                advise=second,
                due=due,
                tell=lambda outcome: step(),
                cluster=cluster,
            )
    finally:
        if cluster:
            _say(f"the cluster took in {cluster.taken} document{'s' * (cluster.taken != 1)}")
            cluster.close()


@app.command()
def digest(
    name: Annotated[str, typer.Argument(help="Which digest of feeds.yaml; the first if not given.")] = "",
    preview: Annotated[
        bool, typer.Option("--preview", help="Write what would be sent to files; mark nothing.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Preview again whenever feeds.yaml or a template changes, until Ctrl-C.")
    ] = False,
    sample: Annotated[
        bool, typer.Option("--sample", help="Preview invented news with every kind of part, to tune the look by.")
    ] = False,
    again: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Write edition N (monitor editions) as it was sent.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where previews are written; ./preview if not given.")
    ] = None,
) -> None:
    """Make an edition of what is not told yet, and deliver it now."""
    preview = preview or watch or sample
    if again is not None and (preview or name):
        raise typer.BadParameter("goes alone: the edition is known by its number", param_hint="--again")
    if out and not (preview or again is not None):
        raise typer.BadParameter("only goes with --preview; without it the digest is sent", param_hint="--out")
    folder = out or Path("preview")
    if again is not None:
        _write_again(again, folder)
        return
    if preview:
        _preview(name, folder, sample=sample, watch=watch)
        return
    from monitor import environment, worker
    from monitor.locks import hold
    from monitor.store import Store

    settings, mail = _settings(), environment.mail_settings()
    _warn_of_strangers()
    warn_of_channels(settings)
    plan = _plan(settings, name)
    with Store(_database()) as store:
        worker.meet_digests(settings, store, _now())
        with hold(_Paths.data, "deliver", wait=10):
            reach = _judge_again(settings, plan, store)
            made = worker.digest(settings, plan, store, _desk(mail), _now(), reach=reach)
            if made and not made[1]:
                print(f"{plan.name}: nothing new, nothing sent (empty: skip)")
            elif made:
                print(f"{plan.name}: {_told(made[0])}: {made[1][0].subject}")
            results = worker.deliver(store, post(mail), _now)
            _archive(settings, store)
    for recipient, state, detail in results:
        later = "" if state in ("sent", "refused") else " (will be tried again)"
        print(f"{recipient}: {state}: {detail}{later}")
    if any(state != "sent" for _, state, _ in results):
        raise typer.Exit(1)


def _judge_again(settings: Settings, plan: DigestPlan, store: Store) -> int:
    """Judge what is not told by the present rules, and return how far an edition reaches then.

    Where the second opinion is broken, what it has heard stays.
    """
    from monitor import again

    last = store.last_item()
    heard = _heard(settings)
    if heard is None:
        return last
    with _progress("judging again") as step:
        tally = again.judge_again(settings, store, _now, heard.second, again.Pace(tell=step))
    return again.reach(store, plan, tally, last)


def _hits_now(settings: Settings, plan: DigestPlan, store: Store) -> list[Judged] | None:
    """Return what would be told by the present rules; None, for what is stored, while the second opinion is broken."""
    from monitor import again

    heard = _heard(settings)
    if heard is None:
        return None
    with _progress("judging") as step:
        return again.hits_now(settings, plan, store, _now(), heard.second, step)


def _heard(settings: Settings) -> Advice | None:
    """Return the second opinion; None, and say so, where its weights are broken."""
    from monitor.advice import advice

    try:
        return advice(settings, _Paths.data)
    except MonitorError as e:
        _say(f"the second opinion is not heard: {e}")
        return None


def _plan(settings: Settings, name: str) -> DigestPlan:
    if not settings.digests:
        raise _fault("digests: there is none; add one to make editions")
    return settings.digest(name) if name else settings.digests[0]


def _preview(name: str, out: Path, *, sample: bool, watch: bool) -> None:
    """Write what would be sent; with `watch` again after each edit, telling faults and going on."""
    from monitor import environment, press, resources, schedule, worker
    from monitor import preview as showing
    from monitor.digest.sample import sample as the_sample
    from monitor.store import Store

    desk = _desk(environment.mail_settings())
    _warn_of_strangers()

    def show() -> None:
        settings = _settings()
        plan = _plan(settings, name)
        if sample:
            edition = the_sample(plan.language, plan)
        else:
            # Nothing is written, not even an empty database.
            known = _database() if _database().exists() else Path(":memory:")
            with Store(known) as store:
                hits = _hits_now(settings, plan, store)
                edition, _, _ = worker.next_edition(settings, plan, store, _now(), hits=hits)
        edition, rendered, frame = press.typeset(edition, desk)
        page, mail = showing.write_edition(edition, rendered, frame, out, "sample" if sample else plan.name)
        print(f"{plan.name}: {_told(edition)}: {rendered.subject}")
        print(f"  page  {page}\n  mail  {mail}\nnothing was sent or marked", flush=True)
        if edition.too_early:
            _say("no feed was asked yet; poll first: monitor poll")

    def show_or_say() -> None:
        try:
            show()
        except MonitorError as e:
            _say(str(e))

    if not watch:
        show()
        return
    stop = schedule.heed_signals()
    paths = [_Paths.config, resources.templates(_Paths.config)]
    _say(f"watching {paths[0]} and {paths[1]}; Ctrl-C ends")
    showing.watch(show_or_say, lambda: showing.state_of(paths), lambda: stop.wait(0.5))


def _write_again(number: int, out: Path) -> None:
    from monitor import preview as showing

    with _existing_store() as store:
        kept = store.kept_edition(number)
        other = store.stood_in_for(number)
    if kept is None and other:
        raise MonitorError(f"{number}: reached nobody; what it told is in edition {other} (--again {other})")
    if kept is None:
        raise MonitorError(f"{number}: no edition of this number was mailed; `monitor editions` lists them")
    (page, mail), said = showing.write_again(kept, out)
    print(f"{kept.digest}, {kept.until:%Y-%m-%d %H:%M} UTC: {kept.subject}\n  page  {page}\n  mail  {mail}\n{said}")


@app.command()
def editions(
    limit: Annotated[int, typer.Option(min=1, help="How many, the latest.")] = 30,
) -> None:
    """List the editions that were mailed.

    `monitor digest --again N` shows one.
    """
    from monitor import archive

    with _existing_store() as store:
        rows = store.mailed_editions()[-limit:]
    if not rows:
        print("no edition was mailed yet")
        return
    _print_table(
        ("edition", "digest", "time (UTC)", "stories", "mails", "subject"),
        [(str(e.id), e.digest, f"{e.until:%Y-%m-%d %H:%M}", str(e.stories), str(e.mails), e.subject) for e in rows],
    )
    index = _Paths.data / archive.FOLDER / archive.INDEX
    if index.exists():
        print(f"to read and search: {index}")


def _archive(settings: Settings, store: Store) -> None:
    """Write the pages of new editions; what cannot be written is told, for the mail is out already."""
    from monitor import archive, resources

    try:
        templates = resources.read_templates(resources.templates(_Paths.config))
        archive.update(
            store,
            _Paths.data / archive.FOLDER,
            templates,
            language=settings.digests[0].language,
            titles=settings.titles,
            shorts=settings.shorts,
        )
    except MonitorError as e:
        _say(f"the archive could not be written: {e}")


@app.command()
def demo(
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; a new temporary folder if not given.")
    ] = None,
    language: Annotated[str, typer.Option(help="Language of the headings: en or zh.")] = "en",
) -> None:
    """Show the whole way on sample feeds.

    No network, no settings, no mail server.
    """
    import tempfile
    import webbrowser

    from monitor.demo.run import tour

    if language not in ("en", "zh"):
        raise typer.BadParameter("en or zh", param_hint="--language")
    try:
        if out:
            out.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{_now():%H%M%S}-" if out else "monitor-demo-", dir=out))
    except OSError as e:
        raise MonitorError(f"{out or 'the temporary folder'}: cannot be written: {e.strerror}") from e
    done = tour(folder, language)
    _print_outcomes(done.first)
    unchanged = sum(outcome.result == "unchanged" for outcome in done.second)
    print(f"\nA second poll: {unchanged} feeds unchanged, {sum(o.new for o in done.second)} new items.")
    print(f"The digest: {_told(done.edition)}.")
    print(f"  subject  {done.subject}\n  page     {done.page}\n  mail     {done.mail}\n  archive  {done.archive}")
    print(f"Its items can be searched, and edits be tried on them: monitor -d {shlex.quote(str(folder))} search 算力")
    if sys.stdout.isatty() and (os.environ.get("DISPLAY") or sys.platform in ("darwin", "win32")):
        webbrowser.open(done.page.as_uri())


# ---------------------------------------------------------------- rules

for _command in (
    cli_init.init,
    cli_rules.check,
    cli_rules.explain,
    cli_rules.evaluate,
    cli_rules.backtest,
    cli_rules.label,
    cli_rules.rematch,
    cli_rules.learn,
    cli_rules.suggest,
):
    app.command()(_command)


app.command(cls=cli_archive.SearchCommand)(cli_archive.search)
app.command()(cli_archive.export)
app.command()(cli_copies.backup)
app.command()(cli_copies.restore)


# ---------------------------------------------------------------- looking after it


app.command("send-test")(send_test)


@app.command()
def health(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Exit 0 only while polling and sending work; say what is wrong."""
    from monitor import checkup

    found = checkup.examine(_Paths.config, _Paths.data, _now())
    problems = [one.line for one in found if one.grave]
    remarks = [one.line for one in found if not one.grave]
    if as_json:
        print(json.dumps({"healthy": not problems, "problems": problems, "remarks": remarks}, ensure_ascii=False))
    else:
        print("\n".join([*(problems or ["healthy"]), *(f"note: {remark}" for remark in remarks)]))
    if problems:
        raise typer.Exit(1)


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


# ---------------------------------------------------------------- helpers


def _told(edition: Edition) -> str:
    updates = edition.updates_total
    more = f", {updates} update{'s' * (updates != 1)}" if updates else ""
    doubtful = f", {edition.doubtful} doubtful" if edition.doubtful else ""
    stories = "1 story" if edition.total == 1 else f"{edition.total} stories"
    reports = "1 report" if edition.reports == 1 else f"{edition.reports} reports"
    return f"{stories} from {reports}{more}{doubtful}"


def _print_outcomes(outcomes: list[Outcome]) -> None:
    rows = [
        (
            outcome.feed.name or outcome.feed.address,
            outcome.result,
            str(outcome.entries or ""),
            str(outcome.new or ""),
            str(outcome.changed or ""),
            str(outcome.hits or ""),
            f"{outcome.seconds:.2f}",
            outcome.reason,
        )
        for outcome in sorted(outcomes, key=lambda o: (o.result == "failed", o.feed.name or o.feed.url))
    ]
    _print_table(("feed", "result", "entries", "new", "changed", "hits", "seconds", "reason"), rows)
    failed = sum(outcome.result == "failed" for outcome in outcomes)
    print(
        f"{len(outcomes)} feeds: {len(outcomes) - failed} answered, {failed} failed; "
        f"{sum(o.new for o in outcomes)} new items, {sum(o.hits for o in outcomes)} hits"
    )


def main() -> None:
    """Run a command; turn what a person can mend into one line and an exit status."""
    try:
        app()
    except MonitorError as e:
        _say(str(e), error=True)
        sys.exit(e.exit_code)
    except BrokenPipeError:
        # The reader of a pipe (head, less) has gone; that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
