"""What became of every site of a map: trusted, doubtful, failed, not fitted, or not measured."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.verdict import grade

if TYPE_CHECKING:
    import xarray as xr

type Mask = NDArray[np.bool_]

ENOUGH = 10
"""So many trusted sites stand for a map, however many doubtful ones there are."""


@dataclass(frozen=True, slots=True)
class Sites:
    """What became of every site; masks of shape (outer axes..., rows, columns)."""

    wanted: Mask
    """The plan has this site: a polygon leaves some out."""

    measured: Mask
    """A spectrum was taken and can be read."""
    trusted: Mask
    """Its fit can be trusted."""
    doubtful: Mask
    """The only fault of its fit is that the model is not adequate: the values are indicative."""
    unfitted: Mask
    """There is no fit: the run was cut off between a spectrum and its fit."""

    @property
    def failed(self) -> Mask:
        """Fitted, but the fit says nothing."""
        return self.measured & ~self.usable & ~self.unfitted

    @property
    def usable(self) -> Mask:
        """Trusted or doubtful."""
        return self.trusted | self.doubtful

    @property
    def total(self) -> int:
        """Number of sites in the plan."""
        return int(self.wanted.sum())

    @property
    def indicative(self) -> bool:
        """Whether the doubtful sites have to stand for the map: hardly any is trusted."""
        trusted = int(self.trusted.sum())
        return trusted < ENOUGH and int(self.doubtful.sum()) > trusted

    @property
    def representative(self) -> Mask:
        """The sites whose medians and distributions stand for the map."""
        return self.doubtful if self.indicative else self.trusted


def sites_of(dataset: xr.Dataset) -> Sites:
    """Sort the sites of a run."""
    shape = dataset["time"].shape
    points = np.isfinite(dataset["conductance"].values).reshape(*shape, -1)
    measured = points.any(axis=-1)
    wanted = np.broadcast_to(_wanted(dataset), shape)
    fitted = measured & np.isfinite(dataset["gap"].values)
    ok = dataset["fit_ok"].values.astype(bool)
    inadequate = _where(dataset["fit_flags"].values, lambda flags: grade(flags) == "doubtful")
    sound = _where(dataset["flags"].values, lambda flags: not flags)
    silent = _where(dataset["fit_flags"].values, lambda flags: not flags)  # a bad fit says why
    was_fitted = bool(_metadata(dataset).get("fit_model", "btk"))
    return Sites(
        wanted=wanted,
        measured=measured,
        trusted=fitted & ok,
        doubtful=fitted & ~ok & inadequate & sound,
        unfitted=measured & ~fitted & ~ok & silent & was_fitted,
    )


def _metadata(dataset: xr.Dataset) -> dict[str, Any]:
    return _parsed(str(dataset.attrs.get("metadata", "{}")))


@lru_cache(maxsize=4)  # a report asks some forty times; a snapshot of the instruments is in it
def _parsed(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def _wanted(dataset: xr.Dataset) -> Mask:
    """Return where the plan has sites, shape (rows, columns)."""
    rows = _metadata(dataset).get("wanted")
    if rows is None:
        return np.ones(dataset["time"].shape[-2:], dtype=np.bool_)
    return np.array([[mark == "1" for mark in row] for row in rows], dtype=np.bool_)


def _where(texts: NDArray[np.object_], wanted: Callable[[set[str]], bool]) -> Mask:
    """Return where flags are as wanted; each different text is read once, for there are few."""
    different, place = np.unique(texts.astype(str), return_inverse=True)
    answers = np.array([wanted(_flags_in(text)) for text in different], dtype=bool)
    return answers[place].reshape(texts.shape)


def _flags_in(text: str) -> set[str]:
    return set(text.split(",")) - {"", "nan", "None"}


@dataclass(frozen=True, slots=True)
class FlagCount:
    """How many sites of each kind carry a flag."""

    flag: str
    failed: int
    doubtful: int
    trusted: int


def count_flags(dataset: xr.Dataset) -> list[FlagCount]:
    """Count the flags of spectra and fits together, each once a site, the worst ones first."""
    sites = sites_of(dataset)
    spectra, fits = dataset["flags"].values, dataset["fit_flags"].values
    failed, doubtful, trusted = (
        _count(spectra[mask], fits[mask]) for mask in (~sites.usable, sites.doubtful, sites.trusted)
    )
    counts = [
        FlagCount(flag, failed[flag], doubtful[flag], trusted[flag])
        for flag in failed.keys() | doubtful.keys() | trusted.keys()
    ]
    return sorted(counts, key=lambda c: (-c.failed, -c.doubtful, -c.trusted, c.flag))


def _count(spectra: NDArray[np.object_], fits: NDArray[np.object_]) -> Counter[str]:
    counter: Counter[str] = Counter()
    for spectrum, fit in zip(spectra, fits, strict=True):
        counter.update(_flags_in(f"{spectrum},{fit}"))
    return counter
