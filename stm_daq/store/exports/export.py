"""The formats that a run can be written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from stm_daq.errors import BadInputError
from stm_daq.store.exports.atomic import make_folder, new_file, new_folder
from stm_daq.store.exports.choice import Choice
from stm_daq.store.exports.source import RunSource, open_source
from stm_daq.store.reading import journal_path
from stm_daq.store.schema import FILE_NAME

type Write = Callable[[RunSource, Choice, Path], None]

FOLDER = "exports"
"""Where exports go, in the run folder."""


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of export."""

    suffix: str
    module: str
    """Of this package; its function ``write`` fills the file or folder."""
    mark: str = ""
    """The export is a folder; this file in it tells that it is one of ours."""
    by_step: bool = False
    """It holds one step of the outer axes."""
    by_pixel: bool = False
    """It holds one spectrum."""

    def writer(self) -> Write:
        """Return the function that writes it."""
        write: Write = import_module(f"stm_daq.store.exports.{self.module}").write
        return write


FORMATS = {
    "3ds": Format(".3ds", "nanonis_3ds", by_step=True),
    "sxm": Format(".sxm", "nanonis_sxm", by_step=True),
    "dat": Format(".dat", "nanonis_dat", by_step=True, by_pixel=True),
    "gwy": Format(".gwy", "gwyddion"),
    "netcdf": Format(".nc", "netcdf"),
    "zarr": Format(".zarr", "zarr_folder", mark="zarr.json"),
    "nexus": Format(".nxs", "nexus"),
    "csv": Format("_csv", "csv_folder", mark="about.csv"),
    "igor": Format(".itx", "igor"),
    "qcodes": Format(".db", "qcodes_database"),
}


def export_run(
    path: Path | str,
    format_: str,
    out: Path | str | None = None,
    choice: Choice | None = None,
    fit: str = "online",
) -> Path:
    """Write a run, finished or not, in a format that others read.

    What was not measured or not fitted is NaN. The same journal always gives the same bytes, apart
    from what QCoDeS and HDF5 say of their own versions.

    Parameters
    ----------
    path : Path or str
        The run folder or its ``journal.db``.
    format_ : str
        One of :data:`FORMATS`.
    out : Path or str, optional
        The file (or folder, for ``zarr`` and ``csv``) to write, or an existing folder to write into;
        by default into ``exports`` in the run folder. An earlier export is replaced.
    choice : Choice, optional
        The step or the spectrum, for formats that hold one only; else it is not used.
    fit : str
        The fits that travel along: "online", "latest", or the name of a refit.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    BadInputError
        If the format has no room for a run of this shape (the text says which has), a package for
        it is not installed, or the place cannot be written.
    JournalError
        If there is no readable journal, or no such refit.
    """
    kind = _format(format_)
    with open_source(path, fit) as source:
        return _write(source, kind, _place(source, kind, out, choice or Choice()), choice)


def export_all(
    path: Path | str,
    out: Path | str | None = None,
    choice: Choice | None = None,
    fit: str = "online",
) -> dict[str, Path | BadInputError]:
    """Write a run in every format that has room for it; see :func:`export_run`.

    Returns
    -------
    dict
        Format: what was written, or why it was not.

    Raises
    ------
    BadInputError, JournalError
        If there is no readable journal, or nothing can be written.
    """
    done: dict[str, Path | BadInputError] = {}
    folder = journal_path(path).parent / FOLDER if out is None else Path(out)
    make_folder(folder)
    for name in FORMATS:
        try:
            done[name] = export_run(path, name, folder, choice, fit)
        except BadInputError as error:
            done[name] = error
    return done


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise BadInputError(f"unknown format '{name}': use one of {', '.join(FORMATS)}, or all")
    return FORMATS[name]


def _place(source: RunSource, kind: Format, out: Path | str | None, choice: Choice) -> Path:
    folder = source.path / FOLDER if out is None else Path(out)
    is_export = bool(kind.mark) and (folder / kind.mark).exists()
    if out is not None and (is_export or not folder.is_dir()):
        return folder
    used = replace(
        choice,
        step=choice.step if kind.by_step else None,
        pixel=choice.pixel if kind.by_pixel else None,
    )
    return folder / f"{source.path.resolve().name}{used.suffix}{kind.suffix}"


def _write(source: RunSource, kind: Format, place: Path, choice: Choice | None) -> Path:
    if place.name == FILE_NAME:
        raise BadInputError(f"{place} is the name of a journal: give another one with --out")
    write = kind.writer()
    try:
        with new_folder(place, kind.mark) if kind.mark else new_file(place) as part:
            write(source, choice or Choice(), part)
    except ImportError as error:
        raise BadInputError(
            f"{error}: install it with `pip install 'stm-daq[formats]'`, or use another format"
        ) from None
    return place
