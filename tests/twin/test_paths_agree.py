"""The same spectrum through every path: other instruments, other drivers, buffered or point by point."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qcodes.instrument_drivers.stanford_research import SR830, SR860
from qcodes.instrument_drivers.yokogawa import YokogawaGS200
from qcodes_contrib_drivers.drivers.QDevil.QDAC2 import QDac2
from scipy.special import gammainc

from drivers.dlpca200 import Dlpca200, Dlpca200Preamplifier
from drivers.generic_bias import GenericBias
from drivers.gs200 import Gs200Bias
from drivers.mfli import Mfli, MfliLockIn
from drivers.qdac2 import Qdac2Bias
from drivers.sr830 import Sr830LockIn
from drivers.sr860 import Sr860LockIn
from sim.twin import Twin
from stm_daq.records import Array
from stm_daq.sequencer.sweep import integrated_current
from stm_daq.station.limits import Limits
from stm_daq.station.sessions import sessions_from

FREQUENCY, MODULATION, TAU = 797.0, 140e-6, 10e-3
SETTLE = 0.15
"""Fifteen time constants: two poles have settled to 5e-6."""
VOLTS = np.linspace(4e-3, 0.2e-3, 39)
DEVICES = {
    "qdac": {"type": "sim.devices.qdac2.Qdac2", "address": "TCPIP0::10.0.0.1::5025::SOCKET"},
    "gs200": {"type": "sim.devices.gs200.Gs200", "address": "USB0::0xB21::0x39::1::INSTR"},
    "sr830": {"type": "sim.devices.sr830.Sr830", "address": "GPIB0::8::INSTR"},
    "sr860": {"type": "sim.devices.sr860.Sr860", "address": "TCPIP0::10.0.0.3::inst0::INSTR"},
    "mfli": {"type": "sim.devices.mfli.Mfli", "address": "10.0.0.4"},
}
LOCKINS: dict[str, Callable[..., Any]] = {
    "sr830": lambda limits, clock, slope: Sr830LockIn(
        SR830("sr830", DEVICES["sr830"]["address"]), limits, clock, 1e-4, 3, slope
    ),
    "sr860": lambda limits, clock, slope: Sr860LockIn(
        SR860("sr860", DEVICES["sr860"]["address"]), limits, clock, 1e-4, 3, slope
    ),
    "mfli": lambda limits, clock, slope: MfliLockIn(
        Mfli("mfli", DEVICES["mfli"]["address"], "dev1234"), limits, clock, 1e-4, 1, slope
    ),
}
SOURCES: dict[str, Callable[..., Any]] = {
    "qdac": lambda limits, clock: Qdac2Bias(
        QDac2("qdac", DEVICES["qdac"]["address"]), limits, clock, 1, 0.01, 1
    ),
    "gs200": lambda limits, clock: Gs200Bias(
        YokogawaGS200("gs200", DEVICES["gs200"]["address"]), limits, clock, 0.01
    ),
    "generic": lambda limits, clock: GenericBias(
        YokogawaGS200("gs200", DEVICES["gs200"]["address"]), limits, clock, "voltage", 0.01
    ),
}


AFTER_THE_SAMPLE = {"sr830": 3e-3, "sr860": 0.5e-3, "mfli": 2e-3}
"""So long does a reading of a point go on after its sample was made (asking for overloads), s."""


class Bench:
    """One source and one lock-in on a twin of their own."""

    def __init__(
        self,
        twin: Twin,
        limits: Limits,
        source: str,
        lockin: str,
        tau: float = TAU,
        slope: int = 12,
    ) -> None:
        self.twin, self.clock = twin, twin.clock
        self.bias = SOURCES[source](limits, twin.clock)
        with sessions_from(twin.open_session):
            self.lockin = LOCKINS[lockin](limits, twin.clock, slope)
        self.preamplifier = Dlpca200Preamplifier(Dlpca200("preamp"), limits, twin.clock)
        self.bias.ramp_to(4e-3)
        self.clock.sleep(0.1)
        twin.world.tip.hold()
        response = self.preamplifier.response(FREQUENCY)
        phase = math.degrees(cmath.phase(response))
        modulation = self.lockin.configure(FREQUENCY, MODULATION, tau, phase, 10e-3)
        self.per_siemens = modulation * abs(response) / math.sqrt(2)

    def buffered(self) -> tuple[Array, Array]:
        """Return conductance (S) and current (A) of one list there and back."""
        volts = np.concatenate([VOLTS, VOLTS[-2::-1]])
        self.lockin.prepare_buffer()
        self.bias.prepare_list(volts, SETTLE)
        self.lockin.start_buffer()
        self.bias.start_list()
        self.clock.sleep(len(volts) * SETTLE)
        trace = self.lockin.read_buffer(len(volts))
        assert trace.flags == ()
        conductance = trace.in_phase / self.per_siemens
        current = trace.auxiliary / self.preamplifier.gain()
        if not self.lockin.auxiliary_recorded:
            assert np.isnan(current[:-1]).all()
            current = integrated_current(volts, conductance, float(current[-1]))
        return conductance[: len(VOLTS)], current[: len(VOLTS)]

    def pointwise(self) -> tuple[Array, Array]:
        """Return the same, set and read point by point."""
        points = []
        self.lockin.read_point()  # forgets what was overloaded on the way here
        for volts in VOLTS:
            self.bias.ramp_to(float(volts))
            self.clock.sleep(SETTLE)
            points.append(self.lockin.read_point())
            assert points[-1].flags == ()
        x = np.concatenate([point.in_phase for point in points])
        dc = np.concatenate([point.auxiliary for point in points])
        return x / self.per_siemens, dc / self.preamplifier.gain()

    def pymeasure(self) -> tuple[Array, Array]:
        """Return the same with the driver of PyMeasure instead of ours."""
        from pymeasure.instruments import srs

        theirs = srs.SR830(DEVICES["sr830"]["address"], visa_library=self.twin.visa_library)
        x, dc = [], []
        for volts in VOLTS:
            self.bias.ramp_to(float(volts))
            self.clock.sleep(SETTLE)
            x.append(theirs.x)
            dc.append(theirs.aux_in_3)
        theirs.adapter.close()
        return np.array(x) / self.per_siemens, np.array(dc) / self.preamplifier.gain()


PATHS = {
    "SR830 buffered": ("qdac", "sr830", Bench.buffered),
    "SR830 point by point": ("qdac", "sr830", Bench.pointwise),
    "SR830 by PyMeasure": ("qdac", "sr830", Bench.pymeasure),
    "SR860 capture": ("qdac", "sr860", Bench.buffered),
    "SR860 point by point": ("qdac", "sr860", Bench.pointwise),
    "MFLI buffered": ("qdac", "mfli", Bench.buffered),
    "MFLI point by point": ("qdac", "mfli", Bench.pointwise),
    "GS200 point by point": ("gs200", "sr830", Bench.pointwise),
    "any parameter point by point": ("generic", "sr830", Bench.pointwise),
}


@pytest.fixture
def make_bench(enter_twin: Callable[..., Twin], limits: Limits) -> Callable[..., Bench]:
    """Return a maker of benches, each on a twin with its two devices."""

    def make(source: str, lockin: str, **settings: Any) -> Bench:
        names = ("gs200" if source == "generic" else source, lockin)
        twin = enter_twin({name: DEVICES[name] for name in names})
        return Bench(twin, limits, source, lockin, **settings)

    return make


@pytest.mark.parametrize("path", PATHS)
def test_every_path_measures_what_is_there(make_bench: Callable[..., Bench], path: str) -> None:
    """Compare with the world itself; the tolerance is what noise and digitising leave."""
    source, lockin, measure = PATHS[path]
    bench = make_bench(source, lockin)
    conductance, current = measure(bench)
    world, now = bench.twin.world, np.array([bench.clock.now()])
    junction = world.tip.junction(world.tip.contact_at(now[0]))
    scale = float(world.tip.scale(now)[0])
    true_current = scale * junction.current(VOLTS, world.modulation_peak)
    true_conductance = scale * junction.conductance(VOLTS, world.modulation_peak)
    density = world.current_noise_density(now, np.array([np.max(true_current)]))[0]
    noise = density / math.sqrt(8 * TAU) * math.sqrt(2) / world.modulation_peak
    step = 1.09 * 10e-3 / 2**15 / bench.per_siemens
    noise = math.hypot(noise, step / math.sqrt(12))
    residual = (conductance - true_conductance) / noise
    assert np.mean(residual**2) < 1.6
    assert np.mean(residual**2) > 0.3
    assert abs(np.mean(residual)) < 4 / math.sqrt(len(VOLTS))
    # dc: the noise of the preamplifier's whole bandwidth; integrated: that of dI/dV, added up
    dc_noise = density * math.sqrt(math.pi / 2 * 1.1e3)
    if path == "SR860 capture":
        spread = noise * abs(VOLTS[1] - VOLTS[0]) * math.sqrt(2 * len(VOLTS))
        assert np.max(np.abs(current - true_current)) < 4 * math.hypot(spread, dc_noise)
    else:
        assert np.std(current - true_current) == pytest.approx(dc_noise, rel=0.5)
    assert bench.twin.violations() == []
    assert bench.twin.unknown_commands() == []


@pytest.mark.parametrize("lockin", LOCKINS)
@pytest.mark.parametrize("poles", [1, 2, 4])
def test_lag_after_a_bias_step_follows_the_poles(
    make_bench: Callable[..., Bench], lockin: str, poles: int
) -> None:
    """Compare with P(n, t/T), the step response of n equal poles, point by point after a step."""
    bench = make_bench("gs200", lockin, tau=0.1, slope=6 * poles)
    bench.twin.world.preamplifier.noise = 1e-18
    read = bench.lockin.read_point
    bench.bias.ramp_to(0.9e-3)
    bench.clock.sleep(4.0)
    before = float(read().in_phase[0])
    bench.bias.ramp_to(0.1e-3)
    times, x = [], []
    for _ in range(40):
        x.append(float(read().in_phase[0]))
        times.append(bench.clock.now() - AFTER_THE_SAMPLE[lockin])
        bench.clock.sleep(20e-3)
    bench.clock.sleep(4.0)
    after = float(read().in_phase[0])
    past = np.arange(times[0] - 0.2, times[0], 1e-5)
    stepped = past[np.argmax(bench.twin.world.bias(past) < 0.5e-3)]
    expected = before + (after - before) * gammainc(poles, (np.array(times) - stepped) / 0.1)
    assert np.max(np.abs(np.array(x) - expected)) < 0.02 * abs(after - before)
