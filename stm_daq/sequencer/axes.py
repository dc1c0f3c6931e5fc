"""Going from one step of the outer axes to the next."""

from __future__ import annotations

from collections.abc import Callable

from stm_daq.clock import Clock
from stm_daq.plan import Plan, Step
from stm_daq.quantities import show
from stm_daq.records import Event, Record
from stm_daq.sequencer.setpoint import Setpoint
from stm_daq.sequencer.setters import Setter
from stm_daq.sequencer.sweeper import Sweeper


class OuterAxes:
    """Sets what changes between maps.

    Parameters
    ----------
    plan : Plan
    setpoint : Setpoint
    sweep : Sweeper
        Set up anew for another set-point.
    clock : Clock
    emit : callable
        Is told of every new step.
    set_axis : callable
        Brings an axis of another kind to a value; see :meth:`AxisSetters.set`.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        setpoint: Setpoint,
        sweep: Sweeper,
        clock: Clock,
        emit: Callable[[Record], None],
        set_axis: Setter,
    ) -> None:
        self._axes = plan.axes
        self._setpoint = setpoint
        self._sweep = sweep
        self._clock = clock
        self._emit = emit
        self._set_axis = set_axis

    def go_to(self, step: Step) -> None:
        """Bring the axes that changed to their values, the slowest first; all set-points at once.

        Raises
        ------
        InstrumentError
            If an axis cannot be brought there.
        """
        if not self._axes:
            return
        new_setpoint = False
        for number in step.changed:
            axis, value = self._axes[number], step.values[number]
            match axis.kind:
                case "setpoint_current":
                    self._setpoint.current, new_setpoint = value, True
                case "setpoint_bias":
                    self._setpoint.bias, new_setpoint = value, True
                case "repeat":
                    pass
                case _:
                    self._set_axis(axis, value)
        if new_setpoint:
            self._setpoint.apply()
            self._sweep.prepare(self._setpoint.conductance)
        self._clock.sleep(max((self._axes[k].settle for k in step.changed), default=0.0))
        self._tell(step)

    def _tell(self, step: Step) -> None:
        values = {axis.name: value for axis, value in zip(self._axes, step.values, strict=True)}
        text = ", ".join(
            f"{axis.name} = {show(value, axis.unit)}"
            for axis, value in zip(self._axes, step.values, strict=True)
        )
        self._emit(Event(self._clock.wall(), "step", text, {"step": step.number, "values": values}))
