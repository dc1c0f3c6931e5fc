"""Watches a run by the rules and sees to it that people are told. It cannot hurt the run: what the
run does is only to put a record into a queue."""

from __future__ import annotations

import logging
import math
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from stm_daq.alert_settings import AlertSettings, RuleBlock
from stm_daq.clock import Clock, RealClock
from stm_daq.disk_space import DiskSpace
from stm_daq.errors import BadInputError
from stm_daq.monitor.alerts.courier import TICK
from stm_daq.monitor.alerts.letter import Letter
from stm_daq.monitor.alerts.limiter import Limiter, Notice, notice_of
from stm_daq.monitor.alerts.office import PATIENCE, PostOffice
from stm_daq.monitor.alerts.rules import (
    Finding,
    NamedRule,
    findings_of,
    make_rules,
    read_by_rules,
)
from stm_daq.monitor.alerts.spool import NAME, Waiting
from stm_daq.monitor.bodies import Alert
from stm_daq.records import Event, Record, RunEnded, RunStarted

log = logging.getLogger(__name__)


@dataclass
class _Run:
    """What belongs to the run that is watched."""

    started: RunStarted
    rules: tuple[NamedRule, ...]
    office: PostOffice
    sends: bool


class Alerter:
    """An observer that follows the rules in a thread of its own; also a context manager.

    Parameters
    ----------
    settings : AlertSettings
    runs : Path
        Where the run has its folder.
    tell : callable
        Is given every :class:`~stm_daq.monitor.bodies.Alert`, when it is raised and again when it has
        got through; called in threads of the alerts.
    in_rehearsals : bool
        Whether alerts of a rehearsal are sent too; else they are only told to `tell`.
    """

    def __init__(
        self,
        settings: AlertSettings,
        runs: Path,
        tell: Callable[[Alert], None],
        in_rehearsals: bool = False,
    ) -> None:
        self._settings = settings
        self._runs = runs
        self._tell = tell
        self._in_rehearsals = in_rehearsals
        self._clock: Clock = RealClock()
        self._queue: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
        self._events: deque[Event] = deque()
        self._limiter = Limiter()
        self._run: _Run | None = None
        self._latest = math.nan  # time of the latest record, in the run's time
        self._next_look = self._clock.now()
        self._thread = threading.Thread(target=self._serve, name="alerts", daemon=True)
        self._thread.start()

    def __str__(self) -> str:
        return "the alerts"

    def __call__(self, record: Record) -> list[Event]:
        """Leave a record for the rules; return at once what the journal should know.

        These are the alerts that were raised, not sent, sent after all since the last record. A
        rehearsal whose alerts are not sent has none: where they stand in its journal would depend on
        chance.
        """
        if read_by_rules(record):
            self._queue.put(record)
        if isinstance(record, RunEnded):
            return []  # this is the last record; the spool keeps the rest
        return [self._events.popleft() for _ in range(len(self._events))]

    def close(self, patience: float = PATIENCE) -> list[Waiting]:
        """Judge what is left, send it for at most `patience` s, return what could not be sent."""
        self._queue.put(None)
        self._thread.join(patience)
        return [] if self._run is None else self._run.office.close(patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _serve(self) -> None:
        while True:
            try:
                record = self._queue.get(timeout=TICK)
            except queue.Empty:
                self._try(self._look)
                continue
            if record is None:
                self._try(lambda: self._raise(self._limiter.rest(self._now())))
                return
            self._try(partial(self._take, record))
            if self._clock.now() >= self._next_look:
                self._try(self._look)

    def _try(self, work: Callable[[], None]) -> None:
        """Whatever goes wrong here is written down, and the next record is taken."""
        try:
            work()
        except Exception:
            log.exception("alerts: something went wrong; they go on")

    def _take(self, record: Record) -> None:
        if isinstance(record, RunStarted):
            self._begin(record)
        if self._run is None:
            return
        time = getattr(record, "time", math.nan)
        self._latest = time if math.isfinite(time) else self._latest
        if isinstance(record, RunEnded):
            self._raise(self._limiter.rest(self._now()))  # the end is the last word
        self._judge(findings_of(self._run.rules, record))

    def _look(self) -> None:
        self._next_look = self._clock.now() + TICK
        if self._run is not None:
            self._judge(findings_of(self._run.rules, None))
            self._raise(self._limiter.due(self._now()))

    def _begin(self, started: RunStarted) -> None:
        folder = self._runs / started.run_id
        sends = started.kind != "rehearsal" or self._in_rehearsals
        settings = self._settings if sends else self._settings.without_sinks()
        rules = make_rules(settings, DiskSpace(folder).free, self._clock)
        path = folder / NAME if settings.sinks else None
        problem = ""
        try:
            office = PostOffice(settings, path, self._delivered)
        except BadInputError as error:  # after a power cut for example; this night needs alerts too
            problem = f"alerts are kept in memory only: {error}"
            log.warning("%s", problem)
            office = PostOffice(settings, None, self._delivered)
        self._run = _Run(started, rules, office, sends)
        if problem and sends:
            self._events.append(Event(self._moment(), "warning", problem))

    def _judge(self, found: list[tuple[RuleBlock, Finding]]) -> None:
        for block, finding in found:
            notice = notice_of(block, finding, self._moment())
            passed = self._limiter.take(notice, block.every or self._settings.every, self._now())
            self._raise([] if passed is None else [passed])

    def _raise(self, notices: list[Notice]) -> None:
        run = self._run
        for notice in notices if run is not None else ():
            assert run is not None
            self._try(partial(self._tell, alert_of(notice, delivered=False)))
            started = run.started
            letter = Letter(
                0, notice.time, started.run_id, started.name, notice.rule, notice.level, notice.text
            )
            letter = run.office.post(letter, notice.to)
            self._note("alert", f"{notice.level}: {notice.text}", letter)

    def _delivered(self, waiting: Waiting, problem: str) -> None:
        """Hear from a courier (in its thread) what became of a letter."""
        letter = waiting.letter
        if problem and not waiting.attempts:
            self._note("alert_unsent", f"{waiting.sink}: {problem}; tried again", letter)
        if not problem:
            self._tell(alert_of(letter, delivered=True))
            if waiting.attempts:
                self._note("alert_sent", f"{waiting.sink}: sent after all", letter)

    def _note(self, kind: str, text: str, letter: Letter) -> None:
        if self._run is not None and self._run.sends:
            data = {"rule": letter.rule, "level": letter.level, "number": letter.number}
            self._events.append(Event(self._moment(), kind, text, data))

    def _moment(self) -> float:
        """Return the time of the run, as its records have it."""
        return self._latest if self._is_virtual else self._clock.wall()

    def _now(self) -> float:
        """Return seconds for the limiter, which pass as the run's time does."""
        return self._latest if self._is_virtual else self._clock.now()

    @property
    def _is_virtual(self) -> bool:
        return self._run is not None and self._run.started.kind == "rehearsal"


def alert_of(what: Notice | Letter, delivered: bool) -> Alert:
    """Return the message that tells viewers of an alert."""
    return Alert(what.time, what.rule, what.level, what.text, delivered)
