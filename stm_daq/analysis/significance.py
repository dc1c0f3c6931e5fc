"""Do two maps follow each other? Correlation with a p-value that knows about neighbours.

Pixels closer than a correlation length repeat one another, so that a map of 16 384 pixels may hold
only a hundred independent places, and the textbook p-value finds correlations where there are none.
For two independent fields the variance of the coefficient is

    var r = sum_d n(d) C_a(d) C_b(d) / (sum a^2 sum b^2) = 1 / (M - 1)

with C(d) the covariance of each map at lag d and n(d) the pairs of pixels there (P. Clifford, S.
Richardson, D. Hemon, Biometrics 45, 123 (1989); P. Dutilleul, Biometrics 49, 305 (1993)). M is the
effective number of pixels: r is tested as that of M independent ones. The covariances are those of
the maps themselves without their trends, at all lags up to half the map along each side, direction
by direction: neither isotropy nor a form of the decay is assumed, and missing pixels only change
n(d).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft, special

from stm_daq.analysis.fields import FEWEST, Trend, pair_of, without_trend
from stm_daq.analysis.sites import Mask
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

LEAST_EFFECTIVE = 8.0
"""Fewer effective pixels than this do not tell a correlation from chance."""


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
        hold fewer than `LEAST_EFFECTIVE` effective pixels.
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
    lags = _Lags.of(known)
    ranks = [_ranked(rest, known) for rest in flat]
    pearson = _coefficient(flat[0], flat[1], known, lags, level)
    if pearson.effective < LEAST_EFFECTIVE:
        raise CannotTellError(
            f"{first.name} and {second.name} hold {pearson.effective:.0f} independent places: the map"
            " is hardly larger than their correlation length; take a larger map"
        )
    spearman = _coefficient(ranks[0], ranks[1], known, lags, level)
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
    names = [name for name in names if name != with_]
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


@dataclass(frozen=True, slots=True)
class _Lags:
    """Pairs of known pixels at every lag, in the order of a real FFT padded to `shape`."""

    shape: tuple[int, int]
    pairs: Array
    near: Mask
    """Lags up to half the map along each side, with pairs."""

    @classmethod
    def of(cls, known: Mask) -> _Lags:
        rows, columns = known.shape
        shape = (
            fft.next_fast_len(2 * rows - 1, real=True),
            fft.next_fast_len(2 * columns - 1, real=True),
        )
        pairs = np.rint(_products(known.astype(float), shape))
        lags = [np.abs(np.fft.fftfreq(n) * n) for n in shape]
        near = (lags[0][:, None] <= rows / 2) & (lags[1] <= columns / 2) & (pairs > 0)
        return cls(shape, pairs, near)


def _products(values: Array, shape: tuple[int, int]) -> Array:
    """Return the sum over r of values(r) values(r - d) at every lag d."""
    sums: Array = fft.irfft2(np.abs(fft.rfft2(values, shape)) ** 2, shape)
    return sums


def _coefficient(a: Array, b: Array, known: Mask, lags: _Lags, level: float) -> Coefficient:
    """Correlate maps of mean zero, which are zero outside `known`."""
    from scipy import stats

    size = math.sqrt(float((a**2).sum() * (b**2).sum()))
    r = float(np.clip((a * b).sum() / size, -1.0, 1.0))
    pixels = int(known.sum())
    covariances = _products(a, lags.shape)[lags.near] * _products(b, lags.shape)[lags.near]
    variance = float((covariances / lags.pairs[lags.near]).sum()) / size**2
    effective = min(1 + 1 / max(variance, 1 / (pixels - 1)), float(pixels))
    reach = float(stats.norm.ppf((1 + level) / 2)) / math.sqrt(max(effective - 3, 1e-9))
    z = math.atanh(np.clip(r, -1 + 1e-12, 1 - 1e-12))
    return Coefficient(
        r, math.tanh(z - reach), math.tanh(z + reach),
        _p_value(r, effective), effective, _p_value(r, pixels),
    )  # fmt: skip


def _p_value(r: float, count: float) -> float:
    """Return the two-sided p-value of Student's test of a coefficient from `count` pairs."""
    freedom = max(count - 2, 1e-9)
    # the regularised incomplete beta function is Student's distribution of r itself
    return float(special.betainc(freedom / 2, 0.5, 1 - r**2))


def _ranked(values: Array, known: Mask) -> Array:
    """Return the ranks of the known values, mean zero; ties share their mean rank."""
    from scipy import stats

    ranks = np.zeros(values.shape)
    ranks[known] = stats.rankdata(values[known])
    ranks[known] -= ranks[known].mean()
    return ranks
