"""What the maps of a run are called in an export."""

from __future__ import annotations

from dataclasses import dataclass

from stm_daq.store.names import FITTED, MEANING, TRUE

_OTHERS = {
    "flags": (None, "what makes a spectrum suspect"),
    "fit_flags": (None, "why a fit cannot be trusted"),
    "fit_ok": ("", "whether the fit can be trusted"),
    "position_x": ("m", "x of the site in the controller's coordinates"),
    "position_y": ("m", "y of the site in the controller's coordinates"),
}


@dataclass(frozen=True, slots=True)
class Variable:
    """One map."""

    name: str
    unit: str | None
    """None for texts."""
    meaning: str
    kind: str
    """Of the numpy type: "f", "b", or "O" for texts."""

    @property
    def label(self) -> str:
        """The name as vendors write it: ``Gap std (eV)``."""
        words = self.name.replace("_", " ")
        words = words[0].upper() + words[1:]
        return f"{words} ({self.unit})" if self.unit else words

    def channel(self, mark: str) -> str:
        """The label with a mark behind the name: ``Current [bwd] (A)``."""
        words, bracket, unit = self.label.partition(" (")
        return f"{words}{mark}{bracket}{unit}"


def describe(name: str, kind: str = "f") -> Variable:
    """Find unit and meaning of a variable by its name."""
    if name in _OTHERS:
        unit, meaning = _OTHERS[name]
    elif name in MEANING:
        unit, meaning = MEANING[name]
    elif name.startswith("true_"):
        bare = name.removeprefix("true_")
        unit, meaning = TRUE.get(bare, ("", bare.replace("_", " ")))
        meaning = f"true {meaning} in the twin"
    else:
        bare = name.removesuffix("_std").removeprefix("fit_")
        unit, meaning = FITTED.get(bare, ("", bare.replace("_", " ")))
        meaning = f"standard deviation: {meaning}" if name.endswith("_std") else meaning
    return Variable(name, unit, meaning, kind)
