"""feeds.yaml and the environment: what is understood, and what is said of each mistake and where."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.config import fingerprint, load, try_title
from monitor.environment import mail_settings, unknown_variables
from monitor.errors import ConfigError, Fault, without_credentials
from monitor.model import Manners, Thresholds
from monitor.schema import mailbox
from monitor.settings import Settings

SMALL = """\
digests:
  - name: morning
    to: [you@example.com]
    at: "07:30"
    timezone: Asia/Shanghai
    language: en
    themes: [compute]
feeds:
  - https://example.com/rss
  - name: Second
    url: https://example.org/feed
    timezone: Europe/London
    every: 30m
coverage:
  microsoft:
    names: [Microsoft, 微软]
    hints: [Azure]
  openai:
    names: [OpenAI]
  not:
    - Optimus robot
themes:
  compute:
    title: {en: Compute, zh: 算力}
    keywords:
      - data center AND pause
      - '"right of first refusal"'
    not: []
    examples:
      hits: [Microsoft and OpenAI pause a data center]
"""

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes feeds.yaml and returns its path."""

    def write_file(text: str | bytes) -> Path:
        path = tmp_path / "feeds.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write_file


def edited(*edits: tuple[str, str]) -> str:
    """Return the small file after replacing texts, each of which stands there once."""
    text = SMALL
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def faults(path: Path) -> tuple[Fault, ...]:
    """Return what is wrong with a file."""
    with pytest.raises(ConfigError) as refusal:
        load(path)
    assert refusal.value.exit_code == 2
    return refusal.value.faults


def places(path: Path) -> list[tuple[int, int]]:
    """Return line and column of each fault."""
    return [(fault.line, fault.column) for fault in faults(path)]


# ------------------------------------------------------------------ what is understood


def test_a_small_file_is_understood(write: Write) -> None:
    """Every key arrives, and what is left out has its default."""
    settings = load(write(SMALL))
    first, second = settings.feeds
    assert first.url == "https://example.com/rss"
    assert (first.name, first.timezone, first.enabled, first.every) == ("", "", True, None)
    assert (second.name, second.timezone) == ("Second", "Europe/London")
    (plan,) = settings.digests
    assert (plan.name, plan.to, plan.cron) == ("morning", ("you@example.com",), "30 7 * * *")
    assert (plan.timezone, plan.language, plan.themes, plan.empty) == ("Asia/Shanghai", "en", ("compute",), "skip")
    assert [company.name for company in settings.rules.companies] == ["microsoft", "openai"]
    assert [query.source for query in settings.rules.themes[0].keywords] == [
        "data center AND pause",
        '"right of first refusal"',
    ]
    assert settings.titles == {"compute": {"en": "Compute", "zh": "算力"}}
    assert settings.retention == timedelta(days=365)
    assert settings.digest("morning") is plan
    assert try_title(settings.rules, "微软OpenAI").covered
    assert not try_title(settings.rules, "微软OpenAI: Optimus robots").covered


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('at: "07:30"', "at: 07:30"),
        ('at: "07:30"', 'at: "7:30"'),
        ('at: "07:30"', 'cron: "30 7 * * mon-fri"'),
        ("every: 30m", "every: 1d"),
        ("every: 30m", "every: 2 h"),
        ("every: 30m", "enabled: no"),
        ("every: 30m", "language: zh"),
        ("timezone: Europe/London", 'timezone: ""'),
        ("  - https://example.com/rss\n", ""),
        ("    themes: [compute]\n", ""),
        ("    themes: [compute]\n", "    themes: []\n"),
        ("  not:\n    - Optimus robot\n", ""),
        ("- data center AND pause", "- yes"),
        ("- data center AND pause", "- 365"),
        ("language: en", "empty: send"),
        ("feeds:", "retention: 90d\nfeeds:"),
    ],
)
def test_other_ways_to_write_it_are_understood(write: Write, old: str, new: str) -> None:
    """Unquoted times, several units, YAML's own booleans, keys left out."""
    assert load(write(edited((old, new)))).feeds


def test_a_cron_line_and_a_time_mean_the_same(write: Write) -> None:
    """`at` is a short form."""
    timed = load(write(SMALL)).digests[0].cron
    assert load(write(edited(('at: "07:30"', f'cron: "{timed}"')))).digests[0].cron == timed


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_does_no_harm(write: Write, encoding: str) -> None:
    """Windows editors write one."""
    assert len(load(write(SMALL.encode(encoding))).feeds) == 2


def test_anchors_and_merges_are_understood(write: Write) -> None:
    """What several feeds share can be written once."""
    shared = edited(
        ("  - name: Second\n", "  - &shared\n    name: Second\n"),
        ("coverage:", "  - {<<: *shared, url: https://example.net/feed}\ncoverage:"),
    )
    third = load(write(shared)).feeds[2]
    assert (third.url, third.name, third.timezone) == ("https://example.net/feed", "Second", "Europe/London")


