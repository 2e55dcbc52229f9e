"""`fulltext: true`: the pages behind the links of a feed, under the same manners as feeds, and what they decide."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from monitor import config, worker
from monitor.explain import explain
from monitor.feeds import fulltext
from monitor.match.judge import judge
from monitor.model import Judged
from tests.builders import config_text
from tests.feedserver import FeedServer
from tests.test_identity import E, document
from tests.test_worker import DAY, START, Office

TITLE = "A quarter of two companies"
SUMMARY = "What the figures say, and what they leave out."
STORY = (
    "OpenAI and Microsoft cannot agree on AGI, and the data centre that both wanted in Ohio will not be built. "
    "The dispute between Microsoft and OpenAI goes back to the contract of 2019, people who know it say. "
)
RULES = "/robots.txt"


def page(text: str = STORY) -> str:
    """A web page with an article, and with much else."""
    paragraphs = "".join(f"<p>{text} It is paragraph {n} of a long article on that matter.</p>" for n in range(4))
    return (
        "<!doctype html><html><head><title>A page</title></head><body><nav><a href='/'>Home</a> Menu</nav>"
        f"<article><h1>{TITLE}</h1>{paragraphs}</article><footer>All rights reserved</footer></body></html>"
    )


class Reader(Office):
    """An office whose one feed has its articles read."""

    def configure(self, feeds: Sequence[str], to: Sequence[str] = ("alice@example.test",)) -> None:
        """Watch one feed with its pages."""
        self.set("[127.0.0.0/8]")

    def set(self, allow: str, timeout: str = "5s") -> None:
        """Say which addresses may be asked, and how long."""
        path = self.folder / "feeds.yaml"
        text = config_text([])
        feed = f"  - url: {self.server.url('/one.xml')}\n    fulltext: true\n    timeout: {timeout}\n"
        text = text.replace("feeds:\n\n", f"feeds:\n{feed}").replace("[127.0.0.0/8]", allow)
        path.write_text(text, encoding="utf-8")
        self.settings = config.load(path)
        worker.meet_digests(self.settings, self.store, self.now)

    def entry(self, path: str = "/article", **kwargs: object) -> E:
        """An entry that links to a page of the feed's server."""
        link = path if path.startswith("http") else self.server.url(path)
        return E(**{"title": TITLE, "id": path, "link": link, "date": self.now, "summary": SUMMARY, **kwargs})  # type: ignore[arg-type]

    def show(self, *entries: E, hours: float = 1) -> tuple[str, int, int, int]:
        """Let some time pass, show these entries and poll."""
        self.now += timedelta(hours=hours)
        self.server.put("/one.xml", document(entries))
        [found] = self.poll()
        return found

    def html(self, path: str, body: str | bytes = "", kind: str = "text/html; charset=utf-8") -> None:
        """Put a page on the server."""
        self.server.put(path, body or page(), headers={"Content-Type": kind})

    def pages(self) -> list[str]:
        """Which pages were asked for."""
        return [request.path for request in self.server.requests if request.path not in ("/one.xml", RULES)]

    def texts(self) -> list[str]:
        """What is kept of articles."""
        with closing(sqlite3.connect(self.store.path)) as conn:
            return [text for (text,) in conn.execute("SELECT text FROM items ORDER BY id")]

    def hit(self) -> Judged:
        """The one hit that was not told."""
        [hit] = self.store.untold_hits("morning")
        return hit


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Reader]:
    """A worker's world with nothing published yet."""
    with FeedServer() as server:
        made = Reader(tmp_path, server)
        yield made
        made.store.close()


# ---------------------------------------------------------------- what pages decide


def test_the_text_of_the_page_decides_where_title_and_summary_say_nothing(office: Reader) -> None:
    """Both companies and a theme stand only there."""
    office.html("/article")
    assert office.show(office.entry()) == ("ok", 1, 0, 1)
    hit = office.hit()
    assert STORY.strip() in hit.item.text
    assert "Menu" not in hit.item.text
    assert dict(hit.verdict.themes).keys() >= {"agi", "compute"}
    assert office.told() == [TITLE]


def test_evidence_in_the_text_is_where_it_says(office: Reader) -> None:
    """Each place of the text holds the word that it was found by; the digest marks only the summary."""
    office.html("/article")
    office.show(office.entry(summary="Of Microsoft and others."))
    hit = office.hit()
    places = [(e.keyword, getattr(hit.item, e.field)[e.start : e.end]) for e in hit.verdict.evidence]
    assert {e.field for e in hit.verdict.evidence} == {"summary", "text"}
    assert {("OpenAI", "OpenAI"), ("Microsoft", "Microsoft"), ("AGI", "AGI")} <= set(places)
    assert all(keyword.split(" OR ")[0].lower() == words.lower() for keyword, words in places if " " not in keyword)
    edition, [mail] = office.digest()
    assert [story.lead.item.title for story in edition.stories] == [TITLE]
    assert b"Of Microsoft and others." in mail.raw
    assert b"dispute" not in mail.raw


