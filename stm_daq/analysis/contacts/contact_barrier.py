"""The barrier of a contact against its conductance, after Blonder, Tinkham and Klapwijk."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stm_daq.errors import CannotTellError
from stm_daq.fitting import fit, grade
from stm_daq.physics import btk
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

DECISIVE = 10.0
"""Difference of the Bayesian criterion from which on a broadening is taken for real."""
_FITTED = ("barrier", "barrier_std", "gap", "gap_std")


def barriers(spectra: xr.Dataset) -> xr.Dataset:
    """Fit the model of Blonder, Tinkham and Klapwijk to every spectrum.

    The temperature is that of the stage, so that the barrier need not make up for it; nor for a
    broadening, which is fitted too where the spectrum asks for it (`DECISIVE`).

    Parameters
    ----------
    spectra : xarray.Dataset
        From :func:`stm_daq.analysis.contacts.contact.contact_spectra`.

    Returns
    -------
    xarray.Dataset
        Dimensions (set_temperature, set_current, place): `barrier`, `barrier_std`, `lower_limit` (95 %,
        where the contact is too opaque for more; else NaN), `gap`, `gap_std` (eV), and `misfit`: rms
        of what the model leaves of the spectrum, noise included, over the conductance of the normal
        state. NaN where a fit failed.

    Raises
    ------
    CannotTellError
        If no fit succeeded.
    """
    import xarray as xr

    dims, shape = spectra["contact"].dims, spectra["contact"].shape
    out = {name: np.full(shape, math.nan) for name in (*_FITTED, "lower_limit", "misfit")}
    wanted = np.isfinite(spectra["contact"].values) & np.isfinite(spectra["temperature"].values)
    if wanted.any():
        plain, broad = (_fitted(spectra, wanted, model) for model in ("btk", "btk+broadening"))
        better = np.isfinite(broad["barrier"]) & ~(plain["bic"] - broad["bic"] < DECISIVE)
        for name, values in out.items():
            values[wanted] = np.where(better, broad[name], plain[name])
    if not np.isfinite(out["barrier"]).any():
        raise CannotTellError("no spectrum could be fitted with a barrier: is there a gap?")
    return xr.Dataset({name: (dims, values) for name, values in out.items()})


def _fitted(spectra: xr.Dataset, wanted: NDArray[np.bool_], model: str) -> dict[str, Array]:
    """Return what one model says of the wanted spectra; NaN where its fit failed."""
    found = fit(
        spectra["bias"].values,
        spectra["spectrum"].values[wanted],
        model,
        fixed={"temperature": spectra["temperature"].values[wanted]},
        modulation=float(spectra.attrs["modulation"]),
    )
    flags = [set(str(text).split(",")) - {""} for text in found["flags"].values]
    told = np.array([grade(words) != "failed" for words in flags])
    opaque = np.array(["barrier_lower_limit" in words for words in flags])
    values = {name: np.where(told, found[name].values, math.nan) for name in (*_FITTED, "bic")}
    limit = found["barrier_limit"].values if "barrier_limit" in found else math.nan
    values["lower_limit"] = np.where(told & opaque, limit, math.nan)
    values["misfit"] = np.where(told, _misfit(found, spectra, wanted), math.nan)
    return values


def _misfit(found: xr.Dataset, spectra: xr.Dataset, wanted: NDArray[np.bool_]) -> Array:
    """Return the rms difference of spectra and fits over the normal conductance."""
    values = {n: found[n].values for n in ("gap", "temperature", "barrier", "offset", "scale")}
    told = np.all([np.isfinite(part) for part in values.values()], axis=0)
    gap, kelvin, barrier, offset, scale = (np.where(told, v, 1e-3) for v in values.values())
    gamma = np.where(told, found["broadening"].values, 0.0) if "broadening" in found else 0.0
    shifted = spectra["bias"].values - offset[:, None]
    modulation = float(spectra.attrs["modulation"])
    curves = btk.conductance(shifted, gap, kelvin, barrier, gamma, modulation)
    rest = spectra["spectrum"].values[wanted] / scale[:, None] - curves
    square = np.where(np.isfinite(rest), rest**2, 0.0).sum(axis=-1)
    return np.asarray(np.sqrt(square / np.maximum(np.isfinite(rest).sum(axis=-1), 1)))


@dataclass(frozen=True, slots=True)
class BarrierFall:
    """The barrier at both ends of a series, at the lowest temperature, mean over the places."""

    lowest_contact: float
    """2e^2/h; the lowest conductance at which the barrier is known, not only a limit."""
    at_lowest: float
    at_lowest_std: float
    """With what the uncertainty of the conductance makes of it."""
    highest_contact: float
    """2e^2/h."""
    at_highest: float
    at_highest_std: float
    falls: float
    """Rank correlation of the barrier and the conductance; -1: it falls steadily."""


def barrier_fall(spectra: xr.Dataset, found: xr.Dataset) -> BarrierFall:
    """Tell how the barrier falls as the contact closes.

    Only set-points at which most places tell the barrier to a fifth count: the others would be those
    that noise made too low.

    Parameters
    ----------
    spectra : xarray.Dataset
        From :func:`stm_daq.analysis.contacts.contact.contact_spectra`.
    found : xarray.Dataset
        From :func:`barriers`, or for the barrier of the pairs from
        :func:`stm_daq.analysis.contacts.collective_gap.channel_fits`.

    Raises
    ------
    CannotTellError
        If the barrier is known at fewer than three conductances.
    """
    cold = int(np.nanargmin(spectra["temperature"].mean(("set_current", "place")).values))
    contact = spectra["contact"].values[cold]
    barrier, std = found["barrier"].values[cold], found["barrier_std"].values[cold]
    known = np.isfinite(barrier) & np.isfinite(contact) & (std < barrier / 5)
    if "lower_limit" in found:
        known &= np.isnan(found["lower_limit"].values[cold])
    steps = np.flatnonzero(
        known.sum(axis=1) > 0.5 * np.isfinite(contact).sum(axis=1)
    )  # measured ones
    if len(steps) < 3:
        raise CannotTellError(
            f"the barrier is known at {len(steps)} conductance(s), needed are three: go on to higher "
            "set-point currents"
        )
    at, error = (np.array([part[k][known[k]].mean() for k in steps]) for part in (barrier, std))
    places = np.array([known[k].sum() for k in steps])
    conductance, off = (
        np.array([part[k][known[k]].mean() for k in steps])
        for part in (contact, spectra["contact_std"].values[cold])
    )
    # the error of the conductance is common to the places, and moves along the curve
    steepness = np.gradient(np.log(at), np.log(conductance)) * at / conductance
    total = np.hypot(error / np.sqrt(places), steepness * off)
    ranks = [np.argsort(np.argsort(part[known])).astype(float) for part in (contact, barrier)]
    falls = float(np.corrcoef(ranks[0], ranks[1])[0, 1])
    low, high = (tuple(float(part[k]) for part in (conductance, at, total)) for k in (0, -1))
    return BarrierFall(low[0], low[1], low[2], high[0], high[1], high[2], falls)


def misfit_at_contact(spectra: xr.Dataset, found: xr.Dataset) -> float:
    """Return what the model leaves of the most transparent spectrum at the lowest temperature.

    Parameters
    ----------
    spectra, found : xarray.Dataset
        From :func:`stm_daq.analysis.contacts.contact.contact_spectra` and :func:`barriers`.

    Returns
    -------
    float
        rms over the conductance of the normal state; NaN if no fit of that temperature succeeded.
    """
    cold = int(np.nanargmin(spectra["temperature"].mean(("set_current", "place")).values))
    misfit = found["misfit"].values[cold]
    known = np.isfinite(misfit) & np.isfinite(spectra["contact"].values[cold])
    if not known.any():
        return math.nan
    contact = np.where(known, spectra["contact"].values[cold], -math.inf)
    return float(misfit.ravel()[np.argmax(contact)])
