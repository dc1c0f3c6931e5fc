"""Maps that cannot tell, or are no maps: every spatial statistic says so."""

from __future__ import annotations

import numpy as np
import pytest

from stm_daq.analysis.maps.fields import field_of
from stm_daq.analysis.space.correlation import correlation_map, radial_profile
from stm_daq.analysis.space.map_spread import noise_of_map, spread_of_map
from stm_daq.analysis.space.resampling import block_bootstrap
from stm_daq.analysis.space.significance import correlate
from stm_daq.errors import BadInputError, CannotTellError

from .random_maps import as_map, fields

GOOD = fields((20, 24), 1.5, np.random.default_rng(1), 1)[0]


def bootstrap_mean(a):
    return block_bootstrap([a], np.nanmean)


ALL = [
    correlation_map,
    radial_profile,
    lambda a: correlation_map(as_map(GOOD), a),
    lambda a: correlate(a, as_map(GOOD)),
    lambda a: correlate(as_map(GOOD), a),
    noise_of_map,
    spread_of_map,
    bootstrap_mean,
]


def three_pixels():
    values = np.full((20, 24), np.nan)
    values[0, :3] = 1, 2, 3
    return as_map(values)


@pytest.mark.parametrize("analyse", ALL)
@pytest.mark.parametrize(
    "bad",
    [as_map(np.full((20, 24), np.nan)), as_map(np.full((20, 24), 0.6)), three_pixels()],
    ids=["all missing", "constant", "three pixels"],
)
def test_a_map_that_cannot_tell(analyse, bad):
    with pytest.raises(CannotTellError):
        analyse(bad)


@pytest.mark.parametrize("analyse", ALL)
@pytest.mark.parametrize(
    "bad",
    [
        as_map(GOOD).expand_dims(temperature=2),
        as_map(GOOD).rename(x="bias"),
        as_map(GOOD, units="nm"),
        as_map(GOOD).drop_vars("y"),
        as_map(GOOD).assign_coords(x=np.arange(24) ** 1.5 * 1e-9),
    ],
    ids=["outer axis", "not x", "nm", "no coordinate", "uneven"],
)
def test_axes_that_are_not_those_of_a_map(analyse, bad):
    with pytest.raises(BadInputError):
        analyse(bad)


def test_maps_on_different_grids():
    with pytest.raises(BadInputError, match="different grids"):
        correlate(as_map(GOOD), as_map(GOOD[:, :-1]))
    with pytest.raises(BadInputError, match="different grids"):
        correlation_map(as_map(GOOD), as_map(GOOD, pixel=2.2e-9))
    with pytest.raises(BadInputError, match="different grids"):
        spread_of_map(as_map(GOOD), as_map(GOOD[:-1]))


def test_maps_with_hardly_a_pixel_in_common():
    left, right = GOOD.copy(), GOOD.copy()
    left[:, 12:], right[:, :13] = np.nan, np.nan
    with pytest.raises(CannotTellError, match="in common"):
        correlate(as_map(left), as_map(right))


def test_a_slope_without_anything_else():
    slope = np.linspace(0, 1, 20)[:, None] + np.linspace(0, 3, 24)
    with pytest.raises(CannotTellError, match="without its trend"):
        correlate(as_map(slope), as_map(GOOD))


def test_the_order_of_axes_does_not_matter():
    field = field_of(as_map(GOOD).transpose("x", "y")[::-1])
    np.testing.assert_array_equal(field.values, GOOD)
    assert field.pitch == pytest.approx((2e-9, 2e-9))


def test_half_the_pixels_missing_widens_the_interval():
    rng = np.random.default_rng(3)
    a, b = fields((40, 40), 1, rng, 2)
    b = 0.5 * a + np.sqrt(0.75) * b
    whole = correlate(as_map(a), as_map(b)).pearson
    a[rng.random(a.shape) < 0.5] = np.nan
    half = correlate(as_map(a), as_map(b))
    assert half.missing == pytest.approx(800, abs=80)
    assert half.pearson.effective < 0.8 * whole.effective
    assert half.pearson.low < 0.5 < half.pearson.high
