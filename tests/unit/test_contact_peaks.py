"""Second derivatives and pairs of peaks: closed forms, noise only, and what must not be found."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stm_daq.analysis.contacts.pair_peaks import LEVEL, PairPeak, find_pairs, track
from stm_daq.analysis.spectra.curvature import curvature, noise_of, resolution
from stm_daq.errors import CannotTellError
from stm_daq.physics import btk, dynes
from stm_daq.physics.btk import K_B

MODULATION = 20e-6
COLD = 0.1
BIAS = np.unique(
    np.concatenate(
        [
            np.linspace(-4e-3, -1.2e-3, 41),
            np.arange(-119, 120) * 1e-5,
            np.linspace(1.2e-3, 4e-3, 41),
        ]
    )
)
GAP = 0.6e-3
BELOW = GAP - 0.8 * resolution(COLD, MODULATION)


def with_peaks(position=0.2e-3, height=0.05, width=40e-6, noise=0.0, seed=0):
    """A flat spectrum with two Gaussian peaks."""
    rng = np.random.default_rng(seed)
    peaks = sum(np.exp(-((BIAS - side * position) ** 2) / (2 * width**2)) for side in (1, -1))
    return 0.3 + height * peaks + noise * rng.standard_normal(len(BIAS))


def test_a_polynomial_of_fourth_order_is_exact_on_any_spacing_with_points_missing():
    x = BIAS * 1e3
    values = 0.3 - 0.2 * x + 0.7 * x**2 + 0.4 * x**3 - 1.1 * x**4
    values[[100, 140, 141, 200]] = np.nan
    bent = curvature(BIAS, values, 0.5, MODULATION, 0.5e-3)
    at = bent.bias * 1e3
    expected = -(1.4 + 2.4 * at - 13.2 * at**2) * 1e6
    assert bent.value == pytest.approx(expected, rel=1e-6, abs=1.0)
    assert len(bent.bias) > 80


def test_the_stated_noise_is_that_of_the_values():
    found = []
    for seed in range(200):
        bent = curvature(BIAS, with_peaks(noise=0.01, seed=seed), COLD, MODULATION, BELOW)
        found.append(bent.value)
    assert np.std(found, axis=0) == pytest.approx(bent.std, rel=0.3)
    assert np.mean(np.std(found, axis=0) / bent.std) == pytest.approx(1.0, abs=0.05)


def test_noise_is_known_in_spite_of_sharp_peaks():
    rng = np.random.default_rng(1)
    spectrum = dynes.conductance(BIAS, GAP, COLD, 5e-6, MODULATION)
    known = [
        noise_of(BIAS, spectrum + s * rng.standard_normal(len(BIAS))) / s for s in (0.003, 0.1)
    ]
    assert known == pytest.approx([1.0, 1.0], abs=0.2)
    assert math.isnan(noise_of(BIAS[:10], spectrum[:10]))


def test_more_noise_asks_for_a_wider_window():
    widths = [
        curvature(BIAS, with_peaks(noise=noise), COLD, MODULATION, BELOW).half_width
        for noise in (1e-4, 3e-3, 0.1)
    ]
    assert widths[0] < widths[1] <= widths[2] == 2 * resolution(COLD, MODULATION)


def test_the_resolution_is_the_width_of_the_smeared_step():
    """Full width at half maximum of -df/dE, and of the modulation's semicircle."""
    energy = np.linspace(-1e-3, 1e-3, 20001)
    window = 1 / np.cosh(energy / (2 * K_B * 1.0)) ** 2
    assert np.ptp(energy[window > 0.5]) == pytest.approx(resolution(1.0, 0.0), rel=2e-3)
    semicircle = np.sqrt(np.maximum(1 - (energy / 1e-4) ** 2, 0))
    assert np.ptp(energy[semicircle > 0.5]) == pytest.approx(resolution(0.0, 1e-4), rel=2e-3)


def test_a_pair_is_found_where_it_is_within_its_uncertainty():
    pulls = []
    for seed in range(150):
        spectrum = with_peaks(noise=0.003, seed=seed)
        for first in find_pairs(BIAS, spectrum, COLD, MODULATION, BELOW)[:1]:
            assert first.significance > first.threshold
            pulls.append((first.position - 0.2e-3) / first.std)
    assert len(pulls) > 140
    assert abs(np.mean(pulls)) < 0.5
    assert 0.7 < np.std(pulls) < 1.4


