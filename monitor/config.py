"""feeds.yaml → settings. Every fault at once, each with its line and column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from monitor.errors import ConfigError, Fault
from monitor.faults import did_you_mean, faults_of, place_of, read_yaml
from monitor.feeds import fulltext
from monitor.feeds.normalise import language_of
from monitor.match.judge import judge
from monitor.match.query import Query
from monitor.match.rules import Company, Rules, Theme
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
    tree = read_yaml(path, raw)
    if not isinstance(tree, CommentedMap):
        raise ConfigError(str(path), (Fault("the file must hold keys such as feeds:, coverage: and themes:", 1, 1),))
    try:
        parsed = FilePart.model_validate(tree)
    except ValidationError as e:
        faults = [*faults_of(e, tree, raw.decode("utf-8", "replace").splitlines(), _known_keys), *_cross_checks(tree)]
        raise ConfigError(str(path), _in_order(faults)) from e
    except (TypeError, ValueError, AttributeError) as e:  # YAML's own types (!!omap, !!set) where keys are expected
        raise ConfigError(str(path), (Fault(f"holds a kind of value that is not expected here: {e}"),)) from e
    faults = list(_cross_checks(tree))
    if faults:
        raise ConfigError(str(path), _in_order(faults))
    return _settings(path, raw, parsed)


def _in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(faults, key=lambda fault: (fault.line, fault.column)))


def example_faults(settings: Settings) -> list[str]:
    """Run each theme's examples through the rules alone; return a line for each that comes out wrong."""
    lines = []
    for theme, examples in settings.examples.items():
        for title, wanted in [*((t, True) for t in examples.hits), *((t, False) for t in examples.misses)]:
            verdict = try_title(settings.rules, title)
            got = theme in dict(verdict.themes)
            if got != wanted:
                why = verdict.reason or ("no keyword of the theme" if wanted else "a keyword of the theme matches")
                lines.append(f"themes.{theme}: {'should be a hit' if wanted else 'should be a miss'}: {title} ({why})")
    return lines


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
        part.name, tuple(part.to), part.crontab(), part.timezone, part.language, tuple(part.themes), part.empty
    )


def _by_language(words: Mapping[Any, str]) -> dict[str, str]:
    return {str(language): text for language, text in words.items()}


def _queries(sources: Iterable[str]) -> tuple[Query, ...]:
    return tuple(compile_query(source) for source in sources)


# ---------------------------------------------------------------- what does not fit together


def _known_keys(path: Sequence[str | int]) -> set[str]:
    parts: dict[str, type[BaseModel]] = {
        "feeds": FeedPart,
        "digests": DigestPart,
        "second_opinion": SecondOpinionPart,
        "polling": PollingPart,
        "health": HealthPart,
    }
    if not path:
        part: type[BaseModel] = FilePart
    elif path[0] == "coverage":
        part = CompanyPart if len(path) > 1 else CoveragePart
    elif path[0] == "themes":
        part = ExamplesPart if path[-1] == "examples" else ThemePart
    else:
        part = parts.get(str(path[0]), FilePart)
    return {info.alias or name for name, info in part.model_fields.items()}


def _cross_checks(tree: CommentedMap) -> Iterable[Fault]:
    """Yield what does not fit together; works on a file that has other faults too, and leaves those to pydantic."""
    companies = tree.get("coverage")
    if isinstance(companies, CommentedMap) and not set(companies) - {"not"}:
        yield Fault("coverage: name at least one company", *place_of(tree, ["coverage"]))
    feeds, digests = _parts(tree, "feeds"), _parts(tree, "digests")
    urls = [feed.get("url") if isinstance(feed, CommentedMap) else feed for feed in feeds]
    names = [digest.get("name") if isinstance(digest, CommentedMap) else None for digest in digests]
    yield from _twice("feeds", urls, "this feed stands above already", tree)
    yield from _twice("digests", names, "a digest of this name stands above", tree)
    themes = [str(name) for name in tree.get("themes") or ()]
    for i, digest in enumerate(digests):
        wanted = digest.get("themes") if isinstance(digest, CommentedMap) else None
        for k, theme in enumerate(wanted if isinstance(wanted, CommentedSeq) else ()):
            if isinstance(theme, str) and theme not in themes:
                path: list[str | int] = ["digests", i, "themes", k]
                hint = did_you_mean(theme, themes)
                yield Fault(f"digests.{i}.themes: there is no theme {theme!r}{hint}", *place_of(tree, path))


def _parts(tree: CommentedMap, key: str) -> Sequence[Any]:
    parts = tree.get(key)
    return parts if isinstance(parts, CommentedSeq) else ()


def _twice(key: str, values: Sequence[Any], words: str, tree: CommentedMap) -> Iterable[Fault]:
    seen: set[str] = set()
    for i, value in enumerate(values):
        if not isinstance(value, str):
            continue
        if value in seen:
            yield Fault(f"{key}.{i}: {words}: {value}", *place_of(tree, [key, i]))
        seen.add(value)


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
