"""The twin of a microscope: a world, and the devices that station.yaml puts into it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from pyvisa.rname import InvalidResourceName

from sim.bus import Bus
from sim.devices.nanonis import Nanonis
from sim.devices.nanonis_stream import DeviceStream
from sim.devices.scpi import Device
from sim.devices.trigger_line import TriggerLine
from sim.fridge import Fridge
from sim.preamplifier import Preamplifier
from sim.samples.measured import Measured
from sim.tip import Tip
from sim.virtual_time import VirtualTime
from sim.visa import close_bus, library, open_bus
from sim.world import World
from stm_daq.clock import VirtualClock
from stm_daq.errors import BadInputError
from stm_daq.quantities import parse

BLOCKS = ("seed", "sample", "devices", "preamplifier", "fridge", "tip")
"""What the ``simulation:`` block may hold besides ``type``."""

UNITS = {
    "acquisition_period": "s",
    "bandwidth": "Hz",
    "drift": "K/hour",
    "drift_x": "m/s",
    "drift_y": "m/s",
    "drift_z": "m/s",
    "feedback_time": "s",
    "follow_speed": "m/s",
    "gap": "eV",
    "heat": "K",
    "latency": "s",
    "oscillation": "K",
    "period": "s",
    "pitch": "m",
    "relief": "m",
    "retracted": "m",
    "roughness": "m",
    "setpoint": "A",
    "spot_pitch": "m",
    "spot_size": "m",
    "switch_off_delay": "s",
    "temperature": "K",
    "withdraw_rate": "m/s",
    "work_function": "eV",
    "z_noise": "m",
}
"""Options that are quantities, written with their unit."""
PREAMPLIFIER_UNITS = {"bandwidth": "Hz", "noise": "A/Hz**0.5"}


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
    ) -> None:
        settings = {**simulation, **(overrides or {})}
        measured = settings.pop("measured", None)
        if measured is not None:
            settings["sample"] = Measured(measured.height, measured.size, measured.spectra)
        _require_known(settings, BLOCKS, "simulation")
        self.clock = VirtualClock(epoch)
        self.world = World(
            self.clock,
            int(settings.get("seed", 1)),
            _sample(settings.get("sample"), int(settings.get("seed", 1))),
            _make(
                Preamplifier, settings.get("preamplifier"), "preamplifier", units=PREAMPLIFIER_UNITS
            ),
            _make(Fridge, settings.get("fridge"), "fridge"),
            _make(Tip, settings.get("tip"), "tip"),
        )
        self._time = VirtualTime(self.clock)
        self._bus = Bus(self.clock, on_open=self._time.refresh)
        self._controllers: dict[tuple[str, int], Nanonis] = {}
        self._trigger = TriggerLine()
        for name, block in (settings.get("devices") or {}).items():
            self._add(name, dict(block), instruments)
        self.visa_library = library(self._bus)
        """Value for PYVISA_LIBRARY that leads drivers to this twin."""

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

    def open_stream(self, host: str, port: int, timeout: float) -> DeviceStream:
        """Connect to a device that speaks a byte stream.

        Raises
        ------
        ConnectionRefusedError
            If the twin has none at this address.
        """
        controller = self._controllers.get((host, port))
        if controller is None:
            raise ConnectionRefusedError(f"nothing listens at {host}:{port} on the twin")
        self._time.refresh()
        stream = controller.connect()
        stream.set_timeout(timeout)
        return stream

    def truth(self) -> dict[str, float]:
        """Return what was true at the last hold: gap (eV), temperature (K), barrier, x, y (m)."""
        return self.world.truth()

    def transactions(self) -> int:
        """Return how many messages all devices have received."""
        ports = sum(port.transactions for port in self._bus.ports.values())
        return ports + sum(c.transactions for c in self._controllers.values())

    def violations(self) -> list[str]:
        """Return everything that would have harmed tip or measurement."""
        return self.world.violations

    def unknown_commands(self) -> list[str]:
        """Return every command that a device did not know, as ``instrument: command``."""
        devices = [port.device for port in self._bus.ports.values()]
        return [f"{device.name}: {command}" for device in devices for command in device.unknown]

    def device(self, name: str) -> Device:
        """Return a message-based device by the name of its instrument."""
        return next(p.device for p in self._bus.ports.values() if p.device.name == name)

    def _add(
        self, name: str, block: dict[str, Any], instruments: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Build one device and put it where the station reaches its instrument."""
        where = f"devices: {name}"
        given = {"name": name, "world": self.world, "trigger": self._trigger}
        device = _make_typed(block, where, given)
        if name not in instruments:
            raise BadInputError(
                f"simulation: {where}: the station has no instrument of this name; "
                f"it has {', '.join(instruments)}"
            )
        address = str(instruments[name].get("address", ""))
        if not isinstance(device, Device):
            self._controllers[address, int(instruments[name].get("port", 0))] = device
            return
        try:
            self._bus.connect(address, device)
        except InvalidResourceName as error:
            raise BadInputError(f"instruments: {name}: {error}") from None


def _sample(given: Any, seed: int) -> Any:
    """Return the sample: ready made, or built from a block with a type."""
    if given is None:
        raise BadInputError(
            "simulation: needs a sample, for example {type: sim.samples.tin.TinFilm}"
        )
    return _make_typed(given, "sample", {"seed": seed}) if isinstance(given, Mapping) else given


def _make_typed(block: Mapping[str, Any], where: str, given: Mapping[str, Any]) -> Any:
    """Build what a block with a ``type`` describes."""
    options = dict(block)
    path = options.pop("type", None)
    if not isinstance(path, str):
        raise BadInputError(f"simulation: {where}: needs a type, the dotted path of a class")
    return _make(_import(path, where), options, where, given)


def _import(path: str, where: str) -> Callable[..., Any]:
    module_name, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInputError(f"simulation: {where}: cannot import '{path}' ({error})") from None
    if not callable(found):
        raise BadInputError(f"simulation: {where}: '{path}' is not a class")
    made: Callable[..., Any] = found
    return made


def _make[Made](
    factory: Callable[..., Made],
    options: Mapping[str, Any] | None,
    where: str,
    given: Mapping[str, Any] | None = None,
    units: Mapping[str, str] = UNITS,
) -> Made:
    """Call `factory` with the options of a block and with those of `given` that it wants."""
    names = list(inspect.signature(factory).parameters)
    supplied = {name: value for name, value in (given or {}).items() if name in names}
    _require_known(options or {}, [n for n in names if n not in supplied], f"simulation: {where}")
    values = {name: _value(name, value, where, units) for name, value in (options or {}).items()}
    return factory(**supplied, **values)


def _value(name: str, value: Any, where: str, units: Mapping[str, str]) -> Any:
    """Read one option: a quantity where it has a unit, else as it is."""
    if name in units:
        try:
            return parse(value, units[name])
        except ValueError as error:
            raise BadInputError(f"simulation: {where}: {name}: {error}") from None
    if isinstance(value, str):
        raise BadInputError(f"simulation: {where}: {name}: '{value}' must be a number")
    return value


def _require_known(options: Mapping[str, Any], names: Any, where: str) -> None:
    for option in options:
        if option not in names:
            raise BadInputError(
                f"{where}: unknown option '{option}'; there is {', '.join(names) or 'none'}"
            )
