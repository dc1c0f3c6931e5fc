"""Instrument control and acquisition for millikelvin scanning tunnelling spectroscopy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import xarray as xr

    from stm_daq.store.refits import RefitInfo
    from stm_daq.store.snapshot import Attempts

__all__ = ["catalogue", "open_fit", "open_fits", "open_run", "read"]


def open_run(path: Path | str, fit: str = "online", attempts: Attempts = "latest") -> xr.Dataset:
    """Open a run as a dataset; see :func:`stm_daq.store.dataset.open_run`."""
    from stm_daq.notebook import engine  # noqa: F401 (brings the accessor .stm)
    from stm_daq.store.dataset import open_run as open_dataset

    return open_dataset(path, fit, attempts)


def open_fits(path: Path | str) -> list[RefitInfo]:
    """List the refits of a run, oldest first; see :class:`stm_daq.store.refits.RefitInfo`."""
    from stm_daq.store.refits import list_refits

    return list_refits(path)


def open_fit(path: Path | str, name: str = "latest", model: str | None = None) -> xr.Dataset:
    """Open a refit of a run; see :func:`stm_daq.store.refit_maps.open_fit`."""
    from stm_daq.store.refit_maps import open_fit as open_dataset

    return open_dataset(path, name, model)


def catalogue(
    folder: Path | str = "runs",
    *,
    since: str | None = None,
    until: str | None = None,
    sample: str = "",
    plan: str = "",
    state: str = "",
    gap: tuple[float, float] | None = None,
) -> pd.DataFrame:
    """List the runs of a folder as a table, all or those that are looked for.

    Parameters
    ----------
    folder : Path or str
    since, until : str, optional
        Started then or later, and before: ``"2026-11-21"``, ``"2026-11-21 20:00"`` (local time).
    sample, plan, state : str
        Part of the name; ``*`` and ``?`` stand for anything.
    gap : (float, float), optional
        Range of the median gap, eV.

    Returns
    -------
    pandas.DataFrame
        See :func:`stm_daq.store.catalogue.catalogue`.
    """
    from stm_daq.store import catalogue as runs

    search = runs.Search(
        since=runs.moment(since) if since else None,
        until=runs.moment(until) if until else None,
        sample=sample,
        plan=plan,
        state=state,
        gap=gap,
    )
    return runs.catalogue(folder, search)


def read(path: Path | str) -> xr.Dataset:
    """Read a file of other programs as a dataset; see :func:`stm_daq.store.formats.read`."""
    from stm_daq.notebook import engine  # noqa: F401 (brings the accessor .stm)
    from stm_daq.store.formats import read as read_file

    return read_file(path)
