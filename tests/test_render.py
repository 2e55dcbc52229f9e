"""Rendering: what a reader sees in subject, text and HTML.

The golden files are what a person looked at and approved. After a change that is meant, write them
anew with `UPDATE_GOLDEN=1 pytest tests/test_render.py`, and look at them again.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.digest.labels import duration
from monitor.digest.prose import LINE, clean, columns, cut, wrap
from monitor.digest.render import bars, environment, href, marked, matches, render, summary, words
from monitor.errors import TemplateError
from monitor.model import (
    DigestPlan,
    Edition,
    Evidence,
    FeedTrouble,
    Item,
    Judged,
    Rendered,
    Section,
    Story,
    ThemeTitle,
    ToldStory,
    Trend,
    Trouble,
    Verdict,
)
from monitor.resources import read_templates

TEMPLATES = Path(__file__).parent.parent / "templates"
GOLDEN = Path(__file__).parent / "golden"
SHANGHAI = ZoneInfo("Asia/Shanghai")
ENVIRONMENT = environment(read_templates(TEMPLATES))
UNTIL = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
TITLES = {
    "en": ("Computing needs and access rights", "When AGI is reached", "Competition"),
    "zh": ("算力需求与使用权", "何时实现AGI", "竞争"),
}
HOSTILE = {
    "markup": "<b>Bold</b> & <script>alert(1)</script> \"quoted\" 'single' </title></style>",
    "template": "{{ 7 * 7 }} {% raw %} {# no #}",
    "breaks": "Microsoft\r\nBcc: everyone@example.com\r\n\r\n<p>body\x00\x07\x1b[31m\x85\u2028end",
    "direction": "OpenAI \u202egnp.exe\u202c \u2066isolated\u2069 \u200bzero\u200f\ufeff",
    "emoji": "🚀 Microsoft 👨‍👩‍👧 OpenAI 🇨🇳 ☎️",
    "long": "微软OpenAI" * 500,
    "word": "x" * 4000,
    "surrogate": "OpenAI \ud83d lone",
    "encoded": "=?utf-8?q?Hi=0D=0ABcc:_a@example.com?=",
}


# ------------------------------------------------------------------ a small builder of editions


def a_report(
    title: str = "Microsoft restarts its Ohio campus and leaves OpenAI off the tenant list",
    outlet: str = "Example Journal",
    *,
    link: str = "https://example.com/ohio?a=1&b=2",
    text: str = "",
    found: tuple[str, ...] = (),
    hours: float = 2.3,
    dated: bool = True,
) -> Judged:
    """Return a judged report; `found` are the words of themes, wherever they stand in title and text."""
    item = Item(
        feed_url="https://feeds.example.net/all.xml",
        key=link or title,
        link=link,
        title=title,
        summary=text,
        outlet=outlet,
        language="zh" if re.search("[一-鿿]", title) else "en",
        published=UNTIL - timedelta(hours=hours),
        first_seen=UNTIL,
        dated=dated,
    )
    evidence = [
        Evidence("theme.compute", word, field, hit.start(), hit.end())
        for word in found
        for field in ("title", "summary")
        for hit in re.finditer(re.escape(word), getattr(item, field))
    ]
    evidence.append(Evidence("coverage.microsoft", "Microsoft", "title", 0, 9))
    return Judged(item, Verdict(True, evidence=tuple(evidence)))


def a_story(*reports: Judged, themes: tuple[str, ...] = ("compute",), told: ToldStory | None = None) -> Story:
    """Return a story of `reports`, or of one report of no interest."""
    return Story(reports or (a_report(),), themes, told)


def an_edition(*sections: Section, language: str = "en", **fields: object) -> Edition:
    """Return an edition of one day, seen from Shanghai, all feeds well."""
    plan = DigestPlan("morning", ("reader@example.org",), "30 7 * * *", "Asia/Shanghai", language)
    values: dict[str, object] = {
        "plan": plan,
        "since": UNTIL - timedelta(days=1),
        "until": UNTIL,
        "sections": sections,
        "reports": sum(len(s.reports) for section in sections for s in (*section.stories, *section.updates)),
        "feeds_total": 34,
        "troubles": (),
        "theme_titles": tuple(map(ThemeTitle, ("compute", "agi", "competition"), TITLES[language])),
    }
    return Edition(**(values | fields))  # type: ignore[arg-type]


def a_section(name: str, *stories: Story, language: str = "en", **fields: object) -> Section:
    """Return the section of theme `name`."""
    title = dict(zip(("compute", "agi", "competition"), TITLES[language], strict=True)).get(name, name)
    return Section(ThemeTitle(name, title), stories, **fields)  # type: ignore[arg-type]


OHIO = a_story(
    a_report(
        text="The three sites paused in 2025 will host Microsoft's own models only; OpenAI's capacity there"
        " lapses in March, people briefed on the plan say.",
        found=("own models", "capacity"),
    ),
    a_report("Ohio is back on", "Sample Wire", link="https://example.com/2"),
    a_report("Ohio: the return", "The Example", link="https://example.com/3"),
    a_report("微软重启俄亥俄园区", "示例财经", link="https://example.com/4"),
    a_report("微软俄亥俄园区复工", "某某科技", link="https://example.com/5"),
    themes=("compute", "competition"),
)
CLUSTER = a_story(
    a_report(
        "OpenAI首次把训练集群整体搬出Azure，微软放弃优先购买权",
        "示例财经",
        link="https://example.com/zh/训练",
        text="新合同为期五年，由两家供应商分担。微软保留模型使用权至2032年。双方称，原有的“优先购买权”不再适用。",
        found=("使用权", "优先购买权"),
        hours=1.5,
    ),
    a_report("OpenAI moves its training cluster", "Example Tech", link="https://example.com/6"),
)
PANEL = a_story(
    a_report(
        "The seven people who will decide whether a machine has become general",
        "Sample Review",
        link="https://example.com/panel",
        text="Redmond and its lab agreed on names after a year of talks. Their verdict starts a clock.",
        hours=9,
        dated=False,
    ),
    a_report("Panel named", "Example Times", link="https://example.com/8"),
    themes=("agi",),
)
ORACLE = a_story(
    a_report("Oracle wants a guarantee", "Sample Wire", link="https://example.com/71"),
    a_report("甲骨文要求担保", "示例财经", link="https://example.com/72"),
    told=ToldStory(
        id=7,
        title="Oracle asks OpenAI for a guarantee on its Texas halls",
        link="https://example.com/7",
        language="en",
        themes=("compute",),
        outlets=("Example Journal",),
        links=("https://example.com/7",),
        titles=("Oracle asks OpenAI for a guarantee on its Texas halls",),
        told=UNTIL - timedelta(days=1),
    ),
)
LOSS = a_story(
    a_report("Microsoft books a smaller loss on its OpenAI stake", "Sample Wire", link="https://example.com/10"),
    a_report("Smaller loss at Microsoft", "Example Times", link="https://example.com/101"),
    themes=(),
)
COURT = a_story(a_report("法院就共同版权案定下日期", "某某科技", link="https://example.com/11"), themes=())
TROUBLES = (
    FeedTrouble("The Information", "HTTP 403 Forbidden", datetime(2026, 11, 22, 6, 10, tzinfo=UTC)),
    FeedTrouble("Sample Post", "no feed at this address", None),
)
REMARKS = (
    FeedTrouble("36氪", "", UNTIL - timedelta(days=3), Trouble.SILENT, timedelta(hours=2)),
    FeedTrouble("Old Wire", "", UNTIL - timedelta(days=300), Trouble.STALE),
)


def trends(language: str = "en") -> tuple[Trend, ...]:
    """Return one theme that is far above its usual, one that comes back, one as ever."""
    short = {"en": ("Compute", "AGI", "Competition"), "zh": ("算力", "AGI", "竞争")}[language]
    themes = map(ThemeTitle, ("compute", "agi", "competition"), TITLES[language], short)
    said = (
        (5, 1.3, (2, 1, 1, 3, 1, 2, 1, 1, 2, 1, 1, 1, 1, 5), "times", 4),
        (1, 0.1, (0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), "returns", 11),
        (1, 2.2, (2, 3, 2, 1, 3, 2, 2, 2, 3, 2, 1, 3, 2, 1), "", 0),
    )
    return tuple(Trend(theme, *rest) for theme, rest in zip(themes, said, strict=True))


def a_full_edition(language: str = "en") -> Edition:
    """Return an edition with all that an edition can have, English and Chinese mixed."""
    return an_edition(
        a_section("compute", OHIO, CLUSTER, language=language, updates=(ORACLE,), more=3),
        a_section("agi", PANEL, language=language),
        Section(None, (LOSS, COURT)),
        language=language,
        troubles=TROUBLES,
        remarks=REMARKS,
        trends=trends(language),
        notices=("feeds.yaml:12:3: unknown key 'them'; did you mean 'theme'? The last good file is in use.",),
    )


def show(edition: Edition, owner: str = "owner@example.com") -> Rendered:
    """Render with the templates of the package."""
    return render(edition, ENVIRONMENT, zone=SHANGHAI, owner=owner, version="1.2.3")


class Page(HTMLParser):
    """What a mail program makes of the HTML: words, links, marks, headings."""

    def __init__(self, html: str) -> None:
        """Read `html`."""
        super().__init__()
        self.words, self.hrefs, self.marks, self.tags = "", list[str](), list[str](), list[str]()
        self._mark = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag, its address, and whether a mark begins."""
        self.tags.append(tag)
        values = dict(attrs)
        self.hrefs += [values["href"] or ""] if "href" in values else []
        self._mark = values.get("class") == "mark"

    def handle_endtag(self, tag: str) -> None:
        """Note that a mark ends."""
        self._mark = False

    def handle_data(self, data: str) -> None:
        """Collect the words."""
        self.words += data
        self.marks += [data.strip()] if self._mark else []


