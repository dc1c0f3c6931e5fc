"""The bias and current under which the feedback runs; outer axes may change them."""

from __future__ import annotations

from stm_daq.plan import Plan
from stm_daq.sequencer.hold import held_feedback
from stm_daq.station.roles import BiasSource, StmController


class Setpoint:
    """The set-point of the feedback, and the way to another one.

    Attributes
    ----------
    bias, current : float
        V and A.
    """

    def __init__(self, plan: Plan, stm: StmController, source: BiasSource) -> None:
        self.bias = plan.setpoint_bias
        self.current = plan.setpoint_current
        self._stm = stm
        self._source = source

    @property
    def conductance(self) -> float:
        """Current over bias, S."""
        return self.current / abs(self.bias)

    def apply(self) -> None:
        """Bring the station to the set-point.

        The feedback is held meanwhile: on its way the bias may pass zero, where it would crash the tip.

        Raises
        ------
        InstrumentError, CleanupError
            If that is not possible.
        """
        with held_feedback(self._stm, self._source, self.bias):
            self._source.ramp_to(self.bias)
            self._stm.set_setpoint(self.current)
