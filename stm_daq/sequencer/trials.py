"""Once more: what a reply that went astray must not cost the night."""

from __future__ import annotations

from collections.abc import Callable

from stm_daq.clock import Clock
from stm_daq.errors import CleanupError, InstrumentError, LoopFoundOpenError
from stm_daq.records import Event, Record

TRIALS = 2
"""Times that something is tried."""
FATAL = (CleanupError, LoopFoundOpenError)
"""After these nothing must be tried again: the tip is not where it should be."""


def tried(
    action: Callable[[], object], what: str, clock: Clock, emit: Callable[[Record], None]
) -> bool:
    """Do something that may safely be begun again, up to :data:`TRIALS` times.

    Returns
    -------
    bool
        Whether it worked. Every failure is told as an event.

    Raises
    ------
    CleanupError, LoopFoundOpenError
        At once.
    """
    for trial in range(TRIALS):
        try:
            action()
        except FATAL:
            raise
        except InstrumentError as error:
            emit(Event(clock.wall(), "error", f"{what}, attempt {trial + 1}: {error}"))
        else:
            return True
    return False
