"""Peaks of a Fourier spectrum, and the lattice they belong to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from stm_daq.analysis.maps.images import Image, image_of
from stm_daq.analysis.topographs.fourier import Window, faded_out, fourier, rings
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

type Symmetry = Literal["square", "hexagonal"]
ANGLES: dict[Symmetry, tuple[float, ...]] = {"square": (90.0,), "hexagonal": (60.0, 120.0)}
"""Angles between two shortest vectors of the reciprocal lattice."""
LEVEL = 0.01
"""A peak in noise alone is found in this part of all maps."""
STREAK = 4
"""Noise of rows is seen in fewer columns than this from kx = 0."""
ALONG = 15
"""Half of the points along ky over which its median is taken."""
CRAMER_RAO = math.sqrt(6) / (2 * math.pi)
"""Standard deviation of the frequency of a wave, in steps of the spectrum, times the ratio of wave
to noise (D. C. Rife and R. R. Boorstyn, IEEE Trans. Inf. Theory 20, 591 (1974))."""
FADED = 1.25
"""So much larger it is with a Hann window, if the noise is that of the windowed spectrum."""
THIRD = 0.05
"""A third wave is where a lattice has one if it misses by less than this part of the shortest."""
PERIODS = 3
"""A wave has at least so many periods in the frame; longer ones are the shape of the surface."""


@dataclass(frozen=True, slots=True)
class Peak:
    """A wave in a map."""

    kx: float
    """1/m."""
    ky: float
    """1/m."""
    k_std: float
    """Standard deviation of each of the two by noise, 1/m; the calibration of the scanner adds to
    it."""
    amplitude: float
    """Unit of the map."""
    signal_to_noise: float
    """Amplitude over that of the noise at the same wavelength."""

    @property
    def k(self) -> float:
        """Length of the wave vector, 1/m."""
        return math.hypot(self.kx, self.ky)

    @property
    def wavelength(self) -> float:
        """2 pi / k, m."""
        return 2 * math.pi / self.k

    @property
    def angle(self) -> float:
        """Direction of the wave vector, degrees counter-clockwise from x, from -90 to 90."""
        return math.degrees(math.atan(self.ky / self.kx)) if self.kx else 90.0


def find_peaks(
    data: xr.DataArray, window: Window = "hann", most: int = 24, level: float = LEVEL
) -> list[Peak]:
    """Find the waves that stand out of a map, strongest first; none in noise.

    The powers of noise are exponentially distributed around a mean that depends on the wavelength
    only; it is taken from the median of a ring, times 1/ln 2. With rows scanned along x their
    offsets add noise to the few columns around kx = 0, where the median along ky counts if it is
    larger. A peak is higher than all its neighbours, than the highest that so many values of noise
    have in a part `level` of all maps, and has three periods in the frame. Its place between the
    points of the spectrum is where the windowed transform itself is largest.

    Parameters
    ----------
    data : xarray.DataArray
        A map as in :func:`stm_daq.analysis.topographs.fourier.fourier`.
    window : str
        As there.
    most : int
        The strongest so many are returned.
    level : float
        Probability of finding any peak in noise.

    Returns
    -------
    list of Peak
        One for every pair k, -k.

    Raises
    ------
    BadInputError, CannotTellError
        As :func:`stm_daq.analysis.topographs.fourier.fourier`.
    """
    spectrum = fourier(data, window)
    kx, ky, power = (spectrum[name].values for name in ("kx", "ky", "power"))
    background = _background(kx, ky, power)
    limit = -math.log(level / (power.size / 2))
    upper = (ky[:, None] > 0) | ((ky[:, None] == 0) & (kx > 0))
    ring, _, _ = rings(kx, ky)
    clear = upper & (ring >= PERIODS)
    high = np.argwhere(clear & _is_highest(power) & (power > limit * background))
    places = sorted(high.tolist(), key=lambda place: -power[*place])[:most]
    image = image_of(data, 64)
    weight, real = faded_out(image, window)
    faded = real.astype(np.complex128)
    # a wave of this amplitude would have the power of the noise
    area, total = image.step[0] * image.step[1], float(weight.sum())
    noise = 2 * np.sqrt(background * np.sum(weight**2) / area) / total
    widening = FADED if window == "hann" else 1.0
    found = []
    for row, column in places:
        x, y, height = _top(image, faded, (kx, ky), (row, column))
        amplitude, beside = 2 * height / total, float(noise[row, column])
        std = CRAMER_RAO * widening * max(kx[1] - kx[0], ky[1] - ky[0]) * beside / amplitude
        found.append(Peak(x, y, float(std), amplitude, amplitude / beside))
    return found


def _background(kx: Array, ky: Array, power: Array) -> Array:
    """Return the mean power of noise at every wave vector, from medians of rings and of columns."""
    from scipy import ndimage

    ring, _, _ = rings(kx, ky)
    order = np.argsort(ring, axis=None)
    numbers, starts = np.unique(ring.ravel()[order], return_index=True)
    groups = np.split(power.ravel()[order], starts[1:])
    medians = np.zeros(int(ring.max()) + 1)
    medians[numbers] = [float(np.median(group)) for group in groups]
    if len(medians) > 2:  # rings of few points tell little: the larger of the neighbours counts
        medians[1:-1] = np.maximum(medians[1:-1], (medians[2:] + medians[:-2]) / 2)
    found = medians[ring]
    streak = np.abs(kx) < STREAK * (kx[1] - kx[0])
    along = ndimage.median_filter(power[:, streak], size=(2 * ALONG + 1, 1), mode="wrap")
    found[:, streak] = np.maximum(found[:, streak], along)
    return np.asarray(np.maximum(found / math.log(2), 1e-300))


def _is_highest(power: Array) -> Array:
    from scipy import ndimage

    return np.asarray(power >= ndimage.maximum_filter(power, size=3, mode="wrap"))


def _top(
    image: Image, faded: NDArray[np.complex128], k: tuple[Array, Array], place: tuple[int, int]
) -> tuple[float, float, float]:
    """Return where a peak of the transform is highest, 1/m, and how high, in finer and finer grids."""
    (row, column), (kx, ky) = place, k
    x, y, height = float(kx[column]), float(ky[row]), 0.0
    for reach in (1.0, 0.35, 0.12, 0.04, 0.013):
        fine = reach * np.linspace(-1, 1, 7)
        at_x, at_y = x + fine * (kx[1] - kx[0]), y + fine * (ky[1] - ky[0])
        along_x = np.exp(-1j * np.multiply.outer(image.x - image.x[0], at_x))
        along_y = np.exp(-1j * np.multiply.outer(at_y, image.y - image.y[0]))
        # not by @: for factors this thin the threads of BLAS cost more than they save
        size = np.abs(np.einsum("ky,yx->kx", along_y, faded) @ along_x)
        row, column = (int(i) for i in np.unravel_index(int(np.argmax(size)), size.shape))
        x, y, height = float(at_x[column]), float(at_y[row]), float(size[row, column])
    return x, y, height


@dataclass(frozen=True, slots=True)
class Lattice:
    """Two shortest waves of a lattice as it was measured."""

    symmetry: Symmetry
    peaks: tuple[Peak, Peak]
    constant: float
    """Lattice constant: the mean over both, m."""
    constant_std: float
    """By noise alone, m."""
    angle: float
    """Between the two wave vectors, degrees; 90 or 60 if nothing is distorted."""
    inequality: float
    """Longer over shorter wave vector; 1 if nothing is distorted."""

    @property
    def reciprocal(self) -> Array:
        """The two wave vectors as columns, 1/m, shape (2, 2)."""
        return np.array([[peak.kx for peak in self.peaks], [peak.ky for peak in self.peaks]])


def lattice_of(
    peaks: Sequence[Peak],
    symmetry: Symmetry,
    near: float | None = None,
    tolerance: float = 0.15,
) -> Lattice:
    """Find the two peaks that span a lattice.

    A third peak has to be where their lattice has one: at their difference; of a square lattice
    also at their sum, or at twice one of them.

    Parameters
    ----------
    peaks : sequence of Peak
        From :func:`find_peaks`.
    symmetry : str
        "square" or "hexagonal".
    near : float, optional
        Expected lattice constant, m: only waves within `tolerance` of it count. Without it the
        strongest pair counts, which may be that of a superlattice or of a sublattice.
    tolerance : float
        How much lengths may differ, as a part, and angles, in rad.

    Raises
    ------
    BadInputError
        For another symmetry.
    CannotTellError
        If no two peaks fit.
    """
    if symmetry not in ANGLES:
        raise BadInputError(f"symmetry='{symmetry}': give 'square' or 'hexagonal'")
    spacing = _spacing(symmetry)
    pairs = [
        (one, other)
        for one, other in combinations(peaks, 2)
        if _alike(one, other, tolerance)
        and _fits(one, other, symmetry, tolerance)
        and _supported(one, other, symmetry, peaks)
        and (
            near is None
            or all(abs(p.wavelength / (near * spacing) - 1) < tolerance for p in (one, other))
        )
    ]
    if not pairs:
        raise CannotTellError(
            f"no two of the {len(peaks)} waves found span a {symmetry} lattice"
            + (f" with a constant near {near:.3g} m" if near else "")
        )
    one, other = max(pairs, key=lambda pair: pair[0].amplitude * pair[1].amplitude)
    other = _turned(one, other, symmetry)
    constants = np.array([one.wavelength, other.wavelength]) / spacing
    stds = constants * np.array([one.k_std / one.k, other.k_std / other.k])
    return Lattice(
        symmetry,
        (one, other),
        float(constants.mean()),
        float(np.hypot(*stds)) / 2,
        _between(one, other),
        max(one.k, other.k) / min(one.k, other.k),
    )


def _supported(one: Peak, other: Peak, symmetry: Symmetry, peaks: Sequence[Peak]) -> bool:
    """Return whether a third wave belongs to the lattice of two: chance and interference give pairs."""
    other = _turned(one, other, symmetry)
    difference = (one.kx - other.kx, one.ky - other.ky)
    thirds = [difference]
    if symmetry == "square":
        thirds += [
            (one.kx + other.kx, one.ky + other.ky),
            (2 * one.kx, 2 * one.ky),
            (2 * other.kx, 2 * other.ky),
        ]
    near = THIRD * min(one.k, other.k)
    return any(
        min(math.hypot(p.kx - x, p.ky - y), math.hypot(p.kx + x, p.ky + y)) < near
        for p in peaks
        if p not in (one, other)
        for x, y in thirds
    )


def _spacing(symmetry: Symmetry) -> float:
    """Return the distance of lattice lines, in lattice constants."""
    return math.sqrt(3) / 2 if symmetry == "hexagonal" else 1.0


def _alike(one: Peak, other: Peak, tolerance: float) -> bool:
    return abs(math.log(one.k / other.k)) < tolerance


def _fits(one: Peak, other: Peak, symmetry: Symmetry, tolerance: float) -> bool:
    angle = _between(one, other)
    return any(abs(math.radians(angle - ideal)) < tolerance for ideal in ANGLES[symmetry])


def _between(one: Peak, other: Peak) -> float:
    """Return the angle between two wave vectors, degrees from 0 to 180."""
    cosine = (one.kx * other.kx + one.ky * other.ky) / (one.k * other.k)
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))


def _turned(one: Peak, other: Peak, symmetry: Symmetry) -> Peak:
    """Return the second wave vector or its opposite: that at 60 rather than at 120 degrees."""
    if symmetry == "hexagonal" and _between(one, other) > 90:
        return Peak(-other.kx, -other.ky, other.k_std, other.amplitude, other.signal_to_noise)
    return other