# ------------------------------------------------------------------ golden files

GOLDENS = {
    "digest-en": a_full_edition("en"),
    "digest-zh": a_full_edition("zh"),
    "digest-empty": an_edition(
        troubles=TROUBLES[:1],
        trends=(
            replace(trends()[0], count=0, change="", days=(1, 0) * 7),
            replace(trends()[2], count=0, change="quiet", amount=2),
        ),
    ),
    "digest-updates": an_edition(a_section("compute", updates=(ORACLE,))),
    "digest-doubted": an_edition(Section(None, (LOSS,), doubted=True), reports=0),
    "digest-silent": an_edition(
        troubles=tuple(FeedTrouble(f"Feed {n}", "no answer within 30 s", None) for n in range(34))
    ),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_a_digest_reads_as_it_did(name: str) -> None:
    """Subject and text, and the HTML, are what a person once looked at and approved."""
    rendered = show(GOLDENS[name])
    for suffix, now in {
        "txt": f"Subject: {rendered.subject}\n\n{rendered.text}",
        "html": rendered.html,
    }.items():
        path = GOLDEN / f"{name}.{suffix}"
        if os.environ.get("UPDATE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(now, encoding="utf-8")
        assert now == path.read_text(encoding="utf-8")


# ------------------------------------------------------------------ what it says


def test_the_subject_is_the_lead_then_the_count_then_the_date() -> None:
    """The first words of a subject are all that many phones show."""
    subject = show(a_full_edition()).subject
    assert subject == "Microsoft restarts its Ohio campus and leaves OpenAI… | +7 stories | 24 Nov"
    assert show(an_edition(a_section("agi", PANEL))).subject.endswith(" general | 24 Nov")


def test_the_chinese_subject_counts_two_columns_a_character() -> None:
    """A subject of Han characters is cut at half their number, and says the rest in Chinese."""
    edition = an_edition(a_section("compute", CLUSTER, OHIO, language="zh"), language="zh")
    subject = show(edition).subject
    assert subject.startswith("OpenAI首次把训练集群整体搬出Azure")
    assert subject.endswith(" | 另有1条 | 11月24日")
    assert columns(subject) <= 78


def test_one_story_is_singular() -> None:
    """English says "1 story", "1 report", and does not ask for "more" of it."""
    rendered = show(an_edition(a_section("agi", a_story()), reports=1))
    assert "1 new story from 1 report." in rendered.text
    assert "1 new story from 1 report" in rendered.html
    assert "More" not in rendered.text


def test_an_edition_without_news_says_so_in_one_line() -> None:
    """A heartbeat mail is short, and still tells how the feeds are."""
    rendered = show(an_edition())
    assert rendered.subject == "Nothing new on Microsoft and OpenAI | 24 Nov"
    assert "Nothing new since 23 Nov 07:30." in rendered.text
    assert "All 34 feeds answered." in rendered.text
    assert "<h2" not in rendered.html
    assert "没有新消息" in show(an_edition(language="zh")).subject


def test_feeds_that_were_never_asked_are_not_said_to_have_answered() -> None:
    """A preview before the first poll would promise a quiet day."""
    rendered = show(an_edition(unasked=34))
    assert rendered.subject == "No feed asked yet: no news on Microsoft and OpenAI | 24 Nov"
    assert "No feed has been asked yet, so there is nothing to tell." in rendered.text
    assert "0 of 34 feeds answered. 34 have not been asked yet." in rendered.text
    assert "33 of 34 feeds answered. 1 has not been asked yet." in show(an_edition(unasked=1)).text
    assert "34个订阅源中32个正常。2个尚未抓取。" in show(an_edition(unasked=2, language="zh")).text
    assert "尚未抓取" in show(an_edition(unasked=34, language="zh")).subject


def test_updates_alone_make_a_mail() -> None:
    """With nothing but updates the subject leads with the story as it was told."""
    rendered = show(an_edition(a_section("compute", updates=(ORACLE,))))
    assert rendered.subject == "Oracle asks OpenAI for a guarantee on its Texas halls | 24 Nov"
    assert "No new stories, 1 update to an earlier one." in rendered.text


def test_an_update_names_only_the_outlets_that_are_new() -> None:
    """Outlets that had the story when it was told are not news; without a new one, reports are counted."""
    assert "+2 outlets since yesterday" in show(an_edition(a_section("compute", updates=(ORACLE,)))).text
    again = a_story(a_report(outlet="Example Journal"), told=ORACLE.continues)
    rendered = show(an_edition(a_section("compute", updates=(again,))))
    assert "+1 report since yesterday" in rendered.text
    assert "https://example.com/ohio?a=1&b=2" in Page(rendered.html).hrefs


def test_a_story_of_two_themes_stands_once_and_names_the_other() -> None:
    """The reader must not meet one event twice."""
    rendered = show(an_edition(a_section("compute", OHIO)))
    assert rendered.html.count("leaves OpenAI off the tenant list</a>") == 1
    assert "also Competition" in Page(rendered.html).words
    assert "Example Journal, 24 Nov 05:12 | also Competition" in rendered.text


def test_times_are_the_digests_and_the_zone_is_named_once() -> None:
    """Stored in UTC, read in Shanghai."""
    rendered = show(a_full_edition())
    assert "Tuesday 24 November 2026, 07:30 (times in Asia/Shanghai, UTC+8)" in rendered.text
    assert rendered.text.count("Shanghai") == 1
    assert "seen 23 Nov 22:30" in rendered.text
    kathmandu = render(an_edition(), ENVIRONMENT, zone=ZoneInfo("Asia/Kathmandu"))
    assert "(times in Asia/Kathmandu, UTC+5:45)" in kathmandu.text
    assert "(times in UTC)" in render(an_edition(), ENVIRONMENT, zone=UTC).text


def test_another_year_is_written_out() -> None:
    """A bare "24 Nov" always means this year's."""
    trouble = FeedTrouble("Old", "gone", datetime(2025, 1, 2, 3, 4, tzinfo=UTC))
    assert "Old: gone, since 2 Jan 2025 11:04." in show(an_edition(troubles=(trouble,))).text


def test_troubles_and_notices_are_told() -> None:
    """A reader can tell quiet news from a broken worker."""
    rendered = show(a_full_edition())
    for words_ in (rendered.text, Page(rendered.html).words):
        assert "32 of 34 feeds answered. Out of order: The Information since 22 Nov 14:10, Sample Post." in " ".join(
            words_.split()
        )
        assert "Unusually quiet: 36氪 for 3 days (usual: 2 hours)." in " ".join(words_.split())
        assert "36氪: no news since 21 Nov 07:30; usual is every 2 hours." in words_
        assert "The Information: HTTP 403 Forbidden, since 22 Nov 14:10" in words_
        assert "did you mean 'theme'?" in " ".join(words_.split())
    many = tuple(FeedTrouble(f"Feed {number}", "down", None) for number in range(30))
    text = show(an_edition(troubles=many)).text
    assert "Out of order: Feed 0, Feed 1, Feed 2, 27 more (see the end)." in text.replace("\n", " ")
    assert "- and 10 more feeds." in text
    assert "Feed 19: down" in text
    assert "Feed 20: down" not in text


def test_stories_held_back_are_counted() -> None:
    """The summary line counts what the page leaves out, and the section says how many."""
    rendered = show(an_edition(a_section("agi", PANEL, more=1)))
    assert "+1 more story, not shown here" in rendered.text
    assert "2 new stories" in rendered.text
    assert "| +1 story |" in rendered.subject


def test_many_outlets_are_cut_to_twelve_in_both_parts() -> None:
    """A story that everybody has must not fill the mail."""
    crowd = a_story(*(a_report(outlet=f"Outlet {n}", link=f"https://example.com/{n}") for n in range(40)))
    rendered = show(an_edition(a_section("compute", crowd)))
    assert "(40 outlets)" in rendered.html
    assert "Outlet 12</a>, +27 (40 outlets)" in rendered.html
    assert "https://example.com/13" not in rendered.text


def test_without_an_owner_there_is_nobody_to_write_to() -> None:
    """The two links are left out; the list and the program stay named."""
    rendered = show(a_full_edition(), owner="")
    assert "mailto:" not in rendered.text + rendered.html
    assert "rift-monitor 1.2.3" in rendered.text


def test_a_theme_of_ones_own_is_neutral() -> None:
    """A name from feeds.yaml becomes a class that a user may colour, and never markup."""
    html = show(an_edition(Section(ThemeTitle('x" onclick="y', "Power & water"), (a_story(),)))).html
    assert '<h2 class="rule theme theme-x-onclick-y" ' in html
    assert "color: #424a53" in html
    assert "Power &amp; water" in html


def test_chinese_and_english_are_tagged_on_each_others_pages() -> None:
    """The tag picks the glyphs and the voice."""
    english, chinese = (show(a_full_edition(language)).html for language in ("en", "zh"))
    assert '<html lang="en"' in english
    assert re.search(r'<h3 class="ink headline" lang="zh-Hans"', english)
    assert '<html lang="zh-Hans"' in chinese
    assert re.search(r'<h3 class="ink headline" lang="en"', chinese)


# ------------------------------------------------------------------ marks


def test_marks_slice_the_matched_words_exactly() -> None:
    """Each mark holds the evidence's own characters, and nothing of the coverage is marked."""
    assert Page(show(an_edition(a_section("compute", OHIO, CLUSTER))).html).marks == [
        "own models",
        "capacity",
        "使用权",
        "优先购买权",
    ]
    assert words(OHIO.lead) == ["own models", "capacity"]


def test_overlapping_marks_are_one() -> None:
    """The keywords "AI chip" and "chip supply" mark "AI chip supply" once."""
    report = a_report(text="The AI chip supply <is> short", found=("AI chip", "chip supply", "AI"))
    assert matches(report, "summary") == [(4, 18)]
    assert marked(report) == 'The <span class="mark">AI chip supply</span> &lt;is&gt; short'


def test_a_mark_never_runs_past_the_cut() -> None:
    """A summary cut within a matched word marks what is left of it; spans beyond the text are ignored."""
    report = a_report(text="算力" * 200, found=("算力" * 200,))
    assert re.fullmatch(r'<span class="mark">(算力)+算?</span>…', marked(report))
    late = a_report(text="short " * 60 + "late", found=("late",))
    assert marked(late) == summary(late)
    wrong = Verdict(True, evidence=(Evidence("theme.x", "x", "summary", 900, 950),))
    assert marked(Judged(report.item, wrong)) == summary(report)


def test_a_summary_that_repeats_the_headline_is_left_out() -> None:
    """Aggregators give the headline and the outlet's name as a summary."""
    assert summary(a_report("Microsoft and OpenAI", text="Microsoft and OpenAI  Example Journal")) == ""


# ------------------------------------------------------------------ hostile feeds


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_headline_is_only_words(kind: str) -> None:
    """Whatever a feed calls its items, the mail's structure stays as it is."""
    title = HOSTILE[kind]
    tame = show(an_edition(a_section("compute", a_story(a_report("Tame", text="A summary"))))).html
    rendered = show(an_edition(a_section("compute", a_story(a_report(title, outlet=title, text="A" + title)))))
    assert Page(rendered.html).tags == Page(tame).tags
    assert columns(rendered.subject) <= 78
    assert rendered.subject.isprintable()
    for part in (rendered.text, rendered.html.replace("\u200c", "")):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", part)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVa\tscript:alert(1)",
        "data:text/html,x",
        "//example.com/x",
        "https:",
        "",
        "http://[::1",
    ],
)
def test_only_web_addresses_become_links(url: str) -> None:
    """Any other scheme leaves the headline without a link."""
    assert href(url) == ""
    rendered = show(an_edition(a_section("compute", a_story(a_report("Headline", link=url)))), owner="")
    assert Page(rendered.html).hrefs == []
    assert "Headline" in Page(rendered.html).words


