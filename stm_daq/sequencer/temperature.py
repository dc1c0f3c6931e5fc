"""The stage temperature, read now and then, never passed on when it is old."""

from __future__ import annotations

import math
from collections.abc import Callable

from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError
from stm_daq.records import Event, Record
from stm_daq.station.roles import TemperatureReading, Thermometer

INTERVAL = 30.0
"""Seconds between readings."""


class StageTemperature:
    """Reads the thermometer at most every :data:`INTERVAL` seconds and reports each reading.

    A thermometer that fails does not stop the night: the reading is then unknown, the spectra carry
    the flag ``stale_temperature``, and the failure is an event.
    """

    def __init__(
        self, thermometer: Thermometer | None, clock: Clock, emit: Callable[[Record], None]
    ) -> None:
        self._thermometer = thermometer
        self._clock = clock
        self._emit = emit
        self._next = -math.inf
        self._reading = TemperatureReading(math.nan, False, clock.wall())

    def go_on_from(self, reading: TemperatureReading) -> None:
        """Keep to the times of an earlier part of the run, of which this was the last reading."""
        self._reading = reading
        self._next = self._clock.now() + INTERVAL - (self._clock.wall() - reading.time)

    @property
    def expected(self) -> bool:
        """Whether the station has a thermometer at all."""
        return self._thermometer is not None

    def renew(self) -> None:
        """Forget the last reading: the stage has another temperature now."""
        self._next = -math.inf

    def latest(self) -> TemperatureReading:
        """Return a reading that is at most one interval old; not fresh if there is none."""
        if self._thermometer is not None and self._clock.now() >= self._next:
            self._next = self._clock.now() + INTERVAL
            self._read(self._thermometer)
        return self._reading

    def _read(self, thermometer: Thermometer) -> None:
        now = self._clock.wall()
        try:
            self._reading = thermometer.read()
        except InstrumentError as error:
            self._reading = TemperatureReading(math.nan, False, now)
            self._emit(Event(now, "warning", f"thermometer: {error}"))
            return
        data = {"kelvin": self._reading.kelvin, "fresh": self._reading.fresh}
        self._emit(Event(now, "temperature", f"{self._reading.kelvin:.4g} K", data))
