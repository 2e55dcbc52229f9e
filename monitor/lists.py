"""feeds.yaml edited as text: only the lines concerned change, every other byte stays as somebody wrote it.

    entries            which feeds there are, and where they stand
    added, removed     text → text; what cannot be done surely is not done: each edit is read again and compared
    enabled
    save               writes the result, unless the file changed meanwhile or would have a fault

Comment lines above an entry are mostly headings of what follows, so they outlive it; its own are those on its lines,
between them, and directly below it where they are indented deeper than its dash.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from monitor import config
from monitor.errors import ConfigError, MonitorError
from monitor.faults import did_you_mean, read_yaml
from monitor.feeds.normalise import same
from monitor.settings import read_bytes

_STRING = "tag:yaml.org,2002:str"
_BOOLEAN = "tag:yaml.org,2002:bool"
_OFF = {"false", "no", "off", "0", "f", "n"}
"""What pydantic takes for false."""
_NOT_REPLACEABLE = {errno.EBUSY, errno.EACCES, errno.EPERM, errno.EROFS, errno.EXDEV}
"""A bind mount, or a folder that may not be written to; the file itself may be another matter."""


@dataclass(frozen=True, slots=True)
class NewFeed:
    """A feed to be written down; `every` as it is written (30m)."""

    url: str
    name: str = ""
    language: str = ""
    timezone: str = ""
    every: str = ""
    enabled: bool = True

    def keys(self) -> dict[str, str]:
        """Return what is known of it, in the order in which it is written."""
        known = {
            "name": self.name,
            "url": self.url,
            "language": self.language,
            "timezone": self.timezone,
            "every": self.every,
            "enabled": "" if self.enabled else "false",
        }
        return {key: value for key, value in known.items() if value}


@dataclass(frozen=True, slots=True)
class Entry:
    """A feed that the file has. `line` counts from 1."""

    url: str
    name: str
    enabled: bool
    line: int
    node: Any


class _UnusualError(Exception):
    """The text is not laid out as these functions expect."""


# ---------------------------------------------------------------- the edits


def entries(text: str, where: str = "feeds.yaml") -> list[Entry]:
    """Return the feeds of a text, in order; `where` is the name that errors say.

    Raises:
        MonitorError: it is not YAML, or has no list of feeds.
    """
    return _entries(_feeds_of(_compose(text, where), where)[1])


def added(text: str, feeds: Sequence[NewFeed], where: str = "feeds.yaml") -> str:
    """Append feeds to the list, in the style of the last entry that has keys.

    Raises:
        MonitorError: one is there already, or the layout is too unusual.
    """
    if not feeds:
        return text
    root = _compose(text, where)
    key, listed = _feeds_of(root, where)
    known = {same(entry.url): entry for entry in _entries(listed)}
    for feed in feeds:
        there = known.get(same(feed.url))
        if there:
            off = "" if there.enabled else "; it is disabled: monitor feeds enable turns it on"
            raise MonitorError(f"{where}:{there.line}: {there.url} is there already{off}")
        known[same(feed.url)] = Entry(feed.url, feed.name, feed.enabled, 0, None)
    expected = _feeds_data(root)
    expected += [_as_data(feed) for feed in feeds]
    by_hand = "add it at the end of the list under feeds:"
    line = int(key.start_mark.line) + 1
    return _checked(where, line, by_hand, lambda: _add(text, key, listed, feeds), root, expected)


def removed(text: str, reference: str, where: str = "feeds.yaml") -> str:
    """Take the entry out that has this address or name, with its own comments.

    Raises:
        MonitorError: there is none, several, or no other one; or the layout is too unusual.
    """
    root = _compose(text, where)
    _, listed = _feeds_of(root, where)
    index, entry = _meant(_entries(listed), reference, where)
    if len(listed.value) == 1:
        raise MonitorError(f"{where}:{entry.line}: this is the only feed, and one is needed; add another one first")
    expected = _feeds_data(root)
    del expected[index]
    return _checked(where, entry.line, "delete the entry", lambda: _remove(text, listed, index), root, expected)


def enabled(text: str, reference: str, on: bool, where: str = "feeds.yaml") -> str:
    """Turn the entry on or off that has this address or name; return the text as it is where nothing is to be done.

    Turned on, a key without a comment goes; one with a comment becomes `true`, for the comment's sake.

    Raises:
        MonitorError: there is none, or several; or the layout is too unusual.
    """
    root = _compose(text, where)
    _, listed = _feeds_of(root, where)
    index, entry = _meant(_entries(listed), reference, where)
    merged = isinstance(entry.node, MappingNode) and any(key.value == "<<" for key, _ in entry.node.value)
    if entry.enabled == on and not merged:
        return text
    expected = _feeds_data(root)
    before = expected[index]
    keys = dict(before) if isinstance(before, dict) else {(_STRING, "url"): before}
    keys[(_STRING, "enabled")] = (_BOOLEAN, "true" if on else "false")
    expected[index] = keys
    by_hand = f"write enabled: {str(on).lower()} into the entry"
    return _checked(where, entry.line, by_hand, lambda: _switch(text, listed, index, on), root, expected)


def _checked(where: str, line: int, by_hand: str, make: Callable[[], str], root: Any, feeds: list[Any]) -> str:
    """Return what `make` makes, if it reads as the old tree with these feeds.

    Raises:
        MonitorError: it does not; nothing was written yet.
    """
    try:
        text = make()
        fresh = _compose(text, where)
        wanted = {**_data(root), (_STRING, "feeds"): [_with_default(feed) for feed in feeds]}
        got = {**_data(fresh), (_STRING, "feeds"): [_with_default(feed) for feed in _feeds_data(fresh)]}
        if got == wanted:
            return text
    except (_UnusualError, MonitorError, LookupError, AttributeError, TypeError, RecursionError):
        pass
    raise MonitorError(
        f"{where}:{line}: not changed, for its layout is too unusual for an automatic edit; by hand: {by_hand}"
    )


# ---------------------------------------------------------------- what is where


def _compose(text: str, where: str) -> Any:
    """Return the nodes of a text, which know where they begin and end."""
    try:
        return YAML(typ="rt").compose(text)
    except (YAMLError, ValueError, ArithmeticError, TypeError, AttributeError, RecursionError) as e:
        read_yaml(Path(where), text.encode("utf-8", "replace"))  # says it in words
        raise MonitorError(f"{where}: cannot be read: {(str(e).splitlines() or [type(e).__name__])[0]}") from e


def _feeds_of(root: Any, where: str) -> tuple[Any, Any]:
    """Return the key `feeds` and its list; an empty place counts as an empty list."""
    for key, value in root.value if isinstance(root, MappingNode) else ():
        if isinstance(key, ScalarNode) and key.value == "feeds":
            if isinstance(value, SequenceNode) or _is_null(value):
                return key, value
            line = int(key.start_mark.line) + 1
            raise MonitorError(f"{where}:{line}: feeds: must be a list (lines that start with - )")
    raise MonitorError(f"{where}: there is no list of feeds; add a line that says feeds:")


def _is_null(node: Any) -> bool:
    return isinstance(node, ScalarNode) and str(node.tag) == "tag:yaml.org,2002:null"


def _entries(listed: Any) -> list[Entry]:
    return [_entry(node) for node in (listed.value if isinstance(listed, SequenceNode) else ())]


def _entry(node: Any) -> Entry:
    line = int(node.start_mark.line) + 1
    if isinstance(node, ScalarNode):
        return Entry(str(node.value), "", True, line, node)
    pairs = node.value if isinstance(node, MappingNode) else ()
    keys = {str(key.value): str(value.value) for key, value in pairs if isinstance(value, ScalarNode)}
    on = keys.get("enabled", "true").lower() not in _OFF
    return Entry(keys.get("url", "").strip(), keys.get("name", "").strip(), on, line, node)


def _meant(known: Sequence[Entry], reference: str, where: str) -> tuple[int, Entry]:
    """Return the one entry that is meant, with its index.

    Raises:
        MonitorError: there is none, or several.
    """
    wanted = reference.strip()
    tests: list[Callable[[Entry], bool]] = [
        lambda entry: entry.url == wanted,
        lambda entry: bool(entry.name) and entry.name.casefold() == wanted.casefold(),
        lambda entry: same(entry.url) == same(wanted if "://" in wanted else f"//{wanted}"),
    ]
    for test in tests:
        found = [(i, entry) for i, entry in enumerate(known) if test(entry)]
        if len(found) == 1:
            return found[0]
        if found:
            lines = [f"  {where}:{entry.line}: {entry.url}" for _, entry in found]
            raise MonitorError("\n".join([f"{wanted}: several feeds; name one by its address:", *lines]))
    hint = did_you_mean(wanted, {word for entry in known for word in (entry.name, entry.url) if word})
    if not hint.startswith("; did you mean"):
        hint = "; monitor feeds list shows them all"
    raise MonitorError(f"{where}: there is no feed {wanted!r}{hint}")


def _data(node: Any) -> Any:
    """Return what a node says, without where and how: scalars as (tag, value)."""
    if isinstance(node, MappingNode):
        return {_hashable(_data(key)): _data(value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [_data(value) for value in node.value]
    return str(node.tag), str(node.value)


def _hashable(data: Any) -> Any:
    return data if isinstance(data, tuple) else repr(data)


def _feeds_data(root: Any) -> list[Any]:
    data = _data(root)[_STRING, "feeds"]
    return list(data) if isinstance(data, list) else []


def _as_data(feed: NewFeed) -> Any:
    keys = feed.keys()
    if set(keys) == {"url"}:
        return _STRING, feed.url
    return {(_STRING, key): (_BOOLEAN if key == "enabled" else _STRING, value) for key, value in keys.items()}


def _with_default(feed: Any) -> Any:
    """Leave out what goes without saying, so that a key that is gone and one that says true are the same."""
    if not isinstance(feed, dict):
        return {(_STRING, "url"): feed}
    plain = feed.get((_STRING, "enabled")) == (_BOOLEAN, "true") and (_STRING, "<<") not in feed
    return {key: value for key, value in feed.items() if not (plain and key == (_STRING, "enabled"))}


# ---------------------------------------------------------------- lines


class _Lines:
    """A text by lines, each with its line end."""

    def __init__(self, text: str) -> None:
        # Lines as YAML has them: str.splitlines would also break at characters that stand in texts.
        self.lines = [line for line in re.split(r"(?<=\n)|(?<=\r)(?!\n)", text) if line]
        self.end = _newline_of(text)

    def insert(self, after: int, lines: Sequence[str]) -> None:
        """Put lines below one; where that one is the last and has no line end, the new last one has none."""
        fresh = [f"{line}{self.end}" for line in lines]
        if self.lines[after][-1] not in "\r\n":
            self.lines[after] += self.end
            fresh[-1] = lines[-1]
        self.lines[after + 1 : after + 1] = fresh

    def delete(self, first: int, last: int) -> None:
        """Take lines out; where the last one goes that had no line end, the one above has none."""
        bare = self.lines[last][-1] not in "\r\n"
        del self.lines[first : last + 1]
        if bare and first:
            self.lines[first - 1] = self.lines[first - 1].rstrip("\r\n")

    def __str__(self) -> str:
        return "".join(self.lines)


class _Block(_Lines):
    """A text with a list whose entries stand below each other; `dashes` are the lines where they begin."""

    def __init__(self, text: str, listed: Any) -> None:
        super().__init__(text)
        self.column = int(listed.start_mark.column)
        self.dashes = self._dashes(int(listed.start_mark.line))
        if len(self.dashes) != len(listed.value):
            raise _UnusualError

    def _dashes(self, first: int) -> list[int]:
        dashes = []
        self.stop = len(self.lines)
        for i in range(first, len(self.lines)):
            if re.match(rf" {{{self.column}}}-(?:\s|$)", self.lines[i]):
                dashes.append(i)
            elif not self.is_remark(i) and self.indent(i) <= self.column:
                self.stop = i
                break
        return dashes

    def indent(self, i: int) -> int:
        line = self.lines[i]
        return len(line) - len(line.lstrip(" "))

    def is_remark(self, i: int) -> bool:
        """True for a comment line and for a blank one."""
        return self.lines[i].strip()[:1] in ("", "#")

    def is_comment(self, i: int) -> bool:
        return i < self.stop and self.lines[i].strip()[:1] == "#"

    def last(self, index: int) -> int:
        """Return the last line of an entry that is not a comment."""
        beyond = self.dashes[index + 1] if index + 1 < len(self.dashes) else self.stop
        return max((i for i in range(self.dashes[index], beyond) if not self.is_remark(i)), default=self.dashes[index])

    def last_own(self, index: int) -> int:
        """Return the last line of an entry, its own comments included."""
        i = self.last(index)
        while self.is_comment(i + 1) and self.indent(i + 1) > self.column:
            i += 1
        return i

    def end_of_list(self) -> int:
        """Return the line after which an entry is appended: comments that go on as the list does are the list's."""
        end = i = self.last_own(len(self.dashes) - 1)
        if self.column:
            while i + 1 < self.stop and not (self.is_comment(i + 1) and self.indent(i + 1) < self.column):
                i += 1
                end = i if self.is_comment(i) else end
            return end
        # A list at the margin: what stands close above the next key belongs to that.
        while self.is_comment(i + 1):
            i += 1
        return i if i + 1 >= len(self.lines) or not self.lines[i + 1].strip() else end