def test_the_shipped_file_is_understood() -> None:
    """The one that everybody starts from."""
    settings = load(Path(__file__).parent.parent / "feeds.yaml")
    assert len(settings.feeds) > 30
    assert len({feed.url for feed in settings.feeds}) == len(settings.feeds)
    assert [theme.name for theme in settings.rules.themes] == ["compute", "agi", "competition"]
    assert {theme: set(words) for theme, words in settings.titles.items()} == {
        theme: {"en", "zh"} for theme in settings.titles
    }


def test_the_fingerprint_tells_an_edit(write: Write) -> None:
    """Any changed byte, and nothing else."""
    settings: Settings = load(write(SMALL))
    assert settings.fingerprint == fingerprint(settings.path)
    assert fingerprint(write(SMALL + "\n")) != settings.fingerprint
    assert fingerprint(write(SMALL)) == settings.fingerprint


def test_an_unknown_digest_names_those_there_are(write: Write) -> None:
    """`monitor digest evening` is answered with what could have been meant."""
    with pytest.raises(ConfigError, match="no digest is named 'evening'; there is: morning"):
        load(write(SMALL)).digest("evening")


def test_a_number_as_keyword_is_what_was_written(write: Write) -> None:
    """`5.10` is not 5.1: it is kept as it stands, or quotes are asked for."""
    path = write(edited(("- data center AND pause", "- 5.10")))
    try:
        source = load(path).rules.themes[0].keywords[0].source
    except ConfigError:
        assert places(path) == [(26, 9)]
    else:
        assert source == "5.10"


def test_an_exclusion_may_be_a_number_like_any_keyword(write: Write) -> None:
    """What holds for `keywords` holds for `coverage: not:`."""
    assert load(write(edited(("- Optimus robot", "- 365")))).rules.excluded[0].source == "365"


# ------------------------------------------------------------------ one mistake each

