"""Reaching a temperature: set it, wait until it stays there, give up in time."""

from __future__ import annotations

from dataclasses import dataclass

from stm_daq.clock import Clock
from stm_daq.errors import DeadlineError
from stm_daq.quantities import show, show_duration
from stm_daq.station.roles import TemperatureControl, TemperatureReading, Thermometer


@dataclass(frozen=True, slots=True)
class Stability:
    """When a temperature counts as reached."""

    tolerance: float
    """Largest distance from the wanted temperature, K."""
    duration: float
    """For so long every reading must be fresh and within the tolerance, s."""
    deadline: float
    """Longest wait altogether, s."""
    poll: float = 1.0
    """Time between readings, s."""


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
    thermometer: Thermometer, kelvin: float, stability: Stability, clock: Clock
) -> TemperatureReading:
    """Wait until every reading for some time was fresh and near `kelvin`.

    Raises
    ------
    DeadlineError
        If that does not happen in time; the text has the last reading.
    """
    end = clock.now() + stability.deadline
    good_since: float | None = None
    while True:
        reading = thermometer.read()
        now = clock.now()
        if not (reading.fresh and abs(reading.kelvin - kelvin) <= stability.tolerance):
            good_since = None
        elif good_since is None:
            good_since = now
        if good_since is not None and now - good_since >= stability.duration:
            return reading
        if now >= end:
            last = f"{show(reading.kelvin, 'K')}{'' if reading.fresh else ', not fresh'}"
            raise DeadlineError(
                f"the temperature was not stable at {show(kelvin, 'K')} within "
                f"{show_duration(stability.deadline)} (last reading: {last}); is the heater on, "
                "its range large enough, the thermometer scanned?"
            )
        clock.sleep(stability.poll)
