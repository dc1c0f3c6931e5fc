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


def expected(name, quantity, modulation, noise):
    """The same from the public functions."""
    v = VALUES
    broad = (v["broadening"], modulation, noise)
    gap, kelvin, barrier = v["gap"], v["temperature"], v["barrier"]
    return {
        "normal": lambda: getattr(normal, quantity)(BIAS),
        "btk": lambda: getattr(btk, quantity)(BIAS, gap, kelvin, barrier, *broad),
        "dynes": lambda: getattr(dynes, quantity)(BIAS, gap, kelvin, *broad),
        "bcs": lambda: getattr(bcs, quantity)(BIAS, gap, kelvin, modulation, noise),
        "two_barriers": lambda: getattr(two_channel, quantity)(
            BIAS, gap, gap, kelvin, v["barrier1"], v["barrier2"], v["weight"], *broad
        ),
        "two_gaps": lambda: getattr(two_channel, quantity)(
            BIAS, v["gap1"], v["gap2"], kelvin, barrier, barrier, v["weight"], *broad
        ),
        "two_channels": lambda: getattr(two_channel, quantity)(
            BIAS, v["gap1"], v["gap2"], kelvin, v["barrier1"], v["barrier2"], v["weight"], *broad
        ),
        "btk_altshuler_aronov": lambda: getattr(altshuler_aronov, quantity)(
            BIAS, gap, kelvin, barrier, v["exponent"], *broad
        ),
        "dynes_altshuler_aronov": lambda: getattr(altshuler_aronov, quantity)(
            BIAS, gap, kelvin, math.inf, v["exponent"], *broad
        ),
        "sis": lambda: getattr(sis, quantity)(
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


def evaluated(model, quantity, theta, modulation, noise, bias=BIAS):
    out = np.full((len(theta) + 2, len(bias)), np.nan)
    method = model.evaluate if quantity == "conductance" else model.evaluate_current
    method(bias, theta, modulation, noise, out)
    return out


@pytest.mark.parametrize(("modulation", "noise"), INSTRUMENTS)
@pytest.mark.parametrize("quantity", ["conductance", "current"])
@pytest.mark.parametrize("name", MODELS)
def test_value_and_derivatives(name, quantity, modulation, noise):
    model = MODELS[name]
    theta = model.coordinates([VALUES[parameter] for parameter in model.names])

    def value(moved, bias=BIAS):
        return evaluated(model, quantity, moved, modulation, noise, bias)[0]

    out = evaluated(model, quantity, theta, modulation, noise)
    unit = 1.0 if quantity == "conductance" else 1e-3
    known = expected(name, quantity, modulation, noise)
    assert out[0] == pytest.approx(known, abs=1e-12 * unit, rel=1e-9)
    for k, parameter in enumerate(model.parameters):
        step = np.zeros(len(theta))
        step[k] = 3e-7 if parameter.unit == "eV" else 1e-3
        step[k] *= 0.3 if "broadening" in parameter.name else 1.0
        near = value(theta + step) - value(theta - step)
        far = value(theta + 2 * step) - value(theta - 2 * step)
        slope = (8 * near - far) / (12 * step[k])
        tolerance = 2e-4 * np.max(np.abs(slope))
        assert out[1 + k] == pytest.approx(slope, abs=tolerance), parameter.name
    step = 1e-7
    slope = (value(theta, BIAS + step) - value(theta, BIAS - step)) / (2 * step)
    assert out[-1] == pytest.approx(slope, abs=2e-4 * np.max(np.abs(slope)) + 1e-9)


@pytest.mark.parametrize("quantity", ["conductance", "current"])
@pytest.mark.parametrize("name", [name for name in MODELS if name != "normal"])
def test_derivatives_stay_finite_at_the_edge_of_the_domain(name, quantity):
    model = MODELS[name]
    edge = VALUES | dict.fromkeys(VALUES, 0.0) | {"temperature": 1e-3}
    for values in (edge, VALUES | {"broadening": 0.0, "exponent": 0.0, "tip_broadening": 0.0}):
        theta = model.coordinates([values[parameter] for parameter in model.names])
        bias = np.append(BIAS, [0.0, VALUES["gap"], -VALUES["gap"]])
        assert np.all(np.isfinite(evaluated(model, quantity, theta, 0.0, 0.0, bias)))


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
