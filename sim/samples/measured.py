"""A sample made of measured data: a real topograph, and real spectra of several temperatures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

type Array = NDArray[np.float64]

GRID_POINTS = 2001
"""Points of the common bias grid of all curves."""
NORMAL_PART = 0.1
"""Fraction of each end of a curve that is taken as normal-state conductance."""
SMOOTHING = 0.02
"""Width of the field that chooses the curve, relative to the topograph's width."""
_NODES = 16
_ANGLES = np.pi * np.arange(1, _NODES + 1) / (_NODES + 1)
_HARMONIC = np.cos(_ANGLES), 2 / (_NODES + 1) * np.sin(_ANGLES) ** 2
_MEAN = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES), np.full(_NODES, 1 / _NODES)
"""Quadratures of the lock-in's first harmonic and of the mean over one period of modulation."""


@dataclass(frozen=True, slots=True)
class MeasuredJunction:
    """A junction whose conductance was measured.

    The modulation smears the curve in addition to what temperature and modulation did to it when
    it was measured. Outside the measured bias range the conductance keeps its last value.
    """

    temperature: float
    """Temperature at which the curve was measured (interpolated between two), K."""
    bias: Array
    """Regular grid, V."""
    curve: Array
    """dI/dV relative to the normal state, on the grid."""
    integral: Array
    """Current divided by the normal-state conductance, V, on the grid; 0 at zero bias."""

    @property
    def truth(self) -> Mapping[str, float]:
        """The temperature; nobody knows gap and barrier of a measured curve."""
        return {"temperature": self.temperature}

    def conductance(self, bias: Array, modulation: float) -> Array:
        """Return dI/dV relative to the normal state, shape (n,)."""
        nodes, weights = _HARMONIC
        smeared: Array = self._curve_at(np.add.outer(bias, modulation * nodes)) @ weights
        return smeared

    def current(self, bias: Array, modulation: float) -> Array:
        """Return the dc current divided by the normal-state conductance, V, shape (n,)."""
        nodes, weights = _MEAN
        volts = np.add.outer(bias, modulation * nodes)
        inside = np.clip(volts, self.bias[0], self.bias[-1])
        end = np.where(volts > 0, self.curve[-1], self.curve[0])
        integral = np.interp(inside, self.bias, self.integral)
        current: Array = (integral + (volts - inside) * end) @ weights
        return current

    def _curve_at(self, volts: Array) -> Array:
        return np.interp(volts, self.bias, self.curve)


class Measured:
    """A real surface with real spectra on it.

    The topograph lies centred on the origin and is mirrored at its edges, so that every position
    has a height. Which spectrum is found at a place follows from the smoothed height there: the
    coldest curve in the deepest valleys, the hottest on the highest hills, in between the two
    nearest curves mixed linearly.

    Parameters
    ----------
    heights : array, shape (ny, nx)
        Topograph, m; row 0 at the bottom.
    size : (float, float)
        Width and height of the topograph, m.
    spectra : sequence of (float, array, array)
        Temperature (K), bias (V), conductance (S, or in any other unit: each curve is normalised to
        its own outer ends). At least one; all must cover a bias range around zero.

    Raises
    ------
    ValueError
        If the topograph has gaps, or a spectrum cannot be normalised.
    """

    def __init__(
        self,
        heights: ArrayLike,
        size: tuple[float, float],
        spectra: Sequence[tuple[float, ArrayLike, ArrayLike]],
    ) -> None:
        self._heights = np.asarray(heights, dtype=np.float64)
        if self._heights.ndim != 2 or not np.all(np.isfinite(self._heights)):
            raise ValueError("the topograph must be a complete map: two-dimensional, without NaN")
        if not spectra:
            raise ValueError("at least one spectrum is needed")
        self._size = size
        from scipy.ndimage import gaussian_filter  # slow to import, rarely needed

        smooth = gaussian_filter(self._heights, SMOOTHING * self._heights.shape[1], mode="mirror")
        low, high = float(smooth.min()), float(smooth.max())
        self._warmth = (smooth - low) / (high - low) if high > low else np.zeros_like(smooth)
        ordered = sorted(spectra, key=lambda spectrum: spectrum[0])
        curves = [_clean(np.asarray(v, float), np.asarray(g, float)) for _, v, g in ordered]
        lowest = max(v[0] for v, _ in curves)
        highest = min(v[-1] for v, _ in curves)
        if not lowest < 0 < highest:
            raise ValueError("the spectra have no common bias range around zero")
        self._bias = np.linspace(lowest, highest, GRID_POINTS)
        self._temperatures = np.array([float(t) for t, _, _ in ordered])
        self._curves = np.array([np.interp(self._bias, v, g) for v, g in curves])

    def height(self, x: Array, y: Array) -> Array:
        """Return the height of the surface, m, at positions (m) of any one shape."""
        return self._interpolate(self._heights, x, y)

    def junction(self, x: float, y: float, stage_temperature: float) -> MeasuredJunction:
        """Return the measured junction at (x, y), m, whatever the temperature of the stage."""
        warmth = float(self._interpolate(self._warmth, np.array([x]), np.array([y]))[0])
        place = warmth * (len(self._curves) - 1)
        colder = min(int(place), max(len(self._curves) - 2, 0))
        warmer = min(colder + 1, len(self._curves) - 1)
        part = place - colder
        curve = (1 - part) * self._curves[colder] + part * self._curves[warmer]
        temperatures = self._temperatures
        temperature = (1 - part) * temperatures[colder] + part * temperatures[warmer]
        return MeasuredJunction(float(temperature), self._bias, curve, self._integrate(curve))

    def _integrate(self, curve: Array) -> Array:
        step = self._bias[1] - self._bias[0]
        integral = np.concatenate([[0.0], np.cumsum(0.5 * step * (curve[1:] + curve[:-1]))])
        at_zero: Array = integral - np.interp(0.0, self._bias, integral)
        return at_zero

    def _interpolate(self, field: Array, x: Array, y: Array) -> Array:
        from scipy.ndimage import map_coordinates

        rows, columns = field.shape
        width, height = self._size
        j = (np.asarray(x) / width + 0.5) * columns - 0.5
        i = (np.asarray(y) / height + 0.5) * rows - 0.5
        values: Array = map_coordinates(field, [i, j], order=1, mode="reflect")
        return values


def _clean(bias: Array, conductance: Array) -> tuple[Array, Array]:
    """Return one curve sorted by bias, without gaps, normalised to its outer ends."""
    good = np.isfinite(bias) & np.isfinite(conductance)
    volts, where = np.unique(bias[good], return_inverse=True)
    values = np.bincount(where, conductance[good]) / np.bincount(where)
    ends = max(1, round(NORMAL_PART * len(volts)))
    if len(volts) < 3:
        raise ValueError("a spectrum has fewer than three points")
    normal = 0.5 * (values[:ends].mean() + values[-ends:].mean())
    if not normal > 0:
        raise ValueError("a spectrum has no positive conductance at its ends to normalise by")
    return volts, values / normal
