"""The gap as half the distance of the two coherence peaks, as in C. Carbillet et al. (2020).

A peak of dI/dV is the inflexion of I(V): where the cubic through the points around it has its largest
slope, which lies between the points. The uncertainty follows from the noise of the current. The peaks
lie further out than the gap; by how much is found by `stm_daq.analysis.altshuler_aronov.peak_shift`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.sites import Mask
from stm_daq.analysis.spectra.derivative import Derivative
from stm_daq.analysis.spectra.local_polynomials import Whole, operator
from stm_daq.errors import CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

SEARCHED = (0.6, 1.5)
"""Where the peak of a spectrum is sought, relative to that of the mean spectrum."""
PEAKED = 1.1
"""A peak is higher by this factor than the background next to it."""
UNCERTAIN = 0.05
"""A peak that noise moves by more, relative to its place, is none."""
ENOUGH = 0.5
"""If less of the spectra have peaks, these are the tail of something else."""
STEPS = 4
"""So often the window is moved to where the peak was found."""
SIGNIFICANT = 2.0
"""The curvature of a peak stands out of the noise of one spectrum by so many standard deviations: in
narrower windows noise makes peaks of its own, wider ones shift the peak."""


@dataclass(frozen=True, slots=True)
class Window:
    """How peaks are found: the same for all spectra of a run."""

    bias: Array
    """V, ascending, shape (n,)."""
    near: float
    """Where the mean spectrum has its peaks, V."""
    half_width: int
    """Points on each side of a peak through which the cubic goes."""
    second: Array
    """Turns a current into half its second derivative, shape (n, n)."""
    third: Array
    """Turns it into a sixth of its third derivative."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """Where the coherence peaks of every spectrum are; NaN where there is none."""

    gap: xr.DataArray
    """Half their distance, eV."""
    gap_std: xr.DataArray
    """Its standard deviation."""
    centre: xr.DataArray
    """Middle between them, V: an offset of the bias."""
    window: Window


@dataclass(frozen=True, slots=True)
class _Side:
    """One peak of every spectrum."""

    place: Array
    """V, shape (m,); NaN where there is none."""
    std: Array


def find_peaks(derivative: Derivative, below: float) -> Peaks:
    """Find the coherence peaks of every spectrum.

    Parameters
    ----------
    derivative : Derivative
    below : float
        The peaks of the mean spectrum are sought below this bias, V: where only background is left.

    Raises
    ------
    CannotTellError
        If the mean spectrum has no peaks, too few points there, or most spectra have none.
    """
    window = peak_window(derivative, below)
    whole = derivative.whole
    sides = peaks_of(derivative.current[whole], derivative.operator, derivative.noise, window)
    minus, plus = (_spread(side, whole) for side in sides)
    found = np.isfinite(minus.place + plus.place).sum()
    if found < ENOUGH * whole.sum():
        raise CannotTellError(
            f"Only {found} of {whole.sum()} spectra have two coherence peaks near"
            f" {window.near * 1e3:.3g} mV."
        )
    return Peaks(
        gap=derivative.map(
            (plus.place - minus.place) / 2, units="eV", long_name="half peak distance"
        ),
        gap_std=derivative.map(np.hypot(plus.std, minus.std) / 2, units="eV"),
        centre=derivative.map(
            (plus.place + minus.place) / 2, units="V", long_name="middle of peaks"
        ),
        window=window,
    )


def peak_window(derivative: Derivative, below: float) -> Window:
    """Choose where peaks are sought, and how many points make one.

    Raises
    ------
    CannotTellError
        If the mean spectrum has no peaks below this bias (V), or too few points there.
    """
    bias = derivative.bias
    mean = derivative.current[derivative.whole].mean(axis=0)
    near = _peak_of_mean(bias, derivative.operator @ mean, below)
    row = mean[np.newaxis]
    for half in range(2, len(bias) // 8):
        second = operator(bias, half, 3, 2) / 2
        third = operator(bias, half, 3, 3) / 6
        window = Window(bias, near, half, second, third)
        sides = peaks_of(row, derivative.operator, derivative.noise, window)
        places = [float(side.place[0]) for side in sides]
        if (
            np.isfinite(places).all()
            and _curvature(mean, derivative.noise, window, places) > SIGNIFICANT
        ):
            return window
    raise CannotTellError(
        f"The coherence peaks at {near * 1e3:.3g} mV are lost in the noise of the current: average "
        "more sweeps."
    )


def _curvature(mean: Array, noise: Array, window: Window, places: list[float]) -> float:
    """Return by how much the peaks' curvature stands out of one spectrum's noise, the lesser one."""
    at = [int(np.argmin(np.abs(window.bias - place))) for place in places]
    third = window.third[at]
    return float(np.min(-(third @ mean) / np.linalg.norm(third * noise, axis=1)))


def _peak_of_mean(bias: Array, slope: Array, below: float) -> float:
    """Return where both halves of the mean spectrum together have their peak, V."""
    if not (bias[0] <= -below and below <= bias[-1]):
        raise CannotTellError(f"The bias does not reach to ±{below * 1e3:.3g} mV.")
    grid = np.linspace(below / 100, below, 400)
    folded = np.interp(grid, bias, slope) + np.interp(-grid, bias, slope)
    background = np.polynomial.Polynomial.fit(grid[-100:], folded[-100:], 1)
    top = int(np.argmax(folded / np.maximum(background(grid), folded[-1] / 2)))
    height = folded[top] / max(float(background(grid[top])), folded[-1] / 2)
    if top in (0, len(grid) - 1) or height < PEAKED:
        raise CannotTellError(
            f"The mean spectrum has no coherence peaks below {below * 1e3:.3g} mV: take the gap from "
            "a fit, or a bias range that suits it."
        )
    return float(grid[top])


def peaks_of(rows: Array, slope: Array, noise: Array, window: Window) -> tuple[_Side, _Side]:
    """Find both peaks of currents.

    Parameters
    ----------
    rows : ndarray, shape (m, n)
        A, without NaN.
    slope : ndarray, shape (n, n)
        Operator of dI/dV.
    noise : ndarray, shape (n,)
        Standard deviation of the current, A.
    window : Window

    Returns
    -------
    minus, plus
        The peaks at negative and positive bias.
    """
    conductance = rows @ slope.T
    second, third = rows @ window.second.T, rows @ window.third.T
    low, high = (part * window.near for part in SEARCHED)
    sides = []
    for sign in (-1.0, 1.0):
        allowed = np.flatnonzero((sign * window.bias > low) & (sign * window.bias < high))
        at = allowed[np.argmax(conductance[:, allowed], axis=1)]
        sides.append(_refined(second, third, noise, window, at, allowed))
    return sides[0], sides[1]


def _refined(
    second: Array, third: Array, noise: Array, window: Window, at: Whole, allowed: Whole
) -> _Side:
    """Move the window to the peak that it finds until it stays, and read the peak there."""
    bias, row = window.bias, np.arange(len(at))
    middles = (bias[1:] + bias[:-1]) / 2
    for _ in range(STEPS):
        a2, a3 = second[row, at], third[row, at]
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = np.where(a3 < 0, -a2 / (3 * a3), np.nan)
        place = bias[at] + shift
        moved = np.searchsorted(middles, np.nan_to_num(place))
        at = np.where(np.isfinite(place), np.clip(moved, allowed[0], allowed[-1]), at)
    step = np.gradient(bias)[at]
    found = np.isfinite(place) & (np.abs(place - bias[at]) <= step)
    found &= (at > allowed[0]) & (at < allowed[-1])
    # of -a2 / (3 a3), with the noise that both coefficients share
    weights = (window.second[at] + 3 * shift[:, None] * window.third[at]) / (3 * a3[:, None])
    std = np.linalg.norm(weights * noise, axis=1)
    found &= std <= UNCERTAIN * window.near
    return _Side(np.where(found, place, np.nan), np.where(found, std, np.nan))


def _spread(side: _Side, whole: Mask) -> _Side:
    """Put values of whole spectra among all; the others are NaN."""
    place, std = np.full(len(whole), np.nan), np.full(len(whole), np.nan)
    place[whole], std[whole] = side.place, side.std
    return _Side(place, std)
