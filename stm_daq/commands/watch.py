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
    formulas = Formulas(curve_of, level)
    watch(address, Showing(stay, once, as_json, chosen, formulas), key=key)


def curve_of(started: RunStarted, spectrum: Spectrum, fit: Fit) -> Array | None:
    """Return the curve of a fit at the points of its spectrum, S; None if the model is not known here."""
    from stm_daq.report.curve import fitted_curve

    if not fit.values or started.swept_name != "bias":
        return None
    try:
        return fitted_curve(spectrum.bias, fit.values, fit.model, started.modulation)
    except KeyError:
        return None


def level(z: Array) -> Array:
    """Return a topograph without its tilt, m."""
    import numpy as np

    from stm_daq.analysis.surface import without_plane

    rows, columns = z.shape
    return without_plane(z, np.arange(columns, dtype=float), np.arange(rows, dtype=float))
    watch(address, Showing(stay, once, as_json, chosen, FORMULAS), key=key)
