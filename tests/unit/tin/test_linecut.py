"""Line cuts hold sites as measured, each once, none further away than half a pitch."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from stm_daq.analysis.maps.linecut import line_cut
from stm_daq.errors import BadInputError, CannotTellError

PITCH = 2e-9


@pytest.fixture
def ramp():
    """A map whose value tells row and column: 100 row + column."""
    values = 100.0 * np.arange(20)[:, None] + np.arange(30)
    axes = {"y": PITCH * np.arange(20), "x": 10e-9 + PITCH * np.arange(30)}
    return xr.DataArray(values, coords=axes, dims=("y", "x"), name="ramp")


def test_a_cut_along_a_row_is_that_row(ramp):
    cut = line_cut(ramp, (10e-9, 6.4e-9), (68e-9, 6.4e-9))
    assert np.array_equal(cut.values, ramp.values[3])
    assert np.allclose(cut["position"], PITCH * np.arange(30))
    assert np.allclose(cut["offset"], 6e-9 - 6.4e-9)


def test_a_cut_backwards_is_turned_round(ramp):
    there = line_cut(ramp, (12e-9, 1e-9), (60e-9, 30e-9))
    back = line_cut(ramp, (60e-9, 30e-9), (12e-9, 1e-9))
    assert np.array_equal(there.values[::-1], back.values)
    assert np.allclose(there["offset"].values[::-1], -back["offset"].values)


@pytest.mark.parametrize("end", [(67e-9, 13e-9), (31e-9, 37e-9), (11e-9, 38e-9)])
def test_every_site_is_within_half_a_pitch_and_comes_once(ramp, end):
    cut = line_cut(ramp, (11e-9, 0.5e-9), end)
    assert np.abs(cut["offset"]).max() <= PITCH / 2 * (1 + 1e-9)
    assert len(np.unique(cut.values)) == cut.size
    assert (np.diff(cut["position"]) > 0).all()
    steps = np.hypot(np.diff(cut["x"]), np.diff(cut["y"]))
    assert steps.max() <= np.sqrt(2) * PITCH * (1 + 1e-9)  # no gap


def test_spectra_keep_their_bias_and_missing_sites_stay_missing(film):
    run = film(shape=(8, 12))
    conductance = run["conductance"].copy()
    conductance.values[4, 5] = np.nan
    y = float(run["y"][4])
    cut = line_cut(conductance, (float(run["x"][2]), y), (float(run["x"][9]), y))
    assert cut.dims == ("position", "bias")
    assert cut.shape == (8, 2)
    assert np.flatnonzero(np.isnan(cut.values).all(axis=1)).tolist() == [3]


def test_a_topograph_and_a_single_row_are_cut_too(film, ramp):
    run = film(shape=(8, 12))
    assert line_cut(run["topography"], (1e-9, 1e-9), (20e-9, 10e-9)).size > 10
    assert line_cut(ramp.isel(y=slice(4, 5)), (12e-9, 8e-9), (20e-9, 8e-9)).size == 5


def test_bad_lines_are_refused(ramp):
    with pytest.raises(BadInputError, match="different ends"):
        line_cut(ramp, (1e-9, 1e-9), (1e-9, 1e-9))
    with pytest.raises(CannotTellError, match="meets 0 site"):
        line_cut(ramp, (10e-9, 80e-9), (60e-9, 90e-9))
    with pytest.raises(CannotTellError, match="has a value"):
        line_cut(ramp * np.nan, (10e-9, 8e-9), (60e-9, 8e-9))
    with pytest.raises(BadInputError, match="axes"):
        line_cut(ramp.rename(x="across"), (10e-9, 8e-9), (60e-9, 8e-9))
