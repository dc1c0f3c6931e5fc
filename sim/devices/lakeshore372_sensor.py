"""A ruthenium-oxide thermometer as a resistance bridge sees it: excited, heated, noisy."""

from __future__ import annotations

import math

REFERENCE = (2000.0, 1.0, 0.35)
"""R = 2000 Ohm (T / 1 K)^-0.35."""
CURVE = (5e-3, 40.0)
"""Ends of the calibration, K."""
BOUNDARY = 5e3
"""Thermal resistance between sensor and stage times T^3, K^4/W (a boundary resistance)."""
REFERENCE_VOLTAGE = 200e-6
"""Excitation at which the noise of a reading is as specified, V."""
SMALLEST_VOLTAGE, SMALLEST_CURRENT = 2e-6, 1e-12
"""First excitation ranges; the others follow in half decades (V and A)."""
T_OVER, T_UNDER, OPEN = 64, 128, 16
"""RDGST: temperature over and under range; resistance over range."""


def resistance(kelvin: float) -> float:
    """Return the resistance at a temperature (K), Ohm; 0 where there is no sensor."""
    ohm, unit, exponent = REFERENCE
    return ohm * (kelvin / unit) ** -exponent if kelvin > 0 else 0.0


def excitation(mode: int, number: int, ohm: float) -> tuple[float, float]:
    """Return voltage (V) and power (W) at a sensor for INTYPE's mode (0 V, 1 A) and range."""
    if ohm <= 0:
        return 0.0, 0.0
    half_decades = 10 ** ((number - 1) / 2)
    volts = SMALLEST_CURRENT * half_decades * ohm if mode else SMALLEST_VOLTAGE * half_decades
    return volts, volts**2 / ohm


def heated(kelvin: float, watts: float) -> float:
    """Return how warm a sensor becomes by its own excitation on a stage at `kelvin`, K.

    The heat P passes a boundary with resistance ``BOUNDARY / T^3``, so T^4 grows by ``4 BOUNDARY P``.
    """
    return math.sqrt(math.sqrt(kelvin**4 + 4 * BOUNDARY * watts))


def status(kelvin: float) -> int:
    """Return the bits of RDGST for a temperature (K)."""
    return T_UNDER * (kelvin < CURVE[0]) + T_OVER * (kelvin > CURVE[1])


def noise(relative: float, volts: float) -> float:
    """Return the relative noise of one reading: the less excitation, the more."""
    return relative * REFERENCE_VOLTAGE / volts if volts > 0 else math.inf
