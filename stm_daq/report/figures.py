"""The figures of a report, one function each; all work in a notebook as well.

>>> from stm_daq import open_run
>>> from stm_daq.report.figures import figure_maps
>>> figure_maps(open_run("runs/2026-03-01_tin"))                      # doctest: +SKIP
"""

from stm_daq.report.altshuler_aronov.derivative import figure_derivative
from stm_daq.report.altshuler_aronov.gap_exponent import (
    figure_gap_exponent_maps,
    figure_gap_exponent_spectra,
)
from stm_daq.report.altshuler_aronov.gap_exponent_correlations import (
    figure_disorder_theory,
    figure_gap_exponent_correlations,
)
from stm_daq.report.contacts.contact_gaps import (
    figure_barrier,
    figure_closing,
    figure_collective_gap,
    figure_places,
)
from stm_daq.report.contacts.contact_spectra import figure_contact_curvature, figure_contact_spectra
from stm_daq.report.general.clusters import figure_clusters
from stm_daq.report.general.correlation_maps import figure_correlation_maps
from stm_daq.report.general.curves import figure_curves
from stm_daq.report.general.fourier import figure_energies, figure_fourier
from stm_daq.report.general.stationarity import figure_stationarity
from stm_daq.report.general.surface import figure_profile, figure_surface
from stm_daq.report.granular.grains import figure_grains
from stm_daq.report.granular.heating import figure_heating
from stm_daq.report.granular.line_cut import figure_line_cut
from stm_daq.report.granular.zero_gap import figure_zero_gap
from stm_daq.report.line.line_spectra import (
    figure_line,
    figure_line_average,
    figure_line_course,
    figure_line_histogram,
)
from stm_daq.report.microwave.loops import figure_loops, figure_supercurrent, figure_switches
from stm_daq.report.runs.correlations import figure_correlations
from stm_daq.report.runs.examples import pick_examples
from stm_daq.report.runs.fits import figure_fits
from stm_daq.report.runs.maps import figure_maps
from stm_daq.report.runs.scatter import figure_scatter
from stm_daq.report.runs.series import figure_series, figure_small_maps, figure_waterfall
from stm_daq.report.runs.spectra import figure_spectra
from stm_daq.report.runs.statistics import figure_histogram, figure_truth
from stm_daq.report.runs.timeline import figure_timeline
from stm_daq.report.runs.topograph import figure_topograph
from stm_daq.report.runs.uncertainty import figure_uncertainty

__all__ = [
    "figure_barrier",
    "figure_closing",
    "figure_clusters",
    "figure_collective_gap",
    "figure_contact_curvature",
    "figure_contact_spectra",
    "figure_correlation_maps",
    "figure_correlations",
    "figure_curves",
    "figure_derivative",
    "figure_disorder_theory",
    "figure_energies",
    "figure_fits",
    "figure_fourier",
    "figure_gap_exponent_correlations",
    "figure_gap_exponent_maps",
    "figure_gap_exponent_spectra",
    "figure_grains",
    "figure_heating",
    "figure_histogram",
    "figure_line",
    "figure_line_average",
    "figure_line_course",
    "figure_line_cut",
    "figure_line_histogram",
    "figure_loops",
    "figure_maps",
    "figure_places",
    "figure_profile",
    "figure_scatter",
    "figure_series",
    "figure_small_maps",
    "figure_spectra",
    "figure_stationarity",
    "figure_supercurrent",
    "figure_surface",
    "figure_switches",
    "figure_timeline",
    "figure_topograph",
    "figure_truth",
    "figure_uncertainty",
    "figure_waterfall",
    "figure_zero_gap",
    "pick_examples",
]
