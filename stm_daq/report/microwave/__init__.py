"""Figures of power sweeps."""
