"""One stay of the tip over one place."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.samples import Junction


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
    surface: float
    """Height of the surface under the tip without drift, m."""
    setpoint: float
    """Current the feedback keeps, A."""
    z: float = 0.0
    """Tip height while held, m."""
    error: float = 0.0
    """Distance beyond the wanted one when the feedback began here, m."""
    junction: Junction | None = None
    stage_temperature: float = math.nan
    """Temperature of the stage when `junction` was made, K."""
    wanted: tuple[tuple[float, float, float], float] | None = None
    """(bias, modulation, set-point) and the distance that the feedback keeps for them."""

    def inherit(self, old: Contact) -> None:
        """Take over what is known of the junction if place and temperature are the same."""
        if self.surface == old.surface and self.stage_temperature == old.stage_temperature:
            self.junction = old.junction
            self.wanted = old.wanted
