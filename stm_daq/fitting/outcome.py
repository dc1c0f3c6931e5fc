"""What was found of a stack of spectra."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.models import Choice
from stm_daq.fitting.verdict import is_ok

type Array = NDArray[np.float64]
type Index = NDArray[np.int64]


@dataclass
class Outcome:
    """Fits of p spectra in physical units. NaN where a spectrum does not tell."""

    choice: Choice
    values: dict[str, Array]
    """All parameters of the model, free and fixed, each (p,)."""
    std: dict[str, Array]
    """Standard deviations, 0 for fixed parameters."""
    limits: dict[str, Array]
    correlation: Array
    """(p, f, f)"""
    chi_square: Array
    reduced: Array
    misfit: Array
    inflation: Array
    """Factor of the variances beyond independent noise."""
    dof: Index
    points: Index
    flags: list[tuple[str, ...]]
    deviation: Array
    """Standard deviation of every point of the conductance, given or estimated, (p, n)."""
    theta: Array
    """Search coordinates, (p, m + 4), of spectra in units of `unit`."""
    unit: Array
    backgrounds: dict[int, Array] = field(default_factory=dict)
    """Smooth curves of those without gap, as polynomials of bias / largest, by spectrum."""
    calibration: Array | None = None
    """Slope of a current given over the integral of the conductance."""
    notes: dict[str, float] = field(default_factory=dict)
    """What an engine says of itself."""

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Whether every value of a spectrum may be used within its standard deviation."""
        return np.array([is_ok(flags) for flags in self.flags], dtype=np.bool_)

    @property
    def parameters(self) -> Index:
        """Number of fitted parameters, those of the smooth curve where no gap is seen."""
        return self.points - self.dof

    @property
    def aic(self) -> Array:
        """Akaike's information criterion."""
        return np.asarray(self.chi_square + 2.0 * self.parameters)

    @property
    def bic(self) -> Array:
        """Bayesian information criterion."""
        return np.asarray(self.chi_square + self.parameters * np.log(np.maximum(self.points, 1)))

    def take(self, other: Outcome, rows: NDArray[np.bool_]) -> None:
        """Put fits of the same model into these rows; the other may have fewer free parameters."""
        for mine, its in (
            (self.values, other.values), (self.std, other.std), (self.limits, other.limits)
        ):  # fmt: skip
            for name, column in its.items():
                mine.setdefault(name, np.full(len(rows), np.nan))[rows] = column[rows]
        size = other.correlation.shape[1]
        self.correlation[rows, :size, :size] = other.correlation[rows]
        for name in (
            "chi_square", "reduced", "misfit", "inflation", "dof", "points",
            "deviation", "theta", "unit",
        ):  # fmt: skip
            getattr(self, name)[rows] = getattr(other, name)[rows]
        for row in np.flatnonzero(rows).tolist():
            self.flags[row] = other.flags[row]
            if row in other.backgrounds:
                self.backgrounds[row] = other.backgrounds[row]
