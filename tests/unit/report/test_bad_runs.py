"""What a report must not say of runs that cannot tell: wrong axes, copies, wrong recipes."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from stm_daq.analysis.altshuler_aronov.gap_exponent_maps import gap_exponent_maps
from stm_daq.analysis.maps.fields import grid_of
from stm_daq.analysis.microwave.power_maps import current_step
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.report.methods import _sweep
from stm_daq.report.recipes import contact
from stm_daq.report.runs.examples import _scattered


def test_a_map_whose_axes_are_in_nanometres_is_refused() -> None:
    """A correlation length of 1e10 nm is no answer."""
    positions = np.arange(20.0) * 10  # nm
    data = xr.DataArray(np.eye(20), dims=("y", "x"), coords={"y": positions, "x": positions})
    with pytest.raises(BadInputError, match="not in nm"):
        grid_of(data)


def test_copies_of_one_spectrum_are_no_map() -> None:
    current = np.broadcast_to(np.linspace(-1e-10, 1e-10, 41), (6, 5, 41))
    bias = np.linspace(-0.03, 0.03, 41)
    run = xr.Dataset({"current": (("y", "x", "bias"), current)}, {"bias": bias})
    with pytest.raises(CannotTellError, match="exactly alike"):
        gap_exponent_maps(run)


def test_the_contact_recipe_says_what_it_needs() -> None:
    run = xr.Dataset({"conductance": (("y", "x", "bias"), np.ones((1, 4, 9)))})
    with pytest.raises(CannotTellError, match="set-point's current"):
        contact.chapters(run)
    assert contact.findings(run) == []


def test_critical_currents_come_in_steps_of_their_ramp() -> None:
    values = np.array([100.5, 100.5 + 1e-14, 90.5, 89.5, np.nan]) * 1e-6
    run = xr.Dataset({"critical_current": ("site", values)})
    assert current_step(run) == pytest.approx(1e-6)
    assert np.isnan(current_step(run.isel(site=slice(0, 2))))


@pytest.mark.parametrize("count", [1, 6, 7, 96 * 80])
def test_examples_are_spread_over_columns_too(count: int) -> None:
    found = _scattered(count)
    assert len(found) == min(count, 6)
    assert 0 <= min(found) <= max(found) < count
    if count > 1000:
        assert len({number % 96 for number in found}) == 6


def test_methods_tell_a_sweep_in_parts() -> None:
    parts = [{"end": "1 mV", "points": 40}, {"end": "-4 mV", "points": 280}]
    plan = {"sweep": {"bias": {"start": "4 mV", "segments": parts, "dwell": "9 ms"}}}
    text = (
        "The bias was swept from 4 mV in parts: 40 points to 1 mV, 280 points to -4 mV, 9 ms each."
    )
    assert _sweep(plan) == text
