"""Dead man's switch: another process notices that a run has fallen silent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from stm_daq.alert_settings import AlertSettings, RuleBlock
from stm_daq.clock import Clock, RealClock
from stm_daq.errors import BadInputError
from stm_daq.monitor.alerts.alerter import alert_of
from stm_daq.monitor.alerts.letter import Letter
from stm_daq.monitor.alerts.limiter import Limiter, Notice, notice_of
from stm_daq.monitor.alerts.office import PATIENCE, PostOffice
from stm_daq.monitor.alerts.rules import Finding
from stm_daq.monitor.alerts.spool import Waiting
from stm_daq.monitor.bodies import Alert, Heartbeat
from stm_daq.monitor.client import Item, Silence
from stm_daq.monitor.messages import Message
from stm_daq.quantities import show_duration
from stm_daq.records import RunEnded, RunStarted

_OVER = ("waiting", "finished", "stopped", "failed")


class DeadMan:
    """Judges how long one station has been silent.

    It is armed by the first message of a run that goes on, and disarmed when the run ends: what was
    never heard cannot fall silent, and a publisher may leave after the end.

    Parameters
    ----------
    station : str
        What to call it in the text.
    after : float
        Longest silence, s; a live publisher speaks every second.
    """

    def __init__(self, station: str, after: float) -> None:
        self._station = station
        self._after = after
        self._armed = self._told = False
        self.run = ""
        """Identifier of the run that was heard last."""

    def hear(self, item: Item) -> Finding | None:
        """Take one item of :func:`stm_daq.monitor.connect` into account."""
        if isinstance(item, Silence):
            return self._judge(item.seconds)
        if not isinstance(item, Message):
            return None
        self.run = item.run or self.run
        if isinstance(item.body, Heartbeat):
            self._armed = item.body.state not in _OVER
        elif isinstance(item.body, RunStarted | RunEnded):
            self._armed = isinstance(item.body, RunStarted)
        if not self._told:
            return None
        self._told = False
        return Finding("info", f"{self._station} is heard again", self._station, good=True)

    def _judge(self, silent: float) -> Finding | None:
        if not self._armed or self._told or silent < self._after:
            return None
        self._told = True
        text = (
            f"{self._station} has been silent for {show_duration(silent)}: its computer, its network "
            "or its run has failed; look after the tip"
        )
        return Finding("alarm", text, self._station)


class SilenceWatch:
    """Raises and sends the alerts of one or more dead man's switches.

    Parameters
    ----------
    settings : AlertSettings
        Its rules of kind `silence` and its sinks are used.
    stations : iterable of str
        Names of the stations that are listened to.
    spool : Path or None
        Where alerts wait that could not be sent; None keeps them in memory.
    tell : callable
        Is given every alert, when it is raised and again when it has got through.

    Raises
    ------
    BadInputError
        If there is no rule about silence, or `spool` is no spool.
    """

    def __init__(
        self,
        settings: AlertSettings,
        stations: Iterable[str],
        spool: Path | None,
        tell: Callable[[Alert], None],
    ) -> None:
        self._tell = tell
        self._every = settings.every
        self._clock: Clock = RealClock()
        self._limiter = Limiter()
        self._switches: dict[str, list[tuple[RuleBlock, DeadMan]]] = {
            name: [
                (rule, DeadMan(name, rule.silence.after)) for rule in settings.rules if rule.silence
            ]
            for name in stations
        }
        if not any(self._switches.values()):
            raise BadInputError(
                "no rule about silence: write `- silence: {after: 60 s}` into `alerts:`"
            )
        self._office = PostOffice(settings, spool, self._delivered)

    def hear(self, station: str, item: Item) -> None:
        """Take an item of a station into account; returns at once, what is sent goes by threads."""
        now = self._clock.now()
        for rule, switch in self._switches[station]:
            finding = switch.hear(item)
            if finding is None:
                continue
            notice = notice_of(rule, finding, self._clock.wall())
            passed = self._limiter.take(notice, rule.every or self._every, now)
            self._post([] if passed is None else [passed])
        self._post(self._limiter.due(now))

    def close(self, patience: float = PATIENCE) -> list[Waiting]:
        """Send what is due, for at most `patience` s; return what could not be sent."""
        return self._office.close(patience)

    def _post(self, notices: list[Notice]) -> None:
        for notice in notices:
            self._tell(alert_of(notice, delivered=False))
            run = next((switch.run for _, switch in self._switches[notice.about]), "")
            letter = Letter(
                0, notice.time, run, notice.about, notice.rule, notice.level, notice.text
            )
            self._office.post(letter, notice.to)

    def _delivered(self, waiting: Waiting, problem: str) -> None:
        if not problem:
            self._tell(alert_of(waiting.letter, delivered=True))
