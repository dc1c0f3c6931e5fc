"""``stm-daq watch``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stm_daq.errors import BadInputError

MOST_MAPS = 2


def watch_run(
    address: str, key: Path | None, maps: Sequence[str], stay: bool, once: bool, as_json: bool
) -> None:
    """Follow a run in the terminal until it ends (or for ever with `stay`)."""
    from stm_daq.commands.formulas import FORMULAS
    from stm_daq.monitor.watch import Showing, watch

    if len(maps) > MOST_MAPS:
        raise BadInputError("--map: at most two; keys 1 and 2 change them while you watch")
    chosen = (*maps, *Showing().maps[len(maps) :])
    watch(address, Showing(stay, once, as_json, chosen, FORMULAS), key=key)
