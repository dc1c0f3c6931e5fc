"""Everything that Phys. Rev. B 102, 024504 works out from a map, each part when it is asked for."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

from stm_daq.analysis.altshuler_aronov.disorder_theory import (
    Material,
    Measured,
    Theory,
    Value,
    expectation,
)
from stm_daq.analysis.altshuler_aronov.exponents import WINDOW
from stm_daq.analysis.altshuler_aronov.gap_exponent_maps import GapExponentMaps, gap_exponent_maps
from stm_daq.analysis.altshuler_aronov.gap_exponent_relation import (
    Relation,
    Varying,
    relation,
    varying,
)
from stm_daq.analysis.maps.fields import Trend
from stm_daq.analysis.space.correlation import correlation_map
from stm_daq.analysis.space.significance import Coefficient, correlate
from stm_daq.analysis.spectra.derivative import LockInCheck, against_lock_in
from stm_daq.errors import BadInputError, CannotTellError
from stm_daq.report_settings import settings_of

if TYPE_CHECKING:
    import xarray as xr


class GapExponentStudy:
    """A map of gaps and exponents; what its parts raise is told by their functions.

    >>> study = GapExponentStudy(open_run("runs/2026-03-01_nbn-map"))     # doctest: +SKIP
    >>> study.relation.at_zero                                            # doctest: +SKIP

    Parameters
    ----------
    run : xarray.Dataset
        From :func:`stm_daq.open_run`, one map of bias sweeps. The window of the exponent and what is
        known of the film are read from the ``report:`` block of its plan.

    Raises
    ------
    BadInputError
        If the run is not one map, or its ``report:`` block is not as it should be.
    """

    def __init__(self, run: xr.Dataset) -> None:
        if "current" not in run or set(run["current"].dims) != {"y", "x", "bias"}:
            raise BadInputError(
                "gap and exponent are worked out for one map of bias sweeps, current(y, x, bias): choose "
                "one step of the other dimensions with .isel"
            )
        self.run = run
        self.settings = settings_of(run)

    @property
    def window(self) -> tuple[float, float]:
        """Where the exponent is fitted, V."""
        return self.settings.exponent_window or WINDOW

    @cached_property
    def maps(self) -> GapExponentMaps:
        """Gap and exponent of every site."""
        return gap_exponent_maps(self.run, self.window)

    @cached_property
    def lock_in(self) -> LockInCheck:
        """dI/dV from the current against the lock-in's."""
        return against_lock_in(self.run, self.maps.derivative)

    @cached_property
    def gap(self) -> Varying:
        """How the gap varies, eV."""
        return varying(self.maps.gap.rename("gap"), self.maps.gap_std)

    @cached_property
    def exponent(self) -> Varying:
        """How the exponent of the normal state varies."""
        return varying(self.maps.exponents.alpha.rename("exponent"), self.maps.exponents.alpha_std)

    @cached_property
    def relation(self) -> Relation:
        """How the gap follows the exponent."""
        return relation(self.gap, self.exponent)

    @property
    def rehearsed(self) -> bool:
        """Whether the twin tells what was true."""
        return "true_gap" in self.run and "true_exponent" in self.run

    @cached_property
    def true_gap(self) -> Varying:
        """What was true in the twin: how the gap varied, eV."""
        return _exact(self.run["true_gap"])

    @cached_property
    def true_exponent(self) -> Varying:
        """What was true in the twin: how the exponent varied."""
        return _exact(self.run["true_exponent"])

    @cached_property
    def true_relation(self) -> Relation:
        """What was true in the twin: how the gap followed the exponent."""
        return relation(self.true_gap, self.true_exponent)

    @cached_property
    def as_measured(self) -> Coefficient:
        """Correlation of half the peak distance with the exponent of the spectrum as it is."""
        return correlate(self.maps.peaks.gap, self.maps.as_measured.alpha, trend="mean").pearson

    @property
    def height(self) -> xr.DataArray:
        """Of the tip at every site, m."""
        return self.run["z"].transpose("y", "x").rename("height")

    @cached_property
    def gap_with_height(self) -> Coefficient:
        """Correlation of gap and tip height."""
        return correlate(self.gap.values, self.height).pearson

    @cached_property
    def exponent_with_height(self) -> Coefficient:
        """Correlation of exponent and tip height."""
        return correlate(self.exponent.values, self.height).pearson

    def correlation(self, first: str, second: str, *, periodic: bool = False) -> xr.DataArray:
        """Return a correlation map over ``lag_y`` and ``lag_x`` (m).

        Parameters
        ----------
        first, second : {"gap", "exponent", "height"}
            Heights lose their plane first, with which a sample is mounted.
        periodic : bool
            As the paper does: beyond an edge lies the opposite one.
        """
        maps = {"gap": self.gap.values, "exponent": self.exponent.values}
        pair = [self.height if name == "height" else maps[name] for name in (first, second)]
        trend: Trend = "plane" if "height" in (first, second) else "mean"
        return correlation_map(pair[0], pair[1], periodic=periodic, trend=trend)["correlation"]

    @cached_property
    def theory(self) -> Theory:
        """What the theory of disorder expects.

        Raises
        ------
        CannotTellError
            Also if the plan does not tell what is needed of the film.
        """
        given = self.settings
        needed = ("sheet_resistance", "plasma_energy", "diffusion", "debye_temperature")
        missing = [name for name in needed if getattr(given, name) is None]
        if missing:
            raise CannotTellError(
                f"The theory of disorder needs {', '.join(missing)} in the plan's `report:` block."
            )
        gap, exponent = self.gap, self.exponent
        relative = Value(gap.sigma.value / gap.mean.value, gap.sigma.std / gap.mean.value)
        if exponent.length is None:
            raise CannotTellError(f"The theory of disorder needs a length: {exponent.remark}")
        length = Value(exponent.length.length, exponent.length.length_std)
        slope = self.relation.slope
        measured = Measured(gap.mean, relative, exponent.mean, exponent.sigma, length, slope)
        material = Material(*(float(getattr(given, name) or math.nan) for name in needed))
        return expectation(measured, material, self.window)


def _exact(values: xr.DataArray) -> Varying:
    import xarray as xr

    return varying(values.transpose("y", "x"), xr.zeros_like(values))
