"""Fits of synthetic spectra: are the values right, the errors honest, the verdicts fair?"""

from __future__ import annotations

import numpy as np
import pytest

from stm_daq.fitting import OnlineFitter, fit_spectrum
from stm_daq.physics import btk, dynes

BIAS = np.linspace(4e-3, -4e-3, 256)
SCALE = 25e-9
TRUTH = {"gap": 0.6e-3, "temperature": 0.8, "barrier": 1.0, "scale": SCALE, "offset": 7e-6}


def spectrum(bias=BIAS, gap=0.6e-3, kelvin=0.8, barrier=1.0, offset=7e-6, noise=0.02, seed=1):
    """Conductance in S with noise that grows with the current, `noise` at the largest bias."""
    rng = np.random.default_rng(seed)
    g = btk.conductance(bias - offset, gap, kelvin, barrier)
    level = noise * np.sqrt(0.3 + 0.7 * np.abs(bias) / 4e-3)
    return SCALE * (g + level * rng.standard_normal(g.shape))


def deviations(result, truth=TRUTH):
    return {name: abs(result.values[name] - truth[name]) / result.std[name] for name in truth}


@pytest.fixture(scope="module")
def grains():
    """Fits of 300 random grains of a TiN film with 2 % noise, and the truth."""
    rng = np.random.default_rng(11)
    truth = {
        "gap": rng.uniform(0.3e-3, 1.1e-3, 300),
        "temperature": rng.uniform(0.5, 3.5, 300),
        "barrier": rng.uniform(0.0, 3.5, 300),
    }
    g = btk.conductance(BIAS - 7e-6, *truth.values(), modulation=140e-6)
    noise = 0.02 * np.sqrt(0.3 + 0.7 * np.abs(BIAS) / 4e-3) * rng.standard_normal(g.shape)
    fitter = OnlineFitter(BIAS, 140e-6, "btk")
    return [fitter.fit(SCALE * row) for row in g + noise], truth


def test_grains_are_recovered(grains):
    results, truth = grains
    ok = np.array([r.ok for r in results])
    assert np.mean(ok) > 0.97
    gap = np.array([r.values["gap"] for r in results])
    assert np.median(np.abs(gap / truth["gap"] - 1)[ok]) < 0.005
    for name, true in truth.items():
        value, std = (np.array([getattr(r, k)[name] for r in results]) for k in ("values", "std"))
        assert np.mean(np.abs(value - true)[ok] < 4 * std[ok]) >= 0.98, name


def test_errors_have_the_right_size(grains):
    results, truth = grains
    sound = (truth["barrier"] > 0.5) & (truth["barrier"] < 2.5) & (truth["temperature"] < 2.5)
    for name in truth:
        pulls = np.array(
            [
                (r.values[name] - t) / r.std[name]
                for r, t, s in zip(results, truth[name], sound, strict=True)
                if s
            ]
        )
        assert 0.85 < np.std(pulls) < 1.18, name  # 120 pixels: 1 +- 0.065
        assert abs(np.mean(pulls)) < 0.35, name
    chi = np.array([r.reduced_chi_square for r in results])
    assert abs(np.median(chi) - 1) < 0.03


@pytest.mark.parametrize(
    "bias",
    [
        BIAS[::-1],
        np.random.default_rng(0).permutation(BIAS),
        np.concatenate([BIAS, BIAS[::-1]]),
        5e-3 * np.sinh(np.linspace(-3, 3, 200)) / np.sinh(3),
        np.linspace(-2e-3, 2e-3, 41),
        np.linspace(-2.5e-3, 4e-3, 200),
    ],
    ids=["reversed", "shuffled", "there and back", "not uniform", "few points", "lopsided"],
)
def test_any_grid(bias):
    result = fit_spectrum(bias, spectrum(bias))
    assert result.ok, result.flags
    assert max(deviations(result).values()) < 4
    assert result.curve.shape == bias.shape
    expected = SCALE * btk.conductance(bias - 7e-6, 0.6e-3, 0.8, 1.0)
    assert result.curve == pytest.approx(expected, abs=0.05 * SCALE)


def test_large_offset_is_found():
    result = fit_spectrum(BIAS, spectrum(offset=0.3e-3))
    assert result.ok
    assert max(deviations(result, TRUTH | {"offset": 0.3e-3}).values()) < 4


