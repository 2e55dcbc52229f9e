"""`docker`, as far as it can be checked without an engine.

Held against the words: the Dockerfile and its arguments, the files that are mounted, the settings of the environment,
the commands of the program; a container must have been started, an image built or be somebody else's. Where docker's
own client is installed, it says whether it would take the words; it is given no engine to do anything with.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer.main
from ruamel.yaml import YAML

from monitor import cli, environment
from tests.builders import ROOT

KNOWN_NAME = ".docker-known.json"
KNOWN = Path(os.environ.get("HOME", "/nowhere")) / KNOWN_NAME
"""In the stranger's home: which images were built and which containers started."""
OURS = "rift-monitor"
DEMO = "rift-monitor-demo"
STRANGERS = re.compile(r"(?:diygod/rsshub|datasetteproject/datasette|redis)(?::[\w.-]+)?")
"""Images of others, by what they are called in public."""
OVERRIDE = Path("compose.override.yaml")
SERVICE_KEYS = {
    "image", "build", "command", "restart", "ports", "volumes", "environment", "env_file", "depends_on", "read_only",
    "tmpfs", "secrets", "networks", "healthcheck", "user", "container_name", "stop_grace_period", "cap_drop",
    "security_opt", "logging", "profiles",
}  # fmt: skip


def faults(words: list[str]) -> Iterator[str]:
    """Yield what is wrong with `docker …`."""
    known = json.loads(KNOWN.read_text()) if KNOWN.exists() else {"images": [], "containers": []}
    match words:
        case ["build", *rest]:
            yield from _build(rest, known)
        case ["run", *rest]:
            yield from _run(rest, known)
        case ["exec", *rest]:
            yield from _exec(rest, known)
        case ["logs" | "stop" | "start" | "restart" | "rm", *rest]:
            yield from _unknown(rest, known)
        case ["compose", *rest]:
            yield from _compose(rest)
            return  # the client has no such command by itself; it is a plugin
        case _:
            yield f"nothing is known of docker {' '.join(words)}"
            return
    KNOWN.write_text(json.dumps(known))
    yield from _no_words(words)


def _build(words: list[str], known: dict[str, list[str]]) -> Iterator[str]:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("-t", "--tag", default="")
    parser.add_argument("--build-arg", action="append", default=[])
    parser.add_argument("--target", default="")
    parser.add_argument("context", type=Path)
    given = parser.parse_args(words)
    file = given.context / "Dockerfile"
    if not file.exists():
        yield f"{file} is not there"
        return
    yield from _target(file, given.target)
    for argument in given.build_arg:
        name, _, value = argument.partition("=")
        if not re.search(rf"^ARG {name}=", file.read_text(), re.M):
            yield f"the Dockerfile has no ARG {name}"
        if name == "EXTRAS":
            yield from (
                f"there is no extra {e}" for e in value.split() if not (ROOT / f"requirements/{e}.lock").exists()
            )
    for source in re.findall(r"^COPY (?!--from)(\S+) ", file.read_text(), re.M):
        if not (given.context / source).exists():
            yield f"the Dockerfile copies {source}, which is not there"
    known["images"].append(given.tag)


def _target(file: Path, target: str) -> Iterator[str]:
    if target and not re.search(rf"^FROM \S+ AS {re.escape(target)}$", file.read_text("utf-8"), re.M):
        yield f"{file} has no target {target}"


def _run(words: list[str], known: dict[str, list[str]]) -> Iterator[str]:
    parser = argparse.ArgumentParser(exit_on_error=False)
    for flag in ("-d", "--rm", "-it", "--read-only"):
        parser.add_argument(flag, action="store_true")
    for option in ("-v", "-e", "-p", "--tmpfs"):
        parser.add_argument(option, action="append", default=[])
    for option in ("--name", "--network", "--restart", "--user"):
        parser.add_argument(option, default="")
    parser.add_argument("image")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args(words)
    if given.image not in known["images"] and not STRANGERS.fullmatch(given.image):
        yield f"no image {given.image} was built before"
    if given.image == OURS:
        yield from _mounts(given.v, given.e)
        yield from _settings(dict(setting.partition("=")[::2] for setting in given.e))
        yield from _command(given.command)
    known["containers"].append(given.name)


def _mounts(mounts: list[str], settings: list[str]) -> Iterator[str]:
    """What is mounted must be there, and where feeds.yaml is looked for it must be."""
    inside = {}
    for mount in mounts:
        source, target = mount.split(":")[:2]
        if re.match(r"[./]", source):
            inside[target] = Path(source)
            if not Path(source).exists():
                yield f"{source} is mounted and is not there"
    for setting in settings:
        name, _, value = setting.partition("=")
        if (
            name == "MONITOR_CONFIG"
            and not (inside.get(str(Path(value).parent), Path("/nowhere")) / "feeds.yaml").exists()
        ):
            yield f"no feeds.yaml is mounted at {value}"


def _settings(settings: Mapping[str, Any]) -> Iterator[str]:
    yield from environment.unknown_variables(dict.fromkeys(settings, ""))


def _exec(words: list[str], known: dict[str, list[str]]) -> Iterator[str]:
    rest = [word for word in words if word not in ("-it", "-i", "-t")]
    if rest[0] not in known["containers"]:
        yield f"no container {rest[0]} was started before"
    if rest[1] != "monitor":
        yield f"{rest[1]} is not the program"
    yield from _command(rest[2:])


def _command(words: list[str]) -> Iterator[str]:
    command: Any = typer.main.get_command(cli.app)
    names = [word for word in words if not word.startswith("-")]
    while names and getattr(command, "commands", None):
        if names[0] not in command.commands:
            yield f"the program has no command {names[0]}"
            return
        command = command.commands[names.pop(0)]


