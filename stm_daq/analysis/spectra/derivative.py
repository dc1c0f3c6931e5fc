"""dI/dV from the current alone, with its uncertainty, as in C. Carbillet et al. (2020).

Every point is the slope of a cubic through a few neighbouring points of I(V). How many is decided at
each bias by the least mean squared error
(:func:`stm_daq.analysis.spectra.local_polynomials.best_half_widths`): few
at the coherence peaks, many where the spectrum is smooth. All spectra of a run are differentiated
by the same operator, so what it does to peaks is the same for all, and a model can be put through it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.sites import Mask
from stm_daq.analysis.spectra.local_polynomials import (
    Whole,
    best_half_widths,
    operator,
    systematic_error,
    white_noise,
)
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

ORDER = 3
"""Of the polynomials."""
FEWEST = 20
"""A spectrum of fewer points is not differentiated."""


@dataclass(frozen=True, slots=True)
class Derivative:
    """dI/dV of all spectra, at the points at which they were measured."""

    conductance: xr.DataArray
    """S, over the map and ``bias`` (ascending); NaN for a spectrum of which a point is missing."""
    std: xr.DataArray
    """Standard deviation of a point of any spectrum, from the noise of the current, S, over ``bias``;
    the noise of neighbouring points is correlated."""
    systematic: xr.DataArray
    """Error made by the width of the windows, rms over the spectra: what two orders more of the
    polynomials would change beyond the noise, S, over ``bias``."""
    current: Array
    """What was differentiated, A, shape (spectra, n); rows with NaN were not."""
    noise: Array
    """Standard deviation of a point of the current, A, shape (n,)."""
    operator: Array
    """``conductance = operator @ current``, 1/V, shape (n, n)."""
    half_widths: Whole
    """Points taken on each side, shape (n,)."""

    @property
    def bias(self) -> Array:
        """Ascending, V, shape (n,)."""
        return np.asarray(self.conductance["bias"].values, dtype=np.float64)

    @property
    def whole(self) -> Mask:
        """Which rows of `current` are complete, shape (spectra,)."""
        return np.asarray(np.isfinite(self.current).all(axis=1))

    def map(self, values: Array, **attributes: str) -> xr.DataArray:
        """Put one value a spectrum, shape (spectra,), where the spectra were taken."""
        import xarray as xr

        place = self.conductance.isel(bias=0, drop=True)
        return xr.DataArray(values.reshape(place.shape), place.coords, place.dims, attrs=attributes)


def differentiate(run: xr.Dataset) -> Derivative:
    """Differentiate the measured current of every spectrum.

    Parameters
    ----------
    run : xarray.Dataset
        From :func:`stm_daq.open_run`; ``current`` (A) over any dimensions and ``bias`` (V).

    Returns
    -------
    Derivative

    Raises
    ------
    BadInputError
        If there is no current against the bias, or the current was computed from dI/dV.
    CannotTellError
        If hardly any point or no whole spectrum was measured.
    """
    current = _measured(run)
    bias = np.asarray(current["bias"].values, dtype=np.float64)
    rows = np.asarray(current.values, dtype=np.float64).reshape(-1, len(bias))
    whole = np.isfinite(rows).all(axis=1)
    if not whole.any():
        raise CannotTellError("No spectrum is complete: the current of every one has gaps.")
    known = rows[whole]
    noise = white_noise(known, bias)
    halves = best_half_widths(known, bias, noise, ORDER)
    slope = operator(bias, halves, ORDER, 1)
    systematic = systematic_error(known, bias, noise, halves, ORDER)
    over_bias = current.isel({name: 0 for name in current.dims if name != "bias"}, drop=True)
    return Derivative(
        conductance=_like(current, (rows @ slope.T).reshape(current.shape), "dI/dV"),
        std=_like(over_bias, np.linalg.norm(slope * noise, axis=1), "standard deviation of dI/dV"),
        systematic=_like(over_bias, systematic, "systematic error of dI/dV"),
        current=rows,
        noise=noise,
        operator=slope,
        half_widths=halves,
    )


def _measured(run: xr.Dataset) -> xr.DataArray:
    """Return the current with ascending bias as its last dimension."""
    if "current" not in run or "bias" not in run["current"].dims:
        raise BadInputError("there is no current against the bias: give a run of bias sweeps")
    origin = json.loads(run.attrs.get("metadata", "{}")).get("current", "measured")
    if origin != "measured":
        raise BadInputError(
            f"the current of this run was {origin}: to differentiate it gives nothing new; take a "
            "station whose lock-in records the preamplifier's dc output"
        )
    current = run["current"].transpose(..., "bias").sortby("bias")
    bias = current["bias"].values
    if len(bias) < FEWEST:
        raise CannotTellError(f"{len(bias)} points a spectrum are too few to differentiate it.")
    if not (np.isfinite(bias).all() and np.all(np.diff(bias) > 0)):
        raise BadInputError("the bias has values that are missing or given twice")
    return current


def _like(example: xr.DataArray, values: Array, name: str) -> xr.DataArray:
    found = example.copy(data=values)
    found.attrs = {"units": "S", "long_name": name}
    return found


@dataclass(frozen=True, slots=True)
class LockInCheck:
    """How dI/dV from the current compares with that of the lock-in, over all spectra."""

    ratio: float
    """Of the former to the latter, where both are large; one without errors of calibration."""
    std: float
    """Its standard deviation, from the scatter of the points."""
    rms: float
    """Of their difference relative to the standard deviation expected of it; one if both agree."""


def against_lock_in(run: xr.Dataset, derivative: Derivative) -> LockInCheck:
    """Compare dI/dV from the current with the lock-in's, where the spectrum changes slowly.

    At the coherence peaks they may differ: the lock-in sees them through its modulation, the
    derivative through its window. Points where the window's systematic error is above the noise, or
    where the lock-in's filter remembers another slope, are left out.

    Parameters
    ----------
    run : xarray.Dataset
        With ``conductance`` over the same dimensions as ``current``.
    derivative : Derivative
        Of the same run.

    Raises
    ------
    CannotTellError
        If there are no common points.
    """
    lock_in = run["conductance"].transpose(*run["current"].dims)
    lock_in = lock_in.transpose(..., "bias").sortby("bias")
    theirs = lock_in.values.reshape(-1, len(derivative.bias))
    ours = derivative.conductance.values.reshape(theirs.shape)
    rows = np.isfinite(theirs).all(axis=1) & derivative.whole
    smooth = derivative.systematic.values < derivative.std.values
    smooth &= np.abs(derivative.bias) > np.abs(derivative.bias).max() / 4
    if not rows.any() or smooth.sum() < FEWEST:
        raise CannotTellError("No spectrum has both a current and a lock-in signal to compare.")
    theirs, ours = theirs[rows][:, smooth], ours[rows][:, smooth]
    noise = white_noise(theirs, derivative.bias[smooth])
    expected = np.hypot(noise, derivative.std.values[smooth])
    weights = theirs.mean(axis=0) / expected**2  # not of single points: their noise counts twice
    known = (weights * theirs).sum()
    ratio = float((weights * ours).sum() / known)
    left = ours - ratio * theirs
    std = float(np.sqrt((weights**2 * left**2).sum()) / known)
    return LockInCheck(ratio, std, float(np.sqrt(np.mean((left / expected) ** 2))))
