"""Conductance and current of the same sweep fitted together."""

from __future__ import annotations

import numpy as np
import pytest

from stm_daq.fitting import fit
from stm_daq.fitting.data import Conditions
from stm_daq.fitting.models import choose, to_coordinate
from stm_daq.physics import btk, dynes

BIAS = np.linspace(-4e-3, 4e-3, 200)
SCALE = 25e-9
MODULATION = 0.1e-3
LEAK = 3e-12
NAMES = ("gap", "temperature", "barrier", "scale", "offset", "current_offset")


def sweeps(count=400, noise=0.02, current_noise=1e-5, seed=1):
    """Truth by name, conductance in S and current in A, each (count, n)."""
    rng = np.random.default_rng(seed)
    truth = {
        "gap": rng.uniform(0.4e-3, 1.1e-3, count),
        "temperature": rng.uniform(0.5, 2.0, count),
        "barrier": rng.uniform(0.5, 2.2, count),
    }
    offset = rng.uniform(-0.1e-3, 0.1e-3, count)
    shifted = BIAS - offset[:, None]
    g = btk.conductance(shifted, *truth.values(), modulation=MODULATION)
    i = btk.current(shifted, *truth.values(), modulation=MODULATION)
    g = SCALE * (g + noise * rng.standard_normal(g.shape))
    i = SCALE * (i + current_noise * rng.standard_normal(i.shape)) + LEAK
    return truth | {"scale": SCALE, "offset": offset, "current_offset": LEAK}, g, i


@pytest.fixture(scope="module")
def many():
    truth, g, i = sweeps()
    return truth, fit(BIAS, g, modulation=MODULATION), fit(
        BIAS, g, modulation=MODULATION, current=i
    )  # fmt: skip


def test_errors_are_right_and_smaller_than_without_the_current(many):
    truth, alone, joint = many
    assert joint.ok.values.mean() > 0.99
    for name in NAMES:
        pulls = ((joint[name] - truth[name]) / joint[f"{name}_std"]).values
        assert np.std(pulls) == pytest.approx(1.0, abs=0.1), name  # three times 1/sqrt(800)
        assert abs(np.mean(pulls)) < 0.17, name
    together = np.concatenate([
        ((joint[name] - truth[name]) / joint[f"{name}_std"]).values for name in NAMES
    ])  # fmt: skip
    assert 0.95 < np.std(together) < 1.05
    assert np.mean(np.abs(together) < 1.0) == pytest.approx(0.68, abs=0.03)
    for name, gained in (("gap", 1.1), ("barrier", 1.3), ("scale", 1.7), ("offset", 1.1)):
        assert np.mean(joint[f"{name}_std"] < alone[f"{name}_std"]) > 0.97, name
        assert np.median(alone[f"{name}_std"] / joint[f"{name}_std"]) > gained, name


def test_both_count(many):
    _, _, joint = many
    assert np.all(joint.dof == 2 * 200 - 6)
    assert joint.reduced_chi_square.values.mean() == pytest.approx(1.0, abs=0.02)
    assert "current_offset" in joint.parameter.values
    assert joint.current_offset.attrs["units"] == "A"
    np.testing.assert_allclose(joint.calibration, 1.0, atol=0.01)


def test_given_noise_and_missing_points():
    truth, g, i = sweeps(60, seed=2)
    i[:, 30:60] = np.nan
    g[:, 100:110] = np.nan
    joint = fit(BIAS, g, current=i, current_noise=1e-5 * SCALE, noise=0.02 * SCALE,
                modulation=MODULATION)  # fmt: skip
    assert np.all(joint.dof == 190 + 170 - 6)
    pulls = ((joint.gap - truth["gap"]) / joint.gap_std).values
    assert 0.7 < np.std(pulls) < 1.3
    order = np.random.default_rng(0).permutation(200)
    again = fit(BIAS[order], g[:, order], current=i[:, order], current_noise=1e-5 * SCALE,
                noise=0.02 * SCALE, modulation=MODULATION)  # fmt: skip
    np.testing.assert_allclose(again.gap, joint.gap, rtol=1e-9)


@pytest.mark.parametrize(
    ("factor", "flagged"), [(0.97, False), (0.9, True), (1.1, True), (1e3, True)]
)
def test_a_current_that_contradicts_the_conductance_is_left_out(factor, flagged):
    _, g, i = sweeps(20, seed=3)
    alone = fit(BIAS, g, modulation=MODULATION)
    joint = fit(BIAS, g, modulation=MODULATION, current=factor * i)
    assert joint.calibration.values == pytest.approx(factor, rel=0.02)
    assert np.all([("calibration" in flags) is flagged for flags in joint.flags.values])
    if flagged:
        np.testing.assert_array_equal(joint.gap, alone.gap)
        np.testing.assert_array_equal(joint.dof, alone.dof)
        assert np.isnan(joint.current_offset).all()
    else:  # within 5 %, but far beyond the noise
        assert np.all(["model_inadequate" in flags for flags in joint.flags.values])