def test_an_address_cannot_leave_its_attribute() -> None:
    """Quotes, brackets, spaces and Han characters are percent-encoded; what was encoded stays."""
    assert href('https://example.com/a b"><i>?q=微#x%20y') == "https://example.com/a%20b%22%3E%3Ci%3E?q=%E5%BE%AE#x%20y"


def test_a_report_without_headline_or_outlet_still_has_words() -> None:
    """The summary's beginning stands in for the headline, the host for the outlet."""
    rendered = show(
        an_edition(a_section("agi", a_story(a_report("", "", text="Only a summary.", link="https://a.example/x"))))
    )
    assert rendered.subject == "Only a summary. | 24 Nov"
    assert "a.example, 24 Nov" in rendered.text
    assert "(no headline)" in show(an_edition(a_section("agi", a_story(a_report(""))))).text


# ------------------------------------------------------------------ the text part


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_link_stands_alone_on_a_line_of_the_text(language: str) -> None:
    """The text part loses nothing that the HTML part has."""
    rendered = show(a_full_edition(language))
    lines = {line.strip() for line in rendered.text.splitlines()}
    hrefs = Page(rendered.html).hrefs
    assert len(hrefs) >= 16
    assert [link for link in hrefs if link not in lines] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_text_keeps_to_72_columns(language: str) -> None:
    """All but addresses."""
    lines = show(a_full_edition(language)).text.splitlines()
    assert [line for line in lines if columns(line) > LINE and not re.search("https?://|mailto:", line)] == []
    assert "-- " in lines
    assert [line for line in lines if line != "-- " and line != line.rstrip()] == []


