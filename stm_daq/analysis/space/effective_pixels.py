"""How many independent pixels two maps are worth, for the test of their correlation.

Pixels closer than a correlation length repeat one another. For two independent stationary fields
the variance of the coefficient of `n` pixels is

    var r = sum_d n(d) C_a(d) C_b(d) / (sum a^2 sum b^2) = 1 / (M - 1)                     (1)

with C(d) the covariance of each map at lag d and n(d) the pairs of pixels there (P. Clifford, S.
Richardson, D. Hemon, Biometrics 45, 123 (1989); P. Dutilleul, Biometrics 49, 305 (1993)). The
covariances are those of the maps without their trends, direction by direction: neither isotropy nor
a form of the decay is assumed, and missing pixels only change n(d).

That is not enough where both maps have the same grains, though nothing of one follows from the other:
values then change at the same places, and chance needs only a few grains to agree. So (1) is
multiplied by how much more the sums of the influence of the pixels,

    psi = a b - r (a^2 + b^2) / 2     (a, b of variance 1),

scatter over 16 blocks of the map than (1) says of blocks of this size. The result has the degrees of
freedom 1/nu = 1/15 + 2/M: of the blocks, and of the M places from which (1) is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from stm_daq.analysis.maps.sites import Mask
from stm_daq.errors import CannotTellError
from stm_daq.records import Array

BLOCKS = 16
"""Parts of the map whose scatter is compared."""
REACH = 0.7
"""Lags up to this part of the map along each side are summed; beyond, hardly any pair is left."""
LEAST = 8.0
"""Fewer independent places than this do not tell a correlation from chance."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of known pixels at every lag, in the order of a real FFT."""

    known: Mask
    shape: tuple[int, int]
    """Of the FFT."""
    near: Mask
    """Lags that are used."""
    all: Array
    """Pairs in the whole map at the lags in `near`, shape (lags,)."""
    within: Array
    """Pairs of pixels of the same block, shape (lags,)."""
    block: NDArray[np.int64]
    """Number of the block of each known pixel."""

    @classmethod
    def of(cls, known: Mask) -> Pairs:
        """Count the pairs."""
        rows, columns = known.shape
        shape = (
            fft.next_fast_len(2 * rows - 1, real=True),
            fft.next_fast_len(2 * columns - 1, real=True),
        )
        everywhere = np.rint(products(known.astype(float), shape))
        lags = [np.abs(np.fft.fftfreq(n) * n) for n in shape]
        near = (lags[0][:, None] <= REACH * rows) & (lags[1] <= REACH * columns)
        near &= everywhere > 0
        block = _block_numbers(known.shape)
        within = _pairs_within(known, block, shape)
        return cls(known, shape, near, everywhere[near], within[near], block[known])


@dataclass(frozen=True, slots=True)
class Scatter:
    """How a correlation coefficient scatters between maps that have nothing to do with each other."""

    variance: float
    freedom: float
    """Degrees of freedom of `variance`."""
    places: float
    """M of equation 1."""


def scatter_of(a: Array, b: Array, pairs: Pairs) -> tuple[float, Scatter]:
    """Return the correlation coefficient of two maps and how it scatters.

    Parameters
    ----------
    a, b : ndarray, shape (rows, columns)
        Without mean or trend, and zero where not known.
    pairs : Pairs
        Of the pixels known in both.

    Raises
    ------
    CannotTellError
        If the maps hold fewer than `LEAST` independent places.
    """
    count = len(pairs.block)
    a, b = (z / math.sqrt(float((z**2).sum()) / count) for z in (a, b))
    r = float(np.clip((a * b).sum() / count, -1.0, 1.0))
    expected = products(a, pairs.shape)[pairs.near] * products(b, pairs.shape)[pairs.near]
    expected /= pairs.all**2
    stationary = max(float(expected @ pairs.all) / count**2, 1 / (count - 1))
    places = 1 + 1 / stationary
    psi = (a * b - r * (a**2 + b**2) / 2)[pairs.known]
    sums, sizes = np.bincount(pairs.block, psi), np.bincount(pairs.block)
    found = float(((sums - psi.mean() * sizes) ** 2).sum())
    share = float((sizes**2).sum()) / count**2
    of_blocks = float(expected @ pairs.within) - share * float(expected @ pairs.all)
    if places < LEAST or of_blocks <= 0:
        raise CannotTellError(
            f"the maps hold about {places:.0f} independent places: they are hardly larger than their"
            " correlation length; take larger ones"
        )
    used = int((sizes > 0).sum())
    freedom = 1 / (1 / (used - 1) + 2 / places)
    return r, Scatter(stationary * found / of_blocks, freedom, places)


def products(values: Array, shape: tuple[int, int]) -> Array:
    """Return the sum over r of values(r) values(r - d) at every lag d."""
    sums: Array = fft.irfft2(np.abs(fft.rfft2(values, shape)) ** 2, shape)
    return sums


def _block_numbers(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Divide a map into `BLOCKS` blocks that are as square as can be."""
    rows, columns = shape
    layouts = [(2**i, BLOCKS // 2**i) for i in range(BLOCKS.bit_length())]
    fitting = [(i, j) for i, j in layouts if i <= rows and j <= columns]
    if not fitting:
        raise CannotTellError(f"a map of {rows} x {columns} pixels is too small to be divided")
    high, wide = min(fitting, key=lambda n: abs(math.log(rows / n[0] / (columns / n[1]))))
    numbers: NDArray[np.int64] = (np.arange(rows) * high // rows)[:, None] * wide + (
        np.arange(columns) * wide // columns
    )
    return numbers


def _pairs_within(known: Mask, block: NDArray[np.int64], shape: tuple[int, int]) -> Array:
    """Count the pairs of known pixels of the same block at every lag."""
    pairs = np.zeros(shape)
    for number in range(BLOCKS):
        rows, columns = np.nonzero(block == number)
        part = known[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(float)
        small = (2 * part.shape[0] - 1, 2 * part.shape[1] - 1)
        places = [np.rint(np.fft.fftfreq(n) * n).astype(int) for n in small]
        pairs[np.ix_(*places)] += products(part, small)
    return pairs
