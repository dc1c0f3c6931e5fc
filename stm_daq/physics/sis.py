"""Tunnelling between two superconductors: a superconducting tip, or debris on it, on the sample.

    I(V) = integral of N_tip(E - V) N(E) [f(E - V) - f(E)] dE,

with Dynes densities of states (see `stm_daq.physics.dynes`) and the same temperature on both sides,
thermally excited quasiparticles included: M. Tinkham, Introduction to Superconductivity, 2nd ed.,
section 3.8; S. Shapiro et al., IBM J. Res. Dev. 6, 34 (1962). Pair currents are left out. The current
jumps at V = gap + tip_gap, and where quasiparticles are excited it has a cusp at their difference. In
the measurement of TiN by a V tip (Phys. Rev. B 100, 214505 (2019), Fig. 2c) the apparent gap is such
a sum.

Without broadening the jump makes the conductance infinite, and only smearing makes it a number. The
bias therefore always carries some noise: LEAST_NOISE rms (2e-5 of the largest bias if that is more)
times exp(-(broadening + tip_broadening)/(2 LEAST_NOISE)), which no longer matters (1e-5) when the
broadenings add up to ten times LEAST_NOISE. A modulation alone would leave edges.

How it is computed: both densities of states become moments on a uniform grid (`sis_kernel`), their
correlation is a product of Fourier transforms, and modulation, noise and d/dV are factors there. The
correlation is analytic within a strip of the width of the broadenings, so its transform falls
exponentially, and so does the error with the step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.physics.btk import K_B, LOWEST_TEMPERATURE, check

type Array = NDArray[np.float64]
type Spectrum = NDArray[np.complexfloating]

LEAST_NOISE = 1e-6
"""V rms of noise that remains where no broadening smears."""

ROWS = 7
"""Rows of moments for derivatives, see `sis_kernel`."""

DECAY = 18.0
"""Fourier components below exp(-DECAY) are left out."""

COARSENESS = 0.6
"""Phase per grid step of the highest component kept: moments are good to 1e-5 there."""


def conductance(
    bias: ArrayLike,
    gap: ArrayLike,
    temperature: ArrayLike,
    tip_gap: ArrayLike,
    broadening: ArrayLike = 0.0,
    tip_broadening: ArrayLike = 0.0,
    modulation: ArrayLike = 0.0,
    noise: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Differential conductance relative to the normal state of both sides.

    Parameters
    ----------
    bias : array_like, shape (..., n) or ()
        V; any order and spacing. NaN gives NaN.
    gap, broadening, tip_gap, tip_broadening : array_like, shape (...)
        eV. A tip without gap gives :func:`stm_daq.physics.dynes.conductance`; exchanging the sides
        changes nothing.
    temperature : array_like, shape (...)
        Of both sides, K. Below `LOWEST_TEMPERATURE` that value is used.
    modulation, noise : array_like, shape (...)
        As in :func:`stm_daq.physics.btk.conductance`.

    Returns
    -------
    ndarray, shape (..., n)
        Absolute error below 1e-5 of the highest value.

    Raises
    ------
    ValueError
        If a parameter is negative or infinite, or a bias exceeds `HIGHEST_BIAS`.
    """
    columns = (gap, temperature, tip_gap, broadening, tip_broadening, modulation, noise)
    return _many(bias, columns, dc=False)


