"""Heaters of a Lake Shore 372: the sample heater warms the cryostat, the others are remembered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sim.devices.scpi_rows import Call, Row, ScpiError, number, stored
from sim.heater import HeaterSettings
from sim.world import World

SAMPLE = "0"
"""Output number of the sample heater."""
SMALLEST_RANGE = 31.6e-6
"""Full-scale current of range 1, A; the others follow in half decades to 100 mA."""
LOAD = 120.0
"""Resistance of the heater, Ohm."""
MODES = {2: "manual", 5: "closed"}
"""OUTMODE that the twin carries out; all others are off."""


def full_scale(number_of_range: int) -> float:
    """Return the heater's power at the full current of a range (0 to 8), W."""
    if number_of_range == 0:
        return 0.0
    return (SMALLEST_RANGE * 10 ** ((number_of_range - 1) / 2)) ** 2 * LOAD


class Outputs:
    """What OUTMODE, SETP, PID, RANGE and MOUT of the sample heater do to the cryostat.

    The unit of P is taken as percent of the full current per kelvin, I and D as seconds.

    Parameters
    ----------
    world : World
    control_channel : int
        Input of the loop when the twin begins.
    sensors : dict
        "stage" or "pot" by channel.
    live : callable
        Whether the scanner is on a channel at a time.
    """

    def __init__(
        self,
        world: World,
        control_channel: int,
        sensors: dict[int, str],
        live: Callable[[int, float], bool],
    ) -> None:
        self._world = world
        self._sensors = sensors
        self._live = live
        self._mode, self._channel, self._range = 0, control_channel, 0
        self.settings = HeaterSettings(proportional=0.1, integral_time=20.0)
        """Set-point, gains and manual level."""

    def set_mode(self, mode: int, channel: int) -> None:
        """Choose control mode and input channel."""
        self._mode, self._channel = mode, channel
        self._apply()

    def set_range(self, number_of_range: int) -> None:
        """Choose the heater's range; 0 is off."""
        self._range = number_of_range
        self._apply()

    def change(self, settings: HeaterSettings) -> None:
        """Change set-point, gains or manual level; the rest of `settings` follows from the mode."""
        self.settings = settings
        self._apply()

    def output(self) -> float:
        """Return the output as percent of the full current."""
        now = self._world.clock.now()
        self._world.fridge.advance(now)
        return 100 * self._world.fridge.heater.output if self._range else 0.0

    def _apply(self) -> None:
        mode = MODES.get(self._mode, "off") if self._range else "off"
        if mode == "closed" and self._channel not in self._sensors:
            mode = "off"  # an open sensor
        channel = self._channel
        settings = replace(
            self.settings,
            mode=mode,
            full_scale=full_scale(self._range),
            sensor=self._sensors.get(channel, "stage"),
            live=lambda time: self._live(channel, time),
        )
        self._world.fridge.set_heater(settings, self._world.clock.now())


def set_mode(device: Any, call: Call) -> None:
    """``OUTMODE output,mode,input,power-up,polarity,filter,delay``."""
    output, mode, channel = call.whole(0, 2), call.whole(0, 6, 1), call.whole(0, 16, 2)
    rest = [call.whole(0, high, index) for index, high in ((3, 1), (4, 1), (5, 1), (6, 255))]
    words = [f"{mode}", f"{channel:02d}", *(f"{value}" for value in rest[:3]), f"{rest[3]:03d}"]
    device.settings["OUTMODE", str(output)] = ",".join(words)
    if str(output) == SAMPLE:
        device.outputs.set_mode(mode, channel)


def set_range(device: Any, call: Call) -> None:
    """``RANGE output,range``."""
    output, chosen = call.whole(0, 2), call.whole(0, 8, 1)
    device.settings["RANGE", str(output)] = str(chosen)
    if str(output) == SAMPLE:
        device.outputs.set_range(chosen)


def set_setpoint(device: Any, call: Call) -> None:
    """``SETP output,value``: in kelvin."""
    output, value = call.whole(0, 2), call.number(1)
    if not 0 <= value <= 400:
        raise ScpiError(-222, "Data out of range")
    device.settings["SETP", str(output)] = f"{value:+.5E}"
    if str(output) == SAMPLE:
        device.outputs.change(replace(device.outputs.settings, setpoint=value))


def set_pid(device: Any, call: Call) -> None:
    """``PID output,P,I,D``."""
    output = call.whole(0, 2)
    p, i, d = (call.number(index) for index in (1, 2, 3))
    if not (0 <= p <= 1000 and 0 <= i <= 10_000 and 0 <= d <= 2500):
        raise ScpiError(-222, "Data out of range")
    device.settings["PID", str(output)] = f"{p:+.4f},{i:+.0f},{d:+.0f}"
    if str(output) == SAMPLE:
        loop = device.outputs.settings
        gains = replace(loop, proportional=p / 100, integral_time=i, derivative_time=d)
        device.outputs.change(gains)


def set_manual(device: Any, call: Call) -> None:
    """``MOUT output,percent``."""
    output, percent = call.whole(0, 2), call.number(1)
    if not 0 <= percent <= 100:
        raise ScpiError(-222, "Data out of range")
    device.settings["MOUT", str(output)] = f"{percent:+.4E}"
    if str(output) == SAMPLE:
        device.outputs.change(replace(device.outputs.settings, level=percent / 100))


def heater_setup(device: Any, call: Call) -> str:
    """``HTRSET? output``: load, limits, display; the warm-up heater's load is a code."""
    output = call.whole(0, 1)
    default = f"{LOAD},0,+0.0000,1" if output == 0 else "1,1,+0.0000,1"
    return str(device.settings.get(("HTRSET", str(output)), default))


def _remembered(name: str, default: str) -> Row:
    """Return the query of a setting by output number."""

    def read(device: Any, call: Call) -> str:
        return str(device.settings.get((name, str(call.whole(0, 2))), default))

    return Row(f"{name}?", read)


ROWS = (
    Row("OUTMODE", set_mode),
    Row(
        "OUTMODE?",
        lambda device, call: device.settings.get(
            ("OUTMODE", str(call.whole(0, 2))), device.default_mode
        ),
    ),
    Row("RANGE", set_range),
    _remembered("RANGE", "0"),
    Row("SETP", set_setpoint),
    _remembered("SETP", "+0.00000E+00"),
    Row("PID", set_pid),
    _remembered("PID", "+10.0000,+20,+0"),
    Row("MOUT", set_manual),
    _remembered("MOUT", "+0.0000E+00"),
    Row("HTR?", lambda device, _call: f"{device.outputs.output():+.5E}"),
    Row("HTRSET?", heater_setup),
    stored("HTRSET", "", index=1)[0],
    *stored("RAMP", "0,+001.0", index=1),
    Row("RAMPST?", lambda _device, _call: "0"),
    *stored("TLIMIT", "+0.00000E+00", number(0, 400), index=1),
)
