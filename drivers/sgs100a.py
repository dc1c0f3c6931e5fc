"""Rohde & Schwarz SGS100A as microwave source, through the driver of QCoDeS."""

from __future__ import annotations

from qcodes.instrument_drivers.rohde_schwarz import RohdeSchwarzSGS100A

from drivers.visa_errors import ask_number, ask_whole, reported
from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError, OutOfRangeError
from stm_daq.quantities import show
from stm_daq.station.limits import Limits


class Sgs100aSource:
    """The microwave source, which is off in the safe state.

    Parameters
    ----------
    instrument : RohdeSchwarzSGS100A
    limits : Limits
    clock : Clock
    """

    def __init__(self, instrument: RohdeSchwarzSGS100A, limits: Limits, clock: Clock) -> None:
        self._source = instrument
        self._limits = limits
        self._clock = clock

    def off(self) -> None:
        """Switch the output off and confirm it.

        Raises
        ------
        OutOfRangeError
            If the output was on above the station's limit; it is off then nevertheless.
        """
        was_on, power = self.is_on(), ask_number(self._source, ":SOUR:POW?")
        with reported(self._source, "switch the output off"):
            self._source.off()
        if self.is_on():
            raise InstrumentError(f"{self._source.name}: the output did not switch off")
        limit = self._limits.microwave_power.high
        if was_on and power > limit:
            raise OutOfRangeError(
                f"{self._source.name}: the output was on with {show(power, 'dBm')}, above the "
                f"station's limit of {show(limit, 'dBm')}; it is off now. Find out who switched it on"
            )

    def is_on(self) -> bool:
        """Read whether the output is on."""
        return ask_whole(self._source, ":OUTP:STAT?") != 0
