"""Whatever a feed says and whatever a template tries: the mail and the archive have no structure but their own.

Feeds go the whole way here, from bytes over HTTP to the bytes of the mail and the pages of the archive.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor import archive, config, press, worker
from monitor.digest.render import LONGEST_PAGE, environment, fill
from monitor.digest.sample import sample
from monitor.errors import TemplateError
from monitor.model import Evidence, FeedState, Frame, Item, Judged, Templates, Verdict
from monitor.resources import read_templates
from monitor.store import Store
from tests.builders import ROOT, TEMPLATES, config_text
from tests.feedserver import FeedServer

NOW = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200d-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
"""Controls, direction marks and what hides; but for U+200C, with which our own templates pad."""
EVIL = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)", "</title></style></head>",
    "<svg/onload=alert(1)>", "<!--", "-->", "]]>", "&lt;script&gt;alert(1)&lt;/script&gt;", "&amp;lt;b&amp;gt;", "&#0;",
    "&#x202e;gpj.exe", "\u202egpj.exe\u202c", "\u2066x\u2069\u200b", "\u2028\u2029\x85", "\r\nBcc: all@example.com\r\n",
    "=?utf-8?q?=0d=0aBcc:all=40example.com?=", "{{ 7 * 7 }}{% include 'x' %}", "</script><script>alert(1)</script>",
    '<a href="javascript:alert(1)">x</a>', "<iframe src=//evil.example></iframe>", "<style>*{display:none}</style>",
    '<meta http-equiv="refresh" content="0;url=//evil.example">', "<form action=//evil.example><input></form>",
    "<![CDATA[<b onclick=alert(1)>]]>", "<base href=//evil.example>", "&quot;&gt;&lt;img src=x&gt;",
    "\\u003cscript\\u003e", "\U000e0041",
    '<table><tr><td style="position:fixed">', "&NewLine;&colon;", "`${1}`", "<math><mtext><script>1</script>",
)  # fmt: skip
LINKS = (
    "javascript:alert(1)", "JaVa&#9;Script:alert(1)", "data:text/html,&lt;script&gt;1&lt;/script&gt;", "vbscript:x",
    'https://example.com/"onmouseover="alert(1)', "https://example.com/&lt;/a&gt;&lt;script&gt;", "//example.com/x",
    "https://example.com/\u202ex", "https://example.com/a b\nBcc: x", "file:///etc/passwd", "https://exa&quot;mple.com/",
    "http://[::1", "https://example.com/&amp;amp;lt;", "mailto:all@example.com?body=x", "https://example.com/'style='x",
)  # fmt: skip
words = st.lists(st.one_of(st.sampled_from(EVIL), st.sampled_from(["halts", "数据中心", "& more", "“x”"])), max_size=4)
raw = st.tuples(words, st.sampled_from(["cdata", "escaped", "twice", "bare"]))


def written(parts: tuple[list[str], str]) -> str:
    """Return text as one of the ways in which feeds write it."""
    text, way = " ".join(parts[0]), parts[1]
    if way == "cdata":
        return f"<![CDATA[{text.replace(']]>', '')}]]>"
    for _ in range({"escaped": 1, "twice": 2, "bare": 0}[way]):
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return text


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """A feed all of whose items are told, by a name of its own."""
    items = "".join(
        f"<item><title>{('Microsoft and OpenAI want a data centre ' + str(n)) if n % 2 else '微软与OpenAI的算力'}"
        f"{written(draw(raw))}</title><link>{draw(st.sampled_from(LINKS))}</link><guid>{n}{written(draw(raw))}</guid>"
        f"<pubDate>{format_datetime(NOW - timedelta(minutes=n))}</pubDate><author>{written(draw(raw))}</author>"
        f"<category>{written(draw(raw))}</category><description>{written(draw(raw))}</description></item>"
        for n in range(1, 6)
    )
    return (
        f"<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel><title>Outlet {written(draw(raw))}</title>"
        f"<link>{draw(st.sampled_from(LINKS))}</link>{items}</channel></rss>"
    ).encode()


class Page(HTMLParser):
    """What a page is made of: elements with the names of their attributes, addresses, scripts, comments."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.made: set[tuple[str, str]] = set()
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.other: list[str] = []
        self.themes: list[str] = []
        self._in_script = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.made |= {(tag, name) for name, _ in [*attributes, ("", None)]}
        self.links += [value or "" for name, value in attributes if name in ("href", "src", "action", "background")]
        self.themes += [value or "" for name, value in attributes if name == "data-themes"]
        self._in_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    unknown_decl = handle_pi = handle_comment


