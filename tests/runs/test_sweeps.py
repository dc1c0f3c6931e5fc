"""Every kind of sweep and outer axis on the twin: what they measure, and that they harm nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import stm_daq
from drivers.lakeshore372 import Ls372Control
from drivers.nanonis import NanonisSpectroscopy, NanonisStm
from drivers.sr830 import Sr830LockIn
from sim.barrier import KAPPA_PER_ROOT_EV
from stm_daq import night
from stm_daq.errors import BadInputError, InstrumentError, OutOfRangeError
from stm_daq.night import NightResult
from stm_daq.rehearsal import Rehearsal
from stm_daq.store.reading import events

ROOT = Path(__file__).parents[2]
STATION = ROOT / "station.yaml"
CONTROLLER = ROOT / "docs/stations/controller.yaml"
GS200 = ROOT / "docs/stations/gs200.yaml"
EPOCH = 1.8e9

HEAD = """
plan: 1
name: sweeps
sample: twin
setpoint: {bias: "4 mV", current: "100 pA"}
sites: {line: {start: ["0 nm", "0 nm"], end: ["20 nm", "0 nm"], count: 2}}
"""
LOCK_IN = """
  modulation: {peak: "140 uV", frequency: "797 Hz"}
  lockin: {time_constant: "3 ms"}
"""
KAPPA = KAPPA_PER_ROOT_EV * 4.0**0.5
"""Decay constant of the twin's barrier of 4 eV, 1/m."""
INOX = ("sim.samples.tin.TinFilm", "sim.samples.microwave.InoxFilm")
BIAS = '  bias: {start: "4 mV", end: "-4 mV", points: 96, dwell: "10 ms"}\n'


@pytest.fixture
def rehearse_plan(tmp_path: Path) -> Callable[..., NightResult]:
    """Return a function that rehearses a plan with this sweep on a changed station."""

    def start(sweep: str, more: str = "", station: Path = STATION, changes=()) -> NightResult:
        plan = tmp_path / "plan.yaml"
        plan.write_text(f"{HEAD}sweep:\n{sweep}{LOCK_IN}{more}")
        text = station.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        place = tmp_path / station.name
        place.write_text(text)
        prepared = night.prepare_night(plan, place)
        return night.rehearse(prepared, tmp_path / "runs", Rehearsal(epoch=EPOCH, seed=3))

    return start


def opened(result: NightResult):
    """Open a run that went well."""
    assert (result.ended.state, result.ended.text, result.violations) == ("finished", "", ())
    return stm_daq.open_run(result.folder)


@pytest.mark.parametrize(("kind", "station"), [("points", GS200), ("controller", CONTROLLER)])
def test_other_sweeps_agree_with_a_list(rehearse_plan, kind: str, station: Path) -> None:
    played = opened(rehearse_plan(BIAS))
    stepped = opened(rehearse_plan(f"  kind: {kind}\n{BIAS}", station=station))
    assert not any(stepped.flags.values.ravel())
    for run in (played, stepped):
        assert run.fit_ok.all()
        assert np.abs(run.gap - run.true_gap).max() < 0.1 * run.true_gap.min()
    difference = (played.conductance - stepped.conductance).values
    assert np.sqrt(np.mean(difference**2)) < 0.1 * float(played.conductance.mean())
    current = (played.current - stepped.current).values
    assert np.sqrt(np.mean(current**2)) < 0.03 * float(abs(played.current).max())


def test_the_current_falls_with_the_height_as_the_work_function_wants(rehearse_plan) -> None:
    z = (
        "  kind: points\n  average: 2\n"
        '  z: {start: "0 nm", end: "0.12 nm", points: 13, dwell: "10 ms", back: true}\n'
    )
    run = opened(rehearse_plan(z))
    assert run.current.dims == ("y", "x", "direction", "z_swept")
    assert not any(run.flags.values.ravel())
    for quantity in (run.current, run.conductance):
        logarithm = np.log(quantity.mean("direction").values[0])
        for row in logarithm:
            slope = np.polyfit(run.z_swept.values, row, 1)[0]
            assert slope == pytest.approx(-2 * KAPPA, rel=0.03)
    assert np.isnan(run.gap).all()  # nothing is fitted


