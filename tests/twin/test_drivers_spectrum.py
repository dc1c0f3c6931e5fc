"""A spectrum through the real drivers: list of the DAC, trigger, buffer of the lock-in."""

from __future__ import annotations

import cmath
import math
from typing import Any

import numpy as np
import pytest
from qcodes.instrument_drivers.stanford_research import SR830
from qcodes_contrib_drivers.drivers.QDevil.QDAC2 import QDac2
from scipy.signal import lfilter

from drivers.dlpca200 import Dlpca200, Dlpca200Preamplifier
from drivers.qdac2 import Qdac2Bias
from drivers.sr830 import Sr830LockIn
from sim.twin import Twin
from stm_daq.errors import DeadlineError, InstrumentError, OutOfRangeError
from stm_daq.records import Array
from stm_daq.station.limits import Limits

FREQUENCY = 797.0
DWELL = 10e-3


class Rig:
    """Bias, lock-in and preamplifier of the reference station on its twin."""

    def __init__(self, twin: Twin, instruments: dict[str, Any], limits: Limits) -> None:
        self.twin, self.clock = twin, twin.clock
        self.qdac = QDac2("qdac", instruments["qdac"]["address"])
        self.sr830 = SR830("sr830", instruments["sr830"]["address"])
        self.bias = Qdac2Bias(self.qdac, limits, twin.clock, channel=1, divider=0.01, trigger=1)
        self.lockin = Sr830LockIn(
            self.sr830, limits, twin.clock, modulation_divider=1e-4, auxiliary_input=3
        )
        self.preamplifier = Dlpca200Preamplifier(Dlpca200("preamp"), limits, twin.clock)

    def prepare(self, volts: Array, time_constant: float = 1e-3, dwell: float = DWELL) -> None:
        """Hold the tip at the set-point, go to the first bias and set everything up."""
        self.bias.ramp_to(4e-3)
        self.clock.sleep(0.1)
        self.twin.world.tip.hold()
        self.bias.ramp_to(float(volts[0]))
        response = self.preamplifier.response(FREQUENCY)
        self.modulation = self.lockin.configure(
            FREQUENCY, 140e-6, time_constant, math.degrees(cmath.phase(response)), 10e-3
        )
        self.per_siemens = self.modulation * abs(response) / math.sqrt(2)
        self.lockin.prepare_buffer()
        self.bias.prepare_list(volts, dwell)
        self.duration = len(volts) * dwell
        self.points = len(volts)

    def measure(self) -> tuple[Array, Array]:
        """Return conductance (S) and current (A) of one list."""
        self.lockin.start_buffer()
        self.bias.start_list()
        self.clock.sleep(self.duration)
        trace = self.lockin.read_buffer(self.points)
        assert trace.flags == ()
        return trace.in_phase / self.per_siemens, trace.auxiliary / self.preamplifier.gain()

    def truth(self, volts: Array) -> tuple[Array, Array]:
        """Return true conductance and current at a bias, as a perfect lock-in sees them."""
        tip = self.twin.world.tip
        now = self.clock.now()
        junction = tip.junction(tip.contact_at(now))
        scale = tip.scale(np.array([now]))[0]
        return (
            scale * junction.conductance(volts, self.modulation),
            scale * junction.current(volts, self.modulation),
        )


@pytest.fixture
def rig(twin: Twin, station_blocks: dict[str, Any], limits: Limits) -> Rig:
    return Rig(twin, station_blocks["instruments"], limits)


def staircase(points: int = 128) -> Array:
    way = np.linspace(4e-3, -4e-3, points)
    return np.concatenate([way, np.linspace(-4e-3, 4e-3, 17)[1:]])


def test_spectrum_equals_the_world(rig: Rig) -> None:
    volts = staircase()
    rig.prepare(volts)
    conductance, current = rig.measure()
    true_conductance, true_current = rig.truth(volts)
    density = rig.twin.world.current_noise_density(np.array([rig.clock.now()]))[0]
    # 12 dB/oct: equivalent noise bandwidth 1 / (8 tau); 16 bits of the 10 mV range
    noise = density * math.sqrt(1 / (8 * 1e-3)) * math.sqrt(2) / rig.modulation
    noise = math.hypot(noise, 1.09 * 10e-3 / 2**15 / math.sqrt(12) / rig.per_siemens)
    residual = conductance - true_conductance
    assert np.std(residual) == pytest.approx(noise, rel=0.25)
    assert abs(np.mean(residual)) < 4 * noise / math.sqrt(len(volts))
    assert np.max(np.abs(current - true_current)) < 1.5e-12
    assert rig.twin.violations() == []
    assert rig.twin.unknown_commands() == []


