"""Maps of known content for the analyses of images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from stm_daq.records import Array

type MakeImage = Callable[..., xr.DataArray]


def make_image(z: Array, step: float = 1e-10, name: str = "topography") -> xr.DataArray:
    """Return a topograph of square pixels."""
    axes = {
        f"topograph_{axis}": (f"topograph_{axis}", (np.arange(n) + 0.5) * step, {"units": "m"})
        for axis, n in zip("yx", np.shape(z), strict=True)
    }
    dims = ("topograph_y", "topograph_x")
    return xr.DataArray(z, dims=dims, coords=axes, name=name, attrs={"units": "m"})


@pytest.fixture
def image() -> MakeImage:
    """The maker of topographs."""
    return make_image


def _bad(kind: str) -> xr.DataArray:
    rng = np.random.default_rng(5)
    z = 1e-10 * rng.standard_normal((32, 32))
    if kind == "half missing":
        z[rng.random(z.shape) < 0.55] = np.nan
    if kind == "constant":
        z[:] = 3e-9
    if kind == "all NaN":
        z[:] = np.nan
    if kind == "three pixels":
        z = np.where(np.arange(z.size).reshape(z.shape) < 3, z, np.nan)
    data = make_image(z)
    if kind == "one line":
        data = data.isel(topograph_y=slice(0, 1))
    return data


@pytest.fixture(params=["half missing", "constant", "all NaN", "three pixels", "one line"])
def hopeless(request: pytest.FixtureRequest) -> xr.DataArray:
    """A map that cannot answer anything."""
    return _bad(request.param)


def _wrong(kind: str) -> xr.DataArray:
    data = make_image(1e-10 * np.random.default_rng(5).standard_normal((32, 32)))
    x = data["topograph_x"].values
    if kind == "in nm":
        return data.assign_coords(topograph_x=x * 1e9)
    if kind == "unit nm":
        return data.assign_coords(topograph_x=("topograph_x", x, {"units": "nm"}))
    if kind == "uneven":
        return data.assign_coords(topograph_x=x**2 / x[-1])
    if kind == "falling":
        return data.assign_coords(topograph_x=x[::-1])
    if kind == "no positions":
        return data.drop_vars("topograph_x")
    if kind == "other axes":
        return data.rename(topograph_x="bias")
    return data.expand_dims(direction=2)


KINDS = ["in nm", "unit nm", "uneven", "falling", "no positions", "other axes", "three axes"]


@pytest.fixture(params=KINDS)
def wrong(request: pytest.FixtureRequest) -> xr.DataArray:
    """A map with wrong axes."""
    return _wrong(request.param)
