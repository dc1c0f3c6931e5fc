"""Readers for measured files of other programs."""

from stm_daq.store.formats.measured import MeasuredSpectra
from stm_daq.store.formats.nanonis_sxm import read_topograph
from stm_daq.store.formats.read import read, read_contents, read_spectra

__all__ = ["MeasuredSpectra", "read", "read_contents", "read_spectra", "read_topograph"]
