"""A bias sweep by the external DAC: one hardware list, one trigger train, one buffer read-out."""

from __future__ import annotations

import numpy as np

from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError
from stm_daq.plan import Sweep, list_voltages
from stm_daq.records import Array
from stm_daq.sequencer.reread import read_surely
from stm_daq.sequencer.signals import JunctionSignals
from stm_daq.sequencer.sweeper import CLOSURE, NOT_REPRODUCED, SweepData, average
from stm_daq.station.limits import Limits
from stm_daq.station.roles import ListSource, LockIn

BACK = 0.01
"""Relative deviation within which the bias counts as back at the set-point."""

CLEAR_STEP = 0.05
"""Relative size of the list's last step from which on a sample too many shows in the current."""

INCONSISTENT = "current_and_conductance_disagree"
AGREEMENT = 0.25
"""Largest difference between the current and the integral of dI/dV, relative to the range of either.
Lag and modulation make a few percent; a bias that does not move, an overload or a lost reference more."""


class DacSweep:
    """Sweeps the bias with a hardware list that triggers the lock-in's buffer at every step.

    The list goes from the set-point bias to the end and, in coarser steps, back to where it began, so
    that the feedback can be closed again without another command. Only the way there is kept. The last
    sample of the way back checks that the junction is still the same, and that no stray pulse has
    shifted all samples by a step: then the current of the step before would stand there.
    """

    holds_feedback = False

    def __init__(
        self,
        sweep: Sweep,
        limits: Limits,
        signals: JunctionSignals,
        *,
        bias: ListSource,
        lockin: LockIn,
        clock: Clock,
    ) -> None:
        self._sweep = sweep
        self._bias = bias
        self._lockin = lockin
        self._signals = signals
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
        self._signals.set_up(setpoint_conductance)
        self.modulation = self._signals.modulation
        delay = self._bias.trigger_delay(self._sweep.dwell)
        self.step_memory = self._lockin.step_memory(delay, self._sweep.dwell)
        self._lockin.prepare_buffer()
        self._bias.prepare_list(self._list, self._sweep.dwell)

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
        with self._signals.modulated():
            return average([self._once() for _ in range(self._sweep.averages)])

    def _once(self) -> SweepData:
        self._lockin.start_buffer()
        self._bias.start_list()
        self._clock.sleep(len(self._list) * self._sweep.dwell)
        points = len(self._sweep.bias)
        trace = read_surely(self._lockin, len(self._list), points)
        current = self._signals.current(trace.auxiliary)
        conductance = self._signals.conductance(trace.in_phase)
        if self.current_integrated:
            current = integrated_current(self._list, conductance, float(current[-1]))
        self._require_one_sample_per_step(current)
        flags = trace.flags + self._suspicions(current, conductance)
        if NOT_REPRODUCED in flags:
            self._require_bias_back()
        return SweepData(
            current=current[:points],
            conductance=conductance[:points],
            flags=flags,
            closing_current=float(current[-1]),
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
        flags = self._signals.overload(current)
        if abs(current[-1] - current[0]) > CLOSURE * abs(current[0]):
            flags += (NOT_REPRODUCED,)
        if not self.current_integrated and not _consistent(self._list, current, conductance):
            flags += (INCONSISTENT,)
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
