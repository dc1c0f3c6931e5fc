"""How fast the run goes and when it will end."""

from __future__ import annotations

from collections import deque
from statistics import median

from stm_daq.clock import Clock
from stm_daq.records import Progress

WINDOW = 200
"""Sites over which the pace is taken; the median does not notice a single long pause."""


class Pace:
    """Measures the time from site to site and extrapolates the end.

    Parameters
    ----------
    clock : Clock
    total : int
        Number of sites.
    expected_seconds : float
        Duration of the whole run as estimated from the plan; used until the first sites are done.
    """

    def __init__(self, clock: Clock, total: int, expected_seconds: float) -> None:
        self._clock = clock
        self._total = total
        self._per_site = deque([expected_seconds / max(total, 1)], maxlen=WINDOW)
        self._row_overhead = 0.0
        self._last = clock.now()
        self.done = 0
        self._known = False

    def row_scanned(self, rows_left: int) -> None:
        """Note the time spent on topograph rows since the last site; `rows_left` are still to come."""
        now = self._clock.now()
        self._row_overhead = (now - self._last) * rows_left
        self._last = now

    def site_done(self) -> None:
        """Note that a site is finished."""
        now = self._clock.now()
        if not self._known:
            self._per_site.clear()
        self._known = True
        self._per_site.append(now - self._last)
        self._last = now
        self.done += 1

    def site_recalled(self) -> None:
        """Note that an earlier part of the run has measured a site."""
        self.done += 1

    def progress(self, state: str) -> Progress:
        """Return where the run is."""
        per_site = median(self._per_site)
        left = (self._total - self.done) * per_site + self._row_overhead
        return Progress(
            time=self._clock.wall(),
            done=self.done,
            total=self._total,
            finish_time=self._clock.wall() + left,
            rate=3600.0 / per_site if per_site > 0 else 0.0,
            state=state,
        )
