"""An edition and the user's templates → subject, text and HTML. No clock, no network, no disk but the loader.

Templates get the Edition itself and the filters of `FILTERS`. Whatever a filter did not clean is
cleaned on output: no control, direction or zero-width character of a feed reaches a mail.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path
from traceback import extract_tb
from typing import Any
from urllib.parse import quote, urlsplit

import css_inline
from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
    pass_context,
    select_autoescape,
)
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from monitor.digest import labels
from monitor.digest.message import mailto
from monitor.digest.prose import CLOSING, HAN, OPENING, UNSAFE, border, clean, columns, cut, underline, wrap
from monitor.errors import TemplateError
from monitor.model import Edition, Item, Judged, Rendered, Story, ToldStory

SUBJECT, TEXT, HTML = "digest.subject.txt", "digest.txt", "digest.html"
HEADLINE, SUMMARY = 200, 280  # columns; a Han character takes two


def matches(judged: Judged, field: str) -> list[tuple[int, int]]:
    """Return where words of themes stand in `field`: in order, overlaps merged, within the text."""
    size = len(getattr(judged.item, field))
    spans: list[tuple[int, int]] = []
    for start, end in sorted(
        (max(0, found.start), min(size, found.end))
        for found in judged.verdict.evidence
        if found.field == field and found.clause.startswith("theme.")
    ):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        elif start < end:
            spans.append((start, end))
    return spans


def words(judged: Judged) -> list[str]:
    """Return the matched words as title and summary spell them, each once."""
    item = judged.item
    found = [item.title[start:end] for start, end in matches(judged, "title")]
    found += [item.summary[start:end] for start, end in matches(judged, "summary")]
    spelled: dict[str, str] = {}
    for word in map(clean, found):
        spelled.setdefault(word.casefold(), word)
    return list(spelled.values())


def summary(judged: Judged) -> str:
    """Return the report's own summary, cut; empty when it only repeats the headline."""
    text, title = clean(judged.item.summary), clean(judged.item.title)
    return "" if text.startswith(title) and len(text) < len(title) + 40 else cut(text, SUMMARY)


def marked(judged: Judged) -> Markup:
    """Return `summary` as HTML with the matched words marked."""
    text = judged.item.summary
    if not summary(judged):
        return Markup("")
    limit, parts, last = border(text, SUMMARY), list[Markup](), 0
    for start, end in matches(judged, "summary"):
        if start >= limit:
            break
        end = min(end, limit)
        before, after = _air(text[start - 1 : start + 1]), _air(text[end - 1 : end + 1])
        mark = Markup('<span class="mark">{}{}{}</span>').format(before, text[start:end], after)
        parts += [escape(text[last:start]), mark]
        last = end
    return Markup("").join([*parts, text[last:limit], "…" if limit < len(text) else ""])


def _air(pair: str) -> str:
    """Return what parts two characters at a mark's edge: a space in Chinese, where none would be.

    Spam filters take a tag amid characters for a hidden word (SpamAssassin's HTML_OBFUSCATE).
    """
    if len(pair) < 2 or columns(pair) == 2 or re.search(r"[\s!-/:-@\[-`{-~]", pair):
        return ""
    return "" if pair[0] in OPENING or pair[1] in f"{CLOSING}”’" else " "  # no line may break there


def href(url: str) -> str:
    """Return a web address fit for an attribute and for a line of its own; empty for any other scheme."""
    url = quote(UNSAFE.sub("", url).strip(), safe="%/:?#[]@!$&'()*+,;=~", errors="replace")
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in {"http", "https"} and parts.netloc else ""


def outlet(item: Item) -> str:
    """Return the outlet's name, or the host that published the item."""
    return cut(item.outlet, 60) or urlsplit(href(item.link) or href(item.feed_url)).netloc or "?"


def everyone(story: Story) -> list[Item]:
    """Return one report of each outlet, the lead's first."""
    first: dict[str, Item] = {}
    for report in story.originals:
        first.setdefault(outlet(report.item), report.item)
    return list(first.values())


def others(story: Story) -> list[Item]:
    """Return one report of each outlet but the lead's."""
    return everyone(story)[1:]


def fresh(story: Story) -> list[Item]:
    """Return one report of each outlet that had not reported the story when it was told."""
    told = story.continues.outlets if story.continues else ()
    return [item for item in everyone(story) if item.outlet not in told]


