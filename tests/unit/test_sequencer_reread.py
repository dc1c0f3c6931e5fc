"""Buffers are read again where a sample stands out, and only there."""

import numpy as np
import pytest

from stm_daq.errors import InstrumentError
from stm_daq.sequencer.reread import read_surely, stands_out
from stm_daq.station.roles import BufferedTrace


def spectrum(points: int = 256, noise: float = 0.01, seed: int = 0) -> np.ndarray:
    volts = np.linspace(-4.0, 4.0, points)
    gap = 1.0 + 0.8 * np.exp(-((np.abs(volts) - 1.0) ** 2) / 0.05) - 0.9 / (1 + volts**4)
    return gap + noise * np.random.default_rng(seed).standard_normal(points)


def trace(values: np.ndarray, *flags: str) -> BufferedTrace:
    return BufferedTrace(values, np.cumsum(values), flags)


class Buffer:
    """A lock-in whose readings are given."""

    auxiliary_recorded = True

    def __init__(self, *readings: BufferedTrace) -> None:
        self.readings = list(readings)

    def read_buffer(self, points: int) -> BufferedTrace:
        reading = self.readings.pop(0)
        assert len(reading.in_phase) == points
        return reading


def test_noise_alone_rarely_stands_out():
    found = [stands_out(spectrum(seed=seed)) for seed in range(400)]
    assert np.mean(found) < 0.02


@pytest.mark.parametrize("place", [0, 1, 2, 100, 253, 254, 255])
@pytest.mark.parametrize("size", [-0.5, 0.5, 1e6])
def test_a_sample_that_is_off_stands_out_anywhere(place, size):
    values = spectrum()
    values[place] += size
    assert stands_out(values)


def test_a_clean_trace_is_read_once():
    good = trace(spectrum())
    buffer = Buffer(good)
    assert read_surely(buffer, 256, 256) is good


def test_a_damaged_reading_is_replaced_by_the_two_that_agree():
    values, damaged = spectrum(), spectrum()
    damaged[40] *= 2
    buffer = Buffer(trace(damaged, "overload"), trace(values), trace(values))
    found = read_surely(buffer, 256, 256)
    np.testing.assert_array_equal(found.in_phase, values)
    assert found.flags == ("overload",)  # reading the status clears it: none may get lost


def test_what_really_stands_out_is_kept():
    values = spectrum()
    values[40] *= 2
    buffer = Buffer(trace(values), trace(values))
    np.testing.assert_array_equal(read_surely(buffer, 256, 256).in_phase, values)


def test_three_different_readings_are_refused():
    readings = []
    for place in (10, 20, 30):
        values = spectrum()
        values[place] *= 2
        readings.append(trace(values))
    with pytest.raises(InstrumentError, match="three readings"):
        read_surely(Buffer(*readings), 256, 256)


def test_the_way_back_is_not_looked_at():
    values = np.concatenate([spectrum(), [9.0, -9.0, 9.0]])
    buffer = Buffer(trace(values))
    assert read_surely(buffer, 259, 256).in_phase[-1] == 9.0
