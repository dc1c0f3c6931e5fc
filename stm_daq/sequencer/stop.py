"""Asking a run to stop: politely (finish the spectrum, park) or at once (abort, but safely)."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopSwitch:
    """A switch that the runner looks at between spectra.

    The first request lets the running spectrum finish. A second one by the user raises
    :class:`KeyboardInterrupt` at once; the restore steps still run, and further presses are ignored
    while they do.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._abort = "Ctrl-C twice: aborted"
        self._may_abort = True

    @property
    def requested(self) -> bool:
        """Whether somebody asked to stop."""
        return bool(self.reason)

    def request(self, reason: str) -> None:
        """Stop after the spectrum that is being measured; the first reason is kept."""
        self.reason = self.reason or reason

    def interrupt(self) -> None:
        """React to Ctrl-C: the first asks politely, the second aborts, later ones do nothing."""
        if not self.requested:
            self.request("Ctrl-C: finished the spectrum and parked")
        elif self._may_abort:
            self._may_abort = False
            self.reason = self._abort
            raise KeyboardInterrupt(self.reason)

    def abort(self, reason: str) -> None:
        """Stop at once, asked from another thread: the run's own is interrupted as by Ctrl-C."""
        if not self._may_abort:
            return
        self.reason = self._abort = reason
        if sys.platform == "win32":
            _thread.interrupt_main()
        else:  # a signal also ends a sleep
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def shield(self) -> None:
        """From now on nothing aborts: the station is being brought to its safe state."""
        self._may_abort = False


@contextmanager
def stop_on_signals(switch: StopSwitch) -> Iterator[None]:
    """Connect Ctrl-C and SIGTERM to `switch` inside the block (main thread only)."""

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        switch.interrupt()

    def on_terminate(_number: int, _frame: FrameType | None) -> None:
        switch.request("terminated by the system: finished the spectrum and parked")

    old_interrupt = signal.signal(signal.SIGINT, on_interrupt)
    old_terminate = signal.signal(signal.SIGTERM, on_terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, old_interrupt)
        signal.signal(signal.SIGTERM, old_terminate)
