"""The role of an instrument that measures the transport through a strip of the film."""

from __future__ import annotations

from typing import Protocol


class TransportMeter(Protocol):
    """Sends a current through the strip and measures its voltage; off is safe.

    Values outside the adapter's limits raise :class:`stm_daq.errors.OutOfRangeError` before anything
    is sent.
    """

    def start(self, amperes: float) -> None:
        """Send a current through the strip and confirm it."""
        ...

    def resistance(self) -> float:
        """Read voltage over current, ohm; NaN without a current."""
        ...

    def critical_current(self, largest: float, points: int, threshold: float) -> float:
        """Raise the current step by step until the strip becomes resistive; the old one is restored.

        Parameters
        ----------
        largest : float
            Where to give up, A.
        points : int
            Steps from zero to there.
        threshold : float
            Voltage that counts as resistive, V.

        Returns
        -------
        float
            Middle of the step in which the voltage passed the threshold, A; NaN if it did not.
        """
        ...

    def off(self) -> None:
        """Send no current, and confirm it."""
        ...
