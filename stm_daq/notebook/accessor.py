"""``dataset.stm``: pictures and a view of a run or a file, for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from stm_daq.errors import BadInputError
from stm_daq.notebook.choose import map_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FACTS = ("state", "kind", "name", "sample", "started", "ended", "format", "source", "remarks")
_FIRST = ("topography", "gap", "current")


@xr.register_dataset_accessor("stm")  # type: ignore[no-untyped-call]
class StmAccessor:
    """Pictures of a dataset from :func:`stm_daq.open_run` or :func:`stm_daq.read`.

    Shown in a notebook it is a summary with small pictures.
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self._data = dataset

    def plot_map(
        self, name: str = "gap", *, axes: Axes | None = None, level: bool = True, **at: float
    ) -> Axes:
        """Draw a map with a colour bar in meV, nm, pA ... and a scale bar.

        Parameters
        ----------
        name : str
            A variable over ``y`` and ``x`` or the topograph's axes: "gap", "topography", ...; also
            "conductance" at one bias.
        axes : matplotlib.axes.Axes, optional
            Where; by default a new figure.
        level : bool
            Whether to subtract the best plane from a topograph.
        **at : float
            Point along further axes, in SI, such as ``bias=1e-3`` or ``repeat=2``; by default the
            first, of the bias zero.

        Raises
        ------
        BadInputError
            If there is no such map.
        """
        from stm_daq.notebook.draw import draw_map

        axes = axes if axes is not None else _new_axes((4.2, 3.6))
        draw_map(axes, self._data, name, at, level)
        return axes

    def plot_spectrum(
        self,
        x: float | None = None,
        y: float | None = None,
        name: str = "conductance",
        *,
        axes: Axes | None = None,
        **at: float,
    ) -> Axes:
        """Draw the spectrum nearest to a place, of a run with its fit.

        Parameters
        ----------
        x, y : float, optional
            Distance from the left and the lower edge of the frame, m; by default the middle.
        name : str
            "conductance", "current", or another trace.
        axes : matplotlib.axes.Axes, optional
            Where; by default a new figure.
        **at : float
            Point along further axes, in SI; by default the first.

        Raises
        ------
        BadInputError
            If there are no such spectra.
        """
        from stm_daq.notebook.draw import draw_spectrum

        axes = axes if axes is not None else _new_axes((4.5, 3.2))
        place = {"x": self._nearest("x", x), "y": self._nearest("y", y)}
        sites = {axis: i for axis, i in place.items() if i is not None}
        draw_spectrum(axes, self._data, sites, name, at)
        return axes

    def _nearest(self, axis: str, position: float | None) -> int | None:
        if axis not in self._data.dims:
            return None
        positions = self._data[axis].values
        if position is None:
            return len(positions) // 2
        return int(np.argmin(np.abs(positions - position)))

    def _repr_html_(self) -> str:
        """Return a summary with small pictures of what there is."""
        data = self._data
        rows = [(name, str(data.attrs[name])) for name in _FACTS if data.attrs.get(name)]
        rows.append(("sizes", ", ".join(f"{dim} {size}" for dim, size in data.sizes.items())))
        if "fit_ok" in data:
            good, measured = int(data["fit_ok"].sum()), int(np.isfinite(data["time"]).sum())
            rows.append(("spectra", f"{measured} measured, {good} fits trusted"))
        table = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th>"
            f"<td style='text-align:left'>{escape(text)}</td></tr>"
            for name, text in rows
        )
        return f"<div><table>{table}</table>{self._pictures()}</div>"

    def _pictures(self) -> str:
        flat = [n for n in map_names(self._data) if self._data[n].dims[-1] in ("x", "topograph_x")]
        maps = [name for name in _FIRST if name in flat and self._data[name].size][:2]
        pictures = [self._picture("plot_map", name) for name in maps]
        if "conductance" in self._data:
            pictures.append(self._picture("plot_spectrum"))
        return "".join(pictures)

    def _picture(self, method: str, *arguments: str) -> str:
        from stm_daq.report.embed import picture_of
        from stm_daq.report.style import new_figure

        figure = new_figure(2.6, 3.2)
        try:
            getattr(self, method)(*arguments, axes=figure.subplots())
        except BadInputError:
            return ""  # nothing of this kind in the file
        image, _ = picture_of(figure)
        return f"<img style='display:inline-block' width='300' alt='' src='{image}'/>"


def _new_axes(size: tuple[float, float]) -> Any:
    """Return the axes of a new figure that a notebook shows by itself."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=size, layout="constrained")
    return axes
