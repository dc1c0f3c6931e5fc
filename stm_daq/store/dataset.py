"""A run as an :class:`xarray.Dataset`, straight from its journal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stm_daq.records import Array, RunStarted
from stm_daq.store.maps import (
    FitMaps,
    SpectrumMaps,
    fit_maps,
    spectrum_maps,
    topograph,
    truth_maps,
)
from stm_daq.store.reading import ended_of, journal_path, reader, started_of
from stm_daq.store.refit_maps import refit_maps
from stm_daq.store.refits import find_refit

if TYPE_CHECKING:
    import xarray as xr

type Variable = tuple[tuple[str, ...], NDArray[Any], dict[str, str]]

_MEANING = {
    "current": ("A", "tunnelling current"),
    "conductance": ("S", "differential conductance dI/dV"),
    "time": ("seconds since 1970-01-01", "start of the sweep"),
    "z": ("m", "tip height when the feedback was held"),
    "setpoint_current": ("A", "current under feedback just before the hold"),
    "stage_temperature": ("K", "temperature of the stage"),
    "topography": ("m", "tip height"),
    "reduced_chi_square": ("", "reduced chi-square of the fit"),
}
"""Variable: unit and meaning."""
_FITTED = {
    "gap": ("eV", "superconducting gap"),
    "temperature": ("K", "electron temperature"),
    "barrier": ("", "barrier strength Z"),
    "scale": ("S", "normal-state conductance"),
    "broadening": ("eV", "broadening"),
    "offset": ("V", "offset of the bias"),
    "slope": ("1/V", "slope of the background"),
}
"""Fit value: unit and meaning. The first four are always there."""
_ALWAYS = ("gap", "temperature", "barrier", "scale")


def open_run(path: Path | str, fit: str = "online") -> xr.Dataset:
    """Open a run: finished, interrupted, or still going on.

    Parameters
    ----------
    path : Path or str
        The run folder or its ``journal.db``.
    fit : str
        The fits to show: those made during the run ("online"), the newest refit ("latest"), or one
        by name; see :func:`stm_daq.open_fits`.

    Returns
    -------
    xarray.Dataset
        Dimensions ``y``, ``x``, ``bias``, ``topograph_y``, ``topograph_x``; the variables are
        listed in ``docs/architecture.md``. Row 0 is the bottom of the frame, column 0 its left
        edge. What was not measured or not fitted is NaN. Of a site measured repeatedly the latest
        attempt counts. A spectrum damaged on the disk is NaN and flagged "damaged".

    Raises
    ------
    JournalError
        If there is no readable journal, or no such refit.
    """
    import xarray as xr

    with reader(path) as connection:
        started = started_of(connection)
        ended = ended_of(connection)
        spectra = spectrum_maps(connection, started)
        fits = None if fit != "online" else fit_maps(connection, started, spectra.places)
        truths = truth_maps(connection, started, spectra.places)
        z = topograph(connection, started)
    variables = {"topography": _named("topography", z, ("topograph_y", "topograph_x"))}
    refit = None
    if fits is None:
        refit = find_refit(path, fit)
        fits = refit_maps(refit, spectra)
    variables |= _measured(spectra) | _fitted(fits, started.grid_shape) | _true(truths)
    attributes = _attributes(started) | {
        "state": ended.state if ended else "not ended",
        "ended": _date(ended.time) if ended else "",
        "ended_text": ended.text if ended else "",
        "journal": str(journal_path(path)),
        "fit": refit.name if refit else "online",
    }
    return xr.Dataset(variables, coords=_coordinates(started), attrs=attributes)


def _named(name: str, values: NDArray[Any], dimensions: tuple[str, ...] = ("y", "x")) -> Variable:
    unit, meaning = _MEANING[name]
    return (dimensions, values, {"units": unit, "long_name": meaning})


def _text(values: NDArray[np.str_], meaning: str) -> Variable:
    return (("y", "x"), values, {"long_name": meaning})


def _measured(maps: SpectrumMaps) -> dict[str, Variable]:
    trace = ("y", "x", "bias")
    return {
        "current": _named("current", maps.current, trace),
        "conductance": _named("conductance", maps.conductance, trace),
        "flags": _text(maps.flags, "what makes a spectrum suspect"),
        **{name: _named(name, values) for name, values in maps.scalars.items()},
    }


def _fitted(maps: FitMaps, shape: tuple[int, int]) -> dict[str, Variable]:
    ok = {"units": "", "long_name": "whether the fit can be trusted"}
    variables: dict[str, Variable] = {
        "reduced_chi_square": _named("reduced_chi_square", maps.reduced_chi_square),
        "fit_ok": (("y", "x"), maps.ok, ok),
        "fit_flags": _text(maps.flags, "why a fit cannot be trusted"),
    }
    nothing = np.full(shape, np.nan)
    for name in dict.fromkeys((*_ALWAYS, *maps.values)):
        unit, meaning = _FITTED.get(name, ("", name.replace("_", " ")))
        # a nuisance value never hides something measured
        key = f"fit_{name}" if name in _MEANING or name in variables else name
        for suffix, source, what in (
            ("", maps.values, meaning),
            ("_std", maps.std, f"standard deviation: {meaning}"),
        ):
            values = source.get(name, nothing).copy()
            variables[key + suffix] = (("y", "x"), values, {"units": unit, "long_name": what})
    return variables


def _true(maps: dict[str, Array]) -> dict[str, Variable]:
    names = _FITTED | {"x": ("m", "x of the tip"), "y": ("m", "y of the tip")}
    variables: dict[str, Variable] = {}
    for name, values in maps.items():
        unit, meaning = names.get(name, ("", name.replace("_", " ")))
        attributes = {"units": unit, "long_name": f"true {meaning} in the twin"}
        variables[f"true_{name}"] = (("y", "x"), values, attributes)
    return variables


def _coordinates(started: RunStarted) -> dict[str, Variable]:
    frame = started.frame
    rows, columns = started.topograph_shape

    def axis(name: str, values: Array, meaning: str, unit: str = "m") -> Variable:
        return ((name,), values, {"units": unit, "long_name": meaning})

    def pixels(count: int, extent: float) -> Array:
        return (np.arange(count, dtype=np.float64) + 0.5) * (extent / max(count, 1))

    left, bottom = "distance from the left edge", "distance from the bottom edge"
    return {
        "x": axis("x", started.grid_x, left),
        "y": axis("y", started.grid_y, bottom),
        "bias": axis("bias", started.bias, "bias", "V"),
        "topograph_x": axis("topograph_x", pixels(columns, frame.width), left),
        "topograph_y": axis("topograph_y", pixels(rows, frame.height), bottom),
    }


def _date(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat()


def _attributes(started: RunStarted) -> dict[str, Any]:
    frame = started.frame
    return {
        "run_id": started.run_id,
        "kind": started.kind,
        "name": started.name,
        "sample": started.sample,
        "started": _date(started.time),
        "frame": [frame.centre_x, frame.centre_y, frame.width, frame.height, frame.angle],
        "modulation": started.modulation,
        "plan_text": started.plan_text,
        "station_text": started.station_text,
        "versions": json.dumps(started.metadata.get("versions", {})),
        "metadata": json.dumps(dict(started.metadata)),
    }
