"""Opening a station: all of it or nothing."""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from ruamel.yaml import YAML

from stm_daq.clock import Clock
from stm_daq.errors import BadInputError, CleanupError, InstrumentError, StmDaqError
from stm_daq.station.adapters import import_adapters
from stm_daq.station.config import StationConfig, load_station
from stm_daq.station.controller_sweep import ControllerSpectroscopy
from stm_daq.station.limits import Limits
from stm_daq.station.narrowing import narrow, parameters_at
from stm_daq.station.roles import (
    BiasSource,
    LockIn,
    MicrowaveSource,
    Preamplifier,
    StmController,
    TemperatureControl,
    Thermometer,
    TransportMeter,
)
from stm_daq.station.safe_state import Failure, restore
from stm_daq.station.snapshot import take_snapshot

if TYPE_CHECKING:
    from qcodes.instrument import Instrument
    from qcodes.station import Station as QcodesStation

__all__ = ["Station", "StationConfig", "load_station", "open_station"]


class Station:
    """An open station: its roles, ready to be used. Closes everything at the end of a ``with``.

    Attributes
    ----------
    stm, bias, lockin, preamplifier : roles
        See :mod:`stm_daq.station.roles`.
    thermometer, temperature_control, microwave, spectroscopy : roles or None
    limits : Limits
    instruments : sequence of qcodes.Instrument
        In the order of the file.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        roles: Mapping[str, Any],
        limits: Limits,
        clock: Clock,
    ) -> None:
        self.instruments = tuple(instruments)
        self.limits = limits
        self.stm: StmController = roles["stm"]
        self.bias: BiasSource = roles["bias"]
        self.lockin: LockIn = roles["lockin"]
        self.preamplifier: Preamplifier = roles["preamplifier"]
        self.thermometer: Thermometer | None = roles.get("thermometer")
        self.temperature_control: TemperatureControl | None = roles.get("temperature_control")
        self.microwave: MicrowaveSource | None = roles.get("microwave")
        self.transport: TransportMeter | None = roles.get("transport")
        self.spectroscopy: ControllerSpectroscopy | None = roles.get("spectroscopy")
        self._clock = clock

    def parameter(self, name: str) -> Any:
        """Return a QCoDeS parameter by its dotted name, such as "magnet.field".

        Raises
        ------
        InstrumentError
            If the station has none of this name.
        """
        instrument, _, path = name.partition(".")
        for candidate in self.instruments:
            if candidate.name != instrument:
                continue
            try:
                found = list(parameters_at(candidate, path))
            except AttributeError:
                break
            if len(found) == 1 and callable(getattr(found[0], "get", None)):
                return found[0]
        raise InstrumentError(
            f"the station has no parameter '{name}'; see its instruments' drivers"
        )

    def snapshot(self, budget: float = 10.0) -> dict[str, Any]:
        """Return the settings of all instruments; see :func:`take_snapshot`."""
        return take_snapshot(self.instruments, self._clock, budget)

    def close(self) -> None:
        """Close every instrument, the last one first.

        Raises
        ------
        CleanupError
            If some could not be closed; all were tried.
        """
        instruments, self.instruments = self.instruments, ()
        failures = _close(instruments)
        if failures:
            raise CleanupError(failures)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_station(config: StationConfig, clock: Clock) -> Station:
    """Open all instruments of a station, in the order of the file, and give them their roles.

    Parameters
    ----------
    config : StationConfig
    clock : Clock
        Handed to the adapters, which wait and keep deadlines by it.

    Raises
    ------
    BadInputError
        If a driver or adapter cannot be imported or does not fit, or a limit is wider than the
        driver's own; positions point into station.yaml.
    InstrumentError
        If an instrument cannot be opened. Everything opened before is closed again.
    """
    adapters = import_adapters(config)
    opened: list[Instrument] = []
    try:
        _open_instruments(config, opened)
        by_name = {instrument.name: instrument for instrument in opened}
        roles = {
            role: _adapt(config, role, adapter, by_name[config.roles[role].instrument], clock)
            for role, adapter in adapters.items()
        }
    except BaseException as error:
        for step, failure in _close(opened):
            error.add_note(f"afterwards could not {step}: {failure}")
        raise
    return Station(opened, roles, config.limits, clock)


@contextmanager
def open_roles(
    config: StationConfig,
    clock: Clock,
    names: Sequence[str],
    elsewhere: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Iterator[dict[str, Any]]:
    """Open only the instruments that play some roles; yield these roles, as far as there are any.

    `elsewhere` gives another address or port for some instruments.

    Raises
    ------
    BadInputError, InstrumentError
        As :func:`open_station`.
    """
    adapters = import_adapters(config)
    wanted = [name for name in names if name in adapters]
    needed = {config.roles[name].instrument for name in wanted}
    opened: list[Instrument] = []
    try:
        _open_instruments(config, opened, needed, elsewhere)
        by_name = {instrument.name: instrument for instrument in opened}
        yield {
            role: _adapt(
                config, role, adapters[role], by_name[config.roles[role].instrument], clock
            )
            for role in wanted
        }
    finally:
        failures = _close(opened)
        if failures:
            raise CleanupError(failures)


def _open_instruments(
    config: StationConfig,
    opened: list[Instrument],
    only: Collection[str] | None = None,
    elsewhere: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> None:
    from qcodes.station import Station as QcodesStation

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "instruments.yaml"
        _write_instruments(config, file, elsewhere)
        # QCoDeS reads its file again for every instrument
        station = QcodesStation(config_file=str(file), use_monitor=False, default=False)
        for name in config.instruments:
            if only is None or name in only:
                _open_instrument(config, station, name, opened)


def _write_instruments(
    config: StationConfig, file: Path, elsewhere: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write what QCoDeS shall see: the instruments alone, without limits, which we set ourselves."""
    data = deepcopy(config.source.data)
    for limit in config.narrowed:
        block: Any = data
        for key in limit.where[:-1]:
            block = block[key]
        del block[limit.where[-1]]
    for name, place in elsewhere.items():
        data["instruments"][name] |= place
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_unicode = False  # QCoDeS opens the file with the encoding of the system
    with file.open("w", encoding="ascii") as stream:
        yaml.dump({"instruments": data["instruments"]}, stream)


