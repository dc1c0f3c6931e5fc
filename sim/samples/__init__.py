"""Samples of the twin: a surface and what the tip finds at every place of it."""

from sim.samples.base import (
    ContactJunction,
    Junction,
    MicrowaveSample,
    RememberingSample,
    Sample,
    TunnelJunction,
    depends_on_distance,
)

__all__ = [
    "ContactJunction",
    "Junction",
    "MicrowaveSample",
    "RememberingSample",
    "Sample",
    "TunnelJunction",
    "depends_on_distance",
]
