"""A bias sweep by the external DAC: one hardware list, one trigger train, one buffer read-out."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import numpy as np

from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError
from stm_daq.plan import Sweep, list_voltages
from stm_daq.records import Array
from stm_daq.station.limits import Limits
from stm_daq.station.roles import ListSource, LockIn, Preamplifier

HEADROOM = 5.0
"""The lock-in's range covers a differential conductance this many times the set-point's I/V, which
leaves room for coherence peaks."""

BACK = 0.01
"""Relative deviation within which the bias counts as back at the set-point."""

CLEAR_STEP = 0.05
"""Relative size of the list's last step from which on a sample too many shows in the current."""

NOT_REPRODUCED = "current_not_reproduced"
CLOSURE = 0.1
"""Largest relative difference of the current at the start of the list and back at its end. More means
that the tip changed during the sweep."""

INCONSISTENT = "current_and_conductance_disagree"
AGREEMENT = 0.25
"""Largest difference between the current and the integral of dI/dV, relative to the range of either.
Lag and modulation make a few percent; a bias that does not move, an overload or a lost reference more."""


@dataclass(frozen=True, slots=True)
class SweepData:
    """What one sweep recorded."""

    current: Array
    """dc current at every bias, A, shape (n,)."""
    conductance: Array
    """dI/dV at every bias, S, shape (n,)."""
    flags: tuple[str, ...]


