"""Supercurrent through an uneven strip: cuts, holes, linear flow."""

from __future__ import annotations

import numpy as np
import pytest

from sim.samples.strip import StripPattern
from stm_daq.physics.current_flow import Strip, london_flow


def test_an_even_strip_loses_what_flows_through_the_hole() -> None:
    strip = Strip(np.full((80, 100), 2.0), 0.05)
    assert strip.critical_current == pytest.approx(8.0)
    for radius in (0.3, 0.6):
        assert strip.loss(2.5, 2.0, radius) == pytest.approx(2 * 2.0 * radius, abs=2.0 * 0.1)
    assert strip.loss(2.5, -5.0, 0.5) == 0.0
    assert strip.with_hole(2.5, 2.0, 3.0) == 0.0  # cut from edge to edge


def test_the_weakest_cut_counts() -> None:
    critical = np.full((40, 60), 3.0)
    critical[:, 30] = 1.0
    assert Strip(critical, 1.0).critical_current == pytest.approx(40.0)


def test_a_bad_pattern_is_refused() -> None:
    for bad in (np.ones((1, 5)), -np.ones((4, 4)), np.full((4, 4), np.nan)):
        with pytest.raises(ValueError, match=r"strip|sheet"):
            Strip(bad, 1.0)


def test_linear_flow_is_conserved_and_crowds_around_a_hole() -> None:
    stiffness = np.ones((161, 161))
    y, x = np.mgrid[:161, :161] - 80
    stiffness[np.hypot(x, y) < 8] = 0.0
    along, across = london_flow(stiffness, 161.0, 1.0)
    np.testing.assert_allclose(along.sum(axis=0), 161.0, rtol=1e-9)
    # around an insulating circle of radius a: 1 + (a/r)^2 beside it, 1 - (a/r)^2 before it
    assert along[80 + 16, 80] == pytest.approx(1.25, abs=0.02)
    assert along[80, 80 + 16] == pytest.approx(0.75, abs=0.02)
    assert np.all(along[80, 76:84] == 0.0)
    assert abs(across.sum()) < 1e-9
    stiffness[:, 20] = 0.0
    with pytest.raises(ValueError, match="nothing superconducting"):
        london_flow(stiffness, 1.0, 1.0)


def test_the_pattern_of_the_twin_is_a_flow() -> None:
    pattern = StripPattern(cell=50e-9)
    sheet = pattern.sheet_current
    through = sheet.sum(axis=0) * pattern.cell
    assert through.min() >= pattern.critical * (
        1 - 1e-9
    )  # the magnitude is at least the part along x
    assert pattern.model.critical_current == pytest.approx(pattern.critical, rel=0.06)
    strongest = np.unravel_index(np.argmax(sheet), sheet.shape)
    x = (strongest[1] + 0.5) * pattern.cell - pattern.length / 2
    y = (strongest[0] + 0.5) * pattern.cell - pattern.width / 2
    weakest = np.unravel_index(np.argmin(sheet[10:-10, 10:-10]), sheet[10:-10, 10:-10].shape)
    x_weak = (weakest[1] + 10.5) * pattern.cell - pattern.length / 2
    y_weak = (weakest[0] + 10.5) * pattern.cell - pattern.width / 2
    assert pattern.current_at(x, y) == sheet.max()
    assert pattern.critical_current(x, y, 1e-7) < pattern.critical_current(x_weak, y_weak, 1e-7)
