"""Stanford Research SR860 or SR865 as lock-in, through the drivers of QCoDeS.

Its capture buffer takes one sample of X and Y per trigger pulse; auxiliary inputs cannot be
captured. So the dc current is measured once, at the end of a sweep, and the sequencer integrates
dI/dV from there. Points that are read one by one have both.

The read-out is ours: that of QCoDeS drops every number that is exactly zero and, with that, shifts
or loses samples. Facts from the manual and the maker's Python package: ``CAPTUREGET?`` answers with
an IEEE 488.2 block of little-endian float32, whole kB, only after the capture has stopped; what is
captured is limited by the input range, not by the scale; bits of LIAS.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from qcodes.instrument_drivers.stanford_research import SR860, SR865, SR865A

from drivers.lock_in_model import (
    SLOPES,
    LockInModel,
    require_divider,
    require_slope,
    staircase_memory,
)
from drivers.visa_errors import ask_number, ask_numbers, ask_whole, reported
from stm_daq.clock import Clock, wait_until
from stm_daq.errors import DeadlineError, InstrumentError, OutOfRangeError
from stm_daq.records import Array
from stm_daq.station.limits import Limits
from stm_daq.station.roles import BufferedTrace, Finding, PlanNeeds, refusal

INPUT_RANGES = (1.0, 0.3, 0.1, 0.03, 0.01)
"""IRNG 0 to 4, V peak."""
CAPTURE_KB = 64
"""Length of the capture: what one CAPTUREGET? can read."""
SAMPLE_BYTES = 8
"""X and Y."""
CHUNK_KB = 2
"""The instrument fills its memory in pieces of this size."""
PATIENCE = 1.0
"""A capture stops within this time, s."""
SINE_TOLERANCE = 1e-3
"""Relative; the sine output is set to three digits."""

MODEL = LockInModel(
    name="SR860",
    full_scales=tuple(m * 10.0**e for e in range(-9, 1) for m in (1, 2, 5))[:-2],
    time_constants=tuple(m * 10.0**e for e in range(-6, 5) for m in (1, 3)),
    sine_range=(1e-9, 2.0),
    frequency_range=(1e-3, 500e3),
    capacity=CAPTURE_KB * 1024 // SAMPLE_BYTES - 1,  # one to spare shows a surplus trigger
)

STATUS_FLAGS = {
    "overload": 0b10000,  # input range; that of the outputs harms no captured sample
    "unlock": 0b01000,
}
"""Bits of LIAS behind each flag."""


class Sr860LockIn:
    """An SR860 or SR865 whose sine output modulates the bias.

    Parameters
    ----------
    instrument : SR860, SR865 or SR865A
    limits : Limits
    clock : Clock
    modulation_divider : float
        Junction voltage per volt of the sine output.
    auxiliary_input : int
        Input that the preamplifier's dc output is wired to, 1 to 4.
    filter_slope : int
        dB/oct, one to four RC stages (the advanced filters are switched off).
    input_range : float
        V peak; it must hold the preamplifier's dc output and the modulation together.
    """

    auxiliary_recorded = False

    def __init__(
        self,
        instrument: SR860 | SR865 | SR865A,
        limits: Limits,
        clock: Clock,
        modulation_divider: float,
        auxiliary_input: int,
        filter_slope: int = 12,
        input_range: float = 1.0,
    ) -> None:
        require_divider(modulation_divider)
        _require_auxiliary(auxiliary_input)
        require_slope(filter_slope)
        self._range = _input_range_index(input_range)
        self._lockin = instrument
        self._slope = SLOPES.index(filter_slope)
        self._limits = limits
        self._clock = clock
        self._divider = modulation_divider
        self._auxiliary = auxiliary_input
        self._time_constant = 0.0
        self._stored: int | None = None

    @staticmethod
    def check(
        options: Mapping[str, Any], limits: Limits, needs: PlanNeeds | None
    ) -> Iterator[Finding]:
        """Yield what an SR860 cannot do; see :mod:`stm_daq.station.roles`."""
        yield from refusal("auxiliary_input", _require_auxiliary, options.get("auxiliary_input", 1))
        yield from refusal("input_range", _input_range_index, options.get("input_range", 1.0))
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

        See :meth:`stm_daq.station.roles.LockIn.configure`. The sensitivity is that of the display
        and of the analogue outputs.
        """
        self._limits.bias.require(modulation, "modulation")
        sine = MODEL.sine(modulation, self._divider)
        filter_index = MODEL.filter_index(time_constant)
        scale = len(MODEL.full_scales) - 1 - MODEL.range_index(sensitivity)
        MODEL.require_frequency(frequency)
        settings = (
            "RSRC 0",
            "HARM 1",
            f"FREQ {frequency:.4f}",
            f"PHAS {(phase + 180) % 360 - 180:.4f}",
            f"IRNG {self._range}",
            f"SCAL {scale}",
            "ADVFILT 0",
            "SYNC 0",
            f"OFSL {self._slope}",
            f"OFLT {filter_index}",
            f"SLVL {sine:.6g}",
        )
        with reported(self._lockin, "set up"):
            for setting in settings:
                self._lockin.write(setting)
        found = (("IRNG?", self._range), ("SCAL?", scale), ("ADVFILT?", 0), ("OFLT?", filter_index))
        for query, wanted in found:
            self._require_setting(query, wanted)
        self._time_constant = MODEL.time_constants[filter_index]
        return self._read_modulation(sine)

    def prepare_buffer(self) -> None:
        """Set the capture to X and Y, one sample per trigger pulse."""
        with reported(self._lockin, "set up the capture"):
            for command in ("CAPTURESTOP", "CAPTURECFG 1", f"CAPTURELEN {CAPTURE_KB}"):
                self._lockin.write(command)
        self._require_setting("CAPTURECFG?", 1)
        self._require_setting("CAPTURELEN?", CAPTURE_KB)

    def start_buffer(self) -> None:
        """Empty the capture, forget old overloads, and arm it."""
        self._stored = None
        with reported(self._lockin, "start the capture"):
            self._lockin.write("CAPTURESTOP;CAPTURECFG 1;*CLS;CAPTURESTART ONE,SAMP")

    def step_memory(self, delay: float, dwell: float) -> Array:
        """Return how much each step counts in a sample (made at once); see the role."""
        return staircase_memory(delay, dwell, self._time_constant, self._slope + 1)

    def read_buffer(self, points: int) -> BufferedTrace:
        """Read the first `points` samples; see :meth:`stm_daq.station.roles.LockIn.read_buffer`.

        The auxiliary input is NaN but for the last point, measured now.
        """
        MODEL.require_samples(points)
        self._stored = self._count()
        if self._stored < points:
            raise DeadlineError(
                f"{self._lockin.name}: the buffer holds {self._stored} samples instead of "
                f"{points}; check the trigger cable"
            )
        self._stop_capture()
        in_phase = self._read_capture(points)[:, 0]
        auxiliary = np.full(points, math.nan)
        auxiliary[-1] = ask_number(self._lockin, f"OAUX? {self._auxiliary - 1}")
        return BufferedTrace(in_phase, auxiliary, self._flags())

    def stored_samples(self) -> int:
        """Read how many samples the buffer holds, or held when it was read."""
        return self._count() if self._stored is None else self._stored

    def read_point(self) -> BufferedTrace:
        """Read X and the auxiliary input at one moment; see the role."""
        point = ask_numbers(self._lockin, f"SNAP? 0,{3 + self._auxiliary}", 2)
        return BufferedTrace(point[:1], point[1:], self._flags())

    def modulation_off(self) -> None:
        """Reduce the sine output to the least it can give (1 nV)."""
        with reported(self._lockin, "switch the modulation off"):
            self._lockin.write(f"SLVL {MODEL.sine_range[0]:.6g}")
        self._read_modulation(MODEL.sine_range[0])

    def _count(self) -> int:
        return ask_whole(self._lockin, "CAPTUREBYTES?") // SAMPLE_BYTES

    def _stop_capture(self) -> None:
        with reported(self._lockin, "stop the capture"):
            self._lockin.write("CAPTURESTOP")
        wait_until(
            self._clock,
            lambda: not ask_whole(self._lockin, "CAPTURESTAT?") & 1,
            timeout=PATIENCE,
            poll=2e-3,
            what=f"{self._lockin.name}: the capture did not stop",
        )

    def _read_capture(self, points: int) -> Array:
        """Return X and Y of the first samples, shape (points, 2)."""
        kilobytes = math.ceil(points * SAMPLE_BYTES / (CHUNK_KB * 1024)) * CHUNK_KB
        length = 2 + len(str(kilobytes * 1024)) + kilobytes * 1024
        with reported(self._lockin, "read the capture"):
            self._lockin.write(f"CAPTUREGET? 0,{kilobytes}")
            data = self._lockin.visa_handle.read_bytes(length)
        try:
            return decode_capture(data, points)
        except ValueError as error:
            raise InstrumentError(f"{self._lockin.name}: damaged capture: {error}") from None

    def _flags(self) -> tuple[str, ...]:
        """Read and clear the status register; return what it says."""
        status = ask_whole(self._lockin, "LIAS?")
        return tuple(name for name, bits in STATUS_FLAGS.items() if status & bits)

    def _require_setting(self, query: str, wanted: int) -> None:
        if (found := ask_whole(self._lockin, query)) != wanted:
            raise InstrumentError(f"{self._lockin.name}: {query} is {found}, not {wanted}")

    def _read_modulation(self, wanted: float) -> float:
        found = ask_number(self._lockin, "SLVL?")
        if abs(found - wanted) > max(SINE_TOLERANCE * wanted, 1e-9):
            raise InstrumentError(
                f"{self._lockin.name}: the sine output is {found} V, not {wanted:.6g} V"
            )
        return found * math.sqrt(2) * self._divider


