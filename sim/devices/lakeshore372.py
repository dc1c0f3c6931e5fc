"""Lake Shore 372 resistance bridge: one scanner, so only one channel is live.

All other channels keep their last value and say nothing about it. After a switch the reading
settles towards the new channel during its change pause. Commands after the instrument's manual as
the QCoDeS driver uses them; heaters are remembered but warm nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.devices.scpi import Device
from sim.devices.scpi_rows import Call, Row, number, stored
from sim.world import World

CHANNELS = 16
UPDATE = 0.1
"""The bridge makes ten readings a second."""
OPEN_SENSOR = 16
"""RDGST: resistance over range."""
REFERENCE = (2000.0, 1.0, 0.35)
"""A ruthenium-oxide thermometer: R = 2000 Ohm (T / 1 K)^-0.35."""


@dataclass(slots=True)
class _Reading:
    kelvin: float = 0.0
    made: float = -math.inf


class Lakeshore372(Device):
    """The bridge with one thermometer on the sample stage.

    Parameters
    ----------
    name : str
    world : World
    stage_channel : int
        Channel of the stage thermometer; all others are open.
    noise : float
        rms noise of one reading, relative to the temperature.
    """

    IDENTITY = "LSCI,MODEL372,LSA0001,1.9"
    TERMINATOR = b"\r\n"

    def __init__(
        self, name: str, world: World, stage_channel: int = 1, noise: float = 2e-4
    ) -> None:
        super().__init__(name, world)
        self._stage_channel = stage_channel
        self._noise = noise
        self._channel = stage_channel
        self._autoscan = False
        self._since = -math.inf
        self._from = 0.0
        self._readings = {channel: _Reading() for channel in range(1, CHANNELS + 1)}

    # -- scanner ------------------------------------------------------------------------------

    def set_scan(self, call: Call) -> None:
        """``SCAN channel,autoscan``."""
        self._step_scanner()
        channel = call.whole(1, CHANNELS)
        self._autoscan = bool(call.whole(0, 1, 1)) if len(call.args) > 1 else False
        if channel != self._channel:
            self._switch(channel, self.clock.now())

    def scan(self, _call: Call) -> str:
        """``SCAN?``."""
        self._step_scanner()
        return f"{self._channel:02d},{int(self._autoscan)}"

    def _switch(self, channel: int, when: float) -> None:
        self._from = self._read(self._channel)
        self._channel, self._since = channel, when

    def _step_scanner(self) -> None:
        """Let autoscan move on as often as it would have."""
        if not self._autoscan:
            return
        now = self.clock.now()
        while now >= self._since + self._setup(self._channel)[2] + self._setup(self._channel)[1]:
            dwell, pause = self._setup(self._channel)[1:3]
            when = self._since + dwell + pause if math.isfinite(self._since) else now
            others = [*range(self._channel + 1, CHANNELS + 1), *range(1, self._channel + 1)]
            enabled = (c for c in others if self._setup(c)[0])
            self._switch(next(enabled, self._channel), when)

    def _setup(self, channel: int) -> tuple[float, float, float]:
        """Return (enabled, dwell in s, change pause in s) of a channel."""
        text = self.settings.get(("INSET", str(channel)), "")
        if not text:
            return float(channel == self._stage_channel), 10.0, 3.0
        enabled, dwell, pause = (float(value) for value in text.split(",")[:3])
        return enabled, dwell, pause

    # -- readings -----------------------------------------------------------------------------

    def _read(self, channel: int) -> float:
        """Return the temperature a channel shows, K; 0 without a thermometer."""
        now, shown = self.clock.now(), self._readings[channel]
        if channel == self._channel and now - shown.made >= UPDATE:
            true = self.world.stage_temperature(now) if channel == self._stage_channel else 0.0
            settling = math.exp(-5 * (now - self._since) / self._setup(channel)[2])
            noise = 1 + self._noise * self.rng.standard_normal()
            shown.kelvin = true * noise + (self._from - true) * settling
            shown.made = now
        return shown.kelvin

    def temperature(self, call: Call) -> str:
        """``KRDG? channel``: temperature, K."""
        self._step_scanner()
        return f"{self._read(call.whole(1, CHANNELS)):+.5E}"

    def resistance(self, call: Call) -> str:
        """``SRDG? channel``: resistance, Ohm."""
        self._step_scanner()
        kelvin = self._read(call.whole(1, CHANNELS))
        scale, unit, exponent = REFERENCE
        return f"{scale * (kelvin / unit) ** -exponent if kelvin > 0 else 0.0:+.5E}"

    def status(self, call: Call) -> str:
        """``RDGST? channel``: why a reading is bad, as a sum of bits."""
        return f"{0 if call.whole(1, CHANNELS) == self._stage_channel else OPEN_SENSOR:03d}"

    def input_setup(self, call: Call) -> str:
        """``INSET? channel``: enabled, dwell, pause, curve, coefficient."""
        channel = call.whole(1, CHANNELS)
        default = f"{int(channel == self._stage_channel)},010,003,21,1"
        return self.settings.get(("INSET", str(channel)), default)

    def set_input(self, call: Call) -> None:
        """``INSET channel,enabled,dwell,pause,curve,coefficient``."""
        channel = call.whole(1, CHANNELS)
        enabled, dwell = call.whole(0, 1, 1), call.whole(1, 200, 2)
        pause, curve = call.whole(3, 200, 3), call.whole(0, 59, 4)
        coefficient = call.whole(1, 2, 5)
        self.settings["INSET", str(channel)] = (
            f"{enabled},{dwell:03d},{pause:03d},{curve:02d},{coefficient}"
        )

    COMMANDS = (
        Row("SCAN", set_scan),
        Row("SCAN?", scan),
        Row("KRDG?", temperature),
        Row("SRDG?", resistance),
        Row("RDGR?", resistance),
        Row("RDGST?", status),
        Row("INSET", set_input),
        Row("INSET?", input_setup),
        *stored("INTYPE", "0,05,1,15,0,1", index=1),
        *stored("INNAME", "Stage", index=1),
        *stored("TLIMIT", "+0.00000E+00", number(0, 400), index=1),
        *stored("FILTER", "1,005,10", index=1),
        *stored("OUTMODE", "0,06,0,0,0,001", index=1),
        *stored("PID", "+10.0000,+20,+0", index=1),
        *stored("RANGE", "0", number(0, 8), index=1),
        Row("HTR?", lambda _device, _call: "+0.00000E+00"),
        *stored("SETP", "+0.00000E+00", number(-273.15, 400), index=1),
        *stored("RAMP", "0,+001.0", index=1),
        Row("RAMPST?", lambda _device, _call: "0"),
        Row("HTRSET?", lambda device, call: device.heater_setup(call)),
        *stored("HTRSET", "120.0,0,+0.0000,1", index=1)[:1],
    )

    def heater_setup(self, call: Call) -> str:
        """``HTRSET? output``: load, limits, display; the warm-up heater's load is a code."""
        output = call.whole(0, 1)
        default = "120.0,0,+0.0000,1" if output == 0 else "1,1,+0.0000,1"
        return self.settings.get(("HTRSET", str(output)), default)
