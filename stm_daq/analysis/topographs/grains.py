"""Grains of a granular surface, segmented from its topograph, and how large they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stm_daq.analysis.maps.images import image_of, like
from stm_daq.analysis.maps.regions import Regions
from stm_daq.analysis.maps.sites import Mask
from stm_daq.analysis.topographs.surface import level
from stm_daq.errors import CannotTellError
from stm_daq.records import Array

if TYPE_CHECKING:
    import xarray as xr

PART_OF_RELIEF = 0.1
"""A grain rises above the saddle to its neighbours by this part of the relief, unless told."""
VARIED = 1.5
"""Factor by which that is varied to see what the diameters depend on."""
SMOOTHING = 0.5
"""Width of the Gaussian that the heights are smoothed with, pixels."""
FEWEST_PIXELS = 16
"""A grain of fewer pixels (median) is not resolved: noise looks the same."""
FEWEST_GRAINS = 5
"""Fewer whole grains have no distribution."""


@dataclass(frozen=True, slots=True)
class GrainSizes:
    """Sizes of the grains that are whole: none of their pixels at the edge or beside missing ones."""

    labels: NDArray[np.int64]
    """Number of each in the regions, shape (n,)."""
    diameters: Array
    """Of the circle of the same area, m, shape (n,)."""

    @property
    def median(self) -> float:
        """m."""
        return float(np.median(self.diameters))

    @property
    def mean(self) -> float:
        """m."""
        return float(np.mean(self.diameters))

    @property
    def std(self) -> float:
        """Standard deviation of the distribution, m."""
        return float(np.std(self.diameters, ddof=1))

    @property
    def mean_error(self) -> float:
        """Standard deviation of `mean`, m; that of the segmentation itself is not in it."""
        return self.std / math.sqrt(len(self.diameters))

    @property
    def large(self) -> float:
        """Diameter that nine of ten grains do not reach, m."""
        return float(np.percentile(self.diameters, 90))


def segment_grains(
    topograph: xr.DataArray, depth: float | None = None, smoothing: float = SMOOTHING
) -> Regions:
    """Divide a topograph into grains: water that is poured over it upside down fills one each.

    The best plane is subtracted, the heights are smoothed a little, and the grains are the
    catchment basins of the inverted surface (watershed: L. Vincent, P. Soille, IEEE Trans. PAMI
    13, 583 (1991)) around those maxima that rise by at least `depth` above the saddle to a
    higher one (h-maxima). The boundaries between grains are lines without width.

    Parameters
    ----------
    topograph : xarray.DataArray
        Heights, m, over (``topograph_y``, ``topograph_x``) or (``y``, ``x``); NaN = not scanned.
    depth : float, optional
        m; by default a tenth of the relief (5th to 95th percentile). It has to be above the
        roughness on top of the grains and below the valleys between them.
    smoothing : float, optional
        Width (sigma) of the smoothing, pixels.

    Returns
    -------
    Regions
        Named "1", "2", ... from the bottom.

    Raises
    ------
    BadInputError, CannotTellError
        If the topograph will not do (see :func:`stm_daq.analysis.maps.images.image_of`), or its grains
        are not resolved (their median is below 16 pixels), or scikit-image is not installed.
    """
    from scipy.ndimage import gaussian_filter, label

    morphology, segmentation = _skimage()
    image = image_of(level(topograph), least=10 * FEWEST_PIXELS)
    depth = usual_depth(topograph) if depth is None else depth
    lowest = float(image.values[image.known].min())
    filled = np.where(image.known, image.values, lowest)
    weight = gaussian_filter(image.known.astype(float), smoothing)
    smooth = gaussian_filter(filled - lowest, smoothing) / np.maximum(weight, 1e-6)
    smooth = np.where(image.known, smooth / depth, 0.0)
    maxima = morphology.h_maxima(smooth, 1.0).astype(bool) & image.known
    seeds, _ = label(maxima, np.ones((3, 3)))
    labels = segmentation.watershed(-smooth, seeds, mask=image.known).astype(np.int64)
    count = int(labels.max())
    _require_resolved(labels, count, image.name)
    regions = like(topograph, labels).rename("grain").assign_attrs(units="", long_name="grain")
    return Regions(regions, tuple(str(number) for number in range(1, count + 1)))


def usual_depth(topograph: xr.DataArray) -> float:
    """Return a tenth of the relief (5th to 95th percentile of the levelled heights), m."""
    heights = level(topograph).values
    low, high = np.percentile(heights[np.isfinite(heights)], [5, 95])
    return PART_OF_RELIEF * float(high - low)


def diameter_error(topograph: xr.DataArray) -> float:
    """Return how much the median diameter depends on the depth that separates grains, m.

    It is half the difference between the medians with 1 / 1.5 and 1.5 times the usual depth.

    Raises
    ------
    BadInputError, CannotTellError
        See :func:`segment_grains` and :func:`grain_sizes`.
    """
    usual = usual_depth(topograph)
    fine, coarse = (
        grain_sizes(segment_grains(topograph, depth)).median
        for depth in (usual / VARIED, usual * VARIED)
    )
    return abs(coarse - fine) / 2


def grain_sizes(grains: Regions) -> GrainSizes:
    """Return the diameters of the whole grains.

    Raises
    ------
    CannotTellError
        If fewer than five are whole: the map is too small.
    """
    image = image_of(grains.labels, least=1, constant=True)
    labels = np.asarray(grains.labels.values, dtype=np.int64)
    count = len(grains.names)
    cut = np.unique(labels[_beside_nothing(labels)])
    whole = np.setdiff1d(np.arange(1, count + 1), cut)
    if len(whole) < FEWEST_GRAINS:
        raise CannotTellError(
            f"only {len(whole)} of {count} grains lie wholly in the map; {FEWEST_GRAINS} are needed: "
            "scan a larger frame"
        )
    step_x, step_y = image.step
    areas = np.bincount(labels.ravel(), minlength=count + 1)[whole] * step_x * step_y
    return GrainSizes(whole, 2 * np.sqrt(areas / math.pi))


def _skimage() -> tuple[Any, Any]:
    """Import what is used of scikit-image, an extra of this package."""
    try:
        from skimage import morphology, segmentation
    except ImportError:
        raise CannotTellError(
            "finding grains needs scikit-image, which is not installed: pip install 'stm-daq[analysis]'"
        ) from None
    return morphology, segmentation


def _require_resolved(labels: NDArray[np.int64], count: int, name: str) -> None:
    pixels = (
        float(np.median(np.bincount(labels.ravel(), minlength=count + 1)[1:])) if count else 0.0
    )
    if pixels < FEWEST_PIXELS:
        raise CannotTellError(
            f"the grains of '{name}' are not resolved: half of them have no more than {pixels:.0f} "
            "pixels, as in noise; scan finer, or give a larger `depth`"
        )


def _beside_nothing(labels: NDArray[np.int64]) -> Mask:
    """Return the pixels at the edge of the map or beside a missing one."""
    from scipy.ndimage import binary_erosion

    inner = binary_erosion(labels > 0, np.ones((3, 3), dtype=np.bool_), border_value=0)
    return np.asarray(~inner & (labels > 0))
