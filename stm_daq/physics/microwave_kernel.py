"""Compiled integrals of a superconducting film: microwave absorption, phonon cooling, heat conduction.

All energies and temperatures in one unit (k_B Tc below), f the Fermi function at the temperature T.
Scattering of quasiparticles and breaking of pairs by a photon or phonon of energy w,

    S(w) = integral from gap to infinity of dE 2 [f(E) - f(E + w)] [E (E + w) + s gap^2]
           / sqrt[(E^2 - gap^2) ((E + w)^2 - gap^2)],
    P(w) = integral from gap to w - gap of dE 2 [1 - f(E) - f(w - E)] [E (w - E) - s gap^2]
           / sqrt[(E^2 - gap^2) ((w - E)^2 - gap^2)],

have the coherence sign s = 1 for microwaves and -1 for phonons. Square-root singularities that come
close to each other, at w = 2 gap or gap = 0, are removed by substitution: with E = gap + m sinh^2 v,
m = min(w, 2 gap), the integrand of S is analytic in a strip of half-width pi/4 around the real v, so
that the trapezoid rule converges exponentially; with E = gap cosh u the half of P up to w/2 is
smooth. Differences of Fermi and Bose functions are taken by expm1, never by subtraction.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.kernel_cache import entry, inner

type Array = NDArray[np.float64]

STEPS = 40
"""Trapezoids of S."""
REACH = 38.0
"""Energies more than this many T above the edge are left out: exp(-REACH) = 3e-17."""
NODES, WEIGHTS = np.polynomial.legendre.leggauss(32)
NODES, WEIGHTS = 0.5 * (NODES + 1.0), 0.5 * WEIGHTS
"""Gauss-Legendre rule on (0, 1)."""


@inner()
def scattering(w: float, t: float, gap: float, sign: float) -> float:
    """S(w) of the module's text at temperature `t`, w > 0 and gap > 0."""
    small, large = min(w, 2.0 * gap), max(w, 2.0 * gap)
    step = math.asinh(math.sqrt(REACH * t / small)) / STEPS
    boltzmann, rest = math.exp(-w / t), -math.expm1(-w / t)
    edge = math.exp(-gap / t)
    grow, factor = math.exp(2.0 * step), 1.0
    total = 0.0
    for k in range(STEPS + 1):
        y = 0.25 * small * (factor - 2.0 + 1.0 / factor)  # small sinh^2(k step)
        factor *= grow
        occupied = edge * math.exp(-y / t)
        fermi = occupied * rest / ((1.0 + occupied) * (1.0 + occupied * boltzmann))
        energy = gap + y
        coherence = energy * (energy + w) + sign * gap * gap
        term = fermi * coherence / math.sqrt((y + large) * (y + w + 2.0 * gap))
        total += 0.5 * term if k == 0 else term
    return 4.0 * step * total


@inner()
def breaking(w: float, t: float, gap: float, sign: float) -> float:
    """P(w) of the module's text; 0 for w <= 2 gap."""
    excess = w - 2.0 * gap
    if excess <= 0.0:
        return 0.0
    reach = 2.0 * math.asinh(math.sqrt(0.25 * excess / gap))  # acosh(w/2 gap)
    rest = -math.expm1(-w / t)
    total = 0.0
    for k in range(len(NODES)):
        rise = 2.0 * gap * math.sinh(0.5 * reach * NODES[k]) ** 2  # at most half of the excess
        energy, other = gap + rise, w - gap - rise
        a, b = math.exp(-energy / t), math.exp(-other / t)
        coherence = energy * other - sign * gap * gap
        fermi = rest / ((1.0 + a) * (1.0 + b))
        total += WEIGHTS[k] * fermi * coherence / math.sqrt((excess - rise) * (other + gap))
    return 4.0 * reach * total


@inner()
def condensate(w: float, t: float, gap: float) -> float:
    """Imaginary part of the conductivity times w (third line of A3).

    The integration variable is x, from 0 to a = min(w, 2 gap), above the lower limit of the
    integral; d = |w - 2 gap|. Its lower half needs x = d sinh^2 v, its upper one a - x = a z^2 / 2.
    """
    a, d = min(w, 2.0 * gap), max(abs(w - 2.0 * gap), 1e-14 * gap)
    offset = gap * d if w < 2.0 * gap else -gap * d
    lowest = gap if w < 2.0 * gap else w - gap
    reach = math.asinh(math.sqrt(0.5 * a / d))
    total = 0.0
    for k in range(len(NODES)):
        v = reach * NODES[k]
        x = d * math.sinh(v) ** 2
        smooth = math.tanh(0.5 * (x + lowest) / t) * (x * x + x * d + offset)
        lower = reach * smooth / math.sqrt((a - x) * (x + a + d))
        x = a - 0.5 * a * NODES[k] ** 2
        smooth = math.tanh(0.5 * (x + lowest) / t) * (x * x + x * d + offset)
        upper = math.sqrt(0.5 * a) * smooth / math.sqrt(x * (x + d) * (x + a + d))
        total += 2.0 * WEIGHTS[k] * (lower + upper)
    return total