BROKEN = [
    # keys
    ("language: en", "langauge: en", 6, 5, "unknown key; did you mean language?"),
    ("feeds:\n", "feed:\n", 8, 1, "did you mean feeds?"),
    ("    every: 30m", "    evry: 30m", 13, 5, "feeds.evry: unknown key; did you mean every?"),
    ("    keywords:", "    keyword: [a]\n    keywords:", 25, 5, "did you mean keywords?"),
    ("hits:", "hit:", 30, 7, "did you mean hits?"),
    ("    hints: [Azure]", "    weight: 3", 17, 5, "weight belongs under an entry of feeds"),
    ("feeds:\n", "feeds: []\nfeeds:\n", 9, 1, "'feeds': duplicate key; it stands in line 8"),
    ("    hints: [Azure]", "    names: [Azure]", 17, 5, "'names': duplicate key; it stands in line 16"),
    # YAML
    ("    at:", "\tat:", 4, 1, "tab"),
    ("  - name: Second", "\t- name: Second", 10, 1, "tab"),
    ("name: Second", "name: Sec: ond", 10, 14, "a colon followed by a space inside a value"),
    ("names: [OpenAI]", "names: [OpenAI", 19, 12, "this [ is not closed"),
    ("themes:\n", "---\nthemes:\n", 22, 1, "document"),
    ("name: Second", "name: *second", 10, 11, "a text cannot begin with *"),
    # digests
    ("Asia/Shanghai", "Asia/Shangai", 5, 15, "'Asia/Shangai' is not a time zone"),
    ("Asia/Shanghai", "../../etc/passwd", 5, 15, "is not a time zone"),
    ("Asia/Shanghai", "+08:00", 5, 15, "is not a time zone"),
    ("you@example.com", "you@", 3, 10, "'you@' is not a mail address"),
    ("you@example.com", "you", 3, 10, "is not a mail address"),
    ("you@example.com", "a@example.com, b c@example.com", 3, 25, "'b c@example.com' is not a mail address"),
    ("you@example.com", '"You <you@example.com>"', 3, 10, "is not a mail address"),
    ("you@example.com", "你@example.com", 3, 10, "letters outside ASCII before the @ cannot be used: few mail servers"),
    ("you@example.com", "x@例子.com", 3, 10, "write its domain in ASCII: x@xn--fsqu00a.com"),
    ("[you@example.com]", "you@example.com", 3, 9, "a list is expected"),
    ("[you@example.com]", "[]", 3, 9, "must not be empty"),
    ("language: en", "language: fr", 6, 15, "'fr' is not one of 'en' or 'zh'"),
    ("language: en", "empty: maybe", 6, 12, "'skip', 'send' or 'weekly'"),
    ("name: morning", "name: my morning", 2, 11, "digests.name"),
    ("name: morning", "name: true", 2, 11, 'put it in quotes: "true"'),
    ("themes: [compute]", "themes: [compuet]", 7, 14, "no theme 'compuet'; did you mean compute?"),
    ("themes: [compute]", "themes: [compute, zzz]", 7, 23, "known here: compute"),
    ('    at: "07:30"\n', "", 2, 5, "say when"),
    ('at: "07:30"', 'at: "07:30"\n    cron: "30 7 * * *"', 2, 5, "say when, by one of"),
    # feeds
    ("https://example.com/rss", "example.com/rss", 9, 5, "must start with http:// or https://"),
    ("https://example.com/rss", "ftp://example.com/rss", 9, 5, "is not a web address"),
    ("https://example.com/rss", "https:///rss", 9, 5, "is not a web address"),
    ("https://example.com/rss", "https://exa mple.com/rss", 9, 5, "has a blank in it"),
    ("https://example.com/rss", "https://[::1/rss", 9, 5, "is not a web address"),
    ("https://example.org/feed", "example.org/feed", 11, 10, "is not a web address"),
    ("https://example.com/rss", "https://example.com:99999/rss", 9, 5, "there is no port 99999"),
    ("https://example.com/rss", "https://example.org/feed", 10, 5, "stands above already"),
    ("    url: https://example.org/feed\n", "", 10, 5, "feeds.url: is missing"),
    ("  - https://example.com/rss", "  - 5", 9, 5, "keys are expected"),
    ("every: 30m", "every: 30", 13, 12, "30 is not a length of time"),
    ("every: 30m", "every: 5s", 13, 12, "must be from 1m to 30d"),
    ("every: 30m", "every: half an hour", 13, 12, "is not a length of time"),
    ("every: 30m", "every: -30m", 13, 12, "is not a length of time"),
    ("every: 30m", "every: 99999999999m", 13, 12, "is not a length of time"),
    ("every: 30m", "enabled: maybe", 13, 14, "feeds.enabled"),
    ("Europe/London", "Europe/Londn", 12, 15, "'Europe/Londn' is not a time zone"),
    # coverage and themes
    ("[Microsoft, 微软]", "[]", 16, 12, "must not be empty"),
    ("names: [OpenAI]", "names: OpenAI", 19, 12, "a list is expected"),
    ("- data center AND pause", "- title: pause", 26, 9, "a colon followed by a space"),
    ("- data center AND pause", "- true", 26, 9, 'put it in quotes: "true"'),
    ("- data center AND pause", "-", 26, 8, "the line is empty"),
    ("- data center AND pause", "- [data, center]", 26, 9, "a text is expected"),
    ("{en: Compute, zh: 算力}", "{fr: Calcul}", 24, 13, "'fr' is not one of 'en' or 'zh'"),
    ("{en: Compute, zh: 算力}", "Compute", 24, 12, 'write for which language it is: {en: "Compute"}'),
    ("feeds:\n", "retention: 1d\nfeeds:\n", 8, 12, "must be from 7d to 36500d"),
    # keywords: the place is that of the fault inside the keyword
    ("data center AND pause", "data center AND titel:pause", 26, 25, "did you mean title"),
    ("data center AND pause", "data center OR pausing~", 26, 24, "likeness"),
    ("data center AND pause", "center AND (pause", 26, 20, "parenthesis"),
    ("- data center AND pause", '- "*center"', 26, 10, "wildcard"),
    ("data center AND pause", "NOT pause", 26, 9, "NOT alone"),
    ("[Microsoft, 微软]", "[Microsoft, 微软~]", 16, 24, "likeness"),
    ("- Optimus robot", "- Optimus OR robot^0", 21, 23, "a weight lies above 0"),
    ("  not:\n    - Optimus", "  relation: [deal]\n  not:\n    - Optimus", 20, 13, "did you mean relations?"),
    ("  not:\n    - Optimus", "  threshold: 0\n  not:\n    - Optimus", 20, 14, "must be more than 0"),
    ("  not:\n    - Optimus", "  against: [a~]\n  not:\n    - Optimus", 20, 13, "likeness"),
    ("not: []", "threshold: much", 28, 16, "number"),
    ("not: []", "not: [a?]", 28, 11, "wildcard"),
]


@pytest.mark.parametrize(("old", "new", "line", "column", "words"), BROKEN)
def test_a_mistake_is_told_with_its_place(write: Write, old: str, new: str, line: int, column: int, words: str) -> None:
    """One mistake, one line: where it is and what to do, in words for people."""
    found = faults(write(edited((old, new))))
    assert [(fault.line, fault.column) for fault in found] == [(line, column)]
    assert words in found[0].message
    assert "\n" not in found[0].message


def test_a_missing_key_is_told_at_the_top(write: Write) -> None:
    """Without feeds there is nothing to do, without coverage nothing to look for."""
    found = faults(write(SMALL.split("feeds:")[0]))[:2]
    assert [(fault.line, fault.message) for fault in found] == [(1, "feeds: is missing"), (1, "coverage: is missing")]


