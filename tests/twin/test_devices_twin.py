"""The twin as a whole: what its block may say, its time, its connections."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sim.samples.uniform import Uniform
from sim.twin import Twin
from stm_daq.errors import BadInputError

WRONG = [
    (("simulation", "tipp"), {}, "unknown option 'tipp'"),
    (("simulation", "tip"), {"drift": "1 pm/s"}, "there is drift_z"),
    (("simulation", "tip"), {"drift_z": 1e-12}, "needs a unit"),
    (("simulation", "tip"), {"drift_z": "2 mV"}, "not a quantity"),
    (("simulation", "sample"), {"type": "sim.samples.uniform.Unform"}, "cannot import"),
    (("simulation", "sample"), {"gap": "1 meV"}, "needs a type"),
    (("simulation", "devices", "sr830", "sine_divder"), 1e-4, "there is sine_divider"),
    (("simulation", "devices", "lockin"), {"type": "sim.devices.sr830.Sr830"}, "no instrument"),
    (("instruments", "sr830", "address"), "GPIB0:8", "sr830"),
]


@pytest.mark.parametrize(("place", "value", "text"), WRONG)
def test_mistakes_are_told(
    station_blocks: dict[str, Any], place: tuple[str, ...], value: object, text: str
) -> None:
    block = station_blocks
    for key in place[:-1]:
        block = block[key]
    block[place[-1]] = value
    station_blocks["simulation"].pop("type")
    with pytest.raises(BadInputError, match=text):
        Twin(station_blocks["simulation"], station_blocks["instruments"], 0.0)


def test_cryostat_and_line_are_described_with_units(station_blocks: dict[str, Any]) -> None:
    simulation = station_blocks["simulation"]
    simulation.pop("type")
    simulation["fridge"] = {"cooling": "100 uW/K**2", "pot_time": "2 min", "stage_time": "30 s"}
    simulation["microwave_line"] = {"attenuation": 20, "length": "60 cm", "reflection": 0.1}
    world = Twin(simulation, station_blocks["instruments"], 0.0).world
    assert world.fridge.cooling == pytest.approx(1e-4)
    assert (world.fridge.pot_time, world.fridge.stage_time) == (120.0, 30.0)
    assert (world.line.attenuation, world.line.length) == (20, 0.6)


def test_overrides_replace_sample_and_seed(make_twin: Any) -> None:
    sample = Uniform(gap=1e-3)
    twin = make_twin(sample=sample, seed=7)
    assert twin.world.sample is sample
    assert twin.world.seed == 7


def test_drivers_live_in_virtual_time_and_only_inside(
    make_twin: Any, station_blocks: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from qcodes.instrument import Instrument
    from qcodes.instrument_drivers.Lakeshore import LakeshoreModel372
    from qcodes.instrument_drivers.Lakeshore import lakeshore_base as module

    with make_twin() as twin:
        monkeypatch.setenv("PYVISA_LIBRARY", twin.visa_library)
        bridge = LakeshoreModel372("ls372", station_blocks["instruments"]["ls372"]["address"])
        heater = bridge.sample_heater
        heater.setpoint(0.5)
        heater.wait_equilibration_time(60.0)
        began, real = twin.clock.now(), time.monotonic()
        heater.wait_until_set_point_reached()
        assert twin.clock.now() - began >= 60.0
        assert time.monotonic() - real < 30.0
        assert module.time is not time
        Instrument.close_all()
    assert module.time is time


def test_streams_lead_to_the_controller(twin: Twin) -> None:
    stream = twin.open_stream("127.0.0.1", 6501, 1.0)
    stream.close()
    with pytest.raises(ConnectionRefusedError, match=r"127\.0\.0\.1:6505"):
        twin.open_stream("127.0.0.1", 6505, 1.0)
