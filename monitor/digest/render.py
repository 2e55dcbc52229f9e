"""An edition and the user's templates → subject, text and HTML. No clock, no network, no disk but the loader.

Templates get the Edition itself and the filters of `FILTERS`. Whatever a filter did not clean is
cleaned on output: no control, direction or zero-width character of a feed reaches a mail.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache, partial
from traceback import extract_tb
from typing import Any
from urllib.parse import quote, urlsplit

import css_inline
from jinja2 import (
    BaseLoader,
    Environment,
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
from monitor.digest.prose import CLOSING, HAN, OPENING, UNSAFE, border, clean, columns, cut, pad, underline, wrap
from monitor.digest.sentences import Sentences
from monitor.errors import TemplateError
from monitor.model import Edition, Item, Judged, Rendered, Story, Templates, ToldStory

SUBJECT, TEXT, HTML = "digest.subject.txt", "digest.txt", "digest.html"
HEADLINE, SUMMARY = 200, 280  # columns; a Han character takes two
LONGEST_PAGE = 50_000_000  # characters of one page; an archive of a busy year has a tenth of it
LONGEST_LINK = 2000  # what browsers and mail programs carry; a longer one is no address of a report
WEAK = 0.7  # keywords of less weight are not marked beside others
_WEIGHT = re.compile(r"\^(\d*\.?\d+)$")
_BARS = "▁▂▃▄▅▆▇█"
_HAN_RUN = re.compile(rf"({HAN.pattern}(?:[^A-Za-z]*{HAN.pattern})?)")


def matches(judged: Judged, field: str) -> list[tuple[int, int]]:
    """Return where words of themes stand in `field`: in order, overlaps merged, within the text.

    Words of weak keywords, which no theme rests on, only where the item has no others.
    """
    size = len(getattr(judged.item, field))
    themes = [found for found in judged.verdict.evidence if found.clause.startswith("theme.")]
    strong = [found for found in themes if not _is_weak(found.keyword)]
    spans: list[tuple[int, int]] = []
    for start, end in sorted(
        (max(0, found.start), min(size, found.end)) for found in strong or themes if found.field == field
    ):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        elif start < end:
            spans.append((start, end))
    return spans


def _is_weak(keyword: str) -> bool:
    """Tell whether a keyword carries a weight too small to make a theme even in a title: `(halt OR delay)^0.5`."""
    weight = _WEIGHT.search(keyword)
    return weight is not None and float(weight[1]) < WEAK


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
        if end - start == 1 and HAN.match(text, start):  # one character of a word is no word
            continue
        end = min(end, limit)
        before, after = _air(text[start - 1 : start + 1]), _air(text[end - 1 : min(end + 1, limit)])
        mark = Markup('{}<span class="mark">{}</span>{}').format(before, text[start:end], after)
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
    return url if parts.scheme in {"http", "https"} and parts.netloc and len(url) <= LONGEST_LINK else ""


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
def _tongues(context: Context, text: str) -> Markup:
    """Return a sentence of ours as HTML, with what is Chinese in an English one named so."""
    if labels.chinese(context["language"]):
        return escape(clean(text))
    parts = _HAN_RUN.split(clean(text))
    tagged = [
        Markup('<span lang="zh-Hans">{}</span>').format(part) if n % 2 else escape(part) for n, part in enumerate(parts)
    ]
    return Markup("").join(tagged)


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


@pass_context
def _since_day(context: Context, at: datetime) -> str:
    zone = context["zone"]
    return labels.since_day(context["language"], at.astimezone(zone), context["edition"].until.astimezone(zone))


@pass_context
def _duration(context: Context, time: timedelta) -> str:
    return labels.duration(context["language"], time)


@pass_context
def _short(context: Context, name: str) -> str:
    """Return the theme `name` in a word or two."""
    return clean(context["shorts"].get(name) or name)


def bars(numbers: Sequence[int]) -> str:
    """Return a bar for each number, an eighth of a line high for none, a whole line for the greatest."""
    top = max(numbers, default=0)
    return "".join(_BARS[math.ceil(number * (len(_BARS) - 1) / top) if top else 0] for number in numbers)


@pass_context
def _day_in_full(context: Context, at: date) -> str:
    return labels.date(context["language"], at)


def _usual(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}"


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
    "pad": pad,
    "wrap": wrap,
    "underline": underline,
    "slug": lambda name: re.sub(r"[^\w-]+", "-", name),
    "lang": _lang,
    "tongues": _tongues,
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
    "short": _short,
    "bars": bars,
    "usual": _usual,
    # a time
    "date": _clock(lambda language, at, _: labels.date(language, at)),
    "day": _clock(labels.day),
    "moment": _clock(labels.moment),
    "time": _clock(lambda _language, at, _: f"{at:%H:%M}"),
    "since_day": _since_day,
    "day_in_full": _day_in_full,
    "duration": _duration,
}


class _Loader(BaseLoader):
    """Templates that were read already, with the files that they came from."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self.places = frozenset(templates.places.get(name, name) for name in templates.sources)

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:
        """Return source and place of a template."""
        if template not in self._templates.sources:
            raise TemplateNotFound(template)
        return self._templates.sources[template], self._templates.places.get(template, template), None


