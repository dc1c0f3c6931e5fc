"""What viewers are given to compute with; they know no physics themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stm_daq.records import Array, Fit, RunStarted, Spectrum

type CurveOf = Callable[[RunStarted, Spectrum, Fit], Array | None]
"""(run, spectrum, its fit) -> dI/dV (S) at the points of the spectrum, None if it cannot be computed."""


def _no_curve(started: RunStarted, spectrum: Spectrum, fit: Fit) -> Array | None:
    return None


def _as_it_is(z: Array) -> Array:
    return z


@dataclass(frozen=True, slots=True)
class Formulas:
    """What is computed for a screen or a page."""

    curve: CurveOf = _no_curve
    level: Callable[[Array], Array] = _as_it_is
    """Takes the tilt out of a topograph (m), shape (rows, columns), NaN where not scanned."""
