"""The figures of a report, one function each; all work in a notebook as well.

>>> from stm_daq import open_run
>>> from stm_daq.report.figures import figure_maps
>>> figure_maps(open_run("runs/2026-03-01_tin"))                      # doctest: +SKIP
"""

from stm_daq.report.correlation_maps import figure_correlation_maps
from stm_daq.report.derivative import figure_derivative
from stm_daq.report.examples import pick_examples
from stm_daq.report.fits import figure_fits
from stm_daq.report.gap_exponent import figure_gap_exponent_maps, figure_gap_exponent_spectra
from stm_daq.report.gap_exponent_correlations import (
    figure_disorder_theory,
    figure_gap_exponent_correlations,
)
from stm_daq.report.loops import figure_loops, figure_supercurrent, figure_switches
from stm_daq.report.maps import figure_maps
from stm_daq.report.scatter import figure_scatter
from stm_daq.report.series import figure_series, figure_small_maps, figure_waterfall
from stm_daq.report.spectra import figure_spectra
from stm_daq.report.statistics import figure_histogram, figure_truth
from stm_daq.report.timeline import figure_timeline
from stm_daq.report.topograph import figure_topograph

__all__ = [
    "figure_correlation_maps",
    "figure_derivative",
    "figure_disorder_theory",
    "figure_fits",
    "figure_gap_exponent_correlations",
    "figure_gap_exponent_maps",
    "figure_gap_exponent_spectra",
    "figure_histogram",
    "figure_loops",
    "figure_maps",
    "figure_scatter",
    "figure_series",
    "figure_small_maps",
    "figure_spectra",
    "figure_supercurrent",
    "figure_switches",
    "figure_timeline",
    "figure_topograph",
    "figure_truth",
    "figure_waterfall",
    "pick_examples",
]
