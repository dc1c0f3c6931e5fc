"""Fits of a stack as an `xarray.Dataset`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.data import Data, axes_of
from stm_daq.fitting.models import Choice, unit
from stm_daq.fitting.outcome import Outcome

if TYPE_CHECKING:
    import xarray

_MEASURES = {
    "chi_square": "chi-square",
    "dof": "degrees of freedom",
    "reduced": "chi-square per degree of freedom",
    "misfit": "power of the residuals over that of independent noise",
    "aic": "Akaike's information criterion",
    "bic": "Bayesian information criterion",
    "ok": "whether every value may be used within its standard deviation",
}
_CALLED = {"reduced": "reduced_chi_square"}


def as_dataset(outcome: Outcome, data: Data, settings: Mapping[str, Any]) -> xarray.Dataset:
    """Fits with the axes of their stack."""
    # variables and indices made here keep xarray from importing every array library that is installed
    import pandas
    import xarray

    choice = outcome.choice
    found: dict[str, xarray.Variable] = {}

    def put(name: str, values: Any, what: str, units: str = "") -> None:
        shaped = np.asarray(values).reshape(data.leading)
        attributes = {"long_name": what} | ({"units": units} if units else {})
        found[name] = xarray.Variable(data.dims, shaped, attributes, fastpath=True)

    for name in choice.reported:
        units = unit(choice.model, name)
        put(name, outcome.values[name], name.replace("_", " "), units)
        put(f"{name}_std", outcome.std[name], f"standard deviation of {name}", units)
        if name in outcome.limits:
            what = f"95 % limit of {name} where it is not determined"
            put(f"{name}_limit", outcome.limits[name], what, units)
    for name, what in _MEASURES.items():
        put(_CALLED.get(name, name), getattr(outcome, name), what)
    if outcome.calibration is not None:
        put("calibration", outcome.calibration, "current over the integral of the conductance")
    put("flags", texts(",".join(f) for f in outcome.flags), "verdicts")
    square = (*data.leading, len(choice.free), len(choice.free))
    pairs = (*data.dims, "parameter", "parameter_")
    found["correlation"] = xarray.Variable(
        pairs, outcome.correlation.reshape(square), fastpath=True
    )
    names = pandas.Index(choice.free)
    coords = dict(data.coords) | {"parameter": names, "parameter_": names}
    return xarray.Dataset(found, coords, _attributes(choice, dict(settings) | outcome.notes))


def texts(words: Any) -> NDArray[np.object_]:
    """Words as a vector, also if there are none."""
    listed = list(words)
    out = np.empty(len(listed), dtype=object)
    out[:] = listed
    return out


def _attributes(choice: Choice, settings: Mapping[str, Any]) -> dict[str, Any]:
    fixed = {
        f"fixed_{name}": float(value) if value.ndim == 0 else "one for every spectrum"
        for name, value in choice.fixed.items()
        if name in choice.reported
    }
    return {"model": choice.model.name, "free": list(choice.free)} | fixed | dict(settings)


def joined(
    tiles: list[xarray.Dataset], conductance: Any, leading: tuple[int, ...]
) -> xarray.Dataset:
    """Tiles one after the other, with the axes and coordinates of the stack."""
    import xarray

    dims, coords = axes_of(conductance, leading)
    # a limit is only there if some spectrum of the tile was fitted
    most = max(tiles, key=lambda t: len(t.data_vars))
    labels = {name: most[name] for name in most.dims if name in most.coords}
    data = xarray.Dataset(coords={**coords, **labels})
    for name, pattern in most.data_vars.items():
        missing = np.full(pattern.shape[1:], np.nan)
        parts = [
            t[name].values if name in t else np.broadcast_to(missing, (t.sizes["spectrum"],))
            for t in tiles
        ]
        whole = np.concatenate(parts).reshape(*leading, *pattern.shape[1:])
        data[name] = xarray.Variable((*dims, *pattern.dims[1:]), whole, pattern.attrs)
    return data.assign_attrs(most.attrs)
