"""A Zurich Instruments MFLI as lock-in.

A rising edge at Trigger In 1 makes demodulator 0 send one sample, which holds X and both auxiliary
inputs, so that the current is recorded with dI/dV. Facts from the node documentation: X is in V rms,
amplitudes are peak; ``demods/0/trigger`` 0 sends continuously, 1 at a rising edge; ``sigins/0/max``
and ``min`` are the extremes of the input, relative to its range. The oscillator is internal and
cannot lose its lock.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from drivers.lock_in_model import require_divider, require_within, staircase_memory
from stm_daq.clock import Clock, wait_until
from stm_daq.errors import DeadlineError, InstrumentError, OutOfRangeError
from stm_daq.records import Array
from stm_daq.station.limits import Limits
from stm_daq.station.roles import BufferedTrace, Finding, PlanNeeds, refusal

if TYPE_CHECKING:
    from drivers.mfli import Mfli

AMPLITUDES = (1e-6, 10.0)
"""Signal output, V peak."""
OUTPUT_RANGES = (0.01, 0.1, 1.0, 10.0)
"""V peak."""
INPUT_RANGES = (1e-3, 3e-3, 10e-3, 30e-3, 0.1, 0.3, 1.0, 3.0)
"""V peak."""
FREQUENCIES = (1e-3, 500e3)
"""Hz."""
TIME_CONSTANTS = (337e-9, 83.0)
"""s; any within."""
POLES = 8
RATE = 13.39e3
"""Samples per second; a triggered one is made up to one period after its edge."""
CONTINUOUS, RISING_EDGE = 0, 1
TOLERANCE = 0.01
"""Relative deviation of what the instrument makes of a setting."""
PATIENCE = 1.0
"""Samples arrive within this time, s."""
EXTREMES = ("sigins/0/max", "sigins/0/min")


class MfliLockIn:
    """An MFLI whose signal output modulates the bias.

    Parameters
    ----------
    instrument : Mfli
    limits : Limits
    clock : Clock
    modulation_divider : float
        Junction voltage per volt of the signal output.
    auxiliary_input : int
        Input that the preamplifier's dc output is wired to, 1 or 2.
    filter_slope : int
        dB/oct, 6 for each of one to eight RC stages.
    input_range : float
        V peak; it must hold the preamplifier's dc output and the modulation together.
    output_mixer : int
        Number of the mixer that feeds the signal output: 1, or 0 with the multi-demodulator option.
    """

    auxiliary_recorded = True

    def __init__(
        self,
        instrument: Mfli,
        limits: Limits,
        clock: Clock,
        modulation_divider: float,
        auxiliary_input: int,
        filter_slope: int = 12,
        input_range: float = 1.0,
        output_mixer: int = 1,
    ) -> None:
        require_divider(modulation_divider)
        _require_auxiliary(auxiliary_input)
        _require_input_range(input_range)
        self._poles = _poles(filter_slope)
        self._lockin = instrument
        self._limits = limits
        self._clock = clock
        self._divider = modulation_divider
        self._field = f"auxin{auxiliary_input - 1}"
        self._range = input_range
        self._amplitude = f"sigouts/0/amplitudes/{output_mixer}"
        self._enable = f"sigouts/0/enables/{output_mixer}"
        self._time_constant = 0.0
        self._trigger: int | None = None
        self._samples: tuple[Array, Array] = (np.empty(0), np.empty(0))
        self._overload = False

    @staticmethod
    def check(
        options: Mapping[str, Any], limits: Limits, needs: PlanNeeds | None
    ) -> Iterator[Finding]:
        """Yield what an MFLI cannot do; see :mod:`stm_daq.station.roles`."""
        divider = options.get("modulation_divider", 1.0)
        yield from refusal("modulation_divider", require_divider, divider)
        yield from refusal("auxiliary_input", _require_auxiliary, options.get("auxiliary_input", 1))
        yield from refusal("filter_slope", _poles, options.get("filter_slope", 12))
        yield from refusal("input_range", _require_input_range, options.get("input_range", 1.0))
        if needs is None:
            return
        frequency, times = "sweep.modulation.frequency", "sweep.lockin.time_constant"
        yield from refusal(frequency, _require_frequency, needs.modulation_frequency)
        yield from refusal(times, _require_time_constant, needs.time_constant)
        if divider > 0 and "modulation_divider" in options:
            peak = needs.modulation_peak
            yield from refusal("sweep.modulation.peak", _output, peak, divider)

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
        amplitude = _output(modulation, self._divider)
        _require_frequency(frequency)
        _require_time_constant(time_constant)
        require_within("MFLI", (0.0, self._range / math.sqrt(2)), sensitivity, "a signal", "V")
        wanted: dict[str, float] = {
            "oscs/0/freq": float(frequency),
            "demods/0/order": self._poles,
            "demods/0/timeconstant": float(time_constant),
            "sigins/0/range": float(self._range),
        }
        self._lockin.write_nodes(
            {
                **wanted,
                "demods/0/adcselect": 0,
                "demods/0/oscselect": 0,
                "demods/0/harmonic": 1,
                "demods/0/phaseshift": float(phase),
                "demods/0/sinc": 0,
                "demods/0/rate": RATE,
                "demods/0/enable": 1,
                "sigouts/0/range": next(r for r in OUTPUT_RANGES if r >= amplitude),
                self._amplitude: float(amplitude),
                self._enable: 1,
                "sigouts/0/on": 1,
            }
        )
        for node, value in wanted.items():
            self._require_node(node, value)
        self._time_constant = self._lockin.read_node("demods/0/timeconstant")
        return self._require_node(self._amplitude, amplitude) * self._divider

    def prepare_buffer(self) -> None:
        """Let every rising edge at Trigger In 1 send one sample."""
        self._set_trigger(RISING_EDGE)

    def start_buffer(self) -> None:
        """Forget all samples and overloads, and receive new ones."""
        self._set_trigger(RISING_EDGE)
        self._samples, self._overload = (np.empty(0), np.empty(0)), False
        self._lockin.listen("demods/0/sample", *EXTREMES)

    def step_memory(self, delay: float, dwell: float) -> Array:
        """Return how much each step counts in a sample; see the role."""
        return staircase_memory(delay, dwell, self._time_constant, self._poles, 1 / RATE)

    def read_buffer(self, points: int) -> BufferedTrace:
        """Read the first `points` samples; see :meth:`stm_daq.station.roles.LockIn.read_buffer`."""

        def complete() -> bool:
            return self.stored_samples() >= points

        try:
            what = f"{self._lockin.name}: {points} samples did not arrive"
            wait_until(self._clock, complete, PATIENCE, 1e-3, what)
        except DeadlineError as error:
            found = len(self._samples[0])
            raise DeadlineError(
                f"{self._lockin.name}: {found} samples came instead of {points}; "
                "check the trigger cable"
            ) from error
        x, auxiliary = (field[:points] for field in self._samples)
        if not (np.all(np.isfinite(x)) and np.all(np.isfinite(auxiliary))):
            raise InstrumentError(f"{self._lockin.name}: a sample is not a finite number")
        return BufferedTrace(x, auxiliary, ("overload",) if self._overload else ())

    def stored_samples(self) -> int:
        """Return how many samples have come since the buffer was started."""
        data = self._lockin.received(2e-3)
        if "demods/0/sample" in data:
            sample = data["demods/0/sample"]
            new = (np.asarray(sample[field], dtype=np.float64) for field in ("x", self._field))
            self._samples = tuple(  # type: ignore[assignment]
                np.concatenate([old, more]) for old, more in zip(self._samples, new, strict=True)
            )
        for node in EXTREMES:
            self._note_overload(data.get(node, {}).get("value", ()))
        return len(self._samples[0])

    def read_point(self) -> BufferedTrace:
        """Read X and the auxiliary input at one moment; see the role."""
        self._set_trigger(CONTINUOUS)
        x, auxiliary = self._lockin.newest_sample("x", self._field)
        if not (np.all(np.isfinite(x)) and np.all(np.isfinite(auxiliary))):
            raise InstrumentError(f"{self._lockin.name}: a sample is not a finite number")
        self._overload = False
        self._note_overload([self._lockin.read_node(node) for node in EXTREMES])
        return BufferedTrace(x, auxiliary, ("overload",) if self._overload else ())

    def modulation_off(self) -> None:
        """Switch the modulation off."""
        self._lockin.write_nodes({self._amplitude: 0.0, self._enable: 0})
        if (found := self._lockin.read_node(self._amplitude)) != 0:
            raise InstrumentError(f"{self._lockin.name}: the modulation is {found} V, not 0 V")

    def _note_overload(self, extremes: Any) -> None:
        self._overload |= bool(np.any(np.abs(np.asarray(extremes, dtype=np.float64)) >= 1.0))

    def _set_trigger(self, mode: int) -> None:
        if self._trigger != mode:
            self._lockin.write_nodes({"demods/0/trigger": mode})
            self._require_node("demods/0/trigger", mode)
            self._clock.sleep(10 / RATE)  # until there is a sample in the new mode
            self._trigger = mode

    def _require_node(self, node: str, wanted: float) -> float:
        """Return what a node really has; refuse it if that is not what was wanted."""
        found = self._lockin.read_node(node)
        if abs(found - wanted) > TOLERANCE * abs(wanted):
            raise InstrumentError(f"{self._lockin.name}: {node} is {found:g}, not {wanted:g}")
        return found


def _require_auxiliary(auxiliary_input: int) -> None:
    if auxiliary_input not in (1, 2):
        raise OutOfRangeError(f"auxiliary_input must be 1 or 2, not {auxiliary_input}")


def _require_input_range(input_range: float) -> None:
    if input_range not in INPUT_RANGES:
        raise OutOfRangeError(f"input_range must be one of {INPUT_RANGES} V, not {input_range}")


def _poles(filter_slope: int) -> int:
    poles, rest = divmod(filter_slope, 6)
    if rest or not 1 <= poles <= POLES:
        raise OutOfRangeError(
            f"filter_slope must be a multiple of 6 dB/oct up to {6 * POLES}, not {filter_slope}"
        )
    return poles


def _require_frequency(frequency: float) -> None:
    require_within("MFLI", FREQUENCIES, frequency, "modulation frequency", "Hz")


def _require_time_constant(time_constant: float) -> None:
    require_within("MFLI", TIME_CONSTANTS, time_constant, "time constant", "s")


def _output(modulation: float, divider: float) -> float:
    """Return the signal output, V peak, for a peak modulation at the junction, V."""
    what = "signal output needed for the modulation"
    return require_within("MFLI", AMPLITUDES, modulation / divider, what, "V")
