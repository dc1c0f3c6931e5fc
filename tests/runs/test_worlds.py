"""A tiny night on every world, with the bias range and the model that suit it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stm_daq
from stm_daq import night
from stm_daq.errors import BadInputError
from stm_daq.rehearsal import Rehearsal

ROOT = Path(__file__).parents[2]
EPOCH = 1.8e9
TIP = 'tip: {drift_z: "2 pm/min", retracted: "2 nm"}'

WORLDS = {  # sample: (end of the sweep in mV, mean gap in meV, its relative tolerance)
    "{type: sim.samples.tin.TinFilm25}": (3, 0.42, 0.25),
    '{type: sim.samples.nbn_ald.NbnFilm, thickness: "25 nm"}': (8, 2.11, 0.05),
    '{type: sim.samples.nbn_ald.NbnFilm, thickness: "5 nm"}': (8, 2.02, 0.05),
    '{type: sim.samples.nbn_ald.NbnFilm, thickness: "4 nm"}': (8, 1.60, 0.05),
    "{type: sim.samples.nbn_altshuler_aronov.NbnFilm}": (9, 1.2, 0.1),
    "{type: sim.samples.inox.InoxFilm, film: 2}": (4, 0.5, 0.5),
    "{type: sim.samples.inox.InoxFilm, film: 4}": (4, 0.486, 0.01),
    "{type: sim.samples.microwave.InoxFilm}": (4, 0.532, 0.01),
    '{type: sim.samples.microwave.NbnFilm, distance: "50 nm"}': (8, 1.52, 0.01),
}


def write(folder, sample, sweep=4, tip=TIP, preamplifier=None):
    """Write station and plan: 2 x 2 spectra."""
    station = (ROOT / "station.yaml").read_text()
    for old, new in (
        ("{type: sim.samples.tin.TinFilm}", sample),
        (TIP, tip),
        ('noise: "4.3e-15 A/Hz**0.5"}', preamplifier or 'noise: "4.3e-15 A/Hz**0.5"}'),
    ):
        assert old in station
        station = station.replace(old, new)
    plan = (ROOT / "plans/self_test.yaml").read_text()
    for old, new in (
        ("every: 4", "every: 8"),
        ('bias: "4 mV"', f'bias: "{sweep} mV"'),
        ('start: "4 mV", end: "-4 mV"', f'start: "{sweep} mV", end: "-{sweep} mV"'),
    ):
        assert old in plan
        plan = plan.replace(old, new)
    (folder / "station.yaml").write_text(station)
    (folder / "plan.yaml").write_text(plan)
    return folder / "plan.yaml", folder / "station.yaml"


def rehearse(folder, *arguments, **options):
    plan, station = write(folder, *arguments, **options)
    prepared = night.prepare_night(plan, station)
    return night.rehearse(prepared, folder / "runs", Rehearsal(epoch=EPOCH))


@pytest.mark.parametrize("sample", WORLDS)
def test_every_world_can_be_rehearsed_on(tmp_path, sample):
    """BTK, which every plan can be fitted with, finds the gap of all tunnel junctions."""
    sweep, gap, tolerance = WORLDS[sample]
    result = rehearse(tmp_path, sample, sweep)
    assert (result.ended.state, result.violations) == ("finished", ())
    run = stm_daq.open_run(result.folder)
    assert np.isfinite(run.conductance).all()
    assert run.true_gap.mean() * 1e3 == pytest.approx(gap, rel=tolerance)
    if "true_exponent" not in run:
        assert run.gap.values == pytest.approx(run.true_gap.values, rel=0.1)
        return
    far = np.abs(run.bias.values) > 5e-3
    spectrum = run.conductance.mean(("x", "y")).values[far]
    power, _ = np.polyfit(np.log(np.abs(run.bias.values[far])), np.log(spectrum), 1)
    assert power == pytest.approx(float(run.true_exponent.mean()), abs=0.03)


def test_a_night_with_everything_that_can_befall_the_tip(tmp_path):
    tip = (
        'tip: {drift_z: "2 pm/min", retracted: "2 nm", drift_x: "1 pm/s",\n'
        '        thermal: {x: "1 nm", z: "0.5 nm", relaxation: "10 min"},\n'
        "        creep: {lateral: 0.01, vertical: 0.01},\n"
        '        gains: {proportional: "5 pm", integral: "20 nm/s"},\n'
        '        changes: {interval: "1 hour", times: ["20 s"], step: "10 pm"},\n'
        '        flake: {gap: "0.8 meV", broadening: "30 ueV"}}'
    )
    noise = (
        'noise: "4.3e-15 A/Hz**0.5", flicker: "1e-14 A/Hz**0.5", hum: "50 fA",\n'
        '                 hum_harmonics: [0.2, 0.3], mains: "50 Hz"}'
    )
    sample = "{type: sim.samples.tin.TinFilm}"
    runs = []
    for name in ("first", "again"):
        folder = tmp_path / name
        folder.mkdir()
        result = rehearse(folder, sample, tip=tip, preamplifier=noise)
        assert (result.ended.state, result.violations) == ("finished", ())
        runs.append(stm_daq.open_run(result.folder))
    first, again = runs
    assert np.array_equal(first.conductance, again.conductance)
    assert set(np.unique(first.true_tip_gap)) == {0.0008}  # the flake came before the first site
    assert np.all(np.diff(first.true_drift_x.values.ravel()) > 0)
    assert np.any(first.true_creep_x != 0)


@pytest.mark.parametrize(
    ("sample", "tip", "complaint"),
    [
        ('{type: sim.samples.nbn_ald.NbnFilm, thickness: "7 nm"}', TIP, "no film of 7 nm"),
        (
            "{type: sim.samples.tin.TinFilm}",
            "tip: {creep: 3}",
            "must be a block with some of lateral, vertical",
        ),
        ("{type: sim.samples.tin.TinFilm}", "tip: {creep: {x: 3}}", "there is lateral, vertical"),
        (
            "{type: sim.samples.tin.TinFilm}",
            'tip: {changes: {times: ["3 V"]}}',
            r"\[time\]|second|time",
        ),
        (
            "{type: sim.samples.nbn_altshuler_aronov.NbnFilm}",
            'tip: {flake: {gap: "1 meV"}}',
            "what a superconducting tip would see",
        ),
    ],
)
def test_what_cannot_be_simulated_is_refused_by_name(tmp_path, sample, tip, complaint):
    with pytest.raises(BadInputError, match=complaint):
        rehearse(tmp_path, sample, tip=tip)
