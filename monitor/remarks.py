"""What is no fault of feeds.yaml and yet hardly meant: keywords that never match or always do, what stands twice.

Only `monitor check` says it. A running worker takes up an edit all the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Iterable, Iterator, Sequence
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from rapidfuzz import fuzz

from monitor.config import try_title
from monitor.errors import Fault, clipped, without_credentials
from monitor.faults import Sheet, named, nearest
from monitor.feeds.guard import Guard
from monitor.grammar import singly
from monitor.match.query import And, Node, Query, Source
from monitor.match.query import Language as InLanguage
from monitor.match.rules import TITLE, Theme
from monitor.match.satisfiable import alternatives, can_match, leaves, meaning, most_weight, why_never
from monitor.match.words import Document, Near, Words
from monitor.model import Verdict
from monitor.schema import language_tag
from monitor.settings import Settings
from monitor.text import read

Path = tuple[str | int, ...]

_ROLES = ("names", "hints", "products", "faint")
_COMMON_WORDS = (
    "a an the of to in on at by for from with and or as is are was be it its this that not new says said after over "
    "的 了 是 在 和 与 有 为 不 一 将 也 对 等 中 于 及 被 年 月 日"
)
_CODES = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en "
    "eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv "
    "ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne "
    "ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss "
    "st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
"""ISO 639-1."""

_COMMON, _LANGUAGES = frozenset(_COMMON_WORDS.split()), frozenset(_CODES.split())


class Keyword(NamedTuple):
    """A keyword and where it stands."""

    path: Path
    query: Query

    def __str__(self) -> str:
        return named(self.path)


def remarks(settings: Settings, sheet: Sheet) -> list[Fault]:
    """Return what a person should look at, each with its place, from top to bottom."""
    lists = dict(_lists(settings))
    found = [
        *_of_feeds(settings, sheet),
        *_of_digests(settings, sheet),
        *(
            remark
            for keywords in lists.values()
            for keyword in keywords
            for remark in _of_keyword(keyword, settings, sheet)
        ),
        *(remark for keywords in lists.values() for remark in _twice(keywords, sheet)),
        *_in_both(lists, settings, sheet),
        *_excluded(lists, settings, sheet),
        *_masked(lists, settings, sheet),
        *_shared(lists, settings, sheet),
        *_out_of_reach(settings, sheet),
    ]
    found = [Fault(" ".join(remark.message.split("\n")), remark.line, remark.column) for remark in dict.fromkeys(found)]
    return sorted(found, key=lambda remark: (remark.line, remark.column))


def _lists(settings: Settings) -> Iterator[tuple[Path, list[Keyword]]]:
    rules = settings.rules
    named = {"not": rules.excluded, "relations": rules.relations, "against": rules.against, "others": rules.others,
             "masks": rules.masks}  # fmt: skip
    every: list[tuple[Path, Sequence[Query]]] = [(("coverage", role), queries) for role, queries in named.items()]
    every += [(("coverage", c.name, role), getattr(c, role)) for c in rules.companies for role in _ROLES]
    every += [(("themes", theme.name, "keywords"), theme.keywords) for theme in rules.themes]
    every += [(("themes", theme.name, "not"), theme.excluded) for theme in rules.themes]
    for path, queries in every:
        yield path, [Keyword((*path, i), query) for i, query in enumerate(queries)]


def _short(query: Query) -> str:
    return _cut(query.source)


def _cut(source: str) -> str:
    return clipped(source, 60)


# ---------------------------------------------------------------- feeds, digests


def _of_feeds(settings: Settings, sheet: Sheet) -> Iterator[Fault]:
    lines: dict[str, int] = {}
    guard = Guard(settings.manners.allow)
    for i, feed in enumerate(settings.feeds):
        at = sheet.place(["feeds", i, "url"])
        if feed.url[-1] in ",;，；、。":
            words = f"feeds: the address ends with {feed.url[-1]}; did you mean {feed.address.rstrip(',;，；、。')}?"
            yield Fault(words, *at)
        host = urlsplit(feed.url).hostname or ""
        if feed.enabled and not _may_be_asked(host, guard):
            words = f"feeds: {host} is not public, so it is never asked: write it under polling.allow if it is your own"
            yield Fault(words, *at)
        if "&amp;" in feed.url:
            meant = without_credentials(feed.url.replace("&amp;", "&"))
            yield Fault(f"feeds: &amp; is how a web page's source writes &: did you mean {meant}?", *at)
        yield from _of_zone("feeds.timezone", feed.timezone, sheet.place(["feeds", i, "timezone"]), fixed_is_odd=False)
        line, column = sheet.place(["feeds", i, "name"])
        if feed.name and (first := lines.setdefault(feed.name, line)) != line:
            yield Fault(f"feeds: another feed has this name too (line {first}): {feed.name}", line, column)
        code = feed.language.lower()
        if len(code) == 2 and code not in _LANGUAGES:
            yield Fault(_no_language("feeds.language", code), *sheet.place(["feeds", i, "language"]))


def _may_be_asked(host: str, guard: Guard) -> bool:
    """Tell whether a host may be asked; of a name other than localhost it is not known here where it leads."""
    if guard.allows_name(host):
        return True
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return guard.allows("127.0.0.1") or guard.allows("::1")
    try:
        ip_address(name.partition("%")[0])
    except ValueError:
        return True
    return guard.allows(name)


def _no_language(where: str, code: str) -> str:
    meant = language_tag(code)
    return f"{where}: {code} is the code of no language{f'; did you mean {meant}?' if meant else ''}"


def _of_zone(where: str, zone: str, place: tuple[int, int], *, fixed_is_odd: bool = True) -> Iterator[Fault]:
    """Yield what is meant otherwise than it is read: signs the other way round, and zones without summer time."""
    if found := re.fullmatch(r"Etc/GMT([+-])(\d+)", zone):
        side, hours = ("behind" if found[1] == "+" else "ahead of"), int(found[2])
        if hours:
            other = f"Etc/GMT{'-' if found[1] == '+' else '+'}{hours}"
            words = f"{zone} is {hours} h {side} UTC, for its sign is turned round; if the other is meant: {other}"
            yield Fault(f"{where}: {words}, or better a city, such as Asia/Shanghai", *place)
    elif fixed_is_odd and zone in _FIXED:
        words = f"{zone} is winter time all year long; {_FIXED[zone]} goes by summer time too"
        yield Fault(f"{where}: {words}", *place)


_FIXED = {"EST": "America/New_York", "MST": "America/Denver"}


def _of_digests(settings: Settings, sheet: Sheet) -> Iterator[Fault]:
    for i, plan in enumerate(settings.digests):
        yield from _of_zone("digests.timezone", plan.timezone, sheet.place(["digests", i, "timezone"]))
        if plan.cron.split()[0] in ("*", "*/1"):
            hour = plan.cron.split()[1]
            words = f"an edition each minute: for one at the full hour write 0 in place of the first *: 0 {hour} …"
            yield Fault(f"digests.cron: {words}", *sheet.place(["digests", i, "cron"]))
        seen: set[str] = set()
        for k, address in enumerate(plan.to):
            domain, place = address.rpartition("@")[2], sheet.place(["digests", i, "to", k])
            if "." not in domain and domain != "localhost":
                words = f"digests.to: {domain} has no dot, as hosts of one's own network may; is an ending missing?"
                yield Fault(words, *place)
            if address.casefold() in seen:
                yield Fault(f"digests.to: {address} stands here twice, so it gets two mails: keep one of them", *place)
            seen.add(address.casefold())
        if not plan.themes and isinstance(sheet.at(["digests", i, "themes"]), list):
            yield Fault(
                "digests.themes: an empty list means all themes, as if the line were not there",
                *sheet.place(["digests", i, "themes"]),
            )


# ---------------------------------------------------------------- one keyword


def _of_keyword(keyword: Keyword, settings: Settings, sheet: Sheet) -> Iterator[Fault]:
    query, place = keyword.query, sheet.place(keyword.path)
    if why := why_never(query.node):
        yield Fault(f"{keyword}: can never match: {why}: {_short(query)}", *place)
    for node in alternatives(query.node):
        if much := _far_too_much(node):
            found = re.search(rf"(?<!\w){re.escape(much)}(?!\w)", query.source)
            at = sheet.place_in(keyword.path, found.start() if found else 0)
            yield Fault(f"{keyword}: {much} stands in nearly every text, so it tells nothing", *at)
    yield from _of_values(keyword, settings, sheet)
    yield from _of_signs(keyword, sheet)


def _far_too_much(node: Node) -> str:
    if not isinstance(node, Words) or len(node.terms) != 1:
        return ""
    [term] = node.terms
    if term.prefix:
        return f"{term.word}*" if len(term.word) < 3 and term.word.isascii() and term.word.isalpha() else ""
    capitals = term.word.isupper() and len(term.word) > 1  # IT, US: matched in capitals alone
    return term.word if term.word.lower() in _COMMON and not capitals and not term.exact else ""


def _of_values(keyword: Keyword, settings: Settings, sheet: Sheet) -> Iterator[Fault]:
    """Yield outlets and languages that nothing here has."""
    for leaf, positive in leaves(keyword.query.node):
        if isinstance(leaf, InLanguage) and positive and len(leaf.tag) == 2 and leaf.tag not in _LANGUAGES:
            at = keyword.query.source.lower().find(f"lang:{leaf.tag}")
            yield Fault(_no_language(str(keyword), leaf.tag), *sheet.place_in(keyword.path, max(at, 0)))
        if isinstance(leaf, Source):
            names = [feed.name for feed in settings.feeds if feed.name]
            if not any(leaf.match(Document({}, name)) for name in names):
                meant = nearest(leaf.folded, names, 75)
                hint = f"did you mean {meant}?" if meant else "right only if an aggregator calls an outlet so"
                at = keyword.query.source.find("source:")
                yield Fault(
                    f"{keyword}: source:{leaf.folded} is no feed's name here; {hint}",
                    *sheet.place_in(keyword.path, max(at, 0)),
                )


def _of_signs(keyword: Keyword, sheet: Sheet) -> Iterator[Fault]:
    """Yield signs that look as if they did something, and do not."""
    source, place = keyword.query.source, sheet.place(keyword.path)
    for quoted in re.finditer(r'"(?:\\.|[^"\\])*"', source):
        if found := re.search(r"(?<![\w])(?:AND|OR|NOT)(?![\w])", quoted.group()):
            at = sheet.place_in(keyword.path, quoted.start() + found.start())
            yield Fault(
                f"{keyword}: {found.group()} inside quotes is a word to look for and joins nothing; parentheses there "
                "do nothing either",
                *at,
            )
    yield from _of_joints(keyword, sheet)
    yield from _of_lines(keyword, sheet)
    line = sheet.lines[place[0] - 1]
    if (mark := re.match(r"&([^\s,\[\]{}]+)", line[place[1] - 1 :])) and not _is_used(mark[1], sheet):
        yield Fault(
            f"{keyword}: & begins a mark of YAML, so its word is not looked for: put the whole in quotes", *place
        )
    end = sheet.place_in(keyword.path, len(source))
    if found := re.match(
        r"\s+(#)(?:\s*(?:AND|OR|NOT)\b|\S.*\b(?:AND|OR|NOT)\s)", sheet.lines[end[0] - 1][end[1] - 1 :]
    ):
        yield Fault(
            f"{keyword}: what follows this # is a comment and not looked for; the keyword is {_short(keyword.query)}",
            end[0],
            end[1] + found.start(1),
        )


def _is_used(mark: str, sheet: Sheet) -> bool:
    """Tell whether a mark (&name) is one that the file refers to (*name)."""
    reference = re.compile(rf"(?<!\S)(?:[\[{{,]\s*)*\*{re.escape(mark)}(?![^\s,\]}}])")
    return any(reference.search(re.sub(r"(^|\s)#.*", "", line)) for line in sheet.lines)


_PARTING = re.compile(
    r"[，、；;|｜]|(?<!\d),|,(?!\d)|(?<=[^\W\d_]{3})/(?=[^\W\d_]{3})|(?<!\S)(?:或者?|和|与|且|及|以及|并且)(?!\S)"
)
_BOTH = ("和", "与", "且", "及", "以及", "并且")
_CAPITAL = re.compile(r"(?<!\S)(?:(?<=\S )(?:And|Or)(?= +\S)|Not(?= +\S))")


def _of_joints(keyword: Keyword, sheet: Sheet) -> Iterator[Fault]:
    """Yield what was meant to part or to join keywords, and is read as part of a phrase."""
    source = keyword.query.source
    bare = re.sub(r'"(?:\\.|[^"\\])*"', lambda quoted: "_" * len(quoted.group()), source)
    if found := _PARTING.search(bare):
        at = sheet.place_in(keyword.path, found.start())
        sign = found.group()
        if sign in _BOTH:
            yield Fault(f"{keyword}: {sign} joins nothing here: write AND where both must be there, or quote it", *at)
        else:
            what = "joins" if sign[0] == "或" else "parts"
            yield Fault(f"{keyword}: {sign} {what} nothing here: {_apart(keyword, bare, sheet)}", *at)
    elif found := _foreign(bare):
        plain = _plain(found.group())
        words = f"{found.group()} is typed in other letters than {plain}, so it is a word to look for: write {plain}"
        yield Fault(f"{keyword}: {words}", *sheet.place_in(keyword.path, found.start()))
    elif found := _GLUED.search(bare):
        yield Fault(
            f"{keyword}: {found.group()} is a word to look for here: write {_GLUED_MEANS[found.group()]}",
            *sheet.place_in(keyword.path, found.start()),
        )
    elif found := _CAPITAL.search(bare):
        word = found.group()
        quoted = f": {singly(chr(34) + source + chr(34))}" if bare == source and _is_row(bare) else ""
        words = f"{word} is a word to look for here: write {word.upper()}, or put the words in quotes{quoted}"
        yield Fault(f"{keyword}: {words}", *sheet.place_in(keyword.path, found.start()))


_GLUED_MEANS = {"ANDNOT": "AND NOT", "ORNOT": "OR NOT", "AND/OR": "OR"}
_GLUED = re.compile(rf"(?<!\S)(?:{'|'.join(_GLUED_MEANS)})(?!\S)")
_LOOKALIKES = str.maketrans("АОNDТRΟΑΝΤ", "AONDTROANT")
"""Capitals of Cyrillic and Greek that look like those of AND, OR and NOT."""


def _plain(word: str) -> str:
    return unicodedata.normalize("NFKC", word).translate(_LOOKALIKES)


def _foreign(bare: str) -> re.Match[str] | None:
    """Find an AND, OR or NOT that is typed in full-width letters, or in some of another alphabet."""
    words = re.finditer(r"(?<!\S)[^\s()]+(?!\S)", bare)
    return next((w for w in words if not w.group().isascii() and _plain(w.group()) in ("AND", "OR", "NOT")), None)


def _of_lines(keyword: Keyword, sheet: Sheet) -> Iterator[Fault]:
    """Yield lines that go on from the one above although nothing joins them, and comments that are none."""
    first, column = sheet.place(keyword.path)
    last, _ = sheet.place_in(keyword.path, len(keyword.query.source))
    head = sheet.lines[first - 1][column - 1 :]
    block = head[:1] in ("|", ">")
    before = "" if block else head.split(" #")[0].rstrip()
    read = before
    for number in range(first + 1, last + 1):
        line = sheet.lines[number - 1]
        text = line.strip()
        at = number, len(line) - len(line.lstrip()) + 1
        if block and text.startswith("#"):
            yield Fault(f"{keyword}: behind > and | a # is no comment: its words are looked for; take it out", *at)
        elif text and before and not _JOINED.search(f"{before}\n{text}") and read.count('"') % 2 == 0:
            words = (
                f"this line goes on from line {number - 1} and nothing joins the two: write OR or AND before it, or if "
                "a keyword begins here, a dash"
            )
            yield Fault(f"{keyword}: {words}", *at)
        before, read = text or before, f"{read} {text}"


_JOINED = re.compile(r"(?:(?<![^\s(])(?:AND|OR|NOT)|[(+])\n|\n(?:(?:AND|OR)(?!\S)|\))")


def _apart(keyword: Keyword, bare: str, sheet: Sheet) -> str:
    """Say how the parts of a keyword are written."""
    parts = [part.strip() for part in _PARTING.split(bare)]
    write = "write OR"
    if bare == keyword.query.source and _is_row(bare) and all(parts) and len(bare) <= 60:
        write = f"write {' OR '.join(parts)}"
    if not getattr(sheet.at(keyword.path[:-1]), "fa", None) or not sheet.at(keyword.path[:-1]).fa.flow_style():
        return f"{write}, or each on a line of its own"
    line, column = sheet.place(keyword.path)
    if sheet.lines[line - 1][column - 1 : column] in ("'", '"'):
        return f"{write}, or quote each for itself"
    return f"{write}, or a plain comma and a space"


def _is_row(bare: str) -> bool:
    """Tell whether a keyword is words alone, without signs of Lucene's."""
    return not re.search(r"[()\"^~:*+]|(?<!\S)[-=]|(?<!\S)(?:AND|OR|NOT)(?!\S)", bare)