@pytest.mark.parametrize("feeds", ["feeds: []", "feeds:", "feeds: https://example.com/rss"])
def test_feeds_must_be_a_list_with_something_in_it(write: Write, feeds: str) -> None:
    """Nothing to watch is a mistake, and so is an address that stands alone."""
    before, after = SMALL[: SMALL.index("feeds:")], SMALL[SMALL.index("coverage:") :]
    (fault,) = faults(write(f"{before}{feeds}\n{after}"))
    assert fault.line in (8, 9)
    assert fault.message.startswith("feeds: ")


def test_empty_keywords_are_a_mistake(write: Write) -> None:
    """A theme that nothing makes."""
    before, after = SMALL[: SMALL.index("    keywords:")], SMALL[SMALL.index("    not: []") :]
    (fault,) = faults(write(f"{before}    keywords: []\n{after}"))
    assert (fault.line, fault.column, fault.message) == (25, 15, "themes.compute.keywords: must not be empty")


def test_coverage_of_nobody_is_a_mistake(write: Write) -> None:
    """It would make every item news."""
    before, after = SMALL[: SMALL.index("  microsoft:")], SMALL[SMALL.index("  not:") :]
    (fault,) = faults(write(before + after))
    assert fault.line in (14, 15)
    assert "name at least one company" in fault.message


def test_two_digests_of_one_name_are_a_mistake(write: Write) -> None:
    """The name is how the database knows which editions were sent."""
    second = '  - {name: morning, to: [me@example.com], at: "19:30"}\n'
    (fault,) = faults(write(edited(("feeds:\n", f"{second}feeds:\n"))))
    assert (fault.line, fault.column) == (8, 5)
    assert "a digest of this name stands above: morning" in fault.message


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "- a\n- b\n", "hello", "42"])
def test_a_file_that_is_no_mapping_is_told(write: Write, text: str) -> None:
    """Empty, a list, a word."""
    (fault,) = faults(write(text))
    assert (fault.line, fault.column) == (1, 1)
    assert "feeds:" in fault.message


