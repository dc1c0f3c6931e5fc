"""The recipe of Andreev microscopy: a grid map of a granular film, fitted with BTK.

After W.-T. Liao et al., Phys. Rev. B 100, 214505 (2019). From the plan's ``report:`` block it uses
`critical_temperature`, `regions` and `line_cut`, where given.
"""

from __future__ import annotations

import json
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.granular.heating import Heating, fit_heating
from stm_daq.analysis.granular.zero_gap import zero_temperature_gap
from stm_daq.analysis.maps.fitted_maps import fitted_maps
from stm_daq.analysis.maps.linecut import Point
from stm_daq.analysis.maps.neighbours import NeighbourScatter, neighbour_scatter
from stm_daq.analysis.maps.regions import Regions, drawn, interiors, on_sites, thresholded
from stm_daq.analysis.space.significance import correlate_all
from stm_daq.analysis.topographs.grains import segment_grains
from stm_daq.errors import CannotTellError
from stm_daq.report.chapter import Chapter, Finding
from stm_daq.report.granular.grains import figure_grains
from stm_daq.report.granular.heating import figure_heating
from stm_daq.report.granular.line_cut import figure_line_cut
from stm_daq.report.granular.zero_gap import figure_zero_gap
from stm_daq.report.recipes import tin_findings
from stm_daq.report.runs.correlations import figure_correlations
from stm_daq.report.runs.uncertainty import figure_uncertainty
from stm_daq.report.shape import outer_axes
from stm_daq.report.style import NothingToShowError
from stm_daq.report_settings import settings_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

FITTED = ("gap", "temperature", "barrier")
NAMES = {"gap": "Gap", "temperature": "Temperature", "barrier": "Barrier"}
SMALLEST = 8
"""Rows and columns of a map."""
FEWEST_GRAINS = 10
"""With fewer grains of enough sites the heating model is fitted to the map as a whole."""


def suits(dataset: xr.Dataset) -> bool:
    """Whether the run is one grid map of spectra in a topograph, fitted with gap and barrier."""
    if not {"topography", "z", "fit_ok", "bias", *FITTED} <= set(dataset.variables):
        return False
    if outer_axes(dataset) or not dataset["topography"].size:
        return False
    model = json.loads(dataset.attrs.get("metadata", "{}")).get("fit_model", "btk")
    if not str(model).startswith("btk"):
        return False  # there is a map of the barrier in every run, but an empty one
    return min(dataset.sizes["y"], dataset.sizes["x"]) >= SMALLEST


def chapters(dataset: xr.Dataset) -> list[Chapter]:
    """Return the figures of the paper, for this film."""
    film = Film(dataset)
    return [
        Chapter(
            "Grains",
            "Topograph (plane subtracted) with the boundaries of its grains, found by watershed, and the "
            "diameters of those that lie wholly in the frame."
            + (" Coloured: regions of interest." if film.settings.regions else ""),
            "Topograph with grain boundaries, and a histogram of grain diameters.",
            partial(_draw_grains, film),
        ),
        Chapter(
            "Line cut",
            "dI/dV over its normal-state value along the arrow in the map of the gap, every spectrum as "
            "measured; below, gap and height along the same line. The gap's axis points down.",
            "Spectra along a line as an image, with profiles of gap and height.",
            partial(_draw_line_cut, film),
        ),
        Chapter(
            "Gap, temperature and barrier by region",
            "One point a site, coloured by region"
            + ("" if film.settings.regions else " (thirds of the gap at zero temperature)")
            + ". Lines: BCS gap(T) with the region's gap at zero "
            "temperature; the heating model T = Tn + dT / (r / (1 + Z²) + 1), Tn and r in common, fitted "
            "with errors in both variables to these regions (the findings: to the grains); and both "
            "together.",
            "Scatter plots of gap, temperature and barrier by region with model curves.",
            partial(_draw_heating, film),
        ),
        Chapter(
            "Gap at zero temperature",
            "Distributions of the gap as fitted and of the gap at zero temperature, by the BCS gap "
            "equation with each site's own temperature. Arrow: what the critical temperature lets "
            "expect.",
            "Histograms of the gap at the junction's and at zero temperature.",
            partial(_draw_zero_gap, film),
        ),
        Chapter(
            "Correlation with height",
            "Correlation coefficients of the maps with the tip height at the sites, planes taken off. "
            "Error bars are 95 % intervals; pixels within a correlation length of one another do not "
            "count as independent. Grey: not significant at 5 %.",
            "Bars of correlation coefficients with intervals and p-values.",
            partial(_draw_correlations, film),
        ),
        Chapter(
            "Neighbouring sites",
            "By how much more neighbouring sites differ than the standard deviations of their fits say. "
            "1: fit noise explains the difference; more: the film changes from site to site, "
            "as at grain boundaries, or the fits state too little.",
            "Maps of the difference of neighbouring sites over its stated uncertainty.",
            partial(_draw_uncertainty, film),
        ),
    ]


