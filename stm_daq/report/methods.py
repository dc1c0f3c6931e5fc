"""The methods paragraph of a run, written from its own numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.analysis.maps.sites import sites_of
from stm_daq.quantities import show, show_duration
from stm_daq.report.facts import facts_of, show_date
from stm_daq.report.numbers import plus_minus
from stm_daq.report.shape import axis_title, outer_axes
from stm_daq.yaml_source import parse_yaml

if TYPE_CHECKING:
    import xarray as xr

    from stm_daq.report.facts import Facts


def methods_of(dataset: xr.Dataset) -> list[str]:
    """Describe how a run was measured and fitted, in sentences with its numbers.

    What the run does not tell is left out.
    """
    facts = facts_of(dataset)
    plan = _plan(facts.plan_text)
    sentences = [
        _when(dataset, facts),
        _where(dataset, plan),
        _junction(dataset, plan),
        _sweep(plan),
        _lockin(facts, plan),
        _stage(dataset),
        _fits(dataset, facts),
        _twin(dataset, facts),
    ]
    return [sentence for sentence in sentences if sentence]


def _plan(text: str) -> dict[str, Any]:
    if not text:
        return {}
    data = parse_yaml(text, Path("plan.yaml")).data
    return data if isinstance(data, dict) else {}


def _at(plan: Mapping[str, Any], *path: str) -> Any:
    """Return what the plan says at a place; None if it says nothing."""
    found: Any = plan
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _when(dataset: xr.Dataset, facts: Facts) -> str:
    sites, seconds = sites_of(dataset), facts.ended - facts.started
    measured = int(sites.measured.sum())
    each = f", {seconds / measured:.3g} s a spectrum" if measured else ""
    return (
        f"{measured} of {sites.total} spectra of {facts.sample or 'the sample'} were measured from "
        f"{show_date(facts.started)} on, within {show_duration(seconds)}{each}."
    )


def _where(dataset: xr.Dataset, plan: Mapping[str, Any]) -> str:
    rows, columns = dataset.sizes["y"], dataset.sizes["x"]
    steps = ", ".join(
        f"{dataset.sizes[name]} steps of {axis_title(dataset, name)}"
        for name in outer_axes(dataset)
    )
    after = f", each at {steps}" if steps else ""
    if rows * columns == 1:
        return f"They were taken at one place{after}." if after else ""
    points = _at(plan, "sites", "points")
    if isinstance(points, list):
        return f"They were taken at {len(points)} places{after}."
    step = [
        f"{np.ptp(dataset[name].values) / (len(dataset[name]) - 1) * 1e9:.3g} nm"
        for name in ("x", "y")
        if len(dataset[name]) > 1
    ]
    frame = dataset.attrs.get("frame")
    size = f" in a frame of {frame[2] * 1e9:.4g} nm x {frame[3] * 1e9:.4g} nm" if frame else ""
    return f"The sites are {columns} columns x {rows} rows, {' x '.join(step)} apart{size}{after}."


def _junction(dataset: xr.Dataset, plan: Mapping[str, Any]) -> str:
    setpoint = json.loads(dataset.attrs.get("metadata", "{}")).get("setpoint", {})
    bias, current = setpoint.get("bias"), setpoint.get("current")
    if bias is None or current is None:
        return ""
    if "setpoint" not in plan or any("current" in axis for axis in outer_axes(dataset)):
        return f"The bias was {show(bias, 'V')} while the feedback was closed."
    return (
        f"The junction was set by {show(current, 'A')} at {show(bias, 'V')}, and the feedback was held "
        "during every sweep."
    )


def _sweep(plan: Mapping[str, Any]) -> str:
    bias = _at(plan, "sweep", "bias")
    if isinstance(bias, Mapping) and {"start", "end", "points"} <= set(bias):
        dwell = f", {bias['dwell']} each" if "dwell" in bias else ""
        ends = f"{bias['start']} to {bias['end']}"
        return f"The bias was swept from {ends} in {bias['points']} points{dwell}."
    if isinstance(bias, Mapping) and isinstance(bias.get("segments"), list):
        dwell = f", {bias['dwell']} each" if "dwell" in bias else ""
        parts = ", ".join(f"{s.get('points')} points to {s.get('end')}" for s in bias["segments"])
        return f"The bias was swept from {bias.get('start')} in parts: {parts}{dwell}."
    power = _at(plan, "sweep", "power_sweep")
    if isinstance(power, Mapping) and {"start", "end", "points"} <= set(power):
        lines = power.get("frequencies") or ()
        at = f" at {', '.join(map(str, lines))}" if lines else ""
        return (
            f"The microwave power was swept from {power['start']} to {power['end']} and back in "
            f"{power['points']} points of {power.get('dwell')}, {power.get('cycles', 2)} times{at}; "
            f"dI/dV was read at {power.get('bias', 'the set-point')}."
        )
    return ""


def _lockin(facts: Facts, plan: Mapping[str, Any]) -> str:
    peak = facts.modulation
    if not (math.isfinite(peak) and peak > 0):
        return ""
    frequency = _at(plan, "sweep", "modulation", "frequency")
    constant = _at(plan, "sweep", "lockin", "time_constant")
    return (
        f"dI/dV was measured by lock-in with a modulation of {show(peak, 'V')} peak "
        f"({show(peak / math.sqrt(2), 'V')} rms)"
        + (f" at {frequency}" if frequency else "")
        + (f" and a time constant of {constant}" if constant else "")
        + "."
    )


def _stage(dataset: xr.Dataset) -> str:
    values = dataset["stage_temperature"].values
    values = values[np.isfinite(values)]
    if not len(values):
        return "The temperature of the stage was not recorded."
    if any("temperature" in axis for axis in outer_axes(dataset)):
        low, high = float(np.min(values)), float(np.max(values))
        return f"The stage was between {low:.4g} K and {high:.4g} K."
    mean, std = float(np.mean(values)), float(np.std(values))
    return f"The stage was at {plus_minus(mean, std)} K (mean and standard deviation over the spectra)."


def _fits(dataset: xr.Dataset, facts: Facts) -> str:
    if not facts.fitted:
        return "No model was fitted to the spectra."
    sites = sites_of(dataset)
    counts = (("trusted", sites.trusted), ("doubtful (model not adequate)", sites.doubtful),
              ("failed", sites.failed), ("not fitted", sites.unfitted))  # fmt: skip
    said = ", ".join(f"{int(mask.sum())} {name}" for name, mask in counts if mask.any())
    used = int(sites.representative.sum())
    return (
        f"Every spectrum was fitted with the model {facts.fit_model}: {said or 'none'}. Maps and "
        f"numbers use {used} of {sites.total} sites{_others(sites.total - used)}."
    )


def _others(count: int) -> str:
    return f"; the other {count} are listed below with reasons" if count else ""


def _twin(dataset: xr.Dataset, facts: Facts) -> str:
    if not facts.rehearsed:
        return ""
    seed = seed_of(dataset)
    said = f" with seed {seed}" if seed is not None else ""
    return f"All of this was simulated on the physics twin of the station{said}."


def seed_of(dataset: xr.Dataset) -> int | None:
    """Return the seed of the twin's world in a rehearsal; None if it is not known."""
    origin = json.loads(dataset.attrs.get("metadata", "{}")).get("rehearsal", {})
    seed = origin.get("seed")
    if seed is None and dataset.attrs.get("station_text"):
        seed = _at(_plan(dataset.attrs["station_text"]), "simulation", "seed")
    return None if seed is None else int(seed)
