"""Waiting until a value stays where it is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stm_daq.clock import Clock
from stm_daq.errors import DeadlineError


@dataclass(frozen=True, slots=True)
class Stability:
    """When a value counts as reached."""

    tolerance: float
    """Largest distance from the wanted value, in its unit (temperatures: K)."""
    duration: float
    """For so long every reading must be fresh and within the tolerance, s."""
    deadline: float
    """Longest wait altogether, s."""
    poll: float = 1.0
    """Time between readings, s."""


def never() -> bool:
    """Nobody asks to stop."""
    return False


def await_stable(
    read: Callable[[], float],
    wanted: float,
    stability: Stability,
    clock: Clock,
    stopping: Callable[[], bool] = never,
) -> float:
    """Read until every value for some time was near `wanted`; return the last one.

    Parameters
    ----------
    read : callable
        Returns the value, NaN if there is no fresh one.
    wanted : float
    stability : Stability
    clock : Clock
    stopping : callable
        Ends the wait early when it returns True.

    Raises
    ------
    DeadlineError
        If that does not happen in time.
    """
    end = clock.now() + stability.deadline
    good_since: float | None = None
    while True:
        value = read()
        now = clock.now()
        if not abs(value - wanted) <= stability.tolerance:
            good_since = None
        elif good_since is None:
            good_since = now
        if (good_since is not None and now - good_since >= stability.duration) or stopping():
            return value
        if now >= end:
            raise DeadlineError(f"not stable in time; the last value is {value:g}")
        clock.sleep(stability.poll)
