"""The report of a run: one HTML file that needs nothing else."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stm_daq.analysis.sites import Mask, Sites, count_flags, sites_of
from stm_daq.quantities import show, show_duration
from stm_daq.records import Event
from stm_daq.report.chapter import Chapter
from stm_daq.report.curve import FitCurve, fitted_curve
from stm_daq.report.embed import data_uri, write_atomically
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
from stm_daq.report.outline import chapters
from stm_daq.report.shape import axis_title, outer_axes
from stm_daq.report.style import NothingToShowError
from stm_daq.report.timeline import notable

if TYPE_CHECKING:
    import xarray as xr

MOST_EVENTS = 200
"""A night that has more events lists the first and the last of them."""

log = logging.getLogger(__name__)


def write_report(
    dataset: xr.Dataset,
    events: Sequence[Event],
    path: Path,
    fit_curve: FitCurve | None = fitted_curve,
) -> Path:
    """Write the report of a run, complete or not.

    Parameters
    ----------
    dataset : xarray.Dataset
        From :func:`stm_daq.open_run`.
    events : sequence of Event
        What happened during the run.
    path : Path
        The HTML file; replaced as a whole if it exists.
    fit_curve : callable, optional
        ``fit_curve(bias, values, model, modulation)`` draws a fit: bias in V, fitted values as in
        :class:`stm_daq.records.Fit`, modulation as peak amplitude in V; conductance in S. None
        shows the spectra without their fits.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("stm_daq.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html").render(
        **_header(dataset),
        figures=[_drawn(chapter) for chapter in chapters(dataset, events, fit_curve)],
        flags=_flag_rows(dataset),
        found_gap=_found_gap(dataset),
        agreement=_agreement_rows(dataset),
        sigmas=f"{SIGMAS:g}",
        events=_event_rows(notable(events)),
    )
    write_atomically(path, page)
    return path


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A figure as the page shows it: an image, or a sentence that says why there is none."""

    title: str
    caption: str
    alternative: str
    image: str
    missing: str


def _drawn(chapter: Chapter) -> _Drawn:
    image, missing = "", ""
    try:
        image = data_uri(chapter.draw())
    except NothingToShowError as reason:
        missing = str(reason)
    except Exception as error:  # one bad figure must not cost the reader all the others
        log.exception("figure '%s' failed", chapter.title)
        missing = f"This figure could not be drawn ({type(error).__name__}: {error})."
    return _Drawn(chapter.title, chapter.caption, chapter.alternative, image, missing)


def _header(dataset: xr.Dataset) -> dict[str, Any]:
    facts, sites = facts_of(dataset), sites_of(dataset)
    return {
        "facts": facts,
        "started": show_date(facts.started),
        "ended": show_date(facts.ended),
        "duration": show_duration(facts.ended - facts.started),
        "sites": {
            "total": sites.total,
            "measured": int(sites.measured.sum()),
            "indicative": sites.indicative,
            "kinds": [
                {"name": name, "count": int(mask.sum()), "share": _share(mask, sites)}
                for name, mask in (
                    ("trusted", sites.trusted),
                    ("doubtful", sites.doubtful),
                    ("failed", sites.failed),
                )
                if facts.fitted
            ],
            "unfitted": int(sites.unfitted.sum()),
        },
        "shortfalls": _shortfalls(facts, sites),
        "medians": [_median_row(dataset, quantity, sites) for quantity in FITTED if facts.fitted],
        "axes": [_axis_row(dataset, name) for name in outer_axes(dataset)],
    }


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


def _axis_row(dataset: xr.Dataset, name: str) -> dict[str, str]:
    values, unit = dataset[name].values.astype(float), dataset[name].attrs.get("units", "")
    ends = " to ".join(show(float(value), unit) for value in values[[0, -1]])
    return {"title": axis_title(dataset, name), "text": f"{len(values)} steps, {ends}"}


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


def _flag_rows(dataset: xr.Dataset) -> list[dict[str, str | int]]:
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


def _agreement_rows(dataset: xr.Dataset) -> list[dict[str, str]]:
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


def _event_rows(events: Sequence[Event]) -> list[dict[str, str]]:
    rows = [
        {"time": show_date(event.time), "kind": event.kind, "text": event.text} for event in events
    ]
    if len(rows) <= MOST_EVENTS:
        return rows
    half = MOST_EVENTS // 2
    left_out = {"time": "", "kind": "", "text": f"... {len(rows) - 2 * half} more events ..."}
    return [*rows[:half], left_out, *rows[-half:]]
