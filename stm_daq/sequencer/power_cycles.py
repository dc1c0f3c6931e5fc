"""Cycles of the microwave power at one site: cold, up and down again and again, cold."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from stm_daq.analysis.microwave.jumps import switch_interval
from stm_daq.clock import Clock
from stm_daq.errors import OutOfRangeError
from stm_daq.plan import Sweep
from stm_daq.plan.power_sweep import BACK, COLD, DOWN, TRACES, UP, Layout, PowerSweep, refined
from stm_daq.records import Array
from stm_daq.sequencer.signals import JunctionSignals
from stm_daq.sequencer.sweeper import SweepData
from stm_daq.station.roles import LockIn, MicrowaveSource, TransportMeter
from stm_daq.station.safe_state import restore

NOT_COLD = "not_cold"
"""dI/dV at the lowest power differs from that without microwaves."""
LATCHED = "latched"
"""After the cycles the cold state did not come back at the lowest power."""


@dataclass(slots=True)
class _Record:
    """What was read at every point so far; NaN where nothing was."""

    points: int
    in_phase: Array = field(init=False)
    auxiliary: Array = field(init=False)
    traces: dict[str, Array] = field(init=False)
    flags: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.in_phase, self.auxiliary = np.full((2, self.points), np.nan)
        self.traces = {name: np.full(self.points, np.nan) for name, _, _ in TRACES}


class PowerCycles:
    """Sweeps the microwave power up and down, point by point, with fine steps where it switches.

    The power never skips: within a branch it goes from point to point only, each confirmed by the
    source. The source is switched on before each frequency and off after it, whatever happens.

    Parameters
    ----------
    sweep : Sweep
    cycles : PowerSweep
    signals : JunctionSignals
    lockin : LockIn
    source : MicrowaveSource
    transport : TransportMeter or None
        What measures the strip, if the plan wants that.
    clock : Clock
    """

    current_integrated = False
    holds_feedback = False

    def __init__(
        self,
        sweep: Sweep,
        cycles: PowerSweep,
        signals: JunctionSignals,
        *,
        lockin: LockIn,
        source: MicrowaveSource,
        transport: TransportMeter | None,
        clock: Clock,
    ) -> None:
        self._sweep, self._cycles = sweep, cycles
        self._signals, self._lockin = signals, lockin
        self._source, self._transport = source, transport
        self._clock = clock
        self._layout = Layout.of(cycles)
        self._tolerance = 0.0
        self.modulation = sweep.modulation_peak
        self.step_memory: Array = np.ones(1)

    @property
    def start(self) -> float:
        """Bias during the whole sweep, V."""
        return float(self._sweep.bias[0])

    def prepare(self, setpoint_conductance: float) -> None:
        """Set up the lock-in; see :class:`Sweeper`."""
        self._signals.set_up(setpoint_conductance)
        self._tolerance = self._cycles.tolerance * setpoint_conductance
        self.modulation = self._signals.modulation
        self.step_memory = self._lockin.step_memory(self._sweep.dwell, self._sweep.dwell)
        if self._cycles.largest_step > 0:
            self._require_fixed_range()

    def measure(self) -> SweepData:
        """Measure all cycles at all frequencies.

        Raises
        ------
        InstrumentError
            If a power is not reached or a point cannot be read; the microwaves are off then.
        """
        record = _Record(len(self._layout))
        self._began = self._clock.now()
        with self._signals.modulated():
            try:
                self._measure_all(record)
            except BaseException:
                restore([("switch the microwaves off", self._source.off), *self._strip_off()])
                raise
        return self._data(record)

    def _measure_all(self, record: _Record) -> None:
        transport = self._cycles.transport
        if self._transport is not None:
            self._transport.start(transport.probe)
        self._lockin.read_point()  # forgets the overloads before the sweep
        for number in range(max(len(self._cycles.frequencies), 1)):
            if self._cycles.frequencies:
                self._source.set_frequency(self._cycles.frequencies[number])
            self._one_frequency(record, number)
        for _, action in self._strip_off():
            action()

    def _one_frequency(self, record: _Record, number: int) -> None:
        self._clock.sleep(self._cycles.rest)
        without = self._read_conductance(record)
        cold = self._layout.where(number, -1, COLD).start
        self._source.on()
        self._point(record, cold, self._cycles.start, math.nan, self._sweep.dwell)
        self._critical_current(record, cold)
        if abs(self._conductance_at(record, cold) - without) > self._tolerance:
            record.flags[NOT_COLD] = None
        up = down = None
        switched = False
        for cycle in range(self._cycles.cycles):
            there = self._branch(record, self._layout.where(number, cycle, UP), up)
            back = self._branch(record, self._layout.where(number, cycle, DOWN), down)
            switched = switched or there is not None
            if cycle == 0:
                up, down = there, back
        self._verify(record, number, self._conductance_at(record, cold), switched)
        self._source.off()

    def _branch(
        self, record: _Record, where: slice, interval: tuple[float, float] | None
    ) -> tuple[float, float] | None:
        """Measure one branch; return the powers between which it switched, if it did."""
        powers = refined(self._cycles.coarse, interval, self._cycles.fine)
        upwards = self._layout.branch[where.start] == UP
        cycle = self._layout.cycle[where.start]
        last = cycle == self._cycles.cycles - 1
        dwell = self._sweep.dwell * (self._cycles.slow if last else 1.0)
        before = self._source.power()
        asked = self._critical_at(powers, upwards, interval)
        for number, power in enumerate(powers if upwards else powers[::-1]):
            self._point(record, where.start + number, float(power), before, dwell)
            before = float(power)
            if number == asked:
                self._critical_current(record, where.start + number)
        found = record.in_phase[where][: len(powers)]
        at = switch_interval(found)
        if at is None:
            return None
        ends = np.sort((powers if upwards else powers[::-1])[at : at + 2])
        return float(ends[0]), float(ends[1])

    def _critical_at(
        self, powers: Array, upwards: bool, interval: tuple[float, float] | None
    ) -> int:
        """Return at which point of a branch the critical current is looked for; -1: at none."""
        above = self._cycles.transport.above_down
        if upwards:
            return len(powers) - 1 if above is None else -1
        if above is None or interval is None:
            return -1
        return int(np.sum(powers > interval[1] + above + 1e-9)) - 1

    def _verify(self, record: _Record, number: int, cold: float, switched: bool) -> None:
        """See whether the cold state has come back, if it was left; drift alone changes dI/dV too."""
        at = self._layout.where(number, -1, BACK).start
        before = self._source.power()
        self._point(record, at, self._cycles.start, before, self._sweep.dwell + self._cycles.rest)
        if switched and abs(self._conductance_at(record, at) - cold) > self._tolerance:
            record.flags[LATCHED] = None
        self._critical_current(record, at)

    def _point(
        self, record: _Record, number: int, power: float, before: float, dwell: float
    ) -> None:
        self._source.set_power(power)
        self._clock.sleep(dwell)
        trace = self._lockin.read_point()
        record.in_phase[number] = trace.in_phase[0]
        record.auxiliary[number] = trace.auxiliary[0]
        record.flags |= dict.fromkeys(trace.flags)
        traces = record.traces
        traces["microwave_power"][number] = power
        traces["previous_power"][number] = before
        traces["elapsed"][number] = self._clock.now() - self._began
        if self._transport is not None and self._cycles.transport.probe:
            traces["resistance"][number] = self._transport.resistance()

    def _critical_current(self, record: _Record, number: int) -> None:
        wanted = self._cycles.transport
        if self._transport is not None and wanted.points:
            record.traces["critical_current"][number] = self._transport.critical_current(
                wanted.largest, wanted.points, wanted.threshold
            )

    def _read_conductance(self, record: _Record) -> float:
        trace = self._lockin.read_point()
        record.flags |= dict.fromkeys(trace.flags)
        return float(self._signals.conductance(trace.in_phase)[0])

    def _conductance_at(self, record: _Record, number: int) -> float:
        return float(self._signals.conductance(record.in_phase[number : number + 1])[0])

    def _strip_off(self) -> list[tuple[str, Callable[[], None]]]:
        if self._transport is None:
            return []
        return [("switch the current through the strip off", self._transport.off)]

    def _require_fixed_range(self) -> None:
        """Refuse a sweep in which the attenuator of the source would switch."""
        edges = [
            e for e in self._source.range_edges() if self._cycles.start < e <= self._cycles.end
        ]
        if edges:
            raise OutOfRangeError(
                f"the source changes its range at {edges[0]:g} dBm, inside the power sweep from "
                f"{self._cycles.start:g} to {self._cycles.end:g} dBm: the power would glitch there; "
                "keep the sweep within one range, or add attenuation to the line"
            )

    def _data(self, record: _Record) -> SweepData:
        current = self._signals.current(record.auxiliary)
        measured = current[np.isfinite(current)]
        flags = (*record.flags, *self._signals.overload(measured), *self._source.flags())
        return SweepData(
            current=current,
            conductance=self._signals.conductance(record.in_phase),
            flags=tuple(dict.fromkeys(flags)),
            extra=np.array([record.traces[name] for name, _, _ in TRACES]),
        )
