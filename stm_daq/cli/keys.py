"""Keys of those who may watch a station, and of those who may command it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stm_daq.cli.options import KEYS, AsJson, KeyFolder

app = typer.Typer(
    help="Keys of those who may watch a station, and of those who may command it.",
    no_args_is_help=True,
)


@app.command("new")
def make(
    name: Annotated[str, typer.Argument(help="Yours, or of your computer.")],
    folder: Annotated[Path, typer.Option(help="Where to write it.")] = Path(),
) -> None:
    """Make a key pair: NAME.key is secret, NAME.pub is given to the station."""
    from stm_daq.commands.keys import make_keys

    make_keys(folder, name)


@app.command("allow")
def allow(
    level: Annotated[str, typer.Argument(metavar="viewer|operator")],
    file: Annotated[Path, typer.Argument(metavar="NAME.pub")],
    keys: KeyFolder = KEYS,
) -> None:
    """Let the owner of a key watch, or watch and command."""
    from stm_daq.commands.keys import allow_key

    allow_key(keys, level, file)


@app.command("revoke")
def revoke(name: Annotated[str, typer.Argument()], keys: KeyFolder = KEYS) -> None:
    """No longer let the owner of a key in."""
    from stm_daq.commands.keys import revoke_key

    revoke_key(keys, name)


@app.command("list")
def show(keys: KeyFolder = KEYS, as_json: AsJson = False) -> None:
    """List who is let in."""
    from stm_daq.commands.keys import list_keys

    list_keys(keys, as_json)
