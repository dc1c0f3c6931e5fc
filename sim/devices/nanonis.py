"""A simulated Nanonis controller that speaks the TCP programming interface.

It is coupled to the world and its clock: commands that wait let time pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim.devices import nanonis_modules as modules
from sim.devices.nanonis_refusal import Refusal
from sim.devices.nanonis_scan import Scan
from sim.devices.nanonis_scan_module import ScanModule
from sim.devices.nanonis_signals import Signals, SignalsModule
from sim.devices.nanonis_stream import DeviceStream
from sim.serve.server import MessageServer, Place, TcpServer
from sim.world import World
from stm_daq.protocols import nanonis as protocol

CLIENTS = 4
"""Connections that the programming interface allows, one a port."""
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Nanonis:
    """The controller: bias output, z controller, moves, scan, signals.

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
    """

    def __init__(
        self,
        world: World,
        latency: float = 0.5e-3,
        acquisition_period: float = 20e-3,
        switch_off_delay: float = 0.0,
        follow_speed: float = 100e-9,
        withdraw_rate: float = 100e-9,
    ) -> None:
        self.transactions = 0
        """Requests received over connections."""
        self._clock = world.clock
        self._latency = latency
        self._scan = Scan(world)
        signals = Signals(world, acquisition_period)
        z_controller = modules.ZController(
            world, signals, self._scan, switch_off_delay, withdraw_rate
        )
        self._safe_tip = modules.SafeTip(z_controller, signals)
        self._modules = {
            "Bias": modules.BiasModule(world, signals),
            "Current": modules.CurrentModule(signals),
            "ZCtrl": z_controller,
            "SafeTip": self._safe_tip,
            "FolMe": modules.FollowMe(world, signals, self._scan, follow_speed),
            "Scan": ScanModule(world, signals, self._scan),
            "Signals": SignalsModule(signals),
            "Util": Utilities(),
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
            self._scan.catch_up()
            self._safe_tip.guard()
            values = self._methods[command.name](*arguments)
        except (Refusal, protocol.ProtocolError) as problem:
            return protocol.encode_reply(name, error=str(problem))
        return protocol.encode_reply(name, values) if respond else b""

    def catch_up(self) -> None:
        """Let happen what happens without being asked."""
        self._scan.catch_up()
        self._safe_tip.guard()

    def save_in(self, folder: Path) -> None:
        """Save files in this folder from now on."""

    def servers(self, place: Place) -> list[TcpServer]:
        """Return the four ports of the programming interface; each has one client."""
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


class Utilities:
    """What the controller says of itself."""

    def version_get(self) -> tuple[Any, ...]:
        """Return product, version and release numbers."""
        return "Nanonis SPM Control Software", "stm_daq twin", 14718, 14718


def _request_size(data: bytes) -> int | None:
    if len(data) < protocol.HEADER_SIZE:
        return None
    return protocol.HEADER_SIZE + protocol.body_size(data[: protocol.HEADER_SIZE])
