"""Fourier transforms of maps, of one and of every energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.images import image_of
from stm_daq.analysis.topographs.fourier import fourier, fourier_of_energies, radial_average
from stm_daq.analysis.topographs.lattice import Lattice, Peak, find_peaks, lattice_of
from stm_daq.errors import CannotTellError
from stm_daq.records import Array
from stm_daq.report.raster import draw_image, extent_of, panel_height, panels_aspect, robust_limits
from stm_daq.report.runs.maps import scale_bar
from stm_daq.report.style import BLUE, FIT, GREEN, in_house_style, letter, new_figure
from stm_daq.report.units import in_units_of_people

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NM = 1e9
PER_NM = 1e-9
SHOWN = 1.6
"""The spectrum is shown up to this times the longest wave vector found."""
MARKED = 12
ENERGIES = 3


@in_house_style
def figure_fourier(data: xr.DataArray) -> Figure:
    """Draw a map, its Fourier amplitude with the waves found, and the power over all directions.

    Parameters
    ----------
    data : xarray.DataArray
        Over (``y``, ``x``) or (``topograph_y``, ``topograph_x``); heights are to be levelled.

    Raises
    ------
    NothingToShowError
        If it is constant, or too much is missing.
    BadInputError
        If the axes are not those of a map in m.
    """
    spectrum, peaks = fourier(data), find_peaks(data)
    image = image_of(data, 64)
    values, factor, label = in_units_of_people(data.transpose(*data.dims))
    extent = extent_of(image.x * NM, image.y * NM)
    figure = new_figure(panel_height(extent, 1.9) + 0.75)
    real, waves, average = figure.subplots(1, 3, width_ratios=(1, 1, 0.85))
    draw_image(real, values, extent, "cividis", label, robust_limits(values))
    real.set(xticks=(), yticks=())
    scale_bar(real, extent)
    letter(real, 0, "Map")
    _draw_spectrum(waves, spectrum["amplitude"] * factor, peaks, _unit(label))
    found = lattice_in(peaks)
    letter(waves, 1, "Fourier amplitude" if found is None else _told(found))
    average.set_box_aspect(panels_aspect(extent))
    _draw_average(average, spectrum["power"] * factor**2, peaks, _unit(label))
    letter(average, 2, "All directions")
    return figure


def lattice_in(peaks: list[Peak]) -> Lattice | None:
    """Return the hexagonal or square lattice of the strongest pair of waves; None without any.

    Of the two symmetries that with the stronger pair of waves counts.
    """
    found = []
    for symmetry in ("hexagonal", "square"):
        try:
            found.append(lattice_of(peaks, symmetry))
        except CannotTellError:
            continue  # not of this symmetry
    strength = [one.peaks[0].amplitude * one.peaks[1].amplitude for one in found]
    return found[int(np.argmax(strength))] if found else None


def _told(lattice: Lattice) -> str:
    return f"{lattice.symmetry.capitalize()}, {lattice.constant * NM:.3f} nm"


def _unit(label: str) -> str:
    return label.rpartition("(")[2].rstrip(")") if "(" in label else ""


def _draw_spectrum(axes: Axes, amplitude: xr.DataArray, peaks: list[Peak], unit: str) -> None:
    from matplotlib.ticker import NullFormatter

    kx, ky = (amplitude[name].values * PER_NM for name in ("kx", "ky"))
    reach = min(float(kx.max()), float(ky.max()))
    if peaks:
        reach = min(reach, SHOWN * max(peak.k for peak in peaks[:MARKED]) * PER_NM)
    inside = amplitude.values[np.ix_(np.abs(ky) <= reach, np.abs(kx) <= reach)]
    low, high = (float(v) for v in np.percentile(inside[inside > 0], [5, 99.9]))
    label = f"Amplitude ({unit})" if unit else "Amplitude"
    shown = np.maximum(amplitude.values, low)
    limits, extent = (low, high), extent_of(kx, ky)
    image = draw_image(axes, shown, extent, "magma", label, limits, logarithmic=True)
    if image.colorbar is not None and high > 30 * low:
        image.colorbar.ax.yaxis.set_minor_formatter(NullFormatter())
    for peak in peaks[:MARKED]:
        for sign in (1, -1):
            at = (sign * peak.kx * PER_NM, sign * peak.ky * PER_NM)
            axes.plot(*at, "o", markersize=6, markerfacecolor="none", markeredgecolor=GREEN)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="$k_x$ (1/nm)")
    axes.set_ylabel("$k_y$ (1/nm)", labelpad=-1)


def _draw_average(axes: Axes, power: xr.DataArray, peaks: list[Peak], unit: str) -> None:
    from matplotlib.ticker import NullFormatter

    found = radial_average(power)
    k = found["k"].values * PER_NM
    mean, std = found["mean"].values * NM**2, found["std"].values * NM**2
    axes.fill_between(k, np.maximum(mean - std, mean / 10), mean + std, color=BLUE, alpha=0.3)
    axes.loglog(k, mean, color=BLUE, linewidth=1)
    for peak in peaks[:MARKED]:
        axes.axvline(peak.k * PER_NM, color=GREEN, linewidth=0.7, zorder=0)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="k (1/nm)", ylabel=f"Power ({unit}² nm²)" if unit else "Power (nm²)")


@in_house_style
def figure_energies(spectra: xr.DataArray) -> Figure:
    """Draw the Fourier amplitude of dI/dV maps at some energies, and over all of them.

    Parameters
    ----------
    spectra : xarray.DataArray
        Over ``y``, ``x`` and ``bias``.

    Raises
    ------
    NothingToShowError
        If too many spectra are not whole.
    BadInputError
        If the axes are others.
    """
    amplitude = fourier_of_energies(spectra)
    swept = str(amplitude.dims[0])
    _, factor, label = in_units_of_people(spectra)
    order = np.argsort(amplitude[swept].values)
    amplitude = amplitude.isel({swept: order}) * factor
    position, _, position_label = in_units_of_people(amplitude[swept], swept)
    figure = new_figure(2.55)
    panels = figure.subplots(1, ENERGIES + 1, width_ratios=(*[1] * ENERGIES, 1.25))
    chosen = np.linspace(0, len(position) - 1, ENERGIES + 2).astype(int)[1:-1]
    unit = _unit(position_label)
    for number, (axes, at) in enumerate(zip(panels, chosen, strict=False)):
        kx, ky = (amplitude[name].values * PER_NM for name in ("kx", "ky"))
        shown = _without_zero(amplitude.values[at])
        low, high = robust_limits(shown)
        axes.imshow(
            shown, origin="lower", extent=extent_of(kx, ky), cmap="magma", vmin=low, vmax=high
        )
        axes.set(xlabel="$k_x$ (1/nm)")
        letter(axes, number, f"{position[at]:.3g} {unit}")
    panels[0].set_ylabel("$k_y$ (1/nm)", labelpad=-1)
    _draw_energies(panels[-1], amplitude, position, position_label, _unit(label), figure)
    return figure


def _without_zero(amplitude: Array) -> Array:
    shown = amplitude.copy()
    shown[amplitude.shape[0] // 2, amplitude.shape[1] // 2] = np.nan
    return shown


def _draw_energies(
    axes: Axes, amplitude: xr.DataArray, position: Array, label: str, unit: str, figure: Figure
) -> None:
    average = radial_average(amplitude)
    k, mean = average["k"].values * PER_NM, average["mean"].values
    ratio = mean / np.nanmedian(mean, axis=1, keepdims=True)
    mesh = axes.pcolormesh(k, position, ratio, cmap="magma", rasterized=True)
    mesh.set_clim(*robust_limits(ratio))
    place = axes.inset_axes((1.03, 0, 0.05, 1))
    figure.colorbar(mesh, cax=place, label="Amplitude over its median")
    axes.axhline(0, color=FIT, linewidth=0.5)
    axes.set_box_aspect(0.85)
    axes.set(xlabel="k (1/nm)", ylabel=label)
    letter(axes, ENERGIES, "All directions")
