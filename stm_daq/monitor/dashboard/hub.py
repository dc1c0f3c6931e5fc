"""Several stations: a line for each, and an alert when one falls silent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from stm_daq.clock import Clock, RealClock
from stm_daq.errors import StmDaqError
from stm_daq.monitor.bodies import Alert
from stm_daq.monitor.dashboard import facts
from stm_daq.monitor.dashboard.doors import Role
from stm_daq.monitor.dashboard.gate import PAGES
from stm_daq.monitor.dashboard.live import Station
from stm_daq.monitor.dashboard.source import Source

SILENCE = 30.0
"""s without a word after which a running station is taken for dead; it speaks every second."""

type Raise = Callable[[str, Alert], None]
"""(station, alert): sends an alert out; must return at once."""

_log = logging.getLogger(__name__)


class DeadMan:
    """Raises an alert when a station that runs falls silent, and says when it is back.

    Only somebody else can tell that a station has died.

    Parameters
    ----------
    stations : sequence of Station
    raise_alert : callable
        The way out; the pages show the alert as well.
    limit : float
        s.
    clock : Clock, optional
    """

    def __init__(
        self,
        stations: Sequence[Station],
        raise_alert: Raise,
        limit: float = SILENCE,
        clock: Clock | None = None,
    ) -> None:
        self._stations = stations
        self._raise = raise_alert
        self._limit = limit
        self._clock = clock or RealClock()
        self._dead: set[int] = set()

    def look(self) -> None:
        """Look at every station; to be called about once a second."""
        for number, station in enumerate(self._stations):
            health = station.health
            silent = health.stale and health.silent >= self._limit
            if silent and number not in self._dead:
                self._dead.add(number)
                self._tell(station, f"silent for {health.silent:.0f} s while it was {health.state}")
            elif not health.stale and number in self._dead:
                self._dead.remove(number)
                self._tell(station, "speaks again")

    def _tell(self, station: Station, text: str) -> None:
        _log.warning("%s: %s", station.name, text)
        line = f"{station.name}: {text}"
        alert = Alert(self._clock.wall(), "silence", "alarm", line, delivered=False)
        station.alert(alert)
        try:
            self._raise(station.name, alert)
        except (StmDaqError, OSError):
            # whatever the way out is made of, the others must still be looked after
            _log.exception("the alert about %s could not be sent", station.name)


def overview(sources: Sequence[Source], role: Role) -> list[dict[str, Any]]:
    """Return what the overview shows of every source."""
    return [_line(number, source, role) for number, source in enumerate(sources)]


def _line(number: int, source: Source, role: Role) -> dict[str, Any]:
    started = source.started
    return {
        "name": source.name,
        "href": f"{PAGES[role]}?station={number}",
        "live": source.live,
        "run": "" if started is None else started.name,
        "sample": "" if started is None else started.sample,
        "progress": facts.progress(source.progress),
        "alerts": len(source.alerts),
        **facts.health(source.health),
    }
