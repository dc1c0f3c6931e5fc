"""The sample buffer of the SR830: its size, its clock and the formats in which it is read."""

from __future__ import annotations

import numpy as np

from sim.devices.sample_buffer import Array

CAPACITY = 16383
TICK = 1 / 512
"""A triggered sample is made on the next tick of the instrument's own clock, s."""


def encode_lockin_format(values: Array) -> bytes:
    """Encode as ``TRCL`` does: int16 mantissa m, int16 exponent e, value = m 2^(e - 124)."""
    mantissa, exponent = np.frexp(values)
    pairs = np.empty((len(values), 2), dtype="<i2")
    pairs[:, 0] = np.clip(np.round(mantissa * 2**15), -(2**15), 2**15 - 1)
    pairs[:, 1] = np.where(values == 0, 0, exponent - 15 + 124)
    return pairs.tobytes()


def encode_floats(values: Array) -> bytes:
    """Encode as ``TRCB`` does: IEEE floats of 4 bytes, little-endian."""
    return values.astype("<f4").tobytes()
