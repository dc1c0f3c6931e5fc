"""The end of a run in a few lines for the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stm_daq.analysis.maps.sites import sites_of
from stm_daq.report.facts import facts_of
from stm_daq.report.numbers import (
    FITTED,
    GAP,
    SIGMAS,
    agreement_of,
    show_percent,
    spread_of,
)
from stm_daq.report.shape import axis_title, outer_axes

if TYPE_CHECKING:
    import xarray as xr
    from rich.table import Table


def summary(dataset: xr.Dataset) -> Table:
    """Return what a run brought, for a terminal.

    Parameters
    ----------
    dataset : xarray.Dataset
        From :func:`stm_daq.open_run`.

    Returns
    -------
    rich.table.Table
        State, spectra, trusted, doubtful and failed fits, median and scatter of gap, temperature
        and barrier (if spectra were fitted); in a rehearsal also how well the gap was found.
    """
    from rich.table import Table
    from rich.text import Text

    facts, sites = facts_of(dataset), sites_of(dataset)
    table = Table(box=None, show_header=False, pad_edge=False, title_justify="left")
    table.add_column(style="dim")
    table.add_column()
    # names are the user's: text, not rich markup
    table.add_row(facts.kind, Text(f"{facts.name} ({facts.run_id}): {facts.state}"))
    table.add_row("spectra", f"{sites.measured.sum()} of {sites.total}")
    for name in outer_axes(dataset):
        table.add_row(
            "outer axis", Text(f"{dataset.sizes[name]} steps of {axis_title(dataset, name)}")
        )
    if not facts.fitted:
        return table
    measured = int(sites.measured.sum())
    table.add_row("trusted fits", _fraction(int(sites.trusted.sum()), measured))
    if sites.doubtful.any():
        doubtful = _fraction(int(sites.doubtful.sum()), measured)
        table.add_row("doubtful fits", f"{doubtful}: the model is not adequate")
    if sites.failed.any():
        table.add_row("failed fits", _fraction(int(sites.failed.sum()), measured))
    if sites.unfitted.any():
        table.add_row("not fitted", _fraction(int(sites.unfitted.sum()), measured))
    kind = "indicative median" if sites.indicative else "median"
    for quantity in FITTED:
        spread = spread_of(dataset, quantity, sites.representative)
        if math.isfinite(spread.median):
            text = f"{spread.median:.3f} ± {spread.scatter:.3f} {quantity.unit}".rstrip()
            table.add_row(quantity.title.lower(), f"{text} ({kind}, scatter over the map)")
    agreement = agreement_of(dataset, GAP)
    if agreement is not None:
        table.add_row(
            "against truth",
            f"gap found to {show_percent(agreement.median_relative_error)} (median); "
            f"{show_percent(agreement.within)} within {SIGMAS:g} stated standard deviations",
        )
    return table


def _fraction(part: int, whole: int) -> str:
    return f"{part} ({show_percent(part / whole)})" if whole else "none"