ODD = st.text(st.one_of(st.characters(), st.sampled_from("微软，。（）“”A b-'!\n")), max_size=400)


@given(ODD, st.integers(0, 8))
def test_wrapping_keeps_the_width_and_the_words(text: str, indent: int) -> None:
    """Any text at all: no line too wide, nothing lost but spaces."""
    wrapped = wrap(text, indent)
    assert all(columns(line) <= LINE or "://" in line for line in ("x" * indent + wrapped).split("\n"))
    assert "".join(wrapped.split()) == "".join(clean(text).split())


@given(st.text("微软模型，。：）”", min_size=1, max_size=200))
def test_no_line_begins_with_a_closing_mark(text: str) -> None:
    """Chinese breaks anywhere but there (a mark that follows nothing has nowhere else to go)."""
    text = "微" + re.sub("[，。：）”]+", "，", text)
    assert not any(line[0] in "，。：）”" for line in wrap(text).split("\n"))


def test_an_address_is_never_broken() -> None:
    """Neither in prose nor between brackets or Han characters."""
    url = "https://example.com/" + "a" * 90
    for text in (f"see {url} there", f"见{url}，微软", f"({url})"):
        assert any(url in line for line in wrap(text).split("\n"))


@given(ODD, st.integers(2, 300))
def test_cutting_keeps_the_limit_and_the_beginning(text: str, limit: int) -> None:
    """What is cut is a beginning of the whole, says so, and fits."""
    short = cut(text, limit)
    assert columns(short) <= limit
    assert short == clean(text) or clean(text).startswith(short.removesuffix("…"))


