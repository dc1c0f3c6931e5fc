"""The lock-in's buffer, read again where a sample stands out: GPIB has no checksum.

A damaged byte changes one sample. Where that leaves the sample among its neighbours and within their
noise, nobody can notice it; elsewhere the buffer, which keeps its samples, is read until two readings
agree.
"""

from __future__ import annotations

import numpy as np

from stm_daq.errors import InstrumentError
from stm_daq.records import Array
from stm_daq.station.roles import BufferedTrace, LockIn

OUTSTANDING = 6.0
"""Deviation from its neighbours, in standard deviations of noise, from which on a sample stands out."""


def read_surely(lockin: LockIn, samples: int, kept: int) -> BufferedTrace:
    """Read the buffer; again if one of the first `kept` samples stands out.

    Parameters
    ----------
    lockin : LockIn
    samples, kept : int
        How many samples there are, and how many of them make the spectrum.

    Raises
    ------
    InstrumentError
        If it cannot be read, or no two of three readings agree.
    """
    readings = [lockin.read_buffer(samples)]
    if not _doubtful(readings[0], kept):
        return readings[0]
    for _ in range(2):
        new = lockin.read_buffer(samples)
        if any(_same(new, old, lockin.auxiliary_recorded) for old in readings):
            flags = (flag for reading in (*readings, new) for flag in reading.flags)
            return BufferedTrace(new.in_phase, new.auxiliary, tuple(dict.fromkeys(flags)))
        readings.append(new)
    raise InstrumentError("three readings of the lock-in's buffer all differ; look at its cable")


def _doubtful(trace: BufferedTrace, kept: int) -> bool:
    return any(stands_out(values[:kept]) for values in (trace.in_phase, trace.auxiliary))


def _same(one: BufferedTrace, other: BufferedTrace, with_auxiliary: bool) -> bool:
    pairs = [(one.in_phase, other.in_phase)]
    if with_auxiliary:
        pairs.append((one.auxiliary, other.auxiliary))
    return all(np.array_equal(*pair) for pair in pairs)


def stands_out(values: Array) -> bool:
    """Whether any of `values` is not where its neighbours on both sides lead to expect it.

    Each is compared with the cubic through two neighbours on either side, whose noise is taken from
    the median of all such differences. The ends have no neighbours on one side: they are compared
    with the parabola through the next three.

    Parameters
    ----------
    values : array of shape (n,)
        Equally spaced. NaN is no value: a trace that has one is not looked at.
    """
    if len(values) < 8 or not np.all(np.isfinite(values)):
        return False
    v = values
    inner = v[2:-2] - (4 * (v[1:-3] + v[3:-1]) - v[:-4] - v[4:]) / 6
    cubic_noise, parabola_noise = np.sqrt(1 + 34 / 36), np.sqrt(1 + 19)
    deviation = float(np.median(np.abs(inner))) / 0.6745 / cubic_noise
    limit = OUTSTANDING * max(deviation, 1e-9 * float(np.max(np.abs(v))))
    ends = (v[part] @ [1.0, -3.0, 3.0, -1.0] for part in (slice(4), slice(1, 5)))
    ends_back = (v[::-1][part] @ [1.0, -3.0, 3.0, -1.0] for part in (slice(4), slice(1, 5)))
    if np.max(np.abs(inner)) > limit * cubic_noise:
        return True
    return any(abs(end) > limit * parabola_noise for end in (*ends, *ends_back))
