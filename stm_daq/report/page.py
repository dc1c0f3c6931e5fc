"""What the page of a report says in words and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stm_daq.analysis.maps.sites import Mask, Sites, count_flags, sites_of
from stm_daq.quantities import show, show_duration
from stm_daq.records import Event
from stm_daq.report.facts import Facts, facts_of, show_date
from stm_daq.report.flags import explain
from stm_daq.report.numbers import (
    FITTED,
    GAP,
    SIGMAS,
    Quantity,
    agreement_of,
    show_percent,
    spread_of,
)
from stm_daq.report.shape import axis_title, outer_axes

if TYPE_CHECKING:
    import xarray as xr

MOST_EVENTS = 200
"""A night that has more events lists the first and the last of them."""


def header(dataset: xr.Dataset) -> dict[str, Any]:
    """Return what stands on top of the page of a run."""
    facts, sites = facts_of(dataset), sites_of(dataset)
    return {
        "rows": _rows(dataset, facts, sites),
        "found_gap": _found_gap(dataset),
        "indicative": sites.indicative,
        "shortfalls": _shortfalls(facts, sites),
        "medians": [_median_row(dataset, quantity, sites) for quantity in FITTED if facts.fitted],
    }


def _rows(dataset: xr.Dataset, facts: Facts, sites: Sites) -> list[dict[str, str]]:
    """Return the table of what the run is: title, text, and whether flags explain it."""
    found = [
        ("Run", facts.run_id),
        ("Started", show_date(facts.started)),
        ("Last sign of life" if facts.state == "not ended" else "Ended", show_date(facts.ended)),
        ("Duration", show_duration(facts.ended - facts.started)),
        *(
            (f"Outer axis: {axis_title(dataset, n)}", _axis(dataset, n))
            for n in outer_axes(dataset)
        ),
        ("Spectra measured", f"{int(sites.measured.sum())} of {sites.total}"),
    ]
    rows = [{"title": title, "text": text, "why": ""} for title, text in found]
    kinds = (("trusted", sites.trusted), ("doubtful", sites.doubtful), ("failed", sites.failed))
    for name, mask in kinds if facts.fitted else ():
        count = int(mask.sum())
        text = f"{count} ({_share(mask, sites)})" if count else "0"
        why = "why" if count and name != "trusted" else ""
        rows.append({"title": f"Fits {name}", "text": text, "why": why})
    if sites.unfitted.any():
        rows.append({"title": "Not fitted", "text": str(int(sites.unfitted.sum())), "why": ""})
    return rows


def _share(mask: Mask, sites: Sites) -> str:
    """Write which part of the measured sites `mask` is."""
    measured = int(sites.measured.sum())
    return show_percent(int(mask.sum()) / measured) if measured else ""


def _shortfalls(facts: Facts, sites: Sites) -> list[str]:
    """Say in sentences what this run does not have."""
    said = []
    if facts.state != "finished":
        ending = {
            "not ended": "The run has not ended, or was cut off",
            "stopped": "The run was stopped on request",
            "failed": "The run failed",
        }.get(facts.state, f"The run is {facts.state}")
        because = f" ({facts.reason})" if facts.reason else ""
        said.append(
            f"{ending}{because}; this report shows what was measured until {show_date(facts.ended)}."
        )
    missing = sites.total - int(sites.measured.sum())
    if missing:
        said.append(f"{missing} of {sites.total} spectra were not measured.")
    unfitted = int(sites.unfitted.sum())
    if unfitted:
        said.append(
            f"{unfitted} of {int(sites.measured.sum())} spectra were not fitted; "
            "`stm-daq fit` fits the whole run again."
        )
    if facts.fitted and sites.failed.any() and not sites.usable.any():
        said.append("No fit can be trusted; the maps of gap, temperature and barrier are empty.")
    if sites.indicative:
        trusted, measured = int(sites.trusted.sum()), int(sites.measured.sum())
        adequate = f"Only {trusted} of {measured} fits" if trusted else "No fit"
        verb = "are" if trusted > 1 else "is"
        said.append(
            f"{adequate} {verb} adequate: a single gap of the model {facts.fit_model} does not "
            "describe these spectra. Values shown are indicative."
        )
    return said


def _axis(dataset: xr.Dataset, name: str) -> str:
    values, unit = dataset[name].values.astype(float), dataset[name].attrs.get("units", "")
    ends = " to ".join(show(float(value), unit) for value in values[[0, -1]])
    return f"{len(values)} steps, {ends}"


def _median_row(dataset: xr.Dataset, quantity: Quantity, sites: Sites) -> dict[str, str]:
    spread = spread_of(dataset, quantity, sites.representative)
    known = math.isfinite(spread.median)
    return {
        "title": quantity.title,
        "unit": quantity.unit,
        "median": f"{spread.median:.3f}" if known else "–",
        "range": f"{spread.low:.3f} to {spread.high:.3f}" if known else "–",
        "std": f"{spread.typical_std:.2g}" if math.isfinite(spread.typical_std) else "–",
    }


def flag_rows(dataset: xr.Dataset) -> list[dict[str, str | int]]:
    """Return every flag with its meaning and how many sites carry it."""
    return [
        {
            "flag": count.flag,
            "meaning": explain(count.flag),
            "failed": count.failed,
            "doubtful": count.doubtful,
            "trusted": count.trusted,
        }
        for count in count_flags(dataset)
    ]


def agreement_rows(dataset: xr.Dataset) -> list[dict[str, str]]:
    """Return how well a rehearsal found the truth; nothing of a measurement."""
    found = (agreement_of(dataset, quantity) for quantity in FITTED)
    return [
        {
            "title": agreement.quantity.title,
            "error": f"{agreement.median_error:.2g} {agreement.quantity.unit}".rstrip(),
            "relative": show_percent(agreement.median_relative_error),
            "within": show_percent(agreement.within),
        }
        for agreement in found
        if agreement is not None
    ]


def _found_gap(dataset: xr.Dataset) -> str:
    """Say how well a rehearsal found the gap; nothing if that cannot be judged."""
    agreement = agreement_of(dataset, GAP)
    if agreement is None:
        return ""
    return (
        f"The fits found the gap with a median error of "
        f"{show_percent(agreement.median_relative_error)}; the true gap lies within {SIGMAS:g} "
        f"stated standard deviations for {show_percent(agreement.within)} of the trusted fits."
    )


def event_rows(events: Sequence[Event]) -> list[dict[str, str]]:
    """Return what happened, the middle of a long list left out."""
    rows = [
        {"time": show_date(event.time), "kind": event.kind, "text": event.text} for event in events
    ]
    if len(rows) <= MOST_EVENTS:
        return rows
    half = MOST_EVENTS // 2
    left_out = {"time": "", "kind": "", "text": f"... {len(rows) - 2 * half} more events ..."}
    return [*rows[:half], left_out, *rows[-half:]]
