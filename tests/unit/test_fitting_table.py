"""The table engine: as good as the exact one, or handed over to it."""

from __future__ import annotations

import numpy as np
import pytest

from stm_daq.fitting import fit, solver, table_kernel_spline
from stm_daq.fitting.table_model import CENTRES, SPACING, Request, _collocation, _places, table_of
from stm_daq.physics import btk

BIAS = np.linspace(-4e-3, 4e-3, 256)
SHAPE = ("gap", "temperature", "barrier")
MAP = (*SHAPE, "scale", "offset")


def spectra(count, noise, *, seed=3, offset=0.0, modulation=0.0, bias=BIAS):
    """Spectra over the whole range that the fitter must handle."""
    rng = np.random.default_rng(seed)
    gap = rng.uniform(0.2e-3, 1.5e-3, count)
    temperature, barrier = rng.uniform(0.3, 4.0, count), rng.uniform(0.0, 5.0, count)
    g = btk.conductance(bias - offset, gap, temperature, barrier, modulation=modulation)
    return g + noise * rng.standard_normal(g.shape)


def both(monkeypatch, conductance, bias=BIAS, **settings):
    """The results of both engines, the exact one followed to the very minimum."""
    monkeypatch.setattr(solver, "FINE", 1e-4)
    exact = fit(bias, conductance, **settings)
    return exact, fit(bias, conductance, engine="table", **settings)


def worst(exact, table, names):
    """Largest difference of values in standard deviations, and relative one of these.

    That of a barrier with an upper limit only is left out: its definition jumps at R = sigma.
    """
    sure = exact.ok.values & table.ok.values
    moved, widened = [], []
    for name in names:
        std = exact[f"{name}_std"].values[sure]
        moved.append(np.max(np.abs(exact[name].values - table[name].values)[sure] / std))
        limit = np.array([f"{name}_upper_limit" in flags for flags in exact.flags.values[sure]])
        ratio = np.where(limit, 1.0, table[f"{name}_std"].values[sure] / std)
        widened.append(np.max(np.abs(ratio - 1.0)))
    return max(moved), max(widened)


@pytest.mark.parametrize("noise", [0.01, 0.02, 0.05])
def test_three_parameters_agree_over_the_whole_range(monkeypatch, noise):
    exact, table = both(
        monkeypatch,
        spectra(2000, noise),
        free=SHAPE,
        fixed={"scale": 1.0, "offset": 0.0},
        noise=noise,
    )
    moved, widened = worst(exact, table, SHAPE)
    assert moved < 0.1
    assert widened < 0.1
    assert table.attrs["by_table"] > 0.95 * 2000
    assert np.mean(exact.flags.values == table.flags.values) > 0.99
    assert np.allclose(exact.chi_square, table.chi_square, atol=0.5)


@pytest.mark.parametrize("noise", [None, 0.02])
def test_maps_with_scale_and_offset_agree(monkeypatch, noise):
    """Also in descending bias, with modulation, in siemens, and with estimated noise."""
    down = BIAS[::-1]
    g = 3e-9 * spectra(1000, 0.02, offset=12e-6, modulation=140e-6, bias=down)
    given = None if noise is None else 3e-9 * noise
    exact, table = both(monkeypatch, g, down, noise=given, modulation=140e-6)
    moved, widened = worst(exact, table, MAP)
    assert moved < 0.1
    assert widened < 0.1
    assert table.attrs["by_table"] > 0.85 * 1000
    assert np.allclose(table.offset.values[table.ok.values].mean(), 12e-6, atol=2e-6)


def test_noise_growing_with_bias_and_an_asymmetric_grid_agree(monkeypatch):
    bias = np.concatenate([np.linspace(-2.5e-3, 1e-3, 200), np.linspace(1.05e-3, 4e-3, 60)])
    level = 0.01 * np.sqrt(0.3 + np.abs(bias) / 1e-3)
    g = spectra(400, level, bias=bias)
    exact, table = both(monkeypatch, g, bias, noise=level, free=MAP)
    moved, widened = worst(exact, table, MAP)
    assert moved < 0.1
    assert widened < 0.1
    assert table.attrs["by_table"] > 0.7 * 400


