"""Spectra to parameters, uncertainties and verdicts."""

from stm_daq.fitting.measured import fit_measured
from stm_daq.fitting.models import MODELS
from stm_daq.fitting.result import FitResult
from stm_daq.fitting.series import GapSeries, fit_gap_series
from stm_daq.fitting.spectra import fit
from stm_daq.fitting.spectrum import OnlineFitter, fit_spectrum
from stm_daq.fitting.verdict import EXPLANATIONS, explain, grade

__all__ = [
    "EXPLANATIONS",
    "MODELS",
    "FitResult",
    "GapSeries",
    "OnlineFitter",
    "explain",
    "fit",
    "fit_gap_series",
    "fit_measured",
    "fit_spectrum",
    "grade",
]
