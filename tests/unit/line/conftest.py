"""A line of spectra of a BCS film, made without the twin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from stm_daq.physics import bcs

MODULATION = 35e-6
TEMPERATURE = 1.73
SCALE = 1.3e-7
NOISE = 0.02

type LineMaker = Callable[..., xr.Dataset]


def make_line(
    count: int = 60,
    sigma: float = 0.0,
    gap: float = 2.02e-3,
    slope: float = 0.0,
    noise: float = NOISE,
    grain: int = 1,
    seed: int = 4,
) -> xr.Dataset:
    """Spectra 2 nm apart; gaps scatter by `sigma` (eV), `grain` neighbours share one."""
    rng = np.random.default_rng(seed)
    gaps = gap + sigma * np.repeat(rng.standard_normal(-(-count // grain)), grain)[:count]
    bias = np.linspace(8e-3, -8e-3, 201)
    clean = SCALE * (1 + slope * bias) * bcs.conductance(bias, gaps, TEMPERATURE, MODULATION)
    spectra = clean + noise * SCALE * rng.standard_normal(clean.shape)
    site = ("y", "x")
    return xr.Dataset(
        {
            "conductance": ((*site, "bias"), spectra[None]),
            "flags": (site, np.full((1, count), "", dtype=object)),
            "time": (site, 1.8e9 + 8.0 * np.arange(count)[None]),
            "stage_temperature": (site, np.full((1, count), 1.2)),
            "true_gap": (site, gaps[None]),
            "true_temperature": (site, np.full((1, count), TEMPERATURE)),
        },
        {"y": [0.0], "x": 2e-9 * np.arange(count), "bias": bias},
        {
            "modulation": MODULATION,
            "plan_text": 'report: {critical_temperature: "10.4 K", sheet_resistance: "900 ohm"}\n',
        },
    )


@pytest.fixture
def make() -> LineMaker:
    """The maker of lines."""
    return make_line


@pytest.fixture(scope="session")
def film() -> xr.Dataset:
    """A film with grains of three spectra, a scatter of 40 ueV, and a tilted background."""
    return make_line(90, sigma=40e-6, slope=-3.0, grain=3)


@pytest.fixture(scope="session")
def uniform() -> xr.Dataset:
    """A film whose gap is the same everywhere."""
    return make_line(60)