def _add(text: str, key: Any, listed: Any, feeds: Sequence[NewFeed]) -> str:
    if not isinstance(listed, SequenceNode) or (not listed.value and _on_one_line(listed)):
        return _begin(text, key, listed, feeds)
    if listed.flow_style:
        return _add_in_brackets(text, listed, [_in_braces(feed) for feed in feeds])
    page = _Block(text, listed)
    model = next((node for node in reversed(listed.value) if isinstance(node, MappingNode)), None)
    first = model.value[0][0].start_mark if model is not None and not model.flow_style and model.value else None
    dash = "-" + " " * max(1, (int(first.column) if first else 0) - page.column - 1)
    if first is not None and int(first.line) not in page.dashes:
        dash = "- "  # the keys begin below their dash
    flow = model is not None and bool(model.flow_style)
    lines = [line for feed in feeds for line in _as_lines(feed, " " * page.column, dash, flow=flow)]
    page.insert(page.end_of_list(), lines)
    return str(page)


def _on_one_line(node: Any) -> bool:
    return bool(node.start_mark.line == node.end_mark.line)


def _begin(text: str, key: Any, listed: Any, feeds: Sequence[NewFeed]) -> str:
    """Write the first entries below `feeds:`, or between braces where the whole file is in braces."""
    line_start = max(text.rfind("\n", 0, key.start_mark.index), text.rfind("\r", 0, key.start_mark.index)) + 1
    before = text[line_start : key.start_mark.index].lstrip("\ufeff")
    if before.strip():
        if not isinstance(listed, SequenceNode):
            raise _UnusualError
        at = listed.start_mark.index + 1
        return text[:at] + ", ".join(_in_braces(feed) for feed in feeds) + text[at:]
    start, end = listed.start_mark.index, listed.end_mark.index
    if isinstance(listed, SequenceNode) or start < end:  # [], ~ or null
        while text[start - 1] == " ":
            start -= 1
        text = text[:start] + text[end:]
    page = _Lines(text)
    lines = [line for feed in feeds for line in _as_lines(feed, before + "  ", "- ", flow=False)]
    page.insert(int(key.start_mark.line), lines)
    return str(page)


