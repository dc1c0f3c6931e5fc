"""What simulated microwave sources have in common: an output that the world feels."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sim.devices.scpi import Device
from sim.devices.scpi_rows import Call, Check, ScpiError
from sim.world import World

FACTORS = {"HZ": 1.0, "KHZ": 1e3, "MHZ": 1e6, "GHZ": 1e9, "MS": 1e-3, "S": 1.0, "DBM": 1.0, "": 1.0}
_QUANTITY = re.compile(r"\s*([-+0-9.eE]+)\s*([a-zA-Z]*)\s*")


def quantity(low: float, high: float) -> Check:
    """Accept a number within [low, high] with or without its unit; keep it without."""

    def check(text: str) -> str:
        value = with_unit(text)
        if not low <= value <= high:
            raise ScpiError(-222, "Data out of range")
        return repr(value)

    return check


def with_unit(text: str) -> float:
    """Read a number that may carry a unit: ``"2 GHz"`` is 2e9."""
    found = _QUANTITY.fullmatch(text)
    if found is None or found[2].upper() not in FACTORS:
        raise ScpiError(-131, "Invalid suffix")
    try:
        return float(found[1]) * FACTORS[found[2].upper()]
    except ValueError:
        raise ScpiError(-104, "Data type error") from None


class MicrowaveOutput(Device):
    """A source that is off when the twin begins.

    Parameters
    ----------
    name : str
    world : World
    range_edges : sequence of float
        Powers at which an attenuator switches, dBm: for a moment nothing leaves the source then.

    Attributes
    ----------
    static_errors : dict
        What is wrong with the hardware now, by number; a test may add to it.
    """

    FREQUENCY = ("SOURce:FREQuency", 1e9)
    POWER = ("SOURce:POWer", -30.0)
    OUTPUT = "OUTPut:STATe"

    def __init__(self, name: str, world: World, range_edges: Sequence[float] = ()) -> None:
        super().__init__(name, world)
        self.static_errors: dict[int, str] = {}
        self._edges = tuple(range_edges)
        self._between_ranges = False
        world.add_microwaves(name, self.emitted)

    def handle(self, message: bytes) -> bytes | None:
        """Answer, and let the world know if another power leaves now."""
        before = self.emitted(self.clock.now())
        reply = super().handle(message)
        after = self.emitted(self.clock.now())
        if after != before:
            if before is not None and after is not None and self._crosses(before[1], after[1]):
                self._between_ranges = True
                self.world.microwaves_changed()
                self._between_ranges = False
            self.world.microwaves_changed()
        return reply

    def emitted(self, _time: float) -> tuple[float, float] | None:
        """Return frequency (Hz) and power (dBm) that leave the source; None while it is off."""
        if self._between_ranges or self.settings.get((self.OUTPUT,), "0") != "1":
            return None
        return self.value(*self.FREQUENCY), self.value(*self.POWER)

    def _crosses(self, before: float, after: float) -> bool:
        """Whether an attenuator switches between two powers, dBm."""
        low, high = sorted((before, after))
        return any(low < edge <= high for edge in self._edges)

    def value(self, pattern: str, default: float) -> float:
        """Return a setting as a number."""
        return float(self.settings.get((pattern,), default))


def static_error(device: MicrowaveOutput, _call: Call) -> str:
    """Return what is wrong now (``SYST:SERR?``); asking does not mend it."""
    found = dict(device.static_errors)
    if device.world.faults.active("microwave_unlock", device.name):
        found[50] = "Reference oscillator not locked"
    texts = [f'{code},"{text}"' for code, text in found.items()]
    return ",".join(texts) or '0,"No error"'
