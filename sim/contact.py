"""One stay of the tip over one place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.apex import ApexState
from sim.samples import Junction
from sim.samples.film_memory import FilmState


@dataclass(slots=True)
class Contact:
    """A stretch of time in which the tip stays at one place in one state of the feedback."""

    start: float
    """World time at which it began, s."""
    held: bool
    """True while the feedback is open."""
    x: float
    """Position in the controller's coordinates, m."""
    y: float
    setpoint: float
    """Current the feedback keeps, A."""
    apex: ApexState
    """The tip's end."""
    surface: float = 0.0
    """Height of the surface under the tip at the start, without drift, m."""
    z: float = 0.0
    """Tip height while held, m."""
    error: float = 0.0
    """Distance beyond the wanted one when the feedback began here, m."""
    lack: NDArray[np.float64] | None = None
    """What the piezos still lack at the start (see `sim.drift.Creep`); None: they do not creep."""
    junction: Junction | None = None
    stage_temperature: float = math.nan
    """Temperature of the stage when `junction` was made, K."""
    power: float = 0.0
    """Microwave power at the tip when `junction` was made, W."""
    film: FilmState | None = None
    """State of a film that remembers what microwaves did to it."""
    wanted: tuple[tuple[float, float, float], float] | None = None
    """(bias, modulation, set-point) and the distance that the feedback keeps for them."""

    def inherit(self, old: Contact) -> None:
        """Take over what is known of the junction if nothing that it depends on has changed."""
        same_tip = (self.apex.gap, self.power) == (old.apex.gap, old.power)
        same_tip = same_tip and self.film == old.film
        same_place = self.surface == old.surface
        if same_place and self.stage_temperature == old.stage_temperature and same_tip:
            self.junction = old.junction
            self.wanted = old.wanted
