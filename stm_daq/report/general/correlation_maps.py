"""Correlation maps of one or two quantities, and their radial averages with errors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.fields import Trend
from stm_daq.analysis.space.correlation import RadialProfile, correlation_map, radial_profile
from stm_daq.analysis.space.correlation_length import CorrelationLength, correlation_length
from stm_daq.errors import CannotTellError
from stm_daq.records import Array
from stm_daq.report.numbers import plus_minus
from stm_daq.report.raster import draw_image, extent_of
from stm_daq.report.style import (
    BLUE,
    DATA,
    FIT,
    GREEN,
    NothingToShowError,
    in_house_style,
    letter,
    new_figure,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

type _Pair = tuple[xr.DataArray, xr.DataArray | None]

NM = 1e9
LENGTHS = 5.0
"""Lags are shown up to so many correlation lengths."""


@in_house_style
def figure_correlation_maps(
    a: xr.DataArray,
    b: xr.DataArray | None = None,
    *,
    periodic: bool = False,
    trend: Trend = "mean",
) -> Figure:
    """Draw the autocorrelation of a map, or of two and their cross-correlation, and radial averages.

    The band is one standard deviation; the line is the decay exp(-(r/l)^p) fitted without the zero
    lag, which holds the noise of the fits; the dotted line marks l.

    Parameters
    ----------
    a, b, periodic, trend
        As :func:`stm_daq.analysis.space.correlation.correlation_map`.

    Raises
    ------
    NothingToShowError
        If the maps do not tell a correlation.
    """
    pairs: list[_Pair] = [(a, None)] if b is None else [(a, None), (b, None), (a, b)]
    try:
        maps = [correlation_map(*pair, periodic=periodic, trend=trend) for pair in pairs]
        profiles = [radial_profile(*pair, periodic=periodic, trend=trend) for pair in pairs]
    except CannotTellError as reason:
        raise NothingToShowError(f"There is no correlation to show: {reason}.") from reason
    lengths = [_length(profile) for profile in profiles]
    reach = _reach(profiles, lengths)
    figure = new_figure(2.5 * (1 if b is None else 2))
    panels = figure.subplots(1 if b is None else 2, 2).ravel()
    for number, (axes, (one, other), found) in enumerate(
        zip(panels[:-1], pairs, maps, strict=True)
    ):
        _draw_lags(axes, found["correlation"], reach)
        name = _title(one) if other is None else f"{_title(one)} with {_title(other).lower()}"
        letter(axes, number, name)
    _draw_profiles(panels[-1], pairs, profiles, lengths, reach)
    letter(panels[-1], len(pairs), "Averaged over directions")
    return figure


def _title(data: xr.DataArray) -> str:
    name = str(data.attrs.get("long_name", data.name or "map")).replace("_", " ")
    return name[0].upper() + name[1:]


def _length(profile: RadialProfile) -> CorrelationLength | None:
    try:
        return correlation_length(profile)
    except CannotTellError:
        return None


def _reach(profiles: list[RadialProfile], lengths: list[CorrelationLength | None]) -> float:
    """Return the largest lag that is shown, m."""
    furthest = float(profiles[0].distance[-1])
    known = [length.length for length in lengths if length is not None]
    return min(LENGTHS * max(known), furthest) if known else furthest


def _draw_lags(axes: Axes, correlation: xr.DataArray, reach: float) -> None:
    near = correlation.sel(lag_x=slice(-reach, reach), lag_y=slice(-reach, reach))
    extent = extent_of(near["lag_x"].values * NM, near["lag_y"].values * NM)
    draw_image(axes, np.clip(near.values, -1, 1), extent, "RdBu_r", r"$\rho$", (-1.0, 1.0))
    axes.set(xlabel="Lag $x$ (nm)", ylabel="Lag $y$ (nm)")


def _draw_profiles(
    axes: Axes,
    pairs: list[_Pair],
    profiles: list[RadialProfile],
    lengths: list[CorrelationLength | None],
    reach: float,
) -> None:
    axes.axhline(0, color="0.6", linewidth=0.7)
    colours = (BLUE, GREEN, FIT)
    for (one, other), profile, length, colour in zip(
        pairs, profiles, lengths, colours, strict=False
    ):
        shown = profile.distance <= reach
        r, rho, std = profile.distance[shown] * NM, profile.correlation[shown], profile.std[shown]
        axes.fill_between(r, rho - std, rho + std, color=colour, alpha=0.25, linewidth=0)
        label = _title(one) if other is None else f"{_title(one)}, {_title(other).lower()}"
        axes.plot(r, rho, "o", color=colour, markersize=3, label=label + _written(length))
        if length is not None:
            grid = np.linspace(0, reach, 200)
            axes.plot(grid * NM, _decay(grid, profile, length), color=colour, linewidth=0.9)
            top = length.amplitude / math.e
            axes.plot([length.length * NM] * 2, [0, top], color=DATA, linewidth=0.8, linestyle=":")
    low = min(float((p.correlation - p.std)[p.distance <= reach].min()) for p in profiles)
    axes.set(
        xlabel="Distance $r$ (nm)",
        ylabel=r"Correlation $\rho(r)$",
        xlim=(0, reach * NM),
        ylim=(min(low - 0.1, -0.15), 1.08 + 0.16 * len(pairs)),
    )
    axes.legend(loc="upper right", handletextpad=0.3)


def _decay(distance: Array, profile: RadialProfile, length: CorrelationLength) -> Array:
    """Return the fitted decay as the map shows it, lowered by what went with the mean."""
    where, weight = profile.lost
    lost = weight @ np.exp(-((where / length.length) ** length.power))
    found: Array = length.amplitude * (
        np.exp(-((distance / length.length) ** length.power)) - float(lost)
    )
    return found


def _written(length: CorrelationLength | None) -> str:
    if length is None:
        return ": no length"
    return f": 1/e at {plus_minus(length.length * NM, length.length_std * NM)} nm"
