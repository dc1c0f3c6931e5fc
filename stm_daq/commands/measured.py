"""A twin whose surface and spectra are measured ones, given by the user."""

from __future__ import annotations

from pathlib import Path

from stm_daq.errors import BadInputError
from stm_daq.rehearsal import MeasuredSurface


def read_measured(topograph: Path | None, spectra: Path | None) -> MeasuredSurface | None:
    """Read a topograph and a series of spectra on which the twin builds its sample.

    Parameters
    ----------
    topograph : Path or None
        A Nanonis ``.sxm`` file.
    spectra : Path or None
        A folder of spectra at several temperatures that state their temperature.

    Returns
    -------
    MeasuredSurface or None
        None if neither is given.

    Raises
    ------
    BadInputError
        If only one is given, a file cannot be read, or a spectrum lacks its temperature.
    """
    if topograph is None and spectra is None:
        return None
    if topograph is None or spectra is None:
        raise BadInputError("a measured sample needs both --topograph and --spectra")
    from stm_daq.store.formats import read_spectra, read_topograph

    z, size = read_topograph(topograph)
    files = sorted(path for path in spectra.iterdir() if path.is_file()) if spectra.is_dir() else []
    if not files:
        raise BadInputError(f"{spectra}: not a folder with measured spectra")
    curves = []
    for path in files:
        data = read_spectra(path)
        if data.temperature is None:
            raise BadInputError(
                f"{path}: states no temperature, so it cannot be part of the series"
            )
        curves.append((data.temperature, data.bias, data.conductance))
    return MeasuredSurface(z, size, tuple(curves))
