"""Microwave hot spot against values computed independently, within their stated tolerances.

tests/data/bistability.json is a copy of the reference set; where the set itself is beside the
repository, the copy must agree with it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stm_daq.physics import bcs, btk, hotspot
from stm_daq.physics.hotspot_units import MATERIALS

COPY = Path(__file__).parents[1] / "data" / "bistability.json"
ORIGINAL = Path(__file__).parents[2].parent / "shared" / "reference" / "bistability.json"
REFERENCE = json.loads(COPY.read_text(encoding="utf-8"))


def columns(table):
    return np.array(REFERENCE[table]["rows"], dtype=float).T


def named(rows):
    return [
        pytest.param(
            r,
            id="-".join(
                str(r[k]) for k in ("w", "Tph", "n", "lam", "J") if k in r and np.ndim(r[k]) == 0
            ),
        )
        for r in rows
    ]


@pytest.mark.skipif(not ORIGINAL.exists(), reason="the reference set is not beside the repository")
def test_the_copy_is_true():
    original = json.loads(ORIGINAL.read_text(encoding="utf-8"))
    assert {k: v for k, v in REFERENCE.items() if k != "source"} == original


def test_geometry():
    geometry = REFERENCE["geometry"]
    assert pytest.approx(geometry["r_max"], rel=1e-12) == hotspot.R_MAX
    assert np.sqrt(hotspot.H_MAX) == pytest.approx(geometry["sqrtH_max_z0"], rel=1e-12)
    r, h = np.array(geometry["H"]).T
    assert np.allclose(hotspot.heating_profile(r), h, rtol=1e-12)


@pytest.mark.parametrize("name", ["InOx", "NbN"])
def test_scales_of_the_materials(name):
    film, expected = MATERIALS[name], REFERENCE["si"][name]
    assert film.thermal_length == pytest.approx(1e-9 * expected["Lambda_nm"], rel=1e-6)
    assert film.current_density == pytest.approx(expected["jstar_A_m2"], rel=1e-9)
    assert film.frequency == pytest.approx(1e9 * expected["f_GHz_at_w1"], rel=1e-6)


def test_gap():
    table = REFERENCE["gap"]
    assert np.allclose(hotspot.gap(table["T"]), table["A1"], rtol=1e-8)
    assert np.allclose(hotspot.gap(table["T"], formula="bcs"), table["BCS"], rtol=1e-6)


def test_thermal_conductivity():
    table = REFERENCE["kappa"]
    assert np.allclose(hotspot.thermal_conductivity(table["T"]), table["K_over_KTc"], rtol=1e-8)


def test_conductivity():
    w, t, real, imaginary, heating = columns("sigma")
    sigma = hotspot.conductivity(w, t)
    for found, expected in (
        (sigma.real, real),
        (sigma.imag, imaginary),
        ((1 / sigma).real, heating),
    ):
        assert np.all(
            np.abs(found - expected) <= np.where(expected < 1e-12, 1e-14, 1e-6 * expected)
        )


@pytest.mark.parametrize("n", [5, 6])
def test_phonon_power(n):
    exponent, phonons, electrons, power = columns("Q")
    rows = exponent == n
    assert np.count_nonzero(rows) > 15
    found = hotspot.phonon_power(electrons[rows], phonons[rows], n)
    assert np.allclose(found, power[rows], rtol=1e-5, atol=0)


def test_tunnelling_into_warm_films():
    kelvin = 10.0
    volt = btk.K_B * kelvin
    te, tip, v, expected = columns("nis")
    found = [
        float(bcs.conductance(b * volt, hotspot.gap(t) * volt, c * kelvin))
        for t, c, b in zip(te, tip, v, strict=True)
    ]
    assert np.max(np.abs(np.array(found) - expected)) < 1e-5


def test_uniform_branches():
    for row in REFERENCE["uniform_branches"]["rows"]:
        found = hotspot.uniform_branches(row["j"], row["w"], row["Tph"], row["n"])
        assert [s.stable for s in found] == [kind == "stable" for _, kind in row["T"]], row
        assert [s.temperature for s in found] == pytest.approx([t for t, _ in row["T"]], abs=1e-5)


def test_bistable_interval():
    for row in REFERENCE["bistable_interval"]["rows"]:
        arguments = row["w"], row["Tph"], row["n"]
        interval = hotspot.bistable_interval(*arguments)
        turns = hotspot.uniform_extrema(*arguments)
        assert len(turns) == row["n_extrema"], row
        if row["j1"] is None:
            assert interval is None
            assert hotspot.maxwell_current(*arguments) is None
            continue
        assert interval == pytest.approx((row["j1"], row["j2"]), rel=1e-4), row
        assert turns[0].temperature == pytest.approx(row["T_j2"], abs=2e-3)
        assert turns[-1].temperature == pytest.approx(row["T_j1"], abs=2e-3)
        if "j_maxwell" in row:
            assert hotspot.maxwell_current(*arguments) == pytest.approx(row["j_maxwell"], rel=2e-4)


@pytest.mark.parametrize("row", named(REFERENCE["cusp"]["rows"]))
def test_cusp(row):
    assert hotspot.cusp(row["Tph"], row["n"]) == pytest.approx(row["w_cusp"], abs=1e-3)


@pytest.mark.parametrize("row", named(REFERENCE["profiles"]))
def test_profiles(row):
    found = hotspot.profiles(row["J"], row["w"], row["Tph"], row["lam"], row["n"])
    expected = row["solutions"]
    assert [p.unstable_modes for p in found] == [s["unstable_modes"] for s in expected]
    for profile, solution in zip(found, expected, strict=True):
        assert profile.core_temperature == pytest.approx(solution["T0"], abs=2e-4)
        assert profile.peak_temperature == pytest.approx(solution["Tmax"], abs=2e-4)
        assert profile.temperature(REFERENCE["r_grid"]) == pytest.approx(solution["T"], abs=1e-3)
        for radius, key in ((profile.inner_radius, "r_in"), (profile.outer_radius, "r_out")):
            if solution[key] is None:
                assert radius is None
            else:
                assert radius == pytest.approx(solution[key], abs=3e-3)


@pytest.mark.parametrize("row", named(REFERENCE["sweeps"]))
def test_power_sweeps(row):
    drives = np.array(row["J"])
    step = drives[1] - drives[0]
    found = hotspot.power_sweep(drives, row["w"], row["Tph"], row["lam"], row["n"])
    for branch, key, order in ((found.up, "up", 1), (found.down, "down", -1)):
        core, peak, inner, outer = np.array(row[key], dtype=float)[::order].T
        low, high = row[f"switch_{key}_between"]
        away = (drives < low - step) | (drives > high + step)
        assert branch.core_temperature[away] == pytest.approx(core[away], abs=5e-4)
        assert branch.peak_temperature[away] == pytest.approx(peak[away], abs=5e-4)
        for radius, expected in ((branch.inner_radius, inner), (branch.outer_radius, outer)):
            assert np.array_equal(np.isnan(radius[away]), np.isnan(expected[away]))
    assert found.switch_up == pytest.approx(row["switch_up_between"], abs=1.01 * step)
    assert found.switch_down == pytest.approx(row["switch_down_between"], abs=1.01 * step)
    assert found.loop_core_temperature == pytest.approx(row["loop_T0_dJ"], rel=0.03)
    assert found.loop_peak_temperature == pytest.approx(row["loop_Tmax_dJ"], rel=0.03)
    assert found.loop_normal_area == pytest.approx(row["loop_normal_area_over_pi_dJ"], rel=0.03)


@pytest.mark.parametrize("row", named(REFERENCE["folds"]))
def test_switching_drives(row):
    found = hotspot.switching_drives(row["w"], row["Tph"], row["lam"], row["n"])
    if row["J_up"] is None:
        assert found is None
    else:
        assert found.up == pytest.approx(row["J_up"], rel=5e-4)
        assert found.down == pytest.approx(row["J_down"], rel=5e-4)


@pytest.mark.parametrize("row", named([r for r in REFERENCE["folds"] if r["J_core_normal"]]))
def test_the_core_becomes_normal(row):
    arguments = row["w"], row["Tph"], row["lam"], row["n"]
    found = hotspot.core_normal_drive(*arguments)
    assert found == pytest.approx(row["J_core_normal"], rel=5e-3)


@pytest.mark.parametrize("row", named([r for r in REFERENCE["folds"] if len(r["all_folds_J"]) > 2]))
def test_folds_of_unstable_states(row):
    curve = hotspot.steady_curve(row["w"], row["Tph"], row["lam"], row["n"])
    folds = curve.folds
    for expected in row["all_folds_J"]:
        assert np.min(np.abs(folds / expected - 1)) < 5e-3, (expected, folds)
