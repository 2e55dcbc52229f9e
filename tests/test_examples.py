"""Every block of code in README.md and docs/*.md does what the page says: it is loaded, run or compared.

How a block is tested goes by its language; one of a language that is not here fails, so that nothing escapes.

    yaml        a whole feeds.yaml, or a part of one that is laid over a small one; then examples: must come true.
                A compose file is held against Dockerfile and folder, rules for Prometheus against what is served.
                `<!-- wrong: words -->` above a block: it is
                refused with these words (`…`: with any). `<!-- file: NAME -->`: the reader saves it so;
                `<!-- append to: NAME -->`: adds it at the end; `<!-- into: NAME -->`: puts it in place of what has
                the same keys there
    sh          typed by tests/stranger.py, all blocks of a page in one go; `<!-- exit: 1 -->` where the last command
                of a block ends so
                `<!-- in: the checkout -->` where the reader has gone back to it
                `<!-- run by: TEST -->`: another test does, which names the page
    none        lines after `$ ` are typed, and what follows them is what they print; a block without such lines shows
                a part of what the block before it printed. `…` stands for anything, alone on a line for any lines
    json, toml  can be read
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sqlite3
import tomllib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from jsonschema import Draft7Validator
from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO
from ruamel.yaml.error import YAMLError

from monitor import config, remarks, schema
from monitor.errors import ConfigError
from monitor.reference import json_schema
from tests.builders import ROOT, config_text
from tests.engine import KNOWN_NAME, OURS, OVERRIDE, compose_faults, merged
from tests.internet import Internet
from tests.pages import PAGES, Block, blocks
from tests.stranger import Result, Stranger
from tests.test_metrics import guide_names

SHELL = ("sh", "bash", "shell", "console")
WRITTEN = {"file", "append to", "into"}
READ = {"json": json.loads, "toml": tomllib.loads}
SCHEMA = Draft7Validator(json_schema())
"""What editors check the file with."""
NO_WORDS = "\0"
"""What no refusal says."""
AT_HAND = {
    "subscriptions.opml": '<opml version="2.0"><body><outline type="rss" xmlUrl="https://example.org/feed"/></body></opml>',
}
"""Files that the pages name and no command of theirs makes: a reader would bring them along."""


# ---------------------------------------------------------------- YAML


def yaml_blocks() -> list[Block]:
    """All blocks of YAML."""
    return [block for page in PAGES for block in blocks(page) if block.language in ("yaml", "yml")]


@pytest.mark.parametrize("block", yaml_blocks(), ids=str)
def test_every_yaml_block_is_understood(block: Block) -> None:
    """As a whole file or as a part of one; what is shown as wrong is refused in the words that the page expects."""
    try:
        tree = YAML().load(block.text)
    except YAMLError:
        with pytest.raises(ConfigError) as refusal:
            config.understood(Path(block.page), block.text.encode())
        assert shows(f"…{block.marks.get('wrong', NO_WORDS)}…", _one_line(str(refusal.value)))
        return
    if isinstance(tree, dict) and "services" in tree:
        if block.marks.get("file") == str(OVERRIDE):
            tree = merged(YAML(typ="safe").load((ROOT / "compose.yaml").read_text("utf-8")), tree)
        assert list(compose_faults(tree)) == []  # whether files are there is asked when it is used
        return
    if isinstance(tree, dict) and "groups" in tree:
        assert list(rule_faults(tree)) == []
        return
    refusals = []
    for text in whole_files(tree, block.text):
        try:
            settings, sheet = config.opened(Path(block.page), text.encode())
        except ConfigError as e:
            refusals.append(str(e))
            continue
        assert remarks.example_faults(settings, sheet) == []
        assert [fault.message for fault in SCHEMA.iter_errors(YAML(typ="safe").load(text))] == []
        assert "wrong" not in block.marks, "the page shows it as wrong, and nothing is"
        return
    assert refusals, "neither a feeds.yaml nor any part of one"
    wanted = f"…{block.marks.get('wrong', NO_WORDS)}…"
    assert any(shows(wanted, _one_line(refusal)) for refusal in refusals), "\n".join(refusals)


def rule_faults(tree: Any) -> Iterator[str]:
    """Yield what is wrong with rules for Prometheus: their form, and names that the worker does not serve."""
    served = guide_names() | {f"{name}_bucket" for name in guide_names()} | {"up"}
    functions = {"time", "increase", "sum", "predict_linear"}
    for group in tree["groups"]:
        if not group["name"] or not group["rules"]:
            yield "a group has a name and rules"
        for rule in group["rules"]:
            strange = set(rule) - {"alert", "expr", "for", "labels", "annotations"}
            if strange or not re.fullmatch(r"[A-Z]\w+", rule["alert"]):
                yield f"{rule['alert']}: {strange or 'no name'}"
            if not re.fullmatch(r"[1-9]\d*[smhd]", rule.get("for", "1m")):
                yield f"{rule['alert']}: for {rule['for']}"
            bare = re.sub(r"\{[^{}]*\}|\[\d+[smhd]\]", "", rule["expr"])
            if bare.count("(") != bare.count(")") or set(bare) & set("{}[]\"'"):
                yield f"{rule['alert']}: brackets"
            unknown = set(re.findall(r"[a-z_]{2,}", bare)) - served - functions
            if unknown:
                yield f"{rule['alert']}: {unknown}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def whole_files(tree: Any, text: str) -> Iterator[str]:
    """Yield each feeds.yaml that a block could be, or be a part of."""
    if isinstance(tree, dict) and {"feeds", "coverage"} <= set(tree):
        yield text
        return
    for place in places(tree):
        base = YAML().load(config_text(["https://example.test/feed"]))
        with suppress(KeyError, TypeError, AttributeError):
            put(base, place, tree)
            out = StringIO()
            YAML().dump(base, out)
            yield out.getvalue()


def places(tree: Any) -> Iterator[str]:
    """Yield where in feeds.yaml a block could stand, by its keys."""
    if isinstance(tree, list):
        yield from ("feeds", "digests", "keywords")
        return
    parts: dict[str, type[BaseModel]] = {
        "": schema.FilePart,
        "theme": schema.ThemePart,
        "feed": schema.FeedPart,
        "digest": schema.DigestPart,
        "polling": schema.PollingPart,
        "health": schema.HealthPart,
        "second_opinion": schema.SecondOpinionPart,
        "company": schema.CompanyPart,
        "coverage": schema.CoveragePart,
    }
    for name, part in parts.items():
        if set(tree) & {info.alias or key for key, info in part.model_fields.items()}:
            yield name
    if all(isinstance(value, dict) for value in tree.values()):
        yield from (place for place, key in (("themes", "keywords"), ("coverage", "names")) if key in str(tree))


def put(base: Any, place: str, tree: Any) -> None:
    """Lay a block over a whole file."""
    match place:
        case "":
            base.update(tree)
        case "feeds" | "digests":
            base[place] = tree
        case "keywords":
            base["themes"]["compute"]["keywords"] = tree
        case "theme":
            base["themes"]["compute"].update(tree)
        case "feed":
            base["feeds"] = [{"url": "https://example.test/feed", **tree}]
        case "digest":
            usual = {"name": "morning", "to": ["you@example.test"]}
            base["digests"] = [{**usual, **({} if "cron" in tree else {"at": "07:30"}), **tree}]
        case "company":
            base["coverage"]["openai"].update(tree)
        case _:
            base.setdefault(place, {}).update(tree)


# ---------------------------------------------------------------- shell


@pytest.fixture(scope="module")
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    """One for all pages."""
    with Internet(tmp_path_factory.mktemp("internet")) as online:
        yield online


@pytest.fixture
def stranger(tmp_path: Path, internet: Internet) -> Stranger:
    """Somebody new, with what the pages take for granted at hand."""
    reader = Stranger(tmp_path, internet)
    (tmp_path / "smtp-password").write_text("secret\n")
    return reader


@pytest.fixture(scope="module")
def polled(tmp_path_factory: pytest.TempPathFactory, internet: Internet) -> Path:
    """The data folder of one who has polled once; it is made once for all processes of the tests."""
    own = tmp_path_factory.getbasetemp()
    common = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    kept = common / "polled"
    with FileLock(common / "polled.lock"):
        if not kept.exists():
            reader = Stranger(tmp_path_factory.mktemp("first"), internet)
            done = reader.type("monitor poll")
            assert done.status == 0, done.output
            shutil.copytree(reader.home / "data", kept)
    return kept


def typed(page: Path) -> list[Block]:
    """The blocks of a page that matter to a reader who types along."""
    return [block for block in blocks(page) if block.language in (*SHELL, "") or WRITTEN & set(block.marks)]


def write(block: Block, stranger: Stranger) -> None:
    """Do with a block what the page says that is to be done with it."""
    [(how, name)] = ((mark, text) for mark, text in block.marks.items() if mark in WRITTEN)
    path = stranger.here / name
    before = path.read_text("utf-8") if how != "file" else ""
    if how == "into":
        for key in YAML().load(block.text):
            before = re.sub(rf"^{key}:.*\n(?:[ #].*\n|\n)*", "", before, flags=re.M)
        path.write_text(block.text + before, encoding="utf-8")
    else:
        path.write_text(before + block.text, encoding="utf-8")


@pytest.mark.parametrize("page", [page for page in PAGES if typed(page)], ids=lambda page: page.name)
def test_every_shell_block_does_what_the_page_says(
    page: Path, stranger: Stranger, internet: Internet, polled: Path
) -> None:
    """In order, each with the status and the output that is shown."""
    if page.name != "README.md":  # which begins with an empty folder
        shutil.copytree(polled, stranger.home / "data")
        started = {"images": [OURS], "containers": ["monitor"]}  # as README has it
        (stranger.home.parent / KNOWN_NAME).write_text(json.dumps(started))
    if re.search(r"^git ", "".join(block.text for block in typed(page)), re.M):
        if not shutil.which("git"):
            pytest.skip("the page needs git, which is not installed")
        under_git(stranger)
    last = Result(0, "")
    for block in typed(page):
        if "run by" in block.marks:  # it needs a past of its own
            assert page.name in (ROOT / "tests" / block.marks["run by"]).read_text("utf-8")
        elif WRITTEN & set(block.marks):
            write(block, stranger)
        elif block.language == "" and not re.search(r"^\$ ", block.text, re.M):
            assert shows(f"…\n{block.text}…", last.output), f"{block} is no part of:\n{last.output}"
        elif block.language == "":
            last = transcript(block, stranger)
        else:
            assert "…" not in block.text, f"{block}: nobody can type …"
            back = f"cd {shlex.quote(str(stranger.home))}\n" if block.marks.get("in") == "the checkout" else ""
            last = stranger.type(back + filled_in(block.text, stranger))
            assert last.status == int(block.marks.get("exit", 0)), f"{block}:\n{last.output}"
        assert "Traceback" not in last.output, f"{block}:\n{last.output}"
    if "monitor send-test you@example.com" in page.read_text("utf-8"):
        assert "you@example.com" in [to for to, _ in internet.mail.received]


def under_git(stranger: Stranger) -> None:
    """Keep feeds.yaml in a repository that was cloned from another, and a copy of the worker's data beside it."""
    made = stranger.type(
        "git init -q . && git add feeds.yaml\n"
        "git -c user.name=You -c user.email=you@example.com commit -qm 'Our feeds'\n"
        "git update-ref refs/remotes/origin/main HEAD\n"
        "cp -r data past\n"
    )
    assert made.status == 0, made.output


