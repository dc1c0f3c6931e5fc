"""Rohde & Schwarz SMB100A microwave source with list mode. It is off when the twin begins.

Commands after the R&S SMB100A operating manual (LIST and SYSTem subsystems) and the contributed
QCoDeS driver. A list that was carried out stays at its last entry; before its trigger the source is
at the first one.
"""

from __future__ import annotations

from sim.devices.microwave_output import MicrowaveOutput, quantity, static_error, with_unit
from sim.devices.scpi import SCPI_ERRORS
from sim.devices.scpi_rows import Call, Row, ScpiError, choice, stored, switch
from sim.world import World

FREQUENCIES = (100e3, 20e9)
POWERS = (-120.0, 30.0)
LIST_FREQUENCIES = (300e3, 20e9)
SHORTEST_DWELL = 0.7e-3
NO_LIST = (-221, "Settings conflict; no list or lists of different length")

type Column = list[float]


class Smb100a(MicrowaveOutput):
    """The source as its driver sees it."""

    IDENTITY = "Rohde&Schwarz,SMB100A,1406.6000k03/100001,3.1.19.15-3.20.390.24"

    def __init__(self, name: str, world: World) -> None:
        super().__init__(name, world)
        self._lists: dict[str, tuple[Column, Column]] = {}
        self._selected = ""
        self._triggered: float | None = None

    def emitted(self, time: float) -> tuple[float, float] | None:
        """Return frequency (Hz) and power (dBm) that leave the source; None while it is off."""
        fixed = super().emitted(time)
        if fixed is None or not self._in_list_mode:
            return fixed
        frequencies, powers = self._lists[self._selected]
        index = self._index(time)
        return frequencies[index], powers[index]

    @property
    def _in_list_mode(self) -> bool:
        return self.settings.get((MODE,), "CW") == "LIST"

    def _index(self, time: float) -> int:
        if self._triggered is None:
            return 0
        dwell = self.value(DWELL, 15e-3)
        passed = int((time - self._triggered) / dwell + 1e-9)
        return min(passed, len(self._lists[self._selected][0]) - 1)

    # -- commands -----------------------------------------------------------------------------

    def set_mode(self, call: Call) -> None:
        """``FREQ:MODE CW|SWEep|LIST``."""
        mode = choice("CW", "FIXed", "SWEep", "LIST")(call.args[0] if call.args else "")
        if mode == "LIST":
            self._require_list()
            self._triggered = None
        self.settings[MODE,] = mode

    def select(self, call: Call) -> None:
        """``LIST:SEL 'name'``: the list is made if there is none."""
        self._selected = call.args[0].strip("'\"") if call.args else ""
        self._lists.setdefault(self._selected, ([], []))

    def selected(self, _call: Call) -> str:
        """``LIST:SEL?``."""
        return f'"{self._selected}"'

    def set_frequencies(self, call: Call) -> None:
        """``LIST:FREQ f1, f2, ...``."""
        self._fill(0, call, LIST_FREQUENCIES)

    def set_powers(self, call: Call) -> None:
        """``LIST:POW p1, p2, ...``."""
        self._fill(1, call, POWERS)

    def _fill(self, column: int, call: Call, limits: tuple[float, float]) -> None:
        values = [with_unit(text) for text in call.args]
        if not self._selected:
            raise ScpiError(-221, "Settings conflict; no list selected")
        if not all(limits[0] <= value <= limits[1] for value in values):
            raise ScpiError(-222, "Data out of range")
        self._lists[self._selected][column][:] = values

    def points(self, column: int) -> str:
        """Return how many entries a column of the list has."""
        return str(len(self._lists[self._selected][column])) if self._selected else "0"

    def execute(self, _call: Call) -> None:
        """``LIST:TRIG:EXEC``: carry the list out once."""
        if not self._in_list_mode:
            raise ScpiError(-221, "Settings conflict; list mode is off")
        self._triggered = now = self.clock.now()
        dwell = self.value(DWELL, 15e-3)
        for index in range(1, len(self._lists[self._selected][0])):
            self.clock.call_at(now + index * dwell, self.world.microwaves_changed)

    def reset_list(self, _call: Call) -> None:
        """``LIST:RES``: back to the first entry."""
        self._triggered = None

    def learn(self, _call: Call) -> None:
        """``LIST:LEARn``."""
        self._require_list()

    def _require_list(self) -> None:
        frequencies, powers = self._lists.get(self._selected, ([], []))
        if not frequencies or len(frequencies) != len(powers):
            raise ScpiError(*NO_LIST)

    COMMANDS = (
        *SCPI_ERRORS,
        Row("SYSTem:SERRor?", static_error),
        *stored("SOURce:FREQuency", "1000000000", quantity(*FREQUENCIES)),
        *stored("SOURce:PHASe", "0", quantity(0, 360)),
        *stored("SOURce:POWer", "-30", quantity(*POWERS)),
        *stored("OUTPut:STATe", "0", switch),
        *stored("SOURce:PULM:STATe", "0", switch),
        *stored("FREQuency:STARt", "100000000", quantity(*FREQUENCIES)),
        *stored("FREQuency:STOP", "500000000", quantity(*FREQUENCIES)),
        *stored("SWEep:STEP", "1000000", quantity(0.01, 20e9)),
        *stored("SWEep:POINts", "401", quantity(2, 1e9)),
        *stored("SWEep:DWELl", "0.015", quantity(1e-3, 100)),
        *stored("TRIGger:FSWeep:SOURce", "AUTO", choice("AUTO", "SINGle", "EXTernal", "EAUTo")),
        Row("SOURce:FREQuency:MODE", set_mode),
        Row("SOURce:FREQuency:MODE?", lambda device, _call: device.settings.get((MODE,), "CW")),
        Row("SOURce:LIST:SELect", select),
        Row("SOURce:LIST:SELect?", selected),
        Row("SOURce:LIST:FREQuency", set_frequencies),
        Row("SOURce:LIST:FREQuency:POINts?", lambda device, _call: device.points(0)),
        Row("SOURce:LIST:POWer", set_powers),
        Row("SOURce:LIST:POWer:POINts?", lambda device, _call: device.points(1)),
        *stored("SOURce:LIST:DWELl", "0.015", quantity(SHORTEST_DWELL, 100)),
        *stored("SOURce:LIST:MODE", "AUTO", choice("AUTO", "STEP")),
        *stored(
            "SOURce:LIST:TRIGger:SOURce",
            "AUTO",
            choice("AUTO", "IMMediate", "SINGle", "BUS", "EXTernal"),
        ),
        Row("SOURce:LIST:TRIGger:EXECute", execute),
        Row("SOURce:LIST:RESet", reset_list),
        Row("SOURce:LIST:LEARn", learn),
    )


MODE = "SOURce:FREQuency:MODE"
DWELL = "SOURce:LIST:DWELl"
