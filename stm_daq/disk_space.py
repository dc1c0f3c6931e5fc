"""A full disk makes a run wait, with the feedback closed, instead of ending the night."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stm_daq.clock import Clock, RealClock

LEAST = 100e6
"""Free space below which a run waits, bytes: enough to close its journal and write its report."""
POLL = 5.0
"""Seconds between two looks while waiting."""


def _never() -> bool:
    return False


@dataclass(frozen=True)
class DiskSpace:
    """The space for a run, and how it waits for more.

    Parameters
    ----------
    folder : Path
        Of the run.
    clock : Clock
        To wait by. The disk is real even in a rehearsal, whose virtual time stands still meanwhile.
    stopping : callable
        Whether somebody wants the run to stop.
    """

    folder: Path
    clock: Clock = field(default_factory=RealClock)
    stopping: Callable[[], bool] = _never

    def free(self) -> float:
        """Return the free space, bytes."""
        return float(shutil.disk_usage(self.folder).free)

    @property
    def low(self) -> bool:
        """Whether there is too little to go on."""
        return self.free() < LEAST

    def wait_until(self, enough: Callable[[], bool]) -> bool:
        """Wait until there is enough, or the run is to stop; return whether there is."""
        while not self.stopping():
            self.clock.sleep(POLL)
            if enough():
                return True
        return False
