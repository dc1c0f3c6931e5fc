"""Was the night a steady one? Noise, set-point, temperature, height and fits against time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.images import robust_std
from stm_daq.analysis.maps.sites import Mask, sites_of
from stm_daq.analysis.stability.noise import Stripes, noise_of_spectra, stripes_of
from stm_daq.analysis.stability.stationarity import Jump, Stationarity, stationarity
from stm_daq.analysis.topographs.surface import without_plane
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

TRACES = ("current", "conductance")
READINGS = ("setpoint_current", "stage_temperature", "z")
FITTED = ("gap", "temperature", "barrier")
TOGETHER = 3
"""Jumps of different quantities within so many sites are one event."""
SEPARABLE = 0.9
"""Time of which more than this part is told by the place cannot be told from it."""
NOISY = 5.0
"""A site is noisy if its noise is so many robust standard deviations above the median."""
WHITE = 0.03
"""Noise is white if third differences have the correlation -0.75 within this."""


@dataclass(frozen=True, slots=True)
class NoiseLevel:
    """Noise of one trace over the night."""

    median: float
    """Of all sites, unit of the trace."""
    scatter: float
    """Robust standard deviation from site to site."""
    noisy: Mask
    """Sites of much more noise than usual."""
    white: bool
    """Whether the noise is the same at all frequencies of the sweep."""
    expected: float
    """What was expected, if it was given; else NaN."""


@dataclass(frozen=True, slots=True)
class Cause:
    """How much of a fitted map goes with place and how much with time."""

    with_place: float
    """Part of the variance that a plane in x and y explains and a line in time does not."""
    with_time: float
    """Part that a line in time explains and a plane does not."""
    separable: bool
    """False if sites were visited so that time and place say the same, as in one scan row by row."""


@dataclass(frozen=True, slots=True)
class Night:
    """What is to be said of the steadiness of a night."""

    noise: dict[str, NoiseLevel]
    """By trace: "current", "conductance"."""
    series: dict[str, Stationarity]
    """By quantity: noise of the traces ("noise of current"), readings and fits."""
    stripes: dict[str, Stripes]
    """By map: readings and fits."""
    causes: dict[str, Cause]
    """By fitted quantity."""
    tip_changes: tuple[float, ...]
    """Times at which two or more quantities jump together, s since 1970."""
    untold: dict[str, str]
    """What could not be judged, and why."""

    @property
    def steady(self) -> bool:
        """Whether no reading of the instrument jumps, drifts or wanders, and nothing is noisy."""
        readings = [s for name, s in self.series.items() if name not in FITTED]
        return not self.tip_changes and all(s.verdict == "stationary" for s in readings)


def night_of(dataset: xr.Dataset, expected_noise: Mapping[str, float] | None = None) -> Night:
    """Judge the steadiness of a run.

    Parameters
    ----------
    dataset : xarray.Dataset
        A run; of a run with outer axes choose one step: ``run.isel(repeat=0)``.
    expected_noise : mapping, optional
        Noise of "current" (A) and "conductance" (S) that was expected, such as
        :func:`stm_daq.analysis.stability.noise.expected_current_noise`.

    Raises
    ------
    BadInputError
        If this is no run of one map: no ``time`` over ``y`` and ``x``.
    CannotTellError
        If fewer than 32 spectra were taken.
    """
    if "time" not in dataset or set(dataset["time"].dims) != {"y", "x"}:
        raise BadInputError(
            "no 'time' over y and x: give one map of a run, such as `run.isel(repeat=0)`"
        )
    time = dataset["time"].transpose("y", "x").values
    if np.isfinite(time).sum() < 32:
        raise CannotTellError(
            f"{int(np.isfinite(time).sum())} spectra were taken; a night needs 32"
        )
    untold: dict[str, str] = {}
    noise_maps = _noise_maps(dataset, untold)
    noise = {
        name: _level(one, (expected_noise or {}).get(name, np.nan))
        for name, one in noise_maps.items()
    }
    maps = _series(dataset, noise_maps)
    series: dict[str, Stationarity] = {}
    stripes: dict[str, Stripes] = {}
    for name, one in maps.items():
        try:
            series[name] = stationarity(one.values, time)
            stripes[name] = stripes_of(one)
        except (BadInputError, CannotTellError) as error:
            untold[name] = str(error)
    fitted = [name for name in FITTED if name in series]
    return Night(
        noise=noise,
        series=series,
        stripes=stripes,
        causes={name: cause_of(maps[name], dataset["time"]) for name in fitted},
        tip_changes=_together({n: s.jumps for n, s in series.items()}, time),
        untold=untold,
    )


def series_of(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return what :func:`night_of` judges, by name, each over ``y`` and ``x`` in SI."""
    return _series(dataset, _noise_maps(dataset, {}))


