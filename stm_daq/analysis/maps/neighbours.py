"""Uncertainty of fitted values from neighbouring sites, a check of what the fits state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.images import image_of, like, robust_std
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

FEWEST = 20
"""So many pairs of neighbours are needed."""
MAD_ERROR = 1.17
"""Standard deviation of a robust standard deviation, times sqrt(n), relative to it."""


@dataclass(frozen=True)
class NeighbourScatter:
    """What neighbouring sites say of the uncertainty of one; in the unit of the map."""

    name: str
    std: float
    """Robust standard deviation of the differences of neighbours, divided by sqrt(2). An upper limit
    of the random error of one site: what really changes over `distance` is in it too."""
    std_error: float
    """Standard deviation of `std`."""
    stated: float
    """Median of the standard deviations that the fits state."""
    ratio: float
    """Robust standard deviation of (a - b) / sqrt(std_a^2 + std_b^2): 1 if the stated standard
    deviations are all that neighbours differ by."""
    ratio_error: float
    distance: float
    """Of the neighbours, m."""
    pairs: int
    ratio_map: xr.DataArray
    """Over (y, x): median of |a - b| / (0.6745 sqrt(std_a^2 + std_b^2)) over up to four neighbours."""


def neighbour_scatter(maps: xr.Dataset, name: str) -> NeighbourScatter:
    """Compare neighbouring sites of a fitted map with the stated standard deviations.

    After Liao et al., Phys. Rev. B 100, 214505 (2019), sec. IV: sites 0.3 nm apart must be alike, so
    that their differences are the uncertainty. Neighbours are the next ones along x and along
    y; the robust width does not see the few pairs that a grain boundary separates.

    Parameters
    ----------
    maps : Dataset
        With `name` and ``<name>_std`` over (y, x), as from
        :func:`stm_daq.analysis.maps.fitted_maps.fitted_maps`: NaN where a site does not count.
    name : str
        A fitted quantity, such as "gap".

    Raises
    ------
    BadInputError
        If it is not in `maps`, or the axes are wrong.
    CannotTellError
        If fewer than 20 pairs of neighbours have values, or all values are the same.
    """
    if name not in maps or f"{name}_std" not in maps:
        raise BadInputError(f"there is no map of '{name}' with its '{name}_std'")
    image = image_of(maps[name])
    std = np.asarray(maps[f"{name}_std"].transpose("y", "x").values, dtype=np.float64)
    differences, expected = _pairs(image.values, std)
    together = np.concatenate([pair[np.isfinite(pair)] for pair in differences])
    if len(together) < FEWEST:
        raise CannotTellError(
            f"only {len(together)} pairs of neighbouring sites have a '{name}'; {FEWEST} are needed"
        )
    normalised = [d / e for d, e in zip(differences, expected, strict=True)]
    pulls = np.concatenate([n[np.isfinite(n)] for n in normalised])
    if len(pulls) < FEWEST:
        raise CannotTellError(f"the fits state no standard deviation of '{name}'")
    found, ratio = robust_std(together) / math.sqrt(2), robust_std(pulls)
    relative = MAD_ERROR / math.sqrt(image.known.sum())
    return NeighbourScatter(
        name=name,
        std=found,
        std_error=relative * found,
        stated=float(np.nanmedian(np.where(image.known, std, np.nan))),
        ratio=ratio,
        ratio_error=relative * ratio,
        distance=float(np.mean(image.step)),
        pairs=len(together),
        ratio_map=like(maps[name], _ratio_map(normalised, image.values.shape)).rename("ratio"),
    )


def _pairs(values: Array, std: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Return the differences along rows and along columns, and their expected widths."""
    stated = np.where(std > 0, std, np.nan)
    along_x, along_y = np.diff(values, axis=1), np.diff(values, axis=0)
    of_x = np.hypot(stated[:, 1:], stated[:, :-1])
    of_y = np.hypot(stated[1:], stated[:-1])
    return (along_x, along_y), (of_x, of_y)


def _ratio_map(normalised: list[Array], shape: tuple[int, ...]) -> Array:
    along_x, along_y = (np.abs(n) for n in normalised)
    around = np.full((4, *shape), np.nan)
    around[0, :, 1:] = around[1, :, :-1] = along_x
    around[2, 1:] = around[3, :-1] = along_y
    result = np.full(shape, np.nan)
    some = np.isfinite(around).any(axis=0)
    result[some] = np.nanmedian(around[:, some], axis=0) / 0.6745
    return result
