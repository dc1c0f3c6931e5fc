"""Spectra without a model: derivatives, background, width of a dip."""
