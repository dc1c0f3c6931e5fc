"""AnaPico APSIN12G microwave source. It is off when the twin begins.

Commands as the PyMeasure driver sends them, and the questionable status of SCPI-1999.
"""

from __future__ import annotations

from sim.devices.microwave_output import MicrowaveOutput, quantity
from sim.devices.scpi import SCPI_ERRORS
from sim.devices.scpi_rows import Call, Row, stored, switch

UNLEVELLED, UNLOCKED = 8, 32
"""Bits POWer and FREQuency of the questionable status."""


def on_off(text: str) -> str:
    """Accept on and off; keep the word, as the instrument answers with it."""
    return {"1": "ON", "0": "OFF"}[switch(text)]


class Apsin12g(MicrowaveOutput):
    """The source as its driver sees it."""

    IDENTITY = "AnaPico AG,APSIN12G,112-000000001-0001,1.0"
    FREQUENCY = ("SOURce:FREQuency:CW", 1e9)
    POWER = ("SOURce:POWer:LEVel:IMMediate:AMPLitude", -30.0)

    def questionable(self, _call: Call) -> str:
        """``STAT:QUES:COND?``: the sum of what is wrong now."""
        return str(sum(self.static_errors))

    COMMANDS = (
        *SCPI_ERRORS,
        Row("*OPT?", lambda _device, _call: "9K,HP,GPIB"),
        Row("STATus:QUEStionable:CONDition?", questionable),
        *stored(FREQUENCY[0], "1000000000", quantity(9e3, 12e9)),
        *stored(POWER[0], "-30", quantity(-30, 27)),
        *stored("OUTPut:STATe", "0", switch),
        *stored("OUTPut:BLANking:STATe", "OFF", on_off),
        *stored("SOURce:ROSCillator:OUTPut:STATe", "OFF", on_off),
    )
