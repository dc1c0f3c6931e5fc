"""From a run of power sweeps to loops, maps of the switching powers, and the map of the supercurrent."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stm_daq.analysis.hysteresis import Cycle, Loop, analyse
from stm_daq.errors import BadInputError
from stm_daq.records import Array, Event

if TYPE_CHECKING:
    import xarray as xr

COLD, UP, DOWN, BACK = 0, 1, -1, 2
"""Branches in ``point_branch``."""
LATCHED = "latched"


@dataclass(frozen=True, slots=True)
class Place:
    """One site at one frequency."""

    index: tuple[int, ...]
    """In the maps: outer axes, y, x."""
    number: int
    """Of the frequency in the plan's block."""
    frequency: float
    """Hz; NaN if the run does not say."""
    cycles: tuple[Cycle, ...]
    cold_again: bool
    flags: str


def places(dataset: xr.Dataset, signal: str = "conductance") -> Iterator[Place]:
    """Yield every measured site of a run at every frequency.

    Parameters
    ----------
    dataset : xarray.Dataset
        From :func:`stm_daq.open_run`, of a run with ``sweep.power_sweep``, or with
        ``sweep.microwave_power`` there and back.
    signal : str
        Variable that tells the state, also "current" or "resistance".

    Raises
    ------
    BadInputError
        If the run holds no power sweep, or no such signal.
    """
    if signal not in dataset:
        raise BadInputError(f"the run has no '{signal}'; it has {', '.join(map(str, dataset))}")
    if "direction" in dataset.dims and "microwave_power" in dataset.dims:
        yield from _plain_places(dataset, signal)
        return
    if "point_branch" not in dataset:
        raise BadInputError("the run holds no power sweep (sweep.power_sweep) to look for loops in")
    settings = json.loads(dataset.attrs["metadata"])["power_sweep"]
    measured = np.isfinite(dataset["time"].values)
    powers, values = dataset["microwave_power"].values, dataset[signal].values
    flags = dataset["flags"].values
    numbers = range(max(len(settings["frequencies"]), 1))
    for index in itertools.product(*map(range, measured.shape)):
        if not measured[index]:
            continue
        for number in numbers:
            cycles = _cycles(dataset, settings, powers[index], values[index], number)
            text = str(flags[index])
            frequency = _frequency(dataset, settings, index, number)
            yield Place(index, number, frequency, cycles, LATCHED not in text.split(","), text)


def _plain_places(dataset: xr.Dataset, signal: str) -> Iterator[Place]:
    """Yield the sites of a run that sweeps the power once up and once down."""
    powers = dataset["microwave_power"].values
    values = dataset[signal].values
    for index in itertools.product(*map(range, values.shape[:-2])):
        up, down = values[index]
        cycle = Cycle(powers, up, powers[::-1], down[::-1])
        if np.isfinite(up).any():
            frequency = _frequency(dataset, {"frequencies": []}, index, 0)
            yield Place(index, 0, frequency, (cycle,), True, str(dataset["flags"].values[index]))


def _cycles(
    dataset: xr.Dataset, settings: dict[str, float], power: Array, value: Array, number: int
) -> tuple[Cycle, ...]:
    here = dataset["point_frequency"].values == number
    cycle, branch = dataset["point_cycle"].values, dataset["point_branch"].values
    found = []
    count = int(settings["cycles"])
    for k in range(count):
        up, down = (here & (cycle == k) & (branch == b) for b in (UP, DOWN))
        slower = settings["slow"] if k == count - 1 else 1.0
        dwell = settings["dwell"] * slower
        found.append(Cycle(power[up], value[up], power[down], value[down], dwell))
    return tuple(found)


def _frequency(
    dataset: xr.Dataset, settings: dict[str, list[float]], index: tuple[int, ...], number: int
) -> float:
    if settings["frequencies"]:
        return float(settings["frequencies"][number])
    outer = dataset["time"].dims[:-2]
    if "microwave_frequency" not in outer:
        return math.nan
    return float(dataset["microwave_frequency"].values[index[outer.index("microwave_frequency")]])


@dataclass(frozen=True, slots=True)
class SwitchMaps:
    """What the loops of a run say, at one frequency of the plan's block.

    Every array has the shape of the run's maps: outer axes, y, x. NaN where nothing switches.
    """

    number: int
    """Of the frequency in the plan's block."""
    frequency: float
    """Hz; NaN if it is an outer axis."""
    up: Array
    """Power where the cold state ends, dBm."""
    up_std: Array
    down: Array
    """Power where the hot state ends, dBm."""
    down_std: Array
    width: Array
    """dB."""
    area: Array
    """dB."""
    verdict: NDArray[np.str_]
    loops: dict[tuple[int, ...], Loop]
    """By place in the map."""


