"""Dead man's switch: another process notices that a run has fallen silent."""

from __future__ import annotations

from collections.abc import Iterable

from stm_daq.monitor.alerts.announcer import Announcer
from stm_daq.monitor.alerts.rules import Finding
from stm_daq.monitor.bodies import Heartbeat
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
    """Dead man's switches of several stations; what they find is announced.

    Parameters
    ----------
    announcer : Announcer
    stations : iterable of str
        Names of the stations that are listened to.
    """

    def __init__(self, announcer: Announcer, stations: Iterable[str]) -> None:
        self._announcer = announcer
        self._switches = {
            name: [
                (rule, DeadMan(name, rule.silence.after))
                for rule in announcer.rules
                if rule.silence
            ]
            for name in stations
        }

    def hear(self, station: str, item: Item) -> None:
        """Take an item of a station into account; returns at once, what is sent goes by threads."""
        for rule, switch in self._switches[station]:
            finding = switch.hear(item)
            if finding is not None:
                self._announcer.take(rule, finding, switch.run)