@pytest.mark.parametrize(
    "raw", [SMALL.encode() + b"\xff", "feeds: [微软]".encode("gbk"), b"feeds: \x00", b"caf\xe9: 1"]
)
def test_a_file_that_is_no_text_is_told(write: Write, raw: bytes) -> None:
    """Not UTF-8, or with characters that no text has."""
    (fault,) = faults(write(raw))
    assert "save the file as UTF-8" in fault.message
    assert "\n" not in fault.message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """With the option that names another."""
    with pytest.raises(
        ConfigError, match=r"nowhere.yaml: not found; put it there, or name another with --config or MONITOR_CONFIG"
    ):
        load(tmp_path / "nowhere.yaml")
    with pytest.raises(ConfigError, match=r"nowhere.yaml: not found"):
        fingerprint(tmp_path / "nowhere.yaml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """`--config .` is a likely slip."""
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)


# ------------------------------------------------------------------ the exact place


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ('cron: "30 7 * *"', "five fields are expected"),
        ('cron: "61 7 * * *"', "cannot be read"),
        ('cron: "0 7 30 2 *"', "there is no such day"),
        ('at: "25:30"', "is not a time of day"),
        ("at: noon", "is not a time of day"),
    ],
)
def test_a_bad_time_is_told_at_its_own_line(write: Write, new: str, words: str) -> None:
    """Not at the digest's first: `at` stands in line 4."""
    (fault,) = faults(write(edited(('at: "07:30"', new))))
    assert words in fault.message
    assert fault.line == 4


@pytest.mark.parametrize(("old", "line"), [("name: morning", 2), ("every: 30m", 13), ("language: en", 6)])
def test_an_empty_value_is_told_at_its_own_line(write: Write, old: str, line: int) -> None:
    """Not at the line that follows."""
    (fault,) = faults(write(edited((old, old.split()[0]))))
    assert fault.line == line


@pytest.mark.parametrize(
    ("new", "column"),
    [
        ('- "data center AND titel:pause"', 26),
        ("- 'data center AND titel:pause'", 26),
        ("- '\"data center\" AND titel:pause'", 28),
        ("- '\"right of first refusal'", 10),
        ("- '\"data\" center'", 17),
    ],
)
def test_the_quotes_of_yaml_are_counted(write: Write, new: str, column: int) -> None:
    """The column is the one where an editor puts the cursor."""
    assert places(write(edited(("- data center AND pause", new)))) == [(26, column)]


def test_the_place_in_a_keyword_of_several_lines_lies_in_the_file(write: Write) -> None:
    """Its own line, or at least where the keyword begins: not a column that the line does not have."""
    text = edited(("- data center AND pause", "- >-\n        data center AND\n        titel:pause"))
    ((line, column),) = places(write(text))
    assert (line, column) in {(26, 9), (28, 9)}


@pytest.mark.parametrize("keyword", ["foo~1.2.3", "foo^1.2.3"])
def test_no_keyword_brings_the_program_down(write: Write, keyword: str) -> None:
    """Whatever the parser trips over is a fault with a place."""
    (fault,) = faults(write(edited(("data center AND pause", keyword))))
    assert fault.line == 26


# ------------------------------------------------------------------ several at once


def test_several_mistakes_are_told_at_once_and_in_order(write: Write) -> None:
    """One round of editing, not five."""
    path = write(
        edited(
            ("you@example.com", "you@"),
            ("Asia/Shanghai", "Asia/Shangai"),
            ("every: 30m", "every: 30"),
            ("names: [OpenAI]", "name: [OpenAI]"),
            ("{en: Compute, zh: 算力}", "Compute"),
            ("hits:", "hit:"),
        )
    )
    assert places(path) == [(3, 10), (5, 15), (13, 12), (19, 5), (24, 12), (30, 7)]
    with pytest.raises(ConfigError) as refusal:
        load(path)
    lines = str(refusal.value).splitlines()
    assert len(lines) == 6
    assert lines[0].startswith(f"{path}:3:10: digests.to: 'you@' is not a mail address")


def test_bad_keywords_are_told_with_all_other_mistakes(write: Write) -> None:
    """A keyword is a mistake like any other."""
    path = write(
        edited(
            ("Asia/Shanghai", "Asia/Shangai"),
            ("[Microsoft, 微软]", "[Microsoft, 微软~]"),
            ("data center AND pause", "data center AND titel:pause"),
        )
    )
    assert places(path) == [(5, 15), (16, 24), (26, 25)]


def test_a_bad_time_does_not_wait_for_the_other_mistakes(write: Write) -> None:
    """Two mistakes in one digest are told together."""
    path = write(edited(("you@example.com", "you@"), ('at: "07:30"', 'at: "25:30"')))
    assert [line for line, _ in places(path)] == [3, 4]


def test_what_does_not_fit_together_is_told_with_the_rest(write: Write) -> None:
    """An unknown theme and a feed that stands twice do not wait until the file is otherwise right."""
    path = write(
        edited(
            ("themes: [compute]", "themes: [compuet]"),
            ("https://example.com/rss", "https://example.org/feed"),
            ("every: 30m", "every: 30"),
        )
    )
    assert places(path) == [(7, 14), (10, 5), (13, 12)]


def test_what_does_not_fit_together_is_told_in_order(write: Write) -> None:
    """Top to bottom, as an editor walks through it."""
    path = write(
        edited(("themes: [compute]", "themes: [compuet]"), ("https://example.com/rss", "https://example.org/feed"))
    )
    assert places(path) == [(7, 14), (10, 5)]


# ------------------------------------------------------------------ addresses


@pytest.mark.parametrize("address", ["you@example.com", "a.b+c@sub.example.org", "x@localhost"])
def test_a_mail_address_is_taken(address: str) -> None:
    """As it is."""
    assert mailbox(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "you",
        "@example.com",
        "you@",
        "a@b@c",
        "a b@example.com",
        "a@example.com, b@example.com",
        "a@b\nBcc: c@d",
        "You <you@example.com>",
        "你@example.com",
        "you@例子.com",
        "a@b\r\n",
        "<you@example.com>",
        "you@exam ple.com",
    ],
)
def test_what_is_no_mail_address_is_refused(address: str) -> None:
    """Nothing that could become a second header or a second reader."""
    with pytest.raises(ValueError, match="is not a mail address"):
        mailbox(address)


# ------------------------------------------------------------------ the environment

