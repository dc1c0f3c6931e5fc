"""Spectra to parameters, uncertainties and verdicts."""

from stm_daq.fitting.result import FitResult
from stm_daq.fitting.spectrum import OnlineFitter, fit_spectrum
from stm_daq.fitting.verdict import EXPLANATIONS, explain

__all__ = ["EXPLANATIONS", "FitResult", "OnlineFitter", "explain", "fit_spectrum"]
