"""Height of the held tip, relative to where the feedback was held."""

from __future__ import annotations

from statistics import fmean

from stm_daq.errors import InstrumentError, OutOfRangeError
from stm_daq.station.roles import StmController

READINGS = 32
"""Readings of z that are averaged for the zero: all heights share its error, so that single readings,
which are noisy, do not add up from step to step."""


class TipHeight:
    """Moves the held tip up and down, and knows how to bring it back.

    Parameters
    ----------
    stm : StmController
    """

    def __init__(self, stm: StmController) -> None:
        self._stm = stm
        self._zero: float | None = None
        """Height where the feedback was held, m; None as long as nobody had to know."""
        self._at: float | None = 0.0
        """None after a move that failed: then nobody knows."""

    def held(self) -> None:
        """Note that the feedback has just been held: here is zero."""
        self._at = 0.0
        self._zero = None

    def move_to(self, height: float) -> None:
        """Bring the tip to `height`, m; positive is away from the sample.

        Raises
        ------
        OutOfRangeError
            If it would leave the limits of z; the tip has not moved then.
        InstrumentError
            If the tip did not arrive, or an earlier move failed.
        """
        before = self._at
        if before is None:
            raise InstrumentError("the height of the tip is not known since a move of it failed")
        if height == before:
            return
        if self._zero is None:
            self._zero = fmean(self._stm.height_and_current()[0] for _ in range(READINGS))
        self._at = None
        try:
            self._stm.move_z_to(self._zero + height)
        except OutOfRangeError:
            self._at = before
            raise
        self._at = height

    def back(self) -> None:
        """Bring the tip back to where the feedback was held.

        After a move that failed the tip stays where it is. To move it blindly could drive it into
        the sample; the feedback, closed at the bias of the set-point, finds the height by itself.
        """
        if self._at is not None:
            self.move_to(0.0)
