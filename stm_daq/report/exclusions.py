"""The table of every site that does not count, with the reason."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np

from stm_daq.analysis.maps.fitted_maps import NOT_MEASURED, excluded
from stm_daq.analysis.maps.sites import sites_of
from stm_daq.report.facts import facts_of
from stm_daq.report.flags import explain

if TYPE_CHECKING:
    import xarray as xr

HEAD = ("step", "column", "row", "x (nm)", "y (nm)", "reason", "meaning")


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A site that does not count, as people write it."""

    step: str
    """Along the outer axes, from 0: "2,0"; empty without any."""
    column: int
    row: int
    x: float
    """nm."""
    y: float
    """nm."""
    reason: str
    meaning: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of a table, as in `HEAD`."""
        place = f"{self.x:.2f}", f"{self.y:.2f}"
        return self.step, str(self.column), str(self.row), *place, self.reason, self.meaning


def exclusions_of(dataset: xr.Dataset) -> list[Exclusion]:
    """List every planned site that does not count; of a run without fits those not measured."""
    if facts_of(dataset).fitted:
        return [
            Exclusion(
                ",".join(map(str, site.step)), site.column, site.row, site.x * 1e9, site.y * 1e9,
                site.reason, "; ".join(explain(flag) for flag in site.flags),
            )
            for site in excluded(dataset)
        ]  # fmt: skip
    sites = sites_of(dataset)
    x, y = dataset["x"].values * 1e9, dataset["y"].values * 1e9
    return [
        Exclusion(
            ",".join(map(str, step)), int(column), int(row), float(x[column]), float(y[row]),
            NOT_MEASURED, "",
        )
        for *step, row, column in np.argwhere(sites.wanted & ~sites.measured)
    ]  # fmt: skip


def exclusions_csv(rows: Sequence[Exclusion]) -> str:
    """Return the table as CSV."""
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEAD)
    writer.writerows(row.cells for row in rows)
    return buffer.getvalue()
