"""The command ``stm-daq``: a thin face over the program.

Exit codes: 0 done; 1 unexpected error; 2 bad input (plan, station, data file, command line); 3 a value
outside the limits; 4 an instrument failed; 5 the journal cannot be written or read; 6 a driver loops on
the twin; 7 another run uses the station; 10 stopped on request before the end (what was measured is safe
and readable); 11 a plan failed its dry run (`rehearse --ci`); 12 a command was not accepted (`control`);
13 an alert could not be sent (`alerts`); 14 nobody answers (`watch --once`); 130 interrupted outside a
measurement.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from stm_daq.commands import alerts
from stm_daq.errors import BadInputError, StmDaqError

app = typer.Typer(
    help="Take spectroscopic maps with a millikelvin STM overnight; rehearse the night beforehand.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(alerts.app, name="alerts")
keys_app = typer.Typer(
    help="Keys of those who may watch a station, and of those who may command it.",
    no_args_is_help=True,
)
app.add_typer(keys_app, name="keys")

PlanPath = Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a YAML file.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder or its journal.db.")]
StationPath = Annotated[Path, typer.Option("--station", help="The station.", metavar="FILE")]
RunsPath = Annotated[Path, typer.Option("--runs", help="Where runs are kept.", metavar="FOLDER")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Port = Annotated[
    int | None,
    typer.Option(
        "--port",
        min=0,
        max=65_533,
        help="First of three ports that viewers connect to, instead of the station's; 0: any free.",
    ),
]
Address = Annotated[str, typer.Argument(help="As the run tells it when it starts.")]
Key = Annotated[
    Path | None,
    typer.Option("--key", help="Your secret key, with station.pub beside it.", metavar="FILE"),
]
KeyFolder = Annotated[
    Path, typer.Option("--keys", help="The station's folder of keys.", metavar="FOLDER")
]
Start = Annotated[
    str | None,
    typer.Option(help='When it begins: "20:00", "2026-11-23 20:00", "2 h".', metavar="WHEN"),
]
HeliumUntil = Annotated[
    str | None,
    typer.Option(help='Until when the helium lasts: "2026-11-23 08:00", "60 h".', metavar="WHEN"),
]
SendAlerts = Annotated[
    bool, typer.Option("--send-alerts", help="Send the alerts too, instead of only showing them.")
]
Report = Annotated[bool, typer.Option(help="Write the report at the end.")]

STATION = Path("station.yaml")
RUNS = Path("runs")
KEYS = Path("keys")
ADDRESS = "tcp://127.0.0.1:5550"
INTERRUPTED = 130


@app.command()
def check(
    plan: PlanPath,
    station: StationPath = STATION,
    runs: RunsPath = RUNS,
    start: Start = None,
    helium_until: HeliumUntil = None,
    sample: Annotated[bool, typer.Option(help="Rehearse a sample of sites on the twin.")] = True,
    as_json: AsJson = False,
) -> None:
    """Explain a night before it starts; touches no instrument."""
    from stm_daq.commands.check import check_plan

    check_plan(plan, station, runs, start, helium_until, sample, as_json)


@app.command()
def rehearse(
    plans: Annotated[list[Path], typer.Argument(metavar="PLAN...", help="Plans, YAML files.")],
    station: StationPath = STATION,
    runs: RunsPath = RUNS,
    seed: Annotated[int | None, typer.Option(help="Seed of the twin's world.")] = None,
    topograph: Annotated[
        Path | None,
        typer.Option(help="Measured topograph (.sxm) as the surface.", metavar="FILE"),
    ] = None,
    spectra: Annotated[
        Path | None,
        typer.Option(help="Measured spectra at several temperatures.", metavar="FOLDER"),
    ] = None,
    start: Start = None,
    ci: Annotated[
        bool, typer.Option("--ci", help="Dry runs: any number of plans, each shortened.")
    ] = False,
    every_site: Annotated[
        bool, typer.Option("--all", help="With --ci: all sites instead of a sample.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option(help="With --ci: write JUnit XML.", metavar="FILE")
    ] = None,
    port: Port = None,
    report: Report = True,
    send_alerts: SendAlerts = False,
    as_json: AsJson = False,
) -> None:
    """Run a plan on the physics twin of the station, in virtual time.

    With --topograph and --spectra the twin's surface and spectra are measured ones. With --ci every
    plan is rehearsed at a sample of its sites, and fails on any limit, guard or deadline.
    """
    from stm_daq.commands.measured import read_measured

    measured = read_measured(topograph, spectra)
    if ci:
        from stm_daq.commands.ci import rehearse_for_ci

        code = rehearse_for_ci(plans, station, runs, seed, measured, start, every_site, junit)
        raise typer.Exit(code)
    if len(plans) > 1 or every_site or junit:
        raise BadInputError("several plans, --all and --junit: only with --ci")
    from stm_daq.commands.measure import Showing, rehearse_plan

    showing = Showing(port, report, as_json, send_alerts)
    raise typer.Exit(rehearse_plan(plans[0], station, runs, seed, measured, start, showing))


@app.command()
def run(
    plan: PlanPath,
    station: StationPath = STATION,
    runs: RunsPath = RUNS,
    helium_until: HeliumUntil = None,
    watchdog: Annotated[
        bool, typer.Option(help="Let a second process make the station safe if this one dies.")
    ] = True,
    port: Port = None,
    report: Report = True,
    as_json: AsJson = False,
) -> None:
    """Run a plan on the microscope."""
    from stm_daq.commands.measure import Showing, run_plan

    showing = Showing(port, report, as_json)
    raise typer.Exit(run_plan(plan, station, runs, helium_until, watchdog, showing))


@app.command()
def resume(
    run: RunPath,
    as_begun: Annotated[
        bool, typer.Option("--as-begun", help="Use plan and station as they were at the start.")
    ] = False,
    port: Port = None,
    report: Report = True,
    send_alerts: SendAlerts = False,
    as_json: AsJson = False,
) -> None:
    """Go on with a run (or a rehearsal) that was stopped, killed or cut off."""
    from stm_daq.commands.measure import Showing, resume_run

    raise typer.Exit(resume_run(run, as_begun, Showing(port, report, as_json, send_alerts)))


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def watch(
    address: Address = ADDRESS,
    key: Key = None,
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", help="Map to show, such as gap or z; twice for two.", metavar="NAME"),
    ] = None,
    stay: Annotated[bool, typer.Option(help="Wait for the next run when one ends.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Show how it is now, and leave.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show progress, maps, spectra and fits of a run that is going on.

    On a terminal keys 1 and 2 change the maps. Elsewhere a line a minute, with --json one a second.
    """
    from stm_daq.commands.watch import watch_run

    watch_run(address, key, maps or (), stay, once, as_json)


