"""Example spectra with their fits and residuals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.analysis.maps.sites import sites_of
from stm_daq.fitting.lag import remember
from stm_daq.records import Array
from stm_daq.report.facts import facts_of
from stm_daq.report.numbers import FITTED, Quantity, plus_minus
from stm_daq.report.runs.curve import FitCurve, fitted_curve
from stm_daq.report.runs.examples import Example, Place
from stm_daq.report.shape import (
    axis_value,
    has_return,
    in_order,
    outer_axes,
    swept_of,
    trace_of,
)
from stm_daq.report.style import (
    BLUE,
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
RESIDUAL = 0.29
"""Height of the residuals over that of the spectrum."""
WIDEST = 34
"""Letters that fit above a panel in one line."""


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
    swept, sites = swept_of(dataset), sites_of(dataset)
    trace = trace_of(dataset)
    # unused columns stay empty: the page shows every figure equally wide, and text equally large
    residual = RESIDUAL if facts_of(dataset).fitted and fit_curve is not None else 0.05
    size = (WIDTH / COLUMNS, HEIGHT)
    labels = (swept.label, trace.label)
    figure, panels = spectrum_panels(len(examples), COLUMNS, size, labels, residual)
    for example, (upper, lower) in zip(examples, panels, strict=True):
        measured = dataset[trace.name].values[example.place] * trace.factor
        curve = curve_at(dataset, example.place, fit_curve)
        place = example.place
        colour = FIT if sites.trusted[place] else DOUBTFUL if sites.doubtful[place] else FAILED
        shown = None if curve is None else curve * NS
        ways = zip(measured, [None, None] if shown is None else shown, strict=True)
        both = ways if has_return(dataset) else [(measured, shown)]
        for way, (values, fitted) in enumerate(both):
            points = BLUE if way == 1 else DATA
            draw_spectrum((upper, lower), swept.values, values, fitted, colour, points)
        upper.set_title(_describe(dataset, example), fontsize=7, linespacing=1.3)
    return figure


def spectrum_panels(
    count: int,
    columns: int,
    size: tuple[float, float],
    labels: tuple[str, str] = ("Bias (mV)", "dI/dV (nS)"),
    residual: float = RESIDUAL,
) -> tuple[Figure, list[tuple[Axes, Axes]]]:
    """Return a figure and, for each spectrum, the axes of data and of residuals.

    `size` is width and height of what belongs to one spectrum, inch; `residual` the height of its
    residuals over that of the rest.
    """
    rows = math.ceil(count / columns)
    figure = new_figure(size[1] * rows, size[0] * columns)
    grid = figure.add_gridspec(2 * rows, columns, height_ratios=(1.0, residual) * rows)
    panels = []
    for number in range(count):
        row, column = divmod(number, columns)
        upper = figure.add_subplot(grid[2 * row, column])
        lower = figure.add_subplot(grid[2 * row + 1, column], sharex=upper)
        upper.tick_params(labelbottom=False)
        lower.set_xlabel(labels[0])
        lower.locator_params(axis="x", nbins=5, steps=(1, 2, 4, 5, 10))
        if column == 0:
            upper.set_ylabel(labels[1])
            lower.set_ylabel("Residual")
        panels.append((upper, lower))
    figure.align_ylabels()
    return figure, panels


def draw_spectrum(
    axes: tuple[Axes, Axes],
    swept: Array,
    measured: Array,
    curve: Array | None,
    colour: str,
    data: str = DATA,
) -> None:
    """Draw a spectrum and its fit into the upper axes, the residuals into the lower ones.

    All in the units that the axes say; `data` is the colour of the points, `colour` of the fit.
    """
    upper, lower = axes
    points: dict[str, Any] = {"linestyle": "none", "marker": ".", "markersize": 2.5, "color": data}
    upper.plot(swept, measured, label="data", **points)
    if curve is None:
        lower.set_axis_off()
        upper.tick_params(labelbottom=True)
        upper.set_xlabel(lower.get_xlabel())
        return
    lower.axhline(0, color=colour, linewidth=0.8)
    upper.plot(swept, curve, color=colour, linewidth=1.2, label="fit")
    residual = measured - curve
    lower.plot(swept, residual, **points)
    reach = 1.1 * float(np.nanmax(np.abs(residual), initial=0.0))
    lower.set_ylim(-reach or -1.0, reach or 1.0)
    lower.locator_params(axis="y", nbins=3, min_n_ticks=2)


def values_at(dataset: xr.Dataset, place: Place) -> dict[str, float]:
    """Return every value fitted at a site: the variables that come with a ``<name>_std``."""
    return {
        str(name): float(dataset[name].values[place])
        for name in dataset.data_vars
        if f"{name}_std" in dataset
    }


def curve_at(dataset: xr.Dataset, place: Place, fit_curve: FitCurve | None) -> Array | None:
    """Return the fitted conductance at a site (S), as the lock-in shows it; None without a fit."""
    values = values_at(dataset, place)
    if fit_curve is None or not math.isfinite(values["gap"]):
        return None
    facts = facts_of(dataset)
    curve = fit_curve(dataset["bias"].values, values, facts.fit_model, facts.modulation)
    memory = np.array(facts.step_memory)
    if not has_return(dataset):
        return remember(curve, memory)
    there, back = np.split(remember(in_order(np.stack([curve, curve])), memory), 2)
    return np.stack([there, back[::-1]])


def _describe(dataset: xr.Dataset, example: Example) -> str:
    """Write what an example is, where, why its fit failed if it did, and its values."""
    site = dataset.isel(dict(zip(dataset["time"].dims, example.place, strict=True)))
    first, *more = wrap(example.why, width=40)
    lines = [rf"$\mathbf{{{example.letter}}}$  {first}", *more]
    lines += [
        axis_value(dataset, name, number)
        for name, number in zip(outer_axes(dataset), example.place, strict=False)
    ]
    if not bool(site["fit_ok"]):
        lines += wrap(str(site["fit_flags"].item()).replace(",", ", "), width=44)
    place = f"({example.x * NM:.1f}, {example.y * NM:.1f}) nm"
    misfit = float(site["reduced_chi_square"])
    lines.append(f"{place}, $\\chi^2_\\nu$ = {misfit:.2f}" if math.isfinite(misfit) else place)
    known = [_value_text(site, quantity) for quantity in FITTED if _is_known(site, quantity)]
    if facts_of(dataset).fitted:
        rest = ", ".join(known[1:])
        lines += known[:1] or ["no values"]
        lines += [rest] if len(rest.replace("$", "")) <= WIDEST else known[1:]
    return "\n".join(lines)


def _is_known(site: xr.Dataset, quantity: Quantity) -> bool:
    return math.isfinite(float(site[quantity.name]))


def _value_text(site: xr.Dataset, quantity: Quantity) -> str:
    value, std = (float(site[quantity.name + suffix]) for suffix in ("", "_std"))
    text = plus_minus(value * quantity.factor, std * quantity.factor)
    return f"{quantity.symbol} = {text} {quantity.unit}".rstrip()