SERVER = {"HOST": "mail.example.com", "FROM": "digest@example.com"}
SECRET = "hunter2-very-secret"


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets MONITOR_SMTP_* to these and nothing else."""

    def set_all(**variables: str) -> None:
        for name in list(os.environ):
            if name.upper().startswith("MONITOR_"):
                monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(f"MONITOR_SMTP_{name}", value)

    set_all()
    return set_all


def refused() -> list[str]:
    """Return the lines of what is wrong with the environment."""
    with pytest.raises(ConfigError) as refusal:
        mail_settings()
    return str(refusal.value).splitlines()


def test_without_a_host_mail_goes_to_files(environ: Callable[..., None]) -> None:
    """Nothing set is the way to begin."""
    environ()
    mail = mail_settings()
    assert mail.to_files
    assert mail.sender == "monitor@rift-monitor.invalid"


def test_a_whole_set_is_understood(environ: Callable[..., None], tmp_path: Path) -> None:
    """Each variable arrives."""
    authority = tmp_path / "ca.pem"
    authority.write_text("")
    environ(**SERVER, PORT="2525", USER="me", PASSWORD=SECRET, SECURITY="tls", CA_FILE=str(authority))
    mail = mail_settings()
    assert not mail.to_files
    assert (mail.host, mail.sender, mail.real_port) == ("mail.example.com", "digest@example.com", 2525)
    assert (mail.user, mail.password, mail.security) == ("me", SECRET, "tls")
    assert mail.ca_file == str(authority)


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("plain", 25)])
def test_the_port_follows_the_security(environ: Callable[..., None], security: str, port: int) -> None:
    """The usual one of each."""
    environ(**SERVER, SECURITY=security)
    assert mail_settings().real_port == port


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"HOST": "mail.example.com"}, "MONITOR_SMTP_FROM"),
        ({**SERVER, "FROM": "nobody"}, "MONITOR_SMTP_FROM"),
        ({**SERVER, "FROM": ""}, "MONITOR_SMTP_FROM"),
        ({**SERVER, "FROM": "Digest <digest@example.com>"}, "MONITOR_SMTP_FROM"),
        ({**SERVER, "PORT": "abc"}, "MONITOR_SMTP_PORT"),
        ({**SERVER, "PORT": "70000"}, "MONITOR_SMTP_PORT"),
        ({**SERVER, "PORT": "-1"}, "MONITOR_SMTP_PORT"),
        ({**SERVER, "SECURITY": "ssl"}, "MONITOR_SMTP_SECURITY"),
        ({**SERVER, "USER": "me"}, "MONITOR_SMTP_USER"),
        ({**SERVER, "USER": "me", "PASSWORD": SECRET, "SECURITY": "plain"}, "MONITOR_SMTP_SECURITY"),
        ({**SERVER, "USER": "me", "PASSWORD": SECRET, "PASSWORD_FILE": "/run/pw"}, "MONITOR_SMTP_PASSWORD_FILE"),
        ({**SERVER, "USER": "me", "PASSWORD_FILE": "/nowhere/pw"}, "MONITOR_SMTP_PASSWORD_FILE: /nowhere/pw"),
        ({**SERVER, "CA_FILE": "/nowhere/ca.pem"}, "MONITOR_SMTP_CA_FILE: /nowhere/ca.pem"),
    ],
)
def test_a_wrong_variable_is_named(environ: Callable[..., None], variables: dict[str, str], name: str) -> None:
    """By its whole name, in one line, without the password."""
    environ(**variables)
    (line,) = refused()
    assert name in line
    assert SECRET not in line


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({**SERVER, "PASSWORD": SECRET}, "MONITOR_SMTP_USER"),
        ({"USER": "me", "PASSWORD": SECRET, "FROM": "digest@example.com"}, "MONITOR_SMTP_HOST"),
    ],
)
def test_half_a_login_is_a_mistake(environ: Callable[..., None], variables: dict[str, str], name: str) -> None:
    """A password for nobody would never be used; a login for no server would write files and call them sent."""
    environ(**variables)
    (line,) = refused()
    assert name in line


def test_several_wrong_variables_are_told_at_once(environ: Callable[..., None]) -> None:
    """As in feeds.yaml."""
    environ(HOST="mail.example.com", PORT="x", SECURITY="ssl", FROM="nobody")
    assert [line.split(":")[1].strip() for line in refused()] == [
        "MONITOR_SMTP_PORT",
        "MONITOR_SMTP_SECURITY",
        "MONITOR_SMTP_FROM",
    ]
    environ(HOST="mail.example.com", USER="me", CA_FILE="/nowhere/ca.pem")
    assert len(refused()) == 3


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_password_is_read_from_its_file(environ: Callable[..., None], tmp_path: Path, ending: str) -> None:
    """Without the line's end that every editor writes; spaces belong to it."""
    path = tmp_path / "password"
    path.write_bytes(f" {SECRET} {ending}".encode())
    environ(**SERVER, USER="me", PASSWORD_FILE=str(path))
    assert mail_settings().password == f" {SECRET} "


def test_an_empty_password_file_is_named(environ: Callable[..., None], tmp_path: Path) -> None:
    """A secret that was never filled in is found at the start, not by the mail server."""
    path = tmp_path / "password"
    path.write_text("\n")
    environ(**SERVER, USER="me", PASSWORD_FILE=str(path))
    (line,) = refused()
    assert str(path) in line


@pytest.mark.parametrize("kind", ["folder", "not text"])
def test_a_password_file_that_cannot_be_read_is_named(environ: Callable[..., None], tmp_path: Path, kind: str) -> None:
    """Whatever is in the way."""
    path = tmp_path / "password"
    if kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"\xff\xfe")
    environ(**SERVER, USER="me", PASSWORD_FILE=str(path))
    (line,) = refused()
    assert f"MONITOR_SMTP_PASSWORD_FILE: {path}: cannot be read" in line


