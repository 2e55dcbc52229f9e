"""The worker that runs on: what its jobs do at a given time, and how the real process starts and ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor import advice, again, config, lastgood, press, schedule, worker
from monitor.digest.mail import FileSender
from monitor.errors import ConfigError
from monitor.locks import is_held
from monitor.match.judge import judge, rules_key
from monitor.model import FeedState, Item, Judged, Verdict
from monitor.schedule import Office, Runner
from monitor.settings import Settings
from monitor.store import Store
from tests.builders import ROOT, TEMPLATES, config_text, feed_document
from tests.feedserver import FeedServer
from tests.test_opinion import weights

# 07:30 in UTC is the digest's time in tests.builders.
EVENING = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEWS = "Microsoft halts a data centre that OpenAI wanted"


class World:
    """A runner that is never started: the test calls its jobs and turns its clock."""

    def __init__(self, folder: Path, server: FeedServer) -> None:
        self.now = EVENING
        self.server = server
        self.config = folder / "feeds.yaml"
        self.config.write_text(config_text([server.url("/one.xml")]), encoding="utf-8")
        self.data = folder / "data"
        desk = press.Desk(TEMPLATES, "Monitor <monitor@example.test>")
        office = Office(self.config, self.data, desk, lambda: FileSender(self.data / "outbox"), lambda: self.now)
        self.runner = Runner(office, config.load(self.config))
        with Store(office.database) as store:
            worker.meet_digests(self.runner.settings, store, self.now)

    def publish(self, titles: Sequence[str]) -> None:
        """Put news on the server."""
        self.server.put("/one.xml", feed_document(titles, self.now - HOUR / 6))

    def edit(self, old: str, new: str) -> None:
        """Change a piece of feeds.yaml."""
        text = self.config.read_text("utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), encoding="utf-8")

    def tick(self, minutes: int = 1) -> None:
        """Let minutes pass, with the jobs of each."""
        for _ in range(minutes):
            self.runner.poll()
            self.runner.editions()
            self.now += timedelta(minutes=1)

    def restart(self) -> None:
        """End the worker and start another, as `monitor run` does."""
        try:
            settings = config.load(self.config)
        except ConfigError:
            kept = lastgood.load(self.config, self.data)
            assert kept is not None
            settings = kept
        self.runner = Runner(self.runner.office, settings)
        with Store(self.runner.office.database) as store:
            self.runner._welcome(store, self.now)

    def page(self) -> str:
        """The page of the last mail, its white space evened."""
        newest = max((self.data / "outbox").glob("*.html"), key=lambda path: path.stat().st_mtime_ns)
        return " ".join(newest.read_text("utf-8").split())

    def mails(self) -> list[str]:
        """Names of the mails in the outbox."""
        return sorted(path.name for path in (self.data / "outbox").glob("*.eml"))

    def notes(self) -> dict[str, str]:
        """What the worker wants a person to know."""
        with Store(self.data / "monitor.db") as store:
            return store.notes()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A worker's world at eight in the evening."""
    with FeedServer() as server:
        yield World(tmp_path, server)


def test_an_edition_is_made_at_its_time_and_once(world: World) -> None:
    """Not before, and not again at the next tick."""
    world.publish([NEWS])
    world.runner.poll()
    world.runner.editions()
    assert world.mails() == []
    world.now = EVENING + 12 * HOUR
    world.runner.editions()
    world.runner.editions()
    assert len(world.mails()) == 1


def test_editions_missed_in_a_long_sleep_are_made_up_for_once(world: World) -> None:
    """Five mornings off make one mail, with everything in it."""
    world.publish([NEWS])
    world.runner.poll()
    world.now += timedelta(days=5)
    world.publish(["OpenAI and Microsoft cannot agree on AGI", NEWS])
    world.runner.poll()
    for _ in range(3):
        world.runner.editions()
    assert len(world.mails()) == 1
    with Store(world.data / "monitor.db") as store:
        assert store.counts()["editions"] == 1


def test_a_clock_set_back_makes_no_second_edition(world: World) -> None:
    """The database, not the clock, knows what was told."""
    world.publish([NEWS])
    world.runner.poll()
    world.now = EVENING + 12 * HOUR
    world.runner.editions()
    world.now -= 3 * HOUR
    world.runner.editions()
    world.now += 2 * HOUR
    world.runner.editions()
    assert len(world.mails()) == 1


@pytest.mark.parametrize("days", [1, 365])
def test_an_edition_that_a_clock_ahead_has_made_stops_no_later_one(world: World, days: int) -> None:
    """It took the next slot, which was missed by its clock; when the clock is right again that slot comes, and news."""
    world.publish([NEWS])
    world.runner.poll()
    world.now += timedelta(days=days)
    world.runner.editions()
    assert len(world.mails()) == 1
    world.now -= timedelta(days=days)
    world.publish(["OpenAI and Microsoft cannot agree on AGI", NEWS])
    world.now += HOUR
    world.runner.poll()
    world.now = EVENING + 12 * HOUR
    world.runner.editions()
    assert len(world.mails()) == 2
    assert "cannot agree on" in world.page()
    assert "halts a data centre" not in world.page()


