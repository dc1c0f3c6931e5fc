"""Every temperature control on the twin: set, settle, deadline, off; every thermometer's honesty."""

from __future__ import annotations

import math
from typing import Any

import pytest

from stm_daq.errors import DeadlineError, InstrumentError, OutOfRangeError
from stm_daq.station.temperature import Stability, settle, wait_until_stable

PATIENT = Stability(tolerance=2e-3, duration=120.0, deadline=3600.0, poll=5.0)
LAKE_SHORE = "drivers.lakeshore372.Ls372Control"
TRITON = "drivers.triton.TritonControl"
BLUEFORS = "drivers.bluefors.BlueforsHeater"
PAIRS = [
    (LAKE_SHORE, "drivers.lakeshore372.Ls372Thermometer", {}),
    (TRITON, "drivers.triton.TritonThermometer", {}),
    (BLUEFORS, "drivers.bluefors.BlueforsThermometer", {"instrument": "box"}),
    (BLUEFORS, "drivers.bluefors.BlueforsThermometer", {"instrument": "bluefors"}),
]
NAMES = ["lakeshore", "triton", "box", "control software"]


@pytest.mark.parametrize(("control_path", "thermometer_path", "changes"), PAIRS, ids=NAMES)
def test_a_temperature_is_reached_and_left(
    house: Any, control_path: str, thermometer_path: str, changes: dict[str, Any]
) -> None:
    control = house.adapt(control_path, **changes)
    thermometer = house.adapt(thermometer_path, **changes)
    if control_path == TRITON:
        house.open("triton").P(200)
    control.set_setpoint(0.6)
    assert control.setpoint() == pytest.approx(0.6)
    assert not control.heater_is_on()
    control.heater_on(10e-3)
    assert control.heater_is_on()
    reading = settle(control, thermometer, 0.6, PATIENT, house.twin.clock)
    assert reading.fresh
    assert reading.kelvin == pytest.approx(0.6, abs=2e-3)
    stage = house.twin.world.stage_temperature(house.twin.clock.now())
    assert stage == pytest.approx(0.6, abs=5e-3)
    assert control.heater_power() == pytest.approx(0.04 * (0.36 - 0.25), rel=0.1)
    control.heater_off()
    assert not control.heater_is_on()
    assert house.twin.world.fridge.heater.power == 0.0
    assert house.twin.unknown_commands() == []


@pytest.mark.parametrize("path", [LAKE_SHORE, TRITON, BLUEFORS])
def test_a_heater_is_not_switched_on_to_a_setpoint_beyond_the_limits(house: Any, path: str) -> None:
    control = house.adapt(path)
    instrument = house.open(house.blocks["adapters"][path]["instrument"])
    wild = getattr(instrument, "sample_heater", instrument)
    wild.setpoint(3.0)  # somebody at the front panel
    with pytest.raises(OutOfRangeError, match="set-point of the heater"):
        control.heater_on(1e-3)
    assert not control.heater_is_on()


def test_the_smallest_range_that_is_enough(house: Any) -> None:
    control = house.adapt(LAKE_SHORE)
    assert len(control.heater_ranges()) == 6
    control.set_setpoint(0.6)
    control.heater_on(10e-6)
    assert house.open("ls372").sample_heater.output_range() == "316μA"
    with pytest.raises(OutOfRangeError, match="largest_power"):
        control.heater_on(0.1)


def test_an_impossible_temperature_meets_the_deadline(house: Any) -> None:
    control, thermometer = house.adapt(LAKE_SHORE), house.adapt(PAIRS[0][1])
    with pytest.raises(DeadlineError, match=r"not stable at 1.5 K within 10 min.*is the heater on"):
        settle(control, thermometer, 1.5, Stability(1e-3, 60.0, 600.0), house.twin.clock)
    assert control.setpoint() == 1.5


def test_ohms_are_not_taken_for_kelvins(house: Any) -> None:
    control = house.adapt(LAKE_SHORE)
    house.open("ls372").write("INTYPE 6,0,5,1,15,0,2")
    with pytest.raises(InstrumentError, match="preferred units to kelvin"):
        control.set_setpoint(0.6)


def test_a_loop_does_not_work_while_its_channel_is_not_scanned(house: Any) -> None:
    control, thermometer = house.adapt(LAKE_SHORE), house.adapt(PAIRS[0][1])
    bridge = house.open("ls372")
    bridge.scanned_channel(5)
    control.set_setpoint(0.6)
    control.heater_on(10e-3)
    house.twin.clock.sleep(1200.0)
    assert control.heater_power() == 0.0
    assert not thermometer.read().fresh
    thermometer.select()
    reading = wait_until_stable(thermometer, 0.6, PATIENT, house.twin.clock)
    assert reading.kelvin == pytest.approx(0.6, abs=2e-3)


