"""Correlations of maps: found where they are, not found where they are not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sim.samples.tin import TinFilm
from stm_daq.analysis.space.significance import correlate, correlate_all, rank_correlation
from stm_daq.errors import BadInputError, CannotTellError

from .random_maps import as_map, fields


def rate(pairs, trend="plane"):
    """Return how often p < 0.05, and how often with the textbook's p-value."""
    found = [correlate(as_map(a), as_map(b, "z"), trend=trend).pearson for a, b in pairs]
    return (
        np.mean([c.p_value < 0.05 for c in found]),
        np.mean([c.naive_p_value < 0.05 for c in found]),
    )


@pytest.mark.parametrize(
    ("shape", "length", "missing"),
    [((24, 24), 3, 0.0), ((16, 64), 1, 0.0), ((24, 24), 2, 0.3)],
)
def test_unrelated_maps_are_called_so(shape, length, missing):
    """400 pairs at the 5 % level: three binomial standard deviations are 3.3 %."""
    rng = np.random.default_rng(11)
    a, b = fields(shape, length, rng, 400), fields(shape, length, rng, 400)
    a[rng.random(a.shape) < missing] = np.nan
    ours, naive = rate(zip(a, b, strict=True))
    assert 0.025 < ours < 0.083
    assert naive > 2 * ours or length == 1


def test_maps_of_the_same_grains_are_not_related_by_their_grains():
    """The gap of each grain and its height are drawn separately, but change at the same places."""
    x, y = np.meshgrid(np.arange(60) * 4e-9, np.arange(32) * 4e-9)
    pairs = []
    for seed in range(120):
        film = TinFilm(seed=seed, gap_by_height=0.0, heat_by_height=0.0)
        found = film.properties(x, y)
        pairs.append((found.gap, found.height))
    ours, naive = rate(pairs)
    assert ours < 0.1
    assert naive > 0.4


def test_slopes_of_drift_are_no_correlation():
    rng = np.random.default_rng(12)
    a, b = fields((24, 24), 2, rng, 150), fields((24, 24), 2, rng, 150)
    slope = 3 * np.linspace(-1, 1, 24)[:, None]
    ours, _ = rate(zip(a + slope, b + slope, strict=True))
    assert ours < 0.1
    assert all(
        stats.pearsonr(*np.array([(one + slope).ravel(), (two + slope).ravel()])).pvalue < 0.05
        for one, two in zip(a, b, strict=True)
    )


def test_a_correlation_is_found_and_its_interval_holds_it():
    rng = np.random.default_rng(13)
    a, b = fields((40, 40), 3, rng, 100), fields((40, 40), 3, rng, 100)
    found = [
        correlate(as_map(one), as_map(0.5 * one + math.sqrt(0.75) * two))
        for one, two in zip(a, b, strict=True)
    ]
    for kind in ("pearson", "spearman"):
        coefficients = [getattr(c, kind) for c in found]
        truth = 0.5 if kind == "pearson" else 6 / math.pi * math.asin(0.25)
        assert np.mean([c.p_value < 0.05 for c in coefficients]) > 0.97
        assert np.mean([c.value for c in coefficients]) == pytest.approx(truth, abs=0.03)
        assert np.mean([c.low <= truth <= c.high for c in coefficients]) > 0.88


def test_the_coefficients_are_the_textbooks():
    rng = np.random.default_rng(14)
    a = rng.standard_normal((20, 30))
    b = np.exp(0.4 * a + rng.standard_normal(a.shape))
    b[3:6, 4:9] = np.nan
    found = correlate(as_map(a), as_map(b), trend="mean")
    known = np.isfinite(b)
    pearson, spearman = stats.pearsonr(a[known], b[known]), stats.spearmanr(a[known], b[known])
    assert found.pearson.value == pytest.approx(pearson.statistic)
    assert found.pearson.naive_p_value == pytest.approx(pearson.pvalue, rel=1e-6)
    assert found.spearman.value == pytest.approx(spearman.statistic)
    assert (found.pixels, found.missing) == (585, 15)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 1000), scale=st.floats(1e-6, 1e6), shift=st.floats(-1e3, 1e3),
    sign=st.sampled_from([-1, 1]),
)  # fmt: skip
def test_units_and_order_do_not_matter(seed, scale, shift, sign):
    a, b = fields((20, 20), 1.5, np.random.default_rng(seed), 2)
    found = correlate(as_map(a), as_map(b)).pearson
    other = correlate(as_map(sign * scale * (b + shift)), as_map(a)).pearson
    assert other.value == pytest.approx(sign * found.value, abs=1e-6)
    assert other.p_value == pytest.approx(found.p_value, rel=1e-3, abs=1e-9)
    assert found.low <= found.value <= found.high


def test_a_map_and_itself():
    a = fields((30, 30), 2, np.random.default_rng(15), 1)[0]
    found = correlate(as_map(a), as_map(a)).pearson
    assert found.value == pytest.approx(1)
    assert found.p_value < 1e-6


def test_maps_hardly_larger_than_their_correlation_length_tell_nothing():
    a, b = fields((30, 30), 25, np.random.default_rng(16), 2)
    with pytest.raises(CannotTellError, match="take larger ones"):
        correlate(as_map(a), as_map(b), trend="mean")


def test_all_maps_of_a_dataset_with_the_height():
    rng = np.random.default_rng(17)
    z, gap = fields((24, 24), 2, rng, 2)
    maps = xr.Dataset(
        {
            "z": as_map(z), "gap": as_map(gap - z), "constant": as_map(np.ones((24, 24))),
            "spectrum": (("y", "x", "bias"), np.zeros((24, 24, 3))),
        }
    )  # fmt: skip
    table = correlate_all(maps, "z")
    assert list(table["map"].values) == ["gap", "constant"]
    one = correlate(maps["gap"], maps["z"])
    assert float(table["pearson"].sel(map="gap")) == one.pearson.value
    assert float(table["spearman_p_value"].sel(map="gap")) == one.spearman.p_value
    assert math.isnan(float(table["pearson"].sel(map="constant")))
    assert "constant" in str(table["remark"].sel(map="constant").values)
    same = correlate_all(maps[["gap"]], maps["z"].rename("height"))
    assert float(same["pearson"][0]) == one.pearson.value
    assert same.attrs["with"] == "height"
    with pytest.raises(BadInputError, match="no map 'height'"):
        correlate_all(maps, "height")
    with pytest.raises(BadInputError, match="no maps"):
        correlate_all(maps[["spectrum"]], maps["z"])


def test_rank_correlation_is_spearmans_with_ties():
    rng = np.random.default_rng(2)
    x = rng.integers(0, 6, 200).astype(float)
    y = x**3 + rng.normal(0, 20, 200)
    y[7] = np.nan
    kept = np.isfinite(y)
    expected = stats.spearmanr(x[kept], y[kept]).statistic
    assert rank_correlation(x, y) == pytest.approx(expected, abs=1e-12)
    assert math.isnan(rank_correlation(np.ones(50), rng.normal(size=50)))
