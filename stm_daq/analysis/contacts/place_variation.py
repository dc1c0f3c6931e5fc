"""From place to place: the gap of single electrons varies, the collective gap does not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.contacts.single_gap import combined
from stm_daq.errors import CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

FEWEST = 3
"""Places."""


@dataclass(frozen=True, slots=True, eq=False)
class PlaceVariation:
    """Both gaps at the lowest temperature, place by place, and how they spread."""

    single: Array
    """eV, shape (places,); NaN where not known."""
    single_std: Array
    collective: Array
    """Mean over the contacts of a place, eV, shape (places,)."""
    collective_std: Array
    factor: float
    """Largest over smallest gap of single electrons."""
    factor_std: float
    single_spread: float
    """Standard deviation over mean of the gap of single electrons."""
    single_spread_std: float
    collective_spread: float
    """The same of the collective gap, without what its uncertainties explain; 0 if that is all."""
    collective_spread_limit: float
    """95 % limit of the spread of the collective gap, uncertainties included."""
    times: float
    """`single_spread` is at least so many times the spread of the collective gap (95 %)."""


def place_variation(single: xr.Dataset, fits: xr.Dataset) -> PlaceVariation:
    """Compare how the two gaps vary from place to place, at the lowest temperature.

    Parameters
    ----------
    single, fits : xarray.Dataset
        From :func:`stm_daq.analysis.contacts.single_gap.single_gap` and
        :func:`stm_daq.analysis.contacts.collective_gap.channel_fits`.

    Raises
    ------
    CannotTellError
        If fewer than three places tell both gaps.
    """
    cold = int(np.nanargmin(single["temperature"].mean("place").values))
    gap, gap_std = single["gap"].values[cold], single["gap_std"].values[cold]
    pairs, pairs_std = combined(fits["gap"].values[cold], fits["gap_std"].values[cold], axis=0)
    both = np.isfinite(gap) & np.isfinite(pairs)
    if both.sum() < FEWEST:
        raise CannotTellError(
            f"{int(both.sum())} place(s) tell both gaps; for a variation at least {FEWEST} are needed"
        )
    low, high = (int(k(np.where(both, gap, math.nan))) for k in (np.nanargmin, np.nanargmax))
    factor = float(gap[high] / gap[low])
    relative = math.hypot(gap_std[high] / gap[high], gap_std[low] / gap[low])
    spread, _ = _spread(gap[both], gap_std[both])
    own, limit = _spread(pairs[both], pairs_std[both])
    return PlaceVariation(
        gap, gap_std, pairs, pairs_std, factor, factor * relative,
        single_spread=spread,
        single_spread_std=spread / math.sqrt(2 * (int(both.sum()) - 1)),
        collective_spread=own,
        collective_spread_limit=limit,
        times=spread / limit,
    )  # fmt: skip


def _spread(values: Array, std: Array) -> tuple[float, float]:
    """Return the relative spread without the part of the uncertainties, and a 95 % limit with it."""
    from scipy.special import chdtri

    n, mean = len(values), float(np.mean(values))
    seen = float(np.var(values, ddof=1))
    own = math.sqrt(max(seen - float(np.mean(std**2)), 0.0)) / mean
    # chi-square is below this quantile with 5 % probability
    limit = math.sqrt((n - 1) * seen / float(chdtri(n - 1, 0.95))) / mean
    return own, limit
