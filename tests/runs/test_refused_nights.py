"""Nights that plan, station and twin do not allow, and how that is told."""

from pathlib import Path

import pytest

from stm_daq import night
from stm_daq.errors import BadInputError, InstrumentError, OutOfRangeError
from stm_daq.rehearsal import Rehearsal

ROOT = Path(__file__).parents[2]
STATION = (ROOT / "station.yaml").read_text(encoding="utf-8")


@pytest.fixture
def station(tmp_path):
    """Return a writer of changed stations."""

    def write(*changes: tuple[str, str]) -> Path:
        text = STATION
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = tmp_path / "station.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_tip_that_comes_to_its_limits_of_z_is_noticed(plan, station, tmp_path):
    path = station(('z: {min: "-250 nm", max: "250 nm"}', 'z: {min: "-1 nm", max: "1 nm"}'))
    prepared = night.prepare_night(plan, path)
    with pytest.raises(InstrumentError, match="limits of z"):
        night.rehearse(prepared, tmp_path / "runs", Rehearsal(epoch=1.8e9))


def refusal_of(plan: Path, station: Path, twin: night.TwinUse = "checked") -> str:
    with pytest.raises((BadInputError, OutOfRangeError)) as caught:
        night.prepare_night(plan, station, twin)
    return str(caught.value)


def test_every_mistake_of_a_station_is_told_at_once_at_its_place(plan, station):
    changes = (
        ("drivers.nanonis.NanonisController", "drivers.nanonsi.NanonisController"),
        ("stanford_research.SR830", "stanford_research.SR831"),
        ("auxiliary_input: 3     ", "auxiliary_input: 1     "),
        ("divider: 0.01              #", "divider: 0              #"),
        ("GPIB0::12::INSTR", "GPBI0::12::INSTR"),
        ("trigger: 1      ", "triger: 1      "),
        ("sim.samples.tin.TinFilm", "sim.samples.tin.TinFlim"),
        ("drift_z:", "drift_q:"),
        ("Ls372Thermometer, channel: 6}", "Ls372Thermometer, channel: six}"),
        ('slew: "200 mV/s"', 'slew: "200 mV"'),
    )
    path = station(*changes)
    told = refusal_of(plan, path)
    lines = path.read_text(encoding="utf-8").splitlines()
    hints = ("nanonsi", "SR831", "must be 3 or 4", "GPBI0", "triger", "TinFlim", "drift_q", "six")
    for hint in (*hints, "200 mV'"):
        (line,) = [text for text in told.splitlines() if hint in text and str(path) in text][:1]
        number = int(line.removeprefix(f"{path}:").split(":")[0])
        assert 1 <= number <= len(lines)
    assert "needs the option 'trigger'" in told


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("divider: 0.01              #", "divider: 0              #", "other than 0"),
        ("divider: 0.01              #", "divider: 0.0001              #", "10 V at most"),
        ("modulation_divider: 1.0e-4", "modulation_divider: -1", "greater than 0"),
    ],
)
def test_wiring_that_cannot_work_is_refused(plan, station, old, new, says):
    assert says in refusal_of(plan, station((old, new)))


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('"797 Hz"', '"1 MHz"', "sweep.modulation.frequency"),
        ('"3 ms"', '"4 ms"', "sweep.lockin.time_constant"),
        ('"140 uV"', '"100 nV"', "sweep.modulation.peak"),
        ("columns: 16", "columns: 60", "sites.grid.topograph.columns"),
        ('["0 nm", "0 nm"]', '["1 mm", "0 nm"]', "sites.grid.frame.centre"),
        ('["42 nm", "42 nm"]', '["42 m", "42 m"]', "sites.grid.frame.size"),
    ],
)
def test_what_the_instruments_cannot_do_is_told_at_its_place_in_the_plan(
    plan, station, old, new, place
):
    text = plan.read_text(encoding="utf-8")
    assert text.count(old) == 1
    plan.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(OutOfRangeError) as caught:
        night.prepare_night(plan, station())
    (line,) = [text for text in str(caught.value).splitlines() if f": {place}: " in text][:1]
    assert line.startswith(f"{plan}:")


def test_a_station_without_twin_can_be_run_but_not_rehearsed(plan, station):
    path = station((STATION[STATION.index("simulation:\n") :], ""))
    assert night.prepare_night(plan, path).config.simulation is None
    assert "nothing to rehearse on" in refusal_of(plan, path, "needed")


def test_mistakes_of_the_twin_do_not_stop_a_run(plan, station):
    path = station(("TinFilm", "TinFlim"))
    night.prepare_night(plan, path, "ignored")
    assert "TinFlim" in refusal_of(plan, path, "needed")
