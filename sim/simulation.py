"""The ``simulation:`` block of station.yaml: what is in it, read and built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim.blocks import GIVEN_TO_DEVICES, GIVEN_TO_SAMPLES, BlockReader, Mistake, Recipe
from sim.fridge import Fridge
from sim.line import MicrowaveLine
from sim.preamplifier import Preamplifier
from sim.tip import Tip
from stm_daq.errors import BadInputError

BLOCKS = ("seed", "sample", "devices", "preamplifier", "fridge", "microwave_line", "tip")
"""What the block may hold besides ``type``."""
PARTS = {
    "preamplifier": Preamplifier,
    "fridge": Fridge,
    "microwave_line": MicrowaveLine,
    "tip": Tip,
}
"""Parts of the world that need no type."""


def made(parts: Mapping[str, Recipe], seed: int) -> dict[str, Any]:
    """Build the parts of the world."""
    built = {}
    for name, recipe in parts.items():
        try:
            built[name] = recipe.make(seed=seed)
        except ValueError as error:
            raise BadInputError(f"simulation: {name}: {error}") from None
    return built


def read_simulation(
    settings: Mapping[str, Any], instruments: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, Recipe], dict[str, Recipe], list[Mistake]]:
    """Read the whole block: parts of the world, devices by name, and all mistakes."""
    reader = BlockReader()
    reader.require_known(settings, list(BLOCKS), ())
    sample = settings.get("sample")
    if sample is None:
        example = "needs a sample, for example {type: sim.samples.tin.TinFilm}"
        reader.mistakes.append(((), example))
    ready = sample is not None and not isinstance(sample, Mapping | str)
    parts = {
        name: reader.options(factory, settings.get(name), (name,))
        for name, factory in PARTS.items()
    }
    if ready:
        parts["sample"] = Recipe(lambda: sample)
    elif sample is not None:
        parts["sample"] = reader.typed(sample, ("sample",), GIVEN_TO_SAMPLES)
    devices = {}
    for name, block in (settings.get("devices") or {}).items():
        path = ("devices", name)
        devices[name] = reader.typed(block, path, GIVEN_TO_DEVICES)
        if name not in instruments:
            text = f"the station has no instrument of this name; it has {', '.join(instruments)}"
            reader.mistakes.append((path, text))
    return parts, devices, reader.mistakes
