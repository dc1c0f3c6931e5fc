"""What a night does by itself: guards, repeated sites, tip changes, drift, and what people ask of it."""

import re
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import stm_daq
from stm_daq import night
from stm_daq.records import Event, Spectrum
from stm_daq.rehearsal import Rehearsal
from stm_daq.sequencer.control import Control
from stm_daq.sequencer.site import SiteMeasurement
from stm_daq.station.roles import TemperatureReading
from stm_daq.store.reading import events

STATION = Path(__file__).parents[2] / "station.yaml"
EPOCH = 1.8e9


@pytest.fixture
def rehearse_with(tmp_path, plan):
    """Return a function that rehearses the small plan with more blocks, on a changed station."""

    def start(blocks="", *observers, station=(), changes=()):
        text = plan.read_text() + blocks
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        plan.write_text(text)
        place = tmp_path / "station.yaml"
        written = STATION.read_text()
        for old, new in station:
            assert old in written
            written = written.replace(old, new)
        place.write_text(written)
        prepared = night.prepare_night(plan, place).watched_by(observers)
        return night.rehearse(prepared, tmp_path / "runs", Rehearsal(epoch=EPOCH, seed=3))

    return start


def kinds(result, kind):
    return [event for event in events(result.folder) if event.kind == kind]


def heat(monkeypatch, reading):
    """Let the stage thermometer read what `reading` makes of the true reading and the time."""
    from drivers.lakeshore372 import Ls372Thermometer

    original = Ls372Thermometer.read
    monkeypatch.setattr(Ls372Thermometer, "read", lambda self: reading(original(self)))


def warm_between(begin, end):
    def read(true: TemperatureReading) -> TemperatureReading:
        warm = begin <= true.time - EPOCH < end
        return replace(true, kelvin=2.0) if warm else true

    return read


PAUSE = '\nguards:\n  - {temperature: {max: "0.7 K"}, action: pause, good_for: "2 min"}\n'


def test_a_pause_lasts_until_the_level_was_good_for_a_time(rehearse_with, monkeypatch):
    heat(monkeypatch, warm_between(40.0, 400.0))
    seen = []
    result = rehearse_with(PAUSE, seen.append)
    assert result.ended.state == "finished"
    bad, good = kinds(result, "guard")
    assert not bad.data["good"]
    assert good.data["good"]
    # readings are half a minute apart
    assert 400.0 + 120.0 <= good.time - EPOCH <= 400.0 + 120.0 + 60.0
    spectra = [r for r in seen if isinstance(r, Spectrum)]
    assert len(spectra) == 16
    assert not [s for s in spectra if bad.time < s.time < good.time]
    assert result.violations == ()


def test_a_level_that_is_bad_from_the_start_is_noticed(rehearse_with, monkeypatch):
    heat(monkeypatch, warm_between(-1e9, 200.0))
    result = rehearse_with(PAUSE)
    assert len(kinds(result, "guard")) == 2
    assert stm_daq.open_run(result.folder).time.min() > EPOCH + 200.0


def test_a_stale_thermometer_is_bad_and_a_pause_has_a_deadline(rehearse_with, monkeypatch):
    heat(monkeypatch, lambda true: replace(true, fresh=False))
    result = rehearse_with(PAUSE.replace('"2 min"', '"2 min", deadline: "10 min"'))
    assert result.ended.state == "stopped"
    assert "not good again within 10 min" in result.ended.text
    assert "no fresh value" in kinds(result, "guard")[0].text
    assert np.isnan(stm_daq.open_run(result.folder).time).all()


@pytest.mark.parametrize(
    ("action", "state", "says"),
    [("stop", "stopped", "guard: z is bad"), ("withdraw", "stopped", "the tip was withdrawn")],
)
def test_a_guard_may_end_the_run(rehearse_with, action, state, says):
    result = rehearse_with(f'\nguards:\n  - {{z: {{max: "-200 nm"}}, action: {action}}}\n')
    assert result.ended.state == state
    assert says in result.ended.text
    assert result.violations == ()


def test_a_guard_may_skip_sites(rehearse_with):
    result = rehearse_with('\nguards:\n  - {current: {max: "1 pA"}, action: skip}\n')
    assert result.ended.state == "finished"
    assert np.isnan(stm_daq.open_run(result.folder).time).all()
    assert len(kinds(result, "warning")) == 16


