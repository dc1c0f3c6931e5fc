"""Compiled search for steady profiles: at a drive, along the curve of all solutions, and in sweeps.

The curve of steady states is followed by its arc length, through every fold: the distance between two
states is that of log J and of the profile, STRETCH times its root mean square over the nodes. A step
is taken along the tangent and corrected by Newton's method at right angles to it. A step in which
d(log J)/ds falls by more than a factor is taken again half as long, so that two folds close to each
other are not stepped over.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stm_daq.physics.hotspot_kernel_balance import Balance, Mesh, balance, eliminate
from stm_daq.physics.hotspot_kernel_film import ROWS, Film
from stm_daq.physics.kernel_cache import entry, inner

type Array = NDArray[np.float64]

STRETCH = 4.0
SETTLED = 1e-6
"""Tc; Newton's method ends when a step is shorter: the error that remains is its square."""
LONGEST, SHORTEST = 0.1, 1e-4
"""Lengths of a step along the curve."""
FALL = 0.4
"""Least ratio of d(log J)/ds after a step and before."""

LOG_DRIVE, CORE, PEAK, MODES, SLOPE, FOLD = range(6)
"""Columns of a curve: log J, T at r = 0 and highest T, growing modes, d(log J)/ds, 1 at a fold."""
COLUMNS = 6


@inner()
def workspace(n: int) -> Balance:
    """Arrays for `balance` of n nodes."""
    return (
        np.empty((ROWS, n)), np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n),
    )  # fmt: skip


@inner()
def largest(values: Array) -> float:
    """Largest absolute value; NaN counts as infinite."""
    found = 0.0
    for value in values:
        if not abs(value) <= found:
            found = abs(value) if value == value else math.inf
    return found


@inner()
def advance(t: Array, share: float, step: Array, lowest: float) -> None:
    """Add a share of a step; colder than the phonons is halfway to them."""
    for i in range(len(t)):
        new = t[i] + share * step[i]
        t[i] = new if new >= lowest else 0.5 * (t[i] + lowest)


@inner()
def newton(film: Film, mesh: Mesh, drive: float, t: Array, out: Balance, slope: Array) -> int:
    """Solve for the profile at a drive, from `t` on; growing modes, or -1 if it fails."""
    lowest = film[0][0, 0]
    step, nothing = np.empty(len(t)), np.zeros(len(t))
    for _ in range(12):
        balance(film, mesh, drive * drive, t, out)
        modes = eliminate(out, nothing, step, slope)
        size = largest(step)
        if size > 0.3:
            return -1
        advance(t, 1.0, step, lowest)
        if size < SETTLED:
            return modes
    return -1


@inner()
def relax(film: Film, mesh: Mesh, drive: float, t: Array, out: Balance) -> bool:
    """Let the profile `t` develop in time, by implicit steps, until it is steady and stable."""
    area = mesh[1]
    n = len(t)
    extra, step, slope = np.empty(n), np.empty(n), np.empty(n)
    interval = 0.1
    for _ in range(2000):
        for i in range(n):
            extra[i] = area[i] / interval
        balance(film, mesh, drive * drive, t, out)
        modes = eliminate(out, extra, step, slope)
        size = largest(step)
        if modes > 0 or size > 0.2:
            interval *= 0.25
            continue
        advance(t, 1.0, step, film[0][0, 0])
        if size < SETTLED and interval > 1e6:
            return True
        interval *= 2.0 if size < 0.05 else 1.0
    return False


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
    modes = eliminate(out, nothing, step, slope)
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
def note(row: Array, point: Array, modes: int, slope: float, fold: float) -> None:
    """Write a row of the curve."""
    n = len(point) - 1
    peak = point[0]
    for i in range(n):
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


@entry()
def settle(film: Film, mesh: Mesh, drive: float, t: Array) -> int:
    """Solve for the steady profile near `t` at a drive, in place; growing modes, or -1."""
    return newton(film, mesh, drive, t, workspace(len(t)), np.empty(len(t)))


@entry()
def develop(film: Film, mesh: Mesh, drive: float, t: Array) -> bool:
    """Let the profile `t` develop at a drive until it is steady and stable, in place."""
    return relax(film, mesh, drive, t, workspace(len(t)))