def current(
    bias: ArrayLike,
    gap: ArrayLike,
    temperature: ArrayLike,
    tip_gap: ArrayLike,
    broadening: ArrayLike = 0.0,
    tip_broadening: ArrayLike = 0.0,
    modulation: ArrayLike = 0.0,
    noise: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Direct current in units of the normal-state conductance times one volt.

    Averaged over modulation and noise. At zero temperature and broadening it is zero up to
    gap + tip_gap, jumps there by (pi/2) sqrt(gap tip_gap), and tends to V. Parameters, shapes and
    errors are those of :func:`conductance`.
    """
    columns = (gap, temperature, tip_gap, broadening, tip_broadening, modulation, noise)
    return _many(bias, columns, dc=True)


def evaluate(
    bias: Array, theta: Array, modulation: float, noise: float, out: Array, *, dc: bool = False
) -> None:
    """Conductance (current if `dc`) and derivatives for `stm_daq.physics.models`.

    `theta` is gap, ln T, tip gap, broadening, tip broadening; `out`, shape (7, n), gets the value,
    the derivatives by these and that by the bias. A derivative by a broadening of exactly 0 is given
    as 0, one by a gap of 0 too.
    """
    gap, log_temperature, tip_gap, broadening, tip_broadening = theta.tolist()
    kt = K_B * max(math.exp(log_temperature), LOWEST_TEMPERATURE)
    grid = _grid(bias, kt, broadening, tip_broadening, modulation, noise)
    tip = _transforms(grid, kt, tip_gap, tip_broadening, ROWS)
    sample = _transforms(grid, kt, gap, broadening, ROWS)
    value = _against(tip[:2], sample[:2])
    by_broadening = _against(tip[:2], sample[5:7])
    by_tip_broadening = _against(tip[5:7], sample[:2])
    heated_tip = np.conj(tip[4]) * sample[0]
    heated_sample = np.conj(tip[0]) * sample[4]
    stretched = grid.slope * _against(tip[:2], sample[2:4])
    tip_stretched = grid.slope * _against(tip[2:4], sample[:2])
    by_gap = value - heated_sample - stretched - broadening * by_broadening
    by_tip_gap = value + heated_tip + tip_stretched - tip_broadening * by_tip_broadening
    rows = (
        value,
        by_gap / gap if gap > 1e-3 * grid.step else 0.0 * value,
        heated_sample - heated_tip,
        by_tip_gap / tip_gap if tip_gap > 1e-3 * grid.step else 0.0 * value,
        by_broadening + grid.fading * value if broadening > 0.0 else 0.0 * value,
        by_tip_broadening + grid.fading * value if tip_broadening > 0.0 else 0.0 * value,
    )
    response, parity = (grid.ammeter, -1.0) if dc else (grid.lockin, 1.0)
    for row, spectrum in enumerate(rows):
        _gather(grid, bias, response * spectrum, parity, out[row])
    _gather(grid, bias, grid.slope * response * value, -parity, out[-1])


def _many(bias: ArrayLike, columns: tuple[ArrayLike, ...], *, dc: bool) -> NDArray[np.float64]:
    values = np.atleast_1d(np.asarray(bias, dtype=np.float64))
    check(values, *columns)
    leading = np.broadcast_shapes(np.broadcast(*columns).shape, values.shape[:-1])
    points = values.shape[-1]
    rows = np.broadcast_to(values, (*leading, points)).reshape(-1, points)
    parameters = np.stack([np.broadcast_to(column, leading).ravel() for column in columns], axis=-1)
    out = np.full((len(rows), points), np.nan)
    for row, numbers, into in zip(rows, parameters.tolist(), out, strict=True):
        if not any(math.isnan(number) for number in numbers):
            _one(np.ascontiguousarray(row), *numbers, dc=dc, out=into)
    shaped = out.reshape(*leading, points)
    return shaped if np.ndim(bias) else shaped[..., 0]


def _one(
    bias: Array,
    gap: float,
    temperature: float,
    tip_gap: float,
    broadening: float,
    tip_broadening: float,
    modulation: float,
    noise: float,
    *,
    dc: bool,
    out: Array,
) -> None:
    kt = K_B * max(temperature, LOWEST_TEMPERATURE)
    grid = _grid(bias, kt, broadening, tip_broadening, modulation, noise)
    tip = _transforms(grid, kt, tip_gap, tip_broadening, 2)
    sample = _transforms(grid, kt, gap, broadening, 2)
    response, parity = (grid.ammeter, -1.0) if dc else (grid.lockin, 1.0)
    _gather(grid, bias, response * _against(tip, sample), parity, out)


@dataclass(frozen=True)
class _Grid:
    """Energies and biases at multiples of `step`, and what instruments do to a Fourier component."""

    step: float
    cells: int
    """Grid steps up to the largest bias."""
    half: int
    """Grid steps up to the largest energy."""
    length: int
    """Of the Fourier transforms: zeros keep the ends from wrapping round."""
    slope: Spectrum
    """d/dV."""
    lockin: Spectrum
    ammeter: Spectrum
    fading: Array
    """d/d(broadening) through the noise that broadening makes fade."""


def _grid(
    bias: Array,
    kt: float,
    broadening: float,
    tip_broadening: float,
    modulation: float,
    noise: float,
) -> _Grid:
    from scipy.fft import next_fast_len
    from scipy.special import j0, j1

    largest = float(np.nanmax(np.abs(bias), initial=0.0))
    least = max(LEAST_NOISE, 2e-5 * largest)
    added = least**2 * math.exp(-(broadening + tip_broadening) / least)
    rms = math.sqrt(noise**2 + added)
    fermi = math.pi * kt
    strip = min(broadening + min(tip_broadening, fermi), tip_broadening + min(broadening, fermi))
    highest = 2.0 * DECAY / (strip + math.sqrt(strip**2 + 2.0 * DECAY * rms**2))
    step = COARSENESS / highest
    cells = int(largest / step) + 1
    margin = int((modulation + 6.0 * rms) / step) + 200
    half = cells + margin + int(25.0 * kt / step)
    length = next_fast_len(2 * half + cells + margin + 1, real=True)
    k = 2.0 * math.pi * np.fft.rfftfreq(length, step)
    smooth = np.exp(-0.5 * (k * rms) ** 2 - (k / highest) ** 12) / step
    phase = np.maximum(k * modulation, 1e-9)
    slope = 1j * k
    return _Grid(
        step=step,
        cells=cells,
        half=half,
        length=length,
        slope=slope,
        lockin=slope * smooth * 2.0 * j1(phase) / phase,
        ammeter=smooth * j0(phase) + 0j,
        fading=0.5 * k**2 * added / least,
    )


def _transforms(grid: _Grid, kt: float, gap: float, broadening: float, rows: int) -> Spectrum:
    from scipy.fft import rfft

    from stm_daq.physics import sis_kernel

    moments = np.zeros((rows, 2 * grid.half + 1))
    sis_kernel.electrode(gap, broadening, kt, grid.step, moments)
    return np.asarray(rfft(moments, grid.length, axis=-1))


def _against(tip: Spectrum, sample: Spectrum) -> Spectrum:
    """Current from pairs (N, N f): correlation of the tip's N f with N minus that of N with N f."""
    return np.asarray(np.conj(tip[1]) * sample[0] - np.conj(tip[0]) * sample[1])


def _gather(grid: _Grid, bias: Array, spectrum: Spectrum, parity: float, out: Array) -> None:
    from scipy.fft import irfft

    from stm_daq.physics import sis_kernel

    wave = irfft(spectrum, grid.length)
    sis_kernel.gather(bias, grid.step, grid.cells, wave, parity, out)