def test_missing_points_are_left_out():
    conductance = spectrum()
    conductance[10:20] = np.nan
    conductance[100] = np.inf
    result = fit_spectrum(BIAS, conductance)
    assert result.ok
    assert result.dof == 256 - 11 - 5
    assert np.all(np.isfinite(result.curve))
    assert max(deviations(result).values()) < 4


def test_exact_spectrum_gives_exact_values():
    result = fit_spectrum(BIAS, spectrum(noise=0.0))
    for name, true in TRUTH.items():
        assert result.values[name] == pytest.approx(true, rel=1e-4, abs=1e-9), name


def test_a_fit_does_not_depend_on_those_before():
    fitter = OnlineFitter(BIAS)
    alone = fitter.fit(spectrum(seed=5))
    fitter.fit(spectrum(gap=1.1e-3, barrier=0.0, offset=2e-4, seed=6))
    again = fitter.fit(spectrum(seed=5))
    assert again.values == alone.values
    assert fit_spectrum(BIAS, spectrum(seed=5)).values == alone.values


def test_given_noise_is_used():
    conductance = spectrum()
    level = SCALE * 0.02 * np.sqrt(0.3 + 0.7 * np.abs(BIAS) / 4e-3)
    right = fit_spectrum(BIAS, conductance, noise=level)
    assert right.ok
    assert right.reduced_chi_square == pytest.approx(1, abs=0.3)
    larger = fit_spectrum(BIAS, conductance, noise=3 * level)
    assert larger.std["gap"] == pytest.approx(3 * right.std["gap"], rel=0.05)
    wrong = fit_spectrum(BIAS, conductance, noise=0.3 * level)
    assert "model_inadequate" in wrong.flags


def test_correlated_noise_does_not_make_errors_too_small():
    """A lock-in's filter makes neighbours alike: fewer independent points, larger errors."""
    rng = np.random.default_rng(8)
    white = rng.standard_normal((200, 258))
    noise = 0.02 * (white[:, 2:] + 0.6 * white[:, 1:-1] + 0.2 * white[:, :-2])
    fitter = OnlineFitter(BIAS)
    results = [fitter.fit(spectrum(noise=0.0) + SCALE * row) for row in noise]
    for name in ("gap", "temperature", "barrier"):
        pulls = [(r.values[name] - TRUTH[name]) / r.std[name] for r in results]
        assert 0.8 < np.std(pulls) < 1.15, name
    assert np.mean([r.ok for r in results]) > 0.98
    assert np.median([r.reduced_chi_square for r in results]) == pytest.approx(1, abs=0.05)


def test_fixed_and_free():
    result = fit_spectrum(BIAS, spectrum(), fixed={"temperature": 0.8})
    assert result.free == ("gap", "barrier", "scale", "offset")
    assert (result.values["temperature"], result.std["temperature"]) == (0.8, 0.0)
    result = fit_spectrum(BIAS, spectrum(), fixed={"scale": SCALE, "offset": 7e-6})
    assert (result.values["scale"], result.values["offset"]) == (pytest.approx(SCALE), 7e-6)
    core = {name: TRUTH[name] for name in ("gap", "temperature", "barrier")}
    assert max(deviations(result, core).values()) < 4
    free = ["gap", "temperature", "barrier", "scale", "offset", "slope"]
    tilted = spectrum() * (1 + 20.0 * (BIAS - 7e-6))
    result = fit_spectrum(BIAS, tilted, free=free)
    assert max(deviations(result, TRUTH | {"slope": 20.0}).values()) < 4
    assert result.correlation.shape == (6, 6)
    assert np.diag(result.correlation) == pytest.approx(1.0)


def test_dynes_and_broadening():
    rng = np.random.default_rng(2)
    noise = 0.02 * rng.standard_normal(256)
    tunnel = SCALE * (dynes.conductance(BIAS, 0.6e-3, 0.5, 5e-5) + noise)
    result = fit_spectrum(BIAS, tunnel, model="dynes", fixed={"temperature": 0.5})
    truth = {"gap": 0.6e-3, "broadening": 5e-5, "scale": SCALE}
    assert result.ok
    assert "barrier" not in result.values
    assert max(deviations(result, truth).values()) < 4
    contact = SCALE * (btk.conductance(BIAS, 0.6e-3, 0.5, 1.0, 1e-4) + noise)
    result = fit_spectrum(BIAS, contact, model="btk+broadening")
    truth = {"gap": 0.6e-3, "broadening": 1e-4, "barrier": 1.0, "temperature": 0.5}
    assert max(deviations(result, truth).values()) < 4


def normal(seed, noise=0.02):
    return 1.0 + noise * np.random.default_rng(seed).standard_normal(256)


