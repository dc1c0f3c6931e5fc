"""Do two maps follow each other? Correlation with a p-value that knows about neighbours.

A map of 16 384 pixels may hold only a hundred independent places, and the textbook p-value then finds
correlations where there are none. Here the scatter of the coefficient between unrelated maps comes
from the maps themselves (:mod:`stm_daq.analysis.space.effective_pixels`), and

    t = atanh(r) / s,   s^2 = var(r) (M - 1) / ((M - 3) (1 - r^2)^2)

is tested as Student's t. The confidence interval is tanh(atanh(r) +- t s).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from stm_daq.analysis.maps.fields import FEWEST, Trend, pair_of, without_trend
from stm_daq.analysis.maps.sites import Mask
from stm_daq.analysis.space.effective_pixels import Pairs, scatter_of
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A correlation coefficient and what it is worth."""

    value: float
    low: float
    """Lower end of the confidence interval (95 % unless another level was asked for)."""
    high: float
    p_value: float
    """Probability of a coefficient at least as large between maps that have nothing to do with
    each other."""
    effective: float
    """Effective number of pixels."""
    naive_p_value: float
    """As if all pixels were independent; far too small for smooth maps."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """How two maps correlate pixel by pixel."""

    first: str
    second: str
    pearson: Coefficient
    spearman: Coefficient
    """Of the ranks: outliers and curvature leave it alone."""
    pixels: int
    """Known in both maps."""
    missing: int
    """Left out."""
    trend: Trend
    """What was taken off both maps first."""


def correlate(
    a: xr.DataArray, b: xr.DataArray, *, trend: Trend = "plane", level: float = 0.95
) -> Correlation:
    """Correlate two maps of the same pixels.

    Parameters
    ----------
    a, b : xarray.DataArray
        Maps on the same grid (y, x), m; NaN = missing.
    trend : {"mean", "plane", "quadratic"}
        Taken off both maps. The default is a plane: a sample is never quite level, and what drifts
        in the night (tip, temperature) slopes across every map, so that two slopes say nothing. With
        "mean" a correlation of the slopes counts as well.
    level : float
        Of the confidence intervals.

    Raises
    ------
    BadInputError
        If the axes are not those of a map, or the maps lie on different grids.
    CannotTellError
        If too few pixels are known in both, a map is constant, or the maps are so smooth that they
        hold hardly any independent places.
    """
    first, second = pair_of(a, b)
    known = first.known & second.known
    pixels = int(known.sum())
    if pixels < FEWEST:
        raise CannotTellError(
            f"{first.name} and {second.name} have {pixels} pixels in common; at least {FEWEST}"
            " are needed"
        )
    flat = [without_trend(field.values, known, trend) for field in (first, second)]
    for field, rest in zip((first, second), flat, strict=True):
        if np.ptp(rest) <= 1e-9 * np.ptp(field.values[known]):
            raise CannotTellError(f"nothing is left of {field.name} without its trend ({trend})")
    pairs = Pairs.of(known)
    ranks = [_ranked(rest, known) for rest in flat]
    pearson = _coefficient(flat[0], flat[1], pairs, level)
    spearman = _coefficient(ranks[0], ranks[1], pairs, level)
    missing = known.size - pixels
    return Correlation(first.name, second.name, pearson, spearman, pixels, missing, trend)


def correlate_all(
    maps: xr.Dataset, with_: str | xr.DataArray, *, trend: Trend = "plane", level: float = 0.95
) -> xr.Dataset:
    """Correlate every map of a dataset with one of them, or with another map.

    Parameters
    ----------
    maps : xarray.Dataset
        Maps on (y, x); variables of other dimensions are left alone.
    with_ : str or xarray.DataArray
        Name of the map in `maps`, or a map on the same grid: the height.
    trend, level
        As :func:`correlate`.

    Returns
    -------
    xarray.Dataset
        On ``map`` (names): ``pearson``, ``pearson_low``, ``pearson_high``, ``pearson_p_value``,
        ``pearson_effective``, ``pearson_naive_p_value``, the same for ``spearman``, ``pixels``,
        ``missing``, and ``remark``: why there is no coefficient (NaN), else empty.

    Raises
    ------
    BadInputError
        If there is no such map, none to correlate with it, or the grids differ.
    """
    import xarray as xr

    other = _chosen(maps, with_)
    names = [
        str(n) for n in maps if set(maps[n].dims) == {"y", "x"} and maps[n].dtype.kind in "fiu"
    ]
    names = [name for name in names if not (isinstance(with_, str) and name == with_)]
    if not names:
        raise BadInputError("the dataset has no maps on (y, x) to correlate")
    rows = [_row(maps[name], other, trend, level) for name in names]
    columns = {key: ("map", [row[key] for row in rows]) for key in rows[0]}
    attrs = {"with": str(other.name), "trend": trend, "level": level}
    return xr.Dataset(columns, {"map": names}, attrs)


def _chosen(maps: xr.Dataset, with_: str | xr.DataArray) -> xr.DataArray:
    if not isinstance(with_, str):
        return with_
    if with_ not in maps:
        raise BadInputError(f"the dataset has no map '{with_}'; it has {', '.join(map(str, maps))}")
    return maps[with_]


def _row(a: xr.DataArray, b: xr.DataArray, trend: Trend, level: float) -> dict[str, float | str]:
    fields = ("value", "low", "high", "p_value", "effective", "naive_p_value")
    row: dict[str, float | str] = {}
    try:
        found = correlate(a, b, trend=trend, level=level)
    except CannotTellError as error:
        found, remark = None, str(error)
    else:
        remark = ""
    for kind in ("pearson", "spearman"):
        for field in fields:
            name = kind if field == "value" else f"{kind}_{field}"
            row[name] = math.nan if found is None else getattr(getattr(found, kind), field)
    row["pixels"] = 0 if found is None else found.pixels
    row["missing"] = a.size if found is None else found.missing
    return row | {"remark": remark}


def _coefficient(a: Array, b: Array, pairs: Pairs, level: float) -> Coefficient:
    """Correlate maps of mean zero, which are zero where not known."""
    r, scatter = scatter_of(a, b, pairs)
    pixels = len(pairs.block)
    z = math.atanh(float(np.clip(r, -1 + 1e-12, 1 - 1e-12)))
    small = (scatter.places - 1) / (scatter.places - 3)
    s = math.sqrt(scatter.variance * small) / max(1 - r**2, 1e-12)
    reach = s * float(special.stdtrit(scatter.freedom, (1 + level) / 2))
    p_value = 2 * float(special.stdtr(scatter.freedom, -abs(z) / s))
    effective = min(1 + 1 / scatter.variance, float(pixels))
    naive = float(special.betainc(pixels / 2 - 1, 0.5, 1 - r**2))  # Student's, of r itself
    return Coefficient(r, math.tanh(z - reach), math.tanh(z + reach), p_value, effective, naive)


def rank_correlation(x: Array, y: Array) -> float:
    """Return Spearman's correlation of values that are no map; nothing is said of its significance.

    Equal values share their mean rank. NaN for fewer than ten pairs of finite values, or if one
    of the two is constant.
    """
    from scipy import stats

    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 10 or np.ptp(x[both]) == 0 or np.ptp(y[both]) == 0:
        return math.nan
    return float(np.corrcoef(stats.rankdata(x[both]), stats.rankdata(y[both]))[0, 1])


def _ranked(values: Array, known: Mask) -> Array:
    """Return the ranks of the known values, mean zero; ties share their mean rank."""
    from scipy import stats

    ranks = np.zeros(values.shape)
    ranks[known] = stats.rankdata(values[known])
    ranks[known] -= ranks[known].mean()
    return ranks
