"""BlueFors as thermometer and temperature control, whichever way its values come.

Instruments: :mod:`drivers.bluefors_http` and :mod:`drivers.bluefors_logs`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError, OutOfRangeError
from stm_daq.quantities import show
from stm_daq.station.limits import Limits
from stm_daq.station.roles import TemperatureReading

LARGEST_HEATER = 1.0
"""W; more no mixing chamber survives."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The last measurement of a thermometer."""

    kelvin: float
    """NaN if the instrument itself does not trust it."""
    age: float
    """s."""


class Measures(Protocol):
    """An instrument with a thermometer."""

    def newest(self, wall: float) -> Newest:
        """Return the last measurement; its age at the date `wall` (s since the Unix epoch)."""
        ...


class Heats(Protocol):
    """An instrument with a heater; its fields are ``active``, ``pid_mode``, ``setpoint`` ..."""

    @property
    def name(self) -> str:
        """Its name in station.yaml."""
        ...

    def heater_value(self, field: str) -> float:
        """Read one field of the heater."""
        ...

    def set_heater(self, fields: Mapping[str, float]) -> None:
        """Change fields of the heater; sent once only."""
        ...


class BlueforsThermometer:
    """The thermometer of a BlueFors, by HTTP or log files.

    Parameters
    ----------
    instrument : BlueforsControl, BlueforsBox or BlueforsLogs
    limits : Limits
    clock : Clock
    age_limit : float
        Older measurements are not fresh, s. More than the time of one round of the scanner, or the
        interval between lines of the log (mostly a minute).
    """

    def __init__(
        self,
        instrument: Measures,
        limits: Limits,
        clock: Clock,
        age_limit: float = 150.0,
    ) -> None:
        self._bluefors = instrument
        self._clock = clock
        self._age_limit = age_limit

    def read(self) -> TemperatureReading:
        """Return the newest reading; never an old value as fresh."""
        wall = self._clock.wall()
        return reading(self._bluefors.newest(wall), wall, self._age_limit)


def reading(newest: Newest, wall: float, age_limit: float) -> TemperatureReading:
    """Judge a measurement: it must have a value and an age that is neither old nor absurd."""
    valid = math.isfinite(newest.kelvin) and newest.kelvin > 0
    return TemperatureReading(
        kelvin=newest.kelvin if valid else math.nan,
        fresh=valid and abs(newest.age) <= age_limit,
        time=wall - newest.age if math.isfinite(newest.age) else wall,
    )


class BlueforsHeater:
    """The mixing-chamber heater of a BlueFors, regulated by the temperature controller.

    Parameters
    ----------
    instrument : BlueforsControl or BlueforsBox
    limits : Limits
    clock : Clock
    largest_power : float
        The heater never gives more, W.
    settling : float
        Time after which a setting can be read back, s.
    """

    def __init__(
        self,
        instrument: Heats,
        limits: Limits,
        clock: Clock,
        largest_power: float,
        settling: float = 1.0,
    ) -> None:
        self._bluefors = instrument
        self._allowed = limits.temperature
        self._clock = clock
        self._largest = largest_power
        self._settling = settling
        if not 0 < largest_power <= LARGEST_HEATER:
            raise ValueError(f"largest_power should be above 0 and up to {LARGEST_HEATER:g} W")

    def setpoint(self) -> float:
        """Read the set-point, K."""
        return self._bluefors.heater_value("setpoint")

    def set_setpoint(self, kelvin: float) -> None:
        """Change the set-point and confirm it; the heater stays as it is."""
        self._allowed.require(kelvin, "a temperature")
        self._set({"setpoint": kelvin})

    def heater_ranges(self) -> tuple[float, ...]:
        """Return the largest power; the heater has no ranges but a limit that can be set, W."""
        return (self._largest,)

    def heater_on(self, watts: float) -> None:
        """Regulate with at most `watts`, and confirm it."""
        if not 0 < watts <= self._largest:
            raise OutOfRangeError(
                f"{self._bluefors.name}: a heater power of {show(watts, 'W')}; allowed is up to "
                f"{show(self._largest, 'W')} (`largest_power` of the role); nothing was sent"
            )
        self._allowed.require(self.setpoint(), "the set-point of the heater")
        self._set({"max_power": watts})
        self._set({"pid_mode": 1, "active": 1})

    def heater_off(self) -> None:
        """Switch the heater off and confirm it."""
        self._set({"active": 0})

    def heater_is_on(self) -> bool:
        """Read whether the heater is regulated."""
        active, regulated = (self._bluefors.heater_value(f) for f in ("active", "pid_mode"))
        return active != 0 and regulated != 0

    def heater_power(self) -> float:
        """Read the present power of the heater, W."""
        return self._bluefors.heater_value("power")

    def _set(self, fields: Mapping[str, float]) -> None:
        self._bluefors.set_heater(fields)
        self._clock.sleep(self._settling)
        for field, wanted in fields.items():
            found = self._bluefors.heater_value(field)
            if abs(found - wanted) > 1e-4 * abs(wanted):
                raise InstrumentError(
                    f"{self._bluefors.name}: {field} of the heater is {found:g} instead of "
                    f"{wanted:g}; is the key allowed to write, and remote control on?"
                )
