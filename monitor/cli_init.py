"""`monitor init`: a folder to start from."""

from __future__ import annotations

import shlex
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from monitor.cli_common import say, when
from monitor.errors import MonitorError

if TYPE_CHECKING:
    from monitor.model import DigestPlan
    from monitor.start import Wishes


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; made if it is not there.")] = Path(),
    to: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="Who gets the digest; may be given several times.")
    ] = None,
    timezone: Annotated[
        str, typer.Option(metavar="ZONE", help="Like Asia/Shanghai; this machine's, where it names a place.")
    ] = "",
    language: Annotated[str, typer.Option(help="Language of the digest's headings: en or zh.")] = "",
) -> None:
    """Write what one starts from, in a folder of one's own.

    feeds.yaml, templates/, compose.yaml and .env.example; nothing is overwritten.
    """
    from monitor import config, start

    wishes = _understood(to or [], timezone, language)
    place = folder / start.CONFIG
    if place.exists() and (to or timezone or language):
        raise MonitorError(f"{place} is there and stays as it is; write what you wish into it, or name another folder")
    begun = start.begin(folder, wishes)
    for word, names in (("written", begun.written), ("kept", begun.kept)):
        if names:
            print(f"{word + ':':<9}{', '.join(names)}{' (there already)' * (word == 'kept')}")
    fresh = start.CONFIG in begun.written
    plan = config.load(place).digests[0] if fresh else None
    if plan:
        at = f"{when(plan.cron)} {plan.timezone}"
        print(f"digest:  {plan.name}, to {', '.join(plan.to)}, {at}, headings in {plan.language}")
    _say_what_next(folder, plan)
    _say_what_a_container_cannot_read(folder, begun.written)


def _understood(to: list[str], timezone: str, language: str) -> Wishes:
    """Return what was asked for.

    Raises:
        BadParameter: it cannot stand in feeds.yaml.
    """
    from pydantic import ValidationError

    from monitor.schema import DigestPart
    from monitor.start import Wishes

    asked = {"to": to, "timezone": timezone.strip(), "language": language.strip()}
    given = {key: value for key, value in asked.items() if value}
    try:
        DigestPart.model_validate({"name": "morning", "to": ["you@example.com"], "at": "07:30", **given})
    except ValidationError as e:
        error = e.errors(include_url=False)[0]
        words = str(error["ctx"].get("error", "")) or f"{error['input']!r} is not one of {error['ctx']['expected']}"
        raise typer.BadParameter(words, param_hint=f"--{error['loc'][0]}") from None
    return Wishes(tuple(one.strip() for one in to), timezone.strip() or _zone_here(), language.strip())


def _zone_here() -> str:
    """Return the time zone of this machine where it names a place: a server on UTC says nothing of its reader."""
    import tzlocal

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a TZ and a /etc/localtime that differ
            name = tzlocal.get_localzone_name()
        ZoneInfo(name)
    except (LookupError, ValueError, OSError, TypeError):  # none is set, or none that has a name
        return ""
    return name if "/" in name and not name.startswith("Etc/") else ""


def _say_what_next(folder: Path, plan: DigestPlan | None) -> None:
    from monitor import resources
    from monitor.start import COMPOSE, CONFIG

    steps = []
    if folder.resolve() != Path.cwd():
        steps.append((f"cd {shlex.quote(str(folder))}", ""))
    if plan and plan.to == ("you@example.com",):
        lines = (folder / CONFIG).read_text("utf-8").splitlines()
        line = next(i for i, text in enumerate(lines, 1) if plan.to[0] in text)
        steps.append((f"write your address into {CONFIG}", f"line {line}, in place of {plan.to[0]}"))
    steps.append(("monitor check --online", "what is wrong with the file, and what each feed answers"))
    if resources.checkout() is None:
        steps.append(("monitor run", f"the worker; {COMPOSE} is for an image that you have built: see the README"))
    else:
        steps.append(("monitor run", "the worker; or, in a container: docker compose up -d"))
    print("\nNext:")
    width = max(len(step) for step, _ in steps)
    for i, (step, why) in enumerate(steps, 1):
        print(f"  {i}. {step:<{width}}   {why}".rstrip())
    print("Digests are written to data/outbox until a mail server is set: see .env.example.")


def _say_what_a_container_cannot_read(folder: Path, written: tuple[str, ...]) -> None:
    from monitor.start import unreadable

    if unreadable(folder, written):
        command = f"chmod -R go+rX {shlex.quote(str(folder))}"
        say(f"others cannot read {folder}, and in a container the worker is one of them; let them read it: {command}")
