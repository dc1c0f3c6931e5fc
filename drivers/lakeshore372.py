"""Lake Shore 372: the driver of QCoDeS, completed; thermometer and temperature control.

The bridge has one scanner: a channel that is not selected keeps its last value without saying so,
and after a switch the reading settles during the channel's change pause and the filter's settle
time. A reading counts as fresh only when neither can be the case.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

from qcodes.instrument_drivers.Lakeshore import LakeshoreModel372
from qcodes.validators import Bool, Ints, Numbers

from drivers.visa_errors import ask_number, ask_numbers, ask_whole, reported
from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError, OutOfRangeError
from stm_daq.quantities import show
from stm_daq.station.limits import Limits
from stm_daq.station.roles import TemperatureReading

if TYPE_CHECKING:
    from qcodes.parameters import Parameter

CHANNELS = 16
OUTPUT = 0
"""The sample heater."""
OFF, CLOSED = 0, 5
"""Control modes (OUTMODE)."""
SMALLEST_RANGE = 31.6e-6
"""Full-scale current of heater range 1, A; the others follow in half decades to 100 mA."""
RANGES = range(1, 9)
SETPOINT_TIME = 0.5
"""After a change the old set-point may be read for so long, s."""
WITHOUT_LABEL = {
    "output_heater_resistance": "Heater load",
    "output_max_current": "Largest output current",
    "output_max_user_current": "Largest output current, user specified",
    "output_display": "Display of the output",
}


class Lakeshore372(LakeshoreModel372):
    """The driver of QCoDeS with the scanner and a few limits added, and without its endless wait.

    Parameters
    ----------
    name : str
    address : str
    """

    def __init__(self, name: str, address: str, **kwargs: Any) -> None:
        super().__init__(name, address, **kwargs)
        self.scanned_channel = self.add_parameter(
            "scanned_channel",
            label="Scanned channel",
            get_cmd=lambda: int(self.ask("SCAN?").split(",")[0]),
            set_cmd=lambda channel: self.write(f"SCAN {channel},{self.ask('SCAN?').split(',')[1]}"),
            vals=Ints(1, CHANNELS),
        )
        self.autoscan = self.add_parameter(
            "autoscan",
            label="Autoscan",
            get_cmd=lambda: bool(int(self.ask("SCAN?").split(",")[1])),
            set_cmd=lambda on: self.write(f"SCAN {self.ask('SCAN?').split(',')[0]},{int(on)}"),
            vals=Bool(),
        )
        for number in range(1, CHANNELS + 1):
            channel = getattr(self, f"ch{number:02d}")
            channel.t_limit.add_validator(Numbers(0, 400))
            channel.add_parameter(
                "quadrature",
                label="Imaginary part of the resistance",
                unit="Ohm",
                get_cmd=f"QRDG? {number}",
                get_parser=float,
            )
            channel.add_parameter(
                "excitation_power",
                label="Power of the excitation",
                unit="W",
                get_cmd=f"RDGPWR? {number}",
                get_parser=float,
            )
        for heater in (self.sample_heater, self.warmup_heater, self.analog_heater):
            heater.remove_parameter("blocking_t")  # waits for ever if the heater is off
            heater.setpoint.unit = "K"
            for key, label in WITHOUT_LABEL.items():
                if key in heater.parameters:
                    cast("Parameter", heater.parameters[key]).label = label


class Ls372Thermometer:
    """One channel of a Lake Shore 372.

    With autoscan on no reading is fresh, because nobody can tell when the scanner has moved.

    Parameters
    ----------
    instrument : LakeshoreModel372
    limits : Limits
    clock : Clock
    channel : int
        From 1.
    """

    def __init__(
        self, instrument: LakeshoreModel372, limits: Limits, clock: Clock, channel: int
    ) -> None:
        self._bridge = instrument
        self._clock = clock
        self._channel = _checked(channel)
        self._settled = False

    def select(self) -> None:
        """Put the scanner on this channel and leave it there, autoscan off."""
        with reported(self._bridge, "select a channel"):
            self._bridge.write(f"SCAN {self._channel},0")
        self._settled = False
        if not self._is_live():
            raise InstrumentError(
                f"{self._bridge.name}: the scanner does not go to channel {self._channel}; "
                "is the scanner connected and the channel enabled?"
            )

    def read(self) -> TemperatureReading:
        """Return the newest reading; waits for the channel to settle after it was switched on."""
        live = self._is_live()
        if live and not self._settled:
            self._clock.sleep(self._settling_time())
            live = self._is_live()
        self._settled = live
        kelvin = ask_number(self._bridge, f"KRDG? {self._channel}")
        status = ask_whole(self._bridge, f"RDGST? {self._channel}")
        valid = status == 0 and kelvin > 0
        return TemperatureReading(
            kelvin=kelvin if valid else math.nan,
            fresh=valid and live,
            time=self._clock.wall(),
        )

    def _is_live(self) -> bool:
        """Whether the scanner stays on our channel."""
        channel, autoscan = ask_numbers(self._bridge, "SCAN?", 2)
        return channel == self._channel and not autoscan

    def _settling_time(self) -> float:
        """Return change pause and filter settle time of the channel together, s."""
        pause = ask_numbers(self._bridge, f"INSET? {self._channel}", 5)[2]
        on, settle, _window = ask_numbers(self._bridge, f"FILTER? {self._channel}", 3)
        return float(pause + (settle if on else 0.0))


class Ls372Control:
    """The sample heater of a Lake Shore 372, regulated to one channel.

    Parameters
    ----------
    instrument : LakeshoreModel372
    limits : Limits
    clock : Clock
    channel : int
        Input of the control loop, from 1.
    largest_power : float
        No range that could give more is ever used, W.
    heater_resistance : float
        Ohm.
    proportional, integral, derivative : float, optional
        Gains of the loop as the instrument counts them; those that it has if 0 is given for all.
    """

    def __init__(
        self,
        instrument: LakeshoreModel372,
        limits: Limits,
        clock: Clock,
        channel: int,
        largest_power: float,
        heater_resistance: float = 120.0,
        proportional: float = 0.0,
        integral: float = 0.0,
        derivative: float = 0.0,
    ) -> None:
        self._bridge = instrument
        self._allowed = limits.temperature
        self._clock = clock
        self._channel = _checked(channel)
        self._resistance = heater_resistance
        full = (self._full_scale(number) for number in RANGES)
        self._ranges = tuple(watts for watts in full if watts <= largest_power * (1 + 1e-6))
        if not self._ranges:
            raise ValueError(f"no heater range stays below largest_power = {largest_power:g} W")
        gains = (proportional, integral, derivative)
        if not all(0 <= g <= top for g, top in zip(gains, (1000, 10_000, 2500), strict=True)):
            raise ValueError("proportional, integral, derivative: 0 to 1000, 10 000 and 2500")
        self._gains = gains if any(gains) else None

    def setpoint(self) -> float:
        """Read the set-point, K."""
        return ask_number(self._bridge, f"SETP? {OUTPUT}")

    def set_setpoint(self, kelvin: float) -> None:
        """Change the set-point and confirm it; the heater stays as it is."""
        self._allowed.require(kelvin, "a temperature")
        self._require_kelvin()
        with reported(self._bridge, "set the temperature"):
            self._bridge.write(f"SETP {OUTPUT},{kelvin:.6g}")
        self._clock.sleep(SETPOINT_TIME)
        found = self.setpoint()
        if abs(found - kelvin) > 1e-4 * kelvin:
            raise self._refused("set-point", show(kelvin, "K"), show(found, "K"))

    def heater_ranges(self) -> tuple[float, ...]:
        """Return the full-scale powers that may be chosen, ascending, W."""
        return self._ranges

    def heater_on(self, watts: float) -> None:
        """Regulate with the smallest range that can give `watts`, and confirm it."""
        enough = [n for n, full in zip(RANGES, self._ranges, strict=False) if full >= watts > 0]
        if not enough:
            raise OutOfRangeError(
                f"{self._bridge.name}: a heater power of {show(watts, 'W')}; allowed is up to "
                f"{show(self._ranges[-1], 'W')} (`largest_power` of the role); nothing was sent"
            )
        self._allowed.require(self.setpoint(), "the set-point of the heater")
        with reported(self._bridge, "switch the heater on"):
            if self._gains is not None:
                p, i, d = self._gains
                self._bridge.write(f"PID {OUTPUT},{p:g},{i:g},{d:g}")
            self._bridge.write(f"OUTMODE {OUTPUT},{CLOSED},{self._channel},0,0,1,1")
            self._bridge.write(f"RANGE {OUTPUT},{enough[0]}")
        if not self.heater_is_on():
            raise self._refused("heater", "on", "off")

    def heater_off(self) -> None:
        """Switch the heater off and confirm it."""
        with reported(self._bridge, "switch the heater off"):
            self._bridge.write(f"RANGE {OUTPUT},0")
        found = ask_whole(self._bridge, f"RANGE? {OUTPUT}")
        if found != 0:
            raise self._refused("heater range", "0", str(found))

    def heater_is_on(self) -> bool:
        """Read whether the heater is regulated to our channel."""
        mode, channel = ask_numbers(self._bridge, f"OUTMODE? {OUTPUT}", 6)[:2]
        chosen = ask_whole(self._bridge, f"RANGE? {OUTPUT}")
        return chosen > 0 and mode == CLOSED and channel == self._channel

    def heater_power(self) -> float:
        """Read the present power of the heater, W (its output is in percent of the full current)."""
        percent = ask_number(self._bridge, f"HTR? {OUTPUT}")
        chosen = ask_whole(self._bridge, f"RANGE? {OUTPUT}")
        return (percent / 100) ** 2 * self._full_scale(chosen) if chosen else 0.0

    def _full_scale(self, number: int) -> float:
        return (SMALLEST_RANGE * 10 ** ((number - 1) / 2)) ** 2 * self._resistance

    def _require_kelvin(self) -> None:
        """The set-point is in the preferred units of the input; Ohm would be a disaster."""
        units = ask_numbers(self._bridge, f"INTYPE? {self._channel}", 6)[5]
        if units != 1:
            raise InstrumentError(
                f"{self._bridge.name}: channel {self._channel} is set to Ohm; set its preferred "
                "units to kelvin"
            )

    def _refused(self, what: str, wanted: str, found: str) -> InstrumentError:
        text = f"{self._bridge.name}: the {what} is {found} instead of {wanted}"
        return InstrumentError(f"{text}; is the instrument in remote mode?")


def _checked(channel: int) -> int:
    if not 1 <= channel <= CHANNELS:
        raise ValueError(f"channel {channel}: there are 1 to {CHANNELS}")
    return channel