@pytest.mark.parametrize("noise", [1e-3, 1e-1])
def test_noise_alone_makes_no_more_pairs_than_stated(noise):
    rng = np.random.default_rng(7)
    trials = 1500
    flat = sum(
        bool(find_pairs(BIAS, 1 + noise * rng.standard_normal(len(BIAS)), COLD, MODULATION, BELOW))
        for _ in range(trials)
    )
    most = trials * LEVEL + 4 * math.sqrt(trials * LEVEL)
    assert flat <= most


@pytest.mark.parametrize("kelvin", [0.1, 0.5])
@pytest.mark.parametrize("noise", [1e-3, 1e-2])
def test_a_tunnelling_spectrum_has_no_pair_inside_its_gap(kelvin, noise):
    rng = np.random.default_rng(8)
    spectrum = dynes.conductance(BIAS, GAP, kelvin, 10e-6, MODULATION)
    below = GAP - 0.8 * resolution(kelvin, MODULATION)
    found = [
        find_pairs(
            BIAS, spectrum + noise * rng.standard_normal(len(BIAS)), kelvin, MODULATION, below
        )
        for _ in range(300)
    ]
    assert sum(map(bool, found)) <= 300 * LEVEL + 4 * math.sqrt(300 * LEVEL)


@pytest.mark.parametrize("barrier", [0.4, 1.0, 3.0])
def test_a_conventional_contact_has_no_pair_inside_its_gap(barrier):
    spectrum = btk.conductance(BIAS, GAP, COLD, barrier, modulation=MODULATION)
    spectrum += 1e-3 * np.random.default_rng(2).standard_normal(len(BIAS))
    assert find_pairs(BIAS, spectrum, COLD, MODULATION, BELOW) == []


def test_a_peak_at_one_polarity_is_no_pair():
    spectrum = with_peaks(height=0.0, noise=1e-3)
    spectrum += 0.1 * np.exp(-((BIAS - 0.2e-3) ** 2) / (2 * 40e-6**2))
    assert find_pairs(BIAS, spectrum, COLD, MODULATION, BELOW) == []


def test_how_far_the_peak_of_the_curvature_is_from_the_gap():
    """The figures of the module's text."""
    gap = 0.13e-3
    fine = np.arange(-400, 401) * 2e-6
    ratios = []
    for barrier in (10.0, 0.4):
        spectrum = btk.conductance(fine, gap, COLD, barrier, 10e-6, MODULATION)
        ratios.append(find_pairs(fine, spectrum, COLD, MODULATION, 0.4e-3)[0].position / gap)
    assert ratios == pytest.approx([1.10, 0.90], abs=0.02)


def pair(position, significance=10.0):
    return PairPeak(position, 1e-6, 1.0, significance, 3.0)


def test_a_track_follows_neighbours_and_ends_where_there_are_none():
    series = [
        [],
        [pair(0.21e-3)],
        [pair(0.4e-3, 6.0), pair(0.2e-3, 9.0)],
        [pair(0.19e-3, 30.0)],
        [pair(0.5e-3)],
        [pair(0.19e-3)],
    ]
    found = track(series, [50e-6] * 6)
    assert [None if p is None else round(p.position * 1e3, 3) for p in found] == [
        None, 0.21, 0.2, 0.19, None, None,
    ]  # fmt: skip


def test_a_pair_that_no_neighbour_has_is_dropped():
    assert track([[], [pair(0.2e-3)], []], [50e-6] * 3) == [None] * 3
    assert track([], []) == []


@pytest.mark.parametrize(
    ("bias", "values", "complaint"),
    [
        (BIAS[:3], np.ones(3), "too few"),
        (BIAS, np.full(len(BIAS), np.nan), "only 0 points"),
        (np.linspace(-4e-3, 4e-3, 161), np.ones(161), "at least twice as densely"),
    ],
)
def test_what_cannot_be_differentiated_is_refused(bias, values, complaint):
    below = 2e-3 if len(bias) == 161 else BELOW
    with pytest.raises(CannotTellError, match=complaint):
        find_pairs(bias, values, COLD, MODULATION, below)


def test_a_constant_spectrum_has_no_peaks():
    assert find_pairs(BIAS, np.ones(len(BIAS)), COLD, MODULATION, BELOW) == []