def transcript(block: Block, stranger: Stranger) -> Result:
    """Type what follows each `$ ` and compare what is shown below it."""
    pieces = re.split(r"^\$ ((?:.*\\\n)*.*)\n", block.text, flags=re.M)
    assert pieces[0] == "", f"{block}: begins with an output"
    outputs, status = "", 0
    for command, shown in zip(pieces[1::2], pieces[2::2], strict=True):
        done = stranger.type(filled_in(command, stranger))
        printed = re.sub(r"^status \d+ from line .*\n\Z", "", done.output, flags=re.M)
        assert shows(shown, printed), f"{block}: $ {command}\n{done.output}"
        outputs, status = outputs + done.output, done.status
    assert status == int(block.marks.get("exit", 0)), f"{block}: ends with status {status}"
    return Result(status, outputs)


def shows(shown: str, output: str) -> bool:
    """Tell whether a page shows an output: blanks count once, lines of a table's frame not at all."""
    pattern = ""
    for line in _lines(shown):
        inside = r"[^\n]*".join(re.escape(part) for part in line.split("…"))
        pattern += r"(?:[^\n]*\n)*?" if line == "…" else f"{inside}\n"
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(output))) is not None


def _lines(text: str) -> list[str]:
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return [line for line in lines if line and not re.fullmatch(r"[─━ ]+", line)]


