"""The outcome of fitting one spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class FitResult:
    """Parameters of one spectrum, what is known of their errors, and a verdict."""

    model: str
    values: Mapping[str, float]
    """gap (eV), temperature (K), barrier, scale (S), offset (V), and broadening (eV) or slope (1/V)
    where the model or the caller has them. NaN where the spectrum does not tell; with "no_gap" the
    scale is the conductance at zero bias."""
    std: Mapping[str, float]
    """Standard deviations, same keys; 0 for fixed parameters. Multiplied by the square root of the
    `misfit` where the flag "model_inadequate" is raised."""
    limits: Mapping[str, float]
    """One-sided limits (95 %) of the parameters that are not determined, as `flags` say."""
    free: tuple[str, ...]
    """Names of the fitted parameters, the order of `correlation`."""
    correlation: NDArray[np.float64]
    """Shape (len(free), len(free))."""
    chi_square: float
    reduced_chi_square: float
    dof: int
    misfit: float
    """Power of the residuals, per point or per block of neighbouring points, over that of
    independent noise of the same size; 1 is perfect, 1.5 usual behind a lock-in's filter."""
    ok: bool
    """False where a number must not be trusted; `flags` say why."""
    flags: tuple[str, ...]
    """Verdicts in one word each; `stm_daq.fitting.explain` has the sentences."""
    curve: NDArray[np.float64]
    """Fitted conductance at every bias, S, in the order given; with "no_gap" a polynomial."""
