"""Figures of how far gap and exponent vary and how they follow one another, and of the theory."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.altshuler_aronov.gap_exponent_relation import without_noise
from stm_daq.analysis.altshuler_aronov.gap_exponent_study import GapExponentStudy
from stm_daq.analysis.space.correlation import RadialProfile
from stm_daq.analysis.space.correlation_length import CorrelationLength
from stm_daq.errors import CannotTellError
from stm_daq.physics import disordered_film
from stm_daq.records import Array
from stm_daq.report.numbers import plus_minus
from stm_daq.report.raster import draw_image
from stm_daq.report.runs.maps import scale_bar
from stm_daq.report.style import BLUE, DATA, FIT, GREEN, in_house_style, letter, new_figure

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NM, MEV, MV = 1e9, 1e3, 1e3
LENGTHS = 5.0
"""Lags are shown up to so many correlation lengths of the gap."""


@in_house_style
def figure_gap_exponent_correlations(study: GapExponentStudy) -> Figure:
    """Draw correlation maps of gap, exponent, both, and of gap with height; below radial averages.

    Bands are one standard deviation. Autocorrelations are those of the film: the noise, which adds
    to the zero lag only, is taken out.

    Raises
    ------
    NothingToShowError
        If there is no gap or exponent, or the map is too small for a correlation length.
    """
    gap, exponent, both = study.gap, study.exponent, study.relation
    if gap.length is None:
        raise CannotTellError(gap.remark)
    reach = LENGTHS * gap.length.length
    figure = new_figure(4.3)
    rows = figure.subfigures(2, 1, height_ratios=(1, 1.15), squeeze=False)
    top, bottom = rows[:, 0]
    pairs = (("gap", "gap"), ("exponent", "exponent"), ("gap", "exponent"), ("gap", "height"))
    titles = ("Gap", "Exponent", "Gap with exponent", "Gap with height")
    for number, (axes, pair) in enumerate(zip(top.subplots(1, 4), pairs, strict=True)):
        last = number == len(pairs) - 1
        _draw_lags(axes, study.correlation(*pair), reach, r"$\rho$" if last else "")
        letter(axes, number, titles[number])
    profiles = (
        (without_noise(gap), gap.length, BLUE, "Gap"),
        (without_noise(exponent), exponent.length, GREEN, "Exponent"),
        (both.profile, both.length, FIT, "Gap with exponent"),
    )
    panels = bottom.subplots(1, 3)
    for number, (axes, (profile, length, colour, title)) in enumerate(
        zip(panels, profiles, strict=True)
    ):
        _draw_profile(axes, profile, length, colour, reach)
        letter(axes, number + 4, title)
    panels[0].set_ylabel(r"Correlation $\rho(r)$")
    return figure


def _draw_lags(axes: Axes, correlation: xr.DataArray, reach: float, label: str) -> None:
    near = correlation.sel(lag_x=slice(-reach, reach), lag_y=slice(-reach, reach))
    half = [float(np.diff(near[name]).mean()) / 2 for name in ("lag_x", "lag_y")]
    edges = [(float(near[n][0]), float(near[n][-1])) for n in ("lag_x", "lag_y")]
    extent = (
        (edges[0][0] - half[0]) * NM, (edges[0][1] + half[0]) * NM,
        (edges[1][0] - half[1]) * NM, (edges[1][1] + half[1]) * NM,
    )  # fmt: skip
    image = draw_image(axes, near.values, extent, "RdBu_r", label, (-1.0, 1.0))
    if not label and image.colorbar is not None:
        image.colorbar.ax.set_visible(False)
    axes.set(xticks=(), yticks=())
    scale_bar(axes, extent)


def _draw_profile(
    axes: Axes, profile: RadialProfile, length: CorrelationLength | None, colour: str, reach: float
) -> None:
    shown = profile.distance <= reach
    r, rho, std = profile.distance[shown] * NM, profile.correlation[shown], profile.std[shown]
    axes.axhline(0, color="0.6", linewidth=0.7)
    axes.fill_between(r, rho - std, rho + std, color=colour, alpha=0.25, linewidth=0)
    axes.plot(r, rho, "o-", color=colour, markersize=3, linewidth=0.8)
    if length is not None:
        grid = np.linspace(0, reach, 200)
        zero = rho[0]
        axes.plot(
            grid * NM, zero * np.exp(-((grid / length.length) ** length.power)), color=DATA, lw=0.9
        )
        written = plus_minus(length.length * NM, length.length_std * NM)
        end = zero / np.e
        axes.plot([length.length * NM] * 2, [0, end], color=DATA, linewidth=0.8, linestyle=":")
        text = rf"$\rho(0) = {zero:.3g}$" + f"\n1/e at {written} nm"
        above, side = (0.93, "top") if zero > 0 else (0.08, "bottom")
        axes.text(0.96, above, text, transform=axes.transAxes, ha="right", va=side)
    axes.set(xlabel="Distance $r$ (nm)", xlim=(0, reach * NM))


@in_house_style
def figure_disorder_theory(study: GapExponentStudy) -> Figure:
    """Draw gap against exponent with the slope that the theory expects, and the running exponent.

    Raises
    ------
    NothingToShowError
        If the plan does not tell what is needed of the film, or there is no gap or exponent.
    """
    theory = study.theory
    figure = new_figure(2.7)
    cloud, running = figure.subplots(1, 2)
    _draw_slopes(cloud, study, theory.slope.value)
    letter(cloud, 0, "Gap against exponent")
    _draw_running_exponent(running, study)
    letter(running, 1, "Exponent along the bias")
    return figure


def _draw_slopes(axes: Axes, study: GapExponentStudy, expected: float) -> None:
    gap, exponent, slope = study.gap, study.exponent, study.relation.slope
    x, y = exponent.values.values.ravel(), gap.values.values.ravel() * MEV
    known = np.isfinite(x) & np.isfinite(y)
    middle, mean = exponent.mean.value, gap.mean.value * MEV
    axes.hexbin(x[known], y[known], gridsize=40, cmap="Greys", mincnt=1, linewidths=0)
    line = np.array([-2.5, 2.5]) * exponent.sigma.value
    written = plus_minus(slope.value, slope.std)
    axes.plot(
        middle + line, mean * (1 + slope.value * line), color=BLUE, label=f"regression: {written}"
    )
    label = f"theory (Eqs. 2, 3): {expected:.2f}"
    axes.plot(middle + line, mean * (1 + expected * line), color=FIT, ls="--", label=label)
    sigma = gap.sigma.value * MEV
    axes.set(xlabel=r"Exponent $\alpha$", ylabel=r"Gap $\Delta$ (meV)")
    axes.set(ylim=(mean - 4 * sigma, mean + 5.5 * sigma))
    axes.legend(loc="upper center", title=r"d ln$\Delta$ / d$\alpha$", title_fontsize=7.5)


def _draw_running_exponent(axes: Axes, study: GapExponentStudy) -> None:
    """Draw the slope of the mean spectrum on logarithmic axes, and Eq. 1 for the sheet resistance."""
    derivative, given = study.maps.derivative, study.settings
    low, high = study.window
    spectrum = np.nanmean(derivative.conductance.values.reshape(-1, len(derivative.bias)), axis=0)
    edges = np.geomspace(low, high, 8)
    gap = study.gap.mean.value
    for sign, colour, name in ((-1.0, BLUE, "negative bias"), (1.0, GREEN, "positive bias")):
        where, slopes = _local_slopes(sign * derivative.bias, spectrum, edges, gap)
        axes.plot(
            where * MV, slopes, "o-", color=colour, ms=3, lw=0.8, label=f"mean spectrum, {name}"
        )
    resistance, plasma = given.sheet_resistance, given.plasma_energy
    assert resistance is not None
    assert plasma is not None
    grid = np.geomspace(low, high, 50)
    law = [disordered_film.exponent(resistance, float(v), plasma) for v in grid]
    label = rf"Eq. 1, {resistance / 1e3:.3g} k$\Omega$"
    axes.plot(grid * MV, law, color=FIT, ls="--", label=label)
    mean = study.exponent.mean.value
    axes.axhline(mean, color=DATA, lw=0.8, label=rf"fit over the window: {mean:.3f}")
    axes.set(xscale="log", xlabel="|Bias| (mV)", ylabel=r"d ln(dI/dV) / d ln$V$")
    axes.set_ylim(0, 1.75 * mean)
    axes.set_xticks([5, 10, 20, 30], ["5", "10", "20", "30"])
    axes.minorticks_off()
    axes.legend(loc="upper right", fontsize=7)


def _local_slopes(bias: Array, spectrum: Array, edges: Array, gap: float) -> tuple[Array, Array]:
    """Return middle and logarithmic slope of parts of a spectrum, without the superconductor's part."""
    where, slopes = [], []
    for low, high in pairwise(edges):
        part = (bias >= low) & (bias <= high)
        if part.sum() < 3:
            continue
        states = bias[part] / np.sqrt(bias[part] ** 2 - gap**2)
        slope, _ = np.polyfit(np.log(bias[part]), np.log(spectrum[part] / states), 1)
        where.append(float(np.exp(np.mean(np.log(bias[part])))))
        slopes.append(float(slope))
    return np.array(where), np.array(slopes)
