"""The recipe of power sweeps: where the states of a hot spot end, in dBm and in the model's drives.

After D. B. Karki, R. S. Whitney, D. M. Basko, "Local bistability under microwave heating for spatially
mapping disordered superconductors". What the film is and how the line loses is told by
``report.microwave`` in the plan; without it powers and widths are stated, no drives.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.microwave.drives import (
    Calibration,
    Mean,
    local_films,
    mean_over_places,
    phonon_temperature,
    predicted,
)
from stm_daq.analysis.microwave.power_maps import (
    SwitchMaps,
    current_step,
    supercurrent_map,
    switch_maps,
)
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.physics.hotspot_units import MATERIALS, TipAboveFilm
from stm_daq.records import Array
from stm_daq.report.chapter import Chapter, Finding
from stm_daq.report.microwave.drives import figure_drives
from stm_daq.report.microwave.loops import correlation
from stm_daq.report.shape import has_power_cycles
from stm_daq.report_settings import settings_of

if TYPE_CHECKING:
    import xarray as xr

_LOCAL = {
    "critical_temperature": ("Critical temperature", "K", 1.0),
    "thermal_length": ("Thermal length", "nm", 1e9),
}


def suits(dataset: xr.Dataset) -> bool:
    """Whether the run sweeps the microwave power up and down."""
    return has_power_cycles(dataset)


def chapters(dataset: xr.Dataset) -> list[Chapter]:
    """Return where the film stands in the model's plane of frequency and drive."""
    powers = Powers(dataset)
    if powers.film is None:
        return []
    return [
        Chapter(
            "Switching drives and the model",
            "Points: drives at which the cold state ends on the way up (orange) and the hot state on the "
            "way down (blue), the places side by side, with the uncertainty of power and line; lines: "
            "what the equations give for the film of the plan's report block at the stage's temperature.",
            "Switching drives against the microwave frequency, measured points beside the model's lines.",
            partial(figure_drives, dataset),
        )
    ]


def findings(dataset: xr.Dataset) -> list[Finding]:
    """Return verdicts, switching powers and drives, what they say of the film, and the supercurrent."""
    powers = Powers(dataset)
    found = [_verdicts(powers)]
    for number, maps in enumerate(powers.maps):
        found += _at_frequency(powers, number, maps)
    if powers.film is not None:
        for name in _LOCAL:
            found += _local(powers, name)
    return [*found, *_supercurrent(dataset)]


class Powers:
    """The loops of a run, judged once."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self.dataset = dataset
        self.settings = settings_of(dataset).microwave

    @cached_property
    def maps(self) -> list[SwitchMaps]:
        """One for each frequency."""
        return switch_maps(self.dataset)

    @cached_property
    def film(self) -> TipAboveFilm | None:
        """As the plan's report block has it; None if it does not say."""
        if self.settings is None:
            return None
        thickness = settings_of(self.dataset).thickness or 10e-9  # the drive does not depend on it
        return TipAboveFilm(MATERIALS[self.settings.material], thickness, self.settings.distance)

    @cached_property
    def calibrations(self) -> list[Calibration | None]:
        """For each frequency; None where transfer and loss are not known."""
        settings = self.settings
        if settings is None or self.film is None:
            return [None] * len(self.maps)
        if settings.transfer is None or settings.loss is None:
            return [None] * len(self.maps)
        if len(settings.loss) != len(self.maps):
            raise BadInputError(
                f"report.microwave.loss has {len(settings.loss)} values; the run has "
                f"{len(self.maps)} frequencies: one for each"
            )
        return [Calibration(self.film, loss, settings.loss_std, settings.transfer)
                for loss in settings.loss]  # fmt: skip


def _verdicts(powers: Powers) -> Finding:
    counts = Counter(str(v) for m in powers.maps for v in m.verdict.ravel() if v)
    total = sum(counts.values())
    share = counts["bistable"] / total if total else math.nan
    said = ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common())
    return Finding("bistable_share", "Loops that are bistable", 100 * share, unit="%",
                   remark=f"{said or 'no loop'}.")  # fmt: skip


def _at_frequency(powers: Powers, number: int, maps: SwitchMaps) -> Iterator[Finding]:
    where = f"{maps.frequency / 1e9:.0f}ghz" if math.isfinite(maps.frequency) else str(number + 1)
    at = (
        f"at {maps.frequency / 1e9:.4g} GHz"
        if math.isfinite(maps.frequency)
        else "(all frequencies)"
    )
    ends = (("up", "cold state ends", maps.up), ("down", "hot state ends", maps.down))
    for key, title, values in ends:
        yield _mean(f"power_{key}_{where}", f"Power where the {title} {at}", values, "dBm")
    yield _mean(f"width_{where}", f"Width of the loop {at}", maps.width, "dB")
    calibration = powers.calibrations[number]
    if calibration is None:
        return
    for key, title, values in ends:
        drives = calibration.drive(values)
        # the line's loss is the same for all places: its uncertainty does not average out
        common = math.log(10) / 20 * calibration.loss_std
        yield _mean(f"drive_{key}_{where}", f"Drive J where the {title} {at}", drives, "j*", common)
    yield from _model(powers, maps.frequency, where, at)


