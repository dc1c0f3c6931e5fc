"""What is told about a night before it starts, and which nights are refused."""

import json
import re
import sys
from collections import namedtuple

import numpy as np
import pytest

import stm_daq
from stm_daq import night
from stm_daq.commands.check import check_plan
from stm_daq.commands.measure import Showing, run_plan
from stm_daq.errors import BadInputError, OutOfRangeError
from stm_daq.night.sample import expectation, shortened
from stm_daq.plan import load_plan

from .conftest import EPOCH, ROOT, STATION


@pytest.fixture
def more(plan):
    """Return a function that adds blocks to the small plan."""

    def add(blocks, *changes):
        text = plan.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        plan.write_text(f"{text}\n{blocks}\n")
        return plan

    return add


def seen(plan, tmp_path, helium_until=None):
    prepared = night.prepare_night(plan, STATION)
    return night.outlook(prepared, tmp_path / "not/yet/there", EPOCH, helium_until)


def test_a_night_that_ends_after_its_deadline_is_refused_with_the_place(more, tmp_path):
    found = seen(more('finish_before: "30 s"'), tmp_path)
    (refusal,) = found.refusals
    assert refusal.line == len((tmp_path / "small.yaml").read_text().splitlines())
    assert "cannot finish before" in refusal.text
    with pytest.raises(OutOfRangeError):
        found.require()


def test_a_night_that_hardly_ends_in_time_is_warned_about(more, tmp_path):
    plan = more("")
    total = night.prepare_night(plan, STATION).estimate.total
    assert seen(plan, tmp_path, f"{1.2 * total:.3f} s").warnings == ()
    (warning,) = seen(plan, tmp_path, f"{1.02 * total:.3f} s").warnings
    assert "hardly in time (the helium lasts until" in warning.text
    found = seen(plan, tmp_path, f"{0.9 * total:.3f} s")
    assert len(found.refusals) == 1
    assert found.ends == pytest.approx(EPOCH + total)


def test_repetitions_and_waits_may_outlast_the_deadline(more, tmp_path):
    total = night.prepare_night(more(""), STATION).estimate.total
    deadline = f"finish_before: '{1.2 * total:.3f} s'"
    blocks = f'want: {{gap: "20 ueV"}}\nadaptive: {{most: 9}}\n{deadline}'
    found = seen(more(blocks), tmp_path)
    assert found.refusals == ()
    assert "may last until" in found.warnings[0].text
    assert found.latest > found.deadline > found.ends


def test_a_full_disk_is_refused(more, tmp_path, monkeypatch):
    usage = namedtuple("Usage", "free")
    plan = more("")
    needed = night.prepare_night(plan, STATION).estimate.disk_bytes
    for free, refusals, warnings in ((0.9, 1, 0), (1.5, 0, 1), (2.5, 0, 0)):
        monkeypatch.setattr("shutil.disk_usage", lambda _, free=free: usage(free * needed))
        found = seen(plan, tmp_path)
        assert (len(found.refusals), len(found.warnings)) == (refusals, warnings)


SILENT = Showing(port=0, report=False, as_json=True)
AXIS = "axes:\n  - parameter: {name: qdak.field, unit: T, values: [0.0], tolerance: 0.1}"


def test_an_unknown_axis_is_refused_before_anything_is_touched(more, monkeypatch, tmp_path):
    monkeypatch.setattr(
        sys.modules["stm_daq.night.measure"], "open_station", lambda *_: pytest.fail("touched")
    )
    with pytest.raises(BadInputError, match=r"axes\[0\].parameter.name: .*did you mean 'qdac'"):
        run_plan(more(AXIS), STATION, tmp_path, None, False, SILENT)


def test_a_run_past_its_deadline_is_refused_before_anything_is_touched(more, monkeypatch, tmp_path):
    monkeypatch.setattr(
        sys.modules["stm_daq.night.measure"], "open_station", lambda *_: pytest.fail("touched")
    )
    with pytest.raises(OutOfRangeError, match="cannot finish"):
        run_plan(more('finish_before: "30 s"'), STATION, tmp_path, None, False, SILENT)
    with pytest.raises(OutOfRangeError, match="helium"):
        run_plan(
            more("", ('finish_before: "30 s"', "")),
            STATION,
            tmp_path,
            "30 s",
            False,
            SILENT,
        )


def test_a_role_that_the_station_lacks_is_named(more, tmp_path):
    station = tmp_path / "station.yaml"
    text = STATION.read_text()
    (line,) = (row for row in text.splitlines() if row.startswith("  microwave:"))
    station.write_text(text.replace(line + "\n", ""))
    axis = 'axes:\n  - microwave_frequency: {values: ["10 GHz"]}'
    with pytest.raises(BadInputError, match="needs the role 'microwave'"):
        night.prepare_night(more(axis), station)


