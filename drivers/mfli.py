"""A Zurich Instruments MFLI, by the nodes of its LabOne data server.

The vendor's library (``pip install stm_daq[mfli]``) is needed on the microscope only. What is used of
``zhinst.core.ziDAQServer``: getDouble, setDouble, getInt, setInt, getSample, subscribe, unsubscribe,
sync, poll. `MfliLockIn` in :mod:`drivers.mfli_lock_in` makes it the station's lock-in.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from qcodes.instrument import Instrument

from drivers.mfli_lock_in import MfliLockIn
from stm_daq.errors import InstrumentError, StmDaqError
from stm_daq.records import Array
from stm_daq.station.sessions import open_session

__all__ = ["Mfli", "MfliLockIn"]

API_LEVEL = 6
READ_ONLY = (
    ("frequency", "Frequency of the oscillator", "Hz", "oscs/0/freq"),
    ("time_constant", "Time constant of the demodulator", "s", "demods/0/timeconstant"),
    ("order", "Poles of the demodulator's filter", "", "demods/0/order"),
    ("phase", "Reference phase", "deg", "demods/0/phaseshift"),
    ("input_range", "Range of the signal input", "V", "sigins/0/range"),
    ("output_range", "Range of the signal output", "V", "sigouts/0/range"),
)
"""Settings in the snapshot: name, label, unit, node."""


class Mfli(Instrument):
    """QCoDeS driver of an MFLI: its nodes, and its demodulator's samples.

    Parameters
    ----------
    name : str
    address : str
        Host of the data server, as a rule the instrument itself.
    device : str
        Serial number such as ``dev1234``.
    port : int
    """

    def __init__(self, name: str, address: str, device: str, port: int = 8004) -> None:
        super().__init__(name)
        self._device = device.lower()
        with self._told("connect"):
            self._session: Any = open_session(_vendor_session, address, port)
        for parameter, label, unit, node in READ_ONLY:
            self.add_parameter(
                parameter,
                label=label,
                unit=unit,
                get_cmd=lambda node=node: self.read_node(node),
                set_cmd=False,
            )

    def get_idn(self) -> dict[str, str | None]:
        """Return what is known without asking."""
        return {
            "vendor": "Zurich Instruments",
            "model": "MFLI",
            "serial": self._device,
            "firmware": None,
        }

    def write_nodes(self, values: Mapping[str, float]) -> None:
        """Set nodes in this order (whole numbers as such); return when all have arrived."""
        with self._told("set"):
            for node, value in values.items():
                write = self._session.setInt if isinstance(value, int) else self._session.setDouble
                write(self._path(node), value)
            self._session.sync()

    def read_node(self, node: str) -> float:
        """Read the number at a node."""
        with self._told(f"read {node}"):
            value = float(self._session.getDouble(self._path(node)))
        if not np.isfinite(value):
            raise InstrumentError(f"{self.name}: {node} is {value}, which is no number")
        return value

    def listen(self, *nodes: str) -> None:
        """Forget everything received so far, and receive these nodes from now on."""
        with self._told("subscribe"):
            self._session.unsubscribe("*")
            self._session.sync()
            for node in nodes:
                self._session.subscribe(self._path(node))

    def received(self, seconds: float) -> dict[str, Any]:
        """Return what has been received, by node, after waiting `seconds` for more.

        Raises
        ------
        InstrumentError
            If the data server tells that samples were lost on the way.
        """
        with self._told("poll"):
            data = self._session.poll(seconds, 100, 0, True)
        prefix = self._path("")
        found = {path.lower().removeprefix(prefix): value for path, value in data.items()}
        for node, value in found.items():
            if isinstance(value, dict) and value.get("time", {}).get("dataloss"):
                raise InstrumentError(f"{self.name}: samples of {node} were lost on the way")
        return found

    def newest_sample(self, *fields: str) -> list[Array]:
        """Return these fields of the demodulator's newest sample, each shape (1,)."""
        with self._told("read a sample"):
            sample = self._session.getSample(self._path("demods/0/sample"))
            return [np.atleast_1d(np.asarray(sample[f], dtype=np.float64))[-1:] for f in fields]

    def _path(self, node: str) -> str:
        return f"/{self._device}/{node}"

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """Tell whatever the vendor's library raises as an error of the instrument."""
        try:
            yield
        except StmDaqError:
            raise
        except Exception as error:
            raise InstrumentError(f"{self.name}: {doing}: {error or repr(error)}") from error


def _vendor_session(host: str, port: int) -> Any:
    try:
        core = importlib.import_module("zhinst.core")
    except ImportError as error:
        raise InstrumentError(
            "the library of Zurich Instruments is not installed; pip install 'stm_daq[mfli]'"
        ) from error
    return core.ziDAQServer(host, port, API_LEVEL)
