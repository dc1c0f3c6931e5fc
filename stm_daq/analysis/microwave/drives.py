"""Switching powers in the units of the model, and what they say of the film at every place.

A source of power P drives the displacement current I0 = sqrt(2 P_tip / transfer) through tip and film,
where P_tip = P - loss (dB); the drive is J = I0 / `TipAboveFilm.current` = j_max / j*.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.microwave.inversion import Local, Switching, invert
from stm_daq.analysis.microwave.power_maps import SwitchMaps
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.physics.hotspot import switching_drives
from stm_daq.physics.hotspot_units import TipAboveFilm
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the power of the source becomes a drive, at one frequency."""

    film: TipAboveFilm
    loss: float
    """Of the line from the source to the tip, dB."""
    loss_std: float
    """dB."""
    transfer: float
    """Power at the tip over the square of its rms current, ohm."""

    @property
    def unit_power(self) -> float:
        """Power of the source at which the drive is 1, dBm."""
        watts = self.transfer * self.film.current**2 / 2
        return 10 * math.log10(watts / 1e-3) + self.loss

    def drive(self, power: Array) -> Array:
        """Return the drive J (in j*) of powers of the source, dBm."""
        return np.asarray(10 ** ((np.asarray(power) - self.unit_power) / 20))


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean over places and its standard deviation."""

    value: float
    std: float
    count: int


def mean_over_places(values: Array) -> Mean:
    """Return the mean of the finite values.

    Its uncertainty is their scatter over the root of their number.

    Raises
    ------
    CannotTellError
        If no value is known.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        raise CannotTellError("nothing switches at any place")
    std = float(np.std(known, ddof=1) / math.sqrt(len(known))) if len(known) > 1 else math.nan
    return Mean(float(np.mean(known)), std, len(known))


def phonon_temperature(dataset: xr.Dataset) -> float:
    """Return the mean stage temperature of a run, K.

    Raises
    ------
    CannotTellError
        If none was recorded.
    """
    values = dataset["stage_temperature"].values
    if not np.isfinite(values).any():
        raise CannotTellError("the run has no stage temperature")
    return float(np.nanmean(values))


def predicted(film: TipAboveFilm, frequency: float, phonons: float) -> tuple[float, float]:
    """Return the drives (J_down, J_up) that the equations give for a film; frequency in Hz, phonons in K.

    Raises
    ------
    CannotTellError
        If the film has one state only.
    """
    found = switching_drives(
        float(film.frequency(frequency)),
        float(film.temperature(phonons)),
        film.thermal_length,
        n=film.material.exponent,
    )
    if found is None:
        raise CannotTellError("a film of these numbers has one state only")
    return found.down, found.up


def switchings_at(
    maps: Sequence[SwitchMaps], calibrations: Sequence[Calibration | None], index: tuple[int, ...]
) -> list[Switching]:
    """Return the switching powers of one place at every frequency at which both states end."""
    found = []
    for m, calibration in zip(maps, calibrations, strict=True):
        up, up_std = float(m.up[index]), float(m.up_std[index])
        down, down_std = float(m.down[index]), float(m.down_std[index])
        if not all(map(math.isfinite, (up, up_std, down, down_std, m.frequency))):
            continue
        unit, unit_std = 0.0, math.inf
        if calibration is not None:
            unit, unit_std = calibration.unit_power, calibration.loss_std
        found.append(Switching(m.frequency, up, up_std, down, down_std, unit, unit_std))
    return found


def local_films(
    dataset: xr.Dataset,
    maps: Sequence[SwitchMaps],
    calibrations: Sequence[Calibration | None],
    film: TipAboveFilm,
    free: str,
) -> Iterator[tuple[tuple[int, ...], Local]]:
    """Yield place by place what the switching powers say; places that tell nothing are left out.

    Parameters
    ----------
    dataset : xarray.Dataset
    maps, calibrations : sequence
        For each frequency; a calibration that is not known is None, then only the width counts.
    film : TipAboveFilm
        The other numbers.
    free : str
        "critical_temperature" or "thermal_length".
    """
    phonons = phonon_temperature(dataset)
    for index in np.ndindex(dataset["time"].shape):
        switchings = switchings_at(maps, calibrations, index)
        if not switchings:
            continue
        try:
            local = invert(
                switchings,
                phonon_temperature=phonons,
                distance=film.distance,
                exponent=film.material.exponent,
                critical_temperature=film.material.critical_temperature,
                thermal_length=film.material.thermal_length,
                free=(free,),
            )
        except BadInputError:
            continue  # this place tells nothing; how many do is in the finding
        yield index, local
