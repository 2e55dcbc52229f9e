r"""What the values of feeds.yaml look like, as JSON Schema: for editors, where `monitor.schema` has what checks them.

A pattern takes all that its check takes, and as little else as a pattern can. Patterns are read by JavaScript (with its
`u` flag) and Python alike: no lookbehind, no `(?i)`, no escape of what needs none. Texts are stripped before they are
checked, so blanks around a value are none of its faults.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

UNITS = {"w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1),
         "s": timedelta(seconds=1)}  # fmt: skip
_SIGNS = r"\u0000-,/:-@\[-^`{-\u007f"
"""All of ASCII but letters, digits and what names of hosts may hold beside them."""


def form(title: str, pattern: str, advice: str, *examples: str) -> dict[str, Any]:
    """Return the schema of a text: what it is called, what it must match, and what to do where it does not.

    `patternErrorMessage` is what editors show (YAML and JSON language servers); validators do not know it.
    """
    schema = {"type": "string", "title": title, "pattern": rf"^\s*(?:{pattern})\s*$", "patternErrorMessage": advice}
    return {**schema, "examples": list(examples)} if examples else schema


# ---------------------------------------------------------------- lengths of time


def written(length: timedelta) -> str:
    """Write a length of time as people do in feeds.yaml: 30s, 15m, 2h, 365d."""
    unit = next((sign for sign in "dhm" if length and not length % UNITS[sign]), "s")
    return f"{length // UNITS[unit]}{unit}"


@dataclass(frozen=True, slots=True)
class Lasting:
    """That a length of time lies between two, both included."""

    shortest: timedelta
    longest: timedelta

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        """Return the form; pydantic's own would be that of ISO 8601."""
        words = f"{written(self.shortest)} to {written(self.longest)}"
        choices = (
            rf"0*(?:{_numbers(*self._whole(unit))})\s*{sign}" for sign, unit in UNITS.items() if self._fits(unit)
        )
        advice = f"write a number and s, m, h, d or w, such as 30m; from {words}"
        return form(f"length of time, {words}", "|".join(choices), advice)

    def _whole(self, unit: timedelta) -> tuple[int, int]:
        """Return the least and the greatest number of a unit that fits; of more than six digits none does."""
        return -(-self.shortest // unit), min(self.longest // unit, 999_999)

    def _fits(self, unit: timedelta) -> bool:
        least, most = self._whole(unit)
        return least <= most


def _numbers(least: int, most: int) -> str:
    """Return a pattern of the whole numbers between two, both included."""
    choices = []
    while least <= most:
        size = 1  # how many numbers share all digits but their last ones: 1, 10, 100 …
        while least and not least % (size * 10) and least + size * 10 - 1 <= most:
            size *= 10
        head, digit = divmod(least // size, 10)
        last = min(9, digit + (most - least + 1) // size - 1)
        tail = "[0-9]" + (f"{{{zeros}}}" if zeros > 1 else "") if (zeros := len(str(size)) - 1) else ""
        choices.append(f"{head or ''}{f'[{digit}-{last}]' if last > digit else digit}{tail}")
        least += (last - digit + 1) * size
    return "|".join(choices)


# ---------------------------------------------------------------- texts


def any_case(words: Iterable[str]) -> str:
    """Return a pattern of words in small letters or capitals."""
    return "|".join("".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in word) for word in words)


_LINE = form("text", r"[^\u0000-\u001f\u007f]*", "must be one line without control characters")
ONE_LINE = {**_LINE, "type": ["string", "number"]}
ZONE = form(
    "time zone",
    r"(?:(?:posix|right)/)?[A-Z][A-Za-z0-9_+-]*(?:/[A-Z][A-Za-z0-9_+-]*)*",
    "a time zone is written like Europe/London or Asia/Shanghai, capitals as here",
    "UTC", "Asia/Shanghai", "Asia/Hong_Kong", "Asia/Taipei", "Asia/Singapore", "Asia/Tokyo", "Asia/Seoul",
    "Asia/Kolkata", "Australia/Sydney", "Europe/London", "Europe/Paris", "Europe/Berlin", "America/New_York",
    "America/Chicago", "America/Los_Angeles", "America/Sao_Paulo",
)  # fmt: skip
_HOST = rf"[^\s{_SIGNS}.]+(?:\.[^\s{_SIGNS}.]+)*\.?"
ADDRESS = form(
    "web address",
    rf"[Hh][Tt][Tt][Pp][Ss]?://(?:[^\s/?#]*@)?(?:{_HOST}|\[[^\s\]]+\])(?::[0-9]*)?(?:[/?#]\S*)?",
    "a web address starts with http:// or https:// and has no blanks",
    "https://example.com/feed",
)
MAILBOX = form(
    "mail address",
    r"""(?:[^\s@"\\,:;<>\u0080-\uffff]+|"[^"\u0080-\uffff]+")@[^\s@"\\,:;<>\u0080-\uffff]+""",
    "a mail address looks like you@example.com, without a name before it",
    "you@example.com",
)
TIME_OF_DAY = form(
    "time of day",
    "(?:[01]?[0-9]|2[0-3]):[0-5][0-9]|",
    'a time of day is written like "07:30", from "00:00" to "23:59"',
    "07:30",
)
CRON = form(
    "crontab line",
    r"\S+(?:\s+\S+){4}|",
    "five fields are expected: minute hour day month weekday, such as 30 7 * * mon-fri",
    "30 7 * * mon-fri",
    "0 */4 * * *",
)
OWN_ADDRESS = form(
    "host, address or network",
    rf"(?![0-9.]*\s*$){_HOST}"
    r"|[0-9]+(?:\.[0-9]+){3}(?:/(?:0*[1-9][0-9.]*|0+\.[0-9.]+))?"
    r"|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[^\s/]+)?(?:/0*[1-9][0-9]*)?",
    "write the name of a host without http://, port and *, or an address, or a network such as 10.0.0.0/8",
    "rsshub",
    "10.0.0.5",
    "192.168.0.0/16",
)


def headers(own: Sequence[str]) -> dict[str, Any]:
    """Return the schema of headers by name; `own` are those that the program sets itself."""
    advice = f"not the name of a header, or one that the program sets itself ({', '.join(own)})"
    name = rf"(?!(?:{any_case(own)})\s*$)[A-Za-z0-9!#$%&'*+.^_`|~-]+"
    return {
        "type": "object",
        "title": "texts by name of the header",
        "propertyNames": form("name of a header", name, advice),
        "additionalProperties": {**_LINE, "errorMessage": "YAML would change this value; put it in quotes"},
    }


KEYWORD = {
    "type": ["string", "integer"],
    "title": "keyword",
    "pattern": r"[^\u0000-/:-@\[-`{-\u007f]",
    "patternErrorMessage": "a keyword needs a letter or digit to look for",
    "description": "In Lucene's syntax (docs/keywords.md): a row of words is a phrase; AND, OR, NOT, ( ) join; "
    '"near words"~6 stand in any order; =Word is exactly so; Word* begins so; ^2 weighs twice.',
    "examples": ["data center AND (pause OR cancel)", '"GPU shortage"~6', "算力", "=hired", "(halt OR delay)^0.5"],
}
IN_LANGUAGES = {
    "type": "object",
    "title": "text by language",
    "properties": {
        "en": {"type": ["string", "number"], "description": "In English."},
        "zh": {"type": ["string", "number"], "description": "In Chinese."},
    },
    "additionalProperties": False,
}
ZONE_OR_NONE = {**ZONE, "pattern": ZONE["pattern"].replace("(?:", "(?:|", 1)}


# ---------------------------------------------------------------- keys


def meanings(*words: str) -> dict[str, Any]:
    """Return what editors show beside each of some fixed values."""
    return {"enumDescriptions": list(words)}


def either(usual: str, other: str, example: str) -> dict[str, Any]:
    """Return the schema of two keys one of which must say something, and only one."""
    nothing = {"pattern": r"^\s*$", "patternErrorMessage": f"give {usual} or {other}, not both"}
    something = {"pattern": r"\S", "patternErrorMessage": f"give {usual} or {other}"}
    return {
        "if": {"required": [other], "properties": {other: {"pattern": r"\S"}}},
        "then": {"properties": {usual: nothing}},
        "else": {
            "required": [usual],
            "properties": {usual: {"type": "string", **something, "default": example}},
            "errorMessage": f"give {usual} or {other}",
        },
    }


def snippet(label: str, body: Any) -> dict[str, Any]:
    """Return what editors write to begin with."""
    return {"defaultSnippets": [{"label": label, "body": body}]}


def companies(schema: dict[str, Any]) -> None:
    """Ask for a key beside those that are known: nothing can be an object and null."""
    schema["if"] = {"propertyNames": {"enum": list(schema["properties"])}}
    schema["then"] = {"type": "null", "errorMessage": "name at least one company"}
    schema |= snippet("companies", {f"${{{n}:company}}": {"names": [f"${{{n + 1}:Name}}"]} for n in (1, 3)})
