"""How the conductance of the junction falls with the distance between tip and surface.

``G = G0 exp(-2 kappa d)`` with G0 at contact: 2e^2/h for one atom on another, more where the tip's
end is wider.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]

CONTACT_CONDUCTANCE = 7.748091729e-5
"""Conductance quantum 2e^2/h, S: the junction of one atom at contact."""
KAPPA_PER_ROOT_EV = 5.123167e9
"""sqrt(2 m e) / hbar: decay constant per sqrt(work function / eV), 1/m."""


class Barrier:
    """The vacuum between tip and surface.

    Parameters
    ----------
    work_function : float
        Mean of tip and sample, eV.
    contact : float
        Conductance at contact, S.
    """

    def __init__(self, work_function: float, contact: float = CONTACT_CONDUCTANCE) -> None:
        self.contact = contact
        self.kappa = KAPPA_PER_ROOT_EV * math.sqrt(work_function)
        """Decay constant, 1/m."""

    def conductance(self, distance: Array) -> Array:
        """Return the normal-state conductance, S, at distances, m (below 0: contact)."""
        scale: Array = self.contact * np.exp(-2 * self.kappa * np.maximum(distance, 0.0))
        return scale

    def distance(self, normalised_current: Array, setpoint: float) -> Array:
        """Return the distance, m, at which this normalised current (V) gives the set-point (A).

        It is at least contact.
        """
        ratio = self.contact * normalised_current / setpoint
        distance: Array = np.log(np.maximum(ratio, 1.0)) / (2 * self.kappa)
        return distance