# ---------------------------------------------------------------- keywords beside each other


def _twice(keywords: Sequence[Keyword], sheet: Sheet) -> Iterator[Fault]:
    seen: dict[Node, Keyword] = {}
    for keyword in keywords:
        first = seen.setdefault(keyword.query.node, keyword)
        if first is not keyword:
            line = sheet.place(first.path)[0]
            same = "stands" if first.query.source == keyword.query.source else f"as {_short(first.query)} it stands"
            yield Fault(
                f"{keyword}: {same} in line {line} already: {_short(keyword.query)}", *sheet.place(keyword.path)
            )


def _in_both(lists: dict[Path, list[Keyword]], settings: Settings, sheet: Sheet) -> Iterator[Fault]:
    for theme in settings.rules.themes:
        wanted = {keyword.query.node: keyword for keyword in lists["themes", theme.name, "keywords"]}
        for keyword in lists["themes", theme.name, "not"]:
            if both := wanted.get(keyword.query.node):
                yield Fault(
                    f"{keyword}: stands among the keywords too (line {sheet.place(both.path)[0]}), so it never counts "
                    f"there: {_short(keyword.query)}",
                    *sheet.place(keyword.path),
                )


def _excluded(lists: dict[Path, list[Keyword]], settings: Settings, sheet: Sheet) -> Iterator[Fault]:
    """Yield keywords of which each text is excluded, and themes that have no others."""
    everywhere = lists["coverage", "not"]
    for company in settings.rules.companies:
        for keyword in lists["coverage", company.name, "names"]:
            yield from _struck(keyword, everywhere, sheet)
    for theme in settings.rules.themes:
        keywords, excluding = lists["themes", theme.name, "keywords"], lists["themes", theme.name, "not"]
        struck = []
        for keyword in keywords:
            if any(keyword.query.node == other.query.node for other in excluding):
                struck.append(keyword)  # told already
                continue
            found = list(_struck(keyword, [*excluding, *everywhere], sheet))
            struck += [keyword] * len(found)
            yield from found
        if struck and len(struck) == len(keywords):
            yield Fault(
                f"themes.{theme.name}: no item can have this theme: each of its keywords is excluded",
                *sheet.place(["themes", theme.name], of_key=True),
            )


