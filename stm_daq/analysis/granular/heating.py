"""How the junction warms up behind a barrier: T(Z) = Tn + dT / (r / (1 + Z^2) + 1), fitted.

Liao et al., Phys. Rev. B 100, 214505 (2019), Eq. 4. Power is dissipated in a grain; heat flows to the
rest of the film and, through a transparent junction, to the tip: r is the ratio of these two paths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.analysis.granular.heating_likelihood import (
    Measured,
    Profile,
    Solution,
    most_likely,
    profile,
    solve_at,
)
from stm_daq.analysis.maps.images import image_of, is_constant, robust_std
from stm_daq.analysis.maps.regions import Regions, require_same_axes
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

FEWEST = 6
"""A region needs so many sites, or it does not count."""
ENOUGH_FOR_HALVES = 10
MIDDLE = 5.0
"""r at which the scatter about the model is first estimated."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A fitted value with its interval."""

    value: float
    low: float
    """68 % interval by profile likelihood: all other parameters follow."""
    high: float
    model: float = 0.0
    """What the model's own faults add: half the difference between the value at the r of the
    cooler half of the regions and at that of the hotter half; 0 with fewer than ten regions."""

    @property
    def std(self) -> float:
        """Half the width of the interval and `model` together."""
        return math.hypot((self.high - self.low) / 2, self.model)


@dataclass(frozen=True)
class Heating:
    """Parameters of the heating model."""

    base: Estimate
    """Tn, K."""
    rise: Estimate
    """Mean of dT over the regions, K."""
    ratio: Estimate
    """r."""
    regions: tuple[str, ...]
    """That were fitted."""
    rises: tuple[Estimate, ...]
    """dT of each, K."""
    scatter: float
    """By how much temperatures scatter about the model beyond what the fits state, K."""
    sites: int
    barriers: tuple[float, float]
    """5th and 95th percentile of Z."""

    def curve(self, barrier: ArrayLike, region: str | None = None) -> Array:
        """Return T(Z), K: of a region, or with the mean dT."""
        rise = self.rise if region is None else self.rises[self.regions.index(region)]
        return heated(barrier, self.base.value, rise.value, self.ratio.value)


def heated(barrier: ArrayLike, base: float, rise: float, ratio: float) -> Array:
    """Return T = Tn + dT / (r / (1 + Z^2) + 1), K.

    At Z = 0 it is Tn + dT / (1 + r), behind an opaque barrier Tn + dT.
    """
    transparency = 1 / (1 + np.asarray(barrier, dtype=np.float64) ** 2)
    return np.asarray(base + rise / (ratio * transparency + 1))


def fit_heating(maps: xr.Dataset, regions: Regions | None = None) -> Heating:
    """Fit the heating model to all sites, with Tn and r in common and for each region its own dT.

    Both T and Z have errors: the residual of a site counts in units of ``sqrt(std_T^2 + (dT/dZ
    std_Z)^2 + scatter^2)``, where the slope is the model's and the scatter is what the stated
    errors leave unexplained. Residuals follow Student's distribution with four degrees of
    freedom, so that sites on the edge of a region do little harm. r and dT are strongly correlated:
    intervals are those of the profile likelihood, not of its curvature. The heat flow need not be
    proportional to temperature differences: whether one r suits all regions is asked of
    the cooler and the hotter half of them.

    Parameters
    ----------
    maps : Dataset
        ``temperature``, ``barrier`` and their ``_std`` over (y, x), as from
        :func:`stm_daq.analysis.maps.fitted_maps.fitted_maps`.
    regions : Regions, optional
        On the same axes, such as grains; those with fewer than six sites and sites outside all of
        them are left out. Without: one region.

    Raises
    ------
    BadInputError
        If a map is missing, or the axes differ.
    CannotTellError
        If there are too few sites, or Z varies too little to tell r, dT and Tn apart: without low
        *and* high Z the curve has no beginning, no end, or no bend.
    """
    data, names = _sites(maps, regions)
    low, high = (float(z) for z in np.percentile(data.barrier, [5, 95]))
    data, scatter = _with_scatter(data)
    try:
        found = profile(data)
    except CannotTellError as error:
        raise CannotTellError(
            f"the heating model cannot be told from {len(data.group)} sites with Z from {low:.2g} to "
            f"{high:.2g}: {error}; it needs Z well below and well above 1"
        ) from None
    halves = _halves(data, found.best)
    return Heating(
        base=_estimate(found, "base", "base_variance", halves),
        rise=_estimate(found, "mean_rise", "mean_variance", halves),
        ratio=Estimate(found.best.ratio, *found.ratio_interval, _apart(halves, "ratio")),
        regions=names,
        rises=_rises(found),
        scatter=scatter,
        sites=len(data.group),
        barriers=(low, high),
    )


