"""Electrons of a disordered superconducting film: gap, conductivity, heat conduction, phonon cooling.

The ingredients of the model of Karki, Whitney, Basko, "Local bistability under microwave heating for
spatially mapping disordered superconductors" (2022), Appendix A. Temperatures are in Tc, frequencies
(hbar omega) in k_B Tc. Two remarks on the printed equations: A6 shows the line with the difference of
two tanh twice, but once is right (with once, Q = T^n - T_ph^n above Tc); and the real part of A3 is
the sum of its first two lines, the imaginary part is taken positive here.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stm_daq.errors import OutOfRangeError
from stm_daq.physics import bcs

type Array = NDArray[np.float64]
type Formula = Literal["sheahen", "bcs"]

GAP0 = math.pi * math.exp(-0.5772156649015329)
"""Gap at zero temperature, k_B Tc (A2)."""


def gap(temperature: ArrayLike, formula: Formula = "sheahen") -> Array:
    """Gap at electron temperature T: A1, or that of Bardeen, Cooper and Schrieffer.

        gap(T) = gap(0) sqrt(cos(pi T^2/2))    (A1; within 0.04 k_B Tc of the other)

    Parameters
    ----------
    temperature : array_like
        Tc.
    formula : {"sheahen", "bcs"}
        "sheahen" is A1, which all else in this module uses; "bcs" the weak-coupling gap equation
        (:func:`stm_daq.physics.bcs.gap`, within 1e-6).

    Returns
    -------
    ndarray
        k_B Tc; 0 at and above Tc.

    Raises
    ------
    OutOfRangeError
        If a temperature is negative or not finite.
    """
    t = _checked("temperature", temperature, at_least=0.0)
    return bcs.gap(t, GAP0, 1.0, formula=formula)


def conductivity(frequency: ArrayLike, temperature: ArrayLike) -> NDArray[np.complex128]:
    """Microwave conductivity of Mattis and Bardeen (A3, A4), in that of the normal state.

    The real part is due to quasiparticles (scattered, and for frequency > 2 gap broken out of pairs),
    the imaginary part, positive here, to the condensate. Relative accuracy 1e-10.

    Parameters
    ----------
    frequency, temperature : array_like
        Positive; k_B Tc/hbar and Tc; broadcast.

    Returns
    -------
    ndarray of complex
        1 at and above Tc.

    Raises
    ------
    OutOfRangeError
        If a frequency or temperature is not positive and finite.
    """
    from stm_daq.physics import microwave_kernel

    w = _checked("frequency", frequency, above=0.0)
    t = _checked("temperature", temperature, above=0.0)
    w, t = np.broadcast_arrays(w, t)
    columns = [np.ascontiguousarray(a).ravel() for a in (w, t, gap(t))]
    real, imaginary = np.empty(w.size), np.empty(w.size)
    microwave_kernel.conductivities(*columns, real, imaginary)
    return np.asarray((real + 1j * imaginary).reshape(w.shape))


def thermal_conductivity(temperature: ArrayLike) -> Array:
    """Heat conductivity of the electrons (A5), in that at Tc.

        (6/pi^2) T integral from gap/T to infinity of x^2 / (4 cosh^2(x/2)) dx * 2,

    which is T at and above Tc (Wiedemann-Franz).

    Parameters
    ----------
    temperature : array_like
        Tc; positive.

    Raises
    ------
    OutOfRangeError
        If a temperature is not positive and finite.
    """
    from stm_daq.physics import microwave_kernel

    t = _checked("temperature", temperature, above=0.0)
    out = np.empty(t.size)
    microwave_kernel.thermal_conductivities(t.ravel(), gap(t).ravel(), out)
    return out.reshape(t.shape)


def specific_heat(temperature: ArrayLike) -> Array:
    """Heat capacity of the electrons, in that of the normal state at Tc.

        C = (6/pi^2) integral over xi > 0 of [-df/dE] [E^2/T - (d gap^2/dT)/2],  E^2 = xi^2 + gap^2

    (J. Bardeen, L. Cooper, J. Schrieffer, Phys. Rev. 108, 1175 (1957)), with the gap of A1; T above
    Tc, and a jump of 1.49 at Tc (1.43 with the exact gap). It only sets how fast temperatures change.

    Parameters
    ----------
    temperature : array_like
        Tc; positive.

    Raises
    ------
    OutOfRangeError
        If a temperature is not positive and finite.
    """
    from stm_daq.physics import microwave_kernel

    t = _checked("temperature", temperature, above=0.0)
    fall = math.pi * GAP0**2 * t * np.sin(0.5 * math.pi * t * t)
    out = np.empty(t.size)
    microwave_kernel.specific_heats(t.ravel(), gap(t).ravel(), fall.ravel(), out)
    return out.reshape(t.shape)


def phonon_power(temperature: ArrayLike, phonon_temperature: ArrayLike, n: int = 5) -> Array:
    """Power that electrons give to phonons (A6, tanh difference once), in Sigma Tc^n.

    T^n - T_ph^n above Tc; exponentially small well below. Relative accuracy 1e-9.

    Parameters
    ----------
    temperature, phonon_temperature : array_like
        Of electrons and phonons, Tc; positive; broadcast. Negative power: phonons heat electrons.
    n : {5, 6}
        Exponent: 5 for a mean free path longer than the phonon wavelength, 6 for a shorter one.

    Raises
    ------
    OutOfRangeError
        If a temperature is not positive and finite, or `n` is neither 5 nor 6.
    """
    from stm_daq.physics import microwave_kernel

    check_exponent(n)
    t = _checked("temperature", temperature, above=0.0)
    cold = _checked("phonon_temperature", phonon_temperature, above=0.0)
    t, cold = np.broadcast_arrays(t, cold)
    columns = [np.ascontiguousarray(a).ravel() for a in (t, cold, gap(t))]
    out = np.empty(t.size)
    microwave_kernel.phonon_powers(columns[0], columns[1], n, columns[2], out)
    return out.reshape(t.shape)


def check_exponent(n: int) -> None:
    """Refuse exponents of the phonon power that the model does not have."""
    if n not in (5, 6):
        raise OutOfRangeError(f"exponent n = {n} of the phonon cooling: the model has 5 and 6")


def _checked(
    name: str, value: ArrayLike, *, at_least: float | None = None, above: float | None = None
) -> Array:
    """Return `value` as an array if it is finite and not too low."""
    found = np.asarray(value, dtype=np.float64)
    low = found < at_least if at_least is not None else found <= (above if above is not None else 0)
    if np.any(low) or not np.all(np.isfinite(found)):
        wanted = f"at least {at_least:g}" if at_least is not None else f"above {above:g}"
        raise OutOfRangeError(f"{name} must be finite and {wanted}, got {found!s:.80}")
    return found
