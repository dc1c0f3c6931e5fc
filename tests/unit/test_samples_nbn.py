"""Niobium nitride: homogeneous films of three thicknesses, and 2.1 nm with repelling electrons."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.samples import nbn_ald, nbn_altshuler_aronov

TABLE = {  # thickness (nm): gap (meV), its sigma, effective temperature of the tip (K), stage (K)
    25: (2.11, 0.042, 3.03, 1.5),
    5: (2.02, 0.04, 1.73, 1.2),
    4: (1.60, 0.05, 2.27, 1.2),
}
SIDE, PIXEL = 1000e-9, 6.25e-9


def grid(side=SIDE, pixel=PIXEL):
    line = np.arange(0.0, side, pixel)
    return np.meshgrid(line, line)


def radial(a, b, pixel=PIXEL, bins=14):
    """Circular average of the correlation of two maps, at multiples of `pixel`."""
    a, b = ((m - m.mean()) / m.std() for m in (a, b))
    full = np.fft.ifft2(np.conj(np.fft.fft2(a)) * np.fft.fft2(b)).real / a.size
    index = np.fft.fftfreq(len(a), 1 / len(a))
    distance = np.hypot(*np.meshgrid(index, index))
    ring = np.round(distance).astype(int)
    rings = [full[ring == n].mean() for n in range(bins)]
    means = [distance[ring == n].mean() * pixel for n in range(bins)]
    return np.array(means), np.array(rings)


def length_of(distance, correlation):
    """Where a correlation has fallen to 1/e of its value at one place."""
    relative = correlation / correlation[0]
    below = int(np.argmax(relative < math.exp(-1)))
    x, y = distance[below - 1 : below + 1], relative[below - 1 : below + 1]
    return float(x[0] + (y[0] - math.exp(-1)) / (y[0] - y[1]) * (x[1] - x[0]))


@pytest.mark.parametrize("thickness", TABLE)
def test_a_film_by_atomic_layer_deposition_is_as_homogeneous_as_the_paper_says(thickness):
    mean, sigma, _, _ = TABLE[thickness]
    gap = nbn_ald.NbnFilm(1, thickness * 1e-9).gap(*grid()) * 1e3
    assert gap.mean() == pytest.approx(mean, rel=0.01)
    assert gap.std() == pytest.approx(sigma, rel=0.05)


@pytest.mark.parametrize("thickness", TABLE)
def test_spectra_along_a_line_have_the_temperature_and_gap_of_the_table(thickness):
    """As the paper: spectra along 424 nm; the BCS parameters and the peak they lead to."""
    mean, sigma, temperature, stage = TABLE[thickness]
    film = nbn_ald.NbnFilm(2, thickness * 1e-9)
    line = np.linspace(0, 300e-9, 100)
    junctions = [film.junction(x, x, stage) for x in line]
    gaps = np.array([junction.truth["gap"] for junction in junctions]) * 1e3
    assert gaps.mean() == pytest.approx(mean, rel=0.02)
    assert gaps.std() == pytest.approx(sigma, rel=0.35)  # 70 grains
    assert junctions[0].truth["temperature"] == pytest.approx(temperature, rel=1e-6)
    bias = np.linspace(0, 8e-3, 801)
    spectrum = np.mean([junction.conductance(bias, 35e-6) for junction in junctions[:10]], axis=0)
    peak = bias[np.argmax(spectrum)] * 1e3
    assert mean < peak < mean + 3 * 0.0862 * temperature  # thermal smearing pushes it outwards
    assert spectrum[0] < 0.2
    assert spectrum[-1] == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize(("thickness", "picohenry"), [(25, 7.94), (5, 93.4), (4, 183.0)])
def test_sheet_inductance_is_that_of_the_table(thickness, picohenry):
    film = nbn_ald.NbnFilm(1, thickness * 1e-9)
    assert film.sheet_inductance == pytest.approx(picohenry * 1e-12, rel=0.015)


def test_a_film_that_nobody_grew_is_refused():
    with pytest.raises(ValueError, match="no film of 7 nm; there are 25 nm, 5 nm, 4 nm"):
        nbn_ald.NbnFilm(1, 7e-9)


def test_a_warm_film_is_normal():
    junction = nbn_ald.NbnFilm(1, 4e-9).junction(0.0, 0.0, 9.0)
    assert junction.conductance(np.array([0.0, 1e-3]), 0.0) == pytest.approx(1.0)


@pytest.fixture(scope="module")
def maps():
    """Gap and exponent of several worlds."""
    return [nbn_altshuler_aronov.NbnFilm(seed).properties(*grid()) for seed in range(1, 5)]


def test_gap_and_exponent_are_distributed_as_in_the_paper(maps):
    gaps, exponents = (np.array(values) for values in zip(*maps, strict=True))
    assert gaps.mean() == pytest.approx(1.2e-3, rel=0.02)
    assert gaps.std() / gaps.mean() == pytest.approx(0.057, rel=0.05)
    assert exponents.mean() == pytest.approx(0.35, rel=0.02)
    assert exponents.std() == pytest.approx(0.028, rel=0.05)
    low, high = np.percentile(gaps * 1e3, [0.1, 99.9])
    assert (low, high) == (pytest.approx(1.0, abs=0.05), pytest.approx(1.4, abs=0.1))
    low, high = np.percentile(exponents, [0.1, 99.9])
    assert (low, high) == (pytest.approx(0.26, abs=0.02), pytest.approx(0.43, abs=0.02))


def test_correlation_lengths_and_their_sign(maps):
    profiles = {"gap": [], "exponent": [], "cross": []}
    for gap, exponent in maps:
        distance, of_gap = radial(gap, gap)
        profiles["gap"].append(of_gap)
        profiles["exponent"].append(radial(exponent, exponent)[1])
        profiles["cross"].append(radial(gap, exponent)[1])
    mean = {name: np.mean(rows, axis=0) for name, rows in profiles.items()}
    assert length_of(distance, mean["gap"]) == pytest.approx(27e-9, rel=0.07)
    assert length_of(distance, mean["exponent"]) == pytest.approx(18e-9, rel=0.07)
    assert length_of(distance, mean["cross"]) == pytest.approx(25e-9, rel=0.07)
    assert mean["cross"][0] == pytest.approx(-0.55, rel=0.07)


def test_the_topography_tells_nothing(maps):
    height = nbn_altshuler_aronov.NbnFilm(1).height(*grid())
    gap, exponent = maps[0]
    assert height.std() == pytest.approx(0.15e-9, rel=0.1)
    for field in (gap, exponent):
        assert abs(np.corrcoef(height.ravel(), field.ravel())[0, 1]) < 0.05


def test_the_papers_own_evaluation_finds_gap_and_exponent_in_the_spectra():
    """Half the distance of the peaks; the power law from 5 to 30 mV, both sides averaged."""
    film = nbn_altshuler_aronov.NbnFilm(3)
    places = np.random.default_rng(1).uniform(0, 500e-9, (40, 2))
    found, true = [], []
    narrow, wide = np.linspace(-4e-3, 4e-3, 801), np.linspace(5e-3, 30e-3, 26)
    for x, y in places:
        junction = film.junction(x, y, 0.3)
        spectrum = junction.conductance(narrow, 0.0)
        left, right = spectrum[:401], spectrum[400:]
        gap = (narrow[400 + np.argmax(right)] - narrow[np.argmax(left)]) / 2
        sides = [junction.conductance(side * wide, 0.0) for side in (1, -1)]
        powers = [np.polyfit(np.log(wide), np.log(side), 1)[0] for side in sides]
        found.append((gap, np.mean(powers)))
        true.append((junction.truth["gap"], junction.truth["exponent"]))
    found, true = np.array(found).T, np.array(true).T
    assert found[0].mean() == pytest.approx(1.2e-3, rel=0.1)
    assert found[1].mean() == pytest.approx(0.35, rel=0.1)
    for measured, real in zip(found, true, strict=True):
        assert np.corrcoef(measured, real)[0, 1] > 0.95
    assert np.corrcoef(found[0], found[1])[0, 1] < -0.2


def test_impossible_correlations_are_refused():
    film = nbn_altshuler_aronov.NbnFilm(1, exponent_length=5e-9, cross_correlation=-0.82)
    with pytest.raises(ValueError, match="weaker cross-correlation or closer lengths"):
        film.properties(*grid(50e-9))


def test_a_film_can_be_visited_in_any_order():
    film = nbn_altshuler_aronov.NbnFilm(1)
    x, y = grid(60e-9)
    gap, exponent = film.properties(x, y)
    junction = film.junction(float(x[2, 5]), float(y[2, 5]), 0.3)
    assert junction.truth["exponent"] == exponent[2, 5]
    assert junction.truth["gap"] == pytest.approx(gap[2, 5], rel=1e-3)  # at 0.3 K
    other, _ = nbn_altshuler_aronov.NbnFilm(2).properties(x, y)
    assert not np.allclose(gap, other)