def filled_in(text: str, stranger: Stranger) -> str:
    """Put in what a reader would have in place of what stands as an example: a story's number, files of theirs."""
    for name in re.findall("|".join(map(re.escape, AT_HAND)), text):
        (stranger.here / name).write_text(AT_HAND[name], encoding="utf-8")
    text = text.replace("/run/secrets/smtp-password", str(stranger.home.parent / "smtp-password"))
    return re.sub(r"\b1234\b", lambda _: str(a_hit(stranger)), text)


def a_hit(stranger: Stranger) -> int:
    """Return the number of a story that the last digest could have told."""
    with closing(sqlite3.connect(stranger.here / "data" / "monitor.db")) as database:
        return int(database.execute("SELECT min(item_id) FROM verdicts WHERE covered").fetchone()[0])


# ---------------------------------------------------------------- the rest


def test_every_block_is_of_a_language_that_is_tested() -> None:
    """A new one needs a rule here."""
    known = {*SHELL, "", "yaml", "yml", *READ}
    strange = [f"{block}: {block.language}" for page in PAGES for block in blocks(page) if block.language not in known]
    assert strange == []


@pytest.mark.parametrize(
    "block", [block for page in PAGES for block in blocks(page) if block.language in READ], ids=str
)
def test_every_block_of_data_can_be_read(block: Block) -> None:
    """JSON and TOML."""
    READ[block.language](block.text)


