"""Compiled look-up of a film's properties against electron temperature (see `hotspot_tables`).

Below Tc every property is a cubic polynomial in each of many narrow cells; above Tc it is known. The
heating comes with its first and second integral over temperature: the mean over an element of the
grid, in which the temperature rises linearly, is then exact however steep the heating is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.kernel_cache import inner

type Array = NDArray[np.float64]

type Film = tuple[Array, int, float]
"""cells (c, COLUMNS), exponent n, phonon temperature to the power n"""

EDGE, HEAT, COOL, CONDUCT = 0, 1, 7, 11
"""Columns of `cells`: lower edge; heating (4 coefficients, two integrals at the edge); cooling (4);
conductivity (4, and its integral at the edge)."""
COLUMNS = 16

K, FLUX, Q, Q_SLOPE, R, R_SLOPE, R_AREA, R_MOMENT = range(8)
"""Rows of `look_up`: thermal conductivity and its integral, phonon power and its slope, Re 1/sigma
with its slope, its integral and the integral of that."""
ROWS = 8


@inner()
def look_up(film: Film, t: Array, out: Array) -> None:
    """Properties at temperatures `t` (n,), at least the lowest of the table, into out (ROWS, n)."""
    cells, n, cold = film
    last = len(cells) - 1
    c = 0
    for i in range(len(t)):
        while c < last and t[i] >= cells[c + 1, EDGE]:
            c += 1
        while c > 0 and t[i] < cells[c, EDGE]:
            c -= 1
        x = t[i] - cells[c, EDGE]
        if c == last:  # normal
            power = t[i] ** (n - 1)
            out[K, i] = t[i]
            out[FLUX, i] = cells[c, CONDUCT + 4] + x * (1.0 + 0.5 * x)
            out[Q, i] = power * t[i] - cold
            out[Q_SLOPE, i] = n * power
            out[R, i] = 1.0
            out[R_SLOPE, i] = 0.0
            out[R_AREA, i] = cells[c, HEAT + 4] + x
            out[R_MOMENT, i] = cells[c, HEAT + 5] + x * (cells[c, HEAT + 4] + 0.5 * x)
            continue
        a, b, d, e = (
            cells[c, CONDUCT],
            cells[c, CONDUCT + 1],
            cells[c, CONDUCT + 2],
            cells[c, CONDUCT + 3],
        )
        out[K, i] = a + x * (b + x * (d + x * e))
        out[FLUX, i] = cells[c, CONDUCT + 4] + x * (a + x * (b / 2.0 + x * (d / 3.0 + x * e / 4.0)))
        a, b, d, e = cells[c, COOL], cells[c, COOL + 1], cells[c, COOL + 2], cells[c, COOL + 3]
        out[Q, i] = a + x * (b + x * (d + x * e))
        out[Q_SLOPE, i] = b + x * (2.0 * d + x * 3.0 * e)
        a, b, d, e = cells[c, HEAT], cells[c, HEAT + 1], cells[c, HEAT + 2], cells[c, HEAT + 3]
        area, moment = cells[c, HEAT + 4], cells[c, HEAT + 5]
        out[R, i] = a + x * (b + x * (d + x * e))
        out[R_SLOPE, i] = b + x * (2.0 * d + x * 3.0 * e)
        out[R_AREA, i] = area + x * (a + x * (b / 2.0 + x * (d / 3.0 + x * e / 4.0)))
        out[R_MOMENT, i] = moment + x * (
            area + x * (a / 2.0 + x * (b / 6.0 + x * (d / 12.0 + x * e / 20.0)))
        )


@inner()
def mean_heating(at: Array, t: Array, i: int) -> tuple[float, float, float, float, float]:
    """Heating of the element between nodes i and i + 1, weighted towards either end.

    With s from 0 to 1 along the element: the integral of (1 - s) R, that of s R, and the derivatives
    integral of (1 - s)^2 R', s (1 - s) R', s^2 R' by the temperatures of the nodes. `at` is what
    `look_up` gave for `t`.
    """
    rise = t[i + 1] - t[i]
    a, b = at[R, i], at[R, i + 1]
    if abs(rise) < 1e-4:  # differences of the integrals would cancel
        p, q = at[R_SLOPE, i], at[R_SLOPE, i + 1]
        first = 0.35 * a + 0.15 * b + rise * (p / 20.0 - q / 30.0)
        second = 0.15 * a + 0.35 * b + rise * (p / 30.0 - q / 20.0)
        return first, second, 0.25 * p + q / 12.0, (p + q) / 12.0, p / 12.0 + 0.25 * q
    area = at[R_AREA, i + 1] - at[R_AREA, i]
    first = (at[R_MOMENT, i + 1] - at[R_MOMENT, i] - at[R_AREA, i] * rise) / (rise * rise)
    second = area / rise - first
    return (
        first,
        second,
        (2.0 * first - a) / rise,
        (second - first) / rise,
        (b - 2.0 * second) / rise,
    )
