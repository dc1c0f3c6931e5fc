"""A rectangle of pixels with its colours and its colour bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.analysis.maps.sites import Mask
from stm_daq.records import Array
from stm_daq.report.style import DECORATION, FAILED, shade_not_measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

type Extent = tuple[float, float, float, float]
"""Left, right, bottom, top."""


def robust_limits(values: Array) -> tuple[float, float]:
    """Return the 2nd and 98th percentile of the finite values, never equal ones."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(finite, [2, 98]))
    margin = max(abs(low), abs(high), 1e-12) * 0.01
    return (low, high) if high - low > margin * 1e-3 else (low - margin, high + margin)


def draw_image(
    axes: Axes,
    values: Array,
    extent: Extent,
    colours: str,
    label: str,
    limits: tuple[float, float],
    grey: Mask | None = None,
    logarithmic: bool = False,
) -> AxesImage:
    """Draw values with a colour bar.

    Parameters
    ----------
    axes : Axes
        Where.
    values : ndarray
        Shape (rows, columns), row 0 at the bottom; NaN = no colour.
    extent : tuple of float
        From :func:`extent_of`.
    colours : str
        Name of a colour map.
    label : str
        Of the colour bar.
    limits : tuple of float
        Values of the first and the last colour.
    grey : ndarray of bool, optional
        Pixels that are grey unless they have a value; elsewhere pixels without one are hatched.
    logarithmic : bool, optional
        Colour positive values by their logarithm.
    """
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    shade_not_measured(axes)
    if grey is not None:
        pixels = np.where(grey, 1.0, np.nan)
        _show(axes, pixels, extent, cmap=ListedColormap([FAILED]), gid=DECORATION)
    low, high = limits
    scale = LogNorm if logarithmic else Normalize
    image = _show(axes, values, extent, cmap=colours, norm=scale(low, high))
    finite = values[np.isfinite(values)]
    if len(finite):
        _colour_bar(axes, image, label, bool(finite.min() < low), bool(finite.max() > high))
    else:
        white = {"facecolor": "white", "edgecolor": "none", "pad": 2}
        middle: dict[str, Any] = {"ha": "center", "va": "center", "transform": axes.transAxes}
        axes.text(0.5, 0.5, "no values", bbox=white, **middle)
    return image


def _colour_bar(axes: Axes, image: AxesImage, label: str, below: bool, above: bool) -> None:
    ends = {(False, False): "neither", (True, False): "min", (False, True): "max"}
    axes.figure.colorbar(
        image,
        cax=axes.inset_axes((1.03, 0, 0.045, 1)),
        label=label,
        extend=ends.get((below, above), "both"),
        extendfrac=0.03,
    )


def _show(axes: Axes, values: Array, extent: Extent, **colours: Any) -> AxesImage:
    return axes.imshow(
        values, origin="lower", extent=extent, interpolation="none", aspect="equal", **colours
    )


def extent_of(x: Array, y: Array) -> Extent:
    """Return the outer edges of the pixels around the column and row positions."""
    return (*edges(x, y), *edges(y, x))


def edges(centres: Array, others: Array) -> tuple[float, float]:
    """Return the outer edges of pixels; a single pixel is as wide as those of the other axis."""
    if len(centres) > 1:
        half = (centres[-1] - centres[0]) / (len(centres) - 1) / 2
    else:
        half = (others[1] - others[0]) / 2 if len(others) > 1 else 0.5
    return float(centres[0] - half), float(centres[-1] + half)


def panels_aspect(extent: Extent) -> float:
    """Return height over width for a curve beside a map, so that both are equally high."""
    left, right, bottom, top = extent
    return float(np.clip((top - bottom) / (right - left), 0.3, 1.6))


def panel_height(extent: Extent, width: float) -> float:
    """Return how high (inch) a map of `width` is, within what fits on a page."""
    left, right, bottom, top = extent
    return float(np.clip(width * (top - bottom) / (right - left), 0.5, 1.6 * width))
