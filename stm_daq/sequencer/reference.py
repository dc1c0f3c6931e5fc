"""A reference place that is measured between the sites: what drifts shows there first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stm_daq.clock import Clock
from stm_daq.plan import Plan
from stm_daq.records import Event, Record, Site
from stm_daq.sequencer.drift import Whereabouts
from stm_daq.sequencer.site import SiteMeasurement
from stm_daq.sequencer.trials import tried

KIND = "reference"
"""Of the events that hold what was measured."""


class ReferenceMeasurement:
    """Measures the reference place before the first site and after every so many.

    What it finds is told as an event: it belongs to no place of the map.

    Parameters
    ----------
    plan : Plan
    measurement : SiteMeasurement
    where : Whereabouts
        Of the reference, as of the sites.
    clock : Clock
    emit : callable
    """

    def __init__(
        self,
        plan: Plan,
        measurement: SiteMeasurement,
        where: Whereabouts,
        *,
        clock: Clock,
        emit: Callable[[Record], None],
    ) -> None:
        cycles = plan.sweep.power_sweep
        self._place = cycles.reference if cycles is not None else None
        self._measurement = measurement
        self._where = where
        self._clock = clock
        self._emit = emit
        self._sites_since = self._place.every if self._place is not None else 0

    def before_site(self) -> None:
        """Measure the reference if it is due, and count the site that follows."""
        if self._place is not None and self._sites_since >= self._place.every:
            tried(self._measure, "reference place", self._clock, self._emit)
        self.count()

    def count(self) -> None:
        """Count a site, as an earlier part of the run did."""
        if self._place is None:
            return
        if self._sites_since >= self._place.every:
            self._sites_since = 0
        self._sites_since += 1

    def _measure(self) -> None:
        assert self._place is not None
        site = Site(-1, -1, -1, self._place.x, self._place.y)
        found = self._measurement.measure(self._where.corrected(site), 0)
        data = {
            "conductance": _plain(found.conductance),
            "extra": [_plain(trace) for trace in found.extra],
            "time": found.time,
            "flags": list(found.flags),
        }
        self._emit(Event(self._clock.wall(), KIND, "reference place measured", data))


def _plain(values: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
