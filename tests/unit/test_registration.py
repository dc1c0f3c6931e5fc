"""Shifts between topographs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stm_daq.registration import CLEAR, shift_between


def surface(rows, columns, shift=(0.0, 0.0), seed=5):
    """A smooth random surface, sampled where its features have moved by `shift` pixels."""
    rng = np.random.default_rng(seed)
    waves = rng.uniform(-0.12, 0.12, (60, 2))
    phases = rng.uniform(0, 2 * np.pi, 60)
    y, x = np.mgrid[:rows, :columns].astype(float)
    y, x = y - shift[0], x - shift[1]
    return sum(
        np.cos(2 * np.pi * (v * y + u * x) + p) for (v, u), p in zip(waves, phases, strict=True)
    )


@given(st.floats(-6, 6), st.floats(-6, 6))
def test_a_shift_is_found_to_a_part_of_a_pixel(rows, columns):
    found = shift_between(surface(48, 64), surface(48, 64, (rows, columns)))
    assert found[:2] == pytest.approx((rows, columns), abs=0.35)
    assert found[2] > CLEAR


def test_a_tilt_and_noise_do_not_matter():
    first, second = surface(64, 64), surface(64, 64, (3.0, -2.0))
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:64, :64]
    second = second + 0.5 * x - 0.2 * y + rng.standard_normal(second.shape)
    found = shift_between(first, second)
    assert found[:2] == pytest.approx((3.0, -2.0), abs=0.35)


def test_different_surfaces_are_not_clear():
    assert shift_between(surface(64, 64), surface(64, 64, seed=6))[2] < CLEAR


def test_nothing_is_not_clear():
    assert shift_between(np.zeros((16, 16)), np.zeros((16, 16)))[2] == 0.0
