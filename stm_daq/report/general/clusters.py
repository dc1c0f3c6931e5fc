"""Kinds of spectra: where they are and what they look like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.clustering import Clusters
from stm_daq.report.raster import extent_of, panel_height
from stm_daq.report.runs.maps import scale_bar
from stm_daq.report.style import (
    BLUE,
    DATA,
    FAILED,
    FIT,
    GREEN,
    in_house_style,
    letter,
    new_figure,
    shade_not_measured,
)
from stm_daq.report.units import in_units_of_people

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NM = 1e9
COLOURS = (BLUE, FIT, GREEN, "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#7f7f7f")
COMPONENTS = 10


@in_house_style
def figure_clusters(clusters: Clusters) -> Figure:
    """Draw where the kinds of spectra are, their means, and why there are so many.

    Parameters
    ----------
    clusters : Clusters
        From :func:`stm_daq.analysis.maps.clustering.cluster_spectra`.
    """
    figure = new_figure(2.7)
    where, spectra, why = figure.subplots(1, 3, width_ratios=(1, 1.2, 0.9))
    _draw_places(where, clusters)
    _draw_means(spectra, clusters)
    _draw_choice(why, clusters)
    return figure


def colour_of(cluster: int) -> str:
    """Return the colour of a cluster; they repeat after eight."""
    return COLOURS[cluster % len(COLOURS)]


def _draw_places(axes: Axes, clusters: Clusters) -> None:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    labels = clusters.labels
    one = "A continuum of spectra" if clusters.continuum else "One kind of spectra"
    letter(axes, 0, one if clusters.count == 1 else f"{clusters.count} kinds of spectra")
    colours = ListedColormap([colour_of(k) for k in range(clusters.count)])
    norm = BoundaryNorm(np.arange(clusters.count + 1) - 0.5, clusters.count)
    shown = np.where(labels.values >= 0, labels.values, np.nan)
    if set(labels.dims) != {"y", "x"}:
        axes.scatter(
            np.arange(shown.size), shown.ravel() + 1, c=shown.ravel(), cmap=colours, norm=norm, s=9
        )
        axes.set(
            xlabel="Number of the spectrum", ylabel="Kind", yticks=range(1, clusters.count + 1)
        )
        return
    extent = extent_of(labels["x"].values * NM, labels["y"].values * NM)
    shade_not_measured(axes)
    axes.imshow(shown, origin="lower", extent=extent, cmap=colours, norm=norm, interpolation="none")
    axes.set(xticks=(), yticks=())
    axes.set_box_aspect(min(panel_height(extent, 1.0), 1.3))
    scale_bar(axes, extent)


def _draw_means(axes: Axes, clusters: Clusters) -> None:
    swept = str(clusters.mean.dims[-1])
    values, factor, label = in_units_of_people(clusters.mean, "Mean spectrum")
    std = clusters.std.values * factor
    position, _, position_label = in_units_of_people(clusters.mean[swept], swept)
    total = sum(clusters.sizes)
    for k, size in enumerate(clusters.sizes):
        share = f"{size} ({100 * size / total:.0f} %)"
        axes.fill_between(
            position, values[k] - std[k], values[k] + std[k], color=colour_of(k), alpha=0.2, lw=0
        )
        axes.plot(position, values[k], color=colour_of(k), linewidth=1.1, label=share)
    axes.set(xlabel=position_label, ylabel=label)
    axes.legend(loc="best", title="Spectra", title_fontsize=7.5)
    letter(axes, 1, "Mean ± standard deviation")


def _draw_choice(axes: Axes, clusters: Clusters) -> None:
    if not clusters.silhouettes:
        shown = 100 * clusters.explained[:COMPONENTS]
        axes.bar(np.arange(len(shown)) + 1, shown, color=FAILED)
        axes.set(xlabel="Principal component", ylabel="Variance (%)")
        letter(axes, 2, "Nothing above noise" if clusters.count == 1 else "Components")
        return
    tried = [k for k, value in clusters.silhouettes.items() if value >= 0]
    axes.plot(tried, [clusters.silhouettes[k] for k in tried], "o-", color=DATA, label="measured")
    axes.plot(
        tried,
        [clusters.homogeneous[k] for k in tried],
        "s--",
        color=FAILED,
        markersize=3.5,
        label="homogeneous, largest of 39",
    )
    kept = len(clusters.components)
    axes.set(xlabel="Number of clusters", ylabel="Mean silhouette", xticks=tried)
    axes.margins(y=0.25)
    axes.legend(loc="best", fontsize=6.5)
    share = f"{100 * clusters.explained[:kept].sum():.0f} %"
    letter(axes, 2, f"{kept} component{'s' if kept > 1 else ''}: {share}")