def test_a_cut_falls_between_words() -> None:
    """Latin at a space, Han anywhere, an accent never off its letter."""
    assert cut("Microsoft restarts its campus", 22) == "Microsoft restarts…"
    assert cut("微软放弃优先购买权", 11) == "微软放弃优…"
    assert cut("aaaae\u0301bbbb", 6) == "aaaa…"


# ------------------------------------------------------------------ templates


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Return a copy of the templates, for breaking."""
    return Path(shutil.copytree(TEMPLATES, tmp_path / "templates"))


@pytest.mark.parametrize(
    ("name", "line", "why"),
    [
        ("digest.txt", "{% if %}", "Expected an expression"),
        ("digest.txt", "{{ edition.nothing }}", "no attribute 'nothing'"),
        ("digest.html", "{{ edition.__class__.__mro__ }}", "unsafe"),
        ("digest.html", "{% include 'gone.html' %}", "no such template: gone.html"),
        ("digest.subject.txt", "{{ 1 / 0 }}", "division by zero"),
        ("digest.subject.txt", "{{ say('nonsense') }}", "nonsense"),
        ("story.html", "{{ item|nonsense }}", "No filter named 'nonsense'"),
        ("story.txt", "{{ undefined_thing }}", "'undefined_thing' is undefined"),
    ],
)
def test_a_fault_in_a_template_names_file_and_line(broken: Path, name: str, line: str, why: str) -> None:
    """One line that an editor can jump to, and the true exception behind it."""
    path = broken / name
    path.write_text("\n\n" + line + "\n" + path.read_text())
    with pytest.raises(TemplateError) as caught:
        render(a_full_edition(), environment(read_templates(broken)), zone=UTC)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None


def test_a_template_that_the_user_has_not_is_the_one_that_came_along(broken: Path) -> None:
    """Whoever changes one file need not keep copies of the others."""
    (broken / "digest.txt").unlink()
    (broken / "digest.css").unlink()
    (broken / "number.html").write_text("no. {{ story.lead.id }}")
    rendered = render(a_full_edition(), environment(read_templates(broken)), zone=SHANGHAI)
    ours = render(a_full_edition(), ENVIRONMENT, zone=SHANGHAI)
    assert rendered.text == ours.text
    assert "no. 0" in rendered.html


@pytest.mark.parametrize("content", [b"caf\xe9", None])
def test_a_template_that_cannot_be_read_is_named(broken: Path, content: bytes | None) -> None:
    """In another encoding, or a folder of that name."""
    path = broken / "digest.txt"
    path.unlink()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(TemplateError, match=re.escape(f"{path}: cannot be read: ")):
        read_templates(broken)


def test_what_editors_leave_behind_is_no_template(broken: Path) -> None:
    """Hidden files and other kinds are left alone."""
    (broken / ".digest.html.swp").write_bytes(b"\xff")
    (broken / "notes.md").write_bytes(b"\xff")
    (broken / "notes.txt").write_bytes("备忘".encode("gbk"))
    path = broken / "digest.css"
    path.write_text(path.read_text("utf-8"), encoding="utf-8-sig")
    assert read_templates(broken).sources == read_templates(TEMPLATES).sources


def test_the_style_of_the_user_reaches_the_elements(broken: Path) -> None:
    """A rule in digest.css is written into the elements; only dark.css stays in <style>."""
    (broken / "digest.css").write_text("h1 { color: #123456; }")
    html = render(an_edition(), environment(read_templates(broken)), zone=UTC).html
    assert re.search(r'<h1 [^>]*style="color: #123456;?"', html)
    assert re.findall(r"<style[^>]*>", html) == ['<style data-css-inline="keep">']


def test_rendering_twice_gives_the_same() -> None:
    """No clock, no chance."""
    assert show(a_full_edition()) == show(a_full_edition())


def test_a_full_digest_stays_clear_of_the_clip() -> None:
    """Gmail hides what is beyond 102 KB; forty stories with five outlets each stay under 80."""
    edition = an_edition(a_section("compute", *(OHIO for _ in range(40))))
    assert len(show(edition).html.encode()) < 80 * 1024


# ------------------------------------------------------------------ what changed


def test_what_changed_is_said_in_a_sentence_and_drawn() -> None:
    """The count, the usual and a bar a day, in both parts; colours and bars repeat what words say."""
    rendered = show(a_full_edition())
    said = "Compute is at 4 times its usual; AGI returns after 11 quiet days."
    for words_ in (rendered.text, Page(rendered.html).words):
        assert said in " ".join(words_.split())
        assert "usual 1.3" in words_
        assert "▄▃▃▆▃▄▃▃▄▃▃▃▃█" in words_
    assert "算力为平时的4倍；AGI沉寂11天后再现。" in show(a_full_edition("zh")).text.replace("\n", "")


def test_without_a_history_there_are_counts_and_no_bars() -> None:
    """A new digest has no usual yet."""
    theme = ThemeTitle("compute", "Computing needs", "Compute")
    rendered = show(an_edition(a_section("compute", OHIO), trends=(Trend(theme, 1, None, (0,) * 13 + (1,)),)))
    assert re.search(r"^Compute +1$", rendered.text, re.MULTILINE)
    assert "usual" not in rendered.text
    assert "▁" not in rendered.text + rendered.html


def test_a_theme_of_the_users_own_has_a_cell_and_many_make_rows() -> None:
    """Three to a row, so that a phone shows them."""
    themes = [ThemeTitle(f"own {n}", f"Theme {n}", f"T{n} <b>") for n in range(5)]
    html = show(an_edition(trends=tuple(Trend(theme, 1, 1.0, (1,) * 14) for theme in themes))).html
    assert html.count('class="strip"') == 2
    assert "T4 &lt;b&gt;" in html


@given(st.lists(st.integers(0, 10**6), max_size=20))
def test_bars_are_as_high_as_their_numbers(numbers: list[int]) -> None:
    """One for each, in the same order, the greatest whole, none but zeros at the bottom."""
    drawn = bars(numbers)
    assert len(drawn) == len(numbers)
    assert set(drawn) <= set("▁▂▃▄▅▆▇█")
    heights = sorted(zip(numbers, drawn, strict=True))
    assert [bar for _, bar in heights] == sorted(drawn)
    assert all((bar == "▁") == (number == 0) for number, bar in zip(numbers, drawn, strict=True))
    assert not any(numbers) or "█" in drawn


@pytest.mark.parametrize(
    ("time", "english", "chinese"),
    [
        (timedelta(seconds=3), "1 minute", "1分钟"),
        (timedelta(minutes=119), "119 minutes", "119分钟"),
        (timedelta(hours=2), "2 hours", "2小时"),
        (timedelta(hours=47), "47 hours", "47小时"),
        (timedelta(days=3, hours=5), "3 days", "3天"),
    ],
)
def test_lengths_of_time_are_said_in_their_largest_unit(time: timedelta, english: str, chinese: str) -> None:
    """Two or more of it, for "1 day" may be 47 hours."""
    assert duration("en", time) == english
    assert duration("zh", time) == chinese


def test_weak_words_are_marked_only_without_strong_ones() -> None:
    """`(demand OR queue)^0.5` makes no theme: beside a real keyword its words are noise."""
    report = a_report(text="Demand for capacity outruns supply")
    weak = Evidence("theme.compute", "(demand OR supply)^0.5", "summary", 0, 6)
    strong = Evidence("theme.compute", "capacity", "summary", 11, 19)
    titled = Evidence("theme.compute", "(crunch)^0.7", "summary", 28, 34)
    for evidence, expected in (((weak, strong), ["capacity"]), ((weak,), ["Demand"]), ((weak, titled), ["supply"])):
        judged = replace(report, verdict=Verdict(True, evidence=evidence))
        assert words(judged) == expected


# ------------------------------------------------------------------ numbers, and what the second opinion says


def numbered(number: int, **verdict: object) -> Judged:
    """Return a report with a number, and a verdict in which these are changed."""
    report = a_report(text="Redmond foots the bill for its lab, and 各付各账 is what it is called in Beijing.")
    return replace(report, id=number, verdict=replace(report.verdict, **verdict))  # type: ignore[arg-type]


def test_every_story_has_its_number() -> None:
    """In full, in one line and as an update; as a link that writes to the owner, and plain in the text part."""
    stories = [a_story(numbered(number)) for number in (17, 18, 19, 20)]
    update = replace(stories[3], continues=ORACLE.continues)
    edition = an_edition(
        a_section("compute", stories[0], updates=(update,)),
        Section(None, (stories[1],)),
        Section(None, (stories[2],), doubted=True),
    )
    rendered = render(edition, ENVIRONMENT, zone=SHANGHAI, owner="owner@example.org")
    for number in (17, 18, 19, 20):
        assert f"mailto:owner@example.org?subject=label%20{number}" in Page(rendered.html).hrefs
        assert f"| #{number}\n" in rendered.text or f"| #{number}:" in rendered.text
    assert "mailto:owner@example.org?subject=label%20NUMBER" in rendered.text
    assert "Tell us by its number" in rendered.text.replace("\n", " ")
    nobody = render(edition, ENVIRONMENT, zone=SHANGHAI)
    assert "#17" in Page(nobody.html).words
    assert "mailto" not in nobody.html + nobody.text


def test_what_has_no_keyword_says_what_it_reads_like() -> None:
    """In words of the text, in both parts and languages; whatever they are, they stay words."""
    words = ("foots the bill", "各付各账", "<b>bold</b>")
    story = a_story(numbered(17, alone=("coverage",), reads_like=words))
    for section in (a_section("compute", story), Section(None, (story,))):
        rendered = show(an_edition(section))
        assert "No keyword; reads like: foots the bill, 各付各账, <b>bold</b>" in rendered.text.replace("\n", " ")
        assert "No keyword; reads like" in Page(rendered.html).words
        assert '<span class="mark"' in rendered.html
        assert "<b>bold" not in rendered.html
    assert "无关键词命中" in show(an_edition(a_section("compute", story, language="zh"), language="zh")).text
    assert "reads like" not in show(an_edition(a_section("compute", a_story(numbered(17))))).text


def test_what_is_doubted_stands_under_a_heading_that_says_so() -> None:
    """In both parts and languages."""
    section = Section(None, (a_story(numbered(17, doubted=True)),), doubted=True)
    rendered = show(an_edition(section))
    for part in (rendered.text.replace("\n", " "), Page(rendered.html).words):
        assert "Perhaps about the two: keywords match, the second opinion doubts it" in part
    assert "复核存疑" in show(an_edition(section, language="zh")).text


WRONG = {
    Trouble.FAILING: "HTTP 503",
    Trouble.PAGE: "answered with a web page, not a feed",
    Trouble.NOTHING: "answered with an empty document",
    Trouble.PLACEHOLDER: "refused with a placeholder",
    Trouble.GONE: "HTTP 410 Gone",
    Trouble.EMPTY: "",
    Trouble.STALE: "",
    Trouble.SILENT: "",
    Trouble.GAP: "2",
    Trouble.DATES: "future",
    Trouble.MOVED: "https://new.example.com/" + "x" * 300,
}


@pytest.mark.parametrize("since", [None, UNTIL - timedelta(days=3)], ids=["at some time", "since"])
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", Trouble)
def test_every_trouble_has_its_words(kind: Trouble, language: str, since: datetime | None) -> None:
    """In both languages, with a time or without one; nothing is left to be filled in."""
    trouble = FeedTrouble("Feed", WRONG[kind], since, kind, timedelta(hours=2))
    plan = replace(an_edition().plan, language=language)
    edition = (
        an_edition(plan=plan, troubles=(trouble,)) if trouble.broken else an_edition(plan=plan, remarks=(trouble,))
    )
    text = " ".join(show(edition).text.split())
    assert not re.search(r"None|\{\w*\}|feed_", text)
    assert "Feed" in text
    if kind is Trouble.MOVED:
        assert "feeds.yaml" in text
        assert WRONG[kind] in text.replace(" ", "")


def test_a_feed_that_is_gone_is_told_with_its_time_and_what_to_do() -> None:
    """In the order that one would say it."""
    gone = FeedTrouble("Old", "HTTP 410 Gone", UNTIL - timedelta(days=3), Trouble.GONE)
    text = " ".join(show(an_edition(troubles=(gone,))).text.split())
    assert re.search(r"Old: gone for good since \d+ Nov [\d:]+ \(HTTP 410 Gone\); take it out of feeds\.yaml\.", text)


def test_one_gap_is_told_in_the_singular() -> None:
    """As people would say it."""
    text = show(an_edition(remarks=(FeedTrouble("Fast", "1", None, Trouble.GAP),))).text
    assert "once lately" in " ".join(text.split())
