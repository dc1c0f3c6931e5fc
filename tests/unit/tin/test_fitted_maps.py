"""Failed pixels are masked, and every one has its reason."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from stm_daq.analysis.maps.fitted_maps import excluded, fitted_maps, reasons
from stm_daq.errors import BadInputError


@pytest.fixture
def spoilt(film):
    run = film(shape=(8, 10))
    run["fit_ok"].values[0, :4] = False
    run["fit_flags"].values[0, 0] = "too_noisy,not_white,second_minimum"
    run["fit_flags"].values[0, 1] = "model_inadequate"
    run["flags"].values[0, 2] = run["fit_flags"].values[0, 2] = "overload"
    run["gap"].values[0, 3] = np.nan  # cut off between spectrum and fit
    run["conductance"].values[7, 9] = np.nan
    run["fit_ok"].values[7, 9] = False
    run["gap"].values[7, 9] = np.nan
    return run


def test_every_excluded_site_has_its_reason(spoilt):
    found = {(site.row, site.column): site for site in excluded(spoilt)}
    assert {place: site.reason for place, site in found.items()} == {
        (0, 0): "fit: too_noisy, second_minimum",
        (0, 1): "fit: model_inadequate",
        (0, 2): "spectrum: overload",
        (0, 3): "not fitted",
        (7, 9): "not measured",
    }
    assert found[0, 0].flags == ("too_noisy", "second_minimum")
    assert found[7, 9].flags == ()
    assert found[7, 9].x == spoilt["x"].values[9]
    assert found[7, 9].y == spoilt["y"].values[7]


def test_what_is_excluded_is_masked_and_nothing_else(spoilt):
    maps = fitted_maps(spoilt)
    masked = (maps["reason"] != "").values
    assert masked.sum() == 5
    for name in ("gap", "temperature_std", "barrier"):
        assert np.array_equal(np.isnan(maps[name].values), masked)
        assert np.array_equal(maps[name].values[~masked], spoilt[name].values[~masked])


def test_sites_that_the_plan_left_out_are_not_listed(spoilt):
    wanted = ["1" * 10] * 7 + ["1" * 9 + "0"]
    spoilt.attrs["metadata"] = json.dumps({"wanted": wanted})
    assert reasons(spoilt).values[7, 9] == "not planned"
    assert (7, 9) not in {(site.row, site.column) for site in excluded(spoilt)}


def test_outer_axes_are_named_by_their_step(spoilt):
    series = xr.concat([spoilt, spoilt], xr.DataArray([0.5, 1.0], dims="stage"), join="exact")
    series["bias"] = spoilt["bias"]
    found = excluded(series.transpose("stage", "y", "x", ...))
    assert len(found) == 10
    assert {site.step for site in found} == {(0,), (1,)}


def test_a_map_of_doubtful_fits_is_made_of_these(spoilt):
    spoilt["fit_ok"].values[:] = False
    spoilt["fit_flags"].values[1:] = "model_inadequate"
    assert (reasons(spoilt).values[1:7] == "").all()


def test_other_data_are_refused(spoilt):
    with pytest.raises(BadInputError, match="fit_ok"):
        reasons(spoilt.drop_vars("fit_ok"))
    with pytest.raises(BadInputError, match="broadening"):
        fitted_maps(spoilt, ["gap", "broadening"])
