"""How far a long computation is, and when it ends."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stm_daq.clock import Clock, RealClock
from stm_daq.commands.progress import LINE_INTERVAL
from stm_daq.quantities import show_duration, show_moment


class Work:
    """Counts what is done and foresees the end.

    Parameters
    ----------
    name : str
    clock : Clock, optional
    """

    def __init__(self, name: str, clock: Clock | None = None) -> None:
        self.name = name
        self.done, self.total = 0, 0
        self._clock = clock or RealClock()
        self._base = self._last = (self._clock.now(), 0)
        self._first: tuple[float, int] | None = None

    def note(self, done: int, total: int) -> None:
        """Take in how much of how much is done.

        The first report may hold what an earlier, interrupted computation left, which took no time:
        from the second one on, speed is counted from the first.
        """
        self._last = (self._clock.now(), done)
        if self._first is None:
            self._first = self._last
        else:
            self._base = self._first
        self.done, self.total = done, total

    @property
    def left(self) -> float:
        """Seconds to the end; NaN while nothing is known."""
        (begin, before), (now, done) = self._base, self._last
        if done == before or now <= begin:
            return math.nan
        return (self.total - done) * (now - begin) / (done - before)

    def text(self) -> str:
        """Return it as a line."""
        if not self.total:
            return f"{self.name}: fitting"
        line = f"{self.name}: {self.done} of {self.total} spectra"
        left = self.left
        if math.isnan(left) or self.done == self.total:
            return line
        return f"{line}, ends {show_moment(self._clock.wall() + left)} (in {show_duration(left)})"


@contextmanager
def work_display(name: str, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show progress on standard error: a bar on a terminal, a line a minute elsewhere.

    Yields a function to be called as ``report(done, total)``; None if `quiet`.
    """
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar(Work(name)) as report:
            yield report
    else:
        yield _lines(Work(name), RealClock())


@contextmanager
def _bar(work: Work) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True)
    with Progress(
        BarColumn(30), TextColumn("{task.description}"), console=console, transient=True
    ) as bar:
        task = bar.add_task(escape(work.text()), total=None)

        def report(done: int, total: int) -> None:
            work.note(done, total)
            bar.update(task, completed=done, total=total, description=escape(work.text()))

        yield report


def _lines(work: Work, clock: Clock) -> Callable[[int, int], None]:
    last = clock.now()

    def report(done: int, total: int) -> None:
        nonlocal last
        work.note(done, total)
        if clock.now() - last >= LINE_INTERVAL:
            last = clock.now()
            print(work.text(), file=sys.stderr, flush=True)

    return report