def environment(templates: Templates) -> Environment:
    """Return the sandbox that templates run in."""
    return _environment(tuple(templates.sources.items()), tuple(templates.places.items()))


@lru_cache(maxsize=2)
def _environment(sources: tuple[tuple[str, str], ...], places: tuple[tuple[str, str], ...]) -> Environment:
    """Make a sandbox, once for the same templates: to compile them takes longer than to fill them in."""
    templates = Templates(dict(sources), dict(places))
    env = ImmutableSandboxedEnvironment(
        loader=_Loader(templates),
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
    titles += [trend.theme for trend in edition.trends]
    values = {
        "edition": edition,
        "zone": zone,
        "zone_name": _zone_name(zone, edition.until),
        "language": edition.plan.language,
        "titles": {theme.name: theme.title for theme in (*edition.theme_titles, *titles)},
        "shorts": {theme.name: theme.short or theme.title for theme in (*edition.theme_titles, *titles)},
        "owner": owner,
        "wrong": mailto(owner, "label NUMBER"),
        "unsubscribe": mailto(owner, f"unsubscribe {edition.plan.name}"),
        "missed": mailto(owner, f"missed {edition.plan.name}"),
        "version": version,
        "sentences": Sentences(edition, zone),
    }
    filled = partial(fill, env, values)
    inliner = css_inline.CSSInliner(load_remote_stylesheets=False)
    text = re.sub(r"(?<!--)[ \t]+$", "", filled(TEXT), flags=re.MULTILINE).strip() + "\n"
    parts = {SUBJECT: cut(filled(SUBJECT), 78), TEXT: re.sub(r"\n{4,}", "\n\n\n", text), HTML: filled(HTML)}
    for name, part in parts.items():
        if not part.strip():
            raise TemplateError(f"{env.get_template(name).filename or name}:1: comes out empty")
    return Rendered(parts[SUBJECT], parts[TEXT], inliner.inline(parts[HTML]) + "\n")


def _zone_name(zone: tzinfo, at: datetime) -> str:
    local = at.astimezone(zone)
    offset = re.sub(r"([+-])0?(\d+):?(\d\d)", r"\1\2:\3", f"{local:%z}").removesuffix(":00")
    name, utc = str(zone), "UTC" + ("" if offset in {"+0", "-0"} else offset)
    return utc if name.startswith("UTC") else f"{name}, {utc}"


def fill(env: Environment, values: Mapping[str, object], name: str) -> str:
    """Return a template filled in; a fault in it raises TemplateError, and so does one that writes without end."""
    parts, size = [], 0
    try:
        for part in env.get_template(name).generate(values):
            parts.append(part)
            size += len(part)
            if size > LONGEST_PAGE:
                raise OverflowError(f"writes more than {LONGEST_PAGE:,} characters")  # noqa: TRY301
        return "".join(parts)
    except Exception as error:  # templates are the user's code: anything may go wrong in there
        raise TemplateError(_where(env, name, error)) from error


def _where(env: Environment, name: str, error: Exception) -> str:
    """Return `file:line: what` on one line, for the innermost template that was at work."""
    what = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or error.name or name}:{error.lineno}: {what}"
    if isinstance(error, TemplateNotFound):
        what = f"no such template: {error.name}"
    places = env.loader.places if isinstance(env.loader, _Loader) else frozenset()
    frames = [frame for frame in extract_tb(error.__traceback__) if frame.filename in places]
    return f"{frames[-1].filename}:{frames[-1].lineno}: {what}" if frames else f"{name}: {what}"
