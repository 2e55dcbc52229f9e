"""feeds.yaml is edited as its owner would: the lines concerned change, and nothing else. OPML in and out."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import config, lists
from monitor.errors import ConfigError, MonitorError
from monitor.feeds.normalise import same
from monitor.lists import NewFeed, added, enabled, entries, removed, save
from monitor.model import Feed
from monitor.opml import read_opml, write_opml
from tests.builders import ROOT, config_text

A, B, C = "https://a.example/feed", "https://b.example/feed", "https://c.example/feed"
NEXT = "\n# ---- what counts\ncoverage: {}\n"

# ---------------------------------------------------------------- layouts × edits

INDENTED = f"feeds:\n  # --- vendors\n  - {A}   # the first\n  - {B}\n  # c is gone\n{NEXT}"
AT_THE_MARGIN = f"feeds:\n- {A}\n- {B}\n# what counts\ncoverage: {{}}\n"
IN_BRACES = f'feeds:\n  - {{name: A, url: {A}}}   # good\n  - {{url: "{B}", enabled: false}}\n'
IN_KEYS = f"""\
feeds:
  -   name: A
      url: {A}
      # slow
      every: 2h

  - url: {B}
    enabled: false   # 429
"""
IN_BRACKETS = f"feeds: [{A}, '{B}']  # two\n"
BELOW_IN_BRACKETS = f"feeds: [\n  {A},  # one\n  {B}  # two\n]\n"
WITH_COMMAS = f"feeds: [\n  {A},\n  {B},\n]\n"


@pytest.mark.parametrize(
    ("text", "feed", "expected"),
    [
        (INDENTED, NewFeed(C), INDENTED.replace("is gone\n", f"is gone\n  - {C}\n")),
        (
            INDENTED,
            NewFeed(C, "C: the third", "zh", every="2h"),
            INDENTED.replace(
                "is gone\n", f'is gone\n  - name: "C: the third"\n    url: {C}\n    language: zh\n    every: 2h\n'
            ),
        ),
        (AT_THE_MARGIN, NewFeed(C), AT_THE_MARGIN.replace(f"- {B}\n", f"- {B}\n- {C}\n")),
        (IN_BRACES, NewFeed(C, "C, D"), f'{IN_BRACES}  - {{name: "C, D", url: {C}}}\n'),
        (IN_KEYS, NewFeed(C, "C", enabled=False), f"{IN_KEYS}  - name: C\n    url: {C}\n    enabled: false\n"),
        (IN_BRACKETS, NewFeed(C), IN_BRACKETS.replace("']", f"', {C}]")),
        (IN_BRACKETS, NewFeed(C, "C"), IN_BRACKETS.replace("']", f"', {{name: C, url: {C}}}]")),
        (
            BELOW_IN_BRACKETS,
            NewFeed(C),
            BELOW_IN_BRACKETS.replace(f"{B}  # two\n", f"{B},  # two\n  {C}\n"),
        ),
        (WITH_COMMAS, NewFeed(C), WITH_COMMAS.replace(f"{B},\n", f"{B},\n  {C},\n")),
        ("feeds: []   # none yet\nretention: 365d\n", NewFeed(C), f"feeds:   # none yet\n  - {C}\nretention: 365d\n"),
        ("feeds:\nretention: 365d\n", NewFeed(C), f"feeds:\n  - {C}\nretention: 365d\n"),
        ("feeds:", NewFeed(C), f"feeds:\n  - {C}"),
        ("{feeds: [], retention: 365d}\n", NewFeed(C), f"{{feeds: [{C}], retention: 365d}}\n"),
        (f"feeds:\n  - {A}", NewFeed(C), f"feeds:\n  - {A}\n  - {C}"),
        (f"\ufefffeeds:\r\n  - {A}\r\n\r\nx: 1\r\n", NewFeed(C), f"\ufefffeeds:\r\n  - {A}\r\n  - {C}\r\n\r\nx: 1\r\n"),
    ],
)
def test_a_feed_is_added_in_the_style_of_the_list(text: str, feed: NewFeed, expected: str) -> None:
    """At its end, before what belongs to the next section."""
    assert added(text, [feed]) == expected


@pytest.mark.parametrize(
    ("text", "feed", "expected"),
    [
        (INDENTED, A, INDENTED.replace(f"  - {A}   # the first\n", "")),
        (INDENTED, B, INDENTED.replace(f"  - {B}\n", "")),
        (AT_THE_MARGIN, B, AT_THE_MARGIN.replace(f"- {B}\n", "")),
        (IN_BRACES, "a", IN_BRACES.replace(f"  - {{name: A, url: {A}}}   # good\n", "")),
        (IN_KEYS, "A", IN_KEYS[:7] + IN_KEYS[IN_KEYS.index("\n\n") + 1 :]),
        (IN_KEYS, "b.example/feed/", IN_KEYS[: IN_KEYS.index("  - url: ")]),
        (IN_BRACKETS, A, f"feeds: ['{B}']  # two\n"),
        (IN_BRACKETS, B, f"feeds: [{A}]  # two\n"),
        (BELOW_IN_BRACKETS, A, f"feeds: [\n  {B}  # two\n]\n"),
        (BELOW_IN_BRACKETS, B, f"feeds: [\n  {A}  # one\n]\n"),
        (WITH_COMMAS, B, f"feeds: [\n  {A},\n]\n"),
        (f"feeds:\n  - {A}\n  - {B}", B, f"feeds:\n  - {A}"),
        (f"feeds:\n  - {A}\n    # of A\n  # of nobody\n  - {B}\n", A, f"feeds:\n  # of nobody\n  - {B}\n"),
        (f"feeds:\n  -\n    url: {A}\n  - {B}\n", A, f"feeds:\n  - {B}\n"),
    ],
)
def test_a_feed_is_removed_with_its_own_comments(text: str, feed: str, expected: str) -> None:
    """By its address or its name in any case; headings above it stay."""
    assert removed(text, feed) == expected


@pytest.mark.parametrize(
    ("text", "feed", "on", "expected"),
    [
        (
            INDENTED,
            A,
            False,
            INDENTED.replace(f"- {A}   # the first\n", f"- url: {A}   # the first\n    enabled: false\n"),
        ),
        (AT_THE_MARGIN, B, False, AT_THE_MARGIN.replace(f"- {B}\n", f"- url: {B}\n  enabled: false\n")),
        (IN_BRACES, "A", False, IN_BRACES.replace(f"{A}}}", f"{A}, enabled: false}}")),
        (IN_BRACES, B, True, IN_BRACES.replace(", enabled: false", "")),
        (IN_KEYS, "A", False, IN_KEYS.replace("every: 2h\n", "every: 2h\n      enabled: false\n")),
        (IN_KEYS, B, True, IN_KEYS.replace("false   # 429", "true   # 429")),
        (IN_BRACKETS, B, False, IN_BRACKETS.replace(f"'{B}'", f"{{url: '{B}', enabled: false}}")),
        (
            f"feeds:\n  - url: {A}\n    enabled: false\n    every: 2h\n",
            A,
            True,
            f"feeds:\n  - url: {A}\n    every: 2h\n",
        ),
        (f"feeds:\n  - url: {A}\n    enabled: true\n", A, False, f"feeds:\n  - url: {A}\n    enabled: false\n"),
        (f"feeds:\n  - enabled: off\n    url: {A}\n", A, True, f"feeds:\n  - enabled: true\n    url: {A}\n"),
        (f"feeds:\r\n  - {A}", A, False, f"feeds:\r\n  - url: {A}\r\n    enabled: false"),
        (IN_KEYS, B, False, IN_KEYS),
        (IN_KEYS, "A", True, IN_KEYS),
    ],
)
def test_a_feed_is_switched_on_and_off(text: str, feed: str, on: bool, expected: str) -> None:
    """Comments beside it stay; nothing happens where it is so already."""
    assert enabled(text, feed, on) == expected


def test_the_only_feed_cannot_be_removed() -> None:
    """A list without feeds would be refused by everything else."""
    with pytest.raises(MonitorError, match=r"^feeds\.yaml:2: this is the only feed, and one is needed; add another"):
        removed(f"feeds:\n  - {A}\n", A)


@pytest.mark.parametrize(
    ("text", "feed", "line"),
    [
        (IN_KEYS, "https://a.example/fed", r"feeds.yaml: there is no feed 'https://a.example/fed'; did you mean " + A),
        (IN_KEYS, "zzz", "feeds.yaml: there is no feed 'zzz'; monitor feeds list shows them all"),
        (
            f"feeds:\n  - {{name: N, url: {A}}}\n  - {{name: n, url: {B}}}\n",
            "n",
            f"n: several feeds; name one by its address:\n  feeds.yaml:2: {A}\n  feeds.yaml:3: {B}",
        ),
        ("coverage: {}\n", A, "feeds.yaml: there is no list of feeds; add a line that says feeds:"),
        ("feeds: https://a.example\n", A, "feeds.yaml:1: feeds: must be a list (lines that start with - )"),
        ("feeds: [\n", A, "feeds.yaml:1:8: "),
    ],
)
def test_a_feed_that_is_not_clear_is_answered_in_one_line(text: str, feed: str, line: str) -> None:
    """None of that name, several, no list, no YAML."""
    with pytest.raises(MonitorError) as caught:
        removed(text, feed)
    assert str(caught.value).startswith(line)


def test_what_is_there_already_is_not_added_again() -> None:
    """Neither with another scheme or a last slash."""
    with pytest.raises(MonitorError, match=rf"^feeds\.yaml:2: {A} is there already$"):
        added(IN_BRACES, [NewFeed("http://A.example/feed/")])
    with pytest.raises(MonitorError, match="it is disabled: monitor feeds enable turns it on"):
        added(IN_BRACES, [NewFeed(B)])


@pytest.mark.parametrize(
    ("text", "edit", "by_hand"),
    [
        (f"x: &a\n  - {A}\n  - {B}\nfeeds: *a\n", lambda t: added(t, [NewFeed(C)]), "add it at the end of the list"),
        (
            f"x: &a {A}\nfeeds:\n  - *a\n  - {B}\n",
            lambda t: enabled(t, A, False),
            "write enabled: false into the entry",
        ),
        (f"feeds:\n  - &a {A}\n  - {B}\nx: *a\n", lambda t: removed(t, A), "delete the entry"),
        (
            f"feeds:\n  - ? url\n    : {A}\n  - {B}\n",
            lambda t: enabled(t, A, False),
            "write enabled: false into the entry",
        ),
    ],
)
def test_a_layout_that_is_too_unusual_is_left_to_its_owner(text: str, edit: Callable[[str], str], by_hand: str) -> None:
    """The line says where and what; better nothing is done than something wrong."""
    with pytest.raises(MonitorError, match=by_hand):
        edit(text)


def test_the_shipped_file_can_be_edited_everywhere() -> None:
    """Each feed there can be removed and switched; only its own lines change."""
    text = (ROOT / "feeds.yaml").read_text("utf-8")
    known = entries(text)
    for entry in (known[0], known[5], known[-1], next(entry for entry in known if not entry.enabled)):
        less = removed(text, entry.url)
        assert [e.url for e in entries(less)] == [e.url for e in known if e.url != entry.url]
        other = enabled(text, entry.url, not entry.enabled)
        assert len(set(text.splitlines()) ^ set(other.splitlines())) <= 2
    more = added(text, [NewFeed(C, "新")])
    assert more.replace(f"  - {{name: 新, url: {C}}}\n", "") == text


# ---------------------------------------------------------------- whatever is written there

names = st.text(st.characters(exclude_categories=("Cs", "Cn")), min_size=1, max_size=12).map(
    lambda text: " ".join(text.split())
)
comments = st.sampled_from(["", "   # note", "  # a: b, [c]"])
above = st.lists(
    st.sampled_from(["", "# --- group", "{pad}# - https://old.example/", "{pad}  # deep", "#"]), max_size=3
)
styles = st.sampled_from(["bare", "braces", "keys", "quoted"])


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A feeds.yaml with comments anywhere, and its addresses."""
    pad = " " * draw(st.sampled_from([0, 1, 2, 4]))
    lines = [*draw(above), "feeds:" + draw(comments)]
    urls = [f"https://{i}.example/feed?x={i}&y" for i in range(draw(st.integers(1, 5)))]
    for i, url in enumerate(urls):
        lines += draw(above)
        remark = draw(comments)
        match draw(styles):
            case "bare":
                lines.append(f"{pad}- {url}{remark}")
            case "quoted":
                lines.append(f"{pad}-   '{url}'{remark}")
            case "braces":
                lines.append(f'{pad}- {{name: "N{i}", url: "{url}"}}{remark}')
            case _:
                lines += [f"{pad}- name: N{i}{remark}", f"{pad}  # inside", f"{pad}  url: {url}{draw(comments)}"]
    lines += draw(above)
    lines += draw(st.sampled_from([[], ["coverage:", "  - x"], ["", "# ---- next", "coverage: {}"]]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    text = end.join(line.format(pad=pad) if "{pad}" in line else line for line in lines)
    return draw(st.sampled_from(["", "\ufeff"])) + text + draw(st.sampled_from(["", end])), urls


@settings(deadline=None)
@given(texts(), st.one_of(st.just(""), names), st.sampled_from(["", "zh", "no"]))
def test_what_was_added_and_removed_leaves_no_trace(made: tuple[str, list[str]], name: str, language: str) -> None:
    """Whatever the name, the comments and the line ends."""
    text, urls = made
    more = added(text, [NewFeed(C, name, language)])
    assert [(entry.url, entry.name) for entry in entries(more)][-1] == (C, name.strip())
    assert len(entries(more)) == len(urls) + 1
    assert removed(more, C) == text


@settings(deadline=None)
@given(texts(), st.data())
def test_what_was_disabled_and_enabled_changes_no_other_line(made: tuple[str, list[str]], data: st.DataObject) -> None:
    """Only the address alone becomes an address with its key."""
    text, urls = made
    url = data.draw(st.sampled_from(urls))
    off = enabled(text, url, False)
    assert [entry.url for entry in entries(off) if not entry.enabled] == [url]
    on = enabled(off, url, True)
    assert on.replace("- url: ", "- ").replace("-   url: ", "-   ") == text.replace("- url: ", "- ")
    assert enabled(on, url, True) == on


@settings(deadline=None)
@given(texts(), st.data())
def test_removing_takes_no_other_line(made: tuple[str, list[str]], data: st.DataObject) -> None:
    """What is left is the old text without some lines that stood together."""
    text, urls = made
    if len(urls) < 2:
        return
    url = data.draw(st.sampled_from(urls))
    before, after = text.splitlines(), removed(text, url).splitlines()
    gone = len(before) - len(after)
    assert any(before[:i] + before[i + gone :] == after for i in range(len(before)))
    assert url not in "".join(after)


# ---------------------------------------------------------------- the file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A feeds.yaml with two feeds."""
    path = tmp_path / "feeds.yaml"
    path.write_text(config_text([A, B]), encoding="utf-8")
    return path


def test_saving_keeps_the_mode_and_leaves_nothing_behind(file: Path) -> None:
    """The file is whole at any moment; a link to it stays a link."""
    file.chmod(0o640)
    link = file.with_name("link.yaml")
    link.symlink_to(file)
    raw, text = lists.read(link)
    save(link, raw, removed(text, A).encode())
    assert A not in file.read_text("utf-8")
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in file.parent.iterdir()) == ["feeds.yaml", "link.yaml"]


@pytest.mark.parametrize("call", ["replace", "mkstemp"])
def test_a_file_that_cannot_be_replaced_is_written_over(file: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """A bind mount in a container, or a folder that is read-only."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EBUSY if call == "replace" else errno.EROFS, "refused")

    monkeypatch.setattr(os if call == "replace" else tempfile, call, refuse)
    number = file.stat().st_ino
    raw, text = lists.read(file)
    save(file, raw, removed(text, A).encode())
    assert file.read_text("utf-8") == config_text([B])
    assert file.stat().st_ino == number
    assert [path.name for path in file.parent.iterdir()] == ["feeds.yaml"]


def test_a_full_disk_leaves_the_file_as_it_was(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is told in one line."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    raw, text = lists.read(file)
    with pytest.raises(MonitorError, match=r"feeds\.yaml: cannot be written: No space left on device"):
        save(file, raw, removed(text, A).encode())
    assert file.read_bytes() == raw
    assert [path.name for path in file.parent.iterdir()] == ["feeds.yaml"]


def test_an_edit_of_somebody_else_is_not_overwritten(file: Path) -> None:
    """Between reading and writing."""
    raw, text = lists.read(file)
    file.write_text(text + "# mine\n", encoding="utf-8")
    with pytest.raises(MonitorError, match="not changed: somebody else has just edited it; look at it and try again"):
        save(file, raw, removed(text, A).encode())
    assert file.read_text("utf-8").endswith("# mine\n")


def test_an_edit_that_would_make_a_fault_is_refused_unless_there_was_one(file: Path) -> None:
    """The worker would go on with the last good file and nobody would know why."""
    raw, text = lists.read(file)
    wrong = added(text, [NewFeed(C, "C", every="often")])
    with pytest.raises(MonitorError, match=r"would have a fault: feeds\.every: 'often' is not a length of time"):
        save(file, raw, wrong.encode())
    assert file.read_bytes() == raw
    broken = text.replace("07:30", "25:30").encode()
    file.write_bytes(broken)
    save(file, broken, removed(broken.decode(), A).encode())
    with pytest.raises(ConfigError, match="not a time of day"):
        config.load(file)


def test_a_file_that_is_not_utf_8_is_named_with_its_line(file: Path) -> None:
    """Nothing is guessed about what the bytes mean."""
    file.write_bytes(b"# one\n# caf\xe9\n" + file.read_bytes())
    with pytest.raises(MonitorError, match=r"feeds\.yaml:2: not changed: it is not UTF-8 text; save it as UTF-8"):
        lists.read(file)
    with pytest.raises(ConfigError, match="not found; put it there, or name another with --config"):
        lists.read(file.with_name("gone.yaml"))


# ---------------------------------------------------------------- OPML


def opml(body: str, head: str = "") -> bytes:
    """An OPML 2.0 document."""
    return f'<?xml version="1.0"?>{head}\n<opml version="2.0"><head/><body>\n{body}\n</body></opml>'.encode()


def test_outlines_are_read_however_they_are_nested_and_written() -> None:
    """Any case of the attribute, names by title or text, folders, duplicates, feed: addresses, commented outlines."""
    reading = read_opml(
        opml(
            f"""<outline text="Folder"><outline text="deeper">
            <outline type="rss" text="short" title=" The  A " xmlUrl="{A}" language="zh-CN"/></outline></outline>
            <outline text="B" XMLURL="{B}" language="unknown"/><outline text="again" xmlurl="{A}/"/>
            <outline text="off" isComment="true"><outline text="{C}" xmlUrl="{C}"/></outline>
            <outline text="D" xmlUrl="feed://d.example/rss"/><outline text="just a note"/>"""
        )
    )
    assert reading.remarks == []
    assert reading.feeds == [
        NewFeed(A, "The A", "zh"),
        NewFeed(B, "B"),
        NewFeed(C, enabled=False),
        NewFeed("http://d.example/rss", "D"),
    ]


def test_addresses_that_are_none_are_left_out_and_told() -> None:
    """With their line; the others are taken."""
    reading = read_opml(opml(f'<outline text="F" xmlUrl="file:///etc/passwd"/>\n<outline xmlUrl="{A}"/>'), "x.opml")
    assert reading.feeds == [NewFeed(A)]
    assert reading.remarks == ["x.opml:3: left out, for it is not a web address: F: file:///etc/passwd"]


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"", "x.opml:1:1: is not valid XML: no element found"),
        (opml('<outline xmlUrl="https://a.example/?a=1&b=2"/>'), "x.opml:3:42: is not valid XML: not well-formed"),
        (opml("<outline>"), "x.opml:4:3: is not valid XML: mismatched tag"),
        (b"<html><body/></html>", "x.opml: is not a list of feeds (OPML); it begins with <html>"),
        (opml("", '<!DOCTYPE o [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'), "x.opml:1: not read, for it has a DTD"),
        (opml("", '<!DOCTYPE o SYSTEM "file:///etc/passwd">'), "x.opml:1: not read, for it has a DTD"),
        (opml("&nbsp;"), "x.opml:3:1: is not valid XML: undefined entity"),
        (b'<?xml version="1.0" encoding="gb2312"?><opml/>', "x.opml: is in an encoding that cannot be read; save it"),
    ],
)
def test_what_is_no_opml_is_one_line(raw: bytes, line: str) -> None:
    """With its place; entity bombs and files of the machine are never opened."""
    with pytest.raises(MonitorError) as caught:
        read_opml(raw, "x.opml")
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


feeds = st.lists(
    st.builds(
        Feed,
        url=st.from_regex(r"https?://[a-z]{1,8}\.example/[a-z0-9/?&=%';,<>\"]{0,20}", fullmatch=True),
        name=names,
        language=st.sampled_from(["", "en", "zh"]),
        enabled=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda feed: same(feed.url),
)


@settings(deadline=None)
@given(feeds, names)
def test_what_is_written_is_read_again(written: Sequence[Feed], title: str) -> None:
    """Address, name, language, and whether it is polled."""
    now = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
    document = write_opml(written, title, now)
    sound = {ord(c): "\ufffd" for c in map(chr, [*range(32), 0xFFFE, 0xFFFF])}
    got = read_opml(document)
    assert got.remarks == []
    assert [(f.url, f.name or f.url, f.language, f.enabled) for f in got.feeds] == [
        (f.url, " ".join(f.name.translate(sound).split()) or f.url, f.language, f.enabled) for f in written
    ]
    root = ET.fromstring(document)
    assert root.get("version") == "2.0"
    assert root.findtext("head/dateCreated") == "Tue, 24 Nov 2026 07:30:00 +0000"
    assert all(outline.get("text") and outline.get("type") == "rss" for outline in root.iter("outline"))


def test_many_feeds_are_added_in_bearable_time() -> None:
    """A list that somebody has kept for years."""
    many = [NewFeed(f"https://{i}.example/feed", f"Feed no. {i}: news") for i in range(400)]
    began = datetime.now(UTC)
    text = added(IN_KEYS, many)
    assert datetime.now(UTC) - began < timedelta(seconds=20)
    assert len(entries(text)) == 402
