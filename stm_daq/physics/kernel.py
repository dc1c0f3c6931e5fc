"""Compiled kernels behind `btk` and `dynes`: spread, convolve, gather.

Every spectrum of a normal-metal/superconductor junction is a smearing integral over energy

    g(V) = integral of sigma(E) K(E - V) dE

of the spectral conductance sigma (singular at the gap, slow elsewhere) and a smooth, even window K
(thermal smearing, possibly averaged over the lock-in's modulation) a few kT wide. A direct
quadrature needs a hundred energies for every bias. Here the energies are used once:

1. *spread*: panels of Gauss-Legendre nodes in u, with E = gap + u^2 above and gap - u^2 below the
   gap, which removes the square-root singularity; geometrically graded towards the gap down to the
   narrowest structure. Each node w sigma(E) is spread to a uniform grid by 8-point Lagrange
   interpolation of the window, giving moments M_m = integral of sigma(E) L_m(E) dE;
2. *convolve*: g(x_n) = sum_m M_m K(x_m - x_n) on that grid, whose step is a quarter of kT or of
   the rms noise, whichever is larger (`_unit`);
3. *gather*: 8-point Lagrange interpolation of g at the biases asked for.

Derivatives with respect to the parameters are the same sums with other weights or windows, so a
full Jacobian costs about six convolutions. All energies in eV, biases in V.

A background |E/reference|^exponent multiplies sigma where asked for; it is one more weight.

The kernels share one file on purpose: numba does not renew its cache of a compiled function when a
function that it calls in another file changes.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from stm_daq.physics.btk import K_B, LOWEST_TEMPERATURE

type Array = NDArray[np.float64]

type Place = NDArray[np.int64]

type Places = NDArray[np.int64]

type Junction = tuple[float, float, float, float, float]
"""gap (eV), kT (eV), reflection R, broadening (eV), modulation (V peak)"""

type Contact = tuple[float, float, float, float, float, float, float, float]
"""A `Junction`, then noise (V rms), exponent and reference (eV) of the background."""

STEP = 0.25
"""Grid step in units of `_unit`: interpolation errors below 1e-6 of the normal conductance."""
PANEL = 3.0
"""Largest width of an energy panel in units of `_unit`."""
TAIL = 17.0
"""The thermal window is cut where it falls to exp(-TAIL)."""
ANCHOR = 16
"""Exponentials are multiplied up from one grid point to the next, and computed anew so often."""
TINY = 1e-300
"""Smaller numbers have lost digits and are computed anew too."""
NOISE_TAIL = 6.0
"""The noise is cut at so many standard deviations."""
SMALLEST_GAP = 1e-9
"""In units of `_unit`; smaller gaps are computed at this one, which is the normal state."""
REACH = 4
"""Lagrange interpolation uses the REACH nearest grid points on each side."""
LANES = 8
"""Numbers that the processor handles side by side; room for all columns."""
COLUMNS = 6
"""Columns of `evaluate`: value, d/d gap, d/d ln T, d/d R, d/d broadening, d/d V."""

BY_EXPONENT = 6
"""Column of the derivative by the exponent of the background, where there is one."""

REFERENCE = 1e-2
"""eV at which the background of `evaluate_channels` is 1."""

_MOMENT = (0, 1, 0, 2, 3, 0, 4)
_WINDOW = (0, 1, 2, 0, 0, 1, 0)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_LAGRANGE = (-1 / 5040, 1 / 720, -1 / 240, 1 / 144, -1 / 144, 1 / 240, -1 / 720, 1 / 5040)
_HERMITE_NODES, _HERMITE_WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
_HERMITE_WEIGHTS /= math.sqrt(2.0 * math.pi)


@njit(cache=True, error_model="numpy")
def spectral_conductance(
    x: float, gap: float, broadening: float, reflection: float
) -> tuple[float, float, float]:
    """sigma and its derivatives d/dR, d/d(broadening) at E = gap + x >= 0.

    With w = E + i broadening, a = gap / (w + sqrt(w^2 - gap^2)), A = |a|^2:
    sigma = (1 + A)(1 - R A) / |1 - R a^2|^2.
    """
    energy = gap + x
    square = x * (x + 2.0 * gap) - broadening * broadening
    cross = 2.0 * energy * broadening
    size = math.sqrt(square * square + cross * cross)
    large = math.sqrt(0.5 * (size + abs(square)))
    small = 0.5 * cross / large
    root_re = large if square > 0.0 else small
    root_im = small if square > 0.0 else large
    re = energy + root_re
    im = broadening + root_im
    norm = re * re + im * im
    a_re = gap * re / norm
    a_im = -gap * im / norm
    amplitude = gap * gap / norm
    a2_re = a_re * a_re - a_im * a_im
    a2_im = 2.0 * a_re * a_im
    one_minus = 1.0 - reflection * amplitude
    numerator = (1.0 + amplitude) * one_minus
    denominator = (1.0 - reflection * a2_re) ** 2 + (reflection * a2_im) ** 2
    sigma = numerator / denominator
    by_r = (
        -amplitude * (1.0 + amplitude) - sigma * 2.0 * (reflection * amplitude * amplitude - a2_re)
    ) / denominator
    slope = -2.0 * amplitude * root_im / size
    a2_slope = 2.0 * (a2_im * root_re - a2_re * root_im) / size
    by_g = (
        slope * (one_minus - reflection * (1.0 + amplitude))
        - sigma * 2.0 * reflection * (reflection * amplitude * slope - a2_slope)
    ) / denominator
    return sigma, by_r, by_g


@njit(cache=True, error_model="numpy")
def _lagrange(s: Array, weights: Array) -> None:
    """Weights (8, n) of the grid points -3 .. 4 for interpolation at each of s (n,) in [0, 1)."""
    count = len(s)
    for n in range(count):
        weights[0, n] = 1.0
    for i in range(1, 8):
        for n in range(count):
            weights[i, n] = weights[i - 1, n] * (s[n] - (i - 4.0))
    right = np.ones(count)
    for i in range(7, -1, -1):
        for n in range(count):
            weights[i, n] *= right[n] * _LAGRANGE[i]
            right[n] *= s[n] - (i - 3.0)


@njit(cache=True, error_model="numpy")
def _places(bias: Array, step: float) -> tuple[NDArray[np.int64], Array]:
    """Grid cell of every |bias| and Lagrange weights (8, n) in it; those of a NaN bias are NaN."""
    count = len(bias)
    cells = np.empty(count, dtype=np.int64)
    share = np.empty(count)
    for n in range(count):
        position = abs(bias[n]) / step
        cells[n] = int(position) if math.isfinite(position) else 0
        share[n] = position - cells[n]
    weights = np.empty((8, count))
    _lagrange(share, weights)
    return cells, weights


@njit(cache=True)
def _unit(contact: Contact) -> float:
    """Energy over which the window is smooth: kT or the rms noise, whichever is larger."""
    return max(contact[1], contact[5])


@njit(cache=True, error_model="numpy")
def _panel_edges(contact: Contact, top: float, below: bool, cusp: bool) -> Array:
    """Edges in u of the panels above (or below) the gap, up to energy `top`; E = gap +- u^2.

    With `cusp` the panels below the gap are also graded towards zero energy.
    """
    gap, _, reflection, broadening, _, _, _, _ = contact
    width = PANEL * _unit(contact)
    finest = max(0.5 * (1.0 - reflection) * math.sqrt(0.5 * gap), math.sqrt(broadening))
    finest = max(finest, 1e-5 * math.sqrt(gap))
    edges = np.empty(96 + 2 * int(max(top, gap) / width))
    edges[0] = 0.0
    count = 1
    u = 0.0
    last = math.sqrt(gap if below else max(top - gap, 0.0))
    while u < last:
        limit = min(math.sqrt(u * u + width), u + max(finest, 2.0 * u))
        if below and cusp and last - u > 1e-6 * min(math.sqrt(width), last):
            limit = min(limit, u + 0.75 * (last - u))
        u = min(limit, last)
        edges[count] = u
        count += 1
    return edges[:count]


@njit(cache=True, error_model="numpy")
def _nodes(contact: Contact, top: float, cusp: bool) -> tuple[Array, Array]:
    """Distances from the gap of the nodes of the quadrature up to energy `top`, and their weights."""
    below = _panel_edges(contact, top, True, cusp)
    above = _panel_edges(contact, top, False, cusp)
    panels = len(below) - 1
    distance = np.empty(8 * (panels + len(above) - 1))
    weight = np.empty(len(distance))
    for p in range(len(distance) // 8):
        sign, edges, first = (-1.0, below, p) if p < panels else (1.0, above, p - panels)
        half = 0.5 * (edges[first + 1] - edges[first])
        middle = 0.5 * (edges[first + 1] + edges[first])
        for k in range(8):
            u = middle + half * _NODES[k]
            distance[8 * p + k] = sign * u * u
            weight[8 * p + k] = 2.0 * half * _WEIGHTS[k] * u
    return distance, weight


@njit(cache=True, error_model="numpy")
def _spread(moments: Array, centre: int, contact: Contact, top: float, cusp: bool) -> None:
    """Fill moments[0] (sigma) and, if there are more rows, E sigma, d/dR, d/d broadening, d/d exponent.

    The grid index of energy zero is `centre`; negative energies follow by symmetry.
    """
    gap, _, reflection, broadening, _, _, exponent, reference = contact
    distance, weight = _nodes(contact, top, cusp)
    energy = gap + distance
    logarithm = np.log(energy / reference) if cusp else energy
    if cusp:
        weight *= np.exp(exponent * logarithm)
    rows = np.empty((5, len(weight)))
    for n in range(len(weight)):  # all nodes first: the processor does several side by side
        sigma, by_r, by_g = spectral_conductance(distance[n], gap, broadening, reflection)
        rows[0, n] = weight[n] * sigma
        rows[1, n] = weight[n] * sigma * energy[n]
        rows[2, n] = weight[n] * by_r
        rows[3, n] = weight[n] * by_g
        if cusp:
            rows[4, n] = rows[0, n] * logarithm[n]
    cells, shares = _places(energy, STEP * _unit(contact))
    for n in range(len(weight)):
        first = centre + cells[n] - 3
        if first + 8 >= moments.shape[1]:
            continue
        for m in range(len(moments)):
            for i in range(8):
                moments[m, first + i] += shares[i, n] * rows[m, n]
    for m in range(len(moments)):
        _fold(moments[m], centre, -1.0 if m == 1 else 1.0)


@njit(cache=True)
def _fold(moments: Array, centre: int, parity: float) -> None:
    """Add the negative energies: sigma is even in E (parity 1), E sigma odd (parity -1)."""
    moments[centre] *= 1.0 + parity
    for m in range(1, centre + 1):
        both = moments[centre + m] + parity * moments[centre - m]
        moments[centre + m] = both
        moments[centre - m] = parity * both


@njit(cache=True, error_model="numpy")
def _lockin_nodes(reach: float, digits: float, dc: bool) -> tuple[Array, Array]:
    """Nodes and weights that average over the modulation, `reach` its peak in `_unit`s.

    The lock-in weighs bias shifts v by (2/pi Vm^2) sqrt(Vm^2 - v^2) (Chebyshev, second kind), the
    direct current by 1/(pi sqrt(Vm^2 - v^2)) (first kind). The error is exp(-2 digits).
    """
    count = 1 if reach <= 0.0 else 1 + math.ceil(digits / math.asinh(math.pi / reach))
    nodes = np.empty(count)
    weights = np.empty(count)
    for k in range(count):
        if dc:
            angle = math.pi * (k + 0.5) / count
            weights[k] = 1.0 / count
        else:
            angle = math.pi * (k + 1.0) / (count + 1.0)
            weights[k] = 2.0 / (count + 1.0) * math.sin(angle) ** 2
        nodes[k] = reach * math.cos(angle)
    return nodes, weights


@njit(cache=True, error_model="numpy")
def _noise_nodes(noise: float) -> tuple[Array, Array]:
    """Nodes and weights that average a function of E/kT over Gaussian noise of rms `noise` kT.

    The trapezoid rule, whose error falls exponentially with the distance pi of the nearest pole; five
    Gauss-Hermite nodes where the noise is small.
    """
    if noise < 0.3:
        return noise * _HERMITE_NODES, _HERMITE_WEIGHTS
    step = min(0.8 * noise, 0.7)
    half = math.ceil(NOISE_TAIL * noise / step)
    nodes = np.empty(2 * half + 1)
    weights = np.empty(2 * half + 1)
    for k in range(2 * half + 1):
        nodes[k] = (k - half) * step
        weights[k] = (
            step / noise * math.exp(-0.5 * (nodes[k] / noise) ** 2) / math.sqrt(2.0 * math.pi)
        )
    return nodes, weights


@njit(cache=True, error_model="numpy")
def _shifts(contact: Contact, dc: bool) -> tuple[Array, Array]:
    """Shifts of the bias by modulation and noise, in kT, and their weights."""
    kt, modulation, noise = contact[1], contact[4], contact[5]
    unit = _unit(contact)
    if noise == 0.0:
        return _lockin_nodes(modulation / kt, 8.0, dc)
    digits = 8.0 if noise < kt else 12.0  # a Gaussian grows along the imaginary axis
    wide, wide_weights = _lockin_nodes(modulation / unit, digits, dc)
    nodes, weights = _noise_nodes(noise / kt)
    shifts = np.empty(len(wide) * len(nodes))
    shares = np.empty(len(shifts))
    for i in range(len(wide)):
        for k in range(len(nodes)):
            shifts[i * len(nodes) + k] = wide[i] * unit / kt + nodes[k]
            shares[i * len(nodes) + k] = wide_weights[i] * weights[k]
    return shifts, shares


@njit(cache=True, error_model="numpy")
def _ac_windows(contact: Contact, band: int) -> Array:
    """Windows at -band .. band grid steps: K, dK/dE and dK/d ln T, averaged over lock-in and noise."""
    kt = contact[1]
    stride = STEP * _unit(contact) / kt
    ratio, power = math.exp(stride), 1.0
    shifts, weights = _shifts(contact, False)
    windows = np.zeros((3, 2 * band + 1))
    for node in range(len(shifts)):
        weight = weights[node] / kt
        for j in range(band + 1):
            u = j * stride + shifts[node]
            power = power * ratio if j % ANCHOR and power > TINY else math.exp(u)
            f = 1.0 / (1.0 + power)
            thermal = f * (1.0 - f)
            slope = -thermal * (1.0 - 2.0 * f)
            windows[0, band + j] += weight * thermal
            windows[1, band + j] += weight * slope / kt
            windows[2, band + j] -= weight * (thermal + u * slope)
    for j in range(1, band + 1):
        windows[0, band - j] = windows[0, band + j]
        windows[1, band - j] = -windows[1, band + j]
        windows[2, band - j] = windows[2, band + j]
    return windows


@njit(cache=True, error_model="numpy")
def _dc_windows(contact: Contact, band: int) -> Array:
    """Windows at -band .. band grid steps: f, -df/dE and df/d ln T, averaged over modulation, noise."""
    kt = contact[1]
    stride = STEP * _unit(contact) / kt
    ratio, power = math.exp(stride), 1.0
    shifts, weights = _shifts(contact, True)
    windows = np.zeros((3, 2 * band + 1))
    for node in range(len(shifts)):
        for j in range(band + 1):
            u = j * stride + shifts[node]
            power = power * ratio if j % ANCHOR and power > TINY else math.exp(u)
            f = 1.0 / (1.0 + power)
            thermal = weights[node] * f * (1.0 - f)
            windows[0, band + j] += weights[node] * f
            windows[1, band + j] += thermal / kt
            windows[2, band + j] += u * thermal
    for j in range(1, band + 1):
        windows[0, band - j] = 1.0 - windows[0, band + j]
        windows[1, band - j] = windows[1, band + j]
        windows[2, band - j] = -windows[2, band + j]
    return windows


@njit(cache=True, fastmath={"contract"})
def _convolve(moments: Array, centre: int, window: Array, out: Array) -> None:
    """out[n] = sum_j window[j] moments[n + j] for grid points -REACH ... of the bias."""
    taps = len(window)
    size = len(out)
    start = centre - REACH - (taps - 1) // 2
    out[:] = 0.0
    for j in range(0, taps - 3, 4):  # four window points at once, to spare traffic on `out`
        w0, w1, w2, w3 = window[j], window[j + 1], window[j + 2], window[j + 3]
        source = moments[start + j : start + j + size + 3]
        for n in range(size):
            out[n] += w0 * source[n] + w1 * source[n + 1] + w2 * source[n + 2] + w3 * source[n + 3]
    for j in range(taps - taps % 4, taps):
        weight = window[j]
        source = moments[start + j : start + j + size]
        for n in range(size):
            out[n] += weight * source[n]


@njit(cache=True)
def _convolve_step(moments: Array, centre: int, window: Array, out: Array) -> None:
    """`_convolve` for a step: a running sum far below the bias, the window near it; 0 at bias 0."""
    band = (len(window) - 1) // 2
    _convolve(moments, centre, window, out)
    below = 0.0
    for n in range(len(out)):
        out[n] += below
        below += moments[centre - REACH + n - band]
    _subtract_zero(out)


@njit(cache=True)
def _subtract_zero(table: Array) -> None:
    zero = table[REACH]
    for n in range(len(table)):
        table[n] -= zero


@njit(cache=True)
def _grid(bias: Array, contact: Contact) -> tuple[int, int]:
    """Number of bias grid points on each side, and of the window, in steps of the grid."""
    step = STEP * _unit(contact)
    largest = 0.0
    for v in bias:
        if abs(v) > largest and math.isfinite(v):
            largest = abs(v)
    cells = int(largest / step) + 1
    band = int((TAIL * contact[1] + contact[4] + NOISE_TAIL * contact[5]) / step) + 1
    return cells, band


@njit(cache=True, error_model="numpy")
def _moments(cells: int, band: int, contact: Contact, rows: int) -> tuple[Array, int]:
    """Moments on the grid (see `_spread`) and the index of zero energy."""
    gap, kt, reflection, broadening, modulation, noise, exponent, reference = contact
    unit = _unit(contact)
    gap = max(gap, SMALLEST_GAP * unit)
    filled = (gap, kt, reflection, broadening, modulation, noise, exponent, reference)
    centre = cells + band + 2 * REACH
    moments = np.zeros((rows, 2 * centre + 1))
    top = (cells + band + REACH) * STEP * unit
    _spread(moments, centre, filled, top, exponent > 0.0 or rows > 4)
    return moments, centre


@njit(cache=True, error_model="numpy")
def _gather(bias: Array, step: float, table: Array, parity: float, out: Array) -> None:
    """Interpolate table (grid points -REACH ...) at |bias|; parity restores the sign."""
    cells, weights = _places(bias, step)
    for n in range(len(bias)):
        first = cells[n] + REACH - 3
        total = 0.0
        for i in range(8):
            total += weights[i, n] * table[first + i]
        out[n] = total if bias[n] >= 0.0 else parity * total


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _gather_columns(bias: Array, step: float, table: Array, odd: int, out: Array) -> None:
    """`_gather` for the columns of table (grid points, LANES) at once; column `odd` changes sign."""
    cells, weights = _places(bias, step)
    lanes = np.empty(LANES)
    for n in range(len(bias)):
        near = table[cells[n] + REACH - 3 : cells[n] + REACH + 5]
        w0, w1, w2, w3 = weights[0, n], weights[1, n], weights[2, n], weights[3, n]
        w4, w5, w6, w7 = weights[4, n], weights[5, n], weights[6, n], weights[7, n]
        for c in range(LANES):
            lanes[c] = (
                w0 * near[0, c] + w1 * near[1, c] + w2 * near[2, c] + w3 * near[3, c]
                + w4 * near[4, c] + w5 * near[5, c] + w6 * near[6, c] + w7 * near[7, c]
            )  # fmt: skip
        if bias[n] < 0.0:
            lanes[odd] = -lanes[odd]
        for c in range(len(out)):
            out[c, n] = lanes[c]


@njit(cache=True, error_model="numpy")
def contact_conductance(bias: Array, contact: Contact, out: Array) -> None:
    """Normalised lock-in conductance at `bias` (V, shape (n,)) into out (n,)."""
    cells, band = _grid(bias, contact)
    moments, centre = _moments(cells, band, contact, 1)
    table = np.empty(cells + 2 * REACH + 1)
    _convolve(moments[0], centre, _ac_windows(contact, band)[0], table)
    _gather(bias, STEP * _unit(contact), table, 1.0, out)


@njit(cache=True, error_model="numpy")
def contact_current(bias: Array, contact: Contact, out: Array) -> None:
    """Normalised dc current (V) at `bias` into out (n,).

    I(V) = integral of sigma(E) [f(E - V) - f(E)] dE with its own window, the Fermi step: a running
    sum of the moments far below V and the window near V.
    """
    cells, band = _grid(bias, contact)
    moments, centre = _moments(cells, band, contact, 1)
    table = np.empty(cells + 2 * REACH + 1)
    _convolve_step(moments[0], centre, _dc_windows(contact, band)[0], table)
    _gather(bias, STEP * _unit(contact), table, -1.0, out)


@njit(cache=True, error_model="numpy")
def contact_evaluate(bias: Array, contact: Contact, out: Array) -> None:
    """Conductance and derivatives at `bias` into out (COLUMNS, n), or one more row: BY_EXPONENT.

    The gap enters through E = gap y: gap d/d gap = 1 + exponent + [E sigma] * K' - broadening
    d/d broadening, which avoids the derivative of the singular sigma; it is 0 where the gap is too
    small to matter. The derivative by the broadening is computed (else 0) where there is one.
    """
    gap, broadening, exponent = contact[0], contact[3], contact[6]
    cells, band = _grid(bias, contact)
    moments, centre = _moments(cells, band, contact, 5 if len(out) > COLUMNS else 4)
    windows = _ac_windows(contact, band)
    line = np.empty(cells + 2 * REACH + 1)
    table = np.zeros((len(line), LANES))
    unit = _unit(contact)
    for column in range(len(out)):
        if column == 4 and broadening == 0.0:
            continue
        _convolve(moments[_MOMENT[column]], centre, windows[_WINDOW[column]], line)
        table[:, column] = line
    _gather_columns(bias, STEP * unit, table, 5, out)
    if gap < 1e-6 * unit:
        out[1] = 0.0
        gap = math.inf
    for n in range(len(bias)):
        scaled = (1.0 + exponent) * out[0, n] + out[1, n] - broadening * out[4, n]
        out[1, n] = scaled / gap
        out[5, n] = -out[5, n]


@njit(cache=True, error_model="numpy")
def contact_evaluate_current(bias: Array, contact: Contact, out: Array) -> None:
    """Direct current and its derivatives at `bias`, in the rows of `contact_evaluate`."""
    gap, broadening, exponent = contact[0], contact[3], contact[6]
    cells, band = _grid(bias, contact)
    moments, centre = _moments(cells, band, contact, 5 if len(out) > COLUMNS else 4)
    windows = _dc_windows(contact, band)
    table = np.empty(cells + 2 * REACH + 1)
    step = STEP * _unit(contact)
    for column in range(len(out)):
        if column == 4 and broadening == 0.0:
            out[4] = 0.0
            continue
        source = moments[_MOMENT[column]]
        if column in (1, 2, 5):
            _convolve(source, centre, windows[_WINDOW[column]], table)
        else:
            _convolve_step(source, centre, windows[0], table)
        if column in (1, 2):
            _subtract_zero(table)
        _gather(bias, step, table, 1.0 if column == 5 else -1.0, out[column])
    if gap < 1e-6 * _unit(contact):
        out[1] = 0.0
        gap = math.inf
    for n in range(len(bias)):
        scaled = (1.0 + exponent) * out[0, n] - out[1, n] - broadening * out[4, n]
        out[1, n] = scaled / gap


@njit(cache=True, error_model="numpy")
def conductance(bias: Array, junction: Junction, out: Array) -> None:
    """Normalised lock-in conductance of a noiseless junction at `bias` (V, (n,)) into out (n,)."""
    gap, kt, reflection, broadening, modulation = junction
    contact = (gap, kt, reflection, broadening, modulation, 0.0, 0.0, 1.0)
    contact_conductance(bias, contact, out)


@njit(cache=True, error_model="numpy")
def evaluate(bias: Array, junction: Junction, out: Array) -> None:
    """Conductance of a noiseless junction and its derivatives at `bias` into out (COLUMNS, n)."""
    gap, kt, reflection, broadening, modulation = junction
    contact = (gap, kt, reflection, broadening, modulation, 0.0, 0.0, 1.0)
    contact_evaluate(bias, contact, out)


@njit(cache=True)
def many(bias: Array, parameters: Array, dc: bool, out: Array) -> None:
    """Rows of `out` (p, n) for rows of parameters (p, 8) in the order of `Contact`.

    `bias` has p rows, or one that serves all.
    """
    for p in range(len(parameters)):
        gap, kt, reflection, broadening, modulation, noise, exponent, reference = parameters[p]
        contact = (gap, kt, reflection, broadening, modulation, noise, exponent, reference)
        row = bias[min(p, len(bias) - 1)]
        if math.isnan(np.sum(parameters[p])):
            out[p] = math.nan
        elif dc:
            contact_current(row, contact, out[p])
        else:
            contact_conductance(row, contact, out[p])


@njit(cache=True, error_model="numpy")
def _contact(theta: Array, place: Place, modulation: float, noise: float) -> Contact:
    """Search coordinates to a contact; colder than LOWEST_TEMPERATURE is that."""
    kt = K_B * max(math.exp(theta[place[1]]), LOWEST_TEMPERATURE)
    reflection = theta[place[2]] if place[2] >= 0 else 1.0
    broadening = theta[place[3]] if place[3] >= 0 else 0.0
    exponent = theta[place[4]] if place[4] >= 0 else 0.0
    gap = theta[place[0]]
    return gap, kt, reflection, broadening, modulation, noise, exponent, REFERENCE


@njit(cache=True, error_model="numpy")
def _add_channel(theta: Array, place: Place, first: bool, columns: Array, out: Array) -> None:
    """Add the columns of one channel, by its weight, to the rows of a model."""
    share, sign = 1.0, 0.0
    if place[5] >= 0:
        sign = 1.0 if first else -1.0
        share = theta[place[5]] if first else 1.0 - theta[place[5]]
    _add(share, columns[0], out[0])
    for k in range(4):
        if place[k] >= 0:
            _add(share, columns[1 + k], out[1 + place[k]])
    if place[4] >= 0:
        _add(share, columns[BY_EXPONENT], out[1 + place[4]])
    if place[5] >= 0:
        _add(sign, columns[0], out[1 + place[5]])
    _add(share, columns[5], out[len(out) - 1])


@njit(cache=True)
def _add(share: float, source: Array, out: Array) -> None:
    for n in range(len(out)):
        out[n] += share * source[n]


@njit(cache=True, error_model="numpy")
def evaluate_channels(
    bias: Array, theta: Array, places: Places, modulation: float, noise: float, out: Array
) -> None:
    """Parallel channels of conductance, and derivatives, into out (len(theta) + 2, n).

    `theta` holds search coordinates (see `stm_daq.physics.models`); row c of `places`, shape
    (channels, 6), tells where those of channel c are: gap, ln T, R, broadening, exponent, weight; -1
    where there is none (R = 1, broadening = exponent = 0, weight = 1). A second channel has the rest
    of the weight. No channel at all is the normal state.

    Rows of `out`: value, derivatives by each of `theta`, derivative by the bias.
    """
    out[:] = 0.0
    if len(places) == 0:
        out[0] = 1.0
    for channel in range(len(places)):
        place = places[channel]
        columns = np.empty((COLUMNS if place[4] < 0 else COLUMNS + 1, len(bias)))
        contact_evaluate(bias, _contact(theta, place, modulation, noise), columns)
        _add_channel(theta, place, channel == 0, columns, out)


@njit(cache=True, error_model="numpy")
def evaluate_channels_current(
    bias: Array, theta: Array, places: Places, modulation: float, noise: float, out: Array
) -> None:
    """The direct current in place of the conductance of `evaluate_channels`."""
    out[:] = 0.0
    if len(places) == 0:
        out[0] = bias
        out[-1] = 1.0
    for channel in range(len(places)):
        place = places[channel]
        columns = np.empty((COLUMNS if place[4] < 0 else COLUMNS + 1, len(bias)))
        contact_evaluate_current(bias, _contact(theta, place, modulation, noise), columns)
        _add_channel(theta, place, channel == 0, columns, out)
