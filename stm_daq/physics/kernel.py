"""Compiled kernels behind `btk` and `dynes`: spread, convolve, gather.

Every spectrum of a normal-metal/superconductor junction is a smearing integral over energy

    g(V) = integral of sigma(E) K(E - V) dE

of the spectral conductance sigma (singular at the gap, slow elsewhere) and a smooth, even window K
(thermal smearing, possibly averaged over the lock-in's modulation) a few kT wide. A direct
quadrature needs a hundred energies for every bias. Here the energies are used once:

1. *spread* (`kernel_spread`): panels of Gauss-Legendre nodes in u, with E = gap + u^2 above and
   gap - u^2 below the gap, which removes the square-root singularity; geometrically graded towards
   the gap down to the narrowest structure. Each node w sigma(E) is spread to a uniform grid by
   8-point Lagrange interpolation of the window, giving moments M_m = integral of sigma(E) L_m(E) dE;
2. *convolve* (`kernel_windows`): g(x_n) = sum_m M_m K(x_m - x_n) on that grid, whose step is a
   quarter of kT or of the rms noise, whichever is larger;
3. *gather*: 8-point Lagrange interpolation of g at the biases asked for.

Derivatives with respect to the parameters are the same sums with other weights or windows. That by
the gap follows from the others: if all energies (bias, gap, broadening, smearing) grow alike, the
conductance stays the same, and the current grows as they do. A background |E/reference|^exponent
multiplies sigma where asked for. All energies in eV, biases in V.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.btk import K_B, LOWEST_TEMPERATURE
from stm_daq.physics.kernel_cache import entry, inner
from stm_daq.physics.kernel_spread import (
    BY_BROADENING,
    BY_EXPONENT,
    BY_R,
    REACH,
    SIGMA,
    STEP,
    Contact,
    moments_of,
    places,
    unit_of,
)
from stm_daq.physics.kernel_windows import (
    BY_BIAS,
    BY_SMEARING,
    BY_TEMPERATURE,
    VALUE,
    band_of,
    convolve,
    from_zero_bias,
    windows_of,
)

type Array = NDArray[np.float64]
type Place = NDArray[np.int64]
type Places = NDArray[np.int64]

type Junction = tuple[float, float, float, float, float]
"""gap (eV), kT (eV), reflection R, broadening (eV), modulation (V peak)"""

COLUMNS = 6
"""Rows of `smear`: value, d/d gap, d/d ln T, d/d R, d/d broadening, d/d V; and d/d exponent."""
EXPONENT = 6
"""Row of the derivative by the exponent of the background, where it is asked for."""

REFERENCE = 1e-2
"""eV at which the background of `evaluate_channels` is 1."""

LANES = 8
"""Numbers that the processor handles side by side; room for all of `_CURVES`."""
_CURVES = (
    (SIGMA, VALUE),
    (SIGMA, BY_TEMPERATURE),
    (SIGMA, BY_SMEARING),
    (BY_R, VALUE),
    (BY_BROADENING, VALUE),
    (SIGMA, BY_BIAS),
    (BY_EXPONENT, VALUE),
)
"""Moments and window of every curve on the grid: the rows of `smear`, but for the gap."""


@inner()
def smear(bias: Array, contact: Contact, dc: bool, out: Array) -> None:
    """Normalised lock-in conductance (direct current in V if `dc`) and its derivatives.

    Parameters
    ----------
    bias : (n,), V
    out : (1, n) for the value alone, (COLUMNS, n) for derivatives too, or one row more: EXPONENT

    The derivative by the gap is 0 where the gap is too small to matter, that by a broadening of 0
    is given as 0.
    """
    step = STEP * unit_of(contact)
    largest = 0.0
    for n in range(len(bias)):
        if abs(bias[n]) > largest:
            largest = abs(bias[n])
    cells, band = int(largest / step) + 1, band_of(contact)
    moments, centre = moments_of(cells, band, contact, max(len(out) - 3, 1))
    windows = windows_of(contact, band, dc)
    start = centre - REACH - band
    line = np.empty(cells + 2 * REACH + 1)
    table = np.zeros((len(line), LANES))
    quiet = contact[4] == 0.0 and contact[5] == 0.0
    for curve in range(len(out)):
        moment, window = _CURVES[curve]
        if moment == BY_BROADENING and contact[3] == 0.0:
            continue
        if window != BY_SMEARING or not quiet:  # else that is the temperature
            convolve(moments[moment], start, windows[window], line)
            if dc and window != BY_BIAS:
                from_zero_bias(moments[moment], start, window == VALUE, line)
        for n in range(len(line)):
            table[n, curve] = line[n]
    _gather(bias, step, table, out)
    _finish(bias, contact, dc, out)


@inner(fastmath={"contract"})
def _gather(bias: Array, step: float, table: Array, out: Array) -> None:
    """Interpolate the curves (grid points from -REACH on, LANES) at |bias|."""
    cells, weights = np.empty(len(bias), dtype=np.int64), np.empty((8, len(bias)))
    places(bias, step, cells, weights)
    lanes = table.shape[1]  # the compiler must not know it, or it would not use the lanes
    lines = np.empty((len(bias), lanes))
    for n in range(len(bias)):
        near = table[cells[n] + 1 : cells[n] + 9]
        w0, w1, w2, w3 = weights[0, n], weights[1, n], weights[2, n], weights[3, n]
        w4, w5, w6, w7 = weights[4, n], weights[5, n], weights[6, n], weights[7, n]
        for c in range(lanes):
            lines[n, c] = (
                w0 * near[0, c] + w1 * near[1, c] + w2 * near[2, c] + w3 * near[3, c]
                + w4 * near[4, c] + w5 * near[5, c] + w6 * near[6, c] + w7 * near[7, c]
            )  # fmt: skip
    for row in range(len(out)):
        for n in range(len(bias)):
            out[row, n] = lines[n, row]


@inner()
def _finish(bias: Array, contact: Contact, dc: bool, out: Array) -> None:
    """The derivative by the gap from the others, and signs: a current is odd, its slope even."""
    gap, broadening, exponent = contact[0], contact[3], contact[6]
    if len(out) > 1:
        degree = exponent + (1.0 if dc else 0.0)
        inverse = 0.0 if gap < 1e-6 * unit_of(contact) else 1.0 / gap
        for n in range(len(bias)):
            rest = degree * out[0, n] - out[2, n] - abs(bias[n]) * out[5, n]
            rest = (rest - broadening * out[4, n]) * inverse
            out[2, n] = out[1, n]
            out[1, n] = rest
    for row in range(len(out)):
        if (row == 5) != dc:
            for n in range(len(bias)):
                out[row, n] = -out[row, n] if bias[n] < 0.0 else out[row, n]


@entry()
def evaluate(bias: Array, junction: Junction, out: Array) -> None:
    """Conductance of a noiseless junction and its derivatives at `bias` into out (COLUMNS, n).

    With out (1, n) the conductance alone.
    """
    gap, kt, reflection, broadening, modulation = junction
    smear(bias, (gap, kt, reflection, broadening, modulation, 0.0, 0.0, 1.0), False, out)


@entry()
def conductance(bias: Array, junction: Junction, out: Array) -> None:
    """Normalised lock-in conductance of a noiseless junction at `bias` (V, (n,)) into out (n,)."""
    gap, kt, reflection, broadening, modulation = junction
    columns = np.empty((1, len(out)))
    smear(bias, (gap, kt, reflection, broadening, modulation, 0.0, 0.0, 1.0), False, columns)
    for n in range(len(out)):
        out[n] = columns[0, n]


@entry()
def many(bias: Array, parameters: Array, dc: bool, out: Array) -> None:
    """Rows of `out` (p, n) for rows of parameters (p, 8) in the order of `Contact`.

    `bias` has p rows, or one that serves all.
    """
    for p in range(len(parameters)):
        gap, kt, reflection, broadening, modulation, noise, exponent, reference = parameters[p]
        contact = (gap, kt, reflection, broadening, modulation, noise, exponent, reference)
        total = gap + kt + reflection + broadening + modulation + noise + exponent + reference
        if math.isnan(total):
            for n in range(out.shape[1]):
                out[p, n] = math.nan
        else:
            smear(bias[min(p, len(bias) - 1)], contact, dc, out[p : p + 1])


@inner()
def _contact(theta: Array, place: Place, modulation: float, noise: float) -> Contact:
    """Search coordinates to a contact; colder than LOWEST_TEMPERATURE is that."""
    kt = K_B * max(math.exp(theta[place[1]]), LOWEST_TEMPERATURE)
    reflection = theta[place[2]] if place[2] >= 0 else 1.0
    broadening = theta[place[3]] if place[3] >= 0 else 0.0
    exponent = theta[place[4]] if place[4] >= 0 else 0.0
    return theta[place[0]], kt, reflection, broadening, modulation, noise, exponent, REFERENCE


@inner()
def _add(share: float, source: Array, row: int, out: Array, target: int) -> None:
    for n in range(out.shape[1]):
        out[target, n] += share * source[row, n]


@entry()
def evaluate_channels(
    bias: Array, theta: Array, places: Places, modulation: float, noise: float, dc: bool, out: Array
) -> None:
    """Parallel channels of conductance (of current if `dc`), and derivatives, into out (m + 2, n).

    `theta` (m,) holds search coordinates (see `stm_daq.physics.models`); row c of `places`, shape
    (channels, 6), tells where those of channel c are: gap, ln T, R, broadening, exponent, weight; -1
    where there is none (R = 1, broadening = exponent = 0, weight = 1). A second channel has the rest
    of the weight. No channel at all is the normal state.

    Rows of `out`: value, derivatives by each of `theta`, derivative by the bias.
    """
    last = len(out) - 1
    for row in range(len(out)):
        for n in range(len(bias)):
            out[row, n] = 0.0
    if len(places) == 0:
        for n in range(len(bias)):
            out[0, n] = bias[n] if dc else 1.0
            out[last, n] = 1.0 if dc else 0.0
    for channel in range(len(places)):
        place = places[channel]
        columns = np.empty((COLUMNS if place[4] < 0 else COLUMNS + 1, len(bias)))
        smear(bias, _contact(theta, place, modulation, noise), dc, columns)
        share, sign = 1.0, 0.0
        if place[5] >= 0:
            sign = 1.0 if channel == 0 else -1.0
            share = theta[place[5]] if channel == 0 else 1.0 - theta[place[5]]
            _add(sign, columns, 0, out, 1 + place[5])
        _add(share, columns, 0, out, 0)
        for k in range(5):
            if place[k] >= 0:
                _add(share, columns, 1 + k if k < 4 else EXPONENT, out, 1 + place[k])
        _add(share, columns, 5, out, last)
