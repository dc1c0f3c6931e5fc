"""What all microwave sources do alike: power in steps, limits, read-back, a safe state."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Protocol

from drivers.visa_errors import MessageInstrument, ask_whole, reported
from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError, OutOfRangeError
from stm_daq.quantities import show
from stm_daq.station.limits import Limits
from stm_daq.station.roles import Finding, PlanNeeds

RESOLUTION = 0.011
"""A power read back may differ from the wanted one by so much, dB."""
STEP_TIME = 10e-3
"""Time that a step of the power is given to settle, s."""


class Source(MessageInstrument, Protocol):
    """The opened instrument: a QCoDeS driver or a wrapped PyMeasure one."""

    frequency: Any
    """Parameter, Hz, with the instrument's limits."""
    power: Any
    """Parameter, dBm, with the instrument's limits."""

    def write(self, cmd: str) -> None:
        """Send a command in the instrument's own words."""
        ...


class MicrowaveAdapter(ABC):
    """A microwave source that is off in the safe state.

    Parameters
    ----------
    instrument : Source
    limits : Limits
    clock : Clock
    largest_step : float
        The power may grow by so much at a time, dB; a plan can only narrow it.
    range_edges : list of float
        Powers at which an attenuator of the source switches, dBm (its data sheet or display tells).
    """

    OUTPUT: ClassVar[str] = ":OUTP:STAT"

    def __init__(
        self,
        instrument: Any,
        limits: Limits,
        clock: Clock,
        largest_step: float = 1.0,
        range_edges: tuple[float, ...] = (),
    ) -> None:
        self._source: Source = instrument
        self._allowed = limits.microwave_power
        self._clock = clock
        if not (math.isfinite(largest_step) and largest_step > 0):
            raise ValueError(f"largest_step should be a positive number of dB, not {largest_step}")
        self._station_step = self._step = float(largest_step)
        self._edges = tuple(float(edge) for edge in range_edges)

    @staticmethod
    def check(
        options: Mapping[str, Any], limits: Limits, needs: PlanNeeds | None
    ) -> Iterator[Finding]:
        """Yield the power sweep that would let an attenuator switch; see the roles."""
        if needs is None or needs.power_range is None:
            return
        low, high = needs.power_range
        for edge in options.get("range_edges", ()):
            if low < edge <= high:
                yield (
                    "sweep.power_sweep.end",
                    f"the source changes its range at {edge:g} dBm, inside the sweep: the power "
                    "would glitch there; keep within one range, or add attenuation to the line",
                )

    # -- frequency and power ------------------------------------------------------------------

    def frequency(self) -> float:
        """Read the frequency, Hz."""
        return self._read(self._source.frequency)

    def set_frequency(self, hertz: float) -> None:
        """Change the frequency and confirm it.

        Raises
        ------
        OutOfRangeError
            If the instrument has no such frequency.
        """
        self._require(self._source.frequency, hertz, "Hz")
        with reported(self._source, "set the frequency"):
            self._source.frequency(hertz)
        found = self.frequency()
        if abs(found - hertz) > 1e-6 * hertz:
            raise self._not_reached("frequency", show(hertz, "Hz"), show(found, "Hz"))

    def power(self) -> float:
        """Read the power that is set, dBm (also while the output is off)."""
        return self._read(self._source.power)

    def set_power(self, dbm: float) -> None:
        """Change the power, upwards in steps, and confirm it.

        Raises
        ------
        OutOfRangeError
            If `dbm` is outside the limits of the station or the instrument; nothing was sent.
        """
        self._allowed.require(dbm, "a microwave power")
        self._require(self._source.power, dbm, "dBm")
        self._require_fixed_power()
        before = self.power()
        steps = math.ceil((dbm - before) / self._step - 1e-9) if self.is_on() else 1
        for step in range(1, steps):
            self._write_power(before + step * (dbm - before) / steps)
            self._clock.sleep(STEP_TIME)
        self._write_power(dbm)
        self._confirm_power(dbm)

    def limit_steps(self, decibels: float) -> None:
        """Let the power grow by at most `decibels` at a time.

        Raises
        ------
        OutOfRangeError
            If that is not positive or more than the station allows.
        """
        if not 0 < decibels <= self._station_step:
            raise OutOfRangeError(
                f"{self._source.name}: steps of {decibels:g} dB; the station allows steps above 0 "
                f"and up to {self._station_step:g} dB (`largest_step` of the role)"
            )
        self._step = decibels

    def range_edges(self) -> tuple[float, ...]:
        """Return the powers at which an attenuator switches, dBm, as the station says."""
        return self._edges

    # -- output -------------------------------------------------------------------------------

    def on(self) -> None:
        """Switch the output on at the lowest power of station and instrument, and confirm it."""
        if not self.is_on():
            self._end_modes()
            lowest = max(self._allowed.low, bounds(self._source.power)[0])
            self.set_power(lowest)
            with reported(self._source, "switch the output on"):
                self._source.write(f"{self.OUTPUT} 1")
        if not self.is_on():
            raise self._not_reached("output", "on", "off")

    def off(self) -> None:
        """Switch the output off and confirm it.

        Raises
        ------
        OutOfRangeError
            If the output was on above the station's limit; it is off then nevertheless.
        """
        try:
            was_on, power = self.is_on(), self.power()
        finally:  # a reply that does not come must not keep it on
            with reported(self._source, "switch the output off"):
                self._source.write(f"{self.OUTPUT} 0")
        if self.is_on():
            raise self._not_reached("output", "off", "on")
        self._end_modes()
        limit = self._allowed.high
        if was_on and power > limit:
            raise OutOfRangeError(
                f"{self._source.name}: the output was on with {show(power, 'dBm')}, above the "
                f"station's limit of {show(limit, 'dBm')}; it is off now. Find out who switched it on"
            )

    def is_on(self) -> bool:
        """Read whether the output is on."""
        return ask_whole(self._source, f"{self.OUTPUT}?") != 0

    @abstractmethod
    def flags(self) -> tuple[str, ...]:
        """Read what makes the output suspect: "unlock", "unlevelled", "microwave_fault"."""

    # -- inside -------------------------------------------------------------------------------

    def _end_modes(self) -> None:  # noqa: B027 - most sources have none
        """Leave, with the output off, every mode that changes the power by itself."""

    def _require_fixed_power(self) -> None:  # noqa: B027
        """Refuse to set the power in such a mode."""

    def _read(self, parameter: Any) -> float:
        """Read a parameter from the instrument as a finite number."""
        with reported(self._source, f"read the {parameter.name}"):
            try:
                value = float(parameter.get())
            except ValueError as error:
                raise InstrumentError(f"{parameter.full_name}: the reply is no number") from error
        if not math.isfinite(value):
            raise InstrumentError(f"{parameter.full_name}: the reply is {value}")
        return value

    def _write_power(self, dbm: float) -> None:
        with reported(self._source, "set the power"):
            self._source.power(dbm)

    def _confirm_power(self, dbm: float) -> None:
        found = self.power()
        if abs(found - dbm) > RESOLUTION:
            raise self._not_reached("power", show(dbm, "dBm"), show(found, "dBm"))

    def _require(self, parameter: Any, value: float, unit: str) -> None:
        """Refuse what the instrument does not have, before anything is sent."""
        low, high = bounds(parameter)
        if not low <= value <= high:
            raise OutOfRangeError(
                f"{self._source.name}: it has no {parameter.label.lower()} of {show(value, unit)}, "
                f"only {show(low, unit)} to {show(high, unit)}; nothing was sent"
            )

    def _not_reached(self, what: str, wanted: str, found: str) -> InstrumentError:
        text = f"{self._source.name}: the {what} is {found} instead of {wanted}"
        return InstrumentError(f"{text}; check its display for errors, and its remote control")


def bounds(parameter: Any) -> tuple[float, float]:
    """Return the narrowest limits among the validators of a parameter."""
    limits = [validator.valid_values for validator in parameter.validators]
    lows = [min(values) for values in limits if values]
    highs = [max(values) for values in limits if values]
    return max(lows, default=-math.inf), min(highs, default=math.inf)


class RohdeSchwarzAdapter(MicrowaveAdapter):
    """Sources of Rohde & Schwarz tell what is wrong in their static error queue.

    Their questionable status register is not used (user manuals of SMA100B and SGT100A, "Status
    reporting system").
    """

    def flags(self) -> tuple[str, ...]:
        """Read what makes the output suspect: "unlock", "unlevelled", "microwave_fault"."""
        with reported(self._source, ":SYST:SERR?"):
            reply = self._source.ask(":SYST:SERR?").lower()
        if reply.strip().strip('"').startswith("0"):
            return ()
        found = []
        if "lock" in reply or "reference" in reply:
            found.append("unlock")
        if "level" in reply:
            found.append("unlevelled")
        return tuple(found) or ("microwave_fault",)
