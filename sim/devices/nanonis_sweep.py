"""One bias spectrum of the simulated controller, carried out while time passes.

Average z, hold, offset, ramp to the start, sweep (there, and back if wanted, once or several
times), ramp back, release: as bias, feedback and lock-in are set up in :class:`SweepSettings`.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np

from sim.devices.nanonis_lock_in import Demodulators
from sim.devices.nanonis_output import BiasOutput
from sim.devices.nanonis_process import Later, Steps
from sim.devices.nanonis_refusal import require
from sim.devices.nanonis_signals import CURRENT, NAMES, Signals
from sim.waveform import Array
from sim.world import World

FIXED = ("Sweep Start", "Sweep End")
PARAMETERS = (
    "X (m)",
    "Y (m)",
    "Z (m)",
    "Z offset (m)",
    "Settling time (s)",
    "Integration time (s)",
    "Z-Ctrl hold",
    "Final Z (m)",
)
"""Names of the numbers that a spectrum comes with, in this order."""


AT_ONCE = 256
"""Points that are worked out at once."""


@dataclass(frozen=True)
class Segment:
    """A straight piece of the sweep."""

    start: float
    """V."""
    end: float
    """V."""
    points: int
    initial_settling: float
    """s."""
    settling: float
    """s, for every point."""
    integration: float
    """s, for every point."""
    lock_in: bool = True
    """Whether the lock-in runs, where that is decided for every segment."""


@dataclass
class SweepSettings:
    """Everything that a client may set; times in s, lengths in m, voltages in V."""

    start: float = -5e-3
    end: float = 5e-3
    points: int = 128
    sweeps: int = 1
    save_all: bool = False
    backward: bool = False
    autosave: bool = True
    z_offset: float = 0.0
    z_averaging: float = 0.02
    initial_settling: float = 0.02
    slew_rate: float = 0.5
    settling: float = 2e-3
    integration: float = 5e-3
    end_settling: float = 0.0
    z_control: float = 0.1
    reset_bias: bool = True
    hold: bool = True
    record_final_z: bool = False
    run_lock_in: bool = False
    channels: tuple[int, ...] = (CURRENT,)
    alternate_setpoint: tuple[bool, float, float] = (False, 100e-12, 0.1)
    """On, set-point (A), settling time (s)."""
    segmented: bool = False
    """Whether the sweep follows `segments` instead of start and end."""
    segments: list[Segment] = field(default_factory=list)
    lock_in_per_segment: bool = False

    def sweep(self) -> list[Segment]:
        """Return the segments that are really swept."""
        if self.segmented:
            return self.segments
        timing = (self.initial_settling, self.settling, self.integration)
        return [Segment(self.start, self.end, self.points, *timing)]


@dataclass(frozen=True)
class SpectrumData:
    """A finished spectrum."""

    names: tuple[str, ...]
    """Of the rows of `table`: the bias first."""
    table: Array
    """Shape (rows, points)."""
    parameters: tuple[float, ...]
    """`FIXED`, then `PARAMETERS`."""
    singles: tuple[tuple[str, Array], ...]
    """Name and values of what single sweeps gave, if they are to be saved too."""

    def parameter(self, name: str) -> float:
        """Return one parameter by its name."""
        return self.parameters[(*FIXED, *PARAMETERS).index(name)]


class Sweep:
    """Takes spectra.

    Parameters
    ----------
    world : World
    output : BiasOutput
    signals : Signals
    lock_in : Demodulators
    settings : SweepSettings
    """

    def __init__(
        self,
        world: World,
        output: BiasOutput,
        signals: Signals,
        lock_in: Demodulators,
        settings: SweepSettings,
    ) -> None:
        self._world = world
        self._tip = world.tip
        self._output = output
        self._signals = signals
        self._lock_in = lock_in
        self._settings = settings

    def steps(self) -> Steps[SpectrumData]:
        """Take one spectrum with the settings of the moment; stopped early, restore everything."""
        # what another client sets meanwhile counts for the next spectrum
        now = type(self)(
            self._world, self._output, self._signals, self._lock_in, deepcopy(self._settings)
        )
        return (yield from now._steps())

    def _steps(self) -> Steps[SpectrumData]:
        s = self._settings
        segments = s.sweep()
        require(bool(segments), "The sweep has no segments")
        dwells = [segment.settling + segment.integration for segment in segments]
        require(min(dwells) > 0, "Settling and integration time are both zero")
        restore = _Restore(self._world, self._output, s)
        alone = s.run_lock_in and not self._lock_in.modulators[0].on
        try:
            yield from self._alternate_setpoint()
            yield s.z_averaging
            z = self._tip.z(self._world.clock.now())
            self._hold(z)
            if alone:
                self._lock_in.modulators[0].on = True
                self._lock_in.apply()
            passes = []
            for number in range(s.sweeps):
                if number and s.z_control > 0 and s.hold and restore.feedback:
                    yield from self._regulate(restore)
                passes.append((yield from self._one_sweep(segments)))
            yield s.end_settling
        finally:
            if alone:
                self._lock_in.modulators[0].on = False
                self._lock_in.apply()
            duration = restore.begin()
        yield duration
        if s.record_final_z:
            yield s.z_averaging
        return self._data(segments, passes, z)

    def _alternate_setpoint(self) -> Steps[None]:
        on, setpoint, settling = self._settings.alternate_setpoint
        if on and self._tip.feedback_on:
            self._tip.set_setpoint(setpoint)
            yield settling

    def _hold(self, z: float) -> None:
        s = self._settings
        if s.hold:
            self._tip.hold()
        if s.z_offset:
            require(not self._tip.feedback_on, "A Z offset needs the Z-Controller on hold")
            low, high = self._tip.travel.range
            require(low <= z + s.z_offset <= high, f"Z offset out of range: {s.z_offset:g} m")
            self._tip.set_z(z + s.z_offset)

    def _regulate(self, restore: _Restore) -> Steps[None]:
        """Let the feedback find the height again between two sweeps."""
        yield restore.begin()
        yield self._settings.z_control
        restore.again()
        self._hold(self._tip.z(self._world.clock.now()))

    def _one_sweep(self, segments: list[Segment]) -> Steps[Array]:
        """Sweep once; return the channels there and back, shape (rows, points)."""
        there = yield from self._one_way(segments)
        if not self._settings.backward:
            return there
        yield self._settings.end_settling
        reversed_way = [
            Segment(s.end, s.start, s.points, s.initial_settling, s.settling, s.integration)
            for s in reversed(segments)
        ]
        back = yield from self._one_way(reversed_way)
        return np.concatenate([there, back[:, ::-1]])

    def _one_way(self, segments: list[Segment]) -> Steps[Array]:
        parts = []
        for segment in segments:
            yield self._output.ramp(segment.start, self._settings.slew_rate)
            if self._settings.lock_in_per_segment and self._settings.segmented:
                self._lock_in.modulators[0].on = segment.lock_in
                self._lock_in.apply()
            yield segment.initial_settling
            dwell = segment.settling + segment.integration
            dwells = np.full(segment.points, dwell)
            values = np.linspace(segment.start, segment.end, segment.points)
            begins = self._output.staircase(values, dwells)
            averaging = segment.integration or segment.settling
            for first in range(0, segment.points, AT_ONCE):
                some = begins[first : first + AT_ONCE]
                yield len(some) * dwell
                middles = some + dwell - averaging / 2
                parts.append(self._record(middles, averaging))
        return np.concatenate(parts, axis=1)

    def _record(self, times: Array, averaging: float) -> Array:
        channels = self._settings.channels
        return np.array([self._signals.samples(c, times, averaging) for c in channels])

    def _data(self, segments: list[Segment], passes: list[Array], z: float) -> SpectrumData:
        s = self._settings
        bias = np.concatenate([np.linspace(p.start, p.end, p.points) for p in segments])
        channels = [NAMES[channel] for channel in s.channels]
        ways = ["", " [bwd]"] if s.backward else [""]
        mark = " [AVG]" if s.sweeps > 1 else ""
        names = [_marked(name, mark + way) for way in ways for name in channels]
        singles = [
            (_marked(name, f" [{number:05d}]{way}"), row)
            for number, table in enumerate(passes, 1)
            for (way, name), row in zip(
                ((way, name) for way in ways for name in channels), table, strict=True
            )
        ]
        x, y = self._tip.position
        final = self._tip.z(self._world.clock.now()) if s.record_final_z else float("nan")
        timing = (segments[0].settling, segments[0].integration)
        return SpectrumData(
            ("Bias calc (V)", *names),
            np.vstack([bias, np.mean(passes, axis=0)]),
            (bias[0], bias[-1], x, y, z, s.z_offset, *timing, float(s.hold), final),
            tuple(singles) if s.save_all and s.sweeps > 1 else (),
        )


class _Restore:
    """Brings bias, set-point, height and feedback back to what they were."""

    def __init__(self, world: World, output: BiasOutput, settings: SweepSettings) -> None:
        self._world = world
        self._tip = world.tip
        self._output = output
        self._settings = settings
        self._bias = output.volts
        self._setpoint = world.tip.setpoint
        self._z = world.tip.z(world.clock.now())
        self._later = Later(world.clock)
        self._withdrawals = world.tip.withdrawals
        self.feedback = world.tip.feedback_on

    def begin(self) -> float:
        """Ramp the bias back, then do the rest; return how long that takes, s."""
        reset = self._settings.reset_bias
        duration = self._output.ramp(self._bias, self._settings.slew_rate) if reset else 0.0
        self._later.do(duration, self._rest)
        return duration

    def again(self) -> None:
        """Forget the height: the feedback has found a new one."""
        self._z = self._tip.z(self._world.clock.now())

    def _rest(self) -> None:
        if self._tip.withdrawals != self._withdrawals:
            return  # somebody pulled the tip back meanwhile: it stays there
        if self._tip.setpoint != self._setpoint:
            self._tip.set_setpoint(self._setpoint)
        if self.feedback:
            self._tip.release()
        elif self._settings.z_offset:
            self._tip.set_z(self._z)


def _marked(name: str, mark: str) -> str:
    """Put a mark between name and unit: ``Current [bwd] (A)``."""
    stem, _, unit = name.rpartition(" (")
    return f"{stem}{mark} ({unit}"
