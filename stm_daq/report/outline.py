"""The figures of a report in their order, with what is written below them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from stm_daq.analysis.maps.sites import sites_of
from stm_daq.records import Event
from stm_daq.report.chapter import Chapter
from stm_daq.report.facts import Facts, facts_of
from stm_daq.report.microwave.loops import figure_loops, figure_supercurrent, figure_switches
from stm_daq.report.runs.curve import FitCurve
from stm_daq.report.runs.examples import Example, pick_examples
from stm_daq.report.runs.maps import figure_maps
from stm_daq.report.runs.series import figure_series, figure_small_maps, figure_waterfall
from stm_daq.report.runs.spectra import figure_spectra
from stm_daq.report.runs.statistics import figure_histogram, figure_truth
from stm_daq.report.runs.timeline import figure_timeline
from stm_daq.report.runs.topograph import figure_topograph
from stm_daq.report.shape import (
    has_power_cycles,
    has_return,
    is_line,
    is_single,
    outer_axes,
    outer_steps,
    trace_of,
)

if TYPE_CHECKING:
    import xarray as xr

LAST = ("The night", "Fitted against true")
"""Titles of the chapters that come after those of a recipe."""


def chapters(
    dataset: xr.Dataset, events: Sequence[Event], fit_curve: FitCurve | None
) -> list[Chapter]:
    """Return what a report of this run shows, in order."""
    facts, examples = facts_of(dataset), pick_examples(dataset)
    first = outer_steps(dataset)[0].dataset
    shown = []
    if "topography" in dataset and dataset["topography"].size:
        shown.append(_topograph(dataset, first, examples))
    if facts.fitted and outer_axes(dataset):
        shown += _series(dataset)
    elif facts.fitted and not is_single(dataset):
        shown.append(_maps(dataset, facts))
    if has_power_cycles(dataset):
        shown += _power_cycles(dataset)
    else:
        if outer_axes(dataset) or is_line(dataset):
            shown.append(_waterfall(dataset))
        shown.append(_examples(dataset, facts, examples, fit_curve))
    if facts.fitted and not is_single(dataset):
        shown.append(_distribution(dataset))
    shown.append(
        Chapter(
            LAST[0],
            "Stage temperature and sites per hour; vertical lines mark events, which are listed "
            "below.",
            "Stage temperature and number of sites per hour against time, with events marked.",
            partial(figure_timeline, dataset, events),
        )
    )
    if facts.fitted and facts.rehearsed:
        shown.append(_truth(dataset))
    return shown


def _topograph(dataset: xr.Dataset, first: xr.Dataset, examples: tuple[Example, ...]) -> Chapter:
    which = " of the first step" if outer_axes(dataset) else ""
    return Chapter(
        "Topograph",
        f"Tip height{which} after subtraction of the best plane; circles mark the example spectra. "
        "Hatched: not scanned. Right: section along the dashed line.",
        "Map of the tip height over the frame with a height profile along one row.",
        partial(figure_topograph, first, examples),
    )


def _maps(dataset: xr.Dataset, facts: Facts) -> Chapter:
    if is_line(dataset):
        return Chapter(
            "Gap, temperature, barrier",
            f"From the fit of every spectrum (model {facts.fit_model}), with standard deviations as "
            "stated by the fit. Goodness of fit is the reduced chi square: near 1 the model "
            "describes the data within their noise.",
            "Four curves along the line: gap, temperature, barrier, and reduced chi square.",
            partial(figure_maps, dataset),
        )
    return Chapter(
        "Gap, temperature, barrier",
        f"Maps from the fit of every spectrum (model {facts.fit_model}). Colours span the "
        "2nd to 98th percentile; pointed ends of a bar mean that some values lie beyond. "
        "A dot on a site: the model does not describe the spectrum within its noise, so the "
        "value is indicative. Goodness of fit is the reduced chi square of every fit, good or "
        "bad: near 1 it describes the data within their noise. Grey: measured, but no value "
        "to show; hatched: not measured.",
        "Four colour maps over the frame: superconducting gap, electron temperature, barrier "
        "strength, and reduced chi square of the fits.",
        partial(figure_maps, dataset),
    )


def _series(dataset: xr.Dataset) -> list[Chapter]:
    one = is_single(dataset)
    bars = (
        "Bars are the standard deviations that the fits state."
        if one
        else "Points are medians over the sites, bars reach from 16 to 84 % of them."
    )
    shown = [
        Chapter(
            "Along the outer axes",
            f"Gap, temperature, barrier and reduced chi square at every step. {bars}",
            "Four curves against the outer axis: gap, temperature, barrier, misfit.",
            partial(figure_series, dataset),
        )
    ]
    if not one:
        shown.append(
            Chapter(
                "Maps of the gap",
                "The gap at each step, all in the same colours (2nd to 98th percentile); a line of sites "
                "is a row. Grey: no value to show; hatched: not measured.",
                "Small maps of the superconducting gap, one for each step of the outer axes.",
                partial(figure_small_maps, dataset),
            )
        )
    return shown


def _waterfall(dataset: xr.Dataset) -> Chapter:
    single = is_single(dataset) or not outer_axes(dataset)
    each = "Every spectrum" if single else "The mean spectrum of every step"
    way = ", the way there only" if has_return(dataset) else ""
    return Chapter(
        "Spectra side by side",
        f"{each}{way}: left above one another, in the order of the picture on the right.",
        f"{trace_of(dataset).label} of all spectra, as shifted curves and as an image.",
        partial(figure_waterfall, dataset),
    )


def _examples(
    dataset: xr.Dataset, facts: Facts, examples: tuple[Example, ...], fit_curve: FitCurve | None
) -> Chapter:
    ways = " Black: way there; blue: way back." if has_return(dataset) else ""
    alternative = "; ".join(f"{e.letter} {e.why.lower()}" for e in examples)
    if not facts.fitted:
        caption = f"Spectra as measured, evenly taken from the run.{ways} No model is fitted."
    else:
        caption = (
            "Measured conductance (points), fit (line), and residuals below in the same unit (nS). "
            "Best, median and worst are by reduced chi square among the trusted fits; the lowest "
            "barrier shows what a transparent contact looks like. Orange: trusted fit; purple: "
            "model not adequate, values indicative; grey: failed fit. Uncertainties are one "
            f"standard deviation as stated by the fit.{ways}"
        )
    return Chapter(
        "Example spectra",
        caption,
        f"Spectra of a few sites: {alternative}.",
        partial(figure_spectra, dataset, examples, fit_curve if facts.fitted else None),
    )


def _distribution(dataset: xr.Dataset) -> Chapter:
    shown = (
        "the doubtful fits (hardly any is trusted, so take the values as indicative)"
        if sites_of(dataset).indicative
        else "all trusted fits"
    )
    return Chapter(
        "Distribution of the gap",
        f"Histogram of the gap over {shown}, and the gap against tip height, "
        "fitted temperature and barrier, one dot a site. Correlations are Spearman's; "
        "how significant they are is not said here, for neighbouring sites are not independent.",
        "Histogram of the gap and three scatter plots of the gap against tip height, "
        "temperature and barrier.",
        partial(figure_histogram, dataset),
    )


def _power_cycles(dataset: xr.Dataset) -> list[Chapter]:
    shown = [
        Chapter(
            "Loops",
            "dI/dV against the microwave power, up (orange) and down (blue), all cycles of some "
            "sites. Dashed: where a state ends, with twice its uncertainty. The verdict is in the title.",
            "Hysteresis loops of dI/dV against microwave power.",
            partial(figure_loops, dataset),
        ),
        Chapter(
            "Where the states end",
            "Powers at which the cold state ends on the way up and the hot state on the way down, and "
            "their distance. Nothing is shown where nothing switches.",
            "Switching powers and widths of the loops, site by site.",
            partial(figure_switches, dataset),
        ),
    ]
    if "critical_current" in dataset and dataset["critical_current"].notnull().any():
        shown.append(
            Chapter(
                "Where the supercurrent flows",
                "By how much the critical current of the strip falls with the hot spot at every site. "
                "In a rehearsal beside the true sheet current of the twin.",
                "Map of the loss of critical current.",
                partial(figure_supercurrent, dataset),
            )
        )
    return shown


def _truth(dataset: xr.Dataset) -> Chapter:
    return Chapter(
        LAST[1],
        "What the trusted fits found against what the twin's world was at each site; on the line "
        "both agree. A pull is (fitted − true) / stated standard deviation; if the stated "
        "uncertainties are honest, pulls follow the dashed normal distribution. Pulls "
        "beyond ±6 are counted in the outermost bins.",
        "Scatter plots of fitted against true gap, temperature and barrier, and the "
        "histogram of their deviations in standard deviations.",
        partial(figure_truth, dataset),
    )
