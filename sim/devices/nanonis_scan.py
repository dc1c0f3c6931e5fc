"""The simulated controller's scan: the tip rasters a frame while time passes.

Nothing happens between requests: whenever the controller is asked something, the scan catches up
with the clock, line by line.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.devices.nanonis_images import LineRecorder
from sim.world import World
from stm_daq.clock import RealClock

type Array = NDArray[np.float64]

PIXEL_PACKET = 16
"""Pixels per line are coerced to a multiple of this."""
ROUNDING = 1e-9
"""Times that differ by less are the same, s."""
FORWARD, BACKWARD, TO_START = 0, 1, 3


@dataclass
class ScanSettings:
    """What a client may set; lengths in m, times in s, angle in degrees clockwise."""

    x: float = 0.0
    y: float = 0.0
    width: float = 100e-9
    height: float = 100e-9
    angle: float = 0.0
    channels: tuple[int, ...] = (0, 30)
    pixels: int = 256
    lines: int = 256
    forward_time: float = 1.0
    backward_time: float = 1.0
    continuous: bool = False
    upwards: bool = True

    @property
    def speed(self) -> float:
        """Forward speed, m/s."""
        return self.width / self.forward_time


@dataclass(frozen=True)
class LineEnd:
    """End of one movement of the scan."""

    time: float
    """Scan time at which it is reached, s."""
    line: int
    """From 1; -1 for the move to the start."""
    movement: int


class Scan:
    """The scan engine; signals are recorded forward and backward.

    Scan time runs only while the scan does: a pause stops it, and the tip comes back to where the
    scan was when it goes on.

    Parameters
    ----------
    world : World
    recorder : LineRecorder
    """

    def __init__(self, world: World, recorder: LineRecorder) -> None:
        self._world = world
        self._recorder = recorder
        self.frame_done: Callable[[], None] = lambda: None
        """Called when the last line of a frame is recorded."""
        self.budget = math.inf
        """Real time that one look may take, s; a scan that needs more lags behind the clock."""
        self._real = RealClock()
        self._rest_until = 0.0
        self.started = 0.0
        """World time at which the frame was begun, s."""
        self.settings = ScanSettings()
        self.running = False
        self.active = False
        """True from the start until the last line is done or the scan is stopped (also in pauses)."""
        self._progress = 0.0
        self._caught_up = 0.0
        self._lead = 0.0
        self._recorded = 0
        self._blank()

    # -- commands -----------------------------------------------------------------------------

    def start(self, upwards: bool) -> None:
        """Begin the frame anew."""
        self.settings.upwards = upwards
        self._blank()
        self._progress, self._recorded = 0.0, 0
        self.started = self._world.clock.now()
        self._lead = self._travel_time(*self._place(0.0, 0))
        self.active = self.running = True
        self._caught_up = self._world.clock.now()

    def stop(self) -> None:
        """End the scan; the tip stays where it is."""
        self.active = self.running = False

    def pause(self) -> None:
        """Let the tip stay; scan time stands still."""
        self.running = False

    def resume(self) -> None:
        """Go back to where the scan was and go on."""
        if self.active and not self.running:
            x, y = self._where()
            self._world.clock.sleep(self._travel_time(x, y))
            self._go_on(x, y)

    def _go_on(self, x: float, y: float) -> None:
        if self.active:  # unless somebody has stopped it meanwhile
            self._world.tip.move_to(x, y)
            self.running = True
            self._caught_up = self._world.clock.now()

    def resize(self, pixels: int, lines: int) -> None:
        """Set the number of pixels (coerced as the controller does) and lines; data are lost."""
        self.settings.pixels = max(PIXEL_PACKET, round(pixels / PIXEL_PACKET) * PIXEL_PACKET)
        self.settings.lines = max(1, lines)
        self._blank()

    def catch_up(self) -> None:
        """Do what the scan has done since the last look."""
        began = self._real.now()
        if not self.running or began < self._rest_until:
            return
        now = self._world.clock.now()
        offset = now - self._caught_up
        self._progress += offset
        while self.running and self._progress >= self._end_of(self._recorded) - ROUNDING:
            if self._real.now() - began > self.budget:
                self._progress = self._start_of(self._recorded)
                self._rest_until = 2 * self._real.now() - began  # the others' turn for as long
                break
            self._record_line(now - (self._progress - self._start_of(self._recorded)))
            self._recorded += 1
            if self._recorded == self.settings.lines:
                self._finish_frame()
        self._caught_up = now
        self._world.tip.move_to(*self._where())

    def next_line_end(self) -> LineEnd | None:
        """Return the end of the movement in progress; None if the scan does not run."""
        if not self.running:
            return None
        if self._progress < self._lead:
            return LineEnd(self._lead, -1, TO_START)
        forward = self._start_of(self._recorded) + self.settings.forward_time
        if self._progress < forward:
            return LineEnd(forward, self._recorded + 1, FORWARD)
        return LineEnd(self._end_of(self._recorded), self._recorded + 1, BACKWARD)

    def time_until(self, end: LineEnd) -> float:
        """Return how long the scan needs until `end`, s."""
        return end.time - self._progress

    def remaining(self) -> float:
        """Return how long the running scan needs until the last line is done, s."""
        return self._end_of(self.settings.lines - 1) - self._progress

    def data(self, signal: int, forward: bool) -> Array:
        """Return a signal, shape (lines, pixels), top of the frame first; NaN where not scanned."""
        image: Array = self._images[signal][0 if forward else 1][::-1]
        return image

    def as_scanned(self) -> dict[int, Array]:
        """Return all signals, shape (2, lines, pixels): forward, backward; first line first."""
        ways = slice(None, None, 1 if self.settings.upwards else -1)
        return {signal: images[:, ways] for signal, images in self._images.items()}

    # -- inside -------------------------------------------------------------------------------

    def _blank(self) -> None:
        shape = (2, self.settings.lines, self.settings.pixels)
        self._images = {signal: np.full(shape, np.nan) for signal in self.settings.channels}

    def _start_of(self, line: int) -> float:
        return self._lead + line * (self.settings.forward_time + self.settings.backward_time)

    def _end_of(self, line: int) -> float:
        return self._start_of(line + 1)

    def _finish_frame(self) -> None:
        self.frame_done()
        if not self.settings.continuous:
            self.stop()
            return
        self._progress -= self._end_of(self.settings.lines - 1)
        self._lead, self._recorded = 0.0, 0

    def _row(self, line: int) -> int:
        """Row of the frame from the bottom."""
        return line if self.settings.upwards else self.settings.lines - 1 - line

    def _place(self, along: float | Array, line: int) -> tuple[float, float]:
        x, y = self._places(np.array([along]), line)
        return float(x[0]), float(y[0])

    def _places(self, along: Array, line: int) -> tuple[Array, Array]:
        """Positions at fractions `along` (0 left, 1 right) of a line, m."""
        s = self.settings
        u = (along - 0.5) * s.width
        v = ((self._row(line) + 0.5) / s.lines - 0.5) * s.height
        turn = math.radians(-s.angle)  # as Nanonis counts: clockwise
        cos, sin = math.cos(turn), math.sin(turn)
        return s.x + u * cos - v * sin, s.y + u * sin + v * cos

    def _where(self) -> tuple[float, float]:
        """Where the tip is at this scan time."""
        line = min(self._recorded, self.settings.lines - 1)
        into = self._progress - self._start_of(line)
        if into <= self.settings.forward_time:
            return self._place(max(into, 0.0) / self.settings.forward_time, line)
        back = (into - self.settings.forward_time) / self.settings.backward_time
        return self._place(max(1.0 - back, 0.0), line)

    def _travel_time(self, x: float, y: float) -> float:
        """Time to get to (x, y) at the forward scan speed, s."""
        here = self._world.tip.position
        return math.dist(here, (x, y)) / self.settings.speed

    def _record_line(self, started: float) -> None:
        """Record a line both ways whose forward movement began at world time `started`."""
        s = self.settings
        along = (np.arange(s.pixels) + 0.5) / s.pixels
        x, y = self._places(along, self._recorded)
        row = self._row(self._recorded)
        turned = started + s.forward_time
        there = started + along * s.forward_time
        back = turned + (1 - along) * s.backward_time
        for signal, images in self._images.items():
            for way, times, duration in ((0, there, s.forward_time), (1, back, s.backward_time)):
                images[way, row] = self._recorder.record(signal, x, y, times, duration / s.pixels)