class DacSweep:
    """Sweeps the bias with a hardware list that triggers the lock-in's buffer at every step.

    The list goes from the set-point bias to the end and, in coarser steps, back to where it began, so
    that the feedback can be closed again without another command. Only the way there is kept. The last
    sample of the way back checks that the junction is still the same, and that no stray pulse has
    shifted all samples by a step: then the current of the step before would stand there.
    """

    def __init__(
        self,
        sweep: Sweep,
        limits: Limits,
        *,
        bias: ListSource,
        lockin: LockIn,
        preamplifier: Preamplifier,
        clock: Clock,
    ) -> None:
        self._sweep = sweep
        self._bias = bias
        self._lockin = lockin
        self._preamplifier = preamplifier
        self._clock = clock
        self._list = list_voltages(sweep, limits.bias_step, limits.bias_slew)
        self._last_step = abs(1 - float(self._list[-2] / self._list[-1]))
        self.modulation = sweep.modulation_peak
        """Peak amplitude really set, V; known after :meth:`prepare`."""
        self.step_memory: Array = np.ones(1)
        """How much the present and earlier points count in a sample of dI/dV; likewise."""
        self.current_integrated = not lockin.auxiliary_recorded
        """Whether the current is the integral of dI/dV, for want of a record of its own."""

    def prepare(self, setpoint_conductance: float) -> None:
        """Set up lock-in and DAC once per run.

        Parameters
        ----------
        setpoint_conductance : float
            Set-point current over set-point bias, S; decides the lock-in's range.
        """
        response = self._preamplifier.response(self._sweep.modulation_frequency)
        expected = setpoint_conductance * self._sweep.modulation_peak * abs(response)
        self.modulation = self._lockin.configure(
            frequency=self._sweep.modulation_frequency,
            modulation=self._sweep.modulation_peak,
            time_constant=self._sweep.time_constant,
            phase=math.degrees(cmath.phase(response)),
            sensitivity=HEADROOM * expected / math.sqrt(2),
        )
        delay = self._bias.trigger_delay(self._sweep.dwell)
        self.step_memory = self._lockin.step_memory(delay, self._sweep.dwell)
        self._lockin.prepare_buffer()
        self._bias.prepare_list(self._list, self._sweep.dwell)
        self._per_siemens = self.modulation * abs(response) / math.sqrt(2)

    @property
    def start(self) -> float:
        """Bias at which the sweep begins and ends, V."""
        return float(self._list[0])

    def measure(self) -> SweepData:
        """Sweep as often as the plan wants and average; returns when the bias is back at its start.

        Raises
        ------
        InstrumentError
            If the buffer does not hold exactly one sample per step.
        """
        found = [self._once() for _ in range(self._sweep.averages)]
        if len(found) == 1:
            return found[0]
        return SweepData(
            current=np.mean([data.current for data in found], axis=0),
            conductance=np.mean([data.conductance for data in found], axis=0),
            flags=tuple(dict.fromkeys(flag for data in found for flag in data.flags)),
        )

    def _once(self) -> SweepData:
        self._lockin.start_buffer()
        self._bias.start_list()
        self._clock.sleep(len(self._list) * self._sweep.dwell)
        trace = self._lockin.read_buffer(len(self._list))
        current = trace.auxiliary / self._preamplifier.gain()
        conductance = trace.in_phase / self._per_siemens
        if self.current_integrated:
            current = integrated_current(self._list, conductance, float(current[-1]))
        self._require_one_sample_per_step(current)
        flags = trace.flags + self._suspicions(current, conductance)
        if NOT_REPRODUCED in flags:
            self._require_bias_back()
        points = len(self._sweep.bias)
        return SweepData(
            current=current[:points],
            conductance=conductance[:points],
            flags=flags,
        )

    def _require_one_sample_per_step(self, current: Array) -> None:
        """Ask the lock-in how many samples it has, but only where the current leaves a doubt."""
        slipped = abs(current[-1] - current[0]) > 0.5 * self._last_step * abs(current[0])
        clear = self._last_step >= CLEAR_STEP and not self.current_integrated
        if clear and not slipped:
            return
        found = self._lockin.stored_samples()
        if found != len(self._list):
            raise InstrumentError(
                f"the lock-in stored {found} samples for {len(self._list)} steps of the bias; "
                "something else triggers it, or the trigger cable is loose"
            )

    def _require_bias_back(self) -> None:
        """Make sure, where the current leaves a doubt, that the feedback may be closed again."""
        applied, start = self._bias.voltage(), float(self._list[0])
        if abs(applied - start) > BACK * abs(start):
            raise InstrumentError(
                f"after the sweep the bias reads back {applied * 1e3:.4g} mV instead of "
                f"{start * 1e3:.4g} mV; the feedback is not closed there"
            )

    def _suspicions(self, current: Array, conductance: Array) -> tuple[str, ...]:
        flags: tuple[str, ...] = ()
        if abs(current[-1] - current[0]) > CLOSURE * abs(current[0]):
            flags += (NOT_REPRODUCED,)
        if not self.current_integrated and not _consistent(self._list, current, conductance):
            flags += (INCONSISTENT,)
        if float(np.max(np.abs(current))) >= self._preamplifier.full_scale():
            flags += ("preamplifier_overload",)
        return flags


def _consistent(volts: Array, current: Array, conductance: Array) -> bool:
    """Whether dI/dV, integrated along the sweep, gives the current."""
    integral = integrated_current(volts, conductance, float(current[-1]))
    largest = max(float(np.ptp(current)), float(np.ptp(integral)))
    return bool(np.max(np.abs(integral - current)) <= AGREEMENT * largest)


def integrated_current(volts: Array, conductance: Array, last: float) -> Array:
    """Return the current along a sweep from dI/dV and the current measured at its end.

        I_k = I_n - integral from V_k to V_n of (dI/dV) dV    (along the steps, trapezoidal rule)

    Noise of dI/dV adds up over the steps, and an error of the modulation or of the preamplifier's
    gain at its frequency scales all but `last`.

    Parameters
    ----------
    volts, conductance : array of shape (n,)
        Bias (V) and dI/dV (S) of every step, in the order of time.
    last : float
        Current at the last step, A.

    Returns
    -------
    array of shape (n,)
        A.
    """
    rises = np.diff(volts) * (conductance[1:] + conductance[:-1]) / 2
    risen = np.concatenate([[0.0], np.cumsum(rises)])
    current: Array = last + risen - risen[-1]
    return current