def test_a_site_is_repeated_until_its_gap_is_known_well_enough(rehearse_with):
    wanted = 3e-6
    result = rehearse_with('\nwant: {gap: "3 ueV"}\nadaptive: {most: 4}\n')
    run = stm_daq.open_run(result.folder)
    seen = {}
    for spectrum in spectra_of(result):
        seen.setdefault(spectrum.site.index, []).append(spectrum)
    assert any(len(found) > 1 for found in seen.values())
    for index, found in seen.items():
        assert [s.attempt for s in found] == list(range(len(found)))
        assert [s.sweeps for s in found] == list(range(1, len(found) + 1))
        assert found[0].reason == ""
        assert all(
            re.fullmatch(r"gap known to [\d.]+ [µum]eV, wanted [\d.]+ [µum]eV", s.reason)
            for s in found[1:]
        )
        final = float(run.gap_std.values.ravel()[index])
        assert final <= wanted or len(found) == 4
    assert run.attrs["state"] == "finished"


def spectra_of(result):
    from stm_daq.store import schema
    from stm_daq.store.reading import reader, whole_rows

    with reader(result.folder) as connection:
        return [schema.spectrum_of(row) for row in whole_rows(connection, "spectrum")]


def test_averaging_sweeps_lowers_the_noise_as_the_square_root(rehearse_with):
    single = stm_daq.open_run(rehearse_with().folder)
    many = stm_daq.open_run(
        rehearse_with(changes=[("  lockin: {time", "  average: 4\n  lockin: {time")]).folder
    )
    ratio = np.median(many.gap_std / single.gap_std)
    assert ratio == pytest.approx(0.5, abs=0.1)


def test_flagged_sites_are_measured_again_at_the_end(rehearse_with, monkeypatch):
    original = SiteMeasurement.measure

    def measure(self, site, attempt, reason=""):
        spectrum = original(self, site, attempt, reason)
        spoilt = site.index in (2, 7) and not reason
        return replace(spectrum, flags=("overload",)) if spoilt else spectrum

    monkeypatch.setattr(SiteMeasurement, "measure", measure)
    result = rehearse_with("\nagain: {most: 1}\n")
    last = spectra_of(result)[-2:]
    assert [(s.site.index, s.attempt, s.reason) for s in last] == [
        (2, 1, "again: overload"),
        (7, 1, "again: overload"),
    ]
    run = stm_daq.open_run(result.folder)
    assert not any(run.flags.values.ravel())
    assert run.fit_ok.all()


def test_a_step_in_z_betrays_the_tip(rehearse_with, monkeypatch):
    original = SiteMeasurement.measure

    def measure(self, site, attempt, reason=""):
        spectrum = original(self, site, attempt, reason)
        return replace(spectrum, z=spectrum.z + (20e-9 if site.index >= 9 else 0.0))

    monkeypatch.setattr(SiteMeasurement, "measure", measure)
    result = rehearse_with('\ntip_change: {z: "5 nm", reaction: remeasure}\n')
    (event,) = kinds(result, "tip_change")
    assert event.text.startswith("site 9: ")
    again = [s for s in spectra_of(result) if s.reason]
    assert [(s.site.index, s.attempt) for s in again] == [(9, 1)]


def test_drift_is_followed(rehearse_with):
    frame = (
        '\ndrift: {every: "20 s", size: "40 nm", pixels: 64, line_time: "50 ms", largest: "8 nm"}\n'
    )
    speed = 0.05e-9
    station = [('drift_z: "2 pm/min"', 'drift_z: "2 pm/min", drift_x: "0.05 nm/s"')]
    result = rehearse_with(frame, station=station)
    assert result.ended.state == "finished"
    found = kinds(result, "drift")
    assert len(found) > 3
    first, last = found[0], found[-1]
    moved = speed * (last.time - first.time)
    assert last.data["x"] == pytest.approx(moved, abs=0.3e-9)
    assert last.data["y"] == pytest.approx(0.0, abs=0.3e-9)
    run = stm_daq.open_run(result.folder)
    places = [s.site.x for s in spectra_of(result) if s.site.col == 0]
    assert places[-1] - places[0] == pytest.approx(moved, abs=1.5e-9)
    assert result.violations == ()
    assert np.isfinite(run.topography).all()


def test_people_may_pause_continue_and_write_notes(rehearse_with, monkeypatch):
    waits = []

    def wait(self, clock, emit, original=Control.wait):
        if len(waits) == 3:
            self.note("anna", "helium filled")
            self.pause("anna")
            threading.Timer(0.3, self.proceed, ["anna"]).start()  # people live in real time
        waits.append(clock.now())
        original(self, clock, emit)

    monkeypatch.setattr(Control, "wait", wait)
    result = rehearse_with()
    assert result.ended.state == "finished"
    told = [e for e in events(result.folder) if e.kind in ("note", "pause", "continue")]
    assert [(e.kind, e.text) for e in told] == [
        ("note", "anna: helium filled"),
        ("pause", "paused by anna"),
        ("continue", "continued by anna"),
    ]
    assert told[2].time - told[1].time < 2.0  # the virtual night stood still
    assert isinstance(told[0], Event)
