"""Ranges, steps and status bits of the SR830, from its manual."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.devices.scpi_rows import number, stored

type Array = NDArray[np.float64]

SENSITIVITIES = tuple(m * 10.0**e for e in range(-9, 1) for m in (1, 2, 5))[1:-2]
"""Full scales, 2 nV to 1 V rms."""
TIME_CONSTANTS = tuple(m * 10.0**e for e in range(-5, 5) for m in (1, 3))
"""10 us to 30 ks."""
SAMPLE_RATES = tuple(2.0**k for k in range(-4, 10))
"""62.5 mHz to 512 Hz."""
TRIGGERED = len(SAMPLE_RATES)
OVERRANGE = 1.09
"""The outputs go this far beyond full scale."""
SINE_STEP = 2e-3
"""Resolution of the sine output, V rms."""
AUX_FULL_SCALE = 10.5
COUNTS = 2**15

INPUT_OVERLOAD = 1
OUTPUT_OVERLOAD = 4
TRIGGERED_BIT = 64
"""Bits of the lock-in status register LIAS."""

ONLY_REMEMBERED = (
    *stored("FMOD", "1", number(1, 1)),
    *stored("HARM", "1", number(1, 1)),
    *stored("RSLP", "0", number(0, 2)),
    *stored("ISRC", "0", number(0, 1)),
    *stored("IGND", "0", number(0, 1)),
    *stored("ICPL", "0", number(0, 1)),
    *stored("ILIN", "0", number(0, 3)),
    *stored("RMOD", "1", number(0, 2)),
    *stored("SYNC", "0", number(0, 0)),
    *stored("AUXV", "0.000", number(-10.5, 10.5), index=1),
    *stored("OUTX", "1", number(0, 1)),
    *stored("OVRM", "1", number(0, 1)),
    *stored("SEND", "1", number(0, 1)),
    *stored("TSTR", "0", number(0, 0)),
    *stored("LIAE", "0", index=1),
    *stored("*ESE", "0", number(0, 255)),
    *stored("*SRE", "0", number(0, 255)),
)
"""Settings that change nothing in the twin; those that would are held to what it simulates."""


def digitise(values: Array, full_scale: float) -> Array:
    """Round to 16 bits of +-`full_scale` and stop there."""
    step = full_scale / COUNTS
    digital: Array = np.clip(np.round(values / step), 1 - COUNTS, COUNTS - 1) * step
    return digital
