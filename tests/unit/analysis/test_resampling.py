"""Errors by resampling against closed forms and against many fields."""

from __future__ import annotations

import numpy as np
import pytest

from stm_daq.analysis.space.resampling import (
    block_bootstrap,
    bootstrap,
    permutation_test,
    shift_test,
)
from stm_daq.errors import BadInputError, CannotTellError

from .random_maps import PIXEL, as_map, fields


def coefficient(a, b):
    """Pearson's coefficient of the pixels known in both."""
    known = np.isfinite(a) & np.isfinite(b)
    return float(np.corrcoef(a[known], b[known])[0, 1])


def test_the_error_of_a_mean_is_sigma_over_root_n():
    values = np.random.default_rng(1).normal(3, 2, 400)
    values[5] = np.nan
    found = bootstrap([values], np.mean, resamples=500)
    assert found.std == pytest.approx(2 / 20, rel=0.15)
    assert found.low < found.value < found.high
    assert bootstrap([values], np.mean, resamples=500) == found


def test_pairs_stay_together():
    rng = np.random.default_rng(2)
    x = rng.normal(size=300)
    y = 0.8 * x + 0.6 * rng.normal(size=300)
    found = bootstrap([x, y], coefficient, resamples=300)
    assert found.std == pytest.approx((1 - 0.8**2) / np.sqrt(300), rel=0.25)
    with pytest.raises(BadInputError):
        bootstrap([x, y[:-1]], coefficient)
    with pytest.raises(CannotTellError):
        bootstrap([x[:5]], np.mean)


def test_blocks_know_that_pixels_repeat_their_neighbours():
    rng = np.random.default_rng(3)
    drawn = fields((60, 60), 4, rng, 24)
    truth = np.std([field.mean() for field in fields((60, 60), 4, rng, 200)])
    maps = [as_map(field) for field in drawn]
    stated = [block_bootstrap([m], np.nanmean, block=12 * PIXEL, resamples=60).std for m in maps]
    assert np.mean(stated) == pytest.approx(truth, rel=0.3)
    plain = bootstrap([drawn[0].ravel()], np.mean, resamples=60).std
    assert plain < 0.35 * truth
    assert block_bootstrap([maps[0]], np.nanmean, resamples=60).std == pytest.approx(truth, rel=0.6)


def test_maps_are_drawn_together():
    a, b = fields((60, 60), 3, np.random.default_rng(4), 2)
    b = 0.9 * a + 0.1 * b
    a[:20] = np.nan
    found = block_bootstrap([as_map(a), as_map(b)], coefficient, block=9 * PIXEL, resamples=60)
    assert found.value > 0.95
    assert found.std < 0.02


def test_blocks_without_a_pattern_are_small():
    noise = as_map(np.random.default_rng(5).standard_normal((40, 40)))
    found = block_bootstrap([noise], np.nanmean, resamples=150)
    assert found.std == pytest.approx(1 / 40, rel=0.35)


def test_a_map_that_holds_no_nine_blocks():
    field = as_map(fields((30, 30), 3, np.random.default_rng(6), 1)[0])
    with pytest.raises(CannotTellError, match="9 blocks"):
        block_bootstrap([field], np.nanmean, block=15 * PIXEL)
    smooth = as_map(fields((30, 30), 12, np.random.default_rng(6), 1)[0])
    with pytest.raises(CannotTellError):
        block_bootstrap([smooth], np.nanmean)


def test_permutations_of_two_samples():
    rng = np.random.default_rng(7)
    a, b = rng.normal(0, 1, 60), rng.normal(1, 1, 60)

    def difference(x, y):
        return float(np.mean(x) - np.mean(y))

    assert permutation_test([a, b], difference, resamples=199) < 0.02
    p = [
        permutation_test([rng.normal(size=20), rng.normal(size=20)], difference, resamples=99)
        for _ in range(100)
    ]
    assert np.mean(np.array(p) < 0.1) < 0.2
    with pytest.raises(CannotTellError):
        permutation_test([a, b[:2]], difference)


def test_shifts_of_a_map_against_another():
    rng = np.random.default_rng(8)
    a, b = fields((40, 40), 2, rng, 100), fields((40, 40), 2, rng, 100)
    related = as_map(0.5 * a[0] + b[0])
    assert shift_test(as_map(a[0]), related, coefficient, shifts=99) < 0.03
    p = [
        shift_test(as_map(x), as_map(y), coefficient, shifts=39) for x, y in zip(a, b, strict=True)
    ]
    assert np.mean(np.array(p) < 0.1) < 0.22