@inner()
def describe(radius: Array, t: Array, row: Array) -> None:
    """Write T(0), the highest T and the radii between which the film is normal (NaN: nowhere)."""
    top = 0
    inside, outside = math.nan, math.nan
    for i in range(len(t)):
        if t[i] > t[top]:
            top = i
        if i > 0 and (t[i] >= 1.0) != (t[i - 1] >= 1.0):
            place = radius[i - 1] + (1.0 - t[i - 1]) / (t[i] - t[i - 1]) * (
                radius[i] - radius[i - 1]
            )
            if t[i] >= 1.0:
                inside = place if math.isnan(inside) else inside
            else:
                outside = place
    if t[0] >= 1.0:
        inside = 0.0
    row[0], row[1], row[2], row[3] = t[0], t[top], inside, outside


@entry()
def sweep(
    film: Film, mesh: Mesh, radius: Array, drives: Array, t: Array, rows: Array, states: Array
) -> int:
    """Follow a stable profile over `drives` (m,), in place; the number of drives done.

    What `describe` gives goes into rows (m, 4), the profiles into states (m, n) or (0, n). Where the
    branch ends, the profile develops in time to the next stable one.
    """
    n = len(t)
    out = workspace(n)
    slope, old, guess = np.zeros(n), t.copy(), np.empty(n)
    if not relax(film, mesh, drives[0], t, out):
        return 0
    ready = False
    for k in range(len(drives)):
        for i in range(n):
            old[i] = t[i]
        if ready:
            advance(t, math.log(drives[k] / drives[k - 1]), slope, film[0][0, 0])
        for i in range(n):
            guess[i] = t[i]
        modes = newton(film, mesh, drives[k], t, out, slope)
        for i in range(n):
            guess[i] -= t[i]
        ready = modes == 0 and largest(guess) < 0.05
        if not ready:
            for i in range(n):
                t[i] = old[i]
            if not relax(film, mesh, drives[k], t, out):
                return k
        describe(radius, t, rows[k])
        if len(states) > 0:
            for i in range(n):
                states[k, i] = t[i]
    return len(drives)


@entry()
def trace(film: Film, mesh: Mesh, start: Array, ends: Array, rows: Array, states: Array) -> int:
    """Follow the curve from a stable cold profile on; the number of points, negative if it is lost.

    Parameters
    ----------
    start : (n,)
        Guess of the profile at the first drive.
    ends : (4,)
        First drive; a drive that the last stable branch must pass; and the factors of the drive by
        which it must be followed beyond its beginning or, if there was no fold, beyond the place
        where the film became normal.
    rows, states : (m, COLUMNS), (m, n)
        Receive the points, folds among them.
    """
    n = len(start)
    out = workspace(n)
    point, new = np.empty(n + 1), np.empty(n + 1)
    tangent, bent = np.zeros(n + 1), np.zeros(n + 1)
    for i in range(n):
        point[i] = start[i]
    point[n], tangent[n] = math.log(ends[0]), 1.0
    if not relax(film, mesh, ends[0], point[:n], out):
        return -1
    modes = bend(film, mesh, point, tangent, out, bent)
    tangent[:] = bent
    length, count, folds = 0.1, 0, 0
    note(rows[0], point, modes, tangent[n], 0.0)
    states[0] = point[:n]
    count = 1
    last = math.inf
    while count < len(rows) - 1:
        modes, iterations = correct(film, mesh, point, tangent, length, out, new)
        if modes < 0:
            length *= 0.4
            if length < 1e-6:
                return -count
            continue
        modes = bend(film, mesh, new, tangent, out, bent)
        before, after = tangent[n], bent[n]
        cosine = before * after
        for i in range(n):
            cosine += STRETCH**2 / n * tangent[i] * bent[i]
        falls = before * after > 0.0 and abs(after) < FALL * abs(before)
        if (falls or cosine < 0.95) and length > SHORTEST:
            length *= 0.5
            continue
        if before * after < 0.0:
            place = np.array([length, before, after])
            fold = np.empty(n + 1)
            if not find_fold(film, mesh, point, tangent, place, out, fold):
                length *= 0.5
                continue
            note(rows[count], fold, modes, 0.0, 1.0)
            states[count] = fold[:n]
            count += 1
            folds += 1
            if modes == 0:
                last = max(math.log(ends[1]), fold[n] + math.log(ends[2]))
        note(rows[count], new, modes, after, 0.0)
        states[count] = new[:n]
        if folds == 0 and rows[count - 1, PEAK] < 1.0 <= rows[count, PEAK]:
            last = max(math.log(ends[1]), new[n] + math.log(ends[3]))
        count += 1
        for i in range(n + 1):
            point[i], tangent[i] = new[i], bent[i]
        if modes == 0 and point[n] > last:
            return count
        if iterations <= 3:
            length = min(1.4 * length, LONGEST)
        elif iterations > 4:
            length *= 0.7
    return count