def test_an_offset_of_the_height_lasts_for_the_sweep_only(rehearse_plan) -> None:
    near = opened(rehearse_plan(BIAS))
    far = opened(rehearse_plan('  z_offset: "50 pm"\n' + BIAS))
    ratio = float(far.conductance.mean() / near.conductance.mean())
    assert ratio == pytest.approx(np.exp(-2 * KAPPA * 50e-12), rel=0.06)  # z is known to 2 pm
    assert np.abs(far.z - near.z).max() < 20e-12


@pytest.mark.parametrize("sweep", ['  z_offset: "1 nm"\n' + BIAS, "  kind: points\n" + BIAS])
def test_a_failing_sweep_leaves_everything_as_it_was(rehearse_plan, monkeypatch, sweep) -> None:
    """The first sweep breaks off in its middle; the second attempt is as good as ever."""
    broken, moved = [], []

    def fail_once(name):
        original = getattr(Sr830LockIn, name)

        def read(self, *points):
            broken.append(name)
            if len(broken) == 10 or (name == "read_buffer" and len(broken) == 1):
                raise InstrumentError("the cable is loose")
            return original(self, *points)

        monkeypatch.setattr(Sr830LockIn, name, read)

    def move(self, z, original=NanonisStm.move_z_to):
        moved.append(z)
        original(self, z)

    monkeypatch.setattr(NanonisStm, "move_z_to", move)
    fail_once("read_point" if "kind" in sweep else "read_buffer")
    run = opened(rehearse_plan(sweep))
    assert not np.isnan(run.conductance).any()
    assert len(moved) == (6 if "z_offset" in sweep else 0)
    np.testing.assert_allclose(np.array(moved[::2]) - moved[1::2], 1e-9)


def test_modulation_in_the_sweep_only(rehearse_plan, monkeypatch) -> None:
    switched = []
    for name in ("configure", "modulation_off"):
        original = getattr(Sr830LockIn, name)

        def note(self, *args, name=name, original=original, **kwargs):
            switched.append(name)
            return original(self, *args, **kwargs)

        monkeypatch.setattr(Sr830LockIn, name, note)
    only = LOCK_IN.replace('"797 Hz"', '"797 Hz", only_in_sweep: true')
    monkeypatch.setitem(globals(), "LOCK_IN", only)
    run = opened(rehearse_plan(BIAS))
    assert switched == ["configure", "modulation_off"] * 3 + ["modulation_off"]
    assert run.fit_ok.all()
    assert np.abs(run.gap - run.true_gap).max() < 0.1 * run.true_gap.min()


POWER = (
    '  kind: points\n  microwave_power: {start: "-60 dBm", end: "-30 dBm", points: 16,'
    ' dwell: "10 ms", bias: "0.3 mV", frequency: "2 GHz"}\n'
)


def test_microwave_power_up_and_down(rehearse_plan) -> None:
    run = opened(rehearse_plan(POWER, changes=[INOX]))
    assert run.conductance.dims == ("y", "x", "direction", "microwave_power")
    assert run.conductance.shape == (1, 2, 2, 16)
    assert not any(run.flags.values.ravel())
    up, down = run.conductance.values[0].mean(axis=0)
    np.testing.assert_allclose(up, down, atol=0.1 * up.max())
    assert up[-1] > 3 * abs(up[0])  # the gap closes
    assert run.microwave_power[-1] == -30.0


def test_microwaves_are_off_after_a_failure(rehearse_plan, monkeypatch) -> None:
    from drivers.sgs100a import Sgs100aSource

    states = []

    def point(self):
        raise InstrumentError("the cable is loose")

    def off(self, original=Sgs100aSource.off):
        states.append(self.is_on())
        original(self)

    monkeypatch.setattr(Sr830LockIn, "read_point", point)
    monkeypatch.setattr(Sgs100aSource, "off", off)
    result = rehearse_plan(POWER)
    assert result.violations == ()
    assert states == [False, *[True] * 4, False]  # at the start, after 2 x 2 attempts, parked


