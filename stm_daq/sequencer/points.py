"""A sweep point by point: of the bias, of the height, of the microwave power."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np

from stm_daq.clock import Clock
from stm_daq.plan import Sweep
from stm_daq.records import Array
from stm_daq.sequencer.signals import JunctionSignals
from stm_daq.sequencer.sweeper import CLOSURE, NOT_REPRODUCED, SweepData, average
from stm_daq.station.roles import BufferedTrace, LockIn


class PointSweep:
    """Goes to every point, waits for the dwell, and reads the lock-in once.

    It needs no hardware list, so that any source can be swept; every point takes a few bus
    transactions more. After a sweep one way it goes back and reads once more where it began, as a
    sweep there and back does anyway: the current there tells whether the tip is still the same.

    Parameters
    ----------
    sweep : Sweep
    signals : JunctionSignals
    lockin : LockIn
    clock : Clock
    go_to : callable
        Brings what is swept to a value, and returns when it is there.
    switched_on : callable
        Makes the context within which there is something to sweep.
    prepare : callable
        What else is to be set up once.
    flags : callable
        What makes the source of the sweep suspect, after a sweep.
    """

    current_integrated = False
    holds_feedback = False

    def __init__(
        self,
        sweep: Sweep,
        signals: JunctionSignals,
        *,
        lockin: LockIn,
        clock: Clock,
        go_to: Callable[[float], None],
        switched_on: Callable[[], AbstractContextManager[None]],
        prepare: Callable[[], None],
        flags: Callable[[], tuple[str, ...]],
    ) -> None:
        self._sweep = sweep
        self._signals = signals
        self._lockin = lockin
        self._clock = clock
        self._go_to = go_to
        self._switched_on = switched_on
        self._prepare = prepare
        self._flags = flags
        values = sweep.swept if len(sweep.swept) else sweep.bias
        self._values: list[float] = values.tolist()
        self.modulation = sweep.modulation_peak
        self.step_memory: Array = np.ones(1)

    def prepare(self, setpoint_conductance: float) -> None:
        """Set up the lock-in, and what is swept, once per set-point; see :class:`Sweeper`."""
        self._signals.set_up(setpoint_conductance)
        self.modulation = self._signals.modulation
        dwell = self._sweep.dwell
        self.step_memory = self._lockin.step_memory(dwell, dwell)
        self._prepare()

    @property
    def start(self) -> float:
        """Bias at which the sweep begins and ends, V."""
        return float(self._sweep.bias[0])

    def measure(self) -> SweepData:
        """Sweep as often as the plan wants and average.

        Raises
        ------
        InstrumentError
            If a point is not reached or cannot be read.
        """
        with self._signals.modulated(), self._switched_on():
            return average([self._once() for _ in range(self._sweep.averages)])

    def _once(self) -> SweepData:
        self._go_to(self._values[0])
        self._lockin.read_point()  # forgets the overloads before the sweep
        ways_back = [] if self._sweep.directions == 2 else self._values[:1]
        found = [self._point(value) for value in [*self._values, *ways_back]]
        current = self._signals.current(np.concatenate([point.auxiliary for point in found]))
        in_phase = np.concatenate([point.in_phase for point in found])
        flags = dict.fromkeys(flag for point in found for flag in point.flags)
        points = len(self._values)
        return SweepData(
            current=current[:points],
            conductance=self._signals.conductance(in_phase[:points]),
            flags=(*flags, *self._suspicions(current), *self._flags()),
        )

    def _point(self, value: float) -> BufferedTrace:
        self._go_to(value)
        self._clock.sleep(self._sweep.dwell)
        return self._lockin.read_point()

    def _suspicions(self, current: Array) -> tuple[str, ...]:
        flags = self._signals.overload(current)
        if abs(current[-1] - current[0]) > CLOSURE * float(np.max(np.abs(current))):
            flags += (NOT_REPRODUCED,)
        return flags
