"""The report of a run: one HTML file that needs nothing else, and beside it the figures as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stm_daq.records import Event
from stm_daq.report.chapter import Finding
from stm_daq.report.contents import Contents, contents_of, is_run
from stm_daq.report.drawing import DrawnFigure, Progress, draw_all, silent
from stm_daq.report.embed import data_uri, write_atomically
from stm_daq.report.exclusions import HEAD, exclusions_csv, exclusions_of
from stm_daq.report.facts import facts_of
from stm_daq.report.findings import findings_csv, written
from stm_daq.report.methods import methods_of
from stm_daq.report.numbers import SIGMAS
from stm_daq.report.page import agreement_rows, event_rows, flag_rows, header
from stm_daq.report.provenance import checksums, citation, commands, versions_of_report
from stm_daq.report.recipes import AUTO
from stm_daq.report.runs.curve import FitCurve, fitted_curve
from stm_daq.report.runs.timeline import notable

if TYPE_CHECKING:
    import xarray as xr

MOST_EXCLUDED = 20_000
"""A page lists no more sites; the CSV lists all."""
MOST_DATA = 8_000_000
"""Characters of the figures' numbers within the page; those of further figures are only in the folder."""
MOST_PAGE = 14_000_000
"""Characters of a page, which still opens at once and passes most mail servers."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report, not yet on the disk."""

    content: dict[str, Any]
    """What the template shows, by its names there."""
    figures: tuple[DrawnFigure, ...]
    tables: dict[str, str]
    """CSV by file name."""
    recipe: str
    findings: tuple[Finding, ...]
    problems: tuple[str, ...]
    """What could not be done, in sentences."""


def make_report(
    dataset: xr.Dataset,
    events: Sequence[Event] = (),
    recipe: str = AUTO,
    fit_curve: FitCurve | None = fitted_curve,
    pdf: bool = False,
    progress: Progress = silent,
) -> Report:
    """Draw the figures of a run and find its numbers.

    Parameters
    ----------
    dataset : xarray.Dataset
        From :func:`stm_daq.open_run`, complete or not, or from :func:`stm_daq.read`.
    events : sequence of Event
        What happened during the run.
    recipe : str, optional
        A name of :data:`stm_daq.report.recipes.NAMES`, "auto" or "none".
    fit_curve : callable, optional
        ``fit_curve(bias, values, model, modulation)`` draws a fit: bias in V, fitted values as in
        :class:`stm_daq.records.Fit`, modulation as peak amplitude in V; conductance in S. None
        shows the spectra without their fits.
    pdf : bool, optional
        Render the figures for a PDF too.
    progress : callable, optional
        Told of every figure.

    Raises
    ------
    BadInputError
        If there is no such recipe.
    """
    contents = contents_of(dataset, events, recipe, fit_curve)
    figures = draw_all(contents.chapters, pdf, progress)
    tables = {"findings.csv": findings_csv(contents.findings)} if contents.findings else {}
    content = _common(dataset, contents, figures)
    if is_run(dataset):
        excluded = exclusions_of(dataset)
        tables |= {"excluded.csv": exclusions_csv(excluded)} if excluded else {}
        content |= header(dataset) | {
            "methods": methods_of(dataset),
            "flags": flag_rows(dataset),
            "agreement": agreement_rows(dataset),
            "events": event_rows(notable(events)),
            "excluded_head": HEAD,
            "excluded": [row.cells for row in excluded[:MOST_EXCLUDED]],
            "excluded_count": len(excluded),
        }
    return Report(
        content, tuple(figures), tables, contents.recipe, contents.findings, contents.problems
    )


def _common(
    dataset: xr.Dataset, contents: Contents, figures: Sequence[DrawnFigure]
) -> dict[str, Any]:
    """Return what the page of a run and that of a file have alike."""
    facts = facts_of(dataset)
    sums = checksums(dataset, facts, figures)
    return {
        "facts": facts,
        "is_run": is_run(dataset),
        "shortfalls": [],
        "recipe": contents.recipe,
        "problems": contents.problems,
        "sigmas": f"{SIGMAS:g}",
        "findings": [
            {"title": f.title, "value": written(f), "remark": f.remark, "key": f.key}
            for f in contents.findings
        ],
        "remarks": str(dataset.attrs.get("remarks", "")),
        "checksums": sums,
        "report_versions": versions_of_report(),
        "commands": commands(dataset, facts, contents.recipe),
        "citation": citation(facts, sums),
    }


def figure_folder(path: Path) -> Path:
    """Return where the figures of a report lie as files: ``report_figures`` beside ``report.html``."""
    return path.with_name(f"{path.stem}_figures")


def write_report(
    dataset: xr.Dataset,
    events: Sequence[Event],
    path: Path,
    fit_curve: FitCurve | None = fitted_curve,
    recipe: str = AUTO,
) -> Path:
    """Write the report of a run, complete or not: :func:`make_report` and :func:`save_report`."""
    return save_report(make_report(dataset, events, recipe, fit_curve), path)


def save_report(report: Report, path: Path) -> Path:
    """Write a report: the page, and beside it the folder of its figures (SVG) and tables (CSV).

    Returns
    -------
    Path
        `path`, which is replaced as a whole if it exists.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    folder = figure_folder(path)
    write_atomically(path, page_of(report, folder.name))
    save_figures(folder, report.figures, report.tables)
    return path


def save_figures(folder: Path, figures: Sequence[DrawnFigure], tables: Mapping[str, str]) -> None:
    """Write figures (SVG and CSV) and tables into a folder, and clear what an earlier report left."""
    wanted = {name: text.encode("utf-8") for name, text in tables.items()}
    for figure in figures:
        if figure.svg:
            wanted[f"{figure.name}.svg"] = figure.svg
            wanted[f"{figure.name}.csv"] = figure.csv.encode("utf-8")
    folder.mkdir(exist_ok=True)
    for old in [*folder.glob("[0-9][0-9]-*.svg"), *folder.glob("*.csv")]:
        if old.name not in wanted:
            old.unlink()
    for name, content in wanted.items():
        (folder / name).write_bytes(content)


def page_of(report: Report, folder: str) -> str:
    """Return the page as HTML; `folder` is the name of the folder beside it."""
    return rendered_page(
        "report.html",
        **report.content,
        folder=folder,
        figures=report.figures,
        downloads=_downloads(report.figures),
        tables={
            name: data_uri("csv", text.encode("utf-8")) for name, text in report.tables.items()
        },
    )


def rendered_page(template: str, **content: Any) -> str:
    """Return a page from a template and everything that it names."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("stm_daq.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**content)


def _downloads(figures: Sequence[DrawnFigure]) -> dict[int, tuple[str, str]]:
    """Return the numbers of the figures that find room within the page: (data: URI, file name)."""
    found, left = {}, min(MOST_DATA, MOST_PAGE - sum(len(figure.image) for figure in figures))
    for figure in figures:
        if not figure.csv:
            continue
        uri, name = figure.table
        if len(uri) <= left:
            found[figure.number] = uri, name
            left -= len(uri)
    return found
