"""Peaks inside the gap of single electrons, at both polarities: where pairs enter the contact.

A pair is a maximum of the curvature -d2G/dV2, averaged over both polarities (which removes offsets of
the bias), that is above zero by more than noise would make it anywhere in the search with the
stated probability, and above half of that at either polarity alone. Neighbouring spectra of a
series have to agree: a pair that no neighbour has is dropped.

The position is what such experiments quote as the gap. It is not exactly it: for a contact of
Blonder, Tinkham and Klapwijk at low temperature the maximum of the curvature moves from 10 % above the
gap (tunnelling) to 10 % below (Z = 0.4), and it rises further with temperature.
`stm_daq.analysis.contacts.collective_gap` fits the shape instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stm_daq.analysis.spectra.curvature import Curvature, curvature, resolution
from stm_daq.records import Array

LEVEL = 0.01
"""Probability that noise alone makes a pair of peaks in a spectrum."""

REACH, ROUNDS = 1.0, 4
"""A parabola is fitted within so many half-widths of its maximum, and so often."""


@dataclass(frozen=True, slots=True)
class PairPeak:
    """A symmetric pair of peaks."""

    position: float
    """Half the distance of the two peaks, V."""
    std: float
    """Its standard deviation from noise, V."""
    curvature: float
    """-d2G/dV2 there, 1/V^2, of the normalised spectrum."""
    significance: float
    """The curvature over its standard deviation."""
    threshold: float
    """The significance that noise alone exceeds with the probability `LEVEL`."""


def find_pairs(
    bias: Array,
    normalised: Array,
    temperature: float,
    modulation: float,
    below: float,
) -> list[PairPeak]:
    """Find symmetric pairs of peaks in one spectrum, the most significant first.

    Parameters
    ----------
    bias : ndarray, shape (n,)
        V, ascending, on both sides of zero.
    normalised : ndarray, shape (n,)
        dI/dV over that of the normal state; NaN = not measured.
    temperature, modulation : float
        K and V (peak); they set the resolution.
    below : float
        Peaks are looked for between a quarter of the resolution and this bias, V: below the single
        electrons' peak.

    Raises
    ------
    CannotTellError
        If the points are too few, or too far apart for the resolution.
    """
    bent = curvature(bias, normalised, temperature, modulation, below)
    places, operator = _folded(bent)
    if len(places) < 3 or not bent.noise > 0:
        return []
    value = operator.mean(axis=0) @ _known(bias, normalised, below)
    each = operator @ _known(bias, normalised, below)
    std = bent.noise * np.sqrt(np.sum(operator.mean(axis=0) ** 2, axis=1))
    one = bent.noise * np.sqrt(np.sum(operator**2, axis=2)).max(axis=0)
    extent, points = float(places[-1] - places[0]), int(np.isfinite(normalised).sum())
    threshold = _threshold(extent / bent.half_width, points)
    sure = (value > threshold * std) & (each.min(axis=0) > threshold / 2 * one)
    top = np.zeros(len(places), dtype=bool)
    top[1:-1] = (value[1:-1] > value[:-2]) & (value[1:-1] >= value[2:])
    top &= sure & (places > resolution(temperature, modulation) / 4)
    found = []
    for at in np.flatnonzero(top):
        position, error = _vertex(places, operator.mean(axis=0), value, int(at), bent)
        if math.isfinite(position):
            sigma = float(value[at] / std[at])
            found.append(PairPeak(position, error, float(value[at]), sigma, threshold))
    return sorted(found, key=lambda peak: -peak.significance)


def _known(bias: Array, normalised: Array, below: float) -> Array:
    """Return the values that the operator of the curvature acts on."""
    kept: Array = normalised[np.isfinite(normalised) & (np.abs(bias) <= below)]
    return kept


def _folded(bent: Curvature) -> tuple[Array, Array]:
    """Return |bias| and the operators at both polarities there, shape (2, n, m)."""
    positive = bent.bias > 0
    places = bent.bias[positive]
    if not len(places) or positive.all():
        return np.empty(0), np.empty((2, 0, bent.operator.shape[1]))
    left = -bent.bias
    mirror = np.argmin(np.abs(left[None, :] - places[:, None]), axis=1)
    paired = np.abs(left[mirror] - places) < bent.half_width / 4
    return places[paired], np.stack(
        [bent.operator[positive][paired], bent.operator[mirror][paired]]
    )


def _threshold(extent: float, points: int) -> float:
    """Return the significance that noise exceeds somewhere with the probability `LEVEL`.

    Noise of the curvature is alike within about an eighth of the half-width of a window (so narrow is
    the second derivative of a polynomial of fourth order), which gives the number of independent
    places; `extent` is in half-widths. The noise itself is known from the median of `points` values,
    which tells as much as the standard deviation of 0.37 times as many: hence Student's distribution.
    """
    from scipy.special import stdtrit

    return float(-stdtrit(0.37 * points, LEVEL / (1 + 8 * extent)))


def _vertex(
    places: Array, operator: Array, value: Array, at: int, bent: Curvature
) -> tuple[float, float]:
    """Return where the parabola through the top of a peak has its maximum, and the error of it.

    The parabola goes through the points within a window's half-width of its own maximum, which a few
    rounds find: the highest point alone is often a ripple of the noise.
    """
    centre, error = float(places[at]), math.nan
    for _ in range(ROUNDS):
        near = np.abs(places - centre) <= REACH * bent.half_width
        if near.sum() < 4:
            return math.nan, math.nan
        x = (places[near] - centre) / bent.half_width
        fit = np.linalg.pinv(np.vander(x, 3, increasing=True))
        _, slope, bend = fit @ value[near]
        if bend >= 0:
            return math.nan, math.nan
        shift = float(np.clip(-slope / (2 * bend), -REACH, REACH))
        covariance = bent.noise**2 * (fit @ operator[near]) @ (fit @ operator[near]).T
        gradient = np.array([-1 / (2 * bend), slope / (2 * bend**2)])
        error = bent.half_width * math.sqrt(float(gradient @ covariance[1:, 1:] @ gradient))
        centre += shift * bent.half_width
    return centre, error


def track(series: Sequence[Sequence[PairPeak]], reach: Sequence[float]) -> list[PairPeak | None]:
    """Follow one pair of peaks through a series of spectra.

    It begins where a pair is most significant and goes on to both sides, to the nearest pair within
    reach; where there is none the pair has ended. A track of one spectrum is no track.

    Parameters
    ----------
    series : sequence
        The pairs of every spectrum, in the order of the series, from :func:`find_pairs`.
    reach : sequence of float
        How far a pair may move from one spectrum to the next, V: the resolution.

    Returns
    -------
    list
        One pair, or None, for every spectrum.
    """
    chosen: list[PairPeak | None] = [None] * len(series)
    heads = [max((p.significance for p in pairs), default=0.0) for pairs in series]
    if not heads or max(heads) == 0:
        return chosen
    first = int(np.argmax(heads))
    for step in (1, -1):
        last = max(series[first], key=lambda p: p.significance)
        chosen[first] = last
        at = first + step
        while 0 <= at < len(series):
            near = min(series[at], key=lambda p: abs(p.position - last.position), default=None)
            if near is None or abs(near.position - last.position) > reach[at]:
                break
            chosen[at] = last = near
            at += step
    if sum(peak is not None for peak in chosen) < 2:
        chosen[first] = None
    return chosen
