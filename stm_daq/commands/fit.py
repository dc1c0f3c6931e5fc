"""``stm-daq fit FILE``: measured files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stm_daq.errors import BadInputError
from stm_daq.fitting import FitResult, explain
from stm_daq.fitting.measured import fit_measured
from stm_daq.fitting.series import fit_gap_series
from stm_daq.quantities import parse
from stm_daq.records import Array

MODELS = ("btk", "btk+broadening", "dynes")
CLOSING_NEEDS = 3
"""Spectra at known temperatures from which a closing temperature of the gap is estimated."""
LISTED = 12
"""Spectra of one source that are listed one by one; more are summed up."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """One fitted spectrum and where it came from."""

    source: Path
    label: str
    temperature: float | None
    """Stated by the source, K."""
    bias: Array
    conductance: Array
    result: FitResult


def fit_files(
    paths: list[Path],
    model: str | None,
    bias_column: str | None,
    conductance_column: str | None,
    modulation: str | None,
    figure: Path | None,
    as_json: bool,
) -> None:
    """Fit everything that was named and print parameters with their uncertainty and verdict.

    Raises
    ------
    BadInputError
        If a path cannot be read, or the model or modulation makes no sense.
    """
    if model is not None and model not in MODELS:
        raise BadInputError(f"--model {model}: unknown; choose one of {', '.join(MODELS)}")
    try:
        peak = 0.0 if modulation is None else parse(modulation, "V")
    except ValueError as error:
        raise BadInputError(f"--modulation: {error}") from None
    fitted: list[Fitted] = []
    for path in paths:
        fitted.extend(_fit_file(path, model, bias_column, conductance_column, peak))
    if as_json:
        print(json.dumps([_as_dict(item) for item in fitted], indent=1))
    else:
        _print(fitted)
    if figure is not None:
        from stm_daq.report.spectra import figure_fits

        drawn = figure_fits([(f.label, f.bias, f.conductance, f.result.curve) for f in fitted])
        try:
            drawn.savefig(figure)
        except (OSError, ValueError) as error:
            raise BadInputError(f"--figure {figure}: cannot be written ({error})") from None


def _fit_file(
    path: Path,
    model: str | None,
    bias_column: str | None,
    conductance_column: str | None,
    peak: float,
) -> Iterator[Fitted]:
    from stm_daq.store.formats import read_spectra

    data = read_spectra(path, bias_column, conductance_column)
    shape = data.conductance.shape[:-1]
    for place in np.ndindex(*shape):
        conductance = data.conductance[place]
        if place and not np.isfinite(conductance).any():
            continue
        label = path.name + (f" {list(place)}" if place else "")
        try:
            result = fit_measured(
                data.bias, conductance, temperature=data.temperature, model=model, modulation=peak
            )
        except ValueError as error:
            columns = ", ".join(data.columns.values())
            advice = "" if data.units_known else "; give units with the columns, such as 1:mV"
            raise BadInputError(f"{path} ({columns}): {error}{advice}") from None
        yield Fitted(path, label, data.temperature, data.bias, conductance, result)


def _as_dict(item: Fitted) -> dict[str, Any]:
    result = item.result
    return {
        "source": str(item.source),
        "label": item.label,
        "stated_temperature": item.temperature,
        "model": result.model,
        "values": {name: _or_null(value) for name, value in result.values.items()},
        "std": {name: _or_null(value) for name, value in result.std.items()},
        "reduced_chi_square": _or_null(result.reduced_chi_square),
        "ok": result.ok,
        "flags": list(result.flags),
    }


HEADINGS = ("spectrum", "stated T", "gap (meV)", "T (K)", "barrier", "chi²/dof", "model", "verdict")


def _or_null(value: float) -> float | None:
    """JSON knows no NaN."""
    return value if np.isfinite(value) else None


def _print(fitted: list[Fitted]) -> None:
    rows: list[tuple[str, ...]] = [HEADINGS]
    for source, items in _by_source(fitted).items():
        if len(items) > LISTED:
            rows.append(_summary_cells(source, items))
        else:
            rows.extend(_cells(item) for item in items)
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
    _print_explanations(fitted)
    _print_closing(fitted)


def _by_source(fitted: list[Fitted]) -> dict[Path, list[Fitted]]:
    groups: dict[Path, list[Fitted]] = {}
    for item in fitted:
        groups.setdefault(item.source, []).append(item)
    return groups


def _cells(item: Fitted) -> tuple[str, ...]:
    result = item.result
    return (
        item.label,
        "" if item.temperature is None else f"{item.temperature:.3g} K",
        _number(result, "gap", 1e3),
        _number(result, "temperature"),
        _number(result, "barrier"),
        f"{result.reduced_chi_square:.2f}",
        result.model,
        ", ".join(result.flags) or "good",
    )


def _number(result: FitResult, name: str, factor: float = 1.0) -> str:
    value = result.values.get(name, np.nan) * factor
    if not np.isfinite(value):
        return "-"
    if name not in result.free:
        return f"{value:.3f} fixed"
    return f"{value:.3f} ± {result.std[name] * factor:.3f}"


def _summary_cells(source: Path, items: list[Fitted]) -> tuple[str, ...]:
    good = [item.result for item in items if item.result.ok]

    def spread(name: str, factor: float = 1.0) -> str:
        found = np.array([r.values[name] for r in good if name in r.values]) * factor
        if not len(found):
            return "-"
        low, middle, high = np.percentile(found, [16, 50, 84])
        return f"{middle:.3f} +{high - middle:.3f} -{middle - low:.3f}"

    chi = f"{np.median([r.reduced_chi_square for r in good]):.2f}" if good else "-"
    models = ", ".join(sorted({item.result.model for item in items}))
    values = (spread("gap", 1e3), spread("temperature"), spread("barrier"))
    verdict = f"{len(good)} of {len(items)} good"
    return (f"{source.name}: median", "", *values, chi, models, verdict)


def _print_explanations(fitted: list[Fitted]) -> None:
    seen = sorted({flag for item in fitted for flag in item.result.flags})
    for flag in seen:
        print(explain((flag,))[0])


def _print_closing(fitted: list[Fitted]) -> None:
    """Where several temperatures are known: where does the gap close?"""
    series = [f for f in fitted if f.temperature is not None]
    if len(series) < CLOSING_NEEDS:
        return
    gaps = [f.result.values.get("gap", np.nan) for f in series]
    stds = [f.result.std.get("gap", np.nan) for f in series]
    try:
        print(fit_gap_series([f.temperature or np.nan for f in series], gaps, stds))
    except ValueError as error:
        print(f"no closing temperature: {error}")
