"""Random fields whose covariance is known, as maps."""

from __future__ import annotations

import numpy as np
import xarray as xr

PIXEL = 2e-9


def as_map(values, name="gap", pixel=PIXEL, units="m"):
    """Return values as a map of square pixels."""
    y, x = (np.arange(n) * pixel + 5e-9 for n in np.shape(values))
    found = xr.DataArray(np.array(values, dtype=float), {"y": y, "x": x}, ("y", "x"), name)
    for axis in ("y", "x"):
        found[axis].attrs["units"] = units
    return found


def fields(shape, length, rng, count, power=2.0):
    """Draw Gaussian random fields of variance 1 and covariance exp(-(r/length)^power), pixels."""
    size = [2 * n for n in shape]
    y, x = (np.abs(np.fft.fftfreq(n) * n) for n in size)
    covariance = np.exp(-((np.hypot(y[:, None], x) / length) ** power))
    amplitude = np.sqrt(np.maximum(np.fft.fft2(covariance).real, 0) / np.prod(size))
    noise = rng.standard_normal((count, *size)) + 1j * rng.standard_normal((count, *size))
    return np.fft.fft2(amplitude * noise).real[:, : shape[0], : shape[1]]
