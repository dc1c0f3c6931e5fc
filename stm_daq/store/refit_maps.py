"""Refits as maps over the sites of their run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stm_daq.errors import JournalError
from stm_daq.records import Array
from stm_daq.store.columns import Columns
from stm_daq.store.maps import FitMaps, MapShape, SpectrumMaps
from stm_daq.store.reading import reader, started_of
from stm_daq.store.refits import RefitInfo, find_refit, tiles_of

if TYPE_CHECKING:
    import xarray as xr

PLACE = ("site", "attempt", "row", "col", "step")
"""Columns that say which spectrum a fit belongs to; the others are called model:variable."""

VERDICT = ("preferred", "verdict", "evidence")
"""Columns that are about all models."""

_EMPTY: dict[str, Any] = {"f": np.nan, "i": -1, "b": False, "O": ""}


def refit_columns(info: RefitInfo, model: str) -> Columns:
    """The places and one model's variables of all fitted spectra, first axis spectrum."""
    if model not in info.models:
        raise JournalError(
            f"refit {info.name} has no model '{model}': use one of {', '.join(info.models)}"
        )
    kept: list[Columns] = []
    for tile in tiles_of(info):
        own = {name.removeprefix(f"{model}:"): v for name, v in tile.items() if _of(name, model)}
        kept.append(own)
    names = dict.fromkeys(name for tile in kept for name in tile)
    return {name: _joined(kept, name) for name in names}


def _of(name: str, model: str) -> bool:
    return name in PLACE + VERDICT or name.startswith(f"{model}:")


def _joined(tiles: list[Columns], name: str) -> NDArray[Any]:
    """One variable of all tiles; NaN in tiles where no spectrum had it."""
    pattern = next(tile[name] for tile in tiles if name in tile)
    shape, empty = pattern.shape[1:], _EMPTY[pattern.dtype.kind]
    parts = [
        tile[name] if name in tile else np.full((len(tile["site"]), *shape), empty)
        for tile in tiles
    ]
    return np.concatenate(parts)


def on_grid(columns: Columns, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """One variable as a map (..., rows, columns, ...); empty where nothing was fitted."""
    values = columns[name]
    if values.dtype.kind not in _EMPTY:
        values = values.astype(object)
    out = np.full((*shape, *values.shape[1:]), _EMPTY[values.dtype.kind], dtype=values.dtype)
    out[_at(columns, shape)] = values
    return out


def _at(columns: Columns, shape: tuple[int, ...]) -> tuple[NDArray[np.intp], ...]:
    """Places of the spectra in a map; refits of runs without outer axes may not state the step."""
    step = columns.get("step", np.zeros_like(columns["row"]))
    outer = np.unravel_index(step, shape[:-2]) if shape[:-2] else ()
    return (*outer, columns["row"], columns["col"])


def refit_maps(info: RefitInfo, spectra: SpectrumMaps, maps: MapShape) -> FitMaps:
    """The first model's fits in the form of those made during the run.

    A spectrum that was flagged when it was measured is not to be trusted, as during the run. A site
    measured again after the refit has no fit in it.
    """
    shape = maps.full
    columns = refit_columns(info, info.models[0])
    latest = np.array(
        [(s, a) in spectra.places for s, a in zip(columns["site"], columns["attempt"], strict=True)]
    )
    columns = {name: values[latest] for name, values in columns.items()} if len(latest) else columns
    at = _at(columns, maps.started.shape)
    if maps.attempts is not None:
        at = (*at, columns["attempt"])
    flags = np.full(shape, "", dtype=object)
    flags[at] = [
        ",".join(filter(None, pair))
        for pair in zip(spectra.flags[at], columns["flags"], strict=True)
    ]
    ok = np.zeros(shape, dtype=np.bool_)
    ok[at] = columns["ok"] & (spectra.flags[at] == "")
    names = [n.removesuffix("_std") for n in columns if n.endswith("_std")]

    def placed(name: str) -> Array:
        values = np.full(shape, np.nan)
        values[at] = columns[name]
        return values

    return FitMaps(
        ok,
        flags.astype(str),
        placed("reduced_chi_square"),
        {name: placed(name) for name in names},
        {name: placed(f"{name}_std") for name in names},
    )


def open_fit(path: Path | str, name: str = "latest", model: str | None = None) -> xr.Dataset:
    """Open a refit of a run.

    Parameters
    ----------
    path : Path or str
        The run folder or its journal.
    name : str
        As :func:`stm_daq.open_fits` lists it; "latest" is the newest.
    model : str, optional
        One of its models; by default the first.

    Returns
    -------
    xarray.Dataset
        Variables of :func:`stm_daq.fitting.fit` over (outer axes, y, x), and `preferred`, `verdict`
        and `evidence` of :func:`stm_daq.fitting.compare` where models were compared.
        Attributes: what the refit was made of, by which code, from which input.

    Raises
    ------
    JournalError
        If there is no such refit or model.
    """
    import xarray as xr

    info = find_refit(path, name)
    with reader(path) as connection:
        started = started_of(connection)
    chosen = info.models[0] if model is None else model
    columns = refit_columns(info, chosen)
    settings = info.about["settings"][info.models.index(chosen)]
    outer = {axis.name: (axis.name, list(axis.values)) for axis in started.axes}
    data = xr.Dataset(coords=outer | {"y": ("y", started.grid_y), "x": ("x", started.grid_x)})
    for variable in columns:
        if variable in ("row", "col", "step"):
            continue
        values = on_grid(columns, variable, started.shape)
        more = ("parameter", "parameter_")[: values.ndim - len(started.shape)]
        data[variable] = ((*outer, "y", "x", *more), values)
    free = info.about["free"][info.models.index(chosen)]
    data = data.assign_coords(parameter=free, parameter_=free)
    described = {key: value for key, value in settings.items() if value is not None}
    described["fixed"] = str(settings["fixed"])
    return data.assign_attrs(
        described
        | {"refit": info.name, "run_id": info.about["run_id"], "code": info.about["code"]}
        | {"input": info.input}
    )
