"""What is found in the archive, by the command and by the index alone, and what is left of what was forgotten."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from monitor import migrations, search
from monitor.cli import app
from monitor.errors import StoreError
from monitor.model import FeedState, Item, Judged, Selection, Verdict
from monitor.store import FILE_NAME
from monitor.store_archive import Archive
from tests.builders import config_text

NOW = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
FEED = "https://feed.example.com/rss"

STORED = (
    ("Microsoft halts Ohio data centers", "OpenAI delayed its companies' plans; the GPUs are elsewhere.", "en", "Wire"),
    ("微软与OpenAI争夺算力，数据中心停工", "奥特曼谈通用人工智能：雷德蒙德的资料中心不够。", "zh", "量子位"),
    ("微軟與 OpenAI 簽署協議", "雲端運算的使用權限。", "zh-Hant", "中央社"),
    ("A new rival for OpenAI", "Nothing of the other firm.", "en", "Wire"),
    ("AGI is near, says Altman", "It is a technology whose skies are exclusive.", "en", "Essay"),
    ("OpenAIのデータセンター計画", "マイクロソフトは沈黙した。", "ja", "ITmedia"),
)


def an_item(number: int, title: str, summary: str = "", language: str = "en", outlet: str = "Wire") -> Item:
    """An item, each newer than those before it."""
    at = NOW - timedelta(days=30 - number)
    return Item(FEED, f"k{number}", f"https://example.com/{number}", title, summary, outlet, language, at, at)


def stored(*items: tuple[str, str, str, str]) -> list[Judged]:
    """The items as judged: the first two are hits, of one theme each."""
    themes = [(("compute", 1.0),), (("agi", 1.0),)]
    return [
        Judged(an_item(number, *item), Verdict(number < 3, themes[number - 1] if number < 3 else ()))
        for number, item in enumerate(items, 1)
    ]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """A database of the items above; nothing is indexed yet."""
    with Archive(tmp_path / FILE_NAME) as opened:
        opened.save_poll(FeedState(FEED), stored(*STORED))
        yield opened


def found(archive: Archive, text: str, chosen: Selection | None = None) -> list[int]:
    """The numbers that are found, the lowest first."""
    while archive.index_words():
        pass
    wanted = search.compiled(text)
    return sorted(
        one.number for one in archive.found(wanted.index, chosen or Selection()) if wanted.places(one.item) is not None
    )


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("算", [2, 3]),
        ("算力", [2]),
        ("奥特曼", [2]),
        ("數據中心", [2]),
        ("数据中心", [2]),
        ("通用人工智能", [2]),
        ("微软", [2, 3]),
        ("微軟 協議", [3]),
        ("协议签署", []),
        ("微软与OpenAI", [2, 3]),
        ('"OpenAI 争夺算力"', [2]),
        ("データセンター", [6]),
        ("data center", [1]),
        ("datacentre", [1]),
        ('"data centres"', [1]),
        ('"center data"', []),
        ("company delays", [1]),
        ("GPU", [1]),
        ("halt", [1]),
        ("=halt", []),
        ("new", [4]),  # and not the news of others
        ("sky", [5]),
        ("technologies", [5]),
        ("AGI", [5]),
        ("exclusiv*", [5]),
        ("sk*", [5]),
        ("算力 OR rival", [2, 4]),
        ("OpenAI NOT Microsoft NOT 微软", [4, 6]),
        ("OpenAI -Microsoft -微软", [4, 6]),
        ("OpenAI (rival OR 算力)", [2, 4]),
        ("title:OpenAI", [2, 3, 4, 6]),
        ("summary:OpenAI", [1]),
        ("source:量子位", [2]),
        ("lang:zh", [2, 3]),
        ('"ohio elsewhere"~9', []),
        ('"delayed plans"~3', [1]),
        ("ＯｐｅｎＡＩ rival", [4]),
        ("zebra", []),
    ],
)
def test_what_is_typed_finds_what_it_should(archive: Archive, text: str, numbers: list[int]) -> None:
    """Chinese of any length in either script, English in any inflection, and the operators of keywords."""
    assert found(archive, text) == numbers


@pytest.mark.parametrize(
    ("chosen", "numbers"),
    [
        (Selection(theme="compute"), [1]),
        (Selection(hits=True), [1, 2]),
        (Selection(outlet="wir"), [1, 4]),
        (Selection(language="zh"), [2, 3]),
        (Selection(since=NOW - timedelta(days=26)), [4, 5, 6]),
        (Selection(until=NOW - timedelta(days=28)), [1]),
    ],
)
def test_what_is_looked_through_can_be_narrowed_down(archive: Archive, chosen: Selection, numbers: list[int]) -> None:
    """By theme, outlet, language and time."""
    everything = "OpenAI OR AGI OR 微软"
    assert found(archive, everything, chosen) == numbers


def datasette_finds(archive: Archive, typed: str) -> list[int]:
    """What a quoted word finds in the index, as Datasette asks for it."""
    while archive.index_words():
        pass
    with closing(sqlite3.connect(archive.path)) as conn:
        rows = conn.execute("SELECT rowid FROM items_fts WHERE items_fts MATCH ? ORDER BY rowid", (f'"{typed}"',))
        return [number for (number,) in rows]


@pytest.mark.parametrize(
    ("typed", "numbers"),
    [
        ("算力", [2]), ("算", [2, 3]), ("数据中心", [2]), ("签署", [3]), ("companies", [1]), ("company", [1]),
        ("Delaying", [1]), ("gpu", [1]), ("data centers", [1]), ("technology", [5]), ("skies", [5]), ("sky", [5]),
        ("exclusive", [5]), ("中央社", [3]), ("资料中心", []),
    ],
)  # fmt: skip
def test_a_stock_full_text_search_finds_words_too(archive: Archive, typed: str, numbers: list[int]) -> None:
    """Other programs know nothing of our stems; four Chinese characters are found in titles, two everywhere."""
    assert datasette_finds(archive, typed) == numbers


INFLECTIONS = {
    word: forms.split()
    for word, forms in {
        "halt": "halts halted halting", "company": "companies", "delay": "delays delayed delaying",
        "server": "servers", "exclusive": "Exclusive", "organize": "organised organizing organizes",
        "centre": "center centers centres", "license": "licences licensed licensing", "sky": "skies",
        "try": "tries tried trying", "lease": "leases leased leasing", "technology": "technologies",
        "agree": "agrees agreed agreeing", "use": "uses used using", "tie": "ties tied tying", "buy": "buys buying",
    }.items()
}  # fmt: skip
HAN = st.text("微软与算力数据中心停工奥特曼争夺的人工智能协议签署軟雲端運龙門發", min_size=2, max_size=9)
LATIN = st.sampled_from(sorted({form for word, forms in INFLECTIONS.items() for form in (word, *forms)}))


@given(st.lists(st.one_of(HAN, LATIN, st.sampled_from(["OpenAI", "GPT-4.1", "，", "—", "&amp;", "é"])), min_size=1,
                max_size=6), st.sampled_from(["", " "]))  # fmt: skip
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_word_of_a_title_finds_its_item(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], gap: str
) -> None:
    """Every run of Han characters, of any length, and every Latin word in each of its inflections."""
    title = gap.join(f" {part} " if part.isascii() else part for part in parts).strip()
    runs = {
        run[at : at + size]
        for run in re.findall("[\u4e00-\u9fff]+", title)
        for size in range(2, len(run) + 1)
        for at in range(len(run) - size + 1)
    }
    words = {other for word, forms in INFLECTIONS.items() for other in (word, *forms) if {word, *forms} & set(parts)}
    with Archive(tmp_path_factory.mktemp("archive") / FILE_NAME) as archive:
        archive.save_poll(FeedState(FEED), stored((title, "", "zh", "x")))
        assert [text for text in sorted(runs | words) if found(archive, text) != [1]] == []


@given(st.text(max_size=30) | st.text('abAND OR NOT"()*~^:-+=算力', max_size=30))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_typed_is_either_searched_or_refused_in_one_line(archive: Archive, text: str) -> None:
    """No text of a user reaches SQLite as an expression that it cannot read."""
    from monitor.errors import QueryError

    try:
        found(archive, text)
    except QueryError as e:
        assert str(e).strip()


# ---------------------------------------------------------------- the index


def test_an_edited_item_is_found_by_its_new_words_only(archive: Archive) -> None:
    """The index follows the items."""
    assert found(archive, "Ohio") == [1]
    item = replace(stored(*STORED)[0].item, title="Microsoft halts Iowa data centers")
    archive.save_poll(FeedState(FEED), changed=[Judged(item, Verdict(covered=False))])
    assert datasette_finds(archive, "ohio") == []
    assert (found(archive, "Ohio"), found(archive, "Iowa")) == ([], [1])


def test_what_is_edited_while_it_is_read_is_read_again(archive: Archive) -> None:
    """Words of a text that is no longer there never enter the index."""
    with Archive(archive.path) as other:
        item = replace(stored(*STORED)[0].item, title="Iowa")
        reading = archive._rows

        def edited_after(sql: str, *values: object) -> list[dict[str, object]]:
            rows = reading(sql, *values)  # type: ignore[arg-type]
            if "words IS NULL" in sql:
                other.save_poll(FeedState(FEED), changed=[Judged(item, Verdict(covered=False))])
            return rows

        archive._rows = edited_after  # type: ignore[method-assign, assignment]
        assert archive.index_words() == len(STORED) - 1
        archive._rows = reading  # type: ignore[method-assign]
    assert datasette_finds(archive, "ohio") == []
    assert found(archive, "Iowa") == [1]


def test_a_database_of_an_earlier_version_is_caught_up(archive: Archive) -> None:
    """Some items at a time, and each once."""
    assert archive.unindexed() == len(STORED)
    assert [archive.index_words(4), archive.index_words(4), archive.index_words(4)] == [4, 2, 0]


def test_without_full_text_search_in_sqlite_one_line_says_so(archive: Archive) -> None:
    """All else works; an SQLite that has it makes the index."""
    with closing(sqlite3.connect(archive.path)) as conn:  # as the migration leaves it there
        assert migrations.can_search(conn)
        for name in ("TRIGGER items_words_changed", "TRIGGER items_words_gone", "TABLE items_fts"):
            conn.execute(f"DROP {name}")
        conn.commit()
    with pytest.raises(StoreError, match="built without FTS5"):
        list(archive.found('"openai"', Selection()))
    assert archive.tidy(NOW - timedelta(days=28, hours=1)) == 1
    assert found(archive, "OpenAI") == [2, 3, 4, 6]


# ---------------------------------------------------------------- forgetting

SECRET = "zanzibarquokka"


def test_what_was_forgotten_is_in_no_byte_of_the_file(archive: Archive) -> None:
    """Neither in the table, nor in the index, nor in space that is free now."""
    item = replace(an_item(9, f"{SECRET} at Microsoft", f"OpenAI: {SECRET}"), text=f"{SECRET} " * 999)
    verdict = Verdict(covered=True, reason="", reads_like=(SECRET,))
    archive.save_poll(FeedState(FEED), [Judged(replace(item, first_seen=NOW - timedelta(days=400)), verdict)])
    assert found(archive, SECRET) == [7]
    assert archive.tidy(NOW - timedelta(days=365)) == 1
    assert (found(archive, SECRET), datasette_finds(archive, SECRET)) == ([], [])
    files = b"".join(path.read_bytes() for path in archive.path.parent.glob(f"{FILE_NAME}*"))
    assert b"OpenAI" in files
    assert SECRET[:9].encode() not in files
    assert found(archive, "OpenAI") == [1, 2, 3, 4, 6]


# ---------------------------------------------------------------- the command


@pytest.fixture
def folder(archive: Archive, tmp_path: Path) -> Path:
    """The archive's folder, with a feeds.yaml."""
    (tmp_path / "feeds.yaml").write_text(config_text([FEED]), encoding="utf-8")
    return tmp_path


