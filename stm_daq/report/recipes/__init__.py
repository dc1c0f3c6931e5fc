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

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from stm_daq.errors import BadInputError
from stm_daq.report.chapter import Chapter, Finding
from stm_daq.report_settings import settings_of

if TYPE_CHECKING:
    import xarray as xr

NAMES = ("tin", "nbn-line", "nbn-map", "contact", "bistability", "general")
"""In the order in which `auto` tries them."""
AUTO, NONE = "auto", "none"

log = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True)
class Choice:
    """The recipe of a report."""

    name: str
    """"none" without one."""
    recipe: Recipe | None
    problems: tuple[str, ...] = ()
    """Why another one could not be asked, in sentences."""


def recipe(name: str) -> Recipe:
    """Return a recipe by its name.

    Raises
    ------
    BadInputError
        If there is none of this name, or a package that it needs is not installed.
    """
    check_name(name)
    if name in (AUTO, NONE):
        raise BadInputError(f"'{name}' is no recipe; there are {', '.join(NAMES)}")
    try:
        found: Recipe = import_module(f"{__name__}.{name.replace('-', '_')}")
    except ModuleNotFoundError as error:
        raise BadInputError(
            f"the recipe '{name}' needs the package '{error.name}', which is not installed"
        ) from None
    return found


def check_name(name: str) -> None:
    """Refuse what cannot be asked for as a recipe.

    Raises
    ------
    BadInputError
        If `name` is neither a recipe nor "auto" or "none".
    """
    if name not in (*NAMES, AUTO, NONE):
        raise BadInputError(f"no recipe '{name}'; there are {', '.join((*NAMES, AUTO, NONE))}")


def choose(dataset: xr.Dataset, wanted: str = AUTO) -> Choice:
    """Return the recipe for a run: the one that is wanted, else the plan's, else the first that suits.

    Parameters
    ----------
    dataset : xarray.Dataset
        A run, or a file of another program.
    wanted : str, optional
        A name of `NAMES`, "auto" or "none".

    Raises
    ------
    BadInputError
        If there is no such recipe.
    """
    check_name(wanted)
    problems: list[str] = []
    if wanted == AUTO:
        try:
            wanted = settings_of(dataset).recipe
        except BadInputError as error:
            problems.append(f"The plan's block report: cannot be used: {error}.")
    if wanted == NONE:
        return Choice(NONE, None, tuple(problems))
    for name in NAMES if wanted == AUTO else (wanted,):
        try:
            found = recipe(name)
            if wanted == name or found.suits(dataset):
                return Choice(name, found, tuple(problems))
        except Exception as error:  # one that fails must not cost the report
            log.warning("recipe '%s' could not be asked", name, exc_info=error)
            problems.append(f"The recipe '{name}' could not be asked: {error}.")
    return Choice(NONE, None, tuple(problems))
