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
from scipy.special import gammainc

from drivers.visa_errors import ask_number, ask_whole, reported
from stm_daq.clock import Clock
from stm_daq.errors import DeadlineError, InstrumentError, OutOfRangeError
from stm_daq.quantities import show
from stm_daq.records import Array
from stm_daq.station.limits import Limits
from stm_daq.station.roles import BufferedTrace, Finding, PlanNeeds, refusal

FULL_SCALES = tuple(m * 10.0**e for e in range(-9, 1) for m in (1, 2, 5))[1:-2]
"""Sensitivities SENS 0 to 26: 2 nV to 1 V rms."""
TIME_CONSTANTS = tuple(m * 10.0**e for e in range(-5, 5) for m in (1, 3))
"""OFLT 0 to 19: 10 us to 30 ks."""
SINE_RANGE = (0.004, 5.0)
"""V rms."""
FREQUENCY_RANGE = (1e-3, 102e3)
"""Hz."""
AUXILIARY_DISPLAYS = {3: 3, 4: 4}
"""What display 2 must be set to (DDEF) for the auxiliary inputs that it can show."""
SLOPES = (6, 12, 18, 24)
"""OFSL 0 to 3, dB/oct."""
TRIGGERED = 14
"""SRAT: one sample per trigger."""
CAPACITY = 16383
MEMORY = 12.0
"""Time constants after which a step is forgotten (four poles: to 0.2 %)."""
TICK = 2e-3
"""A sample is made at the next tick of 512 Hz, up to this long after its trigger, s."""

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

    def __init__(
        self,
        instrument: SR830,
        limits: Limits,
        clock: Clock,
        modulation_divider: float,
        auxiliary_input: int,
        filter_slope: int = 12,
    ) -> None:
        _require_wiring(modulation_divider, auxiliary_input, filter_slope)
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
        divider = options.get("modulation_divider", 1.0)
        yield from refusal("modulation_divider", _require_divider, divider)
        yield from refusal("auxiliary_input", _require_auxiliary, options.get("auxiliary_input", 3))
        yield from refusal("filter_slope", _require_slope, options.get("filter_slope", SLOPES[0]))
        if needs is None:
            return
        frequency, times = "sweep.modulation.frequency", "sweep.lockin.time_constant"
        yield from refusal(frequency, _require_frequency, needs.modulation_frequency)
        yield from refusal(times, _filter_index, needs.time_constant)
        yield from refusal("sweep.bias.points", _require_samples, needs.samples)
        if divider > 0 and "modulation_divider" in options:
            yield from refusal("sweep.modulation.peak", _sine, needs.modulation_peak, divider)

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
        sine = self._sine_level(modulation)
        filter_index = _filter_index(time_constant)
        range_index = _range_for(sensitivity)
        _require_frequency(frequency)
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
        """Empty the buffer, forget old overloads, and arm it."""
        with reported(self._lockin, "start the buffer"):
            self._lockin.write("REST;*CLS;STRT")

    def step_memory(self, delay: float, dwell: float) -> Array:
        """Return how much each step counts in a sample; see the role.

        n poles with time constant T settle as P(n, t/T), the incomplete gamma function. A sample
        is made at any time within `TICK` after its trigger; the mean over that time is taken.
        """
        moments = delay + TICK * (np.arange(8) + 0.5) / 8
        steps = np.arange(math.ceil(MEMORY * self._time_constant / dwell) + 1)
        settled = gammainc(
            self._slope + 1, (moments + dwell * steps[:, None]) / self._time_constant
        )
        weights: Array = np.diff(settled.mean(axis=1), prepend=0.0)
        return weights / weights.sum()

    def read_buffer(self, points: int) -> BufferedTrace:
        """Read the first `points` samples; see :meth:`stm_daq.station.roles.LockIn.read_buffer`.

        Their number is not asked for: an SR830 does not answer when more are wanted than it has.
        """
        _require_samples(points)
        in_phase = self._read_trace(1, points)
        auxiliary = self._read_trace(2, points)
        status = ask_whole(self._lockin, "LIAS?")
        flags = tuple(name for name, bits in STATUS_FLAGS.items() if status & bits)
        return BufferedTrace(in_phase, auxiliary, flags)

    def stored_samples(self) -> int:
        """Read how many samples the buffer holds."""
        return ask_whole(self._lockin, "SPTS?")

    def modulation_off(self) -> None:
        """Reduce the sine output to the least it can give (4 mV)."""
        with reported(self._lockin, "switch the modulation off"):
            self._lockin.write(f"SLVL {SINE_RANGE[0]:.3f}")
        self._read_modulation(SINE_RANGE[0])

    def _sine_level(self, modulation: float) -> float:
        """Return the sine output (V rms) for a peak modulation at the junction (V)."""
        self._limits.bias.require(modulation, "modulation")
        return _sine(modulation, self._divider)

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


def _require(allowed: tuple[float, float], value: float, what: str, unit: str) -> float:
    if not allowed[0] <= value <= allowed[1]:
        raise OutOfRangeError(
            f"{what} of {show(value, unit)} is outside the SR830's {show(allowed[0], unit)} to "
            f"{show(allowed[1], unit)}; nothing was sent"
        )
    return value


def _require_wiring(divider: float, auxiliary_input: int, filter_slope: int) -> None:
    _require_divider(divider)
    _require_auxiliary(auxiliary_input)
    _require_slope(filter_slope)


def _require_divider(divider: float) -> None:
    if not 0 < divider < math.inf:
        raise OutOfRangeError(f"modulation_divider must be greater than 0, not {divider}")


def _require_auxiliary(auxiliary_input: int) -> None:
    if auxiliary_input not in AUXILIARY_DISPLAYS:
        raise OutOfRangeError(
            "auxiliary_input must be 3 or 4 (the buffer records what display 2 can show), "
            f"not {auxiliary_input}"
        )


def _require_slope(filter_slope: int) -> None:
    if filter_slope not in SLOPES:
        raise OutOfRangeError(f"filter_slope must be one of {SLOPES} dB/oct, not {filter_slope}")


def _require_frequency(frequency: float) -> None:
    _require(FREQUENCY_RANGE, frequency, "modulation frequency", "Hz")


def _require_samples(samples: int) -> None:
    if not 1 <= samples <= CAPACITY:
        raise OutOfRangeError(f"the SR830's buffer holds 1 to {CAPACITY} samples, not {samples}")


def _sine(modulation: float, divider: float) -> float:
    """Return the sine output, V rms, for a peak modulation at the junction, V."""
    sine = modulation / (math.sqrt(2) * divider)
    return _require(SINE_RANGE, sine, "sine output needed for the modulation", "V")


def _filter_index(time_constant: float) -> int:
    for index, candidate in enumerate(TIME_CONSTANTS):
        if math.isclose(time_constant, candidate, rel_tol=1e-6):
            return index
    nearest = min(TIME_CONSTANTS, key=lambda c: abs(math.log(c / max(time_constant, 1e-12))))
    raise OutOfRangeError(
        f"the SR830 has no time constant of {show(time_constant, 's')}; "
        f"the nearest is {show(nearest, 's')}"
    )


def _range_for(sensitivity: float) -> int:
    """Return the smallest range that holds `sensitivity` (V rms)."""
    for index, full_scale in enumerate(FULL_SCALES):
        if sensitivity <= full_scale * (1 + 1e-9):
            return index
    raise OutOfRangeError(
        f"a signal of {show(sensitivity, 'V')} rms is more than the SR830's largest range of "
        f"{show(FULL_SCALES[-1], 'V')}; use less modulation or gain"
    )
