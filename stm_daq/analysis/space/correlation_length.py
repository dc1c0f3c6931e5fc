"""How far a correlation reaches: read off a radial profile, with fit noise kept out.

Noise of the fits is independent from pixel to pixel, so it adds to an autocorrelation at zero lag
only, and lowers all the rest by the same factor. The zero lag is therefore left out, and the decay

    rho(r) = A [exp(-(r / l)^p) - v]

is fitted to the other lags: `A`, extrapolated to zero lag, is the part of the variance that is not
noise; `l` is where the correlation has fallen to 1/e of A; p = 1 is exponential, p = 2 Gaussian. What
a trend (or the mean) takes off a finite map lowers a correlation everywhere; `v` is that loss,
worked out from l and p and the shape of the map, not fitted. Where the noise of the maps is known,
so is `A`: it is then given, not extrapolated, which makes the length far more certain on a map
whose pixels are not much smaller than it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from stm_daq.analysis.space.correlation import RadialProfile
from stm_daq.errors import CannotTellError
from stm_daq.records import Array

LEAST_LENGTHS = 5.0
"""A map must be so many correlation lengths wide (shorter side)."""
REACH = 3.0
"""The decay is fitted up to so many times the distance where 1/e is first left."""
POWERS = (0.5, 2.5)
"""Bounds of p."""


@dataclass(frozen=True, slots=True)
class CorrelationLength:
    """The reach of a correlation; lengths in m, each with its standard deviation."""

    length: float
    """Where the correlation has fallen to 1/e of its value extrapolated to zero lag."""
    length_std: float
    amplitude: float
    """Extrapolated to zero lag: of an autocorrelation the part of the variance that is not noise,
    of a cross-correlation the coefficient without noise that both maps share pixel by pixel."""
    amplitude_std: float
    power: float
    """p of the decay: 1 is exponential, 2 Gaussian."""
    exponential: float
    """Length l of the best exponential exp(-r/l)."""
    exponential_std: float
    gaussian: float
    """Length l of the best Gaussian exp(-(r/l)^2)."""
    gaussian_std: float
    vanishing: float
    """Where the profile first comes within one standard deviation of zero (the criterion of
    Phys. Rev. B 102, 024504: "above the noise level close to zero"); NaN if nowhere."""
    lengths_in_map: float
    """Shorter side of the map / `length`."""


def correlation_length(
    profile: RadialProfile, *, amplitude: tuple[float, float] | None = None
) -> CorrelationLength:
    """Measure the reach of an auto- or cross-correlation.

    Parameters
    ----------
    profile : RadialProfile
        From :func:`stm_daq.analysis.space.correlation.radial_profile`.
    amplitude : tuple of float, optional
        `A` and its standard deviation, where the noise of the maps is known: of an autocorrelation
        the part of the variance that is not noise.

    Raises
    ------
    CannotTellError
        If the map is smaller than `LEAST_LENGTHS` correlation lengths, the correlation does not
        reach beyond a pixel, or it does not differ from zero.
    """
    r, rho = profile.distance[1:], profile.correlation[1:]
    if len(r) < 4:
        raise CannotTellError(
            f"the profile has {len(r)} lags besides zero; a correlation length needs at least 4"
        )
    sign = 1.0 if rho[0] >= 0 else -1.0
    if abs(rho[0]) < 2 * max(profile.std[1], 1e-12):
        raise CannotTellError(
            f"the correlation of neighbours, {rho[0]:.3f} ± {profile.std[1]:.3f}, does not differ"
            " from zero: there is no length to measure"
        )
    guess = _first_below(r, sign * rho, math.exp(-1) * abs(rho[0]))
    used = r <= max(REACH * guess, r[3])
    covariance = profile.covariance[1:, 1:][np.ix_(used, used)]
    part = _Part(r[used], rho[used], covariance, profile.lost)
    start = np.array([sign * min(1.2 * abs(rho[0]), 1.0), guess, 1.5])
    free, free_std = _fit(part, start, amplitude, None)
    exponential, exponential_std = _fit(part, start, amplitude, 1.0)
    gaussian, gaussian_std = _fit(part, start, amplitude, 2.0)
    length = float(free[1])
    _check(profile, length)
    return CorrelationLength(
        length, float(free_std[1]), float(free[0]), float(free_std[0]), float(free[2]),
        float(exponential[1]), float(exponential_std[1]), float(gaussian[1]),
        float(gaussian_std[1]), _vanishing(profile, sign), profile.side / length,
    )  # fmt: skip


def _check(profile: RadialProfile, length: float) -> None:
    if not length * LEAST_LENGTHS <= profile.side:
        raise CannotTellError(
            f"the map is {profile.side:.3g} m wide, less than {LEAST_LENGTHS:g} correlation lengths"
            f" (about {length:.2g} m): it holds too few independent places; take a larger map"
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """The lags that are fitted."""

    distance: Array
    correlation: Array
    covariance: Array
    lost: tuple[Array, Array]


def _decay(part: _Part, amplitude: float, length: float, power: float) -> Array:
    where, weight = part.lost
    loss = float(weight @ np.exp(-((where / length) ** power)))
    found: Array = amplitude * (np.exp(-((part.distance / length) ** power)) - loss)
    return found


def _fit(
    part: _Part, start: Array, amplitude: tuple[float, float] | None, power: float | None
) -> tuple[Array, Array]:
    """Fit amplitude, length and power, of which the given ones stay; return them and their errors."""
    nearest, furthest = part.distance[0], part.distance[-1]
    low = np.array([-1.5, 0.1 * nearest, POWERS[0]])
    high = np.array([1.5, 10 * furthest, POWERS[1]])
    scale = np.array([1.0, start[1], 1.0])
    given = [amplitude is not None, False, power is not None]
    values = np.array(
        [start[0] if amplitude is None else amplitude[0], start[1], power or start[2]]
    )
    free = np.flatnonzero(~np.array(given))

    def residuals(p: Array) -> Array:
        values[free] = p
        return _decay(part, *values) - part.correlation

    first = np.clip(values, low * (1 + 1e-9), high * (1 - 1e-9))[free]
    bounds = (low[free], high[free])
    found = optimize.least_squares(residuals, first, bounds=bounds, x_scale=scale[free])
    values[free] = found.x
    jacobian = np.asarray(found.jac, dtype=float)
    inverse = np.linalg.pinv(jacobian * scale[free]) * scale[free][:, None]
    covariance = inverse @ part.covariance @ inverse.T
    std = np.zeros(3)
    std[free] = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    if amplitude is not None:  # what its error means for the others
        std[0] = amplitude[1]
        shape = _decay(part, *values) / values[0]
        std[free] = np.hypot(std[free], inverse @ shape * std[0])
    return values, std


def _first_below(r: Array, rho: Array, level: float) -> float:
    below = np.flatnonzero(rho < level)
    return float(r[below[0]]) if len(below) else float(r[-1])


def _vanishing(profile: RadialProfile, sign: float) -> float:
    lost = sign * profile.correlation[1:] <= profile.std[1:]
    return float(profile.distance[1:][np.argmax(lost)]) if lost.any() else math.nan
