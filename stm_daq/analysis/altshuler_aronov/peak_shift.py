"""How much further out than the gap the coherence peaks lie, and the gap without that.

Temperature, broadening and modulation move a peak of dI/dV away from the gap, and so does the window
of the derivative. A superconductor with the background of `stm_daq.physics.altshuler_aronov` is
therefore fitted to the mean spectrum of the sites with a typical gap; its current, for many gaps, goes
through the very steps that the data went through. The peaks found there against the gaps put in are
the curve by which every half peak-to-peak distance is read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.altshuler_aronov.coherence_peaks import Peaks, peaks_of
from stm_daq.analysis.spectra.derivative import Derivative
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.physics import altshuler_aronov
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

TYPICAL = 0.2
"""This part of the sites, those nearest to the median peak distance, makes the mean spectrum."""
FITTED_TO = 4.0
"""The fit reaches to so many times the peaks."""
GAPS = 25
"""In the curve of peaks against gaps."""
BEYOND = 0.2
"""The curve reaches so far beyond the smallest and the largest distance."""
ADEQUATE = 2.0
"""A model that misses the mean spectrum by more (rms over the standard deviation of one spectrum)
corrects nothing."""


@dataclass(frozen=True, slots=True)
class TrueGaps:
    """Gaps without the shift of the peaks."""

    gap: xr.DataArray
    """eV; NaN where there are no peaks."""
    gap_std: xr.DataArray
    """From the noise alone."""
    shift: float
    """Median of half the peak distance less the gap, eV."""
    shift_by_physics: float
    """Part of it that a perfect derivative would see as well: temperature, broadening, modulation."""
    broadening: float
    """Of the density of states, as fitted at the temperature below, eV."""
    temperature: float
    """That was assumed, K."""
    misfit: float
    """rms of mean spectrum less model, over the standard deviation of one spectrum."""


@dataclass(frozen=True, slots=True)
class _Film:
    """What decides a spectrum apart from its gap."""

    temperature: float
    exponent: float
    modulation: float

    def current(self, bias: Array, gap: Array | float, broadening: float) -> Array:
        """In units of the conductance at 10 mV, V."""
        return altshuler_aronov.current(
            bias, gap, self.temperature, np.inf, self.exponent, broadening, self.modulation
        )


def without_shift(
    run: xr.Dataset, derivative: Derivative, peaks: Peaks, exponent: float
) -> TrueGaps:
    """Correct half the peak distance to the gap.

    Parameters
    ----------
    run : xarray.Dataset
        With ``stage_temperature``, and the modulation among its attributes. The electrons are taken to
        be as cold as the stage; if they are warmer, the broadening stands for that.
    derivative, peaks
        Of this run.
    exponent : float
        Of the background, from :func:`stm_daq.analysis.altshuler_aronov.exponents.fit_exponents`.

    Raises
    ------
    BadInputError
        If the exponent is negative.
    CannotTellError
        If hardly any spectrum has peaks, the temperature is not known, or the model does not describe
        the mean spectrum.
    """
    distance = peaks.gap.values.ravel()
    known = np.isfinite(distance)
    film = _film(run, exponent)
    if not known.any():
        raise CannotTellError("No spectrum has two coherence peaks.")
    from_median = np.abs(distance - np.median(distance[known]))
    typical = np.argsort(from_median)[: math.ceil(TYPICAL * known.sum())]  # NaN come last
    mean = derivative.current[typical].mean(axis=0)
    centre = float(np.nanmedian(peaks.centre.values))
    broadening, misfit = _fit(derivative, mean, film, float(np.median(distance[known])), centre)
    gaps, seen = _curve(derivative, peaks, film, broadening, distance[known])
    gap = np.interp(distance, seen, gaps, left=np.nan, right=np.nan)
    slope = np.interp(distance, seen, np.gradient(gaps, seen))
    middle = float(np.nanmedian(gap))
    return TrueGaps(
        gap=derivative.map(gap, units="eV", long_name="gap without the shift of the peaks"),
        gap_std=derivative.map(slope * peaks.gap_std.values.ravel(), units="eV"),
        shift=float(np.nanmedian(distance - gap)),
        shift_by_physics=_perfect_peak(film, middle, broadening) - middle,
        broadening=broadening,
        temperature=film.temperature,
        misfit=misfit,
    )


def _film(run: xr.Dataset, exponent: float) -> _Film:
    if not exponent >= 0:
        raise BadInputError(
            f"the exponent of the background is {exponent:g}; it must not be negative"
        )
    if "stage_temperature" not in run:
        raise CannotTellError("The shift of the peaks needs the temperature of the stage.")
    temperatures = run["stage_temperature"].values
    if not np.isfinite(temperatures).any():
        raise CannotTellError("The shift of the peaks needs the temperature of the stage.")
    modulation = float(run.attrs.get("modulation", 0.0))
    return _Film(float(np.nanmedian(temperatures)), exponent, modulation)


def _fit(
    derivative: Derivative, mean: Array, film: _Film, start: float, centre: float
) -> tuple[float, float]:
    """Return broadening (eV) and misfit of the mean spectrum."""
    from scipy.optimize import least_squares

    bias, std = derivative.bias, derivative.std.values
    near = np.abs(bias) < FITTED_TO * start
    slope = derivative.operator[near]
    measured = slope @ mean

    def left(parameters: Array) -> Array:
        gap, broadening = parameters
        shape = slope @ film.current(bias - centre, gap, broadening)
        scale = (shape * measured / std[near] ** 2).sum() / (shape**2 / std[near] ** 2).sum()
        return np.asarray((measured - scale * shape) / std[near])

    found = least_squares(
        left,
        [0.9 * start, 0.05 * start],
        bounds=([0.3 * start, 0.0], [1.2 * start, start]),
        x_scale=[0.01 * start, 0.01 * start],
    )
    misfit = float(np.sqrt(np.mean(left(found.x) ** 2)))
    if misfit > ADEQUATE:
        raise CannotTellError(
            f"No broadened gap describes the mean spectrum (misfit {misfit:.3g} standard "
            "deviations): the shift of the peaks is not known."
        )
    return float(found.x[1]), misfit


def _curve(
    derivative: Derivative, peaks: Peaks, film: _Film, broadening: float, distance: Array
) -> tuple[Array, Array]:
    """Return gaps, and half the peak distance that the analysis finds for them, both ascending."""
    smallest, largest = float(distance.min()), float(distance.max())
    gaps = np.linspace((1 - BEYOND) * smallest, largest, GAPS)
    rows = film.current(derivative.bias, gaps, broadening)
    minus, plus = peaks_of(rows, derivative.operator, derivative.noise, peaks.window)
    seen = (plus.place - minus.place) / 2
    found = np.isfinite(seen)
    # a point of the grid may hold a peak a little longer than the next takes it up
    gaps, seen = gaps[found], np.maximum.accumulate(seen[found])
    rising = np.concatenate([[True], np.diff(seen) > 0])[: len(seen)]
    if rising.sum() < GAPS // 2:
        raise CannotTellError("The bias is too coarse to read gaps from peaks.")
    return gaps[rising], seen[rising]


def _perfect_peak(film: _Film, gap: float, broadening: float) -> float:
    """Return where dI/dV itself has its peak, V."""
    fine = np.linspace(0.8 * gap, 1.6 * gap, 2001)
    step = fine[1] - fine[0]
    slope = np.gradient(film.current(fine, gap, broadening), step)
    return float(fine[1:-1][np.argmax(slope[1:-1])])
