"""The thermometry of a BlueFors: channels measured one after the other, and their heater."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from sim.heater import HeaterSettings
from sim.world import World


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement of one channel."""

    channel: int
    kelvin: float
    """NaN if the sensor failed."""
    time: float
    """World time, s."""


class Scanner:
    """Measures its channels in turn.

    Attributes
    ----------
    failed : set of int
        Channels whose sensor gives nothing; a fault.
    stopped : float
        World time at which scanning stopped; a fault.
    """

    def __init__(
        self, name: str, world: World, sensors: dict[int, str], dwell: float, scatter: float
    ) -> None:
        self.sensors = sensors
        self.failed: set[int] = set()
        self.stopped = math.inf
        self._world = world
        self._rng = world.rng(name)
        self._dwell = dwell
        self._scatter = scatter
        self._known: dict[int, Measured] = {}

    def newest(self, channel: int) -> Measured | None:
        """Return the last measurement of a channel; None if there has not been one yet."""
        turns = list(self.sensors)
        if channel not in turns:
            return None
        round_time, now = len(turns) * self._dwell, min(self._world.clock.now(), self.stopped)
        first = (turns.index(channel) + 1) * self._dwell
        time = first + math.floor((now - first) / round_time) * round_time
        known = self._known.get(channel)
        if known is None or known.time != time:
            known = self._known[channel] = Measured(channel, self._kelvin(channel, time), time)
        return replace(known, kelvin=math.nan) if channel in self.failed else known

    def latest(self) -> Measured:
        """Return the last measurement of all."""
        found = [self.newest(channel) for channel in self.sensors]
        return max((m for m in found if m is not None), key=lambda m: m.time)

    def _kelvin(self, channel: int, time: float) -> float:
        fridge = self._world.fridge
        pot = self.sensors[channel] == "pot"
        true = fridge.pot_temperature(time) if pot else fridge.stage_temperature(time)
        return true * (1 + self._scatter * float(self._rng.standard_normal()))


class RegulatedHeater:
    """The heater's settings as the temperature controller counts them: powers in W.

    P is taken as W of power per kelvin of error over the largest power (part of the full current
    per kelvin); I and D are seconds.
    """

    def __init__(self, world: World, sensor: str) -> None:
        self._world = world
        self.active = False
        self.pid_mode = 0
        self.power = 0.0
        self.max_power = 1e-3
        self.settings = HeaterSettings(sensor=sensor, proportional=2.0, integral_time=60.0)

    def apply(self) -> None:
        """Let the cryostat feel the settings."""
        mode = ("closed" if self.pid_mode else "manual") if self.active else "off"
        part = min(self.power / self.max_power, 1.0) if self.max_power else 0.0
        settings = replace(
            self.settings, mode=mode, full_scale=self.max_power, level=math.sqrt(part)
        )
        self._world.fridge.set_heater(settings, self._world.clock.now())

    def present_power(self) -> float:
        """Return the power now, W."""
        return self._world.fridge.heater_power(self._world.clock.now())

    def update(self, field: str, value: float) -> bool:
        """Change one field; tell whether there is such a field and value."""
        if not math.isfinite(value) or value < 0:
            return False
        if field == "active":
            self.active = bool(value)
        elif field == "pid_mode":
            self.pid_mode = int(value)
        elif field in ("power", "max_power"):
            setattr(self, field, value)
        elif field in FIELDS:
            self.settings = replace(self.settings, **{FIELDS[field]: value})  # type: ignore[arg-type]
        else:
            return False
        return True


FIELDS = {
    "setpoint": "setpoint",
    "proportional": "proportional",
    "integral": "integral_time",
    "derivative": "derivative_time",
}
"""Names of the controller's API and ours."""
