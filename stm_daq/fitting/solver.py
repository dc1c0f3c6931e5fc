"""From spectra to the minimum of chi-square: start, search, noise, search again.

Everything here handles a tile of some dozen spectra at once by compiled functions.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.descent import Descent, Part
from stm_daq.fitting.models import Choice, bounds, family, to_coordinate
from stm_daq.fitting.start import Templates, templates_of

type Array = NDArray[np.float64]
type Mask = NDArray[np.bool_]

ACCURACY = 1e-4
"""The noise is never taken smaller than this part of the conductance."""

COARSE, FINE = 0.3, 1e-3
"""Decrease of chi-square at which the search stops before and after the noise is known."""

LEAP = 2.0
"""A gap changes by no more than this factor in one step: far from it nothing is known."""

APART = 1.5
"""Ratio of gaps by which the second start differs from the first."""

POOR = 1.5
"""Reduced chi-square above which the second start is tried in any case."""

RIVAL = 25.0
"""The second start is also tried where, before the search, its chi-square is within this."""

MATCH = 20.0
"""Difference in chi-square, before the noise is known, up to which a second search is finished."""

NEAR = 1.0
"""Squared distance, in standard deviations, below which two searches have found the same minimum."""

DISTINCT = 9.0
"""Squared distance, in standard deviations, of a second minimum from the first."""

KNEES = {"linear": 1.0, "soft_l1": 1.5, "huber": 1.345, "cauchy": 2.385}
"""Losses and where they depart from squares, in standard deviations (95 % efficiency on clean data)."""

LOSSES = tuple(KNEES)
"""In the order of their numbers in `kernel_search`."""

_CLIP = {True: 16.0, False: 4.0}
_CLIPPED = {True: 1.0, False: 0.9205}
"""Squares beyond `_CLIP` variances are pulled in when noise is estimated, more so by a robust loss;
normal noise then seems smaller by this factor."""


@dataclass(frozen=True)
class Tile:
    """Spectra in ascending bias, each with median magnitude 1; shapes (p, n) and (p,)."""

    bias: Array
    values: Array
    counts: NDArray[np.int64]
    """Valid points, which come first."""
    weight: Array | None
    """Inverse variances if known."""
    held: Array
    """Search coordinates of the fixed parameters, (p, m + 4); NaN where free."""


@dataclass(frozen=True)
class Found:
    """Where the search of each spectrum of a tile ended."""

    theta: Array
    chi_square: Array
    matrix: Array
    """J^T W J, (p, f, f)."""
    vector: Array
    """J^T W residual, (p, f)."""
    columns: Array
    """Model and derivatives at theta, (p, m + 2, n), as long as the search goes on."""
    residual: Array
    weight: Array
    converged: Mask
    rival: Array
    """Chi-square of a minimum at another gap; infinite if none was seen."""


class Solver:
    """A model with its free parameters and smearing, ready for spectra of one bias range.

    Parameters
    ----------
    choice : Choice
    largest, spacing : float
        Largest |bias| and typical distance of neighbouring biases, V.
    modulation, voltage_noise : float
        Peak of the lock-in modulation and rms of the noise of the bias, V.
    loss : str
        A key of `KNEES`.
    """

    def __init__(
        self,
        choice: Choice,
        largest: float,
        spacing: float,
        modulation: float = 0.0,
        voltage_noise: float = 0.0,
        loss: str = "linear",
    ) -> None:
        self.choice = choice
        self.largest = largest
        self.loss = loss
        self.smearing = (modulation, voltage_noise)
        lower, upper = bounds(choice.model, largest, spacing)
        self.lower, self.upper = lower[choice.index], upper[choice.index]
        leaps = [LEAP if family(name) == "gap" else np.inf for name in choice.free]
        self._leap = np.array(leaps)
        self._spacing = spacing
        self._shape = len(choice.model.shape.names)

    @cached_property
    def descent(self) -> Descent:
        """The same search in Python, for what the compiled one does not know."""
        robust = (LOSSES.index(self.loss), KNEES[self.loss])
        return Descent(self.choice, self.lower, self.upper, self.smearing, robust)

    @cached_property
    def _templates(self) -> Templates:
        """Made when first needed: a map fitted by a table may never need them."""
        choice = self.choice
        scalars = tuple(choice.scalar(name) for name in choice.model.shape.names)
        return templates_of(choice.model.name, scalars, self.largest, self._spacing, *self.smearing)

    def held(self, rows: NDArray[np.int64], unit: Array) -> Array:
        """Search coordinates of the fixed parameters of some spectra of the stack, else NaN.

        `unit` is what the conductance of each was divided by.
        """
        model = self.choice.model
        held = np.full((len(rows), len(model.names)), np.nan)
        for name, value in self.choice.fixed.items():
            own = value[rows] if value.ndim else value
            scaled = own / unit if name in ("scale", "current_offset") else own
            held[:, model.names.index(name)] = to_coordinate(model, name, scaled)
        return held

    def curve(self, theta: Array, bias: Array) -> Array:
        """The fitted curve of one spectrum at any bias, shape (n,)."""
        shape = self._shape
        scale, offset, slope = theta[shape : shape + 3].tolist()
        shifted = np.ascontiguousarray(bias - offset)
        out = np.empty((shape + 2, len(bias)))
        self.choice.model.shape.evaluate(shifted, theta[:shape].copy(), *self.smearing, out)
        return np.asarray(scale * out[0] * (1.0 + slope * shifted))

    def solve(self, tile: Tile) -> Found:
        """Find the minimum of chi-square of every spectrum."""
        from stm_daq.fitting import kernel_noise

        centre = self._centres(tile)
        weight = tile.weight
        if weight is None:
            weight = np.ones_like(tile.values)
            kernel_noise.weights_before(
                tile.bias, tile.values, tile.counts, centre, _CLIP[True], ACCURACY**2, weight
            )
        first, second, hope = self._starts(tile, weight, centre)
        found = self._begin(first, tile, weight)
        every = np.ones(len(first), dtype=np.bool_)
        self._descend(tile, found, every, COARSE, last=False)
        dof = tile.counts - len(self.choice.free)
        try_ = (hope[:, 1] < hope[:, 0] + RIVAL) | (found.chi_square > POOR * dof)
        try_ &= np.isfinite(hope[:, 1])
        other: Found | None = None
        if try_.any():
            other = self._begin(second, tile, weight)
            self._descend(tile, other, try_, COARSE, last=False)
            _keep_better(found, other, try_)
            try_ &= other.chi_square < found.chi_square + MATCH
            try_ &= self._distance(found, other) > NEAR
        if tile.weight is None:
            self._estimate_noise(tile, found)
        self._descend(tile, found, every, FINE, last=True)
        if other is not None and try_.any():
            self._compare(tile, found, other, try_)
        return found

    def refine(self, tile: Tile, theta: Array, weight: Array) -> Found:
        """Descend from given search coordinates (p, m + 4) with given inverse variances."""
        found = self._begin(np.array(theta), tile, weight)
        self._descend(tile, found, np.ones(len(theta), dtype=np.bool_), FINE, last=True)
        return found

    def _centres(self, tile: Tile) -> Array:
        """Bias offsets to start from."""
        from stm_daq.fitting import kernel_start

        if "offset" in self.choice.fixed:
            return np.ascontiguousarray(tile.held[:, self._shape + 1])
        centre = np.empty(len(tile.values))
        kernel_start.centres(tile.bias, tile.values, tile.counts, 0.15 * self.largest, centre)
        return centre

    def _starts(self, tile: Tile, weight: Array, centre: Array) -> tuple[Array, Array, Array]:
        """Two start values of theta for each spectrum, (p, m + 4), and their promise (p, 2)."""
        from stm_daq.fitting import kernel_start

        count, shape = len(tile.values), self._shape
        starts = np.empty((count, kernel_start.STARTS, shape + 1))
        hope = np.empty((count, kernel_start.STARTS))
        held = tile.held[:, :shape].copy()
        for k, name in enumerate(self.choice.model.shape.names):
            if self.choice.scalar(name) is not None:
                held[:, k] = np.nan  # so are the templates
        templates = self._templates
        kernel_start.rank(
            tile.bias, tile.values, weight, tile.counts, centre, self.largest,
            templates.spectra, templates.slopes, templates.boxes, APART, held, starts, hope,
        )  # fmt: skip
        both = []
        for start in range(kernel_start.STARTS):
            theta = np.zeros((count, shape + 4))
            theta[:, : shape + 1] = starts[:, start]
            theta[:, shape + 1] = centre
            both.append(np.where(np.isnan(tile.held), theta, tile.held))
        return both[0], both[1], hope

    def _begin(self, theta: Array, tile: Tile, weight: Array) -> Found:
        count, free, points = len(theta), len(self.choice.free), tile.values.shape[1]
        return Found(
            theta=theta,
            chi_square=np.full(count, np.inf),
            matrix=np.zeros((count, free, free)),
            vector=np.zeros((count, free)),
            columns=np.empty((count, self._shape + 2, points)),
            residual=np.zeros_like(tile.values),
            weight=weight.copy(),
            converged=np.zeros(count, dtype=np.bool_),
            rival=np.full(count, np.inf),
        )

    def _descend(
        self, tile: Tile, found: Found, wanted: Mask, tolerance: float, *, last: bool
    ) -> None:
        if not self.choice.model.shape.compiled:
            self._descend_slowly(tile, found, wanted, tolerance)
            return
        from stm_daq.fitting import kernel_search

        kernel_search.descend(
            kernel_search.compiled(),
            (self.choice.model.shape.places, *self.smearing),
            (LOSSES.index(self.loss), KNEES[self.loss]),
            tile.bias, tile.values, found.weight, tile.counts,
            self.choice.index, self.lower, self.upper, self._leap, tolerance, last, wanted,
            found.theta, found.chi_square, found.matrix, found.vector, found.columns,
            found.residual, found.converged,
        )  # fmt: skip

    def _descend_slowly(self, tile: Tile, found: Found, wanted: Mask, tolerance: float) -> None:
        """The same for a model that the compiled search cannot evaluate."""
        for p in np.flatnonzero(wanted).tolist():
            used = slice(tile.counts[p])
            part = Part(tile.bias[p, used], tile.values[p, used], found.weight[p, used])
            best = self.descent.search((part,), found.theta[p], tolerance)
            found.theta[p], found.chi_square[p] = best.theta, best.chi_square
            found.matrix[p], found.vector[p] = best.matrix, best.vector
            found.residual[p, used] = best.residuals[0]
            found.converged[p] = best.converged

    def _estimate_noise(self, tile: Tile, found: Found) -> None:
        offset = np.ascontiguousarray(found.theta[:, self._shape + 1])
        self._weigh(tile.bias, found.residual, tile.counts, offset, ACCURACY**2, found.weight)

    def weights(self, bias: Array, residual: Array, centre: float, floor: float) -> Array:
        """Inverse variances of the points (n,) of one spectrum from residuals, ascending in bias."""
        weight = np.ones((1, len(bias)))
        counts, centres = np.array([len(bias)]), np.array([centre])
        self._weigh(bias[None], residual[None], counts, centres, floor, weight)
        return np.asarray(weight[0])

    def _weigh(
        self,
        bias: Array,
        residual: Array,
        counts: NDArray[np.int64],
        centre: Array,
        floor: float,
        weight: Array,
    ) -> None:
        from stm_daq.fitting import kernel_noise

        plain = self.loss == "linear"
        kernel_noise.weights_after(bias, residual, counts, centre, _CLIP[plain], floor, weight)
        np.multiply(weight, _CLIPPED[plain], out=weight)

    def _compare(self, tile: Tile, found: Found, other: Found, tried: Mask) -> None:
        """Finish the second search where it is a match for the first, and keep the better one."""
        other.weight[:] = found.weight
        self._descend(tile, other, tried, FINE, last=True)
        _keep_better(found, other, tried)
        distinct = tried & other.converged & (self._distance(found, other) > DISTINCT)
        found.rival[distinct] = other.chi_square[distinct]

    def _distance(self, found: Found, other: Found) -> Array:
        """Squared distance of two places in standard deviations, (p,)."""
        change = (found.theta - other.theta)[:, self.choice.index]
        return np.asarray(np.einsum("pi,pij,pj->p", change, found.matrix, change))


def _keep_better(found: Found, other: Found, tried: Mask) -> None:
    """Exchange the two where the other has the lower chi-square."""
    swap = tried & (other.chi_square < found.chi_square)
    if swap.any():
        for field in fields(Found):
            one, two = getattr(found, field.name), getattr(other, field.name)
            one[swap], two[swap] = two[swap], one[swap]
