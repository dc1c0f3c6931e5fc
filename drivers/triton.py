"""Oxford Instruments Triton: thermometer and temperature control over its line protocol.

The protocol does not say when a channel was measured. A reading of a real sensor is never the same
twice, so a value counts as fresh while it keeps changing.
"""

from __future__ import annotations

import math
import re
from functools import partial

from qcodes.instrument import Instrument
from qcodes.validators import Bool, Enum, Numbers

from drivers.triton_connection import TritonConnection
from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError, OutOfRangeError
from stm_daq.quantities import show
from stm_daq.station.limits import Limits
from stm_daq.station.roles import TemperatureReading

PORT = 33576
HEATER_RANGES = (0.316e-3, 1e-3, 3.16e-3, 10e-3, 31.6e-3, 100e-3)
"""Full-scale currents of the mixing-chamber heater, A."""
FACTORS = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3}
_VALUE = re.compile(r"([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)([numk]?)([A-Za-z]*)")
SETPOINTS = (0.0, 300.0)
"""K."""


def parse_value(text: str, unit: str) -> float:
    """Read a number with its unit, such as ``12.3mK``; NaN if the sensor has none.

    Raises
    ------
    InstrumentError
        If it is not a number in `unit`.
    """
    found = _VALUE.fullmatch(text)
    if found is None or found[3] not in ("", unit):
        if text.lower().startswith("nan"):
            return math.nan
        raise InstrumentError(f"the Triton's reply '{text}' is not a number in {unit}")
    try:
        return float(found[1]) * FACTORS[found[2]]
    except ValueError:
        raise InstrumentError(f"the Triton's reply '{text}' is no number") from None


class Triton(Instrument):
    """QCoDeS driver of a Triton dilution refrigerator.

    Parameters
    ----------
    name : str
    address : str
        Host of the control software.
    port : int
    channel : int
        Thermometer of the control loop, from 1.
    heater : int
        Number of the mixing-chamber heater.
    timeout : float
        Longest wait for a reply, s.
    """

    def __init__(
        self,
        name: str,
        address: str,
        port: int = PORT,
        channel: int = 5,
        heater: int = 1,
        timeout: float = 5.0,
    ) -> None:
        super().__init__(name)
        self.connection = TritonConnection(address, port, timeout)
        self.control_channel = channel
        """Channel of the control loop."""
        loop, sensor = f"DEV:T{channel}:TEMP:LOOP", f"DEV:T{channel}:TEMP:SIG:TEMP"
        self.temperature = self.add_parameter(
            "temperature",
            label="Temperature of the controlled channel",
            unit="K",
            get_cmd=partial(self.number, sensor, "K"),
        )
        self.setpoint = self.add_parameter(
            "setpoint",
            label="Temperature set-point",
            unit="K",
            get_cmd=partial(self.number, f"{loop}:TSET", "K"),
            set_cmd=lambda kelvin: self.connection.set(f"{loop}:TSET", f"{kelvin:.6g}"),
            vals=Numbers(*SETPOINTS),
        )
        self.loop = self.add_parameter(
            "loop",
            label="Control loop on",
            get_cmd=lambda: self.connection.read(f"{loop}:MODE") == "ON",
            set_cmd=lambda on: self.connection.set(f"{loop}:MODE", "ON" if on else "OFF"),
            vals=Bool(),
        )
        self.heater_range = self.add_parameter(
            "heater_range",
            label="Full-scale current of the heater",
            unit="A",
            get_cmd=lambda: parse_value(self.connection.read(f"{loop}:RANGE"), "A"),
            set_cmd=lambda ampere: self.connection.set(f"{loop}:RANGE", f"{ampere * 1e3:g}"),
            vals=Enum(*HEATER_RANGES),
        )
        self.heater_power = self.add_parameter(
            "heater_power",
            label="Power of the heater",
            unit="W",
            get_cmd=lambda: self._heater_power(heater),
        )
        for letter, meaning in (("P", "Proportional"), ("I", "Integral"), ("D", "Derivative")):
            self.add_parameter(
                letter,
                label=f"{meaning} gain of the loop",
                get_cmd=partial(self.number, f"{loop}:{letter}", ""),
                set_cmd=partial(self._set_number, f"{loop}:{letter}"),
                vals=Numbers(0, 1000),
            )
        self.connection.open()

    def number(self, noun: str, unit: str) -> float:
        """Return the value of a noun as a number in `unit`."""
        return parse_value(self.connection.read(noun), unit)

    def get_idn(self) -> dict[str, str | None]:
        """Return make and model."""
        words = [*self.connection.identity().split(":"), *[""] * 4]
        return dict(zip(("vendor", "model", "serial", "firmware"), words, strict=False))

    def close(self) -> None:
        """Disconnect; the Triton keeps doing what it does."""
        if hasattr(self, "connection"):
            self.connection.close()
        super().close()

    def _set_number(self, noun: str, value: float) -> None:
        self.connection.set(noun, f"{value:g}")

    def _heater_power(self, heater: int) -> float:
        """The software counts it in microwatts when it names no unit."""
        text = self.connection.read(f"DEV:H{heater}:HTR:SIG:POWR")
        return parse_value(text, "W") * (1.0 if text.endswith("W") else 1e-6)


