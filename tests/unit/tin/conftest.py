"""Runs on the twin's TiN films as the journal would give them, without rehearsal and without fit."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from sim.samples.tin import TinFilm

STD = {"gap": 3e-6, "temperature": 0.015, "barrier": 0.012}
"""What the fits of a rehearsal state, about."""
PLAN = """
plan: 1
report:
  recipe: tin
  critical_temperature: "4.7 K"
  regions:
    left: [["0 nm", "0 nm"], ["40 nm", "0 nm"], ["40 nm", "60 nm"], ["0 nm", "60 nm"]]
    right: [["50 nm", "10 nm"], ["90 nm", "10 nm"], ["70 nm", "55 nm"]]
"""


def make_film(
    film: TinFilm | None = None,
    shape: tuple[int, int] = (30, 48),
    pitch: float = 2e-9,
    seed: int = 1,
    origin: tuple[float, float] = (-150e-9, -80e-9),
) -> xr.Dataset:
    """A finished run whose fits are the film's truth with noise of the stated size."""
    film = film or TinFilm(seed)
    rng = np.random.default_rng(seed)
    y, x = ((np.arange(n) + 0.25) * pitch for n in shape)
    fine_y, fine_x = ((np.arange(2 * n) + 0.5) * pitch / 2 for n in shape)
    here = film.properties(*np.meshgrid(x + origin[0], y + origin[1]))
    true = {name: getattr(here, name) for name in STD}
    site = ("y", "x")
    variables = {
        "topography": (
            ("topograph_y", "topograph_x"),
            film.height(*np.meshgrid(fine_x + origin[0], fine_y + origin[1])),
        ),
        "z": (site, here.height),
        "time": (site, np.arange(x.size * y.size, dtype=float).reshape(shape)),
        "conductance": ((*site, "bias"), np.ones((*shape, 2))),
        "fit_ok": (site, np.ones(shape, bool)),
        "fit_flags": (site, np.full(shape, "", object)),
        "flags": (site, np.full(shape, "", object)),
    }
    for name, std in STD.items():
        variables[name] = (site, true[name] + std * rng.standard_normal(shape))
        variables[f"{name}_std"] = (site, np.full(shape, std))
        variables[f"true_{name}"] = (site, true[name])
    return xr.Dataset(
        variables,
        coords={
            "x": x,
            "y": y,
            "topograph_x": fine_x,
            "topograph_y": fine_y,
            "bias": [-4e-3, 4e-3],
        },
        attrs={"metadata": json.dumps({"fit_model": "btk"}), "plan_text": PLAN},
    )


@pytest.fixture
def film() -> Callable[..., xr.Dataset]:
    """The maker of runs on TiN."""
    return make_film


@pytest.fixture(scope="module")
def film_of_module() -> Callable[..., xr.Dataset]:
    """The same, for runs that the tests of a module share."""
    return make_film