@cache
def ours() -> tuple[set[tuple[str, str]], set[str]]:
    """Return what our own templates make of invented news with every kind of part, and which comments they have."""
    sources = read_templates(TEMPLATES).sources
    pages = [
        Page(press.render_edition(sample(language), Frame(sources, "owner@example.com", "m@example.com", "1")).html)
        for language in ("en", "zh")
    ]
    return set().union(*(page.made for page in pages)), {said for page in pages for said in page.other}


@pytest.fixture(scope="module")
def server() -> Iterator[FeedServer]:
    """A server whose one feed is another each time."""
    with FeedServer() as one:
        yield one


@given(document=documents())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_feed_adds_anything_to_a_mail_or_a_page(
    server: FeedServer, tmp_path_factory: pytest.TempPathFactory, document: bytes
) -> None:
    """No element, attribute, scheme, script, header or hidden sign that is not our own."""
    folder = tmp_path_factory.mktemp("hostile")
    server.put("/evil.xml", document)
    (folder / "feeds.yaml").write_text(config_text([server.url("/evil.xml")]), encoding="utf-8")
    chosen = config.load(folder / "feeds.yaml")
    desk = press.Desk(TEMPLATES, "Monitor <monitor@example.test>", "owner@example.test")
    with Store(folder / "monitor.db") as store:
        worker.meet_digests(chosen, store, NOW)
        worker.poll(chosen, store, lambda: NOW, everything=True)
        made = worker.digest(chosen, chosen.digests[0], store, desk, NOW)
        assert made is not None
        archive.update(
            store, folder / "archive", read_templates(TEMPLATES), language="en", titles=chosen.titles,
        )  # fmt: skip
    if not made[1]:  # what is no XML any more may hold no news either
        assert not is_xml(document)
        shutil.rmtree(folder)
        return
    check_mail(made[1][0].raw)
    check_archive(folder / "archive")
    shutil.rmtree(folder)


@given(texts=st.lists(st.tuples(words, words, words, st.sampled_from(LINKS)), min_size=1, max_size=5))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_the_cleaning_of_feeds_let_through_would_be_words_all_the_same(
    tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[list[str], list[str], list[str], str]]
) -> None:
    """Feeds are made plain text when they are read. Here nothing is, and templates hold what comes."""
    folder = tmp_path_factory.mktemp("unclean")
    (folder / "feeds.yaml").write_text(config_text(["https://example.com/rss"]), encoding="utf-8")
    chosen = config.load(folder / "feeds.yaml")
    desk = press.Desk(TEMPLATES, "Monitor <monitor@example.test>", "owner@example.test")
    news = [
        Judged(
            Item(
                "https://example.com/rss", str(n), f"{link}{n}", f"OpenAI {n} {' '.join(title)}", " ".join(summary),
                " ".join(outlet), "en", NOW, NOW,
            ),
            Verdict(True, (("agi", 2.0),), 3.0, (Evidence("theme.agi", "AGI", "summary", 0, 9),)),
        )
        for n, (title, summary, outlet, link) in enumerate(texts)
    ]  # fmt: skip
    with Store(folder / "monitor.db") as store:
        worker.meet_digests(chosen, store, NOW)
        store.save_poll(FeedState("https://example.com/rss", last_polled=NOW, last_ok=NOW), news)
        made = worker.digest(chosen, chosen.digests[0], store, desk, NOW)
        archive.update(store, folder / "archive", read_templates(TEMPLATES), language="en", titles=chosen.titles)
    assert made is not None
    check_mail(made[1][0].raw)
    check_archive(folder / "archive")
    shutil.rmtree(folder)


def is_xml(document: bytes) -> bool:
    """Tell whether a document is what it claims to be."""
    try:
        ElementTree.fromstring(document)
    except ElementTree.ParseError:
        return False
    return True


