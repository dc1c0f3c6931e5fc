"""Thermometer, microwave source and preamplifier behind their roles; replies that do not come."""

from __future__ import annotations

import math
from typing import Any

import pytest
from qcodes.instrument_drivers.Lakeshore import LakeshoreModel372
from qcodes.instrument_drivers.rohde_schwarz import RohdeSchwarzSGS100A
from qcodes.instrument_drivers.stanford_research import SR830

from drivers.dlpca200 import Dlpca200, Dlpca200Preamplifier
from drivers.lakeshore372 import Ls372Thermometer
from drivers.sgs100a import Sgs100aSource
from drivers.sr830 import Sr830LockIn
from drivers.visa_errors import ask_number
from sim.twin import Twin
from stm_daq.errors import BadInputError, DeadlineError, InstrumentError, OutOfRangeError
from stm_daq.station.limits import Limits


@pytest.fixture
def bridge(twin: Twin, station_blocks: dict[str, Any]) -> LakeshoreModel372:
    return LakeshoreModel372("ls372", station_blocks["instruments"]["ls372"]["address"])


@pytest.fixture
def thermometer(twin: Twin, bridge: LakeshoreModel372, limits: Limits) -> Ls372Thermometer:
    return Ls372Thermometer(bridge, limits, twin.clock, channel=6)


def test_live_channel_is_fresh(twin: Twin, thermometer: Ls372Thermometer) -> None:
    reading = thermometer.read()
    assert reading.fresh
    assert reading.kelvin == pytest.approx(0.5, abs=5e-3)
    assert reading.time == twin.clock.wall()


def test_stale_channel_is_never_fresh(
    twin: Twin, bridge: LakeshoreModel372, thermometer: Ls372Thermometer
) -> None:
    thermometer.read()
    bridge.write("SCAN 3,0")
    twin.clock.sleep(30.0)
    assert not thermometer.read().fresh


def test_waits_for_the_channel_to_settle(
    twin: Twin, bridge: LakeshoreModel372, thermometer: Ls372Thermometer
) -> None:
    bridge.write("SCAN 3,0")
    thermometer.read()
    twin.world.fridge.temperature = 0.6
    bridge.write("SCAN 6,0")
    began = twin.clock.now()
    reading = thermometer.read()
    assert twin.clock.now() - began > 3.0
    assert reading.fresh
    assert reading.kelvin == pytest.approx(0.6, abs=5e-3)


def test_autoscan_is_never_fresh(bridge: LakeshoreModel372, thermometer: Ls372Thermometer) -> None:
    bridge.write("SCAN 6,1")
    assert not thermometer.read().fresh


def test_open_sensor_has_no_temperature(
    twin: Twin, bridge: LakeshoreModel372, limits: Limits
) -> None:
    bridge.write("SCAN 2,0")
    reading = Ls372Thermometer(bridge, limits, twin.clock, channel=2).read()
    assert math.isnan(reading.kelvin)
    assert not reading.fresh


def test_microwaves_are_switched_off(
    twin: Twin, station_blocks: dict[str, Any], limits: Limits
) -> None:
    driver = RohdeSchwarzSGS100A("sgs100a", station_blocks["instruments"]["sgs100a"]["address"])
    source = Sgs100aSource(driver, limits, twin.clock)
    driver.on()
    assert source.is_on()
    source.off()
    assert not source.is_on()


def test_microwaves_that_were_on_above_the_limit_are_off_and_told(
    twin: Twin, station_blocks: dict[str, Any], limits: Limits
) -> None:
    driver = RohdeSchwarzSGS100A("sgs100a", station_blocks["instruments"]["sgs100a"]["address"])
    source = Sgs100aSource(driver, limits, twin.clock)
    driver.power(-10.0)
    source.off()  # nothing was on: no harm
    driver.on()
    with pytest.raises(OutOfRangeError, match=r"was on with -10 dBm.*it is off now"):
        source.off()
    assert not source.is_on()


def test_preamplifier_knows_its_bandwidth(twin: Twin, limits: Limits) -> None:
    preamplifier = Dlpca200Preamplifier(Dlpca200("preamp", 1e9, "low_noise"), limits, twin.clock)
    assert abs(preamplifier.response(1100.0)) == pytest.approx(1e9 / math.sqrt(2))
    assert preamplifier.full_scale() == 10e-9
    assert preamplifier.response(797.0) == twin.world.preamplifier.response(797.0)


@pytest.mark.parametrize(
    ("gain", "mode"), [(1e10, "low_noise"), (1e4, "high_speed"), (1e9, "fast")]
)
def test_preamplifier_without_such_a_setting(gain: float, mode: str) -> None:
    with pytest.raises(BadInputError, match="no gain"):
        Dlpca200("preamp", gain, mode)


def test_no_reply_costs_virtual_time_and_names_the_instrument(
    twin: Twin, station_blocks: dict[str, Any]
) -> None:
    driver = SR830("sr830", station_blocks["instruments"]["sr830"]["address"])
    began = twin.clock.now()
    with pytest.raises(DeadlineError, match=r"sr830.*XYZW\?"):
        ask_number(driver, "XYZW?")
    assert 5.0 <= twin.clock.now() - began < 5.1
    assert twin.unknown_commands() == ["sr830: XYZW?"]
    assert driver.frequency() == 1000.0


def test_reply_that_is_no_number(twin: Twin, station_blocks: dict[str, Any]) -> None:
    driver = SR830("sr830", station_blocks["instruments"]["sr830"]["address"])
    with pytest.raises(InstrumentError, match="no number"):
        ask_number(driver, "*IDN?")


def test_damaged_buffer_is_refused(
    twin: Twin, station_blocks: dict[str, Any], limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = SR830("sr830", station_blocks["instruments"]["sr830"]["address"])
    lockin = Sr830LockIn(driver, limits, twin.clock, modulation_divider=1e-4, auxiliary_input=3)
    lockin.prepare_buffer()
    lockin.start_buffer()
    for _ in range(3):
        driver.send_trigger()
        twin.clock.sleep(10e-3)
    monkeypatch.setattr("sim.devices.sr830.encode_lockin_format", lambda values: b"\0" * 11)
    with pytest.raises(InstrumentError, match="11 bytes instead of 12"):
        lockin.read_buffer(3)
