"""Sources that are set point by point: limits, slew, read-back, deadlines."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qcodes.instrument import Instrument
from qcodes.instrument_drivers.yokogawa import YokogawaGS200

from drivers.generic_bias import GenericBias
from drivers.gs200 import Gs200Bias
from sim.twin import Twin
from stm_daq.clock import VirtualClock
from stm_daq.errors import DeadlineError, InstrumentError, OutOfRangeError
from stm_daq.records import Array
from stm_daq.station.limits import Limits

ADDRESS = "USB0::0xB21::0x39::90ABCD123::INSTR"
OPTIONS = {"type": "sim.devices.gs200.Gs200", "address": ADDRESS, "divider": 0.01}


class Bench:
    """A GS200 on the twin, under either adapter."""

    def __init__(self, twin: Twin, limits: Limits, adapter: str) -> None:
        self.twin, self.clock, self.device = twin, twin.clock, twin.device("gs200")
        self.driver = YokogawaGS200("gs200", ADDRESS)
        self.bias: Any = (
            Gs200Bias(self.driver, limits, twin.clock, 0.01)
            if adapter == "gs200"
            else GenericBias(self.driver, limits, twin.clock, "voltage", 0.01)
        )

    def wave(self, since: float) -> tuple[Array, Array]:
        """Return times and bias at the junction since a moment."""
        times = np.linspace(since, self.clock.now(), 20001)
        return times, self.twin.world.bias(times)


@pytest.fixture
def make_bench(enter_twin: Callable[..., Twin], limits: Limits) -> Callable[..., Bench]:
    def make(adapter: str = "gs200", **options: float) -> Bench:
        return Bench(enter_twin({"gs200": {**OPTIONS, **options}}), limits, adapter)

    return make


@pytest.mark.parametrize("adapter", ["gs200", "generic"])
def test_ramps_obey_slew_and_step_and_are_read_back(
    make_bench: Callable[..., Bench], adapter: str
) -> None:
    bench = make_bench(adapter)
    bench.bias.ramp_to(4e-3)
    assert bench.bias.voltage() == pytest.approx(4e-3, abs=1e-7)
    began = bench.clock.now()
    bench.bias.ramp_to(-6e-3)
    times, bias = bench.wave(began)
    assert bias[-1] == pytest.approx(-6e-3, abs=1e-7)
    window = round(20e-3 / (times[1] - times[0]))
    largest = np.max(np.abs(bias[window:] - bias[:-window]))
    assert largest <= 0.2 * 20e-3 + 1e-3 * 1.01  # the slew limit, and one step of software
    assert np.max(np.abs(np.diff(bias))) <= 1e-3 * 1.01
    assert bench.twin.violations() == []
    assert bench.twin.unknown_commands() == []
    assert bench.device.errors == []


def test_a_hardware_ramp_is_straight(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    began = bench.clock.now()
    bench.bias.ramp_to(8e-3)
    times, bias = bench.wave(began)
    rate = np.diff(bias) / np.diff(times)
    assert rate.max() == pytest.approx(8e-3 / 0.1)  # 40 ms at 200 mV/s; the program has 100 ms
    assert rate.max() <= 0.2


REFUSED = {
    "limit": lambda bench: bench.bias.ramp_to(11e-3),
    "not a number": lambda bench: bench.bias.ramp_to(math.nan),
}


@pytest.mark.parametrize("adapter", ["gs200", "generic"])
@pytest.mark.parametrize("what", REFUSED)
def test_refused_values_send_nothing(
    make_bench: Callable[..., Bench], adapter: str, what: str
) -> None:
    bench = make_bench(adapter)
    before = bench.twin.transactions()
    with pytest.raises(OutOfRangeError, match="nothing was sent"):
        REFUSED[what](bench)
    assert bench.twin.transactions() == before


def test_the_range_of_the_source_is_kept_and_not_passed(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(range=0.1)
    bench.bias.ramp_to(1.2e-3)
    with pytest.raises(OutOfRangeError, match="more than 120 mV of its range"):
        bench.bias.ramp_to(1.3e-3)
    assert bench.bias.voltage() == pytest.approx(1.2e-3)


def test_the_converter_has_the_resolution_of_its_range(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(range=10.0)
    bench.bias.ramp_to(1.23456e-3)
    assert bench.bias.voltage() == pytest.approx(1.235e-3, abs=1e-9)


def test_an_output_that_is_off_is_told(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    bench.driver.off()
    with pytest.raises(InstrumentError, match="output is off; set the level to 0 V"):
        bench.bias.ramp_to(4e-3)
    bench.driver.on()
    bench.bias.ramp_to(4e-3)


class Interrupted:
    """A clock during whose sleep somebody presses Ctrl-C."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    def sleep(self, seconds: float) -> None:
        """Sleep half of it."""
        self._clock.sleep(seconds / 2)
        raise KeyboardInterrupt


