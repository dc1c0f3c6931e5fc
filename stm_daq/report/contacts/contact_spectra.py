"""Spectra of a contact series from tunnelling to contact, and their second derivative."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.contacts.collective_gap import FLANK
from stm_daq.analysis.contacts.contact_series import ContactSeries
from stm_daq.analysis.spectra.curvature import curvature, resolution
from stm_daq.errors import CannotTellError
from stm_daq.records import Array
from stm_daq.report.style import (
    DATA,
    FIT,
    NothingToShowError,
    in_house_style,
    letter,
    new_figure,
    plain_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MILLI = 1e3
CONTACT = r"Contact conductance (2e$^2$/h)"
BIAS = "Bias (mV)"
WIDE = 2.2
"""Spectra are shown up to so many gaps of single electrons."""


@in_house_style
def figure_contact_spectra(series: ContactSeries, place: int | None = None) -> Figure:
    """Draw the normalised spectra of one place against the conductance of its contact.

    Parameters
    ----------
    series : ContactSeries
    place : int, optional
        Number of the site; that with the most peaks of pairs by default.

    Raises
    ------
    NothingToShowError
        If no spectrum of the place could be normalised.
    """
    from matplotlib.colors import PowerNorm

    try:
        place = _place(series) if place is None else place
    except CannotTellError as reason:
        raise NothingToShowError(f"No spectra to show: {reason}") from reason
    contact, spectra = _of_place(series, place)
    bias = series.spectra["bias"].values * MILLI
    largest = _largest(series, place)
    figure = new_figure(3.9)
    lines, image = figure.subplots(1, 2)
    shift = 0.35
    for number, (conductance, spectrum) in enumerate(zip(contact, spectra, strict=True)):
        colour = _colour(contact, conductance)
        lines.plot(bias, spectrum + number * shift, color=colour, linewidth=0.8)
        end = number * shift + 1
        lines.annotate(
            f"{conductance:.2g}", (largest, end), (3, 0), textcoords="offset points",
            fontsize=6.5, color=colour, va="center", annotation_clip=False,
        )  # fmt: skip
    lines.set(
        xlim=(-largest, largest), xlabel=BIAS, ylabel=f"dI/dV over normal, each {shift:g} higher"
    )
    letter(lines, 0, r"numbers: conductance (2e$^2$/h)")
    mesh = image.pcolormesh(
        bias, contact, np.clip(spectra, 0, None), cmap="magma", rasterized=True,
        norm=PowerNorm(0.5, 0, float(np.nanpercentile(spectra[:, np.abs(bias) < largest], 99))),
    )  # fmt: skip
    image.set(xlim=(-largest, largest), xlabel=BIAS, ylabel=CONTACT, yscale="log")
    plain_numbers(image.yaxis)
    figure.colorbar(mesh, ax=image, label="dI/dV over normal")
    letter(image, 1, "the same as an image")
    return figure


@in_house_style
def figure_contact_curvature(series: ContactSeries, place: int | None = None) -> Figure:
    """Draw -d2G/dV2 inside the gap of single electrons, with the peaks that were tracked.

    Left against conductance at the lowest temperature; right against temperature at the highest
    conductance, or as an image against conductance where there is one temperature only.

    Raises
    ------
    NothingToShowError
        If the gap of single electrons is not known, or no spectrum has enough points.
    """
    try:
        _ = series.single
    except CannotTellError as reason:
        raise NothingToShowError(f"No gap of single electrons to look inside: {reason}") from reason
    place = _place(series) if place is None else place
    figure = new_figure(3.9)
    left, right = figure.subplots(1, 2)
    cold, steps = series.coldest, len(series.spectra["set_current"])
    shown = _draw_curves(
        left, series, [(cold, number, place) for number in range(steps)], "contact"
    )
    letter(left, 0, r"numbers: conductance (2e$^2$/h)")
    if len(series.temperatures) > 1:
        warm = [(int(step), steps - 1, place) for step in np.argsort(series.temperatures)]
        shown += _draw_curves(right, series, warm, "temperature")
        letter(right, 1, "numbers: temperature (K)")
    else:
        shown += _draw_positions(right, series)
        letter(right, 1, "peaks of all places")
    if not shown:
        raise NothingToShowError("No spectrum has enough points for a second derivative.")
    return figure


def _draw_curves(
    axes: Axes, series: ContactSeries, which: list[tuple[int, int, int]], name: str
) -> int:
    """Draw curvatures above one another, each over its largest value; return how many."""
    spectra, peaks = series.spectra, _peaks(series)
    shown = 0
    for step, number, place in which:
        bent = _curvature(series, step, number, place)
        if bent is None:
            continue
        bias, value, noise = bent
        scale = max(float(np.max(np.abs(value))), 8 * noise)
        base = 1.3 * shown
        axes.plot(bias * MILLI, value / scale + base, color=DATA, linewidth=0.8)
        axes.axhline(base, color="0.85", linewidth=0.5, zorder=0)
        position = float(peaks[step, number, place])
        if math.isfinite(position):
            for side in (position, -position):
                height = float(np.interp(side, bias, value)) / scale + base
                axes.plot(side * MILLI, height, "v", color=FIT, markersize=4)
        told = float(spectra[name].values[step, number, place])
        axes.annotate(
            f"{told:.2g}", (1, base), (3, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", fontsize=6.5, va="center", annotation_clip=False,
        )  # fmt: skip
        shown += 1
    axes.set(xlabel=BIAS, ylabel=r"$-d^2G/dV^2$, each over its largest value", yticks=())
    return shown


def _draw_positions(axes: Axes, series: ContactSeries) -> int:
    cold = series.coldest
    contact, position = series.spectra["contact"].values[cold], _peaks(series)[cold]
    known = np.isfinite(position)
    if not known.any():
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no peaks inside the gap", transform=axes.transAxes, ha="center")
        return 0
    axes.plot(contact[known], position[known] * MILLI, ".", color=FIT, markersize=4)
    axes.set(xlabel=CONTACT, ylabel="Position of the peaks (mV)", xscale="log", ylim=(0, None))
    return int(known.sum())


def _curvature(
    series: ContactSeries, step: int, number: int, place: int
) -> tuple[Array, Array, float] | None:
    """Return bias (V), curvature and its noise below the gap of single electrons."""
    spectra = series.spectra
    kelvin = float(spectra["temperature"].values[step, number, place])
    modulation = float(spectra.attrs["modulation"])
    gap = float(series.single["gap"].values[step, place])
    below = gap - FLANK * resolution(kelvin, modulation)
    normalised = spectra["normalised"].values[step, number, place]
    if not below > 0 or not np.isfinite(normalised).any():
        return None
    try:
        bent = curvature(spectra["bias"].values, normalised, kelvin, modulation, below)
    except CannotTellError:
        return None
    return bent.bias, bent.value, float(np.median(bent.std))


def _peaks(series: ContactSeries) -> Array:
    """Return the positions of all peaks, V; NaN where there are none."""
    try:
        return np.asarray(series.peaks["position"].values)
    except CannotTellError:
        return np.full(series.spectra["contact"].shape, math.nan)


def _place(series: ContactSeries) -> int:
    """Return the place with the most peaks; of several the one with the largest gap."""
    count = np.isfinite(_peaks(series)).sum(axis=(0, 1))
    try:
        gap = np.nan_to_num(series.single["gap"].values[series.coldest])
    except CannotTellError:
        gap = np.zeros(len(count))
    return int(np.lexsort((gap, count))[-1])


def _of_place(series: ContactSeries, place: int) -> tuple[Array, Array]:
    """Return conductances, ascending, and normalised spectra of one place when it was coldest."""
    at = (series.coldest, slice(None), place)
    contact = series.spectra["contact"].values[at]
    known = np.flatnonzero(np.isfinite(contact))
    if not len(known):
        raise NothingToShowError("No spectrum of this place could be normalised.")
    order = known[np.argsort(contact[known])]
    return contact[order], series.spectra["normalised"].values[at][order]


def _largest(series: ContactSeries, place: int) -> float:
    """Return the bias up to which spectra are shown, mV."""
    widest = float(np.max(np.abs(series.spectra["bias"].values)))
    try:
        gap = float(series.single["gap"].values[series.coldest, place])
    except CannotTellError:
        gap = math.nan
    return min(widest, WIDE * gap if math.isfinite(gap) else widest) * MILLI


def _colour(contact: Array, conductance: float) -> tuple[float, float, float, float]:
    """Return the colour of a spectrum by the logarithm of its conductance."""
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm

    scale = LogNorm(float(contact[0]) * 0.999, float(contact[-1]) * 4)
    red, green, blue, alpha = colormaps["viridis"](float(scale(conductance)))
    return red, green, blue, alpha
