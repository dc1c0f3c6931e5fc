"""What an instrument sees of a hot spot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stm_daq.physics.hotspot import profiles
from stm_daq.physics.hotspot_signals import (
    absorbed_power,
    normal_ring,
    reflected_fraction,
    tunnel_conductance,
)

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference" / "bistability.json"


def test_tunnel_conductance_has_its_limits() -> None:
    bias = np.linspace(-6, 6, 25)
    np.testing.assert_allclose(tunnel_conductance(bias, 1.2, 0.3), 1.0)
    cold = tunnel_conductance(bias, 0.2, 0.1)
    np.testing.assert_allclose(cold, cold[::-1], rtol=1e-9)
    assert cold[12] < 1e-5
    # far above the gap: 1 + (gap/V)^2 / 2
    far = tunnel_conductance(np.array([60.0]), 0.2, 0.1)[0]
    assert far == pytest.approx(1 + (1.7639 / 60) ** 2 / 2, abs=1e-6)
    # the integral of g - 1 over all voltages vanishes: states are only moved
    dense = np.linspace(0, 400, 40_001)
    surplus = np.trapezoid(tunnel_conductance(dense, 0.3, 0.2) - 1, dense)
    assert surplus == pytest.approx(-(1.7639**2) / (2 * 400), abs=2e-4)
    with pytest.raises(ValueError, match="must be positive"):
        tunnel_conductance(bias, 0.0, 0.3)


@pytest.mark.skipif(not REFERENCE.exists(), reason="no reference values beside the repository")
def test_tunnel_conductance_agrees_with_the_reference() -> None:
    table = json.loads(REFERENCE.read_text())["nis"]["rows"]
    for film, tip, volts, wanted in table:
        found = tunnel_conductance(np.array([volts]), film, tip)[0]
        assert found == pytest.approx(wanted, abs=1e-5)


def test_ring_and_absorbed_power_of_the_three_states() -> None:
    cold, middle, hot = sorted(profiles(1.2, 2.0, 0.3, 0.16, 5), key=lambda p: p.peak_temperature)
    assert normal_ring(cold) is None
    ring = normal_ring(hot)
    assert ring is not None
    assert 0 <= ring[0] < 1.272 < ring[1] < 3
    absorbed = [absorbed_power(profile, 2.0) for profile in (cold, middle, hot)]
    assert absorbed == sorted(absorbed)
    available = 2 * absorbed[-1]
    reflected = [reflected_fraction(power, available) for power in absorbed]
    assert reflected[0] > reflected[-1] == pytest.approx(0.5)
    with pytest.raises(ValueError, match="check the calibration"):
        reflected_fraction(2.0, 1.0)
