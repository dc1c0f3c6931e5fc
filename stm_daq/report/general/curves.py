"""Any set of spectra: all of them over one another, or as an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stm_daq.report.general.clusters import colour_of
from stm_daq.report.raster import robust_limits
from stm_daq.report.style import (
    BLUE,
    DATA,
    NothingToShowError,
    in_house_style,
    letter,
    new_figure,
)
from stm_daq.report.units import in_units_of_people

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

FEW = 8
"""So many spectra are told apart by colour."""
LINES = 60


@in_house_style
def figure_curves(spectra: xr.DataArray) -> Figure:
    """Draw a set of spectra: a few in colours, many thin with their mean, and all as an image.

    Parameters
    ----------
    spectra : xarray.DataArray
        Over any axes, the swept one last.

    Raises
    ------
    NothingToShowError
        If there are none.
    """
    swept = str(spectra.dims[-1])
    values, _, label = in_units_of_people(spectra, "Spectrum")
    values = values.reshape(-1, values.shape[-1])
    values = values[np.isfinite(values).any(axis=1)]
    if not len(values):
        raise NothingToShowError("There is no spectrum.")
    position, _, position_label = in_units_of_people(spectra[swept], swept)
    figure = new_figure(2.7)
    lines, image = figure.subplots(1, 2)
    few = len(values) <= FEW
    chosen = np.linspace(0, len(values) - 1, min(len(values), LINES)).astype(int)
    for number in chosen:
        colour = colour_of(number) if few else DATA
        lines.plot(
            position, values[number], color=colour, lw=0.9 if few else 0.4, alpha=1 if few else 0.3
        )
    if not few:
        whole = values[np.isfinite(values).all(axis=1)]
        if len(whole):
            lines.plot(position, whole.mean(axis=0), color=BLUE, linewidth=1.6, label="mean")
            lines.legend()
    lines.set(xlabel=position_label, ylabel=label)
    if len(values) == 1:
        image.set_axis_off()  # the page shows every figure equally wide, and text equally large
        letter(lines, 0, "Spectrum")
        return figure
    part = "" if len(chosen) == len(values) else f"{len(chosen)} of "
    letter(lines, 0, f"{part}{len(values)} spectra")
    mesh = image.pcolormesh(
        position, np.arange(len(values)) + 1, values, cmap="magma", rasterized=True
    )
    mesh.set_clim(*robust_limits(values))
    figure.colorbar(mesh, ax=image, label=label)
    image.set(xlabel=position_label, ylabel="Number of the spectrum")
    image.yaxis.get_major_locator().set_params(integer=True)
    letter(image, 1, "The same as an image")
    return figure
