"""Correlation maps against direct sums and the paper's definition; radial averages, lengths."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stm_daq.analysis.space.correlation import correlation_map, radial_profile
from stm_daq.analysis.space.correlation_length import correlation_length
from stm_daq.errors import CannotTellError

from .random_maps import PIXEL, as_map, fields


def gappy(rng, shape=(7, 9), missing=0.2):
    """Return two related maps with gaps of their own."""
    a = rng.normal(3, 2, shape)
    b = 0.5 * a + rng.normal(-1, 1, shape)
    for values in (a, b):
        values[rng.random(shape) < missing] = np.nan
    return as_map(a, "a"), as_map(b, "b")


def direct(a, b, down, right, periodic):
    """Sum over the pairs of known pixels one by one."""
    a, b = (m.values - np.nanmean(m.values) for m in (a, b))
    rows, columns = a.shape
    product = square_a = square_b = 0.0
    pairs = 0
    for i in range(rows):
        for j in range(columns):
            k, m = i - down, j - right
            if periodic:
                k, m = k % rows, m % columns
            elif not (0 <= k < rows and 0 <= m < columns):
                continue
            if np.isfinite(a[i, j]) and np.isfinite(b[k, m]):
                product += a[i, j] * b[k, m]
                square_a += a[i, j] ** 2
                square_b += b[k, m] ** 2
                pairs += 1
    return product / math.sqrt(square_a * square_b), pairs


@pytest.mark.parametrize("periodic", [True, False])
def test_a_correlation_map_is_the_sum_over_pairs(periodic):
    a, b = gappy(np.random.default_rng(1))
    found = correlation_map(a, b, periodic=periodic)
    for down, right in ((0, 0), (1, 0), (0, -2), (-2, 3), (3, 3)):
        here = found.sel(lag_y=down * PIXEL, lag_x=right * PIXEL, method="nearest")
        expected, pairs = direct(a, b, down, right, periodic)
        assert float(here["correlation"]) == pytest.approx(expected, abs=1e-12)
        assert float(here["pairs"]) == pairs


def test_a_whole_periodic_map_is_normalised_as_in_the_paper():
    """A1 and A2 of Phys. Rev. B 102, 024504: divided by N and both standard deviations."""
    a, b = gappy(np.random.default_rng(2), (8, 10), 0.0)
    found = correlation_map(a, b, periodic=True)["correlation"]
    da, db = (m.values - m.values.mean() for m in (a, b))
    moved = np.roll(db, (2, -3), axis=(0, 1))  # b(r - d) at r
    expected = (da * moved).sum() / (da.size * da.std() * db.std())
    here = found.sel(lag_y=2 * PIXEL, lag_x=-3 * PIXEL, method="nearest")
    assert float(here) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), periodic=st.booleans(), missing=st.floats(0, 0.3))
def test_what_every_correlation_map_obeys(seed, periodic, missing):
    a, b = gappy(np.random.default_rng(seed), (9, 10), missing)
    own = correlation_map(a, periodic=periodic)["correlation"]
    assert float(own.sel(lag_y=0, lag_x=0)) == pytest.approx(1)
    ab = correlation_map(a, b, periodic=periodic)["correlation"]
    ba = correlation_map(b, a, periodic=periodic)["correlation"]
    assert np.nanmax(np.abs(ab)) <= 1 + 1e-9
    lags = (slice(-3.5 * PIXEL, 3.5 * PIXEL),) * 2
    near = ab.sel(lag_y=lags[0], lag_x=lags[1]).values
    turned = ba.sel(lag_y=lags[0], lag_x=lags[1]).values[::-1, ::-1]
    np.testing.assert_allclose(near, turned, atol=1e-9)


def test_rows_that_run_down_are_the_same_map():
    a, _ = gappy(np.random.default_rng(3))
    np.testing.assert_allclose(
        correlation_map(a)["correlation"], correlation_map(a[::-1, ::-1])["correlation"]
    )


def test_a_lag_without_pairs_has_no_value():
    a, _ = gappy(np.random.default_rng(3), (12, 12), 0.0)
    found = correlation_map(a)["correlation"]
    assert np.isnan(found.values[0, 0])


@pytest.mark.parametrize(("noise", "trend"), [(0.0, "mean"), (0.7, "mean"), (0.7, "plane")])
def test_length_and_amplitude_are_those_of_the_field_whatever_the_noise(noise, trend):
    rng = np.random.default_rng(4)
    found = []
    for field in fields((72, 72), 5, rng, 24):
        noisy = as_map(field + noise * rng.standard_normal(field.shape))
        found.append(correlation_length(radial_profile(noisy, trend=trend)))
    lengths = np.array([c.length for c in found]) / (5 * PIXEL)
    assert np.mean(lengths) == pytest.approx(1, abs=0.05)
    assert np.mean([c.amplitude for c in found]) == pytest.approx(1 / (1 + noise**2), rel=0.12)
    stated = np.median([c.length_std for c in found]) / (5 * PIXEL)
    assert 0.5 < np.std(lengths) / stated < 1.3
    assert np.median([c.gaussian for c in found]) == pytest.approx(5 * PIXEL, rel=0.1)


def test_an_exponential_decay_is_told_from_a_gaussian_one():
    rng = np.random.default_rng(5)
    found = [
        correlation_length(radial_profile(as_map(field)))
        for field in fields((96, 96), 4, rng, 30, 1)
    ]
    assert np.median([c.power for c in found]) == pytest.approx(1, abs=0.25)
    assert np.median([c.exponential for c in found]) == pytest.approx(4 * PIXEL, rel=0.15)


@pytest.mark.parametrize("shape", [(64, 64), (32, 128)])
def test_errors_of_radial_averages_are_the_scatter_over_many_fields(shape):
    rng = np.random.default_rng(6)
    drawn = fields(shape, 4, rng, 60)
    profiles = [radial_profile(as_map(f + 0.5 * rng.standard_normal(shape))) for f in drawn]
    scatter = np.std([p.correlation for p in profiles], axis=0)[1:16]
    stated = np.sqrt(np.mean([p.std**2 for p in profiles], axis=0))[1:16]
    assert np.mean(scatter / stated) == pytest.approx(1, abs=0.2)
    assert profiles[0].correlation[0] == pytest.approx(1)
    assert profiles[0].std[0] == pytest.approx(0, abs=1e-6)


def test_errors_of_cross_correlations_as_well():
    rng = np.random.default_rng(7)
    a, b = fields((64, 64), 4, rng, 60), fields((64, 64), 4, rng, 60)
    for share in (0.0, 0.6):
        related = share * a + math.sqrt(1 - share**2) * b
        profiles = [
            radial_profile(as_map(one), as_map(two)) for one, two in zip(a, related, strict=True)
        ]
        scatter = np.std([p.correlation for p in profiles], axis=0)[:12]
        stated = np.sqrt(np.mean([p.std**2 for p in profiles], axis=0))[:12]
        assert np.mean(scatter / stated) == pytest.approx(1, abs=0.25)
        assert np.mean([p.correlation[0] for p in profiles]) == pytest.approx(share, abs=0.05)


def test_a_map_of_few_correlation_lengths_has_none():
    field = fields((40, 40), 14, np.random.default_rng(8), 1)[0]
    with pytest.raises(CannotTellError, match="larger map"):
        correlation_length(radial_profile(as_map(field)))


def test_noise_has_no_correlation_length():
    noise = np.random.default_rng(9).standard_normal((50, 50))
    with pytest.raises(CannotTellError, match="does not differ from zero"):
        correlation_length(radial_profile(as_map(noise)))


def test_a_line_has_a_length_too():
    rng = np.random.default_rng(10)
    lines = fields((2, 400), 5, rng, 30)[:, :1]
    found = [correlation_length(radial_profile(as_map(line))).length for line in lines]
    assert np.median(found) == pytest.approx(5 * PIXEL, rel=0.15)
