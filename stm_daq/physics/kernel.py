"""Compiled kernels behind `btk` and `dynes`: spread, convolve, gather.

Every spectrum of a normal-metal/superconductor junction is a smearing integral over energy

    g(V) = integral of sigma(E) K(E - V) dE

of the spectral conductance sigma (singular at the gap, slow elsewhere) and a smooth, even window K
(thermal smearing, possibly averaged over the lock-in's modulation) a few kT wide. A direct
quadrature needs a hundred energies for every bias. Here the energies are used once:

1. *spread*: panels of Gauss-Legendre nodes in t, with E = gap cosh(t) above and gap cos(t) below
   the gap, which removes the square-root singularity; geometrically graded towards the gap down to
   the narrowest structure. Each node w sigma(E) is spread to a uniform grid by 8-point Lagrange
   interpolation of the window, giving moments M_m = integral of sigma(E) L_m(E) dE;
2. *convolve*: g(x_n) = sum_m M_m K(x_m - x_n) on that grid, whose step is kT/4;
3. *gather*: 8-point Lagrange interpolation of g at the biases asked for.

Derivatives with respect to the parameters are the same sums with other weights or windows, so a
full Jacobian costs about six convolutions. All energies in eV, biases in V.

The kernels share one file on purpose: numba does not renew its cache of a compiled function when a
function that it calls in another file changes.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

type Array = NDArray[np.float64]

type Junction = tuple[float, float, float, float, float]
"""gap (eV), kT (eV), reflection R, broadening (eV), modulation (V peak)"""

STEP = 0.25
"""Grid step in units of kT: interpolation errors below 1e-6 of the normal conductance."""
PANEL = 3.0
"""Largest width of an energy panel in units of kT."""
TAIL = 20.0
"""The thermal window is cut where it falls to exp(-TAIL)."""
REACH = 4
"""Lagrange interpolation uses the REACH nearest grid points on each side."""
COLUMNS = 6
"""Columns of `evaluate`: value, d/d gap, d/d ln T, d/d R, d/d broadening, d/d V."""

_MOMENT = (0, 1, 0, 2, 3, 0)
_WINDOW = (0, 1, 2, 0, 0, 1)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


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
    size = math.hypot(square, cross)
    if square > 0.0:
        root_re = math.sqrt(0.5 * (size + square))
        root_im = 0.5 * cross / root_re
    else:
        root_im = math.sqrt(0.5 * (size - square))
        root_re = 0.5 * cross / root_im
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
def _lagrange(s: float, weights: Array) -> None:
    """Weights of the grid points -3 .. 4 for interpolation at s in [0, 1)."""
    left = 1.0
    for i in range(8):
        weights[i] = left
        left *= s - (i - 3.0)
    right = 1.0
    for i in range(7, -1, -1):
        weights[i] *= right
        right *= s - (i - 3.0)
    weights[0] *= -1.0 / 5040.0
    weights[1] *= 1.0 / 720.0
    weights[2] *= -1.0 / 240.0
    weights[3] *= 1.0 / 144.0
    weights[4] *= -1.0 / 144.0
    weights[5] *= 1.0 / 240.0
    weights[6] *= -1.0 / 720.0
    weights[7] *= 1.0 / 5040.0


@njit(cache=True, error_model="numpy")
def _panel_edges(junction: Junction, top: float, below: bool) -> Array:
    """Edges in t of the panels above (or below) the gap, up to energy `top`."""
    gap, kt, reflection, broadening, _ = junction
    width = PANEL * kt / gap
    finest = max(0.5 * (1.0 - reflection), math.sqrt(2.0 * broadening / gap), 1e-5)
    edges = np.empty(64 + 2 * int(max(top, gap) / (PANEL * kt)))
    edges[0] = 0.0
    count = 1
    t = 0.0
    last = 0.5 * math.pi if below else math.acosh(max(top / gap, 1.0))
    while t < last:
        step = min(max(finest, 2.0 * t), 2.0)
        if below:
            floor = math.cos(t) - width
            limit = math.acos(floor) if floor > 0.0 else last
        else:
            limit = math.acosh(math.cosh(t) + width)
        t = min(t + step, limit, last)
        edges[count] = t
        count += 1
    return edges[:count]


@njit(cache=True, error_model="numpy")
def _spread(moments: Array, centre: int, junction: Junction, top: float, derivatives: bool) -> None:
    """Fill moments[0] (sigma) and, on request, those of E sigma, d/dR and d/d broadening.

    The grid index of energy zero is `centre`; negative energies follow by symmetry.
    """
    gap, kt, reflection, broadening, _ = junction
    step = STEP * kt
    weights = np.empty(8)
    last = moments.shape[1] - REACH - 1
    for side in range(2):
        below = side == 0
        edges = _panel_edges(junction, top, below)
        for p in range(len(edges) - 1):
            half = 0.5 * (edges[p + 1] - edges[p])
            middle = 0.5 * (edges[p + 1] + edges[p])
            for k in range(8):
                t = middle + half * _NODES[k]
                if below:
                    x = -2.0 * gap * math.sin(0.5 * t) ** 2
                    weight = half * _WEIGHTS[k] * gap * math.sin(t)
                else:
                    x = 2.0 * gap * math.sinh(0.5 * t) ** 2
                    weight = half * _WEIGHTS[k] * gap * math.sinh(t)
                position = (gap + x) / step
                cell = int(position)
                if centre + cell > last:
                    continue
                sigma, by_r, by_g = spectral_conductance(x, gap, broadening, reflection)
                _lagrange(position - cell, weights)
                first = centre + cell - 3
                for i in range(8):
                    moments[0, first + i] += weights[i] * weight * sigma
                if derivatives:
                    for i in range(8):
                        share = weights[i] * weight
                        moments[1, first + i] += share * sigma * (gap + x)
                        moments[2, first + i] += share * by_r
                        moments[3, first + i] += share * by_g
    for row in range(moments.shape[0]):
        _fold(moments[row], centre, -1.0 if row == 1 else 1.0)


@njit(cache=True)
def _fold(moments: Array, centre: int, parity: float) -> None:
    """Add the negative energies: sigma is even in E (parity 1), E sigma odd (parity -1)."""
    moments[centre] *= 1.0 + parity
    for m in range(1, centre + 1):
        both = moments[centre + m] + parity * moments[centre - m]
        moments[centre + m] = both
        moments[centre - m] = parity * both


@njit(cache=True)
def _average_count(reach: float) -> int:
    """Chebyshev nodes that average a function of E/kT over +-reach to 1e-7."""
    if reach <= 0.0:
        return 1
    ratio = math.pi / reach
    return 1 + math.ceil(8.0 / math.asinh(ratio))


@njit(cache=True, error_model="numpy")
def _lockin_windows(kt: float, reach: float, band: int) -> Array:
    """Windows at -band .. band grid steps: K, dK/dE and dK/d ln T, each averaged over the lock-in.

    The lock-in weighs bias shifts by (2/pi Vm^2) sqrt(Vm^2 - v^2) (Chebyshev, second kind).
    """
    count = _average_count(reach)
    windows = np.zeros((3, 2 * band + 1))
    for node in range(1, count + 1):
        angle = math.pi * node / (count + 1)
        weight = 2.0 / (count + 1) * math.sin(angle) ** 2 / kt
        shift = reach * math.cos(angle)
        for j in range(band + 1):
            u = j * STEP + shift
            f = 1.0 / (1.0 + math.exp(u))
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
def _dc_window(reach: float, band: int) -> Array:
    """Fermi function at -band .. band grid steps, averaged over one period of the modulation."""
    count = _average_count(reach)
    window = np.zeros(2 * band + 1)
    for node in range(count):
        shift = reach * math.cos(math.pi * (node + 0.5) / count)
        for j in range(band + 1):
            window[band + j] += 1.0 / (1.0 + math.exp(j * STEP + shift)) / count
    for j in range(1, band + 1):
        window[band - j] = 1.0 - window[band + j]
    return window


@njit(cache=True)
def _convolve(moments: Array, centre: int, window: Array, out: Array) -> None:
    """out[n] = sum_j window[j] moments[n + j] for grid points -REACH ... of the bias."""
    band = (len(window) - 1) // 2
    size = len(out)
    start = centre - REACH - band
    out[:] = 0.0
    for j in range(0, 2 * band, 2):  # two window points at once halve the traffic on `out`
        near, far = window[j], window[j + 1]
        source = moments[start + j : start + j + size + 1]
        for n in range(size):
            out[n] += near * source[n] + far * source[n + 1]
    weight = window[2 * band]
    source = moments[start + 2 * band : start + 2 * band + size]
    for n in range(size):
        out[n] += weight * source[n]


@njit(cache=True)
def _grid(bias: Array, kt: float, modulation: float) -> tuple[int, int]:
    """Number of bias grid points on each side, and of the window, in steps of STEP kT."""
    largest = 0.0
    for v in bias:
        if abs(v) > largest and math.isfinite(v):
            largest = abs(v)
    cells = int(largest / (STEP * kt)) + 1
    band = int((TAIL + modulation / kt) / STEP) + 1
    return cells, band


@njit(cache=True, error_model="numpy")
def _moments(cells: int, band: int, junction: Junction, derivatives: bool) -> tuple[Array, int]:
    """Moments on the grid and the index of zero energy; a gap far below kT is the normal state."""
    gap, kt = junction[0], junction[1]
    step = STEP * kt
    centre = cells + band + 2 * REACH
    moments = np.zeros((4 if derivatives else 1, 2 * centre + 1))
    if gap < 1e-9 * kt:
        moments[0, :] = step
        return moments, centre
    top = (cells + band + REACH) * step
    _spread(moments, centre, junction, top, derivatives)
    return moments, centre


@njit(cache=True, error_model="numpy")
def _gather(bias: Array, step: float, table: Array, parity: float, out: Array) -> None:
    """Interpolate table (grid points -REACH ...) at |bias|; parity restores the sign."""
    weights = np.empty(8)
    for n in range(len(bias)):
        position = abs(bias[n]) / step
        if not math.isfinite(position):
            out[n] = math.nan
            continue
        cell = int(position)
        _lagrange(position - cell, weights)
        total = 0.0
        first = cell + REACH - 3
        for i in range(8):
            total += weights[i] * table[first + i]
        out[n] = total if bias[n] >= 0.0 else parity * total


@njit(cache=True, error_model="numpy")
def conductance(bias: Array, junction: Junction, out: Array) -> None:
    """Normalised lock-in conductance at `bias` (V, shape (n,)) into out (n,)."""
    kt, modulation = junction[1], junction[4]
    cells, band = _grid(bias, kt, modulation)
    moments, centre = _moments(cells, band, junction, False)
    windows = _lockin_windows(kt, modulation / kt, band)
    table = np.empty(cells + 2 * REACH + 1)
    _convolve(moments[0], centre, windows[0], table)
    _gather(bias, STEP * kt, table, 1.0, out)


@njit(cache=True, error_model="numpy")
def current(bias: Array, junction: Junction, out: Array) -> None:
    """Normalised dc current (V) at `bias` into out (n,).

    I(V) = integral of sigma(E) [f(E - V) - f(E)] dE with its own window, the Fermi step: a running
    sum of the moments far below V and the window near V.
    """
    kt, modulation = junction[1], junction[4]
    cells, band = _grid(bias, kt, modulation)
    moments, centre = _moments(cells, band, junction, False)
    window = _dc_window(modulation / kt, band)
    table = np.empty(cells + 2 * REACH + 1)
    _convolve(moments[0], centre, window, table)
    below = 0.0
    for n in range(len(table)):
        table[n] += below
        below += moments[0, centre - REACH + n - band]
    zero = table[REACH]
    for n in range(len(table)):
        table[n] -= zero
    _gather(bias, STEP * kt, table, -1.0, out)


@njit(cache=True, error_model="numpy")
def evaluate(bias: Array, junction: Junction, out: Array) -> None:
    """Conductance and its derivatives at `bias` into out (COLUMNS, n); see COLUMNS.

    The gap enters through E = gap y: gap d/d gap = 1 + [E sigma] * K' - broadening d/d broadening,
    which avoids the derivative of the singular sigma. The derivative with respect to the broadening
    is only computed (else 0) where there is one.
    """
    gap, kt, _, broadening, modulation = junction
    cells, band = _grid(bias, kt, modulation)
    moments, centre = _moments(cells, band, junction, True)
    windows = _lockin_windows(kt, modulation / kt, band)
    table = np.empty(cells + 2 * REACH + 1)
    for column in range(COLUMNS):
        if column == 4 and broadening == 0.0:
            out[4] = 0.0
            continue
        _convolve(moments[_MOMENT[column]], centre, windows[_WINDOW[column]], table)
        _gather(bias, STEP * kt, table, -1.0 if column == 5 else 1.0, out[column])
    for n in range(len(bias)):
        out[1, n] = (out[0, n] + out[1, n] - broadening * out[4, n]) / gap
        out[5, n] = -out[5, n]


@njit(cache=True)
def many(bias: Array, parameters: Array, dc: bool, out: Array) -> None:
    """Rows of `out` (p, n) for rows of parameters (p, 5) in the order of `Junction`.

    `bias` has p rows, or one that serves all.
    """
    for p in range(len(parameters)):
        gap, kt, reflection, broadening, modulation = parameters[p]
        junction = (gap, kt, reflection, broadening, modulation)
        row = bias[min(p, len(bias) - 1)]
        if math.isnan(gap + kt + reflection + broadening + modulation):
            out[p] = math.nan
        elif dc:
            current(row, junction, out[p])
        else:
            conductance(row, junction, out[p])