@pass_context
def _headline(context: Context, news: Item | ToldStory) -> str:
    """Return the headline, else the summary's beginning, else a label: a link needs words."""
    said = cut(news.title, HEADLINE) or (cut(news.summary, HEADLINE // 2) if isinstance(news, Item) else "")
    return said or labels.say(context["language"], "untitled")


@pass_context
def _wrong(context: Context, judged: Judged) -> str:
    """Return the link that tells the owner that a report was judged wrong; empty where there is no owner."""
    return mailto(context["owner"], f"label {judged.id}")


@pass_context
def _theme(context: Context, name: str) -> str:
    """Return the title of the theme `name`, or the name where the edition has no title for it."""
    return clean(context["titles"].get(name, name))


@pass_context
def _lang(context: Context, text: str, hint: str = "") -> Markup:
    """Return a lang attribute where the script of `text` is not the page's."""
    tag = "zh-Hans" if HAN.search(text) else "en"
    if tag != "en" and re.match(r"zh-(hant|tw|hk|mo)", hint.lower()):
        tag = "zh-Hant"
    return Markup("") if tag == labels.say(context["language"], "page") else Markup(' lang="{}"').format(tag)


@pass_context
def _say(context: Context, key: str, **values: object) -> str:
    return labels.say(context["language"], key, **values)


def _clock(show: Callable[[str, datetime, int], str]) -> Callable[[Context, datetime], str]:
    """Return a filter that shows a time in the digest's zone and language."""

    @pass_context
    def shown(context: Context, at: datetime) -> str:
        this_year = context["edition"].until.astimezone(context["zone"]).year
        return show(context["language"], at.astimezone(context["zone"]), this_year)

    return shown


def _harmless(value: object) -> object:
    """Clean whatever a template writes; what is HTML stays HTML."""
    if not isinstance(value, str):
        return value
    text = UNSAFE.sub("", value)
    return Markup(text) if isinstance(value, Markup) else text  # noqa: S704  it was HTML before


FILTERS: dict[str, Callable[..., Any]] = {
    # text
    "clean": clean,
    "columns": columns,
    "cut": cut,
    "wrap": wrap,
    "underline": underline,
    "slug": lambda name: re.sub(r"[^\w-]+", "-", name),
    "lang": _lang,
    # a report, a story
    "headline": _headline,
    "summary": summary,
    "marked": marked,
    "words": words,
    "reads_like": lambda judged: [clean(word) for word in judged.verdict.reads_like],
    "wrong": _wrong,
    "href": href,
    "outlet": outlet,
    "everyone": everyone,
    "others": others,
    "fresh": fresh,
    "theme": _theme,
    # a time
    "date": _clock(lambda language, at, _: labels.date(language, at)),
    "day": _clock(labels.day),
    "moment": _clock(labels.moment),
    "time": _clock(lambda _language, at, _: f"{at:%H:%M}"),
}


def environment(folder: Path) -> Environment:
    """Return the sandbox that the templates in `folder` run in."""
    env = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=select_autoescape(("html",), default=False),
        finalize=_harmless,
    )
    env.filters.update(FILTERS)
    env.globals["say"] = _say
    return env


def render(edition: Edition, env: Environment, *, zone: tzinfo, owner: str = "", version: str = "") -> Rendered:
    """Return the mail's subject and both bodies; a fault in a template raises TemplateError."""
    titles = [section.theme for section in edition.sections if section.theme]
    values = {
        "edition": edition,
        "zone": zone,
        "zone_name": _zone_name(zone, edition.until),
        "language": edition.plan.language,
        "titles": {theme.name: theme.title for theme in (*edition.theme_titles, *titles)},
        "total": len(edition.stories) + sum(section.more for section in edition.sections),
        "owner": owner,
        "wrong": mailto(owner, "label NUMBER"),
        "unsubscribe": mailto(owner, f"unsubscribe {edition.plan.name}"),
        "missed": mailto(owner, f"missed {edition.plan.name}"),
        "version": version,
    }
    fill = partial(_fill, env, values)
    inliner = css_inline.CSSInliner(load_remote_stylesheets=False)
    text = re.sub(r"(?<!--)[ \t]+$", "", fill(TEXT), flags=re.MULTILINE).strip() + "\n"
    return Rendered(
        subject=cut(fill(SUBJECT), 78),
        text=re.sub(r"\n{4,}", "\n\n\n", text),
        html=inliner.inline(fill(HTML)) + "\n",
    )


def _zone_name(zone: tzinfo, at: datetime) -> str:
    local = at.astimezone(zone)
    offset = re.sub(r"([+-])0?(\d+):?(\d\d)", r"\1\2:\3", f"{local:%z}").removesuffix(":00")
    name, utc = str(zone), "UTC" + ("" if offset in {"+0", "-0"} else offset)
    return utc if name.startswith("UTC") else f"{name}, {utc}"


def _fill(env: Environment, values: dict[str, object], name: str) -> str:
    try:
        return env.get_template(name).render(values)
    except Exception as error:  # templates are the user's code: anything may go wrong in there
        raise TemplateError(_where(env, name, error)) from error


def _where(env: Environment, name: str, error: Exception) -> str:
    """Return `file:line: what` on one line, for the innermost template that was at work."""
    what = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or error.name or name}:{error.lineno}: {what}"
    if isinstance(error, TemplateNotFound):
        what = f"no such template: {error.name}"
    roots = tuple(getattr(env.loader, "searchpath", ()))
    frames = [frame for frame in extract_tb(error.__traceback__) if frame.filename.startswith(roots)]
    return f"{frames[-1].filename}:{frames[-1].lineno}: {what}" if frames else f"{name}: {what}"
