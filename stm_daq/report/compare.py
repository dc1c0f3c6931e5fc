"""Two runs side by side: findings, means of maps, maps, and what differs in their plans."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.analysis.space.resampling import block_bootstrap
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.records import Array
from stm_daq.report.chapter import Chapter, Finding
from stm_daq.report.compare_maps import figure_comparison, same_sites, shown_map
from stm_daq.report.contents import is_run
from stm_daq.report.drawing import DrawnFigure, draw_all
from stm_daq.report.embed import write_atomically
from stm_daq.report.facts import Facts, facts_of
from stm_daq.report.findings import written
from stm_daq.report.html import figure_folder, rendered_page, save_figures
from stm_daq.report.numbers import FITTED, Quantity
from stm_daq.report.recipes import AUTO, choose
from stm_daq.report.shape import is_single, swept_of

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True)
class Pair:
    """The same number of two runs."""

    first: Finding
    second: Finding

    @property
    def difference(self) -> float:
        """Second minus first, in their unit."""
        return self.second.value - self.first.value

    @property
    def sigmas(self) -> float:
        """The difference in standard deviations of both; NaN if one is not known."""
        both = math.hypot(self.first.std, self.second.std)
        return self.difference / both if both > 0 else math.nan


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side, not yet on the disk."""

    runs: tuple[Facts, Facts]
    recipe: str
    pairs: tuple[Pair, ...]
    remarks: tuple[str, ...]
    figures: tuple[DrawnFigure, ...]
    plans: str
    """What differs between the plans, as `diff -u` writes it; empty if nothing does."""

    def as_json(self) -> list[dict[str, Any]]:
        """Return the pairs for JSON; what is not known is None."""
        return [
            {"key": p.first.key, "title": p.first.title, "unit": p.first.unit,
             "first": _known(p.first.value), "first_std": _known(p.first.std),
             "second": _known(p.second.value), "second_std": _known(p.second.std),
             "difference": _known(p.difference), "sigmas": _known(p.sigmas)}
            for p in self.pairs
        ]  # fmt: skip


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def compare(one: xr.Dataset, other: xr.Dataset, recipe: str = AUTO) -> Comparison:
    """Compare two runs of the same kind.

    Parameters
    ----------
    one, other : xarray.Dataset
        From :func:`stm_daq.open_run`.
    recipe : str, optional
        As in :func:`stm_daq.report.html.make_report`; it must suit both.

    Raises
    ------
    BadInputError
        If they cannot be compared.
    """
    chosen = _refuse(one, other, recipe)
    facts = facts_of(one), facts_of(other)
    remarks: list[str] = []
    pairs = list(_means(one, other, remarks)) if all(f.fitted for f in facts) else []
    theirs = [_findings(run, chosen, remarks) for run in (one, other)]
    common = theirs[0].keys() & theirs[1].keys()
    pairs += [Pair(theirs[0][key], theirs[1][key]) for key in theirs[0] if key in common]
    figures = draw_all(list(_chapters(one, other))) if all(f.fitted for f in facts) else []
    if not pairs and not any(figure.image for figure in figures):
        raise BadInputError(
            f"{facts[0].run_id} and {facts[1].run_id} have no number and no map in common; choose a "
            "recipe that suits both with --recipe"
        )
    plans = difflib.unified_diff(
        facts[0].plan_text.splitlines(), facts[1].plan_text.splitlines(),
        facts[0].run_id, facts[1].run_id, lineterm="", n=1,
    )  # fmt: skip
    return Comparison(facts, chosen, tuple(pairs), tuple(remarks), tuple(figures), "\n".join(plans))


def _refuse(one: xr.Dataset, other: xr.Dataset, recipe: str) -> str:
    """Return the recipe of both runs; refuse what cannot be compared."""
    if not (is_run(one) and is_run(other)):
        raise BadInputError("only runs can be compared, no files of other programs")
    swept = swept_of(one).name, swept_of(other).name
    if swept[0] != swept[1]:
        raise BadInputError(
            f"these runs cannot be compared: one sweeps {swept[0]}, the other {swept[1]}"
        )
    names = choose(one, recipe).name, choose(other, recipe).name
    if names[0] != names[1]:
        raise BadInputError(
            f"these runs are of two kinds, {names[0]} and {names[1]}; choose one with --recipe NAME, or "
            "compare their common numbers with --recipe none"
        )
    return names[0]


def _findings(run: xr.Dataset, recipe: str, remarks: list[str]) -> dict[str, Finding]:
    found = choose(run, recipe).recipe
    if found is None:
        return {}
    try:
        return {finding.key: finding for finding in found.findings(run)}
    except Exception as error:  # noqa: BLE001 - what both have in common is still worth showing
        remarks.append(f"The findings of {run.attrs['run_id']} are missing: {error}")
        return {}


def _means(one: xr.Dataset, other: xr.Dataset, remarks: list[str]) -> Iterator[Pair]:
    """Yield the means of the fitted maps, with errors that know about neighbours."""
    for quantity in FITTED:
        try:
            yield Pair(_mean(one, quantity), _mean(other, quantity))
        except (BadInputError, CannotTellError) as reason:
            remarks.append(f"{quantity.title}: the means cannot be compared: {reason}.")


def _mean(run: xr.Dataset, quantity: Quantity) -> Finding:
    title = f"Mean {quantity.title.lower()} of the map"
    key = f"map_{quantity.name}"
    if run["time"].ndim != 2:
        raise CannotTellError("a run with outer axes has no single map")
    values = shown_map(run, quantity)
    known = values[np.isfinite(values)]
    if is_single(run) or min(values.shape) == 1 or len(known) < 2:
        raise CannotTellError("a line or a point is no map")
    data = run[quantity.name].copy(data=values)
    found = block_bootstrap([data], _average)
    return Finding(key, title, found.value, found.std, quantity.unit)


def _average(values: Array) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan


def _chapters(one: xr.Dataset, other: xr.Dataset) -> Iterator[Chapter]:
    same = same_sites(one, other)
    difference = (
        " The sites are the same, so the difference is shown too."
        if same
        else " Frame or sites differ, so the maps cannot be subtracted."
    )
    for quantity in FITTED:
        yield Chapter(
            quantity.title,
            "Both runs in the same colours (2nd to 98th percentile of both); hatched: no value."
            + difference,
            f"Maps of the {quantity.title.lower()} of both runs side by side.",
            partial(figure_comparison, one, other, quantity),
        )


def save_comparison(found: Comparison, path: Path) -> Path:
    """Write a comparison as a page, and its figures beside it.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    write_atomically(path, comparison_page(found))
    save_figures(figure_folder(path), found.figures, {})
    return path


def comparison_page(found: Comparison) -> str:
    """Return the page as HTML."""
    return rendered_page(
        "comparison.html",
        runs=found.runs,
        recipe=found.recipe,
        remarks=found.remarks,
        figures=found.figures,
        plans=found.plans,
        rows=_rows(found.pairs),
    )


def _rows(pairs: Sequence[Pair]) -> list[dict[str, str]]:
    return [
        {
            "title": pair.first.title,
            "first": written(pair.first),
            "second": written(pair.second),
            "difference": written(
                Finding("", "", pair.difference, math.hypot(pair.first.std, pair.second.std),
                        pair.first.unit)
            ),
            "sigmas": f"{pair.sigmas:+.1f}" if math.isfinite(pair.sigmas) else "–",
        }
        for pair in pairs
    ]  # fmt: skip
