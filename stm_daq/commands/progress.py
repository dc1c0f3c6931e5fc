"""How a run shows itself in the terminal that started it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from stm_daq.clock import RealClock
from stm_daq.quantities import show, show_moment
from stm_daq.records import Event, Fit, Progress, Record, RunEnded

LINE_INTERVAL = 60.0
"""Seconds between lines when the output is not a terminal."""

REFRESH_INTERVAL = 0.25
"""Seconds between refreshes of a terminal; more often flickers over ssh."""


_PRINTED = ("warning", "error", "alert", "alert_unsent", "alert_sent")
"""Kinds of events that get a line of their own."""


class Line:
    """Keeps the newest facts of a run and writes them as one line."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._fit: Fit | None = None
        self._kelvin: float | None = None

    def note(self, record: Record) -> None:
        """Take in one record."""
        match record:
            case Progress():
                self._progress = record
            case Fit():
                self._fit = record
            case Event(kind="temperature"):
                self._kelvin = record.data["kelvin"] if record.data["fresh"] else None

    @property
    def fraction(self) -> tuple[int, int]:
        """Return sites done and in all."""
        return (self._progress.done, self._progress.total) if self._progress else (0, 1)

    def text(self) -> str:
        """Return the line."""
        if self._progress is None:
            return "preparing"
        now = self._progress
        finish = f"ends {show_moment(now.finish_time)}"
        parts = [f"{now.done}/{now.total} sites", f"{now.rate:.0f}/h", finish]
        if self._fit is not None:
            parts.append(_fit_text(self._fit))
        parts.append("stage ?" if self._kelvin is None else f"stage {show(self._kelvin, 'K')}")
        if now.state != "running":
            parts.append(now.state)
        return "  ".join(parts)


def _fit_text(fit: Fit) -> str:
    if not fit.ok:
        return f"fit: {', '.join(fit.flags) or 'not good'}"
    gap, std = fit.values["gap"] * 1e3, fit.std["gap"] * 1e3
    return f"gap {gap:.3f} ± {std:.3f} meV  T {fit.values['temperature']:.2f} K"


@contextmanager
def progress_display() -> Iterator[Display]:
    """Show progress inside the block: a live bar on a terminal, a line a minute elsewhere."""
    display = LiveDisplay() if sys.stdout.isatty() else PlainDisplay()
    try:
        yield display
    finally:
        display.close()


class Display:
    """Receives records and shows them now and then."""

    interval = LINE_INTERVAL

    def __init__(self) -> None:
        self.line = Line()
        self._clock = RealClock()
        self._next = self._clock.now()

    def __call__(self, record: Record) -> None:
        """Take in a record; refresh if it is time or if it must be seen at once."""
        self.line.note(record)
        if isinstance(record, Event) and record.kind in _PRINTED:
            self.print(f"{record.kind}: {record.text}")
        now = self._clock.now()
        if now >= self._next or isinstance(record, RunEnded):
            self._next = now + self.interval
            self.refresh()

    def print(self, text: str) -> None:
        """Print a line that stays."""
        print(text, flush=True)

    def refresh(self) -> None:
        """Show the newest facts."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class PlainDisplay(Display):
    """One line a minute, for log files."""

    def refresh(self) -> None:
        """Print the line with the time of day."""
        stamp = datetime.fromtimestamp(self._clock.wall()).strftime("%H:%M:%S")
        print(f"{stamp}  {self.line.text()}", flush=True)


class LiveDisplay(Display):
    """A bar that stays in place."""

    interval = REFRESH_INTERVAL

    def __init__(self) -> None:
        super().__init__()
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar = Progress(BarColumn(30), TextColumn("{task.description}"), auto_refresh=False)
        self._task = self._bar.add_task("preparing", total=1)
        self._bar.start()

    def print(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(text, markup=False)

    def refresh(self) -> None:
        """Redraw bar and line."""
        done, total = self.line.fraction
        self._bar.update(self._task, completed=done, total=total, description=self.line.text())
        self._bar.refresh()

    def close(self) -> None:
        """Stop redrawing; the last state stays on the screen."""
        self._bar.stop()