def test_the_password_is_never_shown(environ: Callable[..., None], tmp_path: Path) -> None:
    """Not in logs, not in tracebacks, from the variable or from the file."""
    environ(**SERVER, USER="me", PASSWORD=SECRET)
    given = mail_settings()
    path = tmp_path / "password"
    path.write_text(SECRET)
    environ(**SERVER, USER="me", PASSWORD_FILE=str(path))
    for mail in (given, mail_settings()):
        assert mail.password == SECRET
        assert SECRET not in repr(mail)
        assert SECRET not in str(mail)
        assert SECRET not in f"{mail!r:>10}"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MONITOR_SMTP_HSOT", "MONITOR_SMTP_HOST"),
        ("MONITOR_SMTP_PASSWD", "MONITOR_SMTP_PASSWORD"),
        ("MONITOR_CONFG", "MONITOR_CONFIG"),
        ("MONITOR_SMTP_SECURTY", "MONITOR_SMTP_SECURITY"),
    ],
)
def test_a_variable_that_nothing_reads_gets_a_suggestion(name: str, meant: str) -> None:
    """A typing error in a compose file is otherwise silent."""
    (line,) = unknown_variables({name: "x", "PATH": "/bin", "MONITOR_SMTP_HOST": "mail.example.com"})
    assert f"{name} is not a setting; did you mean {meant}" in line


def test_known_variables_and_those_of_others_are_let_be() -> None:
    """Nothing to say."""
    names = ["CONFIG", "DATA", "LOG", "SMTP_HOST", "SMTP_PORT", "SMTP_USER", "SMTP_PASSWORD", "SMTP_PASSWORD_FILE"]
    known = {f"MONITOR_{name}": "x" for name in [*names, "SMTP_SECURITY", "SMTP_CA_FILE", "SMTP_FROM"]}
    assert unknown_variables({**known, "PATH": "/bin", "HOME": "/root", "MONITORING": "x"}) == []


# ------------------------------------------------------------------ how feeds are asked, and what is said of them


def with_polling(lines: str, key: str = "polling") -> str:
    """The small file with a part at its top: its keys begin in line 2, column 3."""
    return f"{key}:\n" + "".join(f"  {line}\n" for line in lines.splitlines()) + SMALL


def test_manners_and_thresholds_are_understood(write: Write) -> None:
    """Every key arrives."""
    polling = """shortest: 5m
longest: 1d
contact: ops@example.com
per_host: 4
spacing: 0s
allow: [rsshub, 10.0.0.0/8, "::1", 192.168.1.5]"""
    assert load(write(with_polling(polling))).manners == Manners(
        timedelta(minutes=5),
        timedelta(days=1),
        "ops@example.com",
        4,
        timedelta(),
        ("rsshub", "10.0.0.0/8", "::1", "192.168.1.5"),
    )
    health = (
        "failing: 1\npage: 2\nnothing: 4\nplaceholder: 5\nempty: 6\nstale: 7d\nsilent: 2.5\ngap: 8\ndates: 9\nmoved: 10"
    )
    assert load(write(with_polling(health, "health"))).thresholds == Thresholds(
        1, 2, 4, 5, 6, timedelta(days=7), 2.5, 8, 9, 10
    )


def test_what_is_left_out_has_its_default(write: Write) -> None:
    """Both parts, or one key of them."""
    assert load(write(SMALL)).manners == Manners()
    assert load(write(SMALL)).thresholds == Thresholds()
    assert load(write(with_polling("per_host: 1"))).manners == Manners(per_host=1)
    assert load(write(with_polling("gap: 1", "health"))).thresholds == Thresholds(gap=1)


def test_a_feed_may_have_manners_of_its_own(write: Write) -> None:
    """Headers, a User-Agent, a timeout, an interval."""
    keys = (
        "every: 1m\n    timeout: 5m\n    user_agent: Mine/1.0\n    fulltext: yes\n"
        '    headers: {Authorization: Bearer x, X-Number: "5"}'
    )
    feed = load(write(edited(("every: 30m", keys)))).feeds[1]
    assert (feed.every, feed.timeout) == (timedelta(minutes=1), timedelta(minutes=5))
    assert (feed.user_agent, feed.fulltext) == ("Mine/1.0", True)
    assert feed.headers == (("Authorization", "Bearer x"), ("X-Number", "5"))


