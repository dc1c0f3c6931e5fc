"""Keithley 2400 as transport meter of a strip, through the driver of QCoDeS.

It sources a current and measures the voltage at four wires. Facts from the manual: a reading with the
output off is an error (803); a range is left as the user set it, so that nothing jumps.
"""

from __future__ import annotations

import math
from typing import Any

from qcodes.instrument_drivers.Keithley import Keithley2400

from drivers.strip_current import StripMeter
from drivers.visa_errors import reported
from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError
from stm_daq.station.limits import Limits

OVERFLOW = 1e30
"""A reading as large is none (the manual's 9.9e37)."""


class Keithley2400Strip(StripMeter):
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
        super().__init__(instrument.name, largest_current)
        self._meter: Any = instrument
        self._clock = clock
        self._settle = float(settle)

    def off(self) -> None:
        """Send no current, and confirm it."""
        with reported(self._meter, "switch the current off"):
            try:
                self._meter.curr(0.0)
            finally:
                self._meter.output("off")
            on = self._meter.output.get()
        if on:
            raise InstrumentError(f"{self._name}: the output is still on; switch it off there")
        self._current = 0.0

    def _switch_on(self, amperes: float) -> None:
        with reported(self._meter, "send a current through the strip"):
            mode = self._meter.mode()
            if mode == "CURR":
                self._meter.curr(amperes)
                self._meter.output("on")
            on = self._meter.output.get()
        if mode != "CURR":
            raise InstrumentError(f"{self._name}: it sources a voltage; set it to a current there")
        if not on:
            raise InstrumentError(f"{self._name}: the output is off after switching it on")

    def _send(self, amperes: float) -> None:
        with reported(self._meter, "set the current"):
            self._meter.curr(amperes)
        self._clock.sleep(self._settle)

    def _read(self) -> tuple[float, float]:
        with reported(self._meter, "read voltage and current"):
            fields = self._meter.ask(":READ?").split(",")
        try:
            voltage, current = (float(field) for field in fields)
        except ValueError as error:
            raise InstrumentError(f"{self._name}: the reply {fields} is no reading") from error
        if not (math.isfinite(voltage) and abs(voltage) < OVERFLOW):
            raise InstrumentError(f"{self._name}: the voltage is {voltage}: it is out of range")
        return voltage, current
