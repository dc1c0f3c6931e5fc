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
        Dimensions ``y``, ``x``, ``bias``, ``topograph_y``, ``topograph_x``, before them the outer
        axes of the plan; another swept quantity takes the place of ``bias``, and a sweep there and
        back adds ``direction``. The variables are listed in
        ``docs/architecture.md``. Row 0 is the bottom of the frame, column 0 its left
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
    frame = Dimensions(started)
    variables = {"topography": frame.named("topography", z, ("topograph_y", "topograph_x"))}
    refit = None
    if fits is None:
        refit = find_refit(path, fit)
        fits = refit_maps(refit, spectra)
    variables |= _further(spectra, frame, started)
    variables |= _measured(spectra, frame) | _fitted(fits, frame) | _true(truths, frame)
    attributes = _attributes(started) | {
        "state": ended.state if ended else "not ended",
        "ended": _date(ended.time) if ended else "",
        "ended_text": ended.text if ended else "",
        "journal": str(journal_path(path)),
        "fit": refit.name if refit else "online",
    }
    return xr.Dataset(variables, coords=frame.coordinates(), attrs=attributes)


class Dimensions:
    """The axes of a run's dataset: outer axes, rows and columns of sites, direction and points."""

    def __init__(self, started: RunStarted) -> None:
        self._started = started
        self._outer = tuple(axis.name for axis in started.axes)
        self.shape = started.shape
        # the map of tip heights is called z
        self.swept = "z_swept" if started.swept_name == "z" else started.swept_name

    def named(
        self, name: str, values: NDArray[Any], inner: tuple[str, ...] = ("y", "x")
    ) -> Variable:
        """One of the known variables, over the outer axes and `inner` ones."""
        unit, meaning = _MEANING[name]
        return self.variable(values, meaning, unit, inner)

    def variable(
        self,
        values: NDArray[Any],
        meaning: str,
        unit: str | None = None,
        inner: tuple[str, ...] = ("y", "x"),
    ) -> Variable:
        """Any variable over the outer axes and `inner` ones."""
        attributes = {} if unit is None else {"units": unit}
        return ((*self._outer, *inner), values, attributes | {"long_name": meaning})

    def trace(self, name: str, values: Array) -> Variable:
        """Something measured at every point; the way back is given in the order of the way there."""
        swept = self.swept
        if self._started.directions == 1:
            return self.named(name, values, ("y", "x", swept))
        there, back = np.split(values, 2, axis=-1)
        both = np.stack([there, back[..., ::-1]], axis=-2)
        return self.named(name, both, ("y", "x", "direction", swept))

    def coordinates(self) -> dict[str, Variable]:
        """Values along every axis."""
        started, frame = self._started, self._started.frame
        rows, columns = started.topograph_shape
        left, bottom = "distance from the left edge", "distance from the bottom edge"
        along = left if started.sites == "grid" else "distance along the sites"
        swept = started.swept if len(started.swept) else started.bias
        swept = swept[: len(swept) // started.directions]
        found = {a.name: _axis(a.name, np.array(a.values), a.name, a.unit) for a in started.axes}
        found |= {
            "x": _axis("x", started.grid_x, along),
            "y": _axis("y", started.grid_y, bottom),
            "topograph_x": _axis("topograph_x", _pixels(columns, frame.width), left),
            "topograph_y": _axis("topograph_y", _pixels(rows, frame.height), bottom),
            self.swept: _axis(self.swept, swept, started.swept_name, started.swept_unit),
        }
        if started.directions == 2:
            found["direction"] = (("direction",), np.array(["there", "back"]), {})
        return found


def _axis(name: str, values: Array, meaning: str, unit: str = "m") -> Variable:
    return ((name,), values, {"units": unit, "long_name": meaning.replace("_", " ")})


def _pixels(count: int, extent: float) -> Array:
    return (np.arange(count, dtype=np.float64) + 0.5) * (extent / max(count, 1))


def _measured(maps: SpectrumMaps, frame: Dimensions) -> dict[str, Variable]:
    return {
        "current": frame.trace("current", maps.current),
        "conductance": frame.trace("conductance", maps.conductance),
        "flags": frame.variable(maps.flags, "what makes a spectrum suspect"),
        **{name: frame.named(name, values) for name, values in maps.scalars.items()},
    }


def _further(maps: SpectrumMaps, frame: Dimensions, started: RunStarted) -> dict[str, Variable]:
    """Whatever else was recorded at every point, and what every point of the sweep is."""
    inner = ("y", "x", frame.swept)
    variables = {
        name: frame.variable(values, what, unit, inner)
        for (name, unit, what), values in zip(started.traces, maps.extra, strict=True)
    }
    for name, values in started.metadata.get("layout", {}).items():
        meaning = {"long_name": f"{name} of a point of the sweep"}
        variables[f"point_{name}"] = ((frame.swept,), np.array(values), meaning)
    return variables


def _fitted(maps: FitMaps, frame: Dimensions) -> dict[str, Variable]:
    variables: dict[str, Variable] = {
        "reduced_chi_square": frame.named("reduced_chi_square", maps.reduced_chi_square),
        "fit_ok": frame.variable(maps.ok, "whether the fit can be trusted", ""),
        "fit_flags": frame.variable(maps.flags, "why a fit cannot be trusted"),
    }
    nothing = np.full(frame.shape, np.nan)
    taken = {*frame.coordinates(), *_MEANING}
    for name in dict.fromkeys((*_ALWAYS, *maps.values)):
        unit, meaning = _FITTED.get(name, ("", name.replace("_", " ")))
        # a nuisance value never hides something measured or an axis
        key = f"fit_{name}" if name in taken or name in variables else name
        for suffix, source, what in (
            ("", maps.values, meaning),
            ("_std", maps.std, f"standard deviation: {meaning}"),
        ):
            values = source.get(name, nothing).copy()
            variables[key + suffix] = frame.variable(values, what, unit)
    return variables


def _true(maps: dict[str, Array], frame: Dimensions) -> dict[str, Variable]:
    names = _FITTED | {"x": ("m", "x of the tip"), "y": ("m", "y of the tip")}
    variables: dict[str, Variable] = {}
    for name, values in maps.items():
        unit, meaning = names.get(name, ("", name.replace("_", " ")))
        variables[f"true_{name}"] = frame.variable(values, f"true {meaning} in the twin", unit)
    return variables


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