def _struck(keyword: Keyword, excluding: Iterable[Keyword], sheet: Sheet) -> Iterator[Fault]:
    if not can_match(keyword.query.node):
        return
    for other in excluding:
        if _touch(keyword.query.node, other.query.node) and not can_match(keyword.query.node, [other.query.node]):
            where, line = named(other.path[:-1]), sheet.place(other.path)[0]
            yield Fault(
                f"{keyword}: never counts: {where} excludes every text that has it "
                f"(line {line}: {_short(other.query)})",
                *sheet.place(keyword.path),
            )
            return


def _touch(node: Node, other: Node) -> bool:
    """Tell whether the two have anything in common, so that one could exclude the other: cheap to ask."""
    return bool(_terms(node) & _terms(other)) or any(not isinstance(leaf, (Words, Near)) for leaf, _ in leaves(other))


def _terms(node: Node) -> set[str]:
    words = [part for leaf, _ in leaves(node) for part in (leaf.parts if isinstance(leaf, Near) else (leaf,))]
    return {term.key for leaf in words if isinstance(leaf, Words) for term in leaf.terms}


def _masked(lists: dict[Path, list[Keyword]], settings: Settings, sheet: Sheet) -> Iterator[Fault]:
    masks = {node: mask for mask in lists["coverage", "masks"] for node in alternatives(mask.query.node)}
    for company in settings.rules.companies:
        for role in _ROLES:
            for keyword in lists["coverage", company.name, role]:
                for node in alternatives(keyword.query.node):
                    if mask := masks.get(node):
                        line = sheet.place(mask.path)[0]
                        yield Fault(
                            f"{keyword}: never counts as a mention: coverage.masks hides it "
                            f"(line {line}: {_short(mask.query)})",
                            *sheet.place(keyword.path),
                        )


