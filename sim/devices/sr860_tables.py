"""Ranges, status bits and settings of the SR860 that change nothing in the twin."""

from __future__ import annotations

import math

from sim.devices.scpi_rows import choice, number, stored, whole_number

SCALES = tuple(m * 10.0**e for e in range(0, -10, -1) for m in (1, 0.5, 0.2))[:-2]
"""SCAL 0 to 27: full scale of the outputs, 1 V to 1 nV rms."""
INPUT_RANGES = (1.0, 0.3, 0.1, 0.03, 0.01)
"""IRNG 0 to 4: largest input, V peak."""
TIME_CONSTANTS = tuple(m * 10.0**e for e in range(-6, 5) for m in (1, 3))
"""OFLT 0 to 21: 1 us to 30 ks."""
NOISE_BANDWIDTHS = (1 / 4, 1 / 8, 3 / 32, 5 / 64)
"""Equivalent noise bandwidth times the time constant, for one to four poles."""
FASTEST_CAPTURE = 1.25e6
"""Hz."""
DISTORTION_FREE = 100e-6
"""Up to this time constant the capture is as fast as it can be, s."""
CAPTURED = {"X": "0", "XY": "1", "RT": "2", "XYRT": "3"}
"""What CAPTURECFG may also be called."""
LARGEST_CAPTURE = 4096
LARGEST_BLOCK = 64
"""kB."""

OUTPUT_OVERLOADS = (1, 2)
INPUT_OVERLOAD = 16
TRIGGERED_BIT = 128
"""Bits of LIAS: outputs CH1 and CH2 beyond scale, input beyond range, capture triggered."""

ONLY_REMEMBERED = (
    *stored("HARM", "1", number(1, 1)),
    *stored("SOFF", "0", number(-5, 5)),
    *stored("SYNC", "0", number(0, 0)),
    *stored("ADVFILT", "1", number(0, 1)),
    *stored("IVMD", "0", number(0, 0)),
    *stored("ISRC", "0", number(0, 1)),
    *stored("IGND", "0", number(0, 1)),
    *stored("ICUR", "0", number(0, 1)),
    *stored("ICPL", "0", number(0, 1)),
    *stored("RTRG", "0", number(0, 2)),
    *stored("RSRC", "0", number(0, 0)),
    *stored("REFZ", "0", number(0, 1)),
    *stored("COFP", "0.0", number(-999.99, 999.99), index=1),
    *stored("CEXP", "0", number(0, 0), index=1),
    *stored("AUXV", "0.0", number(-10.5, 10.5), index=1),
    *stored("CDSP", "0", whole_number(0, 16), index=1),
    *stored("OVRM", "1", choice("0", "1", "ON", "OFF")),
    *stored("LIAE", "0", index=1),
    *stored("*ESE", "0", number(0, 255)),
    *stored("*SRE", "0", number(0, 255)),
)
"""Settings that change nothing in the twin; those that would are held to what it simulates."""


def capture_rate(time_constant: float) -> float:
    """Return the fastest capture rate (Hz) at a time constant (s).

    The instrument goes down in powers of two with longer time constants; from which on is assumed.
    """
    halvings = max(math.ceil(math.log2(time_constant / DISTORTION_FREE) - 1e-9), 0)
    return FASTEST_CAPTURE / float(2**halvings)