@app.command()
def metrics(
    addresses: Annotated[list[str] | None, typer.Argument(metavar="ADDRESS...")] = None,
    key: Key = None,
    listen: Annotated[
        str, typer.Option(help="Where Prometheus asks.", metavar="HOST:PORT")
    ] = "127.0.0.1:9464",
) -> None:
    """Answer Prometheus about runs, from a process beside them. Ends with Ctrl-C."""
    from stm_daq.commands.metrics import serve_metrics

    serve_metrics(addresses or [ADDRESS], key, listen)


@app.command()
def control(
    address: Address,
    command: Annotated[str, typer.Argument(metavar="pause|continue|stop|abort|note|model")],
    argument: Annotated[str, typer.Argument(help="Text of a note, name of a model.")] = "",
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Command a run: pause, go on, stop after this spectrum or at once, note, change the fit.

    Exit code 0: the run has accepted it; 12: it has not, or nobody answered.
    """
    from stm_daq.commands.control import command_run

    raise typer.Exit(command_run(address, command, argument, key, as_json))


@keys_app.command("new")
def keys_new(
    name: Annotated[str, typer.Argument(help="Yours, or of your computer.")],
    folder: Annotated[Path, typer.Option(help="Where to write it.")] = Path(),
) -> None:
    """Make a key pair: NAME.key is secret, NAME.pub is given to the station."""
    from stm_daq.commands.keys import make_keys

    make_keys(folder, name)


@keys_app.command("allow")
def keys_allow(
    level: Annotated[str, typer.Argument(metavar="viewer|operator")],
    file: Annotated[Path, typer.Argument(metavar="NAME.pub")],
    keys: KeyFolder = KEYS,
) -> None:
    """Let the owner of a key watch, or watch and command."""
    from stm_daq.commands.keys import allow_key

    allow_key(keys, level, file)


@keys_app.command("revoke")
def keys_revoke(name: Annotated[str, typer.Argument()], keys: KeyFolder = KEYS) -> None:
    """No longer let the owner of a key in."""
    from stm_daq.commands.keys import revoke_key

    revoke_key(keys, name)


@keys_app.command("list")
def keys_list(keys: KeyFolder = KEYS, as_json: AsJson = False) -> None:
    """List who is let in."""
    from stm_daq.commands.keys import list_keys

    list_keys(keys, as_json)


@app.command()
def dashboard(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ADDRESS|NAME=ADDRESS|RUN]...", help="Stations to listen to; runs to open."
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(help="Secret key for stations beyond this computer.", metavar="NAME.key"),
    ] = None,
    operate: Annotated[
        bool, typer.Option("--operate", help="Print a link to a page with buttons, too.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any that is free.")] = 5006,
    listen: Annotated[
        str, typer.Option(help="Beyond loopback only with --certificate.", metavar="HOST")
    ] = "127.0.0.1",
    name: Annotated[
        list[str] | None,
        typer.Option(help="Name by which browsers call this computer.", metavar="HOST"),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="Certificate chain and key, for https.", metavar="PEM")
    ] = None,
    links: Annotated[int, typer.Option(min=1, max=50, help="One-time links to print.")] = 1,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it here.")] = False,
    station: Annotated[
        Path | None,
        typer.Option(help="Station whose sinks are told when one falls silent.", metavar="FILE"),
    ] = None,
) -> None:
    """Show stations and runs in the browser, live or finished.

    The page listens on this computer only; from elsewhere, ssh -L 5006:127.0.0.1:5006 brings it.
    """
    from stm_daq.commands.dashboard import DashboardOptions, show_dashboard

    options = DashboardOptions(
        key, operate, port, listen, tuple(name or ()), certificate, links, open_browser, station
    )
    show_dashboard(targets or [ADDRESS], options)


@app.command()
def simulate(
    station: StationPath = STATION,
    port: Annotated[
        int, typer.Option(min=0, max=65000, help="First port; 0 takes any free ones.")
    ] = 6501,
    speed: Annotated[float, typer.Option(help="Simulated seconds per real second.")] = 1.0,
    seed: Annotated[int | None, typer.Option(help="Seed of the twin's world.")] = None,
    session: Annotated[
        Path | None,
        typer.Option(help="Where the STM controller saves; else temporary.", metavar="FOLDER"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve the station's twin to other programs, on TCP ports of this computer.

    Nanonis clients connect to the first four ports, VISA programs to the sockets that are listed.
    """
    from stm_daq.commands.simulate import simulate_station

    simulate_station(station, port, speed, seed, session, as_json)


def main() -> None:
    """Run the command line; errors that we foresee are one line, not a traceback."""
    logging.basicConfig(handlers=[logging.NullHandler()])  # tracebacks go to the run's log file
    try:
        app()
    except StmDaqError as error:
        print(f"stm-daq: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("stm-daq: interrupted; `stm-daq runs` lists what was measured", file=sys.stderr)
        sys.exit(INTERRUPTED)
