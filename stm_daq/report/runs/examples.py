"""The sites that a report shows in full."""

from __future__ import annotations

import math
from dataclasses import dataclass
from string import ascii_lowercase
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stm_daq.analysis.maps.sites import Mask, sites_of
from stm_daq.report.facts import facts_of

if TYPE_CHECKING:
    import xarray as xr

type Place = tuple[int, ...]
"""Of a site: along the outer axes, then row and column."""


@dataclass(frozen=True, slots=True)
class Example:
    """One site that is shown in full."""

    letter: str
    why: str
    """What it is an example of."""
    place: tuple[int, ...]
    """Along the outer axes, then row and column."""
    x: float
    """From the left edge of the frame, m."""
    y: float
    """From the bottom of the frame, m."""

    @property
    def row(self) -> int:
        """Row in the map."""
        return self.place[-2]

    @property
    def col(self) -> int:
        """Column in the map."""
        return self.place[-1]


def pick_examples(dataset: xr.Dataset) -> tuple[Example, ...]:
    """Choose the best, a middling and the worst trusted fit, the lowest barrier, and failures.

    Of the doubtful fits it is the middling one, or all three if they have to stand for the map.
    """
    sites = sites_of(dataset)
    chosen: dict[Place, str] = {}

    def choose(why: str, place: Place) -> None:
        before = chosen.get(place)
        chosen[place] = why if before is None else f"{before}, {why.lower()}"

    if sites.trusted.any():
        by_misfit = _by_misfit(dataset, sites.trusted)
        choose("Best fit", by_misfit[0])
        choose("Median fit", by_misfit[len(by_misfit) // 2])
        choose("Worst good fit", by_misfit[-1])
        barrier = np.where(sites.trusted, dataset["barrier"].values, np.nan)
        if np.isfinite(barrier).any():
            choose("Lowest barrier", _index(int(np.nanargmin(barrier)), barrier.shape))
    if sites.doubtful.any():
        by_misfit = _by_misfit(dataset, sites.doubtful)
        choose("Model not adequate", by_misfit[len(by_misfit) // 2])
        if sites.indicative:
            choose("Model not adequate, least misfit", by_misfit[0])
            choose("Model not adequate, largest misfit", by_misfit[-1])
    if facts_of(dataset).fitted:
        for why, mask in (("Failed fit", sites.failed), ("Not fitted", sites.unfitted)):
            found = np.argwhere(mask)
            if len(found):
                choose(why, _tuple(found[len(found) // 2]))
    else:
        taken = np.argwhere(sites.measured)
        for number in _scattered(len(taken)):
            choose(f"Spectrum {number + 1} of {len(taken)}", _tuple(taken[number]))
    x, y = dataset["x"].values, dataset["y"].values
    return tuple(
        Example(ascii_lowercase[number], why, place, float(x[place[-1]]), float(y[place[-2]]))
        for number, (place, why) in enumerate(chosen.items())
    )


def _scattered(count: int, wanted: int = 6) -> list[int]:
    """Return some numbers below `count`, evenly spread but in step with no row of a map."""
    if count < 4 * wanted:
        return [int(k) for k in np.linspace(0, count - 1, min(count, wanted))]
    golden = (math.sqrt(5) - 1) / 2
    within = [(k + (k * golden) % 1) / wanted for k in range(wanted)]
    return sorted({int(part * count) for part in within})


def _by_misfit(dataset: xr.Dataset, mask: Mask) -> list[Place]:
    order = np.argsort(dataset["reduced_chi_square"].values[mask])
    return [_tuple(place) for place in np.argwhere(mask)[order]]


def _index(number: int, shape: tuple[int, ...]) -> Place:
    return tuple(int(k) for k in np.unravel_index(number, shape))


def _tuple(place: NDArray[np.int64]) -> Place:
    return tuple(int(k) for k in place)
