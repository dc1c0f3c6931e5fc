"""Kinds of values in a plan file. Quantities are written with units and read as SI."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stm_daq.yaml_model import Whole, quantity

Volts = Annotated[float, quantity("V")]
Amperes = Annotated[float, quantity("A")]
Metres = Annotated[float, quantity("m")]
Degrees = Annotated[float, quantity("deg")]
Seconds = Annotated[float, quantity("s")]
Hertz = Annotated[float, quantity("Hz")]
Kelvin = Annotated[float, quantity("K")]
Decibels = Annotated[float, quantity("dBm")]
RelativeDecibels = Annotated[float, quantity("dB")]

POSITIVE = Field(gt=0)
NOT_NEGATIVE = Field(ge=0)

Place = tuple[Metres, Metres]
"""x and y in the controller's coordinates."""
Count = Annotated[Whole, Field(ge=1, le=1_000_000)]