def test_explain_shows_what_surrounds_the_words_in_the_text(office: Reader) -> None:
    """Marked, and without the rest of a long text."""
    filler = "Nothing of this matters to anybody at all, but it is long enough to be left out here. " * 8
    office.html("/article", page(STORY + filler))
    office.show(office.entry())
    item = office.hit().item
    lines = list(explain(item, judge(item, office.settings.rules, thorough=True), office.settings.rules))
    shown = [line for line in lines if line.startswith("  text ")]
    assert "[OpenAI] and [Microsoft] cannot agree on {AGI}" in shown[0]
    assert sum(map(len, shown)) < len(item.text)
    assert any("AGI in the text" in line for line in lines)


def test_the_text_is_forgotten_with_the_summary(office: Reader) -> None:
    """And kept as long."""
    office.html("/article")
    office.show(office.entry())
    assert STORY.strip() in office.texts()[0]
    office.now += 10 * DAY
    worker.tidy(office.settings, office.store, office.now)
    assert office.texts()[0]
    office.now += 400 * DAY
    worker.tidy(office.settings, office.store, office.now)
    assert office.texts() == [""]


def test_only_pages_of_what_is_new_or_changed_are_read(office: Reader) -> None:
    """None of an archive, and none twice."""
    for path in ("/a", "/b", "/old"):
        office.html(path)
    old = office.entry("/old", date=START - 30 * DAY)
    a, b = office.entry("/a"), office.entry("/b")
    office.show(a, old)
    assert office.pages() == ["/a"]
    office.show(b, a, old)
    assert office.pages() == ["/a", "/b"]
    office.show(b, a, old)
    edited = office.entry("/a", summary="Edited.", date=a.date)
    office.html("/a", page("Now it is about something else, and names nobody that anybody would know of."))
    assert office.show(b, edited, old)[:3] == ("ok", 0, 1)
    assert office.pages() == ["/a", "/b", "/a"]
    assert [hit.item.link for hit in office.store.untold_hits("morning")] == [office.server.url("/b")]


def test_an_edited_entry_of_the_archive_has_no_page_read(office: Reader) -> None:
    """It is no news, whatever its page says."""
    office.html("/old")
    old = office.entry("/old", date=START - 2 * DAY)
    office.show(old)
    office.show(office.entry("/old", date=old.date, summary="Edited."))
    assert office.pages() == []


def test_at_most_twenty_pages_are_read_in_a_round(office: Reader) -> None:
    """The others are judged by their summaries, and kept."""
    for number in range(25):
        office.html(f"/{number}")
    assert office.show(*[office.entry(f"/{n}") for n in range(25)])[:2] == ("ok", 25)
    assert sorted(office.pages()) == sorted(f"/{n}" for n in range(20))
    assert [bool(text) for text in office.texts()] == [True] * 20 + [False] * 5
    assert len(office.server.asked(RULES)) == 1


# ---------------------------------------------------------------- robots.txt


@pytest.mark.parametrize(
    ("status", "rules", "read"),
    [
        (200, "User-agent: *\nDisallow: /article", False),
        (200, "User-agent: rift-monitor\nDisallow: /", False),
        (200, "User-agent: reader\nDisallow: /\n\nUser-agent: news\nDisallow: /", True),
        (200, "User-agent: other\nDisallow: /\n\nUser-agent: *\nDisallow: /private", True),
        (200, "User-agent: *\nDisallow: /\nAllow: /article", True),
        (200, "\x00\xff not a robots.txt", True),
        (404, "", True),
        (403, "", True),
        (500, "", False),
        (503, "", False),
        (429, "", False),
    ],
)
def test_robots_txt_is_honoured(office: Reader, status: int, rules: str, *, read: bool) -> None:
    """Where it cannot be known, nothing is read (RFC 9309, 2.3.1); the item is kept in any case."""
    office.html("/article")
    office.server.put(RULES, rules, headers={"Content-Type": "text/plain"}, status=status)
    assert office.show(office.entry()) == ("ok", 1, 0, int(read))
    assert office.pages() == ["/article"] * read
    assert [bool(text) for text in office.texts()] == [read]


