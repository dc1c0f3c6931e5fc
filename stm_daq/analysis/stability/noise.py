"""Noise of spectra from their own points, and stripes of rows in maps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.images import image_of
from stm_daq.analysis.maps.sites import Mask
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

NOISE_OF_THIRD = 1.4826 / math.sqrt(20)
"""Standard deviation of white noise over the median size of third differences."""
POINTS_LEAST = 16
ELEMENTARY_CHARGE = 1.602176634e-19
BOLTZMANN = 1.380649e-23
INDEPENDENT = 0.43
"""1 / sum of squared correlations of third differences of white noise: 1, -0.75, 0.3, -0.05."""
STRIPED = 0.05
"""Stripes count if they are at least this part of the variance."""


def noise_of_spectra(spectra: xr.DataArray) -> xr.Dataset:
    """Return the noise of every spectrum, from point to point.

    Third differences d of neighbouring points take out everything that is smooth; white noise of
    standard deviation sigma gives them the variance 20 sigma^2 and the correlation -0.75 from one
    to the next.

    Parameters
    ----------
    spectra : xarray.DataArray
        Over sites and, last, the swept axis; NaN = missing.

    Returns
    -------
    xarray.Dataset
        ``noise`` (unit of the spectra): 1.4826 median(|d|) / sqrt(20), NaN with fewer than 16
        differences; ``correlation`` of d from one to the next: -0.75 is white noise, more is slower
        noise (or structure), of which `noise` is then only the fast part.

    Raises
    ------
    BadInputError
        If there is only one axis.
    CannotTellError
        If no spectrum has enough points.
    """
    import xarray as xr

    if spectra.ndim < 2:
        raise BadInputError(
            f"'{spectra.name}' has the axes {spectra.dims}; give sites and a swept axis"
        )
    values = np.asarray(spectra.values, dtype=np.float64)
    third = (
        np.diff(values, n=3, axis=-1) if values.shape[-1] > 3 else np.empty((*values.shape[:-1], 0))
    )
    enough = np.isfinite(third).sum(axis=-1) >= POINTS_LEAST
    if not enough.any():
        raise CannotTellError(
            f"no spectrum has {POINTS_LEAST + 3} points in a row: noise cannot be told"
        )
    noise = np.full(enough.shape, np.nan)
    noise[enough] = NOISE_OF_THIRD * np.nanmedian(np.abs(third[enough]), axis=-1)
    sites = {name: spectra[name] for name in spectra.dims[:-1] if name in spectra.coords}
    dims = spectra.dims[:-1]
    return xr.Dataset(
        {
            "noise": (dims, noise, {"units": spectra.attrs.get("units", ""), "long_name": "noise"}),
            "correlation": (dims, _next_correlation(third, enough), {"units": ""}),
        },
        coords=sites,
    )


def third_difference_noise(values: Array) -> float:
    """Return the standard deviation of white noise on a smooth curve, shape (n,), without gaps."""
    return NOISE_OF_THIRD * float(np.median(np.abs(np.diff(values, 3))))


def _next_correlation(third: Array, enough: Mask) -> Array:
    """Return the correlation of differences with the next; those of outliers are held back."""
    limit = 4 * 1.4826 * np.nanmedian(np.abs(third[enough]), axis=-1, keepdims=True)
    held = np.clip(third[enough], -limit, limit)
    product = np.nansum(held[..., 1:] * held[..., :-1], axis=-1)
    square = np.nansum(held**2, axis=-1)
    found = np.full(enough.shape, np.nan)
    found[enough] = np.divide(product, square, out=np.full_like(square, np.nan), where=square > 0)
    return found


def expected_current_noise(
    current: Array, bias: Array, temperature: float, bandwidth: float
) -> Array:
    """Return the least noise that a tunnel junction has: shot and thermal, A rms.

    S = 2 e I coth(eV / 2 k T) (D. Rogovin and D. J. Scalapino, Ann. Phys. 86, 1 (1974)), over the
    bandwidth. Its limits are 2 e I (bias) and 4 k T I/V (temperature). The amplifier adds its own.

    Parameters
    ----------
    current : array
        A; of the sign of `bias`.
    bias : array
        V, of the same shape; not zero.
    temperature : float
        K.
    bandwidth : float
        Equivalent noise bandwidth, Hz.

    Raises
    ------
    BadInputError
        If temperature or bandwidth are not positive, or a bias is zero.
    """
    if temperature <= 0 or bandwidth <= 0 or np.any(np.asarray(bias) == 0):
        raise BadInputError(
            "give a positive temperature and bandwidth, and a bias that is not zero"
        )
    energy = ELEMENTARY_CHARGE * np.asarray(bias) / (2 * BOLTZMANN * temperature)
    density = 2 * ELEMENTARY_CHARGE * np.asarray(current) / np.tanh(energy)
    return np.asarray(np.sqrt(density * bandwidth))


@dataclass(frozen=True, slots=True)
class Stripes:
    """Whether a map has stripes along its rows."""

    std: float
    """Standard deviation of the rows' common offsets, unit of the map; 0 if none are seen."""
    share: float
    """Part of the map's variance."""
    p_value: float
    """Of such offsets if rows were as smooth as columns."""

    @property
    def striped(self) -> bool:
        """Whether stripes are significant (1 %) and matter (5 % of the variance)."""
        return self.p_value < 0.01 and self.share > STRIPED


def stripes_of(data: xr.DataArray) -> Stripes:
    """Find stripes along rows, as tip changes and slow noise make them.

    Third differences from row to row take out what is smooth; their median along a row is what all
    of it has in common. The same is done with columns. On a surface that is alike in both directions
    the mean squares of the two are alike, once the number and the distance of the pixels are
    allowed for; row noise adds twenty times its variance to the first. The p-value is that of
    Fisher's F, where third differences of white noise count 0.43 each.

    Parameters
    ----------
    data : xarray.DataArray
        A map over (``y``, ``x``) or (``topograph_y``, ``topograph_x``), m; rows were scanned along
        x, one after the other.

    Raises
    ------
    BadInputError, CannotTellError
        See :func:`stm_daq.analysis.maps.images.image_of`; eight rows and columns are needed.
    """
    from scipy import stats

    image = image_of(data, least=64)
    z = image.values
    if min(z.shape) < 8:
        raise CannotTellError(
            f"the map has {z.shape[0]} rows and {z.shape[1]} columns; eight are needed"
        )
    between_rows = _medians(np.diff(z, 3, axis=0))
    between_columns = _medians(np.diff(z.T, 3, axis=0))
    # medians over more pixels scatter less; wider steps differ more, and more so if all is smooth
    scale = (z.shape[0] / z.shape[1]) * max(1.0, image.step[1] / image.step[0]) ** 3
    rows = float(np.mean(between_rows**2))
    columns = float(np.mean(between_columns**2)) * scale
    counts = (INDEPENDENT * len(between_rows), INDEPENDENT * len(between_columns))
    p = float(stats.f.sf(rows / max(columns, 1e-300), *counts))
    variance = max(rows - columns, 0.0) / 20
    return Stripes(math.sqrt(variance), min(variance / float(np.nanvar(z)), 1.0), p)


def _medians(differences: Array) -> Array:
    some = np.isfinite(differences).any(axis=1)
    if some.sum() < 5:
        raise CannotTellError("hardly any four neighbouring rows or columns are known")
    return np.asarray(np.nanmedian(differences[some], axis=1))
