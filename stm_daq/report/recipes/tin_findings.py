"""The numbers of Andreev microscopy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.granular.heating import Heating
from stm_daq.analysis.granular.zero_gap import expected_gap, zero_temperature_gap
from stm_daq.analysis.maps.fitted_maps import NOT_PLANNED
from stm_daq.analysis.maps.neighbours import neighbour_scatter
from stm_daq.analysis.maps.regions import Regions
from stm_daq.analysis.space.resampling import block_bootstrap
from stm_daq.analysis.space.significance import correlate
from stm_daq.analysis.space.spread import fwhm
from stm_daq.analysis.topographs.grains import diameter_error, grain_sizes
from stm_daq.analysis.topographs.roughness import roughness
from stm_daq.analysis.topographs.surface import level
from stm_daq.errors import CannotTellError
from stm_daq.records import Array
from stm_daq.report.chapter import Finding
from stm_daq.report.numbers import BARRIER, FITTED, GAP, TEMPERATURE
from stm_daq.report_settings import settings_of

if TYPE_CHECKING:
    import xarray as xr

RESAMPLES = 60
"""Of the map: the error is then known to a tenth of itself."""
RESAMPLES_OF_WIDTH = 24
"""The same for widths, which take longer: to a seventh."""
TWO_SIDED = 1.96
"""Half the width of a 95 % interval, in standard deviations."""
_PAIRS = (
    ("gap", "height"),
    ("temperature", "height"),
    ("barrier", "height"),
    ("gap", "barrier"),
    ("temperature", "barrier"),
)


def findings(
    maps: xr.Dataset,
    gap0: xr.Dataset,
    dataset: xr.Dataset,
    grains: Callable[[], Regions],
    heating: Callable[[], Heating],
) -> list[Finding]:
    """Return all numbers; what cannot be told is NaN with the reason.

    Parameters
    ----------
    maps, gap0 : Dataset
        From `fitted_maps` and `zero_temperature_gap`.
    dataset : xarray.Dataset
        The run.
    grains, heating : callable
        Segment the topograph, fit the heating model; may raise `CannotTellError`.
    """
    height = dataset["z"].rename("height")
    together = maps.assign(gap0=gap0["gap0"], height=height)
    found = [*_sites(maps), *_distributions(together), *_expected(dataset)]
    found += [*_surface(dataset, grains), *_correlations(together)]
    found += [*_heating(heating), *_neighbours(maps)]
    if all(f"true_{quantity.name}" in dataset for quantity in FITTED):
        found += _truth(maps, dataset, height)
    return found


def _truth(maps: xr.Dataset, dataset: xr.Dataset, height: xr.DataArray) -> Iterator[Finding]:
    """Yield the same numbers of the twin's world at the same sites."""
    counts = maps["reason"] == ""
    true = maps.assign({q.name: dataset[f"true_{q.name}"].where(counts) for q in FITTED})
    true = true.assign(gap0=zero_temperature_gap(true)["gap0"], height=height)
    for finding in (*_distributions(true, resamples=0), *_correlations(true)):
        yield Finding(
            f"true_{finding.key}", f"{finding.title}, of the twin's world", finding.value,
            unit=finding.unit, remark=finding.remark,
        )  # fmt: skip


def _sites(maps: xr.Dataset) -> Iterator[Finding]:
    planned = maps["reason"].values != NOT_PLANNED
    count = int((maps["reason"].values == "").sum())
    remark = f"Of {int(planned.sum())} in the plan."
    if 2 * count < int(planned.sum()):
        remark += (
            " Most are missing: what follows is of a part of the map, which may be a selection."
        )
    yield Finding("sites", "Sites that count", count, remark=remark)


def _distributions(maps: xr.Dataset, resamples: int = RESAMPLES) -> Iterator[Finding]:
    def mean(values: Array) -> float:
        return float(np.nanmean(values))

    def median(values: Array) -> float:
        return float(np.nanmedian(values))

    def width(values: Array) -> float:
        return fwhm(values[np.isfinite(values)])

    rows = (
        ("gap_mean", "Mean gap", "gap", mean, GAP),
        ("gap_fwhm", "Full width at half maximum of the gap", "gap", width, GAP),
        ("gap0_mean", "Mean gap at zero temperature", "gap0", mean, GAP),
        ("gap0_fwhm", "Full width of the gap at zero temperature", "gap0", width, GAP),
        ("temperature_mean", "Mean temperature", "temperature", mean, TEMPERATURE),
        ("barrier_median", "Median barrier", "barrier", median, BARRIER),
    )
    for key, title, name, statistic, unit in rows:
        times = min(resamples, RESAMPLES_OF_WIDTH) if statistic is width else resamples
        yield _sampled(key, title, maps[name] * unit.factor, statistic, unit.unit, times)


