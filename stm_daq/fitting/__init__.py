"""Spectra to parameters, uncertainties and verdicts."""

from stm_daq.fitting.compare import compare
from stm_daq.fitting.contest import VERDICTS
from stm_daq.fitting.measured import fit_measured
from stm_daq.fitting.models import MODELS
from stm_daq.fitting.result import FitResult
from stm_daq.fitting.series import GapSeries, fit_gap_series
from stm_daq.fitting.settings import FitSettings
from stm_daq.fitting.spectra import fit
from stm_daq.fitting.spectrum import OnlineFitter, fit_spectrum
from stm_daq.fitting.tiles import fit_tiles
from stm_daq.fitting.verdict import EXPLANATIONS, explain, grade

__all__ = [
    "EXPLANATIONS",
    "MODELS",
    "VERDICTS",
    "FitResult",
    "FitSettings",
    "GapSeries",
    "OnlineFitter",
    "compare",
    "explain",
    "fit",
    "fit_gap_series",
    "fit_measured",
    "fit_spectrum",
    "fit_tiles",
    "grade",
]
