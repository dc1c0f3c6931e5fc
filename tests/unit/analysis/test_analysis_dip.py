"""The width of dips that are known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from stm_daq.analysis.spectra.dip import dip_of
from stm_daq.errors import BadInputError, CannotTellError

BIAS = np.linspace(20e-3, -20e-3, 401)


def spectrum(noise=0.0, centre=1e-3, half_width=6e-3, seed=0):
    """A dip with soft edges and a peak at its bottom, on a sloped level."""
    outside = 2e-8 * (1 + 5 * BIAS)
    soft = 1 / (1 + np.exp((np.abs(BIAS - centre) - half_width) / 4e-4))
    peak = 0.15 * np.exp(-(((BIAS - centre) / 1e-3) ** 2))
    noisy = 1 + noise * np.random.default_rng(seed).standard_normal(BIAS.shape)
    return xr.DataArray(
        outside * (1 - 0.6 * soft + peak) * noisy, dims="bias", coords={"bias": BIAS}
    )


def test_width_centre_and_depth_are_found() -> None:
    found = dip_of(spectrum())
    assert found.width == pytest.approx(12e-3, rel=0.01)
    assert found.centre == pytest.approx(1e-3, abs=3e-5)
    assert found.depth == pytest.approx(0.6, abs=0.01)


def test_stated_error_is_that_of_repeats() -> None:
    found = [dip_of(spectrum(0.02, seed=seed)) for seed in range(60)]
    scatter = np.std([dip.left for dip in found])
    assert 0.5 < np.mean([dip.std for dip in found]) / scatter < 2.0


def test_what_is_no_dip_is_refused() -> None:
    flat = spectrum().copy(data=np.full(401, 1e-8))
    with pytest.raises(CannotTellError, match="no dip"):
        dip_of(flat)
    rng = np.random.default_rng(1)
    with pytest.raises(CannotTellError):
        dip_of(flat * (1 + 0.1 * rng.standard_normal(401)))
    with pytest.raises(CannotTellError, match="0 points"):
        dip_of(flat * np.nan)
    with pytest.raises(CannotTellError, match="3 points"):
        dip_of(flat[:3])
    with pytest.raises(CannotTellError, match="end"):
        dip_of(spectrum(centre=-18e-3))
    with pytest.raises(CannotTellError, match="positive"):
        dip_of(spectrum() - 1e-7)
    with pytest.raises(BadInputError, match="axes"):
        dip_of(spectrum().expand_dims(y=2))
