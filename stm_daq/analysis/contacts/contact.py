"""Spectra of point contacts against their conductance, from tunnelling to contact.

A run is a series over the current of the set-point, at one or several places, perhaps at several
temperatures. The conductance of a contact is that of its normal state, in units of 2e^2/h. It is
taken from the outer third of dI/dV, where superconductivity is left only in powers of gap/V:

    dI/dV = G (1 + s V + a/V^2)

holds for a tunnel junction (a = gap^2/2) and a transparent contact alike, s being a slope of the
background. What noise leaves open of the tail a is taken as zero within `TAIL`. The current of
the set-point over its bias is given beside it as a check; it is lower by (gap/V)^2/2 in tunnelling
and higher by the excess current in contact, one or two per cent either way.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.fitting.lag import forget
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

QUANTUM = 7.748091729e-5
"""2e^2/h, S."""
OUTER = 2 / 3
"""Beyond this part of the largest bias a spectrum tells the conductance of the normal state."""
TAIL = 0.03
"""Standard deviation of a/V^2 at the largest bias before it is measured: a gap of a quarter of that."""
HIGHER = 1e-3
"""What higher powers of gap/V may make of the conductance, relative."""
FEWEST = 5
"""Points of the outer part, at each polarity, that are needed."""
SERIES = ("set_temperature", "set_current")
"""The outer axes that such a run may have."""


def contact_spectra(dataset: xr.Dataset) -> xr.Dataset:
    """Return the spectra of a run, normalised and sorted, with the conductance of their contacts.

    Parameters
    ----------
    dataset : xarray.Dataset
        From :func:`stm_daq.open_run`; outer axes `set_temperature` (K) and `set_current` (A), either
        of which may be missing.

    Returns
    -------
    xarray.Dataset
        Dimensions (set_temperature, set_current, place, bias), `bias` ascending in V, `place` counting
        the sites: `spectrum` (dI/dV, S, without the memory of the lock-in), `normalised` (over the
        conductance of the normal state), `contact` and `contact_std` (2e^2/h), `from_setpoint`
        (current of the set-point over its bias, 2e^2/h), `temperature` (K, of the stage). Spectra that
        are missing are NaN. The attribute `modulation` is its peak, V.

    Raises
    ------
    BadInputError
        If the run sweeps something else than the bias, or has other outer axes.
    CannotTellError
        If no spectrum reaches far enough on both sides of zero bias.
    """
    import xarray as xr

    _check(dataset)
    found = dataset[["conductance", "stage_temperature", "setpoint_current"]].load()
    if "direction" in found.dims:
        found = found.isel(direction=0)  # the memory of the lock-in is that of the way there
    found = found.expand_dims({n: [math.nan] for n in SERIES if n not in found.dims})
    found = found.stack(place=("y", "x"), create_index=False).drop_vars(["y", "x"], errors="ignore")
    found = found.transpose(*SERIES, "place", "bias")
    spectrum = _without_memory(dataset, found["conductance"].values)
    bias = found["bias"].values
    contact, std = _normal_conductance(bias, spectrum)
    if not np.isfinite(contact).any():
        raise CannotTellError(
            "no spectrum tells the conductance of its contact: "
            f"at least {FEWEST} points are needed beyond {OUTER:.2g} of the largest bias, on both sides"
        )
    order = np.argsort(bias)
    dims = (*SERIES, "place")
    at_setpoint = np.abs(found["setpoint_current"].values) / _setpoint_bias(dataset)
    return xr.Dataset(
        {
            "spectrum": ((*dims, "bias"), spectrum[..., order]),
            "normalised": ((*dims, "bias"), (spectrum / contact[..., None])[..., order]),
            "contact": (dims, contact / QUANTUM),
            "contact_std": (dims, std / QUANTUM),
            "from_setpoint": (dims, at_setpoint / QUANTUM),
            "temperature": (dims, found["stage_temperature"].values),
        },
        coords={name: found[name].values for name in SERIES} | {"bias": bias[order]},
        attrs={"modulation": float(dataset.attrs.get("modulation", 0.0))},
    )


def _check(dataset: xr.Dataset) -> None:
    missing = {"conductance", "setpoint_current", "stage_temperature"} - set(dataset)
    if missing or "bias" not in dataset["conductance"].dims:
        raise BadInputError(
            "a contact series needs spectra against bias: give the dataset of a run that sweeps it"
            + (f" (it lacks {', '.join(sorted(missing))})" if missing else "")
        )
    outer = [str(name) for name in dataset["setpoint_current"].dims if name not in ("y", "x")]
    others = sorted(set(outer) - set(SERIES))
    if others:
        raise BadInputError(
            f"a contact series is over {' and '.join(SERIES)}; select one of {', '.join(others)} first"
        )
    widest = float(np.max(np.abs(dataset["bias"].values), initial=0.0))
    if widest > 1.0:
        raise BadInputError(f"bias up to {widest:g} V: the bias must be in V")


def _without_memory(dataset: xr.Dataset, spectra: Array) -> Array:
    metadata = json.loads(dataset.attrs.get("metadata", "{}"))
    memory = np.array(metadata.get("step_memory", [1.0]), dtype=np.float64)
    flat = spectra.reshape(-1, spectra.shape[-1])
    return np.asarray(forget(flat, memory)).reshape(spectra.shape)


def _setpoint_bias(dataset: xr.Dataset) -> float:
    """Return the bias under feedback, V: where the sweep begins."""
    return float(abs(dataset["bias"].values[0]))


def _normal_conductance(bias: Array, spectra: Array) -> tuple[Array, Array]:
    """Return the normal-state conductance of every spectrum and its standard deviation, S."""
    largest = np.max(np.abs(bias))
    outer = np.abs(bias) > OUTER * largest
    volts = bias[outer] / largest
    columns = np.stack([np.ones_like(volts), volts, volts**-2], axis=1)
    value, std = np.full((2, *spectra.shape[:-1]), math.nan)
    for place in np.ndindex(spectra.shape[:-1]):
        value[place], std[place] = _without_tail(columns, spectra[place][outer])
    value[~(value > 0)] = math.nan
    return value, std


def _without_tail(columns: Array, spectrum: Array) -> tuple[float, float]:
    """Return the conductance at infinite bias and its standard deviation; NaN with too few points."""
    known = np.isfinite(spectrum)
    columns, measured = columns[known], spectrum[known]
    right = int((columns[:, 1] > 0).sum())
    if min(right, len(measured) - right) < FEWEST:
        return math.nan, math.nan
    rest = measured - columns @ (np.linalg.pinv(columns) @ measured)
    noise = math.sqrt(float(rest @ rest) / (len(measured) - columns.shape[1]))
    prior = np.zeros((3, 3))
    if noise > 0:
        prior[2, 2] = (noise / (TAIL * abs(float(np.mean(measured))))) ** 2
    covariance = np.linalg.inv(columns.T @ columns + prior)
    solution = covariance @ (columns.T @ measured)
    std = noise * math.sqrt(float(covariance[0, 0]))
    return float(solution[0]), math.hypot(std, HIGHER * float(solution[0]))
