"""What a viewer knows as an :class:`xarray.Dataset`, named as in the dataset of the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.monitor.maps import SCALARS
from stm_daq.monitor.view import RunView
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

_ALWAYS = ("reduced_chi_square", "fit_ok")


def dataset(view: RunView) -> xr.Dataset:
    """Return maps and topograph of all steps; see :meth:`stm_daq.monitor.client.Connection.snapshot`.

    A run that has not begun is an empty dataset.
    """
    import xarray as xr

    started = view.started
    if started is None:
        return xr.Dataset(attrs={"state": view.state})
    outer = tuple(axis.name for axis in started.axes)
    rows, columns = started.topograph_shape
    frame = started.frame
    coordinates: dict[str, Any] = {axis.name: np.array(axis.values) for axis in started.axes}
    coordinates |= {
        "y": started.grid_y,
        "x": started.grid_x,
        "topograph_y": _pixels(rows, frame.height),
        "topograph_x": _pixels(columns, frame.width),
    }
    z = view.topographs.reshape(*started.outer_shape, rows, columns)
    variables: dict[str, Any] = {
        "topography": ((*outer, "topograph_y", "topograph_x"), z.copy(), {"units": "m"})
    }
    for name in dict.fromkeys((*SCALARS, *_ALWAYS, *view.maps.names)):
        values = view.maps[name].reshape(started.shape).copy()
        # a value of a fit never hides something measured or an axis
        key = f"fit_{name}" if name in coordinates else name
        variables[key] = ((*outer, "y", "x"), _flag(values) if name == "fit_ok" else values)
    attributes = {
        "run_id": started.run_id,
        "kind": started.kind,
        "name": started.name,
        "sample": started.sample,
        "state": view.state,
    }
    return xr.Dataset(variables, coords=coordinates, attrs=attributes)


def _flag(values: Array) -> Any:
    return values == 1.0


def _pixels(count: int, extent: float) -> Array:
    return (np.arange(count, dtype=np.float64) + 0.5) * (extent / max(count, 1))
