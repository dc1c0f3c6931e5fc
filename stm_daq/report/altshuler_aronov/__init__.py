"""Figures and findings of maps of gaps and exponents."""
