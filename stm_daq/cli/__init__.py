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

import typer

from stm_daq.cli import data, keys, measure, watching
from stm_daq.commands import alerts
from stm_daq.errors import StmDaqError

INTERRUPTED = 130

app = typer.Typer(
    help="Take spectroscopic maps with a millikelvin STM overnight; rehearse the night beforehand.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# as `stm-daq --help` lists them
for command in (
    measure.check,
    measure.rehearse,
    measure.run,
    measure.resume,
    data.runs,
    data.show,
    data.fit,
    data.report,
    data.export,
    watching.watch,
    watching.metrics,
    watching.control,
    watching.dashboard,
    measure.simulate,
):
    app.command()(command)
app.add_typer(alerts.app, name="alerts")
app.add_typer(keys.app, name="keys")


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
