"""The scan commands of the simulated controller."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sim.devices.nanonis_files import SessionFolder
from sim.devices.nanonis_output import BiasOutput
from sim.devices.nanonis_process import BUSY, Process, sleep_while
from sim.devices.nanonis_refusal import Values, require
from sim.devices.nanonis_scan import Scan
from sim.devices.nanonis_signals import NAMES, Signals, require_signal
from sim.world import World
from stm_daq.protocols.nanonis_files import ScanFile

START, STOP, PAUSE, RESUME = range(4)
NO_CHANGE, ON, OFF = 0, 1, 2
KEEP_SPEED, KEEP_TIME = 1, 2
SAVE_ALL, SAVE_NEXT, SAVE_NONE = 1, 2, 3
UNSAVED = "twin: scan not saved"
"""Path of the finished scan where there is no folder; some clients take an empty one as a stopped
scan."""
XY_RANGE = 5e-6
"""Largest |x| and |y| of the piezos, m."""
MOST_PIXELS = 1024
"""Of a line."""
MOST_VALUES = 1 << 24
"""Pixels of all images that fit into the buffer."""
LINE_TIMES = (5e-3, 1e4)
"""s."""


class ScanModule:
    """Commands ``Scan.*``; see :mod:`sim.devices.nanonis_modules` for the convention."""

    def __init__(
        self,
        world: World,
        output: BiasOutput,
        signals: Signals,
        scan: Scan,
        experiment: Process,
        folder: SessionFolder,
    ) -> None:
        self._world = world
        self._clock = world.clock
        self._tip = world.tip
        self._output = output
        self._signals = signals
        self._scan = scan
        self._experiment = experiment
        self._folder = folder
        self._autosave = SAVE_ALL
        self._series, self._comment = "scan", ""
        self._frames = 0
        self._saved = ""
        scan.frame_done = self._frame_done

    def action(self, action: int, direction: int) -> Values:
        require(action in range(4), f"The twin does not know scan action {action}")
        require(action not in (START, RESUME) or not self._experiment.running, BUSY)
        if action == START:
            self._scan.start(upwards=direction == 1)
        elif action == STOP:
            self._scan.stop()
        elif action == PAUSE:
            self._scan.pause()
        else:
            self._scan.resume()
        return ()

    def status_get(self) -> Values:
        return (int(self._scan.running),)

    def frame_set(self, x: float, y: float, width: float, height: float, angle: float) -> Values:
        require(not self._scan.active, "Stop the scan before changing the frame")
        inside = 0 < width <= 2 * XY_RANGE and 0 < height <= 2 * XY_RANGE
        require(inside, f"Frame of {width:g} m x {height:g} m")
        require(abs(x) <= XY_RANGE and abs(y) <= XY_RANGE, f"Centre at {x:g} m, {y:g} m")
        require(abs(angle) <= 360, f"Angle out of range: {angle:g} degrees")
        s = self._scan.settings
        s.x, s.y, s.width, s.height, s.angle = x, y, width, height, angle
        return ()

    def frame_get(self) -> Values:
        s = self._scan.settings
        return s.x, s.y, s.width, s.height, s.angle

    def buffer_set(self, channels: Sequence[int], pixels: int, lines: int) -> Values:
        require(not self._scan.active, "Stop the scan before changing the buffer")
        for channel in channels:
            require_signal(channel)
        chosen = tuple(dict.fromkeys(int(channel) for channel in channels))
        sizes = 0 < pixels <= MOST_PIXELS and lines > 0
        require(sizes, f"{pixels} pixels x {lines} lines; a line has up to {MOST_PIXELS} pixels")
        fits = 0 < len(chosen) * pixels * lines <= MOST_VALUES
        require(fits, f"{len(chosen)} channels of {pixels} x {lines} do not fit into the buffer")
        self._scan.settings.channels = chosen
        self._scan.resize(pixels, lines)
        return ()

    def buffer_get(self) -> Values:
        s = self._scan.settings
        return s.channels, s.pixels, s.lines

    def props_set(
        self,
        continuous: int,
        bouncy: int,
        autosave: int,
        series_name: str,
        comment: str,
        modules: Sequence[str],
        autopaste: int,
    ) -> Values:
        require(bouncy != ON, "The twin cannot scan bouncily")
        require(autosave <= SAVE_NONE, f"Autosave {autosave}: 0 to 3")
        if continuous:
            self._scan.settings.continuous = continuous == ON
        self._autosave = autosave or self._autosave
        self._series = series_name or self._series
        self._comment = comment or self._comment
        return ()

    def props_get(self) -> Values:
        continuous = int(self._scan.settings.continuous)
        return continuous, 0, self._autosave - 1, self._series, self._comment, (), (), (), SAVE_NONE

    def speed_set(
        self,
        forward: float,
        backward: float,
        forward_time: float,
        backward_time: float,
        keep: int,
        ratio: float,
    ) -> Values:
        require(keep in (0, KEEP_SPEED, KEEP_TIME), f"Parameter to keep constant: {keep}")
        s = self._scan.settings
        if keep == KEEP_SPEED:
            require(forward > 0 and backward > 0, "Scan speeds must be positive")
            forward_time, backward_time = s.width / forward, s.width / backward
        shortest, longest = LINE_TIMES
        for time in (forward_time, backward_time):
            require(shortest <= time <= longest, f"Time per line out of range: {time:g} s")
        s.forward_time, s.backward_time = forward_time, backward_time
        return ()

    def speed_get(self) -> Values:
        s = self._scan.settings
        forward, backward = s.speed, s.width / s.backward_time
        return forward, backward, s.forward_time, s.backward_time, 1, backward / forward

    def frame_data_grab(self, channel: int, direction: int) -> Values:
        s = self._scan.settings
        require(channel in s.channels, f"Signal {channel} is not in the scan buffer")
        return NAMES[channel], self._scan.data(channel, direction == 1), int(s.upwards)

    def wait_end_of_line(self, timeout_ms: int) -> Values:
        end = self._scan.next_line_end()
        if end is None or not self._wait(lambda: self._scan.time_until(end), timeout_ms):
            return 1, 0, 0, 0
        return 0, end.line, end.movement, 1

    def wait_end_of_scan(self, timeout_ms: int) -> Values:
        frames = self._frames

        def left() -> float:
            return self._scan.remaining() if self._frames == frames else 0.0

        if not self._wait(left, timeout_ms):
            return 1, ""
        return 0, self._saved if self._folder.path else UNSAVED

    def xy_pos_get(self, wait_for_newest: int) -> Values:
        if wait_for_newest:
            self._signals.wait_for_newest()
        return self._tip.position

    def save(self, wait: int, timeout_ms: int) -> Values:
        self._save()
        return (0,)

    def _wait(self, left: Callable[[], float], timeout_ms: int) -> bool:
        """Let the scan go on while it has `left` seconds to go; False after the time-out."""

        def busy() -> float:
            self._scan.catch_up()
            return left() if self._scan.running else 0.0

        return sleep_while(self._clock, busy, np.inf if timeout_ms < 0 else timeout_ms * 1e-3)

    def _frame_done(self) -> None:
        self._frames += 1
        self._saved = ""
        if self._autosave in (SAVE_ALL, SAVE_NEXT):
            self._save()
        if self._autosave == SAVE_NEXT:
            self._autosave = SAVE_NONE

    def _save(self) -> None:
        s, now = self._scan.settings, self._clock.now()
        images = self._scan.as_scanned()
        self._saved = self._folder.save_scan(
            self._series,
            ScanFile(
                path="",
                series=self._series,
                comment=" ".join(self._comment.split()),
                start=self._clock.wall() - (now - self._scan.started),
                duration=now - self._scan.started,
                temperature=self._world.stage_temperature(now),
                frame=(s.x, s.y, s.width, s.height, s.angle),
                line_times=(s.forward_time, s.backward_time),
                upwards=s.upwards,
                bias=self._output.volts,
                setpoint=self._tip.setpoint,
                feedback=self._tip.feedback_on,
                images=[(NAMES[signal], there, back) for signal, (there, back) in images.items()],
            ),
        )
