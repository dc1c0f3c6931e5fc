"""Oxford Instruments Triton: its control software's line protocol over TCP.

Every question is answered by one line that repeats it: ``READ:DEV:T5:TEMP:SIG:TEMP`` by
``STAT:DEV:T5:TEMP:SIG:TEMP:0.0123K``. The thermometry is scanned: a channel has a new value once a
round and says nothing about it.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

from sim.devices.nanonis_stream import DeviceStream
from sim.heater import HeaterSettings
from sim.serve.server import MessageServer, Place, TcpServer
from sim.world import World

END = b"\r\n"
LONGEST_LINE = 1000
LOAD = 100.0
"""Of the heater, Ohm."""
RANGES = (0.316, 1.0, 3.16, 10.0, 31.6, 100.0)
"""Full-scale currents, mA."""
LOOP = re.compile(r"DEV:T(\d+):TEMP:LOOP:(TSET|MODE|RANGE|P|I|D)")
SIGNAL = re.compile(r"DEV:T(\d+):TEMP:SIG:TEMP")
GAIN = 100.0
"""P is taken as percent of the full current per kelvin."""


class Triton:
    """The control software of the cryostat.

    Parameters
    ----------
    name : str
    world : World
    stage_channel : int
        Channel of the stage thermometer.
    pot_channel : int
        Channel of the thermometer on the mixing chamber.
    round : float
        Time of one round of the scanner, s.
    scatter : float
        rms noise of a reading, relative.
    latency : float
        Time a question and its reply need on the network, s.
    """

    def __init__(
        self,
        name: str,
        world: World,
        stage_channel: int = 6,
        pot_channel: int = 5,
        round: float = 10.0,  # noqa: A002 - it is one
        scatter: float = 2e-4,
        latency: float = 1e-3,
    ) -> None:
        self.name = name
        self.transactions = 0
        self.unknown: list[str] = []
        """Every line that was not understood."""
        self._world = world
        self._rng = world.rng(name)
        self._sensors = {stage_channel: "stage", pot_channel: "pot"}
        self._round = round
        self._scatter = scatter
        self._latency = latency
        self._shown: dict[int, tuple[int, str]] = {}
        self._channel = pot_channel
        self._mode, self._range = "OFF", RANGES[0]
        self._loop = HeaterSettings(sensor="pot", proportional=0.1, integral_time=60.0)

    def connect(self) -> DeviceStream:
        """Return a new connection to this server."""
        return DeviceStream(self, self._world.clock, self._latency, _line_size)

    def servers(self, place: Place) -> list[TcpServer]:
        """Return the port of the control software."""
        return [MessageServer("Triton", place, 0, _line_size, self._serve)]

    def _serve(self, line: bytes) -> bytes:
        self.transactions += 1
        return self.handle(line)

    def handle(self, request: bytes) -> bytes:
        """Answer one line."""
        line = request.decode("latin-1").strip()
        verb, _, rest = line.partition(":")
        if line == "*IDN?":
            reply = "IDN:OXFORD INSTRUMENTS:TRITON 400:TWIN:1.0"
        elif verb == "READ":
            reply = f"STAT:{rest}:{self._read(rest)}"
        elif verb == "SET":
            noun, _, value = rest.rpartition(":")
            reply = f"STAT:SET:{rest}:{'VALID' if self._set(noun, value) else 'INVALID'}"
        else:
            self.unknown.append(line)
            reply = f"STAT:{line}:INVALID"
        return reply.encode("latin-1") + END

    # -- reading ------------------------------------------------------------------------------

    def _read(self, noun: str) -> str:
        signal, loop = SIGNAL.fullmatch(noun), LOOP.fullmatch(noun)
        if signal:
            return self._temperature(int(signal[1]))
        if loop and int(loop[1]) in self._sensors:
            return self._setting(loop[2])
        if noun == "DEV:H1:HTR:SIG:POWR":
            watts = self._world.fridge.heater_power(self._world.clock.now())
            return f"{watts * 1e6:.4f}uW"
        self.unknown.append(f"READ:{noun}")
        return "NOT_FOUND"

    def _temperature(self, channel: int) -> str:
        """What a channel showed when the scanner passed it last."""
        if channel not in self._sensors:
            return "NOT_FOUND"
        now, fridge = self._world.clock.now(), self._world.fridge
        number = math.floor(now / self._round)
        known, text = self._shown.get(channel, (-1, ""))
        if number != known:
            pot = self._sensors[channel] == "pot"
            true = fridge.pot_temperature(now) if pot else fridge.stage_temperature(now)
            text = f"{true * (1 + self._scatter * self._rng.standard_normal()):.7g}K"
            self._shown[channel] = number, text
        return text

    def _setting(self, which: str) -> str:
        loop = self._loop
        return {
            "TSET": f"{loop.setpoint:.6g}K",
            "MODE": self._mode,
            "RANGE": f"{self._range:g}mA",
            "P": f"{loop.proportional * GAIN:g}",
            "I": f"{loop.integral_time:g}",
            "D": f"{loop.derivative_time:g}",
        }[which]

    # -- setting ------------------------------------------------------------------------------

    def _set(self, noun: str, text: str) -> bool:
        found = LOOP.fullmatch(noun)
        if not found or int(found[1]) not in self._sensors:
            self.unknown.append(f"SET:{noun}")
            return False
        self._channel = int(found[1])
        accepted = self._set_mode(text) if found[2] == "MODE" else self._set_number(found[2], text)
        if accepted:
            self._apply()
        return accepted

    def _set_mode(self, text: str) -> bool:
        if text not in ("ON", "OFF"):
            return False
        self._mode = text
        return True

    def _set_number(self, which: str, text: str) -> bool:
        try:
            value = float(text)
        except ValueError:
            return False
        if which == "RANGE":
            near = [known for known in RANGES if abs(known - value) < 0.01 * known]
            self._range = near[0] if near else self._range
            return bool(near)
        if not 0 <= value <= (300 if which == "TSET" else 1000):
            return False
        changed = {
            "TSET": lambda: replace(self._loop, setpoint=value),
            "P": lambda: replace(self._loop, proportional=value / GAIN),
            "I": lambda: replace(self._loop, integral_time=value),
            "D": lambda: replace(self._loop, derivative_time=value),
        }
        self._loop = changed[which]()
        return True

    def _apply(self) -> None:
        settings = replace(
            self._loop,
            mode="closed" if self._mode == "ON" else "off",
            full_scale=(self._range * 1e-3) ** 2 * LOAD,
            sensor=self._sensors[self._channel],
        )
        self._world.fridge.set_heater(settings, self._world.clock.now())


def _line_size(data: bytes) -> int | None:
    end = data.find(b"\n")
    if end < 0 and len(data) > LONGEST_LINE:
        raise ValueError(f"a line longer than {LONGEST_LINE} bytes")
    return end + 1 if end >= 0 else None
