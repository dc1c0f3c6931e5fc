"""Stanford Research SR830 as lock-in, through the driver of QCoDeS.

Its buffer samples X (display 1) and an auxiliary input (display 2) once per trigger pulse. Read
with ``TRCL``, whose samples are an int16 mantissa m and an int16 exponent e, value = m 2^(e - 124).
Facts from the manual: a sample is made up to 2 ms after its trigger; ``*CLS`` clears all status
registers; the sine output is set in V rms in steps of 2 mV, 4 mV to 5 V.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from qcodes.instrument_drivers.stanford_research import SR830

from drivers.lock_in_model import (
    SLOPES,
    LockInModel,
    require_divider,
    require_slope,
    staircase_memory,
)
from drivers.visa_errors import ask_number, ask_numbers, ask_whole, reported
from stm_daq.clock import Clock
from stm_daq.errors import DeadlineError, InstrumentError, OutOfRangeError
from stm_daq.records import Array
from stm_daq.station.limits import Limits
from stm_daq.station.roles import BufferedTrace, Finding, PlanNeeds, refusal

FULL_SCALES = tuple(m * 10.0**e for e in range(-9, 1) for m in (1, 2, 5))[1:-2]
"""Sensitivities SENS 0 to 26: 2 nV to 1 V rms."""
TIME_CONSTANTS = tuple(m * 10.0**e for e in range(-5, 5) for m in (1, 3))
"""OFLT 0 to 19: 10 us to 30 ks."""
AUXILIARY_DISPLAYS = {3: 3, 4: 4}
"""What display 2 must be set to (DDEF) for the auxiliary inputs that it can show."""
TRIGGERED = 14
"""SRAT: one sample per trigger."""
TICK = 2e-3
"""A sample is made at the next tick of 512 Hz, up to this long after its trigger, s."""

MODEL = LockInModel(
    name="SR830",
    full_scales=FULL_SCALES,
    time_constants=TIME_CONSTANTS,
    sine_range=(0.004, 5.0),
    frequency_range=(1e-3, 102e3),
    capacity=16383,
)

STATUS_FLAGS = {
    "overload": 0b000111,  # input or reserve, filter, output
    "unlock": 0b001000,
    "range_changed": 0b110000,  # frequency range, time constant
}
"""Bits of LIAS behind each flag."""


class Sr830LockIn:
    """An SR830 whose sine output modulates the bias.

    Parameters
    ----------
    instrument : SR830
    limits : Limits
    clock : Clock
    modulation_divider : float
        Junction voltage per volt of the sine output.
    auxiliary_input : int
        Input that the preamplifier's dc output is wired to; 3 or 4, as display 2 shows no others.
    filter_slope : int
        dB/oct. A staircase settles within a step best at 6, which leaves a ripple at twice the
        reference; at 12 the ripple is gone and the lag is two time constants.
    """

    auxiliary_recorded = True

    def __init__(
        self,
        instrument: SR830,
        limits: Limits,
        clock: Clock,
        modulation_divider: float,
        auxiliary_input: int,
        filter_slope: int = 12,
    ) -> None:
        require_divider(modulation_divider)
        _require_auxiliary(auxiliary_input)
        require_slope(filter_slope)
        self._lockin = instrument
        self._slope = SLOPES.index(filter_slope)
        self._limits = limits
        self._clock = clock
        self._divider = modulation_divider
        self._auxiliary = auxiliary_input
        self._time_constant = 0.0

    @staticmethod
    def check(
        options: Mapping[str, Any], limits: Limits, needs: PlanNeeds | None
    ) -> Iterator[Finding]:
        """Yield what an SR830 cannot do; see :mod:`stm_daq.station.roles`."""
        yield from refusal("auxiliary_input", _require_auxiliary, options.get("auxiliary_input", 3))
        yield from MODEL.findings(options, needs)

    def configure(
        self,
        frequency: float,
        modulation: float,
        time_constant: float,
        phase: float,
        sensitivity: float,
    ) -> float:
        """Set modulation and demodulator; return the peak modulation really set, V.

        See :meth:`stm_daq.station.roles.LockIn.configure`.
        """
        self._limits.bias.require(modulation, "modulation")
        sine = MODEL.sine(modulation, self._divider)
        filter_index = MODEL.filter_index(time_constant)
        range_index = MODEL.range_index(sensitivity)
        MODEL.require_frequency(frequency)
        settings = (
            "FMOD 1;HARM 1",
            f"FREQ {frequency:.4f}",
            f"PHAS {(phase + 180) % 360 - 180:.2f}",
            f"SENS {range_index}",
            f"OFLT {filter_index}",
            f"OFSL {self._slope};SYNC 0",
            f"SLVL {sine:.3f}",
        )
        with reported(self._lockin, "set up"):
            for setting in settings:
                self._lockin.write(setting)
        for query, wanted in (("SENS?", range_index), ("OFLT?", filter_index)):
            if (found := ask_whole(self._lockin, query)) != wanted:
                raise InstrumentError(f"{self._lockin.name}: {query} is {found}, not {wanted}")
        self._time_constant = TIME_CONSTANTS[filter_index]
        return self._read_modulation(sine)

    def prepare_buffer(self) -> None:
        """Set the buffer to one sample of X and the auxiliary input per trigger pulse."""
        with reported(self._lockin, "set up the buffer"):
            self._lockin.write("REST")
            self._lockin.write("DDEF 1,0,0")
            self._lockin.write(f"DDEF 2,{AUXILIARY_DISPLAYS[self._auxiliary]},0")
            self._lockin.write(f"SRAT {TRIGGERED};SEND 0;TSTR 0")
        if (rate := ask_whole(self._lockin, "SRAT?")) != TRIGGERED:
            raise InstrumentError(f"{self._lockin.name}: SRAT is {rate}, not {TRIGGERED}")

    def start_buffer(self) -> None:
        """Empty the buffer, forget old overloads, and arm it.

        Raises
        ------
        InstrumentError
            If it is not empty then: its samples would be taken for those of the next sweep.
        """
        if found := ask_whole(self._lockin, "REST;*CLS;STRT;SPTS?"):
            raise InstrumentError(f"{self._lockin.name}: {found} old samples stay in the buffer")

    def step_memory(self, delay: float, dwell: float) -> Array:
        """Return how much each step counts in a sample; see the role.

        A sample is made at any time within `TICK` after its trigger.
        """
        return staircase_memory(delay, dwell, self._time_constant, self._slope + 1, TICK)

    def read_buffer(self, points: int) -> BufferedTrace:
        """Read the first `points` samples; see :meth:`stm_daq.station.roles.LockIn.read_buffer`.

        Their number is not asked for: an SR830 does not answer when more are wanted than it has.
        """
        MODEL.require_samples(points)
        in_phase = self._read_trace(1, points)
        auxiliary = self._read_trace(2, points)
        return BufferedTrace(in_phase, auxiliary, self._flags())

    def read_point(self) -> BufferedTrace:
        """Read X and the auxiliary input at one moment; see the role."""
        point = ask_numbers(self._lockin, f"SNAP? 1,{4 + self._auxiliary}", 2)
        return BufferedTrace(point[:1], point[1:], self._flags())

    def stored_samples(self) -> int:
        """Read how many samples the buffer holds."""
        return ask_whole(self._lockin, "SPTS?")

    def modulation_off(self) -> None:
        """Reduce the sine output to the least it can give (4 mV)."""
        with reported(self._lockin, "switch the modulation off"):
            self._lockin.write(f"SLVL {MODEL.sine_range[0]:.3f}")
        self._read_modulation(MODEL.sine_range[0])

    def _flags(self) -> tuple[str, ...]:
        """Read and clear the status register; return what it says."""
        status = ask_whole(self._lockin, "LIAS?")
        return tuple(name for name, bits in STATUS_FLAGS.items() if status & bits)

    def _read_modulation(self, wanted: float) -> float:
        found = ask_number(self._lockin, "SLVL?")
        if abs(found - wanted) > 2.1e-3:
            raise InstrumentError(
                f"{self._lockin.name}: the sine output is {found} V, not {wanted:.3f} V"
            )
        return found * math.sqrt(2) * self._divider

    def _read_trace(self, display: int, points: int) -> Array:
        try:
            with reported(self._lockin, "read the buffer"):
                self._lockin.write(f"TRCL? {display},0,{points}")
                data = self._lockin.visa_handle.read_raw()
        except DeadlineError as error:
            found = self.stored_samples()
            if found < points:
                raise DeadlineError(
                    f"{self._lockin.name}: the buffer holds {found} samples instead of {points}; "
                    "check the trigger cable"
                ) from error
            raise
        try:
            return decode_lockin_format(data, points)
        except ValueError as error:
            raise InstrumentError(f"{self._lockin.name}: damaged buffer: {error}") from None


def decode_lockin_format(data: bytes, points: int) -> Array:
    """Decode the reply to ``TRCL?``.

    Parameters
    ----------
    data : bytes
        `points` times an int16 mantissa m and an int16 exponent e, little-endian.
    points : int

    Returns
    -------
    ndarray, shape (points,)
        ``m 2^(e - 124)``.

    Raises
    ------
    ValueError
        If the length is wrong or an exponent is impossible.
    """
    if len(data) != 4 * points:
        raise ValueError(f"{len(data)} bytes instead of {4 * points}")
    pairs = np.frombuffer(data, dtype="<i2").reshape(points, 2)
    exponents = pairs[:, 1].astype(np.int32)
    if np.any(exponents < 0) or np.any(exponents > 248):
        raise ValueError("exponent outside 0 to 248")
    return np.ldexp(pairs[:, 0].astype(np.float64), exponents - 124)


def _require_auxiliary(auxiliary_input: int) -> None:
    if auxiliary_input not in AUXILIARY_DISPLAYS:
        raise OutOfRangeError(
            "auxiliary_input must be 3 or 4 (the buffer records what display 2 can show), "
            f"not {auxiliary_input}"
        )
