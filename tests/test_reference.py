"""The JSON Schema and the page on feeds.yaml: kept true, complete, and of one mind with the program."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args, get_type_hints
from zoneinfo import available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import BaseModel, TypeAdapter, ValidationError
from ruamel.yaml import YAML

from monitor import forms, lists, resources, schema
from monitor.config import understood
from monitor.environment import VARIABLES
from monitor.errors import ConfigError
from monitor.reference import SECTIONS, configuration_text, schema_text
from monitor.schema import FilePart
from tests.builders import ROOT, config_text

DOCS = ROOT / "docs"
COMMITTED = json.loads((DOCS / "feeds.schema.json").read_text("utf-8"))
VALIDATOR = Draft7Validator(COMMITTED)
BASE = YAML(typ="safe").load(SECTIONS[0].example)
COMPANIES = "coverage: {a: {names: [A]}}\n"
FEED = "feeds: [https://example.com/rss]\n"
DIGEST = 'digests: [{name: m, to: [you@example.com], at: "07:30"}]\n' + FEED + COMPANIES


def by_schema(text: str) -> bool:
    """Whether the schema takes a file."""
    return bool(VALIDATOR.is_valid(YAML(typ="safe").load(text)))


def by_program(text: str) -> bool:
    """Whether the program takes it."""
    try:
        understood(Path("feeds.yaml"), text.encode())
    except ConfigError:
        return False
    return True


# ---------------------------------------------------------------- kept true


def test_the_committed_schema_is_that_of_the_models() -> None:
    """Whoever changes a key or its description is told what to run."""
    assert (DOCS / "feeds.schema.json").read_text("utf-8") == schema_text(), "run `make docs`"


def test_the_committed_page_is_that_of_the_models() -> None:
    """The same for docs/configuration.md."""
    assert (DOCS / "configuration.md").read_text("utf-8") == configuration_text(), "run `make docs`"


def test_it_is_a_schema_of_draft_7() -> None:
    """Nothing newer, which older editors would pass over in silence."""
    Draft7Validator.check_schema(COMMITTED)
    assert not {"$defs", "prefixItems", "unevaluatedProperties", "dependentRequired"} & set(_words(COMMITTED))


def _words(node: Any) -> Iterator[str]:
    for key, value in node.items() if isinstance(node, dict) else ():
        yield key
        yield from _words(value)
    for value in node if isinstance(node, list) else ():
        yield from _words(value)


def parts(kind: Any = FilePart) -> Iterator[type[BaseModel]]:
    """Yield all models within a type, itself among them."""
    for inner in get_args(kind):
        yield from parts(inner)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for hint in get_type_hints(kind).values():
            yield from parts(hint)


def test_every_key_says_what_it_is_for() -> None:
    """A new key without a description fails here."""
    found = set(parts())
    assert {part.__name__ for part in found} == {section.part.__name__ for section in SECTIONS}
    bare = [
        f"{part.__name__}.{name}"
        for part in found
        for name, info in part.model_fields.items()
        if not re.fullmatch(r"[A-Z`].{10,}[.)\]]", info.description or "", re.S)
    ]
    assert bare == []
    assert [variable.name for variable in VARIABLES if not variable.meaning.endswith(".")] == []


def test_every_key_is_in_the_schema_with_its_words() -> None:
    """Also those under another name in the file, such as `not`."""
    there = {(key, form.get("description")) for keys in _properties(COMMITTED) for key, form in keys.items()}
    wanted = {(info.alias or key, info.description) for part in parts() for key, info in part.model_fields.items()}
    assert wanted - there == set()


def _properties(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            yield node["properties"]
        for value in node.values():
            yield from _properties(value)
    for value in node if isinstance(node, list) else ():
        yield from _properties(value)


def test_defaults_stand_as_people_write_them() -> None:
    """`30s` and `2h`, not as ISO 8601 has them; each is one that the schema itself takes."""
    found = {key: form for keys in _properties(COMMITTED) for key, form in keys.items() if "default" in form}
    assert {key: found[key]["default"] for key in ("timeout", "longest", "stale", "retention", "second_opinion")} == {
        "timeout": "30s", "longest": "2h", "stale": "60d", "retention": "365d", "second_opinion": "off",
    }  # fmt: skip
    for key, form in found.items():
        whole = {**form, "definitions": COMMITTED["definitions"]}
        assert Draft7Validator(whole).is_valid(form["default"]), key
        assert all(Draft7Validator(whole).is_valid(example) for example in form.get("examples", ())), key


def test_patterns_are_such_as_every_editor_reads() -> None:
    """JavaScript knows no inline flags, no named groups as Python writes them, and other anchors."""
    patterns = {node["pattern"] for node in _nodes(COMMITTED) if isinstance(node.get("pattern"), str)}
    assert len(patterns) > 10
    for pattern in patterns:
        assert not re.search(r"\(\?[^:=!]|\\[AZpP]|\\-", pattern), pattern
        re.compile(pattern)


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _nodes(value)


# ---------------------------------------------------------------- files and examples


def test_the_shipped_file_names_its_schema_and_keeps_to_it() -> None:
    """The first line leads to a file that is there, and the rest is valid."""
    text = (ROOT / "feeds.yaml").read_text("utf-8")
    [where] = re.findall(r"\A# yaml-language-server: \$schema=(\S+)\n", text)
    assert (ROOT / where) == resources.shipped_schema()
    assert [error.message for error in VALIDATOR.iter_errors(YAML(typ="safe").load(text))] == []


def test_the_line_that_names_the_schema_outlives_edits() -> None:
    """`monitor feeds add`, `disable` and `remove` leave it first, and the file as it was in the end."""
    text = (ROOT / "feeds.yaml").read_text("utf-8")
    first = text.splitlines()[0]
    added = lists.added(text, [lists.NewFeed("https://b.example/rss", "B")])
    off = lists.enabled(added, "B", False)
    gone = lists.removed(off, "B")
    assert [edit.splitlines()[0] for edit in (added, off, gone)] == [first] * 3
    assert gone == text


def test_a_feed_may_be_added_directly_below_it() -> None:
    """Where the list of feeds is the first thing in the file."""
    head = "# yaml-language-server: $schema=docs/feeds.schema.json\n"
    text = f"{head}feeds:\n  - https://a.example/rss\n{COMPANIES}"
    added = lists.added(text, [lists.NewFeed("https://b.example/rss")])
    assert added == f"{head}feeds:\n  - https://a.example/rss\n  - https://b.example/rss\n{COMPANIES}"
    assert lists.removed(added, "https://a.example/rss") == f"{head}feeds:\n  - https://b.example/rss\n{COMPANIES}"


# ---------------------------------------------------------------- of one mind


@pytest.mark.parametrize(
    "text",
    [
        config_text(["https://example.com/rss"]),
        FEED + COMPANIES,
        "feeds: [{url: HTTPS://user:secret@example.com:8443/a?b=c#d, name: 36}]\n" + COMPANIES,
        'feeds: [{url: "http://[::1]:80/", enabled: no}, {url: https://新闻.example/, enabled: "On"}]\n' + COMPANIES,
        'feeds: [{url: " https://example.com ", timezone: "", weight: "2", every: " 30 m "}]\n' + COMPANIES,
        'feeds: [{url: https://example.com, headers: {X-Key: "1"}, timeout: 5m, fulltext: 1}]\n' + COMPANIES,
        "feeds:\n  - &a {url: https://example.com, every: 1h}\n  - {<<: *a, url: https://example.org}\n" + COMPANIES,
        FEED + "coverage: {a: {names: [365, A]}, threshold: 0.5, not: []}\n",
        FEED + COMPANIES + "second_opinion: off\n",
        FEED + COMPANIES + "second_opinion: false\n",
        FEED + COMPANIES + "second_opinion: {mode: add, theme: 0.3}\n",
        FEED + COMPANIES + "retention: 52w\nhealth: {stale: 10w, failing: 1, silent: 2}\n",
        FEED + COMPANIES + 'polling: {allow: [rsshub, 10.0.0.5, 10.0.0.0/8, "fd00::/8"], contact: 7, spacing: 0s}\n',
        FEED + COMPANIES + "themes: {x: {keywords: [a], title: {zh: 算力, en: 7}, examples: {}}}\n",
        DIGEST.replace("name: m", "name: m, timezone: America/Argentina/Buenos_Aires"),
        DIGEST.replace("name: m", 'name: m, cron: ""'),
        DIGEST.replace('at: "07:30"', 'at: "", cron: "0 7 * jan-mar mon,thu"'),
        DIGEST.replace("name: m", "language: zh, name: 7").replace('"07:30"', "7:30"),
    ],
)
def test_what_the_program_takes_the_schema_takes(text: str) -> None:
    """An editor never underlines what is right."""
    assert by_program(text)
    assert [error.message for error in VALIDATOR.iter_errors(YAML(typ="safe").load(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        "[]\n",
        FEED,
        COMPANIES,
        "feeds: []\n" + COMPANIES,
        "feeds:\n" + COMPANIES,
        "feeds: https://example.com/rss\n" + COMPANIES,
        "feeds: [12]\n" + COMPANIES,
        "feeds: [example.com/rss]\n" + COMPANIES,
        "feeds: [ftp://example.com/rss]\n" + COMPANIES,
        "feeds: [https:///rss]\n" + COMPANIES,
        "feeds: ['https://exa mple.com/rss']\n" + COMPANIES,
        "feeds: ['https://a..b/rss']\n" + COMPANIES,
        "feeds: ['https://a:80x/rss']\n" + COMPANIES,
        "feeds: [{name: A}]\n" + COMPANIES,
        "feeds: [{url: https://a.example, evry: 1h}]\n" + COMPANIES,
        "feeds: [{url: https://a.example, every: 30}]\n" + COMPANIES,
        "feeds: [{url: https://a.example, every: 30s}]\n" + COMPANIES,
        "feeds: [{url: https://a.example, every: 31d}]\n" + COMPANIES,
        "feeds: [{url: https://a.example, every: }]\n" + COMPANIES,
        "feeds: [{url: https://a.example, every: often}]\n" + COMPANIES,
        "feeds: [{url: https://a.example, timeout: 6m}]\n" + COMPANIES,
        "feeds: [{url: https://a.example, timezone: shanghai}]\n" + COMPANIES,
        "feeds: [{url: https://a.example, enabled: maybe}]\n" + COMPANIES,
        "feeds: [{url: https://a.example, enabled: 2}]\n" + COMPANIES,
        "feeds: [{url: https://a.example, weight: 101}]\n" + COMPANIES,
        "feeds: [{url: https://a.example, weight: heavy}]\n" + COMPANIES,
        "feeds: [{url: https://a.example, name: [A]}]\n" + COMPANIES,
        "feeds: [{url: https://a.example, headers: {X: 1}}]\n" + COMPANIES,
        "feeds: [{url: https://a.example, headers: {hOsT: a}}]\n" + COMPANIES,
        "feeds: [{url: https://a.example, headers: {'a b': a}}]\n" + COMPANIES,
        'feeds: [{url: https://a.example, user_agent: "a\\nb"}]\n' + COMPANIES,
        FEED + COMPANIES + "themse: {}\n",
        FEED + "coverage: {}\n",
        FEED + "coverage: {not: [A]}\n",
        FEED + "coverage: {a: [A]}\n",
        FEED + "coverage: {a: {}}\n",
        FEED + "coverage: {a: {names: []}}\n",
        FEED + "coverage: {a: {names: A}}\n",
        FEED + "coverage: {a: {names: [A], hint: [B]}}\n",
        FEED + "coverage: {a: {names: ['']}}\n",
        FEED + "coverage: {a: {names: ['&&']}}\n",
        FEED + "coverage: {a: {names: [1.50]}}\n",
        FEED + "coverage: {a: {names: [A]}, relatoins: [deal]}\n",
        FEED + "coverage: {a: {names: [A]}, threshold: 0}\n",
        FEED + COMPANIES + "themes: {x: {}}\n",
        FEED + COMPANIES + "themes: {x: {keywords: []}}\n",
        FEED + COMPANIES + "themes: {x: [a]}\n",
        FEED + COMPANIES + "themes: {x: {keywords: [a], title: Words}}\n",
        FEED + COMPANIES + "themes: {x: {keywords: [a], title: {fr: Mots}}}\n",
        FEED + COMPANIES + "themes: {x: {keywords: [a], threshold: 101}}\n",
        FEED + COMPANIES + "themes: {x: {keywords: [a], examples: {hit: [b]}}}\n",
        FEED + COMPANIES + "second_opinion: on\n",
        FEED + COMPANIES + "second_opinion: true\n",
        FEED + COMPANIES + "second_opinion: {mode: of}\n",
        FEED + COMPANIES + "second_opinion: {coverage: 1}\n",
        FEED + COMPANIES + "retention: 6d\n",
        FEED + COMPANIES + "retention: 365\n",
        FEED + COMPANIES + "polling: {per_host: 0}\n",
        FEED + COMPANIES + "polling: {per_host: 1.5}\n",
        FEED + COMPANIES + "polling: {shortest: 10s}\n",
        FEED + COMPANIES + "polling: {spacing: 2m}\n",
        FEED + COMPANIES + "polling: {allow: ['http://rsshub']}\n",
        FEED + COMPANIES + "polling: {allow: ['rsshub:1200']}\n",
        FEED + COMPANIES + "polling: {allow: [0.0.0.0/0]}\n",
        FEED + COMPANIES + "polling: {allow: ['*.example']}\n",
        FEED + COMPANIES + f"polling: {{contact: {'x' * 201}}}\n",
        FEED + COMPANIES + "health: {moved: 4}\n",
        FEED + COMPANIES + "health: {failing: 0}\n",
        FEED + COMPANIES + "health: {stale: 1h}\n",
        FEED + COMPANIES + "health: {silent: 0.5}\n",
        FEED + COMPANIES + "health: {faling: 3}\n",
        DIGEST.replace("name: m", "name: m, language: de"),
        DIGEST.replace("name: m", "name: m, empty: never"),
        DIGEST.replace("name: m", "name: m, timezone: ''"),
        DIGEST.replace("name: m", "name: m, themes: compute"),
        DIGEST.replace("name: m", 'name: m, cron: "0 7 * * *"'),
        DIGEST.replace(', at: "07:30"', ""),
        DIGEST.replace("07:30", "25:00"),
        DIGEST.replace("07:30", "7.30"),
        DIGEST.replace('at: "07:30"', 'cron: "30 7 * *"'),
        DIGEST.replace("name: m", "name: a b"),
        DIGEST.replace("name: m,", ""),
        DIGEST.replace("[you@example.com]", "[]"),
        DIGEST.replace("[you@example.com]", "you@example.com"),
        DIGEST.replace("you@example.com", "you"),
        DIGEST.replace("you@example.com", "You <you@example.com>"),
    ],
)  # fmt: skip
def test_what_a_schema_can_see_both_refuse(text: str) -> None:
    """A mistake is underlined as it is typed, and `monitor check` says it too."""
    assert not by_schema(text)
    assert not by_program(text)


def takes(kind: Any, text: str) -> bool:
    """Whether the program takes a value."""
    try:
        TypeAdapter(kind).validate_python(text.strip())
    except ValidationError:
        return False
    return True


def matches(form: dict[str, Any], text: str) -> bool:
    """Whether an editor takes it."""
    return bool(Draft7Validator(form).is_valid(text))


LENGTHS = {
    kind: next(mark for mark in get_args(kind)[1:] if isinstance(mark, forms.Lasting)).__get_pydantic_json_schema__(
        {}, None
    )
    for kind in (schema.Interval, schema.OwnInterval, schema.Timeout, schema.Spacing, schema.Stale, schema.Retention)
}


@given(
    st.sampled_from(list(LENGTHS)),
    st.one_of(st.integers(0, 1_200_000), st.integers(0, 100)).map(str),
    st.sampled_from(["", " ", "\t "]),
    st.sampled_from("smhdwMy"),
)
@example(schema.Interval, "0030", "", "m")
@example(schema.Spacing, "60", "", "s")
@example(schema.Spacing, "61", "", "s")
def test_lengths_of_time_are_taken_alike(kind: Any, number: str, blank: str, unit: str) -> None:
    """With their bounds, in every unit."""
    text = f"{number}{blank}{unit}"
    assert matches(LENGTHS[kind], text) == takes(kind, text)


@given(st.timedeltas(timedelta(0), timedelta(days=40_000)).map(lambda d: timedelta(seconds=int(d.total_seconds()))))
def test_a_length_is_written_as_it_would_be_read(length: timedelta) -> None:
    """Lengths of more than six digits in their greatest unit cannot be written."""
    text = forms.written(length)
    if len(text) <= 7:
        assert schema.duration(text) == length


@given(st.text("0123456789: ", max_size=6))
def test_times_of_day_are_taken_alike(text: str) -> None:
    """From 0:00 to 23:59."""
    file = DIGEST.replace('"07:30"', json.dumps(text))
    assert (matches(forms.TIME_OF_DAY, text) and bool(text.strip())) == by_program(file)


def test_no_time_zone_is_underlined() -> None:
    """Of all that this machine knows; two names that some machines have are no zones of any place."""
    known = available_timezones() - {"localtime", "posixrules"}
    assert [zone for zone in sorted(known) if not matches(forms.ZONE, zone)] == []
    assert [zone for zone in forms.ZONE["examples"] if zone not in known] == []


@given(st.text(st.sampled_from("abAB09.-_:@/?#[]% é中\t"), max_size=14).map(lambda rest: f"http://{rest}"))
@example("https://user:p%40ss@example.com:/x?y#z")
@example("http://[fe80::1]:80")
def test_no_address_is_underlined_that_the_program_takes(text: str) -> None:
    """A pattern may know less than the check, never more."""
    assert matches(forms.ADDRESS, text) or not takes(schema.WebAddress, text)


@given(st.text(st.sampled_from("abA09.-_@:/?#[]()\"'\\,;<> é"), max_size=12))
@example('"a b"@example.com')
@example("a@[1.2.3.4]")
def test_no_mail_address_is_underlined_that_the_program_takes(text: str) -> None:
    """The same for whom digests go to."""
    assert matches(forms.MAILBOX, text) or not takes(schema.Mailbox, text)


@given(st.text(st.sampled_from("019afx.:/-_%* é"), max_size=14))
@example("10.0.0.0/255.0.0.0")
@example("10.0.0.0/0.255.255.255")
@example("fe80::1%eth0")
def test_no_host_is_underlined_that_the_program_takes(text: str) -> None:
    """The same for one's own hosts, addresses and networks."""
    assert matches(forms.OWN_ADDRESS, text) or not takes(schema.OwnAddress, text)


@given(st.text(max_size=12))
def test_no_keyword_is_underlined_that_the_program_takes(text: str) -> None:
    """The same for keywords."""
    assert matches(forms.KEYWORD, text) or not takes(schema.Keyword, text)


@given(st.text(max_size=8))
def test_one_line_is_one_line(text: str) -> None:
    """The same for what goes into headers."""
    assert matches(forms.ONE_LINE, text) or not takes(schema.OneLine, text)