def test_what_a_poll_brings_can_be_searched(world: World) -> None:
    """The worker sees to it, after the poll."""
    world.publish([NEWS])
    world.runner.poll()
    with Store(world.data / "monitor.db") as store:
        assert len(store._rows("SELECT rowid FROM items_fts WHERE items_fts MATCH 'openai'")) == 1


def test_an_edit_is_taken_up_at_the_next_poll(world: World) -> None:
    """A feed added to the file is polled without a restart."""
    world.publish([NEWS])
    world.runner.poll()
    world.server.put("/two.xml", feed_document(["Microsoft and OpenAI on AGI"], world.now - HOUR, "two"))
    world.config.write_text(config_text([world.server.url(f"/{name}.xml") for name in ("one", "two")]))
    world.runner.poll()
    with Store(world.data / "monitor.db") as store:
        assert store.counts()["items"] == 2


def test_a_broken_edit_leaves_the_last_good_one_and_is_told(world: World) -> None:
    """The fault is noted with its line, reaches the digest, and goes away when it is mended."""
    world.publish([NEWS])
    good = world.config.read_text()
    world.config.write_text(good.replace("themes:", "themse:"))
    world.tick(2)
    [note] = world.notes().values()
    assert note.startswith("an edit was not taken up, the last good configuration is in use: ")
    assert "feeds.yaml:13:1: themse: unknown key; did you mean themes?" in note
    world.now = EVENING + 12 * HOUR
    world.runner.editions()
    [page] = (world.data / "outbox").glob("*.html")
    assert "did you mean themes?" in page.read_text(encoding="utf-8")
    world.config.write_text(good)
    world.runner.poll()
    assert world.notes() == {}


def test_a_config_file_that_vanishes_does_not_stop_the_worker(world: World) -> None:
    """Editors that replace a file by rename leave a moment without one."""
    world.publish([NEWS])
    good = world.config.read_text()
    world.config.unlink()
    world.tick(2)
    assert "not found" in world.notes()["configuration"]
    world.config.write_text(good)
    world.runner.poll()
    assert world.notes() == {}
    with Store(world.data / "monitor.db") as store:
        assert store.counts()["items"] == 1


# ------------------------------------------------------------------ edits: how they are written


def in_place(path: Path, text: str) -> None:
    """As `cat >` and a bind-mounted single file have it: the same inode, emptied and written."""
    path.write_text(text, encoding="utf-8")


def by_rename(path: Path, text: str) -> None:
    """As vim, emacs and sed -i save."""
    fresh = path.with_suffix(".swp")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)


def by_backup(path: Path, text: str) -> None:
    """As editors save that first move the old file away."""
    os.replace(path, path.with_suffix(".yaml~"))
    path.write_text(text, encoding="utf-8")


def with_the_old_time(path: Path, text: str) -> None:
    """As rsync -t and git have it: neither time nor length need differ."""
    before = path.stat()
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("save", [in_place, by_rename, by_backup, with_the_old_time])
@pytest.mark.parametrize("linked", [False, True])
def test_an_edit_is_seen_however_the_file_is_written(
    world: World, save: Callable[[Path, str], None], linked: bool
) -> None:
    """A theme's new name is there at the next job, also where feeds.yaml is a link to another folder."""
    text = world.config.read_text()
    if linked:
        (world.config.parent / "elsewhere").mkdir()
        real = world.config.parent / "elsewhere" / "feeds.yaml"
        os.replace(world.config, real)
        world.config.symlink_to(real)
        save(real, text.replace("agi:", "ani:"))
    else:
        save(world.config, text.replace("agi:", "ani:"))
    world.publish([NEWS])
    world.runner.poll()
    assert "ani" in world.runner.settings.titles
    assert world.notes() == {}


def test_a_mounted_config_map_is_followed(world: World) -> None:
    """Kubernetes swaps the link `..data` from one folder to the next; feeds.yaml is a link through it."""
    text, home = world.config.read_text(), world.config.parent
    for name, words in (("..1", text), ("..2", text.replace("agi:", "ani:"))):
        (home / name).mkdir()
        (home / name / "feeds.yaml").write_text(words)
    world.config.unlink()
    (home / "..data").symlink_to("..1")
    world.config.symlink_to("..data/feeds.yaml")
    world.publish([NEWS])
    world.runner.poll()
    assert "agi" in world.runner.settings.titles
    (home / "..data_tmp").symlink_to("..2")
    os.replace(home / "..data_tmp", home / "..data")
    world.runner.poll()
    assert "ani" in world.runner.settings.titles