def _as_lines(feed: NewFeed, pad: str, dash: str, *, flow: bool) -> list[str]:
    keys = feed.keys()
    if set(keys) == {"url"}:
        return [f"{pad}{dash}{_scalar(feed.url)}"]
    if flow:
        return [f"{pad}{dash}{_in_braces(feed)}"]
    lines = [f"{key}: {_value(key, value)}" for key, value in keys.items()]
    return [f"{pad}{dash if i == 0 else ' ' * len(dash)}{line}" for i, line in enumerate(lines)]


def _in_braces(feed: NewFeed) -> str:
    keys = feed.keys()
    if set(keys) == {"url"}:
        return _scalar(feed.url, flow=True)
    return "{" + ", ".join(f"{key}: {_value(key, value, flow=True)}" for key, value in keys.items()) + "}"


def _value(key: str, value: str, *, flow: bool = False) -> str:
    return value if key == "enabled" else _scalar(value, flow=flow)


def _scalar(text: str, *, flow: bool = False) -> str:
    """Return a text as YAML has it: bare where that says the same, else in quotes."""
    # Other programs read YAML 1.1, where these are no texts.
    if text.lower() not in {"yes", "no", "on", "off", "y", "n"}:
        with suppress(YAMLError, ValueError, ArithmeticError, TypeError, AttributeError):
            node = YAML(typ="rt").compose(f"[{text}, {text}]" if flow else f"- k: {text}\n- {text}\n")
            if _data(node) == ([(_STRING, text)] * 2 if flow else [{(_STRING, "k"): (_STRING, text)}, (_STRING, text)]):
                return text
    escaped = (c if c.isprintable() and c not in '"\\' else _escaped(c) for c in text)
    return f'"{"".join(escaped)}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    code = ord(character)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def _add_in_brackets(text: str, listed: Any, pieces: Sequence[str]) -> str:
    """Append to `[a, b]`: on a line of its own where the last entry has one."""
    close = listed.end_mark.index - 1
    if not listed.value:
        return text[:close] + ", ".join(pieces) + text[close:]
    last = listed.value[-1]
    end = last.end_mark.index
    prefix = _before_on_line(text, last.start_mark.index)
    if prefix.strip():
        return f"{text[:end]}, {', '.join(pieces)}{text[end:]}"
    line_end = _line_end(text, end)
    stretch = _newline_of(text) + prefix
    comma = re.compile(r"\s*,").match(text, end, close)
    if line_end > close:  # the bracket closes on this line
        at = comma.end() if comma else end
        return f"{text[:at]}{'' if comma else ','}{stretch}{f',{stretch}'.join(pieces)}{text[at:]}"
    more = "".join(f"{stretch}{piece}," for piece in pieces)
    if comma:
        return text[:line_end] + more + text[line_end:]
    return f"{text[:end]},{text[end:line_end]}{more[:-1]}{text[line_end:]}"


