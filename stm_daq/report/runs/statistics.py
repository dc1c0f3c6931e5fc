"""Distributions over the map: histogram of the gap, correlations, agreement with the truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.sites import Mask, sites_of
from stm_daq.analysis.space.significance import rank_correlation
from stm_daq.analysis.space.spread import fwhm
from stm_daq.analysis.topographs.surface import without_plane
from stm_daq.records import Array
from stm_daq.report.numbers import (
    BARRIER,
    FITTED,
    GAP,
    SIGMAS,
    TEMPERATURE,
    Agreement,
    Spread,
    agreement_of,
    show_percent,
    spread_of,
    values_of,
)
from stm_daq.report.style import (
    BLUE,
    DATA,
    DOUBTFUL,
    FIT,
    GREEN,
    NothingToShowError,
    in_house_style,
    letter,
    new_figure,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PULL_COLOURS = {GAP.name: BLUE, TEMPERATURE.name: FIT, BARRIER.name: GREEN}


@in_house_style
def figure_histogram(dataset: xr.Dataset) -> Figure:
    """Draw the histogram of the gap, and the gap against height, temperature and barrier.

    Shown are the trusted sites, or the doubtful ones if hardly any is trusted: the title says so.

    Raises
    ------
    NothingToShowError
        If no fit is usable.
    """
    sites = sites_of(dataset)
    ok, colour = sites.representative, DOUBTFUL if sites.indicative else BLUE
    if not ok.any():
        raise NothingToShowError("No fit can be trusted, so there is no distribution to show.")
    figure = new_figure(4.8)
    if sites.indicative:
        figure.suptitle("Model not adequate at these sites: values indicative", color=DOUBTFUL)
    panels = figure.subplots(2, 2)
    gap = values_of(dataset, GAP, ok)
    _draw_histogram(panels[0, 0], gap, spread_of(dataset, GAP, ok), colour)
    letter(panels[0, 0], 0, "Distribution of the gap")
    z = _flat_heights(dataset, ok)
    others = (
        (z[ok] * 1e9, "height", "Tip height, plane subtracted (nm)"),
        (values_of(dataset, TEMPERATURE, ok), "temperature", TEMPERATURE.label),
        (values_of(dataset, BARRIER, ok), "barrier", BARRIER.label),
    )
    for number, (axes, (values, name, label)) in enumerate(
        zip(panels.ravel()[1:], others, strict=True)
    ):
        _draw_cloud(axes, values, gap, colour)
        axes.set(xlabel=label, ylabel=GAP.label)
        letter(axes, number + 1, f"Gap and {name}{_correlation(values, gap)}")
    return figure


def _flat_heights(dataset: xr.Dataset, mask: Mask) -> Array:
    """Return the tip heights in `mask`, m, without the plane of each map."""
    heights = np.where(mask, dataset["z"].values, np.nan)
    x, y = dataset["x"].values, dataset["y"].values
    maps = heights.reshape(-1, *heights.shape[-2:])
    return np.array([without_plane(z, x, y) for z in maps]).reshape(heights.shape)


def _draw_histogram(axes: Axes, gap: Array, spread: Spread, colour: str) -> None:
    low, high = np.percentile(gap, [0.5, 99.5])
    margin = max(0.1 * (high - low), 1e-3)
    shown = (float(low - margin), float(high + margin))
    bins = int(np.clip(round(math.sqrt(len(gap))), 5, 60))
    counts, _, _ = axes.hist(gap, bins=bins, range=shown, color=colour, alpha=0.85)
    median, width, std = spread.median, fwhm(gap), spread.typical_std
    lines = [f"median {median:.3f} meV", f"16–84 %: {spread.low:.3f}–{spread.high:.3f} meV"]
    lines += [f"FWHM of the main peak {width:.3f} meV"] if math.isfinite(width) else []
    lines += [f"std of one fit {std:.4f} meV"] if math.isfinite(std) else []
    lines += [f"{len(gap)} sites"]
    axes.axvline(median, color=DATA, linewidth=1, linestyle="--")
    left = median > (shown[0] + shown[1]) / 2
    axes.text(
        0.03 if left else 0.97,
        0.96,
        "\n".join(lines),
        transform=axes.transAxes,
        va="top",
        ha="left" if left else "right",
        fontsize=7.5,
        linespacing=1.4,
    )
    axes.set(xlabel=GAP.label, ylabel="Sites", xlim=shown, ylim=(0, 1.8 * np.max(counts)))


def _draw_cloud(axes: Axes, x: Array, y: Array, colour: str) -> None:
    """Draw one dot a site, paler the more there are; a few outliers may lie outside."""
    if not (np.isfinite(x) & np.isfinite(y)).any():
        axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", va="center")
        return
    size, alpha = (6.0, 0.8) if len(x) < 300 else (3.0, 0.5) if len(x) < 3000 else (2.0, 0.2)
    axes.plot(
        x,
        y,
        linestyle="none",
        marker=".",
        markersize=size,
        markeredgewidth=0,
        color=colour,
        alpha=alpha,
        rasterized=len(x) > 300,
    )
    axes.set(xlim=_without_outliers(x), ylim=_without_outliers(y))


def _without_outliers(values: Array) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(finite, [0.2, 99.8]))
    margin = 0.08 * (high - low) or 0.05 * max(abs(low), 1e-3)
    return low - margin, high + margin


def _correlation(x: Array, y: Array) -> str:
    rank = rank_correlation(x, y)
    if not math.isfinite(rank):
        return ""
    return f": rank correlation {rank:+.2f}".replace("-", "\N{MINUS SIGN}")


@in_house_style
def figure_truth(dataset: xr.Dataset) -> Figure:
    """Draw fitted against true values of a rehearsal, and the pulls.

    A pull is (fitted - true) / stated standard deviation; honest ones follow a normal distribution
    of width one.

    Raises
    ------
    NothingToShowError
        If the dataset holds no truth, or hardly any fit is trusted.
    """
    found = [agreement_of(dataset, quantity) for quantity in FITTED]
    agreements = [agreement for agreement in found if agreement is not None]
    if not agreements:
        raise NothingToShowError("There are not enough trusted fits of sites whose truth is known.")
    figure = new_figure(5.2)
    panels = figure.subplots(2, 2).ravel()
    for number, (axes, agreement) in enumerate(zip(panels, agreements, strict=False)):
        _draw_agreement(axes, agreement)
        letter(axes, number, _error_text(agreement))
    for unused in panels[len(agreements) + 1 :]:
        unused.set_axis_off()
    _draw_pulls(panels[len(agreements)], agreements)
    letter(panels[len(agreements)], len(agreements), "Pulls")
    return figure


def _error_text(agreement: Agreement) -> str:
    quantity = agreement.quantity
    if quantity is GAP:
        return f"Gap: median error {show_percent(agreement.median_relative_error)}"
    return f"{quantity.title}: median error {agreement.median_error:.2g} {quantity.unit}".rstrip()


def _draw_agreement(axes: Axes, agreement: Agreement) -> None:
    quantity = agreement.quantity
    _draw_cloud(axes, agreement.true, agreement.fitted, BLUE)
    low, high = _without_outliers(np.concatenate([agreement.true, agreement.fitted]))
    axes.plot([low, high], [low, high], color=FIT, linewidth=0.9)
    unit = f" ({quantity.unit})" if quantity.unit else ""
    axes.set(
        xlabel=f"True {quantity.symbol}{unit}",
        ylabel=f"Fitted {quantity.symbol}{unit}",
        xlim=(low, high),
        ylim=(low, high),
    )


def _draw_pulls(axes: Axes, agreements: Sequence[Agreement]) -> None:
    bins, reach = 48, 6.0
    for agreement in agreements:
        pull = agreement.pull[np.isfinite(agreement.pull)]
        colour = _PULL_COLOURS[agreement.quantity.name]
        # beyond the axis means in the outermost bin, so that nothing bad is hidden
        axes.hist(
            np.clip(pull, -reach, reach),
            bins=bins,
            range=(-reach, reach),
            density=len(pull) > 0,
            histtype="step",
            color=colour,
            linewidth=1.1,
            label=f"{agreement.quantity.symbol}: {show_percent(agreement.within)}",
        )
    pulls = np.linspace(-reach, reach, 121)
    normal = np.exp(-(pulls**2) / 2) / math.sqrt(2 * math.pi)
    axes.plot(pulls, normal, color=DATA, linewidth=0.8, linestyle="--", label="normal")
    axes.legend(title=f"within {SIGMAS:g} std", loc="upper right", title_fontsize=7.5)
    axes.set(
        xlabel="(fitted \N{MINUS SIGN} true) / std",
        ylabel="Density",
        xlim=(-reach, reach),
    )
