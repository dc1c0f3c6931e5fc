"""The real drivers open, read everything and close, and say nothing that a device does not know."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from qcodes.instrument_drivers.Lakeshore import LakeshoreModel372
from qcodes.instrument_drivers.rohde_schwarz import RohdeSchwarzSGS100A
from qcodes.instrument_drivers.stanford_research import SR830
from qcodes_contrib_drivers.drivers.QDevil.QDAC2 import QDac2

from sim.twin import Twin

DRIVERS = {
    "sr830": SR830,
    "qdac": QDac2,
    "ls372": LakeshoreModel372,
    "sgs100a": RohdeSchwarzSGS100A,
}


@pytest.mark.parametrize("name", DRIVERS)
def test_driver_opens_snapshots_and_closes(
    twin: Twin, station_blocks: dict[str, Any], name: str
) -> None:
    instrument = DRIVERS[name](name, station_blocks["instruments"][name]["address"])
    snapshot = instrument.snapshot(update=True)
    instrument.close()
    assert snapshot["parameters"]
    assert twin.unknown_commands() == []
    assert twin.device(name).errors == []


def test_every_setting_of_the_source_is_read_back(
    twin: Twin, station_blocks: dict[str, Any]
) -> None:
    source = RohdeSchwarzSGS100A("sgs100a", station_blocks["instruments"]["sgs100a"]["address"])
    source.frequency(12.5e9)
    source.power(-42.0)
    source.operation_mode("BBBYpass")
    source.pulsemod_trig_mode("egate")
    source.on()
    assert source.frequency.get() == 12.5e9
    assert source.power.get() == -42.0
    assert source.operation_mode.get() == "BBBY"
    assert source.pulsemod_trig_mode.get() == "EGAT"
    assert source.status.get() is True
    assert twin.unknown_commands() == []


def test_microwaves_are_off_at_the_start(twin: Twin, station_blocks: dict[str, Any]) -> None:
    source = RohdeSchwarzSGS100A("sgs100a", station_blocks["instruments"]["sgs100a"]["address"])
    assert source.status.get() is False


def test_pymeasure_speaks_to_the_same_lock_in(twin: Twin, station_blocks: dict[str, Any]) -> None:
    from pymeasure.instruments import srs

    address = station_blocks["instruments"]["sr830"]["address"]
    theirs = srs.SR830(address, visa_library=twin.visa_library)
    ours = SR830("sr830", address)
    theirs.sine_voltage = 0.05
    theirs.sensitivity = 2e-3
    theirs.time_constant = 0.03
    assert ours.amplitude.get() == 0.05
    assert ours.sensitivity.get() == 2e-3
    assert ours.time_constant.get() == 0.03
    properties = inspect.getmembers(type(theirs), lambda member: isinstance(member, property))
    for name, found in properties:
        if found.fget is not None and name.startswith(("x", "y", "mag", "theta", "sine", "freq")):
            getattr(theirs, name)
    theirs.adapter.close()
    assert twin.unknown_commands() == []


def test_two_twins_do_not_know_each_other(make_twin: Any) -> None:
    import pyvisa

    with make_twin(seed=1) as first, make_twin(seed=2) as second:
        address = "TCPIP0::192.168.8.21::inst0::INSTR"
        a = pyvisa.ResourceManager(first.visa_library).open_resource(address)
        b = pyvisa.ResourceManager(second.visa_library).open_resource(address)
        a.write("SOUR:POW -50")
        assert float(a.query("SOUR:POW?")) == -50
        assert float(b.query("SOUR:POW?")) == -30
        assert (first.transactions(), second.transactions()) == (2, 1)


def test_a_twin_that_is_left_cannot_be_reached(make_twin: Any) -> None:
    import pyvisa

    with make_twin() as twin:
        library = twin.visa_library
    with pytest.raises(OSError, match="no simulated microscope"):
        pyvisa.ResourceManager(library)


def test_thermometer_shows_only_the_scanned_channel(
    twin: Twin, station_blocks: dict[str, Any]
) -> None:
    bridge = LakeshoreModel372("ls372", station_blocks["instruments"]["ls372"]["address"])
    live = bridge.ch06.temperature()
    assert live == pytest.approx(twin.world.stage_temperature(twin.clock.now()), rel=2e-3)
    bridge.write("SCAN 3,0")
    twin.world.fridge.temperature = 0.7
    twin.clock.sleep(60.0)
    assert bridge.ch06.temperature() == pytest.approx(live, rel=2e-3)
    bridge.write("SCAN 6,0")
    twin.clock.sleep(0.5)
    assert bridge.ch06.temperature() < 0.6
    twin.clock.sleep(10.0)
    assert bridge.ch06.temperature() == pytest.approx(0.7, rel=5e-3)


def test_autoscan_moves_through_the_enabled_channels(
    twin: Twin, station_blocks: dict[str, Any]
) -> None:
    bridge = LakeshoreModel372("ls372", station_blocks["instruments"]["ls372"]["address"])
    bridge.write("INSET 2,1,5,3,0,1")
    bridge.write("SCAN 6,1")
    seen = set()
    for _ in range(30):
        twin.clock.sleep(1.0)
        seen.add(bridge.ask("SCAN?"))
    assert seen == {"06,1", "02,1", "05,1"}
