"""Figures of any map, image or set of spectra."""