def test_a_single_file_that_was_replaced_behind_its_mount_is_told(world: World) -> None:
    """A container that mounts feeds.yaml alone goes on seeing the old one; an open file is in the same plight."""
    world.publish([NEWS])
    with world.config.open() as mounted:
        world.runner.office = replace(world.runner.office, config=Path(f"/proc/self/fd/{mounted.fileno()}"))
        world.runner.poll()
        assert world.notes() == {}
        in_place(world.config, world.config.read_text().replace("agi:", "ani:"))
        world.runner.poll()
        assert "ani" in world.runner.settings.titles
        by_rename(world.config, world.config.read_text().replace("ani:", "aki:"))
        world.runner.poll()
    [note] = world.notes().values()
    assert "mount its folder instead of the file" in note


@pytest.mark.parametrize("half", ["", "digests:\n  - name: mor", "themes: [\n"])
def test_a_file_caught_half_written_is_not_called_broken(world: World, half: str) -> None:
    """Both jobs of that minute find it so, and all is well at the next."""
    world.publish([NEWS])
    world.tick()
    good = world.config.read_text()
    world.config.write_text(half)
    world.tick()
    assert world.notes() == {}
    world.config.write_text(good.replace("agi:", "ani:"))
    world.tick()
    assert world.notes() == {}
    assert "ani" in world.runner.settings.titles


def test_a_file_that_is_never_without_faults_is_told_within_minutes(world: World) -> None:
    """Though each look finds another text."""
    world.publish([NEWS])
    for number in range(5):
        world.config.write_text(f"themes: [{number}")
        world.tick()
    assert "feeds.yaml:1:" in world.notes()["configuration"]


def test_a_mended_file_that_breaks_again_is_told_again_after_a_second_look(world: World) -> None:
    """What was broken before counts for nothing."""
    world.publish([NEWS])
    good = world.config.read_text()
    for _ in range(2):
        world.config.write_text("themes: [")
        world.tick()
        assert world.notes() == {}
        world.tick()
        assert "feeds.yaml:1:" in world.notes()["configuration"]
        world.config.write_text(good)
        world.tick()
        assert world.notes() == {}


def test_each_broken_text_is_logged_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Not each minute; another fault is another line, and all faults stand in it."""
    world.publish([NEWS])
    for text in ("themse: {}\nfeads: []\n", "themse: {}\n"):
        world.config.write_text(text)
        world.tick(4)
    log = capsys.readouterr().out
    assert log.count("configuration rejected") == 2
    assert "feads: unknown key; did you mean feeds?" in log


# ------------------------------------------------------------------ edits: what is kept and told


def test_a_worker_that_starts_on_a_broken_file_goes_by_the_last_good_one(world: World) -> None:
    """It polls and mails, says what is wrong with the real file, and takes up the mended one."""
    world.publish([NEWS])
    world.tick()
    good = world.config.read_text()
    world.config.write_text(good.replace("themes:", "themse:"))
    world.restart()
    assert f"{world.config}:13:1: themse: unknown key" in world.notes()["configuration"]
    assert world.runner.settings.path == world.config
    world.now = EVENING + 12 * HOUR
    world.tick()
    assert "did you mean themes?" in world.page()
    world.config.write_text(good.replace("agi:", "ani:"))
    world.tick()
    assert world.notes() == {}
    assert "ani" in world.runner.settings.titles


@pytest.mark.parametrize("fault", ["missing", "a folder", "not UTF-8"])
def test_a_worker_that_starts_without_a_readable_file_goes_by_the_last_good_one(world: World, fault: str) -> None:
    """Whatever became of the file."""
    world.publish([NEWS])
    world.tick()
    world.config.unlink()
    if fault == "a folder":
        world.config.mkdir()
    if fault == "not UTF-8":
        world.config.write_bytes(b"themes: \xff\xfe")
    world.restart()
    world.tick()
    assert str(world.config) in world.notes()["configuration"]
    assert world.runner.settings.titles


def test_the_copy_follows_each_edit_that_was_taken_up(world: World) -> None:
    """Byte for byte, and no broken one; nobody else may read the addresses in it."""
    world.publish([NEWS])
    copy = lastgood.place(world.data)
    for old, new in (("agi:", "ani:"), ("ani:", "# 微软\r\n  aki:")):
        world.edit(old, new)
        world.tick()
        assert copy.read_bytes() == world.config.read_bytes()
    good = copy.read_bytes()
    before = copy.stat()
    world.config.write_text("themes: [")
    world.tick(3)
    assert copy.read_bytes() == good
    assert (copy.stat().st_ino, copy.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns), "written needlessly"
    assert copy.stat().st_mode & 0o077 == 0


def test_a_copy_that_cannot_be_written_stops_nothing_and_is_logged_once(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk, a folder in the way; when it can be written again, it is."""
    world.publish([NEWS])
    lastgood.place(world.data).mkdir()
    world.tick(3)
    assert capsys.readouterr().out.count("could not be kept") == 1
    with Store(world.data / "monitor.db") as store:
        assert store.counts()["items"] == 1
        assert "feeds.last-good.yaml: cannot be written" in store.notes()["last good"]
    lastgood.place(world.data).rmdir()
    world.tick()
    assert lastgood.load(world.config, world.data) is not None
    with Store(world.data / "monitor.db") as store:
        assert "last good" not in store.notes()


