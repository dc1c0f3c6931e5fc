"""Commands of those who watch a run or command it: watch, dashboard, metrics, control."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stm_daq.cli.options import ADDRESS, Address, AsJson, Key


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
