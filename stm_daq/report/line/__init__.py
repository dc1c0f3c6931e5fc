"""Figures and findings of spectra along a line."""
