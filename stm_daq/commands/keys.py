"""``stm-daq keys``."""

from __future__ import annotations

import json
from pathlib import Path

from stm_daq.errors import BadInputError
from stm_daq.monitor.keys import LEVELS, STATION, KeyRing, new_keys


def make_keys(folder: Path, name: str) -> None:
    """Make a key pair and say what to do with it."""
    new_keys(folder, name)
    print(f"{folder / name}.key  is secret: keep it, give it to nobody")
    print(f"{folder / name}.pub  goes to the station: stm-daq keys allow viewer {name}.pub")


def allow_key(folder: Path, level: str, file: Path) -> None:
    """Let the owner of a key in, and say what the owner needs."""
    chosen = next((known for known in LEVELS if known == level), None)
    if chosen is None:
        raise BadInputError(f"'{level}' is no level; choose one of {', '.join(LEVELS)}")
    entry = KeyRing(folder).allow(chosen, file)
    may = "watch" if entry.level == "viewer" else "watch and command"
    print(f"{entry.name} may {may}; give them {folder / STATION}.pub, to be kept beside their key")


def revoke_key(folder: Path, name: str) -> None:
    """Forget a key."""
    entry = KeyRing(folder).revoke(name)
    print(f"{entry.name} is no longer {entry.level}; a connection that is open is closed as well")


def list_keys(folder: Path, as_json: bool) -> None:
    """Print who is let in."""
    entries = KeyRing(folder).entries()
    if as_json:
        rows = [{"name": e.name, "level": e.level, "public": e.public.decode()} for e in entries]
        print(json.dumps(rows, indent=1))
        return
    for entry in entries:
        print(f"{entry.level:8}  {entry.name:20}  {entry.public.decode()}")
    if not entries:
        print(f"{folder} holds no keys: nobody is let in")
