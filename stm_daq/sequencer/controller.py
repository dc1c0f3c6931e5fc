"""A bias sweep by the STM controller: its own bias output, its own lock-in, one order a spectrum."""

from __future__ import annotations

import cmath
import math

import numpy as np

from stm_daq.plan import Plan
from stm_daq.records import Array
from stm_daq.sequencer.sweeper import CLOSURE, NOT_REPRODUCED, SweepData
from stm_daq.station.controller_sweep import ControllerSpectroscopy, SweepOrder, SweepSegment
from stm_daq.station.roles import LockIn, Preamplifier
from stm_daq.station.safe_state import restore


class ControllerSweep:
    """Lets the controller hold the feedback, sweep, and close the feedback again.

    Half of the dwell is for settling, during the other half the controller averages.

    Parameters
    ----------
    plan : Plan
    spectroscopy : ControllerSpectroscopy
    lockin : LockIn
        The external one; it must not modulate at the same time.
    preamplifier : Preamplifier
    """

    current_integrated = False
    holds_feedback = True

    def __init__(
        self,
        plan: Plan,
        spectroscopy: ControllerSpectroscopy,
        *,
        lockin: LockIn,
        preamplifier: Preamplifier,
    ) -> None:
        self._plan = plan
        self._spectroscopy = spectroscopy
        self._lockin = lockin
        self._preamplifier = preamplifier
        self.modulation = plan.sweep.modulation_peak
        self.step_memory: Array = np.ones(1)

    @property
    def start(self) -> float:
        """Bias at which the sweep begins, V; the controller goes there and back by itself."""
        return float(self._plan.sweep.bias[0])

    def prepare(self, setpoint_conductance: float) -> None:
        """Set up the controller; its lock-in has one range, whatever the set-point."""
        sweep = self._plan.sweep
        response = self._preamplifier.response(sweep.modulation_frequency)
        self._lockin.modulation_off()
        self.modulation = self._spectroscopy.set_up_lock_in(
            frequency=sweep.modulation_frequency,
            modulation=sweep.modulation_peak,
            time_constant=sweep.time_constant,
            phase=math.degrees(cmath.phase(response)),
            only_in_sweep=sweep.modulation_only_in_sweep,
        )
        self._loss = abs(response) / self._preamplifier.gain()
        self._spectroscopy.configure(self._order())
        self.step_memory = self._spectroscopy.step_memory()

    def _order(self) -> SweepOrder:
        sweep, timing = self._plan.sweep, self._plan.timing
        way = sweep.bias[: len(sweep.bias) // sweep.directions]
        return SweepOrder(
            segments=(SweepSegment(float(way[0]), float(way[-1]), len(way)),),
            settling=sweep.dwell / 2,
            integration=sweep.dwell / 2,
            initial_settling=timing.initial_settle,
            end_settling=timing.end_settle,
            z_average=timing.z_average,
            z_offset=sweep.z_offset,
            backward=sweep.directions == 2,
            averages=sweep.averages,
            modulation_only_in_sweep=sweep.modulation_only_in_sweep,
        )

    def measure(self) -> SweepData:
        """Take one spectrum; afterwards the feedback is closed at the bias from before.

        Raises
        ------
        InstrumentError
            If the controller refuses or fails. It is stopped then; whether bias and feedback are
            back is for the caller to see to.
        """
        try:
            found = self._spectroscopy.measure()
        except BaseException:
            restore([("stop the controller's sweep", self._spectroscopy.stop)])
            raise
        return SweepData(
            current=found.current,
            conductance=found.in_phase / (found.modulation * self._loss),
            flags=self._suspicions(found.current),
        )

    def _suspicions(self, current: Array) -> tuple[str, ...]:
        flags: tuple[str, ...] = ()
        largest = float(np.max(np.abs(current)))
        if largest >= self._preamplifier.full_scale():
            flags += ("preamplifier_overload",)
        there_and_back = self._plan.sweep.directions == 2
        if there_and_back and abs(current[-1] - current[0]) > CLOSURE * largest:
            flags += (NOT_REPRODUCED,)
        return flags
