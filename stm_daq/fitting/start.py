"""Start values: the centre of symmetry, then the best of some thousand template spectra."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.models import MODELS, Model, bounds, family, to_coordinate
from stm_daq.physics.btk import K_B

type Array = NDArray[np.float64]
type Scalars = tuple[float | None, ...]

_TABLES = {
    "gap": np.geomspace(0.03, 0.8, 16),  # of the largest bias
    "temperature": np.geomspace(0.02, 2.0, 10),  # kT in units of the gap
    "barrier": np.array([0.0, 0.25, 0.45, 0.65, 0.9, 1.3, 2.0, 3.5]),
    "broadening": np.array([0.01, 0.05, 0.15, 0.4]),  # in units of the gap
    "weight": np.array([0.2, 0.5, 0.8]),
    "exponent": np.array([0.0, 0.25, 0.5, 1.0]),
}
_RATIOS = np.geomspace(1.3, 4.0, 5)
"""A second gap in units of the first."""

_MOST = 6000
"""Templates of all combinations; where there are more, _SAMPLE of them are spread over the ranges."""
_SAMPLE = 4096
_SLOW_SAMPLE = 512
"""The same for a model that is not compiled."""

_WIDTHS = {"temperature": 0.6, "barrier": 0.25, "weight": 0.3, "exponent": 0.3}
"""How far a start value may lie from its template, in the coordinates of the search."""
_FACTORS = {"gap": 1.3, "broadening": 3.0}
"""The same for those known by ratio."""


class Templates:
    """Template spectra on |V - offset|, for one bias range, modulation and choice of parameters.

    Parameters
    ----------
    model : Model
    scalars : tuple of float or None
        Values of the parameters of its shape that are the same in all spectra, else None.
    largest, spacing : float
        Largest |bias| and typical distance of neighbouring biases, V.
    modulation, voltage_noise : float
        Peak of the lock-in modulation and rms of the noise of the bias, V.

    Attributes
    ----------
    spectra : ndarray of float32, shape (k, BINS)
    slopes : ndarray of float32, shape (k, m, BINS)
        Derivatives by the search coordinates.
    boxes : ndarray, shape (k, 3, m)
        Lowest coordinates to start from, those of the template, and highest.
    """

    def __init__(
        self,
        model: Model,
        scalars: Scalars,
        largest: float,
        spacing: float,
        modulation: float,
        voltage_noise: float,
    ) -> None:
        from stm_daq.fitting.kernel_start import BINS

        coordinates = _grid(model, scalars, largest, spacing)
        count, size = coordinates.shape
        centres = np.asarray((np.arange(BINS) + 0.5) * (largest / BINS), dtype=np.float64)
        self.spectra = np.empty((count, BINS), dtype=np.float32)
        self.slopes = np.empty((count, size, BINS), dtype=np.float32)
        out = np.empty((size + 2, BINS))
        for row, theta in enumerate(coordinates):
            model.shape.evaluate(centres, theta, modulation, voltage_noise, out)
            self.spectra[row] = out[0]
            self.slopes[row] = out[1:-1]
        self.boxes = _boxes(model, scalars, coordinates, largest, spacing)


@lru_cache(maxsize=8)
def templates_of(
    model: str,
    scalars: Scalars,
    largest: float,
    spacing: float,
    modulation: float,
    voltage_noise: float,
) -> Templates:
    """The `Templates` of a model; making them takes as long as some hundred fits."""
    return Templates(MODELS[model], scalars, largest, spacing, modulation, voltage_noise)


def _grid(model: Model, scalars: Scalars, largest: float, spacing: float) -> Array:
    """Coordinates (k, m) of the templates."""
    names = model.shape.names
    if not names:
        return np.empty((1, 0))
    tables = [
        _table(name) if value is None else np.array([value])
        for name, value in zip(names, scalars, strict=True)
    ]
    rows = _combinations(tables, _SAMPLE if model.shape.compiled else _SLOW_SAMPLE)
    gap = rows[:, 0] * (largest if scalars[0] is None else 1.0)
    units = {"gap": gap, "temperature": gap / K_B, "broadening": gap}
    lower, upper = bounds(model, largest, spacing)
    for k, (name, value) in enumerate(zip(names, scalars, strict=True)):
        if value is None:
            column = gap if k == 0 else rows[:, k] * units.get(family(name), 1.0)
            rows[:, k] = np.clip(to_coordinate(model, name, column), lower[k], upper[k])
        else:
            rows[:, k] = to_coordinate(model, name, rows[:, k])
    return rows


def _table(name: str) -> Array:
    return _RATIOS if name == "gap2" else _TABLES[family(name)]


def _combinations(tables: list[Array], sample: int) -> Array:
    """All combinations of the tables' values, or an even sample of so many if those are too many."""
    if math.prod(len(table) for table in tables) <= max(_MOST * sample // _SAMPLE, 1):
        return np.array(list(product(*tables)))
    open_ = [k for k, table in enumerate(tables) if len(table) > 1]
    ratio = 2.0
    for _ in range(40):  # root of x^(d+1) = x + 1: the golden ratio of d dimensions
        ratio = (1.0 + ratio) ** (1.0 / (len(open_) + 1))
    number = np.arange(1, sample + 1)
    rows = np.empty((sample, len(tables)))
    rows[:] = [table[0] for table in tables]
    for dimension, k in enumerate(open_):
        place = (0.5 + number * ratio ** -(dimension + 1.0)) % 1.0 * (len(tables[k]) - 1)
        rows[:, k] = np.interp(place, np.arange(len(tables[k])), tables[k])
    return rows


def _boxes(
    model: Model, scalars: Scalars, coordinates: Array, largest: float, spacing: float
) -> Array:
    lower, upper = bounds(model, largest, spacing)
    boxes = np.repeat(coordinates[:, None, :], 3, axis=1)
    for k, name in enumerate(model.shape.names):
        if scalars[k] is not None:
            continue
        kind, column = family(name), coordinates[:, k]
        if kind in _FACTORS:
            boxes[:, 0, k], boxes[:, 2, k] = column / _FACTORS[kind], column * _FACTORS[kind]
        else:
            boxes[:, 0, k], boxes[:, 2, k] = column - _WIDTHS[kind], column + _WIDTHS[kind]
        boxes[:, ::2, k] = np.clip(boxes[:, ::2, k], lower[k], upper[k])
    return boxes
