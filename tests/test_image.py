"""The recipe of the container image: its labels and rights, what the builder is sent, what is left out."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from monitor import __version__
from tests.builders import ROOT

DOCKERFILE = re.sub(r"\\\n(?: *#.*\n)*", " ", (ROOT / "Dockerfile").read_text("utf-8"))
"""With each instruction on a line of its own."""
SENT = (ROOT / ".dockerignore").read_text("utf-8").splitlines()


def instructions(name: str) -> list[str]:
    """The arguments of every instruction of this name."""
    return re.findall(rf"^{name} +(.+)$", DOCKERFILE, re.M)


def test_the_labels_say_what_it_is() -> None:
    """As the package does; the version goes up with the program's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    words = instructions("LABEL")[0]  # the demo's image takes them over, but for its title
    found = {name.rpartition(".")[2]: value for name, _, value in (word.partition("=") for word in shlex.split(words))}
    assert (found["title"], found["description"]) == (project["name"], project["description"])
    assert (found["licenses"], found["version"]) == (project["license"], "$VERSION")
    assert f"VERSION={__version__}" in instructions("ARG")


def test_it_has_no_rights_and_one_place_to_write() -> None:
    """A numeric user, so that orchestrators can see that it is not root; commands that signals reach."""
    assert [user for user in instructions("USER") if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)] == []
    assert instructions("VOLUME") == ["/data"]
    commands = [*instructions("ENTRYPOINT"), *instructions("CMD")]
    commands += [check.partition(" CMD ")[2] for check in instructions("HEALTHCHECK")]
    assert len(commands) >= 3
    assert all(isinstance(json.loads(command), list) for command in commands)


def test_only_what_is_named_is_sent_to_the_builder() -> None:
    """Everything is held back first: no .env, no data, no password lying about can come into an image."""
    assert SENT[0] == "*"
    named = [line[1:].rstrip("/") for line in SENT if line.startswith("!")]
    assert [line for line in SENT[1:] if not line.startswith(("!", "**/"))] == []
    for name in (".env", ".git", "data", "smtp-password", "secrets"):
        assert not any(fnmatch(name, pattern) for pattern in named)
    for source in instructions(r"COPY(?! --from)"):
        for path in shlex.split(source)[:-1]:
            assert path == "." or any(f"{path.rstrip('/')}/".startswith(f"{name}/") for name in named), path


GUARD = """\
import sys
from fnmatch import fnmatch

class Guard:
    def find_spec(self, name, path=None, target=None):
        kept = name in ("pygments.lexers._mapping", "pygments.lexers.python", "pygments.lexers.special")
        if name == "pip" or (name.startswith("pygments.lexers.") and not kept):
            raise ImportError(f"{name} is not in the image")

sys.meta_path.insert(0, Guard())
"""


@pytest.mark.parametrize("words", [("check",), ("demo", "--out", "."), ("digest", "--sample"), ("feeds", "list")])
def test_what_the_image_leaves_out_is_not_missed(words: tuple[str, ...], tmp_path: Path) -> None:
    """Pip and the languages that Pygments could colour: the program runs without them."""
    assert "uninstall -y pip" in DOCKERFILE
    assert "*/pygments/lexers/*" in DOCKERFILE
    (tmp_path / "sitecustomize.py").write_text(GUARD)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MONITOR_")}
    environ = {**kept, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "MONITOR_CONFIG": str(ROOT / "feeds.yaml")}

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    assert "pip is not in the image" in python("-c", "import pip").stderr
    done = python("-m", "monitor", *words)
    assert done.returncode == 0, done.stderr
