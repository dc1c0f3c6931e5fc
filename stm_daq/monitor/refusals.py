"""Whoever was refused is noted, but never so often that the notes become the trouble."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from stm_daq.clock import Clock

BURST = 5
EVERY = 30.0
"""After a burst, one note in this time, s."""

type Report = Callable[[str, str, Mapping[str, Any]], None]
"""Writes an event into the journal: kind, text, data."""

_log = logging.getLogger(__name__)


class Allowance:
    """So many at once, then one every so often.

    Parameters
    ----------
    clock : Clock
    burst : int
    every : float
        s
    """

    def __init__(self, clock: Clock, burst: int, every: float) -> None:
        self._clock = clock
        self._burst = burst
        self._every = every
        self._left = float(burst)
        self._seen = clock.now()

    def take(self) -> bool:
        """Return whether one more is allowed now."""
        self._refill()
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def wait(self) -> float:
        """Return how long until one more is allowed, s."""
        self._refill()
        return max(0.0, (1.0 - self._left) * self._every)

    def _refill(self) -> None:
        now = self._clock.now()
        self._left = min(self._burst, self._left + (now - self._seen) / self._every)
        self._seen = now


class Refusals:
    """Counts refusals, logs them, and writes some of them into the journal.

    Parameters
    ----------
    clock : Clock
    report : callable
        See :data:`Report`.
    """

    def __init__(self, clock: Clock, report: Report) -> None:
        self.count = 0
        self._report = report
        self._allowance = Allowance(clock, BURST, EVERY)
        self._silent = 0
        self._noted: dict[str, float] = {}
        self._clock = clock
        self._lock = threading.Lock()

    def note(self, text: str, data: Mapping[str, Any]) -> None:
        """Note one; may be called from any thread."""
        with self._lock:
            self.count += 1
            if self._is_known(text) or not self._allowance.take():
                self._silent += 1
                return
            self._noted[text] = self._clock.now()
            others, self._silent = self._silent, 0
        told = f"refused: {text}" + (f" (and {others} more before)" if others else "")
        _log.warning("%s", told)
        self._report("refused", told, dict(data) | {"others": others})

    def _is_known(self, text: str) -> bool:
        """Whether this was noted lately: who tries again and again must not hide somebody else."""
        now = self._clock.now()
        self._noted = {known: at for known, at in self._noted.items() if now - at < EVERY}
        return text in self._noted