def _series(dataset: xr.Dataset, noise: Mapping[str, xr.Dataset]) -> dict[str, xr.DataArray]:
    return {f"noise of {name}": one["noise"] for name, one in noise.items()} | _maps(dataset)


def _noise_maps(dataset: xr.Dataset, untold: dict[str, str]) -> dict[str, xr.Dataset]:
    found = {}
    for name in (name for name in TRACES if name in dataset):
        trace = dataset[name]
        if "direction" in trace.dims:
            trace = trace.isel(direction=0)
        try:
            found[name] = noise_of_spectra(trace.transpose("y", "x", ...))
        except CannotTellError as error:
            untold[f"noise of {name}"] = str(error)
    return found


def _level(noise: xr.Dataset, expected: float) -> NoiseLevel:
    values = noise["noise"].values
    median, scatter = float(np.nanmedian(values)), robust_std(values)
    correlation = float(np.nanmedian(noise["correlation"].values))
    with np.errstate(invalid="ignore"):
        noisy = values > median + NOISY * scatter
    return NoiseLevel(median, scatter, noisy, abs(correlation + 0.75) < WHITE, expected)


def _maps(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return readings (height without its plane) and fitted values that can be used."""
    found = {}
    for name in (name for name in READINGS if name in dataset):
        one = dataset[name].transpose("y", "x")
        if name == "z":
            one = one.copy(data=without_plane(one.values, dataset["x"].values, dataset["y"].values))
        found[name] = one
    fitted = [name for name in FITTED if name in dataset and "fit_ok" in dataset]
    if fitted:
        usable = sites_of(dataset).usable
        found |= {name: dataset[name].transpose("y", "x").where(usable) for name in fitted}
    return found


def cause_of(data: xr.DataArray, time: xr.DataArray) -> Cause:
    """Tell whether a map changes with time or with place.

    Two linear models, one in x, y and one in time, are compared with that of all three: what one
    explains beyond the other is its own.

    Parameters
    ----------
    data, time : xarray.DataArray
        Over ``y`` and ``x``; time in s.

    Raises
    ------
    CannotTellError
        If fewer than 16 sites are known.
    """
    values, when = data.transpose("y", "x").values, time.transpose("y", "x").values
    known = np.isfinite(values) & np.isfinite(when)
    if known.sum() < 16:
        raise CannotTellError(f"{int(known.sum())} sites are known; place and time need 16")
    X, Y = np.meshgrid(data["x"].values, data["y"].values)
    columns = [_scaled(one[known]) for one in (X, Y, when)]
    place, all_three = columns[:2], columns
    whole = _explained(values[known], all_three)
    return Cause(
        with_place=max(whole - _explained(values[known], columns[2:]), 0.0),
        with_time=max(whole - _explained(values[known], place), 0.0),
        separable=_explained(when[known], place) < SEPARABLE,
    )


def _scaled(values: Array) -> Array:
    return np.asarray((values - values.mean()) / (np.ptp(values) or 1.0))


def _explained(values: Array, columns: list[Array]) -> float:
    """Return the part of the variance that a linear model explains."""
    terms = np.stack([np.ones(len(values)), *columns], axis=-1)
    centred = _scaled(values)
    coefficients, *_ = np.linalg.lstsq(terms, centred)
    total = float(np.sum((centred - centred.mean()) ** 2))
    return 1 - float(np.sum((centred - terms @ coefficients) ** 2)) / total if total > 0 else 0.0


def _together(jumps: Mapping[str, tuple[Jump, ...]], time: Array) -> tuple[float, ...]:
    """Return the times at which two quantities jump within a few sites of one another."""
    all_times = np.sort(time[np.isfinite(time)])
    marks = sorted(
        (int(np.searchsorted(all_times, jump.time)), name)
        for name, some in jumps.items()
        for jump in some
    )
    found: list[int] = []
    for (first, name), (second, other) in pairwise(marks):
        near_last = bool(found) and first - found[-1] <= TOGETHER
        if name != other and second - first <= TOGETHER and not near_last:
            found.append(first)
    return tuple(float(all_times[index]) for index in found)
