"""How high the tip of a Nanonis controller may be, and moving it by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stm_daq.errors import InstrumentError
from stm_daq.quantities import show
from stm_daq.station.limits import Range

if TYPE_CHECKING:
    from drivers.nanonis import NanonisController

AT_LIMIT = 20e-12
"""A tip as near to a limit of z as this (m, a few times the noise) is taken to stand at it."""


class NanonisHeight:
    """Limits of z, and offsets while the feedback is held.

    Parameters
    ----------
    instrument : NanonisController
    allowed : Range
        The station's limits of z, m.
    """

    def __init__(self, instrument: NanonisController, allowed: Range) -> None:
        self._nanonis = instrument
        self._allowed = allowed

    def range(self) -> tuple[float, float]:
        """Read between which heights, m, the tip may be: limits of station and controller."""
        low, high = self._allowed.low, self._allowed.high
        if self._nanonis.call("ZCtrl.LimitsEnabledGet")[0]:
            highest, lowest = self._nanonis.call("ZCtrl.LimitsGet")
            low, high = max(low, lowest), min(high, highest)
        return low, high

    def offset(self, distance: float) -> None:
        """Move the tip by `distance` (positive: away from the sample), m, and confirm it.

        Raises
        ------
        OutOfRangeError
            If the tip would leave :meth:`range`; nothing is sent then.
        InstrumentError
            If the tip does not arrive.
        """
        low, high = self.range()
        (z,) = self._nanonis.call("ZCtrl.ZPosGet")
        Range(low, high, "m").require(z + distance, "tip height")
        self._nanonis.call("ZCtrl.ZPosSet", z + distance)
        (found,) = self._nanonis.call("ZCtrl.ZPosGet")
        if abs(found - z - distance) > AT_LIMIT + 0.01 * abs(distance):
            raise InstrumentError(
                f"the tip is at {show(found, 'm', 6)} instead of {show(z + distance, 'm', 6)}"
            )

    def limit(self) -> None:
        """Narrow the controller's limits of z to those of the station, and read them back."""
        call = self._nanonis.call
        low, high = self.range()
        call("ZCtrl.LimitsSet", high, low)
        call("ZCtrl.LimitsEnabledSet", 1)
        found = call("ZCtrl.LimitsGet")
        enabled = call("ZCtrl.LimitsEnabledGet")[0]
        if not enabled or not np.allclose(found, (high, low), rtol=1e-6, atol=0.0):
            raise InstrumentError(
                f"the limits of z read back {found[1]:g} m to {found[0]:g} m "
                f"({'on' if enabled else 'off'}) instead of {low:g} m to {high:g} m"
            )
