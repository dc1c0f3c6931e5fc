"""Measured spectra: NbSe2 at ten temperatures (github.com/TomDvir/Tunneling-to-NbSe2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stm_daq.fitting import fit_gap_series, fit_measured
from stm_daq.physics import btk, dynes, two_channel

DATA = Path(__file__).parents[2].parent / "shared" / "realdata" / "nbse2_tunnel_70mK_TomDvir"
BIAS = np.linspace(-4e-3, 4e-3, 256)


@pytest.fixture(scope="module")
def nbse2():
    """(temperature, result) of the files, coldest first."""
    if not DATA.exists():
        pytest.skip("no measured spectra beside the repository")
    found = []
    for path in DATA.glob("*.csv"):
        kelvin, bias, conductance, _, current = np.loadtxt(path, delimiter=",", skiprows=1).T
        known = float(np.median(kelvin))
        result = fit_measured(
            1e-3 * bias, 1e-6 * conductance, temperature=known, current=1e-9 * current
        )
        found.append((known, result))
    return sorted(found, key=lambda item: item[0])


def test_nbse2_gap_and_its_temperature_dependence(nbse2):
    kelvin = np.array([k for k, _ in nbse2])
    gap = np.array([r.values["gap"] for _, r in nbse2])
    std = np.array([r.std["gap"] for _, r in nbse2])
    assert len(gap) == 10
    assert 1.1e-3 < gap[0] < 1.4e-3
    cold = slice(0, 9)
    rise = np.diff(gap[cold])
    assert np.all(rise < np.hypot(std[cold][1:], std[cold][:-1]))
    assert gap[8] < 0.9 * gap[0]
    series = fit_gap_series(kelvin, gap, std)
    assert series.tc == pytest.approx(7.2, abs=0.5)
    assert series.tc < series.lowest_normal


def test_nbse2_verdicts(nbse2):
    for kelvin, result in nbse2:
        assert not result.ok
        assert ("no_gap" if kelvin > 8 else "model_inadequate") in result.flags, kelvin
    for kelvin, result in nbse2[:9]:
        assert result.values["offset"] == pytest.approx(-0.14e-3, abs=0.05e-3), kelvin
        assert result.values["scale"] == pytest.approx(7e-6, rel=0.06), kelvin


def noisy(conductance, seed=3):
    tilt = 1 + 10.0 * (BIAS - 1e-4)
    noise = 0.01 * np.random.default_rng(seed).standard_normal(len(BIAS))
    return 3e-8 * (conductance * tilt + noise)


def test_a_tunnel_junction_is_told_from_a_contact():
    tunnel = noisy(dynes.conductance(BIAS - 1e-4, 0.7e-3, 0.5, 5e-5))
    contact = noisy(btk.conductance(BIAS - 1e-4, 0.7e-3, 0.5, 1.0, 5e-5))
    opaque, clear = (fit_measured(BIAS, g, temperature=0.5) for g in (tunnel, contact))
    assert (opaque.model, clear.model) == ("dynes", "btk+broadening")
    for result in (opaque, clear):
        assert result.ok, result.flags
        for name, true in (("gap", 0.7e-3), ("broadening", 5e-5), ("offset", 1e-4), ("slope", 10)):
            assert abs(result.values[name] - true) < 4 * result.std[name], name


def test_any_model_can_be_named():
    mixed = two_channel.conductance(BIAS - 1e-4, 0.4e-3, 1.0e-3, 0.4, 10.0, 10.0, 0.4)
    values = noisy(mixed)
    known = {"barrier": 10.0, "temperature": 0.4, "broadening": 0.0}
    result = fit_measured(BIAS, values, temperature=9.0, model="two_gaps", fixed=known)
    assert result.ok, result.flags
    assert result.values["temperature"] == 0.4  # what is fixed overrules the file
    assert set(result.free) == {"gap1", "gap2", "weight", "scale", "offset", "slope"}
    gaps = sorted(result.values[name] for name in ("gap1", "gap2"))
    assert gaps == pytest.approx([0.4e-3, 1.0e-3], rel=0.03)
    plain = fit_measured(BIAS, values, temperature=0.4, model="normal")
    assert plain.free == ("scale", "slope")
    assert not plain.ok
    with pytest.raises(ValueError, match="unknown model 'bogus': use one of"):
        fit_measured(BIAS, values, model="bogus")


def test_a_known_barrier_leaves_no_choice():
    contact = noisy(btk.conductance(BIAS - 1e-4, 0.7e-3, 0.9, 1.0))
    result = fit_measured(BIAS, contact, fixed={"barrier": 1.0})
    assert result.model == "btk"
    assert abs(result.values["temperature"] - 0.9) < 4 * result.std["temperature"]


def test_the_noise_that_is_given_counts():
    contact = noisy(btk.conductance(BIAS - 1e-4, 0.7e-3, 0.9, 1.0))
    sigma = np.full(len(BIAS), 0.01 * 3e-8)
    right, twice = (fit_measured(BIAS, contact, model="btk", noise=f * sigma) for f in (1, 2))
    assert right.reduced_chi_square == pytest.approx(1.0, abs=0.3)
    assert twice.chi_square == pytest.approx(right.chi_square / 4, rel=1e-3)
    assert twice.std["gap"] > 1.5 * right.std["gap"]


def test_without_a_thermometer_the_temperature_is_fitted():
    contact = noisy(btk.conductance(BIAS - 1e-4, 0.7e-3, 0.9, 1.0))
    result = fit_measured(BIAS, contact)
    assert result.model == "btk"
    assert result.ok
    assert abs(result.values["temperature"] - 0.9) < 4 * result.std["temperature"]


@pytest.mark.parametrize(("factor", "flagged"), [(1.0, False), (1.1, True)])
def test_current_checks_the_calibration(factor, flagged):
    conductance = noisy(btk.conductance(BIAS - 1e-4, 0.7e-3, 0.5, 1.0))
    tilted = btk.current(BIAS - 1e-4, 0.7e-3, 0.5, 1.0)
    result = fit_measured(BIAS, conductance, temperature=0.5, current=3e-8 * factor * tilted)
    assert ("calibration" in result.flags) is flagged


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": np.nan}, "temperature"),
        ({"current": np.ones(3)}, "current has shape"),
        ({"model": "two-gap"}, "unknown model"),
    ],
)
def test_wrong_input_is_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        fit_measured(BIAS, noisy(btk.conductance(BIAS, 0.7e-3, 0.5, 1.0)), **arguments)