def _before_on_line(text: str, index: int) -> str:
    return re.split(r"[\r\n]", text[:index])[-1]


def _line_end(text: str, index: int) -> int:
    found = re.compile(r"[\r\n]").search(text, index)
    return found.start() if found else len(text)


def _newline_of(text: str) -> str:
    found = re.search(r"\r\n|\r|\n", text)
    return found[0] if found else "\n"


def _remove(text: str, listed: Any, index: int) -> str:
    if listed.flow_style:
        return _remove_in_brackets(text, listed, index)
    page = _Block(text, listed)
    page.delete(page.dashes[index], page.last_own(index))
    return str(page)


def _remove_in_brackets(text: str, listed: Any, index: int) -> str:
    nodes = listed.value
    start, end = nodes[index].start_mark.index, nodes[index].end_mark.index
    prefix = _before_on_line(text, start)
    rest = re.compile(r"[ \t]*(,?)[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r|\n)").match(text, end)
    if not prefix.strip() and rest:
        text = text[: start - len(prefix)] + text[rest.end() :]
        if index == len(nodes) - 1 and not rest[1]:
            text = _without_comma(text, nodes[index - 1].end_mark.index)
        return text
    if index:
        before = nodes[index - 1].end_mark.index
        if "#" not in text[before:start]:
            return text[:before] + text[end:]
        return _without_comma(text[:start] + text[end:], before)
    after = nodes[1].start_mark.index
    return text[:start] + (text[after:] if "#" not in text[end:after] else _without_comma(text[end:], 0))