def _open_instrument(
    config: StationConfig, station: QcodesStation, name: str, opened: list[Instrument]
) -> None:
    from qcodes.instrument import Instrument

    if Instrument.exist(name):
        text = f"an instrument named '{name}' is open already in this program; close it first"
        raise InstrumentError(str(config.source.at_key(("instruments", name), text)))
    try:
        with _quiet():
            station.load_instrument(name, update_snapshot=False)
    except Exception as error:
        raise InstrumentError(_cannot_open(config, name, error)) from error
    finally:
        if Instrument.exist(name):  # also if only a setting of its parameters failed
            opened.append(Instrument.find_instrument(name))
    limits = [limit for limit in config.narrowed if limit.instrument == name]
    problems = narrow(opened[-1], limits, config.source)
    if problems:
        raise BadInputError.from_problems(problems)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep greetings of drivers off the standard output (it may be JSON); QCoDeS logs them too."""
    from qcodes.utils import QCoDeSDeprecationWarning

    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        # about the inside of a driver; a user can do nothing about it
        warnings.simplefilter("ignore", QCoDeSDeprecationWarning)
        yield


def _cannot_open(config: StationConfig, name: str, error: Exception) -> str:
    block = config.instruments[name]
    address = ":".join(str(block[key]) for key in ("address", "port") if key in block)
    driver = str(block["type"]).rpartition(".")[2]
    if isinstance(error, TypeError):
        hint = "check the keys under `init` and the settings of its parameters"
    elif address:
        hint = "is it switched on and connected, is the address right, is it free?"
    else:
        hint = "check its block in the station file"
    text = f"cannot open {name} ({driver}{f' at {address}' if address else ''}): {error or error!r}"
    return str(config.source.at_key(("instruments", name), f"{text}; {hint}"))


def _adapt(
    config: StationConfig, role: str, adapter: Any, instrument: Instrument, clock: Clock
) -> Any:
    where, options = ("roles", role), config.roles[role].options
    try:
        return adapter(instrument, config.limits, clock, **options)
    except StmDaqError:
        raise
    except (TypeError, ValueError) as error:
        text = f"the adapter refuses its options: {error}"
        raise BadInputError.from_problems([config.source.at_key(where, text)]) from error
    except Exception as error:
        text = f"{instrument.name} cannot play the role '{role}': {error or repr(error)}"
        raise InstrumentError(str(config.source.at_key(where, text))) from error


def _close(instruments: Sequence[Instrument]) -> list[Failure]:
    failures = restore([(f"close {i.name}", i.close) for i in reversed(instruments)])
    for instrument in instruments:  # one that failed must not keep its name for ever
        type(instrument).remove_instance(instrument)
    return failures
