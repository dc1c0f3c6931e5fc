"""Instrument control and acquisition for millikelvin scanning tunnelling spectroscopy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from stm_daq.store.formats import MeasuredSpectra

__all__ = ["open_run", "read"]


def open_run(path: Path | str) -> xr.Dataset:
    """Open a run as a dataset; see :func:`stm_daq.store.dataset.open_run`."""
    from stm_daq.store.dataset import open_run as open_dataset

    return open_dataset(path)


def read(
    path: Path | str, bias_column: str | None = None, conductance_column: str | None = None
) -> MeasuredSpectra:
    """Read measured spectra; see :func:`stm_daq.store.formats.read_spectra`."""
    from stm_daq.store.formats import read_spectra

    return read_spectra(path, bias_column, conductance_column)
