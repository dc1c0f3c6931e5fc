"""Where a run leaves its records for the thread that sends them."""

from __future__ import annotations

import math
import threading
from collections import deque

from stm_daq.clock import Clock
from stm_daq.monitor.bodies import Alert, Body
from stm_daq.records import Progress, RunStarted, SiteStarted

LONGEST = 5000
_UNSTORED = (Progress, SiteStarted, Alert)


class RecordQueue:
    """A queue that never makes the run wait: when it is full the oldest record is dropped.

    Not the beginning of the run.

    Parameters
    ----------
    clock : Clock

    Attributes
    ----------
    dropped : int
        Records dropped so far.
    """

    def __init__(self, clock: Clock) -> None:
        self.dropped = 0
        self._clock = clock
        self._records: deque[Body] = deque()
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._stored = math.nan

    def put(self, record: Body) -> None:
        """Leave a record."""
        with self._lock:
            if len(self._records) >= LONGEST:
                oldest = self._records.popleft()
                if isinstance(oldest, RunStarted):  # without it nothing else can be understood
                    self._records[0] = oldest
                self.dropped += 1
            self._records.append(record)
            if not isinstance(record, _UNSTORED):
                self._stored = self._clock.now()
        self._news.set()

    def take(self) -> list[Body]:
        """Take all records."""
        with self._lock:
            self._news.clear()
            records, self._records = self._records, deque()
        return list(records)

    def wait(self, seconds: float, crowded: bool) -> None:
        """Wait for a record, at most so long; if `crowded`, in any case so long."""
        if crowded:
            self._clock.sleep(seconds)
        else:
            self._news.wait(max(0.0, seconds))

    def wake(self) -> None:
        """End somebody's wait."""
        self._news.set()

    def __len__(self) -> int:
        """Return how many records wait."""
        return len(self._records)

    @property
    def age(self) -> float:
        """How long ago the last record was left that was stored before, s; NaN if none was."""
        return self._clock.now() - self._stored
