"""Table I of Liao et al. (2019): spectra with its BTK parameters, fitted with both of its models."""

from __future__ import annotations

import numpy as np
import pytest

from stm_daq.fitting.spectrum import fit_spectrum
from stm_daq.physics import btk

BIAS = np.linspace(4e-3, -4e-3, 256)
MODULATION = 140e-6
TABLE = {
    "b": (0.35e-3, 1.95, 3.15),
    "c": (1.39e-3, 2.44, 1.44),
    "d": (0.66e-3, 0.94, 0.56),
    "e": (0.44e-3, 2.60, 0.003),
    "f": (0.25e-3, 0.42, 0.002),
}


def spectrum(label):
    noise = 0.02 * np.random.default_rng(1).standard_normal(len(BIAS))
    return 20e-9 * (btk.conductance(BIAS, *TABLE[label], modulation=MODULATION) + noise)


@pytest.mark.parametrize("label", TABLE)
def test_btk_finds_its_parameters_again(label):
    found = fit_spectrum(BIAS, spectrum(label), modulation=MODULATION)
    assert found.ok
    for name, true in zip(("gap", "temperature"), TABLE[label], strict=False):
        assert abs(found.values[name] - true) < 3.5 * found.std[name]
    assert found.values["barrier"] == pytest.approx(TABLE[label][2], rel=0.2, abs=0.15)


@pytest.mark.parametrize(
    ("label", "gap", "broadening"), [("b", 0.395e-3, 0.235e-3), ("c", 1.27e-3, 0.34e-3)]
)
def test_dynes_gives_what_the_paper_printed_where_it_fits_at_all(label, gap, broadening):
    """The paper's Dynes formula has no temperature: its broadening stands for everything."""
    found = fit_spectrum(BIAS, spectrum(label), model="dynes", fixed={"temperature": 0.05})
    assert found.values["gap"] == pytest.approx(gap, rel=0.05)
    assert found.values["broadening"] == pytest.approx(broadening, rel=0.1)


@pytest.mark.parametrize("label", ["d", "e", "f"])
def test_dynes_finds_no_gap_in_transparent_contacts(label):
    found = fit_spectrum(BIAS, spectrum(label), model="dynes", fixed={"temperature": 0.05})
    assert not found.ok
