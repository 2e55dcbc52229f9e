"""feeds.yaml → settings. Every fault at once, each with its line and column."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from rapidfuzz import fuzz, process
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from monitor.errors import ConfigError, Fault
from monitor.faults import Sheet, did_you_mean, faults_of, read_sheet, readable, without_section
from monitor.feeds import fulltext
from monitor.feeds.normalise import language_of, same
from monitor.match.judge import judge
from monitor.match.query import Query
from monitor.match.rules import Company, Rules, Theme
from monitor.match.satisfiable import alternatives, meaning
from monitor.match.syntax import compile_query, known_queries
from monitor.model import DigestPlan, Feed, Item, Manners, Thresholds, Verdict
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
    language_tag,
)
from monitor.settings import Examples, SecondOpinion, Settings, hash_of, read_bytes

# ---------------------------------------------------------------- read and checked


def fingerprint(path: Path) -> str:
    """Return the hash of the file's bytes, to notice an edit however it was written.

    Raises:
        ConfigError: the file cannot be read.
    """
    return hash_of(read_bytes(path))


def remember(rules: Rules) -> None:
    """Take over the keywords of rules that were compiled by this same program, from another version of the file."""
    for company in rules.companies:
        known_queries(company.names, company.hints, company.products, company.faint)
    for theme in rules.themes:
        known_queries(theme.keywords, theme.excluded)
    known_queries(rules.excluded, rules.relations, rules.against, rules.others, rules.masks)


def load(path: Path) -> Settings:
    """Read feeds.yaml.

    Raises:
        ConfigError: the file cannot be read or has faults; it carries all of them.
    """
    return understood(path, read_bytes(path))


def understood(path: Path, raw: bytes) -> Settings:
    """Read what stands in feeds.yaml, or will stand there.

    Raises:
        ConfigError: it has faults; it carries all of them.
    """
    return opened(path, raw)[0]


def opened(path: Path, raw: bytes) -> tuple[Settings, Sheet]:
    """Read what stands in feeds.yaml; return with it where each thing stands.

    Raises:
        ConfigError: it has faults; it carries all of them.
    """
    sheet, faults = _survey(path, readable(path, raw))
    whole = not faults
    faults += sheet.twice
    if not isinstance(sheet.tree, CommentedMap):
        raise ConfigError(str(path), (*faults, Fault(_no_keys(sheet.tree), 1, 1)))
    if lost := _headless_themes(sheet.tree):
        faults.append(Fault("themes: is missing: write it above this line, at the left edge", *lost))
    _look_into_misspelt(sheet.tree)
    try:
        parsed = FilePart.model_validate(sheet.tree)
    except ValidationError as e:
        found = [*faults_of(e, sheet, _known_keys, _homes()), *_cross_checks(sheet)]
        # Without the part that cannot be read nothing can be said of what is not there.
        faults += found if whole else [fault for fault in found if not fault.message.endswith(": is missing")]
        raise ConfigError(str(path), _in_order(faults)) from e
    except (TypeError, ValueError, AttributeError) as e:  # YAML's own types (!!omap, !!set) where keys are expected
        faults.append(Fault(f"holds a kind of value that is not expected here: {e}"))
        raise ConfigError(str(path), _in_order(faults)) from e
    faults += _cross_checks(sheet)
    if faults:
        raise ConfigError(str(path), _in_order(faults))
    settings = _settings(path, raw, parsed)
    if faults := list(_shared_names(settings, sheet)):
        raise ConfigError(str(path), _in_order(faults))
    return settings, sheet


def _survey(path: Path, text: str) -> tuple[Sheet, list[Fault]]:
    """Read the text; where a part of it is not YAML, say so and read the rest without that part.

    Raises:
        ConfigError: what is left is no YAML either, so that only the first fault is sure.
    """
    first: ConfigError | None = None
    faults: list[Fault] = []
    lost: set[str] = set()
    while True:
        try:
            return read_sheet(path, text, _every_key(), _keys_of(FilePart)), faults
        except ConfigError as e:
            first = first or e
            fault = e.faults[0]
            text, name = without_section(text, fault.line)
            if not name or name in lost or len(lost) == _MOST_LOST:
                raise first from e
            lost.add(name)
            faults += e.faults


_MOST_LOST = 3  # each takes as long as the whole file to read


def _headless_themes(tree: CommentedMap) -> tuple[int, int] | None:
    """Let themes that stand under coverage stand under themes, where that line is gone; return where they begin."""
    coverage = tree.get("coverage")
    if "themes" in tree or not isinstance(coverage, CommentedMap):
        return None
    names = [name for name, part in coverage.items() if isinstance(part, CommentedMap) and "keywords" in part]
    if not names or not all(name in coverage.lc.data for name in names):
        return None
    line, column = coverage.lc.data[names[0]][:2]
    themes = CommentedMap()
    for name in names:
        themes[name] = coverage[name]
        themes.lc.add_kv_line_col(name, coverage.lc.data[name])
        del coverage[name]
    tree["themes"] = themes
    tree.lc.add_kv_line_col("themes", [line, 0, line, column])
    return line + 1, 1


def _look_into_misspelt(tree: CommentedMap) -> None:
    """Let what stands under a misspelt key stand under the right one too, so that its faults are told as well.

    The misspelt key stays, so the file is refused for it whatever is found.
    """
    _as_meant(tree, [])
    themes = tree.get("themes")
    for name in list(themes) if isinstance(themes, CommentedMap) else ():
        _as_meant(themes[name], ["themes", name])


def _as_meant(node: Any, path: Sequence[str | int]) -> None:
    if not isinstance(node, CommentedMap):
        return
    known = _known_keys(path)
    for key in list(node):
        meant = process.extractOne(str(key), sorted(known), scorer=fuzz.ratio, score_cutoff=80)
        if key not in known and meant and meant[0] not in node and key in node.lc.data:
            node[meant[0]] = node[key]
            node.lc.data[meant[0]] = node.lc.data[key]


def _no_keys(tree: Any) -> str:
    what = {list: "a list", type(None): "empty"}.get(type(tree), "a list" if isinstance(tree, list) else "a text")
    return f"the file is {what}, and must hold keys such as feeds:, coverage: and themes:, each at the left edge"


def _in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(dict.fromkeys(faults), key=lambda fault: (fault.line, fault.column)))


def try_title(rules: Rules, title: str, summary: str = "", language: str = "", outlet: str = "") -> Verdict:
    """Judge a text that is in no feed."""
    return judge(made_up(title, summary, language, outlet), rules)


def made_up(title: str, summary: str = "", language: str = "", outlet: str = "") -> Item:
    """Return an item of no feed, to be judged; its language is told from its words unless given."""
    epoch = datetime.fromtimestamp(0, UTC)
    return Item("", "", "", title, summary, outlet, language or language_of(f"{title} {summary}"), epoch, epoch)


def _settings(path: Path, raw: bytes, parsed: FilePart) -> Settings:
    coverage = parsed.coverage
    companies = coverage.__pydantic_extra__
    return Settings(
        path=path,
        fingerprint=hash_of(raw),
        feeds=tuple(Feed(**{**part.model_dump(), "headers": tuple(part.headers.items())}) for part in parsed.feeds),
        digests=tuple(_plan(part) for part in parsed.digests),
        rules=Rules(
            companies=tuple(
                Company(name, _queries(c.names), _queries(c.hints), _queries(c.products), _queries(c.faint))
                for name, c in companies.items()
            ),
            excluded=_queries(coverage.excluded),
            themes=tuple(
                Theme(name, _queries(t.keywords), _queries(t.excluded), t.threshold)
                for name, t in parsed.themes.items()
            ),
            relations=_queries(coverage.relations),
            against=_queries(coverage.against),
            others=_queries(coverage.others),
            masks=_queries(coverage.masks),
            threshold=coverage.threshold,
        ),
        titles={name: _by_language(theme.title) for name, theme in parsed.themes.items()},
        shorts={name: _by_language(theme.short) for name, theme in parsed.themes.items()},
        retention=parsed.retention,
        second_opinion=SecondOpinion(**parsed.second_opinion.model_dump()),
        examples={
            name: Examples(tuple(theme.examples.hits), tuple(theme.examples.misses))
            for name, theme in parsed.themes.items()
        },
        manners=Manners(**{**parsed.polling.model_dump(), "allow": tuple(parsed.polling.allow)}),
        thresholds=Thresholds(**parsed.health.model_dump()),
    )


def _plan(part: DigestPart) -> DigestPlan:
    return DigestPlan(
        part.name,
        tuple(part.to),
        part.crontab(),
        part.timezone,
        part.language,
        tuple(part.themes),
        part.empty,
        tuple(part.channels),
    )


def _by_language(words: Mapping[Any, str]) -> dict[str, str]:
    return {str(language): text for language, text in words.items()}


def _queries(sources: Iterable[str]) -> tuple[Query, ...]:
    return tuple(compile_query(source) for source in sources)


# ---------------------------------------------------------------- what does not fit together


_LEVELS: dict[str, type[BaseModel]] = {
    "feeds": FeedPart,
    "digests": DigestPart,
    "second_opinion": SecondOpinionPart,
    "polling": PollingPart,
    "health": HealthPart,
}


def _known_keys(path: Sequence[str | int]) -> set[str]:
    if not path:
        part: type[BaseModel] = FilePart
    elif path[0] == "coverage":
        part = CompanyPart if len(path) > 1 else CoveragePart
    elif path[0] == "themes":
        part = ExamplesPart if path[-1] == "examples" else ThemePart
    else:
        part = _LEVELS.get(str(path[0]), FilePart)
    return _keys_of(part)


def _keys_of(part: type[BaseModel]) -> set[str]:
    return {info.alias or name for name, info in part.model_fields.items()}


_HOMES = (
    (FilePart, "no other key, at the left edge"),
    (FeedPart, "an entry of feeds"),
    (DigestPart, "an entry of digests"),
    (ThemePart, "a theme"),
    (ExamplesPart, "the examples of a theme"),
    (CompanyPart, "a company of coverage"),
    (CoveragePart, "coverage"),
    (PollingPart, "polling"),
    (HealthPart, "health"),
    (SecondOpinionPart, "second_opinion"),
)


@cache
def _homes() -> dict[str, list[str]]:
    homes: dict[str, list[str]] = {}
    for part, words in _HOMES:
        for key in _keys_of(part):
            homes.setdefault(key, []).append(words)
    return homes


def _every_key() -> set[str]:
    return set(_homes())


def _cross_checks(sheet: Sheet) -> Iterable[Fault]:
    """Yield what does not fit together; works on a file that has other faults too, and leaves those to pydantic."""
    tree = sheet.tree
    companies = tree.get("coverage")
    if isinstance(companies, CommentedMap) and not set(companies) - _keys_of(CoveragePart):
        yield Fault("coverage: name at least one company", *sheet.place(["coverage"]))
    feeds, digests = _parts(tree, "feeds"), _parts(tree, "digests")
    urls = [feed.get("url") if isinstance(feed, CommentedMap) else feed for feed in feeds]
    names = [digest.get("name") if isinstance(digest, CommentedMap) else None for digest in digests]
    yield from _twice("feeds", urls, "this feed stands above already", sheet, same)
    yield from _twice("digests", names, "a digest of this name stands above", sheet, str)
    yield from _languages(feeds, sheet)
    yield from _tags(tree, sheet, [], set())
    themes = [str(name) for name in tree.get("themes") or ()]
    # Of two parts of that name only one was read.
    whole = "themes" in tree and not any(fault.message.startswith("'themes': duplicate") for fault in sheet.twice)
    for i, digest in enumerate(digests if whole else ()):
        wanted = digest.get("themes") if isinstance(digest, CommentedMap) else None
        for k, theme in enumerate(wanted if isinstance(wanted, CommentedSeq) else ()):
            if isinstance(theme, str) and theme not in themes:
                path: list[str | int] = ["digests", i, "themes", k]
                hint = did_you_mean(theme, themes)
                yield Fault(f"digests.themes: there is no theme {theme!r}{hint}", *sheet.place(path))


def _parts(tree: CommentedMap, key: str) -> Sequence[Any]:
    parts = tree.get(key)
    return parts if isinstance(parts, CommentedSeq) else ()


def _twice(key: str, values: Sequence[Any], words: str, sheet: Sheet, as_same: Callable[[str], str]) -> Iterable[Fault]:
    seen: dict[str, int] = {}
    for i, value in enumerate(values):
        if not isinstance(value, str):
            continue
        first = seen.setdefault(as_same(value), i)
        if first != i:
            line = sheet.place([key, first])[0]
            written = "" if values[first] == value else f", as {values[first]}"
            yield Fault(f"{key}: {words}: {value} (line {line}{written})", *sheet.place([key, i]))


def _tags(node: Any, sheet: Sheet, path: list[str | int], seen: set[int]) -> Iterable[Fault]:
    """Yield lists and keys with a tag (!name), which YAML lets through and nobody means."""
    if not isinstance(node, (CommentedMap, CommentedSeq)) or len(path) > _DEEPEST or id(node) in seen:
        return
    seen.add(id(node))
    tag = node.tag.value
    if tag not in (None, "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
        words = (
            f"{'.'.join(map(str, path)) or 'the file'}: {tag} is a sign of YAML that means nothing here: take it away"
        )
        yield Fault(words, *sheet.place(path))
    for step in node if isinstance(node, CommentedMap) else range(len(node)):
        yield from _tags(node[step], sheet, [*path, step], seen)


_DEEPEST = 5


def _languages(feeds: Sequence[Any], sheet: Sheet) -> Iterable[Fault]:
    for i, feed in enumerate(feeds):
        given = feed.get("language") if isinstance(feed, CommentedMap) else None
        if (
            isinstance(given, str)
            and given
            and not re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*", given.strip())
        ):
            meant = language_tag(given)
            hint = f"; did you mean {meant}?" if meant else ""
            yield Fault(
                f"feeds.language: {given!r} is no language; write its tag, such as en or zh{hint}",
                *sheet.place(["feeds", i, "language"]),
            )


def _shared_names(settings: Settings, sheet: Sheet) -> Iterable[Fault]:
    """Yield names that two companies share: each mention would count for both of them."""
    seen: dict[Hashable, tuple[str, int]] = {}
    for company in settings.rules.companies:
        for i, query in enumerate(company.names):
            place = sheet.place(["coverage", company.name, "names", i])
            owners = [seen.setdefault(meaning(node), (company.name, place[0])) for node in alternatives(query.node)]
            for owner, line in [one for one in owners if one[0] != company.name][:1]:
                yield Fault(
                    f"coverage.{company.name}.names: {query.source!r} is a name of {owner} as well (line {line}), "
                    "so each mention would count for both: keep it with one of them",
                    *place,
                )


def polling_remarks(settings: Settings) -> list[str]:
    """Return a line for each thing about polling that a person should know and that is no mistake."""
    lines = []
    if not settings.manners.contact:
        lines.append("polling: no contact is set; with one (your mail address or a page) servers can write to you")
    wanting = [feed.name or feed.address for feed in settings.enabled if feed.fulltext]
    if wanting and not fulltext.installed():
        lines.append(
            f"fulltext: {', '.join(wanting)}: the extra is not installed (make fulltext); summaries are judged"
        )
    return lines


def sample_addresses(settings: Settings) -> list[str]:
    """Return a line for each digest that still goes to an address of the shipped example (RFC 2606)."""
    return [
        f"{settings.path}: digest {plan.name} goes to {to}, which is nobody's; write your own address there"
        for plan in settings.digests
        for to in plan.to
        if re.search(r"[@.]example\.(com|net|org)$", to)
    ]
