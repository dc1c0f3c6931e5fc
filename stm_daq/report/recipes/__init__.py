"""Recipes: what a report shows of each kind of experiment, and the numbers it states.

A recipe is a module of this package with three functions:

``suits(dataset) -> bool``
    whether the run looks like its experiment; quick, it reads the shape and names only,
``chapters(dataset) -> list[Chapter]``
    its figures; what is expensive is done when a chapter is drawn, once for all of them,
``findings(dataset) -> list[Finding]``
    its numbers, with uncertainties.

Settings (critical temperature, sheet resistance, regions) are read from the plan's ``report:``
block, which the dataset carries in its plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from stm_daq.errors import BadInputError
from stm_daq.report.chapter import Chapter, Finding

if TYPE_CHECKING:
    import xarray as xr

NAMES = ("tin", "nbn-line", "nbn-map", "contact", "bistability")
"""In the order in which `auto` tries them."""


class Recipe(Protocol):
    """What a module of a recipe offers."""

    def suits(self, dataset: xr.Dataset) -> bool:
        """Whether the run looks like its experiment."""
        ...

    def chapters(self, dataset: xr.Dataset) -> list[Chapter]:
        """Return its figures."""
        ...

    def findings(self, dataset: xr.Dataset) -> Sequence[Finding]:
        """Return its numbers."""
        ...


def recipe(name: str) -> Recipe:
    """Return a recipe by its name.

    Raises
    ------
    BadInputError
        If there is none of this name.
    """
    if name not in NAMES:
        raise BadInputError(f"no recipe '{name}'; there are {', '.join(NAMES)}, auto")
    found: Recipe = import_module(f"{__name__}.{name.replace('-', '_')}")
    return found
