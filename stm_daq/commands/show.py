"""``stm-daq show``: a run or a file of another program, in the terminal or as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.errors import BadInputError

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import Console, RenderableType

_MAPS = ("topography", "gap", "current")
_WIDE, _HIGH = 64, 12


def show_path(path: Path, pixel: str | None, quantity: str | None, out: Path | None) -> None:
    """Draw what the options ask for.

    Raises
    ------
    BadInputError
        If the file cannot be read, or does not hold what is asked for.
    """
    data = _open(path)
    place = _place(data, pixel)
    maps, spectrum = _what(data, quantity, pixel)
    if out is not None:
        _save(data, maps, place if spectrum else None, out)
        print(out)
        return
    from rich.console import Console

    console = Console()
    console.print(_headline(data, path), style="bold", highlight=False)
    for name in maps:
        console.print(_map(data, name, console))
    if spectrum:
        console.print(_spectrum(data, place, console))


def _open(path: Path) -> xr.Dataset:
    from stm_daq import open_run, read
    from stm_daq.store import schema

    is_run = path.is_dir() or path.name == schema.FILE_NAME
    return open_run(path) if is_run else read(path)


def _what(data: xr.Dataset, quantity: str | None, pixel: str | None) -> tuple[list[str], bool]:
    """Return the maps to draw, and whether to draw a spectrum."""
    from stm_daq.notebook.choose import map_names

    maps = [quantity] if quantity else []
    if quantity is None and pixel is None:
        there = [name for name in map_names(data) if data[name].dims[-1] in ("x", "topograph_x")]
        maps = [name for name in _MAPS if name in there and _has_values(data[name])][:2]
        if not maps and ("current" not in data or not _has_values(data[_trace(data)])):
            maps = [name for name in _MAPS if name in there and data[name].size][:1] or there[:1]
    return maps, pixel is not None or not maps


def _has_values(values: xr.DataArray) -> bool:
    return bool(np.any(np.isfinite(values.values)))


def _place(data: xr.Dataset, pixel: str | None) -> dict[str, int]:
    """Return column and row of a map of sites; the middle unless the user says.

    Raises
    ------
    BadInputError
        If they are no numbers, or lie outside the map.
    """
    sizes = {axis: data.sizes[axis] for axis in ("x", "y") if axis in data.sizes}
    if pixel is None:
        return {axis: size // 2 for axis, size in sizes.items()}
    try:
        column, row = (int(part) for part in pixel.split(","))
    except ValueError:
        raise BadInputError(f"--pixel {pixel}: give column and row, such as 12,40") from None
    if len(sizes) < 2:
        raise BadInputError(f"--pixel {pixel}: this file holds no map of spectra")
    place = {"x": column, "y": row}
    if not all(0 <= place[axis] < size for axis, size in sizes.items()):
        raise BadInputError(
            f"--pixel {pixel}: columns go from 0 to {sizes['x'] - 1}, rows from 0 to {sizes['y'] - 1}"
        )
    return place


def _headline(data: xr.Dataset, path: Path) -> str:
    said = data.attrs
    about = [said.get("name") or said.get("title") or path.name, said.get("sample", "")]
    about += [said.get("state") or said.get("format", ""), said.get("remarks", "")]
    return ", ".join(str(text) for text in about if text)


def _map(data: xr.Dataset, name: str, console: Console) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from stm_daq.analysis.topographs.surface import without_plane
    from stm_daq.monitor.blocks import heat_map, robust_range, spectrum_plot
    from stm_daq.notebook.choose import map_of

    shown, x, y = map_of(data, name, {})
    values = without_plane(shown.values, x, y) if name == "topography" else shown.values
    low, high = robust_range(values)
    title = ", ".join(filter(None, [shown.name, shown.where]))
    if not np.any(np.isfinite(values)):
        return Text(f"\n{title}: nothing was measured", "dim")
    ends = f"{low:.4g} (dark) to {high:.4g} {shown.unit} (bright)"
    size = f"{np.ptp(x) * len(x) / max(len(x) - 1, 1):.4g} nm"
    size += f" x {np.ptp(y) * len(y) / max(len(y) - 1, 1):.4g} nm"
    if min(values.shape) == 1:
        along = x if values.shape[0] == 1 else y
        picture = spectrum_plot(along, values.ravel(), min(_WIDE, console.width - 2), _HIGH)
        return Group(Text(f"\n{title}: {low:.4g} to {high:.4g} {shown.unit}", "dim"), picture)
    if not console.is_terminal:
        return Text(
            f"\n{title}: {low:.4g} to {high:.4g} {shown.unit}; {size} (--out FILE draws it)"
        )
    rows = max(2 * (console.height - 8), 32)
    picture = heat_map(values, rows, min(_WIDE, console.width - 2))
    return Group(Text(f"\n{title}: {ends}; {size}", "dim"), picture)


def _spectrum(data: xr.Dataset, place: dict[str, int], console: Console) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from stm_daq.monitor.blocks import spectrum_plot
    from stm_daq.notebook.choose import spectrum_of

    swept, shown = spectrum_of(data, place, _trace(data), {})
    values = shown.values[0]
    first, last = swept.values[[0, -1]]
    finite = values[np.isfinite(values)]
    reach = f"{finite.min():.4g} to {finite.max():.4g}" if len(finite) else "nothing measured,"
    where = f" at column {place['x']}, row {place['y']}" if len(place) == 2 else ""
    text = (
        f"\n{shown.name}{where}: {reach} {shown.unit} from {first:.4g} to {last:.4g} {swept.unit}"
    )
    picture = spectrum_plot(swept.values, values, min(_WIDE, console.width - 2), _HIGH)
    return Group(Text(text, "dim"), picture)


def _trace(data: xr.Dataset) -> str:
    """Return what to draw as a spectrum: dI/dV, the current, or the first trace with values."""
    swept = data["current"].dims[-1] if "current" in data else ""
    traces = [str(name) for name, values in data.items() if swept in values.dims]
    for name in ("conductance", "current", *traces):
        if name in data and _has_values(data[name]):
            return name
    return next(str(name) for name in data.data_vars)


def _save(data: xr.Dataset, maps: list[str], place: dict[str, int] | None, out: Path) -> None:
    from matplotlib.figure import Figure

    from stm_daq.notebook.draw import draw_map, draw_spectrum
    from stm_daq.report.style import in_house_style, new_figure

    kinds = Figure().canvas.get_supported_filetypes()
    if out.suffix.lower().removeprefix(".") not in kinds:
        raise BadInputError(
            f"--out {out}: cannot be written; name a file ending in .png, .svg, .pdf"
        )
    count = len(maps) + (place is not None)

    @in_house_style
    def drawn() -> Figure:
        figure = new_figure(2.9, 3.6 * count)
        panels = figure.subplots(1, count, squeeze=False)[0]
        for axes, name in zip(panels, maps, strict=False):
            draw_map(axes, data, name, {})
        if place is not None:
            draw_spectrum(panels[-1], data, place, _trace(data), {})
        return figure

    try:
        drawn().savefig(out, dpi=200)
    except OSError as error:
        raise BadInputError(f"--out {out}: cannot be written ({error.strerror or error})") from None
