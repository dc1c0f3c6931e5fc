"""What a wrong model leaves in the residuals is seen, and noise is not taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from stm_daq.fitting import fit
from stm_daq.fitting.residuals import deviate, even_deviation
from stm_daq.physics import btk, two_channel

BIAS = np.linspace(-4e-3, 4e-3, 256)
COUNT = 400
rng = np.random.default_rng(5)
OFFSET = rng.uniform(-1e-4, 1e-4, (COUNT, 1))
GAP = rng.uniform(0.3e-3, 1.1e-3, COUNT)
KELVIN = rng.uniform(0.5, 1.5, COUNT)
BARRIER = rng.uniform(0.3, 2.5, COUNT)
WHITE = rng.standard_normal((COUNT, 258))


def good(bias=BIAS, barrier=BARRIER):
    return btk.conductance(bias - OFFSET, GAP, KELVIN, barrier)


def share_adequate(conductance):
    flags = fit(BIAS, conductance).flags.values
    return np.mean(["model_inadequate" not in text for text in flags])


@pytest.mark.parametrize(
    "noise",
    [
        WHITE[:, 2:],
        WHITE[:, 2:] * np.sqrt(0.3 + 0.7 * np.abs(BIAS) / 4e-3),
        WHITE[:, 2:] + 0.6 * WHITE[:, 1:-1] + 0.2 * WHITE[:, :-2],
    ],
    ids=["white", "shot", "filtered"],
)
def test_false_alarms_are_rare(noise):
    assert share_adequate(good() + 0.02 * noise) > 0.99


def clipped(share):
    curve = good(barrier=BARRIER + 0.7)
    top = 1.0 + share * (curve.max(axis=1, keepdims=True) - 1.0)
    return np.minimum(curve + 0.02 * WHITE[:, 2:], top)


def test_saturated_peaks_hidden_broadening_and_a_second_gap_are_seen():
    noise = 0.02 * WHITE[:, 2:]
    broad = btk.conductance(BIAS - OFFSET, GAP, KELVIN, BARRIER, 0.1e-3)
    mixed = two_channel.conductance(
        BIAS - OFFSET, 0.5e-3, 0.8e-3, KELVIN, BARRIER, BARRIER, 0.5
    )  # fmt: skip
    assert share_adequate(clipped(0.6)) < 0.3
    assert share_adequate(clipped(0.8)) < 0.85
    assert share_adequate(broad + noise) < 0.5
    assert share_adequate(mixed + noise) < 0.35


def test_the_deviate_of_noise_is_normal_and_adds_up_both_polarities():
    bias = np.tile(BIAS, (2000, 1))
    white = np.random.default_rng(6).standard_normal(bias.shape)
    counts, centre = np.full(2000, 256), np.zeros(2000)
    found, power = even_deviation(bias, white, counts, centre, 4e-3)
    assert abs(np.mean(found)) < 0.5
    assert 0.8 < np.std(found) < 1.4
    assert np.mean(power) == pytest.approx(1.0, abs=0.2)
    bump = 3.0 * (np.abs(np.abs(BIAS) - 0.6e-3) < 0.1e-3)
    even, _ = even_deviation(bias, white + bump, counts, centre, 4e-3)
    odd, _ = even_deviation(bias, white + bump * np.sign(BIAS), counts, centre, 4e-3)
    assert np.median(even) > 5.0
    assert np.median(odd) < 1.0
    unknown = np.where(np.arange(256) < 128, bias, np.nan)
    half, _ = even_deviation(unknown, white + bump, counts, centre, 4e-3)
    assert np.median(half) < np.median(even)
    assert deviate(np.ones(1), np.array([1000])) == pytest.approx(0.0, abs=0.05)