def test_transactions_of_a_spectrum(rig: Rig) -> None:
    rig.prepare(staircase())
    rig.measure()
    before = rig.twin.transactions()
    rig.measure()
    assert rig.twin.transactions() - before <= 5


def test_lag_after_a_step_follows_the_filter(rig: Rig) -> None:
    """Compare with two RC stages in a row, integrated in small steps."""
    rig.twin.world.preamplifier.noise = 1e-18
    tau, dwell = 10e-3, 5e-3
    volts = np.concatenate([np.full(20, 1e-3), np.full(30, 0.1e-3), np.full(4, 1e-3)])
    rig.prepare(volts, time_constant=tau, dwell=dwell)
    rig.lockin.start_buffer()
    rig.bias.start_list()
    start = rig.clock.now()
    rig.clock.sleep(rig.duration)
    conductance = rig.lockin.read_buffer(len(volts)).in_phase / rig.per_siemens

    pulses = start + dwell * np.arange(1, len(volts) + 1) - 2e-3
    samples = np.ceil(pulses * 512) / 512
    step = 10e-6
    times = np.arange(start, samples[-1] + step, step)
    bias, where = np.unique(np.round(rig.twin.world.bias(times), 8), return_inverse=True)
    stage = rig.truth(bias)[0][where]
    forget = math.exp(-step / tau)
    for _pole in range(2):
        stage = lfilter([1 - forget], [1, -forget], stage, zi=[forget * stage[0]])[0]
    expected = np.interp(samples, times, stage)
    assert np.max(np.abs(conductance - expected)) < 0.015 * np.ptp(expected)
    assert np.ptp(conductance[20:30]) > 0.8 * np.ptp(expected)


def test_buffered_equals_point_by_point(rig: Rig) -> None:
    rig.twin.world.preamplifier.noise = 1e-18
    volts = np.linspace(4e-3, 0.5e-3, 15)
    there_and_back = np.concatenate([volts, volts[-2::-1]])
    rig.prepare(there_and_back, time_constant=10e-3, dwell=0.2)
    buffered, _ = rig.measure()
    single = []
    for volt in volts:
        rig.bias.ramp_to(float(volt))
        rig.clock.sleep(0.2)
        single.append(rig.sr830.X() / rig.per_siemens)
    # shot noise of 100 pA in 1 / (8 tau) leaves 0.8 % of the conductance at 4 mV
    assert buffered[: len(volts)] == pytest.approx(np.array(single), abs=1e-9)
    assert buffered[len(volts) :] == pytest.approx(np.array(single)[-2::-1], abs=1e-9)


