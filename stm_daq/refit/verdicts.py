"""Which of two fitted models a spectrum prefers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.tiles import Columns

TIED = "tied"
NONE_ADEQUATE = "none adequate"
NOT_FITTED = ""

CLOSE = 2.0
"""Difference of Akaike's criterion below which two models are tied."""
DECISIVE = 10.0
"""Difference above which the verdict is not a matter of chance."""

_USELESS = frozenset({"too_few_points", "constant", "negative"})
_WRONG = frozenset({"model_inadequate", "no_gap", "not_converged"})


def verdicts(models: tuple[str, ...], fits: list[Columns]) -> NDArray[np.object_]:
    """What information theory says of every spectrum: a model, "<model>, weakly", tied, or none.

    Akaike's criterion of each model is divided by the smallest misfit among them, so that residuals
    which no model explains do not count as evidence. Differences below 2 are a tie, above 10 decisive
    (K. P. Burnham, D. R. Anderson, Sociol. Methods Res. 33, 261 (2004)).

    Parameters
    ----------
    models : tuple of str
    fits : list of dict
        For each model "aic", "chi_square", "misfit" and "flags", shape (p,).
    """
    misfit = np.fmin.reduce([f["misfit"] for f in fits])
    aic = np.array(
        [f["chi_square"] / np.fmax(misfit, 1.0) + f["aic"] - f["chi_square"] for f in fits]
    )
    flags = [[frozenset(text.split(",")) for text in f["flags"]] for f in fits]
    out = np.full(len(misfit), NOT_FITTED, dtype=object)
    for p in range(len(out)):
        own = [f[p] for f in flags]
        if any(f & _USELESS for f in own) or not np.isfinite(aic[:, p]).any():
            continue
        if all(f & _WRONG for f in own):
            out[p] = NONE_ADEQUATE
            continue
        best, second = np.argsort(aic[:, p])[:2]
        lead = aic[second, p] - aic[best, p]
        if lead < CLOSE:
            out[p] = TIED
        else:
            out[p] = models[best] if lead > DECISIVE else f"{models[best]}, weakly"
    return out
