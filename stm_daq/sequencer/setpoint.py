"""The bias and current under which the feedback runs; outer axes may change them."""

from __future__ import annotations

import math

from stm_daq.clock import Clock
from stm_daq.errors import FeedbackError
from stm_daq.plan import Plan
from stm_daq.quantities import show
from stm_daq.sequencer.hold import held_feedback
from stm_daq.station.roles import BiasSource, StmController

TOLERANCE = 0.2
"""Relative deviation of the current from its set-point that counts as not reached."""
PATIENCE = 2.0
"""Time that the feedback is given to find a set-point, s."""
POLL = 0.1


class Setpoint:
    """The set-point of the feedback at the sites, and the one between them.

    If the plan has a set-point for travel, the tip is brought to that of the sites only while it
    stands at one (:meth:`approach`, :meth:`leave`); otherwise both are the same.

    Attributes
    ----------
    bias, current : float
        At the sites, V and A.
    """

    def __init__(self, plan: Plan, stm: StmController, source: BiasSource, clock: Clock) -> None:
        self.bias = plan.setpoint_bias
        self.current = plan.setpoint_current
        self._travel = plan.travel
        self._stm = stm
        self._source = source
        self._clock = clock
        self._left = False
        """Whether the tip is known to be at the set-point for travel."""

    @property
    def conductance(self) -> float:
        """Current over bias at the sites, S."""
        return self.current / abs(self.bias)

    @property
    def resting_bias(self) -> float:
        """Bias between the sites, V; that for travel has the sign of the sites'."""
        if self._travel is None:
            return self.bias
        return math.copysign(self._travel.bias, self.bias)

    @property
    def travel_current(self) -> float | None:
        """Current between the sites, A; None if it is that of the sites."""
        return None if self._travel is None else self._travel.current

    def apply(self) -> None:
        """Bring the station to the set-point between the sites.

        The feedback is held meanwhile: on its way the bias may pass zero, where it would crash the tip.

        Raises
        ------
        InstrumentError, CleanupError
            If that is not possible.
        """
        self._left = False
        with held_feedback(self._stm, self._source, self.resting_bias):
            self._source.ramp_to(self.resting_bias)
            self._stm.set_setpoint(self._resting_current)

    def approach(self) -> None:
        """Bring the tip, which has arrived at a site, from the set-point for travel to the site's.

        The bias comes first, so that the junction conducts at no moment more than in the end.

        Raises
        ------
        InstrumentError
            If that is not possible; the feedback is closed.
        """
        self._left = False
        if self.resting_bias != self.bias:
            self._source.ramp_to(self.bias)
        if self._resting_current != self.current:
            self._stm.set_setpoint(self.current)

    def leave(self) -> None:
        """Bring the tip to the set-point for travel, if it is not there; returns when it is found.

        The current comes first, for the same reason. Afterwards the current was seen to be that for
        travel, and the loop to be closed.

        Raises
        ------
        InstrumentError
            If that is not possible; the tip must not move sideways then.
        """
        if self._travel is None or self._left:
            return
        if self._resting_current != self.current:
            self._stm.set_setpoint(self._resting_current)
        if self.resting_bias != self.bias:
            self._source.ramp_to(self.resting_bias)
        self.require(self._resting_current, "before the tip moves")
        if not self._stm.feedback_on():
            raise FeedbackError("the feedback is off, so that the tip must not move sideways")
        self._left = True

    @property
    def confirms_moves(self) -> bool:
        """Whether :meth:`leave` makes sure, before every move, that the feedback has settled."""
        return self._travel is not None

    def require(self, wanted: float, when: str) -> None:
        """Wait until the feedback has found a current, A.

        Raises
        ------
        FeedbackError
            If it does not in :data:`PATIENCE`.
        """
        if self.finds(wanted):
            return
        current = self._stm.height_and_current()[1]
        raise FeedbackError(
            f"{when} the feedback does not find its set-point: the current is {show(current, 'A')} "
            f"instead of {show(wanted, 'A')}; look at tip and feedback gains, or lower the sweep's reach"
        )

    def finds(self, wanted: float) -> bool:
        """Wait until the feedback has found a current, A, but not for ever; return whether it has."""
        deadline = self._clock.now() + PATIENCE
        while not near(self._stm.height_and_current()[1], wanted):
            if self._clock.now() >= deadline:
                return False
            self._clock.sleep(POLL)
        return True

    @property
    def _resting_current(self) -> float:
        return self.current if self._travel is None else self._travel.current


def near(current: float, wanted: float) -> bool:
    """Whether a current, of either sign, is that of a set-point, A."""
    return abs(abs(current) - wanted) <= TOLERANCE * wanted
