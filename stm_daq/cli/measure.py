"""Commands that take data: check, rehearse, run, resume; and the twin for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stm_daq.cli.options import (
    RUNS,
    STATION,
    AsJson,
    HeliumUntil,
    PlanPath,
    Port,
    Report,
    RunPath,
    RunsPath,
    SendAlerts,
    Start,
    StationPath,
)
from stm_daq.errors import BadInputError


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
