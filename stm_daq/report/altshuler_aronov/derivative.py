"""Figure of how dI/dV was worked out from the current, and how good it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.altshuler_aronov.gap_exponent_study import GapExponentStudy
from stm_daq.analysis.spectra.derivative import Derivative
from stm_daq.records import Array
from stm_daq.report.style import BLUE, DATA, FIT, GREEN, in_house_style, letter, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MV, NS = 1e3, 1e9


@in_house_style
def figure_derivative(study: GapExponentStudy) -> Figure:
    """Draw one spectrum from the current and from the lock-in, and the errors and windows of the former.

    The spectrum is that with the median gap.

    Raises
    ------
    NothingToShowError
        If no spectrum can be differentiated, or has peaks.
    """
    maps, run = study.maps, study.run
    derivative, bias = maps.derivative, maps.derivative.bias
    gap = maps.peaks.gap.values.ravel()
    typical = int(np.nanargmin(np.abs(gap - np.nanmedian(gap))))
    ours = derivative.conductance.values.reshape(-1, len(bias))[typical]
    lock_in = run["conductance"].transpose("y", "x", "bias").sortby("bias")
    theirs = lock_in.values.reshape(-1, len(bias))[typical]
    figure = new_figure(4.6)
    panels = figure.subplots(2, 2)
    reach = 3.5 * maps.peaks.window.near
    for axes, limit, title in (
        (panels[0, 0], reach, "One spectrum, near the gap"),
        (panels[0, 1], float(bias[-1]), "The same, whole range"),
    ):
        _draw_spectrum(axes, derivative, ours, theirs, limit)
        letter(axes, int(axes is panels[0, 1]), title)
    panels[0, 0].legend(loc="upper center", ncols=2)
    _draw_errors(panels[1, 0], derivative, reach)
    letter(panels[1, 0], 2, "Error of one point")
    span = np.gradient(bias) * (2 * derivative.half_widths + 1) * MV
    panels[1, 1].semilogy(bias * MV, span, ".", color=DATA, markersize=2.5)
    panels[1, 1].set(xlabel="Bias (mV)", ylabel="Width of the window (mV)")
    letter(panels[1, 1], 3, "Window of the derivative")
    return figure


def _draw_spectrum(
    axes: Axes, derivative: Derivative, ours: Array, theirs: Array, limit: float
) -> None:
    bias, std = derivative.bias * MV, derivative.std.values * NS
    inside = np.abs(derivative.bias) <= limit
    axes.plot(bias[inside], theirs[inside] * NS, ".", color="0.6", markersize=3, label="lock-in")
    low, high = ours * NS - std, ours * NS + std
    axes.fill_between(bias[inside], low[inside], high[inside], color=FIT, alpha=0.3, linewidth=0)
    axes.plot(bias[inside], ours[inside] * NS, color=FIT, linewidth=1, label="from the current")
    axes.set(xlabel="Bias (mV)", ylabel="dI/dV (nS)", xlim=(-limit * MV, limit * MV))
    axes.set_ylim(bottom=min(0.0, float(ours.min()) * NS), top=1.3 * float(ours[inside].max()) * NS)


def _draw_errors(axes: Axes, derivative: Derivative, limit: float) -> None:
    inside = np.abs(derivative.bias) <= limit
    bias, std = derivative.bias[inside] * MV, derivative.std.values[inside] * NS
    systematic = derivative.systematic.values[inside] * NS
    axes.plot(bias, std, color=BLUE, linewidth=1, label="noise")
    axes.plot(bias, systematic, color=GREEN, linewidth=1, label="width of the window, rms")
    axes.set(xlabel="Bias (mV)", ylabel="Error of dI/dV (nS)", xlim=(-limit * MV, limit * MV))
    axes.set_ylim(0, 1.35 * float(max(systematic.max(), std.max())))
    axes.legend(loc="upper right", ncols=2)