def test_the_duration_has_its_parts(more):
    plain = night.prepare_night(more(""), STATION).estimate
    drift = 'drift: {every: "30 s", size: "20 nm", pixels: 32, line_time: "0.1 s", largest: "5 nm"}'
    axis = 'axes:\n  - setpoint_current: {values: ["100 pA", "200 pA"], settle: "7 s"}'
    changed = more(f"{drift}\n{axis}", ("lockin:", "average: 3\n  lockin:"))
    found = night.prepare_night(changed, STATION).estimate
    assert found.parts["outer axes"] == pytest.approx(14.0)
    assert found.parts["sweeps"] == pytest.approx(6 * plain.parts["sweeps"])
    without = found.total - found.parts["drift references"]
    assert found.parts["drift references"] == pytest.approx((1 + without // 30) * 32 * 0.2)


def test_a_sample_tells_what_the_night_will_bring(rehearse, plan):
    result = rehearse()
    run = stm_daq.open_run(result.folder)
    prepared = night.prepare_night(plan, STATION)
    expected = expectation(prepared, 16)
    assert expected.spectra == expected.good == 16
    for name in ("gap", "temperature"):
        std = float(np.median(run[f"{name}_std"]))
        assert expected.known[name].std == pytest.approx(std, rel=0.25)
    assert expected.averages is None


def test_the_time_needed_grows_with_the_square_of_what_is_wanted(more, capsys, tmp_path):
    plan = more('want: {gap: "1 ueV"}')
    check_plan(plan, STATION, tmp_path, None, None, True, True)
    facts = json.loads(capsys.readouterr().out)
    expected = facts["expected"]
    known = expected["known"]["gap"]
    assert known["longer"] == pytest.approx((known["std"] / 1e-6) ** 2)
    assert expected["averages"] == int(np.ceil(known["longer"])) > 1
    assert expected["dwell"] == pytest.approx(10e-3 * known["longer"])
    assert expected["total"] > facts["seconds"]


def test_with_the_average_that_check_asks_for_the_gap_is_known_as_wanted(more):
    wanted = 'want: {gap: "2.5 ueV"}'
    first = expectation(night.prepare_night(more(wanted), STATION), 16)
    assert first.averages > 1
    better = more("", ("lockin:", f"average: {first.averages}\n  lockin:"))
    second = expectation(night.prepare_night(better, STATION), 16)
    assert second.known["gap"].std < 1.15 * 2.5e-6
    assert second.averages <= first.averages + 2


def test_everything_is_in_the_json(more, capsys, tmp_path):
    plan = more('finish_before: "5 h"')
    check_plan(plan, STATION, tmp_path, "2026-11-21 20:00", "60 h", False, True)
    facts = json.loads(capsys.readouterr().out)
    assert facts["deadline"] == facts["begins"] + 5 * 3600
    assert facts["helium_until"] == facts["begins"] + 60 * 3600
    assert facts["ends"] == pytest.approx(facts["begins"] + sum(facts["parts"].values()))
    assert facts["disk_free"] > facts["disk_bytes"]
    assert facts["expected"] is None
    assert facts["refusals"] == facts["warnings"] == []


@pytest.mark.parametrize(
    ("blocks", "says"),
    [
        ('want: {gapp: "1 ueV"}', "no such fitted parameter"),
        ('want: {gap: "1 K"}', "not a quantity in eV"),
        ("adaptive: {most: 3}", "needs `want:`"),
        ('finish_before: "soon"', "cannot read 'soon'"),
    ],
)
def test_blocks_that_make_no_sense_are_mistakes(more, blocks, says):
    with pytest.raises(BadInputError, match=says):
        load_plan(more(blocks))


def test_a_sample_covers_map_and_axes():
    plan = load_plan(ROOT / "plans/examples/polygon.yaml")
    small = shortened(plan, 16)
    assert small.sites.count == 16
    assert not (small.sites.wanted & ~plan.sites.wanted).any()
    rows, columns = np.nonzero(small.sites.wanted)
    assert min(np.ptp(rows), np.ptp(columns)) >= 8
    series = shortened(load_plan(ROOT / "plans/examples/contact_series.yaml"), 16)
    whole = load_plan(ROOT / "plans/examples/contact_series.yaml").axes[0].values
    assert series.axes[0].values == (whole[0], whole[4], whole[-1])


@pytest.mark.parametrize("path", sorted(ROOT.glob("plans/**/*.yaml")), ids=lambda path: path.stem)
def test_every_plan_that_comes_along_is_accepted_by_the_station_it_names(path):
    named = re.search(r"--station (docs/stations/\w+\.yaml)", path.read_text(encoding="utf-8"))
    station = ROOT / named[1] if named else STATION
    assert night.prepare_night(path, station).estimate.sites > 0