def _shared(lists: dict[Path, list[Keyword]], settings: Settings, sheet: Sheet) -> Iterator[Fault]:
    """Yield words that stand for two companies. Two names are a fault, which the file would not have passed with."""
    seen: dict[Hashable, tuple[str, Keyword]] = {}
    for company in settings.rules.companies:
        for role in _ROLES:
            for keyword in lists["coverage", company.name, role]:
                for node in alternatives(keyword.query.node):
                    owner, first = seen.setdefault(meaning(node), (company.name, keyword))
                    if owner != company.name:
                        what = {"names": "a name", "hints": "a hint", "products": "a product"}.get(
                            str(first.path[2]), "a by-word"
                        )
                        yield Fault(
                            f"{keyword}: {_shown(node, keyword)} is {what} of {owner} as well (line "
                            f"{sheet.place(first.path)[0]}), so each mention counts for both",
                            *sheet.place(keyword.path),
                        )


def _shown(node: Node, keyword: Keyword) -> str:
    if isinstance(node, Words):
        return "".join(
            (" " if i and not term.joined else "") + term.word + "*" * term.prefix for i, term in enumerate(node.terms)
        )
    return _short(keyword.query)


def _out_of_reach(settings: Settings, sheet: Sheet) -> Iterator[Fault]:
    for theme in settings.rules.themes:
        most = TITLE * sum(most_weight(query.node) for query in theme.keywords if can_match(query.node))
        if most + 0.001 < theme.threshold:
            yield Fault(
                f"themes.{theme.name}: no item can have this theme: all its keywords together in one title come to "
                f"{most:g} points, and the threshold is {theme.threshold:g}",
                *sheet.place(["themes", theme.name, "threshold"]),
            )


