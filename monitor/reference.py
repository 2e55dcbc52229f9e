"""What may stand in feeds.yaml, for editors (docs/feeds.schema.json) and for people (docs/configuration.md).

Both are made from the models of `monitor.schema`, with their descriptions; `make docs` writes them.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from monitor import forms
from monitor.environment import VARIABLES
from monitor.schema import (
    CompanyPart,
    CoveragePart,
    DigestPart,
    ExamplesPart,
    FeedPart,
    FilePart,
    HealthPart,
    PollingPart,
    SecondOpinionPart,
    ThemePart,
)

Schema = Mapping[str, Any]

# ---------------------------------------------------------------- for editors

_WORDS = ("true", "false", "yes", "no", "on", "off", "t", "f", "y", "n", "0", "1")
"""What pydantic takes for a yes or no."""
_IN_QUOTES = {"pattern": r"^\s*[+-]?[0-9_.eE+-]+\s*$", "patternErrorMessage": "a number is expected here"}


class _ForEditors(GenerateJsonSchema):
    """What pydantic takes for a value, as it stands in YAML."""

    def str_schema(self, schema: Any) -> JsonSchemaValue:
        """A text may be a number (36): it is taken as it is written."""
        return {**super().str_schema(schema), "type": ["string", "number"]}

    def bool_schema(self, schema: Any) -> JsonSchemaValue:
        """Words of YAML 1.1 are texts in YAML 1.2."""
        return {
            "type": ["boolean", "string", "integer"],
            "pattern": rf"^(?:{forms.any_case(_WORDS)})$",
            "patternErrorMessage": "write true or false",
            "errorMessage": "write true or false",
            "minimum": 0,
            "maximum": 1,
        }

    def float_schema(self, schema: Any) -> JsonSchemaValue:
        """A number may stand in quotes; what is in them is not compared."""
        return {**super().float_schema(schema), **_IN_QUOTES, "type": ["number", "string"]}

    def int_schema(self, schema: Any) -> JsonSchemaValue:
        """A number may stand in quotes."""
        return {**super().int_schema(schema), **_IN_QUOTES, "type": ["integer", "string"]}

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        """Call the parts by what they are."""
        made = super().model_schema(schema)
        return {**made, "title": made["title"].removesuffix("Part")}

    def normalize_name(self, name: str) -> str:
        """Call the parts by what they are."""
        return super().normalize_name(name).removesuffix("Part")

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Keys go without titles, which would only repeat them."""
        return False

    def encode_default(self, dft: Any) -> Any:
        """Write lengths of time as people do."""
        return forms.written(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        """Leave out a default that only says that the key may be left out."""
        made = super().default_schema(schema)
        if made.get("default") in ("", None, [], {}) or isinstance(schema.get("default"), BaseModel):
            made.pop("default", None)
        return made


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of feeds.yaml.

    It is of draft 7, which every editor's YAML support has known for years, and uses nothing newer. Beside it stands
    what editors know: `patternErrorMessage`, `errorMessage`, `enumDescriptions` and `defaultSnippets`.
    """
    made = FilePart.model_json_schema(schema_generator=_ForEditors, ref_template="#/definitions/{model}")
    definitions = made.pop("$defs")
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "$id": "urn:rift-monitor:feeds.yaml"}
    return {**head, **made, "definitions": definitions}


def schema_text() -> str:
    """Return the JSON Schema as it stands in docs/feeds.schema.json."""
    return json.dumps(json_schema(), ensure_ascii=False, indent=2) + "\n"


# ---------------------------------------------------------------- for people


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the file, in words: `part` holds its keys, `example` is YAML that loads."""

    title: str
    part: type[BaseModel]
    words: str
    example: str = ""


SECTIONS = (
    Section(
        "The file",
        FilePart,
        "Two keys are needed, `feeds` and `coverage`; this is a whole file:",
        """\
# yaml-language-server: $schema=docs/feeds.schema.json
digests:
  - name: morning
    to: [you@example.com]
    at: "07:30"
    timezone: Europe/London
feeds:
  - https://www.theverge.com/rss/index.xml
coverage:
  microsoft: {names: [Microsoft, MSFT], hints: [Nadella, Redmond]}
  openai: {names: [OpenAI], hints: [Altman], products: [ChatGPT]}
themes:
  compute:
    title: {en: Computing power}
    keywords:
      - data center AND (pause OR cancel)
      - '"GPU shortage"~6'
""",
    ),
    Section(
        "`digests`",
        DigestPart,
        "A list; each entry is one digest, with its own readers, time, language and themes. What one digest told is "
        "still news for another. [digest.md](digest.md) says how a mail is made.",
        """\
digests:
  - name: morning
    to: [you@example.com, colleague@example.com]
    at: "07:30"
    timezone: Asia/Shanghai
    language: zh
  - name: weekly
    to: [boss@example.com]
    cron: "0 9 * * mon"
    themes: [compute]
    empty: send
""",
    ),
    Section(
        "`feeds`",
        FeedPart,
        "A list; an entry is an address alone, or these keys. `monitor feeds find SITE --add 1` writes one for you; "
        "[feeds.md](feeds.md) says when feeds are asked and what can be wrong with them.",
        """\
feeds:
  - https://www.theverge.com/rss/index.xml
  - name: 量子位
    url: https://www.qbitai.com/feed
    language: zh
    timezone: Asia/Shanghai
    every: 30m
  - {name: Example, url: https://example.com/feed, enabled: false}
""",
    ),
    Section(
        "`coverage`",
        CoveragePart,
        "Each company stands under a name of your choice; all other keys are lists of [keywords](keywords.md). "
        "[matching.md](matching.md) says how an item is judged by them.",
        """\
coverage:
  microsoft:
    names: [Microsoft, 微软, MSFT]
    hints: [Nadella OR 纳德拉, Redmond]
    products: [Azure OR Copilot]
  openai:
    names: [OpenAI]
    hints: [Altman OR 奥特曼]
    products: [ChatGPT]
  relations: [deal OR stake OR rift, 合作 OR 投资]
  against: [how to, job opening]
  others: [Google, Amazon OR AWS]
  masks: [Azure OpenAI]
  not: ['"Tesla Optimus"']
""",
    ),
    Section("A company under `coverage`", CompanyPart, "Each key is a list of [keywords](keywords.md)."),
    Section(
        "`themes`",
        ThemePart,
        "Each theme stands under a name of your choice, by which `themes` of a digest calls it. Their order is that of "
        "the digest.",
        """\
themes:
  compute:
    title: {en: Computing power, zh: 算力}
    short: {en: Compute, zh: 算力}
    keywords:
      - data center AND (pause OR cancel OR delay)
      - '"right of first refusal"'
      - (shortage OR bottleneck)^0.5
      - 算力
    not: [gaming PC]
    examples:
      hits: [Microsoft cancels a data center that it wanted to build for OpenAI]
      misses: [Microsoft and OpenAI sign a deal on safety]
""",
    ),
    Section("`examples` of a theme", ExamplesPart, "Lists of headlines; `monitor check` tries them."),
    Section(
        "`second_opinion`",
        SecondOpinionPart,
        "A mode alone, or these keys; [opinion.md](opinion.md) has what it is worth.",
        """\
second_opinion: {mode: blend, coverage: 0.5, theme: 0.45}
""",
    ),
    Section(
        "`polling`",
        PollingPart,
        "How feeds are asked; see [feeds.md](feeds.md).",
        """\
polling:
  shortest: 15m
  longest: 2h
  contact: you@example.com
  allow: [rsshub, 10.0.0.5]
""",
    ),
    Section(
        "`health`",
        HealthPart,
        "From when on a trouble is reported, in the digest and by `monitor feeds list`; [feeds.md](feeds.md) lists the "
        "troubles.",
        """\
health: {failing: 5, stale: 30d, gap: 3}
""",
    ),
)

_HEAD = """\
# Configuration

Everything that may stand in `feeds.yaml` and in the environment. This page is made from the program by `make docs`: its
words stand in `monitor/schema.py`, `monitor/environment.py` and `monitor/reference.py`.

`monitor check` names every mistake with line and column. A running worker takes an edit up within a minute; one with a
mistake is not taken up.

## In your editor

The first line of the shipped feeds.yaml names its [JSON Schema](feeds.schema.json), by a path that is relative to the
file: `# yaml-language-server: $schema=docs/feeds.schema.json`. Editors that use the YAML language server (VS Code with
Red Hat's YAML extension, Neovim, Emacs, Helix and others) then offer keys and values as you type, say what each is for
when you point at it, and underline mistakes. What a schema cannot see, such as a theme that does not exist or a keyword
that cannot be read, only `monitor check` says. `check-jsonschema --schemafile docs/feeds.schema.json feeds.yaml` finds
the same as an editor, in a continuous build.
"""
_VALUES = """\
A *length of time* is a whole number and `s`, `m`, `h`, `d` or `w`: `30s`, `15m`, `2h`, `7d`, `4w`. A *text* and a
*keyword* need quotes where YAML would read something else into them: where they hold `: ` or ` #`, or begin with a sign
other than `=` or `(`. Within single quotes double ones may stand: `'"near words"~6'`.
"""
_ENVIRONMENT = """\
## The environment

Secrets stand only here, never in feeds.yaml. Where the worker runs in a container, `-e NAME=value` sets them; the image
sets `MONITOR_CONFIG=/app/feeds.yaml` and `MONITOR_DATA=/data`. The worker and `monitor check` name variables that begin
with `MONITOR_` and are not listed here: most likely typing errors.
"""


def configuration_text() -> str:
    """Return docs/configuration.md."""
    schema = json_schema()
    parts = [_HEAD]
    for section in SECTIONS:
        parts.append(f"## {section.title}\n\n{_wrapped(section.words)}\n")
        if section.example:
            parts.append(f"```yaml\n{section.example}```\n")
        parts.append(_table(("key", "meaning", "default", "form"), _rows(section.part, schema)))
        if section.part is FilePart:
            parts.append(_VALUES)
    variables = [(f"`{v.name}`", v.meaning, f"`{v.default}`" if v.default else "") for v in VARIABLES]
    return "\n".join([*parts, _ENVIRONMENT, _table(("variable", "meaning", "default"), variables)])


def _rows(part: type[BaseModel], schema: Schema) -> Iterable[Sequence[str]]:
    """Yield a row for each key of a part."""
    here = _keys(part, schema)
    needed = here.get("required", ())
    for key, form in here["properties"].items():
        default = "needed" if key in needed else _as_yaml(form["default"]) if "default" in form else ""
        yield f"`{key}`", form["description"], default, _form(form, schema)


def _keys(part: type[BaseModel], schema: Schema) -> Schema:
    """Return the schema of a part as an object, also where it may be something shorter."""
    form = schema if part is FilePart else schema["definitions"][part.__name__.removesuffix("Part")]
    found: Schema = next((way for way in form.get("anyOf", ()) if "properties" in way), form)
    return found


def _as_yaml(value: Any) -> str:
    return f"`{json.dumps(value) if isinstance(value, bool) else f'{value:g}' if isinstance(value, float) else value}`"


def _form(form: Schema, schema: Schema, name: str = "") -> str:
    """Say in a few words what a value looks like; `name` is that of its definition, if it has one."""
    if "$ref" in form:
        name = form["$ref"].rpartition("/")[2]
        return _form(schema["definitions"][name], schema, name)
    if "anyOf" in form:
        return ", or ".join(_form(way, schema, name) for way in form["anyOf"])
    if "enum" in form:
        return ", ".join(_as_yaml(value) for value in form["enum"] if value is not False)
    kind = form["type"]
    if kind == "array":
        return f"list: {_form(form['items'], schema)}"
    if kind == "object" and name:
        return f"[keys](#{_anchor(name)})"
    if kind == "object" and "properties" not in form:
        return f"by name: {_form(form['additionalProperties'], schema)}"
    if "boolean" in kind:
        return "`true` or `false`"
    if "maximum" in form or "exclusiveMaximum" in form:
        return f"{'whole number' if 'integer' in kind else 'number'}, {_bounds(form)}"
    return str(form.get("title", "text"))


def _bounds(form: Schema) -> str:
    least = f"{form['minimum']:g}" if "minimum" in form else f"over {form['exclusiveMinimum']:g}"
    return (
        f"{least} to {form['maximum']:g}" if "maximum" in form else f"{least}, less than {form['exclusiveMaximum']:g}"
    )


def _anchor(name: str) -> str:
    """Return the anchor of a definition's section, as GitHub makes it."""
    [title] = [section.title for section in SECTIONS if section.part.__name__ == f"{name}Part"]
    return re.sub(r"[^a-z0-9_ -]", "", title.lower()).replace(" ", "-")


def _wrapped(words: str) -> str:
    return textwrap.fill(words, 120, break_long_words=False, break_on_hyphens=False)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    head, *body = (f"| {' | '.join(line)} |\n" for line in lines)
    return "".join([head, "|---" * len(heads), "|\n", *body])