def _sampled(
    key: str,
    title: str,
    values: xr.DataArray,
    statistic: Callable[[Array], float],
    unit: str,
    resamples: int,
) -> Finding:
    """Return a statistic of a map with the error that its patches leave."""
    known = values.values[np.isfinite(values.values)]
    if len(known) < 10:
        return Finding(key, title, math.nan, unit=unit, remark="Fewer than ten sites have a value.")
    if not resamples:
        return Finding(key, title, statistic(values.values), unit=unit)
    try:
        error = block_bootstrap([values], statistic, resamples=resamples).std
    except CannotTellError as reason:
        remark = f"No uncertainty: {reason}."
        return Finding(key, title, statistic(values.values), unit=unit, remark=remark)
    return Finding(key, title, statistic(values.values), error, unit)


def _expected(dataset: xr.Dataset) -> Iterator[Finding]:
    critical = settings_of(dataset).critical_temperature
    title = "Gap expected from the critical temperature"
    if critical is None:
        remark = "The plan has no `report: critical_temperature:`."
        yield Finding("bcs_gap", title, math.nan, unit=GAP.unit, remark=remark)
        return
    remark = f"1.764 kB Tc with Tc = {critical:g} K."
    value = expected_gap(critical) * GAP.factor
    yield Finding("bcs_gap", title, value, unit=GAP.unit, remark=remark)


def _surface(dataset: xr.Dataset, grains: Callable[[], Regions]) -> Iterator[Finding]:
    try:
        rough = roughness(level(dataset["topography"]))
    except CannotTellError as reason:
        yield Finding("roughness", "Roughness", math.nan, unit="nm", remark=f"{reason}.")
    else:
        height = rough.peak_to_valley * 1e9
        yield Finding("roughness", "Roughness, peak to valley", height, unit="nm")
        rms, error = rough.rms * 1e9, rough.rms_std * 1e9
        yield Finding("roughness_rms", "Roughness, root mean square", rms, error, "nm")
    try:
        sizes = grain_sizes(grains())
        segmentation = diameter_error(dataset["topography"])
    except CannotTellError as reason:
        yield Finding("grain_diameter", "Grain diameter", math.nan, unit="nm", remark=f"{reason}.")
        return
    error = math.hypot(sizes.mean_error, segmentation) * 1e9
    remark = (
        f"Median of {len(sizes.diameters)} whole grains; the error is mostly the segmentation's."
    )
    yield Finding("grain_diameter", "Grain diameter", sizes.median * 1e9, error, "nm", remark)
    remark = "Nine of ten grains are smaller."
    yield Finding(
        "grain_diameter_large",
        "Diameter of large grains",
        sizes.large * 1e9,
        unit="nm",
        remark=remark,
    )


def _correlations(maps: xr.Dataset) -> Iterator[Finding]:
    for first, second in _PAIRS:
        key, title = f"correlation_{first}_{second}", f"Correlation of {first} and {second}"
        try:
            found = correlate(maps[first], maps[second]).pearson
        except CannotTellError as reason:
            yield Finding(key, title, math.nan, remark=f"{reason}.")
            continue
        error = (found.high - found.low) / (2 * TWO_SIDED)
        remark = f"p = {found.p_value:.2g} with {found.effective:.0f} independent pixels."
        yield Finding(key, title, found.value, error, remark=remark)


def _heating(fit: Callable[[], Heating]) -> Iterator[Finding]:
    rows = (
        ("heating_tn", "Heating model: Tn", "K"),
        ("heating_dt", "Heating model: dT, mean of the regions", "K"),
        ("heating_r", "Heating model: r", ""),
    )
    try:
        found = fit()
    except CannotTellError as reason:
        for key, title, unit in rows:
            yield Finding(key, title, math.nan, unit=unit, remark=f"{reason}.")
        return
    estimates = (found.base, found.rise, found.ratio)
    over = f"{len(found.regions)} grains" if len(found.regions) > 1 else "the whole map"
    sigma = (
        float(np.std([one.value for one in found.rises], ddof=1)) if len(found.rises) > 1 else 0.0
    )
    sampled = (0.0, sigma / math.sqrt(len(found.rises)), 0.0)  # other grains have other dT
    for (key, title, unit), one, more in zip(rows, estimates, sampled, strict=True):
        remark = f"68 % interval {one.low:.3g} to {one.high:.3g}, from {over}."
        if one.model > (one.high - one.low) / 2:
            remark += f" The cooler and the hotter half of them differ by {2 * one.model:.2g}."
        yield Finding(key, title, one.value, math.hypot(one.std, more), unit, remark)
    if len(found.rises) > 1:
        title = "Heating model: scatter of dT from grain to grain"
        yield Finding("heating_dt_sigma", title, sigma, unit="K")


def _neighbours(maps: xr.Dataset) -> Iterator[Finding]:
    for quantity in FITTED:
        title = f"{quantity.title}: standard deviation of one site, from its neighbours"
        key, factor = f"{quantity.name}_noise", quantity.factor
        try:
            found = neighbour_scatter(maps, quantity.name)
        except CannotTellError as reason:
            yield Finding(key, title, math.nan, unit=quantity.unit, remark=f"{reason}.")
            continue
        remark = (
            f"Upper limit: the film's own changes over {found.distance * 1e9:.2g} nm are in it. The "
            f"fits state {found.stated * factor:.2g} {quantity.unit}".rstrip()
            + f", {found.ratio:.1f} times less."
        )
        yield Finding(
            key, title, found.std * factor, found.std_error * factor, quantity.unit, remark
        )
