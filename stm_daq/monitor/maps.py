"""The maps of a run as they grow: one array per quantity, over outer steps, rows and columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from stm_daq.monitor.bodies import Cells
from stm_daq.records import Array, Fit, RunStarted, Spectrum

SCALARS = ("time", "z", "setpoint_current", "stage_temperature")
"""Maps of what was measured besides the traces."""
LARGEST_TOTAL = 2**23
"""Values in all maps together (64 MB): further maps are left out."""
CHUNK = 4096
"""Sites in one message."""


class SiteMaps:
    """Maps by name, and in which order their sites changed.

    Parameters
    ----------
    started : RunStarted, optional
        None: a run without sites.

    Attributes
    ----------
    shape : (steps, rows, columns)
    changed : list of int
        Index of every site that changed, oldest first; a site may occur repeatedly.
    """

    def __init__(self, started: RunStarted | None = None) -> None:
        self.shape = (0, 0, 0) if started is None else (started.steps, *started.grid_shape)
        self.changed: list[int] = []
        self._maps: dict[str, Array] = {}
        self._attempts: dict[int, int] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Which maps there are."""
        return tuple(self._maps)

    def __getitem__(self, name: str) -> Array:
        """Return a map, shape (steps, rows, columns); NaN everywhere if there is none of this name."""
        found = self._maps.get(name)
        return np.full(self.shape, np.nan) if found is None else found

    def measured(self, spectrum: Spectrum) -> None:
        """Take in what was measured; what was fitted before belongs to an earlier attempt."""
        site = spectrum.site.index
        if not self._is_newest(site, spectrum.attempt):
            return
        scalars = (spectrum.time, spectrum.z, spectrum.setpoint_current, spectrum.temperature)
        self._put(site, dict(zip(SCALARS, scalars, strict=True)), keep=())

    def fitted(self, fit: Fit) -> None:
        """Take in the fit of a spectrum."""
        if not self._is_newest(fit.site_index, fit.attempt):
            return
        values = dict(fit.values) | {f"{name}_std": std for name, std in fit.std.items()}
        values |= {"reduced_chi_square": fit.reduced_chi_square, "fit_ok": float(fit.ok)}
        self._put(fit.site_index, values, keep=SCALARS)

    def fill(self, cells: Cells) -> None:
        """Take in what somebody else knows; sites outside the map are left out."""
        inside = (cells.sites >= 0) & (cells.sites < math.prod(self.shape))
        sites = cells.sites[inside].astype(np.int64)
        for number, name in enumerate(cells.names):
            target = self._flat(name)
            if target is not None:
                target[sites] = cells.values[inside, number]
        self.changed.extend(sites.tolist())

    def cells(self, sites: Iterable[int]) -> Iterator[Cells]:
        """Yield all that is known of `sites`, in pieces of at most :data:`CHUNK` sites."""
        wanted = np.fromiter(dict.fromkeys(sites), dtype=np.int64)
        for first in range(0, len(wanted), CHUNK):
            part = wanted[first : first + CHUNK]
            columns = [values.reshape(-1)[part] for values in self._maps.values()]
            yield Cells(self.names, part.astype(np.float64), np.stack(columns, axis=1))

    def _is_newest(self, site: int, attempt: int) -> bool:
        if not 0 <= site < math.prod(self.shape) or attempt < self._attempts.get(site, 0):
            return False
        self._attempts[site] = attempt
        return True

    def _put(self, site: int, values: dict[str, float], keep: tuple[str, ...]) -> None:
        """Set all maps at a site: to `values`, or NaN unless they are to be kept."""
        for name in dict.fromkeys((*self._maps, *values)):
            target = self._flat(name)
            if target is not None and name not in keep:
                target[site] = values.get(name, np.nan)
        self.changed.append(site)

    def _flat(self, name: str) -> NDArray[np.float64] | None:
        """Return a map with one axis, new if necessary; None if it would be too much."""
        if name not in self._maps:
            if math.prod(self.shape) * (len(self._maps) + 1) > LARGEST_TOTAL:
                return None
            self._maps[name] = np.full(self.shape, np.nan)
        return self._maps[name].reshape(-1)
