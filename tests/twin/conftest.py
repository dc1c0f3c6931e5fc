"""The reference station's twin, entered, with a uniform sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sim.samples.uniform import Uniform
from sim.twin import Twin
from stm_daq.station.limits import Limits, Range

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
