"""The controller's own bias spectroscopy, drift compensation and heights through the driver."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.nanonis import NanonisController, NanonisSpectroscopy, NanonisStm
from sim.devices.nanonis import Nanonis
from sim.samples.uniform import Uniform
from sim.tip import Tip
from sim.waveform import Waveform
from stm_daq.errors import FeedbackError, InstrumentError, OutOfRangeError
from stm_daq.physics import btk
from stm_daq.protocols import nanonis as protocol
from stm_daq.records import Frame
from stm_daq.station.controller_sweep import SweepOrder, SweepSegment
from stm_daq.station.streams import streams_from

PEAK, FREQUENCY = 50e-6, 87.3


@pytest.fixture
def rig(make_world, limits):
    """Build (world, device, instrument, spectroscopy, stm) with the bias from the controller."""
    opened = []

    def make(tip=None, sample=None, **options):
        world = make_world(sample=sample, tip=tip, bias=Waveform(0.0))
        device = Nanonis(world, **options)
        context = streams_from(lambda host, port, timeout: device.connect())
        context.__enter__()
        instrument = NanonisController("nanonis", "127.0.0.1")
        opened.append((instrument, context))
        call = instrument.call
        call("ZCtrl.OnOffSet", 0)
        call("Bias.Set", 4e-3)
        call("ZCtrl.OnOffSet", 1)
        call("LockIn.ModAmpSet", 1, PEAK)
        call("LockIn.ModPhasFreqSet", 1, FREQUENCY)
        call("LockIn.DemodLPFilterSet", 1, 2, 50.0)
        call("LockIn.ModOnOffSet", 1, 1)
        world.tip.violations.clear()
        stm = NanonisStm(instrument, limits, world.clock)
        return world, device, instrument, NanonisSpectroscopy(instrument, limits, world.clock), stm

    yield make
    for instrument, context in reversed(opened):
        instrument.close()
        context.__exit__(None, None, None)


def plain(**changes):
    values = {
        "segments": (SweepSegment(-2e-3, 2e-3, 41),),
        "settling": 0.05,
        "integration": 0.05,
        "initial_settling": 0.1,
    }
    return SweepOrder(**(values | changes))


def test_a_spectrum_is_that_of_the_sample(rig):
    world, device, _, spectroscopy, _ = rig(
        sample=Uniform(gap=0.6e-3, temperature=0.5, barrier=2.0)
    )
    spectroscopy.configure(plain(z_average=0.2))
    start = world.clock.now()
    spectrum = spectroscopy.measure()
    assert world.clock.now() - start < spectroscopy.duration() + 0.1
    np.testing.assert_allclose(spectrum.bias, np.linspace(-2e-3, 2e-3, 41), atol=1e-9)
    assert spectrum.modulation == pytest.approx(PEAK)
    truth = btk.conductance(spectrum.bias, 0.6e-3, 0.5, 2.0, modulation=PEAK)
    transfer = (world.preamplifier.response(FREQUENCY) / world.preamplifier.gain).real
    scale = np.sum(spectrum.conductance * truth) / np.sum(truth**2) / transfer
    assert scale == pytest.approx(world.truth()["scale"], rel=0.01)
    residual = spectrum.conductance / transfer / scale - truth
    assert np.abs(residual).max() < 0.05
    slope = np.gradient(spectrum.current, spectrum.bias)[np.abs(spectrum.bias) > 1.5e-3]
    assert slope.mean() / scale == pytest.approx(1.0, rel=0.1)
    assert world.violations == []
    assert device.failures == []


def test_there_and_back_is_in_the_order_of_measurement(rig):
    _, _, _, spectroscopy, _ = rig()
    spectroscopy.configure(plain(backward=True, averages=2))
    spectrum = spectroscopy.measure()
    np.testing.assert_allclose(spectrum.bias[41:], spectrum.bias[:41][::-1])
    assert np.polyfit(spectrum.bias[41:], spectrum.current[41:], 1)[0] > 0
    assert spectrum.conductance.shape == (82,)


def test_the_lock_in_lags_behind_a_bias_that_is_swept_too_fast(rig):
    _, _, nanonis, spectroscopy, _ = rig()
    spectra = []
    for cutoff in (50.0, 5.0):
        nanonis.call("LockIn.DemodLPFilterSet", 1, 2, cutoff)
        spectroscopy.configure(plain(settling=0.0, integration=0.02, initial_settling=1.0))
        spectra.append(spectroscopy.measure())
    # two poles of 1 / (2 pi 5 Hz) each lag by 64 ms: at 0.1 mV every 20 ms by 0.32 mV
    shifts = np.arange(0.0, 0.6e-3, 20e-6)
    bias, (quick, slow) = spectra[0].bias, [s.conductance for s in spectra]
    misfits = [np.std(np.interp(bias - shift, bias, quick) - slow) for shift in shifts]
    assert shifts[np.argmin(misfits)] == pytest.approx(0.32e-3, abs=0.08e-3)


def test_segments(rig):
    _, _, _, spectroscopy, _ = rig()
    segments = (SweepSegment(-2e-3, 0.0, 5), SweepSegment(0.0, 1e-3, 21))
    spectroscopy.configure(plain(segments=segments))
    spectrum = spectroscopy.measure()
    expected = [*np.linspace(-2e-3, 0, 5), *np.linspace(0, 1e-3, 21)]
    np.testing.assert_allclose(spectrum.bias, expected, atol=1e-9)
    spectroscopy.configure(plain())
    assert len(spectroscopy.measure().bias) == 41


def test_modulation_only_in_the_sweep(rig):
    world, _, nanonis, spectroscopy, _ = rig()
    nanonis.call("LockIn.ModOnOffSet", 1, 0)
    spectroscopy.configure(plain(modulation_only_in_sweep=True))
    assert spectroscopy.measure().conductance.mean() > 1e-9
    assert world.modulation_peak == 0.0
    spectroscopy.configure(plain())
    assert spectroscopy.measure().modulation == 0.0


@pytest.mark.parametrize("vendor_layout", [True, False])
def test_both_layouts_of_the_properties(rig, vendor_layout):
    _, _, nanonis, spectroscopy, _ = rig(vendor_layout=vendor_layout)
    spectroscopy.configure(plain(averages=3))
    found = nanonis.call("BiasSpectr.PropsGet")
    assert found[:4] == (0, 3, 0, 41)
    assert len(found) == (7 if vendor_layout else 8)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"segments": (SweepSegment(-20e-3, 2e-3, 401),)}, "bias of the sweep"),
        ({"segments": (SweepSegment(-2e-3, 2e-3, 3),)}, "steps"),
        ({"segments": (SweepSegment(-2e-3, 2e-3, 1),)}, "two points"),
        ({"segments": ()}, "1 to 16"),
        ({"z_offset": 1e-6}, "offset of z"),
    ],
)
def test_what_the_station_does_not_allow_is_refused_before_anything_is_sent(rig, changes, text):
    _, device, _, spectroscopy, _ = rig()
    before = device.transactions
    with pytest.raises(OutOfRangeError, match=text):
        spectroscopy.configure(plain(**changes))
    assert device.transactions == before


def test_no_spectrum_without_configuration_or_feedback(rig):
    _, _, _, spectroscopy, stm = rig()
    with pytest.raises(InstrumentError, match="not configured"):
        spectroscopy.measure()
    spectroscopy.configure(plain())
    stm.hold()
    with pytest.raises(FeedbackError, match="feedback is off"):
        spectroscopy.measure()


def test_an_offset_of_z_lowers_the_current_in_the_sweep(rig):
    world, _, _, spectroscopy, _ = rig()
    currents = []
    for offset in (0.0, 50e-12):
        spectroscopy.configure(plain(z_offset=offset, z_average=0.2))
        currents.append(spectroscopy.measure().current)
    ratio = currents[1][-1] / currents[0][-1]
    assert ratio == pytest.approx(np.exp(-2 * world.tip.barrier.kappa * 50e-12), rel=0.05)
    assert world.tip.feedback_on


def test_stopping_restores_bias_and_feedback(rig):
    world, _, nanonis, spectroscopy, _ = rig()
    spectroscopy.configure(plain())
    nanonis.call("BiasSpectr.Start", 0, "")
    world.clock.sleep(1.0)
    assert nanonis.call("BiasSpectr.StatusGet") == (1,)
    assert not world.tip.feedback_on
    spectroscopy.stop()
    world.clock.sleep(1.0)
    assert world.tip.feedback_on
    assert nanonis.bias() == pytest.approx(4e-3)
    assert world.violations == []


@pytest.mark.parametrize("by", ["order", "safe tip"])
def test_a_withdrawal_in_the_middle_of_a_spectrum_is_final(rig, by):
    world, _, nanonis, spectroscopy, stm = rig()
    spectroscopy.configure(plain())
    nanonis.call("BiasSpectr.Start", 0, "")
    world.clock.sleep(1.0)
    if by == "order":
        stm.withdraw()
    else:
        nanonis.call("SafeTip.PropsSet", 0, 1, 1e-12)
        nanonis.call("SafeTip.OnOffSet", 1)
    world.clock.sleep(30.0)
    assert nanonis.call("BiasSpectr.StatusGet") == (0,)
    assert not stm.feedback_on()
    assert world.tip.z(world.clock.now()) == pytest.approx(250e-9)
    assert nanonis.bias() == pytest.approx(4e-3)
    assert world.violations == []


def test_nothing_moves_the_tip_sideways_during_a_spectrum(rig):
    world, _, nanonis, spectroscopy, stm = rig()
    spectroscopy.configure(plain())
    nanonis.call("BiasSpectr.Start", 0, "")
    for name, arguments in (
        ("FolMe.XYPosSet", (1e-9, 0.0, 1)),
        ("Scan.Action", (0, 1)),
        ("BiasSpectr.Start", (0, "")),
    ):
        with pytest.raises(InstrumentError, match="experiment is running"):
            nanonis.call(name, *arguments)
    spectroscopy.stop()
    world.clock.sleep(1.0)
    stm.move_to(1e-9, 0.0)
    nanonis.call("Scan.Action", 0, 1)
    with pytest.raises(InstrumentError, match="scan"):
        nanonis.call("BiasSpectr.Start", 0, "")
    assert world.violations == []


def test_the_height_is_offset_only_while_held_and_within_limits(rig):
    world, _, nanonis, _, stm = rig()
    with pytest.raises(FeedbackError, match="held"):
        stm.offset_z(1e-9)
    stm.hold()
    z = world.tip.z(world.clock.now())
    stm.offset_z(1e-9)
    assert world.tip.z(world.clock.now()) == pytest.approx(z + 1e-9, abs=20e-12)
    nanonis.call("ZCtrl.LimitsSet", 5e-9, -5e-9)
    nanonis.call("ZCtrl.LimitsEnabledSet", 1)
    assert stm.z_range() == pytest.approx((-5e-9, 5e-9))
    with pytest.raises(OutOfRangeError, match="tip height"):
        stm.offset_z(20e-9)


def test_drift_is_compensated(rig):
    drift = 20e-12
    world, _, _, _, stm = rig(tip=Tip(drift_z=drift, drift_x=5e-12))
    assert not stm.drift_compensation().on
    stm.set_drift_compensation((5e-12, 0.0, drift))
    assert stm.drift_compensation().velocity == pytest.approx((5e-12, 0.0, drift))
    stm.hold()
    distances, places = [], []
    for _ in range(2):
        now = world.clock.now()
        distances.append(float(world.tip.distance(np.array([now]))[0]))
        places.append(world.tip.surface_place(0.0, 0.0, now))
        world.clock.sleep(100.0)
    assert distances[1] == pytest.approx(distances[0], abs=1e-13)
    assert places[1] == pytest.approx(places[0], abs=1e-15)
    stm.set_drift_compensation((0.0, 0.0, 0.0))
    assert not stm.drift_compensation().on
    world.clock.sleep(10.0)
    fallen = distances[0] - float(world.tip.distance(np.array([world.clock.now()]))[0])
    assert fallen == pytest.approx(10 * drift, rel=0.05)


def test_the_safe_tip_tells_that_it_tripped(rig):
    world, _, nanonis, _, stm = rig()
    assert not stm.safe_tip_tripped()
    nanonis.call("SafeTip.PropsSet", 0, 1, 50e-12)
    nanonis.call("SafeTip.OnOffSet", 1)
    world.clock.sleep(1.0)
    assert stm.safe_tip_tripped()
    assert not stm.feedback_on()


def test_a_scan_is_aborted_in_the_middle_of_a_row(rig):
    world, _, nanonis, _, stm = rig()
    stm.prepare_scan(Frame(0, 0, 50e-9, 50e-9), 16, 4, 1.0)
    nanonis.call("Scan.Action", 0, 1)
    world.clock.sleep(3.3)
    stm.stop_scan()
    assert not nanonis.scan_running()
    assert stm.feedback_on()
    done = np.isfinite(stm.scan_data()).all(axis=1)
    assert list(done) == [True, False, False, False]


def test_the_table_is_complete_for_the_modules_that_the_station_uses():
    modules = {name.split(".")[0] for name in protocol.COMMANDS}
    assert modules == {
        "Bias", "BiasSpectr", "Current", "FolMe", "LockIn", "Pattern", "Piezo", "SafeTip", "Scan",
        "Signals", "UserOut", "Util", "ZCtrl",
    }  # fmt: skip