@pytest.mark.parametrize(
    ("key", "line", "place", "words"),
    [
        ("polling", "shortest: 30s", (2, 13), "polling.shortest: must be from 1m to 30d"),
        ("polling", "shortest: soon", (2, 13), "'soon' is not a length of time"),
        ("polling", "shortest: 30", (2, 13), "30 is not a length of time"),
        ("polling", "longest: 31d", (2, 12), "must be from 1m to 30d"),
        ("polling", "longest: 5m", (2, 3), "shortest (0:15:00) is longer than longest (0:05:00"),
        (
            "polling",
            "shortest: 3h",
            (2, 3),
            "shortest (3:00:00) is longer than longest (2:00:00, 2:00:00 if not given)",
        ),
        ("polling", "per_host: 0", (2, 13), "must be at least 1"),
        ("polling", "per_host: 33", (2, 13), "must be at most 32"),
        ("polling", "per_host: many", (2, 13), "a whole number is expected here"),
        ("polling", "spacing: 61s", (2, 12), "must be from 0s to 1m"),
        ("polling", 'contact: "a\\nb"', (2, 12), "must be one line"),
        ("polling", f"contact: {'x' * 201}", (2, 12), "at most 200"),
        ("polling", "allow: rsshub", (2, 10), "a list is expected"),
        ("polling", "alow: [rsshub]", (2, 3), "unknown key; did you mean allow?"),
        ("polling", "allow: [10.0.0.0/33]", (2, 11), "'10.0.0.0/33' is neither a network"),
        ("polling", "allow: [rsshub, 10.0.0.256]", (2, 19), "'10.0.0.256' is neither a network"),
        ("polling", "allow: [10]", (2, 11), "'10' is neither a network"),
        ("polling", 'allow: ["http://rsshub/"]', (2, 11), "is neither a network"),
        ("polling", 'allow: ["rsshub:1200"]', (2, 11), "is neither a network"),
        ("polling", 'allow: ["rss hub"]', (2, 11), "nor the name of a host; write a name without http://"),
        ("polling", 'allow: [""]', (2, 11), "nor the name of a host"),
        ("polling", "allow: [0.0.0.0/0]", (2, 11), "would allow every address"),
        ("polling", 'allow: ["::/0"]', (2, 11), "would allow every address"),
        ("health", "failing: 0", (2, 12), "must be at least 1"),
        ("health", "moved: 1001", (2, 10), "must be at most 1000"),
        ("health", "stale: 1h", (2, 10), "must be from 1d to 3650d"),
        ("health", "stale: 3651d", (2, 10), "must be from 1d to 3650d"),
        ("health", "silent: 0.5", (2, 11), "must be at least 1"),
        ("health", "silent: .nan", (2, 11), "health.silent"),
        ("health", "silent: 101", (2, 11), "must be at most 100"),
        ("health", "faling: 3", (2, 3), "unknown key; did you mean failing?"),
    ],
)
def test_a_mistake_in_how_feeds_are_asked_is_told_with_its_place(
    write: Write, key: str, line: str, place: tuple[int, int], words: str
) -> None:
    """Bounds, and slips of the hand."""
    (fault,) = faults(write(with_polling(line, key)))
    assert (fault.line, fault.column) == place
    assert words in fault.message


@pytest.mark.parametrize(
    ("new", "place", "words"),
    [
        ("every:", (13, 5), "a length of time is expected here, such as 30m; the line is empty"),
        ("timeout: 0s", (13, 14), "must be from 1s to 5m"),
        ("timeout: 6m", (13, 14), "must be from 1s to 5m"),
        ("timeout: 30", (13, 14), "is not a length of time"),
        ('user_agent: "a\\r\\nb"', (13, 17), "must be one line"),
        ("headers: [a]", (13, 14), "keys are expected"),
        ('headers: {X-Key: "a\\nB: c"}', (13, 22), "must be one line"),
        ("headers: {Host: a.example}", (13, 15), "Host: is set by the monitor itself"),
        ("headers: {user-agent: x}", (13, 15), "user-agent: is set by the monitor itself"),
        ("headers: {If-None-Match: x}", (13, 15), "is set by the monitor itself"),
        ("headers: {Accept-Encoding: x}", (13, 15), "is set by the monitor itself"),
        ('headers: {Content-Length: "5"}', (13, 15), "is set by the monitor itself"),
        ("headers: {X-Key: 1.10}", (13, 22), "YAML would change this value; put it in quotes"),
        ("headers: {X-Key: 0123}", (13, 22), "YAML would change this value; put it in quotes"),
        ('headers: {"a b": x}', (13, 15), "'a b' is not the name of a header"),
        ('headers: {"a:": x}', (13, 15), "is not the name of a header"),
        ('headers: {"": x}', (13, 15), "is not the name of a header"),
        ("headers: {微软: x}", (13, 15), "is not the name of a header"),
        ("fulltext: maybe", (13, 15), "feeds.fulltext"),
    ],
)
def test_a_mistake_in_a_feeds_own_manners_is_told_with_its_place(
    write: Write, new: str, place: tuple[int, int], words: str
) -> None:
    """An empty interval is a slip too: nobody means it."""
    (fault,) = faults(write(edited(("every: 30m", new))))
    assert words in fault.message
    assert (fault.line, fault.column) == place


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://example.com/feed", "https://example.com/feed"),
        ("https://me:secret@example.com/feed", "https://example.com/feed"),
        ("https://me@example.com:8443/feed", "https://example.com:8443/feed"),
        ("https://me:p@ss@example.com/", "https://example.com/"),
        ("https://example.com/@me/feed?by=a@b.example", "https://example.com/@me/feed?by=a@b.example"),
        ("from http://a:b@c.example/ to https://d:e@f.example/", "from http://c.example/ to https://f.example/"),
        ("", ""),
    ],
)
def test_a_password_in_an_address_is_never_shown(address: str, shown: str) -> None:
    """In a text that holds several too; an @ that is none of a password's stays."""
    assert without_credentials(address) == shown