@pytest.mark.parametrize(("rules", "read"), [("User-agent: *\nDisallow: /there", False), ("", True)])
def test_a_link_that_leads_to_another_site_is_read_by_the_rules_of_that(
    office: Reader, rules: str, *, read: bool
) -> None:
    """Where it leads is known only afterwards: what may not be read is thrown away."""
    with FeedServer() as other:
        office.server.put("/article", status=302, headers={"Location": other.url("/there")})
        other.put("/there", page(), headers={"Content-Type": "text/html"})
        other.put(RULES, rules)
        assert office.show(office.entry()) == ("ok", 1, 0, int(read))
        assert [bool(text) for text in office.texts()] == [read]
        assert len(other.asked(RULES)) == 1


# ---------------------------------------------------------------- what cannot be read


@pytest.mark.parametrize("fault", ["pdf", "large", "huge", "404", "500", "hang", "reset", "empty", "loop", "no text"])
def test_a_page_that_cannot_be_read_leaves_the_summary(office: Reader, fault: str) -> None:
    """The item is judged by what there is, and kept."""
    office.set("[127.0.0.0/8]", timeout="1s")
    match fault:
        case "pdf":
            office.html("/article", page(), "application/pdf")
        case "large":
            office.html("/article", page() + " " * fulltext.MAX_PAGE)
        case "huge":
            office.html("/article", page() + " " * 11 * 2**20)
        case "404" | "500":
            office.server.put("/article", page(), status=int(fault))
        case "hang":
            office.server.hang("/article")
        case "reset":
            office.server.raw("/article", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n<html>", then="reset")
        case "empty":
            office.server.put("/article", b"", headers={"Content-Type": "text/html"})
        case "loop":
            office.server.put("/article", status=301, headers={"Location": office.server.url("/article")})
        case "no text":
            office.html("/article", "<html><body></body></html>")
    spoken = office.entry(summary="Microsoft and OpenAI have a rival.")
    assert office.show(spoken) == ("ok", 1, 0, 1)
    assert office.texts() == [""]
    assert {e.field for e in office.hit().verdict.evidence} == {"summary"}


def test_an_entry_without_a_link_is_judged_by_its_summary(office: Reader) -> None:
    """There is no page to be read."""
    assert office.show(office.entry(link="", id="", summary=STORY)) == ("ok", 1, 0, 1)
    assert office.pages() == []


def test_an_address_of_ones_own_network_behind_a_link_is_refused(office: Reader) -> None:
    """By the same guard as feeds: what stands in a feed must not lead behind the firewall."""
    private = "http://127.1.0.9:9/secret"
    office.set(f"[{office.server.url().split('/')[2].split(':')[0]}]")
    office.server.put("/leads", status=302, headers={"Location": private})
    with capture_logs() as logs:
        found = office.show(office.entry("/leads"), office.entry("http://169.254.169.254/latest"))
    assert found == ("ok", 2, 0, 0)
    assert office.texts() == ["", ""]
    assert [one["reason"] for one in logs if "not public: 127.1.0.9" in one.get("reason", "")]


def test_without_the_extra_there_is_one_warning_and_summaries_are_judged(
    office: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one for each entry."""
    monkeypatch.setattr(fulltext, "installed", lambda: False)
    with capture_logs() as logs:
        assert office.show(*[office.entry(f"/{n}", summary=STORY) for n in range(3)]) == ("ok", 3, 0, 3)
    assert [one["log_level"] for one in logs if "extra" in one["event"]] == ["warning"]
    assert office.pages() == []


def test_without_the_extra_an_unchanged_feed_is_no_reason_to_warn(
    office: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each poll would say it again."""
    monkeypatch.setattr(fulltext, "installed", lambda: False)
    entry = office.entry()
    office.show(entry)
    with capture_logs() as logs:
        assert office.show(entry)[0] == "unchanged"
        office.server.put("/one.xml", document([entry]).replace(b"<item>", b"<item> "))
        assert office.poll()[0][:3] == ("ok", 0, 0)
    assert not [one for one in logs if one["log_level"] == "warning"]


def test_a_page_that_cannot_be_read_again_still_says_what_it_said(office: Reader) -> None:
    """A hit that was not told yet is not withdrawn because its entry was edited while the page is away."""
    office.html("/article")
    entry = office.entry()
    office.show(entry)
    office.server.put("/article", status=503)
    office.show(replace(entry, summary=f"{SUMMARY} An edit."))
    hit = office.hit()
    assert STORY.strip() in hit.item.text
    assert hit.item.summary.endswith("An edit.")