def test_strong_excitation_heats_the_sensor_and_weak_excitation_is_noisy(house: Any) -> None:
    house.twin.world.fridge.temperature = 0.02
    house.twin.world.fridge.oscillation = 0.0
    bridge, channel = house.open("ls372"), house.open("ls372").ch06

    def look(excitation: int) -> tuple[float, float]:
        bridge.write(f"INTYPE 6,0,{excitation},1,15,0,1")
        values = []
        for _ in range(60):
            house.twin.clock.sleep(1.0)
            values.append(channel.temperature())
        mean = sum(values) / 60
        return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / 60) / mean

    strong, weak = look(5), look(2)
    assert strong[0] > 0.021 > weak[0]
    assert weak[1] > 5 * strong[1]


def test_beyond_the_calibration_there_is_no_temperature(house: Any) -> None:
    house.twin.world.fridge.temperature = 300.0
    reading = house.adapt(PAIRS[0][1]).read()
    assert math.isnan(reading.kelvin)
    assert not reading.fresh


# -- BlueFors ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bluefors", "box"])
def test_values_that_are_missing_or_old_are_not_fresh(house: Any, name: str) -> None:
    thermometer = house.adapt("drivers.bluefors.BlueforsThermometer", instrument=name)
    device = house.twin._web[
        "192.168.8.31" if name == "bluefors" else "192.168.8.32",
        49099 if name == "bluefors" else 5001,
    ]
    house.twin.clock.sleep(60.0)
    assert thermometer.read().fresh
    device.scanner.failed.add(8)
    reading = thermometer.read()
    assert math.isnan(reading.kelvin)
    assert not reading.fresh
    device.scanner.failed.clear()
    device.scanner.stopped = house.twin.clock.now()
    house.twin.clock.sleep(140.0)
    assert thermometer.read().fresh
    house.twin.clock.sleep(30.0)
    assert not thermometer.read().fresh


def test_outdated_is_not_fresh(house: Any) -> None:
    thermometer = house.adapt("drivers.bluefors.BlueforsThermometer")
    house.twin.clock.sleep(60.0)
    assert thermometer.read().fresh
    house.twin._web["192.168.8.31", 49099].outdated = True
    assert not thermometer.read().fresh


def test_a_silent_service_meets_the_deadline(house: Any) -> None:
    thermometer = house.adapt("drivers.bluefors.BlueforsThermometer", instrument="box")
    device = house.twin._web["192.168.8.32", 5001]
    device.silent = True
    began = house.twin.clock.now()
    with pytest.raises(DeadlineError, match="no answer within 5 s"):
        thermometer.read()
    assert 9.0 < house.twin.clock.now() - began < 11.0  # asked once more
    device.silent = False
    house.twin.clock.sleep(20.0)
    assert thermometer.read().fresh


def test_a_wrong_key_and_a_wrong_name_are_told(house: Any) -> None:
    from drivers.bluefors_http import BlueforsControl

    with pytest.raises(InstrumentError, match="check the `key`"):
        BlueforsControl("one", "192.168.8.31", 49099)
    with pytest.raises(InstrumentError, match="VALUE_NOT_FOUND"):
        BlueforsControl("two", "192.168.8.31", 49099, key="k", value="mapper.bf.no")
    with pytest.raises(InstrumentError, match="is the service running"):
        BlueforsControl("three", "192.168.8.99", 49099, key="k")


# -- Triton -----------------------------------------------------------------------------------


def test_a_value_that_never_changes_is_not_fresh(house: Any) -> None:
    thermometer = house.adapt("drivers.triton.TritonThermometer")
    assert thermometer.read().fresh
    house.twin._streamed["192.168.8.30", 33576]._round = 1e9  # the scanner hangs
    house.twin.clock.sleep(120.0)
    thermometer.read()  # the first value after the fault is a new one
    house.twin.clock.sleep(120.0)
    began = house.twin.clock.now()
    reading = thermometer.read()
    assert not reading.fresh
    assert reading.kelvin == pytest.approx(0.5, abs=5e-3)
    assert house.twin.clock.now() - began < 70.0


def test_a_channel_that_is_not_there(house: Any) -> None:
    with pytest.raises(InstrumentError, match="no DEV:T9:TEMP:SIG:TEMP"):
        house.adapt("drivers.triton.TritonThermometer", channel=9).read()
