"""How often a page is told something: soon, not too often, and no faster than its browser draws."""

from __future__ import annotations

from stm_daq.clock import Clock, RealClock

PERIOD = 0.1
"""s; a page is not told more often."""
GATHER = 0.02
"""s; a spectrum and its fit, which follow one another, are drawn together."""
BEHIND = 1.5
"""s; a browser that has not drawn the last news yet is given so long before the next. Less than the
silence that its script takes for a lost connection."""


class Pace:
    """The pace of one page.

    Without it news would pile up on the way to a slow browser, and what it shows, the answers to its
    commands included, would be seconds old.

    Parameters
    ----------
    clock : Clock, optional
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or RealClock()
        self._updated = -PERIOD
        self._told = self._drawn = 0

    @property
    def wait(self) -> float:
        """How long to wait before the next update, s."""
        period = PERIOD if self._drawn >= self._told else BEHIND
        return max(GATHER, self._updated + period - self._clock.now())

    def updated(self) -> None:
        """Note that an update begins."""
        self._updated = self._clock.now()

    def told(self, tick: int) -> None:
        """Note that news with this number are on their way."""
        self._told = tick

    def drawn(self, tick: int) -> None:
        """Note that the browser has drawn the news with this number."""
        self._drawn = max(self._drawn, min(tick, self._told))

    def begin_anew(self) -> None:
        """Forget what was drawn: the numbers begin anew."""
        self._told = self._drawn = 0
