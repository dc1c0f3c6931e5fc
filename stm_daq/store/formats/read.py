"""Read spectra from a file, whatever its format."""

from __future__ import annotations

from pathlib import Path

from stm_daq.errors import BadInputError
from stm_daq.store.formats import nanonis_3ds, nanonis_dat, nanonis_sxm, text
from stm_daq.store.formats.measured import MeasuredSpectra, Wanted


def read_spectra(
    path: Path | str,
    bias_column: str | None = None,
    conductance_column: str | None = None,
    noise_column: str | None = None,
) -> MeasuredSpectra:
    """Read measured spectra: Nanonis ``.dat`` and ``.3ds``, or a plain table.

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
    path, wanted = Path(path), Wanted(bias_column, conductance_column, noise_column)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not data.strip():
        raise BadInputError(f"{path}: is empty")
    if data.startswith(nanonis_3ds.START):
        return nanonis_3ds.read_3ds(path, data, wanted)
    if data.startswith(nanonis_sxm.START):
        raise BadInputError(f"{path}: is a scan (.sxm); it holds images and no spectra")
    if b"\0" in data:
        raise BadInputError(
            f"{path}: is a binary file of an unknown kind; "
            "spectra are read from .dat, .3ds and plain text"
        )
    content = _decode(data)
    if any(line.strip() == nanonis_dat.MARK for line in content.splitlines()):
        return nanonis_dat.read_dat(path, content, wanted)
    return text.read_table(path, content, wanted)


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # Nanonis writes the code page of its computer
