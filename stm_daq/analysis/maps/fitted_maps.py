"""Maps of fitted values without the sites that must not count, and why each of those does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stm_daq.analysis.maps.sites import Sites, sites_of
from stm_daq.errors import BadInputError
from stm_daq.fitting.verdict import is_ok

if TYPE_CHECKING:
    import xarray as xr

NOT_PLANNED = "not planned"
NOT_MEASURED = "not measured"
NOT_FITTED = "not fitted"
NO_VALUE = "no value"


@dataclass(frozen=True, slots=True)
class Excluded:
    """A site of the plan that no result is made from."""

    x: float
    """m, in the frame of the map."""
    y: float
    """m."""
    row: int
    """From 0, the bottom of the frame."""
    column: int
    reason: str
    """As in :func:`reasons`: ``"fit: too_noisy, second_minimum"``."""
    flags: tuple[str, ...]
    """The flags that exclude it; empty if there is no spectrum or no fit."""
    step: tuple[int, ...] = ()
    """Its place along the outer axes; empty without any."""


def reasons(dataset: xr.Dataset) -> xr.DataArray:
    """Say of every site why it does not count.

    Parameters
    ----------
    dataset : xarray.Dataset
        A run with fits.

    Returns
    -------
    DataArray of str
        Dimensions (outer axes..., y, x). Empty where the fit counts: it is trusted, or, in a map
        where hardly any fit is trusted, it is doubtful (:attr:`Sites.representative`). Else
        "not planned", "not measured", "not fitted", or the flags of the spectrum and those of the fit
        that make it untrustworthy: "spectrum: overload; fit: too_noisy, second_minimum".

    Raises
    ------
    BadInputError
        If the dataset is not a run with fits.
    """
    _require_fits(dataset)
    sites = sites_of(dataset)
    found = np.full(sites.wanted.shape, "", dtype=object)
    for place in zip(*np.nonzero(~sites.representative), strict=True):
        found[place] = _reason(dataset, sites, place)
    return dataset["time"].copy(data=found).rename("reason").assign_attrs(units="")


def excluded(dataset: xr.Dataset) -> list[Excluded]:
    """List every planned site that does not count, in the order of the data.

    Parameters and errors are those of :func:`reasons`.
    """
    why = reasons(dataset).values
    x, y = dataset["x"].values, dataset["y"].values
    found = []
    for place in zip(*np.nonzero((why != "") & (why != NOT_PLANNED)), strict=True):
        *step, row, column = (int(number) for number in place)
        spectrum, fit = _blamed(dataset, place)
        flags = (*spectrum, *fit) if ":" in why[place] else ()
        here = float(x[column]), float(y[row])
        found.append(Excluded(*here, row, column, why[place], flags, tuple(step)))
    return found


def fitted_maps(
    dataset: xr.Dataset, names: Sequence[str] = ("gap", "temperature", "barrier")
) -> xr.Dataset:
    """Return maps of fitted values; those that must not count are NaN, with the reason beside.

    Parameters
    ----------
    dataset : xarray.Dataset
        A run with fits.
    names : sequence of str, optional
        Fitted quantities.

    Returns
    -------
    Dataset
        Each quantity and its ``<name>_std``, SI (energies eV), dimensions (outer axes..., y, x), and
        ``reason`` (:func:`reasons`).

    Raises
    ------
    BadInputError
        If the dataset is not a run with fits, or has no such quantity.
    """
    import xarray as xr

    why = reasons(dataset)
    for name in names:
        if name not in dataset:
            raise BadInputError(f"the fits of this run have no '{name}': choose another model")
    both = [key for name in names for key in (name, f"{name}_std") if key in dataset]
    counts = why == ""
    return xr.Dataset({key: dataset[key].where(counts) for key in both} | {"reason": why})


def _require_fits(dataset: xr.Dataset) -> None:
    needed = ("time", "conductance", "gap", "fit_ok", "fit_flags", "flags", "x", "y")
    missing = [name for name in needed if name not in dataset]
    if missing:
        raise BadInputError(
            f"this is not a run with fits: it has no {', '.join(missing)}; "
            "open a run with `stm_daq.open_run`"
        )


def _reason(dataset: xr.Dataset, sites: Sites, place: tuple[np.intp, ...]) -> str:
    if not sites.wanted[place]:
        return NOT_PLANNED
    if not sites.measured[place]:
        return NOT_MEASURED
    if sites.unfitted[place]:
        return NOT_FITTED
    spectrum, fit = _blamed(dataset, place)
    parts = [f"spectrum: {', '.join(spectrum)}"] if spectrum else []
    parts += [f"fit: {', '.join(fit)}"] if fit else []
    return "; ".join(parts) or NO_VALUE


def _blamed(
    dataset: xr.Dataset, place: tuple[np.intp, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the flags that exclude a site: all of its spectrum, the fatal ones of its fit."""
    spectrum = _flags(dataset["flags"].values, place)
    of_fit = _flags(dataset["fit_flags"].values, place)
    return spectrum, tuple(f for f in of_fit if f not in spectrum and not is_ok((f,)))


def _flags(texts: NDArray[np.object_], place: tuple[np.intp, ...]) -> tuple[str, ...]:
    found = [flag.strip() for flag in str(texts[place]).split(",")]
    return tuple(flag for flag in found if flag not in ("", "nan", "None"))
