"""How gap and exponent vary over a film, how far, and how they follow one another.

Correlation functions as in appendix A of C. Carbillet et al., Phys. Rev. B 102, 024504 (2020), by
`stm_daq.analysis.space.correlation`. The noise of a spectrum moves the gap and the exponent of its site
only, so it widens both distributions, stands as a spike at zero lag on both autocorrelations, and
lowers every coefficient by the root of both reliabilities (C. Spearman, Am. J. Psychol. 15, 72
(1904)); the noise of the two is independent, for they come from different points of the current.
The standard deviations of the sites say how large it is, so all numbers are given without it, and
the coefficient also as measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.altshuler_aronov.disorder_theory import Value
from stm_daq.analysis.space.correlation import RadialProfile, radial_profile
from stm_daq.analysis.space.correlation_length import CorrelationLength, correlation_length
from stm_daq.analysis.space.significance import Coefficient, correlate
from stm_daq.errors import CannotTellError

if TYPE_CHECKING:
    import xarray as xr

LEAST_RELIABLE = 0.2
"""With less of the variance left beside the noise, nothing is said about the film."""


@dataclass(frozen=True, slots=True)
class Varying:
    """One quantity over a map, in its own unit, without the noise of its sites."""

    values: xr.DataArray
    mean: Value
    """Its standard deviation allows for neighbours being alike; NaN without a correlation length."""
    sigma: Value
    """Of the film: noise is taken out. Standard deviation likewise."""
    noise: float
    """rms standard deviation of a site."""
    reliability: float
    """Part of the variance that is the film's."""
    profile: RadialProfile
    """Autocorrelation as measured; zero lag holds the noise."""
    length: CorrelationLength | None
    """None if it cannot be told; see `remark`."""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """How two quantities follow one another."""

    measured: Coefficient
    """At one place, as measured, with what it is worth."""
    at_zero: Value
    """Without the noise of both."""
    profile: RadialProfile
    """Cross-correlation as measured."""
    length: CorrelationLength | None
    """None if it cannot be told; see `remark`."""
    slope: Value
    """Relative change of the first for a unit of the second, by regression without the noise."""
    remark: str = ""


def varying(values: xr.DataArray, std: xr.DataArray) -> Varying:
    """Describe how a quantity varies.

    Parameters
    ----------
    values, std : xarray.DataArray
        Map (y, x) in m, any unit, and standard deviation of every site; NaN = missing.

    Raises
    ------
    BadInputError
        If the axes are not those of a map.
    CannotTellError
        If too few sites are known, the map is constant, or nothing is left beside the noise.
    """
    profile = radial_profile(values)  # looks at the axes, and whether there is a pattern at all
    if min(values.shape) < 2:
        raise CannotTellError("A map needs several rows and columns; this is a line.")
    known = np.isfinite(values.values) & np.isfinite(std.values)
    x = values.values[known]
    total, noise = float(np.var(x)), float(np.mean(std.values[known] ** 2))
    reliability = 1 - noise / total
    if reliability < LEAST_RELIABLE:
        raise CannotTellError(
            f"Hardly more than noise varies in {values.name or 'the map'}: {max(reliability, 0):.0%} "
            "of the variance is left. Average more sweeps."
        )
    sigma = math.sqrt(total - noise)
    length, remark, places = None, "", math.nan
    try:
        length = correlation_length(profile, amplitude=(reliability, 0.0))
        places = _places(values, length.length)
    except CannotTellError as reason:
        remark = str(reason)
    mean = Value(float(x.mean()), sigma / math.sqrt(places))
    spread = Value(sigma, sigma / math.sqrt(4 * places))
    return Varying(values, mean, spread, math.sqrt(noise), reliability, profile, length, remark)


def _places(values: xr.DataArray, length: float) -> float:
    """Return how many independent places a map holds for its mean: area over that of a patch.

    The integral of exp(-(r/l)^2) is pi l^2; that of its square, which counts for the spread, half.
    """
    sides = [
        float(values.sizes[name] * np.abs(np.diff(values[name]).mean())) for name in ("y", "x")
    ]
    return max(sides[0] * sides[1] / (math.pi * length**2), 1.0)


def relation(first: Varying, second: Varying) -> Relation:
    """Correlate two quantities of the same sites, whose noise is independent.

    Raises
    ------
    BadInputError, CannotTellError
        As :func:`stm_daq.analysis.space.significance.correlate`.
    """
    measured = correlate(first.values, second.values, trend="mean").pearson
    attenuation = math.sqrt(first.reliability * second.reliability)
    std = coefficient_std(measured) / attenuation
    at_zero = Value(measured.value / attenuation, std)
    profile = radial_profile(first.values, second.values)
    ratio = first.sigma.value / first.mean.value / second.sigma.value
    slope = Value(at_zero.value * ratio, std * ratio)
    length, remark = None, ""
    try:
        if measured.p_value > 0.05:
            raise CannotTellError("The coefficient does not differ from zero.")
        zero = float(profile.correlation[0]), float(profile.std[0])
        length = correlation_length(profile, amplitude=zero)
    except CannotTellError as reason:
        remark = str(reason)
    return Relation(measured, at_zero, profile, length, slope, remark)


def coefficient_std(found: Coefficient) -> float:
    """Return the standard deviation of a coefficient, from Fisher's interval of 95 %."""
    return (math.atanh(found.high) - math.atanh(found.low)) / 3.92 * (1 - found.value**2)


def without_noise(quantity: Varying) -> RadialProfile:
    """Return the autocorrelation of the film itself: one at zero lag, no spike."""
    found = quantity.profile
    scale = np.where(found.distance > 0, 1 / quantity.reliability, 1.0)
    return replace(
        found,
        correlation=found.correlation * scale,
        covariance=found.covariance * np.outer(scale, scale),
    )
