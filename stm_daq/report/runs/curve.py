"""The curve that belongs to the values of a fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stm_daq.physics.btk import reflection, smeared
from stm_daq.records import Array

type FitCurve = Callable[[Array, Mapping[str, float], str, float], Array]
"""(bias (V), values as in :class:`stm_daq.records.Fit`, model, modulation (V peak)) -> conductance
(S), of the shape of the bias."""


def fitted_curve(bias: Array, values: Mapping[str, float], model: str, modulation: float) -> Array:
    """Compute the conductance of a fitted junction.

    G(V) = scale (1 + slope v) g(v; gap, temperature, barrier, broadening), v = V - offset

    with g of :mod:`stm_daq.physics.btk`; model "dynes" is an opaque barrier.

    Parameters
    ----------
    bias : ndarray, shape (n,)
        V.
    values : mapping
        gap (eV), temperature (K), scale (S); optionally barrier, broadening (eV), offset (V) and
        slope (1/V).
    model : str
        As in :class:`stm_daq.records.Fit`.
    modulation : float
        Peak amplitude at the junction, V.

    Returns
    -------
    ndarray, shape (n,)
        S.

    Raises
    ------
    KeyError
        If the values lack something that the model needs.
    """
    shifted = bias - values.get("offset", 0.0)
    normalised = smeared(
        shifted,
        values["gap"],
        values["temperature"],
        1.0 if model == "dynes" else reflection(values["barrier"]),
        values.get("broadening", 0.0),
        modulation,
        dc=False,
    )
    curve: Array = values["scale"] * (1.0 + values.get("slope", 0.0) * shifted) * normalised
    return curve
