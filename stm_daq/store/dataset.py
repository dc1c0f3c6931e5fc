"""A run as an :class:`xarray.Dataset`, straight from its journal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stm_daq.errors import BadInputError
from stm_daq.records import Array, RunStarted
from stm_daq.store.maps import SCALARS, MapShape
from stm_daq.store.names import ALWAYS, FITTED, MEANING, TRUE, run_attributes
from stm_daq.store.reading import journal_path
from stm_daq.store.snapshot import Attempts, Snapshot, Trace

if TYPE_CHECKING:
    import xarray as xr
    from xarray.backends import BackendArray

type Variable = tuple[tuple[str, ...], Any, dict[str, str]]
type Make = Callable[[], NDArray[Any]]


def open_run(path: Path | str, fit: str = "online", attempts: Attempts = "latest") -> xr.Dataset:
    """Open a run: finished, interrupted, or still going on.

    Nothing but the outline is read at once; values are read when they are needed, and belong to
    the state of the run when it was opened. ``.load()`` reads everything.

    Parameters
    ----------
    path : Path or str
        The run folder or its ``journal.db``.
    fit : str
        The fits to show: those made during the run ("online"), the newest refit ("latest"), or one
        by name; see :func:`stm_daq.open_fits`.
    attempts : "latest" or "all"
        Of a site measured repeatedly the latest attempt counts; "all" adds the dimension
        ``attempt`` after ``x``.

    Returns
    -------
    xarray.Dataset
        Dimensions ``y``, ``x``, ``bias``, ``topograph_y``, ``topograph_x``, before them the outer
        axes of the plan; another swept quantity takes the place of ``bias``, and a sweep there and
        back adds ``direction``. The variables are listed in
        ``docs/architecture.md``. Row 0 is the bottom of the frame, column 0 its left
        edge. What was not measured or not fitted is NaN. A spectrum damaged on the disk is NaN
        and flagged "damaged", with a warning when it is read.

    Raises
    ------
    BadInputError
        If there is no journal, or `attempts` is neither of the two.
    JournalError
        If the journal cannot be read, now or when values are needed, or there is no such refit.
    """
    import xarray as xr

    from stm_daq.store.lazy import RunBackend

    if attempts not in ("latest", "all"):
        raise BadInputError(f"attempts='{attempts}': give 'latest' or 'all'")
    file = journal_path(path)
    return xr.open_dataset(file, engine=RunBackend, fit=fit, attempts=attempts)


def dataset_of(snapshot: Snapshot) -> xr.Dataset:
    """Describe a run; its arrays are read when they are needed."""
    import xarray as xr

    frame = Dimensions(snapshot.started, snapshot.shape.attempts)
    variables = _measured(snapshot, frame) | _fitted(snapshot, frame) | _true(snapshot, frame)
    refit = snapshot.refit
    attributes = run_attributes(snapshot.started, snapshot.ended) | {
        "journal": str(snapshot.path),
        "fit": refit.name if refit else "online",
    }
    return xr.Dataset(variables, coords=frame.coordinates(), attrs=attributes)


class Dimensions:
    """The axes of a run's dataset: outer axes, rows and columns of sites, direction and points."""

    def __init__(self, started: RunStarted, attempts: int | None = None) -> None:
        self._started = started
        self._outer = tuple(axis.name for axis in started.axes)
        self._attempts = attempts
        self._site = ("y", "x") if attempts is None else ("y", "x", "attempt")
        self.shape = MapShape(started, attempts).full
        # the map of tip heights is called z
        self.swept = "z_swept" if started.swept_name == "z" else started.swept_name

    def map(
        self, make: Make, meaning: str, unit: str | None = None, dtype: DTypeLike = float
    ) -> Variable:
        """One value a spectrum."""
        from stm_daq.store.lazy import LazyMap

        return self._variable(LazyMap(self.shape, dtype, make), self._site, meaning, unit)

    def topograph(self, make: Make) -> Variable:
        """The heights of the scan."""
        from stm_daq.store.lazy import LazyMap

        shape = (*self._started.outer_shape, *self._started.topograph_shape)
        unit, meaning = MEANING["topography"]
        heights = LazyMap(shape, float, make)
        return self._variable(heights, ("topograph_y", "topograph_x"), meaning, unit)

    def traces(self, snapshot: Snapshot, name: Trace) -> Variable:
        """Something measured at every point; the way back is given in the order of the way there."""
        from stm_daq.store.lazy import LazyTraces

        way = () if self._started.directions == 1 else ("direction",)
        unit, meaning = MEANING[name]
        inner = (*self._site, *way, self.swept)
        return self._variable(LazyTraces(snapshot, name), inner, meaning, unit)

    def _variable(
        self, array: BackendArray, inner: tuple[str, ...], meaning: str, unit: str | None
    ) -> Variable:
        from xarray.core.indexing import LazilyIndexedArray

        attributes = {} if unit is None else {"units": unit}
        dims = (*self._outer, *inner)
        return (dims, LazilyIndexedArray(array), attributes | {"long_name": meaning})

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
        if self._attempts is not None:
            numbers = np.arange(self._attempts)
            found["attempt"] = (("attempt",), numbers, {"long_name": "number of the attempt"})
        if started.directions == 2:
            found["direction"] = (("direction",), np.array(["there", "back"]), {})
        return found


