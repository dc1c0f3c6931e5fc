"""Andreev microscopy of granular films: heating behind the barrier, gap at zero temperature."""
