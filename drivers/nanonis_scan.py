"""The topograph of a Nanonis controller, scanned a few rows at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.clock import Clock, wait_until
from stm_daq.errors import DeadlineError, InstrumentError, OutOfRangeError
from stm_daq.protocols.nanonis_frame import nanonis_frame
from stm_daq.records import Array, Frame
from stm_daq.station.roles import never

if TYPE_CHECKING:
    from drivers.nanonis import NanonisController

PIXEL_PACKET = 16
"""The controller rounds the pixels of a line to a multiple of this."""
START, STOP, PAUSE, RESUME = range(4)
UP = 1
FORWARD_DATA = 1
END_OF_BACKWARD = 1
OFF, AUTOSAVE_OFF, NO_CHANGE, KEEP_TIME = 2, 3, 0, 2
STOP_DEADLINE, STOP_POLL = 5.0, 0.05
"""s."""
MARGIN = 10.0
"""Extra time for a line: the way back to the scan after a pause, s."""


def require_columns(columns: int) -> None:
    """Refuse what the controller would round, OutOfRangeError."""
    if columns % PIXEL_PACKET or columns <= 0:
        raise OutOfRangeError(
            f"{columns} columns: Nanonis needs a multiple of {PIXEL_PACKET}; nothing was sent"
        )


class NanonisScan:
    """Scans a frame from the bottom up; between calls the scan is paused.

    Parameters
    ----------
    instrument : NanonisController
    clock : Clock
    channel : int
        Number of the signal that is recorded.
    """

    def __init__(self, instrument: NanonisController, clock: Clock, channel: int) -> None:
        self._nanonis = instrument
        self._clock = clock
        self._channel = channel
        self._shape = (0, 0)
        self._line_time = 0.0
        self._rows_done = 0
        self._started = False

    def prepare(self, frame: Frame, columns: int, rows: int, line_time: float) -> None:
        """Set the scan up and read it back.

        Raises
        ------
        OutOfRangeError
            If the controller cannot have as many columns.
        InstrumentError
            If it took other values than it was given.
        """
        require_columns(columns)
        call = self._nanonis.call
        self.stop()
        call("Scan.PropsSet", OFF, OFF, AUTOSAVE_OFF, "", "", (), NO_CHANGE)
        wanted = nanonis_frame(*astuple(frame))
        call("Scan.FrameSet", *wanted)
        call("Scan.BufferSet", (self._channel,), columns, rows)
        speed = frame.width / line_time
        call("Scan.SpeedSet", speed, speed, line_time, line_time, KEEP_TIME, 1.0)
        self._check("frame", call("Scan.FrameGet"), wanted)
        self._check("pixels", call("Scan.BufferGet")[1:], (columns, rows))
        self._check("times per line", call("Scan.SpeedGet")[2:4], (line_time, line_time))
        self._shape, self._line_time = (rows, columns), line_time
        self._rows_done, self._started = 0, False

    def rows(self, count: int, stop: Callable[[], bool] = never) -> bool:
        """Scan `count` more rows, forward and back, then pause; return whether all were scanned.

        After every row `stop` is asked whether to end the scan.

        Raises
        ------
        DeadlineError
            If the rows do not get done in time.
        """
        target = self._rows_done + count
        if target > self._shape[0]:
            raise InstrumentError(
                f"{count} more rows asked, but only {self._shape[0] - self._rows_done} are left"
            )
        self._nanonis.call("Scan.Action", RESUME if self._started else START, UP, duration=MARGIN)
        self._started = True
        deadline = self._clock.now() + 2 * self._line_time * (count + 1) + MARGIN
        while not self._row_ended(target):
            if self._clock.now() >= deadline:
                raise DeadlineError(f"row {target} of the topograph was not scanned in time")
            if stop():
                self.stop()
                return False
        if target < self._shape[0]:
            self._nanonis.call("Scan.Action", PAUSE, UP)
        self._rows_done = target
        return True

    def data(self) -> Array:
        """Return the signal on the way forward, shape (rows, columns), bottom of the frame first.

        The controller gives the top of the frame first, whatever the direction of the scan. It is
        asked until two replies agree: a damaged height would look like any other.

        Raises
        ------
        InstrumentError
            If no two of three replies agree, or the scan has other pixels than it was given.
        """
        first, second = self._grab(), self._grab()
        if np.array_equal(first, second, equal_nan=True):
            return first
        third = self._grab()
        if any(np.array_equal(third, other, equal_nan=True) for other in (first, second)):
            return third
        raise InstrumentError("three replies with the heights of the scan all differ")

    def _grab(self) -> Array:
        _, data, _ = self._nanonis.call("Scan.FrameDataGrab", self._channel, FORWARD_DATA)
        if data.shape != self._shape:
            raise InstrumentError(
                f"the scan has {data.shape[0]} x {data.shape[1]} pixels "
                f"instead of {self._shape[0]} x {self._shape[1]}"
            )
        bottom_up: Array = np.ascontiguousarray(data[::-1])
        return bottom_up

    def stop(self) -> None:
        """End the scan and return when the controller confirms it."""
        self._nanonis.call("Scan.Action", STOP, UP)
        self._started = False
        wait_until(
            self._clock,
            lambda: not self._nanonis.call("Scan.StatusGet")[0],
            STOP_DEADLINE,
            STOP_POLL,
            "the scan did not stop",
        )

    def _row_ended(self, target: int) -> bool:
        """Wait for the end of a movement and return whether row `target` (from 1) is done."""
        longest = self._line_time + MARGIN
        timed_out, line, movement, _ = self._nanonis.call(
            "Scan.WaitEndOfLine", round(longest * 1e3), duration=longest
        )
        if timed_out:
            raise DeadlineError(f"no line of the topograph was scanned within {longest:g} s")
        return bool(line > target or (line == target and movement == END_OF_BACKWARD))

    def _check(self, what: str, found: tuple[float, ...], wanted: tuple[float, ...]) -> None:
        scale = max(abs(value) for value in wanted)
        if not np.allclose(found, wanted, rtol=1e-5, atol=1e-6 * scale):
            raise InstrumentError(f"the {what} of the scan read back {found} instead of {wanted}")
