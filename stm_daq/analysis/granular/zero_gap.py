"""The gap at zero temperature from gap and temperature of every site, and what Tc lets expect.

A map of the gap at the junction's temperature scatters because the temperature does. The BCS gap equation
takes that out: what is left belongs to the film (Liao et al., Phys. Rev. B 100, 214505 (2019),
Figs. 5b and 9).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.images import image_of, like, robust_std
from stm_daq.analysis.maps.regions import Regions, require_same_axes
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.physics import bcs
from stm_daq.physics.btk import K_B
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

MEDIAN_ERROR = 1.2533
"""Standard deviation of a median of normal values, times sqrt(n), relative to theirs."""


@dataclass(frozen=True, slots=True)
class RegionGap:
    """The BCS gap of a region: its sites follow gap(T) with one gap at zero temperature."""

    name: str
    sites: int
    gap0: float
    """Median over its sites, eV."""
    gap0_error: float
    """Standard deviation of that median, as if sites were independent, eV."""
    scatter: float
    """Robust standard deviation of its sites, eV."""

    def curve(self, temperature: Array) -> Array:
        """Return gap(T), eV, with the Tc that belongs to `gap0`."""
        return bcs.gap(temperature, self.gap0, self.gap0 / (bcs.RATIO * K_B))


def expected_gap(critical_temperature: float) -> float:
    """Return the BCS gap at zero temperature, 1.764 kB Tc, eV.

    Raises
    ------
    BadInputError
        If the critical temperature, K, is not positive.
    """
    if not critical_temperature > 0:
        raise BadInputError(f"a critical temperature of {critical_temperature:g} K is none")
    return bcs.RATIO * K_B * critical_temperature


def zero_temperature_gap(maps: xr.Dataset) -> xr.Dataset:
    """Return maps of the gap at zero temperature and its standard deviation.

    Parameters
    ----------
    maps : Dataset
        ``gap`` (eV), ``temperature`` (K) and their ``_std`` over (y, x), as from
        :func:`stm_daq.analysis.maps.fitted_maps.fitted_maps`.

    Returns
    -------
    Dataset
        ``gap0`` and ``gap0_std``, eV; NaN where gap or temperature is missing or the gap is not
        positive. The errors of gap and temperature count as independent.

    Raises
    ------
    BadInputError, CannotTellError
        If a map is missing, or not a map.
    """
    keys = ("gap", "gap_std", "temperature", "temperature_std")
    missing = [key for key in keys if key not in maps]
    if missing:
        raise BadInputError(f"the gap at zero temperature needs the maps {', '.join(missing)}")
    gap = image_of(maps["gap"], most_missing=1.0, constant=True).values
    gap_std, T, T_std = (maps[key].transpose("y", "x").values for key in keys[1:])
    known = np.isfinite(gap) & (T >= 0)
    gap, T = np.where(known, gap, np.nan), np.where(known, T, 0.0)
    gap0 = bcs.gap_at_zero_bcs(gap, T)
    by_gap = _half_difference(
        bcs.gap_at_zero_bcs(gap + gap_std, T), bcs.gap_at_zero_bcs(gap - gap_std, T)
    )
    below = np.maximum(np.nan_to_num(T - T_std), 0.0)
    above = np.nan_to_num(T + T_std)
    by_T = _half_difference(bcs.gap_at_zero_bcs(gap, above), bcs.gap_at_zero_bcs(gap, below))
    std = np.where(np.isfinite(T_std), np.hypot(by_gap, by_T), np.nan)
    return maps[["gap"]].assign(
        gap0=like(maps["gap"], gap0).assign_attrs(units="eV", long_name="gap at zero temperature"),
        gap0_std=like(maps["gap"], std).assign_attrs(units="eV"),
    )[["gap0", "gap0_std"]]


def region_gaps(gap0: xr.DataArray, regions: Regions, least: int = 5) -> list[RegionGap]:
    """Return the BCS gap of every region that has at least `least` sites.

    Raises
    ------
    BadInputError
        If map and regions have different axes.
    CannotTellError
        If no region has enough sites.
    """
    image = require_same_axes(gap0, regions)
    found = []
    for number, name in enumerate(regions.names, 1):
        here = image.values[(regions.labels.values == number) & image.known]
        if len(here) >= least:
            scatter = robust_std(here)
            error = MEDIAN_ERROR * scatter / math.sqrt(len(here))
            found.append(RegionGap(name, len(here), float(np.median(here)), error, scatter))
    if not found:
        raise CannotTellError(f"no region has {least} sites with a gap at zero temperature")
    return found


def _half_difference(high: Array, low: Array) -> Array:
    return np.abs(high - low) / 2