HEAT = (
    'axes:\n  - temperature: {values: ["0.5 K", "0.6 K"], tolerance: "5 mK", stable: "1 min",'
    ' deadline: "30 min"}\n'
)


def test_temperatures_are_reached(rehearse_plan, monkeypatch) -> None:
    off = []
    monkeypatch.setattr(
        Ls372Control,
        "heater_off",
        lambda self, original=Ls372Control.heater_off: off.append(original(self)),
    )
    run = opened(rehearse_plan(BIAS, HEAT))
    wanted = run.set_temperature.values[:, None, None]
    np.testing.assert_allclose(run.stage_temperature, np.broadcast_to(wanted, (2, 1, 2)), atol=5e-3)
    assert len(off) == 1


def test_a_temperature_that_is_not_reached_in_time_ends_the_run(rehearse_plan) -> None:
    result = rehearse_plan(BIAS, HEAT.replace('"0.6 K"', '"1.5 K"'))
    assert result.ended.state == "failed"
    assert "not stable at 1.5 K within 30 min" in result.ended.text
    assert result.violations == ()
    assert np.isfinite(stm_daq.open_run(result.folder).time[0]).all()


def test_frequency_and_parameters_are_axes(rehearse_plan) -> None:
    axes = (
        'axes:\n  - microwave_frequency: {values: ["1 GHz", "2 GHz"]}\n'
        "  - parameter: {name: sgs100a.power, unit: dBm, values: [-60, -50], tolerance: 0.1}\n"
    )
    result = rehearse_plan(BIAS, axes)
    assert opened(result).conductance.dims[:2] == ("microwave_frequency", "sgs100a_power")
    steps = [event.data["values"] for event in events(result.folder) if event.kind == "step"]
    assert steps[1] == {"microwave_frequency": 1e9, "sgs100a_power": -50.0}
    wild = axes.replace("-50]", "900]")
    assert "cannot be set to 900 dBm" in rehearse_plan(BIAS, wild).ended.text


@pytest.mark.parametrize(
    ("sweep", "more", "says"),
    [
        (
            "  kind: points\n" + BIAS,
            HEAT,
            "axes[0].temperature: needs the role 'temperature_control'",
        ),
        ("  kind: controller\n" + BIAS, "", "sweep.kind: needs the role 'spectroscopy'"),
        (
            "  kind: points\n" + BIAS,
            "axes:\n  - parameter: {name: magnet.field, unit: T, values: [0], tolerance: 0.1}\n",
            "has no instrument 'magnet'",
        ),
        ('  z_offset: "2 um"\n  kind: points\n' + BIAS, "", "the station's range of z is 500 nm"),
    ],
)
def test_what_the_station_cannot_do_is_refused_beforehand(rehearse_plan, sweep, more, says) -> None:
    with pytest.raises((BadInputError, OutOfRangeError), match=re.escape(says)):
        rehearse_plan(sweep, more, station=GS200)


def test_the_controller_is_stopped_and_the_feedback_closed(rehearse_plan, monkeypatch) -> None:
    calls = []

    def measure(self, original=NanonisSpectroscopy.measure):
        calls.append("measure")
        if len(calls) == 1:
            self._nanonis.call("ZCtrl.OnOffSet", 0)
            raise InstrumentError("the controller does not answer")
        return original(self)

    monkeypatch.setattr(NanonisSpectroscopy, "measure", measure)
    run = opened(rehearse_plan("  kind: controller\n" + BIAS, station=CONTROLLER))
    assert len(calls) == 3
    assert not np.isnan(run.conductance).any()


def test_the_controller_must_own_the_bias_that_it_sweeps(rehearse_plan) -> None:
    own = [
        (
            "instrument: nanonis\n    adapter: drivers.generic_bias.GenericBias\n    parameter: bias",
            "instrument: preamp\n    adapter: drivers.generic_bias.GenericBias\n    parameter: bias",
        )
    ]
    with pytest.raises(BadInputError, match="the bias comes from preamp, not from nanonis"):
        rehearse_plan("  kind: controller\n" + BIAS, station=CONTROLLER, changes=own)
