"""Samples of the twin: a surface and what the tip finds at every place of it."""

from sim.samples.base import Junction, Sample

__all__ = ["Junction", "Sample"]
