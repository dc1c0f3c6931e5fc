"""The MFLI on the twin: what is refused, what goes wrong, and what is noticed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from drivers.mfli import Mfli, MfliLockIn
from sim.twin import Twin
from sim.waveform import Waveform
from stm_daq.errors import DeadlineError, InstrumentError, OutOfRangeError
from stm_daq.station.limits import Limits
from stm_daq.station.roles import PlanNeeds
from stm_daq.station.sessions import sessions_from

DEVICE = {"type": "sim.devices.mfli.Mfli", "address": "10.0.0.4", "auxiliary_input": 2}


class Bench:
    """An MFLI with its adapter on a twin."""

    def __init__(self, twin: Twin, limits: Limits) -> None:
        self.twin, self.clock, self.limits = twin, twin.clock, limits
        twin.world.add_bias("battery", Waveform(4e-3))
        self.session = twin.open_session("10.0.0.4", 8004)
        with sessions_from(twin.open_session):
            self.driver = Mfli("mfli", "10.0.0.4", "DEV1234")
        self.lockin = MfliLockIn(self.driver, limits, twin.clock, 1e-4, 2)
        self.configure()
        self.lockin.prepare_buffer()

    def configure(self, **changed: float) -> float:
        """Set up as a night would."""
        usual = {"frequency": 797.0, "modulation": 140e-6, "time_constant": 3e-3, "phase": -35.9}
        return self.lockin.configure(**{**usual, "sensitivity": 10e-3, **changed})

    def pulses(self, count: int) -> None:
        """Let `count` triggers come and go."""
        self.twin._trigger.pulse(self.clock.now() + 1e-3 * np.arange(1, count + 1))
        self.clock.sleep(1e-3 * (count + 1))


@pytest.fixture
def bench(enter_twin: Callable[..., Twin], limits: Limits) -> Iterator[Bench]:
    return Bench(enter_twin({"mfli": DEVICE}), limits)


def test_settings_are_read_back(bench: Bench) -> None:
    assert bench.configure() == pytest.approx(140e-6)
    assert bench.twin.world.modulation_peak == pytest.approx(140e-6)
    snapshot = bench.driver.snapshot(update=True)["parameters"]
    assert snapshot["time_constant"]["value"] == 3e-3
    assert snapshot["frequency"]["unit"] == "Hz"
    bench.lockin.modulation_off()
    assert bench.twin.world.modulation_peak == 0.0
    assert bench.twin.unknown_commands() == []


def test_exactly_one_sample_per_trigger(bench: Bench) -> None:
    for _ in range(2):
        bench.lockin.start_buffer()
        bench.pulses(40)
        trace = bench.lockin.read_buffer(40)
        assert len(trace.in_phase) == len(trace.auxiliary) == 40
        assert bench.lockin.stored_samples() == 40


def test_missing_and_surplus_triggers(bench: Bench) -> None:
    bench.lockin.start_buffer()
    bench.pulses(3)
    began = bench.clock.now()
    with pytest.raises(DeadlineError, match="3 samples came instead of 4; check the trigger"):
        bench.lockin.read_buffer(4)
    assert bench.clock.now() - began < 1.1
    bench.pulses(2)
    assert len(bench.lockin.read_buffer(4).in_phase) == 4
    assert bench.lockin.stored_samples() == 5


def test_points_may_be_read_between_sweeps(bench: Bench) -> None:
    point = bench.lockin.read_point()
    assert point.in_phase.shape == point.auxiliary.shape == (1,)
    bench.lockin.start_buffer()
    bench.pulses(5)
    assert len(bench.lockin.read_buffer(5).in_phase) == 5


def test_overload_is_flagged_until_the_next_start(bench: Bench) -> None:
    bench.lockin.start_buffer()
    bench.pulses(2)
    assert bench.lockin.read_buffer(2).flags == ()
    bench.lockin.start_buffer()
    bench.pulses(1)
    bench.session._peak = 1.5
    bench.pulses(1)
    assert bench.lockin.read_buffer(2).flags == ("overload",)
    bench.lockin.start_buffer()
    bench.pulses(2)
    assert bench.lockin.read_buffer(2).flags == ()


REFUSED: dict[str, dict[str, float]] = {
    "modulation": {"modulation": 1.0},
    "amplitude": {"modulation": 2e-3},
    "frequency": {"frequency": 1e6},
    "time constant": {"time_constant": 100.0},
    "sensitivity": {"sensitivity": 0.8},
    "not a number": {"frequency": math.nan},
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_values_send_nothing(bench: Bench, what: str) -> None:
    bench.lockin._divider = 1e-4 if what != "amplitude" else 1e-5
    before = bench.twin.transactions()
    with pytest.raises(OutOfRangeError):
        bench.configure(**REFUSED[what])
    assert bench.twin.transactions() == before


def test_a_setting_that_is_not_taken_is_an_error(bench: Bench) -> None:
    bench.session._allowed["demods/0/timeconstant"] = (0.01, 10e-3, 83.0)
    with pytest.raises(InstrumentError, match=r"demods/0/timeconstant is 0\.01, not 0\.003"):
        bench.configure()


def broken(*_args: Any) -> Any:
    """Fail as the vendor's library does."""
    raise RuntimeError("ZIAPIException: connection lost")


TROUBLE = {
    "connection": (broken, "poll: ZIAPIException: connection lost"),
    "loss": (
        lambda *_: {"/dev1234/demods/0/sample": {"time": {"dataloss": True}}},
        "samples of demods/0/sample were lost",
    ),
    "NaN": (
        lambda *_: {"/dev1234/demods/0/sample": {"x": [0.1, math.nan], "auxin1": [0.0, 0.0]}},
        "not a finite number",
    ),
}


@pytest.mark.parametrize("what", TROUBLE)
def test_trouble_is_told_and_the_next_sweep_works(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    poll, text = TROUBLE[what]
    bench.lockin.start_buffer()
    with monkeypatch.context() as patch:
        patch.setattr(bench.session, "poll", poll)
        with pytest.raises(InstrumentError, match=text):
            bench.lockin.read_buffer(2)
    bench.lockin.start_buffer()
    bench.pulses(2)
    assert bench.lockin.read_buffer(2).flags == ()


def test_without_the_vendor_s_library_the_text_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zhinst.core", None)
    with pytest.raises(InstrumentError, match=r"stm_daq\[mfli\]"):
        Mfli("mfli2", "10.0.0.4", "dev1234")


def test_an_unknown_node_is_noted(bench: Bench) -> None:
    with pytest.raises(InstrumentError, match="no node"):
        bench.driver.read_node("demods/7/rate")
    assert bench.twin.unknown_commands() == ["mfli: /dev1234/demods/7/rate"]


def test_findings_before_anything_is_opened(limits: Limits) -> None:
    needs = PlanNeeds(16, 10e-3, 10**5, 5e-3, 1e6, 1000.0)
    options = {"modulation_divider": 1e-4, "auxiliary_input": 3, "filter_slope": 7}
    found = [place for place, _ in MfliLockIn.check({**options, "input_range": 2.0}, limits, needs)]
    assert found == [
        "auxiliary_input",
        "filter_slope",
        "input_range",
        "sweep.modulation.frequency",
        "sweep.lockin.time_constant",
        "sweep.modulation.peak",
    ]
