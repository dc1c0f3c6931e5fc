"""The shape of a run: outer axes, the map at each of their steps, and what is swept."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.quantities import show
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

_SWEPT = {
    "bias": ("Bias (mV)", 1e3),
    "z_swept": ("Tip height above the set-point (nm)", 1e9),
    "microwave_power": ("Microwave power (dBm)", 1.0),
    "power_sweep": ("Point of the sweep", 1.0),
}


@dataclass(frozen=True, slots=True)
class Swept:
    """What was swept in every spectrum."""

    name: str
    """Dimension of the dataset."""
    label: str
    """Of an axis, in the unit of people."""
    values: Array
    """In that unit, shape (n,)."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a spectrum shows against what was swept."""

    name: str
    """Variable of the dataset."""
    label: str
    """Of an axis, in the unit of people."""
    factor: float
    """From the dataset's unit to that of people."""


def trace_of(dataset: xr.Dataset) -> Trace:
    """Return what to show of every spectrum: the current against z, else dI/dV."""
    if "z_swept" in dataset.dims:
        return Trace("current", "Current (pA)", 1e12)
    return Trace("conductance", "dI/dV (nS)", 1e9)


@dataclass(frozen=True, slots=True)
class OuterStep:
    """The map at one step of the outer axes."""

    place: tuple[int, ...]
    """Along every outer axis; empty without any."""
    label: str
    """Such as "set current 100 pA"; empty without outer axes."""
    dataset: xr.Dataset
    """Without the outer axes."""


def swept_of(dataset: xr.Dataset) -> Swept:
    """Return what a run sweeps."""
    name = str(dataset["conductance"].dims[-1])
    label, factor = _SWEPT[name]
    return Swept(name, label, dataset[name].values * factor)


def outer_axes(dataset: xr.Dataset) -> tuple[str, ...]:
    """Return the names of the outer axes, the slowest first."""
    return tuple(str(name) for name in dataset["time"].dims[:-2])


def outer_steps(dataset: xr.Dataset) -> list[OuterStep]:
    """Return the maps of a run, one for each step of its outer axes."""
    names = outer_axes(dataset)
    sizes = (range(dataset.sizes[name]) for name in names)
    return [
        OuterStep(
            place,
            ", ".join(axis_value(dataset, n, k) for n, k in zip(names, place, strict=True)),
            dataset.isel(dict(zip(names, place, strict=True))),
        )
        for place in itertools.product(*sizes)
    ]


def axis_title(dataset: xr.Dataset, name: str) -> str:
    """Return the name of an outer axis for people: ``"set current"``."""
    return str(dataset[name].attrs.get("long_name", name)).replace("_", " ")


def axis_value(dataset: xr.Dataset, name: str, number: int) -> str:
    """Return one value of an outer axis with its name: ``"set current 100 pA"``."""
    value = float(dataset[name].values[number])
    return f"{axis_title(dataset, name)} {show(value, dataset[name].attrs.get('units', ''))}"


def is_single(dataset: xr.Dataset) -> bool:
    """Whether the map is one site only."""
    return dataset.sizes["x"] * dataset.sizes["y"] == 1


def is_line(dataset: xr.Dataset) -> bool:
    """Whether the map is a row or a column of several sites."""
    return not is_single(dataset) and min(dataset.sizes["x"], dataset.sizes["y"]) == 1


def has_power_cycles(dataset: xr.Dataset) -> bool:
    """Whether every sweep is made of cycles of the microwave power."""
    return "power_sweep" in dataset.dims


def has_return(dataset: xr.Dataset) -> bool:
    """Whether every sweep goes there and back."""
    return "direction" in dataset.dims


def in_order(trace: Array) -> Array:
    """Return a trace there and back, shape (2, n), in the order of measurement, shape (2 n,)."""
    return np.concatenate([trace[0], trace[1][::-1]])
