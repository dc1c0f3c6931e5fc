"""The twin of a microscope: a world, and the devices that station.yaml puts into it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import numpy as np
from pyvisa.rname import InvalidResourceName

from sim.blocks import Mistake, Recipe
from sim.bus import Bus
from sim.devices.mfli import Mfli
from sim.devices.nanonis import CLIENTS, Nanonis
from sim.devices.nanonis_stream import DeviceStream
from sim.devices.outside import LogWriter, StreamDevice, WebDevice, WebRequest
from sim.devices.scpi import Device
from sim.devices.trigger_line import TriggerLine
from sim.faults_block import read_faults
from sim.samples.measured import Measured
from sim.serve.service import Servable, Service
from sim.simulation import made, read_simulation
from sim.virtual_time import VirtualTime
from sim.visa import close_bus, library, open_bus
from sim.world import World
from stm_daq.clock import PacedClock, VirtualClock
from stm_daq.errors import BadInputError


class Twin:
    """A simulated microscope that drivers reach as they reach the real one.

    Parameters
    ----------
    simulation : mapping
        The ``simulation:`` block of station.yaml without its ``type``.
    instruments : mapping
        The ``instruments:`` block: where each device is reached.
    epoch : float
        Wall time (s since the Unix epoch) at which the simulation begins.
    overrides : mapping, optional
        Instead of those of the block: ``seed`` (int), ``sample`` (a ready sample), or ``measured``
        (anything with ``height``, ``size`` and ``spectra`` as :class:`Measured` wants them).
    speed : float, optional
        Virtual seconds per real second, for a twin that is served to other programs; without it
        time jumps.

    Raises
    ------
    BadInputError
        If a block, type or option is unknown or cannot be used; the text says which there are.
    """

    def __init__(
        self,
        simulation: Mapping[str, Any],
        instruments: Mapping[str, Mapping[str, Any]],
        epoch: float,
        overrides: Mapping[str, Any] | None = None,
        speed: float | None = None,
    ) -> None:
        settings = {**simulation, **(overrides or {})}
        measured = settings.pop("measured", None)
        if measured is not None:
            settings["sample"] = Measured(measured.height, measured.size, measured.spectra)
        faults, wrong = read_faults(settings.pop("faults", None), settings.get("devices") or {})
        parts, devices, mistakes = read_simulation(settings, instruments)
        mistakes += [(("faults", *path), text) for path, text in wrong]
        if mistakes:
            lines = [": ".join(["simulation", *path, text]) for path, text in mistakes]
            raise BadInputError("\n".join(lines))
        seed = int(settings.get("seed", 1))
        self.clock = VirtualClock(epoch) if speed is None else PacedClock(epoch, speed)
        self.world = World(self.clock, seed, **made(parts, seed))
        self._time = VirtualTime(self.clock)
        self.faults = self.world.faults
        """What goes wrong: `twin.faults.add("lost", "sr830", count=7)`."""
        for fault in faults:
            self.faults.put(fault)
        self._bus = Bus(self.clock, on_open=self._time.refresh, faults=self.faults)
        self._streamed: dict[tuple[str, int], StreamDevice] = {}
        self._named: dict[tuple[str, int], str] = {}
        self._sessions: dict[tuple[str, int], Mfli] = {}
        self._web: dict[tuple[str, int], WebDevice] = {}
        self._logs: dict[Path, LogWriter] = {}
        self._files: TemporaryDirectory[str] | None = None
        self._session = Path()
        self._served: dict[str, Servable] = {}
        self._trigger = TriggerLine(self.faults)
        for name, recipe in devices.items():
            self._add(name, recipe, instruments[name])
        self.visa_library = library(self._bus)
        """Value for PYVISA_LIBRARY that leads drivers to this twin."""

    @staticmethod
    def check(
        simulation: Mapping[str, Any], instruments: Mapping[str, Mapping[str, Any]]
    ) -> list[Mistake]:
        """Return every mistake in the block (without its ``type``); builds nothing."""
        settings = dict(simulation)
        _, wrong = read_faults(settings.pop("faults", None), settings.get("devices") or {})
        mistakes: list[Mistake] = [(("faults", *path), text) for path, text in wrong]
        return read_simulation(settings, instruments)[2] + mistakes

    def __enter__(self) -> Self:
        """Let drivers find the twin, and put them on its time."""
        open_bus(self._bus)
        importlib.import_module("qcodes.instrument")  # what all drivers build on, before they do
        self._time.refresh()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give drivers the real time back and disappear."""
        self._time.restore()
        close_bus(self._bus)
        if self._files is not None:
            self._files.cleanup()
            self._files = None

    def open_stream(self, host: str, port: int, timeout: float) -> DeviceStream:
        """Connect to a device that speaks a byte stream.

        Raises
        ------
        ConnectionRefusedError
            If the twin has none at this address.
        """
        device = self._streamed.get((host, port))
        if device is None:
            raise ConnectionRefusedError(f"nothing listens at {host}:{port} on the twin")
        self._time.refresh()
        name = self._named[host, port]
        if self.faults.active("refused", name):
            raise ConnectionRefusedError(f"{name} refuses the connection (a fault of the twin)")
        stream = device.connect()
        stream.suffer(self.faults, name)
        stream.set_timeout(timeout)
        return stream

    def open_session(self, host: str, port: int) -> Mfli:
        """Return the session of an instrument that a vendor's library would reach.

        Raises
        ------
        ConnectionRefusedError
            If the twin has none at this address.
        """
        device = self._sessions.get((host, port))
        if device is None:
            raise ConnectionRefusedError(f"no data server at {host}:{port} on the twin")
        self._time.refresh()
        return device

    def answer(self, request: WebRequest) -> tuple[int, bytes]:
        """Ask a web service; see :mod:`stm_daq.station.surroundings`.

        Raises
        ------
        ConnectionRefusedError
            If the twin has none at this address.
        TimeoutError
            If it does not answer; costs the request's time-out in virtual time.
        """
        device = self._web.get((request.host, request.port))
        if device is None:
            raise ConnectionRefusedError(
                f"nothing listens at {request.host}:{request.port} on the twin"
            )
        device.transactions += 1
        self.clock.sleep(device.latency)
        answer = device.answer(request.method, request.target, request.body)
        if answer is None:
            self.clock.sleep(request.timeout)
            raise TimeoutError("timed out")
        return answer

    def folder(self, path: Path) -> Path:
        """Return where the twin of a folder of logs is, written up to now."""
        writer = self._logs.get(path)
        if writer is None:
            raise FileNotFoundError(f"the twin writes no logs for {path}")
        if self._files is None:
            self._files = TemporaryDirectory(prefix="stm-daq-")
        real = Path(self._files.name) / writer.name
        writer.write(real)
        return real

    @contextmanager
    def serve(self, port: int, session: Path | None = None) -> Iterator[Service]:
        """Let other programs reach the devices over TCP on this computer.

        Parameters
        ----------
        port : int
            First port; 0: any free ones.
        session : Path, optional
            Where controllers save their files; by default a temporary folder.

        Raises
        ------
        BadInputError
            If a port is taken, the folder cannot be used, or the twin's time jumps.
        """
        if not isinstance(self.clock, PacedClock):
            raise BadInputError("only a twin with a speed can be served")
        with TemporaryDirectory(prefix="stm-daq-") as temporary:
            self._session = session or Path(temporary)
            try:
                for controller in self._controllers:
                    controller.save_in(self._session)
            except OSError as error:
                raise BadInputError(f"{self._session}: cannot be used ({error.strerror})") from None
            self.world.current(np.array([self.clock.now()]))  # compiles what is slow the first time
            with Service(
                self.clock, self._served, self._bus, self._tick, first_port=port
            ) as service:
                yield service

    def _tick(self) -> None:
        """Let happen what nobody asked for: a scan goes on, a safe tip trips."""
        for controller in self._controllers:
            controller.catch_up()
        for writer in self._logs.values():
            writer.write(self._session / writer.name)

    @property
    def _controllers(self) -> list[Nanonis]:
        return [d for d in dict.fromkeys(self._streamed.values()) if isinstance(d, Nanonis)]

    def truth(self) -> dict[str, float]:
        """Return what was true at the last hold (see :meth:`sim.world.World.truth`)."""
        return self.world.truth()

    def state(self) -> dict[str, Any]:
        """Return where the world stands: its time and its chance; plain JSON types.

        The rest (settings of devices, place of the tip, feedback) is what a run sets up anyway.
        """
        return {"now": self.clock.now(), "random": self.world.random_state()}

    def go_on_from(
        self, state: Mapping[str, Any], look: Callable[[], object], before: float
    ) -> None:
        """Let time pass until that of `state`, and go on; `look` at the station `before` s earlier.

        To be called when the station is set up as it was then: the run that goes on meets the same
        world as if it had never died.
        """
        then = float(state["now"])
        self._sleep_until(then - before)
        look()
        self._sleep_until(then)
        self.world.set_random_state(state["random"])

    def _sleep_until(self, then: float) -> None:
        self.clock.sleep(max(0.0, then - self.clock.now()))

    def history(self) -> list[dict[str, float | str]]:
        """Return all that happened to the tip, and every fault, in the order of time.

        Events of the tip as :meth:`sim.world.World.history`; faults as
        :meth:`sim.faults.Faults.history`.
        """
        events = [*self.world.history(), *self.faults.history()]
        return sorted(events, key=lambda event: float(event["time"]))

    def transactions(self) -> int:
        """Return how many messages all devices have received."""
        ports = sum(port.transactions for port in self._bus.ports.values())
        streamed = sum(device.transactions for device in dict.fromkeys(self._streamed.values()))
        asked = sum(device.transactions for device in self._web.values())
        return ports + streamed + asked + sum(s.transactions for s in self._sessions.values())

    def violations(self) -> list[str]:
        """Return everything that would have harmed tip or measurement."""
        return self.world.violations

    def unknown_commands(self) -> list[str]:
        """Return every command that a device did not know, as ``instrument: command``."""
        devices: list[Any] = [port.device for port in self._bus.ports.values()]
        devices += [*self._streamed.values(), *self._web.values(), *self._sessions.values()]
        return [
            f"{device.name}: {command}"
            for device in devices
            for command in getattr(device, "unknown", ())
        ]

    def device(self, name: str) -> Device:
        """Return a message-based device by the name of its instrument."""
        return next(p.device for p in self._bus.ports.values() if p.device.name == name)

    def _add(self, name: str, recipe: Recipe, instrument: Mapping[str, Any]) -> None:
        """Build one device and put it where the station reaches its instrument."""
        device = recipe.make(name=name, world=self.world, trigger=self._trigger)
        address = str(instrument.get("address", ""))
        if isinstance(device, Mfli):
            self._sessions[address, int(instrument.get("port", 8004))] = device
            return
        if not isinstance(device, Device):
            self._add_outside(name, device, (address, int(instrument.get("port", 0))), instrument)
            return
        try:
            self._bus.connect(address, device)
        except InvalidResourceName as error:
            raise BadInputError(f"instruments: {name}: {error}") from None

    def _add_outside(
        self, name: str, device: Any, place: tuple[str, int], instrument: Mapping[str, Any]
    ) -> None:
        """Put a device where it is reached: at a TCP port, as web service, in a folder of logs."""
        if isinstance(device, LogWriter):
            self._logs[Path((instrument.get("init") or {}).get("folder", ""))] = device
            return
        if isinstance(device, WebDevice):
            self._web[place] = device
        else:
            host, port = place
            for number in range(CLIENTS if isinstance(device, Nanonis) else 1):
                self._streamed[host, port + number] = device
                self._named[host, port + number] = name
        self._served[name] = device
