"""Spectra along a line: brought together, normalised, averaged, with their linear background.

After J. Lorenz et al., "Spatial homogeneity of superconducting order parameter in NbN films grown by
atomic layer deposition": all spectra of a line are divided by a straight line that is fitted outside the
gap, and averaged. On the way the lag of the lock-in is taken out of each spectrum.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stm_daq.analysis.maps.images import check_length
from stm_daq.analysis.spectra.linear_background import LinearBackground, divided, fit_background
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.fitting.lag import forget
from stm_daq.physics.btk import HIGHEST_BIAS
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

OUTER = 0.7
"""The background is fitted beyond this part of the bias range unless a window is given."""
FEWEST = 5
"""A mean of fewer spectra has no standard error worth stating."""


@dataclass(frozen=True, slots=True)
class LineSpectra:
    """The m spectra of a line, n points each, in ascending bias."""

    bias: Array
    """V, shape (n,)."""
    conductance: Array
    """S, or the unit of the lock-in's output, without its lag; shape (m, n). NaN where not used."""
    distance: Array
    """Along the line, m, shape (m,); NaN where the file does not say where a spectrum was taken."""
    modulation: float
    """Peak amplitude at the junction, V."""
    missing: int
    """So many spectra were not measured, or have fewer than half of their points."""
    flagged: int
    """So many were measured but left out, because the run raised a flag."""

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which spectra count, shape (m,)."""
        found: NDArray[np.bool_] = np.isfinite(self.conductance).any(axis=1)
        return found

    @property
    def note(self) -> str:
        """How many spectra are used, and what became of the others."""
        text = f"{int(self.used.sum())} of {len(self.used)} spectra"
        reasons = ((self.missing, "not measured"), (self.flagged, "flagged"))
        others = ", ".join(f"{count} {why}" for count, why in reasons if count)
        return f"{text} ({others})" if others else text


@dataclass(frozen=True, slots=True)
class AverageSpectrum:
    """The mean over the spectra of a line and its background; arrays of shape (n,)."""

    bias: Array
    """V, ascending."""
    conductance: Array
    """Mean, S."""
    std: Array
    """Standard error of `conductance` from the scatter between the spectra, S."""
    count: int
    """Number of spectra."""
    background: LinearBackground
    normalised: Array
    """`conductance` over `background`."""
    normalised_std: Array
    """Standard deviation of `normalised`, with the uncertainty of the background."""


def line_of(dataset: xr.Dataset, modulation: float | None = None) -> LineSpectra:
    """Bring the spectra of a line together.

    Of a sweep there and back both ways are averaged, after the lag of the lock-in was taken out.

    Parameters
    ----------
    dataset : xarray.Dataset
        A run along a line (:func:`stm_daq.open_run`), or a file with several spectra
        (:func:`stm_daq.read`).
    modulation : float, optional
        Peak amplitude of the lock-in's modulation, V; by default as the dataset states, else 0. A
        modulation of 70 uV from peak to peak has a peak of 35 uV.

    Raises
    ------
    BadInputError
        If there is no dI/dV against the bias, the bias is not in V, or the sites are not a line.
    CannotTellError
        If no spectrum can be used.
    """
    spectra = _stack(dataset)
    bias = np.asarray(dataset["bias"].values, dtype=np.float64)
    if not np.nanmax(np.abs(bias), initial=0.0) <= HIGHEST_BIAS:
        raise BadInputError(f"bias up to {np.nanmax(np.abs(bias)):.3g}: give it in V")
    flags = dataset["flags"].values.astype(str).ravel() if "flags" in dataset else None
    whole = np.isfinite(spectra).sum(axis=1) >= len(bias) / 2
    sound = np.ones(len(spectra), dtype=np.bool_) if flags is None else flags == ""
    if not (whole & sound).any():
        raise CannotTellError(f"none of the {len(spectra)} spectra was measured without a flag")
    order = np.argsort(bias, kind="stable")
    stated = float(dataset.attrs.get("modulation") or 0.0)
    return LineSpectra(
        bias=bias[order],
        conductance=np.where((whole & sound)[:, None], spectra, np.nan)[:, order],
        distance=_distance(dataset, len(spectra)),
        modulation=stated if modulation is None else modulation,
        missing=int((~whole).sum()),
        flagged=int((whole & ~sound).sum()),
    )


def _stack(dataset: xr.Dataset) -> Array:
    """Return the spectra without lag in the order of the bias in the dataset, shape (m, n)."""
    if "conductance" not in dataset or dataset["conductance"].dims[-1] != "bias":
        raise BadInputError(
            "no dI/dV against the bias here: a line needs `conductance` over `bias`"
        )
    conductance = dataset["conductance"]
    along = [d for d in conductance.dims[:-1] if d != "direction" and conductance.sizes[d] > 1]
    if len(along) > 1:
        raise BadInputError(
            f"spectra over {', '.join(map(str, along))}: this is not a line; choose a row with isel"
        )
    metadata = json.loads(dataset.attrs.get("metadata", "{}"))
    memory = np.asarray(metadata.get("step_memory", [1.0]), dtype=np.float64)
    points = conductance.sizes["bias"]
    if "direction" not in conductance.dims:
        return forget(conductance.values.reshape(-1, points), memory)
    ways = conductance.transpose(..., "direction", "bias").values.reshape(-1, 2, points)
    measured = np.concatenate([ways[:, 0], ways[:, 1, ::-1]], axis=1)
    settled = forget(measured, memory)
    both = np.stack([settled[:, :points], settled[:, : points - 1 : -1]])
    known = np.isfinite(both).sum(axis=0)
    mean = np.full(known.shape, np.nan)
    np.divide(np.nansum(both, axis=0), known, out=mean, where=known > 0)
    return mean


def _distance(dataset: xr.Dataset, count: int) -> Array:
    """Return where the spectra are along the line, m; NaN if nobody says.

    Raises
    ------
    BadInputError
        If the positions are not in m.
    """
    for name in ("x", "y"):
        if name in dataset.coords and dataset.sizes.get(name, 0) == count > 1:
            place = np.asarray(dataset[name].values, dtype=np.float64)
            check_length(place, f"the axis '{name}'")
            return np.asarray(place - place[0])
    return np.full(count, np.nan) if count > 1 else np.zeros(count)


def default_window(line: LineSpectra) -> tuple[float, float]:
    """Return where the background is fitted if nobody says: the outer 30 % on each side, V."""
    largest = float(np.max(np.abs(line.bias)))
    return OUTER * largest, largest


def normalise(line: LineSpectra, window: tuple[float, float] | None = None) -> Array:
    """Divide every spectrum by its own straight line, fitted outside the gap.

    Parameters
    ----------
    line : LineSpectra
    window : (float, float), optional
        From and to which |bias| the line is fitted, V; by default :func:`default_window`.

    Returns
    -------
    ndarray
        Shape (m, n); NaN where there is no spectrum, and for spectra that have no such line.

    Raises
    ------
    CannotTellError
        If none has: too few points in the window, or lines that fall to zero.
    """
    chosen = window or default_window(line)
    result = np.full(line.conductance.shape, np.nan)
    reason = CannotTellError("no spectrum can be used")
    for row in np.flatnonzero(line.used):
        try:
            own = fit_background(line.bias, line.conductance[row], chosen)
        except CannotTellError as error:
            reason = error
            continue
        result[row] = line.conductance[row] / own.at(line.bias)
    if not np.isfinite(result).any():
        raise reason
    return result


def average_spectrum(
    line: LineSpectra, window: tuple[float, float] | None = None
) -> AverageSpectrum:
    """Average the spectra of a line and divide by a linear background fitted outside the gap.

    The raw spectra are averaged: at a constant set-point all have the same weight. Just outside the
    gap a BCS density of states is still above the normal one (15 % at twice the gap, 3 % at four
    times); the same on both sides, so that it lifts the background without tilting it. A fit of the
    normalised spectrum therefore needs a free scale.

    Parameters
    ----------
    line : LineSpectra
    window : (float, float), optional
        From and to which |bias| the background is fitted, V; by default :func:`default_window`.

    Raises
    ------
    CannotTellError
        With fewer than `FEWEST` spectra, if the window holds fewer than three points on a side, or the
        background is not positive over the whole sweep.
    """
    rows = line.conductance[line.used]
    if len(rows) < FEWEST:
        raise CannotTellError(
            f"{line.note} can be used: a mean with a standard error needs at least {FEWEST}"
        )
    known = np.isfinite(rows).sum(axis=0)
    kept = known >= FEWEST
    bias, rows, known = line.bias[kept], rows[:, kept], known[kept]
    mean = np.nanmean(rows, axis=0)
    std = np.nanstd(rows, axis=0, ddof=1) / np.sqrt(known)
    if not np.any(std > 1e-12 * np.abs(mean)):
        raise CannotTellError(
            "all spectra of the line are exactly alike: this is not a measurement"
        )
    background = fit_background(bias, mean, window or default_window(line), std)
    normalised, normalised_std = divided(bias, mean, std, background)
    return AverageSpectrum(bias, mean, std, len(rows), background, normalised, normalised_std)
