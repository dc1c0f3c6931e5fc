"""The reference station's twin, entered, with a uniform sample."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sim.samples.uniform import Uniform
from sim.twin import Twin
from stm_daq.station.limits import Limits, Range
from stm_daq.station.sessions import sessions_from
from stm_daq.station.streams import streams_from
from stm_daq.station.surroundings import surrounded_by

STATION = Path(__file__).parents[2] / "station.yaml"

type TwinFactory = Callable[..., Twin]


@pytest.fixture
def station_blocks() -> dict[str, Any]:
    """Return station.yaml as plain dictionaries."""
    blocks: dict[str, Any] = YAML(typ="safe").load(STATION)
    return blocks


@pytest.fixture
def make_twin(station_blocks: dict[str, Any]) -> TwinFactory:
    """Return a maker of twins that are not entered yet."""

    def make(speed: float | None = None, **overrides: Any) -> Twin:
        simulation = {k: v for k, v in station_blocks["simulation"].items() if k != "type"}
        chosen = {"sample": Uniform(), "tip": {"drift_z": "2 pm/min"}, **overrides}
        return Twin(simulation, station_blocks["instruments"], 1.7e9, chosen, speed)

    return make


@pytest.fixture
def enter_twin(monkeypatch: pytest.MonkeyPatch) -> Iterator[TwinFactory]:
    """Return a maker of entered twins with other devices, by name: {"type": ..., "address": ...}."""
    from qcodes.instrument import Instrument

    with ExitStack() as stack:

        def make(devices: dict[str, dict[str, Any]], **overrides: Any) -> Twin:
            wired = {n: {k: v for k, v in d.items() if k != "address"} for n, d in devices.items()}
            addresses = {n: {"address": d["address"]} for n, d in devices.items()}
            settings = {"sample": Uniform(), "tip": {"drift_z": "0 pm/min"}, **overrides}
            twin = stack.enter_context(Twin({"devices": wired}, addresses, 1.7e9, settings))
            monkeypatch.setenv("PYVISA_LIBRARY", twin.visa_library)
            return twin

        yield make
        Instrument.close_all()


@pytest.fixture
def twin(make_twin: TwinFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Twin]:
    """Return an entered twin that PyVISA finds; closes all instruments afterwards."""
    from qcodes.instrument import Instrument

    with make_twin() as made:
        monkeypatch.setenv("PYVISA_LIBRARY", made.visa_library)
        yield made
        Instrument.close_all()


@pytest.fixture
def limits() -> Limits:
    """Return the limits of station.yaml."""
    return Limits(
        bias=Range(-10e-3, 10e-3, "V"),
        bias_slew=0.2,
        bias_step=1e-3,
        setpoint_current=Range(1e-12, 2e-9, "A"),
        x=Range(-1e-6, 1e-6, "m"),
        y=Range(-1e-6, 1e-6, "m"),
        z=Range(-250e-9, 250e-9, "m"),
        microwave_power=Range(-120.0, -20.0, "dBm"),
    )


ALL_DRIVERS = Path(__file__).with_name("all_drivers.yaml")
LIMITS = Limits(
    bias=Range(-10e-3, 10e-3, "V"),
    bias_slew=0.2,
    bias_step=1e-3,
    setpoint_current=Range(1e-12, 2e-9, "A"),
    x=Range(-1e-6, 1e-6, "m"),
    y=Range(-1e-6, 1e-6, "m"),
    z=Range(-250e-9, 250e-9, "m"),
    microwave_power=Range(-120.0, -20.0, "dBm"),
    temperature=Range(0.02, 2.0, "K"),
)


@dataclass
class House:
    """All drivers of the house and the twin they talk to."""

    twin: Twin
    blocks: Mapping[str, Any]

    def open(self, name: str) -> Any:
        """Return the instrument, opened when it is first wanted."""
        from qcodes.instrument import Instrument

        if Instrument.exist(name):
            return Instrument.find_instrument(name)
        block = dict(self.blocks["instruments"][name])
        factory = found(block.pop("type"))
        return factory(name, **{**block.pop("init", {}), **block})

    def adapt(self, path: str, **changes: Any) -> Any:
        """Return the adapter at a dotted path on its instrument; `changes` replace options."""
        options = {**self.blocks["adapters"][path], **changes}
        instrument = self.open(options.pop("instrument"))
        return found(path)(instrument, LIMITS, self.twin.clock, **options)


def found(path: str) -> Any:
    """Return what is at a dotted path."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


@contextmanager
def open_house() -> Iterator[House]:
    """Yield the house on its twin; closes all instruments afterwards."""
    from qcodes.instrument import Instrument

    blocks = YAML(typ="safe").load(ALL_DRIVERS)
    twin = Twin(blocks["simulation"], blocks["instruments"], 1.7e9)
    with pytest.MonkeyPatch.context() as patch, twin, streams_from(twin.open_stream):
        patch.setenv("PYVISA_LIBRARY", twin.visa_library)
        with surrounded_by(twin), sessions_from(twin.open_session):
            try:
                yield House(twin, blocks)
            finally:
                Instrument.close_all()


@pytest.fixture
def house() -> Iterator[House]:
    """Return all drivers of the house on one twin (all_drivers.yaml)."""
    with open_house() as made:
        yield made


@pytest.fixture(scope="module")
def lasting_house() -> Iterator[House]:
    """Return the same for all tests of a module."""
    with open_house() as made:
        yield made
