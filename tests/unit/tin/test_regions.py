"""Regions: drawn, cut out by a threshold, and grains of a known number and size."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sim.samples.random_field import nearest_points, stream_key
from sim.samples.tin import TinFilm, TinFilm25
from stm_daq.analysis.maps.regions import drawn, on_sites, thresholded, values_by_region
from stm_daq.analysis.topographs.grains import grain_sizes, segment_grains
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.report_settings import settings_of

SQUARE = [(1e-9, 1e-9), (9e-9, 1e-9), (9e-9, 9e-9), (1e-9, 9e-9)]
L_SHAPE = [(0, 0), (20, 0), (20, 10), (10, 10), (10, 20), (0, 20)]


def surface(heights, pixel=1e-9):
    rows, columns = heights.shape
    axes = {
        "topograph_y": pixel * (np.arange(rows) + 0.5),
        "topograph_x": pixel * (np.arange(columns) + 0.5),
    }
    return xr.DataArray(heights, coords=axes, dims=tuple(axes), name="topography")


def test_a_drawn_region_has_the_area_of_its_polygon():
    corners = [(x * 1e-9, y * 1e-9) for x, y in L_SHAPE]
    data = surface(np.zeros((30, 30)))
    found = drawn(data, {"L": corners, "other": [(2.2e-8, 0), (3e-8, 0), (3e-8, 3e-8)]})
    assert found.mask("L").sum() == 300
    assert found.mask("L")[15, 5]
    assert not found.mask("L")[15, 15]
    assert found.mask("other").sum() == pytest.approx(120, abs=8)


def test_regions_of_the_plan_are_drawn(film):
    run = film()
    found = drawn(run["gap"], settings_of(run).regions)
    assert found.names == ("left", "right")
    values = values_by_region(run["gap"], found)
    here = run["gap"].values[found.mask("left")]
    assert values[0].sites == here.size == 20 * 30
    assert values[0].mean == pytest.approx(here.mean())
    assert values[0].std == pytest.approx(here.std(ddof=1))


def test_bad_polygons_are_refused():
    data = surface(np.zeros((30, 30)))
    with pytest.raises(BadInputError, match="holds no pixel"):
        drawn(data, {"far": [(x + 1e-6, y) for x, y in SQUARE]})
    with pytest.raises(BadInputError, match="overlap"):
        drawn(data, {"one": SQUARE, "two": SQUARE})
    with pytest.raises(BadInputError, match="three corners"):
        drawn(data, {"line": SQUARE[:2]})
    with pytest.raises(BadInputError, match="no region"):
        drawn(data, {})


def test_thresholds_divide_a_map(film):
    gap = film()["gap"]
    gap.values[0, :] = np.nan
    found = thresholded(gap, {"low": (0, 0.55e-3), "high": (0.65e-3, 2e-3)})
    assert np.array_equal(found.mask("low"), gap.values < 0.55e-3)
    assert not found.labels.values[0].any()
    with pytest.raises(CannotTellError, match="lies from"):
        thresholded(gap, {"huge": (5e-3, 6e-3)})
    with pytest.raises(BadInputError, match="no order"):
        thresholded(gap, {"low": (2e-3, 1e-3)})
    with pytest.raises(BadInputError, match="overlap"):
        thresholded(gap, {"low": (0, 6e-4), "lower": (0, 5e-4)})


def honeycomb(count=6, spacing=12.0, noise=0.02e-9, tilt=0.2):
    """A square lattice of round hats of different heights on a tilted plane, 1 nm a pixel."""
    rng = np.random.default_rng(2)
    y, x = np.indices((int(count * spacing),) * 2) + 0.5
    i, j = np.floor(y / spacing).astype(int), np.floor(x / spacing).astype(int)
    distance = np.hypot(y - (i + 0.5) * spacing, x - (j + 0.5) * spacing) / (spacing / 2)
    top = (1 + rng.random((count, count)))[i, j]
    heights = 1e-9 * top * (1 - np.minimum(distance, 1.4) ** 2 / 2)
    return surface(heights + tilt * 1e-9 * x / 10 + noise * rng.standard_normal(x.shape)), count**2


def test_grains_are_counted_and_measured():
    topograph, count = honeycomb()
    grains = segment_grains(topograph)
    assert len(grains.names) == count
    sizes = grain_sizes(grains)
    assert len(sizes.diameters) == 16  # those at the edge are cut
    assert sizes.median == pytest.approx(12e-9 * 2 / np.sqrt(np.pi), rel=0.03)
    assert sizes.std < 1e-9


def test_what_was_not_scanned_is_in_no_grain():
    topograph, _ = honeycomb()
    topograph.values[60:] = np.nan
    grains = segment_grains(topograph)
    assert not grains.labels.values[60:].any()
    assert len(grains.names) == 30
    assert len(grain_sizes(grains).diameters) == 4 * 3


@pytest.mark.parametrize(("kind", "pixel"), [(TinFilm, 1.2e-9), (TinFilm25, 0.7e-9)])
def test_grains_of_the_twin_are_found_from_its_topograph(kind, pixel):
    film = kind(seed=3)
    x, y = np.meshgrid(pixel * np.arange(220), pixel * np.arange(120))
    topograph = surface(film.height(x, y), pixel)
    grains = segment_grains(topograph)
    i, j, _, _ = nearest_points(x.ravel(), y.ravel(), film.pitch, stream_key(3, "grains"))
    _, true = np.unique(np.stack([i, j]), axis=1, return_inverse=True)
    shared = np.zeros((len(grains.names) + 1, true.max() + 1))
    np.add.at(shared, (grains.labels.values.ravel(), true.ravel()), 1)
    assert shared.max(axis=1).sum() / x.size > 0.8  # pixels in the grain that theirs mostly is
    assert shared.max(axis=0).sum() / x.size > 0.75
    diameters = 2 * pixel * np.sqrt(np.bincount(true.ravel()) / np.pi)
    assert grain_sizes(grains).median == pytest.approx(np.median(diameters), rel=0.12)


def test_grains_are_carried_over_to_the_sites(film):
    run = film()
    grains = segment_grains(run["topography"])
    sites = on_sites(grains, run["gap"])
    assert sites.labels.dims == ("y", "x")
    assert np.array_equal(sites.labels.values, grains.labels.values[::2, ::2])
    spread = [v.std for v in values_by_region(run["gap"], sites, least=8)]
    assert np.median(spread) < 0.6 * float(run["gap"].std())
    with pytest.raises(BadInputError, match="on_sites"):
        values_by_region(run["gap"], grains)


def test_what_has_no_grains_is_not_divided():
    rng = np.random.default_rng(0)
    with pytest.raises(CannotTellError, match="not resolved"):
        segment_grains(surface(1e-10 * rng.standard_normal((80, 80))))
    with pytest.raises(CannotTellError):
        segment_grains(surface(np.zeros((80, 80))))
    with pytest.raises(CannotTellError):
        segment_grains(surface(np.full((80, 80), np.nan)))
    with pytest.raises(CannotTellError, match="larger frame"):
        grain_sizes(segment_grains(honeycomb(count=3)[0]))
