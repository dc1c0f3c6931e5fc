"""What the analyses say of a line of spectra, each worked out once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.line.line_fits import AverageFit, LineFits, fit_average, fit_line
from stm_daq.analysis.line.line_spectra import (
    AverageSpectrum,
    LineSpectra,
    average_spectrum,
    line_of,
)
from stm_daq.analysis.space.along_line import Course, course_along
from stm_daq.analysis.space.gaussian_histogram import GaussianHistogram, gaussian_histogram
from stm_daq.analysis.space.spread import Spread, spread_of
from stm_daq.errors import CannotTellError
from stm_daq.records import Array
from stm_daq.report.line.line_spectra import (
    figure_line,
    figure_line_average,
    figure_line_course,
    figure_line_histogram,
)
from stm_daq.report_settings import settings_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


class LineResults:
    """Everything of one run; worked out when it is first asked for."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self.dataset = dataset
        self.settings = settings_of(dataset)

    @cached_property
    def spectra(self) -> LineSpectra:
        """The spectra of the line."""
        return line_of(self.dataset)

    @cached_property
    def average(self) -> AverageSpectrum:
        """Their mean."""
        return average_spectrum(self.spectra, self.settings.background_window)

    @cached_property
    def average_fit(self) -> AverageFit:
        """The fit of their mean."""
        return fit_average(self.spectra, self.average)

    @cached_property
    def fits(self) -> LineFits:
        """The fit of every spectrum."""
        return fit_line(self.spectra)

    @cached_property
    def histogram(self) -> GaussianHistogram:
        """Of the gaps, eV."""
        return gaussian_histogram(self.fits.gap)

    @cached_property
    def spread(self) -> Spread:
        """Of the gaps, eV."""
        return spread_of(self.fits.gap, self.fits.gap_std)

    @cached_property
    def course(self) -> Course:
        """Of the gap along the line."""
        return course_along(self.fits.distance, self.fits.gap)

    @property
    def online(self) -> Array | None:
        """Trusted gaps of the fit during the run, eV, shape (m,)."""
        if "gap" not in self.dataset or "fit_ok" not in self.dataset:
            return None
        gap, ok = self.dataset["gap"].values.ravel(), self.dataset["fit_ok"].values.ravel()
        return np.where(ok.astype(bool), gap, np.nan)

    @property
    def film_temperature(self) -> float:
        """Temperature of the stage, and so of the film, K; 0 if it was not measured."""
        if "stage_temperature" not in self.dataset:
            return 0.0
        kelvin = self.dataset["stage_temperature"].values
        return float(np.nanmedian(kelvin)) if np.isfinite(kelvin).any() else 0.0

    def true(self, name: str) -> Array | None:
        """Return the truth of a rehearsal, shape (m,); None without one."""
        variable = f"true_{name}"
        return self.dataset[variable].values.ravel() if variable in self.dataset else None

    def draw_line(self) -> Figure:
        """Draw all spectra."""
        return figure_line(self.spectra, self.settings.background_window)

    def draw_average(self) -> Figure:
        """Draw the mean, with its fit if there is one."""
        try:
            fit = self.average_fit
        except CannotTellError:
            return figure_line_average(self.average)
        return figure_line_average(self.average, fit)

    def draw_histogram(self) -> Figure:
        """Draw the distribution of the gap."""
        return figure_line_histogram(self.fits, self.spread, self.online)

    def draw_course(self) -> Figure:
        """Draw the gap along the line."""
        return figure_line_course(self.fits, self.course, self.true("gap"))
