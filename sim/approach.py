"""A junction that depends on how close the tip is: what it answers, and where the feedback puts it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim.barrier import Barrier
from sim.samples import ContactJunction, Junction, depends_on_distance

type Array = NDArray[np.float64]
type Response = Callable[[Array, float], Array]

STEP = 1e-3
"""A junction counts as the same while its normal-state conductance changes by less than this part."""
FAINTEST = 1e-30
"""Smallest conductance that is distinguished, S."""


def respond(
    junction: Junction,
    kind: Callable[[Junction], Response],
    bias: Array,
    modulation: float,
    scale: Array,
) -> Array:
    """Return conductance or current relative to the normal state, shape (n,).

    Parameters
    ----------
    kind : callable
        Takes the method wanted from a junction.
    bias : ndarray, shape (n,)
        V.
    modulation : float
        Peak, V.
    scale : ndarray, shape (n,)
        Normal-state conductance at the same times, S.
    """
    if not depends_on_distance(junction):
        return _distinct(kind(junction), bias, modulation)
    steps = np.round(np.log(np.maximum(scale, FAINTEST)) / STEP)
    response = np.empty(len(bias))
    for step in np.unique(steps):
        same = steps == step
        closer = junction.at(math.exp(step * STEP))
        response[same] = _distinct(kind(closer), bias[same], modulation)
    return response


def distance_for(
    junction: Junction, bias: Array, modulation: float, setpoint: float, barrier: Barrier
) -> Array:
    """Return the distance, m, that gives the set-point (A) at each bias (V), shape (n,)."""
    if depends_on_distance(junction):
        closer = [_settled(junction, float(v), modulation, setpoint, barrier) for v in bias]
        return np.array(closer)
    return barrier.distance(np.abs(junction.current(bias, modulation)), setpoint)


def _distinct(response: Response, bias: Array, modulation: float) -> Array:
    """Evaluate each bias only once."""
    distinct, where = np.unique(bias, return_inverse=True)
    return response(distinct, modulation)[where]


def _settled(
    junction: ContactJunction, bias: float, modulation: float, setpoint: float, barrier: Barrier
) -> float:
    """Find the distance at which the current, which also depends on it, is the set-point."""
    from scipy.optimize import brentq

    volts = np.array([bias])

    def excess(logarithm: float) -> float:
        conductance = math.exp(logarithm)
        current = abs(float(junction.at(conductance).current(volts, modulation)[0]))
        return math.log(max(conductance * current, FAINTEST) / setpoint)

    closed = math.log(barrier.contact)
    if excess(closed) <= 0:
        return 0.0
    logarithm = brentq(excess, math.log(FAINTEST), closed, xtol=1e-10)
    return (closed - logarithm) / (2 * barrier.kappa)
