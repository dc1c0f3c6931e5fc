"""Power sweeps on the twin: switches as the solver has them, the supercurrent map, refusals, resuming."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import stm_daq
from sim.line import MicrowaveLine
from sim.samples.bistable import InoxFilm
from stm_daq import night
from stm_daq.analysis.microwave.power_maps import (
    places,
    reference_drift,
    supercurrent_map,
    switch_maps,
)
from stm_daq.errors import BadInputError, OutOfRangeError
from stm_daq.monitor.view import RunView
from stm_daq.night import NightResult
from stm_daq.night.resume import prepare_resume
from stm_daq.past import JournalPast
from stm_daq.physics.hotspot import switching_drives
from stm_daq.records import Spectrum
from stm_daq.rehearsal import Rehearsal
from stm_daq.report.microwave.loops import correlation
from stm_daq.store.exports.export import export_all, export_run
from stm_daq.store.reading import events

ROOT = Path(__file__).parents[2]
STATION = ROOT / "docs/stations/microwave_strip.yaml"
FILM = InoxFilm(seed=3)
LINE = MicrowaveLine(attenuation=26.0)


SHORT = {"cycles: 4": "cycles: 3", 'frequencies: ["12 GHz", "19 GHz"]': 'frequencies: ["19 GHz"]'}
ONE_PLACE = {
    **SHORT,
    '    - ["400 nm", "-300 nm"]\n    - ["-400 nm", "300 nm"]\n    - ["400 nm", "300 nm"]\n': "",
    '    reference: {place: ["0 nm", "0 nm"], every: 2}\n': "",
}


def changed(path: Path, to: Path, changes: dict[str, str]) -> Path:
    text = path.read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    to.write_text(text)
    return to


def rehearsed(folder: Path, plan: str, changes=(), station=(), observers=()) -> NightResult:
    made = changed(ROOT / "plans" / plan, folder / plan, dict(changes))
    place = changed(STATION, folder / "station.yaml", dict(station))
    prepared = night.prepare_night(made, place).watched_by(observers)
    return night.rehearse(prepared, folder / "runs", Rehearsal(epoch=1.8e9, seed=3))


@pytest.fixture
def rehearse(tmp_path: Path):
    return partial(rehearsed, tmp_path)


@pytest.fixture(scope="module")
def points(tmp_path_factory) -> NightResult:
    """Return a rehearsal of four points, that nobody changes."""
    return rehearsed(tmp_path_factory.mktemp("points"), "inox_bistability.yaml", SHORT)


def opened(result: NightResult):
    assert (result.ended.state, result.ended.text, result.violations) == ("finished", "", ())
    return stm_daq.open_run(result.folder)


def wanted(dataset, place) -> tuple[float, float]:
    """Return what the solver says of the true film at a place: (down, up) in dBm at the source."""
    tc = float(dataset["true_critical_temperature"].values[place.index])
    length = float(dataset["true_thermal_length"].values[place.index])
    stage = float(dataset["stage_temperature"].values[place.index])
    film = float(FILM.tip_above(tc).frequency(place.frequency)), stage / tc, length / FILM.distance
    found = switching_drives(*film, n=FILM.phonon_power)
    assert found is not None
    unit = FILM.drive_of(LINE.power_at_tip(place.frequency, 0.0), tc)
    return 20 * math.log10(found.down / unit), 20 * math.log10(found.up / unit)


def test_switches_agree_with_the_solver(points: NightResult) -> None:
    dataset = opened(points)
    (maps,) = switch_maps(dataset)
    assert set(maps.verdict.ravel()) == {"bistable"}
    for place in places(dataset):
        loop = maps.loops[place.index]
        down, up = wanted(dataset, place)
        assert loop.up is not None
        assert loop.down is not None
        assert abs(loop.up.power - up) <= loop.up.step + 2 * loop.up.std
        assert abs(loop.down.power - down) <= loop.down.step + 2 * loop.down.std
        assert loop.up.step < 0.2  # fine steps were put where it switches
    again = [event for event in events(points.folder) if event.kind == "reference"]
    assert len(again) == 2
    assert {len(trace) for trace in again[0].data["extra"]} == {dataset.sizes["power_sweep"]}


def test_every_point_knows_the_power_before_and_none_skips(points: NightResult) -> None:
    dataset = opened(points)
    power, before = (dataset[n].values[0, 0] for n in ("microwave_power", "previous_power"))
    known = np.isfinite(power) & np.isfinite(before)
    assert known.sum() > 250
    measured = np.flatnonzero(np.isfinite(power))
    np.testing.assert_array_equal(before[measured[2:]], power[measured[1:-1]])
    assert np.max(np.abs(np.diff(power[measured]))) <= 28 / 42 + 0.01


def test_who_watches_is_told_the_past_of_a_sweep(points: NightResult) -> None:
    dataset, past, view = opened(points), JournalPast(points.folder), RunView()
    past.update(view)
    np.testing.assert_array_equal(view.maps["z"].ravel(), dataset["z"].values.ravel())
    spectrum = past.spectrum(3)[0]
    assert isinstance(spectrum, Spectrum)
    assert len(spectrum.extra) > 0
    assert spectrum.extra.shape[1] == len(spectrum.bias)


def test_exports_hold_the_power_of_every_point(points: NightResult, tmp_path: Path) -> None:
    dataset = opened(points)
    path = export_run(points.folder, "netcdf", tmp_path)
    with xr.open_dataset(path, engine="h5netcdf") as found:
        for name in ("conductance", "microwave_power", "previous_power", "resistance"):
            np.testing.assert_array_equal(found[name].values, dataset[name].values)
    done = export_all(points.folder, tmp_path)
    assert {name for name, result in done.items() if not isinstance(result, Path)} == {"sxm", "dat"}
    assert (done["csv"] / "microwave_power.csv").exists()


def test_above_tc_nothing_is_bistable(rehearse) -> None:
    plan = {**ONE_PLACE, 'expect: "1.05 K"': 'expect: "3.7 K"'}
    station = {'temperature: "1.05 K"': 'temperature: "3.7 K"'}
    (found,) = switch_maps(opened(rehearse("inox_bistability.yaml", plan, station)))
    assert found.verdict.ravel()[0] in ("smooth", "invalid")
    assert not np.isfinite(found.width).any()


def test_latched_if_the_sweep_does_not_go_low_enough(rehearse) -> None:
    latched = {**ONE_PLACE, 'start: "-34 dBm"': 'start: "-20 dBm"'}
    dataset = opened(rehearse("inox_bistability.yaml", latched))
    assert set(switch_maps(dataset)[0].verdict.ravel()) == {"latched"}
    assert all("latched" in str(text) for text in dataset["flags"].values.ravel())


SMALL_MAP = {
    "columns: 12": "columns: 3",
    "rows: 20": "rows: 9",
    "every: 60": "every: 40",
    "points: 120": "points: 60",
}


@pytest.mark.parametrize("meter", ["Keithley2400Strip", "Sr830Strip"])
def test_the_map_of_the_supercurrent_follows_the_truth(rehearse, meter: str) -> None:
    changes, station = dict(SMALL_MAP), {}
    if meter == "Sr830Strip":
        changes |= {"columns: 12": "columns: 2", "rows: 20": "rows: 6"}
        station = {
            "type: qcodes.instrument_drivers.Keithley.Keithley2400": (
                "type: qcodes.instrument_drivers.stanford_research.SR830"
            ),
            "drivers.keithley2400.Keithley2400Strip": (
                "drivers.sr830_strip.Sr830Strip\n    series_resistance: 1.0e+4"
            ),
            "sim.devices.keithley2400.Keithley2400}": (
                'sim.devices.strip_lock_in.StripLockIn, series_resistance: "10 kohm"}'
            ),
        }
    dataset = opened(rehearse("inox_supercurrent.yaml", changes, station))
    found = supercurrent_map(dataset)
    assert np.nanmax(np.abs(found.unstable)) < 0.05
    assert correlation(found.loss, dataset["true_supercurrent"].values) >= 0.9


def test_a_sweep_over_a_range_of_the_source_is_refused(rehearse) -> None:
    with pytest.raises(
        OutOfRangeError, match=r"inox_bistability\.yaml:\d+:\d+: .*changes its range"
    ):
        rehearse(
            "inox_bistability.yaml", {}, {"range_edges: [-40, 5]      #": "range_edges: [-20] #"}
        )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('end: "-6 dBm"', 'end: "-36 dBm"', "start must be below end"),
        ("cycles: 4", "cycles: 1", "fine steps follow a coarse cycle"),
        ("kind: points", "kind: dac", "write kind: points"),
        ('end: "-6 dBm"', 'end: "8 dBm"', "outside the station's limits"),
        ('["12 GHz", "19 GHz"]', '["-1 GHz"]', "greater than 0"),
    ],
)
def test_mistakes_of_a_plan_are_named(rehearse, old: str, new: str, said: str) -> None:
    with pytest.raises((BadInputError, OutOfRangeError), match=said):
        rehearse("inox_bistability.yaml", {old: new})


def test_a_run_that_was_stopped_goes_on_where_it_was(points: NightResult, rehearse) -> None:
    seen: list[int] = []

    def stop(record: object) -> None:
        if isinstance(record, Spectrum):
            seen.append(record.site.index)
            if len(seen) == 2:
                raise KeyboardInterrupt

    whole = opened(points)
    cut = rehearse("inox_bistability.yaml", SHORT, observers=(stop,))
    assert cut.ended.state == "stopped"
    resumed = opened(night.resume(*prepare_resume(cut.folder), ()))
    assert sorted(seen) == [0, 1]
    assert np.isfinite(resumed["time"]).all()
    np.testing.assert_array_equal(switch_maps(whole)[0].verdict, switch_maps(resumed)[0].verdict)


def test_a_drift_of_the_line_shows_at_the_reference_place(rehearse) -> None:
    plan = {**SHORT, "cycles: 4": "cycles: 2", "every: 2": "every: 1"}
    result = rehearse(
        "inox_bistability.yaml", plan, {"InoxFilm}": "InoxFilm, transfer_drift: 8.0}"}
    )
    dataset = opened(result)
    drift = reference_drift(dataset, events(result.folder)).ravel()
    hours = (dataset["time"].values.ravel() - dataset["time"].values.min()) / 3600
    slope = np.polyfit(hours, drift, 1)[0]
    assert drift[0] == pytest.approx(0.0, abs=0.15)
    assert slope == pytest.approx(-8.0, rel=0.3)  # the drive grows: less power is needed


def test_a_plain_sweep_of_the_power_is_judged_alike(rehearse) -> None:
    text = (ROOT / "plans/inox_bistability.yaml").read_text()
    block = text[text.index("  power_sweep:") : text.index("  modulation:")]
    plain = """  microwave_power:
    {start: "-34 dBm", end: "-6 dBm", points: 43, dwell: "60 ms", bias: "0.1 mV", frequency: "19 GHz"}
"""
    axes = 'axes:\n  - microwave_frequency: {values: ["15 GHz", "19 GHz"]}\n'
    single = plain.replace(', frequency: "19 GHz"', "")
    dataset = opened(rehearse("inox_bistability.yaml", {block: single, "sites:": axes + "sites:"}))
    (maps,) = switch_maps(dataset)
    assert maps.verdict.shape == (2, 1, 4)
    assert set(maps.verdict.ravel()) == {"bistable"}
    frequencies = [place.frequency for place in places(dataset)]
    assert frequencies == [15e9] * 4 + [19e9] * 4
    assert np.all(maps.width[0] > maps.width[1])  # slower microwaves, wider loop