def _axis(name: str, values: Array, meaning: str, unit: str = "m") -> Variable:
    return ((name,), values, {"units": unit, "long_name": meaning.replace("_", " ")})


def _pixels(count: int, extent: float) -> Array:
    return (np.arange(count, dtype=np.float64) + 0.5) * (extent / max(count, 1))


def _measured(run: Snapshot, frame: Dimensions) -> dict[str, Variable]:
    text = f"<U{max(run.flags_width['flags'], 1)}"
    scalars = {name: frame.map(partial(run.scalar, name), *_named(name)) for name in SCALARS}
    return {
        "topography": frame.topograph(run.heights),
        "current": frame.traces(run, "current"),
        "conductance": frame.traces(run, "conductance"),
        "flags": frame.map(run.flags, "what makes a spectrum suspect", dtype=text),
        **scalars,
    }


def _named(name: str) -> tuple[str, str]:
    unit, meaning = MEANING[name]
    return meaning, unit


def _fitted(run: Snapshot, frame: Dimensions) -> dict[str, Variable]:
    text = f"<U{max(run.flags_width['fit_flags'], 1)}"
    chi_square = _named("reduced_chi_square")
    variables: dict[str, Variable] = {
        "reduced_chi_square": frame.map(run.chi_square, *chi_square),
        "fit_ok": frame.map(run.fit_ok, "whether the fit can be trusted", "", bool),
        "fit_flags": frame.map(run.fit_flags, "why a fit cannot be trusted", dtype=text),
    }
    taken = {*frame.coordinates(), *MEANING}
    for name in dict.fromkeys((*ALWAYS, *run.fit_names)):
        unit, meaning = FITTED.get(name, ("", name.replace("_", " ")))
        # a nuisance value never hides something measured or an axis
        key = f"fit_{name}" if name in taken or name in variables else name
        variables[key] = frame.map(partial(run.fit_value, name), meaning, unit)
        meaning = f"standard deviation: {meaning}"
        variables[f"{key}_std"] = frame.map(partial(run.fit_std, name), meaning, unit)
    return variables


def _true(run: Snapshot, frame: Dimensions) -> dict[str, Variable]:
    variables: dict[str, Variable] = {}
    for name in run.truth_names:
        unit, meaning = TRUE.get(name, ("", name.replace("_", " ")))
        meaning = f"true {meaning} in the twin"
        variables[f"true_{name}"] = frame.map(partial(run.truth, name), meaning, unit)
    return variables
