"""``stm-daq fit FILE``: measured files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stm_daq.commands.fit_table import Fitted, as_json_text, print_table
from stm_daq.commands.options import check_model, parse_fixed
from stm_daq.commands.work import work_display
from stm_daq.errors import BadInputError
from stm_daq.fitting.measured import fit_measured
from stm_daq.quantities import parse
from stm_daq.store.formats import MeasuredSpectra

AUTOMATIC = ("dynes", "btk+broadening")
"""Models between which a fit chooses unless one is named."""


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What the command line says about measured files."""

    model: str | None = None
    fixed: tuple[str, ...] = ()
    """Such as "temperature=4.2K"."""
    bias_column: str | None = None
    conductance_column: str | None = None
    noise_column: str | None = None
    modulation: str | None = None
    figure: Path | None = None


@dataclass(frozen=True, slots=True)
class _Settings:
    model: str | None
    fixed: Mapping[str, float]
    modulation: float


def fit_files(paths: list[Path], options: FileOptions, as_json: bool) -> None:
    """Fit everything that was named and print parameters with their uncertainty and verdict.

    A file that cannot be read or fitted does not stop the others.

    Raises
    ------
    BadInputError
        If an option makes no sense (nothing is fitted then), or, in the end, if a file could not
        be read or fitted.
    """
    settings = _settings(options)
    if options.figure is not None:
        _check_figure(options.figure)
    problems: list[str] = []
    data = list(_read_all(paths, options, problems))
    fitted = _fit_all(data, settings, as_json, problems)
    if as_json:
        print(as_json_text(fitted))
    elif fitted:
        print_table(fitted)
    if options.figure is not None and fitted:
        _draw(fitted, options.figure)
    if problems:
        raise BadInputError("\n".join(problems))


def _settings(options: FileOptions) -> _Settings:
    if options.model is not None:
        check_model(options.model)
    models = AUTOMATIC if options.model is None else (options.model,)
    fixed = parse_fixed(options.fixed, models)
    try:
        peak = 0.0 if options.modulation is None else parse(options.modulation, "V")
    except ValueError as error:
        raise BadInputError(f"--modulation: {error}") from None
    every = {name: value for model in models for name, value in fixed[model].items()}
    return _Settings(options.model, every, peak)


def _read_all(
    paths: list[Path], options: FileOptions, problems: list[str]
) -> Iterator[MeasuredSpectra]:
    from stm_daq.store.formats import read_spectra

    columns = (options.bias_column, options.conductance_column, options.noise_column)
    for path in paths:
        try:
            yield read_spectra(path, *columns)
        except BadInputError as error:
            problems.append(str(error))


def _fit_all(
    data: list[MeasuredSpectra], settings: _Settings, quiet: bool, problems: list[str]
) -> list[Fitted]:
    total = sum(int(np.prod(one.conductance.shape[:-1])) for one in data)
    fitted: list[Fitted] = []
    done = 0
    with work_display("fitting", quiet) as progress:
        for spectra in data:
            for place in np.ndindex(*spectra.conductance.shape[:-1]):
                done += 1
                try:
                    fitted.extend(_fit_one(spectra, place, settings))
                except ValueError as error:
                    problems.append(_complaint(spectra, error))
                    break  # the bias is common to all spectra of a file
                if progress is not None:
                    progress(done, total)
    return fitted


def _fit_one(
    spectra: MeasuredSpectra, place: tuple[int, ...], settings: _Settings
) -> Iterator[Fitted]:
    """Fit one spectrum of a file; nothing if it was not measured."""
    conductance = spectra.conductance[place]
    if place and not np.isfinite(conductance).any():
        return
    current = spectra.current if spectra.units_known else None
    result = fit_measured(
        spectra.bias,
        conductance,
        temperature=spectra.temperature,
        current=None if current is None else current[place],
        model=settings.model,
        modulation=settings.modulation,
        noise=spectra.noise,
        fixed=settings.fixed,
    )
    yield Fitted(spectra, place, result)


def _complaint(spectra: MeasuredSpectra, error: ValueError) -> str:
    columns = ", ".join(spectra.columns.values())
    advice = "" if spectra.units_known else "; give units with the columns, such as 1:mV"
    return f"{spectra.source} ({columns}): {error}{advice}"


def _check_figure(path: Path) -> None:
    """Complain before the fits, which may take long, and not after them."""
    from matplotlib.figure import Figure

    kinds = Figure().canvas.get_supported_filetypes()
    kind = path.suffix.lower().removeprefix(".")
    if kind not in kinds:
        some = ", ".join(sorted(kinds))
        raise BadInputError(f"--figure {path}: cannot be written; name a file ending in {some}")
    if not path.parent.is_dir():
        raise BadInputError(
            f"--figure {path}: cannot be written (there is no folder {path.parent})"
        )


def _draw(fitted: list[Fitted], path: Path) -> None:
    from stm_daq.report.runs.fits import save_fits

    try:
        save_fits([item.drawn() for item in fitted], path)
    except OSError as error:
        raise BadInputError(
            f"--figure {path}: cannot be written ({error.strerror or error})"
        ) from None
