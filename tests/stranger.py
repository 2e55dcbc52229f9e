"""Somebody who has just got the repository and types what its pages say, command for command.

Blocks of a page are run by a real shell in a copy of the checkout, in the internet of tests/internet.py; what one block
exports, or where it changes to, holds for the next. The shell knows the commands in `Stranger.TOOLS` and those below,
so that one which nothing is known of fails:

    monitor     the program; what never ends gets SIGTERM once it has done its work
    make        real where that is cheap; of other targets only that they exist, and what they would do
    python3     the one that runs the tests; git where it is installed
    docker      needs an engine: its words are held against the Dockerfile, the folder and the program (tests/engine.py)
    pip         installs nothing: what is named must be named in pyproject.toml too
"""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
import venv
from dataclasses import dataclass
from pathlib import Path

from tests.builders import ROOT
from tests.internet import Internet, quiet_environ

TOOLS = (
    "bash", "cat", "chmod", "cp", "cut", "date", "diff", "dirname", "env", "false", "git", "grep", "head", "ls",
    "mkdir", "mv", "rm", "sed", "sh", "sleep", "sort", "tail", "tee", "touch", "tr", "true", "wc",
)  # fmt: skip
COPIED = "templates"
"""Besides the files at its top, what a user changes of the checkout: all else is linked, and must not be written to."""
READY = re.compile(r"\bpolled\b|nothing was sent or marked|Uvicorn running")
BEGUN, SOON = re.compile(r"digests go to"), 5.0
"""A worker says this when it begins, and nothing more while no feed is due: so many seconds later it is ready too."""
LONGEST = 120.0
"""Seconds for what is ended when it is ready."""
CHEAP_TARGETS = "demo|run"


@dataclass(frozen=True)
class Result:
    """How a block ended, and all that it printed, to stdout or stderr."""

    status: int
    output: str


class Stranger:
    """A folder like a fresh checkout, set up as by `make extras`, and a shell in it."""

    def __init__(self, folder: Path, internet: Internet) -> None:
        self.home = folder / "rift-monitor"
        self._bin, self._state, self._block = folder / "bin", folder / "state.sh", folder / "block.sh"
        self.home.mkdir()
        self._bin.mkdir()
        self._state.touch()
        self._environ = {
            **quiet_environ(),
            **internet.environ,
            "PATH": str(self._bin),
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "COLUMNS": "120",
        }
        self._environ["PYTHONPATH"] += f":{ROOT}"
        self._check_out()
        self._equip()

    def _check_out(self) -> None:
        for path in ROOT.iterdir():
            if path.is_file():
                shutil.copy(path, self.home)
            elif path.name == COPIED:
                shutil.copytree(path, self.home / path.name)
            elif path.name not in {".git", ".venv", "data", "preview"}:
                (self.home / path.name).symlink_to(path)

    def _equip(self) -> None:
        for tool in TOOLS:
            if found := shutil.which(tool):
                (self._bin / tool).symlink_to(found)
        # Not the first of PATH: that may be a version manager's, which looks for its settings at home.
        (self._bin / "python3").symlink_to(sys.executable)
        python, here = shlex.quote(sys.executable), f"{shlex.quote(sys.executable)} -m tests"
        self._command(
            "monitor",
            '[ "$1" = feeds ] || for word do case "$word" in\n'
            f'run|--watch) exec {here}.stranger {python} -m monitor "$@" ;;\n'
            "esac; done\n"
            f'exec {python} -m monitor "$@"',
        )
        make = shlex.quote(shutil.which("make") or "make")
        self._command(
            "make",
            f'for word do case "$word" in {CHEAP_TARGETS}) exec {make} "$@" ;; esac; done\nexec {make} -n "$@"',
        )
        self._command("docker", f'exec {here}.engine "$@"')
        self._command("pip", f'exec {here}.stranger pip "$@"')
        datasette = Path(sys.executable).with_name("datasette")
        if datasette.exists():
            self._command("datasette", f'exec {here}.stranger {datasette} --port 0 "$@"')
        venv.create(self.home / ".venv", symlinks=True, with_pip=False)
        shutil.copy(self._bin / "monitor", self.home / ".venv" / "bin")
        for stamp in (".run", ".dev", ".extras"):
            (self.home / ".venv" / stamp).touch()

    def _command(self, name: str, script: str) -> None:
        path = self._bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    @property
    def here(self) -> Path:
        """The folder in which the shell is."""
        last = self._state.read_text().splitlines()[-1:]
        return Path(shlex.split(last[0])[1]) if last else self.home

    def type(self, text: str) -> Result:
        """Run some lines; the first command that fails ends them, and the output says which it was."""
        self._block.write_text(text)
        script = (
            f". {self._state}\n"
            f'trap \'{{ declare -px; printf "cd %q\\n" "$PWD"; }} > {self._state}\' EXIT\n'
            "trap 'echo \"status $? from line $LINENO: $BASH_COMMAND\" >&2' ERR\n"
            f"set -Ee -o pipefail\n. {self._block}\n"
        )
        done = subprocess.run(
            [self._bin / "bash", "-c", script],
            cwd=self.home,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        return Result(done.returncode, done.stdout)


def until_ready(command: list[str]) -> int:
    """Run what never ends by itself, end it as an init system would once it is ready, and return its status."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        too_long, soon = threading.Timer(LONGEST, process.kill), threading.Timer(SOON, process.terminate)
        too_long.start()
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if READY.search(line):
                soon.cancel()  # a second signal would find a worker that has ended well and no longer hears
                process.terminate()
            elif BEGUN.search(line) and not soon.is_alive():
                soon.start()
        soon.cancel()
        too_long.cancel()
    # uvicorn shuts down, and then sends itself the signal again.
    shut_down = Path(command[0]).name == "datasette" and process.returncode == -signal.SIGTERM
    return 0 if shut_down else process.returncode


def pip(words: list[str]) -> str:
    """Return what is wrong with `pip install …`: something that the project does not know of."""
    if words[:1] != ["install"]:
        return f"nothing is known of pip {' '.join(words)}"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    known = " ".join(
        [
            *project["project"]["dependencies"],
            *(need for extra in project["project"]["optional-dependencies"].values() for need in extra),
            *(need for group in project["dependency-groups"].values() for need in group),
        ]
    )
    files = [words[i + 1] for i, word in enumerate(words) if word in ("-r", "--requirement")]
    missing = [name for name in files if not Path(name).exists()]
    wanted = [re.split(r"[\[<>=~ ]", word)[0] for word in words[1:] if not word.startswith("-") and word not in files]
    strange = [name for name in wanted if name and not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", known)]
    return f"not in pyproject.toml, or not there: {', '.join(missing + strange)}" if missing + strange else ""


if __name__ == "__main__":
    if sys.argv[1] == "pip":
        sys.exit(pip(sys.argv[2:]) or 0)
    sys.exit(until_ready(sys.argv[1:]))
