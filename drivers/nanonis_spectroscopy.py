"""The bias spectroscopy of a Nanonis controller as a sweep of the station."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.clock import Clock
from stm_daq.errors import FeedbackError, InstrumentError, OutOfRangeError
from stm_daq.quantities import show
from stm_daq.records import Array
from stm_daq.station.controller_sweep import ControllerSpectrum, SweepOrder
from stm_daq.station.limits import Limits

if TYPE_CHECKING:
    from drivers.nanonis import NanonisController

CURRENT, IN_PHASE = "Current (A)", "LI Demod {} X (A)"
NO_CHANGE, ON, OFF = 0, 1, 2
BIAS_SIGNAL = "Bias (V)"
MARGIN = 10.0
"""Extra time for one spectrum: what the controller needs besides the times that are set, s."""
MOST_SEGMENTS = 16


class NanonisSpectroscopy:
    """Sweeps the controller's own bias output and records current and lock-in.

    Parameters
    ----------
    instrument : NanonisController
    limits : Limits
    clock : Clock
    divider : float
        Junction voltage per volt of the controller's bias output.
    demodulator : int
        Whose X is recorded, from 1.
    modulator : int
        Which modulates the bias, from 1.
    """

    def __init__(
        self,
        instrument: NanonisController,
        limits: Limits,
        clock: Clock,
        divider: float = 1.0,
        demodulator: int = 1,
        modulator: int = 1,
    ) -> None:
        self._nanonis = instrument
        self._limits = limits
        self._clock = clock
        self._divider = divider
        self._modulator = modulator
        self._names = (CURRENT, IN_PHASE.format(demodulator))
        self._channels = tuple(instrument.signal(name) for name in self._names)
        self._order: SweepOrder | None = None

    def configure(self, order: SweepOrder) -> None:
        """Set everything up and read it back; see :mod:`stm_daq.station.controller_sweep`."""
        self._require(order)
        self._order = None
        call = self._nanonis.call
        call("BiasSpectr.Open")
        call("BiasSpectr.ChsSet", self._channels)
        self._check("channels", call("BiasSpectr.ChsGet")[0], self._channels)
        backward = ON if order.backward else OFF
        points = order.segments[0].points
        call("BiasSpectr.PropsSet", OFF, order.averages, backward, points, order.z_offset, OFF, OFF)
        found = call("BiasSpectr.PropsGet")
        self._check("properties", found[1:4], (order.averages, order.backward, points))
        lock_in = ON if order.modulation_only_in_sweep else OFF
        call("BiasSpectr.AdvPropsSet", ON, ON, OFF, lock_in)
        self._check("options", call("BiasSpectr.AdvPropsGet")[:2], (1, 1))
        self._set_timing(order)
        self._set_voltages(order)
        self._order = order

    def duration(self) -> float:
        """Return how long one spectrum takes as it is configured, s."""
        order = self._configured()
        ways = 2 if order.backward else 1
        span = sum(abs(s.end - s.start) for s in order.segments)
        reach = max(max(abs(s.start), abs(s.end)) for s in order.segments)
        one_way = order.points * (order.settling + order.integration)
        one_way += len(order.segments) * order.initial_settling + order.end_settling
        ramps = (span + 2 * max(reach, self._limits.bias.high)) / self._limits.bias_slew
        z_average = max(order.z_average, float(self._nanonis.switch_off_delay.cache.get()))
        return float(order.averages * (ways * one_way + ramps) + z_average)

    def measure(self) -> ControllerSpectrum:
        """Take one spectrum; see :mod:`stm_daq.station.controller_sweep`.

        Raises
        ------
        FeedbackError
            If the feedback is not closed when the controller says that it has finished.
        """
        order = self._configured()
        if not self._nanonis.call("ZCtrl.OnOffGet")[0]:
            raise FeedbackError("the feedback is off; close it before a spectrum")
        modulation = self._modulation(order)
        names, table, parameters = self._nanonis.call(
            "BiasSpectr.Start", 1, "", duration=self.duration() + MARGIN
        )
        if not self._nanonis.call("ZCtrl.OnOffGet")[0]:
            raise FeedbackError("the controller has left the feedback off after its spectrum")
        ways = 2 if order.backward else 1
        if table.shape != (1 + 2 * ways, order.points) or not np.all(np.isfinite(table)):
            raise InstrumentError(
                f"the Nanonis controller returned {table.shape[0]} x {table.shape[1]} values "
                f"({', '.join(names)}) instead of {1 + 2 * ways} x {order.points}, or some are NaN"
            )
        self._require_bias(order, table[0])
        current = _in_order(table[1], table[3] if order.backward else None)
        in_phase = _in_order(table[2], table[4] if order.backward else None)
        bias = _in_order(table[0], table[0] if order.backward else None) * self._divider
        return ControllerSpectrum(bias, current, in_phase, modulation, float(parameters[4]))

    def stop(self) -> None:
        """Stop a spectrum that another thread is measuring."""
        self._nanonis.call("BiasSpectr.Stop", aside=True)

    # -- inside -------------------------------------------------------------------------------

    def _configured(self) -> SweepOrder:
        if self._order is None:
            raise InstrumentError("the controller's spectroscopy was not configured")
        return self._order

    def _require(self, order: SweepOrder) -> None:
        """Refuse what the station does not allow, before anything is sent."""
        limits = self._limits
        if not 1 <= len(order.segments) <= MOST_SEGMENTS:
            raise OutOfRangeError(
                f"{len(order.segments)} segments: Nanonis takes 1 to {MOST_SEGMENTS}; "
                "nothing was sent"
            )
        for segment in order.segments:
            for volts in (segment.start, segment.end):
                limits.bias.require(volts, "bias of the sweep")
            if segment.points < 2:
                raise OutOfRangeError("a segment needs at least two points; nothing was sent")
            step = abs(segment.end - segment.start) / (segment.points - 1)
            if step > limits.bias_step * (1 + 1e-9):
                raise OutOfRangeError(
                    f"bias steps of {show(step, 'V')} are larger than the station's limit "
                    f"{show(limits.bias_step, 'V')}; nothing was sent"
                )
        low, high = limits.z.low, limits.z.high
        if not abs(order.z_offset) < high - low:
            raise OutOfRangeError(
                f"an offset of z by {show(order.z_offset, 'm')} leaves the station's limits; "
                "nothing was sent"
            )

    def _set_timing(self, order: SweepOrder) -> None:
        wanted = (
            order.z_average,
            order.z_offset,
            order.initial_settling,
            self._limits.bias_slew / self._divider,
            order.settling,
            order.integration,
            order.end_settling,
            0.0,  # the feedback stays held between sweeps that are averaged
        )
        self._nanonis.call("BiasSpectr.TimingSet", *wanted)
        self._check("times", self._nanonis.call("BiasSpectr.TimingGet"), wanted)

    def _set_voltages(self, order: SweepOrder) -> None:
        call = self._nanonis.call
        segments, n = order.segments, len(order.segments)
        starts = [segment.start / self._divider for segment in segments]
        ends = [segment.end / self._divider for segment in segments]
        if n == 1:
            call("BiasSpectr.MLSModeSet", "Linear")
            call("BiasSpectr.LimitsSet", starts[0], ends[0])
            self._check("limits", call("BiasSpectr.LimitsGet"), (starts[0], ends[0]))
            return
        steps = [segment.points for segment in segments]
        times = ([order.initial_settling] * n, [order.settling] * n, [order.integration] * n)
        call("BiasSpectr.MLSLockinPerSegSet", 0)
        call("BiasSpectr.MLSValsSet", n, starts, ends, *times, steps, [1] * n)
        found = call("BiasSpectr.MLSValsGet")
        self._check("segments", np.concatenate(found[1:3]), [*starts, *ends])
        self._check("points of the segments", found[6], steps)
        call("BiasSpectr.MLSModeSet", "MLS")

    def _modulation(self, order: SweepOrder) -> float:
        """Return the peak amplitude at the junction during the sweep, V."""
        call, number = self._nanonis.call, self._modulator
        running = bool(call("LockIn.ModOnOffGet", number)[0]) or order.modulation_only_in_sweep
        signal = call("LockIn.ModSignalGet", number)[0]
        if not running or signal != self._nanonis.signal(BIAS_SIGNAL):
            return 0.0
        return float(call("LockIn.ModAmpGet", number)[0]) * self._divider

    def _require_bias(self, order: SweepOrder, found: Array) -> None:
        parts = [np.linspace(s.start, s.end, s.points) for s in order.segments]
        wanted = np.concatenate(parts) / self._divider
        if not np.allclose(found, wanted, rtol=0, atol=1e-4 * np.max(np.abs(wanted))):
            raise InstrumentError("the controller swept over other voltages than it was told to")

    def _check(self, what: str, found: Any, wanted: Any) -> None:
        found, wanted = np.asarray(found, dtype=float), np.asarray(wanted, dtype=float)
        scale = max(float(np.max(np.abs(wanted), initial=0.0)), math.ulp(1.0))
        same = found.shape == wanted.shape
        if not same or not np.allclose(found, wanted, rtol=1e-5, atol=1e-7 * scale):
            raise InstrumentError(
                f"the {what} of the bias spectroscopy read back {found.tolist()} "
                f"instead of {wanted.tolist()}"
            )


def _in_order(there: Array, back: Array | None) -> Array:
    """Put the way back, which is stored over the same axis, behind the way there."""
    return there if back is None else np.concatenate([there, back[::-1]])