def _unknown(words: list[str], known: dict[str, list[str]]) -> Iterator[str]:
    names = [word for word in words if not word.startswith("-")]
    yield from (f"no container {name} was started before" for name in names if name not in known["containers"])


# ---------------------------------------------------------------- compose


def _compose(words: list[str]) -> Iterator[str]:
    file = next((name for name in ("compose.yaml", "compose.yml", "docker-compose.yml") if Path(name).exists()), "")
    if not file:
        yield "there is no compose.yaml"
        return
    profiles = {profile for option, profile in pairwise(words) if option == "--profile"}
    names = [word for i, word in enumerate(words) if not word.startswith("-") and words[i - 1 : i] != ["--profile"]]
    if not names or names[0] not in ("up", "down", "logs", "exec", "pull", "restart", "build", "ps", "cp", "stop"):
        yield f"nothing is known of docker compose {' '.join(words)}"
        return
    tree = YAML(typ="safe").load(Path(file).read_text("utf-8"))
    if OVERRIDE.exists():
        tree = merged(tree, YAML(typ="safe").load(OVERRIDE.read_text("utf-8")))
    yield from compose_faults(tree, Path())
    known_profiles = {profile for service in tree["services"].values() for profile in service.get("profiles", ())}
    yield from (f"there is no profile {profile}" for profile in profiles - known_profiles)
    if names[0] in ("up", "down"):
        yield from (f"there is no service {name}" for name in names[1:] if name not in tree["services"])
    if names[0] == "cp":
        container, _, inside = names[1].partition(":")
        if container not in tree["services"]:
            yield f"there is no service {container}"
        elif not any(inside.startswith(mount.split(":")[1]) for mount in tree["services"][container]["volumes"]):
            yield f"nothing is mounted at {inside}: what is there is gone with the container"
        if len(names) != 3 or not Path(names[2]).is_dir():
            yield "where to?"
    if names[0] == "exec":
        if names[1] not in tree["services"]:
            yield f"there is no service {names[1]}"
        yield from _command(names[3:] if names[2:3] == ["monitor"] else names[2:])


def merged(base: Any, override: Any) -> Any:
    """Lay an override over a compose file, as far as it adds services and keys of services."""
    services = dict(base["services"])
    for name, keys in override["services"].items():
        services[name] = {**services.get(name, {}), **keys}
    return {**base, "services": services}


def filled(text: str, environ: Mapping[str, str]) -> str:
    """Fill in the variables of a compose file, as far as ours uses them: ${NAME:-if empty} and ${NAME:+if not}."""

    def value(match: re.Match[str]) -> str:
        given = environ.get(match[1], "")
        return match[3] if (match[2] == "+") == bool(given) else given

    return re.sub(r"\$\{(\w+):([-+])([^}]*)\}", value, text)


def compose_faults(tree: Any, folder: Path | None = None) -> Iterator[str]:
    """Yield what is wrong with a compose file; whether its files are there, if it is known where it stands."""
    volumes = set(tree.get("volumes") or ())
    secrets = {name: filled(secret["file"], {}) for name, secret in (tree.get("secrets") or {}).items()}
    for name, file in secrets.items():
        if folder and not (folder / file).exists():
            yield f"secrets.{name}: {file} is not there"
    for name, service in tree["services"].items():
        yield from (f"services.{name}: {key} is not known" for key in set(service) - SERVICE_KEYS)
        if not ("image" in service or "build" in service):
            yield f"services.{name}: neither image nor build"
        image = service.get("image", "")
        if "build" not in service and image not in (OURS, DEMO) and not STRANGERS.fullmatch(image):
            yield f"services.{name}: whose image is {image}?"
        if folder and "build" in service:
            yield from _built(name, service["build"], folder)
        yield from (f"services.{name}: no secret {s}" for s in service.get("secrets", ()) if s not in secrets)
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            if folder and source.startswith((".", "/")) and not (folder / source).exists():
                yield f"services.{name}: {source} is mounted and is not there"
            if not source.startswith((".", "/")) and source not in volumes:
                yield f"services.{name}: the volume {source} is declared nowhere"
        settings = service.get("environment") or {}
        yield from _settings(settings if isinstance(settings, dict) else dict(s.partition("=")[::2] for s in settings))
        yield from (
            f"services.{name}: there is no {on}" for on in service.get("depends_on", ()) if on not in tree["services"]
        )


def _built(name: str, build: Any, folder: Path) -> Iterator[str]:
    parts = build if isinstance(build, dict) else {"context": build}
    recipe = folder / str(parts["context"]) / "Dockerfile"
    if recipe.exists():
        yield from _target(recipe, parts.get("target", ""))
    else:
        yield f"services.{name}: no Dockerfile in {parts['context']}"


# ---------------------------------------------------------------- docker's own client


def _no_words(words: list[str]) -> Iterator[str]:
    """Yield what docker's client says against the words; it looks at them before it looks for an engine."""
    client = shutil.which("docker", path=os.defpath + ":/usr/local/bin")
    if not client:
        return
    environ = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "HOME": "/nowhere", "DOCKER_BUILDKIT": "0"}
    done = subprocess.run([client, *words], capture_output=True, text=True, env=environ, timeout=30, check=False)
    refusal = re.search(r"unknown (?:shorthand )?(?:flag|command).*|requires .* arguments?.*|invalid .*", done.stderr)
    if refusal:
        yield refusal[0]


if __name__ == "__main__":
    wrong = list(faults(sys.argv[1:]))
    for line in wrong:
        print(f"docker {' '.join(sys.argv[1:3])} …: {line}", file=sys.stderr)
    sys.exit(1 if wrong else 0)
