"""A Nanonis controller, by its TCP programming interface.

`NanonisController` is the QCoDeS instrument; `NanonisStm` makes it the station's STM controller,
`NanonisSpectroscopy` lets it sweep the bias by itself.
"""

from __future__ import annotations

from typing import Any

from qcodes.instrument import Instrument
from qcodes.validators import Bool, Numbers

from drivers.nanonis_connection import NanonisConnection
from drivers.nanonis_spectroscopy import NanonisSpectroscopy
from drivers.nanonis_stm import NanonisStm
from stm_daq.errors import InstrumentError

__all__ = ["NanonisController", "NanonisSpectroscopy", "NanonisStm"]


class NanonisController(Instrument):
    """QCoDeS driver of a Nanonis SPM controller.

    Parameters
    ----------
    name : str
    address : str
        Host of the Nanonis software.
    port : int
        One of its four ports, 6501 to 6504; each serves one client.
    timeout : float
        Longest wait for a reply, beyond the time that a command itself takes, s.
    aside_port : int
        Another of the ports, for what must get through while a command on the first one waits:
        stopping, above all. Connected when it is first needed.
    """

    def __init__(
        self,
        name: str,
        address: str,
        port: int = 6501,
        timeout: float = 5.0,
        aside_port: int = 6502,
    ) -> None:
        super().__init__(name)
        self.connections = 1
        """How often a connection was made; a change means that the state must be read again."""
        self._connection = NanonisConnection(address, port, timeout, self._reconnected)
        self._aside = NanonisConnection(address, aside_port, timeout, _nothing_to_do)
        self._signals: dict[str, int] = {}
        self._add("bias", "Bias output", "V", "Bias", limits=(-10.0, 10.0))
        self._add("current", "Tunnelling current", "A", "Current")
        self._add("z", "Tip height", "m", "ZCtrl.ZPos")
        self._add("setpoint", "Current set-point", "A", "ZCtrl.Setpnt", limits=(0.0, 1e-6))
        self._add_switch("feedback", "Feedback loop closed", "ZCtrl.OnOff")
        self._add(
            "switch_off_delay",
            "Averaging of z before the loop opens",
            "s",
            "ZCtrl.SwitchOffDelay",
            limits=(0.0, 10.0),
        )
        self._add(
            "withdraw_rate", "Withdraw rate", "m/s", "ZCtrl.WithdrawRate", limits=(1e-10, 1e-3)
        )
        self._add_switch("safe_tip", "Safe tip", "SafeTip.OnOff")
        self.add_parameter(
            "follow_speed",
            label="Speed of moves outside the scan",
            unit="m/s",
            vals=Numbers(1e-12, 1e-3),
            get_cmd=lambda: self.call("FolMe.SpeedGet")[0],
            set_cmd=lambda speed: self.call("FolMe.SpeedSet", speed, 1),
        )
        for index, axis in enumerate("xy"):
            self.add_parameter(
                axis,
                label=f"Tip position {axis}",
                unit="m",
                get_cmd=lambda index=index: self.call("FolMe.XYPosGet", 1)[index],
            )
        self.add_parameter(
            "scan_running",
            label="Scan running",
            get_cmd=lambda: bool(self.call("Scan.StatusGet")[0]),
        )
        self._connection.open()

    def call(
        self, command: str, *arguments: Any, duration: float = 0.0, aside: bool = False
    ) -> tuple[Any, ...]:
        """Carry out one command; see :meth:`drivers.nanonis_connection.NanonisConnection.call`.

        With `aside` it goes over the second connection.
        """
        connection = self._aside if aside else self._connection
        return connection.call(command, *arguments, duration=duration)

    def signal(self, name: str) -> int:
        """Return the number of the signal called `name`, such as ``"Z (m)"``.

        Raises
        ------
        InstrumentError
            If the controller has no such signal.
        """
        if not self._signals:
            (names,) = self.call("Signals.NamesGet")
            self._signals = {text: index for index, text in reversed(list(enumerate(names)))}
        if name not in self._signals:
            raise InstrumentError(
                f"the Nanonis controller has no signal '{name}'; rename it in the Signals Manager"
            )
        return self._signals[name]

    def get_idn(self) -> dict[str, str | None]:
        """Return make, model and software version."""
        product, version, _, engine = self.call("Util.VersionGet")
        firmware = f"{version} (engine {engine})"
        return {"vendor": "SPECS", "model": product, "serial": None, "firmware": firmware}

    def close(self) -> None:
        """Disconnect; the controller keeps doing what it does."""
        if hasattr(self, "_connection"):
            self._connection.close()
            self._aside.close()
        super().close()

    def _reconnected(self) -> None:
        self.connections += 1
        self._signals = {}
        for parameter in self.parameters.values():
            parameter.cache.invalidate()

    def _add(
        self,
        name: str,
        label: str,
        unit: str,
        command: str,
        limits: tuple[float, float] | None = None,
    ) -> None:
        """Add a number read by ``<command>Get`` and, if it has limits, set by ``<command>Set``."""
        stem = command if "." in command else command + "."
        self.add_parameter(
            name,
            label=label,
            unit=unit,
            vals=Numbers(*limits) if limits else None,
            get_cmd=lambda: self.call(f"{stem}Get")[0],
            set_cmd=(lambda value: self.call(f"{stem}Set", value)) if limits else False,
        )

    def _add_switch(self, name: str, label: str, command: str) -> None:
        self.add_parameter(
            name,
            label=label,
            vals=Bool(),
            get_cmd=lambda: bool(self.call(f"{command}Get")[0]),
            set_cmd=lambda on: self.call(f"{command}Set", int(on)),
        )


def _nothing_to_do() -> None:
    """Called when the second connection is made anew: nothing is remembered of it."""
