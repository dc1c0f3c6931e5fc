"""Read a measured file, whatever its format; the format is told by the content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stm_daq.errors import BadInputError
from stm_daq.store.formats import (
    createc_vert,
    gxsm_nc,
    gxsm_vpdata,
    nanonis_3ds,
    nanonis_dat,
    nanonis_sxm,
    text,
    text_map,
)
from stm_daq.store.formats.contents import Contents
from stm_daq.store.formats.measured import MeasuredSpectra, Wanted, from_table
from stm_daq.store.formats.table import Table

if TYPE_CHECKING:
    import xarray as xr

LARGEST = 4 * 2**30
"""Bytes; larger files are not read as a whole."""
_HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Format:
    """A format of files.

    Attributes
    ----------
    name, suffix : str
        For messages.
    recognises : callable
        Whether these bytes (and their text) are of this format.
    contents : callable
        Everything in the file.
    spectra : callable or None
        The spectra that fits need, with the columns that the user names; None for images.
    """

    name: str
    suffix: str
    recognises: Callable[[bytes, str], bool]
    contents: Callable[[Path, bytes, str], Contents]
    spectra: Callable[[Path, bytes, str, Wanted], MeasuredSpectra] | None


def _of_table(table: Table, wanted: Wanted) -> MeasuredSpectra:
    return from_table(table.path, table.title, table.columns, table.values, wanted, table.remarks)


FORMATS = (
    Format(
        "Nanonis grid",
        ".3ds",
        lambda data, _: data.startswith(nanonis_3ds.START),
        lambda path, data, _: nanonis_3ds.parse_3ds(path, data),
        lambda path, data, _, wanted: nanonis_3ds.read_3ds(path, data, wanted),
    ),
    Format(
        "Nanonis scan",
        ".sxm",
        lambda data, _: data.startswith(nanonis_sxm.START),
        lambda path, data, _: nanonis_sxm.parse_sxm(path, data),
        None,
    ),
    Format(
        "Createc spectrum",
        ".VERT",
        lambda data, _: data.startswith(createc_vert.START),
        lambda path, data, _: createc_vert.parse_vert(path, data).contents(),
        lambda path, data, _, wanted: _of_table(createc_vert.parse_vert(path, data), wanted),
    ),
    Format(
        "GXSM scan",
        ".nc",
        lambda data, _: data.startswith(gxsm_nc.START),
        lambda path, data, _: gxsm_nc.parse_nc(path, data),
        None,
    ),
    Format(
        "GXSM probe",
        ".vpdata",
        lambda _, content: gxsm_vpdata.MARK in content[:2000],
        lambda path, _, content: gxsm_vpdata.parse_vpdata(path, content).contents(),
        lambda path, _, content, wanted: _of_table(gxsm_vpdata.parse_vpdata(path, content), wanted),
    ),
    Format(
        "Nanonis spectrum",
        ".dat",
        lambda _, content: any(line.strip() == nanonis_dat.MARK for line in content.splitlines()),
        lambda path, _, content: nanonis_dat.parse_dat(path, content).contents(),
        lambda path, _, content, wanted: nanonis_dat.read_dat(path, content, wanted),
    ),
    Format(
        "map as text",
        ".txt",
        lambda _, content: text_map.MARK.search(content[:2000]) is not None,
        lambda path, _, content: text_map.parse_map(path, content),
        None,
    ),
    Format(
        "table",
        ".csv",
        lambda _, content: bool(content),
        lambda path, _, content: text.parse_table(path, content).contents(),
        lambda path, _, content, wanted: text.read_table(path, content, wanted),
    ),
)
"""In the order in which they are tried."""


def read_contents(path: Path | str) -> Contents:
    """Read everything in a measured file; see :func:`read`."""
    path, data, content, form = _open(path)
    return form.contents(path, data, content)


def read(path: Path | str) -> xr.Dataset:
    """Read a measured file as a dataset like that of a run.

    Parameters
    ----------
    path : Path or str
        Nanonis ``.3ds``, ``.sxm``, ``.dat``; Createc ``.VERT``; GXSM ``.nc``, ``.vpdata``; a map as
        text (WSxM); or a plain table (CSV, TSV, blanks).

    Returns
    -------
    xarray.Dataset
        In SI as far as the file states units. Every channel of the file under its own name
        (``li_demod_1_x``), and those that the analyses of runs look for as there:
        ``conductance``, ``current`` over (``y``, ``x``,) (``direction``,) ``bias``; ``topography``
        over (``direction``,) ``topograph_y``, ``topograph_x``. The unit of ``conductance`` is that
        of the lock-in's output where the file does not state siemens. Attributes: title, source,
        format, what is known of ``temperature`` (K), ``modulation`` (V peak), ``frame``,
        ``position`` (m), ``started``; ``remarks`` on how the file was read, and its whole
        ``header`` (JSON).

    Raises
    ------
    BadInputError
        If the file is missing, damaged, cut off too early, or of no known kind.
    """
    return read_contents(path).dataset()


def read_spectra(
    path: Path | str,
    bias_column: str | None = None,
    conductance_column: str | None = None,
    noise_column: str | None = None,
) -> MeasuredSpectra:
    """Read measured spectra for a fit: of Nanonis, Createc or GXSM, or a plain table.

    The format is told by the content. Units are taken where the file states them: ``Bias (mV)``,
    ``V [mV]``, ``bias_mV``.

    Parameters
    ----------
    path : Path or str
    bias_column, conductance_column : str, optional
        The header of the column (with or without its unit) or its number from 1; optionally with
        the unit, as in ``"1:mV"``. A named column without any unit is taken to be in SI. By
        default bias, dI/dV, current and temperature are recognised by name: the forward,
        unfiltered sweep, and as dI/dV the in-phase output of the first lock-in; without a
        lock-in the numerical derivative of the current.
    noise_column : str, optional
        Of a table: the standard deviations of dI/dV, named in the same way; taken to be in the
        unit of dI/dV if none is given.

    Returns
    -------
    MeasuredSpectra

    Raises
    ------
    BadInputError
        If the file is missing, cut off, binary, of another kind, or does not say what its columns
        are; one line that says what to do.
    """
    path, data, content, form = _open(path)
    if form.spectra is None:
        raise BadInputError(
            f"{path}: is a {form.name} ({form.suffix}); it holds images and no spectra"
        )
    return form.spectra(path, data, content, Wanted(bias_column, conductance_column, noise_column))


def _open(path: Path | str) -> tuple[Path, bytes, str, Format]:
    """Return the path, the bytes, the text (of text files) and the format."""
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise BadInputError(f"{path}: {size / 2**30:.0f} GiB are too much to read at once")
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not data.strip():
        raise BadInputError(f"{path}: is empty")
    if data.startswith(_HDF5):
        raise BadInputError(
            f"{path}: is an HDF5 or NetCDF-4 file; open it with xarray, or convert it with "
            "`nccopy -k classic` if GXSM wrote it"
        )
    binary = b"\0" in data
    content = "" if binary else _decode(data)
    for form in FORMATS:
        if form.recognises(data, content):
            return path, data, content, form
    raise BadInputError(
        f"{path}: is a binary file of an unknown kind; "
        f"files are read of {', '.join(form.suffix for form in FORMATS)}"
    )


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # Nanonis writes the code page of its computer
