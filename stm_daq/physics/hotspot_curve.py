"""All steady profiles under the tip as one curve, through its folds.

From the cold film at low drive the curve leads to the first fold at J_up, where the cold state ends,
back through unstable states (at low frequency through more folds) to the last one at J_down, where
the hot state begins, and on along the hot branch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from stm_daq.physics.hotspot_profile import HotSpot, Profile, check_drive, hot_spot
from stm_daq.physics.hotspot_uniform import extrema

type Array = NDArray[np.float64]

POINTS = 4000
"""Most points of a curve."""
FIRST = 0.3
"""The curve begins at this part of the current that keeps a normal film at Tc."""
WHOLE = 1600
"""Least nodes for whole curves and profiles. Too few make false folds where the wall is steep."""
SWITCHING, SLOW = 800, 0.1
"""Least nodes for the two ends of the stable branches, and the frequency below which it takes more."""
START = (2.5, 5.0, 10.0)
"""The hot branch is entered at these multiples of the lowest current of the bistable interval."""
ENDED, AFTER = 1.002, 0.999
"""Multiple of J_up where there is no cold state any more, and of J_down where there is no hot one."""
BEYOND = 1.15
"""How far the hot branch is followed beyond its fold."""
BEYOND_NORMAL = 1.5
"""How far a branch without folds is followed beyond the drive that makes the film normal."""


class Switching(NamedTuple):
    """Drives (highest rms current density, j*) at which the film switches."""

    down: float
    """Where the hot state ends when the drive falls."""
    up: float
    """Where the cold state ends when the drive rises."""


@dataclass(frozen=True, eq=False)
class SteadyCurve:
    """Steady states in the order of the curve, folds among them."""

    hot_spot: HotSpot
    drive: Array
    """j*, shape (p,)."""
    core_temperature: Array
    """Right below the tip, Tc, shape (p,)."""
    peak_temperature: Array
    """Highest, Tc, shape (p,)."""
    unstable_modes: NDArray[np.int64]
    """Shape (p,). At a fold: beyond it."""
    fold: NDArray[np.bool_]
    """Which points are folds, shape (p,)."""
    states: Array
    """Temperatures at the nodes, Tc, shape (p, k)."""

    @property
    def folds(self) -> Array:
        """Drives of all folds in the order of the curve, j*."""
        return np.asarray(self.drive[self.fold])

    @property
    def mode_sequence(self) -> tuple[int, ...]:
        """Unstable modes before the first fold and after each."""
        return (int(self.unstable_modes[0]), *(int(m) for m in self.unstable_modes[self.fold]))

    @property
    def switching(self) -> Switching | None:
        """Drives where the cold and the hot state end; None if the curve has no fold."""
        folds = self.folds
        return Switching(float(folds[-1]), float(folds[0])) if len(folds) else None

    def at(self, drive: float) -> tuple[Profile, ...]:
        """Every steady state at a drive, sorted by the highest temperature."""
        passed = self.drive >= drive
        found: list[Profile] = []
        for k in np.nonzero(passed[1:] != passed[:-1])[0]:
            share = math.log(drive / self.drive[k]) / math.log(self.drive[k + 1] / self.drive[k])
            guess = self.states[k] + share * (self.states[k + 1] - self.states[k])
            profile = self.hot_spot.settled(drive, guess)
            if profile is not None:
                found.append(profile)
        return tuple(sorted(found, key=lambda profile: profile.peak_temperature))


def steady_curve(
    frequency: float,
    phonon_temperature: float,
    thermal_length: float,
    n: int = 5,
    *,
    nodes: int | None = None,
) -> SteadyCurve:
    """Follow all steady states from the cold film on, through every fold, to the hot branch.

    The curve ends a little beyond the last fold, or where the film is normal if it has none.

    Parameters
    ----------
    frequency, phonon_temperature, thermal_length, n, nodes
        See :func:`stm_daq.physics.hotspot_profile.hot_spot`; by default at least WHOLE nodes.

    Raises
    ------
    OutOfRangeError
        If an argument is out of its range.
    ArithmeticError
        If the curve is lost, because the mesh is too coarse.
    """
    return _whole(
        hot_spot(frequency, phonon_temperature, thermal_length, n, nodes=nodes, least_nodes=WHOLE)
    )


def _whole(spot: HotSpot) -> SteadyCurve:
    """Follow the curve from the cold film to the hot branch."""
    first = _first(spot)
    return _follow(spot, spot.cold(first), (first, first, 1.0, math.inf))


def _first(spot: HotSpot) -> float:
    """A drive so low that the film is cold."""
    return FIRST * math.sqrt(1.0 - spot.film.phonon_temperature**spot.film.exponent)


def _follow(spot: HotSpot, start: Array, path: tuple[float, float, float, float]) -> SteadyCurve:
    """Follow the curve: first drive, one to pass at the end, direction, folds that are enough."""
    from stm_daq.physics import hotspot_kernel_curve as kernel

    rows = np.empty((POINTS, kernel.COLUMNS))
    states = np.empty((POINTS, len(spot.mesh.radius)))
    first, highest, direction, enough = path
    ends = np.array([first, highest, BEYOND, BEYOND_NORMAL, direction, enough])
    count = kernel.trace(*spot.compiled, start, ends, rows, states)
    if count <= 0 or count >= POINTS - 1:
        raise ArithmeticError(
            f"lost the curve of steady states after {abs(count)} points at frequency "
            f"{spot.film.frequency}, thermal length {spot.thermal_length}: use more nodes"
        )
    rows = rows[:count]
    return SteadyCurve(
        spot,
        np.exp(rows[:, kernel.LOG_DRIVE]),
        rows[:, kernel.CORE].copy(),
        rows[:, kernel.PEAK].copy(),
        rows[:, kernel.MODES].astype(np.int64),
        rows[:, kernel.FOLD] == 1.0,
        states[:count].copy(),
    )


def profiles(
    drive: float,
    frequency: float,
    phonon_temperature: float,
    thermal_length: float,
    n: int = 5,
    *,
    nodes: int | None = None,
) -> tuple[Profile, ...]:
    """Every steady radial profile under the tip at a drive, sorted by its highest temperature.

    Parameters
    ----------
    drive : float
        J = j_max/j*: highest rms current density, which is at r = 1.272 z0; not negative.
    frequency, phonon_temperature, thermal_length, n, nodes
        See :func:`stm_daq.physics.hotspot_profile.hot_spot`; by default at least WHOLE nodes.

    Returns
    -------
    tuple of Profile
        The first is stable; where there are more, the last is stable too.

    Raises
    ------
    OutOfRangeError
        If an argument is out of its range.
    """
    check_drive(drive)
    arguments = (frequency, phonon_temperature, thermal_length, n)
    spot = hot_spot(*arguments, nodes=nodes, least_nodes=WHOLE)
    if drive == 0.0:
        lowest = np.full(len(spot.mesh.radius), spot.film.phonon_temperature)
        return (Profile(0.0, spot.mesh.radius, lowest, 0),)
    if drive <= _first(spot):
        return (spot.developed(drive),)
    curve = _whole(spot)
    if drive < curve.drive[-1]:
        return curve.at(drive)
    wide = hot_spot(*arguments, nodes=nodes, least_nodes=WHOLE, highest_drive=drive)
    return (*curve.at(drive), wide.developed(drive, wide.local(drive, hot=True)))


def switching_drives(
    frequency: float,
    phonon_temperature: float,
    thermal_length: float,
    n: int = 5,
    *,
    nodes: int | None = None,
) -> Switching | None:
    """Drives J_down, J_up between which two states are stable; None if the film never switches.

    None is right at frequencies above about 2 gap(T_ph). A thermal length above z0 only shifts both to
    higher drives: the film still switches as a whole, though without a sharp wall. At a fixed drive the
    hot state ends where J_down(Lambda) passes it (Fig. 5: 0.62 z0 for a drive of 1.2).

    Parameters
    ----------
    frequency, phonon_temperature, thermal_length, n, nodes
        See :func:`stm_daq.physics.hotspot_profile.hot_spot`.

    Returns
    -------
    Switching or None
        A pair (down, up), j*.

    Raises
    ------
    OutOfRangeError
        If an argument is out of its range.
    """
    least = int(SWITCHING * max(1.0, SLOW / frequency)) if frequency > 0.0 else SWITCHING
    spot = hot_spot(
        frequency, phonon_temperature, thermal_length, n, nodes=nodes, least_nodes=least
    )
    first = _first(spot)
    cold = _follow(spot, spot.cold(first), (first, 0.0, 1.0, 1.0))
    if len(cold.folds) == 0:
        return None
    up = float(cold.folds[0])
    lowest = min((turn.current for turn in extrema(spot.film)), default=up)
    if START[0] * lowest >= up:  # the curve is short
        return _whole(spot).switching
    return Switching(_end_of_hot(spot, lowest, cold), up)


def core_normal_drive(
    frequency: float,
    phonon_temperature: float,
    thermal_length: float,
    n: int = 5,
    *,
    nodes: int | None = None,
) -> float | None:
    """Drive (j*) at which, on the hot branch, the film right below the tip becomes normal.

    There the field vanishes, so that it is the last place. None if it is normal as soon as the hot
    state exists. Parameters and errors are those of :func:`switching_drives`.
    """
    ends = switching_drives(frequency, phonon_temperature, thermal_length, n, nodes=nodes)
    spot = hot_spot(frequency, phonon_temperature, thermal_length, n, nodes=nodes)
    drive = _first(spot) if ends is None else ends.down / AFTER
    state = spot.developed(drive, spot.local(drive, hot=True))
    if state.core_temperature >= 1.0:
        return None
    while state.core_temperature < 1.0:
        below = state
        state = spot.developed(1.05 * below.drive, below.values)

    def excess(drive: float) -> float:
        return spot.developed(drive, below.values).core_temperature - 1.0

    return float(brentq(excess, below.drive, state.drive, xtol=1e-5))


def _end_of_hot(spot: HotSpot, lowest: float, cold: SteadyCurve) -> float:
    """Follow the hot state down from a low drive if it exists there, else from where `cold` ends."""
    ended = ENDED * float(cold.drive[-1])
    coldest = float(cold.peak_temperature[-1]) + 1e-3  # the peak only rises along the curve
    for multiple in START:
        start = spot.developed(multiple * lowest, spot.local(multiple * lowest, hot=True))
        if multiple * lowest >= ended or start.peak_temperature > coldest:
            break
    else:
        start = spot.developed(ended, spot.local(ended, hot=True))
    end = start.drive
    while start.peak_temperature > coldest:  # again after a fold that is due to the mesh
        down = _follow(spot, start.values, (start.drive, _first(spot), -1.0, 1.0))
        end = float(down.drive[-1])
        start = spot.developed(AFTER * end, down.states[-1])
    return end