def run(folder: Path, *words: str) -> Result:
    """Run `monitor`."""
    return CliRunner().invoke(app, ["-c", str(folder / "feeds.yaml"), "-d", str(folder), *words])


def test_what_is_found_is_shown_newest_first_with_its_words_marked(folder: Path) -> None:
    """Number, date, outlet, what it was judged to be, and the words in brackets where there are no colours."""
    done = run(folder, "search", "微軟", "OpenAI")
    assert done.exit_code == 0
    assert done.stdout.split("\n\n")[0].splitlines() == [
        "#3  2026-10-28  中央社  not a hit",
        "  [微軟]與 [OpenAI] 簽署協議",
        "  雲端運算的使用權限。",
        "  https://example.com/3",
    ]
    assert "#2  2026-10-27  量子位  hit: agi\n  [微软]与[OpenAI]争夺算力" in done.stdout


def test_who_leaves_a_word_out_by_a_dash_is_told_how(folder: Path) -> None:
    """The shell's way and the language's meet there; behind -- it works."""
    done = run(folder, "search", "OpenAI", "-Xbox")
    assert done.exit_code == 2
    assert "write NOT Xbox" in " ".join(done.output.replace("│", " ").split())
    assert run(folder, "search", "--", "OpenAI", "-Xbox").exit_code == 0


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        (["--theme", "agi"], [2]),
        (["--hits"], [2, 1]),
        (["--outlet", "wire"], [4, 1]),
        (["--language", "zh"], [3, 2]),
        (["--since", "2026-10-29"], [6, 5, 4]),
        (["--until", "2026-10-27"], [2, 1]),
        (["", "--until", "2026-10-27", "--sort", "oldest"], [1, 2]),
        (["  ", "--outlet", "wire", "--sort", "best"], [4, 1]),
        (["--since", "2026-10-01", "--theme", "compute"], [1]),
    ],
)
def test_without_a_text_what_the_filters_leave_is_listed(folder: Path, words: list[str], numbers: list[int]) -> None:
    """The newest first, nothing marked."""
    done = run(folder, "search", *words)
    assert (done.exit_code, done.stderr) == (0, "")
    assert [int(number) for number in re.findall(r"^#(\d+)", done.stdout, re.M)] == numbers
    assert "[" not in done.stdout
    rows = [json.loads(line) for line in run(folder, "search", *words, "--format", "jsonl").stdout.splitlines()]
    assert [(row["id"], row["places"]) for row in rows] == [(n, {"title": [], "summary": []}) for n in numbers]


