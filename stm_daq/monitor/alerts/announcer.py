"""Alerts of a hub: what a process beside the runs has found about its stations."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from stm_daq.alert_settings import AlertSettings, RuleBlock
from stm_daq.clock import Clock, RealClock
from stm_daq.errors import BadInputError
from stm_daq.monitor.alerts.alerter import alert_of
from stm_daq.monitor.alerts.courier import TICK
from stm_daq.monitor.alerts.letter import Letter
from stm_daq.monitor.alerts.limiter import Limiter, Notice, notice_of
from stm_daq.monitor.alerts.office import PATIENCE, PostOffice
from stm_daq.monitor.alerts.rules import Finding
from stm_daq.monitor.alerts.spool import Waiting
from stm_daq.monitor.bodies import Alert

log = logging.getLogger(__name__)


def _nobody(station: str, alert: Alert) -> None:
    """Tell nobody."""


class Announcer:
    """Limits, keeps and sends what is found about stations; may be used from several threads.

    Parameters
    ----------
    settings : AlertSettings
        Its rules of kind `silence` and its sinks are used.
    spool : Path or None
        Where alerts wait that could not be sent; None keeps them in memory.
    tell : callable
        Is given the station and every alert, when it is raised and again when it has got through; in
        any thread.

    Attributes
    ----------
    rules : tuple of RuleBlock
        Those of kind `silence`.

    Raises
    ------
    BadInputError
        If there is no rule about silence, or `spool` is no spool.
    """

    def __init__(
        self,
        settings: AlertSettings,
        spool: Path | None,
        tell: Callable[[str, Alert], None] = _nobody,
    ) -> None:
        self.rules = tuple(rule for rule in settings.rules if rule.silence is not None)
        if not self.rules:
            raise BadInputError(
                'no rule about silence: write `- silence: {after: "60 s"}` into `alerts: rules:`'
            )
        self._tell = tell
        self._every = settings.every
        self._clock: Clock = RealClock()
        self._limiter = Limiter()
        self._lock = threading.Lock()
        self._runs: dict[str, str] = {}
        self._office = PostOffice(settings, spool, self._delivered)
        self._closing = threading.Event()
        threading.Thread(target=self._release, name="announcer", daemon=True).start()

    def __call__(self, station: str, alert: Alert) -> None:
        """Send an alert about a station as the first rule about silence wants it; returns at once."""
        rule = self.rules[0]
        level = rule.level or alert.level
        self._limit(Notice(alert.time, alert.rule, level, alert.text, station, rule.to), rule)

    def take(self, rule: RuleBlock, finding: Finding, run: str = "") -> None:
        """Tell what a rule has found about the station `finding.about`; returns at once."""
        self._runs[finding.about] = run
        self._limit(notice_of(rule, finding, self._clock.wall()), rule)

    def _limit(self, notice: Notice, rule: RuleBlock) -> None:
        with self._lock:
            now = self._clock.now()
            passed = self._limiter.take(notice, rule.every or self._every, now)
        self._post([] if passed is None else [passed])

    def close(self, patience: float = PATIENCE) -> list[Waiting]:
        """Send what is left, for at most `patience` s; return what could not be sent."""
        self._closing.set()
        with self._lock:
            rest = self._limiter.rest(self._clock.now())
        self._post(rest)
        return self._office.close(patience)

    def _release(self) -> None:
        """Send what was held back long enough, until closing (the thread's function)."""
        while not self._closing.wait(TICK):
            with self._lock:
                due = self._limiter.due(self._clock.now())
            self._post(due)

    def _post(self, notices: list[Notice]) -> None:
        for notice in notices:
            self._say(notice.about, alert_of(notice, delivered=False))
            run = self._runs.get(notice.about, "")
            letter = Letter(
                0, notice.time, run, notice.about, notice.rule, notice.level, notice.text
            )
            self._office.post(letter, notice.to)

    def _delivered(self, waiting: Waiting, problem: str) -> None:
        if not problem:
            self._say(waiting.letter.name, alert_of(waiting.letter, delivered=True))

    def _say(self, station: str, alert: Alert) -> None:
        """Whoever shows the alerts may have left; they are sent all the same."""
        try:
            self._tell(station, alert)
        except Exception:
            log.exception("an alert about %s could not be shown", station)