class TritonThermometer:
    """One channel of a Triton.

    Parameters
    ----------
    instrument : Triton
    limits : Limits
    clock : Clock
    channel : int
        From 1.
    age_limit : float
        A value that has not changed for longer is not fresh, s. At least the time of one round of
        the scanner.
    """

    def __init__(
        self,
        instrument: Triton,
        limits: Limits,
        clock: Clock,
        channel: int,
        age_limit: float = 60.0,
    ) -> None:
        self._triton = instrument
        self._clock = clock
        self._noun = f"DEV:T{channel}:TEMP:SIG:TEMP"
        self._age_limit = age_limit
        self._text = ""
        self._changed = -math.inf

    def read(self) -> TemperatureReading:
        """Return the newest reading; waits at most the age limit to see it change."""
        end = self._clock.now() + self._age_limit
        self._look()
        while self._age() > self._age_limit and self._clock.now() < end:
            self._clock.sleep(1.0)
            self._look()
        kelvin = parse_value(self._text, "K")
        valid = math.isfinite(kelvin) and kelvin > 0
        return TemperatureReading(
            kelvin=kelvin if valid else math.nan,
            fresh=valid and self._age() <= self._age_limit,
            time=self._clock.wall() - min(self._age(), self._age_limit),
        )

    def _age(self) -> float:
        return self._clock.now() - self._changed

    def _look(self) -> None:
        """Read once and note whether it is another value than before."""
        text = self._triton.connection.read(self._noun)
        if self._text and text != self._text:
            self._changed = self._clock.now()
        self._text = text


class TritonControl:
    """The mixing-chamber heater of a Triton, regulated by its loop.

    Parameters
    ----------
    instrument : Triton
    limits : Limits
    clock : Clock
    largest_power : float
        No range that could give more is ever used, W.
    heater_resistance : float
        Ohm.
    """

    def __init__(
        self,
        instrument: Triton,
        limits: Limits,
        clock: Clock,
        largest_power: float,
        heater_resistance: float = 100.0,
    ) -> None:
        self._triton = instrument
        self._allowed = limits.temperature
        full = tuple(ampere**2 * heater_resistance for ampere in HEATER_RANGES)
        self._ranges = tuple(watts for watts in full if watts <= largest_power * (1 + 1e-6))
        if not self._ranges:
            raise ValueError(f"no heater range stays below largest_power = {largest_power:g} W")

    def setpoint(self) -> float:
        """Read the set-point, K."""
        return float(self._triton.setpoint())

    def set_setpoint(self, kelvin: float) -> None:
        """Change the set-point and confirm it; the heater stays as it is."""
        self._allowed.require(kelvin, "a temperature")
        self._triton.setpoint(kelvin)
        self._require("set-point", self.setpoint(), kelvin, "K")

    def heater_ranges(self) -> tuple[float, ...]:
        """Return the full-scale powers that may be chosen, ascending, W."""
        return self._ranges

    def heater_on(self, watts: float) -> None:
        """Regulate with the smallest range that can give `watts`, and confirm it."""
        fits = zip(HEATER_RANGES, self._ranges, strict=False)
        enough = [ampere for ampere, full in fits if full >= watts > 0]
        if not enough:
            raise OutOfRangeError(
                f"{self._triton.name}: a heater power of {show(watts, 'W')}; allowed is up to "
                f"{show(self._ranges[-1], 'W')} (`largest_power` of the role); nothing was sent"
            )
        self._allowed.require(self.setpoint(), "the set-point of the heater")
        self._triton.heater_range(enough[0])
        self._require("heater range", float(self._triton.heater_range()), enough[0], "A")
        self._triton.loop(True)
        if not self.heater_is_on():
            raise InstrumentError(f"{self._triton.name}: the control loop did not switch on")

    def heater_off(self) -> None:
        """Switch the heater off and confirm it."""
        self._triton.loop(False)
        if self.heater_is_on():
            raise InstrumentError(f"{self._triton.name}: the control loop did not switch off")

    def heater_is_on(self) -> bool:
        """Read whether the heater is regulated."""
        return bool(self._triton.loop())

    def heater_power(self) -> float:
        """Read the present power of the heater, W."""
        return float(self._triton.heater_power())

    def _require(self, what: str, found: float, wanted: float, unit: str) -> None:
        if abs(found - wanted) > 1e-3 * wanted:
            raise InstrumentError(
                f"{self._triton.name}: the {what} is {show(found, unit)} instead of "
                f"{show(wanted, unit)}; is remote control allowed?"
            )
