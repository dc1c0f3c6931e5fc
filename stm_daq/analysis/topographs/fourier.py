"""Fourier transforms of maps: amplitudes in the unit of the map, wave vectors in 1/m."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from stm_daq.analysis.maps.images import Image, Numbers, image_of, is_constant, plane_of
from stm_daq.analysis.maps.sites import Mask
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

type Window = Literal["hann", "none"]
MOST_MISSING = 0.1
"""A map with more missing pixels is not transformed: its gaps would be seen as much as itself."""


def fourier(
    data: xr.DataArray, window: Window = "hann", most_missing: float = MOST_MISSING
) -> xr.Dataset:
    """Transform a map.

    With the weights w of the window (zero at missing pixels) and the map z less its weighted mean,

        F(k) = sum_r w z exp(-i k r)
        amplitude = 2 |F| / sum w
        power = |F|^2 dx dy / sum w^2

    A wave A cos(k r + phase) has the amplitude A at k and at -k, and the integral of the power over
    dkx dky / (2 pi)^2 is the weighted mean square of the map (Parseval), exactly.

    Parameters
    ----------
    data : xarray.DataArray
        Over (``y``, ``x``) or (``topograph_y``, ``topograph_x``), m; levelled, if heights.
    window : str
        "hann" fades the edges out; "none" does not, and the edges of the frame are seen as a cross.
    most_missing : float
        Largest part of missing pixels.

    Returns
    -------
    xarray.Dataset
        ``amplitude`` (unit of the map), ``power`` (unit^2 m^2), ``phase`` (rad, at the lower left
        pixel) over ``ky``, ``kx`` (1/m, 2 pi over the wavelength; zero in the middle).
        Attributes: ``missing``, ``window``, ``mean_square``.

    Raises
    ------
    BadInputError, CannotTellError
        See :func:`stm_daq.analysis.maps.images.image_of`; or for an unknown window.
    """
    import xarray as xr

    image = image_of(data, least=64, most_missing=most_missing)
    weight, faded = faded_out(image, window)
    transform = np.fft.fftshift(np.fft.fft2(faded))
    unit = str(data.attrs.get("units", ""))
    dims, area = ("ky", "kx"), image.step[0] * image.step[1]
    size = np.abs(transform)
    return xr.Dataset(
        {
            "amplitude": (dims, 2 * size / weight.sum(), {"units": unit}),
            "power": (dims, size**2 * area / np.sum(weight**2), {"units": _power_unit(unit)}),
            "phase": (dims, np.angle(transform), {"units": "rad"}),
        },
        coords=wave_vectors(image.x, image.y),
        attrs={
            "missing": image.missing,
            "window": window,
            "name": image.name,
            "mean_square": float(np.sum(faded**2) / np.sum(weight**2)),
        },
    )


def fourier_of_energies(
    data: xr.DataArray, window: Window = "hann", most_missing: float = MOST_MISSING
) -> xr.DataArray:
    """Transform the maps of dI/dV at every bias: where quasiparticles interfere, k depends on it.

    Parameters
    ----------
    data : xarray.DataArray
        Spectra over ``y``, ``x`` and one more axis, such as ``bias``. A pixel counts only if its
        spectrum is whole, so that all energies see the same places.
    window, most_missing
        As in :func:`fourier`.

    Returns
    -------
    xarray.DataArray
        ``amplitude`` (unit of the map) over the swept axis, ``ky``, ``kx``. A map that is the same
        everywhere has none: NaN.

    Raises
    ------
    BadInputError, CannotTellError
        As :func:`fourier`.
    """
    import xarray as xr

    plane = plane_of(data)
    others = [str(dim) for dim in data.dims if dim not in plane]
    if len(others) != 1:
        raise BadInputError(f"'{data.name}' has the axes {data.dims}; give y, x and one swept axis")
    ordered = data.transpose(others[0], *plane)
    values = np.asarray(ordered.values, dtype=np.float64)
    whole = np.isfinite(values).all(axis=0)
    image = image_of(
        ordered[0].copy(data=np.where(whole, values.mean(axis=0), np.nan)), 64, most_missing, True
    )
    weight = weights(image, window)
    total = weight.sum()
    amplitude = np.empty(values.shape)
    for number, one in enumerate(values):  # one at a time: the whole would be complex and large
        flat = is_constant(np.where(whole, one, np.nan))
        transform = np.fft.fft2(weight * _centred(one, weight))
        amplitude[number] = np.nan if flat else np.fft.fftshift(2 * np.abs(transform) / total)
    return xr.DataArray(
        amplitude,
        dims=(others[0], "ky", "kx"),
        coords={others[0]: ordered[others[0]], **wave_vectors(image.x, image.y)},
        attrs={"units": str(data.attrs.get("units", "")), "missing": image.missing},
        name="amplitude",
    )


def radial_average(spectrum: xr.DataArray) -> xr.Dataset:
    """Average over all directions of the wave vector.

    Parameters
    ----------
    spectrum : xarray.DataArray
        Over ..., ``ky``, ``kx``, such as ``fourier(z).power``.

    Returns
    -------
    xarray.Dataset
        ``mean``, ``std`` (of the mean; the two halves of a spectrum count once), ``count`` over
        ..., ``k`` (1/m), in rings as wide as the coarser of the two steps; zero is left out.

    Raises
    ------
    BadInputError
        If there are no such axes.
    """
    import xarray as xr

    if not {"ky", "kx"} <= set(spectrum.dims):
        raise BadInputError(f"the axes are {spectrum.dims}; a spectrum has ky and kx")
    ordered = spectrum.transpose(..., "ky", "kx")
    ring, step, used = rings(ordered["kx"].values, ordered["ky"].values)
    count = np.bincount(ring[used])[1:]
    values = ordered.values.reshape(-1, ring.size)[:, used.ravel()]
    number = ring[used]
    mean = np.array([np.bincount(number, row)[1:] for row in values]) / count
    square = np.array([np.bincount(number, row**2)[1:] for row in values]) / count
    independent = np.maximum(count / 2, 1.0)
    std = np.sqrt(np.maximum(square - mean**2, 0.0) / independent)
    shape = (*ordered.shape[:-2], len(count))
    dims = (*ordered.dims[:-2], "k")
    unit = {"units": spectrum.attrs.get("units", "")}
    outer = {name: ordered[name] for name in ordered.dims[:-2] if name in ordered.coords}
    k = ("k", step * np.arange(1, len(count) + 1), {"units": "1/m", "long_name": "wave vector"})
    return xr.Dataset(
        {
            "mean": (dims, mean.reshape(shape), unit),
            "std": (dims, std.reshape(shape), unit),
            "count": ("k", count),
        },
        coords={"k": k, **outer},
    )


def rings(kx: Array, ky: Array) -> tuple[Numbers, float, Mask]:
    """Return the number of the ring of every wave vector, the width of a ring, and which are used.

    Used are those whose ring lies within the spectrum on all sides, without zero.
    """
    step = max(kx[1] - kx[0], ky[1] - ky[0])
    ring = np.rint(np.hypot(*np.meshgrid(kx, ky)) / step).astype(np.int64)
    largest = int(min(np.abs(kx).max(), np.abs(ky).max()) / step)
    if largest < 1:
        raise CannotTellError("the map is too narrow for an average over directions")
    return ring, float(step), (ring >= 1) & (ring <= largest)


def faded_out(image: Image, window: Window) -> tuple[Array, Array]:
    """Return the weights of the pixels, and the map less its weighted mean times these."""
    weight = weights(image, window)
    return weight, weight * _centred(image.values, weight)


def weights(image: Image, window: Window) -> Array:
    """Return the weights of the pixels, shape (rows, columns); zero where there is no value.

    Raises
    ------
    BadInputError
        If there is no such window.
    """
    rows, columns = image.values.shape
    if window == "none":
        weight = np.ones((rows, columns))
    elif window == "hann":
        weight = np.multiply.outer(_hann(rows), _hann(columns))
    else:
        raise BadInputError(f"window='{window}': give 'hann' or 'none'")
    return np.asarray(weight * image.known)


def wave_vectors(x: Array, y: Array) -> dict[str, tuple[str, Array, dict[str, str]]]:
    """Return the coordinates of a spectrum, zero in the middle, 1/m."""
    found = {}
    for name, axis in (("ky", y), ("kx", x)):
        step = (axis[-1] - axis[0]) / (len(axis) - 1)
        k = 2 * np.pi * np.fft.fftshift(np.fft.fftfreq(len(axis), step))
        found[name] = (name, k, {"units": "1/m", "long_name": f"wave vector along {name[1]}"})
    return found


def _hann(count: int) -> Array:
    """Return the periodic Hann window, with its middle between the pixels' edges."""
    return np.asarray(np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 2)


def _centred(values: Array, weight: Array) -> Array:
    """Subtract the weighted mean; pixels without weight are zero."""
    filled = np.where(weight > 0, values, 0.0)
    return np.asarray(filled - np.sum(weight * filled) / weight.sum())


def _power_unit(unit: str) -> str:
    return f"{unit}^2 m^2" if unit else "m^2"
