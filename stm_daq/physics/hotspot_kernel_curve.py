"""Compiled walk along the curve of all steady profiles, through its folds.

The distance between two states is made of that of log J and of the profile, STRETCH times its root
mean square over the nodes. A step is taken along the tangent and corrected by Newton's method at right
angles to it. A step in which the curve turns too much, or d(log J)/ds falls by more than a factor, is
taken again half as long, so that two folds close to each other are not stepped over.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.hotspot_kernel_balance import Balance, Mesh, balance, eliminate
from stm_daq.physics.hotspot_kernel_film import Film
from stm_daq.physics.hotspot_kernel_solve import SETTLED, advance, largest, relax, workspace
from stm_daq.physics.kernel_cache import entry, inner

type Array = NDArray[np.float64]

STRETCH = 4.0
LONGEST, SHORTEST = 0.1, 1e-4
"""Lengths of a step along the curve."""
FALL = 0.4
"""Least ratio of d(log J)/ds after a step and before."""
TURN = 0.95
"""Least cosine between the tangents after a step and before."""

LOG_DRIVE, CORE, PEAK, MODES, SLOPE, FOLD = range(6)
"""Columns of a curve: log J, T at r = 0 and highest T, growing modes, d(log J)/ds, 1 at a fold."""
COLUMNS = 6


@inner()
def correct(
    film: Film, mesh: Mesh, point: Array, tangent: Array, length: float, out: Balance, new: Array
) -> tuple[int, int]:
    """Take a step along the curve, from `point` (n + 1: profile, log J) into `new`.

    Returns growing modes, or -1 if it fails, and the number of iterations; `out` then holds the
    factors for `bend`.
    """
    n = len(point) - 1
    weight = STRETCH**2 / n
    step, slope, nothing = np.empty(n), np.empty(n), np.zeros(n)
    for i in range(n + 1):
        new[i] = point[i] + length * tangent[i]
    for iteration in range(8):
        balance(film, mesh, math.exp(2.0 * new[n]), new[:n], out)
        modes = eliminate(out, nothing, step, slope)
        along, across = tangent[n], 0.0
        for i in range(n):
            along += weight * tangent[i] * slope[i]
            across += weight * tangent[i] * step[i]
        by = -across / along
        for i in range(n):
            step[i] += by * slope[i]
        size = max(largest(step), abs(by))
        if not size < 0.3:
            return -1, iteration
        advance(new[:n], 1.0, step, film[0][0, 0])
        new[n] += by
        if size < SETTLED:
            return modes, iteration
    return -1, 8


@inner()
def bend(film: Film, mesh: Mesh, point: Array, old: Array, out: Balance, tangent: Array) -> int:
    """Tangent of the curve at `point`, in the sense of `old`; growing modes there."""
    n = len(point) - 1
    step, slope, nothing = np.empty(n), np.empty(n), np.zeros(n)
    balance(film, mesh, math.exp(2.0 * point[n]), point[:n], out)
    modes: int = eliminate(out, nothing, step, slope)
    square, along = 1.0, old[n]
    for i in range(n):
        square += STRETCH**2 / n * slope[i] * slope[i]
        along += STRETCH**2 / n * slope[i] * old[i]
    scale = (1.0 if along > 0.0 else -1.0) / math.sqrt(square)
    for i in range(n):
        tangent[i] = scale * slope[i]
    tangent[n] = scale
    return modes


@inner()
def note(row: Array, state: Array, point: Array, modes: int, slope: float, fold: float) -> None:
    """Write a row of the curve and its profile."""
    n = len(point) - 1
    peak = point[0]
    for i in range(n):
        state[i] = point[i]
        peak = max(peak, point[i])
    row[LOG_DRIVE], row[CORE], row[PEAK] = point[n], point[0], peak
    row[MODES], row[SLOPE], row[FOLD] = modes, slope, fold


@inner()
def find_fold(
    film: Film, mesh: Mesh, point: Array, tangent: Array, ends: Array, out: Balance, new: Array
) -> bool:
    """The fold between lengths 0 and ends[0] from `point`, into `new`.

    `ends` holds that length and d(log J)/ds at both ends, of different signs (Illinois' method).
    """
    low, high = 0.0, ends[0]
    at_low, at_high = ends[1], ends[2]
    bent = np.empty(len(point))
    for _ in range(12):
        length = (low * at_high - high * at_low) / (at_high - at_low)
        if correct(film, mesh, point, tangent, length, out, new)[0] < 0:
            return False
        bend(film, mesh, new, tangent, out, bent)
        value = bent[len(point) - 1]
        if abs(value) * (high - low) < 1e-7:
            return True
        if value * ends[1] > 0.0:
            low, at_low, at_high = length, value, 0.5 * at_high
        else:
            high, at_high, at_low = length, value, 0.5 * at_low
    return True


@inner()
def goes_on(
    film: Film,
    mesh: Mesh,
    point: Array,
    tangent: Array,
    length: float,
    out: Balance,
    new: Array,
    bent: Array,
    direction: float,
) -> tuple[int, int]:
    """Take a step from `point` to `new` with tangent `bent`; growing modes there and iterations.

    Modes are -1 where the step must be shorter. With every fold one mode more or less grows: where
    their number does not fit the sense of the curve, the step has jumped to another part of it.
    """
    n = len(point) - 1
    modes, iterations = correct(film, mesh, point, tangent, length, out, new)
    if modes < 0:
        return -1, iterations
    modes = bend(film, mesh, new, tangent, out, bent)
    before, after = tangent[n], bent[n]
    cosine = before * after
    for i in range(n):
        cosine += STRETCH**2 / n * tangent[i] * bent[i]
    falls = before * after > 0.0 and abs(after) < FALL * abs(before)
    jumped = (modes % 2 == 0) != (direction * after > 0.0)
    if (falls or jumped or cosine < TURN) and length > SHORTEST:
        return -1, iterations
    return modes, iterations


@inner()
def set_out(
    film: Film, mesh: Mesh, start: Array, ends: Array, out: Balance, point: Array, tangent: Array
) -> int:
    """First point of the curve and its tangent; growing modes, or -1 if there is none."""
    n = len(start)
    old = np.zeros(n + 1)
    for i in range(n):
        point[i] = start[i]
    point[n], old[n] = math.log(ends[0]), ends[4]
    if not relax(film, mesh, ends[0], point[:n], out):
        return -1
    modes: int = bend(film, mesh, point, old, out, tangent)
    return modes


@entry()
def trace(film: Film, mesh: Mesh, start: Array, ends: Array, rows: Array, states: Array) -> int:
    """Follow the curve from a stable profile on; the number of points, negative if it is lost.

    Parameters
    ----------
    start : (n,)
        Guess of the profile at the first drive.
    ends : (6,)
        First drive; a drive that the last stable branch must pass, or, on the way down, the lowest
        one; the factors of the drive by which it must be followed beyond its beginning or, if there
        was no fold, beyond the place where the film became normal; 1 to set out to higher drives, -1
        to lower ones; folds that are enough.
    rows, states : (m, COLUMNS), (m, n)
        Receive the points, folds among them.
    """
    n = len(start)
    out = workspace(n)
    point, new, fold = np.empty(n + 1), np.empty(n + 1), np.empty(n + 1)
    tangent, bent = np.zeros(n + 1), np.zeros(n + 1)
    place = np.empty(3)
    modes = set_out(film, mesh, start, ends, out, point, tangent)
    if modes < 0:
        return -1
    note(rows[0], states[0], point, modes, tangent[n], 0.0)
    length, count, folds, last = 0.01, 1, 0, math.inf
    while count < len(rows) - 1:
        modes, iterations = goes_on(film, mesh, point, tangent, length, out, new, bent, ends[4])
        found = True
        if modes >= 0 and tangent[n] * bent[n] < 0.0:
            place[0], place[1], place[2] = length, tangent[n], bent[n]
            found = find_fold(film, mesh, point, tangent, place, out, fold)
            if found:
                note(rows[count], states[count], fold, modes, 0.0, 1.0)
                count, folds = count + 1, folds + 1
                if folds >= ends[5]:
                    return count
                if modes == 0:
                    last = max(math.log(ends[1]), fold[n] + math.log(ends[2]))
        if modes < 0 or not found:
            length *= 0.5
            if length < 1e-6:
                return -count
            continue
        note(rows[count], states[count], new, modes, bent[n], 0.0)
        if folds == 0 and rows[count - 1, PEAK] < 1.0 <= rows[count, PEAK]:
            last = max(math.log(ends[1]), new[n] + math.log(ends[3]))
        count += 1
        for i in range(n + 1):
            point[i], tangent[i] = new[i], bent[i]
        if modes == 0 and (point[n] > last or (ends[4] < 0.0 and point[n] < math.log(ends[1]))):
            return count
        if iterations <= 3:
            length = min(1.4 * length, LONGEST)
        elif iterations > 4:
            length *= 0.7
    return count
