"""What an artist of matplotlib shows, as columns of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.records import Array
from stm_daq.report.style import DECORATION

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer


@dataclass(frozen=True, slots=True)
class Drawn:
    """One artist."""

    kind: str
    label: str
    """As in the legend; empty without one."""
    columns: Mapping[str, Array] | None
    """None if its numbers cannot be told; `kind` then is what it is."""
    value_label: str = ""
    """Of the colour bar."""


def drawn_in(axes: Axes) -> Iterator[Drawn]:
    """Yield what is drawn in a panel: curves first, then bars, images and areas."""
    seen: set[int] = set()
    for container in axes.containers:
        found = _of_container(container)
        if found is not None:
            seen |= {id(part) for part in _parts(container)}
            yield found
    for artist in (*axes.lines, *axes.collections, *axes.images, *axes.patches):
        if id(artist) in seen or artist.get_gid() == DECORATION or not artist.get_visible():
            continue
        if any(_along(artist, axes)):
            yield from _of_artist(artist, axes)


def _along(artist: Any, axes: Axes) -> tuple[bool, bool]:
    """Return whether x and y of an artist are those of the axes."""
    from matplotlib.collections import Collection

    along_x, along_y = artist.get_transform().contains_branch_seperately(axes.transData)
    if not (along_x or along_y) and isinstance(artist, Collection):  # signs that stand at places
        transform = artist.get_offset_transform()
        along_x, along_y = transform.contains_branch_seperately(axes.transData)
    return bool(along_x), bool(along_y)


def _label(artist: Any) -> str:
    text = str(artist.get_label() or "")
    return "" if text.startswith("_") else text


def _parts(container: Any) -> Iterator[Artist]:
    for part in container:
        if isinstance(part, tuple | list):
            yield from part
        elif part is not None:
            yield part


def _of_container(container: Any) -> Drawn | None:
    from matplotlib.container import BarContainer, ErrorbarContainer

    if isinstance(container, ErrorbarContainer):
        return Drawn("points", _label(container), _error_bars(container))
    if isinstance(container, BarContainer):
        corners = np.array([bar.get_bbox().extents for bar in container.patches]).reshape(-1, 4)
        return Drawn("bars", _label(container), _boxes(corners))
    return None


def _boxes(corners: Array) -> dict[str, Array]:
    """Return columns of boxes; corners: left, bottom, right, top, shape (n, 4)."""
    left, bottom, right, top = corners.T
    low, high = np.minimum(bottom, top), np.maximum(bottom, top)
    return {"x_low": np.minimum(left, right), "x_high": np.maximum(left, right),
            "y_low": low, "y_high": high}  # fmt: skip


def _error_bars(container: ErrorbarContainer) -> dict[str, Array]:
    """Return the points and the ends of their bars."""
    data: Any = container.lines[0]  # None if only bars were asked for
    bars = container.lines[2]
    # not get_segments(): it drops the ends that are not finite
    segments = [
        np.array([path.vertices for path in bar.get_paths()], dtype=np.float64).reshape(-1, 2, 2)
        for bar in bars
    ]
    directions = [n for n, has in (("x", container.has_xerr), ("y", container.has_yerr)) if has]
    if data is not None:
        columns = {"x": _floats(data.get_xdata()), "y": _floats(data.get_ydata())}
    else:  # only bars: their middles
        middles = segments[0].mean(axis=1)
        columns = {"x": middles[:, 0], "y": middles[:, 1]}
    for name, ends in zip(directions, segments, strict=False):
        axis = 0 if name == "x" else 1
        if len(ends) == len(columns["x"]):
            columns[f"{name}_low"] = ends[:, :, axis].min(axis=1)
            columns[f"{name}_high"] = ends[:, :, axis].max(axis=1)
    return columns


def _of_artist(artist: Any, axes: Axes) -> Iterator[Drawn]:
    """Yield what one artist shows; several for one that is made of curves."""
    from matplotlib import collections, contour, image, lines, patches, quiver

    label = _label(artist)
    match artist:
        case lines.Line2D():
            yield from _line(artist, axes, label)
        case contour.ContourSet() | collections.LineCollection():
            yield from _curves(artist, label)
        case collections.PathCollection():
            yield _scatter(artist, label)
        case collections.QuadMesh():
            yield _mesh(artist, label)
        case quiver.Quiver():
            yield Drawn("Quiver", label, None)
        case collections.PolyCollection():
            for vertices in _paths(artist):
                yield Drawn("area", label, {"x": vertices[:, 0], "y": vertices[:, 1]})
        case image.AxesImage():
            yield _image(artist, label)
        case patches.Patch():
            yield _patch(artist, axes, label)
        case _:
            yield Drawn(type(artist).__name__, label, None)


def _patch(patch: Any, axes: Axes, label: str) -> Drawn:
    from matplotlib import patches

    if isinstance(patch, patches.StepPatch):
        return _steps(patch, label)
    if isinstance(patch, patches.Rectangle) and not patch.get_angle():
        sides = _boxes(np.array([patch.get_bbox().extents]))
        along = dict(zip("xy", _along(patch, axes), strict=True))
        return Drawn("rectangle", label, {n: v for n, v in sides.items() if along[n[0]]})
    vertices = patch.get_patch_transform().transform(patch.get_path().vertices)
    return Drawn("area", label, {"x": vertices[:, 0], "y": vertices[:, 1]})


def _floats(values: Any) -> Array:
    """Return numbers as they are; masked ones are NaN."""
    return np.asarray(np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan))


def _line(line: Any, axes: Axes, label: str) -> Iterator[Drawn]:
    """Yield a curve; a line across the whole panel has only its position."""
    x, y = _floats(line.get_xdata(orig=False)), _floats(line.get_ydata(orig=False))
    along_x, along_y = _along(line, axes)
    if along_x and along_y:
        kind = "line" if line.get_linestyle() not in ("None", "none", "", " ") else "points"
        yield Drawn(kind, label, {"x": x, "y": y})
    else:
        name, values = ("x", x) if along_x else ("y", y)
        yield Drawn("line across", label, {name: values[:1]})


def _curves(collection: Any, label: str) -> Iterator[Drawn]:
    """Yield each curve of a collection, with its value if it has one (contours, coloured curves)."""
    values = collection.get_array()
    many = len(collection.get_paths()) > 1
    for number, path in enumerate(collection.get_paths()):
        for vertices in path.to_polygons(closed_only=False):
            columns = {"x": vertices[:, 0], "y": vertices[:, 1]}
            if values is not None and len(values) == len(collection.get_paths()):
                columns["value"] = np.full(len(vertices), float(values[number]))
            name = f"{label} {number + 1}".strip() if many else label
            yield Drawn("line", name, columns, _bar_label(collection))


def _scatter(collection: Any, label: str) -> Drawn:
    offsets = np.ma.filled(np.ma.asarray(collection.get_offsets(), dtype=np.float64), np.nan)
    columns = {"x": offsets[:, 0], "y": offsets[:, 1]}
    values = collection.get_array()
    if values is not None and len(values) == len(offsets):
        columns["value"] = _floats(values)
    return Drawn("points", label, columns, _bar_label(collection))


def _paths(collection: Any) -> Iterator[Array]:
    for path in collection.get_paths():
        yield from path.to_polygons(closed_only=False)


def _mesh(mesh: Any, label: str) -> Drawn:
    corners = np.asarray(mesh.get_coordinates(), dtype=np.float64)
    values = _floats(mesh.get_array())
    if values.size == (corners.shape[0] - 1) * (corners.shape[1] - 1):
        corners = (
            corners[:-1, :-1] + corners[1:, :-1] + corners[:-1, 1:] + corners[1:, 1:]
        ) / 4  # the middles of the cells
    columns = {"x": corners[..., 0].ravel(), "y": corners[..., 1].ravel(), "value": values.ravel()}
    return Drawn("image", label, columns, _bar_label(mesh))


def _image(image: Any, label: str) -> Drawn:
    """Return a pixel a row: its middle and its value."""
    values = np.ma.filled(np.ma.asarray(image.get_array(), dtype=np.float64), np.nan)
    if values.ndim != 2:
        return Drawn("picture without values", label, None)
    left, right, bottom, top = image.get_extent()
    rows, columns = values.shape
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    y = bottom + (np.arange(rows) + 0.5) * (top - bottom) / rows
    if image.origin == "upper":
        y = y[::-1]
    X, Y = np.meshgrid(x, y)
    return Drawn(
        "image", label, {"x": X.ravel(), "y": Y.ravel(), "value": values.ravel()}, _bar_label(image)
    )


def _steps(patch: Any, label: str) -> Drawn:
    values, edges, baseline = patch.get_data()
    values, edges = _floats(values), _floats(edges)
    low = np.broadcast_to(0.0 if baseline is None else _floats(baseline), values.shape)
    return Drawn("step", label,
                 {"x_low": edges[:-1], "x_high": edges[1:], "y_low": low, "y_high": values})  # fmt: skip


def _bar_label(artist: Any) -> str:
    bar = getattr(artist, "colorbar", None)
    if bar is None:
        return ""
    return str(bar.ax.get_ylabel() or bar.ax.get_xlabel())
