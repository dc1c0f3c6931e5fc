"""Hum and 1/f noise of the current, and what the instruments make of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.devices.lock_in_path import LockInPath, Settings
from sim.fridge import Fridge
from sim.interference import Interference
from sim.preamplifier import Preamplifier
from sim.samples.uniform import Uniform
from sim.tip import Tip
from sim.waveform import Waveform
from sim.world import World
from stm_daq.clock import VirtualClock


def interference(seed=1, **options):
    return Interference(Preamplifier(bandwidth=1e6, **options), np.random.default_rng(seed))


def test_hum_has_its_size_its_frequency_and_its_harmonics():
    hum = interference(hum=1e-12, hum_harmonics=(0.0, 0.3), mains=60.0)
    times = np.arange(0, 1, 1e-3)
    spectrum = np.abs(np.fft.rfft(hum.current(times))) / len(times) * math.sqrt(2)
    assert spectrum[60] == pytest.approx(1e-12, rel=1e-3)
    assert spectrum[120] == pytest.approx(0.0, abs=1e-16)
    assert spectrum[180] == pytest.approx(0.3e-12, rel=1e-3)


def test_a_whole_period_averages_the_hum_away():
    hum = interference(hum=1e-12, hum_harmonics=(0.5,))
    times = np.linspace(0, 1, 77)
    assert np.abs(hum.current(times, 20e-3)).max() < 1e-18
    fine = (np.arange(2000) + 0.5) * 7e-3 / 2000
    expected = [hum.current(t - fine).mean() for t in times[:5]]
    assert hum.current(times[:5], 7e-3) == pytest.approx(expected, rel=1e-5)


def test_flicker_noise_falls_as_one_over_f_in_power():
    """The power in every decade is the same: density^2 at 1 Hz times ln 10."""
    total = np.zeros(3)
    for seed in range(10):
        noise = interference(seed, flicker=1e-13).current(np.arange(0, 500, 0.05))
        power = 2 * np.abs(np.fft.rfft(noise) / len(noise)) ** 2
        frequency = np.fft.rfftfreq(len(noise), 0.05)
        decades = [(frequency >= low) & (frequency < 10 * low) for low in (0.01, 0.1, 1.0)]
        total += [power[decade].sum() for decade in decades]
    assert total / 10 == pytest.approx(np.full(3, 1e-26 * math.log(10)), rel=0.2)


def test_noise_is_a_function_of_time_and_seed():
    noise = interference(flicker=1e-13, hum=1e-13)
    times = np.sort(np.random.default_rng(2).uniform(0, 100, 50))
    together = noise.current(times)
    assert together == pytest.approx([noise.current(np.array([t]))[0] for t in times])
    again = interference(flicker=1e-13, hum=1e-13).current(times)
    assert np.array_equal(together, again)
    other = interference(2, flicker=1e-13, hum=1e-13).current(times)
    assert not np.array_equal(together, other)


def test_a_lock_in_near_a_harmonic_sees_it_beat():
    """Demodulated and filtered numerically, against the closed form."""
    hum = interference(hum=1e-12)
    frequency, tau, poles = 53.0, 30e-3, 2
    step = 1e-4
    times = np.arange(0, 3, step)
    stage = 2 * hum.current(times) * np.exp(-2j * np.pi * frequency * times) / math.sqrt(2)
    for _ in range(poles):
        out = np.zeros_like(stage)
        for i in range(1, len(stage)):
            middle = (stage[i] + stage[i - 1]) / 2
            out[i] = out[i - 1] + (middle - out[i - 1]) * (1 - math.exp(-step / tau))
        stage = out
    closed = hum.demodulated(times, frequency, 0.0, tau, poles)
    late = times > 2.0
    assert np.abs(stage - closed)[late].max() < 0.01 * np.abs(closed[late]).max()
    turned = hum.demodulated(times[:3], frequency, 90.0, tau, poles)
    assert turned == pytest.approx(-1j * closed[:3])


def lock_in_noise(amplifier, frequency):
    """rms of X, V, of a lock-in on a world with this preamplifier, without modulation."""
    world = World(
        VirtualClock(), 1, Uniform(), amplifier, Fridge(), Tip(drift_z=0.0, retracted=5e-9)
    )
    world.add_bias("test", Waveform(4e-3))
    world.set_modulation(frequency, 0.0)
    world.clock.sleep(400.0)
    path = LockInPath(world, np.random.default_rng(1))
    output = path.output(np.linspace(1.0, 400.0, 4000), Settings(3e-3, 2, 0.0), 0.0)
    return output.xy.real.std(), output.dc.std()


def test_hum_and_flicker_reach_the_lock_in_and_its_dc_input():
    quiet_x, quiet_dc = lock_in_noise(Preamplifier(), 797.0)
    flicker_x, flicker_dc = lock_in_noise(Preamplifier(flicker=1e-13), 797.0)
    expected = math.hypot(4.3e-15, 1e-13 / math.sqrt(797.0)) / 4.3e-15
    assert flicker_x / quiet_x == pytest.approx(expected, rel=0.02)
    assert flicker_dc > 1.5 * quiet_dc
    hum_x, hum_dc = lock_in_noise(Preamplifier(hum=1e-12), 797.0)
    assert hum_dc == pytest.approx(math.hypot(quiet_dc, 1e-3), rel=0.02)
    assert hum_x < 1.2 * quiet_x  # 747 Hz away from the reference
    near_x, _ = lock_in_noise(Preamplifier(hum=1e-12), 53.0)
    assert near_x > 10 * quiet_x  # 3 Hz away
