"""Measured spectra with the fit of one model: what benchmarks/measured_fits.py draws and lists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stm_daq.commands.fit_table import value_text
from stm_daq.fitting import FitResult, fit_measured, grade
from stm_daq.records import Array
from stm_daq.report.runs.fits import DrawnFit
from stm_daq.store.formats import MeasuredSpectra

TUNNEL = {"barrier": 10.0}
"""Transmission of 1 %: what a model with a barrier has instead of the tunnelling limit."""
MEV = 1e-3


@dataclass(frozen=True)
class Case:
    """A measured spectrum with the fit of one model."""

    spectra: MeasuredSpectra
    place: tuple[int, ...]
    result: FitResult

    @property
    def conductance(self) -> Array:
        """In the file's unit, shape (n,)."""
        return self.spectra.conductance[self.place]

    @property
    def rms(self) -> float:
        """Of the residuals, per cent of the normal-state conductance."""
        residual = self.conductance - self.result.curve
        return 100 * float(np.sqrt(np.nanmean(residual**2))) / self.result.values["scale"]

    @property
    def verdict(self) -> str:
        """Grade and flags, without those that only say what is correlated with what."""
        flags = [flag for flag in self.result.flags if not flag.startswith("correlated")]
        word = grade(self.result.flags)
        return f"{word} ({', '.join(flags)})" if flags else word

    def values(self, *names: str) -> list[str]:
        """Cells of a table; energies in meV."""
        return [value_text(self.result, name) for name in names]

    def drawn(self, title: str) -> DrawnFit:
        """A panel of a figure."""
        word, unit = grade(self.result.flags), self.spectra.conductance_unit
        return DrawnFit(
            title, self.verdict, self.spectra.bias, self.conductance, unit, self.result.curve, word
        )


def fitted(spectra: MeasuredSpectra, place: tuple[int, ...] = (), **settings: object) -> Case:
    """Fit one spectrum of a file as ``stm-daq fit`` does."""
    common = {"temperature": spectra.temperature, "noise": spectra.noise} | settings
    conductance = spectra.conductance[place]
    return Case(spectra, place, fit_measured(spectra.bias, conductance, **common))  # type: ignore[arg-type]


def two_gaps(spectra: MeasuredSpectra, **settings: object) -> Case:
    """Fit two gaps in the tunnelling limit."""
    held = TUNNEL | settings.pop("fixed", {})  # type: ignore[operator]
    return fitted(spectra, model="two_gaps", fixed=held, **settings)


def in_order(result: FitResult) -> dict[str, tuple[float, float]]:
    """Values and deviations of two gaps, the smaller one first; NaN if there are none.

    Either channel of the model may hold the smaller gap; "part" is that of the smaller one.
    """
    value, std = result.values, result.std
    swapped = value["gap1"] > value["gap2"]
    small, large = ("gap2", "gap1") if swapped else ("gap1", "gap2")
    part = 1.0 - value["weight"] if swapped else value["weight"]
    found = {"small": (value[small], std[small]), "large": (value[large], std[large])}
    return found | {"part": (part, std["weight"])}


def cells_in_order(result: FitResult) -> list[str]:
    """Cells of a table: smaller gap and larger gap in meV, part of the smaller one."""
    pairs = zip(in_order(result).values(), (MEV, MEV, 1.0), strict=True)
    return [
        f"{v / unit:.3f} ± {s / unit:.3f}" if np.isfinite(v + s) else "-" for (v, s), unit in pairs
    ]


def gaps_of(cases: list[Case], name: str) -> tuple[Array, Array, Array]:
    """Temperatures (K), gaps and deviations (eV) of "gap", "small" or "large"; NaN where failed."""
    rows = []
    for case in cases:
        result = case.result
        pair = (result.values[name], result.std[name]) if name == "gap" else in_order(result)[name]
        usable = grade(result.flags) != "failed"
        rows.append((case.spectra.temperature or np.nan, *(pair if usable else (np.nan, np.nan))))
    kelvin, gap, std = np.array(rows, dtype=np.float64).T
    return kelvin, gap, std
