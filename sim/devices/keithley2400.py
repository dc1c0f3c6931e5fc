"""Keithley 2400 source meter on a strip of the film, after its manual as the QCoDeS driver uses it.

It sources a current and measures the voltage; its output is off when the twin begins. Not simulated:
sourcing voltages, sweeps, triggers, two-wire resistances.
"""

from __future__ import annotations

import math

from sim.devices.scpi import SCPI_ERRORS, Device
from sim.devices.scpi_rows import Call, Row, ScpiError, number, stored, switch
from sim.world import World

LEVEL = "SOURce:CURRent:LEVel"
LARGEST = 1.05
"""A."""


class Keithley2400(Device):
    """The source meter as its driver sees it.

    Parameters
    ----------
    name : str
    world : World
    voltage_noise : float
        rms of one reading, V.
    integration : float
        Time that a reading takes, s.
    """

    IDENTITY = "KEITHLEY INSTRUMENTS INC.,MODEL 2400,1234567,C33"

    def __init__(
        self, name: str, world: World, voltage_noise: float = 1e-6, integration: float = 0.02
    ) -> None:
        super().__init__(name, world)
        self._noise = voltage_noise
        self._integration = integration

    def read(self, _call: Call) -> str:
        """``:READ?``: voltage and current; an error while the output is off."""
        if self.settings.get(("OUTPut:STATe",), "0") != "1":
            raise ScpiError(803, "Not permitted with OUTPUT off")
        self.clock.sleep(self._integration)
        current = float(self.settings.get((LEVEL,), "0"))
        voltage = self.world.tip.strip_voltage(current)
        limit = float(self.settings.get(("SENSe:VOLTage:PROTection",), "21"))
        if abs(voltage) > limit:  # compliance: the source gives what it can
            current, voltage = current * limit / abs(voltage), math.copysign(limit, voltage)
        voltage += self._noise * float(self.rng.standard_normal())
        return f"{voltage:+.6E},{current:+.6E}"

    COMMANDS = (
        *SCPI_ERRORS,
        Row("READ?", read),
        *stored("OUTPut:STATe", "0", switch),
        *stored(LEVEL, "0", number(-LARGEST, LARGEST)),
        *stored("SOURce:CURRent:RANGe", "1e-3", number(-LARGEST, LARGEST)),
        *stored("SENSe:CURRent:RANGe", "1e-3", number(-LARGEST, LARGEST)),
        *stored("SENSe:VOLTage:PROTection", "21", number(0, 210)),
        *stored("SENSe:VOLTage:RANGe", "21", number(-210, 210)),
        *stored("SENSe:CURRent:PROTection", "1.05e-4", number(-LARGEST, LARGEST)),
        *stored("SENSe:CURRent:NPLCycles", "1", number(0.01, 10)),
        *stored("SENSe:VOLTage:NPLCycles", "1", number(0.01, 10)),
        *stored("SOURce:FUNCtion", "CURR"),
        *stored("SENSe:FUNCtion", '"VOLT"'),
        *stored("TRIGger:COUNt", "1"),
        *stored("FORMat:ELEMents", "VOLT,CURR"),
    )
