"""The models as a fit sees them: values, derivatives, coordinates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stm_daq.physics import altshuler_aronov, bcs, btk, dynes, normal, sis, two_channel
from stm_daq.physics.models import MODELS, Parameter

BIAS = np.linspace(-2.1e-3, 3e-3, 61)
VALUES = {
    "gap": 0.6e-3,
    "gap1": 0.4e-3,
    "gap2": 0.9e-3,
    "temperature": 0.8,
    "barrier": 0.7,
    "barrier1": 0.2,
    "barrier2": 2.0,
    "broadening": 3e-5,
    "weight": 0.3,
    "exponent": 0.35,
    "tip_gap": 0.3e-3,
    "tip_broadening": 1e-5,
}
INSTRUMENTS = [(0.0, 0.0), (8e-5, 0.0), (0.0, 1e-4), (8e-5, 2e-5)]


def expected(name, modulation, noise):
    """The same from the public functions."""
    v = VALUES
    broad = (v["broadening"], modulation, noise)
    gap, kelvin, barrier = v["gap"], v["temperature"], v["barrier"]
    return {
        "normal": lambda: normal.conductance(BIAS),
        "btk": lambda: btk.conductance(BIAS, gap, kelvin, barrier, *broad),
        "dynes": lambda: dynes.conductance(BIAS, gap, kelvin, *broad),
        "bcs": lambda: bcs.conductance(BIAS, gap, kelvin, modulation, noise),
        "two_barriers": lambda: two_channel.conductance(
            BIAS, gap, gap, kelvin, v["barrier1"], v["barrier2"], v["weight"], *broad
        ),
        "two_gaps": lambda: two_channel.conductance(
            BIAS, v["gap1"], v["gap2"], kelvin, barrier, barrier, v["weight"], *broad
        ),
        "btk_altshuler_aronov": lambda: altshuler_aronov.conductance(
            BIAS, gap, kelvin, barrier, v["exponent"], *broad
        ),
        "dynes_altshuler_aronov": lambda: altshuler_aronov.conductance(
            BIAS, gap, kelvin, math.inf, v["exponent"], *broad
        ),
        "sis": lambda: sis.conductance(
            BIAS,
            gap,
            kelvin,
            v["tip_gap"],
            v["broadening"],
            v["tip_broadening"],
            modulation,
            noise,
        ),
    }[name]()


def evaluated(model, theta, modulation, noise, bias=BIAS):
    out = np.full((len(theta) + 2, len(bias)), np.nan)
    model.evaluate(bias, theta, modulation, noise, out)
    return out


@pytest.mark.parametrize(("modulation", "noise"), INSTRUMENTS)
@pytest.mark.parametrize("name", MODELS)
def test_value_and_derivatives(name, modulation, noise):
    model = MODELS[name]
    theta = model.coordinates([VALUES[parameter] for parameter in model.names])
    out = evaluated(model, theta, modulation, noise)
    assert out[0] == pytest.approx(expected(name, modulation, noise), abs=1e-12, rel=1e-9)
    for k, parameter in enumerate(model.names):
        step = np.zeros(len(theta))
        step[k] = {"eV": 3e-7, "K": 1e-3, "": 1e-3}[model.parameters[k].unit]
        step[k] *= 0.3 if "broadening" in parameter else 1.0
        near = evaluated(model, theta + step, modulation, noise)
        near = near[0] - evaluated(model, theta - step, modulation, noise)[0]
        far = evaluated(model, theta + 2 * step, modulation, noise)
        far = far[0] - evaluated(model, theta - 2 * step, modulation, noise)[0]
        slope = (8 * near - far) / (12 * step[k])
        assert out[1 + k] == pytest.approx(slope, abs=2e-4 * np.max(np.abs(slope))), parameter
    step = 1e-7
    slope = evaluated(model, theta, modulation, noise, BIAS + step)[0]
    slope = (slope - evaluated(model, theta, modulation, noise, BIAS - step)[0]) / (2 * step)
    assert out[-1] == pytest.approx(slope, abs=2e-4 * np.max(np.abs(slope)) + 1e-12)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "normal"])
def test_derivatives_stay_finite_at_the_edge_of_the_domain(name):
    model = MODELS[name]
    edge = VALUES | dict.fromkeys(VALUES, 0.0) | {"temperature": 1e-3}
    for values in (edge, VALUES | {"broadening": 0.0, "exponent": 0.0, "tip_broadening": 0.0}):
        theta = model.coordinates([values[parameter] for parameter in model.names])
        bias = np.append(BIAS, [0.0, VALUES["gap"], -VALUES["gap"]])
        assert np.all(np.isfinite(evaluated(model, theta, 0.0, 0.0, bias)))


@pytest.mark.parametrize("value", [0.0, 0.3, 3.0, math.inf])
def test_barriers_become_reflections_and_back(value):
    barrier = Parameter("barrier", "", "reflection")
    assert barrier.to_value(barrier.to_coordinate(value)) == pytest.approx(value)
    assert barrier.to_coordinate(value) == pytest.approx(float(btk.reflection(value)))


def test_values_by_name():
    model = MODELS["two_gaps"]
    given = [VALUES[name] for name in model.names]
    assert model.values(model.coordinates(given)) == pytest.approx(
        dict(zip(model.names, given, strict=True))
    )
