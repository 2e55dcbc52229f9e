"""`monitor init`: what it writes can be used at once, nothing is overwritten, and a failure leaves nothing behind."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
import tomllib
import zipfile
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from monitor import config, environment, resources, start
from monitor.errors import MonitorError
from monitor.start import Begun, Wishes
from tests.builders import ROOT, TEMPLATES, feed_document
from tests.engine import filled
from tests.feedserver import FeedServer
from tests.test_cli import NEWS

ALL = {"feeds.yaml", "templates", "compose.yaml", ".env.example"}
ENVIRON = {
    **{name: value for name, value in os.environ.items() if not name.startswith("MONITOR_")},
    "PYTHONPATH": str(ROOT),
    "TZ": "UTC",
    "COLUMNS": "200",
}


def monitor(*words: str, cwd: Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    environ = {**ENVIRON, **more.pop("environ", {})}
    command = [sys.executable, "-m", "monitor", *words]
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False, **more)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def names(folder: Path) -> set[str]:
    """What lies in a folder, but for the schema, which goes along where there is one."""
    return {path.name for path in folder.iterdir()} - {start.SCHEMA}


@pytest.fixture
def no_schema(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program without a schema."""
    nothing = tmp_path_factory.mktemp("none") / "schema.json"
    monkeypatch.setattr(resources, "shipped_schema", lambda: nothing)


# ---------------------------------------------------------------- what it writes


