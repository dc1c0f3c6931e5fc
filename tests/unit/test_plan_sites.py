"""Sites on the pixels of a topograph, the list of voltages, the estimate."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stm_daq.errors import OutOfRangeError
from stm_daq.plan import (
    Sweep,
    Topograph,
    estimate,
    grid,
    groups,
    list_voltages,
    load_plan,
)
from stm_daq.records import Frame
from stm_daq.station.limits import Limits, Range, extent

ROOT = Path(__file__).parents[2]
LIMITS = Limits(
    bias=Range(-0.01, 0.01, "V"),
    bias_slew=0.2,
    bias_step=1e-3,
    setpoint_current=Range(1e-12, 2e-9, "A"),
    x=Range(-1e-6, 1e-6, "m"),
    y=Range(-1e-6, 1e-6, "m"),
    z=Range(-250e-9, 250e-9, "m"),
    microwave_power=Range(-120, -20, "dBm"),
)


def make_sweep(start=4e-3, end=-4e-3, points=256, dwell=0.01) -> Sweep:
    return Sweep(np.linspace(start, end, points), dwell, 140e-6, 797.0, 3e-3)


def test_sites_are_pixels_of_the_topograph_row_by_row_from_the_bottom():
    sites = grid(Frame(10e-9, -5e-9, 8e-9, 4e-9), (2, 4), Topograph((4, 8), 1.0))
    rows = groups(sites)
    assert [len(row.sites) for row in rows] == [4, 4]
    assert [(row.first_row, row.rows) for row in rows] == [(0, 2), (2, 2)]
    assert [site.index for row in rows for site in row.sites] == list(range(8))
    assert [site.index for row in groups(sites, 3) for site in row.sites] == list(range(24, 32))
    first, last = rows[0].sites[0], rows[1].sites[3]
    # pixels are 1 nm wide; site (0, 0) is in the middle of pixel (0, 0), (1, 3) in that of (2, 6)
    assert (first.x, first.y) == pytest.approx((10e-9 - 3.5e-9, -5e-9 - 1.5e-9))
    assert (last.row, last.col) == (1, 3)
    assert (last.x, last.y) == pytest.approx((10e-9 + 2.5e-9, -5e-9 + 0.5e-9))
    assert sites.x == pytest.approx(np.array([0.5, 2.5, 4.5, 6.5]) * 1e-9)
    assert sites.y == pytest.approx(np.array([0.5, 2.5]) * 1e-9)


def test_a_frame_turned_by_90_degrees_puts_its_left_edge_down():
    frame = Frame(0.0, 0.0, 4e-9, 2e-9, angle=90.0)
    assert frame.position(0.0, 1e-9) == pytest.approx((0.0, -2e-9))  # middle of the left edge
    assert frame.position(2e-9, 2e-9) == pytest.approx((-1e-9, 0.0))  # middle of the top edge


@given(st.floats(-360, 360), st.floats(0, 1e-7), st.floats(0, 1e-7))
def test_turning_a_frame_keeps_distances(angle, along, up):
    straight, turned = Frame(0, 0, 1e-7, 1e-7), Frame(0, 0, 1e-7, 1e-7, angle)
    assert np.hypot(*turned.position(along, up)) == pytest.approx(
        np.hypot(*straight.position(along, up)), abs=1e-20
    )


@given(
    start=st.floats(-0.01, 0.01),
    end=st.floats(-0.01, 0.01),
    dwell=st.floats(1e-3, 1.0),
    step=st.floats(1e-5, 1e-2),
    slew=st.floats(1e-3, 1.0),
)
def test_the_list_comes_back_within_the_limits(start, end, dwell, step, slew):
    sweep = make_sweep(start, end, 16, dwell)
    volts = list_voltages(sweep, step, slew)
    assert np.array_equal(volts[:16], sweep.bias)
    assert volts[-1] == start
    back = np.abs(np.diff(volts[15:]))
    assert len(back) >= 1
    assert back.max() <= min(step, slew * dwell)
    assert np.ptp(volts) <= abs(end - start) * (1 + 1e-12)


def test_a_step_exactly_at_the_limit_is_not_exceeded_by_rounding():
    volts = list_voltages(make_sweep(), 1e-3, 0.2)
    assert np.abs(np.diff(volts)).max() < 1e-3
    assert len(volts) == 256 + 9


def test_the_estimate_of_the_demo_adds_up():
    plan = load_plan(ROOT / "plans/tin_demo.yaml")
    result = estimate(plan, LIMITS)
    assert result.sites == 1024
    assert result.parts["topograph"] == 64 * 2 * 2.0
    assert result.parts["sweeps"] == pytest.approx(1024 * 256 * 0.01)
    assert result.parts["ways back"] == pytest.approx(1024 * 9 * 0.01)
    assert result.parts["settling"] == pytest.approx(1024 * 0.18)
    # along 41 nm of the frame at 100 nm/s, and back at the speed of the scan, 42 nm in 2 s
    assert result.parts["moves"] == pytest.approx(32 * 62.5 / 64 * (0.42 + 2.0))
    assert result.total == pytest.approx(sum(result.parts.values()))
    assert result.disk_bytes > 1024 * 3 * 256 * 8
    assert result.largest_bias_step == pytest.approx(8e-3 / 9)
    assert result.largest_bias_slew == pytest.approx(8e-3 / 9 / 0.01)
    assert result.dwell_over_time_constant == pytest.approx(10 / 3)
    assert result.warnings == ()


def test_a_night_is_a_night():
    plan = load_plan(ROOT / "plans/tin_overnight.yaml")
    hours = estimate(plan, LIMITS).total / 3600
    assert 11 < hours < 24


@pytest.mark.parametrize(
    ("limits", "path", "says"),
    [
        ({"bias": Range(-4e-3, 10e-3, "V")}, "sweep.bias.end", "modulation of 140 µV"),
        ({"bias": Range(-10e-3, 4.1e-3, "V")}, "sweep.bias.start", "modulation of 140 µV"),
        ({"bias": Range(-10e-3, 3e-3, "V")}, "setpoint.bias", "outside the station's limits"),
        ({"setpoint_current": Range(1e-12, 5e-11, "A")}, "setpoint.current", "100 pA"),
        ({"bias_step": 1e-5}, "sweep.bias.points", "take more points"),
        ({"bias_slew": 1e-3}, "sweep.bias.dwell", "take more points or time"),
    ],
)
def test_what_the_station_forbids_is_refused_with_its_place_in_the_plan(limits, path, says):
    plan = load_plan(ROOT / "plans/tin_demo.yaml")
    line, column = plan.source.values[tuple(path.split("."))]
    with pytest.raises(OutOfRangeError) as caught:
        estimate(plan, replace(LIMITS, **limits))
    lines = [text for text in str(caught.value).splitlines() if f": {path}: " in text]
    assert len(lines) == 1
    assert lines[0].startswith(f"{plan.path}:{line}:{column}: ")
    assert says in lines[0]


def test_a_long_hold_is_a_doubt():
    plan = load_plan(ROOT / "plans/tin_demo.yaml")
    slow = replace(plan, sweep=make_sweep(dwell=0.2))
    (warning,) = estimate(slow, LIMITS).warnings
    assert "feedback is off for 53 s" in warning.text


@pytest.mark.parametrize(
    ("frame", "key"),
    [
        (Frame(0.0, 0.0, 3e-6, 1e-9), "size"),
        (Frame(1e-3, 0.0, 1e-9, 1e-9), "centre"),
        (Frame(0.0, 0.99e-6, 1e-9, 30e-9), "size"),
        (Frame(0.0, 0.0, 1.9e-6, 1.9e-6, 45.0), "size"),  # only its corners stick out
    ],
)
def test_a_frame_that_leaves_the_range_of_the_tip_is_refused(frame, key):
    plan = load_plan(ROOT / "plans/tin_demo.yaml")
    changed = replace(plan, sites=replace(plan.sites, frame=frame))
    with pytest.raises(OutOfRangeError, match=f"sites.grid.frame.{key}: .*outside the station's"):
        estimate(changed, LIMITS)


def test_a_large_frame_inside_the_limits_is_allowed():
    plan = load_plan(ROOT / "plans/tin_demo.yaml")
    wide = replace(plan, sites=replace(plan.sites, frame=Frame(0.0, 0.0, 1.9e-6, 1.9e-6)))
    assert estimate(wide, LIMITS).sites == 1024


@given(st.floats(-360, 360), st.floats(1e-9, 1e-6), st.floats(1e-9, 1e-6), st.floats(-1e-6, 1e-6))
def test_the_extent_of_a_frame_is_that_of_its_corners(angle, width, height, centre):
    frame = Frame(centre, -centre, width, height, angle)
    corners = np.array([frame.position(u, v) for u in (0, width) for v in (0, height)])
    found = np.array(extent(frame))
    assert found == pytest.approx(
        np.stack([corners.min(axis=0), corners.max(axis=0)], 1), abs=1e-18
    )


@given(st.integers(1, 20), st.integers(1, 20))
def test_from_coarse_to_fine_every_site_comes_once(rows, columns):
    sites = grid(Frame(0.0, 0.0, 1e-8, 1e-8), (rows, columns), order="coarse_to_fine")
    (group,) = groups(sites)
    assert sorted(site.index for site in group.sites) == list(range(rows * columns))
    assert group.sites[0].index == 0


def test_half_of_a_night_from_coarse_to_fine_covers_the_frame():
    sites = grid(Frame(0.0, 0.0, 1e-8, 1e-8), (32, 32), order="coarse_to_fine")
    (group,) = groups(sites)
    seen = np.zeros((32, 32), bool)
    for site in group.sites[:256]:
        seen[site.row, site.col] = True
    assert np.all(seen.reshape(16, 2, 16, 2).any(axis=(1, 3)))