def _without_comma(text: str, at: int) -> str:
    comma = text.index(",", at)
    return text[:comma] + text[comma + 1 :]


def _switch(text: str, listed: Any, index: int, on: bool) -> str:
    node = listed.value[index]
    start, end = node.start_mark.index, node.end_mark.index
    word = "true" if on else "false"
    if isinstance(node, ScalarNode):
        if listed.flow_style:
            return f"{text[:start]}{{url: {text[start:end]}, enabled: {word}}}{text[end:]}"
        page = _Block(f"{text[:start]}url: {text[start:]}", listed)
        page.insert(page.last(index), [" " * int(node.start_mark.column) + f"enabled: {word}"])
        return str(page)
    place = next((i for i, (key, _) in enumerate(node.value) if key.value == "enabled"), None)
    if place is None:
        if node.flow_style:
            at = node.value[-1][1].end_mark.index
            return f"{text[:at]}, enabled: {word}{text[at:]}"
        page = _Block(text, listed)
        page.insert(page.last(index), [" " * int(node.value[0][0].start_mark.column) + f"enabled: {word}"])
        return str(page)
    value = node.value[place][1]
    if on:
        without = _without_key(text, listed, node, place)
        if without is not None:
            return without
    return text[: value.start_mark.index] + word + text[value.end_mark.index :]


