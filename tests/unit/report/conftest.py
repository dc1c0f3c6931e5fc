"""A synthetic night: a dataset like that of ``stm_daq.open_run``, without twin, journal or fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
import xarray as xr

from stm_daq.physics import btk
from stm_daq.records import Array

STARTED = 1.8e9
NOISE = 3e-10
SITE = ("y", "x")


def _smooth(rng: np.random.Generator, shape: tuple[int, int], length: float) -> Array:
    """Random field with correlation `length` (pixels), mean 0, standard deviation about 1."""
    noise = np.fft.fft2(rng.standard_normal(shape))
    k2 = np.add.outer(np.fft.fftfreq(shape[0]) ** 2, np.fft.fftfreq(shape[1]) ** 2)
    field = np.fft.ifft2(noise * np.exp(-k2 * (2 * np.pi * length) ** 2 / 2)).real
    return field / (field.std() or 1.0)


def make_night(
    rows: int = 12, columns: int = 12, topograph: tuple[int, int] = (24, 24), seed: int = 3
) -> xr.Dataset:
    """A finished rehearsal of rows x columns spectra on 42 nm x 42 nm, every fit good."""
    rng = np.random.default_rng(seed)
    shape = (rows, columns)
    grain = _smooth(rng, shape, max(shape) / 12)
    true = {
        "gap": (0.6 + 0.12 * grain) * 1e-3,
        "temperature": np.clip(1.2 - 0.4 * grain + 0.1 * _smooth(rng, shape, 2), 0.4, None),
        "barrier": np.clip(1.3 + 0.7 * _smooth(rng, shape, max(shape) / 16), 0, None),
    }
    std = {"gap": 4e-6, "temperature": 0.03, "barrier": 0.02, "scale": 2e-11, "offset": 1e-6}
    fit = {name: value + std[name] * rng.standard_normal(shape) for name, value in true.items()}
    fit["barrier"] = np.abs(fit["barrier"])
    fit["scale"] = np.full(shape, 2.5e-8) * (1 + 0.02 * rng.standard_normal(shape))
    fit["offset"] = 2e-6 * rng.standard_normal(shape)
    bias = np.linspace(4e-3, -4e-3, 256)
    physical = {name: np.clip(value, 0, None) for name, value in true.items()}
    conductance = fit["scale"][..., None] * btk.conductance(
        bias - fit["offset"][..., None], **physical, modulation=1.4e-4
    )
    conductance += NOISE * rng.standard_normal(conductance.shape)
    order = np.arange(rows * columns).reshape(shape)
    time = STARTED + 300 + 3.0 * order + 240.0 * np.arange(rows)[:, None]
    ty, tx = topograph
    surface = 1e-9 * _smooth(rng, topograph, 8) if tx and ty else np.empty(topograph)
    pixel = 42e-9 / max(columns, rows)
    variables = {
        "topography": (("topograph_y", "topograph_x"), surface),
        "current": ((*SITE, "bias"), np.cumsum(conductance, -1) * (bias[1] - bias[0])),
        "conductance": ((*SITE, "bias"), conductance),
        "reduced_chi_square": (SITE, 1 + 0.09 * rng.standard_normal(shape)),
        "fit_ok": (SITE, np.ones(shape, bool)),
        "fit_flags": (SITE, np.full(shape, "", object)),
        "flags": (SITE, np.full(shape, "", object)),
        "stage_temperature": (SITE, 0.5 + 0.002 * rng.standard_normal(shape)),
        "z": (SITE, 1e-9 * grain + 1e-9 * np.arange(columns) / columns),
        "setpoint_current": (SITE, 1e-10 * (1 + 0.02 * rng.standard_normal(shape))),
        "time": (SITE, time),
    }
    variables |= {name: (SITE, value) for name, value in fit.items()}
    variables |= {f"{name}_std": (SITE, np.full(shape, std[name])) for name in fit}
    variables |= {f"true_{name}": (SITE, value) for name, value in true.items()}
    return xr.Dataset(
        variables,
        coords={
            "x": (np.arange(columns) + 0.5) * pixel,
            "y": (np.arange(rows) + 0.5) * pixel,
            "bias": bias,
            "topograph_x": (np.arange(tx) + 0.5) * 42e-9 / max(tx, 1),
            "topograph_y": (np.arange(ty) + 0.5) * 42e-9 / max(ty, 1),
        },
        attrs={
            "run_id": "2027-01-15_0800_tin",
            "kind": "rehearsal",
            "name": "TiN demo map",
            "sample": "TiN 50 nm (twin)",
            "state": "finished",
            "started": datetime.fromtimestamp(STARTED, UTC).isoformat(),
            "ended": datetime.fromtimestamp(float(time.max()) + 60, UTC).isoformat(),
            "plan_text": "plan: 1\nname: TiN demo map\n",
            "station_text": "instruments: {}\n",
            "modulation": 1.4e-4,
            "versions": json.dumps({"python": "3.12", "stm-daq": "0.1.0"}),
            "metadata": json.dumps({"fit_model": "btk"}),
        },
    )


@pytest.fixture
def night() -> Callable[..., xr.Dataset]:
    """The maker of synthetic nights."""
    return make_night


def doubt(night: xr.Dataset, doubtful: slice) -> xr.Dataset:
    """Let the model be inadequate at the sites `doubtful` (in flat order)."""
    night["fit_ok"].values.flat[doubtful] = False
    night["fit_flags"].values.flat[doubtful] = "model_inadequate,barrier_lower_limit"
    night["reduced_chi_square"].values.flat[doubtful] += 3.0
    return night


@pytest.fixture
def doubted() -> Callable[..., xr.Dataset]:
    """Turns a night into one whose model is inadequate at some sites."""
    return doubt


def spoil(night: xr.Dataset, failed: slice, first_missing_row: int | None = None) -> xr.Dataset:
    """Let the fits of the sites `failed` (in flat order) fail, and leave the last rows out."""
    bad = np.zeros(night["fit_ok"].size, bool)
    bad[failed] = True
    bad = bad.reshape(night["fit_ok"].shape)
    night["fit_ok"].values[bad] = False
    night["fit_flags"].values[bad] = "bad_fit,gap_lower_limit"
    night["reduced_chi_square"].values[bad] = 9.0
    if first_missing_row is not None:
        for variable in night.data_vars.values():
            if variable.dims[:2] == SITE and variable.dtype == np.float64:
                variable.values[first_missing_row:] = np.nan
        night["fit_ok"].values[first_missing_row:] = False
        night["fit_flags"].values[first_missing_row:] = ""
        night.attrs |= {"state": "not ended", "ended": ""}
    return night


@pytest.fixture
def spoiled() -> Callable[..., xr.Dataset]:
    """Turns a night into one with failures and missing rows."""
    return spoil
