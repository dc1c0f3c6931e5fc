"""Fits, refits and the twin's truth as maps, for exports."""

from __future__ import annotations

import sqlite3
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stm_daq.records import Fit
from stm_daq.store import schema
from stm_daq.store.names import ALWAYS
from stm_daq.store.reading import whole_rows
from stm_daq.store.refit_maps import refit_columns
from stm_daq.store.refits import RefitInfo

type Maps = dict[str, NDArray[Any]]


def map_of_fits(
    connection: sqlite3.Connection, latest: NDArray[np.int64], taken: Container[str]
) -> Maps:
    """Return the fits made during the run: of the latest attempt the latest fit.

    Parameters
    ----------
    connection : sqlite3.Connection
    latest : array of int, shape (steps, rows, columns)
        The attempt that counts at every site.
    taken : container of str
        Names that a value must not have; it is then called ``fit_<name>``.
    """
    return _maps(map(schema.fit_of, whole_rows(connection, "fit")), latest, taken)


def map_of_refit(info: RefitInfo, latest: NDArray[np.int64], taken: Container[str]) -> Maps:
    """Return the first model's fits of a refit; see :func:`map_of_fits`."""
    return _maps(_fits_of(info), latest, taken)


def _fits_of(info: RefitInfo) -> Iterator[Fit]:
    columns = refit_columns(info, info.models[0])
    names = [name.removesuffix("_std") for name in columns if name.endswith("_std")]
    values = {name: columns[name].tolist() for name in names}
    stds = {name: columns[f"{name}_std"].tolist() for name in names}
    for i, site in enumerate(columns["site"].tolist()):
        yield Fit(
            site,
            int(columns["attempt"][i]),
            info.models[0],
            {name: values[name][i] for name in names},
            {name: stds[name][i] for name in names},
            float(columns["reduced_chi_square"][i]),
            bool(columns["ok"][i]),
            schema.split_flags(columns["flags"][i]),
        )


def _maps(fits: Iterable[Fit], latest: NDArray[np.int64], taken: Container[str]) -> Maps:
    flat = latest.reshape(-1)
    chi_square = np.full(len(flat), np.nan)
    ok = np.zeros(len(flat), dtype=np.bool_)
    flags = np.full(len(flat), "", dtype=object)
    values: Maps = {name: np.full(len(flat), np.nan) for name in ALWAYS}
    stds: Maps = {}
    known: dict[str, str] = {}
    for fit in fits:
        site = fit.site_index
        if not 0 <= site < len(flat) or fit.attempt != flat[site]:
            continue
        chi_square[site], ok[site] = fit.reduced_chi_square, fit.ok
        text = schema.join_flags(fit.flags)
        flags[site] = known.setdefault(text, text)  # one text for all sites
        _put(values, fit.values, site, len(flat))
        _put(stds, fit.std, site, len(flat))
    found: Maps = {"reduced_chi_square": chi_square, "fit_ok": ok, "fit_flags": flags}
    for name, numbers in values.items():
        # a nuisance value never hides something measured or an axis
        key = f"fit_{name}" if name in taken else name
        found[key] = numbers
        found[f"{key}_std"] = stds.get(name, np.full(len(flat), np.nan))
    return {name: numbers.reshape(latest.shape) for name, numbers in found.items()}


def map_of_truth(connection: sqlite3.Connection, latest: NDArray[np.int64]) -> Maps:
    """Return what the twin's world was where the spectra were taken; nothing for a real run."""
    flat = latest.reshape(-1)
    found: Maps = {}
    for row in whole_rows(connection, "truth"):
        truth = schema.truth_of(row)
        if 0 <= truth.site_index < len(flat) and truth.attempt == flat[truth.site_index]:
            _put(found, truth.values, truth.site_index, len(flat))
    return {f"true_{name}": numbers.reshape(latest.shape) for name, numbers in found.items()}


def _put(maps: Maps, numbers: Mapping[str, float], site: int, count: int) -> None:
    for name, value in numbers.items():
        if name not in maps:
            maps[name] = np.full(count, np.nan)
        maps[name][site] = value
