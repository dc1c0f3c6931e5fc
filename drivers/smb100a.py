"""Rohde & Schwarz SMB100A: the contributed QCoDeS driver, mended, with list mode.

List mode after the LIST subsystem of the R&S SMB100A operating manual.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from qcodes.parameters import create_on_off_val_mapping
from qcodes.validators import Enum, Ints, Numbers
from qcodes_contrib_drivers.drivers.RohdeSchwarz.SMB100A import RohdeSchwarz_SMB100A

from drivers.microwave import RESOLUTION, RohdeSchwarzAdapter
from drivers.visa_errors import ask_whole, reported
from stm_daq.clock import Clock
from stm_daq.errors import InstrumentError, OutOfRangeError
from stm_daq.quantities import show
from stm_daq.records import Array
from stm_daq.station.limits import Limits

LIST = "stm_daq"
"""Name of our list in the instrument."""
DWELL = (0.7e-3, 100.0)
"""Time per entry, s."""
LOWEST_FREQUENCY = 300e3
"""In a list, Hz."""
MODES = {"CW": "CW", "sweep": "SWE", "list": "LIST"}


class Smb100a(RohdeSchwarz_SMB100A):  # type: ignore[misc]
    """The contributed driver, whose switches refuse the very values they should take.

    Parameters
    ----------
    name : str
    address : str
    """

    def __init__(self, name: str, address: str, **kwargs: Any) -> None:
        super().__init__(name, address, **kwargs)
        self._mend("status", "RF output", ":OUTP:STAT")
        self._mend("pulsemod_state", "Pulse modulation", ":SOUR:PULM:STAT")
        self._replace(
            "sourcemode",
            label="Source mode",
            get_cmd="SOUR:FREQ:MODE?",
            set_cmd="SOUR:FREQ:MODE {}",
            val_mapping=MODES,
            vals=Enum(*MODES),
        )
        self._replace(
            "sweepmode",
            label="Trigger of frequency sweeps",
            get_cmd="TRIG:FSW:SOUR?",
            set_cmd="TRIG:FSW:SOUR {}",
            val_mapping={"auto": "AUTO", "single": "SING"},
            vals=Enum("auto", "single"),
        )
        self._replace(
            "sweep_points",
            label="Points of a frequency sweep",
            get_cmd="SWE:POIN?",
            set_cmd="SWE:POIN {:d}",
            get_parser=lambda text: int(float(text)),
            vals=Ints(2, 10_000_000),
        )
        self.add_parameter(
            "list_dwell",
            label="Time per entry of a list",
            unit="s",
            get_cmd="SOUR:LIST:DWEL?",
            set_cmd=lambda seconds: self.write(f"SOUR:LIST:DWEL {seconds * 1e3:.1f}ms"),
            get_parser=float,
            vals=Numbers(*DWELL),
        )
        self.add_parameter(
            "list_points",
            label="Entries of the list",
            get_cmd="SOUR:LIST:POW:POIN?",
            get_parser=int,
        )

    def load_list(self, frequency: float, powers: Array, dwell: float) -> None:
        """Store a list of powers at one frequency, started by command, carried out once.

        Parameters
        ----------
        frequency : float
            Hz.
        powers : array of shape (n,)
            dBm.
        dwell : float
            Time per entry, s.
        """
        self.list_dwell.validate(dwell)
        self.write(f"SOUR:LIST:SEL '{LIST}'")
        self.write("SOUR:LIST:FREQ " + ",".join([f"{frequency:.2f}Hz"] * len(powers)))
        self.write("SOUR:LIST:POW " + ",".join(f"{power:.2f}dBm" for power in powers))
        self.list_dwell(dwell)
        self.write("SOUR:LIST:MODE AUTO")
        self.write("SOUR:LIST:TRIG:SOUR SING")
        self.write("SOUR:LIST:LEAR")

    def start_list(self) -> None:
        """Carry the list out once; list mode must be on."""
        self.write("SOUR:LIST:TRIG:EXEC")

    def _mend(self, name: str, label: str, command: str) -> None:
        """Make a switch accept "on" and "off" (its validator allowed only 0 and 1)."""
        mapping = create_on_off_val_mapping(on_val="1", off_val="0")
        self._replace(
            name,
            label=label,
            get_cmd=f"{command}?",
            set_cmd=f"{command} {{}}",
            val_mapping=mapping,
            vals=Enum(*mapping),
        )

    def _replace(self, name: str, **settings: Any) -> None:
        self.remove_parameter(name)
        setattr(self, name, self.add_parameter(name, **settings))


class Smb100aSource(RohdeSchwarzAdapter):
    """An SMB100A; see :class:`drivers.microwave.MicrowaveAdapter`. Lists of powers as well.

    Parameters
    ----------
    instrument : Smb100a
    limits : Limits
    clock : Clock
    largest_step : float
        The power may grow by so much at a time, dB; a plan can only narrow it.
    """

    def __init__(
        self,
        instrument: Smb100a,
        limits: Limits,
        clock: Clock,
        largest_step: float = 1.0,
        range_edges: tuple[float, ...] = (),
    ) -> None:
        super().__init__(instrument, limits, clock, largest_step, range_edges)
        self._smb = instrument
        self._list: tuple[Array, float] | None = None
        self._ends = math.inf

    def prepare_list(self, dbm: Array, dwell: float) -> None:
        """Load a list of powers and go to its first; the output must be on.

        Parameters
        ----------
        dbm : array of shape (n,)
            Powers in order; none may exceed the one before by more than the largest step.
        dwell : float
            Time per entry, s.

        Raises
        ------
        OutOfRangeError
            If a power, a step or `dwell` is not allowed; nothing was sent.
        InstrumentError
            If the instrument does not take the list.
        """
        self._check_list(dbm, dwell)
        frequency = self.frequency()
        if frequency < LOWEST_FREQUENCY:
            raise OutOfRangeError(
                f"{self._smb.name}: lists begin at {show(LOWEST_FREQUENCY, 'Hz')}, the frequency "
                f"is {show(frequency, 'Hz')}"
            )
        self.end_list()
        self.set_power(float(dbm[0]))
        with reported(self._smb, "load a list of powers"):
            self._smb.load_list(frequency, dbm, dwell)
            self._smb.sourcemode("list")
        found = ask_whole(self._smb, "SOUR:LIST:POW:POIN?")
        if found != len(dbm) or self._mode() != "LIST":
            raise InstrumentError(
                f"{self._smb.name}: it holds a list of {found} powers instead of {len(dbm)}, or "
                "does not go into list mode; check its display for errors"
            )
        self._list = dbm, dwell
        self._ends = math.inf

    def start_list(self) -> float:
        """Start the list and return how long it takes, s."""
        if self._list is None:
            raise InstrumentError(f"{self._smb.name}: no list was prepared")
        powers, dwell = self._list
        with reported(self._smb, "start the list"):
            self._smb.start_list()
        self._ends = self._clock.now() + len(powers) * dwell
        return len(powers) * dwell

    def end_list(self) -> None:
        """Leave list mode: at the power of the last entry, or at the lowest if it is not over."""
        if self._list is None:
            return
        powers = self._list[0]
        after = float(powers[-1] if self._clock.now() >= self._ends else powers.min())
        self._write_power(after)  # list mode uses powers of its own; this one follows it
        self._end_modes()
        self._confirm_power(after)

    def _end_modes(self) -> None:
        """Leave list and sweep mode, where the power is not the one that is set."""
        self._list = None
        if self._mode() != "CW":
            with reported(self._smb, "leave list mode"):
                self._smb.sourcemode("CW")

    def _require_fixed_power(self) -> None:
        mode = self._mode()
        if mode != "CW":
            raise InstrumentError(
                f"{self._smb.name}: it is in {mode} mode, where a power that is set has no effect; "
                "end the list, or switch the output off"
            )

    def _mode(self) -> str:
        with reported(self._smb, "SOUR:FREQ:MODE?"):
            mode = self._smb.ask("SOUR:FREQ:MODE?").strip().upper()
        return "CW" if mode.startswith("FIX") else mode

    def _check_list(self, dbm: Array, dwell: float) -> None:
        for value in dbm:
            self._allowed.require(float(value), "a microwave power of the list")
            self._require(self._smb.power, float(value), "dBm")
        highest = float(np.max(np.diff(dbm), initial=0.0))
        if highest > self._step + RESOLUTION:
            raise OutOfRangeError(
                f"the list of microwave powers grows by {highest:.3g} dB in one step; allowed are "
                f"{self._step:g} dB (`largest_step`); nothing was sent"
            )
        if not DWELL[0] <= dwell <= DWELL[1] or not len(dbm):
            raise OutOfRangeError(
                f"a list of {len(dbm)} microwave powers of {show(dwell, 's')} each: at least one, "
                f"{show(DWELL[0], 's')} to {show(DWELL[1], 's')}; nothing was sent"
            )
