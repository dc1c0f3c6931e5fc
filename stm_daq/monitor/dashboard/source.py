"""What a page shows, wherever it comes from: a run that goes on, or a finished one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from stm_daq.monitor.bodies import Alert
from stm_daq.monitor.dashboard.strips import Strips
from stm_daq.records import Array, Event, Fit, Progress, RunStarted, Spectrum


@dataclass(frozen=True, slots=True)
class Board:
    """The maps of one step of the outer axes; row 0 is the bottom, NaN is missing."""

    topograph: Array
    """m, shape (rows, columns); (0, 0) without a topograph."""
    maps: Mapping[str, Array]
    """What was measured and fitted, named as in :class:`stm_daq.monitor.bodies.Cells`, in SI; each of
    the shape of the grid of sites."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A spectrum and what was made of it."""

    spectrum: Spectrum
    fit: Fit | None


@dataclass(frozen=True, slots=True)
class Health:
    """How the source is heard."""

    state: str
    """"waiting", "running", "paused", ..., or how the run ended."""
    text: str = ""
    silent: float = 0.0
    """Seconds since anything was heard."""
    stale: bool = False
    """Whether what is shown must be taken as old."""
    lost: int = 0
    """Messages that never came, were refused or dropped; the journal has them."""
    notes: tuple[str, ...] = ()
    """What else to know: free disk space, age of the last commit."""


class Source(Protocol):
    """A station or a finished run.

    `versions` counts the changes of each topic: "run", "topograph", "maps", "spectrum", "events",
    "strips", "progress"; a page redraws what has changed since it looked last.
    """

    name: str
    live: bool
    versions: Counter[str]

    @property
    def started(self) -> RunStarted | None:
        """The run; None before there is one."""
        ...

    @property
    def progress(self) -> Progress | None: ...

    @property
    def events(self) -> Sequence[Event]: ...

    @property
    def alerts(self) -> Sequence[Alert]: ...

    @property
    def strips(self) -> Strips: ...

    @property
    def health(self) -> Health: ...

    @property
    def latest(self) -> Shown | None:
        """The spectrum that was measured last."""
        ...

    @property
    def step(self) -> int:
        """The step of the outer axes that is measured, or was last."""
        ...

    def board(self, step: int) -> Board:
        """Return the maps of a step of the outer axes."""
        ...

    def look_up(self, step: int, row: int, column: int) -> Shown | None:
        """Return the spectrum of a site, None if there is none; may take a while: not on the loop."""
        ...

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever something has changed, on the server's loop."""
        ...

    def unsubscribe(self, wake: Callable[[], None]) -> None: ...