def check_mail(sent: bytes) -> None:
    """Look at the bytes as a mail program does."""
    mail = message_from_bytes(sent, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert set(mail.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "List-Id", "List-Unsubscribe", "Auto-Submitted",
        "X-Auto-Response-Suppress", "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert (mail["To"], len(mail.get_all("To") or ())) == ("you@example.test", 1)
    assert mail["Subject"].isprintable()
    parts = [part for part in mail.walk() if not part.is_multipart()]
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    text, html = (str(part.get_content()).replace("\r\n", "\n") for part in parts)
    assert not UNSEEN.search(text)
    assert not UNSEEN.search(html)
    check_page(Page(html))


def check_page(page: Page) -> None:
    """Hold the structure of a page against that of invented news."""
    made, comments = ours()
    assert page.made <= made, page.made - made
    assert set(page.other) <= comments
    assert not page.scripts
    for link in page.links:
        assert urlsplit(link).scheme in ("http", "https", "mailto"), link
        assert not link.startswith("mailto:") or link.startswith("mailto:owner@example.test?subject="), link


def check_archive(folder: Path) -> None:
    """Look at the index and the pages of editions as a browser does."""
    index = (folder / "index.html").read_text("utf-8")
    assert not UNSEEN.search(index)
    page = Page(index)
    tags = {tag for tag, _ in page.made}
    assert not tags & {"img", "svg", "iframe", "form-action", "base", "object", "embed", "math", "table"}
    assert {name for _, name in page.made if name.startswith("on")} == set()
    assert {name for tag, name in page.made if tag == "a"} <= {"", "href", "lang"}
    assert "".join(page.scripts).strip() == (TEMPLATES / "archive.js").read_text("utf-8").strip()
    assert not page.other
    for themes in page.themes:
        assert set(json.loads(themes)) <= {"compute", "agi", "competition"}
    for link in page.links:
        assert urlsplit(link).scheme in ("http", "https") or re.fullmatch(r"[\w./#-]+\.html", link), link
    for path in folder.glob("*/*.html"):
        edition = path.read_text("utf-8")
        way = re.search(r'<p style="[^"]*"><a href="\.\./\d{4}\.html#[\d-]+">[^<]*</a></p>', edition)
        assert way
        check_page(Page(edition.replace(way[0], "")))


# ---------------------------------------------------------------- templates


ESCAPES = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ edition.__init__.__globals__ }}",
    "{{ say.__globals__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('true').read() }}",
    "{{ lipsum.__globals__['os'].popen('true').read() }}",
    "{{ (''|attr('__class__')).__mro__ }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(edition) }}",
    "{{ '{a.__class__.__init__.__globals__}'.format_map({'a': edition}) }}",
    "{{ ('{0.__class__.__mro__}'|attr('format'))(edition) }}",
    "{{ [edition]|map(attribute='__class__.__mro__')|list }}",
    "{{ [edition]|map('attr', '__class__')|map('attr', '__mro__')|first }}",
    "{{ edition.plan.__setattr__('name', 'x') }}",
    "{{ [1].append(2) }}",
    "{% set d = {} %}{{ d.update({'a': 1}) }}",
    "{{ sentences.__class__.__base__ }}",
    "{{ say.__code__ }}",
    "{{ edition.compose.__func__ }}",
    "{% include '/etc/passwd' %}",
    "{% include '../feeds.yaml' %}",
    "{% import 'os' as os %}{{ os.system('true') }}",
)


@pytest.mark.parametrize("escape", ESCAPES)
def test_a_template_cannot_leave_its_sandbox(escape: str) -> None:
    """Nothing of the program, the disk or the system is reached, and nothing changed; it is a fault like any other."""
    sources = {**read_templates(TEMPLATES).sources, "digest.subject.txt": escape}
    with pytest.raises(TemplateError) as caught:
        press.render_edition(sample("en"), Frame(sources, "", "m@example.com", "1"))
    assert "root:" not in str(caught.value)


@pytest.mark.parametrize(
    ("endless", "why"),
    [
        ("{% for n in range(10**9) %}x{% endfor %}", "Range too big"),
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}much ado about nothing{% endfor %}{% endfor %}",
            "writes",
        ),
        ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "recursion"),
        ("{% include 'digest.txt' %}", "recursion"),
    ],
)
def test_a_template_that_writes_without_end_is_stopped(endless: str, why: str) -> None:
    """The worker goes on with the last good ones."""
    with pytest.raises(TemplateError, match=why):
        fill(environment(Templates({"digest.txt": endless}, {})), {}, "digest.txt")
    assert LONGEST_PAGE < 100_000_000


def test_every_claim_of_the_threat_model_names_a_test_that_is_there() -> None:
    """SECURITY.md is no longer true when a test goes."""
    named = set(re.findall(r"`(test_\w+\.py)`", (ROOT / "SECURITY.md").read_text("utf-8")))
    assert len(named) > 10
    assert named <= {path.name for path in (ROOT / "tests").glob("test_*.py")}
