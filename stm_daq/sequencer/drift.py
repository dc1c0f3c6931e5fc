"""Drift: a small reference topograph now and then tells how far the sample has moved."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from stm_daq.clock import Clock
from stm_daq.plan import Drift
from stm_daq.quantities import show
from stm_daq.records import Array, Event, Frame, Record, Site
from stm_daq.registration import CLEAR, shift_between
from stm_daq.sequencer.sideways import Sideways
from stm_daq.sequencer.trials import tried
from stm_daq.station.roles import StmController

STORED = 14
"""Digits after the point to which the reference is kept and stored, so that both are the same, m."""


class Whereabouts(Protocol):
    """Knows where a site of the plan is now."""

    shift: tuple[float, float]
    """How far the sample has moved, m."""
    lost: bool
    """Whether the last look did not find it."""

    def go_on_from(self, reference: Array, shift: tuple[float, float], time: float) -> None:
        """Go on with the reference of an earlier part of the run, measured last at a wall `time`."""
        ...

    def follow(self) -> None:
        """Look where the sample is, if it is time to."""
        ...

    def corrected(self, site: Site) -> Site:
        """Return the site where it is now."""
        ...


class StillSample:
    """The sample stays where it is, or nobody wants to know."""

    shift = (0.0, 0.0)
    lost = False

    def go_on_from(self, reference: Array, shift: tuple[float, float], time: float) -> None:
        """There is nothing to go on with."""

    def follow(self) -> None:
        """There is nothing to look at."""

    def corrected(self, site: Site) -> Site:
        """Return the site as it is."""
        return site


class DriftCorrection:
    """Follows the sample as it moves under the tip.

    Parameters
    ----------
    drift : Drift
    frame : Frame
        Of the map; the reference lies at its centre.
    stm : StmController
    sideways : Sideways
    clock : Clock
    emit : callable
        Is told of every measurement.
    """

    def __init__(
        self,
        drift: Drift,
        frame: Frame,
        *,
        stm: StmController,
        sideways: Sideways,
        clock: Clock,
        emit: Callable[[Record], None],
    ) -> None:
        self._drift = drift
        self._frame = Frame(frame.centre_x, frame.centre_y, drift.size, drift.size)
        self._stm = stm
        self._sideways = sideways
        self._clock = clock
        self._emit = emit
        self._reference: Array | None = None
        self._next = -math.inf
        self.shift = (0.0, 0.0)
        """How far the sample has moved since the first reference, m."""
        self.lost = False
        """Whether the last reference could not be registered."""

    def go_on_from(self, reference: Array, shift: tuple[float, float], time: float) -> None:
        """Go on with the reference of an earlier part of the run, measured last at a wall `time`."""
        self._reference, self.shift = reference, shift
        self._next = self._clock.now() + self._drift.every - (self._clock.wall() - time)

    def follow(self) -> None:
        """Scan the reference if it is time to."""
        if self._clock.now() >= self._next:
            tried(self.measure, "reference topograph", self._clock, self._emit)

    def measure(self) -> None:
        """Scan the reference and find the shift against the first one.

        The frame is scanned where the sample was last, so that only what it moved since has to be
        found; a shift that is larger than believed, or not clear, is told but not used.
        """
        image = np.round(self._scan(), STORED)
        self._next = self._clock.now() + self._drift.every
        if self._reference is None:
            self._reference = image
            self._tell("reference topograph for drift", image)
            return
        rows, columns, clearness = shift_between(self._reference, image)
        pixel = self._drift.size / self._drift.pixels
        moved = (columns * pixel, rows * pixel)
        distance = math.hypot(*moved)
        self.lost = clearness < CLEAR or distance > self._drift.largest
        if self.lost:
            why = "not clear" if clearness < CLEAR else "too far to be believed"
            text = f"drift of {show(distance, 'm')} is {why}: the sites stay where they were"
            self._emit(Event(self._clock.wall(), "warning", text))
            return
        self.shift = (self.shift[0] + moved[0], self.shift[1] + moved[1])
        x, y = (show(value, "m") for value in self.shift)
        self._tell(f"drifted by x = {x}, y = {y} since the first reference", None)

    def corrected(self, site: Site) -> Site:
        """Return the site where it is now."""
        return replace(site, x=site.x + self.shift[0], y=site.y + self.shift[1])

    def _scan(self) -> Array:
        x, y = self.shift
        frame = replace(
            self._frame, centre_x=self._frame.centre_x + x, centre_y=self._frame.centre_y + y
        )
        count = self._drift.pixels
        self._sideways.scan(frame, (count, count), self._drift.line_time)
        z = np.array(self._stm.scan_data())
        self._stm.stop_scan()
        return z

    def _tell(self, text: str, image: Array | None) -> None:
        data = {"x": self.shift[0], "y": self.shift[1]}
        reference = {} if image is None else {"reference": image.tolist()}
        self._emit(Event(self._clock.wall(), "drift", text, data | reference))