def test_a_list_that_goes_on_or_is_empty_says_so(folder: Path) -> None:
    """And which filters left nothing."""
    assert "2 shown, and there are more" in run(folder, "search", "--outlet", "i", "--limit", "2").stderr
    done = run(folder, "search", "--theme", "agi", "--outlet", "wire")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "nothing stored fits --theme and --outlet\n"


def test_a_theme_that_no_stored_item_has_may_be_newer_than_the_verdicts(folder: Path) -> None:
    """It is said how what is stored comes under it."""
    text = (folder / "feeds.yaml").read_text("utf-8")
    (folder / "feeds.yaml").write_text(f"{text}  courts: {{title: {{en: Courts}}, keywords: [court]}}\n", "utf-8")
    for words in ((), ("OpenAI",)):
        said = run(folder, "search", *words, "--theme", "courts").stderr
        assert said.endswith("no stored item has the theme courts; if it is new: monitor rematch --since 30d\n")


@pytest.mark.parametrize("words", [[], [""], [" ", "--limit", "3"], ["--all"]])
def test_a_search_for_nothing_says_what_is_missing(folder: Path, words: list[str]) -> None:
    """A text, or a filter."""
    done = run(folder, "search", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    said = " ".join(done.stderr.split())
    assert "TEXT" in said
    assert "--theme, --since, --until, --outlet, --language or --hits" in said


def test_programs_get_json_lines(folder: Path) -> None:
    """With the places of the words."""
    [line] = run(folder, "search", "算力", "--format", "jsonl").stdout.splitlines()
    row = json.loads(line)
    assert (row["id"], row["themes"]) == (2, ["agi"])
    assert [row["title"][start:end] for start, end in row["places"]["title"]] == ["算力"]


def test_more_than_fit_are_announced(folder: Path) -> None:
    """Beside the results."""
    done = run(folder, "search", "OpenAI", "--limit", "2", "--sort", "oldest")
    assert re.findall(r"^#(\d+)", done.stdout, re.M) == ["1", "2"]
    assert "2 shown, and there are more" in done.stderr


def test_nothing_found_says_what_was_looked_through(folder: Path) -> None:
    """And what to leave out."""
    done = run(folder, "search", "rival", "--theme", "agi")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "nothing found in 1 hits" in done.stderr
    assert "there is something without --theme" in done.stderr
    assert run(folder, "search", "zebra").stderr == "nothing found in 6 items, the oldest of 2026-10-26\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a AND"], "something must follow AND"),
        (['"a'], "a quotation mark is missing its partner"),
        (["NOT a"], "NOT alone would match nearly everything"),
        (["  "], "say what to look for"),
        (["a", "--theme", "comput"], "there is no 'comput'; did you mean compute"),
        (["a", "--since", "soon"], "neither a length of time"),
        (["a", "--until", "soon"], "neither a length of time"),
        (["a", "--sort", "newst"], "did you mean newest"),
        (["a", "--format", "xml"], "there is no 'xml'"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(folder: Path, words: list[str], said: str) -> None:
    """Exit status 2."""
    done = run(folder, "search", *words)
    assert getattr(done.exception, "exit_code", done.exit_code) == 2
    assert said in re.sub(r"[\s│]+", " ", f"{done.stderr} {done.exception}")


def test_a_day_of_until_is_included(folder: Path) -> None:
    """As people mean it."""
    assert "#2" in run(folder, "search", "算力", "--until", "2026-10-27").stdout
    assert "#2" not in run(folder, "search", "算力", "--until", "2026-10-26").stdout


def test_the_snippet_stands_around_the_first_place() -> None:
    """Cut at words, with the marks within."""
    text = "lorem ipsum " * 40 + "the servers " + "dolor sit " * 40
    wanted = search.compiled("server")
    places = wanted.places(an_item(1, "t", text))
    assert places is not None
    shown = search.snippet(text, places["summary"], lambda words: f"[{words}]")
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert "[servers]" in shown
    assert len(shown) < 250
    assert search.snippet("short", [], str) == "short"
