"""Example spectra with their fits and residuals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.fitting.lag import remember
from stm_daq.records import Array
from stm_daq.report.curve import FitCurve, fitted_curve
from stm_daq.report.facts import facts_of
from stm_daq.report.numbers import FITTED, Quantity, plus_minus
from stm_daq.report.sites import Mask, sites_of
from stm_daq.report.style import (
    DATA,
    DOUBTFUL,
    FAILED,
    FIT,
    WIDTH,
    NothingToShowError,
    in_house_style,
    new_figure,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MV = 1e3
NS = 1e9
NM = 1e9
COLUMNS = 3
HEIGHT = 2.6
"""Of a spectrum with its residuals, inch."""


@dataclass(frozen=True, slots=True)
class Example:
    """One site that is shown in full."""

    letter: str
    why: str
    """What it is an example of."""
    row: int
    col: int
    x: float
    """From the left edge of the frame, m."""
    y: float
    """From the bottom of the frame, m."""


def pick_examples(dataset: xr.Dataset) -> tuple[Example, ...]:
    """Choose the best, a middling and the worst trusted fit, the lowest barrier, and failures.

    Of the doubtful fits it is the middling one, or all three if they have to stand for the map.
    """
    sites = sites_of(dataset)
    chosen: dict[tuple[int, int], str] = {}

    def choose(why: str, place: tuple[int, int]) -> None:
        before = chosen.get(place)
        chosen[place] = why if before is None else f"{before}, {why.lower()}"

    if sites.trusted.any():
        by_misfit = _by_misfit(dataset, sites.trusted)
        choose("Best fit", by_misfit[0])
        choose("Median fit", by_misfit[len(by_misfit) // 2])
        choose("Worst good fit", by_misfit[-1])
        barrier = np.where(sites.trusted, dataset["barrier"].values, np.nan)
        if np.isfinite(barrier).any():
            row, col = divmod(int(np.nanargmin(barrier)), barrier.shape[1])
            choose("Lowest barrier", (row, col))
    if sites.doubtful.any():
        by_misfit = _by_misfit(dataset, sites.doubtful)
        choose("Model not adequate", by_misfit[len(by_misfit) // 2])
        if sites.indicative:
            choose("Model not adequate, least misfit", by_misfit[0])
            choose("Model not adequate, largest misfit", by_misfit[-1])
    for why, mask in (("Failed fit", sites.failed), ("Not fitted", sites.unfitted)):
        rows, cols = np.nonzero(mask)
        if len(rows):
            choose(why, (int(rows[len(rows) // 2]), int(cols[len(rows) // 2])))
    x, y = dataset["x"].values, dataset["y"].values
    return tuple(
        Example(ascii_lowercase[number], why, row, col, float(x[col]), float(y[row]))
        for number, ((row, col), why) in enumerate(chosen.items())
    )


def _by_misfit(dataset: xr.Dataset, mask: Mask) -> list[tuple[int, int]]:
    rows, cols = np.nonzero(mask)
    order = np.argsort(dataset["reduced_chi_square"].values[mask])
    return [(int(row), int(col)) for row, col in zip(rows[order], cols[order], strict=True)]


@in_house_style
def figure_spectra(
    dataset: xr.Dataset, examples: Sequence[Example], fit_curve: FitCurve | None = fitted_curve
) -> Figure:
    """Draw example spectra (points), their fits (lines) and the residuals below.

    Parameters
    ----------
    dataset : xarray.Dataset
        A run.
    examples : sequence of Example
        From :func:`pick_examples`.
    fit_curve : callable, optional
        Computes the fitted conductance; None shows the data only.

    Raises
    ------
    NothingToShowError
        If there are no examples: no spectrum was taken.
    """
    if not examples:
        raise NothingToShowError("No spectrum was taken.")
    bias, sites = dataset["bias"].values, sites_of(dataset)
    # unused columns stay empty: the page shows every figure equally wide, and text equally large
    figure, panels = spectrum_panels(len(examples), COLUMNS, (WIDTH / COLUMNS, HEIGHT))
    for example, (upper, lower) in zip(examples, panels, strict=True):
        conductance = dataset["conductance"].values[example.row, example.col]
        curve = _curve_at(dataset, example, fit_curve)
        place = example.row, example.col
        colour = FIT if sites.trusted[place] else DOUBTFUL if sites.doubtful[place] else FAILED
        scaled = None if curve is None else NS * curve
        draw_spectrum((upper, lower), bias, NS * conductance, scaled, colour)
        upper.set_title(_describe(dataset, example), fontsize=7, linespacing=1.3)
    return figure


def spectrum_panels(
    count: int, columns: int, size: tuple[float, float]
) -> tuple[Figure, list[tuple[Axes, Axes]]]:
    """Return a figure and, for each spectrum, the axes of data and of residuals.

    `size` is width and height of what belongs to one spectrum, inch.
    """
    rows = math.ceil(count / columns)
    figure = new_figure(size[1] * rows, size[0] * columns)
    grid = figure.add_gridspec(2 * rows, columns, height_ratios=(3.4, 1) * rows)
    panels = []
    for number in range(count):
        row, column = divmod(number, columns)
        upper = figure.add_subplot(grid[2 * row, column])
        lower = figure.add_subplot(grid[2 * row + 1, column], sharex=upper)
        upper.tick_params(labelbottom=False)
        lower.set_xlabel("Bias (mV)")
        lower.locator_params(axis="x", nbins=5, steps=(1, 2, 4, 5, 10))
        if column == 0:
            upper.set_ylabel("dI/dV (nS)")
            lower.set_ylabel("Residual")
        panels.append((upper, lower))
    figure.align_ylabels()
    return figure, panels


def draw_spectrum(
    axes: tuple[Axes, Axes], bias: Array, conductance: Array, curve: Array | None, colour: str
) -> None:
    """Draw a spectrum and its fit into the upper axes, the residuals into the lower ones.

    Bias in V; conductance and curve in the unit that the axes say.
    """
    upper, lower = axes
    points: dict[str, Any] = {"linestyle": "none", "marker": ".", "markersize": 2.5, "color": DATA}
    upper.plot(bias * MV, conductance, label="data", **points)
    shown = conductance if curve is None else np.append(conductance, curve)
    top = float(np.nanmax(shown, initial=0.0))
    upper.set_ylim(float(np.nanmin(shown, initial=0.0)), 1.08 * top or 1.0)
    lower.axhline(0, color=colour, linewidth=0.8)
    if curve is None:
        return
    upper.plot(bias * MV, curve, color=colour, linewidth=1.2, label="fit")
    residual = conductance - curve
    lower.plot(bias * MV, residual, **points)
    reach = 1.1 * float(np.nanmax(np.abs(residual), initial=0.0))
    lower.set_ylim(-reach or -1.0, reach or 1.0)
    lower.locator_params(axis="y", nbins=3, min_n_ticks=2)


def values_at(dataset: xr.Dataset, row: int, col: int) -> dict[str, float]:
    """Return every value fitted at a site: the variables that come with a ``<name>_std``."""
    return {
        str(name): float(dataset[name].values[row, col])
        for name in dataset.data_vars
        if f"{name}_std" in dataset
    }


def _curve_at(dataset: xr.Dataset, example: Example, fit_curve: FitCurve | None) -> Array | None:
    values = values_at(dataset, example.row, example.col)
    if fit_curve is None or not math.isfinite(values["gap"]):
        return None
    facts = facts_of(dataset)
    curve = fit_curve(dataset["bias"].values, values, facts.fit_model, facts.modulation)
    return remember(curve, np.array(facts.step_memory))


def _describe(dataset: xr.Dataset, example: Example) -> str:
    """Write what an example is, where, why its fit failed if it did, and its values."""
    site = dataset.isel(y=example.row, x=example.col)
    first, *more = wrap(example.why, width=40)
    lines = [rf"$\mathbf{{{example.letter}}}$  {first}", *more]
    if not bool(site["fit_ok"]):
        lines += wrap(str(site["fit_flags"].item()).replace(",", ", "), width=44)
    place = f"({example.x * NM:.1f}, {example.y * NM:.1f}) nm"
    misfit = float(site["reduced_chi_square"])
    lines.append(f"{place}, $\\chi^2_\\nu$ = {misfit:.2f}" if math.isfinite(misfit) else place)
    known = [_value_text(site, quantity) for quantity in FITTED if _is_known(site, quantity)]
    lines += [", ".join(known[:1]), ", ".join(known[1:])] if known else ["no values"]
    return "\n".join(lines)


def _is_known(site: xr.Dataset, quantity: Quantity) -> bool:
    return math.isfinite(float(site[quantity.name]))


def _value_text(site: xr.Dataset, quantity: Quantity) -> str:
    value, std = (float(site[quantity.name + suffix]) for suffix in ("", "_std"))
    text = plus_minus(value * quantity.factor, std * quantity.factor)
    return f"{quantity.symbol} = {text} {quantity.unit}".rstrip()
