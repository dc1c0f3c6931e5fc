"""Sources of bias, modulation, noise and randomness of the twin's world."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.fridge import Fridge
from sim.preamplifier import Preamplifier
from sim.waveform import Waveform


def test_sources_are_summed_at_the_junction(make_world):
    world = make_world(bias=Waveform(4e-3))
    world.add_bias("other", Waveform(-1e-3))
    assert world.bias(np.array([0.0, 1.0])) == pytest.approx([3e-3, 3e-3])


def test_modulation_lowers_the_coherence_peaks(make_world):
    source = Waveform(4e-3)
    world = make_world(bias=source)
    world.tip.hold()
    source.ramp(0.0, -4e-3, 8e-3)
    world.clock.sleep(1.0)
    times = np.linspace(0.0, 1.0, 801)
    sharp = world.conductance(times).max()
    world.set_modulation(797.0, 300e-6)
    assert world.conductance(times).max() < 0.97 * sharp


def test_a_fast_change_of_the_bias_is_recorded_and_a_slow_one_is_not(make_world):
    for rate, harmful in ((0.2, False), (math.inf, True)):
        source = Waveform(10e-3)
        world = make_world(bias=source)
        world.tip.hold()
        source.ramp(world.clock.now(), -10e-3, rate)
        world.clock.sleep(1.0)
        assert any("bias changed by 20 mV" in line for line in world.violations) == harmful


def test_passing_zero_bias_with_feedback_is_a_crash_but_waking_up_is_not(make_world):
    source = Waveform(0.0)
    world = make_world(bias=source)
    source.ramp(0.0, 4e-3, 0.1)
    world.clock.sleep(1.0)
    assert world.violations == []
    source.ramp(1.0, -4e-3, 0.1)
    world.clock.sleep(1.0)
    assert ["passed zero" in line for line in world.violations] == [True]


def test_noise_is_that_of_the_preamplifier_plus_shot_noise(make_world):
    world = make_world()
    density = float(world.current_noise_density(np.array([0.0]))[0])
    shot = math.sqrt(2 * 1.602176634e-19 * 100e-12)
    assert density == pytest.approx(math.hypot(4.3e-15, shot), rel=1e-6)
    given = world.current_noise_density(np.array([0.0]), np.array([0.0]))
    assert given == pytest.approx([4.3e-15])


def test_preamplifier_is_a_first_order_low_pass():
    amplifier = Preamplifier(gain=1e9, bandwidth=1e3)
    assert amplifier.response(0.0) == 1e9
    corner = amplifier.response(1e3)
    assert abs(corner) == pytest.approx(1e9 / math.sqrt(2))
    assert math.degrees(math.atan2(corner.imag, corner.real)) == pytest.approx(-45.0)
    assert amplifier.full_scale == pytest.approx(10e-9)


def test_fridge_stays_near_its_temperature():
    fridge = Fridge(temperature=0.5, drift=1e-3, oscillation=2e-3, period=1000.0)
    values = [fridge.stage_temperature(t) for t in np.linspace(0, 3600, 721)]
    assert values[0] == 0.5
    assert max(values) - min(values) == pytest.approx(4e-3 + 0.5e-3, abs=0.7e-3)
    assert fridge.stage_temperature(3600.0) - 0.5 == pytest.approx(
        1e-3 + 2e-3 * math.sin(2 * math.pi * 3.6), rel=1e-9
    )


def test_random_streams_depend_on_seed_and_name_only(make_world):
    first, second, other = make_world(seed=1), make_world(seed=1), make_world(seed=2)
    second.rng("another instrument").standard_normal(100)
    numbers = first.rng("lock-in").standard_normal(5)
    assert np.array_equal(numbers, second.rng("lock-in").standard_normal(5))
    assert not np.array_equal(numbers, other.rng("lock-in").standard_normal(5))
    assert not np.array_equal(numbers, first.rng("preamplifier").standard_normal(5))
    assert not np.array_equal(numbers, first.rng("lock-in").standard_normal(5))