def _sites(maps: xr.Dataset, regions: Regions | None) -> tuple[Measured, tuple[str, ...]]:
    """Return the sites to be fitted, and the names of their regions."""
    keys = ("temperature", "temperature_std", "barrier", "barrier_std")
    missing = [key for key in keys if key not in maps]
    if missing:
        raise BadInputError(f"the heating model needs the maps {', '.join(missing)}")
    T, T_std, Z, Z_std = (
        image_of(maps[key], least=FEWEST, most_missing=1.0, constant=True).values for key in keys
    )
    known = np.isfinite(T) & np.isfinite(Z) & (T_std > 0) & (Z_std >= 0)
    labels = np.ones(T.shape, dtype=np.int64)
    names: tuple[str, ...] = ("map",)
    if regions is not None:
        require_same_axes(maps["temperature"], regions)
        labels, names = regions.labels.values, regions.names
    kept = np.flatnonzero(np.bincount(labels[known], minlength=len(names) + 1)[1:] >= FEWEST)
    if not len(kept):
        raise CannotTellError(
            f"no region has {FEWEST} sites with temperature, barrier and their errors"
        )
    used = known & np.isin(labels, kept + 1)
    group: NDArray[np.int64] = np.searchsorted(kept + 1, labels[used])
    if is_constant(T[used]) or is_constant(Z[used]):
        raise CannotTellError("temperature or barrier is the same at all sites: there is no T(Z)")
    data = Measured(T[used], T_std[used], Z[used], Z_std[used], group)
    return data, tuple(names[number] for number in kept)


def _with_scatter(data: Measured) -> tuple[Measured, float]:
    """Add to the errors of temperature what they leave unexplained at a middling r."""
    scatter, found, measured = 0.0, None, data
    for _ in range(3):  # the scatter decides on the weights and so, a little, on itself
        found = solve_at(measured, MIDDLE, found)
        own = data.temperature_std**2 + (found.slope * data.barrier_std) ** 2
        beyond = robust_std(found.residual) ** 2 - float(np.median(own))
        scatter = math.sqrt(max(beyond, 0.0))
        measured = replace(data, temperature_std=np.hypot(data.temperature_std, scatter))
    return measured, scatter


def _halves(data: Measured, best: Solution) -> tuple[Solution, ...]:
    """Return what all regions say at the r of the cooler, and at that of the hotter half of them."""
    if len(best.rises) < ENOUGH_FOR_HALVES:
        return ()
    hot = best.rises > np.median(best.rises)
    found = []
    for half in (~hot, hot):
        used = half[data.group]
        number = np.cumsum(half) - 1
        of_half = Measured(
            data.temperature[used], data.temperature_std[used], data.barrier[used],
            data.barrier_std[used], number[data.group[used]],
        )  # fmt: skip
        found.append(solve_at(data, most_likely(of_half).ratio, best))
    return tuple(found)


def _apart(halves: tuple[Solution, ...], value: str) -> float:
    if not halves:
        return 0.0
    cool, hot = (float(getattr(half, value)) for half in halves)
    return abs(cool - hot) / 2


def _estimate(found: Profile, value: str, variance: str, halves: tuple[Solution, ...]) -> Estimate:
    low, high = found.interval(_along(found, value), _along(found, variance))
    best = float(getattr(found.best, value))
    return Estimate(best, float(low), float(high), _apart(halves, value))


def _along(found: Profile, name: str) -> Array:
    return np.array([getattr(solution, name) for solution in found.around])


def _rises(found: Profile) -> tuple[Estimate, ...]:
    low, high = found.interval(_along(found, "rises"), _along(found, "rise_variances"))
    triples = zip(found.best.rises, low, high, strict=True)
    return tuple(Estimate(float(v), float(a), float(b)) for v, a, b in triples)
