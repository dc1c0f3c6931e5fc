"""Commands on what was measured: runs, show, fit, report, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stm_daq.cli.options import RUNS, AsJson, RunPath
from stm_daq.errors import BadInputError


def runs(
    folder: Annotated[Path, typer.Argument()] = RUNS,
    since: Annotated[
        str | None, typer.Option(help="Started then or later: 2026-11-21.", metavar="DATE")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Started before.", metavar="DATE")] = None,
    sample: Annotated[
        str | None, typer.Option(help="Part of the sample's name; * and ? stand for anything.")
    ] = None,
    plan: Annotated[str | None, typer.Option(help="Part of the plan's name.")] = None,
    state: Annotated[str | None, typer.Option(help="finished, stopped, failed, ...")] = None,
    gap: Annotated[
        tuple[str, str] | None,
        typer.Option(help='Range of the median gap: "0.4 meV" "0.6 meV".', metavar="LOW HIGH"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the runs in a folder, all or those that are looked for."""
    from stm_daq.commands.runs import RunsOptions, show_runs

    show_runs(folder, RunsOptions(since, until, sample, plan, state, gap), as_json)


def show(
    path: Annotated[Path, typer.Argument(metavar="RUN|FILE")],
    pixel: Annotated[
        str | None,
        typer.Option(help="Spectrum at a place of the map: column,row, from 0.", metavar="X,Y"),
    ] = None,
    quantity: Annotated[
        str | None, typer.Option("--map", help="Map to draw: topography, gap, z, ...")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Draw into this file: .png, .svg or .pdf.", metavar="FILE")
    ] = None,
) -> None:
    """Draw a run, or a file of another program: topograph and maps, or a spectrum.

    Without options what there is: the topograph and the map of the gap, else the middle spectrum.
    """
    from stm_daq.commands.show import show_path

    show_path(path, pixel, quantity, out)


def fit(
    paths: Annotated[list[Path], typer.Argument(metavar="RUN|ARCHIVE|FILE...")],
    model: Annotated[
        str | None,
        typer.Option(
            help="btk, dynes, two_gaps, ...; for a run btk, for a file dynes or btk+broadening, "
            "the simpler that suits."
        ),
    ] = None,
    compare: Annotated[
        str | None, typer.Option(help="Fit this model too and say which one each spectrum prefers.")
    ] = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option(help="Parameter not to fit, such as temperature=1.2K.", metavar="NAME=VALUE"),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="exact, or table for large maps.", metavar="exact|table")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes; by default one a core.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help='Dask scheduler, or "local" for one on loopback.', metavar="ADDRESS"),
    ] = None,
    bias_column: Annotated[
        str | None, typer.Option(help="Bias column: name or number, with unit if needed (1:mV).")
    ] = None,
    conductance_column: Annotated[
        str | None, typer.Option(help="dI/dV column: name or number, with unit if needed (2:uS).")
    ] = None,
    noise_column: Annotated[
        str | None,
        typer.Option(help="Column of the standard deviations of dI/dV, if there is one."),
    ] = None,
    modulation: Annotated[
        str | None,
        typer.Option(help='Peak lock-in modulation of measured files, such as "140 uV".'),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            help="Draw data, fits and residuals: .png, .svg (24 spectra) or .pdf (all of them).",
            metavar="FILE",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fit runs again, or fit measured files (of Nanonis, Createc, GXSM; CSV).

    The refit of a run is stored beside it, in its folder fits, and never replaces another. An
    archive is a folder of runs. What was interrupted goes on where it stopped.

    Exit code 0: everything was fitted, whatever the verdicts; 2: an option makes no sense, or a file
    could not be read or fitted (the others were); 5: the same of a run.
    """
    of_runs = {"--compare": compare, "--engine": engine,
               "--processes": processes, "--scheduler": scheduler}  # fmt: skip
    of_files = {"--bias-column": bias_column, "--conductance-column": conductance_column,
                "--noise-column": noise_column, "--modulation": modulation,
                "--figure": figure}  # fmt: skip
    if _all_runs(paths):
        _refuse(of_files, "measured files, not runs")
        from stm_daq.commands.refit import RefitOptions, refit_paths

        options = RefitOptions(
            model or "btk", compare, tuple(fixed or ()), processes, scheduler, engine or "exact"
        )
        refit_paths(paths, options, as_json)
    else:
        _refuse(of_runs, "runs, not measured files")
        from stm_daq.commands.fit import FileOptions, fit_files

        chosen = FileOptions(
            model, tuple(fixed or ()), bias_column, conductance_column, noise_column,
            modulation, figure,
        )  # fmt: skip
        fit_files(paths, chosen, as_json)


def _all_runs(paths: list[Path]) -> bool:
    """Whether runs are meant; runs and files together are a mistake."""
    runs = [path.is_dir() or path.name == "journal.db" for path in paths]
    if any(runs) and not all(runs):
        raise BadInputError("runs and measured files together: fit them one after the other")
    return all(runs)


def _refuse(options: dict[str, Any], what: str) -> None:
    wrong = [name for name, value in options.items() if value]
    if wrong:
        raise BadInputError(f"{', '.join(wrong)}: only for {what}")


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN|FILE")],
    recipe: Annotated[
        str,
        typer.Option(
            help="tin, nbn-line, nbn-map, contact, bistability, general, auto or none.",
            metavar="NAME",
        ),
    ] = "auto",
    compare: Annotated[
        Path | None, typer.Option(help="Compare with this run instead.", metavar="RUN2")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Write a PDF, too.")] = False,
    out: Annotated[Path | None, typer.Option(help="Where to write it.", metavar="FILE")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the HTML report of a run (finished or not) or a measured file, with figures as SVG and CSV.

    The recipe says what is shown and found beyond what every run has; see docs/report.md.
    """
    from stm_daq.commands.report import ReportOptions, show_report

    show_report(run, ReportOptions(recipe, compare, pdf, out, as_json))


def export(
    run: RunPath,
    format_: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="3ds, sxm, dat, gwy, netcdf, zarr, nexus, csv, igor, qcodes, all.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write, or folder to write into.", metavar="PATH"),
    ] = None,
    step: Annotated[
        int | None,
        typer.Option(min=0, help="Step of the outer axes, for 3ds, sxm and dat.", metavar="N"),
    ] = None,
    pixel: Annotated[
        str | None,
        typer.Option(help="Site of a dat, from the lower left, from 0.", metavar="COLUMN,ROW"),
    ] = None,
    fit: Annotated[
        str, typer.Option(help='Fits that travel along: "online", "latest" or a name.')
    ] = "online",
) -> None:
    """Write a run (finished or not) in a format that other programs read; see docs/files_out.md."""
    from stm_daq.commands.export import export as export_to

    export_to(run, format_, out, step, pixel, fit)
