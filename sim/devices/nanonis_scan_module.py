"""The scan commands of the simulated controller."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.devices.nanonis_refusal import Values, require
from sim.devices.nanonis_scan import Scan
from sim.devices.nanonis_signals import NAMES, Signals, Z
from sim.world import World

START, STOP, PAUSE, RESUME = range(4)
ON, OFF = 1, 2
KEEP_SPEED, KEEP_TIME = 1, 2
UNSAVED = "twin: scan not saved"
"""Path of the finished scan; some clients take an empty one as a stopped scan."""


class ScanModule:
    """Commands ``Scan.*``; see :mod:`sim.devices.nanonis_modules` for the convention."""

    def __init__(self, world: World, signals: Signals, scan: Scan) -> None:
        self._clock = world.clock
        self._tip = world.tip
        self._signals = signals
        self._scan = scan

    def action(self, action: int, direction: int) -> Values:
        require(action in range(4), f"The twin does not know scan action {action}")
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
        require(width > 0 and height > 0, f"Frame of {width:g} m x {height:g} m")
        s = self._scan.settings
        s.x, s.y, s.width, s.height, s.angle = x, y, width, height, angle
        return ()

    def frame_get(self) -> Values:
        s = self._scan.settings
        return s.x, s.y, s.width, s.height, s.angle

    def buffer_set(self, channels: Sequence[int], pixels: int, lines: int) -> Values:
        require(not self._scan.active, "Stop the scan before changing the buffer")
        known = all(0 <= channel < len(NAMES) for channel in channels)
        require(known, f"Signal numbers run from 0 to {len(NAMES) - 1}")
        require(pixels > 0 and lines > 0, f"{pixels} pixels x {lines} lines")
        self._scan.settings.channels = tuple(int(channel) for channel in channels)
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
        if continuous:
            self._scan.settings.continuous = continuous == ON
        return ()

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
        require(forward_time > 0 and backward_time > 0, "Times per line must be positive")
        s.forward_time, s.backward_time = forward_time, backward_time
        return ()

    def speed_get(self) -> Values:
        s = self._scan.settings
        forward, backward = s.speed, s.width / s.backward_time
        return forward, backward, s.forward_time, s.backward_time, 1, backward / forward

    def frame_data_grab(self, channel: int, direction: int) -> Values:
        s = self._scan.settings
        require(channel in s.channels, f"Signal {channel} is not in the scan buffer")
        require(channel == Z, f"The twin records {NAMES[Z]} only")
        return NAMES[Z], self._scan.data(forward=direction == 1), int(s.upwards)

    def wait_end_of_line(self, timeout_ms: int) -> Values:
        end = self._scan.next_line_end()
        if end is None or not self._pass(self._scan.time_until(end), timeout_ms):
            return 1, 0, 0, 0
        return 0, end.line, end.movement, 1

    def wait_end_of_scan(self, timeout_ms: int) -> Values:
        if self._scan.running and not self._pass(self._scan.remaining(), timeout_ms):
            return 1, ""
        return 0, UNSAVED

    def xy_pos_get(self, wait_for_newest: int) -> Values:
        if wait_for_newest:
            self._signals.wait_for_newest()
        return self._tip.position

    def _pass(self, seconds: float, timeout_ms: int) -> bool:
        """Let `seconds` pass, but not more than the time-out; tell whether all of it did."""
        longest = np.inf if timeout_ms < 0 else timeout_ms * 1e-3
        self._clock.sleep(min(seconds, longest))
        self._scan.catch_up()
        return bool(seconds <= longest)