@pytest.mark.parametrize(
    "conductance",
    [
        normal(1),
        normal(2) * (1 + 50 * BIAS),
        normal(3) + 0.3 * (BIAS / 4e-3) ** 2,
        normal(4) - 1.0,
        spectrum(noise=10.0),
    ],
    ids=["flat", "slope", "parabola", "only noise", "gap lost in noise"],
)
def test_no_gap(conductance):
    result = fit_spectrum(BIAS, conductance)
    assert result.flags == ("no_gap",)
    assert not result.ok
    assert np.isnan(result.values["gap"])
    assert np.isnan(result.std["gap"])
    assert np.isfinite(result.values["scale"])


def test_flat_spectra_rarely_show_a_gap():
    fitter = OnlineFitter(BIAS)
    assert sum(fitter.fit(normal(seed)).ok for seed in range(100)) == 0


def test_two_gaps_are_not_one():
    mixed = 0.5 * (spectrum(gap=0.4e-3, kelvin=0.5) + spectrum(gap=1.0e-3, kelvin=0.5, seed=2))
    result = fit_spectrum(BIAS, mixed)
    assert "model_inadequate" in result.flags
    assert not result.ok
    assert result.misfit > 2
    statistical = fit_spectrum(BIAS, spectrum(gap=0.9e-3, kelvin=1.7, barrier=1.2))
    assert result.std["gap"] > 2 * statistical.std["gap"]


@pytest.mark.parametrize(
    ("conductance", "flag"),
    [
        (np.full(256, 1e-9), "constant"),
        (np.full(256, np.nan), "too_few_points"),
        (np.where(np.arange(256) < 12, spectrum(), np.nan), "too_few_points"),
        (-spectrum(), "negative"),
    ],
)
def test_hopeless_spectra(conductance, flag):
    result = fit_spectrum(BIAS, conductance)
    assert result.flags == (flag,)
    assert not result.ok
    assert all(np.isnan(v) for v in result.values.values())


def test_limits_of_the_barrier():
    clear = fit_spectrum(BIAS, spectrum(barrier=0.0))
    assert "barrier_upper_limit" in clear.flags
    assert clear.ok
    assert clear.values["barrier"] + 4 * clear.std["barrier"] > 0
    assert clear.values["barrier"] + clear.std["barrier"] < 0.2
    opaque = fit_spectrum(BIAS, spectrum(barrier=50.0))
    assert "barrier_lower_limit" in opaque.flags
    assert opaque.ok
    assert opaque.values["barrier"] > 3


def test_a_gap_outside_the_range_is_not_reported():
    narrow = 0.1 * BIAS
    result = fit_spectrum(narrow, spectrum(narrow, kelvin=0.3))
    assert not result.ok


def test_colder_than_the_grid_can_show():
    result = fit_spectrum(BIAS, spectrum(kelvin=0.02, barrier=0.3))
    assert result.values["gap"] == pytest.approx(0.6e-3, rel=0.02)
    assert "temperature_at_bound" in result.flags or result.values["temperature"] < 0.15


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"bias": 1e3 * BIAS}, "not in V but in mV"),
        ({"bias": BIAS[:-1]}, "shape"),
        ({"bias": BIAS[None]}, "shape"),
        ({"bias": np.full(256, 1e-3)}, "two different"),
        ({"conductance": spectrum() + 0j}, "complex"),
        ({"model": "bsc"}, "unknown model"),
        ({"modulation": 0.14}, "peak in V"),
        ({"modulation": -1e-4}, "peak in V"),
        ({"noise": 0.0}, "positive"),
        ({"noise": np.ones(3)}, "noise has shape"),
        ({"fixed": {"delta": 1e-3}}, "no parameter delta"),
        ({"fixed": {"gap": np.nan}}, "finite"),
        ({"fixed": {"temperature": 0.0}}, "positive"),
        ({"fixed": {"barrier": -1.0}}, "not negative"),
        ({"free": ["gap"]}, "not free"),
        (
            {"free": [], "fixed": {"gap": 1e-3, "temperature": 1, "barrier": 1, "scale": 1}},
            "nothing to",
        ),
        ({"free": ["gap"], "fixed": {"gap": 1e-3}}, "both free and fixed"),
        ({"model": "dynes", "fixed": {"barrier": 1.0}}, "no parameter barrier"),
    ],
)
def test_wrong_input_is_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        fit_spectrum(**({"bias": BIAS, "conductance": spectrum()} | arguments))