# ---------------------------------------------------------------- examples


def example_faults(settings: Settings, sheet: Sheet) -> list[Fault]:
    """Run each theme's examples through the rules alone; return a fault for each that comes out wrong, and why."""
    found = []
    for theme in settings.rules.themes:
        examples = settings.examples[theme.name]
        for kind, titles in (("hits", examples.hits), ("misses", examples.misses)):
            for i, title in enumerate(titles):
                verdict = try_title(settings.rules, title)
                if (theme.name in dict(verdict.themes)) == (kind == "hits"):
                    continue
                why = _why_not(theme, title, verdict) if kind == "hits" else _why(theme, verdict)
                words = "should be a hit" if kind == "hits" else "should be a miss"
                place = sheet.place(["themes", theme.name, "examples", kind, i])
                found.append(Fault(f"themes.{theme.name}: {words}: {title} ({why})", *place))
    return sorted(found, key=lambda fault: (fault.line, fault.column))


def _why(theme: Theme, verdict: Verdict) -> str:
    keywords = dict.fromkeys(e.keyword for e in verdict.evidence if e.clause == f"theme.{theme.name}")
    return (
        f"a keyword of the theme matches: {'; '.join(map(_cut, keywords))}"
        if keywords
        else "a keyword of the theme matches"
    )


