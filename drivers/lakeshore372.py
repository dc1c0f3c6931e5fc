"""Lake Shore 372 as thermometer, through the driver of QCoDeS.

The bridge has one scanner: a channel that is not selected keeps its last value without saying so,
and after a switch the reading settles during the channel's change pause and the filter's settle
time. A reading counts as fresh only when neither can be the case.
"""

from __future__ import annotations

import math

from qcodes.instrument_drivers.Lakeshore import LakeshoreModel372

from drivers.visa_errors import ask_number, ask_whole, reported
from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError
from stm_daq.station.limits import Limits
from stm_daq.station.roles import TemperatureReading


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
        self._channel = channel
        self._settled = False

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
        channel, autoscan = self._ask_numbers("SCAN?", 2)
        return channel == self._channel and not autoscan

    def _settling_time(self) -> float:
        """Return change pause and filter settle time of the channel together, s."""
        pause = self._ask_numbers(f"INSET? {self._channel}", 5)[2]
        on, settle, _window = self._ask_numbers(f"FILTER? {self._channel}", 3)
        return pause + (settle if on else 0.0)

    def _ask_numbers(self, query: str, count: int) -> list[float]:
        with reported(self._bridge, query):
            reply = self._bridge.ask(query)
        try:
            numbers = [float(text) for text in reply.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) != count:
            raise InstrumentError(
                f"{self._bridge.name}: cannot read the reply to {query}: {reply!r}"
            )
        return numbers