def switch_maps(dataset: xr.Dataset, signal: str = "conductance") -> list[SwitchMaps]:
    """Judge every site of a run; one result for each frequency of the plan's block."""
    shape = dataset["time"].shape
    loops: dict[int, dict[tuple[int, ...], Loop]] = {}
    frequencies: dict[int, set[float]] = {}
    for place in places(dataset, signal):
        loop = analyse(place.cycles, None if place.cold_again else False)
        loops.setdefault(place.number, {})[place.index] = loop
        frequencies.setdefault(place.number, set()).add(place.frequency)
    return [
        _maps(shape, k, next(iter(frequencies[k])) if len(frequencies[k]) == 1 else math.nan, found)
        for k, found in loops.items()
    ]


def _maps(
    shape: tuple[int, ...], number: int, frequency: float, loops: dict[tuple[int, ...], Loop]
) -> SwitchMaps:
    up, up_std, down, down_std, width, area = np.full((6, *shape), np.nan)
    verdict = np.full(shape, "", dtype=object)
    for index, loop in loops.items():
        verdict[index], area[index] = loop.verdict, loop.area
        if loop.up is not None:
            up[index], up_std[index] = loop.up.power, loop.up.std
        if loop.down is not None:
            down[index], down_std[index] = loop.down.power, loop.down.std
        width[index] = loop.width
    return SwitchMaps(
        number, frequency, up, up_std, down, down_std, width, area, verdict.astype(str), loops
    )


@dataclass(frozen=True, slots=True)
class SupercurrentMap:
    """What a hot spot costs of the critical current, place by place."""

    loss: Array
    """Critical current cold minus hot, A, shape of the run's maps."""
    cold: Array
    """Critical current without a hot spot, A: the mean of before and after."""
    unstable: Array
    """Difference of the cold ones before and after over their mean."""


def supercurrent_map(dataset: xr.Dataset, number: int = 0) -> SupercurrentMap:
    """Return by how much the critical current falls with the hot spot at every site.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a run whose plan has ``power_sweep.transport.critical_current``.
    number : int
        Which frequency of the plan's block.

    Raises
    ------
    BadInputError
        If no critical current was measured.
    """
    if "critical_current" not in dataset or not np.isfinite(dataset["critical_current"]).any():
        raise BadInputError(
            "no critical current was measured: write power_sweep.transport.critical_current"
        )
    branch = dataset["point_branch"].values
    here = dataset["point_frequency"].values == number
    values = dataset["critical_current"].values
    before = _mean(values[..., here & (branch == COLD)])
    after = _mean(values[..., here & (branch == BACK)])
    hot = _mean(values[..., here & np.isin(branch, (UP, DOWN))])
    cold = (before + after) / 2
    return SupercurrentMap(cold - hot, cold, (after - before) / cold)


def current_step(dataset: xr.Dataset) -> float:
    """Return the smallest step between critical currents, A: the resolution of their ramp.

    NaN if all are the same or none was measured.
    """
    different = np.unique(dataset["critical_current"].values)
    steps = np.diff(different[np.isfinite(different)])
    steps = steps[steps > 1e-9 * np.nanmax(np.abs(different), initial=0.0)]
    return float(steps.min()) if len(steps) else math.nan


def _mean(values: Array) -> Array:
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    mean: Array = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean


def reference_drift(
    dataset: xr.Dataset, events: Sequence[Event], signal: str = "conductance", number: int = 0
) -> Array:
    """Return by how much the drive had drifted when each site was measured, dB.

    The reference place is measured again and again. What its switching powers have risen since the
    first time is what all powers have risen: to be taken off before places are compared. Between two
    measurements the drift is taken for steady.

    Parameters
    ----------
    dataset : xarray.Dataset
    events : sequence of Event
        Of the run, from :func:`stm_daq.store.reading.events`.
    signal, number
        As in :func:`places`; which frequency of the plan's block.

    Returns
    -------
    array
        Shape of the run's maps; zero if the reference was measured once or never switched.
    """
    metadata = json.loads(dataset.attrs["metadata"])
    names = [trace[0] for trace in metadata["traces"]]
    times, risen = [], []
    for event in (event for event in events if event.kind == "reference"):
        traces = dict(zip(names, np.array(event.data["extra"], dtype=np.float64), strict=True))
        traces["conductance"] = np.array(event.data["conductance"], dtype=np.float64)
        cycles = _cycles(
            dataset, metadata["power_sweep"], traces["microwave_power"], traces[signal], number
        )
        loop = analyse(cycles)
        ends = [switch.power for switch in (loop.up, loop.down) if switch is not None]
        if len(ends) == 2:
            times.append(float(event.data["time"]))
            risen.append(float(np.mean(ends)))
    when = dataset["time"].values
    if len(times) < 2:
        return np.zeros(when.shape)
    drift: Array = np.interp(when, times, np.array(risen) - risen[0])
    return drift
