"""Reaching a temperature: set it, wait until it stays there, give up in time."""

from __future__ import annotations

import math
from collections.abc import Callable

from stm_daq.clock import Clock
from stm_daq.errors import DeadlineError
from stm_daq.quantities import show, show_duration
from stm_daq.station.roles import TemperatureControl, TemperatureReading, Thermometer
from stm_daq.station.stability import Stability, await_stable, never

__all__ = ["Stability", "settle", "wait_until_stable"]


def settle(
    control: TemperatureControl,
    thermometer: Thermometer,
    kelvin: float,
    stability: Stability,
    clock: Clock,
) -> TemperatureReading:
    """Set a temperature and wait until it is stable; the heater must be on where it is needed.

    Returns
    -------
    TemperatureReading
        The last reading.

    Raises
    ------
    OutOfRangeError
        If the station does not allow `kelvin`.
    DeadlineError
        If it is not stable in time. The set-point stays, so that the caller decides.
    """
    control.set_setpoint(kelvin)
    return wait_until_stable(thermometer, kelvin, stability, clock)


def wait_until_stable(
    thermometer: Thermometer,
    kelvin: float,
    stability: Stability,
    clock: Clock,
    stopping: Callable[[], bool] = never,
) -> TemperatureReading:
    """Wait until every reading for some time was fresh and near `kelvin`.

    Returns
    -------
    TemperatureReading
        The last reading, also if `stopping` has ended the wait.

    Raises
    ------
    DeadlineError
        If that does not happen in time; the text has the last reading.
    """
    reading = TemperatureReading(math.nan, False, clock.wall())

    def read() -> float:
        nonlocal reading
        reading = thermometer.read()
        return reading.kelvin if reading.fresh else math.nan

    try:
        await_stable(read, kelvin, stability, clock, stopping)
    except DeadlineError as error:
        last = f"{show(reading.kelvin, 'K')}{'' if reading.fresh else ', not fresh'}"
        raise DeadlineError(
            f"the temperature was not stable at {show(kelvin, 'K')} within "
            f"{show_duration(stability.deadline)} (last reading: {last}); is the heater on, "
            "its range large enough, the thermometer scanned?"
        ) from error
    return reading
