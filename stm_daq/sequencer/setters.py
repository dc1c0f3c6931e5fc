"""How outer axes are set that are more than a set-point of the feedback."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from stm_daq.clock import Clock
from stm_daq.errors import DeadlineError, InstrumentError, OutOfRangeError
from stm_daq.plan import OuterAxis
from stm_daq.quantities import show, show_duration
from stm_daq.station.roles import StationRoles
from stm_daq.station.stability import Stability, await_stable
from stm_daq.station.temperature import wait_until_stable

type Setter = Callable[[OuterAxis, float], None]
"""Brings an axis to a value and returns when it is there."""


class AxisSetters:
    """Sets temperature, microwave frequency, and any parameter of an instrument.

    Parameters
    ----------
    station : StationRoles
    clock : Clock
    stopping : callable
        Whether somebody wants the run to stop; ends every wait.
    """

    def __init__(self, station: StationRoles, clock: Clock, stopping: Callable[[], bool]) -> None:
        self._station = station
        self._clock = clock
        self._stopping = stopping

    def set(self, axis: OuterAxis, value: float) -> None:
        """Bring an axis to a value, and return when it is there or somebody wants to stop.

        Raises
        ------
        OutOfRangeError
            If the station or the instrument does not allow the value; nothing was sent.
        InstrumentError
            If nothing in the station sets the axis, or it cannot be brought there.
        DeadlineError
            If it was not stable in time.
        """
        setters: dict[str, Setter] = {
            "temperature": self._temperature,
            "microwave_frequency": self._microwave_frequency,
            "parameter": self._parameter,
        }
        setters[axis.kind](axis, value)

    def _temperature(self, axis: OuterAxis, kelvin: float) -> None:
        """Regulate the stage to `kelvin`; the heater is switched on if it is not."""
        control, thermometer = self._station.temperature_control, self._station.thermometer
        if control is None or thermometer is None:
            raise _nothing_sets(axis)
        control.set_setpoint(kelvin)
        if not control.heater_is_on():
            control.heater_on(control.heater_ranges()[-1])
        wait_until_stable(thermometer, kelvin, _stability(axis), self._clock, self._stopping)

    def _microwave_frequency(self, axis: OuterAxis, hertz: float) -> None:
        if self._station.microwave is None:
            raise _nothing_sets(axis)
        self._station.microwave.set_frequency(hertz)

    def _parameter(self, axis: OuterAxis, value: float) -> None:
        """Set a QCoDeS parameter within its own limits, and wait until it reads back."""
        parameter = self._station.parameter(axis.parameter)
        try:
            parameter.validate(value)
        except (TypeError, ValueError) as error:
            text = f"{axis.parameter} cannot be set to {show(value, axis.unit)}: {error}"
            raise OutOfRangeError(f"{text}; nothing was sent") from error
        with _reported(axis.parameter):
            parameter.set(value)
        read = partial(read_parameter, self._station, axis.parameter)
        try:
            await_stable(read, value, _stability(axis), self._clock, self._stopping)
        except DeadlineError as error:
            raise DeadlineError(
                f"{axis.parameter} was not at {show(value, axis.unit)} within "
                f"{show(axis.tolerance, axis.unit)} in {show_duration(axis.deadline)}: {error}"
            ) from error


def _stability(axis: OuterAxis) -> Stability:
    return Stability(axis.tolerance, axis.stable, axis.deadline)


def read_parameter(station: StationRoles, name: str) -> float:
    """Read a QCoDeS parameter by its dotted name; NaN if its value is no number.

    Raises
    ------
    InstrumentError
        If there is none, or its driver fails.
    """
    parameter = station.parameter(name)
    with _reported(name):
        found = parameter.get()
    return float(found) if isinstance(found, int | float) else math.nan


@contextmanager
def _reported(name: str) -> Iterator[None]:
    """Whatever a driver raises is an error of the instrument."""
    try:
        yield
    except Exception as error:
        raise InstrumentError(f"{name}: {error or repr(error)}") from error


def _nothing_sets(axis: OuterAxis) -> InstrumentError:
    return InstrumentError(f"nothing in this station sets the axis '{axis.name}'")
