"""What a contact series says: gaps against conductance, temperature and place; the barrier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stm_daq.analysis.contacts.contact_series import ContactSeries
from stm_daq.analysis.contacts.single_gap import TUNNELLING
from stm_daq.errors import CannotTellError
from stm_daq.physics import bcs
from stm_daq.physics.btk import K_B
from stm_daq.records import Array
from stm_daq.report.style import (
    BLUE,
    DATA,
    FAILED,
    FIT,
    GREEN,
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
COLLECTIVE, SINGLE = r"collective gap $\Delta_c$", r"gap of single electrons $\Delta$"


@in_house_style
def figure_collective_gap(series: ContactSeries) -> Figure:
    """Draw both gaps, and the pairs' share and barrier, against the conductance of the contact.

    Raises
    ------
    NothingToShowError
        If no collective gap was found.
    """
    try:
        found = series.collective
    except CannotTellError as reason:
        raise NothingToShowError(f"No collective gap: {reason}") from reason
    cold = series.coldest
    contact = series.spectra["contact"].values[cold]
    fits = series.fits.isel(set_temperature=cold)
    position = series.peaks["position"].values[cold]
    figure = new_figure(3.2)
    gaps, pairs = figure.subplots(1, 2, sharex=True)
    gaps.plot(
        contact.ravel(), position.ravel() * MILLI, "v", color=FAILED, markersize=3, label="peaks"
    )
    _bars(
        gaps, contact, fits["gap"].values * MILLI, fits["gap_std"].values * MILLI, FIT, COLLECTIVE
    )
    opaque = contact <= TUNNELLING
    single = np.broadcast_to(series.single["gap"].values[cold], contact.shape)
    gaps.plot(
        contact[opaque], single[opaque] * MILLI, "s", color=BLUE, markersize=2.5, label=SINGLE
    )
    gaps.axhline(found.gap * MILLI, color=FIT, linewidth=0.7)
    if series.critical_temperature:
        unit = K_B * series.critical_temperature * MILLI
        gaps.axhline(unit, color=DATA, linewidth=0.8, linestyle=":", label="$k_BT_c$")
    gaps.set(xscale="log", xlabel=CONTACT, ylabel="Energy (meV)", ylim=(0, None))
    gaps.legend(loc="upper right", handletextpad=0.4)
    letter(gaps, 0, "gaps")
    _bars(
        pairs,
        contact,
        fits["barrier"].values,
        fits["barrier_std"].values,
        GREEN,
        "barrier $Z$ of pairs",
    )
    _bars(pairs, contact, fits["share"].values, fits["share_std"].values, BLUE, "share of pairs")
    pairs.set(xscale="log", yscale="log", xlabel=CONTACT, ylabel="")
    pairs.legend(loc="center left")
    letter(pairs, 1, "the channel of pairs")
    return figure


def _bars(
    axes: Axes, x: Array, y: Array, std: Array, colour: str, label: str, marker: str = "o"
) -> None:
    """Draw the values that are known to better than a half."""
    known = np.isfinite(x) & np.isfinite(y) & (std < 0.5 * np.abs(y))
    axes.errorbar(
        x[known], y[known], std[known],
        fmt=marker, color=colour, label=label, markersize=2.5, linewidth=0.7,
    )  # fmt: skip


@in_house_style
def figure_closing(series: ContactSeries) -> Figure:
    """Draw both gaps against temperature, and the spectra of the most transparent contact.

    Raises
    ------
    NothingToShowError
        If the run has one temperature, or the collective gap is known at too few.
    """
    try:
        found = series.closing
    except CannotTellError as reason:
        raise NothingToShowError(f"No closing of the collective gap: {reason}") from reason
    figure = new_figure(3.4)
    gaps, image = figure.subplots(1, 2, width_ratios=(1, 1.05))
    tc, std = found.series.tc, found.series.tc_std
    fine = np.linspace(0, tc, 200)
    gaps.plot(
        fine, bcs.gap(fine, found.series.gap0, tc) * MILLI, color=DATA, linewidth=0.8, label="BCS"
    )
    gaps.axvspan(tc - std, tc + std, color=FIT, alpha=0.3, linewidth=0)
    gaps.axvline(tc, color=FIT, linewidth=0.7, linestyle="--")
    every = np.argsort(series.temperatures)
    for place in range(len(series.spectra["place"])):
        label = SINGLE if place == 0 else ""
        gap, error = (series.single[n].values[every, place] * MILLI for n in ("gap", "gap_std"))
        _bars(gaps, series.temperatures[every], gap, error, BLUE, label, "s-")
    gap, error = found.gap * MILLI, found.gap_std * MILLI
    _bars(gaps, found.temperature, gap, error, FIT, COLLECTIVE)
    if series.critical_temperature:
        gaps.axvline(series.critical_temperature, color=DATA, linewidth=0.8, linestyle=":")
    gaps.set(xlabel="Temperature (K)", ylabel="Energy (meV)", xlim=(0, None), ylim=(0, None))
    gaps.legend(loc="center right", fontsize=6.5)
    letter(gaps, 0, f"closes at {tc:.3f} ± {std:.3f} K")
    _draw_warming(image, series, every, tc)
    letter(image, 1, "most transparent contact")
    return figure


def _draw_warming(axes: Axes, series: ContactSeries, order: NDArray[np.intp], tc: float) -> None:
    """Draw the normalised spectra of the most transparent contact against temperature."""
    contact = series.spectra["contact"].values
    place = int(np.nanargmax(np.nanmax(contact[series.coldest], axis=0)))
    spectra = series.spectra["normalised"].values[order, -1, place]
    bias = series.spectra["bias"].values * MILLI
    inside = np.abs(bias) < 2 * float(np.nanmax(series.single["gap"].values)) * MILLI
    rows = np.arange(len(order) + 1)
    columns = np.append(bias[inside], bias[inside][-1] + np.diff(bias[inside])[-1])
    mesh = axes.pcolormesh(columns, rows, spectra[:, inside], cmap="magma", rasterized=True)
    kelvin = series.temperatures[order]
    axes.set_yticks(rows[:-1] + 0.5, [f"{value:.2g}" for value in kelvin])
    axes.axhline(float(np.sum(kelvin < tc)), color="white", linewidth=0.9, linestyle="--")
    axes.set(xlabel="Bias (mV)", ylabel="Temperature (K)")
    axes.figure.colorbar(mesh, ax=axes, label="dI/dV over normal")


@in_house_style
def figure_barrier(series: ContactSeries) -> Figure:
    """Draw the barrier (BTK) and the conductance at zero bias against that of the contact.

    Raises
    ------
    NothingToShowError
        If no spectrum could be fitted with a barrier.
    """
    try:
        found = series.barriers.isel(set_temperature=series.coldest)
    except CannotTellError as reason:
        raise NothingToShowError(f"No barrier: {reason}") from reason
    contact = series.spectra["contact"].values[series.coldest]
    limited = np.isfinite(found["lower_limit"].values)
    figure = new_figure(3.2)
    barrier, zero = figure.subplots(1, 2, sharex=True)
    values = np.where(limited, np.nan, found["barrier"].values)
    _bars(barrier, contact, values, found["barrier_std"].values, BLUE, "fit")
    if limited.any():
        limits = found["lower_limit"].values[limited]
        barrier.plot(
            contact[limited], limits, "^", color=FAILED, markersize=3, label="at least (95 %)"
        )
    barrier.set(xscale="log", yscale="log", xlabel=CONTACT, ylabel="Barrier $Z$ (BTK)")
    plain_numbers(barrier.yaxis)
    barrier.legend()
    letter(barrier, 0, "one gap, one barrier")
    bias = series.spectra["bias"].values
    near = np.argsort(np.abs(bias))[:3]
    at_zero = series.spectra["normalised"].values[series.coldest][..., near].mean(axis=-1)
    zero.plot(contact.ravel(), at_zero.ravel(), "o", color=DATA, markersize=2.5)
    zero.set(xscale="log", xlabel=CONTACT, ylabel="dI/dV at zero bias over normal", ylim=(0, None))
    letter(zero, 1, "how the gap fills")
    return figure


@in_house_style
def figure_places(series: ContactSeries) -> Figure:
    """Draw both gaps place by place, sorted, at the lowest temperature.

    Raises
    ------
    NothingToShowError
        If fewer than three places tell both.
    """
    try:
        found = series.variation
    except CannotTellError as reason:
        raise NothingToShowError(f"No variation from place to place: {reason}") from reason
    from matplotlib.ticker import MaxNLocator

    known = np.flatnonzero(np.isfinite(found.single))
    order = known[np.argsort(found.single[known])]
    number: Array = np.arange(1, len(order) + 1, dtype=np.float64)
    figure = new_figure(2.8, 4.6)
    axes = figure.subplots()
    for values, std, colour, marker, label in (
        (found.single, found.single_std, BLUE, "s", SINGLE),
        (found.collective, found.collective_std, FIT, "o", COLLECTIVE),
    ):
        _bars(axes, number, values[order] * MILLI, std[order] * MILLI, colour, label, marker)
    axes.set(xlabel="Place, by its gap", ylabel="Energy (meV)", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper left")
    return figure
