"""Which maps follow one another, as bars."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.report.style import (
    BLUE,
    DATA,
    FAILED,
    NothingToShowError,
    in_house_style,
    letter,
    new_figure,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

SIGNIFICANT = 0.05


@in_house_style
def figure_correlations(
    table: xr.Dataset, names: Mapping[str, str] | None = None, title: str = ""
) -> Figure:
    """Draw the correlation of maps with one other map, with intervals that know about neighbours.

    Parameters
    ----------
    table : Dataset
        From :func:`stm_daq.analysis.space.significance.correlate_all`.
    names : mapping of str to str, optional
        How people call the maps.
    title : str, optional

    Raises
    ------
    NothingToShowError
        If there is no coefficient.
    """
    known = np.isfinite(table["pearson"].values)
    if not known.any():
        remarks = [str(text) for text in table["remark"].values if text]
        raise NothingToShowError(f"There is no correlation to show: {'; '.join(remarks[:1])}.")
    rows = np.flatnonzero(known)[::-1]
    figure = new_figure(0.9 + 0.38 * len(rows), 5.2)
    axes = figure.subplots()
    for place, row in enumerate(rows):
        found = {key: float(table[f"pearson{key}"].values[row]) for key in ("", "_low", "_high")}
        p_value = float(table["pearson_p_value"].values[row])
        colour = BLUE if p_value < SIGNIFICANT else FAILED
        value = found[""]
        axes.barh(place, value, color=colour, alpha=0.75, height=0.6)
        reach = [[value - found["_low"]], [found["_high"] - value]]
        axes.errorbar(value, place, xerr=reach, color=DATA, capsize=2.5, linewidth=1)
        effective = float(table["pearson_effective"].values[row])
        axes.text(1.08, place, f"{_p(p_value)}, {effective:.0f} independent pixels", va="center")
    keys = [str(table["map"].values[row]) for row in rows]
    labels = [(names or {}).get(key, key) for key in keys]
    axes.set(
        yticks=range(len(rows)),
        yticklabels=labels,
        xlim=(-1.05, 1.05),
        xlabel="Correlation coefficient",
    )
    axes.axvline(0, color=DATA, linewidth=0.8)
    letter(axes, 0, title or f"Correlation with {table.attrs.get('with', 'another map')}")
    return figure


def _p(value: float) -> str:
    return f"p = {value:.2g}" if value >= 1e-4 and math.isfinite(value) else "p < 0.0001"
