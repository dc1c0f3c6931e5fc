"""Arguments and options that several commands share, and their defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
