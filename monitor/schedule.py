"""The worker that runs on: APScheduler wakes it, the database says what is due.

    poll       every minute: reads feeds.yaml again if it changed, then polls the feeds that are due
    editions   every minute, and at each digest's own time: freezes what is due, then delivers
    tidy       once a day: old texts are forgotten, and the database is read through for damage

A job that wakes up twice, late, or after the clock was changed does no harm: a slot is frozen once. APScheduler's
own memory is not used; jobs are made anew from feeds.yaml at start, after each edit and when the clock was set, for
APScheduler plans by the clock and would wait for a time that was put off by a day.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from monitor import again, archive, changes, config, health, lastgood, logs, resources, slots, worker
from monitor.advice import Advice, advice, weights_state
from monitor.clockwatch import Break, ClockWatch
from monitor.digest import labels
from monitor.digest.mail import Sender
from monitor.errors import ConfigError, MonitorError, TemplateError
from monitor.feeds import condition
from monitor.locks import hold
from monitor.match.blend import Second
from monitor.match.judge import rules_key
from monitor.metrics import Metrics
from monitor.model import Outcome, State
from monitor.press import Desk, check_templates, note_templates
from monitor.preview import state_of
from monitor.settings import Settings, hash_of, read_bytes
from monitor.store import FILE_NAME, Store

if TYPE_CHECKING:
    from monitor.cluster import Cluster

TICK = timedelta(seconds=60)
FIRST_POLL_PATIENCE = 300.0
"""Seconds that a missed edition waits for the first poll, so that it tells what came in meanwhile."""
BEFORE_EDITION = timedelta(minutes=10)
"""So long before an edition quiet feeds are asked once more."""
SETTLED = timedelta(seconds=20)
"""A feeds.yaml with faults is told when it has stood for so long: an editor may be in the middle of writing it."""
UNSETTLED = timedelta(minutes=3)
"""One that is written again and again, and never without faults, is told after so long."""
POLL_SHARE = 20.0
"""Seconds of a poll that go to judging again after an edit; the next poll goes on with it, and is not late."""
EDITION_PATIENCE = 60.0
"""Seconds that an edition waits for that. Most edits were judged by polls long before."""
IDLE = 20 * 60.0
"""Seconds without a poll begun after which the scheduler is taken for dead; `monitor health` has said so by then."""
TIDIED = timedelta(hours=23)
"""So seldom texts are forgotten."""
UNSURE = timedelta(days=2)
"""When it was last tidied longer ago than that, or later than now, the clock may be wrong: it must stand for a day."""
ANEW = "was begun anew"
"""How the note on a database begins that was made in place of one that is gone."""
LAST_WORD = 8.0
"""Seconds from the signal to the end of the process, whatever hangs: a container is killed after ten."""

_ORPHAN = (
    "was replaced where it is mounted from, and here the old one is still seen; mount its folder instead of the file, "
    "or restart the container"
)

log = structlog.get_logger()


def seconds() -> float:
    """Return the time of a timer that nobody sets, and that goes on while the machine sleeps where there is such."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@dataclass(frozen=True, slots=True)
class Office:
    """What does not change while the worker runs."""

    config: Path
    data: Path
    desk: Desk
    make_sender: Callable[[], Sender]
    clock: worker.Clock
    tick: timedelta = TICK
    timer: Callable[[], float] = seconds
    metrics: Metrics | None = None
    cluster: Cluster | None = None

    @property
    def database(self) -> Path:
        """Where the SQLite file is."""
        return self.data / FILE_NAME


@dataclass(frozen=True, slots=True)
class Suspect:
    """A feeds.yaml that has faults: its hash, since when it reads so, and since when none was without faults."""

    fingerprint: str
    seen: datetime
    began: datetime


