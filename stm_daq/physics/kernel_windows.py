"""Compiled: the windows by which temperature, lock-in and noise smear, and convolutions with them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.kernel_cache import inner
from stm_daq.physics.kernel_spread import REACH, STEP, Contact, unit_of

type Array = NDArray[np.float64]

TAIL = 17.0
"""The thermal window is cut where it falls to exp(-TAIL)."""
NOISE_TAIL = 6.0
"""The noise is cut at so many standard deviations."""
ANCHOR = 16
"""Exponentials are multiplied up from one grid point to the next, and computed anew so often."""
TINY = 1e-300
"""Smaller numbers have lost digits and are computed anew too."""

VALUE, BY_BIAS, BY_TEMPERATURE, BY_SMEARING = range(4)
"""Windows: of the value, its derivatives by the bias, by ln T, and by the logarithm of all smearing."""

_HERMITE_NODES, _HERMITE_WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
_HERMITE_WEIGHTS /= math.sqrt(2.0 * math.pi)


@inner()
def band_of(contact: Contact) -> int:
    """Half width of the windows in steps of the grid."""
    reach = TAIL * contact[1] + contact[4] + NOISE_TAIL * contact[5]
    return int(reach / (STEP * unit_of(contact))) + 1


@inner()
def _lockin_shift(k: int, count: int, reach: float, dc: bool) -> tuple[float, float]:
    """Node k of `count` and its weight that average over a modulation of peak `reach`.

    The lock-in weighs bias shifts v by (2/pi Vm^2) sqrt(Vm^2 - v^2) (Chebyshev, second kind), the
    direct current by 1/(pi sqrt(Vm^2 - v^2)) (first kind).
    """
    if dc:
        return reach * math.cos(math.pi * (k + 0.5) / count), 1.0 / count
    angle = math.pi * (k + 1.0) / (count + 1.0)
    return reach * math.cos(angle), 2.0 / (count + 1.0) * math.sin(angle) ** 2


@inner()
def _noise_shift(k: int, count: int, step: float, noise: float) -> tuple[float, float]:
    """Node k of `count` and its weight that average a function of E/kT over noise of rms `noise` kT.

    The trapezoid rule, whose error falls exponentially with the distance pi of the nearest pole; five
    Gauss-Hermite nodes where the noise is small.
    """
    if noise == 0.0:
        return 0.0, 1.0
    if noise < 0.3:
        return noise * _HERMITE_NODES[k], _HERMITE_WEIGHTS[k]
    node = (k - count // 2) * step
    density = math.exp(-0.5 * (node / noise) ** 2) / math.sqrt(2.0 * math.pi)
    return node, step / noise * density


@inner()
def windows_of(contact: Contact, band: int, dc: bool) -> Array:
    """Windows (4, 2 band + 1) at -band .. band grid steps, averaged over lock-in and noise.

    For the conductance K = -df/dE and for the direct current the Fermi step f, with derivatives by
    the bias, by ln T, and by the logarithm of kT, modulation and noise together.
    """
    kt, modulation, noise = contact[1], contact[4] / contact[1], contact[5] / contact[1]
    unit = max(1.0, noise)
    digits = 8.0 if noise < 1.0 else 12.0  # a Gaussian grows along the imaginary axis
    wide, many, fine = 1, 1, min(0.8 * noise, 0.7)
    if modulation > 0.0:  # the error is exp(-2 digits)
        wide += math.ceil(digits / math.asinh(math.pi * unit / modulation))
    if noise > 0.0:
        many = 5 if noise < 0.3 else 2 * math.ceil(NOISE_TAIL * noise / fine) + 1
    windows = np.zeros((4, 2 * band + 1))
    for node in range(wide * many):
        shift, share = _lockin_shift(node // many, wide, modulation, dc)
        more, chance = _noise_shift(node % many, many, fine, noise)
        _add_window(windows, band, STEP * unit, shift + more, share * chance, dc)
    for j in range(1, band + 1):
        near, far = band + j, band - j
        if dc:
            windows[0, far], windows[2, far] = 1.0 - windows[0, near], -windows[2, near]
            windows[1, far] = windows[1, near]
        else:
            windows[0, far], windows[2, far] = windows[0, near], windows[2, near]
            windows[1, far] = -windows[1, near]
    for j in range(2 * band + 1):  # from kT to eV
        windows[3, j] = (j - band) * STEP * unit * windows[1, j]
        if not dc:
            windows[3, j] = (windows[3, j] - windows[0, j]) / kt
            windows[0, j] /= kt
            windows[2, j] /= kt
            windows[1, j] /= kt
        windows[1, j] /= kt
    return windows


@inner()
def _add_window(
    windows: Array, band: int, stride: float, shift: float, weight: float, dc: bool
) -> None:
    """Add thermal windows shifted by `shift` (kT), at 0 .. band steps of `stride` kT."""
    ratio, power = math.exp(stride), 1.0
    for j in range(band + 1):
        u = j * stride + shift
        power = power * ratio if j % ANCHOR and power > TINY else math.exp(u)
        f = 1.0 / (1.0 + power)
        thermal = f * (1.0 - f)
        if dc:
            windows[0, band + j] += weight * f
            windows[1, band + j] += weight * thermal
            windows[2, band + j] += weight * u * thermal
        else:
            steep = thermal * (1.0 - 2.0 * f)
            windows[0, band + j] += weight * thermal
            windows[1, band + j] += weight * steep
            windows[2, band + j] += weight * (u * steep - thermal)


@inner(fastmath={"contract"})
def convolve(moments: Array, start: int, window: Array, out: Array) -> None:
    """out[n] = sum_j window[j] moments[start + n + j]."""
    taps, size = len(window), len(out)
    for n in range(size):
        out[n] = 0.0
    whole = taps - taps % 4
    for j in range(0, whole, 4):  # four window points at once, to spare traffic on `out`
        w0, w1, w2, w3 = window[j], window[j + 1], window[j + 2], window[j + 3]
        near = moments[start + j : start + j + size + 3]
        for n in range(size):
            out[n] += w0 * near[n] + w1 * near[n + 1] + w2 * near[n + 2] + w3 * near[n + 3]
    for j in range(whole, taps):
        weight, near = window[j], moments[start + j : start + j + size]
        for n in range(size):
            out[n] += weight * near[n]


@inner()
def from_zero_bias(moments: Array, start: int, step: bool, out: Array) -> None:
    """Make a convolution 0 at bias 0; that with a step gets the running sum far below the bias too."""
    below = 0.0
    if step:
        for n in range(len(out)):
            out[n] += below
            below += moments[start + n]
    zero = out[REACH]
    for n in range(len(out)):
        out[n] -= zero