def test_hopeless_sweeps_keep_their_flags():
    _, g, i = sweeps(4, seed=4)
    g[0] = np.nan
    g[1] = SCALE * (1.0 + 0.02 * np.random.default_rng(5).standard_normal(200))
    i[1] = SCALE * BIAS
    i[2] = np.nan
    joint = fit(BIAS, g, modulation=MODULATION, current=i)
    assert joint.flags.values[0] == "too_few_points"
    assert joint.flags.values[1] == "no_gap"
    assert joint.ok.values.tolist() == [False, False, True, True]
    assert joint.dof.values[2:].tolist() == [200 - 5, 400 - 6]
    assert np.isnan(joint.current_offset.values[:3]).all()


def test_a_fixed_offset_and_a_slope():
    rng = np.random.default_rng(6)
    slope, offset = 30.0, 0.05e-3
    shifted = BIAS - offset
    fine = np.linspace(-5e-3, 5e-3, 20001)
    integrand = dynes.conductance(fine, 0.7e-3, 0.8, 0.05e-3) * (1.0 + slope * fine)
    steps = 0.5 * np.diff(fine) * (integrand[1:] + integrand[:-1])
    i = np.interp(shifted, fine[1:], np.cumsum(steps))
    i -= np.interp(0.0, fine[1:], np.cumsum(steps))
    g = dynes.conductance(shifted, 0.7e-3, 0.8, 0.05e-3) * (1.0 + slope * shifted)
    g = SCALE * (g + 0.01 * rng.standard_normal((100, 200)))
    i = SCALE * (i + 5e-6 * rng.standard_normal((100, 200)))
    free = ["gap", "temperature", "broadening", "scale", "offset", "slope"]
    joint = fit(BIAS, g, "dynes", free=free, fixed={"current_offset": 0.0}, current=i)
    truth = {"gap": 0.7e-3, "temperature": 0.8, "scale": SCALE, "offset": offset, "slope": slope}
    assert joint.ok.values.mean() > 0.9
    for name, true in truth.items():
        pulls = ((joint[name] - true) / joint[f"{name}_std"]).values
        assert np.std(pulls) == pytest.approx(1.0, abs=0.25), name
        assert abs(np.mean(pulls)) < 0.5, name
    assert "current_offset" not in joint  # nobody asked for it


@pytest.mark.parametrize("model", ["btk+broadening", "two_gaps", "sis", "normal"])
@pytest.mark.parametrize("is_current", [False, True])
def test_derivatives_are_those_of_differences(model, is_current):
    free = [n for n in choose(model).model.names if n != "current_offset"]
    choice = choose(model, free=[*free, "current_offset"], with_current=True)
    descent = Conditions(modulation=5e-5).solver(choice, BIAS).descent
    values = {"gap": 0.6e-3, "gap1": 0.5e-3, "gap2": 0.9e-3, "tip_gap": 0.3e-3, "temperature": 0.9,
              "barrier": 0.8, "broadening": 6e-5, "tip_broadening": 4e-5, "weight": 0.4,
              "scale": 1.2, "offset": 3e-5, "slope": 20.0, "current_offset": 1e-4}  # fmt: skip
    names = choice.model.names
    theta = np.array([float(to_coordinate(choice.model, n, values[n])) for n in names])
    _, rows = descent.curve(BIAS, theta, is_current)
    largest = np.abs(rows).max(axis=1)
    for k in range(len(names)):
        step = np.zeros(len(names))
        step[k] = 1e-4 * max(abs(theta[k]), 1e-5)
        above, below = (descent.curve(BIAS, theta + s, is_current)[0] for s in (step, -step))
        difference = (above - below) / (2.0 * step[k])
        assert np.abs(rows[k] - difference).max() <= 2e-3 * largest[k] + 1e-9, names[k]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"current": np.zeros(3)}, "current has shape"),
        ({"current": np.zeros((2, 200)) + 0j}, "current is complex"),
        ({"current": None, "current_noise": 1.0}, "no current"),
        ({"current_noise": -1.0}, "current_noise must be positive"),
        ({"current_noise": np.zeros(3)}, "current_noise has shape"),
        ({"engine": "table"}, "use 'exact'"),
        ({"current": None, "free": ["gap", "temperature", "barrier", "scale", "current_offset"]},
         "only be fitted if a current"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused(arguments, match):
    _, g, i = sweeps(2)
    with pytest.raises(ValueError, match=match):
        fit(BIAS, g, **({"current": i} | arguments))
