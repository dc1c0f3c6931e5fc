"""Neighbouring sites tell the uncertainty of one, and whether the fits state it honestly."""

from __future__ import annotations

import numpy as np
import pytest

from sim.samples.tin import TinFilm
from stm_daq.analysis.maps.fitted_maps import fitted_maps
from stm_daq.analysis.maps.neighbours import neighbour_scatter
from stm_daq.errors import BadInputError, CannotTellError


@pytest.fixture
def dense(film):
    """Sites 0.3 nm apart, as in the paper: neighbours are of one grain."""
    return film(TinFilm(heat=0.0), shape=(40, 40), pitch=0.3e-9)


def test_the_scatter_of_neighbours_is_the_noise(dense):
    found = neighbour_scatter(fitted_maps(dense), "gap")
    assert found.std == pytest.approx(3e-6, rel=0.12)
    assert found.stated == pytest.approx(3e-6)
    assert abs(found.ratio - 1) < 4 * found.ratio_error
    assert found.ratio_map.dims == ("y", "x")
    assert float(found.ratio_map.median()) == pytest.approx(1, abs=0.2)
    assert found.pairs == 2 * 40 * 39


def test_too_small_standard_deviations_are_found_out(dense):
    dense["gap_std"] /= 3
    found = neighbour_scatter(fitted_maps(dense), "gap")
    assert found.ratio == pytest.approx(3, rel=0.12)


def test_one_noisy_corner_shows_in_the_map(dense):
    noise = 3e-5 * np.random.default_rng(5).standard_normal((10, 10))
    dense["gap"].values[:10, :10] += noise
    found = neighbour_scatter(fitted_maps(dense), "gap").ratio_map
    assert float(found[:10, :10].median()) > 4 * float(found[15:, 15:].median())


def test_too_little_to_compare_is_said(dense):
    maps = fitted_maps(dense)
    scattered = np.indices((40, 40)).sum(axis=0) % 2 == 0  # a chess board: no site has a neighbour
    with pytest.raises(CannotTellError, match="only 0 pairs"):
        neighbour_scatter(maps.where(scattered), "gap")
    with pytest.raises(CannotTellError, match="missing"):
        neighbour_scatter(maps.where(maps["x"] < 5e-9), "gap")
    with pytest.raises(CannotTellError, match="same everywhere"):
        neighbour_scatter(maps.assign(gap=maps["gap"] * 0 + 1e-3), "gap")
    with pytest.raises(CannotTellError, match="state no"):
        neighbour_scatter(maps.assign(gap_std=maps["gap_std"] * np.nan), "gap")
    with pytest.raises(BadInputError, match="broadening"):
        neighbour_scatter(maps, "broadening")