def _why_not(theme: Theme, title: str, verdict: Verdict) -> str:
    if verdict.reason:
        return verdict.reason
    unmade = [e.keyword for e in verdict.evidence if e.clause == f"unmade.{theme.name}"]
    if unmade:
        return f"excluded from the theme by: {unmade[0]}"
    score = dict(verdict.near).get(theme.name)
    if score is not None:
        keywords = dict.fromkeys(e.keyword for e in verdict.evidence if e.clause == f"near.{theme.name}")
        return f"only {score:g} of {theme.threshold:g} points, by: {'; '.join(map(_cut, keywords))}"
    return f"no keyword of the theme{_nearest_keyword(theme, title)}"


def _nearest_keyword(theme: Theme, title: str) -> str:
    """Name the keyword of which most is there, and what of it is not; else one that is written much like the title."""
    document = Document({"title": read(title)})
    best: tuple[float, str] = (0.0, "")
    for query in theme.keywords:
        for node in alternatives(query.node):
            if not isinstance(node, And):
                continue
            missing = [part for part in node.parts if part.match(document) is None]
            share = 1 - len(missing) / len(node.parts)
            if missing and share > best[0]:
                lacking = " and ".join(_part(part) for part in missing)
                best = (share, f"; nearest: {_short(query)} ({lacking})")
    if best[1]:
        return best[1]
    alike = max(theme.keywords, key=lambda query: fuzz.partial_ratio(query.source.lower(), title.lower()))
    near = fuzz.partial_ratio(alike.source.lower(), title.lower()) >= 70 and len(alike.source) < 40
    return f"; nearest: {_short(alike)}" if near else ""


def _part(node: Node) -> str:
    words = [leaf for leaf, positive in leaves(node) if positive and isinstance(leaf, Words)]
    absent = not words
    words = words or [leaf for leaf, _ in leaves(node) if isinstance(leaf, Words)]
    shown = " or ".join(
        "".join((" " if i and not t.joined else "") + t.word for i, t in enumerate(w.terms)) for w in words[:3]
    )
    if not shown:
        return "another part is missing"
    return f"{shown}{' or others' * (len(words) > 3)} {'is there' if absent else 'is missing'}"
