"""Rohde & Schwarz SGS100A as microwave source, through the driver of QCoDeS; set point by point."""

from __future__ import annotations

from drivers.microwave import RohdeSchwarzAdapter


class Sgs100aSource(RohdeSchwarzAdapter):
    """An SGS100A; see :class:`drivers.microwave.MicrowaveAdapter`."""
