"""Lake Shore 372 resistance bridge: one scanner, so only one channel is live.

All other channels keep their last value and say nothing about it. After a switch the reading
settles towards the new channel during its change pause. The control loop works only while its own
channel is live. Commands after the instrument's manual as the QCoDeS driver uses them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.devices import lakeshore372_sensor as sensor
from sim.devices.lakeshore372_outputs import ROWS, Outputs
from sim.devices.scpi import Device
from sim.devices.scpi_rows import Call, Row, stored
from sim.world import World

CHANNELS = 16
UPDATE = 0.1
"""The bridge makes ten readings a second."""


@dataclass(slots=True)
class _Reading:
    kelvin: float = 0.0
    made: float = -math.inf


class Lakeshore372(Device):
    """The bridge with thermometers on sample stage and mixing chamber.

    Parameters
    ----------
    name : str
    world : World
    stage_channel : int
        Channel of the stage thermometer.
    pot_channel : int
        Channel of the thermometer on the mixing chamber; 0: there is none. All others are open.
    scatter : float
        rms noise of one reading at 200 uV excitation, relative to the temperature.
    """

    IDENTITY = "LSCI,MODEL372,LSA0001,1.9"
    TERMINATOR = b"\r\n"

    def __init__(
        self,
        name: str,
        world: World,
        stage_channel: int = 1,
        pot_channel: int = 0,
        scatter: float = 2e-4,
    ) -> None:
        super().__init__(name, world)
        self._sensors = {stage_channel: "stage"}
        if pot_channel:
            self._sensors[pot_channel] = "pot"
        self._scatter = scatter
        self._channel = stage_channel
        self._autoscan = False
        self._since = -math.inf
        self._from = 0.0
        self._readings = {channel: _Reading() for channel in range(1, CHANNELS + 1)}
        self.outputs = Outputs(world, stage_channel, self._sensors, self._is_live)
        self.default_mode = f"0,{stage_channel:02d},0,0,0,001"

    def handle(self, message: bytes) -> bytes | None:
        """Let the loop and then the scanner do what they did meanwhile, and answer."""
        now = self.clock.now()
        self.world.fridge.advance(now)
        self._step_scanner(now)
        return super().handle(message)

    # -- scanner ------------------------------------------------------------------------------

    def set_scan(self, call: Call) -> None:
        """``SCAN channel,autoscan``."""
        channel = call.whole(1, CHANNELS)
        self._autoscan = bool(call.whole(0, 1, 1)) if len(call.args) > 1 else False
        if channel != self._channel:
            self._switch(channel, self.clock.now())

    def scan(self, _call: Call) -> str:
        """``SCAN?``."""
        return f"{self._channel:02d},{int(self._autoscan)}"

    def _switch(self, channel: int, when: float) -> None:
        self._from = self._read(self._channel, when)
        self._channel, self._since = channel, when

    def _step_scanner(self, now: float) -> None:
        """Let autoscan move on as often as it would have."""
        while self._autoscan:
            _, dwell, pause = self._setup(self._channel)
            began = self._since if math.isfinite(self._since) else now - dwell - pause
            when = began + dwell + pause
            if when > now:
                return
            others = [*range(self._channel + 1, CHANNELS + 1), *range(1, self._channel + 1)]
            enabled = (c for c in others if self._setup(c)[0])
            self._switch(next(enabled, self._channel), when)

    def _is_live(self, channel: int, time: float) -> bool:
        """Whether the control loop has a reading of `channel` at `time`, the pause over."""
        self._step_scanner(time)
        return channel == self._channel and time >= self._since + self._setup(channel)[2]

    def _setup(self, channel: int) -> tuple[float, float, float]:
        """Return (enabled, dwell in s, change pause in s) of a channel."""
        text = self.settings.get(("INSET", str(channel)), "")
        if not text:
            return float(channel in self._sensors), 10.0, 3.0
        enabled, dwell, pause = (float(value) for value in text.split(",")[:3])
        return enabled, dwell, pause

    # -- readings -----------------------------------------------------------------------------

    def _true(self, channel: int, time: float) -> float:
        """Return the temperature of the body that a sensor sits on, K; 0 without sensor."""
        place, fridge = self._sensors.get(channel), self.world.fridge
        if place is None:
            return 0.0
        return (
            fridge.pot_temperature(time) if place == "pot" else self.world.stage_temperature(time)
        )

    def _excited(self, channel: int, kelvin: float) -> tuple[float, float]:
        """Return voltage (V) and power (W) of the excitation at a channel."""
        words = self.settings.get((INTYPE, str(channel)), EXCITED).split(",")
        shunted = words[4] == "1"
        volts, watts = sensor.excitation(int(words[0]), int(words[1]), sensor.resistance(kelvin))
        return (0.0, 0.0) if shunted else (volts, watts)

    def _read(self, channel: int, now: float) -> float:
        """Return the temperature a channel shows, K; 0 without a thermometer."""
        shown = self._readings[channel]
        if channel == self._channel and now - shown.made >= UPDATE:
            true = self._true(channel, now)
            volts, watts = self._excited(channel, true)
            noise = sensor.noise(self._scatter, volts) if true else 0.0
            true = sensor.heated(true, watts)
            settling = math.exp(-5 * (now - self._since) / self._setup(channel)[2])
            scatter = 1 + min(noise, 0.5) * self.rng.standard_normal()
            shown.kelvin = true * scatter + (self._from - true) * settling
            shown.made = now
        return shown.kelvin

    def temperature(self, call: Call) -> str:
        """``KRDG? channel``: temperature, K; 0 beyond the ends of the calibration."""
        kelvin = self._read(call.whole(1, CHANNELS), self.clock.now())
        return f"{0.0 if sensor.status(kelvin) else kelvin:+.5E}"

    def resistance(self, call: Call) -> str:
        """``SRDG? channel``: resistance, Ohm."""
        kelvin = self._read(call.whole(1, CHANNELS), self.clock.now())
        return f"{sensor.resistance(kelvin):+.5E}"

    def quadrature(self, call: Call) -> str:
        """``QRDG? channel``: imaginary part, Ohm; that of a good sensor is small."""
        call.whole(1, CHANNELS)
        return f"{self.rng.normal(0, 0.5):+.5E}"

    def excitation_power(self, call: Call) -> str:
        """``RDGPWR? channel``: power of the excitation at the sensor, W."""
        channel = call.whole(1, CHANNELS)
        return f"{self._excited(channel, self._read(channel, self.clock.now()))[1]:+.5E}"

    def status(self, call: Call) -> str:
        """``RDGST? channel``: why a reading is bad, as a sum of bits."""
        channel = call.whole(1, CHANNELS)
        if channel not in self._sensors:
            return f"{sensor.OPEN:03d}"
        return f"{sensor.status(self._read(channel, self.clock.now())):03d}"

    def input_setup(self, call: Call) -> str:
        """``INSET? channel``: enabled, dwell, pause, curve, coefficient."""
        channel = call.whole(1, CHANNELS)
        default = f"{int(channel in self._sensors)},010,003,21,1"
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

    def set_excitation(self, call: Call) -> None:
        """``INTYPE channel,mode,excitation,autorange,range,shunt,units``."""
        channel, mode = call.whole(1, CHANNELS), call.whole(0, 1, 1)
        excited = call.whole(1, 22 if mode else 12, 2)
        auto, chosen = call.whole(0, 2, 3), call.whole(1, 22, 4)
        shunt, units = call.whole(0, 1, 5), call.whole(1, 2, 6)
        self.settings[INTYPE, str(channel)] = (
            f"{mode},{excited:02d},{auto},{chosen},{shunt},{units}"
        )

    def excitation(self, call: Call) -> str:
        """``INTYPE? channel``."""
        return self.settings.get((INTYPE, str(call.whole(1, CHANNELS))), EXCITED)

    COMMANDS = (
        Row("SCAN", set_scan),
        Row("SCAN?", scan),
        Row("KRDG?", temperature),
        Row("SRDG?", resistance),
        Row("RDGR?", resistance),
        Row("QRDG?", quadrature),
        Row("RDGPWR?", excitation_power),
        Row("RDGST?", status),
        Row("INSET", set_input),
        Row("INSET?", input_setup),
        Row("INTYPE", set_excitation),
        Row("INTYPE?", excitation),
        *stored("INNAME", "Stage", index=1),
        *stored("FILTER", "1,005,10", index=1),
        *ROWS,
    )


INTYPE = "INTYPE"
EXCITED = "0,05,1,15,0,1"
"""200 uV, automatic range, kelvin."""
