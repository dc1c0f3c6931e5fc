"""Spectra along a line: their mean, and a fit of each."""
