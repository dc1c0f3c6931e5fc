"""The height at which the tip would touch the surface, in the controller's coordinates.

It moves while the tip stays: the surface drifts, piezos creep, the tip itself becomes longer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.apex import Apex
from sim.contact import Contact
from sim.drift import Creep, Drift
from sim.samples import Sample

type Array = NDArray[np.float64]


class Ground:
    """What lies under the tip.

    Parameters
    ----------
    sample : Sample
    drift : Drift
    creep : Creep
    apex : Apex
    """

    def __init__(self, sample: Sample, drift: Drift, creep: Creep, apex: Apex) -> None:
        self._sample = sample
        self._drift = drift
        self._creep = creep
        self._apex = apex

    def place(
        self, contact: Contact, times: Array, x: Array | float, y: Array | float
    ) -> tuple[Array, Array]:
        """Where on the sample, m, the tip is at `times` (s) when the controller says (x, y), m.

        All shape (n,), apart from x and y, which may be one place.
        """
        on_sample = x - self._drift.x(times), y - self._drift.y(times)
        if contact.lack is None or not self._creep.lateral:
            return on_sample
        passed = times - contact.start
        missing = [self._creep.missing(contact.lack, axis, passed) for axis in (0, 1)]
        return on_sample[0] - missing[0], on_sample[1] - missing[1]

    def under(self, contact: Contact, times: Array) -> Array:
        """Return the height at `times` (s) within `contact`, m, shape (n,)."""
        if not (self._drift.lateral or self._creep.lateral):
            return self.lifted(contact.surface, contact, times)
        surface = self._sample.height(*self.place(contact, times, contact.x, contact.y))
        return self.lifted(surface, contact, times)

    def lifted(self, surface: Array | float, contact: Contact, times: Array) -> Array:
        """Return the height, m, where the surface itself has the height `surface`, m."""
        height = surface + self._drift.z(times)
        if self._apex.changes.active:
            height = height + self._apex.length(times)
        if contact.lack is not None and self._creep.vertical:
            height = height + self._creep.missing(contact.lack, 2, times - contact.start)
        return height
