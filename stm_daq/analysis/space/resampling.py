"""Errors of any statistic by resampling: bootstrap, also of blocks of a map, and permutation.

Pixels of a map repeat their neighbours. Drawing single pixels again therefore states too small
errors; drawing blocks that are larger than the correlation length does not (H. R. Kuensch, Ann.
Statist. 17, 1217 (1989)). A permutation must keep the pattern of a map as well: the whole map is
shifted against the other one, round the edges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stm_daq.analysis.maps.fields import field_of, pair_of
from stm_daq.analysis.space.correlation import radial_profile
from stm_daq.analysis.space.correlation_length import correlation_length
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

type Statistic = Callable[..., float]
"""Takes as many arrays as there are samples or maps."""

FEWEST_BLOCKS = 9
"""A map must hold so many blocks."""
BLOCK_LENGTHS = 2.5
"""Size of a block if none is given, in correlation lengths."""


@dataclass(frozen=True, slots=True)
class Resampled:
    """A statistic with the error that resampling gives it."""

    value: float
    """Of the data themselves."""
    std: float
    low: float
    high: float
    """Confidence interval."""


def bootstrap(
    samples: Sequence[Array],
    statistic: Statistic,
    *,
    paired: bool = True,
    level: float = 0.95,
    resamples: int = 999,
    seed: int = 1,
) -> Resampled:
    """Return a statistic of independent values with its error (percentile interval).

    Parameters
    ----------
    samples : sequence of ndarray
        Each (n,), independent values; for maps see :func:`block_bootstrap`. Pairs with a NaN are
        left out.
    statistic : callable
        ``statistic(*samples) -> float``.
    paired : bool
        Whether the i-th values of all samples belong together.

    Raises
    ------
    CannotTellError
        If a sample has fewer than ten values.
    """
    from scipy import stats

    arrays = [np.asarray(sample, dtype=float).ravel() for sample in samples]
    if paired:
        if len({len(a) for a in arrays}) > 1:
            raise BadInputError("paired samples must be equally long")
        some = np.all([np.isfinite(a) for a in arrays], axis=0)
        arrays = [a[some] for a in arrays]
    else:
        arrays = [a[np.isfinite(a)] for a in arrays]
    if min(len(a) for a in arrays) < 10:
        raise CannotTellError("a sample of fewer than ten values cannot be drawn again and again")
    found = stats.bootstrap(
        arrays, statistic, n_resamples=resamples, paired=paired, vectorized=False,
        confidence_level=level, method="percentile", rng=np.random.default_rng(seed),
    )  # fmt: skip
    interval = found.confidence_interval
    value = float(statistic(*arrays))
    return Resampled(value, float(found.standard_error), float(interval.low), float(interval.high))


def block_bootstrap(
    maps: Sequence[xr.DataArray],
    statistic: Statistic,
    *,
    block: float | None = None,
    level: float = 0.95,
    resamples: int = 499,
    seed: int = 1,
) -> Resampled:
    """Return a statistic of maps with an error that knows about neighbours.

    The maps are laid out anew from square blocks drawn at random places, the same for all maps.

    Parameters
    ----------
    maps : sequence of xarray.DataArray
        On the same grid (y, x), m; NaN = missing (drawn along with the blocks).
    statistic : callable
        ``statistic(*arrays) -> float`` of arrays of the shape of the maps, which may hold NaN and
        must not care where a pixel lies (a mean, a width, a coefficient).
    block : float, optional
        Side of a block, m; by default 2.5 times the longest correlation length of the maps, or
        three pixels where there is none.

    Raises
    ------
    BadInputError
        If the axes are not those of a map, or the maps lie on different grids.
    CannotTellError
        If the maps do not hold nine blocks.
    """
    fields = [field_of(maps[0]), *(pair_of(maps[0], other)[1] for other in maps[1:])]
    pitch, shape = fields[0].pitch, fields[0].values.shape
    side = block or max(_natural_block(data) for data in maps)
    size = tuple(min(max(round(side / d), 1), n) for d, n in zip(pitch, shape, strict=True))
    if math.prod(shape) < FEWEST_BLOCKS * math.prod(size):
        raise CannotTellError(
            f"a map of {shape[0]} x {shape[1]} pixels does not hold {FEWEST_BLOCKS} blocks of"
            f" {size[0]} x {size[1]}: it is hardly larger than its correlation length"
        )
    arrays = [field.values for field in fields]
    rng = np.random.default_rng(seed)
    drawn = np.empty(resamples)
    for i in range(resamples):
        places = _places(shape, size, rng)
        drawn[i] = statistic(*(array[places] for array in arrays))
    tail = 50 * (1 - level)
    low, high = (float(v) for v in np.nanpercentile(drawn, [tail, 100 - tail]))
    return Resampled(float(statistic(*arrays)), float(np.nanstd(drawn, ddof=1)), low, high)


def shift_test(
    a: xr.DataArray,
    b: xr.DataArray,
    statistic: Statistic,
    *,
    shifts: int = 999,
    seed: int = 1,
) -> float:
    """Return the p-value of a statistic of two maps by shifting one against the other.

    The second map is shifted at random, round its edges. |statistic| must be large where the maps
    follow each other. It suits maps without a slope that are many correlation lengths wide; for
    coefficients :func:`stm_daq.analysis.space.significance.correlate` is better.

    Parameters
    ----------
    a, b : xarray.DataArray
        Maps on the same grid.
    statistic : callable
        ``statistic(a, b) -> float`` of arrays of the same shape, which may hold NaN.

    Raises
    ------
    BadInputError, CannotTellError
        As :func:`stm_daq.analysis.maps.fields.pair_of`.
    """
    first, second = (field.values for field in pair_of(a, b))
    rng = np.random.default_rng(seed)
    found = abs(statistic(first, second))
    rows, columns = first.shape
    as_large = 0
    for _ in range(shifts):
        moved = np.roll(second, (rng.integers(rows), rng.integers(columns)), axis=(0, 1))
        as_large += bool(abs(statistic(first, moved)) >= found)
    return (1 + as_large) / (1 + shifts)


def permutation_test(
    samples: Sequence[Array],
    statistic: Statistic,
    *,
    resamples: int = 999,
    seed: int = 1,
) -> float:
    """Return the two-sided p-value that samples of independent values are of one kind.

    Parameters
    ----------
    samples : sequence of ndarray
        Each (n,); values are exchanged between the samples. NaN are left out.
    statistic : callable
        ``statistic(*samples) -> float``, such as the difference of the means.

    Raises
    ------
    CannotTellError
        If a sample has fewer than three values.
    """
    from scipy import stats

    arrays = [np.asarray(sample, dtype=float).ravel() for sample in samples]
    arrays = [array[np.isfinite(array)] for array in arrays]
    if min(len(array) for array in arrays) < 3:
        raise CannotTellError("a sample of fewer than three values cannot be compared")
    found = stats.permutation_test(
        arrays, statistic, n_resamples=resamples, vectorized=False,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(found.pvalue)


def _natural_block(data: xr.DataArray) -> float:
    """Return the block for a map whose pattern is not known beforehand, m."""
    field = field_of(data)
    try:
        return BLOCK_LENGTHS * correlation_length(radial_profile(data)).length
    except CannotTellError:
        if _smooth(field.values):
            raise
        return 3 * max(field.pitch)


def _smooth(values: Array) -> bool:
    """Whether neighbours are alike: then it was the map that is too small."""
    known = np.isfinite(values)
    centred = np.where(known, values - np.nanmean(values), 0.0)
    pairs = float((known[:, 1:] & known[:, :-1]).sum() + (known[1:] & known[:-1]).sum())
    alike = float((centred[:, 1:] * centred[:, :-1]).sum() + (centred[1:] * centred[:-1]).sum())
    return pairs > 0 and alike / pairs > 0.5 * float(np.nanvar(values))


def _places(
    shape: tuple[int, ...], size: tuple[int, ...], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return row and column numbers of a map laid out anew from blocks at random places."""
    counts = [-(-n // s) for n, s in zip(shape, size, strict=True)]
    starts = [rng.integers(0, n - s + 1, counts) for n, s in zip(shape, size, strict=True)]
    rows = np.repeat(np.repeat(starts[0], size[0], axis=0), size[1], axis=1)
    columns = np.repeat(np.repeat(starts[1], size[0], axis=0), size[1], axis=1)
    inside = (slice(0, shape[0]), slice(0, shape[1]))
    within = np.arange(rows.shape[0])[:, None] % size[0], np.arange(rows.shape[1]) % size[1]
    return (rows + within[0])[inside], (columns + within[1])[inside]