def test_a_command_that_nothing_is_known_of_fails(stranger: Stranger) -> None:
    """Otherwise a page could promise anything."""
    assert stranger.type("frobnicate --all").status == 127
    assert stranger.type("true\nfalse\ntrue").status == 1
    assert (
        "the program has no command" in stranger.type("docker run --name x redis && docker exec x monitor dance").output
    )
    assert stranger.type("docker run --bogus redis").status != 0
    assert stranger.type("make moon").status == 2
    assert stranger.type("pip install moonshine").status == 1


@pytest.mark.parametrize(
    ("shown", "output", "same"),
    [
        ("a b\n", "a\tb\n", True),
        ("a …\n", "a b c\n", True),
        ("a …\n", "b c\n", False),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a\n…\nd\n", "a\nd\n", True),
        ("a\n", "a\nb\n", False),
        ("a\n…\n", "b\n", False),
    ],
)
def test_what_is_shown_is_compared(shown: str, output: str, same: bool) -> None:
    """An ellipsis hides what varies, and nothing else."""
    assert shows(shown, output) is same


def test_nothing_leaves_the_machine(stranger: Stranger) -> None:
    """Even an address in digits is led to the test's own server."""
    done = stranger.type("monitor feeds find http://8.8.8.8/")
    assert "rss20" in done.output, done.output
