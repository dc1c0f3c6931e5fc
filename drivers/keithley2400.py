"""Keithley 2400 as transport meter of a strip, through the driver of QCoDeS.

It sources a current and measures the voltage at four wires. Facts from the manual: a reading with the
output off is an error (803); a range is left as the user set it, so that nothing jumps.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from qcodes.instrument_drivers.Keithley import Keithley2400

from drivers.visa_errors import reported
from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError, OutOfRangeError
from stm_daq.quantities import show
from stm_daq.station.limits import Limits
from stm_daq.station.safe_state import restore

RESOLUTION = 1e-8
"""Currents are written with so many amperes (the driver's format)."""


class Keithley2400Strip:
    """A Keithley 2400 that sends a current through a strip.

    Parameters
    ----------
    instrument : Keithley2400
    limits : Limits
    clock : Clock
    largest_current : float
        No larger current is ever sent, A.
    settle : float
        Time after a step of the current, s.
    """

    def __init__(
        self,
        instrument: Keithley2400,
        limits: Limits,
        clock: Clock,
        largest_current: float,
        settle: float = 2e-3,
    ) -> None:
        if not 0 < largest_current <= 1.05:
            raise ValueError(f"largest_current should be up to 1.05 A, not {largest_current}")
        self._meter: Any = instrument
        self._clock = clock
        self._largest = float(largest_current)
        self._settle = float(settle)
        self._current = 0.0

    def start(self, amperes: float) -> None:
        """Send a current and confirm that the output is on."""
        self._require(amperes)
        with reported(self._meter, "send a current through the strip"):
            if self._meter.mode() != "CURR":
                raise InstrumentError(f"{self._meter.name}: it sources a voltage; set it to CURR")
            self._meter.curr(amperes)
            self._meter.output("on")
            on = self._meter.output.get()
        if not on:
            raise InstrumentError(f"{self._meter.name}: the output is off after switching it on")
        self._current = amperes

    def resistance(self) -> float:
        """Read voltage over current, ohm; NaN without a current."""
        voltage, current = self._read()
        return voltage / current if abs(current) > RESOLUTION else math.nan

    def critical_current(self, largest: float, points: int, threshold: float) -> float:
        """Raise the current until the strip becomes resistive; see the role."""
        self._require(largest)
        steps = np.linspace(0.0, largest, points + 1)
        found = math.nan
        try:
            for before, amperes in zip(steps[:-1], steps[1:], strict=True):
                self._send(float(amperes))
                if abs(self._read()[0]) > threshold:
                    found = float(before + amperes) / 2
                    break
        except BaseException:
            restore([("switch the current through the strip off", self.off)])
            raise
        self._send(self._current)
        return found

    def off(self) -> None:
        """Send no current, and confirm it."""
        with reported(self._meter, "switch the current off"):
            try:
                self._meter.curr(0.0)
            finally:
                self._meter.output("off")
            on = self._meter.output.get()
        if on:
            raise InstrumentError(f"{self._meter.name}: the output is still on; switch it off there")
        self._current = 0.0

    def _send(self, amperes: float) -> None:
        with reported(self._meter, "set the current"):
            self._meter.curr(amperes)
        self._clock.sleep(self._settle)

    def _read(self) -> tuple[float, float]:
        """Return voltage, V, and current, A, of one reading."""
        with reported(self._meter, "read voltage and current"):
            fields = self._meter.ask(":READ?").split(",")
        try:
            voltage, current = (float(field) for field in fields)
        except ValueError as error:
            raise InstrumentError(f"{self._meter.name}: the reply {fields} is no reading") from error
        if not (math.isfinite(voltage) and abs(voltage) < 1e30):
            raise InstrumentError(f"{self._meter.name}: the voltage is {voltage} (overflow)")
        return voltage, current

    def _require(self, amperes: float) -> None:
        if not abs(amperes) <= self._largest:
            raise OutOfRangeError(
                f"{self._meter.name}: {show(amperes, 'A')} through the strip; the station allows "
                f"{show(self._largest, 'A')} (`largest_current` of the role); nothing was sent"
            )