@inner()
def conductivity(w: float, t: float, gap: float) -> tuple[float, float]:
    """Real and imaginary part of the conductivity, in that of the normal state; gap > 0."""
    real = (scattering(w, t, gap, 1.0) + 0.5 * breaking(w, t, gap, 1.0)) / w
    return real, condensate(w, t, gap) / w


@inner()
def bose_difference(w: float, t: float, t_phonon: float) -> float:
    """coth(w/2t) - coth(w/2t_phonon)."""
    hot, cold = max(t, t_phonon), min(t, t_phonon)
    a, b = w / hot, w / cold
    found = 2.0 * math.exp(-a) * math.expm1(a - b) / (math.expm1(-a) * -math.expm1(-b))
    return found if t > t_phonon else -found


@inner()
def phonon_power(t: float, t_phonon: float, n: int, gap: float) -> float:
    """A6, in Sigma Tc^n, below Tc (gap > 0)."""
    reach = REACH * max(t, t_phonon)
    ends = (min(2.0 * gap, reach), reach)
    total = 0.0
    for part in range(2):
        for k in range(len(NODES)):
            if part == 0:
                w, weight = ends[0] * NODES[k], ends[0] * WEIGHTS[k]
            else:  # above 2 gap, where pairs are broken
                w = 2.0 * gap + reach * NODES[k] ** 2
                weight = 2.0 * reach * NODES[k] * WEIGHTS[k]
            absorbed = 2.0 * scattering(w, t, gap, -1.0) + breaking(w, t, gap, -1.0)
            total += weight * w ** (n - 2) * bose_difference(w, t, t_phonon) * absorbed
    zeta = 1.0369277551433699 if n == 5 else 1.0173430619844491
    return total / (4.0 * math.gamma(n) * zeta)


@inner()
def thermal_conductivity(t: float, gap: float) -> float:
    """A5 over its value at Tc: the integral is a dilogarithm of -exp(-gap/t)."""
    y = gap / t
    z = math.exp(-y)
    x = z / (1.0 + z)  # Li2(-z) = -Li2(x) - log^2(1 + z)/2, and x <= 1/2
    power, dilogarithm = 1.0, 0.0
    for k in range(1, 52):
        power *= x
        dilogarithm += power / (k * k)
    log = math.log1p(z)
    return t * 6.0 / math.pi**2 * (y * y * x + 2.0 * y * log + 2.0 * dilogarithm + log * log)


@inner()
def specific_heat(t: float, gap: float, fall: float) -> float:
    """Heat capacity over that at Tc in the normal state; `fall` is -d(gap^2)/dT.

    (6/pi^2) integral over xi > 0 of [-df/dE] [E^2/T + fall/2], E^2 = xi^2 + gap^2: even and analytic in
    xi, so that the trapezoid rule converges exponentially.
    """
    top = math.sqrt(REACH * t * (REACH * t + 2.0 * gap))
    step = top / (3 * STEPS)
    total = 0.0
    for k in range(3 * STEPS + 1):
        xi = k * step
        energy = math.sqrt(xi * xi + gap * gap)
        occupied = math.exp(-energy / t)
        term = occupied / (t * (1.0 + occupied) ** 2) * (energy * energy / t + 0.5 * fall)
        total += 0.5 * term if k == 0 else term
    return 6.0 / math.pi**2 * step * total


@entry()
def specific_heats(t: Array, gap: Array, fall: Array, out: Array) -> None:
    """Heat capacity at every (t, gap, fall); all arrays (k,)."""
    for k in range(len(t)):
        out[k] = specific_heat(t[k], gap[k], fall[k]) if gap[k] > 0.0 else t[k]


@entry()
def conductivities(w: Array, t: Array, gap: Array, real: Array, imaginary: Array) -> None:
    """Conductivity at every (w, t, gap); all arrays (k,)."""
    for k in range(len(w)):
        real[k], imaginary[k] = conductivity(w[k], t[k], gap[k]) if gap[k] > 0.0 else (1.0, 0.0)


@entry()
def phonon_powers(t: Array, t_phonon: Array, n: int, gap: Array, out: Array) -> None:
    """Power into the phonons at every (t, t_phonon, gap); all arrays (k,)."""
    for k in range(len(t)):
        if t[k] == t_phonon[k]:
            out[k] = 0.0
        elif gap[k] > 0.0:
            out[k] = phonon_power(t[k], t_phonon[k], n, gap[k])
        else:
            out[k] = t[k] ** n - t_phonon[k] ** n


@entry()
def thermal_conductivities(t: Array, gap: Array, out: Array) -> None:
    """Thermal conductivity at every (t, gap); all arrays (k,)."""
    for k in range(len(t)):
        out[k] = thermal_conductivity(t[k], gap[k])
