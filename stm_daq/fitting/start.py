"""Start values: the centre of symmetry, then the best of some thousand template spectra."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from stm_daq.fitting.models import Choice
from stm_daq.physics.btk import K_B, LOWEST_TEMPERATURE, smeared
from stm_daq.physics.btk import reflection as reflection_of

type Array = NDArray[np.float64]

_GAPS = np.geomspace(0.03, 0.8, 16)
"""Gap in units of the largest bias."""
_TEMPERATURES = np.geomspace(0.02, 2.0, 10)
"""kT in units of the gap."""
_BARRIERS = np.array([0.0, 0.25, 0.45, 0.65, 0.9, 1.3, 2.0, 3.5])
_BROADENINGS = np.array([0.01, 0.05, 0.15, 0.4])
"""In units of the gap."""


class Templates:
    """Template spectra on |V - offset|, for one bias range, modulation and choice of parameters.

    Parameters
    ----------
    largest : float
        Largest |bias|, V.
    modulation : float
        Peak lock-in modulation, V.
    choice : Choice
        Fixed parameters are the same in every template.
    """

    def __init__(self, largest: float, modulation: float, choice: Choice) -> None:
        from stm_daq.fitting.kernel import BINS

        self._largest = largest
        self.parameters = _grid(largest, choice)
        centres = (np.arange(BINS) + 0.5) * (largest / BINS)
        gap, temperature, reflection, broadening = self.parameters.T
        spectra = smeared(centres, gap, temperature, reflection, broadening, modulation, dc=False)
        self._spectra = spectra.astype(np.float32)
        self._squares = np.square(self._spectra)
        self._log_gap = np.log(gap)

    def rank(self, bias: Array, values: Array, weight: Array, centre: float) -> tuple[Array, Array]:
        """Templates in order of their likeness, best first, and the scale that suits each.

        Parameters
        ----------
        bias, values, weight : ndarray, shape (n,)
            V, S and inverse variances.
        centre : float
            Bias offset, V.

        Returns
        -------
        parameters : ndarray, shape (k, 4)
            gap (eV), temperature (K), R, broadening (eV) of the `k` most different good templates.
        scales : ndarray, shape (k,)
            S.
        """
        from stm_daq.fitting.kernel import folded

        sums = folded(bias, values, weight, centre, self._largest).astype(np.float32)
        norms = self._squares @ sums[0]
        overlaps = self._spectra @ sums[1]
        gain = overlaps * np.abs(overlaps) / norms
        first = int(np.argmax(gain))
        unlike = np.abs(self._log_gap - self._log_gap[first]) > 0.4
        second = int(np.argmax(np.where(unlike, gain, -np.inf)))
        chosen = [first, second]
        return self.parameters[chosen], (overlaps[chosen] / norms[chosen]).astype(np.float64)


def _grid(largest: float, choice: Choice) -> Array:
    """Combinations of gap, temperature, reflection and broadening; fixed ones take one value."""
    fixed = choice.fixed
    gaps = [fixed["gap"]] if "gap" in fixed else (largest * _GAPS).tolist()
    barriers = [fixed["barrier"]] if "barrier" in fixed else _BARRIERS.tolist()
    rows = []
    for gap, barrier in product(gaps, barriers):
        reflection = 1.0 if np.isinf(barrier) else float(reflection_of(barrier))
        kelvins = gap * _TEMPERATURES / K_B
        if "temperature" in fixed:
            kelvins = np.array([fixed["temperature"]])
        widths = gap * _BROADENINGS
        if "broadening" in fixed:
            widths = np.array([fixed["broadening"]])
        rows += [
            (gap, max(kelvin, LOWEST_TEMPERATURE), reflection, width)
            for kelvin, width in product(kelvins, widths)
        ]
    return np.array(rows)
