"""Fits of measured files as a table for people and as JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stm_daq.fitting import MODELS, FitResult, explain, grade
from stm_daq.fitting.models import NUISANCES, family, unit
from stm_daq.fitting.series import GapSeries, fit_gap_series
from stm_daq.store.formats import MeasuredSpectra

if TYPE_CHECKING:
    from stm_daq.report.runs.fits import DrawnFit

CLOSING_NEEDS = 3
"""Spectra at known temperatures from which a closing temperature of the gap is estimated."""
LISTED = 12
"""Spectra of one source that are listed one by one; more are summed up."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """One fitted spectrum and where it came from."""

    spectra: MeasuredSpectra
    place: tuple[int, ...]
    """Its position among the spectra of the file; () of the only one."""
    result: FitResult

    @property
    def source(self) -> Path:
        """The file."""
        return self.spectra.source

    @property
    def label(self) -> str:
        """Name of the file, and the position in it."""
        return self.source.name + (f" {list(self.place)}" if self.place else "")

    @property
    def verdict(self) -> str:
        """Model, grade and flags."""
        flags = ", ".join(self.result.flags)
        return f"{self.result.model}: {grade(self.result.flags)}" + (f" ({flags})" if flags else "")

    def drawn(self) -> DrawnFit:
        """Return what a figure needs."""
        from stm_daq.report.runs.fits import DrawnFit

        return DrawnFit(
            title=self.label,
            verdict=self.verdict,
            bias=self.spectra.bias,
            conductance=self.spectra.conductance[self.place],
            unit=self.spectra.conductance_unit,
            curve=self.result.curve,
            grade=grade(self.result.flags),
        )


def as_json_text(fitted: list[Fitted]) -> str:
    """Everything that is known of the fits, in SI units.

    An object with "spectra", a list with one entry a spectrum, and "gap_series", gap(T) through
    all spectra of known temperature; null where there is nothing to say, as JSON knows no NaN.
    """
    series, _ = _series(fitted)
    return json.dumps(
        {
            "spectra": [_as_dict(item) for item in fitted],
            "gap_series": None if series is None else _series_as_dict(series),
        },
        indent=1,
        allow_nan=False,
    )


def _as_dict(item: Fitted) -> dict[str, Any]:
    spectra, result = item.spectra, item.result
    return {
        "source": str(item.source),
        "label": item.label,
        "place": list(item.place),
        "columns": dict(spectra.columns),
        "remarks": list(spectra.remarks),
        "conductance_unit": spectra.conductance_unit,
        "stated_temperature": spectra.temperature,
        "noise": "estimated" if spectra.noise is None else "given",
        "model": result.model,
        "free": list(result.free),
        "values": _or_null(result.values),
        "std": _or_null(result.std),
        "limits": _or_null(result.limits),
        "units": {name: unit(MODELS[result.model], name) for name in result.values},
        "correlation": [[_number(x) for x in row] for row in result.correlation],
        "chi_square": _number(result.chi_square),
        "dof": result.dof,
        "reduced_chi_square": _number(result.reduced_chi_square),
        "misfit": _number(result.misfit),
        "ok": result.ok,
        "verdict": grade(result.flags),
        "flags": list(result.flags),
        "explanations": explain(result.flags),
    }


def _series_as_dict(series: GapSeries) -> dict[str, float | None]:
    return {
        "gap0": series.gap0,
        "gap0_std": series.gap0_std,
        "tc": series.tc,
        "tc_std": series.tc_std,
        "coupling": series.coupling,
        "reduced_chi_square": _number(series.reduced_chi_square),
        "lowest_normal": _number(series.lowest_normal),
    }


def _or_null(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def print_table(fitted: list[Fitted]) -> None:
    """Print a line for each spectrum, or one for a source with many, and what the flags mean."""
    names = _parameters(fitted)
    rows = [
        ("spectrum", "stated T", *map(_heading, names), "chi²/dof", "model", "verdict", "flags")
    ]
    for source, items in _by_source(fitted).items():
        if len(items) > LISTED:
            rows.append(_summary_cells(source, items, names))
        else:
            rows.extend(_cells(item, names) for item in items)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
    for source, items in _by_source(fitted).items():
        for remark in items[0].spectra.remarks:
            print(f"{source.name}: {remark}")
    for line in explain(sorted({flag for item in fitted for flag in item.result.flags})):
        print(line)
    series, reason = _series(fitted)
    if series is not None or reason:
        print(series or f"no closing temperature: {reason}")


def _parameters(fitted: list[Fitted]) -> list[str]:
    """Parameters of the models in use, without those of the measurement, each once."""
    used = {name for item in fitted for name in item.result.values} - set(NUISANCES)
    kinds = ("gap", "temperature", "barrier", "weight", "broadening", "exponent")
    return sorted(used, key=lambda name: (kinds.index(family(name)), name))


def _heading(name: str) -> str:
    words = name.replace("_", " ")
    units = {"gap": " (meV)", "broadening": " (meV)", "temperature": " (K)"}
    return ("T" if name == "temperature" else words) + units.get(family(name), "")


def _factor(name: str) -> float:
    return 1e3 if family(name) in ("gap", "broadening") else 1.0


def _by_source(fitted: Iterable[Fitted]) -> dict[Path, list[Fitted]]:
    groups: dict[Path, list[Fitted]] = {}
    for item in fitted:
        groups.setdefault(item.source, []).append(item)
    return groups


def _cells(item: Fitted, names: list[str]) -> tuple[str, ...]:
    result, temperature = item.result, item.spectra.temperature
    return (
        item.label,
        "" if temperature is None else f"{temperature:.3g} K",
        *(value_text(result, name) for name in names),
        f"{result.reduced_chi_square:.2f}",
        result.model,
        grade(result.flags),
        ", ".join(result.flags),
    )


def value_text(result: FitResult, name: str) -> str:
    """Write a parameter of a fit: value and deviation, or the limit if that is all that is known.

    Gaps and broadenings are in meV. "-" if the model lacks it or the spectrum does not tell.
    """
    factor = _factor(name)
    if name in result.limits:
        sign = ">" if f"{name}_lower_limit" in result.flags else "<"
        return f"{sign} {result.limits[name] * factor:.3g}"
    value = result.values.get(name, np.nan) * factor
    if not np.isfinite(value):
        return "-"
    if name not in result.free:
        return f"{value:.3f} fixed"
    std = result.std[name] * factor
    return f"{value:.3f} ± {std:.3f}" if np.isfinite(std) else f"{value:.3f}, undetermined"


def _summary_cells(source: Path, items: list[Fitted], names: list[str]) -> tuple[str, ...]:
    good = [item.result for item in items if item.result.ok]
    grades = [grade(item.result.flags) for item in items]
    counts = (f"{grades.count(word)} {word}" for word in ("good", "doubtful", "failed"))
    chi = f"{np.median([r.reduced_chi_square for r in good]):.2f}" if good else "-"
    models = ", ".join(sorted({item.result.model for item in items}))
    spreads = (_spread(good, name) for name in names)
    return (f"{source.name}: median of good", "", *spreads, chi, models, ", ".join(counts), "")


def _spread(results: list[FitResult], name: str) -> str:
    """Median and central 68 % of the values; those of which only a limit is known are left out."""
    having = [r for r in results if name in r.values]
    known = [r.values[name] for r in having if name not in r.limits]
    if not known:
        return "-"
    low, middle, high = np.percentile(known, [16, 50, 84]) * _factor(name)
    others = f" (of {len(known)}, else limits)" if len(known) < len(having) else ""
    return f"{middle:.3f} +{high - middle:.3f} -{middle - low:.3f}{others}"


def _series(fitted: list[Fitted]) -> tuple[GapSeries | None, str]:
    """Where several temperatures are known: where does the gap close? Else why that is not known."""
    series = [f for f in fitted if f.spectra.temperature is not None and "gap" in f.result.values]
    if len({f.source for f in series}) < CLOSING_NEEDS:
        return None, ""
    kelvin = [f.spectra.temperature or np.nan for f in series]
    gaps = [f.result.values["gap"] for f in series]
    stds = [f.result.std["gap"] for f in series]
    try:
        return fit_gap_series(kelvin, gaps, stds), ""
    except ValueError as error:
        return None, str(error)