def _mean(
    key: str, title: str, values: Array, unit: str, relative: float = 0.0, factor: float = 1.0
) -> Finding:
    """Return the mean over the places as a finding; `relative` is an uncertainty that all share."""
    try:
        mean = mean_over_places(values * factor)
    except CannotTellError as reason:
        return Finding(key, title, math.nan, unit=unit, remark=f"{reason}.")
    std = math.hypot(mean.std, relative * mean.value)
    return Finding(key, title, mean.value, std, unit, _over(mean))


def _over(mean: Mean) -> str:
    return f"Mean over {mean.count} places, as if independent." if mean.count > 1 else "One place."


def _model(powers: Powers, frequency: float, where: str, at: str) -> Iterator[Finding]:
    """Yield what the equations give: for the film of the report block, and for the twin's true one."""
    assert powers.film is not None
    keys = (("down", "hot"), ("up", "cold"))
    try:
        drives = predicted(powers.film, frequency, phonon_temperature(powers.dataset))
    except CannotTellError as reason:
        for key, state in keys:
            yield Finding(f"model_drive_{key}_{where}", f"The same by the equations, {state} state",
                          math.nan, unit="j*", remark=f"{reason}.")  # fmt: skip
        return
    for (key, state), drive in zip(keys, drives, strict=True):
        yield Finding(
            f"model_drive_{key}_{where}", f"By the equations the {state} state ends {at}", drive,
            unit="j*", remark="For the film of the plan's report block at the stage's temperature.",
        )  # fmt: skip


def _local(powers: Powers, name: str) -> Iterator[Finding]:
    """Yield the mean of a local quantity, and in a rehearsal the truth at the same places."""
    assert powers.film is not None
    title, unit, factor = _LOCAL[name]
    found = dict(local_films(powers.dataset, powers.maps, powers.calibrations, powers.film, name))
    values = np.array([getattr(local, name) for local in found.values()])
    stated = np.array([getattr(local, f"{name}_std") for local in found.values()])
    other = "thermal length" if name == "critical_temperature" else "critical temperature"
    if not len(values):
        said = "the switching powers of no place tell it; give report.microwave.transfer and .loss"
        yield Finding(name, title, math.nan, unit=unit, remark=f"{said}.")
        return
    mean = mean_over_places(values * factor)
    spread = 0.0 if math.isnan(mean.std) else mean.std
    # the line's loss is common to all places, so their stated uncertainties do not average out
    std = math.hypot(spread, float(np.median(stated)) * factor)
    how = f"By inversion of the switching powers, with the {other} given."
    yield Finding(name, title, mean.value, std, unit, f"{_over(mean)} {how}")
    truth = powers.dataset.get(f"true_{name}")
    if truth is not None:
        true = np.array([float(truth.values[index]) for index in found]) * factor
        yield Finding(f"true_{name}", f"{title} of the twin there", float(np.mean(true)), unit=unit,
                      remark="Mean of the truth over the same places.")  # fmt: skip


def _supercurrent(dataset: xr.Dataset) -> Iterator[Finding]:
    """Yield what the critical current says, if it was measured."""
    if "critical_current" not in dataset or not np.isfinite(dataset["critical_current"]).any():
        return
    found = supercurrent_map(dataset)
    cold = found.cold[np.isfinite(found.cold)]
    loss = found.loss[np.isfinite(found.loss)]
    if not len(loss):
        return
    step = current_step(dataset)
    rounding = step / math.sqrt(12) if math.isfinite(step) else 0.0
    # before and after are two readings; a scatter below rounding errors of numbers is none
    error = math.hypot(_scatter(cold), rounding / math.sqrt(2)) or math.nan
    ramp = f", and readings come in steps of {step * 1e6:.3g} µA" if rounding else ""
    yield Finding(
        "critical_current", "Critical current of the strip", float(np.mean(cold)) * 1e6,
        error * 1e6, "µA", f"Cold; the uncertainty is the scatter of one value{ramp}.",
    )  # fmt: skip
    title = "Largest loss of critical current by the hot spot"
    of_loss = math.hypot(error, rounding)
    yield Finding("largest_loss", title, float(np.max(loss)) * 1e6, of_loss * 1e6, "µA",
                  "The largest of all sites, so rather too large than too small.")  # fmt: skip
    if "true_supercurrent" in dataset:
        yield Finding(
            "supercurrent_agreement",
            "Correlation of that map with the true supercurrent",
            correlation(found.loss, dataset["true_supercurrent"].values),
            remark="Of the twin; the hot spot is wider than the channels' edges.",
        )


def _scatter(values: Array) -> float:
    """Return the standard deviation of readings; 0 if they differ by nothing but rounding."""
    std = float(np.std(values))
    return std if std > 1e-9 * float(np.max(np.abs(values))) else 0.0
