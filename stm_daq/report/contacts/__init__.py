"""Figures of contact series."""
