"""Figures of Andreev microscopy of granular films."""
