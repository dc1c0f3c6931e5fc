"""Experiments on patterns of points: grid, line and cloud of the simulated controller."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from sim.devices.nanonis_files import SessionFolder
from sim.devices.nanonis_modules import FollowMe
from sim.devices.nanonis_output import BiasOutput
from sim.devices.nanonis_process import BUSY, Process, Steps
from sim.devices.nanonis_refusal import Values, require
from sim.devices.nanonis_scan import Scan
from sim.devices.nanonis_scan_module import XY_RANGE
from sim.devices.nanonis_signals import CURRENT, Signals, Z
from sim.devices.nanonis_sweep import FIXED, PARAMETERS, SpectrumData, Sweep, SweepSettings
from sim.waveform import Array
from sim.world import World
from stm_daq.protocols.nanonis_files import GridFile

ASCII, BINARY = "Bias Spectroscopy ASCII", "Bias Spectroscopy BINARY"
EXPERIMENTS = (ASCII, BINARY)
GRID, LINE, CLOUD = 1, 2, 3
SCAN_PARAMETERS = ("Scan:Current (A)", "Scan:Z (m)")
"""Measured at every point before the spectrum, with feedback."""
MOST_POINTS = 1 << 20
PAUSE_POLL = 0.1


@dataclass
class Patterns:
    """What a client may set; lengths in m, angle in degrees clockwise."""

    active: int = GRID
    grid: tuple[int, int] = (10, 10)
    """Columns, rows."""
    frame: tuple[float, float, float, float, float] = (0.0, 0.0, 100e-9, 100e-9, 0.0)
    """Centre x, y, width, height, angle of the grid."""
    line: tuple[int, float, float, float, float] = (10, 0.0, 0.0, 100e-9, 0.0)
    """Number of points, first and last point."""
    cloud: Array = field(default_factory=lambda: np.zeros((2, 0)))
    """x and y of the points."""
    experiment: str = BINARY
    base_name: str = "Grid Spectroscopy"
    vi_path: str = ""
    delay: float = 0.0
    save_scan: bool = True

    def shape(self) -> tuple[int, int]:
        """Return rows and columns of the active pattern; a line or cloud is one row."""
        if self.active == GRID:
            return self.grid[1], self.grid[0]
        return 1, self.line[0] if self.active == LINE else self.cloud.shape[1]

    def places(self) -> Array:
        """Return x and y of the points of the active pattern, shape (2, n), bottom row first."""
        if self.active == CLOUD:
            return self.cloud
        if self.active == LINE:
            count, x1, y1, x2, y2 = self.line
            return np.array([np.linspace(x1, x2, count), np.linspace(y1, y2, count)])
        columns, rows = self.grid
        x, y, width, height, angle = self.frame
        u, v = np.meshgrid(
            ((np.arange(columns) + 0.5) / columns - 0.5) * width,
            ((np.arange(rows) + 0.5) / rows - 0.5) * height,
        )
        turn = math.radians(-angle)  # as Nanonis counts: clockwise
        cos, sin = math.cos(turn), math.sin(turn)
        return np.array([x + u * cos - v * sin, y + u * sin + v * cos]).reshape(2, -1)


class PatternModule:
    """Commands ``Pattern.*``; see :mod:`sim.devices.nanonis_modules` for the convention."""

    def __init__(
        self,
        world: World,
        output: BiasOutput,
        signals: Signals,
        scan: Scan,
        follow: FollowMe,
        experiment: Process,
        sweep: Sweep,
        settings: SweepSettings,
        folder: SessionFolder,
    ) -> None:
        self._world = world
        self._output = output
        self._signals = signals
        self._scan = scan
        self._follow = follow
        self._sweep = sweep
        self._settings = settings
        self._folder = folder
        self._patterns = Patterns()
        self._process = experiment
        self._open = False
        self._paused = False

    # -- the experiment -----------------------------------------------------------------------

    def exp_open(self) -> Values:
        self._open = True
        return ()

    def exp_start(self, pattern: int) -> Values:
        require(self._open, "The experiment has not been configured yet; open it first")
        require(not self._process.running, BUSY)
        require(not self._scan.running, "Stop the scan before starting an experiment")
        require(pattern <= CLOUD, f"Pattern {pattern}: 1 grid, 2 line, 3 cloud")
        self._patterns.active = pattern or self._patterns.active
        require(math.prod(self._patterns.shape()) > 0, "The pattern has no points")
        self._paused = False
        self._process.start(self._run())
        require(not self._process.problem, self._process.problem)
        return ()

    def exp_pause(self, pause: int) -> Values:
        self._paused = bool(pause)
        return ()

    def exp_stop(self) -> Values:
        self._process.stop()
        return ()

    def exp_status_get(self) -> Values:
        return (int(self._process.running),)

    def _run(self) -> Steps[None]:
        p = self._patterns
        tip = self._world.tip
        writer = None
        start = self._world.clock.wall()
        for x, y in p.places().T:
            while self._paused:
                yield PAUSE_POLL
            yield math.dist(tip.position, (x, y)) / self._follow.speed
            tip.move_to(float(x), float(y))
            yield p.delay
            scanned = [self._signals.value(signal) for signal in (CURRENT, Z)]
            spectrum = yield from self._sweep.steps()
            if p.experiment == ASCII:
                self._folder.save_spectrum(p.base_name, spectrum)
                continue
            if writer is None:
                writer = self._folder.new_grid(p.base_name, self._describe(spectrum, start))
            if writer is not None:
                scanned = scanned if p.save_scan else []
                writer.add([*spectrum.parameters, *scanned], spectrum.table[1:])
        if writer is not None:
            writer.finish(self._world.clock.wall())

    def _describe(self, spectrum: SpectrumData, start: float) -> GridFile:
        p = self._patterns
        return GridFile(
            shape=p.shape(),
            frame=p.frame if p.active == GRID else (0.0, 0.0, 0.0, 0.0, 0.0),
            fixed=FIXED,
            parameters=(*PARAMETERS, *(SCAN_PARAMETERS if p.save_scan else ())),
            points=spectrum.table.shape[1],
            channels=spectrum.names[1:],
            segmented=self._settings.segmented,
            delay=p.delay,
            start=start,
            bias=self._output.volts,
        )

    # -- where and what -----------------------------------------------------------------------

    def grid_set(
        self, activate: int, columns: int, rows: int, use_scan_frame: int, *frame: float
    ) -> Values:
        require(columns > 0 and rows > 0, f"Grid of {columns} x {rows} points")
        require(columns * rows <= MOST_POINTS, f"Grid of {columns} x {rows} points")
        if use_scan_frame:
            s = self._scan.settings
            frame = (s.x, s.y, s.width, s.height, s.angle)
        x, y, width, height, angle = frame
        _require_inside(x, y)
        sizes = 0 <= width <= 2 * XY_RANGE and 0 <= height <= 2 * XY_RANGE and abs(angle) <= 360
        require(sizes, f"Grid frame of {width:g} m x {height:g} m at {angle:g} degrees")
        self._patterns.grid, self._patterns.frame = (columns, rows), (x, y, width, height, angle)
        self._activate(activate, GRID)
        return ()

    def grid_get(self) -> Values:
        return *self._patterns.grid, *self._patterns.frame

    def line_set(self, activate: int, points: int, use_scan_frame: int, *ends: float) -> Values:
        require(0 < points <= MOST_POINTS, f"Line of {points} points")
        if use_scan_frame:
            diagonal = Patterns(grid=(2, 2), frame=self._diagonal()).places()
            ends = (*diagonal[:, 0], *diagonal[:, 3])
        x1, y1, x2, y2 = ends
        _require_inside(x1, y1)
        _require_inside(x2, y2)
        self._patterns.line = (points, x1, y1, x2, y2)
        self._activate(activate, LINE)
        return ()

    def line_get(self) -> Values:
        return self._patterns.line

    def cloud_set(self, activate: int, points: int, x: Array, y: Array) -> Values:
        for place in zip(x, y, strict=True):
            _require_inside(*place)
        self._patterns.cloud = np.array([x, y], dtype=np.float64)
        self._activate(activate, CLOUD)
        return ()

    def cloud_get(self) -> Values:
        x, y = self._patterns.cloud
        return len(x), x, y

    def props_set(
        self, experiment: str, base_name: str, vi_path: str, delay: float, save_scan: int
    ) -> Values:
        known = ", ".join(EXPERIMENTS)
        chosen = experiment or self._patterns.experiment
        require(chosen in EXPERIMENTS, f"The twin has no experiment {experiment!r}; it has {known}")
        require(0 <= delay <= 1e4, f"Delay out of range: {delay:g} s")
        p = self._patterns
        p.experiment, p.base_name = chosen, base_name or p.base_name
        p.vi_path, p.delay, p.save_scan = vi_path, delay, bool(save_scan)
        return ()

    def props_get(self) -> Values:
        p = self._patterns
        return EXPERIMENTS, p.experiment, p.vi_path, p.delay, int(p.save_scan)

    def _activate(self, activate: int, pattern: int) -> None:
        if activate:
            self._patterns.active = pattern

    def _diagonal(self) -> tuple[float, float, float, float, float]:
        """Return a frame twice as large as the scan's: four points of it are the scan's corners."""
        s = self._scan.settings
        return s.x, s.y, 2 * s.width, 2 * s.height, s.angle


def _require_inside(x: float, y: float) -> None:
    inside = abs(x) <= XY_RANGE and abs(y) <= XY_RANGE
    require(inside, f"Point out of range: {x:g} m, {y:g} m")