def test_what_init_writes_passes_the_check(tmp_path: Path) -> None:
    """With the lines that say what to do next."""
    done = monitor("init", "news", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(tmp_path / "news") == ALL
    assert "digest:  morning, to you@example.com, at 07:30 Asia/Shanghai, headings in en" in done.stdout
    assert "1. cd news\n" in done.stdout
    [line] = re.findall(r"write your address into feeds.yaml +line (\d+)", done.stdout)
    assert "you@example.com" in (tmp_path / "news" / "feeds.yaml").read_text("utf-8").splitlines()[int(line) - 1]
    check = monitor("check", cwd=tmp_path / "news")
    assert check.returncode == 0
    assert check.stdout.startswith("feeds.yaml: 43 feeds, 1 digest, themes: compute, agi, competition;")


def test_the_digest_is_as_wished(tmp_path: Path) -> None:
    """Addresses, time zone and language are put in, and nothing else changes."""
    done = monitor(
        "init", "--to", "a@b.example", "--to", "x+y@c.example", "--timezone", "America/New_York", "--language", "zh",
        cwd=tmp_path,
    )  # fmt: skip
    assert "to a@b.example, x+y@c.example, at 07:30 America/New_York, headings in zh" in done.stdout
    assert "write your address" not in done.stdout
    [plan] = config.load(tmp_path / "feeds.yaml").digests
    assert (plan.to, plan.timezone, plan.language) == (("a@b.example", "x+y@c.example"), "America/New_York", "zh")
    shipped = (ROOT / "feeds.yaml").read_text("utf-8").splitlines()
    written = (tmp_path / "feeds.yaml").read_text("utf-8").splitlines()
    assert len(set(written) - set(shipped) - {f"# yaml-language-server: $schema={start.SCHEMA}"}) == 3


@pytest.mark.parametrize("address", ['"o,hara"@b.example', "o'hara@b.example", "#a@b.example", "true@b.example"])
def test_an_odd_address_is_written_so_that_yaml_reads_it(tmp_path: Path, address: str) -> None:
    """In quotes."""
    start.begin(tmp_path, Wishes((address,)))
    assert config.load(tmp_path / "feeds.yaml").digests[0].to == (address,)


@pytest.mark.parametrize(
    ("zone", "said"), [("Europe/Berlin", "Europe/Berlin"), ("UTC", "Asia/Shanghai"), ("CET-1CEST", "Asia/Shanghai")]
)
def test_the_zone_is_this_machines_where_it_names_a_place(tmp_path: Path, zone: str, said: str) -> None:
    """A server on UTC says nothing of its reader."""
    assert f"at 07:30 {said}," in monitor("init", cwd=tmp_path, environ={"TZ": zone}).stdout


@pytest.mark.usefixtures("no_schema")
def test_the_schema_goes_along_and_editors_find_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line names the file beside it, and no other; without a schema there is no such line."""
    start.begin(tmp_path / "bare", Wishes())
    assert "yaml-language-server" not in (tmp_path / "bare" / "feeds.yaml").read_text("utf-8")
    schema = tmp_path / "schema.json"
    schema.write_text("{}")
    monkeypatch.setattr(resources, "shipped_schema", lambda: schema)
    assert start.begin(tmp_path / "a", Wishes()).written[1] == "feeds.schema.json"
    assert (tmp_path / "a" / "feeds.schema.json").read_text() == "{}"
    shipped = "# yaml-language-server: $schema=docs/feeds.schema.json\ndigests:\n"
    line = "# yaml-language-server: $schema=feeds.schema.json\n"
    assert start.feeds_text(shipped, Wishes(), schema=True) == f"{line}digests:\n"
    assert start.feeds_text(shipped, Wishes(), schema=False) == "digests:\n"


def test_a_worker_works_in_the_folder_and_mails_by_its_templates(tmp_path: Path) -> None:
    """It polls what stands in the list, and a template that was edited is what the mail shows."""
    monitor("init", "--to", "me@example.test", cwd=tmp_path)
    subject = tmp_path / "templates" / "digest.subject.txt"
    subject.write_text("Mine: " + subject.read_text("utf-8"), encoding="utf-8")
    with FeedServer() as server:
        server.put("/one.xml", feed_document([NEWS], datetime.now(UTC) - timedelta(hours=1)))
        text = (tmp_path / "feeds.yaml").read_text("utf-8")
        text = re.sub(
            r"^feeds:\n.*?(?=^# -+ what counts)", f"feeds:\n  - {server.url('/one.xml')}\n", text, flags=re.M | re.S
        )
        (tmp_path / "feeds.yaml").write_text(f"{text}polling: {{allow: [127.0.0.0/8]}}\n", encoding="utf-8")
        with subprocess.Popen(
            [sys.executable, "-m", "monitor", "run"], cwd=tmp_path, env=ENVIRON, stderr=subprocess.PIPE, text=True
        ) as worker:
            until = time.monotonic() + 60
            while not server.requests and worker.poll() is None and time.monotonic() < until:
                time.sleep(0.1)
            time.sleep(1)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0
        assert server.asked("/one.xml")
        monitor("poll", "--all", cwd=tmp_path)
    assert "1 story" in monitor("digest", cwd=tmp_path).stdout
    [mail] = (tmp_path / "data" / "outbox").glob("*.eml")
    assert message_from_bytes(mail.read_bytes(), policy=policy.default)["subject"].startswith("Mine: ")


# ---------------------------------------------------------------- nothing is overwritten


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    """What was edited stays, and is named; exit 0."""
    monitor("init", cwd=tmp_path)
    (tmp_path / "feeds.yaml").write_text("mine")
    (tmp_path / "templates" / "digest.css").write_text("mine")
    before = contents(tmp_path)
    done = monitor("init", cwd=tmp_path)
    assert done.returncode == 0
    assert contents(tmp_path) == before
    assert re.search(
        r"^kept: +feeds.yaml,.* templates/, compose.yaml, .env.example \(there already\)$", done.stdout, re.M
    )
    assert "written:" not in done.stdout


@pytest.mark.usefixtures("no_schema")
def test_what_is_missing_is_added(tmp_path: Path) -> None:
    """A folder of templates counts as one, if there is anything in it; a link that leads nowhere is somebody's too."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "compose.yaml").symlink_to("elsewhere.yaml")
    (tmp_path / "data").mkdir()
    assert start.begin(tmp_path, Wishes()) == Begun(("feeds.yaml", "templates/", ".env.example"), ("compose.yaml",))
    assert (tmp_path / "compose.yaml").is_symlink()
    assert sorted(names(tmp_path / "templates")) == sorted(path.name for path in TEMPLATES.iterdir())
    (tmp_path / "feeds.yaml").unlink()
    (tmp_path / "templates" / "digest.html").unlink()
    assert start.begin(tmp_path, Wishes()).written == ("feeds.yaml",)
    assert not (tmp_path / "templates" / "digest.html").exists()


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (("init", "file"), 1, "file: is a file; name a folder, new or old\n"),
        (("init", "file/below"), 1, "file/below: cannot be written: Not a directory; nothing was changed\n"),
        (("init", "/sys/news"), 1, "/sys/news: cannot be written: "),
        (("init", str(ROOT)), 1, f"{ROOT}: is the folder of the program itself and has all of it"),
        (("init", "--to", "nobody"), 2, "Invalid value for --to: 'nobody' is not a mail address"),
        (("init", "--timezone", "Moon"), 2, "Invalid value for --timezone: 'Moon' is not a time zone"),
        (("init", "--language", "de"), 2, "Invalid value for --language: 'de' is not one of 'en' or 'zh'"),
        (("init", "old", "--to", "a@b.example"), 1, "old/feeds.yaml is there and stays as it is; write what you wish"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(
    tmp_path: Path, words: tuple[str, ...], status: int, line: str
) -> None:
    """Wrong usage is 2, a place that does not do is 1."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "feeds.yaml").write_text("mine")
    before = contents(tmp_path)
    done = monitor(*words, cwd=tmp_path)
    assert done.returncode == status
    assert line in done.stderr
    assert contents(tmp_path) == before


def test_where_there_is_no_room_nothing_is_left_behind(tmp_path: Path) -> None:
    """Not a half of a file, nor the folders that were made; here no file may be larger than 10,000 bytes."""
    done = monitor(
        "init", "a/b", cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "a/b: cannot be written: File too large; nothing was changed\n")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_on_the_way_takes_back_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All or nothing."""
    (tmp_path / "compose.yaml").write_text("mine")
    replace = os.replace

    def fail_at_last(source: Path, target: Path) -> None:
        if Path(target).name == ".env.example":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_at_last)
    with pytest.raises(MonitorError, match="No space left on device; nothing was changed"):
        start.begin(tmp_path, Wishes())
    assert contents(tmp_path) == {"compose.yaml": b"mine"}


def test_what_a_container_could_not_read_is_told(tmp_path: Path) -> None:
    """The user of the image is nobody on this machine."""
    done = monitor("init", "news", cwd=tmp_path, umask=0o077)
    assert "chmod -R go+rX news" in done.stderr
    assert monitor("init", "open", cwd=tmp_path, umask=0o022).stderr == ""


# ---------------------------------------------------------------- compose.yaml, .env


def service(text: str, name: str = "monitor") -> dict[str, Any]:
    """A service of a compose.yaml, the worker if nothing else is said."""
    return dict(YAML(typ="safe").load(text)["services"][name])


@pytest.mark.parametrize(
    ("source", "build"),
    [(Path("/home/a b/rift"), "/home/a b/rift"), (Path("/srv/$x #1"), "/srv/$$x #1"), (None, None)],
)
def test_compose_builds_from_the_source_if_it_is_at_hand(source: Path | None, build: str | None) -> None:
    """Whatever its folder is called; installed from a wheel, the image must be there."""
    text = start.compose_text((ROOT / "compose.yaml").read_text("utf-8"), source)
    found = service(text)
    assert found.get("build") == build
    assert found["image"] == "rift-monitor"
    demo = service(text, "demo-mail")
    assert demo.get("build") == (build and {"context": build, "target": "demo"})
    assert demo["image"] == "rift-monitor-demo"
    assert ("    build:" in text) == (source is not None)


def test_compose_fits_the_image() -> None:
    """Its user, its data folder; feeds.yaml by its folder, read-only; no right and no place to write but those."""
    text = (ROOT / "compose.yaml").read_text("utf-8")
    found, image = service(text), (ROOT / "Dockerfile").read_text("utf-8")
    assert f"\nUSER {found['user']}\n" in image
    assert "\nVOLUME /data\n" in image
    assert found["volumes"] == ["./:/conf:ro", "data:/data"]
    assert found["environment"]["MONITOR_CONFIG"] == "/conf/feeds.yaml"
    assert set(found["environment"]) <= environment.KNOWN_VARIABLES
    assert (found["read_only"], found["tmpfs"], found["cap_drop"], found["restart"]) == (
        True, ["/tmp"], ["ALL"], "unless-stopped",
    )  # fmt: skip
    assert found["env_file"] == [{"path": ".env", "required": False}]


def test_the_demo_is_started_by_name_only_and_has_no_more_rights() -> None:
    """Who does not ask for it gets the worker alone; it takes nothing from .env, and lets in this machine only."""
    services = YAML(typ="safe").load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
    asked = {name: found for name, found in services.items() if "profiles" in found}
    assert set(services) - set(asked) == {"monitor"}
    assert [found["profiles"] for found in asked.values()] == [["demo"]] * 3
    for found in asked.values():
        for key in ("user", "read_only", "cap_drop", "security_opt"):
            assert found[key] == services["monitor"][key]
        assert not {"env_file", "secrets", "volumes"} & set(found)
        assert all(port.startswith("127.0.0.1:") for port in found.get("ports", ()))
    settings = asked["demo"]["environment"]
    assert set(settings) <= environment.KNOWN_VARIABLES
    assert settings["MONITOR_SMTP_HOST"] in asked
    assert asked["demo"]["command"] == ["worker", "http://demo-feeds:8000"]


@pytest.mark.parametrize(
    ("named", "mounted", "told"),
    [("", "/dev/null", ""), ("./smtp-password", "./smtp-password", "/run/secrets/smtp-password")],
)
def test_a_password_in_a_file_is_a_secret_of_the_container(
    named: str, mounted: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that .env names; where it names none, nothing is asked of anybody, and the worker takes no notice."""
    text = filled((ROOT / "compose.yaml").read_text("utf-8"), {"MONITOR_SMTP_PASSWORD_FILE": named})
    assert YAML(typ="safe").load(text)["secrets"] == {"smtp-password": {"file": mounted}}
    found = service(text)
    assert found["secrets"] == ["smtp-password"]
    assert (found["environment"]["MONITOR_SMTP_PASSWORD_FILE"] or "") == told
    if not named:
        monkeypatch.setenv("MONITOR_SMTP_PASSWORD_FILE", told)
        assert environment.mail_settings().password == ""


def test_the_sample_of_the_environment_names_settings_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """And, filled in, is one that a mail server can be reached by."""
    text = (ROOT / ".env.example").read_text("utf-8")
    found = dict(re.findall(r"^# (MONITOR_\w+)=(.+)$", text, re.M))
    assert all(line.startswith("#") for line in text.splitlines() if line)
    assert {name for name in environment.KNOWN_VARIABLES if "SMTP" in name} <= set(found) <= environment.KNOWN_VARIABLES
    for name in ("HOST", "FROM", "USER", "PASSWORD", "SECURITY", "PORT"):
        monkeypatch.setenv(f"MONITOR_SMTP_{name}", found[f"MONITOR_SMTP_{name}"].strip("'"))
    assert environment.mail_settings().real_port == 587


# ---------------------------------------------------------------- installed


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it is built, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True)
    [built] = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "lib")
    return folder / "lib"


def test_the_wheel_has_all_that_init_needs(wheel: Path, tmp_path: Path) -> None:
    """The same files as from the source, but that there is nothing to build an image from."""
    start.begin(tmp_path / "source", Wishes())
    done = monitor("init", "installed", cwd=tmp_path, environ={"PYTHONPATH": str(wheel)})
    assert (done.returncode, done.stderr) == (0, "")
    assert "see the README" in done.stdout
    ours, theirs = contents(tmp_path / "source"), contents(tmp_path / "installed")
    assert {name for name in ours if ours[name] != theirs.get(name)} == {"compose.yaml"}
    assert set(ours) == set(theirs)
    assert "build" not in service(theirs["compose.yaml"].decode())


def test_an_image_can_be_built_of_what_is_sent_to_the_builder() -> None:
    """What the wheel takes in is not held back by .dockerignore."""
    taken = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    sent = [line[1:].rstrip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert [source for source in taken["force-include"] if source not in sent] == []