@pytest.mark.parametrize("left", [b"", b"half a copy", b"themes: ["])
def test_what_a_kill_left_of_a_copy_harms_nothing(world: World, left: bytes) -> None:
    """The one before stays whole until the next is."""
    world.publish([NEWS])
    world.tick()
    good = lastgood.place(world.data).read_bytes()
    (world.data / f".{lastgood.FILE_NAME}.new").write_bytes(left)
    world.restart()
    assert lastgood.place(world.data).read_bytes() == good
    world.edit("agi:", "ani:")
    world.tick()
    assert lastgood.place(world.data).read_bytes() == world.config.read_bytes()


def test_what_changed_is_one_line_of_the_log(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """While the worker runs, and while it did not; an edit of comments says so."""
    world.publish([NEWS])
    world.tick()
    world.edit("keywords: [AGI]", "keywords: [superintelligence]")
    world.tick()
    world.edit("feeds:\n", "feeds:\n  - https://me:secret@feeds.example.test/two.xml\n")
    world.restart()
    world.edit("feeds:\n", "feeds:  # mine\n")
    world.tick()
    lines = [line for line in capsys.readouterr().out.splitlines() if "configuration changed" in line]
    assert len(lines) == 3
    assert "keywords of agi added: superintelligence; keywords of agi removed: AGI" in lines[0]
    assert "while the worker was not running" in lines[1]
    assert "feeds added: https://feeds.example.test/two.xml" in lines[1]
    assert "only comments or layout" in lines[2]


def test_a_rejected_edit_breaks_the_silence_of_a_quiet_morning(world: World) -> None:
    """With `empty: skip` and no news a mail tells of it, its frame in the digest's language; mended, it is gone."""
    world.edit('at: "07:30"', 'at: "07:30"\n    language: zh\n    empty: skip')
    world.publish([])
    world.tick()
    good = world.config.read_text()
    world.config.write_text(good.replace("agi:", "agi: {}\n  bad theme:"))
    world.now = EVENING + 12 * HOUR
    world.tick(2)
    assert world.mails() == [], "the first edition of the day was made before the fault was sure"
    world.now += 24 * HOUR
    world.tick(2)
    assert "配置文件的修改有误，未被采用，仍沿用上一份可用的配置：" in world.page()
    assert f"{world.config}:" in world.page()
    world.config.write_text(good)
    world.tick()
    world.now += 24 * HOUR
    world.tick(2)
    assert len(world.mails()) == 1


@pytest.mark.parametrize("seen_by", ["poll", "editions"])
def test_an_edit_of_keywords_goes_for_what_is_not_told_yet(world: World, seen_by: str) -> None:
    """Though the feed says nothing new, and though the edit is seen only when the edition is due."""
    anthropic = "Microsoft and Anthropic quarrel over a data centre"
    world.publish([anthropic, NEWS])
    world.tick()
    world.edit("names: [OpenAI]", "names: [Anthropic]")
    if seen_by == "poll":
        world.tick()
        with Store(world.data / "monitor.db") as store:
            assert [hit.item.title for hit in store.untold_hits("morning")] == [anthropic]
    world.now = EVENING + 12 * HOUR
    world.runner.editions()
    world.tick(2)
    assert told(world) == [anthropic]


def test_an_update_of_the_program_is_an_edit_too(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """What was judged by a version that wrote no rules down is judged again at the start, once."""
    world.publish([NEWS])
    world.tick()
    with closing(sqlite3.connect(world.data / "monitor.db")) as conn, conn:
        conn.execute("UPDATE verdicts SET rules = NULL, covered = 0")
    world.restart()
    world.tick(2)
    assert capsys.readouterr().out.count("judged again") == 1
    world.now = EVENING + 12 * HOUR
    world.tick()
    assert told(world) == [NEWS]


def test_polls_of_others_go_on_while_an_edit_is_judged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an embedding that takes minutes; no lock is held, and the worker's own next poll is not late."""
    titles = [f"Microsoft and Anthropic build data centre {number}" for number in range(9)]
    world.publish(titles)
    world.tick()
    seconds, held = [0.0], list[bool]()

    def slowly(item: Item, *others: object) -> Verdict:
        seconds[0] += schedule.POLL_SHARE / 4
        held.append(is_held(world.data, "poll"))
        return judge(item, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(again, "judge", slowly)
    world.runner.office = replace(world.runner.office, timer=lambda: seconds[0])
    world.edit("names: [OpenAI]", "names: [Anthropic]")
    for polls, hits in enumerate((4, 8, 9, 9), 1):
        world.runner.poll()
        world.now += timedelta(minutes=1)
        with Store(world.data / "monitor.db") as store:
            assert len(store.untold_hits("morning")) == hits, polls
    assert held == [False] * 9


@pytest.mark.parametrize("slow", ["an item", "a poll that judges"])
def test_an_edition_does_not_wait_long_for_an_edit_to_be_judged(
    world: World, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    """It goes out with what there was time for; the rest is in the next."""
    titles = [f"Microsoft and Anthropic build data centre {number}" for number in range(3)]
    world.publish([NEWS, *titles])
    world.tick()
    seconds = [0.0]

    def slowly(item: Item, *others: object) -> Verdict:
        seconds[0] += schedule.EDITION_PATIENCE / 2
        return judge(item, *others)  # type: ignore[arg-type]

    world.edit("names: [OpenAI]", "names: [OpenAI, Anthropic]")
    world.now = EVENING + 12 * HOUR
    with monkeypatch.context() as patch:
        if slow == "an item":
            patch.setattr(again, "judge", slowly)
            world.runner.office = replace(world.runner.office, timer=lambda: seconds[0])
            world.runner.editions()
        else:
            patch.setattr(schedule, "EDITION_PATIENCE", 0.1)
            with world.runner._one_judging:
                world.runner.editions()
    first = told(world)
    assert NEWS in first
    assert len(first) == (2 if slow == "an item" else 1)
    world.now += 24 * HOUR
    world.tick(2)
    assert told(world) == sorted([NEWS, *titles])


def test_a_poll_under_way_at_the_edit_and_the_edition_leaves_nothing_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It saves what it judged by the old file when the edition was judged already, and is not frozen yet."""
    anthropic = "Microsoft and Anthropic quarrel over a data centre"
    world.publish([NEWS])
    world.tick()
    old = world.runner.settings
    world.edit("names: [OpenAI]", "names: [OpenAI, Anthropic]")
    world.now = EVENING + 12 * HOUR

    def then_the_poll_ends(settings: Settings, store: Store, *others: object) -> again.Tally:
        tally = judge_again(settings, store, *others)  # type: ignore[arg-type]
        at = world.now
        item = Item("https://slow.example.test/", "k", "https://example.test/k", anthropic, "", "Slow", "en", at, at)
        found = [Judged(item, judge(item, old.rules))]
        store.save_poll(FeedState(item.feed_url), found, (), rules_key(old.rules))
        return tally

    judge_again = again.judge_again
    with monkeypatch.context() as patch:
        patch.setattr(again, "judge_again", then_the_poll_ends)
        world.runner.editions()
    assert told(world) == [NEWS]
    world.tick()
    world.now += 24 * HOUR
    world.tick(2)
    assert told(world) == [anthropic, NEWS]


# ------------------------------------------------------------------ edits of digests and feeds


def told(world: World, digest: str = "morning") -> list[str]:
    """The links that a digest told, each as often as it did."""
    with closing(sqlite3.connect(world.data / "monitor.db")) as conn:
        rows = conn.execute(
            "SELECT items.title FROM told JOIN items ON items.id = item_id"
            " WHERE digest = ? AND story_id IS NOT NULL ORDER BY items.title",
            (digest,),
        )
        return [title for (title,) in rows]


@pytest.mark.parametrize(
    ("at", "changed", "mails"),
    [
        ("09:00", "06:00", 1),  # today's time has passed: made up for once, tomorrow's comes as ever
        ("09:00", "23:00", 1),
        ("06:00", "07:00", 1),  # told today already, and again at the new time, if there is news
    ],
)
def test_another_time_of_day_tells_nothing_twice_and_misses_nothing(
    world: World, at: str, changed: str, mails: int
) -> None:
    """The edit is made at eight in the morning."""
    world.edit('at: "07:30"', f'at: "{at}"')
    world.publish([NEWS])
    world.tick()
    world.now = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
    world.tick()
    world.now = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
    world.edit(f'at: "{at}"', f'at: "{changed}"')
    world.tick(2)
    for hours in (16, 24, 24):
        world.now += hours * HOUR
        world.tick(2)
    assert told(world) == [NEWS]
    assert len(world.mails()) == mails


@pytest.mark.parametrize("restarted", [False, True])
def test_a_feed_or_digest_that_goes_and_comes_back_is_as_before(world: World, restarted: bool) -> None:
    """Nothing of it is news again, and nothing that came in meanwhile is missed."""
    good = world.config.read_text()
    world.publish([NEWS])
    world.tick()
    feedless = good.replace(world.server.url("/one.xml"), world.server.url("/two.xml"))
    for text in (feedless.replace("name: morning", "name: other"), good):
        world.config.write_text(text)
        if restarted:
            world.restart()
        world.tick()
        world.now += HOUR
    later = "OpenAI and Microsoft cannot agree on AGI"
    world.publish([later, NEWS])
    world.now = EVENING + 12 * HOUR
    world.tick()
    world.config.write_text(feedless.replace("name: morning", "name: other"))
    world.tick()
    world.config.write_text(good)
    world.now += HOUR
    world.tick()
    world.now += 24 * HOUR
    world.tick()
    assert told(world) == sorted([later, NEWS])


def use_templates(world: World, folder: Path) -> Path:
    """Give the worker templates of its own and return their folder."""
    own = Path(shutil.copytree(TEMPLATES, folder / "templates"))
    world.runner.office = replace(world.runner.office, desk=replace(world.runner.office.desk, templates=own))
    return own


def test_a_broken_template_is_told_before_the_next_edition_and_holds_up_no_mail(world: World, tmp_path: Path) -> None:
    """Health knows at the next poll; the edition goes out with the last good ones and says so; mended, all is well."""
    own = use_templates(world, tmp_path)
    world.publish([NEWS])
    world.runner.poll()
    with Store(world.data / "monitor.db") as store:
        assert store.notes() == {}
        (own / "story.txt").write_text("{% if %}")
        world.runner.poll()
        assert f"{own / 'story.txt'}:1: Expected an expression" in store.notes()["templates"]
        world.now = EVENING + 12 * HOUR
        world.runner.editions()
        [mail] = world.mails()
        page = (world.data / "outbox" / mail).with_suffix(".html").read_text("utf-8")
        assert "story.txt:1: Expected an expression" in " ".join(page.split())
        assert store.jobs()["editions"].error == ""
        shutil.copy(TEMPLATES / "story.txt", own)
        world.runner.poll()
        assert store.notes() == {}


def test_templates_that_are_made_while_the_worker_runs_are_taken_up(world: World, tmp_path: Path) -> None:
    """No restart: a first file of one's own, and its fault."""
    own = tmp_path / "not there yet"
    world.runner.office = replace(world.runner.office, desk=replace(world.runner.office.desk, templates=own))
    world.publish([NEWS])
    world.runner.poll()
    own.mkdir()
    (own / "digest.subject.txt").write_text("{{ nonsense() }}")
    world.runner.poll()
    with Store(world.data / "monitor.db") as store:
        assert f"{own / 'digest.subject.txt'}:1: " in store.notes()["templates"]
        (own / "digest.subject.txt").write_text("Mine")
        world.runner.poll()
        assert store.notes() == {}
        assert (store.last_templates() or {})["digest.subject.txt"] == "Mine"


def test_every_mailed_edition_is_in_the_archive_and_a_full_disk_stops_no_mail(world: World, tmp_path: Path) -> None:
    """What could not be written comes with the next edition."""
    (world.data / "archive").write_text("in the way")
    world.publish([NEWS])
    world.runner.poll()
    world.now = EVENING + 12 * HOUR
    world.runner.editions()
    assert len(world.mails()) == 1
    (world.data / "archive").unlink()
    world.publish([NEWS, "OpenAI and Microsoft cannot agree on AGI"])
    world.now += 24 * HOUR
    world.runner.poll()
    world.runner.editions()
    assert len(list((world.data / "archive" / "morning").iterdir())) == 2
    assert "cannot agree on AGI" in (world.data / "archive" / "index.html").read_text("utf-8")


def test_a_database_deleted_under_a_running_worker_is_begun_anew(world: World) -> None:
    """Its digests are met again, so that the next morning has its mail."""
    for path in world.data.glob("monitor.db*"):
        path.unlink()
    world.publish([NEWS])
    world.runner.poll()
    world.runner.editions()
    world.now += 12 * HOUR
    world.runner.editions()
    assert len(world.mails()) == 1


def test_a_value_that_yaml_cannot_make_is_a_mistake_like_any_other(world: World) -> None:
    """An impossible date among the keywords stops nothing."""
    world.publish([NEWS])
    world.config.write_text(world.config.read_text().replace("[AGI]", "[AGI, 2026-02-30]"))
    world.tick(2)
    assert "2026" in world.notes()["configuration"] or "day" in world.notes()["configuration"]
    with Store(world.data / "monitor.db") as store:
        assert store.counts()["items"] == 1
        assert store.jobs()["poll"].error == ""


def test_a_second_wake_up_does_not_wait_behind_a_hanging_delivery(world: World) -> None:
    """The scheduler's threads stay free for polling."""
    with world.runner._one_delivery:
        world.runner._polled.set()
        world.runner.editions()
    with Store(world.data / "monitor.db") as store:
        assert "editions" not in store.jobs()


def test_each_digest_has_a_job_at_its_own_time(world: World) -> None:
    """Jobs follow the file, with its time zone, also after an edit."""
    world.runner.start()
    try:
        world.config.write_text(
            world.config.read_text().replace('at: "07:30"', 'cron: "15 6 * * 1-5"\n    timezone: Asia/Shanghai')
        )
        with Store(world.data / "monitor.db") as store:
            world.runner.reload(store)
        job = world.runner._scheduler.get_job("digest morning")
        fires = job.trigger.get_next_fire_time(None, datetime(2026, 11, 28, tzinfo=UTC))
        assert fires.astimezone(UTC) == datetime(2026, 11, 29, 22, 15, tzinfo=UTC)
    finally:
        world.runner.end()


# ---------------------------------------------------------------- the real process


class Process:
    """`monitor run` as a user starts it; its log is read line by line."""

    def __init__(self, config: Path, data: Path, **environ: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "monitor", "--config", str(config), "--data", str(data), "run"],
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "MONITOR_LOG": "json", **environ},
        )
        self.lines: list[str] = []

    def wait_for(self, text: str) -> str:
        """Read the log up to a line that holds `text`."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError(f"no {text!r} in:\n" + "".join(self.lines))

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; return the exit status and the seconds until the end."""
        began = time.monotonic()
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=20)
        self.lines.append(rest)
        return self.process.returncode, time.monotonic() - began


@contextmanager
def running(config: Path, data: Path, **environ: str) -> Iterator[Process]:
    """A worker process that is killed at the latest when the test ends."""
    started = Process(config, data, **environ)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
        started.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_polls_says_where_digests_go_and_ends_well(tmp_path: Path, number: signal.Signals) -> None:
    """From start to SIGTERM or Ctrl-C: exit 0 within ten seconds."""
    with FeedServer() as server:
        server.put("/one.xml", feed_document([NEWS], datetime.now(UTC) - HOUR))
        (tmp_path / "feeds.yaml").write_text(config_text([server.url("/one.xml"), "http://127.0.0.1:9/closed.xml"]))
        with running(tmp_path / "feeds.yaml", tmp_path / "data") as started:
            assert str(tmp_path / "data" / "outbox") in started.wait_for("no MONITOR_SMTP_HOST")
            assert "could not be reached" in json.loads(started.wait_for("feed failed"))["reason"]
            polled = json.loads(started.wait_for('"polled"'))
            assert (polled["feeds"], polled["failed"], polled["new"], polled["hits"]) == (2, 1, 1, 1)
            status, seconds = started.end(number)
    assert status == 0
    assert seconds < 10
    assert "Traceback" not in "".join(started.lines)
    with closing(sqlite3.connect(tmp_path / "data" / "monitor.db")) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_second_worker_on_the_same_data_says_so_and_ends(tmp_path: Path) -> None:
    """One worker a database; a kill -9 frees the place."""
    with FeedServer() as server:
        server.put("/one.xml", feed_document([NEWS], datetime.now(UTC) - HOUR))
        (tmp_path / "feeds.yaml").write_text(config_text([server.url("/one.xml")]))
        with running(tmp_path / "feeds.yaml", tmp_path / "data") as first:
            first.wait_for('"polled"')
            with running(tmp_path / "feeds.yaml", tmp_path / "data") as second:
                second.wait_for("one worker a data folder")
                assert second.process.wait(10) == 1
            first.end(signal.SIGKILL)
        with running(tmp_path / "feeds.yaml", tmp_path / "data") as third:
            third.wait_for("digests go to")
            server.put("/one.xml", feed_document([NEWS, "More of OpenAI"], datetime.now(UTC)))
            assert third.end()[0] == 0


def test_a_feed_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """SIGTERM in the middle of a poll: what was under way is dropped and stays due."""
    asked = threading.Event()

    def never_answer(listener: socket.socket, held: list[socket.socket]) -> None:
        held.append(listener.accept()[0])
        asked.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []
        threading.Thread(target=never_answer, args=(listener, held), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/slow.xml"
        (tmp_path / "feeds.yaml").write_text(config_text([url]))
        with running(tmp_path / "feeds.yaml", tmp_path / "data") as started:
            assert asked.wait(20)
            status, seconds = started.end()
        for connection in held:
            connection.close()
    assert status == 0
    assert seconds < 10
    with Store(tmp_path / "data" / "monitor.db") as store:
        assert store.feed_states() == {}


def test_a_mail_server_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """SIGTERM while the mail server says nothing: the mail stays in the outbox."""
    asked = threading.Event()
    held: list[socket.socket] = []

    def greet_and_hang(listener: socket.socket) -> None:
        connection = listener.accept()[0]
        held.append(connection)
        connection.sendall(b"220 ready\r\n")
        connection.recv(1000)
        asked.set()

    with FeedServer() as server, socket.create_server(("127.0.0.1", 0)) as listener:
        server.put("/one.xml", feed_document([NEWS], datetime.now(UTC) - HOUR))
        (tmp_path / "feeds.yaml").write_text(config_text([server.url("/one.xml")]))
        settings = config.load(tmp_path / "feeds.yaml")
        now = datetime.now(UTC)
        with Store(tmp_path / "data" / "monitor.db") as store:
            worker.meet_digests(settings, store, now)
            worker.poll(settings, store, lambda: now)
            worker.digest(settings, settings.digests[0], store, press.Desk(TEMPLATES, "m@example.test"), now)
        threading.Thread(target=greet_and_hang, args=(listener,), daemon=True).start()
        smtp = {
            "MONITOR_SMTP_HOST": "127.0.0.1",
            "MONITOR_SMTP_PORT": str(listener.getsockname()[1]),
            "MONITOR_SMTP_SECURITY": "plain",
            "MONITOR_SMTP_FROM": "m@example.test",
        }
        with running(tmp_path / "feeds.yaml", tmp_path / "data", **smtp) as started:
            assert asked.wait(20)
            status, seconds = started.end()
        for connection in held:
            connection.close()
    assert status == 0
    assert seconds < 10
    with Store(tmp_path / "data" / "monitor.db") as store:
        assert len(store.troubled_deliveries()) == 1


def test_the_process_starts_on_a_broken_file_with_the_last_good_one(tmp_path: Path) -> None:
    """One clear line and the fault; without a last good one it ends with exit 2; a command says the fault as ever."""
    file, data = tmp_path / "feeds.yaml", tmp_path / "data"
    file.write_text("themes: [")
    with running(file, data) as alone:
        alone.wait_for("feeds.yaml:1:")
        assert alone.process.wait(20) == 2
    with FeedServer() as server:
        server.put("/one.xml", feed_document([NEWS], datetime.now(UTC) - HOUR))
        file.write_text(config_text([server.url("/one.xml")]))
        with running(file, data) as first:
            first.wait_for('"polled"')
            assert first.end(signal.SIGKILL)
        file.write_text("themes: [")
        with running(file, data) as second:
            said = second.wait_for("cannot be used; the worker goes by")
            assert str(data / "feeds.last-good.yaml") in said
            assert "feeds.yaml:1:" in said
            assert f"{file}:1:" in json.loads(second.wait_for("configuration rejected"))["reason"]
            health = subprocess.run(
                [sys.executable, "-m", "monitor", "-c", str(file), "-d", str(data), "health"],
                capture_output=True, text=True, cwd=ROOT, check=False,
            )  # fmt: skip
            assert second.end()[0] == 0
    # A remark for an hour: a container that is started anew for it would start on the same file.
    well, remark = health.stdout.splitlines()
    assert well == "healthy"
    assert remark.startswith("note: configuration: an edit was not taken up")
    assert health.returncode == 0


# ------------------------------------------------------------------ the second opinion


def test_weights_that_were_learnt_are_taken_up_at_the_next_poll(world: World) -> None:
    """Nobody restarts the worker after `monitor learn`; what is not told yet is judged by them too.

    Broken weights are told, the keywords go on alone, and what was judged by good ones stays until they are mended.
    """
    text = config_text([world.server.url("/one.xml")])
    world.config.write_text(text + "second_opinion: blend\n", encoding="utf-8")
    world.publish([NEWS])
    world.runner.poll()
    assert world.notes() == {}
    doubting = replace(weights(), base=(-50.0, 0.0, 0.0, 0.0))
    advice.write(world.data, doubting, None)
    world.now += HOUR
    world.publish(["Microsoft and OpenAI fall out over AGI", NEWS])
    world.runner.poll()
    (world.data / advice.PLAIN).write_text("{}")
    world.now += HOUR
    world.publish(["OpenAI calls Microsoft a rival", "Microsoft and OpenAI fall out over AGI", NEWS])
    world.runner.poll()
    [note] = world.notes().values()
    assert note.startswith(f"the second opinion is not heard: {world.data / advice.PLAIN}: not weights")
    with Store(world.data / "monitor.db") as store:
        said = {hit.item.title: hit.verdict.doubted for hit in store.untold_hits("morning")}
    assert said == {
        NEWS: True,
        "Microsoft and OpenAI fall out over AGI": True,
        "OpenAI calls Microsoft a rival": False,
    }
    (world.data / advice.PLAIN).unlink()
    world.now += HOUR
    world.runner.poll()
    assert world.notes() == {}


def test_quiet_feeds_are_asked_once_more_before_an_edition(world: World) -> None:
    """In its last ten minutes, and only once."""
    world.publish([NEWS])
    world.now = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
    world.runner.poll()
    asked = len(world.server.requests)
    world.now = datetime(2026, 11, 24, 6, 31, tzinfo=UTC)
    with Store(world.data / "monitor.db") as store:
        [state] = store.feed_states().values()
        store.save_poll(replace(state, due=world.now + timedelta(hours=2)))
    world.runner.poll()
    assert len(world.server.requests) == asked
    world.now = datetime(2026, 11, 24, 7, 21, tzinfo=UTC)
    world.runner.poll()
    world.runner.poll()
    assert len(world.server.requests) == asked + 1
