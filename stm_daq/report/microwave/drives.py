"""Switching drives of a hot spot beside the model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.microwave.drives import Calibration, phonon_temperature, predicted
from stm_daq.analysis.microwave.power_maps import switch_maps
from stm_daq.errors import CannotTellError
from stm_daq.physics.hotspot_units import MATERIALS, TipAboveFilm
from stm_daq.records import Array
from stm_daq.report.style import (
    BLUE,
    FIT,
    NothingToShowError,
    in_house_style,
    letter,
    new_figure,
)
from stm_daq.report_settings import settings_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GHZ = 1e-9
APART = 0.012
"""Places stand side by side within this part of the frequency."""
CURVE = 9
"""Frequencies at which the model is computed for its lines."""


@in_house_style
def figure_drives(dataset: xr.Dataset) -> Figure:
    """Draw the drives at which the states end, at every place and frequency, beside the model's.

    Parameters
    ----------
    dataset : xarray.Dataset
        A run of power sweeps whose plan has ``report.microwave`` with `transfer` and `loss`.

    Raises
    ------
    NothingToShowError
        If the plan does not say how powers become drives, or nothing switches.
    """
    settings = settings_of(dataset).microwave
    if settings is None or settings.transfer is None or settings.loss is None:
        raise NothingToShowError(
            "Powers cannot be turned into drives: write report.microwave with transfer and loss."
        )
    film = TipAboveFilm(MATERIALS[settings.material], 10e-9, settings.distance)
    maps = [m for m in switch_maps(dataset) if math.isfinite(m.frequency)]
    if not any(np.isfinite(m.up).any() for m in maps):
        raise NothingToShowError("Nothing switches in this run.")
    figure = new_figure(3.0, 4.4)
    axes = figure.subplots()
    for m, loss in zip(maps, settings.loss, strict=True):
        calibration = Calibration(film, loss, settings.loss_std, settings.transfer)
        for values, stds, colour in ((m.up, m.up_std, FIT), (m.down, m.down_std, BLUE)):
            drive = calibration.drive(values.ravel())
            std = drive * math.log(10) / 20 * np.hypot(stds.ravel(), settings.loss_std)
            place = m.frequency * GHZ * (1 + np.linspace(-APART, APART, len(drive)))
            axes.errorbar(
                place, drive, std, fmt="o", color=colour, markersize=3, capsize=2, linewidth=0.8
            )
    _model(axes, film, np.array([m.frequency for m in maps]), phonon_temperature(dataset))
    axes.set(xlabel="Frequency (GHz)", ylabel="Drive $J$ ($j_*$)", ylim=(0, None))
    axes.legend(loc="best")
    letter(axes, 0, f"{settings.material}, $z_0$ = {settings.distance * 1e9:.3g} nm")
    return figure


def _model(axes: Axes, film: TipAboveFilm, frequencies: Array, phonons: float) -> None:
    """Draw the equations' drives around the measured frequencies."""
    some = np.linspace(0.85 * frequencies.min(), 1.15 * frequencies.max(), CURVE)
    drives = np.full((CURVE, 2), np.nan)
    for number, frequency in enumerate(some):
        try:
            drives[number] = predicted(film, float(frequency), phonons)
        except CannotTellError:
            continue  # one state only: the lines end
    names = (("hot state ends, model", BLUE), ("cold state ends, model", FIT))
    for values, (name, colour) in zip(drives.T, names, strict=True):
        axes.plot(some * GHZ, values, "-", color=colour, linewidth=0.9, label=name)