class Runner:
    """The jobs of one running worker, and the settings that they use now."""

    def __init__(self, office: Office, settings: Settings, stop: threading.Event | None = None) -> None:
        self.office = office
        self.settings = settings
        self.stop = stop or threading.Event()
        self._polled = threading.Event()
        self._sender: Sender | None = None
        self._one_reload = threading.Lock()
        self._one_delivery = threading.Lock()
        self._one_judging = threading.Lock()
        self._one_opinion = threading.Lock()
        self._one_recognition = threading.Lock()
        self._judged_by = ""
        self._rejected = ""
        self._suspect: Suspect | None = None
        self._kept: tuple[str, str] | None = None  # whose copy was last written, and what went wrong
        self._linked = False
        self._opinion: Second | None = None
        self._is_heard = True
        self._advised: tuple[str, object] | None = None
        self._templates_seen: object = None
        self._to_archive = True  # what an earlier run did not come to
        self._watch = ClockWatch(office.clock(), office.timer())
        self._polled_at = office.timer()
        self._polling = False
        self._began: datetime | None = None  # what its own database says of this worker
        self._well = office.clock()
        self._untold: Break | None = None  # that the clock was set, until it is noted
        self._hide()
        # A late job runs late rather than never, and once for all the times that it was missed.
        self._scheduler = BackgroundScheduler(
            timezone="UTC", job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        self._scheduler.add_listener(self._on_trouble, EVENT_JOB_ERROR | EVENT_JOB_MISSED)

    def start(self) -> None:
        """Make the jobs and begin with a poll."""
        with Store(self.office.database) as store:
            self._welcome(store, self.office.clock())
        self._plan()
        self._scheduler.start()
        self._watch = ClockWatch(
            self.office.clock(), self.office.timer()
        )  # to bring the database up to date takes long

    def _plan(self) -> None:
        """Plan all jobs from now on, in place of those that are planned."""
        now, every = self.office.clock(), int(self.office.tick.total_seconds())
        for job, name, at in (
            (self.poll, "poll", now),
            (self.editions, "editions", now),
            (self.tidy, "tidy", now + timedelta(minutes=5)),
        ):
            # A new trigger too: the old one counts from when it was made, by the clock of then.
            trigger = IntervalTrigger(seconds=3600 if name == "tidy" else every)
            self._scheduler.add_job(job, trigger, id=name, next_run_time=at, replace_existing=True)
        self._plan_digests(self.settings)

    def _welcome(self, store: Store, now: datetime) -> None:
        """Say what was edited while no worker ran, and begin with what can be used."""
        written = max((at for run in store.jobs().values() for at in (run.started, run.finished) if at), default=now)
        if written - now > health.AHEAD:
            self._note_clock(store, Break(written, now, now - written, timedelta()))
        store.begin_job("worker", now)
        self._began = now
        before = lastgood.load(self.office.config, self.office.data)
        if before and before.fingerprint != self.settings.fingerprint:
            store.leave_digests(_gone(before, self.settings), now)
            _log_changes("configuration changed while the worker was not running", before, self.settings)
        worker.meet_digests(self.settings, store, now)
        self.reload(store, at_once=True)

    def end(self) -> None:
        """Let what is under way come to its next safe point, and end."""
        self.stop.set()
        self._polled.set()
        if self._sender is not None:
            self._sender.stop()
        self._scheduler.shutdown(wait=True)
        if self.office.cluster:
            self.office.cluster.close()

    # ------------------------------------------------------------ the clock and the scheduler

    def look_around(self) -> None:
        """See whether the clock was set, and whether jobs are begun; to be called each second.

        Raises:
            MonitorError: the scheduler is dead.
        """
        found = self._watch.look(self.office.clock(), self.office.timer())
        if found:
            self._polled_at = self.office.timer()
            if found.is_set:
                log.warning("the clock was set; planned anew", how=str(found))
                self._untold = found  # by the next job: the database may be locked now
            else:
                log.info("planned anew", why=str(found))
            self._plan()
        if not self._polling and self.office.timer() - self._polled_at > IDLE:
            raise MonitorError(
                f"no poll was begun for {IDLE / 60:g} minutes: the scheduler is dead; the worker ends, so that whoever"
                " watches over it starts it anew"
            )

    def _note_clock(self, store: Store, found: Break) -> None:
        """Note that the clock was set, and let this worker have begun by the new one."""
        with self._one_recognition:
            run = store.jobs().get("worker")
            if run and run.started == self._began:
                store.begin_job("worker", found.now)
                self._began = found.now
            store.note("clock", str(found), found.now)
            self._untold = None

    # ------------------------------------------------------------ jobs

    def poll(self) -> None:
        """Poll what is due, then judge again what an edit asks for."""
        self._polling = True
        try:
            with self._job("poll") as store:
                with hold(self.office.data, "poll", wait=30):
                    self.reload(store)
                    self._look_at_templates(store)
                    self._poll(store)
                # After the poll: what it found is judged by the present rules already.
                rules = rules_key(self.settings.rules, self._second(store))
                if rules != self._judged_by and self._judge_again(store, POLL_SHARE).complete:
                    self._judged_by = rules
                worker.index(store)
        finally:
            self._polled.set()
            self._polled_at, self._polling = self.office.timer(), False

    def _poll(self, store: Store) -> None:
        second = self._second(store)
        began = self.office.clock()
        anew = store.noted().get("database")
        seen = {url for url, state in store.feed_states().items() if state.last_ok}
        outcomes = worker.poll(
            self.settings,
            store,
            self.office.clock,
            second=second,
            soon=self._edition_soon(began),
            stop=self.stop,
            cluster=self.office.cluster,
            tell=_log_failure,
        )
        if anew and anew.text.startswith(ANEW):
            # What a feed shows first now, it most likely showed before: only what is newer than the loss is news.
            fresh = {outcome.feed.url for outcome in outcomes if outcome.result != "failed"} - seen
            store.archive_seed(fresh, anew.since)
        if outcomes:
            _log_poll(outcomes)
            self._count(store, outcomes, began)

    def _edition_soon(self, now: datetime) -> bool:
        """Tell whether an edition is about to be made: quiet feeds are asked once more, so that it misses nothing."""
        nexts = [slots.next_slot(plan.cron, plan.timezone, now) for plan in self.settings.digests]
        return any(at is not None and at - now <= BEFORE_EDITION for at in nexts)

    def _count(self, store: Store, outcomes: list[Outcome], began: datetime) -> None:
        if self.office.metrics is None:
            return
        now, states = self.office.clock(), store.feed_states()
        found = worker.troubles_of(self.settings, store, states, now)
        self.office.metrics.polled(outcomes, (now - began).total_seconds())
        self.office.metrics.feeds(
            [
                condition.state_in_words(feed, states.get(feed.url), found.get(feed.url, ()))
                for feed in self.settings.feeds
            ]
        )

    def _second(self, store: Store) -> Second | None:
        """Return the second opinion, read anew when its weights or feeds.yaml changed; none while it is broken."""
        with self._one_opinion:
            settings = self.settings
            state = (settings.fingerprint, weights_state(self.office.data))
            if state != self._advised:
                fault = ""
                try:
                    found = advice(settings, self.office.data)
                except MonitorError as e:
                    found, fault = Advice(None), labels.say("en", "note_opinion", fault=e)
                    log.error("second opinion not heard", reason=str(e))  # noqa: TRY400 (a line for a person)
                store.note("second opinion", fault, self.office.clock())
                self._opinion, self._advised, self._is_heard = found.second, state, not fault
            return self._opinion

    def _judge_again(self, store: Store, seconds: float) -> again.Tally:
        """Judge by the present rules what is not told yet, for so many seconds.

        While the second opinion is broken, what it has heard stays as it is: it will be mended.
        """
        end = self.office.timer() + seconds
        if not self._one_judging.acquire(timeout=seconds):
            return again.Tally(rules_key(self.settings.rules, self._second(store)), ended=False)
        try:
            settings, second = self.settings, self._second(store)
            if not self._is_heard:
                return again.Tally(rules_key(settings.rules, second))
            pace = again.Pace(lambda: self.stop.is_set() or self.office.timer() >= end, timer=self.office.timer)
            tally = again.judge_again(settings, store, self.office.clock, second, pace)
        finally:
            self._one_judging.release()
        if tally.judged:
            gained, lost = len(tally.gained), len(tally.lost)
            log.info("judged again", items=tally.judged, gained=gained, lost=lost, all=tally.complete)
        return tally

    def editions(self) -> None:
        """Freeze the editions that are due, then deliver what is in the outbox."""
        self._polled.wait(FIRST_POLL_PATIENCE)
        if self.stop.is_set():
            return
        # Never wait here: digests that wake up while a mail server hangs would use up the scheduler's threads.
        if not self._one_delivery.acquire(blocking=False):
            return
        try:
            with self._job("editions") as store, hold(self.office.data, "deliver", wait=30):
                if not self._polled.is_set():
                    return  # the database was lost just now, and what feeds show is not filed yet
                self.reload(store)
                faults = self._freeze_due(store)
                self._deliver(store)
                self._archive(store)
                if faults:
                    raise faults[0]
        finally:
            self._one_delivery.release()

    def _deliver(self, store: Store) -> None:
        self._sender, began = self.office.make_sender(), self.office.timer()
        try:
            results = worker.deliver(store, self._sender, self.office.clock, self.stop)
            for recipient, state, detail in results:
                say = log.info if state is State.SENT else log.warning
                say("delivery", to=recipient, state=str(state), answer=detail)
            if self.office.metrics:
                self.office.metrics.sent([state for _, state, _ in results], self.office.timer() - began)
        finally:
            self._sender = None

    def _freeze_due(self, store: Store) -> list[MonitorError]:
        """Freeze what is due; return what went wrong. One digest's fault stops neither the others nor the mail."""
        faults: list[MonitorError] = []
        settings = self.settings
        worker.meet_digests(settings, store, self.office.clock())
        tally: again.Tally | None = None
        stored = 0
        for plan in settings.digests:
            now = self.office.clock()
            last = store.last_edition(plan.name, now)
            slot = slots.missed_slot(plan.cron, plan.timezone, last, now) if last else None
            if slot is None:
                continue
            if tally is None:
                stored = store.last_item()  # before judging: what is stored meanwhile may be judged by older rules
                tally = self._judge_again(store, EDITION_PATIENCE)
            if self.stop.is_set():
                break  # the end has come; this edition is made up for
            began = self.office.timer()
            try:
                reach = again.reach(store, plan, tally, stored)
                made = worker.digest(settings, plan, store, self.office.desk, now, slot, reach)
            except MonitorError as e:
                faults.append(e)
                continue
            if made and self.office.metrics:
                self.office.metrics.made(self.office.timer() - began)
            if made:
                edition, messages = made
                self._to_archive = self._to_archive or bool(messages)
                log.info("edition", digest=plan.name, stories=len(edition.stories), mails=len(messages))
        return faults

    def _archive(self, store: Store) -> None:
        """Write the pages of new editions; a fault is told, and they come with the next ones: no mail waits for it."""
        if not self._to_archive:
            return
        self._to_archive = False
        try:
            templates = resources.read_templates(self.office.desk.templates)
            folder = self.office.data / archive.FOLDER
            settings = self.settings
            language = settings.digests[0].language if settings.digests else "en"
            archive.update(store, folder, templates, language=language, titles=settings.titles, shorts=settings.shorts)
        except (MonitorError, OSError) as e:
            log.error("the archive could not be written", reason=str(e))  # noqa: TRY400 (a line for a person)

    def _look_at_templates(self, store: Store) -> None:
        """Try templates that were edited, so that a fault is known before the next edition."""
        state = state_of([self.office.desk.templates])
        if state == self._templates_seen:
            return
        self._templates_seen = state
        try:
            good = check_templates(self.office.desk)
            archive.check(good)
        except TemplateError as e:
            note_templates(store, e, self.office.clock())
        else:
            note_templates(store, None, self.office.clock())
            store.save_templates(good.sources)  # what was checked: the files may have been edited since

    def tidy(self) -> None:
        """Once a day: forget old texts, and see whether the database is sound.

        A clock that was set forward by a year would have all texts forgotten: it must have stood for a day.
        """
        with Store(self.office.database) as store:
            run = store.jobs().get("tidy")
        now = self.office.clock()
        last = run.succeeded if run else None
        if last and timedelta() <= now - last < TIDIED:
            return
        with self._job("tidy") as store:
            store.check()
            for name in ("clock", "database"):
                note = store.noted().get(name)
                if note and now - note.since > health.TOLD:
                    store.note(name, "", now)
            if last and not timedelta() <= now - last <= UNSURE:
                log.info("old texts are kept a day longer", why=f"tidied last at {last:%Y-%m-%d %H:%M} UTC")
                return
            gone = worker.tidy(self.settings, store, now)
            if gone:
                log.info("tidied", items=gone)
            worker.index(store)

    @contextmanager
    def _job(self, name: str) -> Any:
        """Open the database for one run of a job and write down how it went."""
        with Store(self.office.database) as store:
            self._recognise(store)
            if self._untold:
                self._note_clock(store, self._untold)
            store.begin_job(name, self.office.clock())
            error = ""
            try:
                yield store
            except MonitorError as e:
                error = str(e)
                log.error("job failed", job=name, reason=error)  # noqa: TRY400 (a line for a person, no traceback)
            except Exception as e:
                error = f"{type(e).__name__}: {e}"
                log.exception("job failed; this is a bug", job=name)
            finally:
                store.end_job(name, self.office.clock(), error)

    def _recognise(self, store: Store) -> None:
        """Find out whether this is still the database that the worker began with, and say so where it is not.

        One that is gone was made anew, empty, when it was opened: the worker goes on, and what feeds show from before
        is filed and not told again (see `_poll`). One that was put in its place is taken up as it is.
        """
        now = self.office.clock()
        with self._one_recognition:
            run = store.jobs().get("worker")
            if self._began is None or (run and run.started == self._began):
                self._well = now
                return
            if run is None and not store.counts()["editions"]:
                self._polled.clear()
                text = f"{ANEW} at {now:%Y-%m-%d %H:%M} UTC, for the one that the worker had is gone"
            else:
                text = f"was replaced by another one, which the worker took up at {now:%Y-%m-%d %H:%M} UTC"
            store.note("database", text, self._well)
            log.error("the database is another one", what=text)
            store.begin_job("worker", self._began)
            worker.meet_digests(self.settings, store, now)
            # What was noted, checked and judged stood in the other one.
            self._judged_by, self._kept, self._advised, self._templates_seen = "", None, None, None
            self._to_archive = True

    # ------------------------------------------------------------ feeds.yaml

    def reload(self, store: Store, *, at_once: bool = False) -> None:
        """Take up an edited feeds.yaml; with faults in it, go on with the last good one and say so.

        What has faults is looked at once more before it is told, unless `at_once`.
        """
        with self._one_reload:
            self._look_at_mount(store)
            there, raw = "", b""
            try:
                raw = read_bytes(self.office.config)
                there = hash_of(raw)
                if there == self.settings.fingerprint:
                    self._content(store, raw)
                    return
                if there == self._rejected or self._may_be_half_written(there):
                    return
                settings = config.understood(self.office.config, raw)
            except ConfigError as e:
                self._doubt(e, there, store, at_once=at_once)
                return
            except Exception as e:
                log.exception("configuration could not be read; this is a bug")
                self._doubt(e, there, store, at_once=at_once)
                return
            # In use only when all of it is: what fails here is tried again at the next job.
            store.leave_digests(_gone(self.settings, settings), self.office.clock())
            worker.meet_digests(settings, store, self.office.clock())
            self._plan_digests(settings)
            _log_changes("configuration changed", self.settings, settings)
            self.settings = settings
            self._hide()
            self._content(store, raw)

    def _hide(self) -> None:
        """Keep what feeds are asked with out of the logs; passwords in addresses are never in them anyway."""
        telling = ("auth", "cookie", "key", "token", "secret", "pass")
        logs.hide(
            value
            for feed in self.settings.feeds
            for name, value in feed.headers
            if any(word in name.lower() for word in telling)
        )

    def _content(self, store: Store, raw: bytes) -> None:
        """The file is the one in use: nothing is wrong with it, and it is kept for a worker that finds another."""
        self._rejected, self._suspect = "", None
        store.note("configuration", "", self.office.clock())
        if self._kept == (self.settings.fingerprint, ""):
            return
        fault = ""
        try:
            lastgood.keep(raw, self.office.data)
        except MonitorError as e:
            fault = str(e)
        store.note("last good", fault, self.office.clock())
        if fault and self._kept != (self.settings.fingerprint, fault):
            log.error("the last good configuration could not be kept", reason=fault)
        self._kept = self.settings.fingerprint, fault

    def _look_at_mount(self, store: Store) -> None:
        """Tell of a file that was replaced where it is mounted from: a container goes on seeing the old one."""
        with suppress(OSError):
            linked = os.stat(self.office.config).st_nlink > 0
            orphan = self._linked and not linked  # some file systems never count links
            self._linked = self._linked or linked
            note = f"{self.office.config}: {_ORPHAN}" if orphan else ""
            if store.note("mount", note, self.office.clock()) and note:
                log.warning("configuration cannot be followed", reason=note)

    def _may_be_half_written(self, there: str) -> bool:
        """Tell whether this file, known to have faults, was seen for the first time just now."""
        suspect, now = self._suspect, self.office.clock()
        return bool(
            suspect
            and suspect.fingerprint == there
            and timedelta(0) <= now - suspect.seen < SETTLED
            and now - suspect.began < UNSETTLED
        )

    def _doubt(self, e: Exception, there: str, store: Store, *, at_once: bool) -> None:
        """Look at a file with faults once more before it is told: most editors empty a file before they write it."""
        if self._may_be_half_written(there):
            return
        suspect, now = self._suspect, self.office.clock()
        again = suspect is not None and (suspect.fingerprint == there or now - suspect.began >= UNSETTLED)
        if at_once or again:
            self._reject(e, there, store)
            return
        self._suspect = Suspect(there, now, suspect.began if suspect else now)

    def _reject(self, e: Exception, fingerprint: str, store: Store) -> None:
        """Stay with what is in use. `fingerprint` is that of the file before it was read: it may be mended by now."""
        self._rejected, self._suspect = fingerprint, None
        line = labels.say("en", "note_configuration", fault=_first_fault(e))
        if store.note("configuration", line, self.office.clock()):
            log.error("configuration rejected", reason=str(e))

    def _plan_digests(self, settings: Settings) -> None:
        """Wake up at each digest's own time; the minute's tick would be up to a minute late."""
        for job in self._scheduler.get_jobs():
            if job.id.startswith("digest "):
                with suppress(JobLookupError):  # another thread was quicker
                    job.remove()
        for plan in settings.digests:
            trigger = slots.trigger(plan.cron, plan.timezone)
            self._scheduler.add_job(self.editions, trigger, id=f"digest {plan.name}", replace_existing=True)

    def _on_trouble(self, event: JobExecutionEvent) -> None:
        """APScheduler swallows what a job raises: say it."""
        log.error("job could not be run or recorded", job=event.job_id, reason=str(event.exception or "missed"))


def heed_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set; to be called before anything else is begun."""
    stop = threading.Event()
    hear, say = os.pipe()
    os.set_blocking(say, False)

    def listen() -> None:
        os.read(hear, 1)
        stop.set()

    def on_signal(number: int, frame: FrameType | None) -> None:
        # No lock may be taken here: the thread that was interrupted may hold it, `stop`'s own too.
        with suppress(BlockingIOError):
            os.write(say, b"!")

    threading.Thread(target=listen, daemon=True, name="signals").start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop


def run(office: Office, settings: Settings, stop: threading.Event) -> None:
    """Work until `stop` is set; return within ten seconds of that.

    Raises:
        BusyError: another worker runs on this data folder.
        StoreError: the data folder or the database cannot be used.
    """
    ended = threading.Event()
    threading.Thread(target=_last_word, args=(stop, ended), daemon=True).start()
    with hold(office.data, "worker", wait=2):  # `monitor health` tries the lock for an instant
        runner = Runner(office, settings, stop)
        runner.start()
        # A signal that comes just before a wait without end would not be heard in it.
        while not stop.wait(1.0):
            try:
                runner.look_around()
            except MonitorError as e:
                log.critical("ended", reason=str(e))
                os._exit(1)  # threads that hang would keep it; nothing is half written, for steps are transactions
            except Exception:
                log.exception("ended; this is a bug")
                os._exit(1)  # whoever watches over it starts it anew, and that is better than half a worker
        log.info("ending")
        runner.end()
        log.info("ended")
    ended.set()


def _last_word(stop: threading.Event, ended: threading.Event) -> None:
    """End the process when something hangs. Nothing is half written then: every step is one transaction."""
    stop.wait()
    if not ended.wait(LAST_WORD):
        os._exit(0)


def _log_failure(outcome: Outcome) -> None:
    if outcome.result == "failed":
        feed = outcome.feed.name or outcome.feed.address
        log.warning("feed failed", feed=feed, trouble=outcome.trouble, reason=outcome.reason)


def _log_poll(outcomes: list[Outcome]) -> None:
    log.info(
        "polled",
        feeds=len(outcomes),
        failed=sum(outcome.result == "failed" for outcome in outcomes),
        new=sum(outcome.new for outcome in outcomes),
        hits=sum(outcome.hits for outcome in outcomes),
    )


def _first_fault(e: Exception) -> str:
    """Return the first fault with its place, and how many more there are."""
    if not isinstance(e, ConfigError):
        return f"{type(e).__name__}: {e}"
    first = (str(e).splitlines() or [""])[0]
    more = len(e.faults) - 1
    return f"{first} (and {more} more; monitor check lists all)" if more > 0 else first


def _gone(old: Settings, new: Settings) -> set[str]:
    return {plan.name for plan in old.digests} - {plan.name for plan in new.digests}


def _log_changes(event: str, old: Settings, new: Settings) -> None:
    found = changes.changes(old, new)
    log.info(event, what=changes.in_words(found), **changes.counts(found))
