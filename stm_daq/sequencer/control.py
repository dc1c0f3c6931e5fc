"""What a person may ask of a running night: pause, continue, stop, abort, a note."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from stm_daq.clock import Clock
from stm_daq.records import Event, Record
from stm_daq.sequencer.stop import StopSwitch

POLL = 1.0
"""Seconds between two looks at a switch while paused."""


class Control:
    """The switches of a run. They may be used from another thread; the runner looks at them.

    Parameters
    ----------
    stop : StopSwitch
        Shared with Ctrl-C and SIGTERM.
    """

    def __init__(self, stop: StopSwitch) -> None:
        self.stop = stop
        self._pause = ""
        self._notes: deque[tuple[str, str]] = deque()

    @property
    def paused(self) -> bool:
        """Whether somebody wants the run to wait before the next site."""
        return bool(self._pause)

    def pause(self, who: str) -> None:
        """Wait before the next site, with feedback, until :meth:`proceed`."""
        self._pause = who

    def proceed(self, who: str) -> None:
        """End a pause that a person asked for; one of a guard ends when its value is good."""
        if self._pause:
            self._notes.append(("continue", f"continued by {who}"))
        self._pause = ""

    def finish(self, who: str) -> None:
        """Stop after the spectrum that is being measured, and park."""
        self.stop.request(f"{who}: finished the spectrum and parked")

    def note(self, who: str, text: str) -> None:
        """Write a note into the journal."""
        self._notes.append(("note", f"{who}: {text}"))

    def wait(self, clock: Clock, emit: Callable[[Record], None]) -> None:
        """Write down notes; wait while paused. Called by the runner between sites."""
        self._write_notes(clock, emit)
        if not self._pause:
            return
        emit(Event(clock.wall(), "pause", f"paused by {self._pause}"))
        while self._pause and not self.stop.requested:
            clock.sleep(POLL)
            self._write_notes(clock, emit)

    def _write_notes(self, clock: Clock, emit: Callable[[Record], None]) -> None:
        while self._notes:
            kind, text = self._notes.popleft()
            emit(Event(clock.wall(), kind, text))
