"""``stm-daq alerts``: try the ways out, see what was not sent, send it, listen for silence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from stm_daq.alert_settings import AlertSettings
    from stm_daq.monitor.alerts.spool import Waiting
    from stm_daq.monitor.bodies import Alert

UNSENT = 13
"""Exit code if an alert could not be sent."""

app = typer.Typer(help="Alerts: test them, see and send what was not sent.", no_args_is_help=True)
StationPath = Annotated[Path, typer.Option("--station", help="The station.", metavar="FILE")]
STATION = Path("station.yaml")
SpoolPath = Annotated[Path, typer.Argument(metavar="RUN|SPOOL", help="Run folder or alerts.db.")]


@app.command("test")
def try_sinks(station: StationPath = STATION) -> None:
    """Send a test alert to every sink of the station and say what became of it."""
    from stm_daq.clock import RealClock
    from stm_daq.errors import BadInputError
    from stm_daq.monitor.alerts.courier import attempt
    from stm_daq.monitor.alerts.letter import Letter
    from stm_daq.monitor.alerts.sinks import make_sinks

    sinks = make_sinks(settings_of(station))
    if not sinks:
        raise BadInputError(f"{station}: there are no sinks; write some into `alerts:`")
    text = "this is a test: nothing has happened"
    letter = Letter(0, RealClock().wall(), "", str(station), "test", "info", text)
    failed = 0
    for name, sink in sinks.items():
        problem = attempt(name, sink, letter)
        failed += bool(problem)
        print(f"{name}: {problem or 'sent'}", flush=True)
    raise typer.Exit(UNSENT if failed else 0)


@app.command("list")
def list_unsent(
    spool: SpoolPath,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """List the alerts of a run that were not sent yet."""
    from stm_daq.monitor.alerts.spool import read_unsent

    left = read_unsent(spool)
    if as_json:
        print(json.dumps([_as_dict(waiting) for waiting in left], indent=1))
    else:
        print_unsent(left)


@app.command()
def send(spool: SpoolPath, station: StationPath = STATION) -> None:
    """Send what a run could not send; it must not be going on."""
    from stm_daq.monitor.alerts.office import send_unsent

    left = send_unsent(settings_of(station), spool)
    print_unsent(left)
    raise typer.Exit(UNSENT if left else 0)


@app.command()
def deadman(
    addresses: Annotated[list[str], typer.Argument(metavar="ADDRESS...")],
    station: StationPath = STATION,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Your secret key, if one is wanted.", metavar="FILE"),
    ] = None,
    spool: Annotated[
        Path, typer.Option(help="Where alerts wait that could not be sent.", metavar="FILE")
    ] = Path("deadman-alerts.db"),
) -> None:
    """Listen to runs from another computer, and tell when one falls silent.

    Sinks and rules (of kind `silence`) are those of --station. Ends with Ctrl-C.
    """
    from stm_daq.commands.deadman import listen_for_silence

    listen_for_silence(addresses, key, settings_of(station), spool)


def settings_of(station: Path) -> AlertSettings:
    """Return whom a station wants to be told, and of what."""
    from stm_daq.alert_settings import alert_settings
    from stm_daq.station.config import load_station

    return alert_settings(load_station(station).alerts, station.parent)


def print_unsent(left: Sequence[Waiting]) -> None:
    """Print a line for every alert that is not sent."""
    for waiting in left:
        why = waiting.problem or "not tried yet"
        print(f"{waiting.letter.line}\n  not sent to {waiting.sink}: {why}")
    if not left:
        print("every alert was sent")


def print_alert(_station: str, alert: Alert) -> None:
    """Print a line for an alert about a station when it is raised, and when it has got through."""
    from stm_daq.monitor.alerts.letter import moment, plain

    state = "sent" if alert.delivered else "raised"
    line = plain(f"{moment(alert.time)} {alert.level} [{alert.rule}] {alert.text}")
    print(f"{line} ({state})", flush=True)


def _as_dict(waiting: Waiting) -> dict[str, object]:
    letter = waiting.letter
    return {
        "time": letter.time,
        "run": letter.run,
        "rule": letter.rule,
        "level": letter.level,
        "text": letter.text,
        "sink": waiting.sink,
        "attempts": waiting.attempts,
        "problem": waiting.problem,
    }
