"""What a person may ask of a running night: pause, continue, stop, abort, a note."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from stm_daq.clock import Clock
from stm_daq.records import Event, Record
from stm_daq.sequencer.stop import StopSwitch

POLL = 0.5
"""Seconds between two looks at a switch while paused."""


class Control:
    """The switches of a run. They may be used from another thread; the runner looks at them.

    Parameters
    ----------
    stop : StopSwitch
        Shared with Ctrl-C and SIGTERM.
    clock : Clock, optional
        By which people are waited for; that of the run if None. In a rehearsal it is the real one, or
        a night would fly by during a pause.
    """

    def __init__(self, stop: StopSwitch, clock: Clock | None = None) -> None:
        self.stop = stop
        self._clock = clock
        self._pause = ""
        self._proceeded_by = ""
        self._notes: deque[tuple[str, str, Mapping[str, Any]]] = deque()

    @property
    def paused(self) -> bool:
        """Whether somebody wants the run to wait before the next site."""
        return bool(self._pause)

    def pause(self, who: str) -> None:
        """Wait before the next site, with feedback, until :meth:`proceed`."""
        self._pause = who

    def proceed(self, who: str) -> None:
        """End a pause that a person asked for; one of a guard ends when its value is good."""
        self._proceeded_by = who
        self._pause = ""

    def finish(self, who: str) -> None:
        """Stop after the spectrum that is being measured, and park."""
        self.stop.request(f"{who}: finished the spectrum and parked")

    def abort(self, who: str) -> None:
        """Stop at once, and park; to be called from another thread than the run's."""
        self.stop.abort(f"aborted by {who}")

    def note(self, who: str, text: str) -> None:
        """Write a note into the journal."""
        self.tell("note", f"{who}: {text}")

    def tell(self, kind: str, text: str, data: Mapping[str, Any] | None = None) -> None:
        """Write an event into the journal, before the next site or at the end."""
        self._notes.append((kind, text, data or {}))

    def wait(self, clock: Clock, emit: Callable[[Record], None]) -> None:
        """Write down notes; wait while paused. Called by the runner between sites."""
        self.write_notes(clock, emit)
        who = self._pause
        if not who:
            return
        emit(Event(clock.wall(), "pause", f"paused by {who}"))
        while self._pause and not self.stop.requested:
            (self._clock or clock).sleep(POLL)
            self.write_notes(clock, emit)
        # told here and not by proceed(): whoever goes on and pauses again meanwhile has not gone on
        if not self._pause:
            emit(Event(clock.wall(), "continue", f"continued by {self._proceeded_by}"))

    def write_notes(self, clock: Clock, emit: Callable[[Record], None]) -> None:
        """Write down what has come since the last time."""
        while self._notes:
            kind, text, data = self._notes.popleft()
            emit(Event(clock.wall(), kind, text, data))