def decode_capture(data: bytes, points: int) -> Array:
    """Decode the reply to ``CAPTUREGET?`` for a capture of X and Y.

    Parameters
    ----------
    data : bytes
        ``#``, number of digits, number of bytes, and float32 values, little-endian: X and Y in
        turn. Zeros are values like others.
    points : int

    Returns
    -------
    ndarray, shape (points, 2)
        V rms.

    Raises
    ------
    ValueError
        If the header does not fit, samples are missing, or one is not a finite number.
    """
    digits = data[1:2]
    if data[:1] != b"#" or not digits.isdigit() or digits == b"0":
        raise ValueError(f"no block but {data[:12]!r}")
    start = 2 + int(digits)
    count = data[2:start]
    if not count.isdigit() or int(count) != len(data) - start:
        raise ValueError(f"a block of {count!r} bytes has {len(data) - start}")
    if len(data) - start < SAMPLE_BYTES * points:
        raise ValueError(f"{len(data) - start} bytes are too few for {points} samples")
    values = np.frombuffer(data, dtype="<f4", count=2 * points, offset=start)
    if not np.all(np.isfinite(values)):
        raise ValueError("a sample is not a finite number")
    return values.astype(np.float64).reshape(points, 2)


def _require_auxiliary(auxiliary_input: int) -> None:
    if auxiliary_input not in (1, 2, 3, 4):
        raise OutOfRangeError(f"auxiliary_input must be 1 to 4, not {auxiliary_input}")


def _input_range_index(input_range: float) -> int:
    if input_range not in INPUT_RANGES:
        raise OutOfRangeError(f"input_range must be one of {INPUT_RANGES} V, not {input_range}")
    return INPUT_RANGES.index(input_range)
