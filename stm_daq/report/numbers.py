"""The numbers of a report: medians and their scatter, correlations, agreement with truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.sites import Mask, sites_of
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

SIGMAS = 4.0
"""A fit is called right if the truth lies within so many of its stated standard deviations."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A fitted quantity and how people write it."""

    name: str
    """Name of the variable in the dataset."""
    title: str
    symbol: str
    """In matplotlib's mathematics."""
    unit: str
    factor: float
    """From the dataset's unit to `unit`."""

    @property
    def label(self) -> str:
        """Label of an axis."""
        name = f"{self.title} {self.symbol}".strip()
        return f"{name} ({self.unit})" if self.unit else name


GAP = Quantity("gap", "Gap", r"$\Delta$", "meV", 1e3)
TEMPERATURE = Quantity("temperature", "Temperature", "$T$", "K", 1.0)
BARRIER = Quantity("barrier", "Barrier", "$Z$", "", 1.0)
FITTED = (GAP, TEMPERATURE, BARRIER)


def values_of(dataset: xr.Dataset, quantity: Quantity, mask: Mask) -> Array:
    """Return a quantity in the unit of people where `mask` is true, shape (n,)."""
    found: Array = dataset[quantity.name].values[mask] * quantity.factor
    return found


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the values of a map lie; in the unit of people, NaN without values."""

    median: float
    low: float
    """16 % of the values are below."""
    high: float
    """84 % of the values are below."""
    typical_std: float
    """Median of the standard deviations stated by the fits."""

    @property
    def scatter(self) -> float:
        """Half the distance from `low` to `high`: one sigma of a normal distribution."""
        return (self.high - self.low) / 2


def spread_of(dataset: xr.Dataset, quantity: Quantity, mask: Mask) -> Spread:
    """Summarise a quantity over the sites in `mask`."""
    values = values_of(dataset, quantity, mask)
    values = values[np.isfinite(values)]
    if not len(values):
        return Spread(math.nan, math.nan, math.nan, math.nan)
    low, median, high = (float(v) for v in np.percentile(values, [16, 50, 84]))
    std = dataset[f"{quantity.name}_std"].values[mask] * quantity.factor
    std = std[np.isfinite(std)]
    return Spread(median, low, high, float(np.median(std)) if len(std) else math.nan)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well the fits of a rehearsal found the truth of the twin, for one quantity."""

    quantity: Quantity
    fitted: Array
    """Sites whose fit is trusted, in the unit of people, shape (n,)."""
    true: Array
    pull: Array
    """(fitted - true) / stated standard deviation, shape (n,)."""

    @property
    def median_relative_error(self) -> float:
        """Median of |fitted - true| / |true| where the truth is not zero."""
        some = self.true != 0
        if not some.any():
            return math.nan
        return float(np.median(np.abs(self.fitted[some] / self.true[some] - 1)))

    @property
    def median_error(self) -> float:
        """Median of |fitted - true|, in the unit of people."""
        return float(np.median(np.abs(self.fitted - self.true)))

    @property
    def within(self) -> float:
        """Fraction of the sites whose truth lies within `SIGMAS` stated standard deviations.

        A fit that states no standard deviation counts as not within.
        """
        return float(np.mean(np.abs(self.pull) <= SIGMAS))


def agreement_of(dataset: xr.Dataset, quantity: Quantity) -> Agreement | None:
    """Compare a rehearsal's trusted fits with the truth.

    None without a true value, or where hardly any fit is trusted.
    """
    sites = sites_of(dataset)
    if f"true_{quantity.name}" not in dataset or sites.indicative:
        return None
    true = dataset[f"true_{quantity.name}"].values
    mask = sites.trusted & np.isfinite(true) & np.isfinite(dataset[quantity.name].values)
    if not mask.any():
        return None
    fitted = values_of(dataset, quantity, mask)
    std = dataset[f"{quantity.name}_std"].values[mask] * quantity.factor
    true = true[mask] * quantity.factor
    pull = np.full_like(fitted, np.nan)
    np.divide(fitted - true, std, out=pull, where=std > 0)
    return Agreement(quantity, fitted, true, pull)


def show_percent(fraction: float) -> str:
    """Write a fraction for people; only all of it is 100 %: ``show_percent(0.99996)`` is 99.99 %."""
    if not math.isfinite(fraction):
        return "–"
    percent = 100 * fraction
    if 99 < percent < 100:
        return f"{min(percent, 99.99):.2f} %"
    return f"{percent:.3g} %"


def plus_minus(value: float, std: float) -> str:
    """Write a value with its standard deviation: ``plus_minus(0.61234, 0.0042)`` is 0.612 ± 0.004."""
    if not math.isfinite(value):
        return "unknown"
    if not (math.isfinite(std) and std > 0):
        return f"{value:.3g}"
    leading, exponent = f"{std:.0e}".split("e")
    digits = max(0, -int(exponent) + (leading == "1"))
    return f"{value:.{digits}f} ± {std:.{digits}f}"
