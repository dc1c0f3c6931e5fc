"""The heater of the cryostat and its PID controller, as temperature controllers work it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


def _always(_time: float) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class HeaterSettings:
    """What the user of a temperature controller can set."""

    mode: str = "off"
    """"off", "manual" (constant `level`) or "closed" (regulated to `setpoint`)."""
    full_scale: float = 0.0
    """Power at full output, W."""
    level: float = 0.0
    """Output in manual mode as a part of the full current, 0 to 1."""
    setpoint: float = 0.0
    """K."""
    proportional: float = 0.1
    """Part of the full current per kelvin of error."""
    integral_time: float = 20.0
    """s; 0: no integral."""
    derivative_time: float = 0.0
    """s."""
    sensor: str = "stage"
    """Thermometer of the loop: "pot" or "stage"."""
    live: Callable[[float], bool] = _always
    """Whether the thermometer is being read at a time; while it is not, the output stays."""


class Heater:
    """A resistor fed by a current source; the PID law acts on the current.

    ``x = p (e + (1/i) integral of e - d dT/dt)``, limited to 0..1, and the power is ``x^2`` of full
    scale. The integral stops where the output is at a limit. The controller works once every
    `period`; a real one does so ten times a second, which makes no difference to a cryostat with
    time constants of minutes.
    """

    period = 1.0
    """s."""

    def __init__(self) -> None:
        self.settings = HeaterSettings()
        self.power = 0.0
        """W, since the last change."""
        self.output = 0.0
        """Part of the full current."""
        self.due = math.inf
        """Time at which the controller works next."""
        self._integral = 0.0
        self._last = math.nan

    def change(self, settings: HeaterSettings, time: float) -> None:
        """Take over new settings at `time`."""
        began = settings.mode == "closed" and self.settings.mode != "closed"
        self.settings = settings
        if settings.mode != "closed":
            self.due = math.inf
            self._set_output(settings.level if settings.mode == "manual" else 0.0)
            return
        if began:
            self.due = time + self.period
            self._integral, self._last = self.output, math.nan  # no bump
        self._set_output(self.output)

    def regulate(self, kelvin: float) -> None:
        """Work once, at the time `due`, with the temperature seen."""
        settings, when = self.settings, self.due
        self.due = when + self.period
        if not settings.live(when):
            self._last = math.nan
            return
        error = settings.setpoint - kelvin
        slope = 0.0 if math.isnan(self._last) else (kelvin - self._last) / self.period
        self._last = kelvin
        gained = self.period / settings.integral_time * error if settings.integral_time else 0.0
        integral = min(max(self._integral + settings.proportional * gained, 0.0), 1.0)
        direct = settings.proportional * (error - settings.derivative_time * slope)
        wanted = direct + integral
        if 0 <= wanted <= 1 or (wanted > 1) != (gained > 0):
            self._integral = integral
        self._set_output(min(max(wanted, 0.0), 1.0))

    def _set_output(self, output: float) -> None:
        self.output = output
        self.power = output**2 * self.settings.full_scale
