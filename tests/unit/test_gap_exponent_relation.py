"""How gap and exponent vary and follow one another: known fields, noise, the twin's film, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sim.samples.nbn_altshuler_aronov import NbnFilm
from stm_daq.analysis.altshuler_aronov.gap_exponent_relation import relation, varying, without_noise
from stm_daq.errors import BadInputError, CannotTellError

PITCH = 12.5e-9


def film(seed=1, columns=48, rows=40, **changes):
    """True gap and exponent of a film of the twin."""
    x, y = (PITCH * np.arange(n) for n in (columns, rows))
    axes = {"y": ("y", y, {"units": "m"}), "x": ("x", x, {"units": "m"})}
    values = NbnFilm(seed, **changes).properties(*np.meshgrid(x, y))
    return tuple(xr.DataArray(v, axes, ("y", "x")) for v in values)


def noisy(values, part, seed=1):
    """Add noise of this part of the standard deviation; return the map and what it states."""
    size = part * float(values.std())
    drawn = size * np.random.default_rng(seed).standard_normal(values.shape)
    return values + drawn, xr.full_like(values, size)


@pytest.mark.parametrize("part", [0.3, 1.0])
def test_mean_spread_and_length_are_those_of_the_film_whatever_the_noise(part):
    pulls = []
    for seed in range(1, 11):
        found = varying(*noisy(film(seed)[0], part, seed))
        assert found.reliability == pytest.approx(1 / (1 + part**2), abs=0.06)
        pulls.append((
            (found.mean.value - 1.2e-3) / found.mean.std,
            (found.sigma.value - 0.057 * 1.2e-3) / found.sigma.std,
            (found.length.length - 27e-9) / found.length.length_std,
        ))  # fmt: skip
    assert np.abs(np.mean(pulls, axis=0)).max() < 0.8
    assert np.std(pulls, axis=0) == pytest.approx([1.0, 1.0, 1.0], abs=0.45)


def test_noise_lowers_the_coefficient_and_is_taken_out():
    measured, without = [], []
    for seed in range(1, 7):
        gap, exponent = film(seed)
        pair = varying(*noisy(gap, 1.0, seed)), varying(*noisy(exponent, 1.0, seed + 100))
        found = relation(*pair)
        true = np.corrcoef(gap.values.ravel(), exponent.values.ravel())[0, 1]
        measured.append(found.measured.value / true)
        without.append((found.at_zero.value - true) / found.at_zero.std)
    assert np.mean(measured) == pytest.approx(0.5, abs=0.03)
    assert abs(np.mean(without)) < 0.6
    assert np.std(without) < 1.5


def test_the_slope_is_that_of_the_field_they_share():
    slopes = []
    for seed in range(1, 7):
        gap, exponent = film(seed)
        found = relation(
            varying(*noisy(gap, 0.5, seed)), varying(*noisy(exponent, 0.5, seed + 100))
        )
        slopes.append(found.slope.value)
    assert np.mean(slopes) == pytest.approx(-0.55 * 0.057 / 0.028, rel=0.1)


def test_films_that_have_nothing_to_do_with_each_other_do_not_correlate():
    significant, pulls = 0, []
    for seed in range(1, 41):
        gap, exponent = film(seed, 32, 30)[0], film(seed + 500, 32, 30)[1]
        none = xr.zeros_like(gap)
        found = relation(varying(gap, none), varying(exponent, none))
        significant += found.measured.p_value < 0.05
        pulls.append(found.at_zero.value / found.at_zero.std)
        if found.measured.p_value > 0.05:
            assert found.length is None
            assert "does not differ from zero" in found.remark
    assert significant <= 6  # 2 expected; more than 6 in 40 has a chance of 0.3 %
    assert np.std(pulls) == pytest.approx(1.0, abs=0.3)


def test_without_noise_the_autocorrelation_begins_at_one_without_a_spike():
    gap = film()[0]
    clean, loud = varying(gap, xr.zeros_like(gap)), varying(*noisy(gap, 1.0))
    true, found = without_noise(clean).correlation, without_noise(loud).correlation
    assert found[0] == 1.0
    assert found[1:4] == pytest.approx(true[1:4], abs=0.08)
    assert loud.profile.correlation[1] == pytest.approx(true[1] / 2, abs=0.05)


def test_half_the_pixels_missing_cost_certainty_but_are_not_invented():
    gap, exponent = film(3)
    hidden = np.random.default_rng(1).random(gap.shape) < 0.5
    none = xr.zeros_like(gap)
    whole = relation(varying(gap, none), varying(exponent, none))
    half = relation(varying(gap.where(~hidden), none), varying(exponent, none))
    assert half.at_zero.value == pytest.approx(whole.at_zero.value, abs=3 * whole.at_zero.std)
    found = varying(gap.where(~hidden), none)
    assert found.sigma.value == pytest.approx(0.057 * 1.2e-3, abs=4 * found.sigma.std)


def test_nothing_is_said_of_maps_that_do_not_hold_it():
    gap = film()[0]
    loud, stated = noisy(xr.full_like(gap, 1.2e-3), 0.0)
    with pytest.raises(CannotTellError, match="constant"):
        varying(loud, stated)
    drawn = 1e-5 * np.random.default_rng(2).standard_normal(gap.shape)
    with pytest.raises(CannotTellError, match="more than noise"):
        varying(gap.copy(data=1.2e-3 + drawn), xr.full_like(gap, 1e-5))
    with pytest.raises(CannotTellError, match="known pixels"):
        varying(gap.where(gap > gap.max() * 0.9999), xr.zeros_like(gap))
    with pytest.raises(CannotTellError, match=r"line|lags|lengths"):
        varying(gap.isel(y=slice(0, 1)), xr.zeros_like(gap.isel(y=slice(0, 1))))
    small = gap.isel(y=slice(0, 7), x=slice(0, 7))
    found = varying(small, xr.zeros_like(small))
    assert found.length is None
    assert "lags" in found.remark or "lengths" in found.remark
    assert np.isnan([found.mean.std, found.sigma.std]).all()
    with pytest.raises(BadInputError, match="dimensions"):
        varying(gap.rename(x="bias"), xr.zeros_like(gap).rename(x="bias"))