def test_same_seed_same_numbers(
    make_twin: Any, station_blocks: dict[str, Any], limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qcodes.instrument import Instrument

    found = []
    for seed in (3, 3, 4):
        with make_twin(seed=seed) as twin:
            monkeypatch.setenv("PYVISA_LIBRARY", twin.visa_library)
            rig = Rig(twin, station_blocks["instruments"], limits)
            rig.prepare(staircase(16))
            found.append(rig.measure()[0])
            Instrument.close_all()
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_bias_ramps_at_the_limit_and_is_read_back(rig: Rig) -> None:
    rig.bias.ramp_to(4e-3)
    assert rig.bias.voltage() == pytest.approx(4e-3, abs=1e-8)
    began = rig.clock.now()
    rig.bias.ramp_to(-6e-3)
    assert rig.clock.now() - began >= 10e-3 / 0.2
    wave = rig.twin.world.bias(np.linspace(began, rig.clock.now(), 1000))
    rate = np.abs(np.diff(wave)) / np.diff(np.linspace(began, rig.clock.now(), 1000))
    assert rate.max() <= 0.2 * 1.001


def test_list_obeys_the_slew_limit_inside_its_steps(rig: Rig) -> None:
    rig.prepare(staircase(32))
    rig.bias.start_list()
    began = rig.clock.now()
    rig.clock.sleep(rig.duration)
    times = np.linspace(began, rig.clock.now(), 20001)
    rate = np.abs(np.diff(rig.twin.world.bias(times))) / np.diff(times)
    assert rate.max() <= 0.2 * 1.001
    assert rate.max() > 0.1


REFUSED = {
    "bias": lambda rig: rig.bias.ramp_to(11e-3),
    "not a number": lambda rig: rig.bias.ramp_to(math.nan),
    "list range": lambda rig: rig.bias.prepare_list(np.linspace(4e-3, -11e-3, 256), DWELL),
    "list step": lambda rig: rig.bias.prepare_list(np.array([4e-3, 2e-3, 4e-3]), DWELL),
    "list slew": lambda rig: rig.bias.prepare_list(np.array([4e-3, 3.1e-3, 4e-3]), 4e-3),
    "list dwell": lambda rig: rig.bias.prepare_list(np.array([4e-3, 4e-3]), 1e-3),
    "time constant": lambda rig: rig.lockin.configure(797, 140e-6, 2e-3, 0, 1e-3),
    "modulation": lambda rig: rig.lockin.configure(797, 1e-3, 3e-3, 0, 1e-3),
    "no modulation": lambda rig: rig.lockin.configure(797, 1e-9, 3e-3, 0, 1e-3),
    "sensitivity": lambda rig: rig.lockin.configure(797, 140e-6, 3e-3, 0, 2.0),
    "frequency": lambda rig: rig.lockin.configure(1e6, 140e-6, 3e-3, 0, 1e-3),
    "samples": lambda rig: rig.lockin.read_buffer(20000),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_values_send_nothing(rig: Rig, what: str) -> None:
    before = rig.twin.transactions()
    with pytest.raises(OutOfRangeError):
        REFUSED[what](rig)
    assert rig.twin.transactions() == before


def test_list_is_not_started_from_elsewhere(rig: Rig) -> None:
    rig.prepare(staircase(16))
    rig.bias.ramp_to(1e-3)
    before = rig.twin.transactions()
    with pytest.raises(InstrumentError, match="ramp there first"):
        rig.bias.start_list()
    assert rig.twin.transactions() == before
    rig.bias.ramp_to(4e-3)
    conductance, _ = rig.measure()
    assert conductance[0] == pytest.approx(rig.truth(np.array([4e-3]))[0][0], rel=0.1)


def test_aborted_list_stays_and_can_be_repeated(rig: Rig) -> None:
    rig.prepare(staircase(64))
    rig.bias.start_list()
    rig.clock.sleep(0.3)
    rig.bias.abort_list()
    stopped = rig.bias.voltage()
    rig.clock.sleep(1.0)
    assert rig.bias.voltage() == stopped
    assert -3e-3 < stopped < 3e-3
    with pytest.raises(InstrumentError, match="ramp there first"):
        rig.bias.start_list()
    rig.bias.ramp_to(4e-3)
    assert len(rig.measure()[0]) == rig.points


def test_missing_triggers_are_an_error(rig: Rig) -> None:
    rig.prepare(staircase(16))
    rig.lockin.start_buffer()
    with pytest.raises(DeadlineError, match="0 samples"):
        rig.lockin.read_buffer(rig.points)


def test_surplus_triggers_are_counted(rig: Rig) -> None:
    rig.prepare(staircase(16))
    rig.lockin.start_buffer()
    rig.sr830.send_trigger()
    rig.clock.sleep(0.1)
    rig.bias.start_list()
    rig.clock.sleep(rig.duration)
    assert rig.lockin.stored_samples() == rig.points + 1


def test_overload_is_flagged(rig: Rig) -> None:
    rig.prepare(staircase(16))
    rig.sr830.sensitivity(2e-3)
    rig.lockin.start_buffer()
    rig.bias.start_list()
    rig.clock.sleep(rig.duration)
    assert "overload" in rig.lockin.read_buffer(rig.points).flags
    rig.sr830.sensitivity(10e-3)
    rig.measure()


def test_modulation_is_that_of_the_sine_output(rig: Rig) -> None:
    rig.prepare(staircase(16))
    assert rig.modulation == pytest.approx(140e-6, abs=1e-4 * 1e-3 * math.sqrt(2))
    assert rig.twin.world.modulation_peak == pytest.approx(rig.modulation)
    rig.lockin.modulation_off()
    assert rig.twin.world.modulation_peak == pytest.approx(0.004 * math.sqrt(2) * 1e-4)
