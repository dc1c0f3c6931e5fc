"""The gap of single electrons, from the spectra of a series that are tunnelling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.errors import CannotTellError
from stm_daq.fitting import fit, grade
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

TUNNELLING = 0.02
"""Contacts up to this conductance (2e^2/h) are tunnel junctions: pairs carry less than that share."""


def single_gap(spectra: xr.Dataset) -> xr.Dataset:
    """Fit a broadened BCS density of states (Dynes) to the tunnelling spectra of every place.

    The temperature is that of the stage. Spectra of several tunnelling contacts of one place are
    combined by their standard deviations, which are enlarged where they disagree by more.

    Parameters
    ----------
    spectra : xarray.Dataset
        From :func:`stm_daq.analysis.contacts.contact.contact_spectra`.

    Returns
    -------
    xarray.Dataset
        `gap` and `gap_std` (eV), dimensions (set_temperature, place), NaN where no fit says a gap;
        `temperature` (K).

    Raises
    ------
    CannotTellError
        If no contact was a tunnel junction, or no fit found a gap.
    """
    import xarray as xr

    opaque = spectra["contact"].values <= TUNNELLING
    if not opaque.any():
        lowest = float(np.nanmin(spectra["contact"].values))
        raise CannotTellError(
            f"no contact is a tunnel junction (the lowest conductance is {lowest:.3g} x 2e^2/h, "
            f"needed is {TUNNELLING} at most): begin the series at a lower current"
        )
    gap, std = np.full((2, *opaque.shape), math.nan)
    usable = opaque & np.isfinite(spectra["temperature"].values)
    if usable.any():
        found = fit(
            spectra["bias"].values,
            spectra["spectrum"].values[usable],
            "dynes",
            fixed={"temperature": spectra["temperature"].values[usable]},
            modulation=spectra.attrs["modulation"],
        )
        good = np.array([grade(flags) != "failed" for flags in _flags(found)])
        gap[usable] = np.where(good, found["gap"].values, math.nan)
        std[usable] = np.where(good, found["gap_std"].values, math.nan)
    value, error = combined(gap, std, axis=1)
    if not np.isfinite(value).any():
        raise CannotTellError("no tunnelling spectrum shows a gap that a fit could find")
    dims = ("set_temperature", "place")
    return xr.Dataset(
        {
            "gap": (dims, value),
            "gap_std": (dims, error),
            "temperature": (dims, spectra["temperature"].mean("set_current").values),
        },
        coords={"set_temperature": spectra["set_temperature"].values},
    )


def _flags(found: xr.Dataset) -> list[set[str]]:
    return [set(str(text).split(",")) - {""} for text in found["flags"].values]


def combined(values: Array, std: Array, axis: int) -> tuple[Array, Array]:
    """Return means weighted by the standard deviations, and theirs.

    Where values disagree beyond them, the result's is multiplied by the square root of the reduced
    chi-square. NaN where no value is known.
    """
    known = np.isfinite(values) & (std > 0)
    weight = np.where(known, 1.0, 0.0) / np.where(known, std, 1.0) ** 2
    total = weight.sum(axis=axis)
    count = known.sum(axis=axis)
    safe = np.where(total > 0, total, math.nan)
    filled = np.where(known, values, 0.0)
    mean = (weight * filled).sum(axis=axis) / safe
    rest = weight * np.square(filled - np.expand_dims(mean, axis))
    reduced = np.nansum(rest, axis=axis) / np.maximum(count - 1, 1)
    return mean, np.sqrt(np.maximum(reduced, 1.0) / safe)
