"""Yokogawa GS200 voltage source, after its manual as the QCoDeS driver uses it.

A program of one or more steps runs on a clock of 10 Hz: each step goes to its level within the slope
time and stays until the interval is over. While a program is edited, levels become its steps and
the output stays. Assumed: ``SOUR:LEV?`` tells the momentary level during a ramp, and ramps are
straight. Not simulated: current source, measurement option, repeats, resuming a program.
"""

from __future__ import annotations

import math

import numpy as np

from sim.devices.scpi import SCPI_ERRORS, Device
from sim.devices.scpi_rows import Call, Row, ScpiError, choice, number, stored, switch
from sim.waveform import Waveform
from sim.world import World

RESOLUTIONS = {10e-3: 1e-7, 100e-3: 1e-6, 1.0: 1e-5, 10.0: 1e-4, 30.0: 1e-3}
"""Resolution by range, V."""
LARGEST = 32.0
TICK = 0.1
"""Period of the program's clock, s."""
END_OF_PROGRAM = 128
"""Bit of the extended event register."""
READY_FOR_PROGRAM = 256
"""Bit of the condition register."""
HISTORY = 60.0
"""So much of the past of the output is remembered, s."""


class Gs200(Device):
    """The source as its driver sees it; its output is on, at 0 V.

    Parameters
    ----------
    name : str
    world : World
    divider : float
        Junction voltage per volt of the output.
    range : float
        Range that the user has set, V.
    """

    IDENTITY = "YOKOGAWA,GS211,90ABCD123,2.02"

    def __init__(self, name: str, world: World, divider: float = 0.01, range: float = 1.0) -> None:  # noqa: A002
        super().__init__(name, world)
        self._divider = divider
        self._wave = Waveform()
        self._on = True
        self._fixed = 0.0
        self._range = range
        self._slope = 0.0
        self._interval = 1.0
        self._program: list[float] = []
        self._editing = False
        self._ends = -math.inf
        self._events = 0
        world.add_bias(name, self._wave)

    def level(self) -> float:
        """Return the level now, V; it is not at the terminals while the output is off."""
        if not self._on:
            return self._fixed
        return self._wave.value(self.clock.now()) / self._divider

    def set_output(self, call: Call) -> None:
        """``OUTP 0|1``."""
        on = switch(call.word()) == "1"
        self._fixed = self.level()
        self._on = on
        self._wave.ramp(self.clock.now(), self._fixed * self._divider if on else 0.0, math.inf)

    def set_range(self, call: Call) -> None:
        """``SOUR:RANG``, V; a level that does not fit goes to zero."""
        fitting = [r for r in RESOLUTIONS if math.isclose(r, call.number())]
        if not fitting:
            raise ScpiError(-222, "Data out of range")
        self._range = fitting[0]
        if abs(self.level()) > self._largest:
            self._go_to(0.0)

    def set_level(self, call: Call) -> None:
        """``SOUR:LEV``: set at once or, while a program is edited, add a step to it."""
        volts = self._allowed(call.number())
        if self._editing:
            self._program.append(volts)
            return
        if self._running():
            raise ScpiError(-221, "Settings conflict: a program is running")
        self._go_to(volts)

    def set_slope(self, call: Call) -> None:
        """``PROG:SLOP``, s."""
        self._slope = round(call.within(0.0, 3600.0) / TICK) * TICK

    def set_interval(self, call: Call) -> None:
        """``PROG:INT``, s."""
        self._interval = round(call.within(0.1, 3600.0) / TICK) * TICK

    def edit(self, _call: Call) -> None:
        """``PROG:EDIT:STAR``."""
        self._program, self._editing = [], True

    def end_edit(self, _call: Call) -> None:
        """``PROG:EDIT:END``."""
        self._editing = False

    def run(self, _call: Call) -> None:
        """``PROG:RUN``."""
        if not self._on or self._editing or not self._program or self._running():
            raise ScpiError(-221, "Settings conflict")
        begins = self.clock.now() + self._interval * np.arange(len(self._program))
        before = [self.level(), *self._program[:-1]]
        times = np.stack([begins, begins + min(self._slope, self._interval)], axis=1).ravel()
        values = np.stack([before, self._program], axis=1).ravel()
        self._wave.forget_before(self.clock.now() - HISTORY)
        self._wave.path(times, values * self._divider)
        self._ends = float(begins[-1]) + self._interval

    def pause(self, _call: Call) -> None:
        """``PROG:PAUS``: stop where it is."""
        if self._running():
            self._wave.cut(self.clock.now())
            self._ends = -math.inf

    def events(self, _call: Call) -> str:
        """``STAT:EVEN?``: read and clear."""
        self._running()
        found, self._events = self._events, 0
        return str(found)

    def clear_status(self) -> None:
        """Forget events and errors (``*CLS``)."""
        super().clear_status()
        self._events = 0

    @property
    def _largest(self) -> float:
        return min(1.2 * self._range, LARGEST)

    def _allowed(self, volts: float) -> float:
        """Return a level as the converter gives it, V."""
        if not abs(volts) <= self._largest:
            raise ScpiError(-222, "Data out of range")
        step = RESOLUTIONS[self._range]
        return round(volts / step) * step

    def _go_to(self, volts: float) -> None:
        self._fixed = volts
        self._wave.forget_before(self.clock.now() - HISTORY)
        if self._on:
            self._wave.ramp(self.clock.now(), volts * self._divider, math.inf)

    def _running(self) -> bool:
        """Return whether a program runs; note its end."""
        if self.clock.now() < self._ends:
            return True
        if math.isfinite(self._ends):
            self._events |= END_OF_PROGRAM
            self._ends = -math.inf
        return False

    COMMANDS = (
        *SCPI_ERRORS,
        Row("*OPT?", lambda _d, _c: "NONE"),
        Row("OUTPut", set_output),
        Row("OUTPut?", lambda d, _c: str(int(d._on))),
        *stored("SOURce:FUNCtion", "VOLT", choice("VOLTage")),
        Row("SOURce:RANGe", set_range),
        Row("SOURce:RANGe?", lambda d, _c: f"{d._range:E}"),
        Row("SOURce:LEVel", set_level),
        Row("SOURce:LEVel?", lambda d, _c: f"{d.level():.6E}"),
        *stored("SOURce:PROTection:VOLTage", "30", number(1, 30)),
        *stored("SOURce:PROTection:CURRent", "0.200", number(1e-3, 200e-3)),
        *stored("SENSe:REMote", "0", switch),
        *stored("SENSe:GUARd", "0", switch),
        *stored("ROUTe:BNCOut", "TRIG", choice("TRIGger", "OUTPut", "READy")),
        *stored("ROUTe:BNCIn", "TRIG", choice("TRIGger", "OUTPut")),
        Row("SYSTem:LFRequency?", lambda _d, _c: "50"),
        Row("PROGram:SLOPe", set_slope),
        Row("PROGram:SLOPe?", lambda d, _c: f"{d._slope:.1f}"),
        Row("PROGram:INTerval", set_interval),
        Row("PROGram:INTerval?", lambda d, _c: f"{d._interval:.1f}"),
        *stored("PROGram:REPeat", "0", choice("0")),
        *stored("PROGram:COUNt", "1", number(1, 10000)),
        Row("PROGram:LOAD?", lambda _d, _c: '""'),
        Row("PROGram:EDIT:STARt", edit),
        Row("PROGram:EDIT:END", end_edit),
        Row("PROGram:RUN", run),
        Row("PROGram:PAUSe", pause),
        Row("STATus:EVENt?", events),
        Row("STATus:CONDition?", lambda d, _c: str(0 if d._running() else READY_FOR_PROGRAM)),
    )