def test_bcs_with_a_fixed_temperature_agrees(monkeypatch):
    truth = np.linspace(0.4e-3, 1.2e-3, 50)[:, None]
    g = btk.conductance(BIAS, truth[:, 0], 1.2, 50.0)
    g = g + 0.02 * np.random.default_rng(1).standard_normal(g.shape)
    exact, table = both(
        monkeypatch, g, model="bcs", fixed={"temperature": 1.2, "offset": 0.0}, noise=0.02
    )
    assert worst(exact, table, ("gap", "scale"))[0] < 0.1
    assert table.attrs["by_table"] == 50


def test_what_the_table_does_not_suit_is_fitted_exactly():
    rng = np.random.default_rng(5)
    g = btk.conductance(
        BIAS,
        np.array([0.7e-3, 0.7e-3, 2.6e-3, 0.7e-3, 0.7e-3, 0.7e-3, 0.7e-3]),
        np.array([1.0, 0.15, 1.0, 1.0, 1.0, 0.35, 1.0]),
        np.array([0.5, 0.5, 0.5, 0.5, 0.5, 4.0, 0.5]),
    )
    level = np.array([0.02, 0.02, 0.02, 0.02, 0.02, 0.001, 0.02])[:, None]
    g = g + level * rng.standard_normal(g.shape)
    g[3, 40] = np.nan
    g[4] = 1.0
    level = np.broadcast_to(level, g.shape)
    settings = {"free": SHAPE, "fixed": {"scale": 1.0, "offset": 0.0}, "noise": level}
    exact = fit(BIAS, g, **settings)
    table = fit(BIAS, g, engine="table", **settings)
    assert table.attrs["by_table"] == 2
    for name in (*SHAPE, "gap_std", "chi_square", "dof"):
        np.testing.assert_array_equal(exact[name].values[1:6], table[name].values[1:6])
        np.testing.assert_allclose(exact[name].values, table[name].values, rtol=1e-2)
    assert list(exact.flags.values) == list(table.flags.values)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"loss": "huber"}, "loss"),
        ({"model": "btk+broadening"}, "broadening"),
        ({"model": "two_gaps"}, "two_gaps"),
        ({"fixed": {"slope": 5.0}}, "slope"),
        ({"fixed": {"temperature": np.array([1.0, 1.1])}}, "temperature"),
        ({"bias": np.array([BIAS, 0.9 * BIAS])}, "one bias grid"),
    ],
)
def test_what_no_table_can_do_is_refused(settings, words):
    chosen = {"bias": BIAS} | settings
    with pytest.raises(ValueError, match=words):
        fit(conductance=spectra(2, 0.02), engine="table", **chosen)


def test_the_stated_error_holds_at_other_points():
    table = table_of(Request(BIAS.tobytes(), (None,) * 3, 0.0, 0.0, 0.0, 0.0, True))
    assert table is table_of(Request(BIAS.tobytes(), (None,) * 3, 0.0, 0.0, 0.0, 0.0, True))
    rng = np.random.default_rng(11)
    places = table.lower + rng.uniform(size=(1500, 3)) * (table.upper - table.lower)
    offsets = (CENTRES * SPACING) * BIAS.max() * rng.uniform(-1.0, 1.0, 1500)
    gap, temperature, reflection = places[:, 0], np.exp(places[:, 1]), places[:, 2]
    barrier = np.sqrt(reflection / (1.0 - reflection))
    exact = btk.conductance(BIAS - offsets[:, None], gap, temperature, barrier)
    error = np.linalg.norm(table.evaluate(places, offsets) - exact, axis=1)
    stated = table.error[table.bins(places, offsets - table.nearest(offsets) * table.spacing)]
    assert np.mean(error <= stated) > 0.97
    assert np.max(error / stated) < 2.0
    hot = temperature > 1.0
    assert np.max(error[hot]) < 2e-3
    assert table.worst < 0.1
    assert table.memory < 50e6


def test_splines_reproduce_cubic_polynomials():
    cells = 7
    matrix = _collocation(True, cells)
    value, slope = np.empty(4), np.empty(4)
    coefficients = matrix @ (_places(cells) ** 3 - 2.0 * _places(cells))
    for place in (0.0, 0.3, 3.0, 4.9, 7.0):
        cell = table_kernel_spline.cubic(place, cells, value, slope)
        near = coefficients[cell : cell + 4]
        assert near @ value == pytest.approx(place**3 - 2.0 * place, abs=1e-9)
        assert near @ slope == pytest.approx(3.0 * place**2 - 2.0, abs=1e-9)
