"""A night is rehearsed at a sample of its sites: what can be known beforehand."""

from __future__ import annotations

import math
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.errors import InstrumentError
from stm_daq.night.prepare import Night
from stm_daq.plan import Care, OuterAxis, Plan, Sites, estimate, groups, step_count
from stm_daq.records import Array
from stm_daq.rehearsal import Rehearsal

if TYPE_CHECKING:
    import xarray as xr

SAMPLE = 16
"""Sites that are rehearsed."""
AXIS_VALUES = 3
"""Values of an outer axis that are rehearsed: the first, the last, and those between."""


@dataclass(frozen=True, slots=True)
class Known:
    """How well one fitted parameter will be known at one site."""

    std: float
    """Median standard deviation over the sample, in the SI unit of the parameter."""
    worst: float
    """It is less at 84 % of the sample."""
    wanted: float | None
    """What the plan wants."""

    @property
    def longer(self) -> float | None:
        """Factor by which the integration time has to grow so that the median site is as wanted.

        The standard deviation of a mean falls with the square root of the time; below 1 the plan
        integrates longer than it needs.
        """
        return None if self.wanted is None else (self.std / self.wanted) ** 2


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a rehearsed sample tells."""

    spectra: int
    good: int
    """Fits that can be trusted."""
    flags: Mapping[str, int]
    """Of spectra and fits together, how often."""
    known: Mapping[str, Known]
    """By fitted parameter."""
    violations: tuple[str, ...]
    """What the twin's world saw go wrong."""
    averages: int | None
    """`sweep.average` with which everything wanted is reached; None if nothing is wanted."""
    dwell: float | None
    """The same by `sweep.bias.dwell` alone, with a time constant that grows alike, s."""
    total: float | None
    """Duration of the night with these averages, s."""
    repetitions: float
    """How often a site is measured on average until `want` is reached or `adaptive.most` is; 1 for a plan
    that repeats nothing."""
    adaptive_total: float
    """Duration of the night with these repetitions, s."""


def shortened(plan: Plan, count: int) -> Plan:
    """Return a plan with `count` of its sites, spread over map and outer axes."""
    axes = tuple(replace(axis, values=_some(axis)) for axis in plan.axes)
    each = max(1, round(count / step_count(axes)))
    return replace(plan, axes=axes, sites=_spread(plan.sites, each))


def _some(axis: OuterAxis) -> tuple[float, ...]:
    count = len(axis.values)
    most = 1 if axis.kind == "repeat" else AXIS_VALUES
    chosen = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
    return tuple(axis.values[k] for k in chosen)


def _spread(sites: Sites, count: int) -> Sites:
    """Return the same map with `count` of its sites, evenly over it."""
    ordered = groups(replace(sites, order="coarse_to_fine"))[0].sites
    wanted = np.zeros_like(sites.wanted)
    for site in ordered[:count]:
        wanted[site.row, site.col] = True
    return replace(sites, wanted=wanted)


def expectation(night: Night, count: int = SAMPLE) -> Expectation:
    """Rehearse a sample of sites on the twin and say how well every parameter will be known.

    Topograph, guards, drift and repeated sites are left out: this asks what one site tells.

    Raises
    ------
    InstrumentError
        If the sample could not be measured to its end.
    """
    from stm_daq import open_run
    from stm_daq.night import rehearse

    plan = shortened(night.plan, count)
    plan = replace(plan, sites=replace(plan.sites, topograph=None), care=Care())
    sample = replace(night, plan=plan, estimate=estimate(plan, night.config.limits), observers=())
    with tempfile.TemporaryDirectory(prefix="stm-daq-sample-") as folder:
        result = rehearse(sample, Path(folder), Rehearsal())
        if result.ended.state == "stopped":
            raise KeyboardInterrupt
        if result.ended.state != "finished":
            raise InstrumentError(f"the rehearsal of a sample of sites failed: {result.ended.text}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            dataset = open_run(result.folder).load()
    return _judged(night, dataset, result.violations)


def _judged(night: Night, dataset: xr.Dataset, violations: tuple[str, ...]) -> Expectation:
    want = night.plan.care.want
    ok = dataset["fit_ok"].values.astype(bool)
    known = {name: _known(dataset, name, ok, want) for name in _fitted(dataset)}
    known = {name: found for name, found in known.items() if math.isfinite(found.std)}
    longest = max((k.longer for k in known.values() if k.longer is not None), default=None)
    averages = dwell = total = None
    if longest is not None:
        sweep = night.plan.sweep
        averages = max(1, math.ceil(sweep.averages * longest))
        dwell = sweep.dwell * longest
        wanted = replace(night.plan, sweep=replace(sweep, averages=averages))
        total = estimate(wanted, night.config.limits).total
    repetitions = _repetitions(dataset, night.plan)
    expected = night.estimate
    return Expectation(
        spectra=int(np.isfinite(dataset["time"].values).sum()),
        good=int(ok.sum()),
        flags=Counter(_flags(dataset)),
        known=known,
        violations=violations,
        averages=averages,
        dwell=dwell,
        total=total,
        repetitions=repetitions,
        adaptive_total=expected.total + (repetitions - 1.0) * expected.once,
    )


def _repetitions(dataset: xr.Dataset, plan: Plan) -> float:
    """Return how often a site of the sample would be measured, on average."""
    most = max(1, plan.care.most // plan.sweep.averages)
    measured = np.isfinite(dataset["time"].values)
    if not plan.care.want or not measured.any():
        return 1.0
    needed = np.ones(measured.shape)
    for name, wanted in plan.care.want.items():
        std = np.nan_to_num(dataset[f"{name}_std"].values, nan=math.inf)
        needed = np.maximum(needed, np.ceil((std / wanted) ** 2))
    return float(np.mean(np.minimum(needed, most)[measured]))


def _fitted(dataset: xr.Dataset) -> list[str]:
    return [str(name) for name in dataset.data_vars if f"{name}_std" in dataset]


def _known(dataset: xr.Dataset, name: str, ok: Array, want: Mapping[str, float]) -> Known:
    std = dataset[f"{name}_std"].values[ok]
    std = std[np.isfinite(std)]
    if not len(std):
        return Known(math.nan, math.nan, want.get(name))
    return Known(float(np.median(std)), float(np.percentile(std, 84)), want.get(name))


def _flags(dataset: xr.Dataset) -> Iterator[str]:
    for name in ("flags", "fit_flags"):
        for text in dataset[name].values.ravel():
            yield from filter(None, str(text).split(","))