@pytest.mark.parametrize("trouble", ["never ends", "interrupted"])
def test_a_ramp_that_goes_wrong_is_paused_and_the_next_works(
    make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    bench = make_bench()
    with monkeypatch.context() as patch:
        if trouble == "never ends":
            patch.setattr("sim.devices.gs200.END_OF_PROGRAM", 0)
            expected, seconds = DeadlineError, 2.2
        else:
            patch.setattr(bench.bias, "_clock", Interrupted(bench.clock))
            expected, seconds = KeyboardInterrupt, 0.1
        began = bench.clock.now()
        with pytest.raises(expected):
            bench.bias.ramp_to(8e-3)
        assert bench.clock.now() - began < seconds
    stopped = bench.bias.voltage()
    bench.clock.sleep(1.0)
    assert bench.bias.voltage() == stopped
    bench.bias.ramp_to(-2e-3)
    assert bench.bias.voltage() == pytest.approx(-2e-3)


@pytest.mark.parametrize("adapter", ["gs200", "generic"])
def test_a_level_that_is_not_reached_is_an_error(
    make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, adapter: str
) -> None:
    bench = make_bench(adapter)
    with monkeypatch.context() as patch:
        patch.setattr(bench.device, "_go_to", lambda volts: None)
        with pytest.raises(InstrumentError, match=r"0 V, not 90 mV|the level is 0 V, not 90 mV"):
            bench.bias.ramp_to(0.9e-3)
    bench.bias.ramp_to(0.9e-3)


def test_driver_opens_snapshots_and_closes(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    snapshot = bench.driver.snapshot(update=True)
    assert snapshot["parameters"]["voltage_range"]["value"] == 1.0
    assert bench.twin.unknown_commands() == []
    assert bench.device.errors == []


class Box(Instrument):
    """Voltages of all kinds."""

    def __init__(self) -> None:
        super().__init__("box")
        self.add_parameter("mv", unit="mV", get_cmd=lambda: 0.0, set_cmd=lambda v: None)
        self.add_parameter("blind", unit="V", get_cmd=False, set_cmd=lambda v: None)
        self.add_parameter("broken", unit="V", get_cmd=lambda: 1 / 0, set_cmd=lambda v: None)
        self.add_parameter("empty", unit="V", get_cmd=lambda: math.nan, set_cmd=lambda v: None)


@pytest.mark.parametrize(
    ("parameter", "text"), [("mv", "must be in V"), ("blind", "both set and read back")]
)
def test_parameters_that_cannot_be_a_bias(limits: Limits, parameter: str, text: str) -> None:
    box = Box()
    try:
        with pytest.raises(ValueError, match=text):
            GenericBias(box, limits, VirtualClock(), parameter, 1.0)
    finally:
        box.close()


@pytest.mark.parametrize(
    ("parameter", "text"), [("broken", "division by zero"), ("empty", "no voltage")]
)
def test_whatever_a_driver_raises_is_an_error_of_the_instrument(
    limits: Limits, parameter: str, text: str
) -> None:
    box = Box()
    try:
        with pytest.raises(InstrumentError, match=f"box.{parameter}.*{text}"):
            GenericBias(box, limits, VirtualClock(), parameter, 1.0).voltage()
    finally:
        box.close()


@pytest.mark.parametrize("options", [{"divider": 0.0}, {"divider": 1.0, "resolution": 0.0}])
def test_impossible_options(limits: Limits, options: dict[str, float]) -> None:
    found = [place for place, _ in GenericBias.check(options, limits, None)]
    assert found == [list(options)[-1]]
    found = [place for place, _ in Gs200Bias.check({"divider": 1e-4}, limits, None)]
    assert found == ["divider"]  # 10 mV at the junction would need 100 V
