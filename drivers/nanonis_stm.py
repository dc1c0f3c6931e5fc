"""A Nanonis controller in the role of the station's STM controller."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from drivers.nanonis_connection import ConnectionLostError
from drivers.nanonis_height import AT_LIMIT, NanonisHeight
from drivers.nanonis_scan import NanonisScan, require_columns
from stm_daq.clock import Clock, wait_until
from stm_daq.errors import DeadlineError, FeedbackError, InstrumentError, LoopFoundOpenError
from stm_daq.quantities import show
from stm_daq.records import Array, Frame
from stm_daq.station.limits import Limits, extent
from stm_daq.station.roles import DriftCompensation, Finding, PlanNeeds, never, refusal

if TYPE_CHECKING:
    from drivers.nanonis import NanonisController

log = logging.getLogger(__name__)

CURRENT, Z = "Current (A)", "Z (m)"
FEEDBACK_DEADLINE = 2.0
"""Time within which the controller must confirm that the loop is open or closed, s."""
FEEDBACK_POLL = 0.02
SAFE_TIP = 5
"""Status of the z controller after the safe tip has tripped."""
FRESH = 1.0
"""So long after it was read the state of the loop is believed when the tip is to move, s."""
FOUND_OPEN = (
    "the feedback was found off although nobody here switched it off: the safe tip has tripped, or "
    "somebody works at the controller"
)
SIGNAL_TIME = 0.5
"""Longest time that two acquisition periods of the signals may last, s."""


class NanonisStm:
    """Tip, feedback and topograph of a Nanonis controller.

    The controller's own bias output is not touched: in this station the bias comes from elsewhere.

    Parameters
    ----------
    instrument : NanonisController
    limits : Limits
    clock : Clock
    """

    def __init__(self, instrument: NanonisController, limits: Limits, clock: Clock) -> None:
        self._nanonis = instrument
        self._limits = limits
        self._clock = clock
        self._scan = NanonisScan(instrument, clock, instrument.signal(Z))
        self._channels = (instrument.signal(Z), instrument.signal(CURRENT))
        self._height = NanonisHeight(instrument, limits.z)
        self._loop_closed: bool | None = None
        """None: not known. False after a hold until the loop is seen closed again."""
        self._seen_closed = -math.inf
        """When the loop was read to be closed, clock's s."""
        self._position: tuple[float, float] | None = None
        self._connections = instrument.connections
        for setting in (instrument.switch_off_delay, instrument.follow_speed):
            setting.get()  # kept from here on, so that a site costs no extra transactions

    @staticmethod
    def check(
        options: Mapping[str, Any], limits: Limits, needs: PlanNeeds | None
    ) -> Iterator[Finding]:
        """Yield what the controller cannot do; see :mod:`stm_daq.station.roles`."""
        if needs is not None and needs.columns > 0:
            yield from refusal("sites.grid.topograph.columns", require_columns, needs.columns)

    # -- position -----------------------------------------------------------------------------

    def position(self) -> tuple[float, float]:
        """Return the tip position (x, y), m."""
        x, y = self._nanonis.call("FolMe.XYPosGet", 1, duration=SIGNAL_TIME)
        return float(x), float(y)

    def move_to(self, x: float, y: float) -> None:
        """Move the tip to (x, y), m, and return when it has arrived.

        Raises
        ------
        FeedbackError
            If the loop was held and not seen closed since; nothing is sent then.
        """
        self._limits.x.require(x, "position x")
        self._limits.y.require(y, "position y")
        self._require_feedback()
        start = self._position if self._position is not None else self.position()
        self._position = None
        duration = math.dist(start, (x, y)) / self._nanonis.follow_speed.cache.get()
        self._nanonis.call("FolMe.XYPosSet", x, y, 1, duration=duration)
        self._position = (x, y)

    # -- feedback -----------------------------------------------------------------------------

    def feedback_on(self) -> bool:
        """Read from the controller whether the feedback loop is closed."""
        on = bool(self._nanonis.call("ZCtrl.OnOffGet")[0])
        if on:
            self._saw_closed()
        elif self._loop_closed:
            self._loop_closed = False
        return on

    def hold(self) -> None:
        """Open the feedback loop and return when the controller confirms it."""
        self._switch(False)

    def release(self) -> None:
        """Close the feedback loop and return when the controller confirms it."""
        self._switch(True)

    def _switch(self, on: bool) -> None:
        self._loop_closed = False
        for _ in range(2):
            lost = not self._order(on)
            delay = 0.0 if on else float(self._nanonis.switch_off_delay.cache.get())
            self._clock.sleep(delay)
            try:
                self._await_feedback(on)
            except DeadlineError:
                if lost:  # the order never arrived: its state was read back, so it may be repeated
                    continue
                raise
            if on:
                self._saw_closed()
            return
        raise FeedbackError(
            f"the feedback loop could not be {'closed' if on else 'opened'}: "
            "the connection broke twice"
        )

    def _saw_closed(self) -> None:
        self._loop_closed = True
        self._seen_closed = self._clock.now()

    def _order(self, on: bool) -> bool:
        """Send the order; return whether the controller acknowledged it."""
        try:
            self._nanonis.call("ZCtrl.OnOffSet", int(on))
        except ConnectionLostError as error:
            log.warning("%s; reading the state of the feedback back", error)
            return False
        return True

    def _await_feedback(self, on: bool) -> None:
        def reached() -> bool:
            return bool(self._nanonis.call("ZCtrl.OnOffGet")[0]) == on

        state = "on" if on else "off"
        what = f"the feedback did not switch {state}"
        wait_until(self._clock, reached, FEEDBACK_DEADLINE, FEEDBACK_POLL, what)

    def _require_feedback(self) -> None:
        if self._connections != self._nanonis.connections:
            self._connections = self._nanonis.connections
            self._position = None
            if self._loop_closed:
                self._loop_closed = None
        was_closed = self._loop_closed
        if was_closed and self._clock.now() - self._seen_closed <= FRESH:
            return
        if was_closed is not False and not self.feedback_on() and was_closed:
            raise LoopFoundOpenError(FOUND_OPEN)
        if not self._loop_closed:
            raise FeedbackError(
                "the tip must not move sideways: the feedback was not seen on since it was held; "
                "close the loop first"
            )

    # -- readings and set-point ---------------------------------------------------------------

    def height_and_current(self) -> tuple[float, float]:
        """Return tip height z, m, and tunnelling current, A, from fresh samples.

        Raises
        ------
        InstrumentError
            If z is at or beyond the station's limits: there the feedback cannot follow.
        """
        (values,) = self._nanonis.call("Signals.ValsGet", self._channels, 1, duration=SIGNAL_TIME)
        if len(values) != 2 or not np.all(np.isfinite(values)):
            raise InstrumentError(f"the Nanonis controller read z and current as {values}")
        z, current = (float(value) for value in values)
        allowed = self._limits.z
        if not allowed.low + AT_LIMIT < z < allowed.high - AT_LIMIT:
            raise InstrumentError(
                f"the tip height of {show(z, 'm', 6)} is at or beyond the station's limits of z, "
                f"{show(allowed.low, 'm')} to {show(allowed.high, 'm')}; approach anew"
            )
        return z, current

    def set_setpoint(self, current: float) -> None:
        """Set the feedback's current set-point, A.

        Before it has to do anything, the controller gets the station's limits of z, unless it has
        narrower ones.
        """
        self._limits.setpoint_current.require(current, "set-point current")
        self._height.limit()
        self._nanonis.setpoint(current)
        found = self.setpoint()
        if abs(found - current) > 1e-5 * abs(current):
            raise InstrumentError(f"the set-point reads back {found:g} A instead of {current:g} A")

    def setpoint(self) -> float:
        """Read the feedback's current set-point, A."""
        return float(self._nanonis.setpoint())

    def withdraw(self) -> None:
        """Pull the tip back and leave it there, with the feedback off."""
        self._loop_closed = False
        high, _ = self._nanonis.call("ZCtrl.LimitsGet")
        (z,) = self._nanonis.call("ZCtrl.ZPosGet")
        duration = 1.0 + abs(high - z) / self._nanonis.withdraw_rate()
        self._nanonis.call("ZCtrl.Withdraw", 1, round(duration * 1e3), duration=duration)
        self._await_feedback(False)

    def z_range(self) -> tuple[float, float]:
        """Read between which heights, m, the tip may be: limits of station and controller."""
        return self._height.range()

    def offset_z(self, distance: float) -> None:
        """Move the held tip by `distance` (positive: away from the sample), m, and confirm it."""
        self._require_held()
        self._height.offset(distance)

    def move_z_to(self, z: float) -> None:
        """Bring the held tip to the height `z`, m, and confirm it."""
        self._require_held()
        self._height.move_to(z)

    def _require_held(self) -> None:
        if self.feedback_on():
            raise FeedbackError("the height can be set only while the feedback is held")

    # -- what the controller does by itself ---------------------------------------------------

    def safe_tip_tripped(self) -> bool:
        """Read whether the controller has withdrawn the tip because the current grew too large."""
        return bool(self._nanonis.call("ZCtrl.StatusGet")[0] == SAFE_TIP)

    def drift_compensation(self) -> DriftCompensation:
        """Read what the controller does against drift."""
        on, x, y, z, *saturated, _ = self._nanonis.call("Piezo.DriftCompGet")
        return DriftCompensation(bool(on), (x, y, z), any(saturated))

    def set_drift_compensation(self, velocity: tuple[float, float, float]) -> None:
        """Move the piezos steadily along x, y, z (m/s) and confirm it; three zeros switch it off.

        Raises
        ------
        InstrumentError
            If the controller does not do so.
        """
        on = any(velocity)
        limit = self._nanonis.call("Piezo.DriftCompGet")[-1]
        self._nanonis.call("Piezo.DriftCompSet", 1 if on else 2, *velocity, limit)
        found = self.drift_compensation()
        if found.on != on or not np.allclose(found.velocity, velocity, rtol=1e-6, atol=1e-18):
            raise InstrumentError(f"the drift compensation reads back {found}")

    # -- topograph ----------------------------------------------------------------------------

    def prepare_scan(self, frame: Frame, columns: int, rows: int, line_time: float) -> None:
        """Set frame, pixels and seconds per line (each way); the scan goes from the bottom up.

        Raises
        ------
        OutOfRangeError
            If the controller cannot have as many columns, or the frame leaves the station's limits
            of x or y; nothing is sent then.
        InstrumentError
            If the tip stands outside the limits of z, or the controller does not take them.
        """
        require_columns(columns)
        for allowed, ends in zip((self._limits.x, self._limits.y), extent(frame), strict=True):
            for end in ends:
                allowed.require(end, "a corner of the frame")
        self.height_and_current()
        self._scan.prepare(frame, columns, rows, line_time)

    def scan_rows(self, count: int, stop: Callable[[], bool] = never) -> bool:
        """Start or continue the scan, return when `count` more rows are recorded, then pause it.

        After every row `stop` is asked whether to end the scan instead; returns whether it did not.

        Raises
        ------
        LoopFoundOpenError
            If the feedback is off afterwards: the rows are not to be trusted.
        """
        self._require_feedback()
        self._position = None
        whole = self._scan.rows(count, stop)
        if not self.feedback_on():
            raise LoopFoundOpenError(FOUND_OPEN)
        return whole

    def scan_data(self) -> Array:
        """Return z (m) of the frame, shape (rows, columns), row 0 at the bottom; NaN = not yet."""
        return self._scan.data()

    def stop_scan(self) -> None:
        """End the topograph; the tip stays where it is, with feedback."""
        self._position = None
        self._scan.stop()
