"""The figures of a report in their order, with what is written below them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from stm_daq.records import Event
from stm_daq.report.curve import FitCurve
from stm_daq.report.facts import facts_of
from stm_daq.report.maps import figure_maps
from stm_daq.report.sites import sites_of
from stm_daq.report.spectra import Example, figure_spectra, pick_examples
from stm_daq.report.statistics import figure_histogram, figure_truth
from stm_daq.report.timeline import figure_timeline
from stm_daq.report.topograph import figure_topograph

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Chapter:
    """A figure, not yet drawn."""

    title: str
    caption: str
    alternative: str
    """What the figure shows, for those who cannot see it."""
    draw: Callable[[], Figure]


def chapters(
    dataset: xr.Dataset, events: Sequence[Event], fit_curve: FitCurve | None
) -> list[Chapter]:
    """Return what a report of this run shows, in order."""
    examples = pick_examples(dataset)
    shown = [
        _topograph(dataset, examples),
        _maps(dataset),
        _spectra(dataset, examples, fit_curve),
        _histogram(dataset),
        _timeline(dataset, events),
    ]
    return [*shown, _truth(dataset)] if facts_of(dataset).rehearsed else shown


def _topograph(dataset: xr.Dataset, examples: tuple[Example, ...]) -> Chapter:
    return Chapter(
        "Topograph",
        "Tip height after subtraction of the best plane; circles mark the spectra of figure 3. "
        "Hatched: not scanned. Right: section along the dashed line.",
        "Map of the tip height over the frame with a height profile along one row.",
        partial(figure_topograph, dataset, examples),
    )


def _maps(dataset: xr.Dataset) -> Chapter:
    return Chapter(
        "Gap, temperature, barrier",
        f"Maps from the fit of every spectrum (model {facts_of(dataset).fit_model}). Colours span the "
        "2nd to 98th percentile; pointed ends of a bar mean that some values lie beyond. "
        "A dot on a site: the model does not describe the spectrum within its noise, so the "
        "value is indicative. Goodness of fit is the reduced chi square of every fit, good or "
        "bad: near 1 it describes the data within their noise. Grey: measured, but no value "
        "to show; hatched: not measured.",
        "Four colour maps over the frame: superconducting gap, electron temperature, barrier "
        "strength, and reduced chi square of the fits.",
        partial(figure_maps, dataset),
    )


def _spectra(
    dataset: xr.Dataset, examples: tuple[Example, ...], fit_curve: FitCurve | None
) -> Chapter:
    return Chapter(
        "Example spectra",
        "Measured conductance (points), fit (line), and residuals below in the same unit (nS). "
        "Best, median and worst are by reduced chi square among the trusted fits; the lowest "
        "barrier shows what a transparent contact looks like. Orange: trusted fit; purple: "
        "model not adequate, values indicative; grey: failed fit. Uncertainties are one "
        "standard deviation as stated by the fit.",
        "Differential conductance against bias with fitted curves and residuals for a few "
        "sites: " + "; ".join(f"{e.letter} {e.why.lower()}" for e in examples) + ".",
        partial(figure_spectra, dataset, examples, fit_curve),
    )


def _histogram(dataset: xr.Dataset) -> Chapter:
    over = (
        "the doubtful fits (hardly any is trusted, so take the values as indicative)"
        if sites_of(dataset).indicative
        else "all trusted fits"
    )
    return Chapter(
        "Distribution of the gap",
        f"Histogram of the gap over {over}, and the gap against tip height, "
        "fitted temperature and barrier, one dot a site. Correlations are Spearman's.",
        "Histogram of the gap and three scatter plots of the gap against tip height, "
        "temperature and barrier.",
        partial(figure_histogram, dataset),
    )


def _timeline(dataset: xr.Dataset, events: Sequence[Event]) -> Chapter:
    return Chapter(
        "The night",
        "Stage temperature and sites per hour; vertical lines mark events, which are listed below.",
        "Stage temperature and number of sites per hour against time, with events marked.",
        partial(figure_timeline, dataset, events),
    )


def _truth(dataset: xr.Dataset) -> Chapter:
    return Chapter(
        "Fitted against true",
        "What the trusted fits found against what the twin's world was at each site; on the line "
        "both agree. A pull is (fitted − true) / stated standard deviation; if the stated "
        "uncertainties are honest, pulls follow the dashed normal distribution. Pulls "
        "beyond ±6 are counted in the outermost bins.",
        "Scatter plots of fitted against true gap, temperature and barrier, and the "
        "histogram of their deviations in standard deviations.",
        partial(figure_truth, dataset),
    )