def _without_key(text: str, listed: Any, node: Any, place: int) -> str | None:
    """Take a key out, if it shares its line with no comment and is not the first."""
    if place == 0 or any(key.value == "<<" for key, _ in node.value):
        return None
    key, value = node.value[place]
    if node.flow_style:
        start, end = node.value[place - 1][1].end_mark.index, value.end_mark.index
        return None if "#" in text[start : key.start_mark.index] else text[:start] + text[end:]
    page = _Block(text, listed)
    line = int(key.start_mark.line)
    if line in page.dashes or "#" in page.lines[line]:
        return None
    page.delete(line, line)
    return str(page)


# ---------------------------------------------------------------- the file


def read(path: Path) -> tuple[bytes, str]:
    """Return the bytes of feeds.yaml and its text.

    Raises:
        MonitorError: it cannot be read, or is not UTF-8.
    """
    raw = read_bytes(path)
    try:
        return raw, raw.decode("utf-8")
    except UnicodeDecodeError as e:
        line = raw[: e.start].count(b"\n") + 1
        raise MonitorError(f"{path}:{line}: not changed: it is not UTF-8 text; save it as UTF-8") from e


def save(path: Path, old: bytes, new: bytes) -> None:
    """Write feeds.yaml whole: `new` for `old`, with the mode and the owner that it has.

    Raises:
        MonitorError: it changed meanwhile, would have a fault that it has not yet, or cannot be written.
    """
    _check(path, old, new)
    target = Path(os.path.realpath(path))  # a link stays one
    try:
        if target.read_bytes() != old:
            raise MonitorError(f"{path}: not changed: somebody else has just edited it; look at it and try again")
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if not _replace(target, new):
            _overwrite(target, old, new)
    except OSError as e:
        raise MonitorError(f"{path}: cannot be written: {e.strerror}") from e


def _check(path: Path, old: bytes, new: bytes) -> None:
    try:
        config.understood(path, new)
    except ConfigError as e:
        try:
            config.understood(path, old)
        except ConfigError:
            return  # it was not usable before; this edit is not to blame
        # The lines are those of a text that nobody will see.
        raise MonitorError(f"{path}: not changed, for it would have a fault: {e.faults[0].message}") from e


def _replace(target: Path, new: bytes) -> bool:
    """Write beside the file and put that in its place, so that no reader meets half a file; False where it cannot be.

    Raises:
        OSError: the disk is full or broken.
    """
    fresh = ""
    try:
        held = target.stat()
        handle, fresh = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            if hasattr(os, "fchown") and (held.st_uid, held.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(handle, held.st_uid, held.st_gid)
            os.chmod(fresh, stat.S_IMODE(held.st_mode))
            file.write(new)
            file.flush()
            os.fsync(handle)
        os.replace(fresh, target)
    except OSError as e:
        if fresh:
            with suppress(OSError):
                os.unlink(fresh)
        if e.errno in _NOT_REPLACEABLE:
            return False
        raise
    return True


def _overwrite(target: Path, old: bytes, new: bytes) -> None:
    with target.open("r+b") as file:
        try:
            _write_over(file, new)
        except OSError:
            with suppress(OSError):
                file.seek(0)
                _write_over(file, old)
            raise


def _write_over(file: Any, content: bytes) -> None:
    file.write(content)
    file.truncate()
    file.flush()
    os.fsync(file.fileno())
