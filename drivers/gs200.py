"""Yokogawa GS200 as bias source, through the driver of QCoDeS.

It has no list with triggers, so spectra are taken point by point. Long ways are ramps of its program
mode: one step whose slope time is that of the ramp. The ramp of QCoDeS would wait without end for
the bit that marks the end of a program; here there is a deadline, and a program that is left early
is paused. Facts from the manual and the driver: the program's clock is 10 Hz; a range gives
120 % of its name, 32 V at most, with the resolution below.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from qcodes.instrument_drivers.yokogawa import YokogawaGS200

from drivers.bias_wiring import require_divider
from drivers.visa_errors import ask_number, ask_whole, reported
from stm_daq.clock import Clock, wait_until
from stm_daq.errors import InstrumentError, OutOfRangeError
from stm_daq.quantities import show
from stm_daq.station.limits import Limits
from stm_daq.station.roles import Finding, PlanNeeds, refusal
from stm_daq.station.safe_state import restore

RESOLUTIONS = {10e-3: 1e-7, 100e-3: 1e-6, 1.0: 1e-5, 10.0: 1e-4, 30.0: 1e-3}
"""Resolution by range, V."""
LARGEST = 32.0
"""V."""
OVERRANGE = 1.2
TICK = 0.1
"""Ramps last a whole number of these, s."""
LONGEST = 3600.0
"""s."""
END_OF_PROGRAM = 128
"""Bit of the extended event register."""
SPARE = 2.0
"""A ramp may take so much longer than computed, s."""


class Gs200Bias:
    """A GS200, through a divider, at the junction.

    Its range is left as the user set it: changing it under way would let the output jump.

    Parameters
    ----------
    instrument : YokogawaGS200
    limits : Limits
    clock : Clock
    divider : float
        Junction voltage per volt of the output.
    """

    def __init__(
        self, instrument: YokogawaGS200, limits: Limits, clock: Clock, divider: float
    ) -> None:
        require_divider(divider, _largest(limits), LARGEST)
        self._source = instrument
        self._limits = limits
        self._clock = clock
        self._divider = divider
        self._range = 0.0

    @staticmethod
    def check(
        options: Mapping[str, Any], limits: Limits, needs: PlanNeeds | None
    ) -> Iterator[Finding]:
        """Yield what a GS200 cannot do; see :mod:`stm_daq.station.roles`."""
        if "divider" in options:
            yield from refusal(
                "divider", require_divider, options["divider"], _largest(limits), LARGEST
            )

    def voltage(self) -> float:
        """Read the bias that is really applied now, V at the junction."""
        self._require_ready()
        return self._level() * self._divider

    def ramp_to(self, volts: float) -> None:
        """Change the bias at the slew limit; return when it is reached and read back.

        Up to the station's largest single step the level is set at once.

        Raises
        ------
        OutOfRangeError
            Before anything is set, if the voltage passes the station's limits or the range.
        InstrumentError
            If the output is off, or the level is not the wanted one afterwards.
        DeadlineError
            If the ramp did not end; it was paused.
        """
        target = self._limits.bias.require(volts, "bias") / self._divider
        self._require_ready()
        self._require_in_range(target)
        distance = abs(self._level() * self._divider - volts)
        if distance <= self._limits.bias_step:
            with reported(self._source, "set the level"):
                self._source.write(f":SOUR:LEV {target:E}")
            self._clock.sleep(distance / self._limits.bias_slew)
        else:
            self._ramp(target, distance / self._limits.bias_slew)
        found = self._level()
        if abs(found - target) > RESOLUTIONS[self._range]:
            raise InstrumentError(
                f"{self._source.name}: the level is {show(found, 'V', 6)}, not "
                f"{show(target, 'V', 6)}"
            )

    def _ramp(self, target: float, seconds: float) -> None:
        """Let the instrument go to `target` (V at its output) in not less than `seconds`."""
        duration = TICK * max(math.ceil(seconds / TICK - 1e-6), 1)
        if duration > LONGEST:
            raise OutOfRangeError(
                f"{self._source.name}: a ramp of {show(duration, 's')} is longer than the GS200's "
                f"{show(LONGEST, 's')}; nothing was sent"
            )
        program = (
            f"*CLS;:PROG:REP 0;:PROG:SLOP {duration:.1f};:PROG:INT {duration:.1f};:PROG:EDIT:STAR;"
            f":SOUR:LEV {target:E};:PROG:EDIT:END;:PROG:RUN"
        )
        try:
            with reported(self._source, "ramp"):
                self._source.write(program)
            self._clock.sleep(duration)
            wait_until(
                self._clock,
                lambda: bool(ask_whole(self._source, ":STAT:EVEN?") & END_OF_PROGRAM),
                timeout=SPARE,
                poll=10e-3,
                what=f"{self._source.name}: the ramp did not end",
            )
        except BaseException:
            restore([("pause the ramp of the bias", self._pause)])
            raise

    def _pause(self) -> None:
        with reported(self._source, "pause the ramp"):
            self._source.write(":PROG:PAUS")

    def _level(self) -> float:
        return ask_number(self._source, ":SOUR:LEV?")

    def _require_ready(self) -> None:
        """See that the output is on (every time) and gives volts, and which range it has (once)."""
        if not ask_whole(self._source, "OUTPUT?"):
            raise InstrumentError(
                f"{self._source.name}: its output is off; set the level to 0 V, switch the output "
                "on and try again"
            )
        if self._range:
            return
        with reported(self._source, "read the function"):
            function = self._source.ask(":SOUR:FUNC?").strip()
        found = ask_number(self._source, ":SOUR:RANG?")
        if function != "VOLT" or found not in RESOLUTIONS:
            raise InstrumentError(
                f"{self._source.name}: set to {function}, range {found:g}; it must be a voltage "
                f"source in one of the ranges {', '.join(f'{r:g} V' for r in RESOLUTIONS)}"
            )
        self._range = found

    def _require_in_range(self, target: float) -> None:
        largest = min(OVERRANGE * self._range, LARGEST)
        if abs(target) > largest:
            raise OutOfRangeError(
                f"{self._source.name}: needs {show(target, 'V')} at its output, more than "
                f"{show(largest, 'V')} of its range; choose a larger range at 0 V, or another "
                "divider; nothing was sent"
            )


def _largest(limits: Limits) -> float:
    return max(abs(limits.bias.low), abs(limits.bias.high))
