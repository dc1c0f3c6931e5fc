"""Voltages as functions of time."""

from __future__ import annotations

import numpy as np
import pytest

from sim.waveform import Waveform


def test_a_ramp_goes_straight_and_stays():
    voltage = Waveform(1.0)
    assert voltage.ramp(2.0, 3.0, 0.5) == 6.0
    assert voltage(np.array([0.0, 2.0, 4.0, 6.0, 99.0])) == pytest.approx([1, 1, 2, 3, 3])
    assert voltage.end == 6.0


def test_a_jump_has_its_new_value_at_once():
    voltage = Waveform(0.0)
    voltage.ramp(1.0, 5.0, np.inf)
    assert voltage(np.array([1.0 - 1e-9, 1.0])) == pytest.approx([0.0, 5.0])


def test_a_staircase_holds_each_step():
    voltage = Waveform(9.0)
    voltage.staircase(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]))
    times = np.array([0.5, 1.0, 1.999, 2.0, 3.0, 50.0])
    assert voltage(times) == pytest.approx([9, 4, 4, 5, 6, 6])


def test_cutting_forgets_what_was_planned():
    voltage = Waveform(0.0)
    voltage.ramp(0.0, 10.0, 1.0)
    assert voltage.cut(4.0) == 4.0
    assert voltage.value(9.0) == 4.0


def test_the_past_can_be_forgotten_without_changing_the_present():
    voltage = Waveform(0.0)
    for second in range(100):
        voltage.ramp(float(second), float(second % 7), np.inf)
    times = np.linspace(90.0, 120.0, 61)
    before = voltage(times)
    voltage.forget_before(90.0)
    assert np.array_equal(voltage(times), before)
    assert len(voltage.knots_between(0.0, 89.0)) == 0


def test_knots_are_the_times_at_which_something_changes():
    voltage = Waveform(0.0)
    voltage.ramp(1.0, 2.0, 1.0)
    assert list(voltage.knots_between(0.0, 1.0)) == [1.0]
    assert list(voltage.knots_between(1.0, 5.0)) == [3.0]
