"""Stanford Research SR830 as transport meter of a strip, through the driver of QCoDeS.

Its sine output drives the strip through a series resistor that is large compared with the strip; the
differential input measures the strip's voltage. All currents and voltages are peak values: the
strip becomes resistive when the peak passes its critical current.
"""

from __future__ import annotations

import math
from typing import Any

from qcodes.instrument_drivers.stanford_research import SR830

from drivers.sr830 import MODEL
from drivers.strip_current import StripMeter
from drivers.visa_errors import ask_number, reported
from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError, OutOfRangeError
from stm_daq.station.limits import Limits

SETTLE = 7.0
"""Time constants after a step of the current: 0.7 % of it is left at 12 dB/oct."""


class Sr830Strip(StripMeter):
    """An SR830, not the one on the junction, that sends an alternating current through a strip.

    Sensitivity and frequency are left as the user set them.

    Parameters
    ----------
    instrument : SR830
    limits : Limits
    clock : Clock
    series_resistance : float
        Between sine output and strip, with the output's own 50 ohm, ohm.
    largest_current : float
        No larger current is ever sent, A peak.
    """

    def __init__(
        self,
        instrument: SR830,
        limits: Limits,
        clock: Clock,
        series_resistance: float,
        largest_current: float,
    ) -> None:
        if not series_resistance > 0:
            raise ValueError(f"series_resistance should be positive, not {series_resistance}")
        super().__init__(instrument.name, largest_current)
        self._lockin: Any = instrument
        self._clock = clock
        self._per_ampere = float(series_resistance) / math.sqrt(2)
        self._settle = 0.0

    def off(self) -> None:
        """Reduce the sine output to the least it can give (4 mV), and confirm it."""
        self._send(0.0)
        self._current = 0.0

    def _switch_on(self, amperes: float) -> None:
        with reported(self._lockin, "read the time constant"):
            self._settle = SETTLE * float(self._lockin.time_constant())
        self._send(amperes)

    def _send(self, amperes: float) -> None:
        low, high = MODEL.sine_range
        volts = abs(amperes) * self._per_ampere
        if volts > high:
            raise OutOfRangeError(
                f"{self._name}: its sine output would need {volts:.3g} V, it gives {high:g} V; take "
                "a smaller series resistor; nothing was sent"
            )
        wanted = max(volts, low)
        with reported(self._lockin, "set the sine output"):
            self._lockin.write(f"SLVL {wanted:.3f}")
        found = ask_number(self._lockin, "SLVL?")
        if abs(found - wanted) > 2.1e-3:
            raise InstrumentError(f"{self._name}: the sine output is {found} V, not {wanted:.3f} V")
        self._sent = found / self._per_ampere
        self._clock.sleep(self._settle)

    def _read(self) -> tuple[float, float]:
        return ask_number(self._lockin, "OUTP? 1") * math.sqrt(2), self._sent
