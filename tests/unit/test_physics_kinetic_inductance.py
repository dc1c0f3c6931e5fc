"""Sheet kinetic inductance against the numbers of the paper and its limits."""

from __future__ import annotations

import numpy as np
import pytest

from stm_daq.physics.btk import K_B
from stm_daq.physics.kinetic_inductance import sheet_inductance

HBAR = 1.054571817e-34
CHARGE = 1.602176634e-19

TABLE = [  # sheet resistance (ohm), gap (meV), sheet inductance (pH): J. Lorenz et al., Table I
    (80, 2.11, 7.94),
    (900, 2.02, 93.4),
    (1400, 1.60, 183),
    (50, 2.85, 3.68),
    (100, 2.7, 7.76),
    (140, 2.4, 12.2),
]


@pytest.mark.parametrize(("ohms", "gap", "henries"), TABLE)
def test_the_table_of_the_paper(ohms, gap, henries):
    assert sheet_inductance(ohms, gap * 1e-3) * 1e12 == pytest.approx(henries, rel=0.006)


def test_it_is_hbar_r_over_pi_gap_when_cold():
    assert sheet_inductance(900.0, 2e-3) == pytest.approx(
        HBAR * 900 / (np.pi * 2e-3 * CHARGE), rel=1e-8
    )
    assert sheet_inductance(900.0, 2e-3, 0.5) == pytest.approx(sheet_inductance(900.0, 2e-3))


def test_it_grows_as_the_gap_closes():
    gap, kelvin = 1e-6, 10.0
    near_tc = 2 * 4.135667696e-15 * 900 * K_B * kelvin / (np.pi**2 * gap**2) / 2
    assert sheet_inductance(900.0, gap, kelvin) == pytest.approx(near_tc, rel=1e-4)
    ten = sheet_inductance(900.0, 10 * K_B * kelvin, kelvin) / sheet_inductance(
        900.0, 10 * K_B * kelvin
    )
    assert ten - 1 == pytest.approx(9.1e-5, rel=0.01)


@pytest.mark.parametrize("bad", [(-1.0, 1e-3, 0.0), (1.0, 0.0, 0.0), (1.0, 1e-3, -1.0)])
def test_what_no_film_has_is_refused(bad):
    with pytest.raises(ValueError, match="must"):
        sheet_inductance(*bad)
