"""The form of what computes a fitted curve for a viewer; viewers are given one, they know no physics."""

from __future__ import annotations

from collections.abc import Callable

from stm_daq.records import Array, Fit, RunStarted, Spectrum

type CurveOf = Callable[[RunStarted, Spectrum, Fit], Array | None]
"""(run, spectrum, its fit) -> dI/dV (S) at the points of the spectrum, None if it cannot be computed."""
