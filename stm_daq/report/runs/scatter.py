"""One quantity against another, pixel by pixel, with what the correlation is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.fields import Trend
from stm_daq.analysis.space.significance import Coefficient, correlate
from stm_daq.errors import CannotTellError
from stm_daq.records import Array
from stm_daq.report.numbers import FITTED, Quantity
from stm_daq.report.style import BLUE, FIT, NothingToShowError, in_house_style, letter, new_figure

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = Quantity("z", "Tip height", "$z$", "nm", 1e9)
_KNOWN = {quantity.name: quantity for quantity in (*FITTED, HEIGHT)}


@in_house_style
def figure_scatter(
    a: xr.DataArray, b: xr.DataArray, *, trend: Trend = "plane", level: float = 0.95
) -> Figure:
    """Draw map `b` against map `a`, with the coefficients, their intervals and p-values.

    Both are drawn as they were measured; the coefficients are without the trend. The line is the
    one that halves the scatter both ways (reduced major axis): neither map is without noise.

    Parameters
    ----------
    a, b, trend, level
        As :func:`stm_daq.analysis.space.significance.correlate`. Maps called gap, temperature, barrier
        and z are drawn in their units of people, others in the unit they state.

    Raises
    ------
    NothingToShowError
        If the maps do not tell a correlation.
    """
    try:
        found = correlate(a, b, trend=trend, level=level)
    except CannotTellError as reason:
        raise NothingToShowError(f"There is no correlation to show: {reason}.") from reason
    figure = new_figure(3.4, 4.6)
    axes = figure.subplots()
    of_x, of_y = _quantity(a), _quantity(b)
    x, y = (
        data.transpose("y", "x").values * quantity.factor
        for data, quantity in ((a, of_x), (b, of_y))
    )
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    size, alpha = (6.0, 0.8) if len(x) < 300 else (4.0, 0.5) if len(x) < 3000 else (3.0, 0.35)
    axes.plot(
        x, y, ".", markersize=size, markeredgewidth=0, color=BLUE, alpha=alpha,
        rasterized=len(x) > 300,
    )  # fmt: skip
    if found.pearson.p_value < 1 - level:
        _draw_line(axes, x, y, found.pearson.value)
    lines = [_text("$r$", found.pearson), _text(r"$\rho_S$", found.spearman)]
    lines.append(f"{found.pixels} pixels, worth {found.pearson.effective:.0f} independent ones")
    if found.trend != "mean":
        lines.append(f"{found.trend} subtracted from both")
    low, high = _limits(y)
    axes.set(
        xlabel=of_x.label,
        ylabel=of_y.label,
        xlim=_limits(x),
        ylim=(low, high + 0.42 * (high - low)),
    )
    axes.text(0.03, 0.97, "\n".join(lines), transform=axes.transAxes, va="top", fontsize=7.5)
    letter(axes, 0, f"{of_y.title} against {of_x.title.lower()}")
    return figure


def _quantity(data: xr.DataArray) -> Quantity:
    """Return how people write the values of a map."""
    name, unit = str(data.name or "value"), str(data.attrs.get("units", ""))
    title = str(data.attrs.get("long_name", name)).replace("_", " ")
    return _KNOWN.get(name) or Quantity(name, title[0].upper() + title[1:], "", unit, 1.0)


def _draw_line(axes: Axes, x: Array, y: Array, r: float) -> None:
    slope = np.sign(r) * np.std(y) / np.std(x)
    ends = np.percentile(x, [1, 99])
    axes.plot(ends, y.mean() + slope * (ends - x.mean()), color=FIT, linewidth=1.2)


def _limits(values: Array) -> tuple[float, float]:
    low, high = (float(v) for v in np.percentile(values, [0.1, 99.9]))
    margin = 0.06 * (high - low)
    return low - margin, high + margin


def _text(symbol: str, found: Coefficient) -> str:
    p = f"p = {found.p_value:.2g}" if found.p_value >= 1e-4 else "p < 0.0001"
    text = f"{symbol} = {found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f}), {p}"
    return text.replace("-", "\N{MINUS SIGN}")
