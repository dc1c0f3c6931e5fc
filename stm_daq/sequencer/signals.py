"""Lock-in and preamplifier together: the modulation, and what their outputs mean at the junction."""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from stm_daq.clock import Clock
from stm_daq.plan import Sweep
from stm_daq.plan.estimate import FORGET
from stm_daq.records import Array
from stm_daq.station.roles import LockIn, Preamplifier
from stm_daq.station.safe_state import restore

HEADROOM = 5.0
"""The lock-in's range covers a differential conductance this many times the set-point's I/V, which
leaves room for coherence peaks."""


class JunctionSignals:
    """Modulates the bias, and turns the lock-in's readings into current and dI/dV.

    Parameters
    ----------
    sweep : Sweep
    lockin, preamplifier : roles
    clock : Clock
    """

    def __init__(
        self, sweep: Sweep, lockin: LockIn, preamplifier: Preamplifier, clock: Clock
    ) -> None:
        self._sweep = sweep
        self._lockin = lockin
        self._preamplifier = preamplifier
        self._clock = clock
        self._setpoint_conductance = 0.0
        self.modulation = sweep.modulation_peak
        """Peak amplitude really set, V; known after :meth:`set_up`."""

    def set_up(self, setpoint_conductance: float) -> None:
        """Set modulation and demodulator for a set-point of this current over bias, S.

        It decides the lock-in's range. If the modulation is wanted in sweeps only it is off then.
        """
        self._setpoint_conductance = setpoint_conductance
        self._configure()
        if self._sweep.modulation_only_in_sweep:
            self._lockin.modulation_off()

    def _configure(self) -> None:
        response = self._preamplifier.response(self._sweep.modulation_frequency)
        expected = self._setpoint_conductance * self._sweep.modulation_peak * abs(response)
        self.modulation = self._lockin.configure(
            frequency=self._sweep.modulation_frequency,
            modulation=self._sweep.modulation_peak,
            time_constant=self._sweep.time_constant,
            phase=math.degrees(cmath.phase(response)),
            sensitivity=HEADROOM * expected / math.sqrt(2),
        )
        self._per_siemens = self.modulation * abs(response) / math.sqrt(2)

    @contextmanager
    def modulated(self) -> Iterator[None]:
        """Modulate inside the block, if the plan wants that in sweeps only."""
        if not self._sweep.modulation_only_in_sweep:
            yield
            return
        try:
            self._configure()
            self._clock.sleep(FORGET * self._sweep.time_constant)
            yield
        except BaseException:
            restore([("reduce the modulation", self._lockin.modulation_off)])
            raise
        self._lockin.modulation_off()

    def conductance(self, in_phase: Array) -> Array:
        """Return dI/dV, S, of the lock-in's X, V rms."""
        conductance: Array = in_phase / self._per_siemens
        return conductance

    def current(self, auxiliary: Array) -> Array:
        """Return the current, A, of the preamplifier's dc output, V."""
        current: Array = auxiliary / self._preamplifier.gain()
        return current

    def overload(self, current: Array) -> tuple[str, ...]:
        """Return the flag of a current that the preamplifier cannot tell."""
        too_large = float(np.max(np.abs(current))) >= self._preamplifier.full_scale()
        return ("preamplifier_overload",) if too_large else ()
