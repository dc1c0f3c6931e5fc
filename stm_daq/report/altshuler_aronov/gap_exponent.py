"""Figures of a map of gaps and exponents: maps with histograms, and spectra with their power laws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.altshuler_aronov.gap_exponent_relation import Varying
from stm_daq.analysis.altshuler_aronov.gap_exponent_study import GapExponentStudy
from stm_daq.analysis.maps.sites import Mask
from stm_daq.analysis.topographs.surface import without_plane
from stm_daq.records import Array
from stm_daq.report.numbers import plus_minus
from stm_daq.report.raster import draw_image, extent_of, panel_height, robust_limits
from stm_daq.report.runs.maps import scale_bar
from stm_daq.report.style import BLUE, DATA, FIT, GREEN, in_house_style, letter, new_figure

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NM, MEV, MV, NS = 1e9, 1e3, 1e3, 1e9
PANEL = 1.75
"""Width of a map, inch."""
GROUPS = ((0, 10, BLUE), (45, 55, DATA), (90, 100, FIT))
"""Sites between these percentiles of the exponent are averaged: percentiles and colour."""
LABELS = ("smallest", "middle", "largest")


@in_house_style
def figure_gap_exponent_maps(study: GapExponentStudy) -> Figure:
    """Draw topograph, gap and exponent, with the distributions of the latter two.

    The colours of the exponent run the other way round, so that maps that follow one another with
    opposite sign look alike.

    Raises
    ------
    NothingToShowError
        If there are no gaps or no exponents.
    """
    gap, exponent = study.gap, study.exponent
    extent = _extent(gap.values)
    figure = new_figure(panel_height(extent, PANEL) + 2.7)
    heights = (panel_height(extent, PANEL) + 0.5, 2.1)
    top, bottom = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)[:, 0]
    panels = top.subplots(1, 3)
    _draw_topograph(panels[0], study.run)
    _draw_map(panels[1], gap.values * MEV, "viridis", "meV")
    _draw_map(panels[2], exponent.values, "viridis_r", "")
    for number, title in enumerate(("Topograph", r"Gap $\Delta$", r"Exponent $\alpha$")):
        letter(panels[number], number, title)
    left, right = bottom.subplots(1, 2)
    _draw_distribution(left, gap, MEV, r"Gap $\Delta$ (meV)", "meV")
    _draw_distribution(right, exponent, 1.0, r"Exponent $\alpha$", "")
    letter(left, 3, "Distribution of the gap")
    letter(right, 4, "Distribution of the exponent")
    return figure


def _extent(values: xr.DataArray) -> tuple[float, float, float, float]:
    return extent_of(values["x"].values * NM, values["y"].values * NM)


def _draw_topograph(axes: Axes, run: xr.Dataset) -> None:
    """Draw the topograph, or the tip heights of the sites where there is none."""
    if run["topography"].size and np.isfinite(run["topography"].values).any():
        heights, x, y = (run[n].values for n in ("topography", "topograph_x", "topograph_y"))
    else:
        heights, x, y = (run[n].values for n in ("z", "x", "y"))
    flat = without_plane(heights, x, y) * NM
    extent = extent_of(x * NM, y * NM)
    draw_image(axes, flat, extent, "cividis", "nm", robust_limits(flat))
    axes.set(xticks=(), yticks=())
    scale_bar(axes, extent)


def _draw_map(axes: Axes, values: xr.DataArray, colours: str, unit: str) -> None:
    extent = _extent(values)
    draw_image(axes, values.values, extent, colours, unit, robust_limits(values.values))
    axes.set(xticks=(), yticks=())
    scale_bar(axes, extent)


def _draw_distribution(axes: Axes, found: Varying, factor: float, label: str, unit: str) -> None:
    """Draw a histogram, the normal distribution of the same width, and that without the noise."""
    values = found.values.values[np.isfinite(found.values.values)] * factor
    mean, sigma = found.mean.value * factor, found.sigma.value * factor
    axes.hist(values, 50, density=True, color=BLUE, alpha=0.35, label=f"{len(values)} sites")
    grid = np.linspace(mean - 4 * sigma, mean + 4 * sigma, 200)
    bell = np.exp(-(((grid - mean) / sigma) ** 2) / 2) / (np.sqrt(2 * np.pi) * sigma)
    written = plus_minus(sigma, found.sigma.std * factor)
    axes.plot(grid, bell, color=FIT, label=rf"normal, $\sigma$ = {written} {unit}".rstrip())
    axes.set(xlabel=label, ylabel=f"Density (1/{unit})" if unit else "Density", yticks=())
    axes.set_xlim(grid[0], grid[-1])
    axes.set_ylim(top=1.6 * axes.get_ylim()[1])
    noise = f"{found.noise * factor:.2g} {unit}".rstrip()
    title = f"mean {plus_minus(mean, found.mean.std * factor)} {unit}".rstrip() + f", noise {noise}"
    axes.legend(loc="upper center", title=title, title_fontsize=7.5)


@in_house_style
def figure_gap_exponent_spectra(study: GapExponentStudy) -> Figure:
    """Draw mean spectra of the sites with the smallest, middle and largest exponents.

    Near the gap, over the whole range, and against the logarithm of the bias with the power laws.

    Raises
    ------
    NothingToShowError
        If there are no gaps or no exponents.
    """
    figure = new_figure(5.2)
    panels = figure.subplots(2, 2).ravel()
    near, wide, minus, plus = panels
    for group in _groups(study):
        for axes in (near, wide):
            _draw_mean(axes, study, group)
        for axes, sign in ((minus, -1.0), (plus, 1.0)):
            _draw_power_law(axes, study, group, sign)
    bias = study.maps.derivative.bias * MV
    reach = 3.5 * study.maps.peaks.window.near * MV
    spectra = study.maps.derivative.conductance.values
    top = float(np.nanmean(spectra, axis=(0, 1))[np.abs(bias) < reach].max()) * NS
    near.set(xlim=(-reach, reach), ylim=(0, 1.75 * top))
    near.legend(loc="upper center", fontsize=7)
    wide.set_xlim(bias[0], bias[-1])
    for edge in (*study.window, *(-edge for edge in study.window)):
        wide.axvline(edge * MV, color="0.6", linewidth=0.7, linestyle=":")
    titles = ("Gap", "Background", "Negative bias, as measured", "Positive bias, as measured")
    for number, title in enumerate(titles):
        letter(panels[number], number, title)
    return figure


@dataclass(frozen=True, slots=True)
class _Group:
    """Sites with about the same exponent."""

    label: str
    colour: str
    sites: Mask
    """Shape (sites,)."""
    mean: Array
    """Their mean spectrum, nS."""


def _groups(study: GapExponentStudy) -> list[_Group]:
    """Return the sites with the smallest, middle and largest exponents."""
    derivative = study.maps.derivative
    spectra = derivative.conductance.values.reshape(-1, len(derivative.bias)) * NS
    alpha, gap = study.exponent.values.values.ravel(), study.gap.values.values.ravel() * MEV
    groups = []
    for (low, high, colour), name in zip(GROUPS, LABELS, strict=True):
        edges = np.nanpercentile(alpha, [low, high])
        sites = (alpha >= edges[0]) & (alpha <= edges[1])
        label = rf"{name} $\alpha$: {alpha[sites].mean():.3f}, {np.nanmean(gap[sites]):.3f} meV"
        groups.append(_Group(label, colour, sites, spectra[sites].mean(axis=0)))
    return groups


def _draw_mean(axes: Axes, study: GapExponentStudy, group: _Group) -> None:
    bias = study.maps.derivative.bias * MV
    error = study.maps.derivative.std.values * NS / np.sqrt(group.sites.sum())
    low, high = group.mean - error, group.mean + error
    axes.fill_between(bias, low, high, color=group.colour, alpha=0.3, linewidth=0)
    axes.plot(bias, group.mean, color=group.colour, linewidth=1, label=group.label)
    axes.set(xlabel="Bias (mV)", ylabel="dI/dV (nS)")


def _draw_power_law(axes: Axes, study: GapExponentStudy, group: _Group, sign: float) -> None:
    """Draw one side on logarithmic axes, with the mean of the laws fitted to these sites."""
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    bias, (low, high) = study.maps.derivative.bias, study.window
    side = sign * bias > study.maps.peaks.window.near
    laws = study.maps.as_measured
    found = (laws.negative, laws.prefactor_negative)
    if sign > 0:
        found = (laws.positive, laws.prefactor_positive)
    alpha, factor = (part.values.ravel()[group.sites] for part in found)
    colour = group.colour
    axes.loglog(sign * bias[side] * MV, group.mean[side], ".", color=colour, markersize=3)
    grid = np.geomspace(low, high, 50)
    law = np.mean(factor[:, np.newaxis] * grid ** alpha[:, np.newaxis], axis=0) * NS
    axes.loglog(
        grid * MV, law, color=colour, linewidth=1.2, label=rf"$\alpha$ = {alpha.mean():.3f}"
    )
    axes.set(xlabel="|Bias| (mV)", ylabel="dI/dV (nS)")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_formatter(NullFormatter())
    axes.set_xticks([1, 2, 5, 10, 20])
    axes.set_yticks([15, 20, 30])
    axes.axvspan(low * MV, high * MV, color=GREEN, alpha=0.04, lw=0)
    axes.legend(loc="lower right")