def findings(dataset: xr.Dataset) -> list[Finding]:
    """Return the numbers of the paper, for this film, and in a rehearsal the twin's (`true_...`)."""
    film = Film(dataset)
    return tin_findings.findings(
        film.maps, film.gap0, film.dataset, lambda: film.grains, lambda: film.heating
    )


class Film:
    """A run on a granular film, each analysis done once, when it is needed."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self.dataset = dataset
        self.settings = settings_of(dataset)

    @cached_property
    def maps(self) -> xr.Dataset:
        """Gap, temperature and barrier where the fit counts."""
        return fitted_maps(self.dataset, FITTED)

    @cached_property
    def gap0(self) -> xr.Dataset:
        """The gap at zero temperature."""
        return zero_temperature_gap(self.maps)

    @cached_property
    def grains(self) -> Regions:
        """Of the topograph."""
        return segment_grains(self.dataset["topography"])

    @cached_property
    def regions(self) -> Regions:
        """Those of the plan, else the thirds of the gap at zero temperature."""
        if self.settings.regions:
            return drawn(self.maps["gap"], self.settings.regions)
        gap0 = self.gap0["gap0"]
        if not np.isfinite(gap0.values).any():
            raise CannotTellError("no site has a gap at zero temperature")
        ends = [-np.inf, *np.nanpercentile(gap0.values, [33.3, 66.7]), np.inf]
        names = ("low gap", "middle gap", "high gap")
        limits = {n: (float(a), float(b)) for n, a, b in zip(names, ends, ends[1:], strict=False)}
        return thresholded(gap0, limits)

    @cached_property
    def heating(self) -> Heating:
        """Fitted to the insides of the grains, or to the whole map where these are too small."""
        try:
            inside = on_sites(interiors(self.grains), self.maps["gap"])
            found = fit_heating(self.maps, inside)
        except CannotTellError:
            return fit_heating(self.maps)
        return found if len(found.regions) >= FEWEST_GRAINS else fit_heating(self.maps)

    @cached_property
    def correlations(self) -> xr.Dataset:
        """Of the maps with the height."""
        maps = self.maps[list(FITTED)].assign(height=self.dataset["z"])
        return correlate_all(maps, "height")

    @cached_property
    def neighbours(self) -> list[NeighbourScatter]:
        """Of the quantities for which they can be told."""
        found = []
        for name in FITTED:
            try:
                found.append(neighbour_scatter(self.maps, name))
            except CannotTellError:
                continue  # the figure shows the others
        return found

    @property
    def line(self) -> tuple[Point, Point]:
        """The line of the plan, else the row along which the gap varies most."""
        if self.settings.line_cut is not None:
            return self.settings.line_cut
        x, y, gap = self.dataset["x"].values, self.dataset["y"].values, self.maps["gap"].values
        some = np.isfinite(gap).sum(axis=1) >= 2
        if not some.any():
            raise CannotTellError("no row has two fits that count")
        spread = np.full(len(y), -1.0)
        spread[some] = np.nanstd(gap[some], axis=1)
        row = float(y[int(np.argmax(spread))])
        return (float(x[0]), row), (float(x[-1]), row)


def _draw_grains(film: Film) -> Figure:
    regions = None
    if film.settings.regions:
        regions = drawn(film.dataset["topography"], film.settings.regions)
    try:
        return figure_grains(film.dataset, film.grains, regions)
    except CannotTellError as error:
        raise NothingToShowError(f"There are no grains to show: {error}.") from None


def _draw_line_cut(film: Film) -> Figure:
    try:
        return figure_line_cut(film.dataset, *film.line)
    except CannotTellError as error:
        raise NothingToShowError(f"There is no line to show: {error}.") from None


def _draw_heating(film: Film) -> Figure:
    try:
        regions = film.regions
    except CannotTellError as error:
        raise NothingToShowError(f"There are no regions to show: {error}.") from None
    try:
        heating = fit_heating(film.maps, regions)
    except CannotTellError:
        heating = None  # the points are worth seeing without curves
    return figure_heating(film.maps, regions, heating)


def _draw_zero_gap(film: Film) -> Figure:
    return figure_zero_gap(film.maps, film.settings.critical_temperature)


def _draw_correlations(film: Film) -> Figure:
    return figure_correlations(film.correlations, NAMES, "Correlation with the height")


def _draw_uncertainty(film: Film) -> Figure:
    return figure_uncertainty(film.neighbours)
