"""A simulated Nanonis controller that speaks the TCP programming interface.

It is coupled to the world and its clock: commands that wait let time pass.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim.devices import nanonis_modules as modules
from sim.devices.nanonis_bias import BiasModule, CurrentModule
from sim.devices.nanonis_files import SessionFolder
from sim.devices.nanonis_images import LineRecorder
from sim.devices.nanonis_lock_in import Demodulators, LockInModule
from sim.devices.nanonis_others import PiezoModule, UserOutputs, Utilities
from sim.devices.nanonis_output import BiasOutput
from sim.devices.nanonis_pattern import PatternModule
from sim.devices.nanonis_process import Process
from sim.devices.nanonis_refusal import Refusal
from sim.devices.nanonis_scan import Scan
from sim.devices.nanonis_scan_module import ScanModule
from sim.devices.nanonis_signals import Signals, SignalsModule
from sim.devices.nanonis_spectroscopy import SpectroscopyModule
from sim.devices.nanonis_stream import DeviceStream
from sim.devices.nanonis_sweep import Sweep, SweepSettings
from sim.serve.server import MessageServer, Place, TcpServer
from sim.world import World
from stm_daq.errors import ClockStoppedError
from stm_daq.protocols import nanonis as protocol

log = logging.getLogger(__name__)

CLIENTS = 4
"""Connections that the programming interface allows, one a port."""
SCAN_BUDGET = 0.05
"""Real time (s) for which a scan may keep the other clients waiting."""
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Nanonis:
    """The controller with its modules.

    Parameters
    ----------
    world : World
    latency : float
        Time a request and its reply need on the network, s.
    acquisition_period : float
        Time over which signals are averaged, s.
    switch_off_delay : float
        Time between the command to open the feedback and the tip being held, s.
    follow_speed : float
        Speed of moves outside the scan, m/s.
    withdraw_rate : float
        Speed of a withdrawal, m/s.
    vendor_layout : bool
        Whether BiasSpectr.PropsGet answers as nanonis-spm decodes it; else as R14718 has it.
    """

    def __init__(
        self,
        world: World,
        latency: float = 0.5e-3,
        acquisition_period: float = 20e-3,
        switch_off_delay: float = 0.0,
        follow_speed: float = 100e-9,
        withdraw_rate: float = 100e-9,
        vendor_layout: bool = True,
    ) -> None:
        self.transactions = 0
        """Requests received over connections."""
        self.failures: list[str] = []
        """Requests at which the twin itself failed; there should be none."""
        self._clock = world.clock
        self._latency = latency
        self._vendor_layout = vendor_layout
        self._folder = SessionFolder(world)
        output = BiasOutput(world)
        lock_in = Demodulators(world)
        signals = Signals(world, output, lock_in, acquisition_period)
        self._scan = Scan(world, LineRecorder(world, output, lock_in))
        experiment = Process(world.clock)
        z_controller = modules.ZController(
            world, signals, self._scan, experiment, switch_off_delay, withdraw_rate
        )
        self._safe_tip = modules.SafeTip(z_controller, signals)
        follow = modules.FollowMe(world, signals, self._scan, experiment, follow_speed)
        settings = SweepSettings()
        sweep = Sweep(world, output, signals, lock_in, settings)
        self._modules = {
            "Bias": BiasModule(world, output),
            "BiasSpectr": SpectroscopyModule(
                experiment, self._scan, sweep, settings, self._folder, vendor_layout
            ),
            "Current": CurrentModule(world, signals),
            "FolMe": follow,
            "LockIn": LockInModule(lock_in),
            "Pattern": PatternModule(
                world,
                output,
                signals,
                self._scan,
                follow,
                experiment,
                sweep,
                settings,
                self._folder,
            ),
            "Piezo": PiezoModule(world),
            "SafeTip": self._safe_tip,
            "Scan": ScanModule(world, output, signals, self._scan, experiment, self._folder),
            "Signals": SignalsModule(signals),
            "UserOut": UserOutputs(),
            "Util": Utilities(signals, self._folder),
            "ZCtrl": z_controller,
        }
        self._methods = {name: self._method(name) for name in protocol.COMMANDS}

    def connect(self) -> DeviceStream:
        """Return a new connection to this controller."""
        return DeviceStream(self, self._clock, self._latency, _request_size)

    def handle(self, request: bytes) -> bytes:
        """Carry out one request and return the reply (empty if the client wants none)."""
        name = protocol.request_name(request)
        try:
            command, arguments, respond = protocol.decode_request(request)
            self.catch_up()
            values = self._methods[command.name](*arguments)
            if not respond:
                return b""
            return protocol.encode_reply(name, values, layout=self._layout(command))
        except (Refusal, protocol.ProtocolError) as problem:
            return self._refuse(name, str(problem))
        except ClockStoppedError:
            raise
        except Exception as defect:
            # one odd request must not end the controller for everybody; tests look for these
            log.exception("the twin failed at %s", name)
            self.failures.append(f"{name}: {defect!r}")
            return self._refuse(name, "Internal error of the twin; see its log")

    def _refuse(self, name: str, text: str) -> bytes:
        command = protocol.COMMANDS.get(name)
        layout = None if command is None else self._layout(command)
        return protocol.encode_reply(name, error=text, layout=layout)

    def _layout(self, command: protocol.Command) -> protocol.Layout | None:
        """Return how the return values of a command are laid out, None: as in the table."""
        return command.other_returns[0] if self._vendor_layout and command.other_returns else None

    def catch_up(self) -> None:
        """Let happen what happens without being asked."""
        self._scan.catch_up()
        self._safe_tip.guard()

    def save_in(self, folder: Path) -> None:
        """Save files in this folder from now on; it is made if needed.

        Raises
        ------
        OSError
            If it cannot be made.
        """
        self._folder.open(folder)

    def servers(self, place: Place) -> list[TcpServer]:
        """Return the four ports of the programming interface; each has one client."""
        self._scan.budget = SCAN_BUDGET
        return [
            MessageServer("Nanonis", place, i, _request_size, self.handle, clients=1)
            for i in range(CLIENTS)
        ]

    def _method(self, name: str) -> Callable[..., tuple[Any, ...]]:
        """Find the method of a command: ``ZCtrl.OnOffSet`` is ``on_off_set`` of its module."""
        module, command = name.split(".")
        method: Callable[..., tuple[Any, ...]] = getattr(
            self._modules[module], _WORD.sub("_", command).lower()
        )
        return method


def _request_size(data: bytes) -> int | None:
    if len(data) < protocol.HEADER_SIZE:
        return None
    return protocol.HEADER_SIZE + protocol.body_size(data[: protocol.HEADER_SIZE])
